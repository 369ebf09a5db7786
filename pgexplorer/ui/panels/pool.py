"""The pool panel: every slot with its holder, the pool's calls by hand, what they did inside, and their Python."""

import time
from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from pgexplorer.db.cancel import CANCEL, TERMINATE, signal_backend
from pgexplorer.db.profile import Environment
from pgexplorer.db.risk import Risk, risks
from pgexplorer.db.waits import waits
from pgexplorer.jobs import Jobs
from pgexplorer.pool.by_hand import ByHand, Outcome
from pgexplorer.pool.slot import Slot, SlotState
from pgexplorer.pool.stats import PoolStats
from pgexplorer.server import Server
from pgexplorer.ui import theme
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.confirm_dialog import confirm_on_production
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.slot_details import SlotDetails
from pgexplorer.ui.widgets.code_view import CodeView
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.figure_label import FigureLabel
from pgexplorer.ui.widgets.flow_layout import BalancedLayout, FlowLayout
from pgexplorer.ui.widgets.slot_board import SlotBoard, SlotRow
from pgexplorer.ui.widgets.states import StateKind
from pgexplorer.units import age, clock, duration

_PULSE = 50  # milliseconds between two looks at one half of the pool's records: its slots, its figures
_SLOWEST = 500  # where a look takes long, because busy threads have the interpreter
_SHARE = 25  # the look may take one part of so many
_KINDS: dict[SlotState, StateKind] = {
    SlotState.OPENING: "busy",
    SlotState.IDLE: "idle",
    SlotState.CHECKED_OUT: "info",
    SlotState.RUNNING: "good",
    SlotState.IN_TRANSACTION: "warn",
    SlotState.FAILED_TRANSACTION: "bad",
    SlotState.RETURNING: "busy",
    SlotState.BROKEN: "bad",
}


_CANCEL_AFTER = 0.3  # seconds: what runs for less is over before anybody can choose to cancel it
_LONG = 1.0  # seconds after which the server is asked what a statement waits for
_WAITS_PAUSE = 2.0  # seconds between two such questions
_WIDE = 46  # characters of a table in a message
_MENU = (("details", "Stack and history…"), ("terminate", "Terminate the backend"))
_AGEING = {SlotState.IN_TRANSACTION, SlotState.FAILED_TRANSACTION}


