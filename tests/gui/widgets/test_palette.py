"""The palette: typed in, chosen from, closed again; it knows nothing of what it finds."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget

from pgexplorer.ui.widgets.fuzzy import Index
from pgexplorer.ui.widgets.palette import Group, Item, Palette

Key = Qt.Key


class Stage:
    """A window with a field in it, and a palette in front."""

    def __init__(self, qtbot):
        self.qtbot = qtbot
        self.window = QWidget()
        self.field = QLineEdit()
        self.fired = []
        action = QAction("x", self.window)
        action.setShortcut(QKeySequence("Ctrl+R"))
        action.triggered.connect(lambda: self.fired.append("Ctrl+R"))
        self.window.addAction(action)
        QVBoxLayout(self.window).addWidget(self.field)
        self.window.resize(800, 600)
        qtbot.addWidget(self.window)
        self.window.show()
        self.window.activateWindow()
        qtbot.waitUntil(self.window.isActiveWindow)
        self.field.setFocus()
        self.ran = []
        self.palette = Palette(self.window)

    def group(self, mark, *names, details=(), disabled=(), nothing=""):
        def item(number):
            name = names[number]
            return Item(name, lambda: self.ran.append((name, self.palette.is_open)), "table", mark,
                        enabled=name not in disabled, key=f"{mark}{name}")  # fmt: skip

        by_key = {f"{mark}{name}": number for number, name in enumerate(names)}
        return Group(mark, Index(names, details or None), item, nothing, by_key)

    def open(self, *groups, recent=(), typed=""):
        self.palette.open(groups, recent, typed)
        self.rest()

    def type(self, text):
        self.palette.field.selectAll()
        QTest.keyClicks(self.palette.field, text)
        self.rest()

    def key(self, key, *modifiers):
        QTest.keyClick(self.palette.field, key, *modifiers)

    def rest(self):
        self.qtbot.waitUntil(lambda: not self.palette.is_searching)

    @property
    def texts(self):
        return [item.text for item in self.palette.items]


@pytest.fixture
def stage(qtbot, themed):
    return Stage(qtbot)


@pytest.fixture
def themed(qapp):
    from pgexplorer.ui import theme

    return theme.apply(qapp, theme.Scheme.LIGHT)


def test_that_better_hits_come_first_across_the_kinds(stage):
    stage.open(stage.group(">", "reopen order", "older"), stage.group("@", "order", "order_item", "border"))
    stage.type("order")
    assert stage.texts == ["order", "order_item", "reopen order", "border"]
    stage.type("od")
    assert stage.texts == ["older", "reopen order", "order", "order_item"]


def test_that_a_mark_narrows_to_its_kind(stage):
    stage.open(stage.group(">", "person action"), stage.group("@", "person", "orders"))
    stage.type("@per")
    assert stage.texts == ["person"]
    stage.type("@")
    assert stage.texts == ["person", "orders"]
    stage.type("@ ord")
    assert stage.texts == ["orders"]


def test_that_what_was_used_lately_comes_first(stage):
    groups = stage.group(">", "print", "process"), stage.group("@", "prices", "products")
    stage.open(*groups, recent=["@products", ">process", "@gone"])
    assert stage.texts[:2] == ["products", "process"]
    stage.type("pr")
    assert stage.texts[:2] == ["products", "process"]
    stage.type("pri")
    assert stage.texts == ["print", "prices"]


def test_that_enter_closes_first_and_then_runs(stage):
    stage.open(stage.group("@", "one", "two"))
    stage.type("two")
    stage.key(Key.Key_Return)
    assert stage.ran == [("two", False)]
    assert stage.field.hasFocus()


def test_that_escape_closes_and_the_focus_returns(stage):
    stage.open(stage.group("@", "one"))
    assert stage.palette.field.hasFocus()
    stage.key(Key.Key_Escape)
    assert not stage.palette.is_open
    assert stage.field.hasFocus()
    assert stage.ran == []


def test_that_a_click_beside_it_closes_it_and_does_nothing_else(stage):
    stage.open(stage.group("@", "one"))
    under = stage.window.childAt(QPoint(20, 580))
    QTest.mouseClick(under, Qt.MouseButton.LeftButton)
    assert not stage.palette.is_open
    assert stage.field.hasFocus()


def test_that_a_click_on_a_line_takes_it(stage):
    stage.open(stage.group("@", "one", "two"))
    view = stage.palette.list
    place = view.visualRect(view.model().index(1, 0)).center()
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert stage.ran == [("two", False)]


def test_that_arrows_go_round_and_pages_stop_at_the_ends(stage):
    stage.open(stage.group("@", *(f"t{number:02}" for number in range(30))))
    stage.key(Key.Key_Up)
    assert stage.palette.current().text == "t29"
    stage.key(Key.Key_Down)
    assert stage.palette.current().text == "t00"
    stage.key(Key.Key_PageDown)
    assert stage.palette.current().text == "t11"
    for _ in range(4):
        stage.key(Key.Key_PageDown)
    assert stage.palette.current().text == "t29"


def test_that_what_is_not_possible_is_shown_and_not_run(stage):
    stage.open(stage.group(">", "cancel", disabled=["cancel"]))
    stage.key(Key.Key_Return)
    assert stage.ran == []
    assert stage.palette.is_open
    assert stage.palette.said() == "cancel: not possible now"


def test_that_nothing_found_is_said_and_why(stage):
    stage.open(stage.group("@", nothing="Connect first."), stage.group(">", "quit"))
    stage.type("zzz")
    assert stage.texts == []
    assert stage.palette.said() == "Nothing is called “zzz”."
    stage.type("@")
    assert stage.palette.said() == "Connect first."
    stage.type("qui")
    assert stage.palette.said() == ""


def test_that_no_shortcut_of_the_window_works_behind_it(stage):
    stage.open(stage.group("@", "one"))
    stage.key(Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    assert stage.fired == []
    stage.key(Key.Key_Escape)
    QTest.keyClick(stage.field, Key.Key_R, Qt.KeyboardModifier.ControlModifier)
    assert stage.fired == ["Ctrl+R"]


def test_that_it_fits_a_small_window_and_follows_its_size(stage):
    stage.open(stage.group("@", *(f"t{number:02}" for number in range(30))))
    for width, height in ((320, 240), (900, 700)):
        stage.window.resize(width, height)
        stage.qtbot.waitUntil(lambda: stage.window.width() == width)  # noqa: B023
        stage.qtbot.waitUntil(lambda: stage.window.rect().contains(stage.palette.geometry()))


def test_that_what_comes_later_is_searched_too(stage):
    stage.open(stage.group("@", "one"))
    stage.type("tw")
    assert stage.texts == []
    stage.palette.set_groups([stage.group("@", "one", "two")])
    stage.rest()
    assert stage.texts == ["two"]


def test_that_names_of_any_kind_are_painted_as_they_are(stage):
    stage.open(stage.group("@", "<b>bold</b>", "a\nb", "x" * 10_000, "İ😀 ß"))
    for typed in ("", "b", "x", "ß", "😀"):
        stage.palette.field.setText(typed)
        stage.rest()
        assert not stage.palette.grab().isNull()
