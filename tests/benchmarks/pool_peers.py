"""PgPool beside the pools that a psycopg2 program could use instead: six scenarios, everything in one run.

python tests/benchmarks/pool_peers.py [--quick]

The server is of this run: the demo server's binaries and settings with max_connections = 100. Peers that are not
installed (pip install 'pgexplorer[bench]') are left out. Within a scenario the pools take turns, round by round, and a
ratio is taken within each round.
"""

import argparse
import contextlib
import itertools
import logging
import math
import operator
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import bench
import psycopg2
from psycopg2.extensions import connection
from psycopg2.pool import PoolError, SimpleConnectionPool, ThreadedConnectionPool

from pgexplorer.demo import cluster
from pgexplorer.demo.server import DemoServer, start
from pgexplorer.pool.errors import PoolTimeout
from pgexplorer.pool.pg_pool import PgPool
from pgexplorer.pool.stock import open_stock

try:
    from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
    from sqlalchemy.exc import TimeoutError as QueuePoolTimeout
    from sqlalchemy.pool import QueuePool
except ImportError:
    QueuePool = None
try:
    from dbutils.pooled_db import PooledDB
except ImportError:
    PooledDB = None
try:
    import psycopg
    import psycopg_pool
except ImportError:
    psycopg_pool = None

ROUND_TRIP = 0.005  # seconds; the proxy holds back each answer for so long
ROUND_TRIPS = 3  # of a transaction: BEGIN, SELECT, ROLLBACK
CONNECT_TAKES = 0.15
RETRY = 0.001  # seconds between two tries at a pool that raises instead of waiting
FAIR_HOLD, FAIR_LIMIT = 0.005, 1.0  # seconds

THREADED, SEMAPHORE, STOCK = "psycopg2 Threaded", "semaphore + Threaded", "StockPool (observed)"
POOLED_DB, PSYCOPG_POOL = "DBUtils PooledDB", "psycopg_pool"
PGPOOL, PGPOOL_BARE = "PgPool", "PgPool, no stacks"
PGPOOL_0, PGPOOL_0_BARE = "PgPool, timeout 0", "PgPool, timeout 0, no stacks"
DEDICATED, DEDICATED_3 = "dedicated connections", "dedicated, psycopg 3"
_SLOW = {THREADED, POOLED_DB, PSYCOPG_POOL}  # with long holds


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    pairs: int
    pair_rounds: int
    query_seconds: float
    query_rounds: int
    trip_seconds: float
    trip_rounds: int
    spike_rounds: int
    fair_seconds: float
    fair_rounds: int
    stale_rounds: int
    with_slow: bool  # what takes many seconds each


FULL = Plan(2_000, 21, 0.09, 13, 0.5, 4, 3, 2.5, 2, 5, with_slow=True)
QUICK = Plan(1_000, 5, 0.03, 3, 0.3, 1, 1, 1.2, 1, 1, with_slow=False)


class Late(Exception):
    """No connection within the limit."""


class _Meter:
    """Counts the connections begun, and makes opening take as long as it is told."""

    def __init__(self) -> None:
        self.takes = 0.0
        self.autocommit = False
        self._numbers = itertools.count()
        self._began = 0

    def opened(self) -> int:
        count = next(self._numbers)
        found = count - self._began
        self._began = count + 1
        return found

    def one(self) -> None:
        next(self._numbers)  # begun counts: it may still be under way when all are served
        time.sleep(self.takes)


METER = _Meter()


class Metered(connection):
    """A psycopg2 connection that is counted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        METER.one()
        super().__init__(*args, **kwargs)
        if METER.autocommit:
            self.autocommit = True


if psycopg_pool is not None:

    class Metered3(psycopg.Connection):
        """A psycopg 3 connection that is counted."""

        @classmethod
        def connect(cls, conninfo: str = "", **kwargs: Any) -> Any:
            METER.one()
            return super().connect(conninfo, **kwargs)


@dataclass
class Opened:
    """A pool of any make: how to check out, how to check in, how to end it."""

    get: Callable[[], Any]
    put: Callable[[Any], None]
    close: Callable[[], None]
    late: type[BaseException] = Late  # what says that the limit is over

    def patient(self, limit: float) -> Callable[[], Any]:
        """Return a getconn that tries again and again for *limit* seconds, as people write around psycopg2's pools."""

        def get() -> Any:
            until = time.perf_counter() + limit
            while True:
                try:
                    return self.get()
                except PoolError:
                    if time.perf_counter() > until:
                        raise Late from None
                    time.sleep(RETRY)

        return get


