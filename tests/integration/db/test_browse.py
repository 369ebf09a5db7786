"""Tables read page by page, forwards, backwards and by jumps, whatever they hold and whatever filters them."""

import psycopg2
import pytest

from fix_tables import forwards, page, relation, rows
from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.table.access import Way
from pgexplorer.db.table.browse import PAGE, NoPages, Read, Table, To
from pgexplorer.db.table.ordering import Sort


def test_that_pages_over_a_composite_key_bring_every_row_once(client, own_schema, do):
    do(f"""
        CREATE TABLE {own_schema}.t (v text, b text, a int, c date, PRIMARY KEY (a, b, c));
        INSERT INTO {own_schema}.t SELECT n::text, 'b' || n % 7, n % 11, 'infinity' FROM generate_series(0, 76) n;
        INSERT INTO {own_schema}.t SELECT n::text, 'x', 5, date '0044-03-15 BC' + n FROM generate_series(100, 1599) n
    """)
    read = rows(Table(client, relation(client, own_schema, "t")))
    assert len(read) == 1577
    assert sorted(int(row[0]) for row in read) == [*range(77), *range(100, 1600)]


@pytest.mark.parametrize("collation", ['"C"', '"ucs_basic"', '"pg_c_utf8"', '"en-x-icu"'])
def test_that_pages_over_a_text_key_bring_every_row_once(client, own_schema, do, admin, collation):
    if not admin.ask("SELECT 1 FROM pg_collation WHERE collname = %s", collation.strip('"')):
        pytest.skip("the server is built without this collation")
    do(f"""
        CREATE TABLE {own_schema}.t (k text COLLATE {collation} PRIMARY KEY);
        INSERT INTO {own_schema}.t
        SELECT (ARRAY['', 'a', 'A', 'é', 'É', 'ß', '%s', '''', '\\', '😀', ' ', '"'])[n % 12 + 1]
            || CASE WHEN n < 12 THEN '' ELSE n::text END FROM generate_series(0, 1200) n
    """)
    read = [row[0] for row in rows(Table(client, relation(client, own_schema, "t")))]
    assert len(read) == len(set(read)) == 1201
    assert read == [key for (key,) in do(f"SELECT k FROM {own_schema}.t ORDER BY k")]


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("uuid", "md5(n::text)::uuid"),
        ("bytea", "decode(md5(n::text), 'hex')"),
        ("numeric(10,3)", "n / 8.0"),
        ("float8", "sqrt(n)"),
        ("timestamptz", "'-infinity'::timestamptz + n * interval '1 day'"),
        ("timestamptz(0)", "now() + n * interval '1 second'"),
        ("char(8)", "n::text"),
        ("varchar(8)", "n::text"),
        ("inet", "'10.0.0.0'::inet + n"),
        ("interval", "n * interval '1 mon -1 day'"),
        ("int[]", "ARRAY[n, NULL]"),
        ("jsonb", "jsonb_build_object('a', n)"),
        ("bit(16)", "n::bit(16)"),
        ("name", "n::text"),
    ],
)
def test_that_pages_over_a_key_of_any_type_bring_every_row_once(client, own_schema, do, type_name, value):
    do(f"CREATE TABLE {own_schema}.t (k {type_name} PRIMARY KEY, n int)")
    do(f"INSERT INTO {own_schema}.t SELECT {value}, n FROM generate_series(1, 1100) n ON CONFLICT DO NOTHING")
    [(count,)] = do(f"SELECT count(*) FROM {own_schema}.t")
    read = [row[1] for row in rows(Table(client, relation(client, own_schema, "t")))]
    assert len(read) == len(set(read)) == count


def test_that_a_key_of_an_odd_type_is_paged(client, own_schema, do):
    do(f"""
        CREATE TYPE {own_schema}."odd % ""type" AS ENUM ('z', 'a');
        CREATE TABLE {own_schema}.t (k {own_schema}."odd % ""type", n int, PRIMARY KEY (k, n));
        INSERT INTO {own_schema}.t SELECT e, n FROM unnest(enum_range(NULL::{own_schema}."odd % ""type")) e,
            generate_series(1, 600) n
    """)
    read = rows(Table(client, relation(client, own_schema, "t")))
    assert read == [(letter, str(n)) for letter in "za" for n in range(1, 601)]


