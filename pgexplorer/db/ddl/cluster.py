"""What lies above the schemas and around them: databases, roles, extensions, and schemas themselves."""

import re
from collections.abc import Sequence

from pgexplorer.db.catalog import literal, quoted
from pgexplorer.db.ddl.reader import Reader, comment, owner_and_grants

_SCHEMA = """
SELECT oid::regnamespace::text AS name, nspname = 'public' AS is_there,
       obj_description(oid, 'pg_namespace') AS comment
  FROM pg_catalog.pg_namespace WHERE oid = %s
"""
_DEFAULTS = """
SELECT d.defaclrole::regrole::text AS owner, d.defaclobjtype::text AS type, e.is_grantable,
       CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END AS receiver,
       string_agg(e.privilege_type, ', ' ORDER BY e.place) AS privileges
  FROM pg_catalog.pg_default_acl d
 CROSS JOIN LATERAL aclexplode(d.defaclacl) WITH ORDINALITY AS e(grantor, grantee, privilege_type, is_grantable, place)
 WHERE d.defaclnamespace = %s
 GROUP BY d.defaclrole, d.defaclobjtype, e.grantee, e.is_grantable
 ORDER BY d.defaclrole, d.defaclobjtype, min(e.place)
"""
_DEFAULTS_OF = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "T": "TYPES"}

_EXTENSION = """
SELECT quote_ident(e.extname) AS name, e.extnamespace::regnamespace::text AS schema, e.extversion AS version,
       obj_description(e.oid, 'pg_extension') AS comment
  FROM pg_catalog.pg_extension e WHERE e.oid = %s
"""

_ROLE = """
SELECT r.oid::regrole::text AS name, r.rolsuper AS superuser, r.rolinherit AS inherit, r.rolcreaterole AS createrole,
       r.rolcreatedb AS createdb, r.rolcanlogin AS login, r.rolreplication AS replication,
       r.rolbypassrls AS bypassrls, r.rolconnlimit AS connections,
       CASE WHEN r.rolvaliduntil IS NOT NULL THEN r.rolvaliduntil::text END AS until,
       shobj_description(r.oid, 'pg_authid') AS comment
  FROM pg_catalog.pg_roles r WHERE r.oid = %s
"""
# Who gives a membership is part of it from PostgreSQL 16 on; the first superuser gives by default.
_MEMBERSHIPS = """
SELECT m.roleid::regrole::text AS role, m.admin_option AS admin, {more}
  FROM pg_catalog.pg_auth_members m
 WHERE m.member = %s AND EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = m.roleid)
 ORDER BY m.roleid::regrole::text, m.grantor
"""
_MEMBERSHIP_OPTIONS = """m.inherit_option AS inherit, m.set_option AS set,
       CASE WHEN m.grantor <> 10 THEN m.grantor::regrole::text END AS grantor"""

_SETTINGS = """
SELECT CASE WHEN s.setrole <> 0 THEN s.setrole::regrole::text END AS role, quote_ident(d.datname) AS database,
       s.setconfig AS settings
  FROM pg_catalog.pg_db_role_setting s
  LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
 WHERE s.{by} = %s AND (s.setrole = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = s.setrole))
 ORDER BY s.setdatabase <> 0, d.datname, 1 NULLS FIRST
"""
# Settings that are lists of names, each quoted for itself.
_LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
    "restrict_nonsystem_relation_kind",
    "synchronous_standby_names",
}
_LISTED = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^,\s][^,]*?))\s*(?:,|$)')

_DATABASE = """
SELECT quote_ident(d.datname) AS name, d.datdba::regrole::text AS owner, pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate AS collate, d.datctype AS ctype, {provider} AS provider, {locale} AS locale, {rules} AS rules,
       d.datistemplate AS is_template, d.datallowconn AS lets_in, d.datconnlimit AS connections,
       quote_ident(s.spcname) AS tablespace, s.spcname = 'pg_default' AS is_usual_place,
       shobj_description(d.oid, 'pg_database') AS comment
  FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace s ON s.oid = d.dattablespace
 WHERE d.oid = %s
"""


