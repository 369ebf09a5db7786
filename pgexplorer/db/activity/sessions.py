"""The sessions at the server: what each does and waits for, who blocks whom, and what of it stands out."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection

from pgexplorer.db.activity.figures import Figures, read_figures, read_sizes
from pgexplorer.db.activity.locks import Lock, read_locks
from pgexplorer.units import duration

# Seconds from which on something is pointed out: as worth a look, and as trouble.
IDLE_IN_TRANSACTION = (10.0, 60.0)
LONG_TRANSACTION = (60.0, 600.0)
BLOCKED = (1.0, 30.0)
_PATIENCE = 2.0  # seconds for a session to heed a cancel or a terminate, before it is said that it has not
_AGAIN = 0.05
STATES = ("active", "idle", "idle in transaction", "other")
PREPARED = 0  # the process number that pg_blocking_pids gives a prepared transaction


class Level(StrEnum):
    """How much something stands out."""

    NONE = ""
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Session:
    """A process of the server as pg_stat_activity has it. Ages in seconds by the server's clock; None: not told."""

    pid: int
    started: float  # backend_start, seconds since the epoch: with the pid it is this session and no later one
    kind: str  # backend_type, "" where the role may not see it
    database: str
    role: str
    application: str
    client: str  # "10.0.0.7:49152", "local", "" for the server's own processes
    state: str  # "" where the server does not tell
    state_s: float | None
    wait_type: str
    wait: str
    statement_s: float | None  # how long the running statement has been running
    transaction_s: float | None
    age_s: float | None
    statement: str  # the running or the last one, its beginning
    blockers: tuple[int, ...] = ()  # PREPARED stands for a prepared transaction

    @property
    def key(self) -> tuple[int, float]:
        """What tells it from a later session with its number."""
        return self.pid, self.started

    @property
    def is_client(self) -> bool:
        """Whether somebody is connected to it, as far as can be seen."""
        return self.kind == "client backend" if self.kind else bool(self.role and self.database)

    @property
    def is_active(self) -> bool:
        """Whether it runs a statement."""
        return self.state in {"active", "fastpath function call"}

    @property
    def is_idle_in_transaction(self) -> bool:
        """Whether it sits in an open transaction, failed or not."""
        return self.state.startswith("idle in transaction")

    @property
    def waits_for(self) -> str:
        """What it waits for: "Lock: transactionid"; "" while it waits for its client, as idle ones do."""
        if not self.wait or self.wait_type in {"Client", "Activity"}:
            return ""
        return f"{self.wait_type}: {self.wait}"

    @property
    def findings(self) -> list[tuple[Level, str]]:
        """What stands out, the worst first: how much, and in words."""
        found: list[tuple[Level, str]] = []
        if self.blockers and self.state_s is not None:
            waited = self.statement_s if self.statement_s is not None else self.state_s
            names = ", ".join("a prepared transaction" if pid == PREPARED else str(pid) for pid in self.blockers)
            found.append((_level(waited, BLOCKED), f"blocked by {names}"))
        elif self.blockers:
            found.append((Level.WARN, f"blocked by {', '.join(map(str, self.blockers))}"))
        if self.is_idle_in_transaction and self.state_s is not None:
            found.append(
                (_level(self.state_s, IDLE_IN_TRANSACTION), f"idle in transaction for {duration(self.state_s)}")
            )
        if self.transaction_s is not None and self.is_client:
            found.append(
                (_level(self.transaction_s, LONG_TRANSACTION), f"transaction of {duration(self.transaction_s)}")
            )
        found = [each for each in found if each[0]]
        return sorted(found, key=lambda each: each[0] is not Level.BAD)

    @property
    def level(self) -> Level:
        """How much the worst of it stands out."""
        found = self.findings
        return found[0][0] if found else Level.NONE


