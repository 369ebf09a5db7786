"""The history's rows: what they say, and how newer and older ones join them."""

import time

import pytest
from PySide6.QtCore import QModelIndex

from pgexplorer.history import Entry
from pgexplorer.models.history_model import ICON_ROLE, RESULT, HistoryModel, when


def entries(*keys, **more):
    return [Entry(f"select {key}", 1.0, "me@here:5432/db", 0.5, 1, "SELECT 1", key=key, **more) for key in keys]


def texts(model):
    return [model.entry(row).sql for row in range(model.rowCount())]


def test_that_a_row_says_what_is_known_and_a_failure_by_word_and_icon(qtmodeltester):
    model = HistoryModel()
    model.show(
        [
            Entry("select\n  1", time.time(), "me@here:5432/db", 0.0123, 1_234, "SELECT 1234", key=3),
            Entry("select 1/0", 0.0, "", 2.0, -1, "", "division\nby zero", key=2),
            Entry("select pg_sleep(9)", 0.0, "", 2.0, -1, "", "cancelled", key=1),
        ],
        has_more=False,
    )
    rows = [[model.index(row, column).data() for column in range(6)] for row in range(3)]
    assert rows[0][1:] == ["12 ms", "1,234", "SELECT 1234", "me@here:5432/db", "select 1"]
    assert rows[1][1:4] == ["2.0 s", "", "failed: division by zero"]
    assert rows[2][3] == "cancelled"
    assert [model.index(row, RESULT).data(ICON_ROLE) for row in range(3)] == ["success", "error", "stop"]
    qtmodeltester.check(model)


def test_that_newer_statements_come_on_top_and_older_ones_below():
    model = HistoryModel()
    model.show(entries(5, 4), has_more=True)
    assert model.add_newer(entries(7, 6, 5, 4))
    asked = []
    model.more_wanted.connect(lambda: asked.append(model.last_key))
    assert model.canFetchMore(QModelIndex())
    model.fetchMore(QModelIndex())
    model.fetchMore(QModelIndex())  # it is not asked again while the answer is on its way
    model.add_older(entries(3, 2), has_more=False)
    assert asked == [4]
    assert texts(model) == [f"select {key}" for key in (7, 6, 5, 4, 3, 2)]
    assert not model.canFetchMore(QModelIndex())


def test_that_a_gap_is_told_and_nothing_is_mixed():
    model = HistoryModel()
    model.show(entries(5, 4), has_more=True)
    assert not model.add_newer(entries(9, 8))
    assert not model.add_newer([])  # they were forgotten elsewhere
    assert texts(model) == ["select 5", "select 4"]


def test_that_a_forgotten_statement_leaves_its_row():
    model = HistoryModel()
    model.show(entries(3, 2, 1), has_more=False)
    model.remove(2)
    model.remove(77)
    assert texts(model) == ["select 3", "select 1"]


@pytest.mark.parametrize(("back", "shown"), [(60, "%H:%M:%S"), (3 * 86_400, "%d %b %H:%M"), (400 * 86_400, "%d %b %Y")])
def test_that_the_time_has_as_much_of_a_date_as_it_needs(back, shown):
    now = time.mktime((2026, 11, 28, 12, 0, 0, 0, 0, -1))
    assert when(now - back, now) == time.strftime(shown, time.localtime(now - back))
