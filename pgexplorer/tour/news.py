"""What a step of the tour tells: plain values, without any connection, that a panel draws and a terminal prints."""

from dataclasses import dataclass

from pgexplorer.pool.by_hand import Outcome
from pgexplorer.pool.errors import Explanation


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence or two."""

    text: str
    took: float = 0.0  # seconds, 0 where nothing was done


@dataclass(frozen=True, slots=True)
class Ran:
    """An action on the pool that worked. Rows that it read follow as `Rows`."""

    outcome: Outcome
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Rows:
    """A small table."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    title: str = ""
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Refused:
    """An action that raised, in words."""

    explanation: Explanation
    outcome: Outcome | None = None  # None where there was no pool to look into
    meant: bool = False  # the step is about this refusal; otherwise it is in the step's way
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart: label, value, and the value as text."""

    title: str
    bars: tuple[tuple[str, float, str], ...]
    took: float = 0.0


News = Said | Ran | Rows | Refused | Bars
