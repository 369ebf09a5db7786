"""Schemas read whole, tables read page by page, whatever they are called."""

import psycopg2
import pytest
from psycopg2 import sql

from pgexplorer.db.browse import PAGE, Table
from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.schema import Kind, TableColumn, read_columns, read_relations

NAMES = [
    'we""ird.<b>x</b> 😀',
    "é" * 31,
    "two\nlines",
    "%s",
    "100% (x)s %%",
    "select",
    "MixedCase",
    " leading",
    "a.b",
    "it's",
    "back\\slash",
    "{0} {}",
    "$$",
    "--",
    '"',
    "\u202eright\u200b",
]


def relations(client):
    with client.lend("schema") as conn:
        return dict(read_relations(conn))


def relation(client, schema, name):
    [found] = [one for one in relations(client)[schema] if one.name == name]
    return found


def pages(table):
    """Read the table to its end as the panel does; every page comes from a check-out of its own."""
    after, offset, found = None, 0, []
    while True:
        [page] = list(table.page(after, offset))
        assert table._client.pool.stats().used == 0
        found.append(page)
        offset += len(page.rows)
        after = page.key
        if not page.more:
            return found
        assert len(page.rows) == PAGE


def rows(table):
    return [row for page in pages(table) for row in page.rows]


@pytest.mark.parametrize("name", NAMES)
def test_that_a_table_with_a_hostile_name_and_column_is_listed_browsed_and_filtered(client, own_schema, do, name):
    table, column = sql.Identifier(own_schema, name), sql.Identifier(name)
    do(sql.SQL("CREATE TABLE {} ({} int PRIMARY KEY, v text)").format(table, column))
    do(sql.SQL("INSERT INTO {} SELECT n, '%s' FROM generate_series(1, {}) n").format(table, sql.Literal(PAGE * 2 + 7)))
    found = relation(client, own_schema, name)
    assert found.kind is Kind.TABLE
    with client.lend("schema") as conn:
        assert read_columns(conn, found.oid) == [
            TableColumn(name, "integer", True, True),
            TableColumn("v", "text", False, False),
        ]
        quoted = column.as_string(conn)
    read = pages(Table(client, found))
    assert [len(page.rows) for page in read] == [PAGE, PAGE, 7]
    assert [column.name for column in read[0].columns] == [name, "v"]
    assert [row for page in read for row in page.rows] == [(str(n), "%s") for n in range(1, PAGE * 2 + 8)]
    assert rows(Table(client, found, f"t.{quoted} % 100 = 3 AND v LIKE '%s' -- why")) == [
        (str(n), "%s") for n in range(3, PAGE * 2 + 8, 100)
    ]


def test_that_a_schema_with_a_hostile_name_is_listed_and_browsed(client, do):
    name = 'we""ird.<b>x</b> 😀 %s'
    schema = sql.Identifier(name)
    do(sql.SQL("CREATE SCHEMA {}; CREATE TABLE {} AS SELECT 1 AS a").format(schema, sql.Identifier(name, name)))
    try:
        assert rows(Table(client, relation(client, name, name))) == [("1",)]
    finally:
        do(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))


def test_that_schemas_come_public_first_and_the_systems_last(client, own_schema):
    names = list(relations(client))
    assert names[0] == "public"
    assert set(names[-2:]) == {"pg_catalog", "information_schema"}
    assert relations(client)[own_schema] == []
    assert not [name for name in names if name.startswith(("pg_toast", "pg_temp"))]


