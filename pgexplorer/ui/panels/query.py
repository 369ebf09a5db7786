"""The query panel: SQL run on a worker through the pool, a grid for each result, errors at their place."""

import time
from collections.abc import Iterator

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QColor, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QSplitter,
    QStackedWidget,
    QTabWidget,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.query import ROW_LIMIT, Done, Failed, News, Notices, Page, Query, RolledBack, Started
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.result_model import ResultModel
from pgexplorer.server import Server
from pgexplorer.ui import theme
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.grid import Grid

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
        self._said: list[str] = []
        self._dropped = 0  # notices that are not shown
        self.editor = QPlainTextEdit(placeholderText="Write SQL, then run it with Ctrl+Enter")
        self.editor.setObjectName("query.editor")
        self.editor.setAccessibleName("SQL editor")
        self.editor.setProperty("mono", True)
        self.editor.setProperty("flat", True)
        self.editor.setTabChangesFocus(False)
        self.editor.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.editor.document().setDocumentMargin(theme.scaled(8))
        self.editor.textChanged.connect(self._unmark)
        self.results = QTabWidget(documentMode=True)
        self.results.setObjectName("query.results")
        self.results.setAccessibleName("Results")
        self.results.currentChanged.connect(self._name_current)
        self._empty = EmptyState("play", "No result yet", "Ctrl+Enter runs the selection, or everything.")
        self._below = QStackedWidget()
        self._below.addWidget(self._empty)
        self._below.addWidget(self.results)
        self.add_actions(
            [
                Action("query.run", "Run", self.run, "Ctrl+Return; Ctrl+Enter; F5", "play", "Run selection, or all"),
                Action("query.cancel", "Cancel", self.cancel, "Ctrl+.", "stop", "Cancel what runs"),
            ]
        )
        self.action("query.cancel").setEnabled(False)
        self._state = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._state.setProperty("muted", True)
        self._clock = QTimer(self, interval=200)
        self._clock.timeout.connect(self._tick)
        self._lay_out()

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(10, 8, 10, 8)
        bar.setSpacing(8)
        bar.addWidget(button(self.action("query.run"), "query.run", style="primary"))
        bar.addWidget(button(self.action("query.cancel"), "query.cancel"))
        bar.addWidget(self._state)
        bar.addStretch(1)
        top = QWidget()
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
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
        """Run the selection, or the whole text."""
        if self._job is not None:
            return
        cursor = self.editor.textCursor()
        # QTextCursor.selectedText has U+2029 for line breaks; the document's own text is sent as typed.
        start = _code_points(self.editor.toPlainText(), cursor.selectionStart()) if cursor.hasSelection() else 0
        text = self.editor.toPlainText()
        if cursor.hasSelection():
            text = text[start : _code_points(text, cursor.selectionEnd())]
        self._unmark()
        self._clear_message()
        self._start(text, start, ROW_LIMIT)

    def _start(self, text: str, offset: int, row_limit: int) -> None:
        if self._server.in_use is None:
            self._tell("info", "Not connected", "", "Connect first; the text is kept.")
            return
        query = self._query = self._server.query(text, self.name, row_limit=row_limit, offset=offset)
        self._clear_results()
        self._began = time.perf_counter()
        self._set_running(True)
        self._offset, self._started = offset, None

        def ended() -> None:
            if self._job is job:  # not one that was given up while it waited for a connection
                self._ended()

        job = self._job = self._jobs.start(
            query.run, name=self.name, yielded=self._hear, failed=self._failed, ended=ended
        )

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
        self._stopping = self._jobs.start(work, name=f"cancel {self.name}", yielded=self._state.setText)

    @override
    def leave(self) -> None:
        self.cancel()
        if self._job is not None:
            self._job.ignore()
            self._job = None

    def current_model(self) -> ResultModel | None:
        """Return the rows of the result that is shown."""
        grid = self.results.currentWidget()
        model = grid.model() if isinstance(grid, Grid) else None
        return model if isinstance(model, ResultModel) else None

    def _hear(self, news: News) -> None:
        match news:
            case Started():
                self._started = news
                count = f"statement {news.index + 1} of {news.of} " if news.of > 1 else ""
                self._state.setText(f"Running {count}on backend {news.pid}…")
            case Page():
                self._show_page(news)
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

    def _show_page(self, page: Page) -> None:
        model = self._models.get(page.index)
        if model is None:
            if self.results.count() >= _MOST_TABS:
                self._tell("warning", f"The results after the {_MOST_TABS}th are not shown.", "All statements ran.")
                return
            model = self._models[page.index] = ResultModel(self)
            grid = Grid()
            grid.setAccessibleName(f"Result {page.index + 1}")
            model.append(page.columns, page.rows)
            grid.setModel(model)
            self.results.addTab(grid, f"Result {len(self._models)}")
            self.results.setCurrentWidget(grid)
            self._below.setCurrentWidget(self.results)
            grid.fit_columns()
        else:
            model.append(page.columns, page.rows)

    def _show_done(self, done: Done) -> None:
        times = f"first rows {_ms(done.first_s)} · all {_ms(done.total_s)}" if done.has_rows else _ms(done.total_s)
        if done.has_rows:
            rows = f"{done.rows:,} row{'' if done.rows == 1 else 's'}"
            if not done.complete:
                rows = f"first {done.rows:,} rows"
                self._tell(
                    "info",
                    f"The first {done.rows:,} rows are shown; there are more.",
                    "",
                    "",
                    [(f"Run it again for {done.rows * 10:,} rows", self._fetch_more)] if self._can_run_again() else [],
                )
            if (model := self._models.get(done.index)) and not model.columns():
                rows = f"{rows} without columns"
            self._say(f"{rows} · {times}")
        else:
            changed = f"{done.rows:,} row{'' if done.rows == 1 else 's'}" if done.rows >= 0 else done.status
            self._say(f"{done.status} · {times}")
            if not self._models:
                self._empty.say("success", done.status, changed if changed != done.status else "")
                self._below.setCurrentWidget(self._empty)
        if not self._models.get(done.index) or self._models[done.index].rowCount():
            return
        if self._models[done.index].columns():
            self._say(f"no rows · {times}")

    def _show_failed(self, failed: Failed) -> None:
        where = f"Statement {failed.index + 1} of {failed.of}: " if failed.of > 1 else ""
        if failed.cancelled:
            self._tell("warning", f"{where}cancelled".capitalize(), failed.error.title, failed.error.hint)
        else:
            self._tell("error", f"{where}{failed.error.heading}", failed.error.detail, failed.error.hint)
        if failed.error.position is not None and not failed.cancelled:
            self._mark(failed.error.position)
        self._say("cancelled" if failed.cancelled else "failed")
        if not self._models:
            self._empty.say("stop" if failed.cancelled else "error", "No result", "The message above says why.")

    def _failed(self, error: Exception) -> None:
        show_failure(self.message, error, self._server, self.run)
        self._messages.setVisible(True)
        title = "Nothing was sent" if isinstance(error, RefusedSql) else "No result"
        self._empty.say("info", title, "The message above says why.")
        self._say("")

    def _ended(self) -> None:
        self._job = self._query = None
        self._set_running(False)
        self._state.setText("")

    def _can_run_again(self) -> bool:
        """Whether the run was one plain SELECT: nothing else is ever run a second time."""
        return self._started is not None and self._started.of == 1 and self._started.statement.pages

    def _fetch_more(self) -> None:
        """Run the SELECT that was cut again, as it was sent, with a larger limit."""
        if self._job is not None or self._started is None:
            return
        statement = self._started.statement
        shown = max((model.rowCount() for model in self._models.values()), default=ROW_LIMIT)
        self._clear_message()
        self._start(statement.text, self._offset + statement.start, shown * 10)

    def _set_running(self, running: bool) -> None:
        self.action("query.run").setEnabled(not running)
        self.action("query.cancel").setEnabled(running)
        if running:
            self._clock.start()
            self._state.setText("Waiting for a connection…")
            self._say("running…")
        else:
            self._clock.stop()

    def _tick(self) -> None:
        self._say(f"running · {time.perf_counter() - self._began:.1f} s")

    def _clear_results(self) -> None:
        self._models.clear()
        self._said.clear()
        self._dropped = 0
        while self.results.count():
            if (grid := self.results.widget(0)) is not None:
                grid.deleteLater()
            self.results.removeTab(0)
        self._empty.say("clock", "Running", "")
        self._below.setCurrentWidget(self._empty)

    def _name_current(self) -> None:
        """Keep the name query.grid with the result that is shown."""
        for index in range(self.results.count()):
            here = index == self.results.currentIndex()
            if (grid := self.results.widget(index)) is not None:
                grid.setObjectName("query.grid" if here else f"query.grid.{index + 1}")

    def _mark(self, position: int) -> None:
        """Underline the word at *position* and put the caret there."""
        cursor = self.editor.textCursor()
        cursor.setPosition(
            min(_units(self.editor.toPlainText(), position), self.editor.document().characterCount() - 1)
        )
        self.editor.setTextCursor(cursor)
        cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        if not cursor.hasSelection():
            cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor)
        mark = QTextEdit.ExtraSelection()
        look = QTextCharFormat()
        look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        look.setUnderlineColor(QColor(theme.colour("bad")))
        look.setBackground(theme.colour("bad_soft"))
        mark.format, mark.cursor = look, cursor  # type: ignore[attr-defined]
        self.editor.setExtraSelections([mark])

    def _unmark(self) -> None:
        self.editor.setExtraSelections([])

    def _tell(self, kind: str, title: str, detail: str = "", hint: str = "", actions: object = ()) -> None:
        self.message.show_message(kind, plain.one_line(title), detail, hint, actions)  # type: ignore[arg-type]
        self._messages.setVisible(True)

    def _clear_message(self) -> None:
        self.message.clear()
        self._messages.setVisible(False)

    def _say(self, text: str) -> None:
        self.status = text
        self.status_changed.emit(text)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _code_points(text: str, units: int) -> int:
    """Turn Qt's UTF-16 position in *text* into Python's."""
    if text.isascii():
        return units
    return len(text.encode("utf-16-le")[: units * 2].decode("utf-16-le", "ignore"))


def _units(text: str, position: int) -> int:
    """Turn Python's position in *text* into Qt's UTF-16 one."""
    return position if text.isascii() else len(text[:position].encode("utf-16-le", "surrogatepass")) // 2
