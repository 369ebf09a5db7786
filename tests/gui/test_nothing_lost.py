"""What was typed comes back: in the next run, after a close by mistake, beside another window."""

import pytest
from PySide6.QtWidgets import QPushButton

from pgexplorer.ui.sql import kept_session

TEXT = "select '😀' as é;\n\n-- a note\nselect 2;\n" + "\n".join(f"select {n};" for n in range(200))


@pytest.fixture
def two_tabs(driver):
    first, second = driver.window.deck.new_query(), driver.window.deck.new_query()
    first.editor.setPlainText(TEXT)
    cursor = first.editor.textCursor()
    cursor.setPosition(900)
    cursor.setPosition(920, cursor.MoveMode.KeepAnchor)
    first.editor.setTextCursor(cursor)
    second.editor.setPlainText("select 'second'")
    driver.window.deck.tabs.setCurrentWidget(first)
    return first, second


def test_that_tabs_come_back_in_the_next_run_without_connecting(start, driver, two_tabs):
    scroll = two_tabs[0].editor.verticalScrollBar().value()
    driver.app.close()
    again = start()
    panels = again.window.deck.query_panels()
    assert [panel.name for panel in panels] == ["SQL 1", "SQL 2"]
    assert panels[0].editor.toPlainText() == TEXT
    cursor = panels[0].editor.textCursor()
    assert (cursor.anchor(), cursor.position()) == (900, 920)
    assert not again.server.is_open
    said = again.message("connect.message")
    assert said.startswith("2 SQL tabs are open again")
    next(each for each in again.find("connect.message").findChildren(QPushButton) if each.text() == "Show").click()
    again.until(panels[0].editor.isVisible)
    assert again.window.deck.tabs.currentWidget() is panels[0]
    again.until(lambda: abs(panels[0].editor.verticalScrollBar().value() - scroll) <= 1)
    panels[0].run()
    assert "Not connected" in panels[0].message.text()
    assert again.window.deck.new_query().name == "SQL 3"


def test_that_what_is_typed_is_on_disk_soon_and_an_empty_tab_is_not(driver, two_tabs):
    driver.window.deck.new_query()
    driver.until(lambda: not driver.window.deck.keeper._changed)
    journal = driver.window.deck.keeper._journal
    assert journal.flush()
    found = sorted(path.read_text() for path in journal._own.glob("*.json"))
    assert len(found) == 2
    assert any("select 'second'" in each for each in found)


def test_that_a_closed_tab_is_opened_again_and_is_gone_in_the_next_run(start, driver, two_tabs):
    driver.window.deck.close_tab(1)
    assert [panel.name for panel in driver.window.deck.query_panels()] == ["SQL 1"]
    driver.window._actions["window.reopen"].trigger()
    assert driver.window.deck.query_panels()[-1].editor.toPlainText() == "select 'second'"
    assert not driver.window._actions["window.reopen"].isEnabled()
    driver.window.deck.close_tab(1)
    driver.app.close()
    assert [panel.name for panel in start().window.deck.query_panels()] == ["SQL 1"]


def test_that_two_windows_do_not_mix(start, driver, two_tabs):
    other = start()
    assert other.window.deck.query_panels() == []
    other.window.deck.new_query().editor.setPlainText("select 'of the other'")
    driver.app.close()
    other.app.close()
    texts = {panel.editor.toPlainText() for panel in start().window.deck.query_panels()}
    assert texts == {TEXT, "select 'second'", "select 'of the other'"}


def test_that_a_damaged_state_is_set_aside_and_said(start, driver, two_tabs, tmp_path):
    driver.app.close()
    [broken, _] = sorted((tmp_path / "home" / "tabs").glob("*/*.json"))
    broken.write_text('{"key": 1')
    again = start()
    assert len(again.window.deck.query_panels()) == 1
    assert "damaged" in again.message("window.message")


def test_that_a_file_and_what_was_changed_beside_it_come_back(start, driver, tmp_path, monkeypatch):
    monkeypatch.setattr(kept_session, "ask", lambda *_: True)
    path, other = tmp_path / "orders.sql", tmp_path / "other.sql"
    path.write_text("select 1;\n")
    other.write_text("select 2;\n")
    for each in (path, other):
        panel = driver.window.deck.new_query()
        panel.document.load(each)
        driver.settle()
    driver.window.deck.query_panels()[0].editor.replace_text("select 1; -- changed here\n")
    driver.app.close()
    other.write_text("select 2; -- changed there\n")
    again = start()
    again.settle()
    first, second = again.window.deck.query_panels()
    assert first.document.title == "orders.sql •"
    assert first.editor.toPlainText() == "select 1; -- changed here\n"
    assert second.editor.toPlainText() == "select 2;\n"
    assert "other.sql was changed" in second.message.text()
    first.document.save()
    again.settle()
    assert path.read_text() == "select 1; -- changed here\n"
