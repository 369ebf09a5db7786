"""A large block on its way into a table: read on a worker, written in short turns, taken back if it is stopped."""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from pgexplorer.db.table.changes import Slot
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.pending import State
from pgexplorer.models.table_model import TableModel

_TURN = 100  # rows that are written at once, which takes a fraction of a millisecond
_TURN_SECONDS = 0.003  # after which the window answers
_TELL = 150  # milliseconds after which is said how far it is, and then again: most blocks are there by then


class Paster(QObject):
    """One block at a time. While it is under way nothing else may change the rows; its owner sees to that."""

    progressed = Signal(int, int)  # rows that are written, of so many; 0 of 0 while that is not known
    ended = Signal()  # all is written, or nothing is

    def __init__(self, parent: QObject, model: TableModel, jobs: Jobs) -> None:
        super().__init__(parent)
        self._model = model
        self._jobs = jobs
        self._job: Job | None = None
        self._states: Iterator[tuple[Slot, State | None]] = iter(())
        self._written, self._of = 0, 0
        self._joins = False  # whether a step was begun
        self._is_whole = False  # whether all of it is written
        self._before: int | None = None  # which row of the view new rows come before; None for the end
        self._then: Callable[[], object] | None = None
        self.is_under_way = False
        self._tells = QTimer(self, interval=_TELL)
        self._tells.timeout.connect(self._tell)
        self._turns = QTimer(self, interval=0)
        self._turns.timeout.connect(self._turn)

    @property
    def has_begun(self) -> bool:
        """Whether some of a block is written."""
        return self._joins

    def begin(self) -> None:
        """Take notice that a block is wanted; `ended` follows."""
        self.is_under_way = True
        self._tells.start()

    def work(self, function: Callable[[], Any], then: Callable[[Any], object]) -> None:
        """Call *function* on a worker, and *then* with what it returns, unless it was stopped meanwhile."""

        def done(found: Any) -> None:
            self._job = None
            then(found)

        def ended() -> None:
            if self._job is job:  # it failed, which whoever hears of bugs is told
                self.stop()

        job = self._job = self._jobs.call(function, name="paste", done=done, ended=ended)

    def write(
        self,
        states: Iterator[tuple[Slot, State | None]],
        of: int,
        then: Callable[[], object],
        before: int | None = None,
    ) -> None:
        """Make *states*, about *of* them, one step of what is pending; call *then* when all is there.

        They are asked for in turns, here and not on a worker: what runs beside the window makes it wait for every
        piece of a frame. New rows come before the view's row *before*, at the table's end without one.
        """
        self._states, self._of, self._then, self._before = states, of, then, before
        self._written, self._joins, self._is_whole = 0, False, False
        self._turns.start()

    def stop(self) -> bool:
        """Take back what was written, and write no more; return whether there was anything to stop."""
        if not self.is_under_way:
            return False
        if self._job is not None:
            self._job.ignore()
            self._job = None
        if self._joins:
            self._model.take_back()
        self._end()
        return True

    def finish(self) -> None:
        """Take notice that there is nothing to write after all."""
        if self.is_under_way:
            self._end()

    def _turn(self) -> None:
        end, before_any = time.perf_counter() + _TURN_SECONDS, not self._joins
        if self._is_whole:  # in a turn of its own: there is much to paint after it
            self._finish()
            return
        while part := list(islice(self._states, _TURN)):
            before = self._model.rowCount() if self._before is None else self._before
            self._joins = self._model.put(part, before, joins=self._joins) or self._joins
            self._written += len(part)
            if before_any or time.perf_counter() > end:
                break  # after the first part the rows in sight are painted
        self._is_whole = not part

    def _finish(self) -> None:
        then, self._then = self._then, None
        if self._joins:
            self._model.tell()
        self._end()
        if then is not None:
            then()

    def _tell(self) -> None:
        self.progressed.emit(self._written, self._of)

    def _end(self) -> None:
        self._turns.stop()
        self._tells.stop()
        self._states, self._joins, self._then = iter(()), False, None
        self._written = self._of = 0
        self.is_under_way = False
        self.ended.emit()
