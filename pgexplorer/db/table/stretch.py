"""The part of a table that is in memory: rows that follow one another, at a place that may only be known about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pgexplorer.db.rows import State
from pgexplorer.db.table.pages import Page, Place, Read, To
from pgexplorer.db.values import Column, Row

MOST_ROWS = 40_000_000  # in a view: its height is counted in 2^31 pixels, and a row may be 50 high
_KEPT = 20  # pages
_NEAR = 2  # pages beyond the stretch up to which it is read on, and not jumped
_AHEAD = 0.5  # of a page, that is read before it is in sight


class Missing(str):
    """A cell that was not read yet."""

    __slots__ = ()


_MISSING = Missing("…")


@dataclass(frozen=True, slots=True)
class Shift:
    """What a page changes in the numbering of the rows: a view inserts and removes so many."""

    top: int = 0  # rows that come in before the first; negative: that go
    end: int = 0  # the same behind the last, after that


class Stretch:
    """A table as a view has it: a number of rows, of which a stretch is here and moves with who looks.

    Rows are numbered from 0. Until the stretch has met the table's beginning or a counted place, its numbers are
    about right only; when it meets an end, they are put right, and the view is told how. Not for several threads.
    """

    def __init__(self, columns: Sequence[Column] = (), estimate: int = 0, page_size: int = 1) -> None:
        self.columns = tuple(columns)
        self.state = State.MORE
        self.why = ""
        self.begin = 0  # the number of the first row that is here
        self.is_exact = True  # whether the numbers of the rows that are here are right
        self.is_counted = False  # whether `known` is
        self._rows: list[Row] = []
        self._places: list[Place] = []
        self._known = min(estimate, MOST_ROWS)
        self._true = estimate  # about how many rows the table has, which may be more than a view can show
        self._lead = 0  # rows before the first that the view shows, where it cannot show all
        self._size = max(1, page_size)
        self._at_start = self._at_end = False
        self._blank: Row = (_MISSING,) * len(self.columns)

    # -- Rows

    @property
    def known(self) -> int:
        """How many rows the view has."""
        return self._known

    @property
    def size(self) -> int:
        """How many bytes the rows take in a file: none."""
        return 0

    def window(self, first: int, count: int, longest: int | None = None) -> list[Row]:
        """Return at most *count* rows from *first* on; those that were not read are rows of Missing."""
        del longest  # a page's cells are cut already
        end = min(self._known, first + count)
        if first < 0 or first >= end:
            return []
        stop = self.begin + len(self._rows)
        low, high = min(max(first, self.begin), end), max(min(end, stop), first)
        if low >= high:
            return [self._blank] * (end - first)
        here = self._rows[low - self.begin : high - self.begin]
        return [self._blank] * (low - first) + here + [self._blank] * (end - high)

    def close(self) -> None:
        """Forget the rows."""
        self._rows, self._places = [], []

    # -- what is known

    @property
    def end(self) -> int:
        """The number behind the last row that is here."""
        return self.begin + len(self._rows)

    @property
    def estimate(self) -> int:
        """About how many rows the table has; exactly so many with `is_counted`."""
        return self._true

    def number(self, row: int) -> int:
        """Return which row of the table the view's *row* is, from 0."""
        return row + self._lead

    def place(self, row: int) -> Place | None:
        """Return where the view's *row* is in the table; None where it is not here."""
        at = row - self.begin
        if not 0 <= at < len(self._places):
            return None
        place = self._places[at]
        return place.now or place

    def places(self, row: int, count: int) -> list[Place]:
        """Return where *count* rows from the view's *row* on are in the table, as far as they are here."""
        at = row - self.begin
        return [place.now or place for place in self._places[at : at + count]]

    def here(self) -> Iterator[tuple[int, Place]]:
        """Yield the rows that are here, and where they are in the table."""
        for row, place in enumerate(self._places, self.begin):
            yield row, place.now or place

    # -- rows changed here

    def replace(self, row: int, cells: Row, place: Place) -> None:
        """Take what the view's *row* has become. What is read on from it is still found where it was."""
        at = row - self.begin
        self._rows[at] = cells
        before = self._places[at]
        moved = before.copy()
        moved.now = place
        self._places[at] = moved

    def remove(self, row: int) -> None:
        """Let the view's *row* go, which is not in the table any more."""
        at = row - self.begin
        del self._rows[at], self._places[at]
        self._true -= 1
        self._known -= 1

    # -- reading on

    def wanted(self, first: int, last: int) -> Read | None:
        """Return the page to read so that the rows *first* to *last* can be shown; None when they are here.

        What lies near the stretch is read on from it, and so is what will be in sight soon.
        """
        last = min(last, self._known - 1)
        if (self._at_start and self._at_end) or (last < first and self._rows):
            return None
        ahead, near = int(self._size * _AHEAD), self._size * _NEAR
        if not self._rows or first > self.end + near or last < self.begin - near:
            return self._jump(first, last)
        before, after = Read(To.BEFORE, self._places[0]), Read(To.AFTER, self._places[-1])
        if first < self.begin and not self._at_start:
            return before
        if last + ahead >= self.end and not self._at_end:
            return after
        return before if first - ahead < self.begin and not self._at_start else None

    def following(self) -> Read | None:
        """Return the page that follows the rows that are here; None where none does."""
        return Read(To.AFTER, self._places[-1]) if self._rows and not self._at_end else None

    def _jump(self, first: int, last: int) -> Read:
        if first < self._size:
            return Read(To.FIRST)
        if last >= self._known - max(1, self._size // 2):
            return Read(To.LAST)
        row = max(0, first - self._size // 4)
        # A view that cannot show all rows shows them in proportion.
        share = row / max(1, self._known)
        return Read(To.NEAR, row=round(share * self._true), of=self._true)

    def take(self, read: Read, page: Page) -> Shift:
        """Take the page that was read, and return what it changes in the numbers of the rows."""
        match read.to:
            case To.AFTER:
                self._rows += page.rows
                self._places += page.places
                self._at_end = page.at_end
            case To.BEFORE:
                self._rows[:0] = page.rows
                self._places[:0] = page.places
                self.begin -= len(page.rows)
                self._at_start = page.at_start
            case _:
                self._place(read, page)
        shift = self._settle()
        self._forget(read.to)
        return shift

    def _place(self, read: Read, page: Page) -> None:
        """Begin a new stretch where the page was looked for, which is where the view looks."""
        rows = len(page.rows)
        self._rows, self._places = list(page.rows), list(page.places)
        self._at_start, self._at_end = page.at_start, page.at_end
        self.is_exact = page.row is not None
        if page.row is not None:
            number = page.row
        elif read.to in {To.NEAR, To.FROM}:
            number = read.row
        else:
            number = max(0, self._true - rows)
        if not self.is_counted:
            self._true = max(self._true, number + rows)
        if self._true <= MOST_ROWS:
            self.begin = number
        elif page.at_end and read.to not in {To.NEAR, To.FROM}:
            self.begin = MOST_ROWS - rows
        else:
            self.begin = min(round(number / self._true * MOST_ROWS), MOST_ROWS - rows)
        self._lead = number - self.begin

    def _settle(self) -> Shift:
        """Put the numbers right where an end was met."""
        before, top = self._known, 0
        if self._at_start:
            top, self.begin, self._lead, self.is_exact = -self.begin, 0, 0, True
        elif self._at_end and self.is_counted and not self.is_exact:
            top = self._true - self._lead - self.end
            self.begin, self.is_exact = self.begin + top, True
        elif self.begin <= 0:  # more rows come before than were thought
            top = self._size - self.begin
            self.begin, self.is_exact = self.begin + top, False
        if self._at_end and (self.is_exact or not self.is_counted):
            self._true, self.is_counted = self.end + self._lead, self.is_exact
        elif not self.is_counted:
            more = self._size if self.end >= before + top else 0
            self._true = max(self._true + top, self.end + self._lead + more)
        self._fit()
        return Shift(top, self._known - before - top)

    def _fit(self) -> None:
        """Give the view as many rows as there are, and at least those that are here."""
        self._known = self.end if self._at_end else min(MOST_ROWS, max(self._true - self._lead, self.end + 1))

    def count(self, rows: int) -> Shift:
        """Take the counted number of rows, and return what it changes."""
        before, top = self._known, 0
        if not (self._at_end and self.is_exact):
            self._true = rows
        self.is_counted = True
        if self._at_end and not self.is_exact:
            top = self._true - self._lead - self.end
            self.begin, self.is_exact = self.begin + top, True
        self._fit()
        return Shift(top, self._known - before - top)

    def _forget(self, to: To) -> None:
        """Let go of what is far from where it was read last."""
        extra = len(self._rows) - _KEPT * self._size
        if extra <= 0:
            return
        if to is To.BEFORE:
            del self._rows[-extra:], self._places[-extra:]
            self._at_end = False
        else:
            del self._rows[:extra], self._places[:extra]
            self.begin += extra
            self._at_start = False
