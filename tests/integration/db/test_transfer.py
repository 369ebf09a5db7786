"""Exports and imports on a real server: whole and exact, or nothing at all."""

import csv
import errno
import io
import itertools
import json
import os
import random
import resource
import threading
from collections import Counter
from contextlib import contextmanager

import psycopg2
import pytest
from psycopg2 import sql

from fix_facts import until
from pgexplorer.db.client import Client
from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.schema import Kind, Relation
from pgexplorer.db.table.ordering import Condition, Filter, Operator, Sort
from pgexplorer.db.transfer import export as transfer
from pgexplorer.db.transfer import load as load_module
from pgexplorer.db.transfer.export import (
    Export,
    Finished,
    Progress,
    QuerySource,
    RowsSource,
    Stopped,
    TableSource,
    TargetExists,
    TransferFailed,
)
from pgexplorer.db.transfer.formats import Format, Options
from pgexplorer.db.transfer.layout import Layout, guess, match, preview
from pgexplorer.db.transfer.load import Import
from pgexplorer.db.values import Column

NASTY = [
    "",
    "\\N",
    "\\.",
    '"',
    "a,b",
    "x\ty",
    "line\nfeed",
    "carriage\rreturn",
    "=1+1",
    "-1",
    "@x",
    "é€😀",
    " ",
    "NULL",
]


@pytest.fixture
def table(own_schema, do):
    """Make a table of this test and return it as a relation."""

    def make(columns, rows=(), name="t"):
        whole = sql.Identifier(own_schema, name)
        do(sql.SQL("CREATE TABLE {} ({})").format(whole, sql.SQL(columns)))
        for row in rows:
            values = sql.SQL(", ").join(sql.Literal(value) for value in row)
            do(sql.SQL("INSERT INTO {} VALUES ({})").format(whole, values))
        [[oid]] = do("SELECT %s::regclass::oid::int", f'{own_schema}."{name}"')
        return Relation(oid, own_schema, name, Kind.TABLE, -1, 0)

    return make


@pytest.fixture
def export(client, side, tmp_path):
    """Make an export to a file of this test, not yet run."""

    def make(source, kind=Format.CSV, options=None, name=None, client=client, **more):
        source = QuerySource(source) if isinstance(source, str) else source
        path = tmp_path / (name or f"out{kind.suffix}")
        return Export(client, source, kind, path, options, side=side, **more)

    return make


@pytest.fixture(autouse=True)
def nothing_left(tmp_path):
    """Whatever a test does, no temporary file stays, in this folder, of any export."""
    yield
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def finish(work):
    """Run to the end and return the last news."""
    news = list(work.run())
    assert isinstance(news[-1], Finished)
    return news[-1]


def in_thread(work):
    """Run on a thread of its own; return its news and the thread. An exception is the last news."""
    news = []

    def run():
        try:
            news.extend(iter_into(work.run(), news))
        except Exception as error:
            news.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return news, thread


def iter_into(iterator, news):
    """Append each item at once."""
    for each in iterator:
        news.append(each)
    return []


def rest(client, pids=None):
    """See that every connection is back, idle and clean."""
    until(lambda: not any(slot.is_out for slot in client.pool.slots()))
    with client.lend("look") as conn, conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_cursors")
        assert cursor.fetchone() == (0,)


def nasty(table):
    rows = [(number, text, None if number % 3 else text * 2) for number, text in enumerate(NASTY)]
    return table("id int, a text, b text", rows)


