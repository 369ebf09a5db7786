"""What the lab tells: plain values, without any connection, that a panel draws and a terminal prints."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effect:
    """What a fault did, and what to look at now."""

    said: str
    look: str = ""
    worked: bool = True  # whether there was something to do it to


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence on what a scenario does now."""

    text: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a scenario is, from 0 to 1, and its counts so far in words."""

    done: float
    text: str


@dataclass(frozen=True, slots=True)
class Bars:
    """What was measured as a bar chart: label, value, and the value in words."""

    title: str
    bars: tuple[tuple[str, float, str], ...]


@dataclass(frozen=True, slots=True)
class Concluded:
    """The one sentence at a scenario's end, made of what was measured."""

    sentence: str


News = Said | Progressed | Bars | Concluded
