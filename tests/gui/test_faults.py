"""What goes wrong, and that it is said in its place: bad input, refused connections, lost servers, impatience."""

import os
import signal
import time
from dataclasses import replace

import psycopg2
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QLabel, QPushButton

from fix_facts import until
from pgexplorer.demo.server import start as start_demo


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "pw-CANARY-7f3a"}, "password authentication failed"),
        ({"port": "1"}, "refused"),
        ({"host": "no.such.host.invalid"}, "no.such.host.invalid"),
        ({"user": "nobody_here"}, "authentication failed"),
        ({"sslmode": "require"}, "does not support SSL"),
        ({"sslmode": "verify-full"}, "does not support SSL"),
        ({"host": "/no/such/folder"}, "No such file or directory"),
    ],
)
def test_that_a_refused_connection_is_said_in_place_and_the_form_keeps_everything(driver, profile, change, words):
    wrong = replace(profile, **change)
    driver.window.connect_panel.show_profile(wrong)
    driver.click("connect.open")
    driver.until(lambda: words in driver.message("connect.message"))
    driver.settle()
    assert not driver.server.is_open
    assert driver.window.connect_panel.form.profile() == wrong
    assert driver.find("connect.password").text() == wrong.password
    assert wrong.password not in driver.message("connect.message")
    driver.window.connect_panel.show_profile(profile)
    driver.click("connect.open")
    driver.until(lambda: driver.server.is_open)


def test_that_a_missing_database_can_be_created_from_the_message(driver, profile, request):
    name = f'we"ird {os.getpid()} 😀'
    driver.window.connect_panel.show_profile(replace(profile, dbname=name))
    driver.click("connect.open")
    driver.until(lambda: "does not exist" in driver.message("connect.message"))
    driver.settle()
    button = next(each for each in driver.find("connect.message").findChildren(QPushButton) if "Create" in each.text())
    button.click()
    driver.until(lambda: "was created" in driver.message("connect.message"))
    driver.click("connect.open")
    driver.until(lambda: driver.server.is_open)
    driver.settle()
    driver.query("select current_database()")
    assert driver.texts(driver.find("query.grid").model()) == [[name]]
    driver.server.close()
    driver.settle()
    conn = psycopg2.connect(**replace(profile, dbname="postgres").parameters("test"))
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{name.replace(chr(34), chr(34) * 2)}" WITH (FORCE)')
    conn.close()


@pytest.mark.parametrize(("low", "high", "field"), [(0, 0, "maxconn"), (3, 2, "minconn"), (1, 501, "maxconn")])
def test_that_impossible_limits_are_marked_and_cannot_be_opened(driver, profile, low, high, field):
    driver.window.connect_panel.show_profile(profile)
    driver.find("connect.minconn").setValue(low)
    driver.find("connect.maxconn").setValue(high)
    note = driver.find(f"connect.{field}.note")
    assert note.isVisibleTo(driver.window)
    assert len(note.text()) > 20
    assert driver.find(f"connect.{field}").property("invalid")
    assert not driver.find("connect.open").isEnabled()
    assert driver.find("connect.summary").text() == "Correct what is marked first."


def test_that_limits_above_what_the_server_has_free_are_said_before_and_met_after(driver, profile):
    big = replace(profile, minconn=2, maxconn=500)
    driver.window.connect_panel.show_profile(big)
    driver.click("connect.test")
    driver.until(lambda: "does not fit" in driver.find("connect.summary").text())
    driver.settle()
    driver.click("connect.open")
    driver.until(lambda: driver.server.is_open)
    driver.settle()
    driver.hand("pool.exhaust")
    said = driver.message("pool.message")
    assert "OperationalError" in said
    assert "connection slots are reserved" in said or "too many clients" in said
    driver.hand("pool.return_all")
    driver.query("select 1")
    assert driver.texts(driver.find("query.grid").model()) == [["1"]]


def test_that_test_connection_tells_the_stages_and_offers_the_databases(driver, profile):
    driver.window.connect_panel.show_profile(profile)
    driver.click("connect.test")
    driver.until(lambda: "ready after" in driver.message("connect.message"))
    said = driver.message("connect.message")
    assert "Name look-up" in said
    assert "Authentication" in said
    assert profile.dbname in driver.window.connect_panel.form.databases.stringList()
    assert not driver.server.is_open


def test_that_hostile_url_parameters_are_named_and_not_used(driver):
    driver.window.connect_panel.form.paste_url(
        "postgresql://me:s3cret@db.example/shop?service=prod&options=-csearch_path%3Dx&passfile=/etc/passwd&sslmode=require"
    )
    note = driver.find("connect.url.note").text()
    for name in ("service", "options", "passfile"):
        assert name in note
    taken = driver.window.connect_panel.form.profile()
    assert (taken.host, taken.dbname, taken.user, taken.sslmode) == ("db.example", "shop", "me", "require")
    assert taken.service == ""
    assert taken.options == ""
    assert "s3cret" not in driver.find("connect.url").text()


