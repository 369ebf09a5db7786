"""What is done to an object arrives at just this object, whatever it is called."""

from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

import hostile
from fix_facts import until
from fix_objects import K, make_every_kind, objects_in, quote
from pgexplorer.db import object_actions as actions
from pgexplorer.db.objects import FUNCTIONS, DbObject, ObjectKind

HOSTILE = hostile.names()
SPACE = 'hostile "space"'
CATALOGS = {
    K.COLUMN: ("pg_attribute", "attname"),
    K.CONSTRAINT: ("pg_constraint", "conname"),
    K.TRIGGER: ("pg_trigger", "tgname"),
    K.RULE: ("pg_rewrite", "rulename"),
    K.POLICY: ("pg_policy", "polname"),
    K.TYPE: ("pg_type", "typname"),
    K.DOMAIN: ("pg_type", "typname"),
    K.SCHEMA: ("pg_namespace", "nspname"),
    K.DATABASE: ("pg_database", "datname"),
    K.ROLE: ("pg_authid", "rolname"),
    **dict.fromkeys(FUNCTIONS, ("pg_proc", "proname")),
}


class Server:
    """Runs statements, remembers what was sent, and says what the catalog has."""

    def __init__(self, conn):
        self.conn = conn
        self.sent = []
        self.cursor = conn.cursor()
        self.cursor.execute("SET log_statement = 'all'")

    def do(self, statement):
        text = actions.written(self.conn, statement)
        self.cursor.execute(actions.to_send(self.conn, text))
        self.sent.append(text)
        return self.cursor

    def name(self, found):
        """Return what the catalog calls it now, None when it is gone."""
        catalog, name = CATALOGS.get(found.kind, ("pg_class", "relname"))
        by = (
            f"attrelid = {found.oid} AND attnum = {found.part} AND NOT attisdropped"
            if found.part
            else f"oid = {found.oid}"
        )
        self.cursor.execute(f"SELECT {name} FROM {catalog} WHERE {by}")
        rows = self.cursor.fetchall()
        return rows[0][0] if rows else None

    def comment(self, found):
        catalog = CATALOGS.get(found.kind, ("pg_class", ""))[0]
        if found.part:
            self.cursor.execute("SELECT col_description(%s, %s)", (found.oid, found.part))
        else:
            describe = "shobj" if found.kind in {K.ROLE, K.DATABASE} else "obj"
            self.cursor.execute(f"SELECT {describe}_description(%s, %s)", (found.oid, catalog))
        return self.cursor.fetchone()[0]

    def oid(self, text):
        self.cursor.execute(text)
        return self.cursor.fetchone()[0]


@pytest.fixture
def server(wide_admin):
    yield Server(wide_admin)
    with wide_admin.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {quote(SPACE)} CASCADE")


def all_arrived(log, sent):
    """Wait until the server's log has every one of *sent*, letter by letter."""

    def missing():
        found = set(log.statements())
        return [each for each in sent if each not in found]

    until(lambda: not missing())


@pytest.mark.timeout(300)
def test_that_two_hundred_hostile_names_of_every_kind_are_commented_renamed_and_dropped(server, server_log):
    server.do(actions.create_schema(SPACE))
    wanted = [make_every_kind(server.cursor.execute, SPACE, name) for name in HOSTILE]
    found = objects_in(server.conn, SPACE)
    every = []
    for made in wanted:
        for kind, name in made.items():
            assert found[kind, name], (kind, name)
            every += [(each, name) for each in found[kind, name]]
    every = list(dict(every).items())  # a function and its procedure share a name
    assert {each.kind for each, _ in every} == set(wanted[0])
    assert len(every) >= 200 * len(wanted[0])
    server.sent.clear()
    # Parts first: a table that is renamed has another name in its parts' statements.
    order = [K.COLUMN, K.CONSTRAINT, K.INDEX, K.TRIGGER, K.RULE, K.POLICY]
    every.sort(key=lambda each: order.index(each[0].kind) if each[0].kind in order else len(order))
    for each, name in every:
        server.do(actions.comment(each, f"said of {name} \\ '"))
        assert server.comment(each) == f"said of {name} \\ '"
        server.do(actions.comment(each, ""))
        assert server.comment(each) is None
        new = hostile.cut_to_fit(each.name, "2")
        server.do(actions.rename(each, new))
        assert server.name(each) == new, each
        server.do(actions.rename(_called(each, new), each.name))
        assert server.name(each) == each.name
        if actions.VACUUM.fits(each):
            for statement in (actions.vacuum(each), actions.vacuum(each, analyze=True), actions.reindex(each)):
                server.do(statement)
        if actions.ANALYZE.fits(each) and each.kind is not K.FOREIGN_TABLE:  # its server answers nobody
            server.do(actions.analyze(each))
        if each.kind is K.INDEX:
            server.do(actions.reindex(each))
        if each.kind is K.MATERIALIZED_VIEW:
            server.do(actions.refresh(each))
        if actions.COUNT.fits(each) and each.kind is not K.FOREIGN_TABLE:
            [rows] = server.do(actions.count(each)).fetchone()
            assert rows == (2 if each.kind is K.TABLE else 1)
    # What needs something else goes before it: nothing cascades.
    order = [K.CONSTRAINT, K.INDEX, K.TRIGGER, K.RULE, K.POLICY, K.COLUMN, *FUNCTIONS]
    every.sort(key=lambda each: order.index(each[0].kind) if each[0].kind in order else len(order))
    for each, _ in every:
        server.do(actions.drop(each))
        assert server.name(each) is None, each
    all_arrived(server_log, server.sent)
    assert len(server.sent) > 200 * len(wanted[0]) * 5


