"""Counting a table's rows at the server: one count at a time, which says that it runs and can be stopped."""

from collections.abc import Callable, Iterator

from PySide6.QtCore import QObject, Signal

from pgexplorer.db.table.browse import Table
from pgexplorer.jobs import Job, Jobs


class TableCount(QObject):
    """The count of a table that is under way, if any."""

    counted = Signal(int)
    failed = Signal(object)
    stopped = Signal()

    def __init__(self, jobs: Jobs, parent: QObject) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._running: tuple[Table, Job] | None = None

    @property
    def is_running(self) -> bool:
        """Whether rows are being counted."""
        return self._running is not None

    def start(self, table: Table) -> None:
        """Count the rows of *table*, which is of this piece of work alone; `counted` or `failed` follows."""

        def work() -> Iterator[int]:
            yield table.count()

        def done(rows: int) -> None:
            self._running = None
            self.counted.emit(rows)

        def failed(error: Exception) -> None:
            self._running = None
            self.failed.emit(error)

        job = self._jobs.start(work, name=f"count {table.relation.name}", yielded=done, failed=failed)
        self._running = table, job

    def stop(self) -> None:
        """End the count, here and at the server."""
        if self._running is not None:
            (table, job), self._running = self._running, None
            job.ignore()
            stop: Callable[[], Iterator[str]] = table.stop
            self._jobs.start(stop, name="stop a count")
            self.stopped.emit()
