"""SQL text cut into statements by PostgreSQL's own parser; which of them are plain SELECTs that COPY can wrap."""

from dataclasses import dataclass
from typing import Any

_COMMENT_TOKENS = {275, 276}  # SQL_COMMENT, C_COMMENT in libpg_query's scanner
_SPACE = " \t\n\r\f\v"  # PostgreSQL's; str.strip() would take a no-break space, which is part of a name


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a longer text."""

    text: str  # without the semicolon, white space and comments before it cut off
    start: int  # offset of its first character in the whole text
    pages: bool = False  # whether DECLARE … FOR it and COPY (it) change nothing that the user can see

    @property
    def end(self) -> int:
        """The offset behind its last character."""
        return self.start + len(self.text)


def split(text: str) -> list[Statement]:
    """Cut *text* into its statements, in order; empty ones and lone comments are left out.

    PostgreSQL's grammar decides; where it cannot parse the text, its scanner's semicolons do; where even that fails
    (an open quote), the text is one statement and the server says what is wrong with it.
    """
    import postgast  # 15 MB of protobuf: loaded when the first statement runs
    from google.protobuf.message import DecodeError  # a tree deeper than 100, such as 40 terms joined by ||

    data = text.encode("utf-8", "surrogatepass")
    try:
        parsed = postgast.parse(text)
        pieces = [(raw.stmt_location, raw.stmt_len, _pages(raw.stmt)) for raw in parsed.stmts]
    except (postgast.PgQueryError, UnicodeEncodeError, DecodeError):
        # An empty piece is left out here: a length of 0 is libpg_query's word for "to the end".
        ranges = [(start, end) for start, end in _scanned(text, len(data)) if end > start]
        pieces = [(start, end - start, _pages_alone(data[start:end])) for start, end in ranges]
    statements: list[Statement] = []
    for location, length, pages in pieces:
        raw = data[location : location + length if length else None]
        whole = raw.decode("utf-8", "surrogatepass")
        body = whole[_lead(whole) :]
        if stripped := body.rstrip(_SPACE):
            start = len(data[:location].decode("utf-8", "surrogatepass")) + len(whole) - len(body)
            statements.append(Statement(stripped, start, pages))
    return statements


def at(statements: list[Statement], position: int) -> Statement | None:
    """Return the statement in which, or before whose end, the character *position* lies; else the last one."""
    for statement in statements:
        if position <= statement.end + 1:
            return statement
    return statements[-1] if statements else None


def _lead(text: str) -> int:
    """Return how many characters of white space and comments stand before the first word."""
    import postgast

    try:
        tokens = postgast.scan(text).tokens
    except (postgast.PgQueryError, UnicodeEncodeError):
        return len(text) - len(text.lstrip(_SPACE))
    data = text.encode()
    for token in tokens:
        if token.token not in _COMMENT_TOKENS:
            return len(data[: token.start].decode())
    return len(text)


def _scanned(text: str, size: int) -> list[tuple[int, int]]:
    """Return the byte ranges between top-level semicolons, as the scanner sees them."""
    import postgast

    try:
        tokens: Any = postgast.scan(text).tokens
    except (postgast.PgQueryError, UnicodeEncodeError):
        return [(0, size)]
    data = text.encode()
    ranges: list[tuple[int, int]] = []
    start = parens = blocks = 0
    before = ""
    for token in tokens:
        word = data[token.start : token.end].decode("utf-8", "replace").lower()
        if word == "(":
            parens += 1
        elif word == ")":
            parens = max(0, parens - 1)
        elif word == "atomic" and before == "begin":
            blocks = 1
        elif blocks and word == "case":
            blocks += 1
        elif blocks and word == "end":
            blocks -= 1
        elif word == ";" and not parens and not blocks:
            ranges.append((start, token.start))
            start = token.end
        before = word
    ranges.append((start, size))
    return ranges


def _pages_alone(piece: bytes) -> bool:
    """Whether one statement of a text that cannot be parsed as a whole can be wrapped."""
    import postgast
    from google.protobuf.message import DecodeError

    try:
        parsed = postgast.parse(piece.decode())
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
