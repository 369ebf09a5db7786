"""Rows of a result, wherever they lie: counted while they come, read by place, closed by whoever shows them."""

import threading
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Protocol

from pgexplorer.db.values import Column, Row, human_bytes


class State(Enum):
    """Whether all rows of a result are here."""

    MORE = "more"  # they still come
    COMPLETE = "complete"
    CUT = "cut"  # there are, or may be, more than are here: `why` says what ended it


class Clipped(str):
    """The beginning of a cell that is longer than what was asked for."""

    size: int  # bytes of the whole cell in UTF-8
    is_exact: bool  # whether the size is counted, not reckoned

    def __new__(cls, text: str, size: int, *, is_exact: bool = True) -> "Clipped":
        """Take the beginning and the size of the whole."""
        clipped = super().__new__(cls, text)
        clipped.size, clipped.is_exact = size, is_exact
        return clipped

    @property
    def mark(self) -> str:
        """How large the whole cell is, as it stands behind its beginning: "57.2 MB"."""
        return f"{'' if self.is_exact else '≈ '}{human_bytes(self.size)}"


class Rows(Protocol):
    """A result of any size. Everything but `window` costs nothing; all may be called from any thread."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns; there may be none."""
        ...

    @property
    def known(self) -> int:
        """How many rows are here. Grows until `state` is another than MORE, never shrinks."""
        ...

    @property
    def size(self) -> int:
        """How many bytes they take where they lie."""
        ...

    @property
    def state(self) -> State:
        """Whether all are here."""
        ...

    @property
    def why(self) -> str:
        """What ended a CUT result, in words; else empty."""
        ...

    def window(self, first: int, count: int, longest: int | None = None) -> list[Row]:
        """Return at most *count* rows from the 0-based row *first* on; fewer, or none, where they are not here.

        A cell is the server's text, None for NULL. With *longest*, one of more characters comes as Clipped. Blocks
        for a read of a file at most. Raises OSError when that fails; after close() there are no rows.
        """
        ...

    def close(self) -> None:
        """Give back what the rows take. Twice is fine. May take a moment for a large file."""
        ...


class ListRows:
    """Rows in memory, for a page of a table."""

    def __init__(self, columns: Sequence[Column] = ()) -> None:
        self.columns = tuple(columns)
        self.state = State.MORE
        self.why = ""
        self.size = 0
        self._rows: list[Row] = []
        self._changing = threading.Lock()

    @property
    def known(self) -> int:
        """How many rows are here."""
        return len(self._rows)

    def append(self, rows: Sequence[Row]) -> None:
        """Take further rows."""
        with self._changing:
            self._rows += rows

    def window(self, first: int, count: int, longest: int | None = None) -> list[Row]:
        """Return at most *count* rows from *first* on."""
        if first < 0 or count <= 0:
            return []
        rows = self._rows[first : first + count]
        return rows if longest is None else [_clipped(row, longest) for row in rows]

    def close(self) -> None:
        """Forget the rows."""
        with self._changing:
            self._rows = []


def _clipped(row: Row, longest: int) -> Row:
    if all(cell is None or len(cell) <= longest for cell in row):
        return row
    return tuple(cell if cell is None or len(cell) <= longest else clip(cell, longest) for cell in row)


_PICKED_AT_ONCE = 500  # rows
_PICKED_BYTES = 8 << 20  # about, of rows that are read at once


class RowsGone(Exception):
    """Rows that were here are not to be had any more."""


class Picked:
    """Some rows and columns of a result, read a few at a time by whoever goes through them, as often as he likes."""

    def __init__(self, rows: Rows, ranges: Sequence[tuple[int, int]], columns: Sequence[int] | None = None) -> None:
        """Take the rows of each of *ranges*, its first and the one behind its last, and *columns*, or all."""
        self._rows = rows
        self._ranges = tuple(ranges)
        self._at = tuple(range(len(rows.columns)) if columns is None else columns)
        self.columns = tuple(rows.columns[at] for at in self._at)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return sum(end - begin for begin, end in self._ranges)

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows. Raises RowsGone when they were closed meanwhile, OSError when a read fails."""
        rows, whole = self._rows, self._at == tuple(range(len(self._rows.columns)))
        wide = rows.size // max(1, rows.known)
        step = max(1, min(_PICKED_AT_ONCE, _PICKED_BYTES // max(1, wide)))
        for begin, end in self._ranges:
            for first in range(begin, end, step):
                count = min(step, end - first)
                found = rows.window(first, count)
                if len(found) != count:
                    raise RowsGone(f"Row {first + len(found) + 1:,} is not here any more: the result was closed.")
                yield from found if whole else (tuple(row[at] for at in self._at) for row in found)


_COUNTED = 100_000  # characters up to which the bytes of a cell are counted; beyond, they are reckoned from samples
_SAMPLES = 16


def clip(cell: str, longest: int) -> Clipped:
    """Return the first *longest* characters of *cell* with the size of the whole."""
    if cell.isascii():
        return Clipped(cell[:longest], len(cell))
    if len(cell) <= _COUNTED:
        return Clipped(cell[:longest], len(cell.encode("utf-8", "surrogatepass")))
    # Encoding megabytes of other scripts takes longer than a frame.
    part = _COUNTED // _SAMPLES
    step = (len(cell) - part) / (_SAMPLES - 1)
    samples = (cell[round(at * step) : round(at * step) + part] for at in range(_SAMPLES))
    taken = sum(len(sample.encode("utf-8", "surrogatepass")) for sample in samples)
    return Clipped(cell[:longest], round(taken * len(cell) / (part * _SAMPLES)), is_exact=False)
