"""Keeps a bug report out of the log that is none: what psycopg2 prints when a backend ends in mid-COPY."""

import contextlib
import sys
import threading
from collections.abc import Generator
from types import TracebackType

import psycopg2

_changing = threading.Lock()
_copies = 0
_before = sys.excepthook


@contextlib.contextmanager
def refused() -> Generator[None]:
    """Refuse it while a COPY runs; everything else goes to the hook that was there. Safe from any thread.

    libpq has two errors then. psycopg2 sets the second over the first, has Python print what comes of that through
    sys.excepthook, and raises the right error all the same.
    """
    global _copies, _before  # noqa: PLW0603  (the hook is one for the process)
    with _changing:
        _copies += 1
        if _copies == 1:
            _before, sys.excepthook = sys.excepthook, _hook
    try:
        yield
    finally:
        with _changing:
            _copies -= 1
            if not _copies and sys.excepthook is _hook:
                sys.excepthook = _before


def _hook(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    if not (isinstance(error, SystemError) and isinstance(error.__cause__, psycopg2.Error)):
        _before(kind, error, where)