@dataclass(frozen=True)
class Peer:
    """A kind of pool: *open* takes minconn, maxconn, where, the limit in seconds and whether connections are metered.

    One that does not wait is asked again every millisecond where more threads than connections meet.
    """

    name: str
    open: Callable[[int, int, dict[str, Any], float, bool], Opened]
    waits: bool
    is_for_threads: bool = True
    driver: str = "psycopg2"
    in_stale_only: bool = False


def _factory(metered: bool) -> dict[str, Any]:
    return {"connection_factory": Metered} if metered else {}


def _simple(low: int, high: int, where: dict[str, Any], _: float, metered: bool) -> Opened:
    pool = SimpleConnectionPool(low, high, **where, **_factory(metered))
    return Opened(pool.getconn, pool.putconn, pool.closeall)


def _threaded(low: int, high: int, where: dict[str, Any], _: float, metered: bool) -> Opened:
    pool = ThreadedConnectionPool(low, high, **where, **_factory(metered))
    return Opened(pool.getconn, pool.putconn, pool.closeall)


def _stock(low: int, high: int, where: dict[str, Any], _: float, metered: bool) -> Opened:
    pool = open_stock("ThreadedConnectionPool", low, high, **where, **_factory(metered))
    return Opened(pool.getconn, pool.putconn, pool.closeall)


def _semaphore(low: int, high: int, where: dict[str, Any], limit: float, metered: bool) -> Opened:
    pool = ThreadedConnectionPool(low, high, **where, **_factory(metered))
    free = threading.BoundedSemaphore(high)

    def get() -> Any:
        if not free.acquire(timeout=limit):
            raise Late
        try:
            return pool.getconn()
        except BaseException:
            free.release()
            raise

    def put(conn: Any) -> None:
        try:
            pool.putconn(conn)
        finally:
            free.release()

    return Opened(get, put, pool.closeall)


def _queue_pool(ping: bool) -> Callable[..., Opened]:
    def opened(low: int, high: int, where: dict[str, Any], limit: float, metered: bool) -> Opened:
        more: dict[str, Any] = {"dialect": PGDialect_psycopg2(dbapi=psycopg2), "pre_ping": True} if ping else {}
        pool = QueuePool(
            lambda: psycopg2.connect(**where, **_factory(metered)),
            pool_size=low,
            max_overflow=high - low,
            timeout=limit,
            **more,
        )
        for conn in [pool.connect() for _ in range(low)]:  # it has no minimum
            conn.close()
        return Opened(pool.connect, operator.methodcaller("close"), pool.dispose, QueuePoolTimeout)

    return opened


def _pooled_db(low: int, high: int, where: dict[str, Any], _: float, metered: bool) -> Opened:
    pool = PooledDB(
        psycopg2, mincached=low, maxcached=high, maxconnections=high, blocking=True, **where, **_factory(metered)
    )
    return Opened(pool.connection, operator.methodcaller("close"), pool.close)  # it waits for ever


def _psycopg_pool(check: bool) -> Callable[..., Opened]:
    def opened(low: int, high: int, where: dict[str, Any], limit: float, metered: bool) -> Opened:
        pool = psycopg_pool.ConnectionPool(
            min_size=low,
            max_size=high,
            timeout=limit,
            open=True,
            check=psycopg_pool.ConnectionPool.check_connection if check else None,
            kwargs={**where, "autocommit": metered and METER.autocommit},
            connection_class=Metered3 if metered else psycopg.Connection,
        )
        pool.wait()
        return Opened(pool.getconn, pool.putconn, pool.close, psycopg_pool.PoolTimeout)

    return opened


def _pg_pool(*, stacks: bool, waits: bool) -> Callable[..., Opened]:
    def opened(low: int, high: int, where: dict[str, Any], limit: float, metered: bool) -> Opened:
        pool = PgPool(low, high, timeout=limit if waits else 0.0, stacks=stacks, **where, **_factory(metered))
        return Opened(pool.getconn, pool.putconn, pool.closeall, PoolTimeout if waits else Late)

    return opened


