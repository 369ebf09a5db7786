"""A column's definition: what stands in CREATE TABLE, and what has to be said of it afterwards."""

from pgexplorer.db.ddl.reader import Reader, Row, comment, options

# What the parents of an inherited column say of it decides what has to be said here. A sequence belongs to a column by
# an internal dependency where the column is an identity, by an automatic one where it is a serial.
_COLUMNS = """
SELECT a.attnum AS part, a.attname AS bare, quote_ident(a.attname) AS name,
       format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null, a.attidentity::text AS identity,
       a.attgenerated::text AS generated, a.attislocal AS is_local, pg_get_expr(d.adbin, d.adrelid) AS preset,
       CASE WHEN a.attcollation <> 0 AND a.attcollation <> t.typcollation
            THEN a.attcollation::regcollation::text END AS collation,
       CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END AS storage, {compression} AS compression,
       CASE WHEN a.attstattarget >= 0 THEN a.attstattarget END AS target, a.attoptions AS options,
       ARRAY(SELECT quote_ident(o.option_name) || ' ' || quote_literal(o.option_value)
               FROM pg_options_to_table(a.attfdwoptions) AS o) AS foreign_options,
       col_description(a.attrelid, a.attnum) AS comment,
       p.presets AS parent_presets, p.not_null AS parent_not_null
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN LATERAL (
       SELECT array_agg(coalesce(pg_get_expr(pd.adbin, pd.adrelid), '')) AS presets, bool_or(pa.attnotnull) AS not_null
         FROM pg_catalog.pg_inherits i
         JOIN pg_catalog.pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attname = a.attname AND NOT pa.attisdropped
         LEFT JOIN pg_catalog.pg_attrdef pd ON pd.adrelid = pa.attrelid AND pd.adnum = pa.attnum
        WHERE i.inhrelid = a.attrelid) AS p ON true
 WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND %s IN (0, a.attnum)
 ORDER BY a.attnum
"""

# Named from PostgreSQL 18 on; the name that the server would choose is left out.
_NOT_NULLS = """
SELECT n.conkey[1] AS part, quote_ident(n.conname) AS name, n.conislocal AS is_local, n.connoinherit AS is_lonely,
       n.convalidated AS is_valid, n.conname = c.relname || '_' || a.attname || '_not_null' AS is_usual,
       pg_get_constraintdef(n.oid) AS definition, obj_description(n.oid, 'pg_constraint') AS comment
  FROM pg_catalog.pg_constraint n
  JOIN pg_catalog.pg_class c ON c.oid = n.conrelid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = n.conrelid AND a.attnum = n.conkey[1]
 WHERE n.conrelid = %s AND n.contype = 'n'
"""

# The sequences of identities ('i') and of serials ('a'), by column.
_SEQUENCES = """
SELECT d.refobjsubid AS part, d.deptype::text AS tie, d.objid AS oid, c.oid::regclass::text AS name,
       c.relname = t.relname || '_' || a.attname || '_seq' AND c.relnamespace = t.relnamespace AS is_usual,
       c.relpersistence::text AS persistence, t.relpersistence::text AS table_persistence,
       format_type(s.seqtypid, NULL) AS type, s.seqstart AS start, s.seqincrement AS increment,
       s.seqmin AS least, s.seqmax AS most, s.seqcache AS cache, s.seqcycle AS cycles,
       t.oid::regclass::text AS table_name, quote_ident(a.attname) AS column_name
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
  JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
 WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = %s
   AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') AND %s IN (0, d.refobjsubid)
 ORDER BY d.refobjsubid, c.oid
"""

_STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "m": "MAIN", "x": "EXTENDED"}
_COMPRESSION = {"p": "pglz", "l": "lz4"}
_MOST = {"smallint": 2**15 - 1, "integer": 2**31 - 1, "bigint": 2**63 - 1}
_PERSISTENCE = {"u": "UNLOGGED", "p": "LOGGED"}


def read_columns(reader: Reader, oid: int, part: int = 0) -> list[Row]:
    """Return the columns of the relation *oid*, or its column *part*, with their not-null constraints and sequences."""
    columns = reader.rows(_COLUMNS.format(compression=reader.since(14, "a.attcompression::text", "''")), oid, part)
    not_nulls = {row.part: row for row in reader.rows(_NOT_NULLS, oid)} if reader.version >= 180_000 else {}
    sequences = reader.rows(_SEQUENCES, oid, part)
    for column in columns:
        column.not_null_row = not_nulls.get(column.part)
        column.sequences = [row for row in sequences if row.part == column.part and row.tie == "a"]
        column.identity_sequence = next((row for row in sequences if row.part == column.part and row.tie == "i"), None)
    return columns


def definition(column: Row, *, is_partition: bool = False) -> str:
    """Return the column as CREATE TABLE has it."""
    parts = [column.name, column.type]
    if column.foreign_options:
        parts.append(f"OPTIONS ({', '.join(column.foreign_options)})")
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    return " ".join(parts + constraints(column, is_partition=is_partition))


def constraints(column: Row, *, is_partition: bool = False) -> list[str]:
    """Return what follows the column's type in CREATE TABLE.

    A partition has the identities of its table, and comes by them when it is attached.
    """
    parts: list[str] = []
    if column.generated:
        parts.append(f"GENERATED ALWAYS AS ({column.preset}) {'VIRTUAL' if column.generated == 'v' else 'STORED'}")
    elif column.identity and not is_partition:
        parts.append(identity(column))
    elif column.preset is not None and not column.identity:
        parts.append(f"DEFAULT {column.preset}")
    if clause := _not_null(column, is_partition=is_partition):
        parts.append(clause)
    return parts


