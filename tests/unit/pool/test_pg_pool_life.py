"""PgPool: how connections come home, how long they live, and what becomes of what is dropped."""

import gc
import threading
import time
import weakref

import psycopg2
import pytest
from psycopg2 import extensions as ext

from fix_facts import until
from fix_fake_server import Caller, FakeConnection, balanced, past
from pgexplorer.pool.errors import NotFromThisPool, PoolClosed, PoolExhausted
from pgexplorer.pool.events import EventKind
from pgexplorer.pool.pg_pool import PgPool


def kinds(pool):
    return [event.kind for event in pool.events.since(0)[0]]


def told(pool, kind):
    return [event for event in pool.events.since(0)[0] if event.kind is kind]


# -- coming home ------------------------------------------------------------------------------------------------


def test_that_a_transaction_is_rolled_back_and_a_clean_connection_costs_nothing(fake_pool, fake):
    pool = fake_pool(1, 1)
    rolled = []
    fake.on_rollback = rolled.append
    conn = pool.getconn()
    pool.putconn(conn)
    assert rolled == []
    pool.getconn()
    conn.cursor().execute("UPDATE")
    pool.putconn(conn)
    assert rolled == [conn]
    assert balanced(pool, fake).idle == 1


@pytest.mark.parametrize("error", [psycopg2.OperationalError("gone"), RuntimeError("a user's rollback")])
def test_that_a_failing_rollback_frees_the_slot_and_serves_who_waits(fake_pool, fake, error):
    def fail(_):
        raise error

    pool = fake_pool(1, 1)
    conn = pool.getconn()
    conn.cursor().execute("UPDATE")
    caller = Caller(pool, timeout=20)
    until(lambda: pool.stats().waiting == 1)
    fake.on_rollback = fail
    pool.putconn(conn)
    assert caller.got() is not conn
    assert conn.closed
    stats = balanced(pool, fake)
    assert (stats.failed, stats.used, stats.size) == (1, 1, 1)
    [event] = told(pool, EventKind.RETURN_FAILED)
    assert event.detail == str(error)


def test_that_an_interrupted_rollback_frees_the_slot_too(fake_pool, fake):
    def interrupt(_):
        raise KeyboardInterrupt

    pool = fake_pool(1, 1)
    conn = pool.getconn()
    conn.cursor().execute("UPDATE")
    fake.on_rollback = interrupt
    with pytest.raises(KeyboardInterrupt):
        pool.putconn(conn)
    assert balanced(pool, fake).size == 0


def test_that_a_connection_killed_in_a_transaction_frees_the_slot(fake_pool, fake):
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    conn.cursor().execute("UPDATE")
    fake.kill(conn.pid)
    pool.putconn(conn)
    assert balanced(pool, fake).size == 0
    assert pool.getconn() is not conn


def test_that_a_running_connection_is_cut_not_waited_for_and_its_backend_ended(fake_pool, fake):
    """As when a thread gives back what another still uses."""
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    fake.is_silent = True
    failed = []

    def run():
        conn.status = ext.TRANSACTION_STATUS_ACTIVE
        with pytest.raises(psycopg2.OperationalError):
            conn.cursor().execute("SELECT pg_sleep(1000)")
        failed.append(True)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: conn.status == ext.TRANSACTION_STATUS_ACTIVE)
    fake.on_close = lambda conn: thread.join(10)  # as psycopg2's close(), which waits for the statement
    pid = conn.pid
    fake.on_connect = lambda _: setattr(fake, "is_silent", False)
    pool.putconn(conn)
    assert failed
    until(lambda: fake.terminated == [pid])
    stats = balanced(pool)
    assert (stats.used, stats.returning, stats.size) == (0, 0, 0)
    assert pid not in fake.open


