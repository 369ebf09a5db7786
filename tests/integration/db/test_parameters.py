"""Values that a text asks for: found, typed by the server, put in as values and never as SQL."""

import pytest

from pgexplorer.db.client import Client
from pgexplorer.db.parameters import Wanted, fill, wanted, with_types
from pgexplorer.db.session import Session


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select 1", []),
        ("select $1, $2, $1", ["$1", "$2"]),
        ("select :a, :'a', :\"b\" from t where x::int = :c", [":a", ':"b"', ":c"]),
        ("select ':a', $$ :b $1 $$, a[1:2], -- :c\n 'x'::text", []),
        ("prepare p as select $1; execute p(:v)", [":v"]),
        ("create function f(int) returns int language sql begin atomic select $1; end; select $1", ["$1"]),
    ],
)
def test_that_what_is_asked_for_is_found_once_each(text, names):
    assert [each.name for each in wanted(text)] == names


def test_that_the_server_says_the_types(client):
    text = "select * from person where id = :id and first_name like $1 and :day::date > now(); select :'x' || 'y'"
    found = with_types(client, text, wanted(text))
    assert {each.name: each.type_name for each in found} == {
        ":id": "bigint",
        "$1": "text",
        ":day": "date",
        ":x": "text",
    }
    assert client.pool.stats().used == 0


@pytest.mark.parametrize("text", ["select :a from nowhere", "drop table :a", "nonsense :a"])
def test_that_what_cannot_be_prepared_has_no_type(client, text):
    assert with_types(client, text, wanted(text)) == [Wanted(":a")]


def test_that_nothing_is_asked_in_an_open_transaction(client, side):
    session = Session(client)
    with session.lend("tab") as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN")
    assert with_types(session, "select :a + 1", [Wanted(":a")]) == [Wanted(":a")]
    assert not session.pin.is_failed
    session.release()


HOSTILE = ["", "it's", "back\\slash", "%s %(x)s {}", "'; DROP TABLE person; --", "$$", "é😀\n\t", '"']


@pytest.mark.parametrize("value", HOSTILE)
def test_that_a_value_is_a_value_whatever_it_holds(client, value):
    filled = fill("select :v, $1::text, :'v'", {":v": value, "$1": value}, {":v": "text"})
    with client.lend("test") as conn, conn.cursor() as cursor:
        for setting in ("on", "off"):
            cursor.execute(f"SET standard_conforming_strings = {setting}; SET escape_string_warning = off")
            cursor.execute(filled.text.encode())
            assert cursor.fetchall() == [(value, value, value)]
        cursor.execute("RESET ALL")


def test_that_null_and_names_are_put_in_too(client):
    filled = fill('select :v is null, 1 as :"name"', {":v": None, ':"name"': 'a "b" %'}, {":v": "integer"})
    with client.lend("test") as conn, conn.cursor() as cursor:
        cursor.execute(filled.text.encode())
        assert cursor.description[1].name == 'a "b" %'
        assert cursor.fetchall() == [(True, 1)]


def test_that_a_place_in_the_filled_text_is_found_again_in_the_original():
    text = "select :a, nonsense(:bcd), x"
    filled = fill(text, {":a": "a longer value", ":bcd": ""}, {":a": "text"})
    for word in ("select", "nonsense", "x"):
        assert filled.back(filled.text.rindex(word)) == text.rindex(word)
    assert filled.back(filled.text.index("longer")) == text.index(":a")


def test_that_a_client_serves_too(open_pool):
    assert with_types(Client(open_pool(1, 1)), "select $1 + 1", [Wanted("$1")]) == [Wanted("$1", "integer")]
