"""A tab that keeps its backend: why, since when, what ends it, and what the others notice of it."""

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QDialog, QLabel, QLineEdit, QPushButton

from pgexplorer.ui.sql import kept_session, session_bar


@pytest.fixture
def answers(monkeypatch):
    """Answer every question with the last of what is put here; keep what was asked."""
    asked = []

    class Answers(list):
        def __call__(self, _parent, title, text):
            asked.append((title, text))
            return self[-1]

    found = Answers([True])
    found.asked = asked
    monkeypatch.setattr(kept_session, "ask", found)
    return found


def run(connected, panel, sql):
    panel.editor.setPlainText(sql)
    panel.run_all()
    connected.until(lambda: not panel.is_running)
    return panel


def test_that_a_transaction_pins_the_backend_and_commit_gives_it_back(connected, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    panel = connected.query(f"BEGIN; INSERT INTO {own_schema}.t VALUES (1)")
    bar = connected.find("query.session")
    assert bar.isVisible()
    assert f"pid {panel.pin.pid}: kept for open transaction" in connected.find("query.pin").text()
    assert connected.find("query.transaction").text().startswith("open · ")
    connected.until_out(1)
    pid = panel.pin.pid
    run(connected, panel, "SELECT pg_backend_pid()")
    assert connected.texts(panel.current_model()) == [[str(pid)]]
    connected.click("query.commit")
    connected.until(lambda: not panel.is_running)
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1,)]
    assert not bar.isVisible()
    connected.until_out(0)
    assert connected.texts(panel.current_model()) == [[str(pid)]]  # the result stays


def test_that_the_status_line_says_whether_the_tab_in_front_commits_by_itself(connected):
    def mode():
        return connected.find("status.mode").text().split(" · ")[-1]

    assert mode() == "autocommit"
    panel = connected.query("BEGIN")
    assert mode() == "in a transaction"
    other = connected.window.deck.new_query()
    assert mode() == "autocommit"
    connected.window.deck.tabs.setCurrentWidget(panel)
    assert mode() == "in a transaction"
    run(connected, panel, "SELECT 1/0")
    assert mode() == "in a failed transaction"
    run(connected, panel, "ROLLBACK")
    assert mode() == "autocommit"
    run(connected, panel, "LISTEN news")  # which keeps the backend without a transaction
    assert panel.pin is not None
    assert mode() == "autocommit"
    run(connected, panel, "BEGIN")
    connected.window.deck.tabs.setCurrentWidget(other)
    connected.window.deck.close_tab(connected.window.deck.tabs.indexOf(other))
    assert mode() == "in a transaction"


def test_that_the_status_line_forgets_a_transaction_that_was_lost(connected, do):
    panel = connected.query("BEGIN")
    assert connected.find("status.mode").text().endswith("in a transaction")
    do(f"SELECT pg_terminate_backend({panel.pin.pid})")
    connected.until(lambda: panel.pin is None)
    connected.until(lambda: connected.find("status.mode").text().endswith("autocommit"))


def test_that_begin_is_a_button_and_rollback_undoes(connected, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (a int)")
    panel = connected.window.deck.new_query()
    connected.click("query.begin")
    connected.until(lambda: panel.pin is not None and not panel.is_running)
    run(connected, panel, f"INSERT INTO {own_schema}.t VALUES (1)")
    connected.click("query.rollback")
    connected.until(lambda: panel.pin is None)
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(0,)]


def test_that_a_failed_transaction_can_only_be_rolled_back(connected):
    panel = connected.query("BEGIN; SELECT 1/0")
    assert connected.find("query.transaction").text().startswith("failed")
    assert not connected.find("query.commit").isEnabled()
    connected.click("query.rollback")
    connected.until(lambda: panel.pin is None)


def test_that_an_idle_transaction_turns_amber_then_red_and_is_never_ended_silently(connected, monkeypatch):
    panel = connected.query("BEGIN")
    state = connected.find("query.transaction")
    assert state.property("state") == "info"
    monkeypatch.setattr(session_bar, "LONG", 0.0)
    panel.session_bar._tick()
    assert (state.property("state"), state.text().startswith("still open")) == ("warn", True)
    monkeypatch.setattr(session_bar, "TOO_LONG", 0.0)
    panel.session_bar._tick()
    assert (state.property("state"), state.text().startswith("open too long")) == ("bad", True)
    assert panel.pin.is_open
    connected.until_out(1)


def test_that_unpin_says_what_is_lost_and_does_nothing_on_no(connected, answers):
    panel = connected.query("CREATE TEMP TABLE scratch (a int); SET work_mem = '77MB'")
    answers.append(False)
    connected.click("query.unpin")
    assert "Temporary tables are dropped with their rows: scratch." in answers.asked[0][1]
    assert "Settings go back to what they were: work_mem = 78848." in answers.asked[0][1]
    connected.until_out(1)
    answers.append(True)
    connected.click("query.unpin")
    connected.until_out(0)
    connected.settle()
    assert not connected.find("query.session").isVisible()
    run(connected, panel, "SHOW work_mem")
    assert connected.texts(panel.current_model()) != [["77MB"]]


