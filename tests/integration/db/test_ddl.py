"""DDL: the text of every object, run through the real psql in an empty database, builds the same object there."""

import contextlib

import psycopg2
import pytest
from fix_ddl import Database, cases, roles, two_databases
from psycopg2 import extensions as ext

from hostile import cut_to_fit, names
from pgexplorer.db.catalog import literal, quoted
from pgexplorer.db.ddl.text import ObjectGone, read_ddl
from pgexplorer.db.objects import DbObject, ObjectKind
from pgexplorer.db.statements import split

__all__ = ["roles", "two_databases"]


def test_that_the_ddl_of_every_object_builds_the_same_database_again(two_databases, roles):
    old, new = two_databases
    version = old.conn.server_version // 10_000
    found = cases(version, s="ddl_schema", r=roles[0], g=roles[1])
    elsewhere = {"DATABASE", "ROLE", "COLUMN", "INDEX", "CONSTRAINT", "TRIGGER", "RULE", "POLICY"}
    assert {kind for kind, _, _ in found} >= {kind for kind in ObjectKind if kind not in elsewhere}
    old.psql("\n".join(text for _, _, text in found))
    script = old.texts(found)
    new.psql("\n".join(script))
    assert new.dump() == old.dump()
    assert new.texts(found) == script


PARTS = [
    ("COLUMN", "{s}.t", 5, "alter table {s}.t drop column last"),
    (
        "COLUMN",
        "{s}.t",
        4,
        "alter table {s}.t drop column serial, drop column last",
    ),
    ("COLUMN", "{s}.t", 3, "alter table {s}.t drop column ident, drop column serial, drop column last"),
    ("COLUMN", "{s}.pair", 2, "alter type {s}.pair drop attribute b"),
    ("COLUMN", "{s}.far", 2, "alter foreign table {s}.far drop column b"),
    ("INDEX", '{s}."on; n"', 0, 'drop index {s}."on; n"'),
    ("INDEX", "{s}.t_pkey", 0, "alter table {s}.t drop constraint t_pkey"),
    ("CONSTRAINT", "t_pkey {s}.t", 0, "alter table {s}.t drop constraint t_pkey"),
    ("CONSTRAINT", '"n; checked" {s}.t', 0, 'alter table {s}.t drop constraint "n; checked"'),
    ("CONSTRAINT", "itself {s}.t", 0, "alter table {s}.t drop constraint itself"),
    ("CONSTRAINT", "later {s}.t", 0, "alter table {s}.t drop constraint later"),
    ("CONSTRAINT", "excluded {s}.t", 0, "alter table {s}.t drop constraint excluded"),
    ("CONSTRAINT", "late {s}.t", 0, "drop trigger late on {s}.t"),
    ("CONSTRAINT", "small {s}.d", 0, "alter domain {s}.d drop constraint small"),
    ("CONSTRAINT", "c {s}.far", 0, "alter foreign table {s}.far drop constraint c"),
    ("TRIGGER", '"t; t" {s}.t', 0, 'drop trigger "t; t" on {s}.t'),
    ("TRIGGER", "late {s}.t", 0, "drop trigger late on {s}.t"),
    ("TRIGGER", "copied {s}.part", 0, "alter table {s}.part enable trigger copied"),
    ("SEQUENCE", "{s}.t_serial_seq", 0, "alter table {s}.t alter serial drop default; drop sequence {s}.t_serial_seq"),
    ("SEQUENCE", "{s}.counting", 0, "alter table {s}.t alter ident drop identity"),
]
WHOLE = """
create schema {s}; create extension postgres_fdw with schema public;
create server far foreign data wrapper postgres_fdw;
create function {s}.fired() returns trigger language plpgsql as 'begin return new; end';
create table {s}.other (id int primary key);
create table {s}.t (id int, n int, ident int generated always as identity (sequence name {s}.counting start with 5),
    serial smallserial, last text collate "C" not null default 'x;y',
    constraint t_pkey primary key (id) with (fillfactor = 44),
    constraint "n; checked" check (n > 0), constraint itself foreign key (n) references {s}.other on delete cascade,
    constraint excluded exclude using gist (int4range(id, n) with &&) deferrable);
alter table {s}.t cluster on t_pkey;
alter table {s}.t add constraint later check (id > 5) not valid;
alter table {s}.t alter last set storage external, alter last set statistics 77;
comment on column {s}.t.last is 'the last';
comment on column {s}.t.serial is 'counts';
comment on sequence {s}.counting is 'of an identity';
comment on constraint "n; checked" on {s}.t is 'above';
comment on constraint t_pkey on {s}.t is 'key';
comment on index {s}.t_pkey is 'index of the key';
grant select (last) on {s}.t to {r};
grant usage on sequence {s}.t_serial_seq to {r};
create unique index "on; n" on {s}.t (n, (id + 1)) where n > 5;
alter index {s}."on; n" alter column 2 set statistics 11;
comment on index {s}."on; n" is 'of n';
alter table {s}.t replica identity full;
create trigger "t; t" before insert on {s}.t for each row execute function {s}.fired('a;b');
alter table {s}.t disable trigger "t; t";
comment on trigger "t; t" on {s}.t is 'fires not';
create constraint trigger late after insert on {s}.t deferrable for each row execute function {s}.fired();
create table {s}.parts (n int) partition by list (n);
create index parts_n_idx on {s}.parts (n);
create trigger copied after insert on {s}.parts for each row execute function {s}.fired();
create table {s}.part partition of {s}.parts for values in (1);
alter table {s}.part disable trigger copied;
create type {s}.pair as (a int, b text collate "C");
comment on column {s}.pair.b is 'second';
create domain {s}.d as int constraint small check (value < 10);
comment on constraint small on domain {s}.d is 'small';
create foreign table {s}.far (a int, b text options (column_name 'c') default 'x', constraint c check (a > 0))
    server far;
"""


