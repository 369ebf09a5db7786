"""A CSV or TSV file into a table by COPY: all of it in one transaction, or nothing."""

import re
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection

from pgexplorer.db.cancel import Running
from pgexplorer.db.client import Client
from pgexplorer.db.errors import ServerError, describe
from pgexplorer.db.schema import Relation, table_name
from pgexplorer.db.transfer import printing
from pgexplorer.db.transfer.export import Finished, News, Progress, Stopped, TransferFailed
from pgexplorer.db.transfer.formats import Format
from pgexplorer.db.transfer.layout import FileReader, Layout, Records, values_of
from pgexplorer.db.values import human_bytes

_PULSE = 0.1
_LONGEST = 1 << 28  # bytes of a record
_PATIENCE = 0.5  # seconds for the reader to hear of a stop, before the statement is cancelled
_LINE = re.compile(r"\w+ (\d+)")
_SKIPPING = """
SELECT string_agg(tgname, ', ') FROM pg_trigger
 WHERE tgrelid = %s AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype & 7 = 7
"""


class Import:
    """One import. `run` blocks and belongs on a worker thread; `stop` may be called meanwhile from another."""

    def __init__(
        self,
        client: Client,
        relation: Relation,
        path: Path,
        layout: Layout,
        columns: Sequence[str | None],
        *,
        side: Callable[[], connection],
        holder: str = "import",
    ) -> None:
        self._client = client
        self._relation = relation
        self._path = path
        self._layout = layout
        self._columns = tuple(columns)  # for each value of a record the column that takes it, or None
        self._side = side
        self._holder = holder
        self._running: Running | None = None
        self._stopped = False
        self._ended = threading.Event()

    def run(self) -> Iterator[News]:
        """Load the file, yielding Progress about ten times a second, then Finished or Stopped.

        Raises TransferFailed with the line of the file and the server's words; the table is as it was then. Raises
        PoolError when no connection is free, OperationalError when connecting fails.
        """
        chosen = [name for name in self._columns if name is not None]
        if not chosen:
            raise TransferFailed(
                ServerError("No column is chosen.", "", "Give one value of the file a column at least.")
            )
        if len(set(chosen)) < len(chosen):
            twice = next(name for name in chosen if chosen.count(name) > 1)
            raise TransferFailed(ServerError(f"The column {twice} is chosen twice."))
        try:
            size = self._path.stat().st_size
            source = _Source(self._path, self._layout, self._columns)
        except OSError as error:
            raise TransferFailed(self._file_words(error)) from None
        began = time.monotonic()
        try:
            with self._client.lend(self._holder) as conn:
                running = self._running = Running(conn)
                try:
                    yield from self._load(conn, running, source, size, began)
                except psycopg2.Error as error:
                    if self._stopped:
                        yield Stopped(source.records)
                        return
                    raise self._failed(conn, error, source) from None
                finally:
                    running.finish()
        finally:
            self._ended.set()
            source.close()

    def stop(self) -> Iterator[str]:
        """End the import and undo it. Yields what is done in words; blocks for seconds at most."""
        self._stopped = True
        yield "Stopping; what was loaded is undone…"
        if not self._ended.wait(_PATIENCE) and self._running is not None:
            yield from self._running.stop(self._side)

    def _load(self, conn: connection, running: Running, source: "_Source", size: int, began: float) -> Iterator[News]:
        names = sql.SQL(", ").join([sql.Identifier(name) for name in self._columns if name is not None])
        copy = sql.SQL("COPY {} ({}) FROM STDIN ").format(table_name(self._relation), names).as_string(conn)
        text = f"{running.tag}{copy}({', '.join(self._said(conn))})"
        ended = threading.Event()
        failure: list[BaseException] = []
        taken = [-1]

        def work() -> None:
            try:
                with self._client.pool.running(conn, text), conn.cursor() as cursor, printing.refused():
                    cursor.copy_expert(text, source, size=1 << 18)  # type: ignore[arg-type]  # readline is never called
                    taken[0] = cursor.rowcount
            except BaseException as error:
                failure.append(error)
            finally:
                ended.set()

        with conn.cursor() as cursor:
            cursor.execute("BEGIN")
            if self._stopped:
                yield Stopped(0)
                return
            source.stopped = lambda: self._stopped
            thread = threading.Thread(target=work, name=f"{self._holder} copy", daemon=True)
            thread.start()
            try:
                while not ended.wait(_PULSE):
                    share = min(1.0, source.bytes_read / size) if size else None
                    yield Progress(source.records, source.bytes_read, time.monotonic() - began, share)
            finally:
                if not ended.is_set():
                    self._stopped = True
                    if not ended.wait(_PATIENCE):
                        for _ in running.stop(self._side):
                            pass
                        ended.wait()
                thread.join()
            if self._stopped:  # the check-in rolls back
                yield Stopped(source.records)
                return
            if failure and source.error is not None:
                raise TransferFailed(self._source_words(source.error))
            if failure:
                raise failure[0]
            notes = self._differs(conn, source.records, taken[0])
            self._commit(conn)
        yield Finished(self._path, taken[0], source.records, size, time.monotonic() - began, notes)

    def _said(self, conn: connection) -> list[str]:
        layout = self._layout

        def quoted(value: str) -> str:
            return sql.Literal(value).as_string(conn)

        said = ["ENCODING 'UTF8'", f"NULL {quoted(layout.null)}"]
        if layout.kind is Format.TSV:
            return [*said, "FORMAT text"]
        return [
            *said,
            "FORMAT csv",
            f"DELIMITER {quoted(layout.delimiter)}",
            f"QUOTE {quoted(layout.quote)}",
            f"ESCAPE {quoted(layout.quote)}",
        ]

    def _differs(self, conn: connection, sent: int, taken: int) -> tuple[str, ...]:
        """Return what to tell where the server's count is another than ours; raise where nothing explains it."""
        if sent == taken:
            return ()
        with conn.cursor() as cursor:
            cursor.execute(_SKIPPING, (self._relation.oid,))
            [triggers] = cursor.fetchone() or (None,)
        if triggers:
            return (f"{sent - taken:,} rows were left out by a trigger of the table ({triggers}).",)
        raise TransferFailed(
            ServerError(
                f"The server took {taken:,} of {sent:,} records, so nothing was kept.",
                f"{self._path}\nA line that is \\. alone ends the data for servers before PostgreSQL 18.",
                "Put quotes around such a value.",
            )
        )

    @staticmethod
    def _commit(conn: connection) -> None:
        try:
            with conn.cursor() as cursor:
                cursor.execute("COMMIT")
        except psycopg2.Error as error:
            if not conn.closed:
                raise
            raise TransferFailed(
                ServerError(
                    "The connection was lost at COMMIT: whether the rows were kept is not known.",
                    str(error).strip(),
                    "Look into the table before you import the file again.",
                    lost=True,
                )
            ) from None

    def _failed(self, conn: connection, error: psycopg2.Error, source: "_Source") -> TransferFailed:
        lost = bool(conn.closed)
        words = describe(error, lost=lost)
        undone = "Nothing was loaded: the table is as it was."
        if lost:
            title = f"The connection was lost after {source.records:,} records: {words.title}"
            return TransferFailed(replace(words, title=title, hint=undone))
        hint = f"{undone} {words.hint}".strip() if words.sqlstate != "57014" else undone
        context = error.diag.context or ""
        after = context.removeprefix(f"COPY {self._relation.name}, ")
        if after == context or (found := _LINE.match(after)) is None:
            return TransferFailed(replace(words, hint=hint))
        line = source.line(int(found[1]))
        after = after.partition("\n")[0]
        where = f"COPY {self._relation.name}, line {line:,}{after[found.end() :]}"
        parts = [error.diag.message_detail or "", where]
        return TransferFailed(
            replace(words, title=f"Line {line:,}: {words.title}", detail="\n".join(filter(None, parts)), hint=hint)
        )

    def _source_words(self, error: Exception) -> ServerError:
        if isinstance(error, OSError):
            return self._file_words(error)
        return ServerError(str(error), str(self._path), "Nothing was loaded: the table is as it was.")

    def _file_words(self, error: OSError) -> ServerError:
        return ServerError(
            f"The file could not be read: {error.strerror or error}.",
            str(self._path),
            "Nothing was loaded: the table is as it was.",
        )


