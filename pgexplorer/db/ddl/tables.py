"""Tables and foreign tables with all that hangs on them, and single columns."""

from pgexplorer.db.ddl.columns import (
    afterwards,
    column_comments,
    constraints,
    create_sequence,
    definition,
    inherited,
    inherited_not_null,
    read_columns,
)
from pgexplorer.db.ddl.parts import (
    index_statements,
    policy_statements,
    rule_statements,
    statistics_statements,
    trigger_statements,
)
from pgexplorer.db.ddl.reader import Gone, Reader, Row, column_grants, comment, listed, options, owner_and_grants
from pgexplorer.db.objects import DbObject

_TABLE = """
SELECT c.oid, c.oid::regclass::text AS name, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       c.relispartition AS is_partition, pg_get_expr(c.relpartbound, c.oid) AS bound,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS part_key,
       c.reloptions AS options, t.reloptions AS toast_options, quote_ident(am.amname) AS method,
       quote_ident(s.spcname) AS tablespace,
       CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END AS of_type,
       ARRAY(SELECT i.inhparent::regclass::text FROM pg_catalog.pg_inherits i
              WHERE i.inhrelid = c.oid ORDER BY i.inhseqno) AS parents,
       c.relrowsecurity AS has_security, c.relforcerowsecurity AS forces_security, c.relreplident::text AS identity,
       obj_description(c.oid, 'pg_class') AS comment,
       quote_ident(fs.srvname) AS server,
       ARRAY(SELECT quote_ident(o.option_name) || ' ' || quote_literal(o.option_value)
               FROM pg_options_to_table(f.ftoptions) AS o) AS foreign_options
  FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname <> 'heap'
  LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
  LEFT JOIN pg_catalog.pg_foreign_table f ON f.ftrelid = c.oid
  LEFT JOIN pg_catalog.pg_foreign_server fs ON fs.oid = f.ftserver
 WHERE c.oid = %s AND c.relkind IN ('r', 'p', 'f', 't')
"""

# Foreign keys of a partition that it has from its table are made when it is attached; its other constraints have to be
# there before, so that they are merged under their own names.
_CONSTRAINTS = """
SELECT quote_ident(k.conname) AS name, pg_get_constraintdef(k.oid) AS definition, k.contype::text AS type,
       k.convalidated AS is_valid, k.conislocal AS is_local, obj_description(k.oid, 'pg_constraint') AS comment
  FROM pg_catalog.pg_constraint k
 WHERE k.conrelid = %s AND k.contype IN ('p', 'u', 'x', 'c', 'f') AND NOT (k.contype = 'f' AND k.conparentid <> 0)
 ORDER BY array_position(ARRAY['p', 'u', 'x', 'c', 'f']::"char"[], k.contype), k.conname
"""
_IDENTITY = {"n": "NOTHING", "f": "FULL"}