def _not_null(column: Row, *, is_partition: bool) -> str:
    row = column.not_null_row
    if row is None:
        return "NOT NULL" if column.not_null else ""
    if not row.is_valid or not (row.is_local or is_partition):
        return ""  # it is added afterwards, or comes from the parent
    return f"{'' if row.is_usual else f'CONSTRAINT {row.name} '}NOT NULL{' NO INHERIT' if row.is_lonely else ''}"


def inherited_not_null(column: Row) -> str:
    """Return the not-null constraint that an inherited column has of its own, as a constraint of the table."""
    row = column.not_null_row
    if row is None or not row.is_local or not row.is_valid:
        return ""
    return f"CONSTRAINT {row.name} NOT NULL {column.name}{' NO INHERIT' if row.is_lonely else ''}"


def identity(column: Row) -> str:
    """Return what makes the column an identity, with what of its sequence is not what it would be anyway."""
    """Return what makes the column an identity, with what of its sequence is not what it would be anyway."""
    kind = "GENERATED ALWAYS AS IDENTITY" if column.identity == "a" else "GENERATED BY DEFAULT AS IDENTITY"
    sequence = column.identity_sequence
    if sequence is None:
        return kind
    name = "" if sequence.is_usual else f"SEQUENCE NAME {sequence.name}"
    said = [each for each in (name, *parameters(sequence)) if each]
    return f"{kind} ({' '.join(said)})" if said else kind


def parameters(sequence: Row) -> list[str]:
    """Return what of a sequence is not what one of its type has anyway."""
    most, least = _MOST[sequence.type], -_MOST[sequence.type] - 1
    rises = sequence.increment > 0
    usual_least, usual_most = (1, most) if rises else (least, -1)
    said: list[str] = []
    if sequence.start != (sequence.least if rises else sequence.most):
        said.append(f"START WITH {sequence.start}")
    if sequence.increment != 1:
        said.append(f"INCREMENT BY {sequence.increment}")
    if sequence.least != usual_least:
        said.append(f"MINVALUE {sequence.least}")
    if sequence.most != usual_most:
        said.append(f"MAXVALUE {sequence.most}")
    if sequence.cache != 1:
        said.append(f"CACHE {sequence.cache}")
    if sequence.cycles:
        said.append("CYCLE")
    return said


def create_sequence(sequence: Row) -> str:
    """Return CREATE SEQUENCE, without the column that owns it."""
    word = {"u": "UNLOGGED ", "t": "TEMPORARY "}.get(sequence.persistence, "")
    kind = "" if sequence.type == "bigint" else f" AS {sequence.type}"
    said = "".join(f"\n    {each}" for each in parameters(sequence))
    return f"CREATE {word}SEQUENCE {sequence.name}{kind}{said};"


def afterwards(column: Row, alter: str, *, is_view: bool = False) -> list[str]:
    """Return what is said of a column after its table is there. *alter* is ALTER TABLE with the table's name."""
    say = f"{alter} ALTER COLUMN {column.name}"
    statements: list[str] = []
    if is_view and column.preset is not None:
        statements.append(f"{say} SET DEFAULT {column.preset};")
    if column.storage and not is_view:
        statements.append(f"{say} SET STORAGE {_STORAGE[column.storage]};")
    if column.compression in _COMPRESSION and not is_view:
        statements.append(f"{say} SET COMPRESSION {_COMPRESSION[column.compression]};")
    if column.target is not None:
        statements.append(f"{say} SET STATISTICS {column.target};")
    if column.options:
        statements.append(f"{say} SET ({', '.join(options(column.options))});")
    sequence = column.identity_sequence
    if sequence is not None and sequence.persistence != sequence.table_persistence:
        statements.append(f"ALTER SEQUENCE {sequence.name} SET {_PERSISTENCE[sequence.persistence]};")
    return statements


def inherited(column: Row, alter: str) -> list[str]:
    """Return how a column that comes from the parents differs from theirs."""
    say, statements = f"{alter} ALTER COLUMN {column.name}", list[str]()
    if (
        not column.generated
        and not column.identity
        and any(each != column.preset for each in column.parent_presets or ())
    ):
        if column.preset is not None:
            statements.append(f"{say} SET DEFAULT {column.preset};")
        elif any(column.parent_presets):
            statements.append(f"{say} DROP DEFAULT;")
    if column.not_null_row is None and column.not_null and not column.parent_not_null:
        statements.append(f"{say} SET NOT NULL;")
    return statements


def column_comments(column: Row, table: str) -> list[str]:
    """Return the comments on a column and on its not-null constraint."""
    statements = comment("COLUMN", f"{table}.{column.name}", column.comment)
    if column.not_null_row is not None:
        statements += comment("CONSTRAINT", f"{column.not_null_row.name} ON {table}", column.not_null_row.comment)
    return statements


__all__ = [
    "afterwards",
    "column_comments",
    "constraints",
    "create_sequence",
    "definition",
    "identity",
    "inherited",
    "inherited_not_null",
    "parameters",
    "read_columns",
]
