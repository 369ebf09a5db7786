"""A loopback proxy between a pool and its server that does to connections what networks do to people.

    with Proxy(("db.example", 5432)) as proxy:
        connect("127.0.0.1", proxy.port)
        proxy.hole()      # everything is taken and nothing arrives, until proxy.heal()

One thread moves all bytes and never waits for a single connection: a reader that has stopped reading holds up nobody
but its own server. Whatever is asked for has happened when the call returns.
"""

import contextlib
import errno
import logging
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

_log = logging.getLogger(__name__)

Address = tuple[str, int] | str  # host and port, or the path of a Unix socket
Cut = Literal["reset", "close"]

MOST_LINKS = 512
_KEPT = 1 << 20  # bytes read from one side and not yet passed on: then nothing more is read from it
_PIECE = 1 << 16
_CONNECT_SECONDS = 10.0  # that the server is given to take a connection
_TICK = 0.02  # seconds between two pieces of a throttled line
_ANSWER = 10.0  # seconds within which the proxy's thread does what it is asked
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST
_UNDER_WAY = {errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, errno.EALREADY}
_FAMILY_UNIX = getattr(socket, "AF_UNIX", None)  # Windows has none

_T = TypeVar("_T")
_Place = tuple[int, Any]  # an address family, and an address in it


@dataclass(slots=True, eq=False)
class _Way:
    """One direction of a link: what was read from *source* and is not yet written to *sink*."""

    source: socket.socket
    sink: socket.socket
    # When it is due, and the bytes; none of them: the end.
    waiting: deque[tuple[float, memoryview]] = field(default_factory=deque[tuple[float, memoryview]])
    size: int = 0
    is_ended: bool = False  # the source has sent its end
    is_passed_on: bool = False  # and the sink was told
    is_blocked: bool = False  # the sink takes nothing more for now
    credit: float = 0.0  # bytes that a throttled line may pass on
    credited_at: float = 0.0


@dataclass(slots=True, eq=False)
class _Link:
    """One client's connection through the proxy: a socket on each side."""

    client: socket.socket
    server: socket.socket
    up: _Way
    down: _Way
    places: list[_Place]  # where the server may be, still to be tried
    give_up_at: float
    is_hole: bool
    is_connected: bool = False
    retry_at: float = 0.0  # when to try to connect again, where nothing tells that it can be done
    left: int | None = None  # bytes of the server's that still arrive before the link is reset

    def ways(self) -> tuple[_Way, _Way]:
        return self.up, self.down


