"""PgPool: a drop-in for psycopg2's ThreadedConnectionPool that waits in order, heals itself and counts exactly.

psycopg2 and the standard library are all it needs. What it does that psycopg2's pools do not: callers may wait, are
served strictly in order and by direct hand-off; connecting, rolling back and closing never happen under the lock, so
that nobody waits for somebody else's network; a dead connection is noticed before it is handed out; a slot is never
lost; every count is exact at every moment.
"""

import contextlib
import heapq
import itertools
import os
import random
import sys
import threading
import time
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Generator, Hashable, Sequence
from typing import Any

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection
from psycopg2.pool import ThreadedConnectionPool

from pgexplorer.pool.errors import NotFromThisPool, PoolClosed, PoolExhausted, PoolTimeout, TooManyWaiting, holders
from pgexplorer.pool.events import EventKind, EventRing
from pgexplorer.pool.keeper import Keeper
from pgexplorer.pool.leased import Lease, LeasedConnection, leased_connection
from pgexplorer.pool.link import cut, poller
from pgexplorer.pool.protocol import Insides
from pgexplorer.pool.slot import Slot, SlotState, Waiter
from pgexplorer.pool.stats import Histogram, PoolStats

_IDLE_TRANSACTION = ext.TRANSACTION_STATUS_IDLE
_DEPTH = 12  # frames kept of a holder's stack
_GLANCE = 0.25  # seconds between two looks of a waiter at what nobody tells it: a dropped connection
_BACK_OFF, _LONGEST_BACK_OFF = 0.1, 2.0  # seconds before connecting is tried again after it failed
_RESET_TIMEOUT = 5.0  # seconds a rollback or DISCARD ALL on the way home may take
_JITTER = 0.1  # of max_lifetime: connections opened together do not end together
_RESETS = {"rollback", "discard", None}
_now = time.monotonic

_Stack = tuple[tuple[Any, int], ...]  # code object, line


class _Ref(weakref.ref[Any]):
    """A weak reference to a connection that knows its slot."""

    __slots__ = ("slot",)
    slot: "_Slot"


class _Slot:
    """One of the pool's connections, or the place of one that is being opened."""

    __slots__ = (
        "conn",
        "expires_at",
        "generation",
        "held_since",
        "holder",
        "idle_since",
        "is_told",
        "key",
        "lease",
        "number",
        "ok_at",
        "opened_at",
        "phase",
        "pid",
        "poller",
        "ref",
        "sql",
        "stack",
        "state",
        "thread",
        "uses",
    )

    def __init__(self, number: int, generation: int) -> None:
        self.number = number
        self.generation = generation
        self.conn: Any = None  # strong while the pool has it; None while it is out
        self.ref: Any = None  # weak, as long as the connection exists
        self.poller: Callable[[], bool] | None = None
        self.phase = SlotState.OPENING  # OPENING, IDLE, CHECKED_OUT or RETURNING: where the pool has it
        self.state = SlotState.CHECKED_OUT  # what it does while it is out; written by its cursors
        self.pid = 0
        self.key: Hashable | None = None
        self.holder = self.thread = ""
        self.stack: _Stack = ()
        self.sql: Any = ""
        self.lease = self.uses = 0
        self.held_since = self.idle_since = self.ok_at = self.opened_at = self.expires_at = 0.0
        self.is_told = False  # that it is held long

    def snapshot(self) -> Slot:
        out = self.phase is SlotState.CHECKED_OUT
        sql = self.sql if isinstance(self.sql, str) else str(self.sql)
        return Slot(
            self.number,
            self.state if out else self.phase,
            self.pid,
            self.holder if out else "",
            self.thread if out else "",
            self.held_since if out else 0.0,
            self.held_since if out else self.idle_since,
            self.uses,
            sql,
            False,
            self.opened_at,
            _said(self.stack) if out else (),
        )


class _Waiter:
    """Somebody who waits: a lock of its own, released by whoever hands a connection over."""

    __slots__ = ("asked", "deadline", "error", "gate", "holder", "ident", "key", "slot", "stack", "thread")

    def __init__(self, holder: str, key: Hashable | None, asked: float, deadline: float, stack: _Stack) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.slot: _Slot | None = None
        self.error: Exception | None = None
        self.holder, self.key, self.asked, self.deadline, self.stack = holder, key, asked, deadline, stack
        me = threading.current_thread()
        self.thread, self.ident = me.name, me.ident


