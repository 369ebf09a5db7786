"""The activity: what a server's sessions do and who blocks whom; its charts; its statements; a PgBouncer's console."""

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QHideEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QStackedWidget, QTabBar, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.db.activity.pgbouncer import Shown, show
from pgexplorer.db.activity.sessions import End, Outcome, Seen, Session, end_session, look
from pgexplorer.db.activity.statements import Statements, read_statements, reset_statements
from pgexplorer.db.errors import describe
from pgexplorer.db.profile import Environment
from pgexplorer.db.truth import Trouble, trouble_of
from pgexplorer.jobs import Jobs
from pgexplorer.server import InUse, Server
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.activity.pgbouncer import PgBouncerPage
from pgexplorer.ui.activity.sessions import SessionsPage
from pgexplorer.ui.activity.statements import StatementsPage
from pgexplorer.ui.ask import ask
from pgexplorer.ui.confirm_dialog import confirm_on_production
from pgexplorer.ui.looker import Looker
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.message_bar import MessageKind

_RATES = (1, 2, 5, 10)  # seconds between the end of a look and the next one
_SIZES_EVERY = 30.0  # seconds; the server looks at every file of its databases for them
_SESSIONS, _CHARTS, _STATEMENTS = "Sessions", "Charts", "Statements"
_PAGES = (_SESSIONS, _CHARTS, _STATEMENTS)


