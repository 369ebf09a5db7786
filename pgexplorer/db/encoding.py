"""A database without an encoding: every byte of it is read, and what is sent to it goes as UTF-8, as psql does."""

import contextlib
from collections.abc import Generator, Sequence
from typing import Any, cast

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection

_OPEN = {ext.TRANSACTION_STATUS_INTRANS, ext.TRANSACTION_STATUS_INERROR}
_USUAL = "SQL_ASCII"  # what such a database's clients read, unless they say otherwise


def has_none(conn: connection) -> bool:
    """Whether the database of *conn* is SQL_ASCII: bytes, of which the server says nothing."""
    return conn.info.parameter_status("server_encoding") == "SQL_ASCII"


@contextlib.contextmanager
def every_byte(conn: connection) -> Generator[None]:
    """Read whatever bytes a SQL_ASCII database holds: as LATIN1, of which every byte is one, and back from there.

    What is read meanwhile wants `recoded`, what is sent wants `sent`. Other databases are left as they are. In an open
    transaction it stays LATIN1, for a rollback would undo the change: `usual` is for who gives the connection back.
    """
    if not has_none(conn):
        yield
        return
    if conn.encoding != "LATIN1":  # it was left so by an open transaction
        conn.set_client_encoding("LATIN1")
    try:
        yield
    finally:
        if not conn.closed and conn.info.transaction_status not in _OPEN:
            usual(conn)


def usual(conn: connection) -> None:
    """Let a connection to a database without an encoding read as its clients do. One round trip where it did not."""
    if has_none(conn) and conn.encoding == "LATIN1":
        with contextlib.suppress(psycopg2.Error):
            conn.set_client_encoding(_USUAL)


def sent(conn: connection, text: str) -> str | bytes:
    """Return what is sent for *text*. Bytes that `exact` kept are sent as they were."""
    return text.encode("utf-8", "surrogateescape") if has_none(conn) else text


def recoded(text: str) -> str:
    r"""Return what was read as LATIN1 as the UTF-8 that it probably is; other bytes as \xff."""
    return text.encode("latin-1", "replace").decode("utf-8", "backslashreplace")


def exact(text: str) -> str:
    """Return what was read as LATIN1 so that `sent` sends the same bytes back."""
    return text.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def exact_row(row: Sequence[Any]) -> list[Any]:
    """Return *row*, read as LATIN1, with every text and every list of texts in it as `exact` has it."""
    return [
        exact(value)
        if isinstance(value, str)
        else [exact(each) if isinstance(each, str) else each for each in cast("list[Any]", value)]
        if isinstance(value, list)
        else value
        for value in row
    ]


def is_text(text: str) -> bool:
    """Whether what `exact` made is text: no bytes were kept in it."""
    return text.isascii() or not any("\udc80" <= letter <= "\udcff" for letter in text)


def shown(text: str) -> str:
    r"""Return what `exact` made as it can be shown: bytes that are no text as \xff."""
    return text if is_text(text) else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
