"""All names of a database in three queries, whatever their number, and the parts of a table when it is opened."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any

import psycopg2.errors
from psycopg2.extensions import connection

from pgexplorer.db.encoding import every_byte, exact_row, has_none
from pgexplorer.db.objects import DbObject, ObjectKind
from pgexplorer.db.schema import Kind, Relation, TableColumn

_NUL = "\0"
_BATCH = 200  # rows that the driver makes in one go: a millisecond or two in which no other thread runs
_K = ObjectKind
_SEQUENCE = "S"
KIND_OF = {
    Kind.TABLE: _K.TABLE,
    Kind.PARTITIONED: _K.TABLE,
    Kind.VIEW: _K.VIEW,
    Kind.MATERIALIZED_VIEW: _K.MATERIALIZED_VIEW,
    Kind.FOREIGN: _K.FOREIGN_TABLE,
}
_FUNCTIONS = {"f": _K.FUNCTION, "w": _K.FUNCTION, "p": _K.PROCEDURE, "a": _K.AGGREGATE}
_TYPES = {"b": "base type", "c": "composite", "e": "enum", "r": "range", "p": "pseudo-type"}
# Waits for nobody for long; compiling these queries takes longer than running them. What the server writes for a type
# names its schema, unless that is pg_catalog: who uses it later may have another search path.
_BEGIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL jit = off; SET LOCAL lock_timeout = '300ms'; SET LOCAL statement_timeout = '60s';
SET LOCAL search_path = pg_catalog;
"""
_SEEN = "n.nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(n.oid, 'USAGE')"

_RELATIONS = f"""
SELECT n.oid, n.nspname, sd.description, c.oid, c.relname, c.relkind::text, c.reltuples,
       CASE WHEN c.relkind IN ('r', 'm') THEN c.relpages::bigint * current_setting('block_size')::int ELSE 0 END,
       cd.description, i.inhparent, current_database()
  FROM pg_namespace n
  LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  LEFT JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relispartition
  LEFT JOIN pg_description cd ON cd.objoid = c.oid AND cd.classoid = 'pg_class'::regclass AND cd.objsubid = 0
  LEFT JOIN pg_description sd ON sd.objoid = n.oid AND sd.classoid = 'pg_namespace'::regclass
 WHERE {_SEEN}
 ORDER BY n.nspname IN ('pg_catalog', 'information_schema'), n.nspname <> 'public', n.nspname, c.relname
"""

# One row for each of the things that have a name, and for the columns of a table one row together. The numbers of
# columns are 1, 2, 3, … unless one was dropped.
_REST = f"""
SELECT 'columns', a.attrelid, 0::oid, '', '', NULL,
       array_agg(a.attname::text ORDER BY a.attnum),
       CASE WHEN max(a.attnum) <> count(a.attnum) THEN array_agg(a.attnum::int ORDER BY a.attnum) END
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
 WHERE a.attnum > 0 AND NOT a.attisdropped
 GROUP BY a.attrelid
UNION ALL
SELECT 'index', x.indrelid, c.oid, c.relname, '', NULL, NULL, NULL
  FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
UNION ALL
SELECT 'constraint', k.conrelid, k.oid, k.conname, '', NULL, NULL, NULL
  FROM pg_constraint k WHERE k.conrelid <> 0 AND k.contype IN ('c', 'f')
UNION ALL
SELECT 'trigger', t.tgrelid, t.oid, t.tgname, '', NULL, NULL, NULL FROM pg_trigger t WHERE NOT t.tgisinternal
UNION ALL
SELECT 'rule', r.ev_class, r.oid, r.rulename, '', NULL, NULL, NULL FROM pg_rewrite r WHERE r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', p.polrelid, p.oid, p.polname, '', NULL, NULL, NULL FROM pg_policy p
UNION ALL
SELECT 'function', n.oid, p.oid, p.proname, p.prokind::text, d.description,
       ARRAY[pg_get_function_identity_arguments(p.oid), coalesce(pg_get_function_result(p.oid), '')], NULL
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  LEFT JOIN pg_description d ON d.objoid = p.oid AND d.classoid = 'pg_proc'::regclass AND d.objsubid = 0
 WHERE {_SEEN}
UNION ALL
SELECT 'type', n.oid, t.oid, t.typname, t.typtype::text, d.description,
       ARRAY[CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) ELSE '' END], NULL
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_class c ON c.oid = t.typrelid
  LEFT JOIN pg_description d ON d.objoid = t.oid AND d.classoid = 'pg_type'::regclass AND d.objsubid = 0
 WHERE (t.typrelid = 0 OR c.relkind = 'c') AND t.typtype <> 'm'
   AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typarray = t.oid) AND {_SEEN}
UNION ALL
SELECT 'extension', 0, e.oid, e.extname, e.extversion, d.description, NULL, NULL
  FROM pg_extension e
  LEFT JOIN pg_description d ON d.objoid = e.oid AND d.classoid = 'pg_extension'::regclass
UNION ALL
SELECT 'role', 0, r.oid, r.rolname,
       concat_ws(' · ', CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN NOT r.rolcanlogin THEN 'no login' END),
       shobj_description(r.oid, 'pg_authid'), NULL, NULL
  FROM pg_roles r
UNION ALL
SELECT 'database', 0, b.oid, b.datname,
       CASE WHEN NOT b.datallowconn THEN 'no connections'
            WHEN NOT has_database_privilege(b.oid, 'CONNECT') THEN 'no CONNECT right'
            WHEN b.datistemplate THEN 'template' ELSE '' END,
       shobj_description(b.oid, 'pg_database'), NULL, NULL
  FROM pg_database b
 ORDER BY 1, 4
"""