def test_that_the_server_is_asked_to_end_what_was_cut(fake_pool, fake):
    pool = fake_pool(1, 2)
    conns = [pool.getconn(), pool.getconn()]
    for conn in conns:
        conn.status = ext.TRANSACTION_STATUS_ACTIVE
        pool.putconn(conn)
    until(lambda: sorted(fake.terminated) == sorted(conn.pid for conn in conns))
    until(lambda: not fake.open)  # what was opened for that is closed
    assert balanced(pool, fake).size == 0
    assert "connection_factory" not in fake.given[-1][1]


@pytest.mark.parametrize("how", ["close=True", "closed by its holder", "lost"])
def test_that_what_comes_home_to_be_closed_makes_room_for_who_waits(fake_pool, fake, how):
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    caller = Caller(pool, timeout=20)
    until(lambda: pool.stats().waiting == 1)
    if how == "closed by its holder":
        conn.close()
    elif how == "lost":
        fake.kill(conn.pid)
        with pytest.raises(psycopg2.OperationalError):
            conn.cursor().execute("SELECT 1")
    pool.putconn(conn, close=how == "close=True")
    assert caller.got() is not conn
    stats = balanced(pool, fake)
    assert (stats.used, stats.opened, stats.closed) == (1, 2, 1)


def test_that_strangers_and_second_returns_are_refused_by_name(fake_pool, fake):
    pool, other = fake_pool(1, 2), fake_pool(1, 2)
    conn, foreign = pool.getconn(), other.getconn()
    with pytest.raises(NotFromThisPool, match="trying to put unkeyed connection: it is not out of this pool"):
        pool.putconn(foreign)
    pool.putconn(conn)
    with pytest.raises(NotFromThisPool, match="trying to put unkeyed connection: it was returned before"):
        pool.putconn(conn)
    with pytest.raises(NotFromThisPool):
        pool.putconn()
    with pytest.raises(NotFromThisPool):
        pool.putconn(key="never")
    assert not foreign.closed
    assert not conn.closed
    assert (balanced(pool).idle, balanced(other).used) == (1, 1)


@pytest.mark.parametrize(("reset", "said"), [("rollback", []), ("discard", ["DISCARD ALL", "DISCARD ALL"]), (None, [])])
def test_that_reset_says_what_a_connection_gets_on_its_way_home(fake_pool, fake, reset, said):
    pool = fake_pool(1, 1, reset=reset)
    conn = pool.getconn()
    pool.putconn(conn)
    pool.getconn()
    conn.status = ext.TRANSACTION_STATUS_INTRANS
    pool.putconn(conn)
    assert [text for _, text in fake.said] == said
    assert (conn.status == ext.TRANSACTION_STATUS_INTRANS) is (reset is None)
    assert balanced(pool, fake).idle == 1


def test_that_configure_is_called_once_for_each_new_connection_and_again_after_a_discard(fake_pool, fake):
    seen = []

    def configure(conn):
        seen.append(conn.pid)
        conn.cursor().execute("SET x")

    pool = fake_pool(2, 3, configure=configure)
    conns = [pool.getconn() for _ in range(3)]
    assert seen == sorted(conn.pid for conn in conns)
    assert all(conn.status == ext.TRANSACTION_STATUS_IDLE for conn in conns)
    pool.putconn(conns[0])
    assert pool.getconn() is conns[0]
    assert len(seen) == 3
    again = fake_pool(1, 1, configure=configure, reset="discard")
    again.putconn(again.getconn())
    assert [text for pid, text in fake.said if pid == seen[-1]] == ["SET x", "DISCARD ALL", "SET x"]


def test_that_a_failing_configure_raises_closes_and_frees_the_place(fake_pool, fake):
    pool = fake_pool(0, 1)

    def fail(_):
        raise ValueError("not configured")

    pool._configure = fail
    for _ in range(2):
        with pytest.raises(ValueError, match="not configured"):
            pool.getconn()
    assert balanced(pool, fake).size == 0
    with pytest.raises(ValueError, match="not configured"):
        PgPool(1, 1, connect=fake.connect, configure=fail)
    assert fake.open == {}


# -- how long they live -----------------------------------------------------------------------------------------


