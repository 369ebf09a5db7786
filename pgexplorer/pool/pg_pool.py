"""PgPool: a drop-in for psycopg2's ThreadedConnectionPool that waits in order, heals itself and counts exactly.

psycopg2 and the standard library are all it needs. What it does that psycopg2's pools do not: callers may wait, are
served strictly in order and by direct hand-off; connecting, rolling back and closing never happen under the lock, so
that nobody waits for somebody else's network; a dead connection is noticed before it is handed out; a slot is never
lost; every count is exact at every moment.
"""

import contextlib
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Generator, Hashable, Sequence
from functools import partial
from typing import Any

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection
from psycopg2.pool import ThreadedConnectionPool

from pgexplorer.pool.books import LOST, POOL_ITSELF, SILENT, TOO_OLD, Books, checked_sizes, clock
from pgexplorer.pool.ender import BackendEnder
from pgexplorer.pool.errors import PoolClosed, PoolExhausted, PoolTimeout, TooManyWaiting
from pgexplorer.pool.events import EventKind
from pgexplorer.pool.keeper import Keeper
from pgexplorer.pool.leased import Lease, LeasedConnection, leased_connection
from pgexplorer.pool.link import ask, cut, poller
from pgexplorer.pool.record import Record, Ref, Stack, Waiting, said, stack, this_thread
from pgexplorer.pool.slot import SlotState

_IDLE_TRANSACTION = ext.TRANSACTION_STATUS_IDLE
# Looking a member up in its enumeration takes longer than it seems: the two calls made most often take these.
_IDLE, _CHECKED_OUT = SlotState.IDLE, SlotState.CHECKED_OUT
_OUT_EVENT, _IN_EVENT = EventKind.CHECKED_OUT.value, EventKind.CHECKED_IN.value
_FRESH = 0.001  # seconds for which a connection that was seen alive is not looked at again
_GLANCE = 0.25  # seconds between two looks of a waiter at what nobody tells it: a dropped connection
_RESET_TIMEOUT = 5.0  # seconds a rollback or DISCARD ALL on the way home may take
_JITTER = 0.1  # of max_lifetime: connections opened together do not end together
_RESETS = {"rollback", "discard", None}
_CLOSED = "connection pool is closed"
_current_thread = threading.current_thread


