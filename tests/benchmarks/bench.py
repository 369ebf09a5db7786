"""What the benchmarks share: a demo server of their own, contenders that take turns, and tables with their spread."""

import contextlib
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Spread:
    """The middle of several measurements, and where eight in ten of them lie."""

    median: float
    low: float
    high: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Summarise *values*, of which there is one at least."""
        return cls(statistics.median(values), percentile(values, 10), percentile(values, 90), len(values))

    def text(self, scale: float = 1.0, digits: int = 2) -> tuple[str, str]:
        """Return the median and "p10 to p90", each times *scale*."""
        median, low, high = (f"{value * scale:,.{digits}f}" for value in (self.median, self.low, self.high))
        return median, f"{low} to {high}"


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that *percent* of 100 do not exceed: one of those measured, none in between."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(len(ordered) * percent / 100 + 0.5) - 1))]


def in_turns(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Run every contender once in each round and return what each measured, round by round.

    Each round begins with another contender, so that none always follows the same one.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            found[name].append(contenders[name]())
    return found


def ratios(above: Sequence[float], below: Sequence[float]) -> Spread:
    """Summarise the ratio of two contenders, taken within each round: a busy machine counts against both."""
    return Spread.of([one / other for one, other in zip(above, below, strict=True)])


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that *work* takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextlib.contextmanager
def own_home() -> Iterator[str]:
    """Keep the benchmark out of the real state folder, and every demo server's files out of the machine."""
    from pgexplorer.demo import place

    before = os.environ.get("PGEXPLORER_HOME")
    folder = os.environ["PGEXPLORER_HOME"] = tempfile.mkdtemp(prefix="pgexplorer-bench-")
    try:
        yield folder
    finally:
        found = place.find()
        for each in (found.base, found.sockets, folder):
            shutil.rmtree(each, ignore_errors=True)
        os.environ.pop("PGEXPLORER_HOME")
        if before is not None:
            os.environ["PGEXPLORER_HOME"] = before


def title(text: str) -> None:
    """Print what is measured, and on what."""
    parts = [f"Python {platform.python_version()}", f"{os.cpu_count()} cores", f"{platform.system()}"]
    parts += [f"{name} {version(name)}" for name in ("psycopg2-binary", "PySide6-Essentials")]
    with contextlib.suppress(OSError):
        parts.append(f"load {os.getloadavg()[0]:.1f} at the start")
    print(f"\n## {text}\n\n{' · '.join(parts)}\n", flush=True)


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table, its columns aligned: the first to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(3, *(len(row[column]) for row in [list(head), *cells])) for column in range(len(head))]
    lines = [
        [name.ljust(widths[0]) if not column else name.rjust(widths[column]) for column, name in enumerate(row)]
        for row in [list(head), *cells]
    ]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for line in [lines[0], rule, *lines[1:]]:
        print(f"| {' | '.join(line)} |")
    print(flush=True)


def note(text: str) -> None:
    """Print a remark under a table."""
    print(f"{text}\n", flush=True)
