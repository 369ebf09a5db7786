"""Time on an axis and in words: the steps of its ticks, how long ago, how long."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_LONG_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)


def tick_step(least: float) -> float:
    """Return the shortest sensible step between two ticks that is no shorter than *least* seconds."""
    if least > _LONG_STEPS[-1]:
        return _LONG_STEPS[-1] * math.ceil(least / _LONG_STEPS[-1])
    if least > 0.5:
        return float(next(step for step in _LONG_STEPS if step >= least))
    decade = 10.0 ** math.floor(math.log10(least))
    return next(decade * factor for factor in (1, 2, 5, 10) if decade * factor >= least * 0.999_999)


def ago(seconds: float, step: float) -> str:
    """Return how long ago *seconds* are, to the unit of *step*: "-15s", "-2m30s", "-250ms"."""
    if seconds < step / 2:
        return "now"
    if step < 1:
        size, unit = next((size, unit) for size, unit in _UNITS if step >= size * 0.999)
        while seconds / size >= 10_000:
            size, unit = next((s, u) for s, u in reversed(_UNITS) if s > size)
        return f"-{seconds / size:.10g}{unit}" if size >= 1 else f"-{round(seconds / size)}{unit}"
    text, rest = "", round(seconds)
    for size, unit in _UNITS[:4]:
        count, rest = divmod(rest, int(size))
        if count:
            text += f"{count}{unit}"
    return f"-{text}"


def duration(seconds: float) -> str:
    """Return a duration in words of three figures: "2.28 s", "14 min 5 s", "31 µs"."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def clock(of_day: float, form: str) -> str:
    """Return the time of day *of_day*, seconds since 1970, in the *form* of strftime."""
    return datetime.fromtimestamp(of_day, UTC).astimezone().strftime(form)


def tick_names(left: float, step: float) -> tuple[float, str, Callable[[float], str]]:
    """Return for ticks of *step* seconds the time of day from which they count, that in words, and how to name them."""
    if step >= 1:
        midnight = datetime.fromtimestamp(left, UTC).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        base = midnight.timestamp()
        form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%d %b"
        return base, clock(left, "%d %b"), lambda seconds: clock(base + seconds + 1e-6, form)
    if step >= 1e-3:
        base = math.floor(left)
        return base, clock(base, "%H:%M:%S"), lambda seconds: f"+{round(seconds * 1e3):,} ms"
    base = math.floor(left * 1e3) / 1e3
    name = clock(base + 1e-5, "%H:%M:%S.%f")[:-3]
    return base, name, lambda seconds: f"+{round(seconds * 1e6):,} µs"