def _called(found, name):
    return replace(found, name=name)


@pytest.mark.timeout(300)
def test_that_two_hundred_hostile_schemas_roles_and_databases_are_made_commented_renamed_and_dropped(
    server, server_log
):
    for given in HOSTILE:
        reserved = given in {"public", "none", "pg_catalog"}
        name = f"_{given}" if reserved else given
        literal = sql.Literal(name).as_string(server.conn)
        server.do(actions.create_schema(name))
        space = server.oid(f"SELECT oid FROM pg_namespace WHERE nspname = {literal}")
        server.cursor.execute(f"CREATE ROLE {quote(name)}")
        role = server.oid(f"SELECT oid FROM pg_roles WHERE rolname = {literal}")
        made = [DbObject(K.SCHEMA, space, "", name), DbObject(K.ROLE, role, "", name)]
        server.do(actions.create_database(name, "template0"))
        oid = server.oid(f"SELECT oid FROM pg_database WHERE datname = {literal}")
        made.append(DbObject(K.DATABASE, oid, "", name))
        for each in made:
            new = hostile.cut_to_fit(name, "2")
            server.do(actions.comment(each, name))
            assert server.comment(each) == name
            server.do(actions.rename(each, new))
            assert server.name(each) == new
            server.do(actions.drop(_called(each, new), cascade=True))
            assert server.name(each) is None
    all_arrived(server_log, server.sent)


def test_that_a_function_is_told_from_others_of_its_name_by_its_arguments(server):
    space = quote(SPACE)
    server.cursor.execute(f"CREATE SCHEMA {space}")
    server.cursor.execute(f'CREATE TYPE {space}."Odd type" AS (a int)')
    for arguments in ("", "int", f'{space}."Odd type"', "VARIADIC text[]", "INOUT a int, OUT b text"):
        server.cursor.execute(
            f"CREATE FUNCTION {space}.f({arguments}) {'' if 'OUT' in arguments else 'RETURNS int'} LANGUAGE sql "
            f"AS 'SELECT {'1, NULL::text' if 'OUT' in arguments else '1'}'"
            if "INOUT" not in arguments
            else f"CREATE FUNCTION {space}.g({arguments}) LANGUAGE sql AS 'SELECT 1, NULL::text'"
        )
    found = objects_in(server.conn, SPACE)
    functions = [*found[K.FUNCTION, "f"], *found[K.FUNCTION, "g"]]
    assert len(functions) == 5
    for each in functions:
        server.do(actions.comment(each, each.arguments or "none"))
    assert [server.comment(each) for each in functions] == [each.arguments or "none" for each in functions]


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 64, "é" * 32])
def test_that_what_is_no_name_is_refused_before_the_server_would_cut_it(name):
    table = DbObject(K.TABLE, 1, "s", "t")
    for make in (lambda: actions.rename(table, name), lambda: actions.create_schema(name),
                 lambda: actions.create_database(name)):  # fmt: skip
        with pytest.raises(ValueError, match="name"):
            make()
    assert actions.problem("é" * 31) == ""


def test_that_an_extension_is_not_renamed():
    with pytest.raises(ValueError, match="extension"):
        actions.rename(DbObject(K.EXTENSION, 1, "", "plpgsql"), "x")


def test_that_what_refuses_a_transaction_is_known(server):
    server.cursor.execute(f"CREATE SCHEMA {quote(SPACE)}")
    server.cursor.execute(f"CREATE TABLE {quote(SPACE)}.t (n int)")
    table = DbObject(K.TABLE, 1, SPACE, "t")
    for verb, statement in (
        (actions.VACUUM, actions.vacuum(table)),
        (actions.VACUUM_ANALYZE, actions.vacuum(table, analyze=True)),
        (actions.ANALYZE, actions.analyze(table)),
        (actions.COUNT, actions.count(table)),
        (actions.CREATE_DATABASE, actions.create_database("never")),
        (actions.RENAME, actions.rename(table, "t")),
    ):
        server.cursor.execute("BEGIN")
        try:
            server.do(statement)
            refused = False
        except psycopg2.errors.ActiveSqlTransaction:
            refused = True
        except psycopg2.errors.DuplicateTable:
            refused = False
        server.cursor.execute("ROLLBACK")
        assert actions.runs_alone(verb, table) == refused, verb
    assert actions.runs_alone(actions.DROP, DbObject(K.DATABASE, 1, "", "d"))
    assert not actions.runs_alone(actions.DROP, table)


def test_that_every_kind_can_be_spelled():
    for kind in ObjectKind:
        found = DbObject(kind, 1, "s", "n", table="t")
        for make in (actions.named, actions.drop, actions.qualified):
            assert make(found)