def test_that_a_long_key_is_shown_cut_and_paged_whole(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (k text PRIMARY KEY)")
    do(f"INSERT INTO {own_schema}.t SELECT repeat('x', 1500) || lpad(n::text, 4, '0') FROM generate_series(1, 1100) n")
    read = forwards(Table(client, relation(client, own_schema, "t")))
    assert [len(page.rows) for page in read] == [500, 500, 100]
    [cell] = read[0].rows[0]
    assert (cell, cell.size, cell.is_exact) == ("x" * 1000, 1504, True)
    assert read[0].places[-1] == ("x" * 1500 + "0500",)


def test_that_a_view_is_read_in_one_pass(client, own_schema, do):
    do(f"CREATE VIEW {own_schema}.v AS SELECT n FROM generate_series(1, 1100) n")
    table = Table(client, relation(client, own_schema, "v"), "n > 3", sorts=[Sort("n", descending=True)])
    assert table.find_way() is Way.PASS
    assert rows(table) == [(str(n),) for n in range(1100, 3, -1)]
    with pytest.raises(NoPages):
        page(table, To.FIRST)


def test_that_a_table_without_key_rows_or_columns_is_read(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int); INSERT INTO {own_schema}.t VALUES (1), (1), (NULL)")
    do(f"CREATE TABLE {own_schema}.e ()")
    assert rows(Table(client, relation(client, own_schema, "t"))) == [("1",), ("1",), (None,)]
    [opened, only] = Table(client, relation(client, own_schema, "e")).read(Read(To.FIRST))
    assert (opened.columns, only.rows, only.at_start, only.at_end) == ((), [], True, True)


def test_that_exactly_one_page_has_no_more(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t AS SELECT n FROM generate_series(1, {PAGE}) n")
    do(f"ALTER TABLE {own_schema}.t ADD PRIMARY KEY (n)")
    only = page(Table(client, relation(client, own_schema, "t")), To.FIRST)
    assert (len(only.rows), only.at_start, only.at_end, only.row) == (PAGE, True, True, 0)


def test_that_a_column_added_between_two_pages_moves_nothing(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a text, k int PRIMARY KEY)")
    do(f"INSERT INTO {own_schema}.t SELECT 'a', n FROM generate_series(1, 1100) n")
    table = Table(client, relation(client, own_schema, "t"))
    first = page(table, To.FIRST)
    do(f"ALTER TABLE {own_schema}.t ADD COLUMN b text DEFAULT 'b'")
    second = page(table, To.AFTER, first.places[-1])
    assert second.places[-1] == ("1000",)
    third = page(table, To.AFTER, second.places[-1])
    assert second.rows + third.rows == [("a", str(n)) for n in range(501, 1101)]


def test_that_a_column_dropped_between_two_pages_is_the_servers_error(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a text, k int PRIMARY KEY); INSERT INTO {own_schema}.t VALUES ('a', 1)")
    table = Table(client, relation(client, own_schema, "t"))
    first = page(table, To.FIRST)
    do(f"ALTER TABLE {own_schema}.t DROP COLUMN a")
    with pytest.raises(psycopg2.errors.UndefinedColumn):
        page(table, To.AFTER, first.places[-1])
    assert client.pool.stats().used == 0


# -- a filter only reads


@pytest.fixture
def precious(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int PRIMARY KEY, v text)")
    do(f"INSERT INTO {own_schema}.t SELECT n, 'v%' || n FROM generate_series(1, 1200) n")
    do(f"CREATE FUNCTION {own_schema}.wipe() RETURNS bool LANGUAGE sql AS 'DELETE FROM {own_schema}.t; SELECT true'")
    return relation(client, own_schema, "t")


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("", 1200),
        ("a <= 700", 700),
        ("a % 2 = 0", 600),
        ("v LIKE 'v\\%1%'", 312),
        ("a <= 700 -- a comment", 700),
        ("a <= 700 /* ; */", 700),
        ("a <= 700 OR a > 1199", 701),
        ("a IN (SELECT 1 UNION SELECT 2)", 2),
        ("t.a = 3", 1),
        ("v = ';)'", 0),
        ("v = 'it''s %s %(x)s {}'", 0),
        ("\n  a = 1\n", 1),
    ],
)
def test_that_a_filter_filters_every_page(client, precious, where, count):
    read = rows(Table(client, precious, where))
    assert len({row[0] for row in read}) == len(read) == count


