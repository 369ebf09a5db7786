"""The careful client: what it takes out lives, what it gives back is clean."""

import threading

import psycopg2
import pytest
from psycopg2 import extensions as ext
from psycopg2.pool import PoolError

from fix_facts import in_threads, until
from pgexplorer.db.client import Client, NoneFreeError
from pgexplorer.db.values import raw_cursor
from pgexplorer.pool.slot import SlotState


def ask(conn, text):
    with conn.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall() if cursor.description else []


def at_rest(client):
    assert client.pool.stats().used == 0
    assert all(slot.state is SlotState.IDLE for slot in client.pool.slots())
    return True


@pytest.mark.parametrize("kind", ["SimpleConnectionPool", "ThreadedConnectionPool"])
def test_that_a_pool_whose_connections_were_all_ended_costs_no_query(open_pool, admin, kind):
    client = Client(open_pool(4, 4, kind))
    dead = [slot.pid for slot in client.pool.slots()]
    admin.terminate(*dead)
    pids = []
    for _ in range(8):
        with client.lend("SQL 1") as conn:
            [(pid,)] = ask(conn, "SELECT pg_backend_pid()")
            pids.append(pid)
    assert len(pids) == 8
    assert not set(pids) & set(dead)
    assert at_rest(client)
    assert not {slot.pid for slot in client.pool.slots()} & set(dead)
    assert client.pool.stats().failed == 0


def test_that_all_of_a_full_pool_can_be_had_after_all_died(open_pool, admin):
    client = Client(open_pool(3, 3))
    admin.terminate(*(slot.pid for slot in client.pool.slots()))
    taken = [client.check_out("SQL 1") for _ in range(3)]
    assert [ask(conn, "SELECT 1") for conn in taken] == [[(1,)]] * 3
    with pytest.raises(PoolError, match="exhausted"):
        client.check_out("SQL 2")
    for conn in taken:
        client.check_in(conn)
    assert at_rest(client)


def test_that_a_lent_connection_commits_each_statement_and_goes_back_in_psycopg2s_own_mode(client):
    with client.lend("SQL 1") as conn:
        assert conn.autocommit
        ask(conn, "SELECT 1")
        assert conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
        [slot] = [slot for slot in client.pool.slots() if slot.is_out]
        assert slot.holder == "SQL 1"
    assert not conn.autocommit
    assert at_rest(client)
    assert client.pool.getconn() is conn
    with conn.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert conn.info.transaction_status == ext.TRANSACTION_STATUS_INTRANS


@pytest.mark.parametrize("broken", [False, True])
def test_that_an_open_transaction_is_rolled_back(client, own_schema, do, broken):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    with client.lend("SQL 1") as conn:
        ask(conn, f"BEGIN; INSERT INTO {own_schema}.t VALUES (1)")
        if broken:
            with pytest.raises(psycopg2.errors.DivisionByZero):
                ask(conn, "SELECT 1/0")
    assert conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
    assert not conn.closed
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]
    assert at_rest(client)


