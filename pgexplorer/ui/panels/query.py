"""The query panel: SQL run on a worker through the pool, a grid for each result, errors at their place."""

from collections.abc import Iterator

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.formatting import Formatted, formatted
from pgexplorer.db.parameters import Filled, Wanted, fill, wanted, with_types
from pgexplorer.db.plans.explain import STAYS, Explain, Options
from pgexplorer.db.profile import Environment
from pgexplorer.db.query import ROW_LIMIT, Query
from pgexplorer.db.risk import Risk, risks
from pgexplorer.db.session import Pin, SessionLost
from pgexplorer.db.statements import Statement, statements
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.result_model import ResultModel
from pgexplorer.server import Server
from pgexplorer.ui import icons, theme
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.confirm_dialog import confirm_on_production
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.sql.commands import POSTGRESQL, add_commands
from pgexplorer.ui.sql.document import SqlDocument
from pgexplorer.ui.sql.explain import Explainer, agreed
from pgexplorer.ui.sql.kept_session import KeptSession
from pgexplorer.ui.sql.parameter_dialog import ParameterDialog
from pgexplorer.ui.sql.result_tabs import ResultTabs
from pgexplorer.ui.sql.run_log import RunLog
from pgexplorer.ui.sql.run_report import RunReport
from pgexplorer.ui.sql.session_bar import SessionBar
from pgexplorer.ui.transfer.export_dialog import export_query
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.flow_layout import FlowLayout
from pgexplorer.ui.widgets.spin_box import SpinBox
from pgexplorer.ui.widgets.sql_editor import SqlEditor
from pgexplorer.ui.widgets.tall import Tall


