"""PgPool: waiting in order, being handed a connection directly, and giving up without a trace."""

import contextlib
import ctypes
import itertools
import queue as queues
import random
import threading
import time

import pytest
from psycopg2.pool import PoolError

from fix_facts import in_threads, until
from fix_fake_server import Caller, balanced
from pgexplorer.pool.errors import PoolClosed, PoolExhausted, PoolTimeout, TooManyWaiting
from pgexplorer.pool.events import EventKind


def waiting(pool, count):
    until(lambda: pool.stats().waiting == count)


def queue(pool, count, **options):
    """Return *count* callers that wait in the order in which they stand here."""
    before = pool.stats().waiting
    callers = []
    for number in range(count):
        callers.append(Caller(pool, holder=f"caller {number}", **({"timeout": 20} | options)))
        waiting(pool, before + number + 1)
    return callers


def test_that_a_returned_connection_goes_to_the_longest_waiter(fake_pool, fake):
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    callers = queue(pool, 5)
    for served, caller in enumerate(callers):
        pool.putconn(conn)
        assert caller.got() is conn
        assert [each.is_alive() for each in callers] == [False] * (served + 1) + [True] * (4 - served)
    pool.putconn(conn)
    assert balanced(pool, fake).served == 6
    assert fake.connects == 1


def test_that_nobody_overtakes_who_waits(fake_pool):
    """The connection is the waiter's from the moment of its return, although the waiter has not run yet."""
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    [caller] = queue(pool, 1)
    pool.putconn(conn)
    with pytest.raises(PoolExhausted):
        pool.getconn()
    with pytest.raises(PoolTimeout):
        pool.getconn(timeout=0.01)
    assert caller.got() is conn


def test_that_a_newcomer_does_not_take_an_idle_connection_while_others_wait(fake_pool):
    pool = fake_pool(2, 2, timeout=5)
    first, second = pool.getconn(), pool.getconn()
    callers = queue(pool, 3)
    pool.putconn(first)
    newcomer = Caller(pool, timeout=20)
    pool.putconn(second)
    assert {id(callers[0].got()), id(callers[1].got())} == {id(first), id(second)}
    waiting(pool, 2)
    pool.putconn(callers[0].got())
    assert callers[2].got() is callers[0].got()
    assert newcomer.is_alive()
    pool.putconn(callers[1].got())
    newcomer.got()


def test_that_a_waiter_who_gives_up_leaves_no_trace(fake_pool, fake):
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    with pytest.raises(PoolTimeout):
        pool.getconn(timeout=0.02)
    [patient] = queue(pool, 1)
    stats = balanced(pool, fake)
    assert (stats.waiting, stats.timed_out, stats.used, stats.served) == (1, 1, 1, 1)
    assert [waiter.holder for waiter in pool.waiters()] == ["caller 0"]
    pool.putconn(conn)
    assert patient.got() is conn
    pool.putconn(conn)
    stats = balanced(pool, fake)
    assert (stats.waiting, stats.idle, stats.used) == (0, 1, 0)
    assert pool.waiters() == ()


def test_that_one_who_gives_up_in_the_middle_does_not_disturb_the_order(fake_pool):
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    first = Caller(pool, timeout=20)
    waiting(pool, 1)
    short = Caller(pool, timeout=0.2)
    waiting(pool, 2)
    last = Caller(pool, timeout=20)
    waiting(pool, 3)
    with pytest.raises(PoolTimeout):
        short.got()
    pool.putconn(conn)
    assert first.got() is conn
    assert last.is_alive()
    pool.putconn(conn)
    assert last.got() is conn


def test_that_as_many_may_wait_as_max_waiting_says_and_those_for_whom_there_is_room_do_not_count(fake_pool, fake):
    opening, go_on = threading.Semaphore(0), threading.Event()

    def slow(_):
        opening.release()
        go_on.wait(20)

    fake.on_connect = slow
    pool = fake_pool(0, 2, max_waiting=1, timeout=20)
    callers = queue(pool, 3)  # two for whom there is room, one who really waits
    opening.acquire()
    with pytest.raises(TooManyWaiting, match="3 wait already: pool of 2, 0 in use, 3 waiting"):
        pool.getconn()
    assert pool.stats().too_many == 1
    go_on.set()
    served = until(lambda: [caller for caller in callers if caller.conn is not None][1:])
    pool.putconn(served[0].conn)
    for caller in callers:
        caller.got()


