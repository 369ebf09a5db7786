"""psycopg2's own pools under observation: what they do, and what is seen of it."""

import threading

import psycopg2
import pytest
from psycopg2 import extensions as ext
from psycopg2.pool import PoolError, SimpleConnectionPool, ThreadedConnectionPool

from fix_facts import in_threads, until
from pgexplorer.pool.events import EventKind
from pgexplorer.pool.slot import SlotState
from pgexplorer.pool.stock import StockPool, open_stock, read_insides

KINDS = ["SimpleConnectionPool", "ThreadedConnectionPool"]
both_kinds = pytest.mark.parametrize("kind", KINDS)


def states(pool):
    return [slot.state for slot in pool.slots()]


def kinds_since(pool, sequence):
    return [event.kind for event in pool.events.since(sequence)[0]]


def agrees(pool):
    """The observer's counts are psycopg2's own and the slots add up."""
    stats, insides, slots = pool.stats(), pool.insides(), pool.slots()
    assert (stats.idle, stats.used) == (len(insides.pool), len(insides.used))
    assert len(slots) == stats.size == stats.opened - stats.closed
    assert len({slot.number for slot in slots}) == len(slots)
    return True


@both_kinds
def test_that_opening_makes_the_minimum_and_shows_each_backend(open_pool, admin, kind):
    pool = open_pool(2, 3, kind)
    slots = pool.slots()
    assert pool.kind == kind
    assert [slot.number for slot in slots] == [1, 2]
    assert states(pool) == [SlotState.IDLE] * 2
    assert [str(slot.pid) for slot in slots] == list(pool.insides().pool)
    assert admin.alive(*(slot.pid for slot in slots)) == {slot.pid for slot in slots}
    assert kinds_since(pool, 0) == [EventKind.OPENED, EventKind.OPENED, EventKind.POOL_OPENED]
    assert agrees(pool)


@both_kinds
def test_that_a_full_pool_refuses_at_once_with_psycopg2s_own_error(open_pool, kind):
    pool = open_pool(2, 3, kind)
    for _ in range(3):
        pool.getconn()
    last = pool.events.last
    with pytest.raises(PoolError) as caught:
        pool.getconn(holder="one too many")
    error = caught.value
    assert type(error) is PoolError
    assert PoolError.__mro__[:3] == (PoolError, psycopg2.Error, Exception)
    assert not isinstance(error, psycopg2.DatabaseError)
    assert str(error) == "connection pool exhausted"
    assert error.pgcode is None
    assert error.__cause__ is None
    [event] = pool.events.since(last)[0]
    assert (event.kind, event.holder) == (EventKind.EXHAUSTED, "one too many")
    assert event.took < 0.5
    stats = pool.stats()
    assert (stats.served, stats.exhausted, stats.failed) == (3, 1, 0)
    assert agrees(pool)


@both_kinds
def test_that_a_check_out_shows_its_holder_thread_backend_and_use(open_pool, kind):
    pool = open_pool(1, 2, kind)
    conn = pool.getconn(holder="SQL 1")
    [slot] = pool.slots()
    assert slot.state is SlotState.CHECKED_OUT
    assert (slot.holder, slot.thread, slot.uses) == ("SQL 1", "MainThread", 1)
    assert slot.pid == conn.info.backend_pid
    assert slot.held_for(slot.held_since + 4) == pytest.approx(4)
    pool.putconn(conn)
    [slot] = pool.slots()
    assert slot.state is SlotState.IDLE
    assert (slot.holder, slot.thread, slot.held_since, slot.uses) == ("", "", 0.0, 1)
    assert pool.getconn() is conn
    assert pool.slots()[0].uses == 2
    assert agrees(pool)


@both_kinds
def test_that_more_than_the_minimum_is_closed_when_it_comes_home(open_pool, admin, kind):
    pool = open_pool(2, 3, kind)
    taken = [pool.getconn() for _ in range(3)]
    pids = [conn.info.backend_pid for conn in taken]
    pool.putconn(taken[0])
    pool.putconn(taken[1])
    last = pool.events.last
    pool.putconn(taken[2])
    assert taken[2].closed == 1
    assert [conn.closed for conn in taken[:2]] == [0, 0]
    assert kinds_since(pool, last) == [EventKind.CHECKED_IN, EventKind.CLOSED]
    assert {slot.pid for slot in pool.slots()} == set(pids[:2])
    until(lambda: admin.alive(*pids) == set(pids[:2]))
    assert agrees(pool)


