"""SQL in, results of any size out: a text's statements run one after the other on one connection of the pool."""

import contextlib
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection, cursor

from pgexplorer.db.aftermath import after_loss
from pgexplorer.db.cancel import Running
from pgexplorer.db.client import Client
from pgexplorer.db.encoding import every_byte, has_none, recoded, sent
from pgexplorer.db.errors import RefusedSql, ServerError
from pgexplorer.db.rows import Rows
from pgexplorer.db.run import Run, is_conforming
from pgexplorer.db.session import Pin, Session
from pgexplorer.db.spool import BYTE_LIMIT, ROW_LIMIT, Spool, Stopped
from pgexplorer.db.statements import Statement, split
from pgexplorer.db.values import Column, Row, human_bytes, raw_cursor

__all__ = ["BYTE_LIMIT", "ROW_LIMIT", "Query"]

_FIRST = 200  # rows, or what comes in _SOON seconds after the first of them, are told at once
_SOON = 0.005
_OFTEN, _SELDOM = 0.25, 0.5  # seconds between two pieces of news that a result has grown, at first and later: a view
# that is told of rows lays itself out and paints
_SMALL_PAGE, _PAGE = 20, 200  # rows made at once out of what the driver holds
_PAGE_CHARACTERS = 500_000  # fewer where they are wide: making them must not hold the interpreter for long
_DRIVER_LIMIT = 1 << 30  # bytes that the driver may take for a result that it keeps whole
_DRIVER_KEEPS = 64 << 20  # bytes of one row: the driver's buffer grows by a larger one, and never shrinks again
_WATCH = 0.1  # seconds between two looks at that
_MOST_NOTICES = 200
_CURSOR = "pgexplorer_rows"
_OPEN = {ext.TRANSACTION_STATUS_INTRANS, ext.TRANSACTION_STATUS_INERROR}


@dataclass(frozen=True, slots=True)
class Started:
    """A statement was sent."""

    index: int  # 0-based
    of: int
    statement: Statement
    pid: int


@dataclass(frozen=True, slots=True)
class Result:
    """A statement's rows: told first as soon as some are there (or that there are none), then as they grow.

    Who hears it owns the rows and closes them. The object is the same in all news of one statement.
    """

    index: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class Done:
    """A statement ended well."""

    index: int
    status: str  # the server's command tag, "SELECT 3"
    rows: int  # rows shown, or rows changed; -1 when the statement has neither
    has_rows: bool
    complete: bool  # False when a limit cut the result
    first_s: float  # until the first rows were there
    total_s: float
    why: str = ""  # what cut the result


@dataclass(frozen=True, slots=True)
class Failed:
    """A statement failed; those after it were not sent."""

    index: int
    of: int
    error: ServerError
    cancelled: bool = False
    kept: int = 0  # rows that came before, told in a Result and marked as cut


