"""SQL text as tokens, cut where PostgreSQL's own scanner cuts it, from any line on: the state between lines is a value.

A state is a short text. "" is between tokens; the others say what is open at the end of a line:

- "'" a string, "e" a string with escapes, '"' a quoted name, "$tag$" a dollar quote, "/2" a comment two levels deep;
- "'~" and "e~" a string was closed, and a quote on one of the next lines would go on with it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pgexplorer.db.keywords import COLUMN_NAME, KEYWORDS, words

# What a token is, where it starts and where it ends. A plain tuple: a text of 10,000 lines has 100,000 of them.
Token = tuple[str, int, int]

COMMENT, STRING, NAME, QUOTED, KEYWORD = "comment", "string", "name", "quoted", "keyword"
NUMBER, PARAMETER, OPERATOR, PUNCTUATION, OTHER = "number", "parameter", "operator", "punctuation", "other"

# Classes are told by the ASCII characters that are not in them: Python takes a tenth of a second to compile the ranges
# up to the last character.
LETTER = r"[^\x00-@\[-\^`\x7b-\x7f]"  # a-z, A-Z, _ and all beyond ASCII
LETTER_OR_DIGIT = r"[^\x00-/:-@\[-\^`\x7b-\x7f]"
WORD = rf"{LETTER}[^\x00-#%-/:-@\[-\^`\x7b-\x7f]*+"  # which may hold $
DOLLAR = rf"\$(?:{LETTER}{LETTER_OR_DIGIT}*+)?\$"
_DIGITS = r"[0-9](?:_?[0-9])*+"
_TOKEN = re.compile(
    rf"""
     (?P<space>[ \t\n\r\f\v]++)
    |(?P<comment>--[^\n\r]*+)
    |(?P<block>/\*)
    |(?P<escaped>[eE]')
    |(?P<string>(?:[uU]&|[bBxXnN])?')
    |(?P<quoted>(?:[uU]&)?")
    |(?P<word>{WORD})
    |(?P<dollar>{DOLLAR})
    |(?P<parameter>\$[0-9]++)
    |(?P<number>0[xX](?:_?[0-9a-fA-F])++|0[oO](?:_?[0-7])++|0[bB](?:_?[01])++
        |(?:{_DIGITS}(?:\.(?!\.)(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?)
    |(?P<operator>::|:=|\.\.|(?:(?!--|/\*)[~!@\#^&|`?+\-*/%<>=])++)
    |(?P<punctuation>[,()\[\].;:])
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENS = re.compile(r"['\"$]|/\*")  # a line without any of these leaves the state between tokens as it is
_BLANKS = re.compile(r"[ \t\f\v]*+(?:--.*+)?", re.DOTALL)
# What begins nothing is passed over in one go: other characters, and words but for the letters that begin a quote.
# Where psql reads, its variables are passed over too.
PASSED = rf"""
    [\x00-!\#%&*+,.0-9<-@\[\]\^`\x7b-\x7f]++ | (?![eE]'|[uU]&["']){{words}} | :: | {{variables}} | :
    | -(?!-) | /(?!\*) | \$(?!(?:{LETTER}{LETTER_OR_DIGIT}*+)?\$)
"""
OPENERS = rf""" [eE]' | (?:[uU]&)?["'] | {DOLLAR} | --[^\n\r]*+ | /\* """
_NEXT = re.compile(rf"(?:{PASSED.format(words=WORD, variables='(?!)')}|[;()\\])*+({OPENERS})", re.VERBOSE)
_REST = {
    "'": re.compile(r"[^']*+(?:''[^']*+)*+'"),
    "e": re.compile(r"[^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+'", re.DOTALL),
    '"': re.compile(r'[^"]*+(?:""[^"]*+)*+"'),
}
_COMMENT_MARK = re.compile(r"/\*|\*/")


def lex(text: str, state: str = "", *, conforming: bool = True) -> tuple[list[Token], str]:
    """Return the tokens of *text*, white space left out, and the state behind it and a line end.

    *state* is what the text before it returned. With *conforming* off, as standard_conforming_strings may be, every
    plain string has escapes. What PostgreSQL's scanner refuses is cut too.
    """
    tokens: list[Token] = []
    put, match = tokens.append, _TOKEN.match
    position, size = 0, len(text)
    after = ""  # the state of the string that was closed last, as long as nothing but white space followed
    broken = False  # whether a line ended since
    if state.endswith("~"):
        after, broken, state = state[:-1], True, ""
    elif state:
        was = state
        position, state = close(text, 0, was)
        if position:
            put((_kind(was), 0, position))
        if not state and was in {"'", "e"}:
            after = was
    while position < size:
        found = match(text, position)
        if found is None:  # which never is: the last alternative takes any character
            break
        group, start, position = found.lastgroup or OTHER, position, found.end()
        if group == "space":
            broken = broken or "\n" in found[0] or "\r" in found[0]
        elif group == "comment":
            put((COMMENT, start, position))  # a string may go on behind it
        elif group == "word":
            word = found[0]
            put((KEYWORD if word.isascii() and word.lower() in KEYWORDS else NAME, start, position))
            after = ""
        elif group in {"string", "escaped"}:
            if group == "string" and found[0] == "'":
                was = after if after and broken else "'" if conforming else "e"
            else:
                was = "e" if group == "escaped" else "'"
            position, state = close(text, position, was)
            put((STRING, start, position))
            after, broken = "" if state else was, False
        elif group in {"quoted", "dollar", "block"}:
            was = '"' if group == "quoted" else found[0] if group == "dollar" else "/1"
            position, state = close(text, position, was)
            put((_kind(was), start, position))
            after = ""
        else:
            put((group, start, position))
            after = ""
    return tokens, f"{after}~" if after else state


def next_state(line: str, state: str = "") -> str:
    """Return the state behind *line*, which holds no line end, as `lex` does; sooner, as it makes no tokens."""
    position = 0
    if state.endswith("~"):
        position = _BLANKS.match(line).end()  # type: ignore[union-attr]  # it takes any line
        if position == len(line):
            return state
        if line[position] == "'":
            state, position = state[0], position + 1
        else:
            state, position = "", 0
    if not state and _OPENS.search(line, position) is None:
        return ""
    while True:
        if state:
            was = state
            position, state = close(line, position, was)
            if state:
                return state
            if was in {"'", "e"} and _BLANKS.match(line, position).end() == len(line):  # type: ignore[union-attr]
                return f"{was}~"
        found = _NEXT.match(line, position)
        if found is None:
            return ""
        what, position = found[1], found.end()
        if what[0] != "-":
            state = "/1" if what == "/*" else what if what[0] == "$" else "e" if what in {"e'", "E'"} else what[-1]


def close(text: str, position: int, state: str) -> tuple[int, str]:
    """Return where what *state* says is open ends in *text* from *position* on, and the state there.

    Where it stays open, that is the end of the text, and the state says so.
    """
    if state[0] == "$":
        end = text.find(state, position)
        return (len(text), state) if end < 0 else (end + len(state), "")
    if state[0] == "/":
        depth = int(state[1:])
        for mark in _COMMENT_MARK.finditer(text, position):
            depth += 1 if mark[0] == "/*" else -1
            if not depth:
                return mark.end(), ""
        return len(text), f"/{depth}"
    found = _REST[state].match(text, position)
    return (len(text), state) if found is None else (found.end(), "")


def _kind(state: str) -> str:
    return COMMENT if state[0] == "/" else QUOTED if state == '"' else STRING


# -- what is seen in them


@dataclass(frozen=True, slots=True)
class Parameter:
    """A place where a value is wanted: `$1`, or psql's `:name`, `:'name'` and `:"name"`."""

    name: str  # "1" of $1
    text: str  # as it stands there
    start: int
    kind: str  # "$", ":", ":'" or ':"'

    @property
    def end(self) -> int:
        """The offset behind its last character."""
        return self.start + len(self.text)


_VARIABLE = re.compile(rf"{LETTER}{LETTER_OR_DIGIT}*+")
_QUOTED_VARIABLE = re.compile(rf"(['\"])({LETTER_OR_DIGIT}++)\1")
_VALUES = {NUMBER, STRING, PARAMETER, NAME, QUOTED}


def parameters(text: str, *, conforming: bool = True) -> list[Parameter]:
    """Return the places of *text* where a value is wanted, in order.

    Not in quotes and comments, not in a cast (`a::int`) and not in an array's slice (`a[1:n]`, `a[:n]`).
    """
    return list(_parameters(text, lex(text, conforming=conforming)[0]))


def _parameters(text: str, tokens: Sequence[Token]) -> Iterator[Parameter]:
    brackets: list[bool] = []  # of those that are open, whether a colon there cuts a slice
    before: Token | None = None
    number = 0
    while number < len(tokens):
        token = tokens[number]
        number += 1
        kind, start, end = token
        if kind == PARAMETER:
            yield Parameter(text[start + 1 : end], text[start:end], start, "$")
        elif kind == PUNCTUATION:
            match text[start]:
                case "[" | "(":
                    brackets.append(text[start] == "[" and not _begins_array(text, before, brackets))
                case "]" | ")" if brackets:
                    brackets.pop()
                case ":" if number < len(tokens) and tokens[number][1] == end and not _cuts(text, before, brackets):
                    found = _variable(text, end)
                    if found is not None:
                        yield found
                        # What follows may begin inside it: `:'a'` is a token, `:a$b` is cut by psql behind the a.
                        while number < len(tokens) and tokens[number][2] <= found.end:
                            number += 1
                        before = (PARAMETER, start, found.end)
                        continue
                case _:
                    pass
        if kind != COMMENT:
            before = token


def _variable(text: str, behind: int) -> Parameter | None:
    """Return psql's variable whose colon stands before *behind*."""
    if found := _VARIABLE.match(text, behind):
        return Parameter(found[0], f":{found[0]}", behind - 1, ":")
    if found := _QUOTED_VARIABLE.match(text, behind):
        return Parameter(found[2], f":{found[0]}", behind - 1, f":{found[1]}")
    return None


def _begins_array(text: str, before: Token | None, brackets: list[bool]) -> bool:
    """Whether a bracket behind the token *before* opens an array's elements, and not a subscript."""
    if before is None:
        return True
    word = text[before[1] : before[2]]
    if before[0] == KEYWORD:
        return word.lower() == "array"
    return before[0] in {PUNCTUATION, OPERATOR} and word in {"[", ","} and bool(brackets) and not brackets[-1]


def _cuts(text: str, before: Token | None, brackets: list[bool]) -> bool:
    """Whether a colon behind the token *before* cuts a slice: in a subscript, where no value is missing."""
    if not brackets or not brackets[-1] or before is None:
        return False
    return before[0] in _VALUES or text[before[1] : before[2]] in {"[", "]", ")", ":"} or before[0] == KEYWORD


_AS_NAMES = words(  # keywords that are far more often the name of a column or a table
    """
    action comment content data day depth document domain format hour identity index input key label language level
    location mapping method minute mode month name names object off option options owner parameter password path plan
    plans policy position program role rule schema second sequence server sets source statistics storage support
    system target template text type types uid value version view views year zone
    """
)
_TYPES = words(
    """
    bigint bigserial bit bool boolean box bpchar bytea char character cidr circle citext date daterange
    datemultirange decimal double float float4 float8 inet int int2 int4 int4multirange int4range int8
    int8multirange int8range integer interval json jsonb jsonpath lseg macaddr macaddr8 money nummultirange
    numeric numrange oid pg_lsn point polygon precision real regclass regcollation regconfig regdictionary
    regnamespace regoper regoperator regproc regprocedure regrole regtype serial serial2 serial4 serial8 smallint
    smallserial text time timestamp timestamptz timetz tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector
    uuid varbit varchar varying vector xid xid8 xml
    """
)


def styled(text: str, state: str = "") -> tuple[list[Token], str]:
    """Return the parts of one line that are worth a colour, as (role, start, end), and the state behind the line.

    Roles: keyword, type, function, string, quoted, number, comment, operator, parameter, bracket. Names have none.
    """
    tokens, state = lex(text, state)
    parts: list[Token] = []
    values = [(each.start, each.end) for each in _parameters(text, tokens)] if ":" in text else []
    before = ""  # the word or the character before
    for number, token in enumerate(tokens):
        kind, start, end = token
        if values and start >= values[0][0]:
            if end >= values[0][1]:
                parts.append((PARAMETER, *values.pop(0)))
        elif kind in {NAME, KEYWORD}:
            behind = text[tokens[number + 1][1]] if number + 1 < len(tokens) else ""
            if role := _role_of_word(text[start:end].lower(), kind, before, behind):
                parts.append((role, start, end))
        elif kind == PUNCTUATION:
            if text[start] in "()[]":
                parts.append(("bracket", start, end))
        elif kind != OTHER:
            parts.append(token)
        if kind != COMMENT:
            before = text[start:end]
    return parts, state


_NAMED_NEXT = words("column index into join materialized only references schema table update view")
_NO_FUNCTIONS = words("between exists none row setof values")


def _role_of_word(word: str, kind: str, before: str, behind: str) -> str:
    """Return the role of a bare *word* in small letters, by what stands *before* it and the character *behind* it."""
    if behind != "." and before != ".":
        if word in _TYPES and (kind == KEYWORD or word not in _AS_NAMES):
            return "type"
        if kind == KEYWORD and word not in _AS_NAMES and (behind != "(" or word not in COLUMN_NAME - _NO_FUNCTIONS):
            return "keyword"
    return "function" if behind == "(" and before.lower() not in _NAMED_NEXT else ""
