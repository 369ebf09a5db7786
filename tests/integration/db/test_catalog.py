"""The catalog that completion reads: what it finds, in how many queries, for whom, and in which encodings."""

import contextlib
import threading

import psycopg2
import pytest
from psycopg2 import extensions as ext

from pgexplorer.db.catalog import literal, quoted, read_catalog
from pgexplorer.db.completion.offers import complete

HOSTILE = 'a "quoted".name; -- 😀\n\t\x01'


@pytest.fixture
def look(postgres):
    """Read the catalog over a connection of its own; changed parameters go into the connection."""

    def read(**changed):
        parameters = postgres.profile.parameters("side") | changed
        with contextlib.closing(psycopg2.connect(**parameters)) as conn:
            conn.autocommit = True
            found = read_catalog(conn)
            assert conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
            return found

    return read


def test_that_a_hostile_schema_is_found_whole(look, do, own_schema):
    name, inner, kind = own_schema, quoted(HOSTILE), quoted(f"kind of {HOSTILE}")
    do(f"create type {name}.{kind} as enum ('b', 'a', {literal(HOSTILE)})")
    do(f"create domain {name}.dom as {name}.{kind}")
    do(f"create table {name}.{inner} ({inner} {name}.{kind}, gone int, a int, b int, primary key (b, a))")
    do(f"alter table {name}.{inner} drop column gone")
    do(
        f"create table {name}.child (x int, y int, d {name}.dom, v varchar(7)[], "
        f"foreign key (y, x) references {name}.{inner} (b, a))"
    )
    do(f"create view {name}.seen as select a from {name}.{inner}")
    do(f"create materialized view {name}.kept as select 1 as one")
    do(f"create sequence {name}.counter")
    do(f"create table {name}.parts (n int, primary key (n)) partition by list (n)")
    do(f"create table {name}.part partition of {name}.parts for values in (1)")
    do(f"create table {name}.to_parts (n int references {name}.parts)")
    do(f"create table {name}.nothing ()")
    do(f"create function {name}.{inner}(one int, two text default 'x, OUT y') returns int language sql as 'select 1'")
    do(f"create function {name}.{inner}(one int) returns int language sql as 'select 1'")
    rows = "returns setof record language sql as 'select 1, null::text'"
    do(f"create function {name}.rows(out a int, out b text) {rows}")
    do(f"create function {name}.table_of() returns table (x int) language sql as 'select 1'")
    do(f"create function {name}.children() returns setof {name}.child language sql as 'select * from {name}.child'")
    do(f"create procedure {name}.act() language sql as 'select 1'")
    found = look()
    table = found.table((own_schema, HOSTILE))
    assert table.columns == [(HOSTILE, f"{own_schema}.{kind}"), ("a", "integer"), ("b", "integer")]
    child = found.table((own_schema, "child"))
    assert child.columns[3] == ("v", "character varying(7)[]")
    [key] = [key for key in found.keys if key.table == child.oid]
    assert (key.columns, key.to, key.to_columns) == (("y", "x"), table.oid, ("b", "a"))
    assert found.labels_of[f"{own_schema}.{kind}"] == ("b", "a", HOSTILE)
    assert found.labels_of[f"{own_schema}.dom"] == ("b", "a", HOSTILE)
    kinds = {each.name: each.kind for each in found.tables if each.schema == own_schema}
    assert kinds == {
        HOSTILE: "r",
        "child": "r",
        "seen": "v",
        "kept": "m",
        "counter": "S",
        "parts": "p",
        "part": "r",
        "to_parts": "r",
        "nothing": "r",
    }
    assert found.table((own_schema, "nothing")).columns == []
    parts = found.table((own_schema, "parts"))
    assert [key.to for key in found.keys if key.table == found.table((own_schema, "to_parts")).oid] == [parts.oid]
    function = found.function((own_schema, HOSTILE))
    assert function.signature == "(one integer) → integer · 1 more"
    assert found.function((own_schema, "rows")).columns == [("a", "integer"), ("b", "text")]
    assert found.function((own_schema, "rows")).takes_none
    assert found.columns(found.function((own_schema, "table_of"))) == [("x", "integer")]
    assert found.columns(found.function((own_schema, "children"))) == child.columns
    assert found.function((own_schema, "act")).kind == "p"
    assert not found.is_bare(table)


def test_that_the_systems_own_is_there_and_what_only_the_server_calls_is_not(look):
    found = look()
    assert ("relname", "name") in found.table(["pg_class"]).columns
    assert found.table(("information_schema", "tables")) is not None
    assert {"pg_catalog", "information_schema", "public"} <= set(found.schemas)
    assert found.path == ("pg_catalog", "public")
    assert found.is_bare(found.table(["pg_class"]))
    names = {each.name for each in found.functions}
    assert {"count", "now", "starts_with", "json_each", "generate_series", "lower", "row_number"} <= names
    assert not {"int4in", "int4pl", "texteq", "array_subscript_handler", "btint4cmp_internal"} & names
    assert found.columns(found.function(["json_each"])) == [("key", "text"), ("value", "json")]
    assert found.columns(found.function(["unnest"])) == []
    assert "timestamp with time zone" in {each.written for each in found.types}


