"""The activity at a real server: sessions, who blocks whom, ending, what stands out, charts, statements, PgBouncer."""

import contextlib
import subprocess
import sys
import threading
from dataclasses import replace

import psycopg2
import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QLabel, QScrollArea

from pgexplorer.db.activity import sessions as activity
from pgexplorer.db.profile import Environment
from pgexplorer.models.activity_model import FINDINGS, PID, SLOT, STATE, STATEMENT


@pytest.fixture
def panel(connected):
    """The activity in its tab, after its first look."""
    shown = connected.window.deck.show_activity()
    shown.rate.setCurrentIndex(0)
    connected.until(lambda: shown.seen is not None)
    return shown


@pytest.fixture
def other(profile):
    """Open sessions of another program; they are closed at the end."""
    opened = []

    def connect(application="another program"):
        conn = psycopg2.connect(**(profile.parameters("side") | {"application_name": application}))
        opened.append(conn)
        return conn, conn.info.backend_pid

    yield connect
    for conn in opened:
        conn.close()


@pytest.fixture
def waits(other, do, own_schema, admin):
    """A session that holds a row, and one that waits for it."""
    do(f"create table {own_schema}.held (id int primary key, n int); insert into {own_schema}.held values (1, 0)")
    (holder, held), (waiter, waiting) = other("holder"), other("waiter")
    with holder.cursor() as cursor:
        cursor.execute(f"update {own_schema}.held set n = 1")
    failed = []

    def wait():
        try:
            with waiter.cursor() as cursor:
                cursor.execute(f"update {own_schema}.held set n = 2")
        except psycopg2.Error as error:
            failed.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    yield held, waiting, failed
    admin.terminate(held, waiting)  # the schema is dropped next, and would wait for them
    thread.join(10)


def texts(model, parent=None):
    """Return the pids and what else is on screen, as a tree of (row, rows below)."""
    parent = QModelIndex() if parent is None else parent
    found = []
    for row in range(model.rowCount(parent)):
        first = model.index(row, 0, parent)
        cells = [model.index(row, column, parent).data() for column in range(model.columnCount())]
        found.append((cells, texts(model, first)))
    return found


def row_of(panel, pid):
    """Return the cells of the session *pid*, None where it is not shown."""
    rows = {entry.session.pid: panel.sessions.model.index_of(entry) for entry in panel.sessions.model.entries()}
    if pid not in rows:
        return None
    return [rows[pid].siblingAtColumn(column).data() for column in range(panel.sessions.model.columnCount())]


def test_that_sessions_are_listed_with_the_programs_own_slots_marked(connected, panel, other):
    conn, pid = other("a; program\n<b>bold</b>")
    with conn.cursor() as cursor:
        cursor.execute("select 1 as it, 'two\nlines'")
    held = connected.server.in_use.pool.getconn(holder="SQL 7")
    own = held.info.backend_pid
    # A look that began before the session was ready has not seen it as it is.
    connected.until(lambda: (row_of(panel, pid) or [""] * 9)[STATE] == "idle in transaction" and row_of(panel, own))
    assert row_of(panel, pid)[STATEMENT] == "select 1 as it, 'two lines'"
    assert row_of(panel, pid)[SLOT] == ""
    number = next(slot.number for slot in connected.server.in_use.pool.slots() if slot.pid == own)
    connected.until(lambda: row_of(panel, own)[SLOT] == f"#{number} SQL 7")
    assert "of 16 connections" in connected.find("activity.said").text()
    QAbstractItemModelTester(panel.sessions.model, QAbstractItemModelTester.FailureReportingMode.Warning, panel)
    panel.look_again()
    connected.until(lambda: not panel.looker.is_at_work)
    connected.server.in_use.pool.putconn(held)


def test_that_who_waits_lies_under_who_holds_and_the_chosen_ones_locks_are_told(connected, panel, waits, own_schema):
    held, waiting, _ = waits
    connected.until(lambda: any(row[0][PID] == str(held) and row[1] for row in texts(panel.sessions.model)))
    [(_, below)] = [row for row in texts(panel.sessions.model) if row[0][PID] == str(held)]
    assert [row[0][PID] for row in below] == [str(waiting)]
    assert texts(panel.sessions.model)[0][0][PID] == str(held)  # who blocks stands on top
    connected.until(lambda: row_of(panel, waiting)[FINDINGS] == f"blocked by {held}")
    assert panel.sessions.choose(waiting)
    locks = panel.sessions.locks
    connected.until(lambda: locks.rowCount() > 0)
    rows = connected.texts(locks)
    assert rows[0][3].startswith("no, waits")
    assert ["relation", f"{own_schema}.held", "RowExclusiveLock", "yes"] in rows
    assert "update" in panel.sessions.text.toPlainText()
    panel.action("activity.copy").trigger()
    assert QGuiApplication.clipboard().text() == f"update {own_schema}.held set n = 2"
    assert "waited for" in " ".join(label.text() for label in panel.findChildren(QLabel))
    panel.sessions.which.setCurrentText("Blocked")
    assert {row[0][PID] for row in texts(panel.sessions.model)} == {str(held)}


