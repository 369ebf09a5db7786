"""SQL text cut into statements."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgexplorer.db.statements import at, split


def texts(sql):
    found = split(sql)
    for statement in found:
        assert sql[statement.start : statement.end] == statement.text
    assert [one.start for one in found] == sorted(one.start for one in found)
    return [statement.text for statement in found]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("", []),
        (" \n\t", []),
        (";;;", []),
        ("-- nothing", []),
        ("/* nothing /* at */ all */ ;", []),
        ("select 1", ["select 1"]),
        ("select 1;", ["select 1"]),
        ("select 1;select 2", ["select 1", "select 2"]),
        ("  select 1 ;\n\n select 2 ; ", ["select 1", "select 2"]),
        ("-- head\nselect 1; /* mid */ select 2 -- tail", ["select 1", "select 2 -- tail"]),
        ("select ';'; select \";\" from t", ["select ';'", 'select ";" from t']),
        ("select E'\\';'; select 2", ["select E'\\';'", "select 2"]),
        ("select $$;$$; select $a$ $$;$$ ; $a$", ["select $$;$$", "select $a$ $$;$$ ; $a$"]),
        ("select 1 /* ; /* ; */ ; */; select 2", ["select 1 /* ; /* ; */ ; */", "select 2"]),
        ("select '😀'; select 'é', 2", ["select '😀'", "select 'é', 2"]),
        ("/* 😀 */ select 1;\n-- 😀\nselect 2", ["select 1", "select 2"]),
        (
            "create rule r as on insert to t do also (delete from a; delete from b); select 1",
            ["create rule r as on insert to t do also (delete from a; delete from b)", "select 1"],
        ),
        (
            "create function f() returns int begin atomic select 1; select case when true then 2 end; end; select 3",
            [
                "create function f() returns int begin atomic select 1; select case when true then 2 end; end",
                "select 3",
            ],
        ),
        (
            "do $$ begin perform 1; perform 2; end $$; select 1",
            ["do $$ begin perform 1; perform 2; end $$", "select 1"],
        ),
        ("begin; select 1; commit", ["begin", "select 1", "commit"]),
        ("copy t from stdin; select 1", ["copy t from stdin", "select 1"]),
        ("select 1 as a\u00a0", ["select 1 as a\u00a0"]),
        ("select 1 as a\u00a0; select 2", ["select 1 as a\u00a0", "select 2"]),
    ],
)
def test_that_a_text_is_cut_where_postgresql_cuts_it(sql, expected):
    assert texts(sql) == expected


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("selct 1; select 2", ["selct 1", "select 2"]),
        ("select from where ; select ';' ; /* ; */", ["select from where", "select ';'"]),
        ("selct (1; 2); select 3", ["selct (1; 2)", "select 3"]),
        ("selct ); select 3", ["selct )", "select 3"]),
        (";selct 1", ["selct 1"]),
        ("selct 1;; ;;select 2;;", ["selct 1", "select 2"]),
        ("😀 wrong; select 'é'; select 3", ["😀 wrong", "select 'é'", "select 3"]),
        (
            "selct 1; create function f() returns int begin atomic select case 1 when 1 then 2 end; end; select 3",
            [
                "selct 1",
                "create function f() returns int begin atomic select case 1 when 1 then 2 end; end",
                "select 3",
            ],
        ),
        ("select 1; select 'open ; select 2", ["select 1; select 'open ; select 2"]),
        ("  select $x$ open ; select 2 $y$", ["select $x$ open ; select 2 $y$"]),
        ("select 1 /* open ; select 2", ["select 1 /* open ; select 2"]),
        ('select "open ; select 2', ['select "open ; select 2']),
        ("select '\ud800'; select 2", ["select '\ud800'; select 2"]),
    ],
)
def test_that_a_text_postgresql_cannot_parse_is_cut_by_its_semicolons_or_not_at_all(sql, expected):
    assert texts(sql) == expected


@pytest.mark.parametrize("terms", [30, 60, 100, 3000])
def test_that_a_deep_expression_is_cut_like_any_other(terms):
    deep = "select " + " || ".join(["'x;'"] * terms)
    assert texts(f"{deep}; select 2") == [deep, "select 2"]


def test_that_a_hundred_thousand_brackets_end_nothing():
    code = (
        "from pgexplorer.db.statements import split; print(len(split('select ' + '(' * 100_000 + '1' + ')' * 100_000)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "1\n")


@pytest.mark.parametrize(
    ("sql", "pages"),
    [
        ("select 1", True),
        ("select", True),
        ("values (1), (2)", True),
        ("table t", True),
        ("select 1 union all select 2", True),
        ("(select 1) except (select 2)", True),
        ("with a as (select 1) select * from a", True),
        ("with a as (insert into t values (1) returning *) select * from a", False),
        ("with a as (delete from t) select 1 union select 2", False),
        ("select 1 into t", False),
        ("select * from t for update", False),
        ("select * from t for key share", False),
        ("insert into t values (1) returning *", False),
        ("explain select 1", False),
        ("show all", False),
        ("fetch all from c", False),
        ("begin", False),
        ("selct 1", False),
    ],
)
def test_that_only_what_copy_leaves_unchanged_is_wrapped(sql, pages):
    assert [statement.pages for statement in split(sql)] == [pages]


def test_that_a_wrong_statement_leaves_the_others_what_they_are():
    found = split("selct 1; select 2; insert into t values (1) returning *; table t")
    assert [statement.pages for statement in found] == [False, True, False, True]
    deep = "select " + " || ".join(["'x'"] * 500)
    assert [statement.pages for statement in split(f"{deep}; select 2")] == [False, True]


PIECES = [
    "select 1",
    "select ';'",
    'select ";"',
    "select $$;$$",
    "select $q$ $$ ; $q$",
    "select 'it''s; 😀'",
    "select /* ; */ 1",
    "select 1 -- ;\n",
    "do $$begin perform 1; end$$",
    "create rule r as on insert to t do also (delete from a; delete from b)",
    "create function f() returns int begin atomic select 1; select 2; end",
    "with é as (select 1) select * from é",
    "begin",
    "update t set a = case when b then 1 end",
]
GAPS = ["", " ", "\n", "/* ; */", "-- ; 😀\n", "\t;", ";;", "/* a /* ; */ b */ "]


@given(
    st.lists(st.tuples(st.sampled_from(GAPS), st.sampled_from(PIECES), st.sampled_from(["", " ", "\n"])), max_size=8)
)
@settings(max_examples=300, deadline=None)
def test_that_statements_put_together_come_apart_at_the_same_places(parts):
    whole, expected = "", []
    for gap, piece, tail in parts:
        whole += gap
        expected.append((len(whole), piece.rstrip()))
        whole += piece + tail + ";"
    found = split(whole)
    assert [statement.start for statement in found] == [start for start, _ in expected]
    assert [statement.text.rstrip("-; \n") for statement in found] == [text.rstrip("-; \n") for _, text in expected]


@given(st.text(st.one_of(st.characters(exclude_characters="\0"), st.sampled_from("';\"$()-/*ab \n"))))
@settings(max_examples=500, deadline=None)
def test_that_any_text_is_cut_into_pieces_of_itself_in_order(sql):
    end = 0
    for statement in split(sql):
        assert statement.start >= end
        assert sql[statement.start : statement.end] == statement.text
        assert statement.text
        end = statement.end


def test_that_the_statement_at_the_caret_is_found():
    sql = "select 1;\nselect 2;\n\n"
    found = split(sql)
    assert [at(found, position).start for position in range(len(sql))] == [0] * 10 + [10] * 11
    assert at([], 0) is None


def test_that_the_caret_right_behind_a_semicolon_belongs_to_the_statement_before_it():
    found = split("select 1; select 2")
    assert at(found, 9) is found[0]
    assert at(found, 10) is found[1]
