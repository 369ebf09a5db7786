"""What pooling gains: a connection for every query against connections from the pool, measured in turns."""

import contextlib
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2.errors import UndefinedTable
from psycopg2.extensions import connection

from pgexplorer.pool.protocol import Pool

HOLDER = "tour"
_SECONDS = 1.5  # for all rounds together; one more than that is begun only while fewer than _FEWEST are done
_LONGEST = 2.5
_ROUNDS = 60
_FEWEST = 5
# Queries from the pool in a round: one alone is short, and hears the backend that the other way has just ended.
_POOLED, _POOLED_SECONDS = 20, 0.005

# The same as a program of its own; {query} is filled in.
PROGRAM = """\
import statistics
import time
query = {query!r}
def connect_for_it():
    connection = psycopg2.connect(**parameters)
    with connection.cursor() as cursor:
        cursor.execute(query)
        cursor.fetchall()
    connection.close()
def take_it_from_the_pool():
    connection = pool.getconn()
    with connection.cursor() as cursor:
        cursor.execute(query)
        cursor.fetchall()
    pool.putconn(connection)
def timed(way):
    began = time.perf_counter()
    way()
    return time.perf_counter() - began
rounds = [(timed(connect_for_it), timed(take_it_from_the_pool)) for _ in range({rounds})]
for name, times in zip(("connect for every query", "from the pool"), zip(*rounds)):
    print(f"{{name}}: {{statistics.median(times) * 1000:.2f}} ms")
"""


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle of several measurements, and where nine in ten of them begin and end."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise *values*, of which there is one at least."""
        ordered = sorted(values)
        edge = len(ordered) // 20
        return cls(statistics.median(ordered), ordered[edge], ordered[-1 - edge])


@dataclass(frozen=True, slots=True)
class Gain:
    """Seconds for one query, both ways, and how many times longer connecting for it takes."""

    query: str
    rounds: int
    connecting: Spread
    pooled: Spread
    ratio: Spread  # within a round, so that a busy machine counts against both


def measure(pool: Pool, connect: Callable[[], connection], query: str) -> Gain:
    """Measure both ways in turns, for 2.5 s at most where the server answers.

    A server without the query's table is asked for SELECT 1. Holds one connection at a time, from the pool or beside
    it. Blocks. Raises PoolError when the pool has none to give, other psycopg2 errors as they come.
    """
    try:
        _from(pool, query)
    except UndefinedTable:
        query = "SELECT 1"
        _from(pool, query)
    began = time.perf_counter()
    connecting: list[float] = []
    pooled: list[float] = []
    longest = 0.0
    while len(connecting) < _ROUNDS:
        spent = time.perf_counter() - began
        if connecting and (spent + longest > _LONGEST or (spent > _SECONDS and len(connecting) >= _FEWEST)):
            break
        if len(connecting) % 2:
            pooled.append(_timed_from(pool, query))
            connecting.append(_timed_connect(connect, query))
        else:
            connecting.append(_timed_connect(connect, query))
            pooled.append(_timed_from(pool, query))
        longest = max(longest, time.perf_counter() - began - spent)
    ratios = [one / other for one, other in zip(connecting, pooled, strict=True)]
    return Gain(query, len(ratios), Spread.of(connecting), Spread.of(pooled), Spread.of(ratios))


def _timed_connect(connect: Callable[[], connection], query: str) -> float:
    began = time.perf_counter()
    with contextlib.closing(connect()) as conn, conn.cursor() as cursor:
        cursor.execute(query)
        cursor.fetchall()
    return time.perf_counter() - began


def _timed_from(pool: Pool, query: str) -> float:
    began, took, count = time.perf_counter(), 0.0, 0
    while count < _POOLED and took < _POOLED_SECONDS:
        _from(pool, query)
        count += 1
        took = time.perf_counter() - began
    return took / count


def _from(pool: Pool, query: str) -> None:
    conn = pool.getconn(holder=HOLDER)
    try:
        with conn.cursor() as cursor:
            cursor.execute(query)
            cursor.fetchall()
    except psycopg2.Error:
        pool.putconn(conn, close=bool(conn.closed))
        raise
    pool.putconn(conn)
