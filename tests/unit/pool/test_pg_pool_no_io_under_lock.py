"""PgPool: nobody waits for somebody else's network, and the pool grows by what is needed."""

import threading
import time

import psycopg2
import pytest

from fix_facts import in_threads, until
from fix_fake_server import Caller, balanced
from pgexplorer.pool.errors import PoolClosed, PoolExhausted, PoolTimeout
from pgexplorer.pool.events import EventKind


class Gate:
    """Where a hook waits until the test opens it."""

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()

    def __call__(self, _):
        self.reached.set()
        assert self.opened.wait(20)


def works(pool):
    """See that somebody else is served at once."""
    conn = pool.getconn(timeout=0)
    pool.putconn(conn)
    pool.slots(), pool.waiters(), pool.insides()
    return balanced(pool)


def test_that_a_hanging_connect_keeps_nobody_from_returning_and_taking(fake_pool, fake):
    pool = fake_pool(1, 3)
    held = pool.getconn()
    gate = fake.on_connect = Gate()
    caller = Caller(pool)
    assert gate.reached.wait(10)
    pool.putconn(held)
    stats = works(pool)
    assert (stats.opening, stats.idle, stats.size) == (1, 1, 2)
    assert [str(slot.state) for slot in pool.slots()] == ["idle", "opening"]
    gate.opened.set()
    caller.got()
    assert balanced(pool, fake).used == 1


def test_that_a_waiter_is_served_by_a_return_while_its_connect_hangs(fake_pool, fake):
    pool = fake_pool(1, 3, timeout=20)
    held = pool.getconn()
    gate = fake.on_connect = Gate()
    caller = Caller(pool)
    assert gate.reached.wait(10)
    pool.putconn(held)
    assert caller.got() is held
    gate.opened.set()
    until(lambda: pool.stats().idle == 1)  # what was opened for nobody stays for the next
    balanced(pool, fake)


def test_that_a_hanging_rollback_keeps_nobody_from_returning_and_taking(fake_pool, fake):
    pool = fake_pool(2, 2)
    first, second = pool.getconn(), pool.getconn()
    first.cursor().execute("UPDATE")
    gate = fake.on_rollback = Gate()
    thread = threading.Thread(target=pool.putconn, args=(first,), daemon=True)
    thread.start()
    assert gate.reached.wait(10)
    pool.putconn(second)
    stats = works(pool)
    assert (stats.returning, stats.idle, stats.used) == (1, 1, 0)
    assert sorted(str(slot.state) for slot in pool.slots()) == ["idle", "returning"]
    gate.opened.set()
    thread.join(10)
    assert balanced(pool, fake).idle == 2


def test_that_what_is_rolled_back_across_a_drain_or_a_close_is_not_kept(fake_pool, fake):
    for order in (lambda pool: pool.drain(), lambda pool: pool.closeall()):
        pool = fake_pool(1, 1)
        conn = pool.getconn()
        conn.cursor().execute("UPDATE")
        gate = fake.on_rollback = Gate()
        thread = threading.Thread(target=pool.putconn, args=(conn,), daemon=True)
        thread.start()
        assert gate.reached.wait(10)
        order(pool)
        gate.opened.set()
        thread.join(10)
        assert conn.closed
        assert balanced(pool, fake).size == 0


def test_that_a_hanging_close_keeps_nobody_from_returning_and_taking(fake_pool, fake):
    pool = fake_pool(2, 2)
    first, second = pool.getconn(), pool.getconn()
    gate = fake.on_close = Gate()
    thread = threading.Thread(target=pool.putconn, args=(first,), kwargs={"close": True}, daemon=True)
    thread.start()
    assert gate.reached.wait(10)
    pool.putconn(second)
    assert works(pool).returning == 1
    assert pool.getconn() is second
    with pytest.raises(PoolExhausted):
        pool.getconn()
    pool.putconn(second)
    gate.opened.set()
    thread.join(10)
    assert balanced(pool, fake).idle == 1


