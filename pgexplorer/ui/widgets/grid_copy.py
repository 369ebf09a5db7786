"""Copying cells of a table: any number of them, in slices, in the format that the other program wants."""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Protocol

from PySide6.QtCore import QAbstractItemModel, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication

from pgexplorer.ui.widgets.grid_paint import Line, has_lines, lines_of

_SLICE = 0.006  # seconds of work between two turns of the event loop
_BETWEEN_LOOKS = 64  # rows
MOST_LETTERS = 512_000_000  # of a copied text: a clipboard is no export
MOST_OF_A_CELL = 64 << 20  # bytes: reading more at once would hold up the window
_ROWS_AT_ONCE = 128
_NUMBERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision", "oid"}
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")
_INSERT_AT_ONCE = 100  # rows of one INSERT statement

Cells = list[str | None]  # a row's values; None for NULL


@dataclass(frozen=True, slots=True)
class Head:
    """A column that is copied."""

    name: str
    kind: str  # the server's name of its type, "" where it has none


Format = Callable[[list[Head], Iterator[Cells]], Iterator[str]]


def tsv(_heads: list[Head], rows: Iterator[Cells]) -> Iterator[str]:
    """Return values between tabs, NULL as nothing, as spreadsheets take them."""
    first = True
    for row in rows:
        yield ("" if first else "\n") + "\t".join(_quoted(cell, "\t") for cell in row)
        first = False


def tsv_with_names(heads: list[Head], rows: Iterator[Cells]) -> Iterator[str]:
    """Return the same below a line of the columns' names."""
    yield "\t".join(_quoted(head.name, "\t") for head in heads)
    for row in rows:
        yield "\n" + "\t".join(_quoted(cell, "\t") for cell in row)


def csv(heads: list[Head], rows: Iterator[Cells]) -> Iterator[str]:
    """Return CSV as PostgreSQL writes it: a line of names, NULL as nothing, '' as two quotation marks."""
    yield ",".join(_quoted(head.name, ",") for head in heads) + "\n"
    for row in rows:
        yield ",".join('""' if cell == "" else _quoted(cell, ",") for cell in row) + "\n"


def as_json(heads: list[Head], rows: Iterator[Cells]) -> Iterator[str]:
    """Return an array of objects; numbers, booleans and JSON as such, to the last digit, all else as text."""
    names = [json.dumps(name, ensure_ascii=False) for name in _distinct(heads)]
    yield "["
    first = True
    for row in rows:
        members = [f"{name}: {_json(cell, head.kind)}" for name, cell, head in zip(names, row, heads, strict=True)]
        yield ("\n" if first else ",\n") + "  {" + ", ".join(members) + "}"
        first = False
    yield "]\n" if first else "\n]\n"


def markdown(heads: list[Head], rows: Iterator[Cells]) -> Iterator[str]:
    """Return a Markdown table; NULL in italics."""
    yield "| " + " | ".join(_marked(head.name) for head in heads) + " |\n"
    yield "| " + " | ".join("---:" if head.kind in _NUMBERS else "---" for head in heads) + " |\n"
    for row in rows:
        yield "| " + " | ".join("*NULL*" if cell is None else _marked(cell) for cell in row) + " |\n"


def insert(heads: list[Head], rows: Iterator[Cells], table: str = "table_name") -> Iterator[str]:
    """Return INSERT statements for *table*, which is written as it stands. Values are literals of unknown type."""
    columns = ", ".join('"' + head.name.replace('"', '""') + '"' for head in heads)
    count = 0
    for row in rows:
        values = ", ".join(_literal(cell, head.kind) for cell, head in zip(row, heads, strict=True))
        begin = f"INSERT INTO {table} ({columns}) VALUES\n  " if not count % _INSERT_AT_ONCE else ",\n  "
        yield (";\n" if count and not count % _INSERT_AT_ONCE else "") + f"{begin}({values})"
        count += 1
    if count:
        yield ";\n"


FORMATS: dict[str, Format] = {
    "Tabs": tsv,
    "Tabs, with names": tsv_with_names,
    "CSV": csv,
    "JSON": as_json,
    "Markdown": markdown,
    "INSERT": insert,
}


class Rectangle(Protocol):
    """A rectangle of cells; QItemSelectionRange is one."""

    def top(self) -> int:
        """Return its first row."""
        ...

    def bottom(self) -> int:
        """Return its last row."""
        ...

    def left(self) -> int:
        """Return its first column."""
        ...

    def right(self) -> int:
        """Return its last column."""
        ...


class Area:
    """The selected cells, as ranges: nothing is made of a cell that is not asked for."""

    def __init__(self, ranges: Iterable[Rectangle], columns: list[int]) -> None:
        """*columns* are the ones in sight, in the order of the screen."""
        self.ranges = [(part.top(), part.bottom(), part.left(), part.right()) for part in ranges]
        wanted = {column for _, _, left, right in self.ranges for column in range(left, right + 1)}
        self.columns = [column for column in columns if column in wanted]

    @property
    def count(self) -> int:
        """How many cells there are."""
        return sum(
            (bottom - top + 1) * sum(left <= column <= right for column in self.columns)
            for top, bottom, left, right in self.ranges
        )

    def row_ranges(self) -> list[tuple[int, int]]:
        """Return the rows in which something is selected, from above: of each range its first and the one behind."""
        found: list[tuple[int, int]] = []
        for top, bottom in sorted((top, bottom + 1) for top, bottom, _, _ in self.ranges):
            if found and top <= found[-1][1]:
                found[-1] = (found[-1][0], max(bottom, found[-1][1]))
            else:
                found.append((top, bottom))
        return found

    def rows(self) -> Iterator[tuple[int, list[bool]]]:
        """Return each row's number and which of the columns are selected in it, from above."""
        edges = sorted({edge for top, bottom, _, _ in self.ranges for edge in (top, bottom + 1)})
        for begin, end in pairwise(edges):
            across = [(left, right) for top, bottom, left, right in self.ranges if top <= begin and bottom >= end - 1]
            if across:
                chosen = [any(left <= column <= right for left, right in across) for column in self.columns]
                for row in range(begin, end):
                    yield row, chosen


