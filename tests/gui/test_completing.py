"""Completion in the SQL panel, with a real server: what is typed, offered and taken, and what follows DDL."""

import dataclasses

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

CTRL, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier


@pytest.fixture
def shop(do, own_schema):
    """A schema with two tables that a foreign key links, and a hostile one."""
    do(f"create type {own_schema}.state as enum ('new', 'paid')")
    do(f"create table {own_schema}.buyers (id int primary key, nickname text)")
    do(f"insert into {own_schema}.buyers values (7, 'seven')")
    do(
        f"create table {own_schema}.purchases (id int, buyer_id int references {own_schema}.buyers, "
        f"state {own_schema}.state)"
    )
    do(f'create table {own_schema}."Odd ""Table"" 😀" ("A b" int)')
    return own_schema


@pytest.fixture
def panel(connected, shop):
    made = connected.window.deck.new_query()
    connected.frame.activateWindow()
    connected.until(connected.frame.isActiveWindow)
    made.editor.setFocus()
    connected.until(made.editor.hasFocus)
    connected.until(lambda: connected.window.completer.catalog is not None)
    return made


def ask(connected, panel, text):
    """Write *text*, ask with Ctrl+Space what could come next, and return what is listed."""
    panel.editor.setPlainText(text)
    panel.editor.set_caret(len(text))
    QTest.keyClick(panel.editor, Qt.Key.Key_Space, CTRL)
    connected.until(panel.editor.popup.isVisible)
    return panel.editor.popup.texts


def press(panel, key):
    QTest.keyClick(panel.editor, key, NONE)


def test_that_a_query_is_typed_with_tab_and_runs(connected, panel, shop):
    editor = panel.editor
    QTest.keyClicks(editor, "sel")
    connected.until(editor.popup.isVisible)
    assert editor.popup.texts[0] == "select"
    press(panel, Qt.Key.Key_Tab)
    assert editor.toPlainText() == "select"
    QTest.keyClicks(editor, f" b. from {shop}.buy")
    connected.until(lambda: editor.popup.isVisible() and editor.popup.texts == ["buyers"])
    press(panel, Qt.Key.Key_Tab)
    QTest.keyClicks(editor, " b")
    editor.set_caret(len("select b"))
    QTest.keyClicks(editor, ".")
    connected.until(lambda: editor.popup.isVisible() and "nickname" in editor.popup.texts)
    QTest.keyClicks(editor, "ni")
    press(panel, Qt.Key.Key_Return)
    press(panel, Qt.Key.Key_Delete)  # the dot of before
    assert editor.toPlainText() == f"select b.nickname from {shop}.buyers b"
    QTest.keyClick(editor, Qt.Key.Key_Return, CTRL)
    connected.until(lambda: not panel.is_running)
    assert panel.current_model().index(0, 0).data() == "seven"


def test_that_a_foreign_key_joins_and_an_enum_offers_its_labels(connected, panel, shop):
    text = f"select * from {shop}.purchases p join "
    assert f"{shop}.buyers ON buyers.id = p.buyer_id" in ask(connected, panel, text)
    panel.editor.popup.hide()
    press(panel, Qt.Key.Key_Escape)
    found = ask(connected, panel, f"select * from {shop}.purchases p join {shop}.buyers b on ")
    assert found[0] == "b.id = p.buyer_id"
    panel.editor.popup.hide()
    assert ask(connected, panel, f"select * from {shop}.purchases where state = ")[:2] == ["new", "paid"]
    press(panel, Qt.Key.Key_Return)
    assert panel.editor.toPlainText().endswith("state = 'new'")


def test_that_a_hostile_name_is_put_in_whole_and_quoted(connected, panel, shop):
    assert 'Odd "Table" 😀' in ask(connected, panel, f'select count(*) from {shop}."Odd')
    press(panel, Qt.Key.Key_Tab)
    assert panel.editor.toPlainText() == f'select count(*) from {shop}."Odd ""Table"" 😀"'
    QTest.keyClick(panel.editor, Qt.Key.Key_Return, CTRL)
    connected.until(lambda: not panel.is_running)
    assert panel.current_model().index(0, 0).data() == "0"


def test_that_ddl_is_followed_by_a_new_look_at_the_catalog(connected, panel, shop):
    made = [f"create table {shop}.later (only_now int)", f"create table {shop}.copied as select 1 as one"]
    for text, name in zip(made, ["later", "copied"], strict=True):
        connected.query(text)
        connected.until(lambda name=name: connected.window.completer.catalog.table((shop, name)))
    connected.query(f"drop table {shop}.later")
    connected.until(lambda: connected.window.completer.catalog.table((shop, "later")) is None)
    assert ask(connected, panel, f"select * from {shop}.cop") == ["copied"]


