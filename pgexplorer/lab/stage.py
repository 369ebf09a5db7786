"""What a scenario works with: the bench, the two pool classes that it contrasts, threads that ask, a way to stop."""

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from psycopg2.extensions import connection

from pgexplorer.lab.askers import Tally, Use, ask_once, run_on, total
from pgexplorer.lab.bench import Bench, free_connections, put_in_place
from pgexplorer.lab.guard import NoRoom
from pgexplorer.lab.news import News, Progressed, Said
from pgexplorer.pool.choice import PG_POOL
from pgexplorer.pool.protocol import Pool

STOCK = "ThreadedConnectionPool"
_PATIENCE = 10.0  # seconds that a pool that waits lets its callers wait
_LONGEST = 30.0  # seconds after which what still hangs is cut
_PULSE = 0.05  # seconds between two pieces of news
_GRACE = 0.5  # seconds that threads are given to end by themselves once the scenario was told to stop
AGAIN = 0.05  # seconds after which one who was refused asks again


class Stopped(Exception):
    """The scenario was told to stop."""


@dataclass(slots=True)
class Crowd:
    """What came of threads that asked together."""

    tallies: list[Tally]
    took: float = 0.0  # seconds from the moment that all could begin to the end of the last
    errors: list[BaseException] = field(default_factory=list[BaseException])

    @property
    def total(self) -> Tally:
        """The sums over all threads."""
        return total(self.tallies)


class Stage:
    """One run of a scenario. Every method may block and belongs on one worker thread, the scenario's.

    *scale* shortens every time that a person would like to see: 1 for a person, less for a test. *restart* restarts the
    server, where that may be.
    """

    def __init__(
        self,
        bench: Bench,
        kinds: tuple[str, str],
        *,
        scale: float,
        stop: threading.Event,
        restart: Callable[[], object] | None = None,
    ) -> None:
        self.bench, self.kinds, self.scale, self.restart = bench, kinds, scale, restart
        self.parts = len(kinds)  # pools that it opens one after the other
        self._part = 0
        self._stop = stop

    def seconds(self, seconds: float) -> float:
        """Return *seconds* as long as this run wants them."""
        return seconds * self.scale

    def pause(self, seconds: float) -> None:
        """Wait. Raises Stopped."""
        if self._stop.wait(seconds):
            raise Stopped

    def fit(self, wanted: int, least: int) -> Generator[News, None, int]:
        """Return how large a pool may be, *wanted* at most; say so where the server has less room. Raises NoRoom."""
        free = free_connections(self.bench)
        if free < least:
            raise NoRoom(
                f"The server has {free} connections left for this, and the scenario needs {least}. Close some, or "
                "raise max_connections."
            )
        if free < wanted:
            yield Said(f"The server has only {free} connections left: the pool takes {free} instead of {wanted}.")
        return min(free, wanted)

    def open(self, kind: str, minconn: int, maxconn: int) -> Pool:
        """Open *kind* in place of the pool in use. Raises psycopg2.Error, Stopped."""
        self.pause(0)
        pool = put_in_place(self.bench, kind, minconn, maxconn)
        if kind == PG_POOL:
            pool.timeout = _PATIENCE
        self._part += 1
        return pool

    def progressed(self, share: float, text: str) -> Progressed:
        """Return how far the run is when *share* of the present pool's part is done."""
        return Progressed((self._part - 1 + min(1.0, share)) / self.parts, text)

    def once(
        self, pool: Pool, callers: int, use: Use, expected: float, span: tuple[float, float] = (0.0, 1.0)
    ) -> Generator[News, None, Crowd]:
        """Let *callers* threads ask *pool* once each, all at the same moment.

        For the progress: *expected* seconds, and which *span* of the present pool's part they are.
        """

        def work(tally: Tally) -> None:
            ask_once(pool, tally.name, self._unless_stopped(use), tally)

        return (yield from self._together(pool, callers, work, expected, span))

    def loop(
        self, pool: Pool, callers: int, use: Use, seconds: float, *, pause: float = 0.0
    ) -> Generator[News, None, Crowd]:
        """Let *callers* threads ask *pool* again and again for *seconds*; who is refused asks again a moment later."""
        over_at = time.monotonic() + seconds

        def work(tally: Tally) -> None:
            while time.monotonic() < over_at and not self._stop.is_set():
                had = ask_once(pool, tally.name, self._unless_stopped(use), tally)
                if wait := pause if had else max(pause, AGAIN):
                    self._stop.wait(wait)

        return (yield from self._together(pool, callers, work, seconds, (0.0, 1.0)))

    def _together(
        self, pool: Pool, callers: int, work: Callable[[Tally], None], expected: float, span: tuple[float, float]
    ) -> Generator[News, None, Crowd]:
        crowd = Crowd([Tally(f"caller {number}") for number in range(1, callers + 1)])
        ready, go, done = threading.Semaphore(0), threading.Event(), threading.Event()
        ends: list[float] = []

        def run(tally: Tally) -> None:
            ready.release()
            go.wait()
            try:
                work(tally)
            except BaseException as error:
                crowd.errors.append(error)
            ends.append(time.monotonic())
            if len(ends) == callers:
                done.set()

        threads = [threading.Thread(target=run, args=(tally,), name=tally.name, daemon=True) for tally in crowd.tallies]
        for thread in threads:
            thread.start()
        for _ in threads:
            ready.acquire()
        began = time.monotonic()
        go.set()
        cut_at = began + expected + _LONGEST
        while not done.wait(_PULSE):
            past = time.monotonic() - began
            if self._stop.is_set():
                cut_at = min(cut_at, began + past + _GRACE)
            if began + past > cut_at:
                pool.cut_all()  # whatever hangs
                cut_at = began + past + _GRACE
            if past > expected + _LONGEST + _PATIENCE:
                raise TimeoutError(f"Some of {callers} threads hang: the server does not answer.")
            if not self._stop.is_set():
                low, high = span
                share = low + (high - low) * min(1.0, past / expected if expected else 1.0)
                yield self.progressed(share, counted(crowd.total))
        self.pause(0)
        if crowd.errors:
            raise crowd.errors[0]
        crowd.took = max(ends) - began
        return crowd

    def _unless_stopped(self, use: Use) -> Use:
        """Return *use*, which does nothing any more once the scenario was told to stop: those in line go quickly."""

        def used(pool: Pool, conn: connection) -> None:
            if not self._stop.is_set():
                use(pool, conn)

        return used


def sleeping(seconds: float) -> Use:
    """Return what lets the server sleep for *seconds* on a connection."""
    return lambda pool, conn: run_on(pool, conn, "select pg_sleep(%s)", (seconds,))


def contrast(kind: str) -> tuple[str, str]:
    """Return the pool classes that a scenario compares when *kind* is in use: one of psycopg2's, and PgPool."""
    return (STOCK if kind == PG_POOL else kind), PG_POOL


def counted(tally: Tally) -> str:
    """Return the counts of *tally* in words."""
    parts = [f"{tally.served:,} served"]
    parts += [f"{tally.refused:,} refused"] if tally.refused else []
    parts += [f"{tally.timed_out:,} timed out"] if tally.timed_out else []
    parts += [f"{tally.failed:,} failed"] if tally.failed else []
    return ", ".join(parts)
