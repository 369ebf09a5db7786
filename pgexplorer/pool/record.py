"""What a PgPool writes down: a record for each of its connections and one for everybody who waits."""

import contextlib
import sys
import threading
import weakref
from collections.abc import Callable, Hashable
from functools import lru_cache
from types import CodeType
from typing import Any

from pgexplorer.pool.events import Raw
from pgexplorer.pool.slot import Slot, SlotState

_FRAMES = (None,) * 12  # as many frames are kept of a holder's stack
_HERE = __file__.rpartition("record.py")[0]
_OURS = (f"{_HERE}pg_pool.py", f"{_HERE}stock.py", contextlib.__file__)


class _ThisThread(threading.local):
    """What tells the current thread from all others, those that have ended too: the ident of one is used again."""

    def __init__(self) -> None:
        self.token: object = object()


this_thread = _ThisThread()

Stack = tuple[tuple[CodeType, int], ...]  # code object, instruction; innermost first


def stack() -> Stack:
    """Return the frames of who called the caller: a microsecond or two. The lines are looked up when they are read."""
    frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    found: list[tuple[CodeType, int]] = []
    for _ in _FRAMES:
        found.append((frame.f_code, frame.f_lasti))
        frame = frame.f_back
        if frame is None:
            break
    return tuple(found)


def said(frames: Stack) -> tuple[str, ...]:
    """Return *frames* in words, without the pool's own."""
    return tuple(_word(code, instruction) for code, instruction in frames if code.co_filename not in _OURS)


@lru_cache(4096)  # the same few callers, again and again
def _word(code: CodeType, instruction: int) -> str:
    return f"{code.co_filename}:{_line(code, instruction)} in {code.co_qualname}"


def _line(code: CodeType, instruction: int) -> int:
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


class Ref(weakref.ref[Any]):
    """A weak reference to a connection that knows where the pool keeps its record.

    It does not refer to the record: the two would be a circle, and keep an idle connection of a forgotten pool.
    """

    __slots__ = ("where",)
    where: int


class Record:
    """One of the pool's connections, or the place of one that is being opened."""

    __slots__ = (
        "conn",
        "expires_at",
        "generation",
        "held_since",
        "holder",
        "ident",
        "idle_since",
        "is_told",
        "key",
        "lease",
        "number",
        "ok_at",
        "opened_at",
        "phase",
        "pid",
        "poller",
        "ref",
        "seen_at",
        "sql",
        "stack",
        "state",
        "state_since",
        "thread",
        "uses",
        "write",
    )

    def __init__(self, number: int, generation: int, write: Callable[[Raw], object]) -> None:
        self.write = write  # an event
        self.number = number
        self.generation = generation
        self.conn: Any = None  # strong while it is idle, else None
        self.ref: Any = None  # weak, as long as the connection exists
        self.poller: Callable[[], object] = bool  # something true: its socket is readable
        self.phase = SlotState.OPENING  # OPENING, IDLE, CHECKED_OUT or RETURNING: where the pool has it
        self.state = SlotState.CHECKED_OUT  # what it does while it is out; written by its cursors
        self.pid = 0
        self.key: Hashable | None = None
        self.holder = self.thread = ""
        self.ident: object = None  # the thread's, of this_thread
        self.stack: Stack = ()
        self.sql: Any = ""
        self.lease = self.uses = 0
        self.held_since = self.state_since = self.idle_since = self.opened_at = self.expires_at = 0.0
        self.ok_at = self.seen_at = 0.0  # when the server answered last; when that or its quiet socket was seen last
        self.is_told = False  # that it is held long

    def snapshot(self) -> Slot:
        """Return it as plain values."""
        out = self.phase is SlotState.CHECKED_OUT
        sql = self.sql if isinstance(self.sql, str) else str(self.sql)
        return Slot(
            self.number,
            self.state if out else self.phase,
            self.pid,
            self.holder if out else "",
            self.thread if out else "",
            self.held_since if out else 0.0,
            self.state_since if out else self.idle_since,
            self.uses,
            sql,
            False,
            self.opened_at,
            said(self.stack) if out else (),
        )


class Waiting:
    """Somebody who waits: a lock of its own, released by whoever hands a connection over."""

    __slots__ = ("asked", "conn", "deadline", "gate", "holder", "ident", "is_closed", "key", "slot", "stack", "thread")

    def __init__(self, holder: str, key: Hashable | None, asked: float, deadline: float, frames: Stack) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.slot: Record | None = None
        self.conn: Any = None  # strong until the waiter has it
        self.is_closed = False  # the pool, while this one waited
        self.holder, self.key, self.asked, self.deadline, self.stack = holder, key, asked, deadline, frames
        me = threading.current_thread()
        self.thread, self.ident = me.name, this_thread.token
