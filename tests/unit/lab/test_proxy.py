"""The fault proxy before a server that repeats what it hears."""

import contextlib
import errno
import os
import socket
import threading
import time

import pytest

from fix_facts import until
from pgexplorer.lab.proxy import Proxy


class Echo:
    """Answers every byte with itself, each client in a thread of its own; counts who is there."""

    def __init__(self, path=None):
        if path is None:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.address = self.listener.getsockname()
        else:
            self.listener, self.address = socket.socket(socket.AF_UNIX), path
            self.listener.bind(path)
            self.listener.listen()
        self.clients = set()
        self.heard = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.clients.add(client)
            threading.Thread(target=self._repeat, args=(client,), daemon=True).start()

    def _repeat(self, client):
        with contextlib.suppress(OSError), client:
            while piece := client.recv(65536):
                self.heard += len(piece)
                client.sendall(piece)
        self.clients.discard(client)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for client in list(self.clients):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        until(lambda: not self.clients)


@pytest.fixture
def echo():
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def proxy(echo):
    with Proxy(echo.address) as between:
        yield between


@pytest.fixture
def dial(proxy):
    """Connect through the proxy; closed at the end of the test."""
    opened = []

    def one():
        sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
        opened.append(sock)
        return sock

    yield one
    for sock in opened:
        sock.close()


def said(sock, data):
    """Send *data* and return as many bytes of answer."""
    sock.sendall(data)
    return heard(sock, len(data))


def heard(sock, count):
    found = b""
    while len(found) < count and (piece := sock.recv(65536)):
        found += piece
    return found


def is_quiet(sock, seconds=0.2):
    """Whether nothing arrives, not even an end."""
    sock.settimeout(seconds)
    try:
        sock.recv(1)
    except TimeoutError:
        return True
    finally:
        sock.settimeout(10)
    return False


def test_that_what_is_said_arrives_whole_and_in_order(dial):
    data = os.urandom(3_000_000)
    sock = dial()
    threading.Thread(target=sock.sendall, args=(data,), daemon=True).start()
    assert heard(sock, len(data)) == data


def test_that_an_end_is_passed_on_after_what_was_said_before_it(proxy, dial, echo):
    sock = dial()
    sock.sendall(b"last words")
    sock.shutdown(socket.SHUT_WR)
    assert heard(sock, 100) == b"last words"
    until(lambda: proxy.open == 0 and not echo.clients)


def test_that_a_server_that_ends_ends_the_client(proxy, dial, echo):
    sock = dial()
    assert said(sock, b"x") == b"x"
    for client in list(echo.clients):
        client.shutdown(socket.SHUT_RDWR)
    assert sock.recv(1) == b""
    until(lambda: proxy.open == 0)


def test_that_a_delay_holds_each_way_and_heal_ends_it(proxy, dial):
    sock = dial()
    assert said(sock, b"x") == b"x"
    proxy.delay = 0.15
    began = time.monotonic()
    assert said(sock, b"late") == b"late"
    assert time.monotonic() - began >= 0.3
    proxy.delay = 3600.0
    sock.sendall(b"on its way")
    assert is_quiet(sock)
    proxy.heal()
    assert heard(sock, 10) == b"on its way"
    assert proxy.delay == 0.0


def test_that_a_throttle_keeps_its_rate_and_lets_go(proxy, dial):
    sock = dial()
    proxy.throttle = 20_000
    began = time.monotonic()
    assert said(sock, b"x" * 8_000) == b"x" * 8_000
    took = time.monotonic() - began
    assert took >= 0.3  # 0.4 s, less what the pause before saved up
    proxy.throttle = 1
    sock.sendall(b"y" * 500)
    assert heard(sock, 1) == b"y"
    proxy.heal()
    assert heard(sock, 499) == b"y" * 499
    assert proxy.throttle == 0.0


def test_that_a_hole_takes_everything_and_gives_it_back_when_healed(proxy, dial):
    old = dial()
    assert said(old, b"x") == b"x"
    proxy.hole()
    new = dial()
    for sock in (old, new):
        sock.sendall(b"into the dark")
        assert is_quiet(sock)
    proxy.heal()
    for sock in (old, new):
        assert heard(sock, 13) == b"into the dark"


def test_that_a_hole_for_old_links_leaves_new_ones_alone(proxy, dial):
    old = dial()
    assert said(old, b"x") == b"x"
    proxy.hole(new=False)
    assert said(dial(), b"new") == b"new"
    old.sendall(b"old")
    assert is_quiet(old)


