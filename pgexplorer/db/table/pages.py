"""Pages of a table: by its key under any order, or by its blocks on the disk; each is a handful of statements."""

import contextlib
import math
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import NamedTuple

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, cursor
from typing_extensions import override

from pgexplorer.db.cancel import Running
from pgexplorer.db.encoding import exact, recoded, sent
from pgexplorer.db.rows import Clipped
from pgexplorer.db.schema import Relation, table_name
from pgexplorer.db.table.access import Access, Way, Width
from pgexplorer.db.table.ordering import Order, Sort, Term, quoted, raw
from pgexplorer.db.values import Row

PAGE = 500  # rows, fewer where there are many columns
LONGEST = 1_000  # characters of a cell in a page; a longer one is Clipped
_CELLS, _FEWEST = 10_000, 50
_SKIPPED = 20_000  # rows up to which a place is found by counting: exact, and quick by an index
_STEP = 200_000  # rows counted between two pieces of news
_PARTS = 64  # of a table's blocks, counted one after the other
_WIDER = 4  # by how much a range of blocks grows when it held too little
_EXACT = "SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL extra_float_digits = 3"
_AS_SHOWN = "ROLLBACK TO SAVEPOINT as_shown; RELEASE SAVEPOINT as_shown"
_MODIFIER = re.compile(r"\(\d+(,-?\d+)?\)")


class Version(NamedTuple):
    """Which version of a row was read, and where it lies."""

    table: str  # the oid of the relation that holds it, which may be a partition
    ctid: str
    xmin: str  # the transaction that wrote it: another one, and the row was changed


class Place(tuple[str | None, ...]):
    """Where a row is: its values of an order, or its place on the disk; beside that, which version of it was there."""

    _marks: Row = ()
    now: "Place | None" = None  # where the row is since it was changed here; the place itself says what is read on from

    def __new__(cls, values: Row, marks: Row = ()) -> "Place":
        """Make one of *values*, by which it is compared, and of *marks*, the cells of VERSION, not looked at yet."""
        made = super().__new__(cls, values)
        made._marks = marks
        return made

    def copy(self) -> "Place":
        """Return the same place, which may be told where the row is now."""
        return Place(self, self._marks)

    @property
    def version(self) -> Version | None:
        """Which version of the row was read there; None where rows do not tell."""
        return Version(*(cell or "" for cell in self._marks)) if self._marks else None


class To(Enum):
    """Which page is read."""

    FIRST = "first"
    LAST = "last"
    AFTER = "after"  # a row
    BEFORE = "before"  # a row
    FROM = "from"  # a row, which is the first of the page
    NEAR = "near"  # a row's number, reached at once by what the planner knows
    AT = "at"  # a row's number, counted


@dataclass(frozen=True, slots=True)
class Read:
    """A page that is wanted."""

    to: To
    place: Row = ()  # of AFTER, BEFORE and FROM
    row: int = 0  # 0-based, of NEAR and AT; of FROM, where it is known about
    of: int = 0  # about how many rows there are, of NEAR
    is_counted: bool = False  # whether the number is right, of FROM


@dataclass(frozen=True, slots=True)
class Counting:
    """How far a count is."""

    rows: int
    share: float | None = None  # 0 to 1, where the whole is known


@dataclass(frozen=True, slots=True)
class Page:
    """Rows that follow one another."""

    rows: list[Row]
    places: list[Place]  # where each of them is: its key, or its place on the disk
    at_start: bool  # nothing comes before them
    at_end: bool  # nothing comes after them
    row: int | None = None  # the number of the first, where it was counted


