"""SQL in, results of any size out."""

import threading
from dataclasses import replace

import psycopg2
import pytest
from psycopg2.pool import PoolError

from fix_facts import until
from pgexplorer.db.client import Client
from pgexplorer.db.errors import RefusedSql, describe
from pgexplorer.db.probe import connect_side
from pgexplorer.db.query import Done, Failed, Notices, Query, Result, RolledBack, Started
from pgexplorer.db.rows import State
from pgexplorer.pool import link
from pgexplorer.pool.slot import SlotState


@pytest.fixture
def run(query, client):
    """Run a text and return its news; the pool is at rest after it."""

    def run_text(text, **options):
        news = list(query(text, **options).run())
        assert client.pool.stats().used == 0
        assert all(slot.state is SlotState.IDLE for slot in client.pool.slots())
        return news

    return run_text


WAITS = "SELECT wait_event FROM pg_stat_activity WHERE pid = %s"


def of(kind, news):
    return [each for each in news if isinstance(each, kind)]


def result(news, index=0):
    """Return the rows of a statement: one object in all news of it."""
    found = {id(each.rows): each.rows for each in of(Result, news) if each.index == index}
    assert len(found) == 1, f"{len(found)} results of statement {index}"
    return next(iter(found.values()))


def rows(news, index=0):
    found = result(news, index)
    return found.window(0, found.known)


def only(kind, news):
    [found] = of(kind, news)
    return found


# -- results


def test_that_a_statement_is_announced_read_and_ended(run):
    news = run("SELECT n FROM generate_series(1, 3) AS n")
    assert [type(each) for each in news if not isinstance(each, Result)] == [Started, Done]
    started, page, *_, done = news
    assert (started.index, started.of, started.statement.text) == (0, 1, "SELECT n FROM generate_series(1, 3) AS n")
    assert started.pid > 0
    assert [(column.name, column.type_name) for column in page.rows.columns] == [("n", "integer")]
    assert rows(news) == [("1",), ("2",), ("3",)]
    assert (page.rows.state, page.rows.why) == (State.COMPLETE, "")
    assert (done.rows, done.has_rows, done.complete) == (3, True, True)
    assert 0 <= done.first_s <= done.total_s


def test_that_several_statements_bring_several_results(run):
    news = run(
        "SELECT 1; CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1), (2); SELECT a FROM t; SELECT 'x' WHERE false"
    )
    assert [each.index for each in of(Started, news)] == [0, 1, 2, 3, 4]
    assert [(done.rows, done.has_rows) for done in of(Done, news)] == [
        (1, True),
        (-1, False),
        (2, False),
        (2, True),
        (0, True),
    ]
    assert of(Done, news)[2].status == "INSERT 0 2"
    assert rows(news, 3) == [("1",), ("2",)]
    assert rows(news, 4) == []
    assert result(news, 4).state is State.COMPLETE
    assert not [each for each in of(Result, news) if each.index in (1, 2)]


def test_that_a_select_without_columns_counts_its_rows(run):
    news = run("SELECT; SELECT FROM generate_series(1, 3)")
    assert [done.rows for done in of(Done, news)] == [1, 3]
    assert rows(news, 1) == [(), (), ()]
    assert result(news).columns == result(news, 1).columns == ()


def test_that_sixteen_hundred_columns_and_equal_and_odd_names_arrive(run):
    news = run("SELECT " + ", ".join(f"{n} AS c{n}" for n in range(1600)))
    assert len(result(news).columns) == 1600
    assert rows(news) == [tuple(str(n) for n in range(1600))]
    news = run('SELECT 1 AS a, 2 AS a, 3 AS " ", 4 AS "%s", 5 AS "<b>😀", 6')
    assert [column.name for column in result(news).columns] == ["a", "a", " ", "%s", "<b>😀", "?column?"]


def test_that_ten_megabytes_fit_into_a_cell(run):
    news = run("SELECT repeat('é', 5 * 1024 * 1024)")
    assert rows(news) == [("é" * (5 * 1024 * 1024),)]


