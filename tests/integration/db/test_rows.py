"""Results of any size: told while they come, cut in the open, read by place, run once."""

import os
import threading
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from fix_facts import until
from pgexplorer.db import query as module
from pgexplorer.db.client import Client
from pgexplorer.db.probe import connect_side
from pgexplorer.db.query import Done, Failed, Notices, Query, Result, RolledBack
from pgexplorer.db.rows import State
from pgexplorer.db.session import Session
from pgexplorer.db.spool import Spool
from pgexplorer.pool import link


def all_rows(rows):
    return rows.window(0, rows.known)


def results(news):
    """Return the rows of each statement that had some, by its index."""
    return {each.index: each.rows for each in news if isinstance(each, Result)}


def done(news, index=-1):
    return [each for each in news if isinstance(each, Done)][index]


@pytest.fixture
def table(own_schema, do):
    """A table that counts how often a function was run."""
    do(f"CREATE TABLE {own_schema}.calls (n bigint)")
    do(
        f"CREATE FUNCTION {own_schema}.call(n bigint) RETURNS bigint LANGUAGE plpgsql AS "
        f"$$ BEGIN INSERT INTO {own_schema}.calls VALUES (n); RETURN n; END $$"
    )
    return own_schema


# -- while it comes


def test_that_rows_are_told_while_the_statement_still_runs(query, client):
    wide = "repeat('x', 100), pg_sleep(CASE WHEN n = 400 THEN 30 ELSE 0 END)"
    running = query(f"SELECT n, {wide} FROM generate_series(1, 401) AS n")
    news = running.run()
    told = next(each for each in news if isinstance(each, Result))
    assert told.rows.state is State.MORE
    until(lambda: told.rows.known >= 200)  # 8 kB that the server keeps back are not here
    assert told.rows.window(0, 2) == [("1", "x" * 100, ""), ("2", "x" * 100, "")]
    assert [column.name for column in told.rows.columns] == ["n", "repeat", "pg_sleep"]
    assert client.pool.stats().used == 1
    news.close()
    assert client.pool.stats().used == 0
    assert told.rows.state is State.CUT
    assert told.rows.why
    assert told.rows.known < 401


def test_that_a_million_rows_are_read_by_place_and_the_slot_is_back(query, client):
    news = list(query("SELECT n, repeat('x', n % 10), NULL FROM generate_series(1, 1000000) AS n").run())
    assert client.pool.stats().used == 0
    rows = results(news)[0]
    assert (rows.known, rows.state, done(news).rows, done(news).complete) == (
        1_000_000,
        State.COMPLETE,
        1_000_000,
        True,
    )
    assert len({id(each.rows) for each in news if isinstance(each, Result)}) == 1
    for row in (0, 1, 63, 64, 4_999, 500_000, 999_999):
        assert rows.window(row, 1) == [(str(row + 1), "x" * ((row + 1) % 10), None)]
    assert len(rows.window(999_990, 100)) == 10
    rows.close()


def test_that_first_rows_do_not_wait_for_the_last(query):
    news = list(query("SELECT n FROM generate_series(1, 2000000) AS n").run())
    assert done(news).first_s < done(news).total_s / 3


# -- exactly once


def test_that_a_select_runs_once(run_all, table, do):
    news = run_all(f"SELECT {table}.call(n) FROM generate_series(1, 1000) AS n; SELECT nextval('{table}.s')", table)
    assert all_rows(results(news)[0]) == [(str(n),) for n in range(1, 1001)]
    assert do(f"SELECT count(*), count(DISTINCT n) FROM {table}.calls") == [(1000, 1000)]
    assert all_rows(results(news)[1]) == [("1",)]


@pytest.fixture
def run_all(query, client, do):
    """Run a text and return its news; the pool is at rest after it."""

    def run(text, schema=None, **options):
        if schema:
            do(f"CREATE SEQUENCE IF NOT EXISTS {schema}.s")
        news = list(query(text, **options).run())
        assert client.pool.stats().used == 0
        return news

    return run


def test_that_a_notice_of_a_select_is_told_once(run_all, own_schema, do):
    do(
        f"CREATE FUNCTION {own_schema}.f() RETURNS int IMMUTABLE LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE NOTICE 'hello'; RETURN 1; END $$"
    )
    [notices] = [each for each in run_all(f"SELECT {own_schema}.f()") if isinstance(each, Notices)]
    assert notices.lines == ("NOTICE:  hello",)


