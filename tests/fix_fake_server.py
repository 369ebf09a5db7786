"""A server that is none: it hands out connections that a PgPool cannot tell from psycopg2's, and does as it is told."""

import contextlib
import itertools
import os
import select
import socket
import threading
from types import SimpleNamespace

import psycopg2
import pytest
from psycopg2 import extensions as ext

from pgexplorer.pool.pg_pool import PgPool


class FakeServer:
    """Counts what is open. Each hook is called with the connection, may wait and may raise."""

    def __init__(self):
        self._lock = threading.Lock()
        self._pids = itertools.count(1000)
        self.open = {}  # by pid; weak enough: a connection leaves it as it is closed or collected
        self.most = self.connects = 0
        self.given = []  # the arguments of each connect
        self.said = []  # pid, statement
        self.terminated = []
        self.is_silent = False  # takes statements and never answers
        self.on_connect = self.on_rollback = self.on_close = lambda _: None

    def connect(self, *args, **kwargs):
        self.given.append((args, kwargs))
        self.on_connect(self)
        conn = FakeConnection(self, next(self._pids))
        with self._lock:
            self.connects += 1
            self.open[conn.pid] = conn.link
            self.most = max(self.most, len(self.open))
        return conn

    def forget(self, pid):
        with self._lock:
            self.open.pop(pid, None)

    def kill(self, pid):
        """End the server's side of one connection, as pg_terminate_backend() does."""
        with self._lock:
            link = self.open.get(pid)
        if link is not None:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(link)) as duplicate:
                duplicate.shutdown(socket.SHUT_RDWR)

    def kill_all(self):
        for pid in list(self.open):
            self.kill(pid)


class FakeConnection:
    """What a pool needs of psycopg2's connection."""

    lease = 0
    slot = None

    def __init__(self, server, pid):
        self.server, self.pid = server, pid
        self.here, self.link = (end.detach() for end in socket.socketpair())
        self.info = SimpleNamespace(backend_pid=pid)
        self.closed = 0
        self.status = ext.TRANSACTION_STATUS_IDLE
        self.autocommit = False

    def fileno(self):
        if self.closed:
            raise psycopg2.InterfaceError("connection already closed")
        return self.here

    def get_transaction_status(self):
        return self.status

    def poll(self):
        self._reach()

    def rollback(self):
        self.server.on_rollback(self)
        self._reach()
        self.status = ext.TRANSACTION_STATUS_IDLE

    commit = rollback

    def reset(self):
        self._reach()
        self.server.said.append((self.pid, "DISCARD ALL"))
        self.status = ext.TRANSACTION_STATUS_IDLE

    def cursor(self):
        return FakeCursor(self)

    def close(self):
        self.server.on_close(self)
        self._close(1)

    def is_dead(self):
        """Whether the server ended it and this side does not know yet."""
        return not self.closed and self._hears_an_end()

    def _reach(self):
        if self.closed:
            raise psycopg2.InterfaceError("connection already closed")
        if self._hears_an_end():
            self._close(2)
            raise psycopg2.OperationalError("server closed the connection unexpectedly")
        if self.server.is_silent:
            select.select([self.here], [], [])  # until somebody cuts the link
            self._close(2)
            raise psycopg2.OperationalError("server closed the connection unexpectedly")

    def _hears_an_end(self):
        return bool(select.select([self.here], [], [], 0)[0])  # the server says nothing but its end

    def _close(self, how):
        if not self.closed:
            self.closed = how
            self.status = ext.TRANSACTION_STATUS_UNKNOWN
            self.server.forget(self.pid)
            os.close(self.here)
            os.close(self.link)

    def __del__(self):
        self._close(1)


class FakeCursor:
    def __init__(self, conn):
        self.conn = conn

    def execute(self, text, values=None):
        self.conn._reach()
        self.conn.server.said.append((self.conn.pid, text))
        if text == "BEGIN":
            self.conn.status = ext.TRANSACTION_STATUS_INTRANS
        elif text == "ROLLBACK":
            self.conn.status = ext.TRANSACTION_STATUS_IDLE
        elif text.startswith("SELECT pg_terminate_backend"):
            self.conn.server.terminated.extend(values[0])
        elif not self.conn.autocommit:
            self.conn.status = ext.TRANSACTION_STATUS_INTRANS

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


@pytest.fixture
def fake():
    """The server that is none."""
    return FakeServer()


@pytest.fixture
def fake_pool(fake):
    """Open PgPools on the server that is none; each is closed at the end of the test."""
    pools = []

    def open_one(minconn=0, maxconn=2, **options):
        pool = PgPool(minconn, maxconn, **({"connect": fake.connect} | options))
        pools.append(pool)
        return pool

    yield open_one
    for pool in pools:
        pool.closeall()


def balanced(pool, server=None):
    """Return the pool's counts, having seen that they fit together; with *server* also that it counts the same."""
    stats, slots = pool.stats(), pool.slots()
    assert stats.size == stats.idle + stats.used + stats.opening + stats.returning
    assert min(stats.idle, stats.used, stats.opening, stats.returning, stats.waiting) >= 0
    assert [slot.number for slot in slots] == sorted({slot.number for slot in slots})
    if server is not None:
        assert stats.size == len(server.open) == len(slots)
    return stats


def past(pool, seconds=1):
    """Let *seconds* pass for the idle connections of *pool*: what was seen alive just now is not looked at again."""
    for slot in pool._idle:
        slot.idle_since -= seconds
        slot.seen_at -= seconds


class Caller(threading.Thread):
    """Somebody who asks a pool for a connection in a thread of its own, and keeps it."""

    def __init__(self, pool, **options):
        super().__init__(name=options.pop("thread", None), daemon=True)
        self.pool, self.options = pool, options
        self.conn = self.error = None
        self.start()

    def run(self):
        try:
            self.conn = self.pool.getconn(**self.options)
        except BaseException as error:
            self.error = error

    def got(self):
        """Return the connection, or raise what getconn() raised."""
        self.join(20)
        assert not self.is_alive(), "still waiting"
        if self.error is not None:
            raise self.error
        return self.conn
