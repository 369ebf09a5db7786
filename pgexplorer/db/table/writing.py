"""Changes of rows as the SQL that is sent for them: a statement a row, prepared once where many are of one shape."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from psycopg2 import sql
from psycopg2.extensions import connection

from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.schema import Relation, table_name
from pgexplorer.db.table.changes import Change, Default, Delete, Insert, Update, check_value
from pgexplorer.db.table.ordering import literal

MANY = 5  # changes of one shape from which on the server parses and plans them once
_NAME = "pgexplorer_change_"

_Kind = type[Update] | type[Delete] | type[Insert]
_Key = tuple[_Kind, tuple[int, ...]]  # the columns that are given, ~column for one that gets its default


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that is sent."""

    text: str
    change: Change | None  # of those that it is for, the first; None where it is for all that were there
    makes_it: bool = False  # whether it makes the change
    pieces: Sequence[str] = ()  # between its literals, for `column_at`
    literals: Sequence[str] = ()
    columns: Sequence[int] = ()  # which the first of the literals are of

    def column_at(self, position: int) -> int | None:
        """Return the column whose value holds the character *position* of the text."""
        lengths = [each for pair in zip(self.pieces, self.literals, strict=False) for each in map(len, pair)]
        begins = list(accumulate(lengths, initial=0))[1::2]
        found = [column for begin, column in zip(begins, self.columns, strict=False) if begin <= position]
        return found[-1] if found and position < len(self.text) else None


@dataclass(slots=True)
class _Shape:
    """What statements have in common that differ in their literals alone."""

    pieces: list[str]  # between the literals: one more than there are of those
    columns: list[int]  # of the first literals; the others tell the row

    def statement(self, change: Change, literals: list[str]) -> Statement:
        """Return it with *literals*."""
        return Statement(_interleaved(self.pieces, literals), change, True, self.pieces, literals, self.columns)


class Writer:
    """Writes the statements of one relation, for one connection.

    A value is a literal without a type, which becomes one of the column's by assignment: the server parses it and
    refuses what is too long. A cast would cut it. A parameter of a prepared statement is of the column's type and
    assigned in the same way, but for an interval, of which the column's fields say how a text is read.
    """

    def __init__(
        self,
        relation: Relation,
        names: Sequence[str],
        key: Sequence[tuple[int, sql.Composable, str]],
        conn: connection,
        returning: sql.Composable | None = None,
        unprepared: Collection[int] = (),
    ) -> None:
        """Write for *relation* with columns *names*, on *conn*.

        *key* is what finds a row by its place: the parts of a place that are wanted, and for each what it is compared
        with and its type. *returning* is what rows that are changed and new come back as. A statement with a value
        of a column of *unprepared* is not prepared.
        """
        self._table = table_name(relation).as_string(conn)
        self._names = [sql.Identifier(name).as_string(conn) for name in names]
        self._key = [(at, f"{name.as_string(conn)} = ", f"::{type_name}") for at, name, type_name in key]
        self._returning = "" if returning is None else f" RETURNING {returning.as_string(conn)}"
        self._unprepared = frozenset(unprepared)
        self.prepared: list[str] = []  # names that are in use in the session

    def statements(self, changes: Sequence[Change]) -> Iterator[Statement]:
        """Yield what is sent for *changes*, in their order. Raises RefusedSql for a value that cannot be sent."""
        keys = [_key(change) for change in changes]
        counts = Counter(keys)
        shapes: dict[_Key, _Shape] = {}
        for change, key in zip(changes, keys, strict=True):
            if (shape := shapes.get(key)) is None:
                shape = shapes[key] = self._shape(key)
                if counts[key] >= MANY and len(shape.pieces) > 1 and self._unprepared.isdisjoint(shape.columns):
                    yield self._prepare(shape, change)
            yield shape.statement(change, self._literals(change))
        while self.prepared:
            yield Statement(f"DEALLOCATE {self.prepared[-1]}", None)
            self.prepared.pop()

    def script(self, changes: Sequence[Change], *, defers: bool) -> Iterator[str]:
        """Yield the lines of what is sent for *changes*, as psql takes them."""
        yield "BEGIN;"
        if defers:
            yield "SET CONSTRAINTS ALL DEFERRED;"
        for statement in self.statements(changes):
            yield f"{statement.text};"
        yield "COMMIT;"

    def ending(self) -> str:
        """Return what rolls all of it back, and leaves nothing in the session: one message, for one backend."""
        return "; ".join(["ROLLBACK", *(f"DEALLOCATE {name}" for name in self.prepared)])

    def _prepare(self, shape: _Shape, change: Change) -> Statement:
        name = f"{_NAME}{len(self.prepared) + 1}"
        self.prepared.append(name)
        count = len(shape.pieces) - 1
        text = f"PREPARE {name} AS {_interleaved(shape.pieces, [f'${n}' for n in range(1, count + 1)])}"
        shape.pieces = [f"EXECUTE {name}(", *[", "] * (count - 1), ")"]
        return Statement(text, change)

    def _shape(self, key: _Key) -> _Shape:
        kind, columns = key
        pieces = _Pieces()
        names = [self._names[column if column >= 0 else ~column] for column in columns]
        if kind is Delete:
            pieces.text(f"DELETE FROM {self._table} AS t")
        elif kind is Update:
            pieces.text(f"UPDATE {self._table} AS t SET ")
            for number, column in enumerate(columns):
                pieces.text(f"{', ' if number else ''}{names[number]} = ")
                pieces.value(is_default=column < 0)
        elif not columns:
            pieces.text(f"INSERT INTO {self._table} AS t DEFAULT VALUES")
        else:
            pieces.text(f"INSERT INTO {self._table} AS t ({', '.join(names)}) VALUES (")
            for number, column in enumerate(columns):
                pieces.text(", " if number else "")
                pieces.value(is_default=column < 0)
            pieces.text(")")
        if kind is not Insert:
            for number, (_, name, type_name) in enumerate(self._key):
                pieces.text(f"{' AND ' if number else ' WHERE '}{name}")
                pieces.value()
                pieces.text(type_name)
            pieces.text(" AND t.xmin = ")
            pieces.value()
            pieces.text("::xid")
        if kind is not Delete:
            pieces.text(self._returning)
        return _Shape(pieces.found, [column for column in columns if column >= 0])

    def _literals(self, change: Change) -> list[str]:
        given = () if isinstance(change, Delete) else change.new
        found: list[str] = []
        for _, value in given:
            if value is None:
                found.append("NULL")
            elif not isinstance(value, Default):
                found.append(literal(value))
        if why := check_value("".join(found)):
            raise RefusedSql(why)
        if isinstance(change, Insert):
            return found
        version = change.place.version
        if version is None:
            raise RefusedSql("The version of the row is not known: refresh, then change it.")
        found += [literal(change.place[at] or "") for at, _, _ in self._key]
        found.append(literal(version.xmin))
        return found


class _Pieces:
    """Pieces of a text between values."""

    def __init__(self) -> None:
        self.found = [""]

    def text(self, text: str) -> None:
        self.found[-1] += text

    def value(self, *, is_default: bool = False) -> None:
        if is_default:
            self.found[-1] += "DEFAULT"
        else:
            self.found.append("")


def _key(change: Change) -> _Key:
    if isinstance(change, Delete):
        return Delete, ()
    return type(change), tuple(~at if isinstance(value, Default) else at for at, value in change.new)


def _interleaved(pieces: Sequence[str], values: Sequence[str]) -> str:
    found = [""] * (len(pieces) + len(values))
    found[::2], found[1::2] = pieces, values
    return "".join(found)
