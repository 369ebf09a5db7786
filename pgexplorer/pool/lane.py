"""One lane of a timeline: what is out on a slot now, what was done in its holds, and the words for how they ended."""

from bisect import bisect_right
from collections.abc import Iterator
from copy import copy
from typing import NamedTuple

from pgexplorer.pool.slot import SlotState
from pgexplorer.pool.track import Note, Track

_LATEST = 1.0  # seconds by which the event of a check-in may come too late

# How a hold or a wait ended.
RETURNED, UNKNOWN, DROPPED, CLOSED = "returned", "end not seen", "dropped", "pool closed"
SERVED, TIMED_OUT, GAVE_UP = "served", "timed out", "gave up"

HELD, RUNNING, OPENING = SlotState.CHECKED_OUT, SlotState.RUNNING, SlotState.OPENING
IN_TRANSACTION, FAILED, BROKEN = SlotState.IN_TRANSACTION, SlotState.FAILED_TRANSACTION, SlotState.BROKEN
PARTS = (RUNNING, IN_TRANSACTION, FAILED, BROKEN)
OF_PART = ("", 0, "")


class Span(NamedTuple):
    """A stretch of one lane: a hold (CHECKED_OUT), what was done in it, or the opening of its connection (OPENING)."""

    lane: int
    start: float  # seconds on time.monotonic's clock
    end: float
    state: SlotState
    holder: str
    thread: str
    pid: int
    detail: str  # the statement, or the one that ran last; how a hold ended
    is_open: bool  # it goes on


class Wait(NamedTuple):
    """Somebody who waits or waited."""

    start: float
    end: float
    holder: str
    thread: str
    ending: str  # SERVED, TIMED_OUT, CLOSED, GAVE_UP, UNKNOWN; "" while it goes on
    lane: int  # that served it, 0 when none did
    served_at: float  # when the connection came home or was opened that served it
    row: int  # the lowest that was free when it began, from 0


class Mark(NamedTuple):
    """Something that happened at one moment, or *times* times from *at* until *until*."""

    at: float
    until: float
    kind: str  # an EventKind's value, RECONNECTED or POOL_REPLACED
    lane: int  # 0 when none is concerned
    pid: int
    holder: str
    thread: str
    detail: str
    took: float  # seconds
    times: int


class LaneNow(NamedTuple):
    """A lane and what is there at this moment."""

    number: int
    pid: int  # 0: no connection
    state: SlotState  # IDLE when nobody has it
    holder: str


class Shares(NamedTuple):
    """Seconds of a lane by columns of equal width."""

    held: list[float]
    running: list[float]
    in_transaction: list[float]
    failed: list[float]  # and broken


class Asked:
    """Somebody who waits."""

    __slots__ = ("doubtful_since", "holder", "missing_since", "row", "start", "thread")

    def __init__(self, start: float, holder: str, thread: str, row: int) -> None:
        self.start, self.holder, self.thread, self.row = start, holder, thread, row
        self.missing_since = 0.0  # since when the pool's queue does not have it
        self.doubtful_since = 0.0  # the beginning of a gap in which its end may lie


