"""Slots as cards, and as squares."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.slot_bar import SlotBar
from pgexplorer.ui.widgets.slot_board import SlotBoard, SlotRow

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)

RETURN = (("return", "Return"),)
ROWS = (
    SlotRow("a", 1, "4711", "running", "good", "manual", "select 1", "12.4 s", RETURN),
    SlotRow("b", 2, "4712", "idle in transaction", "warn", "SQL 1", "update person", "3.0 s", RETURN),
    SlotRow("c", 3, "", "idle", "idle"),
)


@pytest.fixture
def board(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    slot_board = SlotBoard()
    slot_board.setObjectName("pool.slots")
    qtbot.addWidget(slot_board)
    slot_board.resize(400, 300)
    slot_board.show()
    slot_board.set_rows(ROWS)
    return slot_board


def card(board, number):
    cards = board.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    return next(item for item in cards if item.accessibleName().startswith(f"Slot {number}"))


def test_that_a_card_says_everything_in_words(board):
    assert card(board, 1).accessibleName() == "Slot 1, pid 4711, running, held by manual for 12.4 s"
    assert card(board, 3).accessibleName() == "Slot 3, idle"


def test_that_a_button_wishes_for_its_action_on_its_slot(board, qtbot):
    button = board.findChild(QPushButton, "pool.slots.b.return")
    assert button.accessibleName() == "Return, slot 2"
    with qtbot.waitSignal(board.action_wanted) as wish:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert wish.args == ["b", "return"]


def test_that_the_first_card_is_current_and_arrow_keys_move_on(board, qtbot):
    assert board.selected_key() == "a"
    card(board, 1).setFocus()
    with qtbot.waitSignal(board.current_changed) as change:
        qtbot.keyClick(card(board, 1), Qt.Key.Key_Down)
    assert change.args == ["b"]
    qtbot.keyClick(card(board, 2), Qt.Key.Key_End)
    qtbot.keyClick(card(board, 3), Qt.Key.Key_Down)
    assert board.selected_key() == "c"
    qtbot.keyClick(card(board, 3), Qt.Key.Key_Home)
    assert board.selected_key() == "a"


def test_that_a_click_makes_a_card_current(board, qtbot):
    qtbot.mouseClick(card(board, 2), Qt.MouseButton.LeftButton)
    assert board.selected_key() == "b"


def test_that_enter_does_the_first_action(board, qtbot):
    with qtbot.waitSignal(board.action_wanted) as wish:
        qtbot.keyClick(card(board, 1), Qt.Key.Key_Return)
    assert wish.args == ["a", "return"]


def test_that_new_rows_change_the_same_cards_in_place(board):
    before = [card(board, number) for number in (1, 2, 3)]
    button = board.findChild(QPushButton, "pool.slots.a.return")
    board.set_rows([replace(row, held="99 s") for row in ROWS])
    assert [card(board, number) for number in (1, 2, 3)] == before
    assert board.findChild(QPushButton, "pool.slots.a.return") is button
    assert card(board, 2).accessibleName().endswith("for 99 s")


def test_that_the_current_card_stays_when_slots_come_and_go(board):
    board.select("b")
    board.set_rows(ROWS[1:])
    assert board.selected_key() == "b"
    board.set_rows([ROWS[2], ROWS[1], ROWS[0]])
    assert board.selected_key() == "b"
    board.set_rows(ROWS[:1])
    assert board.selected_key() == "a"
    board.set_rows([])
    assert board.selected_key() == ""


def test_that_cards_stand_in_the_order_of_the_rows(board, qapp):
    board.set_rows([ROWS[2], ROWS[0], ROWS[1]])
    qapp.processEvents()
    assert card(board, 3).y() < card(board, 1).y() < card(board, 2).y()


def test_that_cards_are_of_one_height(board, qapp):
    qapp.processEvents()
    assert len({card(board, number).height() for number in (1, 2, 3)}) == 1


def test_that_a_slot_taken_away_by_its_own_button_does_no_harm(board, qtbot, qapp):
    board.action_wanted.connect(lambda *_: board.set_rows(ROWS[1:]))
    qtbot.mouseClick(board.findChild(QPushButton, "pool.slots.a.return"), Qt.MouseButton.LeftButton)
    qapp.processEvents()
    assert [row.key for row in board.rows()] == ["b", "c"]


def test_that_three_actions_are_one_menu_away(board):
    many = (("a", "One"), ("b", "Two"), ("c", "Three"))
    board.set_rows([replace(ROWS[0], actions=many)])
    names = [button.accessibleName() for button in board.findChildren(QPushButton) if button.isVisible()]
    assert names == ["One, slot 1", "Two, slot 1", "More actions"]


def test_that_the_words_of_a_card_are_plain_text(board):
    board.set_rows([replace(ROWS[0], state="<b>x</b>", holder="<i>y</i>", sql="<u>z</u>\n1")])
    assert {label.textFormat() for label in card(board, 1).findChildren(QLabel)} == {Qt.TextFormat.PlainText}
    assert "<u>" not in card(board, 1).toolTip()


def test_that_seconds_passing_are_not_news_for_the_card_in_focus(board, qtbot):
    first = card(board, 1)
    board.activateWindow()
    first.setFocus()
    qtbot.waitUntil(first.hasFocus)
    board.set_rows([replace(ROWS[0], held="13 s"), *ROWS[1:]])
    assert first.accessibleName().endswith("12.4 s")
    board.set_rows([replace(ROWS[0], state="broken", state_kind="bad"), *ROWS[1:]])
    assert "broken" in first.accessibleName()


@pytest.mark.parametrize("count", [0, 1, 3, 24, 25, 500])
def test_that_the_bar_shows_any_number_of_slots(qapp, qtbot, count):
    bar = SlotBar()
    qtbot.addWidget(bar)
    kinds = ["good", "warn", "bad", "idle", "busy", "info"]
    bar.set_slots([kinds[at % 6] for at in range(count)], f"{count} of {count} in use", "<b>all</b>")
    assert bar.sizeHint().width() < 600
    assert not bar.grab().isNull()
    assert bar.accessibleName() == f"Pool: {count} of {count} in use"
    assert "<b>" not in bar.toolTip()


def test_that_the_bar_can_be_clicked_and_pressed(qapp, qtbot):
    bar = SlotBar()
    qtbot.addWidget(bar)
    bar.set_slots(["good"], "1 of 1 in use")
    bar.show()
    with qtbot.waitSignal(bar.clicked):
        qtbot.mouseClick(bar, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(bar.clicked):
        qtbot.keyClick(bar, Qt.Key.Key_Space)
