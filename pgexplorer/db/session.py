"""What a tab has left in its backend, as the server says it, and the connection that is kept because of it."""

import contextlib
import re
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from enum import Enum

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection, cursor
from psycopg2.pool import PoolError

from pgexplorer.db.client import Client
from pgexplorer.db.encoding import has_none
from pgexplorer.db.values import Column
from pgexplorer.pool.link import is_alive
from pgexplorer.pool.protocol import Pool

_MOST_NOTIFICATIONS = 1_000  # kept between two looks
_OPEN = {ext.TRANSACTION_STATUS_INTRANS, ext.TRANSACTION_STATUS_INERROR}


class Kind(Enum):
    """What keeps a connection with its tab; the value is how it is said."""

    TRANSACTION = "open transaction"
    FAILED = "failed transaction"
    LISTEN = "LISTEN"
    LOCK = "advisory lock"
    PREPARED = "prepared statement"
    CURSOR = "open cursor"
    TEMPORARY = "temporary table"
    SETTING = "SET"
    ROLE = "SET ROLE"
    UNKNOWN = "session state"


_LOST = {
    Kind.TRANSACTION: "What was changed in the open transaction is rolled back.",
    Kind.FAILED: "The failed transaction is rolled back; it could not be committed anyway.",
    Kind.LISTEN: "Notifications are no longer received: {}.",
    Kind.LOCK: "Advisory locks are released: {}.",
    Kind.PREPARED: "Prepared statements are deallocated: {}.",
    Kind.CURSOR: "Open cursors are closed: {}.",
    Kind.TEMPORARY: "Temporary tables are dropped with their rows: {}.",
    Kind.SETTING: "Settings go back to what they were: {}.",
    Kind.ROLE: "The role is the one of the connection again, instead of {}.",
    Kind.UNKNOWN: "The session's state is discarded.",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that lives in the backend and would be lost with it."""

    kind: Kind
    detail: str = ""  # the names of what it is

    @property
    def words(self) -> str:
        """It in short: "temporary table t"."""
        return f"{self.kind.value} {self.detail}".strip()

    @property
    def loss(self) -> str:
        """What giving the connection back means, as a sentence."""
        return _LOST[self.kind].format(self.detail)


@dataclass(frozen=True, slots=True)
class Pin:
    """A connection that is kept for a tab, and why."""

    pid: int
    reasons: tuple[Reason, ...]
    since: float  # time.monotonic() at which it was kept first
    transaction_since: float | None = None  # the same of the open transaction

    @property
    def is_open(self) -> bool:
        """Whether a transaction is open in it, failed or not."""
        return self.transaction_since is not None

    @property
    def is_failed(self) -> bool:
        """Whether that transaction can only be rolled back."""
        return any(reason.kind is Kind.FAILED for reason in self.reasons)

    @property
    def is_listening(self) -> bool:
        """Whether notifications may come."""
        return any(reason.kind is Kind.LISTEN for reason in self.reasons)

    @property
    def words(self) -> str:
        """The reasons in one line."""
        return ", ".join(reason.words for reason in self.reasons)

    @property
    def losses(self) -> list[str]:
        """What giving it back means, a sentence each."""
        return [reason.loss for reason in self.reasons]


@dataclass(frozen=True, slots=True)
class Notification:
    """What somebody sent by NOTIFY."""

    channel: str
    payload: str
    pid: int  # of the sender's backend
    at: float  # time.time() at which it was seen


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a kept connection found."""

    pin: Pin | None
    lost: Pin | None = None  # the server has closed it: this is gone
    notifications: tuple[Notification, ...] = ()
    dropped: int = 0  # notifications that came before them and are not kept


class SessionLost(Exception):
    """The kept connection is gone, and with it what was in it; the next run takes a fresh one."""

    def __init__(self, pin: Pin) -> None:
        super().__init__(f"Backend {pin.pid}, which this tab kept, is gone: {pin.words}.")
        self.pin = pin


# In one round trip. What the driver and this program set themselves does not count.
_STATE = """
SELECT 'LISTEN', string_agg(c, ', ') FROM pg_listening_channels() AS c HAVING count(*) > 0
UNION ALL
SELECT 'LOCK', string_agg(CASE WHEN objsubid = 1 THEN ((classid::bigint << 32) | objid::bigint)::text
                               ELSE classid || ', ' || objid END, '; ')
  FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() HAVING count(*) > 0
UNION ALL
SELECT 'PREPARED', string_agg(name, ', ') FROM pg_prepared_statements HAVING count(*) > 0
UNION ALL
SELECT 'CURSOR', string_agg(name, ', ') FROM pg_cursors WHERE is_holdable HAVING count(*) > 0
UNION ALL
SELECT 'TEMPORARY', string_agg(relname, ', ') FROM pg_class
 WHERE relnamespace = pg_my_temp_schema() AND relkind IN ('r', 'v', 'p', 'f') HAVING count(*) > 0
UNION ALL
SELECT 'ROLE', current_user WHERE current_user <> session_user
UNION ALL
SELECT 'SETTING', string_agg(name || ' = ' || left(setting, 40), ', ') FROM pg_settings
 WHERE source = 'session' AND NOT (name = 'client_encoding' AND {ours}) HAVING count(*) > 0
"""
_OWN = """
SELECT name, left(current_setting(name, true), 40) FROM unnest(%s) AS name WHERE current_setting(name, true) <> ''
"""
_OWN_SETTING = re.compile(r"(?:\bset\s+(?:session\s+)?|\bset_config\s*\(\s*')([a-z_]\w*\.\w+)", re.IGNORECASE)


class Session:
    """A tab's own way to the pool: a connection is borrowed for a run, and kept while something of the tab is in it.

    It lends as Client does. One run at a time; `look` and `release` may be called from other threads between runs,
    and do nothing during one. Blocks for the network; belongs on worker threads, but for `pin`.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._kept: connection | None = None
        self._pin: Pin | None = None
        self._own: set[str] = set()  # names of settings that a text may have made: pg_settings does not list them
        self._using = threading.Lock()  # held through a run
        self._is_closed = False

    @property
    def client(self) -> Client:
        """Whom it borrows through."""
        return self._client

    @property
    def pool(self) -> Pool:
        """The pool that it borrows from."""
        return self._client.pool

    @property
    def pin(self) -> Pin | None:
        """What is kept, and why; None while the tab holds no connection between runs. Costs nothing."""
        return self._pin

    def retire(self, conn: connection) -> None:
        """Have *conn* thrown away when nothing of the tab is in it any more."""
        self._client.retire(conn)

    def columns(self, cursor: cursor) -> tuple[Column, ...]:
        """Return the columns of what *cursor* has just read."""
        return self._client.columns(cursor)

    @contextlib.contextmanager
    def lend(self, holder: str, *, discard: bool = False) -> Generator[connection]:
        """Lend the kept connection, or one of the pool; afterwards keep it if something of the tab is in it.

        Raises SessionLost once when the kept one is gone, else what Client.lend raises.
        """
        with self._using:
            conn, before = self._kept, self._pin
            if conn is not None and before is not None:
                if not is_alive(conn):
                    self._drop(conn)
                    raise SessionLost(before)
            else:
                conn, before = self._client.check_out(holder), None
            began = time.monotonic()
            try:
                yield conn
            except BaseException:
                self._settle(conn, before, began, discard=discard)
                raise
            self._settle(conn, before, began, discard=discard)

    def sent(self, text: str) -> None:
        """Take notice of a statement before it is sent."""
        self._own.update(name.lower() for name in _OWN_SETTING.findall(text))

    def look(self) -> Look:
        """See whether the kept connection still lives, and what was notified. No round trip; nothing during a run."""
        if not self._using.acquire(blocking=False):
            return Look(self._pin)
        try:
            conn, pin = self._kept, self._pin
            if conn is None or pin is None:
                return Look(None)
            alive = is_alive(conn)
            heard = conn.notifies
            now = time.time()
            dropped = max(0, len(heard) - _MOST_NOTIFICATIONS)
            found = tuple(
                Notification(str(each.channel), str(each.payload), int(each.pid), now) for each in heard[dropped:]
            )
            heard.clear()
            if not alive:
                self._drop(conn)
                return Look(None, pin, found, dropped)
            return Look(pin, None, found, dropped)
        finally:
            self._using.release()

    def release(self) -> bool:
        """Roll back what is open, discard what is left, and give the kept connection back; return whether it was so.

        Does nothing, and returns False, during a run.
        """
        if not self._using.acquire(blocking=False):
            return False
        try:
            self._give_back()
            return True
        finally:
            self._using.release()

    def close(self) -> None:
        """Keep nothing any more: give back what is kept, once a run that is under way has ended."""
        self._is_closed = True  # first: a run that begins meanwhile gives back by itself
        with self._using:
            self._give_back()

    # -- inside

    def _settle(self, conn: connection, before: Pin | None, began: float, *, discard: bool) -> None:
        """Keep the connection where something of the tab is in it; else give it back as it was."""
        try:
            reasons = () if self._is_closed else self._reasons(conn, before)
        except (psycopg2.Error, UnicodeError):
            reasons = () if conn.closed else (Reason(Kind.UNKNOWN),)
        if not reasons:
            self._kept = self._pin = None
            self._client.check_in(conn, discard=discard or self._is_closed)
            return
        status = conn.info.transaction_status
        opened = before.transaction_since if before is not None else None
        since = (opened or began) if status in _OPEN else None
        self._kept = conn
        self._pin = Pin(conn.info.backend_pid, reasons, before.since if before is not None else began, since)

    def _reasons(self, conn: connection, before: Pin | None) -> tuple[Reason, ...]:
        if conn.closed:
            return ()
        status = conn.info.transaction_status
        if status == ext.TRANSACTION_STATUS_ACTIVE:
            return ()  # the client's check-in cuts it
        if status in _OPEN:
            # Asked inside the transaction, the server would give it its snapshot before the person's first query.
            kind = Kind.TRANSACTION if status == ext.TRANSACTION_STATUS_INTRANS else Kind.FAILED
            known = before.reasons if before is not None else ()
            others = tuple(reason for reason in known if reason.kind not in {Kind.TRANSACTION, Kind.FAILED})
            return (Reason(kind), *others)
        with conn.cursor() as asking:
            asking.execute(_STATE.format(ours="true" if has_none(conn) else "false"))
            found = [Reason(Kind[name], detail or "") for name, detail in asking.fetchall()]
            if self._own:
                asking.execute(_OWN, (sorted(self._own),))
                if own := ", ".join(f"{name} = {value}" for name, value in asking.fetchall()):
                    found.append(Reason(Kind.SETTING, own))
                else:
                    self._own.clear()
            return tuple(found)

    def _drop(self, conn: connection) -> None:
        self._kept = self._pin = None
        with contextlib.suppress(PoolError):  # of a pool that was closed: it let go of its connections
            self.pool.putconn(conn, close=True)

    def _give_back(self) -> None:
        conn, self._kept, self._pin = self._kept, None, None
        if conn is None:
            return
        if conn.closed:
            self._drop(conn)
        else:
            self._client.check_in(conn, discard=True)
