"""PgBouncer's console: a database called pgbouncer that knows SHOW, no transactions and no settings."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from psycopg2.extensions import connection

_MARK = "/bouncer"  # the end of the server_version that the console tells


class Show(StrEnum):
    """What the console shows of its own."""

    POOLS = "POOLS"
    CLIENTS = "CLIENTS"
    SERVERS = "SERVERS"
    DATABASES = "DATABASES"
    STATS = "STATS"


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer of the console: the names of its columns, and its rows as text; None where it says nothing."""

    what: Show
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]


def is_console(conn: connection) -> bool:
    """Whether *conn* is connected to a PgBouncer's console. Asks nobody."""
    return (conn.info.parameter_status("server_version") or "").endswith(_MARK)


def console_version(conn: connection) -> str:
    """Return the version of the PgBouncer whose console *conn* is: "1.18.0". Asks nobody."""
    return (conn.info.parameter_status("server_version") or "").removesuffix(_MARK)


def show(side: Callable[[], connection], what: Show) -> Shown:
    """Return what the console answers to SHOW *what*, over a connection of its own, closed again.

    Blocks for a connect and a round trip. Raises psycopg2.Error.
    """
    conn = side()
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(f"SHOW {what}")
            columns = tuple(column.name for column in cursor.description or ())
            rows = tuple(tuple(None if value is None else str(value) for value in row) for row in cursor.fetchall())
    finally:
        conn.close()
    return Shown(what, columns, rows)
