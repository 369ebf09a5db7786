"""Foreign keys both ways: from a row to the one that it refers to, and to the rows that refer to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import connection

from pgexplorer.db.rows import Clipped
from pgexplorer.db.schema import Kind, Relation
from pgexplorer.db.table.ordering import Condition, Operator
from pgexplorer.db.values import Row


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key: columns of one relation that hold the values of columns of another, or of the same."""

    name: str
    table: Relation  # whose rows refer
    columns: tuple[str, ...]
    to: Relation  # to whose rows
    to_columns: tuple[str, ...]

    @property
    def words(self) -> str:
        """What refers, in one line: "shop.orders.customer_id", "shop.lines (order_id, line)"."""
        name = f"{self.table.schema}.{self.table.name}"
        return f"{name}.{self.columns[0]}" if len(self.columns) == 1 else f"{name} ({', '.join(self.columns)})"

    def forwards(self, names: Sequence[str], row: Row) -> tuple[Condition, ...] | None:
        """Return what finds the row that *row*, of columns *names*, refers to; None where it refers to none."""
        return _conditions(self.to_columns, [_cell(names, row, column) for column in self.columns])

    def backwards(self, names: Sequence[str], row: Row) -> tuple[Condition, ...] | None:
        """Return what finds the rows that refer to *row*; None where none can."""
        return _conditions(self.columns, [_cell(names, row, column) for column in self.to_columns])


@dataclass(frozen=True, slots=True)
class References:
    """The foreign keys of a relation."""

    out: tuple[Reference, ...] = ()  # by which its rows refer to others
    back: tuple[Reference, ...] = ()  # by which others refer to its rows

    def of_column(self, name: str) -> list[Reference]:
        """Return the keys that the column *name* is part of, the one with the fewest columns first."""
        return sorted((each for each in self.out if name in each.columns), key=lambda each: len(each.columns))


# A key of a partitioned table, or to one, is in the catalog once more for each partition: those have a parent.
_REFERENCES = """
SELECT k.conname, k.conrelid = %(oid)s AND (k.conparentid = 0 OR p.conrelid <> k.conrelid),
       k.confrelid = %(oid)s AND (k.conparentid = 0 OR p.conrelid = k.conrelid),
       r.oid, rn.nspname, r.relname, r.relkind::text, r.reltuples,
       t.oid, tn.nspname, t.relname, t.relkind::text, t.reltuples,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c(attnum, n)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum ORDER BY c.n),
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c(attnum, n)
               JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.attnum ORDER BY c.n)
  FROM pg_constraint k
  LEFT JOIN pg_constraint p ON p.oid = k.conparentid
  JOIN pg_class r ON r.oid = k.conrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
 WHERE k.contype = 'f' AND (k.conrelid = %(oid)s OR k.confrelid = %(oid)s)
 ORDER BY rn.nspname, r.relname, k.conname
"""


def read_references(conn: connection, oid: int) -> References:
    """Return the foreign keys of the relation *oid*, both ways. One round trip."""
    with conn.cursor() as cursor:
        cursor.execute(_REFERENCES, {"oid": oid})
        found = cursor.fetchall()
    out: list[Reference] = []
    back: list[Reference] = []
    for name, is_out, is_back, *rest in found:
        table, to = (_relation(*rest[at : at + 5]) for at in (0, 5))
        key = Reference(name, table, tuple(rest[10]), to, tuple(rest[11]))
        if is_out:
            out.append(key)
        if is_back:
            back.append(key)
    return References(tuple(out), tuple(back))


def _relation(oid: int, schema: str, name: str, kind: str, rows: float) -> Relation:
    return Relation(oid, schema, name, Kind(kind), rows, 0)


def _cell(names: Sequence[str], row: Row, column: str) -> str | None:
    return row[names.index(column)] if column in names else None


def _conditions(columns: Sequence[str], values: Sequence[str | None]) -> tuple[Condition, ...] | None:
    """Return the conditions that the columns have these values; None for a NULL, which refers to nothing."""
    if any(value is None or isinstance(value, Clipped) for value in values):
        return None
    return tuple(Condition(name, Operator.EQUAL, value or "") for name, value in zip(columns, values, strict=True))
