"""The grid of a table that is not all here: what is cut is fetched whole for who copies it, or writes in it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QMouseEvent
from PySide6.QtWidgets import QWidget
from typing_extensions import override

from pgexplorer.db.spool import Spool
from pgexplorer.db.table.browse import Counting, Read, Table, To
from pgexplorer.db.table.changes import DEFAULT
from pgexplorer.db.values import Row
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.result_model import COPY_ROLE, NULL_ROLE, ResultModel
from pgexplorer.models.table_model import TableModel
from pgexplorer.ui.table.reader import TableReader
from pgexplorer.ui.widgets.cell_editor import CellEditor, too_large
from pgexplorer.ui.widgets.cell_viewer import CellViewer
from pgexplorer.ui.widgets.grid import Grid
from pgexplorer.ui.widgets.grid_copy import FORMATS, Area, Copying, insert
from pgexplorer.ui.widgets.grid_editor import CELL, EditDelegate, fits_in_line
from pgexplorer.ui.widgets.grid_marks import links_of
from pgexplorer.ui.widgets.message_bar import MessageBar

_LOOKED_AT = 200_000  # cells of a selection that are looked at to know whether they are whole


@dataclass(frozen=True, slots=True)
class _Range:
    """A rectangle of cells, as QItemSelectionRange says it."""

    first: int
    last: int
    begin: int
    end: int

    def top(self) -> int:
        return self.first

    def bottom(self) -> int:
        return self.last

    def left(self) -> int:
        return self.begin

    def right(self) -> int:
        return self.end


class Writer(Protocol):
    """What becomes of what is written in a grid."""

    def why_not(self) -> str:
        """Return why nothing can be written, "" where something can."""
        ...

    def why_not_cell(self, row: int, column: int) -> str:
        """Return why a cell cannot be written in, "" where it can."""
        ...

    def choices(self, index: QModelIndex | QPersistentModelIndex) -> Sequence[str | None]:
        """Return all the values that a cell can have, () where they are many."""
        ...

    def may_be_null(self, column: int) -> bool:
        """Whether a column takes NULL."""
        ...

    def has_default(self, column: int) -> bool:
        """Whether a column has a default."""
        ...

    def write(self, row: int, column: int, value: str | None) -> None:
        """Give a cell another value."""
        ...

    def refuse(self, why: str) -> None:
        """Say why something is not done."""
        ...

    def delete_rows(self) -> None:
        """Have the selected rows deleted."""
        ...

    def paste(self) -> None:
        """Write what is on the clipboard."""
        ...

    def stop_pasting(self) -> bool:
        """Take back what is being written of it; return whether anything is."""
        ...


class TableGrid(Grid):
    """A grid over a TableReader's model."""

    writer: Writer | None = None
    link_wanted = Signal()  # to go where the current cell leads

    def __init__(self, reader: TableReader, jobs: Jobs, message: MessageBar) -> None:
        super().__init__()
        self._reader = reader
        self._jobs = jobs
        self._message = message
        self._fetching: tuple[Table, Job] | None = None
        self._fetching_value: tuple[Table, Job] | None = None
        self.setItemDelegate(EditDelegate(self, self.look, self._choices))
        self.setEditTriggers(self.EditTrigger.AnyKeyPressed | self.EditTrigger.EditKeyPressed)
        self.menus.view_keys = "Shift+Return"

    def leave(self) -> None:
        """End what is fetched: nobody will look at it."""
        self._stop_fetching()
        self._stop_value()

    def rows_in_sight(self) -> tuple[int, int]:
        """Return the first and the last row in sight; (0, -1) when there are none."""
        count = self.model().rowCount()
        if not count:
            return 0, -1
        first, last = self.rowAt(0), self.rowAt(self.viewport().height() - 1)
        return max(0, first), last if last >= 0 else count - 1

    def keep_in_sight(self, rows: int) -> None:
        """Scroll with the rows in sight, which have got numbers that are *rows* higher."""
        bar = self.verticalScrollBar()
        height = self.verticalHeader().defaultSectionSize()
        value = max(0, bar.value() + rows * height)
        self.updateGeometries()
        bar.setValue(value)

    # -- writing

    @override
    def edit(self, index: QModelIndex | QPersistentModelIndex, *how: Any) -> bool:  # pyright: ignore
        """Have the cell at *index* written in, in its place or in a window; return whether it is in its place."""
        trigger, event = how if len(how) == 2 else (self.EditTrigger.AllEditTriggers, None)
        triggers = self.EditTrigger
        is_meant = trigger in {triggers.AnyKeyPressed, triggers.EditKeyPressed, triggers.AllEditTriggers}
        if not index.isValid() or self.writer is None or not is_meant:
            return False
        if isinstance(event, QKeyEvent) and not _writes(event):
            return False
        if why := self.writer.why_not_cell(index.row(), index.column()):
            self.writer.refuse(why)
            return True  # or Qt would look for a row that begins with the key
        if not self._fits(index):
            self.write_in_window()
            return True
        return bool(super().edit(index, trigger, cast("QEvent", event)))  # Qt takes none too

    @override
    def write_current(self) -> bool:
        index = self.currentIndex()
        if self.writer is None or not index.isValid() or self.writer.why_not_cell(index.row(), index.column()):
            return False
        self.edit(index, self.EditTrigger.EditKeyPressed, None)
        return True

    def write_in_window(self) -> None:
        """Have the current cell written in a window of its own, where there is room for lines."""
        index = self.currentIndex()
        if self.writer is None or not index.isValid():
            return
        if why := self.writer.why_not_cell(index.row(), index.column()):
            self.writer.refuse(why)
            return
        cell = index.row(), index.column()
        if self.has_whole(index):
            value = self.model().data(index, Qt.ItemDataRole.EditRole)
            self._open_editor(cell, None if value is None else str(value))
        else:
            self.fetch_values([cell], lambda values: self._open_editor(cell, values[cell]))

    def end_writing(self) -> None:
        """Close what a cell is being written in, and forget what was typed there."""
        for editor in self.viewport().findChildren(QWidget, CELL):
            self.closeEditor(editor, EditDelegate.EndEditHint.RevertModelCache)

    def take_writing(self) -> None:
        """Take what was typed in a cell so far, and close it."""
        for editor in self.viewport().findChildren(QWidget, CELL):
            if editor.isVisible():
                self.commitData(editor)
                self.closeEditor(editor, EditDelegate.EndEditHint.NoHint)

    def _fits(self, index: QModelIndex | QPersistentModelIndex) -> bool:
        value = self.model().data(index, Qt.ItemDataRole.EditRole)
        return self.has_whole(index) and fits_in_line(None if value is None else str(value))

    def _choices(self, index: QModelIndex | QPersistentModelIndex) -> Sequence[str | None]:
        return self.writer.choices(index) if self.writer is not None else ()

    def _open_editor(self, cell: tuple[int, int], text: str | None) -> None:
        row, column = cell
        model, writer = self.model(), self.writer
        if writer is None or not isinstance(model, TableModel):
            return
        if text is not None and too_large(text):
            writer.refuse("The value is too large to be written in here: save it to a file, or write an UPDATE.")
            return
        slot, head = model.slot(row), model.columns()[column]
        editor = CellEditor(
            self,
            head.name,
            head.type_name,
            text,
            may_be_null=writer.may_be_null(column),
            has_default=writer.has_default(column),
        )

        def give(value: str | None) -> None:
            rows = [] if slot is None else model.rows_of([slot])  # it may have moved meanwhile
            if rows:
                writer.write(rows[0], column, value)
            else:
                writer.refuse("The row is not in sight any more: the value was not taken.")

        editor.given.connect(give)
        editor.default_wanted.connect(partial(give, DEFAULT))
        editor.open()

    def columns_on_screen(self) -> list[int]:
        """Return the columns that are not hidden, in the order of the screen."""
        head = self.horizontalHeader()
        shown = [column for column in range(head.count()) if not head.isSectionHidden(column)]
        return sorted(shown, key=head.visualIndex)

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.indexAt(event.position().toPoint())
        is_ctrl = event.modifiers() == Qt.KeyboardModifier.ControlModifier
        if is_ctrl and event.button() == Qt.MouseButton.LeftButton and self._leads(index):
            self.setCurrentIndex(index)
            self.link_wanted.emit()
            event.accept()
            return
        super().mousePressEvent(event)

    def _leads(self, index: QModelIndex) -> bool:
        """Say whether the value at *index* leads somewhere."""
        model = self.model()
        if not index.isValid() or index.column() not in links_of(model):
            return False
        return model.data(index, NULL_ROLE) is not True

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.writer is not None and event.matches(QKeySequence.StandardKey.Paste):
            self.writer.paste()
        elif self.writer is not None and event.key() == Qt.Key.Key_Delete and not event.modifiers():
            self.writer.delete_rows()
        elif self.writer is not None and event.key() == Qt.Key.Key_Escape and self.writer.stop_pasting():
            event.accept()
        else:
            super().keyPressEvent(event)

    def fetch_values(
        self, cells: Sequence[tuple[int, int]], then: Callable[[dict[tuple[int, int], str | None]], object]
    ) -> None:
        """Read the values of *cells*, rows and columns of the view, whole; then call *then* with them."""
        model, reading = self.model(), self._reader.table
        if not isinstance(model, TableModel) or reading is None:
            return
        places = [(cell, model.place(cell[0]), model.columns()[cell[1]].name) for cell in cells]
        table = reading.again()

        def work() -> dict[tuple[int, int], str | None] | None:
            found: dict[tuple[int, int], str | None] = {}
            for cell, place, name in places:
                if place is None:
                    return None
                is_there, found[cell] = table.value(place, name)
                if not is_there:
                    return None
            return found

        def done(found: dict[tuple[int, int], str | None] | None) -> None:
            self._fetching_value = None
            self._message.clear()
            if found is None:
                self._say_gone()
            else:
                then(found)

        self._fetch(table, work, done, "Reading the value…" if len(cells) == 1 else "Reading the values…")

    def _say_gone(self) -> None:
        self._message.show_message(
            "warning", "The row is gone.", "", "It was changed or deleted since it was read: refresh."
        )

    def _fetch(self, table: Table, work: Callable[[], Any], done: Callable[[Any], object], words: str) -> None:
        def failed(error: Exception) -> None:
            self._fetching_value = None
            self._reader.failed.emit(error, None)

        self._stop_value()
        self._message.show_message("info", words, "", "", [("Stop", self._stop_value)])
        job = self._jobs.call(work, name="read a value", done=done, failed=failed)
        self._fetching_value = table, job

    # -- what is not here whole

    def has_whole(self, index: QModelIndex | QPersistentModelIndex) -> bool:
        """Whether the value at *index* is here as it is in the table."""
        model = self.model()
        return not isinstance(model, TableModel) or model.is_whole(index.row(), index.column())

    @override
    def view_current(self) -> None:
        index, model = self.currentIndex(), self.model()
        if not index.isValid() or self.has_whole(index) or not isinstance(model, TableModel):
            super().view_current()
            return
        place, table = model.place(index.row()), self._reader.table
        if place is None or table is None:
            return
        column = model.columns()[index.column()]
        shown = str(model.data(index, COPY_ROLE) or "")
        self._fetch_value(table.again(), place, column.name, column.type_name, shown)

    def _fetch_value(self, table: Table, place: Row, name: str, kind: str, shown: str) -> None:
        """Read one value whole, and show it."""

        def done(found: tuple[bool, str | None]) -> None:
            self._fetching_value = None
            is_there, value = found
            self._message.clear()
            if not is_there:
                self._say_gone()
                return
            if value is None or not value.startswith(shown[:100]):
                self._message.show_message("info", "The value has changed since the row was read.")
            CellViewer(self, name, kind, value).show()

        self._fetch(table, partial(table.value, place, name), done, "Reading the value…")

    def _stop_value(self) -> None:
        if self._fetching_value is not None:
            (table, job), self._fetching_value = self._fetching_value, None
            job.ignore()
            self._stop(table)

    @override
    def copy_selection(self, form: str = "Tabs") -> bool:
        model, area = self.model(), self.area()
        if not isinstance(model, TableModel) or not area.count or self._is_here(model, area):
            return super().copy_selection(form)
        if model.is_touched:
            self._message.show_message(
                "info", "Not all of these cells are here, and some are not as in the table.", "", "Send or drop first."
            )
            return False
        rows = self._rows_of(area)
        start = self._start(model, rows.start)
        if start is None:
            self._message.show_message(
                "info",
                "These rows are known about only, and cannot be counted off.",
                "",
                "Scroll to the first of them, or select fewer, then copy again.",
            )
            return False
        self._fetch_rows(model, area, rows, start, form)
        return True

    def _is_here(self, model: TableModel, area: Area) -> bool:
        """Whether every selected cell is here and whole."""
        rows = self._rows_of(area)
        stretch = model.stretch
        first, last = model.base(rows.start), model.base(rows.stop - 1)
        if first < stretch.begin or last >= max(stretch.end, first) or area.count > _LOOKED_AT:
            return False
        return all(
            model.is_whole(row, column)
            for row, chosen in area.rows()
            for column, is_chosen in zip(area.columns, chosen, strict=True)
            if is_chosen
        )

    @staticmethod
    def _rows_of(area: Area) -> range:
        return range(min(top for top, _, _, _ in area.ranges), max(bottom for _, bottom, _, _ in area.ranges) + 1)

    @staticmethod
    def _start(model: TableModel, row: int) -> Read | None:
        row = model.base(row)
        if row == 0 and not model.stretch.number(0):
            return Read(To.FIRST)
        if (place := model.stretch.place(row)) is not None:
            return Read(To.FROM, place, row)
        return Read(To.AT, row=row) if model.stretch.is_exact else None

    def _fetch_rows(self, model: TableModel, area: Area, rows: range, start: Read, form: str) -> None:
        """Read the selected rows whole into a file, and copy from there."""
        reading = self._reader.table
        if reading is None or self._fetching is not None:
            return
        table = reading.again()
        columns = model.columns()
        moved = [_Range(top - rows.start, bottom - rows.start, left, right) for top, bottom, left, right in area.ranges]

        def work() -> Iterator[Counting | Spool]:
            spool = Spool(columns)
            try:
                yield from table.span(start, len(rows), spool)
            except BaseException:
                spool.close()
                raise
            spool.end()
            yield spool

        def heard(news: Counting | Spool) -> None:
            if isinstance(news, Spool):
                self._fetching = None
                self._message.clear()
                self._copy_from(news, Area(moved, area.columns), form)
            elif news.share is not None:
                say(f"Reading the rows to copy: {news.rows:,} of {len(rows):,}")

        def failed(error: Any) -> None:
            self._fetching = None
            self._message.clear()
            self._reader.failed.emit(error, None)

        def say(words: str) -> None:
            self._message.show_message("info", words, "", "", [("Stop", self._stop_fetching)])

        say("Reading the rows to copy…")
        job = self._jobs.start(work, name="read what is copied", yielded=heard, failed=failed)
        self._fetching = table, job

    def _copy_from(self, spool: Spool, area: Area, form: str) -> None:
        model = ResultModel(self)
        model.show(spool)
        make = partial(insert, table=self.copied_table) if form == "INSERT" else FORMATS[form]
        copying = Copying(self, model, area, make, (NULL_ROLE, COPY_ROLE))

        def ended(_count: int) -> None:
            self._jobs.call(spool.close, name="close what was copied")
            model.deleteLater()
            copying.deleteLater()

        copying.finished.connect(self.copied)
        copying.refused.connect(self.copy_refused)
        copying.finished.connect(ended)
        copying.refused.connect(ended)
        copying.start()

    def _stop_fetching(self) -> None:
        if self._fetching is not None:
            table, job = self._fetching
            self._fetching = None
            job.ignore()
            self._stop(table)

    def _stop(self, table: Table) -> None:
        self._message.clear()
        self._jobs.start(table.stop, name="stop a read")


def _writes(event: QKeyEvent) -> bool:
    """Say whether a key begins to write: F2 does, and what is a letter; what is held with Ctrl or Alt is a command."""
    if event.type() != QEvent.Type.KeyPress or event.key() == Qt.Key.Key_F2:
        return True
    held = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
    return not held and event.text().isprintable() and bool(event.text())
