"""The SQL that makes an object again, whatever it is and whatever it is called."""

from psycopg2.extensions import connection

from pgexplorer.db.ddl import cluster as ddl_cluster
from pgexplorer.db.ddl import functions as ddl_functions
from pgexplorer.db.ddl import parts as ddl_parts
from pgexplorer.db.ddl import tables as ddl_tables
from pgexplorer.db.ddl import types as ddl_types
from pgexplorer.db.ddl import views as ddl_views
from pgexplorer.db.ddl.reader import Gone, Reader, reading, remark
from pgexplorer.db.objects import DbObject, ObjectKind

_EXTENSION = """
SELECT quote_ident(e.extname) AS name FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
 WHERE d.objid = %s AND d.classid = %s::regclass AND d.objsubid = 0
   AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
"""
_RELATIONS = ("TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "INDEX")
_CATALOGS = dict.fromkeys(map(ObjectKind, _RELATIONS), "pg_class") | {
    ObjectKind.FUNCTION: "pg_proc",
    ObjectKind.PROCEDURE: "pg_proc",
    ObjectKind.AGGREGATE: "pg_proc",
    ObjectKind.TYPE: "pg_type",
    ObjectKind.DOMAIN: "pg_type",
    ObjectKind.SCHEMA: "pg_namespace",
}


class ObjectGone(LookupError):
    """The object is not there any more."""


def read_ddl(conn: connection, obj: DbObject, *, privileges: bool = True) -> str:
    """Return the SQL that makes *obj* again: run by psql in a database that has what it stands on, it builds the same.

    As `pg_dump --schema-only` does, it says comments, the owner and the grants after the object itself, and of a table
    all that hangs on it: sequences, indexes, triggers, rules, policies, statistics. Without *privileges* owner and
    grants are left out, as by --no-owner --no-privileges. Names are qualified whatever the search path is.

    *conn* is in autocommit mode; one transaction that changes nothing, some ten queries. Blocks, for at most 2 s for
    somebody's exclusive lock. Raises ObjectGone, psycopg2.Error.
    """
    with reading(conn) as reader:
        try:
            statements = _brought(reader, obj) + _statements(reader, obj, privileges)
        except Gone:
            where = f"{obj.schema}." if obj.schema else ""
            raise ObjectGone(f"{obj.kind.lower()} {where}{obj.name} is not there any more") from None
    return "\n\n".join(statements) + "\n"


def _brought(reader: Reader, obj: DbObject) -> list[str]:
    """Return the remark that an extension brought *obj* in."""
    if obj.kind not in _CATALOGS:
        return []
    found = reader.rows(_EXTENSION, obj.oid, f"pg_catalog.{_CATALOGS[obj.kind]}")
    return [remark(f"It is part of the extension {row.name}, which makes it.") for row in found]


def _statements(reader: Reader, obj: DbObject, privileges: bool) -> list[str]:
    oid = obj.oid
    match obj.kind:
        case ObjectKind.TABLE | ObjectKind.FOREIGN_TABLE:
            return ddl_tables.table(reader, oid, privileges=privileges)
        case ObjectKind.VIEW | ObjectKind.MATERIALIZED_VIEW:
            return ddl_views.view(reader, oid, privileges=privileges)
        case ObjectKind.SEQUENCE:
            return ddl_views.sequence(reader, oid, privileges=privileges)
        case ObjectKind.COLUMN:
            return ddl_tables.column(reader, obj, privileges=privileges)
        case ObjectKind.INDEX:
            return ddl_parts.index(reader, oid)
        case ObjectKind.CONSTRAINT:
            return ddl_parts.constraint(reader, oid)
        case ObjectKind.TRIGGER:
            return ddl_parts.trigger(reader, oid)
        case ObjectKind.RULE:
            return ddl_parts.rule(reader, oid)
        case ObjectKind.POLICY:
            return ddl_parts.policy(reader, oid)
        case ObjectKind.FUNCTION | ObjectKind.PROCEDURE | ObjectKind.AGGREGATE:
            return ddl_functions.function(reader, oid, privileges=privileges)
        case ObjectKind.TYPE:
            return ddl_types.made_type(reader, oid, privileges=privileges)
        case ObjectKind.DOMAIN:
            return ddl_types.domain(reader, oid, privileges=privileges)
        case ObjectKind.SCHEMA:
            return ddl_cluster.schema(reader, oid, privileges=privileges)
        case ObjectKind.EXTENSION:
            return ddl_cluster.extension(reader, oid)
        case ObjectKind.ROLE:
            return ddl_cluster.role(reader, oid)
        case ObjectKind.DATABASE:
            return ddl_cluster.database(reader, oid, privileges=privileges)