@pytest.mark.parametrize("kind", [Format.CSV, Format.TSV])
@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(header=False, null="NULL"),
        Options(delimiter=";", quote="'", quote_all=True),
        Options(encoding="utf-16"),
        Options(encoding="utf-8-sig", delimiter="|"),
        Options(encoding=""),
    ],
)
def test_that_copy_reads_back_exactly_what_was_exported(table, export, do, profile, own_schema, kind, options, client):
    relation = nasty(table)
    if kind is Format.TSV and options.null:  # this format cannot tell NULL from a value that reads the same
        do(f"DELETE FROM {own_schema}.t WHERE '{options.null}' IN (a, b)")
    done = finish(export(TableSource(relation), kind, options))
    [[count]] = do(f"SELECT count(*) FROM {own_schema}.t")
    assert done.proof == f"{count} of {count} rows"
    text = done.path.read_bytes().decode(options.encoding or "utf-8")
    assert done.bytes == done.path.stat().st_size
    if options.header:
        head, _, text = text.partition("\n")
        assert head.replace(options.delimiter, " ").replace("\t", " ") == "id a b"
    do(sql.SQL("CREATE TABLE {} (id int, a text, b text)").format(sql.Identifier(own_schema, "back")))
    said = f"FORMAT text, NULL '{options.null_text(kind)}'"
    if kind is Format.CSV:
        quote = options.quote.replace("'", "''")
        said = f"FORMAT csv, DELIMITER '{options.delimiter}', QUOTE '{quote}', ESCAPE '{quote}', "
        said += f"NULL '{options.null_text(kind)}'"
    with client.lend("back") as conn, conn.cursor() as cursor:
        cursor.copy_expert(f"COPY {own_schema}.back FROM STDIN ({said})", io.BytesIO(text.encode()))
        cursor.execute(f"SELECT * FROM {own_schema}.back ORDER BY id")
        back = cursor.fetchall()
        cursor.execute(f"SELECT * FROM {own_schema}.t ORDER BY id")
        assert back == cursor.fetchall()


def test_that_the_bytes_are_the_servers_own(table, export, client):
    relation = nasty(table)
    done = finish(export(TableSource(relation)))
    wanted = io.BytesIO()
    with client.lend("psql") as conn, conn.cursor() as cursor:
        cursor.copy_expert(f"COPY {relation.schema}.t TO STDOUT (FORMAT csv, HEADER)", wanted)
    assert done.path.read_bytes() == wanted.getvalue()


def test_that_a_file_means_the_same_whatever_the_roles_settings(table, export, profile, admin, open_pool):
    columns = "d date, i interval, f double precision, b bytea"
    relation = table(columns, [("0044-03-02 BC", "1 mon -2 days", 0.1 + 0.2, b"\x00'")])
    odd = {"DateStyle": "German", "IntervalStyle": "sql_standard", "extra_float_digits": -10, "bytea_output": "escape"}
    for name, value in odd.items():
        admin.ask(f'ALTER ROLE "{profile.user}" SET {name} = {value}')
    try:
        other = Client(open_pool(1, 1))
        done = finish(export(TableSource(relation), client=other))
        with other.lend("look") as conn, conn.cursor() as cursor:
            cursor.execute("SHOW DateStyle")
            assert cursor.fetchone()[0].startswith("German")  # and the session is as it was
    finally:
        for name in odd:
            admin.ask(f'ALTER ROLE "{profile.user}" RESET {name}')
    assert done.path.read_text().splitlines()[1] == "0044-03-02 BC,1 mon -2 days,0.30000000000000004,\\x0027"


@pytest.mark.parametrize("options", [Options(), Options(delimiter=";", quote="'"), Options(quote_all=True, null="-")])
def test_that_the_converters_csv_is_the_servers_byte_for_byte(table, export, options):
    from dataclasses import replace

    relation = nasty(table)
    for source in (TableSource(relation), TableSource(relation, columns=("a",))):
        direct = finish(export(source, options=options, name="direct.csv", overwrite=True)).path.read_bytes()
        marked = replace(options, encoding="utf-8-sig")
        converted = finish(export(source, options=marked, name="converted.csv", overwrite=True)).path.read_bytes()
        assert converted == b"\xef\xbb\xbf" + direct


def test_that_only_the_filtered_rows_and_the_chosen_columns_are_written(table, export):
    relation = table('id int, "a b" text, c text', [(1, "x", "y"), (2, "p", "q")])
    done = finish(export(TableSource(relation, Filter("id = 2 -- the second"), ("c", "a b"))))
    assert done.path.read_text() == "c,a b\nq,p\n"


def test_that_conditions_and_the_order_of_the_grid_go_into_the_file(table, export):
    relation = table("id int, c text", [(1, "x"), (2, "p"), (3, "100%"), (4, "xx")])
    conditions = (Condition("c", Operator.UNEQUAL, "p"), Condition("id", Operator.AT_LEAST, "2"))
    done = finish(export(TableSource(relation, Filter("id < 9", conditions, (Sort("id", descending=True),)))))
    assert done.path.read_text() == "id,c\n4,xx\n3,100%\n"
    with pytest.raises(RefusedSql, match="NUL"):
        list(export(TableSource(relation, Filter(conditions=(Condition("c", Operator.EQUAL, "\0"),)))).run())


