"""A tab keeps its connection while the server has something of it there, and says why; otherwise it holds none."""

import time

import psycopg2
import pytest

from fix_facts import until
from pgexplorer.db import query as query_module
from pgexplorer.db.client import Client
from pgexplorer.db.query import Done, Failed, Kept, Query
from pgexplorer.db.session import Kind, Session, SessionLost


@pytest.fixture
def session(open_pool, own_schema):  # the schema goes last: a transaction may hold it
    made = Session(Client(open_pool(1, 2)))
    yield made
    made.release()


@pytest.fixture
def run(session, side):
    def run_one(text):
        return list(Query(session, text, "SQL 1", side=side).run())

    return run_one


def used(session):
    return session.pool.stats().used


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("BEGIN", "open transaction"),
        ("START TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT 1", "open transaction"),
        ("SET work_mem = '77MB'", "SET work_mem = 78848"),
        ("SELECT set_config('work_mem', '77MB', false)", "SET work_mem = 78848"),
        ("SET search_path = pg_catalog", "SET search_path = pg_catalog"),
        ("SET my.own = 'x'", "SET my.own = x"),
        ("CREATE TEMP TABLE scratch (a int)", "temporary table scratch"),
        ("SELECT 1 AS a INTO TEMP scratch2", "temporary table scratch2"),
        ('LISTEN jobs; LISTEN "Other Jobs"', "LISTEN jobs, Other Jobs"),
        ("SELECT pg_advisory_lock(7)", "advisory lock 7"),
        ("SELECT pg_advisory_lock(8589934592)", "advisory lock 8589934592"),
        ("SELECT pg_try_advisory_lock(1, 2)", "advisory lock 1, 2"),
        ("PREPARE mine AS SELECT 1", "prepared statement mine"),
        ("BEGIN; DECLARE held CURSOR WITH HOLD FOR SELECT 1; COMMIT", "open cursor held"),
    ],
)
def test_that_what_is_left_in_a_backend_keeps_it_and_is_named(session, run, text, words):
    news = run(text)
    assert used(session) == 1
    assert session.pin is not None
    assert words in session.pin.words
    assert news[-1] == Kept(session.pin)
    pid = session.pin.pid
    [slot] = [slot for slot in session.pool.slots() if slot.is_out]
    assert (slot.pid, slot.holder) == (pid, "SQL 1")
    again = run("SELECT pg_backend_pid()")
    assert session.pin.pid == pid
    assert again[-1] == Kept(session.pin)
    assert len(session.pin.losses) == len(session.pin.reasons)
    assert session.release()
    assert used(session) == 0
    assert session.pin is None
    run("SELECT 1")
    assert session.pin is None


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "BEGIN; SELECT 1; COMMIT",
        "BEGIN; SET LOCAL work_mem = '77MB'; ROLLBACK",
        "SET work_mem = '77MB'; RESET work_mem",
        "CREATE TEMP TABLE s (a int); DROP TABLE s",
        "SELECT pg_advisory_xact_lock(7)",
        "SELECT pg_advisory_lock(7); SELECT pg_advisory_unlock(7)",
        "LISTEN jobs; UNLISTEN *",
        "PREPARE mine AS SELECT 1; DEALLOCATE mine",
        "BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT",
        "SELECT 1/0",
        "nonsense",
    ],
)
def test_that_a_text_that_leaves_nothing_holds_nothing(session, run, text):
    news = run(text)
    assert session.pin is None
    assert used(session) == 0
    assert not any(isinstance(each, Kept) for each in news)


def test_that_a_transaction_goes_on_from_run_to_run_and_its_age_with_it(session, run, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    run("BEGIN")
    since = session.pin.transaction_since
    assert since <= time.monotonic()
    run(f"INSERT INTO {own_schema}.t VALUES (1)")
    assert session.pin.transaction_since == since
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]
    run("COMMIT")
    assert session.pin is None
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1,)]


def test_that_a_failed_transaction_is_told_apart_and_ends_with_a_rollback(session, run):
    run("BEGIN")
    assert not session.pin.is_failed
    news = run("SELECT 1/0")
    assert isinstance(news[-2], Failed)
    assert (session.pin.is_failed, session.pin.is_open) == (True, True)
    assert session.pin.reasons[0].kind is Kind.FAILED
    run("ROLLBACK")
    assert session.pin is None


