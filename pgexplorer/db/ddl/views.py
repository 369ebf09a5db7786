"""Views, materialized views and sequences."""

from pgexplorer.db.ddl.columns import afterwards, column_comments, create_sequence, identity, read_columns
from pgexplorer.db.ddl.parts import index_statements, rule_statements, statistics_statements, trigger_statements
from pgexplorer.db.ddl.reader import Reader, column_grants, comment, options, owner_and_grants

_VIEW = """
SELECT c.oid::regclass::text AS name, c.relkind::text AS kind, c.relpersistence::text AS persistence,
       pg_get_viewdef(c.oid) AS definition, c.relispopulated AS is_filled,
       ARRAY(SELECT o FROM unnest(c.reloptions) AS o WHERE o NOT LIKE 'check_option=%%') AS options,
       (SELECT upper(split_part(o, '=', 2)) FROM unnest(c.reloptions) AS o WHERE o LIKE 'check_option=%%') AS checked,
       t.reloptions AS toast_options, quote_ident(am.amname) AS method, quote_ident(s.spcname) AS tablespace,
       obj_description(c.oid, 'pg_class') AS comment
  FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam AND am.amname <> 'heap'
  LEFT JOIN pg_catalog.pg_tablespace s ON s.oid = c.reltablespace
 WHERE c.oid = %s AND c.relkind IN ('v', 'm')
"""

_SEQUENCE = """
SELECT c.oid::regclass::text AS name, c.relpersistence::text AS persistence, format_type(s.seqtypid, NULL) AS type,
       s.seqstart AS start, s.seqincrement AS increment, s.seqmin AS least, s.seqmax AS most, s.seqcache AS cache,
       s.seqcycle AS cycles, obj_description(c.oid, 'pg_class') AS comment, d.deptype::text AS tie,
       d.refobjid AS table_oid, d.refobjsubid AS part, d.refobjid::regclass::text AS table_name,
       quote_ident(a.attname) AS column_name
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  LEFT JOIN pg_catalog.pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass
   AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE c.oid = %s
"""


def view(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the statements that make the view or materialized view *oid* with all that hangs on it."""
    found = reader.row(_VIEW, oid)
    is_view, name = found.kind == "v", found.name
    word = "VIEW" if is_view else "MATERIALIZED VIEW"
    text = f"CREATE {'TEMPORARY ' if found.persistence == 't' else ''}{word} {name}"
    if found.method:
        text += f"\nUSING {found.method}"
    if settings := options(found.options) + options(found.toast_options, "toast."):
        text += f"\nWITH ({', '.join(settings)})"
    if found.tablespace:
        text += f"\nTABLESPACE {found.tablespace}"
    text += f" AS\n{found.definition.removesuffix(';')}"
    if found.checked:
        text += f"\nWITH {found.checked} CHECK OPTION"
    if not is_view and not found.is_filled:
        text += "\nWITH NO DATA"
    statements = [f"{text};"]
    columns = read_columns(reader, oid)
    for column in columns:
        statements += afterwards(column, f"ALTER {word} {name}", is_view=is_view)
    for part in index_statements(reader, oid, name):
        statements += part
    statements += statistics_statements(reader, oid, privileges=privileges)
    statements += rule_statements(reader, oid)
    statements += trigger_statements(reader, oid, name)
    statements += comment(word, name, found.comment)
    for column in columns:
        statements += column_comments(column, name)
    if privileges:
        statements += owner_and_grants(reader, "TABLE", oid, name, word=word)
        statements += column_grants(reader, oid, name)
    return statements


def sequence(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the statements that make the sequence *oid*; one of an identity comes with its column's being one."""
    found = reader.row(_SEQUENCE, oid)
    statements: list[str] = []
    if found.tie == "i":
        [column] = read_columns(reader, found.table_oid, found.part)
        statements.append("-- It comes with the identity of its column.")
        alter = f"ALTER TABLE {found.table_name}"
        statements.append(f"{alter} ALTER COLUMN {found.column_name} ADD {identity(column)};")
        statements += afterwards(column, alter)
    else:
        statements.append(create_sequence(found))
        if found.tie:
            statements.append(f"ALTER SEQUENCE {found.name} OWNED BY {found.table_name}.{found.column_name};")
    statements += comment("SEQUENCE", found.name, found.comment)
    if privileges:
        # Who owns a column owns its sequence: only its grants are said.
        statements += owner_and_grants(reader, "SEQUENCE", oid, found.name)[bool(found.tie) :]
    return statements
