"""Changes of rows sent as one transaction, in which each must meet just one row, as it was when it was read."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

import psycopg2
import psycopg2.errors
from psycopg2 import sql

from pgexplorer.db.errors import RefusedSql, ServerError, describe
from pgexplorer.db.schema import table_name
from pgexplorer.db.table.browse import Table
from pgexplorer.db.table.changes import Change, Delete, Insert, Update, ordered
from pgexplorer.db.table.editable import Editable
from pgexplorer.db.table.ordering import raw
from pgexplorer.db.table.pages import OneRow, Place, Session
from pgexplorer.db.table.writing import Statement, Writer
from pgexplorer.db.values import Row

_TELL = 0.1  # seconds between two pieces of news of how far it is


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    done: int
    of: int


class Why(Enum):
    """Why a change did not meet just one row as it was read."""

    CHANGED = "was changed"
    GONE = "is gone"
    KEPT = "was kept as it is by the server"  # by row security, a rule or a trigger
    SEVERAL = "is several rows"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that is another one than the person saw."""

    change: Update | Delete
    why: Why
    theirs: Row | None = None  # the row as it is now
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Nothing was changed: rows had changed meanwhile."""

    found: tuple[Conflict, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed: the server refused a change."""

    error: ServerError
    changes: tuple[Change, ...]  # which it may be; the only one where that is known
    columns: tuple[int, ...] = ()  # of it, where known


@dataclass(frozen=True, slots=True)
class Kept:
    """A change that was made."""

    change: Change
    row: Row | None  # as the server keeps it; None for one that was deleted
    place: Place | None


@dataclass(frozen=True, slots=True)
class Done:
    """All is committed."""

    kept: tuple[Kept, ...]
    is_lossless: bool  # whether the places can be read back


@dataclass(frozen=True, slots=True)
class Unknown:
    """The link broke while the transaction was being committed: it is, or it is not."""

    transaction: str  # by which the server can be asked


News = Progress | Conflicts | Refused | Done | Unknown