@pytest.mark.parametrize("where", ["true; DROP TABLE t", "id = 1\0", "true) OR (true"])
def test_that_a_filter_is_one_condition(table, export, where):
    relation = table("id int", [(1,)])
    if where.startswith("true)"):
        assert finish(export(TableSource(relation, Filter(where)))).rows == 1  # within the brackets it is one
        return
    with pytest.raises((RefusedSql, TransferFailed)):
        list(export(TableSource(relation, Filter(where))).run())


def test_that_json_lines_keep_every_digit(export):
    digits = "123456789012345678901234567890.12"
    done = finish(
        export(
            f"SELECT {digits}::numeric AS n, true AS ok, '{{\"a\": 1.50}}'::jsonb AS j, 'null'::json AS jn, NULL AS no,"
            " 'NaN'::float8 AS nan, DATE 'infinity' AS d, 1 AS n",
            Format.JSON_LINES,
        )
    )
    line = done.path.read_text()
    assert f'"n": {digits}, "ok": true, "j": {{"a": 1.50}}, "jn": null, "no": null' in line
    assert json.loads(line) | {"n": 0} == {
        "n": 0, "ok": True, "j": {"a": 1.5}, "jn": None, "no": None, "nan": "NaN", "d": "infinity", "n_2": 1,
    }  # fmt: skip


def test_that_an_insert_script_makes_the_same_rows(table, export, do, own_schema):
    columns = (
        "id int GENERATED ALWAYS AS IDENTITY, a text, n numeric, f float8, ok bool, j json, d date, ar int[], by bytea,"
        " twice numeric GENERATED ALWAYS AS (n * 2) STORED"
    )
    relation = table(columns)
    for value in NASTY:
        others = r"""1.10, 'NaN', true, '{"a":"\\"}', 'infinity', '{1,NULL}', '\x00ff'"""
        do(f"INSERT INTO {own_schema}.t (a, n, f, ok, j, d, ar, by) VALUES (%s, {others})", value)
    do(f"INSERT INTO {own_schema}.t (a) VALUES (NULL)")
    done = finish(export(TableSource(relation), Format.INSERT, Options(batch=4)))
    before = do(f"SELECT t::text FROM {own_schema}.t ORDER BY id")
    do(f"TRUNCATE {own_schema}.t")
    do(done.path.read_bytes().decode())
    assert do(f"SELECT t::text FROM {own_schema}.t ORDER BY id") == before
    assert done.path.read_text().count("INSERT INTO") == 4


def test_that_parquet_holds_the_types_exactly(table, export):
    pq = pytest.importorskip("pyarrow.parquet")
    relation = table("id bigint, n numeric(10,2), free numeric, t text, ok bool, d date, ts timestamp, tz timestamptz")
    source = (
        f"SELECT * FROM {relation.schema}.t UNION ALL SELECT 9223372036854775807, -1.10, 1.100, '', false,"
        " '0001-01-01', '2024-01-02 03:04:05.000006', '2024-01-02 03:04:05+00' UNION ALL"
        " SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL UNION ALL SELECT 1, 1, 1, E'a\\nb,\"', true,"
        " '9999-12-31', '1700-01-01', '1700-01-01+00'"
    )
    done = finish(export(source, Format.PARQUET))
    assert (done.rows, done.sent) == (3, 3)
    got = pq.read_table(done.path).to_pylist()
    assert got[0]["id"] == 9223372036854775807
    assert str(got[0]["n"]) == "-1.10"
    assert got[0]["t"] == ""
    assert got[0]["ts"].microsecond == 6
    assert got[1] == dict.fromkeys(got[0])
    assert got[2]["t"] == 'a\nb,"'
    assert got[2]["ok"] is True


def test_that_a_value_that_parquet_lacks_is_told_and_nothing_is_written(export, tmp_path):
    pytest.importorskip("pyarrow")
    with pytest.raises(TransferFailed, match="infinity"):
        list(export("SELECT DATE 'infinity' AS d", Format.PARQUET).run())
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize("query", ["SELECT 1 AS a WHERE false", "SELECT NULL::text AS a FROM generate_series(1, 3)"])
def test_that_no_rows_and_lone_nulls_are_counted_right(export, kind, query):
    if kind is Format.PARQUET:
        pytest.importorskip("pyarrow")
    assert finish(export(query, kind)).rows == (0 if "false" in query else 3)


