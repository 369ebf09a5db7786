"""What is pending over a table's rows: steps and their way back, new rows between others, rows that move under them."""

import random

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QAbstractItemModelTester

from pgexplorer.db.rows import Clipped
from pgexplorer.db.table.changes import DEFAULT, Delete, Insert, Update
from pgexplorer.db.table.pages import Page, Place, Read, To, Version
from pgexplorer.db.table.stretch import Stretch
from pgexplorer.db.values import Column
from pgexplorer.models.pending import Added, Edited, Pending
from pgexplorer.models.seats import Seats
from pgexplorer.models.table_model import TableModel

COLUMNS = (Column("id", "integer"), Column("name", "text"))


def place(key, xmin="7"):
    return Place((str(key),), Version("1", f"(0,{key})", xmin))


def edited(key, name):
    return Edited(place(key), (str(key), f"name {key}")).with_values({1: name})


def test_that_a_value_set_back_is_no_change_and_null_is_not_the_empty_text():
    row = Edited(place(1), ("1", None))
    assert row.with_values({1: None}) is None
    assert row.with_values({1: ""}).new == {1: ""}
    assert row.with_values({1: ""}).with_values({1: None}) is None
    assert row.with_values({0: DEFAULT}).new == {0: DEFAULT}
    text = Edited(place(1), ("1", "DEFAULT"))
    assert text.with_values({1: DEFAULT}).new[1] is DEFAULT
    cut = Edited(place(1), ("1", Clipped("abc", 5000)))
    assert cut.with_values({1: "abc"}).new == {1: "abc"}


def test_that_random_steps_can_all_be_undone_and_done_again():
    for seed in range(50):
        chance = random.Random(seed)
        pending, states = Pending(), []

        def seen(pending=pending):
            return sorted(map(repr, pending.changes()))

        states.append(seen())
        for _ in range(30):
            slots = [(str(chance.randrange(6)),) for _ in range(chance.randrange(1, 3))]
            step = [(slot, chance.choice([edited(int(slot[0]), name=str(chance.random())), None])) for slot in slots]
            if chance.random() < 0.3:
                step = [(pending.new_number(), Added({0: "x"}))]
            if pending.put(dict(step).items()):
                states.append(seen())
        for before in reversed(states[:-1]):
            pending.undo()
            assert seen() == before
        assert not pending.can_undo
        for after in states[1:]:
            pending.redo()
            assert seen() == after
        assert not pending.can_redo


def test_that_counts_and_changes_say_what_there_is():
    pending = Pending()
    pending.put([(("1",), edited(1, name="a")), (("2",), Edited(place(2), ("2", "b"), {}, True)), (1, Added({1: "n"}))])
    assert pending.counts().words == "1 changed, 1 inserted, 1 deleted"
    assert [type(each) for each in pending.changes()] == [Update, Delete, Insert]


def test_that_seats_agree_with_a_list_of_rows_whatever_comes_and_goes():
    for seed in range(60):
        chance = random.Random(seed)
        seats, rows, number = Seats(), [("row", n) for n in range(chance.randrange(8))], 0
        for _ in range(40):
            bases = [at for at, (kind, _) in enumerate(rows) if kind == "row"]
            count = len(bases)
            wish = chance.random()
            if wish < 0.4:
                number += 1
                before = chance.randrange(count + 1)
                # behind those that sit there
                at = bases[before] if before < count else len(rows)
                rows.insert(at, ("new", number))
                assert seats.place(before) == at
                seats.add([number], before)
            elif wish < 0.55 and len(seats):
                gone = chance.choice(list(seats.numbers()))
                row = rows.index(("new", gone))
                assert seats.runs([gone]) == [(row, 1)]
                assert seats.remove_run(row, 1) == [(gone, sum(kind == "row" for kind, _ in rows[:row]))]
                del rows[row]
            elif wish < 0.75 and count:  # a row goes
                base = chance.randrange(count)
                del rows[bases[base]]
                seats.shift(base, -1)
            elif count:  # rows come before the first, or behind the last
                more = chance.randrange(1, 4)
                fresh = [("row", object()) for _ in range(more)]
                if chance.random() < 0.5:
                    rows[:0] = fresh
                    seats.shift(0, more)
                else:
                    rows += fresh
                    seats.shift(count, more)
            base = 0
            for at, (kind, what) in enumerate(rows):
                expected = (base, what if kind == "new" else None)
                assert seats.at(at) == expected
                if kind == "row":
                    assert seats.view(base) == at
                    base += 1
                else:
                    assert seats.row_of(what) == at


@pytest.fixture
def model(qapp):
    made = TableModel()
    QAbstractItemModelTester(made, QAbstractItemModelTester.FailureReportingMode.Fatal)
    stretch = Stretch(COLUMNS, 20, 10)
    made.may_edit = lambda _row, _column: True
    made.begin(stretch)
    made.take(Read(To.FIRST), page(0, 10))
    return made


