"""What a database holds, by name, for completion: read in three queries, and kept small."""

import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from sys import intern
from typing import Any, cast

from psycopg2.extensions import connection

from pgexplorer.db.encoding import every_byte, exact_row, has_none, is_text
from pgexplorer.db.keywords import COLUMN_NAME, RESERVED, TYPE_OR_FUNCTION

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz_0123456789")
_NOT_BARE = RESERVED | COLUMN_NAME | TYPE_OR_FUNCTION
_OUT = re.compile(r"(?:^|, )OUT .*", re.DOTALL)  # what comes back is said by the result
_BATCH = 100  # rows that the driver makes in one go: a millisecond or two in which no other thread runs
_NUL = "\0"  # the one character that no name holds
SYSTEM = frozenset({"pg_catalog", "information_schema"})
# A look at the catalog waits for nobody for long; compiling these queries takes longer than running them. Their tables
# are named with their schema: a search path may have another one before pg_catalog.
_BEGIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SET LOCAL jit = off; SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '30s';
"""


def quoted(name: str, *, bare: frozenset[str] = frozenset()) -> str:
    """Return *name* as PostgreSQL's quote_ident writes it; the keywords in *bare* need no quotes where it stands."""
    if name and _PLAIN.issuperset(name) and not name[0].isdigit() and (name not in _NOT_BARE or name in bare):
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return *text* as PostgreSQL's quote_literal writes it."""
    inner = text.replace("'", "''")
    return f"E'{inner}'".replace("\\", "\\\\") if "\\" in text else f"'{inner}'"


@dataclass(frozen=True, slots=True)
class Table:
    """A relation: a table, a view, or a sequence."""

    oid: int
    schema: str
    name: str
    kind: str  # pg_class.relkind: r, p, v, m, f, S
    names: str  # of the columns, with a NUL between: one string is much smaller than a tuple of them
    types: str

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns in their order, each its name and its type."""
        return list(zip(self.names.split(_NUL), self.types.split(_NUL), strict=True)) if self.names else []


# The numbers of the columns tell foreign keys which ones they link; they are 1, 2, 3, … unless one was dropped.
_TABLES = """
SELECT c.oid, n.nspname, c.relname, c.relkind::text,
       array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attnum > 0),
       array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) FILTER (WHERE a.attnum > 0),
       CASE WHEN max(a.attnum) <> count(a.attnum) THEN array_agg(a.attnum::int ORDER BY a.attnum) END
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'S'
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_(toast|temp)'
   AND has_schema_privilege(n.oid, 'USAGE')
 GROUP BY c.oid, n.nspname, c.relname, c.relkind
"""


@dataclass(frozen=True, slots=True)
class Function:
    """The functions of one name in one schema."""

    schema: str
    name: str
    kind: str  # pg_proc.prokind: f, p procedure, a aggregate, w window
    arguments: str  # of the first of them, as the server describes them
    result: str
    more: int  # how many others have the same name
    takes_none: bool  # all of them are called with ()
    returns_set: bool
    names: str = ""  # of the columns of its rows, with a NUL between, where they are known
    types: str = ""
    row_of: int = 0  # the oid of the relation whose row it returns

    @property
    def signature(self) -> str:
        """Arguments and result in short."""
        more = f" · {self.more} more" if self.more else ""
        return f"({self.arguments}){f' → {self.result}' if self.result else ''}{more}"

    @property
    def columns(self) -> list[tuple[str, str]]:
        """The columns that it names itself."""
        return list(zip(self.names.split(_NUL), self.types.split(_NUL), strict=True)) if self.names else []


# What stands behind an operator, and what only the server itself can call, is left out.
_FUNCTIONS = """
SELECT n.nspname, p.proname, p.prokind::text, pg_get_function_arguments(p.oid),
       coalesce(pg_get_function_result(p.oid), ''), p.pronargs = 0, p.proretset, coalesce(c.oid, 0),
       CASE WHEN p.proargmodes && '{o,b,t}' THEN
       ARRAY(SELECT coalesce(p.proargnames[i], '') FROM generate_subscripts(p.proargmodes, 1) AS i
              WHERE p.proargmodes[i] IN ('o', 'b', 't') ORDER BY i) END,
       CASE WHEN p.proargmodes && '{o,b,t}' THEN
       ARRAY(SELECT format_type(p.proallargtypes[i], NULL) FROM generate_subscripts(p.proargmodes, 1) AS i
              WHERE p.proargmodes[i] IN ('o', 'b', 't') ORDER BY i) END
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_type t ON t.oid = p.prorettype
  LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  LEFT JOIN pg_catalog.pg_description d
    ON d.objoid = p.oid AND d.classoid = 'pg_catalog.pg_proc'::regclass AND d.objsubid = 0
 WHERE n.nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(n.oid, 'USAGE')
   AND (t.typtype <> 'p' OR t.typname IN ('void', 'record', 'trigger', 'event_trigger') OR t.typname LIKE 'any%')
   AND NOT 'internal'::regtype = ANY (p.proargtypes::oid[]) AND NOT 'cstring'::regtype = ANY (p.proargtypes::oid[])
   AND (n.nspname <> 'pg_catalog' OR p.proname = 'starts_with'
        OR coalesce(d.description, '') !~ '^(implementation of |internal |I/O$)')
 ORDER BY n.nspname, p.proname, p.pronargs, p.oid