@both_kinds
def test_that_the_last_one_returned_is_the_first_one_handed_out(open_pool, kind):
    pool = open_pool(2, 3, kind)
    first, second = pool.getconn(), pool.getconn()
    pool.putconn(first)
    pool.putconn(second)
    assert pool.insides().pool[-1] == str(second.info.backend_pid)
    assert pool.getconn() is second
    assert pool.getconn() is first


def test_that_a_slot_number_is_taken_again(open_pool):
    pool = open_pool(1, 3)
    taken = [pool.getconn() for _ in range(3)]
    pool.putconn(taken[1])
    pool.putconn(taken[0])  # the minimum is idle already: closed
    assert [slot.number for slot in pool.slots()] == [2, 3]
    pool.getconn()
    fresh = pool.getconn()
    assert {slot.number: slot.pid for slot in pool.slots()}[1] == fresh.info.backend_pid
    assert agrees(pool)


@both_kinds
def test_that_a_minimum_of_zero_closes_every_return(open_pool, kind):
    pool = open_pool(0, 2, kind)
    assert pool.slots() == ()
    conn = pool.getconn()
    pool.putconn(conn)
    assert conn.closed
    assert pool.slots() == ()
    assert (pool.stats().opened, pool.stats().closed) == (1, 1)
    assert agrees(pool)


def test_that_a_minimum_above_the_maximum_is_no_limit_at_all(open_pool):
    pool = open_pool(3, 2)
    taken = [pool.getconn() for _ in range(5)]
    assert len({conn.info.backend_pid for conn in taken}) == 5
    assert pool.stats().used == 5 > pool.maxconn
    assert agrees(pool)


def test_that_a_leaked_connection_keeps_its_slot_and_says_so(open_pool, admin):
    pool = open_pool(1, 1)
    conn = pool.getconn(holder="forgetful")
    pid = conn.info.backend_pid
    with conn.cursor() as cursor:
        cursor.execute("SELECT 1")
    pool.leaked(conn)
    del conn
    [slot] = pool.slots()
    assert slot.leaked
    assert slot.is_out
    assert pool.events.since(pool.events.last - 1)[0][0].kind is EventKind.LEAKED
    assert admin.state(pid) == "idle in transaction"
    with pytest.raises(PoolError, match="exhausted"):
        pool.getconn()
    assert agrees(pool)


@both_kinds
def test_that_a_connection_killed_in_a_transaction_keeps_its_slot_until_returned_twice(open_pool, admin, kind):
    pool = open_pool(1, 1, kind)
    conn = pool.getconn(holder="unlucky")
    with pool.running(conn, "SELECT 1"), conn.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert states(pool) == [SlotState.IN_TRANSACTION]
    admin.terminate(conn.info.backend_pid)
    with pytest.raises(psycopg2.OperationalError) as caught:
        pool.putconn(conn)
    assert caught.value.pgcode is None
    assert states(pool) == [SlotState.BROKEN]
    assert len(pool.insides().used) == 1
    assert pool.stats().failed == 1
    assert agrees(pool)
    with pytest.raises(PoolError, match="exhausted"):
        pool.getconn()
    pool.putconn(conn)
    assert pool.slots() == ()
    assert agrees(pool)
    assert not pool.getconn().closed


@both_kinds
def test_that_returning_twice_is_refused_and_changes_nothing(open_pool, kind):
    pool = open_pool(2, 3, kind)
    conn = pool.getconn()
    pool.putconn(conn)
    before = pool.insides(), [slot.state for slot in pool.slots()]
    with pytest.raises(PoolError) as caught:
        pool.putconn(conn)
    assert str(caught.value) == "trying to put unkeyed connection"
    assert not conn.closed
    assert (pool.insides(), states(pool)) == before
    assert pool.events.since(pool.events.last - 1)[0][0].kind is EventKind.REFUSED
    assert agrees(pool)