def test_that_a_cancel_is_asked_for_and_its_result_told(connected, panel, waits, monkeypatch):
    _, waiting, failed = waits
    connected.until(lambda: row_of(panel, waiting))
    panel.sessions.choose(waiting)
    asked = []
    answer = [False]
    monkeypatch.setattr("pgexplorer.ui.panels.activity.ask", lambda *words: asked.append(words[1:]) or answer[0])
    connected.until(lambda: panel.action("activity.cancel").isEnabled())
    connected.click("activity.cancel")
    assert str(waiting) in asked[0][0]
    assert "waiter" in asked[0][1]
    assert not failed
    answer[0] = True
    connected.click("activity.cancel")
    connected.until(lambda: connected.message("activity.message"))
    assert connected.message("activity.message").startswith(f"The statement of session {waiting} was cancelled.")
    connected.until(lambda: failed)
    assert failed[0].pgcode == "57014"


def test_that_a_terminate_ends_the_session_and_the_row_goes(connected, panel, other, monkeypatch):
    _, pid = other()
    connected.until(lambda: row_of(panel, pid))
    panel.sessions.choose(pid)
    monkeypatch.setattr("pgexplorer.ui.panels.activity.ask", lambda *_: True)
    connected.click("activity.terminate")
    connected.until(lambda: connected.message("activity.message"))
    assert connected.message("activity.message").startswith(f"Session {pid} has ended.")
    connected.until(lambda: row_of(panel, pid) is None)


def test_that_on_production_the_databases_name_is_typed_before_a_session_is_ended(driver, profile, other, admin):
    driver.open(replace(profile, environment=Environment.PRODUCTION))
    panel = driver.window.deck.show_activity()
    _, pid = other("precious")
    panel.look_again()
    driver.until(lambda: row_of(panel, pid))
    panel.sessions.choose(pid)
    driver.click("activity.terminate")
    said = driver.find("confirm.what").toPlainText()
    assert f"Terminate the session {pid}" in said
    assert "precious" in said
    assert not driver.find("confirm.go").isEnabled()
    assert admin.alive(pid)
    driver.find("confirm.name").setText(profile.dbname)
    driver.click("confirm.go")
    driver.until(lambda: not admin.alive(pid))
    driver.until(lambda: driver.message("activity.message").startswith(f"Session {pid} has ended."))


def test_that_what_may_not_be_ended_says_so(connected, panel, admin, monkeypatch):
    pid = admin.conn.info.backend_pid
    connected.until(lambda: row_of(panel, pid))
    panel.sessions.choose(pid)
    monkeypatch.setattr("pgexplorer.ui.panels.activity.ask", lambda *_: True)
    connected.click("activity.terminate")
    connected.until(lambda: "permission denied" in connected.message("activity.message"))
    assert admin.alive(pid)


def test_that_idle_in_transaction_and_long_transactions_are_pointed_out(connected, panel, other, monkeypatch):
    conn, pid = other("forgetful")
    with conn.cursor() as cursor:
        cursor.execute("select 1")
    monkeypatch.setattr(activity, "IDLE_IN_TRANSACTION", (0.2, 1e9))
    monkeypatch.setattr(activity, "LONG_TRANSACTION", (1e9, 1e9))
    connected.until(lambda: (row_of(panel, pid) or [""] * 9)[FINDINGS].startswith("idle in transaction for "))
    monkeypatch.setattr(activity, "IDLE_IN_TRANSACTION", (0.1, 0.2))
    monkeypatch.setattr(activity, "LONG_TRANSACTION", (0.1, 0.2))
    connected.until(lambda: ", transaction of " in row_of(panel, pid)[FINDINGS])
    entry = next(each for each in panel.sessions.model.entries() if each.session.pid == pid)
    assert panel.sessions.model.data(
        panel.sessions.model.index_of(entry), Qt.ItemDataRole.AccessibleTextRole
    ).startswith(f"session {pid}, of ")


