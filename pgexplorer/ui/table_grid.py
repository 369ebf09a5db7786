"""The grid of a table that is not all here: what it shows cut is fetched whole, and so is what it copies."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex
from typing_extensions import override

from pgexplorer.db.browse import Counting, Read, Table, To
from pgexplorer.db.spool import Spool
from pgexplorer.db.values import Row
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.result_model import COPY_ROLE, NULL_ROLE, ResultModel
from pgexplorer.models.table_model import TableModel
from pgexplorer.ui.table_reader import TableReader
from pgexplorer.ui.widgets.cell_viewer import CellViewer
from pgexplorer.ui.widgets.grid import Grid
from pgexplorer.ui.widgets.grid_copy import FORMATS, Area, Copying, insert
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


class TableGrid(Grid):
    """A grid over a TableReader's model."""

    def __init__(self, reader: TableReader, jobs: Jobs, message: MessageBar) -> None:
        super().__init__()
        self._reader = reader
        self._jobs = jobs
        self._message = message
        self._fetching: tuple[Table, Job] | None = None
        self._fetching_value: tuple[Table, Job] | None = None

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
                self._message.show_message(
                    "warning", "The row is gone.", "", "It was changed or deleted since it was read: refresh."
                )
                return
            if value is None or not value.startswith(shown[:100]):
                self._message.show_message("info", "The value has changed since the row was read.")
            CellViewer(self, name, kind, value).show()

        def failed(error: Exception) -> None:
            self._fetching_value = None
            self._reader.failed.emit(error, None)

        self._stop_value()
        self._message.show_message("info", "Reading the value…", "", "", [("Stop", self._stop_value)])
        job = self._jobs.call(partial(table.value, place, name), name="read a value", done=done, failed=failed)
        self._fetching_value = table, job

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
        if rows.start < stretch.begin or rows.stop > stretch.end or area.count > _LOOKED_AT:
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
        if row == 0 and not model.stretch.number(0):
            return Read(To.FIRST)
        if (place := model.place(row)) is not None:
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