@dataclass(slots=True)
class Session:
    """A connection while a page is read from it."""

    conn: connection
    rows: cursor
    running: Running
    is_ascii: bool

    def ask(self, text: sql.Composable | str) -> list[Row]:
        """Send one statement and return its rows."""
        words = text if isinstance(text, str) else text.as_string(self.conn)
        words = self.running.tag + words
        self.rows.execute(sent(self.conn, words) if self.is_ascii else words)
        return self.rows.fetchall() if self.rows.description else []

    @contextlib.contextmanager
    def exactly(self, wanted: bool) -> Generator[None]:
        """With *wanted*, have values written so that they can be read back whatever the session's settings are."""
        if not wanted:
            yield
            return
        self.ask(f"SAVEPOINT as_shown; {_EXACT}")
        yield
        self.ask(_AS_SHOWN)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows of which relation, in which order."""

    relation: Relation
    access: Access
    sorts: tuple[Sort, ...]
    where: tuple[sql.Composable, ...]
    is_whole: bool = False  # whether cells are read whole, however long
    # What the planner knows of columns by their names, asked once for all pages that are read under this scope.
    statistics: dict[str, list[Row]] = field(default_factory=dict[str, list[Row]])

    @property
    def page_size(self) -> int:
        """How many rows a page has at most."""
        return max(_FEWEST, min(PAGE, _CELLS // max(1, len(self.access.columns))))

    def rows(self, shown: Sequence[sql.Composable], *where: sql.Composable) -> sql.Composable:
        """Return the SELECT of *shown* from the rows that are also under *where*."""
        query = raw("SELECT ") + sql.SQL(", ").join(shown)
        query += sql.SQL(" FROM {} AS t").format(table_name(self.relation))
        if found := [*self.where, *where]:
            query += raw(" WHERE ") + raw(" AND ").join(found)
        return query


class Reader:
    """What reading by a key and by blocks have in common."""

    def __init__(self, scope: Scope, on: Session) -> None:
        self._scope = scope
        self._on = on
        self._access = scope.access
        self._size = scope.page_size
        self._names = [sql.Identifier("t", column.name) for column in self._access.columns]

    def read(self, wanted: Read) -> Iterator[Counting | Page]:
        """Yield how far a count is, and the page. Raises psycopg2.Error."""
        raise NotImplementedError

    def _select(
        self, shown: Sequence[sql.Composable], by: sql.Composable, limit: int, *where: sql.Composable, skip: int = 0
    ) -> sql.Composable:
        query = self._scope.rows(shown, *where) + raw(" ORDER BY ") + by + raw(f" LIMIT {limit}")
        return query + raw(f" OFFSET {skip}") if skip else query

    def _cells(self) -> list[sql.Composable]:
        """Return the columns as they are shown: no more of a long value than a little over what the grid shows."""
        if self._scope.is_whole:
            return list(self._names)
        return beginnings(self._access)

    def _stretch(
        self,
        places: Sequence[sql.Composable],
        by: sql.Composable,
        limit: int,
        where: Sequence[sql.Composable],
        skip: int = 0,
    ) -> tuple[list[Row], list[Place]]:
        """Read at most *limit* rows under *where*, and where each of them is."""
        on, access = self._on, self._access
        cells, width = self._cells(), len(self._names)
        kept = [name + raw("::text") for name in places]
        marks = VERSION if access.has_versions else ()
        found = on.ask(self._select([*cells, *kept, *marks], by, limit, *where, skip=skip))
        rows, at = [row[:width] for row in found], [row[width : width + len(kept)] for row in found]
        versions = [row[width + len(kept) :] for row in found]
        if not access.is_lossless and found:
            # The rows are the same: it is the same snapshot. Only the text of their keys is another.
            with on.exactly(True):
                at = on.ask(self._select(kept, by, limit, *where, skip=skip))
        long = [
            column
            for column in ([] if self._scope.is_whole else long_columns(access))
            if max(map(len, [row[column] or "" for row in rows]), default=0) > LONGEST
        ]
        sizes: list[Row] = []
        if long:
            asked = [_SIZES[access.widths[column]](self._names[column]) for column in long]
            sizes = on.ask(self._select(asked, by, limit, *where, skip=skip))
        if on.is_ascii:
            rows = [tuple(None if cell is None else recoded(cell) for cell in row) for row in rows]
            at = [tuple(None if cell is None else exact(cell) for cell in row) for row in at]
        for row, size in enumerate(sizes):
            rows[row] = _clipped(rows[row], long, size)
        return rows, list(map(Place, at, versions))


class ByKey(Reader):
    """Pages by a key, under any order that an index serves or that is quick to sort."""

    def __init__(self, scope: Scope, on: Session) -> None:
        super().__init__(scope, on)
        self._order = self._access.order(scope.sorts)

    @override
    def read(self, wanted: Read) -> Iterator[Counting | Page]:
        match wanted.to:
            case To.FIRST:
                yield self._forwards([None], at_start=True, row=0)
            case To.LAST:
                yield self._backwards([None], at_end=True)
            case To.AFTER:
                yield self._forwards(self._order.after(wanted.place))
            case To.BEFORE:
                yield self._backwards(self._order.reversed().after(wanted.place))
            case To.FROM:
                here = [self._order.at(wanted.place), *self._order.after(wanted.place)]
                yield self._forwards(here, row=wanted.row if wanted.is_counted else None)
            case To.NEAR:
                yield from self._near(wanted)
            case To.AT:
                yield from self._at(wanted.row)

    def _forwards(
        self,
        branches: Sequence[sql.Composable | None],
        *,
        at_start: bool = False,
        row: int | None = None,
        skip: int = 0,
    ) -> Page:
        rows, places = self._along(self._order, branches, skip)
        more = len(rows) > self._size
        return Page(rows[: self._size], places[: self._size], at_start, not more, row)

    def _backwards(self, branches: Sequence[sql.Composable | None], *, at_end: bool = False) -> Page:
        rows, places = self._along(self._order.reversed(), branches)
        more = len(rows) > self._size
        return Page(rows[: self._size][::-1], places[: self._size][::-1], not more, at_end)

    def _along(
        self, order: Order, branches: Sequence[sql.Composable | None], skip: int = 0
    ) -> tuple[list[Row], list[Place]]:
        """Read a page and one row more, from one stretch of the order after the other."""
        rows: list[Row] = []
        places: list[Place] = []
        names = [term.name for term in order.terms]
        for branch in branches:
            left = self._size + 1 - len(rows)
            more, at = self._stretch(names, order.by(), left, [branch] if branch is not None else [], skip)
            rows += more
            places += at
            if len(rows) > self._size:
                break
            skip = 0
        return rows, places

    def _near(self, wanted: Read) -> Iterator[Counting | Page]:
        """Go to about where the row is: by counting where it is near, else by the planner's histogram."""
        if wanted.row <= _SKIPPED:
            yield self._skipped(wanted.row)
            return
        found = self._percentile(wanted.row / max(1, wanted.of, wanted.row), wanted.of)
        if found is None:
            yield from self._at(wanted.row)
            return
        branches, skip = found
        page = self._forwards(branches, skip=skip)
        if not page.rows:  # the estimate was beyond the end
            page = self._backwards([None], at_end=True)
        yield page

    def _skipped(self, row: int) -> Page:
        page = self._forwards([None], at_start=row == 0, row=row, skip=row)
        return page if page.rows or not row else self._backwards([None], at_end=True)

    def _at(self, row: int) -> Iterator[Counting | Page]:
        """Count to the row, by steps that tell how far it is."""
        branches: list[sql.Composable | None] = [None]
        at, names = 0, [term.name for term in self._order.terms]
        kept = [name + raw("::text") for name in names]
        while row - at > _STEP:
            place = self._place(kept, branches, _STEP - 1)
            if place is None:
                yield self._backwards([None], at_end=True)
                return
            branches = list(self._order.after(place))
            at += _STEP
            yield Counting(at, at / row)
        rows, places = self._after_skipping(branches, row - at)
        more = len(rows) > self._size
        if rows:
            yield Page(rows[: self._size], places[: self._size], row == 0, not more, row)
        else:
            yield self._backwards([None], at_end=True)

    def _place(self, kept: Sequence[sql.Composable], branches: list[sql.Composable | None], skip: int) -> Row | None:
        """Return the place of the row after *skip* others, counted over the stretches."""
        for branch in branches:
            where = [branch] if branch is not None else []
            with self._on.exactly(not self._access.is_lossless):
                found = self._on.ask(self._select(kept, self._order.by(), 1, *where, skip=skip))
            if found:
                [place] = found
                return tuple(None if cell is None else exact(cell) for cell in place) if self._on.is_ascii else place
            skip -= self._length(where)
        return None

    def _after_skipping(self, branches: list[sql.Composable | None], skip: int) -> tuple[list[Row], list[Place]]:
        for at, branch in enumerate(branches):
            where = [branch] if branch is not None else []
            is_last = at == len(branches) - 1
            length = skip if is_last else self._length(where, skip)
            if length >= skip:
                rows, places = self._along(self._order, [branch], skip)
                if len(rows) <= self._size:
                    more, there = self._along(self._order, branches[at + 1 :])
                    rows, places = rows + more, places + there
                return rows, places
            skip -= length
        return [], []

    def _length(self, where: Sequence[sql.Composable], most: int | None = None) -> int:
        """Count the rows of a stretch, up to *most* where that is enough."""
        inner = self._scope.rows([], *where)
        if most is not None:
            inner += raw(f" LIMIT {most}")
        [[count]] = self._on.ask(raw("SELECT count(*) FROM (") + inner + raw(") AS s"))
        return int(count or 0)

    def _percentile(self, share: float, of: int, level: int = 0) -> tuple[Sequence[sql.Composable], int] | None:
        """Return the stretches that begin where *share* of the rows lie before, and how many more to skip.

        From the planner's statistics of a column: its most common values and the bounds of a histogram. Where many
        rows have one value, those of the next column say where among them. None where there are no statistics.
        """
        term = self._order.terms[level]
        parts = self._parts(term)
        if not parts:
            return None
        sign = raw(" <= " if term.descending else " >= ")
        last = [term.name + raw(" IS NULL")] if term.nullable and not term.descending else []
        before = 0.0
        for at, part in enumerate(parts):
            if before + part.weight <= share and at < len(parts) - 1:
                before += part.weight
                continue
            inside = min(1.0, max(0.0, (share - before) / part.weight)) if part.weight > 0 else 0.0
            if part.begin is not None and not part.is_one:
                between = _between(term, part.begin, part.end, inside)
                start = between if between is not None else term.value(part.begin)
                return [term.name + sign + raw("(") + start + raw(")"), *last], 0
            among = int(part.weight * of)
            if among > _SKIPPED and level + 1 < len(self._order.terms):
                inner = self._percentile(inside, among, level + 1)
                if inner is not None:
                    same = term.same(part.begin) + raw(" AND ")
                    return [*(same + each for each in inner[0]), *term.beyond(part.begin)], inner[1]
            skip = min(_SKIPPED, int(inside * among))
            if part.begin is None:
                return [term.name + raw(" IS NULL"), *term.beyond(None)], skip
            return [term.name + sign + term.value(part.begin), *last], skip
        return None

    def _parts(self, term: Term) -> list["_Part"]:
        """Return what the planner knows of a column's values, in the order in which they are read."""
        steps = self._steps(term)
        if not steps:
            return []
        parts: list[_Part] = []
        bounds = [at for at, (_, _, kind, _) in enumerate(steps) if kind == "bound"]
        following = dict(pairwise(bounds))
        for at, (value, weight, kind, _) in enumerate(steps):
            if kind == "common":
                parts.append(_Part(value, value, float(weight or 0), True))
            elif at in following:
                parts.append(_Part(value, steps[following[at]][0], float(weight or 0), False))
        nulls = float(steps[0][3] or 0)
        if nulls and term.nullable:
            parts.append(_Part(None, None, nulls, True))
        return [part.reversed() for part in reversed(parts)] if term.descending else parts

    def _steps(self, term: Term) -> list[Row]:
        """Return the planner's statistics of a column: asked once, where another session would read them alike."""
        known = self._scope.statistics
        if term.column in known:
            return known[term.column]
        found = self._ask_steps(term)
        if self._access.is_lossless:
            known[term.column] = found
        return found

    def _ask_steps(self, term: Term) -> list[Row]:
        query = sql.SQL(_STATISTICS).format(
            type=raw(_bare(term.type_name)), oid=raw(str(self._access.oid)), name=quoted(term.column)
        )
        self._on.ask("SAVEPOINT statistics")
        try:
            return self._on.ask(query)
        except psycopg2.Error:  # a type of which no array can be made; without them it is counted
            self._on.ask("ROLLBACK TO SAVEPOINT statistics")
            return []


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a column's values, in the order in which they are read."""

    begin: str | None  # None for NULL
    end: str | None
    weight: float  # the share of the rows, 0 to 1
    is_one: bool  # one value; else what lies between two

    def reversed(self) -> "_Part":
        return _Part(self.end, self.begin, self.weight, self.is_one)


