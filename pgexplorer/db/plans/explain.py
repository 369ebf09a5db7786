"""A statement explained: its plan, by EXPLAIN, with nothing left behind of what running it did.

Whatever runs is rolled back, by a transaction of its own or by a savepoint in the one that is open. Where nobody agreed
to writing, the server itself refuses it: the transaction is read-only. No guard by the text alone is trusted.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection, cursor

from pgexplorer.db.cancel import Running
from pgexplorer.db.client import Client
from pgexplorer.db.encoding import every_byte, has_none, recoded, sent
from pgexplorer.db.errors import RefusedSql, ServerError
from pgexplorer.db.plans.effects import Effect, inner_statement, writes
from pgexplorer.db.plans.findings import Finding, findings
from pgexplorer.db.plans.plan import Plan
from pgexplorer.db.plans.reading import parse
from pgexplorer.db.plans.text import text_of
from pgexplorer.db.query import Failed, Kept, Notices, Started
from pgexplorer.db.run import Run, is_conforming
from pgexplorer.db.session import Session
from pgexplorer.db.statements import Statement, split
from pgexplorer.db.tokens import PARAMETER, lex
from pgexplorer.db.values import raw_cursor

_SAVEPOINT = "pgexplorer_explain"
_MOST_NOTICES = 200
_READ_ONLY = "25006"
STAYS = (
    "What it changes is rolled back; its triggers run. Rolling back does not undo: numbers drawn from sequences, what "
    "functions did outside of the server's own data (files, programs, dblink), and the space that the undone rows take "
    "until VACUUM. Locks are held while it runs."
)


@dataclass(frozen=True, slots=True)
class Options:
    """How a statement is explained."""

    analyze: bool = False  # run it and measure
    may_write: bool = False  # somebody agreed that it writes: without this the transaction is read-only
    verbose: bool = False
    timing: bool = True  # of each node, which has its own cost; only with *analyze*
    buffers: bool = True
    settings: bool = True
    wal: bool = True
    serialize: bool = True
    memory: bool = True

    def words(self, version: int, *, generic: bool = False) -> str:
        """Return what stands in EXPLAIN's parentheses, without FORMAT, for a server of *version* (180006)."""
        named = [
            ("ANALYZE", self.analyze, True),
            ("GENERIC_PLAN", generic, version >= 160000 and not self.analyze),
            ("VERBOSE", self.verbose, True),
            ("BUFFERS", self.buffers, self.analyze or version >= 130000),
            ("SETTINGS", self.settings, version >= 120000),
            ("WAL", self.wal, self.analyze and version >= 130000),
            ("SERIALIZE", self.serialize, self.analyze and version >= 170000),
            ("MEMORY", self.memory, version >= 170000),
        ]
        words = [name for name, wanted, possible in named if wanted and possible]
        if self.analyze and not self.timing:
            words.append("TIMING OFF")
        words.append("SUMMARY")
        return ", ".join(words)


@dataclass(frozen=True, slots=True)
class Explained:
    """The plan is here, and what was run for it is rolled back."""

    index: int
    plan: Plan
    took_s: float
    findings: tuple[Finding, ...] = ()  # of the plan


@dataclass(frozen=True, slots=True)
class WouldWrite:
    """The server refused what a function of the statement writes: nobody had agreed to it. Nothing was changed."""

    index: int
    words: str  # the server's


News = Started | Explained | WouldWrite | Failed | Notices | Kept