def test_that_sessions_are_filtered_by_words_and_kind_and_sorted_by_a_head(connected, panel, other):
    (_, first), (second_conn, second) = other("alpha"), other("beta")
    with second_conn.cursor() as cursor:
        cursor.execute("select 1")
    connected.until(
        lambda: row_of(panel, first) and (row_of(panel, second) or [""] * 9)[STATE] == "idle in transaction"
    )
    panel.sessions.search.setText("ALPHA idle")
    assert [row[0][PID] for row in texts(panel.sessions.model)] == [str(first)]
    panel.sessions.search.setText("no such words")
    assert "No session has all of these words" in connected.message("activity.none")
    panel.sessions.search.clear()
    panel.sessions.which.setCurrentText("Active")
    pids = [row[0][PID] for row in texts(panel.sessions.model)]
    assert str(second) in pids
    assert str(first) not in pids
    panel.sessions.which.setCurrentText("All")
    panel.grid.header().sectionClicked.emit(PID)
    numbers = [int(row[0][PID]) for row in texts(panel.sessions.model)]
    assert numbers == sorted(numbers)
    panel.grid.header().sectionClicked.emit(PID)
    numbers = [int(row[0][PID]) for row in texts(panel.sessions.model)]
    assert numbers == sorted(numbers, reverse=True)


def test_that_a_page_without_room_is_scrolled_and_its_lists_keep_their_least_height(connected, panel):
    connected.frame.resize(1024, 620)
    connected.window.show_view("Timeline")
    connected.settle()
    page = panel.sessions
    parts = [page.which, page.grid, page.lock_list]
    places = [part.mapTo(page.which.parentWidget(), part.rect().topLeft()).y() for part in parts]
    for above, top, below in zip(parts, places, places[1:], strict=False):
        assert top + above.height() <= below
    assert page.which.parentWidget().height() > page.height()
    bar = page.findChild(QScrollArea).verticalScrollBar()
    bar.setValue(bar.maximum())
    assert page.lock_list.visibleRegion().boundingRect().height() == page.lock_list.height()


def test_that_what_is_chosen_stays_chosen_while_sessions_come_and_go(connected, panel, other):
    _, pid = other("stays")
    connected.until(lambda: row_of(panel, pid))
    panel.sessions.choose(pid)
    conn, comes = other("comes")
    connected.until(lambda: row_of(panel, comes))
    assert panel.sessions.chosen().pid == pid
    conn.close()
    connected.until(lambda: row_of(panel, comes) is None)
    assert panel.sessions.chosen().pid == pid


def test_that_nothing_is_asked_while_it_is_out_of_sight_and_no_slot_is_taken(connected, panel, backends):
    pool = connected.server.in_use.pool
    connected.until(lambda: connected.app.jobs.running == 0)
    served = pool.stats().served
    connected.window.show_connect()
    connected.until(lambda: not panel.is_looking)
    connected.window.deck.show_activity()
    at = panel.seen.at
    connected.until(lambda: panel.seen.at > at)
    assert pool.stats().served == served
    assert backends() == 2  # minconn


def test_that_it_works_while_every_slot_of_the_pool_is_out(connected, panel):
    pool = connected.server.in_use.pool
    out = [pool.getconn(holder=f"holder {number}") for number in range(3)]
    pids = {conn.info.backend_pid for conn in out}
    connected.until(lambda: pids <= {entry.session.pid for entry in panel.sessions.model.entries() if entry.slot})
    panel.sessions.which.setCurrentText("Mine")
    assert {int(row[0][PID]) for row in texts(panel.sessions.model)} == pids
    for conn in out:
        pool.putconn(conn)


def test_that_the_charts_move_and_are_loaded_when_they_are_first_wanted(connected, panel, do):
    assert panel.charts is None
    panel.show_page("Charts")
    charts = panel.charts
    connected.until(lambda: len(charts.samples) >= 2)
    before = charts.charts["transactions"].words()
    assert before.startswith("committed ")
    for _ in range(5):
        do("select 1")
    connected.until(lambda: any(rate > 0 for _, rate in charts.samples.rate(lambda each: each.commits)))
    connected.until(lambda: len(charts.samples) >= 4)
    curve = charts.charts["transactions"]._curves[0]
    times, values = curve.getData()
    assert len(times) == len(values) >= 3
    assert times[-1] <= 0
    assert max(values) > 0
    connections = charts.charts["connections"]
    assert "active" in connections.words()
    assert "of 16" in connections.accessibleName()
    assert "test: " in charts.sizes.accessibleDescription()
    panel.show_page("Sessions")
    count = len(charts.samples)
    connected.until(lambda: len(charts.samples) > count)  # they go on while the sessions are in sight