@pytest.fixture
def two_equal_databases(two_databases, roles):
    """Two databases with the same objects of all kinds that hang on others."""
    for each in two_databases:
        each.psql(WHOLE.replace("{s}", "whole").replace("{r}", roles[0]))
    assert two_databases[0].dump() == two_databases[1].dump()
    return two_databases


def test_that_what_hangs_on_a_relation_can_be_made_again_alone(two_equal_databases):
    old, new = two_equal_databases
    whole = old.dump()
    for kind, name, part, without in PARTS:
        with_schema, dropping = name.replace("{s}", "whole"), without.replace("{s}", "whole")
        text = old.ddl(ObjectKind(kind), with_schema, part)
        if name == "{s}.t" and part < 5:  # what stands behind the column goes too, and comes again behind it
            numbers = [3, 4, 5][part - 3 :]
            text = "\n".join(old.ddl(ObjectKind.COLUMN, with_schema, each) for each in numbers)
        if "alter serial drop default" in dropping:
            text += "alter table whole.t alter serial set default nextval('whole.t_serial_seq');"
        new.psql(dropping)
        assert new.dump() != whole, f"{kind} {name} was not dropped"
        new.psql(text)
        assert new.dump() == whole, f"{kind} {name}:\n{text}"


def test_that_an_index_of_a_partition_is_attached_to_its_tables(two_equal_databases):
    old, new = two_equal_databases
    for each in two_equal_databases:
        each.psql("create index lonely on only whole.parts ((n + 1)); create index on whole.parts ((n + 1))")
    old.psql(
        "create index belonging on whole.part ((n + 1)); alter index whole.lonely attach partition whole.belonging"
    )
    new.psql(old.ddl(ObjectKind.INDEX, "whole.belonging"))
    assert new.dump() == old.dump()


def test_that_a_column_of_a_view_says_why_nothing_makes_it(admin, own_schema):
    admin.ask(f"create view {own_schema}.v as select 1 as one")
    admin.ask(f"comment on column {own_schema}.v.one is 'the only'")
    oid = admin.value(f"select '{own_schema}.v'::regclass::oid")
    text = read_ddl(admin.conn, DbObject(ObjectKind.COLUMN, oid, own_schema, "one", 1))
    assert (
        text == f"-- A view's columns are made by its query.\n\nCOMMENT ON COLUMN {own_schema}.v.one IS 'the only';\n"
    )


def test_that_what_comes_with_another_type_gives_that_ones_ddl(two_databases):
    old, _ = two_databases
    old.psql("create type public.mood as enum ('a'); create type public.span as range (subtype = int);")
    old.psql("create table public.t (a int);")
    mood = old.ddl(ObjectKind.TYPE, "public.mood")
    assert old.ddl(ObjectKind.TYPE, "public._mood") == mood
    if old.conn.server_version >= 140_000:
        assert old.ddl(ObjectKind.TYPE, "public.span_multirange") == old.ddl(ObjectKind.TYPE, "public.span")
    assert "the type of the rows of public.t" in old.ddl(ObjectKind.TYPE, "public.t")


