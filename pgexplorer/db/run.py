"""What every run of a user's text has: a borrowed connection, an end that somebody may ask for, errors in words."""

from collections.abc import Callable, Iterator

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.db.cancel import Running
from pgexplorer.db.client import Client
from pgexplorer.db.errors import ServerError, describe
from pgexplorer.db.session import Session
from pgexplorer.db.statements import Statement


class Run:
    """A text that is run once. `run`, which each kind has, blocks and belongs on a worker thread.

    `stop` may be called meanwhile from another. *offset* is where *sql* begins in the editor's text.
    """

    def __init__(
        self, client: Client | Session, sql: str, holder: str, *, side: Callable[[], connection], offset: int = 0
    ) -> None:
        self._client = client
        self._sql = sql
        self._holder = holder
        self._side = side
        self._offset = offset
        self._running: Running | None = None
        self._stopped = False
        self._sent_before = 0  # characters that stand before the user's own in what was sent last

    def stop(self) -> Iterator[str]:
        """End what runs: cancel, then terminate, then abandon. Yields each rung in words; blocks for seconds."""
        self._stopped = True
        if self._running is not None:
            yield from self._running.stop(self._side)

    def _in_words(
        self, conn: connection, running: Running, statement: Statement, error: psycopg2.Error
    ) -> tuple[ServerError, bool]:
        """Return *error* at its place in the editor's text, and whether it is what a cancel wanted."""
        lost = bool(conn.closed)
        described = describe(error, lost=lost, sent_before=self._sent_before)
        cancelled = running.wanted and (lost or error.pgcode == "57014")
        return described.moved(statement.start + self._offset), cancelled


def is_conforming(conn: connection) -> bool:
    """Whether a backslash in a plain string is only a backslash, as it is unless the session was told otherwise."""
    return conn.info.parameter_status("standard_conforming_strings") != "off"
