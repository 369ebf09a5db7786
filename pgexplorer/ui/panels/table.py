"""The table panel: one relation in a grid, filtered at the server, a page at a time as it is scrolled."""

import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QStackedLayout, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.db.browse import Table, TablePage
from pgexplorer.db.schema import Kind, Relation
from pgexplorer.db.values import Row, human_count
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.result_model import ResultModel
from pgexplorer.server import Server
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.transfer_dialog import export_table, import_table
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.grid import Grid


class TablePanel(Panel):
    """A table as it is now. Every page is one short check-out: no connection is held while a person looks."""

    TITLE = "Table"
    ICON = "table"
    status_changed = Signal(str)

    def __init__(self, server: Server, jobs: Jobs, relation: Relation) -> None:
        super().__init__("table")
        self.relation = relation
        self.status = ""
        self._server = server
        self._jobs = jobs
        self._job: Job | None = None
        self._table: Table | None = None
        self._key: Row | None = None
        self._began = 0.0
        self._shown_ms = 0.0
        self.model = ResultModel(self)
        self.model.more_wanted.connect(self._next_page)
        self.where = QLineEdit(placeholderText="WHERE …   e.g. last_name ilike 'a%'", clearButtonEnabled=True)
        self.where.setObjectName("table.where")
        self.where.setAccessibleName("Filter: a condition as it stands behind WHERE")
        self.where.setProperty("mono", True)
        self.where.returnPressed.connect(self.refresh)
        self.grid = Grid()
        self.grid.setObjectName("table.grid")
        self.grid.setAccessibleName(f"Rows of {relation.name}")
        self.grid.setModel(self.model)
        self._empty = EmptyState("table", "", "")
        self._stack = QStackedLayout()
        self._stack.addWidget(self.grid)
        self._stack.addWidget(self._empty)
        self._count = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._count.setProperty("muted", True)
        self.add_actions(
            [
                Action("table.refresh", "Refresh", self.refresh, "F5", "refresh", "Read the table again"),
                Action("table.where", "Filter rows", self.where.setFocus, "Ctrl+Shift+F", "filter"),
                Action("table.export", "Export…", self._export, "Ctrl+E", "download", "Write the rows to a file"),
                Action("table.import", "Import…", self._import, icon="upload", tip="Load a CSV or TSV file into it"),
                Action("table.copy", "Copy cells", self.grid.copy_selection, icon="copy"),
                Action("table.fit", "Fit columns", self.grid.fit_columns, icon="column"),
            ]
        )
        self.action("table.import").setEnabled(relation.kind not in {Kind.VIEW, Kind.MATERIALIZED_VIEW})
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.where, 1)
        row.addWidget(button(self.action("table.refresh"), "table.refresh"))
        row.addWidget(button(self.action("table.export"), "table.export"))
        row.addWidget(button(self.action("table.import"), "table.import"))
        head = QWidget()
        head_column = QVBoxLayout(head)
        head_column.setContentsMargins(10, 10, 10, 8)
        head_column.addLayout(row)
        head_column.addWidget(self.message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(head)
        column.addLayout(self._stack, 1)
        self._say("")

    def refresh(self) -> None:
        """Read from the first row, under the filter as typed."""
        if self._server.in_use is None:
            self.message.show_message("info", "Not connected", "", "Connect first; the filter is kept.")
            return
        if self._job is not None:
            self._job.ignore()
        self._table = Table(self._server.in_use.client, self.relation, self.where.text())
        self._key = None
        self._read(first=True)

    def _export(self) -> None:
        where = self._table.where if self._table is not None else self.where.text()
        export_table(self, self._server, self._jobs, self.relation, where)

    def _import(self) -> None:
        import_table(self, self._server, self._jobs, self.relation, self.refresh)

    @override
    def leave(self) -> None:
        if self._job is not None:
            self._job.ignore()

    def _next_page(self) -> None:
        if self._table is not None:
            self._read(first=False)

    def _read(self, *, first: bool) -> None:
        table = self._table
        assert table is not None
        after, offset = (None, 0) if first else (self._key, self.model.rowCount())
        self._began = time.perf_counter()

        def show(page: TablePage) -> None:
            self._show(page, first=first)

        def failed(error: Exception) -> None:
            again = self.refresh if first else self._next_page
            show_failure(self.message, error, self._server, again)
            if first:  # rows of another moment would mislead
                self.model.clear()
            self._say("")

        self._say("reading…")
        name = f"table {self.relation.name}"
        self._job = self._jobs.start(lambda: table.page(after, offset), name=name, yielded=show, failed=failed)

    def _show(self, page: TablePage, *, first: bool) -> None:
        self.message.clear()
        if first:
            self.model.clear()
            self._shown_ms = (time.perf_counter() - self._began) * 1000
        self._key = page.key
        self.model.append(page.columns, page.rows)
        self.model.has_more = page.more
        if first:
            self.grid.fit_columns()
        count = self.model.rowCount()
        if count == 0:
            filtered = bool(self.where.text().strip())
            self._empty.say(
                "filter" if filtered else "table",
                "No rows match" if filtered else "The table is empty",
                "The filter runs at the server; clear it to see all rows."
                if filtered
                else "It has columns, but no rows.",
            )
        self._stack.setCurrentIndex(1 if count == 0 else 0)
        estimate = self.relation.rows
        of = f"of ≈ {human_count(estimate)}" if page.more and estimate > count and not self.where.text() else ""
        more = (of or "and more") if page.more else ""
        rows = f"{count:,} row{'' if count == 1 else 's'}" if not page.more else f"rows 1–{count:,} {more}"
        self._say(f"{rows} · first rows {self._shown_ms:.0f} ms")

    def _say(self, text: str) -> None:
        kind = "" if self.relation.kind is Kind.TABLE else f"{self.relation.kind.word} · "
        self.status = f"{kind}{text}" if text else ""
        self.status_changed.emit(self.status)
