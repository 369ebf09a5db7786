"""A block of the clipboard as changes of a table: what each of its values would become, and what is left out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pgexplorer.db.table.changes import Slot
from pgexplorer.db.table.editable import Editable, Field
from pgexplorer.models.pending import Added, Edited, State
from pgexplorer.models.table_model import TableModel
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
    added: list[Added] = field(default_factory=list[Added])
    cells: int = 0
    left_out: dict[str, None] = field(default_factory=dict[str, None])  # why values were
    is_whole: bool = True  # whether all its rows are here

    @property
    def words(self) -> str:
        """What became of it, in one line."""
        words = [f"{self.cells:,} cell{'' if self.cells == 1 else 's'} pasted"]
        if count := len(self.added):
            words.append(f"{count:,} row{'' if count == 1 else 's'} ran past the end and would be new")
        return ": ".join(words) + "."


def pasted(block: Block, model: TableModel, editable: Editable, start: int, columns: Sequence[int]) -> Pasted:
    """Return what *block* changes from the view's row *start* on in *columns*; rows past the end would be new.

    Takes some milliseconds for 10,000 cells: what is known of a column is looked up once.
    """
    targets = [_target(editable.fields[column], column, editable) for column in columns]
    count, found = model.rowCount(), Pasted()
    for row, values in enumerate(block, start):
        is_new = row >= count
        slot, state = (None, None) if is_new else (model.slot(row), model.state_to_edit(row))
        if not is_new and (slot is None or state is None):
            found.is_whole = False
            return found
        if isinstance(state, Edited) and state.is_deleted:
            found.left_out[GOING] = None
            continue
        given: dict[int, str | None] = {}
        is_insert = is_new or isinstance(state, Added)
        for target, value in zip(targets, values, strict=False):
            if why := target.why_no_insert if is_insert else target.why_no_update:
                found.left_out[why] = None
            elif target.is_boolean and value in {"true", "false"}:
                given[target.column] = value[0]
            else:
                given[target.column] = value or target.empty
        found.cells += len(given)
        if is_new:
            found.added.append(Added(given))
        elif given and slot is not None and state is not None:
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