@pytest.mark.parametrize(
    "where",
    [
        "1=1) ; DELETE FROM {schema}.t; --",
        "true; COMMIT; DELETE FROM {schema}.t",
        "true); COMMIT; DELETE FROM {schema}.t; SELECT (true",
        "true) ; COMMIT ; DELETE FROM {schema}.t ; SELECT 1 WHERE (true",
        "{schema}.wipe()",
        "true) UNION SELECT 1, {schema}.wipe()::text --",
        "set_config('transaction_read_only', 'off', true) IS NULL OR {schema}.wipe()",
        "set_config('transaction_read_only', 'off', false) IS NOT NULL AND {schema}.wipe()",
        "true /* ; DELETE FROM {schema}.t",
        "'; COMMIT; DELETE FROM {schema}.t; --",
        "$$); COMMIT; DELETE FROM {schema}.t; --",
        'a = 1 AND "); COMMIT; DELETE FROM {schema}.t; --',
        "true\0); DELETE FROM {schema}.t",
        "nosuch = 1",
        "(",
        ")",
        "EXISTS (DELETE FROM {schema}.t RETURNING 1)",
        "1/0 = 1",
        "pg_sleep(0) IS NULL AND nextval('nosuch') = 1",
    ],
)
def test_that_a_filter_that_tries_to_break_out_changes_nothing(client, precious, own_schema, do, where):
    with pytest.raises((psycopg2.Error, RefusedSql)):
        rows(Table(client, precious, where.format(schema=own_schema)))
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1200,)]
    assert client.pool.stats().used == 0
    assert len(rows(Table(client, precious))) == 1200


def test_that_a_filter_that_cannot_be_sent_is_refused_in_words(client, precious):
    with pytest.raises(RefusedSql, match="one condition"):
        page(Table(client, precious, "true); SELECT (1"), To.FIRST)
    with pytest.raises(RefusedSql, match="NUL"):
        page(Table(client, precious, "a = 1\0"), To.FIRST)


def test_that_what_a_filter_sets_is_gone_after_it(client, precious):
    rows(Table(client, precious, "set_config('work_mem', '77MB', false) IS NOT NULL AND a = 1"))
    with client.lend("next") as conn, conn.cursor() as cursor:
        cursor.execute("SHOW work_mem")
        assert cursor.fetchone() != ("77MB",)


def test_that_a_table_that_is_gone_raises_the_servers_error(client, own_schema, precious, do):
    do(f"DROP TABLE {own_schema}.t")
    with pytest.raises(psycopg2.errors.UndefinedTable):
        page(Table(client, precious), To.FIRST)
    assert client.pool.stats().used == 0


def test_that_a_table_that_was_made_anew_is_read(client, own_schema, precious, do):
    do(f"DROP TABLE {own_schema}.t; CREATE TABLE {own_schema}.t AS SELECT 'new' AS fresh")
    assert rows(Table(client, precious)) == [("new",)]


# -- relations of every kind, and rows that change meanwhile


@pytest.mark.parametrize(
    ("text", "way", "count"),
    [
        ("CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)) PARTITION BY RANGE (a)", Way.KEY, 1700),
        ("CREATE TABLE t (a int, b int) PARTITION BY RANGE (a)", Way.PASS, 1700),
    ],
)
def test_that_a_partitioned_table_is_read_over_its_partitions(client, own_schema, do, text, way, count):
    do(f"""
        SET search_path = {own_schema}; {text};
        CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (0) TO (500);
        CREATE TABLE t_2 PARTITION OF t FOR VALUES FROM (500) TO (2000);
        INSERT INTO t SELECT n, n % 3 FROM generate_series(0, {count - 1}) n
    """)
    table = Table(client, relation(client, own_schema, "t"))
    assert table.find_way() is way
    assert sorted(int(row[0]) for row in rows(table)) == list(range(count))


def test_that_a_parents_key_says_nothing_of_its_childrens_rows(client, own_schema, do):
    do(f"""
        SET search_path = {own_schema};
        CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE child () INHERITS (t);
        INSERT INTO t VALUES (1), (2); INSERT INTO child VALUES (2), (2), (3)
    """)
    table = Table(client, relation(client, own_schema, "t"))
    assert table.find_way() is Way.PASS
    assert sorted(row[0] for row in rows(table)) == ["1", "2", "2", "2", "3"]


