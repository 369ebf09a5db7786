"""What completion offers, and in which order: how it fits what is typed, how often it was taken, how near it is."""

import heapq
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pgexplorer.db.catalog import SYSTEM, Catalog, Function, Table, quoted
from pgexplorer.db.completion import keywords as places
from pgexplorer.db.keywords import COLUMN_NAME, RESERVED, TYPE_OR_FUNCTION

MOST = 200  # items of one offer


class Kind(StrEnum):
    """What an item is. Their order ranks items that are alike otherwise."""

    LABEL = "label"  # of an enum
    JOIN = "join"  # a condition, or a table with its condition
    ALL = "all"  # what * stands for
    COLUMN = "column"
    CTE = "query"
    TABLE = "table"
    VIEW = "view"
    SEQUENCE = "sequence"
    ALIAS = "alias"
    FUNCTION = "function"
    TYPE = "type"
    SCHEMA = "schema"
    ROLE = "role"
    DATABASE = "database"
    KEYWORD = "keyword"


_RANKS = {kind: number for number, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that could come next."""

    text: str  # what is shown, and matched with what is typed
    kind: Kind
    detail: str = ""
    insert: str = ""  # what is put in, where that is not the text
    name: str = ""

    @property
    def key(self) -> str:
        """The name under which its uses are counted."""
        return self.name or f"{self.kind}:{self.text}"


# An item with its text in small letters and its nearness.
Kept = tuple[str, Item, int]
_NUL = "\0"  # which no name holds


class Stock:
    """Many items of a catalog, the likeliest first, in which a text is found without a look at each."""

    def __init__(self, found: Iterable[Kept]) -> None:
        self._kept = sorted(found, key=lambda each: (each[2], each[0]))
        self._starts: list[int] = []
        self._places = {each[1].key: number for number, each in enumerate(self._kept)}
        at = 0
        for text, _, _ in self._kept:
            self._starts.append(at)
            at += len(text) + 1
        self._whole = _NUL + _NUL.join(text for text, _, _ in self._kept)

    def __getitem__(self, number: int) -> Kept:
        return self._kept[number]

    def fitting(self, typed: str) -> Iterator[tuple[int, int]]:
        """Yield what fits *typed*, in small letters: how, as `Offering.fit` says, and the number; the best first."""
        if not typed:
            yield from ((0, number) for number in range(len(self._kept)))
            return
        seen: set[int] = set()
        for fit, found in enumerate((self._find(_NUL + typed), self._words(typed), self._loosely(typed))):
            for place in found:
                number = bisect_right(self._starts, place) - 1
                if number not in seen:
                    seen.add(number)
                    yield fit, number

    def used(self, uses: Mapping[str, int]) -> Iterator[int]:
        """Yield the numbers of the items that *uses* counts."""
        for key in uses:
            if (number := self._places.get(key)) is not None:
                yield number

    def _find(self, text: str) -> Iterator[int]:
        at = self._whole.find(text)
        while at >= 0:
            yield at
            at = self._whole.find(text, at + 1)

    def _words(self, typed: str) -> Iterator[int]:
        return (at - 1 for at in heapq.merge(*(self._find(mark + typed) for mark in _MARKS)))

    def _loosely(self, typed: str) -> Iterator[int]:
        inside = (at - 1 for at in self._find(typed))
        if len(typed) < 2:
            return inside
        letters = [re.escape(each) for each in typed]
        pattern = _NUL + letters[0] + "".join(f"[^\\x00{each}]*+{each}" for each in letters[1:])
        return heapq.merge(inside, (found.start() for found in re.finditer(pattern, self._whole)))


_MARKS = "_ ."  # behind which a word begins


class Offering:
    """Collects what fits *typed*."""

    def __init__(self, typed: str, uses: Mapping[str, int]) -> None:
        self._typed = typed.casefold()
        self._marks = tuple(f"{mark}{self._typed}" for mark in _MARKS)
        self._uses = uses
        self._found: list[tuple[int, int, int, int, int, Item]] = []
        self._keys: set[tuple[str, str]] = set()
        self._left_out = 0

    def fit(self, text: str) -> int:
        """Return how *text*, in small letters, fits: 0 it begins so, 1 a word in it does, 2 loosely, -1 not at all."""
        typed = self._typed
        if text.startswith(typed):
            return 0
        if any(mark in text for mark in self._marks):
            return 1
        if len(typed) < 2 or typed[0] != text[:1]:
            return 2 if typed in text else -1
        at = 0
        for letter in typed:
            at = text.find(letter, at) + 1
            if not at:
                return -1
        return 2

    def add(self, item: Item, near: int) -> None:
        """Take *item* if it fits. The smaller *near*, the likelier it is meant."""
        fit = self.fit(item.text.casefold())
        key = (item.text, item.insert)
        loose = fit == 2 and item.kind is Kind.KEYWORD  # `union` is not what `on` begins
        if fit < 0 or loose or key in self._keys:
            return
        self._keys.add(key)
        self._put(fit, item, near)

    def add_all(self, stock: Stock) -> None:
        """Take what fits of *stock*: the likeliest, and those that were taken before."""
        taken: set[int] = set()
        rooms = [MOST, MOST, MOST]
        for fit, number in stock.fitting(self._typed):
            if not rooms[fit]:
                self._left_out += 1
                break
            rooms[fit] -= 1
            taken.add(number)
            _, item, near = stock[number]
            self._put(fit, item, near)
        for number in stock.used(self._uses):
            text, item, near = stock[number]
            if number not in taken and (fit := self.fit(text)) >= 0:
                self._put(fit, item, near)

    def _put(self, fit: int, item: Item, near: int) -> None:
        uses = self._uses.get(item.key, 0)
        self._found.append((fit, -uses, near, _RANKS[item.kind], len(self._found), item))

    def best(self) -> tuple[list[Item], bool]:
        """Return the likeliest first, and whether that is all that fits."""
        self._found.sort()
        whole = not self._left_out and len(self._found) <= MOST
        return [found[-1] for found in self._found[:MOST]], whole


# -- what a catalog offers, made once

_SYSTEM_FAR = 7
_WORDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table", "S": "sequence"}
_KINDS = {"v": Kind.VIEW, "m": Kind.VIEW, "S": Kind.SEQUENCE}


def tables(catalog: Catalog, letters: str, schema: str = "") -> Stock:
    """Return the relations of the kinds in *letters*: those of *schema*, else all, qualified where that is needed."""

    def make() -> Iterable[Kept]:
        for table in catalog.tables:
            if table.kind in letters and (not schema or table.schema == schema):
                yield _kept(_table_item(catalog, table, bare=bool(schema)), table.schema, catalog)

    return _once(catalog, f"tables {letters} {schema}", make)


def functions(catalog: Catalog, letters: str, schema: str = "") -> Stock:
    """Return the functions of the kinds in *letters*, as `tables` does.

    "set" stands for those that return rows, "trigger" for those of triggers, "own" for those that are not the system's.
    """

    def make() -> Iterable[Kept]:
        for function in catalog.functions:
            if letters == "set":
                fits = function.returns_set and function.kind == "f"
            elif letters == "own":
                fits = function.kind != "p" and function.schema not in SYSTEM
            elif letters == "trigger":
                fits = function.result == "trigger"
            else:
                fits = function.kind in letters and not function.result.endswith("trigger")
            if not fits or (schema and function.schema != schema):
                continue
            if function.schema == "pg_catalog" and function.name in _CASTS:
                continue
            item = function_item(catalog, function, bare=bool(schema))
            yield item.text.casefold(), item, 4 if function.schema not in SYSTEM else 6 + ("." in item.text)

    return _once(catalog, f"functions {letters} {schema}", make)


def types(catalog: Catalog, schema: str = "", *, own: bool = False) -> Stock:
    """Return the types, each as a person writes it and as the server does."""

    def make() -> Iterable[Kept]:
        seen: set[str] = set()
        if not schema and not own:
            for number, text in enumerate(places.TYPES):
                seen.add(text)
                yield text, Item(text, Kind.TYPE), 1 + number // 100
        for each in catalog.types:
            if (schema and each.schema != schema) or (own and each.schema in SYSTEM):
                continue
            detail = {"e": "enum", "d": "domain", "c": "row", "r": "range", "m": "multirange"}.get(each.kind, "")
            near = 0 if each.schema not in SYSTEM else 3 if each.kind != "p" else 5
            found = [(each.name, quoted(each.name))] if schema else [(each.written.replace('"', ""), each.written)]
            if not schema and each.schema == "pg_catalog" and quoted(each.name) == each.name != each.written:
                found.append((each.name, each.name))
                detail = detail or each.written
            for text, insert in found:
                if text not in seen:
                    seen.add(text)
                    yield text.casefold(), Item(text, Kind.TYPE, detail, insert if insert != text else ""), near

    return _once(catalog, f"types {schema} {own}", make)


def function_item(catalog: Catalog, function: Function, *, bare: bool = False) -> Item:
    """Return what offers *function*: its name, and a parenthesis."""
    bare = bare or catalog.is_bare(function)
    name = quoted(function.name, bare=_CALLED if function.schema == "pg_catalog" else TYPE_OR_FUNCTION)
    said = name if bare else f"{quoted(function.schema)}.{name}"
    text = function.name if bare else f"{function.schema}.{function.name}"
    insert = f"{said}()" if function.takes_none else f"{said}("
    return Item(text, Kind.FUNCTION, function.signature, insert)


# Functions that the grammar calls by itself, and names of types, which are called for a cast alone.
_CALLED = TYPE_OR_FUNCTION | {"overlay", "position", "substring", "normalize", "xmlexists"}
_CASTS = (COLUMN_NAME | RESERVED) - _CALLED


def _table_item(catalog: Catalog, table: Table, *, bare: bool) -> Item:
    bare = bare or catalog.is_bare(table)
    text = table.name if bare else f"{table.schema}.{table.name}"
    insert = quoted(table.name) if bare else f"{quoted(table.schema)}.{quoted(table.name)}"
    kind = _KINDS.get(table.kind, Kind.TABLE)
    name = f"table:{table.schema}.{table.name}"
    return Item(text, kind, _WORDS[table.kind], insert if insert != text else "", name)


def _kept(item: Item, schema: str, catalog: Catalog) -> Kept:
    near = _SYSTEM_FAR if schema in SYSTEM else 1 if schema in catalog.path else 2
    return item.text.casefold(), item, near


def warm(catalog: Catalog) -> None:
    """Make what is asked for most, which takes longer than everything after it."""
    tables(catalog, "rpvmf")
    functions(catalog, "faw")
    functions(catalog, "set")


def _once(catalog: Catalog, name: str, make: Callable[[], Iterable[Kept]]) -> Stock:
    found: Stock | None = catalog.kept.get(name)
    if found is None:
        found = catalog.kept[name] = Stock(make())
    return found
