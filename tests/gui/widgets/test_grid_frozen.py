"""Columns that stand still while the others scroll sideways."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QGuiApplication, QRegion

from fix_grid import Values
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.grid import Grid

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

COLUMNS, WIDTH = 12, 100


@pytest.fixture
def grid(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    view = Grid()
    qtbot.addWidget(view)
    view.resize(640, 300)
    rows = [tuple(f"{row}-{column}" for column in range(COLUMNS)) for row in range(200)]
    model = Values(rows, [f"c{column}\ntext" for column in range(COLUMNS)])
    model.setParent(view)
    view.setModel(model)
    view.show()
    for column in range(COLUMNS):
        view.setColumnWidth(column, WIDTH)
    qapp.processEvents()
    return view


def entries(menu):
    return {action.text().partition("\t")[0]: action for action in menu.actions()}


def scroll(grid, qapp, x):
    grid.horizontalScrollBar().setValue(x)
    qapp.processEvents()


def picture(grid, column, row=0):
    rect = grid.visualRect(grid.model().index(row, column)).adjusted(0, 0, -4, -1)
    return grid.viewport().grab(rect).toImage()


def at(grid, x, row=0):
    return grid.indexAt(QPoint(x, row * grid.rowHeight(0) + 5))


def heads(grid):
    return grid.findChild(type(grid.horizontalHeader()), "grid.frozen_heads")


def test_that_frozen_columns_look_the_same_wherever_the_others_are(grid, qapp):
    entries(grid.menus.of_column(1))["Freeze up to here"].trigger()
    qapp.processEvents()
    before = [picture(grid, column) for column in (0, 1)]
    third = picture(grid, 2)
    scroll(grid, qapp, 250)
    assert [picture(grid, column) for column in (0, 1)] == before
    assert heads(grid).isVisible()
    assert heads(grid).width() == 2 * WIDTH
    shown = grid.viewport().grab(QRect(2 * WIDTH, 0, 96, grid.rowHeight(0) - 1)).toImage()
    assert shown != third  # another column has come there
    assert at(grid, 2 * WIDTH + 60).column() == 5
    entries(grid.menus.of_column(1))["Unfreeze"].trigger()
    qapp.processEvents()
    assert not heads(grid).isVisible()
    assert at(grid, 60).column() == 3
    assert not entries(grid.menus.of_column(1))["Unfreeze"].isEnabled()


def on_screen(grid, qapp):
    """Return what is on the screen once all that waits to be painted is: a window is told to some time later."""
    qapp.processEvents()
    qapp.sendEvent(grid.window(), QEvent(QEvent.Type.UpdateRequest))
    return grid.screen().grabWindow(grid.winId()).toImage()


def test_that_what_is_scrolled_looks_as_it_does_when_painted_anew(grid, qapp):
    grid.freeze(1)
    for x, y in ((30, 0), (250, 70), (250, 400), (10, 400), (600, 33), (0, 0), (0, 50)):
        scroll(grid, qapp, x)
        grid.verticalScrollBar().setValue(y)
        scrolled = on_screen(grid, qapp)  # painted as it came
        grid.viewport().update()
        grid.horizontalHeader().viewport().update()
        assert on_screen(grid, qapp) == scrolled


def test_that_a_text_is_written_once_where_what_is_painted_is_of_several_parts(grid, qapp):
    whole = on_screen(grid, qapp)
    middle = grid.rowHeight(0) * 3 // 2
    grid.viewport().update(QRegion(0, 0, 640, middle) | QRegion(0, middle, 300, 100))
    assert on_screen(grid, qapp) == whole


def test_that_a_click_on_a_frozen_cell_hits_it(grid, qapp, qtbot):
    grid.freeze(1)
    scroll(grid, qapp, 400)
    where = QPoint(150, 2 * grid.rowHeight(0) + 5)
    before = picture(grid, 1, 2)
    qtbot.mouseClick(grid.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert (grid.currentIndex().row(), grid.currentIndex().column()) == (2, 1)
    assert grid.horizontalScrollBar().value() == 400  # it was in sight
    assert picture(grid, 1, 2) != before
    assert grid.copy_selection()
    assert QGuiApplication.clipboard().text() == "2-1"


def test_that_a_drag_from_a_frozen_cell_selects_what_lies_between(grid, qapp, qtbot):
    grid.freeze(0)
    scroll(grid, qapp, 300)
    height = grid.rowHeight(0)
    qtbot.mousePress(grid.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(50, 5))
    qtbot.mouseMove(grid.viewport(), QPoint(150, height + 5))
    qtbot.mouseRelease(grid.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(150, height + 5))
    chosen = {(index.row(), index.column()) for index in grid.selectedIndexes()}
    assert chosen == {(row, column) for row in (0, 1) for column in range(5)}


def test_that_keys_bring_the_current_cell_out_from_behind(grid, qapp, qtbot):
    grid.freeze(1)
    grid.setCurrentIndex(grid.model().index(0, 11))
    qapp.processEvents()
    assert grid.horizontalScrollBar().value() > 0
    for column in range(10, 1, -1):
        qtbot.keyClick(grid, Qt.Key.Key_Left)
        assert grid.currentIndex().column() == column
        assert grid.visualRect(grid.currentIndex()).left() >= 2 * WIDTH
    qtbot.keyClick(grid, Qt.Key.Key_Left)
    assert grid.visualRect(grid.currentIndex()).left() == WIDTH


def test_that_what_is_found_is_not_left_behind_the_frozen_columns(grid, qapp, qtbot):
    grid.freeze(1)
    scroll(grid, qapp, 700)
    grid.open_find()
    grid.find_bar.text.setText("77-2")
    grid.find_bar.next()
    qtbot.waitUntil(lambda: not grid.find_bar.is_looking)
    assert grid.currentIndex().column() == 2
    assert grid.visualRect(grid.currentIndex()).left() >= 2 * WIDTH


def test_that_widths_go_both_ways_and_hidden_columns_take_none(grid, qapp):
    grid.freeze(1)
    heads(grid).resizeSection(0, 140)
    assert grid.columnWidth(0) == 140
    grid.setColumnWidth(1, 60)
    assert heads(grid).sectionSize(1) == 60
    assert heads(grid).width() == 200
    grid.setColumnHidden(0, True)
    assert heads(grid).width() == 60
    assert at(grid, 30).column() == 1
    grid.setColumnHidden(0, False)
    assert heads(grid).width() == 200


def test_that_the_first_columns_on_the_screen_are_frozen_whichever_they_are(grid, qapp):
    grid.freeze(0)
    entries(grid.menus.of_column(7))["Move to the front"].trigger()
    scroll(grid, qapp, 500)
    assert at(grid, 50).column() == 7
    assert heads(grid).logicalIndexAt(50) == 7
    entries(grid.menus.of_column(7))["Move right"].trigger()
    assert at(grid, 50).column() == 0
    assert not entries(grid.menus.of_column(0))["Move left"].isEnabled()
    entries(grid.menus.of_column(7))["Move left"].trigger()
    assert at(grid, 50).column() == 7


def test_that_where_there_is_no_room_all_columns_scroll(grid, qapp):
    grid.freeze(1)
    grid.resize(300, 300)
    scroll(grid, qapp, 150)
    assert not heads(grid).isVisible()
    assert at(grid, 60).column() == 2
    grid.resize(640, 300)
    qapp.processEvents()
    assert heads(grid).isVisible()
    assert at(grid, 60).column() == 0
    grid.freeze(11)
    assert not heads(grid).isVisible()
    assert entries(grid.menus.of_column(1))["Unfreeze"].isEnabled()


def test_that_frozen_heads_sort_and_select_like_the_others(grid, qapp, qtbot):
    wishes = []
    grid.sort_wanted.connect(lambda *wish: wishes.append(wish))
    grid.freeze(1)
    scroll(grid, qapp, 400)
    head = heads(grid)
    where = QPoint(150, 10)
    qtbot.mouseClick(head.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert {index.column() for index in grid.selectedIndexes()} == {1}
    grid.offer_sorting(True)
    grid.clearSelection()
    qtbot.mouseClick(head.viewport(), Qt.MouseButton.LeftButton, pos=where)
    assert wishes == [(1, Qt.SortOrder.AscendingOrder, False)]
    assert not grid.selectionModel().hasSelection()
    grid.show_sorting([(1, Qt.SortOrder.DescendingOrder)])
    assert head.sorting() == grid.sorting()


def test_that_a_screen_reader_finds_a_frozen_cell_where_it_stands(grid, qapp):
    grid.freeze(1)
    scroll(grid, qapp, 400)
    reader = QAccessible.queryAccessibleInterface(grid)
    corner = grid.viewport().mapToGlobal(QPoint(150, 5))
    cell = reader.childAt(corner.x(), corner.y())
    assert cell is not None
    assert cell.rect().contains(corner)


def test_that_a_new_result_may_have_fewer_columns_than_were_frozen(grid, qapp):
    grid.freeze(3)
    model = Values([("1",)], ("a\ntext",))
    model.setParent(grid)
    grid.setModel(model)
    qapp.processEvents()
    assert not grid.grab().isNull()
    assert at(grid, 10).column() == 0
    grid.setModel(None)
    grid.grab()
