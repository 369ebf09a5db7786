"""Changes of rows as a person wants them, and the order in which they can be done."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from pgexplorer.db.table.editable import Constraint, Editable
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
