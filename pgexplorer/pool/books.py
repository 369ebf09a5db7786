"""The books of a PgPool: who has which connection, who waits, how many of everything. No I/O, nothing that waits."""

import heapq
import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from typing import Any

from pgexplorer.pool.errors import NotFromThisPool, holders
from pgexplorer.pool.events import EventKind, EventRing
from pgexplorer.pool.link import look
from pgexplorer.pool.protocol import Insides
from pgexplorer.pool.record import Record, Ref, Waiting, said
from pgexplorer.pool.slot import Slot, SlotState, Waiter
from pgexplorer.pool.stats import Histogram, Histograms, PoolStats

BACK_OFF, LONGEST_BACK_OFF = 0.05, 1.0  # seconds before connecting is tried again after it failed
POOL_ITSELF = -1  # the lease of a connection that the pool cleans or sets up
LOST, SILENT, TOO_OLD = "lost", "no answer", "drained or too old"  # what can be wrong with an idle connection
clock = time.monotonic


class Books:
    """What a PgPool knows, and every step in it. Methods that begin with an underscore want the lock held."""

    minconn: int
    maxconn: int
    max_idle: int | None  # None: as many as maxconn
    name: str
    _ring_size: int
    _generation: int

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
        self._asking: dict[Hashable, threading.Event] = {}  # by a key that somebody is getting a connection for
        self._queue: OrderedDict[Waiting, None] = OrderedDict()
        self._dropped: deque[Ref] = deque()  # finalisers append here and do nothing else
        self._free_numbers: list[int] = []
        self._leases = 0  # given out so far: the number of the last
        self._revoked = 0  # of those, the ones that the caller never saw
        self._generation = 0  # counts the drains
        self._suspect_at = 0.0  # what was last known to live before this moment is asked before it is lent
        self._opening = self._returning = 0
        self._growing, self._width = 0, 1
        self._failures, self._not_before = 0, 0.0
        self._connect_error = ""
        self._exhausted = self._opened = self._closed_count = 0
        self._failed = self._timed_out = self._too_many = self._lost = 0
        self._wait, self._hold, self._connecting = Histogram(), Histogram(), Histogram()
        self._seen_stats: PoolStats | None = None  # the last look at the books, for who does not wait for the lock
        self._seen_slots: tuple[Slot, ...] | None = None
        self._seen_waiters: tuple[Waiter, ...] | None = None
        self._seen_histograms: Histograms | None = None
        self._holds: list[float] = []  # counted into the histogram a thousand at a time

    # -- what anybody may read ----------------------------------------------------------------------------------

    def stats(self, *, patient: bool = True) -> PoolStats:
        """Return the counts of this moment, exact; not *patient*, those of the last look where another has the lock.

        A screen is not patient: a thread that was interrupted under the lock gets on only when the interpreter is its
        turn again, behind all that are busy.
        """
        seen = self._seen_stats
        if not self._lock.acquire(blocking=patient or seen is None):
            return seen or self.stats()
        try:
            if self._dropped:
                self._reap()
            self._count()
            idle, used, waiting = len(self._idle), len(self._out), len(self._queue)
            opening, returning = self._opening, self._returning
            served, exhausted = self._leases - self._revoked, self._exhausted
            opened, closed, failed = self._opened, self._closed_count, self._failed
            timed_out, too_many, lost = self._timed_out, self._too_many, self._lost
            wait, hold, connecting = self._wait.copy(), self._hold.copy(), self._connecting.copy()
            limits = self.minconn, self.maxconn
            is_closed = self.closed
        finally:
            self._lock.release()
        self._seen_stats = seen = PoolStats(
            *limits,
            idle=idle,
            used=used,
            opening=opening,
            returning=returning,
            waiting=waiting,
            served=served,
            exhausted=exhausted,
            opened=opened,
            closed=closed,
            failed=failed,
            wait_median=wait.percentile(50),
            wait_longest=wait.longest,
            hold_median=hold.percentile(50),
            connect_median=connecting.percentile(50),
            timed_out=timed_out,
            too_many=too_many,
            lost=lost,
            is_closed=is_closed,
        )
        return seen

    def slots(self, *, patient: bool = True) -> tuple[Slot, ...]:
        """Return a snapshot of every connection, by number; *patient* as with stats()."""
        seen = self._seen_slots
        if not self._lock.acquire(blocking=patient or seen is None):
            return seen or ()
        try:
            if self._dropped:
                self._reap()
            self._seen_slots = seen = tuple(self._slots[number].snapshot() for number in sorted(self._slots))
        finally:
            self._lock.release()
        return seen

    def waiters(self, *, patient: bool = True) -> tuple[Waiter, ...]:
        """Return who waits, in the order in which they are served; *patient* as with stats()."""
        seen = self._seen_waiters
        if not self._lock.acquire(blocking=patient or seen is None):
            return seen or ()
        try:
            out = sorted(self._out.values(), key=lambda slot: slot.held_since)
            waiting: list[Waiter] = []
            for place, waiter in enumerate(self._queue):
                held = out[place % len(out)] if out else None
                blame = f"#{held.number} {held.holder or held.thread}" if held is not None else "a new connection"
                mine = tuple(slot.number for slot in out if slot.ident is waiter.ident)
                frames, asked, until = said(waiter.stack), waiter.asked, waiter.deadline
                waiting.append(Waiter(place + 1, waiter.holder, waiter.thread, asked, until, blame, mine, frames))
            self._seen_waiters = seen = tuple(waiting)
        finally:
            self._lock.release()
        return seen

    def histograms(self, *, patient: bool = True) -> Histograms:
        """Return copies of how the times are spread: waiting, holding, connecting; *patient* as with stats()."""
        seen = self._seen_histograms
        if not self._lock.acquire(blocking=patient or seen is None):
            return seen or self.histograms()
        try:
            self._count()
            self._seen_histograms = seen = Histograms(self._wait.copy(), self._hold.copy(), self._connecting.copy())
        finally:
            self._lock.release()
        return seen

    def links(self) -> dict[int, str]:
        """Return what the sockets say at this moment, by backend pid."""
        with self._lock:
            conns = [(slot.pid, slot.ref()) for slot in self._slots.values() if slot.ref is not None]
        return look((pid, conn) for pid, conn in conns if conn is not None)

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

    # -- under the lock -----------------------------------------------------------------------------------------

    def _reserve(self) -> Record:
        """Take a place for a connection that will be opened."""
        number = heapq.heappop(self._free_numbers) if self._free_numbers else len(self._slots) + 1
        slot = self._slots[number] = Record(number, self._generation, self._write)
        self._opening += 1
        return slot

    def _lend(
        self,
        slot: Record,
        conn: Any,
        key: Hashable | None,
        holder: str,
        thread: str,
        ident: object,
        asked: float,
        now: float,
    ) -> None:
        slot.phase = slot.state = SlotState.CHECKED_OUT
        slot.key, slot.holder, slot.thread, slot.ident = key, holder, thread, ident
        slot.held_since = slot.state_since = now
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
        slot.idle_since = now
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
            return not self.closed and slot.generation == self._generation and self._to_idle(slot, conn, clock())

    def _set_aside(self, slots: Sequence[Record], conn: Any = None) -> None:
        """Take *slots* out of use, until they are cleaned or closed."""
        for slot in slots:
            slot.phase = SlotState.RETURNING
            (conn or slot.conn).lease = POOL_ITSELF
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
        if why in {LOST, SILENT}:
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
        if self.closed or clock() < self._not_before:
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

    def _not_grown(self) -> float:
        """Return for how long to pause, longer with each time, before connecting is tried again. Under the lock.

        0 for those that failed together with another: one of them tries again.
        """
        now = clock()
        self._growing -= 1
        self._width = 1
        if now < self._not_before:
            return 0.0
        pause = min(LONGEST_BACK_OFF, BACK_OFF * 2**self._failures) * (1 + random.random() / 4)
        self._failures = min(self._failures + 1, 10)
        self._not_before = now + pause
        return pause


def checked_sizes(minconn: int, maxconn: int) -> tuple[int, int]:
    """Return both as numbers. Raises ValueError for sizes that no pool can have."""
    minconn, maxconn = int(minconn), int(maxconn)
    if maxconn < 1 or not 0 <= minconn <= maxconn:
        raise ValueError(f"a pool needs 0 <= minconn <= maxconn and maxconn >= 1, not {minconn} and {maxconn}")
    return minconn, maxconn
