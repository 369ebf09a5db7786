"""Rows out of the server into a file of any size, whole or not at all. Import is in load.py."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import psycopg2
from psycopg2 import extensions as ext
from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from pgexplorer.db.cancel import Running
from pgexplorer.db.client import Client
from pgexplorer.db.errors import RefusedSql, ServerError, describe
from pgexplorer.db.rows import RowsGone
from pgexplorer.db.schema import Relation, read_columns, table_name
from pgexplorer.db.statements import split
from pgexplorer.db.table.ordering import Filter
from pgexplorer.db.transfer import printing
from pgexplorer.db.transfer.convert import specification
from pgexplorer.db.transfer.formats import Field, Format, Options, TsvWriter, copy_line, kind_of
from pgexplorer.db.transfer.part_file import PartFile
from pgexplorer.db.values import Column, Row, human_bytes, raw_cursor

_PULSE = 0.1  # seconds between two pieces of news
_CURSOR = "pgexplorer_export"
# An export never changes anything, whatever the query calls. And a file is read by somebody whose settings are others:
# dates that mean the same everywhere, and every digit, as pg_dump has it.
_BEGIN = (
    "BEGIN READ ONLY; SET LOCAL DateStyle = 'ISO'; SET LOCAL IntervalStyle = 'postgres';"
    " SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'"
)
_PACKAGES = {Format.EXCEL: ("xlsxwriter", "xlsxwriter"), Format.PARQUET: ("pyarrow", '"pgexplorer[parquet]"')}
_FOLDER = str(Path(__file__).parents[2])


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table, or what can be read like one: all rows or those under a filter, all columns or some."""

    relation: Relation
    filter: Filter = field(default_factory=Filter)
    columns: tuple[str, ...] = ()

    @property
    def estimate(self) -> int | None:
        """About how many rows there are, where the planner knows."""
        return int(self.relation.rows) if self.relation.rows >= 0 and not self.filter else None


@dataclass(frozen=True, slots=True)
class QuerySource:
    """A query, which is run again, in a transaction that can only read."""

    sql: str
    estimate: int | None = None


@dataclass(frozen=True, slots=True)
class RowsSource:
    """Rows that are here already, the server's text in each. They are read on the thread that writes."""

    columns: Sequence[Column]
    rows: Iterable[Row]
    estimate: int | None = None  # how many there are, where it is known


Source = TableSource | QuerySource | RowsSource


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is."""

    rows: int
    bytes: int
    seconds: float
    share: float | None = None  # 0 to 1 where a total is known
    finishing: bool = False  # all rows are here; the file is being written

    @property
    def rate(self) -> float:
        """Rows in a second."""
        return self.rows / self.seconds if self.seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds that it may still take."""
        return self.seconds / self.share - self.seconds if self.share else None


@dataclass(frozen=True, slots=True)
class Finished:
    """It is done, and every row that was sent has arrived."""

    path: Path
    rows: int  # in the file, or in the table
    sent: int  # by the other side's own count
    bytes: int  # of the file
    seconds: float
    notes: tuple[str, ...] = ()  # what a reader of the file must know

    @property
    def proof(self) -> str:
        """The two counts in words: "1,000,000 of 1,000,000 rows"."""
        return f"{self.rows:,} of {self.sent:,} row{'' if self.sent == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Stopped:
    """It was stopped by the person; nothing has changed."""

    rows: int


News = Progress | Finished | Stopped


class TransferFailed(Exception):
    """Why nothing was written or loaded, in words; what was there before is untouched."""

    def __init__(self, error: ServerError) -> None:
        super().__init__("\n".join(part for part in (error.heading, error.detail, error.hint) if part))
        self.error = error


class TargetExists(TransferFailed):
    """There is such a file, and nobody has said that it may be replaced."""

    def __init__(self, path: Path) -> None:
        super().__init__(ServerError(f"{path.name} exists already.", str(path), "Replace it, or choose another name."))
        self.path = path


