"""What can be done to an object: each action as the statement that does it, beside what the server asks for it."""

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import connection

from pgexplorer.db.catalog import literal, quoted
from pgexplorer.db.encoding import every_byte, exact, has_none, sent, shown
from pgexplorer.db.objects import FUNCTIONS, RELATIONS, DbObject, ObjectKind, catalog_of

Statement = sql.Composable  # for those above db/, who hand it on
LONGEST = 63  # bytes of a name: NAMEDATALEN less one
_K = ObjectKind
_STORED = frozenset({_K.TABLE, _K.MATERIALIZED_VIEW})
_ON_TABLE = frozenset({_K.TRIGGER, _K.RULE, _K.POLICY})


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that can be done to objects of some kinds."""

    words: str  # as the person is told: "Renaming"
    done: str  # when it was: "is renamed"
    kinds: frozenset[ObjectKind]
    needs: str  # what the server asks of the role, in words
    changes: bool = True  # what others can see
    alone: bool = False  # it cannot run in a transaction

    def fits(self, found: DbObject) -> bool:
        """Whether it can be done to an object of this kind."""
        return found.kind in self.kinds


COUNT = Verb("Counting the rows of", "is counted", RELATIONS - {_K.SEQUENCE}, "SELECT on it", changes=False)
VACUUM = Verb("Vacuuming", "is vacuumed", _STORED, "MAINTAIN on it, or to own it", alone=True)
ANALYZE = Verb("Analyzing", "is analyzed", _STORED | {_K.FOREIGN_TABLE}, "MAINTAIN on it, or to own it")
VACUUM_ANALYZE = Verb(
    "Vacuuming and analyzing", "is vacuumed and analyzed", _STORED, "MAINTAIN on it, or to own it", alone=True
)
REINDEX = Verb("Reindexing", "is reindexed", _STORED | {_K.INDEX}, "MAINTAIN on it, or to own it", alone=True)
REFRESH = Verb("Refreshing", "is refreshed", frozenset({_K.MATERIALIZED_VIEW}), "MAINTAIN on it, or to own it")
RENAME = Verb("Renaming", "is renamed", frozenset(_K) - {_K.EXTENSION}, "to own it, and CREATE on its schema")
COMMENT = Verb("Commenting on", "has its comment", frozenset(_K), "to own it; of a role CREATEROLE with ADMIN on it")
DROP = Verb("Dropping", "is dropped", frozenset(_K), "to own it or its schema; of a role CREATEROLE with ADMIN on it")
CREATE_SCHEMA = Verb("Creating", "is created", frozenset({_K.SCHEMA}), "CREATE on the database")
CREATE_DATABASE = Verb("Creating", "is created", frozenset({_K.DATABASE}), "CREATEDB", alone=True)


def runs_alone(verb: Verb, found: DbObject) -> bool:
    """Whether the statement refuses to run in a transaction."""
    return verb.alone or (verb is DROP and found.kind is _K.DATABASE)


def needed(verb: Verb, found: DbObject) -> str:
    """Return what the server asks of a role that does it to *found*, in words."""
    if verb is RENAME and found.kind is _K.DATABASE:
        return "CREATEDB and to own it; nobody may be in it"
    if verb is RENAME and found.kind is _K.ROLE:
        return "CREATEROLE with ADMIN on it"
    if verb is RENAME and found.kind is _K.SCHEMA:
        return "to own it, and CREATE on the database"
    return verb.needs


def qualified(found: DbObject) -> sql.Composable:
    """Return its name as SQL writes it, with its schema and its table where it has them, quoted whatever it holds."""
    if found.kind in _ON_TABLE or found.kind is _K.CONSTRAINT:
        return sql.Identifier(found.name)
    if found.kind is _K.COLUMN:
        return sql.Identifier(found.schema, found.table, found.name)
    return sql.Identifier(found.schema, found.name) if found.schema else sql.Identifier(found.name)


def named(found: DbObject) -> sql.Composable:
    """Return what means just it behind COMMENT ON: its kind, its name, and what else tells it from others."""
    parts: list[sql.Composable] = [sql.SQL(found.kind.value), sql.SQL(" "), qualified(found)]
    if found.kind in FUNCTIONS:
        # The server has written them, every name in them quoted where it has to be.
        parts.append(sql.SQL(f"({found.arguments})"))
    elif found.kind in _ON_TABLE or found.kind is _K.CONSTRAINT:
        parts += [sql.SQL(" ON "), _table(found)]
    return sql.Composed(parts)


def spelled(found: DbObject, *, whole: bool = True) -> str:
    """Return its name to be pasted into SQL, quoted where it has to be; with *whole* its schema and table before it."""
    parts = (found.schema, found.table, found.name) if whole else (found.name,)
    if found.kind in _ON_TABLE or found.kind is _K.CONSTRAINT:
        parts = (found.name,)  # by which they are known with the name of their table beside them, never before them
    elif found.kind is _K.INDEX:
        parts = parts[::2]
    name = ".".join(quoted(shown(part)) for part in parts if part)
    return f"{name}({found.arguments})" if whole and found.kind in FUNCTIONS else name


def rename(found: DbObject, name: str) -> sql.Composable:
    """Return the statement that calls it *name*. Raises ValueError for an extension, and for what is no name."""
    if not RENAME.fits(found):
        raise ValueError(f"an {found.kind.word} has no other name")
    new = _new(name)
    if found.kind in {_K.COLUMN, _K.CONSTRAINT}:
        return sql.SQL("ALTER TABLE {} RENAME {} {} TO {}").format(
            _table(found), sql.SQL(found.kind.value), sql.Identifier(found.name), new
        )
    return sql.SQL("ALTER {} RENAME TO {}").format(named(found), new)


def comment(found: DbObject, text: str) -> sql.Composable:
    """Return the statement that sets its comment to *text*; an empty one takes it away. Raises ValueError for a NUL."""
    if "\0" in text:
        raise ValueError("A comment holds no NUL character.")
    words = sql.Literal(text) if text else sql.SQL("NULL")
    return sql.SQL("COMMENT ON {} IS {}").format(named(found), words)


def drop(found: DbObject, *, cascade: bool = False) -> sql.Composable:
    """Return the statement that drops it, with *cascade* together with whatever depends on it.

    Nothing cascades from a database or a role: there *cascade* is left out.
    """
    more = sql.SQL(" CASCADE" if cascade and found.kind not in {_K.DATABASE, _K.ROLE} else "")
    if found.kind in {_K.COLUMN, _K.CONSTRAINT}:
        name = sql.Identifier(found.name)
        return sql.SQL("ALTER TABLE {} DROP {} {}{}").format(_table(found), sql.SQL(found.kind.value), name, more)
    return sql.SQL("DROP {}{}").format(named(found), more)


def count(found: DbObject) -> sql.Composable:
    """Return the query that counts its rows."""
    return sql.SQL("SELECT count(*) FROM {}").format(qualified(found))


def vacuum(found: DbObject, *, analyze: bool = False) -> sql.Composable:
    """Return the statement that vacuums it, and with *analyze* takes its statistics anew."""
    return sql.SQL("VACUUM (ANALYZE) {}" if analyze else "VACUUM {}").format(qualified(found))


def analyze(found: DbObject) -> sql.Composable:
    """Return the statement that takes its statistics anew."""
    return sql.SQL("ANALYZE {}").format(qualified(found))


def reindex(found: DbObject) -> sql.Composable:
    """Return the statement that builds its indexes, or the index that it is, anew. Writers wait meanwhile."""
    kind = sql.SQL("INDEX" if found.kind is _K.INDEX else "TABLE")
    return sql.SQL("REINDEX {} {}").format(kind, qualified(found))


def refresh(found: DbObject) -> sql.Composable:
    """Return the statement that fills a materialized view anew. Readers wait meanwhile."""
    return sql.SQL("REFRESH MATERIALIZED VIEW {}").format(qualified(found))


def create_schema(name: str) -> sql.Composable:
    """Return the statement that makes a schema. Raises ValueError for what is no name."""
    return sql.SQL("CREATE SCHEMA {}").format(_new(name))


def create_database(name: str, template: str = "") -> sql.Composable:
    """Return the statement that makes a database, as a copy of *template* where one is named.

    Raises ValueError for what is no name.
    """
    made = sql.SQL("CREATE DATABASE {}").format(_new(name))
    return made + sql.SQL(" TEMPLATE {}").format(sql.Identifier(template)) if template else made


def read_comment(conn: connection, found: DbObject) -> str:
    """Return the comment on *found*, "" without one. Blocks; raises psycopg2.Error."""
    catalog = catalog_of(found.kind)
    function = "shobj_description" if found.kind in {_K.ROLE, _K.DATABASE} else "obj_description"
    with every_byte(conn), conn.cursor() as cursor:
        if found.part:
            cursor.execute("SELECT col_description(%s, %s)", (found.oid, found.part))
        else:
            cursor.execute(sql.SQL("SELECT {}(%s, %s)").format(sql.Identifier(function)), (found.oid, catalog))
        [text] = cursor.fetchone() or (None,)
        return (exact(text) if has_none(conn) else str(text)) if text else ""


def written(conn: connection, statement: sql.Composable) -> str:
    """Return *statement* as text for *conn*. In a database without an encoding psycopg2 could not write every name.

    Raises UnicodeEncodeError where the database cannot hold a letter.
    """
    if not has_none(conn):
        return statement.as_string(conn)
    return _spelled(statement)


def preview(statement: sql.Composable) -> str:
    """Return *statement* as text to be read, every name in it quoted. Needs no connection."""
    return shown(_spelled(statement))


def to_send(conn: connection, text: str) -> str | bytes:
    """Return what is sent for a text that `written` made."""
    return sent(conn, text)


def _spelled(statement: sql.Composable) -> str:
    match statement:
        case sql.Composed():
            return "".join(_spelled(each) for each in statement.seq)
        case sql.Identifier():
            return ".".join('"' + each.replace('"', '""') + '"' for each in statement.strings)
        case sql.Literal():
            return literal(str(statement.wrapped))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        case sql.SQL():
            return statement.string
        case _:
            raise TypeError(type(statement).__name__)


def problem(name: str) -> str:
    """Return why *name* can be no name, "" where it can. The server would cut a long one, and say so too late."""
    if not name:
        return "A name has at least one character."
    if "\0" in name:
        return "A name holds no NUL character."
    size = len(name.encode("utf-8", "surrogateescape"))
    return f"The server keeps {LONGEST} bytes of a name, and this has {size}." if size > LONGEST else ""


def _new(name: str) -> sql.Identifier:
    if words := problem(name):
        raise ValueError(words)
    return sql.Identifier(name)


def _table(found: DbObject) -> sql.Composable:
    return sql.Identifier(found.schema, found.table)
