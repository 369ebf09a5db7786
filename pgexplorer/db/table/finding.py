"""Text looked for in a whole table, at the server: in the order in which it is read, from a row on, around its end."""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg2 import sql
from typing_extensions import override

from pgexplorer.db.encoding import exact
from pgexplorer.db.table.access import Way
from pgexplorer.db.table.ordering import containing, raw
from pgexplorer.db.table.pages import Place, Scope, Session, block_and_line, count_blocks
from pgexplorer.db.values import Row

_TICK = 20_000  # rows between two pieces of news
_BLOCKS = 64  # that are looked through at once, without a key; then twice as many, while that is quick
_QUICK = 0.3  # seconds
_NULL = "null"  # what the grid shows for NULL, which is found like any text
_TEXTS = {25, 1043}
# Types whose texts have no other characters: most columns need not be looked at for most words.
_ALPHABETS = {16: "tf", **dict.fromkeys((20, 21, 23, 26), "-0123456789")}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, in which columns, and from where on."""

    text: str  # in any case, and nothing in it is special
    columns: tuple[str, ...]  # as they stand on the screen
    start: Place | None = None  # the row to begin with; None for the first one, backwards the last one
    begun: int = 0  # columns of that row, in the order of looking, that come last: they were looked at, or are current
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Looked:
    """How many rows were looked at."""

    rows: int


@dataclass(frozen=True, slots=True)
class Match:
    """A cell that holds the text."""

    place: Place
    column: str
    steps: int  # rows from the one begun with to this one; where it began again, from the first or the last one
    is_around: bool  # whether it began again at the other end


Conditions = tuple[sql.Composable, ...]
Found = Generator[Looked, None, tuple[Place, int, int] | None]


class _Part(NamedTuple):
    """Rows that are looked at together, and what of them."""

    where: Conditions
    columns: tuple[str, ...]
    is_around: bool
    is_again: bool = False  # a row that was counted before


class Finder:
    """One search through the rows of *scope*, over a connection in a transaction that only reads."""

    def __init__(self, scope: Scope, on: Session, wanted: Wanted) -> None:
        self._scope = scope
        self._on = on
        self._wanted = wanted
        self._columns = wanted.columns[::-1] if wanted.backwards else wanted.columns
        self._pattern = containing(wanted.text)
        self._looked = 0
        # Upper and lower case are the server's business; a column's own collation may not know them at all.
        utf8 = on.conn.info.server_version >= 170000 and on.conn.info.parameter_status("server_encoding") == "UTF8"
        self._collation = raw(" COLLATE pg_catalog." + ("pg_c_utf8" if utf8 else '"default"'))

    def run(self) -> Iterator[Looked | Match]:
        """Yield how far it is and, where the text is found, the first cell that holds it. Raises psycopg2.Error."""
        steps, is_around = 0, False
        for part in self._parts():
            if part.is_around and not is_around:
                steps, is_around = 0, True
            before = self._looked
            hit = self._hit(part.columns)
            found = (yield from self._search(part.where, hit)) if hit is not None else self._pass_over(part.where)
            if found is not None:
                place, column, inside = found
                yield Match(place, part.columns[column], steps + inside, is_around)
                return
            steps += self._looked - before
            if part.is_again:
                self._looked = before
            yield Looked(self._looked)

    def _parts(self) -> Iterator[_Part]:
        start, begun, columns = self._wanted.start, self._wanted.begun, self._columns
        if start is None:
            for where in self._all():
                yield _Part(where, columns, is_around=False)
            return
        at = (self._at(start),)
        yield _Part(at, columns[begun:], is_around=False)
        for where in self._after(start):
            yield _Part(where, columns, is_around=False)
        for where in self._before(start):
            yield _Part(where, columns, is_around=True)
        if begun:
            yield _Part(at, columns[:begun], is_around=True, is_again=True)

    # What is read is cut into parts, each of which is told by conditions.

    def _all(self) -> Iterable[Conditions]:
        raise NotImplementedError

    def _at(self, start: Place) -> sql.Composable:
        raise NotImplementedError

    def _after(self, start: Place) -> Iterable[Conditions]:
        """Return what is read after the row *start*."""
        raise NotImplementedError

    def _before(self, start: Place) -> Iterable[Conditions]:
        """Return what is read before the row *start*, from the first row on."""
        raise NotImplementedError

    def _search(self, where: Conditions, hit: sql.Composable) -> Found:
        """Look through a part and count its rows; return the place, the column and how many rows came before.

        *hit* is the number of the first column that holds the text.
        """
        raise NotImplementedError

    def _pass_over(self, where: Conditions) -> None:
        """Count the rows of a part in which nothing can hold the text."""
        [[count]] = self._on.ask(self._scope.rows([raw("count(*)")], *where))
        self._looked += int(count or 0)

    def _hit(self, columns: Sequence[str]) -> sql.Composable | None:
        """Return which of *columns* is the first to hold the text, from 0, as an expression; None where none can."""
        access = self._scope.access
        known = {each.name: (each, oid) for each, oid in zip(access.columns, access.type_oids, strict=True)}
        wanted = self._wanted.text.casefold()
        whens: list[sql.Composable] = []
        for at, name in enumerate(columns):
            if name not in known:  # it has gone meanwhile
                continue
            column, oid = known[name]
            conditions: list[sql.Composable] = []
            if set(wanted) <= set(_ALPHABETS.get(oid, wanted)):
                identifier = sql.Identifier("t", name)
                text = identifier if oid in _TEXTS else sql.SQL("concat({})").format(identifier)
                conditions.append(text + self._collation + raw(" ILIKE ") + self._pattern)
            if wanted in _NULL and not column.not_null:
                conditions.append(sql.Identifier("t", name) + raw(" IS NULL"))
            if conditions:
                whens.append(raw("WHEN ") + raw(" OR ").join(conditions) + raw(f" THEN {at}"))
        return raw("CASE ") + raw(" ").join(whens) + raw(" END") if whens else None


class _ByKey(Finder):
    """By a key: one statement for each stretch of the order."""

    def __init__(self, scope: Scope, on: Session, wanted: Wanted) -> None:
        super().__init__(scope, on, wanted)
        order = scope.access.order(scope.sorts)
        self._order = order.reversed() if wanted.backwards else order
        self._kept = [term.name + raw("::text") for term in self._order.terms]

    @override
    def _all(self) -> Iterable[Conditions]:
        return [()]

    @override
    def _at(self, start: Place) -> sql.Composable:
        return self._order.at(start)

    @override
    def _after(self, start: Place) -> Iterable[Conditions]:
        return [(each,) for each in self._order.after(start)]

    @override
    def _before(self, start: Place) -> Iterable[Conditions]:
        return [(each,) for each in reversed(self._order.reversed().after(start))]

    @override
    def _search(self, where: Conditions, hit: sql.Composable) -> Found:
        # The server sends a row when it holds the text, when it is the last, and now and then to tell how far it is.
        # A cursor stops at the first, and has the server prefer a way that brings the first rows soon.
        kept = [each + raw(f" AS k{at}") for at, each in enumerate(self._kept)]
        inner = self._scope.rows([*kept, hit + raw(" AS hit")], *where) + raw(" ORDER BY ") + self._order.by()
        numbered = "SELECT s.*, row_number() OVER () AS n, lead(true) OVER () AS more FROM ("
        shown = ", ".join([*(f"k{at}" for at in range(len(kept))), "hit", "n", "more"])
        self._on.ask(
            raw(f"DECLARE finding NO SCROLL CURSOR FOR SELECT {shown} FROM ({numbered}")
            + inner
            + raw(f") AS s) AS r WHERE hit IS NOT NULL OR more IS NULL OR n % {_TICK} = 0")
        )
        before = self._looked
        found = None
        while rows := self._on.ask("FETCH 1 FROM finding"):
            [(*place, column, number, more)] = rows
            self._looked = before + int(number or 0)
            if column is not None:
                steps = int(number or 1) - 1
                found = self._place(tuple(place), where, steps), int(column), steps
                break
            if more is None:
                break
            yield Looked(self._looked)
        self._on.ask("CLOSE finding")
        return found

    def _place(self, place: Row, where: Conditions, steps: int) -> Place:
        """Return where the row is that comes *steps* after the first under *where*, as it can be read back."""
        if not self._scope.access.is_lossless:
            with self._on.exactly(True):
                query = self._scope.rows(self._kept, *where) + raw(" ORDER BY ") + self._order.by()
                [place] = self._on.ask(query + raw(f" LIMIT 1 OFFSET {steps}"))
        return Place(tuple(None if cell is None else exact(cell) for cell in place) if self._on.is_ascii else place)


class _ByBlocks(Finder):
    """By the blocks on the disk, some of them after the other; of each the first row that holds the text is asked."""

    _CTID = raw("t.ctid")

    @override
    def _all(self) -> Iterable[Conditions]:
        return self._ranges(0, None)

    @override
    def _at(self, start: Place) -> sql.Composable:
        return self._CTID + raw(" = ") + _tid(start)

    @override
    def _after(self, start: Place) -> Iterable[Conditions]:
        return self._beyond(start, backwards=self._wanted.backwards)

    @override
    def _before(self, start: Place) -> Iterable[Conditions]:
        return self._beyond(start, backwards=not self._wanted.backwards)

    def _beyond(self, start: Place, *, backwards: bool) -> Iterator[Conditions]:
        """Yield the blocks on one side of the row *start*, in the order of looking."""
        block, _ = block_and_line(start)
        edge = self._CTID + raw(" < " if backwards else " > ") + _tid(start)
        for part in self._ranges(*((0, block + 1) if backwards else (block, None))):
            yield (edge, *part)

    def _ranges(self, low: int, high: int | None) -> Iterator[Conditions]:
        """Yield the blocks from *low* to the one before *high*, or to the end; parts grow while they are quick."""
        end = last = high if high is not None else max(low, count_blocks(self._on, self._scope.access)) + 1
        step = _BLOCKS
        while low < end:
            begin, stop = (max(low, end - step), end) if self._wanted.backwards else (low, min(end, low + step))
            part = [self._CTID + raw(f" >= '({begin},0)'::tid")]
            if high is not None or stop < last:
                part.append(self._CTID + raw(f" < '({stop},0)'::tid"))
            since = time.monotonic()
            yield tuple(part)
            if time.monotonic() - since < _QUICK:
                step *= 2
            low, end = (low, begin) if self._wanted.backwards else (stop, end)

    @override
    def _search(self, where: Conditions, hit: sql.Composable) -> Found:
        backwards, scope = self._wanted.backwards, self._scope
        first = raw("max" if backwards else "min")
        asked = [raw("count(*)"), sql.SQL("{}(t.ctid) FILTER (WHERE {} IS NOT NULL)").format(first, hit)]
        [[count, tid]] = self._on.ask(scope.rows(asked, *where))
        if tid is None:
            self._looked += int(count or 0)
            return None
        place = Place((tid,))
        passed = self._CTID + raw(" > " if backwards else " < ") + _tid(place)
        [[steps]] = self._on.ask(scope.rows([raw("count(*)")], *where, passed))
        [[column]] = self._on.ask(scope.rows([hit], self._at(place)))
        yield Looked(self._looked)
        return place, int(column or 0), int(steps or 0)


def find(scope: Scope, on: Session, wanted: Wanted) -> Iterator[Looked | Match]:
    """Look for the text in the rows of *scope*, over a connection in a transaction that only reads.

    Yields how far it is and, where the text is found, the first cell that holds it. Raises psycopg2.Error.
    """
    way = scope.access.way(scope.sorts)
    yield from (_ByKey if way is Way.KEY else _ByBlocks)(scope, on, wanted).run()


def _tid(place: Place) -> sql.Composable:
    block, line = block_and_line(place)
    return raw(f"'({block},{line})'::tid")
