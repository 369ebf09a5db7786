"""How a CSV or TSV file is laid out: guessed from its beginning, shown, and read record by record as it stands."""

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pgexplorer.db.transfer.formats import ENCODINGS, Format, parse

_SAMPLE = 1 << 18  # bytes that are looked at
_BLOCK = 1 << 18
_DELIMITERS = ",;\t|"
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
READABLE = {name: words for name, words in ENCODINGS.items() if name not in {"", "utf-8-sig", "utf-16"}} | {
    "utf-16-le": "UTF-16, little-endian",
    "utf-16-be": "UTF-16, big-endian",
    "cp1250": "Windows-1250 (central Europe)",
    "cp1251": "Windows-1251 (Cyrillic)",
    "shift_jis": "Shift JIS",
    "gb18030": "GB 18030",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a file."""

    kind: Format = Format.CSV  # or TSV, which is COPY's text format: tabs, backslashes, \\N
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    null: str = ""

    @property
    def separator(self) -> str:
        """What stands between two values."""
        return "\t" if self.kind is Format.TSV else self.delimiter


@dataclass(frozen=True, slots=True)
class Preview:
    """The first records of a file; NULL is None."""

    header: list[str] | None
    rows: list[list[str | None]]
    wrong: str = ""  # what does not fit together, in words

    @property
    def width(self) -> int:
        """How many values its widest record has."""
        return max((len(row) for row in [self.header or [], *self.rows]), default=0)


class FileReader:
    """A file's records as UTF-8, from after its byte order mark; `bytes_read` of it so far.

    Raises OSError, and ValueError with the line where the file is not in its encoding.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        self._file = open(path, "rb")  # noqa: SIM115  (closed by close)
        self._mark = 0
        head = self._file.read(3)
        for mark, name in _MARKS:
            if head.startswith(mark) and name == encoding:
                self._mark = len(mark)
        self._file.seek(self._mark)
        # UTF-8 goes through as it is: the server checks it, and names the line.
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)()
        self._encoding = encoding
        self._lines = 1
        self.bytes_read = self._mark

    def block(self, least: int = 0) -> bytes:
        """Return the next bytes, b"" at the end; more than *least*, so that a long record is joined a few times."""
        while True:
            data = self._file.read(max(_BLOCK, least))
            self.bytes_read += len(data)
            if self._decoder is None:
                return data
            try:
                text = self._decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                good: str = error.object[: error.start].decode(self._encoding, "ignore")
                wrong = error.object[error.start : error.end].hex(" ")
                line = self._lines + good.count("\n")
                words = READABLE.get(self._encoding, self._encoding)
                raise ValueError(f"Line {line:,}: the bytes {wrong} are not {words}.") from None
            self._lines += text.count("\n")
            if text or not data:
                return text.encode("utf-8", "surrogatepass")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Records:
    """Cuts UTF-8 into records, as COPY does: a line break between quotes, or behind a backslash, ends none."""

    def __init__(self, layout: Layout) -> None:
        self._quote: bytes = layout.quote.encode() if layout.kind is Format.CSV else b""
        self._rest: bytes = b""
        self._at: int = 0  # of it: where the search for its end goes on
        self._odd: bool = False  # whether a quote is open there
        self._break: bytes = b""

    @property
    def held(self) -> int:
        """How many bytes of a record are there whose end is not."""
        return len(self._rest)

    def cut(self, data: bytes, *, last: bool = False) -> Iterator[bytes]:
        """Yield the records that *data* completes, each with its line end; with *last* what is left too."""
        data = self._rest + data
        if not self._break and not self._find_break(data, last=last):
            self._rest = data
            return
        start, at, odd = 0, self._at, self._odd
        while (end := data.find(self._break, at)) >= 0:
            if self._quote:
                odd ^= bool(data.count(self._quote, at, end) % 2)
                whole = not odd
            else:
                before = data[start:end].rstrip(b"\r")
                whole = (len(before) - len(before.rstrip(b"\\"))) % 2 == 0
            at = end + 1
            if whole:
                yield data[start:at]
                start = at
        self._rest, self._at, self._odd = data[start:], at - start, odd
        if last and self._rest:
            yield self._rest
            self._rest, self._at, self._odd = b"", 0, False

    def _find_break(self, data: bytes, *, last: bool) -> bool:
        """Learn from the first line end what ends a line, as the server does; return whether that is known."""
        odd = False
        for found in re.finditer(b"[\r\n" + re.escape(self._quote) + b"]", data):
            if found[0] == self._quote:
                odd = not odd
            elif not odd:
                if found[0] == b"\r" and found.end() == len(data) and not last:
                    return False  # a line feed may follow
                is_mac = found[0] == b"\r" and data[found.end() : found.end() + 1] != b"\n"
                self._break = b"\r" if is_mac else b"\n"
                return True
        if last:
            self._break = b"\n"
        return last


def values_of(record: bytes, layout: Layout) -> list[bytes]:
    """Return the values of a record as they stand in the file, their quotes and escapes kept."""
    line = record.rstrip(b"\r\n")
    separator = layout.separator.encode()
    pieces = line.split(separator)
    quote = layout.quote.encode()
    if layout.kind is Format.TSV or quote not in line:
        return pieces
    found: list[bytes] = []
    is_open = False
    for piece in pieces:
        if is_open:
            found[-1] += separator + piece
        else:
            found.append(piece)
        is_open ^= bool(piece.count(quote) % 2)
    return found