def test_that_six_stale_connections_cost_no_failed_query_and_one_connect(fake_pool, fake):
    pool = fake_pool(6, 6)
    fake.kill_all()
    past(pool)
    conn = pool.getconn()
    conn.cursor().execute("SELECT 1")
    assert fake.connects == 7
    stats = balanced(pool, fake)
    assert (stats.lost, stats.size, stats.served) == (6, 1, 1)
    assert len(told(pool, EventKind.LOST)) == 6


def test_that_waiting_callers_meet_no_stale_connection_either(fake_pool, fake):
    pool = fake_pool(6, 6, timeout=20)
    fake.kill_all()
    past(pool)
    callers = [Caller(pool) for _ in range(6)]
    for caller in callers:
        caller.got().cursor().execute("SELECT 1")
    stats = balanced(pool, fake)
    assert (stats.used, stats.served, stats.waiting) == (6, 6, 0)


def test_that_a_connection_that_dies_while_idle_is_noticed_though_nobody_asks_for_it(fake_pool, fake):
    pool = fake_pool(2, 2, timeout=20)
    dead, alive = list(fake.open)
    fake.kill(dead)
    pool.tend(time.monotonic())
    stats = balanced(pool, fake)
    assert (stats.idle, stats.lost, stats.size) == (1, 1, 1)
    assert [slot.pid for slot in pool.slots()] == [alive]
    assert [event.pid for event in told(pool, EventKind.LOST)] == [dead]


def test_that_a_connection_that_was_sent_a_notice_stays_idle(fake_pool, fake):
    pool = fake_pool(1, 1)
    [slot] = pool._idle
    answers = iter([True])
    slot.poller = lambda: next(answers, False)
    pool.tend(time.monotonic())
    assert pool._idle == [slot]
    assert balanced(pool, fake).lost == 0


def test_that_the_first_dead_one_puts_the_others_under_suspicion_once(fake_pool, fake):
    pool = fake_pool(3, 3)
    first = pool.getconn()
    fake.kill(first.pid)
    pool.putconn(first)
    past(pool)
    conns = [pool.getconn(), pool.getconn()]
    pings = [pid for pid, text in fake.said if text == "SELECT 1"]
    assert sorted(pings) == sorted(conn.pid for conn in conns)
    assert fake.connects == 3
    for conn in conns:
        pool.putconn(conn)
    pool.getconn()
    assert len(fake.said) == 2
    assert pool.stats().lost == 1


def test_that_a_connection_seen_alive_within_a_millisecond_is_not_looked_at_again(fake_pool):
    pool = fake_pool(1, 1)
    slot = pool._idle[0]
    looks = []
    slot.poller = lambda: looks.append(1)
    slot.seen_at = time.monotonic() + 60  # as if seen just now, however slow this machine is
    for _ in range(3):
        pool.putconn(pool.getconn())
    assert looks == []
    slot.seen_at = time.monotonic() - 0.002
    pool.putconn(pool.getconn())
    assert looks == [1]
    assert slot.seen_at > slot.opened_at


def test_that_whoever_wants_every_connection_asked_gets_every_connection_asked(fake_pool, fake):
    pool = fake_pool(1, 1, ping_after=0)
    for _ in range(3):
        pool.putconn(pool.getconn())
    assert [text for _, text in fake.said] == ["SELECT 1"] * 3


def test_that_a_connection_idle_for_long_is_asked_first(fake_pool, fake):
    pool = fake_pool(1, 1, ping_after=30)
    conn = pool.getconn()
    pool.putconn(conn)
    past(pool, 29)
    pool.putconn(pool.getconn())
    assert fake.said == []
    past(pool, 31)
    assert pool.getconn() is conn
    assert [text for _, text in fake.said] == ["SELECT 1"]
    assert conn.autocommit is False
    assert conn.status == ext.TRANSACTION_STATUS_IDLE


