"""The history as a person uses it: what was run is found again, read, run once more, and forgotten."""

import sqlite3
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from pgexplorer.history import Entry, History
from pgexplorer.home import home
from pgexplorer.ui.panels import history as panel_module


def show(driver):
    driver.frame.activateWindow()
    driver.until(driver.window.isVisible)
    panel = driver.window.show_view("History")
    driver.settle()
    return panel


def statements(panel):
    return [panel.model.entry(row).sql for row in range(panel.model.rowCount())]


def search(driver, panel, words):
    panel.search.setText(words)
    driver.until(lambda: panel._words == words)
    driver.settle()


def in_files(words: str) -> list[str]:
    """Return the history's files that hold *words*."""
    return [each.name for each in home().glob("history*") if words.encode() in each.read_bytes()]


def kept(driver, *texts):
    for text in texts:
        driver.app.history.add(Entry(text, 1.0, "me@here:5432/db", 0.1, 1, "SELECT 1"))
    driver.app.history.flush()


def test_that_every_statement_stands_there_with_its_time_rows_server_and_result(connected, profile):
    connected.query("select * from person; update person set sex = sex where id < 3; select 1/0")
    panel = show(connected)
    assert [each.strip() for each in statements(panel)] == [
        "select 1/0",
        "update person set sex = sex where id < 3",
        "select * from person",
    ]
    rows = connected.texts(panel.model)
    assert [row[2] for row in rows] == ["", "2", "3"]
    assert rows[0][3].startswith("failed: ")
    assert "division by zero" in rows[0][3]
    assert [row[3] for row in rows[1:]] == ["UPDATE 2", "SELECT 3"]
    assert {row[4] for row in rows} == {profile.address}
    assert connected.find("history.text").toPlainText() == statements(panel)[0]
    assert "division by zero" in connected.find("history.error").text()


def test_that_what_is_run_while_it_is_in_sight_comes_on_top_and_the_choice_stays(connected):
    connected.query("select 1")
    panel = show(connected)
    assert panel.current().sql == "select 1"
    connected.query("select 2")
    connected.until(lambda: statements(panel) == ["select 2", "select 1"])
    assert panel.current().sql == "select 1"


def test_that_no_password_is_in_its_file_and_it_is_not_run_again_without_one(driver, postgres, admin):
    rights = {name: postgres.admin_parameters[name] for name in ("user", "password")}
    driver.open(replace(postgres.profile, **rights))
    try:
        driver.query("create role heidi; alter role heidi password 'geheim123' valid until '2031-01-01'")
        assert admin.value("select rolpassword like 'SCRAM%%' from pg_authid where rolname = 'heidi'")
        panel = show(driver)
        assert "password '***'" in panel.current().sql
        assert "2031-01-01" in panel.current().sql
        assert not in_files("geheim123")
        assert in_files("heidi")
        tabs = driver.window.deck.tabs.count()
        driver.click("history.run")
        assert "password, which was not kept" in panel.message.text()
        assert driver.window.deck.tabs.count() == tabs
    finally:
        admin.ask("drop role if exists heidi")


def test_that_the_search_narrows_by_every_word_and_says_when_nothing_is_found(driver):
    kept(driver, "select * from person", "select * from orders where person = 1", "vacuum")
    panel = show(driver)
    search(driver, panel, "person ORDERS")
    assert statements(panel) == ["select * from orders where person = 1"]
    search(driver, panel, "zzz")
    assert panel._empty.isVisible()
    assert panel._empty.accessibleName() == "Nothing was found"
    search(driver, panel, "")
    assert len(statements(panel)) == 3


def test_that_it_works_without_a_connection_and_opens_in_a_new_tab(driver):
    kept(driver, "select 'ö😀'")
    driver.window._actions["window.history"].trigger()
    driver.settle()
    panel = show(driver)
    assert panel.isVisible()
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    [query] = driver.window.deck.query_panels()
    assert query.editor.toPlainText() == "select 'ö😀'"
    driver.click("history.insert")
    assert query.editor.toPlainText().count("select") == 2
    driver.click("history.run")
    assert "Not connected" in driver.window.deck.query_panels()[-1].message.text()


def test_that_a_double_click_opens_and_copying_takes_the_whole_statement(driver):
    text = "select\n  1 -- " + "x" * 500
    kept(driver, text)
    panel = show(driver)
    place = panel.list.visualRect(panel.model.index(0, 0)).center()
    QTest.mouseClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    QTest.mouseDClick(panel.list.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert driver.window.deck.query_panels()[-1].editor.toPlainText() == text
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == text


def test_that_a_statement_is_run_again_in_the_tab_that_has_it(connected):
    connected.query("select 42 as answer")
    panel = show(connected)
    connected.click("history.run")
    [query] = connected.window.deck.query_panels()
    connected.until(lambda: not query.is_running and len(statements(panel)) == 2)
    query.editor.setPlainText("something else")
    connected.click("history.run")
    connected.until(lambda: len(statements(panel)) == 3)
    assert len(connected.window.deck.query_panels()) == 2
    assert connected.texts(connected.find("query.grid").model()) == [["42"]]


def test_that_older_statements_come_when_one_scrolls_to_them(driver, monkeypatch):
    monkeypatch.setattr(panel_module, "_PAGE", 20)
    kept(driver, *(f"select {number}" for number in range(70)))
    panel = show(driver)
    bar = panel.list.verticalScrollBar()

    def all_here():
        bar.setValue(bar.maximum())
        return panel.model.rowCount() == 70

    driver.until(all_here)
    assert statements(panel) == [f"select {number}" for number in reversed(range(70))]


def test_that_one_is_forgotten_by_del_and_all_only_after_a_yes(driver, monkeypatch):
    kept(driver, "select 1", "select 2", "select 3")
    panel = show(driver)
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_Delete)
    driver.until(lambda: statements(panel) == ["select 2", "select 1"])
    assert panel.current().sql == "select 2"
    monkeypatch.setattr(panel_module, "ask", lambda *_: False)
    panel.action("history.forget_all").trigger()
    driver.settle()
    assert len(driver.app.history.search()) == 2
    monkeypatch.setattr(panel_module, "ask", lambda *_: True)
    panel.action("history.forget_all").trigger()
    driver.settle()
    assert driver.app.history.search() == []
    assert panel._empty.accessibleName() == "Nothing was run yet"
    assert not panel.action("history.open").isEnabled()


def test_that_a_damaged_file_is_set_aside_and_said_in_the_window(start):
    (home() / "history.sqlite3").write_bytes(b"not a database" * 100)
    driver = start()
    assert "It was set aside" in driver.window.message.text()
    kept(driver, "select 1")
    assert statements(show(driver)) == ["select 1"]


def test_that_a_file_that_cannot_be_read_is_said_in_the_panel(driver, monkeypatch):
    def refuse(*_args, **_more):
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(History, "search", refuse)
    panel = show(driver)
    assert "disk I/O error" in panel.message.text()


@pytest.mark.parametrize("key", [Qt.Key.Key_Delete, Qt.Key.Key_C])
def test_that_keys_in_the_search_field_leave_the_list_alone(driver, key):
    kept(driver, "select 1")
    panel = show(driver)
    panel.search.setFocus()
    control = Qt.KeyboardModifier.ControlModifier if key is Qt.Key.Key_C else Qt.KeyboardModifier.NoModifier
    QTest.keyClick(panel.search, key, control)
    driver.settle()
    assert statements(panel) == ["select 1"]
