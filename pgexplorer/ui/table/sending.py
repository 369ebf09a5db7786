"""Sending what is pending in a table: the review, the question on production, and what came of it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.table.browse import Table
from pgexplorer.db.table.changes import Slot
from pgexplorer.db.table.sending import Conflicts, Done, News, Progress, Refused, Sending, Unknown, ask_outcome
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.pending import Added, Counts, State, changes_of
from pgexplorer.models.table_model import TableModel
from pgexplorer.server import Server
from pgexplorer.ui.confirm_dialog import confirm_on_production
from pgexplorer.ui.panel import show_failure
from pgexplorer.ui.table.change_words import in_words, row_words
from pgexplorer.ui.table.conflicts import TableConflicts
from pgexplorer.ui.table.editing import TableEditing
from pgexplorer.ui.table.reader import TableReader
from pgexplorer.ui.table.review_dialog import ReviewDialog
from pgexplorer.ui.widgets.message_bar import MessageBar

_MOST_TOLD = 20  # rows that are pointed out
_MOST_ASKED = 250  # rows that are written out before they are sent to production
_NOTHING = "Nothing was changed; everything is still pending."
_Then = Callable[[], object]
_States = Mapping[Slot, State]  # what was pending


class TableSending(QObject):
    """The transaction of one table that is under way, if any. Nothing is ever sent again by itself."""

    progressed = Signal(int, int)
    sent = Signal(object)  # Counts: all is committed, and the rows show what the server made of it
    stale = Signal()  # the rows on screen are not what is in the table: read them again

    def __init__(
        self, parent: QWidget, server: Server, jobs: Jobs, reader: TableReader, editing: TableEditing, bar: MessageBar
    ) -> None:
        super().__init__(parent)
        self._parent = parent
        self._server = server
        self._jobs = jobs
        self._reader = reader
        self._editing = editing
        self._message = bar
        self._running: tuple[Sending, Job] | None = None
        self._is_stopping = False
        self._address = ""  # of the server that the rows were read from
        self._read: Table | None = None  # which the rows are of, also after the server was left
        self._then: _Then | None = None  # what was wished for once all is sent
        self.conflicts = TableConflicts(parent, editing, bar)
        self.note: Callable[[str], object] = lambda _transaction: None  # told of it before COMMIT, on a worker

    @property
    def is_running(self) -> bool:
        """Whether changes are being sent."""
        return self._running is not None

    def read_from(self, address: str) -> None:
        """Take notice of which server the rows on screen are from."""
        self._address, self._read = address, self._reader.table

    # -- what is asked before

    def review(self) -> None:
        """Show the SQL of what is pending."""
        if self._editing.is_pasting:
            self._editing.after_paste(self.review)
            return
        if (sending := self._sending()) is None:
            return
        words = self._editing.counts.words

        def done(script: str) -> None:
            dialog = ReviewDialog(self._parent, words, script)
            dialog.send_wanted.connect(self.send)
            dialog.open()

        def failed(error: Exception) -> None:
            show_failure(self._message, error, self._server, self.review)

        self._jobs.call(sending.script, name="write the SQL of changes", done=done, failed=failed)

    def settle(self, then: _Then, what: str) -> None:
        """Call *then* when nothing is pending any more: at once, or as the person answers. *what* is what was wished.

        Where the answer is Cancel, or the sending fails, *then* is never called.
        """
        self._editing.take_writing()
        if self._editing.is_pasting:
            self._message.show_message(
                "info",
                "A block is being pasted.",
                "",
                f"{what}: that goes on when it is there.",
                [("Stop pasting", self._editing.stop_pasting)],
            )
            self._editing.after_paste(lambda: self.settle(then, what))
            return
        counts = self._editing.counts
        if not counts.total:
            then()
            return
        if self.is_running:
            self._message.show_message("info", "The changes are being sent.", "", f"{what}: wait, or stop them first.")
            return
        box = QMessageBox(self._parent)
        box.setObjectName("settle")
        box.setIcon(QMessageBox.Icon.Question)
        box.setWindowTitle("Changes were not sent")
        box.setText(f"{counts.words}: not sent yet.")
        box.setInformativeText(f"{what}: send the changes first, or drop them?")
        send = box.addButton("Send", QMessageBox.ButtonRole.AcceptRole)
        drop = box.addButton("Drop changes", QMessageBox.ButtonRole.DestructiveRole)
        cancel = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
        for name, each in (("send", send), ("drop", drop), ("cancel", cancel)):
            each.setObjectName(f"settle.{name}")
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answered() -> None:
            chosen = box.clickedButton()
            box.deleteLater()
            if chosen is send:
                self.send(then)
            elif chosen is drop:
                self._editing.drop()
                then()

        box.finished.connect(answered)
        box.open()

    # -- sending

    def send(self, then: _Then | None = None) -> None:
        """Send what is pending as one transaction, on production after a question; then call *then*."""
        if self._editing.is_pasting:
            self._editing.after_paste(lambda: self.send(then))
            return
        if self._running is not None or self._sending() is None:
            return
        counts = self._editing.counts
        asked = islice(changes_of(self._model.pending.states()), _MOST_ASKED)
        lines = [f"{self._name}: {counts.words}", *in_words(asked, self._names)]
        confirm_on_production(self._parent, self._server, lines, lambda: self._go(then))

    def _go(self, then: _Then | None) -> None:
        if self._running is not None or (sending := self._sending()) is None:
            return
        self._then = then
        self._is_stopping = False
        self._model.forget_troubles()
        self._message.clear()
        counts, states = self._editing.counts, self._model.pending.states()
        outcome: list[News] = []

        def heard(news: News) -> None:
            if isinstance(news, Progress):
                self.progressed.emit(news.done, news.of)
            else:
                outcome.append(news)

        def failed(error: Exception) -> None:
            self._end()
            self._failed(error)

        def ended() -> None:
            if self._running is None or self._running[0] is not sending:
                return
            self._end()
            if outcome:
                self._came(outcome[-1], counts, states)

        self._editing.lock(True)  # before the worker begins: who keeps what is pending has it written first
        job = self._jobs.start(sending.run, name="send changes", yielded=heard, failed=failed, ended=ended)
        self._running = sending, job
        self._editing.changed.emit()
        self.progressed.emit(0, counts.total)

    def stop(self) -> None:
        """End the transaction at the server; what came of it is told as ever."""
        if self._running is not None and not self._is_stopping:
            self._is_stopping = True
            self._jobs.start(self._running[0].stop, name="stop sending", failed=lambda _error: None)

    def leave(self) -> None:
        """End the transaction, and hear no more of it: nobody will look at what comes of it."""
        if self._running is not None:
            (sending, job), self._running = self._running, None
            job.ignore()
            self._jobs.start(sending.stop, name="stop sending", failed=lambda _error: None)

    def _end(self) -> None:
        self._running = None
        self._editing.lock(False)

    def _sending(self) -> Sending | None:
        """Return the piece of work that sends what is pending now; None where that cannot be, which it says."""
        self._editing.take_writing()
        in_use, table, editable = self._server.in_use, self._reader.table or self._read, self._editing.editable
        if not self._model.pending:
            self._message.show_message("info", "Nothing is pending: write in a cell first.")
            return None
        if in_use is None:
            self._message.show_message("info", "Not connected", "", "Connect first; the changes stay as they are.")
            return None
        if in_use.profile.address != self._address:
            self._message.show_message(
                "warning",
                f"These rows are of another server: {self._address}",
                "",
                "Connect there to send the changes, or drop them.",
            )
            return None
        if table is None or editable is None:
            self._message.show_message("info", "The table is not read yet.", "", "Refresh it, then send.")
            return None
        changes = changes_of(self._model.pending.states())  # which the worker asks for
        return Sending(table.again(in_use.client, in_use.side), editable, changes, self.note)

    # -- what came of it

    @property
    def _model(self) -> TableModel:
        return self._reader.pages

    @property
    def _name(self) -> str:
        table = self._reader.table or self._read
        return "" if table is None else f"{table.relation.schema}.{table.relation.name}"

    @property
    def _names(self) -> list[str]:
        return [column.name for column in self._model.columns()]

    def _came(self, news: News, counts: Counts, states: _States) -> None:
        match news:
            case Done():
                self._done(news, counts)
            case Conflicts():
                self.conflicts.tell(news.found)
            case Refused():
                self._tell_refused(news)
            case Unknown():
                self._tell_unknown(news.transaction, states)
            case Progress():
                pass

    def _done(self, news: Done, counts: Counts) -> None:
        self._model.settle([(kept.change.slot, kept.row, kept.place) for kept in news.kept])
        self._editing.changed.emit()
        self.sent.emit(counts)
        then, self._then = self._then, None
        if then is not None:
            then()
        elif not news.is_lossless:  # their places are not written so that they can be read back
            self.stale.emit()

    def _failed(self, error: Exception) -> None:
        if self._is_stopping:
            self._message.show_message("warning", "Stopped.", _NOTHING)
        elif isinstance(error, RefusedSql):
            self._message.show_message("warning", str(error), _NOTHING)
        else:
            show_failure(self._message, error, self._server, self.send)

    def _tell_refused(self, news: Refused) -> None:
        """Say what the server would not take, and mark the row, and the cell where that is known."""
        error = news.error
        only = news.changes[0] if len(news.changes) == 1 else None
        for change in news.changes[:_MOST_TOLD]:
            self._model.point_out(change.slot, news.columns, error.title)
        where = ""
        if only is not None:
            names = [self._names[at] for at in news.columns if at < len(self._names)]
            where = f"{row_words(only)}{': ' + ', '.join(names) if names else ''}. "
            self._show(only.slot, news.columns)
        detail = "\n".join(each for each in (error.detail, f"{where}{_NOTHING}") if each)
        self._message.show_message("error", error.heading, detail, error.hint)

    def _tell_unknown(self, transaction: str, states: _States) -> None:
        self._message.show_message(
            "error",
            "The outcome is unknown: the connection broke while the changes were being committed.",
            f"They are all in the table, or none is: transaction {transaction} tells.",
            "Ask the server before you send them again.",
            [("Ask the server", lambda: self._ask(transaction, states)), ("Drop changes", self._editing.drop)],
        )

    def _ask(self, transaction: str, states: _States) -> None:
        in_use, table = self._server.in_use, self._reader.table or self._read
        if in_use is None or table is None or in_use.profile.address != self._address:
            self._message.show_message(
                "info",
                "Not connected to that server",
                f"Ask it with:  SELECT txid_status({transaction})",
                "Connect, then ask again.",
                [("Ask the server", lambda: self._ask(transaction, states))],
            )
            return
        asking = table.again(in_use.client, in_use.side)

        def done(status: str) -> None:
            if self.is_running:
                return  # what comes of that is told
            if status == "committed":
                self._settle_committed(states)
            elif status == "aborted":
                self._message.show_message("info", "The changes were not committed.", _NOTHING)
            else:
                words = "It is still in progress." if status else "The server remembers no such transaction any more."
                again = [("Ask again", lambda: self._ask(transaction, states))]
                self._message.show_message("warning", words, "", "Look at the rows, then send or drop.", again)

        def failed(error: Exception) -> None:
            show_failure(self._message, error, self._server, lambda: self._ask(transaction, states))

        self._jobs.call(lambda: ask_outcome(asking, transaction), name="ask an outcome", done=done, failed=failed)

    def _settle_committed(self, states: _States) -> None:
        """Take notice that *states* were committed. What was changed since is still pending."""
        since = [(slot, state) for slot, state in self._model.pending.states().items() if states.get(slot) != state]
        self._editing.drop()
        if not since:
            self._message.show_message("success", "The changes were committed.", "The rows are read again.")
            self.stale.emit()
            return
        self._model.put(since)
        self._editing.changed.emit()
        hint = "What you have changed since is still pending. Refresh to see the rows as they are now."
        if any(slot in states and isinstance(state, Added) for slot, state in since):
            hint += " A new row among it is in the table already, as it was sent: sent again, it would be there twice."
        self._message.show_message("warning", "The changes were committed.", "", hint, [("Refresh", self.stale.emit)])

    def _show(self, slot: Slot, columns: Sequence[int]) -> None:
        rows = self._model.rows_of([slot])
        if rows:
            self._editing.show(rows[0], columns[0] if columns else 0)
