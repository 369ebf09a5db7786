r"""A result in a file: written as COPY sends it, indexed while it comes, read back by place at constant memory.

The file has no name (or loses it when it is closed), so that nothing is left however the program ends. What lies in it
is COPY's text format: a line for each row, tabs between cells, `\N` for NULL, and a backslash before what would be
taken for one of these. A row is made into text when somebody asks for it, and never before.
"""

import codecs
import contextlib
import errno
import io
import mmap
import os
import shutil
import tempfile
import threading
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

from typing_extensions import override

from pgexplorer.db.rows import Clipped, State
from pgexplorer.db.values import Column, Row, human_bytes
from pgexplorer.home import spool_folder

ROW_LIMIT = 20_000_000
BYTE_LIMIT = 4 << 30  # of a result on the disk
_RESERVE = 512 << 20  # bytes left free on the disk for everybody else
_LOOK_EVERY = 16 << 20  # bytes written between two looks at what is free
_BLOCK = 16 << 10  # bytes for which the index holds one number: the rows that end before the block does
_BUFFER = 128 << 10  # bytes that are written at once
_SLICE = 4 << 20  # bytes copied at once out of a huge row
_WHOLE = 1 << 20  # bytes up to which a window is read at once; more is mapped, and only what is asked for is copied
_PIECE = 1 << 20  # bytes of a huge cell that are read at once
_HAS_PREAD = hasattr(os, "pread")


class Stopped(Exception):
    """Writing ended before the result did; says why, in words. Raised into whoever writes."""