class Sending:
    """Sends the changes of one table. Every call but `stop` blocks and belongs on a worker thread."""

    def __init__(
        self,
        table: Table,
        editable: Editable,
        changes: Iterable[Change],
        note: Callable[[str], object] = lambda _transaction: None,
    ) -> None:
        """*table* is of this piece of work alone, and names places as those of the changes do.

        *changes* are asked for once, by `run` or `script`.
        *note* is told the transaction just before COMMIT, on the worker's thread, which waits for it.
        """
        self._table = table
        self._editable = editable
        self._changes = changes
        self._wanted: Sequence[Change] = ()
        self._note = note
        self._sent: list[Statement] = []

    def script(self) -> str:
        """Return what `run` sends, as psql takes it. Blocks; raises what `run` raises."""
        with self._table.lent() as on:
            changes = ordered(list(self._changes), self._names, self._editable)
            lines = self._writer(on).script(changes, defers=self._editable.has_deferrable)
            return "\n".join(lines) + "\n"

    def run(self) -> Iterator[News]:
        """Send them; yield how far it is, and at last what came of it.

        Raises psycopg2.Error where nothing was sent or the link broke before COMMIT, PoolError, and RefusedSql for a
        value that cannot be sent: nothing was changed then.
        """
        relation = self._table.relation
        with self._table.lent(f"changes of {relation.schema}.{relation.name}") as on:
            one = OneRow(self._table.scope)
            writer = self._writer(on, one.shown)
            try:
                yield from self._run(on, writer, one)
            finally:
                if writer.prepared and not on.conn.closed:
                    with contextlib.suppress(psycopg2.Error):
                        on.ask(writer.ending())

    def _run(self, on: Session, writer: Writer, one: OneRow) -> Iterator[News]:
        self._wanted = list(self._changes)
        changes = ordered(self._wanted, self._names, self._editable)
        kept: list[Kept] = []
        on.ask("BEGIN ISOLATION LEVEL READ COMMITTED")
        if self._editable.has_deferrable:
            on.ask("SET CONSTRAINTS ALL DEFERRED")
        told = time.monotonic()
        for statement in writer.statements(changes):
            _check(on)
            try:
                rows = on.ask(statement.text)
            except psycopg2.Error as error:
                if on.conn.closed or on.running.wanted or statement.change is None:
                    raise
                yield self._refused(statement, statement.change, error, len(on.running.tag))
                return
            except UnicodeEncodeError as error:
                yield _unsent(statement, error, on)
                return
            if (change := statement.change) is None or not statement.makes_it:
                continue
            if on.rows.rowcount != 1:
                yield Conflicts(self._conflicts(on, change, on.rows.rowcount, one))
                return
            taken = one.take(rows[0], on) if rows else (None, None)
            kept.append(Kept(change, *taken))
            if time.monotonic() - told > _TELL:
                told = time.monotonic()
                yield Progress(len(kept), len(changes))
        yield Progress(len(changes), len(changes))
        _check(on)
        yield self._commit(on, kept)

    def stop(self) -> Iterator[str]:
        """End it at the server. Yields each rung of the ladder in words; blocks for seconds."""
        yield from self._table.stop()

    # -- inside

    @property
    def _names(self) -> list[str]:
        return [column.name for column in self._table.access.columns]

    def _writer(self, on: Session, returning: sql.Composable | None = None) -> Writer:
        intervals = [at for at, each in enumerate(self._editable.fields) if each.type_name.startswith("interval")]
        key = self._table.key_of_place()
        return Writer(self._table.relation, self._names, key, on.conn, returning, intervals)

    def _commit(self, on: Session, kept: list[Kept]) -> News:
        # Known before COMMIT, or nobody could ask what became of it after the link broke.
        [[transaction]] = on.ask("SELECT txid_current()")
        self._note(transaction or "")
        _check(on)  # noting may have taken a while
        try:
            on.ask("COMMIT")
        except psycopg2.Error as error:
            if on.conn.closed:
                return Unknown(transaction or "")
            if on.running.wanted:
                raise
            return self._deferred(error, [each.change for each in kept])
        if on.rows.statusmessage != "COMMIT":
            raise RefusedSql(f"The server ended the transaction by {on.rows.statusmessage}: nothing was changed.")
        return Done(tuple(kept), self._table.access.is_lossless)

    def _refused(self, statement: Statement, change: Change, error: psycopg2.Error, before: int) -> Refused:
        words = describe(error, sent_before=before)
        columns: tuple[int, ...] = ()
        if error.diag.column_name in self._names:
            columns = (self._names.index(error.diag.column_name),)
        elif error.diag.constraint_name:
            columns = self._constrained(error.diag.constraint_name, change)
        elif words.position is not None and (column := statement.column_at(words.position)) is not None:
            columns = (column,)
        elif not isinstance(change, Delete):
            columns = self._of_type(words.title, change)
        return Refused(_without_place(words), (change,), columns)

    def _constrained(self, constraint: str, change: Change) -> tuple[int, ...]:
        """Return the columns of the constraint that the change gives a value."""
        names = self._editable.constrained(constraint)
        mine = {column for column, _ in change.new} if not isinstance(change, Delete) else set[int]()
        places = [self._names.index(name) for name in names if name in self._names]
        return tuple(column for column in places if column in mine) or tuple(places)

    def _of_type(self, title: str, change: Update | Insert) -> tuple[int, ...]:
        """Return the only column that was given a value and whose type the server's words name."""
        given = [column for column, value in change.new if value is not None]
        named = [at for at in given if self._editable.fields[at].type_name in title]
        return tuple(given) if len(given) == 1 else tuple(named) if len(named) == 1 else ()

    def _deferred(self, error: psycopg2.Error, changes: Sequence[Change]) -> Refused:
        """Say which changes a constraint can have meant that was checked at the end."""
        words = describe(error)
        names = self._editable.constrained(error.diag.constraint_name or "")
        columns = tuple(self._names.index(name) for name in names if name in self._names)
        found = tuple(
            change
            for change in changes
            if isinstance(change, Delete) or any(column in columns for column, _ in change.new)
        )
        return Refused(_without_place(words), found, columns)

    def _conflicts(self, on: Session, change: Change, count: int, one: OneRow) -> tuple[Conflict, ...]:
        """Return all rows that are not as they were read, as they are now."""
        on.ask("ROLLBACK")
        if isinstance(change, Insert):
            raise RefusedSql("The server inserted no row: a rule or trigger kept it out. Nothing was changed.")
        on.ask("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        looked = (self._conflict(on, each, one) for each in self._wanted if not isinstance(each, Insert))
        found = tuple(conflict for conflict in looked if conflict is not None)
        on.ask("ROLLBACK")
        if not found:
            return (Conflict(change, Why.SEVERAL if count > 1 else Why.KEPT),)
        return found

    def _conflict(self, on: Session, change: Update | Delete, one: OneRow) -> Conflict | None:
        query = sql.SQL("SELECT {} FROM {} AS t WHERE ").format(one.shown, table_name(self._table.relation))
        rows = on.ask(query + self._table.same_row(change.place))
        if len(rows) != 1:
            return Conflict(change, Why.SEVERAL if rows else Why.GONE)
        row, place = one.take(rows[0], on)
        seen, now = change.place.version, place.version
        if seen is None or now is None or seen.xmin == now.xmin:
            return None
        if not self._table.has_key:  # another row may lie there now
            return Conflict(change, Why.GONE)
        return Conflict(change, Why.CHANGED, row, place)


def ask_outcome(table: Table, transaction: str) -> str:
    """Ask the server what became of a transaction: "committed", "aborted", "in progress", "" where it forgot. Blocks.

    Raises what reading raises.
    """
    with table.lent() as on:
        try:
            [[status]] = on.ask(raw(f"SELECT txid_status({int(transaction)})"))
        except psycopg2.errors.InvalidParameterValue:  # it is yet to come: the server was set up anew, or from a backup
            return ""
        return status or ""


def _check(on: Session) -> None:
    """Raise RefusedSql where somebody has asked for the end, and nothing ran that could have been ended."""
    if on.running.wanted:
        raise RefusedSql("Stopped: nothing was changed.")


def _unsent(statement: Statement, error: UnicodeEncodeError, on: Session) -> Refused:
    """Say which character of a change the connection's encoding has not."""
    character = error.object[error.start]
    words = ServerError(f"{character!r} cannot be sent: {on.conn.encoding} has no such character")
    column = statement.column_at(error.start - len(on.running.tag))
    changes = () if statement.change is None else (statement.change,)
    return Refused(words, changes, () if column is None else (column,))


def _without_place(words: ServerError) -> ServerError:
    """Return the words without the place in a text that the person has not written."""
    return ServerError(words.title, words.detail, words.hint, words.sqlstate, lost=words.lost)
