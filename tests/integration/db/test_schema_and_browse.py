"""Schemas read whole, whatever is in them and whatever it is called."""

import pytest
from psycopg2 import sql

from fix_tables import forwards, relation, relations, rows
from pgexplorer.db.schema import Kind, TableColumn, read_columns
from pgexplorer.db.table.browse import PAGE, Table

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
    read = forwards(Table(client, found))
    assert [len(page.rows) for page in read] == [PAGE, PAGE, 7]
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
