"""The small widgets: password, code, bars, empty places, rows of buttons, lines cut short."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QGuiApplication, QWheelEvent
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QToolButton, QWidget

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.bar_chart import BarChart
from pgexplorer.ui.widgets.code_view import CodeView
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.figure_label import FigureLabel
from pgexplorer.ui.widgets.flow_layout import BalancedLayout, FlowLayout
from pgexplorer.ui.widgets.password_edit import PasswordEdit
from pgexplorer.ui.widgets.spin_box import DoubleSpinBox, SpinBox
from pgexplorer.ui.widgets.story_view import StoryView

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture(autouse=True)
def dressed(qapp):
    theme.apply(qapp, theme.Scheme.LIGHT)


def test_that_a_password_is_hidden_until_the_eye_is_opened(qtbot):
    edit = PasswordEdit()
    qtbot.addWidget(edit)
    edit.setText("secret")
    assert edit.echoMode() is QLineEdit.EchoMode.Password
    assert "secret" not in edit.displayText()
    edit.set_revealed(True)
    assert edit.displayText() == "secret"
    assert edit.findChild(QToolButton).accessibleName() == "Hide the password"


def test_that_the_eye_closes_when_the_password_leaves_the_screen(qtbot):
    edit = PasswordEdit()
    qtbot.addWidget(edit)
    edit.show()
    edit.set_revealed(True)
    edit.hide()
    assert not edit.revealed()
    assert edit.echoMode() is QLineEdit.EchoMode.Password


def test_that_the_eye_opens_by_keyboard(qtbot):
    edit = PasswordEdit()
    qtbot.addWidget(edit)
    edit.show()
    edit.activateWindow()
    edit.setFocus()
    qtbot.waitUntil(edit.hasFocus)
    qtbot.keyClick(edit, Qt.Key.Key_F8, Qt.KeyboardModifier.AltModifier)
    assert edit.revealed()


def test_that_code_stays_at_the_end_when_the_reader_was_there(qtbot):
    view = CodeView()
    qtbot.addWidget(view)
    view.resize(300, 120)
    view.show()
    view.set_code("\n".join(f"line{n} = {n}" for n in range(50)))
    bar = view.verticalScrollBar()
    assert bar.value() == 0
    bar.setValue(bar.maximum())
    view.set_code("\n".join(f"line{n} = {n}" for n in range(80)))
    assert bar.value() == bar.maximum()
    bar.setValue(10)
    view.set_code("\n".join(f"line{n} = {n}" for n in range(90)))
    assert bar.value() == 10


def test_that_code_is_copied_as_a_whole(qtbot):
    view = CodeView()
    qtbot.addWidget(view)
    view.show()
    view.set_code("pool = 1\npool.getconn()")
    with qtbot.waitSignal(view.copied):
        qtbot.mouseClick(view.findChild(QPushButton), Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "pool = 1\npool.getconn()"


def test_that_code_is_coloured_and_cannot_be_edited(qtbot):
    view = CodeView()
    qtbot.addWidget(view)
    view.set_code('import x  # why\ny = "not # a comment"\n')
    assert view.isReadOnly()
    block = view.document().firstBlock()
    colours = {part.start: part.format.foreground().color().name() for part in block.layout().formats()}
    assert colours == {0: theme.LIGHT.keyword, 10: theme.LIGHT.comment}
    formats = block.next().layout().formats()
    assert [part.format.foreground().color().name() for part in formats] == [theme.LIGHT.string]


@pytest.mark.parametrize("kind", [CodeView, StoryView])
def test_that_the_copy_button_is_there_only_with_something_to_copy_and_covers_nothing(qtbot, kind):
    view = kind()
    qtbot.addWidget(view)
    view.resize(300, 120)
    view.show()
    button = view.findChild(QPushButton)
    assert not button.isVisible()
    for text in ("short", "long " * 100, "\n".join("many" for _ in range(100))):
        view.set_code(text) if kind is CodeView else view.tell(text)
        assert button.isVisible()
        assert not button.geometry().intersects(view.viewport().geometry())
        assert view.rect().contains(button.geometry())
    view.clear()
    assert not button.isVisible()


def test_that_a_story_wraps_sentences_and_leaves_tables_whole(qtbot):
    story = StoryView()
    qtbot.addWidget(story)
    story.resize(250, 300)
    story.show()
    story.tell("a sentence of many words " * 10)
    assert story.horizontalScrollBar().maximum() == 0
    story.tell("pid   name\n1     " + "a row of a table " * 5, table=True)
    story.tell("another sentence of many words " * 10)
    lines = []
    block = story.document().begin()
    while block.isValid():
        lines.append(block.layout().lineCount())
        block = block.next()
    assert lines[0] > 1
    assert lines[1:3] == [1, 1]
    assert lines[3] > 1
    assert story.horizontalScrollBar().maximum() > 0
    assert story.text().splitlines()[1] == "pid   name"


def test_that_a_story_shows_its_end_or_the_beginning_of_a_long_last_piece(qtbot):
    story = StoryView()
    qtbot.addWidget(story)
    story.resize(250, 100)
    story.show()
    for number in range(30):
        story.tell(f"line {number}")
    bar = story.verticalScrollBar()
    assert bar.value() == bar.maximum() > 0
    story.tell("the most telling words of many " * 30)
    start = story.document().lastBlock().layout().position().y() - bar.value()
    assert 0 <= start <= story.viewport().height() / 2
    bar.triggerAction(bar.SliderAction.SliderToMinimum)
    story.resize(250, 90)
    assert bar.value() == 0


def test_that_labels_of_bars_are_whole_in_a_narrow_place(qtbot):
    chart = BarChart()
    qtbot.addWidget(chart)
    chart.set_bars("A title", [("Connect each time", 2.0, "6.2 ms (5.6 ms to 9.7 ms)"), ("Pool", 0.1, "1 ms")])
    assert chart.heightForWidth(260) > chart.heightForWidth(600)
    chart.resize(260, chart.heightForWidth(260))
    assert not chart.grab().isNull()


def test_that_an_empty_place_gives_up_its_icon_then_its_text(qtbot):
    place = EmptyState("plug", "No result", "The message above says why.")
    qtbot.addWidget(place)
    place.show()
    icon, title, text = place.findChildren(QLabel)
    for height, there in ((220, (True, True, True)), (80, (False, True, True)), (32, (False, True, False))):
        place.resize(300, height)
        assert tuple(each.isVisible() for each in (icon, title, text)) == there
        assert title.geometry().top() >= 0
        assert title.geometry().bottom() < height
    assert place.minimumSizeHint().height() <= 40


def test_that_bars_are_told_in_words_too(qtbot):
    chart = BarChart()
    qtbot.addWidget(chart)
    chart.set_bars("Time for 100 queries", [("alone", 2.0, "2 s"), ("pool", 0.1, "100 ms")])
    assert chart.accessibleName() == "Time for 100 queries"
    assert chart.accessibleDescription() == "alone: 2 s; pool: 100 ms"
    assert not chart.grab().isNull()


@pytest.mark.parametrize("bars", [[], [("x", 0.0, "0")], [("x", -1.0, "?"), ("y" * 200, 1e300, "z")]])
def test_that_odd_bars_are_drawn_without_harm(qtbot, bars):
    chart = BarChart()
    qtbot.addWidget(chart)
    chart.set_bars("", bars)
    chart.resize(150, 100)
    assert not chart.grab().isNull()


def test_that_an_empty_place_offers_its_action(qtbot):
    action = QAction("&Connect")
    place = EmptyState("plug", "Not connected", "Choose a profile.", action)
    qtbot.addWidget(place)
    place.show()
    with qtbot.waitSignal(action.triggered):
        qtbot.mouseClick(place.button(), Qt.MouseButton.LeftButton)
    place.say("table", "No rows")
    assert not place.button().isVisible()
    assert place.accessibleName() == "No rows"


def test_that_buttons_wrap_where_the_panel_is_narrow(qtbot):
    panel = QWidget()
    qtbot.addWidget(panel)
    layout = FlowLayout(panel)
    for number in range(6):
        layout.addWidget(QPushButton(f"Button {number}"))
    one_row = layout.heightForWidth(2000)
    assert layout.heightForWidth(250) >= 2 * one_row
    panel.resize(250, layout.heightForWidth(250))
    panel.show()
    rights = [layout.itemAt(at).geometry().right() for at in range(6)]
    assert max(rights) <= 250
    assert len({layout.itemAt(at).geometry().y() for at in range(6)}) > 1


@pytest.mark.parametrize(
    ("wide", "counts"), [(2000, [6]), (599, [3, 3]), (330, [3, 3]), (290, [2, 2, 2]), (50, [1] * 6)]
)
def test_that_rows_are_of_equal_counts_below_each_other_where_one_row_is_too_long(qtbot, wide, counts):
    panel = QWidget()
    qtbot.addWidget(panel)
    layout = BalancedLayout(panel, spacing=10)
    cells = [QWidget() for _ in range(6)]
    for cell, width in zip(cells, (90, 100, 80, 85, 95, 100), strict=True):
        cell.setMinimumSize(width, 20)
        layout.addWidget(cell)
    panel.resize(wide, layout.heightForWidth(wide))
    panel.show()
    rows = [[cell.x() for cell in cells if cell.y() == y] for y in sorted({c.y() for c in cells})]
    assert [len(row) for row in rows] == counts
    assert len({tuple(row) for row in rows}) == 1
    assert wide < 100 or max(cell.geometry().right() for cell in cells) < wide


def test_that_hidden_buttons_leave_no_gap(qtbot):
    panel = QWidget()
    qtbot.addWidget(panel)
    layout = FlowLayout(panel)
    first, second = QPushButton("First"), QPushButton("Second")
    layout.addWidget(first)
    layout.addWidget(second)
    panel.resize(400, 60)
    panel.show()
    before = second.x()
    first.hide()
    layout.activate()
    assert second.x() < before


def test_that_a_line_cut_short_is_whole_in_its_tool_tip(qtbot):
    label = ElidedLabel("a rather long line of words " * 5)
    qtbot.addWidget(label)
    label.resize(80, 20)
    label.show()
    assert label.toolTip() == label.text()
    label.setText("x")
    assert label.toolTip() == ""


def test_that_a_tool_tip_never_becomes_markup():
    assert plain.tool_tip("a < b") == "a < b"
    assert "<b>" not in plain.tool_tip("<b>x</b>")
    assert plain.one_line("a\r\nb\tc") == "a↵b⇥c"
    assert plain.one_line("\u202elive\u2069") == "⇄live⇄"
    assert plain.breakable("short words only") == "short words only"


def test_that_a_number_field_takes_properties_and_refuses_what_it_has_not(qtbot):
    box = DoubleSpinBox(decimals=1, maximum=86400.0, suffix=" s")
    qtbot.addWidget(box)
    box.setValue(1.5)
    assert box.text() == "1.5 s"
    with pytest.raises(TypeError):
        SpinBox(no_such_property=1)


def test_that_the_wheel_changes_a_number_only_in_the_field_in_focus(qtbot):
    box = SpinBox(maximum=9)
    qtbot.addWidget(box)
    box.setValue(3)
    turn = QWheelEvent(
        QPointF(5, 5),
        QPointF(5, 5),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    box.wheelEvent(turn)
    assert box.value() == 3
    assert not turn.isAccepted()


def test_that_a_figure_has_room_for_a_text_that_is_as_long_and_wider(qapp, qtbot):
    label = FigureLabel("16 µs")
    qtbot.addWidget(label)
    label.show_text("16 ms")
    assert label.width() > label.fontMetrics().horizontalAdvance("16 ms")
    wide = label.width()
    label.show_text("1 s")
    assert label.width() == wide