class Proxy:
    """Forwards from a port of its own on 127.0.0.1 to *target* until it is told otherwise.

    Every method may be called from any thread; close() always returns, and may be called again. Raises OSError where
    the name of the target cannot be looked up or there is no port.
    """

    def __init__(self, target: Address) -> None:
        self._places = _places(target)
        self._target = target
        self._delay = 0.0
        self._throttle = 0.0
        self._is_new_hole = False
        self._links: set[_Link] = set()
        self._by_socket: dict[socket.socket, _Link] = {}
        self._watched: dict[socket.socket, int] = {}
        self._due: dict[_Link, float] = {}  # links that wait for a moment
        self._orders: deque[Callable[[], None]] = deque()
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        self._listener: socket.socket | None = None
        self._placeholder: socket.socket | None = None  # keeps the port while connections are refused
        self._deaf_until = 0.0
        self.port = 0
        self._is_over = False
        self._has_ended = threading.Event()
        try:
            self._listen()
        except OSError:
            self._close_all()
            raise
        self._thread = threading.Thread(target=self._run, name="fault proxy", daemon=True)
        self._thread.start()

    # -- what it can be told ------------------------------------------------------------------------------------

    @property
    def target(self) -> Address:
        """Where new connections are forwarded to; may be changed, for a restarted server may be elsewhere."""
        return self._target

    @target.setter
    def target(self, target: Address) -> None:
        places = _places(target)  # here: a name is looked up in the caller's time

        def aim() -> None:
            self._target, self._places = target, places

        self._do(aim)

    @property
    def delay(self) -> float:
        """The seconds by which everything is late, each way."""
        return self._delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        def slow() -> None:
            self._delay = max(0.0, seconds)

        self._do(slow)

    @property
    def throttle(self) -> float:
        """The bytes a second that each connection passes on, each way; 0: as many as there are."""
        return self._throttle

    @throttle.setter
    def throttle(self, bytes_a_second: float) -> None:
        def narrow() -> None:
            self._throttle = max(0.0, bytes_a_second)
            self._look_at_all()

        self._do(narrow)

    def refuse(self) -> None:
        """Refuse new connections; the old ones live."""
        self._do(self._deafen)

    def hole(self, *, new: bool = True) -> None:
        """Let nothing arrive any more on what is connected; with *new* on new connections neither."""

        def dig() -> None:
            self._is_new_hole = new
            for link in self._links:
                link.is_hole = True
                self._watch(link)
            self._due.clear()

        self._do(dig)

    def heal(self) -> None:
        """End refusal, hole, delay and throttle: what was on its way arrives. Raises OSError if the port was taken."""

        def mend() -> None:
            self._delay = self._throttle = 0.0
            self._is_new_hole = False
            for link in self._links:
                link.is_hole = False
                link.give_up_at = max(link.give_up_at, time.monotonic() + _CONNECT_SECONDS)
                for way in link.ways():
                    way.waiting = deque((0.0, data) for _, data in way.waiting)
            self._look_at_all()
            self._listen()

        self._do(mend)

    def cut(self, how: Cut = "reset") -> int:
        """End every connection: by RST, as a firewall does, or by FIN. Return how many there were."""

        def end() -> int:
            links = list(self._links)
            for link in links:
                self._end(link, reset=how == "reset")
            return len(links)

        return self._do(end)

    def cut_in_mid_message(self, count: int = 3) -> int:
        """Let *count* more bytes of each server's answer through, then reset. Return how many connections there are."""

        def arm() -> int:
            for link in self._links:
                link.left = max(0, count)
            return len(self._links)

        return self._do(arm)

    @property
    def open(self) -> int:
        """How many connections go through it."""
        return self._do(lambda: len(self._links))

    @property
    def is_closed(self) -> bool:
        """Whether it has ended."""
        return self._has_ended.is_set()

    def close(self) -> None:
        """End every connection and the proxy itself. Returns within seconds whatever the network does."""
        self._is_over = True
        self._ring()
        if threading.current_thread() is not self._thread:
            self._thread.join(_ANSWER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the proxy's thread -------------------------------------------------------------------------------------

    def _do(self, order: Callable[[], _T]) -> _T:
        """Run *order* in the proxy's thread and return what it returns, or raise what it raises.

        Raises OSError when the proxy is closed.
        """
        done = threading.Event()
        answers: list[_T] = []
        errors: list[OSError] = []

        def run() -> None:
            try:
                answers.append(order())
            except OSError as error:
                errors.append(error)
            finally:
                done.set()

        self._orders.append(run)
        self._ring()
        deadline = time.monotonic() + _ANSWER
        while not done.wait(0.05):
            if self._has_ended.is_set() or time.monotonic() > deadline:
                break
        if answers:
            return answers[0]
        raise errors[0] if errors else OSError("the proxy is closed")

    def _ring(self) -> None:
        with contextlib.suppress(OSError):  # the bell rings already, or the proxy has ended
            self._ringer.send(b".")

    def _run(self) -> None:
        try:
            while not self._is_over:
                self._turn()
        except Exception:  # never a half-dead proxy: its clients see an end at least
            _log.exception("the fault proxy has failed")
        finally:
            self._close_all()
            self._has_ended.set()

    def _turn(self) -> None:
        """Wait for the next thing to happen and do it."""
        now = time.monotonic()
        wakes = list(self._due.values())
        if self._deaf_until > now:
            wakes.append(self._deaf_until)
        rest = max(0.0, min(wakes) - now) if wakes else None
        for key, events in self._selector.select(rest):
            sock = key.fileobj
            if sock is self._bell:
                with contextlib.suppress(OSError):
                    self._bell.recv(4096)
            elif sock is self._listener:
                self._accept()
            elif isinstance(sock, socket.socket):
                self._serve(sock, events)
        while self._orders:
            self._orders.popleft()()
        now = time.monotonic()
        for link in [link for link, at in self._due.items() if at <= now]:
            self._due.pop(link, None)
            self._move(link)
        if self._listener is not None and self._listener not in self._watched and self._deaf_until <= now:
            self._watch_socket(self._listener, selectors.EVENT_READ)

    def _serve(self, sock: socket.socket, events: int) -> None:
        link = self._by_socket.get(sock)
        if link is None or link.is_hole:
            return
        if sock is link.server and not link.is_connected:
            self._connected(link)
            return
        if events & selectors.EVENT_READ:
            self._read(link, link.up if sock is link.client else link.down)
        if events & selectors.EVENT_WRITE:
            (link.down if sock is link.client else link.up).is_blocked = False
        self._move(link)

    # -- beginning ----------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        if self._listener is not None:
            return
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])
        self._watch_socket(self._listener, selectors.EVENT_READ)

    def _deafen(self) -> None:
        if self._listener is None:
            return
        self._watch_socket(self._listener, 0)
        self._listener.close()
        self._listener = None
        # Bound and not listening: connections are refused, and nobody else takes the port meanwhile.
        holder = socket.socket()
        try:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            holder.bind(("127.0.0.1", self.port))
        except OSError:
            holder.close()
        else:
            self._placeholder = holder

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:  # no file handles left, say
            self._watch_socket(self._listener, 0)
            self._deaf_until = time.monotonic() + 0.1
            return
        if len(self._links) >= MOST_LINKS:
            client.close()
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connect(client, list(self._places), time.monotonic() + _CONNECT_SECONDS)

    def _connect(self, client: socket.socket, places: list[_Place], give_up_at: float) -> None:
        """Begin to connect to the first of *places* that can be tried, for *client*, which is closed if none can."""
        while places:
            family, address = places.pop(0)
            try:
                server = socket.socket(family)
            except OSError:
                continue
            server.setblocking(False)
            found = server.connect_ex(address)
            if found and found not in _UNDER_WAY:
                server.close()
                continue
            if family != _FAMILY_UNIX:
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up, down = _Way(client, server), _Way(server, client)
            link = _Link(client, server, up, down, places, give_up_at, self._is_new_hole)
            self._links.add(link)
            self._by_socket[client] = self._by_socket[server] = link
            link.is_connected = not found
            if found == errno.EAGAIN and family == _FAMILY_UNIX:  # its queue is full: nothing will tell when it is not
                places.insert(0, (family, address))
                link.retry_at = time.monotonic() + 0.01
            if found:
                self._due[link] = link.retry_at or give_up_at
            self._watch(link)
            return
        client.close()  # the server is down

    def _connected(self, link: _Link) -> None:
        """See what came of connecting to the server."""
        if link.server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._try_next(link)
            return
        link.is_connected = True
        self._due.pop(link, None)
        self._move(link)

    def _try_next(self, link: _Link) -> None:
        """Connect to the next place instead; what the client has said meanwhile is kept by its socket."""
        self._forget(link)
        link.server.close()
        places = link.places if time.monotonic() < link.give_up_at else []
        self._connect(link.client, places, link.give_up_at)

    # -- moving bytes -------------------------------------------------------------------------------------------

    def _read(self, link: _Link, way: _Way) -> None:
        if way.is_ended or way.size >= _KEPT:
            return
        try:
            data = way.source.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:  # reset
            data = b""
        way.is_ended = not data
        way.waiting.append((time.monotonic() + self._delay if self._delay else 0.0, memoryview(data)))
        way.size += len(data)

    def _move(self, link: _Link) -> None:
        """Pass on what can be passed on, and see to what the link waits for next."""
        if link not in self._links or link.is_hole:
            return
        if not link.is_connected:
            self._due[link] = link.retry_at or link.give_up_at
            if time.monotonic() >= self._due[link]:
                self._try_next(link)
            return
        wakes: list[float] = []
        for way in link.ways():
            if not self._pass_on(link, way, wakes):
                return  # the link has ended
        if link.down.is_passed_on:  # the server has ended: nothing that the client says arrives any more
            self._end(link)
            return
        if wakes:
            self._due[link] = min(wakes)
        else:
            self._due.pop(link, None)
        self._watch(link)

    def _pass_on(self, link: _Link, way: _Way, wakes: list[float]) -> bool:
        """Write what is due to the sink; add to *wakes* when to come back. False: the link has ended."""
        while way.waiting and not way.is_blocked:
            now = time.monotonic()
            due, data = way.waiting[0]
            if due > now:
                wakes.append(due)
                return True
            if not data:
                way.waiting.popleft()
                way.is_passed_on = True
                with contextlib.suppress(OSError):
                    way.sink.shutdown(socket.SHUT_WR)
                return True
            most = len(data)
            if link.left is not None and way is link.down:
                if link.left <= 0:
                    self._end(link, reset=True)
                    return False
                most = min(most, link.left)
            if self._throttle:
                most = min(most, self._allowed(way, now, most))
                if most < 1:
                    wakes.append(now + max(_TICK, 1 / self._throttle))
                    return True
            try:
                sent = way.sink.send(data[:most])
            except (BlockingIOError, InterruptedError):
                way.is_blocked = True
                return True
            except OSError:
                self._end(link)
                return False
            way.size -= sent
            way.credit -= sent
            if sent == len(data):
                way.waiting.popleft()
            else:
                way.waiting[0] = (due, data[sent:])
            if link.left is not None and way is link.down:
                link.left -= sent
                if link.left <= 0:
                    self._end(link, reset=True)
                    return False
        return True

    def _allowed(self, way: _Way, now: float, wanted: int) -> int:
        """Return how many bytes a throttled line passes on now; fewer than *wanted* only in pieces of some size."""
        most = max(1.0, self._throttle * _TICK * 2)  # what a pause saves up
        way.credit = min(most, max(0.0, way.credit) + (now - way.credited_at) * self._throttle)
        way.credited_at = now
        piece = max(1.0, self._throttle * _TICK)
        return int(way.credit) if way.credit >= min(wanted, piece) else 0

    def _watch(self, link: _Link) -> None:
        """Listen for what can happen next on *link*."""
        client = server = 0
        if not link.is_hole:
            if not link.is_connected:
                server = 0 if link.retry_at else selectors.EVENT_WRITE
            else:
                client |= selectors.EVENT_READ if not link.up.is_ended and link.up.size < _KEPT else 0
                server |= selectors.EVENT_READ if not link.down.is_ended and link.down.size < _KEPT else 0
                client |= selectors.EVENT_WRITE if link.down.is_blocked else 0
                server |= selectors.EVENT_WRITE if link.up.is_blocked else 0
        self._watch_socket(link.client, client)
        self._watch_socket(link.server, server)

    def _watch_socket(self, sock: socket.socket, events: int) -> None:
        before = self._watched.get(sock, 0)
        if events == before:
            return
        if not events:
            self._selector.unregister(sock)
            del self._watched[sock]
        else:
            (self._selector.modify if before else self._selector.register)(sock, events)
            self._watched[sock] = events

    def _look_at_all(self) -> None:
        for link in list(self._links):
            self._watch(link)
            self._move(link)

    # -- ending -------------------------------------------------------------------------------------------------

    def _end(self, link: _Link, *, reset: bool = False) -> None:
        self._forget(link)
        if reset:
            with contextlib.suppress(OSError):
                link.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        link.client.close()
        link.server.close()

    def _forget(self, link: _Link) -> None:
        self._links.discard(link)
        self._due.pop(link, None)
        for sock in (link.client, link.server):
            self._by_socket.pop(sock, None)
            with contextlib.suppress(OSError, KeyError, ValueError):
                self._watch_socket(sock, 0)

    def _close_all(self) -> None:
        for link in list(self._links):
            self._end(link)
        for sock in (self._listener, self._placeholder, self._bell, self._ringer):
            if sock is not None:
                sock.close()
        self._selector.close()


def _places(target: Address) -> list[_Place]:
    """Return where *target* can be reached, in the order of trying. Looks a name up; raises OSError."""
    if isinstance(target, str):
        if _FAMILY_UNIX is None:
            raise OSError("there are no Unix sockets here")
        return [(_FAMILY_UNIX, target)]
    found = socket.getaddrinfo(target[0], target[1], type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]
