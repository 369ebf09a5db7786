"""SQL in, pages of rows out: a text's statements run one after the other on one connection of the pool."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection, cursor

from pgexplorer.db.cancel import Running
from pgexplorer.db.client import Client
from pgexplorer.db.errors import RefusedSql, ServerError, describe
from pgexplorer.db.statements import Statement, split
from pgexplorer.db.values import Column, Row, raw_cursor

ROW_LIMIT = 10_000
_FIRST_PAGE, _PAGE = 200, 1_000  # rows: the first page is small, so that it is there at once
_DECLARE = "DECLARE pgexplorer_rows NO SCROLL CURSOR FOR "
_PAGE_CHARACTERS = 2_000_000  # a page of wide rows is shorter: decoding it must not hold the interpreter for long
_MOST_NOTICES = 200


@dataclass(frozen=True, slots=True)
class Started:
    """A statement was sent."""

    index: int  # 0-based
    of: int
    statement: Statement
    pid: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a statement's result; the first page may be empty and still brings the columns."""

    index: int
    columns: tuple[Column, ...]
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Done:
    """A statement ended well."""

    index: int
    status: str  # the server's command tag, "SELECT 3"
    rows: int  # rows shown, or rows changed; -1 when the statement has neither
    has_rows: bool
    complete: bool  # False when the row limit cut the result
    first_s: float  # until the first rows were there
    total_s: float


