"""What a row tells beside its values: that it is changed, new, going, sent, or what the server would not take of it."""

from collections.abc import Collection
from dataclasses import dataclass

from pgexplorer.db.table.changes import Slot


@dataclass(frozen=True, slots=True)
class RowMark:
    """What is told of one row; the grid asks for these names."""

    sign: str  # "changed", "inserted", "deleted" or "sent"
    columns: frozenset[int]  # whose values are pending
    quiet: frozenset[int]  # whose text says what the server will do, and is no value
    bad: frozenset[int]  # which the server would not take
    words: str = ""  # why


class Troubles:
    """Rows that the server would not take, with its words, until they are changed or sent again."""

    def __init__(self) -> None:
        self._found: dict[Slot, tuple[frozenset[int], str]] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._found)

    def add(self, slot: Slot, columns: Collection[int], words: str) -> None:
        """Take notice of one."""
        self._found[slot] = frozenset(columns), words

    def get(self, slot: Slot) -> tuple[frozenset[int], str]:
        """Return the columns and the words; none and "" for a row without trouble."""
        return self._found.get(slot, (frozenset(), ""))

    def forget(self, slot: Slot) -> None:
        """Let one go."""
        self._found.pop(slot, None)

    def clear(self) -> None:
        """Let all go."""
        self._found.clear()
