"""The faults panel: breaking the pool's connections and its server on purpose, and scenarios that teach."""

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QTabBar,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.cancel import end_all
from pgexplorer.db.client import Client
from pgexplorer.db.probe import Connection
from pgexplorer.db.profile import Environment, Profile
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo_host import DemoHost
from pgexplorer.jobs import Jobs
from pgexplorer.lab.askers import LONGEST_WORK, Askers, Asking, Tally, Way, total
from pgexplorer.lab.faults import BY_ID, LONGEST_DELAY, Faults
from pgexplorer.lab.guard import LONGEST, MOST_THREADS, Refused
from pgexplorer.lab.news import Bars, Concluded, Effect, News, Progressed, Said
from pgexplorer.lab.outage import How
from pgexplorer.lab.proxy import Cut
from pgexplorer.lab.scenarios import SCENARIOS, Scenario, run
from pgexplorer.pool.by_hand import ByHand
from pgexplorer.pool.choice import open_pool
from pgexplorer.pool.errors import holders
from pgexplorer.pool.protocol import Pool
from pgexplorer.server import InUse, Server
from pgexplorer.ui import theme
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.widgets.bar_chart import BarChart
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.flow_layout import FlowLayout
from pgexplorer.ui.widgets.name_delegate import NameDelegate
from pgexplorer.ui.widgets.spin_box import DoubleSpinBox, SpinBox

_PULSE = 100  # milliseconds between two looks at the askers' counts
_BESIDE = 1000  # pixels at the usual text size from which both parts are in sight
_MOST_BARS = 16  # threads with a bar of their own; of more, those served least and most
_STEPS = 1000  # of the progress bar
_ICON, _MUTED = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2
_RESTARTS: tuple[tuple[str, How], ...] = (("fast", "fast"), ("immediate", "immediate"))
_CUTS: tuple[tuple[str, str], ...] = (("reset", "reset"), ("end", "close"), ("mid-answer", "middle"))
_WAYS: tuple[tuple[str, Way], ...] = (("query", "query"), ("hold", "hold"))
_NOT_HERE = "The demo server alone can be stopped and started from here."


