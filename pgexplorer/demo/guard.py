"""A program's end of its watchdog: the life line, the share in the server, and the orders to start one."""

import json
import os
import selectors
import subprocess
import sys
import threading
import time

from pgexplorer.demo import watchdog
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.place import Place

RELEASE_SECONDS = 5.0


class Guard:
    """This program's end of a watchdog, and its share in the server. Made inside the gate."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._heard = b""
        self._share = watchdog.take_share(where.shares)
        try:
            # Isolated and without site: the watchdog is the standard library alone, ready in 20 ms.
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-I",
                    "-S",
                    watchdog.__file__,
                    str(self._share),
                    str(os.getpid()),
                    where.gate,
                    where.data,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[self._share],
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        except BaseException:
            os.close(self._share)
            raise

    def launch(self, where: Place, arguments: list[str]) -> int:
        """Have the watchdog start the server, whose process id is returned. Raises DemoUnavailable."""
        account = where.account
        order = {
            "arguments": arguments,
            "folder": str(where.base),
            "log": str(where.log),
            "uid": account.uid if account else None,
            "gid": account.gid if account else None,
        }
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        word, _, rest = self._line(10.0).partition(" ")
        if word != "started":
            raise DemoUnavailable(f"PostgreSQL could not be started: {rest or 'the watchdog did not answer'}")
        return int(rest)

    def server_ended(self) -> bool:
        """Tell whether the server that `launch` started has ended by itself. Does not block."""
        return self._line(0.0).startswith("ended") or self._process.poll() is not None

    def let_go(self) -> None:
        """Give back the share and wait for the watchdog to be done, RELEASE_SECONDS at most."""
        with self._lock:
            if self._share < 0:
                return
            process, share = self._process, self._share
            self._share = -1
            assert process.stdin
            assert process.stdout
            process.stdin.close()
            self._line(RELEASE_SECONDS, until_end=True)
            process.stdout.close()
            try:
                if process.wait(0.5) != 0:  # the watchdog was killed: do its work
                    watchdog.give_back(share, self._where.gate, self._where.data)
            except subprocess.TimeoutExpired:
                _left_behind.append(process)
            finally:
                os.close(share)

    def _line(self, seconds: float, *, until_end: bool = False) -> str:
        """Return the next line from the watchdog, "" when none comes in time or at its end."""
        assert self._process.stdout
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while until_end or b"\n" not in self._heard:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    return ""
                piece = os.read(self._process.stdout.fileno(), 4096)
                if not piece:
                    return ""
                self._heard += piece
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode(errors="replace")


_left_behind: list[subprocess.Popen[bytes]] = []
