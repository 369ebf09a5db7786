"""Whether a link lives: asked of the socket alone."""

import socket

import psycopg2
import pytest

from pgexplorer.pool import link


class Conn:
    """A connection as far as link.py looks at it."""

    def __init__(self, line, poll=lambda: None):
        self.closed = 0
        self.line = line
        self.polled = 0
        self._poll = poll

    def fileno(self):
        if self.closed:
            raise psycopg2.InterfaceError("connection already closed")
        return self.line.fileno()

    def poll(self):
        self.polled += 1
        self._poll()


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_that_a_quiet_link_lives_and_is_not_polled(pair):
    conn = Conn(pair[0])
    assert link.is_alive(conn)
    assert conn.polled == 0


def test_that_a_closed_connection_is_dead():
    conn = Conn(None)
    conn.closed = 1
    assert not link.is_alive(conn)


def test_that_a_goodbye_is_found_by_polling(pair):
    def gone():
        raise psycopg2.OperationalError("server closed the connection unexpectedly")

    pair[1].close()
    assert not link.is_alive(Conn(pair[0], gone))


def test_that_a_notice_on_a_living_link_is_read_and_the_link_lives(pair):
    ours, theirs = pair
    theirs.send(b"notice")
    conn = Conn(ours, lambda: ours.recv(100))
    assert link.is_alive(conn)
    assert conn.polled == 1


def test_that_cutting_ends_the_link_and_leaves_the_descriptor_to_its_owner(pair):
    ours, theirs = pair
    link.cut(Conn(ours))
    assert theirs.recv(1) == b""
    assert ours.fileno() > 0


def test_that_cutting_a_closed_connection_does_nothing():
    conn = Conn(None)
    conn.closed = 1
    link.cut(conn)
