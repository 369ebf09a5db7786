"""Where in a text something is wanted: what is typed there, what stands before it, and the groups around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pgexplorer.db.completion.outline_parts import Group, Word, grouped
from pgexplorer.db.keywords import RESERVED, words
from pgexplorer.db.statements import Statement, statements
from pgexplorer.db.tokens import COMMENT, KEYWORD, NAME, NUMBER, PARAMETER, PUNCTUATION, QUOTED, STRING, Token, lex

_DEEPEST = 3  # bodies within bodies
_BLANK_LINE = re.compile(r"\n[ \t\r\f\v]*\n")
_BEGINS = words(
    """
    select insert update delete with create drop alter explain truncate merge grant revoke begin commit rollback table
    values call copy
    """
)
# Statements that can stand above another one without a semicolon; another's first word may lie behind a blank line.
_STANDS_ALONE = words("select update delete values table truncate drop commit rollback begin call")
_GOES_ON = words("union all except intersect distinct as for then do explain analyze")
_CASED = RESERVED | words(  # as opposed to names, and to types, which are written small more often
    "insert update delete values set by alter drop merge truncate explain begin commit key join left"
)
# What stands before a statement, or an expression, in a body of PL/pgSQL.
_BODY = words("begin declare if elsif else then loop for while return query execute perform raise exit when in end")


@dataclass(frozen=True, slots=True)
class Place:
    """A place where something is wanted."""

    start: int  # of what is being typed, in code points
    typed: str  # without a quote
    is_quoted: bool  # the name was begun with a quote
    is_closed: bool  # and its closing quote stands behind the caret
    qualifiers: tuple[str, ...]  # the names before it, each with a dot behind
    path: list[Group]  # the groups around it, the whole statement first
    next: str  # the character behind the caret
    cased: str  # the last keyword before the caret that people write large or small; "" without one
    behind: str = ""  # in the body of a function, the word of PL/pgSQL before the statement or the expression

    @property
    def is_small(self) -> bool:
        """Whether keywords are written in small letters here."""
        return (self.cased or self.typed).islower()


def find(text: str, position: int) -> Place | None:
    """Return the place of *position* in *text*; None in strings, comments, numbers and what is no SQL."""
    start, end, found = _statement(text, position)
    if found is not None and (found.refusal or (found.copy_data is not None and position > found.end)):
        return None
    return _within(text, start, position, end)


def _statement(text: str, position: int) -> tuple[int, int, Statement | None]:
    """Return where the statement at *position* starts and ends, and itself; a new one where none is yet."""
    start = 0
    for statement in statements(text):
        if position < statement.start:
            return start, max(start, position), None
        ends = text[statement.end : statement.stop].strip() == ";" or statement.copy_data is not None
        if position <= statement.end or position < statement.stop or not ends:
            return statement.start, max(statement.end, position), statement
        start = statement.stop
    return start, max(position, len(text)), None


def _within(text: str, start: int, position: int, end: int, depth: int = 0) -> Place | None:
    """Return the place of *position* in the statement that goes from *start* to *end*."""
    before = text[start:position]
    tokens, state = lex(before)
    last = tokens[-1] if tokens else None
    if state.startswith("$"):
        if last is None or depth >= _DEEPEST or not _has_body(before, tokens):
            return None
        opened = start + last[1] + len(state)
        closes = text.find(state, position)
        return _body(text[opened : closes if closes >= 0 else len(text)], opened, position - opened, depth + 1)
    if state[:1] in {"'", "e", "/"} and not state.endswith("~"):
        return None
    typed, is_quoted = "", state == '"'
    if last is not None and last[2] == len(before):
        kind, at, _ = last
        if is_quoted:
            if before[at] != '"':
                return None  # U&"…": escapes are not read here
            typed = before[at + 1 :].replace('""', '"')
        elif kind in {NAME, KEYWORD}:
            typed = before[at:]
        elif kind in {NUMBER, PARAMETER, STRING, QUOTED} or (kind == COMMENT and before[at] == "-"):
            return None
        if typed or is_quoted:
            tokens = tokens[:-1]
            if not is_quoted and tokens and tokens[-1][2] == at and _is_no_name(before, tokens[-1]):
                return None
        elif before[at:] == ":":
            return None
    typed_from = len(before) if last is None or not (typed or is_quoted) else last[1]
    tokens, qualifiers = _qualifiers(before, tokens)
    if not qualifiers and tokens and before[tokens[-1][1] : tokens[-1][2]] in {".", ".."}:
        return None  # behind what has no names, such as a row in parentheses
    rest = text[position:end]
    is_closed = is_quoted and rest.partition("\n")[0].count('"') % 2 == 1
    after, _ = lex(rest, '"' if is_closed else "")
    if after and after[0][1] == 0 and (is_closed or (typed and after[0][0] in {NAME, KEYWORD, NUMBER})):
        after = after[1:]  # the rest of the same word
    tokens, deep = _own(before, tokens)
    if not deep:
        after = _own_after(rest, after)
    said = (before[each[1] : each[2]] for each in reversed(tokens) if each[0] == KEYWORD)
    cased = next((word for word in said if word.lower() in _CASED), "")
    path = grouped(((before, token) for token in tokens), ((rest, token) for token in after))
    behind = _unwrap(path[0]) if depth else ""
    return Place(
        start + typed_from,
        typed,
        is_quoted,
        is_closed and rest[:1] == '"',
        qualifiers,
        path,
        rest[:1],
        cased,
        behind,
    )


def _is_no_name(text: str, before: Token) -> bool:
    """Whether a word just behind the token *before* is no name: psql's `:name`, and `1e`."""
    return before[0] in {NUMBER, PARAMETER} or (before[0] == PUNCTUATION and text[before[1]] == ":")


