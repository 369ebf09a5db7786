"""Changing the rows of a table in its grid: every wish becomes a pending change, and nothing is sent from here."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from pgexplorer.db.rows import Clipped
from pgexplorer.db.table.changes import Default, Slot, check_value
from pgexplorer.db.table.editable import Editable, Field
from pgexplorer.jobs import Jobs
from pgexplorer.models.pending import Added, Counts, Edited, State
from pgexplorer.models.table_model import TableModel
from pgexplorer.ui.table.grid import TableGrid
from pgexplorer.ui.table.paster import Paster
from pgexplorer.ui.table.pasting import GOING, Pasted
from pgexplorer.ui.table.reader import TableReader
from pgexplorer.ui.widgets.grid_copy import Area
from pgexplorer.ui.widgets.grid_paste import Block, block_of
from pgexplorer.ui.widgets.message_bar import MessageBar

_MOST_CELLS = 100_000  # that are changed in one step
_AT_ONCE = 10_000  # characters of a block that is pasted in one turn
_FEW = 1_000  # rows that become pending in one turn
_Index = QModelIndex | QPersistentModelIndex
_SENDING = "The changes are being sent."
_OPENING = "The table is being read again: wait until its rows are here."
_PASTING = "A block is being pasted: wait, or press Esc to take it back."
_NOT_HERE = "The row is not here yet: wait until it is read."
_PASSED = "Its rows were read in one pass, without their places: clear the order to change them."
_PLACELESS = "It has no key by which a row could be found again in its partitions or children: change it there."


class TableEditing(QObject):
    """What a person does to the rows in *grid*. The changes are in the model; `changed` says that there are others."""

    changed = Signal()

    def __init__(self, grid: TableGrid, reader: TableReader, jobs: Jobs, message: MessageBar) -> None:
        super().__init__(grid)
        self._grid = grid
        self._reader = reader
        self._message = message
        self._editable: Editable | None = None
        self._is_locked = False  # while changes are being sent
        self._said = ""  # what the message bar says of it, to be taken back
        grid.writer = self
        model = reader.pages
        self.paster = Paster(self, model, jobs)
        self.paster.ended.connect(self._paste_ended)
        self._after_paste: Callable[[], object] | None = None
        model.may_edit = self._may_write
        model.edit_wanted.connect(self._write)
        grid.menus.fillers.append(self._fill_menu)
        self.offered: Callable[[], Sequence[Any]] = list  # the actions that the menu of the cells offers

    # -- what can be changed

    @property
    def model(self) -> TableModel:
        """The rows, and what is pending of them."""
        return self._reader.pages

    @property
    def counts(self) -> Counts:
        """How much is pending."""
        return self.model.pending.counts()

    @property
    def editable(self) -> Editable | None:
        """What can be changed; None until it is known."""
        return self._editable

    def know(self, editable: Editable | None) -> None:
        """Take what can be changed; None for not known."""
        self._editable = editable
        self.model.has_default = (
            frozenset(at for at, field in enumerate(editable.fields) if field.has_default) if editable else ()
        )
        self.changed.emit()

    def lock(self, locked: bool) -> None:
        """Let nothing be changed for as long as changes are being sent."""
        self._is_locked = locked
        self.changed.emit()

    @property
    def is_locked(self) -> bool:
        """Whether changes are being sent, or are about to be."""
        return self._is_locked

    @property
    def is_pasting(self) -> bool:
        """Whether a block is on its way into the rows."""
        return self.paster.is_under_way

    @property
    def is_partly_pasted(self) -> bool:
        """Whether some of a block is in the rows, and the rest on its way."""
        return self.paster.has_begun

    @property
    def has_pending(self) -> bool:
        """Whether there is something that was not sent, what is being pasted included."""
        return bool(self.model.pending) or self.is_pasting

    def why_busy(self) -> str:
        """Return why nothing can be changed for the moment, "" where nothing is under way."""
        if self._is_locked:
            return _SENDING
        if self._reader.is_opening:
            return _OPENING
        return _PASTING if self.is_pasting else ""

    def why_not(self) -> str:
        """Return why no row can be changed, "" where some can."""
        if self._editable is None:
            return "What can be changed in it is not known yet."
        if self._editable.why_not:
            return self._editable.why_not
        if not self._reader.is_pass:
            return ""
        table = self._reader.table
        return _PASSED if table is not None and table.filter.sorts else _PLACELESS

    def why_not_cell(self, row: int, column: int) -> str:
        """Return why a cell of the view cannot be written in, "" where it can."""
        if (why := self._why_not_now()) or self._editable is None:
            return why
        slot, field = self.model.slot(row), self._field(column)
        if slot is None:
            return _NOT_HERE
        state = self.model.pending.get(slot)
        if isinstance(state, Edited) and state.is_deleted:
            return GOING
        is_new = isinstance(slot, int)
        if field is None:
            return "The column is not known: refresh the table."
        whole = self._editable.why_no_insert if is_new else self._editable.why_no_update
        return whole or field.why_not(inserting=is_new)

    def choices(self, index: _Index) -> Sequence[str | None]:
        """Return all the values that a cell can have where they are few, () where they are not."""
        field = self._field(index.column())
        if field is None or not field.choices:
            return ()
        return field.choices if field.not_null else (*field.choices, None)

    def take_writing(self) -> None:
        """Take what is being typed in a cell."""
        self._grid.take_writing()

    def refuse(self, why: str) -> None:
        """Say why something is not done."""
        self._message.show_message("info", why)
        self._said = self._message.text()

    def _why_not_now(self) -> str:
        return self.why_busy() or self.why_not()

    def _may_write(self, row: int, column: int) -> bool:
        return not self.why_not_cell(row, column)

    def _field(self, column: int) -> Field | None:
        """Return what is known of a column; None where the table has been altered meanwhile."""
        fields = self._editable.fields if self._editable is not None else ()
        columns = self.model.columns()
        if column >= len(fields) or column >= len(columns) or fields[column].name != columns[column].name:
            return None
        return fields[column]

    # -- cells

    def may_be_null(self, column: int) -> bool:
        """Whether a column takes NULL, as far as is known."""
        field = self._field(column)
        return field is None or not field.not_null

    def has_default(self, column: int) -> bool:
        """Whether a column has a default of its own."""
        field = self._field(column)
        return field is not None and field.has_default

    def write(self, row: int, column: int, value: str | None) -> None:
        """Give a cell of the view another value."""
        self._write_cells([(row, {column: value})])

    def _write(self, row: int, column: int, value: object) -> None:
        self.write(row, column, None if value is None else value if isinstance(value, Default) else str(value))

    def give(self, value: str | None) -> None:
        """Give all selected cells one value: NULL, DEFAULT, or a text."""
        self._grid.end_writing()
        if (why := self._why_not_now()) or not (cells := self._selected()):
            self.refuse(why or "Select the cells first.")
            return
        refused = {why: None for row, columns in cells for at in columns if (why := self.why_not_cell(row, at))}
        wanted: list[tuple[int, dict[int, str | None]]] = [
            (row, {at: value for at in columns if not self.why_not_cell(row, at)}) for row, columns in cells
        ]
        if value is None and any(not self.may_be_null(at) for _, given in wanted for at in given):
            wanted = [(row, {at: value for at in given if self.may_be_null(at)}) for row, given in wanted]
            refused["A column that is NOT NULL takes no NULL."] = None
        self._write_cells([each for each in wanted if each[1]])
        if refused:
            self.refuse(next(iter(refused)))

    def _write_cells(self, cells: Sequence[tuple[int, dict[int, str | None]]]) -> None:
        if why := self._why_not_now():
            self.refuse(why)
            return
        states: list[tuple[Slot, State | None]] = []
        for row, values in cells:
            slot, state = self.model.slot(row), self.model.state_to_edit(row)
            if slot is None or state is None:
                self.refuse(_NOT_HERE)
                return
            if why := next((why for each in values.values() if (why := check_value(each))), ""):
                self.refuse(why)
                return
            states.append((slot, state.with_values({at: self._meant(at, each) for at, each in values.items()})))
        self._put(states)

    def _meant(self, column: int, value: str | None) -> str | None:
        """Return a boolean as the server writes it, so that one set back is no change."""
        field = self._field(column)
        is_boolean = field is not None and field.type_name == "boolean"
        return value[0] if is_boolean and value in {"true", "false"} else value

    def _put(self, states: Sequence[tuple[Slot, State | None]], before: int = 0) -> None:
        self._take_back_said()
        self.model.put(states, before)
        self.changed.emit()

    def _take_back_said(self) -> None:
        if self._said and self._message.text() == self._said:
            self._message.clear()

    # -- rows

    def insert_row(self) -> None:
        """Put a new row below the current one."""
        if why := self._why_no_insert():
            self.refuse(why)
            return
        self._add([{}])

    def duplicate_rows(self) -> None:
        """Put a new row with the same values below each selected one, but for values that the server gives."""
        if (why := self._why_no_insert()) or not (rows := self._rows()):
            self.refuse(why or "Select rows first.")
            return
        self._with_whole(rows, self._duplicate)

    def _duplicate(self, rows: Sequence[int], whole: dict[tuple[int, int], str | None]) -> None:
        assert self._editable is not None
        keys = {name for each in self._editable.constraints if each.is_unique for name in each.columns}
        made: list[dict[int, str | None]] = []
        for row in rows:
            values: dict[int, str | None] = {}
            for column, field in enumerate(self._editable.fields):
                if field.why_not(inserting=True) or (field.has_default and field.name in keys):
                    continue
                index = self.model.index(row, column)
                values[column] = whole.get((row, column), self.model.value(index.row(), index.column()))
            made.append({at: value for at, value in values.items() if not isinstance(value, Default)})
        self._add(made, rows[-1] + 1)

    def delete_rows(self) -> None:
        """Have the selected rows deleted; new ones are gone at once."""
        self._grid.end_writing()
        why = self._why_not_now() or (self._editable.why_no_delete if self._editable is not None else "")
        if why or not (rows := self._rows()):
            self.refuse(why or "Select rows first.")
            return
        states: list[tuple[Slot, State | None]] = []
        for row in rows:
            slot, state = self.model.slot(row), self.model.state_to_edit(row)
            if slot is None or state is None:
                self.refuse("Not all of these rows are here: scroll over them, or select fewer.")
                return
            states.append((slot, None if isinstance(state, Added) else Edited(state.place, state.old, state.new, True)))
        self._put(states)

    def _why_no_insert(self) -> str:
        return self._why_not_now() or (self._editable.why_no_insert if self._editable is not None else "")

    def _add(self, rows: Sequence[dict[int, str | None]], before: int | None = None) -> None:
        """Put new rows before the view's row *before*, or below the current one."""
        if before is None:
            current = self._grid.currentIndex()
            before = current.row() + 1 if current.isValid() else min(1, self.model.rowCount())
        numbers = [self.model.pending.new_number() for _ in rows]
        self._put([(number, Added(row)) for number, row in zip(numbers, rows, strict=True)], before)
        shown = self.model.rows_of(numbers)
        if shown:
            wished = (at for at in range(self.model.columnCount()) if not self.why_not_cell(shown[0], at))
            column = max(0, self._grid.currentIndex().column()) if rows[0] else next(wished, 0)
            self.show(shown[0], column)

    def show(self, row: int, column: int) -> None:
        """Bring a cell of the view into sight, and make it the current one."""
        index = self.model.index(row, column)
        self._grid.setCurrentIndex(index)
        self._grid.scrollTo(index)
        QTimer.singleShot(0, self._grid, partial(self._grid.scrollTo, index))  # when the bar has taken its room

    # -- a block

    def paste(self) -> None:
        """Write the clipboard's block of values from the current cell on; what runs past the end becomes new rows.

        A large one is under way for a while, in which nothing else can be changed: `stop_pasting` takes it back.
        """
        self._grid.take_writing()
        text = QGuiApplication.clipboard().text()
        if why := self._why_not_now() or ("" if text else "The clipboard holds no text."):
            self.refuse(why)
        elif len(text) <= _AT_ONCE:
            self._place(*_read(text))
        else:
            self.paster.begin()
            self.changed.emit()
            self.paster.work(partial(_read, text), lambda found: self._place(*found))

    def stop_pasting(self) -> bool:
        """Take back what was pasted of a block that is on its way; return whether there is one."""
        self._reader.forgo()
        if not self.paster.stop():
            return False
        self.refuse("The paste was stopped: nothing of it was taken.")
        return True

    def leave(self) -> None:
        """Write nothing more: nobody will look at it."""
        self._after_paste = None
        self.stop_pasting()

    def after_paste(self, then: Callable[[], object]) -> None:
        """Call *then* when no block is on its way any more; of several wishes the last."""
        self._after_paste = then

    def _place(self, block: Block, why: str) -> None:
        """Find out where a block goes, and have the rows read that it is for."""
        area = self._grid.area()
        if why:
            self._give_up_paste(why)
            return
        if len(block) == 1 and len(block[0]) == 1 and area.count > 1:
            self.paster.finish()
            self.give(block[0][0])  # one value for all of them
            return
        if len(block) * max(map(len, block)) > _MOST_CELLS:
            self._give_up_paste(f"More than {_MOST_CELLS:,} cells are not pasted: import them as a file.")
            return
        start, left = _corner(area)
        end = min(start + len(block), self.model.rowCount())
        self._reader.need(start, end, partial(self._paste, block, start, left), self._unread)

    def _paste(self, block: Block, start: int, left: int) -> None:
        shown = self._grid.columns_on_screen()
        first = shown.index(left) if left in shown else 0
        columns = [at for at in shown[first : first + max(map(len, block))] if self._field(at) is not None]
        targets = self.model.targets(start, min(start + len(block), self.model.rowCount()))
        editable, beyond = self._editable, max(0, start + len(block) - self.model.rowCount())
        why = _SENDING if self._is_locked else self.why_not()  # things may have happened while rows were read
        if not why and targets is None:
            why = "Not all of these rows are here: scroll over them, or paste less."
        if not why and beyond and (no_insert := self._editable.why_no_insert if self._editable else ""):
            why = f"{beyond:,} rows would be new. {no_insert}"
        if why or targets is None or editable is None:
            self._give_up_paste(why)
            return
        found = Pasted(block, targets, editable, columns, self.model.pending.new_numbers(beyond))
        if self.is_pasting:
            self._take_back_said()
            self.paster.write(found.states(), len(block), partial(self._say_pasted, found))
        else:
            self._put(list(found.states()), self.model.rowCount())
            self._say_pasted(found)

    def _say_pasted(self, found: Pasted) -> None:
        if found.added or found.left_out:
            self._message.show_message("info", found.words, " ".join(found.left_out))
            self._said = self._message.text()

    def _give_up_paste(self, why: str) -> None:
        self.paster.finish()
        self.refuse(why)

    def _unread(self) -> None:
        """Take notice that the rows of a block are not read after all."""
        self._give_up_paste("The paste was stopped: its rows were not read.")

    def _paste_ended(self) -> None:
        self.changed.emit()
        then, self._after_paste = self._after_paste, None
        if then is not None:
            QTimer.singleShot(0, self, then)  # when what came of it has been said

    # -- what was kept

    def bring(self, states: Sequence[tuple[Slot, State]], then: Callable[[], object]) -> None:
        """Make *states* pending as one step, new rows at the top; call *then* when they are."""
        if why := self._why_not_now():
            self.refuse(why)
        elif len(states) <= _FEW:
            self._put(states)
            then()
        else:
            self.paster.begin()
            self.changed.emit()
            self.paster.write(iter(states), len(states), then, 0)

    # -- the way back

    def undo(self) -> None:
        """Take the last step back; a block that is on its way is not taken at all."""
        if not self.stop_pasting():
            self._step(self.model.undo)

    def redo(self) -> None:
        """Do the step again that was taken back last."""
        self._step(self.model.redo)

    def drop(self) -> None:
        """Forget everything that is pending."""
        if self._is_locked:
            self.refuse(_SENDING)
            return
        self.stop_pasting()
        self._grid.end_writing()
        self.model.drop_pending()
        self.changed.emit()

    def _step(self, step: Callable[[], int | None]) -> None:
        if self._is_locked or self.is_pasting:
            return
        self._grid.end_writing()
        row = step()
        self.changed.emit()
        if row is not None:
            self.show(row, max(0, self._grid.currentIndex().column()))

    # -- what is selected

    def _selected(self) -> list[tuple[int, list[int]]]:
        """Return the selected cells, row by row, the columns as on the screen; [] where there are too many."""
        area = self._grid.area()
        if area.count > _MOST_CELLS:
            return []
        return [
            (row, [column for column, is_chosen in zip(area.columns, chosen, strict=True) if is_chosen])
            for row, chosen in area.rows()
        ]

    def _rows(self) -> list[int]:
        return [row for first, end in self._grid.selected()[0] for row in range(first, min(end, first + _MOST_CELLS))]

    def _with_whole(
        self, rows: Sequence[int], then: Callable[[Sequence[int], dict[tuple[int, int], str | None]], object]
    ) -> None:
        """Call *then* with the values that are here only cut, when they have been fetched."""
        cut: list[tuple[int, int]] = []
        for row in rows:
            line = self.model.lines(row, 1)
            if not line or line[0] is None:
                self.refuse(_NOT_HERE)
                return
            cut += [(row, column) for column, cell in enumerate(line[0]) if isinstance(cell, Clipped)]
        if not cut:
            then(rows, {})
            return
        self._grid.fetch_values(cut, partial(then, rows))

    def _fill_menu(self, menu: QMenu) -> None:
        """Offer what can be done to the selected cells and rows."""
        if self.why_not():
            return
        menu.addSeparator()
        for action in self.offered():
            menu.addAction(action)
        menu.addSeparator()


def _read(text: str) -> tuple[Block, str]:
    """Return the block of a text, and why it cannot be pasted, "" where it can. For any thread."""
    why = check_value(text)
    block = [] if why else block_of(text)
    return block, why or ("" if block else "The clipboard holds no text.")


def _corner(area: Area) -> tuple[int, int]:
    """Return the first of the selected cells, row and column; 0 and -1 where none is."""
    for row, chosen in area.rows():
        return row, next(column for column, is_chosen in zip(area.columns, chosen, strict=True) if is_chosen)
    return 0, -1