def peers() -> list[Peer]:
    """Return what can be measured here."""
    found = [
        Peer("psycopg2 Simple", _simple, waits=False, is_for_threads=False),
        Peer(THREADED, _threaded, waits=False),
        Peer(SEMAPHORE, _semaphore, waits=True),
    ]
    if QueuePool is not None:
        found.append(Peer("SQLAlchemy QueuePool", _queue_pool(ping=False), waits=True))
        found.append(Peer("SQLAlchemy, pre_ping", _queue_pool(ping=True), waits=True, in_stale_only=True))
    if PooledDB is not None:
        found.append(Peer(POOLED_DB, _pooled_db, waits=True))
    if psycopg_pool is not None:
        found.append(Peer(PSYCOPG_POOL, _psycopg_pool(check=False), waits=True, driver="psycopg 3"))
        checked = _psycopg_pool(check=True)
        found.append(Peer("psycopg_pool, check", checked, waits=True, driver="psycopg 3", in_stale_only=True))
    return [
        *found,
        Peer(STOCK, _stock, waits=False),
        Peer(PGPOOL, _pg_pool(stacks=True, waits=True), waits=True),
        Peer(PGPOOL_BARE, _pg_pool(stacks=False, waits=True), waits=True),
        Peer(PGPOOL_0, _pg_pool(stacks=True, waits=False), waits=False),
        Peer(PGPOOL_0_BARE, _pg_pool(stacks=False, waits=False), waits=False),
    ]


def _in_threads(count: int, work: Callable[[int], None], begin: Callable[[], None] = lambda: None) -> float:
    """Run *work* in *count* threads that begin together; return the seconds until the last ends.

    *begin* is called once, when all threads are there: starting many of them takes a while.
    """
    gate, errors = threading.Barrier(count + 1, action=begin), list[BaseException]()

    def run(number: int) -> None:
        gate.wait()
        try:
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if errors:
        raise errors[0]
    return took


def _rate(threads: int, seconds: float, once: Callable[[int], object]) -> float:
    """Return how many times a second *once* is done by *threads* threads together."""
    counts = [0] * threads
    until = 0.0

    def begin() -> None:
        nonlocal until
        until = time.perf_counter() + seconds

    def work(number: int) -> None:
        count, clock = 0, time.perf_counter
        while clock() < until:
            once(number)
            count += 1
        counts[number] = count

    took = _in_threads(threads, work, begin)
    return sum(counts) / took


