"""The file formats of an export as lines of text: what a row of the server's text becomes. Standard library alone.

Rows come as the server sends them in COPY's text format, one line each; `parse` makes tuples of text out of that,
NULL is None. A converter process imports this module, so it knows no psycopg2.
"""

import codecs
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Values = Sequence[str | None]


class Format(StrEnum):
    """What an export writes."""

    CSV = "csv"
    TSV = "tsv"
    JSON_LINES = "jsonl"
    INSERT = "sql"
    EXCEL = "xlsx"
    PARQUET = "parquet"

    @property
    def words(self) -> str:
        """The format as a person knows it."""
        return _WORDS[self]

    @property
    def suffix(self) -> str:
        """The ending of its files' names: ".csv"."""
        return f".{self.value}"


_WORDS = {
    Format.CSV: "CSV",
    Format.TSV: "TSV (tabs, COPY's text format)",
    Format.JSON_LINES: "JSON Lines",
    Format.INSERT: "SQL script of INSERTs",
    Format.EXCEL: "Excel workbook",
    Format.PARQUET: "Parquet",
}

# What Python calls them, and what a person does. "" is the bytes as they are stored, unconverted.
ENCODINGS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8 with BOM (for Excel)",
    "utf-16": "UTF-16",
    "cp1252": "Windows-1252",
    "latin-1": "ISO 8859-1 (Latin 1)",
    "": "As the server stores it",
}


@dataclass(frozen=True, slots=True)
class Options:
    """How a file is written. What a format has no use for is not looked at."""

    header: bool = True  # CSV, TSV, Excel
    delimiter: str = ","  # CSV
    quote: str = '"'  # CSV
    quote_all: bool = False  # CSV: every value that is not NULL
    null: str | None = None  # CSV and TSV; by default '' and \N, as COPY has it
    encoding: str = "utf-8"  # CSV, TSV, JSON Lines, INSERT
    guard: bool = False  # CSV and Excel: text that a spreadsheet would run as a formula gets an apostrophe in front
    table: tuple[str, ...] = ()  # INSERT: the table's name, its schema first where it has one
    batch: int = 500  # INSERT: rows in a statement

    def null_text(self, kind: Format) -> str:
        """How NULL is written in CSV and TSV."""
        return self.null if self.null is not None else "\\N" if kind is Format.TSV else ""

    def problems(self, kind: Format) -> dict[str, str]:
        """Return what is wrong, by the field's name; empty when nothing is."""
        found: dict[str, str] = {}
        if kind not in {Format.CSV, Format.TSV}:
            return found
        null = self.null_text(kind)
        if any(each in null for each in "\r\n\0"):
            found["null"] = "The text for NULL stands on one line."
        if kind is Format.TSV:
            if "\t" in null:
                found["null"] = "The text for NULL holds no tab."
            return found
        for name, value in (("delimiter", self.delimiter), ("quote", self.quote)):
            if len(value) != 1 or not value.isascii() or value in "\r\n\0":
                found[name] = "One ASCII character, not a line break."
        if not found and self.delimiter == self.quote:
            found["delimiter"] = "The delimiter and the quote differ."
        elif not found and (self.delimiter in null or self.quote in null):
            found["null"] = "The text for NULL holds neither the delimiter nor the quote."
        return found


@dataclass(frozen=True, slots=True)
class Field:
    """A column as the formats need it."""

    name: str
    kind: str = "text"  # number, integer, float, bool, json, date, timestamp, timestamptz, text
    oid: int = 0
    precision: int | None = None  # of numeric(p, s)
    scale: int | None = None


_KINDS = {
    16: "bool",
    114: "json",
    3802: "json",
    1082: "date",
    1114: "timestamp",
    1184: "timestamptz",
    20: "integer",
    21: "integer",
    23: "integer",
    26: "integer",
    700: "float",
    701: "float",
    1700: "number",
}
NUMBERS = {"integer", "float", "number"}


def kind_of(oid: int) -> str:
    """Return what the formats make of the type *oid*. A domain comes with its base type's."""
    return _KINDS.get(oid, "text")


class FormatError(Exception):
    """A value that the file cannot hold, with its place in words; one line."""


