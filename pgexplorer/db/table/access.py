"""How a relation can be read: its key, what its indexes put in order, its blocks, and how large its cells may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import psycopg2
import psycopg2.errors
from psycopg2.extensions import connection

from pgexplorer.db.schema import Kind, Relation, TableColumn, read_columns
from pgexplorer.db.table.ordering import Order, Sort, Term
from pgexplorer.db.values import Column

_SORTED_AT_ONCE = 50_000  # rows, and
_READ_AT_ONCE = 32 << 20  # bytes, up to which a page may be sorted without an index
_LONGEST_KEY = 32


class Way(Enum):
    """How pages are found."""

    KEY = "key"  # by a key, forwards and backwards from any row
    BLOCKS = "blocks"  # by the place on the disk, where there is no key
    PASS = "pass"  # not at all: it is read once, from its beginning


class Width(Enum):
    """How the beginning of a cell is taken without making the rest of it."""

    SHORT = "short"  # it is never long
    TEXT = "text"  # the server slices it where it is stored
    BYTES = "bytes"
    MADE = "made"  # its text is made whole, and cut


@dataclass(frozen=True, slots=True)
class Index:
    """The columns that a B-tree index puts in order, up to its first expression."""

    columns: tuple[str, ...]
    descending: tuple[bool, ...]
    is_key: bool  # it allows no two rows that are the same, and no NULL

    def serves(self, sorts: Sequence[Sort]) -> bool:
        """Whether its order, or the reverse of it, begins with *sorts*."""
        if len(sorts) > len(self.columns) or any(
            sort.column != name for sort, name in zip(sorts, self.columns, strict=False)
        ):
            return False
        turned = {sort.descending != down for sort, down in zip(sorts, self.descending, strict=False)}
        return len(turned) == 1


@dataclass(frozen=True, slots=True)
class Access:
    """What there is to know of a relation before its first page is read."""

    oid: int  # now: a table may have been dropped and made again
    columns: tuple[TableColumn, ...]
    widths: tuple[Width, ...]  # one for each column
    type_oids: tuple[int, ...]
    indexes: tuple[Index, ...]
    has_blocks: bool  # it has a file of its own, of which ranges of blocks can be read
    blocks: int
    block_size: int  # bytes
    rows: float  # the planner's count, -1 where it never counted
    is_lossless: bool  # whether the session writes values so that they can be read back
    has_versions: bool = False  # whether its rows say which version of them is read

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell every row from every other; the primary key where there is one."""
        return next((index.columns for index in self.indexes if index.is_key), ())

    def shown(self) -> tuple[Column, ...]:
        """Return the columns as those of a result."""
        pairs = zip(self.columns, self.type_oids, strict=True)
        return tuple(Column(column.name, column.type_name, oid) for column, oid in pairs)

    def way(self, sorts: Sequence[Sort]) -> Way:
        """Return how pages under this order are found."""
        if self.key and (not sorts or self.is_served(sorts) or self._is_small):
            return Way.KEY
        return Way.BLOCKS if self.has_blocks and not sorts else Way.PASS

    def is_served(self, sorts: Sequence[Sort]) -> bool:
        """Whether an index brings the rows in this order."""
        return any(index.serves(sorts) for index in self.indexes)

    def order(self, sorts: Sequence[Sort]) -> Order:
        """Return the whole order: the columns wanted, then those of the key in the same direction."""
        columns = {column.name: column for column in self.columns}
        chosen = {sort.column: sort.descending for sort in sorts if sort.column in columns}
        down = bool(sorts) and sorts[-1].descending
        for name in self.key:
            chosen.setdefault(name, down)
        return Order(
            [
                Term(name, columns[name].type_name, descending, not columns[name].not_null)
                for name, descending in chosen.items()
            ]
        )

    @property
    def _is_small(self) -> bool:
        return self.rows <= _SORTED_AT_ONCE and self.blocks * self.block_size <= _READ_AT_ONCE