def test_that_a_timeout_names_the_pool_its_size_who_waits_and_the_longest_holder(fake_pool):
    pool = fake_pool(1, 2, name="orders")
    held = [pool.getconn(holder="the report"), pool.getconn(holder="the import")]
    [other] = queue(pool, 1)
    with pytest.raises(PoolTimeout) as refused:
        pool.getconn(timeout=0.01)
    text = str(refused.value)
    assert text.startswith("no connection within 0.01 s: ")
    assert 'pool "orders" of 2, 2 in use, 1 waiting; longest held: the report for 0.' in text
    with pytest.raises(PoolExhausted, match='connection pool exhausted: pool "orders" of 2, 2 in use, 1 waiting'):
        pool.getconn(timeout=0)
    assert isinstance(refused.value, PoolError)
    pool.putconn(held[0])
    other.got()


def test_that_without_a_holders_name_the_thread_is_named(fake_pool):
    pool = fake_pool(1, 1)
    held = Caller(pool, thread="night shift")
    held.got()
    with pytest.raises(PoolExhausted, match="longest held: night shift for"):
        pool.getconn()


def test_that_the_queue_says_who_waits_since_when_until_when_and_for_whom(fake_pool):
    pool = fake_pool(0, 2)
    first, second = pool.getconn(holder="first"), pool.getconn(holder="second")
    queue(pool, 3, timeout=15)
    waiters = pool.waiters()
    assert [waiter.place for waiter in waiters] == [1, 2, 3]
    assert [waiter.holder for waiter in waiters] == ["caller 0", "caller 1", "caller 2"]
    assert [waiter.waits_for for waiter in waiters] == ["#1 first", "#2 second", "#1 first"]
    assert [waiter.deadline - waiter.since for waiter in waiters] == pytest.approx([15, 15, 15])
    assert waiters[0].since <= waiters[1].since <= waiters[2].since
    assert "fix_fake_server.py" in waiters[0].stack[0]
    assert all(waiter.holds == () for waiter in waiters)
    pool.closeall()
    pool.putconn(first)
    pool.putconn(second)


def test_that_a_thread_that_holds_and_waits_is_told_apart_from_one_of_the_same_name(fake_pool):
    pool = fake_pool(0, 1)

    def hold_and_wait():
        outer = pool.getconn(holder="outer")
        with pytest.raises(PoolClosed):
            pool.getconn(timeout=20, holder="inner")
        pool.putconn(outer)

    thread = threading.Thread(target=hold_and_wait, name="twin", daemon=True)
    thread.start()
    waiting(pool, 1)
    Caller(pool, thread="twin", timeout=20, holder="stranger")
    waiting(pool, 2)
    seen = {waiter.holder: waiter.holds for waiter in pool.waiters()}
    assert seen == {"inner": (1,), "stranger": ()}
    [inner, _] = pool.waiters()
    assert "hold_and_wait" in inner.stack[0]
    assert "hold_and_wait" in pool.slots()[0].stack[0]
    pool.closeall()
    thread.join(10)
    assert not thread.is_alive()


def test_that_closing_tells_everybody_who_waits(fake_pool, fake):
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    callers = queue(pool, 4)
    pool.closeall()
    for caller in callers:
        with pytest.raises(PoolClosed, match="connection pool is closed"):
            caller.got()
    with pytest.raises(PoolClosed):
        pool.getconn(timeout=1)
    assert not conn.closed
    pool.putconn(conn)
    assert conn.closed
    stats = balanced(pool, fake)
    assert (stats.size, stats.waiting, stats.timed_out, stats.is_closed) == (0, 0, 0, True)


def test_that_the_race_of_giving_up_and_being_served_loses_no_connection(fake_pool, fake):
    """Holders give back just when the waiter's time is over; whichever wins, the connection is somewhere."""
    pool = fake_pool(1, 1, stacks=False)
    served, gave_up = [], []
    end = time.monotonic() + 15

    def work(number):
        for number_of_rounds in itertools.count():
            enough = number_of_rounds >= 100 and min(len(served), len(gave_up)) > 20
            if enough or time.monotonic() > end:
                return
            try:
                conn = pool.getconn(timeout=0.002)
            except PoolTimeout:
                gave_up.append(number)
                continue
            served.append(number)
            late = random.uniform(-0.001, 0.004)
            while (queue := pool.waiters()) and time.monotonic() < queue[0].deadline + late:
                pass  # until the first of those who wait is about to give up
            pool.putconn(conn)

    in_threads(4, work)
    stats = balanced(pool, fake)
    assert (stats.idle, stats.used, stats.waiting) == (1, 0, 0)
    assert (stats.served, stats.timed_out) == (len(served), len(gave_up))
    assert min(len(served), len(gave_up)) > 0
    assert fake.connects == 1