class Export:
    """One export. `run` blocks and belongs on a worker thread; `stop` may be called meanwhile from another."""

    def __init__(
        self,
        client: Client,
        source: Source,
        kind: Format,
        path: Path,
        options: Options | None = None,
        *,
        side: Callable[[], connection],
        holder: str = "export",
        overwrite: bool = False,
    ) -> None:
        self._client = client
        self._source = source
        self._kind = kind
        self._path = path
        self._options = options or Options()
        self._side = side
        self._holder = holder
        self._overwrite = overwrite
        self._running: Running | None = None
        self._sink: _Sink | None = None
        self._stopped = False
        self._began = 0.0
        self._sent = -1  # rows, by the server's own count

    def run(self) -> Iterator[News]:
        """Write the file, yielding Progress about ten times a second, then Finished or Stopped.

        Raises TransferFailed with everything that can go wrong on the way, RefusedSql for what cannot be sent,
        PoolError when no connection is free, OperationalError when connecting fails. The connection is back in the
        pool as soon as the last row is here. Whatever happens, the file under the name is the old one or the whole
        new one.
        """
        self._check()
        self._began = time.monotonic()
        try:
            part = PartFile(self._path, overwrite=self._overwrite)
        except FileExistsError:
            raise TargetExists(self._path) from None
        except OSError as error:
            raise TransferFailed(_file_words(self._path, error)) from None
        try:
            with self._folder(part) as folder:
                if isinstance(self._source, RowsSource):
                    yield from self._from_here(self._source, part, folder)
                else:
                    yield from self._from_server(self._source, part, folder)
        except FileExistsError:
            raise TargetExists(self._path) from None
        except OSError as error:
            raise TransferFailed(_file_words(self._path, error)) from None
        finally:
            if self._sink is not None:
                self._sink.end()
            part.drop()

    def stop(self) -> Iterator[str]:
        """End the export: cancel, then terminate, then abandon. Yields each rung in words; blocks for seconds."""
        self._stopped = True
        if self._sink is not None:
            self._sink.end()
        if self._running is not None:
            yield from self._running.stop(self._side)

    def _folder(self, part: PartFile) -> contextlib.AbstractContextManager[str]:
        """Return a folder beside the file for what Excel needs meanwhile: as much room as the file, uncompressed."""
        if self._kind is not Format.EXCEL:
            return contextlib.nullcontext("")
        return tempfile.TemporaryDirectory(prefix=f".{part.path.name[:80]}.", dir=part.path.parent)

    def _check(self) -> None:
        for words in self._options.problems(self._kind).values():
            raise TransferFailed(ServerError(words))
        source = self._source
        if isinstance(source, QuerySource):
            if "\0" in source.sql:
                raise RefusedSql("The query holds a NUL character, at which the server would cut it.")
            if len(split(source.sql)) != 1:
                raise RefusedSql("An export takes one query. Select the one that you want, and export that.")
        if isinstance(source, TableSource):
            source.filter.check()
        name, install = _PACKAGES.get(self._kind, ("", ""))
        if name and importlib.util.find_spec(name) is None:
            raise TransferFailed(
                ServerError(
                    f"{self._kind.words} needs the package {name}, which is not installed.",
                    f"{sys.executable} -m pip install {install}",
                    "Install it with this line; then export again, without a new start.",
                )
            )

    def _from_server(self, source: TableSource | QuerySource, part: PartFile, folder: str) -> Iterator[News]:
        with self._client.lend(self._holder, discard=True) as conn:
            running = self._running = Running(conn)
            try:
                yield from self._copied(conn, running, source, part, folder)
            except psycopg2.Error as error:
                if self._stopped:
                    yield Stopped(self._received)
                    return
                lost = bool(conn.closed)
                words = describe(error, lost=lost, sent_before=len(running.tag) + len(_declare("")))
                raise TransferFailed(_server_words(words, self._path, self._received)) from None
            finally:
                running.finish()
            sent = self._sent
        if not self._stopped:
            yield from self._finish(part, sent)
        else:
            yield Stopped(self._received)

    def _copied(
        self, conn: connection, running: Running, source: TableSource | QuerySource, part: PartFile, folder: str
    ) -> Iterator[News]:
        self._sent = -1
        with raw_cursor(conn) as rows:
            rows.execute(_BEGIN)
            text, names, overriding = self._query(conn, rows, source)
            rows.execute(running.tag + _declare(text))
            rows.execute(f"FETCH 0 FROM {_CURSOR}")
            fields = [_field(column) for column in rows.description or ()]
            rows.execute(f"CLOSE {_CURSOR}")
            stored = conn.info.parameter_status("server_encoding") or "UTF8"
            direct = self._is_direct(stored)
            options, encoding = self._options, "UTF8"
            if not options.encoding or stored == "SQL_ASCII":
                encoding = stored
            if direct:
                self._sink = _FileSink(part.part, self._kind, options, fields, stored)
            else:
                order = specification(self._kind, self._named(options, names), fields, part.part, folder=folder,
                                      overriding=overriding)  # fmt: skip
                self._sink = _Process(order)
            copy = _copy_statement(conn, text, self._kind if direct else None, self._kind, options, encoding)
            if self._stopped:
                raise psycopg2.OperationalError("stopped")
            yield from self._stream(conn, running, running.tag + copy)
            rows.execute("COMMIT")

    def _stream(self, conn: connection, running: Running, text: str) -> Iterator[News]:
        """Let a thread copy into the sink, and tell how far it is meanwhile."""
        sink = self._sink
        assert sink is not None
        ended = threading.Event()
        failure: list[BaseException] = []

        def work() -> None:
            try:
                with self._client.pool.running(conn, text), conn.cursor() as rows, printing.refused():
                    rows.copy_expert(text, sink)
                    self._sent = rows.rowcount
            except BaseException as error:
                failure.append(error)
            finally:
                ended.set()

        thread = threading.Thread(target=work, name=f"{self._holder} copy", daemon=True)
        thread.start()
        try:
            while not ended.wait(_PULSE):
                if sink.error is not None and not running.wanted:
                    for _ in running.stop(self._side):  # what still comes is for nobody
                        pass
                yield self._progress()
        finally:
            if not ended.is_set():
                for _ in running.stop(self._side):
                    pass
                ended.wait()
            thread.join()
        if not self._stopped:
            sink.raise_error()
        if failure:
            raise failure[0]

    def _from_here(self, source: RowsSource, part: PartFile, folder: str) -> Iterator[News]:
        fields = [Field(column.name, kind_of(column.type_oid), column.type_oid) for column in source.columns]
        order = specification(self._kind, self._named(self._options, ()), fields, part.part, folder=folder)
        sink = self._sink = _Process(order)
        told = self._began
        line = _csv_line if self._kind is Format.PARQUET else copy_line
        # What is here was text of the server once, undecodable bytes included.
        try:
            for row in source.rows:
                sink.write(line(row).encode("utf-8", "surrogateescape") + b"\n")
                if self._stopped or sink.error is not None:
                    break
                if (now := time.monotonic()) - told > _PULSE:
                    told = now
                    yield self._progress()
        except RowsGone as gone:
            words = ServerError(str(gone), f"{sink.rows:,} rows were read before.", f"{self._path} is as it was.")
            raise TransferFailed(words) from None
        if self._stopped:
            yield Stopped(sink.rows)
            return
        sink.raise_error()
        yield from self._finish(part, sink.rows)

    def _finish(self, part: PartFile, sent: int) -> Iterator[News]:
        """Close the file, compare the counts, and give it its name."""
        sink = self._sink
        assert sink is not None
        sink.close()
        while not sink.has_ended(_PULSE):
            yield self._progress(finishing=True)
        if self._stopped:
            yield Stopped(sink.rows)
            return
        sink.raise_error()
        written, size = sink.written, part.part.stat().st_size
        if not sent == sink.rows == written or (sink.size is not None and sink.size != size):
            raise TransferFailed(
                ServerError(
                    f"The file would not be complete: {written:,} of {sent:,} rows.",
                    f"{sink.rows:,} rows arrived; the file has {human_bytes(size)}.",
                    f"{self._path} is as it was.",
                )
            )
        yield self._progress(finishing=True)
        part.keep()
        yield Finished(self._path, written, sent, size, time.monotonic() - self._began, tuple(sink.notes))

    @property
    def _received(self) -> int:
        return self._sink.rows if self._sink is not None else 0

    def _progress(self, *, finishing: bool = False) -> Progress:
        sink, total = self._sink, self._source.estimate
        rows, size = (max(0, sink.rows), sink.bytes) if sink is not None else (0, 0)  # the header counts below 0
        share = rows / total if total and rows <= total else None
        return Progress(rows, size, time.monotonic() - self._began, share, finishing)

    def _is_direct(self, stored: str) -> bool:
        """Whether the server's bytes are the file's."""
        options = self._options
        if self._kind not in {Format.CSV, Format.TSV} or (options.guard and self._kind is Format.CSV):
            return False
        return not options.encoding or (options.encoding == "utf-8" and stored != "SQL_ASCII")

    def _named(self, options: Options, names: tuple[str, ...]) -> Options:
        if options.table:
            return options
        return replace(options, table=names or ("exported",))

    def _query(
        self, conn: connection, rows: cursor, source: TableSource | QuerySource
    ) -> tuple[str, tuple[str, ...], bool]:
        """Return the query, the table's name for INSERTs, and whether they override identity columns."""
        if isinstance(source, QuerySource):
            return split(source.sql)[0].text, (), False
        relation = source.relation
        names = source.columns or tuple(column.name for column in read_columns(conn, relation.oid))
        overriding = False
        if self._kind is Format.INSERT:
            rows.execute(
                "SELECT attname, attgenerated <> '', attidentity = 'a' FROM pg_attribute"
                " WHERE attrelid = %s AND attnum > 0 AND NOT attisdropped",
                (relation.oid,),
            )
            found = rows.fetchall()
            generated = {name for name, is_generated, _ in found if is_generated == "t"}
            names = tuple(name for name in names if name not in generated)
            overriding = any(always == "t" and name in names for name, _, always in found)
        shown = sql.SQL(", ").join([sql.Identifier("t", name) for name in names])
        query = sql.SQL("SELECT {} FROM {} AS t").format(shown, table_name(relation)) + source.filter.tail()
        return query.as_string(conn), (relation.schema, relation.name), overriding


