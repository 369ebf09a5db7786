"""The ladder that ends what runs: nothing but the running statement is ever its victim."""

import random
import threading
import time
from dataclasses import replace

import psycopg2
import pytest

from fix_facts import until
from pgexplorer.db import cancel
from pgexplorer.db.cancel import CANCEL, TERMINATE, Running, end_all, signal_backend
from pgexplorer.db.client import Client
from pgexplorer.db.probe import connect_side
from pgexplorer.db.query import Done, Failed, Query, Started


class InThread:
    """A query on a thread of its own."""

    def __init__(self, query):
        self.query = query
        self.news = []
        self.error = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        try:
            for each in self.query.run():
                self.news.append(each)
        except Exception as error:
            self.error = error

    def started(self, index=0):
        return any(isinstance(each, Started) and each.index == index for each in list(self.news))

    def end(self, seconds=10):
        self.thread.join(seconds)
        assert not self.thread.is_alive(), "the query did not end"
        assert self.error is None, self.error
        return self.news


@pytest.fixture
def one(open_pool):
    return Client(open_pool(1, 1))


def active(admin, client):
    """Wait until the slow statement runs, not one of those by which a connection is made ready."""

    def runs():
        pid = client.pool.slots()[0].pid
        slow = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND state = 'active' AND query ~ 'pg_sleep'"
        return bool(admin.ask(slow, pid))

    until(runs)
    return client.pool.slots()[0].pid


def test_that_a_long_statement_is_cancelled_quickly_and_its_connection_lives_on(one, side, admin):
    query = Query(one, "SELECT pg_sleep(30); SELECT 2", "SQL 1", side=side)
    running = InThread(query)
    pid = active(admin, one)
    began = time.monotonic()
    rungs = list(query.stop())
    [*_, failed] = running.end()
    assert time.monotonic() - began < 3
    assert rungs == [f"Cancelling {pid}…"]
    assert isinstance(failed, Failed)
    assert failed.cancelled
    assert failed.error.sqlstate == "57014"
    assert failed.index == 0
    assert [slot.pid for slot in one.pool.slots()] == [pid]
    assert one.pool.stats().used == 0


def test_that_a_statement_that_is_not_paged_is_cancelled_too(one, side, admin):
    query = Query(one, "DO $$ BEGIN PERFORM pg_sleep(30); END $$", "SQL 1", side=side)
    running = InThread(query)
    pid = active(admin, one)
    list(query.stop())
    assert running.end()[-1].cancelled
    assert [slot.pid for slot in one.pool.slots()] == [pid]


def test_that_stopping_before_the_run_sends_nothing(one, side):
    query = Query(one, "SELECT 1; SELECT 2", "SQL 1", side=side)
    assert list(query.stop()) == []
    news = list(query.run())
    assert [type(each) for each in news] == [Failed]
    assert news[0].cancelled
    assert news[0].error.title == "Stopped before this statement."


def test_that_stopping_between_statements_sends_no_further_one(one, side):
    query = Query(one, "SELECT 1; SELECT 2; SELECT 3", "SQL 1", side=side)
    news = []
    for each in query.run():
        news.append(each)
        if isinstance(each, Done) and each.index == 1:
            query._stopped = True
    assert [each.index for each in news if isinstance(each, Started)] == [0, 1]
    assert (news[-1].index, news[-1].cancelled) == (2, True)


def test_that_stopping_after_the_end_does_nothing(one, side):
    query = Query(one, "SELECT 1", "SQL 1", side=side)
    list(query.run())
    assert list(query.stop()) == []


