"""What the editor has to be told of its language: how to colour a line, and where statements lie."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

# A part of a line that is worth a colour: its role, where it starts and where it ends, in code points.
Part = tuple[str, int, int]

# Roles that are no code: nothing is completed, matched or indented there.
QUOTES = frozenset({"string", "comment", "quoted"})


def _no_parts(_line: str, state: str) -> tuple[Sequence[Part], str]:
    return (), state


def _same_state(_line: str, state: str) -> str:
    return state


def _no_statements(_text: str, _start: int) -> Iterator[tuple[int, int]]:
    return iter(())


@dataclass(frozen=True, slots=True)
class Language:
    """A language as the functions that read it. A state says what is open between two lines, "" that nothing is."""

    styled: Callable[[str, str], tuple[Sequence[Part], str]] = (
        _no_parts  # (line, state) to its parts and the next state
    )
    next_state: Callable[[str, str], str] = _same_state  # (line, state) to the next state, sooner
    # (text, start) to the statements from start on, where none is under way: each its start and the offset behind it.
    statements: Callable[[str, int], Iterator[tuple[int, int]]] = _no_statements
    comment: str = "--"  # what makes the rest of a line a comment
