"""What comes of a run of SQL, told where it belongs: the result tabs, the log, the message, the history, the status."""

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QStackedWidget

from pgexplorer.db.parameters import Filled
from pgexplorer.db.plans.explain import Explained, Options, WouldWrite
from pgexplorer.db.plans.explain import News as ExplainNews
from pgexplorer.db.query import ROW_LIMIT, Done, Failed, Kept, News, Notices, Result, RolledBack, Started
from pgexplorer.db.values import human_bytes, human_count
from pgexplorer.history import Entry
from pgexplorer.server import Server
from pgexplorer.ui.sql.explain import Explainer
from pgexplorer.ui.sql.result_tabs import ResultTabs
from pgexplorer.ui.sql.run_log import RunLog
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.message_bar import MessageBar
from pgexplorer.ui.widgets.sql_editor import SqlEditor

_MOST_NOTICES = 200  # said in the message; the log has more


class RunReport(QObject):
    """The part of a SQL panel that hears a run's news. *empty* and *results* are the pages of *below*."""

    told = Signal(str, str, str, str, object)  # kind, title, detail, hint, buttons of the message
    said = Signal(str)  # the status: what the run has come to
    doing = Signal(str)  # what is under way
    more_wanted = Signal()  # the SELECT that a limit cut, with a larger one
    statement_ended = Signal(object)  # history.Entry

    def __init__(
        self,
        server: Server,
        editor: SqlEditor,
        log: RunLog,
        message: MessageBar,
        below: QStackedWidget,
        results: ResultTabs,
        empty: EmptyState,
    ) -> None:
        super().__init__(below)
        self._server = server
        self._editor = editor
        self._log = log
        self._message = message
        self._below = below
        self._results = results
        self._empty = empty
        self.started: Started | None = None  # the statement that ran last
        self._sent: dict[int, Started] = {}  # by statement, of the last run
        self._offset = 0  # where the text of the run begins in the editor's
        self._row_limit = ROW_LIMIT
        self._filled: Filled | None = None  # the text of the run where parameters were filled in
        self._explainer: Explainer | None = None
        self._options = Options()
        self._began = 0.0
        self._status = ""
        self._outcome = ""  # what the statement that ended last came to
        self._errors = 0
        self._first_error = ""
        self._notices: list[str] = []
        self._dropped = 0  # notices that are not shown

    # -- the run as a whole -------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin with a run: nothing of it has come yet."""
        self._sent.clear()
        self._errors = 0
        self._outcome = ""
        self._began = time.perf_counter()
        self.started = None

    def place(self, offset: int, row_limit: int, filled: Filled | None) -> None:
        """Say where the text of the run begins in the editor's, how many rows it may have, and what was filled in."""
        self._offset, self._row_limit, self._filled = offset, row_limit, filled

    def clear(self) -> None:
        """Clear what the run before has left, for one that has results."""
        self._notices.clear()
        self._dropped = 0
        self._results.begin()
        self._log.begin()
        self._empty.say("clock", "Running", "")
        self._below.setCurrentWidget(self._results if self._results.count() else self._empty)

    def explains(self, explainer: Explainer, options: Options) -> None:
        """Say who shows the plan of the run, and how it was asked for."""
        self._explainer, self._options = explainer, options

    def tick(self) -> None:
        """Say how long the run has taken and how many rows came."""
        known = self._results.coming
        soon = f" · {human_count(known)} rows so far" if known else ""
        self._say(f"running · {time.perf_counter() - self._began:.1f} s{soon}")

    def end(self) -> None:
        """Say once more what it came to: the clock may have ticked between the last news and this."""
        if self._outcome:
            self._say(self._outcome)

    def hear(self, news: News | ExplainNews) -> None:
        """Tell one piece of news."""
        match news:
            case Started():
                self.started = self._sent[news.index] = news
                count = f"statement {news.index + 1} of {news.of} " if news.of > 1 else ""
                self.doing.emit(f"Running {count}on backend {news.pid}…")
            case Result():
                self._show_rows(news)
            case Explained():
                self._show_plan(news)
                self._outcome = self._status
            case WouldWrite():
                self._log_end(news.index, "", -1, time.perf_counter() - self._began, news.words)
                self._say("nothing was changed")
                self._outcome = self._status
                if self._explainer is not None:
                    self._explainer.refused(news, self._options)
            case Done():
                self._show_done(news)
                self._outcome = self._status
            case Notices():
                self._show_notices(news)
            case Failed():
                self._show_failed(news)
                self._outcome = self._status
            case RolledBack():
                self._tell(
                    "warning",
                    "The transaction was rolled back",
                    "The text left it open, and the connection went back to the pool.",
                    "Run BEGIN … COMMIT as one text: each run borrows a connection and returns it.",
                )
            case Kept():
                pass  # told when the run has ended

    @property
    def may_grow(self) -> int:
        """The rows for which the run may be sent again: one plain SELECT alone ever is. 0 where it may not."""
        started = self.started
        if started is None or started.of > 1 or not started.statement.pages or self._row_limit >= ROW_LIMIT:
            return 0
        return min(self._row_limit * 10, ROW_LIMIT)

    @property
    def began_at(self) -> int:
        """Where the statement that ran last begins in the editor's text."""
        return self._offset + (self.started.statement.start if self.started is not None else 0)

    # -- its parts ----------------------------------------------------------------------------------------------

    def _show_rows(self, news: Result) -> None:
        started = self._sent.get(news.index)
        if self._results.show_result(news, started.statement.text if started is not None else ""):
            self._below.setCurrentWidget(self._results)
        else:
            self._tell("warning", "Further results are not shown: there are too many tabs.", "All statements ran.")

    def _show_plan(self, news: Explained) -> None:
        if self._explainer is None:
            return
        took = time.perf_counter() - self._began
        self._results.show_plan(self._explainer.shown(news), news.plan.sql)
        self._below.setCurrentWidget(self._results)
        self._log_end(news.index, "EXPLAIN", -1, took)
        self._say(f"plan · {_ms(took)}")

    def _show_notices(self, news: Notices) -> None:
        self._log.notice(news.lines, news.dropped)
        self._dropped += news.dropped + max(0, len(self._notices) + len(news.lines) - _MOST_NOTICES)
        self._notices = [*self._notices, *news.lines][-_MOST_NOTICES:]
        earlier = [f"… {self._dropped:,} earlier notices are not shown"] if self._dropped else []
        title = "The server says" if not self._message.isVisible() else self._message.text().partition("\n")[0]
        self._tell("info", title, "\n".join([*earlier, *self._notices]))

    def _show_done(self, done: Done) -> None:
        times = f"first rows {_ms(done.first_s)} · all {_ms(done.total_s)}" if done.has_rows else _ms(done.total_s)
        self._log_end(done.index, done.status, done.rows, done.total_s)
        if done.has_rows:
            model = self._results.model_of(done.index)
            rows = f"{_rows(done.rows)}" if done.rows else "no rows"
            if model is not None and not model.columns():
                rows = f"{_rows(done.rows)} without columns"
            if not done.complete:
                rows = f"first {_rows(done.rows)} (limit)"
                self._results.mark_incomplete(done.index)
                self._tell_cut(done)
            self._results.end(done, f"{rows} · {times}")
            self._say(f"{rows} · {times}")
            return
        changed = _rows(done.rows) if done.rows >= 0 else done.status
        self._say(f"{done.status} · {times}")
        if not self._results.has_new:
            self._empty.say("success", done.status, changed if changed != done.status else "")
            if not self._results.count():
                self._below.setCurrentWidget(self._empty)

    def _log_end(self, index: int, status: str, rows: int, seconds: float, error: str = "") -> None:
        """Write what came of a statement into the log and the history."""
        started = self._sent.get(index)
        if started is None:
            return
        at = f"{index + 1}/{started.of}  " if started.of > 1 else ""
        words = error or status
        count = f" · {_rows(rows)}" if rows >= 0 and not error else ""
        self._log.say(f"{at}{words}{count} · {_ms(seconds)}  {plain.one_line(started.statement.text, 80)}")
        server = self._server.in_use.profile.address if self._server.in_use is not None else ""
        self.statement_ended.emit(
            Entry(started.statement.text, time.time(), server, seconds, rows, "" if error else status, error)
        )

    def _tell_cut(self, done: Done) -> None:
        """Say that a limit cut a result, what that means, and what can be done."""
        more: list[tuple[str, Callable[[], None]]] = []
        if limit := self.may_grow:
            more = [(f"Run it again for {limit:,} rows", self.more_wanted.emit)]
        model = self._results.model_of(done.index)
        size = model.rows().size if model is not None else 0
        self._tell(
            "info",
            f"The first {_rows(done.rows)} are shown; there are more.",
            f"{done.why} The statement was ended there, as a cancel ends it: what its functions changed is undone. "
            f"The rows take {human_bytes(size)} on the disk.",
            "" if more else "Ask for less: a WHERE, a LIMIT, or fewer columns.",
            more,
        )

    def _show_failed(self, failed: Failed) -> None:
        self._errors += 1
        took = time.perf_counter() - self._began
        self._log_end(failed.index, "", -1, took, "cancelled" if failed.cancelled else failed.error.heading)
        if self._errors > 1:
            self._tell("error", f"{self._errors} statements failed; the first: {self._first_error}", "The log has all.")
            return
        self._first_error = failed.error.heading
        where = f"Statement {failed.index + 1} of {failed.of}: " if failed.of > 1 else ""
        if failed.cancelled:
            self._tell("warning", f"{where}cancelled".capitalize(), failed.error.title, failed.error.hint)
        else:
            self._tell("error", f"{where}{failed.error.heading}", failed.error.detail, failed.error.hint)
        if failed.error.position is not None and not failed.cancelled:
            at = failed.error.position
            if self._filled is not None:
                at = self._filled.back(at - self._offset) + self._offset
            self._editor.mark_error(at)
        word = "stopped" if failed.cancelled else "failed"
        if failed.kept:
            self._results.mark_incomplete(failed.index)
            self._say(f"{word} after {_rows(failed.kept)}: the result is incomplete")
        else:
            self._say("cancelled" if failed.cancelled else "failed")
        if not self._results.has_new:
            self._empty.say("stop" if failed.cancelled else "error", "No result", "The message above says why.")

    def _tell(self, kind: str, title: str, detail: str = "", hint: str = "", actions: object = ()) -> None:
        self.told.emit(kind, title, detail, hint, actions)

    def _say(self, text: str) -> None:
        self._status = text
        self.said.emit(text)


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
