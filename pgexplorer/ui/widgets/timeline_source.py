"""What a timeline is drawn from: lanes, spans, waits and marks, as protocols, and the states that it tells apart."""
# ruff: noqa: D102  (the members of the protocols are what their names say)

from collections.abc import Sequence
from typing import Protocol

HELD, RUNNING, OPENING = "checked out", "running", "opening"
IN_TRANSACTION, FAILED, BROKEN = "idle in transaction", "idle in failed transaction", "broken"


class LaneLike(Protocol):
    """A lane as it is now."""

    @property
    def number(self) -> int: ...
    @property
    def pid(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def holder(self) -> str: ...


class SpanLike(Protocol):
    """A stretch of a lane."""

    @property
    def lane(self) -> int: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def state(self) -> str: ...
    @property
    def holder(self) -> str: ...
    @property
    def thread(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def detail(self) -> str: ...
    @property
    def is_open(self) -> bool: ...


class WaitLike(Protocol):
    """Somebody who waits or waited."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def holder(self) -> str: ...
    @property
    def thread(self) -> str: ...
    @property
    def ending(self) -> str: ...  # "" while it goes on
    @property
    def lane(self) -> int: ...  # that served it, 0: none
    @property
    def served_at(self) -> float: ...
    @property
    def row(self) -> int: ...


class MarkLike(Protocol):
    """Something that happened at one moment, or several times from *at* until *until*."""

    @property
    def at(self) -> float: ...
    @property
    def until(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def lane(self) -> int: ...  # 0: none
    @property
    def pid(self) -> int: ...
    @property
    def holder(self) -> str: ...
    @property
    def thread(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def took(self) -> float: ...
    @property
    def times(self) -> int: ...


class SharesLike(Protocol):
    """Seconds of a lane by columns."""

    @property
    def held(self) -> list[float]: ...
    @property
    def running(self) -> list[float]: ...
    @property
    def in_transaction(self) -> list[float]: ...
    @property
    def failed(self) -> list[float]: ...


class TimelineSource(Protocol):
    """What is painted. Times are seconds on the view's clock; *now* is where what goes on ends."""

    @property
    def begin(self) -> float:
        """The moment of the first thing known; 0: nothing is."""
        ...

    @property
    def missed(self) -> int:
        """How many events are missing."""
        ...

    @property
    def waiting(self) -> int:
        """How many wait now."""
        ...

    @property
    def has_waits(self) -> bool:
        """Whether anybody ever waited."""
        ...

    def lanes(self) -> Sequence[LaneLike]:
        """Return every lane, in order."""
        ...

    def spans(self, lane: int, start: float, end: float, now: float) -> Sequence[SpanLike]:
        """Return the spans that reach into this time, each hold before what was done in it."""
        ...

    def count(self, lane: int, start: float, end: float) -> int:
        """Return how many spans there are."""
        ...

    def kept_since(self, lane: int) -> float:
        """Return the moment after which spans are known one by one."""
        ...

    def settled(self, lane: int) -> float:
        """Return the moment before which nothing changes any more."""
        ...

    def shares(self, lane: int, start: float, width: float, count: int, now: float) -> SharesLike:
        """Return the seconds in each of *count* columns of *width* seconds."""
        ...

    def missing(self, start: float, width: float, count: int) -> list[float]:
        """Return the seconds in each column of which nothing is known."""
        ...

    def gaps(self, start: float, end: float) -> Sequence[tuple[float, float, int]]:
        """Return (start, end, how many events) of what is missing."""
        ...

    def marks(self, start: float, end: float) -> Sequence[MarkLike]:
        """Return the marks, in order."""
        ...

    def waits(self, start: float, end: float, now: float) -> Sequence[WaitLike]:
        """Return who waited."""
        ...

    def wait_count(self, start: float, end: float) -> int:
        """Return a bound of how many waits() returns."""
        ...

    def waited(self, start: float, width: float, count: int, now: float) -> list[float]:
        """Return the seconds waited in each column, by all together."""
        ...

    def wall(self, at: float) -> float:
        """Return the time of day, in seconds since 1970."""
        ...