@dataclass(frozen=True, slots=True)
class Failed:
    """A statement failed; those after it were not sent."""

    index: int
    of: int
    error: ServerError
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Notices:
    """What the server said beside the results; the last ones when there were very many."""

    lines: tuple[str, ...]
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The text left a transaction open, and giving the connection back rolled it back."""


News = Started | Page | Done | Failed | Notices | RolledBack


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


class Query:
    """A text of one or more statements, run once.

    `run` blocks and belongs on a worker thread; `stop` may be called meanwhile from another.
    """

    def __init__(
        self,
        client: Client,
        sql: str,
        holder: str,
        *,
        side: Callable[[], connection],
        row_limit: int = ROW_LIMIT,
        offset: int = 0,
    ) -> None:
        self._client = client
        self._sql = sql
        self._holder = holder
        self._side = side
        self._limit = row_limit
        self._offset = offset  # where *sql* begins in the editor's text
        self._running: Running | None = None
        self._stopped = False

    def run(self) -> Iterator[News]:
        """Send the statements in order, yielding what comes of each; stop at the first that fails.

        Raises RefusedSql for a text that cannot be sent, PoolError when no connection is free, OperationalError
        when connecting fails. The connection is back in the pool when the iterator ends.
        """
        if "\0" in self._sql:
            line = self._sql.count("\n", 0, self._sql.index("\0")) + 1
            raise RefusedSql(f"Line {line} holds a NUL character, at which the server would cut the statement.")
        statements = split(self._sql)
        if not statements:
            raise RefusedSql("There is nothing to run: the text holds no statement.")
        with self._client.lend(self._holder, discard=True) as conn:
            running = self._running = Running(conn)
            notices = _Notices()
            conn.notices = notices  # type: ignore[assignment]  # psycopg2 asks for append() alone
            try:
                for index, statement in enumerate(statements):
                    if self._stopped:
                        yield Failed(index, len(statements), ServerError("Stopped before this statement."), True)
                        break
                    yield Started(index, len(statements), statement, running.pid)
                    failed: Failed | None = None
                    try:
                        yield from self._one(conn, running, index, statement)
                    except psycopg2.Error as error:
                        failed = self._failed(conn, running, index, len(statements), statement, error)
                        yield failed
                    if notices.lines:
                        yield Notices(tuple(notices.lines), notices.dropped)
                        notices.lines, notices.dropped = [], 0
                    if failed is not None:
                        break
            finally:
                running.finish()
                conn.notices = []
            left_open = not conn.closed and conn.info.transaction_status in {
                ext.TRANSACTION_STATUS_INTRANS,
                ext.TRANSACTION_STATUS_INERROR,
            }
        if left_open:
            yield RolledBack()

    def stop(self) -> Iterator[str]:
        """End what runs: cancel, then terminate, then abandon. Yields each rung in words; blocks for seconds."""
        self._stopped = True
        if self._running is not None:
            yield from self._running.stop(self._side)

    def _failed(
        self, conn: connection, running: Running, index: int, of: int, statement: Statement, error: psycopg2.Error
    ) -> Failed:
        lost = bool(conn.closed)
        cancelled = running.wanted and (lost or error.pgcode == "57014")
        sent_before = len(running.tag)
        if statement.pages:
            sent_before += len(_DECLARE)
        described = describe(error, lost=lost, sent_before=sent_before)
        return Failed(index, of, described.moved(statement.start + self._offset), cancelled)

    def _one(self, conn: connection, running: Running, index: int, statement: Statement) -> Iterator[News]:
        began = time.perf_counter()
        with self._client.pool.running(conn, statement.text), raw_cursor(conn) as rows:
            if statement.pages:
                yield from self._paged(conn, rows, running, index, statement, began)
            else:
                yield from self._plain(conn, rows, running, index, statement, began)

    def _plain(
        self, conn: connection, rows: cursor, running: Running, index: int, statement: Statement, began: float
    ) -> Iterator[News]:
        """Run a statement as it is. The driver holds its whole result; the limit cuts what is shown."""
        rows.execute(running.tag + statement.text)
        first = time.perf_counter() - began
        shown = 0
        if rows.description is not None:
            columns = self._client.columns(rows)
            yield Page(index, columns, page := rows.fetchmany(min(_FIRST_PAGE, self._limit)))
            shown = len(page)
            while page and shown < self._limit:
                page = rows.fetchmany(min(_PAGE, self._limit - shown))
                shown += len(page)
                yield Page(index, columns, page)
        has_rows = rows.description is not None
        count = shown if has_rows else rows.rowcount
        complete = not has_rows or shown >= rows.rowcount
        status = rows.statusmessage or ""
        yield Done(index, status, count, has_rows, complete, first, time.perf_counter() - began)

    def _paged(
        self, conn: connection, rows: cursor, running: Running, index: int, statement: Statement, began: float
    ) -> Iterator[News]:
        """Run a SELECT through a server-side cursor, so that a result of any size costs a page of memory.

        In a transaction of our own unless the user's is open; planned for the whole result, as a plain run is.
        """
        own = conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
        if own:
            rows.execute("BEGIN; SET LOCAL cursor_tuple_fraction = 1")
        try:
            rows.execute(running.tag + _DECLARE + statement.text)
            columns: tuple[Column, ...] | None = None
            shown, first, more, size = 0, 0.0, True, _FIRST_PAGE
            while more and shown < self._limit:
                wanted = min(size, self._limit - shown)
                rows.execute(f"{running.tag}FETCH FORWARD {wanted} FROM pgexplorer_rows")
                page = rows.fetchall()
                if columns is None:
                    columns, first = self._client.columns(rows), time.perf_counter() - began
                shown += len(page)
                more = len(page) == wanted
                size = _next_size(page)
                yield Page(index, columns, page)
            if more:
                rows.execute(f"{running.tag}FETCH FORWARD 1 FROM pgexplorer_rows")
                more = rows.rowcount > 0
            rows.execute("CLOSE pgexplorer_rows")
            if own:
                rows.execute("COMMIT")
        except BaseException:
            if own and not conn.closed:
                running.finish()
                with contextlib.suppress(psycopg2.Error):  # the check-in rolls back too, or throws it away
                    rows.execute("ROLLBACK")
            raise
        yield Done(index, f"SELECT {shown}", shown, True, not more, first, time.perf_counter() - began)


def _next_size(page: list[Row]) -> int:
    """Return how many rows the next page may have, by how wide the last rows of this one are."""
    sample = page[-20:]
    wide = sum(len(cell) for row in sample for cell in row if cell) / len(sample) if sample else 0
    return max(1, min(_PAGE, int(_PAGE_CHARACTERS / wide))) if wide else _PAGE