def test_that_a_role_is_made_again_with_its_memberships_and_settings_and_without_a_password(two_databases, roles):
    old, _ = two_databases
    role, group = roles
    modern = old.conn.server_version >= 160_000
    old.psql(f"""
        alter role {role} with login createdb createrole noinherit replication bypassrls connection limit 7
            valid until '2031-02-03 04:05:06+00' password 'a canary';
        grant {group} to {role} with admin option;
        grant pg_read_all_data to {role}{" with inherit true, set false" if modern else ""};
        alter role {role} set search_path to "$user", 'it''s, one', public;
        alter role {role} set work_mem to '7MB';
        alter role {role} set "My.Setting" to 'a, b';
        alter role {role} in database {old.name} set statement_timeout to '3s';
        comment on role {role} is 'of a test; --';""")
    kind = ObjectKind.ROLE
    text = old.ddl(kind, role)
    assert "canary" not in text
    assert "PASSWORD" not in text

    def everything():
        fields = "rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls"
        options = "admin_option, inherit_option, set_option, grantor" if modern else "admin_option"
        return [
            old.ask(f"select {fields}, rolconnlimit, rolvaliduntil from pg_roles where oid = {role!r}::regrole"),
            old.ask(f"select roleid, {options} from pg_auth_members where member = {role!r}::regrole order by 1"),
            old.ask(
                f"select setdatabase, setconfig from pg_db_role_setting where setrole = {role!r}::regrole order by 1"
            ),
            old.ask(f"select shobj_description({role!r}::regrole, 'pg_authid')"),
        ]

    before = everything()
    old.psql(f"drop role {role};\n{text}")
    assert everything() == before
    assert old.ddl(kind, role) == text


@pytest.mark.parametrize(
    ("since", "options"),
    [
        (13, "encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8' connection limit 4"),
        (13, "encoding 'SQL_ASCII' locale 'C'"),
        (15, "encoding 'UTF8' locale_provider icu icu_locale 'de-u-co-phonebk' locale 'C.UTF-8'"),
        (16, "encoding 'UTF8' locale_provider icu icu_locale 'en' icu_rules '&a < b' locale 'C'"),
        (17, "encoding 'UTF8' locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'"),
    ],
)
def test_that_a_database_is_made_again_with_its_locale_and_settings(two_databases, roles, since, options):
    old, new = two_databases
    if new.conn.server_version < since * 10_000:
        pytest.skip("not known to this server")
    role, group = roles
    name = f'"a; ""database"" {old.name}"'
    make = f"create database {name} template template0 {options}"
    try:
        new.ask(make)
    except psycopg2.errors.FeatureNotSupported as missing:
        pytest.skip(str(missing))
    try:
        new.psql(f"""
            alter database {name} owner to {role};
            alter database {name} set search_path to {role}, "a, b", public;
            alter database {name} set work_mem to '9MB';
            alter role {group} in database {name} set work_mem to '10MB';
            revoke connect on database {name} from public;
            grant create, connect on database {name} to {group} with grant option;
            comment on database {name} is 'it''s; one';
            alter database {name} allow_connections false;
            alter database {name} is_template true;""")
        text = new.ddl(ObjectKind.DATABASE, name)

        def everything():
            row = f"from pg_database where quote_ident(datname) = {literal(name)}"
            of_it = f"(select oid {row})"
            return [
                new.ask(
                    f"select to_jsonb(d) - '{{oid,datacl,datfrozenxid,datminmxid}}'::text[] from (select * {row}) d"
                ),
                new.ask(f"select unnest(datacl)::text {row} order by 1"),
                new.ask(f"select setrole, setconfig from pg_db_role_setting where setdatabase = {of_it} order by 1"),
                new.ask(f"select shobj_description({of_it}, 'pg_database')"),
            ]

        before = everything()
        new.psql(f"alter database {name} is_template false;")
        new.psql(f"drop database {name};")
        new.psql(text)
        assert everything() == before
    finally:
        new.ask(f"alter database {name} is_template false")
        new.ask(f"drop database {name}")


