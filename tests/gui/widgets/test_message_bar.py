"""Messages in their place."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

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
