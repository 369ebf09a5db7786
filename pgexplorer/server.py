"""The server in use: its profile, its pool, and the signals that tell the panels."""

import dataclasses
import logging
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QObject, Signal

from pgexplorer.db.cancel import end_all
from pgexplorer.db.client import Client
from pgexplorer.db.probe import Connection, Facts, connect_side, facts
from pgexplorer.db.profile import Profile
from pgexplorer.db.query import ROW_LIMIT, Query
from pgexplorer.db.session import Session
from pgexplorer.db.side import SideDoor
from pgexplorer.jobs import Job, Jobs
from pgexplorer.pool.by_hand import ByHand
from pgexplorer.pool.choice import open_pool
from pgexplorer.pool.protocol import Pool

_log = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class InUse:
    """What exists while a server is in use."""

    profile: Profile
    hand: ByHand
    client: Client
    facts: Facts
    side: SideDoor

    @property
    def pool(self) -> Pool:
        """The pool; another one after Reopen."""
        return self.hand.pool


class Server(QObject):
    """The one server that the window is connected to, if any.

    Opening and closing are jobs. The signals fire on the GUI thread.
    """

    opening = Signal(object)  # Profile
    opened = Signal()
    failed = Signal(object)  # the exception; nothing is in use
    closed = Signal()
    swapped = Signal()  # another pool took the place of the one in use, on the same server

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._opening: Job | None = None
        self.in_use: InUse | None = None

    @property
    def is_open(self) -> bool:
        """Whether a server is in use."""
        return self.in_use is not None

    @property
    def is_opening(self) -> bool:
        """Whether a pool is being opened."""
        return self._opening is not None

    def open(self, profile: Profile, then: Callable[[], object] | None = None) -> None:
        """Open the profile's pool in place of the present one; `opened` or `failed` follows, then *then*."""
        if self._opening is not None:
            return
        before, self.in_use = self.in_use, None
        if before is not None:
            self.closed.emit()
        self.opening.emit(profile)

        def work() -> Iterator[InUse]:
            if before is not None:
                _close(before)
            yield _open(profile)

        def done(in_use: InUse) -> None:
            self.in_use = in_use
            self._opening = None
            self.opened.emit()
            if then is not None:
                then()

        def failed(error: Exception) -> None:
            self._opening = None
            self.failed.emit(error)

        self._opening = self._jobs.start(work, name="open the pool", yielded=done, failed=failed)

    def switch(self, dbname: str, failed: Callable[[Exception], object]) -> None:
        """Open a pool on another database of the server in place of the present one, once it is sure to let us in.

        Where it does not, *failed* hears why, and nothing has changed.
        """
        before = self._needed()
        profile = before.profile
        title = profile.name.removesuffix(f" · {profile.dbname}")
        wanted = dataclasses.replace(profile, dbname=dbname, name=f"{title} · {dbname}" if title else "")

        def done(_: object) -> None:
            if self.in_use is before:
                self.open(wanted)

        self._jobs.call(lambda: connect_side(wanted).close(), name="look into a database", done=done, failed=failed)

    def give_up_opening(self) -> None:
        """Stop waiting for a pool that is being opened. A pool that opens all the same is closed at once."""
        if (job := self._opening) is None:
            return
        self._opening = None
        for signal in (job.yielded, job.failed):
            signal.disconnect()

        def close_late(late: InUse) -> None:
            self._jobs.call(lambda: _close(late), name="close a late pool")

        job.yielded.connect(close_late)
        self.failed.emit(ConnectionAbortedError("Connecting was stopped."))

    def close(self) -> None:
        """Leave the server: the pool is closed in a job, whatever still runs on it is ended."""
        before, self.in_use = self.in_use, None
        if before is not None:
            self.closed.emit()
            self._jobs.call(lambda: _close(before), name="close the pool")

    def shut(self) -> None:
        """Close the pool before the program ends. Blocks: for the last lines of the program alone."""
        before, self.in_use = self.in_use, None
        if before is not None:
            _close(before)

    def query(
        self,
        sql: str,
        holder: str,
        *,
        row_limit: int = ROW_LIMIT,
        offset: int = 0,
        read_only: bool = False,
        session: Session | None = None,
        go_on: bool = False,
    ) -> Query:
        """Return a query on the pool, or in *session*, not yet run. Raises RuntimeError when no server is in use."""
        client = self._needed().client
        return Query(
            session or client,
            sql,
            holder,
            side=self.side(),
            row_limit=row_limit,
            offset=offset,
            read_only=read_only,
            go_on=go_on,
        )

    def side(self) -> Callable[[], Connection]:
        """Return what opens the one short-lived connection beside the pool."""
        return self._needed().side

    def _needed(self) -> InUse:
        if self.in_use is None:
            raise RuntimeError("no server is in use")
        return self.in_use


class PoolBench:
    """The pool in use as the tour's bench: steps open another pool in its place. For worker threads."""

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def hand(self) -> ByHand | None:
        """The pool in use as a person drives it."""
        return self._server.in_use.hand if self._server.in_use is not None else None

    def open(self, kind: str, minconn: int, maxconn: int) -> None:
        """Open psycopg2's class *kind* in place of the pool in use. Who called emits `swapped` on the GUI thread.

        Raises psycopg2.Error when connecting fails, ConnectionAbortedError when the server was left meanwhile.
        """
        before = self._server.in_use
        if before is None:
            raise ConnectionAbortedError("The server was left.")
        _close(before)
        fresh = _open(dataclasses.replace(before.profile, pool_class=kind, minconn=minconn, maxconn=maxconn))
        if self._server.in_use is not before:
            _close(fresh)
            raise ConnectionAbortedError("The server was left.")
        self._server.in_use = fresh

    def connect(self) -> Connection:
        """Connect beside the pool; the caller closes. Raises psycopg2.Error."""
        in_use = self._server.in_use
        if in_use is None:
            raise ConnectionAbortedError("The server was left.")
        return in_use.side()


def _open(profile: Profile) -> InUse:
    def make() -> Pool:
        parameters: dict[str, Any] = profile.parameters()
        return open_pool(profile.pool_class, profile.minconn, profile.maxconn, timeout=profile.wait_s, **parameters)

    side = SideDoor(profile)
    pool = make()
    client = Client(pool)
    try:
        with client.lend("connect") as conn:
            found = facts(conn)
    except BaseException:
        end_all(pool, lambda: side(1))
        raise

    def reopen() -> Pool:
        fresh = make()
        in_use.client = Client(fresh)
        return fresh

    hand = ByHand(pool, profile.script_parameters(), reopen=reopen, connect=side)
    in_use = InUse(profile, hand, client, found, side)
    return in_use


def _close(in_use: InUse) -> None:
    end_all(in_use.pool, lambda: in_use.side(1))
