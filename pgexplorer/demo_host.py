"""The demo server while the window runs: starting it, the program's share in it, and its larger sample."""

import socket
from collections.abc import Iterator

from PySide6.QtCore import QObject, Signal

from pgexplorer.db.profile import Profile
from pgexplorer.demo.lease import DemoLease
from pgexplorer.demo.sample import Progress
from pgexplorer.jobs import Job, Jobs


class DemoHost(QObject):
    """Starts the demo server once and gives its share back at the program's end."""

    started = Signal(object)  # Profile
    failed = Signal(str)
    sample_progressed = Signal(int, int, str)  # done, total, what is being done
    sample_failed = Signal(str)
    sample_ended = Signal(bool)  # whether it was stopped before its end

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._lease: DemoLease | None = None
        self._starting: Job | None = None
        self._loading: Job | None = None
        self._is_stopped = False
        self._is_over = False

    def start(self) -> None:
        """Start the demo server in a job; `started` or `failed` follows. One that runs is told again."""
        if self._starting is not None:
            return
        before = self._lease

        def work() -> Iterator[DemoLease]:
            from pgexplorer.demo.server import start

            if before is not None and _answers(before):
                yield before
                return
            if before is not None:
                before.release()  # of a server that has died
            yield start()

        def started(lease: DemoLease) -> None:
            if self._is_over:
                lease.release()
                return
            self._lease = lease
            self.started.emit(lease.server.profile())

        def failed(error: Exception) -> None:
            self.failed.emit(str(error))

        def ended() -> None:
            self._starting = None

        self._starting = self._jobs.start(work, name="start the demo", yielded=started, failed=failed, ended=ended)

    def is_server_of(self, profile: Profile | None) -> bool:
        """Whether *profile* is the demo server's."""
        if self._lease is None or profile is None:
            return False
        server = self._lease.server
        return (profile.host, profile.port) == (server.host, str(server.port))

    @property
    def is_loading(self) -> bool:
        """Whether the sample is being loaded."""
        return self._loading is not None

    def load_sample(self) -> None:
        """Load the larger sample in a job; progress and the end are told."""
        if self._lease is None or self._loading is not None:
            return
        server = self._lease.server
        self._is_stopped = False

        def work() -> Iterator[Progress]:
            from pgexplorer.demo.sample import load

            for news in load(server):
                yield news
                if self._is_stopped:
                    break

        def progressed(news: Progress) -> None:
            self.sample_progressed.emit(news.done, news.total, news.text)

        def failed(error: Exception) -> None:
            self.sample_failed.emit(str(error))

        def ended() -> None:
            self._loading = None
            self.sample_ended.emit(self._is_stopped)

        self._loading = self._jobs.start(work, name="load the sample", yielded=progressed, failed=failed, ended=ended)

    def stop_sample(self) -> None:
        """Stop loading after the step under way."""
        self._is_stopped = True

    def release(self) -> None:
        """Give the share back; as the last one, the server ends. Blocks for 0.1 s as a rule, 5 s at most."""
        self._is_over = self._is_stopped = True
        if self._lease is not None:
            self._lease.release()
            self._lease = None


def _answers(lease: DemoLease) -> bool:
    try:
        with socket.create_connection((lease.server.host, lease.server.port), timeout=2):
            return True
    except OSError:
        return False
