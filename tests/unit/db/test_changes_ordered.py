"""Changes of rows in an order in which they can be done, and as values that can be sent."""

import itertools

import pytest

from pgexplorer.db.table.changes import DEFAULT, Delete, Insert, Update, check_value, ordered
from pgexplorer.db.table.editable import Constraint, Editable, Field
from pgexplorer.db.table.pages import Place, Version

NAMES = ["id", "slug", "parent"]
UNIQUE = (Constraint("k", ("id",), True), Constraint("s", ("slug",), True))
OWN = Constraint("f", ("parent",), False, ("id",))


def editable(*constraints):
    return Editable(tuple(Field(name, "text", False) for name in NAMES), constraints)


def update(old, **new):
    place = Place(old[:1], Version("1", "(0,1)", "7"))
    return Update(old[:1], place, old, tuple((NAMES.index(name), value) for name, value in new.items()))


def delete(old):
    return Delete(old[:1], Place(old[:1], Version("1", "(0,1)", "7")), old)


def insert(number, **new):
    return Insert(number, tuple((NAMES.index(name), value) for name, value in new.items()))


A, B, C = ("1", "a", None), ("2", "b", "1"), ("3", "c", "1")


def in_order(changes, *constraints):
    """Return the changes as they would be sent; the same from every order in which they were made."""
    return [ordered(each, NAMES, editable(*constraints)) for each in itertools.permutations(changes)]


def test_that_without_a_reason_deletes_come_first_and_inserts_last():
    changes = [insert(1, slug="x"), update(A, slug="y"), delete(B)]
    assert all([type(each).__name__ for each in found] == ["Delete", "Update", "Insert"] for found in in_order(changes))


def test_that_a_value_is_given_up_before_another_row_takes_it():
    shift = [update(A, slug="b"), update(B, slug="c"), update(C, slug="d")]
    for found in in_order(shift, *UNIQUE):
        assert found == [shift[2], shift[1], shift[0]]
    changes = [insert(1, slug="a"), update(A, slug="z")]
    assert all(isinstance(found[0], Update) for found in in_order(changes, *UNIQUE))


def test_that_a_key_that_is_given_up_by_a_delete_can_be_taken():
    changes = [update(B, id="1"), delete(A)]
    assert all(isinstance(found[0], Delete) for found in in_order(changes, *UNIQUE))


def test_that_a_row_is_there_before_another_refers_to_it():
    changes = [update(C, parent="9"), insert(1, id="9", parent="8"), insert(2, id="8")]
    for found in in_order(changes, *UNIQUE, OWN):
        assert found == [changes[2], changes[1], changes[0]]


def test_that_a_row_is_referred_to_no_more_before_it_goes():
    changes = [delete(A), update(B, parent=None), delete(C)]
    for found in in_order(changes, *UNIQUE, OWN):
        assert found[-1] == changes[0]


def test_that_two_rows_that_swap_a_value_are_sent_all_the_same():
    changes = [update(A, slug="b"), update(B, slug="a"), delete(C), insert(1, slug="x")]
    for found in in_order(changes, *UNIQUE):
        assert sorted(map(repr, found)) == sorted(map(repr, changes))
        assert isinstance(found[0], Delete)


def test_that_nulls_and_parts_of_keys_are_in_nobodys_way():
    composite = Constraint("c", ("slug", "parent"), True)
    changes = [update(A, slug="b"), update(B, slug="c")]
    assert ordered(changes, NAMES, editable(composite)) == changes  # A has no parent: nothing is taken from B
    changes = [update(("1", "a", "1"), slug="b"), update(("2", "b", "1"), slug="c")]
    assert ordered(changes, NAMES, editable(composite)) == changes[::-1]


def test_that_a_thousand_rows_in_a_chain_are_ordered_soon():
    rows = [(str(n), f"s{n}", None) for n in range(1000)]
    changes = [update(row, slug=f"s{n + 1}") for n, row in enumerate(rows)]
    assert ordered(changes, NAMES, editable(*UNIQUE)) == changes[::-1]


@pytest.mark.parametrize("value", ["", "a", "DEFAULT", None, DEFAULT, "\x01", "é", "a\nb"])
def test_that_a_value_that_can_be_kept_is_sent(value):
    assert check_value(value) == ""


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_that_what_no_database_can_keep_is_told(value):
    assert check_value(value) != ""
