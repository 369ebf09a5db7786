"""Types and domains."""

from pgexplorer.db.catalog import literal
from pgexplorer.db.ddl.columns import read_columns
from pgexplorer.db.ddl.reader import Reader, Row, column_grants, comment, listed, owner_and_grants, remark

# An array is its element's, a multirange its range's.
_TYPE = """
SELECT t.oid, format_type(t.oid, NULL) AS name, quote_ident(n.nspname) || '.' || quote_ident(t.typname) AS written,
       t.typtype::text AS kind, t.typisdefined AS is_defined, t.typrelid AS relation, c.relkind::text AS relkind,
       CASE WHEN t.typcategory = 'A' AND t.typelem <> 0 THEN t.typelem END AS element, {range} AS range_oid,
       obj_description(t.oid, 'pg_type') AS comment
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
 WHERE t.oid = %s
"""

_LABELS = "SELECT quote_literal(enumlabel) AS label FROM pg_catalog.pg_enum WHERE enumtypid = %s ORDER BY enumsortorder"

_RANGE = """
SELECT format_type(r.rngsubtype, NULL) AS subtype,
       CASE WHEN NOT o.opcdefault THEN quote_ident(n.nspname) || '.' || quote_ident(o.opcname) END AS subtype_opclass,
       CASE WHEN r.rngcollation <> s.typcollation THEN r.rngcollation::regcollation::text END AS collation,
       nullif(r.rngcanonical, 0)::regproc::text AS canonical, nullif(r.rngsubdiff, 0)::regproc::text AS subtype_diff,
       {multirange} AS multirange_type_name
  FROM pg_catalog.pg_range r
  JOIN pg_catalog.pg_type s ON s.oid = r.rngsubtype
  JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc
  JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace
 WHERE r.rngtypid = %s
"""
# The functions that a base type and a range with a canonical function are made of know the type: it has to be there as
# a shell before them, and they before it is filled.
_FUNCTIONS = """
SELECT pg_get_functiondef(p.oid) AS definition
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_proc p ON p.oid = d.objid
 WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_type'::regclass AND d.refobjid = %s AND p.prokind <> 'a'
   AND p.oid IN (SELECT u.refobjid FROM pg_catalog.pg_depend u
                  WHERE u.classid = 'pg_type'::regclass AND u.objid = %s AND u.refclassid = 'pg_proc'::regclass)
 GROUP BY p.oid ORDER BY p.oid
"""

_BASE = """
SELECT t.typlen AS length, t.typbyval AS by_value, t.typalign::text AS alignment, t.typstorage::text AS storage,
       t.typcategory::text AS category, t.typispreferred AS is_preferred, t.typdefault AS preset,
       t.typdelim::text AS delimiter, t.typcollation <> 0 AS is_collatable,
       CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END AS element,
       t.typinput::regproc::text AS input, t.typoutput::regproc::text AS output,
       nullif(t.typreceive, 0)::regproc::text AS receive, nullif(t.typsend, 0)::regproc::text AS send,
       nullif(t.typmodin, 0)::regproc::text AS typmod_in, nullif(t.typmodout, 0)::regproc::text AS typmod_out,
       nullif(t.typanalyze, 0)::regproc::text AS analyze, {subscript} AS subscript
  FROM pg_catalog.pg_type t WHERE t.oid = %s
"""
_ALIGNMENT = {"c": "char", "s": "int2", "i": "int4", "d": "double"}
_STORAGE = {"p": "plain", "e": "external", "m": "main", "x": "extended"}

_DOMAIN = """
SELECT format_type(t.oid, NULL) AS name, format_type(t.typbasetype, t.typtypmod) AS base, t.typnotnull AS not_null,
       pg_get_expr(t.typdefaultbin, 0) AS preset, obj_description(t.oid, 'pg_type') AS comment,
       CASE WHEN t.typcollation <> b.typcollation THEN t.typcollation::regcollation::text END AS collation
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
 WHERE t.oid = %s AND t.typtype = 'd'
"""
_DOMAIN_CONSTRAINTS = """
SELECT quote_ident(k.conname) AS name, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS is_valid,
       k.contype = 'n' AS is_not_null, obj_description(k.oid, 'pg_constraint') AS comment
  FROM pg_catalog.pg_constraint k WHERE k.contypid = %s ORDER BY k.contype, k.conname
"""


