"""Times in words, the same everywhere."""


def duration(seconds: float) -> str:
    """Return *seconds* in the unit that reads best: "12 µs", "3.4 ms", "1.2 s", "2 min 05 s", "3 h 07 min"."""
    if seconds < 0.000_95:
        return f"{seconds * 1_000_000:.0f} µs" if seconds >= 1e-6 or not seconds else "< 1 µs"
    if seconds < 0.95:
        return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02} min"


def clock(seconds: float) -> str:
    """Return *seconds* as a clock that runs: "00:12.4", "1:02:03.4"."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:04.1f}" if hours else f"{minutes:02}:{rest:04.1f}"


def age(seconds: float) -> str:
    """Return *seconds* as an age that changes once a second at most: "now", "12 s", "3 min", "2 h"."""
    if seconds < 1:
        return "now"
    if seconds < 120:
        return f"{int(seconds)} s"
    return f"{int(seconds // 60)} min" if seconds < 7200 else f"{int(seconds // 3600):,} h"