class PoolPanel(Panel):
    """The pool as it is, and in a person's hands. By hand nothing is careful: psycopg2 does what it does."""

    TITLE = "Pool"
    ICON = "pool"
    glance_changed = Signal(object, str, str)  # state kinds by slot, "2 of 3 in use", a tool tip

    def __init__(self, server: Server, jobs: Jobs) -> None:
        super().__init__("pool")
        self._server = server
        self._jobs = jobs
        self._busy = 0
        self._is_closed = False  # the pool, as the last look found it
        self._glanced: tuple[tuple[StateKind, ...], str, str] = ((), "", "")
        self._turn = False  # whose turn it is: the slots' where true
        self._seen: tuple[Slot, ...] = ()
        self._waits: dict[int, str] = {}  # what the server says that a backend waits for
        self._waits_at = 0.0  # when it may be asked again
        self._running: set[int] = set()  # pids on which a statement by hand runs
        self.slots = SlotBoard()
        self.slots.setObjectName("pool.slots")
        self.slots.setAccessibleName("Slots of the pool")
        self.slots.action_wanted.connect(self._slot_action)
        self.slots.current_changed.connect(self._enable)
        self.sql = QLineEdit("select * from person")
        self.sql.setObjectName("pool.sql")
        self.sql.setAccessibleName("SQL to run on the chosen connection")
        self.sql.setProperty("mono", True)
        self.private = CodeView()
        self.private.setObjectName("pool.private")
        self.private.setAccessibleName("psycopg2's own bookkeeping before and after")
        self.private.setPlaceholderText("Check a connection out: the pool's own lists stand here, before and after.")
        self.code = CodeView()
        self.code.setObjectName("pool.code")
        self.code.setAccessibleName("Everything done so far as a Python script")
        self._class = ElidedLabel()
        self._class.setProperty("muted", True)
        self._figures: dict[str, FigureLabel] = {}
        self._last = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._last.setObjectName("pool.last")
        self._last.setAccessibleName("What the last action did")
        self._last.setProperty("muted", True)
        self._add_actions()
        self.sql.returnPressed.connect(self.action("pool.run").trigger)
        self._lay_out()
        self._pulse = QTimer(self, interval=_PULSE)
        self._pulse.setObjectName("pool.pulse")
        self._pulse.timeout.connect(self._beat)
        server.opened.connect(self._opened)
        server.swapped.connect(self._opened)
        server.closed.connect(self._closed)
        server.opening.connect(self._opening)
        self._closed()

    # -- what it offers -----------------------------------------------------------------------------------------

    def _add_actions(self) -> None:
        here = "the chosen connection"
        rows: list[tuple[str, str, Callable[[], None], str, str, str]] = [
            # name, text, what it calls, keys, icon, tip
            ("check_out", "Check out", self._hand(ByHand.check_out), "Ctrl+Shift+O", "check-out", "Call getconn()"),
            ("check_in", "Check in", self._on_chosen(ByHand.check_in), "Ctrl+Shift+I", "check-in", f"Return {here}"),
            ("return_all", "Return all", self._hand(ByHand.return_all), "Ctrl+Shift+R", "return-all", "Return each"),
            ("exhaust", "Exhaust", self._hand(ByHand.exhaust), "Ctrl+Shift+X", "exhaust", "Until it raises"),
            ("run", "Run", self._run, "", "play", f"Run the statement on {here}"),
            ("leak", "Leak", self._on_chosen(ByHand.leak), "", "leak", f"Drop {here} without returning it"),
            ("return_twice", "Return twice", self._on_chosen(ByHand.return_twice), "", "twice", f"Return {here} twice"),
            ("return_stranger", "Return a stranger", self._hand(ByHand.return_stranger), "", "stranger",
             "Return a connection that the pool never made"),
            ("close_all", "Close all", self._close_all, "", "close-all",
             "Call closeall(): every connection, also those in use"),
            ("details", "Slot details", self._details, "Ctrl+Shift+D", "", "The chosen slot's stack and history"),
            ("reopen", "Reopen", self._hand(ByHand.reopen), "", "reopen", "Make a new pool with the same limits"),
        ]  # fmt: skip
        self.add_actions([Action(f"pool.{row[0]}", *row[1:]) for row in rows])

    def _lay_out(self) -> None:
        title = QLabel("Pool")
        title.setProperty("heading", 1)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(title)
        head.addWidget(self._class, 1)
        figures = BalancedLayout(spacing=18, row_spacing=8)
        for name in ("in use", "idle", "waiting", "served", "refused", "median wait"):
            figures.addWidget(self._figure(name))
        buttons = FlowLayout()
        for name, style in (
            ("pool.check_out", "primary"), ("pool.check_in", ""), ("pool.return_all", ""), ("pool.exhaust", ""),
        ):  # fmt: skip
            buttons.addWidget(button(self.action(name), name, style=style, has_icon=bool(style)))
        run = QHBoxLayout()
        run.setSpacing(8)
        run.addWidget(self.sql, 1)
        run.addWidget(button(self.action("pool.run"), "pool.run"))
        mischief = FlowLayout()
        for name, style in (
            ("pool.leak", ""), ("pool.return_twice", ""), ("pool.return_stranger", ""),
            ("pool.close_all", "danger"), ("pool.reopen", ""),
        ):  # fmt: skip
            mischief.addWidget(button(self.action(name), name, style=f"small {style}".strip()))
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(14, 12, 14, 14)
        column.setSpacing(10)
        column.addLayout(head)
        column.addLayout(figures)
        column.addWidget(self.slots)
        column.addLayout(buttons)
        column.addWidget(self.message)
        column.addLayout(run)
        column.addLayout(mischief)
        column.addWidget(self._last)
        for name, view, least in (
            ("Inside psycopg2", self.private, theme.scaled(118)),
            ("As Python", self.code, theme.scaled(170)),
        ):
            label = QLabel(name)
            label.setProperty("heading", 2)
            column.addWidget(label)
            view.setMinimumHeight(theme.scaled(least))
            column.addWidget(view, 1 if view is self.code else 0)
        self.private.setMaximumHeight(theme.scaled(172))
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what it holds has the focus
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        self._whole = scroll
        self._nothing = EmptyState(
            "pool", "No pool yet", "Connect to a server, and its pool is shown here slot by slot."
        )
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._whole)
        outer.addWidget(self._nothing)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def _figure(self, name: str) -> QWidget:
        figure = self._figures[name] = FigureLabel("0")
        figure.setAccessibleName(name)
        caption = QLabel(name)
        caption.setProperty("muted", True)
        whole = QWidget()
        cell = QGridLayout(whole)
        cell.setContentsMargins(0, 0, 0, 0)
        cell.setVerticalSpacing(0)
        cell.setColumnStretch(1, 1)  # they stay at the left of a wider column
        cell.addWidget(figure, 0, 0)
        cell.addWidget(caption, 1, 0)
        return whole

    # -- by hand ------------------------------------------------------------------------------------------------

    def _hand(self, act: Callable[[ByHand], Outcome]) -> Callable[[], None]:
        """Return what does *act* in a job; while it runs no other action can be begun."""

        def start() -> None:
            if self._server.in_use is None or self._busy:
                return
            hand = self._server.in_use.hand
            self._busy += 1
            self._enable()
            self._jobs.call(lambda: act(hand), name="by hand", done=self.show_outcome, ended=self._acted)

        return start

    def _on_chosen(self, act: Callable[[ByHand, int], Outcome]) -> Callable[[], None]:
        def start() -> None:
            if pid := self._chosen():
                self._hand(lambda hand: act(hand, pid))()

        return start

    def _run(self) -> None:
        pid, sql = self._chosen(), self.sql.text().strip()
        if self._server.in_use is None or not pid or not sql or pid in self._running:
            return
        if "\0" in sql:
            self.message.show_message("warning", "The statement holds a NUL character and is not sent.")
            return

        def judged(found: list[Risk]) -> None:
            confirm_on_production(self, self._server, [each.words for each in found], partial(self._send, pid, sql))

        if self._server.in_use.profile.environment is Environment.PRODUCTION:
            self._jobs.call(partial(risks, sql), name="look at a statement", done=judged)
        else:
            self._send(pid, sql)

    def _send(self, pid: int, sql: str) -> None:
        if self._server.in_use is None or pid in self._running:
            return
        hand = self._server.in_use.hand
        self._running.add(pid)
        self._enable()

        def ended() -> None:
            self._running.discard(pid)
            self._enable()

        # Not one of the actions that exclude each other: a long statement must not keep the person from the rest.
        self._jobs.call(lambda: hand.run(pid, sql), name="by hand", done=self.show_outcome, ended=ended)

    def _acted(self) -> None:
        self._busy -= 1
        # A click on the same button twice is one click: the second lies in the queue when the first has ended.
        QTimer.singleShot(0, self._enable)

    def show_outcome(self, outcome: Outcome) -> None:
        """Show what an action by hand did: in words, inside psycopg2, and as Python."""
        if self._server.in_use is None:
            return
        explanation = outcome.explanation
        self._last.setText("" if outcome.columns or explanation is not None else outcome.said)
        self._last.setVisible(bool(self._last.text()))
        if explanation is None:
            self.message.clear()
        else:
            actions = [] if "closed" not in explanation.title else [("Reopen", self.action("pool.reopen").trigger)]
            if "exhausted" in explanation.title:
                actions = [("Return all", self.action("pool.return_all").trigger)]
            kind = "error" if explanation.bases[0].endswith("PoolError") else "warning"
            self.message.show_message(
                kind, explanation.title, explanation.why, explanation.do, actions, preformatted=explanation.facts
            )
        if outcome.columns:
            self.message.show_message("success", outcome.said, preformatted=_table(outcome))
        QTimer.singleShot(0, self, self._reveal_message)  # when it has taken its room
        before, after = outcome.before.lines(), outcome.after.lines()
        same = before == after
        lines = ["# nothing changed inside", *after] if same else ["# before", *before, "# after", *after]
        self.private.set_code("\n".join(lines))
        self.code.set_code(self._server.in_use.hand.script.text())
        self.code.show_end()
        self.private.show_end()
        self._look()
        if held := self._server.in_use.hand.held():
            self.slots.select(str(held[-1].pid) if not self._chosen() else self.slots.selected_key())
        self._enable()

    def _reveal_message(self) -> None:
        """Scroll to what is said where not even its title is in sight: many slots stand above it."""
        top = self.message.mapTo(self._whole.viewport(), QPoint(0, 0)).y()
        is_in_sight = 0 <= top < self._whole.viewport().height() - theme.scaled(40)
        if self.message.isVisible() and not is_in_sight:
            self._whole.ensureWidgetVisible(self.message, 0, theme.scaled(12))

    def _slot_action(self, key: str, wanted: str) -> None:
        self.slots.select(key)
        if int(key) <= 0:
            return
        if wanted == "return":
            self.action("pool.check_in").trigger()
        elif wanted == "details":
            self._show_details(int(key))
        elif wanted in {"cancel", "terminate"} and self._server.in_use is not None:
            side, pid = self._server.side(), int(key)
            function = CANCEL if wanted == "cancel" else TERMINATE
            self._jobs.call(
                lambda: signal_backend(side, pid, function), name=wanted, done=self._signalled, failed=self._failed
            )

    def _details(self) -> None:
        if (key := self.slots.selected_key()) and int(key) > 0:
            self._show_details(int(key))

    def _show_details(self, pid: int) -> None:
        server = self._server
        SlotDetails(self, lambda: server.in_use.pool if server.in_use is not None else None, pid).show()

    def _signalled(self, words: str) -> None:
        self._last.setText(words)
        self._last.show()

    def _failed(self, error: Exception) -> None:
        show_failure(self.message, error, self._server)

    def _close_all(self) -> None:
        """Close the pool; where statements still run, say that psycopg2 waits for them, and how to end that."""
        if self._running and self._server.in_use is not None:
            pids = sorted(self._running)
            named = ", ".join(map(str, pids))
            self.message.show_message(
                "info",
                "closeall() waits for what still runs",
                f"psycopg2 closes a connection only when its statement has ended: backend {named}.",
                actions=[(f"Cancel {pid}", partial(self._slot_action, str(pid), "cancel")) for pid in pids],
            )
        self._hand(ByHand.close_all)()

    # -- what it shows ------------------------------------------------------------------------------------------

    def _opened(self) -> None:
        assert self._server.in_use is not None
        hand = self._server.in_use.hand
        self._nothing.hide()
        self._whole.show()
        self.message.clear()
        self._last.setText("Nothing done by hand yet.")
        self.slots.set_rows(())  # the places of another pool's connections are not this one's
        self.private.set_code("")
        self.code.set_code(hand.script.text())
        self._pulse.start()
        self._look()

    def _opening(self, _profile: object) -> None:
        self._whole.hide()

    def _closed(self) -> None:
        self._pulse.stop()
        self._whole.hide()
        self._nothing.show()
        self.slots.set_rows(())
        self._glanced = (), "Not connected", ""
        self.glance_changed.emit(*self._glanced)
        self._enable()

    def _beat(self) -> None:
        """Look at one half in turns, and less often where looking is slow: the window must answer first."""
        began = time.perf_counter()
        self._turn = not self._turn
        self._show_slots() if self._turn else self._show_figures()
        took = (time.perf_counter() - began) * 1000
        wanted = min(_SLOWEST, max(_PULSE, round(took * _SHARE)))
        if abs(wanted - self._pulse.interval()) > _PULSE // 2:
            self._pulse.setInterval(wanted)

    def _look(self) -> None:
        """Draw the records of the moment. Nothing here asks a connection or waits for a lock held over the network."""
        self._show_slots()
        self._show_figures()

    def _show_slots(self) -> None:
        if self._server.in_use is None:
            return
        slots = self._server.in_use.pool.slots(patient=False)
        now = time.monotonic()
        by_hand = {held.pid for held in self._server.in_use.hand.held()}
        self._seen = slots
        self._ask_waits(slots, now)
        self.slots.set_rows(
            [_row(slot, now, self._waits.get(slot.pid, ""), is_mine=slot.pid in by_hand) for slot in slots]
        )
        self._enable()

    def _show_figures(self) -> None:
        in_use = self._server.in_use
        if in_use is None:
            return
        pool, slots = in_use.pool, self._seen
        stats = pool.stats(patient=False)
        waits = f" · waits {pool.timeout:g} s" if pool.timeout else ""
        kind = f"{pool.kind} · min {pool.minconn} · max {pool.maxconn}{waits}"
        if kind != self._class.text():
            self._class.setText(kind)
        for name, text in (
            ("in use", f"{stats.used}"),
            ("idle", f"{stats.idle}"),
            ("waiting", f"{stats.waiting}"),
            ("served", f"{stats.served:,}"),
            ("refused", f"{stats.exhausted + stats.timed_out + stats.too_many:,}"),
            ("median wait", duration(stats.wait_median)),
        ):
            self._figures[name].show_text(text)
        beside = in_use.side.is_open
        kinds: tuple[StateKind, ...] = tuple(_KINDS[slot.state] for slot in slots)
        glance = kinds, _glance(stats, beside=beside), _tip(slots, stats, beside=beside)
        if glance != self._glanced:
            self._glanced = glance
            self.glance_changed.emit(*glance)
        self._enable(is_closed=stats.is_closed)

    def _ask_waits(self, slots: tuple[Slot, ...], now: float) -> None:
        """Have the server asked what statements wait for that run for long: over the side connection, now and then."""
        long = [slot.pid for slot in slots if slot.state is SlotState.RUNNING and now - slot.state_since > _LONG]
        if not long:
            self._waits = {}
        elif now >= self._waits_at and self.isVisible():
            self._waits_at = float("inf")  # one question at a time
            side = self._server.side()

            def done(found: dict[int, str]) -> None:
                self._waits = found

            def ended() -> None:
                self._waits_at = time.monotonic() + _WAITS_PAUSE

            self._jobs.call(lambda: waits(side, long), name="what statements wait for", done=done, ended=ended)

    def _chosen(self) -> int:
        """Return the pid of the chosen connection when it is out by hand, 0 when somebody else has it.

        Where the chosen one is idle, or none is chosen, it is the newest that is out by hand.
        """
        if self._server.in_use is None:
            return 0
        mine = [held.pid for held in self._server.in_use.hand.held()]
        key = self.slots.selected_key()
        if key and int(key) in mine:
            return int(key)
        chosen = next((row for row in self.slots.rows() if row.key == key), None)
        if chosen is not None and chosen.holder:
            return 0
        return mine[-1] if mine else 0

    def _enable(self, _key: str = "", *, is_closed: bool | None = None) -> None:
        in_use = self._server.in_use
        ready = in_use is not None and not self._busy
        if is_closed is not None:
            self._is_closed = is_closed
        chosen = self._chosen()
        rests = chosen not in self._running
        for name, usable in (
            ("pool.check_out", ready),
            ("pool.exhaust", ready),
            ("pool.return_all", ready),
            ("pool.return_stranger", ready),
            ("pool.close_all", ready),
            ("pool.reopen", ready and self._is_closed),
            ("pool.details", bool(self.slots.selected_key())),
            ("pool.check_in", ready and bool(chosen)),
            ("pool.leak", ready and bool(chosen) and rests),
            ("pool.return_twice", ready and bool(chosen) and rests),
            ("pool.run", in_use is not None and bool(chosen) and rests),
        ):
            if self.action(name).isEnabled() != usable:
                self.action(name).setEnabled(usable)