def test_that_a_question_without_an_answer_ends_in_time_and_the_others_are_not_asked(fake_pool, fake):
    pool = fake_pool(4, 4, ping_after=-1, ping_timeout=0.1)
    fake.is_silent = True
    began = time.monotonic()
    conn = pool.getconn()
    assert time.monotonic() - began < 1.1
    assert conn.pid == 1004
    assert len(told(pool, EventKind.LOST)) == 1
    assert told(pool, EventKind.LOST)[0].detail == "no answer"
    assert balanced(pool, fake).size == 4


def test_that_an_answer_after_the_link_was_cut_is_not_believed(fake_pool, fake):
    """The keeper cut just as the answer came: such a connection must not be lent."""
    pool = fake_pool(1, 1, ping_after=-1)
    conn = pool._idle[0].conn
    execute = pool._keeper._guarded.clear  # as if the keeper had taken it in this moment

    def answered(_):
        execute()

    fake.said = type("Said", (list,), {"append": lambda self, said: answered(said)})()
    assert pool.getconn() is not conn


def test_that_a_connection_past_max_lifetime_is_replaced_at_check_out_and_is_not_lost(fake_pool, fake):
    pool = fake_pool(1, 1, max_lifetime=100)
    slot = pool._idle[0]
    assert 90 <= slot.expires_at - slot.opened_at <= 100
    conn = slot.conn
    slot.expires_at = time.monotonic() - 1
    new = pool.getconn()
    assert new is not conn
    assert conn.closed
    stats = balanced(pool, fake)
    assert (stats.lost, stats.served, stats.opened, stats.closed) == (0, 1, 2, 1)
    assert [event.detail for event in told(pool, EventKind.CLOSED)] == ["drained or too old"]


def test_that_lifetimes_of_connections_opened_together_differ(fake_pool):
    pool = fake_pool(20, 20, max_lifetime=100)
    ends = {round(slot.expires_at - slot.opened_at, 3) for slot in pool._idle}
    assert len(ends) > 10


def test_that_a_connection_past_max_lifetime_is_replaced_when_it_comes_home(fake_pool, fake):
    pool = fake_pool(1, 1, max_lifetime=100)
    conn = pool.getconn()
    conn.slot.expires_at = 0.0
    pool.putconn(conn)
    assert conn.closed
    assert balanced(pool, fake).size == 0


def test_that_idle_connections_are_closed_after_idle_timeout_but_never_below_minconn(fake_pool, fake):
    pool = fake_pool(2, 6, idle_timeout=60)
    conns = [pool.getconn() for _ in range(6)]
    for conn in conns[:5]:
        pool.putconn(conn)
    pool.tend(time.monotonic() + 59)
    assert pool.stats().idle == 5
    pool.tend(time.monotonic() + 61)
    stats = balanced(pool, fake)
    assert (stats.idle, stats.used) == (1, 1)
    assert pool.getconn() is conns[4]
    pool.tend(time.monotonic() + 1000)
    assert balanced(pool, fake).size == 2


def test_that_the_keeper_closes_any_too_old_connection_not_just_the_one_idle_for_longest(fake_pool, fake):
    pool = fake_pool(0, 3, idle_timeout=None)
    conns = [pool.getconn() for _ in range(3)]
    for conn in conns:
        pool.putconn(conn)
    pool._idle[1].expires_at = time.monotonic()
    pool.tend(time.monotonic() + 1)
    assert [conn.closed for conn in conns] == [0, 1, 0]
    assert balanced(pool, fake).idle == 2


def test_that_no_more_than_max_idle_stay_open(fake_pool, fake):
    pool = fake_pool(1, 5, max_idle=2)
    conns = [pool.getconn() for _ in range(5)]
    for conn in conns:
        pool.putconn(conn)
    stats = balanced(pool, fake)
    assert (stats.idle, stats.used, stats.returning, stats.closed) == (2, 0, 0, 3)


