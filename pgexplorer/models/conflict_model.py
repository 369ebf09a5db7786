"""Rows that others changed meanwhile: which, what happened to them, and what the person chooses, row by row."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PySide6.QtGui import QFont
from typing_extensions import override

from pgexplorer.models.result_model import Index

_ROOT = QModelIndex()
_DISPLAY = Qt.ItemDataRole.DisplayRole


class Choice(Enum):
    """What becomes of one's change of a row."""

    OPEN = "not chosen"
    THEIRS = "take theirs"
    MINE = "keep mine"


@dataclass(frozen=True, slots=True)
class Versions:
    """One column of a row as it was read, as it is now, and as it was to become."""

    column: str
    read: str
    theirs: str
    mine: str  # "" where it was not changed here
    is_other: bool  # whether others changed it
    is_both: bool  # whether it was changed here too


@dataclass(frozen=True, slots=True)
class ToldRow:
    """A row that is another one than the person saw."""

    row: str
    happened: str
    versions: Sequence[Versions]
    why_no_mine: str = ""  # why one's own change cannot be kept, "" where it can


class _Lines(QAbstractTableModel):
    """What both tables of the dialog have: named columns, and nothing below a line."""

    HEADS: tuple[str, ...] = ()

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self.HEADS)

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = _DISPLAY) -> Any:
        if role == _DISPLAY and orientation == Qt.Orientation.Horizontal:
            return self.HEADS[section]
        return None


class ConflictModel(_Lines):
    """The rows, and the choice of each."""

    HEADS = ("Row", "Since it was read it", "Choice")

    def __init__(self, rows: Sequence[ToldRow], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows = list(rows)
        self._choices = [Choice.OPEN] * len(self._rows)

    @property
    def choices(self) -> Sequence[Choice]:
        """What was chosen, row by row."""
        return self._choices

    @property
    def chosen(self) -> int:
        """For how many rows something was."""
        return sum(choice is not Choice.OPEN for choice in self._choices)

    def told(self, row: int) -> ToldRow:
        """Return what is told of a row."""
        return self._rows[row]

    def choose(self, rows: Iterable[int], choice: Choice) -> None:
        """Choose for *rows*; one's own change is not chosen where it cannot be kept."""
        for row in rows:
            if choice is Choice.MINE and self._rows[row].why_no_mine:
                continue
            self._choices[row] = choice
            index = self.index(row, 2)
            self.dataChanged.emit(index, index)

    def next_open(self, row: int) -> int | None:
        """Return the first row behind *row* of which nothing was chosen, from the beginning again at the end."""
        count = len(self._rows)
        behind = ((row + step) % count for step in range(1, count + 1))
        return next((each for each in behind if self._choices[each] is Choice.OPEN), None)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    @override
    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        if not index.isValid():
            return None
        told, choice = self._rows[index.row()], self._choices[index.row()]
        if role == _DISPLAY:
            chosen = "" if choice is Choice.OPEN else choice.value.capitalize()
            return (told.row, told.happened, chosen)[index.column()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return (told.row, told.happened, choice.value)[index.column()]
        return None


class VersionsModel(_Lines):
    """The versions of one row, a column of it a line; what others changed is bold, and so is what both did."""

    HEADS = ("Column", "Read", "Theirs now", "Yours")

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lines: Sequence[Versions] = ()
        self._bold = QFont()
        self._bold.setBold(True)

    def show(self, lines: Sequence[Versions]) -> None:
        """Show *lines* in place of what is there."""
        self.beginResetModel()
        self._lines = lines
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._lines)

    @override
    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        if not index.isValid():
            return None
        line, column = self._lines[index.row()], index.column()
        if role == _DISPLAY:
            return (line.column, line.read, line.theirs, line.mine)[column]
        if role == Qt.ItemDataRole.FontRole and ((line.is_other and column == 2) or (line.is_both and column == 3)):
            return self._bold
        return None
