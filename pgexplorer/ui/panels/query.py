"""The query panel: SQL run on a worker through the pool, a grid for each result, errors at their place."""

import time
from collections.abc import Iterator

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSpinBox,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.formatting import Formatted, formatted
from pgexplorer.db.query import ROW_LIMIT, Done, Failed, Kept, News, Notices, Query, Result, RolledBack, Started
from pgexplorer.db.rows import Picked, Rows, State
from pgexplorer.db.statements import Statement, statements
from pgexplorer.db.values import human_bytes, human_count
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.result_model import ResultModel
from pgexplorer.server import Server
from pgexplorer.ui import icons
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.export_dialog import export_query
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.sql_commands import POSTGRESQL, add_commands
from pgexplorer.ui.sql_document import SqlDocument
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.flow_layout import FlowLayout
from pgexplorer.ui.widgets.grid import Grid
from pgexplorer.ui.widgets.sql_editor import SqlEditor

_MOST_TABS = 50  # results shown of one run
_MOST_NOTICES = 200


class QueryPanel(Panel):
    """An editor over its results. The connection is borrowed for a run and given back at the last row."""

    TITLE = "SQL"
    ICON = "terminal"
    status_changed = Signal(str)

    def __init__(self, server: Server, jobs: Jobs, name: str) -> None:
        super().__init__("query")
        self.name = name
        self.status = ""
        self._server = server
        self._jobs = jobs
        self._job: Job | None = None
        self._query: Query | None = None
        self._stopping: Job | None = None
        self._began = 0.0
        self._started: Started | None = None  # the statement that ran last
        self._offset = 0  # where the text of the run begins in the editor's
        self._models: dict[int, ResultModel] = {}
        self._sent: dict[int, str] = {}  # the statement of each result
        self._rows: list[Rows] = []  # of the results shown, to be closed with them
        self._row_limit = ROW_LIMIT  # of the last run
        self._spare: Grid | None = None  # made while the server works
        self._said: list[str] = []
        self._dropped = 0  # notices that are not shown
        self._last = ("", 0)  # the text of the last run, and where it began
        self.editor = SqlEditor(POSTGRESQL)
        self.editor.setPlaceholderText("Write SQL, then run it with Ctrl+Enter")
        self.editor.setObjectName("query.editor")
        self.editor.setAccessibleName("SQL editor")
        self.editor.setProperty("flat", True)
        self.editor.refused.connect(self._tell_text_refused)
        self.document = SqlDocument(self.editor, jobs, name)
        self.document.told.connect(self._tell_of_file)
        self.results = QTabWidget(documentMode=True)
        self.results.setObjectName("query.results")
        self.results.setAccessibleName("Results")
        self.results.currentChanged.connect(self._name_current)
        self._empty = EmptyState(
            "play", "No result yet", "Ctrl+Enter runs the selection or the statement at the caret, F5 everything."
        )
        self._below = QStackedWidget()
        self._below.addWidget(self._empty)
        self._below.addWidget(self.results)
        self.add_actions(
            [
                Action(
                    "query.run",
                    "Run",
                    self.run,
                    "Ctrl+Return; Ctrl+Enter",
                    "play",
                    "Run the selection, or the statement at the caret",
                ),
                Action(
                    "query.run_all",
                    "Run all",
                    self.run_all,
                    "F5; Ctrl+Shift+Return; Ctrl+Shift+Enter",
                    tip="Run every statement",
                ),
                Action("query.cancel", "Cancel", self.cancel, "Ctrl+.", "stop", "Cancel what runs"),
                Action("query.open", "Open file…", self.document.open, "Ctrl+O", "folder-open"),
                Action("query.save", "Save", self.document.save, "Ctrl+S", "save", "Save the text to its file"),
                Action("query.save_as", "Save as…", self.document.save_as, "Ctrl+Shift+S"),
                Action(
                    "query.format", "Format", self.format, "Ctrl+Shift+L", "format", "Lay out the selection, or all"
                ),
                Action("query.export", "Export…", self.export, "Ctrl+E", "download", "Write the result to a file"),
            ]
        )
        self._commands = add_commands(self, self.editor)
        self.action("query.cancel").setEnabled(False)
        self.limit = QSpinBox(minimum=1, maximum=ROW_LIMIT, value=ROW_LIMIT, prefix="Limit ", suffix=" rows")
        self.limit.setObjectName("query.limit")
        self.limit.setAccessibleName("Row limit")
        self.limit.setToolTip("A result is read to its end, or to so many rows; what a limit cuts is always said.")
        self.limit.setGroupSeparatorShown(True)
        self.limit.setStepType(QSpinBox.StepType.AdaptiveDecimalStepType)
        self._doing = ""  # what is under way, in words
        self._state = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._state.setProperty("muted", True)
        self._clock = QTimer(self, interval=200)
        self._clock.timeout.connect(self._tick)
        self._lay_out()

    def _lay_out(self) -> None:
        tools = QHBoxLayout()
        tools.setContentsMargins(10, 8, 10, 8)
        tools.setSpacing(8)
        bar = FlowLayout(spacing=8, row_spacing=6)
        tools.addLayout(bar, 1)
        bar.addWidget(button(self.action("query.run"), "query.run", style="primary"))
        bar.addWidget(button(self.action("query.run_all"), "query.run_all"))
        bar.addWidget(button(self.action("query.cancel"), "query.cancel"))
        bar.addWidget(button(self.action("query.export"), "query.export", style="icon_only", text=""))
        bar.addWidget(self.limit)
        bar.addWidget(self._state)
        tools.addWidget(self._more_button(), 0, Qt.AlignmentFlag.AlignTop)
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(tools)
        column.addWidget(self.editor, 1)
        messages = QWidget()
        inner = QVBoxLayout(messages)
        inner.setContentsMargins(10, 6, 10, 6)
        inner.addWidget(self.message)
        bottom = QWidget()
        lower = QVBoxLayout(bottom)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.setSpacing(0)
        lower.addWidget(messages)
        lower.addWidget(self._below, 1)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(top)
        split.addWidget(bottom)
        split.setSizes([240, 420])
        split.setChildrenCollapsible(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(split)
        messages.setVisible(False)
        self.message.closed.connect(messages.hide)
        self._messages = messages

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._job is not None

    def run(self) -> None:
        """Run the selection, or the statement at the caret."""
        self._run(*self._to_run())

    def _to_run(self) -> tuple[str, int]:
        """Return the selection, or the statement at the caret, and where it begins."""
        text = self.editor.toPlainText()
        start, end = self.editor.selection()
        if start == end and (statement := _at(text, start)) is not None:
            start, end = statement.start, max(statement.end, statement.stop)
        return text[start:end], start

    def run_all(self) -> None:
        """Run the whole text."""
        self._run(self.editor.toPlainText(), 0)

    def _run(self, text: str, offset: int) -> None:
        if self._job is not None:
            return
        self.editor.clear_error()
        self._clear_message()
        self._start(text, offset, self.limit.value())

    def _run_again(self) -> None:
        self._run(*self._last)

    def format(self) -> None:
        """Lay out the selection, or the whole text; what would change more than white space stays as it is."""
        text, revision = self.editor.toPlainText(), self.editor.document().revision()
        start, end = self.editor.selection()
        if start == end:
            start, end = 0, len(text)

        def done(found: Formatted) -> None:
            if self.editor.document().revision() != revision:
                self._tell("info", "The text was changed meanwhile, and is not laid out.")
                return
            if found.changed:
                self.editor.replace_text(text[:start] + found.text + text[end:])
            left = [f"{found.kept} would have changed in more than white space"] if found.kept else []
            left += [f"{found.long} are longer than 20,000 characters"] if found.long else []
            if left:
                title = f"{found.kept + found.long} of the statements stay as they are"
                self._tell("info", title, f"{' and '.join(left)}.".capitalize())

        self._jobs.call(lambda: formatted(text[start:end]), name="lay out a text", done=done)

    def _start(self, text: str, offset: int, row_limit: int) -> None:
        self._last = text, offset
        if self._server.in_use is None:
            self._tell("info", "Not connected", "", "Connect first; the text is kept.")
            return
        query = self._query = self._server.query(text, self.name, row_limit=row_limit, offset=offset)
        self._clear_results()
        self._began = time.perf_counter()
        self._set_running(True)
        QTimer.singleShot(0, self, self._make_grid)
        self._offset, self._started, self._row_limit = offset, None, row_limit

        def ended() -> None:
            if self._job is job:  # not one that was given up while it waited for a connection
                self._ended()

        job = self._job = self._jobs.start(
            query.run, name=self.name, yielded=self._hear, failed=self._failed, ended=ended
        )

    def export(self) -> None:
        """Write the result that is shown to a file: its rows, the selected ones, or all of its query run again.

        Without a result, what Run would run.
        """
        grid, model = self.results.currentWidget(), self.current_model()
        if not isinstance(grid, Grid) or model is None:
            text = self._to_run()[0]
            if text.strip():
                export_query(self, self._server, self._jobs, text)
            else:
                self._tell("info", "There is nothing to export", "", "Run a query, or write one.")
            return
        index = next((index for index, each in self._models.items() if each is model), -1)
        ranges, columns = grid.selected()
        several = len(columns) * sum(end - begin for begin, end in ranges) > 1
        selected = Picked(model.rows(), ranges, columns) if several else None
        export_query(self, self._server, self._jobs, self._sent.get(index, ""), model.rows(), selected)

    def cancel(self) -> None:
        """End what runs: cancel, then terminate, then abandon. The button stays usable all the while."""
        if (query := self._query) is None or self._job is None:
            return
        if self._stopping is not None and self._stopping.is_running:
            return

        def work() -> Iterator[str]:
            yield from query.stop()

        if self._started is None:
            # It still waits for a connection. Nothing was sent, and nothing will be: the tab is free at once, and a
            # connection that comes late goes straight back.
            self._job.ignore()
            self._ended()
            self._tell("warning", "Cancelled before anything was sent")
            self._empty.say("stop", "No result", "")
            self._say("cancelled")
        self._stopping = self._jobs.start(work, name=f"cancel {self.name}", yielded=self._say_state)

    def _more_button(self) -> QPushButton:
        """Return the button with everything else that can be done with the text."""
        menu = QMenu(self)
        groups = [
            ["query.open", "query.save", "query.save_as"],
            ["query.format", *self._commands[:8]],
            self._commands[8:],
        ]
        for group in groups:
            menu.addSeparator()
            menu.addActions([self.action(name) for name in group])
        more = QPushButton()
        more.setObjectName("query.more")
        more.setAccessibleName("More to do with the text")
        more.setToolTip("Files, format, lines, find, text size")
        more.setProperty("icon_only", True)
        icons.wear(more, "more")
        more.setMenu(menu)
        return more

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.ActivationChange and self.isActiveWindow():
            self.document.look()

    @override
    def leave(self) -> None:
        self.cancel()
        if self._job is not None:
            self._job.ignore()
            self._job = None
        self._close_rows()

    def current_model(self) -> ResultModel | None:
        """Return the rows of the result that is shown."""
        grid = self.results.currentWidget()
        model = grid.model() if isinstance(grid, Grid) else None
        return model if isinstance(model, ResultModel) else None

    def _hear(self, news: News) -> None:
        match news:
            case Started():
                self._started = news
                self._sent[news.index] = news.statement.text
                count = f"statement {news.index + 1} of {news.of} " if news.of > 1 else ""
                self._say_state(f"Running {count}on backend {news.pid}…")
            case Result():
                self._show_rows(news)
            case Done():
                self._show_done(news)
            case Notices():
                self._dropped += news.dropped + max(0, len(self._said) + len(news.lines) - _MOST_NOTICES)
                self._said = [*self._said, *news.lines][-_MOST_NOTICES:]
                earlier = [f"… {self._dropped:,} earlier notices are not shown"] if self._dropped else []
                title = "The server says" if not self.message.isVisible() else self.message.text().partition("\n")[0]
                self._tell("info", title, "\n".join([*earlier, *self._said]))
            case Failed():
                self._show_failed(news)
            case RolledBack():
                self._tell(
                    "warning",
                    "The transaction was rolled back",
                    "The text left it open, and the connection went back to the pool.",
                    "Run BEGIN … COMMIT as one text: each run borrows a connection and returns it.",
                )
            case Kept():
                pass  # this panel borrows for each run

    def _show_rows(self, news: Result) -> None:
        model = self._models.get(news.index)
        if model is not None:
            model.grow()
            return
        if self.results.count() >= _MOST_TABS:
            self._close_later(news.rows)
            self._tell("warning", f"The results after the {_MOST_TABS}th are not shown.", "All statements ran.")
            return
        self._rows.append(news.rows)
        grid = self._take_grid()
        grid.setAccessibleName(f"Result {news.index + 1}")
        grid.offer_export(True)
        grid.export_wanted.connect(self.export)
        grid.copied.connect(self._tell_copied)
        grid.copy_refused.connect(self._tell_refused)
        model = self._models[news.index] = ResultModel(grid)
        model.show(news.rows)
        grid.setModel(model)
        self.results.addTab(grid, f"Result {len(self._models)}")
        self.results.setCurrentWidget(grid)
        self._below.setCurrentWidget(self.results)
        grid.fit_columns()

    def _tell_copied(self, cells: int) -> None:
        self._say(f"copied {cells:,} cell{'' if cells == 1 else 's'}")

    def _tell_refused(self, cells: int) -> None:
        hint = "Export it: that has no limit, and takes what is selected."
        title = f"Not copied ({cells:,} cells): this is too large for a clipboard, or not here any more."
        self._tell("warning", title, "", hint, [("Export…", self.export)])

    def _make_grid(self) -> None:
        """Make the next result's grid before its rows come: making and dressing one takes some milliseconds."""
        if self._spare is None:
            self._spare = Grid(self)
            self._spare.hide()
            for each in (self._spare, *self._spare.findChildren(QWidget)):
                each.ensurePolished()

    def _take_grid(self) -> Grid:
        grid, self._spare = self._spare or Grid(), None
        return grid

    def _show_done(self, done: Done) -> None:
        times = f"first rows {_ms(done.first_s)} · all {_ms(done.total_s)}" if done.has_rows else _ms(done.total_s)
        if done.has_rows:
            model = self._models.get(done.index)
            rows = f"{_rows(done.rows)}" if done.rows else "no rows"
            if model is not None and not model.columns():
                rows = f"{_rows(done.rows)} without columns"
            if not done.complete:
                rows = f"first {_rows(done.rows)} (limit)"
                self._mark_incomplete(done.index)
                self._tell_cut(done)
            self._say(f"{rows} · {times}")
            return
        changed = _rows(done.rows) if done.rows >= 0 else done.status
        self._say(f"{done.status} · {times}")
        if not self._models:
            self._empty.say("success", done.status, changed if changed != done.status else "")
            self._below.setCurrentWidget(self._empty)

    def _tell_cut(self, done: Done) -> None:
        """Say that a limit cut a result, what that means, and what can be done."""
        more = [(f"Run it again for {more:,} rows", self._fetch_more)] if (more := self._next_limit()) else []
        size = self._models[done.index].rows().size if done.index in self._models else 0
        self._tell(
            "info",
            f"The first {_rows(done.rows)} are shown; there are more.",
            f"{done.why} The statement was ended there, as a cancel ends it: what its functions changed is undone. "
            f"The rows take {human_bytes(size)} on the disk.",
            "" if more else "Ask for less: a WHERE, a LIMIT, or fewer columns.",
            more,
        )

    def _mark_incomplete(self, index: int) -> None:
        """Say on the tab that a result is not whole."""
        for at in range(self.results.count()):
            grid = self.results.widget(at)
            if isinstance(grid, Grid) and grid.model() is self._models.get(index):
                self.results.setTabText(at, f"{self.results.tabText(at)} (incomplete)")

    def _show_failed(self, failed: Failed) -> None:
        where = f"Statement {failed.index + 1} of {failed.of}: " if failed.of > 1 else ""
        if failed.cancelled:
            self._tell("warning", f"{where}cancelled".capitalize(), failed.error.title, failed.error.hint)
        else:
            self._tell("error", f"{where}{failed.error.heading}", failed.error.detail, failed.error.hint)
        if failed.error.position is not None and not failed.cancelled:
            self.editor.mark_error(failed.error.position)
        word = "stopped" if failed.cancelled else "failed"
        if failed.kept:
            self._mark_incomplete(failed.index)
            self._say(f"{word} after {_rows(failed.kept)}: the result is incomplete")
        else:
            self._say("cancelled" if failed.cancelled else "failed")
        if not self._models:
            self._empty.say("stop" if failed.cancelled else "error", "No result", "The message above says why.")

    def _failed(self, error: Exception) -> None:
        show_failure(self.message, error, self._server, self._run_again)
        if isinstance(error, RefusedSql) and error.position is not None:
            self.editor.mark_error(error.position)
            line = self.editor.textCursor().blockNumber() + 1
            self.message.show_message("warning", f"Line {line:,} cannot be sent", str(error))
        self._messages.setVisible(True)
        title = "Nothing was sent" if isinstance(error, RefusedSql) else "No result"
        self._empty.say("info", title, "The message above says why.")
        self._say("")

    def _ended(self) -> None:
        self._job = self._query = None
        self._set_running(False)
        self._say_state("")

    def _next_limit(self) -> int:
        """Return the rows for which the run may be sent again: one plain SELECT alone ever is. 0 where it may not."""
        started = self._started
        if started is None or started.of > 1 or not started.statement.pages or self._row_limit >= ROW_LIMIT:
            return 0
        return min(self._row_limit * 10, ROW_LIMIT)

    def _fetch_more(self) -> None:
        """Run the SELECT that was cut again, as it was sent, with a larger limit."""
        if self._job is not None or self._started is None:
            return
        statement, limit = self._started.statement, self._next_limit()
        self._clear_message()
        self._start(statement.text, self._offset + statement.start, limit)

    def _set_running(self, running: bool) -> None:
        for name in ("query.run", "query.run_all"):
            self.action(name).setEnabled(not running)
        self.action("query.cancel").setEnabled(running)
        if running:
            self._clock.start()
            self._say_state("Waiting for a connection…")
            self._say("running…")
        else:
            self._clock.stop()

    def _say_state(self, text: str) -> None:
        """Show what is under way, unless it is over before the clock ticks: in a narrow window the text takes a row."""
        self._doing = text
        if not text or self._state.text():
            self._state.setText(text)

    def _tick(self) -> None:
        self._state.setText(self._doing)
        known = sum(rows.known for rows in self._rows if rows.state is State.MORE)
        soon = f" · {human_count(known)} rows so far" if known else ""
        self._say(f"running · {time.perf_counter() - self._began:.1f} s{soon}")

    def _clear_results(self) -> None:
        self._models.clear()
        self._sent.clear()
        self._said.clear()
        self._dropped = 0
        while self.results.count():
            if (grid := self.results.widget(0)) is not None:
                grid.deleteLater()
            self.results.removeTab(0)
        self._close_rows()
        self._empty.say("clock", "Running", "")
        self._below.setCurrentWidget(self._empty)

    def _close_rows(self) -> None:
        for rows in self._rows:
            self._close_later(rows)
        self._rows.clear()

    def _close_later(self, rows: Rows) -> None:
        """Close the file of a result, which may take the system a moment."""
        self._jobs.call(rows.close, name="close a result")

    def _name_current(self) -> None:
        """Keep the name query.grid with the result that is shown."""
        for index in range(self.results.count()):
            here = index == self.results.currentIndex()
            if (grid := self.results.widget(index)) is not None:
                grid.setObjectName("query.grid" if here else f"query.grid.{index + 1}")

    def _tell_text_refused(self, words: str) -> None:
        self._tell("warning", words)

    def _tell_of_file(self, kind: str, title: str, detail: str, actions: object) -> None:
        """Say what a file has to say; nothing once it is settled."""
        if kind:
            self._tell(kind, title, detail, "", actions)
        else:
            self._clear_message()

    def _tell(self, kind: str, title: str, detail: str = "", hint: str = "", actions: object = ()) -> None:
        self.message.show_message(kind, plain.one_line(title), detail, hint, actions)  # type: ignore[arg-type]
        self._messages.setVisible(True)

    def _clear_message(self) -> None:
        self.message.clear()
        self._messages.setVisible(False)

    def _say(self, text: str) -> None:
        self.status = text
        self.status_changed.emit(text)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _at(text: str, position: int) -> Statement | None:
    """Return the statement in which, or before whose end, *position* lies; else the last one. Reads no further."""
    found = None
    for found in statements(text):
        if position <= max(found.end + 1, found.stop):
            break
    return found
