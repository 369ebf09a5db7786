"""Each fault that a person can ask for, done to real pools on a real server, and that none is done in production."""

import contextlib
import threading
import time
from dataclasses import replace

import psycopg2
import pytest

from fix_facts import until
from fix_pg_pool import one
from pgexplorer.db.profile import Environment
from pgexplorer.lab.askers import Askers, Asking
from pgexplorer.lab.faults import BY_ID, FAULTS, Faults
from pgexplorer.lab.guard import NotTheDemo, OnProduction, Refused
from pgexplorer.lab.scenarios import SCENARIOS, run
from pgexplorer.pool.slot import SlotState

KINDS = ["ThreadedConnectionPool", "PgPool"]


def query(pool, holder="test"):
    """Ask *pool* for a connection and the server for 1."""
    conn = pool.getconn(holder=holder)
    try:
        return one(conn, "SELECT 1")
    finally:
        pool.putconn(conn)


def threads():
    return {thread for thread in threading.enumerate() if thread.name.startswith(("asker", "fault proxy"))}


# -- production -----------------------------------------------------------------------------------------------------

ACTIONS = {
    "terminate idle": lambda faults: faults.terminate("idle"),
    "terminate active": lambda faults: faults.terminate("active"),
    "terminate in transaction": lambda faults: faults.terminate("transaction"),
    "stop": lambda faults: faults.stop_server(),
    "start": lambda faults: faults.start_server(),
    "restart": lambda faults: faults.restart_server(),
    "link": lambda faults: faults.link(True),
    "delay": lambda faults: faults.delay(0.1),
    "throttle": lambda faults: faults.throttle(1000),
    "cut": lambda faults: faults.cut("reset"),
    "hole": lambda faults: faults.hole(),
    "heal": lambda faults: faults.heal(),
    "hold": lambda faults: next(faults.hold(1)),
    "ask": lambda faults: faults.ask(Asking()),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_that_nothing_is_done_to_a_server_in_production(open_bench, open_faults, profile, action, admin):
    bench = open_bench(where=replace(profile, environment=Environment.PRODUCTION))
    faults, pool = open_faults(bench), bench.pool
    before = {slot.pid for slot in pool.slots()}
    with pytest.raises(OnProduction, match="production"):
        ACTIONS[action](faults)
    assert bench.pool is pool
    assert pool.stats().served == 0
    assert not faults.is_linked
    assert faults.askers is None
    assert admin.alive(*before) == before


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_that_no_scenario_runs_on_a_server_in_production(open_bench, profile, scenario):
    bench = open_bench(where=replace(profile, environment=Environment.PRODUCTION))
    pool = bench.pool
    with pytest.raises(OnProduction):
        list(run(scenario, bench))
    assert bench.pool is pool
    assert not pool.stats().is_closed


def test_that_every_fault_says_what_it_does_and_what_to_look_at():
    assert len({fault.id for fault in FAULTS}) == len(FAULTS) == len(BY_ID)
    for fault in FAULTS:
        assert fault.title
        assert fault.does.endswith(".")
        assert fault.look.endswith(".")


# -- backends -------------------------------------------------------------------------------------------------------


def test_that_an_idle_backend_is_ended_and_psycopg2_hands_it_out_all_the_same(open_bench, open_faults, admin):
    bench = open_bench("ThreadedConnectionPool", 1, 2)
    [pid] = [slot.pid for slot in bench.pool.slots()]
    effect = open_faults(bench).terminate("idle")
    assert effect.worked
    assert f"backend {pid}" in effect.said
    assert effect.look == BY_ID["terminate_idle"].look
    until(lambda: not admin.alive(pid))
    with pytest.raises(psycopg2.OperationalError):
        query(bench.pool)


def test_that_pgpool_replaces_an_idle_backend_that_was_ended(open_bench, open_faults, admin):
    bench = open_bench("PgPool", 1, 2)
    [pid] = [slot.pid for slot in bench.pool.slots()]
    open_faults(bench).terminate("idle")
    until(lambda: not admin.alive(pid))
    until(lambda: bench.pool.links()[pid] != "open")
    assert query(bench.pool) == 1


def test_that_idle_means_that_nobody_has_it(open_bench, open_faults):
    bench = open_bench("ThreadedConnectionPool", 2, 2)
    held = bench.pool.getconn(holder="test")
    free = next(slot.pid for slot in bench.pool.slots() if slot.state is SlotState.IDLE)
    faults = open_faults(bench)
    assert f"backend {free}" in faults.terminate("idle").said
    assert one(held, "SELECT 1") == 1
    bench.pool.putconn(held)


@pytest.mark.parametrize("kind", KINDS)
def test_that_an_active_backend_is_ended_in_its_statement(open_bench, open_faults, kind):
    bench = open_bench(kind, 1, 1)
    faults = open_faults(bench)
    faults.ask(Asking(threads=1, work=30))
    effect = until(lambda: (found := faults.terminate("active")).worked and found)
    assert "held by asker 1" in effect.said
    until(lambda: faults.askers.counts()[0].failed == 1)


@pytest.mark.parametrize("kind", KINDS)
def test_that_a_backend_in_a_transaction_is_ended_and_no_slot_is_lost_to_the_person(
    open_bench, open_faults, kind, admin
):
    bench = open_bench(kind, 1, 1)
    faults = open_faults(bench)
    told = faults.hold(60, "my report", in_transaction=True)
    assert "in a transaction" in next(told).said
    [slot] = bench.pool.slots()
    assert slot.holder == "my report"
    until(lambda: admin.state(slot.pid) == "idle in transaction")
    assert "held by my report" in faults.terminate("transaction").said
    until(lambda: not admin.alive(slot.pid))
    faults.let_go()
    last = list(told)[-1]
    if kind == "ThreadedConnectionPool":
        assert "raised OperationalError" in last.said
        assert "second time" in last.look
    else:
        assert "came back" in last.said
    assert query(bench.pool) == 1


@pytest.mark.parametrize("which", ["idle", "active", "transaction"])
def test_that_a_fault_without_a_victim_says_how_to_get_one(open_bench, open_faults, which):
    bench = open_bench("ThreadedConnectionPool", 0, 1)
    effect = open_faults(bench).terminate(which)
    assert not effect.worked
    assert effect.look


# -- the link -------------------------------------------------------------------------------------------------------


@pytest.fixture
def linked(open_bench, open_faults):
    """Open a bench whose pool goes through the proxy; return it and its faults."""

    def make(kind="ThreadedConnectionPool", minconn=2, maxconn=3, **more):
        bench = open_bench(kind, minconn, maxconn, **more)
        faults = open_faults(bench)
        effect = faults.link(True)
        assert effect.worked
        assert faults.is_linked
        return bench, faults

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_that_the_link_reopens_the_same_pool_through_the_proxy_and_back(linked, kind, admin):
    bench, faults = linked(kind)
    proxy, port = faults._link.proxy, bench.profile.port
    assert (bench.pool.kind, bench.pool.minconn, bench.pool.maxconn) == (kind, 2, 3)
    assert proxy.open == bench.pool.stats().size == 2
    assert bench.profile.port == port  # the person's profile is as it was
    assert query(bench.pool) == 1
    assert not faults.link(True).worked
    assert faults.link(False).worked
    assert not faults.is_linked
    assert proxy.is_closed
    assert bench.detour == {}
    assert query(bench.pool) == 1
    assert (bench.pool.kind, bench.pool.stats().size) == (kind, 2)
    until(lambda: admin.alive(*[slot.pid for slot in bench.pool.slots()]) == {slot.pid for slot in bench.pool.slots()})


def test_that_a_server_behind_a_unix_socket_is_reached_through_the_proxy(linked, profile, admin):
    folder = admin.value("SHOW unix_socket_directories").split(",")[0].strip()
    if not folder:
        pytest.skip("the server has no Unix socket")
    bench, faults = linked(where=replace(profile, host=folder, sslmode="require"))
    assert query(bench.pool) == 1
    assert faults._link.proxy.open == 2
    assert bench.pool.getconn().info.host == "127.0.0.1"


def test_that_a_delay_is_felt_and_healed(linked):
    bench, faults = linked()
    assert "200 ms" in faults.delay(0.1).said
    conn = bench.pool.getconn()
    conn.autocommit = True
    began = time.monotonic()
    one(conn, "SELECT 1")
    assert time.monotonic() - began >= 0.2
    faults.delay(5)
    faults.heal()
    assert one(conn, "SELECT 1") == 1
    assert faults._link.proxy.delay == 0
    bench.pool.putconn(conn)


def test_that_a_throttle_is_felt_by_what_is_large(linked):
    bench, faults = linked()
    faults.throttle(20_000)
    began = time.monotonic()
    conn = bench.pool.getconn()
    assert len(one(conn, "SELECT repeat('x', 8000)")) == 8000
    assert time.monotonic() - began >= 0.3
    faults.throttle(0)
    bench.pool.putconn(conn)


@pytest.mark.parametrize("how", ["reset", "close", "middle"])
@pytest.mark.parametrize("kind", KINDS)
def test_that_a_cut_ends_what_the_pool_has_and_it_recovers(linked, kind, how):
    bench, faults = linked(kind, 1, 1)
    effect, cut_at = faults.cut(how), time.monotonic()
    assert effect.worked
    until(lambda: time.monotonic() > cut_at + 0.01)  # PgPool trusts a sign of life for a millisecond
    if kind == "ThreadedConnectionPool" or how == "middle":
        with pytest.raises(psycopg2.OperationalError):
            query(bench.pool)
    assert query(bench.pool) == 1


def test_that_a_black_hole_swallows_until_it_is_healed(linked):
    bench, faults = linked("ThreadedConnectionPool", 1, 1)
    conn = bench.pool.getconn(holder="test")
    assert "1 connections" in faults.hole().said
    answers = []
    asking = threading.Thread(target=lambda: answers.append(one(conn, "SELECT 1")), daemon=True)
    asking.start()
    asking.join(0.3)
    assert answers == []
    faults.heal()
    asking.join(10)
    assert answers == [1]
    bench.pool.putconn(conn)


@pytest.mark.parametrize("fault", ["hole", "delay", "throttle"])
def test_that_the_link_is_switched_off_at_once_whatever_is_wrong_with_it(linked, fault):
    bench, faults = linked("ThreadedConnectionPool", 1, 2)
    conn = bench.pool.getconn(holder="test")
    failed = []

    def ask():
        try:
            one(conn, "SELECT pg_sleep(30)")
        except psycopg2.Error as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    until(lambda: conn.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_ACTIVE)
    faults.hole() if fault == "hole" else getattr(faults, fault)(1)
    began = time.monotonic()
    faults.link(False)
    assert time.monotonic() - began < 8
    asking.join(10)
    assert failed
    assert query(bench.pool) == 1


@pytest.mark.parametrize("action", ["delay", "throttle", "cut", "hole", "heal"])
def test_that_faults_of_the_link_ask_for_the_link_first(open_bench, open_faults, action):
    arguments = {"delay": [0.1], "throttle": [1000], "cut": ["reset"]}.get(action, [])
    with pytest.raises(Refused, match="switch the link on first"):
        getattr(open_faults(open_bench()), action)(*arguments)


def test_that_a_link_that_cannot_be_opened_leaves_the_pool_as_it_was(open_bench, open_faults, monkeypatch):
    bench = open_bench()
    faults = open_faults(bench)
    real = bench.open
    tried = []

    def failing(*limits):
        tried.append(dict(bench.detour))
        if bench.detour:
            raise psycopg2.OperationalError("no way through")
        real(*limits)

    monkeypatch.setattr(bench, "open", failing)
    before = threads()
    with pytest.raises(psycopg2.OperationalError, match="no way through"):
        faults.link(True)
    assert not faults.is_linked
    assert [bool(detour) for detour in tried] == [True, False]
    assert query(bench.pool) == 1
    until(lambda: threads() == before)


# -- load -----------------------------------------------------------------------------------------------------------


def test_that_a_hold_is_seen_under_its_name_and_ends_by_itself(open_bench, open_faults):
    bench = open_bench()
    told = open_faults(bench).hold(0.1, "the slow report")
    first = next(told)
    [held] = [slot for slot in bench.pool.slots() if slot.is_out]
    assert held.holder == "the slow report"
    assert str(held.pid) in first.said
    assert "came back" in next(told).said
    assert bench.pool.stats().used == 0
    assert list(told) == []


@pytest.mark.parametrize("seconds", [-1, 601, float("nan")])
def test_that_a_hold_is_bounded(open_bench, open_faults, seconds):
    with pytest.raises(ValueError, match="seconds to hold"):
        next(open_faults(open_bench()).hold(seconds))


@pytest.mark.parametrize(
    "wrong", [{"threads": 0}, {"threads": 65}, {"work": 61}, {"pause": -1}, {"seconds": 601}, {"work": float("nan")}]
)
def test_that_askers_are_bounded(wrong):
    with pytest.raises(ValueError, match="from"):
        Asking(**wrong)


def test_that_askers_count_by_thread_what_psycopg2_refuses(open_bench, open_faults):
    bench = open_bench("ThreadedConnectionPool", 1, 1)
    faults = open_faults(bench)
    assert "4 threads" in faults.ask(Asking(threads=4, way="hold", work=0.02, pause=0)).said
    until(lambda: all(tally.served or tally.refused for tally in faults.askers.counts()))
    until(lambda: sum(tally.refused for tally in faults.askers.counts()) > 3)
    counts = faults.askers.counts()
    assert [tally.name for tally in counts] == [f"asker {number}" for number in range(1, 5)]
    assert sum(tally.timed_out + tally.failed for tally in counts) == 0
    assert faults.stop_asking().worked
    assert faults.askers is None
    assert bench.pool.stats().used == 0


def test_that_askers_wait_in_line_at_pgpool_and_time_out_where_it_is_kept_full(open_bench, open_faults):
    bench = open_bench("PgPool", 1, 1)
    faults = open_faults(bench)
    faults.ask(Asking(threads=4, work=0.005, pause=0))
    until(lambda: all(tally.served > 3 for tally in faults.askers.counts()))
    assert sum(tally.refused + tally.timed_out for tally in faults.askers.counts()) == 0
    bench.pool.timeout = 0.05
    held = bench.pool.getconn(holder="somebody else", timeout=10)
    until(lambda: all(tally.timed_out for tally in faults.askers.counts()))
    bench.pool.putconn(held)


@pytest.mark.parametrize("kind", KINDS)
def test_that_askers_stop_at_once_in_the_midst_of_long_statements(open_bench, open_faults, kind, admin):
    bench = open_bench(kind, 2, 2)
    faults = open_faults(bench)
    faults.ask(Asking(threads=6, work=60))
    until(
        lambda: (
            admin.value("SELECT count(*) FROM pg_stat_activity WHERE query ~ 'select pg_sleep.60' AND state = 'active'")
            > 2
        )
    )
    began = time.monotonic()
    assert "stopped" in faults.stop_asking().said
    assert time.monotonic() - began < 5
    until(lambda: not threads())
    until(lambda: bench.pool.stats().used == 0)
    assert query(bench.pool) == 1
    assert not faults.stop_asking().worked


def test_that_askers_follow_the_pool_in_use_and_end_when_it_is_left(open_bench, open_faults):
    bench = open_bench("ThreadedConnectionPool", 1, 2)
    faults = open_faults(bench)
    faults.ask(Asking(threads=2, way="hold", work=0, pause=0.001))
    until(lambda: faults.askers.counts()[0].served)
    bench.open("PgPool", 1, 2)
    until(lambda: bench.pool.stats().served > 5)
    bench.close()
    until(lambda: not faults.askers.active)


def test_that_askers_end_when_their_time_is_over(open_bench):
    bench = open_bench()
    askers = Askers(lambda: bench.pool, Asking(threads=2, work=0, pause=0.001, seconds=0.1))
    until(lambda: not askers.active)
    assert all(tally.served for tally in askers.counts())


def test_that_new_askers_take_the_place_of_those_before(open_bench, open_faults):
    bench = open_bench()
    faults = open_faults(bench)
    faults.ask(Asking(threads=2, work=30))
    before = faults.askers
    faults.ask(Asking(threads=3, work=0))
    assert before.active == 0
    assert len(faults.askers.counts()) == 3


# -- the demo server ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["fast", "immediate"])
@pytest.mark.parametrize("kind", KINDS)
def test_that_a_restart_leaves_psycopg2_dead_connections_and_pgpool_none(demo, open_bench, open_faults, kind, how):
    bench = open_bench(kind, 3, 3, where=demo)
    faults = open_faults(bench)
    effect = faults.restart_server(how)
    assert how in effect.said
    outcomes = []
    for _ in range(4):
        try:
            outcomes.append(query(bench.pool))
        except psycopg2.OperationalError:
            outcomes.append(0)
    assert outcomes == ([0, 0, 0, 1] if kind == "ThreadedConnectionPool" else [1, 1, 1, 1])


def test_that_a_stopped_server_refuses_and_comes_back_on_its_port(demo, open_bench, open_faults):
    bench = open_bench("ThreadedConnectionPool", 1, 2, where=demo)
    faults = open_faults(bench)
    assert faults.stop_server().worked
    assert not faults.stop_server().worked
    with pytest.raises(psycopg2.OperationalError):
        query(bench.pool)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        query(bench.pool)
    assert "ready" in faults.start_server().said
    assert query(bench.pool) == 1
    faults.close()
    assert query(bench.pool) == 1  # the first share is still there


def test_that_no_server_but_the_demo_is_stopped(demo, open_bench, open_faults, profile, admin):
    """The worker's server is a demo server too, but of another home: to this program it is a stranger."""
    for stranger in (profile, replace(demo, port=profile.port), replace(demo, password="guessed")):
        bench = open_bench(where=profile)
        bench.profile = stranger
        faults = open_faults(bench)
        for act in (faults.stop_server, faults.start_server, faults.restart_server):
            with pytest.raises(NotTheDemo, match="only that one"):
                act()
        bench.profile = profile
    assert admin.value("SELECT 1") == 1
    with contextlib.closing(psycopg2.connect(**demo.parameters("side"))) as conn:
        assert one(conn, "SELECT 1") == 1


# -- the end --------------------------------------------------------------------------------------------------------


def test_that_close_ends_all_of_it(open_bench, profile):
    bench = open_bench("ThreadedConnectionPool", 2, 3)
    before = threads()
    faults = Faults(bench)
    faults.link(True)
    proxy = faults._link.proxy
    told = faults.hold(600, "for ever")
    next(told)
    holding = threading.Thread(target=list, args=(told,), daemon=True)
    holding.start()
    faults.ask(Asking(threads=4, work=60))
    until(lambda: bench.pool.stats().used == 3)
    faults.hole()
    began = time.monotonic()
    faults.close()
    faults.close()
    assert time.monotonic() - began < 8
    holding.join(10)
    assert not holding.is_alive()
    assert proxy.is_closed
    until(lambda: threads() == before)
    for act in (lambda: faults.terminate("idle"), lambda: faults.ask(Asking()), lambda: faults.link(True)):
        with pytest.raises(ConnectionAbortedError):
            act()
