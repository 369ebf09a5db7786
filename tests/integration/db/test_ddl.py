"""DDL: the text of every object, run through the real psql in an empty database, builds the same object there."""

import pytest
from fix_ddl import cases, roles, two_databases

from pgexplorer.db.ddl import ObjectGone, read_ddl
from pgexplorer.db.objects import DbObject, ObjectKind

__all__ = ["roles", "two_databases"]


def test_that_the_ddl_of_every_object_builds_the_same_database_again(two_databases, roles):
    old, new = two_databases
    version = old.conn.server_version // 10_000
    found = cases(version, s="ddl_schema", r=roles[0], g=roles[1])
    old.psql("\n".join(text for _, _, text in found))
    script = old.texts(found)
    new.psql("\n".join(script))
    assert new.dump() == old.dump()
    assert new.texts(found) == script


def test_that_an_object_that_is_gone_is_told_by_its_name(admin):
    missing = DbObject(ObjectKind.TABLE, 4_000_000_000, "public", "left behind")
    with pytest.raises(ObjectGone, match=r"table public\.left behind is not there any more"):
        read_ddl(admin.conn, missing)


def test_that_a_rule_and_a_policy_can_be_had_alone(admin, do, own_schema):
    table = f"{own_schema}.t"
    do(f"CREATE TABLE {table} (a int)")
    for text in (
        f'CREATE RULE "a rule" AS ON DELETE TO {table} DO INSTEAD NOTHING',
        f"COMMENT ON RULE \"a rule\" ON {table} IS 'why'",
        f'CREATE POLICY "a policy" ON {table} AS RESTRICTIVE FOR SELECT USING (a > 0)',
    ):
        do(text)
    for kind, catalog, name, dropped in (
        (ObjectKind.RULE, "pg_rewrite", "rulename", f'DROP RULE "a rule" ON {table}'),
        (ObjectKind.POLICY, "pg_policy", "polname", f'DROP POLICY "a policy" ON {table}'),
    ):
        found = f"SELECT oid::bigint FROM {catalog} WHERE {name} = %s"
        called = f"a {kind.lower()}"
        text = read_ddl(admin.conn, DbObject(kind, admin.value(found, called), own_schema, called, table="t"))
        do(dropped)
        do(text)
        again = DbObject(kind, admin.value(found, called), own_schema, called, table="t")
        assert read_ddl(admin.conn, again) == text
        with pytest.raises(ObjectGone):
            read_ddl(admin.conn, DbObject(kind, 4_000_000_000, own_schema, called, table="t"))