# COPY's text format

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_WRITTEN = {"\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_TO_ESCAPE = re.compile(r"[\\\b\f\n\r\t\v]")


def parse(line: str) -> list[str | None]:
    """Return the values of a line of COPY's text format, which stands without its line feed."""
    if "\\" not in line:
        return line.split("\t")  # pyright: ignore[reportReturnType]  # a list of str is one of str | None here
    return [None if value == "\\N" else unescape(value) if "\\" in value else value for value in line.split("\t")]


def unescape(value: str) -> str:
    """Return a value of COPY's text format without its escapes."""
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), value)


def copy_line(values: Values, null: str = "\\N") -> str:
    """Return *values* as a line of COPY's text format, without its line feed."""
    return "\t".join(null if value is None else escape(value) for value in values)


def escape(value: str) -> str:
    """Return *value* as it stands in COPY's text format."""
    return _TO_ESCAPE.sub(lambda found: _WRITTEN[found[0]], value)


# What a row becomes


class Writer(Protocol):
    """Makes text of rows."""

    def begin(self) -> str:
        """Return what stands before the first row."""
        ...

    def row(self, values: Values) -> str:
        """Return a row with its line end."""
        ...

    def end(self) -> str:
        """Return what stands behind the last row."""
        ...


class CsvWriter:
    """CSV exactly as COPY writes it, with the guard if it is asked for."""

    def __init__(self, fields: Sequence[Field], options: Options) -> None:
        self._fields = fields
        self._options = options
        self._null = options.null_text(Format.CSV)
        self._quote = options.quote
        self._special = re.compile(f"[{re.escape(options.delimiter + options.quote)}\r\n]")
        self._guarded = [options.guard and field.kind not in NUMBERS for field in fields]

    def begin(self) -> str:
        """Return the header, if there is one."""
        names = [self._value(field.name) for field in self._fields]
        return self._options.delimiter.join(names) + "\n" if self._options.header else ""

    def row(self, values: Values) -> str:
        """Return one record."""
        written = [
            self._null
            if value is None
            else self._value(guard(value) if guarded else value, force=self._options.quote_all)
            for value, guarded in zip(values, self._guarded, strict=True)
        ]
        return self._options.delimiter.join(written) + "\n"

    def end(self) -> str:
        """Nothing stands behind the last record."""
        return ""

    def _value(self, value: str, *, force: bool = False) -> str:
        # COPY quotes a lone \. too, which older servers would take for the end of the data.
        lone = len(self._fields) == 1 and value == "\\."
        if force or lone or value == self._null or self._special.search(value):
            return f"{self._quote}{value.replace(self._quote, self._quote * 2)}{self._quote}"
        return value


class TsvWriter:
    """COPY's text format with a header."""

    def __init__(self, fields: Sequence[Field], options: Options) -> None:
        self._header = "\t".join(escape(field.name) for field in fields) + "\n" if options.header else ""
        self._null = options.null_text(Format.TSV)

    def begin(self) -> str:
        """Return the header, if there is one."""
        return self._header

    def row(self, values: Values) -> str:
        """Return one line."""
        return copy_line(values, self._null) + "\n"

    def end(self) -> str:
        """Nothing stands behind the last line."""
        return ""