def test_that_every_kind_of_relation_is_told_apart(client, own_schema, do):
    do(f"""
        SET search_path = {own_schema};
        CREATE TABLE plain (a int PRIMARY KEY, b numeric(5,2) NOT NULL);
        COMMENT ON TABLE plain IS 'a comment <b>'; COMMENT ON COLUMN plain.b IS 'of b';
        INSERT INTO plain SELECT n, 1 FROM generate_series(1, 1000) n; ANALYZE plain;
        CREATE VIEW a_view AS SELECT * FROM plain;
        CREATE MATERIALIZED VIEW a_mat AS SELECT * FROM plain;
        CREATE TABLE parts (a int) PARTITION BY RANGE (a);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (1) TO (10);
        CREATE TABLE never_analysed (a int);
        CREATE SEQUENCE no_relation; CREATE INDEX no_index ON plain (b)
    """)
    found = {one.name: one for one in relations(client)[own_schema]}
    assert {name: one.kind for name, one in found.items()} == {
        "plain": Kind.TABLE,
        "a_view": Kind.VIEW,
        "a_mat": Kind.MATERIALIZED_VIEW,
        "parts": Kind.PARTITIONED,
        "never_analysed": Kind.TABLE,
    }
    plain = found["plain"]
    assert (plain.rows, plain.comment) == (1000, "a comment <b>")
    assert plain.size > 8192
    assert found["never_analysed"].rows == -1
    assert found["a_view"].size == 0
    with client.lend("schema") as conn:
        assert read_columns(conn, plain.oid) == [
            TableColumn("a", "integer", True, True),
            TableColumn("b", "numeric(5,2)", False, True, "of b"),
        ]
        assert read_columns(conn, 1) == []


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
    read = pages(Table(client, relation(client, own_schema, "t")))
    assert [len(page.rows) for page in read] == [500, 500, 100]
    assert read[0].rows[0] == ("x" * 1000 + "… (1,504 characters)",)
    assert read[0].key == ("x" * 1500 + "0500",)


def test_that_a_view_is_paged_by_offset(client, own_schema, do):
    do(f"CREATE VIEW {own_schema}.v AS SELECT n FROM generate_series(1, 1100) n")
    read = pages(Table(client, relation(client, own_schema, "v")))
    assert [len(page.rows) for page in read] == [500, 500, 100]
    assert all(page.key is None for page in read)
    assert [row for page in read for row in page.rows] == [(str(n),) for n in range(1, 1101)]


def test_that_a_table_without_key_rows_or_columns_is_read(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int); INSERT INTO {own_schema}.t VALUES (1), (1), (NULL)")
    do(f"CREATE TABLE {own_schema}.e ()")
    assert rows(Table(client, relation(client, own_schema, "t"))) == [("1",), ("1",), (None,)]
    [page] = pages(Table(client, relation(client, own_schema, "e")))
    assert (page.columns, page.rows, page.more) == ((), [], False)


def test_that_exactly_one_page_has_no_more(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t AS SELECT n FROM generate_series(1, {PAGE}) n")
    do(f"ALTER TABLE {own_schema}.t ADD PRIMARY KEY (n)")
    [page] = Table(client, relation(client, own_schema, "t")).page()
    assert (len(page.rows), page.more) == (PAGE, False)


def test_that_a_column_added_between_two_pages_moves_nothing(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a text, k int PRIMARY KEY)")
    do(f"INSERT INTO {own_schema}.t SELECT 'a', n FROM generate_series(1, 1100) n")
    table = Table(client, relation(client, own_schema, "t"))
    [first] = table.page()
    do(f"ALTER TABLE {own_schema}.t ADD COLUMN b text DEFAULT 'b'")
    [second] = table.page(first.key)
    assert second.key == ("1000",)
    [third] = table.page(second.key)
    assert second.rows + third.rows == [("a", str(n)) for n in range(501, 1101)]


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
        list(Table(client, precious, "true); SELECT (1").page())
    with pytest.raises(RefusedSql, match="NUL"):
        list(Table(client, precious, "a = 1\0").page())


def test_that_what_a_filter_sets_is_gone_after_it(client, precious):
    rows(Table(client, precious, "set_config('work_mem', '77MB', false) IS NOT NULL AND a = 1"))
    with client.lend("next") as conn, conn.cursor() as cursor:
        cursor.execute("SHOW work_mem")
        assert cursor.fetchone() != ("77MB",)


def test_that_a_table_that_is_gone_raises_the_servers_error(client, own_schema, precious, do):
    do(f"DROP TABLE {own_schema}.t")
    with pytest.raises(psycopg2.errors.UndefinedTable):
        rows(Table(client, precious))
    assert client.pool.stats().used == 0