def test_that_a_hanging_configure_keeps_nobody_from_returning_and_taking(fake_pool, fake):
    gate = Gate()
    pool = fake_pool(0, 2)
    pool.putconn(pool.getconn())
    held = pool.getconn()
    pool._configure = gate
    caller = Caller(pool)
    assert gate.reached.wait(10)
    pool.putconn(held)
    assert works(pool).opening == 1
    gate.opened.set()
    caller.got()


def test_that_waiters_are_answered_in_time_while_connecting_hangs(fake_pool, fake):
    gate = fake.on_connect = Gate()
    pool = fake_pool(0, 2)
    began = time.monotonic()
    with pytest.raises(PoolTimeout):
        pool.getconn(timeout=0.05)
    assert time.monotonic() - began < 5
    gate.opened.set()
    until(lambda: pool.stats().idle == 1)


def test_that_a_connect_that_ends_after_closing_is_closed(fake_pool, fake):
    gate = fake.on_connect = Gate()
    pool = fake_pool(0, 2)
    waiter, own = Caller(pool, timeout=20), Caller(pool)
    until(lambda: pool.stats().opening == 2)
    pool.closeall()
    gate.opened.set()
    for caller in (waiter, own):
        with pytest.raises(PoolClosed):
            caller.got()
    until(lambda: balanced(pool).size == 0)
    assert fake.open == {}
    assert pool.stats().opened == pool.stats().closed == 2


def test_that_growth_widens_by_one_two_four_while_nothing_comes_home(fake_pool, fake):
    rounds = threading.Semaphore(0)
    fake.on_connect = lambda _: rounds.acquire(timeout=20)
    pool = fake_pool(0, 50, timeout=20)
    callers = [Caller(pool) for _ in range(40)]
    until(lambda: pool.stats().waiting == 40)
    seen = []
    while pool.stats().waiting:
        opening = pool.stats().opening
        seen.append(opening)
        served = pool.stats().served
        rounds.release(opening)
        until(lambda: pool.stats().served == served + opening)  # noqa: B023
    for caller in callers:
        caller.got()
    assert seen[0] == 1
    assert seen[1] == 2
    assert len(seen) <= 6, seen
    assert seen[:-1] == sorted(seen[:-1]), seen
    assert balanced(pool).served == 40


def test_that_growth_stays_narrow_while_connections_come_home(fake_pool, fake):
    step = threading.Semaphore(0)
    pool = fake_pool(1, 50, timeout=20)
    conn = pool.getconn()
    fake.on_connect = lambda _: step.acquire(timeout=20)
    callers = [Caller(pool, holder=str(number)) for number in range(10)]
    until(lambda: pool.stats().waiting == 10)
    for turn in range(3):
        until(lambda: len(fake.given) == 2 + turn)  # noqa: B023
        served = pool.stats().served
        pool.putconn(conn)
        until(lambda: pool.stats().served == served + 1)  # noqa: B023
        until(lambda: any(caller.conn is conn for caller in callers))
        step.release()
        until(lambda: pool.stats().served == served + 2)  # noqa: B023
        assert pool.stats().opening == 1
    step.release(50)
    for caller in callers:
        caller.got()


def test_that_a_spike_of_short_holds_opens_few_connections(fake_pool, fake):
    pool = fake_pool(5, 50, timeout=20, stacks=False)
    fake.on_connect = lambda _: threading.Event().wait(0.15)
    began = time.monotonic()

    def work(_):
        conn = pool.getconn()
        threading.Event().wait(0.002)
        pool.putconn(conn)
        return time.monotonic() - began

    took = in_threads(50, work)
    until(lambda: pool.stats().opening == 0)
    assert fake.connects - 5 <= 3
    assert max(took) < 1  # it is 0.03 s on a quiet machine; one connect at a time would take 6.8 s
    assert balanced(pool, fake).served == 50


def test_that_a_spike_of_long_holds_is_served_by_ever_more_connects(fake_pool, fake):
    """Fifty who keep what they get: connects of 30 ms, one at a time, would take 1.35 s."""
    pool = fake_pool(5, 50, timeout=20, stacks=False)
    fake.on_connect = lambda _: threading.Event().wait(0.03)
    began = time.monotonic()
    conns = in_threads(50, lambda _: pool.getconn())
    took = time.monotonic() - began
    assert len(set(map(id, conns))) == 50
    assert took < 0.9, took
    assert balanced(pool, fake).used == 50


