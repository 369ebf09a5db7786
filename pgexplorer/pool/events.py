"""What happened to which connection and when: a bounded ring, read in batches."""

import threading
import time
from dataclasses import dataclass
from enum import StrEnum


class EventKind(StrEnum):
    """The things that can happen in a pool."""

    POOL_OPENED = "pool opened"
    POOL_CLOSED = "pool closed"
    OPENED = "connection opened"
    CLOSED = "connection closed"
    CHECKED_OUT = "checked out"
    CHECKED_IN = "checked in"
    EXHAUSTED = "exhausted"
    REFUSED = "refused"  # any other PoolError: unkeyed, closed
    CONNECT_FAILED = "connect failed"
    RETURN_FAILED = "return failed"
    RUNNING = "running"
    # A statement ended: detail is its text, took its duration.
    DONE = "done"  # and no transaction is open
    DONE_IN_TRANSACTION = "done, transaction open"
    DONE_FAILED = "done, transaction failed"
    SETTLED = "transaction ended"  # by commit or rollback, without a check-in
    LOST = "connection lost"
    LEAKED = "leaked"
    WAITING = "waiting"
    TIMED_OUT = "timed out"
    HELD_LONG = "held long"
    CAME_BACK = "came back"  # after it was held long
    DROPPED = "dropped"  # the holder lost its last reference; the slot is free again


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    sequence: int  # counts from 1 without a gap
    at: float  # seconds on time.monotonic's clock
    kind: EventKind
    slot: int = 0  # the slot's number, 0 when none is concerned
    pid: int = 0  # the server's backend, 0 when none is concerned
    holder: str = ""
    thread: str = ""
    detail: str = ""
    took: float = 0.0  # seconds


DETAIL = 200  # characters kept of a statement: the ring must not keep what is large

# An event as it is written: plain values alone, so that Python's garbage collector need not look into it again.
Raw = tuple[float, str, int, int, str, str, str, float]

# What a statement left behind, by psycopg2's transaction status: idle, active (a COPY in parts), in transaction,
# failed, unknown.
DONE_BY_STATUS = (
    EventKind.DONE.value,
    EventKind.DONE.value,
    EventKind.DONE_IN_TRANSACTION.value,
    EventKind.DONE_FAILED.value,
    EventKind.LOST.value,
)

_KINDS = {str.__str__(kind): kind for kind in EventKind}


class EventRing:
    """The last *size* events. Written by any thread, read in batches by one that draws.

    An event is written as a tuple without a lock, in a tenth of a microsecond, for appending to a list is one step. Its
    sequence number is its place; it becomes an `Event` when it is read.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._limit = 2 * size + 1_000  # the list is cut back now and then, not with every event
        self._raw: list[Raw] = []
        self._before = 0  # how many were written before the first in the list
        self._lock = threading.Lock()
        self.write = self._raw.append  # the quickest way: whoever takes it sees to trim()

    def append(
        self,
        kind: EventKind,
        *,
        slot: int = 0,
        pid: int = 0,
        holder: str = "",
        detail: str = "",
        took: float = 0.0,
        thread: str | None = None,
    ) -> None:
        """Write one event with the time and, unless *thread* names another, the calling thread."""
        named = threading.current_thread().name if thread is None else thread
        with self._lock:  # so that the times of those written here are in order
            self.put(kind, time.monotonic(), slot, pid, holder, named, detail, took)
            self._trim()

    def put(
        self, kind: EventKind, at: float, slot: int, pid: int, holder: str, thread: str, detail: str, took: float
    ) -> None:
        """Write one event whose every part is known."""
        self.write((at, kind.value, slot, pid, holder, thread, detail, took))

    def trim(self) -> None:
        """Forget what is too old, if it has become much. Whoever uses write() calls it now and then."""
        with self._lock:
            self._trim()

    def _trim(self) -> None:
        surplus = len(self._raw) - self._size
        if surplus > self._limit - self._size:
            del self._raw[:surplus]
            self._before += surplus

    @property
    def last(self) -> int:
        """The sequence number of the newest event, 0 before the first."""
        with self._lock:
            return self._before + len(self._raw)

    def since(self, sequence: int) -> tuple[list[Event], int]:
        """Return the events after *sequence* in order, and how many of them the ring had already dropped."""
        with self._lock:
            there = len(self._raw)  # more may be written meanwhile: they are for the next time
            last = self._before + there
            newer = last - sequence
            if newer <= 0:
                return [], 0
            kept = min(newer, there, self._size)
            raw = self._raw[there - kept : there]
        first = last - kept + 1
        events = [
            Event(first + place, at, _KINDS[kind], slot, pid, holder, thread, detail, took)
            for place, (at, kind, slot, pid, holder, thread, detail, took) in enumerate(raw)
        ]
        return events, newer - kept
