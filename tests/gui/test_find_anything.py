"""Ctrl+K in the real window: everything is reached by its name, connected or not."""

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QTableView

from pgexplorer.db.catalog import Catalog, Table
from pgexplorer.history import Entry
from pgexplorer.ui.keys_sheet import KeysSheet, keys_page
from pgexplorer.ui.panels.query import QueryPanel
from pgexplorer.ui.panels.table import TablePanel

Control = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def find(driver):
    """Open the palette by its key, type, wait until it has come to rest, and return it."""

    def opened(typed: str):
        window, palette = driver.window, driver.window.finder.palette
        driver.frame.activateWindow()
        driver.until(lambda: window.isVisible() and driver.frame.isActiveWindow())
        driver.until(lambda: not window.finder._soon.isActive())
        driver.settle()
        if not palette.is_open:
            QTest.keyClick(driver.frame, Qt.Key.Key_K, Control)
        assert palette.is_open
        palette.field.clear()
        QTest.keyClicks(palette.field, typed)
        driver.settle()
        driver.until(lambda: not palette.is_searching)
        return palette

    return opened


def take(palette, text, detail=""):
    """Choose the line *text* with the arrow, and press Enter."""
    for _ in palette.items:
        current = palette.current()
        if current.text == text and detail in current.detail:
            break
        QTest.keyClick(palette.field, Qt.Key.Key_Down)
    assert palette.current().text == text
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
    assert not palette.is_open


def test_that_a_table_is_opened_and_the_next_time_it_comes_first(connected, find):
    palette = find("@per")
    assert (palette.items[0].text, palette.items[0].detail[:6]) == ("person", "public")
    take(palette, "person", "public")
    connected.settle()
    panel = connected.window.deck.tabs.currentWidget()
    assert isinstance(panel, TablePanel)
    assert panel.relation.name == "person"
    assert find("@").items[0].text == "person"
    assert "table:public.person" in connected.app.settings.preference("palette.used")


def catalog_read(driver):
    driver.window.finder.open()
    driver.until(lambda: driver.window.completer.catalog is not None)
    driver.window.finder.palette.close_and_return()


def test_that_a_column_opens_its_table_and_is_gone_to(connected, find):
    catalog_read(connected)
    palette = find("#last_n")
    assert [item.text for item in palette.items] == ["last_name"]
    assert "public.person" in palette.items[0].detail
    take(palette, "last_name")
    connected.settle()
    panel = connected.window.deck.tabs.currentWidget()
    connected.until(lambda: panel.grid.currentIndex().isValid())
    assert panel.model.columns()[panel.grid.currentIndex().column()].name == "last_name"
    take(find("#person.sex"), "sex")  # the table is open already
    connected.settle()
    connected.until(lambda: panel.model.columns()[panel.grid.currentIndex().column()].name == "sex")
    assert connected.window.deck.tabs.count() == 1


def test_that_columns_of_the_tree_are_found_before_the_catalog_is_known(connected, find):
    schema = connected.window.schema
    schema.tree.expand(schema.model.find("public", "person"))
    connected.settle()
    connected.window.finder.opened.disconnect(connected.window.completer.need)
    assert [item.text for item in find("#first").items] == ["first_name"]
    assert connected.window.completer.catalog is None


def test_that_a_function_and_an_index_are_found_and_shown_in_the_tree(connected, find, do, own_schema):
    do(f"CREATE FUNCTION {own_schema}.odd_one_out(int) RETURNS int LANGUAGE sql AS 'SELECT 1'")
    do(f"CREATE TABLE {own_schema}.t (n int); CREATE INDEX quick_way ON {own_schema}.t (n)")
    schema = connected.window.schema
    schema.refresh()
    connected.settle()
    take(find("odd_one"), "odd_one_out")
    assert schema.current().name == "odd_one_out"
    take(find("quick_w"), "quick_way")
    connected.settle()
    assert schema.current().name == "quick_way"
    assert schema.tree.currentIndex().data() == "quick_way"


def test_that_a_column_of_a_table_that_is_gone_is_said(connected, find):
    gone = Table(1, "public", "gone", "r", "nowhere", "text")
    catalog_read(connected)
    connected.window.finder.know_columns(Catalog(tables=(gone,)))
    take(find("#nowhere"), "nowhere")
    assert "public.gone is not there any more" in connected.window.message.text()


def test_that_an_action_of_the_tab_runs_and_a_disabled_one_does_not(connected, find):
    connected.window.deck.new_query().editor.setPlainText("select 7")
    palette = find(">cancel")
    item = next(each for each in palette.items if each.detail == "SQL")
    assert not item.enabled
    assert item.keys == "Ctrl+."
    QTest.keyClick(palette.field, Qt.Key.Key_Escape)
    take(find(">run all"), "Run all")
    panel = connected.window.deck.query_panels()[-1]
    connected.until(lambda: not panel.is_running and panel.results.count())
    assert connected.texts(connected.find("query.grid").model()) == [["7"]]


