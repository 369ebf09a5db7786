"""psycopg2's own SimpleConnectionPool and ThreadedConnectionPool, unchanged and observed."""

import contextlib
import threading
import time
import weakref
from collections.abc import Generator, Hashable
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection
from psycopg2.pool import AbstractConnectionPool, PoolError, SimpleConnectionPool, ThreadedConnectionPool

from pgexplorer.pool.events import DETAIL, DONE_BY_STATUS, EventKind, EventRing
from pgexplorer.pool.link import cut, look
from pgexplorer.pool.protocol import Insides
from pgexplorer.pool.record import Stack, said, stack
from pgexplorer.pool.slot import Slot, SlotState, Waiter
from pgexplorer.pool.stats import Counters, Histograms, PoolStats

EXHAUSTED = "connection pool exhausted"  # psycopg2's text, an English constant in its source
STOCK_CLASSES: dict[str, type[AbstractConnectionPool]] = {
    "SimpleConnectionPool": SimpleConnectionPool,
    "ThreadedConnectionPool": ThreadedConnectionPool,
}
_NOTHING: Any = object()  # no argument was given: psycopg2's two classes differ in what they say to that
_AFTER = {
    ext.TRANSACTION_STATUS_IDLE: SlotState.CHECKED_OUT,
    ext.TRANSACTION_STATUS_ACTIVE: SlotState.RUNNING,
    ext.TRANSACTION_STATUS_INTRANS: SlotState.IN_TRANSACTION,
    ext.TRANSACTION_STATUS_INERROR: SlotState.FAILED_TRANSACTION,
    ext.TRANSACTION_STATUS_UNKNOWN: SlotState.BROKEN,
}


@dataclass(slots=True)
class _Record:
    """What the observer knows of one connection, which it refers to weakly: observing must keep nothing alive."""

    number: int
    pid: int
    conn: weakref.ref[connection]
    state: SlotState = SlotState.IDLE
    holder: str = ""
    thread: str = ""
    held_since: float = 0.0
    state_since: float = field(default_factory=time.monotonic)
    uses: int = 0
    sql: str = ""
    leaked: bool = False
    opened_at: float = field(default_factory=time.monotonic)
    stack: Stack = ()

    def become(self, state: SlotState) -> None:
        self.state = state
        self.state_since = time.monotonic()

    def snapshot(self) -> Slot:
        return Slot(
            self.number,
            self.state,
            self.pid,
            self.holder,
            self.thread,
            self.held_since,
            self.state_since,
            self.uses,
            self.sql,
            self.leaked,
            self.opened_at,
            said(self.stack) if self.held_since else (),
        )