# -- the scenarios ----------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """One run: where the server is, how much is measured, and what was found for the targets."""

    where: dict[str, Any]
    plan: Plan
    peers: list[Peer]
    found: dict[str, tuple[str, bool]] = field(default_factory=dict)  # target: the figure, whether it is met

    def opened(
        self, peer: Peer, low: int, high: int, *, limit: float = 30.0, metered: bool = False, **where: Any
    ) -> Opened:
        """Open a pool of *peer*."""
        return peer.open(low, high, self.where | where, limit, metered)

    def pairs(self) -> None:
        """Check-out and check-in, without a query."""
        bench.title("Check-out and check-in, no query")
        plan, rows = self.plan, dict[str, list[object]]()
        for threads in (1, 4, 16):
            ways: dict[str, Callable[[], float]] = {}
            with contextlib.ExitStack() as stack:
                for peer in self._for(threads):
                    pool = self.opened(peer, 4, 4)
                    stack.callback(pool.close)
                    get = pool.patient(30) if threads > 4 and not peer.waits else pool.get
                    ways[peer.name] = lambda get=get, put=pool.put, threads=threads: self._pairs(threads, get, put)
                for way in ways.values():
                    way()
                times = bench.in_turns(ways, plan.pair_rounds)
            for peer in self._all():
                row = rows.setdefault(peer.name, [peer.name])
                if peer.name not in times:
                    row += ["—", "—", "—"]
                    continue
                ratio = bench.ratios(times[peer.name], times[THREADED])
                row += [*bench.Spread.of(times[peer.name]).text(1e6, 1), _said(ratio)]
            if threads == 1:
                for name, limit in ((PGPOOL, 4.0), (PGPOOL_BARE, 1.5)):
                    ratio = bench.ratios(times[name], times[THREADED])
                    what = "with" if name == PGPOOL else "without"
                    self._target(
                        f"check-out + check-in {what} stacks: ≤ {limit:g} × psycopg2 Threaded",
                        f"{_said(ratio)} ×",
                        ratio.median <= limit,
                    )
        head = ["pool"]
        for threads in ("1 thread", "4 threads", "16 threads"):
            head += [f"{threads}: µs a pair", "p10 to p90", "× Threaded"]
        bench.table(head, list(rows.values()))
        bench.note(
            f"4 connections, open already. Medians of {plan.pair_rounds} rounds of {plan.pairs:,} pairs, in turns; "
            "with several threads the time of all pairs by their number. The ratio is taken within each round. With 16 "
            f"threads the pools that raise are asked again every {RETRY * 1000:g} ms."
        )

    def _pairs(self, threads: int, get: Callable[[], Any], put: Callable[[Any], None]) -> float:
        count = self.plan.pairs // threads

        def work(_: int) -> None:
            for _ in itertools.repeat(None, count):
                put(get())

        if threads > 1:
            return _in_threads(threads, work) / (count * threads)
        return bench.timed(lambda: work(0)) / count

    def queries(self) -> None:
        """SELECT 1 in autocommit mode."""
        bench.title("SELECT 1, autocommit, TCP, 4 connections")
        plan, rows = self.plan, dict[str, list[object]]()
        METER.autocommit = True
        with contextlib.ExitStack() as stack:
            pools = {}
            for peer in self._for(1):
                pools[peer.name] = self.opened(peer, 4, 4, metered=True)
                stack.callback(pools[peer.name].close)
            for threads in (1, 4, 16, 64):
                ways = self._dedicated(stack, min(threads, 4), plan.query_seconds)
                for peer in self._for(threads):
                    pool = pools[peer.name]
                    get = pool.patient(30) if threads > 4 and not peer.waits else pool.get
                    once = self._query(get, pool.put)
                    ways[peer.name] = lambda once=once, threads=threads: _rate(threads, plan.query_seconds, once)
                for way in ways.values():
                    way()
                rates = bench.in_turns(ways, plan.query_rounds)
                drivers = {peer.name: peer.driver for peer in self.peers}
                for name in [each for each in (DEDICATED, DEDICATED_3) if each in ways] + [p.name for p in self._all()]:
                    row = rows.setdefault(name, [name])
                    if name not in rates:
                        row += ["—", "—"]
                        continue
                    share = _said(bench.ratios(rates[name], rates[DEDICATED]))
                    if drivers.get(name) == "psycopg 3":
                        own = bench.ratios(rates[name], rates[DEDICATED_3])
                        share += f"; of psycopg 3's {own.median:.2f}"
                    row += [f"{statistics.median(rates[name]):,.0f}", share]
                if threads <= 4:
                    ratio = bench.ratios(rates[PGPOOL], rates[DEDICATED])
                    bare = bench.ratios(rates[PGPOOL_BARE], rates[DEDICATED])
                    self._target(
                        f"SELECT 1 over TCP, {threads} thread{'s' * (threads > 1)}: ≥ .90 of a dedicated connection",
                        f"{_said(ratio)}; without stacks {_said(bare)}",
                        ratio.median >= 0.9,
                    )
        METER.autocommit = False
        head = ["pool"]
        for threads in (1, 4, 16, 64):
            head += [f"{threads} thr: queries/s", "× dedicated (p10 to p90)"]
        bench.table(head, list(rows.values()))
        bench.note(
            f"Medians of {plan.query_rounds} rounds of {plan.query_seconds:g} s, in turns, ratios within each round. "
            "Dedicated: 1 thread on 1 connection, else 4 threads on a connection each, for 4, 16 and 64 threads alike: "
            f"what the same connections can do. Pools that raise are asked again every {RETRY * 1000:g} ms."
        )

    def _query(self, get: Callable[[], Any], put: Callable[[Any], None]) -> Callable[[int], None]:
        def once(_: int) -> None:
            conn = get()
            cursor = conn.cursor()
            cursor.execute("SELECT 1")
            cursor.fetchone()
            cursor.close()
            put(conn)

        return once

    def _dedicated(
        self, stack: contextlib.ExitStack, threads: int, seconds: float, *, rollback: bool = False, **where: Any
    ) -> dict[str, Callable[[], float]]:
        """Return the ways without a pool: each thread has a connection of its own."""
        connects: dict[str, Callable[..., Any]] = {DEDICATED: psycopg2.connect}
        if psycopg_pool is not None:
            connects[DEDICATED_3] = psycopg.connect
        ways: dict[str, Callable[[], float]] = {}
        for name, connect in connects.items():
            conns = [connect(**self.where | where) for _ in range(threads)]
            for conn in conns:
                stack.callback(conn.close)
                conn.autocommit = not rollback

            def once(number: int, conns: list[Any] = conns) -> None:
                cursor = conns[number].cursor()
                cursor.execute("SELECT 1")
                cursor.fetchone()
                cursor.close()
                if rollback:
                    conns[number].rollback()

            ways[name] = lambda once=once: _rate(threads, seconds, once)
        return ways

    def round_trips(self) -> None:
        """Transactions over a link with a delay."""
        bench.title(f"16 threads on 16 connections, {ROUND_TRIP * 1000:g} ms a round trip, transactions")
        plan, count = self.plan, 16
        bound = count / (ROUND_TRIPS * ROUND_TRIP)
        rates: dict[str, list[float]] = {}
        with _proxy(self.where["port"]) as port:
            chosen = [peer for peer in self._for(count) if peer.name not in {PGPOOL_0, PGPOOL_0_BARE}]
            for number in range(plan.trip_rounds):
                first = number % len(chosen)
                with contextlib.ExitStack() as stack:
                    for name, way in self._dedicated(stack, count, plan.trip_seconds, rollback=True, port=port).items():
                        rates.setdefault(name, []).append(way())
                for peer in chosen[first:] + chosen[:first]:
                    pool = self.opened(peer, count, count, port=port)
                    try:
                        rate = _rate(count, plan.trip_seconds, self._query(pool.get, pool.put))
                    finally:
                        pool.close()
                    rates.setdefault(peer.name, []).append(rate)
        rows: list[list[object]] = []
        for name, values in rates.items():
            own = DEDICATED_3 if name == PSYCOPG_POOL else DEDICATED
            of_bound = bench.Spread.of([value / bound for value in values])
            of_own = _said(bench.ratios(values, rates[own]))
            rows.append([name, *bench.Spread.of(values).text(digits=0), _said(of_bound), of_own])
        bench.table(["pool", "transactions/s", "p10 to p90", "of the bound", "of dedicated, same driver"], rows)
        bench.note(
            f"Medians of {plan.trip_rounds} rounds of {plan.trip_seconds:g} s, in turns. A proxy of ours on loopback, "
            f"a process with a thread for each direction, holds each answer back until {ROUND_TRIP * 1000:g} ms have "
            f"passed since the question. BEGIN, SELECT and ROLLBACK are {ROUND_TRIPS} round trips: the bound is "
            f"{count} / {ROUND_TRIPS * ROUND_TRIP * 1000:g} ms = {bound:,.0f} a second, if nothing else took any time."
        )
        of_bound = bench.Spread.of([value / bound for value in rates[PGPOOL]])
        of_own = bench.ratios(rates[PGPOOL], rates[DEDICATED])
        self._target(
            "16 threads, 16 connections, 5 ms round trip: ≥ .95 of the bound",
            f"{_said(of_bound)} of the arithmetic bound; {_said(of_own)} of dedicated connections",
            of_bound.median >= 0.95,
        )

    def spikes(self) -> None:
        """Fifty requests at once on a pool of 5 to 50."""
        bench.title(f"A spike: 50 requests at once on a pool of 5 to 50, connecting takes {CONNECT_TAKES * 1000:g} ms")
        rows: list[list[object]] = []
        for hold in (0.002, 2.0):
            times: dict[str, list[float]] = {}
            opened: dict[str, list[int]] = {}
            for number in range(self.plan.spike_rounds):
                for peer in self._for(50):
                    if number and statistics.median(times.get(peer.name, [0.0])) > 1.5:
                        continue  # what takes seconds is measured once
                    if peer.name in {SEMAPHORE, STOCK} and (hold > 1 or not self.plan.with_slow):
                        continue  # as Threaded, which stands for them
                    if not self.plan.with_slow and peer.name in (_SLOW if hold > 1 else {POOLED_DB}):
                        continue
                    took, count = self._spike(peer, hold)
                    times.setdefault(peer.name, []).append(took)
                    opened.setdefault(peer.name, []).append(count)
            for name, values in times.items():
                counts = opened[name]
                some = f"{min(counts)} to {max(counts)}" if min(counts) < max(counts) else f"{counts[0]}"
                rows.append([name, f"{hold * 1000:g} ms", *bench.Spread.of(values).text(1000, 0), some, len(values)])
            median, most = statistics.median(times[PGPOOL]), max(opened[PGPOOL])
            if hold < 1:
                what, met = "≤ 60 ms, ≤ 3 new connections", median <= 0.06 and most <= 3
            else:
                what, met = "all served within 1 s", median <= 1.0
            self._target(
                f"spike of 50 on 5–50, connect 150 ms, hold {hold * 1000:g} ms: {what}",
                f"{median * 1000:,.0f} ms, {most} new connections",
                met,
            )
        bench.table(["pool", "each holds", "ms until all are served", "p10 to p90", "opened", "runs"], rows)
        bench.note(
            "Served: has its connection. Opened: connects that began meanwhile. A connection class sleeps before it "
            "connects (the first 5 are open before). Who took over 1.5 s in the first run is measured once."
        )

    def _spike(self, peer: Peer, hold: float) -> tuple[float, int]:
        count = 50
        pool = self.opened(peer, 5, count, metered=True)
        got = [0.0] * count
        try:
            METER.opened()
            METER.takes = CONNECT_TAKES
            gate = threading.Barrier(count + 1)

            def work(number: int) -> None:
                gate.wait()
                conn = pool.get()
                got[number] = time.perf_counter()
                time.sleep(hold)
                pool.put(conn)

            threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(count)]
            for thread in threads:
                thread.start()
            began = time.perf_counter()  # the gate opens for the first before the last is there to see it
            gate.wait()
            for thread in threads:
                thread.join()
            found = METER.opened()
        finally:
            pool.close()
            time.sleep(CONNECT_TAKES * 1.5)  # what is still being opened must not count for the next
            METER.takes = 0.0
        assert all(got), f"{peer.name}: not everybody was served"
        return max(got) - began, found

    def fairness(self) -> None:
        """More threads than connections, and no pause."""
        bench.title("Fairness: 16 threads on 4 connections, no pause")
        plan, threads = self.plan, 16
        rows: list[list[object]] = []
        found: dict[str, list[tuple[float, int, int, float, float]]] = {}
        chosen = [peer for peer in self._for(threads) if peer.name not in {PGPOOL_0, PGPOOL_0_BARE}]
        for _ in range(plan.fair_rounds):
            for peer in chosen:
                found.setdefault(peer.name, []).append(self._fair(peer, threads))
        for name, runs in found.items():
            rate, late, starved, jain, p99 = (list(column) for column in zip(*runs, strict=True))
            cells = [bench.Spread.of(rate).text(digits=0)[0], max(late), max(starved)]
            rows.append([name, *cells, f"{min(jain):.3f}", f"{statistics.median(p99) * 1000:,.1f}"])
            if name == PGPOOL:
                self._target(
                    "16 threads on 4 connections, no pause: Jain ≥ .99, no timeouts",
                    f"Jain {min(jain):.4f}, {sum(late)} timeouts, {max(starved)} starved, "
                    f"wait p99 {statistics.median(p99) * 1000:.1f} ms",
                    min(jain) >= 0.99 and not sum(late),
                )
        bench.table(["pool", "check-outs/s", "timeouts", "starved threads", "Jain's index", "wait p99, ms"], rows)
        bench.note(
            f"{plan.fair_rounds} runs of {plan.fair_seconds:g} s each, in turns. Each thread holds for "
            f"{FAIR_HOLD * 1000:g} ms and waits {FAIR_LIMIT:g} s at most, then tries again; DBUtils knows no limit. "
            "Median of check-outs and p99, the worst run of timeouts, starved threads (served less than a hundredth of "
            "the mean) and Jain's index (1: all alike; 0.25: 4 of 16 have it all). A wait in vain counts as a wait."
        )

    def _fair(self, peer: Peer, threads: int) -> tuple[float, int, int, float, float]:
        pool = self.opened(peer, 4, 4, limit=FAIR_LIMIT)
        get = pool.get if peer.waits else pool.patient(FAIR_LIMIT)
        counts, late = [0] * threads, [0] * threads
        waits: list[list[float]] = [[] for _ in range(threads)]
        until = 0.0

        def begin() -> None:
            nonlocal until
            until = time.perf_counter() + self.plan.fair_seconds

        def work(number: int) -> None:
            clock = time.perf_counter
            while (asked := clock()) < until:
                try:
                    conn = get()
                except (pool.late, Late):
                    late[number] += 1
                    waits[number].append(clock() - asked)
                    continue
                got = clock()
                waits[number].append(got - asked)
                counts[number] += got < until
                time.sleep(FAIR_HOLD)
                pool.put(conn)

        try:
            _in_threads(threads, work, begin)
        finally:
            pool.close()
        mean = statistics.fmean(counts)
        jain = sum(counts) ** 2 / (threads * sum(each * each for each in counts))
        p99 = bench.percentile([each for own in waits for each in own], 99)
        starved = sum(each < mean / 100 for each in counts)
        return sum(counts) / self.plan.fair_seconds, sum(late), starved, jain, p99

    def stale(self) -> None:
        """Six idle connections whose backends were ended."""
        bench.title("Six stale connections")
        rows: list[list[object]] = []
        found: dict[str, list[tuple[int, float, float, bool]]] = {}
        for number in range(self.plan.stale_rounds):
            for peer in self.peers:
                if peer.name == "psycopg_pool, check" and (number or not self.plan.with_slow):
                    continue  # 30 s
                found.setdefault(peer.name, []).append(self._stale(peer))
        for name, runs in found.items():
            failed, first, six, late = (list(column) for column in zip(*runs, strict=True))
            cells = [max(failed), *bench.Spread.of(first).text(1000, 1), *bench.Spread.of(six).text(1000, 1), len(runs)]
            if any(late):
                cells[1:5] = ["PoolTimeout", f"after {max(first):.1f} s", "—", "—"]
            rows.append([name, *cells])
        for name in (PGPOOL, PGPOOL_0):
            failed, first, six, _ = (list(column) for column in zip(*found[name], strict=True))
            self._target(
                f"6 connections killed while idle ({name}): 0 failed queries, first good ≤ 25 ms",
                f"{max(failed)} failed, first good {statistics.median(first) * 1000:.1f} ms, "
                f"six good {statistics.median(six) * 1000:.1f} ms",
                not max(failed) and statistics.median(first) <= 0.025,
            )
        head = ["pool", "failed queries", "ms to first good", "p10 to p90", "ms to six good", "p10 to p90", "runs"]
        bench.table(head, rows)
        bench.note(
            "One thread checks out until six connections have answered SELECT 1, all held at once; one that fails is "
            "given back. Connecting is a real connect here. psycopg_pool's own check is measured once."
        )

    def _stale(self, peer: Peer) -> tuple[int, float, float, bool]:
        pool = self.opened(peer, 6, 10, limit=30.0)
        held: list[Any] = []
        failed, first, late = 0, 0.0, False
        try:
            self._kill()
            began = time.perf_counter()
            while len(held) < 6 and failed < 50:
                try:
                    conn = pool.get()
                except pool.late:
                    late = True
                    first = first or time.perf_counter() - began
                    break
                try:
                    cursor = conn.cursor()
                    cursor.execute("SELECT 1")
                    cursor.fetchone()
                    cursor.close()
                except Exception:
                    failed += 1
                    with contextlib.suppress(Exception):
                        pool.put(conn)
                    continue
                first = first or time.perf_counter() - began
                held.append(conn)
            six = time.perf_counter() - began
            for conn in held:
                pool.put(conn)
        finally:
            with contextlib.suppress(Exception):
                pool.close()
        return failed, first, six, late

    def _kill(self) -> None:
        """End every other client's backend and wait until all are gone."""
        others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        with contextlib.closing(psycopg2.connect(**self.where)) as conn:
            conn.autocommit = True
            with conn.cursor() as cursor:
                cursor.execute(f"SELECT pg_terminate_backend(pid) {others}")
                left = 1
                while left:
                    cursor.execute(f"SELECT count(*) {others}")
                    [[left]] = cursor.fetchall()
        time.sleep(0.05)  # a backend leaves that view before it closes its socket

    def targets(self) -> None:
        """Say which targets are met."""
        bench.title("The targets")
        rows = [[what, figure, "met" if met else "not met"] for what, (figure, met) in self.found.items()]
        bench.table(["target", "measured (median, p10 to p90)", ""], rows)

    def _target(self, what: str, figure: str, met: bool) -> None:
        self.found[what] = (figure, met)

    def _all(self) -> list[Peer]:
        return [peer for peer in self.peers if not peer.in_stale_only]

    def _for(self, threads: int) -> list[Peer]:
        return [peer for peer in self._all() if peer.is_for_threads or threads == 1]