def test_that_the_search_path_says_what_needs_no_schema(look, do, own_schema):
    do(f"create table {own_schema}.pg_class (mine int)")
    do(f"create table {own_schema}.ours (mine int)")
    found = look(options=f"-c search_path={own_schema},public")
    assert found.path == ("pg_catalog", own_schema, "public")
    assert found.is_bare(found.table(["ours"]))
    assert not found.is_bare(found.table((own_schema, "pg_class")))  # the system's comes first
    found = look(options=f"-c search_path={own_schema},pg_catalog")
    assert found.is_bare(found.table((own_schema, "pg_class")))


def test_that_three_queries_in_one_transaction_are_all(profile):
    sent = []

    class Counting(ext.cursor):
        def execute(self, query, values=None):
            sent.append(query)
            super().execute(query, values)

    with contextlib.closing(psycopg2.connect(**profile.parameters("side"))) as conn:
        conn.autocommit = True
        conn.cursor_factory = Counting
        read_catalog(conn)
    assert sum("SELECT" in text for text in sent) == 3
    assert len(sent) == 4
    assert sent[0].strip().startswith("BEGIN")
    assert sent[-1] == "COMMIT"


def test_that_a_role_with_no_rights_reads_what_it_may(look, admin, own_schema):
    admin.ask(f"create table {own_schema}.secret (a int)")
    admin.ask("create role nobody_much login password 'x'")
    try:
        found = look(user="nobody_much", password="x")
        assert found.table((own_schema, "secret")) is None
        assert own_schema not in found.schemas
        assert "nobody_much" in found.roles
        assert found.table(["pg_class"]) is not None
    finally:
        admin.ask("drop role nobody_much")


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_that_other_encodings_are_read(look, admin, postgres, encoding):
    name = f"completing_{encoding.lower()}"
    admin.ask(f"create database {name} encoding '{encoding}' locale 'C' locale_provider libc template template0")
    try:
        parameters = postgres.admin_parameters | {"dbname": name}
        with contextlib.closing(psycopg2.connect(**parameters)) as conn:
            conn.autocommit = True
            with conn.cursor() as cursor:
                if encoding == "SQL_ASCII":
                    cursor.execute(b'create table public."no utf8 \xe4" (a int)')
                made = 'create table public."größe" ("ä" int)'
                cursor.execute(made.encode() if encoding == "SQL_ASCII" else made)
        found = look(dbname=name)
        assert found.table(["größe"]).columns == [("ä", "integer")]
        assert [each.name for each in found.tables if each.schema == "public"] == ["größe"]
    finally:
        admin.ask(f"drop database {name} with (force)")


def test_that_a_locked_table_does_not_hold_it_up(look, postgres, do, own_schema):
    do(f"create table {own_schema}.held (a int)")
    do(f"create view {own_schema}.over_it as select a from {own_schema}.held")
    with contextlib.closing(psycopg2.connect(**postgres.profile.parameters("side"))) as conn, conn.cursor() as cursor:
        cursor.execute(f"lock table {own_schema}.held in access exclusive mode")
        found = []
        thread = threading.Thread(target=lambda: found.append(look()))
        thread.start()
        thread.join(20)
        assert found
        assert found[0].table((own_schema, "held")).columns == [("a", "integer")]
        conn.rollback()


def test_that_the_server_quotes_the_same_names(do):
    names = [
        "plain",
        "Upper",
        "with space",
        "1st",
        "a$b",
        "ünïcode",
        "select",
        "left",
        "between",
        "name",
        "type",
        "",
        "_x",
    ]
    names += ['a"b', "a.b", "user", "order", "value", "int", "abort", "natural"]
    assert [quoted(name) for name in names] == [do("select quote_ident(%s)", name)[0][0] for name in names]
    texts = ["it's", "back\\slash", "", "😀", "both ' and \\"]
    assert [literal(text) for text in texts] == [do("select quote_literal(%s)", text)[0][0] for text in texts]


def test_that_what_is_offered_runs(look, do, own_schema):
    inner = quoted(HOSTILE)
    do(f"create table {own_schema}.{inner} ({inner} int, other int)")
    do(f"insert into {own_schema}.{inner} values (1, 2)")
    found = look()
    text = "select  from "
    relation = next(each for each in complete(found, text, len(text)).items if each.text == f"{own_schema}.{HOSTILE}")
    text += relation.insert
    columns = next(each for each in complete(found, text, 7).items if each.kind == "all")
    assert do(text[:7] + columns.insert + text[7:]) == [(1, 2)]