def _level(seconds: float, thresholds: tuple[float, float]) -> Level:
    warn, bad = thresholds
    return Level.BAD if seconds >= bad else Level.WARN if seconds >= warn else Level.NONE


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look at the server found."""

    sessions: tuple[Session, ...]
    at: float  # on time.monotonic's clock
    took_s: float
    is_direct: bool = True  # False: a pooler stands between, and no process number can be matched with the pool's
    max_connections: int = 0
    locks: tuple[Lock, ...] = ()  # of the chosen session
    chosen: int = 0
    figures: Figures | None = None
    sizes: tuple[tuple[str, int], ...] | None = None  # databases with their bytes, the largest first; None: not asked
    is_told: bool = True  # whether the role sees what others do

    def counts(self) -> dict[str, int]:
        """Return how many client sessions there are by state: active, idle, idle in transaction, other."""
        counted: dict[str, int] = dict.fromkeys(STATES, 0)
        for session in self.sessions:
            if session.is_client:
                name = "idle in transaction" if session.is_idle_in_transaction else session.state
                counted[name if name in counted else "active" if session.is_active else "other"] += 1
        return counted


# Of other roles' sessions pg_stat_activity tells neither state nor wait; pg_locks tells who waits of all. Asking for
# the blockers of a process holds up the lock manager for a moment: it is asked for those alone that wait. This look's
# own session is left out.
_SESSIONS = """
SELECT a.pid, coalesce(extract(epoch FROM a.backend_start), 0)::float8, coalesce(a.backend_type, ''),
       coalesce(a.datname, ''), coalesce(a.usename, ''), coalesce(a.application_name, ''),
       CASE WHEN a.client_addr IS NOT NULL THEN host(a.client_addr) || ':' || a.client_port
            WHEN a.client_port = -1 THEN 'local' ELSE '' END,
       coalesce(a.state, ''),
       extract(epoch FROM clock_timestamp() - a.state_change)::float8,
       coalesce(a.wait_event_type, ''), coalesce(a.wait_event, ''),
       CASE WHEN a.state IN ('active', 'fastpath function call')
            THEN extract(epoch FROM clock_timestamp() - a.query_start)::float8 END,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       extract(epoch FROM clock_timestamp() - a.backend_start)::float8,
       coalesce(left(a.query, 1000), ''),
       CASE WHEN a.pid IN (SELECT l.pid FROM pg_catalog.pg_locks l WHERE NOT l.granted)
            THEN pg_blocking_pids(a.pid) END
  FROM pg_catalog.pg_stat_activity a
 WHERE a.pid <> pg_backend_pid()
 ORDER BY a.backend_start NULLS FIRST, a.pid