class Lane:
    """One slot number: what is out on it now, and its tracks."""

    __slots__ = (
        "detail",
        "doubtful_since",
        "from_look",
        "holder",
        "home_at",
        "is_leaked",
        "is_out",
        "late",
        "lost_pid",
        "number",
        "out_pid",
        "pid",
        "running_since",
        "running_sql",
        "since",
        "start",
        "state",
        "thread",
        "tracks",
    )

    def __init__(self, number: int, doubtful_since: float) -> None:
        self.number = number
        self.pid = self.out_pid = 0
        self.lost_pid = -1
        self.is_out = self.is_leaked = False
        self.start = self.since = 0.0  # of the hold, of the state
        self.state = HELD
        self.holder = self.thread = self.detail = ""
        self.running_since, self.running_sql = 0.0, ""  # as the slot says; the event comes when the statement ends
        self.home_at = 0.0  # when it came home last, or was opened
        self.doubtful_since = doubtful_since  # the end of a gap after which nothing was heard of it; 0: none
        self.from_look = False  # the hold was seen in the pool's slots; its event may still come
        self.late: list[tuple[float, Note]] = []  # holds that another check-out ended: their check-in may still come
        self.tracks = {state: Track() for state in (HELD, *PARTS, OPENING)}

    # -- a hold ------------------------------------------------------------------------------------------------

    def begin(self, at: float, pid: int, holder: str, thread: str) -> None:
        """Begin a hold, no earlier than the last one ended."""
        ends = self.tracks[HELD].ends
        self.start = self.since = max(at, ends[-1]) if ends else at
        self.is_out, self.is_leaked, self.from_look = True, False, False
        self.pid = self.out_pid = pid
        self.holder, self.thread, self.detail = holder, thread, ""
        self.state = HELD
        self.running_since = self.doubtful_since = 0.0

    def finish(self, at: float, ending: str) -> Note:
        """End the hold. Return its note."""
        self.turn(at, HELD)
        note = (self.holder, self.thread, self.out_pid, ending)
        self.tracks[HELD].add(self.start, max(at, self.since), note)
        self.is_out = False
        self.doubtful_since = 0.0
        return note

    def turn(self, at: float, state: SlotState) -> None:
        """Go over to *state* at the moment *at*."""
        since = self.since
        at = max(at, since)
        if self.state is not HELD and at > since:
            self.tracks[self.state].add(since, at, (self.detail, *OF_PART))
        self.state, self.since = state, at
        self.running_since = 0.0

    def ran(self, at: float, took: float, sql: str, left: SlotState) -> None:
        """Note a statement that ended, took *took* seconds, and left *left* behind."""
        began = at - took
        running = self.tracks[RUNNING]
        if self.state is RUNNING:
            # Its beginning was told, some microseconds early or late: what counts is how long it took.
            began = max(began, running.ends[-1] if running.ends else self.start, self.start)
            for state in (IN_TRANSACTION, FAILED):
                self.tracks[state].cut(began)
        else:
            began = max(began, self.since)
            self.turn(began, HELD)
        if at > began:
            running.add(began, at, (sql, *OF_PART))
        self.state, self.since, self.detail = left, max(at, began), sql
        self.running_since = 0.0

    def is_late(self, at: float, pid: int, holder: str, thread: str) -> bool:
        """Whether this check-in belongs to an earlier hold: psycopg2's pools tell of it when another may have it."""
        self.late = [(ended, note) for ended, note in self.late if at - ended < _LATEST]
        if self.is_out and (self.out_pid, self.thread) == (pid, thread) and (holder or not self.holder):
            return False
        for place, (_, note) in enumerate(self.late):
            if (note[1], note[2]) == (thread, pid):
                del self.late[place]
                notes = self.tracks[HELD].notes
                for index in range(len(notes) - 1, max(-1, len(notes) - 9), -1):
                    if notes[index] is note:
                        notes[index] = (*note[:3], RETURNED)
                        break
                return True
        return False

    def clone(self) -> "Lane":
        """Return a copy."""
        other = copy(self)
        other.late = self.late[:]
        other.tracks = {state: track.clone() for state, track in self.tracks.items()}
        return other

    def displace(self, at: float) -> None:
        """End a hold that goes on by what was told, but cannot."""
        self.late = [*self.late[-3:], (at, self.finish(at, UNKNOWN))]

    # -- what is asked -----------------------------------------------------------------------------------------

    def now(self) -> LaneNow:
        """Return what is there at this moment."""
        state = SlotState.IDLE
        if self.is_out:
            state = RUNNING if self.running_since else self.state
        return LaneNow(self.number, self.pid, state, self.holder if self.is_out else "")

    def going_on(self, now: float) -> Iterator[Span]:
        """Yield what is not over: the hold, and what is done in it."""
        if not self.is_out:
            return
        who = self.holder, self.thread, self.out_pid
        now = max(now, self.since)
        yield Span(self.number, self.start, now, HELD, *who, "leaked" if self.is_leaked else "", True)
        until = self.running_since or now
        if self.state is not HELD and until > self.since:
            yield Span(self.number, self.since, until, self.state, *who, self.detail, not self.running_since)
        if self.running_since:
            yield Span(self.number, self.running_since, now, RUNNING, *who, self.running_sql, True)

    def spans(self, start: float, end: float, now: float) -> list[Span]:
        """Return what reaches into the time from *start* to *end*, each hold before what was done in it."""
        found: list[Span] = []
        number = self.number
        held = self.tracks[HELD]
        starts = held.starts
        for state, track in self.tracks.items():
            for place in track.places(start, end):
                first, last, note = track.starts[place], track.ends[place], track.notes[place]
                if state is HELD:
                    found.append(Span(number, first, last, state, note[0], note[1], note[2], note[3], False))
                    continue
                if state is OPENING:
                    found.append(Span(number, first, last, state, "", "", note[2], "", False))
                    continue
                whole = bisect_right(starts, first) - 1  # the hold in which it was done
                who = ("", "", 0)
                if self.is_out and first >= self.start:
                    who = self.holder, self.thread, self.out_pid
                elif whole >= 0 and last <= held.ends[whole]:
                    who = held.notes[whole][:3]
                found.append(Span(number, first, last, state, *who, note[0], False))
        found += [span for span in self.going_on(now) if span.start <= end and span.end >= start]
        found.sort(key=_by_start)
        return found


def _by_start(span: Span) -> tuple[float, bool]:
    return span.start, span.state is not HELD