@both_kinds
def test_that_a_stranger_is_refused_and_stays_open(open_pool, side, kind):
    pool = open_pool(1, 2, kind)
    stranger = side()
    try:
        with pytest.raises(PoolError, match="unkeyed"):
            pool.putconn(stranger)
        assert not stranger.closed
        assert len(pool.slots()) == 1
        assert agrees(pool)
    finally:
        stranger.close()


@both_kinds
def test_that_closing_the_pool_closes_what_is_in_use_and_ends_every_call(open_pool, admin, kind):
    pool = open_pool(2, 3, kind)
    pids = [slot.pid for slot in pool.slots()]
    conn = pool.getconn()
    pool.closeall()
    assert conn.closed
    until(lambda: not admin.alive(*pids))
    assert pool.slots() == ()
    assert pool.stats().is_closed
    assert pool.stats().opened == pool.stats().closed
    assert pool.insides().closed
    assert set(pool.insides().pool) | {name for _, name in pool.insides().used} == {"closed"}
    for call in (pool.getconn, pool.closeall, lambda: pool.putconn(conn)):
        with pytest.raises(PoolError, match="connection pool is closed"):
            call()
    assert kinds_since(pool, 0).count(EventKind.POOL_CLOSED) == 1


def test_that_returning_an_open_transaction_loses_its_work(open_pool, own_schema, do):
    pool = open_pool(1, 1)
    do(f"CREATE TABLE {own_schema}.t (a int)")
    conn = pool.getconn()
    with conn.cursor() as cursor:
        cursor.execute(f"INSERT INTO {own_schema}.t VALUES (1)")
    pool.putconn(conn)
    assert conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]


def test_that_a_connection_closed_by_its_holder_is_thrown_away(open_pool):
    pool = open_pool(2, 2)
    conn = pool.getconn()
    conn.close()
    pool.putconn(conn)
    assert len(pool.slots()) == 1
    assert agrees(pool)


def test_that_an_idle_connection_killed_is_handed_out_dead(open_pool, admin):
    pool = open_pool(1, 1)
    admin.terminate(pool.slots()[0].pid)
    conn = pool.getconn()
    assert conn.closed == 0
    with pytest.raises(psycopg2.OperationalError) as caught, pool.running(conn, "SELECT 1"), conn.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert caught.value.pgcode is None
    assert conn.closed == 2
    assert states(pool) == [SlotState.BROKEN]
    pool.putconn(conn)
    assert pool.slots() == ()
    assert agrees(pool)


def test_that_a_key_gives_the_same_connection_again_and_one_return_takes_it_home(open_pool):
    pool = open_pool(1, 2)
    conn = pool.getconn("a")
    assert pool.getconn("a") is conn
    assert pool.insides().used == (("'a'", str(conn.info.backend_pid)),)
    pool.putconn(conn, "a")
    assert states(pool) == [SlotState.IDLE]
    assert agrees(pool)


def test_that_a_wrong_key_raises_after_the_connection_went_home(open_pool):
    pool = open_pool(2, 2)
    conn = pool.getconn("a")
    with pytest.raises(KeyError):
        pool.putconn(conn, "b")
    insides = pool.insides()
    assert str(conn.info.backend_pid) in insides.pool
    assert dict(insides.used)["'a'"] == str(conn.info.backend_pid)


@pytest.mark.parametrize(
    ("sql", "state", "kind"),
    [
        ("SELECT 1", SlotState.IN_TRANSACTION, EventKind.DONE_IN_TRANSACTION),
        ("COMMIT", SlotState.CHECKED_OUT, EventKind.DONE),
        ("SELECT 1/0", SlotState.FAILED_TRANSACTION, EventKind.DONE_FAILED),
    ],
)
def test_that_the_state_after_a_statement_is_the_servers(open_pool, sql, state, kind):
    pool = open_pool(1, 1)
    conn = pool.getconn(holder="SQL 1")
    last = pool.events.last
    try:
        with pool.running(conn, sql), conn.cursor() as cursor:
            assert states(pool) == [SlotState.RUNNING]
            assert pool.slots()[0].sql == sql
            cursor.execute(sql)
    except psycopg2.Error:
        pass
    assert states(pool) == [state]
    assert kinds_since(pool, last) == [EventKind.RUNNING, kind]
    done = pool.events.since(last)[0][-1]
    assert done.detail == sql
    assert done.took > 0
    pool.putconn(conn)
    assert states(pool) == [SlotState.IDLE]