class FaultsPanel(Panel):
    """Two parts: faults by hand, and scenarios. Nothing of either for a server in production.

    All that it does ends with the server in use, and when the panel is left.
    """

    TITLE = "Faults"
    ICON = "bolt"

    def __init__(self, server: Server, jobs: Jobs, demo_host: DemoHost) -> None:
        super().__init__("faults")
        self._server = server
        self._jobs = jobs
        self._demo = demo_host
        self._bench = _ServerBench(server)
        self._faults: Faults | None = None
        self._seen: InUse | None = None  # what the other panels were told of
        self._busy = 0  # jobs that must not meet another
        self._holds = 0
        self._stop: threading.Event | None = None  # of the scenario that runs
        self._shown_askers: Askers | None = None
        self._buttons: dict[str, QPushButton] = {}
        self._served: deque[tuple[float, int]] = deque()  # when, how many, in the last second
        self._add_actions()
        self._make_fields()
        self._lay_out()
        self._pulse = QTimer(self, interval=_PULSE)
        self._pulse.timeout.connect(self._look)
        server.opened.connect(self._opened)
        server.swapped.connect(self._swapped)
        server.closed.connect(self._closed)
        if server.is_open:
            self._opened()
        else:
            self._show_state()

    # -- what it offers -----------------------------------------------------------------------------------------

    def _add_actions(self) -> None:
        def act(call: Callable[[Faults], Effect]) -> Callable[[], None]:
            return lambda: self._do(call)

        rows: list[tuple[str, str, Callable[[], Any], str]] = [
            # fault, text, what it calls, icon
            ("terminate_idle", "Idle", act(lambda faults: faults.terminate("idle")), ""),
            ("terminate_active", "Active", act(lambda faults: faults.terminate("active")), ""),
            ("terminate_transaction", "In transaction", act(lambda faults: faults.terminate("transaction")), ""),
            ("restart", "Restart", self._restart, "reopen"),
            ("stop_server", "Stop", self._stop_server, ""),
            ("start_server", "Start", act(Faults.start_server), ""),
            ("delay", "Delay", self._delay, ""),
            ("throttle", "Throttle", self._throttle, ""),
            ("cut", "Cut", self._cut, ""),
            ("hole", "Black hole", act(Faults.hole), ""),
            ("heal", "Heal", act(Faults.heal), ""),
            ("hold", "Hold one", self._hold, ""),
            ("ask", "Start", self._ask, ""),
        ]
        named = {"ask": "askers_start"}
        actions = [
            Action(f"faults.{named.get(id_, id_)}", text, call, "", icon, BY_ID[id_].does)
            for id_, text, call, icon in rows
        ]
        actions += [
            Action("faults.let_go", "Give back", self._let_go, "", "", "Give back at once what is held"),
            Action("faults.askers_stop", "Stop", act(Faults.stop_asking), "", "stop", "Stop the askers at once"),
            Action("scenario.run", "Run", self.run_scenario, "", "play", "Run the chosen scenario"),
            Action("scenario.stop", "Stop", self.stop_scenario, "", "stop", "Stop the scenario"),
        ]
        self.add_actions(actions)

    def _make_fields(self) -> None:
        self.link = QCheckBox("Through a proxy")
        _name(self.link, "faults.link", "The pool's link goes through a proxy", BY_ID["link"].does)
        self.link.clicked.connect(self._switch_link)
        self._restart_how = _choice("faults.restart_how", "How the server is stopped", _RESTARTS)
        self._restart_how.setToolTip("fast: in order, with a message to everybody; immediate: as in a crash")
        self._delay_ms = SpinBox(minimum=1, maximum=round(LONGEST_DELAY * 1000), value=50, suffix=" ms")
        _name(self._delay_ms, "faults.delay_ms", "Delay each way, in milliseconds")
        self._rate = SpinBox(minimum=1, maximum=100_000, value=20, suffix=" kB/s")
        _name(self._rate, "faults.throttle_rate", "Kilobytes a second on each connection, each way")
        self._cut_how = _choice("faults.cut_how", "How connections are cut", _CUTS)
        self._cut_how.setToolTip(
            "reset: RST, as a firewall; end: FIN, as a closing server; or in the midst of an answer"
        )
        self._hold_seconds = DoubleSpinBox(minimum=0.1, maximum=LONGEST, value=10.0, decimals=1, suffix=" s")
        _name(self._hold_seconds, "faults.hold_seconds", "Seconds to hold a connection")
        self._hold_open = QCheckBox("in a transaction")
        _name(self._hold_open, "faults.hold_transaction", "Hold it with a transaction open")
        self._threads = SpinBox(minimum=1, maximum=MOST_THREADS, value=8, suffix=" threads")
        _name(self._threads, "faults.threads", "Threads that ask")
        self._way = _choice("faults.ask_way", "What each asker does with its connection", _WAYS)
        self._way.setToolTip("query: run select pg_sleep; hold: do nothing with it")
        self._work = DoubleSpinBox(
            minimum=0.0, maximum=LONGEST_WORK, value=0.05, decimals=2, singleStep=0.05, suffix=" s"
        )
        _name(self._work, "faults.ask_work", "Seconds that each asker works")
        self._pause = DoubleSpinBox(
            minimum=0.0, maximum=LONGEST, value=0.05, decimals=2, singleStep=0.05, prefix="pause ", suffix=" s"
        )
        _name(self._pause, "faults.ask_pause", "Seconds that each asker pauses")
        self._widths: list[tuple[QWidget, int]] = [
            (self._restart_how, 134), (self._delay_ms, 92), (self._rate, 112), (self._cut_how, 138),
            (self._hold_seconds, 88), (self._threads, 102), (self._way, 106), (self._work, 82), (self._pause, 118),
        ]  # fmt: skip

    def _lay_out(self) -> None:
        self._tabs = QTabBar(drawBase=False, expanding=False)
        _name(self._tabs, "faults.parts", "Break it, or scenarios")
        for title in ("Break it", "Scenarios"):
            self._tabs.addTab(title)
        self._tabs.currentChanged.connect(self._arrange)
        self._breaks, self._teaches = self._lay_out_faults(), self._lay_out_scenarios()
        self._between = QFrame()
        self._between.setProperty("separator", "vertical")
        parts = QHBoxLayout()
        parts.setSpacing(14)
        parts.addWidget(self._breaks, 1)
        parts.addWidget(self._between)
        parts.addWidget(self._teaches, 1)
        self._whole = QWidget()
        column = QVBoxLayout(self._whole)
        column.setContentsMargins(12, 4, 12, 8)
        column.setSpacing(6)
        column.addWidget(self._tabs)
        column.addWidget(self.message)
        column.addLayout(parts, 1)
        self._nothing = EmptyState("bolt", "No pool yet")
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(self._whole)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def _lay_out_faults(self) -> QWidget:
        self._heading = _heading("Break it")
        self._said = _words("faults.said", "What just happened")
        self._look_at = _words("faults.look", "What to look at", muted=True)
        self._counts = _words("faults.counts", "What the askers met so far")
        self._by_thread = BarChart()
        self._by_thread.setObjectName("faults.by_thread")
        for widget in (self._counts, self._by_thread):
            widget.hide()

        styles = {"faults.stop_server": "danger", "faults.askers_start": "primary"}

        def buttons(*names: str) -> list[QWidget]:
            made = {name: button(self.action(name), name, style=styles.get(name, ""), has_icon=False) for name in names}
            self._buttons |= made
            return list(made.values())

        rows: list[tuple[str, list[QWidget]]] = [
            (
                "End a backend",
                buttons("faults.terminate_idle", "faults.terminate_active", "faults.terminate_transaction"),
            ),
            (
                "Demo server",
                [self._restart_how, *buttons("faults.restart", "faults.stop_server", "faults.start_server")],
            ),
            (
                "Its link",
                [
                    self.link,
                    _pair(*buttons("faults.delay"), self._delay_ms),
                    _pair(*buttons("faults.throttle"), self._rate),
                    _pair(*buttons("faults.cut"), self._cut_how),
                    *buttons("faults.hole", "faults.heal"),
                ],
            ),
            (
                "Hold",
                [
                    _pair(*buttons("faults.hold"), self._hold_seconds),
                    self._hold_open,
                    *buttons("faults.let_go"),
                ],
            ),
            (
                "Askers",
                [
                    self._threads,
                    _pair(self._way, self._work),
                    self._pause,
                    *buttons("faults.askers_start", "faults.askers_stop"),
                ],
            ),
        ]
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(5)
        captions: list[QLabel] = []
        for caption, widgets in rows:
            label = QLabel(caption)
            label.setProperty("muted", True)
            captions.append(label)
            flow = FlowLayout(spacing=6, row_spacing=4)
            for widget in widgets:
                flow.addWidget(widget)
            row = QHBoxLayout()
            row.setSpacing(8)
            row.addWidget(label, 0, Qt.AlignmentFlag.AlignTop)
            row.addLayout(flow, 1)
            column.addLayout(row)
        self._captions = captions
        column.addWidget(self._by_thread)
        column.addStretch(1)
        part = QWidget()
        whole = QVBoxLayout(part)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(4)
        whole.addWidget(self._heading)
        whole.addWidget(self._said)
        whole.addWidget(self._look_at)
        whole.addSpacing(4)
        whole.addWidget(_scrolled(inside), 1)
        whole.addWidget(self._counts)
        return part

    def _lay_out_scenarios(self) -> QWidget:
        self._list = QListWidget()
        _name(self._list, "scenario.list", "Scenarios")
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setItemDelegate(NameDelegate(self._list, _ICON, _MUTED))
        self._list.setProperty("card", True)
        for scenario in SCENARIOS:
            item = QListWidgetItem(scenario.title)
            item.setData(_ICON, "play")
            item.setData(_MUTED, scenario.line)
            item.setToolTip(scenario.text)
            self._list.addItem(item)
        self._list.currentRowChanged.connect(self._choose)
        self._list.itemActivated.connect(self.action("scenario.run").trigger)
        self._title = _heading("")
        self._text = _words("scenario.text", "What the scenario does", muted=True)
        self._conclusion = _words("scenario.conclusion", "What was measured")
        self._conclusion.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._now = _words("scenario.said", "What the scenario does now", muted=True)
        self._progress = QProgressBar(maximum=_STEPS, textVisible=False)
        _name(self._progress, "scenario.progress", "How far the scenario is")
        self._progress.setProperty("thin", True)
        policy = self._progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # else the buttons would take its room
        self._progress.setSizePolicy(policy)
        self._chart = BarChart()
        self._chart.setObjectName("scenario.chart")
        feet = QHBoxLayout()
        feet.setSpacing(6)
        feet.addWidget(button(self.action("scenario.run"), "scenario.run", style="primary"))
        feet.addWidget(button(self.action("scenario.stop"), "scenario.stop", has_icon=False))
        feet.addWidget(self._progress, 1)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(6)
        for widget in (self._conclusion, self._chart, self._text, self._now):
            column.addWidget(widget)
        column.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(6)
        right.addWidget(self._title)
        right.addLayout(feet)
        right.addWidget(_scrolled(inside), 1)
        part = QWidget()
        whole = QHBoxLayout(part)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(12)
        whole.addWidget(self._list, 1)
        whole.addLayout(right, 1)
        for widget in (self._conclusion, self._chart, self._now, self._progress):
            widget.hide()
        self._list.setCurrentRow(0)
        return part

    # -- faults by hand -----------------------------------------------------------------------------------------

    def _do(self, act: Callable[[Faults], Effect], *, swaps: bool = False) -> None:
        """Do *act* in a job; while it runs no other fault can be begun. *swaps*: it opens another pool."""
        faults = self._faults
        if faults is None or self._busy or self._stop is not None:
            return
        self._busy += 1
        self.message.clear()
        self._enable()

        def ended() -> None:
            self._busy -= 1
            if swaps:
                self._tell_of_another_pool()
            # A click on the same button twice is one click: the second lies in the queue when the first has ended.
            QTimer.singleShot(0, self._enable)

        self._jobs.call(lambda: act(faults), name="fault", done=self._show_effect, failed=self._failed, ended=ended)

    def _show_effect(self, effect: Effect) -> None:
        if self._faults is None:
            return
        self._said.setText(effect.said)
        self._look_at.setText(effect.look)
        self._look_at.setVisible(bool(effect.look))
        self._look()
        self._enable()

    def _failed(self, error: Exception) -> None:
        if self._faults is None:  # the server was left: nobody asks any more
            return
        if isinstance(error, Refused | DemoUnavailable | TimeoutError):
            self.message.show_message("warning", str(error))
        elif not isinstance(error, ConnectionAbortedError):
            show_failure(self.message, error, self._server)
        self._enable()

    def _how(self) -> How:
        return cast("How", self._restart_how.currentData())

    def _restart(self) -> None:
        how = self._how()
        self._do(lambda faults: faults.restart_server(how))

    def _stop_server(self) -> None:
        how = self._how()
        self._do(lambda faults: faults.stop_server(how))

    def _delay(self) -> None:
        seconds = self._delay_ms.value() / 1000
        self._do(lambda faults: faults.delay(seconds))

    def _throttle(self) -> None:
        rate = self._rate.value() * 1000
        self._do(lambda faults: faults.throttle(rate))

    def _cut(self) -> None:
        how = cast("Cut", self._cut_how.currentData())
        self._do(lambda faults: faults.cut(how))

    def _switch_link(self, on: bool) -> None:
        faults = self._faults
        self._show_link()  # it is on when it is on
        if faults is not None:
            self._unless_out_ends(lambda: self._do(lambda faults: faults.link(on), swaps=True))

    def _unless_out_ends(self, go_on: Callable[[], object]) -> None:
        """Call *go_on*, which opens another pool, at once or when the person agrees that what is out ends."""
        in_use = self._server.in_use
        slots = in_use.pool.slots(patient=False) if in_use is not None else ()
        ends = holders([slot for slot in slots if not slot.holder.startswith("asker ")])
        if not ends:
            go_on()
            return

        def agreed() -> None:
            self.message.clear()
            go_on()

        self.message.show_message(
            "warning",
            "This opens another pool",
            f"What is out of the present one ends: {ends}.",
            actions=[("Go on", agreed)],
        )

    def _hold(self) -> None:
        faults = self._faults
        if faults is None or self._stop is not None:
            return
        seconds, in_transaction = self._hold_seconds.value(), self._hold_open.isChecked()
        self._holds += 1
        self.message.clear()
        self._enable()

        def ended() -> None:
            self._holds -= 1
            self._enable()

        self._jobs.start(
            lambda: faults.hold(seconds, in_transaction=in_transaction),
            name="hold a connection",
            yielded=self._show_effect,
            failed=self._failed,
            ended=ended,
        )

    def _let_go(self) -> None:
        if self._faults is not None:
            self._faults.let_go()

    def _ask(self) -> None:
        way = cast("Way", self._way.currentData())
        plan = Asking(self._threads.value(), way, self._work.value(), self._pause.value())
        self._do(lambda faults: faults.ask(plan))

    # -- scenarios ----------------------------------------------------------------------------------------------

    @property
    def scenario(self) -> Scenario:
        """The chosen scenario."""
        return SCENARIOS[max(0, self._list.currentRow())]

    def run_scenario(self) -> None:
        """Run the chosen scenario; the pool in use comes back at its end."""
        if self._faults is None or self._busy or self._stop is not None:
            return
        self._unless_out_ends(self._begin_scenario)

    def _begin_scenario(self) -> None:
        faults, in_use = self._faults, self._server.in_use
        if faults is None or in_use is None or self._busy or self._stop is not None:
            return
        scenario, bench, row = self.scenario, self._bench, self._list.currentRow()
        stop = self._stop = threading.Event()
        restart = faults.restart_server if self._is_demo() else None
        self.message.clear()
        self._show_text(running=True)
        self._enable()

        def work() -> Iterator[News]:
            faults.stop_asking()
            faults.let_go()
            yield from run(scenario, bench, stop=stop, restart=restart)

        def heard(news: News) -> None:
            self._tell_of_another_pool()
            self._hear(news, row)

        def ended() -> None:
            self._tell_of_another_pool()
            self._progress.hide()
            self._list.setCurrentRow(row)  # what is shown is of the one that ran
            self._stop = None
            if self._conclusion.isHidden():
                self._show_text(running=False)
            QTimer.singleShot(0, self._enable)

        self._jobs.start(work, name=f"scenario: {scenario.title}", yielded=heard, failed=self._failed, ended=ended)

    def stop_scenario(self) -> None:
        """Stop the scenario that runs; the pool before comes back."""
        if self._stop is not None:
            self._stop.set()
            self.action("scenario.stop").setEnabled(False)

    def _hear(self, news: News, row: int) -> None:
        match news:
            case Said(text):
                self._now.setText(text)
                self._now.show()
            case Progressed(done, text):
                self._progress.setValue(round(done * _STEPS))
                self._text.setText(text)
            case Bars(title, bars):
                self._chart.set_bars(title, list(bars))
                self._chart.show()
            case Concluded(sentence):
                self._conclusion.setText(sentence)
                self._conclusion.show()
                self._now.hide()
                self._text.setText(SCENARIOS[row].text)
                self._list.item(row).setData(_ICON, "check")

    def _choose(self, _row: int) -> None:
        if self._stop is None:
            self._show_text(running=False)

    def _show_text(self, *, running: bool) -> None:
        """Show what the chosen scenario is about, and nothing of a run before."""
        self._title.setText(self.scenario.title)
        self._text.setText("" if running else self.scenario.text)
        for widget in (self._conclusion, self._chart, self._now):
            widget.hide()
        self._now.setText("")
        self._progress.setValue(0)
        self._progress.setVisible(running)

    # -- the server in use --------------------------------------------------------------------------------------

    def _opened(self) -> None:
        self._end()
        in_use = self._server.in_use
        self._bench.detour = {}
        self._seen = in_use
        if in_use is not None and in_use.profile.environment is not Environment.PRODUCTION:
            self._faults = Faults(self._bench)
        self._said.setText("Nothing broken yet.")
        self._look_at.hide()
        self.message.clear()
        self._show_state()

    def _swapped(self) -> None:
        """Hear of a pool in place of the one before; where another panel put it there, the link is off with it."""
        if self._server.in_use is self._seen:
            return
        self._seen = self._server.in_use
        faults = self._faults
        if faults is not None and faults.is_linked:
            self._bench.detour = {}
            self._jobs.call(faults.unlinked, name="end the proxy", ended=self._enable)
            self._show_effect(Effect("Another pool took the place of the one through the proxy: its link is direct."))

    def _tell_of_another_pool(self) -> None:
        """Tell the other panels of a pool that a job of this panel's has put in place."""
        in_use = self._server.in_use
        if in_use is not None and in_use is not self._seen:
            self._seen = in_use
            self._server.swapped.emit()

    def _closed(self) -> None:
        self._end()
        self._seen = None
        self.message.clear()
        self._show_state()

    def _end(self) -> None:
        """End all that was begun, in a job."""
        if self._stop is not None:
            self._stop.set()
        faults, self._faults = self._faults, None
        if faults is not None:
            self._jobs.call(faults.close, name="end the faults")

    @override
    def leave(self) -> None:
        """End all that was begun: the panel or the program is about to go."""
        self._pulse.stop()
        self._end()

    def _is_demo(self) -> bool:
        in_use = self._server.in_use
        return in_use is not None and self._demo.is_server_of(in_use.profile)

    # -- what it shows ------------------------------------------------------------------------------------------

    def _show_state(self) -> None:
        in_use = self._server.in_use
        if in_use is None:
            self._nothing.say("bolt", "No pool yet", "Connect to a server, and its pool can be broken here on purpose.")
        elif self._faults is None:
            self._nothing.say(
                "shield-lock",
                "Nothing is broken in production",
                f"{in_use.profile.title} is marked production. Faults and scenarios end connections on purpose: they "
                "are offered for development and staging servers only.",
            )
        self._pages.setCurrentWidget(self._nothing if self._faults is None else self._whole)
        self._look()
        self._enable()

    def _enable(self) -> None:
        faults = self._faults
        ready = faults is not None and not self._busy and self._stop is None
        linked = ready and faults is not None and faults.is_linked
        is_demo = self._is_demo()
        asking = faults is not None and faults.askers is not None
        usable = dict.fromkeys(
            ("faults.terminate_idle", "faults.terminate_active", "faults.terminate_transaction"), ready
        )
        usable |= dict.fromkeys(("faults.restart", "faults.stop_server", "faults.start_server"), ready and is_demo)
        usable |= dict.fromkeys(("faults.delay", "faults.throttle", "faults.cut", "faults.hole", "faults.heal"), linked)
        usable |= {
            "faults.hold": faults is not None and self._stop is None,
            "faults.let_go": self._holds > 0,
            "faults.askers_start": ready,
            "faults.askers_stop": ready and asking,
            "scenario.run": ready,
            "scenario.stop": self._stop is not None and not self._stop.is_set(),
        }
        for name, is_usable in usable.items():
            if self.action(name).isEnabled() != is_usable:
                self.action(name).setEnabled(is_usable)
        for name in ("restart", "stop_server", "start_server"):
            self._buttons[f"faults.{name}"].setToolTip(BY_ID[name].does if is_demo else _NOT_HERE)
        self.link.setEnabled(ready)
        self._restart_how.setEnabled(ready and is_demo)
        for field in (self._delay_ms, self._rate, self._cut_how):
            field.setEnabled(linked)
        self._show_link()

    def _show_link(self) -> None:
        self.link.setChecked(self._faults is not None and self._faults.is_linked)

    def _look(self) -> None:
        """Draw the askers' counts of the moment. Reads numbers; asks nobody."""
        askers = self._faults.askers if self._faults is not None else None
        self._counts.setVisible(askers is not None)
        self._by_thread.setVisible(askers is not None)
        if askers is not self._shown_askers:
            self._shown_askers = askers
            self._served.clear()
        if askers is None:
            self._pulse.stop()
            return
        if self.isVisible() and askers.active:
            self._pulse.start() if not self._pulse.isActive() else None
        counts, now = askers.counts(), time.monotonic()
        whole = total(counts)
        self._served.append((now, whole.served))
        while now - self._served[0][0] > 1.0:
            self._served.popleft()
        self._counts.setText(_counted(whole, _rate(self._served), askers))
        title, bars = _bars(counts)
        self._by_thread.set_bars(title, bars)
        if not askers.active:
            self._pulse.stop()

    def _arrange(self, _current: int = 0) -> None:
        """Show both parts where there is room for them, else the chosen one."""
        beside = self.width() >= theme.scaled(_BESIDE)
        current = self._tabs.currentIndex()
        self._tabs.setVisible(not beside)
        self._heading.setVisible(beside)
        self._between.setVisible(beside)
        self._breaks.setVisible(beside or current == 0)
        self._teaches.setVisible(beside or current == 1)
        width = max(label.fontMetrics().horizontalAdvance(label.text()) for label in self._captions) + 2
        for field, pixels in self._widths:
            field.setFixedWidth(theme.scaled(pixels))
        height = self._delay_ms.sizeHint().height()
        for label in self._captions:
            label.setFixedWidth(width)
            label.setMinimumHeight(height)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            self._arrange()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._arrange()
        self._look()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._pulse.stop()