def test_that_a_materialized_view_is_read_by_its_blocks_and_a_catalog_by_its_key(client, own_schema, do):
    do(f"CREATE MATERIALIZED VIEW {own_schema}.t AS SELECT n FROM generate_series(1, 1300) n")
    table = Table(client, relation(client, own_schema, "t"))
    assert table.find_way() is Way.BLOCKS
    assert rows(table) == [(str(n),) for n in range(1, 1301)]
    catalog = Table(client, relation(client, "pg_catalog", "pg_proc"))
    assert catalog.find_way() is Way.KEY
    assert len(rows(catalog)) > 3000


def test_that_a_foreign_table_is_read_in_one_pass(client, own_schema, admin, do, postgres):
    if not admin.ask("SELECT 1 FROM pg_available_extensions WHERE name = 'postgres_fdw'"):
        pytest.skip("this server has no postgres_fdw")
    given = postgres.profile.parameters("side")
    role = do("SELECT current_user")[0][0]
    database = given["dbname"]
    do(f"CREATE TABLE {own_schema}.there AS SELECT n FROM generate_series(1, 700) n")
    admin.ask("CREATE EXTENSION IF NOT EXISTS postgres_fdw")
    admin.ask(
        f"CREATE SERVER {own_schema} FOREIGN DATA WRAPPER postgres_fdw"
        f" OPTIONS (host '{given['host']}', port '{given['port']}', dbname '{database}')"
    )
    try:
        admin.ask(
            f"CREATE USER MAPPING FOR {role} SERVER {own_schema}"
            f" OPTIONS (user '{given['user']}', password '{given['password']}')"
        )
        admin.ask(f"GRANT USAGE ON FOREIGN SERVER {own_schema} TO {role}")
        do(
            f"CREATE FOREIGN TABLE {own_schema}.t (n int) SERVER {own_schema}"
            f" OPTIONS (schema_name '{own_schema}', table_name 'there')"
        )
        table = Table(client, relation(client, own_schema, "t"), "n > 3")
        assert table.find_way() is Way.PASS
        assert [row[0] for row in rows(table)] == [str(n) for n in range(4, 701)]
    finally:
        admin.ask(f"DROP SERVER {own_schema} CASCADE")


def test_that_rows_that_nobody_touches_come_once_each_while_others_change_the_table(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (k int PRIMARY KEY, v int)")
    do(f"INSERT INTO {own_schema}.t SELECT n * 2, 0 FROM generate_series(1, 2000) n")
    table = Table(client, relation(client, own_schema, "t"))
    read = [page(table, To.FIRST)]
    while not read[-1].at_end:
        odd = f"SELECT n * 2 + 1, 1 FROM generate_series({len(read) * 10}, 600) n"
        do(f"INSERT INTO {own_schema}.t {odd} ON CONFLICT DO NOTHING")
        do(f"DELETE FROM {own_schema}.t WHERE k % 20 = 0 AND k <= {len(read) * 400}")
        do(f"UPDATE {own_schema}.t SET v = v + 1 WHERE k % 7 = 0")
        read.append(page(table, To.AFTER, read[-1].places[-1]))
    keys = [int(row[0]) for each in read for row in each.rows]
    assert keys == sorted(set(keys))
    assert {n * 2 for n in range(1, 2001) if n % 10} <= set(keys)


def test_that_a_huge_value_is_cut_at_the_server_with_its_size(client, own_schema, do, admin):
    do(f"CREATE TABLE {own_schema}.t (k int PRIMARY KEY, a text, b bytea, c jsonb, d text[])")
    do(f"""
        INSERT INTO {own_schema}.t SELECT 1, repeat('é', 20000000), decode(repeat('00ff', 500000), 'hex'),
            jsonb_build_object('k', repeat('x', 30000)), array_fill('y'::text, ARRAY[9000])
    """)
    table = Table(client, relation(client, own_schema, "t"))
    [row] = page(table, To.FIRST).rows
    assert [len(cell) for cell in row[1:]] == [1000] * 4
    assert [cell.size for cell in row[1:]] == [40_000_000, 1_000_000, 30_009, 18_001]
    assert row[2].startswith("\\x00ff00ff")
    there, whole = table.value(("1",), "a")
    assert there
    assert len(whole) == 20_000_000
    assert table.value(("2",), "a") == (False, None)
