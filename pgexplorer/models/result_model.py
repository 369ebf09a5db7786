"""A result of any size as a table: rows are read by blocks for the cells that are asked for, and no others."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from typing_extensions import override

from pgexplorer.db.rows import Clipped, ListRows, Rows, State
from pgexplorer.db.spool import Spool
from pgexplorer.db.values import Column, Row

Index = QModelIndex | QPersistentModelIndex
Pieces = Callable[[], Iterator[bytes]]
_ROOT = QModelIndex()
NULL_ROLE = Qt.ItemDataRole.UserRole + 1  # True for NULL; the grid asks for the same number
COPY_ROLE = Qt.ItemDataRole.UserRole + 2  # the whole value where DisplayRole shortens it
MOST_ROWS = 40_000_000  # in a view: its height is counted in 2^31 pixels, and a row may be 50 high
_LONGEST = 1_000  # characters shown of a cell
_BLOCK = 128  # rows read at once, fewer where they have many columns or are large: a block is read while a frame waits
_BLOCK_CELLS, _BLOCK_BYTES = 4_096, 512_000
_MOST_BLOCKS = 32  # kept, which is many screens
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
_DISPLAY, _ALIGNMENT = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.TextAlignmentRole


class ResultModel(QAbstractTableModel):
    """A result: columns once, rows as they come. Cells are the server's text, NULL is told apart from ''."""

    more_wanted = Signal()  # the view has come to the last row, and `has_more` was set

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: Rows = ListRows()
        self._known = 0  # rows that the view was told of
        self._sides: list[int] = []
        self._step = _BLOCK
        self._blocks: dict[int, list[Row]] = {}  # by first row; the one used last at the end
        self._first, self._block = 0, list[Row]()  # the block that was asked for last
        self.has_more = False
        self.links: Collection[int] = ()  # the columns whose values refer to rows elsewhere

    def show(self, rows: Rows) -> None:
        """Show *rows* in place of what is there; `grow` tells when they have become more. The caller closes them."""
        self.beginResetModel()
        self._take(rows)
        self._known = min(rows.known, MOST_ROWS)
        self.has_more = False
        self.endResetModel()

    def grow(self) -> None:
        """Take notice of the rows that have come since. Costs the same however many they are."""
        known = min(self._rows.known, MOST_ROWS)
        if known > self._known:
            self._fit_blocks()
            self.beginInsertRows(QModelIndex(), self._known, known - 1)
            self._known = known
            self.endInsertRows()

    def append(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """Take the next page of rows that are in memory; the first brings the columns."""
        if columns and not self._rows.columns:
            fresh = ListRows(columns)
            fresh.append(self._rows.window(0, self._known))
            self.beginInsertColumns(QModelIndex(), 0, len(columns) - 1)
            self._take(fresh)
            self.endInsertColumns()
        if isinstance(self._rows, ListRows):
            self._rows.append(rows)
            self.grow()

    def clear(self) -> None:
        """Forget everything."""
        self.show(ListRows())

    def rows(self) -> Rows:
        """Return the rows that are shown."""
        return self._rows

    def rest(self) -> str:
        """Say in words why there may be rows beyond these, "" where these are all."""
        match self._rows.state:
            case State.MORE:
                return "rows are still coming"
            case State.CUT:
                return "there are more rows at the server"
            case State.COMPLETE:
                return "" if self._rows.known <= MOST_ROWS else "there are more rows than a grid can show"

    def value(self, row: int, column: int) -> str | None:
        """Return a cell's whole value; None for NULL, and where the row is not to be had any more."""
        cell = self._cell(row, column)
        if isinstance(cell, Clipped):
            whole = self._rows.window(row, 1)
            return whole[0][column] if whole else None
        return cell

    def beginning(self, row: int, column: int, most: int) -> tuple[str | None, int, Pieces]:
        """Return the first *most* characters of a cell, None for NULL, and about how many bytes more it has.

        And what yields its whole text in bytes, a piece at a time, of these rows whatever is shown later.
        """
        rows = self._rows
        lines = rows.window(row, 1, most)
        cell = lines[0][column] if lines else None
        more = cell.size - len(cell.encode("utf-8", "surrogatepass")) if isinstance(cell, Clipped) else 0
        if isinstance(rows, Spool):
            return cell, more, partial(rows.pieces, row, column)
        whole = self.value(row, column) if more else cell
        return cell, more, lambda: iter([(whole or "").encode("utf-8", "surrogatepass")])

    def lines(self, first: int, count: int) -> list[Row | None]:
        """Return *count* rows from *first* on as they are painted: long cells Clipped, None for a row not to be had."""
        found: list[Row | None] = []
        row, end = first, first + count
        while row < end:
            if not 0 <= row - self._first < len(self._block):
                self._seek(row)
            at = row - self._first
            part = self._block[at : at + end - row]
            found += part or [None]
            row += len(part) or 1
        return found

    def columns(self) -> tuple[Column, ...]:
        """Return the columns."""
        return self._rows.columns

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else self._known

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._sides)

    @override
    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        # Asked for several times a cell at each repaint: what is asked for most comes first, and no call more than
        # it takes.
        if role == _ALIGNMENT:
            return self._sides[index.column()] if index.isValid() else None
        if role not in _CELL_ROLES or not index.isValid():
            return None
        row, column = index.row(), index.column()
        at = row - self._first
        cell = self._block[at][column] if 0 <= at < len(self._block) else self._cell(row, column)
        if role == NULL_ROLE:
            return cell is None
        if role == COPY_ROLE:
            return self.value(row, column) if isinstance(cell, Clipped) else cell
        if cell is None:
            return "NULL"
        if isinstance(cell, Clipped):
            return f"{cell}… ({cell.mark})"
        return cell

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            if orientation == Qt.Orientation.Vertical:
                return str(section + 1)
            if section < len(self._sides):
                column = self._rows.columns[section]
                return f"{column.name}\n{column.type_name}"
        if role == _ALIGNMENT and orientation == Qt.Orientation.Horizontal and section < len(self._sides):
            return self._sides[section]
        return None

    @override
    def canFetchMore(self, parent: Index) -> bool:
        return not parent.isValid() and self.has_more

    @override
    def fetchMore(self, parent: Index) -> None:
        if self.canFetchMore(parent):
            self.has_more = False  # asked once; the next page says whether there is more
            self.more_wanted.emit()

    def _take(self, rows: Rows) -> None:
        self._rows = rows
        self._sides = [_RIGHT if column.is_number else _LEFT for column in rows.columns]
        self._forget_blocks()
        self._fit_blocks()

    def _cell(self, row: int, column: int) -> str | None:
        self._seek(row)
        at = row - self._first
        return self._block[at][column] if at < len(self._block) else None  # they were closed

    def _seek(self, row: int) -> None:
        """Have the block of *row* at hand; it is short, or empty, where the rows are not to be had."""
        first = row - row % self._step
        block = self._blocks.pop(first, None)
        if block is None or row - first >= len(block):  # the last block grows with the result
            block = self._rows.window(first, self._step, _LONGEST)
        self._blocks[first] = block
        if len(self._blocks) > _MOST_BLOCKS:
            del self._blocks[next(iter(self._blocks))]
        self._first, self._block = first, block

    def _fit_blocks(self) -> None:
        """Choose how many rows are read at once by how wide they are so far."""
        step = min(_BLOCK, max(1, _BLOCK_CELLS // max(1, len(self._sides))))
        if known := self._rows.known:
            step = max(1, min(step, _BLOCK_BYTES * known // max(1, self._rows.size)))
        if not self._step // 2 <= step <= self._step * 2:
            self._step = step
            self._forget_blocks()

    def _forget_blocks(self) -> None:
        self._blocks.clear()
        self._first, self._block = 0, []


_CELL_ROLES = {int(_DISPLAY), NULL_ROLE, COPY_ROLE}
