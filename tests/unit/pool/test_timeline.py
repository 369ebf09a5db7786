"""Events folded into lanes: nothing is gained or lost, whatever comes, and memory stays the same."""

import csv
import io
import tracemalloc
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgexplorer.pool.events import Event, EventKind, EventRing
from pgexplorer.pool.lane import CLOSED, DROPPED, GAVE_UP, RETURNED, SERVED, TIMED_OUT, UNKNOWN
from pgexplorer.pool.slot import Slot, SlotState, Waiter
from pgexplorer.pool.timeline import POOL_REPLACED, RECONNECTED, Timeline
from pgexplorer.pool.timeline_reader import Reader, take
from pgexplorer.pool.track import Sums, Track

HELD, RUNNING = SlotState.CHECKED_OUT, SlotState.RUNNING
IN_TRANSACTION, FAILED = SlotState.IN_TRANSACTION, SlotState.FAILED_TRANSACTION
TICK = 1 / 1024  # seconds: sums of these are exact
_LEAVES = {
    EventKind.DONE: None,
    EventKind.DONE_IN_TRANSACTION: IN_TRANSACTION,
    EventKind.DONE_FAILED: FAILED,
}


def at_most(steps):
    return st.integers(1, steps)


@dataclass
class Connection:
    """What truly happens on one slot."""

    number: int
    out_at: int | None = None
    state: SlotState | None = None  # of the open transaction
    since: int = 0
    holds: list[tuple[int, int]] = field(default_factory=list)


class World:
    """A pool without a pool: it writes the events that PgPool or psycopg2's pools would, and adds up the truth."""

    def __init__(self, lanes, stock):
        self.slots = [Connection(number) for number in range(1, lanes + 1)]
        self.is_stock = stock
        self.now = 1024  # ticks
        self.events = []
        self.queue = []  # (when asked, thread)
        self.truth = dict.fromkeys((HELD, RUNNING, IN_TRANSACTION, FAILED, "waits"), 0)
        self.served = 0

    def write(self, kind, slot=None, took=0, **more):
        number = slot.number if slot else 0
        event = Event(len(self.events) + 1, self.now * TICK, kind, number, 4000 + number, took=took * TICK, **more)
        self.events.append(event)

    def do(self, step):
        """Do one step: which slot, what, and how many ticks it takes."""
        place, what, ticks = step
        slot = self.slots[place % len(self.slots)]
        self.now += ticks
        if slot.out_at is None:
            self.lend(slot, self.now, 0, f"thread {slot.number}")
        elif what == "wait" and not self.is_stock:
            self.queue.append((self.now, f"waiter {len(self.events)}"))
            self.write(EventKind.WAITING, thread=self.queue[-1][1], holder="w")
        elif what in _LEAVES:
            self.run(slot, what, ticks)
        elif what == "settle" and slot.state is not None:
            self.leave(slot)
            self.write(EventKind.SETTLED, slot, thread=f"thread {slot.number}")
        elif what == "return":
            self.bring_home(slot)

    def lend(self, slot, asked, took, thread):
        slot.out_at, slot.state = self.now, None
        self.write(EventKind.CHECKED_OUT, slot, took, thread=thread, holder="h")

    def run(self, slot, kind, ticks):
        self.leave(slot)
        if self.is_stock:
            self.write(EventKind.RUNNING, slot, detail="select 1", thread=f"thread {slot.number}")
        self.now += ticks
        self.truth[RUNNING] += ticks
        self.write(kind, slot, ticks, detail="select 1", thread=f"thread {slot.number}")
        slot.state, slot.since = _LEAVES[kind], self.now

    def leave(self, slot):
        if slot.state is not None:
            self.truth[slot.state] += self.now - slot.since
            slot.state = None

    def bring_home(self, slot):
        self.leave(slot)
        self.truth[HELD] += self.now - slot.out_at
        slot.holds.append((slot.out_at, self.now))
        slot.out_at = None
        self.write(EventKind.CHECKED_IN, slot, thread=f"thread {slot.number}", holder="h")
        if self.queue:
            asked, thread = self.queue.pop(0)
            self.truth["waits"] += self.now - asked
            self.served += 1
            self.lend(slot, asked, self.now - asked, thread)

    def end(self):
        """Let everybody bring home what they have."""
        while out := [slot for slot in self.slots if slot.out_at is not None]:
            self.now += 1
            self.bring_home(out[0])


STEPS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([*_LEAVES, "settle", "return", "wait"]), at_most(2000)),
    max_size=80,
)