class Explain(Run):
    """One statement, explained once."""

    def __init__(
        self,
        client: Client | Session,
        sql: str,
        holder: str,
        options: Options,
        *,
        side: Callable[[], connection],
        offset: int = 0,
    ) -> None:
        super().__init__(client, sql, holder, side=side, offset=offset)
        self._options = options
        self._notices: deque[str] = deque(maxlen=_MOST_NOTICES)
        self._raised = 0

    def run(self) -> Iterator[News]:
        """Explain the statement, yielding what comes of it.

        Raises RefusedSql for a text that cannot be explained, PoolError, SessionLost and psycopg2.Error as Query does.
        """
        statement = self._only(conforming=True)
        with self._client.lend(self._holder, discard=True) as conn:
            if not is_conforming(conn):
                statement = self._only(conforming=False)
            running = self._running = Running(conn)
            conn.notices = self._heard()  # type: ignore[assignment]  # psycopg2 asks for append() alone
            idle = conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
            try:
                # Changing the encoding would end an open transaction.
                with every_byte(conn) if idle else contextlib.nullcontext():
                    yield from self._explained(conn, running, statement, own=idle)
            finally:
                running.finish()
                conn.notices = []
        if isinstance(self._client, Session) and (pin := self._client.pin) is not None:
            yield Kept(pin)

    # -- inside

    def _only(self, *, conforming: bool) -> Statement:
        return only_statement(self._sql, self._offset, conforming=conforming)

    def _heard(self) -> "_Notices":
        return _Notices(self._notices)

    def _explained(self, conn: connection, running: Running, statement: Statement, *, own: bool) -> Iterator[News]:
        version = conn.info.server_version
        generic = any(kind == PARAMETER for kind, _, _ in lex(statement.text)[0])
        words = self._options.words(version, generic=generic)
        shown = replace(statement, text=f"EXPLAIN ({words}) {statement.text}")
        if self._stopped:
            yield Failed(0, 1, ServerError("Stopped before this statement."), True)
            return
        yield Started(0, 1, shown, running.pid)
        try:
            with self._client.pool.running(conn, shown.text), raw_cursor(conn) as rows:
                plan = self._asked(conn, rows, running, statement, words, own=own)
        except (psycopg2.Error, UnicodeError) as error:
            yield self._failed(conn, running, statement, error)
        else:
            took = (plan.planning_ms or 0.0) / 1000 + (plan.execution_ms or 0.0) / 1000
            yield Explained(0, plan, took, tuple(findings(plan)))
        if self._notices:
            yield Notices(tuple(self._notices))

    def _asked(
        self, conn: connection, rows: cursor, running: Running, statement: Statement, words: str, *, own: bool
    ) -> Plan:
        """Send EXPLAIN in a transaction or savepoint that is rolled back whatever comes."""
        read_only = not (self._options.analyze and self._options.may_write)
        if own:
            begin, undo = f"BEGIN{' READ ONLY' if read_only else ''}", "ROLLBACK"
        else:
            begin = f"SAVEPOINT {_SAVEPOINT}" + ("; SET LOCAL transaction_read_only = on" if read_only else "")
            undo = f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}; RELEASE SAVEPOINT {_SAVEPOINT}"
        begun = False
        try:
            self._sent_before = 1 << 30  # an error of these is at no place of the user's
            rows.execute(running.tag + begin)
            begun = True
            found = self._one(conn, rows, running, statement, f"{words}, FORMAT JSON")
            # Running it again for its text would tell of another run.
            text = "" if self._options.analyze else self._one(conn, rows, running, statement, f"{words}, FORMAT TEXT")
            self._sent_before = 1 << 30
            rows.execute(f"{running.tag}SELECT current_setting('block_size')")
            [block_size] = rows.fetchone() or ("8192",)
        finally:
            running.finish()  # a late cancel ends here, and not in what undoes
            if begun and not conn.closed:
                with contextlib.suppress(psycopg2.Error):  # a transaction that cannot go back fails when it is used
                    rows.execute(undo)
        plan = parse(found, statement.text, text=text, block_size=int(block_size), pid=running.pid)
        if not text:
            plan = replace(plan, text=text_of(plan), is_text_ours=True)
        return plan

    def _one(self, conn: connection, rows: cursor, running: Running, statement: Statement, words: str) -> str:
        before = f"{running.tag}EXPLAIN ({words}) "
        self._sent_before = len(before)
        rows.execute(sent(conn, before + statement.text))
        found = "\n".join(str(line) for (line,) in rows.fetchall())
        return recoded(found) if has_none(conn) and conn.encoding == "LATIN1" else found

    def _failed(
        self, conn: connection, running: Running, statement: Statement, error: psycopg2.Error | UnicodeError
    ) -> Failed | WouldWrite:
        if isinstance(error, UnicodeError):
            return Failed(
                0, 1, ServerError("The plan is not in the connection's encoding", f"{conn.encoding}: {error}")
            )
        refuses = self._options.analyze and not self._options.may_write
        if refuses and error.pgcode == _READ_ONLY:
            return WouldWrite(0, (error.diag.message_primary or str(error)).strip())
        return Failed(0, 1, *self._in_words(conn, running, statement, error))


class _Notices:
    """What psycopg2 puts notices into: the last ones."""

    def __init__(self, lines: deque[str]) -> None:
        self._lines = lines

    def append(self, line: str) -> None:
        self._lines.append(line.strip())

    def clear(self) -> None:
        self._lines.clear()


def only_statement(sql: str, offset: int = 0, *, conforming: bool = True) -> Statement:
    """Return the one statement of *sql* that can be explained: of an EXPLAIN, what it explains.

    Raises RefusedSql for every other text.
    """
    if "\0" in sql:
        line = sql.count("\n", 0, sql.index("\0")) + 1
        raise RefusedSql(f"Line {line} holds a NUL character, at which the server would cut the statement.")
    found = split(sql, conforming=conforming)
    if not found:
        raise RefusedSql("There is nothing to explain: the text holds no statement.")
    if len(found) > 1:
        raise RefusedSql(f"EXPLAIN takes one statement, and {len(found)} are selected.", found[1].start + offset)
    [statement] = found
    if statement.refusal:
        raise RefusedSql(statement.refusal, statement.start + offset)
    if inner := inner_statement(statement.text):
        statement = replace(statement, text=statement.text[inner:], start=statement.start + inner)
    if not statement.text:
        raise RefusedSql("There is nothing to explain: EXPLAIN stands alone.", offset)
    effects = writes(statement.text)
    if effects.effect is Effect.NO_PLAN:
        raise RefusedSql(effects.words, statement.start + offset)
    return statement
