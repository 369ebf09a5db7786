"""What was changed in a table and not sent: rows with other values, new rows, rows that go; and the way back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pgexplorer.db.rows import Clipped
from pgexplorer.db.table.changes import Change, Delete, Insert, Slot, Update
from pgexplorer.db.table.pages import Place
from pgexplorer.db.values import Row

Cells = Mapping[int, str | None]  # columns by their number


@dataclass(frozen=True, slots=True)
class Edited:
    """A row of the table with what it is to become."""

    place: Place
    old: Row
    new: Cells = field(default_factory=dict[int, "str | None"])
    is_deleted: bool = False

    def with_values(self, values: Cells) -> "Edited | None":
        """Return it with other values; None where nothing of it is changed any more."""
        new = dict(self.new)
        for column, value in values.items():
            old = self.old[column]
            if type(value) is not type(old) or value != old or isinstance(old, Clipped):
                new[column] = value
            else:
                new.pop(column, None)
        return replace(self, new=new) if new or self.is_deleted else None


@dataclass(frozen=True, slots=True)
class Added:
    """A new row. What it does not name gets its default."""

    new: Cells = field(default_factory=dict[int, "str | None"])

    def with_values(self, values: Cells) -> "Added":
        """Return it with other values."""
        return replace(self, new={**self.new, **values})


State = Edited | Added
Step = list[tuple[Slot, State | None, State | None]]  # what was, and what is


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is to be sent."""

    changed: int
    inserted: int
    deleted: int

    @property
    def words(self) -> str:
        """It in one line: "3 changed, 1 inserted, 2 deleted"."""
        pairs = (("changed", self.changed), ("inserted", self.inserted), ("deleted", self.deleted))
        return ", ".join(f"{count:,} {word}" for word, count in pairs if count)

    @property
    def short(self) -> str:
        """It by the signs that rows are marked with: "• 3  + 1  × 2"."""
        pairs = (("•", self.changed), ("+", self.inserted), ("×", self.deleted))
        return "  ".join(f"{sign} {count:,}" for sign, count in pairs if count)

    @property
    def total(self) -> int:
        """How many rows it is about."""
        return self.changed + self.inserted + self.deleted


class Pending:
    """Changes by the row that they are of, each step of them undone and done again. Takes no room for other rows."""

    def __init__(self) -> None:
        self._states: dict[Slot, State] = {}
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._numbers = 0
        self._counts = [0, 0, 0]  # changed, inserted, deleted: kept, for they are asked for after each letter
        self._touched: set[Slot] = set()

    def __bool__(self) -> bool:
        """Whether there is anything to be sent."""
        return bool(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def get(self, slot: Slot) -> State | None:
        """Return what is pending of a row."""
        return self._states.get(slot)

    def new_number(self) -> int:
        """Return a number that no new row has had."""
        return self.new_numbers(1)[0]

    def new_numbers(self, count: int) -> range:
        """Return numbers that no new rows have had."""
        self._numbers += count
        return range(self._numbers - count + 1, self._numbers + 1)

    def states(self) -> dict[Slot, State]:
        """Return what is pending now, for another thread: states never change, rows get others."""
        return dict(self._states)

    def take_touched(self) -> set[Slot]:
        """Return the rows that have become others since this was asked last."""
        touched, self._touched = self._touched, set()
        return touched

    def put(self, states: Iterable[tuple[Slot, State | None]], *, joins: bool = False) -> list[Slot]:
        """Take the new states of rows as one step, None for as it was read; return the rows that are others now.

        With *joins* they become a part of the last step: a large one is taken in pieces.
        """
        step = [(slot, before, state) for slot, state in states if (before := self._states.get(slot)) != state]
        if not step:
            return []
        if joins and self._done:
            self._done[-1] += step
        else:
            self._done.append(step)
        self._undone.clear()
        return self._take((slot, after) for slot, _, after in step)

    def undo(self) -> list[Slot]:
        """Take the last step back; return the rows that are others now."""
        if not self._done:
            return []
        step = self._done.pop()
        self._undone.append(step)
        return self._take((slot, before) for slot, before, _ in reversed(step))

    def redo(self) -> list[Slot]:
        """Do the step again that was taken back last; return the rows that are others now."""
        if not self._undone:
            return []
        step = self._undone.pop()
        self._done.append(step)
        return self._take((slot, after) for slot, _, after in step)

    def forget_undone(self) -> None:
        """Forget the step that was taken back last: it was never wholly done."""
        if self._undone:
            self._undone.pop()

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._undone)

    def clear(self) -> list[Slot]:
        """Forget everything, and how it came; return the rows that it was of."""
        slots = list(self._states)
        self._states.clear()
        self._done.clear()
        self._undone.clear()
        self._counts = [0, 0, 0]
        self._touched.clear()
        return slots

    def counts(self) -> Counts:
        """Return how much there is."""
        return Counts(*self._counts)

    def changes(self) -> list[Change]:
        """Return what is to be sent, in the order in which it was begun."""
        return list(changes_of(self._states))

    def _take(self, states: Iterable[tuple[Slot, State | None]]) -> list[Slot]:
        changed: list[Slot] = []
        for slot, state in states:
            self._touched.add(slot)
            changed.append(slot)
            if (before := self._states.get(slot)) is not None:
                self._counts[_kind(before)] -= 1
            if state is None:
                self._states.pop(slot, None)
            else:
                self._states[slot] = state
                self._counts[_kind(state)] += 1
        return changed


def changes_of(states: Mapping[Slot, State]) -> Iterator[Change]:
    """Yield what is to be sent for *states*, in their order."""
    for slot, state in states.items():
        if isinstance(state, Added):
            assert isinstance(slot, int)
            yield Insert(slot, tuple(sorted(state.new.items())))
        else:
            assert isinstance(slot, tuple)
            if state.is_deleted:
                yield Delete(slot, state.place, state.old)
            else:
                yield Update(slot, state.place, state.old, tuple(sorted(state.new.items())))


def _kind(state: State) -> int:
    """Return which of the counts a state is in."""
    return 1 if isinstance(state, Added) else 2 if state.is_deleted else 0