@given(
    steps=STEPS,
    lanes=at_most(4),
    stock=st.booleans(),
    batch=at_most(30),
    most=st.sampled_from([4, 16, 20_000]),
)
@settings(deadline=None)
def test_that_its_spans_equal_the_events_arithmetic(steps, lanes, stock, batch, most):
    world = World(lanes, stock)
    for step in steps:
        world.do(step)
    world.end()
    timeline = Timeline(most)
    for first in range(0, len(world.events), batch):
        timeline.fold(world.events[first : first + batch])
    for state in (HELD, RUNNING, IN_TRANSACTION, FAILED):
        truth = world.truth[state] * TICK
        assert timeline.seconds(state) == truth
        assert timeline.kept_seconds(state) == pytest.approx(truth, abs=1e-9)
    waits = timeline.waits(0, float("inf"))
    assert sum(wait.end - wait.start for wait in waits) == world.truth["waits"] * TICK
    assert [wait.ending for wait in waits] == [SERVED] * world.served
    if timeline.folded:
        # Beyond both ends: what is summed up is known to a stretch, a 32nd of a second or an eighth of its length.
        margin = (world.now * TICK - timeline.begin) * 0.5 + 1.0
        width = (world.now * TICK - timeline.begin + 2 * margin) / 53
        shares = [timeline.shares(lane.number, timeline.begin - margin, width, 53) for lane in timeline.lanes()]
        assert sum(sum(share.held) for share in shares) == pytest.approx(world.truth[HELD] * TICK)
        assert sum(sum(share.running) for share in shares) == pytest.approx(world.truth[RUNNING] * TICK)


@given(
    steps=STEPS,
    lanes=at_most(4),
    stock=st.booleans(),
    batches=st.lists(st.tuples(at_most(20), st.integers(0, 15)), min_size=1),
    looks=st.booleans(),
)
@settings(deadline=None)
def test_that_missed_events_make_it_say_less_and_never_wrong(steps, lanes, stock, batches, looks):
    world = World(lanes, stock)
    ledger = []  # what is out after each event
    for step in steps:
        world.do(step)
        ledger += [out_now(world)] * (len(world.events) - len(ledger))
    world.end()
    events = world.events
    timeline = Timeline()
    first, place, missed_in_all = 0, 0, 0
    while first < len(events):
        seen, missed = batches[place % len(batches)]
        place += 1
        missed = min(missed, len(events) - first - 1)
        batch = events[first + missed : first + missed + seen]
        last = first + missed + len(batch) - 1
        slots = ledger[last] if looks and last < len(ledger) and is_quiet(events, last) else ()
        timeline.fold(batch, missed, slots=slots)
        missed_in_all += missed
        first = last + 1
    assert timeline.missed == missed_in_all
    for state in (HELD, RUNNING, IN_TRANSACTION, FAILED):
        assert timeline.seconds(state) <= world.truth[state] * TICK + 1e-9
    for lane in timeline.lanes():
        true = world.slots[lane.number - 1].holds
        before = 0.0
        for span in timeline.spans(lane.number, 0, float("inf")):
            assert any(out * TICK <= span.start <= span.end <= home * TICK for out, home in true), span
            if span.state is HELD:
                assert span.start >= before
                before = span.end


def out_now(world):
    """Return the slots as the pool would show them."""
    return tuple(
        Slot(
            slot.number,
            slot.state or HELD,
            4000 + slot.number,
            "h",
            thread=next(e.thread for e in reversed(world.events) if e.kind == "checked out" and e.slot == slot.number),
            held_since=slot.out_at * TICK,
            state_since=(slot.since if slot.state else slot.out_at) * TICK,
        )
        for slot in world.slots
        if slot.out_at is not None
    )


def is_quiet(events, last):
    """Whether nothing else happened in the step of the event at *last*: the ledger knows the end of each step."""
    return last + 1 == len(events) or events[last + 1].at > events[last].at


# -- single facts -----------------------------------------------------------------------------------------------


class Story:
    """Events told one by one, with the time in seconds."""

    def __init__(self, **options):
        self.timeline = Timeline(**options)
        self.sequence = 0

    def tell(self, at, kind, slot=0, *, missed=0, slots=(), **more):
        self.sequence += missed + 1
        more.setdefault("pid", 4710 + slot if slot else 0)
        more.setdefault("thread", "T")
        self.timeline.fold([Event(self.sequence, at, EventKind(kind), slot, **more)], missed, slots=slots)

    def spans(self, lane=1, now=None):
        found = self.timeline.spans(lane, 0, 1e9, now)
        return [(str(span.state), span.start, span.end, span.detail) for span in found]

    def marks(self):
        return [(mark.kind, mark.at, mark.lane) for mark in self.timeline.marks(0, 1e9)]