HOSTILE = """
create schema {schema};
create type {schema}.{type} as enum ({text}, 'another');
create type {schema}.{pair} as ({column} integer);
create domain {schema}.{domain} as text default {text} constraint {name} check (value <> {text});
create sequence {schema}.{sequence};
create function {schema}.{name}() returns trigger language plpgsql as $_$begin return new; end$_$;
create function {schema}.{other}({name} integer default 1) returns integer language sql as 'select 1';
create table {schema}.{table} ({column} integer, {other} text default {text} check ({other} <> {text}),
    kind {schema}.{type}, constraint {name} primary key ({column}));
create index {index} on {schema}.{table} ({other}) where {other} <> {text};
create trigger {name} before insert on {schema}.{table} for each row execute function {schema}.{name}({text});
create policy {name} on {schema}.{table} using ({other} = {text});
create rule {other} as on delete to {schema}.{table} do instead nothing;
create statistics {schema}.{other} on {column}, {other} from {schema}.{table};
create view {schema}.{view} as select {column} as {other}, {text} as {column} from {schema}.{table};
comment on table {schema}.{table} is {text};
comment on column {schema}.{table}.{column} is {text};
comment on index {schema}.{index} is {text};
comment on sequence {schema}.{sequence} is {text};
comment on function {schema}.{other}(integer) is {text};
comment on view {schema}.{view} is {text};
comment on type {schema}.{type} is {text};
comment on trigger {name} on {schema}.{table} is {text};
comment on constraint {name} on {schema}.{table} is {text};
comment on domain {schema}.{domain} is {text};
comment on policy {name} on {schema}.{table} is {text};
"""
MADE = [
    ("SCHEMA", "{schema}"),
    ("TYPE", "{schema}.{type}"),
    ("TYPE", "{schema}.{pair}"),
    ("DOMAIN", "{schema}.{domain}"),
    ("SEQUENCE", "{schema}.{sequence}"),
    ("FUNCTION", "{schema}.{name}()"),
    ("FUNCTION", "{schema}.{other}(integer)"),
    ("TABLE", "{schema}.{table}"),
    ("VIEW", "{schema}.{view}"),
]
ENDINGS = {"type": " t", "pair": " p", "domain": " d", "sequence": " s", "table": " r", "index": " i", "view": " v"}


def test_that_200_hostile_names_of_everything_come_back_whole_and_reach_the_server_as_written(
    two_databases, postgres, request
):
    old, new = two_databases
    log = request.getfixturevalue("server_log") if postgres.log is not None else None
    script = []
    for name in names():
        parts = {
            "schema": quoted(name),
            "name": quoted(name),
            "text": literal(name),
            "other": quoted(cut_to_fit(name, "2")),
        }
        parts |= {what: quoted(cut_to_fit(name, ending)) for what, ending in ENDINGS.items()}
        parts["column"] = quoted(f"a {name}" if name in {"ctid", "tableoid"} else name)
        if name in {"public", "information_schema"} or name.startswith("pg_"):
            parts["schema"] = quoted(f"a {name}")
        old.ask(HOSTILE.format(**parts))
        script += [old.ddl(ObjectKind(kind), each.format(**parts), privileges=False) for kind, each in MADE]
    new.ask(f"alter database {new.name} owner to {quoted(postgres.profile.user)}")
    theirs = Database(postgres, new.name, postgres.profile.parameters("side"))
    with contextlib.closing(theirs.conn):
        text = "\n".join(script)
        theirs.psql(text)
    assert without_owners(new.dump()) == without_owners(old.dump())
    wanted = [statement.text for statement in split(text)]
    assert len(wanted) > 200 * len(HOSTILE.strip().split(";\n")) * 0.9
    if log is not None:
        assert [each.removesuffix(";") for each in log.statements()] == wanted


def without_owners(lines):
    """Return the lines of a dump without what says whose each object is."""
    return [line.partition("; Owner: ")[0] for line in lines if " OWNER TO " not in line]


def test_that_everything_in_the_servers_own_schemas_has_a_text(admin):
    kinds = {"r": "TABLE", "v": "VIEW", "S": "SEQUENCE", "i": "INDEX"}
    found = admin.ask("select relkind::text, oid from pg_class where relkind in ('r', 'v', 'S', 'i') order by oid")
    objects = [(kinds[kind], oid) for kind, oid in found]
    objects += [("TYPE", oid) for (oid,) in admin.ask("select oid from pg_type where typtype <> 'p' order by oid")]
    objects += [("AGGREGATE", oid) for (oid,) in admin.ask("select oid from pg_proc where prokind = 'a' order by oid")]
    some = "select oid from pg_proc where prokind in ('f', 'w') and oid::bigint % 37 = 0 order by oid"
    objects += [("FUNCTION", oid) for (oid,) in admin.ask(some)]
    objects += [("CONSTRAINT", oid) for (oid,) in admin.ask("select oid from pg_constraint order by oid")]
    assert len(objects) > 1000
    for kind, oid in objects:
        text = read_ddl(admin.conn, DbObject(ObjectKind(kind), oid, "", ""))
        assert text.startswith(("CREATE ", "ALTER ", "-- ")), text


def test_that_what_an_extension_brought_says_so(two_databases):
    old, _ = two_databases
    old.psql("create extension citext with schema public")
    brought = "-- It is part of the extension citext, which makes it."
    assert old.ddl(ObjectKind.TYPE, "public.citext").startswith(brought)
    assert old.ddl(ObjectKind.FUNCTION, "public.citext(boolean)").startswith(brought)
    assert old.ddl(ObjectKind.EXTENSION, "citext").startswith("CREATE EXTENSION")


