"""Changes of rows as a person wants them, the order in which they can be done, and each of them as SQL."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import connection

from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.schema import Relation, table_name
from pgexplorer.db.table.editable import Constraint, Editable
from pgexplorer.db.table.ordering import literal
from pgexplorer.db.table.pages import Place
from pgexplorer.db.values import Row


class Default(str):
    """The wish for a column's default, which is no text."""

    __slots__ = ()


DEFAULT = Default("DEFAULT")
Values = tuple[tuple[int, str | None], ...]  # columns by their number and what they get; None for NULL, or DEFAULT
Slot = Row | int  # what tells a changed row from others: its key; of a new one its number


@dataclass(frozen=True, slots=True)
class Update:
    """A row that gets other values."""

    slot: Row
    place: Place
    old: Row  # as it was read
    new: Values


@dataclass(frozen=True, slots=True)
class Delete:
    """A row that goes."""

    slot: Row
    place: Place
    old: Row


@dataclass(frozen=True, slots=True)
class Insert:
    """A row that comes. A column that it does not name gets its default."""

    slot: int
    new: Values


Change = Update | Delete | Insert


def check_value(text: str | None) -> str:
    """Return why *text* cannot be sent as a value, "" where it can."""
    if text is None:
        return ""
    if "\0" in text:
        return "The value holds a NUL character, which PostgreSQL cannot keep."
    try:
        text.encode()
    except UnicodeEncodeError:
        return "The value holds half a character, which no encoding has."
    return ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A change as the SQL that is sent for it."""

    change: Change
    text: str
    values: tuple[tuple[int, int], ...]  # where the value of a column begins in the text, and its number

    def column_at(self, position: int) -> int | None:
        """Return the column whose value holds the character *position* of the text."""
        found = [column for begin, column in self.values if begin <= position]
        return found[-1] if found and position < len(self.text) else None


class Writer:
    """Writes the statements of one relation, for one connection: what is the same in all of them is written once."""

    def __init__(
        self,
        relation: Relation,
        names: Sequence[str],
        key: Sequence[tuple[int, sql.Composable, str]],
        conn: connection,
        returning: sql.Composable | None = None,
    ) -> None:
        """Write for *relation* with columns *names*, on *conn*.

        *key* is what finds a row by its place: the parts of a place that are wanted, and for each what it is compared
        with and its type. *returning* is what rows that are changed and new come back as.
        """
        self._table = table_name(relation).as_string(conn)
        self._names = [sql.Identifier(name).as_string(conn) for name in names]
        self._key = [(at, f"{name.as_string(conn)} = ", f"::{type_name}") for at, name, type_name in key]
        self._returning = "" if returning is None else f" RETURNING {returning.as_string(conn)}"

    def statement(self, change: Change) -> Statement:
        """Return *change* as one statement. Raises RefusedSql for a value that cannot be sent.

        A value is a literal without a type, which becomes one of the column's by assignment: the server parses it and
        refuses what is too long. A cast would cut it.
        """
        pieces: list[tuple[str, int | None]] = []
        match change:
            case Update():
                pieces.append((f"UPDATE {self._table} AS t SET ", None))
                for number, (column, value) in enumerate(change.new):
                    comma = ", " if number else ""
                    pieces.append((f"{comma}{self._names[column]} = ", None))
                    pieces.append((_value(value), column))
                pieces.append((f" WHERE {self._where(change.place)}{self._returning}", None))
            case Delete():
                pieces.append((f"DELETE FROM {self._table} AS t WHERE {self._where(change.place)}", None))
            case Insert(new=()):
                pieces.append((f"INSERT INTO {self._table} AS t DEFAULT VALUES{self._returning}", None))
            case Insert():
                names = ", ".join(self._names[column] for column, _ in change.new)
                pieces.append((f"INSERT INTO {self._table} AS t ({names}) VALUES (", None))
                for number, (column, value) in enumerate(change.new):
                    pieces += [(", ", None)] if number else []
                    pieces.append((_value(value), column))
                pieces.append((f"){self._returning}", None))
        at, places = 0, list[tuple[int, int]]()
        for text, column in pieces:
            if column is not None:
                places.append((at, column))
            at += len(text)
        return Statement(change, "".join(text for text, _ in pieces), tuple(places))

    def script(self, changes: Iterable[Change], *, defers: bool) -> Iterator[str]:
        """Yield the lines of what is sent for *changes*, as psql takes them."""
        yield "BEGIN;"
        if defers:
            yield "SET CONSTRAINTS ALL DEFERRED;"
        for change in changes:
            yield f"{self.statement(change).text};"
        yield "COMMIT;"

    def _where(self, place: Place) -> str:
        version = place.version
        if version is None:
            raise RefusedSql("The version of the row is not known: refresh, then change it.")
        found = [f"{name}{literal(place[at] or '')}{type_name}" for at, name, type_name in self._key]
        return " AND ".join([*found, f"t.xmin = {literal(version.xmin)}::xid"])


def _value(value: str | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, Default):
        return "DEFAULT"
    if why := check_value(value):
        raise RefusedSql(why)
    return literal(value)


def ordered(changes: Sequence[Change], names: Sequence[str], editable: Editable) -> list[Change]:
    """Return *changes* in an order in which they can be done: deletes, updates, inserts, but for what they need.

    A value of a key is given up before another row takes it, and a row of the same table is there before another
    refers to it, and referred to no more before it goes. Where the wishes go round in a circle, as when two rows swap
    a value, they stay as they are, and only a deferrable constraint lets them pass.
    """
    places = {name: at for at, name in enumerate(names)}
    after: list[set[int]] = [set() for _ in changes]  # which come after each
    for constraint in editable.constraints:
        columns = [places[name] for name in constraint.columns if name in places]
        if len(columns) != len(constraint.columns) or not columns:
            continue
        if constraint.is_unique:
            _link(after, _lost(changes, columns), _won(changes, columns))
        if constraint.of_own:
            _link_own(after, changes, columns, constraint, places)
    waiting = [0] * len(changes)
    for followers in after:
        for follower in followers:
            waiting[follower] += 1
    ranks = [(_rank(change), at) for at, change in enumerate(changes)]
    ready = [ranks[at] for at in range(len(changes)) if not waiting[at]]
    heapq.heapify(ready)
    left = iter(sorted(ranks))
    done, found = set[int](), list[Change]()
    while len(found) < len(changes):
        if ready:
            _, at = heapq.heappop(ready)
        else:  # a circle: begin it where it would begin without
            at = next(each for _, each in left if each not in done)
        if at in done:
            continue
        done.add(at)
        found.append(changes[at])
        for follower in after[at]:
            waiting[follower] -= 1
            if not waiting[follower] and follower not in done:
                heapq.heappush(ready, ranks[follower])
    return found


Held = dict[Row, list[int]]  # which changes have to do with these values


def _rank(change: Change) -> int:
    return 0 if isinstance(change, Delete) else 1 if isinstance(change, Update) else 2


def _link(after: list[set[int]], first: Held, then: Held) -> None:
    for values, givers in first.items():
        for taker in then.get(values, ()):
            for giver in givers:
                if giver != taker:
                    after[giver].add(taker)


def _link_own(
    after: list[set[int]], changes: Sequence[Change], columns: list[int], constraint: Constraint, places: dict[str, int]
) -> None:
    """Have a row there before another refers to it, and referred to no more before it goes."""
    targets = [places[name] for name in constraint.of_own if name in places]
    if len(targets) == len(columns):
        _link(after, _won(changes, targets), _won(changes, columns))
        _link(after, _lost(changes, columns), _lost(changes, targets))


def _lost(changes: Sequence[Change], columns: Sequence[int]) -> Held:
    """Return the values of *columns* that rows give up."""
    found: Held = {}
    for at, change in enumerate(changes):
        if isinstance(change, Insert):
            continue
        touched = isinstance(change, Delete) or any(column in columns for column, _ in change.new)
        values = tuple(change.old[column] for column in columns)
        if touched and None not in values and values != _after(change, columns):
            found.setdefault(values, []).append(at)
    return found


def _won(changes: Sequence[Change], columns: Sequence[int]) -> Held:
    """Return the values of *columns* that rows get."""
    found: Held = {}
    for at, change in enumerate(changes):
        if isinstance(change, Delete) or not any(column in columns for column, _ in change.new):
            continue
        values = _after(change, columns)
        if None not in values:
            found.setdefault(values, []).append(at)
    return found


def _after(change: Change, columns: Sequence[int]) -> Row:
    if isinstance(change, Delete):
        return (None,) * len(columns)
    new = dict(change.new)
    old: Row = change.old if isinstance(change, Update) else ()
    return tuple(new[column] if column in new else old[column] if old else None for column in columns)
