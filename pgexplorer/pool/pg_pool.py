"""PgPool: a drop-in for psycopg2's ThreadedConnectionPool that waits in order, heals itself and counts exactly.

psycopg2 and the standard library are all it needs. What it does that psycopg2's pools do not: callers may wait, are
served strictly in order and by direct hand-off; connecting, rolling back and closing never happen under the lock, so
that nobody waits for somebody else's network; a dead connection is noticed before it is handed out; a slot is never
lost; every count is exact at every moment.
"""

import contextlib
import heapq
import os
import random
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
from pgexplorer.pool.link import ask, cut, poller
from pgexplorer.pool.protocol import Insides
from pgexplorer.pool.record import Record, Ref, Waiting, said, stack
from pgexplorer.pool.slot import Slot, SlotState, Waiter
from pgexplorer.pool.stats import Histogram, PoolStats

_IDLE_TRANSACTION = ext.TRANSACTION_STATUS_IDLE
# Looking a member up in its enumeration takes longer than it seems: the two calls made most often take these.
_IDLE, _CHECKED_OUT = SlotState.IDLE, SlotState.CHECKED_OUT
_OUT_EVENT, _IN_EVENT = EventKind.CHECKED_OUT.value, EventKind.CHECKED_IN.value
_GLANCE = 0.25  # seconds between two looks of a waiter at what nobody tells it: a dropped connection
_BACK_OFF, _LONGEST_BACK_OFF = 0.05, 1.0  # seconds before connecting is tried again after it failed
_RESET_TIMEOUT = 5.0  # seconds a rollback or DISCARD ALL on the way home may take
_JITTER = 0.1  # of max_lifetime: connections opened together do not end together
_RESETS = {"rollback", "discard", None}
_POOL_ITSELF = -1  # the lease of a connection that the pool cleans or sets up
_CLOSED = "connection pool is closed"
_LOST, _SILENT, _TOO_OLD = "lost", "no answer", "drained or too old"  # what can be wrong with an idle connection
_now = time.monotonic
_current_thread, _ident = threading.current_thread, threading.get_ident


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
        self._ring_size = events
        self._connect_with = connect
        self._configure = configure
        self._args = args
        factory = kwargs.pop("connection_factory", None)
        if len(args) > 1:  # psycopg2.connect(dsn, connection_factory)
            factory = factory or args[1]
            self._args, kwargs = args[:1], dict(zip(("cursor_factory",), args[2:], strict=False)) | kwargs
        self._kwargs = {**kwargs, "connection_factory": leased_connection(factory or connection)}
        self._start_anew()
        began = _now()
        try:
            for _ in range(self.minconn):
                with self._lock:
                    slot = self._reserve()
                conn = self._open(slot)
                with self._lock:
                    self._to_idle(slot, conn, _now())
        except BaseException:
            self.closeall()
            raise
        _pools.add(self)
        self._keeper.start()
        self.events.append(EventKind.POOL_OPENED, detail=type(self).__name__, took=_now() - began)

    def _start_anew(self) -> None:
        """Begin with nothing: at the start, and in the child of a fork, which leaves the parent's connections alone."""
        self._lock = threading.Lock()
        self.events = EventRing(self._ring_size)
        self._write = self.events.write
        self.closed = False
        self._slots: dict[int, Record] = {}
        self._idle: list[Record] = []  # the last is handed out next
        self._out: dict[int, Record] = {}  # by id(connection)
        self._keyed: dict[Hashable, Record] = {}  # by a user's own key
        self._queue: OrderedDict[Waiting, None] = OrderedDict()
        self._dropped: deque[Ref] = deque()  # finalisers append here and do nothing else
        self._free_numbers: list[int] = []
        self._leases = 0  # given out so far: the number of the last
        self._revoked = 0  # of those, the ones that the caller never saw
        self._generation = 0
        self._suspect_at = 0.0  # what was last known to live before this moment is asked before it is lent
        self._opening = self._returning = 0
        self._growing, self._width = 0, 1
        self._failures, self._not_before = 0, 0.0
        self._connect_error = ""
        self._exhausted = self._opened = self._closed_count = 0
        self._failed = self._timed_out = self._too_many = self._lost = 0
        self._wait, self._hold, self._connecting = Histogram(), Histogram(), Histogram()
        self._holds: list[float] = []  # counted into the histogram a thousand at a time
        self._ending: deque[int] = deque()  # backends of connections that were cut
        self._ending_one_at_a_time = threading.Lock()
        self._keeper = Keeper(self)

    # -- psycopg2's calls ---------------------------------------------------------------------------------------

    def getconn(self, key: Hashable | None = None, *, timeout: float | None = None, holder: str = "") -> Any:
        """Check a connection out for *holder*; wait up to *timeout* seconds (the pool's own when None).

        With a *key* that is out already its connection is returned once more, as psycopg2 does. Raises PoolExhausted at
        once where the timeout is 0, else PoolTimeout or TooManyWaiting; PoolClosed; what connecting raises.
        """
        wait = self.timeout if timeout is None else timeout
        asked = _now()
        waiter: Waiting | None = None
        growth: Sequence[Record] = ()
        thread, ident = _current_thread().name, _ident()
        with self._lock:
            if self._dropped:
                self._reap()
            if self.closed:
                raise PoolClosed(_CLOSED)
            if key is not None and (keyed := self._keyed.get(key)) is not None and (conn := keyed.ref()) is not None:
                return conn
            if self._idle and not self._queue:
                slot = self._idle.pop()
                conn = slot.conn
                # _lend(), written out: a call costs as much as a third of what it does.
                slot.phase = slot.state = _CHECKED_OUT
                slot.holder = holder
                slot.thread = thread
                slot.ident = ident
                slot.held_since = asked
                slot.stack = ()
                slot.uses += 1
                slot.sql = ""
                slot.lease = conn.lease = self._leases = self._leases + 1
                conn.slot = slot
                slot.conn = None
                self._out[id(conn)] = slot
                if key is not None:
                    slot.key = key
                    self._keyed[key] = slot
            elif wait <= 0:
                if len(self._slots) >= self.maxconn:
                    self._exhausted += 1
                    self.events.append(EventKind.EXHAUSTED, holder=holder)
                    raise PoolExhausted(f"connection pool exhausted: {self._situation()}")
                slot, conn = self._reserve(), None
            else:
                if self.max_waiting is not None and len(self._queue) >= self.max_waiting + self._room():
                    self._too_many += 1
                    raise TooManyWaiting(f"{len(self._queue)} wait already: {self._situation()}")
                waiter = Waiting(holder, key, asked, asked + wait, stack() if self.stacks else ())
                self._queue[waiter] = None
                slot, conn, growth = None, None, self._growth()
        if waiter is not None:
            self.events.append(EventKind.WAITING, holder=holder)
            self._grow(growth)
            slot, conn = self._await(waiter)
        assert slot is not None
        if conn is None:
            conn = self._opened_for(slot, key, holder, asked)
        elif (  # _fault() looks closer
            slot.poller()
            or conn.closed
            or slot.generation != self._generation
            or slot.ok_at < self._suspect_at
            or asked >= slot.expires_at
            or ((after := self.ping_after) is not None and asked - slot.idle_since > after)
        ) and (fault := self._fault(slot, conn, asked)):
            slot, conn = self._instead(slot, conn, fault, key, holder, asked, asked + wait if wait > 0 else None)
        if self.stacks:
            slot.stack = waiter.stack if waiter is not None else stack()
        got = slot.held_since
        self._write((got, _OUT_EVENT, slot.number, slot.pid, holder, thread, "", got - asked))
        return conn

    def putconn(self, conn: Any = None, key: Hashable | None = None, close: bool = False) -> None:
        """Check *conn* in: clean it outside the lock, and hand it to the longest waiter or keep it idle.

        After closeall() it is closed quietly. A connection that still runs a statement is cut, never waited for.
        Raises NotFromThisPool for a connection that is not out of this pool under that *key*.
        """
        with self._lock:
            if self._dropped:
                self._reap()
            slot = self._out.get(id(conn)) if conn is not None else self._keyed.get(key)
            if (  # nothing in the way: what follows below, in the shortest form
                slot is not None
                and conn is not None
                and key is None
                and slot.key is None
                and not close
                and slot.ref() is conn
                and conn.get_transaction_status() == _IDLE_TRANSACTION
                and not conn.closed
                and not self._queue
                and not self.closed
                and slot.generation == self._generation
                and len(self._slots) <= self.maxconn
                and self.max_idle is None
                and self.reset != "discard"
                and not slot.is_told
                and (now := _now()) < slot.expires_at
            ):
                del self._out[id(conn)]
                self._holds.append(now - slot.held_since)
                self._write((now, _IN_EVENT, slot.number, slot.pid, slot.holder, slot.thread, "", 0.0))
                if len(self._holds) > 1000:
                    self._count()
                slot.ok_at = slot.idle_since = now
                conn.lease = 0
                conn.slot = None
                slot.conn = conn
                slot.phase = _IDLE
                self._idle.append(slot)
                return
            if conn is None and slot is not None:
                conn = slot.ref()
            if slot is None or conn is None or slot.ref() is not conn or (key is not None and slot.key != key):
                raise self._stranger(conn, key, slot)
            now = _now()
            self._take_back(slot, conn)
            held = now - slot.held_since
            self._holds.append(held)
            self._write((now, _IN_EVENT, slot.number, slot.pid, slot.holder, slot.thread, "", 0.0))
            if len(self._holds) > 1000:
                self._count()
            if slot.is_told:
                slot.is_told = False
                self.events.append(EventKind.CAME_BACK, slot=slot.number, pid=slot.pid, holder=slot.holder, took=held)
            status = conn.get_transaction_status() if not conn.closed else ext.TRANSACTION_STATUS_UNKNOWN
            stays = not close and not self.closed and slot.generation == self._generation and now < slot.expires_at
            if stays and status == _IDLE_TRANSACTION and self.reset != "discard":
                if self._to_idle(slot, conn, now):
                    return
                stays = False
            self._set_aside([slot], conn)
        if status == ext.TRANSACTION_STATUS_ACTIVE:
            cut(conn)  # else closing it would wait for the statement
        kept = False
        try:
            kept = stays and self._cleaned(slot, conn, status) and self._home(slot, conn)
        finally:
            if not kept:
                is_lost = conn.closed not in {0, 1} and status != ext.TRANSACTION_STATUS_ACTIVE  # psycopg2 says 2
                self._discard(slot, conn, _LOST if is_lost else "returned to be closed" if close else "not kept")
                if status == ext.TRANSACTION_STATUS_ACTIVE:
                    self._end_backend(slot.pid)
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
                waiter.is_closed = True
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
            if conn.closed != 1:  # what the block closed itself needs none; what was lost says so
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
            surplus: list[Record] = []
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
                served=self._leases - self._revoked,
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
                mine = tuple(slot.number for slot in out if slot.ident == waiter.ident)
                frames, asked, until = said(waiter.stack), waiter.asked, waiter.deadline
                waiting.append(Waiter(place + 1, waiter.holder, waiter.thread, asked, until, blame, mine, frames))
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
            used = [(repr(slot.key) if slot.key is not None else str(slot.lease), slot) for slot in self._out.values()]
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
        """A record stands for the key where the user named none: it meets no user's key."""
        return {slot if slot.key is None else slot.key: slot.ref() for slot in self._out.values()}

    @property
    def _rused(self) -> dict[int, Hashable]:
        return {where: slot if slot.key is None else slot.key for where, slot in self._out.items()}

    # -- under the lock: no I/O, nothing that waits -------------------------------------------------------------

    def _reserve(self) -> Record:
        """Take a place for a connection that will be opened."""
        number = heapq.heappop(self._free_numbers) if self._free_numbers else len(self._slots) + 1
        slot = self._slots[number] = Record(number, self._generation)
        self._opening += 1
        return slot

    def _lend(
        self,
        slot: Record,
        conn: Any,
        key: Hashable | None,
        holder: str,
        thread: str,
        ident: int | None,
        asked: float,
        now: float,
    ) -> None:
        slot.phase = SlotState.CHECKED_OUT
        slot.state = SlotState.CHECKED_OUT
        slot.key, slot.holder, slot.thread, slot.ident, slot.held_since = key, holder, thread, ident, now
        slot.stack = ()
        slot.uses += 1
        slot.sql = ""
        slot.lease = conn.lease = self._leases = self._leases + 1
        conn.slot = slot
        slot.conn = None  # from here on the pool refers weakly to it
        self._out[id(conn)] = slot
        if key is not None:
            self._keyed[key] = slot
        self._wait.record(now - asked)

    def _take_back(self, slot: Record, conn: Any) -> None:
        """Undo _lend()."""
        del self._out[id(conn)]
        if slot.key is not None:
            if self._keyed.get(slot.key) is slot:
                del self._keyed[slot.key]
            slot.key = None

    def _to_idle(self, slot: Record, conn: Any, now: float) -> bool:
        """Hand *slot*, whose connection is clean, to the longest waiter, or keep it idle; False: there is no room."""
        if len(self._slots) > self.maxconn:
            return False
        if not self._queue and len(self._idle) >= (
            self.maxconn if self.max_idle is None else max(self.max_idle, self.minconn)
        ):
            return False
        if slot.phase is SlotState.OPENING:
            self._opening -= 1
        elif slot.phase is SlotState.RETURNING:
            self._returning -= 1
        slot.ok_at = slot.idle_since = now
        if self._queue:
            self._hand(slot, conn, self._queue.popitem(last=False)[0], now)
            return True
        conn.lease = 0
        conn.slot = None  # no circle: a pool that is forgotten lets go of its connections at once
        slot.conn = conn
        slot.phase = SlotState.IDLE
        self._idle.append(slot)
        return True

    def _hand(self, slot: Record, conn: Any, waiter: Waiting, now: float) -> None:
        self._lend(slot, conn, waiter.key, waiter.holder, waiter.thread, waiter.ident, waiter.asked, now)
        slot.stack = waiter.stack
        waiter.slot, waiter.conn = slot, conn
        waiter.gate.release()

    def _home(self, slot: Record, conn: Any) -> bool:
        """Keep *slot*, which was cleaned, or hand it on; False: it is not wanted any more. Takes the lock."""
        with self._lock:
            return not self.closed and slot.generation == self._generation and self._to_idle(slot, conn, _now())

    def _set_aside(self, slots: Sequence[Record], conn: Any = None) -> None:
        """Take *slots* out of use, until they are cleaned or closed."""
        for slot in slots:
            slot.phase = SlotState.RETURNING
            (conn or slot.conn).lease = _POOL_ITSELF
        self._returning += len(slots)

    def _room(self) -> int:
        """Return how many of those who wait are served by a connection that is being opened, or may be."""
        return max(0, self.maxconn - len(self._slots)) + self._growing

    def _retire(self, slot: Record, why: str) -> None:
        """Free the place of *slot*, whose connection was closed."""
        slot.conn = None
        self._forget(slot)
        if slot.phase is SlotState.OPENING:
            self._opening -= 1
        else:
            self._returning -= 1
        self._closed_count += 1
        if why in {_LOST, _SILENT}:
            self._lost += 1
            self.events.append(EventKind.LOST, slot=slot.number, pid=slot.pid, holder=slot.holder, detail=why)
        self.events.append(EventKind.CLOSED, slot=slot.number, pid=slot.pid, detail=why)

    def _forget(self, slot: Record) -> None:
        if self._slots.get(slot.number) is slot:
            del self._slots[slot.number]
            heapq.heappush(self._free_numbers, slot.number)

    def _reap(self) -> None:
        """Take back the slots of connections whose last reference was lost while they were out."""
        while self._dropped:
            ref = self._dropped.popleft()
            slot = self._out.get(ref.where)
            if slot is None or slot.ref is not ref:
                continue
            del self._out[ref.where]
            if slot.key is not None and self._keyed.get(slot.key) is slot:
                del self._keyed[slot.key]
            self._forget(slot)
            self._lost += 1
            self._closed_count += 1
            detail = "\n".join(said(slot.stack)) or "dropped without being returned"
            self.events.append(
                EventKind.DROPPED, slot=slot.number, pid=slot.pid, holder=slot.holder, detail=detail, thread=slot.thread
            )

    def _growth(self, extra: int = 0) -> list[Record]:
        """Reserve the places of connections to open for those who wait: one, then two, four, … at a time.

        *extra* may be opened whatever is under way.
        """
        grown: list[Record] = []
        if self.closed or _now() < self._not_before:
            return grown
        width = min(max(self._width, self._growing + extra), len(self._queue))
        while self._growing < width and len(self._slots) < self.maxconn:
            self._growing += 1
            grown.append(self._reserve())
        return grown

    def _homecomings(self) -> int:
        """Return how many connections came home, or were dropped, so far."""
        return self._leases - self._revoked - len(self._out)

    def _count(self) -> None:
        self._hold.record_all(self._holds)
        self._wait.record_zeros(self._leases - self._wait.count)  # who was served at once is not counted one by one
        self.events.trim()

    def _situation(self) -> str:
        named = f'pool "{self.name}"' if self.name else "pool"
        text = f"{named} of {self.maxconn}, {len(self._out)} in use, {len(self._queue)} waiting"
        if not self._out:
            return text
        longest = min(self._out.values(), key=lambda slot: slot.held_since)
        return f"{text}; longest held: {holders([longest.snapshot()])}"

    def _stranger(self, conn: Any, key: Hashable | None, slot: Record | None) -> NotFromThisPool:
        if slot is not None and key is not None:
            return NotFromThisPool(f"trying to put a connection back with key {key!r} that is out with {slot.key!r}")
        mine = conn is not None and any(each.ref is not None and each.ref() is conn for each in self._slots.values())
        why = "it was returned before" if mine else "it is not out of this pool"
        return NotFromThisPool(f"trying to put unkeyed connection: {why}")

    # -- outside the lock: all the I/O --------------------------------------------------------------------------

    def _await(self, waiter: Waiting) -> tuple[Record, Any]:
        """Wait for the hand-off. Raises PoolTimeout, leaving no trace in any count, or PoolClosed."""
        gate = waiter.gate
        words = ""
        try:
            while not gate.acquire(timeout=self._glance(waiter.deadline)):
                with self._lock:
                    if self._dropped:
                        self._reap()
                    growth = self._growth()
                    over = waiter in self._queue and _now() >= waiter.deadline
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
        except PoolTimeout:
            raise
        except BaseException:  # as KeyboardInterrupt: nobody is here any more to take what is handed over
            with self._lock:
                self._queue.pop(waiter, None)
            if waiter.conn is not None:
                self.putconn(waiter.conn)
            raise
        if waiter.is_closed:
            raise PoolClosed(_CLOSED)
        assert waiter.slot is not None
        conn, waiter.conn = waiter.conn, None
        return waiter.slot, conn

    def _glance(self, deadline: float) -> float:
        """Return for how long somebody waits before looking for what nobody tells: a drop, the end of a pause."""
        now = _now()
        pause = self._not_before - now
        return max(0.0, min(_GLANCE, deadline - now, pause if pause > 0 else _GLANCE))

    def _open(self, slot: Record) -> Any:
        """Open the connection of a reserved place. Raises what connecting raises; the place is then free again."""
        began = _now()
        try:
            conn = self._connect_with(*self._args, **self._kwargs)
            if self._configure is not None:
                self._configured(slot, conn)
            info = getattr(conn, "info", None)
            slot.pid = info.backend_pid if info is not None else 0
            slot.poller = poller(conn)
        except BaseException as error:
            words = str(error).strip().partition("\n")[0] or type(error).__name__
            with self._lock:
                self._forget(slot)
                self._opening -= 1
                self._failed += 1
                self._connect_error = words
            self.events.append(EventKind.CONNECT_FAILED, slot=slot.number, detail=words, took=_now() - began)
            raise
        now = _now()
        slot.ref = ref = Ref(conn, self._dropped.append)
        ref.where = id(conn)
        slot.opened_at = slot.ok_at = slot.idle_since = now
        life = self.max_lifetime
        slot.expires_at = now + life * (1 - _JITTER * random.random()) if life else float("inf")
        with self._lock:
            if self._dropped:
                self._reap()  # the new connection may lie where a dropped one lay
            self._opened += 1
            self._connect_error = ""
            self._connecting.record(now - began)
        self.events.append(EventKind.OPENED, slot=slot.number, pid=slot.pid, took=now - began)
        return conn

    def _configured(self, slot: Record, conn: Any) -> None:
        assert self._configure is not None
        conn.lease, conn.slot = _POOL_ITSELF, slot
        try:
            self._configure(conn)
            if conn.get_transaction_status() != _IDLE_TRANSACTION:
                conn.commit()  # or the first rollback would undo what it set
        except BaseException:
            _close(conn)
            raise

    def _fault(self, slot: Record, conn: Any, now: float) -> str:
        """Return what is wrong with *conn*, or "": a look at the socket, a question where that is not enough."""
        if conn.closed:
            return _LOST
        if slot.generation != self._generation or now >= slot.expires_at:
            return _TOO_OLD
        if slot.poller():
            try:
                conn.poll()  # a notice or a goodbye
                if not conn.closed and slot.poller():
                    conn.poll()
            except psycopg2.Error:
                pass
            if conn.closed:
                self._suspect_at = _now()
                return _LOST
        idle = now - slot.idle_since
        if slot.ok_at < self._suspect_at or (self.ping_after is not None and idle > self.ping_after):
            return self._pinged(slot, conn)
        return ""

    def _pinged(self, slot: Record, conn: Any) -> str:
        before, began = getattr(conn, "autocommit", True), _now()
        try:
            with self._keeper.guard(conn, self.ping_timeout, prompt=True):
                conn.autocommit = True
                ask(conn, "SELECT 1")
                conn.autocommit = before
        except psycopg2.Error:
            self._suspect_at = now = _now()
            return _SILENT if now - began >= self.ping_timeout else _LOST
        slot.sql, slot.state, slot.ok_at = "", SlotState.CHECKED_OUT, _now()
        return ""

    def _opened_for(self, slot: Record, key: Hashable | None, holder: str, asked: float) -> Any:
        """Open the connection of *slot* in the caller's own thread. Raises what connecting raises, or PoolClosed."""
        conn = self._open(slot)
        with self._lock:
            if not self.closed:
                self._opening -= 1
                me = threading.current_thread()
                self._lend(slot, conn, key, holder, me.name, me.ident, asked, _now())
                return conn
        self._discard(slot, conn, "the pool was closed")
        raise PoolClosed(_CLOSED)

    def _instead(
        self,
        slot: Record,
        conn: Any,
        fault: str,
        key: Hashable | None,
        holder: str,
        asked: float,
        deadline: float | None,
    ) -> tuple[Record, Any]:
        """Lend another connection instead of *conn*, which has a *fault*: an idle one, or one that is opened.

        Who waits is the first in the queue again, and keeps the deadline. Raises what getconn() raises.
        """
        while fault:
            waiter: Waiting | None = None
            growth: Sequence[Record] = ()
            with self._lock:
                self._take_back(slot, conn)
                self._revoked += 1
                self._set_aside([slot], conn)
            _close(conn)
            with self._lock:
                self._retire(slot, fault)
                if self.closed:
                    raise PoolClosed(_CLOSED)
                if self._idle and not self._queue and fault != _SILENT:  # where one is silent the others may be
                    slot = self._idle.pop()
                    conn = slot.conn
                    me = threading.current_thread()
                    self._lend(slot, conn, key, holder, me.name, me.ident, asked, _now())
                elif deadline is not None:
                    waiter = Waiting(holder, key, asked, deadline, stack() if self.stacks else ())
                    self._queue[waiter] = None
                    self._queue.move_to_end(waiter, last=False)
                    growth = self._growth(extra=1)
                elif len(self._slots) < self.maxconn:
                    slot, conn = self._reserve(), None
                else:
                    self._exhausted += 1
                    raise PoolExhausted(f"connection pool exhausted: {self._situation()}")
            self._grow(growth)
            if waiter is not None:
                slot, conn = self._await(waiter)
            if conn is None:
                return slot, self._opened_for(slot, key, holder, asked)
            fault = self._fault(slot, conn, _now())
        return slot, conn

    def _cleaned(self, slot: Record, conn: Any, status: int) -> bool:
        """Roll back or reset *conn* on its way home; False where it is not kept. Never waits for a statement."""
        if status == ext.TRANSACTION_STATUS_ACTIVE:
            return False  # it was cut
        if status == ext.TRANSACTION_STATUS_UNKNOWN:
            self._suspect_at = _now()  # its link broke in somebody's hands: that of others may have too
            return False
        try:
            with self._keeper.guard(conn, _RESET_TIMEOUT, prompt=False):
                if self.reset is not None and status != _IDLE_TRANSACTION:
                    conn.rollback()
                    if conn.get_transaction_status() != _IDLE_TRANSACTION:
                        # In autocommit mode psycopg2 sends no ROLLBACK for a BEGIN that the user typed.
                        ask(conn, "ROLLBACK")
                if self.reset == "discard":
                    conn.reset()
                    if self._configure is not None:
                        self._configured(slot, conn)
        except Exception as error:
            self._suspect_at = _now()
            with self._lock:
                self._failed += 1
            detail = str(error).strip().partition("\n")[0]
            self.events.append(EventKind.RETURN_FAILED, slot=slot.number, pid=slot.pid, detail=detail)
            return False
        return not conn.closed

    def _discard(self, slot: Record, conn: Any, why: str) -> None:
        """Close *conn*, whose slot is on its way out, and free the place."""
        _close(conn)
        with self._lock:
            self._retire(slot, why)

    def _end_backend(self, pid: int) -> None:
        """End the server's side of a connection that was cut in mid-statement, which else runs on to its end.

        From a short-lived connection of a thread of its own, for nobody waits for it.
        """
        if pid:
            self._ending.append(pid)
            with contextlib.suppress(RuntimeError):  # no more threads: the statement ends by itself
                threading.Thread(target=self._end_backends, name="pool ends backends", daemon=True).start()

    def _end_backends(self) -> None:
        with contextlib.suppress(psycopg2.Error, IndexError), self._ending_one_at_a_time:
            pids = [self._ending.popleft()]
            while self._ending:
                pids.append(self._ending.popleft())
            kwargs = {name: value for name, value in self._kwargs.items() if name != "connection_factory"}
            with contextlib.closing(self._connect_with(*self._args, **kwargs)) as side:
                side.autocommit = True
                with side.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", (pids,))

    def _grow(self, slots: Sequence[Record]) -> None:
        for slot in slots:
            try:
                threading.Thread(target=self._grow_one, args=(slot,), name="pool growth", daemon=True).start()
            except RuntimeError as error:  # no more threads can be started: whoever waits looks again later
                with self._lock:
                    self._forget(slot)
                    self._opening -= 1
                    self._connect_error = str(error)
                    self._not_grown()

    def _grow_one(self, slot: Record) -> None:
        """Open one connection for those who wait, and see whether more are needed."""
        homecomings = self._homecomings()
        try:
            conn = self._open(slot)
        except BaseException:
            with self._lock:
                pause = self._not_grown()
            if pause:  # whoever waits reads why in the timeout
                time.sleep(pause)
                with self._lock:
                    growth = self._growth()
                self._grow(growth)
            return
        with self._lock:
            self._growing -= 1
            self._failures, self._not_before = 0, 0.0
            # Where connections came home while this one was opened, the holds are short: one at a time is enough.
            came_home = self._homecomings() != homecomings
            self._width = 1 if came_home else min(self._width * 2, self.maxconn)
            kept = not self.closed and self._to_idle(slot, conn, _now())
            growth = self._growth()
        if not kept:
            self._discard(slot, conn, "not needed any more")
        self._grow(growth)

    def _not_grown(self) -> float:
        """Return for how long to pause, longer with each time, before connecting is tried again. Under the lock.

        0 for those that failed together with another: one of them tries again.
        """
        now = _now()
        self._growing -= 1
        self._width = 1
        if now < self._not_before:
            return 0.0
        pause = min(_LONGEST_BACK_OFF, _BACK_OFF * 2**self._failures) * (1 + random.random() / 4)
        self._failures = min(self._failures + 1, 10)
        self._not_before = now + pause
        return pause

    def tend(self, now: float) -> None:
        """Do what time asks for: close idle connections, tell of what is held long, free what was dropped.

        The keeper calls it about once a second.
        """
        with self._lock:
            if self._dropped:
                self._reap()
            limit = float("-inf") if self.idle_timeout is None else now - self.idle_timeout
            spare = len(self._slots) - self.minconn
            old = [s for s in self._idle if s.idle_since <= limit or s.expires_at <= now][: max(0, spare)]
            if old:
                self._idle = [slot for slot in self._idle if slot not in old]
                self._set_aside(old)
            long: list[tuple[Record, float]] = []
            if self.leak_after is not None:
                long = [(s, now - s.held_since) for s in self._out.values() if not s.is_told]
                long = [(slot, held) for slot, held in long if held > self.leak_after]
            for slot, held in long:
                slot.is_told = True
                detail = "\n".join(said(slot.stack))
                self.events.put(EventKind.HELD_LONG, now, slot.number, slot.pid, slot.holder, slot.thread, detail, held)
            growth = self._growth()
        self._grow(growth)
        for slot in old:
            self._discard(slot, slot.conn, "idle for long, or too old")


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


__all__ = ["LeasedConnection", "PgPool"]