def _declare(text: str) -> str:
    return f"DECLARE {_CURSOR} NO SCROLL CURSOR FOR {text}"


def _field(column: Any) -> Field:
    return Field(column.name, kind_of(column.type_code), column.type_code, column.precision, column.scale)


def _copy_statement(
    conn: connection, text: str, direct: Format | None, kind: Format, options: Options, encoding: str
) -> str:
    """Return the COPY of *text*: as the file wants it where its bytes go there, else as the converter reads it."""

    def quoted(value: str) -> str:
        return sql.Literal(value).as_string(conn)

    said = [f"ENCODING {quoted(encoding)}"]
    if direct is Format.CSV:
        said += ["FORMAT csv", f"DELIMITER {quoted(options.delimiter)}", f"QUOTE {quoted(options.quote)}"]
        said += [f"NULL {quoted(options.null_text(direct))}", f"HEADER {'true' if options.header else 'false'}"]
        if options.delimiter != '"' and options.quote != '"':
            said.append(f"ESCAPE {quoted(options.quote)}")
        if options.quote_all:
            said.append("FORCE_QUOTE *")
    elif direct is Format.TSV:  # the header is ours: before PostgreSQL 15 this format had none
        said += ["FORMAT text", f"NULL {quoted(options.null_text(direct))}"]
    elif kind is Format.PARQUET:
        said += ["FORMAT csv", "NULL '\\N'"]
    else:
        said += ["FORMAT text"]
    return f"COPY ({text}\n) TO STDOUT ({', '.join(said)})"


