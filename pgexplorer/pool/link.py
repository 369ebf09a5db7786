"""The link under a connection: whether it lives, without asking the server, and how to end it at once."""

import contextlib
import os
import select
import socket
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import psycopg2
from psycopg2.extensions import connection


def is_alive(conn: connection) -> bool:
    """Whether the server has kept its end of *conn* open, without a round trip (1 µs).

    A quiet socket is a live one; a readable one holds a goodbye or a notice, and poll() tells which. A network
    that went silent is not noticed here.
    """
    for _ in range(2):
        if conn.closed:
            return False
        if not _is_readable(conn.fileno()):
            return True
        try:
            conn.poll()
        except psycopg2.Error:
            return False
    return not conn.closed


def _is_readable(descriptor: int) -> bool:
    if hasattr(select, "poll"):
        poller = select.poll()
        poller.register(descriptor, select.POLLIN)
        return bool(poller.poll(0))
    return bool(select.select([descriptor], [], [], 0)[0])  # Windows has no poll()


def poller(conn: Any) -> Callable[[], object]:
    """Return what answers something true when the socket of *conn* is readable: a third of a microsecond.

    It is kept for the connection's life. What has no socket, as a stand-in in a test, never is readable.
    """
    try:
        descriptor: int = conn.fileno()
    except (AttributeError, OSError, psycopg2.Error):
        return bool
    if not hasattr(select, "poll"):
        return lambda: bool(select.select([descriptor], [], [], 0)[0])
    polled = select.poll()
    polled.register(descriptor, select.POLLIN)
    return partial(polled.poll, 0)


def look(conns: Iterable[tuple[int, Any]]) -> dict[int, str]:
    """Return by backend pid whether the socket of each connection is "open", "readable" or "closed". No round trip.

    "readable": the server sent something that nobody has read yet: an answer under way, a notice, or a goodbye.
    """
    found: dict[int, str] = {}
    for pid, conn in conns:
        found[pid] = "closed"
        with contextlib.suppress(OSError, ValueError, psycopg2.Error):  # its holder may close it meanwhile
            if not conn.closed:
                found[pid] = "readable" if _is_readable(conn.fileno()) else "open"
    return found


def ask(conn: Any, sql: str) -> None:
    """Run *sql* past whatever the user's own connection and cursor classes do with a statement."""
    with connection.cursor(conn) if isinstance(conn, connection) else conn.cursor() as cursor:
        cursor.execute(sql)


def cut(conn: connection) -> None:
    """End the link of *conn* at once from any thread: what waits for the server raises within milliseconds.

    shutdown() on a duplicate of the socket, because conn.close() waits for the running statement.
    """
    with contextlib.suppress(OSError, psycopg2.Error), socket.socket(fileno=os.dup(conn.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)