class QueryPanel(Panel):
    """An editor over its results.

    The connection is borrowed for a run and given back at the last row, unless something of the text lives in it: then
    the tab keeps it, says why, and gives it back when that is gone or the person says so.
    """

    TITLE = "SQL"
    ICON = "terminal"
    status_changed = Signal(str)
    statement_ended = Signal(object)  # history.Entry

    def __init__(self, server: Server, jobs: Jobs, name: str, parent: QWidget | None = None) -> None:
        super().__init__("query", parent)
        self.name = name
        self.status = ""
        self._server = server
        self._jobs = jobs
        self._job: Job | None = None
        self._query: Query | Explain | None = None
        self._stopping: Job | None = None
        self._values: dict[str, str | None] = {}  # of parameters, as they were given last
        self._filled: Filled | None = None  # the text of the run where parameters were filled in
        # The text of the last run, where it began, and how it was explained where it was only that.
        self._last: tuple[str, int, Options | None] = ("", 0, None)
        self._wish = 0  # which Run is the last: what an earlier one was still asked about is dropped
        self.editor = SqlEditor(POSTGRESQL)
        self.editor.setPlaceholderText("Write SQL, then run it with Ctrl+Enter")
        self.editor.setObjectName("query.editor")
        self.editor.setAccessibleName("SQL editor")
        self.editor.setProperty("flat", True)
        self.editor.refused.connect(self._tell_text_refused)
        self.document = SqlDocument(self.editor, jobs, name)
        self.document.told.connect(self._tell_of_file)
        self.results = ResultTabs(jobs)
        self.results.export_wanted.connect(self.export)
        self.results.copied.connect(self._tell_copied)
        self.results.copy_refused.connect(self._tell_refused)
        self.log = RunLog("query")
        self.log.hide()
        self.log.changed.connect(self._count_said)
        self.kept = KeptSession(self, server, jobs, name)
        self.kept.told.connect(self._tell)
        self.kept.failed.connect(self._tell_failure)
        self.kept.heard.connect(self.log.notify)
        self.session_bar.begin_wanted.connect(lambda: self._do("BEGIN"))
        self.session_bar.commit_wanted.connect(lambda: self._do("COMMIT"))
        self.session_bar.rollback_wanted.connect(lambda: self._do("ROLLBACK"))
        self._empty = EmptyState(
            "play", "No result yet", "Ctrl+Enter runs the selection or the statement at the caret, F5 everything."
        )
        self._below = QStackedWidget()
        self._below.addWidget(self._empty)
        self._below.addWidget(self.results)
        self.report = RunReport(server, self.editor, self.log, self.message, self._below, self.results, self._empty)
        self.report.told.connect(self._tell)
        self.report.said.connect(self._say)
        self.report.doing.connect(self._say_state)
        self.report.more_wanted.connect(self._fetch_more)
        self.report.statement_ended.connect(self.statement_ended)
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
                Action(
                    "query.explain",
                    "Explain",
                    self.explain,
                    "F7",
                    "explain",
                    "Show the plan of the selection, or of the statement at the caret; nothing is run",
                ),
                Action(
                    "query.explain_analyze",
                    "Explain analyze",
                    self.explain_analyze,
                    "Shift+F7",
                    "explain",
                    "Run the statement, measure its plan, and roll it back; asks before something is written",
                ),
                Action("query.open", "Open file…", self.document.open, "Ctrl+O", "folder-open"),
                Action("query.save", "Save", self.document.save, "Ctrl+S", "save", "Save the text to its file"),
                Action("query.save_as", "Save as…", self.document.save_as, "Ctrl+Shift+S"),
                Action(
                    "query.format", "Format", self.format, "Ctrl+Shift+L", "format", "Lay out the selection, or all"
                ),
                Action("query.export", "Export…", self.export, "Ctrl+E", "download", "Write the result to a file"),
                Action("query.pin", "Pin the result", self.results.pin_current, "Ctrl+Shift+J", "pin"),
                Action("query.log", "Messages", self._toggle_log, "Ctrl+Shift+M", "list", "What the server said"),
            ]
        )
        self._go_on = self._switch("query.go_on", "Go on after an error")
        self._explainer = Explainer(self, server, jobs, self._explain_again)
        self._explainer.told.connect(self._tell)
        self._commands = add_commands(self, self.editor)
        self.action("query.cancel").setEnabled(False)
        self.limit = SpinBox(minimum=1, maximum=ROW_LIMIT, value=ROW_LIMIT, suffix=" rows")
        self.limit.setObjectName("query.limit")
        self.limit.setAccessibleName("Row limit")
        self.limit.setToolTip("A result is read to its end, or to so many rows; what a limit cuts is always said.")
        self.limit.setGroupSeparatorShown(True)
        self.limit.setMaximumWidth(theme.scaled(152))
        self.limit.setStepType(SpinBox.StepType.AdaptiveDecimalStepType)
        self._doing = ""  # what is under way, in words
        self._state = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._state.setProperty("muted", True)
        self._state.hide()
        self._clock = QTimer(self, interval=200)
        self._clock.timeout.connect(self._tick)
        self._lay_out()

    def _lay_out(self) -> None:
        # From the outside to the inside: Qt styles what is put into a widget again, with all that is in it.
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        split = QSplitter(Qt.Orientation.Vertical, self)
        whole.addWidget(split)
        top, bottom = Tall(split), QWidget(split)
        column, lower = QVBoxLayout(top), QVBoxLayout(bottom)
        for each in (column, lower):
            each.setContentsMargins(0, 0, 0, 0)
            each.setSpacing(0)
        column.addLayout(self._tools())
        column.addWidget(self.session_bar)
        column.addWidget(self.editor, 1)
        self._messages = messages = QWidget(bottom)
        lower.addWidget(messages)
        inner = QVBoxLayout(messages)
        inner.setContentsMargins(10, 6, 10, 6)
        inner.addWidget(self.message)
        results = QSplitter(Qt.Orientation.Vertical, bottom)
        lower.addWidget(results, 1)
        results.addWidget(self._below)
        results.addWidget(self.log)
        for splitter, sizes in ((results, [300, 140]), (split, [240, 420])):
            splitter.setSizes(sizes)
            splitter.setChildrenCollapsible(False)
        messages.setVisible(False)
        self.message.closed.connect(messages.hide)

    def _tools(self) -> QHBoxLayout:
        """Return the row of buttons."""
        tools = QHBoxLayout()
        tools.setContentsMargins(10, 8, 10, 8)
        tools.setSpacing(8)
        bar = FlowLayout(spacing=8, row_spacing=6)
        tools.addLayout(bar, 1)
        bar.addWidget(button(self.action("query.run"), "query.run", style="primary"))
        bar.addWidget(button(self.action("query.run_all"), "query.run_all"))
        bar.addWidget(button(self.action("query.cancel"), "query.cancel"))
        bar.addWidget(button(self.action("query.export"), "query.export", style="icon_only", text=""))
        bar.addWidget(self._explainer.button())
        bar.addWidget(self.session_bar.begin_button)
        bar.addWidget(self.limit)
        self._log_button = button(self.action("query.log"), "query.log_button", style="quiet", text="")
        bar.addWidget(self._log_button)
        bar.addWidget(self._state)
        tools.addWidget(self._more_button(), 0, Qt.AlignmentFlag.AlignTop)
        return tools

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

    def explain(self) -> None:
        """Show the plan of the selection, or of the statement at the caret. Nothing is run."""
        self._run(*self._to_run(), self._explainer.options(analyze=False))

    def explain_analyze(self) -> None:
        """Run the selection, or the statement at the caret, to measure its plan, and roll it back."""
        self._run(*self._to_run(), self._explainer.options(analyze=True))

    def _explain_again(self, options: Options) -> None:
        text, offset, _ = self._last
        self._run(text, offset, options)

    def _run(self, text: str, offset: int, explained: Options | None = None) -> None:
        if self._job is not None:
            return
        self.editor.clear_error()
        self._clear_message()
        self._filled = None
        self._last = text, offset, explained
        self._wish += 1
        if self._server.in_use is not None and (values := wanted(text)):
            self._ask_values(text, offset, values, explained)
        else:
            self._guarded(text, offset, explained)

    def _guarded(self, text: str, offset: int, explained: Options | None) -> None:
        """Run *text*, or explain it; on production what does more than read is asked about first."""
        asked_for, wish = self._last, self._wish

        def go(how: Options | None) -> None:
            if self._job is None:
                self._start(text, offset, self.limit.value(), how)
                self._last = asked_for

        def judged(found: list[Risk]) -> None:
            if wish != self._wish:
                return
            # What is analyzed and writes would be asked about once more: one answer is enough.
            how = agreed(explained) if explained is not None and found else explained
            undone = [STAYS] if explained is not None and found else []
            lines = [*(each.words for each in found), *undone]
            confirm_on_production(self, self._server, lines, lambda: go(how))

        in_use = self._server.in_use
        only_estimates = explained is not None and not explained.analyze
        if in_use is not None and in_use.profile.environment is Environment.PRODUCTION and not only_estimates:
            self._jobs.call(lambda: risks(text), name="look at a text", done=judged)
        else:
            go(explained)

    def _ask_values(self, text: str, offset: int, values: list[Wanted], explained: Options | None) -> None:
        """Ask the server for the types of the parameters, then the person for their values, then run."""
        session = self.kept.session()
        assert session is not None
        wish = self._wish

        def asked(found: list[Wanted]) -> None:
            if wish != self._wish:
                return
            dialog = ParameterDialog(self, found, self._values)

            def done(code: int) -> None:
                dialog.deleteLater()
                if code == QDialog.DialogCode.Accepted and self._job is None:
                    self._values |= dialog.values()
                    types = {each.name: each.type_name for each in found}
                    self._filled = fill(text, self._values, types)
                    self._guarded(self._filled.text, offset, explained)

            dialog.finished.connect(done)
            dialog.open()

        self._jobs.call(
            lambda: with_types(session, text, values), name="types of parameters", done=asked, failed=self._failed
        )

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

    def _start(self, text: str, offset: int, row_limit: int, explained: Options | None = None) -> None:
        self._last = text, offset, explained
        session = self.kept.session()
        if session is None:
            self._tell("info", "Not connected", "", "Connect first; the text is kept.")
            return
        if explained is not None:
            self.report.place(offset, row_limit, self._filled)
            self.report.explains(self._explainer, explained)
            if (explain := self._explainer.explain(session, text, offset, self.name, explained)) is not None:
                self._begin(explain)
            return
        query = self._query = self._server.query(
            text, self.name, row_limit=row_limit, offset=offset, session=session, go_on=self._go_on.isChecked()
        )
        self.report.clear()
        QTimer.singleShot(0, self, self.results.make_grid)
        self.report.place(offset, row_limit, self._filled)
        self._begin(query)

    def _do(self, text: str) -> None:
        """Run a statement of the transaction's; the results stay."""
        session = self.kept.session()
        if self._job is not None or session is None:
            return
        self._clear_message()
        self._begin(self._server.query(text, self.name, session=session))

    def _begin(self, query: Query | Explain) -> None:
        self._query = query
        self.report.begin()
        self._set_running(True)

        def ended() -> None:
            if self._job is job:  # not one that was given up while it waited for a connection
                self._ended()

        job = self._job = self._jobs.start(
            query.run, name=self.name, yielded=self.report.hear, failed=self._failed, ended=ended
        )

    def export(self) -> None:
        """Write the result that is shown to a file: its rows, the selected ones, or all of its query run again.

        Without a result, what Run would run.
        """
        model = self.results.current_model()
        if model is None:
            text = self._to_run()[0]
            if text.strip():
                export_query(self, self._server, self._jobs, text)
            else:
                self._tell("info", "There is nothing to export", "", "Run a query, or write one.")
            return
        sql, rows, picked = self.results.current_sql(), model.rows(), self.results.picked()
        export_query(self, self._server, self._jobs, sql, rows, picked)

    def cancel(self) -> None:
        """End what runs: cancel, then terminate, then abandon. The button stays usable all the while."""
        if (query := self._query) is None or self._job is None:
            return
        if self._stopping is not None and self._stopping.is_running:
            return

        def work() -> Iterator[str]:
            yield from query.stop()

        if self.report.started is None:
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
            ["query.go_on", "query.pin", "query.log"],
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
        self.results.leave()
        self.kept.leave()

    @override
    def may_leave(self) -> bool:
        return self.kept.may_leave()

    def current_model(self) -> ResultModel | None:
        """Return the rows of the result that is shown."""
        return self.results.current_model()

    @property
    def pin(self) -> Pin | None:
        """What the tab keeps in its backend between two runs."""
        return self.kept.pin

    @property
    def session_bar(self) -> SessionBar:
        """The bar that says what is kept."""
        return self.kept.bar

    def unpin(self) -> None:
        """Give the kept connection back, when the person agrees to what is lost."""
        self.kept.unpin()

    def _toggle_log(self) -> None:
        self.log.setVisible(not self.log.isVisible())

    def _count_said(self) -> None:
        count = self.log.notices + self.log.heard
        self._log_button.setText(f"{count:,}" if count else "")
        words = f"Messages ({count:,})" if count else "Messages"
        self._log_button.setAccessibleName(words)

    def _switch(self, name: str, words: str) -> QAction:
        """Make an action that is on or off."""
        action = QAction(words, self, checkable=True)
        action.setObjectName(f"action.{name}")
        self.actions_by_name[name] = action
        return action

    def _tell_copied(self, cells: int) -> None:
        self._say(f"copied {cells:,} cell{'' if cells == 1 else 's'}")

    def _tell_refused(self, cells: int) -> None:
        hint = "Export it: that has no limit, and takes what is selected."
        title = f"Not copied ({cells:,} cells): this is too large for a clipboard, or not here any more."
        self._tell("warning", title, "", hint, [("Export…", self.export)])

    def _failed(self, error: Exception) -> None:
        if isinstance(error, SessionLost):
            self.kept.tell_lost(error.pin)
            self._empty.say("info", "Nothing was sent", "The message above says why.")
            self._say("")
            return
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
        self.report.end()
        self._explainer.ended()

    def _fetch_more(self) -> None:
        """Run the SELECT that was cut again, as it was sent, with a larger limit."""
        started, limit = self.report.started, self.report.may_grow
        if self._job is None and started is not None and limit:
            self._clear_message()
            self._start(started.statement.text, self.report.began_at, limit)

    def _set_running(self, running: bool) -> None:
        for name in ("query.run", "query.run_all", "query.explain", "query.explain_analyze"):
            self.action(name).setEnabled(not running)
        self.action("query.cancel").setEnabled(running)
        self.kept.set_running(running)
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
            self._show_state(text)

    def _show_state(self, text: str) -> None:
        self._state.setText(text)
        self._state.setVisible(bool(text))

    def _tick(self) -> None:
        self._show_state(self._doing)
        self.report.tick()

    def _tell_text_refused(self, words: str) -> None:
        self._tell("warning", words)

    def _tell_of_file(self, kind: str, title: str, detail: str, actions: object) -> None:
        """Say what a file has to say; nothing once it is settled."""
        if kind:
            self._tell(kind, title, detail, "", actions)
        else:
            self._clear_message()

    def _tell_failure(self, error: Exception) -> None:
        show_failure(self.message, error, self._server)
        self._messages.setVisible(True)

    def _tell(self, kind: str, title: str, detail: str = "", hint: str = "", actions: object = ()) -> None:
        self.message.show_message(kind, plain.one_line(title), detail, hint, actions)  # type: ignore[arg-type]
        self._messages.setVisible(True)

    def _clear_message(self) -> None:
        self.message.clear()
        self._messages.setVisible(False)

    def _say(self, text: str) -> None:
        self.status = text
        self.status_changed.emit(text)


def _at(text: str, position: int) -> Statement | None:
    """Return the statement in which, or before whose end, *position* lies; else the last one. Reads no further."""
    found = None
    for found in statements(text):
        if position <= max(found.end + 1, found.stop):
            break
    return found
