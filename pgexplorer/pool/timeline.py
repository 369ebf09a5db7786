"""A pool's events folded into lanes: who held which connection when, who waited, what went wrong.

The newest spans are kept one by one; older ones are summed up by stretches of time that widen with age, so that a day
fits into constant memory and its overview stays true. No lock: one thread reads, folds and asks.
"""

import csv
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from datetime import UTC, datetime
from itertools import groupby
from typing import TextIO

from pgexplorer.pool.events import Event, EventKind
from pgexplorer.pool.lane import (
    BROKEN,
    CLOSED,
    DROPPED,
    FAILED,
    GAVE_UP,
    HELD,
    IN_TRANSACTION,
    OPENING,
    PARTS,
    RETURNED,
    RUNNING,
    SERVED,
    TIMED_OUT,
    UNKNOWN,
    Asked,
    Lane,
    LaneNow,
    Mark,
    Shares,
    Span,
    Wait,
)
from pgexplorer.pool.slot import Slot, SlotState, Waiter
from pgexplorer.pool.stock import STOCK_CLASSES
from pgexplorer.pool.track import Sums, Track, pour

MOST_SPANS = 20_000  # kept one by one, in all lanes together
_MOST_MARKS = 2_000
_MOST_WAITS = 2_000
_SAME = 0.25  # seconds by which a check-out's event may come after the moment that the slot names
_LATE = 0.25  # seconds after which no event with an earlier time is expected
_GONE = 1.0  # seconds after which somebody who is not in the queue has stopped waiting
_STORM = 0.001  # seconds within which equal marks are one

RECONNECTED, POOL_REPLACED = "reconnected", "pool replaced"  # marks that are no event of their own

_LEFT = {
    EventKind.DONE: HELD,
    EventKind.DONE_IN_TRANSACTION: IN_TRANSACTION,
    EventKind.DONE_FAILED: FAILED,
    EventKind.LOST: BROKEN,
}
_OUT, _IN, _BEGAN, _SETTLED, _LOST = (
    EventKind.CHECKED_OUT,
    EventKind.CHECKED_IN,
    EventKind.RUNNING,
    EventKind.SETTLED,
    EventKind.LOST,
)


_HEAD = ("what", "slot", "pid", "start", "end", "seconds", "ending", "holder", "thread", "count", "detail")
_WORDS = {HELD: "hold"}
_Row = tuple[float, tuple[object, ...]]  # by which time it is sorted; what is written


class Timeline:
    """What happened in a pool, lane by lane. *most* is how many spans are kept one by one."""

    def __init__(self, most: int = MOST_SPANS) -> None:
        self._most = most
        self._lanes: dict[int, Lane] = {}
        self._marks: list[Mark] = []
        self._waits: list[Wait] = []  # those that are over, in the order in which they ended
        self._ends: list[float] = []  # theirs
        self._longest_wait = 0.0
        self._waiting: list[Asked] = []
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
                    lane.turn(event.at, RUNNING)
                    lane.detail = event.detail
            elif kind is _SETTLED:
                if self._knows_of_it(lane, event) and lane.state is not BROKEN:
                    lane.turn(event.at, HELD)
            else:
                self._rare(lane, event)

    def _lane(self, number: int) -> Lane:
        lane = self._lanes[number] = Lane(number, self._gap_end)
        return lane

    def _is_told_again(self, lane: Lane, event: Event) -> bool:
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

    def _came_home(self, lane: Lane, event: Event) -> None:
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

    def _knows_of_it(self, lane: Lane, event: Event) -> bool:
        """Whether *lane* has the hold to which *event* belongs; after a gap it may have begun unseen."""
        if lane.is_out:
            return lane.out_pid == event.pid
        if not lane.doubtful_since or not event.thread:
            return False
        lane.begin(lane.doubtful_since, event.pid, event.holder, event.thread)
        return True

    def _lost(self, lane: Lane, event: Event) -> None:
        if lane.is_out and lane.out_pid == event.pid and lane.state is not BROKEN:
            lane.turn(event.at, BROKEN)
            lane.detail = ""
        if lane.lost_pid != event.pid or not event.pid:  # its cursor tells it, and later the pool
            self._mark(event, _LOST)
        lane.lost_pid = event.pid

    def _rare(self, lane: Lane, event: Event) -> None:
        kind = event.kind
        if kind is EventKind.OPENED:
            if lane.is_out and lane.out_pid != event.pid:
                lane.displace(event.at)
            lane.pid, lane.home_at = event.pid, event.at
            track = lane.tracks[OPENING]
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
            self._waiting.append(Asked(event.at, event.holder, event.thread, self._free_row()))
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

    def _end_doubtful(self, waiting: Iterable[Asked]) -> None:
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

    def _who_waits(self, event: Event, asked: float) -> Asked | None:
        """Take out of the queue whom *event* concerns: threads may share a name, the time of asking tells."""
        same = [waiting for waiting in self._waiting if waiting.thread == event.thread]
        same = [waiting for waiting in same if waiting.holder == event.holder] or same
        if not same:
            return None
        found = min(same, key=lambda waiting: abs(waiting.start - asked))
        self._waiting.remove(found)
        return found

    def _served(self, lane: Lane, event: Event) -> None:
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
                    lane.turn(begin, HELD)  # what was done in the gap is not known
                    lane.since = max(lane.since, end)
                continue
            if lane.is_out:
                lane.displace(begin)
                lane.late = []
            if slot is not None and slot.held_since < end:
                lane.begin(slot.held_since, slot.pid, slot.holder, slot.thread)
                lane.from_look = True
                self.begin = min(self.begin, lane.start)
                if slot.state in PARTS and lane.start <= slot.state_since < end:
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
            elif slot.state is RUNNING and lane.state is not RUNNING and _is_same(lane, slot):
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
                    self._waiting.append(Asked(waiter.since, waiter.holder, waiter.thread, row))

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
        columns = {state: [0.0] * count for state in (HELD, *PARTS[:3])}
        columns[BROKEN] = columns[FAILED]
        for state, into in columns.items():
            mine.tracks[state].spread(into, start, width)
        for span in mine.going_on(self.seen_until if now is None else now):
            pour(columns[span.state], start, width, span.start, span.end, 1.0)
        return Shares(columns[HELD], columns[RUNNING], columns[IN_TRANSACTION], columns[FAILED])

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
                pour(columns, start, width, begin, until, 1.0)
        now = self.seen_until if now is None else now
        for waiting in self._waiting:
            pour(columns, start, width, waiting.start, max(now, waiting.start), 1.0)
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
        if span.state is HELD and not span.is_open:
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


def _is_same(lane: Lane, slot: Slot) -> bool:
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
