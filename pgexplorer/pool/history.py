"""What ran on one of a pool's connections: its statements, from the events that the ring still has."""

from collections.abc import Iterable
from dataclasses import dataclass

from pgexplorer.pool.events import Event, EventKind

_ENDS = {
    EventKind.DONE: "done",
    EventKind.DONE_IN_TRANSACTION: "transaction open",
    EventKind.DONE_FAILED: "transaction failed",
    EventKind.LOST: "connection lost",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """One statement that ended."""

    began: float  # seconds on time.monotonic's clock
    took: float  # seconds
    sql: str  # the first 200 characters
    left: str  # what it left behind, in words
    holder: str


def ran_on(events: Iterable[Event], pid: int) -> list[Ran]:
    """Return the statements that ended on the backend *pid*, oldest first."""
    return [
        Ran(event.at - event.took, event.took, event.detail, _ENDS[event.kind], event.holder)
        for event in events
        if event.pid == pid and event.kind in _ENDS and (event.took or event.kind is not EventKind.LOST)
    ]
