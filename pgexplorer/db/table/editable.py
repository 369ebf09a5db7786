"""What a relation lets the role change, and the reason where it does not."""

from dataclasses import dataclass

from psycopg2.extensions import connection

from pgexplorer.db.schema import Kind, Relation

_NO_ROWS = {
    Kind.VIEW: "A view has no key by which one of its rows could be found again.",
    Kind.MATERIALIZED_VIEW: "A materialized view is refreshed by its query, not edited.",
    Kind.FOREIGN: "A foreign table's rows have no version here by which a change by others would be noticed.",
}
_BOOLEANS = ("true", "false")


@dataclass(frozen=True, slots=True)
class Field:
    """A column, as somebody sees it who wants to change it."""

    name: str
    type_name: str  # with its modifier
    not_null: bool
    default: str = ""  # the expression, "" where there is none
    generated: str = ""  # pg_attribute.attgenerated
    identity: str = ""  # pg_attribute.attidentity
    may_update: bool = True
    may_insert: bool = True
    choices: tuple[str, ...] = ()  # all the values that it can have, where those are few: of an enum, a boolean

    @property
    def is_given(self) -> bool:
        """Whether the server gives its value, and takes none."""
        return bool(self.generated) or self.identity == "a"

    @property
    def has_default(self) -> bool:
        """Whether a row that names no value gets one."""
        return bool(self.default or self.identity or self.generated)

    def why_not(self, *, inserting: bool) -> str:
        """Return why no value of one's own can be given, "" where one can."""
        if self.generated:
            return f"{self.name} is generated: the server makes it of the other columns."
        if self.identity == "a":
            return f"{self.name} is GENERATED ALWAYS AS IDENTITY: the server gives its value."
        if not (self.may_insert if inserting else self.may_update):
            right = "INSERT" if inserting else "UPDATE"
            return f"The role lacks the privilege {right} on the column {self.name}."
        return ""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint or unique index, by the name that the server's errors use."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool
    of_own: tuple[str, ...] = ()  # of a foreign key into the same table: the columns that it refers to


@dataclass(frozen=True, slots=True)
class Editable:
    """What can be changed in a relation."""

    fields: tuple[Field, ...]
    constraints: tuple[Constraint, ...] = ()
    why_not: str = ""  # why nothing can be, "" where something can
    why_no_insert: str = ""
    why_no_update: str = ""
    why_no_delete: str = ""
    has_row_security: bool = False  # its policies hold for the role
    has_deferrable: bool = False  # whether a constraint can wait for the end of the transaction

    def constrained(self, name: str) -> tuple[str, ...]:
        """Return the columns of the constraint *name*; () where there is none."""
        return next((each.columns for each in self.constraints if each.name == name), ())


_FIELDS = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       CASE WHEN a.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), '') ELSE '' END,
       a.attgenerated::text, a.attidentity::text,
       has_column_privilege(a.attrelid, a.attnum, 'UPDATE'), has_column_privilege(a.attrelid, a.attnum, 'INSERT'),
       CASE WHEN coalesce(nullif(t.typbasetype, 0), t.oid) = 16 THEN NULL ELSE
            ARRAY(SELECT e.enumlabel::text FROM pg_enum e
                   WHERE e.enumtypid = coalesce(nullif(t.typbasetype, 0), t.oid) ORDER BY e.enumsortorder) END
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum
"""

# A unique index over an expression, or over a part of the rows, orders nothing here; its name is known all the same.
_CONSTRAINTS = """
SELECT k.conname, k.contype IN ('p', 'u') AND x.indpred IS NULL, k.condeferrable,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS c(attnum, n)
               JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum ORDER BY c.n),
       CASE WHEN k.contype = 'f' AND k.confrelid = k.conrelid THEN
            ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS c(attnum, n)
                    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum ORDER BY c.n)
            ELSE '{}' END
  FROM pg_constraint k LEFT JOIN pg_index x ON x.indexrelid = k.conindid AND k.contype IN ('p', 'u')
 WHERE k.conrelid = %(oid)s
 UNION ALL
SELECT c.relname, x.indpred IS NULL AND x.indexprs IS NULL, false,
       ARRAY(SELECT a.attname::text FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(attnum, n)
               JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum
              WHERE k.n <= x.indnkeyatts ORDER BY k.n),
       '{}'
  FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
 WHERE x.indrelid = %(oid)s AND x.indisunique
   AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid AND k.conrelid = x.indrelid)
"""

# A command that no permissive policy allows finds no row at all.
_FACTS = """
SELECT n.nspname IN ('pg_catalog', 'information_schema') OR n.nspname LIKE 'pg\\_toast%%',
       pg_is_in_recovery(), current_setting('default_transaction_read_only')::bool,
       row_security_active(c.oid),
       ARRAY(SELECT p.polcmd::text FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive
                AND (0 = ANY (p.polroles)
                     OR EXISTS (SELECT FROM unnest(p.polroles) AS r WHERE r <> 0 AND pg_has_role(r, 'USAGE')))),
       has_any_column_privilege(c.oid, 'INSERT'), has_any_column_privilege(c.oid, 'UPDATE'),
       has_table_privilege(c.oid, 'DELETE'), current_user
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = %s
"""


def read_editable(conn: connection, relation: Relation, oid: int, *, has_versions: bool) -> Editable:
    """Return what can be changed in *relation*, whose oid is *oid* now. Three round trips.

    *has_versions* says whether its rows tell which version of them was read.
    """
    with conn.cursor() as cursor:
        cursor.execute(_FIELDS, (oid,))
        fields = tuple(
            Field(*row[:8], choices=_BOOLEANS if row[8] is None else tuple(row[8])) for row in cursor.fetchall()
        )
        cursor.execute(_CONSTRAINTS, {"oid": oid})
        found = cursor.fetchall()
        cursor.execute(_FACTS, (oid,))
        facts = cursor.fetchone()
    constraints = tuple(
        Constraint(name, tuple(columns), bool(is_unique), tuple(of_own))
        for name, is_unique, _, columns, of_own in found
    )
    if facts is None:
        return Editable(fields, constraints, "It is gone.")
    is_system, is_standby, reads_only, secured, policies, inserts, updates, deletes, role = facts
    why = _NO_ROWS.get(relation.kind, "")
    if is_system:
        why = "It is a table of PostgreSQL's own catalog."
    elif is_standby:
        why = "The server is a standby: it only repeats what its primary does."
    elif reads_only:
        why = "The connection is read-only, by its profile or by the role's settings."
    elif not why and not has_versions:
        why = "Its rows have no version here by which a change by others would be noticed."
    elif not why and not (inserts or updates or deletes):
        why = f"The role {role} may only read it."
    elif not why and secured and not policies:
        why = f"Row security lets the role {role} change nothing in it."
    allowed = set("*awd") if secured is False else set(policies)
    return Editable(
        fields,
        constraints,
        why,
        _refusal(role, "INSERT", is_granted=inserts, is_allowed=bool({"*", "a"} & allowed)),
        _refusal(role, "UPDATE", is_granted=updates, is_allowed=bool({"*", "w"} & allowed)),
        _refusal(role, "DELETE", is_granted=deletes, is_allowed=bool({"*", "d"} & allowed)),
        has_row_security=bool(secured),
        has_deferrable=any(deferrable for _, _, deferrable, _, _ in found),
    )


def _refusal(role: str, right: str, *, is_granted: bool, is_allowed: bool) -> str:
    if not is_granted:
        return f"The role {role} lacks the privilege {right} on it."
    return "" if is_allowed else f"Row security has no policy that lets the role {role} {right} rows."