def test_that_resizing_up_serves_who_waits_and_down_closes_what_is_too_much(fake_pool, fake):
    pool = fake_pool(1, 1)
    held = [pool.getconn()]
    callers = [Caller(pool, timeout=20) for _ in range(3)]
    until(lambda: pool.stats().waiting == 3)
    pool.resize(1, 4)
    held += [caller.got() for caller in callers]
    pool.resize(1, 2)
    waiting = Caller(pool, timeout=20)
    until(lambda: pool.stats().waiting == 1)
    assert balanced(pool, fake).used == 4  # nobody is robbed
    pool.putconn(held[0])
    pool.putconn(held[1])
    assert balanced(pool, fake).size == 2
    assert waiting.is_alive()
    pool.putconn(held[2])
    assert waiting.got() is held[2]
    pool.putconn(held[2])
    pool.putconn(held[3])
    assert balanced(pool, fake).idle == 2
    pool.resize(0, 1)
    assert balanced(pool, fake).idle == 1
    with pytest.raises(ValueError, match="0 <= minconn"):
        pool.resize(3, 2)
    assert (pool.minconn, pool.maxconn) == (0, 1)


def test_that_a_full_pool_that_shrank_refuses_until_there_is_room_again(fake_pool, fake):
    pool = fake_pool(0, 3)
    held = [pool.getconn() for _ in range(3)]
    pool.resize(0, 1)
    for conn in held[:2]:
        pool.putconn(conn)
        with pytest.raises(PoolExhausted):
            pool.getconn()
    pool.putconn(held[2])
    assert pool.getconn() is held[2]
    assert balanced(pool, fake).size == 1


def test_that_draining_replaces_every_connection_as_it_comes_home(fake_pool, fake):
    pool = fake_pool(2, 3)
    held = pool.getconn()
    idle = pool._idle[0].conn
    pool.drain()
    assert idle.closed
    assert not held.closed
    pool.putconn(held)
    assert held.closed
    assert balanced(pool, fake).size == 0
    new = pool.getconn()
    pool.putconn(new)
    assert pool.getconn() is new
    assert pool.stats().lost == 0


def test_that_draining_with_waiters_serves_them_with_new_connections(fake_pool, fake):
    pool = fake_pool(1, 1)
    held = pool.getconn()
    caller = Caller(pool, timeout=20)
    until(lambda: pool.stats().waiting == 1)
    pool.drain()
    pool.putconn(held)
    assert caller.got() is not held
    assert balanced(pool, fake).used == 1


def test_that_a_connection_opened_across_a_drain_is_replaced_before_it_is_lent(fake_pool, fake):
    opened, go_on = threading.Event(), threading.Event()

    def slow(_):
        opened.set()
        go_on.wait(20)

    pool = fake_pool(0, 1)
    fake.on_connect = slow
    caller = Caller(pool, timeout=20)
    opened.wait(10)
    pool.drain()
    go_on.set()
    assert caller.got().pid == 1001
    assert balanced(pool, fake).size == 1


# -- who holds what, and what is dropped ------------------------------------------------------------------------


def test_that_a_long_hold_is_told_with_its_stack_and_so_is_its_end(fake_pool):
    pool = fake_pool(1, 1, leak_after=30)

    def careless():
        return pool.getconn(holder="the report")

    conn = careless()
    pool.tend(time.monotonic() + 29)
    assert EventKind.HELD_LONG not in kinds(pool)
    pool.tend(time.monotonic() + 31)
    pool.tend(time.monotonic() + 40)
    [event] = told(pool, EventKind.HELD_LONG)
    assert event.holder == "the report"
    assert event.took > 30
    assert "careless" in event.detail.splitlines()[0]
    pool.putconn(conn)
    assert [event.holder for event in told(pool, EventKind.CAME_BACK)] == ["the report"]
    pool.putconn(pool.getconn())
    assert len(told(pool, EventKind.CAME_BACK)) == 1