def texts_of(record: bytes, layout: Layout) -> list[str | None]:
    """Return what the server will read out of a record; NULL is None."""
    raw = [value.decode("utf-8", "replace") for value in values_of(record, layout)]
    if layout.kind is Format.TSV:
        return [None if value == layout.null else parse(value)[0] for value in raw]
    quote = layout.quote
    found: list[str | None] = []
    for value in raw:
        if value == layout.null:
            found.append(None)
        elif quote in value:
            inner = value.replace(quote * 2, "\0")
            found.append(inner.replace(quote, "").replace("\0", quote) if value != quote * 2 else "")
        else:
            found.append(value)
    return found


def preview(path: Path, layout: Layout, most: int = 30) -> Preview:
    """Read the first records of *path*. Raises OSError; what cannot be decoded is told in `wrong`."""
    reader = FileReader(path, layout.encoding)
    records = Records(layout)
    found: list[list[str | None]] = []
    wrong = ""
    try:
        while len(found) <= most and reader.bytes_read <= 4 * _SAMPLE:
            block = reader.block()
            for record in records.cut(block, last=not block):
                if len(found) <= most:
                    found.append(texts_of(record, layout))
            if not block:
                break
    except ValueError as error:
        wrong = str(error)
    finally:
        reader.close()
    header = [value or "" for value in found.pop(0)] if layout.header and found else None
    result = Preview(header, found[:most], wrong)
    widths = {len(row) for row in (result.rows if header is None else [header, *result.rows])}
    if not wrong and len(widths) > 1:
        said = " and ".join(str(width) for width in sorted(widths)[:4])
        result = Preview(header, result.rows, f"The records have different numbers of values: {said}.")
    return result


def guess(path: Path, names: Sequence[str] = ()) -> Layout:
    """Guess how *path* is laid out, for a table with the columns *names*. Raises OSError."""
    with open(path, "rb") as file:
        sample = file.read(_SAMPLE)
    encoding = _encoding(sample)
    text = sample.decode(encoding, "replace").lstrip("\ufeff")
    best, score = Layout(encoding=encoding), (0.0, 0)
    for delimiter in _DELIMITERS:
        layout = Layout(encoding=encoding, delimiter=delimiter)
        rows = [values_of(record, layout) for record in _first(text, layout)]
        widths = [len(row) for row in rows]
        width = max(set(widths), key=widths.count, default=0)
        mine = (widths.count(width) / len(widths) if width > 1 else 0.0, width)
        if mine > score:
            best, score = layout, mine
    lines = _first(text, best)
    if best.delimiter == "\t":
        plain = Layout(Format.TSV, encoding, "\t")
        values = [value for line in _first(text, plain) for value in values_of(line, plain)]
        quoted = any(len(value) > 1 and value[:1] == value[-1:] == b'"' for value in values)
        if (not quoted or b'"' in values) and (path.suffix.lower() == ".tsv" or b"\\N" in values):
            best = Layout(Format.TSV, encoding, "\t", null="\\N")
    elif _null_is_backslash(lines, best):
        best = Layout(encoding=encoding, delimiter=best.delimiter, null="\\N")
    rows = [texts_of(line, best) for line in lines]
    return Layout(best.kind, encoding, best.delimiter, best.quote, _has_header(rows, names), best.null)


def match(found: Preview, names: Sequence[str]) -> list[str | None]:
    """Return for each value of a record the column of *names* it goes to: by the header's names, else in order."""
    if found.header is None:
        return [names[place] if place < len(names) else None for place in range(found.width)]
    exact = {name: name for name in names}
    loose = {name.casefold().replace(" ", "_"): name for name in reversed(names)}
    taken: set[str] = set()
    matched: list[str | None] = []
    for place in range(found.width):
        title = found.header[place] if place < len(found.header) else ""
        name = exact.get(title) or loose.get(title.strip().casefold().replace(" ", "_"))
        matched.append(name if name is not None and name not in taken else None)
        taken.add(name or "")
    if not any(matched):
        return [names[place] if place < len(names) else None for place in range(found.width)]
    return matched


def _null_is_backslash(lines: list[bytes], layout: Layout) -> bool:
    # Where "" stands in quotes it is told from NULL, which then is nothing at all.
    values = [value for line in lines for value in values_of(line, layout)]
    return b"\\N" in values and b'""' not in values


def _encoding(sample: bytes) -> str:
    for mark, name in _MARKS:
        if sample.startswith(mark):
            return name
    if sample.count(0) > len(sample) // 4:
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)  # a character cut at the sample's end is none wrong
    except UnicodeDecodeError:
        try:
            sample.decode("cp1252")
        except UnicodeDecodeError:
            return "latin-1"
        return "cp1252"
    return "utf-8"


def _first(text: str, layout: Layout, most: int = 50) -> list[bytes]:
    data = text.encode("utf-8", "surrogatepass")
    found: list[bytes] = []
    for record in Records(layout).cut(data, last=len(data) < _SAMPLE):
        found.append(record)
        if len(found) == most:
            break
    return found


def _has_header(rows: list[list[str | None]], names: Sequence[str]) -> bool:
    if not rows:
        return False
    first = rows[0]
    titles = [value or "" for value in first]
    if not all(titles) or len(set(titles)) < len(titles):
        return False
    known = {name.casefold() for name in names}
    hits = sum(title.strip().casefold() in known for title in titles)
    if hits:
        return hits * 2 >= len(titles)
    if any(_is_number(title) for title in titles) or len(rows) < 2:
        return False
    return any(
        all(len(row) > place and _is_number(row[place] or "") for row in rows[1:]) for place in range(len(titles))
    ) or csv.Sniffer().has_header("\n".join(",".join((value or "").replace(",", " ") for value in row) for row in rows))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