@pytest.mark.parametrize("kind", ["copied", "plain"])
@pytest.mark.parametrize(
    ("limit", "total"), [(5, 4), (5, 5), (5, 6), (250, 250), (250, 251), (1500, 3000), (1500, 1400)]
)
def test_that_the_row_limit_is_exact_and_says_whether_more_was_there(run, kind, limit, total):
    statement = f"SELECT n FROM generate_series(1, {total}) AS n"
    if kind == "plain":
        statement = f"CREATE TEMP TABLE t (a int); INSERT INTO t {statement} RETURNING a"
    news = run(statement, row_limit=limit)
    done = of(Done, news)[-1]
    shown = rows(news, done.index)
    assert len(shown) == done.rows == min(limit, total)
    assert done.complete is (total <= limit)
    assert (
        done.why
        == result(news, done.index).why
        == ("" if total <= limit else f"The limit of {limit:,} rows was reached.")
    )
    assert shown == [(str(n),) for n in range(1, min(limit, total) + 1)]


def test_that_explain_show_and_returning_bring_rows(run):
    news = run(
        "EXPLAIN SELECT 1; SHOW server_version_num; CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (7) RETURNING a"
    )
    assert [done.has_rows for done in of(Done, news)] == [True, True, False, True]
    assert rows(news, 3) == [("7",)]


def test_that_a_deep_expression_runs_once(run):
    deep = " || ".join(["'x'"] * 500)
    news = run(f";SELECT {deep}; SELECT 2")
    assert [len(rows(news, index)) for index in range(2)] == [1, 1]
    assert rows(news)[0][0] == "x" * 500


def test_that_no_setting_of_a_person_changes_how_the_program_reads(run):
    news = run("SET client_min_messages = error; SET datestyle = 'German'; SELECT date '2020-01-31'; SELECT true")
    assert rows(news, 2) == [("31.01.2020",)]
    assert rows(run("SELECT date '2020-01-31'")) == [("2020-01-31",)]


# -- what is refused


def test_that_a_nul_is_refused_before_anything_is_sent(query, client):
    before = client.pool.stats().served
    with pytest.raises(RefusedSql, match="Line 3 holds a NUL"):
        list(query("SELECT 1;\n\nDELETE FROM t\0 WHERE a = 1").run())
    assert client.pool.stats().served == before


@pytest.mark.parametrize("text", ["", " \n", ";;", "-- nothing\n/* at all */"])
def test_that_an_empty_text_is_refused_in_words(query, text):
    with pytest.raises(RefusedSql, match="nothing to run"):
        list(query(text).run())


def test_that_a_full_pool_is_said_as_psycopg2_says_it(query, client):
    taken = [client.pool.getconn(holder="by hand") for _ in range(2)]
    with pytest.raises(PoolError, match="connection pool exhausted"):
        list(query("SELECT 1").run())
    for conn in taken:
        client.pool.putconn(conn)
    assert rows(list(query("SELECT 1").run())) == [("1",)]


# -- errors


def test_that_the_third_statement_is_named_and_the_fourth_is_not_sent(run):
    news = run("SELECT 1; SELECT 2; SELECT 1/0; SELECT 4")
    failed = only(Failed, news)
    assert (failed.index, failed.of, failed.error.sqlstate, failed.cancelled) == (2, 4, "22012", False)
    assert failed.error.title == "division by zero"
    assert len(of(Started, news)) == 3
    assert news[-1] is failed


@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize("before", ["", "SELECT '😀é'; ", "-- 😀\n\n  ", "SELECT 1;\r\n\tSELECT 2; /* 😀 */ "])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1 AS a, nosuch",
        "SELECT '😀', nosuch",
        "WITH a AS (SELECT 1) SELECT nosuch FROM a",
        "UPDATE pg_class SET relname = nosuch",
        "SELECT 1 FROM nosuch FOR UPDATE",
        "EXPLAIN SELECT nosuch",
        "SELECT '\U0001f469\u200d\U0001f52c', nosuch",
    ],
)
def test_that_an_errors_position_is_the_place_in_the_editors_text(run, before, statement, offset):
    text = before + statement
    failed = only(Failed, run(text, offset=offset))
    assert failed.error.sqlstate in {"42703", "42P01"}
    assert failed.error.position == offset + text.index("nosuch")


