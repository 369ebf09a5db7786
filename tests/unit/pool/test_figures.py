"""A pool's figures: names, counts, rates over time, and who holds for long."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgexplorer.pool.figures import RATES, Instrument, Series, Spread, as_json, as_text, long_held, read
from pgexplorer.pool.slot import Slot, SlotState
from pgexplorer.pool.stats import Histogram, Histograms, PoolStats

STATS = PoolStats(
    2, 5, idle=1, used=3, opening=1, returning=1, waiting=4, served=120, exhausted=7, too_many=2, timed_out=5,
    opened=9, closed=3, failed=6, lost=8,
)  # fmt: skip


def times(*seconds):
    histogram = Histogram()
    for each in seconds:
        histogram.record(each)
    return histogram


SPREADS = Histograms(times(0.001, 0.002, 0.1), times(1.0), times())


def figures(stats=STATS, spreads=SPREADS):
    return read(stats, spreads, most_idle=4, least_open=2)


def test_that_the_figures_are_the_pools_counts():
    found = {figure.label: figure.value for figure in figures() if figure.instrument is not Instrument.HISTOGRAM}
    assert found == {
        "idle": 1, "in use": 4, "waiting": 4, "maximum": 5, "most idle": 4, "least idle": 2, "served": 120,
        "refused": 9, "timed out": 5, "opened": 9, "closed": 3, "lost": 8, "failed": 6,
    }  # fmt: skip


def test_that_names_and_units_are_those_of_the_conventions():
    found = {(figure.full_name, figure.unit, str(figure.instrument)) for figure in figures()}
    spec = "db.client.connection"
    assert {each for each in found if each[0].startswith(spec)} == {
        (f"{spec}.count{{state=idle}}", "{connection}", "updowncounter"),
        (f"{spec}.count{{state=used}}", "{connection}", "updowncounter"),
        (f"{spec}.idle.max", "{connection}", "updowncounter"),
        (f"{spec}.idle.min", "{connection}", "updowncounter"),
        (f"{spec}.max", "{connection}", "updowncounter"),
        (f"{spec}.pending_requests", "{request}", "updowncounter"),
        (f"{spec}.timeouts", "{timeout}", "counter"),
        (f"{spec}.create_time", "s", "histogram"),
        (f"{spec}.wait_time", "s", "histogram"),
        (f"{spec}.use_time", "s", "histogram"),
    }
    assert all(name.startswith("pgexplorer.pool.") for name, _, _ in found if not name.startswith(spec))


def test_that_a_spread_has_the_percentiles_of_its_histogram():
    histogram = times(*(0.001 * number for number in range(1, 101)))
    spread = Spread.of(histogram)
    assert (spread.count, spread.longest, spread.total) == (100, 0.1, histogram.total)
    assert spread.p50 == pytest.approx(0.05, rel=0.06)
    assert spread.p90 == pytest.approx(0.09, rel=0.06)
    assert spread.p99 == pytest.approx(0.099, rel=0.06)
    assert sum(count for _, count in spread.buckets) == 100


def test_that_json_has_a_metric_for_each_name_and_a_point_for_each_state():
    whole = json.loads(as_json(figures(), pool="tests", kind="PgPool", taken_at="2026-01-01T00:00:00Z"))
    metrics = {metric["name"]: metric for metric in whole["metrics"]}
    assert len(metrics) == len(whole["metrics"])
    counts = metrics["db.client.connection.count"]
    states = {point["attributes"]["db.client.connection.state"]: point["value"] for point in counts["points"]}
    assert states == {"idle": 1, "used": 4}
    assert metrics["db.client.connection.timeouts"]["points"] == [{"value": 5}]
    [wait] = metrics["db.client.connection.wait_time"]["points"]
    assert (wait["count"], wait["max"]) == (3, 0.1)
    assert wait["sum"] == pytest.approx(0.103)
    assert sum(bucket["count"] for bucket in wait["buckets"]) == 3
    assert whole["attributes"]["db.client.connection.pool.name"] == "tests"
    assert whole["taken_at"] == "2026-01-01T00:00:00Z"


def test_that_text_has_a_line_for_each_figure():
    lines = as_text(figures()).splitlines()
    assert len(lines) == len(figures())
    assert "db.client.connection.count{state=idle}  1  {connection}" in lines
    [wait] = [line for line in lines if ".wait_time" in line]
    assert "count=3" in wait
    assert "max=0.100000" in wait
    assert as_text(()) == ""


def counted(served=0, exhausted=0, timed_out=0, opened=0):
    return PoolStats(1, 2, 0, 0, served=served, exhausted=exhausted, timed_out=timed_out, opened=opened)


def test_that_a_rate_is_what_happened_between_two_looks():
    series = Series()
    series.add(counted(served=10, opened=1), 100.0)
    series.add(counted(served=30, exhausted=4, timed_out=1, opened=1), 102.0)
    [check_outs] = series.rates("check-outs")
    assert (check_outs.begin, check_outs.end, check_outs.per_second) == (100.0, 102.0, 10.0)
    assert [series.rates(name)[0].per_second for name in RATES[1:]] == [2.0, 0.5, 0.0]


def test_that_looks_more_often_than_once_a_second_are_one_sample():
    series = Series()
    for tick in range(41):
        series.add(counted(served=tick), tick / 4)
    assert len(series) == 11
    assert {rate.per_second for rate in series.rates("check-outs")} == {4.0}


@given(st.lists(st.tuples(st.floats(1.0, 40.0), st.integers(0, 10_000)), min_size=2, max_size=50))
def test_that_nothing_is_left_out_of_the_sum_where_nobody_looked_for_a_while(steps):
    series = Series(100_000)
    at, served = 0.0, 0
    series.add(counted(), at)
    for seconds, more in steps:
        at, served = at + seconds, served + more
        series.add(counted(served=served), at)
    rates = series.rates("check-outs")
    assert sum(rate.per_second * (rate.end - rate.begin) for rate in rates) == pytest.approx(served, abs=1e-3)
    assert [rate.begin for rate in rates[1:]] == [rate.end for rate in rates[:-1]]


def test_that_a_day_of_looks_keeps_ten_minutes():
    series = Series(600)
    for second in range(86_400):
        series.add(counted(served=second), float(second))
    assert len(series) <= 601
    rates = series.rates("check-outs")
    assert rates[-1].end == 86_399.0
    assert rates[0].begin >= 86_399.0 - 600
    series.clear()
    assert series.rates("check-outs") == []


def test_that_long_holders_are_found_and_the_longest_comes_first():
    def slot(number, held_since, state=SlotState.CHECKED_OUT, *, leaked=False):
        return Slot(number, state, 70 + number, held_since=held_since, leaked=leaked)

    slots = (
        slot(1, 0.0, SlotState.IDLE),
        slot(2, 95.0),
        slot(3, 80.0, SlotState.IN_TRANSACTION),
        slot(4, 60.0, leaked=True),
        slot(5, 0.0, SlotState.OPENING),
    )
    assert [each.number for each in long_held(slots, 10, 100.0)] == [4, 3]
    assert [each.number for each in long_held(slots, 0, 100.0)] == [4, 3, 2]
    assert long_held(slots, 50, 100.0) == []