@pytest.mark.parametrize("kind", [Format.CSV, Format.TSV, Format.JSON_LINES, Format.EXCEL])
def test_that_rows_without_columns_are_rows(export, kind):
    assert finish(export("SELECT FROM generate_series(1, 3)", kind)).rows == 3


@pytest.mark.parametrize("kind", list(Format))
def test_that_a_selection_is_written_like_what_the_server_sends(table, export, kind, client):
    if kind is Format.PARQUET:
        pytest.importorskip("pyarrow")
    relation = nasty(table)
    with client.lend("look") as conn, conn.cursor() as cursor:
        cursor.execute(f"SELECT id::text, a, b FROM {relation.schema}.t")
        rows = cursor.fetchall()
    columns = [Column("id", "integer", 23), Column("a", "text", 25), Column("b", "text", 25)]
    options = Options(table=(relation.schema, "t"))
    here = finish(export(RowsSource(columns, iter(rows), len(rows)), kind, options, name="here"))
    there = finish(export(TableSource(relation), kind, options, name="there"))
    assert here.proof == there.proof
    if kind is not Format.EXCEL:  # its date of making is in it
        assert here.path.read_bytes() == there.path.read_bytes()


def test_that_the_guard_disarms_formulas_and_is_off_by_default(export):
    query = "SELECT '=1+1' AS a, -1 AS n, '-1' AS b, '@x' AS c"
    assert finish(export(query, name="off.csv")).path.read_text() == "a,n,b,c\n=1+1,-1,-1,@x\n"
    on = finish(export(query, options=Options(guard=True), name="on.csv"))
    assert on.path.read_text() == "a,n,b,c\n'=1+1,-1,'-1,'@x\n"


def test_that_an_export_changes_nothing_at_the_server(table, export, do):
    relation = table("id int")
    for query in (
        f"INSERT INTO {relation.schema}.t VALUES (1) RETURNING id",
        f"WITH x AS (DELETE FROM {relation.schema}.t RETURNING id) SELECT * FROM x",
        "SELECT nextval('person_id_seq')",
        "SELECT 1; SELECT 2",
        "SELECT 1) TO PROGRAM 'true'; --",
        "VACUUM",
    ):
        with pytest.raises((TransferFailed, RefusedSql)):
            list(export(query).run())
    assert do(f"SELECT count(*) FROM {relation.schema}.t") == [(0,)]


def test_that_an_error_of_the_server_is_told_with_its_place_and_the_pool_is_clean(export, client, tmp_path):
    with pytest.raises(TransferFailed) as failed:
        list(export("SELECT 1, nonsense").run())
    assert failed.value.error.sqlstate == "42703"
    assert failed.value.error.position == len("SELECT 1, ")
    with pytest.raises(TransferFailed, match="division by zero"):
        list(export("SELECT 1 / (1000 - g) FROM generate_series(1, 2000) AS g").run())
    assert list(tmp_path.iterdir()) == []
    rest(client)


def test_that_an_existing_file_asks_and_keeps_its_mode_when_it_is_replaced(export, tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    path.chmod(0o640)
    with pytest.raises(TargetExists):
        list(export("SELECT 1 AS a").run())
    assert path.read_text() == "old"
    finish(export("SELECT 1 AS a", overwrite=True))
    assert path.read_text() == "a\n1\n"
    assert path.stat().st_mode & 0o777 == 0o640


def test_that_a_file_made_meanwhile_is_not_overwritten(export, tmp_path):
    running = export("SELECT 1 AS a").run()
    for news in running:
        if isinstance(news, Progress) and news.finishing:
            (tmp_path / "out.csv").write_text("somebody else's")
            break
    with pytest.raises(TargetExists):
        list(running)
    assert (tmp_path / "out.csv").read_text() == "somebody else's"


def test_that_a_link_stays_a_link(export, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "real" / "file")
    finish(export("SELECT 1 AS a", overwrite=True))
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "real" / "file").read_text() == "a\n1\n"


@pytest.mark.parametrize("path", ["/proc/out.csv", "/dev/full", "/nowhere/at/all.csv", "/tmp"])
def test_that_a_place_where_nothing_can_be_written_is_told(client, side, path):
    with pytest.raises(TransferFailed) as failed:
        list(Export(client, QuerySource("SELECT 1"), Format.CSV, os_path(path), side=side, overwrite=True).run())
    assert path in str(failed.value)
    rest(client)


