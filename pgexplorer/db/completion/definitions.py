"""What completion offers in statements that are no queries: those that define, change, grant, load and set."""

from __future__ import annotations

from collections.abc import Sequence

from pgexplorer.db.completion import keywords as places
from pgexplorer.db.completion.names import Names, column_item
from pgexplorer.db.completion.outline_parts import Group, Word, chain, chain_before

# What begins a line of CREATE TABLE that is no column.
_BEGIN_NO_COLUMN = frozenset({"constraint", "primary", "foreign", "unique", "check", "like", "exclude"})


class Definitions(Names):
    """Offers for these statements."""

    def define(self) -> bool:
        """Offer what fits a statement that defines, grants or says something; return whether this is one."""
        if len(self.place.path) > 1 and not self._defines_columns():
            first = self.place.path[0].items[0].key if self.place.path[0].items else ""
            return first in {"create", "alter", "comment", "copy"} and self._named_columns()
        whole = self.place.path[0].items
        first = whole[0].key if whole else ""
        if self._defines_columns():
            return self._column_definition()
        if not self.before and self.group is self.place.path[0]:
            if self.place.qualifiers or self.place.behind in places.VALUE_BEHIND:
                self.expression(operand=True)
            else:
                self.keywords(places.STATEMENTS)
                self.keywords(places.BODY if self.place.behind else ())
            return True
        match first:
            case "create" | "alter" | "drop" | "comment" | "refresh" | "reindex" | "security":
                return self._definition(first)
            case "grant" | "revoke":
                self._grant()
                return True
            case "truncate" | "analyze" | "vacuum" | "cluster" | "lock" | "copy":
                if self.prev in {first, "table", "only", ",", "analyze", "full", "verbose"}:
                    self.relations("rpm")
                    if self.prev == first:
                        self.keywords(("TABLE",) if first in {"truncate", "lock"} else ())
                elif first == "copy":
                    self.keywords(("FROM STDIN", "TO STDOUT", "FROM", "TO", "WITH (", "WHERE"))
                elif first == "truncate":
                    self.keywords(("CASCADE", "RESTRICT", "RESTART IDENTITY", "CONTINUE IDENTITY"))
                return True
            case "call":
                self.functions("p") if self.prev == "call" else None
                return True
            case "set" | "show" | "reset" | "begin" | "start" | "listen" | "notify" | "savepoint" | "reassign":
                self._settings(first)
                return True
            case "explain":
                return self._explain()
            case _:
                return False

    def _explain(self) -> bool:
        two = f"{self.key(-2)} {self.prev}"
        if two in places.BEHIND or self.prev in {"explain", "verbose"} or (len(self.before) == 2 and self.prev == ""):
            self.keywords(places.BEHIND.get(two, places.BEHIND["explain"]))
            return True
        return False

    def _settings(self, first: str) -> None:
        if self.prev == "role" or first == "reassign":
            self.names("role")
        elif any(item.name == "search_path" for item in self.before) and self.prev in {"to", "=", ","}:
            self.names("schema")
        else:
            self.keywords(places.BEHIND.get(self.prev, ()))

    def _definition(self, first: str) -> bool:
        before = [item.key or ("name" if item.name else "") for item in self.before]
        keys = " ".join(before)
        if first == "create" and ({"view", "as"} <= set(before) or "as" in before) and self._begins_query(before):
            return False
        if self.prev == "references":
            self.relations("rp")
            return True
        kind, at = self._kind(before)
        if self.prev == "as":
            self.keywords(places.QUERIES)
        elif keys.endswith(("execute function", "execute procedure")):
            self.functions("trigger")
        elif self.prev in {"returns", "setof"}:
            self.types()
        elif (first == "create" and self.prev in {"on", "only", "of"}) or keys.endswith("inherit"):
            self.relations("rpvmf")
        elif self.prev == "to" and ("owner" in before or kind in {"role", "policy"}):
            self.names("role")
        elif self.prev == "schema" and first == "alter" and before[1:2] != ["schema"]:
            self.names("schema")
        elif kind and at == len(before) and first != "create":
            self._named(kind)
            self.keywords(("IF EXISTS",))
        elif first == "alter" and kind in {"table", "foreign table", "view"}:
            self._alter_table(before)
        elif f"{self.key(-2)} {self.prev}" in places.BEHIND:
            self.keywords(places.BEHIND[f"{self.key(-2)} {self.prev}"])
        elif self.prev in places.BEHIND and not self.place.qualifiers:
            self.keywords(places.BEHIND[self.prev])
        elif first == "drop":
            self.keywords(("CASCADE", "RESTRICT"))
        elif first == "comment" and "column" in before and self.place.qualifiers:
            table = self.catalog.table(self.place.qualifiers)
            for name, detail in table.columns if table is not None else ():
                self.offering.add(column_item(name, detail), 0)
        elif first == "comment":
            self.keywords(("IS",))
        elif first == "create" and kind == "table" and isinstance(self.before[-1], Group):
            self.keywords(("PARTITION BY", "INHERITS (", "WITH (", "TABLESPACE", "ON COMMIT DROP"))
        elif first == "create" and kind:
            self.keywords(
                ("ON", "AS", "USING", "RETURNS", "LANGUAGE", "FOR EACH ROW", "EXECUTE FUNCTION", "WHERE", "IMMUTABLE")
            )
        return True

    @staticmethod
    def _begins_query(before: Sequence[str]) -> bool:
        at = before.index("as")
        return bool(set(before[at + 1 :]) & {"select", "with", "values", "table"})

    @staticmethod
    def _kind(before: Sequence[str]) -> tuple[str, int]:
        """Return what kind of thing a statement is of, and where that word, and IF EXISTS behind it, end."""
        for at in range(1, min(6, len(before))):
            two = f"{before[at - 1]} {before[at]}"
            found = two if two in places.NAMED else before[at] if before[at] in places.NAMED else ""
            if found:
                skipped = {"if", "not", "exists", "concurrently", "only"}
                return found, next((n for n in range(at + 1, len(before)) if before[n] not in skipped), len(before))
        return "", 0

    def _named(self, kind: str) -> None:
        match places.NAMED[kind]:
            case "function":
                self.functions("own")
            case "procedure":
                self.functions("p")
            case "type":
                self.types(own=True)
            case "schema" | "role" | "database" as what:
                self.names(what)
            case letters:
                self.relations(letters)

    def _alter_table(self, before: Sequence[str]) -> None:
        whole = self.place.path[0].items
        _, at = self._kind([item.key or ("name" if item.name else "") for item in whole])
        names, end = chain(whole, at)
        table = self.catalog.table(names) if names else None
        piece = list(before[end:])
        while "," in piece:
            piece = piece[piece.index(",") + 1 :]
        match piece:
            case []:
                self.keywords(places.ALTER_TABLE)
            case [("alter" | "drop" | "rename")] | [("alter" | "drop" | "rename"), "column"]:
                self.columns_of(table.columns if table else [])
                self.keywords(("COLUMN", "CONSTRAINT", "TO") if len(piece) == 1 else ())
            case ["add"]:
                self.keywords(("COLUMN", "CONSTRAINT", "PRIMARY KEY (", "FOREIGN KEY (", "UNIQUE (", "CHECK ("))
            case ["add", "column", _] | [*_, "type"]:
                self.types()
            case ["alter", "column", _] | ["alter", "name"]:
                self.keywords(places.ALTER_COLUMN)
            case ["rename", *_]:
                self.keywords(("TO",))
            case ["add", *_]:
                self.keywords(places.COLUMN_GOES_ON)
            case _:
                pass

    def _grant(self) -> None:
        keys = [item.key for item in self.before]
        if "to" in keys or ("from" in keys and keys[0] == "revoke"):
            if self.prev in {"to", "from", ","}:
                self.names("role")
            else:
                self.keywords(("WITH GRANT OPTION", "CASCADE"))
        elif "on" in keys:
            kind = next((key for key in keys[keys.index("on") :] if key in places.NAMED), "")
            if self.prev == "on":
                self.relations("rpvmfS")
                self.keywords(("SCHEMA", "SEQUENCE", "FUNCTION", "DATABASE", "ALL TABLES IN SCHEMA", "TABLE", "TYPE"))
            elif self.prev == "schema":
                self.names("schema")
            elif self.prev in {*places.NAMED, ","}:
                self._named(kind or "table") if kind else self.relations("rpvmfS")
            else:
                self.keywords(("TO",) if keys[0] == "grant" else ("FROM",))
        elif self.prev in {"grant", "revoke", ","}:
            self.keywords(places.BEHIND["grant"])
            self.names("role")
        else:
            self.keywords(("ON", "TO"))

    def _defines_columns(self) -> bool:
        """Whether the caret is in the list of a CREATE TABLE's columns, or of a function's arguments."""
        if self.parent is None or len(self.place.path) != 2 or self.group.opener != "(":
            return False
        keys = [item.key for item in self.parent.items[:8]]
        at = next(n for n, item in enumerate(self.parent.items) if item is self.group)
        if keys[:1] != ["create"] or "on" in keys[:at] or "as" in keys[:at]:
            return False
        what = {"table", "function", "procedure"} & set(keys[:at])
        return bool(what) and not any(isinstance(item, Group) for item in self.parent.items[:at])

    def _column_definition(self) -> bool:
        piece: list[Word | Group] = []
        for item in self.before:
            piece = [] if item.key == "," else [*piece, item]
        is_table = any(item.key == "table" for item in (self.parent.items if self.parent else [])[:5])
        if self.prev == "references":
            self.relations("rp")
        elif self.prev == "like" and len(piece) == 1:
            self.relations("rpvmf")
        elif self.prev == "default":
            self.expression(operand=True)
        elif not piece:
            self.keywords(places.COLUMN_BEGINS) if is_table else self.types()
        elif len(piece) == 1 and not isinstance(piece[0], Group):
            self.types()
        else:
            self.keywords(places.COLUMN_GOES_ON if is_table else ("DEFAULT",))
        return True

    def _own_columns(self) -> bool:
        """Offer the columns of the table that is being made or changed: PRIMARY KEY (, FOREIGN KEY (, CHECK (."""
        whole = self.place.path[0].items
        if len(self.place.path) == 3:  # CREATE TABLE: those that are written there
            first = True
            for item in self.place.path[1].items:
                if first and item.name and item.key not in _BEGIN_NO_COLUMN:
                    self.columns_of([(item.name, "")])
                first = item.key == ","
            return True
        _, at = self._kind([item.key or ("name" if item.name else "") for item in whole])
        names, _ = chain(whole, at)
        table = self.catalog.table(names) if names else None
        self.columns_of(table.columns if table is not None else [])
        return table is not None

    def _named_columns(self) -> bool:
        """Offer the columns of the table before a group: CREATE INDEX … ON t (, REFERENCES t (, COPY t (."""
        if self.parent is None or len(self.place.path) > 3:
            return False
        at = next(n for n, item in enumerate(self.parent.items) if item is self.group)
        outer = self.parent.items[:at]
        if (self.key(-1, outer) and self.key(-2, outer) == "using") or (len(outer) >= 2 and outer[-2].key == "using"):
            outer = outer[:-2]
        if self.key(-1, outer) == "key" or self.key(-1, outer) in {"unique", "check"}:
            return self._own_columns()
        names = chain_before(outer, len(outer))
        ahead = outer[-2 * len(names)] if names and len(outer) >= 2 * len(names) else None
        if ahead is None or ahead.key not in {"on", "references", "copy", "only"}:
            return False
        table = self.catalog.table(names)
        if table is None:
            return False
        listed = {item.name for item in self.group.items}
        self.columns_of([column for column in table.columns if column[0] not in listed])
        if ahead.key == "on":
            self.functions("f")
        return True