# A parent's own file and key say nothing of the rows of its children. pg_relation_size of what has no file is NULL.
_FACTS = """
SELECT c.relkind IN ('r', 'm') AND NOT c.relhassubclass AND coalesce(am.amname, '') = 'heap',
       c.relkind = 'r' AND c.relhassubclass,
       CASE WHEN c.relkind IN ('r', 'm', 't')
            THEN coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::int ELSE 0 END,
       current_setting('block_size')::int,
       c.reltuples,
       current_setting('DateStyle') LIKE 'ISO%%' AND current_setting('IntervalStyle') IN ('postgres', 'iso_8601')
           AND current_setting('extra_float_digits')::int > 0,
       current_setting('server_version_num')::int,
       CASE c.relkind WHEN 'r' THEN coalesce(am.amname, '') = 'heap'
            WHEN 'p' THEN NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) p JOIN pg_class x ON x.oid = p.relid
                                       WHERE p.isleaf AND x.relkind = 'f')
            ELSE false END
  FROM pg_class c LEFT JOIN pg_am am ON am.oid = c.relam
 WHERE c.oid = %s
"""

# indoption: 1 descending, 2 NULLs first. An index serves an order when NULLs lie where ORDER BY puts them, by the
# type's own operators and the column's own collation.
_INDEXES = """
SELECT array_agg(a.attname::text ORDER BY k.n), array_agg(i.indoption[k.n - 1] & 1 = 1 ORDER BY k.n),
       array_agg(a.attname IS NOT NULL AND (a.attnotnull OR i.indoption[k.n - 1] IN (0, 3))
                 AND o.opcdefault AND i.indcollation[k.n - 1] = a.attcollation ORDER BY k.n),
       i.indisunique AND i.indimmediate AND i.indpred IS NULL AND coalesce(bool_and(a.attnotnull), false),
       i.indpred IS NULL
  FROM pg_index i
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
 CROSS JOIN LATERAL generate_series(1, i.indnkeyatts) AS k(n)
  JOIN pg_opclass o ON o.oid = i.indclass[k.n - 1]
  LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k.n - 1]
 WHERE i.indrelid = %s AND i.indisvalid
 GROUP BY i.indexrelid
 ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
"""

_WIDTHS = """
SELECT a.atttypid,
       CASE WHEN a.attlen > 0 OR a.atttypid = 1700 AND a.atttypmod > 0
                 OR a.atttypid IN (1042, 1043) AND a.atttypmod BETWEEN 1 AND 254 THEN 'short'
            WHEN a.atttypid IN (25, 114, 142, 1043) THEN 'text'
            WHEN a.atttypid = 17 THEN 'bytes'
            ELSE 'made' END
  FROM pg_attribute a
 WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""
_OID = """
SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
"""
_TID_RANGES = 140000  # the version from which on a range of blocks is read and nothing else


def read_access(conn: connection, relation: Relation) -> Access:
    """Return how *relation* can be read now. Five round trips.

    Raises UndefinedTable when it is gone.
    """
    with conn.cursor() as cursor:
        cursor.execute(_OID, (relation.schema, relation.name))
        if (row := cursor.fetchone()) is None:
            raise psycopg2.errors.UndefinedTable(f'relation "{relation.schema}.{relation.name}" does not exist')
        oid = int(row[0])
        cursor.execute(_WIDTHS, (oid,))
        widths = cursor.fetchall()
        cursor.execute(_INDEXES, (oid,))
        indexes = cursor.fetchall()
        cursor.execute(_FACTS, (oid,))
        facts = cursor.fetchone()
    columns = read_columns(conn, oid)
    is_heap, has_children, blocks, block_size, rows, is_lossless, version, versions = facts or (False,) * 8
    found: list[Index] = []
    for names, descending, usable, is_key, is_whole in indexes:
        if not is_whole or relation.kind is Kind.FOREIGN:
            continue
        length = next((at for at, each in enumerate(usable) if not each), len(usable))
        key = bool(is_key) and not has_children and length == len(names) <= _LONGEST_KEY
        if length and not has_children:
            found.append(Index(tuple(names[:length]), tuple(descending[:length]), key))
    return Access(
        oid,
        tuple(columns),
        tuple(Width(width) for _, width in widths),
        tuple(oid for oid, _ in widths),
        tuple(found),
        bool(is_heap) and int(version) >= _TID_RANGES,
        int(blocks),
        int(block_size) or 8192,
        float(rows),
        bool(is_lossless),
        bool(versions),
    )