def _said(spread: bench.Spread) -> str:
    median, between = spread.text(digits=2)
    return f"{median} ({between})"


# -- the proxy --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _proxy(port: int) -> Iterator[int]:
    """Run the delaying proxy in a process of its own, which ends with ours; yield its port."""
    command = [sys.executable, os.path.abspath(__file__), "--proxy", str(port)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        yield int(child.stdout.readline())
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


def _serve_proxy(port: int) -> None:
    """Pass everything on to *port* until standard input ends, the server's answers with a delay."""
    door = socket.create_server(("127.0.0.1", 0), backlog=128)
    threading.Thread(target=_welcome, args=(door, port), daemon=True).start()
    print(door.getsockname()[1], flush=True)
    sys.stdin.read()
    os._exit(0)


def _welcome(door: socket.socket, port: int) -> None:
    while True:
        client, _ = door.accept()
        server = socket.create_connection(("127.0.0.1", port))
        for one in (client, server):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        asked = [0.0]
        threading.Thread(target=_pass_on, args=(client, server, asked), daemon=True).start()
        threading.Thread(target=_pass_on, args=(server, client, asked, ROUND_TRIP), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, asked: list[float], delay: float = 0.0) -> None:
    """Pass on what comes: what the client asks at once, an answer when *delay* is over since it was asked."""
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            if not delay:
                asked[0] = time.perf_counter()
            elif (rest := asked[0] + delay - time.perf_counter()) > 0:
                time.sleep(rest)
            target.sendall(piece)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


# -- all of it --------------------------------------------------------------------------------------------------

SCENARIOS = ("pairs", "queries", "round_trips", "spikes", "fairness", "stale")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each scenario, and the targets."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a minute instead of six, with wider spreads")
    parser.add_argument("--only", choices=SCENARIOS, nargs="+", default=SCENARIOS)
    parser.add_argument("--proxy", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.proxy:
        _serve_proxy(given.proxy)
        return
    for name in ("sqlalchemy.pool", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # they log every dead connection
    cluster.CONNECTIONS = 100
    began = time.monotonic()
    with bench.own_home(), start() as lease:
        run = Bench(_where(lease.server), QUICK if given.quick else FULL, peers())
        bench.note(f"PostgreSQL {lease.server.version}, TCP on loopback, scram-sha-256, {_versions()}.")
        for each in given.only:
            getattr(run, each)()
        run.targets()
    load = f", load {os.getloadavg()[0]:.1f} at the end" if hasattr(os, "getloadavg") else ""
    bench.note(f"{math.ceil(time.monotonic() - began)} s in all{load}.")


def _where(server: DemoServer) -> dict[str, Any]:
    where = {"host": server.host, "port": server.port, "dbname": server.dbname, "user": server.user}
    return where | {"password": server.password, "sslmode": "disable", "gssencmode": "disable"}


def _versions() -> str:
    said: list[str] = []
    for name in ("SQLAlchemy", "DBUtils", "psycopg", "psycopg-binary", "psycopg-pool"):
        try:
            said.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            said.append(f"{name} is not installed and left out")
    return ", ".join(said)


if __name__ == "__main__":
    main()