def table(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the statements that make the table or foreign table *oid* and all that hangs on it."""
    found = reader.row(_TABLE, oid)
    columns = read_columns(reader, oid)
    checks = reader.rows(_CONSTRAINTS, oid)
    if not found.is_partition:  # what comes from the parents comes with them
        checks = [each for each in checks if each.is_local or each.type in "puxf"]
    early = [each for each in checks if each.is_valid]
    word = "FOREIGN TABLE" if found.kind == "f" else "TABLE"
    alter = f"ALTER {word} {'' if found.kind == 'p' else 'ONLY '}{found.name}"
    own = [sequence for column in columns for sequence in column.sequences]

    statements = [create_sequence(sequence) for sequence in own]
    statements.append(_create(found, word, columns, early))
    statements += [f"ALTER SEQUENCE {each.name} OWNED BY {found.name}.{each.column_name};" for each in own]
    for column in columns:
        if not column.is_local and not found.is_partition:
            statements += inherited(column, alter)
        statements += afterwards(column, alter)
    late = [each for each in checks if not each.is_valid]
    late += [column.not_null_row for column in columns if column.not_null_row and not column.not_null_row.is_valid]
    statements += [f"ALTER {word} {found.name} ADD CONSTRAINT {each.name} {each.definition};" for each in late]
    belonging, others = index_statements(reader, oid, found.name)
    statements += belonging
    if found.bound:
        [parent] = found.parents
        statements.append(f"ALTER TABLE ONLY {parent} ATTACH PARTITION {found.name} {found.bound};")
    statements += others
    statements += statistics_statements(reader, oid, privileges=privileges)
    statements += rule_statements(reader, oid)
    statements += trigger_statements(reader, oid, found.name)
    if found.has_security:
        statements.append(f"ALTER TABLE {found.name} ENABLE ROW LEVEL SECURITY;")
    if found.forces_security:
        statements.append(f"ALTER TABLE ONLY {found.name} FORCE ROW LEVEL SECURITY;")
    statements += policy_statements(reader, oid)
    if found.identity in _IDENTITY and found.kind != "f":
        statements.append(f"ALTER TABLE ONLY {found.name} REPLICA IDENTITY {_IDENTITY[found.identity]};")

    statements += comment(word, found.name, found.comment)
    for column in columns:
        statements += column_comments(column, found.name)
    for each in checks:
        statements += comment("CONSTRAINT", f"{each.name} ON {found.name}", each.comment)
    statements += _sequence_ends(reader, columns, privileges=privileges)
    if privileges:
        statements += owner_and_grants(reader, "TABLE", oid, found.name, word=word)
        statements += column_grants(reader, oid, found.name)
    return statements


def _create(found: Row, word: str, columns: list[Row], checks: list[Row]) -> str:
    parts: list[str] = []
    for column in columns:
        if found.of_type:
            if said := constraints(column):
                parts.append(f"{column.name} WITH OPTIONS {' '.join(said)}")
        elif column.is_local or found.is_partition:
            parts.append(definition(column, is_partition=found.is_partition and found.kind != "f"))
        elif said := inherited_not_null(column):
            parts.append(said)
    parts += [f"CONSTRAINT {each.name} {each.definition}" for each in checks]
    of = f" OF {found.of_type}" if found.of_type else ""
    persistence = {"u": "UNLOGGED ", "t": "TEMPORARY "}.get(found.persistence, "")
    text = f"CREATE {persistence}{word} {found.name}{of}"
    if parts or not of:
        text += f" {listed(parts)}"
    if found.parents and not found.is_partition:
        text += f"\nINHERITS ({', '.join(found.parents)})"
    if found.part_key:
        text += f"\nPARTITION BY {found.part_key}"
    if found.server:
        text += f"\nSERVER {found.server}"
        text += f"\nOPTIONS {listed(found.foreign_options)}" if found.foreign_options else ""
    if found.method:
        text += f"\nUSING {found.method}"
    if settings := options(found.options) + options(found.toast_options, "toast."):
        text += f"\nWITH ({', '.join(settings)})"
    if found.tablespace:
        text += f"\nTABLESPACE {found.tablespace}"
    return text + ";"


def _sequence_ends(reader: Reader, columns: list[Row], *, privileges: bool) -> list[str]:
    """Return comments and grants of the sequences that came with the columns; their owner is the table's."""
    statements: list[str] = []
    for column in columns:
        for sequence in [*column.sequences, *([column.identity_sequence] if column.identity_sequence else [])]:
            found = reader.row("SELECT obj_description(%s, 'pg_class') AS comment", sequence.oid)
            statements += comment("SEQUENCE", sequence.name, found.comment)
            if privileges:
                said = owner_and_grants(reader, "SEQUENCE", sequence.oid, sequence.name)
                statements += said[1:]
    return statements


def column(reader: Reader, obj: DbObject, *, privileges: bool) -> list[str]:
    """Return the statements that add one column to its relation."""
    text = "SELECT oid::regclass::text AS name, relkind::text AS kind FROM pg_catalog.pg_class WHERE oid = %s"
    relation = reader.row(text, obj.oid)
    found = read_columns(reader, obj.oid, obj.part)
    if not found:
        raise Gone
    [one] = found
    name = relation.name
    statements: list[str] = []
    if relation.kind in "vm":
        statements.append("-- A view's columns are made by its query.")
        statements += afterwards(one, f"ALTER TABLE {name}", is_view=relation.kind == "v")
    elif relation.kind == "c":
        collation = f" COLLATE {one.collation}" if one.collation else ""
        statements.append(f"ALTER TYPE {name} ADD ATTRIBUTE {one.name} {one.type}{collation};")
    else:
        alter = f"ALTER {'FOREIGN TABLE' if relation.kind == 'f' else 'TABLE'} {name}"
        statements += [create_sequence(sequence) for sequence in one.sequences]
        statements.append(f"{alter} ADD COLUMN {definition(one)};")
        for sequence in one.sequences:
            statements.append(f"ALTER SEQUENCE {sequence.name} OWNED BY {name}.{one.name};")
        statements += afterwards(one, alter)
        if (not_null := one.not_null_row) is not None and not not_null.is_valid:
            statements.append(f"{alter} ADD CONSTRAINT {not_null.name} {not_null.definition};")
    statements += column_comments(one, name)
    if relation.kind not in "vmc":
        statements += _sequence_ends(reader, [one], privileges=privileges)
    if privileges and relation.kind != "c":
        statements += column_grants(reader, obj.oid, name, obj.part)
    return statements
