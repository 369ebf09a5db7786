"""A million random operations on a PgPool, on a real server, with every counter checked against a tally of its own.

python tests/benchmarks/bench_million.py [--operations 1000000] [--seed 1]

Sixteen threads on eight connections check out (refusing, waiting, waiting in vain, by key, in a with block), run
statements, check in (clean, in a transaction, to be closed), while others terminate backends, resize and drain. After
each leg all come to rest: the pool's counters must equal the tally of what the threads saw, and the server must count
as many connections. Every second leg ends with closeall() among the traffic, and the next begins with a new pool. Exit
code 1 where one number differs.
"""

import argparse
import contextlib
import random
import sys
import threading
import time
from collections import Counter
from typing import Any

import bench
import psycopg2
from psycopg2.pool import PoolError

from pgexplorer.demo.server import DemoServer, start
from pgexplorer.pool.errors import PoolClosed, PoolExhausted, PoolTimeout
from pgexplorer.pool.pg_pool import PgPool

THREADS, SIZE, LEG = 16, 8, 50_000
NAME = "million"


class Million:
    """One run: its pool, its server, and what the threads saw."""

    def __init__(self, server: DemoServer, operations: int, seed: int) -> None:
        self.operations = operations
        self.seed = seed
        self.parameters = server.profile().parameters("pool") | {"application_name": NAME}
        self.admin = psycopg2.connect(
            **(server.profile().parameters("side") | {"user": server.superuser, "password": server.superuser_password})
        )
        self.admin.autocommit = True
        self.totals: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.pool = self.fresh()
        self.closes = False  # the leg under way ends with closeall()
        self.limit = SIZE

    def fresh(self) -> PgPool:
        """Open the pool of the next legs."""
        return PgPool(2, SIZE, timeout=20, stacks=False, name=NAME, leak_after=None, **self.parameters)

    def run(self) -> None:
        """Do all legs."""
        done = leg = 0
        while done < self.operations:
            self.closes = leg % 2 == 1
            count = min(LEG, self.operations - done)
            tallies = self.leg(count, leg)
            self.rest(tallies)
            done += count
            leg += 1
            if self.closes:
                self.pool = self.fresh()
        self.pool.closeall()

    def leg(self, count: int, leg: int) -> Counter[str]:
        """Do *count* operations in all threads together; return what they saw."""
        tallies: list[Counter[str]] = [Counter() for _ in range(THREADS)]
        over = threading.Event()
        threads = [
            threading.Thread(target=self.work, args=(count // THREADS, random.Random(f"{self.seed} {leg} {n}"), tally))
            for n, tally in enumerate(tallies)
        ]
        mischief = threading.Thread(target=self.mischief, args=(random.Random(f"{self.seed} {leg}"), over, tallies[0]))
        before = self.counts()
        for thread in [*threads, mischief]:
            thread.start()
        for thread in threads:
            thread.join(300)
            if thread.is_alive():
                self.wrong.append(f"leg {leg}: a thread is stuck")
        over.set()
        mischief.join(60)
        seen = sum(tallies, Counter())
        seen["operations"] = count
        self.totals += seen
        seen.subtract(before)  # compared with the pool's own counts since its beginning
        return seen

    def counts(self) -> Counter[str]:
        """Return the pool's counters under the names of the tally, negative: what was there before a leg."""
        stats = self.pool.stats()
        return Counter({"served": -stats.served, "exhausted": -stats.exhausted, "timed out": -stats.timed_out})

    def work(self, count: int, rng: random.Random, tally: Counter[str]) -> None:
        """Check out and in *count* times, in every way there is."""
        for number in range(count):
            self.look()
            if self.closes and number == count * 9 // 10:
                self.pool.closeall()
            how = rng.random()
            try:
                if how < 0.05:
                    self.in_a_block(rng, tally)
                    continue
                timeout = 0 if how < 0.3 else rng.choice((0.0001, 0.002)) if how < 0.4 else None
                conn = self.pool.getconn(timeout=timeout)
            except PoolExhausted:
                tally["exhausted"] += 1
            except PoolTimeout:
                tally["timed out"] += 1
            except PoolClosed:
                tally["refused, closed"] += 1
            except psycopg2.OperationalError:
                tally["connects that failed"] += 1
            else:
                tally["served"] += 1
                self.use(conn, rng, tally)

    def in_a_block(self, rng: random.Random, tally: Counter[str]) -> None:
        served = False
        try:
            with self.pool.connection() as conn:
                served = True
                tally["served"] += 1
                with conn.cursor() as cursor:
                    cursor.execute("SELECT 1")
                if rng.random() < 0.1:
                    raise ValueError("the block fails")
        except ValueError:
            tally["blocks that failed"] += 1
        except PoolError:
            raise
        except psycopg2.Error:
            if not served:
                raise
            tally["statements that failed"] += 1

    def use(self, conn: Any, rng: random.Random, tally: Counter[str]) -> None:
        """Run something on *conn*, or nothing, and give it back, or drop it."""
        what = rng.random()
        if what < 0.1:
            try:
                with conn.cursor() as cursor:
                    cursor.execute("SELECT 1")
                if what < 0.05:
                    conn.commit()
            except psycopg2.Error:
                tally["statements that failed"] += 1
        elif what < 0.101:
            tally["dropped"] += 1
            return  # the last reference goes: the slot must come back by itself
        with contextlib.suppress(psycopg2.Error):
            self.pool.putconn(conn, close=what > 0.999)
            tally["given back"] += 1

    def mischief(self, rng: random.Random, over: threading.Event, tally: Counter[str]) -> None:
        """Terminate a backend, resize or drain, again and again."""
        while not over.wait(0.02):
            what = rng.random()
            if what < 0.6:
                with self.admin.cursor() as cursor:
                    cursor.execute(
                        "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity "
                        "WHERE application_name = %s ORDER BY random() LIMIT 1) AS one",
                        (NAME,),
                    )
                    [killed] = cursor.fetchone() or (0,)
                tally["backends terminated"] += killed
            elif what < 0.85:
                least = rng.randint(0, 3)
                self.pool.resize(least, rng.randint(max(1, least), SIZE))
                tally["resizes"] += 1
            else:
                self.pool.drain()
                tally["drains"] += 1
        self.pool.resize(2, SIZE)

    def look(self) -> None:
        """See that nothing is out of bounds at this moment, whatever the others do."""
        stats = self.pool.stats()
        if stats.size > SIZE or min(stats.idle, stats.used, stats.opening, stats.returning, stats.waiting) < 0:
            self.wrong.append(f"out of bounds: {stats}")

    def rest(self, seen: Counter[str]) -> None:
        """Compare the pool's counters with the tally, and both with the server."""
        deadline = time.monotonic() + 20
        while (at_server := self.at_server()) != (size := self.pool.stats().size) and time.monotonic() < deadline:
            time.sleep(0.01)
        stats = self.pool.stats()
        expected = {
            "served": (stats.served, seen["served"]),
            "exhausted": (stats.exhausted, seen["exhausted"]),
            "timed out": (stats.timed_out, seen["timed out"]),
            "used": (stats.used, 0),
            "waiting": (stats.waiting, 0),
            "opening": (stats.opening, 0),
            "returning": (stats.returning, 0),
            "idle": (stats.idle, 0 if self.closes else stats.size),
            "opened less closed": (stats.opened - stats.closed, stats.size),
            "slots": (len(self.pool.slots()), stats.size),
            "at the server": (at_server, size),
            "waiters": (len(self.pool.waiters()), 0),
        }
        self.totals["comparisons"] += len(expected)
        for name, (found, wanted) in expected.items():
            if found != wanted:
                self.wrong.append(f"{name}: {found}, not {wanted}")

    def at_server(self) -> int:
        """Return how many connections of this pool the server has."""
        with self.admin.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", (NAME,))
            [count] = cursor.fetchone() or (0,)
        return count


def main() -> int:
    """Run it and print what was done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    bench.title(f"{given.operations:,} random operations on PgPool")
    with bench.own_home():
        lease = start()
        try:
            million = Million(lease.server, given.operations, given.seed)
            seconds = bench.timed(million.run)
            million.admin.close()
        finally:
            lease.release()
    rows = [(name, f"{count:,}") for name, count in sorted(million.totals.items())]
    bench.table(("what", "how often"), rows)
    bench.note(
        f"{seconds:.0f} s with {THREADS} threads on {SIZE} connections, seed {given.seed}; "
        f"{len(million.wrong)} of {million.totals['comparisons']:,} comparisons at rest differed."
    )
    for words in million.wrong[:20]:
        bench.note(f"- {words}")
    return 1 if million.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
