"""What could come next at a place in SQL: names of a catalog and keywords that fit there, the likeliest first.

Works on whatever text there is, finished or not, and knows nothing that is not in the text or the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pgexplorer.db.catalog import Catalog
from pgexplorer.db.completion import keywords as places
from pgexplorer.db.completion.definitions import Definitions
from pgexplorer.db.completion.items import MOST, Item, Kind, warm
from pgexplorer.db.completion.names import column_item
from pgexplorer.db.completion.outline import UNNAMED, Columns, Level
from pgexplorer.db.completion.outline_parts import Group, Word, chain, chain_before
from pgexplorer.db.completion.place import Place, find
from pgexplorer.db.keywords import words
from pgexplorer.db.tokens import KEYWORD, NAME, NUMBER, PARAMETER, QUOTED, STRING


@dataclass(frozen=True, slots=True)
class Offer:
    """What could stand from *from_position*, in code points, to the caret."""

    from_position: int
    items: tuple[Item, ...] = ()
    is_whole: bool = True  # whether that is everything that fits what is typed


def complete(catalog: Catalog, text: str, position: int, uses: Mapping[str, int] | None = None) -> Offer:
    """Return what could come next in *text* at *position*; nothing in strings, comments and numbers.

    *uses* says by Item.key how often each item was taken before. Raises nothing, whatever the text is.
    """
    position = max(0, min(position, len(text)))
    place = find(text, position)
    if place is None:
        return Offer(position)
    reader = _Queries(catalog, place, uses or {})
    reader.offer()
    items, is_whole = reader.offering.best()
    return Offer(place.start, tuple(_fitted(item, place) for item in items), is_whole)


def _fitted(item: Item, place: Place) -> Item:
    """Return *item* so that what it inserts fits what stands around the caret."""
    insert = item.insert or item.text
    if place.next == "(" and insert.endswith(("(", "()")):
        insert = insert.rstrip("()").rstrip()
    if place.is_closed and item.kind not in {Kind.KEYWORD, Kind.LABEL}:
        insert = '"' + item.text.replace('"', '""')
    if item.kind is Kind.KEYWORD and place.is_small:
        text, insert = item.text.lower(), insert.lower()
        return replace(item, text=text, insert=insert if insert != text else "", name=item.key)
    return replace(item, insert=insert if insert != item.text else "")


# -- what could stand there

_COMPARISONS = {"=", "<>", "!=", "<", ">", "<=", ">=", ":=", "=>"}
_BEFORE_OPERAND = words(
    """
    select where and or not on by having when then else case between like ilike similar returning distinct all any some
    limit offset set escape using in from interval row if elsif return raise perform default while loop exit begin
    """
)
_VALUE_KEYWORDS = words(
    """
    null true false end current_date current_time current_timestamp current_user session_user localtime localtimestamp
    user current_role current_catalog current_schema unknown default asc desc first last only
    """
)
_RELATION_BEFORE = {"from", "join", "update", "into", "table", "only", "using", "lateral", ","}
_CLAUSES = words(
    """
    select from join on where group having window order limit offset fetch for returning values into update set using
    delete insert merge when then conflict
    """
)


class _Queries(Definitions):
    """One look at one place, in a query or in anything else."""

    def offer(self) -> None:
        """Fill the offering."""
        if self.define() or self._types() or self._in_group():
            return
        self._in_query()

    # -- types

    def _types(self) -> bool:
        in_cast = self.prev == "as" and self.parent is not None and self._outer_key() in {"cast", "treat", "try_cast"}
        if self.prev == "::" or in_cast:
            self.types()
            return True
        return False

    def _outer_key(self) -> str:
        """Return the word just before the group that holds the caret."""
        at = next((n for n, item in enumerate(self.parent.items) if item is self.group), 0) if self.parent else 0
        return self.parent.items[at - 1].key or self.parent.items[at - 1].name if self.parent and at else ""

    # -- groups that are no queries

    def _in_group(self) -> bool:
        """Offer what fits between parentheses that hold no query; return whether these are such."""
        if self.parent is None:
            return False
        at = next(n for n, item in enumerate(self.parent.items) if item is self.group)
        outer = self.parent.items[:at]
        before = self.key(-1, outer)
        if self.group.is_query and self.before:
            return False
        verb = self.outline.levels[0].verb if self.outline.levels else ""
        if verb in {"insert", "merge"} and self._is_target_list(outer):
            self._target_columns()
            return True
        if before == "using" and self._is_join_using(outer):
            self._shared_columns()
            return True
        if before == "conflict":
            self.columns_of(self._target())
            return True
        if before == "over" or (len(outer) >= 2 and outer[-1].key == "as" and self._has_window(outer)):
            self._window()
            return True
        if before == "filter" and not self.before:
            self.keywords(("WHERE",))
            return True
        if before == "filter":
            self._in_expression("where", self.before[1:])
            return True
        if before in {"from", "join", "lateral"} or (before == "," and self._clause(outer) == "from"):
            if not self.before:
                self.keywords(places.QUERIES, near=0)
            if before == "lateral":
                return True
            if self.before and self.prev not in _RELATION_BEFORE:
                return False  # joins in parentheses
            self._joinable()
            return True
        if before == "with" or (before and self.key(-2, outer) in {"with", "recursive"} and self.prev in {"", ","}):
            return outer[-1].name != "" and not self.before  # the names of a CTE's columns
        if before in {"as", "materialized", "exists", "array", "any", "all", "some"} and not self.before:
            self.keywords(places.QUERIES, near=0)
            if before in {"any", "all", "some"}:
                self.expression(operand=True)
            return True
        if before == "values" or (before == "," and self._clause(outer) == "values"):
            self._insert_value(outer)
        if before == "extract" and not self.before:
            self.keywords(places.FIELDS)
            return True
        if before in {"in", "(", "=", ""} and not self.before:
            self.keywords(places.QUERIES, near=10)
        if before == "in":
            end = len(outer) - (2 if self.key(-2, outer) == "not" else 1)
            if self.prev in {"", ","}:
                self.labels(chain_before(outer, end))
        self._in_expression("", self.before, distinct=bool(outer) and bool(outer[-1].name))
        return True

    def _is_target_list(self, outer: Sequence[Word | Group]) -> bool:
        if self.key(-1, outer) == "insert":
            return True
        at = next((n for n, item in enumerate(outer) if item.key == "into"), -1)
        if at < 0:
            return False
        names, end = chain(outer, at + 1)
        rest = outer[end:]
        return bool(names) and (not rest or (len(rest) == 2 and rest[0].key == "as"))

    def _target(self) -> Columns:
        level = self.outline.levels[0] if self.outline.levels else None
        if level is None or not level.sources:
            return []
        return self.outline.columns(level.sources[0], level.scope)

    def _target_columns(self) -> None:
        listed = {item.name for item in self.group.items if item.name}
        left = [column for column in self._target() if column[0] not in listed]
        self.columns_of(left)
        if self.prev in {"", ","}:
            self.all_columns([name for name, _ in left], "")

    @staticmethod
    def _is_join_using(outer: Sequence[Word | Group]) -> bool:
        return any(item.key == "join" for item in outer)

    def _shared_columns(self) -> None:
        level = self.outline.levels[0]
        seen: dict[str, list[str]] = {}
        listed = {item.name for item in self.group.items}
        joined = self.outline.joined(level)
        for source in joined:
            for name, kind in self.outline.columns(source, level.scope):
                seen.setdefault(name, []).append(kind)
        last = {name for name, _ in self.outline.columns(joined[-1], level.scope)} if joined else set[str]()
        for name, kinds in seen.items():
            if name not in listed and name in last and len(kinds) > 1:
                self.offering.add(column_item(name, kinds[0]), 0)

    @staticmethod
    def _has_window(outer: Sequence[Word | Group]) -> bool:
        return any(item.key == "window" for item in outer)

    def _window(self) -> None:
        if not self.before:
            self.keywords(places.OVER, near=0)
        elif self.prev in {"by", ","}:
            self.expression(operand=True)
        elif self.prev in {"partition", "order"}:
            self.keywords(("BY",))
        else:
            self.keywords((*places.FRAME, "DESC", "NULLS LAST", *places.OVER))

    def _insert_value(self, outer: Sequence[Word | Group]) -> None:
        level = self.outline.levels[0]
        if self.prev not in {"", ","} or level.verb not in {"insert", "merge"}:
            return
        self.keywords(("DEFAULT",), near=8)
        number = sum(item.key == "," for item in self.before)
        target = self._target()
        lists = [item for item in outer if isinstance(item, Group)]
        names = [name for name, _ in target]
        if lists and self.key(-1, outer) == "values":
            names = [item.name for item in lists[-1].items if item.name]
        elif lists:
            first = next((n for n, item in enumerate(outer) if item.key == "values"), 0)
            given = [item for item in outer[:first] if isinstance(item, Group)]
            names = [item.name for item in given[-1].items if item.name] if given else names
        if number < len(names):
            kind = dict(target).get(names[number], "")
            self._labels_of(kind)

    # -- queries

    def _in_query(self) -> None:
        branch = self._branch()
        clause = self._clause(branch)
        level = self.outline.levels[0] if self.outline.levels else None
        verb = level.verb if level is not None else ""
        prev = self.prev
        two = f"{self.key(-2)} {prev}"
        if self._after_with(branch):
            return
        if self._wants_relation(clause, verb, branch):
            self._joinable()
            if prev in {"from", "join", ",", "using"}:
                self.keywords(("LATERAL", "ONLY", "ROWS FROM ("), near=12)
            if prev == "into" and verb == "select":
                self.keywords(("TABLE", "TEMPORARY TABLE"))
            return
        if prev == "as":
            return  # a new name
        if (prev == "set" and clause == "set") or (
            clause == "set" and prev == "," and verb in {"update", "merge", "insert"}
        ):
            self.columns_of(self._target())
            return
        if prev == "of" and clause == "for":
            self.sources()
            return
        if (
            prev in places.BEHIND
            and prev not in {"set", "default", "if", "begin", "do", "show"}
            and not self._in_case(branch)
        ):
            self.keywords(places.BEHIND.get(two, places.BEHIND[prev]))
            return
        if two in places.BEHIND:
            self.keywords(places.BEHIND[two])
            return
        if prev in {"conflict"} or (clause == "conflict" and prev in {"", "nothing"}):
            self.keywords(places.AFTER["conflict"] if prev != "nothing" else places.AFTER["row"])
            return
        if clause == "from" or (clause in {"update", "delete", "using", "into", "merge"} and self._is_operand()):
            self.after_relation(clause, verb)
            return
        self._in_expression(clause, branch)

    def after_relation(self, clause: str = "from", verb: str = "select") -> None:
        """Offer what can follow a relation."""
        if clause in {"update", "delete", "into", "merge"} or (clause == "using" and verb in {"delete", "merge"}):
            follows = "merge" if verb == "merge" and clause == "into" else clause
            self.keywords(("ON",) if verb == "merge" and clause == "using" else places.AFTER[follows])
            return
        branch = self._branch()
        at = max((n for n, item in enumerate(branch) if item.key in {"join", "from", ","}), default=-1)
        if at >= 0 and branch[at].key == "join" and self.key(at - 1 - len(branch), branch) not in {"cross", "natural"}:
            self.keywords(("ON", "USING ("), near=0)
        self.keywords(places.JOINS, near=5)
        self.keywords(("WHERE", "RETURNING") if verb in {"update", "delete"} else places.AFTER["from"])

    def _branch(self) -> Sequence[Word | Group]:
        start = max(
            (n + 1 for n, item in enumerate(self.before) if item.key in {"union", "intersect", "except"}), default=0
        )
        return self.before[start:]

    def _clause(self, items: Sequence[Word | Group]) -> str:
        """Return the clause that the end of *items* lies in."""
        clause = ""
        for at, item in enumerate(items):
            key = item.key
            if key not in _CLAUSES:
                continue
            if key == "from" and at and items[at - 1].key == "distinct":
                continue
            if key == "from" and clause == "delete":
                continue
            if key in {"when", "then"} and self._in_case(items[:at]):
                continue
            if key == "update" and (clause in {"for", "then"} or (at and items[at - 1].key in {"do", "key", "for"})):
                continue
            if key == "set" and clause in {"where", "from"}:
                continue
            if key == "on" and at and items[at - 1].key == "distinct":
                continue
            clause = {"join": "from", "insert": "into"}.get(key, key)
        return clause

    @staticmethod
    def _in_case(items: Sequence[Word | Group]) -> bool:
        keys = [item.key for item in items]
        return keys.count("case") > keys.count("end")

    def _after_with(self, branch: Sequence[Word | Group]) -> bool:
        """Offer what follows the queries in WITH; return whether the caret is there."""
        if not any(item.key == "with" for item in branch) or self._clause(branch):
            return False
        if self.prev == "with":
            self.keywords(("RECURSIVE",))
        elif self.prev == "as":
            self.keywords(("MATERIALIZED (", "NOT MATERIALIZED ("))
        elif branch and isinstance(branch[-1], Group):
            is_body = self.key(-2, branch) in {"as", "materialized"}
            self.keywords(places.AFTER_WITH if is_body else ("AS (",))
        elif self.prev not in {",", "recursive"}:
            self.keywords(("AS (",))
        return True

    def _wants_relation(self, clause: str, verb: str, branch: Sequence[Word | Group]) -> bool:
        prev = self.prev
        if prev == "from":
            return clause in {"from", "delete"}
        if prev in {",", "lateral"}:
            return clause == "from" or (clause == "using" and verb in {"delete", "merge"})
        if prev in {"join", "into", "only"}:
            return True
        if prev == "table":
            return len(branch) == 1
        if prev == "using":
            return verb in {"delete", "merge"}
        return (prev == "update" and clause == "update" and len(branch) == 1) or (
            prev == "update" and verb == "update" and self.key(-2) in {"", "analyze", "explain"} and clause == "update"
        )

    def _is_operand(self) -> bool:
        """Whether what stands before the caret is a value, or a name, behind which something goes on."""
        if not self.before:
            return False
        last = self.before[-1]
        if isinstance(last, Group):
            return True
        if last.kind in {NAME, QUOTED, STRING, NUMBER, PARAMETER}:
            return True
        if last.key == "*":
            return len(self.before) == 1 or self.key(-2) in {"select", ",", ".", "distinct", "all", "returning"}
        if last.kind == KEYWORD:
            return last.key in _VALUE_KEYWORDS or (last.key not in _BEFORE_OPERAND and last.key not in _CLAUSES)
        return False

    def _in_expression(self, clause: str, branch: Sequence[Word | Group], *, distinct: bool = False) -> None:
        level = self.outline.levels[0] if self.outline.levels else None
        verb = level.verb if level is not None else ""
        if self._is_operand():
            self._behind_operand(clause, branch, verb)
            return
        prev = self.prev
        if prev in _COMPARISONS or prev == "in":
            names = chain_before(self.before, len(self.before) - 1)
            self.labels(names)
            if prev == "=":
                self.linked_columns(names)
            self.keywords(places.COMPARED, near=12)
        if prev == "from" and self.key(-2) == "distinct":
            self.labels(chain_before(self.before, len(self.before) - (4 if self.key(-3) == "not" else 3)))
        if clause in {"when", "then"} and verb == "merge" and not self._in_case(branch):
            self.keywords(places.AFTER[clause], near=0)
            if prev not in {"and", "or", "not"}:
                return
        if clause == "on" and prev in {"on", "and", "or"} and level is not None:
            self.join_conditions(level)
        if prev in {"select"} or (distinct and not prev):
            self.keywords(("DISTINCT", "ALL"), near=10)
        if clause == "for":
            self.keywords(places.AFTER["for"])
            return
        if clause in {"limit", "offset", "fetch"} and prev == clause:
            self.keywords(("ALL",) if clause == "limit" else ())
            return
        if self._in_case(branch):
            self.keywords(places.IN_CASE, near=6)
        lists_all = (clause == "select" and prev in {"select", ",", "distinct", "all"}) or (
            clause == "returning" and prev in {"returning", ","}
        )
        self.expression(operand=True, lists_all=lists_all)
        if clause in {"order", "group"} and level is not None:
            self._output_names(level)

    def _output_names(self, level: Level) -> None:
        """Offer the names that the select list gives, which ORDER BY and GROUP BY know."""
        if self.place.qualifiers:
            return
        known = {name for source in level.sources for name, _ in self.outline.columns(source, level.scope)}
        for name, kind in self.outline.outputs(level.items, level.scope.outer or level.scope):
            if name not in known and name != UNNAMED:
                self.offering.add(column_item(name, kind or "named in SELECT"), 0)

    def _behind_operand(self, clause: str, branch: Sequence[Word | Group], verb: str) -> None:
        """Offer what can follow a value."""
        if clause == "set" and self.key(-2) in {"set", ","} and not self.place.qualifiers:
            return  # a column, behind which only = can stand
        if self._in_case(branch):
            self.keywords(places.IN_CASE, near=0)
        last = self.before[-1]
        if clause not in {"limit", "offset", "values", "conflict", "for", "fetch"}:
            if isinstance(last, Group) and len(self.before) > 1 and self.before[-2].name:
                self.keywords(("OVER (", "FILTER (WHERE", "WITHIN GROUP (ORDER BY"), near=10)
            self.keywords(places.OPERATORS)
        if self._in_case(branch):
            return
        if clause == "order":
            self.keywords(places.AFTER["order"][:4], near=0)
        if clause == "on" and verb == "merge":
            self.keywords(places.AFTER["merge_on"], near=0)
            return
        if clause == "on":
            self.keywords(places.JOINS)
        if clause in {"", "group"} and len(self.place.path) > 1 and not self.group.is_query:
            self.keywords(("ORDER BY", "ASC", "DESC") if self._outer_key() else ())
            return
        found = places.AFTER.get(clause, ())
        if verb in {"update", "delete", "insert"} and clause in {"where", "set", "from", "using"}:
            found = tuple(each for each in places.AFTER["set"] if each != "FROM" or clause == "set")
            if clause == "where":
                found = ("RETURNING",)
        self.keywords(found, near=10 if clause not in {"values", "into", "select"} else 8)
        if verb == "insert" and clause in {"select", "from", "where", "on", "values", "order"}:
            self.keywords(("ON CONFLICT", "RETURNING"))


__all__ = ["MOST", "Item", "Kind", "Offer", "complete", "warm"]