def test_that_the_table_is_locked_from_its_description_to_its_last_row(query, own_schema, do, monkeypatch):
    do(f"CREATE TABLE {own_schema}.t AS SELECT n AS a FROM generate_series(1, 3) AS n")
    opened, tried = Query._opened, []

    def altered(self, conn, cursor):
        spool = opened(self, conn, cursor)
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            do(f"SET lock_timeout = '50ms'; ALTER TABLE {own_schema}.t ADD COLUMN b int")
        tried.append(spool)
        return spool

    monkeypatch.setattr(Query, "_opened", altered)
    news = list(query(f"SELECT * FROM {own_schema}.t").run())
    assert tried == [results(news)[0]]
    assert all_rows(results(news)[0]) == [("1",), ("2",), ("3",)]


def test_that_a_statement_that_ends_in_a_comment_is_wrapped_all_the_same(run_all):
    news = run_all("SELECT 1 -- one\n; SELECT 2 /* two */; TABLE pg_am -- the end")
    assert all_rows(results(news)[0]) == [("1",)]
    assert not [each for each in news if isinstance(each, Failed)]


@pytest.mark.parametrize(
    "text",
    [
        "VALUES (1, 'a'), (2, NULL)",
        "(SELECT 1, 'a') UNION ALL (SELECT 2, NULL) ORDER BY 1",
        "WITH a(x, y) AS (VALUES (1, 'a'), (2, NULL)) SELECT * FROM a",
        "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v FOR SHARE",
    ],
)
def test_that_every_kind_of_select_brings_its_rows(run_all, text):
    news = run_all(text)
    assert all_rows(results(news)[0]) == [("1", "a"), ("2", None)]


