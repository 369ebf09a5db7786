"""A block of the clipboard as changes of a table: what each of its values would become, and what is left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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


class Pasted:
    """What a block changes, row by row while it is asked for: what became of it is known after the last."""

    def __init__(
        self,
        block: Block,
        rows: Targets,
        editable: Editable,
        columns: Sequence[int],
        new_numbers: Sequence[int] = (),
    ) -> None:
        """Change *columns* of *rows*, from the first of each on. Rows past their end get the *new_numbers*."""
        self.added = 0  # rows that would be new
        self.cells = 0
        self.left_out: dict[str, None] = {}  # why values were
        self._block = block
        self._rows = rows
        self._targets = [_target(editable.fields[column], column, editable) for column in columns]
        self._numbers = new_numbers

    @property
    def words(self) -> str:
        """What became of it, in one line."""
        words = [f"{self.cells:,} cell{'' if self.cells == 1 else 's'} pasted"]
        if count := self.added:
            words.append(f"{count:,} row{'' if count == 1 else 's'} ran past the end and would be new")
        return ": ".join(words) + "."

    def states(self) -> Iterator[tuple[Slot, State | None]]:
        """Yield the new state of each row: some microseconds each, what is known of a column being looked up once."""
        known, numbers = iter(self._rows), iter(self._numbers)
        targets, beyond = self._targets, 0
        for values in self._block:
            slot, state = next(known, (None, None))
            if isinstance(state, Edited) and state.is_deleted:
                self.left_out[GOING] = None
                continue
            given: dict[int, str | None] = {}
            is_insert = not isinstance(state, Edited)
            for target, value in zip(targets, values, strict=False):
                if why := target.why_no_insert if is_insert else target.why_no_update:
                    self.left_out[why] = None
                elif target.is_boolean and value in {"true", "false"}:
                    given[target.column] = value[0]
                else:
                    given[target.column] = value or target.empty
            self.cells += len(given)
            beyond += max(0, len(values) - len(targets))
            if state is None:
                self.added += 1
                yield next(numbers), Added(given)
            elif given and slot is not None:
                yield slot, state.with_values(given)
        if beyond:
            self.left_out[f"{beyond:,} values stood to the right of the last column and were left out."] = None


def _target(known: Field, column: int, editable: Editable) -> _Target:
    is_text = known.type_name.partition("(")[0] in _TEXTS
    return _Target(
        column,
        editable.why_no_update or known.why_not(inserting=False),
        known.why_not(inserting=True),
        "" if is_text and known.not_null else None,
        known.type_name == "boolean",
    )
