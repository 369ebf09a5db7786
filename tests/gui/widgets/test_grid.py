"""The calm table."""

import json

import pytest
from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, Qt
from PySide6.QtGui import QFontMetrics, QGuiApplication

from fix_grid import Values
from pgexplorer.ui import theme
from pgexplorer.ui.widgets import grid_copy
from pgexplorer.ui.widgets.grid import Grid
from pgexplorer.ui.widgets.grid_copy import FORMATS

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture
def grid(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    view = Grid()
    qtbot.addWidget(view)
    view.resize(600, 300)
    return view


def show(grid, rows, heads=("id\nbigint", "name\ntext"), whole=None):
    model = Values(rows, heads, whole)
    model.setParent(grid)
    grid.setModel(model)
    grid.show()
    return model


def test_that_the_selection_is_copied_as_values_between_tabs(grid, qtbot):
    show(grid, [("1", "a"), ("2", None), ("3", "c")])
    grid.selectAll()
    qtbot.keyClick(grid, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "1\ta\n2\t\n3\tc"


def test_that_copied_values_with_tabs_lines_and_quotes_are_quoted(grid):
    show(grid, [("a\tb", 'say "x"'), ("c\nd", "plain")])
    grid.selectAll()
    assert grid.copy_selection()
    assert QGuiApplication.clipboard().text() == '"a\tb"\t"say ""x"""\n"c\nd"\tplain'


def test_that_the_whole_value_is_copied_where_the_screen_shows_less(grid):
    show(grid, [("1", "long…")], whole={(0, 1): "long and longer"})
    grid.selectAll()
    grid.copy_selection()
    assert QGuiApplication.clipboard().text() == "1\tlong and longer"


def test_that_scattered_cells_keep_their_places_when_copied(grid):
    model = show(grid, [("1", "a"), ("2", "b"), ("3", "c")])
    chosen = QItemSelection(model.index(0, 0), model.index(0, 0))
    chosen.merge(QItemSelection(model.index(2, 1), model.index(2, 1)), QItemSelectionModel.SelectionFlag.Select)
    grid.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
    grid.copy_selection()
    assert QGuiApplication.clipboard().text() == "1\t\n\tc"


def test_that_many_cells_are_copied_while_the_window_answers(grid, qtbot):
    show(grid, [("1", "a")] * 100_000)
    grid.selectAll()
    with qtbot.waitSignal(grid.copied, timeout=60_000) as done:
        assert grid.copy_selection("CSV")
        assert grid.is_copying  # the call came back before the work was done
    assert done.args == [200_000]
    assert not grid.is_copying
    text = QGuiApplication.clipboard().text()
    assert text.startswith("id,name\n1,a\n")
    assert text.count("\n") == 100_001


def test_that_a_copy_too_large_for_the_clipboard_is_refused_aloud(grid, qtbot, monkeypatch):
    monkeypatch.setattr(grid_copy, "MOST_LETTERS", 1_000)
    show(grid, [("1", "a")] * 300)
    QGuiApplication.clipboard().setText("before")
    grid.selectAll()
    with qtbot.waitSignal(grid.copy_refused) as refusal:
        grid.copy_selection()
    assert refusal.args == [600]
    assert QGuiApplication.clipboard().text() == "before"


def test_that_a_new_copy_and_a_new_result_end_the_copy_under_way(grid, qtbot):
    show(grid, [("1", "a")] * 100_000)
    grid.selectAll()
    grid.copy_selection()
    grid.clearSelection()
    grid.setCurrentIndex(grid.model().index(0, 0))
    with qtbot.waitSignal(grid.copied) as done:
        grid.copy_selection()
    assert done.args == [1]
    assert QGuiApplication.clipboard().text() == "1"
    grid.selectAll()
    grid.copy_selection()
    grid.model().beginResetModel()
    grid.model().rows = []
    grid.model().endResetModel()
    assert not grid.is_copying
    assert QGuiApplication.clipboard().text() == "1"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("Tabs", '1\t"a\tb"\n\t'),
        ("Tabs, with names", 'id\tname\n1\t"a\tb"\n\t'),
        ("CSV", 'id,name\n1,a\tb\n,""\n'),
        ("JSON", '[\n  {"id": 1, "name": "a\\tb"},\n  {"id": null, "name": ""}\n]\n'),
        ("Markdown", "| id | name |\n| ---: | --- |\n| 1 | a\tb |\n| *NULL* |  |\n"),
        ("INSERT", 'INSERT INTO "T" ("id", "name") VALUES\n  (1, \'a\tb\'),\n  (NULL, \'\');\n'),
    ],
)
def test_that_null_nothing_and_tabs_are_told_apart_in_every_format(grid, form, text):
    show(grid, [("1", "a\tb"), (None, "")])
    grid.copied_table = '"T"'
    grid.selectAll()
    assert grid.copy_selection(form)
    assert QGuiApplication.clipboard().text() == text


def test_that_hard_values_survive_each_format(grid):
    heads = ("n\nnumeric", "n\nboolean", "j\njsonb", "t\ntext")
    rows = [("NaN", "t", '{"a": 123456789012345678901234567890}', "it's \\ a|b\nc"), ("-1.50", "f", "null", '"x"')]
    show(grid, rows, heads)
    grid.selectAll()
    copied = {}
    for form in FORMATS:
        grid.copy_selection(form)
        copied[form] = QGuiApplication.clipboard().text()
    parsed = json.loads(copied["JSON"])
    assert [list(row) for row in parsed] == [["n", "n_2", "j", "t"]] * 2
    assert [row["n"] for row in parsed] == ["NaN", -1.5]
    assert "123456789012345678901234567890" in copied["JSON"]
    assert [row["n_2"] for row in parsed] == [True, False]
    assert [row["t"] for row in parsed] == [rows[0][3], rows[1][3]]
    assert "E'it''s \\\\ a|b\nc'" in copied["INSERT"]
    assert "'-1.50'" in copied["INSERT"]
    assert "it's \\\\ a\\|b<br>c" in copied["Markdown"]
    assert '"it\'s \\ a|b\nc"' in copied["CSV"]


