"""Ends the server's side of connections that were cut in mid-statement, which else runs on to its end."""

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import psycopg2


class BackendEnder:
    """Ends backends from a short-lived connection of a thread of its own, for nobody waits for it.

    *connect* opens that connection. One at a time: what comes meanwhile is ended together with the next.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._pids: deque[int] = deque()
        self._one_at_a_time = threading.Lock()

    @property
    def is_busy(self) -> bool:
        """Whether a backend is still to be ended."""
        return bool(self._pids) or self._one_at_a_time.locked()

    def end(self, pid: int) -> None:
        """End the backend *pid* soon, if it can be done."""
        if pid:
            self._pids.append(pid)
            with contextlib.suppress(RuntimeError):  # no more threads: the statement ends by itself
                threading.Thread(target=self._work, name="pool ends backends", daemon=True).start()

    def _work(self) -> None:
        with contextlib.suppress(psycopg2.Error, IndexError), self._one_at_a_time:
            pids = [self._pids.popleft()]
            while self._pids:
                pids.append(self._pids.popleft())
            with contextlib.closing(self._connect()) as side:
                side.autocommit = True
                with side.cursor() as cursor:
                    cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", (pids,))
