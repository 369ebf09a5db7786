"""What is pending in a table as lines of a file, and back. Nothing here reads or writes one."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, cast

from pgexplorer.db.rows import Clipped
from pgexplorer.db.table.changes import DEFAULT, Default, Slot
from pgexplorer.db.table.pages import Place
from pgexplorer.db.values import Row
from pgexplorer.models.pending import Added, Counts, Edited, Pending, State

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Head:
    """Of which table the changes are, and how its rows are told apart."""

    server: str  # where it is, without a password
    database: str
    schema: str
    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]  # the columns that tell a row; () where it is its place on the disk

    def is_of(self, other: "Head") -> bool:
        """Whether it is the same table, whatever its columns are."""
        mine = (self.server, self.database, self.schema, self.table)
        return mine == (other.server, other.database, other.schema, other.table)


@dataclass(slots=True)
class Kept:
    """Changes that were kept."""

    head: Head
    states: dict[Slot, State] = field(default_factory=dict[Slot, State])
    transaction: str = ""  # in which they were being committed, "" for none
    since: set[Slot] = field(default_factory=set[Slot])  # the rows that were changed after that

    @property
    def counts(self) -> Counts:
        """How much there is."""
        pending = Pending()
        pending.put(self.states.items())
        return pending.counts()


# -- as lines


def head_line(head: Head) -> str:
    """Return the first line of a file."""
    return json.dumps({"version": _VERSION, **asdict(head)})


def sending_line(transaction: str) -> str:
    """Return the line that says in which transaction all of it is about to be committed."""
    return json.dumps({"sending": transaction})


def state_lines(states: Iterable[tuple[Slot, State | None]]) -> Iterator[str]:
    """Yield a line for each row, made when it is asked for; None is a row that is as it was read."""
    for slot, state in states:
        line: dict[str, Any] = {"slot": slot}
        if isinstance(state, Added):
            line["new"] = {str(at): _value(value) for at, value in state.new.items()}
        elif state is not None:
            line["read"] = [_cell(cell) for cell in state.old]
            line["version"] = list(state.place.version or ())
            line["new"] = {str(at): _value(value) for at, value in state.new.items()}
            if state.is_deleted:
                line["deleted"] = True
        yield json.dumps(line)


def _value(value: str | None) -> Any:
    return {"default": True} if isinstance(value, Default) else value


def _cell(cell: str | None) -> Any:
    return {"cut": str(cell), "size": cell.size, "exact": cell.is_exact} if isinstance(cell, Clipped) else cell


# -- and back


def read_lines(lines: Iterable[str]) -> Kept:
    """Return what *lines* hold. The last one is left out where it is not whole: the program ended while it was written.

    Raises ValueError for what was not written here.
    """
    found: Kept | None = None
    for line in lines:
        if not line.endswith("\n"):
            break
        given = _object(json.loads(line))
        if found is None:
            found = Kept(_head(given))
        elif "sending" in given:
            found.transaction = _text(given["sending"])
            found.since.clear()
        else:
            slot, state = _state(given, found.head)
            found.since.add(slot)
            if state is None:
                found.states.pop(slot, None)
            else:
                found.states[slot] = state
    if found is None:
        raise ValueError("it is empty")
    return found


def _head(given: Mapping[str, Any]) -> Head:
    if given.get("version") != _VERSION:
        raise ValueError("it is of another version")
    names = {each.name for each in fields(Head)}
    texts = {name: _text(given.get(name)) for name in names - {"columns", "key"}}
    columns, key = (tuple(map(_text, _list(given.get(name)))) for name in ("columns", "key"))
    return Head(**texts, columns=columns, key=key)


def _state(given: Mapping[str, Any], head: Head) -> tuple[Slot, State | None]:
    new: dict[int, str | None] = {}
    for at, value in _object(given.get("new", {})).items():
        new[int(at)] = DEFAULT if value == {"default": True} else _text_or_none(value)
    if any(not 0 <= at < len(head.columns) for at in new):
        raise ValueError("there is no such column")
    slot = given.get("slot")
    if isinstance(slot, int):
        return slot, Added(new) if "new" in given else None
    key = tuple(map(_text_or_none, _list(slot)))
    if "new" not in given:
        return key, None
    old = tuple(map(_read_cell, _list(given.get("read"))))
    marks = tuple(map(_text, _list(given.get("version"))))
    if len(key) != max(1, len(head.key)) or len(old) != len(head.columns) or len(marks) not in {0, 3}:
        raise ValueError("it is no row of that table")
    return key, Edited(Place(key, marks), old, new, given.get("deleted") is True)


def _read_cell(given: Any) -> str | None:
    if not isinstance(given, dict):
        return _text_or_none(given)
    cut = cast("dict[str, Any]", given)
    size = cut.get("size")
    if not isinstance(size, int):
        raise ValueError("a size is no number")
    return Clipped(_text(cut.get("cut")), size, is_exact=cut.get("exact") is True)


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError("a line is no object")
    return cast("dict[str, Any]", given)


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise ValueError("there is no list where one belongs")
    return cast("list[Any]", given)


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("there is no text where one belongs")
    return given


def _text_or_none(given: Any) -> str | None:
    return None if given is None else _text(given)


# -- into the table as it is now


@dataclass(slots=True)
class Brought:
    """Changes as they can be made in a table as it is now."""

    states: list[State] = field(default_factory=list[State])
    lost: list[str] = field(default_factory=list[str])  # what cannot be, in words


def brought(
    kept: Kept, columns: Sequence[str], key: Sequence[str], place: Callable[[Mapping[str, str | None], Row], Place]
) -> Brought:
    """Return what was kept as changes of the table that has *columns* and *key* now.

    *place* makes a place of the values of a row and the version that was read; without a key, of "ctid" alone. Every
    change names the version that it was made on, so that one to which something else happened meanwhile is told when
    it is sent.
    """
    found = Brought()
    now = {name: at for at, name in enumerate(columns)}
    gone, unknown = dict[str, int](), 0
    for state in kept.states.values():
        new: dict[int, str | None] = {}
        for at, value in state.new.items():
            name = kept.head.columns[at]
            if name in now:
                new[now[name]] = value
            else:
                gone[name] = gone.get(name, 0) + 1
        if isinstance(state, Added):
            found.states.append(Added(new))
            continue
        if not new and not state.is_deleted:
            continue
        old = dict(zip(kept.head.columns, state.old, strict=True))
        values = old | dict(zip(kept.head.key or ("ctid",), state.place, strict=True))
        version = state.place.version
        if bool(key) != bool(kept.head.key) or any(values.get(name) is None for name in key) or version is None:
            unknown += 1
            continue
        row = tuple(old.get(name) for name in columns)
        found.states.append(Edited(place(values, version), row, new, state.is_deleted))
    found.lost += [f"{count:,} values of {name}, which is no column any more" for name, count in gone.items()]
    if unknown:
        found.lost.append(f"changes of {rows_words(unknown)}, which cannot be told by the key that it has now")
    return found


def rows_words(count: int) -> str:
    """Return how many rows there are, in words."""
    return f"{count:,} row{'' if count == 1 else 's'}"