def test_that_a_dropped_connection_closes_frees_its_slot_and_serves_who_waits(fake_pool, fake):
    pool = fake_pool(1, 1)

    def careless():
        conn = pool.getconn("key", holder="careless")
        conn.cursor().execute("UPDATE")

    careless()
    assert fake.open == {}
    caller = Caller(pool, timeout=20)
    caller.got()
    [event] = told(pool, EventKind.DROPPED)
    assert event.holder == "careless"
    assert "careless" in event.detail
    stats = balanced(pool, fake)
    assert (stats.lost, stats.used, stats.size) == (1, 1, 1)
    assert set(pool._used) != {"key"}


def test_that_one_who_waits_notices_a_drop(fake_pool, fake):
    pool = fake_pool(1, 1)
    held = [pool.getconn()]
    caller = Caller(pool, timeout=20)
    until(lambda: pool.stats().waiting == 1)
    held.clear()
    caller.got()
    assert balanced(pool, fake).used == 1


def test_that_no_circle_of_references_keeps_a_connection(fake):
    """Neither of a pool that is forgotten, nor of one that is closed: without the collector's help."""
    gc.collect()
    gc.disable()
    try:
        pool = PgPool(2, 4, connect=fake.connect)
        held = [pool.getconn() for _ in range(4)]
        with pytest.raises(PoolExhausted):
            pool.getconn()
        for conn in held:
            conn.cursor().execute("UPDATE")
            pool.putconn(conn)
        with pool.connection() as lease:
            lease.cursor()
        refs = [weakref.ref(conn) for conn in held]
        del conn, held, lease
        forgotten = weakref.ref(pool)
        del pool
        until(lambda: forgotten() is None)
        assert [ref() for ref in refs] == [None] * 4
        assert fake.open == {}
    finally:
        gc.enable()


def test_that_a_forgotten_pool_ends_its_keeper(fake):
    pool = PgPool(1, 2, connect=fake.connect)
    pool.putconn(pool.getconn())
    keeper = pool._keeper._thread
    assert keeper.is_alive()
    del pool
    until(lambda: not keeper.is_alive())
    assert fake.open == {}


def test_that_a_closed_pool_ends_its_keeper_at_once(fake_pool):
    pool = fake_pool(1, 2)
    keeper = pool._keeper._thread
    pool.closeall()
    until(lambda: not keeper.is_alive(), seconds=5)


def test_that_a_check_in_is_told_before_the_next_check_out_and_under_its_own_name(fake_pool):
    pool = fake_pool(1, 1)
    conn = pool.getconn(holder="first")
    caller = Caller(pool, timeout=20, holder="second")
    until(lambda: pool.stats().waiting == 1)
    pool.putconn(conn)
    caller.got()
    events = [event for event in pool.events.since(0)[0] if event.kind in {EventKind.CHECKED_IN, EventKind.CHECKED_OUT}]
    assert [(str(event.kind), event.holder) for event in events] == [
        ("checked out", "first"),
        ("checked in", "first"),
        ("checked out", "second"),
    ]


def test_that_closing_with_holders_closes_what_they_have_as_it_comes_home(fake_pool, fake):
    pool = fake_pool(2, 3)
    held = pool.getconn()
    held.cursor().execute("UPDATE")
    rolled = []
    fake.on_rollback = rolled.append
    pool.closeall()
    assert [event.kind for event in pool.events.since(0)[0]][-1] is EventKind.POOL_CLOSED
    assert balanced(pool, fake).used == 1
    pool.putconn(held)
    assert held.closed
    assert rolled == []
    assert balanced(pool, fake).size == 0
    with pytest.raises(PoolClosed):
        pool.getconn()


def test_that_a_users_connect_is_given_every_argument_and_a_connection_class(fake_pool, fake):
    fake_pool(1, 1, dsn="host=nowhere", sslmode="require")
    [(args, kwargs)] = fake.given
    assert args == ()
    assert kwargs.pop("connection_factory").__name__ == "LeasedConnection"
    assert kwargs == {"dsn": "host=nowhere", "sslmode": "require"}
    assert FakeConnection.lease == 0
