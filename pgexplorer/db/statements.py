"""SQL text cut into statements where psql cuts it; which of them carry data, and which COPY can wrap."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pgexplorer.db.tokens import COMMENT, KEYWORD, LETTER_OR_DIGIT, OPENERS, PASSED, PUNCTUATION, WORD, close, lex

_SPACE = " \t\n\r\f\v"  # PostgreSQL's; str.strip() would take a no-break space, which is part of a name
_BLANK = re.compile(r"(?:[ \t\n\r\f\v]++|--[^\n\r]*+)*+")
_WORD = re.compile(WORD)
_STOPS = rf"{OPENERS} | [;()\\]"
_VARIABLE = f":{LETTER_OR_DIGIT}++"
_NEXT = re.compile(rf"(?:{PASSED.format(words=WORD, variables=_VARIABLE)})*+({_STOPS})", re.VERBOSE)
_NEXT_OR_WORD = re.compile(rf"(?:{PASSED.format(words='(?!)', variables=_VARIABLE)})*+({_STOPS}|{WORD})", re.VERBOSE)
_GOES_ON = re.compile(r"(?:[ \t\f\v]++|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]++|--[^\n\r]*+[\n\r])*+'")
_DATA_END = re.compile(r"^\\\.\r?$", re.MULTILINE)
_CAN_PAGE = ("select", "values", "table", "with", "(")
# What to do instead of psql's commands, by their beginnings.
_INSTEAD = (
    ("copy", "COPY … FROM STDIN with its data and a line \\. works here, and so do Import and Export."),
    ("d", "The schema tree shows what there is."),
    ("l", "SELECT datname FROM pg_database lists the databases."),
    ("i", "Open the file here."),
    ("g", "End the statement with a semicolon instead."),
    ("c", "Choose a server under Connections."),
    ("p", "Use a parameter, or run the statement again."),
    ("set", "Write a parameter as :name."),
    ("", ""),
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a longer text."""

    text: str  # without the semicolon, white space and comments before it cut off
    start: int  # offset of its first character in the whole text
    copy_data: str | None = None  # what stands between COPY … FROM STDIN and its line `\\.`
    refusal: str = ""  # why it is not sent, in words
    stop: int = -1  # the offset behind its semicolon, or behind its data's last line
    conforming: bool = True  # whether a backslash in a plain string is only a backslash

    @property
    def end(self) -> int:
        """The offset behind its last character."""
        return self.start + len(self.text)

    @property
    def pages(self) -> bool:
        """Whether DECLARE … FOR it and COPY (it) change nothing that the user can see. Parses it when first asked."""
        if self.refusal or not self.text[:6].lower().startswith(_CAN_PAGE):
            return False
        return (self.conforming or "\\" not in self.text) and _pages_alone(self.text)

    @property
    def copies(self) -> str:
        """Whether it is a COPY with the program's own side: "in", "out" or ""."""
        return _copies(self.text) if self.text[:4].lower() == "copy" else ""


def split(text: str, *, conforming: bool = True) -> list[Statement]:
    """Cut *text* into its statements, in order, as psql does; empty ones and lone comments are left out.

    What psql would do itself, a line that begins with a backslash, is a statement with a refusal. *conforming* is the
    server's standard_conforming_strings. Any text can be cut: what is open at the end belongs to the last statement.
    """
    return list(statements(text, conforming=conforming))


def statements(text: str, start: int = 0, *, conforming: bool = True) -> Iterator[Statement]:
    """Yield the statements of *text* from *start* on, which is where none is under way, one by one."""
    position, size = start, len(text)
    dataless = False  # whether no line of the rest ends any COPY's data
    while (position := _skip(text, position)) < size:
        body = position
        if text[body] == ";":
            position += 1
            continue
        if text[body] == "\\":
            line_end = text.find("\n", body)
            position = size if line_end < 0 else line_end
            yield _command(text[body:position].rstrip(_SPACE), body, position)
            continue
        end, position = _end(text, body, conforming)
        piece = text[body:end].rstrip(_SPACE)
        copy = None
        if not dataless and position > end and piece[:4].lower() == "copy" and _copies(piece) == "in":
            copy = _with_data(text, piece, body, position, conforming)
            dataless = copy is None
        if copy is not None:
            position = copy.stop
        yield copy or Statement(piece, body, stop=position, conforming=conforming)


def at(statements: list[Statement], position: int) -> Statement | None:
    """Return the statement in which, or before whose end, the character *position* lies; else the last one."""
    for statement in statements:
        if position <= max(statement.end + 1, statement.stop):
            return statement
    return statements[-1] if statements else None


def _skip(text: str, position: int) -> int:
    """Return where the first thing stands that is no white space and no comment."""
    while True:
        position = _BLANK.match(text, position).end()  # type: ignore[union-attr]  # it takes any text
        if not text.startswith("/*", position):
            return position
        position = close(text, position + 2, "/1")[0]


