"""The server's own text for every value; NULL is None and nothing else is."""

import math
from dataclasses import dataclass

from psycopg2 import extensions as ext
from psycopg2.extensions import connection, cursor

Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result."""

    name: str
    type_name: str  # as the server's format_type() says it
    type_oid: int = 0

    @property
    def is_number(self) -> bool:
        """Whether its values line up at the right."""
        return self.type_name.partition("(")[0] in _NUMBERS


_NUMBERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision", "oid", "money"}


def raw_cursor(conn: connection) -> cursor:
    """Return a cursor of *conn* whose values are the server's own text. The connection itself stays as it was.

    Every type that psycopg2 would turn into something else is given its caster of text, which calls no Python for a
    value; all other types reach Python as the server's text anyway.
    """
    raw = conn.cursor()
    raw.string_types = dict.fromkeys(ext.string_types, ext.UNICODE)
    return raw


def byte_size(text: str) -> str:
    """Say how large *text* is in UTF-8: "10.0 MB"."""
    return human_bytes(len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass")))


def human_bytes(size: float) -> str:
    """Say a number of bytes with three digits: "48 kB", "1.21 GB" (1 kB is 1,024 bytes, as at the server)."""
    if size < 1024:
        return f"{int(size)} bytes"
    power = min(4, int(math.log(size, 1024)))
    size, unit = size / 1024**power, ("bytes", "kB", "MB", "GB", "TB")[power]
    return f"{size:.3g} {unit}" if size < 999.5 else f"{size:.0f} {unit}"


def human_count(count: float) -> str:
    """Say a number of rows: "3", "12,400", "1.0 M"."""
    if count < 100_000:
        return f"{int(count):,}"
    if count < 1_000_000:
        return f"{count / 1000:.0f} k"
    return f"{count / 1e6:.1f} M" if count < 1e9 else f"{count / 1e9:.1f} G"