def test_that_running_on_a_stranger_is_not_recorded(open_pool, side):
    pool = open_pool(1, 1)
    stranger = side()
    with pool.running(stranger, "SELECT 1"):
        assert states(pool) == [SlotState.IDLE]
    stranger.close()


def test_that_insides_before_and_after_show_the_keys_psycopg2_gives(open_pool):
    pool = open_pool(1, 2)
    pid = str(pool.slots()[0].pid)
    assert pool.insides().lines() == (f"_pool  = [{pid}]", "_used  = {}", "_rused = {}")
    conn = pool.getconn()
    assert pool.insides().lines() == ("_pool  = []", f"_used  = {{1: {pid}}}", f"_rused = {{id({pid}): 1}}")
    pool.putconn(conn)
    assert pool.insides().lines() == (f"_pool  = [{pid}]", "_used  = {}", "_rused = {}")
    assert read_insides(pool.raw) == pool.insides()


def test_that_a_pool_that_cannot_connect_raises_what_psycopg2_raises(profile):
    for kind in KINDS:
        with pytest.raises(psycopg2.OperationalError) as caught:
            open_stock(kind, 1, 2, **(profile.parameters() | {"password": "wrong"}))
        assert caught.value.pgcode is None


def test_that_growth_that_cannot_connect_is_counted_and_leaves_the_counts_right(profile):
    pool = open_stock("ThreadedConnectionPool", 0, 2, **(profile.parameters() | {"password": "wrong"}))
    with pytest.raises(psycopg2.OperationalError):
        pool.getconn(holder="SQL 1")
    assert pool.stats().failed == 1
    assert pool.stats().exhausted == 0
    assert kinds_since(pool, 1) == [EventKind.CONNECT_FAILED]
    assert agrees(pool)
    pool.closeall()


def test_that_an_unknown_pool_class_is_a_key_error(profile):
    with pytest.raises(KeyError):
        open_stock("PersistentConnectionPool", 1, 2)


class Hanging(ThreadedConnectionPool):
    """A pool whose next connect hangs until it is let go."""

    def __init__(self, *args, **kwargs):
        self.entered, self.let_go = threading.Event(), threading.Event()
        super().__init__(*args, **kwargs)

    def _connect(self, key=None):
        if key is not None:
            self.entered.set()
            assert self.let_go.wait(20)
        return super()._connect(key)


def test_that_looking_never_waits_for_a_connect_under_way(profile):
    pool = StockPool(Hanging, 1, 2, **profile.parameters())
    pool.getconn(holder="first")
    taker = threading.Thread(target=pool.getconn)
    taker.start()
    try:
        assert pool.raw.entered.wait(20)
        looked = threading.Event()

        def look():
            assert len(pool.slots()) == 1
            assert pool.stats().used == 1
            assert len(pool.insides().used) == 1
            pool.events.since(0)
            looked.set()

        looker = threading.Thread(target=look)
        looker.start()
        looker.join(10)
        assert looked.is_set()
        assert taker.is_alive()
    finally:
        pool.raw.let_go.set()
        taker.join(20)
    assert pool.stats().used == 2
    pool.closeall()


class Slow(ThreadedConnectionPool):
    """A pool whose calls come back late: psycopg2 is done, and other threads go on before the caller does."""

    late_get = late_put = None

    def getconn(self, key=None):
        conn = super().getconn(key)
        gate, self.late_get = self.late_get, None
        if gate:
            gate.pause()
        return conn

    def putconn(self, *args, **kwargs):
        super().putconn(*args, **kwargs)
        gate, self.late_put = self.late_put, None
        if gate:
            gate.pause()