def test_that_a_statement_of_the_history_is_put_at_the_caret(connected, find):
    connected.query("select  42\n as answer")
    panel = connected.query("-- ")
    take(find("!answer"), "select 42 as answer")
    assert panel.editor.toPlainText() == "select  42\n as answer-- "
    assert panel.editor.hasFocus()


def test_that_an_open_tab_is_switched_to(connected, find):
    first = connected.window.deck.new_query()
    connected.window.deck.new_query()
    take(find("sql 1"), "SQL 1", "Open tab")
    assert connected.window.deck.tabs.currentWidget() is first


def test_that_a_remembered_connection_is_opened_with_its_password(driver, find, profile):
    kept = driver.app.settings.keep(profile)
    driver.window.connect_panel._secrets.remember(kept.address, profile.password, keep=False)
    driver.window.connect_panel._list()
    take(find(kept.name), kept.name, "Connect")
    driver.until(lambda: driver.server.is_open)
    assert driver.server.in_use.profile.key == kept.key


def test_that_it_works_without_a_connection(driver, find):
    driver.app.history.add(Entry("select 'kept'", 1.0, "me@here/db"))
    palette = find("@")
    assert palette.items == []
    assert palette.said() == "No table is known: connect first."
    assert find("#x").said().startswith("No column is known")
    take(find("!kept"), "select 'kept'")
    [panel] = driver.window.deck.query_panels()
    assert panel.editor.toPlainText() == "select 'kept'"
    assert panel.isVisible()
    take(find(">connections"), "Connections…")
    assert driver.window.connect_panel.isVisible()


def test_that_the_key_and_the_button_open_it_and_the_key_closes_it_again(connected, find):
    panel = connected.window.deck.new_query()
    palette = find("per")
    QTest.keyClick(palette.field, Qt.Key.Key_K, Control)
    assert not palette.is_open
    assert panel.editor.hasFocus()
    connected.click("window.find")
    assert palette.is_open
    QTest.keyClick(palette.field, Qt.Key.Key_Return, Control)  # would run the text, were it not in front
    assert not panel.is_running


def test_that_tables_of_the_server_that_was_left_are_not_found(connected, find):
    assert find("@person").items
    QTest.keyClick(connected.window.finder.palette.field, Qt.Key.Key_Escape)
    connected.server.close()
    connected.settle()
    assert find("@person").items == []


def test_that_a_broken_list_of_what_was_used_is_passed_over(driver, find):
    for stored in ("{", "[1, null]", '{"a": 1}', '"x"'):
        driver.app.settings.prefer("palette.used", stored)
        palette = find(">")
        assert palette.items
        QTest.keyClick(palette.field, Qt.Key.Key_Escape)


# -- keys


def _ink(widget, row):
    """Return where the first text of *row* begins, in pixels from the left."""
    picture = widget.grab().toImage()
    height = 25
    ys = range(row * height + 6, row * height + 19)
    paper = picture.pixelColor(picture.width() - 3, ys[0])
    return next(
        x
        for x in range(2, picture.width())
        if any(abs(picture.pixelColor(x, y).lightness() - paper.lightness()) > 60 for y in ys)
    )


def test_that_the_sheet_lists_every_action_of_every_panel_open_or_not_and_is_searched(connected):
    window = connected.window
    window.show_keys()
    sheet = connected.find("window.keys_sheet", KeysSheet)
    rows = sheet.rows()
    listed = {(text, where) for text, _, where in rows}
    window.deck.new_query()
    window.deck.open_table(window.schema.relation("public", "person"))
    connected.settle()
    panels = [window.deck.tabs.widget(0), window.deck.tabs.widget(1), window.schema, window.pool, window.tour]
    panels += [window.connect_panel, *map(window.show_view, window.dock.titles)]
    for panel in panels:
        for action in panel.actions_by_name.values():
            assert (action.text().replace("&", "").rstrip("…"), panel.TITLE) in listed
    for action in window._actions.values():
        assert (action.text().rstrip("…"), "Window") in listed
    assert len(rows) == len(set(rows))
    head, cell = _ink(sheet.list.horizontalHeader().viewport(), 0), _ink(sheet.list.viewport(), 0)
    assert abs(head - cell) <= 1  # letters begin a little to the right of where they stand
    assert ("Find anything", "Ctrl+K", "Window") in rows
    assert ("Run", "Ctrl+Return or Ctrl+Enter", "SQL") in rows
    sheet.search.setText("ctrl+k window")
    assert sheet.rows() == [("Find anything", "Ctrl+K", "Window")]
    sheet.search.setText("zzz")
    assert connected.find("keys.said").text().startswith("No action")
    assert connected.find("keys.list", QTableView).model().rowCount() == 0
    sheet.close()
    assert len(window.deck.query_panels()) == 1