def test_that_fifty_cancels_around_the_end_of_short_queries_never_hit_the_next_statement(one, side):
    dice = random.Random(20)
    outcomes = []
    while len(outcomes) < 50 or not any(outcomes):  # on a busy machine the first fifty may all come too late
        assert len(outcomes) < 500
        query = Query(one, "SELECT pg_sleep(0.02)", "SQL 1", side=side)
        running = InThread(query)
        stopped = threading.Thread(target=lambda query=query: list(query.stop()))
        until(lambda running=running: running.started() or not running.thread.is_alive())
        moment = time.monotonic() + dice.uniform(0.0, 0.035)
        while time.monotonic() < moment:
            pass
        stopped.start()
        running.end()
        # The very next statements on the same connection: none is a victim.
        after = list(Query(one, "SELECT pg_sleep(0.002); SELECT 1", "SQL 2", side=side).run())
        assert not [each for each in after if isinstance(each, Failed)]
        stopped.join(10)
        assert not stopped.is_alive()
        outcomes.append(isinstance(running.news[-1], Failed))
        assert one.pool.stats().used == 0
    assert one.pool.stats().opened == 1


def test_that_a_cancel_goes_through_libpq_where_the_server_has_no_connection_left(one, admin):
    def refused():
        raise psycopg2.OperationalError("FATAL:  sorry, too many clients already")

    query = Query(one, "SELECT pg_sleep(30)", "SQL 1", side=refused)
    running = InThread(query)
    pid = active(admin, one)
    began = time.monotonic()
    list(query.stop())
    [*_, failed] = running.end()
    assert time.monotonic() - began < 3
    assert failed.cancelled
    assert failed.error.sqlstate == "57014"
    assert [slot.pid for slot in one.pool.slots()] == [pid]
    assert one.pool.stats().used == 0


def test_that_a_role_at_its_limit_still_cancels(postgres, profile, admin, open_pool, own_schema):
    role = f"limited_{own_schema}"
    admin.ask(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1 PASSWORD 'x'")
    try:
        limited = replace(profile, user=role, password="x")
        client = Client(open_pool(1, 1, user=role, password="x"))
        with pytest.raises(psycopg2.OperationalError, match="too many connections for role"):
            connect_side(limited)
        query = Query(client, "SELECT pg_sleep(30)", "SQL 1", side=lambda: connect_side(limited))
        running = InThread(query)
        pid = active(admin, client)
        list(query.stop())
        assert running.end()[-1].error.sqlstate == "57014"
        client.pool.closeall()
        until(lambda: not admin.alive(pid))
    finally:
        admin.ask(f"DROP ROLE {role}")


def test_that_a_statement_that_hears_no_signal_is_abandoned_and_its_slot_freed(one, side, admin, monkeypatch):
    monkeypatch.setattr(cancel, "_RUNG", 0.05)
    monkeypatch.setattr(cancel, "_cancel_through_libpq", lambda conn: None)

    def refused():
        raise psycopg2.OperationalError("no")

    query = Query(one, "SELECT pg_sleep(30)", "SQL 1", side=refused)
    running = InThread(query)
    pid = active(admin, one)
    rungs = list(query.stop())
    [*_, failed] = running.end(5)
    assert rungs == [
        f"Cancelling {pid}…",
        f"Ending the backend {pid}…",
        "No answer: the link is cut and the slot is freed.",
    ]
    assert failed.cancelled
    assert failed.error.lost
    assert one.pool.slots() == ()
    with one.lend("SQL 2") as conn:
        assert conn.info.backend_pid != pid
    until(lambda: not admin.alive(pid))


def test_that_a_backend_that_refuses_to_cancel_is_ended(one, side, admin, monkeypatch):
    monkeypatch.setattr(cancel, "CANCEL", "pg_stat_get_backend_pid")  # asks, and ends nothing
    monkeypatch.setattr(cancel, "_RUNG", 0.3)
    query = Query(one, "SELECT pg_sleep(30)", "SQL 1", side=side)
    running = InThread(query)
    pid = active(admin, one)
    rungs = list(query.stop())
    [*_, failed] = running.end(5)
    assert len(rungs) == 2
    assert failed.cancelled
    assert failed.error.lost
    until(lambda: not admin.alive(pid))


def test_that_nothing_is_sent_while_a_signal_is_under_way(one, side):
    entered, let_go, finished = threading.Event(), threading.Event(), threading.Event()

    def slow():
        entered.set()
        assert let_go.wait(20)
        return side()

    with one.lend("SQL 1") as conn:
        running = Running(conn)
        signalling = threading.Thread(target=running._signal, args=(slow, CANCEL))
        signalling.start()
        assert entered.wait(20)

        def finish():
            running.finish()
            finished.set()

        finishing = threading.Thread(target=finish)
        finishing.start()
        until(running.ended.is_set)
        assert not finished.wait(0.05)
        let_go.set()
        signalling.join(10)
        finishing.join(10)
        assert finished.is_set()
        with conn.cursor() as cursor:
            cursor.execute("SELECT 1")
            assert cursor.fetchall() == [(1,)]
        running._signal(slow, TERMINATE)  # too late: nothing is sent any more
    assert not conn.closed


def test_that_a_signal_needs_the_tag_of_the_work_that_it_is_for(one, side, admin):
    """A statement of somebody else on the same backend is not hit by a cancel for this work."""
    with one.lend("SQL 1") as conn:
        running = Running(conn)
        done = []

        def other():
            with conn.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.3)")
                done.append(cursor.fetchall())

        thread = threading.Thread(target=other)
        thread.start()
        until(lambda: admin.state(running.pid) == "active")
        running._signal(side, CANCEL)
        running._signal(side, TERMINATE)
        thread.join(10)
        assert len(done) == 1
        running.finish()


