"""What happened to which connection and when: a bounded ring, read in batches."""

import threading
import time
from collections import deque
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
    DONE = "done"
    LOST = "connection lost"
    LEAKED = "leaked"


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


class EventRing:
    """The last *size* events. Written by any thread, read in batches by one that draws."""

    def __init__(self, size: int = 10_000) -> None:
        self._events: deque[Event] = deque(maxlen=size)
        self._last = 0
        self._lock = threading.Lock()

    def append(
        self, kind: EventKind, *, slot: int = 0, pid: int = 0, holder: str = "", detail: str = "", took: float = 0.0
    ) -> None:
        """Write one event with the time and the calling thread's name."""
        thread = threading.current_thread().name
        with self._lock:
            self._last += 1
            self._events.append(Event(self._last, time.monotonic(), kind, slot, pid, holder, thread, detail, took))

    @property
    def last(self) -> int:
        """The sequence number of the newest event, 0 before the first."""
        return self._last

    def since(self, sequence: int) -> tuple[list[Event], int]:
        """Return the events after *sequence* in order, and how many of them the ring had already dropped."""
        with self._lock:
            newer = self._last - sequence
            if newer <= 0:
                return [], 0
            kept = len(self._events)
            start = max(0, kept - newer)
            events = [self._events[index] for index in range(start, kept)] if newer < kept else list(self._events)
        return events, max(0, newer - kept)
