"""The scenarios on a real server: what each measures, its sentence, and the person's pool back at the end."""

import contextlib
import re
import threading
import time

import psycopg2
import pytest

from fix_facts import until
from pgexplorer.lab.bench import OwnBench, free_connections
from pgexplorer.lab.guard import NoRoom
from pgexplorer.lab.news import Bars, Concluded, Progressed, Said
from pgexplorer.lab.scenarios import BY_ID, SCENARIOS, run

SHORT = 0.05  # of the times that a person would like to see


@pytest.fixture
def bench(open_bench):
    """A bench with a ThreadedConnectionPool of 2 to 3."""
    return open_bench()


def played(name, bench, scale=SHORT, **more):
    """Run the scenario *name*; return what it measured as {label: value} and its sentence."""
    news = list(run(BY_ID[name], bench, scale=scale, **more))
    [sentence] = [each.sentence for each in news if isinstance(each, Concluded)]
    [bars] = [each for each in news if isinstance(each, Bars)]
    assert isinstance(news[-1], Concluded)
    progress = [each.done for each in news if isinstance(each, Progressed)]
    assert all(0 <= done <= 1 for done in progress)
    assert progress == sorted(progress)
    assert sentence.count(".") >= 1
    assert sentence.endswith(".")
    return {label: value for label, value, _ in bars.bars}, sentence


def comes_back(bench, kind="ThreadedConnectionPool", minconn=2, maxconn=3):
    """Whether the person's pool is in use again, whole and working."""
    stats, profile = bench.pool.stats(), bench.profile
    with contextlib.suppress(psycopg2.Error):
        conn = bench.pool.getconn(holder="test")
        bench.pool.putconn(conn)
    assert (bench.pool.kind, bench.pool.minconn, bench.pool.maxconn) == (kind, minconn, maxconn)
    assert (profile.pool_class, profile.minconn, profile.maxconn) == (kind, minconn, maxconn)
    assert (stats.is_closed, stats.used, stats.idle) == (False, 0, minconn)
    assert bench.detour == {}
    return True


def test_that_there_are_eight_and_each_says_what_it_contrasts():
    assert [scenario.id for scenario in SCENARIOS] == [
        "exhaustion", "spike", "starvation", "rollback", "churn", "stale", "state", "leak",
    ]  # fmt: skip
    for scenario in SCENARIOS:
        assert "psycopg2" in scenario.text
        assert "PgPool" in scenario.text
        assert scenario.line


def test_exhaustion(bench):
    served, sentence = played("exhaustion", bench)
    refused = 50 - served["ThreadedConnectionPool"]
    assert refused > 0
    assert served["PgPool"] == 50
    assert sentence.startswith(f"ThreadedConnectionPool refused {refused} of 50; PgPool served all 50 in ")
    assert re.search(r"waiting [\d.]+ (ms|s) at the median\.$", sentence)
    assert comes_back(bench)


def test_spike(bench):
    took, sentence = played("spike", bench)
    stock, ours = map(int, re.findall(r"connected (\d+) times?", sentence))
    assert stock > ours  # psycopg2 closes what exceeds the minimum, and connects anew for every spike
    assert set(took) == {"ThreadedConnectionPool", "PgPool"}
    assert "not served" not in sentence
    assert comes_back(bench)


def test_starvation(bench):
    served, sentence = played("starvation", bench)
    fairness = [float(index) for index in re.findall(r"fairness ([\d.]+\d)\)", sentence)]
    assert fairness[1] > fairness[0]
    assert served["PgPool, the unluckiest"] > 0
    assert f"{served['PgPool, the unluckiest']} to {served['PgPool, the luckiest thread']} times each" in sentence
    assert comes_back(bench)


def test_rollback_under_the_lock(bench):
    rate, sentence = played("rollback", bench)
    assert rate["PgPool"] > rate["ThreadedConnectionPool"]
    assert f"{rate['PgPool']:,.0f} with PgPool" in sentence
    assert "times as many" in sentence
    assert comes_back(bench)
    assert not [thread for thread in threading.enumerate() if thread.name == "fault proxy"]


def test_churn(bench):
    opened, sentence = played("churn", bench, scale=1)  # shortened, a busy machine has no time for more connects
    assert opened["ThreadedConnectionPool"] > opened["PgPool"]
    assert opened["PgPool"] <= 4
    assert f"connected {opened['ThreadedConnectionPool']} times (" in sentence
    assert comes_back(bench)


def test_stale_where_the_backends_are_ended(bench):
    failed, sentence = played("stale", bench)
    assert failed == {"ThreadedConnectionPool": 6, "PgPool": 0}
    assert "told to end them" in sentence
    assert "6 of 12 requests failed with ThreadedConnectionPool" in sentence
    assert "none of 12 requests failed with PgPool, whose first answer came after" in sentence
    assert comes_back(bench)