@pytest.fixture
def story():
    return Story()


def test_that_a_hold_tells_who_where_and_what_was_done(story):
    story.tell(1.0, "checked out", 1, holder="browse person", thread="GUI")
    story.tell(3.0, "done, transaction open", 1, detail="select 1", took=1.5)
    story.tell(4.0, "done, transaction failed", 1, detail="select 1/0", took=0.5)
    story.tell(6.0, "transaction ended", 1)
    story.tell(8.0, "checked in", 1, holder="browse person", thread="GUI")
    assert story.spans() == [
        ("checked out", 1.0, 8.0, RETURNED),
        ("running", 1.5, 3.0, "select 1"),
        ("idle in transaction", 3.0, 3.5, "select 1"),
        ("running", 3.5, 4.0, "select 1/0"),
        ("idle in failed transaction", 4.0, 6.0, "select 1/0"),
    ]
    assert {(span.holder, span.thread, span.pid) for span in story.timeline.spans(1, 0, 9)} == {
        ("browse person", "GUI", 4711)
    }


def test_that_what_goes_on_reaches_to_now(story):
    story.tell(1.0, "checked out", 1)
    story.tell(2.0, "running", 1, detail="select pg_sleep(9)")
    assert story.spans(now=5.0) == [
        ("checked out", 1.0, 5.0, ""),
        ("running", 2.0, 5.0, "select pg_sleep(9)"),
    ]
    assert story.timeline.lanes() == [(1, 4711, RUNNING, "")]
    shares = story.timeline.shares(1, 0.0, 1.0, 6, now=5.0)
    assert shares.held == [0, 1, 1, 1, 1, 0]
    assert shares.running == [0, 0, 1, 1, 1, 0]


def test_that_a_running_statement_ends_where_its_duration_says(story):
    story.tell(1.0, "checked out", 1)
    story.tell(1.5, "done, transaction open", 1, detail="begin", took=0.25)
    story.tell(3.000004, "running", 1, detail="select 1")  # told a little late
    story.tell(4.0, "done", 1, detail="select 1", took=1.0)
    assert story.spans()[2:] == [("idle in transaction", 1.5, 3.0, "begin"), ("running", 3.0, 4.0, "select 1")]


def test_that_a_slot_tells_what_runs_before_its_event_comes(story):
    story.tell(1.0, "checked out", 1, holder="h")
    story.tell(1.5, "done, transaction open", 1, detail="begin", took=0.25)
    slot = Slot(1, RUNNING, 4711, "h", "T", held_since=1.0, state_since=2.0, sql="select pg_sleep(9)")
    story.timeline.look([slot], [], 4.0)
    assert story.spans(now=4.0)[2:] == [
        ("idle in transaction", 1.5, 2.0, "begin"),
        ("running", 2.0, 4.0, "select pg_sleep(9)"),
    ]
    story.tell(5.0, "done, transaction open", 1, detail="select pg_sleep(9)", took=3.0)
    assert story.spans(now=6.0)[2:] == [
        ("idle in transaction", 1.5, 2.0, "begin"),
        ("running", 2.0, 5.0, "select pg_sleep(9)"),
        ("idle in transaction", 5.0, 6.0, "select pg_sleep(9)"),
    ]
    story.timeline.look([slot], [], 6.0)  # a slot of before says nothing about what came after
    assert len(story.spans(now=6.0)) == 5


def test_that_a_second_check_out_ends_the_first_with_an_unknown_end(story):
    story.tell(1.0, "checked out", 1, thread="A")
    story.tell(3.0, "checked out", 1, thread="B")
    story.tell(4.0, "checked in", 1, thread="B")
    assert story.spans() == [("checked out", 1.0, 3.0, UNKNOWN), ("checked out", 3.0, 4.0, RETURNED)]


@pytest.mark.parametrize("before", [True, False])
def test_that_a_check_in_told_late_belongs_to_the_hold_before(story, before):
    """psycopg2's pools are observed after their calls: somebody else may be quicker to tell that he has it."""
    story.tell(1.0, "checked out", 1, thread="A", holder="a")
    story.tell(3.0, "checked out", 1, thread="B", holder="b")
    order = [(3.0001, "A", ""), (4.0, "B", "b")] if before else [(3.5, "B", "b"), (3.6, "A", "")]
    for at, thread, holder in order:
        story.tell(at, "checked in", 1, thread=thread, holder=holder)
    end = 4.0 if before else 3.5
    assert story.spans() == [("checked out", 1.0, 3.0, RETURNED), ("checked out", 3.0, end, RETURNED)]
    assert story.timeline.lanes()[0].state is SlotState.IDLE


