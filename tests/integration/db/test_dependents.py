"""What is said to go with an object is what DROP … CASCADE takes, by the server's own word."""

import random

import psycopg2
import pytest
from psycopg2 import sql

from fix_facts import until
from fix_objects import K, quote
from pgexplorer.db.client import Client
from pgexplorer.db.dependents import ChangedMeanwhile, Dependents, Drop, read_dependents
from pgexplorer.db.object_actions import drop
from pgexplorer.db.objects import DbObject


class Ground:
    """A schema to build in, as the application's role."""

    def __init__(self, conn, schema):
        self.conn = conn
        self.schema = schema
        self.cursor = conn.cursor()
        self.do(f"SET search_path = {schema}")

    def do(self, text):
        self.cursor.execute(text)

    def oid(self, catalog, name):
        column = {"pg_class": "relname", "pg_proc": "proname", "pg_type": "typname", "pg_constraint": "conname"}[
            catalog
        ]
        space = {"pg_class": "relnamespace", "pg_proc": "pronamespace", "pg_type": "typnamespace",
                 "pg_constraint": "connamespace"}[catalog]  # fmt: skip
        self.cursor.execute(
            f"SELECT oid FROM {catalog} WHERE {column} = %s AND {space} = %s::regnamespace", (name, quote(self.schema))
        )
        return self.cursor.fetchone()[0]

    def table(self, name, kind=K.TABLE):
        return DbObject(kind, self.oid("pg_class", name), self.schema, name)

    def column(self, table, name):
        oid = self.oid("pg_class", table)
        self.cursor.execute("SELECT attnum FROM pg_attribute WHERE attrelid = %s AND attname = %s", (oid, name))
        return DbObject(K.COLUMN, oid, self.schema, name, self.cursor.fetchone()[0], table)

    def said(self, found):
        """Return what the server says that it drops too, from a DROP … CASCADE that is rolled back."""
        self.conn.notices.clear()
        self.do("BEGIN")
        self.do(drop(found, cascade=True).as_string(self.conn))
        self.do("ROLLBACK")
        words = []
        for notice in self.conn.notices:
            words += [line.split("drop cascades to ", 1)[1] for line in notice.splitlines()
                      if "drop cascades to " in line and not line.rstrip().endswith("other objects")]  # fmt: skip
        return sorted(words)

    def agrees(self, found):
        ours = sorted(each.words for each in read_dependents(self.conn, found).cascaded)
        assert ours == self.said(found), found
        return ours


@pytest.fixture
def ground(profile, own_schema):
    conn = psycopg2.connect(**profile.parameters("side"))
    conn.autocommit = True
    yield Ground(conn, own_schema)
    conn.close()


def test_that_views_keys_functions_and_defaults_that_hang_on_a_table_are_found(ground):
    ground.do("CREATE TABLE customers (id int PRIMARY KEY, name text)")
    ground.do("CREATE TABLE orders (id serial PRIMARY KEY, customer int REFERENCES customers)")
    ground.do("CREATE VIEW names AS SELECT name FROM customers")
    ground.do("CREATE VIEW of_names AS SELECT * FROM names")
    ground.do("CREATE MATERIALIZED VIEW kept AS SELECT * FROM of_names")
    ground.do("CREATE INDEX on kept (name)")
    ground.do("CREATE FUNCTION best() RETURNS SETOF customers LANGUAGE sql AS 'SELECT * FROM customers'")
    ground.do("CREATE VIEW bests AS SELECT name FROM best()")
    assert len(ground.agrees(ground.table("customers"))) == 6
    assert ground.agrees(ground.table("names", K.VIEW)) == ["materialized view kept", "view of_names"]
    assert ground.agrees(ground.table("orders")) == []
    assert ground.agrees(ground.table("orders_id_seq", K.SEQUENCE)) == ["default value for column id of table orders"]
    ground.agrees(ground.column("customers", "name"))
    assert ground.agrees(ground.column("customers", "id"))
    key = DbObject(K.CONSTRAINT, ground.oid("pg_constraint", "customers_pkey"), ground.schema, "customers_pkey",
                   table="customers")  # fmt: skip
    assert ground.agrees(key) == ["constraint orders_customer_fkey on table orders"]
    assert ground.agrees(DbObject(K.FUNCTION, ground.oid("pg_proc", "best"), ground.schema, "best")) == ["view bests"]
    parts = {each.words for each in read_dependents(ground.conn, ground.table("orders")).parts}
    assert {"sequence orders_id_seq", "constraint orders_pkey on table orders"} <= parts