class _ServerBench:
    """The pool in use as the lab's bench: another pool takes its place, past or through a proxy. For worker threads.

    Who called emits Server.swapped on the GUI thread.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.detour: dict[str, Any] = {}

    @property
    def profile(self) -> Profile:
        return self._in_use().profile

    @property
    def pool(self) -> Pool:
        return self._in_use().pool

    def open(self, kind: str, minconn: int, maxconn: int) -> None:
        before = self._in_use()
        end_all(before.pool, lambda: before.side(1))
        profile = dataclasses.replace(before.profile, pool_class=kind, minconn=minconn, maxconn=maxconn)

        def make() -> Pool:
            parameters = profile.parameters() | self.detour
            return open_pool(kind, minconn, maxconn, timeout=profile.wait_s, **parameters)

        def reopen() -> Pool:
            fresh = make()
            in_use.client = Client(fresh)
            return fresh

        pool = make()
        hand = ByHand(pool, profile.script_parameters(), reopen=reopen, connect=before.side)
        in_use = dataclasses.replace(before, profile=profile, hand=hand, client=Client(pool))
        if self._server.in_use is not before:
            end_all(pool, lambda: before.side(1))
            raise ConnectionAbortedError("The server was left.")
        self._server.in_use = in_use

    def connect(self) -> Connection:
        return self._in_use().side()

    def _in_use(self) -> InUse:
        if self._server.in_use is None:
            raise ConnectionAbortedError("The server was left.")
        return self._server.in_use


def _counted(whole: Tally, rate: float, askers: Askers) -> str:
    words = f"{whole.served:,} served · {whole.refused:,} refused · {whole.timed_out:,} timed out"
    words += f" · {whole.failed:,} failed" if whole.failed else ""
    return f"{words} · {rate:,.0f} served a second" if askers.active else f"{words} · ended"


def _rate(served: Sequence[tuple[float, int]]) -> float:
    (began, first), (now, last) = served[0], served[-1]
    return (last - first) / (now - began) if now > began else 0.0


def _bars(counts: Sequence[Tally]) -> tuple[str, list[tuple[str, float, str]]]:
    """Return a title and a bar for each thread, or for those that were served least and most."""
    title, shown = "Served, by thread", list(counts)
    if len(shown) > _MOST_BARS:
        half = _MOST_BARS // 2
        shown = sorted(counts, key=lambda tally: -tally.served)
        shown = [*shown[:half], *shown[-half:]]
        title = f"Served, by thread: the {half} of {len(counts)} served most, and the {half} served least"
    return title, [(tally.name, tally.served, _words_of(tally)) for tally in shown]


def _words_of(tally: Tally) -> str:
    lost = tally.refused + tally.timed_out + tally.failed
    return f"{tally.served:,} ({lost:,} not)" if lost else f"{tally.served:,}"


def _choice(name: str, words: str, options: Sequence[tuple[str, str]]) -> QComboBox:
    result = QComboBox()
    for text, data in options:
        result.addItem(text, data)
    _name(result, name, words)
    return result


def _name(widget: QWidget, name: str, words: str, tip: str = "") -> None:
    widget.setObjectName(name)
    widget.setAccessibleName(words)
    widget.setToolTip(tip or words)


def _pair(*widgets: QWidget) -> QWidget:
    """Return *widgets* side by side as one, so that a row never breaks between them."""
    pair = QWidget()
    row = QHBoxLayout(pair)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget)
    pair.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return pair


def _heading(text: str) -> QLabel:
    result = QLabel(text)
    result.setProperty("heading", 2)
    return result


def _words(name: str, meaning: str, *, muted: bool = False) -> QLabel:
    result = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
    result.setObjectName(name)
    result.setAccessibleName(meaning)
    result.setProperty("muted", muted)
    return result


def _scrolled(inside: QWidget) -> QScrollArea:
    scroll = QScrollArea(widgetResizable=True)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what it holds has the focus
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(inside)
    scroll.setMinimumHeight(theme.scaled(40))  # a row at least
    return scroll