def _qualifiers(text: str, tokens: Sequence[Token]) -> tuple[Sequence[Token], tuple[str, ...]]:
    """Return *tokens* without the names and dots that they end with, and those names."""
    found: list[str] = []
    while len(tokens) >= 2 and text[tokens[-1][1] : tokens[-1][2]] == "." and tokens[-2][0] in {NAME, KEYWORD, QUOTED}:
        kind, start, end = tokens[-2]
        found.insert(0, Word(kind, text[start:end]).name)
        tokens = tokens[:-2]
    return tokens, tuple(found)


# -- statements without a semicolon between them


def _own(text: str, tokens: Sequence[Token]) -> tuple[Sequence[Token], int]:
    """Return those of *tokens* that belong to the last statement, and how many parentheses are open at the end.

    A blank line ends one that could end there, where a word follows that begins another.
    """
    first, deep = 0, 0
    for number, (kind, start, end) in enumerate(tokens):
        word = text[start:end]
        if kind == PUNCTUATION and word in "()":
            deep = max(0, deep + (1 if word == "(" else -1))
        elif kind == KEYWORD and not deep and number > first and _begins(text, tokens, number, first):
            first = number
    return tokens[first:], deep


def _own_after(text: str, tokens: Sequence[Token]) -> Sequence[Token]:
    for number, (kind, start, end) in enumerate(tokens):
        if kind == KEYWORD and text[start:end].lower() in _BEGINS:
            before = tokens[number - 1][2] if number else 0
            if _BLANK_LINE.search(text, before, start):
                return tokens[:number]
    return tokens


def _begins(text: str, tokens: Sequence[Token], number: int, first: int) -> bool:
    _, start, end = tokens[number]
    _, before, behind = tokens[number - 1]
    return (
        text[start:end].lower() in _BEGINS
        and _BLANK_LINE.search(text, behind, start) is not None
        and text[before:behind].lower() not in _GOES_ON
        and text[tokens[first][1] : tokens[first][2]].lower() in _STANDS_ALONE
    )


# -- bodies


def _has_body(text: str, tokens: Sequence[Token]) -> bool:
    """Whether the dollar quote that is open at the end of a statement holds code."""
    first = [text[start:end].lower() for kind, start, end in tokens[:6] if kind in {KEYWORD, NAME}]
    return first[:1] == ["do"] or (first[:1] == ["create"] and bool({"function", "procedure"} & set(first)))


def _body(body: str, offset: int, position: int, depth: int) -> Place | None:
    """Return the place of *position* in a function's *body*, which begins at *offset* in the whole text."""
    start, end, _ = _statement(body, position)
    found = _within(body, start, position, end, depth)
    return replace(found, start=found.start + offset) if found is not None else None


def _unwrap(whole: Group) -> str:
    """Leave out what stands before the statement, or the expression, that PL/pgSQL runs; return its last word."""
    items = whole.items
    said = [item.text.lower() if isinstance(item, Word) else "" for item in items]
    if not said or said[0] not in _BODY:
        return "begin"
    caret = next(n for n, item in enumerate(items) if item.has_caret)
    first = 1
    for at in range(1, caret):
        if said[at] in _BEGINS:
            break
        if said[at] in _BODY:
            first = at + 1
    whole.items = items[first:]
    return said[first - 1]
