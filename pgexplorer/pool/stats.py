"""Counters of a pool, and log-bucket histograms of its waiting, holding and connecting times."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

_BUCKETS_PER_DOUBLING = 8  # neighbouring buckets differ by 9 %
_SMALLEST = 1e-7  # seconds; shorter times fall into the first bucket
_BUCKETS = _BUCKETS_PER_DOUBLING * 40  # up to 30 hours
_EDGES = [_SMALLEST * 2 ** (number / _BUCKETS_PER_DOUBLING) for number in range(1, _BUCKETS)]  # above it: the next one


class Histogram:
    """Times in seconds, counted in buckets 9 % wide: constant memory, percentiles within 5 %.

    Not locked: the pool that owns it writes under its own lock.
    """

    __slots__ = ("_counts", "count", "longest", "total")

    def __init__(self) -> None:
        self._counts = [0] * _BUCKETS
        self.count = 0
        self.total = 0.0
        self.longest = 0.0

    def record(self, seconds: float) -> None:
        """Count one time."""
        self._counts[bisect_right(_EDGES, seconds)] += 1
        self.count += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def record_all(self, times: list[float]) -> None:
        """Count many times and empty the list: each costs a tenth of what it costs alone."""
        if not times:
            return
        times.sort()
        place, count = 0, len(times)
        while place < count:
            bucket = bisect_right(_EDGES, times[place])
            after = bisect_left(times, _EDGES[bucket], place) if bucket < len(_EDGES) else count
            self._counts[bucket] += after - place
            place = after
        self.count += count
        self.total += sum(times)
        self.longest = max(self.longest, times[-1])
        times.clear()

    def record_zeros(self, count: int) -> None:
        """Count *count* times of no length."""
        self._counts[0] += count
        self.count += count

    def copy(self) -> "Histogram":
        """Return it as it is now."""
        copied = Histogram()
        copied._counts = self._counts.copy()
        copied.count, copied.total, copied.longest = self.count, self.total, self.longest
        return copied

    def buckets(self) -> list[tuple[float, int]]:
        """Return (upper edge in seconds, count) from the first bucket that holds something to the last."""
        filled = [index for index, count in enumerate(self._counts) if count]
        if not filled:
            return []
        first, last = filled[0], filled[-1]
        return [
            (_SMALLEST * 2 ** ((index + 1) / _BUCKETS_PER_DOUBLING), self._counts[index])
            for index in range(first, last + 1)
        ]

    def percentile(self, percent: float) -> float:
        """Return the seconds that *percent* of 100 recorded times do not exceed; 0 when there are none."""
        wanted = self.count * percent / 100
        seen = 0
        for index, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                middle = _SMALLEST * 2 ** ((index + 0.5) / _BUCKETS_PER_DOUBLING)
                return min(middle, self.longest)
        return self.longest


@dataclass(frozen=True, slots=True)
class Histograms:
    """How long it took to get a connection, how long it was held, and how long connecting took."""

    wait: Histogram
    hold: Histogram
    connect: Histogram


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool's counts at one moment. Names as in the field: idle, used, waiting."""

    minconn: int
    maxconn: int
    idle: int
    used: int
    opening: int = 0
    returning: int = 0
    waiting: int = 0
    served: int = 0  # check-outs that got a connection
    exhausted: int = 0  # check-outs refused because all were out
    opened: int = 0
    closed: int = 0
    failed: int = 0  # connects and returns that raised
    wait_median: float = 0.0  # seconds from asking to getting
    wait_longest: float = 0.0
    hold_median: float = 0.0  # seconds from getting to giving back
    connect_median: float = 0.0
    timed_out: int = 0  # check-outs that waited in vain
    too_many: int = 0  # check-outs refused because too many waited
    lost: int = 0  # connections that died or were dropped while out or idle
    is_closed: bool = False

    @property
    def size(self) -> int:
        """Connections that exist or are being opened."""
        return self.idle + self.used + self.opening + self.returning


@dataclass(slots=True)
class Counters:
    """The running totals behind PoolStats. Written under the pool's own lock."""

    served: int = 0
    exhausted: int = 0
    opened: int = 0
    closed: int = 0
    failed: int = 0
    wait: Histogram = field(default_factory=Histogram)
    hold: Histogram = field(default_factory=Histogram)
    connect: Histogram = field(default_factory=Histogram)
