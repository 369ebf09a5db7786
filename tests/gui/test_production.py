"""A server marked as production: its colour across the window, and a typed word before anything is changed there."""

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QDialog, QLineEdit

from pgexplorer.db.profile import Environment


@pytest.fixture
def production(driver, profile):
    driver.open(replace(profile, environment=Environment.PRODUCTION, lock_timeout_s=0.5, idle_timeout_s=600))
    return driver


def asked(driver):
    """Return the question that is open."""
    driver.until(lambda: any(each.isVisible() for each in driver.frame.findChildren(QDialog, "confirm")))
    return next(each for each in driver.frame.findChildren(QDialog, "confirm") if each.isVisible())


def run(driver, text):
    panels = driver.window.deck.query_panels()
    panel = panels[0] if panels else driver.window.deck.new_query()
    panel.editor.setPlainText(text)
    panel.run_all()
    return panel


def test_that_the_word_and_the_colour_are_across_the_window(production, profile, driver):
    band = production.find("window.band")
    assert band.isVisible()
    assert band.text().startswith("PRODUCTION · ")
    assert band.property("band") == "bad"
    driver.server.close()
    driver.settle()
    driver.open(replace(profile, environment=Environment.STAGING))
    assert band.text().startswith("STAGING · ")
    driver.server.close()
    driver.settle()
    driver.open(profile)
    assert not band.isVisible()


def test_that_reading_asks_nothing(production):
    panel = run(production, "select 1; explain delete from person; show work_mem")
    production.until(lambda: panel.results.count() == 3 and not panel.is_running)
    assert production.frame.findChildren(QDialog, "confirm") == []


def test_that_reading_with_parameters_asks_for_their_values_alone(production):
    panel = run(production, "select :a::int + 1")
    production.until(lambda: any(each.isVisible() for each in production.frame.findChildren(QDialog, "parameters")))
    dialog = production.find("parameters")
    dialog.findChild(QLineEdit, "parameters.:a").setText("41")
    dialog.accept()
    production.until(lambda: panel.results.count() == 1 and not panel.is_running)
    assert production.texts(panel.current_model()) == [["42"]]
    assert production.frame.findChildren(QDialog, "confirm") == []


def test_that_a_change_wants_the_databases_name_typed(production, own_schema, do, profile):
    do(f"CREATE TABLE {own_schema}.t AS SELECT 1 AS a")
    panel = run(production, f"select 1; delete from {own_schema}.t")
    dialog = asked(production)
    assert "changes every row: it has no WHERE: delete from" in dialog.findChild(object, "confirm.what").toPlainText()
    assert not dialog.go.isEnabled()
    dialog.reject()
    production.settle()
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1,)]
    assert panel.editor.toPlainText() == f"select 1; delete from {own_schema}.t"
    panel.run_all()
    dialog = asked(production)
    dialog.field.setText("something else")
    assert not dialog.go.isEnabled()
    dialog.field.setText(profile.dbname)
    dialog.go.click()
    production.until(lambda: do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)])
    production.settle()


def test_that_the_same_holds_by_hand_and_for_an_import(production, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t AS SELECT 1 AS a")
    production.hand("pool.check_out")
    production.find("pool.sql").setText(f"delete from {own_schema}.t")
    production.click("pool.run")
    asked(production).reject()
    production.hand("pool.return_all")
    production.window.schema.refresh()
    production.settle()
    production.window.deck.open_table(production.window.schema.relation(own_schema, "t"))
    production.settle()
    production.click("table.import")
    assert "Loads rows of a file" in asked(production).findChild(object, "confirm.what").toPlainText()
    asked(production).reject()
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1,)]


def test_that_the_profiles_timeouts_hold_at_the_server(production):
    panel = run(
        production, "select current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')"
    )
    production.until(lambda: panel.results.count() == 1 and not panel.is_running)
    assert production.texts(panel.current_model()) == [["500ms", "10min"]]


def test_that_a_read_only_profile_is_read_only_at_the_server(driver, profile, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    driver.open(replace(profile, read_only=True))
    panel = driver.query(f"insert into {own_schema}.t values (1)")
    assert "read-only transaction" in panel.message.text()


def test_that_running_twice_at_once_asks_once(production):
    panel = run(production, "create table never (a int)")
    panel.run_all()
    asked(production)
    production.settle()
    assert len([each for each in production.frame.findChildren(QDialog, "confirm") if each.isVisible()]) == 1
    asked(production).reject()
    for _ in range(2):
        run(production, "select :a")
    production.until(lambda: any(each.isVisible() for each in production.frame.findChildren(QDialog, "parameters")))
    production.settle()
    assert len([each for each in production.frame.findChildren(QDialog, "parameters") if each.isVisible()]) == 1


def test_that_measuring_a_change_asks_once_and_undoes_it(production, own_schema, do, monkeypatch):
    do(f"CREATE TABLE {own_schema}.t AS SELECT 1 AS a")
    monkeypatch.setattr("pgexplorer.ui.sql.explain.ask", lambda *_: pytest.fail("asked twice"))
    panel = production.window.deck.new_query()
    panel.editor.setPlainText(f"delete from {own_schema}.t where a = 1")
    panel.explain_analyze()
    dialog = asked(production)
    assert "rolled back" in dialog.findChild(object, "confirm.what").toPlainText()
    dialog.field.setText(production.server.in_use.profile.dbname)
    dialog.go.click()
    production.until(lambda: panel.results.count() == 1 and not panel.is_running)
    assert "DELETE" in panel.results.widget(0).plan.text.upper()
    assert do(f"SELECT a FROM {own_schema}.t") == [(1,)]