class _Interrupted(Exception):
    """The reader was told to stop."""


class _Source:
    """The file as COPY reads it: without its header, and only with the values that have a column."""

    def __init__(self, path: Path, layout: Layout, columns: Sequence[str | None]) -> None:
        self._reader = FileReader(path, layout.encoding)
        self._layout = layout
        self._records = Records(layout)
        self._kept = [place for place, name in enumerate(columns) if name is not None]
        self._width = len(columns)
        self._whole = len(self._kept) == len(columns)
        self._separator = layout.separator.encode()
        self._output: Iterator[bytes] = self._blocks()
        self._rest = b""
        self._header_lines = 0
        self._line = 1  # where the next record begins
        self._sent_lines = 0
        self._shift = 0
        self._shifts: list[tuple[int, int]] = []  # behind which of the server's lines how many more the file has had
        self.records = 0
        self.error: Exception | None = None
        self.stopped: Callable[[], bool] = bool

    @property
    def bytes_read(self) -> int:
        return self._reader.bytes_read

    def read(self, size: int) -> bytes:
        """Return at most *size* bytes, b"" at the end. psycopg2 ends the COPY with an error where this raises."""
        try:
            if self.stopped():
                raise _Interrupted("stopped")
            if not self._rest:
                self._rest = next(self._output, b"")
        except Exception as error:
            self.error = error
            raise
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def close(self) -> None:
        self._reader.close()

    def line(self, sent: int) -> int:
        """Return the line of the file that the server calls its line *sent*."""
        place = bisect_left(self._shifts, (sent,)) - 1
        return self._header_lines + sent + (self._shifts[place][1] if place >= 0 else 0)

    def _blocks(self) -> Iterator[bytes]:
        skip, last = self._layout.header, False
        while not last:
            if self._records.held > _LONGEST:
                raise ValueError(
                    f"Line {self._line:,}: the record that begins here has no end within {human_bytes(_LONGEST)}. "
                    "Is a quote left open?"
                )
            block = self._reader.block(self._records.held)
            last = not block
            found: list[bytes] = []
            for record in self._records.cut(block, last=last):
                if skip:
                    self._header_lines, skip = _lines(record), False
                elif self._layout.kind is Format.TSV and record.rstrip(b"\r\n") == b"\\.":
                    last = True  # the format's own end of the data
                    break
                else:
                    found.append(sent := record if self._whole else self._picked(record))
                    self.records += 1
                    self._count(_lines(record), sent)
                self._line += _lines(record)
            if found:
                yield b"".join(found)

    def _picked(self, record: bytes) -> bytes:
        values = values_of(record, self._layout)
        if len(values) != self._width:
            raise ValueError(
                f"Line {self._line:,}: the record has {len(values):,} values, and the file's others {self._width:,}."
            )
        return self._separator.join([values[place] for place in self._kept]) + b"\n"

    def _count(self, lines: int, sent: bytes) -> None:
        """Note where the server's count of lines parts from the file's.

        Within quotes it counts the character that ends a line in this file, and in the first record, when it has seen
        no line end yet, carriage returns.
        """
        counted = 1
        if self._layout.kind is Format.CSV and (sent.count(b"\n") > 1 or sent.count(b"\r") > 1):
            inside = sent.rstrip(b"\r\n")
            by_feed = self.records > 1 and not sent.endswith((b"\r\n", b"\r"))
            counted += inside.count(b"\n" if by_feed else b"\r")
        self._sent_lines += counted
        if lines != counted:
            self._shift += lines - counted
            self._shifts.append((self._sent_lines, self._shift))


def _lines(record: bytes) -> int:
    """Return how many lines a record takes."""
    return (
        max(1, record.count(b"\n") or record.count(b"\r")) if record[-1:] in {b"\n", b"\r"} else record.count(b"\n") + 1
    )