class Spool:
    """Rows in a file. One thread writes, through `file` or `append`, and says when it ends; any thread reads."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        row_limit: int = ROW_LIMIT,
        byte_limit: int = BYTE_LIMIT,
        reserve: int = _RESERVE,
        folder: Path | None = None,
    ) -> None:
        """Open the file in *folder*, else in the state folder. Raises OSError when that fails."""
        self.columns = tuple(columns)
        self._store = _Store(folder or spool_folder(), row_limit, byte_limit, reserve)
        self.file = cast("BinaryIO", io.BufferedWriter(_Sink(self._store), _BUFFER))  # written to from C, row by row
        self._state = State.MORE
        self._why = ""
        weakref.finalize(self, self._store.drop)

    @property
    def known(self) -> int:
        """How many rows are here."""
        return min(self._store.seen[1], self._store.row_limit)

    @property
    def size(self) -> int:
        """How many bytes they take in the file."""
        return self._store.seen[0]

    @property
    def largest(self) -> int:
        """How many bytes the largest row takes at least; 0 where none is larger than what is written at once."""
        return self._store.largest

    @property
    def state(self) -> State:
        """Whether all rows are here."""
        return self._state

    @property
    def why(self) -> str:
        """What ended a CUT result, in words."""
        return self._why

    # -- for who writes

    def flush(self) -> None:
        """Let readers see what was written so far. Any thread may ask; a limit reached here is met by the writer."""
        with contextlib.suppress(Stopped, ValueError):  # ValueError: it was ended meanwhile
            self.file.flush()

    def append(self, rows: Sequence[Row]) -> None:
        """Write rows that are text already. Raises Stopped at a limit."""
        text = "".join(["\t".join(map(_escaped, row)) + "\n" for row in rows])
        self.file.write(text.encode("utf-8", "surrogatepass"))

    def stop(self, why: str) -> None:
        """Let the writer meet Stopped at its next byte."""
        self._store.stop(why)

    def end(self, why: str = "") -> None:
        """Say that nothing more comes: it is complete, or was ended by *why*, or by a limit of its own."""
        self.flush()
        self._store.mute()
        self.file.close()
        self._why = why or self._store.stopped
        self._state = State.CUT if self._why else State.COMPLETE

    # -- for who reads

    def window(self, first: int, count: int, longest: int | None = None) -> list[Row]:
        """Return at most *count* rows from the 0-based row *first* on; see Rows."""
        count = min(count, self.known - first)
        if first < 0 or count <= 0:
            return []
        width = len(self.columns)
        with self._store.reading:
            if self._store.is_closed:
                return []
            begin, end = self._store.offset(first), self._store.offset(first + count)
            if end - begin <= _WHOLE:
                data = self._store.read(begin, end - begin)
                return [_row(line, width, longest) for line in data.split(b"\n")[:-1]]
            return self._store.mapped(first, count, width, longest)

    def pieces(self, row: int, column: int) -> Iterator[bytes]:
        """Yield the whole text of a cell in its bytes, a piece at a time, however large it is; nothing for NULL.

        Each step blocks for a read of a file at most. Raises OSError when that fails, or when the rows were closed.
        """
        for piece in self._store.pieces(row, column, len(self.columns), _PIECE):
            if piece != b"\\N":
                yield _unescaped(piece)

    def close(self) -> None:
        """Give the file back. A writer meets Stopped."""
        self._store.close()


class _Store:
    """The file and its index. Knows nothing of who uses it, so that it goes when the Spool goes."""

    def __init__(self, folder: Path, row_limit: int, byte_limit: int, reserve: int) -> None:
        self.row_limit = row_limit
        self.seen = (0, 0)  # bytes written, rows ended in them: one assignment, read without a lock
        self.largest = 0
        self.stopped = ""
        self.is_closed = False
        self.reading = threading.Lock()
        self._writing = threading.Lock()
        self._at = threading.Lock()  # of the file's position, where reading has no place of its own
        self._folder = folder
        self._file = _open(folder)
        self._fd = self._file.fileno()
        self._byte_limit = byte_limit
        self._reserve = reserve
        self._look_at = _LOOK_EVERY
        self._ended = array("Q")  # for each whole block, how many rows end before its end
        self._muted = False

    def write(self, data: memoryview) -> int:
        """Take the next bytes; all of them, or Stopped is raised."""
        with self._writing:
            if self._muted:
                return len(data)
            if self.stopped:
                raise Stopped(self.stopped)
            if len(data) > _BUFFER:  # a row by itself: smaller ones are gathered
                self.largest = max(self.largest, len(data))
            for start in range(0, len(data), _SLICE):
                self._write(bytes(data[start : start + _SLICE]))
            self._check()
            return len(data)

    def _write(self, data: bytes) -> None:
        done = 0
        while done < len(data):
            size = self.seen[0]
            try:
                count = _put(self._fd, data[done:] if done else data, size, self._at)
            except OSError as error:
                raise self._stopped(f"The file of the result could not be written: {error.strerror}.") from None
            self._count(data, done, done + count, size)
            done += count

    def _count(self, data: bytes, begin: int, end: int, size: int) -> None:
        rows = self.seen[1]
        at = begin
        while at < end:
            to = min(end, at + _BLOCK - (size + at - begin) % _BLOCK)
            rows += data.count(b"\n", at, to)
            at = to
            if not (size + at - begin) % _BLOCK:
                self._ended.append(rows)
        self.seen = (size + end - begin, rows)

    def _check(self) -> None:
        size, rows = self.seen
        if rows > self.row_limit:
            raise self._stopped(f"The limit of {self.row_limit:,} rows was reached.")
        if size > self._byte_limit:
            raise self._stopped(f"The limit of {human_bytes(self._byte_limit)} was reached.")
        if size > self._look_at:
            self._look_at = size + _LOOK_EVERY
            if (free := shutil.disk_usage(self._folder).free) < self._reserve:
                raise self._stopped(f"The disk of the state folder is nearly full: {human_bytes(free)} are left.")

    def _stopped(self, why: str) -> Stopped:
        self.stopped = self.stopped or why
        return Stopped(self.stopped)

    def stop(self, why: str) -> None:
        """Refuse what is written from now on."""
        self.stopped = self.stopped or why

    def mute(self) -> None:
        """Drop what is written from now on without a word: a buffer that is closed writes its rest."""
        with self._writing:
            self._muted = True

    def close(self) -> None:
        """Close the file, which has no name, so that its space is free."""
        with self._writing, self.reading:
            if not self.is_closed:
                self.is_closed = True
                self.stop("The result was closed.")
                self._file.close()
                self._ended = array("Q")

    def drop(self) -> None:
        """Close the file when nobody is left who writes."""
        self._muted = True
        self.close()

    def offset(self, row: int) -> int:
        """Return where *row* begins, which may be the end of what is known."""
        if row == 0:
            return 0
        block = bisect_left(self._ended, row)
        before = self._ended[block - 1] if block else 0
        data = self.read(block * _BLOCK, _BLOCK)
        return block * _BLOCK + len(data) - len(data.split(b"\n", row - before)[-1])

    def read(self, offset: int, count: int) -> bytes:
        """Return *count* bytes from *offset* on; fewer at the end of what is known."""
        return _get(self._fd, min(count, self.seen[0] - offset), offset, self._at)

    def mapped(self, first: int, count: int, width: int, longest: int | None) -> list[Row]:
        """Return *count* rows from *first* on, copying nothing of them that is not asked for."""
        rows: list[Row] = []
        begin, end = self.offset(first), self.offset(first + count)
        page = begin - begin % mmap.ALLOCATIONGRANULARITY
        with mmap.mmap(self._fd, end - page, access=mmap.ACCESS_READ, offset=page) as data:
            at = begin - page
            for row in range(first, first + count):
                stop = data.find(b"\n", at, at + _WHOLE)
                if stop < 0:  # the index knows where a huge row ends; looking for it would take longer than a frame
                    stop = self.offset(row + 1) - page - 1
                if longest is None or stop - at <= _WHOLE:
                    rows.append(_row(data[at:stop], width, longest))
                else:
                    rows.append(_wide_row(data, at, stop, width, longest))
                at = stop + 1
        return rows

    def pieces(self, row: int, column: int, width: int, size: int) -> Iterator[bytes]:
        """Yield the bytes of a cell's text as it lies here, cut anywhere but within an escape."""
        with self.reading:
            if self.is_closed:
                raise OSError(errno.EBADF, "the result was closed")
            begin, end = self.offset(row), self.offset(row + 1) - 1
            page = begin - begin % mmap.ALLOCATIONGRANULARITY
            with mmap.mmap(self._fd, end - page, access=mmap.ACCESS_READ, offset=page) as data:
                at, to = _cells(data, begin - page, end - page, width)[column]
            at, to = at + page, to + page
        while at < to:
            with self.reading:
                if self.is_closed:
                    raise OSError(errno.EBADF, "the result was closed")
                piece = self.read(at, min(size, to - at))
            odd = len(piece) - len(piece.rstrip(b"\\"))
            if odd % 2 and at + len(piece) < to:
                piece = piece[:-1]
            at += len(piece)
            yield piece


