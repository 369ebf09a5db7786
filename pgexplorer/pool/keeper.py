"""The one thread behind a PgPool: it tends the pool about once a second and ends questions that nobody answers."""

import contextlib
import threading
import time
import weakref
from collections.abc import Generator
from typing import Any, Protocol

import psycopg2

from pgexplorer.pool.link import cut

_TICK = 1.0  # seconds


class Tended(Protocol):
    """What a keeper keeps."""

    def tend(self, now: float) -> None:
        """Do what time asks for."""
        ...


class Keeper:
    """Keeps time for a pool, which it refers to weakly: a forgotten pool ends its keeper."""

    def __init__(self, pool: Tended) -> None:
        self._pool = weakref.ref(pool)
        self._guarded: dict[int, tuple[float, Any]] = {}  # by a number of its own: until when, which connection
        self._bell = threading.Event()
        self._is_over = False
        self._tend_at = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None and not self._is_over:
            self._thread = threading.Thread(target=_keep, args=(weakref.ref(self), self._bell), daemon=True)
            self._thread.name = "pool keeper"
            self._thread.start()

    def stop(self) -> None:
        """End the thread soon. What is still guarded stays guarded until its end."""
        self._is_over = True
        self._bell.set()

    @contextlib.contextmanager
    def guard(self, conn: Any, seconds: float, *, prompt: bool) -> Generator[None]:
        """Cut the link of *conn* when the block takes longer than *seconds*; *prompt*: to the tenth of a second.

        Raises psycopg2.OperationalError where it was cut although the block came to a good end.
        """
        self.start()
        number = id(conn)
        self._guarded[number] = (time.monotonic() + seconds, conn)
        if prompt:
            self._bell.set()
        try:
            yield
        except BaseException:
            self._guarded.pop(number, None)
            raise
        if self._guarded.pop(number, None) is None:
            raise psycopg2.OperationalError(f"no answer within {seconds:.3g} s")

    def look(self) -> float | None:
        """Do what is due; return the seconds until the next look, or None when there is nothing to keep any more."""
        now = time.monotonic()
        rest = _TICK
        for number, (until, conn) in list(self._guarded.items()):
            if until > now:
                rest = min(rest, until - now)
            elif self._guarded.pop(number, None) is not None:
                cut(conn)
        pool = self._pool()
        if pool is None or self._is_over:
            return rest if self._guarded else None
        if now >= self._tend_at:
            self._tend_at = now + _TICK
            pool.tend(now)
        return max(0.01, min(rest, self._tend_at - now))


def _keep(keeper: "weakref.ref[Keeper]", bell: threading.Event) -> None:
    rest: float | None = _TICK
    while rest is not None:
        bell.wait(rest)
        bell.clear()
        kept = keeper()
        if kept is None:
            return
        rest = kept.look()
        del kept