# Looking at the files of 10,000 tables takes a second or two the first time: it comes last.
_SIZES = f"""
SELECT c.oid, pg_total_relation_size(c.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND {_SEEN}
UNION ALL
SELECT b.oid, pg_database_size(b.oid) FROM pg_database b
 WHERE b.datallowconn AND has_database_privilege(b.oid, 'CONNECT')
"""

_PARTS = """
SELECT 'column', a.attrelid, 0::oid, a.attnum::int, a.attname, format_type(a.atttypid, a.atttypmod),
       col_description(a.attrelid, a.attnum),
       ARRAY[coalesce(array_position(k.conkey, a.attnum), 0)::text, a.attnotnull::text, a.attidentity::text,
             a.attgenerated::text, coalesce(pg_get_expr(d.adbin, d.adrelid), '')]
  FROM pg_attribute a
  LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'p'
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE a.attrelid = ANY (%(oids)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', k.conrelid, k.oid, array_position('{p,u,f,c,x}'::text[], k.contype::text), k.conname,
       pg_get_constraintdef(k.oid), obj_description(k.oid, 'pg_constraint'), ARRAY[k.contype::text]
  FROM pg_constraint k
 WHERE k.conrelid = ANY (%(oids)s::oid[]) AND k.contype IN ('p', 'u', 'f', 'c', 'x')
UNION ALL
SELECT 'index', x.indrelid, c.oid, 0, c.relname, pg_get_indexdef(c.oid), obj_description(c.oid, 'pg_class'),
       ARRAY[concat_ws(' · ', CASE WHEN x.indisprimary THEN 'primary key' WHEN x.indisunique THEN 'unique' END,
                       CASE WHEN NOT x.indisvalid THEN 'invalid' END)]
  FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
 WHERE x.indrelid = ANY (%(oids)s::oid[])
UNION ALL
SELECT 'trigger', t.tgrelid, t.oid, t.tgtype::int, t.tgname, pg_get_triggerdef(t.oid),
       obj_description(t.oid, 'pg_trigger'), ARRAY[CASE WHEN t.tgenabled = 'D' THEN 'disabled' ELSE '' END]
  FROM pg_trigger t WHERE t.tgrelid = ANY (%(oids)s::oid[]) AND NOT t.tgisinternal
UNION ALL
SELECT 'rule', r.ev_class, r.oid, 0, r.rulename, pg_get_ruledef(r.oid), obj_description(r.oid, 'pg_rewrite'),
       ARRAY[CASE r.ev_type WHEN '1' THEN 'on select' WHEN '2' THEN 'on update' WHEN '3' THEN 'on insert'
                            ELSE 'on delete' END]
  FROM pg_rewrite r WHERE r.ev_class = ANY (%(oids)s::oid[]) AND r.rulename <> '_RETURN'
UNION ALL
SELECT 'policy', p.polrelid, p.oid, 0, p.polname,
       concat_ws(E'\\n', 'USING ' || pg_get_expr(p.polqual, p.polrelid),
                 'WITH CHECK ' || pg_get_expr(p.polwithcheck, p.polrelid)),
       obj_description(p.oid, 'pg_policy'),
       ARRAY[CASE p.polcmd WHEN '*' THEN 'all' WHEN 'r' THEN 'select' WHEN 'a' THEN 'insert' WHEN 'w' THEN 'update'
                           ELSE 'delete' END || CASE WHEN p.polpermissive THEN '' ELSE ' · restrictive' END]
  FROM pg_policy p WHERE p.polrelid = ANY (%(oids)s::oid[])
 ORDER BY 1, 4, 5
"""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What has a name, a few words behind it, and nothing in it."""

    found: DbObject
    detail: str = ""  # muted: its result, its version
    comment: str = ""
    more: str = ""  # its definition, as the server writes it


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema with what lies in it."""

    found: DbObject
    comment: str = ""
    relations: tuple[Relation, ...] = ()  # partitions among them
    leaves: tuple[Leaf, ...] = ()  # sequences, functions, types


