"""What is pending, written as lines and read again, whatever the values; and into a table that has changed."""

import json
import random
import sys

import pytest

from pgexplorer.db.rows import Clipped
from pgexplorer.db.table.changes import DEFAULT
from pgexplorer.db.table.pages import Place, Version
from pgexplorer.models.kept import Head, brought, head_line, read_lines, sending_line, state_lines
from pgexplorer.models.pending import Added, Edited

HEAD = Head("me@there:5432/shop", "shop", "public", "t", ("id", "name", "age"), ("id",))
TEXTS = ["", "x", None, "NULL", "DEFAULT", DEFAULT, "'\\\"\n\r\t\u2028", "\ud800", "é😀", '{"default": true}']


def whole(*lines):
    return [f"{line}\n" for line in lines]


def row(key, old, new=None, *, deleted=False, xmin="700"):
    return Edited(Place((key,), Version("16384", "(0,1)", xmin)), old, new or {}, deleted)


def same(one, other):
    assert type(one) is type(other)
    assert dict(one.new) == dict(other.new)
    assert [type(one.new[at]) for at in one.new] == [type(other.new[at]) for at in one.new]
    if isinstance(one, Edited):
        assert (one.place, one.place.version) == (other.place, other.place.version)
        assert (one.old, one.is_deleted) == (other.old, other.is_deleted)
        for mine, theirs in zip(one.old, other.old, strict=True):
            assert type(mine) is type(theirs)
            assert getattr(mine, "size", 0) == getattr(theirs, "size", 0)


def test_that_every_change_is_read_as_it_was_written():
    chance = random.Random(3)
    for _ in range(200):
        states = {}
        for number in range(chance.randrange(1, 6)):
            new = {at: chance.choice(TEXTS) for at in range(3) if chance.random() < 0.6}
            if chance.random() < 0.4:
                states[number + 1] = Added(new)
            else:
                cut = Clipped("abc", 5000, is_exact=False)
                old = tuple(chance.choice([*(text for text in TEXTS if text is not DEFAULT), cut]) for _ in range(3))
                states[str(number),] = row(str(number), old, new, deleted=chance.random() < 0.5)
        kept = read_lines(whole(head_line(HEAD), *state_lines(states.items())))
        assert (kept.head, kept.transaction) == (HEAD, "")
        assert list(kept.states) == list(states)
        for slot, state in states.items():
            same(kept.states[slot], state)


def test_that_later_lines_replace_earlier_ones_and_half_a_line_is_left_out():
    one, other = row("1", ("1", "a", "7"), {1: "b"}), row("1", ("1", "a", "7"), {1: "c"})
    lines = whole(head_line(HEAD), *state_lines([(("1",), one), (2, Added({0: "9"})), (("1",), other), (2, None)]))
    kept = read_lines(lines)
    assert list(kept.states) == [("1",)]
    same(kept.states["1",], other)
    assert kept.counts.words == "1 changed"
    torn = [*whole(head_line(HEAD), *state_lines([(("1",), one)])), next(state_lines([(("1",), other)]))[:20]]
    same(read_lines(torn).states["1",], one)


def test_that_what_was_being_committed_is_told_from_what_was_changed_after_that():
    states = [(("1",), row("1", ("1", "a", "7"), {1: "b"})), (1, Added({}))]
    kept = read_lines(whole(head_line(HEAD), *state_lines(states), sending_line("77"), *state_lines([(2, Added({}))])))
    assert (kept.transaction, kept.since, len(kept.states)) == ("77", {2}, 3)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["{"],
        ["[]"],
        ["7"],
        ['{"version": 2}'],
        ['{"version": 1, "server": 1}'],
        [head_line(HEAD), "{}"],
        [head_line(HEAD), '{"slot": ["1"], "new": {"7": "x"}, "read": ["1", "a", "7"], "version": []}'],
        [head_line(HEAD), '{"slot": ["1"], "new": {"1": "x"}, "read": ["1"], "version": []}'],
        [head_line(HEAD), '{"slot": ["1", "2"], "new": {"1": "x"}, "read": ["1", "a", "7"], "version": []}'],
        [head_line(HEAD), '{"slot": 1, "new": {"1": 7}}'],
        [head_line(HEAD), '{"slot": 1, "new": []}'],
        [head_line(HEAD), '{"sending": 7}'],
        [head_line(HEAD), "[" * 100_000 + "]" * 100_000],
    ],
)
def test_that_what_was_not_written_here_is_refused(lines):
    sys.setrecursionlimit(1000)
    with pytest.raises((ValueError, RecursionError)):
        read_lines(whole(*lines))


def test_that_every_line_is_text_without_a_line_end():
    state = row("1", ("1", "\n\u2028\r", None), {1: "\n"})
    assert all(line.isascii() and "\n" not in line for line in state_lines([(("1",), state)]))
    assert json.loads(head_line(HEAD))["table"] == "t"


def place(values, marks):
    return Place((values.get("name"), values["id"]), marks)  # as when it is sorted by name


def test_that_changes_fit_a_table_whose_columns_were_moved_dropped_and_added():
    kept = read_lines(
        whole(
            head_line(HEAD),
            *state_lines(
                [
                    (("1",), row("1", ("1", "a", "7"), {1: "b", 2: "8"})),
                    (("2",), row("2", ("2", "c", "9"), {2: "10"})),
                    (("3",), row("3", ("3", "d", "9"), deleted=True)),
                    (1, Added({0: "4", 1: "e", 2: "5"})),
                ]
            ),
        )
    )
    found = brought(kept, ("name", "id", "more"), ("id",), place)
    first, third, new = found.states
    assert (first.place, first.place.version.xmin) == (("a", "1"), "700")
    assert (first.old, dict(first.new)) == (("a", "1", None), {0: "b"})
    assert third.is_deleted
    assert dict(new.new) == {1: "4", 0: "e"}
    assert found.lost == ["3 values of age, which is no column any more"]


def test_that_a_row_is_left_out_that_the_key_of_now_does_not_tell():
    kept = read_lines(whole(head_line(HEAD), *state_lines([(("1",), row("1", ("1", None, "7"), {2: "8"}))])))
    for key in ((), ("name",)):
        found = brought(kept, HEAD.columns, key, place)
        assert found.states == []
        assert found.lost == ["changes of 1 row, which cannot be told by the key that it has now"]
    assert len(brought(kept, HEAD.columns, ("age",), place).states) == 1
