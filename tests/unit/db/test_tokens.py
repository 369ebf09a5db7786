"""SQL text as tokens: cut where PostgreSQL's own scanner cuts it."""

import postgast
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pgexplorer.db import keywords
from pgexplorer.db.tokens import lex, next_state, parameters, styled

_NAMES = postgast.pg_query_pb2.Token
_KINDS = {
    "SQL_COMMENT": "comment", "C_COMMENT": "comment", "SCONST": "string", "USCONST": "string", "BCONST": "string",
    "XCONST": "string", "ICONST": "number", "FCONST": "number", "PARAM": "parameter", "Op": "operator",
    "TYPECAST": "operator", "COLON_EQUALS": "operator", "DOT_DOT": "operator", "EQUALS_GREATER": "operator",
    "LESS_EQUALS": "operator", "GREATER_EQUALS": "operator", "NOT_EQUALS": "operator",
}  # fmt: skip


def scanned(sql):
    """What PostgreSQL's scanner says of each character: the kind of its token, "" between tokens."""
    data = sql.encode()
    kinds = [""] * len(data)
    for token in postgast.scan(sql).tokens:
        word = data[token.start : token.end].decode()
        if token.keyword_kind:
            kind = "keyword"
        elif _NAMES.Name(token.token) in {"IDENT", "UIDENT"}:
            kind = "quoted" if '"' in word else "name"
        elif len(word) == 1 and word in ",()[].;:":
            kind = "punctuation"
        else:
            kind = "operator" if word in "+-*/%^<>=" else _KINDS.get(_NAMES.Name(token.token), "other")
        kinds[token.start : token.end] = [kind] * (token.end - token.start)
    characters, position = [], 0
    for character in sql:
        characters.append(kinds[position])
        position += len(character.encode())
    return characters


def ours(sql, by_lines=True):
    kinds, state, position = [""] * len(sql), "", 0
    for line in sql.split("\n") if by_lines else [sql]:
        if by_lines and "\r" not in line:
            assert next_state(line, state) == lex(line, state)[1]
        tokens, state = lex(line, state)
        for kind, start, end in tokens:
            assert 0 <= start < end <= len(line)
            kinds[position + start : position + end] = [kind] * (end - start)
        position += len(line) + 1
    return kinds


def agree(sql):
    """Compare, character by character, what is no white space."""
    theirs = scanned(sql)
    for by_lines in (True, False):
        mine = ours(sql, by_lines)
        for at, character in enumerate(sql):
            if not character.isspace() or character > "\x7f":
                told = sql[at : at + 2].lower()
                if told == "n'" and theirs[at] == "keyword":  # the scanner cuts N'…' in two
                    continue
                assert mine[at] == theirs[at], (sql, at, character, mine[at], theirs[at])


TOKENS = [
    "select", "FROM", "name", "begin", "t", "größe", "表", "a$b", "_x", "e", "u", "x1", "n", "b", "😀",
    "'plain'", "'it''s'", "''", "';'", "E'a\\'b'", "e'\\\\'", "E'\\x41''c'", "U&'d\\0061t'", "u&'x'", "B'0101'",
    "x'1FF'", "N'nat'", "'--'", "'/*'", "'$$'", "'a\nb'", "E'a\n\\'b'",
    '"quoted"', '"a""b"', '"a;b"', 'U&"d\\0061t"', '"new\nline"', '"--"',
    "$$body$$", "$$;$$", "$a$ $$ ; $b$ $a$", "$tag$'\n\"$tag$", "$é$x$é$", "$_1$;$_1$",
    "1", "1.5", ".5", "1.", "1e10", "1.5E-3", "0x1F", "0b101", "0o17", "1_000", "1_0.5_0", "0xAB_CD",
    "92233720368547758080",
    "$1", "$23", "/* c */", "/* a /* b */ c */", "/**/", "/* ' */", "/*\n;\n*/", "/***/", "/*/**/*/", "-- line\n",
    "--\n", "-- it's\n", "--/*\n",
    "+", "-", "*", "/", "%", "^", "<", ">", "=", "<=", ">=", "<>", "!=", "=>", "::", ":=", "..", "||", "->", "->>",
    "#>>", "@>", "<@", "?|", "?&", "!~~*", "~", "&&", "|/", "@-", "@@", ";", ",", "(", ")", "[", "]", ".", ":",
]  # fmt: skip
GAPS = [" ", "\n", "\t", "  \n  ", "\r\n", " /* gap */ ", " -- gap\n", "\f"]


@given(st.lists(st.tuples(st.sampled_from(TOKENS), st.sampled_from(GAPS)), max_size=14))
@settings(max_examples=1500, deadline=None)
def test_that_generated_text_is_cut_like_postgresqls_scanner_cuts_it(parts):
    sql = "".join(token + gap for token, gap in parts)
    strings = [each.rstrip()[-1:] for each, _ in parts if "gap" not in each]
    if any(a == "'" and b.startswith("'") for a, (b, _) in zip(strings, parts[1:], strict=False)):
        sql = sql.replace("-- gap", "  ")  # a comment inside a string that goes on belongs to its token there
    agree(sql)


