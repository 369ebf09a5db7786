"""A table as Qt sees it: every row has its place, a stretch of them is here, and numbers are put right on the way."""

from typing import Any

from PySide6.QtCore import QModelIndex, QObject, Qt, Signal
from typing_extensions import override

from pgexplorer.db.pages import Page, Read
from pgexplorer.db.rows import Clipped
from pgexplorer.db.stretch import Missing, Shift, Stretch
from pgexplorer.db.values import Row
from pgexplorer.models.result_model import ResultModel

_ROOT = QModelIndex()


class TableModel(ResultModel):
    """A browsed table. Rows that were not read yet show as missing; who scrolls asks `stretch.wanted`."""

    moved = Signal(int)  # the rows in sight have got numbers that are so much higher

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stretch = Stretch()

    def begin(self, stretch: Stretch) -> None:
        """Show *stretch* in place of what is there."""
        self.stretch = stretch
        self.show(stretch)

    def take(self, read: Read, page: Page) -> None:
        """Take a page that was read."""
        self._follow(self.stretch.take(read, page))

    def count(self, rows: int) -> None:
        """Take the counted number of rows."""
        self._follow(self.stretch.count(rows))

    def place(self, row: int) -> Row | None:
        """Return where *row* is in the table; None where it is not here."""
        return self.stretch.place(row)

    def is_whole(self, row: int, column: int) -> bool:
        """Whether the value is here as it is in the table."""
        return not isinstance(self._cell(row, column), Missing | Clipped)

    @override
    def lines(self, first: int, count: int) -> list[Row | None]:
        lines = super().lines(first, count)
        return [None if line and isinstance(line[0], Missing) else line for line in lines]

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical and role == Qt.ItemDataRole.DisplayRole:
            number = self.stretch.number(section) + 1
            return f"{number:,}" if self.stretch.is_exact else f"≈ {number:,}"
        return super().headerData(section, orientation, role)

    def _follow(self, shift: Shift) -> None:
        """Insert and remove what the numbers of the rows have changed by, and show what has come."""
        self._forget_blocks()
        self._change(0, shift.top)
        self._change(self._known + min(0, shift.end), shift.end)
        self._known = self.stretch.known
        self._forget_blocks()
        if self._known and self._sides:
            self.dataChanged.emit(self.index(0, 0), self.index(self._known - 1, len(self._sides) - 1))
            self.headerDataChanged.emit(Qt.Orientation.Vertical, 0, self._known - 1)
        if shift.top:
            self.moved.emit(shift.top)

    def _change(self, at: int, count: int) -> None:
        if count > 0:
            self.beginInsertRows(_ROOT, at, at + count - 1)
            self._known += count
            self.endInsertRows()
        elif count < 0:
            self.beginRemoveRows(_ROOT, at, at - count - 1)
            self._known += count
            self.endRemoveRows()
