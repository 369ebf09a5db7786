"""What the views of the pool cost while 16 threads hammer it: the window's heartbeat, and the threads' throughput.

Sixteen threads of the window's own process check out, SELECT 1 and check in without a pause, on a pool of 8. Runs with
one view in sight and runs with the dock folded away take turns; throughput is compared within each round. Runs in which
even the pool panel stands still tell what the threads alone do to the event loop of this machine.
"""

import contextlib
import threading
import time
from typing import Any

import bench
from beating import LONGEST, P99, TICK, Beating
from psycopg2.pool import PoolError
from PySide6.QtCore import QTimer

from pgexplorer.demo.server import start

THREADS, SIZE = 16, 8
SECONDS, ROUNDS = 2.0, 3
KINDS = ("PgPool", "ThreadedConnectionPool")
VIEWS = ("Timeline", "Queue", "Truth", "Statistics")
FOLDED, STILL = "dock folded", "nothing drawn"
RUNS = (*VIEWS, FOLDED, STILL)


class Hammer:
    """Threads that use a pool as fast as they can."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._over = threading.Event()
        self._served = [0] * THREADS
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(THREADS)]

    def _work(self, number: int) -> None:
        while not self._over.is_set():
            try:
                conn = self._pool.getconn(holder=f"hammer {number}")
            except PoolError:
                time.sleep(0.001)  # psycopg2's pools do not wait
                continue
            try:
                with self._pool.running(conn, "SELECT 1"), conn.cursor() as cursor:
                    cursor.execute("SELECT 1")
            finally:
                self._pool.putconn(conn)
            self._served[number] += 1

    @contextlib.contextmanager
    def going(self) -> Any:
        """Hammer while the block lasts."""
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join(20)

    @property
    def served(self) -> int:
        """How many check-outs were served."""
        return sum(self._served)


def measured(beating: Beating, kind: str, view: str) -> tuple[float, list[float]]:
    """Return the check-outs a second, and the gaps of the event loop, with *view*, one of RUNS, in sight."""
    beating.open(pool_class=kind, minconn=SIZE, maxconn=SIZE, timeout_s=30.0)
    if view in VIEWS:
        beating.window.show_view(view)
    else:
        beating.window.dock.fold()
    pulse = beating.window.pool.findChild(QTimer, "pool.pulse")
    pulse.stop() if view == STILL else pulse.start()
    beating.rest(0.3)
    in_use = beating.application.server.in_use
    if in_use is None:
        raise RuntimeError("the pool did not open")
    hammer = Hammer(in_use.pool)
    with hammer.going():
        beating.rest(0.3)
        before, began = hammer.served, time.perf_counter()
        gaps = beating.beats(lambda: beating.rest(SECONDS))
        rate = (hammer.served - before) / (time.perf_counter() - began)
    beating.settle()
    return rate, gaps


def main() -> None:
    """Print the table."""
    bench.title(f"The views of the pool under {THREADS} threads on {SIZE} connections, offscreen")
    rows: list[list[object]] = []
    with bench.own_home(), start() as lease:
        beating = Beating(lease.server)
        try:
            for kind in KINDS:
                for view in RUNS:
                    measured(beating, kind, view)  # what is loaded at the first use is not counted
                found: dict[str, list[tuple[float, list[float]]]] = {view: [] for view in RUNS}
                for number in range(ROUNDS):
                    order = [*RUNS]
                    for view in order[number % len(order) :] + order[: number % len(order)]:
                        found[view].append(measured(beating, kind, view))
                hidden = [rate for rate, _ in found[FOLDED]]
                for view, runs in found.items():
                    rates = [rate for rate, _ in runs]
                    gaps = [gap * 1000 for _, each in runs for gap in each]
                    share = bench.ratios(rates, hidden).text()
                    rows.append(
                        [
                            f"{kind}, {view}",
                            f"{bench.Spread.of(rates).median:,.0f}",
                            f"{share[0]} ({share[1]})" if view != FOLDED else "1",
                            f"{bench.percentile(gaps, 50):.1f}",
                            f"{bench.percentile(gaps, 99):.1f}",
                            f"{max(gaps):.1f}",
                            "yes" if bench.percentile(gaps, 99) <= P99 else "no",
                        ]
                    )
        finally:
            beating.application.close()
    head = ["pool, view", "check-outs/s", "× folded (p10 to p90)", "gap p50, ms", "p99, ms", "longest, ms"]
    bench.table([*head, f"p99 ≤ {P99} ms"], rows)
    bench.note(
        f"{ROUNDS} rounds of {SECONDS:g} s each, in turns. An undisturbed loop shows {TICK} ms; the longest should be "
        f"under {LONGEST} ms. Threads, window and server share the cores, and the threads the window's interpreter."
    )


if __name__ == "__main__":
    main()
