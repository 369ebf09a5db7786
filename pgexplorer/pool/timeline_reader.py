"""Reads a pool's events, and its slots now and then, and folds what it found into a timeline."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from pgexplorer.pool.events import Event
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.slot import Slot, Waiter
from pgexplorer.pool.timeline import Timeline

_LOOK = 0.25  # seconds between two looks at the slots


@dataclass(frozen=True, slots=True)
class Batch:
    """What one reading of a pool found."""

    events: list[Event]
    missed: int  # events before them that nobody will read any more
    at: float  # when it was read
    slots: tuple[Slot, ...] = ()
    waiters: tuple[Waiter, ...] = ()
    has_looked: bool = False  # at slots and waiters

    def slices(self, most: int) -> "Iterator[Batch]":
        """Yield the same in batches of *most* events, to be folded one after the other."""
        for first in range(0, max(1, len(self.events)), most):
            events, missed = self.events[first : first + most], self.missed if not first else 0
            is_last = first + most >= len(self.events)
            at = self.at if is_last else events[-1].at
            yield Batch(events, missed, at, self.slots, self.waiters, has_looked=self.has_looked and is_last)


class Reader:
    """Reads what happens in one pool. Nothing here asks a connection."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._sequence = 0
        self._looked_at = float("-inf")

    @property
    def behind(self) -> int:
        """How many events were written since the last reading."""
        return self.pool.events.last - self._sequence

    def read(self, most: int | None = None) -> Batch:
        """Return what is new, its newest *most* events; what is before them counts as missed. For any one thread."""
        ring, sequence, skipped = self.pool.events, self._sequence, 0
        at = time.monotonic()
        if most is not None and (surplus := ring.last - sequence - most) > 0:
            sequence, skipped = sequence + surplus, surplus
        events, missed = ring.since(sequence)
        missed += skipped
        self._sequence = events[-1].sequence if events else sequence + missed
        if not missed and at - self._looked_at < _LOOK:
            return Batch(events, missed, at)
        self._looked_at = at
        return Batch(events, missed, at, self.pool.slots(), self.pool.waiters(), has_looked=True)


def take(timeline: Timeline, batch: Batch) -> None:
    """Fold what a reader found into *timeline*."""
    timeline.set_clock(batch.at, time.time() - (time.monotonic() - batch.at))
    timeline.fold(batch.events, batch.missed, until=batch.at, slots=batch.slots)
    if batch.has_looked:
        timeline.look(batch.slots, batch.waiters, batch.at)
