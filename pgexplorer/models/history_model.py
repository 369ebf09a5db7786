"""The history as rows: when, how long, how many rows, what came of it, where, and the statement in one line."""

import time
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from typing_extensions import override

from pgexplorer.history import Entry
from pgexplorer.units import duration

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
ICON_ROLE = Qt.ItemDataRole.UserRole + 3  # the icon's name
INK_ROLE = Qt.ItemDataRole.UserRole + 4  # the colour's role in the theme
HEADS = ("when", "took", "rows", "result", "server", "statement")
WHEN, TOOK, ROWS, RESULT, SERVER, STATEMENT = range(len(HEADS))
_RIGHT = {TOOK, ROWS}
_LONGEST = 300  # characters of a statement or an error in its row
_LONGEST_TIP = 2_000


class HistoryModel(QAbstractTableModel):
    """Statements, the newest first; it asks for older ones by a signal and is given them."""

    more_wanted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._entries: list[Entry] = []
        self._has_more = False

    def show(self, entries: Sequence[Entry], *, has_more: bool) -> None:
        """Show *entries* in place of what was shown; *has_more* says that there are older ones."""
        self.beginResetModel()
        self._entries = list(entries)
        self._has_more = has_more
        self.endResetModel()

    def add_newer(self, entries: Sequence[Entry]) -> bool:
        """Put those of *entries*, a newest page, on top that are not here yet. False where that leaves a gap."""
        if not self._entries or not entries:
            return not self._entries and not entries
        newest = self._entries[0].key
        fresh = [entry for entry in entries if entry.key > newest]
        if len(fresh) == len(entries):
            return False
        if fresh:
            self.beginInsertRows(_ROOT, 0, len(fresh) - 1)
            self._entries[:0] = fresh
            self.endInsertRows()
        return True

    def add_older(self, entries: Sequence[Entry], *, has_more: bool) -> None:
        """Put *entries* below what is shown."""
        self._has_more = has_more
        if entries:
            self.beginInsertRows(_ROOT, len(self._entries), len(self._entries) + len(entries) - 1)
            self._entries += entries
            self.endInsertRows()

    def remove(self, key: int) -> None:
        """Take the entry *key* out."""
        for row, entry in enumerate(self._entries):
            if entry.key == key:
                self.beginRemoveRows(_ROOT, row, row)
                del self._entries[row]
                self.endRemoveRows()
                return

    def entry(self, row: int) -> Entry | None:
        """Return the entry in *row*, None outside the list."""
        return self._entries[row] if 0 <= row < len(self._entries) else None

    @property
    def last_key(self) -> int:
        """The key of the oldest that is shown; 0 where nothing is."""
        return self._entries[-1].key if self._entries else 0

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._entries)

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(HEADS)

    @override
    def canFetchMore(self, parent: Index) -> bool:
        return self._has_more and not parent.isValid()

    @override
    def fetchMore(self, parent: Index) -> None:
        if self._has_more:
            self._has_more = False  # until the answer is here
            self.more_wanted.emit()

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(HEADS):
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return HEADS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index.row())
        if entry is None:
            return None
        column = index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return text_of(entry, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == ICON_ROLE and column == RESULT:
            return "stop" if is_cancelled(entry) else "error" if entry.is_bad else "success"
        if role == INK_ROLE and column == RESULT:
            return "warn" if is_cancelled(entry) else "bad" if entry.is_bad else "good"
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{HEADS[column]}: {text_of(entry, column)}"
        return None

    def tip(self, index: Index) -> str:
        """Return the whole of what a row may have cut, up to 2,000 characters."""
        entry = self.entry(index.row())
        if entry is None:
            return ""
        whole = {RESULT: entry.error, SERVER: entry.server, STATEMENT: entry.sql}.get(index.column(), "")
        return whole[:_LONGEST_TIP] + ("…" if len(whole) > _LONGEST_TIP else "")


def text_of(entry: Entry, column: int) -> str:
    """Return what *column* shows of *entry*, on one line."""
    if column == WHEN:
        return when(entry.at)
    if column == TOOK:
        return duration(max(0.0, entry.seconds))
    if column == ROWS:
        return f"{entry.rows:,}" if entry.rows >= 0 else ""
    if column == RESULT:
        if is_cancelled(entry):
            return "cancelled"
        return f"failed: {_one_line(entry.error)}" if entry.is_bad else entry.status
    return entry.server if column == SERVER else _one_line(entry.sql)


def when(at: float, now: float | None = None) -> str:
    """Return the time *at*: of today by the clock, of this year with its day, else with the year too."""
    then, today = time.localtime(at), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M:%S", then)
    return time.strftime("%d %b %H:%M" if then[0] == today[0] else "%d %b %Y", then)


def is_cancelled(entry: Entry) -> bool:
    """Whether a person ended it."""
    return entry.error == "cancelled"


def _one_line(text: str) -> str:
    return " ".join(text[: _LONGEST * 2].split())[:_LONGEST]


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in _RIGHT else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