def test_that_looking_into_a_transaction_takes_no_snapshot_for_it(session, run, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    run("BEGIN")
    run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")  # an error after any query
    do(f"INSERT INTO {own_schema}.t VALUES (1)")
    news = run(f"SELECT 1/count(*) FROM {own_schema}.t")
    assert isinstance(news[-2], Done)


def test_that_what_was_known_before_is_kept_in_sight_through_a_transaction(session, run):
    run("SET work_mem = '77MB'")
    run("BEGIN")
    assert [reason.kind for reason in session.pin.reasons] == [Kind.TRANSACTION, Kind.SETTING]
    run("COMMIT")
    assert [reason.kind for reason in session.pin.reasons] == [Kind.SETTING]


def test_that_the_next_user_of_a_released_connection_finds_nothing(session, run, admin):
    run("SET work_mem = '77MB'; CREATE TEMP TABLE s (a int); SELECT pg_advisory_lock(7); LISTEN jobs; BEGIN")
    pid = session.pin.pid
    session.release()
    conn = session.pool.getconn()
    try:
        assert conn.info.backend_pid == pid
        with conn.cursor() as cursor:
            cursor.execute("SHOW work_mem")
            assert cursor.fetchone() != ("77MB",)
            cursor.execute("SELECT count(*) FROM pg_listening_channels()")
            assert cursor.fetchone() == (0,)
        assert admin.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == 0
    finally:
        session.pool.putconn(conn)


def test_that_a_kept_connection_that_the_server_ends_is_noticed_by_a_look(session, run, admin):
    run("BEGIN")
    pin = session.pin
    admin.terminate(pin.pid)
    found = until(lambda: (look := session.look()).lost and look)
    assert (found.lost, found.pin, session.pin) == (pin, None, None)
    assert used(session) == 0
    run("SELECT 1")


def test_that_a_run_on_a_kept_connection_that_is_gone_says_what_is_lost_and_the_next_takes_a_fresh_one(
    session, run, admin
):
    run("CREATE TEMP TABLE s (a int)")
    pin = session.pin
    admin.terminate(pin.pid)
    with pytest.raises(SessionLost, match="temporary table s"):
        run("SELECT * FROM s")
    assert used(session) == 0
    news = run("SELECT 1")
    assert isinstance(news[-1], Done)


def test_that_notifications_come_without_a_statement(session, run, do):
    run("LISTEN jobs")
    assert session.pin.is_listening
    for number in range(20):
        do(f"NOTIFY jobs, 'number {number}'")
    heard = []
    until(lambda: heard.extend(session.look().notifications) or len(heard) >= 20)
    assert [(each.channel, each.payload) for each in heard] == [("jobs", f"number {n}") for n in range(20)]
    assert all(each.pid > 0 for each in heard)


def test_that_a_burst_of_notifications_is_bounded_and_counted(session, run, do):
    run("LISTEN jobs")
    do("SELECT pg_notify('jobs', n::text) FROM generate_series(1, 1500) n")
    found, dropped = [], 0

    def heard():
        nonlocal dropped
        look = session.look()
        found.extend(look.notifications)
        dropped += look.dropped
        return len(found) + dropped >= 1500

    until(heard)
    assert found[-1].payload == "1500"
    assert len(found) + dropped == 1500


def test_that_a_run_that_the_connection_does_not_outlive_keeps_nothing(session, run, admin):
    run("BEGIN")
    pid = session.pin.pid
    news = run(f"SELECT pg_terminate_backend({pid})")
    failed = next(each for each in news if isinstance(each, Failed))
    assert failed.error.lost
    assert session.pin is None
    assert used(session) == 0


def test_that_two_sessions_do_not_block_each_other_and_a_third_is_told_who_holds_what(session, run, side):
    run("BEGIN")
    other = Session(Client(session.pool))
    list(Query(other, "SET work_mem = '50MB'", "SQL 2", side=side).run())
    assert used(session) == 2
    third = Session(Client(session.pool))
    with pytest.raises(psycopg2.pool.PoolError):
        list(Query(third, "SELECT 1", "SQL 3", side=side).run())
    assert {slot.holder for slot in session.pool.slots() if slot.is_out} == {"SQL 1", "SQL 2"}
    run("SELECT 1")
    other.release()
    list(Query(third, "SELECT 1", "SQL 3", side=side).run())


def test_that_a_kept_connection_whose_buffer_has_grown_goes_when_it_is_given_back(session, run, monkeypatch):
    monkeypatch.setattr(query_module, "_DRIVER_KEEPS", 1_000_000)
    run("CREATE TEMP TABLE scratch (a int)")
    pid = session.pin.pid
    run("SELECT repeat('x', 2000000)")
    assert session.pin.pid == pid  # what is in it is worth more than the memory
    assert session.release()
    assert pid not in {slot.pid for slot in session.pool.slots()}
