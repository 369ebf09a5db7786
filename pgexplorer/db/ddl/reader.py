"""How DDL is asked of the catalog, every name qualified; and what all kinds share: owners, grants, comments."""

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from itertools import groupby
from types import SimpleNamespace
from typing import Any

from psycopg2 import extensions as ext
from psycopg2.extensions import connection

from pgexplorer.db.catalog import literal
from pgexplorer.db.encoding import every_byte, exact_row, has_none

# With no schema in the search path the server qualifies every name that is not its own. Definitions are written as this
# session's settings have it; these are what every psql takes back. Nobody's exclusive lock is waited for for long.
_BEGIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL search_path = ''; SET LOCAL quote_all_identifiers = off; SET LOCAL standard_conforming_strings = on;
SET LOCAL DateStyle = ISO; SET LOCAL IntervalStyle = postgres; SET LOCAL extra_float_digits = 1;
SET LOCAL bytea_output = hex; SET LOCAL jit = off; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '30s'
"""
_ENABLED = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}  # O, the usual, needs no word


class Gone(LookupError):
    """The object is not there any more; the text says which."""


class Row(SimpleNamespace):
    """A row of an answer, by the names of its columns."""


class Reader:
    """One connection's catalog, inside `reading`. Every method blocks and raises psycopg2.Error."""

    def __init__(self, conn: connection) -> None:
        self._conn = conn
        self._is_bytes = has_none(conn)
        self.version = conn.server_version  # 180003

    def rows(self, text: str, *values: object) -> list[Row]:
        """Return the rows that the server answers to *text*. Raises Gone where a definition is gone already.

        The functions that write definitions look at the catalog as it is now, not as the transaction sees it.
        """
        with self._conn.cursor() as cursor:
            cursor.execute(text, values)
            names = [column.name for column in cursor.description or ()]
            found: Sequence[Sequence[Any]] = cursor.fetchall()
        if self._is_bytes:
            found = [exact_row(row) for row in found]
        rows = [Row(**dict(zip(names, row, strict=True))) for row in found]
        if "definition" in names and any(row.definition is None for row in rows):
            raise Gone
        return rows

    def row(self, text: str, *values: object) -> Row:
        """Return the only row. Raises Gone where there is none."""
        found = self.rows(text, *values)
        if not found:
            raise Gone
        return found[0]

    def since(self, version: int, new: str, old: str) -> str:
        """Return what to ask of a server of *version* (18, 14, …) and later, or else of an older one."""
        return new if self.version >= version * 10_000 else old


@contextmanager
def reading(conn: connection) -> Generator[Reader]:
    """Read definitions in one transaction that changes nothing and is over at the end."""
    with every_byte(conn):
        with conn.cursor() as cursor:
            cursor.execute(_BEGIN)
        try:
            yield Reader(conn)
        finally:
            if not conn.closed and conn.info.transaction_status != ext.TRANSACTION_STATUS_IDLE:
                with conn.cursor() as cursor:
                    cursor.execute("ROLLBACK")


# What all kinds share -----------------------------------------------------------------------------------------------

# Of each kind of object: where it is, the columns of its owner and its grants, and acldefault's letter.
_OWNED = {
    "DATABASE": ("pg_database", "datdba", "datacl", "d"),
    "SCHEMA": ("pg_namespace", "nspowner", "nspacl", "n"),
    "TABLE": ("pg_class", "relowner", "relacl", "r"),
    "SEQUENCE": ("pg_class", "relowner", "relacl", "s"),
    "FUNCTION": ("pg_proc", "proowner", "proacl", "f"),
    "PROCEDURE": ("pg_proc", "proowner", "proacl", "f"),
    "TYPE": ("pg_type", "typowner", "typacl", "T"),
}

# A schema that is there from the beginning, public, has grants from the beginning.
_GRANTS = """
SELECT d.usual, e.grantee, e.grantor, x.{owner} AS owner, e.privilege_type AS privilege, e.is_grantable,
       CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END AS receiver,
       e.grantor::regrole::text AS giver
  FROM pg_catalog.{catalog} x
  LEFT JOIN pg_catalog.pg_init_privs i
    ON i.objoid = x.oid AND i.classoid = 'pg_namespace'::regclass AND '{catalog}' = 'pg_namespace'
 CROSS JOIN LATERAL (VALUES (true, coalesce(i.initprivs, acldefault('{letter}', x.{owner}))), (false, x.{acl}))
       AS d(usual, acl)
 CROSS JOIN LATERAL aclexplode(d.acl) WITH ORDINALITY AS e(grantor, grantee, privilege_type, is_grantable, place)
 WHERE x.oid = %s AND x.{acl} IS NOT NULL
   AND (e.grantee = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = e.grantee))
   AND EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = e.grantor)
 ORDER BY e.grantor <> x.{owner}, e.place
"""