def test_that_no_key_means_two_things_at_once_wherever_the_focus_is(connected, active_keys):
    window = connected.window
    connected.frame.activateWindow()
    window.show_connect()
    places = active_keys.check("connecting")
    window.show_explore()
    window.deck.new_query()
    window.deck.open_table(window.schema.relation("public", "person"))
    connected.settle()
    for number in range(window.deck.tabs.count()):
        window.deck.tabs.setCurrentIndex(number)
        for title in window.dock.titles:
            window.show_view(title)
            connected.settle()
            for editor in (panel.editor for panel in window.deck.query_panels() if panel.isVisible()):
                editor.find()
            places += active_keys.check(f"{title} beside {type(window.deck.tabs.currentWidget()).__name__}")
    window.show_tour()
    places += active_keys.check("the tour")
    assert isinstance(window.deck.tabs.widget(0), QueryPanel)
    assert places > 300  # places in which the focus can be


def test_that_two_actions_with_one_key_would_be_noticed(connected, active_keys):
    from PySide6.QtGui import QAction

    connected.frame.activateWindow()
    panel = connected.window.deck.new_query()
    twin = QAction("Twin", panel.editor, shortcut="Ctrl+N")
    twin.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
    panel.editor.addAction(twin)
    with pytest.raises(AssertionError, match="Ctrl\\+N"):
        active_keys.check("with a twin")


@pytest.fixture
def active_keys(driver):
    return ActiveKeys(driver.frame)


class ActiveKeys:
    """Which actions a key could trigger, by Qt's own rules, with the focus in each place where it can be."""

    def __init__(self, frame) -> None:
        self.frame = frame

    def check(self, state: str) -> int:
        """Fail where a key has two meanings; return in how many places of focus it was looked."""
        from PySide6.QtGui import QAction, QShortcut
        from PySide6.QtWidgets import QAbstractButton, QWidget

        visible = [each for each in self.frame.findChildren(QWidget) if each.isVisible()]
        focusable = [each for each in visible if each.focusPolicy() != Qt.FocusPolicy.NoFocus and each.isEnabled()]
        # Those too that cannot be done at the moment: another moment they can.
        actions = [each for each in self.frame.findChildren(QAction) if each.shortcuts()]
        others = [(each.shortcut(), each) for each in visible if isinstance(each, QAbstractButton) and each.isEnabled()]
        others += [
            (each.key(), each.parent())
            for each in self.frame.findChildren(QShortcut)
            if each.isEnabled() and each.parent().isVisible()
        ]
        for focus in focusable:
            meanings: dict[str, set] = {}
            for action in actions:
                if self._is_active(action, focus):
                    for key in action.shortcuts():
                        meanings.setdefault(key.toString(), set()).add(action.objectName() or action.text())
            for key, owner in others:
                if not key.isEmpty():
                    meanings.setdefault(key.toString(), set()).add(owner.objectName())
            double = {key: names for key, names in meanings.items() if len(names) > 1}
            assert not double, f"{state}, focus in {focus.objectName() or focus}: {double}"
        return len(focusable)

    def _is_active(self, action, focus) -> bool:
        from PySide6.QtWidgets import QMenu, QWidget

        context = action.shortcutContext()
        for owner in action.associatedObjects():
            if isinstance(owner, QMenu):
                # Qt takes a menu's own action, which a menu bar shows; a button's menu counts with the button.
                menu = owner.menuAction()
                seats = [each for each in menu.associatedObjects() if isinstance(each, QWidget)]
            elif isinstance(owner, QWidget):
                seats = [owner]
            else:
                continue
            for seat in seats:
                if seat.isVisible() and seat.isEnabled() and self._reaches(context, seat, focus):
                    return True
        return False

    @staticmethod
    def _reaches(context, seat, focus) -> bool:
        if context == Qt.ShortcutContext.WidgetShortcut:
            return seat is focus
        if context == Qt.ShortcutContext.WidgetWithChildrenShortcut:
            return seat is focus or seat.isAncestorOf(focus)
        return True


@pytest.mark.skipif(sys.platform == "darwin", reason="keys have other names there")
def test_that_the_page_of_keys_in_the_documents_is_the_sheet(driver):
    page = Path(__file__).parent.parent.parent / "docs" / "pictures" / "keys.md"
    assert page.read_text(encoding="utf-8") == keys_page(driver.window.all_actions()), "make pictures writes it"