def test_that_what_is_defined_in_a_transaction_is_known_after_its_end(connected, panel, shop):
    connected.query(f"begin; create table {shop}.inside (a int); commit")
    connected.until(lambda: connected.window.completer.catalog.table((shop, "inside")))


def test_that_what_was_taken_comes_first_and_is_remembered(connected, panel, shop):
    assert ask(connected, panel, f"select * from {shop}.")[0] == "buyers"
    while panel.editor.popup.current().text != "purchases":
        press(panel, Qt.Key.Key_Down)
    press(panel, Qt.Key.Key_Tab)
    assert ask(connected, panel, f"select * from {shop}.")[0] == "purchases"
    connected.window.keep_layout()
    assert f"table:{shop}.purchases" in connected.app.settings.preference("completion.uses")


def test_that_a_full_pool_is_waited_for_without_a_word(connected, panel, shop, do):
    pool = connected.server.in_use.pool
    out = [pool.getconn(holder="somebody") for _ in range(pool.maxconn)]
    do(f"create table {shop}.meanwhile (a int)")
    completer = connected.window.completer
    completer.ran("CREATE TABLE")
    connected.until(lambda: completer._failures)
    assert not panel.message.isVisible()
    assert not connected.window.message.isVisible()
    assert "buyers" in ask(connected, panel, f"select * from {shop}.buy")  # from what was read before
    for conn in out:
        pool.putconn(conn)
    connected.until(lambda: completer.catalog.table((shop, "meanwhile")))


def test_that_the_last_free_connection_is_left_to_others_until_there_is_no_other_way(connected, panel, shop, do):
    pool = connected.server.in_use.pool
    out = [pool.getconn(holder="somebody") for _ in range(pool.maxconn - 1)]
    do(f"create table {shop}.meanwhile (a int)")
    completer = connected.window.completer
    completer.ran("CREATE TABLE")
    connected.until(lambda: completer._failures == 1)
    completer._failures = 3  # as after some more tries
    completer.refresh()
    connected.until(lambda: completer.catalog.table((shop, "meanwhile")))
    for conn in out:
        pool.putconn(conn)


def test_that_with_one_connection_alone_everything_is_known_too(driver, profile, shop, do):
    driver.open(dataclasses.replace(profile, minconn=1, maxconn=1))
    driver.window.deck.new_query()
    completer = driver.window.completer
    driver.until(lambda: completer.catalog and completer.catalog.table((shop, "buyers")))
    driver.query(f"create table {shop}.one_more ()")
    driver.until(lambda: completer.catalog.table((shop, "one_more")))


def test_that_nothing_is_read_as_long_as_no_tab_asks(connected):
    connected.settle()
    assert connected.window.completer.catalog is None


def test_that_an_answer_to_a_text_that_is_gone_is_dropped(connected, panel, shop):
    editor = panel.editor
    editor.setPlainText("select * from ")
    editor.set_caret(14)
    QTest.keyClick(editor, Qt.Key.Key_Space, CTRL)
    editor.setPlainText("another text, longer")
    editor.set_caret(20)
    connected.settle()
    assert not editor.popup.isVisible()


def test_that_enter_ends_the_line_where_the_word_is_complete(connected, panel):
    QTest.keyClicks(panel.editor, "select id from orders where id = 1 or")
    connected.until(panel.editor.popup.isVisible)
    assert panel.editor.popup.current().text == "or"
    press(panel, Qt.Key.Key_Return)
    assert panel.editor.toPlainText() == "select id from orders where id = 1 or\n"


def test_that_more_letters_find_what_200_lines_had_no_room_for(connected, panel, shop, do):
    do(f"do $$ begin for n in 1..400 loop execute format('create table {shop}.many_%s ()', n); end loop; end $$")
    connected.window.completer.ran("CREATE TABLE")
    connected.until(lambda: connected.window.completer.catalog.table((shop, "many_400")))
    assert len(ask(connected, panel, f"select * from {shop}.man")) == 200
    assert "many_399" not in panel.editor.popup.texts
    QTest.keyClicks(panel.editor, "y_39")
    connected.until(lambda: "many_399" in panel.editor.popup.texts)


def test_that_without_a_server_keywords_are_offered(driver):
    panel = driver.window.deck.new_query()
    driver.window.pages.setCurrentWidget(driver.window._split)
    driver.frame.activateWindow()
    panel.editor.setFocus()
    driver.until(panel.editor.hasFocus)
    assert "SELECT" in ask(driver, panel, "")