class Gate:
    """A place where one thread stops until it is let go."""

    def __init__(self):
        self.reached, self.open = threading.Event(), threading.Event()

    def pause(self):
        self.reached.set()
        assert self.open.wait(20)


def test_that_a_connection_taken_again_at_once_stays_with_its_new_holder(profile):
    pool = StockPool(Slow, 1, 1, **profile.parameters())
    conn = pool.getconn(holder="first")
    gate = pool.raw.late_put = Gate()
    first = threading.Thread(target=pool.putconn, args=(conn,))
    first.start()
    assert gate.reached.wait(20)
    assert pool.getconn(holder="second") is conn
    gate.open.set()
    first.join(20)
    [slot] = pool.slots()
    assert (slot.state, slot.holder) == (SlotState.CHECKED_OUT, "second")
    assert pool.stats().closed == 0
    assert agrees(pool)
    pool.putconn(conn)
    assert states(pool) == [SlotState.IDLE]
    pool.closeall()


def test_that_a_return_between_a_check_out_and_its_record_loses_no_slot(profile):
    pool = StockPool(Slow, 1, 1, **profile.parameters())
    conn = pool.getconn(holder="first")
    put, get = Gate(), Gate()
    pool.raw.late_put = put
    first = threading.Thread(target=pool.putconn, args=(conn,))
    first.start()
    assert put.reached.wait(20)
    pool.raw.late_get = get
    second = threading.Thread(target=lambda: pool.getconn(holder="second"))
    second.start()
    assert get.reached.wait(20)
    put.open.set()
    first.join(20)
    assert len(pool.slots()) == 1
    get.open.set()
    second.join(20)
    [slot] = pool.slots()
    assert (slot.number, slot.state, slot.holder, slot.uses) == (1, SlotState.CHECKED_OUT, "second", 2)
    assert (pool.stats().opened, pool.stats().closed) == (1, 0)
    assert agrees(pool)
    pool.closeall()


def test_that_cutting_all_ends_a_running_statement_at_once(open_pool):
    pool = open_pool(1, 1)
    conn = pool.getconn()
    raised = []

    def sleep():
        try:
            with pool.running(conn, "SELECT pg_sleep(30)"), conn.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(30)")
        except psycopg2.Error as error:
            raised.append(error)

    thread = threading.Thread(target=sleep)
    thread.start()
    until(lambda: states(pool) == [SlotState.RUNNING])
    pool.cut_all()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(raised[0], psycopg2.OperationalError)
    assert states(pool) == [SlotState.BROKEN]


@both_kinds
def test_that_many_threads_leave_every_count_exact(open_pool, kind):
    pool = open_pool(2, 3, kind)
    wrong = []

    def work(number):
        served = refused = 0
        name = f"worker {number}"
        while served < 150:
            try:
                conn = pool.getconn(holder=name)
            except PoolError:
                refused += 1
                continue
            served += 1
            mine = [slot for slot in pool.slots() if slot.pid == conn.info.backend_pid]
            if [slot.holder for slot in mine] != [name] or mine[0].state is not SlotState.CHECKED_OUT:
                wrong.append(mine)
            pool.putconn(conn)
        return served, refused

    totals = in_threads(5, work)
    assert not wrong
    stats = pool.stats()
    assert stats.served == sum(served for served, _ in totals) == 750
    assert stats.exhausted == sum(refused for _, refused in totals)
    assert stats.used == 0
    assert states(pool) == [SlotState.IDLE] * stats.idle
    assert all(slot.holder == "" for slot in pool.slots())
    assert agrees(pool)


def test_that_the_simple_pool_takes_turns_and_never_passes_its_maximum(open_pool):
    pool = open_pool(1, 3, "SimpleConnectionPool")
    assert isinstance(pool.raw, SimpleConnectionPool)
    gate = threading.Barrier(8)
    refused = []

    def take(_):
        try:
            pool.getconn()
        except PoolError as error:
            refused.append(str(error))
        gate.wait(20)

    in_threads(8, take)
    assert pool.stats().used == 3
    assert refused == ["connection pool exhausted"] * 5
    assert agrees(pool)
