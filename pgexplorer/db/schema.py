"""Schemas, tables, columns and keys: each catalog query beside the dataclass that it fills."""

from dataclasses import dataclass
from enum import StrEnum

import psycopg2
import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import connection

from pgexplorer.db.values import Column, human_bytes, human_count


class Kind(StrEnum):
    """What a relation is, with pg_class.relkind's letters."""

    TABLE = "r"
    PARTITIONED = "p"
    VIEW = "v"
    MATERIALIZED_VIEW = "m"
    FOREIGN = "f"

    @property
    def word(self) -> str:
        """The kind in words."""
        return _WORDS[self]


_WORDS = {
    Kind.TABLE: "table",
    Kind.PARTITIONED: "partitioned table",
    Kind.VIEW: "view",
    Kind.MATERIALIZED_VIEW: "materialized view",
    Kind.FOREIGN: "foreign table",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or what can be read like one."""

    oid: int
    schema: str
    name: str
    kind: Kind
    rows: float  # the planner's estimate; -1 when never analysed
    size: int  # bytes on disk with indexes, 0 for a view
    comment: str = ""
    parent: int = 0  # the oid of the table that it is a partition of

    @property
    def summary(self) -> str:
        """Estimate and size in short: "≈ 1.0 M rows · 96.0 MB"."""
        parts: list[str] = []
        if self.rows >= 0 and self.kind is not Kind.VIEW:
            parts.append(f"≈ {human_count(self.rows)} {'row' if self.rows == 1 else 'rows'}")
        if self.size:
            parts.append(human_bytes(self.size))
        return " · ".join(parts) or self.kind.word


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of a relation."""

    name: str
    type_name: str  # with its modifier: "character(1)"
    key_place: int  # 1 upwards in the primary key's own order, 0 outside it
    not_null: bool
    comment: str = ""
    number: int = 0  # pg_attribute.attnum, where the tree has read it, as what follows
    default: str = ""  # as an expression; of a generated column what it is made of
    identity: str = ""  # "a" always, "d" by default
    generated: str = ""  # "s" stored, "v" virtual

    @property
    def is_key(self) -> bool:
        """Whether it is part of the primary key."""
        return bool(self.key_place)


_PATIENCE_MS = 300  # how long a look at the schema waits for the lock of a table that is being changed
_MEASURED, _ESTIMATED = "pg_total_relation_size(c.oid)", "c.relpages * 8192::bigint"

# One query for every relation of every schema, whatever their number. A partitioned table's size and rows are the
# sums over its partitions. pg_table_size of a table being dropped is NULL, hence coalesce.
_RELATIONS = """
SELECT n.nspname, c.oid, c.relname, c.relkind::text, c.reltuples,
       CASE WHEN c.relkind IN ('r', 'm', 't') THEN coalesce(pg_total_relation_size(c.oid), 0) ELSE 0 END,
       coalesce(obj_description(c.oid, 'pg_class'), '')
  FROM pg_namespace n
  LEFT JOIN pg_class c
    ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
 WHERE n.nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(n.oid, 'USAGE')
 ORDER BY n.nspname IN ('pg_catalog', 'information_schema'), n.nspname <> 'public', n.nspname, c.relname
"""

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod),
       coalesce(array_position(k.conkey, a.attnum), 0), a.attnotnull,
       coalesce(col_description(a.attrelid, a.attnum), '')
  FROM pg_attribute a
  LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'p'
 WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""


def read_relations(conn: connection) -> list[tuple[str, list[Relation]]]:
    """Return every schema that the role may use with its relations, public first, the system's last."""
    schemas: dict[str, list[Relation]] = {}
    with conn.cursor() as cursor:
        try:
            cursor.execute(f"BEGIN; SET LOCAL lock_timeout = '{_PATIENCE_MS}ms'; {_RELATIONS}")
        except psycopg2.errors.LockNotAvailable:
            # Measuring waits behind somebody's exclusive lock; the catalog's own count of pages does not.
            cursor.execute("ROLLBACK; BEGIN;" + _RELATIONS.replace(_MEASURED, _ESTIMATED))
        found = cursor.fetchall()
        cursor.execute("COMMIT")
        for schema, oid, name, kind, rows, size, comment in found:
            relations = schemas.setdefault(schema, [])
            if oid is not None:
                relations.append(Relation(oid, schema, name, Kind(kind), rows, size, comment))
    return list(schemas.items())


def read_columns(conn: connection, oid: int) -> list[TableColumn]:
    """Return the columns of the relation *oid*, in their order; empty when it is gone."""
    with conn.cursor() as cursor:
        cursor.execute(_COLUMNS, (oid,))
        return [TableColumn(*row) for row in cursor.fetchall()]


def table_name(relation: Relation) -> sql.Identifier:
    """Return the relation's name for psycopg2.sql, quoted whatever it holds."""
    return sql.Identifier(relation.schema, relation.name)


def result_columns(columns: list[TableColumn]) -> tuple[Column, ...]:
    """Return *columns* as the columns of a result."""
    return tuple(Column(column.name, column.type_name) for column in columns)
