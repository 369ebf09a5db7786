"""The list of connections: the demo server and the remembered profiles."""

from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from typing_extensions import override

from pgexplorer.db.profile import Profile

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
ICON_ROLE = Qt.ItemDataRole.UserRole + 3  # the icon's name
MUTED_ROLE = Qt.ItemDataRole.UserRole + 4  # the second line


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the list."""

    title: str
    detail: str
    icon: str
    profile: Profile | None  # None: the demo server


class ProfileModel(QAbstractListModel):
    """The demo server and the remembered profiles."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._entries: list[Entry] = []

    def set_entries(self, entries: list[Entry]) -> None:
        """Show *entries* in place of what was shown."""
        self.beginResetModel()
        self._entries = entries
        self.endResetModel()

    def row_of(self, key: str) -> int:
        """Return the row of the profile with *key*; -1 when there is none."""
        keys = [entry.profile.key if entry.profile is not None else "" for entry in self._entries]
        return keys.index(key) if key in keys else -1

    def entry(self, row: int) -> Entry | None:
        """Return what stands in *row*, None outside the list."""
        return self._entries[row] if 0 <= row < len(self._entries) else None

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._entries)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index.row())
        if entry is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        if role == MUTED_ROLE:
            return entry.detail
        if role == ICON_ROLE:
            return entry.icon
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.title}, {entry.detail}"
        return None