def made_type(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the statements that make the type *oid*; of what comes with another type, those that make that one."""
    multirange = "(SELECT r.rngtypid FROM pg_catalog.pg_range r WHERE r.rngmultitypid = t.oid)"
    found = reader.row(_TYPE.format(range=reader.since(14, multirange, "NULL::oid")), oid)
    if other := found.element or found.range_oid:
        return made_type(reader, other, privileges=privileges)
    if found.kind == "d":
        return domain(reader, oid, privileges=privileges)
    statements: list[str] = []
    if not found.is_defined:
        statements.append(f"CREATE TYPE {found.written};")
    elif found.kind == "e":
        labels = [row.label for row in reader.rows(_LABELS, oid)]
        statements.append(f"CREATE TYPE {found.name} AS ENUM {listed(labels)};")
    elif found.kind == "c":
        statements += _composite(reader, found)
    elif found.kind == "r":
        statements += _range(reader, found)
    elif found.kind == "b":
        statements += _base(reader, found)
    else:
        return ["-- It is a pseudo-type of the server's own: nothing makes it."]
    name = found.name if found.is_defined else found.written
    statements += comment("TYPE", name, found.comment)
    if found.kind == "c":
        for column in read_columns(reader, found.relation):
            statements += comment("COLUMN", f"{name}.{column.name}", column.comment)
    if privileges and found.is_defined:
        statements += owner_and_grants(reader, "TYPE", oid, name)
        if found.kind == "c":
            statements += column_grants(reader, found.relation, name)
    return statements


def _composite(reader: Reader, found: Row) -> list[str]:
    if found.relkind != "c":
        return [remark(f"It is the type of the rows of {found.name} and comes with that.")]
    parts = [
        f"{column.name} {column.type}{f' COLLATE {column.collation}' if column.collation else ''}"
        for column in read_columns(reader, found.relation)
    ]
    return [f"CREATE TYPE {found.name} AS {listed(parts)};"]


def _range(reader: Reader, found: Row) -> list[str]:
    name = "format_type(r.rngmultitypid, NULL)"
    row = reader.row(_RANGE.format(multirange=reader.since(14, name, "NULL")), found.oid)
    said = ("subtype", "subtype_opclass", "collation", "canonical", "subtype_diff", "multirange_type_name")
    parts = [f"{each.upper()} = {value}" for each in said if (value := getattr(row, each)) is not None]
    return _filled(reader, found, f"CREATE TYPE {found.name} AS RANGE {listed(parts)};")


def _base(reader: Reader, found: Row) -> list[str]:
    text = _BASE.format(subscript=reader.since(14, "nullif(t.typsubscript, 0)::regproc::text", "NULL"))
    row = reader.row(text, found.oid)
    said = ("input", "output", "receive", "send", "typmod_in", "typmod_out", "analyze", "subscript")
    parts = [f"{each.upper()} = {value}" for each in said if (value := getattr(row, each)) is not None]
    parts.append(f"INTERNALLENGTH = {'VARIABLE' if row.length < 0 else row.length}")
    if row.by_value:
        parts.append("PASSEDBYVALUE")
    parts += [f"ALIGNMENT = {_ALIGNMENT[row.alignment]}", f"STORAGE = {_STORAGE[row.storage]}"]
    if row.category != "U":
        parts.append(f"CATEGORY = {literal(row.category)}")
    if row.is_preferred:
        parts.append("PREFERRED = true")
    if row.preset is not None:
        parts.append(f"DEFAULT = {literal(row.preset)}")
    if row.element:
        parts.append(f"ELEMENT = {row.element}")
    if row.delimiter != ",":
        parts.append(f"DELIMITER = {literal(row.delimiter)}")
    if row.is_collatable:
        parts.append("COLLATABLE = true")
    return _filled(reader, found, f"CREATE TYPE {found.name} {listed(parts)};")


def _filled(reader: Reader, found: Row, text: str) -> list[str]:
    functions = [f"{row.definition.rstrip()};" for row in reader.rows(_FUNCTIONS, found.oid, found.oid)]
    return [f"CREATE TYPE {found.name};", *functions, text] if functions else [text]


def domain(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the statements that make the domain *oid*."""
    found = reader.row(_DOMAIN, oid)
    checks = reader.rows(_DOMAIN_CONSTRAINTS, oid)
    text = f"CREATE DOMAIN {found.name} AS {found.base}"
    if found.collation:
        text += f" COLLATE {found.collation}"
    if found.preset is not None:
        text += f"\n    DEFAULT {found.preset}"
    if found.not_null and not any(each.is_not_null for each in checks):  # they have names from PostgreSQL 17 on
        text += "\n    NOT NULL"
    for each in checks:
        if each.is_valid:
            text += f"\n    CONSTRAINT {each.name} {'NOT NULL' if each.is_not_null else each.definition}"
    statements = [f"{text};"]
    late = [each for each in checks if not each.is_valid]
    statements += [f"ALTER DOMAIN {found.name} ADD CONSTRAINT {each.name} {each.definition};" for each in late]
    statements += comment("DOMAIN", found.name, found.comment)
    for each in checks:
        statements += comment("CONSTRAINT", f"{each.name} ON DOMAIN {found.name}", each.comment)
    if privileges:
        statements += owner_and_grants(reader, "TYPE", oid, found.name, word="DOMAIN")
    return statements
