"""Excel workbooks and Parquet files out of the server's rows. Runs in the converter process alone."""

import datetime
import importlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pgexplorer.db.transfer.formats import Field, FormatError, Options, Values, distinct, guard

SHEET_ROWS, SHEET_COLUMNS, CELL = 1_048_576, 16_384, 32_767  # Excel's limits: rows, columns, characters
_EXACT = 15  # decimal digits that Excel keeps of a number
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d) (\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?")
_FIRST_DAY = datetime.datetime(1900, 3, 1)  # before it Excel counts a day that never was


class ExcelWriter:
    """A workbook written row by row in constant memory; a further sheet begins where one is full.

    A number, date or time stamp is one in Excel only if Excel holds it exactly; everything else is text. Text longer
    than a cell is cut, which `notes` tell.
    """

    def __init__(self, path: Path, folder: str, fields: Sequence[Field], options: Options, sheet_rows: int) -> None:
        module: Any = importlib.import_module("xlsxwriter")
        if len(fields) > SHEET_COLUMNS:
            raise FormatError(f"An Excel sheet has {SHEET_COLUMNS:,} columns at most, and these are {len(fields):,}.")
        self._fields = fields
        self._options = options
        self._sheet_rows = min(sheet_rows, SHEET_ROWS)
        self._book: Any = module.Workbook(str(path), {"constant_memory": True, "tmpdir": folder, "use_zip64": True})
        self._bold = self._book.add_format({"bold": True})
        self._date = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._stamps = [
            self._book.add_format({"num_format": f"yyyy-mm-dd hh:mm:ss{'.' if digits else ''}{'0' * digits}"})
            for digits in range(4)
        ]
        self._sheets = self._line = self._rows = 0
        self._cut = 0
        self._first_cut = ""
        self._sheet: Any = None
        self._next_sheet()

    def row(self, values: Values) -> None:
        """Write one row."""
        if self._line >= self._sheet_rows:
            self._next_sheet()
        self._rows += 1
        line = self._line
        for column, value in enumerate(values):
            if value is not None:
                self._cell(line, column, value)
        self._line += 1

    def end(self) -> None:
        """Write the file."""
        self._book.close()

    @property
    def notes(self) -> list[str]:
        """What a reader of the file must know."""
        found: list[str] = []
        if self._sheets > 1:
            found.append(f"{self._sheets} sheets, since one holds {SHEET_ROWS:,} rows at most.")
        if self._cut:
            word = "value is" if self._cut == 1 else "values are"
            found.append(
                f"{self._cut:,} {word} longer than the {CELL:,} characters of an Excel cell and cut there, "
                f"the first in {self._first_cut}."
            )
        return found

    def _next_sheet(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(f"Rows {self._sheets}" if self._sheets > 1 else "Rows")
        self._line = 0
        if self._options.header:
            for column, field in enumerate(self._fields):
                self._sheet.write_string(0, column, field.name[:CELL], self._bold)
            self._sheet.freeze_panes(1, 0)
            self._line = 1

    def _cell(self, line: int, column: int, value: str) -> None:
        kind = self._fields[column].kind
        if kind in {"integer", "number", "float"} and (number := exact_number(value)) is not None:
            self._sheet.write_number(line, column, number)
        elif kind == "bool":
            self._sheet.write_boolean(line, column, value == "t")
        elif kind in {"date", "timestamp"} and (moment := exact_moment(value)) is not None:
            when, digits = moment
            self._sheet.write_datetime(line, column, when, self._date if digits < 0 else self._stamps[digits])
        else:
            if self._options.guard:
                value = guard(value)
            if len(value) > CELL:
                self._cut += 1
                self._first_cut = self._first_cut or f"row {self._rows:,}, column {self._fields[column].name}"
                value = value[:CELL]
            self._sheet.write_string(line, column, value)


def exact_number(value: str) -> float | None:
    """Return *value* as a number if Excel shows every digit of it, else None: "1.10" is 1.1, 16 digits are text."""
    if not value[-1:].isdigit():  # NaN, Infinity
        return None
    digits = value.lstrip("-").partition("e")[0].replace(".", "").strip("0")
    if len(digits) > _EXACT:
        return None
    number = float(value)
    if number and not 2.3e-308 < abs(number) < 1e308:
        return None
    return number if digits or not number else None


def exact_moment(value: str) -> tuple[datetime.datetime, int] | None:
    """Return a date or time stamp as Excel's and its digits after the second (-1: a date); None if it has no such."""
    if found := _DATE.fullmatch(value):
        year, month, day = (int(part) for part in found.groups())
        when, digits = datetime.datetime(year, month, day), -1
    elif found := _TIMESTAMP.fullmatch(value):
        year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
        part: str = found[7] or ""
        when = datetime.datetime(year, month, day, hour, minute, second, int(part.ljust(3, "0")) * 1000)
        digits = len(part)
    else:
        return None
    return (when, digits) if when >= _FIRST_DAY else None


def parquet(source: BinaryIO, path: Path, fields: Sequence[Field], counted: Callable[[int], object]) -> int:
    r"""Write CSV with \N for NULL and without a header as Parquet, snappy-compressed; return the number of rows.

    Raises FormatError for a value that the column's type in Parquet cannot hold.
    """
    arrow: Any = importlib.import_module("pyarrow")
    csv: Any = importlib.import_module("pyarrow.csv")
    files: Any = importlib.import_module("pyarrow.parquet")
    if not fields:
        raise FormatError("A Parquet file needs one column at least.")
    names = distinct(field.name for field in fields)
    types = {name: _arrow_type(arrow, field) for name, field in zip(names, fields, strict=True)}
    schema = arrow.schema(list(types.items()))
    rows = 0
    # Opening reads the first block: where there is nothing it fails.
    head = source.read(1)
    with files.ParquetWriter(str(path), schema, compression="snappy") as writer:
        if not head:
            writer.write_table(schema.empty_table())
            return 0
        try:
            reader = csv.open_csv(
                _Ahead(head, source),
                # One thread: the batches stay in order either way, and an error then names its row.
                read_options=csv.ReadOptions(column_names=names, block_size=4 << 20, use_threads=False),
                parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
                convert_options=csv.ConvertOptions(
                    column_types=types,
                    null_values=["\\N"],
                    true_values=["t"],
                    false_values=["f"],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
            for batch in reader:
                writer.write_batch(batch)
                rows += batch.num_rows
                counted(rows)
        except arrow.ArrowInvalid as error:
            raise FormatError(f"Parquet cannot hold a value: {str(error).partition(chr(10))[0]}") from None
    return rows


class _Ahead:
    """A stream of which one byte is read already."""

    closed = False

    def __init__(self, head: bytes, source: BinaryIO) -> None:
        self._head = head
        self._source = source

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head + self._source.read(size - len(head) if size > 0 else size)

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _arrow_type(arrow: Any, field: Field) -> Any:
    """Return the type in which Parquet holds the column exactly; what has none stays the server's text."""
    simple = {16: "bool_", 21: "int16", 23: "int32", 20: "int64", 26: "uint32", 700: "float32", 701: "float64"}
    if name := simple.get(field.oid):
        return getattr(arrow, name)()
    scale = field.scale or 0
    if field.kind == "number" and field.precision and 0 <= scale <= field.precision <= 38:
        return arrow.decimal128(field.precision, scale)
    if field.kind == "date":
        return arrow.date32()
    if field.kind in {"timestamp", "timestamptz"}:
        return arrow.timestamp("us", tz="UTC" if field.kind == "timestamptz" else None)
    return arrow.string()
