"""Messages in their place."""

from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton, QSplitter, QVBoxLayout, QWidget

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.message_bar import MessageBar

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture
def bar(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    panel = QWidget()
    qtbot.addWidget(panel)
    column = QVBoxLayout(panel)
    message_bar = MessageBar()
    column.addWidget(message_bar)
    column.addStretch()
    panel.resize(300, 600)
    panel.show()
    yield message_bar
    panel.close()


def buttons(bar):
    return {button.text(): button for button in bar.findChildren(QPushButton) if button.isVisible() and button.text()}


def test_that_it_takes_no_room_while_there_is_nothing_to_say(bar):
    assert not bar.isVisible()
    assert bar.text() == ""


def test_that_all_that_is_shown_can_be_asked_for(bar):
    bar.show_message("error", "connection pool exhausted", "All 3 are out.", "Return one.")
    assert bar.isVisible()
    assert bar.text() == "connection pool exhausted\nAll 3 are out.\nReturn one."
    assert bar.kind() == "error"
    bar.clear()
    assert not bar.isVisible()
    assert bar.text() == ""


def test_that_a_message_is_shown_as_plain_text_even_when_it_looks_like_markup(bar):
    bar.show_message("error", "<b>title</b>", "<i>detail</i>", "<a href='x'>hint</a>")
    labels = [label for label in bar.findChildren(QLabel) if label.text()]
    assert {label.textFormat() for label in labels} == {Qt.TextFormat.PlainText}
    assert bar.findChild(QPlainTextEdit).toPlainText() == "<i>detail</i>"


def test_that_a_button_does_what_its_action_says(bar, qtbot):
    called = []
    bar.show_message("warning", "Full", actions=[("Return all", lambda: called.append("all"))])
    qtbot.mouseClick(buttons(bar)["Return all"], Qt.MouseButton.LeftButton)
    assert called == ["all"]


def test_that_an_action_may_show_the_next_message(bar, qtbot):
    bar.show_message("error", "First", actions=[("Next", lambda: bar.show_message("success", "Second"))])
    qtbot.mouseClick(buttons(bar)["Next"], Qt.MouseButton.LeftButton)
    assert bar.text() == "Second"
    assert buttons(bar) == {}


def test_that_an_error_can_be_copied_as_a_whole(bar, qtbot):
    bar.show_message("error", "Title", "Detail", "Hint")
    qtbot.mouseClick(buttons(bar)["Copy"], Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == "Title\nDetail\nHint"


def test_that_the_user_can_close_it(bar, qtbot):
    bar.show_message("info", "Title")
    close = next(button for button in bar.findChildren(QPushButton) if button.accessibleName() == "Close the message")
    with qtbot.waitSignal(bar.closed):
        qtbot.mouseClick(close, Qt.MouseButton.LeftButton)
    assert not bar.isVisible()


def test_that_a_long_detail_scrolls_within_a_limit_and_stays_selectable(bar, qapp):
    bar.show_message("error", "Title", "line\n" * 500)
    qapp.processEvents()
    detail = bar.findChild(QPlainTextEdit)
    assert detail.height() <= 200
    assert detail.verticalScrollBar().maximum() > 0
    assert detail.textInteractionFlags() & Qt.TextInteractionFlag.TextSelectableByMouse


def test_that_a_short_detail_is_seen_whole(bar, qapp):
    bar.show_message("error", "Title", "All three connections are checked out, and psycopg2 does not wait. " * 2)
    qapp.processEvents()
    detail = bar.findChild(QPlainTextEdit)
    assert detail.verticalScrollBar().maximum() == 0


def test_that_a_very_long_word_does_not_widen_the_panel(bar, qapp):
    bar.show_message("error", "x" * 500, "y" * 500, "z" * 500)
    qapp.processEvents()
    assert bar.minimumSizeHint().width() <= 300
    assert bar.width() <= 300


def test_that_screen_readers_are_told_what_kind_of_message_it_is(bar):
    bar.show_message("warning", "Full", "All are out.")
    assert bar.accessibleName() == "Warning: Full"
    assert bar.accessibleDescription() == "All are out."


@pytest.fixture
def pane(qapp, qtbot):
    """A bar above something else, in a splitter that shares out its height without asking for widths."""
    theme.apply(qapp, theme.Scheme.LIGHT)
    split = QSplitter(Qt.Orientation.Vertical)
    split.setChildrenCollapsible(False)
    qtbot.addWidget(split)
    other, lower = QWidget(), QWidget()
    other.setMinimumHeight(20)
    column = QVBoxLayout(lower)
    bar = MessageBar()
    column.addWidget(bar)
    column.addWidget(QWidget(), 1)
    split.addWidget(other)
    split.addWidget(lower)
    split.resize(330, 260)
    split.setSizes([240, 20])
    split.show()
    yield split, bar
    split.close()


def places(bar):
    shown = [each for each in bar.children() if isinstance(each, QLabel | QPlainTextEdit) and each.isVisible()]
    areas = [each.geometry() for each in shown if not isinstance(each, QLabel) or each.text()]
    areas += [QRect(each.mapTo(bar, QPoint()), each.size()) for each in buttons(bar).values()]
    return sorted((area for area in areas if area.height()), key=lambda area: area.top())


def say(bar, lines):
    detail = "All three connections are out: " + "held by a query for 0.1 s, " * lines
    hint = "Return one in the pool panel, then try again. The text is kept."
    bar.show_message("warning", "PoolError: connection pool exhausted", detail, hint, [("Try again", print)])


@pytest.mark.parametrize("lines", [1, 5, 40])
def test_that_a_bar_takes_the_height_that_its_width_needs(pane, qtbot, lines):
    split, bar = pane
    say(bar, lines)
    for width in (330, 250, 600):
        split.resize(width, 260)
        least = bar.layout().totalMinimumHeightForWidth(bar.width())
        qtbot.waitUntil(lambda least=least: bar.height() >= least > 60)
        areas = places(bar)
        assert all(above.bottom() < below.top() for above, below in pairwise(areas))
        assert areas[-1].bottom() < bar.height()
        for label in bar.findChildren(QLabel):
            if label.isVisible() and label.text():
                assert label.height() >= label.heightForWidth(label.width())


def test_that_the_detail_shrinks_first_and_scrolls(pane, qtbot):
    split, bar = pane
    split.resize(330, 1000)
    split.setSizes([20, 980])
    say(bar, 7)
    detail = bar.findChild(QPlainTextEdit)
    qtbot.waitUntil(lambda: detail.height() > 5 * detail.fontMetrics().height())
    assert detail.verticalScrollBar().maximum() == 0
    split.resize(330, 260)
    split.setSizes([240, 20])
    qtbot.waitUntil(lambda: detail.height() < 5 * detail.fontMetrics().height())
    assert detail.height() >= 2 * detail.fontMetrics().height()
    assert detail.verticalScrollBar().maximum() > 0


def test_that_with_far_too_little_room_nothing_is_overprinted_and_the_buttons_stay(bar, qapp):
    say(bar, 20)
    qapp.processEvents()
    bar.resize(300, 90)
    areas = places(bar)
    assert all(above.bottom() < below.top() for above, below in pairwise(areas))
    assert areas[-1].bottom() < 90
    assert buttons(bar)["Try again"].isVisible()