def test_that_two_tabs_do_not_block_each_other_and_a_full_pool_says_whom_it_waits_for(driver, profile):
    driver.open(replace(profile, minconn=1, maxconn=2))
    first = driver.query("BEGIN")
    second = run(driver, driver.window.deck.new_query(), "SET work_mem = '50MB'")
    third = run(driver, driver.window.deck.new_query(), "SELECT 1")
    said = third.message.text()
    assert "connection pool exhausted" in said
    assert first.name in said
    assert second.name in said
    run(driver, first, "SELECT 1")
    assert first.current_model().rowCount() == 1


def test_that_with_a_pool_of_one_a_pinned_tab_works_and_the_rest_says_who_has_it(driver, profile):
    driver.open(replace(profile, minconn=1, maxconn=1))
    panel = driver.query("BEGIN")
    run(driver, panel, "SELECT 1")
    driver.window.deck.open_table(driver.window.schema.relation("public", "person"))
    driver.settle()
    table = driver.window.deck.tabs.currentWidget()
    assert panel.name in table.message.text()
    panel._do("COMMIT")
    driver.until(lambda: panel.pin is None and not panel.is_running)
    table.refresh()
    driver.settle()
    assert table.model.rowCount() == 3


def test_that_notifications_are_shown_without_another_statement(connected, do):
    panel = connected.query("LISTEN jobs")
    for number in range(5):
        do(f"NOTIFY jobs, 'number <b>{number}</b>'")
    connected.until(lambda: panel.log.heard == 5)
    text = panel.log.notifications.toPlainText()
    assert "jobs (pid " in text
    assert "number <b>4</b>" in text
    assert connected.find("query.log_button").accessibleName() == "Messages (5)"
    connected.click("query.log_button")
    assert panel.log.isVisible()


def test_that_a_backend_that_is_ended_while_it_is_kept_is_said(connected, admin, monkeypatch):
    monkeypatch.setattr(kept_session, "_LOOK", 50)
    panel = connected.query("BEGIN")
    pid = panel.pin.pid
    admin.terminate(pid)
    connected.until(lambda: f"Backend {pid}, which this tab kept, is gone." in panel.message.text())
    assert "rolled back" in panel.message.text()
    assert panel.pin is None
    run(connected, panel, "SELECT 42")
    assert connected.texts(panel.current_model()) == [["42"]]


def test_that_a_run_finds_that_its_backend_is_gone_and_the_text_is_kept(connected, admin):
    panel = connected.query("CREATE TEMP TABLE scratch (a int)")
    panel.kept.watch.stop()
    admin.terminate(panel.pin.pid)
    run(connected, panel, "SELECT * FROM scratch")
    assert "is gone." in panel.message.text()
    assert panel.editor.toPlainText() == "SELECT * FROM scratch"
    run(connected, panel, "SELECT 1")
    assert panel.current_model().rowCount() == 1


def test_that_closing_a_tab_or_the_window_asks_about_an_open_transaction(connected, answers):
    panel = connected.query("BEGIN")
    answers.append(False)
    connected.window.deck.close_tab(connected.window.deck.tabs.indexOf(panel))
    assert connected.window.deck.query_panels() == [panel]
    connected.frame.close()
    assert connected.frame.isVisible()
    assert len(answers.asked) == 2
    assert "What was changed in the open transaction is rolled back." in answers.asked[0][1]
    answers.append(True)
    connected.window.deck.close_tab(connected.window.deck.tabs.indexOf(panel))
    connected.until_out(0)


def test_that_an_error_ends_the_text_or_not_as_it_is_chosen(connected):
    panel = connected.query("SELECT 1; nonsense; SELECT 2")
    assert panel.results.count() == 1
    panel.action("query.go_on").setChecked(True)
    run(connected, panel, "SELECT 1; nonsense; SELECT 2; more nonsense; SELECT 3")
    assert panel.results.count() == 3
    assert panel.message.text().startswith("2 statements failed; the first: syntax error")
    log = panel.log.messages.toPlainText()
    assert "2/5  syntax error" in log
    assert "5/5  SELECT 1 · 1 row" in log


def test_that_a_pinned_result_outlives_the_next_run(connected):
    panel = connected.query("SELECT 'kept'")
    panel.action("query.pin").trigger()
    run(connected, panel, "SELECT 'new'")
    assert panel.results.count() == 2
    assert connected.texts(panel.current_model()) == [["new"]]
    panel.results.setCurrentIndex(0)
    assert connected.texts(panel.current_model()) == [["kept"]]
    assert panel.results.tabText(0) == "SELECT 'kept'"
    panel.action("query.pin").trigger()
    run(connected, panel, "SELECT 'newer'")
    assert panel.results.count() == 1


