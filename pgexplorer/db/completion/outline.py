"""SQL as nested parts, however unfinished: which relations a place in it can see, and what their columns are called.

Nothing here is a grammar. Parentheses make groups, a few keywords say where the names of relations stand, and what is
missing or left over is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pgexplorer.db.catalog import Catalog
from pgexplorer.db.completion.outline_parts import (
    CARET,
    DEEPEST,
    NO_ALIAS,
    VERBS,
    Group,
    Item,
    Word,
    branch,
    branches,
    chain,
    holds,
    holds_caret,
    is_alias,
    is_is,
    pieces,
    place_of,
    select_list,
    verb,
)
from pgexplorer.db.keywords import words
from pgexplorer.db.tokens import QUOTED

Columns = list[tuple[str, str]]  # each its name and its type, "" where that is not known
UNNAMED = "?column?"  # what the server calls a column that has no name

_JOINS = words("join left right full inner outer cross natural lateral only")
_ENDS_FROM = words(
    """
    where group having window order limit offset fetch for union intersect except set returning when select values
    do
    """
)


@dataclass(eq=False, slots=True)
class Source:
    """A relation as a query names it."""

    alias: str  # what columns are qualified with
    names: tuple[str, ...] = ()  # the name as it is written; () for a subquery
    group: Group | None = None  # the subquery, or the arguments of a function
    is_function: bool = False
    is_lateral: bool = False
    renamed: tuple[str, ...] = ()  # by a list of columns behind the alias
    types: tuple[str, ...] = ()  # of those
    is_aside: bool = False  # excluded, old, new: never meant by a bare column
    columns_: Columns | None = None
    is_bound: bool = True  # whether there is an alias: otherwise schema.name qualifies as well


@dataclass(eq=False, slots=True)
class Cte:
    """A query in WITH."""

    name: str
    renamed: tuple[str, ...]
    group: Group
    scope: Scope  # in which it is read
    is_busy: bool = False


@dataclass(eq=False)
class Scope:
    """The queries of the WITH clauses that can be seen."""

    outer: Scope | None = None
    ctes: dict[str, Cte] = field(default_factory=dict[str, Cte])

    def find(self, name: str) -> Cte | None:
        """Return the nearest one of that *name*."""
        return self.ctes.get(name) or (self.outer.find(name) if self.outer is not None else None)

    def all(self) -> Iterator[Cte]:
        """Yield them, the nearest first."""
        yield from self.ctes.values()
        if self.outer is not None:
            yield from self.outer.all()


@dataclass(eq=False)
class Level:
    """One query around the caret, with what it reads from."""

    group: Group
    items: Sequence[Item]  # of the branch that holds the caret
    sources: list[Source]
    scope: Scope
    is_join: bool = False  # no query, but joins in parentheses

    @cached_property
    def verb(self) -> str:
        """Its first word."""
        return verb(self.items)


class Outline:
    """A statement at whose caret something is wanted."""

    def __init__(self, catalog: Catalog, path: Sequence[Group]) -> None:
        self._catalog = catalog
        self.path = path
        self.levels: list[Level] = []  # the innermost query first
        self._depth = 0
        scope = Scope()
        visible: list[Level] = []
        in_join = False
        for number, group in enumerate(path):
            inner = path[number + 1] if number + 1 < len(path) else None
            is_query = number == 0 or group.is_query or holds(group.items, "select")
            if not is_query and not in_join:
                continue
            scope = self._with(group, scope, inner)
            items = branch(group.items)
            sources = self._list(items) if in_join else self.sources(items)
            level = Level(group, items, sources, scope, in_join)
            in_join = False
            if inner is not None:
                before, lateral, in_join = _seen_within(level, inner)
                if not lateral:
                    level = Level(group, items, [], scope)
                elif before is not None:
                    level = Level(group, items, before, scope)
            visible.insert(0, level)
        self.levels = visible
        self.scope = scope

    # -- what a query reads from

    def sources(self, items: Sequence[Item]) -> list[Source]:
        """Return the relations that one query without its set operations reads or writes."""
        first = verb(items)
        found: list[Source] = []
        if first == "insert":
            return self._insert(items)
        if first in {"update", "merge", "delete"}:
            wanted = {"update": "update", "merge": "into", "delete": "from"}[first]
            at = place_of(items, wanted)
            if at >= 0:
                at = self._source(items, at + 1, found, is_target=True)
                more = place_of(items, "from" if first == "update" else "using", at)
                if more >= 0:
                    self._from(items, more + 1, found)
            if (returned := place_of(items, "returning")) >= 0 and found and holds_caret(items[returned:]):
                found += [_aside(found[0], "old"), _aside(found[0], "new")]
            return found
        if first == "table":
            self._source(items, place_of(items, "table") + 1, found)
            return found
        if first not in {"select", ""}:
            return found
        for at, item in enumerate(items):
            if item.key == "from" and not (at and items[at - 1].key == "distinct" and is_is(items, at - 2)):
                self._from(items, at + 1, found)
                break
        return found

    def _insert(self, items: Sequence[Item]) -> list[Source]:
        found: list[Source] = []
        at = place_of(items, "into")
        if at < 0:
            return found
        at = self._source(items, at + 1, found, is_target=True)
        query = next((n for n in range(at, len(items)) if items[n].key in {"select", "table", "with"}), len(items))
        end = next((n for n in range(at, len(items)) if items[n].key == "returning"), len(items))
        end = next((n for n in range(at, end) if items[n].key == "conflict"), end)
        if query < end and holds_caret(items[query:end]):
            inner: list[Source] = []
            part = branch(items[query:end])
            if (start := place_of(part, "from")) >= 0:
                self._from(part, start + 1, inner)
            return inner
        if found and holds(items, "conflict"):
            found.append(_aside(found[0], "excluded"))
        if found and holds(items, "returning"):
            found += [_aside(found[0], "old"), _aside(found[0], "new")]
        return found

    def _list(self, items: Sequence[Item]) -> list[Source]:
        found: list[Source] = []
        self._from(items, 0, found)
        return found

    def _from(self, items: Sequence[Item], at: int, found: list[Source]) -> None:
        """Read a FROM list from *at* on."""
        expects = True
        while at < len(items):
            item = items[at]
            key = item.key
            if key in _ENDS_FROM and not (key == "for" and expects):
                return
            if key in _JOINS:
                expects = expects or key == "join"
                at += 1
            elif key == ",":
                expects = True
                at += 1
            elif expects:
                at = max(self._source(items, at, found), at + 1)
                expects = False
            else:
                at += 1

    def _source(self, items: Sequence[Item], at: int, found: list[Source], *, is_target: bool = False) -> int:
        """Read one relation from *at* on, with its alias; return where the next thing begins."""
        lateral = at > 0 and items[at - 1].key == "lateral"
        while at < len(items) and items[at].key in {"only", "lateral"}:
            lateral = lateral or items[at].key == "lateral"
            at += 1
        if at >= len(items):
            return at
        item = items[at]
        source = Source("", is_lateral=lateral)
        if isinstance(item, Group):
            at += 1
            if item.is_query or not any(
                isinstance(each, Word) and (each.name or each.kind == CARET) for each in item.items
            ):
                source.group = item
            else:  # joins in parentheses
                inner = self._list(item.items)
                here = self._alias(items, at, source)
                if here == at or not source.alias:
                    found += inner
                    return here
                source.columns_ = [column for each in inner for column in self.columns(each, Scope())]
                found.append(source)
                return here
        elif item.key == "rows" and at + 2 < len(items) and isinstance(items[at + 2], Group):
            source.is_function, source.group = True, None
            at += 3
        else:
            names, at = chain(items, at)
            if not names:
                if item.kind != CARET:
                    return at
                at += 1
                if at < len(items) and items[at].key == ".":
                    at += 2
            source.names = names
            following = items[at] if at < len(items) else None
            if isinstance(following, Group) and following.opener == "(" and names and not is_target:
                source.is_function, source.group = True, following
                at += 1
            elif following is not None and following.key == "*":
                at += 1
        if at + 1 < len(items) and items[at].key == "with" and items[at + 1].key == "ordinality":
            at += 2
        at = self._alias(items, at, source, has_list=not is_target)
        if not source.alias and source.names:
            source.alias, source.is_bound = source.names[-1], False
        found.append(source)
        return at

    def _alias(self, items: Sequence[Item], at: int, source: Source, *, has_list: bool = True) -> int:
        said = at < len(items) and items[at].key == "as"
        if said:
            at += 1
        if at < len(items) and isinstance(items[at], Word):
            word = items[at]
            if word.kind == QUOTED or (word.name and (said or word.key not in NO_ALIAS)):
                source.alias = word.name
                at += 1
        if not has_list:
            return at
        if at < len(items) and isinstance(group := items[at], Group) and (source.alias or said) and group.opener == "(":
            parts = pieces(group.items)
            source.renamed = tuple(part[0].name for part in parts if part)
            source.types = tuple(" ".join(w.text for w in part[1:] if isinstance(w, Word)) for part in parts if part)
            at += 1
        return at

    def joined(self, level: Level) -> list[Source]:
        """Return the relations up to the one that is being joined at the caret."""
        at = next(n for n, item in enumerate(level.items) if holds_caret([item]))
        before = level.items[:at]
        return level.sources[: len(self._list(before) if level.is_join else self.sources(before))]

    # -- WITH

    def _with(self, group: Group, outer: Scope, inner: Group | None) -> Scope:
        """Return what can be seen in *group*, or in *inner*, which lies in it."""
        scope = Scope(outer)
        items = group.items
        for at, item in enumerate(items):
            if item.key == "with":
                self._ctes(items, at + 1, scope, inner)
                if scope.ctes:
                    break
        return scope

    def _ctes(self, items: Sequence[Item], at: int, scope: Scope, inner: Group | None) -> None:
        recursive = at < len(items) and items[at].key == "recursive"
        at += recursive
        while at < len(items) and (name := items[at].name):
            at += 1
            renamed: tuple[str, ...] = ()
            if at < len(items) and isinstance(group := items[at], Group):
                renamed = tuple(part[0].name for part in pieces(group.items) if part)
                at += 1
            if at >= len(items) or items[at].key != "as":
                return
            at += 1
            while at < len(items) and items[at].key in {"not", "materialized"}:
                at += 1
            if at >= len(items) or not isinstance(group := items[at], Group):
                return
            seen = Scope(scope.outer, dict(scope.ctes))
            cte = Cte(name, renamed, group, seen)
            if recursive:
                seen.ctes[name] = cte
            if group is inner:  # what comes later is not seen in it
                if recursive:
                    scope.ctes[name] = cte
                return
            scope.ctes[name] = cte
            at += 1
            while at < len(items) and items[at].key not in {",", *VERBS}:
                at += 1  # SEARCH and CYCLE
            if at >= len(items) or items[at].key != ",":
                return
            at += 1

    # -- columns

    def columns(self, source: Source, scope: Scope) -> Columns:
        """Return the columns of *source*, as far as they can be known."""
        if source.columns_ is None:
            found = self._columns(source, scope)
            if source.renamed:
                types = source.types if any(source.types) else ()
                names = source.renamed
                if source.is_function and types:
                    found = list(zip(names, types, strict=True))
                else:
                    kinds = [kind for _, kind in found] or [""] * len(names)
                    found = [
                        (names[n] if n < len(names) else column, kind)
                        for n, (column, kind) in enumerate(found or zip(names, kinds, strict=False))
                    ]
            source.columns_ = [column for column in found if column[0] != UNNAMED]
        return source.columns_

    def _columns(self, source: Source, scope: Scope) -> Columns:
        if source.group is not None and not source.is_function:
            return self.outputs(source.group.items, scope)
        if not source.names:
            return []
        if source.is_function:
            function = self._catalog.function(source.names)
            if function is None:
                return []
            found = self._catalog.columns(function)
            return found or [(source.alias or function.name, function.result.removeprefix("SETOF "))]
        if len(source.names) == 1 and (cte := scope.find(source.names[0])) is not None:
            return self.cte_columns(cte)
        table = self._catalog.table(source.names)
        return table.columns if table is not None else []

    def cte_columns(self, cte: Cte) -> Columns:
        """Return the columns of a query in WITH."""
        if cte.is_busy:  # it reads itself
            return [(name, "") for name in cte.renamed]
        cte.is_busy = True
        try:
            found = self.outputs(cte.group.items, cte.scope)
        finally:
            cte.is_busy = False
        names = cte.renamed
        if not found:
            return [(name, "") for name in names]
        return [(names[n] if n < len(names) else name, kind) for n, (name, kind) in enumerate(found)]

    def outputs(self, items: Sequence[Item], scope: Scope) -> Columns:
        """Return the columns of the rows that a query returns; of its first branch, as the server names them."""
        if self._depth > DEEPEST:
            return []
        self._depth += 1
        try:
            return self._outputs(items, scope)
        finally:
            self._depth -= 1

    def _outputs(self, items: Sequence[Item], scope: Scope) -> Columns:
        inner = Scope(scope)
        for at, item in enumerate(items):
            if item.key == "with":
                self._ctes(items, at + 1, inner, None)
                if inner.ctes:
                    break
        items = next(branches(items))
        first = verb(items)
        if not first and items and isinstance(items[0], Group):
            return self.outputs(items[0].items, inner)
        at = place_of(items, "select" if first == "select" else "returning")
        if first == "values":
            row = next((each for each in items if isinstance(each, Group)), None)
            count = len(pieces(row.items)) if row is not None else 0
            return [(f"column{n}", "") for n in range(1, count + 1)]
        if at < 0 and first != "table":
            return []
        sources = self.sources(items)
        if first == "table":
            return [column for source in sources for column in self.columns(source, inner)]
        found: Columns = []
        for piece in pieces(select_list(items, at + 1)):
            found += self._piece(piece, sources, inner)
        return found

    def _piece(self, piece: Sequence[Item], sources: list[Source], scope: Scope) -> Columns:
        """Return the columns that one term of a select list makes."""
        if not piece:
            return []
        last = piece[-1]
        if last.key == "*" and len(piece) == 1:
            return [c for source in sources if not source.is_aside for c in self.columns(source, scope)]
        if last.key == "*" and len(piece) >= 3 and piece[-2].key == ".":
            alias = piece[-3].name
            return next((self.columns(each, scope) for each in sources if each.alias == alias), list[tuple[str, str]]())
        names, end = chain(piece, 0)
        kind = ""
        if names:
            kind = self._type_of(names, sources, scope) if end == len(piece) or piece[end].key == "as" else ""
        if len(piece) > 1 and isinstance(last, Word) and last.name and is_alias(piece):
            bare = end == len(piece) - 1 and names
            return [(last.name, self._type_of(names, sources, scope) if bare else kind)]
        if names and end == len(piece):
            return [(names[-1], kind)]
        if names and piece[end].key == "::":
            return [(names[-1], " ".join(each.text for each in piece[end + 1 :] if isinstance(each, Word)))]
        if names and isinstance(piece[end], Group):
            function = self._catalog.function(names)
            return [(names[-1], function.result if function is not None and not function.more else "")]
        if piece[0].key == "case":
            return [("case", "")]
        return [(UNNAMED, "")]

    def _type_of(self, names: tuple[str, ...], sources: list[Source], scope: Scope) -> str:
        for source in sources:
            if names[:-1] and source.alias != names[:-1][-1]:
                continue
            for name, kind in self.columns(source, scope):
                if name == names[-1]:
                    return kind
        return ""


def _aside(source: Source, alias: str) -> Source:
    return Source(alias, source.names, is_aside=True)


def _seen_within(level: Level, inner: Group) -> tuple[list[Source] | None, bool, bool]:
    """Return what of a query is seen in a group of it: the sources, or None for all; whether any; whether it joins."""
    for number, source in enumerate(level.sources):
        if source.group is inner:
            return level.sources[:number], source.is_function or source.is_lateral, False
    at = next((n for n, item in enumerate(level.items) if item is inner), -1)
    before = level.items[at - 1].key if at > 0 else ""
    if at > 0 and (before in {"from", "join"} or before == ",") and not inner.is_query:
        start = place_of(level.items, "from")
        ended = next((n for n in range(start + 1, at) if level.items[n].key in _ENDS_FROM), at)
        if 0 <= start < at and ended == at:  # joins in parentheses
            return [], False, True
    in_with = before in {"as", "materialized"} and not verb(level.items[:at]) and holds(level.items[:at], "with")
    return None, not in_with, False