_COLUMN_GRANTS = """
SELECT quote_ident(a.attname) AS name, e.privilege_type AS privilege, e.is_grantable, e.grantor, c.relowner AS owner,
       CASE WHEN e.grantee = 0 THEN 'PUBLIC' ELSE e.grantee::regrole::text END AS receiver,
       e.grantor::regrole::text AS giver
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
 CROSS JOIN LATERAL aclexplode(a.attacl) WITH ORDINALITY AS e(grantor, grantee, privilege_type, is_grantable, place)
 WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped AND %s IN (0, a.attnum)
   AND (e.grantee = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = e.grantee))
   AND EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = e.grantor)
 ORDER BY e.grantor <> c.relowner, a.attnum, e.place
"""


def owner_and_grants(reader: Reader, kind: str, oid: int, name: str, *, word: str = "") -> list[str]:
    """Return who owns the object and what it lets whom do, as far as that is not what a new one has.

    *kind* is what GRANT calls it, *word* what ALTER calls it where that is another one.
    """
    catalog, owner, acl, letter = _OWNED[kind]
    found = reader.row(f"SELECT {owner}::regrole::text AS owner FROM pg_catalog.{catalog} WHERE oid = %s", oid)
    given = reader.rows(_GRANTS.format(catalog=catalog, owner=owner, acl=acl, letter=letter), oid)
    return [f"ALTER {word or kind} {name} OWNER TO {found.owner};", *_grants(given, f"{kind} {name}")]


def _grants(rows: list[Row], target: str) -> list[str]:
    """Return what makes the grants of a new object, `usual`, into the ones that there are."""
    usual: dict[str, set[tuple[str, bool]]] = {}
    actual: dict[str, set[tuple[str, bool]]] = {}
    for row in rows:
        if row.usual or row.grantor == row.owner:
            (usual if row.usual else actual).setdefault(row.receiver, set()).add((row.privilege, row.is_grantable))
    every = {row.privilege for row in rows if row.usual and row.grantee == row.owner}
    statements: list[str] = []
    for receiver, had in usual.items():
        if not had <= actual.get(receiver, set()):
            statements.append(f"REVOKE ALL ON {target} FROM {receiver};")
            usual[receiver] = set()
    wanted = [
        row
        for row in rows
        if not row.usual
        and not (row.grantor == row.owner and (row.privilege, row.is_grantable) in usual.get(row.receiver, set()))
    ]
    return statements + _granted(wanted, target, every)


def _granted(rows: Iterable[Row], target: str, every: set[str], columns: str = "") -> list[str]:
    statements: list[str] = []
    for (giver, receiver), group in groupby(rows, lambda row: (_giver(row), row.receiver)):
        together = list(group)
        for ending in ("", " WITH GRANT OPTION"):
            privileges = [row.privilege for row in together if row.is_grantable == bool(ending)]
            if not privileges:
                continue
            said = "ALL" if every and set(privileges) == every else ", ".join(each + columns for each in privileges)
            statement = f"GRANT {said} ON {target} TO {receiver}{ending};"
            if giver:  # who was given the right to give: the giver is part of the grant
                statement = f"SET SESSION AUTHORIZATION {giver};\n{statement}\nRESET SESSION AUTHORIZATION;"
            statements.append(statement)
    return statements


def _giver(row: Row) -> str:
    return "" if row.grantor == row.owner else row.giver


def column_grants(reader: Reader, oid: int, name: str, part: int = 0) -> list[str]:
    """Return the grants on single columns of the relation *oid*, or on its column *part* alone."""
    rows = reader.rows(_COLUMN_GRANTS, oid, part)
    statements: list[str] = []
    for column, group in groupby(rows, lambda row: row.name):
        statements += _granted(group, f"TABLE {name}", set(), f" ({column})")
    return statements


def comment(kind: str, name: str, text: str | None) -> list[str]:
    """Return the statement that sets the comment, none where there is none."""
    return [f"COMMENT ON {kind} {name} IS {literal(text)};"] if text else []


def remark(text: str) -> str:
    """Return *text* as a comment of SQL's, which ends with its line whatever names are in it."""
    return f"-- {' '.join(text.split())}"


def options(settings: Sequence[str] | None, prefix: str = "") -> list[str]:
    """Return storage parameters (name=value) as they are written in WITH."""
    pairs = (each.partition("=") for each in settings or ())
    return [f"{prefix}{name}={literal(value)}" for name, _, value in pairs]


def enabled(letter: str) -> str:
    """Return how a trigger or rule comes to fire as pg_trigger.tgenabled's *letter* says; "" where it does anyway."""
    return _ENABLED.get(letter, "")


def listed(parts: Sequence[str]) -> str:
    """Return *parts* in parentheses, one a line."""
    return "(\n    " + ",\n    ".join(parts) + "\n)" if parts else "()"