def test_that_every_statement_is_told_of_with_its_time_and_rows(connected):
    panel = connected.window.deck.new_query()
    ended = []
    panel.statement_ended.connect(ended.append)
    run(connected, panel, "SELECT generate_series(1, 3); nonsense")
    assert [(entry.sql, entry.rows, entry.status, entry.is_bad) for entry in ended] == [
        ("SELECT generate_series(1, 3)", 3, "SELECT 3", False),
        ("nonsense", -1, "", True),
    ]
    assert ended[0].server.startswith("pgexplorer@127.0.0.1:")


def test_that_parameters_are_asked_with_their_types_remembered_and_errors_marked_in_the_text(connected):
    panel = connected.window.deck.new_query()
    text = "select first_name from person where id = :id and last_name <> $1"
    panel.editor.setPlainText(text)
    panel.run_all()
    connected.until(lambda: connected.frame.findChildren(QDialog, "parameters"))
    dialog = connected.find("parameters")
    assert {label.text() for label in dialog.findChildren(QLabel)} >= {":id", "bigint", "$1", "text"}
    dialog.findChild(QLineEdit, "parameters.:id").setText("2")
    dialog.findChild(QLineEdit, "parameters.$1").setText("it's")
    dialog.findChild(QPushButton, "parameters.run").click()
    connected.until(lambda: panel.results.count() == 1 and not panel.is_running)
    assert connected.texts(panel.current_model()) == [["Rachna"]]
    assert panel.editor.toPlainText() == text
    panel.editor.setPlainText("select :id, nonsense")
    panel.run_all()
    connected.until(lambda: any(each.isVisible() for each in connected.frame.findChildren(QDialog, "parameters")))
    again = next(each for each in connected.frame.findChildren(QDialog, "parameters") if each.isVisible())
    assert again.values() == {":id": "2"}
    again.accept()
    connected.until(lambda: panel.message.text().startswith('column "nonsense" does not exist'))
    assert panel.editor.textCursor().position() == len("select :id, ")


@pytest.mark.parametrize("kept", ["", "CREATE TEMP TABLE scratch (a int)"])
def test_that_a_tab_closed_in_the_middle_of_a_run_keeps_no_connection(connected, kept):
    panel = connected.query(kept or "SELECT 1")
    panel.editor.setPlainText("BEGIN; SELECT pg_sleep(60)")
    panel.run_all()
    connected.until(lambda: panel.report.started is not None and "sleep" in panel.report.started.statement.text)
    connected.window.deck.close_tab(0)
    connected.settle()
    connected.until_out(0)
    assert connected.server.in_use.pool.stats().idle > 0


@pytest.mark.parametrize("is_reopened", [False, True])
def test_that_a_tab_says_what_went_when_the_pool_was_closed_under_it(connected, is_reopened):
    panel = connected.query("BEGIN")
    pid = panel.pin.pid
    connected.hand("pool.close_all")
    if is_reopened:
        connected.hand("pool.reopen")
    run(connected, panel, "SELECT 1")
    assert f"Backend {pid}, which this tab kept, is gone." in panel.message.text()
    assert "open transaction is rolled back" in panel.message.text()
    assert panel.current_model() is None  # nothing ran outside the transaction that it was written for
    if not is_reopened:
        connected.hand("pool.reopen")
    run(connected, panel, "SELECT 1")
    assert panel.current_model().rowCount() == 1


def test_that_a_transaction_outlives_a_pg_pool_that_is_closed_and_reopened(driver, profile, own_schema, do):
    driver.open(replace(profile, pool_class="PgPool"))
    do(f"CREATE TABLE {own_schema}.t (a int)")
    panel = driver.query(f"BEGIN; INSERT INTO {own_schema}.t VALUES (1)")
    pid = panel.pin.pid
    driver.hand("pool.close_all")
    driver.hand("pool.reopen")
    run(driver, panel, "SELECT 1")
    assert panel.pin.pid == pid
    driver.click("query.commit")
    driver.until(lambda: not panel.is_running)
    assert panel.pin is None
    assert do(f"SELECT count(*) FROM {own_schema}.t") == [(1,)]


@pytest.mark.parametrize("way", ["unpin", "close"])
def test_that_what_a_closed_pool_had_is_given_back_without_a_fault(connected, answers, way):
    faults = []
    connected.app.jobs.unheard.connect(lambda error, _trace: faults.append(error))
    panel = connected.query("CREATE TEMP TABLE scratch (a int)")
    connected.hand("pool.close_all")
    panel.unpin() if way == "unpin" else connected.window.deck.close_tab(0)
    connected.settle()
    assert not faults
    assert panel.message.text() == ""


def test_that_a_transaction_can_only_be_begun_on_a_server(driver, profile):
    panel = driver.window.deck.new_query()
    assert not panel.session_bar.begin_button.isEnabled()
    driver.open(profile)
    driver.until(panel.session_bar.begin_button.isEnabled)
    driver.server.close()
    driver.until(lambda: not panel.session_bar.begin_button.isEnabled())
