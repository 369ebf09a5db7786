"""Finding, menus, going to a row and seeing a value in a table."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QInputDialog, QMenu, QPlainTextEdit

from fix_grid import Values
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.cell_viewer import CellViewer
from pgexplorer.ui.widgets.grid import Grid

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture
def grid(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    view = Grid()
    qtbot.addWidget(view)
    view.resize(600, 300)
    model = Values([(str(n), f"Name {n}") for n in range(2_000)], ("id\nbigint", "name\ntext"))
    model.setParent(view)
    view.setModel(model)
    view.show()
    return view


def find(grid, qtbot, text, step="next"):
    grid.open_find()
    grid.find_bar.text.setText(text)
    getattr(grid.find_bar, step)()
    qtbot.waitUntil(lambda: not grid.find_bar.is_looking)
    index = grid.currentIndex()
    return grid.find_bar.said.text(), (index.row(), index.column()) if index.isValid() else None


def entries(menu: QMenu):
    return {action.text().partition("\t")[0]: action for action in menu.actions()}


def test_that_text_is_found_onwards_backwards_and_around_the_end(grid, qtbot):
    assert find(grid, qtbot, "NAME 123") == ("row 124", (123, 1))
    assert find(grid, qtbot, "name 123") == ("row 1,231", (1230, 1))
    assert find(grid, qtbot, "name 123", "previous") == ("row 124", (123, 1))
    assert find(grid, qtbot, "name 7", "previous") == ("row 80", (79, 1))
    assert find(grid, qtbot, "no such name") == ("not found", (79, 1))
    assert find(grid, qtbot, "name 79") == ("row 791", (790, 1))


def test_that_what_is_hidden_is_not_found(grid, qtbot):
    grid.setColumnHidden(1, True)
    assert find(grid, qtbot, "name")[0] == "not found"
    assert find(grid, qtbot, "42") == ("row 43", (42, 0))


def test_that_a_search_is_ended_by_escape_and_by_new_text(grid, qtbot):
    grid.open_find()
    bar = grid.find_bar
    bar.text.setText("no such text")
    bar.next()
    assert bar.is_looking
    qtbot.keyClick(bar.text, Qt.Key.Key_Escape)
    assert not bar.is_looking
    assert bar.isVisible()
    bar.next()
    qtbot.keyClicks(bar.text, "x")
    assert not bar.is_looking
    qtbot.keyClick(bar.text, Qt.Key.Key_Escape)
    assert not bar.isVisible()


def test_that_a_result_that_goes_away_ends_the_search(grid, qtbot):
    grid.open_find()
    grid.find_bar.text.setText("no such text")
    grid.find_bar.next()
    grid.setModel(Values([("1",)], ("a",)))
    qtbot.waitUntil(lambda: not grid.find_bar.is_looking)
    assert grid.find_bar.said.text() == "stopped"


def test_that_the_keys_open_the_bar_the_value_and_the_row(grid, qtbot, monkeypatch):
    qtbot.keyClick(grid, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert grid.find_bar.isVisible()
    monkeypatch.setattr(QInputDialog, "getInt", lambda *given: (1_500, True))
    qtbot.keyClick(grid, Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    assert grid.currentIndex().row() == 1_499
    qtbot.keyClick(grid, Qt.Key.Key_Return)
    [viewer] = grid.findChildren(CellViewer)
    assert viewer.windowTitle() == "id · bigint"
    assert viewer.findChild(QPlainTextEdit, "cell.text").toPlainText() == "1499"


def test_that_the_menu_of_the_cells_copies_in_every_format(grid):
    empty = Grid()
    empty.setModel(Values([], ("a",)))
    assert not entries(empty.menus.of_cells())["Copy"].isEnabled()
    empty.deleteLater()
    grid.selectRow(2)
    menu = grid.menus.of_cells()
    formats = entries(entries(menu)["Copy as"].menu())
    assert list(formats) == ["Tabs", "Tabs, with names", "CSV", "JSON", "Markdown", "INSERT"]
    formats["JSON"].trigger()
    assert QGuiApplication.clipboard().text() == '[\n  {"id": 2, "name": "Name 2"}\n]\n'
    entries(menu)["Copy"].trigger()
    assert QGuiApplication.clipboard().text() == "2\tName 2"


def test_that_columns_are_hidden_shown_moved_and_put_back(grid):
    head = grid.horizontalHeader()
    entries(grid.menus.of_column(0))["Hide"].trigger()
    assert grid.isColumnHidden(0)
    menu = entries(grid.menus.of_column(1))
    assert not menu["Hide"].isEnabled()  # the last one stays
    entries(menu["Show"].menu())["id"].trigger()
    assert not grid.isColumnHidden(0)
    head.moveSection(0, 1)
    entries(grid.menus.of_column(1))["Columns in their first order"].trigger()
    assert [head.visualIndex(column) for column in (0, 1)] == [0, 1]
    entries(grid.menus.of_column(1))["Copy the name"].trigger()
    assert QGuiApplication.clipboard().text() == "name"


def test_that_a_column_is_fitted_to_the_values_in_view(grid):
    grid.model().rows[1_500] = ("1500", "a rather long name that stands far below the first page")
    narrow = grid.columnWidth(1)
    grid.scrollTo(grid.model().index(1_500, 0))
    entries(grid.menus.of_column(1))["Fit to its values"].trigger()
    assert grid.columnWidth(1) > narrow * 2


def test_that_rows_that_are_not_here_are_told_by_a_search_and_never_copied(grid, qtbot):
    class Away(Values):
        def lines(self, first, count):
            return [None if row >= 10 else self.rows[row] for row in range(first, first + count)]

    model = Away([(str(n), f"Name {n}") for n in range(30)], ("id\nbigint", "name\ntext"))
    model.setParent(grid)
    grid.setModel(model)
    assert find(grid, qtbot, "name 9")[0] == "row 10"
    assert find(grid, qtbot, "name 25")[0] == "not found; 20 rows are not here"
    QGuiApplication.clipboard().setText("before")
    grid.selectAll()
    with qtbot.waitSignal(grid.copy_refused):
        grid.copy_selection()
    assert QGuiApplication.clipboard().text() == "before"
    grid.setCurrentIndex(model.index(20, 0))
    grid.view_current()
    assert grid.findChildren(CellViewer) == []