@dataclass(frozen=True, slots=True)
class PartNames:
    """The names of what belongs to relations: in a few long tuples, for there may be a million of them.

    An object for each would be looked at again and again by the collector of garbage, on the thread of the window.
    """

    tables: tuple[int, ...] = ()  # the oids of those that have columns
    columns: tuple[str, ...] = ()  # of each of them, with a NUL between: no name holds one
    numbers: Mapping[int, tuple[int, ...]] = field(default_factory=dict[int, tuple[int, ...]])  # where not 1, 2, 3, …
    kinds: tuple[ObjectKind, ...] = ()  # of the other parts
    oids: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    owners: tuple[int, ...] = ()  # the oids of their relations


@dataclass(frozen=True, slots=True)
class Names:
    """Everything of one database that has a name; at first the relations alone."""

    database: str
    schemas: tuple[Schema, ...]
    databases: tuple[Leaf, ...] = ()
    roles: tuple[Leaf, ...] = ()
    extensions: tuple[Leaf, ...] = ()
    parts: PartNames = PartNames()
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes on the disk by the oid of a relation or a database; none where somebody's lock was in the way."""

    by_oid: dict[int, int]


@dataclass(frozen=True, slots=True)
class Parts:
    """What belongs to one relation."""

    columns: tuple[TableColumn, ...] = ()
    constraints: tuple[Leaf, ...] = ()
    indexes: tuple[Leaf, ...] = ()
    triggers: tuple[Leaf, ...] = ()
    rules: tuple[Leaf, ...] = ()
    policies: tuple[Leaf, ...] = ()


def read_first(conn: connection) -> Names:
    """Return the schemas and relations that the role may look into: the first query. *conn* is in autocommit mode.

    Blocks; raises psycopg2.Error.
    """
    with every_byte(conn):
        return _relations(_rows(conn, _BEGIN + _RELATIONS))


def read_rest(conn: connection, first: Names) -> Iterator[Names | Sizes]:
    """Yield *first* with all other names, then what is on the disk: two more queries, each a transaction of its own.

    Blocks; raises psycopg2.Error.
    """
    with every_byte(conn):
        yield _whole(first, _rows(conn, _BEGIN + _REST))
        try:
            yield Sizes({oid: size for oid, size in _rows(conn, _BEGIN + _SIZES) if size is not None})
        except psycopg2.errors.LockNotAvailable:  # somebody changes a table: the catalog's own count of pages has to do
            with conn.cursor() as cursor:
                cursor.execute("ROLLBACK")
            yield Sizes({})


def read_parts(conn: connection, relations: Sequence[Relation]) -> dict[int, Parts]:
    """Return what belongs to each of *relations*, by its oid: one query. One that is gone is left out. Blocks."""
    found: dict[int, dict[str, list[Any]]] = {}
    by_oid = {each.oid: each for each in relations}
    with every_byte(conn):
        for what, table, oid, number, name, detail, note, texts in _rows(
            conn, _BEGIN + _PARTS, {"oids": [each.oid for each in relations]}
        ):
            relation = by_oid[table]
            lists = found.setdefault(table, {})
            if what == "column":
                key, not_null, identity, generated, default = texts
                lists.setdefault(what, []).append(
                    TableColumn(
                        name, detail, int(key), not_null == "true", note or "", number, default, identity, generated
                    )
                )
            else:
                kind = ObjectKind(what.upper())
                part = DbObject(kind, oid, relation.schema, name, table=relation.name)
                lists.setdefault(what, []).append(
                    Leaf(part, _brief(kind, detail, number, texts[0]), note or "", detail)
                )
    kinds = ("column", "constraint", "index", "trigger", "rule", "policy")
    return {oid: Parts(*(tuple(lists.get(kind, ())) for kind in kinds)) for oid, lists in found.items()}