def test_that_a_return_by_who_took_it_twice_ends_the_second_hold(story):
    """With a key psycopg2 gives the same connection again; one return ends both."""
    story.tell(1.0, "checked out", 1, holder="a")
    story.tell(1.5, "checked out", 1, holder="a")
    story.tell(1.7, "checked in", 1, holder="a")
    assert story.spans(now=9.0) == [("checked out", 1.0, 1.5, UNKNOWN), ("checked out", 1.5, 1.7, RETURNED)]


def test_that_the_end_of_a_connection_that_had_the_number_before_ends_nothing(story):
    story.tell(1.0, "checked out", 1, pid=10, thread="A")
    story.tell(2.0, "connection opened", 1, pid=11, thread="B")
    story.tell(2.1, "checked out", 1, pid=11, thread="B")
    story.tell(2.2, "checked in", 1, pid=10, thread="A")
    story.tell(2.3, "connection closed", 1, pid=10, thread="A")
    assert story.spans(now=3.0) == [("checked out", 1.0, 2.0, RETURNED), ("checked out", 2.1, 3.0, "")]
    assert story.timeline.lanes()[0].pid == 11


def test_that_a_statement_outside_every_hold_is_left_out(story):
    story.tell(1.0, "done", 1, pid=0, thread="", took=0.5)  # what a PgPool's configure runs
    assert story.spans() == []


def test_that_opening_a_connection_is_a_span(story):
    story.tell(2.0, "connection opened", 1, took=0.5)
    story.tell(4.0, "connection opened", 2, took=0.5)
    assert story.spans(1) == [("opening", 1.5, 2.0, "")]
    assert story.spans(2) == [("opening", 3.5, 4.0, "")]
    assert story.timeline.begin == 1.5


def test_that_a_dropped_connection_ends_its_hold_and_is_marked(story):
    story.tell(1.0, "checked out", 1)
    story.tell(2.0, "dropped", 1, detail="a.py:3 in f")
    assert story.spans() == [("checked out", 1.0, 2.0, DROPPED)]
    assert story.marks() == [("dropped", 2.0, 1)]
    assert story.timeline.lanes()[0].pid == 0


def test_that_a_leak_goes_on_and_is_marked(story):
    story.tell(1.0, "checked out", 1)
    story.tell(2.0, "leaked", 1)
    assert story.spans(now=9.0) == [("checked out", 1.0, 9.0, "leaked")]
    assert story.marks() == [("leaked", 2.0, 1)]


def test_that_a_lost_connection_is_marked_once_and_its_successor_is_a_reconnect(story):
    story.tell(1.0, "checked out", 1)
    story.tell(2.0, "connection lost", 1, detail="select 1", took=0.5)
    story.tell(3.0, "checked in", 1)
    story.tell(3.1, "connection lost", 1, detail="lost")  # the pool tells it again
    story.tell(3.2, "connection closed", 1, detail="lost")
    story.tell(4.0, "connection opened", 1, pid=9, took=0.1)
    story.tell(5.0, "connection closed", 1, pid=9)
    story.tell(6.0, "connection opened", 1, pid=10, took=0.1)
    assert story.marks() == [("connection lost", 2.0, 1), (RECONNECTED, 4.0, 1)]
    assert ("running", 1.5, 2.0, "select 1") in story.spans()
    assert ("broken", 2.0, 3.0, "select 1") in story.spans()


def test_that_every_trouble_is_marked(story):
    for at, kind in enumerate(["exhausted", "refused", "connect failed", "pool closed"], 1):
        story.tell(float(at), kind)
    for at, kind in enumerate(["held long", "came back", "return failed"], 5):
        story.tell(float(at), kind, 2)
    assert story.marks() == [
        ("exhausted", 1.0, 0),
        ("refused", 2.0, 0),
        ("connect failed", 3.0, 0),
        ("pool closed", 4.0, 0),
        ("held long", 5.0, 2),
        ("came back", 6.0, 2),
        ("return failed", 7.0, 2),
    ]


def test_that_a_storm_of_refusals_is_one_mark_with_its_count(story):
    for number in range(100):
        story.tell(1.0 + number * 1e-4, "exhausted")
    story.tell(5.0, "exhausted")
    marks = story.timeline.marks(0, 9)
    assert [(mark.at, mark.times) for mark in marks] == [(1.0, 100), (5.0, 1)]
    assert marks[0].until == pytest.approx(1.0099)