class PgPool(ThreadedConnectionPool):
    """A pool of psycopg2 connections for many threads.

    *minconn*, *maxconn*, *args* and *kwargs* are psycopg2's. Times are in seconds.

    timeout       how long getconn() waits when all are out; 0, psycopg2's way, raises at once
    max_idle      how many stay open idle (maxconn); *idle_timeout* closes those unused for so long, never below minconn
    max_lifetime  after which a connection is replaced, up to a tenth earlier; None: never
    max_waiting   how many may wait; None: any number
    ping_after    a connection idle for longer is asked SELECT 1 first, for *ping_timeout* at most; None: never
    reset         what a connection gets on its way home: "rollback", "discard" (DISCARD ALL) or None
    configure     called with each new connection, outside the lock
    stacks        whether the holder's stack is kept (some microseconds)
    leak_after    a connection held for longer makes an event with that stack; None: never
    connect       what opens a connection; it is given *args*, *kwargs* and a connection_factory

    Raises ValueError for impossible sizes, and what connecting raises: *minconn* connections are opened at once.
    """

    def __init__(
        self,
        minconn: int,
        maxconn: int,
        *args: Any,
        timeout: float = 0.0,
        max_idle: int | None = None,
        idle_timeout: float | None = 600.0,
        max_lifetime: float | None = 3600.0,
        max_waiting: int | None = None,
        ping_after: float | None = 30.0,
        ping_timeout: float = 1.0,
        reset: str | None = "rollback",
        configure: Callable[[Any], object] | None = None,
        stacks: bool = True,
        leak_after: float | None = 30.0,
        events: int = 10_000,
        connect: Callable[..., Any] = psycopg2.connect,
        name: str = "",
        **kwargs: Any,
    ) -> None:
        self.minconn, self.maxconn = _checked(minconn, maxconn)
        if reset not in _RESETS:
            raise ValueError(f'reset is "rollback", "discard" or None, not {reset!r}')
        self.timeout, self.max_waiting, self.reset = timeout, max_waiting, reset
        self.max_idle = max_idle  # None: as many as maxconn
        self.idle_timeout, self.max_lifetime = idle_timeout, max_lifetime
        self.ping_after, self.ping_timeout = ping_after, ping_timeout
        self.leak_after, self.stacks, self.name = leak_after, stacks, name
        self.events = EventRing(events)
        self._connect_with = connect
        self._configure = configure
        self._args = args
        factory = kwargs.pop("connection_factory", None) or connection
        self._kwargs = {**kwargs, "connection_factory": leased_connection(factory)}
        self._start_anew()
        began = _now()
        try:
            for _ in range(self.minconn):
                with self._lock:
                    slot = self._reserve()
                self._open(slot)
                with self._lock:
                    self._to_idle(slot, _now())
        except BaseException:
            self.closeall()
            raise
        _pools.add(self)
        self._keeper.start()
        self.events.append(EventKind.POOL_OPENED, detail=type(self).__name__, took=_now() - began)

    def _start_anew(self) -> None:
        """Begin with nothing: at the start, and in the child of a fork, which leaves the parent's connections alone."""
        self._lock = threading.Lock()
        self.closed = False
        self._slots: dict[int, _Slot] = {}
        self._idle: list[_Slot] = []  # the last is handed out next
        self._out: dict[int, _Slot] = {}  # by id(connection)
        self._keyed: dict[Hashable, _Slot] = {}  # by a user's own key
        self._queue: OrderedDict[_Waiter, None] = OrderedDict()
        self._dropped: deque[_Ref] = deque()  # finalisers append here and do nothing else
        self._free_numbers: list[int] = []
        self._leases = itertools.count(1)
        self._generation = 0
        self._suspect_at = 0.0  # what was last known to live before this moment is asked before it is lent
        self._opening = self._returning = 0
        self._growing, self._width, self._homecomings = 0, 1, 0
        self._failures, self._not_before = 0, 0.0
        self._connect_error = ""
        self._served = self._exhausted = self._opened = self._closed_count = 0
        self._failed = self._timed_out = self._too_many = self._lost = 0
        self._wait, self._hold, self._connecting = Histogram(), Histogram(), Histogram()
        self._waits: list[float] = []  # counted into the histograms a thousand at a time
        self._holds: list[float] = []
        self._keeper = Keeper(self)

    # -- psycopg2's calls ---------------------------------------------------------------------------------------

    def getconn(self, key: Hashable | None = None, *, timeout: float | None = None, holder: str = "") -> Any:
        """Check a connection out for *holder*; wait up to *timeout* seconds (the pool's own when None).

        With a *key* that is out already its connection is returned once more, as psycopg2 does. Raises PoolExhausted at
        once where the timeout is 0, else PoolTimeout or TooManyWaiting; PoolClosed; what connecting raises.
        """
        wait = self.timeout if timeout is None else timeout
        asked = _now()
        waiter: _Waiter | None = None
        growth: Sequence[_Slot] = ()
        with self._lock:
            if self._dropped:
                self._reap()
            if self.closed:
                raise PoolClosed("connection pool is closed")
            if key is not None and (keyed := self._keyed.get(key)) is not None:
                return keyed.ref()
            if self._idle and not self._queue:
                slot = self._idle.pop()
                conn = slot.conn
                self._lend(slot, conn, key, holder, threading.current_thread().name, asked, asked)
            elif wait <= 0:
                if len(self._slots) >= self.maxconn:
                    self._exhausted += 1
                    error = PoolExhausted(f"connection pool exhausted: {self._situation()}")
                    self.events.append(EventKind.EXHAUSTED, holder=holder)
                    raise error
                slot, conn = self._reserve(), None
            else:
                if self.max_waiting is not None and len(self._queue) >= self.max_waiting:
                    self._too_many += 1
                    raise TooManyWaiting(f"{len(self._queue)} wait already: {self._situation()}")
                stack = _stack() if self.stacks else ()
                waiter = _Waiter(holder, key, asked, asked + wait, stack)
                self._queue[waiter] = None
                slot, conn, growth = None, None, self._growth()
        if waiter is not None:
            self.events.append(EventKind.WAITING, holder=holder)
            self._grow(growth)
            slot = self._await(waiter)
            conn, slot.conn = slot.conn, None
        assert slot is not None
        if conn is None or not self._lives(slot, conn, asked):
            conn = self._renew(slot, conn, key, holder, asked, asked + wait if wait > 0 else None)
        if self.stacks:
            slot.stack = waiter.stack if waiter is not None else _stack()
        got = slot.held_since
        self.events.put(EventKind.CHECKED_OUT, got, slot.number, slot.pid, holder, slot.thread, "", got - asked)
        return conn

    def putconn(self, conn: Any = None, key: Hashable | None = None, close: bool = False) -> None:
        """Check *conn* in: clean it outside the lock, and hand it to the longest waiter or keep it idle.

        After closeall() it is closed quietly. A connection that still runs a statement is cut, never waited for.
        Raises NotFromThisPool for a connection that is not out of this pool under that *key*.
        """
        growth: list[_Slot] = []
        with self._lock:
            if self._dropped:
                self._reap()
            slot = self._out.get(id(conn)) if conn is not None else self._keyed.get(key)
            if slot is None or (conn is not None and slot.ref() is not conn) or (key is not None and slot.key != key):
                raise self._stranger(conn, key, slot)
            if conn is None:
                conn = slot.ref()
            now = _now()
            del self._out[id(conn)]
            if slot.key is not None:
                self._keyed.pop(slot.key, None)
                slot.key = None
            slot.conn = conn
            held = now - slot.held_since
            self._holds.append(held)
            if slot.is_told:
                slot.is_told = False
                self.events.append(EventKind.CAME_BACK, slot=slot.number, pid=slot.pid, holder=slot.holder, took=held)
            self._homecomings += 1
            status = conn.get_transaction_status() if not conn.closed else ext.TRANSACTION_STATUS_UNKNOWN
            stays = not close and not self.closed and slot.generation == self._generation and now < slot.expires_at
            is_clean = stays and status == _IDLE_TRANSACTION and self.reset != "discard"
            if is_clean:
                self._to_idle(slot, now)
            else:
                slot.phase = SlotState.RETURNING
                self._returning += 1
        self.events.put(EventKind.CHECKED_IN, now, slot.number, slot.pid, slot.holder, slot.thread, "", held)
        if is_clean:
            return
        if stays and self._cleaned(slot, conn, status):
            with self._lock:
                self._returning -= 1
                if self.closed or slot.generation != self._generation or not self._to_idle(slot, _now()):
                    slot.phase = SlotState.RETURNING
                    self._returning += 1
                else:
                    return
        self._discard(slot, conn, "returned to be closed" if close else "not kept")
        with self._lock:
            growth = self._growth()
        self._grow(growth)

    def closeall(self) -> None:
        """Close the pool: waiters get PoolClosed, idle connections are closed now, the others as they come home.

        A second call does nothing.
        """
        with self._lock:
            if self.closed:
                return
            self.closed = True
            for waiter in self._queue:
                waiter.error = PoolClosed("connection pool is closed")
                waiter.gate.release()
            self._queue.clear()
            idle, self._idle = self._idle, []
            self._set_aside(idle)
        for slot in idle:
            self._discard(slot, slot.conn, "the pool was closed")
        self._keeper.stop()
        self.events.append(EventKind.POOL_CLOSED, detail=type(self).__name__)

    # -- more than psycopg2's -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def connection(self, *, timeout: float | None = None, holder: str = "") -> Generator[Lease]:
        """Lend a connection to a with block: committed at its end, rolled back by an exception, always given back.

        Raises what getconn() and commit() raise. The lease refuses whatever is asked of it after the block.
        """
        conn = self.getconn(timeout=timeout, holder=holder)
        lease = Lease(conn)
        try:
            yield lease
            if not conn.closed:
                conn.commit()
        except BaseException:
            with contextlib.suppress(psycopg2.Error):
                if not conn.closed and conn.get_transaction_status() != ext.TRANSACTION_STATUS_ACTIVE:
                    conn.rollback()
            raise
        finally:
            lease.end()
            self.putconn(conn)

    def resize(self, minconn: int, maxconn: int) -> None:
        """Change the limits now: waiters are served by the new room, surplus idle connections are closed.

        What is out above the new maximum is closed as it comes home. Raises ValueError for impossible sizes.
        """
        minconn, maxconn = _checked(minconn, maxconn)
        with self._lock:
            self.minconn, self.maxconn = minconn, maxconn
            surplus: list[_Slot] = []
            while self._idle and len(self._slots) - len(surplus) > maxconn:
                surplus.append(self._idle.pop(0))
            self._set_aside(surplus)
            growth = self._growth()
        self._grow(growth)
        for slot in surplus:
            self._discard(slot, slot.conn, "the pool became smaller")

    def drain(self) -> None:
        """Replace every connection: idle ones are closed now, the others as they come home."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, []
            self._set_aside(idle)
        for slot in idle:
            self._discard(slot, slot.conn, "drained")
        with self._lock:
            growth = self._growth()
        self._grow(growth)

    def stats(self) -> PoolStats:
        """Return the counts of this moment, exact."""
        with self._lock:
            if self._dropped:
                self._reap()
            self._count()
            return PoolStats(
                self.minconn,
                self.maxconn,
                idle=len(self._idle),
                used=len(self._out),
                opening=self._opening,
                returning=self._returning,
                waiting=len(self._queue),
                served=self._served,
                exhausted=self._exhausted,
                opened=self._opened,
                closed=self._closed_count,
                failed=self._failed,
                wait_median=self._wait.percentile(50),
                wait_longest=self._wait.longest,
                hold_median=self._hold.percentile(50),
                connect_median=self._connecting.percentile(50),
                timed_out=self._timed_out,
                too_many=self._too_many,
                lost=self._lost,
                is_closed=self.closed,
            )

    def slots(self) -> tuple[Slot, ...]:
        """Return a snapshot of every connection, by number."""
        with self._lock:
            if self._dropped:
                self._reap()
            return tuple(self._slots[number].snapshot() for number in sorted(self._slots))

    def waiters(self) -> tuple[Waiter, ...]:
        """Return who waits, in the order in which they are served."""
        with self._lock:
            out = sorted(self._out.values(), key=lambda slot: slot.held_since)
            waiting: list[Waiter] = []
            for place, waiter in enumerate(self._queue):
                held = out[place % len(out)] if out else None
                blame = f"#{held.number} {held.holder or held.thread}" if held is not None else "a new connection"
                mine = tuple(slot.number for slot in out if slot.thread == waiter.thread)
                said, asked, until = _said(waiter.stack), waiter.asked, waiter.deadline
                waiting.append(Waiter(place + 1, waiter.holder, waiter.thread, asked, until, blame, mine, said))
            return tuple(waiting)

    # -- what the rest of the program asks of any pool ----------------------------------------------------------

    @property
    def kind(self) -> str:
        """The class's name."""
        return type(self).__name__

    @contextlib.contextmanager
    def running(self, conn: Any, sql: str) -> Generator[None]:
        """Nothing to say here: a PgPool's cursors tell by themselves what runs."""
        yield

    def leaked(self, conn: Any) -> None:
        """Nothing to say here: a dropped connection is noticed, and its slot comes back."""

    def cut_all(self) -> None:
        """Cut the link of every connection that is out, so that nothing waits for the server any more."""
        with self._lock:
            out = [slot.ref() for slot in self._out.values()]
        for conn in out:
            if conn is not None:
                cut(conn)

    def insides(self) -> Insides:
        """Return psycopg2's view of this pool: _pool, _used and _rused."""
        with self._lock:
            idle = [slot.pid for slot in self._idle]
            used = [(repr(slot.key) if slot.key is not None else f"#{slot.lease}", slot) for slot in self._out.values()]
            return Insides(
                tuple(str(pid) for pid in idle),
                tuple((key, str(slot.pid)) for key, slot in used),
                tuple((str(slot.pid), key) for key, slot in used),
                self.closed,
            )

    @property
    def _pool(self) -> list[Any]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """psycopg2's list of idle connections, made when somebody looks."""
        return [slot.conn for slot in self._idle]

    @property
    def _used(self) -> dict[Hashable, Any]:
        return {slot.key if slot.key is not None else f"#{slot.lease}": slot.ref() for slot in self._out.values()}

    @property
    def _rused(self) -> dict[int, Hashable]:
        return {where: slot.key if slot.key is not None else f"#{slot.lease}" for where, slot in self._out.items()}

    # -- under the lock: no I/O, nothing that waits -------------------------------------------------------------

    def _reserve(self) -> _Slot:
        """Take a place for a connection that will be opened."""
        number = heapq.heappop(self._free_numbers) if self._free_numbers else len(self._slots) + 1
        slot = self._slots[number] = _Slot(number, self._generation)
        self._opening += 1
        return slot

    def _lend(
        self, slot: _Slot, conn: Any, key: Hashable | None, holder: str, thread: str, asked: float, now: float
    ) -> None:
        slot.phase = SlotState.CHECKED_OUT
        slot.state = SlotState.CHECKED_OUT
        slot.key, slot.holder, slot.thread, slot.held_since = key, holder, thread, now
        slot.stack = ()
        slot.uses += 1
        slot.lease = conn.lease = next(self._leases)
        slot.conn = None  # from here on the pool refers weakly to it
        self._out[id(conn)] = slot
        if key is not None:
            self._keyed[key] = slot
        self._served += 1
        waits = self._waits
        waits.append(now - asked)
        if len(waits) > 1000:
            self._count()

    def _to_idle(self, slot: _Slot, now: float) -> bool:
        """Hand *slot*, whose connection is clean, to the longest waiter, or keep it idle; False: there is no room."""
        if len(self._slots) > self.maxconn:
            return False
        conn = slot.conn
        if slot.phase is SlotState.OPENING:
            self._opening -= 1
        slot.ok_at = slot.idle_since = now
        if self._queue:
            waiter, _ = self._queue.popitem(last=False)
            self._lend(slot, conn, waiter.key, waiter.holder, waiter.thread, waiter.asked, now)
            waiter.slot = slot
            slot.conn = conn  # strong until the waiter has it
            waiter.gate.release()
            return True
        limit = self.maxconn if self.max_idle is None else max(self.max_idle, self.minconn)
        conn.lease = 0
        if len(self._idle) >= limit:
            if slot.phase is SlotState.OPENING:
                self._opening += 1
            return False
        slot.phase = SlotState.IDLE
        self._idle.append(slot)
        return True

    def _set_aside(self, slots: Sequence[_Slot]) -> None:
        for slot in slots:
            slot.phase = SlotState.RETURNING
            slot.conn.lease = 0
        self._returning += len(slots)

    def _forget(self, slot: _Slot) -> None:
        if self._slots.get(slot.number) is slot:
            del self._slots[slot.number]
            heapq.heappush(self._free_numbers, slot.number)

    def _reap(self) -> None:
        """Take back the slots of connections whose last reference was lost while they were out."""
        while self._dropped:
            slot = self._dropped.popleft().slot
            where = next((where for where, out in self._out.items() if out is slot), None)
            if where is None or slot.ref() is not None:
                continue
            del self._out[where]
            if slot.key is not None:
                self._keyed.pop(slot.key, None)
            self._forget(slot)
            self._lost += 1
            self._closed_count += 1
            self._homecomings += 1
            detail = "\n".join(_said(slot.stack)) or "dropped without being returned"
            self.events.append(
                EventKind.DROPPED, slot=slot.number, pid=slot.pid, holder=slot.holder, detail=detail, thread=slot.thread
            )

    def _growth(self) -> list[_Slot]:
        """Reserve the places of connections to open for those who wait: one, then two, four, … at a time."""
        grown: list[_Slot] = []
        if self.closed or _now() < self._not_before:
            return grown
        while self._growing < min(self._width, len(self._queue)) and len(self._slots) < self.maxconn:
            self._growing += 1
            grown.append(self._reserve())
        return grown

    def _count(self) -> None:
        for histogram, times in ((self._wait, self._waits), (self._hold, self._holds)):
            for each in times:
                histogram.record(each)
            times.clear()

    def _situation(self) -> str:
        out = [slot.snapshot() for slot in self._out.values()]
        longest = holders(out).partition(", ")[0]
        named = f'pool "{self.name}"' if self.name else "pool"
        text = f"{named} of {self.maxconn}, {len(out)} in use, {len(self._queue)} waiting"
        return f"{text}; longest held by {longest}" if longest else text

    def _stranger(self, conn: Any, key: Hashable | None, slot: _Slot | None) -> NotFromThisPool:
        if slot is not None and key is not None:
            return NotFromThisPool(f"trying to put a connection back with key {key!r} that is out with {slot.key!r}")
        mine = any(each.conn is conn for each in self._slots.values()) if conn is not None else False
        why = "it was returned before" if mine else "it is not out of this pool"
        return NotFromThisPool(f"trying to put unkeyed connection: {why}")

    # -- outside the lock: all the I/O --------------------------------------------------------------------------

    def _await(self, waiter: _Waiter) -> _Slot:
        """Wait for the hand-off. Raises PoolTimeout, leaving no trace in any count, or PoolClosed."""
        gate = waiter.gate
        words = ""
        while not gate.acquire(timeout=max(0.0, min(_GLANCE, waiter.deadline - _now()))):
            with self._lock:
                if self._dropped:
                    self._reap()
                growth = self._growth()
                over = waiter.slot is None and waiter.error is None and _now() >= waiter.deadline
                if over:
                    del self._queue[waiter]
                    self._timed_out += 1
                    words = f"no connection within {waiter.deadline - waiter.asked:.3g} s: {self._situation()}"
                    if self._connect_error:
                        words = f"{words}; connecting fails: {self._connect_error}"
            self._grow(growth)
            if over:
                self.events.append(EventKind.TIMED_OUT, holder=waiter.holder, took=_now() - waiter.asked)
                raise PoolTimeout(words)
        if waiter.error is not None:
            raise waiter.error
        assert waiter.slot is not None
        return waiter.slot

    def _open(self, slot: _Slot) -> Any:
        """Open the connection of a reserved place. Raises what connecting raises; the place is then free again."""
        began = _now()
        try:
            conn = self._connect_with(*self._args, **self._kwargs)
            if self._configure is not None:
                self._configured(conn)
        except BaseException as error:
            with self._lock:
                self._forget(slot)
                self._opening -= 1
                self._failed += 1
                self._connect_error = str(error).strip().partition("\n")[0]
            self.events.append(
                EventKind.CONNECT_FAILED, slot=slot.number, detail=self._connect_error, took=_now() - began
            )
            raise
        now = _now()
        ref = _Ref(conn, self._dropped.append)
        ref.slot = slot
        slot.ref, slot.conn = ref, conn
        slot.poller = poller(conn)
        slot.opened_at = slot.ok_at = slot.idle_since = now
        life = self.max_lifetime
        slot.expires_at = now + life * (1 - _JITTER * random.random()) if life else float("inf")
        info = getattr(conn, "info", None)
        slot.pid = info.backend_pid if info is not None else 0
        conn.slot = slot
        with self._lock:
            self._opened += 1
            self._connect_error = ""
            self._connecting.record(now - began)
        self.events.append(EventKind.OPENED, slot=slot.number, pid=slot.pid, took=now - began)
        return conn

    def _configured(self, conn: Any) -> None:
        assert self._configure is not None
        conn.lease = -1  # it is used before it is lent
        try:
            self._configure(conn)
        except BaseException:
            conn.close()
            raise
        conn.lease = 0

    def _lives(self, slot: _Slot, conn: Any, now: float) -> bool:
        """Whether the server has kept its end of *conn*: a look at the socket, a question where that is not enough."""
        if conn.closed or slot.generation != self._generation or now >= slot.expires_at:
            return False
        if slot.poller is not None and slot.poller():
            try:
                conn.poll()  # a notice or a goodbye
                if not conn.closed and slot.poller():
                    conn.poll()
            except psycopg2.Error:
                pass
            if conn.closed:
                self._suspect_at = _now()
                return False
        idle = now - slot.idle_since
        if slot.ok_at < self._suspect_at or (self.ping_after is not None and idle > self.ping_after):
            return self._pinged(slot, conn)
        return True

    def _pinged(self, slot: _Slot, conn: Any) -> bool:
        before = getattr(conn, "autocommit", True)
        try:
            with self._keeper.guard(conn, self.ping_timeout, prompt=True):
                conn.autocommit = True
                with conn.cursor() as cursor:
                    cursor.execute("SELECT 1")
                conn.autocommit = before
        except psycopg2.Error:
            self._suspect_at = _now()
            return False
        slot.sql, slot.state, slot.ok_at = "", SlotState.CHECKED_OUT, _now()
        return True

    def _renew(
        self, slot: _Slot, dead: Any, key: Hashable | None, holder: str, asked: float, deadline: float | None
    ) -> Any:
        """Open a connection in the place of *slot*: of a dead one, or of one not yet opened.

        A caller who waits is tried for again, with growing pauses, until the deadline. Raises what connecting raises,
        or PoolTimeout from it.
        """
        if dead is not None:
            with self._lock:
                self._out.pop(id(dead), None)
                if key is not None:
                    self._keyed.pop(key, None)
                self._served -= 1
                self._lost += 1
                self._closed_count += 1
                slot.conn = None
                slot.phase = SlotState.OPENING
                self._opening += 1
                slot.generation, slot.uses = self._generation, 0
            self.events.append(EventKind.LOST, slot=slot.number, pid=slot.pid, holder=holder)
            _close(dead)
        pause = _BACK_OFF
        while True:
            try:
                conn = self._open(slot)
                break
            except psycopg2.OperationalError as error:
                rest = pause * (1 + random.random() / 4)
                if deadline is None:
                    raise
                if _now() + rest >= deadline:
                    with self._lock:
                        self._timed_out += 1
                        situation = self._situation()
                    raise PoolTimeout(f"no connection within {deadline - asked:.3g} s: {situation}; {error}") from error
                time.sleep(rest)
                pause = min(_LONGEST_BACK_OFF, pause * 2)
                with self._lock:
                    if self.closed:
                        raise PoolClosed("connection pool is closed") from error
                    if len(self._slots) >= self.maxconn:
                        raise PoolTimeout(f"connecting failed and others took the room: {error}") from error
                    slot = self._again(slot)
        with self._lock:
            if self.closed:
                self._opening -= 1
                self._returning += 1
                slot.phase = SlotState.RETURNING
                closed = True
            else:
                closed = False
                self._opening -= 1
                self._lend(slot, conn, key, holder, threading.current_thread().name, asked, _now())
        if closed:
            self._discard(slot, conn, "the pool was closed")
            raise PoolClosed("connection pool is closed")
        return conn

    def _again(self, slot: _Slot) -> _Slot:
        """Take a place again after connecting failed. Under the lock."""
        fresh = self._reserve()
        if fresh.number != slot.number:
            slot.number = fresh.number
        self._slots[slot.number] = slot
        slot.phase, slot.generation = SlotState.OPENING, self._generation
        return slot

    def _cleaned(self, slot: _Slot, conn: Any, status: int) -> bool:
        """Roll back or reset *conn* on its way home; False where it is not kept. Never waits for a statement."""
        if status == ext.TRANSACTION_STATUS_ACTIVE:
            cut(conn)
            return False
        if status == ext.TRANSACTION_STATUS_UNKNOWN:
            return False
        try:
            with self._keeper.guard(conn, _RESET_TIMEOUT, prompt=False):
                if self.reset == "discard":
                    conn.reset()
                elif self.reset == "rollback" and status != _IDLE_TRANSACTION:
                    conn.rollback()
                    if conn.get_transaction_status() != _IDLE_TRANSACTION:
                        # In autocommit mode psycopg2 sends no ROLLBACK for a BEGIN that the user typed.
                        with conn.cursor() as cursor:
                            cursor.execute("ROLLBACK")
        except psycopg2.Error as error:
            self._suspect_at = _now()
            with self._lock:
                self._failed += 1
            detail = str(error).strip().partition("\n")[0]
            self.events.append(EventKind.RETURN_FAILED, slot=slot.number, pid=slot.pid, detail=detail)
            return False
        return not conn.closed

    def _discard(self, slot: _Slot, conn: Any, why: str) -> None:
        """Close *conn*, whose slot is on its way out, and free the place."""
        _close(conn)
        with self._lock:
            slot.conn = None
            self._forget(slot)
            if slot.phase is SlotState.OPENING:
                self._opening -= 1
            else:
                self._returning -= 1
            self._closed_count += 1
        self.events.append(EventKind.CLOSED, slot=slot.number, pid=slot.pid, detail=why)

    def _grow(self, slots: Sequence[_Slot]) -> None:
        for slot in slots:
            threading.Thread(target=self._grow_one, args=(slot,), name="pool growth", daemon=True).start()

    def _grow_one(self, slot: _Slot) -> None:
        """Open one connection for those who wait, and see whether more are needed."""
        homecomings = self._homecomings
        try:
            conn = self._open(slot)
        except Exception:
            with self._lock:
                self._growing -= 1
                self._failures += 1
                pause = min(_LONGEST_BACK_OFF, _BACK_OFF * 2 ** (self._failures - 1)) * (1 + random.random() / 4)
                self._not_before = _now() + pause  # whoever waits looks again every quarter of a second
            return
        with self._lock:
            self._growing -= 1
            self._failures, self._not_before = 0, 0.0
            # Where connections came home while this one was opened, the holds are short: one at a time is enough.
            came_home = self._homecomings != homecomings
            self._width = 1 if came_home else min(self._width * 2, self.maxconn)
            kept = not self.closed and self._to_idle(slot, _now())
            growth = self._growth()
        if not kept:
            self._discard(slot, conn, "not needed any more")
        self._grow(growth)

    def tend(self, now: float) -> None:
        """Do what time asks for: close idle connections, tell of what is held long, free what was dropped.

        The keeper calls it about once a second.
        """
        with self._lock:
            if self._dropped:
                self._reap()
            old: list[_Slot] = []
            limit = None if self.idle_timeout is None else now - self.idle_timeout
            while self._idle and len(self._slots) - len(old) > self.minconn:
                oldest = self._idle[0]
                if (limit is None or oldest.idle_since > limit) and now < oldest.expires_at:
                    break
                old.append(self._idle.pop(0))
            self._set_aside(old)
            long: list[_Slot] = []
            if self.leak_after is not None:
                long = [s for s in self._out.values() if not s.is_told and now - s.held_since > self.leak_after]
            for slot in long:
                slot.is_told = True
            growth = self._growth()
        self._grow(growth)
        for slot in old:
            self._discard(slot, slot.conn, "idle for long")
        for slot in long:
            detail = "\n".join(_said(slot.stack))
            took = now - slot.held_since
            self.events.put(EventKind.HELD_LONG, now, slot.number, slot.pid, slot.holder, slot.thread, detail, took)


_pools: "weakref.WeakSet[PgPool]" = weakref.WeakSet()


def _in_the_child() -> None:
    # psycopg2 closes no connection that another process opened: dropping the references is enough.
    for pool in list(_pools):
        pool._start_anew()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_the_child)


def _checked(minconn: int, maxconn: int) -> tuple[int, int]:
    minconn, maxconn = int(minconn), int(maxconn)
    if maxconn < 1 or not 0 <= minconn <= maxconn:
        raise ValueError(f"a pool needs 0 <= minconn <= maxconn and maxconn >= 1, not {minconn} and {maxconn}")
    return minconn, maxconn


def _close(conn: Any) -> None:
    with contextlib.suppress(Exception):
        conn.close()


def _stack() -> _Stack:
    """Return the caller's frames outside this file, innermost first: some microseconds."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    found: list[tuple[Any, int]] = []
    while frame is not None and len(found) < _DEPTH:
        found.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return tuple(found)


def _said(stack: _Stack) -> tuple[str, ...]:
    return tuple(f"{code.co_filename}:{line} in {code.co_qualname}" for code, line in stack)


__all__ = ["LeasedConnection", "PgPool"]
