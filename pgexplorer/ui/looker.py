"""Looking at a server again and again: one look at a time, while its panel is in sight and nothing has gone wrong."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from pgexplorer.jobs import Job, Jobs
from pgexplorer.server import InUse, Server


class Looker(QObject):
    """The looks of one panel, which forwards its show and hide events. A look that ends begins the next, after a pause.

    What a look of a server that is not in use any more has found is not told.
    """

    found = Signal(object)  # what a look returned

    def __init__(
        self,
        panel: QWidget,
        server: Server,
        jobs: Jobs,
        make: Callable[[InUse], Callable[[], Any]],
        pause_ms: Callable[[], int],
        failed: Callable[[Exception], object] | None = None,
    ) -> None:
        """*make* returns a look, which blocks; *pause_ms* how long to wait after it. *failed* hears what one raised."""
        super().__init__(panel)
        self._panel = panel
        self._server = server
        self._jobs = jobs
        self._make = make
        self._failed = failed
        self._pause_ms = pause_ms
        self.job: Job | None = None  # the look that is under way
        self._is_wanted = False  # another look, as soon as the one under way is over
        self.is_paused = False  # until a person has it look again
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._look)

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way, or will be without being asked for."""
        return self.job is not None or self._timer.isActive()

    @property
    def is_at_work(self) -> bool:
        """Whether a look is under way, or follows it at once."""
        return self.job is not None or self._is_wanted

    def look_soon(self) -> None:
        """Look now; where a look is under way, right after it; not at all while it is paused."""
        if self.job is not None:
            self._is_wanted = True
        elif not self.is_paused:
            self._look()

    def look_again(self) -> None:
        """Look now, and go on looking."""
        self.is_paused = False
        self.look_soon()

    def pause(self) -> None:
        """Look no more until `look_again`."""
        self.is_paused = True

    def leave(self) -> None:
        """Stop looking. A look that is under way closes its connection by itself, and is not heard any more."""
        self._timer.stop()
        self._is_wanted = False
        if self.job is not None:
            self.job.ignore()

    def begin_anew(self) -> None:
        """Forget the looks there were: another server, another pool, or none."""
        self.leave()
        self.is_paused = False

    def _look(self) -> None:
        in_use = self._server.in_use
        if in_use is None or self.job is not None or not self._panel.isVisible():
            return  # never two at once: the end of the one under way begins the next
        self._timer.stop()
        self._is_wanted = False

        def done(found: object) -> None:
            if self._server.in_use is in_use:
                self.found.emit(found)

        def failed(error: Exception) -> None:
            if self._server.in_use is in_use and self._failed is not None:
                self._failed(error)

        self.job = self._jobs.call(
            self._make(in_use),
            name=f"look for the {self._panel.objectName()}",
            done=done,
            failed=failed if self._failed is not None else None,
            ended=self._looked,
        )

    def _looked(self) -> None:
        self.job = None
        if not self._panel.isVisible() or not self._server.is_open or self.is_paused:
            return
        if self._is_wanted:
            self._look()
        else:
            self._timer.start(self._pause_ms())