def test_that_marks_are_bounded_and_none_is_uncounted(story):
    for number in range(10_000):
        story.tell(1.0 + number, "exhausted" if number % 10 else "refused")
    marks = story.timeline.marks(0, 1e9)
    assert len(marks) <= 2_000
    assert sum(mark.times for mark in marks) == 10_000
    assert sum(mark.times for mark in marks if mark.kind == "refused") == 1_000
    assert [mark.at for mark in marks] == sorted(mark.at for mark in marks)


# -- waiting ----------------------------------------------------------------------------------------------------


def wait_of(story, place=0):
    return story.timeline.waits(0, 1e9)[place]


def test_that_a_wait_names_the_return_that_served_it(story):
    story.tell(1.0, "checked out", 3, thread="A")
    story.tell(2.0001, "waiting", holder="w", thread="B")
    story.tell(5.0, "checked in", 3, thread="A")
    story.tell(5.25, "checked out", 3, holder="w", thread="B", took=3.25)
    wait = wait_of(story)
    assert (wait.start, wait.end, wait.ending, wait.lane, wait.served_at) == (2.0, 5.25, SERVED, 3, 5.0)
    assert (wait.holder, wait.thread, wait.row) == ("w", "B", 0)
    assert story.timeline.waiting == 0


def test_that_a_wait_names_the_opening_that_served_it(story):
    story.tell(2.0, "waiting", thread="B")
    story.tell(2.5, "connection opened", 2, took=0.5)
    story.tell(2.5, "checked out", 2, thread="B", took=0.5)
    assert wait_of(story)[4:7] == (SERVED, 2, 2.5)


def test_that_waits_end_by_time_out_and_by_the_pool_s_end(story):
    story.tell(1.0, "waiting", thread="A", holder="a")
    story.tell(1.5, "waiting", thread="B", holder="b")
    assert [wait.row for wait in story.timeline.waits(0, 9, now=1.6)] == [0, 1]
    story.tell(3.0, "timed out", thread="A", holder="a", took=2.0)
    story.tell(4.0, "pool closed", detail="PgPool")
    found = [(wait.start, wait.end, wait.ending) for wait in story.timeline.waits(0, 9)]
    assert found == [(1.0, 3.0, TIMED_OUT), (1.5, 4.0, CLOSED)]
    assert story.timeline.has_waits


def test_that_threads_of_one_name_are_told_apart_by_when_they_asked(story):
    story.tell(1.0, "waiting", thread="worker")
    story.tell(2.0, "waiting", thread="worker")
    story.tell(3.0, "checked out", 1, thread="worker", took=1.0)
    open_wait = wait_of(story, 1)
    assert (open_wait.start, open_wait.ending) == (1.0, "")
    assert wait_of(story).start == 2.0


def test_that_who_is_gone_from_the_queue_has_given_up(story):
    waiter = Waiter(1, "w", "A", 1.0, 9.0, "")
    story.tell(1.0, "waiting", thread="A", holder="w")
    story.timeline.look([], [waiter], 2.0)
    story.timeline.look([], [], 3.0)
    assert story.timeline.waiting == 1  # its event may be under way
    story.timeline.look([], [], 4.5)
    assert wait_of(story)[:5] == (1.0, 3.0, "w", "A", GAVE_UP)


def test_that_old_waits_are_summed_up(story):
    for number in range(6_000):
        story.tell(10.0 + number, "waiting", thread="A")
        story.tell(10.5 + number, "checked out", 1, thread="A", took=0.5)
        story.tell(10.75 + number, "checked in", 1, thread="A")
    assert len(story.timeline.waits(0, 1e9)) <= 2_000
    assert sum(story.timeline.waited(0.0, 100.0, 200)) == pytest.approx(3_000)


# -- what was missed --------------------------------------------------------------------------------------------


def test_that_a_gap_is_told_and_nothing_is_claimed_inside_it(story):
    story.tell(1.0, "checked out", 1, thread="A")
    story.tell(8.0, "checked in", 1, thread="B", missed=12)
    assert story.spans() == [("checked out", 1.0, 1.0, UNKNOWN), ("checked out", 8.0, 8.0, RETURNED)]
    assert story.timeline.gaps(0, 9) == [(1.0, 8.0, 12)]
    assert story.timeline.missed == 12
    assert story.timeline.missing(0.0, 1.0, 10) == [0, 1, 1, 1, 1, 1, 1, 1, 0, 0]