"""

# In a transaction, for behind a pooler a plain SET would stay for whoever comes next.
_BEGIN = "BEGIN READ ONLY; SET LOCAL statement_timeout = '10s'; SET LOCAL lock_timeout = '1s'; SET LOCAL jit = off;"
_SERVER = """
SELECT pg_backend_pid(), current_setting('max_connections')::int,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
"""


def read_sessions(conn: connection) -> tuple[Session, ...]:
    """Return every process of the server but the one that answers, the oldest first. One round trip."""
    with conn.cursor() as cursor:
        cursor.execute(_SESSIONS)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return tuple(Session(*row[:-1], blockers=tuple(dict.fromkeys(row[-1] or ()))) for row in rows)


def look(
    side: Callable[[], connection], *, chosen: int = 0, with_figures: bool = False, with_sizes: bool = False
) -> Seen:
    """Ask the server for its sessions, the locks of *chosen*, and its counters; over a side connection, closed again.

    Sizes make the server look at every file of its databases: they are asked for seldom. Blocks for a connect and two
    round trips or a few more; takes no slot of the pool. Raises psycopg2.Error.
    """
    asked = time.monotonic()
    conn = side()
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(_BEGIN + _SERVER)
            [(mine, most, is_told)] = cursor.fetchall()
            at = time.monotonic()
            sessions = read_sessions(conn)
            locks = read_locks(conn, chosen) if chosen else ()
            figures = read_figures(conn, at) if with_figures else None
            sizes = read_sizes(conn) if with_sizes else None
            is_direct = mine == conn.info.backend_pid
            cursor.execute("COMMIT")
    finally:
        conn.close()
    took = time.monotonic() - asked
    return Seen(sessions, at, took, is_direct, most, locks, chosen, figures, sizes, is_told)


# Who blocks whom -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Node:
    """A session, and the sessions that wait for it."""

    session: Session
    waiting: list["Node"] = field(default_factory=list["Node"])

    def all(self) -> Iterable["Node"]:
        """Yield it and everything below it, once each."""
        yield self
        for each in self.waiting:
            yield from each.all()


def blocked_tree(sessions: Sequence[Session]) -> list[Node]:
    """Return the sessions as trees: each that is blocked lies under the first of its blockers that is there.

    A session stands there once. In a circle, which the server breaks after deadlock_timeout, one of them is a root.
    """
    nodes = {session.pid: Node(session) for session in sessions}
    parents: dict[int, int] = {}
    for session in sessions:
        for blocker in session.blockers:
            if blocker in nodes and not _leads_to(blocker, session.pid, parents):
                parents[session.pid] = blocker
                break
    roots: list[Node] = []
    for session in sessions:
        node = nodes[session.pid]
        if (parent := parents.get(session.pid)) is not None:
            nodes[parent].waiting.append(node)
        else:
            roots.append(node)
    return roots


def _leads_to(pid: int, wanted: int, parents: dict[int, int]) -> bool:
    """Whether going up from *pid* comes to *wanted*."""
    here: int | None = pid
    while here is not None:
        if here == wanted:
            return True
        here = parents.get(here)
    return False


# Ending -------------------------------------------------------------------------------------------------------------


class End(StrEnum):
    """What a session can be told."""

    CANCEL = "pg_cancel_backend"
    TERMINATE = "pg_terminate_backend"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    is_done: bool
    text: str
    hint: str = ""


_THERE = """
SELECT state, extract(epoch FROM query_start)::float8 FROM pg_catalog.pg_stat_activity
 WHERE pid = %s AND coalesce(extract(epoch FROM backend_start), 0)::float8 = %s AND pid <> pg_backend_pid()
"""


def end_session(side: Callable[[], connection], session: Session, end: End) -> Outcome:
    """Cancel the statement of *session*, or end it; wait for 2 s and say whether it has heeded.

    Only this session is ever told: a later one with its number is not. Blocks for a connect and some round trips.
    Raises psycopg2.Error where the server cannot be asked.
    """
    conn = side()
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(_THERE, session.key)
            before = cursor.fetchone()
            if before is None:
                return Outcome(True, f"Session {session.pid} is gone already.")
            if end is End.CANCEL and before[0] not in {"active", "fastpath function call", None}:
                return Outcome(False, f"Session {session.pid} runs nothing to cancel.")
            try:
                cursor.execute(f"SELECT {end}(%s)", (session.pid,))  # a name of ours, never of a user
                [sent] = cursor.fetchone() or (False,)
            except psycopg2.errors.InsufficientPrivilege as error:
                return Outcome(
                    False,
                    f"You may not do that to session {session.pid}: {error.diag.message_primary}",
                    error.diag.message_detail
                    or "It takes its own role, a member of pg_signal_backend, or a superuser.",
                )
            deadline = time.monotonic() + _PATIENCE
            while True:
                cursor.execute(_THERE, session.key)
                now = cursor.fetchone()
                if now is None:
                    return Outcome(True, f"Session {session.pid} has ended.")
                if end is End.CANCEL and (
                    now[0] not in {"active", "fastpath function call", None} or now[1] != before[1]
                ):
                    return Outcome(True, f"The statement of session {session.pid} was cancelled.")
                if time.monotonic() >= deadline or not sent:
                    break
                time.sleep(_AGAIN)
    finally:
        conn.close()
    word = "still runs its statement" if end is End.CANCEL else "is still there"
    return Outcome(
        False,
        f"Session {session.pid} was told to end, and {word}." if sent else f"Session {session.pid} could not be told.",
        "It heeds at the next place where the server looks for it; rolling much back takes its time.",
    )