def _row(slot: Slot, now: float, wait: str, *, is_mine: bool) -> SlotRow:
    actions: list[tuple[str, str]] = [("return", "Return")] if is_mine else []
    if slot.state is SlotState.RUNNING and now - slot.state_since >= _CANCEL_AFTER:
        actions.append(("cancel", "Cancel"))
    holder = "nobody: leaked" if slot.leaked else slot.holder
    held = clock(slot.held_for(now)) if slot.held_since else ""
    return SlotRow(
        key=str(slot.pid or -slot.number),  # while it is opened there is no backend
        number=slot.number,
        pid=str(slot.pid) if slot.pid else "",
        state="leaked" if slot.leaked else str(slot.state),
        state_kind="bad" if slot.leaked else _KINDS[slot.state],
        age=_age(slot, now, wait),
        holder=holder,
        sql=slot.sql if slot.is_out else "",
        held=held,
        actions=tuple(actions),
        menu=_MENU if slot.pid else (),
    )


def _age(slot: Slot, now: float, wait: str) -> str:
    """Return what stands beside the state: how long a transaction has been idle, what a statement waits for."""
    if slot.state is SlotState.RUNNING:
        return f"· waits for {wait}" if wait else ""
    since = now - slot.state_since
    return age(since) if slot.state in _AGEING and since >= 1 else ""


