"""SQL laid out anew: only white space may change, and every statement is compared with what it was, token by token."""

import re
from dataclasses import dataclass

from pgexplorer.db.statements import Statement, split
from pgexplorer.db.tokens import COMMENT, STRING, lex, parameters

_LONGEST = 20_000  # characters of a statement that is laid out; the time grows faster than that
_LAID_OUT = ("select", "with", "insert", "update", "delete", "merge", "values", "(")  # the rest has no usual layout
_SPACE = " \t\n\r\f\v"
_BROKEN_CAST = re.compile(r"::[ ]*\n[ ]*")
_ENDS_OF_LINES = re.compile(r"[ \t]+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text laid out anew."""

    text: str
    changed: int  # statements
    kept: int  # statements that stay as they were, as their layout would have changed more than white space
    long: int  # statements that stay as they were for their length


def formatted(text: str) -> Formatted:
    """Lay out the statements of *text*, one by one. Blocks: a long text takes seconds.

    Queries and changes of rows are; definitions, psql's commands, the data of a COPY, and what stands between
    statements are left alone.
    """
    pieces: list[str] = []
    changed = kept = long = position = 0
    for statement in split(text):
        pieces.append(text[position : statement.start])
        position = statement.end
        new = statement.text
        if len(new) > _LONGEST:
            long += 1
        elif not statement.refusal and new.lower().startswith(_LAID_OUT):
            laid_out = _laid_out(statement)
            if laid_out is None:
                kept += 1
            else:
                new = laid_out
                changed += new != statement.text
        pieces.append(new)
    pieces.append(text[position:])
    return Formatted("".join(pieces), changed, kept, long)


def is_same(one: str, other: str) -> bool:
    """Whether two texts differ in white space alone: the same tokens and comments in the same order."""
    return _tokens(one) == _tokens(other) and _values(one) == _values(other)


def _laid_out(statement: Statement) -> str | None:
    """Return the statement with other white space, or None where it cannot be told that nothing else changes."""
    import sqlparse  # 50 ms: loaded when the first text is laid out
    from sqlparse.exceptions import SQLParseError

    text = statement.text
    if _has_string_over_lines(text):
        return None  # two strings are one as long as a line end is between them
    try:
        new = sqlparse.format(text, reindent_aligned=True, indent_width=4).strip(_SPACE)
    except (SQLParseError, RecursionError, ValueError, IndexError, AttributeError):
        return None
    tidy = _ENDS_OF_LINES.sub("", _BROKEN_CAST.sub("::", new))
    for each in (tidy, new):  # the tidy one may have changed a string of several lines
        if is_same(text, each) and [found.text for found in split(each)] == [each]:
            return each
    return None


def _tokens(text: str) -> list[tuple[str, str]]:
    found = lex(text)[0]
    return [(kind, text[start:end].rstrip() if kind == COMMENT else text[start:end]) for kind, start, end in found]


def _values(text: str) -> list[str]:
    return [each.text for each in parameters(text)]


def _has_string_over_lines(text: str) -> bool:
    before = ""
    for kind, _, _ in lex(text)[0]:
        if kind == STRING and before == STRING:
            return True
        if kind != COMMENT:
            before = kind
    return False
