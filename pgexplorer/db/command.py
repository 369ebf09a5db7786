"""One statement that is run for what it does: outside a transaction, with the ladder that ends it."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from pgexplorer.db.cancel import Running
from pgexplorer.db.client import Client
from pgexplorer.db.encoding import every_byte
from pgexplorer.db.object_actions import to_send, written

_MOST_NOTICES = 20


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended well."""

    text: str  # as it was sent
    status: str  # the server's command tag
    rows: Sequence[tuple[object, ...]]
    took_s: float
    notices: tuple[str, ...]  # the first of what the server said


class Command:
    """A statement in autocommit on a connection of the pool.

    `run` blocks and belongs on a worker thread; `stop` may be called meanwhile from another. A command runs once.
    """

    def __init__(
        self, client: Client, statement: sql.Composable, holder: str, *, side: Callable[[], connection]
    ) -> None:
        self._client = client
        self._statement = statement
        self._holder = holder
        self._side = side
        self._running: Running | None = None
        self._stopped = False

    def run(self) -> Ran:
        """Send it, and return what came of it.

        Raises PoolError when no connection is free, psycopg2.Error for what the server refuses (57014 where it was
        stopped; InterruptedError where that was before it was sent), UnicodeEncodeError where the database cannot hold
        a letter of it.
        """
        with self._client.lend(self._holder) as conn:
            running = self._running = Running(conn)
            said: list[str] = []
            conn.notices = said
            with every_byte(conn):
                try:
                    return self._sent(conn, running, said)
                finally:
                    running.finish()
                    conn.notices = []

    def stop(self) -> Iterator[str]:
        """End what runs: cancel, then terminate, then abandon. Yields each rung in words; blocks for seconds."""
        self._stopped = True
        if self._running is not None:
            yield from self._running.stop(self._side)

    def _sent(self, conn: connection, running: Running, said: list[str]) -> Ran:
        text = written(conn, self._statement)
        began = time.perf_counter()

        def send(part: str) -> cursor:
            if self._stopped:
                raise InterruptedError("Stopped.")
            rows = conn.cursor()
            rows.execute(to_send(conn, running.tag + part))
            return rows

        with self._client.pool.running(conn, text), self._send(conn, send, text) as rows:
            found = rows.fetchall() if rows.description else []
            notices = tuple(line.strip() for line in said[:_MOST_NOTICES])
            return Ran(text, rows.statusmessage or "", found, time.perf_counter() - began, notices)

    def _send(self, conn: connection, send: Callable[[str], cursor], text: str) -> cursor:
        """Send *text* by *send*, which puts the mark before it by which it is found again; return its cursor."""
        return send(text)
