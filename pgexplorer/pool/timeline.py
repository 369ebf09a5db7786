"""A pool's events folded into lanes: who held which connection when, who waited, what went wrong.

The newest spans are kept one by one; older ones are summed up by stretches of time that widen with age, so that a day
fits into constant memory and its overview stays true. No lock: one thread reads, folds and asks.
"""

import csv
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, repeat
from typing import NamedTuple, TextIO

from pgexplorer.pool.events import Event, EventKind
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.slot import Slot, SlotState, Waiter
from pgexplorer.pool.stock import STOCK_CLASSES

MOST_SPANS = 20_000  # kept one by one, in all lanes together
_MOST_MARKS = 2_000
_MOST_WAITS = 2_000
_FINEST = 1 / 32  # seconds: the first stretch that old spans are summed up by
_WIDER = 4  # each next stretch is as many times as long
_MOST_STRETCHES = 512  # of one length, before the older half is summed up by the next
_MOST_AT_ONCE = 8  # stretches among which one span is shared out
_MOST_LENGTHS = 9  # the last is 34 minutes; should even these become too many, it doubles
_SAME = 0.25  # seconds by which a check-out's event may come after the moment that the slot names
_LATE = 0.25  # seconds after which no event with an earlier time is expected
_GONE = 1.0  # seconds after which somebody who is not in the queue has stopped waiting
_LATEST = 1.0  # seconds by which the event of a check-in may come too late
_LOOK = 0.25  # seconds between two looks at the slots
_STORM = 0.001  # seconds within which equal marks are one

# How a hold or a wait ended.
RETURNED, UNKNOWN, DROPPED, CLOSED = "returned", "end not seen", "dropped", "pool closed"
SERVED, TIMED_OUT, GAVE_UP = "served", "timed out", "gave up"
RECONNECTED, POOL_REPLACED = "reconnected", "pool replaced"  # marks that are no event of their own

_HELD, _RUNNING, _OPENING = SlotState.CHECKED_OUT, SlotState.RUNNING, SlotState.OPENING
_IN_TRANSACTION, _FAILED, _BROKEN = SlotState.IN_TRANSACTION, SlotState.FAILED_TRANSACTION, SlotState.BROKEN
_PARTS = (_RUNNING, _IN_TRANSACTION, _FAILED, _BROKEN)
_LEFT = {
    EventKind.DONE: _HELD,
    EventKind.DONE_IN_TRANSACTION: _IN_TRANSACTION,
    EventKind.DONE_FAILED: _FAILED,
    EventKind.LOST: _BROKEN,
}
_OUT, _IN, _BEGAN, _SETTLED, _LOST = (
    EventKind.CHECKED_OUT,
    EventKind.CHECKED_IN,
    EventKind.RUNNING,
    EventKind.SETTLED,
    EventKind.LOST,
)


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


