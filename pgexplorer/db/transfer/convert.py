r"""A process of its own that turns the server's rows into a file: python -m pgexplorer.db.transfer.convert.

It reads from its standard input one line of JSON, what to do, and then rows in COPY's text format (for Parquet CSV
with \N for NULL), and answers with one line of JSON when it has ended. Python's work on each value thus never holds
the window's interpreter, and ends with the process. Where its parent is gone before the rows are, it removes the file.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from pgexplorer.db.transfer import formats
from pgexplorer.db.transfer.formats import Encoder, Field, Format, FormatError, Options, Values, Writer, decode, parse

__all__ = ["main", "specification"]


def specification(
    kind: Format,
    options: Options,
    fields: list[Field],
    path: Path,
    *,
    folder: str = "",
    overriding: bool = False,
    sheet_rows: int = 1 << 20,
) -> bytes:
    """Return the first line for the process. *folder* is for Excel's temporary files."""
    return (
        json.dumps(
            {
                "kind": kind.value,
                "options": {name: getattr(options, name) for name in Options.__slots__},
                "fields": [[getattr(field, name) for name in Field.__slots__] for field in fields],
                "path": str(path),
                "folder": folder,
                "overriding": overriding,
                "sheet_rows": sheet_rows,
                "parent": os.getpid(),
            }
        ).encode("ascii")
        + b"\n"
    )


def main(source: BinaryIO, say: Callable[[dict[str, Any]], object]) -> int:
    """Do what the first line of *source* says; return the exit code."""
    order: dict[str, Any] = json.loads(source.readline())
    given = order["options"]
    options = Options(**(given | {"table": tuple(given["table"])}))
    fields = [Field(*each) for each in order["fields"]]
    path = Path(order["path"])
    try:
        rows, notes = _convert(Format(order["kind"]), options, fields, path, order, source)
    except FormatError as error:
        say({"wrong": str(error)})
        return 1
    except OSError as error:
        say({"errno": error.errno or 0, "words": error.strerror or str(error)})
        return 1
    except Exception as error:  # whatever a library raises: the parent tells it
        cause = error.__context__ if isinstance(error.__context__, OSError) else None
        if cause is not None:  # xlsxwriter wraps a full disk in errors of its own
            say({"errno": cause.errno or 0, "words": cause.strerror or str(cause)})
        else:
            say({"wrong": f"{type(error).__name__}: {error}"})
        return 1
    if os.getppid() != order["parent"]:
        path.unlink(missing_ok=True)
        return 1
    say({"rows": rows, "notes": notes})
    return 0


def _convert(
    kind: Format, options: Options, fields: list[Field], path: Path, order: dict[str, Any], source: BinaryIO
) -> tuple[int, list[str]]:
    if kind is Format.PARQUET:
        from pgexplorer.db.transfer.typed_files import parquet

        return parquet(source, path, fields, lambda rows: None), []
    if kind is Format.EXCEL:
        from pgexplorer.db.transfer.typed_files import ExcelWriter

        book = ExcelWriter(path, order["folder"], fields, options, order["sheet_rows"])
        rows = _each(source, fields, lambda _, values: book.row(values))
        book.end()
        return rows, book.notes
    writer: Writer
    if kind is Format.JSON_LINES:
        writer = formats.JsonWriter(fields)
    elif kind is Format.INSERT:
        writer = formats.InsertWriter(fields, options, overriding=order["overriding"])
    elif kind is Format.TSV:
        writer = formats.TsvWriter(fields, options)
    else:
        writer = formats.CsvWriter(fields, options)
    encoder = Encoder(options.encoding, fields)
    errors = "strict" if options.encoding else "surrogateescape"
    with open(path, "wb", buffering=1 << 20) as file:
        file.write(encoder.mark + encoder.encode(writer.begin(), 0))
        rows = _each(
            source,
            fields,
            lambda row, values: file.write(encoder.encode(writer.row(values), row, values)),
            errors,
        )
        file.write(encoder.encode(writer.end(), 0))
    return rows, []


def _each(source: BinaryIO, fields: list[Field], do: Callable[[int, Values], object], errors: str = "strict") -> int:
    """Call *do* with the number and the values of each row; return how many there were."""
    row, bare = 0, not fields
    for row, line in enumerate(source, 1):
        do(row, [] if bare else parse(decode(line[:-1], row, fields, errors)))
    return row


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with open(0, "rb", buffering=1 << 20) as rows_in:
        code = main(rows_in, _say)
    # The file is closed and the answer is flushed. A library's threads that still live would now and then abort an
    # orderly exit ("terminate called without an active exception"), and a whole file would be given up.
    os._exit(code)
