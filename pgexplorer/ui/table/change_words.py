"""Changes of rows in words: which row it is, and what it becomes."""

from collections.abc import Iterable, Sequence

from pgexplorer.db.table.changes import Change, Delete, Insert, Values
from pgexplorer.ui.widgets import plain

_LETTERS = 60  # of a value


def new_of(change: Change) -> Values:
    """Return the columns that get values, and the values."""
    return () if isinstance(change, Delete) else change.new


def row_words(change: Change) -> str:
    """Return which row it is: "Row 7"."""
    if isinstance(change, Insert):
        return "The new row" if len(change.new) == 0 else f"The new row ({short(change.new[0][1])}, …)"
    return f"Row {', '.join(short(each) for each in change.slot)}"


def in_words(changes: Iterable[Change], names: Sequence[str]) -> list[str]:
    """Return each change in one line."""
    found: list[str] = []
    for change in changes:
        given = ", ".join(f"{names[at]} = {short(value)}" for at, value in new_of(change))
        if isinstance(change, Insert):
            found.append(f"inserts a row: {given or 'defaults alone'}")
        else:
            key = ", ".join(short(each) for each in change.slot)
            found.append(f"deletes the row {key}" if isinstance(change, Delete) else f"changes the row {key}: {given}")
    return found


def short(value: str | None) -> str:
    """Return a value in one line."""
    return "NULL" if value is None else plain.one_line(value, _LETTERS) or "''"