def test_that_refused_means_refused_and_healed_means_the_same_port(proxy, dial):
    old, port = dial(), proxy.port
    assert said(old, b"x") == b"x"
    for _ in range(3):
        proxy.refuse()
        with pytest.raises(ConnectionRefusedError):
            dial()
        assert said(old, b"alive") == b"alive"
        proxy.heal()
        assert proxy.port == port
        assert said(dial(), b"back") == b"back"


def test_that_a_cut_is_a_reset_or_an_end(proxy, dial):
    first = dial()
    assert said(first, b"x") == b"x"
    assert proxy.cut("reset") == 1
    with pytest.raises(ConnectionResetError):
        first.recv(1)
    second = dial()
    assert said(second, b"x") == b"x"
    assert proxy.cut("close") == 1
    assert second.recv(1) == b""
    assert proxy.open == 0


def test_that_a_cut_in_mid_message_lets_so_many_bytes_through(proxy, dial):
    sock = dial()
    assert said(sock, b"whole") == b"whole"
    assert proxy.cut_in_mid_message(3) == 1
    sock.sendall(b"halved")
    assert heard(sock, 3) == b"hal"
    with pytest.raises(ConnectionResetError):
        sock.recv(1)


def test_that_one_who_does_not_read_holds_up_nobody_else_and_takes_bounded_room(proxy, dial, echo):
    """The deaf one's answers pile up in the proxy to a limit; then its server is not read either."""
    deaf, other = dial(), dial()
    deaf.setblocking(False)
    sent = 0

    def is_stuck():
        nonlocal sent
        with contextlib.suppress(BlockingIOError):
            for _ in range(100):
                sent += deaf.send(bytes(65536))
            return False
        before = echo.heard
        assert said(other, b"hello") == b"hello"
        return echo.heard - before == 5

    until(is_stuck, 30)
    assert sent < 60_000_000  # buffers of the kernel on four sockets, and two of a megabyte
    deaf.setblocking(True)
    assert len(heard(deaf, sent)) == sent


def test_that_a_server_that_is_down_ends_the_client_and_is_found_again(proxy, dial, echo):
    address = echo.address
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()
    proxy.target = nobody
    assert dial().recv(1) == b""
    proxy.target = address
    assert proxy.target == address
    assert said(dial(), b"x") == b"x"


def test_that_a_name_with_several_addresses_is_tried_one_by_one(echo, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = free.getsockname()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", address) for address in (nobody, echo.address)]
    monkeypatch.setattr("pgexplorer.lab.proxy.socket.getaddrinfo", lambda *_, **__: found)
    with Proxy(("somewhere", 5432)) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as sock:
        assert said(sock, b"x") == b"x"


def test_that_it_forwards_to_a_unix_socket(tmp_path):
    echo = Echo(str(tmp_path / "s"))
    try:
        with Proxy(echo.address) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as sock:
            assert said(sock, b"x" * 100_000) == b"x" * 100_000
    finally:
        echo.close()


@pytest.mark.parametrize("fault", ["none", "hole", "refuse", "delay", "throttle"])
def test_that_close_ends_everything_and_may_be_called_again(echo, fault):
    proxy = Proxy(echo.address)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as sock:
        assert said(sock, b"x") == b"x"
        if fault == "delay":
            proxy.delay = 3600.0
        elif fault == "throttle":
            proxy.throttle = 1.0
        elif fault != "none":
            getattr(proxy, fault)()
        sock.sendall(b"under way")
        proxy.close()
        proxy.close()
        assert proxy.is_closed
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(100):  # an end comes, after what had arrived before it
                pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    with pytest.raises(OSError, match="closed"):
        proxy.cut()


def test_that_running_out_of_file_handles_for_a_moment_is_survived(echo, monkeypatch):
    class Full(socket.socket):
        left = 3

        def accept(self):
            self.left -= 1
            if self.left >= 0:
                raise OSError(errno.EMFILE, "too many open files")
            return super().accept()

    def listen(*_, **__):
        listener = Full()
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return listener

    monkeypatch.setattr("pgexplorer.lab.proxy.socket.create_server", listen)
    with Proxy(echo.address) as proxy, socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as sock:
        assert said(sock, b"x") == b"x"
        assert proxy._listener.left < 0


def test_that_a_name_that_does_not_exist_is_told_at_once():
    with pytest.raises(OSError, match=r"."):
        Proxy(("no.such.host.invalid", 5432))


def test_that_fifty_connections_at_once_are_served(dial):
    socks = [dial() for _ in range(50)]
    for number, sock in enumerate(socks):
        sock.sendall(b"%d" % number)
    assert [heard(sock, len(b"%d" % number)) for number, sock in enumerate(socks)] == [b"%d" % n for n in range(50)]
