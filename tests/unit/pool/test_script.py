"""The Python that a person's clicks amount to, as text."""

import ast

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.pool import PoolError

from pgexplorer.pool.script import Script

ODD = "it's \"odd\"\\ \n\r\t\x85\u2028 {x} %s 😀 '''"


def script(**parameters):
    return Script("ThreadedConnectionPool", 2, 3, {"host": "localhost", **parameters})


def literals(text):
    return [node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]


def test_that_a_script_takes_its_password_from_outside_and_holds_none():
    made = script(password="pw-CANARY-7f3a", user="me")
    assert "pw-CANARY-7f3a" not in made.text()
    assert 'os.environ.get("PGPASSWORD")' in made.text()
    assert "password" not in made.parameters


def test_that_a_script_opens_the_pool_with_its_limits():
    assert script().lines == ("pool = ThreadedConnectionPool(2, 3, **parameters)",)
    assert "from psycopg2.pool import PoolError, ThreadedConnectionPool" in script().text()


@given(st.text(st.characters(exclude_categories=())))
def test_that_any_value_and_any_sql_survive_in_the_script(value):
    made = script(dbname=value)
    made.check_out("connection1", 7)
    made.run("connection1", value, returns_rows=True)
    assert literals(made.text()).count(value) >= 2


@given(st.text())
def test_that_no_words_of_a_server_become_code(words):
    made = script()
    made.check_out_refused(psycopg2.OperationalError(words))
    tree = ast.parse(made.text().encode())
    assert len(tree.body) == len(ast.parse(script().text()).body) + 1
    assert isinstance(tree.body[-1], ast.Try)


def test_that_a_carriage_return_in_an_error_does_not_end_its_comment():
    made = script()
    made.run("connection1", "x", returns_rows=False, error=psycopg2.ProgrammingError("no\rprint('pwned')"))
    assert "pwned" not in ast.unparse(ast.parse(made.text()))


@pytest.mark.parametrize(
    ("error", "caught"),
    [
        (PoolError("connection pool exhausted"), "PoolError"),
        (psycopg2.OperationalError("gone"), "psycopg2.Error"),
        (ValueError("year -44 is out of range"), "ValueError"),
    ],
)
def test_that_a_script_catches_what_was_raised(error, caught):
    made = script()
    made.run("connection1", ODD, returns_rows=False, error=error)
    [handler] = ast.parse(made.text()).body[-1].handlers
    assert ast.unparse(handler.type) == caught


def test_that_names_count_up_and_a_leak_is_a_del():
    made = script()
    assert [made.next_name(), made.next_name()] == ["connection1", "connection2"]
    made.leak("connection2")
    assert made.lines[-1].startswith("del connection2")
