"""Threads that ask a pool for connections: once each, or again and again until they are told to stop."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import psycopg2
from psycopg2.extensions import connection
from psycopg2.pool import PoolError

from pgexplorer.db.cancel import Running
from pgexplorer.lab.guard import LONGEST, MOST_THREADS, bounded
from pgexplorer.pool.errors import PoolClosed, PoolTimeout
from pgexplorer.pool.link import cut
from pgexplorer.pool.protocol import Pool

Use = Callable[[Pool, connection], None]
Way = Literal["query", "hold"]
LONGEST_WORK = 60.0  # seconds that one request may hold its connection
# Seconds at least between two requests of a thread, and after a refusal, which takes microseconds: threads that never
# rest leave none of the interpreter to the window.
_PAUSE, _REFUSED_PAUSE = 0.001, 0.05
_CANCEL_SECONDS = 3.0  # after which statements are not cancelled any more but cut


@dataclass(slots=True)
class Tally:
    """What one who asks has met so far. Written by that thread alone."""

    name: str = ""
    served: int = 0
    refused: int = 0  # by the pool, at once
    timed_out: int = 0
    failed: int = 0  # connecting, the statement, or giving back
    waits: list[float] = field(default_factory=list[float])  # seconds from asking to getting, where they are kept

    def count(self, error: psycopg2.Error) -> None:
        """Count a check-out that raised *error*."""
        if isinstance(error, PoolTimeout):
            self.timed_out += 1
        elif isinstance(error, PoolError) and not is_closed(error):
            self.refused += 1
        else:
            self.failed += 1

    def copy(self) -> "Tally":
        """Return its counts as they are now, without the waits."""
        return Tally(self.name, self.served, self.refused, self.timed_out, self.failed)


def total(tallies: list[Tally] | tuple[Tally, ...]) -> Tally:
    """Return the sums of *tallies*, their waits together."""
    whole = Tally("all")
    for each in tallies:
        whole.served += each.served
        whole.refused += each.refused
        whole.timed_out += each.timed_out
        whole.failed += each.failed
        whole.waits += each.waits
    return whole


def is_closed(error: psycopg2.Error) -> bool:
    """Whether a pool raised *error* because it is closed."""
    return isinstance(error, PoolClosed) or (isinstance(error, PoolError) and "closed" in str(error))


def run_on(pool: Pool, conn: connection, sql: str, values: tuple[object, ...] | None = None) -> None:
    """Run *sql* on *conn*, seen by the pool. Raises psycopg2.Error."""
    with pool.running(conn, sql), conn.cursor() as cursor:
        cursor.execute(sql, values)


def ask_once(pool: Pool, holder: str, use: Use, tally: Tally) -> bool:
    """Check out, *use*, give back; count what came of it, and return whether a connection was had at all."""
    asked = time.monotonic()
    try:
        conn = pool.getconn(holder=holder)
    except psycopg2.Error as error:
        tally.count(error)
        return False
    tally.waits.append(time.monotonic() - asked)
    try:
        use(pool, conn)
    except psycopg2.Error:
        tally.failed += 1
    else:
        tally.served += 1
    finally:
        give_back(pool, conn)
    return True


def give_back(pool: Pool, conn: connection) -> str:
    """Return *conn* to *pool* and say what putconn() raised, "" when nothing.

    psycopg2 keeps the slot of a connection that died in a transaction until it is returned a second time: it is.
    """
    try:
        pool.putconn(conn)
    except psycopg2.Error as error:
        with contextlib.suppress(psycopg2.Error):
            pool.putconn(conn)
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
    return ""


@dataclass(frozen=True, slots=True)
class Asking:
    """What each asker does: check out, run `select pg_sleep(work)` or hold for *work*, give back, pause; in seconds.

    A pause lasts a millisecond at least, and 50 after a refusal. Raises ValueError where a number is out of bounds.
    """

    threads: int = 8
    way: Way = "query"
    work: float = 0.05
    pause: float = 0.05
    seconds: float = LONGEST  # after which they stop by themselves

    def __post_init__(self) -> None:
        bounded("threads", self.threads, MOST_THREADS, 1)
        bounded("seconds of work", self.work, LONGEST_WORK)
        bounded("seconds of pause", self.pause, LONGEST)
        bounded("seconds in all", self.seconds, LONGEST)


class Askers:
    """Threads that ask the pool in use, whichever that is, until they are stopped or their time is over.

    *pool* returns the pool to ask, and raises ConnectionAbortedError when there is none any more: they end then.
    """

    def __init__(self, pool: Callable[[], Pool], plan: Asking) -> None:
        self.plan = plan
        self.began = time.monotonic()
        self._pool = pool
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}  # by thread
        self._conns: dict[str, connection] = {}
        self._tallies = [Tally(f"asker {number}") for number in range(1, plan.threads + 1)]
        self._threads = [
            threading.Thread(target=self._work, args=(tally,), name=tally.name, daemon=True) for tally in self._tallies
        ]
        for thread in self._threads:
            thread.start()

    @property
    def active(self) -> int:
        """How many threads have not ended."""
        return sum(thread.is_alive() for thread in self._threads)

    @property
    def is_stopping(self) -> bool:
        """Whether they were told to stop, or their time is over."""
        return self._over.is_set()

    def counts(self) -> tuple[Tally, ...]:
        """Return what each has met so far. Does not block."""
        return tuple(tally.copy() for tally in self._tallies)

    def tell(self) -> None:
        """Tell them to stop after what they do now. Does not block."""
        self._over.set()

    def stop(self, side: Callable[[], connection]) -> bool:
        """Stop them: whatever statement of theirs still runs is cancelled, and cut where that does not help.

        *side* connects beside the pool. Blocks: milliseconds as a rule. Who waits in line of a pool that others keep
        full goes when the wait is over: False then.
        """
        self._over.set()
        give_up_at = time.monotonic() + _CANCEL_SECONDS
        with self._lock:
            running, conns = list(self._running.items()), dict(self._conns)
        for name, work in running:
            for _ in work.stop(side):
                if time.monotonic() > give_up_at:
                    break
            if not work.ended.is_set() and name in conns:
                cut(conns[name])
        running.clear()
        conns.clear()
        for thread in self._threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))
        return not self.active

    def _work(self, tally: Tally) -> None:
        over_at = self.began + self.plan.seconds
        while not self._over.is_set() and time.monotonic() < over_at:
            try:
                pool = self._pool()
            except ConnectionAbortedError:
                break
            try:
                had = ask_once(pool, tally.name, self._use, tally)
            except _Cancelled:
                break
            tally.waits.clear()
            self._over.wait(max(self.plan.pause, _PAUSE if had else _REFUSED_PAUSE))

    def _use(self, pool: Pool, conn: connection) -> None:
        if self.plan.way == "hold":
            self._over.wait(self.plan.work)
            return
        me = threading.current_thread().name
        work = Running(conn)
        with self._lock:
            self._running[me], self._conns[me] = work, conn
        try:
            if not self._over.is_set():
                run_on(pool, conn, f"{work.tag}select pg_sleep(%s)", (self.plan.work,))
        except psycopg2.Error as error:
            if work.wanted:
                raise _Cancelled from error
            raise
        finally:
            with self._lock:
                del self._running[me], self._conns[me]
            work.finish()


class _Cancelled(Exception):
    """The statement was ended because the askers were told to stop."""
