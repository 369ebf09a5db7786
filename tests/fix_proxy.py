"""A loopback proxy between a client and its server that does what networks do to people.

    with Proxy(host, port) as proxy:
        connect("127.0.0.1", proxy.port)
        proxy.hole()      # everything is taken and nothing arrives, until proxy.heal()

One thread moves all bytes. Whatever is asked for has happened when the call returns.
"""

import collections
import contextlib
import os
import selectors
import socket
import struct
import threading
import time

import pytest

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


class _Link:
    """One client's connection through the proxy: a socket on each side."""

    def __init__(self, client, server, is_hole):
        self.client, self.server, self.is_hole = client, server, is_hole
        self.left = None  # bytes of the server's that still arrive before the link is reset

    def other(self, sock):
        return self.server if sock is self.client else self.client


class Proxy:
    """Forwards to *host* and *port* until it is told otherwise."""

    def __init__(self, host, port):
        self.target = host, port  # may be changed: a server that is started again may have another port
        self.delay = 0.0  # seconds, each way
        self._is_hole = False
        self._links = {}  # by socket, each link twice
        self._late = collections.deque()  # due, socket, data
        self._orders = collections.deque()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = os.pipe()
        self._selector.register(self._bell, selectors.EVENT_READ)
        self.port, self._listener = 0, None
        self._listen()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)
        self._thread.start()

    # -- faults -----------------------------------------------------------------------------------------------------

    def refuse(self):
        """Refuse new connections; the old ones live."""
        self._do(self._deafen)

    def hole(self, *, new=True):
        """Let nothing arrive any more on what is connected; with *new* on new connections neither."""

        def dig():
            self._is_hole = new
            for link in self._links.values():
                link.is_hole = True

        self._do(dig)

    def heal(self):
        """End refusal, hole and delay: what was on its way arrives."""

        def mend():
            self.delay, self._is_hole = 0.0, False
            self._listen()
            for sock, link in list(self._links.items()):
                link.is_hole = False
                self._watch(sock)

        self._do(mend)

    def reset_all(self):
        """End every connection by RST, as a firewall does. Return how many there were."""
        return self._do(lambda: self._end_all(_RESET))

    def close_all(self):
        """End every connection by FIN. Return how many there were."""
        return self._do(lambda: self._end_all(None))

    def cut_in_mid_message(self, count=3):
        """Let *count* more bytes of each server's answer through, then reset the connection."""

        def arm():
            for link in self._links.values():
                link.left = count

        self._do(arm)

    @property
    def open(self):
        """How many connections go through it."""
        return self._do(lambda: len(self._links) // 2)

    def close(self):
        """End everything."""
        self._do(lambda: self._end_all(None))
        self._do(self._deafen)
        self._is_over = True
        os.write(self._ringer, b".")
        self._thread.join(10)
        self._selector.close()
        os.close(self._bell)
        os.close(self._ringer)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    # -- the proxy's thread -----------------------------------------------------------------------------------------

    def _do(self, order):
        """Run *order* in the proxy's thread and return what it returns."""
        done, answer = threading.Event(), []

        def run():
            answer.append(order())
            done.set()

        self._orders.append(run)
        os.write(self._ringer, b".")
        assert done.wait(10), "the proxy is stuck"
        return answer[0]

    def _run(self):
        while not self._is_over:
            rest = max(0.0, self._late[0][0] - time.monotonic()) if self._late else None
            for key, _ in self._selector.select(rest):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj == self._bell:
                    os.read(self._bell, 4096)
                else:
                    self._move(key.fileobj)
            while self._orders:
                self._orders.popleft()()
            while self._late and self._late[0][0] <= time.monotonic():
                _, sock, data = self._late.popleft()
                self._deliver(sock, data)

    def _listen(self):
        if self._listener is None:
            self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            self.port = self._listener.getsockname()[1]
            self._selector.register(self._listener, selectors.EVENT_READ)

    def _deafen(self):
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self):
        client, _ = self._listener.accept()
        try:
            server = socket.create_connection(self.target, timeout=5)
        except OSError:
            client.close()  # the server is down
            return
        link = _Link(client, server, self._is_hole)
        for sock in (client, server):
            sock.settimeout(5)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._links[sock] = link
            self._watch(sock)

    def _watch(self, sock):
        with contextlib.suppress(KeyError):  # it is watched already
            self._selector.register(sock, selectors.EVENT_READ)

    def _move(self, sock):
        link = self._links.get(sock)
        if link is None:
            return
        if link.is_hole:
            self._selector.unregister(sock)  # it stays unread: no answer, no end
            return
        try:
            data = sock.recv(65536)
        except OSError:
            data = b""
        if self.delay:
            self._late.append((time.monotonic() + self.delay, sock, data))
        else:
            self._deliver(sock, data)

    def _deliver(self, sock, data):
        """Pass on what came from *sock*."""
        link = self._links.get(sock)
        if link is None:
            return
        how = None
        if data and link.left is not None and sock is link.server:
            data, link.left = data[: link.left], link.left - len(data)
            how = _RESET
        try:
            link.other(sock).sendall(data)
        except OSError:
            data = b""
        if not data or (how is not None and link.left <= 0):
            self._end(link, how)

    def _end_all(self, how):
        links = set(self._links.values())
        for link in links:
            self._end(link, how)
        return len(links)

    def _end(self, link, how):
        for sock in (link.client, link.server):
            self._links.pop(sock, None)
            with contextlib.suppress(KeyError):
                self._selector.unregister(sock)
            if how is not None and sock is link.client:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, how)
            sock.close()


@pytest.fixture
def proxy(profile):
    """A proxy before the server of this worker."""
    with Proxy(profile.host, int(profile.port)) as between:
        yield between