def test_stale_after_a_restart(demo, open_bench, open_faults):
    bench = open_bench(where=demo)
    faults, restarts = open_faults(bench), []

    def restart():
        restarts.append(faults.restart_server())

    failed, sentence = played("stale", bench, restart=restart)
    assert failed == {"ThreadedConnectionPool": 6, "PgPool": 0}
    assert "restarted" in sentence
    assert len(restarts) == 2
    assert comes_back(bench)


def test_state_that_leaks(bench):
    met, sentence = played("state", bench)
    assert met == {"ThreadedConnectionPool": 6, "PgPool": 6, 'PgPool with reset="discard"': 0}
    assert "an advisory lock" in sentence
    assert sentence.endswith('none in PgPool with reset="discard".')
    assert comes_back(bench)


def test_that_a_read_only_server_is_left_less(open_bench, profile):
    from dataclasses import replace

    met, sentence = played("state", open_bench(where=replace(profile, read_only=True)))
    assert met["ThreadedConnectionPool"] == 5
    assert "a temporary table" not in sentence


def test_leak_hunt(bench):
    works, sentence = played("leak", bench)
    assert works == {"ThreadedConnectionPool": 0, "PgPool": 4}
    assert "lost 4 of its 4 slots for good and refused 8" in sentence
    assert "lost no slot and refused nobody" in sentence
    assert re.search(r"its events name the line, scenarios\.py:\d+ in _forget\.$", sentence)
    assert comes_back(bench)


def test_that_the_pool_in_use_is_one_of_the_two_and_comes_back(open_bench):
    bench = open_bench("SimpleConnectionPool", 1, 2)
    served, _ = played("exhaustion", bench)
    assert list(served) == ["SimpleConnectionPool", "PgPool"]
    assert comes_back(bench, "SimpleConnectionPool", 1, 2)
    bench = open_bench("PgPool", 0, 5)
    served, _ = played("exhaustion", bench)
    assert list(served) == ["ThreadedConnectionPool", "PgPool"]
    assert comes_back(bench, "PgPool", 0, 5)


def test_that_other_classes_can_be_contrasted(bench):
    served, _ = played("exhaustion", bench, kinds=("SimpleConnectionPool", "ThreadedConnectionPool"))
    assert list(served) == ["SimpleConnectionPool", "ThreadedConnectionPool"]


# -- the server's limits --------------------------------------------------------------------------------------------


@pytest.fixture
def fill(profile, bench, admin):
    """Take connections of the server until so many are left for a pool, and wait until the server counts them."""
    taken = []

    def until_left(count):
        while free_connections(bench) > count:
            taken.append(psycopg2.connect(**profile.parameters("side")))
        until(lambda: free_connections(bench) == count)

    yield until_left
    for conn in taken:
        conn.close()


def test_that_a_scenario_takes_no_more_than_the_server_has_free_and_says_so(bench, fill):
    fill(4)
    news = list(run(BY_ID["spike"], bench, scale=0.01))
    assert news[0] == Said("The server has only 4 connections left: the pool takes 4 instead of 12.")
    assert any("(2, 4)" in each.text for each in news if isinstance(each, Said))
    assert isinstance(news[-1], Concluded)
    assert "not served" not in news[-1].sentence
    assert comes_back(bench)


def test_that_a_scenario_without_room_is_refused_and_the_pool_is_left(open_bench, bench, fill):
    fill(2)
    with pytest.raises(NoRoom, match="2 connections left"):
        list(run(BY_ID["spike"], bench, scale=SHORT))
    assert comes_back(bench)


def test_that_the_server_never_sees_more_than_the_largest_pool_and_one_beside(bench, admin):
    most, over = [0], threading.Event()

    def watch():
        while not over.wait(0.002):
            most[0] = max(
                most[0],
                admin.value("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgexplorer/%%'"),
            )

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    room = free_connections(bench)
    for name in ("spike", "exhaustion"):
        played(name, bench)
    over.set()
    watching.join(10)
    assert 4 < most[0] <= room + 1


# -- stopping -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_that_a_scenario_stops_at_once_and_the_pool_comes_back(bench, scenario):
    stop, seen = threading.Event(), []
    began = time.monotonic()
    for news in run(scenario, bench, scale=1.0, stop=stop):
        seen.append(news)
        if isinstance(news, Progressed) and not stop.is_set():
            stop.set()
            began = time.monotonic()
    assert time.monotonic() - began < 5
    assert seen[-1] == Said("Stopped.")
    assert not any(isinstance(each, Concluded) for each in seen)
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("caller")])
    assert comes_back(bench)


def test_that_a_server_that_is_left_meanwhile_ends_the_scenario(profile):
    bench = OwnBench(profile)
    playing = run(BY_ID["exhaustion"], bench, scale=SHORT)
    next(playing)
    bench.close()
    with pytest.raises(ConnectionAbortedError):
        list(playing)


def test_that_a_scale_has_bounds(bench):
    for scale in (0, 1.5, float("nan")):
        with pytest.raises(ValueError, match="scale"):
            next(run(BY_ID["exhaustion"], bench, scale=scale))
