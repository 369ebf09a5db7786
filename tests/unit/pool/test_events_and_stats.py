"""The ring of events and the histogram of times."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fix_facts import in_threads
from pgexplorer.pool.events import EventKind, EventRing
from pgexplorer.pool.stats import Histogram, PoolStats

times = st.floats(min_value=1e-6, max_value=90_000.0, allow_nan=False)


def test_that_a_ring_returns_every_event_in_order_with_what_it_was_told():
    ring = EventRing(10)
    ring.append(EventKind.OPENED, slot=1, pid=70)
    ring.append(EventKind.CHECKED_OUT, slot=1, pid=70, holder="SQL 1", took=0.5)
    events, missed = ring.since(0)
    assert [event.sequence for event in events] == [1, 2]
    assert missed == 0
    assert (events[1].kind, events[1].slot, events[1].pid) == (EventKind.CHECKED_OUT, 1, 70)
    assert (events[1].holder, events[1].took, events[1].thread) == ("SQL 1", 0.5, "MainThread")
    assert events[0].at <= events[1].at
    assert ring.last == 2


def test_that_a_reader_of_a_ring_gets_each_event_once():
    ring = EventRing(10)
    for number in range(3):
        ring.append(EventKind.RUNNING, slot=number)
    events, _ = ring.since(0)
    ring.append(EventKind.DONE)
    later, missed = ring.since(events[-1].sequence)
    assert [event.kind for event in later] == [EventKind.DONE]
    assert missed == 0
    assert ring.since(ring.last) == ([], 0)


@given(size=st.integers(1, 20), written=st.integers(0, 60), read=st.integers(0, 60))
def test_that_kept_and_missed_events_add_up_exactly(size, written, read):
    ring = EventRing(size)
    for number in range(written):
        ring.append(EventKind.RUNNING, slot=number)
    events, missed = ring.since(read)
    newer = max(0, written - read)
    assert len(events) == min(size, newer)
    assert len(events) + missed == newer
    assert [event.sequence for event in events] == list(range(written - len(events) + 1, written + 1))


def test_that_events_of_many_threads_have_sequences_without_a_gap_and_times_in_order():
    ring = EventRing(8 * 500)

    def write(number):
        for turn in range(500):
            ring.append(EventKind.RUNNING, slot=number, pid=turn)

    in_threads(8, write)
    events, missed = ring.since(0)
    assert missed == 0
    assert [event.sequence for event in events] == list(range(1, 4001))
    assert [event.at for event in events] == sorted(event.at for event in events)
    for number in range(8):
        assert [event.pid for event in events if event.slot == number] == list(range(500))


def test_that_an_empty_histogram_answers_zero():
    assert Histogram().percentile(50) == 0.0
    assert Histogram().longest == 0.0


@given(st.lists(times, min_size=1, max_size=200), st.sampled_from([1, 25, 50, 90, 99, 100]))
@settings(max_examples=300)
def test_that_percentiles_lie_within_five_percent_of_the_sorted_times(values, percent):
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    assert histogram.percentile(percent) == pytest.approx(exact, rel=0.05)
    assert histogram.longest == max(values)
    assert histogram.count == len(values)
    assert histogram.total == pytest.approx(sum(values))


@given(st.lists(st.floats(min_value=0.0, max_value=1e9, allow_nan=False), min_size=1))
def test_that_a_percentile_never_exceeds_the_longest_time(values):
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    answers = [histogram.percentile(percent) for percent in (0, 10, 50, 99, 100)]
    assert answers == sorted(answers)
    assert answers[-1] <= max(values)


def test_that_the_size_of_a_pool_is_what_is_idle_and_what_is_used():
    assert PoolStats(2, 5, idle=1, used=3).size == 4