def _glance(stats: PoolStats, *, beside: bool) -> str:
    said = "Pool closed" if stats.is_closed else f"{stats.used} of {stats.maxconn} in use"
    said = f"{said}, {stats.waiting} waiting" if stats.waiting else said
    return f"{said} + 1 side" if beside else said


def _tip(slots: tuple[Slot, ...], stats: PoolStats, *, beside: bool) -> str:
    if stats.is_closed:
        return "The pool is closed. Reopen it in the pool panel."
    who = [f"#{slot.number}  {slot.state}  {slot.holder}" for slot in slots if slot.is_out]
    free = stats.maxconn - stats.used
    lines = [f"{stats.size} connections are open on the server, {stats.maxconn} at most; {free} can be checked out."]
    if beside:
        lines.append("One more connection, pgexplorer/side, is open for a moment beside the pool.")
    return "\n".join([*lines, *who])


def _table(outcome: Outcome) -> str:
    """Lay the rows of a statement run by hand out in columns of text."""
    cells = [
        [*outcome.columns],
        *[["NULL" if value is None else str(value)[:40] for value in row] for row in outcome.rows],
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(outcome.columns))]
    while len(widths) > 1 and sum(widths) + 2 * len(widths) > _WIDE:  # a line that wraps is no table any more
        widths.pop()
    more = "  …" if len(widths) < len(outcome.columns) else ""
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() + more for row in cells
    )
