"""Everything that has a name is read in three queries, and the parts of a table in one."""

import contextlib

import psycopg2
import pytest

import hostile
from fix_objects import K, all_names, make_every_kind, objects_in
from pgexplorer.db import object_actions as actions
from pgexplorer.db.encoding import shown
from pgexplorer.db.schema import Kind
from pgexplorer.db.tree import Names, Sizes, read_first, read_parts, read_rest


@pytest.fixture
def conn(profile):
    with contextlib.closing(psycopg2.connect(**profile.parameters("side"))) as conn:
        conn.autocommit = True
        yield conn


def in_schema(names, schema):
    [found] = [each for each in names.schemas if each.found.name == schema]
    return found


def test_that_every_kind_of_object_is_found_in_three_queries(wide_admin, own_schema, server_log):
    with wide_admin.cursor() as cursor:
        made = make_every_kind(cursor.execute, own_schema, "plain")
        cursor.execute("SET log_statement = 'all'")
    first = read_first(wide_admin)
    whole, sizes = read_rest(wide_admin, first)
    asked = [each for each in server_log.statements() if "SELECT" in each and "log_statement" not in each]
    assert len(asked) == 3
    assert wide_admin.info.transaction_status == 0
    assert not first.is_whole
    assert whole.is_whole
    assert [schema.found.name for schema in first.schemas] == [schema.found.name for schema in whole.schemas]
    found = in_schema(whole, own_schema)
    assert {(each.kind, each.name) for each in found.relations} == {
        (Kind.TABLE, made[K.TABLE]), (Kind.VIEW, made[K.VIEW]), (Kind.FOREIGN, made[K.FOREIGN_TABLE]),
        (Kind.MATERIALIZED_VIEW, made[K.MATERIALIZED_VIEW])}  # fmt: skip
    leaves = (K.SEQUENCE, K.FUNCTION, K.PROCEDURE, K.AGGREGATE, K.TYPE, K.DOMAIN)
    assert {(each.found.kind, each.found.name) for each in found.leaves} == {(kind, made[kind]) for kind in leaves}
    table = next(each for each in found.relations if each.kind is Kind.TABLE)
    columns = dict(zip(whole.parts.tables, whole.parts.columns, strict=True))
    assert columns[table.oid] == "plain"
    assert table.oid not in whole.parts.numbers
    others = zip(whole.parts.kinds, whole.parts.owners, strict=True)
    assert {kind for kind, owner in others if owner == table.oid} == {
        K.INDEX,
        K.CONSTRAINT,
        K.TRIGGER,
        K.RULE,
        K.POLICY,
    }
    assert sizes.by_oid[table.oid] > 0
    assert {"plpgsql"} <= {each.found.name for each in whole.extensions}
    assert whole.database in {each.found.name for each in whole.databases}
    assert any("superuser" in each.detail for each in whole.roles)


def test_that_hostile_names_come_whole(wide_admin, own_schema):
    some = hostile.names()[::4]
    with wide_admin.cursor() as cursor:
        made = [make_every_kind(cursor.execute, own_schema, name) for name in some]
    found = objects_in(wide_admin, own_schema)
    assert all(found[kind, name] for each in made for kind, name in each.items())


def test_that_columns_tell_their_type_default_identity_and_key(conn, do, own_schema):
    do(f"CREATE TYPE {own_schema}.mood AS ENUM ('a')")
    do(f"""CREATE TABLE {own_schema}.t (
        id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, gone int, name varchar(7) NOT NULL DEFAULT 'x',
        twice int GENERATED ALWAYS AS (id * 2) STORED, mood {own_schema}.mood)""")
    do(f"ALTER TABLE {own_schema}.t DROP COLUMN gone")
    do(f"COMMENT ON COLUMN {own_schema}.t.name IS 'who'")
    names = all_names(conn)
    table = in_schema(names, own_schema).relations[0]
    assert names.parts.numbers[table.oid] == (1, 3, 4, 5)
    columns = read_parts(conn, [table])[table.oid].columns
    assert [(each.name, each.number, each.type_name) for each in columns] == [
        ("id", 1, "integer"), ("name", 3, "character varying(7)"), ("twice", 4, "integer"),
        ("mood", 5, f"{own_schema}.mood")]  # fmt: skip
    key, name, twice, _ = columns
    assert (key.is_key, key.not_null, key.identity) == (True, True, "a")
    assert (name.not_null, name.default, name.comment) == (True, "'x'::character varying", "who")
    assert (twice.generated, twice.default) == ("s", "(id * 2)")


def test_that_parts_say_what_they_are(conn, do, own_schema):
    do(f"CREATE TABLE {own_schema}.a (id int PRIMARY KEY, n int CHECK (n > 0), UNIQUE (n))")
    do(f"CREATE TABLE {own_schema}.b (a int REFERENCES {own_schema}.a)")
    do(f"CREATE TRIGGER twice BEFORE UPDATE ON {own_schema}.b FOR EACH ROW "
       "EXECUTE FUNCTION suppress_redundant_updates_trigger()")  # fmt: skip
    do(f"ALTER TABLE {own_schema}.b DISABLE TRIGGER twice")
    do(f"CREATE POLICY mine ON {own_schema}.b FOR SELECT USING (a > 1)")
    do(f"CREATE INDEX part ON {own_schema}.b (a DESC) WHERE a > 5")
    a, b = in_schema(all_names(conn), own_schema).relations
    found = read_parts(conn, [a, b])
    assert [each.detail for each in found[a.oid].constraints] == ["PRIMARY KEY (id)", "UNIQUE (n)", "CHECK ((n > 0))"]
    assert [each.detail for each in found[a.oid].indexes] == ["btree (n) · unique", "btree (id) · primary key"]
    assert [each.detail for each in found[b.oid].constraints] == [f"FOREIGN KEY (a) REFERENCES {own_schema}.a(id)"]
    assert [each.detail for each in found[b.oid].triggers] == ["before update · disabled"]
    assert [(each.detail, each.more) for each in found[b.oid].policies] == [("select", "USING (a > 1)")]
    assert [each.detail for each in found[b.oid].indexes] == ["btree (a DESC) WHERE (a > 5)"]
    assert read_parts(conn, []) == {}