class _TooLarge(Exception):
    """This is too much for a clipboard, or not here."""


class Copying(QObject):
    """Makes the text of an area in slices and puts it on the clipboard; the window answers meanwhile."""

    finished = Signal(int)  # cells
    refused = Signal(int)  # cells: the text grew too long

    def __init__(
        self, parent: QObject, model: QAbstractItemModel, area: Area, make: Format, roles: tuple[int, int]
    ) -> None:
        """*roles* are those of NULL and of the whole value."""
        super().__init__(parent)
        self._model = model
        self._null, self._whole = roles
        self._area = area
        self._pieces: list[str] = []
        self._letters = 0
        self.is_under_way = True
        self._made = make([self._head(column) for column in area.columns], self._rows())
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(partial(self.go_on, _SLICE))
        model.modelReset.connect(self.stop)

    def start(self) -> None:
        """Begin; `finished` follows."""
        self._timer.start()

    def stop(self) -> None:
        """Leave the clipboard as it is."""
        self._timer.stop()
        self._made = iter(())
        self._pieces.clear()
        self.is_under_way = False

    def go_on(self, seconds: float) -> bool:
        """Work for so long; return whether it is done."""
        end = time.perf_counter() + seconds
        try:
            for number, piece in enumerate(self._made, 1):
                self._pieces.append(piece)
                self._letters += len(piece)
                if self._letters > MOST_LETTERS:
                    raise _TooLarge
                if not number % _BETWEEN_LOOKS and time.perf_counter() > end:
                    return False
        except _TooLarge:
            self.stop()
            self.refused.emit(self._area.count)
            return True
        self._timer.stop()
        QGuiApplication.clipboard().setText("".join(self._pieces))
        self._pieces.clear()
        self.is_under_way = False
        self.finished.emit(self._area.count)
        return True

    def _rows(self) -> Iterator[Cells]:
        columns, at_once = self._area.columns, has_lines(self._model)
        lines: Sequence[Line | None] = ()
        first = 0
        for row, chosen in self._area.rows():
            if at_once and not 0 <= row - first < len(lines):
                first = row
                lines = lines_of(self._model, row, min(_ROWS_AT_ONCE, self._model.rowCount() - row), columns)
            line = lines[row - first] if at_once else None
            if at_once and line is None:
                raise _TooLarge  # it is not here, and nothing is made up for it
            yield [
                "" if not is_chosen else self._cell(row, column) if line is None else self._whole_of(line, row, column)
                for column, is_chosen in zip(columns, chosen, strict=True)
            ]

    def _whole_of(self, line: Line, row: int, column: int) -> str | None:
        cell = line[column]
        if cell is None or type(cell) is str:
            return cell
        if int(getattr(cell, "size", 0)) > MOST_OF_A_CELL:  # it is the beginning of a huge one
            raise _TooLarge
        return self._cell(row, column)

    def _cell(self, row: int, column: int) -> str | None:
        model = self._model
        index = model.index(row, column)
        if model.data(index, self._null) is True:
            return None
        value = model.data(index, self._whole)
        if value is None:
            value = model.data(index, Qt.ItemDataRole.DisplayRole)
        return "" if value is None else str(value)

    def _head(self, column: int) -> Head:
        words = self._model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole)
        name, _, kind = str(words or "").partition("\n")
        return Head(name, kind)


def _quoted(cell: str | None, delimiter: str) -> str:
    if cell is None:
        return ""
    if any(mark in cell for mark in (delimiter, "\n", "\r", '"')):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _distinct(heads: list[Head]) -> list[str]:
    """Return the names, those that came before with a number: an object has each key once."""
    taken: set[str] = set()
    names: list[str] = []
    for head in heads:
        name, number = head.name, 2
        while name in taken:
            name, number = f"{head.name}_{number}", number + 1
        taken.add(name)
        names.append(name)
    return names


def _json(cell: str | None, kind: str) -> str:
    if cell is None:
        return "null"
    if kind in _NUMBERS or kind.startswith("numeric("):
        return cell if _JSON_NUMBER.match(cell) else json.dumps(cell)  # NaN and infinity are no JSON
    if kind == "boolean":
        return "true" if cell == "t" else "false"
    if kind in {"json", "jsonb"}:
        return cell  # the server has checked it
    return json.dumps(cell, ensure_ascii=False)


def _marked(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\r\n", "<br>").replace("\n", "<br>")


def _literal(cell: str | None, kind: str) -> str:
    if cell is None:
        return "NULL"
    if (kind in _NUMBERS or kind.startswith("numeric(")) and _JSON_NUMBER.match(cell) and not cell.startswith("-"):
        return cell
    if "\\" in cell:  # means the same whatever standard_conforming_strings says
        return "E'" + cell.replace("\\", "\\\\").replace("'", "''") + "'"
    return "'" + cell.replace("'", "''") + "'"
