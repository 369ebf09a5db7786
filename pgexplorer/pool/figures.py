"""A pool's figures under OpenTelemetry's names, their rates over time, and who holds a connection for long.

Names, instruments, units and attributes are those of OpenTelemetry's semantic conventions for database client
connection pools, version 1.43.0, where they have the status "development". What the conventions do not name stands
under pgexplorer.pool.
"""

import json
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pgexplorer.pool.slot import Slot
from pgexplorer.pool.stats import Histogram, Histograms, PoolStats

CONVENTIONS = "1.43.0"
POOL_NAME, STATE = "db.client.connection.pool.name", "db.client.connection.state"
_SPEC, _OURS = "db.client.connection", "pgexplorer.pool"


class Instrument(StrEnum):
    """How a figure behaves over time."""

    COUNTER = "counter"  # only grows
    UP_DOWN = "updowncounter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Spread:
    """How times are spread, in seconds."""

    count: int
    total: float
    p50: float
    p90: float
    p99: float
    longest: float
    buckets: tuple[tuple[float, int], ...] = ()  # upper edge, count

    @classmethod
    def of(cls, histogram: Histogram) -> "Spread":
        """Read *histogram*."""
        p50, p90, p99 = (histogram.percentile(percent) for percent in (50, 90, 99))
        return cls(histogram.count, histogram.total, p50, p90, p99, histogram.longest, tuple(histogram.buckets()))


@dataclass(frozen=True, slots=True)
class Figure:
    """One number, or one spread of times, with the name by which monitoring knows it."""

    label: str  # on the screen: "waiting"
    name: str  # "db.client.connection.pending_requests"
    unit: str  # as the conventions write it: "{request}", "s"
    instrument: Instrument
    value: int | Spread
    means: str  # in a sentence
    state: str = ""  # "idle" or "used": the value of the attribute db.client.connection.state

    @property
    def full_name(self) -> str:
        """The name with its state, where it has one: "db.client.connection.count{state=idle}"."""
        return f"{self.name}{{state={self.state}}}" if self.state else self.name


def read(stats: PoolStats, histograms: Histograms, *, most_idle: int, least_open: int) -> tuple[Figure, ...]:
    """Return a pool's figures in the order in which they are shown.

    *most_idle* is how many may stay open idle; *least_open* below which number none is closed for being idle.
    """
    used = stats.used + stats.returning
    idle_max = "As many may stay open idle: what comes home beyond that is closed."
    idle_min = "Idle connections are closed down to this number of open ones, no further."
    refused = stats.exhausted + stats.too_many
    return (
        _now("idle", "count", stats.idle, "Connections that are open and wait for a user.", "idle"),
        _now("in use", "count", used, "Connections that are out, or on their way back.", "used"),
        _now("waiting", "pending_requests", stats.waiting, "Callers that wait for a connection.", unit="{request}"),
        _now("maximum", "max", stats.maxconn, "As many may be open."),
        _now("most idle", "idle.max", most_idle, idle_max),
        _now("least idle", "idle.min", least_open, idle_min),
        _sum("served", f"{_OURS}.check_outs", "{request}", stats.served, "Check-outs that got a connection."),
        _sum("refused", f"{_OURS}.refusals", "{request}", refused, "Check-outs refused at once."),
        _sum("timed out", f"{_SPEC}.timeouts", "{timeout}", stats.timed_out, "Check-outs that waited in vain."),
        _sum("opened", f"{_OURS}.opened", "{connection}", stats.opened, "Connections opened so far."),
        _sum("closed", f"{_OURS}.closed", "{connection}", stats.closed, "Connections closed so far."),
        _sum("lost", f"{_OURS}.lost", "{connection}", stats.lost, "Connections that died or were dropped, as counted."),
        _sum("failed", f"{_OURS}.failures", "{request}", stats.failed, "Connects and returns that raised."),
        _times("wait", "wait_time", histograms.wait, "From asking for a connection to having it."),
        _times("hold", "use_time", histograms.hold, "From having a connection to giving it back."),
        _times("connect", "create_time", histograms.connect, "Opening a new connection."),
    )


def _now(label: str, name: str, value: int, means: str, state: str = "", unit: str = "{connection}") -> Figure:
    return Figure(label, f"{_SPEC}.{name}", unit, Instrument.UP_DOWN, value, means, state)


