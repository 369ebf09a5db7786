"""What is done to the objects of the schema tree: asked for where it has to be, run as commands, and told."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from pgexplorer.db import object_actions as sql
from pgexplorer.db.command import Command, Ran
from pgexplorer.db.dependents import ChangedMeanwhile, Dependents, Drop, read_dependents
from pgexplorer.db.encoding import shown
from pgexplorer.db.errors import describe
from pgexplorer.db.object_actions import Statement, Verb
from pgexplorer.db.objects import DbObject, ObjectKind
from pgexplorer.db.probe import Connection
from pgexplorer.history import Entry
from pgexplorer.jobs import Jobs
from pgexplorer.server import Server
from pgexplorer.ui.confirm_dialog import confirm_on_production
from pgexplorer.ui.panel import show_failure
from pgexplorer.ui.schema.dialogs import CommentDialog, DropDialog, NameDialog, ask_then
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.message_bar import MessageBar
from pgexplorer.units import duration

_CANCELLED = "57014"
_MOST_SAID = 5  # lines of what the server said


@dataclass(slots=True)
class _Running:
    """A command under way."""

    words: str  # "Vacuuming public.person"
    command: Command


class SchemaActions(QObject):
    """Runs what is wished for on the pool, several at once if wished; each can be stopped."""

    counted = Signal(object, str)  # DbObject, what stands in place of its estimate; "" when that failed
    ended = Signal(object)  # history.Entry of a statement that ended
    created = Signal(str)  # the name of a database

    def __init__(self, parent: QWidget, server: Server, jobs: Jobs, message: MessageBar) -> None:
        super().__init__(parent)
        self._parent = parent
        self._server = server
        self._jobs = jobs
        self._message = message
        self._running: list[_Running] = []
        server.closed.connect(self._forget)

    @property
    def is_running(self) -> bool:
        """Whether a command is under way."""
        return bool(self._running)

    # -- at once

    def count(self, found: DbObject) -> None:
        """Count the rows of *found*, and say `counted`."""

        def done(ran: Ran) -> None:
            [[rows]] = ran.rows
            assert isinstance(rows, int)
            self.counted.emit(found, f"{rows:,} {'row' if rows == 1 else 'rows'}")
            self._message.clear()

        self.counted.emit(found, "counting…")
        self._start(sql.COUNT, found, self._command(sql.COUNT, found, sql.count(found)), done)

    def vacuum(self, found: DbObject, *, analyze: bool = False) -> None:
        """Vacuum *found*, and with *analyze* take its statistics anew."""
        self._do(sql.VACUUM_ANALYZE if analyze else sql.VACUUM, found, sql.vacuum(found, analyze=analyze))

    def analyze(self, found: DbObject) -> None:
        """Take the statistics of *found* anew."""
        self._do(sql.ANALYZE, found, sql.analyze(found))

    def reindex(self, found: DbObject) -> None:
        """Build the indexes of *found* anew."""
        self._do(sql.REINDEX, found, sql.reindex(found))

    def refresh(self, found: DbObject) -> None:
        """Fill a materialized view anew."""
        self._do(sql.REFRESH, found, sql.refresh(found))

    # -- with a question

    def rename(self, found: DbObject) -> None:
        """Ask for another name, and give it."""
        title = f"Rename {found.kind.word} {plain.one_line(shown(found.name), 60)}"
        note = f"The server asks for: {sql.needed(sql.RENAME, found)}."
        dialog = NameDialog(self._parent, "schema.rename_dialog", title, "Rename", before=shown(found.name), note=note)
        ask_then(dialog, lambda: self._do(sql.RENAME, found, sql.rename(found, dialog.field.text())))

    def comment(self, found: DbObject) -> None:
        """Read the comment of *found*, ask for another, and set it."""

        def asked(before: str) -> None:
            dialog = CommentDialog(self._parent, found, shown(before))
            ask_then(dialog, lambda: self._do(sql.COMMENT, found, sql.comment(found, dialog.text.toPlainText())))

        self._look(lambda conn: sql.read_comment(conn, found), asked)

    def create_schema(self) -> None:
        """Ask for a name, and make a schema of it."""
        note = f"The server asks for: {sql.CREATE_SCHEMA.needs}."
        dialog = NameDialog(self._parent, "schema.new_schema_dialog", "New schema", "Create", note=note)

        def create() -> None:
            name = dialog.field.text()
            made = DbObject(ObjectKind.SCHEMA, 0, "", name)
            self._do(sql.CREATE_SCHEMA, made, sql.create_schema(name))

        ask_then(dialog, create)

    def create_database(self, databases: list[str]) -> None:
        """Ask for a name and what to copy, and make a database."""
        usual = "template1, as usual"
        note = f"The server asks for: {sql.CREATE_DATABASE.needs}. A copy needs the other to be unused meanwhile."
        choices = [usual, *databases]
        dialog = NameDialog(
            self._parent, "schema.new_database_dialog", "New database", "Create", note=note, choices=choices
        )

        def create() -> None:
            name, at = dialog.field.text(), dialog.template.currentIndex()
            made = DbObject(ObjectKind.DATABASE, 0, "", name)
            statement = sql.create_database(name, databases[at - 1] if at > 0 else "")
            self._do(sql.CREATE_DATABASE, made, statement, lambda: self.created.emit(name))

        ask_then(dialog, create)

    def drop(self, found: DbObject) -> None:
        """Look what goes with *found*, show it, and drop both when its name was typed."""

        def shown_to(looked: tuple[Dependents, str]) -> None:
            dependents, text = looked
            dialog = DropDialog(self._parent, found, dependents, text)
            ask_then(dialog, lambda: confirm_on_production(self._parent, self._server, [text], go))

            def go() -> None:
                self._start(sql.DROP, found, self._drop(found, dependents), partial(self._tell, sql.DROP, found))

        def look(conn: Connection) -> tuple[Dependents, str]:
            dependents = read_dependents(conn, found)
            return dependents, sql.written(conn, sql.drop(found, cascade=bool(dependents.cascaded)))

        self._look(look, shown_to)

    # -- how

    def _look(self, read: Callable[[Connection], object], done: Callable[..., object]) -> None:
        """Read something in a job, and hand it to *done*; what fails is told."""
        if (in_use := self._server.in_use) is None:
            return
        client = in_use.client

        def work() -> object:
            with client.lend("schema") as conn:
                return read(conn)

        def heard(result: object) -> None:
            if self._server.in_use is in_use:
                done(result)

        self._jobs.call(
            work, name="look before it is done", done=heard,
            failed=lambda error: show_failure(self._message, error, self._server),
        )  # fmt: skip

    def _do(self, verb: Verb, found: DbObject, statement: Statement, then: Callable[[], object] | None = None) -> None:
        """Run *statement*, on production after a question, and tell what came of it; then call *then*."""

        def done(ran: Ran) -> None:
            self._tell(verb, found, ran)
            if then is not None:
                then()

        def go() -> None:
            self._start(verb, found, self._command(verb, found, statement), done)

        confirm_on_production(self._parent, self._server, [sql.preview(statement)], go)

    def _command(self, verb: Verb, found: DbObject, statement: Statement) -> Command | None:
        if (in_use := self._server.in_use) is None:
            return None
        holder = f"{verb.words.split(maxsplit=1)[0].lower()} {shown(found.name)}"
        return Command(in_use.client, statement, holder, side=self._server.side())

    def _drop(self, found: DbObject, dependents: Dependents) -> Command | None:
        if (in_use := self._server.in_use) is None:
            return None
        return Drop(in_use.client, found, dependents, f"drop {shown(found.name)}", side=self._server.side())

    def _start(self, verb: Verb, found: DbObject, command: Command | None, done: Callable[[Ran], object]) -> None:
        if command is None:
            return
        running = _Running(f"{verb.words} {_where(found)}", command)
        in_use, began = self._server.in_use, time.time()
        self._running.append(running)
        self._show_running()

        def is_current() -> bool:
            self._running = [each for each in self._running if each is not running]
            return self._server.in_use is in_use

        def heard(ran: Ran) -> None:
            if is_current():
                done(ran)
                self._note(ran.text, began, ran.took_s, ran.status, len(ran.rows) if ran.rows else -1)
                self._show_running(keep=True)

        def failed(error: Exception) -> None:
            if is_current():
                if verb is sql.COUNT:
                    self.counted.emit(found, "")
                self._tell_failure(running.words, error)
                self._show_running(keep=True)

        self._jobs.call(command.run, name=running.words, done=heard, failed=failed)

    def _show_running(self, *, keep: bool = False) -> None:
        """Say what runs, with a way to stop it; with *keep* only where nothing else is said."""
        if not self._running or (keep and self._message.isVisible()):
            return
        words = self._running[-1].words if len(self._running) == 1 else f"{len(self._running)} commands run"
        detail = "" if len(self._running) == 1 else "\n".join(f"{each.words}…" for each in self._running)
        self._message.show_message("info", f"{words}…", detail, "", [("Stop", self.stop)])

    def stop(self) -> None:
        """Stop whatever runs: cancel, then terminate, then abandon."""
        for each in self._running:
            self._jobs.start(each.command.stop, name="stop", failed=lambda _error: None)

    def _tell(self, verb: Verb, found: DbObject, ran: Ran) -> None:
        detail = "\n".join(ran.notices[:_MOST_SAID])
        self._message.show_message("success", f"{_where(found)} {verb.done} · {duration(ran.took_s)}", detail)

    def _tell_failure(self, words: str, error: Exception) -> None:
        if isinstance(error, ChangedMeanwhile):
            self._message.show_message(
                "warning", "Nothing was dropped", "Something else depends on it by now than what was shown.",
                "Drop it again to see what.",
            )  # fmt: skip
        elif isinstance(error, InterruptedError) or describe(error).sqlstate == _CANCELLED:
            self._message.show_message("info", f"{words}: stopped", "", "Nothing was changed.")
        else:
            show_failure(self._message, error, self._server)

    def _note(self, text: str, began: float, took_s: float, status: str, rows: int) -> None:
        address = self._server.in_use.profile.address if self._server.in_use is not None else ""
        self.ended.emit(Entry(shown(text), began, address, took_s, rows, status))

    def _forget(self) -> None:
        self._running.clear()


def _where(found: DbObject) -> str:
    return plain.one_line(shown(found.path), 120)
