"""The timeline of real pools under threads: what it shows is what the pools counted."""

import threading
import time

import pytest
from psycopg2 import Error
from psycopg2.pool import PoolError

from fix_facts import in_threads, until
from pgexplorer.pool.events import EventKind
from pgexplorer.pool.lane import RETURNED, SERVED, TIMED_OUT, UNKNOWN
from pgexplorer.pool.slot import SlotState
from pgexplorer.pool.timeline import RECONNECTED, Timeline
from pgexplorer.pool.timeline_reader import Reader, take

THREADS, ROUNDS = 8, 40


class Follower:
    """Reads a pool's events into a timeline while others use it."""

    def __init__(self, pool):
        self.timeline = Timeline()
        self.reader = Reader(pool)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def _follow(self):
        while not self._over.wait(0.01):
            self.read()

    def read(self):
        take(self.timeline, self.reader.read())

    def __enter__(self):
        self._thread.start()
        return self.timeline

    def __exit__(self, *_):
        self._over.set()
        self._thread.join(10)
        self.read()


def use(pool, rounds=ROUNDS):
    """Use *pool* in threads: a statement, a pause in its transaction, a commit now and then."""

    def work(number):
        ran = 0
        for turn in range(rounds):
            try:
                conn = pool.getconn(holder=f"holder {number}")
            except PoolError:
                time.sleep(0.002)  # psycopg2's pools do not wait
                continue
            try:
                sql = f"SELECT {turn}, pg_sleep(0.001)"
                with pool.running(conn, sql), conn.cursor() as cursor:
                    cursor.execute(sql)
                ran += 1
                if turn % 2:
                    conn.commit()
            finally:
                pool.putconn(conn)
        return ran

    return sum(in_threads(THREADS, work))


def spans_of(timeline, state):
    lanes = timeline.lanes()
    return [s for lane in lanes for s in timeline.spans(lane.number, 0, float("inf")) if s.state is state]


def test_that_a_pg_pool_s_holds_and_waits_are_those_it_counted(pg_pool):
    pool = pg_pool(1, 3, timeout=30.0)
    follower = Follower(pool)
    with follower as timeline:
        ran = use(pool)
    assert timeline.missed == 0
    holds = spans_of(timeline, SlotState.CHECKED_OUT)
    counted = pool.histograms()
    assert len(holds) == counted.hold.count == ran == THREADS * ROUNDS
    assert {hold.detail for hold in holds} == {RETURNED}
    assert timeline.seconds(SlotState.CHECKED_OUT) == pytest.approx(counted.hold.total, rel=1e-3)
    events, missed = pool.events.since(0)
    assert not missed
    took = sum(event.took for event in events if event.kind is EventKind.DONE_IN_TRANSACTION)
    assert timeline.seconds(SlotState.RUNNING) == pytest.approx(took, rel=1e-6)
    assert len(spans_of(timeline, SlotState.RUNNING)) == ran
    waited = [event for event in events if event.kind is EventKind.WAITING]
    waits = timeline.waits(0, float("inf"))
    assert len(waits) == len(waited) > 0
    assert {wait.ending for wait in waits} == {SERVED}
    assert all(wait.start <= wait.served_at <= wait.end for wait in waits)
    assert all(lane.state is SlotState.IDLE for lane in timeline.lanes())


@pytest.mark.parametrize("kind", ["ThreadedConnectionPool", "SimpleConnectionPool"])
def test_that_a_stock_pool_s_holds_all_end_with_their_return(open_pool, kind):
    pool = open_pool(2, 4, kind)
    follower = Follower(pool)
    with follower as timeline:
        ran = use(pool)
    assert timeline.missed == 0
    holds = spans_of(timeline, SlotState.CHECKED_OUT)
    assert len(holds) == pool.stats().served == ran
    assert UNKNOWN not in {hold.detail for hold in holds}
    # The pool counts until putconn() begins, its events until it has ended.
    assert timeline.seconds(SlotState.CHECKED_OUT) >= pool.histograms().hold.total * 0.999
    assert all(lane.state is SlotState.IDLE for lane in timeline.lanes())


def test_that_a_long_statement_is_seen_while_it_runs(pg_pool):
    pool = pg_pool(1, 2)
    timeline, reader = Timeline(), Reader(pool)
    conn = pool.getconn(holder="sleeper")

    def sleep():
        with conn.cursor() as cursor, pytest.raises(Error):
            cursor.execute("SELECT pg_sleep(30)")

    thread = threading.Thread(target=sleep)
    thread.start()
    try:
        until(lambda: pool.slots()[0].state is SlotState.RUNNING)
        take(timeline, reader.read())
        [lane] = timeline.lanes()
        assert (lane.state, lane.holder) == (SlotState.RUNNING, "sleeper")
        running = [span for span in timeline.spans(1, 0, float("inf")) if span.state is SlotState.RUNNING]
        assert [(span.detail, span.is_open) for span in running] == [("SELECT pg_sleep(30)", True)]
        began = running[0].start
    finally:
        pool.cut_all()
        thread.join(10)
    take(timeline, reader.read())
    [running] = [span for span in timeline.spans(1, 0, float("inf")) if span.state is SlotState.RUNNING]
    assert running.start == pytest.approx(began, abs=1e-6)
    assert not running.is_open
    pool.putconn(conn)


def test_that_a_kill_a_reconnect_and_a_time_out_are_marked(pg_pool, admin):
    pool = pg_pool(1, 1, timeout=0.2)
    timeline, reader = Timeline(), Reader(pool)
    conn = pool.getconn(holder="victim")
    with pytest.raises(PoolError):
        pool.getconn(holder="in vain")
    admin.terminate(conn.info.backend_pid)
    with pytest.raises(Error), conn.cursor() as cursor:
        cursor.execute("SELECT 1")
    pool.putconn(conn)
    pool.putconn(pool.getconn(holder="next"))
    take(timeline, reader.read())
    kinds = [mark.kind for mark in timeline.marks(0, float("inf"))]
    assert kinds.count(EventKind.LOST) == 1
    assert kinds.count(RECONNECTED) == 1
    waits = timeline.waits(0, float("inf"))
    assert [(wait.holder, wait.ending, wait.lane) for wait in waits] == [("in vain", TIMED_OUT, 0), ("next", SERVED, 1)]
    [opened] = [event.at for event in pool.events.since(0)[0] if event.kind is EventKind.OPENED][1:]
    assert waits[1].served_at == opened
    assert [hold.holder for hold in spans_of(timeline, SlotState.CHECKED_OUT)] == ["victim", "next"]
    assert spans_of(timeline, SlotState.BROKEN)


def test_that_a_hold_survives_events_that_nobody_could_read(pg_pool):
    pool = pg_pool(2, 3, events=200)
    timeline, reader = Timeline(), Reader(pool)
    held = pool.getconn(holder="by hand")
    take(timeline, reader.read())
    for _ in range(2_000):
        pool.putconn(pool.getconn(holder="hammer"))
    pool.stats()  # the ring is cut back
    take(timeline, reader.read())
    assert timeline.missed > 1_000
    pool.putconn(held)
    take(timeline, reader.read())
    holds = [span for span in spans_of(timeline, SlotState.CHECKED_OUT) if span.holder == "by hand"]
    assert [(hold.detail, hold.is_open) for hold in holds] == [(RETURNED, False)]
    [(start, end, count)] = timeline.gaps(0, float("inf"))
    assert start < end
    assert count == timeline.missed
    assert holds[0].start < start < end < holds[0].end