def test_that_a_syntax_error_points_at_its_word(run):
    text = "SELECT 1;\nSELCT 2;\nSELECT 3"
    failed = only(Failed, run(text))
    assert (failed.index, failed.error.sqlstate) == (1, "42601")
    assert failed.error.position == text.index("SELCT")


def test_that_an_error_inside_a_function_points_nowhere(run):
    failed = only(Failed, run("SELECT 1; DO $$ BEGIN PERFORM nosuch; END $$"))
    assert failed.error.sqlstate == "42703"
    assert failed.error.position is None
    assert "PL/pgSQL" in failed.error.detail


def test_that_detail_and_hint_are_the_servers(run):
    failed = only(
        Failed, run("DO $$ BEGIN RAISE 'sad' USING DETAIL = 'why', HINT = 'do this', ERRCODE = 'ZZ999'; END $$")
    )
    error = failed.error
    assert (error.title, error.hint, error.sqlstate) == ("sad", "do this", "ZZ999")
    assert error.detail.startswith("why\nContext: ")


def test_that_an_error_while_rows_come_keeps_the_rows_so_far(run):
    news = run("SELECT 1000 / (500 - n) FROM generate_series(1, 1000) AS n")
    assert rows(news) == [(str(int(1000 / (500 - n))),) for n in range(1, 500)]
    assert result(news).state is State.CUT
    assert "error" in result(news).why
    assert only(Failed, news).kept == 499
    assert news.index(only(Failed, news)) > max(news.index(each) for each in of(Result, news))
    assert only(Failed, news).error.sqlstate == "22012"
    assert only(Failed, news).error.position is None


def test_that_the_sessions_encoding_changes_no_select(run):
    news = run("SET client_encoding = LATIN1; SELECT chr(233), chr(8364)")
    assert rows(news, 1) == [("é", "€")]


def test_that_bytes_that_cannot_be_decoded_are_said_and_give_the_connection_back(run):
    news = run(
        "SET client_encoding = LATIN1; CREATE TEMP TABLE t (a text); INSERT INTO t VALUES (chr(233)) RETURNING a"
    )
    failed = only(Failed, news)
    assert failed.index == 2
    assert "not in the connection's encoding" in failed.error.title
    assert "client_encoding" in failed.error.hint
    assert rows(run("SELECT 'é'")) == [("é",)]


def test_that_a_link_cut_while_it_runs_is_told_as_lost(open_pool, side, admin):
    client = Client(open_pool(1, 1))
    query = Query(client, "SELECT 1; SELECT pg_sleep(30)", "SQL 1", side=side)
    news = []
    thread = threading.Thread(target=lambda: news.extend(query.run()))
    thread.start()
    until(lambda: client.pool.slots()[0].sql == "SELECT pg_sleep(30)")
    until(lambda: admin.state(client.pool.slots()[0].pid) == "active")
    for conn in list(client.pool.raw._used.values()):
        link.cut(conn)
    thread.join(5)
    assert not thread.is_alive()
    failed = only(Failed, news)
    assert failed.error.lost
    assert not failed.cancelled
    assert failed.index == 1
    assert "connection to the server is gone" in failed.error.detail
    assert "text is kept" in failed.error.hint
    assert client.pool.slots() == ()
    assert rows(list(Query(client, "SELECT 1", "SQL 1", side=side).run())) == [("1",)]


def test_that_a_backend_ended_while_it_runs_is_told_as_lost(open_pool, side):
    client = Client(open_pool(1, 1))
    news = list(Query(client, "BEGIN; SELECT pg_terminate_backend(pg_backend_pid()); SELECT 2", "SQL", side=side).run())
    failed = only(Failed, news)
    assert failed.error.lost
    assert failed.index == 1
    assert not of(RolledBack, news)
    assert client.pool.stats().used == 0


