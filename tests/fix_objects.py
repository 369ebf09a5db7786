"""Objects of every kind under hostile names, made by SQL that quotes for itself."""

import contextlib
from collections import defaultdict

import psycopg2
import pytest

from hostile import cut_to_fit
from pgexplorer.db.objects import DbObject, ObjectKind
from pgexplorer.db.tree import KIND_OF, Names, read_first, read_parts, read_rest

K = ObjectKind
TABLE_PARTS = (K.COLUMN, K.CONSTRAINT, K.INDEX, K.TRIGGER, K.RULE, K.POLICY)


def quote(name):
    """Return *name* in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def all_names(conn):
    """Return everything that *conn* can see, as the tree reads it."""
    [names, _] = read_rest(conn, read_first(conn))
    assert isinstance(names, Names)
    return names


def tell(relation):
    """Return a relation as an object."""
    return DbObject(KIND_OF[relation.kind], relation.oid, relation.schema, relation.name)


def objects_in(conn, schema):
    """Return every object in *schema*, its relations' parts among them, by kind and name: each a list."""
    names = all_names(conn)
    [found] = [each for each in names.schemas if each.found.name == schema]
    by_kind = defaultdict(list)
    for relation in found.relations:
        by_kind[tell(relation).kind, relation.name].append(tell(relation))
    for leaf in found.leaves:
        by_kind[leaf.found.kind, leaf.found.name].append(leaf.found)
    for oid, parts in read_parts(conn, found.relations).items():
        relation = next(each for each in found.relations if each.oid == oid)
        for column in parts.columns:
            made = part_of(relation, column)
            by_kind[K.COLUMN, column.name].append(made)
        for leaf in (*parts.constraints, *parts.indexes, *parts.triggers, *parts.rules, *parts.policies):
            by_kind[leaf.found.kind, leaf.found.name].append(leaf.found)
    return by_kind


def part_of(relation, column):
    """Return a column as an object."""
    return DbObject(K.COLUMN, relation.oid, relation.schema, column.name, column.number, relation.name)


def make_every_kind(execute, schema, name):
    """Make an object of every kind that lies in a schema, all called *name* or with a letter behind it.

    Return the name that each kind has. *execute* runs SQL as a superuser; a server called hostile_server is there.
    """
    space = quote(schema)

    def other(letter):
        return cut_to_fit(name, f"·{letter}")

    column = name if name not in {"ctid", "xmin", "tableoid"} else other("c")
    table, of = f"{space}.{quote(name)}", quote(column)
    execute(f"CREATE DOMAIN {space}.{quote(other('d'))} AS int")
    domain = f"{space}.{quote(other('d'))}"
    execute(f"CREATE TYPE {space}.{quote(other('t'))} AS ENUM ('a', 'b')")
    execute(f"CREATE TABLE {table} ({of} int, CONSTRAINT {quote(name)} CHECK ({of} > 0))")
    execute(f"INSERT INTO {table} VALUES (1), (2)")
    execute(f"CREATE INDEX {quote(other('i'))} ON {table} ({of})")
    execute(f"CREATE TRIGGER {quote(name)} BEFORE UPDATE ON {table} FOR EACH ROW "
            "EXECUTE FUNCTION suppress_redundant_updates_trigger()")  # fmt: skip
    execute(f"CREATE RULE {quote(name)} AS ON DELETE TO {table} DO INSTEAD NOTHING")
    execute(f"CREATE POLICY {quote(name)} ON {table} USING (true)")
    execute(f"CREATE VIEW {space}.{quote(other('v'))} AS SELECT 1 AS n")
    execute(f"CREATE MATERIALIZED VIEW {space}.{quote(other('m'))} AS SELECT 1 AS n")
    execute(f"CREATE SEQUENCE {space}.{quote(other('s'))}")
    execute(f"CREATE FOREIGN TABLE {space}.{quote(other('f'))} (n int) SERVER hostile_server")
    execute(f"CREATE FUNCTION {space}.{quote(name)}({of} {domain}, text) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    execute(f"CREATE PROCEDURE {space}.{quote(name)}({domain}) LANGUAGE sql AS 'SELECT 1'")
    execute(f"CREATE AGGREGATE {space}.{quote(other('a'))}(int4) (SFUNC = int4pl, STYPE = int4)")
    return {
        K.TABLE: name,
        K.COLUMN: column,
        K.CONSTRAINT: name,
        K.INDEX: other("i"),
        K.TRIGGER: name,
        K.RULE: name,
        K.POLICY: name,
        K.VIEW: other("v"),
        K.MATERIALIZED_VIEW: other("m"),
        K.SEQUENCE: other("s"),
        K.FOREIGN_TABLE: other("f"),
        K.FUNCTION: name,
        K.PROCEDURE: name,
        K.AGGREGATE: other("a"),
        K.TYPE: other("t"),
        K.DOMAIN: other("d"),
    }


@pytest.fixture
def wide_admin(postgres):
    """A superuser's connection on the database of the tests, with a foreign server that nobody answers at."""
    parameters = postgres.admin_parameters | {"dbname": postgres.profile.parameters()["dbname"]}
    with contextlib.closing(psycopg2.connect(**parameters)) as conn:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("CREATE FOREIGN DATA WRAPPER hostile_wrapper")
            cursor.execute("CREATE SERVER hostile_server FOREIGN DATA WRAPPER hostile_wrapper")
            yield conn
            cursor.execute("DROP FOREIGN DATA WRAPPER hostile_wrapper CASCADE")