class StockPool:
    """One of psycopg2's pools with every call observed and none of them changed.

    Exceptions are psycopg2's own objects. The observer's lock guards its records alone and is never held across a
    call into psycopg2. With *one_at_a_time* the calls take turns, which SimpleConnectionPool asks of its users
    ("can't be shared across different threads").

    Raises what the pool class raises: the constructor connects *minconn* times, one after the other.
    """

    def __init__(
        self,
        pool_class: type[AbstractConnectionPool],
        minconn: int,
        maxconn: int,
        *args: Any,
        one_at_a_time: bool = False,
        **kwargs: Any,
    ) -> None:
        self.events = EventRing()
        self.timeout = 0.0  # psycopg2 never waits
        self._turn = threading.Lock() if one_at_a_time else contextlib.nullcontext()
        self._lock = threading.Lock()
        self._records: dict[int, _Record] = {}  # by id(connection), as psycopg2's _rused
        self._counters = Counters()
        self._closed = False
        self._seen_slots: tuple[Slot, ...] = ()  # the last look, for who does not wait for the lock
        self._seen_stats: PoolStats | None = None
        began = time.monotonic()
        try:
            self.raw = pool_class(minconn, maxconn, *args, **kwargs)
        except psycopg2.Error as error:
            self.events.append(EventKind.CONNECT_FAILED, detail=_first_line(error), took=time.monotonic() - began)
            raise
        self.minconn = self.raw.minconn
        self.maxconn = self.raw.maxconn
        for conn in list(_idle(self.raw)):
            self._see(conn)
        self.events.append(EventKind.POOL_OPENED, detail=self.kind, took=time.monotonic() - began)

    @property
    def kind(self) -> str:
        """The name of psycopg2's class."""
        return type(self.raw).__name__

    # -- psycopg2's three calls ---------------------------------------------------------------------------------

    def getconn(self, key: Hashable | None = None, *, holder: str = "") -> connection:
        """Check a connection out, as psycopg2's getconn does; *holder* is for the screen.

        Blocks while psycopg2 connects. Raises PoolError when all are out, OperationalError when connecting fails.
        """
        asked = time.monotonic()
        try:
            with self._turn:
                conn = self.raw.getconn(key)
        except psycopg2.Error as error:
            exhausted = isinstance(error, PoolError) and str(error) == EXHAUSTED
            with self._lock:
                self._counters.exhausted += exhausted
                self._counters.failed += not isinstance(error, PoolError)
            kind = EventKind.EXHAUSTED if exhausted else EventKind.REFUSED
            kind = kind if isinstance(error, PoolError) else EventKind.CONNECT_FAILED
            self.events.append(kind, holder=holder, detail=_first_line(error), took=time.monotonic() - asked)
            raise
        got, frames = time.monotonic(), stack()
        connected = self._record(conn) is None
        record = self._see(conn)
        with self._lock:
            if connected:
                self._counters.connect.record(got - asked)
            record.holder, record.thread = holder, threading.current_thread().name
            record.held_since, record.uses = got, record.uses + 1
            record.leaked, record.sql, record.stack = False, "", frames
            record.become(SlotState.CHECKED_OUT)
            self._counters.served += 1
            self._counters.wait.record(got - asked)
        self.events.append(EventKind.CHECKED_OUT, slot=record.number, pid=record.pid, holder=holder, took=got - asked)
        return conn

    def putconn(self, conn: Any = _NOTHING, key: Hashable | None = None, close: bool = False) -> None:
        """Check *conn* in, as psycopg2's putconn does; whether it may be left out is up to the class.

        Blocks for a rollback where a transaction is open. Raises PoolError for a connection that is not out, and
        OperationalError when the rollback fails: psycopg2 then keeps the slot.
        """
        record = self._record(conn)
        before = record.state if record else SlotState.CHECKED_OUT
        lease = record.uses if record else 0
        if record and before is not SlotState.IDLE:
            with self._lock:
                record.become(SlotState.RETURNING)
        began = time.monotonic()
        try:
            with self._turn:
                if conn is _NOTHING:
                    self.raw.putconn(key=key, close=close)  # type: ignore[call-arg]
                else:
                    self.raw.putconn(conn, key, close)
        except Exception as error:
            kind = EventKind.REFUSED if isinstance(error, PoolError) else EventKind.RETURN_FAILED
            with self._lock:
                self._counters.failed += kind is EventKind.RETURN_FAILED
                if record:
                    broken = bool(conn.closed) and before is not SlotState.IDLE
                    record.become(SlotState.BROKEN if broken else before)
            number, pid = (record.number, record.pid) if record else (0, 0)
            self.events.append(kind, slot=number, pid=pid, detail=_first_line(error), took=time.monotonic() - began)
            raise
        self._came_home(conn, record, lease, time.monotonic() - began)

    def closeall(self) -> None:
        """Close every connection, idle or in use, as psycopg2's closeall does. Waits for a query that still runs.

        Raises PoolError when the pool is closed already.
        """
        with self._turn:
            self.raw.closeall()
        with self._lock:
            self._counters.closed += len(self._records)
            self._records.clear()
            self._closed = True
        self.events.append(EventKind.POOL_CLOSED, detail=self.kind)

    def cut_all(self) -> None:
        """Cut the link of every connection that is out. Does not wait and needs no turn."""
        for conn in list(_used(self.raw).values()):
            cut(conn)

    # -- what the screen is told --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self, conn: connection, sql: str) -> Generator[None]:
        """Say that *conn* runs *sql* while the context lasts, and read its state after."""
        record = self._record(conn)
        if record is None:
            yield
            return
        with self._lock:
            record.sql = sql
            record.become(SlotState.RUNNING)
        began = time.monotonic()
        number, pid = record.number, record.pid
        self.events.append(EventKind.RUNNING, slot=number, pid=pid, holder=record.holder, detail=sql[:DETAIL])
        try:
            yield
        finally:
            status = ext.TRANSACTION_STATUS_UNKNOWN if conn.closed else conn.info.transaction_status
            with self._lock:
                record.become(_AFTER[status])
            kind, took = EventKind(DONE_BY_STATUS[status]), time.monotonic() - began
            self.events.append(kind, slot=number, pid=pid, holder=record.holder, detail=sql[:DETAIL], took=took)

    def leaked(self, conn: connection) -> None:
        """Say that the holder of *conn* drops it without returning it: psycopg2 never learns of it."""
        if record := self._record(conn):
            with self._lock:
                record.leaked = True
            self.events.append(EventKind.LEAKED, slot=record.number, pid=record.pid, holder=record.holder)

    def slots(self, *, patient: bool = True) -> tuple[Slot, ...]:
        """Return a snapshot of every connection, by number; not *patient*, the last one while records change."""
        if not self._lock.acquire(blocking=patient):
            return self._seen_slots
        try:
            seen = tuple(sorted((r.snapshot() for r in self._records.values()), key=lambda slot: slot.number))
            self._seen_slots = seen
        finally:
            self._lock.release()
        return seen

    def waiters(self, *, patient: bool = True) -> tuple[Waiter, ...]:
        """Return nobody: psycopg2's pools never wait."""
        return ()

    def stats(self, *, patient: bool = True) -> PoolStats:
        """Return the counts of this moment; *patient* as with slots()."""
        seen = self._seen_stats
        if not self._lock.acquire(blocking=patient or seen is None):
            return seen or self.stats()
        try:
            out = sum(record.state is not SlotState.IDLE for record in self._records.values())
            idle, totals = len(self._records) - out, self._counters
            counts = totals.served, totals.exhausted, totals.opened, totals.closed, totals.failed
            wait, hold, connect = totals.wait.copy(), totals.hold.copy(), totals.connect.copy()
            is_closed = self._closed
        finally:
            self._lock.release()
        served, exhausted, opened, closed, failed = counts
        self._seen_stats = seen = PoolStats(
            self.minconn,
            self.maxconn,
            idle=idle,
            used=out,
            served=served,
            exhausted=exhausted,
            opened=opened,
            closed=closed,
            failed=failed,
            wait_median=wait.percentile(50),
            wait_longest=wait.longest,
            hold_median=hold.percentile(50),
            connect_median=connect.percentile(50),
            is_closed=is_closed,
        )
        return seen

    def histograms(self, *, patient: bool = True) -> Histograms:
        """Return copies of how the times are spread; a connect is a getconn() that connected, its lock included."""
        with self._lock:
            totals = self._counters
            return Histograms(totals.wait.copy(), totals.hold.copy(), totals.connect.copy())

    def links(self) -> dict[int, str]:
        """Return what the sockets say at this moment, by backend pid."""
        with self._lock:
            conns = [(record.pid, record.conn()) for record in self._records.values()]
        return look((pid, conn) for pid, conn in conns if conn is not None)

    def insides(self) -> Insides:
        """Return _pool, _used and _rused with each connection named by its backend pid."""
        return read_insides(self.raw)

    # -- records ------------------------------------------------------------------------------------------------

    def _record(self, conn: connection) -> _Record | None:
        record = self._records.get(id(conn))
        return record if record is not None and record.conn() is conn else None

    def _see(self, conn: connection) -> _Record:
        """Return the record of *conn*, made when the pool has just opened it."""
        if record := self._record(conn):
            return record
        pid = conn.info.backend_pid
        with self._lock:
            self._records.pop(id(conn), None)  # an address that a closed connection had before
            taken = {record.number for record in self._records.values()}
            number = next(n for n in range(1, len(taken) + 2) if n not in taken)
            record = self._records[id(conn)] = _Record(number, pid, weakref.ref(conn))
            self._counters.opened += 1
        self.events.append(EventKind.OPENED, slot=number, pid=pid)
        return record

    def _came_home(self, conn: connection, record: _Record | None, lease: int, took: float) -> None:
        if record is None:
            return
        with self._lock:
            # No lock is held across psycopg2's putconn: another thread may have the connection by now.
            is_ours = record.uses == lease
            kept = not is_ours or any(idle is conn for idle in list(_idle(self.raw))) or not conn.closed
            holder = record.holder if is_ours else ""
            if is_ours:
                if record.held_since:
                    self._counters.hold.record(time.monotonic() - took - record.held_since)
                record.holder = record.thread = ""
                record.held_since, record.leaked = 0.0, False
            if is_ours and kept:
                record.become(SlotState.IDLE)
            elif not kept and self._records.get(id(conn)) is record:
                del self._records[id(conn)]
                self._counters.closed += 1
        number, pid = record.number, record.pid
        self.events.append(EventKind.CHECKED_IN, slot=number, pid=pid, holder=holder, took=took)
        if not kept:
            self.events.append(
                EventKind.CLOSED, slot=number, pid=pid, detail=f"psycopg2 keeps {self.minconn} idle at most"
            )