def os_path(text):
    from pathlib import Path

    return Path(text)


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser writes everywhere")
def test_that_a_read_only_folder_is_told(export, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(TransferFailed, match="Permission denied"):
        list(export("SELECT 1", name="closed/out.csv").run())


def test_that_a_read_only_file_stays(export, tmp_path, monkeypatch):
    (tmp_path / "out.csv").write_text("old")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # what the superuser is never told
    with pytest.raises(TransferFailed, match="read-only"):
        list(export("SELECT 1", overwrite=True).run())
    assert (tmp_path / "out.csv").read_text() == "old"


@contextmanager
def files_of(size):
    """Let no file grow beyond *size* bytes: a disk that is full, for this process and those that it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("kind", list(Format))
def test_that_a_full_disk_leaves_the_old_file_and_a_clean_pool(export, client, tmp_path, kind):
    if kind is Format.PARQUET:
        pytest.importorskip("pyarrow")
    path = tmp_path / f"out{kind.suffix}"
    path.write_text("old")
    query = "SELECT g, md5(g::text), md5((-g)::text) FROM generate_series(1, 200000) AS g"
    with files_of(2_000_000), pytest.raises(TransferFailed, match=r"(?i)too large") as failed:
        list(export(query, kind, overwrite=True).run())
    assert str(path) in failed.value.error.detail
    assert path.read_text() == "old"
    rest(client)


def test_that_a_disk_that_fills_up_at_the_last_moment_leaves_the_old_file(export, tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "out.csv").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TransferFailed, match="No space left"):
        list(export("SELECT 1", overwrite=True).run())
    assert (tmp_path / "out.csv").read_text() == "old"


# In the list of columns, where it is not put away whole before the first row comes.
ENDLESS = "SELECT generate_series(1, 1000000000), md5(random()::text)"


@pytest.mark.parametrize("kind", [Format.CSV, Format.JSON_LINES, Format.EXCEL])
def test_that_stopping_leaves_the_old_file_and_gives_the_connection_back(export, client, admin, tmp_path, kind):
    path = tmp_path / f"out{kind.suffix}"
    path.write_text("old")
    work = export(ENDLESS, kind, overwrite=True)
    news, thread = in_thread(work)
    until(lambda: any(isinstance(each, Progress) and each.rows > 1000 for each in list(news)))
    list(work.stop())
    thread.join(15)
    assert not thread.is_alive()
    assert isinstance(news[-1], Stopped), news[-1]
    assert path.read_text() == "old"
    rest(client)
    until(lambda: admin.value("SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ 'COPY.*md5'"
                              " AND pid <> pg_backend_pid()") == 0)  # fmt: skip


def test_that_stopping_a_query_that_waits_ends_it(export, client, tmp_path):
    work = export("SELECT pg_sleep(100)")
    news, thread = in_thread(work)
    until(lambda: any(isinstance(each, Progress) for each in list(news)))
    list(work.stop())
    thread.join(15)
    assert isinstance(news[-1], Stopped), news[-1]
    rest(client)


def test_that_stopping_before_the_start_writes_nothing(export, tmp_path):
    work = export("SELECT 1")
    list(work.stop())
    assert isinstance(list(work.run())[-1], Stopped)
    assert list(tmp_path.iterdir()) == []


def test_that_an_export_let_go_of_in_the_middle_cleans_up(export, client, tmp_path):
    running = export(ENDLESS).run()
    assert isinstance(next(running), Progress)
    running.close()
    assert list(tmp_path.iterdir()) == []
    rest(client)


@pytest.mark.parametrize("kind", [Format.CSV, Format.JSON_LINES])
@pytest.mark.parametrize("how", ["reset_all", "close_all"])
def test_that_a_link_cut_in_the_middle_is_told_and_leaves_nothing_half(open_pool, proxy, export, tmp_path, kind, how):
    through = Client(open_pool(1, 1, host="127.0.0.1", port=proxy.port))
    path = tmp_path / f"out{kind.suffix}"
    path.write_text("old")
    news, thread = in_thread(export(ENDLESS, kind, client=through, overwrite=True))
    until(lambda: any(isinstance(each, Progress) and each.rows > 1000 for each in list(news)))
    getattr(proxy, how)()
    thread.join(15)
    assert not thread.is_alive()
    assert isinstance(news[-1], TransferFailed), news[-1]
    assert "lost after" in news[-1].error.title
    assert path.read_text() == "old"
    rest(through)


def test_that_a_backend_ended_in_the_middle_is_told(export, client, admin, tmp_path):
    news, thread = in_thread(export(ENDLESS))
    until(lambda: any(isinstance(each, Progress) and each.rows > 1000 for each in list(news)))
    admin.terminate(next(slot.pid for slot in client.pool.slots() if slot.is_out))
    thread.join(15)
    assert isinstance(news[-1], TransferFailed)
    assert list(tmp_path.iterdir()) == []
    rest(client)


def test_that_a_converter_that_dies_is_told(export, client, monkeypatch, tmp_path):
    work = export(ENDLESS, Format.JSON_LINES)
    news, thread = in_thread(work)
    until(lambda: any(isinstance(each, Progress) and each.rows > 1000 for each in list(news)))
    work._sink._process.kill()
    thread.join(15)
    assert isinstance(news[-1], TransferFailed)
    assert "code -9" in str(news[-1])
    assert list(tmp_path.iterdir()) == []
    rest(client)


def test_that_a_missing_package_is_told_with_the_line_that_installs_it(export, monkeypatch):
    monkeypatch.setattr(transfer.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TransferFailed, match=r'pip install "pgexplorer\[parquet\]"'):
        list(export("SELECT 1", Format.PARQUET).run())


def test_that_progress_tells_rows_bytes_rate_and_the_time_left(table, export):
    rows = 400_000
    source = QuerySource(f"SELECT g, md5(g::text) FROM generate_series(1, {rows}) AS g", estimate=rows)
    news = list(export(source).run())
    seen = [each for each in news if isinstance(each, Progress) and not each.finishing]
    assert all(one.rows <= other.rows for one, other in itertools.pairwise(seen))
    some = next(each for each in news if isinstance(each, Progress) and each.rows)
    assert some.bytes > some.rows
    assert some.rate > 0
    assert some.share is not None
    assert news[-1].proof == "400,000 of 400,000 rows"


def test_that_a_count_that_differs_is_never_called_complete(export, monkeypatch, tmp_path):
    count = transfer._FileSink.write

    def lose_one(sink, data):
        if sink.rows == 5:
            sink.rows += 1
            return
        count(sink, data)

    monkeypatch.setattr(transfer._FileSink, "write", lose_one)
    work = export("SELECT g FROM generate_series(1, 10) AS g")
    real = transfer._FileSink.close

    def close(sink):
        real(sink)
        sink.size += 0 if sink.rows else 1
        sink.rows -= 1

    monkeypatch.setattr(transfer._FileSink, "close", close)
    with pytest.raises(TransferFailed, match="would not be complete"):
        list(work.run())
    assert list(tmp_path.iterdir()) == []


def test_that_random_tables_come_back_whole(table, export, do, own_schema, client):
    rng = random.Random(7)
    relation = table("a text, b text, c text")
    rows = [tuple(rng.choice([None, *NASTY]) for _ in range(3)) for _ in range(300)]
    with client.lend("fill") as conn, conn.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {own_schema}.t VALUES (%s, %s, %s)", rows)
    for options in (Options(null="\\N"), Options(null="\\N", quote_all=True, delimiter="\t")):
        done = finish(export(TableSource(relation), options=options, overwrite=True))
        with open(done.path, newline="", encoding="utf-8") as file:
            [_, *read] = csv.reader(file, delimiter=options.delimiter)
        # csv tells no quoted \N from NULL: both are compared as one
        wanted = Counter(tuple("\\N" if value is None else value for value in row) for row in rows)
        assert Counter(map(tuple, read)) == wanted


def test_that_odd_names_are_quoted(export, do, own_schema, client, side, tmp_path):
    for name in ['a"b', "a.b", "%s", "new\nline", "😀", " lead", "select"]:
        whole = sql.Identifier(own_schema, name)
        do(sql.SQL("CREATE TABLE {} ({} int)").format(whole, sql.Identifier(name)))
        do(sql.SQL("INSERT INTO {} VALUES (1)").format(whole))
        [[oid]] = do(
            "SELECT oid::int FROM pg_class WHERE relname = %s AND relnamespace = %s::regnamespace", name, own_schema
        )
        relation = Relation(oid, own_schema, name, Kind.TABLE, 1, 0)
        for kind in (Format.CSV, Format.TSV, Format.INSERT, Format.JSON_LINES):
            done = finish(export(TableSource(relation), kind, overwrite=True))
            assert done.rows == 1
            if kind is Format.INSERT:
                do(done.path.read_bytes().decode())
                assert do(sql.SQL("SELECT count(*) FROM {}").format(whole)) == [(2,)]
                do(sql.SQL("DELETE FROM {} WHERE ctid <> (SELECT min(ctid) FROM {})").format(whole, whole))


def test_that_a_full_pool_is_told_by_the_pool(export, client):
    held = [client.check_out("somebody") for _ in range(client.pool.maxconn)]
    with pytest.raises(psycopg2.pool.PoolError):
        list(export("SELECT 1").run())
    for conn in held:
        client.check_in(conn)


@pytest.fixture
def load(client, side, tmp_path):
    """Make an import of bytes, written to a file of this test, as its layout is guessed."""

    def make(relation, data, columns=None, layout=None, client=client, names=(), name="in.csv"):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        found = layout or guess(path, names)
        if columns is None:
            columns = match(preview(path, found), names)
        return Import(client, relation, path, found, columns, side=side)

    return make


def test_that_what_was_exported_is_imported_again_as_it_was(table, export, load, do, own_schema):
    relation = nasty(table)
    before = do(f"SELECT * FROM {own_schema}.t ORDER BY id")
    for kind, options in (
        (Format.CSV, Options()),
        (Format.CSV, Options(delimiter=";", header=False)),
        (Format.CSV, Options(encoding="utf-16", null="\\N")),
        (Format.CSV, Options(encoding="utf-8-sig", delimiter="\t", quote_all=True)),
        (Format.TSV, Options()),
    ):
        path = finish(export(TableSource(relation), kind, options, overwrite=True)).path
        do(f"TRUNCATE {own_schema}.t")
        done = finish(load(relation, path.read_bytes(), names=("id", "a", "b"), name=f"in{kind.suffix}"))
        assert done.proof == f"{len(NASTY)} of {len(NASTY)} rows"
        assert do(f"SELECT * FROM {own_schema}.t ORDER BY id") == before, (kind, options)


def test_that_columns_are_matched_by_name_and_the_rest_is_left_out(table, load, do, own_schema):
    relation = table("id int, a text, b text DEFAULT 'd'")
    data = 'nothing,A,"the id"\n"x\ny",first,1\nz,"sec,ond",2\n'
    finish(load(relation, data, [None, "a", "id"]))
    assert do(f"SELECT * FROM {own_schema}.t ORDER BY id") == [(1, "first", "d"), (2, "sec,ond", "d")]
    again = load(relation, "b,ID\nq,7\n", names=("id", "a", "b"))
    finish(again)
    assert do(f"SELECT * FROM {own_schema}.t WHERE id = 7") == [(7, None, "q")]


@pytest.mark.parametrize("columns", [["id", "a"], [None, "id", None]])
def test_that_the_bad_row_is_told_by_its_line_and_nothing_stays(table, load, do, own_schema, client, columns):
    relation = table("id int, a text")
    layout = Layout(header=True)
    if len(columns) == 2:
        data, line = 'id,a\n1,"two\nlines"\n2,x\nthree,y\n', 5
    else:
        data, line = 'x,id,"y\nz"\n"p\nq\nr",1,\n,2,"1\n2"\n,three,\n', 8
    with pytest.raises(TransferFailed) as failed:
        list(load(relation, data, columns, layout).run())
    assert failed.value.error.title == f'Line {line}: invalid input syntax for type integer: "three"'
    assert f"line {line}, column id" in failed.value.error.detail
    assert failed.value.error.sqlstate == "22P02"
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]
    rest(client)


def test_that_a_record_of_another_width_is_told_by_its_line(table, load, do, own_schema):
    relation = table("id int, a text")
    with pytest.raises(TransferFailed, match="Line 3: missing data"):
        list(load(relation, "id,a\n1,x\n2\n", ["id", "a"], Layout()).run())
    with pytest.raises(TransferFailed, match="Line 3: the record has 2 values, and the file's others 3"):
        list(load(relation, "id,a,b\n1,x,y\n2,x\n", ["id", "a", None], Layout()).run())
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]


def test_that_bytes_of_another_encoding_are_told_by_their_line(table, load):
    relation = table("a text")
    with pytest.raises(TransferFailed, match="Line 3: invalid byte sequence"):
        list(load(relation, b"a\nx\n\xe9t\xe9\n", ["a"], Layout()).run())
    with pytest.raises(TransferFailed, match="Line 2: the bytes 81"):
        list(load(relation, b"a\n\x81\n", ["a"], Layout(encoding="cp1252")).run())
    finish(load(relation, b"a\nx\n\xe9t\xe9\n", names=("a",)))


def test_that_an_open_quote_does_not_eat_the_memory(table, load, monkeypatch):
    monkeypatch.setattr(load_module, "_LONGEST", 1_000_000)
    relation = table("a text")
    data = 'a\nx\n"' + "no end\n" * 400_000
    with pytest.raises(TransferFailed, match="Line 3: the record that begins here has no end"):
        list(load(relation, data, ["a"], Layout()).run())


@pytest.mark.parametrize("how", ["at once", "while it waits for a lock"])
def test_that_stopping_an_import_undoes_it(table, load, do, own_schema, client, admin, how):
    relation = table("a text, b text")
    work = load(relation, b"a,b\n" + b"xxxxxxxxxxxxxxxxxxxxx,yyyyyyyyyyyyy\n" * 3_000_000, ["a", "b"], Layout())
    if how != "at once":
        admin.ask("BEGIN")
        admin.ask(f"LOCK TABLE {own_schema}.t IN ACCESS EXCLUSIVE MODE")
    news, thread = in_thread(work)
    until(lambda: any(isinstance(each, Progress) for each in list(news)))
    if how == "at once":
        until(lambda: any(isinstance(each, Progress) and each.rows > 1000 for each in list(news)))
    list(work.stop())
    thread.join(20)
    assert not thread.is_alive()
    if how != "at once":
        admin.ask("ROLLBACK")
    assert isinstance(news[-1], Stopped), news[-1]
    assert any(isinstance(each, Progress) and each.share is not None for each in news)
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]
    rest(client)


def test_that_a_link_cut_while_importing_is_told(table, load, open_pool, proxy, do, own_schema):
    relation = table("a text, b text")
    through = Client(open_pool(1, 1, host="127.0.0.1", port=proxy.port))
    data = b"a,b\n" + b"xxxxxxxxxxxxxxxxxxxxx,yyyyyyyyyyyyy\n" * 3_000_000
    news, thread = in_thread(load(relation, data, ["a", "b"], Layout(), client=through))
    until(lambda: any(isinstance(each, Progress) and each.rows > 1000 for each in list(news)))
    proxy.reset_all()
    thread.join(20)
    assert isinstance(news[-1], TransferFailed), news[-1]
    assert "was lost after" in news[-1].error.title
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]
    rest(through)


def test_that_a_deferred_constraint_is_told_at_the_end_and_undoes_everything(table, load, do, own_schema):
    relation = table("id int UNIQUE DEFERRABLE INITIALLY DEFERRED")
    with pytest.raises(TransferFailed, match="duplicate key"):
        list(load(relation, "id\n1\n1\n", ["id"], Layout()).run())
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]


def test_that_rows_that_a_trigger_leaves_out_are_counted_and_told(table, load, do, own_schema):
    relation = table("id int")
    do(f"CREATE FUNCTION {own_schema}.f() RETURNS trigger LANGUAGE plpgsql AS"
       " $$BEGIN RETURN CASE WHEN new.id > 1 THEN new END; END$$")  # fmt: skip
    do(f"CREATE TRIGGER leaves_out BEFORE INSERT ON {own_schema}.t FOR EACH ROW EXECUTE FUNCTION {own_schema}.f()")
    done = finish(load(relation, "id\n1\n2\n3\n", ["id"], Layout()))
    assert done.proof == "2 of 3 rows"
    assert "leaves_out" in done.notes[0]


def test_that_a_mapping_that_makes_no_sense_is_refused(table, load):
    relation = table("id int, a text")
    with pytest.raises(TransferFailed, match="No column"):
        list(load(relation, "id\n1\n", [None], Layout()).run())
    with pytest.raises(TransferFailed, match="twice"):
        list(load(relation, "id,a\n1,2\n", ["id", "id"], Layout()).run())


def test_that_a_missing_file_is_told(client, side, table, tmp_path):
    work = Import(client, table("id int"), tmp_path / "none.csv", Layout(), ["id"], side=side)
    with pytest.raises(TransferFailed, match="No such file"):
        list(work.run())
