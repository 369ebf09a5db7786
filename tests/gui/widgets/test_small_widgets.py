"""The small widgets: password, code, bars, empty places, rows of buttons, lines cut short."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QGuiApplication, QWheelEvent
from PySide6.QtWidgets import QLineEdit, QPushButton, QToolButton, QWidget

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.bar_chart import BarChart
from pgexplorer.ui.widgets.code_view import CodeView
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.flow_layout import FlowLayout
from pgexplorer.ui.widgets.password_edit import PasswordEdit
from pgexplorer.ui.widgets.spin_box import DoubleSpinBox, SpinBox

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