def _sum(label: str, name: str, unit: str, value: int, means: str) -> Figure:
    return Figure(label, name, unit, Instrument.COUNTER, value, means)


def _times(label: str, name: str, histogram: Histogram, means: str) -> Figure:
    return Figure(label, f"{_SPEC}.{name}", "s", Instrument.HISTOGRAM, Spread.of(histogram), means)


def as_text(figures: Iterable[Figure]) -> str:
    """Return a line a figure: its name, its value, its unit."""
    lines: list[tuple[str, str]] = []
    for figure in figures:
        value = figure.value
        if isinstance(value, Spread):
            parts = (("p50", value.p50), ("p90", value.p90), ("p99", value.p99), ("max", value.longest))
            said = "  ".join([f"count={value.count}", *(f"{name}={seconds:.6f}" for name, seconds in parts)])
            lines.append((figure.full_name, f"{said}  {figure.unit}"))
        else:
            lines.append((figure.full_name, f"{value}  {figure.unit}"))
    width = max((len(name) for name, _ in lines), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines)


def as_json(figures: Iterable[Figure], *, pool: str, kind: str, taken_at: str) -> str:
    """Return the figures as JSON, one metric a name with a point for each of its states.

    *pool* names the pool and *kind* its class; *taken_at* is a moment in ISO 8601.
    """
    metrics: dict[str, dict[str, object]] = {}
    points: dict[str, list[dict[str, object]]] = {}
    for figure in figures:
        if figure.name not in metrics:
            points[figure.name] = []
            metrics[figure.name] = {
                "name": figure.name,
                "unit": figure.unit,
                "instrument": str(figure.instrument),
                "points": points[figure.name],
            }
        point: dict[str, object] = {"attributes": {STATE: figure.state}} if figure.state else {}
        value = figure.value
        if isinstance(value, Spread):
            point |= {"count": value.count, "sum": value.total, "max": value.longest}
            point |= {"p50": value.p50, "p90": value.p90, "p99": value.p99}
            point["buckets"] = [{"le": edge, "count": count} for edge, count in value.buckets if count]
        else:
            point["value"] = value
        points[figure.name].append(point)
    whole = {
        "schema": f"OpenTelemetry semantic conventions {CONVENTIONS}",
        "taken_at": taken_at,
        "attributes": {POOL_NAME: pool, f"{_OURS}.class": kind},
        "metrics": list(metrics.values()),
    }
    return json.dumps(whole, indent=2)


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something happened between two looks."""

    begin: float  # seconds on time.monotonic's clock
    end: float
    per_second: float


RATES = ("check-outs", "refusals", "timeouts", "connects")
_Sample = tuple[float, int, int, int, int]


class Series:
    """The counters of the last *seconds*, a sample a second: constant memory however long it runs.

    Where nobody looked for a while the rate of that time is its mean: no event is left out of the sum.
    """

    def __init__(self, seconds: int = 600) -> None:
        self.seconds = seconds
        self._samples: deque[_Sample] = deque(maxlen=seconds + 1)

    def add(self, stats: PoolStats, at: float) -> None:
        """Take a sample at *at*, seconds on time.monotonic's clock; one a second is kept."""
        if self._samples and at - self._samples[-1][0] < 0.95:  # a timer is a little early at times
            return
        refused = stats.exhausted + stats.too_many
        self._samples.append((at, stats.served, refused, stats.timed_out, stats.opened))
        while len(self._samples) > 2 and self._samples[1][0] <= at - self.seconds:
            self._samples.popleft()

    def clear(self) -> None:
        """Forget everything: another pool has taken the place of this one."""
        self._samples.clear()

    def __len__(self) -> int:
        return len(self._samples)

    def rates(self, name: str) -> list[Rate]:
        """Return how often *name* of RATES happened, oldest first."""
        column = RATES.index(name) + 1
        found: list[Rate] = []
        before: _Sample | None = None
        for sample in self._samples:
            if before is not None:
                per_second = (sample[column] - before[column]) / (sample[0] - before[0])
                found.append(Rate(before[0], sample[0], per_second))
            before = sample
        return found


def long_held(slots: Iterable[Slot], seconds: float, now: float) -> list[Slot]:
    """Return the slots that have been out for longer than *seconds* at *now*, those held longest first."""
    held = [slot for slot in slots if slot.is_out and slot.held_since and slot.held_for(now) > seconds]
    return sorted(held, key=lambda slot: slot.held_since)