def test_that_a_temporary_table_is_made_again_as_one(two_databases):
    old, _ = two_databases
    old.ask("create temporary table t (id serial primary key, n int check (n > 0)); create index on t (n)")
    text = old.ddl(ObjectKind.TABLE, "t")
    assert "CREATE TEMPORARY TABLE" in text
    old.ask("drop table t")
    old.ask(text)
    assert old.ddl(ObjectKind.TABLE, "t") == text


def test_that_neither_the_sessions_settings_nor_its_path_change_the_text(two_equal_databases):
    old, _ = two_equal_databases
    kind = ObjectKind.TABLE
    plain = old.ddl(kind, "whole.t")
    found = old.find(kind, "whole.t")
    with contextlib.closing(psycopg2.connect(**old.given)) as conn:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("set search_path to whole; set quote_all_identifiers to on; set datestyle to german")
            cursor.execute("set intervalstyle to sql_standard; set standard_conforming_strings to off")
            assert read_ddl(conn, found) == plain
            assert conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
            cursor.execute("show search_path")
            assert cursor.fetchone() == ("whole",)


def test_that_owner_and_grants_can_be_left_out(two_equal_databases, roles):
    old, _ = two_equal_databases
    text = old.ddl(ObjectKind.TABLE, "whole.t")
    assert "OWNER TO" in text
    assert "GRANT SELECT (last)" in text
    text = old.ddl(ObjectKind.TABLE, "whole.t", privileges=False)
    assert "OWNER TO" not in text
    assert "GRANT" not in text
    assert "COMMENT ON COLUMN whole.t.last IS 'the last'" in text


def test_that_a_table_that_somebody_changes_is_not_waited_for_for_long(two_equal_databases):
    old, _ = two_equal_databases
    old.psql("create view whole.seen as select id from whole.t")
    found = old.find(ObjectKind.VIEW, "whole.seen")
    with contextlib.closing(psycopg2.connect(**old.given)) as holder, contextlib.closing(old.conn) as conn:
        with holder.cursor() as cursor:
            cursor.execute(
                "lock table whole.t in access exclusive mode; lock table whole.seen in access exclusive mode"
            )
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            read_ddl(conn, found)
        assert conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE
        holder.rollback()
        assert read_ddl(conn, found).startswith("CREATE VIEW whole.seen AS")


def test_that_an_index_that_failed_is_told_and_not_made(two_databases):
    old, new = two_databases
    old.psql("create table public.t (n int); insert into t values (1), (1)")
    with pytest.raises(psycopg2.errors.UniqueViolation):
        old.ask('create unique index concurrently "broken\nindex" on t (n)')
    assert old.ddl(ObjectKind.INDEX, '"broken\nindex"').startswith("-- It is not valid")
    text = old.ddl(ObjectKind.TABLE, "t", privileges=False)
    assert '-- Not valid, as it was left: CREATE UNIQUE INDEX "broken index" ON public.t' in text
    new.psql(text)
    assert new.ask("select count(*) from pg_index where indrelid = 't'::regclass") == [(0,)]


def test_that_an_object_that_is_gone_is_told_by_its_name(admin):
    for kind in ObjectKind:
        missing = DbObject(kind, 4_000_000_000, "public", "left behind", 1)
        with pytest.raises(ObjectGone, match=rf"{kind.lower()} public\.left behind is not there any more"):
            read_ddl(admin.conn, missing)
        assert admin.conn.info.transaction_status == ext.TRANSACTION_STATUS_IDLE


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


def test_that_a_database_without_an_encoding_gives_its_names_as_utf8(postgres, admin, roles):
    admin.ask("create database ddl_ascii template template0 encoding 'SQL_ASCII' locale 'C'")
    try:
        old = Database(postgres, "ddl_ascii")
        with contextlib.closing(old.conn):
            old.psql(
                """create table public."tablé 你" ("spälte" text default 'ü'); comment on table "tablé 你" is '😀';"""
            )
            [[oid]] = old.ask(
                "select oid from pg_class where relname like 'tabl%' and relnamespace = 'public'::regnamespace"
            )
            text = read_ddl(old.conn, DbObject(ObjectKind.TABLE, oid, "public", ""))
            assert text.startswith("""CREATE TABLE public."tablé 你" (\n    "spälte" text DEFAULT 'ü'::text\n);""")
            whole = old.dump()
            old.psql(f"""drop table public."tablé 你"; {text}""")
            assert old.dump() == whole
    finally:
        admin.ask("drop database ddl_ascii with (force)")
