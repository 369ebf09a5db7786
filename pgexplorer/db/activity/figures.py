"""The server's counters, and what they make over time: transactions a second, cache hits, rows in and out."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from psycopg2.extensions import connection

KEPT = 600  # samples: ten minutes at one a second


@dataclass(frozen=True, slots=True)
class Figures:
    """What the server has counted, over all of its databases, since its statistics were reset."""

    at: float  # on time.monotonic's clock
    commits: int
    rollbacks: int
    blocks_hit: int  # found in the buffer cache
    blocks_read: int  # asked of the operating system
    rows_returned: int
    rows_fetched: int
    rows_inserted: int
    rows_updated: int
    rows_deleted: int
    temporary_bytes: int
    deadlocks: int


_FIGURES = """
SELECT coalesce(sum(xact_commit), 0)::bigint, coalesce(sum(xact_rollback), 0)::bigint,
       coalesce(sum(blks_hit), 0)::bigint, coalesce(sum(blks_read), 0)::bigint,
       coalesce(sum(tup_returned), 0)::bigint, coalesce(sum(tup_fetched), 0)::bigint,
       coalesce(sum(tup_inserted), 0)::bigint, coalesce(sum(tup_updated), 0)::bigint,
       coalesce(sum(tup_deleted), 0)::bigint, coalesce(sum(temp_bytes), 0)::bigint,
       coalesce(sum(deadlocks), 0)::bigint
  FROM pg_catalog.pg_stat_database
"""
# Of a database that the role may not connect to the size is not told.
_SIZES = """
SELECT datname::text, pg_database_size(oid) FROM pg_catalog.pg_database
 WHERE has_database_privilege(oid, 'CONNECT') OR pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
 ORDER BY 2 DESC, 1
"""


def read_figures(conn: connection, at: float) -> Figures:
    """Return the counters, as read *at*. One round trip."""
    with conn.cursor() as cursor:
        cursor.execute(_FIGURES)
        [row] = cursor.fetchall()
        return Figures(at, *row)


def read_sizes(conn: connection) -> tuple[tuple[str, int], ...]:
    """Return the databases with their bytes, the largest first. The server looks at every file of theirs."""
    with conn.cursor() as cursor:
        cursor.execute(_SIZES)
        return tuple((str(name), int(size)) for name, size in cursor.fetchall())


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters and the connections at a moment."""

    figures: Figures
    connections: dict[str, int]  # client sessions by state
    max_connections: int


class Samples:
    """The samples of the last minutes, and what lies between two of them. For one thread."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=KEPT)

    def add(self, sample: Sample) -> None:
        """Keep one more. After a reset of the server's statistics those before it are dropped."""
        if self._samples and sample.figures.commits < self._samples[-1].figures.commits:
            self._samples.clear()
        self._samples.append(sample)

    def clear(self) -> None:
        """Forget all: another server."""
        self._samples.clear()

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def latest(self) -> Sample | None:
        """The newest."""
        return self._samples[-1] if self._samples else None

    def rate(self, count: Callable[[Figures], int]) -> list[tuple[float, float]]:
        """Return (at, times a second) of *count* between each two samples, oldest first."""
        return [
            (after.at, (count(after) - count(before)) / (after.at - before.at))
            for before, after in self._pairs()
            if after.at > before.at
        ]

    def hit_ratio(self) -> list[tuple[float, float]]:
        """Return (at, percent of the blocks that were in the cache), oldest first; nothing where none was asked for."""
        found: list[tuple[float, float]] = []
        for before, after in self._pairs():
            hit, read = after.blocks_hit - before.blocks_hit, after.blocks_read - before.blocks_read
            if hit + read > 0:
                found.append((after.at, 100.0 * hit / (hit + read)))
        return found

    def connections(self, state: str) -> list[tuple[float, float]]:
        """Return (at, client sessions in *state*), oldest first."""
        return [(sample.figures.at, float(sample.connections.get(state, 0))) for sample in self._samples]

    def _pairs(self) -> list[tuple[Figures, Figures]]:
        figures = [sample.figures for sample in self._samples]
        return list(pairwise(figures))