def test_that_a_cancel_between_two_statements_is_sent_again(one, side, admin):
    """Nothing is killed for a signal that came a moment too early."""
    with one.lend("SQL 1") as conn:
        running = Running(conn)
        rungs, failed = [], []
        stopping = threading.Thread(target=lambda: rungs.extend(running.stop(watched)))
        opened = []

        def watched():
            opened.append(side())
            return opened[-1]

        stopping.start()
        until(lambda: opened and opened[0].closed)  # the first signal found nothing that runs
        try:
            with conn.cursor() as cursor:
                cursor.execute(f"{running.tag}SELECT pg_sleep(30)")
        except psycopg2.Error as error:
            failed.append(error)
        running.finish()
        stopping.join(10)
        assert failed[0].pgcode == "57014"
        assert rungs == [f"Cancelling {running.pid}…"]
    assert not conn.closed


def test_that_the_side_connection_is_closed_after_a_cancel(one, profile, admin, side):
    opened = []

    def watched():
        opened.append(side())
        return opened[-1]

    query = Query(one, "SELECT pg_sleep(30)", "SQL 1", side=watched)
    running = InThread(query)
    active(admin, one)
    list(query.stop())
    running.end()
    assert opened
    assert all(conn.closed for conn in opened)


def test_that_a_backend_is_signalled_by_a_persons_wish(client, side, admin):
    pid = client.pool.slots()[0].pid
    assert signal_backend(side, pid, CANCEL) == f"Backend {pid} runs nothing."
    assert signal_backend(side, pid, TERMINATE).startswith(f"Terminated backend {pid}.")
    until(lambda: not admin.alive(pid))
    assert signal_backend(side, pid, TERMINATE) == f"Backend {pid} is gone already."


def test_that_ending_all_waits_for_nothing_that_runs(open_pool, side, admin):
    client = Client(open_pool(2, 3))
    idle = client.pool.getconn(holder="by hand")
    pids = {slot.pid for slot in client.pool.slots()}
    running = InThread(Query(client, "SELECT pg_sleep(30)", "SQL 1", side=side))
    until(lambda: "active" in {admin.state(pid) for pid in pids})
    began = time.monotonic()
    end_all(client.pool, side)
    running.thread.join(5)
    assert not running.thread.is_alive()
    assert time.monotonic() - began < 3
    assert idle.closed
    assert client.pool.stats().is_closed
    until(lambda: not admin.alive(*pids), 3)
    assert client.pool.slots() == ()


def test_that_ending_all_works_without_a_side_connection(open_pool, admin):
    def refused():
        raise psycopg2.OperationalError("no")

    client = Client(open_pool(1, 1))
    running = InThread(Query(client, "SELECT pg_sleep(30)", "SQL 1", side=refused))
    pid = active(admin, client)
    end_all(client.pool, refused)
    running.thread.join(5)
    assert not running.thread.is_alive()
    assert client.pool.stats().is_closed
    until(lambda: not admin.alive(pid))