def test_that_a_refused_url_changes_nothing(driver, profile):
    driver.window.connect_panel.show_profile(profile)
    driver.window.connect_panel.form.paste_url("postgresql://a:b@c/d?gssencmode=disable")
    assert "gssencmode" in driver.find("connect.url.note").text()
    assert driver.window.connect_panel.form.profile() == profile


def test_that_a_refused_url_has_to_go_before_one_connects_to_what_the_form_says(driver, profile):
    driver.window.connect_panel.show_profile(profile)
    driver.window.connect_panel.form.paste_url("postgresql://a:b@c/d?gssencmode=disable")
    assert not driver.find("connect.open").isEnabled()
    assert not driver.find("connect.test").isEnabled()
    assert "Correct what is marked" in driver.find("connect.summary").text()
    url = driver.find("connect.url")
    url.setFocus()
    url.selectAll()
    QTest.keyClick(url, Qt.Key.Key_Delete)
    assert driver.find("connect.open").isEnabled()
    assert not driver.find("connect.url.note").isVisible()
    driver.window.connect_panel.form.paste_url("postgresql://a:b@c/d?gssencmode=disable")
    driver.window.connect_panel.show_profile(profile)
    assert driver.find("connect.open").isEnabled()
    assert url.text() == ""


HOSTILE = 'we""ird.<b>x</b> 😀'


def test_that_a_table_with_a_hostile_name_opens_and_is_shown_as_text(connected, profile):
    conn = psycopg2.connect(**profile.parameters("test"))
    conn.autocommit = True
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    with conn.cursor() as cursor:
        cursor.execute(f'CREATE TABLE {quoted} ("<i>col</i> %s" text)')
        cursor.execute(f"INSERT INTO {quoted} VALUES ('<img src=x>'), (NULL), ('')")
        cursor.execute(f"COMMENT ON TABLE {quoted} IS '<b>bold</b>'")
    try:
        connected.window.schema.refresh()
        connected.settle()
        connected.window.deck.open_table(connected.window.schema.relation("public", HOSTILE))
        connected.settle()
        model = connected.find("table.grid").model()
        assert [row[0] for row in connected.texts(model)] == ["<img src=x>", "NULL", ""]
        assert model.headerData(0, Qt.Orientation.Horizontal).startswith("<i>col</i> %s\n")
        index = connected.window.schema.model.find("public", HOSTILE)
        assert "&lt;b&gt;bold" in connected.window.schema.tree.itemDelegate().tip(index)
        connected.find("table.where").setText("\"<i>col</i> %s\" like '%img%'")
        connected.click("table.refresh")
        connected.settle()
        assert model.rowCount() == 1
    finally:
        with conn.cursor() as cursor:
            cursor.execute(f"DROP TABLE {quoted}")
        conn.close()


def test_that_every_label_takes_its_text_literally(connected):
    connected.query("select '<b>x</b>' as \"<b>x</b>\" from <img>")
    guessing = [
        label.objectName() or label.text()
        for label in connected.window.findChildren(QLabel)
        if label.textFormat() != Qt.TextFormat.PlainText and "<" in label.text()
    ]
    assert guessing == []


def test_that_a_ten_megabyte_cell_is_shown_short_with_its_size_and_kept_whole(connected):
    connected.query("select repeat('é', 5 * 1024 * 1024) as big, 1 as small")
    model = connected.find("query.grid").model()
    shown = model.index(0, 0).data()
    assert len(shown) < 1100
    assert "10 MB" in shown
    assert len(model.value(0, 0)) == 5 * 1024 * 1024


@pytest.mark.parametrize(
    ("sql", "status"),
    [
        ("select * from person where false", "no rows"),
        ("select from person", "without columns"),
        ("create temp table t ()", "CREATE TABLE"),
        ("select " + ", ".join(f"{n} as c{n}" for n in range(1600)), "1 row"),
    ],
)
def test_that_odd_results_are_said(connected, sql, status):
    panel = connected.query(sql)
    assert panel.message.text() == ""
    assert status in panel.status


def test_that_an_error_in_the_third_statement_keeps_the_two_results_and_is_marked_in_the_text(connected):
    text = "select 1 as a;\n-- é😀\nselect 2 as b;\nselect * frm person"
    panel = connected.query(text)
    assert connected.find("query.results").count() == 2
    assert panel.message.text().startswith('Statement 3 of 3: syntax error at or near "frm"')
    assert "42601" in panel.message.text()
    mark = panel.editor.extraSelections()[0]
    assert mark.cursor.selectedText() == "frm"


def test_that_a_nul_character_is_refused_and_nothing_is_sent(connected):
    connected.window.deck.new_query()
    connected.settle()  # the catalog of names is read
    served = connected.server.in_use.pool.stats().served
    panel = connected.query("delete from person\0 where id = 1")
    assert "NUL" in panel.message.text()
    connected.settle()
    assert connected.server.in_use.pool.stats().served == served