def test_that_a_wait_that_ended_in_a_gap_is_not_drawn_across_it(story):
    for at, thread in enumerate("ABC", 1):
        story.tell(float(at), "waiting", thread=thread)
    story.tell(9.0, "exhausted", missed=5)
    story.tell(9.5, "waiting", thread="A")  # it cannot wait twice
    story.timeline.look([], [Waiter(1, "", "B", 2.0, 99.0, ""), Waiter(2, "", "C", 8.0, 99.0, "")], 10.0)
    found = [(wait.thread, wait.start, wait.end, wait.ending) for wait in story.timeline.waits(0, 99, now=11.0)]
    assert found == [
        ("A", 1.0, 3.0, UNKNOWN),
        ("C", 3.0, 3.0, UNKNOWN),
        ("B", 2.0, 11.0, ""),
        ("A", 9.5, 11.0, ""),
        ("C", 8.0, 11.0, ""),
    ]


def test_that_a_hold_still_in_the_slots_goes_on_across_a_gap(story):
    story.tell(1.0, "checked out", 1, thread="A", holder="a")
    slots = [Slot(1, HELD, 4711, "a", "A", held_since=1.0, state_since=1.0)]
    story.tell(8.0, "exhausted", missed=12, slots=slots)
    story.tell(9.0, "checked in", 1, thread="A", holder="a")
    assert story.spans() == [("checked out", 1.0, 9.0, RETURNED)]


def test_that_a_hold_begun_in_a_gap_is_known_from_the_slots(story):
    story.tell(1.0, "exhausted")
    slots = [Slot(2, IN_TRANSACTION, 77, "b", "B", held_since=4.0, state_since=5.0, sql="begin")]
    story.tell(8.0, "exhausted", missed=12, slots=slots)
    assert story.spans(2, now=9.0) == [("checked out", 4.0, 9.0, ""), ("idle in transaction", 5.0, 9.0, "begin")]
    assert story.timeline.lanes() == [(2, 77, IN_TRANSACTION, "b")]


def test_that_a_check_out_already_seen_in_the_slots_is_the_same(story):
    slots = [Slot(2, HELD, 4712, "b", "T", held_since=7.9999, state_since=7.9999)]
    story.tell(8.0, "exhausted", missed=12, slots=slots)
    story.tell(8.0001, "checked out", 2, holder="b")
    assert story.spans(2, now=9.0) == [("checked out", 7.9999, 9.0, "")]


def test_that_another_pool_goes_on_in_the_same_picture(story):
    story.tell(1.0, "checked out", 1)
    story.tell(1.5, "waiting", thread="W")
    story.timeline.another_pool(2.0, "PgPool")
    story.tell(3.0, "checked out", 1, pid=9)
    assert story.spans(now=4.0) == [("checked out", 1.0, 2.0, CLOSED), ("checked out", 3.0, 4.0, "")]
    assert wait_of(story).ending == CLOSED
    assert story.marks() == [(POOL_REPLACED, 2.0, 0)]


def test_that_psycopg2_s_close_ends_all_holds_and_pg_pool_s_none(story):
    story.tell(1.0, "checked out", 1)
    story.tell(2.0, "pool closed", detail="PgPool")
    assert story.spans(now=3.0) == [("checked out", 1.0, 3.0, "")]
    story.tell(4.0, "pool closed", detail="ThreadedConnectionPool")
    assert story.spans(now=5.0) == [("checked out", 1.0, 4.0, CLOSED)]


# -- memory -----------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e5)), max_size=60))
@settings(deadline=None)
def test_that_sums_conserve_time_in_any_order(spans):
    sums = Sums()
    for start, length in spans:
        sums.add(start, start + length)
    total = sum((start + length) - start for start, length in spans)
    assert sums.total == pytest.approx(total)
    columns = [0.0] * 70
    sums.spread(columns, -200_000.0, 20_000.0)
    assert sum(columns) == pytest.approx(total)


def test_that_sums_keep_their_size_and_place_time_where_it_was():
    sums = Sums()
    for second in range(40_000):
        sums.add(second + 0.1, second + 0.35)
    assert sum(1 for _ in sums.between(0, 1e9)) < 6_000
    assert sums.total == pytest.approx(10_000)
    columns = [0.0] * 20
    sums.spread(columns, 0.0, 2_000.0)
    assert columns == pytest.approx([500.0] * 20, rel=0.05)


@given(st.lists(st.tuples(at_most(50), at_most(50)), max_size=200), st.integers(0, 100), at_most(60))
@settings(deadline=None)
def test_that_few_and_many_spans_are_spread_alike(pieces, forgotten, count):
    track, at = Track(), 0
    for pause, length in pieces:
        track.add((at + pause) * TICK, (at + pause + length) * TICK, ("", "", 0, ""))
        at += pause + length
    start, width = 20 * TICK, (at + 7) * TICK / count
    plain = [0.0] * count
    for first, last in zip(track.starts, track.ends, strict=True):
        for column in range(count):
            left, right = start + column * width, start + (column + 1) * width
            plain[column] += max(0.0, min(last, right) - max(first, left))
    columns = [0.0] * count
    track.spread(columns, start, width)
    assert columns == pytest.approx(plain, abs=1e-9)
    before = track.total
    track.forget(min(forgotten, len(track.starts)))
    assert track.old.total + sum(e - s for s, e in zip(track.starts, track.ends, strict=True)) == pytest.approx(before)


