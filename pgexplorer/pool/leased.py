"""A PgPool's connections and cursors: psycopg2's own, which know whether they are lent out, and to which lease."""

import time
from functools import cache
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_UNKNOWN, connection, cursor

from pgexplorer.pool.events import DETAIL, DONE_BY_STATUS, EventKind
from pgexplorer.pool.slot import SlotState

_IDLE = "this connection is idle in its pool: check one out with getconn()"
_ENDED = "this cursor belongs to an earlier lease of its connection"
_CHECKED_OUT, _RUNNING = SlotState.CHECKED_OUT, SlotState.RUNNING  # looking them up takes longer than it seems


_OPEN = {SlotState.IN_TRANSACTION, SlotState.FAILED_TRANSACTION}
_SETTLED = EventKind.SETTLED.value
_now = time.monotonic

_cursor: Any = connection.cursor
_execute: Any = cursor.execute


class LeasedConnection(connection):
    """A psycopg2 connection that refuses use while it is idle in its pool.

    A reference kept after putconn() works again once the connection is lent to somebody else: it is the same object,
    and nothing can tell the two users apart. `PgPool.connection()` yields a lease, which can.
    """

    lease = 0  # the number of the check-out, 0 while idle
    slot: Any = None  # the pool's record of it, while it is out

    def cursor(self, name: Any = None, cursor_factory: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Return a cursor that works for this lease alone."""
        lease = self.lease
        if not lease:
            raise psycopg2.InterfaceError(_IDLE)
        if name is None and cursor_factory is None and not args and not kwargs and self.cursor_factory is None:
            quick: Any = _cursor(self, None, LeasedCursor)
            quick.lease = lease
            return quick
        factory = cursor_factory or self.cursor_factory or cursor
        if not isinstance(factory, type):  # any callable will do for psycopg2; what it makes knows of no lease
            return connection.cursor(self, name, factory, *args, **kwargs)
        leased = leased_cursor(factory) if name is None else leased_named_cursor(factory)
        made: Any = connection.cursor(self, name, leased, *args, **kwargs)
        made.lease = lease
        return made

    def commit(self) -> None:
        """Commit, as psycopg2 does."""
        slot = self._lent()
        connection.commit(self)
        _settled(slot)

    def rollback(self) -> None:
        """Roll back, as psycopg2 does."""
        slot = self._lent()
        connection.rollback(self)
        _settled(slot)

    def reset(self) -> None:
        """Reset the session, as psycopg2 does."""
        self._lent()
        connection.reset(self)

    def set_session(self, *args: Any, **kwargs: Any) -> None:
        """Set the session's characteristics, as psycopg2 does."""
        self._lent()
        connection.set_session(self, *args, **kwargs)

    def set_isolation_level(self, *args: Any, **kwargs: Any) -> None:
        """Set the isolation level, as psycopg2 does."""
        self._lent()
        connection.set_isolation_level(self, *args, **kwargs)

    def set_client_encoding(self, *args: Any, **kwargs: Any) -> None:
        """Set the client's encoding, as psycopg2 does."""
        self._lent()
        connection.set_client_encoding(self, *args, **kwargs)

    def tpc_begin(self, *args: Any, **kwargs: Any) -> None:
        """Begin a two-phase transaction, as psycopg2 does."""
        self._lent()
        connection.tpc_begin(self, *args, **kwargs)

    def lobject(self, *args: Any, **kwargs: Any) -> Any:
        """Return a large object, as psycopg2 does."""
        self._lent()
        return connection.lobject(self, *args, **kwargs)

    def _lent(self) -> Any:
        """Return the pool's record. Raises InterfaceError while the connection is idle."""
        slot = self.slot
        if not self.lease or slot is None:
            raise psycopg2.InterfaceError(_IDLE)
        return slot


_AFTER = (
    SlotState.CHECKED_OUT,  # psycopg2.extensions.TRANSACTION_STATUS_IDLE, 0
    SlotState.RUNNING,
    SlotState.IN_TRANSACTION,
    SlotState.FAILED_TRANSACTION,
    SlotState.BROKEN,
)


def _settled(slot: Any) -> None:
    """Note that the transaction ended, if there was one: psycopg2 sends nothing where there was none."""
    if slot.state in _OPEN:
        slot.state = _CHECKED_OUT
        slot.state_since = slot.ok_at = slot.seen_at = now = _now()
        slot.write((now, _SETTLED, slot.number, slot.pid, slot.holder, slot.thread, "", 0.0))


def _ended(slot: Any, began: float, status: int) -> None:
    """Note that the statement of *slot* ended and what it left behind, *status* in psycopg2's numbers."""
    slot.state = _AFTER[status]
    slot.state_since = now = _now()
    if status != TRANSACTION_STATUS_UNKNOWN:
        slot.ok_at = slot.seen_at = now  # an answer came
    sql = slot.sql
    if type(sql) is not str or len(sql) > DETAIL:
        sql = (sql.decode(errors="replace") if isinstance(sql, bytes) else str(sql))[:DETAIL]
    slot.write((now, DONE_BY_STATUS[status], slot.number, slot.pid, slot.holder, slot.thread, sql, now - began))


class LeasedCursor(cursor):
    """A cursor that refuses to run inside a later lease of its connection, and tells the slot what runs."""

    lease = 0

    def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002  (psycopg2's own name)
        """Run *query*, as psycopg2 does."""
        conn: Any = self.connection
        slot = conn.slot
        if slot is None or self.lease != conn.lease:
            slot = self._begin(query)  # it says why not
        slot.sql = query
        slot.state = _RUNNING
        slot.state_since = began = _now()
        try:
            _execute(self, query, vars)  # LeasedCursor is the last before psycopg2's cursor in any class made of it
        finally:
            _ended(slot, began, conn.get_transaction_status())

    def executemany(self, query: Any, vars_list: Any) -> None:
        """Run *query* for each of *vars_list*, as psycopg2 does."""
        slot = self._begin(query)
        try:
            super().executemany(query, vars_list)
        finally:
            _ended(slot, slot.state_since, self.connection.get_transaction_status())

    def callproc(self, procname: Any, parameters: Any = None, /) -> Any:
        """Call a function, as psycopg2 does."""
        slot = self._begin(procname)
        try:
            return super().callproc(procname) if parameters is None else super().callproc(procname, parameters)
        finally:
            _ended(slot, slot.state_since, self.connection.get_transaction_status())

    def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
        """Run COPY, as psycopg2 does."""
        slot = self._begin(sql)
        try:
            super().copy_expert(sql, file, size)
        finally:
            _ended(slot, slot.state_since, self.connection.get_transaction_status())

    def copy_from(self, *args: Any, **kwargs: Any) -> None:
        """Run COPY FROM, as psycopg2 does."""
        slot = self._begin("COPY FROM STDIN")
        try:
            super().copy_from(*args, **kwargs)
        finally:
            _ended(slot, slot.state_since, self.connection.get_transaction_status())

    def copy_to(self, *args: Any, **kwargs: Any) -> None:
        """Run COPY TO, as psycopg2 does."""
        slot = self._begin("COPY TO STDOUT")
        try:
            super().copy_to(*args, **kwargs)
        finally:
            _ended(slot, slot.state_since, self.connection.get_transaction_status())

    def _begin(self, query: Any) -> Any:
        conn: Any = self.connection
        slot = conn.slot
        if self.lease != conn.lease or slot is None:
            raise psycopg2.InterfaceError(_ENDED if conn.lease else _IDLE)
        slot.sql = query
        slot.state = _RUNNING
        slot.state_since = _now()
        return slot


class LeasedNamedCursor(LeasedCursor):
    """A server-side cursor: its fetching asks the server too, and so it is refused in a later lease."""

    def fetchone(self) -> Any:
        """Fetch a row, as psycopg2 does."""
        self._must_be_lent()
        return super().fetchone()

    def fetchmany(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Fetch some rows, as psycopg2 does."""
        self._must_be_lent()
        return super().fetchmany(*args, **kwargs)

    def fetchall(self) -> list[Any]:
        """Fetch the rest, as psycopg2 does."""
        self._must_be_lent()
        return super().fetchall()

    def scroll(self, *args: Any, **kwargs: Any) -> None:
        """Move, as psycopg2 does."""
        self._must_be_lent()
        super().scroll(*args, **kwargs)

    def __next__(self) -> Any:
        self._must_be_lent()
        return super().__next__()

    def close(self) -> None:
        """Close it, as psycopg2 does; in a later lease there is nothing left to close."""
        if self.closed or self.lease == getattr(self.connection, "lease", None):
            super().close()

    def _must_be_lent(self) -> None:
        conn: Any = self.connection
        if self.lease != conn.lease:
            raise psycopg2.InterfaceError(_ENDED if conn.lease else _IDLE)


# A user's class comes first in what is mixed: its own methods run, and reach psycopg2 through those above.


@cache
def leased_connection(factory: type[connection]) -> type[connection]:
    """Return *factory* with LeasedConnection mixed in."""
    return _mixed(factory, LeasedConnection, connection)


@cache
def leased_cursor(factory: type[cursor]) -> type[cursor]:
    """Return *factory* with LeasedCursor mixed in."""
    return _mixed(factory, LeasedCursor, cursor)


@cache
def leased_named_cursor(factory: type[cursor]) -> type[cursor]:
    """Return *factory* with LeasedNamedCursor mixed in."""
    return _mixed(factory, LeasedNamedCursor, cursor)


def _mixed(factory: Any, leased: type, plain: type) -> Any:
    if issubclass(factory, leased):
        return factory
    return leased if factory is plain else type(f"Leased{factory.__name__}", (factory, leased), {})


class Lease:
    """A connection for the time of a with block: whatever is asked of it afterwards is refused.

    Everything a connection has is here too. What insists on psycopg2's own type, as psycopg2.extras.register_type or
    sql.as_string, takes `lease.connection`.
    """

    __slots__ = ("_conn",)

    def __init__(self, conn: connection) -> None:
        object.__setattr__(self, "_conn", conn)

    @property
    def connection(self) -> connection:
        """psycopg2's own connection. Raises InterfaceError when the block has ended."""
        if self._conn is None:
            raise psycopg2.InterfaceError("the lease has ended: its connection went back to the pool")
        return self._conn

    def end(self) -> None:
        """Refuse from now on."""
        object.__setattr__(self, "_conn", None)

    def __enter__(self) -> Any:
        return self.connection.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.connection.__exit__(*error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.connection, name, value)