def open_stock(kind: str, minconn: int, maxconn: int, **parameters: Any) -> StockPool:
    """Open psycopg2's pool class named *kind* ("SimpleConnectionPool" or "ThreadedConnectionPool") for the program.

    The simple one takes turns between threads. Raises KeyError for another name, and what connecting raises.
    """
    pool_class = STOCK_CLASSES[kind]
    return StockPool(pool_class, minconn, maxconn, one_at_a_time=pool_class is SimpleConnectionPool, **parameters)


def read_insides(raw: AbstractConnectionPool) -> Insides:
    """Return psycopg2's own bookkeeping of *raw*, each connection named by its backend pid."""
    used = dict(_used(raw))
    rused: dict[int, Any] = dict(raw._rused)  # type: ignore # noqa: SLF001
    names = {id(conn): _name(conn) for conn in used.values()}
    return Insides(
        tuple(_name(conn) for conn in list(_idle(raw))),
        tuple((repr(key), _name(conn)) for key, conn in used.items()),
        tuple((names.get(where, "gone"), repr(key)) for where, key in rused.items()),
        raw.closed,
    )


def _idle(raw: AbstractConnectionPool) -> list[connection]:
    return raw._pool  # type: ignore # noqa: SLF001


def _used(raw: AbstractConnectionPool) -> dict[Any, connection]:
    return raw._used  # type: ignore # noqa: SLF001


def _name(conn: connection) -> str:
    return "closed" if conn.closed else str(conn.info.backend_pid)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