def test_that_a_hand_off_in_the_last_moment_is_taken_not_lost(fake_pool, monkeypatch):
    """The clock says that time is over, the connection came just before: it is the waiter's."""
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    [caller] = queue(pool, 1, timeout=0.3)
    with pool._lock:  # the waiter wakes at its deadline and stands before this lock
        waiter = next(iter(pool._queue))
        until(lambda: time.monotonic() > waiter.deadline)
        slot = pool._out[id(conn)]
        pool._take_back(slot, conn)
        assert pool._to_idle(slot, conn, waiter.deadline)
    assert caller.got() is conn
    assert pool.stats().timed_out == 0


def test_that_a_waiter_who_was_handed_a_dead_connection_is_the_first_again(fake_pool, fake):
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    first, second = queue(pool, 2)
    fake.kill(conn.pid)
    pool.putconn(conn)
    assert first.got() is not conn
    assert second.is_alive()
    assert [waiter.holder for waiter in pool.waiters()] == ["caller 1"]
    pool.putconn(first.got())
    assert second.got() is first.got()
    assert balanced(pool, fake).lost == 1


@pytest.mark.parametrize("_try", range(5))
def test_that_waiters_who_were_all_handed_dead_connections_stand_as_they_stood(fake_pool, fake, _try):
    pool = fake_pool(3, 3)
    held = [pool.getconn() for _ in range(3)]
    callers = queue(pool, 3)
    open_again = threading.Event()
    fake.on_connect = lambda _: open_again.wait(20)
    for conn in held:
        fake.kill(conn.pid)
        pool.putconn(conn)
    waiting(pool, 3)
    until(lambda: pool.stats().lost == 3)
    assert [waiter.holder for waiter in pool.waiters()] == ["caller 0", "caller 1", "caller 2"]
    open_again.set()
    assert len({id(caller.got()) for caller in callers}) == 3


def test_that_an_interrupted_waiter_leaves_the_queue(fake_pool, fake):
    """As Ctrl-C does: who is not there any more must not be handed a connection."""
    pool = fake_pool(1, 1)
    conn = pool.getconn()
    [caller] = queue(pool, 1)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(caller.ident), ctypes.py_object(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        caller.got()
    assert pool.waiters() == ()
    pool.putconn(conn)
    stats = balanced(pool, fake)
    assert (stats.idle, stats.used) == (1, 0)


def test_that_sixteen_threads_on_four_connections_are_served_in_turn(fake_pool, fake):
    pool = fake_pool(4, 4, timeout=30)
    told, go_on = queues.Queue(), [threading.Semaphore(0) for _ in range(16)]

    def work(number):
        with contextlib.suppress(PoolClosed):
            while True:
                conn = pool.getconn()
                told.put(number)
                go_on[number].acquire()
                pool.putconn(conn)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(16)]
    for thread in threads:
        thread.start()
    order = []
    for turn in range(160):
        until(lambda: (pool.stats().served, pool.stats().waiting, told.qsize()) == (4 + turn, 12, 4))  # noqa: B023
        order.append(told.get(timeout=10))
        go_on[order[-1]].release()
    assert order == order[:16] * 10
    assert sorted(order[:16]) == list(range(16))
    pool.closeall()
    for number, thread in enumerate(threads):
        go_on[number].release()
        thread.join(10)
    assert fake.connects == 4
    assert balanced(pool, fake).size == 0


def test_that_waiting_serving_and_giving_up_are_events_in_order(fake_pool):
    pool = fake_pool(1, 1)
    conn = pool.getconn(holder="first")
    [caller] = queue(pool, 1)
    with pytest.raises(PoolTimeout):
        pool.getconn(timeout=0.01, holder="hasty")
    pool.putconn(conn)
    caller.got()
    events, missed = pool.events.since(0)
    told = [(event.kind, event.holder) for event in events if event.holder]
    assert missed == 0
    assert told == [
        (EventKind.CHECKED_OUT, "first"),
        (EventKind.WAITING, "caller 0"),
        (EventKind.WAITING, "hasty"),
        (EventKind.TIMED_OUT, "hasty"),
        (EventKind.CHECKED_IN, "first"),
        (EventKind.CHECKED_OUT, "caller 0"),
    ]


def test_that_a_thread_is_not_taken_for_an_ended_one_whose_ident_it_has_got(fake_pool):
    pool = fake_pool(1, 1)
    for _ in range(100):
        first = Caller(pool)
        conn = first.got()
        first.join()
        second = Caller(pool, timeout=20)
        waiting(pool, 1)
        [seen] = pool.waiters()
        assert seen.holds == ()
        is_same = second.ident == first.ident
        pool.putconn(conn)
        pool.putconn(second.got())
        second.join()
        if is_same:
            return
    pytest.skip("no ident was used again")