def _end(text: str, position: int, conforming: bool) -> tuple[int, int]:
    """Return the end of the statement that begins at *position*, and where the next one may begin.

    psql's rules: a semicolon ends it outside of quotes, comments and parentheses, and outside of the BEGIN … END of a
    CREATE FUNCTION or PROCEDURE; a backslash always does.
    """
    first = _WORD.match(text, position)
    next_ = _NEXT_OR_WORD if first is None or first[0].lower() == "create" else _NEXT
    words: list[str] = []
    parens = blocks = 0
    size = len(text)
    while (found := next_.match(text, position)) is not None:
        what, position = found[1], found.end()
        match what[0]:
            case ";":
                if not parens and not blocks:
                    return position - 1, position
            case "(":
                parens += 1
            case ")":
                parens = max(0, parens - 1)
            case "\\":
                return position - 1, position - 1
            case "'" | '"' | "$" | "/":
                position = _behind(text, position, what, conforming)
            case "-":
                pass
            case _ if what[-1] in "'\"":
                position = _behind(text, position, what, conforming)
            case _:  # a word
                word = what.lower()
                if len(words) < 4:
                    words.append(word)
                    if len(words) == 1 and word != "create":
                        next_ = _NEXT
                if parens == 0 and _makes_routine(words):
                    if word == "begin" or (blocks and word == "case"):
                        blocks += 1
                    elif word == "end":
                        blocks = max(0, blocks - 1)
    return size, size


def _makes_routine(words: list[str]) -> bool:
    """Whether these are the first words of CREATE [OR REPLACE] FUNCTION or PROCEDURE."""
    rest = words[3:] if words[1:3] == ["or", "replace"] else words[1:]
    return words[0] == "create" and bool(rest) and rest[0] in {"function", "procedure"}


def _behind(text: str, position: int, opened: str, conforming: bool) -> int:
    """Return where that ends which *opened*, just before *position*, opens."""
    if opened[0] in "/$":
        return close(text, position, "/1" if opened == "/*" else opened)[0]
    if opened[-1] == '"':
        return close(text, position, '"')[0]
    state = "e" if opened[0] in "eE" or (opened == "'" and not conforming) else "'"
    position, is_open = close(text, position, state)
    while not is_open and state == "e" and (found := _GOES_ON.match(text, position)) is not None:
        position, is_open = close(text, found.end(), state)
    return position


# -- psql's own


def _command(line: str, start: int, stop: int) -> Statement:
    """Return a line of psql's own, with what to say of it."""
    name = line.split(maxsplit=1)[0]
    if name == "\\.":
        words = "The line \\. ends the data of a COPY … FROM STDIN, and there is none here."
    elif name[:2] in {"\\;", "\\:"}:
        words = f"Only psql understands {name[:2]}. Leave the backslash out."
    else:
        hint = next(hint for beginning, hint in _INSTEAD if name[1:].startswith(beginning))
        words = f"{name} is a command of psql's. It is not SQL, and no server knows it. {hint}".rstrip()
    return Statement(line, start, refusal=words, stop=stop)


def _with_data(text: str, piece: str, start: int, behind: int, conforming: bool) -> Statement | None:
    """Return the COPY … FROM STDIN *piece*, whose semicolon ends at *behind*, with the lines of data below it.

    They go to the next line of a backslash and a dot; where there is none, it has no data. What else stands on its own
    line would come between it and its data, so it is refused then.
    """
    line_end = text.find("\n", behind)
    ended = _DATA_END.search(text, line_end + 1) if line_end >= 0 else None
    if ended is None:
        return None
    refusal = ""
    if _skip(text[behind:line_end], 0) < line_end - behind:
        refusal = (
            "The data of COPY … FROM STDIN begins on the line below it. Put what stands behind its semicolon behind "
            "the line \\. that ends the data."
        )
    return Statement(piece, start, text[line_end + 1 : ended.start()], refusal, ended.end(), conforming)


@lru_cache(maxsize=256)
def _copies(text: str) -> str:
    """Whether *text* is COPY … FROM STDIN ("in"), COPY … TO STDOUT ("out"), or neither ("")."""
    words: list[str] = []
    depth = 0
    for kind, start, end in lex(text)[0]:
        word = text[start:end].lower()
        if kind == PUNCTUATION and word in "()":
            depth += 1 if word == "(" else -1
        elif kind != COMMENT and not depth:
            words.append(word if kind == KEYWORD else "?")
            if words[-1] in {"stdin", "stdout"} and words[-2] in {"from", "to"}:
                return "in" if words[-2] == "from" else "out"
    return ""


# -- what can be wrapped


@lru_cache(maxsize=256)
def _pages_alone(text: str) -> bool:
    """Whether this one statement can be wrapped; not when PostgreSQL's parser does not take it."""
    import postgast  # 15 MB of protobuf: loaded when the first SELECT runs
    from google.protobuf.message import DecodeError  # a tree deeper than 100, such as 40 terms joined by ||

    try:
        parsed = postgast.parse(text)
    except (postgast.PgQueryError, UnicodeError, DecodeError):
        return False
    return len(parsed.stmts) == 1 and _pages(parsed.stmts[0].stmt)


def _pages(node: Any) -> bool:
    """Whether this parsed statement can be wrapped with nothing changed.

    Not SELECT INTO, row locks and CTEs that write.
    """
    if node.WhichOneof("node") != "select_stmt":
        return False
    select = node.select_stmt
    while True:
        if select.HasField("into_clause") or select.locking_clause:
            return False
        if any(cte.common_table_expr.ctequery.WhichOneof("node") != "select_stmt" for cte in select.with_clause.ctes):
            return False
        if not select.HasField("larg"):
            return True
        select = select.larg
