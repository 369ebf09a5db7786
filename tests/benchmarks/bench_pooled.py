"""What a connection from a pool saves against connecting for every query, and what looking on costs."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bench
import psycopg2
from psycopg2.pool import AbstractConnectionPool

from pgexplorer.db.client import Client
from pgexplorer.demo.server import start
from pgexplorer.pool.stock import StockPool, open_stock

QUERY = "select * from person"
ROUNDS = 25
CONNECTING, POOLED = 6, 400  # queries of each thread in a round: some hundredths of a second either way
WARM_UP = 3  # queries of each thread that are not counted: the way before has just ended backends
PAIRS, PAIR_ROUNDS = 1_000, 40

CONNECT = "connect for every query"
RAW = "ThreadedConnectionPool"
RAW_AUTOCOMMIT = "ThreadedConnectionPool, autocommit"
STOCK = "StockPool (observed)"
CLIENT = "Client (careful, on StockPool)"


def main() -> None:
    """Print both tables."""
    with bench.own_home(), start() as lease:
        server = lease.server
        common = {"port": server.port, "dbname": server.dbname, "user": server.user, "password": server.password}
        over = {
            "TCP with SCRAM": common | {"host": server.host},
            "Unix socket with SCRAM": common | {"host": server.socket_dir},
        }
        bench.title(f"Pooled against connect-per-query: `{QUERY}`")
        rows = [row for way, given in over.items() for threads in (1, 4) for row in _compare(way, threads, given)]
        bench.table(
            ["over", "threads", "way", "ms a query", "p10 to p90", "queries/s", "connecting takes … times as long"],
            rows,
        )
        bench.note(
            f"Medians of {ROUNDS} rounds, in which the ways take turns; a round is {CONNECTING} connects or {POOLED} "
            "queries from a pool, in each thread. `ms a query` is what one thread waits for one query; queries/s is of "
            "all threads together. The last column is the ratio within each round: median (p10 to p90). Server and "
            "client share the cores. Without autocommit psycopg2 sends BEGIN, the query and, in putconn, ROLLBACK: "
            "three round trips where autocommit, which the Client sets, has one."
        )
        bench.title("What observing costs: getconn and putconn without a query")
        bench.table(["way", "threads", "µs a pair", "p10 to p90", "more than bare, µs"], _pairs(over["TCP with SCRAM"]))
        bench.note(
            f"Medians of {PAIR_ROUNDS} rounds of {PAIRS:,} pairs in each thread, in turns; with 4 threads it is the "
            "time of all pairs divided by their number. The last column is the difference within each round: median "
            "(p10 to p90)."
        )


def _compare(over: str, threads: int, given: dict[str, Any]) -> list[list[object]]:
    """Measure every way over one kind of connection."""
    stock = open_stock("ThreadedConnectionPool", threads, threads, **given)
    client = Client(stock)
    ways: dict[str, tuple[Callable[[], None], int]] = {
        CONNECT: (lambda: _connecting(given), CONNECTING),
        RAW: (lambda: _from_pool(stock.raw), POOLED),
        RAW_AUTOCOMMIT: (lambda: _from_pool(stock.raw, autocommit=True), POOLED),
        STOCK: (lambda: _from_pool(stock), POOLED),
        CLIENT: (lambda: _from_client(client), POOLED),
    }
    try:
        found = bench.in_turns(
            {name: lambda once=once, count=count: _each(threads, once, count) for name, (once, count) in ways.items()},
            ROUNDS,
        )
    finally:
        stock.closeall()
    rows: list[list[object]] = []
    for name, times in found.items():
        spread = bench.Spread.of(times)
        ratio = "—"
        if name != CONNECT:
            median, between = bench.ratios(found[CONNECT], times).text(digits=0)
            ratio = f"{median} ({between})"
        rows.append([over, threads, name, *spread.text(1000, 3), f"{threads / spread.median:,.0f}", ratio])
    return rows


def _each(threads: int, once: Callable[[], None], count: int) -> float:
    """Return the seconds of one query, *count* of which run in each of *threads* threads."""
    together = threading.Barrier(threads + 1, timeout=60)

    def work() -> None:
        try:
            for _ in range(WARM_UP):
                once()
            together.wait()
            for _ in range(count):
                once()
            together.wait()
        except BaseException:
            together.abort()
            raise

    with ThreadPoolExecutor(threads) as executor:
        running = [executor.submit(work) for _ in range(threads)]
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait()
            took = bench.timed(together.wait)
        for each in running:
            each.result()
    return took / count


def _connecting(given: dict[str, Any]) -> None:
    conn = psycopg2.connect(**given)
    with conn.cursor() as cursor:
        cursor.execute(QUERY)
        cursor.fetchall()
    conn.close()


def _from_pool(pool: AbstractConnectionPool | StockPool, *, autocommit: bool = False) -> None:
    conn = pool.getconn()
    if conn.autocommit is not autocommit:
        conn.autocommit = autocommit
    with conn.cursor() as cursor:
        cursor.execute(QUERY)
        cursor.fetchall()
    pool.putconn(conn)


def _from_client(client: Client) -> None:
    with client.lend("bench") as conn, conn.cursor() as cursor:
        cursor.execute(QUERY)
        cursor.fetchall()


def _pairs(given: dict[str, Any]) -> list[list[object]]:
    """Measure getconn and putconn alone."""
    rows: list[list[object]] = []
    for threads in (1, 4):
        stock = open_stock("ThreadedConnectionPool", threads, threads, **given)
        client = Client(stock)
        ways: dict[str, Callable[[], None]] = {
            RAW: lambda raw=stock.raw: raw.putconn(raw.getconn()),
            STOCK: lambda stock=stock: stock.putconn(stock.getconn()),
            CLIENT: lambda client=client: _lend(client),
        }
        try:
            found = bench.in_turns(
                {
                    name: lambda once=once, threads=threads: _each(threads, once, PAIRS) / threads
                    for name, once in ways.items()
                },
                PAIR_ROUNDS,
            )
        finally:
            stock.closeall()
        for name, times in found.items():
            more = "—"
            if name != RAW:
                difference = [one - other for one, other in zip(times, found[RAW], strict=True)]
                median, between = bench.Spread.of(difference).text(1e6, 1)
                more = f"{median} ({between})"
            rows.append([name, threads, *bench.Spread.of(times).text(1e6, 1), more])
    return rows


def _lend(client: Client) -> None:
    with client.lend("bench"):
        pass


if __name__ == "__main__":
    main()
