"""SQL laid out anew: nothing but white space changes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgexplorer.db.formatting import formatted, is_same


def test_that_a_query_is_laid_out_with_its_comments():
    sql = "-- all\nselect a,b /* two */, count(*) from t join u on t.id=u.id where a=1 -- why\n and b>2; select 1;"
    found = formatted(sql)
    assert found.text == (
        "-- all\nselect a,\n       b /* two */,\n       count(*)"
        "\n  from t\n  join u\n    on t.id=u.id\n where a=1 -- why\n\n"
        "   and b>2; select 1;"
    )
    assert (found.changed, found.kept, found.long) == (1, 0, 0)


def test_that_a_cast_is_not_torn_apart():
    assert "'{}'::jsonb" in formatted("select a from t where x @> '{}'::jsonb and y::int4 = 1").text


@pytest.mark.parametrize(
    "sql",
    [
        "create table t (id int, b text)",
        "\\d t",
        "copy t from stdin;\n1\tselect  a,b\n\\.\n",
        "do $$ begin   perform 1; end $$",
        "select 'a'\n  'b', c from t",
        "",
        "  \n-- nothing  \n",
    ],
)
def test_that_what_has_no_layout_or_would_mean_something_else_stays(sql):
    assert formatted(sql).text == sql


def test_that_a_statement_that_cannot_be_kept_is_counted_and_the_others_are_laid_out():
    found = formatted("select 'a'\n'b'; select a, b from t")
    assert (found.changed, found.kept) == (1, 1)
    long = formatted("select " + ", ".join(f"a{n}" for n in range(5000)) + "; select a, b from t")
    assert (long.changed, long.long) == (1, 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("select 1", "select\n  1", True),
        ("select a -- b\n", "select a -- b", True),
        ("select a -- b\nfrom t", "select a -- b from t", False),
        ("select a /* b */", "select a", False),
        ("select 'a b'", "select 'a  b'", False),
        ("select A", "select a", False),
        ("a->>'x'", "a->> 'x'", True),
        ("a - -1", "a--1", False),
        ("select :a", "select : a", False),
        ("select E'a'", "select E 'a'", False),
    ],
)
def test_that_sameness_is_told_by_tokens(one, other, same):
    assert is_same(one, other) is same


WORDS = [
    "select", "from", "where", "a", "t.b", "'x  y'", "E'\\''", '"Q  q"', "$$ a  b $$", ",", "(", ")", "and",
    "or", "=", "->>",
    "::", "int4", "-- c\n", "/* d\n  e */", "case", "when", "then", "end", ":v", "$1", "[", "]", "1.5",
    "join", "on", "with",
    "as", "insert into", "values", "update", "set", "group by", "order by", "between", "\n", "union all",
    "limit", "*", "-",
]  # fmt: skip


@given(st.sampled_from(["select", "with", "insert into", "update"]), st.lists(st.sampled_from(WORDS), max_size=25))
@settings(max_examples=300, deadline=None)
def test_that_whatever_is_laid_out_only_its_white_space_changes(first, words):
    sql = " ".join([first, *words])
    assert is_same(sql, formatted(sql).text)