def test_that_sixteen_hundred_and_sixty_four_columns_and_no_rows_arrive(run_all):
    news = run_all("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1664)) + "; SELECT 1 AS a WHERE false")
    assert all_rows(results(news)[0]) == [tuple(str(n) for n in range(1664))]
    assert (results(news)[1].known, results(news)[1].columns[0].name) == (0, "a")


# -- limits


def test_that_a_result_cut_at_a_limit_ends_the_statement_at_once_and_undoes_it(run_all, client, table, do):
    news = run_all(
        f"SELECT {table}.call(n) FROM (SELECT generate_series(1, 100000000) AS n) AS s; SELECT 2", row_limit=2000
    )
    rows = results(news)[0]
    assert (rows.known, rows.state) == (2000, State.CUT)
    assert all_rows(rows)[-1] == ("2000",)
    assert done(news, 0).complete is False
    assert "2,000 rows" in done(news, 0).why
    assert all_rows(results(news)[1]) == [("2",)]
    assert do(f"SELECT count(*) FROM {table}.calls") == [(0,)]
    assert client.pool.stats().opened == 1


def test_that_a_cut_in_a_persons_transaction_leaves_the_transaction_as_it_was(run_all, table, do):
    text = f"BEGIN; INSERT INTO {table}.calls VALUES (-1); SELECT generate_series(1, 50000000) AS n; "
    text += f"INSERT INTO {table}.calls VALUES (-2); COMMIT"
    news = run_all(text, row_limit=1000)
    assert not [each for each in news if isinstance(each, Failed | RolledBack)]
    assert (results(news)[2].known, done(news, 2).complete) == (1000, False)
    assert do(f"SELECT n FROM {table}.calls ORDER BY n") == [(-2,), (-1,)]


def test_that_a_byte_limit_is_said(run_all):
    news = run_all("SELECT repeat('x', 1000) FROM generate_series(1, 100000)", byte_limit=1 << 20)
    assert "1 MB" in done(news).why
    assert 1000 < results(news)[0].known < 3000


@pytest.mark.parametrize("size", [900_000, 1_100_000])
def test_that_a_connection_whose_buffer_has_grown_by_a_huge_row_is_not_used_again(query, client, monkeypatch, size):
    monkeypatch.setattr(module, "_DRIVER_KEEPS", 1_000_000)
    asked = "SELECT pg_backend_pid()"
    [(before,)] = all_rows(results(query(asked).run())[0])
    news = list(query(f"SELECT repeat('x', {size}); {asked}").run())
    assert all_rows(results(news)[1]) == [(before,)]  # not before the text is at its end
    [(after,)] = all_rows(results(query(asked).run())[0])
    assert (after == before) == (size < 1_000_000)
    assert client.pool.stats().used == 0


def test_that_a_result_of_a_plain_statement_is_bounded_in_memory(run_all, monkeypatch, own_schema, do):
    monkeypatch.setattr(module, "_DRIVER_LIMIT", 16 << 20)
    monkeypatch.setattr(module, "_WATCH", 0.002)
    do(f"CREATE TABLE {own_schema}.t AS SELECT n AS a FROM generate_series(1, 800) AS n")
    news = run_all(f"SELECT repeat('x', 1000) FROM {own_schema}.t, {own_schema}.t AS u FOR UPDATE OF u; SELECT 3")
    failed = news[-1]
    assert isinstance(failed, Failed)
    assert (failed.index, failed.cancelled) == (0, False)
    assert "too large" in failed.error.title
    assert "16 MB" in failed.error.detail
    assert list(results(run_all("SELECT 1"))) == [0]


def test_that_twenty_thousand_rows_that_are_returned_are_all_there(run_all):
    news = run_all(
        "CREATE TEMP TABLE t (a int, b text); "
        r"INSERT INTO t SELECT n, E'\\\t\n' || n FROM generate_series(1, 20000) AS n RETURNING *, NULL"
    )
    assert all_rows(results(news)[1]) == [(str(n), f"\\\t\n{n}", None) for n in range(1, 20_001)]
    assert done(news).status == "INSERT 0 20000"


# -- ends that nobody wished


def test_that_a_cancel_keeps_what_came(open_pool, side, admin):
    client = Client(open_pool(1, 1))
    text = "SELECT generate_series(1, 100000000) AS n, repeat('x', 100); SELECT 2"
    query, news = Query(client, text, "SQL 1", side=side), []
    thread = threading.Thread(target=lambda: news.extend(query.run()))
    thread.start()
    until(lambda: any(slot.sql.startswith("SELECT generate") for slot in client.pool.slots()))
    until(lambda: query._spool is not None and query._spool.known > 1000)
    list(query.stop())
    thread.join(10)
    assert not thread.is_alive()
    failed, rows = news[-1], results(news)[0]
    assert (failed.cancelled, failed.index, failed.error.sqlstate) == (True, 0, "57014")
    assert failed.kept == rows.known > 1000
    assert rows.state is State.CUT
    assert rows.window(rows.known - 1, 1) == [(str(rows.known), "x" * 100)]
    assert client.pool.stats().opened == 1


def test_that_a_link_cut_in_mid_result_keeps_what_came(open_pool, side):
    client = Client(open_pool(1, 1))
    query, news = Query(client, "SELECT generate_series(1, 100000000) AS n", "SQL 1", side=side), []
    thread = threading.Thread(target=lambda: news.extend(query.run()))
    thread.start()
    until(lambda: query._spool is not None and query._spool.known > 1000)
    for conn in list(client.pool.raw._used.values()):
        link.cut(conn)
    thread.join(10)
    assert not thread.is_alive()
    failed, rows = news[-1], results(news)[0]
    assert failed.error.lost
    assert failed.kept == rows.known > 1000
    assert rows.window(999, 1) == [("1000",)]
    assert client.pool.slots() == ()


def test_that_a_backend_ended_in_mid_result_keeps_what_came(open_pool, side, admin):
    client = Client(open_pool(1, 1))
    text = (
        "SELECT n, CASE WHEN n = 5000 THEN pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, 9999) n"
    )
    news = list(Query(client, text, "SQL 1", side=side).run())
    assert news[-1].error.lost
    assert news[-1].kept == results(news)[0].known > 1000


def test_that_rows_closed_while_they_come_end_the_statement(query, client):
    news = query("SELECT generate_series(1, 100000000) AS n").run()
    told = next(each for each in news if isinstance(each, Result))
    told.rows.close()
    rest = list(news)
    assert isinstance(rest[-1], Done)
    assert (rest[-1].complete, rest[-1].why) == (False, "The result was closed.")
    assert client.pool.stats().used == 0


def test_that_a_failure_before_the_first_row_leaves_no_rows(run_all, monkeypatch):
    made = []
    monkeypatch.setattr(module, "Spool", lambda *a, **b: made.append(Spool(*a, **b)) or made[-1])
    news = run_all("SELECT 1 / (n - 1) FROM generate_series(1, 3) AS n")
    assert not results(news)
    assert news[-1].kept == 0
    assert [each._store.is_closed for each in made] == [True]


def test_that_no_file_is_left_behind(run_all):
    run_all("SELECT n FROM generate_series(1, 100000) AS n")
    assert os.listdir(os.path.join(os.environ["PGEXPLORER_HOME"], "results")) == []


# -- databases that are not in UTF-8


@pytest.fixture
def database(admin, profile):
    """Make databases of an encoding; each is dropped at the end."""
    made = []

    def make(encoding):
        name = f"enc_{os.getpid()}_{encoding.lower()}"
        made.append(name)
        admin.ask(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LOCALE 'C'").format(
                sql.Identifier(name), sql.Identifier(profile.user), sql.Literal(encoding)
            )
        )
        return name

    yield make
    for name in made:
        admin.ask(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def in_database(open_pool, profile, name):
    there = replace(profile, dbname=name)
    client = Client(open_pool(1, 1, **there.parameters()))
    return lambda text: list(Query(client, text, "SQL 1", side=lambda: connect_side(there)).run()), client


def test_that_a_database_without_an_encoding_shows_every_row(open_pool, profile, database):
    run, client = in_database(open_pool, profile, database("SQL_ASCII"))
    text = """CREATE TABLE t (n int, "é" text);
        INSERT INTO t VALUES (1, 'a' || chr(255) || chr(254)), (2, 'é'), (3, chr(233) || E'\\\\') RETURNING *; """
    news = run(f"{text}SELECT * FROM t; TABLE nosuch")
    expected = [("1", "a\\xff\\xfe"), ("2", "é"), ("3", "\\xe9\\")]
    assert all_rows(results(news)[1]) == expected
    assert all_rows(results(news)[2]) == expected
    assert [column.name for column in results(news)[2].columns] == ["n", "é"]
    assert news[-1].error.sqlstate == "42P01"
    assert all_rows(results(run('SELECT octet_length("é") FROM t'))[0]) == [("3",), ("2",), ("2",)]
    assert isinstance(run("BEGIN; SELECT 'é'")[-1], RolledBack)
    with client.lend("next") as conn:
        assert conn.encoding == "SQLASCII"


def test_that_a_transaction_of_a_tab_goes_on_in_a_database_without_an_encoding(open_pool, profile, database):
    _, client = in_database(open_pool, profile, database("SQL_ASCII"))
    session = Session(client)

    def run(text):
        return list(Query(session, text, "SQL 1", side=lambda: connect_side(profile)).run())

    run("CREATE TABLE t (a text)")
    run("BEGIN; INSERT INTO t VALUES ('é')")
    assert session.pin.is_open
    assert all_rows(results(run("SELECT a FROM t"))[0]) == [("é",)]
    run("ROLLBACK")
    assert session.pin is None
    assert all_rows(results(run("SELECT a FROM t"))[0]) == []
    run("BEGIN; INSERT INTO t VALUES ('ü')")
    session.release()
    with client.lend("next") as conn:
        assert conn.encoding == "SQLASCII"


def test_that_a_latin1_database_shows_every_row_and_refuses_what_it_cannot_hold(open_pool, profile, database):
    run, _ = in_database(open_pool, profile, database("LATIN1"))
    news = run("CREATE TABLE t (a text); INSERT INTO t VALUES ('é'), ('\xff') RETURNING a; SELECT a FROM t")
    assert all_rows(results(news)[1]) == all_rows(results(news)[2]) == [("é",), ("\xff",)]
    text = "SELECT 1; SELECT 'x', '€'"
    failed = run(text)[-1]
    assert isinstance(failed, Failed)
    assert "'€' cannot be sent" in failed.error.title
    assert failed.error.position == text.index("€")


def test_that_names_of_bytes_that_are_no_text_are_shown_and_their_rows_too(open_pool, profile, database):
    run, _ = in_database(open_pool, profile, database("SQL_ASCII"))
    made = "DO $$ BEGIN EXECUTE format('CREATE TABLE t (%I int, %I text)', chr(233) || 'x', 'y' || chr(255)); END $$;"
    made += "DO $$ BEGIN EXECUTE format('CREATE TYPE %I AS ENUM (%L)', chr(232) || 'kind', chr(234)); END $$;"
    made += "DO $$ BEGIN EXECUTE format('ALTER TABLE t ADD COLUMN k %I', chr(232) || 'kind'); END $$;"
    news = run(f"{made} INSERT INTO t VALUES (1, chr(254), NULL); SELECT * FROM t; EXPLAIN SELECT * FROM t")
    assert not [each for each in news if isinstance(each, Failed)]
    rows = results(news)[4]
    assert [column.name for column in rows.columns] == ["\\xe9x", "y\\xff", "k"]
    assert rows.columns[2].type_name == '"\\xe8kind"'
    assert all_rows(rows)[0][:2] == ("1", "\\xfe")
    returned = run("INSERT INTO t VALUES (2, NULL, NULL) RETURNING *")
    assert [column.name for column in results(returned)[0].columns] == ["\\xe9x", "y\\xff", "k"]