def test_that_partitions_know_their_parent(conn, do, own_schema):
    do(f"CREATE TABLE {own_schema}.p (n int) PARTITION BY LIST (n)")
    do(f"CREATE TABLE {own_schema}.p1 PARTITION OF {own_schema}.p FOR VALUES IN (1) PARTITION BY LIST (n)")
    do(f"CREATE TABLE {own_schema}.p11 PARTITION OF {own_schema}.p1 DEFAULT")
    do(f"CREATE TABLE {own_schema}.plain (n int)")
    do(f"CREATE TABLE {own_schema}.child () INHERITS ({own_schema}.plain)")
    by_name = {each.name: each for each in in_schema(read_first(conn), own_schema).relations}
    assert by_name["p1"].parent == by_name["p"].oid
    assert by_name["p11"].parent == by_name["p1"].oid
    assert by_name["p"].parent == by_name["plain"].parent == by_name["child"].parent == 0


def test_that_a_lock_in_the_way_leaves_the_estimates(conn, do, own_schema, profile):
    do(f"CREATE TABLE {own_schema}.locked (n int)")
    with contextlib.closing(psycopg2.connect(**profile.parameters("side"))) as theirs, theirs.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {own_schema}.locked IN ACCESS EXCLUSIVE MODE")
        first = read_first(conn)
        whole, sizes = read_rest(conn, first)
        assert isinstance(whole, Names)
        assert sizes == Sizes({})
        assert conn.info.transaction_status == 0
        assert "locked" in {each.name for each in in_schema(whole, own_schema).relations}


def test_that_what_the_role_may_not_use_is_left_out(conn, admin, postgres):
    with contextlib.closing(
        psycopg2.connect(**postgres.admin_parameters | {"dbname": postgres.profile.dbname})
    ) as theirs:
        theirs.autocommit = True
        with theirs.cursor() as cursor:
            cursor.execute("CREATE SCHEMA closed CREATE TABLE secret (n int)")
            cursor.execute("CREATE FUNCTION closed.f() RETURNS int LANGUAGE sql AS 'SELECT 1'")
            try:
                assert "closed" not in {each.found.name for each in all_names(conn).schemas}
            finally:
                cursor.execute("DROP SCHEMA closed CASCADE")


@pytest.mark.parametrize("style", ["public", "pg_catalog", "pg_catalog, public"])
def test_that_types_are_written_with_their_schema_whatever_the_search_path_is(conn, do, style):
    do("CREATE TYPE odd_pair AS (a int, b int)")
    do("CREATE FUNCTION odd_of(odd_pair, text) RETURNS odd_pair LANGUAGE sql AS 'SELECT NULL::odd_pair'")
    try:
        with conn.cursor() as cursor:
            cursor.execute(f"SET search_path = {style}")
        leaf = next(each for each in in_schema(all_names(conn), "public").leaves if each.found.name == "odd_of")
        assert (leaf.found.arguments, leaf.detail) == ("public.odd_pair, text", "public.odd_pair")
        with conn.cursor() as cursor:
            cursor.execute("SHOW search_path")
            assert cursor.fetchone()[0] == style
    finally:
        do("DROP TYPE odd_pair CASCADE")


def test_that_names_which_are_no_text_are_read_and_sent_back_byte_for_byte(admin, postgres):
    admin.ask("DROP DATABASE IF EXISTS bytes_of_names")
    admin.ask("CREATE DATABASE bytes_of_names ENCODING 'SQL_ASCII' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0")
    try:
        parameters = postgres.admin_parameters | {"dbname": "bytes_of_names"}
        with contextlib.closing(psycopg2.connect(**parameters)) as conn:
            conn.autocommit = True
            with conn.cursor() as cursor:
                cursor.execute(b'CREATE TABLE "t\xff\xfe \xe4" ("c\xff" int)')
                cursor.execute('CREATE TABLE "你好 é" (n int)'.encode())
            tables = {each.name: each for each in in_schema(all_names(conn), "public").relations}
            assert {shown(name) for name in tables} == {"t\\xff\\xfe \\xe4", "你好 é"}
            for relation in tables.values():
                [column] = read_parts(conn, [relation])[relation.oid].columns
                assert shown(column.name) in {"c\\xff", "n"}
            for [found] in objects_in(conn, "public").values():
                if found.kind is K.TABLE:
                    with conn.cursor() as cursor:
                        for statement in (actions.comment(found, "said 'é'"), actions.rename(found, found.name + "2")):
                            cursor.execute(actions.to_send(conn, actions.written(conn, statement)))
            after = {each.name: each for each in in_schema(all_names(conn), "public").relations}
            assert set(after) == {f"{name}2" for name in tables}
            assert {each.comment for each in after.values()} == {"said 'é'"}
    finally:
        admin.ask("DROP DATABASE bytes_of_names WITH (FORCE)")
