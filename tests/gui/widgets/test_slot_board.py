"""Slots as cards, and as squares."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QContextMenuEvent, QEnterEvent
from PySide6.QtTest import QAbstractItemModelTester, QSignalSpy
from PySide6.QtWidgets import QApplication, QMenu, QPushButton, QScrollArea, QVBoxLayout, QWidget

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.slot_bar import SlotBar
from pgexplorer.ui.widgets.slot_board import SlotBoard, SlotRow

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", "does not support (raise|grabbing)", extend=True)

RETURN = (("return", "Return"),)
ROWS = (
    SlotRow("a", 1, "4711", "running", "good", "manual", "select 1", "12.4 s", RETURN),
    SlotRow("b", 2, "4712", "idle in transaction", "warn", "SQL 1", "update person", "3.0 s", RETURN),
    SlotRow("c", 3, "", "idle", "idle"),
)
MANY = tuple(SlotRow(f"k{number}", number, str(4000 + number), "idle", "idle") for number in range(1, 101))


@pytest.fixture
def board(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    slot_board = SlotBoard()
    slot_board.setObjectName("pool.slots")
    qtbot.addWidget(slot_board)
    slot_board.resize(400, 300)
    slot_board.show()
    slot_board.set_rows(ROWS)
    tester = QAbstractItemModelTester(slot_board.model(), QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield slot_board
    tester.deleteLater()


@pytest.fixture
def focused(board, qapp, qtbot):
    board.activateWindow()
    board.setFocus()
    qtbot.waitUntil(board.hasFocus)
    return board


def said(board, key, role=Qt.ItemDataRole.AccessibleTextRole):
    place = [row.key for row in board.rows()].index(key)
    return board.model().index(place, 0).data(role)


def click(board, qtbot, area):
    assert not area.isEmpty()
    qtbot.mouseClick(board.viewport(), Qt.MouseButton.LeftButton, pos=area.center())


def menu_in_sight():
    return next(each for each in QApplication.topLevelWidgets() if isinstance(each, QMenu) and each.isVisible())


def picture(board, area=None):
    return board.viewport().grab(area if area is not None else board.viewport().rect()).toImage()


def test_that_a_card_says_everything_in_words(board):
    assert said(board, "a") == "Slot 1, pid 4711, running, held by manual for 12.4 s"
    assert said(board, "c") == "Slot 3, idle"
    assert said(board, "a", Qt.ItemDataRole.AccessibleDescriptionRole) == "select 1. Buttons: Return"


def test_that_a_screen_reader_finds_a_list_of_cards(board):
    face = QAccessible.queryAccessibleInterface(board)
    assert face.role() == QAccessible.Role.List
    assert face.text(QAccessible.Text.Name) == "Slots of the pool"
    names = [face.child(place).text(QAccessible.Text.Name) for place in range(face.childCount())]
    assert names == [row.spoken() for row in ROWS]
    area = face.child(1).rect()
    assert area.contains(board.viewport().mapToGlobal(board.card_area("b").center()))


def test_that_no_card_and_no_button_is_a_widget(board):
    before = len(board.findChildren(QWidget))
    board.set_rows([*ROWS, *MANY[:5]])
    assert len(board.findChildren(QWidget)) == before
    assert board.findChildren(QPushButton) == []


def test_that_a_button_wishes_for_its_action_on_its_slot(board, qtbot):
    with qtbot.waitSignal(board.action_wanted) as wish:
        click(board, qtbot, board.button_area("b", "return"))
    assert wish.args == ["b", "return"]
    assert board.selected_key() == "b"


def test_that_a_button_left_before_it_is_let_go_does_nothing(board, qtbot):
    spy = QSignalSpy(board.action_wanted)
    port, area = board.viewport(), board.button_area("a", "return")
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=area.center())
    pressed = picture(board, area)
    qtbot.mouseMove(port, area.center() - QPoint(100, 0))
    assert picture(board, area) != pressed
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=area.center() - QPoint(100, 0))
    assert spy.count() == 0


def test_that_a_button_pressed_while_its_card_changes_is_still_pressed(board, qtbot):
    port, area = board.viewport(), board.button_area("a", "return")
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=area.center())
    board.set_rows([replace(row, held="99.9 s") for row in ROWS])
    with qtbot.waitSignal(board.action_wanted) as wish:
        qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=area.center())
    assert wish.args == ["a", "return"]


def test_that_a_button_shows_that_the_pointer_is_over_it(board, qtbot):
    area = board.button_area("a", "return")
    calm = picture(board, area)
    qtbot.mouseMove(board.viewport(), area.center())
    assert picture(board, area) != calm
    QApplication.sendEvent(board, QEvent(QEvent.Type.Leave))
    assert picture(board, area) == calm


def test_that_the_first_card_is_current_and_arrow_keys_move_on(focused, qtbot):
    assert focused.selected_key() == "a"
    with qtbot.waitSignal(focused.current_changed) as change:
        qtbot.keyClick(focused, Qt.Key.Key_Down)
    assert change.args == ["b"]
    qtbot.keyClick(focused, Qt.Key.Key_End)
    qtbot.keyClick(focused, Qt.Key.Key_Down)
    assert focused.selected_key() == "c"
    qtbot.keyClick(focused, Qt.Key.Key_Home)
    assert focused.selected_key() == "a"


def test_that_a_click_makes_a_card_current(board, qtbot):
    click(board, qtbot, board.card_area("b"))
    assert board.selected_key() == "b"


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
def test_that_enter_and_space_do_the_first_action(focused, qtbot, key):
    with qtbot.waitSignal(focused.action_wanted) as wish:
        qtbot.keyClick(focused, key)
    assert wish.args == ["a", "return"]


def test_that_tab_goes_to_a_cards_buttons_and_then_on(qapp, qtbot):
    whole = QWidget()
    qtbot.addWidget(whole)
    column, board = QVBoxLayout(whole), SlotBoard()
    before, after = QPushButton("before"), QPushButton("after")
    for widget in (before, board, after):
        column.addWidget(widget)
    whole.resize(420, 400)
    whole.show()
    whole.activateWindow()
    board.set_rows([replace(ROWS[0], actions=(("return", "Return"), ("cancel", "Cancel"))), *ROWS[1:]])
    before.setFocus()
    qtbot.waitUntil(before.hasFocus)
    qtbot.keyClick(before, Qt.Key.Key_Tab)
    assert board.hasFocus()
    seen = [picture(board)]
    for wanted in ("return", "cancel"):
        qtbot.keyClick(board, Qt.Key.Key_Tab)
        assert board.hasFocus()
        seen.append(picture(board))
        with qtbot.waitSignal(board.action_wanted) as wish:
            qtbot.keyClick(board, Qt.Key.Key_Space)
        assert wish.args == ["a", wanted]
    assert len({bytes(image.constBits()) for image in seen}) == 3  # where the focus is, is seen
    qtbot.keyClick(board, Qt.Key.Key_Tab)
    assert after.hasFocus()
    qtbot.keyClick(after, Qt.Key.Key_Tab, Qt.KeyboardModifier.ShiftModifier)
    with qtbot.waitSignal(board.action_wanted) as wish:
        qtbot.keyClick(board, Qt.Key.Key_Return)
    assert wish.args == ["a", "cancel"]
    board.set_rows(ROWS)  # its button goes while it has the focus
    with qtbot.waitSignal(board.action_wanted) as wish:
        qtbot.keyClick(board, Qt.Key.Key_Return)
    assert wish.args == ["a", "return"]


def test_that_the_menu_key_opens_the_menu_of_the_current_card(focused, qtbot):
    focused.set_rows([replace(ROWS[0], menu=(("details", "Stack && history…"),)), *ROWS[1:]])
    where = focused.mapToGlobal(QPoint(5, 5))
    QApplication.sendEvent(focused, QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(5, 5), where))
    menu = menu_in_sight()
    assert [each.text() for each in menu.actions()] == ["Return", "Stack &&&& history…"]
    with qtbot.waitSignal(focused.action_wanted) as wish:
        menu.actions()[1].trigger()
    assert wish.args == ["a", "details"]
    menu.close()


def test_that_the_right_button_opens_the_menu_of_the_card_under_it(board, qtbot):
    here = board.card_area("b").center()
    where = board.viewport().mapToGlobal(here)
    QApplication.sendEvent(board.viewport(), QContextMenuEvent(QContextMenuEvent.Reason.Mouse, here, where))
    assert board.selected_key() == "b"
    menu_in_sight().close()


def test_that_only_the_cards_that_changed_are_painted_anew(board, qapp, monkeypatch):
    painted = []
    monkeypatch.setattr(board._look(), "paint", lambda _painter, row, _marked: painted.append(row.key))
    qapp.processEvents()
    painted.clear()
    board.set_rows([ROWS[0], replace(ROWS[1], held="99 s"), ROWS[2]])
    qapp.processEvents()
    assert painted == ["b"]
    board.set_rows([ROWS[0], replace(ROWS[1], held="99 s"), ROWS[2]])
    qapp.processEvents()
    assert painted == ["b"]


def test_that_many_cards_that_change_at_once_are_all_painted(board, qapp, qtbot, monkeypatch):
    board.set_rows(MANY[:8])
    board.resize(400, 8 * board.pitch)
    qapp.processEvents()
    painted = []
    monkeypatch.setattr(board._look(), "paint", lambda _painter, row, _marked: painted.append(row.key))
    board.set_rows([replace(row, state="running", state_kind="good") for row in MANY[:8]])
    qtbot.waitUntil(lambda: set(painted) == {row.key for row in MANY[:8]})


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


def test_that_it_tells_when_the_current_slot_went(board):
    spy = QSignalSpy(board.current_changed)
    board.set_rows(ROWS[1:])
    assert [spy.at(place)[0] for place in range(spy.count())] == ["b"]
    board.set_rows([])
    assert spy.at(1)[0] == ""


def test_that_cards_stand_in_the_order_of_the_rows(board):
    board.set_rows([ROWS[2], ROWS[0], ROWS[1]])
    assert board.card_area("c").y() < board.card_area("a").y() < board.card_area("b").y()


def test_that_cards_are_of_one_height_and_do_not_meet(board):
    areas = [board.card_area(key) for key in "abc"]
    assert len({area.height() for area in areas}) == 1
    assert not areas[0].intersects(areas[1])
    assert areas[1].bottom() < areas[2].top()


def test_that_the_board_does_not_shrink_while_connections_come_and_go(board):
    three = board.sizeHint().height()
    board.set_rows(ROWS[:1])
    assert board.sizeHint().height() == three  # what lies below it does not jump
    board.set_rows([])
    assert board.sizeHint().height() == 0
    board.set_rows(ROWS[:1])
    assert board.sizeHint().height() * 3 == three


def test_that_a_hundred_slots_scroll_and_the_current_one_comes_into_sight(focused, qtbot):
    focused.set_rows(MANY)
    assert focused.sizeHint().height() < 9 * focused.pitch
    qtbot.keyClick(focused, Qt.Key.Key_End)
    assert focused.selected_key() == "k100"
    qtbot.waitUntil(lambda: focused.viewport().rect().contains(focused.card_area("k100")))
    qtbot.keyClick(focused, Qt.Key.Key_Home)
    assert focused.viewport().rect().contains(focused.card_area("k1"))


def test_that_what_the_board_lies_in_scrolls_to_the_current_card(qapp, qtbot):
    scroll, inside, board = QScrollArea(widgetResizable=True), QWidget(), SlotBoard()
    qtbot.addWidget(scroll)
    QVBoxLayout(inside).addWidget(board)
    scroll.setWidget(inside)
    scroll.resize(420, 150)
    board.set_rows(MANY[:6])
    scroll.show()
    qtbot.keyClick(board, Qt.Key.Key_End)
    assert scroll.verticalScrollBar().value() > 0
    corner = board.viewport().mapTo(scroll.viewport(), board.card_area("k6").bottomLeft())
    assert scroll.viewport().rect().contains(corner)


def test_that_a_slot_taken_away_by_its_own_button_does_no_harm(board, qtbot, qapp):
    board.action_wanted.connect(lambda *_: board.set_rows(ROWS[1:]))
    click(board, qtbot, board.button_area("a", "return"))
    qapp.processEvents()
    assert [row.key for row in board.rows()] == ["b", "c"]


def test_that_a_slot_taken_away_while_its_button_is_down_does_no_harm(board, qtbot, qapp):
    spy, area = QSignalSpy(board.action_wanted), board.button_area("a", "return")
    qtbot.mousePress(board.viewport(), Qt.MouseButton.LeftButton, pos=area.center())
    board.set_rows(ROWS[1:])
    qtbot.mouseRelease(board.viewport(), Qt.MouseButton.LeftButton, pos=area.center())
    qapp.processEvents()
    assert spy.count() == 0  # another slot's button lies there now


def test_that_three_actions_are_one_menu_away(board, qtbot):
    many = (("a", "One"), ("b", "Two"), ("c", "Three"))
    board.set_rows([replace(ROWS[0], actions=many)])
    assert board.button_names("a") == ["a", "b", "more"]
    assert board.words_at(board.button_area("a", "more").center()) == "More actions"
    click(board, qtbot, board.button_area("a", "more"))
    menu = menu_in_sight()
    assert [each.text() for each in menu.actions()] == ["One", "Two", "Three"]
    menu.close()


def test_that_buttons_and_texts_do_not_meet_however_narrow(board):
    for width in (240, 300, 400, 900):
        board.resize(width, 300)
        long = replace(ROWS[0], holder="h" * 90, sql="s" * 90, actions=(("return", "Return"), ("cancel", "Cancel")))
        board.set_rows([long, *ROWS[1:]])
        left, right = board.button_area("a", "return"), board.button_area("a", "cancel")
        assert 0 < left.left() < left.right() < right.left() < right.right() < width
        for _, _, x, room in board._look()._second_line(long):
            assert 0 < x <= x + max(0, room) <= left.left()


@pytest.mark.parametrize("holder", [f"hammer {number}" for number in range(16)] + ["by hand", "SQL 1", "W", "ill"])
def test_that_a_holder_is_not_cut_where_there_is_room(board, holder):
    row = replace(ROWS[0], holder=holder)
    board.set_rows([row, *ROWS[1:]])
    font, text, _, room = board._look()._second_line(row)[0]
    assert board._look()._cut(font, text, room).text == holder


def test_that_what_is_cut_is_told_by_a_tool_tip_and_what_has_lines_in_its_lines(board):
    long = replace(ROWS[0], sql="select '" + "x" * 90 + "'", holder="<b>bold</b>")
    board.set_rows([long, replace(ROWS[1], sql="select 1\nfrom person"), ROWS[2]])
    second_line = board.button_area("a", "return").center().y()
    assert board.words_at(QPoint(200, second_line)) == long.sql
    assert board.words_at(QPoint(20, second_line)) == ""  # the holder is not cut
    assert board.words_at(board.card_area("b").center()) == "select 1\nfrom person"
    assert board.words_at(board.card_area("c").center()) == ""
    assert board.words_at(QPoint(5, 5000)) == ""


def test_that_the_words_of_a_card_are_plain_text(board, qapp):
    plain, rich = replace(ROWS[0], holder="bold"), replace(ROWS[0], holder="<b>bold</b>")
    pictures = []
    for row in (plain, rich):
        board.set_rows([row, *ROWS[1:]])
        qapp.processEvents()
        pictures.append(picture(board, board.card_area("a")))
    assert pictures[0] != pictures[1]  # its letters are shown, and not what they might mean
    assert said(board, "a").endswith("held by <b>bold</b> for 12.4 s")


def test_that_seconds_passing_are_no_news_for_a_screen_reader(board):
    QAccessible.setActive(True)
    try:
        spy = QSignalSpy(board.model().dataChanged)
        board.set_rows([replace(ROWS[0], held="13 s", age="2 s"), *ROWS[1:]])
        assert spy.count() == 0
        assert said(board, "a").endswith("for 13 s")  # who asks hears the time
        board.set_rows([replace(ROWS[0], state="broken", state_kind="bad"), *ROWS[1:]])
        assert spy.count() == 1
        assert "broken" in said(board, "a")
    finally:
        QAccessible.setActive(False)


@pytest.mark.parametrize("scheme", [theme.Scheme.LIGHT, theme.Scheme.DARK, theme.Scheme.CONTRAST])
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_that_a_theme_changes_the_cards_that_are_there(board, qapp, scheme, scale):
    try:
        theme.apply(qapp, scheme, text_scale=scale)
        qapp.processEvents()
        image, area = picture(board), board.card_area("b")
        assert image.pixelColor(area.right() - 30, area.top() + 4).name() == theme.current().surface
        assert image.pixelColor(area.left() + 1, area.center().y()).name() == theme.current().warn_mark
        button = board.button_area("a", "return")
        assert board.card_area("a").contains(button)
    finally:
        theme.apply(qapp, theme.Scheme.LIGHT, text_scale=1.0)


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


def test_that_the_bar_gives_room_back_only_when_its_words_are_calm(qapp, qtbot):
    bar = SlotBar()
    qtbot.addWidget(bar)
    bar.set_slots(["good"] * 3, "3 of 3 in use, 16 waiting")
    wide = bar.sizeHint().width()
    bar.set_slots(["good"] * 3, "3 of 3 in use")
    assert bar.sizeHint().width() == wide
    bar._fit_later.timeout.emit()
    assert bar.sizeHint().width() < wide


def test_that_the_bar_shows_the_pointer_and_the_focus(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    bar = SlotBar()
    qtbot.addWidget(bar)
    bar.set_slots(["good", "idle"], "1 of 2 in use")
    bar.resize(bar.sizeHint())
    bar.show()
    calm = bar.grab().toImage()
    QApplication.sendEvent(bar, QEnterEvent(QPointF(5, 5), QPointF(5, 5), QPointF(5, 5)))
    assert bar.grab().toImage() != calm
    QApplication.sendEvent(bar, QEvent(QEvent.Type.Leave))
    bar.activateWindow()
    bar.setFocus()
    qtbot.waitUntil(bar.hasFocus)
    assert bar.grab().toImage() != calm
