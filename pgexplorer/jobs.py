"""The one crossing between threads: blocking work on a worker thread, its news on the GUI thread."""

import logging
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

_log = logging.getLogger(__name__)


class Job(QObject):
    """A blocking iterator, drained on a thread of its own and heard on the GUI thread.

    All public signals fire on the GUI thread, so any callable may be connected, also after the start.
    """

    yielded = Signal(object)  # every item, in order
    failed = Signal(object)  # the exception that ended it, without its traceback
    ended = Signal()  # always, last
    _crossed = Signal(str, object)  # the one signal ever emitted off the GUI thread

    def __init__(self, work: Callable[[], Iterator[Any]], name: str) -> None:
        super().__init__()
        self.name = name
        self.traceback = ""  # of the exception, for a report
        self.is_running = True
        self._work = work
        self._heard = True
        self.thread_ = threading.Thread(target=self._run, name=name, daemon=True)
        self._crossed.connect(self._deliver)

    def ignore(self) -> None:
        """Drop what is still to come, even what already lies in the event queue. `ended` fires all the same."""
        self._heard = False

    @property
    def is_heard(self) -> bool:
        """Whether its news is still delivered."""
        return self._heard

    def _run(self) -> None:
        try:
            for item in self._work():
                self._crossed.emit("yielded", item)
        except Exception as error:  # every failure of blocking work is told where it was asked for
            self.traceback = traceback.format_exc()
            # A traceback's frames hold connections and rows: what crosses is the exception alone.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            self._crossed.emit("failed", error)
        self._crossed.emit("ended", None)

    @Slot(str, object)
    def _deliver(self, name: str, news: object) -> None:
        if name == "ended":
            self.is_running = False
            self.ended.emit()
        elif self._heard:
            getattr(self, name).emit(news)


class Jobs(QObject):
    """Starts jobs, keeps each alive until it has ended, and waits for all of them at the program's end."""

    unheard = Signal(object, str)  # an exception that nobody asked to hear of, and its traceback

    def __init__(self) -> None:
        super().__init__()
        self._is_over = False
        self._running: set[Job] = set()
        self._ended: list[Job] = []
        self._reaper = QTimer(self, interval=500, singleShot=True)
        self._reaper.timeout.connect(self._reap)

    def start(
        self,
        work: Callable[[], Iterator[Any]],
        *,
        name: str = "work",
        yielded: Callable[[Any], object] | None = None,
        failed: Callable[[Any], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> Job:
        """Run *work* on a thread of its own; the callables hear its news on this thread, which is the GUI's."""
        job = Job(work, name)
        if yielded is not None:
            job.yielded.connect(yielded)

        # Weak, because a connected callable that holds its own sender is a circle that no collector sees.
        itself = weakref.ref(job)

        def unheard(error: object) -> None:
            self.unheard.emit(error, job.traceback if (job := itself()) else "")

        def retire() -> None:
            if job := itself():
                self._retire(job)

        job.failed.connect(failed or unheard)
        if ended is not None:
            job.ended.connect(ended)
        job.ended.connect(retire)
        if self._is_over:  # a timer that fires after the end finds nobody who could hear
            job.ignore()
        self._running.add(job)
        job.thread_.start()
        return job

    def call(
        self,
        function: Callable[[], Any],
        *,
        name: str = "work",
        done: Callable[[Any], object] | None = None,
        failed: Callable[[Any], object] | None = None,
        ended: Callable[[], object] | None = None,
    ) -> Job:
        """Run one blocking *function*; *done* hears what it returned."""

        def once() -> Iterator[Any]:
            yield function()

        return self.start(once, name=name, yielded=done, failed=failed, ended=ended)

    @property
    def running(self) -> int:
        """How many jobs have not ended."""
        return len(self._running)

    def drain(self, seconds: float) -> bool:
        """Ignore every job and wait until their threads end, *seconds* at most; return whether all did.

        The threads are daemons: one that is stuck in a dead link does not keep the program from ending.
        """
        self._is_over = True
        deadline = time.monotonic() + seconds
        for job in list(self._running):
            job.ignore()
        for job in list(self._running):
            job.thread_.join(max(0.0, deadline - time.monotonic()))
        stuck = [job.name for job in self._running if job.thread_.is_alive()]
        if stuck:
            _log.warning("still busy at the end: %s", ", ".join(stuck))
        return not stuck

    def _retire(self, job: Job) -> None:
        self._running.discard(job)
        # The thread may still hold the job for some instructions; were its reference the last, Qt's object would be
        # destroyed on the wrong thread.
        self._ended.append(job)
        self._reaper.start()

    def _reap(self) -> None:
        self._ended = [job for job in self._ended if job.thread_.is_alive()]
        if self._ended:
            self._reaper.start()
