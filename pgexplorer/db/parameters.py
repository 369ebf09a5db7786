"""Values that a text asks for, `$1`, `:name`, `:'name'` and `:"name"`: which, their types, and the text with them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.db.client import Client
from pgexplorer.db.session import Session
from pgexplorer.db.statements import split
from pgexplorer.db.table.ordering import quoted
from pgexplorer.db.tokens import Parameter, parameters

_MAYBE = re.compile(r"\$\d|(?<!:):['\"\w]")  # where this finds nothing there are none
_OWN = re.compile(r"\s*(?:prepare|create)\b", re.IGNORECASE)  # what has parameters of its own
_ASK = "pgexplorer_ask"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value that is asked for, once however often it stands in the text."""

    name: str  # as it stands there: "$1", ":name", ':"name"'
    type_name: str = ""  # as the server infers it; "" where it does not

    @property
    def is_name(self) -> bool:
        """Whether an identifier is wanted, and no value."""
        return self.name.startswith(':"')


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with its values, and where each of its parts was before."""

    text: str
    moves: tuple[tuple[int, int, int, int], ...] = ()  # start and end in it, start and end in the original

    def back(self, position: int) -> int:
        """Return where *position* was in the original text; for one in a value, where its parameter begins."""
        moved = 0
        for start, end, was, ended in self.moves:
            if position < start:
                break
            if position < end:
                return was
            moved = end - ended
        return position - moved


def wanted(text: str) -> list[Wanted]:
    """Return the values that *text* asks for, in their order. Costs nothing where there are none."""
    return list({_key(each): Wanted(_key(each)) for each in _places(text)}.values())


def with_types(lender: Client | Session, text: str, values: Sequence[Wanted]) -> list[Wanted]:
    """Return *values* with the types that the server infers, where it does. Blocks for a round trip a statement.

    Nothing is asked in an open transaction, which an error would end. Raises PoolError when no connection is free.
    """
    if isinstance(lender, Session) and lender.pin is not None and lender.pin.is_open:
        return list(values)
    types: dict[str, str] = {}
    with lender.lend("types of parameters", discard=True) as conn:
        for statement in split(text):
            types |= _inferred(conn, statement.text)
    return [Wanted(each.name, types.get(each.name, "")) for each in values]


def fill(text: str, values: Mapping[str, str | None], types: Mapping[str, str]) -> Filled:
    """Return *text* with a literal, or an identifier, in place of each parameter; None is NULL.

    A value is never taken as SQL. Raises KeyError where one is missing.
    """
    pieces: list[str] = []
    moves: list[tuple[int, int, int, int]] = []
    done = length = 0
    for each in _places(text):
        key = _key(each)
        value = values[key]
        if each.kind == ':"':
            put = '"' + (value or "").replace('"', '""') + '"'
        else:
            literal = "NULL" if value is None else _literal(value)
            put = f"{literal}::{types[key]}" if types.get(key) else literal
        before = text[done : each.start]
        pieces += [before, put]
        length += len(before)
        moves.append((length, length + len(put), each.start, each.end))
        length += len(put)
        done = each.end
    return Filled("".join([*pieces, text[done:]]), tuple(moves))


def _places(text: str) -> list[Parameter]:
    if not _MAYBE.search(text):
        return []
    found = parameters(text)
    if any(each.kind == "$" for each in found):
        own = [(each.start, each.stop) for each in split(text) if _OWN.match(each.text)]
        found = [
            each for each in found if each.kind != "$" or not any(start <= each.start < stop for start, stop in own)
        ]
    return found


def _key(parameter: Parameter) -> str:
    return f":{parameter.name}" if parameter.kind == ":'" else parameter.text


def _inferred(conn: connection, text: str) -> dict[str, str]:
    """Ask the server for the types of one statement's parameters, by preparing it."""
    places = [each for each in _places(text) if each.kind != ':"']
    if not places or len(places) != len(_places(text)):
        return {}
    keys = list(dict.fromkeys(_key(each) for each in places))
    numbered, done = "", 0
    for each in places:
        numbered += f"{text[done : each.start]}${keys.index(_key(each)) + 1}"
        done = each.end
    numbered += text[done:]
    try:
        with conn.cursor() as cursor:
            cursor.execute(f"PREPARE {_ASK} AS {numbered}")
            cursor.execute(
                "SELECT t.n, format_type(t.oid, NULL) FROM pg_prepared_statements AS p,"
                " unnest(p.parameter_types::oid[]) WITH ORDINALITY AS t(oid, n) WHERE p.name = %s",
                (_ASK,),
            )
            types = {keys[int(number) - 1]: str(name) for number, name in cursor.fetchall()}
            cursor.execute(f"DEALLOCATE {_ASK}")
    except (psycopg2.Error, UnicodeError):
        return {}  # it cannot be prepared, or is wrong: the run will say so
    return types


def _literal(value: str) -> str:
    return quoted(value).as_string(None)  # type: ignore[arg-type]  # it is text already