def test_that_the_panel_loads_no_chart_before_it_is_wanted():
    code = "import pgexplorer.ui.panels.activity, sys; assert not {'numpy', 'pyqtgraph'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_that_a_server_that_goes_away_is_told_and_not_asked_again_by_itself(connected, panel, monkeypatch):
    def refuse(*_, **__):
        raise psycopg2.OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr("pgexplorer.db.side.connect_side", refuse)
        connected.until(lambda: panel.is_paused)
    assert connected.message("activity.message").startswith("The server is gone")
    connected.until(lambda: not panel.is_looking)
    panel.look_again()
    connected.until(lambda: not connected.message("activity.message"))


def test_that_without_pg_stat_statements_the_page_says_how_it_comes_to_be(connected, panel):
    panel.show_page("Statements")
    connected.until(lambda: "CREATE EXTENSION" in connected.find("activity.how").toPlainText())
    assert not panel.action("activity.reset").isEnabled()


def test_that_statements_are_counted_sorted_and_reset(driver, counting_server, monkeypatch):
    driver.open(counting_server)
    with contextlib.closing(psycopg2.connect(**counting_server.parameters("side"))) as conn:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute("create extension if not exists pg_stat_statements")
            for number in range(7):
                cursor.execute("select count(*), %s from generate_series(1, 10)", (number,))
            cursor.execute("select pg_sleep(0.3)")
    panel = driver.window.deck.show_activity()
    panel.show_page("Statements")
    model = panel.statements.model
    driver.until(lambda: model.rowCount() > 0)
    rows = driver.texts(model)
    assert rows[0][8].startswith("select pg_sleep(")  # the most time
    assert rows[0][0].endswith(" %")
    panel.statements.order.setCurrentText("Most calls")
    driver.until(lambda: any("generate_series" in row[8] and row[2] == "7" for row in driver.texts(model)))
    driver.until(lambda: int(driver.texts(model)[0][2].replace(",", "")) >= 7)
    assert "generate_series" in panel.statements.text.toPlainText() or panel.statements.text.toPlainText()
    monkeypatch.setattr("pgexplorer.ui.panels.activity.ask", lambda *_: True)
    driver.click("activity.reset")
    driver.until(lambda: driver.message("activity.message").startswith("pg_stat_statements counts from nothing"))
    driver.until(lambda: not any("pg_sleep" in row[8] for row in driver.texts(model)))


def test_that_pgbouncers_console_shows_its_pools_clients_and_servers(driver, pgbouncer):
    console, behind = pgbouncer
    with contextlib.closing(psycopg2.connect(**(behind.parameters("side") | {"application_name": "a client"}))) as conn:
        with conn.cursor() as cursor:
            cursor.execute("select 1")
        driver.open(console)
        assert driver.server.in_use.facts.is_console
        assert "PgBouncer 1." in driver.find("status.server").text()
        panel = driver.window.deck.tabs.currentWidget()
        model = panel.pgbouncer.model
        driver.until(lambda: any(row[0] == behind.dbname for row in driver.texts(model)))
        heads = [model.headerData(column, Qt.Orientation.Horizontal) for column in range(model.columnCount())]
        assert heads[:3] == ["database", "user", "cl_active"]
        [row] = [row for row in driver.texts(model) if row[0] == behind.dbname]
        assert row[heads.index("cl_active")] == "1"
        for place, (word, expected) in enumerate(
            [
                ("CLIENTS", "a client"),
                ("SERVERS", behind.dbname),
                ("DATABASES", behind.dbname),
                ("STATS", behind.dbname),
            ],
            1,
        ):
            panel.pgbouncer.views.setCurrentIndex(place)
            driver.until(lambda expected=expected: any(expected in row for row in driver.texts(model)))
            assert f"SHOW {word}" in driver.find("activity.said").text()
        driver.query("show databases")  # an SQL tab works there too, with what the console knows
        assert behind.dbname in [row[0] for row in driver.texts(driver.find("query.grid").model())]
        assert "invalid command" in driver.query("select 1").message.text()
        driver.settle()
        assert not driver.window.schema.message.text()
        conn.rollback()


def test_that_behind_a_pooler_own_slots_are_not_guessed(driver, pgbouncer):
    _, behind = pgbouncer
    driver.open(behind)
    panel = driver.window.deck.show_activity()
    driver.until(lambda: panel.seen is not None)
    assert not panel.seen.is_direct
    assert "behind a pooler" in driver.find("activity.said").text()
    assert not [entry for entry in panel.sessions.model.entries() if entry.slot]