def test_that_failing_connects_are_tried_with_pauses_and_recover(fake_pool, fake):
    is_down = True

    def on_connect(_):
        if is_down:
            raise psycopg2.OperationalError("connection refused")

    fake.on_connect = on_connect
    pool = fake_pool(0, 8, timeout=20)
    with pytest.raises(PoolTimeout, match="connecting fails: connection refused"):
        pool.getconn(timeout=0.6)
    assert 2 <= len(fake.given) <= 6  # 0, 0.05, 0.15, 0.35 and 0.75 s or a little later, not thousands
    callers = [Caller(pool) for _ in range(4)]
    until(lambda: pool.stats().waiting == 4)
    is_down = False
    for caller in callers:
        caller.got()
    stats = balanced(pool, fake)
    assert (stats.used, stats.waiting, stats.failed) == (4, 0, len(fake.given) - fake.connects)
    failures = [event for event in pool.events.since(0)[0] if event.kind is EventKind.CONNECT_FAILED]
    assert {event.detail for event in failures} == {"connection refused"}


def test_that_connects_that_fail_together_lengthen_the_pause_once(fake_pool, fake):
    first, later = Gate(), Gate()

    def on_connect(server):
        if len(server.given) > 4:
            later(server)
            return
        first(server)
        raise psycopg2.OperationalError("connection refused")

    fake.on_connect = on_connect
    pool = fake_pool(0, 4, timeout=20)
    pool._width = 4
    callers = [Caller(pool) for _ in range(4)]
    until(lambda: len(fake.given) == 4)
    first.opened.set()
    assert later.reached.wait(10)
    until(lambda: pool.stats().failed == 4)
    assert pool._failures == 1
    later.opened.set()
    for caller in callers:
        caller.got()
    assert pool._failures == 0


def test_that_without_a_timeout_a_failing_connect_raises_its_own_error_and_frees_the_place(fake_pool, fake):
    pool = fake_pool(0, 1)
    refusal = psycopg2.OperationalError("no room at the server")

    def refuse(_):
        raise refusal

    fake.on_connect = refuse
    for _ in range(3):
        with pytest.raises(psycopg2.OperationalError) as raised:
            pool.getconn()
        assert raised.value is refusal
        assert balanced(pool, fake).size == 0
    fake.on_connect = lambda _: None
    pool.putconn(pool.getconn())
    assert balanced(pool, fake).idle == 1


def test_that_any_error_of_connecting_frees_the_place(fake_pool, fake):
    pool = fake_pool(0, 1)

    def stop(_):
        raise SystemExit

    fake.on_connect = stop
    with pytest.raises(SystemExit):
        pool.getconn()
    with pytest.raises(PoolTimeout, match="connecting fails: SystemExit"):
        pool.getconn(timeout=0.3)
    assert balanced(pool, fake).size == 0
    fake.on_connect = lambda _: None
    assert pool.getconn(timeout=20)


def test_that_a_machine_without_threads_to_spare_loses_no_place(fake_pool, fake, monkeypatch):
    pool = fake_pool(0, 1)
    start = threading.Thread.start

    def refuse(thread):
        if thread.name == "pool growth":
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        with pytest.raises(PoolTimeout, match="can't start new thread"):
            pool.getconn(timeout=0.2)
    assert balanced(pool, fake).size == 0
    assert pool.getconn(timeout=20)


def test_that_a_new_connection_in_the_memory_of_a_dropped_one_is_not_mistaken_for_it(fake_pool, fake):
    """id() is given again: an unnoticed drop must not take the newcomer's slot with it."""
    pool = fake_pool(0, 3)
    for _ in range(200):
        slot = pool._reserve()
        dropped = pool.getconn()
        del dropped
        conn = pool._opened_for(slot, None, "", 0.0)
        assert balanced(pool, fake).used == 1
        pool.putconn(conn, close=True)
    assert balanced(pool, fake).size == 0
