"""One connection of a pool: its state, its holder and since when; the snapshot the screen draws."""

import time
from dataclasses import dataclass
from enum import StrEnum


class SlotState(StrEnum):
    """What a pooled connection is doing, in the words of the screen."""

    OPENING = "opening"
    IDLE = "idle"
    CHECKED_OUT = "checked out"
    RUNNING = "running"
    IN_TRANSACTION = "idle in transaction"
    FAILED_TRANSACTION = "idle in failed transaction"
    RETURNING = "returning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Slot:
    """A connection as the pool saw it at one moment: plain values, no connection."""

    number: int  # 1 upwards; the lowest free number is taken again
    state: SlotState
    pid: int  # the server's backend
    holder: str = ""  # who has it, empty when idle
    thread: str = ""
    held_since: float = 0.0  # seconds on time.monotonic's clock, 0 when idle
    state_since: float = 0.0
    uses: int = 0
    sql: str = ""  # what it runs, or ran last
    leaked: bool = False  # out, and nobody has a reference any more
    opened_at: float = 0.0  # seconds on time.monotonic's clock
    stack: tuple[str, ...] = ()  # of the caller who has it, innermost first

    @property
    def is_out(self) -> bool:
        """Whether somebody has it."""
        return self.state not in {SlotState.IDLE, SlotState.OPENING}

    def held_for(self, now: float | None = None) -> float:
        """Return how long it has been out, in seconds; 0 when idle."""
        if not self.held_since:
            return 0.0
        return (time.monotonic() if now is None else now) - self.held_since


@dataclass(frozen=True, slots=True)
class Waiter:
    """Somebody who waits for a connection, as the pool saw it at one moment."""

    place: int  # 1 is served next
    holder: str
    thread: str
    since: float  # seconds on time.monotonic's clock
    deadline: float
    waits_for: str  # who holds the connection that is likely to come back for this one
    holds: tuple[int, ...] = ()  # slots that the same thread has out: it may be waiting for itself
    stack: tuple[str, ...] = ()  # the caller's, innermost first
