"""What pg_stat_statements has counted, where it is installed, and how it comes to be."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection

from pgexplorer.db.catalog import quoted

MOST = 200  # statements that are read
# Few roles may see shared_preload_libraries; a setting of its own shows that the library is loaded.
_EXTENSION = """
SELECT n.nspname, a.name IS NOT NULL, current_setting('pg_stat_statements.max', true) IS NOT NULL
  FROM (SELECT 1) AS one
  LEFT JOIN pg_catalog.pg_extension e ON e.extname = 'pg_stat_statements'
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
  LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = 'pg_stat_statements'
"""


class Order(StrEnum):
    """What the statements are sorted by; the most first."""

    TOTAL = "total time"
    CALLS = "calls"
    MEAN = "mean time"
    ROWS = "rows"
    READ = "blocks read"


_ORDERS = {
    Order.TOTAL: "s.total_exec_time",
    Order.CALLS: "s.calls",
    Order.MEAN: "s.mean_exec_time",
    Order.ROWS: "s.rows",
    Order.READ: "s.shared_blks_read",
}


@dataclass(frozen=True, slots=True)
class Counted:
    """One statement, its constants left out, and what it took. Times in seconds."""

    statement: str
    role: str
    database: str
    calls: int
    total_s: float
    mean_s: float
    rows: int
    blocks_hit: int
    blocks_read: int
    share: float  # of the time of all statements, 0 to 1

    @property
    def hit_percent(self) -> float | None:
        """How many of its blocks were in the cache, in percent; None where it needed none."""
        blocks = self.blocks_hit + self.blocks_read
        return 100.0 * self.blocks_hit / blocks if blocks else None


@dataclass(frozen=True, slots=True)
class Statements:
    """What could be read."""

    rows: tuple[Counted, ...] = ()
    missing: str = ""  # why there is nothing, in a line
    how: str = ""  # how to change that


_STATEMENTS = """
SELECT s.query, coalesce(r.rolname, ''), coalesce(d.datname, ''), s.calls, s.total_exec_time / 1000,
       s.mean_exec_time / 1000, s.rows, s.shared_blks_hit, s.shared_blks_read,
       coalesce(s.total_exec_time / nullif((SELECT sum(t.total_exec_time) FROM {schema}.pg_stat_statements t), 0), 0)
  FROM {schema}.pg_stat_statements s
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.userid
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.dbid
 ORDER BY {order} DESC NULLS LAST, s.queryid LIMIT {most}
"""


def read_statements(side: Callable[[], connection], order: Order = Order.TOTAL) -> Statements:
    """Return the statements that took the most by *order*, or why there are none. Over a side connection, closed again.

    Blocks for a connect and two round trips. Raises psycopg2.Error.
    """
    conn = side()
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(_EXTENSION)
            [(schema, is_available, is_loaded)] = cursor.fetchall()
            if schema is None:
                return _missing(is_available, is_loaded)
            text = _STATEMENTS.format(schema=quoted(schema), order=_ORDERS[order], most=MOST)
            try:
                cursor.execute(text)
            except psycopg2.errors.ObjectNotInPrerequisiteState:
                return Statements(missing="pg_stat_statements is installed, and the server does not load it", how=_LOAD)
            return Statements(tuple(Counted(*row) for row in cursor.fetchall()))
    finally:
        conn.close()


_LOAD = (
    "-- As a superuser, beside what the setting names already; then restart the server:\n"
    "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements';"
)


def _missing(is_available: bool, is_loaded: bool) -> Statements:
    if not is_available:
        return Statements(
            missing="pg_stat_statements is not on this server's machine",
            how="-- It comes with PostgreSQL's contrib package, postgresql-contrib on many systems.",
        )
    install = "-- In this database, as a superuser:\nCREATE EXTENSION pg_stat_statements;"
    if is_loaded:
        return Statements(missing="pg_stat_statements is not installed in this database", how=install)
    return Statements(missing="pg_stat_statements is not installed", how=f"{_LOAD}\n\n{install}")


def reset_statements(side: Callable[[], connection]) -> None:
    """Have pg_stat_statements begin anew. Raises psycopg2.Error."""
    conn = side()
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(_EXTENSION)
            [(schema, *_)] = cursor.fetchall()
            if schema is not None:
                cursor.execute(f"SELECT {quoted(schema)}.pg_stat_statements_reset()")
    finally:
        conn.close()
