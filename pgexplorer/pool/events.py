"""What happened to which connection and when: a bounded ring, read in batches."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice


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


class EventRing:
    """The last *size* events. Written by any thread, read in batches by one that draws.

    An event is written as a tuple, in half a microsecond, and becomes an `Event` when it is read.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._raw: deque[tuple[int, float, EventKind, int, int, str, str, str, float]] = deque(maxlen=size)
        self._last = 0
        self._lock = threading.Lock()

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
        self.put(kind, time.monotonic(), slot, pid, holder, named, detail, took)

    def put(
        self, kind: EventKind, at: float, slot: int, pid: int, holder: str, thread: str, detail: str, took: float
    ) -> None:
        """Write one event whose every part is known: the quick way."""
        with self._lock:
            self._last += 1
            self._raw.append((self._last, at, kind, slot, pid, holder, thread, detail, took))

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
            kept = len(self._raw)
            raw = list(islice(self._raw, max(0, kept - newer), kept))
        return [Event(*each) for each in raw], max(0, newer - kept)