class PgPool(Books, ThreadedConnectionPool):
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
        self.minconn, self.maxconn = checked_sizes(minconn, maxconn)
        if reset not in _RESETS:
            raise ValueError(f'reset is "rollback", "discard" or None, not {reset!r}')
        self.timeout, self.max_waiting, self.reset = timeout, max_waiting, reset
        self.max_idle = max_idle  # None: as many as maxconn
        self.idle_timeout, self.max_lifetime = idle_timeout, max_lifetime
        self.ping_after, self.ping_timeout = ping_after, ping_timeout
        self._fresh = _FRESH if ping_after is None else min(_FRESH, ping_after)
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
        began = clock()
        try:
            for _ in range(self.minconn):
                with self._lock:
                    slot = self._reserve()
                conn = self._open(slot)
                with self._lock:
                    self._to_idle(slot, conn, clock())
        except BaseException:
            self.closeall()
            raise
        _pools.add(self)
        self._keeper.start()
        self.events.append(EventKind.POOL_OPENED, detail=type(self).__name__, took=clock() - began)

    def _start_anew(self) -> None:
        super()._start_anew()
        self._keeper = Keeper(self)
        kwargs = {name: value for name, value in self._kwargs.items() if name != "connection_factory"}
        self._ender = BackendEnder(partial(self._connect_with, *self._args, **kwargs))

    # -- psycopg2's calls ---------------------------------------------------------------------------------------

    def getconn(self, key: Hashable | None = None, *, timeout: float | None = None, holder: str = "") -> Any:
        """Check a connection out for *holder*; wait up to *timeout* seconds (the pool's own when None).

        With a *key* that is out already its connection is returned once more, as psycopg2 does. Raises PoolExhausted at
        once where the timeout is 0, else PoolTimeout or TooManyWaiting; PoolClosed; what connecting raises.
        """
        asked = clock()
        slot: Record | None = None
        conn: Any = None
        thread = ""
        if key is None:
            with self._lock:
                # Nothing in the way: what _get() does, in the shortest form. A call costs as much as a third of this.
                if self._idle and not self._queue and not self._dropped and not self.closed:
                    slot = self._idle.pop()
                    conn = slot.conn
                    slot.conn = None
                    slot.phase = slot.state = _CHECKED_OUT
                    slot.holder = holder
                    slot.thread = thread = _current_thread().name
                    slot.ident = this_thread.token
                    slot.held_since = slot.state_since = asked
                    slot.stack = ()
                    slot.uses += 1
                    slot.sql = ""
                    slot.lease = conn.lease = self._leases = self._leases + 1
                    conn.slot = slot
                    self._out[id(conn)] = slot
            if slot is not None and not (
                conn.closed
                or slot.generation != self._generation
                or slot.ok_at < self._suspect_at
                or asked >= slot.expires_at
                or (asked - slot.seen_at > self._fresh and self._is_doubtful(slot, asked))
            ):
                if self.stacks:
                    slot.stack = stack()
                self._write((asked, _OUT_EVENT, slot.number, slot.pid, holder, thread, "", 0.0))
                return conn
        wait = self.timeout if timeout is None else timeout
        frames = stack() if self.stacks else ()
        if slot is not None:
            deadline = asked + wait if wait > 0 else None
            slot, conn = self._sound(slot, conn, None, holder, asked, deadline, frames)
        elif key is not None:
            slot, conn = self._get_keyed(key, asked, wait, holder, frames)
            if slot is None:
                return conn
        else:
            slot, conn = self._get(None, asked, wait, holder, frames)
        slot.stack = frames
        got = slot.held_since
        self._write((got, _OUT_EVENT, slot.number, slot.pid, holder, _current_thread().name, "", got - asked))
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
                and (now := clock()) < slot.expires_at
            ):
                del self._out[id(conn)]
                self._holds.append(now - slot.held_since)
                self._write((now, _IN_EVENT, slot.number, slot.pid, slot.holder, slot.thread, "", 0.0))
                if len(self._holds) > 1000:
                    self._count()
                slot.idle_since = now
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
            now = clock()
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
                self._discard(slot, conn, LOST if is_lost else "returned to be closed" if close else "not kept")
                if status == ext.TRANSACTION_STATUS_ACTIVE:
                    self._ender.end(slot.pid)
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
        minconn, maxconn = checked_sizes(minconn, maxconn)
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

    # -- getting a connection, whatever is in the way ------------------------------------------------------------

    def _get(self, key: Hashable | None, asked: float, wait: float, holder: str, frames: Stack) -> tuple[Record, Any]:
        """Return what getconn() gets, checked: idle, opened, or waited for. Raises what getconn() raises."""
        waiter: Waiting | None = None
        growth: Sequence[Record] = ()
        deadline = asked + wait if wait > 0 else None
        conn: Any = None
        with self._lock:
            if self._dropped:
                self._reap()
            if self.closed:
                raise PoolClosed(_CLOSED)
            if self._idle and not self._queue:
                slot = self._idle.pop()
                conn = slot.conn
                self._lend(slot, conn, key, holder, _current_thread().name, this_thread.token, asked, asked)
            elif deadline is None:
                if len(self._slots) >= self.maxconn:
                    self._exhausted += 1
                    self.events.append(EventKind.EXHAUSTED, holder=holder)
                    raise PoolExhausted(f"connection pool exhausted: {self._situation()}")
                slot = self._reserve()
            else:
                if self.max_waiting is not None and len(self._queue) >= self.max_waiting + self._room():
                    self._too_many += 1
                    raise TooManyWaiting(f"{len(self._queue)} wait already: {self._situation()}")
                waiter = Waiting(holder, key, asked, deadline, frames)
                self._queue[waiter] = None
                slot, growth = None, self._growth()
        if waiter is not None:
            self.events.append(EventKind.WAITING, holder=holder)
            self._grow(growth)
            slot, conn = self._await(waiter)
        assert slot is not None
        if conn is None:
            return slot, self._opened_for(slot, key, holder, asked)
        return self._sound(slot, conn, key, holder, asked, deadline, frames)

    def _get_keyed(
        self, key: Hashable, asked: float, wait: float, holder: str, frames: Stack
    ) -> tuple[Record | None, Any]:
        """Return what getconn() gets for *key*; no record where its connection is out already and is shared.

        Two threads that ask for the same key at once get the same connection: the second waits for the first.
        """
        while True:
            with self._lock:
                if self._dropped:
                    self._reap()
                if self.closed:
                    raise PoolClosed(_CLOSED)
                if (keyed := self._keyed.get(key)) is not None and (conn := keyed.ref()) is not None:
                    return None, conn
                first = self._asking.get(key)
                if first is None:
                    mine = self._asking[key] = threading.Event()
                    break
            rest = asked + wait - clock()
            # psycopg2's callers wait for somebody else's connect too, under the lock.
            if not first.wait(rest if wait > 0 else None):
                with self._lock:
                    self._timed_out += 1
                    words = f"no connection within {wait:.3g} s: {self._situation()}"
                self.events.append(EventKind.TIMED_OUT, holder=holder, took=clock() - asked)
                raise PoolTimeout(words)
        try:
            return self._get(key, asked, wait, holder, frames)
        finally:
            with self._lock:
                del self._asking[key]
            mine.set()

    def _is_doubtful(self, slot: Record, now: float) -> bool:
        """Look at the socket, which lets go of the interpreter: whether _fault() should look closer."""
        if slot.poller() or ((after := self.ping_after) is not None and now - slot.idle_since > after):
            return True
        slot.seen_at = now
        return False

    def _sound(
        self,
        slot: Record,
        conn: Any,
        key: Hashable | None,
        holder: str,
        asked: float,
        deadline: float | None,
        frames: Stack,
    ) -> tuple[Record, Any]:
        """Return *conn* if nothing is wrong with it, else another that is lent in its place."""
        if fault := self._fault(slot, conn, clock()):
            return self._instead(slot, conn, fault, key, holder, asked, deadline, frames)
        return slot, conn

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
                    over = waiter in self._queue and clock() >= waiter.deadline
                    if over:
                        del self._queue[waiter]
                        self._timed_out += 1
                        words = f"no connection within {waiter.deadline - waiter.asked:.3g} s: {self._situation()}"
                        if self._connect_error:
                            words = f"{words}; connecting fails: {self._connect_error}"
                self._grow(growth)
                if over:
                    self.events.append(EventKind.TIMED_OUT, holder=waiter.holder, took=clock() - waiter.asked)
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
        now = clock()
        pause = self._not_before - now
        return max(0.0, min(_GLANCE, deadline - now, pause if pause > 0 else _GLANCE))

    def _open(self, slot: Record) -> Any:
        """Open the connection of a reserved place. Raises what connecting raises; the place is then free again."""
        began = clock()
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
            self.events.append(EventKind.CONNECT_FAILED, slot=slot.number, detail=words, took=clock() - began)
            raise
        now = clock()
        slot.ref = ref = Ref(conn, self._dropped.append)
        ref.where = id(conn)
        slot.opened_at = slot.ok_at = slot.seen_at = slot.idle_since = now
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
        conn.lease, conn.slot = POOL_ITSELF, slot
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
            return LOST
        if slot.generation != self._generation or now >= slot.expires_at:
            return TOO_OLD
        if slot.poller() and _hears_an_end(slot, conn):
            self._suspect_at = clock()
            return LOST
        idle = now - slot.idle_since
        if slot.ok_at < self._suspect_at or (self.ping_after is not None and idle > self.ping_after):
            return self._pinged(slot, conn)
        return ""

    def _pinged(self, slot: Record, conn: Any) -> str:
        before, began = getattr(conn, "autocommit", True), clock()
        try:
            with self._keeper.guard(conn, self.ping_timeout, prompt=True):
                conn.autocommit = True
                ask(conn, "SELECT 1")
                conn.autocommit = before
        except psycopg2.Error:
            self._suspect_at = now = clock()
            return SILENT if now - began >= self.ping_timeout else LOST
        slot.sql, slot.state = "", SlotState.CHECKED_OUT
        slot.ok_at = slot.seen_at = clock()
        return ""

    def _opened_for(self, slot: Record, key: Hashable | None, holder: str, asked: float) -> Any:
        """Open the connection of *slot* in the caller's own thread. Raises what connecting raises, or PoolClosed."""
        conn = self._open(slot)
        with self._lock:
            if not self.closed:
                self._opening -= 1
                me = threading.current_thread()
                self._lend(slot, conn, key, holder, me.name, this_thread.token, asked, clock())
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
        frames: Stack,
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
                if self._idle and not self._queue and fault != SILENT:  # where one is silent the others may be
                    slot = self._idle.pop()
                    conn = slot.conn
                    me = threading.current_thread()
                    self._lend(slot, conn, key, holder, me.name, this_thread.token, asked, clock())
                elif deadline is not None:
                    waiter = Waiting(holder, key, asked, deadline, frames)
                    self._queue[waiter] = None
                    self._queue.move_to_end(waiter, last=False)
                    # Two that were handed dead connections may come back in either order: who asked first is first.
                    for other in [each for each in reversed(self._queue) if each.asked < asked]:
                        self._queue.move_to_end(other, last=False)
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
            fault = self._fault(slot, conn, clock())
        return slot, conn

    def _cleaned(self, slot: Record, conn: Any, status: int) -> bool:
        """Roll back or reset *conn* on its way home; False where it is not kept. Never waits for a statement."""
        if status == ext.TRANSACTION_STATUS_ACTIVE:
            return False  # it was cut
        if status == ext.TRANSACTION_STATUS_UNKNOWN:
            self._suspect_at = clock()  # its link broke in somebody's hands: that of others may have too
            return False
        try:
            with self._keeper.guard(conn, _RESET_TIMEOUT, prompt=False):
                if self.reset is not None and status != _IDLE_TRANSACTION:
                    conn.rollback()
                    if conn.get_transaction_status() != _IDLE_TRANSACTION:
                        # In autocommit mode psycopg2 sends no ROLLBACK for a BEGIN that the user typed.
                        ask(conn, "ROLLBACK")
                    slot.ok_at = slot.seen_at = clock()
                if self.reset == "discard":
                    conn.reset()
                    if self._configure is not None:
                        self._configured(slot, conn)
        except Exception as error:
            self._suspect_at = clock()
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
            kept = not self.closed and self._to_idle(slot, conn, clock())
            growth = self._growth()
        if not kept:
            self._discard(slot, conn, "not needed any more")
        self._grow(growth)

    def tend(self, now: float) -> None:
        """Do what time asks for: close what is idle for long or dead, tell of what is held long, free what was dropped.

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
            heard = [slot for slot in self._idle if slot.poller()]
            if heard:
                self._idle = [slot for slot in self._idle if slot not in heard]
                self._set_aside(heard)
            long: list[tuple[Record, float]] = []
            if self.leak_after is not None:
                long = [(s, now - s.held_since) for s in self._out.values() if not s.is_told]
                long = [(slot, held) for slot, held in long if held > self.leak_after]
            for slot, held in long:
                slot.is_told = True
                detail = "\n".join(said(slot.stack))
                self.events.put(EventKind.HELD_LONG, now, slot.number, slot.pid, slot.holder, slot.thread, detail, held)
            growth = self._growth()
            self.events.trim()  # a long hold may have run many statements
        self._grow(growth)
        for slot in old:
            self._discard(slot, slot.conn, "idle for long, or too old")
        for slot in heard:
            conn = slot.conn
            if _hears_an_end(slot, conn):
                self._suspect_at = clock()
                self._discard(slot, conn, LOST)
            elif not self._home(slot, conn):
                self._discard(slot, conn, "not needed any more")
        if heard:
            with self._lock:
                growth = self._growth()
            self._grow(growth)


_pools: "weakref.WeakSet[PgPool]" = weakref.WeakSet()


def _in_the_child() -> None:
    # psycopg2 closes no connection that another process opened: dropping the references is enough.
    for pool in list(_pools):
        pool._start_anew()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_the_child)


def _hears_an_end(slot: Record, conn: Any) -> bool:
    """Read what the server sent unasked, a notice or a goodbye; return whether the link has ended."""
    with contextlib.suppress(psycopg2.Error):
        conn.poll()
        if not conn.closed and slot.poller():
            conn.poll()
    return bool(conn.closed)


def _close(conn: Any) -> None:
    with contextlib.suppress(Exception):
        conn.close()


__all__ = ["LeasedConnection", "PgPool"]
