"""The names that completion offers at a place: columns, relations, joins, functions, types, labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pgexplorer.db.catalog import SYSTEM, Catalog, Table, literal, quoted
from pgexplorer.db.completion import keywords as places
from pgexplorer.db.completion.items import Item, Kind, Offering, functions, tables, types
from pgexplorer.db.completion.outline import Columns, Level, Outline, Source
from pgexplorer.db.completion.outline_parts import CARET, Group, Word
from pgexplorer.db.completion.place import Place

_LONGEST_LIST = 44  # characters of `* (…)`


class Names:
    """One place, what can be seen from it, and what is offered there."""

    def __init__(self, catalog: Catalog, place: Place, uses: Mapping[str, int]) -> None:
        self.catalog = catalog
        self.place = place
        self.offering = Offering(place.typed, uses)
        self.outline = Outline(catalog, place.path)
        self.group = place.path[-1]
        self.parent = place.path[-2] if len(place.path) > 1 else None
        at = next(n for n, item in enumerate(self.group.items) if item.kind == CARET)
        self.before: Sequence[Word | Group] = self.group.items[:at]
        self.after: Sequence[Word | Group] = self.group.items[at + 1 :]
        self.prev = self.key(-1)

    def key(self, back: int, items: Sequence[Word | Group] | None = None) -> str:
        """Return the keyword at the place *back* from the caret."""
        items = self.before if items is None else items
        return items[back].key if len(items) >= -back else ""

    # -- keywords

    def keywords(self, found: Iterable[str], near: int = 9) -> None:
        """Offer keywords, unless a name is what is typed."""
        if self.place.is_quoted or self.place.qualifiers:
            return
        for text in found:
            bare = text.rstrip("([").rstrip()
            self.offering.add(Item(bare, Kind.KEYWORD, insert=text if text != bare else ""), near)

    # -- names

    def expression(self, *, operand: bool, lists_all: bool = False) -> None:
        """Offer columns, functions and what else a value can begin with."""
        if self.place.qualifiers:
            self._qualified(lists_all)
            return
        self._columns(lists_all)
        self.sources()
        self.functions("faw")
        if operand:
            self.keywords(places.OPERANDS)

    def _columns(self, lists_all: bool) -> None:
        shadowed: set[str] = set()
        for near, level in enumerate(self.outline.levels):
            found = [s for s in level.sources if not s.is_aside]
            by_source = [(source, self.outline.columns(source, level.scope)) for source in found]
            counts: dict[str, int] = {}
            for _, columns in by_source:
                for name, _ in columns:
                    counts[name] = counts.get(name, 0) + 1
            several = len(found) > 1 or near > 0
            for source, columns in by_source:
                for name, kind in columns:
                    detail = f"{kind} · {source.alias}".removeprefix(" · ") if several and source.alias else kind
                    if counts[name] > 1 or name in shadowed:
                        if source.alias:
                            self.offering.add(column_item(name, detail, source.alias), near)
                    else:
                        self.offering.add(column_item(name, detail), near)
            if lists_all and not near:
                self._everything(by_source)
            shadowed |= counts.keys()

    def _everything(self, by_source: Sequence[tuple[Source, Columns]]) -> None:
        several = len(by_source) > 1
        names = [
            f"{quoted(source.alias)}.{quoted(name)}" if several and source.alias else quoted(name)
            for source, columns in by_source
            for name, _ in columns
        ]
        if all(columns for _, columns in by_source):
            self._all(names)

    def all_columns(self, names: Sequence[str], qualifier: str) -> None:
        """Offer a list of all *names*, each but the first with the *qualifier* that stands before the caret already."""
        rest = f"{qualifier}." if qualifier else ""
        self._all([f"{rest if n else ''}{quoted(name)}" for n, name in enumerate(names)])

    def _all(self, names: Sequence[str]) -> None:
        if len(names) < 2 or self.place.is_quoted or self.place.typed:
            return
        insert = ", ".join(names)
        shown = insert if len(insert) <= _LONGEST_LIST else f"{insert[:_LONGEST_LIST].rpartition(',')[0]}, …"
        self.offering.add(Item(f"* ({shown})", Kind.ALL, f"{len(names)} columns", insert), 1)

    def _qualified(self, lists_all: bool = False) -> None:
        names = self.place.qualifiers
        found = False
        for near, level in enumerate(self.outline.levels):
            for source in level.sources:
                if not _means(source, names):
                    continue
                columns = self.outline.columns(source, level.scope)
                for name, kind in columns:
                    self.offering.add(column_item(name, kind), near)
                if lists_all or self.prev in {"select", ",", "distinct", "returning"}:
                    self.all_columns([name for name, _ in columns], ".".join(quoted(each) for each in names))
                found = True
            if found:
                break
        if not found:
            table = self.catalog.table(names)
            for name, kind in table.columns if table is not None else ():
                self.offering.add(column_item(name, kind), 0)
        if len(names) == 1 and names[0] in self.catalog.schemas and not found:
            self.functions("faw")
            self.relations("rpvmf")

    def columns_of(self, columns: Columns) -> None:
        """Offer the columns of one relation, never qualified."""
        if self.place.qualifiers:
            return
        for name, kind in columns:
            self.offering.add(column_item(name, kind), 0)

    def sources(self) -> None:
        """Offer the names that columns can be qualified with."""
        for near, level in enumerate(self.outline.levels):
            for source in level.sources:
                if source.alias:
                    detail = ".".join(source.names) if source.names else "subquery"
                    self.offering.add(Item(source.alias, Kind.ALIAS, detail, _insert(source.alias)), near + 2)

    def relations(self, letters: str, *, sets: bool = False) -> None:
        """Offer relations of the kinds in *letters*, the schemas, and with *sets* the functions that return rows."""
        qualifiers = self.place.qualifiers
        if len(qualifiers) > 2:
            return
        schema = qualifiers[-1] if qualifiers else ""
        self.offering.add_all(tables(self.catalog, letters, schema))
        if not qualifiers:
            self.names("schema", near=8)
        if sets:
            self.offering.add_all(functions(self.catalog, "set", schema))

    def _joinable(self) -> None:
        """Offer what FROM and JOIN can name, and behind JOIN the whole of what foreign keys link."""
        level = self.outline.levels[0] if self.outline.levels else None
        verb = level.verb if level is not None else ""
        is_target = self.prev in {"into", "update"} or (self.prev == "from" and verb == "delete")
        if not self.place.qualifiers and not is_target:
            for cte in self.outline.scope.all():
                item = Item(cte.name, Kind.CTE, "WITH", _insert(cte.name))
                self.offering.add(item, 0)
        if level is not None and self.prev == "join" and self.key(-2) not in {"cross", "natural"}:
            self._linked(level)
        self.relations("rpf" if is_target else "rpvmf", sets=not is_target)
        if is_target:
            self.offering.add_all(tables(self.catalog, "v", (self.place.qualifiers or ("",))[-1]))

    def _linked(self, level: Level) -> None:
        """Offer each table that a foreign key links to those that are there, with the condition of the join."""
        following = self.after[0] if self.after else None
        if following is not None and (following.key in {"on", "using", "as"} or (following.name and not following.key)):
            return
        items = level.items
        at = next((n for n, item in enumerate(items) if item.kind == CARET), len(items))
        sources = self.outline.sources(items[:at])
        used = {source.alias for source in sources}
        schema = self.place.qualifiers[-1] if self.place.qualifiers else ""
        for near, source in enumerate(reversed(sources)):
            table = self._table(source, level)
            for key in self.catalog.keys_of.get(table.oid, ()) if table is not None else ():
                for ours, other, theirs in (
                    (key.columns, key.to, key.to_columns),
                    (key.to_columns, key.table, key.columns),
                ):
                    mine = key.table if ours is key.columns else key.to
                    linked = self.catalog.by_oid.get(other)
                    if table is None or mine != table.oid or linked is None or (schema and linked.schema != schema):
                        continue
                    name = _relation_name(self.catalog, linked, bare=bool(schema))
                    alias, said = linked.name, name
                    if alias in used:
                        number = next(n for n in range(2, 99) if f"{linked.name}_{n}" not in used)
                        alias = f"{linked.name}_{number}"
                        said = f"{name} {quoted(alias)}"
                    condition = _condition(alias, theirs, source.alias, ours)
                    item = Item(f"{said} ON {condition}", Kind.JOIN, "foreign key")
                    self.offering.add(item, min(near, 3))

    def join_conditions(self, level: Level) -> None:
        """Offer what foreign keys say of the relation being joined and those before it."""
        if self.place.qualifiers or self.place.is_quoted:
            return
        sources = self.outline.joined(level)
        for one in reversed(sources[-1:]):
            for near, other in enumerate(reversed(sources[:-1])):
                for condition in self._conditions(one, other, level):
                    self.offering.add(Item(condition, Kind.JOIN, "foreign key"), min(near, 3))

    def _conditions(self, one: Source, other: Source, level: Level) -> Iterable[str]:
        left, right = self._table(one, level), self._table(other, level)
        if left is None or right is None:
            return
        for key in self.catalog.keys_of.get(left.oid, ()):
            if key.table == left.oid and key.to == right.oid:
                yield _condition(one.alias, key.columns, other.alias, key.to_columns)
            if key.to == left.oid and key.table == right.oid:
                yield _condition(one.alias, key.to_columns, other.alias, key.columns)

    def _table(self, source: Source, level: Level) -> Table | None:
        if source.is_function or not source.names or (len(source.names) == 1 and level.scope.find(source.names[0])):
            return None
        return self.catalog.table(source.names)

    def functions(self, letters: str) -> None:
        """Offer functions of the kinds in *letters*."""
        schema = self.place.qualifiers[-1] if self.place.qualifiers else ""
        self.offering.add_all(functions(self.catalog, letters, schema))
        if not self.place.qualifiers and letters != "faw":
            self.names("schema", near=12)

    def types(self, *, own: bool = False) -> None:
        """Offer types; *own* ones only where the system's cannot be meant."""
        schema = self.place.qualifiers[-1] if self.place.qualifiers else ""
        self.offering.add_all(types(self.catalog, schema, own=own))
        if not schema:
            self.names("schema", near=12)

    def names(self, what: str, near: int = 0) -> None:
        """Offer the names of schemas, roles or databases."""
        if self.place.qualifiers:
            return
        kinds = {
            "schema": (self.catalog.schemas, Kind.SCHEMA),
            "role": (self.catalog.roles, Kind.ROLE),
            "database": (self.catalog.databases, Kind.DATABASE),
        }
        found, kind = kinds[what]
        for name in found:
            far = 3 if name in SYSTEM or name.startswith("pg_") else 0
            self.offering.add(Item(name, kind, what, _insert(name)), near + far)

    def linked_columns(self, names: tuple[str, ...]) -> None:
        """Offer what a foreign key says that the column *names* equals, in another relation that is there."""
        if not names or self.place.qualifiers or not self.outline.levels:
            return
        level = self.outline.levels[0]
        for one in level.sources:
            table = self._table(one, level)
            if table is None or (names[:-1] and not _means(one, names[:-1])):
                continue
            for key in self.catalog.keys_of.get(table.oid, ()):
                for mine, ours, other, theirs in (
                    (key.table, key.columns, key.to, key.to_columns),
                    (key.to, key.to_columns, key.table, key.columns),
                ):
                    if mine != table.oid or names[-1] not in ours:
                        continue
                    column = theirs[ours.index(names[-1])]
                    for source in level.sources:
                        found = self._table(source, level)
                        if source is not one and not source.is_aside and found is not None and found.oid == other:
                            self.offering.add(column_item(column, "foreign key", source.alias), -1)

    def labels(self, names: tuple[str, ...]) -> None:
        """Offer the labels of the enum whose column *names* mean."""
        if not names:
            return
        for level in self.outline.levels:
            for source in level.sources:
                if names[:-1] and not _means(source, names[:-1]):
                    continue
                for name, kind in self.outline.columns(source, level.scope):
                    if name == names[-1]:
                        self._labels_of(kind)
                        return

    def _labels_of(self, kind: str) -> None:
        if self.place.qualifiers or self.place.is_quoted:
            return
        for label in self.catalog.labels_of.get(kind, ()):
            self.offering.add(Item(label, Kind.LABEL, kind, literal(label)), -1)


def _means(source: Source, names: Sequence[str]) -> bool:
    """Whether *names* before a dot mean the relation."""
    if len(names) == 1:
        return source.alias == names[0]
    return not source.is_bound and source.names[-len(names) :] == tuple(names)


def _insert(name: str) -> str:
    found = quoted(name)
    return found if found != name else ""


def column_item(name: str, detail: str, alias: str = "") -> Item:
    """Return what offers a column, qualified with *alias* if there is one."""
    if alias:
        return Item(f"{alias}.{name}", Kind.COLUMN, detail, f"{quoted(alias)}.{quoted(name)}", f"column:{name}")
    return Item(name, Kind.COLUMN, detail, _insert(name))


def _relation_name(catalog: Catalog, table: Table, *, bare: bool) -> str:
    return quoted(table.name) if bare or catalog.is_bare(table) else f"{quoted(table.schema)}.{quoted(table.name)}"


def _condition(one: str, columns: Sequence[str], other: str, others: Sequence[str]) -> str:
    return " AND ".join(
        f"{quoted(one)}.{quoted(mine)} = {quoted(other)}.{quoted(theirs)}"
        for mine, theirs in zip(columns, others, strict=True)
    )
