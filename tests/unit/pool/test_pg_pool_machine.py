"""PgPool under random orders from many threads: every connection in one place, every count exact, nobody overtaken."""

import time

import psycopg2
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from psycopg2 import extensions as ext

from fix_facts import in_threads, until
from fix_fake_server import Caller, FakeServer
from pgexplorer.pool.errors import PoolClosed, PoolExhausted, PoolTimeout
from pgexplorer.pool.pg_pool import PgPool

anyone = st.integers(0, 1000)


class PoolMachine(RuleBasedStateMachine):
    """Holders in this thread and, while they wait, in threads of their own.

    What is drawn never depends on the pool, whose threads may be quicker or slower: an order that makes no sense does
    nothing.
    """

    def __init__(self):
        super().__init__()
        self.server = FakeServer()
        self.held = []
        self.queue = []  # callers that wait, in order
        self.pool = None
        self.number = self.served = self.timed_out = 0

    @initialize(
        sizes=st.tuples(st.integers(0, 3), st.integers(1, 4)).filter(lambda sizes: sizes[0] <= sizes[1]),
        max_idle=st.none() | st.integers(0, 2),
        reset=st.sampled_from(["rollback", "discard", None]),
    )
    def begin(self, sizes, max_idle, reset):
        self.pool = PgPool(*sizes, connect=self.server.connect, max_idle=max_idle, reset=reset, stacks=False)
        self.limit = sizes[1]

    # -- orders -------------------------------------------------------------------------------------------------

    @rule(key=st.none() | st.sampled_from(["a", "b"]))
    def get(self, key):
        is_full = self.pool.stats().size >= self.pool.maxconn and not self.pool.stats().idle
        is_out = key in self.pool._used
        try:
            conn = self.pool.getconn(key)
        except PoolClosed:
            assert self.pool.closed
        except PoolExhausted:
            assert is_full
            assert not is_out
        except psycopg2.OperationalError:
            assert self.is_down
        else:
            self.served += not is_out
            assert is_out == any(conn is each for each in self.held)
            if not is_out:
                assert not conn.is_dead()
                self.held.append(conn)

    @rule()
    def wait(self):
        if self.pool.closed or len(self.queue) == 6:
            return
        self.number += 1
        caller = Caller(self.pool, holder=str(self.number), timeout=60)
        self.queue.append(caller)
        until(lambda: not caller.is_alive() or str(self.number) in [waiter.holder for waiter in self.pool.waiters()])

    @rule()
    def wait_in_vain(self):
        if self.pool.closed:
            return
        try:
            conn = self.pool.getconn(timeout=0.001)
        except PoolTimeout:
            self.timed_out += 1
        else:
            self.served += 1
            self.held.append(conn)

    @rule(which=anyone, how=st.sampled_from(["clean", "in transaction", "running", "close=True", "closed"]))
    def put(self, which, how):
        if not self.held:
            return
        conn = self.held.pop(which % len(self.held))
        if how == "in transaction" and not conn.closed:
            conn.status = ext.TRANSACTION_STATUS_INTRANS
        elif how == "running" and not conn.closed:
            conn.status = ext.TRANSACTION_STATUS_ACTIVE
        elif how == "closed":
            conn.close()
        self.pool.putconn(conn, close=how == "close=True")

    @rule()
    def put_all_at_once_from_threads(self):
        conns, self.held = self.held, []
        if conns:
            in_threads(len(conns), lambda number: self.pool.putconn(conns[number]))

    @rule(count=st.integers(2, 4))
    def get_and_put_from_threads(self, count):
        """Together, while others hold and wait: whoever is served gives back."""
        done = []

        def work(_):
            try:
                conn = self.pool.getconn()
            except (PoolExhausted, PoolClosed, psycopg2.OperationalError):
                return
            done.append(1)
            self.pool.putconn(conn)

        in_threads(count, work)
        self.served += len(done)

    @rule(which=anyone)
    def drop(self, which):
        if self.held:
            self.held.pop(which % len(self.held))

    @rule(which=anyone)
    def kill_one(self, which):
        pids = list(self.server.open)
        if pids:
            self.server.kill(pids[which % len(pids)])
            self.let_a_millisecond_pass()

    @rule()
    def kill_all(self):
        self.server.kill_all()
        self.let_a_millisecond_pass()

    def let_a_millisecond_pass(self):
        """Else a connection that was seen alive just before it died is lent once more, as it may."""
        for slot in self.pool._slots.values():
            slot.seen_at -= 1

    @rule()
    def go_down(self):
        def refuse(_):
            raise psycopg2.OperationalError("connection refused")

        self.server.on_connect = refuse

    @rule()
    def come_up(self):
        self.server.on_connect = lambda _: None

    @rule(sizes=st.tuples(st.integers(0, 3), st.integers(1, 5)).filter(lambda sizes: sizes[0] <= sizes[1]))
    def resize(self, sizes):
        self.limit = max(sizes[1], self.pool.stats().size)
        self.pool.resize(*sizes)

    @rule()
    def drain(self):
        self.pool.drain()

    @rule(later=st.sampled_from([0, 100, 700, 4000]))
    def tend(self, later):
        self.pool.tend(time.monotonic() + later)

    @rule(chance=st.integers(0, 9))
    def close(self, chance):
        if chance == 0:
            self.pool.closeall()

    # -- what is always so --------------------------------------------------------------------------------------

    @property
    def is_down(self):
        return self.server.on_connect.__name__ == "refuse"

    def rest(self):
        """Wait until nothing is under way, and take what was handed to those who waited."""
        pool = self.pool

        def is_quiet():
            stats, waiting = pool.stats(), {waiter.holder for waiter in pool.waiters()}
            if any(each.is_alive() and each.options["holder"] not in waiting for each in self.queue):
                return False  # it was handed a dead one, and is about to stand in the queue again
            if stats.returning or (stats.opening and not self.is_down):
                return False
            # A place is free and somebody waits: a connect is due, or its pause runs.
            return self.is_down or not stats.waiting or stats.size >= pool.maxconn

        until(is_quiet, seconds=30)
        served = [caller for caller in self.queue if not caller.is_alive()]
        assert served == self.queue[: len(served)], "somebody was overtaken"
        for caller in served:
            self.queue.remove(caller)
            try:
                self.held.append(caller.got())
                self.served += 1
                caller.conn = None
            except PoolClosed:
                assert pool.closed

    @invariant()
    def all_is_in_order(self):
        if self.pool is not None:
            self.rest()
            self.every_count_is_exact()
            self.every_connection_is_in_one_place()
            self.the_server_counts_the_same()

    def every_count_is_exact(self):
        pool, stats = self.pool, self.pool.stats()
        assert stats.used == len(self.held)
        assert stats.waiting == len(self.queue)
        assert [waiter.holder for waiter in pool.waiters()] == [caller.options["holder"] for caller in self.queue]
        assert (stats.served, stats.timed_out) == (self.served, self.timed_out)
        if not (self.is_down and self.queue):  # then connects come and go
            assert stats.idle + stats.used + stats.opening + stats.returning == stats.size == len(pool.slots())
        assert not (stats.idle and stats.waiting)
        self.limit = max(pool.maxconn, min(self.limit, stats.size))
        assert stats.size <= self.limit

    def every_connection_is_in_one_place(self):
        idle, out = self.pool._pool, list(self.pool._used.values())
        places = [id(conn) for conn in idle + out]
        assert len(set(places)) == len(places)
        assert {id(conn) for conn in out} == {id(conn) for conn in self.held}
        assert all(conn.lease == 0 and not conn.closed for conn in idle)
        assert all(conn.lease > 0 for conn in self.held)
        assert set(self.pool._keyed) == {key for key in self.pool._used if isinstance(key, str)}

    def the_server_counts_the_same(self):
        if self.is_down:
            return
        until(lambda: not self.pool._ender.is_busy)
        until(lambda: len(self.server.open) == self.pool.stats().size - sum(bool(each.closed) for each in self.held))

    def teardown(self):
        """Everybody is served in the end, and nothing is left."""
        if self.pool is None:
            return
        self.server.on_connect = lambda _: None
        if not self.pool.closed:
            self.pool.resize(0, 4)
        while self.queue or self.held:
            self.rest()
            if self.held:
                self.pool.putconn(self.held.pop())
        self.rest()
        self.every_count_is_exact()
        self.the_server_counts_the_same()
        self.pool.closeall()
        until(lambda: not self.server.open)
        assert self.pool.stats().size == 0
        assert self.pool.stats().opened == self.pool.stats().closed


PoolMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, database=None)
TestThatRandomOrdersKeepEveryCountExact = PoolMachine.TestCase


def test_that_a_storm_of_everything_at_once_ends_with_every_count_exact():
    """Eight threads that get, put, drop and kill, with a resize and a drain among them: no steps to look between."""
    server = FakeServer()
    pool = PgPool(1, 4, connect=server.connect, stacks=False)
    served, gave_up = [0] * 8, [0] * 8

    def work(number):
        for turn in range(150):
            try:
                conn = pool.getconn(timeout=0.0005 if turn % 7 == 0 else 30)
            except PoolTimeout:
                gave_up[number] += 1
                continue
            served[number] += 1
            what = (turn + number) % 10
            if what == 0:
                del conn  # dropped
                continue
            if what == 1:
                server.kill(conn.pid)
            elif what == 2 and not conn.closed:
                conn.status = ext.TRANSACTION_STATUS_INTRANS
            pool.putconn(conn, close=what == 3)
            del conn  # an old reference would keep alive what its next holder drops
            if number == 0 and turn % 50 == 25:
                pool.resize(0, 2 + turn % 5)
                pool.drain()
                pool.tend(time.monotonic() + 1000)

    in_threads(8, work)
    until(lambda: pool.stats().opening == pool.stats().used == 0)  # who opened one may hold it a moment longer
    stats = pool.stats()
    assert (stats.used, stats.waiting, stats.returning) == (0, 0, 0)
    assert stats.size == stats.idle == len(server.open) == stats.opened - stats.closed
    assert (stats.served, stats.timed_out) == (sum(served), sum(gave_up))
    assert sum(served) + sum(gave_up) == 8 * 150
    pool.closeall()
    assert server.open == {}