def test_that_types_domains_and_whole_schemas_are_followed(ground):
    ground.do("CREATE TYPE mood AS ENUM ('a', 'b')")
    ground.do("CREATE DOMAIN moods AS mood[]")
    ground.do("CREATE TABLE t (a mood, b moods, c int)")
    ground.do("CREATE VIEW v AS SELECT a FROM t")
    ground.do("CREATE FUNCTION f(mood) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    ground.do("CREATE TYPE pair AS (one mood, two int)")
    ground.do("CREATE TABLE pairs OF pair")
    assert len(ground.agrees(DbObject(K.TYPE, ground.oid("pg_type", "mood"), ground.schema, "mood"))) > 4
    ground.agrees(DbObject(K.DOMAIN, ground.oid("pg_type", "moods"), ground.schema, "moods"))
    ground.agrees(DbObject(K.TYPE, ground.oid("pg_type", "pair"), ground.schema, "pair"))
    ground.cursor.execute("SELECT oid FROM pg_namespace WHERE nspname = %s", (ground.schema,))
    space = DbObject(K.SCHEMA, ground.cursor.fetchone()[0], "", ground.schema)
    assert len(ground.agrees(space)) >= 6


def test_that_partitions_children_and_generated_columns_are_followed(ground):
    ground.do("CREATE TABLE events (at date, n int, PRIMARY KEY (at, n)) PARTITION BY RANGE (at)")
    ground.do("CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')")
    ground.do("CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')"
              " PARTITION BY LIST (n)")  # fmt: skip
    ground.do("CREATE TABLE events_2a PARTITION OF events_2 DEFAULT")
    ground.do("CREATE VIEW of_one AS SELECT * FROM events_1")
    ground.do("CREATE TABLE notes (at date, n int, FOREIGN KEY (at, n) REFERENCES events)")
    for name in ("events", "events_1", "events_2", "events_2a"):
        ground.agrees(ground.table(name))
    parts = {each.words for each in read_dependents(ground.conn, ground.table("events")).parts}
    assert {"table events_1", "table events_2", "table events_2a"} <= parts
    ground.do("CREATE TABLE old (a int, b int GENERATED ALWAYS AS (a + 1) STORED, c int GENERATED ALWAYS AS IDENTITY)")
    ground.do("CREATE TABLE young () INHERITS (old)")
    assert ground.agrees(ground.table("old")) == ["table young"]
    for name in ("a", "b", "c"):
        ground.agrees(ground.column("old", name))


@pytest.mark.parametrize("seed", range(12))
def test_that_in_a_thicket_of_objects_every_drop_is_foretold(ground, seed):
    dice = random.Random(seed)
    tables, views = [], []
    for number in range(8):
        name = f"t{number}"
        others = "".join(
            f", r{n} int REFERENCES {one}"
            for n, one in enumerate(dice.sample(tables, min(len(tables), dice.randint(0, 2))))
        )
        default = f" DEFAULT f{dice.randrange(number)}()" if number and dice.random() < 0.5 else ""
        ground.do(f"CREATE TABLE {name} (id serial PRIMARY KEY, a int{default} CHECK (a > 0), b text{others})")
        ground.do(f"CREATE FUNCTION f{number}() RETURNS int LANGUAGE sql RETURN (SELECT count(*)::int FROM {name})")
        if dice.random() < 0.5:
            ground.do(f"CREATE TRIGGER g BEFORE UPDATE ON {name} FOR EACH ROW EXECUTE FUNCTION "
                      "suppress_redundant_updates_trigger()")  # fmt: skip
        tables.append(name)
    for number in range(10):
        source = dice.choice([*tables, *views])
        what = dice.choice(["VIEW", "VIEW", "MATERIALIZED VIEW"])
        more = f", f{dice.randrange(8)}() AS z{number}" if dice.random() < 0.4 else ""
        columns = "a" if source in tables else "*"
        ground.do(f"CREATE {what} v{number} AS SELECT {columns}{more} FROM {source}")
        views.append(f"v{number}")
    for name in tables:
        ground.agrees(ground.table(name))
        ground.agrees(ground.column(name, "a"))
        ground.agrees(DbObject(K.FUNCTION, ground.oid("pg_proc", f"f{name[1:]}"), ground.schema, f"f{name[1:]}"))
        ground.agrees(ground.table(f"{name}_id_seq", K.SEQUENCE))


def test_that_an_extension_takes_what_others_made_with_it(wide_admin, own_schema):
    with wide_admin.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = 'hstore'")
        if not cursor.fetchone()[0]:
            pytest.skip("the server has no extension hstore")
        cursor.execute(f"CREATE EXTENSION IF NOT EXISTS hstore SCHEMA {own_schema}")
        ground = Ground(wide_admin, own_schema)
        ground.do("CREATE TABLE t (h hstore)")
        cursor.execute("SELECT oid FROM pg_extension WHERE extname = 'hstore'")
        found = DbObject(K.EXTENSION, cursor.fetchone()[0], "", "hstore")
        assert ground.agrees(found) == ["column h of table t"]
        cursor.execute("DROP EXTENSION hstore CASCADE")


def test_that_what_a_role_owns_and_who_is_in_a_database_is_said(wide_admin, profile, own_schema):
    with wide_admin.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_roles WHERE rolname = %s", (profile.user,))
        role = DbObject(K.ROLE, cursor.fetchone()[0], "", profile.user)
        assert f"schema {own_schema}" in read_dependents(wide_admin, role).blocking
        cursor.execute("SELECT oid, datname FROM pg_database WHERE datname = current_database()")
        oid, name = cursor.fetchone()
        assert read_dependents(wide_admin, DbObject(K.DATABASE, oid, "", name)).blocking


# -- dropping


@pytest.fixture
def shop(do, own_schema):
    do(f"CREATE TABLE {own_schema}.t (n int)")
    do(f"CREATE VIEW {own_schema}.v AS SELECT n FROM {own_schema}.t")
    [[oid]] = do(f"SELECT '{own_schema}.t'::regclass::oid")
    return DbObject(K.TABLE, oid, own_schema, "t")


def there(do, found):
    return do(sql.SQL("SELECT count(*) FROM pg_class WHERE oid = {}").format(sql.Literal(found.oid)))[0][0]


def test_that_what_was_shown_is_dropped_and_nothing_else(client: Client, side, do, shop):
    with client.lend("test") as conn:
        shown = read_dependents(conn, shop)
    assert [each.words.split()[0] for each in shown.cascaded] == ["view"]
    do(f"CREATE VIEW {shop.schema}.w AS SELECT n FROM {shop.schema}.t")
    with pytest.raises(ChangedMeanwhile):
        Drop(client, shop, shown, "drop", side=side).run()
    assert there(do, shop)
    with client.lend("test") as conn:
        shown = read_dependents(conn, shop)
    ran = Drop(client, shop, shown, "drop", side=side).run()
    assert ran.status == "DROP TABLE"
    assert ran.text.endswith(" CASCADE")
    assert not there(do, shop)
    assert client.pool.stats().used == 0


def test_that_nothing_cascades_unless_something_was_shown(client, side, do, shop):
    with pytest.raises(ChangedMeanwhile):
        Drop(client, shop, Dependents(), "drop", side=side).run()
    do(f"DROP VIEW {shop.schema}.v")
    assert Drop(client, shop, Dependents(), "drop", side=side).run().text.endswith('"t"')


def test_that_a_drop_that_waits_for_a_lock_is_stopped_and_leaves_all_there(client, side, do, shop, profile, admin):
    import threading

    holding = psycopg2.connect(**profile.parameters("side"))
    with holding.cursor() as cursor:
        cursor.execute(sql.SQL("LOCK TABLE {}").format(sql.Identifier(shop.schema, shop.name)))
    with client.lend("test") as conn:
        shown = read_dependents(conn, shop)
    work = Drop(client, shop, shown, "drop", side=side)
    raised = []

    def run():
        try:
            work.run()
        except psycopg2.Error as error:
            raised.append(error.pgcode)

    thread = threading.Thread(target=run)
    thread.start()
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%DROP TABLE%%'"
    until(lambda: admin.value(waiting))
    assert list(work.stop())
    thread.join(10)
    assert raised == ["57014"]
    holding.close()
    assert there(do, shop)
    assert client.pool.stats().used == 0