def hammered(count, seconds, lanes=8):
    """Yield batches of events, *count* in all over *seconds*: each lane is out half of the time, running a quarter."""
    step = seconds / (count / 4)
    sequence, batch = 0, []
    for turn in range(count // 4):
        lane = turn % lanes + 1
        at = 1000.0 + turn * step
        who = {"holder": f"holder {lane}", "thread": f"thread {lane}"}
        for kind, later, took in (
            (EventKind.CHECKED_OUT, 0.0, 0.0),
            (EventKind.DONE_IN_TRANSACTION, 0.25, 0.25),
            (EventKind.SETTLED, 0.4, 0.0),
            (EventKind.CHECKED_IN, 0.5, 0.0),
        ):
            sequence += 1
            batch.append(Event(sequence, at + later * step, kind, lane, 4000 + lane, took=took * step, **who))
        if len(batch) >= 500:
            yield batch
            batch = []
    yield batch


def test_that_a_day_fits_into_constant_memory_and_loses_no_second():
    """The same was done with two million events; here thirty thousand stand for the day."""
    timeline = Timeline(1_000)
    early = 0
    tracemalloc.start()
    try:
        for number, batch in enumerate(hammered(30_000, 86_400.0)):
            timeline.fold(batch)
            if number == 20:
                early = tracemalloc.get_traced_memory()[0]
        late = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert late < early + 500_000
    assert timeline.span_count <= 1_000
    assert timeline.seconds(HELD) == pytest.approx(86_400 * 0.5)
    assert timeline.kept_seconds(HELD) == pytest.approx(86_400 * 0.5)
    assert timeline.kept_seconds(RUNNING) == pytest.approx(86_400 * 0.25)
    hours = [0.0] * 24
    for lane in timeline.lanes():
        for hour, held in enumerate(timeline.shares(lane.number, 1000.0, 3600.0, 24).held):
            hours[hour] += held
    assert hours == pytest.approx([1800.0] * 24, rel=0.05)


def test_that_a_quiet_lane_keeps_its_spans_beside_a_busy_one():
    timeline = Timeline(500)
    timeline.fold([Event(1, 999.0, EventKind.CHECKED_OUT, 50), Event(2, 999.5, EventKind.CHECKED_IN, 50)])
    for batch in hammered(20_000, 60.0):
        timeline.fold(batch)
    assert len(timeline.spans(50, 0, 1e9)) == 1
    assert timeline.kept_since(50) == timeline.begin == 999.0
    assert timeline.kept_since(1) > 1000.0


# -- reading and writing ----------------------------------------------------------------------------------------


class FakePool:
    """A ring, and slots that can be set."""

    def __init__(self, size=100):
        self.events = EventRing(size)
        self.looks = 0

    def slots(self):
        self.looks += 1
        return ()

    def waiters(self):
        return ()


def test_that_a_reader_reads_on_and_counts_what_it_leaves_out():
    pool, timeline = FakePool(), Timeline()
    reader = Reader(pool)
    for _ in range(5):
        pool.events.append(EventKind.EXHAUSTED)
    take(timeline, reader.read())
    assert (timeline.folded, timeline.missed, reader.behind) == (5, 0, 0)
    for _ in range(30):
        pool.events.append(EventKind.EXHAUSTED)
    assert reader.behind == 30
    take(timeline, reader.read(10))
    assert (timeline.folded, timeline.missed, reader.behind) == (15, 20, 0)
    for _ in range(400):
        pool.events.append(EventKind.EXHAUSTED)
    take(timeline, reader.read())
    assert (timeline.folded, timeline.missed) == (115, 320)
    assert reader.read().events == []


def test_that_a_csv_has_a_row_for_everything(story):
    story.timeline.set_clock(0.0, 1_700_000_000.0)
    story.tell(1.0, "checked out", 1, holder="=HYPERLINK()", thread="A")
    story.tell(2.0, "done, transaction open", 1, detail="select 1;\nselect 2", took=0.5)
    story.tell(2.5, "waiting", thread="W", holder="w")
    story.tell(3.0, "checked in", 1, holder="=HYPERLINK()", thread="A")
    story.tell(3.0, "checked out", 1, thread="W", holder="w", took=0.5)
    story.tell(4.0, "exhausted", missed=7)
    file = io.StringIO()
    count = story.timeline.csv(file, 0.0, 9.0, now=5.0)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert len(rows) == count
    assert [(row["what"], row["slot"], row["seconds"], row["ending"]) for row in rows] == [
        ("hold", "1", "2.000000000", RETURNED),
        ("running", "1", "0.500000000", ""),
        ("idle in transaction", "1", "1.000000000", ""),
        ("wait", "1", "0.500000000", SERVED),
        ("hold", "1", "0.000000000", UNKNOWN),
        ("missed events", "", "1.000000000", ""),
        ("exhausted", "", "", ""),
    ]
    assert rows[0]["holder"] == "'=HYPERLINK()"
    assert rows[1]["detail"] == "select 1;\nselect 2"
    assert rows[5]["count"] == "7"
    assert datetime.fromisoformat(rows[0]["start"]).timestamp() == 1_700_000_001.0
    narrow = io.StringIO()
    assert story.timeline.csv(narrow, 3.9, 4.1) == 2


def test_that_a_large_batch_may_be_folded_in_slices():
    pool, at_once, sliced = FakePool(10_000), Timeline(), Timeline()
    for batch in hammered(3_000, 60.0):
        for event in batch:
            pool.events.put(
                event.kind, event.at, event.slot, event.pid, event.holder, event.thread, event.detail, event.took
            )
    batch = Reader(pool).read(2_000)
    take(at_once, batch)
    for part in batch.slices(300):
        assert len(part.events) <= 300
        take(sliced, part)
    assert (sliced.folded, sliced.missed) == (at_once.folded, at_once.missed) == (2_000, 1_000)
    for lane in at_once.lanes():
        assert sliced.spans(lane.number, 0, 1e9) == at_once.spans(lane.number, 0, 1e9)
    assert sliced.seen_until == at_once.seen_until
    assert [len(part.events) for part in Reader(FakePool()).read().slices(5)] == [0]


def test_that_a_clone_does_not_change_with_its_original():
    timeline = Timeline(100)
    batches = list(hammered(4_000, 1000.0))
    for batch in batches[:4]:
        timeline.fold(batch)
    timeline.fold([Event(9_000, 2000.0, EventKind.CHECKED_OUT, 1), Event(9_001, 2000.0, EventKind.WAITING)])
    before, after = io.StringIO(), io.StringIO()
    clone = timeline.clone()
    clone.csv(before, 0.0, 1e6)
    for batch in batches[4:]:
        timeline.fold(batch)
    timeline.another_pool(3000.0, "PgPool")
    clone.csv(after, 0.0, 1e6)
    assert after.getvalue() == before.getvalue()


def test_that_a_csv_of_old_times_has_their_sums():
    timeline = Timeline(100)
    for batch in hammered(4_000, 1000.0, lanes=2):
        timeline.fold(batch)
    file = io.StringIO()
    timeline.csv(file, 0.0, 1e6)
    rows = list(csv.DictReader(io.StringIO(file.getvalue())))
    held = sum(float(row["seconds"]) for row in rows if row["what"] == "hold")
    assert held == pytest.approx(500.0)
    assert {row["ending"] for row in rows if row["what"] == "hold"} == {RETURNED, "sum"}


def test_that_the_time_of_day_follows_the_clock_after_a_suspend(story):
    story.timeline.set_clock(100.0, 5_000.0)
    story.timeline.set_clock(110.0, 5_010.1)  # a little drift is none
    story.timeline.set_clock(200.0, 9_000.0)
    assert story.timeline.wall(150.0) == 5_050.0
    assert story.timeline.wall(210.0) == 9_010.0


@given(steps=STEPS, lanes=at_most(3), stock=st.booleans(), batch=at_most(10))
@settings(deadline=None)
def test_that_what_is_settled_never_changes(steps, lanes, stock, batch):
    """The view keeps the columns of the settled past."""
    world = World(lanes, stock)
    for step in steps:
        world.do(step)
    world.end()
    timeline, width = Timeline(), 64 * TICK
    said = {}
    for first in range(0, len(world.events), batch):
        following = world.events[first + batch : first + batch + 1]
        timeline.fold(world.events[first : first + batch], until=following[0].at - TICK / 2 if following else 0.0)
        for lane in timeline.lanes():
            count = int((timeline.settled(lane.number) - timeline.begin) // width)
            if count > 0:
                said[lane.number, count] = timeline.shares(lane.number, timeline.begin, width, count)
    for (lane, count), shares in said.items():
        assert timeline.shares(lane, timeline.begin, width, count) == shares