"""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """Columns of a table that refer to columns of another one, in pairs."""

    table: int  # the oid
    columns: tuple[str, ...]
    to: int
    to_columns: tuple[str, ...]


_FOREIGN_KEYS = """
SELECT 'key', '', '', conkey::int[], confkey::int[], NULL::text[], conrelid, confrelid
  FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conparentid = 0
"""


@dataclass(frozen=True, slots=True)
class Type:
    """A type that a column can have."""

    schema: str
    name: str
    written: str  # as the server writes it: `timestamp with time zone`, quoted and qualified where needed
    kind: str  # pg_type.typtype: b, c, d, e, r, m, p
    labels: tuple[str, ...] = ()  # of an enum, in order
    base: str = ""  # of a domain, as the server writes it


# Arrays, and the rows of tables, are left out.
_TYPES = """
SELECT 'type', n.nspname, t.typname, NULL, NULL,
       ARRAY[t.typtype::text, format_type(t.oid, NULL),
             CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, NULL) ELSE '' END]
       || ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder),
       0, 0
  FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
 WHERE (t.typrelid = 0 OR c.relkind = 'c') AND t.typcategory <> 'A'
   AND n.nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(n.oid, 'USAGE')
   AND (n.nspname <> 'information_schema')
"""

# What has a name and nothing else that matters here. The search path comes as it is in effect, pg_catalog included.
_NAMES = """
SELECT 'schema', '', nspname, NULL::int[], NULL::int[], NULL::text[], 0::oid, 0::oid FROM pg_catalog.pg_namespace
 WHERE nspname !~ '^pg_(toast|temp)' AND has_schema_privilege(oid, 'USAGE')