class _Sink:
    """Where the rows go. Its write() never raises: psycopg2 would leave the connection in the midst of a COPY."""

    def __init__(self) -> None:
        self.rows: int = 0  # that arrived
        self.bytes: int = 0
        self.size: int | None = None  # of the file, where it is known beforehand
        self.error: OSError | None = None
        self.notes: list[str] = []
        self.written: int = 0  # rows in the file, once it is closed

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Say that all rows are here."""
        raise NotImplementedError

    def has_ended(self, seconds: float) -> bool:
        """Whether the file is written; waits for that, *seconds* at most."""
        raise NotImplementedError

    def raise_error(self) -> None:
        """Raise what went wrong: OSError or TransferFailed."""
        if self.error is not None:
            raise self.error

    def end(self) -> None:
        """Give up, or let go of what is done. May be called again, and from another thread."""
        raise NotImplementedError


class _FileSink(_Sink):
    """The file itself: the server's bytes go there untouched."""

    def __init__(self, path: Path, kind: Format, options: Options, fields: list[Field], stored: str) -> None:
        super().__init__()
        self._file: BinaryIO = open(path, "wb", buffering=1 << 20)  # noqa: SIM115  (closed by close or end)
        self._write = self._file.write
        self._headers = 0
        self._before = 0
        if kind is Format.TSV:
            header = TsvWriter(fields, options).begin()
            codec = "utf-8" if options.encoding else ext.encodings.get(stored, "utf-8")
            data = header.encode(codec, "surrogateescape")
            self._before = len(data)
            self._file.write(data)
        elif options.header:
            self._headers = 1
        self.rows = -self._headers

    def write(self, data: bytes) -> None:
        try:
            self._write(data)
        except (OSError, ValueError) as error:  # ValueError: it was closed by end()
            if self.error is None:
                self.error = error if isinstance(error, OSError) else OSError("the file is closed")
            self._write = _nowhere
        self.rows += 1
        self.bytes += len(data)

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self.error = self.error or error
        self.written, self.size = self.rows, self._before + self.bytes

    def has_ended(self, seconds: float) -> bool:
        return True

    def end(self) -> None:
        with contextlib.suppress(OSError):  # it is thrown away, or closed already
            self._file.close()


