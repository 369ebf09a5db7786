"""Rows of a result as a table that grows page by page; text is made for the cells that are asked for."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from typing_extensions import override

from pgexplorer.db.values import Column, Row, byte_size, human_bytes

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
NULL_ROLE = Qt.ItemDataRole.UserRole + 1  # True for NULL; the grid asks for the same number
COPY_ROLE = Qt.ItemDataRole.UserRole + 2  # the whole value where DisplayRole shortens it
_LONGEST = 1_000  # characters shown of a cell
_COUNTED = 100_000  # characters up to which the bytes of a cell are counted; beyond, they are reckoned from samples
_SAMPLES = 16
_MOST_KEPT = 2_000  # shortened cells kept, which is many screens of them
_RIGHT = int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
_LEFT = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)


class ResultModel(QAbstractTableModel):
    """A result: columns once, rows as they come. Cells are the server's text, NULL is told apart from ''."""

    more_wanted = Signal()  # the view has come to the last row, and `has_more` was set

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._columns: tuple[Column, ...] = ()
        self._rows: list[Row] = []
        self._short: dict[tuple[int, int], str] = {}  # a cell never changes until clear()
        self.has_more = False

    def append(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """Take the next page; the first brings the columns."""
        if not self._columns and columns:
            self.beginInsertColumns(QModelIndex(), 0, len(columns) - 1)
            self._columns = tuple(columns)
            self.endInsertColumns()
        if rows:
            first = len(self._rows)
            self.beginInsertRows(QModelIndex(), first, first + len(rows) - 1)
            self._rows += rows
            self.endInsertRows()

    def clear(self) -> None:
        """Forget everything."""
        self.beginResetModel()
        self._columns, self._rows, self.has_more = (), [], False
        self._short.clear()
        self.endResetModel()

    def value(self, row: int, column: int) -> str | None:
        """Return a cell's whole value; None for NULL."""
        return self._rows[row][column]

    def columns(self) -> tuple[Column, ...]:
        """Return the columns."""
        return self._columns

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._columns)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            cell = self._rows[index.row()][index.column()]
            if cell is None:
                return "NULL"
            return cell if len(cell) <= _LONGEST else self._shortened(index.row(), index.column(), cell)
        if role == NULL_ROLE:
            return self._rows[index.row()][index.column()] is None
        if role == COPY_ROLE:
            return self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if self._columns[index.column()].is_number else _LEFT
        return None

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            if orientation == Qt.Orientation.Vertical:
                return str(section + 1)
            if section < len(self._columns):
                column = self._columns[section]
                return f"{column.name}\n{column.type_name}"
        if (
            role == Qt.ItemDataRole.TextAlignmentRole
            and orientation == Qt.Orientation.Horizontal
            and section < len(self._columns)
        ):
            return _RIGHT if self._columns[section].is_number else _LEFT
        return None

    @override
    def canFetchMore(self, parent: Index) -> bool:
        return not parent.isValid() and self.has_more

    @override
    def fetchMore(self, parent: Index) -> None:
        if self.canFetchMore(parent):
            self.has_more = False  # asked once; the next page says whether there is more
            self.more_wanted.emit()

    def _shortened(self, row: int, column: int, cell: str) -> str:
        # Asked for at every repaint, and cells may be of many megabytes.
        short = self._short.get((row, column))
        if short is None:
            if len(self._short) >= _MOST_KEPT:
                self._short.clear()
            short = self._short[row, column] = f"{cell[:_LONGEST]}… ({_size(cell)})"
        return short


def _size(cell: str) -> str:
    if cell.isascii() or len(cell) <= _COUNTED:
        return byte_size(cell)
    # Encoding megabytes of other scripts takes longer than a frame.
    part = _COUNTED // _SAMPLES
    step = (len(cell) - part) / (_SAMPLES - 1)
    samples = (cell[round(at * step) : round(at * step) + part] for at in range(_SAMPLES))
    taken = sum(len(sample.encode("utf-8", "surrogatepass")) for sample in samples)
    return f"≈ {human_bytes(taken * len(cell) / (part * _SAMPLES))}"