@dataclass(frozen=True, slots=True)
class Notices:
    """What the server said beside the results; the last ones when there were very many."""

    lines: tuple[str, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The text left a transaction open, and giving the connection back rolled it back."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The connection was not given back: something of the text is in it."""

    pin: Pin


News = Started | Result | Done | Failed | Notices | RolledBack | Kept


@dataclass(slots=True)
class _Notices:
    """psycopg2's notice list, bounded: a DO block can raise 20,000 in a second."""

    lines: list[str] = field(default_factory=list[str])
    dropped: int = 0

    def append(self, line: str) -> None:
        if len(self.lines) >= _MOST_NOTICES:
            del self.lines[0]
            self.dropped += 1
        self.lines.append(line.strip())

    def clear(self) -> None:
        self.lines, self.dropped = [], 0


class Query(Run):
    """A text of one or more statements, run once."""

    def __init__(
        self,
        client: Client | Session,
        sql: str,
        holder: str,
        *,
        side: Callable[[], connection],
        row_limit: int = ROW_LIMIT,
        byte_limit: int = BYTE_LIMIT,
        offset: int = 0,
        read_only: bool = False,
        go_on: bool = False,
    ) -> None:
        """*read_only* holds for a SELECT that is copied; with *go_on* an error does not end the text."""
        super().__init__(client, sql, holder, side=side, offset=offset)
        self._row_limit = row_limit
        self._byte_limit = byte_limit
        self._goes_on = go_on
        self._begin = "BEGIN READ ONLY" if read_only else "BEGIN"  # for a SELECT that is copied
        self._notices = _Notices()
        self._before = 0  # the transaction's status before the statement that was sent last
        self._spool: Spool | None = None  # of the statement that runs
        self._told = False  # whether somebody else owns it
        self._largest = 0  # bytes of the largest row that was copied, where that is large
        self._ended_by = ""  # why the program itself ended the statement that runs

    def run(self) -> Iterator[News]:
        """Send the statements in order, yielding what comes of each; stop at the first that fails.

        Raises RefusedSql for a text that cannot be sent, PoolError when no connection is free, OperationalError
        when connecting fails, OSError when no file for a result can be made. The connection is back in the pool when
        the iterator ends.
        """
        if "\0" in self._sql:
            line = self._sql.count("\n", 0, self._sql.index("\0")) + 1
            raise RefusedSql(f"Line {line} holds a NUL character, at which the server would cut the statement.")
        statements = self._cut()
        if not statements:
            raise RefusedSql("There is nothing to run: the text holds no statement.")
        with self._client.lend(self._holder, discard=True) as conn:
            if not is_conforming(conn):
                statements = self._cut(conforming=False)
            self._running = Running(conn)
            conn.notices = self._notices  # type: ignore[assignment]  # psycopg2 asks for append() alone
            with every_byte(conn):
                try:
                    yield from self._all(conn, statements)
                finally:
                    self._running.finish()
                    conn.notices = []
                left_open = not conn.closed and conn.info.transaction_status in _OPEN
            if self._largest > _DRIVER_KEEPS:
                self._client.retire(conn)
        if isinstance(self._client, Session):
            if (pin := self._client.pin) is not None:
                yield Kept(pin)
        elif left_open:
            yield RolledBack()

    def _cut(self, *, conforming: bool = True) -> list[Statement]:
        """Cut the text, and refuse it whole when one of its statements cannot be sent."""
        statements = split(self._sql, conforming=conforming)
        for statement in statements:
            words = statement.refusal
            if statement.copies == "out":
                words = (
                    "COPY … TO STDOUT sends its rows to a program's own output, and a window has none. "
                    "Run the SELECT alone, or export the table to a file."
                )
            elif statement.copies == "in" and statement.copy_data is None:
                words = (
                    "COPY … FROM STDIN takes its data from the lines below it, up to a line \\., and there is none. "
                    "Write the data there, or import a file."
                )
            if words:
                raise RefusedSql(words, statement.start + self._offset)
        return statements

    def _all(self, conn: connection, statements: list[Statement]) -> Iterator[News]:
        for index, statement in enumerate(statements):
            # The work that a limit has ended is over for good: what follows is another. Set before `_stopped` is
            # read, as `stop` sets that before it reads this.
            running = self._running
            if running is None or running.ended.is_set():
                running = self._running = Running(conn)
            if self._stopped:
                yield Failed(index, len(statements), ServerError("Stopped before this statement."), True)
                return
            yield Started(index, len(statements), statement, running.pid)
            if isinstance(self._client, Session):
                self._client.sent(statement.text)
            failed: Failed | None = None
            try:
                yield from self._one(conn, running, index, statement)
            except (psycopg2.Error, UnicodeError) as error:
                failed = self._failed(conn, running, index, len(statements), statement, error)
                if failed.kept and self._spool is not None:
                    yield self._tell(index, self._spool)
                yield failed
            if self._notices.lines:
                yield Notices(tuple(self._notices.lines), self._notices.dropped)
                self._notices.clear()
            if failed is not None and (not self._goes_on or failed.cancelled or failed.error.lost):
                return

    def _one(self, conn: connection, running: Running, index: int, statement: Statement) -> Iterator[News]:
        began = time.perf_counter()
        self._spool, self._told, self._ended_by = None, False, ""
        self._before = conn.info.transaction_status
        try:
            with self._client.pool.running(conn, statement.text), raw_cursor(conn) as rows:
                if statement.copy_data is not None:
                    yield from self._loaded(conn, rows, running, index, statement, began)
                elif statement.pages:
                    yield from self._copied(conn, rows, running, index, statement, began)
                else:
                    yield from self._plain(conn, rows, running, index, statement, began)
        except BaseException as error:
            if (spool := self._spool) is not None:
                spool.end(_words(error))
                if not self._told and (not spool.known or isinstance(error, GeneratorExit)):
                    spool.close()
            raise

    def _plain(
        self, conn: connection, rows: cursor, running: Running, index: int, statement: Statement, began: float
    ) -> Iterator[News]:
        """Run a statement as it is. The driver holds its whole result, so what that may take is bounded.

        What the driver holds is written to the same kind of file, and let go.
        """
        self._sent_before = len(running.tag)
        with _Watch(lambda: self._end_by_limit(running)):
            rows.execute(sent(conn, running.tag + statement.text))
        if self._ended_by:  # in vain, and what follows must not be hit by it
            running.finish()
            self._ended_by = ""
        if rows.description is None:
            took = time.perf_counter() - began
            yield Done(index, rows.statusmessage or "", rows.rowcount, False, True, took, took)
            return
        spool = self._spool = self._opened(conn, rows)
        first = told = 0.0
        with contextlib.suppress(Stopped):
            page = _page(conn, rows, _SMALL_PAGE)
            while page:
                spool.append(page)
                now = time.perf_counter() - began
                if not self._told or now - told > _OFTEN:
                    first, told = first or now, now
                    spool.flush()
                    yield self._tell(index, spool)
                page = _page(conn, rows, _next_size(page))
        spool.end()
        took = time.perf_counter() - began
        yield self._tell(index, spool)
        complete = not spool.why
        status = rows.statusmessage or ""
        yield Done(index, status, spool.known, True, complete, first or took, took, spool.why)

    def _loaded(
        self, conn: connection, rows: cursor, running: Running, index: int, statement: Statement, began: float
    ) -> Iterator[News]:
        """Run a COPY … FROM STDIN with the data that stands below it."""
        self._sent_before = len(running.tag)
        data = sent(conn, statement.copy_data or "")
        file = io.StringIO(data) if isinstance(data, str) else io.BytesIO(data)
        with _printing.refused():
            rows.copy_expert(sent(conn, running.tag + statement.text), file)  # type: ignore[arg-type]
        took = time.perf_counter() - began
        yield Done(index, f"COPY {rows.rowcount}", rows.rowcount, False, True, took, took)

    def _copied(
        self, conn: connection, rows: cursor, running: Running, index: int, statement: Statement, began: float
    ) -> Iterator[News]:
        """Run a SELECT as COPY into a file: described first without executing it, then sent once.

        In a transaction of our own unless the user's is open, so that what was described is locked until it is read.
        A result that a limit cuts is ended like one that is cancelled: what its functions did is undone.
        """
        own = conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
        try:
            spool = self._spool = self._described(conn, rows, running, statement, own=own)
            before = f"{running.tag}CLOSE {_CURSOR}; COPY ("
            self._sent_before = len(before)
            encoding = "SQL_ASCII" if has_none(conn) else "UTF8"  # whatever the session's own encoding is
            text = f"{before}{statement.text}\n) TO STDOUT (ENCODING '{encoding}')"
            copy = _Copy(rows, sent(conn, text), spool)
            copy.start()
            try:
                first = yield from self._streamed(copy, index, spool, began)
            finally:
                self._largest = max(self._largest, spool.largest)
                if not copy.ended.is_set():
                    spool.stop("It was left before its end.")
                    self._let_go(conn, running, copy)
                copy.join()
            if copy.error is not None and not isinstance(copy.error, Stopped):
                raise copy.error
            spool.end()
            if copy.error is not None:
                self._let_go(conn, running, copy)
            if spool.why:
                rows.execute("ROLLBACK" if own else f"ROLLBACK TO SAVEPOINT {_CURSOR}; RELEASE SAVEPOINT {_CURSOR}")
            else:
                rows.execute("COMMIT" if own else f"RELEASE SAVEPOINT {_CURSOR}")
        except BaseException:
            if own and not conn.closed:
                running.finish()
                with contextlib.suppress(psycopg2.Error):  # the check-in rolls back too, or throws it away
                    if conn.info.transaction_status != ext.TRANSACTION_STATUS_IDLE:
                        rows.execute("ROLLBACK")
            raise
        took = time.perf_counter() - began
        yield self._tell(index, spool)
        yield Done(index, f"SELECT {spool.known}", spool.known, True, not spool.why, first or took, took, spool.why)

    def _described(self, conn: connection, rows: cursor, running: Running, statement: Statement, *, own: bool) -> Spool:
        """Ask for the columns: a cursor of which nothing is fetched is planned, and not executed."""
        begin = self._begin if own else f"SAVEPOINT {_CURSOR}"
        before = f"{running.tag}{begin}; DECLARE {_CURSOR} NO SCROLL CURSOR FOR "
        self._sent_before = len(before)
        rows.execute(sent(conn, f"{before}{statement.text}\n; FETCH 0 FROM {_CURSOR}"))
        spool = self._opened(conn, rows)
        self._notices.clear()  # what planning says it says again in a moment
        return spool

    def _streamed(self, copy: "_Copy", index: int, spool: Spool, began: float) -> Generator[News, None, float]:
        """Tell of the rows while they come; return in how many seconds the first were there, 0 when none were."""
        wait, seen, told = 0.0005, 0.0, 0.0
        known = 0
        while not copy.ended.wait(wait):
            spool.flush()
            now = time.perf_counter()
            wait = min(wait * 1.3, 0.05)
            if not spool.known:
                continue
            seen = seen or now
            if not self._told:
                if spool.known < _FIRST and now - seen < _SOON:
                    continue
                wait = max(wait, 0.01)
            elif spool.known == known or now - told < min(_SELDOM, max(_OFTEN, told - began)):
                continue
            told, known = now, spool.known
            yield self._tell(index, spool)
        spool.flush()
        return (seen or (time.perf_counter() if spool.known else began)) - began

    def _opened(self, conn: connection, rows: cursor) -> Spool:
        columns = self._client.columns(rows)
        if has_none(conn):
            columns = tuple(Column(recoded(each.name), recoded(each.type_name), each.type_oid) for each in columns)
        return Spool(columns, row_limit=self._row_limit, byte_limit=self._byte_limit)

    def _tell(self, index: int, spool: Spool) -> Result:
        self._told = True
        return Result(index, spool)

    def _let_go(self, conn: connection, running: Running, copy: "_Copy") -> None:
        """End a COPY of which no more is wanted, and leave the connection free of it. Blocks for 4 s at most."""
        ladder = threading.Thread(target=lambda: list(running.stop(self._side)), name="end a result", daemon=True)
        ladder.start()
        copy.join()
        with contextlib.suppress(psycopg2.Error), conn.cursor() as cursor:
            cursor.execute("SELECT 1")  # libpq drops what is left of the COPY before it sends this
        running.finish()

    def _end_by_limit(self, running: Running) -> None:
        self._ended_by = (
            f"The driver keeps the result of such a statement whole, and it took more than "
            f"{human_bytes(_DRIVER_LIMIT)} of memory."
        )
        for _ in running.stop(self._side):
            pass

    def _failed(
        self,
        conn: connection,
        running: Running,
        index: int,
        of: int,
        statement: Statement,
        error: psycopg2.Error | UnicodeError,
    ) -> Failed:
        kept = self._spool.known if self._spool is not None else 0
        if isinstance(error, UnicodeError):
            return Failed(index, of, self._undecodable(conn, error, statement), kept=kept)
        if self._ended_by:
            return Failed(index, of, ServerError("Stopped: the result is too large", self._ended_by), kept=kept)
        described, cancelled = self._in_words(conn, running, statement, error)
        if described.lost:
            described = after_loss(described, statement.text, self._before)
        return Failed(index, of, described, cancelled, kept)

    def _undecodable(self, conn: connection, error: UnicodeError, statement: Statement) -> ServerError:
        if isinstance(error, UnicodeEncodeError):
            title = f"{error.object[error.start]!r} cannot be sent: {conn.encoding} has no such character"
            place = error.start - self._sent_before + statement.start + self._offset
            return ServerError(title, "Nothing of this statement was sent.", position=max(0, place))
        return ServerError(
            "The server sent bytes that are not in the connection's encoding",
            f"{conn.encoding}: {error}",
            "SET client_encoding in the text changes what the server sends, and not how it is read. Leave it out.",
        )


class _Copy(threading.Thread):
    """A COPY on a thread of its own: its rows go from the driver into the file, and no Python sees one."""

    def __init__(self, rows: cursor, text: str | bytes, spool: Spool) -> None:
        super().__init__(name="rows of a result", daemon=True)
        self.ended = threading.Event()
        self.error: BaseException | None = None
        self._rows = rows
        self._text = text
        self._spool = spool

    def run(self) -> None:
        try:
            with _printing.refused():
                self._rows.copy_expert(self._text, self._spool.file)  # type: ignore[arg-type]  # bytes are fine
        except BaseException as error:  # it is raised where it was waited for
            self.error = error.with_traceback(None)
        finally:
            self.ended.set()


class _Printing:
    """Keeps psycopg2 from reporting a bug where there is none.

    When a backend is terminated in mid-COPY, libpq has two errors. psycopg2 sets the second over the first, prints what
    Python says of that through sys.excepthook, and raises the right error all the same.
    """

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._copies = 0
        self._before = sys.excepthook

    @contextlib.contextmanager
    def refused(self) -> Generator[None]:
        """Refuse it as long as a COPY runs; everything else goes to the hook that was there."""
        with self._changing:
            self._copies += 1
            if self._copies == 1:
                self._before, sys.excepthook = sys.excepthook, self._hook
        try:
            yield
        finally:
            with self._changing:
                self._copies -= 1
                if not self._copies and sys.excepthook == self._hook:
                    sys.excepthook = self._before

    def _hook(self, kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
        if not (isinstance(error, SystemError) and isinstance(error.__cause__, psycopg2.Error)):
            self._before(kind, error, where)


_printing = _Printing()


class _Watch:
    """Looks at this process's memory while the driver reads a result, and acts once when that grows too large.

    Where the system does not say how much memory is in use (it does on Linux), nothing is watched.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._over = threading.Event()
        self._limit = _memory() + _DRIVER_LIMIT
        self._thread = threading.Thread(target=self._look, name="watch the memory", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _look(self) -> None:
        while not self._over.wait(_WATCH):
            if _memory() > self._limit:
                self._act()
                return


def _memory() -> int:
    """Return the bytes of memory that this process has in use; 0 where that is not known."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


def _page(conn: connection, rows: cursor, size: int) -> list[Row]:
    page = rows.fetchmany(size)
    if has_none(conn):
        return [tuple(None if cell is None else recoded(cell) for cell in row) for row in page]
    return page


def _next_size(page: list[Row]) -> int:
    """Return how many rows the next page may have, by how wide the last rows of this one are."""
    sample = page[-20:]
    wide = sum(len(cell) for row in sample for cell in row if cell) / len(sample) if sample else 0
    return max(1, min(_PAGE, int(_PAGE_CHARACTERS / wide))) if wide else _PAGE


def _words(error: BaseException) -> str:
    return "It was left before its end." if isinstance(error, GeneratorExit) else "An error ended it."
