"""The faults panel: breaking the pool's connections and its server on purpose, and scenarios that teach."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QEvent, Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QStackedLayout, QTabBar, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.db.profile import Environment
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo_host import DemoHost
from pgexplorer.jobs import Jobs
from pgexplorer.lab.faults import BY_ID, Faults
from pgexplorer.lab.guard import Refused
from pgexplorer.lab.news import Effect, News
from pgexplorer.lab.scenarios import Scenario, run
from pgexplorer.pool.errors import holders
from pgexplorer.server import InUse, Server
from pgexplorer.ui import theme
from pgexplorer.ui.actions import Action
from pgexplorer.ui.faults.form import FaultsForm
from pgexplorer.ui.faults.part_fields import named
from pgexplorer.ui.faults.scenario_part import ScenarioPart
from pgexplorer.ui.faults.server_bench import ServerBench
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.widgets.empty_state import EmptyState

_PULSE = 100  # milliseconds between two looks at the askers' counts
_BESIDE = 1000  # pixels at the usual text size from which both parts are in sight


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
        self._bench = ServerBench(server)
        self._faults: Faults | None = None
        self._seen: InUse | None = None  # what the other panels were told of
        self._busy = 0  # jobs that must not meet another
        self._holds = 0
        self._stop: threading.Event | None = None  # of the scenario that runs
        self._add_actions()
        self._breaks = FaultsForm(self.actions_by_name)
        self._breaks.link.clicked.connect(self._switch_link)
        self._teaches = ScenarioPart(self.actions_by_name)
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

    def _lay_out(self) -> None:
        self._tabs = QTabBar(drawBase=False, expanding=False)
        named(self._tabs, "faults.parts", "Break it, or scenarios")
        for title in ("Break it", "Scenarios"):
            self._tabs.addTab(title)
        self._tabs.currentChanged.connect(self._arrange)
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
        self._breaks.show_effect(effect)
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

    def _restart(self) -> None:
        how = self._breaks.how()
        self._do(lambda faults: faults.restart_server(how))

    def _stop_server(self) -> None:
        how = self._breaks.how()
        self._do(lambda faults: faults.stop_server(how))

    def _delay(self) -> None:
        seconds = self._breaks.delay()
        self._do(lambda faults: faults.delay(seconds))

    def _throttle(self) -> None:
        rate = self._breaks.rate()
        self._do(lambda faults: faults.throttle(rate))

    def _cut(self) -> None:
        how = self._breaks.cut()
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
        seconds, in_transaction = self._breaks.hold()
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
        plan = self._breaks.asking()
        self._do(lambda faults: faults.ask(plan))

    # -- scenarios ----------------------------------------------------------------------------------------------

    @property
    def scenario(self) -> Scenario:
        """The chosen scenario."""
        return self._teaches.scenario

    def run_scenario(self) -> None:
        """Run the chosen scenario; the pool in use comes back at its end."""
        if self._faults is None or self._busy or self._stop is not None:
            return
        self._unless_out_ends(self._begin_scenario)

    def _begin_scenario(self) -> None:
        faults, in_use = self._faults, self._server.in_use
        if faults is None or in_use is None or self._busy or self._stop is not None:
            return
        scenario, bench = self.scenario, self._bench
        stop = self._stop = threading.Event()
        restart = faults.restart_server if self._is_demo() else None
        self.message.clear()
        self._teaches.begin()
        self._enable()

        def work() -> Iterator[News]:
            faults.stop_asking()
            faults.let_go()
            yield from run(scenario, bench, stop=stop, restart=restart)

        def heard(news: News) -> None:
            self._tell_of_another_pool()
            self._teaches.hear(news)

        def ended() -> None:
            self._tell_of_another_pool()
            self._stop = None
            self._teaches.end()
            QTimer.singleShot(0, self._enable)

        self._jobs.start(work, name=f"scenario: {scenario.title}", yielded=heard, failed=self._failed, ended=ended)

    def stop_scenario(self) -> None:
        """Stop the scenario that runs; the pool before comes back."""
        if self._stop is not None:
            self._stop.set()
            self.action("scenario.stop").setEnabled(False)

    # -- the server in use --------------------------------------------------------------------------------------

    def _opened(self) -> None:
        self._end()
        in_use = self._server.in_use
        self._bench.detour = {}
        self._seen = in_use
        if in_use is not None and in_use.profile.environment is not Environment.PRODUCTION:
            self._faults = Faults(self._bench)
        self._breaks.begin()
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
        self._breaks.enable(ready=ready, linked=linked, is_demo=is_demo)
        self._show_link()

    def _show_link(self) -> None:
        self._breaks.link.setChecked(self._faults is not None and self._faults.is_linked)

    def _look(self) -> None:
        """Draw the askers' counts of the moment. Reads numbers; asks nobody."""
        askers = self._faults.askers if self._faults is not None else None
        self._breaks.show_askers(askers)
        if askers is None:
            self._pulse.stop()
            return
        if self.isVisible() and askers.active:
            self._pulse.start() if not self._pulse.isActive() else None
        if not askers.active:
            self._pulse.stop()

    def _arrange(self, _current: int = 0) -> None:
        """Show both parts where there is room for them, else the chosen one."""
        beside = self.width() >= theme.scaled(_BESIDE)
        current = self._tabs.currentIndex()
        self._tabs.setVisible(not beside)
        self._between.setVisible(beside)
        self._breaks.setVisible(beside or current == 0)
        self._teaches.setVisible(beside or current == 1)
        self._breaks.arrange(has_heading=beside)

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