def test_that_cells_here_and_there_keep_their_places(grid):
    model = show(grid, [("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")])
    chosen = QItemSelection(model.index(0, 0), model.index(1, 0))
    chosen.merge(QItemSelection(model.index(1, 1), model.index(3, 1)), QItemSelectionModel.SelectionFlag.Select)
    grid.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
    grid.copy_selection()
    assert QGuiApplication.clipboard().text() == "1\t\n2\tb\n\tc\n\td"


def test_that_nothing_selected_copies_nothing(grid):
    QGuiApplication.clipboard().setText("before")
    show(grid, [("1", "a")])
    grid.clearSelection()
    assert not grid.copy_selection()
    assert QGuiApplication.clipboard().text() == "before"


def test_that_a_value_of_several_lines_is_shown_as_one(grid):
    show(grid, [("1", "a\nb\r\nc")])
    assert grid.itemDelegate().displayText("a\nb\r\nc", None) == "a↵b↵c"


def test_that_columns_are_as_wide_as_their_values_within_limits(grid):
    show(grid, [("1", "a" * 20), ("2", "x" * 5000)])
    assert 60 <= grid.columnWidth(0) < grid.columnWidth(1) <= 320


def test_that_only_the_first_rows_are_measured(grid):
    model = Values([("1", "a")] * 100_000, ("id", "name"))
    model.setParent(grid)
    grid.setModel(model)
    assert max(model.asked) < 100


def test_that_columns_are_fitted_when_the_first_rows_come(grid):
    model = show(grid, [])
    model.beginInsertRows(QModelIndex(), 0, 0)
    model.rows = [("1", "a rather long value")]
    model.endInsertRows()
    fitted = grid.columnWidth(1)
    assert fitted > 120
    grid.setColumnWidth(1, 77)
    model.beginInsertRows(QModelIndex(), 1, 1)
    model.rows.append(("2", "another rather long value"))
    model.endInsertRows()
    assert grid.columnWidth(1) == 77


def test_that_a_head_has_room_for_the_name_and_the_type(grid):
    show(grid, [("1", "a")], heads=("a_rather_long_column_name\ntext", "x\ntimestamp with time zone"))
    header = grid.horizontalHeader()
    assert header.height() >= 2 * grid.fontMetrics().height()
    for column in (0, 1):
        assert grid.columnWidth(column) >= header.wanted_width(column)


def test_that_null_is_painted_otherwise_than_the_word(grid, qapp):
    show(grid, [("NULL", None)], heads=("a", "b"))
    grid.setColumnWidth(0, 90)
    grid.setColumnWidth(1, 90)
    grid.clearSelection()
    grid.setCurrentIndex(QModelIndex())
    qapp.processEvents()
    pictures = []
    for column in (0, 1):
        area = grid.visualRect(grid.model().index(0, column))
        pictures.append(grid.viewport().grab(area).toImage())
    assert pictures[0] != pictures[1]


def test_that_rows_are_of_one_height_whatever_is_in_them(grid):
    show(grid, [("1", "a\n" * 50), ("2", "b")])
    assert grid.rowHeight(0) == grid.rowHeight(1) == grid.verticalHeader().defaultSectionSize()
    assert 22 <= grid.rowHeight(0) <= 28


def test_that_a_view_without_a_model_can_do_everything(grid):
    assert not grid.copy_selection()
    grid.fit_columns()
    grid.setModel(None)
    grid.grab()


def test_that_a_very_wide_result_is_fitted_by_a_bounded_number_of_cells_and_once(grid, qtbot):
    model = Values([tuple("x" * 9 for _ in range(1600))] * 300, [f"c{n}\ntext" for n in range(1600)])
    model.setParent(grid)
    grid.setModel(model)
    assert model.cells <= 2_000
    grid.fit_columns()
    qtbot.waitUntil(lambda: grid.columnWidth(1599) == grid.columnWidth(0))
    assert 1600 <= model.cells <= 3_400
    before = model.cells
    grid.fit_columns()
    assert model.cells == before


def test_that_a_result_that_goes_while_it_is_fitted_does_no_harm(grid, qtbot):
    wide = Values([("x",) * 1600], ["c"] * 1600)
    wide.setParent(grid)
    grid.setModel(wide)
    show(grid, [("1", "a rather long value")])
    fitted = grid.columnWidth(1)
    assert fitted > 120
    qtbot.wait(20)
    assert grid.columnWidth(1) == fitted


def test_that_fitting_again_undoes_what_was_dragged(grid):
    show(grid, [("1", "a rather long value")])
    fitted = grid.columnWidth(1)
    grid.setColumnWidth(1, 77)
    grid.fit_columns()
    assert grid.columnWidth(1) == fitted


def test_that_columns_without_rows_are_fitted_by_their_heads(grid, qtbot):
    show(grid, [], heads=("a_rather_long_column_name\ntext", "x\ntext"))
    qtbot.waitUntil(lambda: grid.columnWidth(0) >= grid.horizontalHeader().wanted_width(0) > grid.columnWidth(1))


def test_that_counted_letters_are_as_wide_as_shaped_ones(grid):
    show(grid, [("1", "W" * 30), ("2", "i" * 30)])
    shaped = QFontMetrics(theme.mono()).horizontalAdvance("W" * 30)
    assert 0 <= grid.columnWidth(1) - shaped <= 2 * theme.scaled(7) + 4
