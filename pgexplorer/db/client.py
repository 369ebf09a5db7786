"""The careful client: check out, make sure it lives, run, clean up, give back."""

import contextlib
import weakref
from collections.abc import Callable, Generator

import psycopg2
from psycopg2 import extensions as ext
from psycopg2.extensions import connection, cursor

from pgexplorer.db.activity.pgbouncer import is_console
from pgexplorer.db.encoding import usual
from pgexplorer.db.values import Column
from pgexplorer.pool.link import cut, is_alive
from pgexplorer.pool.protocol import Pool


class NoneFreeError(Exception):
    """All connections are out, or wanted by somebody: what nobody waits for can be done later."""


class Client:
    """The program's own way to a pool's connections. Holds none itself: at rest no slot is taken."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._retired: weakref.WeakSet[connection] = weakref.WeakSet()
        self._type_names: dict[int, str] = {}  # by oid; a race writes the same name twice
        self._is_iso: bool | None = None  # whether sessions begin with ISO dates; None: not known yet

    @contextlib.contextmanager
    def lend(self, holder: str, *, discard: bool = False) -> Generator[connection]:
        """Lend a live connection in autocommit mode to *holder*, and give it back as it was.

        What is still open is rolled back; with *discard* the session's state is discarded too (DISCARD ALL), which
        whatever runs a person's SQL needs. Blocks for the network. Raises PoolError when all are out,
        OperationalError when connecting fails.
        """
        conn = self.check_out(holder)
        try:
            yield conn
        finally:
            self.check_in(conn, discard=discard)

    @contextlib.contextmanager
    def lend_spare(self, holder: str, side: Callable[[], connection], *, spares: bool = True) -> Generator[connection]:
        """Lend a connection that nobody wants at the moment, and with *spares* not the last one of the pool.

        Where the last one is the only one, *spares* means a connection beside the pool, opened by *side*: a statement
        that comes meanwhile would be refused. Raises NoneFreeError, and what `lend` raises.
        """
        pool = self.pool
        if pool.maxconn == 1 and spares:
            with contextlib.closing(side()) as conn:
                conn.autocommit = True
                yield conn
        elif pool.waiters() or sum(slot.is_out for slot in pool.slots()) + spares >= pool.maxconn:
            raise NoneFreeError("no connection is free")
        else:
            with self.lend(holder) as conn:
                yield conn

    def check_out(self, holder: str) -> connection:
        """Check a connection out that the server has not closed, in autocommit mode.

        Each dead one is returned to be thrown away and replaced: a pool whose server was restarted costs no query.
        """
        dead = 0
        while True:
            conn = self.pool.getconn(holder=holder)
            try:
                if is_alive(conn):
                    conn.autocommit = True
                    self._unset_dates(conn)
                    return conn
            except psycopg2.Error:
                pass  # it died between the look and the use: the same as dead
            except BaseException:
                self.pool.putconn(conn, close=True)
                raise
            self.pool.putconn(conn, close=True)
            dead += 1
            if dead > self.pool.maxconn:
                raise psycopg2.OperationalError("the pool hands out dead connections only")

    def check_in(self, conn: connection, *, discard: bool = False) -> None:
        """Roll back what is open, restore psycopg2's default mode and return *conn*; a broken one is thrown away."""
        try:
            self._clean(conn, discard=discard)
        except psycopg2.Error:
            self.pool.putconn(conn, close=True)
        else:
            self.pool.putconn(conn, close=bool(conn.closed) or conn in self._retired)

    def retire(self, conn: connection) -> None:
        """Have *conn* thrown away when it is checked in next."""
        self._retired.add(conn)

    def columns(self, cursor: cursor) -> tuple[Column, ...]:
        """Return the columns of what *cursor* has just read. One round trip where a type is new to this client."""
        described = cursor.description or ()
        unknown = list({column.type_code for column in described} - self._type_names.keys())
        if unknown and not is_console(cursor.connection):
            with cursor.connection.cursor() as asking:
                asking.execute("SELECT t, format_type(t, NULL) FROM unnest(%s::oid[]) AS t", (unknown,))
                self._type_names.update((int(oid), str(name)) for oid, name in asking.fetchall())
        return tuple(
            Column(column.name, self._type_names.get(column.type_code, ""), column.type_code) for column in described
        )

    def _clean(self, conn: connection, *, discard: bool) -> None:
        if conn.closed:
            return
        status = conn.info.transaction_status
        if status == ext.TRANSACTION_STATUS_ACTIVE:
            cut(conn)  # never waited for
            raise psycopg2.OperationalError("the connection came back with a statement still running")
        with conn.cursor() as cursor:
            if status in {ext.TRANSACTION_STATUS_INTRANS, ext.TRANSACTION_STATUS_INERROR}:
                cursor.execute("ROLLBACK")
            if discard and not is_console(conn):
                cursor.execute("DISCARD ALL")
            if self._is_iso is False:
                cursor.execute("SET DateStyle TO ISO")  # which psycopg2 counts on
        usual(conn)
        conn.autocommit = False

    def _unset_dates(self, conn: connection) -> None:
        """Undo what psycopg2 sets when it connects: ISO dates, whatever the role's or the database's own style is.

        Where that is ISO anyway nothing is sent, but for the first time that somebody asks. A PgBouncer's console knows
        no settings.
        """
        if self._is_iso or is_console(conn):
            return
        with conn.cursor() as cursor:
            if self._is_iso is None:
                cursor.execute("SELECT reset_val LIKE 'ISO%' FROM pg_settings WHERE name = 'DateStyle'")
                [self._is_iso] = cursor.fetchone() or (True,)
            if not self._is_iso:
                cursor.execute("RESET DateStyle")