class JsonWriter:
    """One JSON object a line: numbers, booleans and JSON as they are, everything else as the server's text.

    NaN and the infinities, which JSON has no numbers for, are text. A name that comes twice gets a number.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._keys = [f"{json.dumps(name, ensure_ascii=False)}: " for name in distinct(field.name for field in fields)]
        self._kinds = [field.kind for field in fields]

    def begin(self) -> str:
        """Nothing stands before the first line."""
        return ""

    def row(self, values: Values) -> str:
        """Return one object."""
        written = [key + _json(value, kind) for key, value, kind in zip(self._keys, values, self._kinds, strict=True)]
        return "{" + ", ".join(written) + "}\n"

    def end(self) -> str:
        """Nothing stands behind the last line."""
        return ""


_encode = json.JSONEncoder(ensure_ascii=False).encode


def _json(value: str | None, kind: str) -> str:
    if value is None:
        return "null"
    if kind == "text":
        return _encode(value)
    if kind in NUMBERS:
        return value if value[-1:].isdigit() else _encode(value)
    if kind == "bool":
        return "true" if value == "t" else "false"
    if kind == "json":  # a line break is white space in JSON: within its strings it is escaped
        return value.replace("\n", " ").replace("\r", " ")
    return _encode(value)


class InsertWriter:
    """INSERT statements of several rows each, for a table with these columns."""

    _LONGEST = 1_000_000  # characters, after which a statement ends before it has all its rows

    def __init__(self, fields: Sequence[Field], options: Options, *, overriding: bool = False) -> None:
        table = ".".join(identifier(part) for part in options.table)
        names = ", ".join(identifier(field.name) for field in fields)
        system = " OVERRIDING SYSTEM VALUE" if overriding else ""
        self._head = f"INSERT INTO {table} ({names}){system} VALUES\n"
        self._alone = "" if fields else f"INSERT INTO {table} DEFAULT VALUES;\n"
        self._kinds = [field.kind for field in fields]
        self._batch = max(1, options.batch)
        self._in_batch = self._characters = 0

    def begin(self) -> str:
        """Nothing stands before the first statement."""
        return ""

    def row(self, values: Values) -> str:
        """Return a row with what must stand before it."""
        if self._alone:
            return self._alone
        literals = [literal(value, kind) for value, kind in zip(values, self._kinds, strict=True)]
        row = f"({', '.join(literals)})"
        if self._in_batch and self._in_batch < self._batch and self._characters < self._LONGEST:
            before = ",\n"
        else:
            before = (";\n" if self._in_batch else "") + self._head
            self._in_batch = self._characters = 0
        self._in_batch += 1
        self._characters += len(row)
        return before + row

    def end(self) -> str:
        """Return the last statement's end."""
        return ";\n" if self._in_batch else ""


def identifier(name: str) -> str:
    """Return *name* as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str | None, kind: str = "text") -> str:
    """Return *value* as SQL: NULL, a number, a boolean, or a string that the column's type reads."""
    if value is None:
        return "NULL"
    if kind in NUMBERS and value[-1:].isdigit():
        return value
    if kind == "bool":
        return "true" if value == "t" else "false"
    quoted = value.replace("'", "''")
    if "\\" in quoted:  # right whatever standard_conforming_strings says
        return "E'" + quoted.replace("\\", "\\\\") + "'"
    return f"'{quoted}'"


_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def guard(value: str) -> str:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    return f"'{value}" if value.startswith(_FORMULA) else value


def distinct(names: Iterable[str]) -> list[str]:
    """Return *names*, those that came before with a number: id, id_2."""
    taken: set[str] = set()
    found: list[str] = []
    for name in names:
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.add(free)
        found.append(free)
    return found


class Encoder:
    """Turns the text of rows into the file's bytes, and names the value that has none."""

    def __init__(self, encoding: str, fields: Sequence[Field]) -> None:
        # One mark at the file's beginning, not one before every row.
        self._codec = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "": "utf-8"}.get(encoding, encoding)
        self._errors = "strict" if encoding else "surrogateescape"
        self.mark = {"utf-8-sig": codecs.BOM_UTF8, "utf-16": codecs.BOM_UTF16_LE}.get(encoding, b"")
        self._name = ENCODINGS.get(encoding, encoding)
        self._fields = fields

    def encode(self, text: str, row: int, values: Values = ()) -> bytes:
        """Return *text* as bytes. Raises FormatError that names *row* (0 for the header), column and character."""
        try:
            return text.encode(self._codec, self._errors)
        except UnicodeEncodeError as error:
            letter = text[error.start]
            names = [field.name for field in self._fields]
            column = next((name for name, value in zip(names, values, strict=False) if letter in (value or "")), "")
            where = f"row {row:,}, column {column}" if column else f"row {row:,}" if row else "the names of the columns"
            raise FormatError(
                f"{where}: the character {letter!r} (U+{ord(letter):04X}) does not exist in {self._name}."
            ) from None


def decode(line: bytes, row: int, fields: Sequence[Field], errors: str = "strict") -> str:
    """Return a line of the server as text. Raises FormatError that names *row* and column where it is not UTF-8."""
    try:
        return line.decode("utf-8", errors)
    except UnicodeDecodeError:
        for field, value in zip(fields, line.split(b"\t"), strict=False):
            try:
                value.decode("utf-8")
            except UnicodeDecodeError as error:
                wrong = value[error.start : error.end].hex(" ")
                raise FormatError(f"row {row:,}, column {field.name}: the bytes {wrong} are not UTF-8.") from None
        raise
