"""What faults and scenarios work on: the pool in use, and a way to put another in its place."""

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Any, Protocol, Self

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.db.cancel import end_all
from pgexplorer.db.probe import connect_side, facts
from pgexplorer.db.profile import Profile
from pgexplorer.pool.choice import open_pool
from pgexplorer.pool.protocol import Pool

_TRIES, _AGAIN = 4, 0.05  # connects to a server that may be full for a moment; seconds between two
_GONE_WITHIN = 3.0  # seconds that a backend is given to leave after its connection was closed


class Bench(Protocol):
    """Where the lab works. Every call may block on the network and belongs on a worker thread.

    All of it raises ConnectionAbortedError when the server was left.
    """

    detour: dict[str, Any]  # connection parameters that open() puts in place of the profile's; {}: none

    @property
    def profile(self) -> Profile:
        """Where the server is, with the class and the limits of the pool in use."""
        ...

    @property
    def pool(self) -> Pool:
        """The pool in use, closed or not."""
        ...

    def open(self, kind: str, minconn: int, maxconn: int) -> None:
        """Close the pool in use and open the class *kind* in its place, through the detour.

        Raises psycopg2.Error when connecting fails; the pool before is closed all the same.
        """
        ...

    def connect(self) -> connection:
        """Connect beside the pool and past the detour. The caller closes. Raises psycopg2.Error."""
        ...


class OwnBench:
    """A bench of its own on the server of *profile*, without a window. Leaving it closes everything."""

    def __init__(self, profile: Profile) -> None:
        self.detour: dict[str, Any] = {}
        self.profile = profile
        self._pool: Pool | None = None
        self.open(profile.pool_class, profile.minconn, profile.maxconn)

    @property
    def pool(self) -> Pool:
        """See Bench."""
        if self._pool is None:
            raise ConnectionAbortedError("The server was left.")
        return self._pool

    def open(self, kind: str, minconn: int, maxconn: int) -> None:
        """See Bench."""
        self._end()
        self.profile = replace(self.profile, pool_class=kind, minconn=minconn, maxconn=maxconn)
        parameters = self.profile.parameters() | self.detour
        self._pool = open_pool(kind, minconn, maxconn, timeout=self.profile.wait_s, **parameters)

    def connect(self) -> connection:
        """See Bench."""
        return connect_side(self.profile)

    def close(self) -> None:
        """Close the pool without waiting for what still runs on it."""
        self._end()
        self._pool = None

    def _end(self) -> None:
        if self._pool is not None:
            end_all(self._pool, lambda: connect_side(self.profile, 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def put_in_place(bench: Bench, kind: str, minconn: int, maxconn: int) -> Pool:
    """Open the class *kind* in place of the pool in use and return it.

    Waits until the server has ended the backends of the pool before: two pools at once could be more than it allows.
    Raises what Bench.open() raises.
    """
    before = bench.pool
    pids = [slot.pid for slot in before.slots()]
    end_all(before, bench.connect)
    wait_until_gone(bench.connect, pids)
    bench.open(kind, minconn, maxconn)
    return bench.pool


def wait_until_gone(connect: Callable[[], connection], pids: Iterable[int]) -> None:
    """Wait until the server has none of the backends *pids* any more, some seconds at most."""
    wanted = [pid for pid in pids if pid]
    deadline = time.monotonic() + _GONE_WITHIN
    if not wanted:
        return
    with contextlib.suppress(psycopg2.Error), contextlib.closing(connect()) as conn, conn.cursor() as cursor:
        conn.autocommit = True  # one look at pg_stat_activity lasts as long as its transaction
        while time.monotonic() < deadline:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY (%s)", (wanted,))
            if (cursor.fetchone() or (0,))[0] == 0:
                return
            time.sleep(0.005)


def free_connections(bench: Bench) -> int:
    """Return how many connections a pool in place of the one in use may have, one beside it left free.

    Blocks for a connect and a round trip. Raises psycopg2.Error.
    """
    ours = bench.pool.stats().size
    with contextlib.closing(_patiently(bench.connect)) as conn:
        found = facts(conn)
    free = found.free + ours
    if found.role_limit >= 0:
        free = min(free, found.role_limit)
    return max(0, free - 1)


def _patiently(connect: Callable[[], connection]) -> connection:
    """Connect to a server that may be full for the moment that a backend takes to end. Raises psycopg2.Error."""
    for _ in range(_TRIES - 1):
        try:
            return connect()
        except psycopg2.OperationalError:
            time.sleep(_AGAIN)
    return connect()