def schema(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the statements that make the schema *oid*, without what lies in it."""
    found = reader.row(_SCHEMA, oid)
    # Every new database has one that is called public.
    statements = [f"CREATE SCHEMA {'IF NOT EXISTS ' if found.is_there else ''}{found.name};"]
    statements += comment("SCHEMA", found.name, found.comment)
    if not privileges:
        return statements
    statements += owner_and_grants(reader, "SCHEMA", oid, found.name)
    for row in reader.rows(_DEFAULTS, oid):
        ending = " WITH GRANT OPTION" if row.is_grantable else ""
        statements.append(
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {row.owner} IN SCHEMA {found.name} "
            f"GRANT {row.privileges} ON {_DEFAULTS_OF[row.type]} TO {row.receiver}{ending};"
        )
    return statements


def extension(reader: Reader, oid: int) -> list[str]:
    """Return the statements that install the extension *oid*, of the version that is installed."""
    found = reader.row(_EXTENSION, oid)
    text = f"CREATE EXTENSION IF NOT EXISTS {found.name} WITH SCHEMA {found.schema} VERSION {literal(found.version)};"
    return [text, *comment("EXTENSION", found.name, found.comment)]


def role(reader: Reader, oid: int) -> list[str]:
    """Return the statements that make the role *oid*: no password, and what it is a member of, not its members."""
    found = reader.row(_ROLE, oid)
    switches = ("superuser", "inherit", "createrole", "createdb", "login", "replication", "bypassrls")
    words = [each.upper() if getattr(found, each) else f"NO{each.upper()}" for each in switches]
    if found.connections != -1:
        words.append(f"CONNECTION LIMIT {found.connections}")
    if found.until is not None:
        words.append(f"VALID UNTIL {literal(found.until)}")
    statements = ["-- The password is not shown."] if found.login else []
    statements.append(f"CREATE ROLE {found.name} WITH {' '.join(words)};")
    more = reader.since(16, _MEMBERSHIP_OPTIONS, "NULL::boolean AS inherit, NULL::boolean AS set, NULL AS grantor")
    for row in reader.rows(_MEMBERSHIPS.format(more=more), oid):
        if row.inherit is None:
            said = " WITH ADMIN OPTION" if row.admin else ""
        else:
            said = f" WITH ADMIN {_truth(row.admin)}, INHERIT {_truth(row.inherit)}, SET {_truth(row.set)}"
            said += f" GRANTED BY {row.grantor}" if row.grantor else ""
        statements.append(f"GRANT {row.role} TO {found.name}{said};")
    return statements + _settings(reader, "setrole", oid) + comment("ROLE", found.name, found.comment)


def _truth(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _settings(reader: Reader, by: str, oid: int) -> list[str]:
    """Return what is set for a role or database at the beginning of its sessions."""
    statements: list[str] = []
    for row in reader.rows(_SETTINGS.format(by=by), oid):
        place = f"ROLE {row.role} IN DATABASE {row.database}" if row.role and row.database else ""
        place = place or (f"ROLE {row.role}" if row.role else f"DATABASE {row.database}")
        statements += [f"ALTER {place} SET {_assigned(each)};" for each in row.settings]
    return statements


def _assigned(setting: str) -> str:
    name, _, value = setting.partition("=")
    target = ".".join(quoted(part) for part in name.split("."))
    if name.lower() in _LISTS:
        return f"{target} TO {', '.join(literal(each) for each in listed_names(value)) or literal('')}"
    return f"{target} TO {literal(value)}"


def listed_names(value: str) -> Sequence[str]:
    """Return the names in the value of a setting that is a list of them: `"$user", public`."""
    found = (match for match in _LISTED.finditer(value) if match[1] is not None or match[2] is not None)
    return [match[2] if match[1] is None else match[1].replace('""', '"') for match in found]


def database(reader: Reader, oid: int, *, privileges: bool) -> list[str]:
    """Return the statements that make the database *oid*, with its settings, without what lies in it."""
    rows = _DATABASE.format(
        provider=reader.since(15, "d.datlocprovider::text", "'c'"),
        locale=reader.since(17, "d.datlocale", reader.since(15, "d.daticulocale", "NULL")),
        rules=reader.since(16, "d.daticurules", "NULL"),
    )
    found = reader.row(rows, oid)
    parts = ["TEMPLATE = template0", f"ENCODING = {literal(found.encoding)}"]
    if reader.version >= 150_000:
        parts.append(f"LOCALE_PROVIDER = { {'c': 'libc', 'i': 'icu', 'b': 'builtin'}[found.provider] }")
    if found.collate == found.ctype:
        parts.append(f"LOCALE = {literal(found.collate)}")
    else:
        parts += [f"LC_COLLATE = {literal(found.collate)}", f"LC_CTYPE = {literal(found.ctype)}"]
    if found.locale is not None:
        parts.append(f"{'BUILTIN' if found.provider == 'b' else 'ICU'}_LOCALE = {literal(found.locale)}")
    if found.rules is not None:
        parts.append(f"ICU_RULES = {literal(found.rules)}")
    if not found.is_usual_place:
        parts.append(f"TABLESPACE = {found.tablespace}")
    if not found.lets_in:
        parts.append("ALLOW_CONNECTIONS = false")
    if found.connections != -1:
        parts.append(f"CONNECTION LIMIT = {found.connections}")
    if found.is_template:
        parts.append("IS_TEMPLATE = true")
    statements = ["".join([f"CREATE DATABASE {found.name} WITH", *(f"\n    {part}" for part in parts)]) + ";"]
    statements += _settings(reader, "setdatabase", oid)
    statements += comment("DATABASE", found.name, found.comment)
    if privileges:
        statements += owner_and_grants(reader, "DATABASE", oid, found.name)
    return statements