def _nowhere(data: bytes) -> int:
    return len(data)


class _Process(_Sink):
    """The converter: a process that makes the file of the rows that it is sent."""

    def __init__(self, order: bytes) -> None:
        super().__init__()
        path = os.pathsep.join(filter(None, [_FOLDER, os.environ.get("PYTHONPATH", "")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pgexplorer.db.transfer.convert"],
            bufsize=1 << 20,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": path},
        )
        assert self._process.stdin is not None
        self._stdin = self._process.stdin
        self._write: Callable[[bytes], int] = self._stdin.write
        self._answer: dict[str, Any] | None = None
        self._closing: threading.Thread | None = None
        self._ended = threading.Event()
        self._killed = False
        self._to_pipe(order)

    def write(self, data: bytes) -> None:
        self._to_pipe(data)
        self.rows += 1
        self.bytes += len(data)

    def _to_pipe(self, data: bytes) -> None:
        try:
            self._write(data)
        except (OSError, ValueError) as error:  # it has ended, and says why
            if self.error is None:
                self.error = error if isinstance(error, OSError) else OSError("the converter has ended")
            self._write = _nowhere

    def close(self) -> None:
        # On a thread of its own: what the pipe still holds may take its time, and the end of a workbook more.
        self._closing = threading.Thread(target=self._collect, name="export end", daemon=True)
        self._closing.start()

    def _collect(self) -> None:
        try:
            self._stdin.close()
        except (OSError, ValueError) as error:
            self.error = self.error or (error if isinstance(error, OSError) else None)
        assert self._process.stdout is not None
        said = self._process.stdout.read().decode("utf-8", "replace").strip()
        code = self._process.wait()
        try:
            answer: Any = json.loads(said.rpartition("\n")[2])
        except ValueError:
            answer = {"wrong": f"The converter ended with code {code}. {said[-2000:]}".strip()}
        self._answer = answer
        self.written, self.notes = answer.get("rows", -1), answer.get("notes", [])
        self._ended.set()

    def has_ended(self, seconds: float) -> bool:
        return self._ended.wait(seconds)

    def raise_error(self) -> None:
        if self.error is not None and self._closing is None and not self._killed:
            self.close()
        if self._closing is None:
            return
        self._ended.wait()
        answer = self._answer or {}
        if "errno" in answer:
            raise OSError(answer["errno"], answer["words"])
        if "wrong" in answer:
            raise TransferFailed(
                ServerError(
                    "The file could not be written.",
                    str(answer["wrong"]),
                    "Choose another format or encoding for it. Nothing was written.",
                )
            )
        super().raise_error()

    def end(self) -> None:
        self._killed = True
        if self._process.poll() is None:
            self._process.kill()
        if self._closing is None:
            self.close()
        if threading.current_thread() is not self._closing and self._closing is not None:
            self._closing.join(5)
        if self._process.stdout is not None and self._ended.is_set():
            self._process.stdout.close()


def _csv_line(row: Row) -> str:
    """Return a row as the converter reads it for Parquet: everything quoted but NULL."""
    return ",".join("\\N" if value is None else '"' + value.replace('"', '""') + '"' for value in row)


def _file_words(path: Path, error: OSError) -> ServerError:
    words = error.strerror or str(error) or type(error).__name__
    return ServerError(
        f"The file could not be written: {words}.".replace("..", "."),
        str(path),
        "Nothing was written under this name; what was there is as it was.",
    )


def _server_words(words: ServerError, path: Path, rows: int) -> ServerError:
    before = f" after {rows:,} rows" if rows > 0 else ""
    title = f"The connection was lost{before}: {words.title}" if words.lost else words.title
    told = f"The server had sent {rows:,} rows." if rows > 0 and not words.lost else ""
    hint = f"Nothing was written: {path} is as it was." + ("" if words.lost or not words.hint else f" {words.hint}")
    detail = "\n".join(part for part in (words.detail, told) if part)
    return ServerError(title, detail, hint, words.sqlstate, words.position, words.lost)
