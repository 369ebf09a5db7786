"""The window on a demo server for the benchmarks, and how evenly its event loop turns."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from PySide6.QtCore import QEventLoop, Qt, QTimer

from pgexplorer import app
from pgexplorer.demo.lease import DemoServer

TICK = 5  # milliseconds
P99, LONGEST = 16, 50  # milliseconds: the targets of the gaps
WAIT = 60.0


class Beating:
    """A window on a demo server, and the gaps of its event loop."""

    def __init__(self, server: DemoServer) -> None:
        self.application = app.start()
        self.window = self.application.workbench
        self.application.window.resize(1400, 880)
        self.gaps: list[float] = []
        self._last = 0.0
        self._timer = QTimer(interval=TICK, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._profile = replace(server.profile(), pool_class="ThreadedConnectionPool")
        self.open()

    def open(self, **changed: Any) -> None:
        """Open a pool in place of what is there: one that refuses at once, unless *changed* says otherwise."""
        self.application.server.open(replace(self._profile, **changed))
        self.until(lambda: self.application.server.is_open)
        self.settle()

    def _beat(self) -> None:
        now = time.perf_counter()
        if self._last:
            self.gaps.append(now - self._last)
        self._last = now

    def until(self, fact: Callable[[], bool]) -> None:
        """Turn the event loop until *fact*, looked at every 20 ms, is true."""
        loop = QEventLoop()
        deadline = time.perf_counter() + WAIT
        look = QTimer(interval=20)
        was_true = False  # once is enough: what was at rest may begin something before the loop has ended

        def watch() -> None:
            nonlocal was_true
            was_true = was_true or fact()
            if was_true or time.perf_counter() > deadline:
                loop.quit()

        look.timeout.connect(watch)
        look.start()
        loop.exec()
        look.stop()
        if not was_true:
            raise TimeoutError("the window did not come to rest")

    def rest(self, seconds: float) -> None:
        """Turn the event loop for so long."""
        end = time.perf_counter() + seconds
        self.until(lambda: time.perf_counter() > end)

    def settle(self) -> None:
        """Wait for the jobs, and for what they change on the screen."""
        self.until(lambda: self.application.jobs.running == 0)
        self.rest(0.2)

    def measured(self, work: Callable[[], None]) -> list[float]:
        """Return the gaps, in seconds, while *work* is done on a pool newly opened."""
        self.open()
        return self.beats(work)

    def beats(self, work: Callable[[], None]) -> list[float]:
        """Return the gaps, in seconds, while *work* is done on the pool that is open."""
        self.gaps, self._last = [], 0.0
        self._timer.start()
        work()
        self._timer.stop()
        return self.gaps