def page(first, end, of=20):
    keys = range(first, end)
    return Page([(str(n), f"name {n}") for n in keys], [place(n) for n in keys], first == 0, end >= of, None)


def names(model):
    return [None if line is None else line[1] for line in model.lines(0, model.rowCount())]


def test_that_new_rows_sit_where_they_were_put_and_stay_beside_their_neighbours(model):
    model.put([(model.pending.new_number(), Added({1: "new"}))], 3)
    assert names(model)[:5] == ["name 0", "name 1", "name 2", "new", "name 3"]
    assert model.headerData(3, Qt.Orientation.Vertical) == "+"
    assert model.headerData(4, Qt.Orientation.Vertical) == "4"
    model.take(Read(To.AFTER, place(9)), page(10, 20))
    assert names(model) == [*(f"name {n}" for n in range(3)), "new", *(f"name {n}" for n in range(3, 20))]
    model.undo()
    assert names(model) == [f"name {n}" for n in range(20)]
    model.redo()
    assert names(model)[3] == "new"


def test_that_what_the_server_made_of_it_is_shown_in_place_and_read_on_from_where_it_was(model):
    number = model.pending.new_number()
    model.put([(number, Added({1: "new"}))], 10)
    model.put([(("9",), edited(9, name="last")), (("4",), Edited(place(4), ("4", "name 4"), {}, True))])
    model.settle(
        [
            (number, ("77", "NEW"), place(77, "9")),
            (("9",), ("99", "LAST"), place(99, "9")),
            (("4",), None, None),
        ]
    )
    assert names(model)[:10] == [*(f"name {n}" for n in range(4)), *(f"name {n}" for n in range(5, 9)), "LAST", "NEW"]
    assert not model.pending
    assert model.place(8) == ("99",)
    assert model.stretch.following().place == ("9",)  # though that row is 99 now
    model.take(Read(To.AFTER, place(9)), page(10, 20))
    assert names(model)[10:] == [f"name {n}" for n in range(10, 20)]
    assert model.rowCount() == 20


def test_that_a_new_row_that_is_read_where_it_belongs_is_not_shown_twice(model):
    number = model.pending.new_number()
    model.put([(number, Added({1: "new"}))], 2)
    model.settle([(number, ("12", "name 12"), place(12, "9"))])
    assert names(model)[2] == "name 12"
    model.take(Read(To.AFTER, place(9)), page(10, 20))
    assert names(model).count("name 12") == 1


def test_that_random_changes_keep_the_model_sound_and_undo_to_what_it_was(model):
    model.take(Read(To.AFTER, place(9)), page(10, 20))
    before = names(model)
    chance = random.Random(7)
    for _ in range(200):
        row = chance.randrange(model.rowCount())
        wish = chance.random()
        if wish < 0.3:
            model.put([(model.pending.new_number(), Added({1: "n"})) for _ in range(chance.randrange(1, 4))], row)
        elif wish < 0.6:
            model.put([(model.slot(row), model.state_to_edit(row).with_values({1: str(chance.random())}))])
        elif wish < 0.8:
            model.undo()
        else:
            model.redo()
    while model.pending.can_undo:
        model.undo()
    assert names(model) == before


def test_that_a_step_taken_in_pieces_is_one_step_and_counted_as_it_is():
    pending = Pending()
    pending.put([(("1",), edited(1, name="a"))])
    pending.put([(("2",), edited(2, name="b")), (("3",), Edited(place(3), ("3", "x"), {}, True))])
    pending.put([(pending.new_number(), Added({1: "n"})), (("1",), None)], joins=True)
    assert pending.counts().words == "1 changed, 1 inserted, 1 deleted"
    pending.undo()
    assert pending.counts().words == "1 changed"
    assert pending.get(("1",)).new == {1: "a"}
    pending.redo()
    pending.undo()
    pending.forget_undone()
    assert not pending.can_redo
    assert list(pending.new_numbers(2)) == [2, 3]


def test_that_targets_tell_of_each_row_what_the_view_tells(model):
    model.take(Read(To.AFTER, place(9)), page(10, 20))
    numbers = list(model.pending.new_numbers(5))
    model.put([(number, Added({1: f"new {number}"})) for number in numbers[:3]], 4)
    model.settle([(number, (f"{70 + number}", "sent"), place(70 + number, "9")) for number in numbers[:3]])
    model.put([(number, Added({1: f"new {number}"})) for number in numbers[3:]], 6)
    model.put([(("9",), edited(9, name="x"))])
    count = model.rowCount()
    for first in range(count):
        for end in (first, first + 1, count):
            assert list(model.targets(first, end)) == [
                (model.slot(row), model.state_to_edit(row)) for row in range(first, end)
            ]
    assert model.targets(0, count + 1) is None
