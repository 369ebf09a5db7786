"""Sessions as rows, each below the one that blocks it; and counted statements, and a pooler's tables, as plain rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from typing_extensions import override

from pgexplorer.db.activity.sessions import Level, Node, Session, blocked_tree
from pgexplorer.units import duration

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
ICON_ROLE = Qt.ItemDataRole.UserRole + 3  # the icon's name
INK_ROLE = Qt.ItemDataRole.UserRole + 4  # the colour's role in the theme
TIP_ROLE = Qt.ItemDataRole.UserRole + 5  # the whole text, not escaped
HEADS = (
    "pid", "stands out", "slot", "state", "statement for", "transaction for", "waits for", "role", "application",
    "database", "client", "statement",
)  # fmt: skip
(PID, FINDINGS, SLOT, STATE, STATEMENT_FOR, TRANSACTION_FOR, WAITS, ROLE, APPLICATION, DATABASE, CLIENT, STATEMENT) = (
    range(len(HEADS))
)
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_LONGEST = 300  # characters of a statement in its row


class Which(StrEnum):
    """Which sessions are shown."""

    ALL = "All"
    ACTIVE = "Active"
    BLOCKED = "Blocked"
    MINE = "Mine"  # this program's own slots


@dataclass(slots=True)
class Entry:
    """A row: a session, the slot of the pool that it is ("" where it is none), and the rows below it."""

    session: Session
    slot: str
    below: list["Entry"] = field(default_factory=list["Entry"])
    above: "Entry | None" = None
    row: int = 0
    level: Level = Level.NONE
    findings: str = ""  # what stands out, in words

    def __post_init__(self) -> None:
        if found := self.session.findings:
            self.level, self.findings = found[0][0], ", ".join(text for _, text in found)

    def all(self) -> Iterator["Entry"]:
        """Yield it and every row below it."""
        yield self
        for each in self.below:
            yield from each.all()


def arranged(sessions: Sequence[Session], slots: Mapping[int, str], which: Which, words: str) -> list[Entry]:
    """Return the rows of *sessions*: who blocks others first, then what stands out, then who does something.

    *slots* has the holders of this program's own by pid. A session that is not asked for stays where one that waits
    for it is.
    """
    wanted = words.casefold().split()

    def is_asked_for(session: Session) -> bool:
        if which is Which.ACTIVE and not (session.is_active or session.is_idle_in_transaction):
            return False
        if which is Which.BLOCKED and not session.blockers:
            return False
        if which is Which.MINE and session.pid not in slots:
            return False
        if not wanted:
            return True
        texts = (
            str(session.pid), session.role, session.database, session.application, session.client, session.state,
            session.waits_for, session.kind, session.statement, slots.get(session.pid, ""),
        )  # fmt: skip
        text = "\n".join(texts).casefold()
        return all(word in text for word in wanted)

    def entry(node: Node) -> Entry | None:
        below = [found for each in node.waiting if (found := entry(each)) is not None]
        if not below and not is_asked_for(node.session):
            return None
        return Entry(node.session, slots.get(node.session.pid, ""), below)

    roots = [found for node in blocked_tree(sessions) if (found := entry(node)) is not None]
    roots.sort(key=_urgency)
    return roots


_LEVELS = {Level.BAD: 0, Level.WARN: 1, Level.NONE: 2}


def _urgency(entry: Entry) -> tuple[object, ...]:
    session = entry.session
    doing = 0 if session.is_active and session.is_client else 1 if session.is_idle_in_transaction else 2
    waits = -sum(1 for _ in entry.all()) if entry.below else 0
    since = -(session.transaction_s or session.statement_s or 0.0)
    return waits, not session.is_client, _LEVELS[entry.level], doing, since, session.pid


def _text(entry: Entry, column: int) -> str:
    return _TEXTS[column](entry.session, entry)


def _lasted(seconds: float | None) -> str:
    return "" if seconds is None else duration(max(0.0, seconds))


_OWN = "a process of the server"
_TEXTS: dict[int, Callable[[Session, Entry], str]] = {
    PID: lambda session, _: str(session.pid),
    FINDINGS: lambda _, entry: entry.findings,
    SLOT: lambda _, entry: entry.slot,
    STATE: lambda session, _: session.state or ("not told" if session.is_client else session.kind or _OWN),
    STATEMENT_FOR: lambda session, _: _lasted(session.statement_s),
    TRANSACTION_FOR: lambda session, _: _lasted(session.transaction_s),
    WAITS: lambda session, _: session.waits_for,
    ROLE: lambda session, _: session.role,
    APPLICATION: lambda session, _: session.application,
    DATABASE: lambda session, _: session.database,
    CLIENT: lambda session, _: session.client,
    STATEMENT: lambda session, _: session.statement,
}
_KEYS: dict[int, Callable[[Entry], Any]] = {
    PID: lambda entry: entry.session.pid,
    STATEMENT_FOR: lambda entry: entry.session.statement_s or -1.0,
    TRANSACTION_FOR: lambda entry: entry.session.transaction_s or -1.0,
    FINDINGS: lambda entry: (-_LEVELS[entry.level], entry.findings),
}


class ActivityModel(QAbstractItemModel):
    """The tree of sessions. Qt.ItemDataRole.DisplayRole has the text on screen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._roots: list[Entry] = []
        self._flat: list[Entry] = []
        self._numbers: dict[int, int] = {}  # by id() of the entry, its place in _flat
        self._sorted: tuple[int, Qt.SortOrder] | None = None

    def show(self, roots: Sequence[Entry]) -> bool:
        """Show *roots*; return whether rows came, went or changed places. What stays is changed in place."""
        wanted = self._in_order(roots)
        flat: list[Entry] = []
        _number(wanted, None, flat)
        is_same = [_place(entry) for entry in flat] == [_place(entry) for entry in self._flat]
        if not is_same:
            self.beginResetModel()
        self._roots, self._flat = wanted, flat
        self._numbers = {id(entry): number for number, entry in enumerate(flat)}
        if not is_same:
            self.endResetModel()
            return True
        for entry in self._flat:
            if entry.row == 0:  # one signal for all rows below the same one
                last = len(entry.above.below if entry.above is not None else self._roots) - 1
                parent = self.index_of(entry.above) if entry.above is not None else _ROOT
                self.dataChanged.emit(self.index(0, 0, parent), self.index(last, len(HEADS) - 1, parent))
        return False

    def entries(self) -> Sequence[Entry]:
        """Return every row, from top to bottom."""
        return self._flat

    def entry(self, index: Index) -> Entry | None:
        """Return the row at *index*."""
        return self._flat[index.internalId()] if index.isValid() else None

    def index_of(self, entry: Entry, column: int = 0) -> QModelIndex:
        """Return where *entry* is shown."""
        return self.createIndex(entry.row, column, self._numbers[id(entry)])

    def find(self, key: tuple[int, float]) -> QModelIndex:
        """Return where the session *key* is shown, an invalid index where it is not.

        The start of one that was first seen while it was starting was not told then: its number has to do.
        """
        pid, started = key
        found = next(
            (entry for entry in self._flat if entry.session.pid == pid and (not started or entry.session.key == key)),
            None,
        )
        return self.index_of(found) if found is not None else QModelIndex()

    @override
    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by *column*; -1 goes back to the order of urgency."""
        self._sorted = None if column < 0 else (column, order)
        self.show(self._roots if column >= 0 else sorted(self._roots, key=_urgency))

    def _in_order(self, roots: Sequence[Entry]) -> list[Entry]:
        found = list(roots)
        if self._sorted is not None:
            column, order = self._sorted
            key = _KEYS.get(column, lambda entry: _text(entry, column).casefold())
            found.sort(key=key, reverse=order == Qt.SortOrder.DescendingOrder)
        return found

    @override
    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        below = self._below(parent)
        if not (0 <= row < len(below) and 0 <= column < len(HEADS)):
            return QModelIndex()
        return self.createIndex(row, column, self._numbers[id(below[row])])

    @override
    def parent(self, child: Index) -> QModelIndex:  # type: ignore[override]
        entry = self.entry(child)
        return self.index_of(entry.above) if entry is not None and entry.above is not None else QModelIndex()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return len(self._below(parent)) if parent.column() <= 0 else 0

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return len(HEADS)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index)
        if entry is None:
            return None
        column, session = index.column(), entry.session
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _one_line(_text(entry, column))
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if column in {STATEMENT_FOR, TRANSACTION_FOR} else _LEFT
            case Qt.ItemDataRole.AccessibleTextRole if column == PID:
                return _spoken(entry)
            case _ if role == TIP_ROLE:
                return _text(entry, column)
            case _ if role == ICON_ROLE:
                return _icon(entry, column)[0]
            case _ if role == INK_ROLE:
                return _icon(entry, column)[1] or (None if session.is_client else "muted")
            case _:
                return None

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Vertical:
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if section in {STATEMENT_FOR, TRANSACTION_FOR} else _LEFT
        return HEADS[section] if role == Qt.ItemDataRole.DisplayRole else None

    def _below(self, parent: Index) -> list[Entry]:
        entry = self.entry(parent)
        return entry.below if entry is not None else self._roots


def _number(entries: Sequence[Entry], above: Entry | None, flat: list[Entry]) -> None:
    for row, entry in enumerate(entries):
        entry.above, entry.row = above, row
        flat.append(entry)
        _number(entry.below, entry, flat)


def _place(entry: Entry) -> tuple[object, ...]:
    return entry.session.key, entry.above.session.key if entry.above is not None else None


def _icon(entry: Entry, column: int) -> tuple[str, str]:
    """Return the icon and the colour of a cell: a word stands beside it always."""
    session = entry.session
    if column == FINDINGS and (level := entry.level):
        return ("error" if level is Level.BAD else "warning"), str(level)
    if column == SLOT and entry.slot:
        return "pool", "accent"
    if column == WAITS and session.wait_type == "Lock":
        return "lock", "warn"
    return "", ""


def _spoken(entry: Entry) -> str:
    session = entry.session
    parts = [f"session {session.pid}", f"of {session.role}" if session.role else session.kind, session.state]
    if entry.slot:
        parts.append(f"slot {entry.slot} of this program")
    parts.append(entry.findings)
    if entry.below:
        parts.append(f"blocks {sum(1 for _ in entry.all()) - 1}")
    return ", ".join(part for part in parts if part)


def _one_line(text: str) -> str:
    cut = text[:_LONGEST] + ("…" if len(text) > _LONGEST else "")
    return " ".join(cut.split())


@dataclass(frozen=True, slots=True)
class Head:
    """A column of plain rows."""

    name: str
    is_number: bool = False


class RowsModel(QAbstractTableModel):
    """Rows of text under heads; *long* names a column whose text is shown in one line, whole in its tip."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._heads: tuple[Head, ...] = ()
        self._rows: list[tuple[str, ...]] = []

    def show(self, heads: Sequence[Head], rows: Sequence[tuple[str, ...]]) -> None:
        """Show *rows*, each as long as *heads*; where only texts have changed the rows stay."""
        if tuple(heads) == self._heads and len(rows) == len(self._rows):
            self._rows = list(rows)
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(heads) - 1))
            return
        self.beginResetModel()
        self._heads, self._rows = tuple(heads), list(rows)
        self.endResetModel()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._heads)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        text = self._rows[index.row()][index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _one_line(text)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _RIGHT if self._heads[index.column()].is_number else _LEFT
            case _ if role == TIP_ROLE:
                return text
            case _:
                return None

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation is Qt.Orientation.Vertical or not 0 <= section < len(self._heads):
            return None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _RIGHT if self._heads[section].is_number else _LEFT
        return self._heads[section].name if role == Qt.ItemDataRole.DisplayRole else None
