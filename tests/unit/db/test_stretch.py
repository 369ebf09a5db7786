"""The stretch of a table in memory: whatever is looked at comes, and numbers are right as soon as they can be."""

import random

import pytest

from pgexplorer.db.rows import State
from pgexplorer.db.table.pages import Page, Read, To
from pgexplorer.db.table.stretch import MOST_ROWS, Missing, Stretch
from pgexplorer.db.values import Column

SIZE = 10
COLUMNS = (Column("n", "integer"),)


class Pretended:
    """A table of numbered rows, in memory; it knows about a row's number as a planner does."""

    def __init__(self, count, error=0):
        self.rows = [(str(n),) for n in range(count)]
        self.error = error

    def read(self, read):
        count = len(self.rows)
        place = int(read.place[0]) if read.place else 0
        row = None
        match read.to:
            case To.FIRST:
                begin, row = 0, 0
            case To.LAST:
                begin = max(0, count - SIZE)
            case To.AFTER:
                begin = place + 1
            case To.FROM:
                begin = place
            case To.BEFORE:
                begin = max(0, place - SIZE)
                return self.page(begin, place, None)
            case To.NEAR:
                begin = max(0, min(count - 1, read.row + self.error))
            case To.AT:
                begin, row = (read.row, read.row) if read.row < count else (max(0, count - SIZE), None)
        return self.page(begin, min(count, begin + SIZE), row)

    def page(self, begin, end, row):
        rows = self.rows[begin:end]
        return Page(rows, rows, begin == 0, end >= len(self.rows), row)


class View:
    """What a view does with a stretch: it keeps the rows in sight in sight."""

    def __init__(self, table, estimate):
        self.table = table
        self.stretch = Stretch(COLUMNS, estimate, SIZE)
        self.count = estimate
        self.first = 0
        self.reads = []

    def look(self, first, height=6):
        """Show *height* rows from *first* on, and read until they are here."""
        self.first = first
        for _ in range(30):
            first = max(0, min(self.first, self.count - height))
            wanted = self.stretch.wanted(first, first + height - 1)
            if wanted is None:
                return self.stretch.window(first, min(height, self.count))
            self.take(wanted)
        raise AssertionError(f"it reads for ever: {self.reads[-5:]}")

    def take(self, wanted):
        self.reads.append(wanted.to)
        shift = self.stretch.take(wanted, self.table.read(wanted))
        self.follow(shift)

    def follow(self, shift):
        self.first = max(0, self.first + shift.top)
        self.count += shift.top + shift.end
        assert self.count == self.stretch.known
        stretch = self.stretch
        assert 0 <= stretch.begin <= stretch.end <= stretch.known
        here = stretch.window(stretch.begin, stretch.end - stretch.begin)
        numbers = [int(row[0]) for row in here]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
        if stretch.is_exact and numbers:
            assert stretch.number(stretch.begin) == numbers[0]


def test_that_the_first_page_of_a_small_table_is_all_of_it():
    view = View(Pretended(4), 2550)
    rows = view.look(0)
    assert rows == [("0",), ("1",), ("2",), ("3",)]
    assert (view.stretch.known, view.stretch.is_counted, view.reads) == (4, True, [To.FIRST])


def test_that_an_empty_table_is_read_once():
    view = View(Pretended(0), 100)
    assert view.look(0) == []
    assert (view.stretch.known, view.reads) == (0, [To.FIRST])


def test_that_rows_that_are_not_here_are_missing_and_the_others_are_not():
    view = View(Pretended(100), 100)
    view.look(0)
    rows = view.stretch.window(8, 20)
    assert rows[0] == ("8",)
    assert isinstance(rows[-1][0], Missing)
    assert view.stretch.window(99, 5) == [(Missing("…"),)]
    assert view.stretch.window(-1, 5) == view.stretch.window(100, 5) == []


def test_that_a_jump_is_about_right_and_becomes_exact_at_the_beginning():
    view = View(Pretended(1000, error=7), 1000)
    view.look(0)
    view.look(500)
    stretch = view.stretch
    assert not stretch.is_exact
    assert To.NEAR in view.reads
    wrong = int(stretch.window(stretch.begin, 1)[0][0]) - stretch.number(stretch.begin)
    assert wrong == 7
    while not stretch.is_exact:
        view.look(max(0, view.first - 9))
    assert stretch.begin == 0
    assert view.stretch.window(0, 1) == [("0",)]


def test_that_a_count_puts_the_end_right():
    view = View(Pretended(1000), 700)
    view.look(0)
    view.look(10_000)
    assert not view.stretch.is_exact
    view.follow(view.stretch.count(1000))
    assert (view.stretch.known, view.stretch.is_exact) == (1000, True)
    assert view.look(990)[-1] == ("995",)


def test_that_a_row_that_was_counted_off_is_where_it_belongs():
    view = View(Pretended(1000, error=50), 600)
    view.look(0)
    view.take(Read(To.AT, row=777))
    assert (view.stretch.begin, view.stretch.is_exact) == (777, True)
    view.take(Read(To.AT, row=5000))
    assert view.stretch.window(view.stretch.end - 1, 1) == [("999",)]


def test_that_memory_stays_bounded_while_a_table_is_scrolled_through():
    view = View(Pretended(3000), 3000)
    for first in range(0, 2990, 4):
        assert view.look(first)[0] == (str(first),)
    assert view.stretch.end - view.stretch.begin <= 21 * SIZE
    assert set(view.reads) == {To.FIRST, To.AFTER}
    for first in range(2990, 0, -4):
        assert view.look(first)[0] == (str(min(first, 2994)),)
    assert set(view.reads) == {To.FIRST, To.AFTER, To.BEFORE}


@pytest.mark.parametrize("seed", range(60))
def test_that_whoever_looks_about_sees_rows_that_follow_one_another(seed):
    dice = random.Random(seed)
    count = dice.choice([1, 7, 10, 11, 95, 400, 3000])
    estimate = dice.choice([0, 1, count, count * 3, count // 2, 50])
    view = View(Pretended(count, dice.randint(-40, 40)), estimate)
    for _ in range(40):
        kind = dice.random()
        if kind < 0.1:
            view.follow(view.stretch.count(count))
        first = dice.choice([0, view.count, dice.randint(0, max(1, view.count)), view.first + dice.randint(-30, 30)])
        rows = view.look(max(0, first))
        assert not any(isinstance(row[0], Missing) for row in rows)
        numbers = [int(row[0]) for row in rows]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    while not (view.stretch.is_exact and view.stretch.begin == 0):
        view.look(max(0, min(view.first, view.count - 6) - 6))
    for first in range(0, count, 5):
        view.look(first)
    assert (view.stretch.known, view.stretch.is_counted, view.stretch.estimate) == (count, True, count)


def test_that_a_table_larger_than_a_view_is_shown_in_proportion():
    stretch = Stretch(COLUMNS, 100_000_000, SIZE)
    assert stretch.known == MOST_ROWS
    wanted = stretch.wanted(MOST_ROWS // 2, MOST_ROWS // 2 + 5)
    assert wanted.to is To.NEAR
    assert abs(wanted.row - 50_000_000) < 100
    rows = [(str(wanted.row + n),) for n in range(SIZE)]
    stretch.take(wanted, Page(rows, rows, False, False))
    assert abs(stretch.begin - MOST_ROWS // 2) < 100
    assert stretch.number(stretch.begin) == wanted.row
    assert stretch.wanted(stretch.begin + 2, stretch.begin + 3).to in {To.AFTER, To.BEFORE}
    assert stretch.state is State.MORE
