"""The rows of a slot board: what each shows, and how a screen reader says it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtGui import QAccessible
from typing_extensions import override

from pgexplorer.ui.widgets.states import StateKind

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
_SPOKEN = (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole)


@dataclass(frozen=True, slots=True)
class SlotRow:
    """What a card shows; *actions* (buttons, and in the menu) and *menu* (there alone) are (id, label)."""

    key: str
    number: int
    pid: str
    state: str
    state_kind: StateKind
    holder: str = ""
    sql: str = ""
    held: str = ""
    actions: tuple[tuple[str, str], ...] = ()
    menu: tuple[tuple[str, str], ...] = ()
    age: str = ""  # of the state; not spoken

    def spoken(self) -> str:
        """Return the row as a screen reader says it."""
        parts = [f"Slot {self.number}"]
        if self.pid:
            parts.append(f"pid {self.pid}")
        parts.append(self.state)
        held = f" for {self.held}" if self.held else ""
        if self.holder:
            parts.append(f"held by {self.holder}{held}")
        elif held:
            parts.append(held.strip())
        return ", ".join(parts)

    def described(self) -> str:
        """Return what a screen reader says of the row when it is asked for more: its SQL, and what can be done."""
        does = ", ".join(label for _, label in self.actions)
        return ". ".join(part for part in (self.sql, f"Buttons: {does}" if does else "") if part)

    def says_as(self, other: "SlotRow") -> bool:
        """Return whether a screen reader has no news: seconds passing are none."""
        return (self.pid, self.state, self.holder, self.sql, self.actions) == (
            other.pid, other.state, other.holder, other.sql, other.actions,
        )  # fmt: skip


class SlotRows(QAbstractListModel):
    """The rows as Qt's own accessible list reads them.

    News of a row is told to a screen reader alone, and only where it has something new to say.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: list[SlotRow] = []

    @property
    def rows(self) -> Sequence[SlotRow]:
        """The rows shown."""
        return self._rows

    def place(self, key: str) -> int:
        """Return where the row of *key* is, -1 where there is none."""
        return next((place for place, row in enumerate(self._rows) if row.key == key), -1)

    def set_rows(self, wanted: Sequence[SlotRow]) -> bool:
        """Show *wanted*; return whether rows came, went or changed places."""
        before = self._rows
        moved = [row.key for row in wanted] != [row.key for row in before]
        if moved:
            self._arrange(wanted)
            before = list(self._rows)
        self._rows = list(wanted)
        if not QAccessible.isActive():  # the board paints without being told
            return moved
        news = [place for place, row in enumerate(wanted) if not row.says_as(before[place])]
        if news:
            self.dataChanged.emit(self.index(news[0], 0), self.index(news[-1], 0))
        return moved

    def _arrange(self, wanted: Sequence[SlotRow]) -> None:
        """Take rows away, move them and put new ones in, until their keys are those of *wanted*."""
        rows, keys = self._rows, {row.key for row in wanted}
        for place in reversed(range(len(rows))):
            if rows[place].key not in keys:
                self._remove(place)
        for place, row in enumerate(wanted):
            if place < len(rows) and rows[place].key == row.key:
                continue
            later = next((at for at in range(place + 1, len(rows)) if rows[at].key == row.key), None)
            if later is None:
                self.beginInsertRows(_ROOT, place, place)
                rows.insert(place, row)
                self.endInsertRows()
            else:
                self.beginMoveRows(_ROOT, later, later, _ROOT, place)
                rows.insert(place, rows.pop(later))
                self.endMoveRows()
        while len(rows) > len(wanted):
            self._remove(len(rows) - 1)

    def _remove(self, place: int) -> None:
        self.beginRemoveRows(_ROOT, place, place)
        del self._rows[place]
        self.endRemoveRows()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role in _SPOKEN:
            return row.spoken()
        return row.described() if role == Qt.ItemDataRole.AccessibleDescriptionRole else None