class _Sink(io.RawIOBase):
    """What a buffered writer writes into: the store."""

    def __init__(self, store: _Store) -> None:
        super().__init__()
        self._store = store

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, b: Any, /) -> int:
        return self._store.write(b)


def _open(folder: Path) -> BinaryIO:
    """Open a file that nobody else can open and that is gone when it is closed, however the program ends.

    It never has a name on Linux, loses it at once on other Unixes, and the system removes it at its end on Windows.
    """
    return cast("BinaryIO", tempfile.TemporaryFile(prefix="result-", dir=folder, buffering=0))


def _put(fd: int, data: bytes, offset: int, position: threading.Lock) -> int:
    if _HAS_PREAD:
        return os.pwrite(fd, data, offset)
    with position:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, data)


def _get(fd: int, count: int, offset: int, position: threading.Lock) -> bytes:
    if _HAS_PREAD:
        return os.pread(fd, count, offset)
    with position:
        os.lseek(fd, offset, os.SEEK_SET)
        return os.read(fd, count)


# -- COPY's text format

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_PLAIN = ((b"\\n", b"\n"), (b"\\t", b"\t"), (b"\\r", b"\r"), (b"\\b", b"\b"), (b"\\f", b"\f"), (b"\\v", b"\v"))
_MOST_BYTES = 8  # that a character takes at most in a line: four, and a backslash before a byte that is no letter


def _escaped(cell: str | None) -> str:
    return "\\N" if cell is None else cell.translate(_ESCAPES)


def _row(line: bytes, width: int, longest: int | None) -> Row:
    if not width:
        return ()
    if b"\\" not in line:
        try:
            cells = line.decode().split("\t")
        except UnicodeDecodeError:
            pass
        else:
            if longest is None or len(line) <= longest or max(map(len, cells)) <= longest:
                return tuple(cells)
    return tuple([_cell(field, longest) for field in line.split(b"\t")])


def _cells(data: mmap.mmap, begin: int, end: int, width: int) -> list[tuple[int, int]]:
    """Return from where to where each cell of a line goes.

    From both ends towards a huge one, so that its bytes are not looked through; between two of them there is no way
    around that.
    """
    before: list[tuple[int, int]] = []
    after: list[tuple[int, int]] = []
    while len(before) + len(after) < width - 1:
        stop = data.find(b"\t", begin, min(end, begin + _WHOLE))
        if stop < 0:
            break
        before.append((begin, stop))
        begin = stop + 1
    while len(before) + len(after) < width - 1:
        start = data.rfind(b"\t", max(begin, end - _WHOLE), end)
        if start < 0:
            start = data.rfind(b"\t", begin, end)
        after.append((start + 1, end))
        end = start
    return [*before, (begin, end), *reversed(after)]


def _wide_row(data: mmap.mmap, begin: int, end: int, width: int, longest: int) -> Row:
    cells: list[str | None] = []
    for at, stop in _cells(data, begin, end, width):
        if stop - at > _WHOLE:
            clipped = _clipped(data[at : at + _MOST_BYTES * longest], longest)
            cells.append(Clipped(clipped, stop - at, is_exact=False))  # not read to its end: escapes are not counted
        else:
            cells.append(_cell(data[at:stop], longest))
    return tuple(cells)


def _cell(field: bytes, longest: int | None) -> str | None:
    if field == b"\\N":
        return None
    if longest is None or len(field) <= longest:
        return _text(_unescaped(field))
    if len(field) <= _MOST_BYTES * longest:
        text = _text(_unescaped(field))
        if len(text) <= longest:
            return text
    else:
        text = _clipped(field[: _MOST_BYTES * longest], longest)
    return Clipped(text[:longest], len(field) - field.count(b"\\") + field.count(b"\\\\"))


def _clipped(field: bytes, longest: int) -> str:
    """Return the first characters of a cell of which *field* is the beginning, cut anywhere."""
    odd = len(field) - len(field.rstrip(b"\\"))
    whole = _unescaped(field[:-1] if odd % 2 else field)
    return codecs.getincrementaldecoder("utf-8")("backslashreplace").decode(whole)[:longest]


def _unescaped(field: bytes) -> bytes:
    if b"\\" not in field:
        return field
    # Every backslash begins a pair, so the double ones are found in step from the left.
    parts = field.split(b"\\\\")
    for at, part in enumerate(parts):
        if b"\\" in part:
            for escape, meant in _PLAIN:
                part = part.replace(escape, meant)  # noqa: PLW2901
            parts[at] = part
    return b"\\".join(parts)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:  # a SQL_ASCII database keeps whatever bytes it was given
        return data.decode("utf-8", "backslashreplace")
