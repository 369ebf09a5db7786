"""A model of plain values for the grid's tests, which counts what it is asked."""

from PySide6.QtCore import QAbstractTableModel, QModelIndex, Qt

from pgexplorer.ui.widgets.grid import CopyRole, NullRole

NOWHERE = QModelIndex()


class Values(QAbstractTableModel):
    def __init__(self, rows, heads, whole=None):
        super().__init__()
        self.rows = rows
        self.heads = heads
        self.whole = whole or {}
        self.asked = set()
        self.cells = 0

    def rowCount(self, parent=NOWHERE):
        return len(self.rows)

    def columnCount(self, parent=NOWHERE):
        return len(self.heads)

    def headerData(self, section, orientation, role=Qt.ItemDataRole.DisplayRole):
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return self.heads[section]
        return None

    def data(self, index, role=Qt.ItemDataRole.DisplayRole):
        value = self.rows[index.row()][index.column()]
        self.asked.add(index.row())
        self.cells += role == Qt.ItemDataRole.DisplayRole
        if role == Qt.ItemDataRole.DisplayRole:
            return "NULL" if value is None else value
        if role == NullRole:
            return value is None
        if role == CopyRole:
            return self.whole.get((index.row(), index.column()))
        return None
