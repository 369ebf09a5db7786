"""What a table asks its owner for: to sort by a column, to filter by a value. It does neither itself."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage

from fix_grid import Values
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.grid import Grid

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

UP, DOWN = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder


@pytest.fixture
def grid(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    view = Grid()
    qtbot.addWidget(view)
    view.resize(600, 300)
    model = Values([("1", "b & c"), ("2", None), ("3", "x" * 5000), ("4", "")], ("id\nbigint", "name\ntext"))
    model.setParent(view)
    view.setModel(model)
    view.show()
    return view


@pytest.fixture
def wishes(grid):
    heard = []
    grid.sort_wanted.connect(lambda *wish: heard.append(wish))
    grid.filter_wanted.connect(lambda *wish: heard.append(wish))
    return heard


def entries(menu):
    return {action.text().partition("\t")[0]: action for action in menu.actions()}


def click(qtbot, grid, column, held=Qt.KeyboardModifier.NoModifier):
    head = grid.horizontalHeader()
    where = QPoint(head.sectionViewportPosition(column) + 20, head.height() // 2)
    qtbot.mouseClick(head.viewport(), Qt.MouseButton.LeftButton, held, where)


def test_that_a_click_on_a_head_asks_up_down_and_no_more_and_sorts_nothing(grid, qtbot, wishes):
    grid.offer_sorting(True)
    click(qtbot, grid, 1)
    assert wishes == [(1, UP, False)]
    assert grid.sorting() == ()
    assert grid.horizontalHeader().sortIndicatorSection() == -1  # nothing is said until it is so
    grid.show_sorting([(1, UP)])
    assert grid.horizontalHeader().sortIndicatorSection() == 1
    assert grid.horizontalHeader().isSortIndicatorShown()
    click(qtbot, grid, 1)
    grid.show_sorting([(1, DOWN)])
    assert grid.horizontalHeader().sortIndicatorOrder() is DOWN
    click(qtbot, grid, 1)
    assert wishes[1:] == [(1, DOWN, False), (1, None, False)]
    assert grid.model().rows[0][0] == "1"
    assert not grid.selectionModel().hasSelection()


def test_that_shift_sorts_beside_and_ctrl_selects(grid, qtbot, wishes):
    grid.offer_sorting(True)
    grid.show_sorting([(1, DOWN)])
    click(qtbot, grid, 0, Qt.KeyboardModifier.ShiftModifier)
    assert wishes == [(0, UP, True)]
    click(qtbot, grid, 0, Qt.KeyboardModifier.ControlModifier)
    assert wishes == [(0, UP, True)]
    assert {index.column() for index in grid.selectedIndexes()} == {0}
    assert grid.sorting() == ((1, DOWN),)


def test_that_a_click_selects_the_column_where_no_sorting_is_offered(grid, qtbot, wishes):
    click(qtbot, grid, 1)
    assert wishes == []
    assert {index.column() for index in grid.selectedIndexes()} == {1}
    assert "Sort ascending" not in entries(grid.menus.of_column(1))
    grid.offer_sorting(True)
    grid.show_sorting([(0, UP)])
    grid.offer_sorting(False)
    assert grid.sorting() == ()
    click(qtbot, grid, 0)
    assert wishes == []
    assert {index.column() for index in grid.selectedIndexes()} == {0}


def test_that_the_menus_ask_for_sorting(grid, wishes):
    grid.offer_sorting(True)
    for text in ("Sort ascending", "Sort descending", "No sort"):
        entries(grid.menus.of_column(1))[text].trigger()
    grid.setCurrentIndex(grid.model().index(0, 0))
    column = entries(grid.menus.of_cells())["Column"].menu()  # by the keyboard
    entries(column)["Sort descending"].trigger()
    assert wishes == [(1, UP, False), (1, DOWN, False), (1, None, False), (0, DOWN, False)]


def test_that_every_sorted_head_has_its_mark_and_its_rank(grid):
    grid.offer_sorting(True)
    head = grid.horizontalHeader()

    def accent(column) -> int:
        left = head.sectionViewportPosition(column)
        picture: QImage = head.grab().toImage()
        right = left + head.sectionSize(column)
        pixels = (picture.pixelColor(x, y) for x in range(left, right) for y in range(picture.height()))
        return sum(pixel.blue() - pixel.red() > 60 for pixel in pixels)  # smoothed at its edges

    assert (accent(0), accent(1)) == (0, 0)
    grid.show_sorting([(1, UP)])
    assert accent(0) == 0 < accent(1)
    one = accent(1)
    grid.show_sorting([(1, UP), (0, DOWN)])
    assert accent(0) > 0
    assert accent(1) > one  # its rank beside it


def test_that_the_menu_of_a_cell_asks_for_filters_by_its_whole_value(grid, wishes):
    grid.model().whole = {(0, 1): "b & c, and more"}
    grid.setCurrentIndex(grid.model().index(0, 1))
    assert not any(text.startswith("Filter") for text in entries(grid.menus.of_cells()))
    grid.offer_filtering(True)
    offered = entries(grid.menus.of_cells())
    filters = [text for text in offered if text.startswith("Filter")]
    assert filters == [
        "Filter: name = b && c",  # an & that a menu shows as one
        "Filter: name ≠ b && c",
        "Filter: name is NULL",
        "Filter: name is not NULL",
    ]
    for text in filters:
        offered[text].trigger()
    whole = "b & c, and more"
    assert wishes == [(1, whole, "="), (1, whole, "<>"), (1, None, "is null"), (1, None, "is not null")]


def test_that_null_and_nothing_are_filtered_each_in_its_way(grid, wishes):
    grid.offer_filtering(True)
    grid.setCurrentIndex(grid.model().index(1, 1))
    filters = [text for text in entries(grid.menus.of_cells()) if text.startswith("Filter")]
    assert filters == ["Filter: name is NULL", "Filter: name is not NULL"]
    grid.setCurrentIndex(grid.model().index(3, 1))
    entries(grid.menus.of_cells())["Filter: name = ''"].trigger()
    assert wishes == [(1, "", "=")]
    grid.setCurrentIndex(grid.model().index(2, 1))
    offered = entries(grid.menus.of_cells())
    huge = next(action for text, action in offered.items() if text.startswith("Filter: name = xxx"))
    assert not huge.isEnabled()
