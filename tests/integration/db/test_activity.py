"""Activity at a real server: sessions, who blocks whom, locks, ending, counters, pg_stat_statements."""

import contextlib
import threading
from dataclasses import replace

import psycopg2
import pytest

from fix_facts import until
from pgexplorer.db.activity.sessions import End, Level, blocked_tree, end_session, look
from pgexplorer.db.activity.statements import Order, read_statements, reset_statements


@pytest.fixture
def session(profile):
    """Open a session of the application's role, as another program."""
    opened = []

    def open_one(application="another program", **changed):
        conn = psycopg2.connect(**(profile.parameters("side") | {"application_name": application} | changed))
        opened.append(conn)
        return conn, conn.info.backend_pid

    yield open_one
    for conn in opened:
        conn.close()


@pytest.fixture
def held(session, do, own_schema, admin):
    """A table one of whose rows a session holds, and others that wait for it; each waits on a thread."""
    do(f"create table {own_schema}.held (id int primary key, n int); insert into {own_schema}.held values (1, 0)")
    threads, pids = [], []

    def hold(count):
        holder, pid = session("holder")
        with holder.cursor() as cursor:
            cursor.execute(f"update {own_schema}.held set n = 1")
        waiting = []
        for number in range(count):
            conn, waiter = session(f"waiter {number}")

            def wait(conn=conn):
                with contextlib.suppress(psycopg2.Error), conn.cursor() as cursor:
                    cursor.execute(f"update {own_schema}.held set n = 2")

            thread = threading.Thread(target=wait, daemon=True)
            thread.start()
            threads.append(thread)
            waiting.append(waiter)
        pids.extend([pid, *waiting])
        return holder, pid, waiting

    yield hold
    admin.terminate(*pids)  # the schema is dropped next, and would wait for them
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def found(seen, pid):
    return next((each for each in seen.sessions if each.pid == pid), None)


def test_that_sessions_are_told_with_what_they_do_and_the_look_itself_is_not_among_them(side, session):
    conn, pid = session("my; program")
    with conn.cursor() as cursor:
        cursor.execute("select 'in a transaction'")
    seen = look(side)
    mine = found(seen, pid)
    assert (mine.application, mine.state, mine.kind) == ("my; program", "idle in transaction", "client backend")
    assert mine.statement == "select 'in a transaction'"
    assert mine.transaction_s >= mine.state_s >= 0
    assert mine.statement_s is None
    assert mine.client
    assert seen.max_connections == 16
    assert seen.is_direct
    assert not [each for each in seen.sessions if each.application == "pgexplorer/side"]
    conn.rollback()
    assert found(look(side), pid).state == "idle"
    counts = look(side).counts()
    assert counts["idle"] >= 1
    assert counts["idle in transaction"] == 0


def test_that_who_waits_lies_under_who_holds_with_the_locks_of_both(side, held, own_schema):
    holder, pid, waiting = held(2)

    def all_wait():
        seen = look(side, chosen=waiting[0])
        return seen if all(found(seen, each).blockers for each in waiting) else None

    seen = until(all_wait)
    [root] = [node for node in blocked_tree(seen.sessions) if node.session.pid == pid]
    assert {node.session.pid for node in root.all()} == {pid, *waiting}
    assert any(found(seen, each).waits_for.startswith("Lock: ") for each in waiting)
    assert not seen.locks[0].is_granted  # what it waits for comes first
    assert seen.locks[0].kind in {"transactionid", "tuple"}
    table = next(lock for lock in seen.locks if lock.target == f"{own_schema}.held" and lock.kind == "relation")
    assert (table.mode, table.is_granted) == ("RowExclusiveLock", True)
    until(lambda: found(look(side), waiting[0]).level is not Level.NONE)  # blocked for a second
    holder.rollback()


def test_that_a_cancel_ends_the_statement_and_says_so(side, held):
    holder, _, [waiter] = held(1)
    waits = until(lambda: next((each for each in look(side).sessions if each.pid == waiter and each.blockers), None))
    outcome = end_session(side, waits, End.CANCEL)
    assert outcome.is_done
    assert outcome.text == f"The statement of session {waiter} was cancelled."
    outcome = end_session(side, waits, End.CANCEL)
    assert not outcome.is_done
    assert "runs nothing" in outcome.text
    holder.rollback()


def test_that_a_terminate_ends_the_session_and_never_a_later_one_with_its_number(side, session):
    _, pid = session()
    there = found(look(side), pid)
    earlier = replace(there, started=there.started - 100)
    assert end_session(side, earlier, End.TERMINATE).text == f"Session {pid} is gone already."
    assert found(look(side), pid) is not None
    outcome = end_session(side, there, End.TERMINATE)
    assert outcome.is_done
    assert outcome.text == f"Session {pid} has ended."
    assert found(look(side), pid) is None


def test_that_what_one_may_not_end_is_told_with_the_servers_words(side, admin):
    pid = admin.conn.info.backend_pid
    outcome = end_session(side, found(look(side), pid), End.TERMINATE)
    assert not outcome.is_done
    assert "permission denied" in outcome.text
    assert outcome.hint
    assert admin.value("select 1") == 1


def test_that_the_servers_own_processes_and_strangers_are_listed_without_what_is_not_told(side, admin):
    admin.value("select 1")
    theirs = found(look(side), admin.conn.info.backend_pid)
    assert theirs.state == ""
    assert theirs.level is Level.NONE
    assert [each for each in look(side).sessions if not each.is_client]
    assert not look(side).is_told


def test_that_counters_and_sizes_are_read_when_they_are_asked_for(side, do):
    seen = look(side)
    assert seen.figures is None
    assert seen.sizes is None
    before = look(side, with_figures=True, with_sizes=True)
    assert dict(before.sizes)["test"] > 1_000_000
    assert [size for _, size in before.sizes] == sorted((size for _, size in before.sizes), reverse=True)
    for _ in range(3):
        do("select 1")

    def grown():
        after = look(side, with_figures=True).figures
        return after.at > before.figures.at and after.commits >= before.figures.commits + 3

    until(grown, 20)


def test_that_a_look_leaves_nothing_behind(side, admin):
    look(side, with_figures=True, with_sizes=True)
    named = "application_name = 'pgexplorer/side' and pid <> pg_backend_pid()"
    until(lambda: admin.value(f"select count(*) from pg_stat_activity where {named}") == 0)


def test_that_without_pg_stat_statements_it_is_said_how_it_comes_to_be(side):
    said = read_statements(side)
    assert said.rows == ()
    assert "pg_stat_statements is not installed" in said.missing
    assert "shared_preload_libraries" in said.how
    assert "CREATE EXTENSION pg_stat_statements;" in said.how


def test_that_an_extension_that_is_not_loaded_says_so(side, admin, postgres):
    with contextlib.closing(psycopg2.connect(**(postgres.admin_parameters | {"dbname": "test"}))) as conn:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("create extension pg_stat_statements")
            try:
                said = read_statements(side, Order.MEAN)
                assert said.missing == "pg_stat_statements is installed, and the server does not load it"
                with pytest.raises(psycopg2.Error):
                    reset_statements(side)
            finally:
                cursor.execute("drop extension pg_stat_statements")