def test_that_nothing_of_a_session_is_left_for_the_next_one(open_pool, admin):
    client = Client(open_pool(1, 1))
    with client.lend("before") as conn:
        before = ask(conn, "SHOW ALL")
    with client.lend("SQL 1", discard=True) as conn:
        pid = conn.info.backend_pid
        ask(conn, "SET statement_timeout = '1h'; SET search_path = pg_catalog; CREATE TEMP TABLE t (a int)")
        ask(conn, "SELECT pg_advisory_lock(4711); PREPARE p AS SELECT 1; LISTEN news")
        ask(conn, "SET client_encoding = LATIN1; SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        ask(conn, "DECLARE c CURSOR WITH HOLD FOR SELECT 1; SET ROLE NONE")
    with client.lend("SQL 2") as conn:
        assert conn.info.backend_pid == pid
        assert ask(conn, "SHOW ALL") == before
        assert ask(conn, "SELECT to_regclass('pg_temp.t')") == [(None,)]
        assert ask(conn, "SELECT count(*) FROM pg_prepared_statements") == [(0,)]
        assert ask(conn, "SELECT count(*) FROM pg_cursors WHERE is_holdable") == [(0,)]
        assert ask(conn, "SELECT * FROM pg_listening_channels()") == []
    assert admin.value("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = %s", pid) == 0


def test_that_a_connection_lost_in_a_transaction_frees_its_slot(open_pool, admin):
    client = Client(open_pool(1, 1))
    with client.lend("SQL 1") as conn:
        ask(conn, "BEGIN; SELECT 1")
        admin.terminate(conn.info.backend_pid)
    assert client.pool.slots() == ()
    with client.lend("SQL 2") as conn:
        assert ask(conn, "SELECT 1") == [(1,)]
    assert at_rest(client)


def test_that_a_statement_still_running_is_cut_and_not_waited_for(open_pool, admin):
    client = Client(open_pool(1, 1))
    conn = client.check_out("SQL 1")
    pid = conn.info.backend_pid
    failed = []

    def sleep():
        try:
            ask(conn, "SELECT pg_sleep(60)")
        except psycopg2.Error as error:
            failed.append(error)

    thread = threading.Thread(target=sleep)
    thread.start()
    until(lambda: admin.state(pid) == "active")
    client.check_in(conn)
    thread.join(10)
    assert not thread.is_alive()
    assert isinstance(failed[0], psycopg2.DatabaseError)  # psycopg2 says now this class, now OperationalError
    assert client.pool.slots() == ()
    with client.lend("SQL 2") as fresh:
        assert ask(fresh, "SELECT 1") == [(1,)]


def test_that_a_failing_borrower_gives_back_all_the_same(client):
    def borrow():
        with client.lend("SQL 1"):
            raise KeyError("a bug")

    with pytest.raises(KeyError):
        borrow()
    assert at_rest(client)


def test_that_a_full_pool_refuses_the_client_at_once(client):
    taken = [client.pool.getconn(holder="by hand") for _ in range(2)]
    with pytest.raises(PoolError, match="exhausted"), client.lend("SQL 1"):
        pass
    assert client.pool.stats().used == 2
    for conn in taken:
        client.pool.putconn(conn)


def test_that_a_closed_connection_goes_back_to_be_thrown_away(client):
    with client.lend("SQL 1") as conn:
        conn.close()
    assert client.pool.slots() == ()


def test_that_a_connection_left_in_a_transaction_by_an_old_reference_is_replaced(open_pool):
    client = Client(open_pool(1, 1))
    with client.lend("SQL 1") as old:
        pass
    ask(old, "SELECT 1")  # psycopg2 hands out real connections: an old reference still works
    with client.lend("SQL 2") as conn:
        assert conn is not old
        assert ask(conn, "SELECT 1") == [(1,)]
    assert at_rest(client)


def test_that_columns_have_the_servers_names_for_their_types(client, own_schema, do):
    do(f"CREATE TYPE {own_schema}.\"Odd type\" AS ENUM ('a')")
    with client.lend("SQL 1") as conn, raw_cursor(conn) as cursor:
        for _ in range(2):  # the second time from memory
            cursor.execute(
                f"SELECT 1 AS a, 1.5::numeric(5) AS a, '{{1}}'::int[], 'a'::{own_schema}.\"Odd type\", NULL AS \"x y\""
            )
            columns = client.columns(cursor)
            assert [column.name for column in columns] == ["a", "a", "int4", "Odd type", "x y"]
            assert [column.type_name for column in columns] == [
                "integer",
                "numeric",
                "integer[]",
                f'{own_schema}."Odd type"',
                "text",
            ]
            assert columns[0].type_oid == 23


@pytest.mark.parametrize("kind", ["SimpleConnectionPool", "ThreadedConnectionPool"])
def test_that_many_borrowers_while_backends_die_lose_no_slot(open_pool, admin, kind):
    client = Client(open_pool(2, 4, kind))

    def borrow(number):
        done = lost = 0
        for turn in range(40):
            try:
                with client.lend(f"SQL {number}", discard=True) as conn:
                    ask(conn, "SELECT 1")
                    if number == 0 and turn % 4 == 0:
                        ask(conn, "BEGIN")
                        ask(conn, "SELECT pg_terminate_backend(pg_backend_pid())")
                done += 1
            except psycopg2.OperationalError:
                lost += 1
            except PoolError:
                done += 1
        return done, lost

    totals = in_threads(4, borrow)
    assert totals[0] == (30, 10)
    assert totals[1:] == [(40, 0)] * 3
    assert at_rest(client)
    taken = [client.check_out("all") for _ in range(4)]
    with pytest.raises(PoolError, match="exhausted"):
        client.check_out("one more")
    for conn in taken:
        client.check_in(conn)
    insides = client.pool.insides()
    assert insides.used == insides.rused == ()


def test_that_a_connection_nobody_waits_for_is_lent_but_the_last_one_only_when_it_is_not_spared(open_pool, side):
    client = Client(open_pool(1, 2))
    with client.lend_spare("schema", side) as conn:
        assert ask(conn, "SELECT 1") == [(1,)]
    with client.lend("somebody"):
        with pytest.raises(NoneFreeError), client.lend_spare("schema", side):
            pytest.fail("the last one was lent")
        with client.lend_spare("schema", side, spares=False) as conn:
            assert ask(conn, "SELECT 1") == [(1,)]
    assert at_rest(client)


def test_that_beside_a_pool_of_one_a_connection_is_opened_and_closed(open_pool, side):
    client = Client(open_pool(1, 1))
    with client.lend_spare("schema", side) as conn:
        assert ask(conn, "SHOW application_name") == [("pgexplorer/side",)]
        assert client.pool.stats().used == 0
    assert conn.closed