UNION ALL SELECT 'role', '', rolname, NULL, NULL, NULL, 0, 0 FROM pg_catalog.pg_roles
UNION ALL SELECT 'database', '', datname, NULL, NULL, NULL, 0, 0 FROM pg_catalog.pg_database WHERE datallowconn
UNION ALL SELECT 'path', '', '', NULL, NULL, current_schemas(true)::text[], 0, 0
"""


@dataclass(frozen=True)
class Catalog:
    """Everything of one database that can be named. Frozen; any thread may read it."""

    tables: tuple[Table, ...] = ()
    functions: tuple[Function, ...] = ()
    keys: tuple[ForeignKey, ...] = ()
    types: tuple[Type, ...] = ()
    schemas: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    databases: tuple[str, ...] = ()
    path: tuple[str, ...] = ("public", "pg_catalog")  # the schemas whose names need no schema before them
    kept: dict[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)  # made of it once

    @cached_property
    def by_oid(self) -> dict[int, Table]:
        """The relations by their oid."""
        return {table.oid: table for table in self.tables}

    @cached_property
    def by_name(self) -> dict[tuple[str, str], Table]:
        """The relations by schema and name."""
        return {(table.schema, table.name): table for table in self.tables}

    @cached_property
    def _bare(self) -> set[int]:
        """The oids of the relations that need no schema before their names."""
        found: dict[str, int] = {}
        for schema in self.path:
            for table in self.tables:
                if table.schema == schema:
                    found.setdefault(table.name, table.oid)
        return set(found.values())

    @cached_property
    def functions_by_name(self) -> dict[tuple[str, str], Function]:
        """The functions by schema and name."""
        return {(function.schema, function.name): function for function in self.functions}

    @cached_property
    def keys_of(self) -> dict[int, list[ForeignKey]]:
        """The foreign keys by the oids at both of their ends."""
        found: dict[int, list[ForeignKey]] = {}
        for key in self.keys:
            for oid in {key.table, key.to}:
                found.setdefault(oid, []).append(key)
        return found

    @cached_property
    def labels_of(self) -> dict[str, tuple[str, ...]]:
        """The labels of the enum types, and of the domains over them, by how the server writes the type."""
        found = {each.written: each.labels for each in self.types if each.kind == "e"}
        domains = [each for each in self.types if each.kind == "d"]
        for _ in range(3):  # a domain over a domain over a domain
            found.update({each.written: found[each.base] for each in domains if each.base in found})
        return found

    def table(self, names: Sequence[str]) -> Table | None:
        """Return the relation that *names* mean: a name, or its schema before it."""
        if len(names) == 1:
            found = (self.by_name.get((schema, names[0])) for schema in self.path)
            return next((each for each in found if each is not None), None)
        return self.by_name.get((names[-2], names[-1]))

    def function(self, names: Sequence[str]) -> Function | None:
        """Return the function that *names* mean."""
        schemas = self.path if len(names) == 1 else (names[-2],)
        found = (self.functions_by_name.get((schema, names[-1])) for schema in schemas)
        return next((each for each in found if each is not None), None)

    def columns(self, found: Table | Function) -> list[tuple[str, str]]:
        """Return the columns of a relation, or of the rows of a function: name and type."""
        if isinstance(found, Function) and not found.names and found.row_of in self.by_oid:
            return self.by_oid[found.row_of].columns
        return found.columns

    def is_bare(self, found: Table | Function) -> bool:
        """Whether the name alone means it: its schema is in the search path, and no earlier one has the name."""
        return found.oid in self._bare if isinstance(found, Table) else self.function([found.name]) is found


def read_catalog(conn: connection) -> Catalog:
    """Return what the database of *conn*, in autocommit mode, holds. Three queries in one transaction; blocks.

    What the role may not look into is left out, and so is a name that is no text: bytes of a database without an
    encoding which are not UTF-8. Raises psycopg2.Error.
    """
    with every_byte(conn):
        is_ascii = has_none(conn)
        numbers: dict[int, list[int]] = {}
        tables = tuple(_tables(_rows(conn, _BEGIN + _TABLES, is_ascii), numbers))
        functions = tuple(_functions(_rows(conn, _FUNCTIONS, is_ascii)))
        names: dict[str, list[str]] = {"schema": [], "role": [], "database": []}
        path: tuple[str, ...] = ()
        keys: list[ForeignKey] = []
        types: list[Type] = []
        by_oid = {table.oid: table for table in tables}
        rest = " UNION ALL ".join(f"({text})" for text in (_FOREIGN_KEYS, _TYPES, _NAMES))
        for what, schema, name, ours, theirs, texts, oid, other in _rows(conn, rest, is_ascii):
            match what:
                case "key":
                    if oid in by_oid and other in by_oid:
                        columns = _named(by_oid[oid], ours, numbers)
                        keys.append(ForeignKey(oid, columns, other, _named(by_oid[other], theirs, numbers)))
                case "type":
                    kind, written, base, *labels = texts
                    types.append(Type(intern(schema), name, written, intern(kind), tuple(labels), base))
                case "path":
                    path = tuple(texts)
                case _:
                    names[what].append(name)
        with conn.cursor() as cursor:
            cursor.execute("COMMIT")
    schemas, roles, databases = (tuple(sorted(each)) for each in names.values())
    return Catalog(tables, functions, tuple(keys), tuple(types), schemas, roles, databases, path)


def _rows(conn: connection, text: str, is_ascii: bool) -> Generator[Sequence[Any]]:
    with conn.cursor() as cursor:
        cursor.execute(text)
        while rows := cursor.fetchmany(_BATCH):
            if is_ascii:
                rows = [row for row in (_exact(row) for row in rows) if row is not None]
            yield from rows


def _exact(row: Sequence[Any]) -> list[Any] | None:
    """Return *row*, read as LATIN1, as the UTF-8 that it is; None where a text in it is none."""
    found = exact_row(row)
    texts = (text for value in found for text in (cast("list[Any]", value) if isinstance(value, list) else [value]))
    return found if all(is_text(text) for text in texts if isinstance(text, str)) else None


def _tables(rows: Iterator[Sequence[Any]], numbers: dict[int, list[int]]) -> Iterator[Table]:
    for oid, schema, name, kind, columns, types, attnums in rows:
        if attnums is not None:
            numbers[oid] = attnums
        yield Table(
            oid, intern(schema), name, intern(kind), intern(_NUL.join(columns or ())), intern(_NUL.join(types or ()))
        )


def _named(table: Table, attnums: list[int], numbers: dict[int, list[int]]) -> tuple[str, ...]:
    columns = table.names.split(_NUL)
    places = numbers.get(table.oid)
    return tuple(columns[places.index(each) if places else each - 1] for each in attnums)


def _functions(rows: Iterator[Sequence[Any]]) -> Iterator[Function]:
    """Make one of those that share a name."""
    together: list[Sequence[Any]] = []
    for row in rows:
        if together and together[0][:2] != row[:2]:
            yield _function(together)
            together = []
        together.append(row)
    if together:
        yield _function(together)


def _function(rows: list[Sequence[Any]]) -> Function:
    schema, name, kind, arguments, result, _, _, _, names, types = rows[0]
    sets = [row for row in rows if row[6]]
    if sets:  # of those that return rows, the one with the most columns is the one that FROM wants
        *_, names, types = max(sets, key=lambda row: len(row[8] or ()))
    if not names or not all(names) or not all(row[8] for row in sets):
        names = types = ()
    return Function(
        intern(schema),
        name,
        intern(kind),
        _OUT.sub("", arguments),
        intern(result),
        len(rows) - 1,
        all(row[5] for row in rows),
        bool(sets),
        _NUL.join(names),
        _NUL.join(types),
        next((row[7] for row in rows if row[7]), 0),
    )


__all__ = ["SYSTEM", "Catalog", "ForeignKey", "Function", "Table", "Type", "literal", "quoted", "read_catalog"]
