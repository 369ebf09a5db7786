"""A block of the clipboard as changes of a table: what each of its values would become, and what is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pgexplorer.db.table.changes import Slot
from pgexplorer.db.table.editable import Editable, Field
from pgexplorer.models.pending import Added, Edited, State
from pgexplorer.models.table_model import Targets
from pgexplorer.ui.widgets.grid_paste import Block

_TEXTS = {"text", "character varying", "character", "name", "citext"}
GOING = "The row is to be deleted: undo that first."


@dataclass(frozen=True, slots=True)
class _Target:
    """A column that values are pasted into."""

    column: int
    why_no_update: str
    why_no_insert: str
    empty: str | None  # what an empty cell means
    is_boolean: bool


@dataclass(slots=True)
class Pasted:
    """What a block would change."""

    states: list[tuple[Slot, State | None]] = field(default_factory=list[tuple[Slot, State | None]])
    added: int = 0  # how many of them are new rows
    cells: int = 0
    left_out: dict[str, None] = field(default_factory=dict[str, None])  # why values were

    @property
    def words(self) -> str:
        """What became of it, in one line."""
        words = [f"{self.cells:,} cell{'' if self.cells == 1 else 's'} pasted"]
        if count := self.added:
            words.append(f"{count:,} row{'' if count == 1 else 's'} ran past the end and would be new")
        return ": ".join(words) + "."


def pasted(
    block: Block, rows: Targets, editable: Editable, columns: Sequence[int], new_numbers: Sequence[int] = ()
) -> Pasted:
    """Return what *block* changes in *columns* of *rows*, from the first of each on.

    Rows past their end would be new, and get the *new_numbers*. Takes some milliseconds for 10,000 cells: what is
    known of a column is looked up once. For any thread.
    """
    targets = [_target(editable.fields[column], column, editable) for column in columns]
    known, numbers, found = iter(rows), iter(new_numbers), Pasted()
    for values in block:
        slot, state = next(known, (None, None))
        if isinstance(state, Edited) and state.is_deleted:
            found.left_out[GOING] = None
            continue
        given: dict[int, str | None] = {}
        is_insert = not isinstance(state, Edited)
        for target, value in zip(targets, values, strict=False):
            if why := target.why_no_insert if is_insert else target.why_no_update:
                found.left_out[why] = None
            elif target.is_boolean and value in {"true", "false"}:
                given[target.column] = value[0]
            else:
                given[target.column] = value or target.empty
        found.cells += len(given)
        if state is None:
            found.states.append((next(numbers), Added(given)))
            found.added += 1
        elif given and slot is not None:
            found.states.append((slot, state.with_values(given)))
    if beyond := sum(max(0, len(values) - len(columns)) for values in block):
        found.left_out[f"{beyond:,} values stood to the right of the last column and were left out."] = None
    return found


def _target(known: Field, column: int, editable: Editable) -> _Target:
    is_text = known.type_name.partition("(")[0] in _TEXTS
    return _Target(
        column,
        editable.why_no_update or known.why_not(inserting=False),
        known.why_not(inserting=True),
        "" if is_text and known.not_null else None,
        known.type_name == "boolean",
    )