def _between(term: Term, begin: str, end: str | None, share: float) -> sql.Composable | None:
    """Return the value *share* of the way between two, for numbers and times; None for other types."""
    if end is None or any("inf" in each.lower() or each == "NaN" for each in (begin, end)):
        return None
    bare = _bare(term.type_name)
    a, b, part = term.value(begin), term.value(end), raw(f" * {share:.6f})")
    if bare in {"smallint", "integer", "bigint", "numeric"}:
        a, b = quoted(begin) + raw("::numeric"), quoted(end) + raw("::numeric")
        return raw("(") + a + raw(" + (") + b + raw(" - ") + a + raw(")") + part + raw(f"::{bare}")
    if bare in {"real", "double precision"} or bare.startswith("timestamp"):
        return a + raw(" + ((") + b + raw(" - ") + a + raw(")") + part
    if bare == "date":
        return a + raw(" + ((") + b + raw(" - ") + a + raw(")") + part + raw("::int")
    return None


class ByBlocks(Reader):
    """Pages by their place on the disk, for a table without a key: in no order but the one they lie in."""

    _CTID = raw("t.ctid")

    @override
    def read(self, wanted: Read) -> Iterator[Counting | Page]:
        self._blocks = count_blocks(self._on, self._access)
        match wanted.to:
            case To.FIRST:
                yield self._forwards((0, 0), at_start=True, row=0)
            case To.LAST:
                yield self._backwards(None, at_end=True)
            case To.AFTER:
                block, line = block_and_line(wanted.place)
                yield self._forwards((block, line + 1))
            case To.BEFORE:
                yield self._backwards(block_and_line(wanted.place))
            case To.FROM:
                row = wanted.row if wanted.is_counted else None
                yield self._forwards(block_and_line(wanted.place), row=row)
            case To.NEAR:
                block = int(wanted.row / max(1, wanted.of) * self._blocks)
                page = self._forwards((min(block, max(0, self._blocks - 1)), 0), at_start=block == 0)
                yield page if page.rows else self._backwards(None, at_end=True)
            case To.AT:
                yield from self._at(wanted.row)

    @property
    def _step(self) -> int:
        """How many blocks probably hold a page."""
        rows = max(1.0, self._access.rows)
        return max(1, min(self._blocks or 1, math.ceil((self._size + 1) * max(1, self._blocks) / rows)))

    def _range(self, low: tuple[int, int] | None, high: tuple[int, int] | None) -> list[sql.Composable]:
        found: list[sql.Composable] = []
        if low is not None:
            found.append(raw(f"t.ctid >= '({low[0]},{low[1]})'::tid"))
        if high is not None:
            found.append(raw(f"t.ctid < '({high[0]},{high[1]})'::tid"))
        return found

    def _forwards(self, low: tuple[int, int], *, at_start: bool = False, row: int | None = None, skip: int = 0) -> Page:
        rows: list[Row] = []
        places: list[Place] = []
        step = self._step
        while True:
            end = low[0] + step
            is_last = end >= self._blocks
            where = self._range(low, None if is_last else (end, 0))
            more, at = self._stretch([self._CTID], self._CTID, self._size + 1 - len(rows), where, skip)
            rows += more
            places += at
            if len(rows) > self._size or is_last:
                break
            low, step, skip = (end, 0), step * _WIDER, 0
        more_follow = len(rows) > self._size
        return Page(rows[: self._size], places[: self._size], at_start, not more_follow, row)

    def _backwards(self, high: tuple[int, int] | None, *, at_end: bool = False) -> Page:
        rows: list[Row] = []
        places: list[Place] = []
        step = self._step
        down = self._CTID + raw(" DESC")
        while True:
            begin = max(0, (high[0] if high is not None else self._blocks) - step)
            where = self._range((begin, 0), high)
            more, at = self._stretch([self._CTID], down, self._size + 1 - len(rows), where)
            rows += more
            places += at
            if len(rows) > self._size or begin == 0:
                break
            high, step = (begin, 0), step * _WIDER
        more_precede = len(rows) > self._size
        return Page(rows[: self._size][::-1], places[: self._size][::-1], not more_precede, at_end)

    def _at(self, row: int) -> Iterator[Counting | Page]:
        """Count to the row, one part of the blocks after the other."""
        step = max(self._step, self._blocks // _PARTS)
        at, begin = 0, 0
        while True:
            is_last = begin + step >= self._blocks
            if is_last:
                break
            where = self._range((begin, 0), (begin + step, 0))
            [[count]] = self._on.ask(self._scope.rows([raw("count(*)")], *where))
            if at + int(count or 0) > row:
                break
            at += int(count or 0)
            begin += step
            yield Counting(at, begin / max(1, self._blocks))
        page = self._counted(begin, row - at, row)
        yield page if page.rows else self._backwards(None, at_end=True)

    def _counted(self, begin: int, skip: int, row: int) -> Page:
        """Read the page that begins *skip* rows after the block *begin*."""
        rows, places = self._stretch([self._CTID], self._CTID, self._size + 1, self._range((begin, 0), None), skip)
        return Page(rows[: self._size], places[: self._size], row == 0, len(rows) <= self._size, row)


# The column's values in their order, with the share of the rows at each. Between two bounds of the histogram lie
# equal shares of what is not among the most common values.
_STATISTICS = """
WITH s AS (
    SELECT coalesce(null_frac, 0) AS nulls,
           most_common_vals::text::{type}[] AS common, most_common_freqs AS shares,
           histogram_bounds::text::{type}[] AS bounds
      FROM pg_stats p JOIN pg_class c ON c.relname = p.tablename
      JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = p.schemaname
     WHERE c.oid = {oid} AND p.attname = {name}
     ORDER BY p.inherited DESC LIMIT 1
)
SELECT v::text, w, kind, nulls FROM (
    SELECT v, w::float8, 'common' AS kind, nulls FROM s, unnest(common, shares) AS m(v, w)
    UNION ALL
    SELECT v, greatest(0, 1 - nulls - coalesce((SELECT sum(x) FROM unnest(shares) AS x), 0))
              / greatest(1, cardinality(bounds) - 1) * (n < cardinality(bounds))::int, 'bound', nulls
      FROM s, unnest(bounds) WITH ORDINALITY AS b(v, n)
) AS steps
ORDER BY steps.v, kind
"""

_BEGINNINGS: dict[Width, Callable[[sql.Composable], sql.Composable]] = {
    Width.SHORT: lambda name: name,
    Width.TEXT: lambda name: sql.SQL("left({}::text, {})").format(name, raw(str(LONGEST + 1))),
    # Its functions for output differ by a setting, and both write more characters than there are bytes.
    Width.BYTES: lambda name: sql.SQL("substring({} FROM 1 FOR {})").format(name, raw(str(LONGEST + 1))),
    Width.MADE: lambda name: sql.SQL("CASE WHEN {0} IS NOT NULL THEN left(concat({0}), {1}) END").format(
        name, raw(str(LONGEST + 1))
    ),
}
_SIZES: dict[Width, Callable[[sql.Composable], sql.Composable]] = {
    Width.SHORT: lambda _name: raw("0"),
    Width.TEXT: lambda name: sql.SQL("octet_length({}::text)").format(name),
    Width.BYTES: lambda name: sql.SQL("octet_length({})").format(name),
    Width.MADE: lambda name: sql.SQL("octet_length(concat({}))").format(name),
}


# What tells the version of a row.
VERSION: tuple[sql.Composable, ...] = tuple(raw(f"t.{name}::text") for name in ("tableoid", "ctid", "xmin"))


def beginnings(access: Access) -> list[sql.Composable]:
    """Return the columns as they are shown: no more of a long value than a little over what the grid shows."""
    pairs = zip(access.columns, access.widths, strict=True)
    return [_BEGINNINGS[width](sql.Identifier("t", column.name)) for column, width in pairs]


def long_columns(access: Access) -> list[int]:
    """Return the columns whose values may be long."""
    return [column for column, width in enumerate(access.widths) if width is not Width.SHORT]


class OneRow:
    """What is read of one row, so that it can take its place in a page: by a statement that returns it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        access = self._access = scope.access
        self._long = long_columns(access)
        places: list[sql.Composable] = [raw("t.ctid::text")]
        if access.way(scope.sorts) is Way.KEY:
            places = [term.name + raw("::text") for term in access.order(scope.sorts).terms]
        self._places = len(places)
        self.shown = sql.SQL(", ").join([*beginnings(access), *places, *VERSION])

    def take(self, cells: Row, on: Session) -> tuple[Row, Place]:
        """Return the row as a page has it, and where it is. One round trip where a value is long, to be told how."""
        width = len(self._access.columns)
        row = cells[:width]
        place = Place(cells[width : width + self._places], cells[width + self._places :])
        long = [column for column in self._long if (cell := row[column]) is not None and len(cell) > LONGEST]
        if not long and not on.is_ascii:
            return row, place
        sizes = self._sizes(long, place.version, on) if long else ()
        if on.is_ascii:
            row = tuple(None if cell is None else recoded(cell) for cell in row)
            place = Place(tuple(None if cell is None else exact(cell) for cell in place), cells[width + self._places :])
        return _clipped(row, long, sizes), place

    def _sizes(self, long: Sequence[int], version: Version | None, on: Session) -> Row:
        """Ask how many bytes the values of the columns *long* have; where none can tell, say what is known."""
        access, known = self._access, (str(LONGEST + 1),) * len(long)
        if version is None:
            return known
        asked = [_SIZES[access.widths[at]](sql.Identifier("t", access.columns[at].name)) for at in long]
        here = raw(f"t.tableoid = {int(version.table)} AND t.ctid = ") + quoted(version.ctid) + raw("::tid")
        found = on.ask(Scope(self._scope.relation, access, (), ()).rows(asked, here))
        return found[0] if found else known


def _clipped(row: Row, long: Sequence[int], sizes: Row) -> Row:
    """Return *row* with the cells of the columns *long* cut where they are, and told how many bytes they have."""
    cut = list(row)
    for column, count in zip(long, sizes, strict=True):
        cell = cut[column]
        if cell is not None and len(cell) > LONGEST:
            cut[column] = Clipped(cell[:LONGEST], int(count or 0))
    return tuple(cut)


def count_blocks(on: Session, access: Access) -> int:
    """Ask how many blocks a table has now."""
    [[blocks]] = on.ask(f"SELECT pg_relation_size({access.oid}) / current_setting('block_size')::int")
    return int(blocks or 0)


def block_and_line(place: Row) -> tuple[int, int]:
    """Return the block and the line of a row's place on the disk: "(12,7)"."""
    block, _, line = (place[0] or "(0,0)").strip("()").partition(",")
    return int(block), int(line)


def _bare(type_name: str) -> str:
    """Return a type's name without its modifier: "timestamp with time zone" for "timestamp(3) with time zone"."""
    return type_name if '"' in type_name else _MODIFIER.sub("", type_name)
