"""The ladder that ends a running statement: cancel it, terminate its backend, abandon the link.

psycopg2's connection.cancel() is never called: it holds the interpreter for its whole round trip, in clear text.
"""

import contextlib
import ctypes
import glob
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.db.activity.pgbouncer import is_console
from pgexplorer.pool.link import cut
from pgexplorer.pool.protocol import Pool

CANCEL, TERMINATE = "pg_cancel_backend", "pg_terminate_backend"
_RUNG = 2.0  # seconds that each rung is given
_AGAIN = 0.1  # seconds after which a signal is sent again that found the backend between two statements


class Running:
    """One piece of work on one connection, from its first statement to its last.

    The worker that runs it calls `sent_all` before it uses the connection for anything else: that waits for a
    cancel call still under way and absorbs one that came late, so that a cancel never hits the next statement.
    """

    def __init__(self, conn: connection) -> None:
        self.pid = conn.info.backend_pid
        # A PgBouncer's console takes no comment, and nothing in it runs long enough to be cancelled.
        self.tag = "" if is_console(conn) else f"/* pgexplorer {secrets.token_hex(4)} */ "
        self.ended = threading.Event()
        self.wanted = False  # whether somebody asked for the end
        self._conn = conn
        self._calls = threading.Lock()
        self._sent = False
        self._is_abandoned = False

    def finish(self) -> None:
        """Say that no more statements of this work are sent; leave the connection free of any late cancel."""
        self.ended.set()
        if self._is_abandoned:
            return  # a call that hangs in the same dead link is not waited for: nothing follows on this connection
        with self._calls:
            if self._sent and not self._conn.closed:
                try:
                    with self._conn.cursor() as cursor:
                        cursor.execute("SELECT 1")
                except psycopg2.Error:
                    pass  # the late 57014 that this statement was here to take
                self._sent = False

    def stop(self, side: Callable[[], connection]) -> Iterator[str]:
        """Climb the ladder until the work has ended; yield each rung in words. Blocks for 4 s at most.

        *side* opens the short-lived side connection. Belongs on a worker thread of its own.
        """
        self.wanted = True
        for word, function in (("Cancelling", CANCEL), ("Ending the backend", TERMINATE)):
            if self.ended.is_set():
                return
            yield f"{word} {self.pid}…"
            # On a thread of its own: connecting may hang in the same link as the statement, for longer than a rung.
            caller = threading.Thread(target=self._call, args=(side, function), name="cancel", daemon=True)
            caller.start()
            if self.ended.wait(_RUNG):
                caller.join(_RUNG)  # the side connection is closed when this returns, unless it hangs
                return
        yield "No answer: the link is cut and the slot is freed."
        self._is_abandoned = True
        cut(self._conn)

    def _call(self, side: Callable[[], connection], function: str) -> None:
        """Send a signal, again where it found nothing to end, for as long as a rung lasts."""
        deadline = time.monotonic() + _RUNG
        while not self._signal(side, function) and time.monotonic() < deadline:
            if self.ended.wait(_AGAIN):
                return

    def _signal(self, side: Callable[[], connection], function: str) -> bool:
        """Send one signal, guarded by pid, state and tag, so that only this work can be its victim.

        Return False where the backend ran nothing of this work at that moment: it was between two statements.
        """
        with self._calls:
            if self.ended.is_set():
                return True
            self._sent = True
            try:
                conn = side()
            except OSError:
                return True  # the server was left meanwhile, and with it this work
            except psycopg2.Error:
                if function == CANCEL:
                    _cancel_through_libpq(self._conn)
                return True
            try:
                conn.autocommit = True
                with conn.cursor() as cursor:
                    cursor.execute(
                        f"SELECT {function}(pid) FROM pg_stat_activity"  # a name of ours, never of a user
                        " WHERE pid = %s AND state = 'active' AND position(%s IN query) = 1",
                        (self.pid, self.tag.strip()),
                    )
                    return cursor.rowcount > 0
            except psycopg2.Error:
                return True  # the next rung follows
            finally:
                conn.close()


def signal_backend(side: Callable[[], connection], pid: int, function: str) -> str:
    """Send CANCEL or TERMINATE to the backend *pid* by a person's wish, and say what came of it.

    A cancel goes to a running statement only. Blocks for a connect and a round trip. Raises psycopg2.Error.
    """
    conn = side()
    try:
        conn.autocommit = True
        with conn.cursor() as cursor:
            state = " AND state = 'active'" if function == CANCEL else ""
            cursor.execute(f"SELECT {function}(pid) FROM pg_stat_activity WHERE pid = %s{state}", (pid,))
            row = cursor.fetchone()
    finally:
        conn.close()
    if row is None:
        return f"Backend {pid} runs nothing." if function == CANCEL else f"Backend {pid} is gone already."
    word = "Cancelled the statement of" if function == CANCEL else "Terminated"
    return f"{word} backend {pid}. The pool does not know: psycopg2 learns of it at the next use."


def end_all(pool: Pool, side: Callable[[], connection]) -> None:
    """Close *pool* without waiting for anything: end the backends that are out, cut their links, close.

    Takes at most the side connection's time-out. For the program's end and for leaving a server that is stuck.
    """
    out = [slot.pid for slot in pool.slots() if slot.is_out]
    if out:
        with contextlib.suppress(psycopg2.Error):
            conn = side()
            try:
                conn.autocommit = True
                with conn.cursor() as cursor:
                    cursor.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE pid = ANY (%s) AND usename = current_user AND application_name = 'pgexplorer/pool'",
                        (out,),
                    )
            finally:
                conn.close()
    pool.cut_all()
    with contextlib.suppress(psycopg2.Error):
        pool.closeall()


def _cancel_through_libpq(conn: connection) -> None:
    """Ask by libpq's own cancel request where the server has no connection left for the side one.

    PQcancelBlocking (libpq 17) is encrypted as the session is, keeps its connect_timeout, and ctypes lets other
    threads run meanwhile.
    """
    if (libpq := _libpq()) is None:
        return
    create, blocking, finish = libpq.PQcancelCreate, libpq.PQcancelBlocking, libpq.PQcancelFinish
    create.restype = ctypes.c_void_p
    for function in (create, blocking, finish):
        function.argtypes = [ctypes.c_void_p]
    if request := create(conn.pgconn_ptr):
        blocking(request)
        finish(request)


def _libpq() -> ctypes.CDLL | None:
    """Return the libpq that psycopg2 has loaded, or None where it is older than 17 or cannot be found."""
    package = Path(psycopg2.__file__).parent
    for pattern in ("../psycopg2_binary.libs/libpq[-.]*", ".dylibs/libpq*.dylib"):
        for name in glob.glob(str(package / pattern)):
            try:
                library = ctypes.CDLL(name)
            except OSError:
                continue
            if hasattr(library, "PQcancelBlocking"):
                return library
    return None