class _Stretches:
    """The stretches of one length: their numbers, in order, and the seconds in each."""

    __slots__ = ("at", "begin", "length", "seconds")

    def __init__(self, length: float) -> None:
        self.length = length  # seconds
        self.begin = float("-inf")  # what is older lies in longer ones
        self.at = array("q")
        self.seconds = array("d")

    def add(self, at: int, seconds: float) -> None:
        numbers = self.at
        if not numbers or at > numbers[-1]:
            numbers.append(at)
            self.seconds.append(seconds)
            return
        place = bisect_left(numbers, at)
        if numbers[place] == at:
            self.seconds[place] += seconds
        else:
            numbers.insert(place, at)
            self.seconds.insert(place, seconds)

    def clone(self) -> "_Stretches":
        other = copy(self)
        other.at, other.seconds = self.at[:], self.seconds[:]
        return other

    def halve(self) -> None:
        """Make each twice as long."""
        double = _Stretches(self.length * 2)
        for at, seconds in zip(self.at, self.seconds, strict=True):
            double.add(at // 2, seconds)
        self.length, self.at, self.seconds = double.length, double.at, double.seconds


class Sums:
    """Seconds by stretches of time that widen with age: some thousand numbers, whatever is added."""

    __slots__ = ("_lengths",)

    def __init__(self) -> None:
        self._lengths = [_Stretches(_FINEST)]

    def add(self, start: float, end: float) -> None:
        """Count the time from *start* to *end*: what is long, or old, by longer stretches."""
        for place in range(_MOST_LENGTHS):
            stretches = self._of_length(place)
            is_last = place + 1 == _MOST_LENGTHS
            if end - start > _MOST_AT_ONCE * stretches.length and not is_last:
                continue
            begin = stretches.begin
            if start >= begin or is_last:
                self._put(place, start, end)
                return
            if end > begin:
                self._put(place, begin, end)
                end = begin

    def _of_length(self, place: int) -> _Stretches:
        if place == len(self._lengths):
            self._lengths.append(_Stretches(_FINEST * _WIDER**place))
        return self._lengths[place]

    def clone(self) -> "Sums":
        """Return a copy."""
        other = Sums()
        other._lengths = [stretches.clone() for stretches in self._lengths]
        return other

    def add_all(self, starts: Sequence[float], ends: Sequence[float]) -> None:
        """Count many, in order: neighbours in one stretch are added up first."""
        newest = self._lengths[0]
        scale = 1 / newest.length  # a power of two: exact
        at, seconds = 0, 0.0
        for start, end in zip(starts, ends, strict=True):
            first = int(start * scale)
            if first == at and end < (at + 1) * newest.length:
                seconds += end - start
                continue
            if seconds:
                self.add(at * newest.length, at * newest.length + seconds)
            at, seconds = first, 0.0
            if start >= newest.begin and end < (first + 1) * newest.length:
                seconds = end - start
            else:
                at = -1
                self.add(start, end)
        if seconds:
            self.add(at * newest.length, at * newest.length + seconds)

    def _put(self, place: int, start: float, end: float) -> None:
        stretches = self._lengths[place]
        length = stretches.length
        first, last = int(start // length), int(end // length)
        if first == last:
            stretches.add(first, end - start)
        else:
            stretches.add(first, (first + 1) * length - start)
            if stretches.at[-1] == first:  # nothing is newer, as nearly always
                stretches.at.extend(range(first + 1, last))
                stretches.seconds.extend(repeat(length, last - first - 1))
            else:
                for at in range(first + 1, last):
                    stretches.add(at, length)
            if (rest := end - last * length) > 0:
                stretches.add(last, rest)
        if len(stretches.at) > _MOST_STRETCHES:
            self._hand_on(place)

    def _hand_on(self, place: int) -> None:
        """Sum the older half of one length up by the next."""
        stretches = self._lengths[place]
        if place + 1 == _MOST_LENGTHS:
            while len(stretches.at) > _MOST_STRETCHES:
                stretches.halve()
            return
        longer = self._of_length(place + 1)
        ratio = round(longer.length / stretches.length)
        cut = stretches.at[len(stretches.at) // 2] // ratio
        kept = bisect_left(stretches.at, cut * ratio)
        current, amount = stretches.at[0] // ratio, 0.0
        for at, seconds in zip(stretches.at[:kept], stretches.seconds[:kept], strict=True):
            if at // ratio != current:
                longer.add(current, amount)
                current, amount = at // ratio, 0.0
            amount += seconds
        longer.add(current, amount)
        del stretches.at[:kept], stretches.seconds[:kept]
        stretches.begin = cut * longer.length
        if len(longer.at) > _MOST_STRETCHES:
            self._hand_on(place + 1)

    def between(self, start: float, end: float) -> Iterator[tuple[float, float, float]]:
        """Yield (from, to, seconds) of each stretch that reaches into the time from *start* to *end*, oldest first."""
        for stretches in reversed(self._lengths):
            length = stretches.length
            first = bisect_left(stretches.at, int(start // length))
            after = bisect_right(stretches.at, int(end // length))
            for place in range(first, after):
                begin = stretches.at[place] * length
                yield begin, begin + length, stretches.seconds[place]

    def spread(self, columns: list[float], start: float, width: float) -> None:
        """Add to each of *columns*, *width* seconds each from *start* on, the seconds that lie in it."""
        count, scale = len(columns), 1 / width
        end = start + count * width
        for stretches in self._lengths:
            length = stretches.length
            first = bisect_left(stretches.at, int(start // length))
            after = bisect_right(stretches.at, int(end // length))
            numbers, seconds = stretches.at[first:after], stretches.seconds[first:after]
            if length <= width:
                shift, step = (length / 2 - start) * scale, length * scale
                for at, amount in zip(numbers, seconds, strict=True):
                    column = at * step + shift
                    if 0.0 <= column < count:
                        columns[int(column)] += amount
            else:
                for at, amount in zip(numbers, seconds, strict=True):
                    _pour(columns, start, width, at * length, (at + 1) * length, amount / length)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not any(stretches.at for stretches in self._lengths)

    @property
    def total(self) -> float:
        """All seconds."""
        return sum(sum(stretches.seconds) for stretches in self._lengths)


_Note = tuple[str, str, int, str]  # a hold's holder, thread, pid and ending; of what was done in it the statement alone
_OF_PART = ("", 0, "")


class Track:
    """Spans in order that do not overlap: the newest one by one, the older ones as sums.

    Each span is a place in four lists. Plain values alone: Python's garbage collector need not look into them.
    """

    __slots__ = ("ends", "notes", "old", "starts", "sums", "total")

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.sums: list[float] = []  # of the lengths of all spans before
        self.notes: list[_Note] = []
        self.total = 0.0  # seconds ever added
        self.old = Sums()

    def add(self, start: float, end: float, note: _Note) -> None:
        """Append a span that begins no earlier than the last one ended."""
        self.starts.append(start)
        self.ends.append(end)
        self.sums.append(self.total)
        self.notes.append(note)
        self.total += end - start

    def clone(self) -> "Track":
        """Return a copy."""
        other = copy(self)
        other.starts, other.ends = self.starts[:], self.ends[:]
        other.sums, other.notes = self.sums[:], self.notes[:]
        other.old = self.old.clone()
        return other

    def cut(self, at: float) -> None:
        """Let the last span end at the moment *at*, if it ends later."""
        if self.ends and self.ends[-1] > at:
            end = max(at, self.starts[-1])
            self.total -= self.ends[-1] - end
            self.ends[-1] = end

    def forget(self, count: int) -> None:
        """Keep the oldest *count* spans as sums alone."""
        self.old.add_all(self.starts[:count], self.ends[:count])
        del self.starts[:count], self.ends[:count], self.sums[:count], self.notes[:count]

    def places(self, start: float, end: float) -> range:
        """Return the places of the spans that reach into the time from *start* to *end*."""
        return range(bisect_left(self.ends, start), bisect_right(self.starts, end))

    def spread(self, columns: list[float], start: float, width: float) -> None:
        """Add to each of *columns*, *width* seconds each from *start* on, the seconds that lie in it."""
        count = len(columns)
        end = start + count * width
        if not self.old.is_empty:
            self.old.spread(columns, start, width)
        places = self.places(start, end)
        if len(places) <= count:
            starts, ends = self.starts, self.ends
            for place in places:
                _pour(columns, start, width, starts[place], ends[place], 1.0)
            return
        # More spans than columns: look up how much lies before each edge, which takes the same time for any number.
        low, high = places.start, places.stop
        starts, ends, sums = self.starts, self.ends, self.sums
        edges = [start + place * width for place in range(count + 1)]
        after = map(bisect_right, repeat(starts), edges, repeat(low), repeat(high))
        before = [
            sums[last] + ((edge if edge < ends[last] else ends[last]) - starts[last])
            if (last := place - 1) >= low
            else sums[low]
            for place, edge in zip(after, edges, strict=True)
        ]
        columns[:] = [column + until - begin for column, begin, until in zip(columns, before, before[1:], strict=False)]


def _pour(columns: list[float], start: float, width: float, begin: float, until: float, density: float) -> None:
    """Add the time from *begin* to *until*, *density* seconds a second, to the columns in which it lies."""
    count = len(columns)
    left, right = (begin - start) / width, (until - start) / width
    left, right = max(left, 0.0), min(right, float(count))
    if right <= left:
        return
    first, last = int(left), int(right)
    if first == last:
        columns[first] += (right - left) * width * density
        return
    columns[first] += (first + 1 - left) * width * density
    whole = width * density
    for column in range(first + 1, last):
        columns[column] += whole
    if last < count:
        columns[last] += (right - last) * width * density


class _Waiting:
    """Somebody who waits."""

    __slots__ = ("doubtful_since", "holder", "missing_since", "row", "start", "thread")

    def __init__(self, start: float, holder: str, thread: str, row: int) -> None:
        self.start, self.holder, self.thread, self.row = start, holder, thread, row
        self.missing_since = 0.0  # since when the pool's queue does not have it
        self.doubtful_since = 0.0  # the beginning of a gap in which its end may lie


class _Lane:
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
        self.state = _HELD
        self.holder = self.thread = self.detail = ""
        self.running_since, self.running_sql = 0.0, ""  # as the slot says; the event comes when the statement ends
        self.home_at = 0.0  # when it came home last, or was opened
        self.doubtful_since = doubtful_since  # the end of a gap after which nothing was heard of it; 0: none
        self.from_look = False  # the hold was seen in the pool's slots; its event may still come
        self.late: list[tuple[float, _Note]] = []  # holds that another check-out ended: their check-in may still come
        self.tracks = {state: Track() for state in (_HELD, *_PARTS, _OPENING)}

    # -- a hold ------------------------------------------------------------------------------------------------

    def begin(self, at: float, pid: int, holder: str, thread: str) -> None:
        ends = self.tracks[_HELD].ends
        self.start = self.since = max(at, ends[-1]) if ends else at
        self.is_out, self.is_leaked, self.from_look = True, False, False
        self.pid = self.out_pid = pid
        self.holder, self.thread, self.detail = holder, thread, ""
        self.state = _HELD
        self.running_since = self.doubtful_since = 0.0

    def finish(self, at: float, ending: str) -> _Note:
        """End the hold. Return its note."""
        self.turn(at, _HELD)
        note = (self.holder, self.thread, self.out_pid, ending)
        self.tracks[_HELD].add(self.start, max(at, self.since), note)
        self.is_out = False
        self.doubtful_since = 0.0
        return note

    def turn(self, at: float, state: SlotState) -> None:
        """Go over to *state* at the moment *at*."""
        since = self.since
        at = max(at, since)
        if self.state is not _HELD and at > since:
            self.tracks[self.state].add(since, at, (self.detail, *_OF_PART))
        self.state, self.since = state, at
        self.running_since = 0.0

    def ran(self, at: float, took: float, sql: str, left: SlotState) -> None:
        """Note a statement that ended, took *took* seconds, and left *left* behind."""
        began = at - took
        running = self.tracks[_RUNNING]
        if self.state is _RUNNING:
            # Its beginning was told, some microseconds early or late: what counts is how long it took.
            began = max(began, running.ends[-1] if running.ends else self.start, self.start)
            for state in (_IN_TRANSACTION, _FAILED):
                self.tracks[state].cut(began)
        else:
            began = max(began, self.since)
            self.turn(began, _HELD)
        if at > began:
            running.add(began, at, (sql, *_OF_PART))
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
                notes = self.tracks[_HELD].notes
                for index in range(len(notes) - 1, max(-1, len(notes) - 9), -1):
                    if notes[index] is note:
                        notes[index] = (*note[:3], RETURNED)
                        break
                return True
        return False

    def clone(self) -> "_Lane":
        other = copy(self)
        other.late = self.late[:]
        other.tracks = {state: track.clone() for state, track in self.tracks.items()}
        return other

    def displace(self, at: float) -> None:
        """End a hold that goes on by what was told, but cannot."""
        self.late = [*self.late[-3:], (at, self.finish(at, UNKNOWN))]

    # -- what is asked -----------------------------------------------------------------------------------------

    def now(self) -> LaneNow:
        state = SlotState.IDLE
        if self.is_out:
            state = _RUNNING if self.running_since else self.state
        return LaneNow(self.number, self.pid, state, self.holder if self.is_out else "")

    def going_on(self, now: float) -> Iterator[Span]:
        """Yield what is not over: the hold, and what is done in it."""
        if not self.is_out:
            return
        who = self.holder, self.thread, self.out_pid
        now = max(now, self.since)
        yield Span(self.number, self.start, now, _HELD, *who, "leaked" if self.is_leaked else "", True)
        until = self.running_since or now
        if self.state is not _HELD and until > self.since:
            yield Span(self.number, self.since, until, self.state, *who, self.detail, not self.running_since)
        if self.running_since:
            yield Span(self.number, self.running_since, now, _RUNNING, *who, self.running_sql, True)

    def spans(self, start: float, end: float, now: float) -> list[Span]:
        """Return what reaches into the time from *start* to *end*, each hold before what was done in it."""
        found: list[Span] = []
        number = self.number
        held = self.tracks[_HELD]
        starts = held.starts
        for state, track in self.tracks.items():
            for place in track.places(start, end):
                first, last, note = track.starts[place], track.ends[place], track.notes[place]
                if state is _HELD:
                    found.append(Span(number, first, last, state, note[0], note[1], note[2], note[3], False))
                    continue
                if state is _OPENING:
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
    return span.start, span.state is not _HELD


_HEAD = ("what", "slot", "pid", "start", "end", "seconds", "ending", "holder", "thread", "count", "detail")
_WORDS = {_HELD: "hold"}
_Row = tuple[float, tuple[object, ...]]  # by which time it is sorted; what is written


class Timeline:
    """What happened in a pool, lane by lane. *most* is how many spans are kept one by one."""

    def __init__(self, most: int = MOST_SPANS) -> None:
        self._most = most
        self._lanes: dict[int, _Lane] = {}
        self._marks: list[Mark] = []
        self._waits: list[Wait] = []  # those that are over, in the order in which they ended
        self._ends: list[float] = []  # theirs
        self._longest_wait = 0.0
        self._waiting: list[_Waiting] = []
        self._has_doubts = False  # whether some of them were not heard of since a gap
        self._old_waits = Sums()
        self._gaps = Track()
        self._gap_end = 0.0  # of the last one
        self._clocks: list[tuple[float, float]] = []  # from when on, and what to add for the time of day
        self.missed = 0  # events that were dropped before they were read
        self.folded = 0  # events
        self.begin = 0.0  # the moment of the first thing known, 0: nothing is
        self.seen_until = 0.0  # up to here everything is known that was not missed

    # -- folding -----------------------------------------------------------------------------------------------

    def fold(
        self,
        events: Sequence[Event],
        missed: int = 0,
        *,
        until: float = 0.0,
        slots: Sequence[Slot] = (),
    ) -> None:
        """Take a batch of `EventRing.since()` in. *until* is when it was read, its last event's time if not given.

        *slots*, looked at when the batch was read, tell which holds go on across events that were *missed*.
        """
        if missed:
            self._bridge(missed, events[0].at if events else until, slots)
        if events:
            if not self.begin:
                self.begin = events[0].at - (events[0].took if events[0].kind is EventKind.OPENED else 0.0)
            self._fold(events)
            self.folded += len(events)
            self.seen_until = max(self.seen_until, events[-1].at)
        self.seen_until = max(self.seen_until, until)
        self._bound()

    def _fold(self, events: Iterable[Event]) -> None:
        lanes = self._lanes
        for event in events:
            kind = event.kind
            number = event.slot
            if not number:
                self._pool_wide(event)
                continue
            lane = lanes.get(number)
            if lane is None:
                lane = self._lane(number)
            if kind is _OUT:
                if lane.is_out and self._is_told_again(lane, event):
                    continue
                lane.begin(event.at, event.pid, event.holder, event.thread)
                if self._waiting and event.took > 0:
                    self._served(lane, event)
            elif kind is _IN:
                self._came_home(lane, event)
            elif kind in _LEFT:
                if (event.took or kind is not _LOST) and self._knows_of_it(lane, event):
                    lane.ran(event.at, event.took, event.detail, _LEFT[kind])
                if kind is _LOST:
                    self._lost(lane, event)
            elif kind is _BEGAN:
                if self._knows_of_it(lane, event):
                    lane.turn(event.at, _RUNNING)
                    lane.detail = event.detail
            elif kind is _SETTLED:
                if self._knows_of_it(lane, event) and lane.state is not _BROKEN:
                    lane.turn(event.at, _HELD)
            else:
                self._rare(lane, event)

    def _lane(self, number: int) -> _Lane:
        lane = self._lanes[number] = _Lane(number, self._gap_end)
        return lane

    def _is_told_again(self, lane: _Lane, event: Event) -> bool:
        """Whether this check-out is the one already seen in the slots. If not, what was out is ended."""
        again = (
            lane.from_look
            and (lane.out_pid, lane.thread, lane.holder) == (event.pid, event.thread, event.holder)
            and abs(event.at - lane.start) < _SAME
        )
        lane.from_look = False
        if not again:
            lane.displace(event.at)
        return again

    def _came_home(self, lane: _Lane, event: Event) -> None:
        if lane.late and lane.is_late(event.at, event.pid, event.holder, event.thread):
            return
        if not lane.is_out:
            if not lane.doubtful_since:
                return
            lane.begin(lane.doubtful_since, event.pid, event.holder, event.thread)  # it began in the gap
        elif lane.out_pid != event.pid:
            return  # of a connection that had this number before
        lane.finish(event.at, RETURNED)
        lane.home_at = event.at

    def _knows_of_it(self, lane: _Lane, event: Event) -> bool:
        """Whether *lane* has the hold to which *event* belongs; after a gap it may have begun unseen."""
        if lane.is_out:
            return lane.out_pid == event.pid
        if not lane.doubtful_since or not event.thread:
            return False
        lane.begin(lane.doubtful_since, event.pid, event.holder, event.thread)
        return True

    def _lost(self, lane: _Lane, event: Event) -> None:
        if lane.is_out and lane.out_pid == event.pid and lane.state is not _BROKEN:
            lane.turn(event.at, _BROKEN)
            lane.detail = ""
        if lane.lost_pid != event.pid or not event.pid:  # its cursor tells it, and later the pool
            self._mark(event, _LOST)
        lane.lost_pid = event.pid

    def _rare(self, lane: _Lane, event: Event) -> None:
        kind = event.kind
        if kind is EventKind.OPENED:
            if lane.is_out and lane.out_pid != event.pid:
                lane.displace(event.at)
            lane.pid, lane.home_at = event.pid, event.at
            track = lane.tracks[_OPENING]
            begun = max(event.at - event.took, track.ends[-1] if track.ends else self.begin)
            if event.took and begun < event.at:
                track.add(begun, event.at, ("", "", event.pid, ""))
            if lane.lost_pid >= 0:
                lane.lost_pid = -1
                self._mark(event, RECONNECTED)
        elif kind is EventKind.CLOSED:
            if lane.is_out and lane.out_pid == event.pid:
                lane.finish(event.at, UNKNOWN)
            if lane.pid == event.pid:
                lane.pid = 0
        else:
            if kind is EventKind.DROPPED and lane.is_out and lane.out_pid == event.pid:
                lane.finish(event.at, DROPPED)
                lane.pid = 0
            elif kind is EventKind.LEAKED and lane.is_out:
                lane.is_leaked = True
            self._mark(event, kind)

    def _pool_wide(self, event: Event) -> None:
        kind = event.kind
        if kind is EventKind.WAITING:
            if self._has_doubts:
                self._end_doubtful([each for each in self._waiting if each.thread == event.thread])
            self._waiting.append(_Waiting(event.at, event.holder, event.thread, self._free_row()))
            return
        if kind is EventKind.TIMED_OUT:
            start = event.at - event.took
            waiting = self._who_waits(event, start)
            row = waiting.row if waiting is not None else self._free_row()
            self._over(Wait(start, event.at, event.holder, event.thread, TIMED_OUT, 0, 0.0, row))
            return
        if kind is EventKind.POOL_CLOSED:
            for waiting in self._waiting:
                wait = Wait(waiting.start, event.at, waiting.holder, waiting.thread, CLOSED, 0, 0.0, waiting.row)
                self._over(wait)
            self._waiting.clear()
            if event.detail in STOCK_CLASSES:  # PgPool's are closed as they come home
                self._end_holds(event.at, CLOSED)
        self._mark(event, kind)

    def _end_holds(self, at: float, ending: str) -> None:
        for lane in self._lanes.values():
            if lane.is_out:
                lane.finish(at, ending)
            lane.pid, lane.lost_pid, lane.late = 0, -1, []

    # -- waiting -----------------------------------------------------------------------------------------------

    def _end_doubtful(self, waiting: Iterable[_Waiting]) -> None:
        """End those of *waiting* of whom nothing was heard since a gap where the gap begins."""
        for each in waiting:
            if each.doubtful_since:
                self._waiting.remove(each)
                end = max(each.start, each.doubtful_since)
                self._over(Wait(each.start, end, each.holder, each.thread, UNKNOWN, 0, 0.0, each.row))

    def _free_row(self) -> int:
        taken = {waiting.row for waiting in self._waiting}
        row = 0
        while row in taken:
            row += 1
        return row

    def _who_waits(self, event: Event, asked: float) -> _Waiting | None:
        """Take out of the queue whom *event* concerns: threads may share a name, the time of asking tells."""
        same = [waiting for waiting in self._waiting if waiting.thread == event.thread]
        same = [waiting for waiting in same if waiting.holder == event.holder] or same
        if not same:
            return None
        found = min(same, key=lambda waiting: abs(waiting.start - asked))
        self._waiting.remove(found)
        return found

    def _served(self, lane: _Lane, event: Event) -> None:
        waiting = self._who_waits(event, event.at - event.took)
        if waiting is None:
            return
        start = event.at - event.took
        home = lane.home_at if lane.home_at >= start else event.at
        self._over(
            Wait(start, event.at, event.holder, event.thread, SERVED, lane.number, min(home, event.at), waiting.row)
        )

    def _over(self, wait: Wait) -> None:
        self._waits.append(wait)
        # In order, though events of one moment may come in another order.
        self._ends.append(max(wait.end, self._ends[-1]) if self._ends else wait.end)
        self._longest_wait = max(self._longest_wait, wait.end - wait.start)

    # -- looking at the pool's records -------------------------------------------------------------------------

    def _bridge(self, missed: int, end: float, slots: Sequence[Slot]) -> None:
        """Get over events missing up to *end*: keep what *slots* say goes on, end the rest where it was seen last."""
        self.missed += missed
        begin = self.seen_until or end
        if not self.begin:
            self.begin = begin
        self._gap_end = end = max(end, begin)
        for waiting in self._waiting:
            waiting.doubtful_since = waiting.doubtful_since or begin
        self._has_doubts = bool(self._waiting)
        out = {slot.number: slot for slot in slots if slot.held_since}
        for number, slot in out.items():
            if number not in self._lanes:
                self._lane(number)
            self._lanes[number].pid = slot.pid
        for lane in self._lanes.values():
            slot = out.get(lane.number)
            if lane.is_out and slot is not None and _is_same(lane, slot):
                if slot.state_since > begin or slot.state is not lane.state:
                    lane.turn(begin, _HELD)  # what was done in the gap is not known
                    lane.since = max(lane.since, end)
                continue
            if lane.is_out:
                lane.displace(begin)
                lane.late = []
            if slot is not None and slot.held_since < end:
                lane.begin(slot.held_since, slot.pid, slot.holder, slot.thread)
                lane.from_look = True
                self.begin = min(self.begin, lane.start)
                if slot.state in _PARTS and lane.start <= slot.state_since < end:
                    lane.state, lane.since, lane.detail = slot.state, slot.state_since, slot.sql
            else:
                lane.doubtful_since = end
        self._gaps.add(begin, end, ("", "", missed, ""))
        self.seen_until = end  # the events after it need not be in the order of their times

    def look(self, slots: Sequence[Slot], waiters: Sequence[Waiter], at: float) -> None:
        """Take in what the pool's records said at the moment *at*: a PgPool tells of a statement when it ends."""
        for slot in slots:
            lane = self._lanes.get(slot.number)
            if lane is None:
                lane = self._lane(slot.number)
            if not lane.is_out:
                lane.pid = slot.pid or lane.pid
            elif slot.state is _RUNNING and lane.state is not _RUNNING and _is_same(lane, slot):
                lane.running_since = max(slot.state_since, lane.since) if slot.state_since >= lane.since else 0.0
                lane.running_sql = slot.sql[:200]
        if self._has_doubts:
            self._has_doubts = False
            asked = {(waiter.thread, waiter.holder): waiter.since for waiter in waiters}
            for waiting in self._waiting:
                if abs(asked.get((waiting.thread, waiting.holder), -1.0) - waiting.start) < _SAME:
                    waiting.doubtful_since = 0.0
            self._end_doubtful(list(self._waiting))
        queue = [(waiter.thread, waiter.holder) for waiter in waiters]
        for waiting in list(self._waiting):
            who = (waiting.thread, waiting.holder)
            if who in queue:
                queue.remove(who)
                waiting.missing_since = 0.0
            elif not waiting.missing_since:
                waiting.missing_since = at
            elif at - waiting.missing_since > _GONE:  # served in a gap, or its connecting failed
                self._waiting.remove(waiting)
                end = max(waiting.start, waiting.missing_since)
                self._over(Wait(waiting.start, end, waiting.holder, waiting.thread, GAVE_UP, 0, 0.0, waiting.row))
        if queue and self.missed:
            known = {(waiting.thread, waiting.holder) for waiting in self._waiting}
            for waiter in waiters:
                if (waiter.thread, waiter.holder) not in known and waiter.since < at - _GONE:
                    known.add((waiter.thread, waiter.holder))
                    row = self._free_row()
                    self._waiting.append(_Waiting(waiter.since, waiter.holder, waiter.thread, row))

    def another_pool(self, at: float, kind: str) -> None:
        """Another pool, of class *kind*, takes the place of the one folded so far."""
        for waiting in self._waiting:
            self._over(Wait(waiting.start, at, waiting.holder, waiting.thread, CLOSED, 0, 0.0, waiting.row))
        self._waiting.clear()
        self._end_holds(at, CLOSED)
        for lane in self._lanes.values():
            lane.doubtful_since = 0.0
        self._gap_end = 0.0
        self.seen_until = max(self.seen_until, at)
        self._add_mark(Mark(at, at, POOL_REPLACED, 0, 0, "", "", kind, 0.0, 1))

    def set_clock(self, monotonic: float, of_day: float) -> None:
        """Say what time of day it is, in seconds since 1970; after a suspend the two clocks go apart."""
        ahead = of_day - monotonic
        if not self._clocks or abs(self._clocks[-1][1] - ahead) > 0.5:
            self._clocks.append((monotonic, ahead))
            del self._clocks[:-100]

    # -- marks -------------------------------------------------------------------------------------------------

    def _mark(self, event: Event, kind: str) -> None:
        mark = Mark(
            event.at,
            event.at,
            str(kind),
            event.slot,
            event.pid,
            event.holder,
            event.thread,
            event.detail,
            event.took,
            1,
        )
        last = self._marks[-1] if self._marks else None
        if (
            last is not None
            and last[2:7] == mark[2:7]
            and last.until <= mark.at < last.until + _STORM
            and kind in {EventKind.EXHAUSTED, EventKind.REFUSED}
        ):
            self._marks[-1] = last._replace(until=mark.at, times=last.times + 1)
        else:
            self._add_mark(mark)

    def _add_mark(self, mark: Mark) -> None:
        if self._marks and mark.at < self._marks[-1].at:
            mark = mark._replace(at=self._marks[-1].at, until=max(mark.until, self._marks[-1].at))
        self._marks.append(mark)

    def _thin_marks(self) -> None:
        """Make equal marks of one stretch of time one, in the older half."""
        half = len(self._marks) // 2
        older, newer = self._marks[:half], self._marks[half:]
        length = max(_STORM, (older[-1].at - older[0].at) / 64)

        def stretch(mark: Mark) -> tuple[str, int]:
            return mark.kind, int(mark.at // length)

        thinned: list[Mark] = []
        for _, same in groupby(sorted(older, key=stretch), stretch):
            each = list(same)
            first = each[0]
            alike = all(mark.lane == first.lane for mark in each)
            thinned.append(
                first._replace(
                    until=max(mark.until for mark in each),
                    times=sum(mark.times for mark in each),
                    lane=first.lane if alike else 0,
                    pid=first.pid if alike else 0,
                )
            )
        self._marks = sorted(thinned, key=lambda mark: mark.at) + newer

    # -- memory ------------------------------------------------------------------------------------------------

    @property
    def span_count(self) -> int:
        """How many spans are kept one by one."""
        return sum(len(track.starts) for lane in self._lanes.values() for track in lane.tracks.values())

    def _bound(self) -> None:
        count = self.span_count
        while count > self._most:
            # The fullest gives up its older half: a quiet lane keeps its few spans for hours beside a busy one.
            track = max(
                (track for lane in self._lanes.values() for track in lane.tracks.values()),
                key=lambda track: len(track.starts),
            )
            given_up = (len(track.starts) + 1) // 2
            track.forget(given_up)
            count -= given_up
        if len(self._waits) > _MOST_WAITS:
            half = len(self._waits) // 2
            for wait in self._waits[:half]:
                self._old_waits.add(wait.start, wait.end)
            del self._waits[:half], self._ends[:half]
        if len(self._marks) > _MOST_MARKS:
            self._thin_marks()
        if len(self._gaps.starts) > _MOST_MARKS:
            self._gaps.forget(_MOST_MARKS // 2)

    # -- what is asked -----------------------------------------------------------------------------------------

    def lanes(self) -> list[LaneNow]:
        """Return every lane, by number."""
        return [self._lanes[number].now() for number in sorted(self._lanes)]

    def spans(self, lane: int, start: float, end: float, now: float | None = None) -> list[Span]:
        """Return the spans of *lane* that reach into the time from *start* to *end*, in order."""
        return self._lanes[lane].spans(start, end, self.seen_until if now is None else now)

    def count(self, lane: int, start: float, end: float) -> int:
        """Return how many spans spans() would return."""
        tracks = self._lanes[lane].tracks.values()
        return sum(max(0, len(track.places(start, end))) for track in tracks)

    def kept_since(self, lane: int) -> float:
        """Return the moment after which every span of *lane* is kept one by one."""
        tracks = self._lanes[lane].tracks.values()
        forgotten = [track for track in tracks if not track.old.is_empty]
        if not forgotten:
            return self.begin
        return max(track.starts[0] if track.starts else self.seen_until for track in forgotten)

    def settled(self, lane: int) -> float:
        """Return the moment before which nothing changes any more in *lane*."""
        mine = self._lanes[lane]
        settled = self.seen_until - _LATE
        return min(settled, mine.since) if mine.is_out else settled

    def shares(self, lane: int, start: float, width: float, count: int, now: float | None = None) -> Shares:
        """Return the seconds held, running and in transaction in each of *count* columns of *width* seconds."""
        mine = self._lanes[lane]
        columns = {state: [0.0] * count for state in (_HELD, *_PARTS[:3])}
        columns[_BROKEN] = columns[_FAILED]
        for state, into in columns.items():
            mine.tracks[state].spread(into, start, width)
        for span in mine.going_on(self.seen_until if now is None else now):
            _pour(columns[span.state], start, width, span.start, span.end, 1.0)
        return Shares(columns[_HELD], columns[_RUNNING], columns[_IN_TRANSACTION], columns[_FAILED])

    def missing(self, start: float, width: float, count: int) -> list[float]:
        """Return the seconds in each column of which events were missed."""
        columns = [0.0] * count
        self._gaps.spread(columns, start, width)
        return columns

    def gaps(self, start: float, end: float) -> list[tuple[float, float, int]]:
        """Return (start, end, how many) of each gap, up to where gaps are kept one by one."""
        gaps = self._gaps
        return [(gaps.starts[place], gaps.ends[place], gaps.notes[place][2]) for place in gaps.places(start, end)]

    def marks(self, start: float, end: float) -> list[Mark]:
        """Return the marks from *start* to *end*, in order."""
        marks = self._marks
        return marks[bisect_left(marks, start, key=_at) : bisect_right(marks, end, key=_at)]

    def waits(self, start: float, end: float, now: float | None = None) -> list[Wait]:
        """Return who waited between *start* and *end*; those who still wait come last."""
        now = self.seen_until if now is None else now
        found: list[Wait] = []
        for place in range(bisect_left(self._ends, start), len(self._waits)):
            wait = self._waits[place]
            if wait.start <= end:
                found.append(wait)
            elif wait.end - self._longest_wait > end:
                break
        for waiting in self._waiting:
            if waiting.start <= end and now >= start:
                until = max(now, waiting.start)
                found.append(Wait(waiting.start, until, waiting.holder, waiting.thread, "", 0, 0.0, waiting.row))
        return found

    def wait_count(self, start: float, end: float) -> int:
        """Return a bound of how many waits() would return."""
        return len(self._waits) - bisect_left(self._ends, start) + len(self._waiting) if end >= start else 0

    def waited(self, start: float, width: float, count: int, now: float | None = None) -> list[float]:
        """Return the seconds waited in each column, by all who waited: divided by *width* how many did, on average."""
        columns = [0.0] * count
        self._old_waits.spread(columns, start, width)
        first, scale = bisect_left(self._ends, start), 1 / width
        for wait in self._waits[first:] if first else self._waits:
            begin, until = wait[0], wait[1]
            left = (begin - start) * scale
            if 0.0 <= left < count and until - begin < width and (column := int(left)) == int((until - start) * scale):
                columns[column] += until - begin
            else:
                _pour(columns, start, width, begin, until, 1.0)
        now = self.seen_until if now is None else now
        for waiting in self._waiting:
            _pour(columns, start, width, waiting.start, max(now, waiting.start), 1.0)
        return columns

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    @property
    def has_waits(self) -> bool:
        """Whether anybody ever waited."""
        return bool(self._waiting or self._waits or not self._old_waits.is_empty)

    def seconds(self, state: SlotState, lane: int | None = None) -> float:
        """Return for how long connections were held (CHECKED_OUT), RUNNING, … in all that is over."""
        lanes = self._lanes.values() if lane is None else [self._lanes[lane]]
        return sum(each.tracks[state].total for each in lanes)

    def kept_seconds(self, state: SlotState) -> float:
        """Return the same by adding up what is kept: the sums of the old and the spans of the new."""
        total = 0.0
        for lane in self._lanes.values():
            track = lane.tracks[state]
            total += track.old.total + sum(end - start for start, end in zip(track.starts, track.ends, strict=True))
        return total

    def wall(self, at: float) -> float:
        """Return the time of day of the moment *at*, in seconds since 1970."""
        if not self._clocks:
            return at
        place = bisect_right(self._clocks, at, key=lambda clock: clock[0]) - 1
        return at + self._clocks[max(0, place)][1]

    # -- written down ------------------------------------------------------------------------------------------

    def clone(self) -> "Timeline":
        """Return a copy that another thread may ask and write down: a fraction of a millisecond."""
        other = Timeline(self._most)
        other.__dict__.update(self.__dict__)
        other._lanes = {number: lane.clone() for number, lane in self._lanes.items()}
        other._marks, other._waits, other._ends = self._marks[:], self._waits[:], self._ends[:]
        other._waiting = [copy(waiting) for waiting in self._waiting]
        other._old_waits, other._gaps = self._old_waits.clone(), self._gaps.clone()
        other._clocks = self._clocks[:]
        return other

    def csv(self, file: TextIO, start: float, end: float, now: float | None = None) -> int:
        """Write a row for each span, wait, mark, gap and sum from *start* to *end*, by beginning; return how many."""
        now = self.seen_until if now is None else now
        rows = sorted(self._rows(start, end, now), key=_first)
        writer = csv.writer(file)
        writer.writerow(_HEAD)
        writer.writerows(row for _, row in rows)
        return len(rows)

    def _rows(self, start: float, end: float, now: float) -> Iterator[_Row]:
        for lane in self._lanes.values():
            yield from (self._of_span(span) for span in lane.spans(start, end, now))
            for state, track in lane.tracks.items():
                yield from self._of_sums(track.old, lane.number, _WORDS.get(state, str(state)), start, end)
        yield from (self._of_wait(wait) for wait in self.waits(start, end, now))
        yield from self._of_sums(self._old_waits, 0, "wait", start, end)
        yield from (self._of_mark(mark) for mark in self.marks(start, end))
        for begin, until, count in self.gaps(start, end):
            times = self._iso(begin), self._iso(until), f"{until - begin:.9f}"
            yield begin, ("missed events", "", "", *times, "", "", "", count, "")
        yield from self._of_sums(self._gaps.old, 0, "missed events", start, end)

    def _of_sums(self, sums: Sums, lane: int, what: str, start: float, end: float) -> Iterator[_Row]:
        for begin, until, seconds in sums.between(start, end):
            times = self._iso(begin), self._iso(until), f"{seconds:.9f}"
            yield begin, (what, lane or "", "", *times, "sum", "", "", "", "no longer kept one by one")

    def _of_span(self, span: Span) -> _Row:
        ending, detail = ("open" if span.is_open else "", span.detail)
        if span.state is _HELD and not span.is_open:
            ending, detail = span.detail, ""
        end = "" if span.is_open else self._iso(span.end)
        times = self._iso(span.start), end, f"{span.end - span.start:.9f}"
        what = _WORDS.get(span.state, str(span.state))
        who = _safe(span.holder), _safe(span.thread)
        return span.start, (what, span.lane, span.pid or "", *times, ending, *who, "", _safe(detail))

    def _of_wait(self, wait: Wait) -> _Row:
        end = self._iso(wait.end) if wait.ending else ""
        times = self._iso(wait.start), end, f"{wait.end - wait.start:.9f}"
        who = _safe(wait.holder), _safe(wait.thread)
        detail = f"its connection came at {self._iso(wait.served_at)}" if wait.lane else ""
        return wait.start, ("wait", wait.lane or "", "", *times, wait.ending or "open", *who, "", detail)

    def _of_mark(self, mark: Mark) -> _Row:
        end = self._iso(mark.until) if mark.times > 1 else ""
        times = self._iso(mark.at), end, f"{mark.took:.9f}" if mark.took else ""
        who = _safe(mark.holder), _safe(mark.thread)
        return mark.at, (mark.kind, mark.lane or "", mark.pid or "", *times, "", *who, mark.times, _safe(mark.detail))

    def _iso(self, at: float) -> str:
        return datetime.fromtimestamp(self.wall(at), UTC).astimezone().isoformat(timespec="microseconds")


def _first(row: _Row) -> float:
    return row[0]


def _at(mark: Mark) -> float:
    return mark.at


def _is_same(lane: _Lane, slot: Slot) -> bool:
    """Whether the hold of *lane* is the one that *slot* has: its event comes a little after the moment itself."""
    return (
        -1e-6 <= lane.start - slot.held_since < _SAME
        and lane.thread == slot.thread
        and lane.holder == slot.holder
        and lane.out_pid == slot.pid
    )


def _safe(text: str) -> str:
    """Return *text* so that no spreadsheet takes it for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


@dataclass(frozen=True, slots=True)
class Batch:
    """What one reading of a pool found."""

    events: list[Event]
    missed: int  # events before them that nobody will read any more
    at: float  # when it was read
    slots: tuple[Slot, ...] = ()
    waiters: tuple[Waiter, ...] = ()
    has_looked: bool = False  # at slots and waiters

    def slices(self, most: int) -> "Iterator[Batch]":
        """Yield the same in batches of *most* events, to be folded one after the other."""
        for first in range(0, max(1, len(self.events)), most):
            events, missed = self.events[first : first + most], self.missed if not first else 0
            is_last = first + most >= len(self.events)
            at = self.at if is_last else events[-1].at
            yield Batch(events, missed, at, self.slots, self.waiters, has_looked=self.has_looked and is_last)


class Reader:
    """Reads what happens in one pool. Nothing here asks a connection."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._sequence = 0
        self._looked_at = float("-inf")

    @property
    def behind(self) -> int:
        """How many events were written since the last reading."""
        return self.pool.events.last - self._sequence

    def read(self, most: int | None = None) -> Batch:
        """Return what is new, its newest *most* events; what is before them counts as missed. For any one thread."""
        ring, sequence, skipped = self.pool.events, self._sequence, 0
        at = time.monotonic()
        if most is not None and (surplus := ring.last - sequence - most) > 0:
            sequence, skipped = sequence + surplus, surplus
        events, missed = ring.since(sequence)
        missed += skipped
        self._sequence = events[-1].sequence if events else sequence + missed
        if not missed and at - self._looked_at < _LOOK:
            return Batch(events, missed, at)
        self._looked_at = at
        return Batch(events, missed, at, self.pool.slots(), self.pool.waiters(), has_looked=True)


def take(timeline: Timeline, batch: Batch) -> None:
    """Fold what a reader found into *timeline*."""
    timeline.set_clock(batch.at, time.time() - (time.monotonic() - batch.at))
    timeline.fold(batch.events, batch.missed, until=batch.at, slots=batch.slots)
    if batch.has_looked:
        timeline.look(batch.slots, batch.waiters, batch.at)