class ActivityPanel(Panel):
    """Looks at the server every few seconds while it is in sight, over a side connection that is closed each time."""

    TITLE = "Activity"
    ICON = "heart-pulse"

    def __init__(self, server: Server, jobs: Jobs, parent: QWidget | None = None) -> None:
        super().__init__("activity", parent)
        self._server = server
        self._jobs = jobs
        self._sized_at = float("-inf")
        self.seen: Seen | None = None
        self.add_actions(
            [
                Action("activity.refresh", "Look again", self.look_again, "F5", "refresh", "Ask the server now"),
                Action(
                    "activity.cancel", "Cancel the statement…", self._cancel, "", "stop",
                    "Cancel what the chosen session runs; the session stays",
                ),
                Action(
                    "activity.terminate", "Terminate the session…", self._terminate, "", "close-all",
                    "End the chosen session; its transaction is rolled back",
                ),
                Action("activity.copy", "Copy the statement", self._copy, "Ctrl+C", "copy"),
                Action("activity.find", "Filter sessions", self._find, "Ctrl+F", "search"),
                Action(
                    "activity.reset", "Reset the statements…", self._reset, "", "trash",
                    "Have pg_stat_statements count from nothing again",
                ),
            ]
        )  # fmt: skip
        self.removeAction(self.action("activity.copy"))  # the key means something else in a field
        self.action("activity.copy").setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.action("activity.find").setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.action("activity.refresh").setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.sessions = SessionsPage()
        self.statements = StatementsPage()
        self.pgbouncer = PgBouncerPage()
        self.charts: Any = None  # made, and pyqtgraph loaded, when they are first wanted
        self.grid = self.sessions.grid
        self.grid.addActions([self.action(f"activity.{name}") for name in ("copy", "cancel", "terminate")])
        self.grid.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.looker = Looker(self, server, jobs, self._make, self._pause_ms, self._failed)
        self.looker.found.connect(self._show)
        self._lay_out()
        self.sessions.chosen_changed.connect(self._chosen)
        self.statements.order_changed.connect(self.looker.look_soon)
        self.pgbouncer.view_changed.connect(self.looker.look_soon)
        for signal in (server.opened, server.swapped, server.closed):
            signal.connect(self._changed)
        self._changed()

    def _lay_out(self) -> None:
        self.pages = QTabBar()
        self.pages.setObjectName("activity.pages")
        self.pages.setAccessibleName("Parts of the activity")
        self.pages.setDrawBase(False)
        self.pages.setExpanding(False)
        self.pages.setUsesScrollButtons(False)
        self._said = ElidedLabel()
        self._said.setObjectName("activity.said")
        self._said.setAccessibleName("What the last look found")
        self._said.setProperty("muted", True)
        self.rate = QComboBox()
        self.rate.setObjectName("activity.rate")
        self.rate.setAccessibleName("How often the server is asked")
        self.rate.setToolTip("How often the server is asked while this is in sight")
        for seconds in _RATES:
            self.rate.addItem(f"{seconds} s", seconds)
        self.rate.setCurrentIndex(1)
        self.rate.currentIndexChanged.connect(self.looker.look_soon)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self._said, 1)
        head.addWidget(self.rate)
        refresh = button(self.action("activity.refresh"), "activity.refresh", style="small", text="")
        refresh.setProperty("icon_only", True)
        head.addWidget(refresh)
        for name, words in (("activity.cancel", "Cancel…"), ("activity.terminate", "Terminate…")):
            self.sessions.head.addWidget(button(self.action(name), name, style="small", text=words))
        self.statements.head.addWidget(
            button(self.action("activity.reset"), "activity.reset", style="small", text="Reset…")
        )
        self._stack = QStackedWidget()
        self._charts_seat = QWidget()
        seat = QVBoxLayout(self._charts_seat)
        seat.setContentsMargins(0, 0, 0, 0)
        self._nothing = EmptyState("heart-pulse", "No server yet", "Connect to a server to see what its sessions do.")
        for each in (self.sessions, self._charts_seat, self.statements, self.pgbouncer):
            self._stack.addWidget(each)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.pages)
        column.addLayout(head)
        column.addWidget(self.message)
        column.addWidget(self._stack, 1)
        self._whole = QStackedWidget()
        self._whole.addWidget(self._nothing)
        self._whole.addWidget(whole)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(10, 6, 10, 8)
        outer.addWidget(self._whole)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.pages.currentChanged.connect(self._turn)

    # -- which page ---------------------------------------------------------------------------------------------

    @property
    def is_console(self) -> bool:
        """Whether the server in use is a PgBouncer's console."""
        return self._server.in_use is not None and self._server.in_use.facts.is_console

    def show_page(self, title: str) -> None:
        """Show "Sessions", "Charts" or "Statements"."""
        self.pages.setCurrentIndex(_PAGES.index(title))

    def _page(self) -> str:
        return "" if self.is_console else _PAGES[max(0, self.pages.currentIndex())]

    def _turn(self) -> None:
        page = self._page()
        if page == _CHARTS and self.charts is None:
            from pgexplorer.ui.activity.charts import ChartsPage

            self.charts = ChartsPage()
            layout = self._charts_seat.layout()
            assert layout is not None
            layout.addWidget(self.charts)
        seats: dict[str, QWidget] = {"": self.pgbouncer, _SESSIONS: self.sessions, _STATEMENTS: self.statements}
        self._stack.setCurrentWidget(seats.get(page, self._charts_seat))
        self._enable()
        self.looker.look_soon()

    # -- looking ------------------------------------------------------------------------------------------------

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way, or will be without being asked for."""
        return self.looker.is_looking

    @property
    def is_paused(self) -> bool:
        """Whether it waits for a person to have it look again."""
        return self.looker.is_paused

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.looker.look_soon()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.leave()

    @override
    def leave(self) -> None:
        self.looker.leave()

    def look_again(self) -> None:
        """Look now, and go on looking."""
        self.message.clear()
        self.looker.look_again()

    def _make(self, in_use: InUse) -> Callable[[], object]:
        """Return the look that the page in sight wants."""
        page, side = self._page(), in_use.side
        if not page:
            wanted = self.pgbouncer.wanted()
            return lambda: show(side, wanted)
        if page == _STATEMENTS:
            order = self.statements.wanted_order()
            return lambda: read_statements(side, order)
        chosen = self.sessions.chosen_pid() if page == _SESSIONS else 0
        sizes = page == _CHARTS and time.monotonic() - self._sized_at >= _SIZES_EVERY
        figures = self.charts is not None  # once there are charts, they go on while the sessions are in sight
        return lambda: look(side, chosen=chosen, with_figures=figures, with_sizes=sizes)

    def _pause_ms(self) -> int:
        return int(self.rate.currentData()) * 1000

    def _failed(self, error: Exception) -> None:
        trouble = trouble_of(error)
        if trouble is Trouble.BUSY:  # who holds the side connection gives it back in a moment
            return
        self.looker.pause()
        words = describe(error)
        kind: MessageKind = "warning" if trouble is Trouble.FULL else "error"
        detail = "\n".join(part for part in (words.title, words.detail) if part)
        hint = f"{words.hint} It waits until you look again.".strip()
        self.message.show_message(kind, trouble, detail, hint, [("Look again", self.look_again)])

    def _changed(self) -> None:
        """Begin anew: another server, or none."""
        self.looker.begin_anew()
        self._sized_at = float("-inf")
        self.seen = None
        self.message.clear()
        self.sessions.clear()
        self.pgbouncer.clear()
        if self.charts is not None:
            self.charts.clear()
        is_open = self._server.is_open
        self._whole.setCurrentIndex(1 if is_open else 0)
        self._said.setText("Looking…" if is_open else "")
        before = self.pages.blockSignals(True)
        wanted = ["PgBouncer"] if self.is_console else list(_PAGES)
        if [self.pages.tabText(place) for place in range(self.pages.count())] != wanted:
            while self.pages.count():
                self.pages.removeTab(0)
            for title in wanted:
                self.pages.addTab(title)
        self.pages.blockSignals(before)
        self._turn()

    # -- showing ------------------------------------------------------------------------------------------------

    def _show(self, found: object) -> None:
        if isinstance(found, Seen):
            self.seen = found
            if found.sizes is not None:
                self._sized_at = time.monotonic()
            self.sessions.show_seen(found, self._slots(found))
            if self.charts is not None:
                self.charts.show_seen(found)
            self._said.setText(_summary(found))
        elif isinstance(found, Statements):
            self.statements.show_found(found)
            self._said.setText("Counted over all sessions since the last reset" if not found.missing else "")
        elif isinstance(found, Shown):
            self.pgbouncer.show_shown(found)
            rows = len(found.rows)
            self._said.setText(f"SHOW {found.what}: {rows} {'row' if rows == 1 else 'rows'}")
        self._enable()

    def _slots(self, seen: Seen) -> dict[int, str]:
        """Return the pool's own backends, each with its slot and holder; none where a pooler stands between."""
        if (in_use := self._server.in_use) is None or not seen.is_direct:
            return {}
        slots = in_use.pool.slots(patient=False)
        return {slot.pid: plain.one_line(f"#{slot.number} {slot.holder}".strip(), 40) for slot in slots if slot.pid}

    def _enable(self) -> None:
        session = self.sessions.chosen() if self._page() == _SESSIONS else None
        is_client = session is not None and (session.is_client or "worker" in session.kind)
        self.action("activity.cancel").setEnabled(
            session is not None and is_client and (session.is_active or not session.state)
        )
        self.action("activity.terminate").setEnabled(is_client)
        self.action("activity.copy").setEnabled(session is not None and bool(session.statement))
        self.action("activity.reset").setEnabled(self._page() == _STATEMENTS and self.statements.model.rowCount() > 0)
        self.action("activity.find").setEnabled(self._page() == _SESSIONS)

    def _chosen(self) -> None:
        self._enable()
        self.looker.look_soon()

    def _copy(self) -> None:
        if session := self.sessions.chosen():
            QGuiApplication.clipboard().setText(session.statement)

    def _find(self) -> None:
        self.sessions.search.setFocus()
        self.sessions.search.selectAll()

    # -- ending -------------------------------------------------------------------------------------------------

    def _cancel(self) -> None:
        self._end(End.CANCEL, "Cancel the statement", "What it has done in this statement is undone.")

    def _terminate(self) -> None:
        self._end(End.TERMINATE, "Terminate the session", "Its transaction is rolled back, and its program loses it.")

    def _end(self, end: End, title: str, what_then: str) -> None:
        session, in_use = self.sessions.chosen(), self._server.in_use
        if session is None or in_use is None:
            return
        lines = _described(session, self._slots(self.seen) if self.seen is not None else {})
        side = in_use.side

        def go() -> None:
            def done(outcome: Outcome) -> None:
                kind: MessageKind = "success" if outcome.is_done else "warning"
                self.message.show_message(kind, outcome.text, "", outcome.hint)
                self.looker.look_soon()

            def failed(error: Exception) -> None:
                words = describe(error)
                self.message.show_message("error", words.title, words.detail, words.hint)

            self._jobs.call(lambda: end_session(side, session, end), name="end a session", done=done, failed=failed)

        if in_use.profile.environment is Environment.PRODUCTION:
            confirm_on_production(self, self._server, [f"{title} {session.pid}", *lines, what_then], go)
        elif ask(self, f"{title} {session.pid}?", "\n".join([*lines, "", what_then])):
            go()

    def _reset(self) -> None:
        in_use = self._server.in_use
        if in_use is None:
            return
        side, text = in_use.side, "What was counted of every statement, in all databases, is lost."

        def go() -> None:
            def failed(error: Exception) -> None:
                words = describe(error)
                self.message.show_message("error", words.title, words.detail, words.hint)

            def done(_nothing: None) -> None:
                self.message.show_message("success", "pg_stat_statements counts from nothing again.")
                self.looker.look_soon()

            self._jobs.call(lambda: reset_statements(side), name="reset the statements", done=done, failed=failed)

        if in_use.profile.environment is Environment.PRODUCTION:
            confirm_on_production(self, self._server, ["Reset pg_stat_statements", text], go)
        elif ask(self, "Reset the statements?", text):
            go()


def _described(session: Session, slots: dict[int, str]) -> list[str]:
    who = " · ".join(part for part in (session.role, session.database, session.application, session.client) if part)
    lines = [who]
    if session.pid in slots:
        lines.append(f"It is slot {slots[session.pid]} of this program's own pool.")
    if session.statement:
        lines.append(plain.one_line(session.statement, 200))
    return lines


def _summary(seen: Seen) -> str:
    counts = seen.counts()
    total = sum(counts.values())
    parts = [f"{total} of {seen.max_connections} connections"]
    parts += [f"{count} {state}" for state, count in counts.items() if count and state != "other"]
    blocked = sum(bool(session.blockers) for session in seen.sessions)
    if blocked:
        parts.append(f"{blocked} blocked")
    if not seen.is_direct:
        parts.append("behind a pooler: own slots cannot be told")
    if not seen.is_told:
        parts.append("other roles' states are not told")
    return " · ".join(parts)