def _rows(conn: connection, text: str, values: dict[str, Any] | None = None) -> Iterator[Sequence[Any]]:
    """Yield the rows of *text*, which begins a transaction, and end that."""
    recode: Callable[[Sequence[Any]], Sequence[Any]] | None = exact_row if has_none(conn) else None
    with conn.cursor() as cursor:
        cursor.execute(text, values)
        while rows := cursor.fetchmany(_BATCH):
            yield from map(recode, rows) if recode else rows
        cursor.execute("COMMIT")


def _relations(rows: Iterable[Sequence[Any]]) -> Names:
    schemas: dict[int, tuple[DbObject, str, list[Relation], list[Leaf]]] = {}
    database = ""
    for space, schema, said, oid, name, kind, estimate, size, note, parent, here in rows:
        database = here
        _, _, relations, leaves = schemas.setdefault(
            space, (DbObject(_K.SCHEMA, space, "", schema), said or "", [], [])
        )
        if kind == _SEQUENCE:
            leaves.append(Leaf(DbObject(_K.SEQUENCE, oid, intern(schema), name), "", note or ""))
        elif oid is not None:
            relations.append(Relation(oid, intern(schema), name, Kind(kind), estimate, size, note or "", parent or 0))
    return Names(
        database,
        tuple(
            Schema(found, said, tuple(relations), tuple(leaves)) for found, said, relations, leaves in schemas.values()
        ),
    )


def _whole(names: Names, rows: Iterable[Sequence[Any]]) -> Names:
    leaves: dict[int, list[Leaf]] = {schema.found.oid: list(schema.leaves) for schema in names.schemas}
    spaces = {schema.found.oid: schema.found.name for schema in names.schemas}
    known = {relation.oid for schema in names.schemas for relation in schema.relations}
    columns: dict[int, str] = {}
    attnums: dict[int, tuple[int, ...]] = {}
    parts: list[tuple[ObjectKind, int, str, int]] = []
    apart: dict[str, list[Leaf]] = {"database": [], "role": [], "extension": []}
    for what, owner, oid, name, detail, note, texts, numbers in rows:
        match what:
            case "columns" if owner in known:
                columns[owner] = _NUL.join(texts)
                if numbers:
                    attnums[owner] = tuple(numbers)
            case "function" if owner in spaces:
                arguments, result = texts
                found = DbObject(_FUNCTIONS[detail], oid, intern(spaces[owner]), name, arguments=arguments)
                leaves[owner].append(Leaf(found, intern(result), note or ""))
            case "type" if owner in spaces:
                kind = _K.DOMAIN if detail == "d" else _K.TYPE
                told = texts[0] or _TYPES.get(detail, "")
                leaves[owner].append(Leaf(DbObject(kind, oid, intern(spaces[owner]), name), told, note or ""))
            case "function" | "type" | "columns":
                pass  # of a schema that the role may not use, or made since the first query
            case "database" | "role" | "extension":
                apart[what].append(Leaf(DbObject(ObjectKind(what.upper()), oid, "", name), detail or "", note or ""))
            case _ if owner in known:
                parts.append((ObjectKind(what.upper()), oid, name, owner))
            case _:
                pass
    kinds, oids, called, owners = zip(*parts, strict=True) if parts else ((), (), (), ())
    return Names(
        names.database,
        tuple(
            Schema(schema.found, schema.comment, schema.relations, tuple(leaves[schema.found.oid]))
            for schema in names.schemas
        ),
        tuple(apart["database"]),
        tuple(apart["role"]),
        tuple(apart["extension"]),
        PartNames(tuple(columns), tuple(columns.values()), attnums, kinds, oids, called, owners),
        True,
    )


def _brief(kind: ObjectKind, detail: str, number: int, said: str) -> str:
    """Return what stands behind the name of a part, in a few words."""
    match kind:
        case ObjectKind.INDEX:
            how = detail.partition(" USING ")[2]
            return f"{how} · {said}" if said else how
        case ObjectKind.TRIGGER:
            when = "before" if number & 2 else "instead of" if number & 64 else "after"
            events = {4: "insert", 16: "update", 8: "delete", 32: "truncate"}
            what = " or ".join(word for bit, word in events.items() if number & bit)
            return f"{when} {what} · {said}" if said else f"{when} {what}"
        case ObjectKind.CONSTRAINT:
            return detail
        case _:
            return said