@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=6))
@settings(max_examples=1500, deadline=None)
def test_that_tokens_without_a_gap_are_cut_like_postgresqls_scanner_cuts_them(parts):
    sql = "".join(parts)
    try:
        scanned(sql)
    except postgast.PgQueryError:
        return  # it is no valid text
    agree(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select 'a'\n'b'",
        "select E'a'\n'\\'b'",
        "select E'a' \n\n  \n '\\'b' || 'c\\'",
        "select E'a' 'b'",
        "select U&'a'\n'b', 'c'",
        "select a<--b\n1",
        "select 1*/*c*/2",
        "select 1@-/* c */2",
        "select a- -1, b<-1, c@-1",
        "select $1$$;$$",
        "select a.b.c, f(x), t.*",
        "select 1..2",
        "select 'a' -- c\n, 'b'",
        "select u&\"x\" uescape '!', e, e''",
    ],
)
def test_that_the_scanners_corners_are_kept(sql):
    agree(sql)


@given(
    st.text(
        st.one_of(
            st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), st.sampled_from("'\"$/*-eE\\ \n")
        )
    )
)
@example("'a'\n\n'b")
@settings(max_examples=1500, deadline=None)
def test_that_any_text_is_cut_alike_as_a_whole_and_line_by_line(sql):
    whole, lines = ours(sql, by_lines=False), ours(sql)
    assert [a for a, c in zip(whole, sql, strict=True) if c != "\n"] == [
        a for a, c in zip(lines, sql, strict=True) if c != "\n"
    ]


def test_that_every_keyword_has_the_kind_that_postgresql_gives_it():
    kinds = {1: keywords.UNRESERVED, 2: keywords.COLUMN_NAME, 3: keywords.TYPE_OR_FUNCTION, 4: keywords.RESERVED}
    assert sum(map(len, kinds.values())) == len(keywords.KEYWORDS)
    for kind, words in kinds.items():
        for word in words:
            [token] = postgast.scan(word).tokens
            assert token.keyword_kind == kind, word
    for name in _NAMES.keys():  # noqa: SIM118  (no mapping)
        for word in (name.lower(), name.lower().removesuffix("_p"), name.lower().removesuffix("_la")):
            if len(tokens := postgast.scan(word).tokens) == 1 and tokens[0].keyword_kind:
                assert word in keywords.KEYWORDS


def test_that_a_letter_that_only_looks_like_k_makes_no_keyword():
    assert lex("li\u212ae") == ([("name", 0, 4)], "")


@pytest.mark.parametrize(
    ("line", "state", "behind"),
    [
        ("select 'a", "", "'"),
        ("b", "'", "'"),
        ("b'", "'", "'~"),
        ("  -- so far", "'~", "'~"),
        ("", "e~", "e~"),
        ("'\\'", "e~", "e"),
        ("x", "e~", ""),
        ("/* a /* b", "", "/2"),
        ("*/", "/2", "/1"),
        ("$x$ $y$", "", "$x$"),
        ("$x$", "$x$", ""),
        ('"', "", '"'),
    ],
)
def test_that_what_is_open_at_the_end_of_a_line_is_told(line, state, behind):
    assert lex(line, state)[1] == next_state(line, state) == behind


def test_that_a_backslash_escapes_in_plain_strings_only_where_the_server_says_so():
    assert lex("'\\'; 1'", conforming=True)[0][0] == ("string", 0, 3)
    assert lex("'\\'; 1'", conforming=False)[0] == [("string", 0, 7)]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select :a, :'b', :\"c\", $1, $12", [":a", ":'b'", ':"c"', "$1", "$12"]),
        ("select a::int, b::text", []),
        ("select ':a', \":b\", $$:c$$ -- :d\n/* :e */", []),
        ("select a[1:2], a[:n], a[n:], a[lo:hi], a[f(x):m]", []),
        ("select a[1:b[2]:c]", []),
        ("select a[1 + :n], a[f(:n)], a[1:1 + :m]", [":n", ":n", ":m"]),
        ("select array[:a, :b], array[[:c], [:d]]", [":a", ":b", ":c", ":d"]),
        ("select x := :y, z::int4, :w::int4", [":y", ":w"]),
        ("select :1", []),
        ("select :größe, :a$b", [":größe", ":a"]),
        ("select :'a b', :''", []),
        ("select : a", []),
        ("select f(:a)::text || :b", [":a", ":b"]),
    ],
)
def test_that_places_for_values_are_found_and_casts_and_slices_are_not(sql, expected):
    found = parameters(sql)
    assert [each.text for each in found] == expected
    for each in found:
        assert sql[each.start : each.end] == each.text


def roles(line):
    return [(role, line[start:end]) for role, start, end in styled(line)[0] if role not in {"bracket", "operator"}]


def test_that_keywords_types_and_functions_are_told_from_names():
    assert roles("select name, count(*), t.select, x::int from type") == [
        ("keyword", "select"), ("function", "count"), ("type", "int"), ("keyword", "from"),
    ]  # fmt: skip
    assert roles("create table t (id int4 primary key, at timestamptz)")[:4] == [
        ("keyword", "create"), ("keyword", "table"), ("type", "int4"), ("keyword", "primary"),
    ]  # fmt: skip
    assert roles("where a = :who and b = 'x'") == [
        ("keyword", "where"), ("parameter", ":who"), ("keyword", "and"), ("string", "'x'"),
    ]  # fmt: skip
