"""What the cells look like: painted in one pass, and nothing painted that is not in view."""

import pytest
from PySide6.QtCore import QItemSelectionModel, QModelIndex, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from fix_grid import Values
from pgexplorer.db.rows import Clipped, ListRows
from pgexplorer.db.values import Column
from pgexplorer.models.result_model import ResultModel
from pgexplorer.ui import theme
from pgexplorer.ui.widgets import grid_paint
from pgexplorer.ui.widgets.grid import Grid

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


class Watched(ResultModel):
    def __init__(self, parent):
        super().__init__(parent)
        self.asked = []

    def lines(self, first, count):
        self.asked.append((first, count))
        return super().lines(first, count)


@pytest.fixture
def grid(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    view = Grid()
    qtbot.addWidget(view)
    view.resize(640, 420)
    view.setCurrentIndex(QModelIndex())
    return view


def show(grid, rows, columns=(("id", "bigint"), ("name", "text")), kind=Watched):
    model = kind(grid)
    listed = ListRows([Column(*each) for each in columns])
    listed.append(rows)
    model.show(listed)
    grid.setModel(model)
    for column in range(len(columns)):
        grid.setColumnWidth(column, 200)
    grid.show()
    return model


def picture(grid, row, column) -> QImage:
    """Return the inside of a cell, without its lines."""
    return grid.viewport().grab(grid.visualRect(grid.model().index(row, column)).adjusted(0, 0, -1, -1)).toImage()


def ink(image: QImage) -> QRect:
    """Return where something is that is not ground."""
    ground = image.pixelColor(0, 0)
    dark = [
        (x, y)
        for x in range(image.width())
        for y in range(image.height())
        if abs(image.pixelColor(x, y).lightness() - ground.lightness()) > 40
    ]
    if not dark:
        return QRect()
    xs, ys = [x for x, _ in dark], [y for _, y in dark]
    return QRect(min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)


def test_that_a_frame_asks_once_for_the_rows_in_view(grid, qapp):
    model = show(grid, [(str(n), "x") for n in range(10_000)])
    qapp.processEvents()
    model.asked.clear()
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum() // 2)
    qapp.processEvents()
    [(first, count)] = model.asked
    assert first == grid.rowAt(0)
    assert count <= grid.viewport().height() // grid.rowHeight(0) + 2


def test_that_a_step_of_the_wheel_paints_the_new_rows_alone(grid, qapp):
    model = show(grid, [(str(n), "x") for n in range(10_000)])
    grid.setFocus()
    qapp.processEvents()
    model.asked.clear()
    bar = grid.verticalScrollBar()
    bar.setValue(bar.value() + 3 * grid.rowHeight(0))
    qapp.processEvents()
    assert sum(count for _, count in model.asked) <= 5


@pytest.mark.parametrize("scheme", list(theme.Scheme))
def test_that_a_text_stands_where_qt_would_paint_it(grid, qapp, scheme):
    theme.apply(qapp, scheme)
    show(grid, [("123", "Hgx 0189")])
    grid.clearFocus()
    for column, side in ((0, Qt.AlignmentFlag.AlignRight), (1, Qt.AlignmentFlag.AlignLeft)):
        painted = picture(grid, 0, column)
        expected = QImage(painted.size(), QImage.Format.Format_RGB32)
        expected.fill(theme.colour("surface"))
        painter = QPainter(expected)
        painter.setFont(theme.mono())
        painter.setPen(theme.colour("text"))
        room = expected.rect().adjusted(theme.scaled(7), 0, -theme.scaled(7), 0)
        painter.drawText(room, side | Qt.AlignmentFlag.AlignVCenter, ("123", "Hgx 0189")[column])
        painter.end()
        here, there = ink(painted), ink(expected)
        assert not here.isNull()
        assert max(abs(a - b) for a, b in zip(here.getRect(), there.getRect(), strict=True)) <= 1
    theme.apply(qapp, theme.Scheme.LIGHT)


def test_that_numbers_line_up_at_the_right_whatever_their_length(grid):
    show(grid, [("1", "a"), ("11111111", "a"), (None, "a")])
    ends = [ink(picture(grid, row, 0)).right() for row in range(2)]
    assert abs(ends[0] - ends[1]) <= 1
    assert abs(ink(picture(grid, 2, 0)).right() - ends[0]) <= 4  # NULL, in italics


def test_that_null_nothing_and_spaces_and_their_words_all_differ(grid):
    values = [None, "NULL", "", "''", " ", "  ", "\n", "\t", "x", "…"]
    show(grid, [(str(n), value) for n, value in enumerate(values)])
    seen = [picture(grid, row, 1) for row in range(len(values))]
    assert all(not ink(each).isNull() for each in seen)
    assert all(seen[a] != seen[b] for a in range(len(seen)) for b in range(a))


def test_that_a_long_text_ends_within_its_cell_and_a_short_one_is_whole(grid):
    show(grid, [("1", "W" * 5000), ("2", "ж" * 300), ("3", "長" * 300), ("4", "a\nb" * 300), ("5", "W" * 10)])
    room = 200 - 1 - theme.scaled(7)
    for row in range(4):
        assert room - 12 <= ink(picture(grid, row, 1)).right() <= room, row
    assert ink(picture(grid, 4, 1)).right() < 100
    grid.setColumnWidth(1, 20)  # for one letter, or none
    grid.setColumnWidth(0, 10)
    assert not picture(grid, 0, 1).isNull()


def test_that_letters_are_shown_one_by_one(grid):
    show(grid, [("1", "!="), ("2", "! ")])
    joined = ink(picture(grid, 0, 1))
    assert picture(grid, 0, 1).copy(0, 0, joined.left() + 5, 20) == picture(grid, 1, 1).copy(
        0, 0, joined.left() + 5, 20
    )


def test_that_what_is_selected_has_its_ground_and_its_pen(grid, qapp):
    theme.apply(qapp, theme.Scheme.CONTRAST)
    model = show(grid, [("1", "a"), ("2", "b"), ("3", None), ("4", "長")])
    chosen = QItemSelectionModel.SelectionFlag.Select
    for row in (1, 2, 3):
        grid.selectionModel().select(model.index(row, 1), chosen)
    assert picture(grid, 0, 1).pixelColor(1, 1) == theme.colour("surface")
    for row in (1, 2, 3):
        image = picture(grid, row, 1)
        assert image.pixelColor(1, 1) == theme.colour("selection")
        darkest = min((image.pixelColor(x, y) for x in range(60) for y in range(18)), key=QColor.lightness)
        assert darkest.lightness() < 60  # the pen of what is selected: black on yellow, whatever else it is
    assert picture(grid, 1, 0).pixelColor(1, 1) == theme.colour("surface")
    theme.apply(qapp, theme.Scheme.LIGHT)


def test_that_rows_that_are_not_here_are_painted_as_such(grid):
    class Away(ResultModel):
        def lines(self, first, count):
            return [None if row % 2 else line for row, line in enumerate(super().lines(first, count), first)]

    show(grid, [("1", "a"), ("2", "b")], kind=Away)
    away, here = picture(grid, 1, 1), picture(grid, 0, 1)
    assert away != here
    assert ink(away).height() <= 4  # three dots at the foot of the line


def test_that_rows_that_were_closed_can_still_be_painted(grid, qapp):
    model = show(grid, [("1", "a")] * 500)
    model.rows().close()
    grid.verticalScrollBar().setValue(grid.verticalScrollBar().maximum())
    assert not grid.grab().isNull()
    assert model.lines(300, 3) == [None, None, None]


def test_that_lines_are_whole_across_the_blocks_in_which_they_are_read(grid):
    model = show(grid, [(str(n), None if n % 3 else "x" * 2000) for n in range(1_000)])
    lines = model.lines(120, 300)
    assert [line[0] for line in lines] == [str(n) for n in range(120, 420)]
    assert all((line[1] is None) == bool(int(line[0]) % 3) for line in lines)
    assert {len(line[1]) for line in lines if line[1]} == {1_000}
    assert model.lines(999, 3)[0][0] == "999"
    assert model.lines(999, 3)[1:] == [None, None]


def test_that_a_model_without_lines_is_asked_cell_by_cell(grid):
    model = Values([("1", "a"), ("2", None)], ("id\nbigint", "name\ntext"))
    model.setParent(grid)
    grid.setModel(model)
    grid.show()
    assert ink(picture(grid, 0, 1)).width() < ink(picture(grid, 1, 1)).width()


def test_that_a_value_that_is_cut_says_how_large_it_is_where_there_is_room():
    large = Clipped("x" * 1_000, 6_000_000)
    assert grid_paint._cut("x" * 31, large, 30) == "x" * 21 + "…" + " 5.72 MB"
    assert grid_paint._cut("x" * 11, large, 10) == "x" * 9 + "…"
    assert grid_paint._cut("x" * 31, "x" * 1_000, 30) == "x" * 29 + "…"
