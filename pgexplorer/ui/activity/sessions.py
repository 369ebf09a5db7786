"""The page of sessions: the tree of who blocks whom, and what the chosen one runs and locks."""

from PySide6.QtCore import QModelIndex, QSize, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QScrollArea, QSplitter, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.db.activity.sessions import Seen, Session
from pgexplorer.models.activity_model import (
    FINDINGS,
    PID,
    STATEMENT,
    STATEMENT_FOR,
    TRANSACTION_FOR,
    ActivityModel,
    Entry,
    Head,
    RowsModel,
    Which,
    arranged,
)
from pgexplorer.ui import icons, theme
from pgexplorer.ui.activity.view import RowsView
from pgexplorer.ui.sql.commands import POSTGRESQL
from pgexplorer.ui.widgets.code_view import CodeView
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.flow_layout import FlowLayout
from pgexplorer.units import duration


class _Split(QSplitter):
    """Wants no more room than its parts need at least: a page that is scrolled gives it all the rest."""

    @override
    def sizeHint(self) -> QSize:
        return self.minimumSizeHint()


_LOCK_HEADS = (Head("lock"), Head("on"), Head("mode"), Head("granted"))


class SessionsPage(QWidget):
    """Shows what a look found; asks nobody."""

    chosen_changed = Signal()  # another session is chosen: its locks are wanted

    def __init__(self) -> None:
        super().__init__()
        self._seen: Seen | None = None
        self._slots: dict[int, str] = {}
        self._chosen: tuple[int, float] | None = None
        self.model = ActivityModel(self)
        self.which = QComboBox()
        self.which.setObjectName("activity.filter")
        self.which.setAccessibleName("Which sessions are shown")
        for each in Which:
            self.which.addItem(str(each), each)
        self.search = QLineEdit(placeholderText="Filter sessions…", clearButtonEnabled=True)
        self.search.setObjectName("activity.search")
        self.search.setAccessibleName("Filter sessions by their texts")
        glass = self.search.addAction(icons.icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        icons.wear(glass, "search", "muted")
        self.grid = RowsView(self.model, "activity.grid", "Sessions", mono={PID, STATEMENT}, is_tree=True)
        self.grid.setSortingEnabled(False)
        self.grid.header().setSectionsClickable(True)
        self.grid.header().setSortIndicatorShown(False)
        self.grid.header().sectionClicked.connect(self._sort)
        self.locks = RowsModel(self)
        self.lock_list = RowsView(self.locks, "activity.locks", "Locks of the chosen session", mono={1})
        self.text = CodeView(language=POSTGRESQL)
        self.text.setObjectName("activity.text")
        self.text.setAccessibleName("The statement of the chosen session")
        self.text.setLineWrapMode(CodeView.LineWrapMode.WidgetWidth)
        self._facts = ElidedLabel()
        self._facts.setObjectName("activity.facts")
        self._facts.setAccessibleName("The chosen session")
        self._facts.setProperty("muted", True)
        self._no_match = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._no_match.setObjectName("activity.none")
        self._no_match.setProperty("muted", True)
        self._no_match.hide()
        self._lay_out()
        self.which.currentIndexChanged.connect(self._again)
        self.search.textChanged.connect(self._again)
        self.grid.selectionModel().currentRowChanged.connect(self._choose)
        self._is_fresh = True  # whether no session of this server was shown yet

    def _lay_out(self) -> None:
        self._locks_title = QLabel("Locks")
        self._locks_title.setProperty("heading", 2)
        left, right = QWidget(), QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(4)
        column.addWidget(self._facts)
        column.addWidget(self.text, 1)
        column = QVBoxLayout(right)
        column.setContentsMargins(6, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._locks_title)
        column.addWidget(self.lock_list, 1)
        below = QSplitter(Qt.Orientation.Horizontal)
        below.setChildrenCollapsible(False)
        below.addWidget(left)
        below.addWidget(right)
        below.setSizes([300, 400])
        above = QWidget()
        column = QVBoxLayout(above)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._no_match)
        column.addWidget(self.grid, 1)
        split = _Split(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(above)
        split.addWidget(below)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 1)
        split.setSizes([420, 150])
        self.grid.setMinimumHeight(theme.scaled(90))
        below.setMinimumHeight(theme.scaled(84))
        self.head = FlowLayout(spacing=6, row_spacing=4)
        self.head.addWidget(self.which)
        self.head.addWidget(self.search)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(6)
        column.addLayout(self.head)
        column.addWidget(split, 1)
        # Where the lists have not even their least height the page is scrolled; else they would lie over each other.
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what it holds has the focus
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)

    # -- showing ------------------------------------------------------------------------------------------------

    def show_seen(self, seen: Seen, slots: dict[int, str]) -> None:
        """Show what a look found; *slots* has this program's own by pid, with their holders."""
        self._seen, self._slots = seen, slots
        self._again()
        self._show_locks(seen)

    def clear(self) -> None:
        """Show nothing: another server."""
        self._seen, self._slots, self._chosen = None, {}, None
        self._is_fresh = True
        self.model.show(())
        self.locks.show(_LOCK_HEADS, ())
        self._tell(None)

    def chosen(self) -> Session | None:
        """Return the session that is chosen, as it was last seen."""
        entry = self.model.entry(self.grid.currentIndex())
        return entry.session if entry is not None else None

    def chosen_pid(self) -> int:
        """Return its process number, 0 without one."""
        session = self.chosen()
        return session.pid if session is not None else 0

    def choose(self, pid: int) -> bool:
        """Choose the session *pid*; return whether it is shown."""
        found = next((entry for entry in self.model.entries() if entry.session.pid == pid), None)
        if found is not None:
            self.grid.setCurrentIndex(self.model.index_of(found))
        return found is not None

    def _again(self) -> None:
        if self._seen is None:
            return
        which = Which(self.which.currentData())
        entries = arranged(self._seen.sessions, self._slots, which, self.search.text())
        scrolled = self.grid.verticalScrollBar().value(), self.grid.horizontalScrollBar().value()
        chosen = self._chosen
        if self.model.show(entries):
            self._expand()
            self.grid.fit(anew=self._is_fresh)
            self._is_fresh = False
            found = self.model.find(chosen) if chosen is not None else QModelIndex()
            if found.isValid():
                self.grid.setCurrentIndex(found)
            self.grid.verticalScrollBar().setValue(scrolled[0])
            self.grid.horizontalScrollBar().setValue(scrolled[1])
        self._no_match.setText(_nothing(which, self.search.text()))
        self._no_match.setVisible(not entries)
        self._tell(self.model.entry(self.grid.currentIndex()))

    def _expand(self) -> None:
        """Open what has something below it."""
        for entry in self.model.entries():
            if entry.below:
                self.grid.expand(self.model.index_of(entry))

    def _choose(self, current: QModelIndex, _before: QModelIndex) -> None:
        entry = self.model.entry(current)
        if entry is not None and entry.session.key != self._chosen:
            self._chosen = entry.session.key
            self.locks.show(_LOCK_HEADS, ())
            self._locks_title.setText("Locks")
            self._tell(entry)
            self.chosen_changed.emit()

    def _tell(self, entry: Entry | None) -> None:
        if entry is None:
            self._facts.setText("Choose a session to see its statement and its locks.")
            self.text.set_code("")
            return
        session = entry.session
        parts = [f"{session.pid}", session.role or session.kind, session.state]
        if session.age_s is not None:
            parts.append(f"connected for {duration(session.age_s)}")
        parts.append(entry.findings)
        self._facts.setText(" · ".join(part for part in parts if part))
        said = session.statement or "-- The server does not tell what it runs."
        if self.text.toPlainText() != said:
            self.text.set_code(said)

    def _show_locks(self, seen: Seen) -> None:
        session = self.chosen()
        if session is None or seen.chosen != session.pid:
            return
        rows = [
            (lock.kind, lock.target, lock.mode, "yes" if lock.is_granted else _waited(lock.waited_s))
            for lock in seen.locks
        ]
        is_first = self.locks.rowCount() == 0
        self.locks.show(_LOCK_HEADS, rows)
        self.lock_list.fit(anew=is_first)
        missing = sum(not lock.is_granted for lock in seen.locks)
        self._locks_title.setText(f"Locks: {len(seen.locks)}" + (f", {missing} waited for" if missing else ""))

    def _sort(self, column: int) -> None:
        """Sort by the head that is clicked, then the other way round, then by urgency again."""
        header = self.grid.header()
        first = Qt.SortOrder.DescendingOrder if column in {STATEMENT_FOR, TRANSACTION_FOR, FINDINGS} else None
        first = first or Qt.SortOrder.AscendingOrder
        second = Qt.SortOrder(1 - first.value)
        if not header.isSortIndicatorShown() or header.sortIndicatorSection() != column:
            order: Qt.SortOrder | None = first
        else:
            order = second if header.sortIndicatorOrder() == first else None
        header.setSortIndicatorShown(order is not None)
        if order is not None:
            header.setSortIndicator(column, order)
            self.model.sort(column, order)
        else:
            self.model.sort(-1)
        self._expand()


def _nothing(which: Which, words: str) -> str:
    if words.strip():
        return "No session has all of these words."
    return {
        Which.BLOCKED: "Nobody waits for anybody.",
        Which.ACTIVE: "Nobody runs anything.",
        Which.MINE: "This program has no connection at the server now.",
    }.get(which, "There are no other sessions.")


def _waited(seconds: float | None) -> str:
    return "no, waits" if seconds is None else f"no, waits for {duration(max(0.0, seconds))}"