SLOW_COMMIT = """
CREATE TABLE {0}.t (a int);
CREATE FUNCTION {0}.wait() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON {0}.t DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION {0}.wait()
"""


@pytest.mark.parametrize(
    ("text", "at", "title", "detail"),
    [
        ("BEGIN; INSERT INTO {0}.t VALUES (1); COMMIT", 2, "Outcome unknown: ", "may have been committed"),
        ("INSERT INTO {0}.t VALUES (1)", 0, "Outcome unknown: ", "may have been carried out"),
        ("BEGIN; SELECT 1; SELECT pg_sleep(30)", 2, "", "transaction was rolled back"),
        ("SELECT pg_sleep(30)", 0, "", ""),
    ],
)
def test_that_a_link_that_breaks_under_a_change_leaves_its_outcome_open_and_says_so(
    open_pool, side, admin, own_schema, do, text, at, title, detail
):
    do(SLOW_COMMIT.format(own_schema))
    client = Client(open_pool(1, 1))
    news = []
    query = Query(client, text.format(own_schema), "SQL 1", side=side)
    thread = threading.Thread(target=lambda: news.extend(query.run()))
    thread.start()
    until(lambda: client.pool.slots() and admin.value(WAITS, client.pool.slots()[0].pid) == "PgSleep")
    for conn in list(client.pool.raw._used.values()):
        link.cut(conn)
    thread.join(5)
    assert not thread.is_alive()
    failed = only(Failed, news)
    assert failed.index == at
    assert failed.error.lost
    assert failed.error.title.startswith(title)
    assert failed.error.title.startswith("Outcome unknown") == bool(title)
    assert detail in failed.error.detail
    assert ("Look at the data" in failed.error.hint) == bool(title)


# -- transactions and notices


@pytest.mark.parametrize("end", ["", "; SELECT 1/0"])
def test_that_a_transaction_left_open_is_rolled_back_and_said(run, own_schema, do, end):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    news = run(f"BEGIN; INSERT INTO {own_schema}.t VALUES (1){end}")
    assert isinstance(news[-1], RolledBack)
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]


def test_that_a_transaction_ended_by_the_text_is_kept(run, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    news = run(f"BEGIN; INSERT INTO {own_schema}.t VALUES (1); SELECT * FROM {own_schema}.t; COMMIT")
    assert not of(RolledBack, news) + of(Failed, news)
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1,)]


def test_that_statements_before_a_failing_one_are_kept(run, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    run(f"INSERT INTO {own_schema}.t VALUES (1); SELECT 1/0")
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1,)]


def test_that_a_function_called_by_a_select_is_committed(run, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    do(f"CREATE FUNCTION {own_schema}.f() RETURNS void LANGUAGE sql AS 'INSERT INTO {own_schema}.t VALUES (1)'")
    run(f"SELECT {own_schema}.f()")
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1,)]


def test_that_a_select_inside_a_persons_transaction_leaves_it_open(run):
    news = run("BEGIN; SELECT 1; SAVEPOINT a; SELECT 2; ROLLBACK TO a; SELECT 3; COMMIT")
    assert [rows(news, index) for index in (1, 3, 5)] == [[("1",)], [("2",)], [("3",)]]
    assert of(Done, news)[-1].status == "COMMIT"
    assert not of(RolledBack, news)


def test_that_twenty_thousand_notices_are_bounded_and_counted(run):
    news = run("DO $$ BEGIN FOR n IN 1..20000 LOOP RAISE NOTICE 'line %', n; END LOOP; END $$; SELECT 1")
    notices = only(Notices, news)
    assert len(notices.lines) == 200
    assert notices.dropped == 19_800
    assert notices.lines[-1] == "NOTICE:  line 20000"
    assert news.index(notices) < news.index(of(Started, news)[1])