def test_that_cancel_ends_a_statement_and_the_next_one_runs(connected):
    panel = connected.window.deck.new_query()
    panel.editor.setPlainText("select pg_sleep(60)")
    connected.click("query.run")
    pool = connected.server.in_use.pool
    connected.until(lambda: any(slot.sql.startswith("select pg_sleep") for slot in pool.slots()))
    began = time.monotonic()
    connected.click("query.cancel")
    connected.until(lambda: not panel.is_running)
    assert time.monotonic() - began < 5
    assert panel.message.text().lower().startswith("cancelled")
    connected.query("select 7")
    assert connected.texts(connected.find("query.grid").model()) == [["7"]]


def test_that_closing_the_window_in_mid_query_ends_within_three_seconds_and_leaves_nothing(connected, backends):
    panels = [connected.window.deck.new_query() for _ in range(3)]
    for panel in panels:
        panel.editor.setPlainText("select pg_sleep(60)")
        panel.run()
    connected.until(lambda: connected.server.in_use.pool.stats().used == 3)
    began = time.monotonic()
    connected.frame.close()
    connected.app.close()
    assert time.monotonic() - began < 3
    until(lambda: not backends())


def test_that_a_server_that_stops_is_said_and_the_program_still_ends_in_time(start, tmp_path, monkeypatch):
    driver = start()
    lease = start_demo()
    driver.open(lease.server.profile())
    os.kill(lease.server.pid, signal.SIGINT)  # fast shutdown
    driver.until(lambda: not os.path.exists(f"/proc/{lease.server.pid}/cmdline") or not _lives(lease.server.pid))
    panel = driver.query("select 1")
    assert "refused" in panel.message.text() or "No such file" in panel.message.text()
    assert panel.editor.toPlainText() == "select 1"
    driver.hand("pool.check_out")
    assert "OperationalError" in driver.message("pool.message")
    began = time.monotonic()
    driver.frame.close()
    assert time.monotonic() - began < 3
    lease.release()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def test_that_a_backend_killed_while_idle_costs_no_query(connected, admin):
    pids = [slot.pid for slot in connected.server.in_use.pool.slots()]
    admin.terminate(*pids)
    connected.query("select 1")
    assert connected.texts(connected.find("query.grid").model()) == [["1"]]
    assert not {slot.pid for slot in connected.server.in_use.pool.slots()} & set(pids)


def test_that_double_clicks_on_every_button_of_the_pool_panel_leave_the_counts_right(connected, backends):
    panel = connected.window.pool
    for button in panel.findChildren(QPushButton):
        if button.objectName().startswith("pool.") and button.objectName() != "pool.reopen":
            button.click()
            button.click()
            connected.until(lambda: not panel._busy and not panel._running)
    connected.settle()
    if connected.server.in_use.pool.stats().is_closed:
        connected.hand("pool.reopen")
    else:
        connected.hand("pool.return_all")
    connected.settle()
    stats = connected.server.in_use.pool.stats()
    assert backends() == stats.size


def test_that_impatient_clicks_on_connect_open_one_pool(driver, profile, backends):
    driver.window.connect_panel.show_profile(profile)
    driver.click("connect.open")
    driver.until(lambda: driver.server.is_open)
    driver.window.connect_panel.open()
    driver.until(lambda: driver.server.is_open and not driver.server.is_opening)
    driver.settle()
    assert backends() == 2


def test_that_a_closed_tab_with_a_running_query_ends_it_at_the_server(connected, profile):
    panel = connected.window.deck.new_query()
    panel.editor.setPlainText("select pg_sleep(61)")
    panel.run()
    connected.until(lambda: connected.server.in_use.pool.stats().used == 1)
    connected.window.deck.close_tab(connected.window.deck.tabs.indexOf(panel))
    connected.until(lambda: connected.server.in_use.pool.stats().used == 0)


def test_that_notices_are_said_and_a_transaction_left_open_keeps_its_connection(connected):
    panel = connected.query("DO $$ BEGIN RAISE NOTICE 'hello <b>'; END $$; BEGIN; SELECT 1")
    assert "hello <b>" in panel.message.text()
    assert "hello <b>" in panel.log.messages.toPlainText()
    assert panel.pin.is_open
    connected.until_out(1)
    assert connected.find("query.transaction").text().startswith("open")
    connected.click("query.rollback")
    connected.until(lambda: not panel.is_running)
    connected.until(lambda: connected.server.in_use.pool.stats().used == 0)


def test_that_no_button_of_the_window_is_without_a_name(connected):
    connected.window.deck.new_query()
    connected.window.deck.open_table(connected.window.schema.relation("public", "person"))
    connected.window.show_tour()
    connected.settle()
    nameless = [
        button
        for button in connected.window.findChildren(QAbstractButton)
        if button.isVisible() and not (button.accessibleName() or button.text())
    ]
    # Qt's own: the close buttons of tabs, the clear buttons of line edits
    assert [each for each in nameless if type(each).__name__ in {"QPushButton", "QCheckBox"}] == []
