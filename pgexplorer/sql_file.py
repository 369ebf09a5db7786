"""SQL files on disk: read with their encoding and line ends, written whole or not at all, never over somebody's work.

No Qt.
"""

import codecs
import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

LARGEST = 64 * 1024 * 1024  # bytes of a file that is opened
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NAMES = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with a mark", "latin-1": "LATIN1"}
_NEWLINES = {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}


class RefusedFile(Exception):
    """A file that is not opened or written, with the reason in words."""


class ChangedOnDisk(RefusedFile):
    """The file is no longer what was read or written last."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file was when it was last read or written here."""

    size: int
    mtime_ns: int
    inode: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is written into a file."""

    encoding: str = "utf-8"
    newline: str = "\n"
    mark: bool = False  # whether a UTF-16 file begins with a byte order mark

    def __str__(self) -> str:
        name = _NAMES.get(self.encoding, self.encoding.upper())
        return name if self.newline == "\n" else f"{name}, {_NEWLINES[self.newline]}"


@dataclass(frozen=True, slots=True)
class SqlFile:
    """A file as it was read."""

    path: Path
    text: str  # its lines end in \\n
    style: Style
    stamp: Stamp
    said: str = ""  # what the reader should know, in words


def read(path: Path) -> SqlFile:
    """Read *path*. Blocks.

    UTF-8 and UTF-16 are recognised; what is neither is read as LATIN1, and that is said. Raises OSError, and
    RefusedFile for what is too large or holds a NUL character.
    """
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        if facts.st_size > LARGEST:
            raise RefusedFile(f"{path.name} has {facts.st_size:,} bytes; up to {LARGEST:,} are opened.")
        data = file.read(LARGEST + 1)
    encoding, mark, text = _decoded(data)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise RefusedFile(
            f"{path.name} holds a NUL character in its line {line}: the server would cut a statement there."
        )
    said: list[str] = []
    if encoding == "latin-1":
        said.append(f"{path.name} is not UTF-8. It was read as LATIN1, and is saved so.")
    counts = {"\r\n": text.count("\r\n")}
    counts |= {"\n": text.count("\n") - counts["\r\n"], "\r": text.count("\r") - counts["\r\n"]}
    newline = max(counts, key=lambda each: (counts[each], each == "\n"))
    if sum(1 for each in counts.values() if each) > 1:
        said.append(f"Its lines end in different ways; saving ends all of them with {_NEWLINES[newline]}.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return SqlFile(path, text, Style(encoding, newline, mark), _stamp(facts, data), " ".join(said))


def write(path: Path, text: str, style: Style, expected: Stamp | None) -> Stamp:
    """Write *text* to *path* in *style*, whole or not at all, and return what the file is then. Blocks.

    *expected* is what the file should still be; None overwrites what is there. Raises ChangedOnDisk where it is
    something else, RefusedFile where the encoding lacks a character, and OSError; the file is then what it was.
    """
    data = _encoded(path, text, style)
    target = Path(os.path.realpath(path))  # what a link points at is replaced, not the link
    if expected is not None and is_changed(path, expected):
        raise ChangedOnDisk(f"{path.name} was changed by another program since it was read here.")
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = target.stat().st_mode & 0o7777
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode if mode is not None else 0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise
    _keep_folder(target.parent)
    return _stamp(target.stat(), data)


def is_changed(path: Path, stamp: Stamp) -> bool:
    """Whether *path* holds something else than *stamp* says; a file that is gone does. Blocks."""
    try:
        facts = path.stat()
        if (facts.st_size, facts.st_mtime_ns, facts.st_ino) == (stamp.size, stamp.mtime_ns, stamp.inode):
            return False
        return facts.st_size != stamp.size or hashlib.sha256(path.read_bytes()).digest() != stamp.digest
    except FileNotFoundError:
        return True


def _decoded(data: bytes) -> tuple[str, bool, str]:
    """Return the encoding of *data*, whether it begins with UTF-16's mark, and its text."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            with contextlib.suppress(UnicodeDecodeError):
                return encoding, encoding != "utf-8-sig", data[len(mark) :].decode(encoding.removesuffix("-sig"))
    if data and len(data) % 2 == 0 and b"\0" in data:  # UTF-16 without a mark: every other byte of ASCII is 0
        for encoding, zeros in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
            if zeros.count(0) > len(zeros) * 0.7:
                with contextlib.suppress(UnicodeDecodeError):
                    return encoding, False, data.decode(encoding)
    try:
        return "utf-8", False, data.decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1", False, data.decode("latin-1")


def _encoded(path: Path, text: str, style: Style) -> bytes:
    if style.newline != "\n":
        text = text.replace("\n", style.newline)
    try:
        data = text.encode(style.encoding)
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise RefusedFile(
            f"{path.name} is {style}, which has no {text[error.start]!r} (line {line}). Save it as UTF-8."
        ) from None
    mark = {each: mark for mark, each in _MARKS}.get(style.encoding, b"") if style.mark else b""
    return mark + data


def _stamp(facts: os.stat_result, data: bytes) -> Stamp:
    return Stamp(len(data), facts.st_mtime_ns, facts.st_ino, hashlib.sha256(data).digest())


def _umask() -> int:
    # The process's own cannot be asked for without setting it, which other threads would see.
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("Umask:")).split()[1], 8)
    return 0o022


def _keep_folder(folder: Path) -> None:
    """Have the new name survive a loss of power, where the system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