def test_that_notices_of_a_failing_statement_are_told(run):
    news = run("DO $$ BEGIN RAISE NOTICE 'so far'; RAISE 'sad'; END $$")
    assert only(Notices, news).lines == ("NOTICE:  so far",)
    assert only(Failed, news).error.title == "sad"


def test_that_a_run_can_be_left_in_the_middle(query, client):
    text = "DO $$ BEGIN RAISE NOTICE 'x'; END $$; SELECT n FROM generate_series(1, 5000) AS n; SELECT 1"
    for taken in range(1, 7):
        running = query(text).run()
        for _ in range(taken):
            next(running)
        running.close()
        assert client.pool.stats().used == 0


def test_that_a_read_only_profile_refuses_to_write(profile, open_pool, side):
    read_only = replace(profile, read_only=True)
    client = Client(open_pool(1, 1, **read_only.parameters()))
    news = list(Query(client, "CREATE TABLE nosuch (a int)", "SQL", side=side).run())
    error = only(Failed, news).error
    assert error.sqlstate == "25006"
    assert "read-only by its profile" in error.hint


def test_that_the_time_limit_of_a_profile_ends_a_statement(profile, open_pool, side):
    limited = replace(profile, statement_timeout_s=0.05)
    client = Client(open_pool(1, 1, **limited.parameters()))
    news = list(Query(client, "SELECT pg_sleep(30)", "SQL", side=lambda: connect_side(limited)).run())
    failed = only(Failed, news)
    assert failed.error.sqlstate == "57014"
    assert not failed.cancelled


def test_that_a_password_in_an_error_of_connecting_is_not_repeated(profile):
    canary = "pw-CANARY-7f3a"
    with pytest.raises(psycopg2.OperationalError) as caught:
        connect_side(replace(profile, password=canary))
    assert canary not in repr(describe(caught.value))


def test_that_copy_from_stdin_takes_the_lines_below_it(query, do, own_schema):
    text = f"""create table {own_schema}.c (a int, b text);
copy {own_schema}.c from stdin;
1\té;'😀
2\t\\N
\\.
copy {own_schema}.c (b) from stdin with (format csv);
"x; -- y"
\\.
select count(*) from {own_schema}.c"""
    news = list(query(text).run())
    done = [each for each in news if isinstance(each, Done)]
    assert [each.status for each in done] == ["CREATE TABLE", "COPY 2", "COPY 1", "SELECT 1"]
    assert do(f"select a, b from {own_schema}.c order by a") == [(1, "é;'😀"), (2, None), (None, "x; -- y")]


def test_that_wrong_data_of_a_copy_fails_in_the_servers_words_and_the_connection_goes_on(query, own_schema):
    text = f"create table {own_schema}.c (a int);\ncopy {own_schema}.c from stdin;\n1\nx\n\\.\nselect 1"
    news = list(query(text).run())
    [failed] = [each for each in news if isinstance(each, Failed)]
    assert failed.error.sqlstate == "22P02"
    assert "line 2" in failed.error.detail
    assert [each.status for each in query("select 1").run() if isinstance(each, Done)] == ["SELECT 1"]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select 1;\n  \\d person", "a command of psql's"),
        ("select 1;\n  copy person to stdout", "a window has none"),
        ("select 1;\n  copy (select 1) to stdout (format csv);", "a window has none"),
        ("select 1;\n  copy person from stdin", "and there is none"),
    ],
)
def test_that_what_only_psql_can_do_is_refused_in_words_and_nothing_is_sent(query, client, sql, words):
    served = client.pool.stats().served
    with pytest.raises(RefusedSql, match=words) as refused:
        list(query(sql, offset=100).run())
    assert refused.value.position == 112
    assert client.pool.stats().served == served


def test_that_a_session_in_which_a_backslash_escapes_is_cut_as_it_reads(open_pool, side):
    client = Client(open_pool(1, 1, options="-c standard_conforming_strings=off"))
    query = Query(client, "select '\\';' as a; select 2 as b", "SQL 1", side=side)
    assert [each.status for each in query.run() if isinstance(each, Done)] == ["SELECT 1", "SELECT 1"]
