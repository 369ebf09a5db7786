"""What a server answers before a pool is opened: libpq's stages with their times, its limits, its databases."""

import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import extensions as ext
from psycopg2 import sql
from psycopg2.extensions import connection

from pgexplorer.db.activity.pgbouncer import console_version, is_console
from pgexplorer.db.profile import CONNECT_TIMEOUT, Profile

Connection = connection  # for those above db/, who hand it on and never call it

# PQstatus while connecting (libpq-fe.h, ConnStatusType), and the stage that each of them waits for.
_STAGES = {
    2: "Link",
    3: "Link",
    8: "TLS",
    7: "TLS",
    4: "Authentication",
    5: "Start of the session",
    6: "Start of the session",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of connecting that has ended."""

    name: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server says of itself and its limits."""

    version: str  # "18.6"
    max_connections: int
    reserved: int  # for superusers and for roles with pg_use_reserved_connections
    used: int  # client connections of everybody, this one left out
    role_limit: int  # of the role, -1 without
    databases: tuple[str, ...]
    tls: str  # "TLSv1.3", or "" without TLS
    is_superuser: bool
    total_s: float = 0.0
    is_console: bool = False  # a PgBouncer's own: no transactions, no settings, nothing but SHOW

    @property
    def product(self) -> str:
        """What answers, with its version: "PostgreSQL 18.6"."""
        return f"{'PgBouncer' if self.is_console else 'PostgreSQL'} {self.version}"

    @property
    def free(self) -> int:
        """How many connections an ordinary role can still open."""
        reserved = 0 if self.is_superuser else self.reserved
        return max(0, self.max_connections - reserved - self.used)

    def has_room(self, profile: Profile) -> bool:
        """Whether the server would let the pool grow to its maximum now."""
        return profile.maxconn <= (min(self.free, self.role_limit) if self.role_limit >= 0 else self.free)

    def plan(self, profile: Profile) -> str:
        """Say what the server allows, and warn where the pool's limits do not fit into it."""
        words = f"The server allows {self.max_connections}; {self.free} {'is' if self.free == 1 else 'are'} free."
        if self.role_limit >= 0:
            words += f" The role may open {self.role_limit}."
        if not self.has_room(profile):
            words += f" A maximum of {profile.maxconn} does not fit: the server will refuse before the pool does."
        return words


# An ordinary role sees no backend_type of others' sessions, but whose they are and in which database.
_FACTS = """
SELECT current_setting('server_version'),
       current_setting('max_connections')::int,
       current_setting('superuser_reserved_connections')::int
           + coalesce(current_setting('reserved_connections', true), '0')::int,
       (SELECT count(*) FROM pg_stat_activity
         WHERE pid <> pg_backend_pid()
           AND coalesce(backend_type = 'client backend', usesysid IS NOT NULL AND datid IS NOT NULL)),
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
       (SELECT array_agg(datname::text ORDER BY datname) FROM pg_database
         WHERE datallowconn AND has_database_privilege(oid, 'CONNECT')),
       (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()),
       current_setting('is_superuser') = 'on'
"""


def connect_in_stages(profile: Profile) -> Iterator[Stage | Facts]:
    """Connect once, yielding each stage as it ends and at last the server's facts; then close.

    libpq looks names up before it returns for the first time, so that is one stage with the start of the link.
    Raises OperationalError with libpq's words, at the latest when the profile's connect_timeout is over.
    """
    parameters = profile.parameters("side")
    deadline = time.monotonic() + _patience(parameters) * (profile.host.count(",") + 1)
    began = mark = time.perf_counter()
    conn: connection = psycopg2.connect(**parameters, async_=True)
    try:
        stage = "Name look-up"
        while True:
            state = conn.poll()
            if state == ext.POLL_OK:
                break
            now_in = _STAGES.get(int(conn.info.status), stage)
            if now_in == "Link" and stage == "TLS":
                now_in = "Authentication"  # the link stands; libpq is back to it because TLS was refused or is done
            if now_in != stage:
                now = time.perf_counter()
                yield Stage(stage, now - mark)
                stage, mark = now_in, now
            _wait(conn, state, deadline)
        now = time.perf_counter()
        yield Stage(stage, now - mark)
        yield _facts(conn, time.perf_counter() - began, deadline)
    finally:
        conn.close()


def facts(conn: connection) -> Facts:
    """Ask a connected server for its facts. One round trip; of a PgBouncer's console three."""

    def ask(text: str) -> list[Any]:
        with conn.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall()

    return _of_console(conn, ask, 0.0) if is_console(conn) else _read(ask(_FACTS)[0], 0.0)


def create_database(profile: Profile) -> None:
    """Create the profile's database, connecting through "postgres" or "template1". Raises psycopg2.Error."""
    from dataclasses import replace

    failed: psycopg2.Error | None = None
    for template in ("postgres", "template1"):
        try:
            conn = psycopg2.connect(**replace(profile, dbname=template, read_only=False).parameters("side"))
        except psycopg2.OperationalError as error:
            failed = error
            continue
        try:
            conn.autocommit = True
            with conn.cursor() as cursor:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(profile.dbname)))
            return
        finally:
            conn.close()
    assert failed is not None
    raise failed


def connect_side(profile: Profile, timeout_s: int = 3, **more: Any) -> connection:
    """Open a short-lived connection beside the pool, named pgexplorer/side. The caller closes it."""
    parameters = profile.parameters("side")
    parameters["connect_timeout"] = timeout_s
    return psycopg2.connect(**parameters, **more)


def _facts(conn: connection, total_s: float, deadline: float) -> Facts:
    def ask(text: str) -> list[Any]:
        with conn.cursor() as cursor:
            cursor.execute(text)
            while (state := conn.poll()) != ext.POLL_OK:
                _wait(conn, state, deadline)
            return cursor.fetchall()

    return _of_console(conn, ask, total_s) if is_console(conn) else _read(ask(_FACTS)[0], total_s)


def _of_console(conn: connection, ask: Callable[[str], list[Any]], total_s: float) -> Facts:
    config = {str(row[0]): str(row[1]) for row in ask("SHOW CONFIG")}
    lists = {str(row[0]): int(row[1]) for row in ask("SHOW LISTS")}
    databases = tuple(str(row[0]) for row in ask("SHOW DATABASES"))
    most, used = int(config.get("max_client_conn", 0)), lists.get("used_clients", 1) - 1
    return Facts(console_version(conn), most, 0, used, -1, databases, "", False, total_s, is_console=True)


def _read(row: Any, total_s: float) -> Facts:
    version, most, reserved, used, limit, databases, tls, is_superuser = row
    return Facts(
        str(version).split(" ", maxsplit=1)[0],
        most,
        reserved,
        used,
        limit,
        tuple(databases or ()),
        tls or "",
        is_superuser,
        total_s,
    )


def _patience(parameters: dict[str, Any]) -> float:
    """Return the seconds that a host is given. libpq takes 0 for ever, which no stage here may last."""
    try:
        seconds = int(parameters["connect_timeout"])
    except ValueError:
        seconds = 0  # libpq says in a moment what is wrong with it
    return seconds if seconds > 0 else CONNECT_TIMEOUT


def _wait(conn: connection, state: int, deadline: float) -> None:
    left = deadline - time.monotonic()
    reading = [conn] if state == ext.POLL_READ else []
    writing = [conn] if state == ext.POLL_WRITE else []
    if left <= 0 or not any(select.select(reading, writing, [], left)):
        raise psycopg2.OperationalError("timeout expired")
