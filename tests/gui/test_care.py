"""What the program must not do behind a person's back, each of it once done by an earlier version."""

from dataclasses import replace

import psycopg2
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from fix_facts import until
from pgexplorer.db.profile import Profile


def buttons(bar) -> dict[str, QPushButton]:
    return {each.text(): each for each in bar.findChildren(QPushButton) if each.isVisible()}


def test_that_only_a_plain_select_is_offered_to_be_run_again_and_only_that_is_run(connected):
    panel = connected.query("create table if not exists again (a int)")
    panel.limit.setValue(10_000)
    panel.editor.setPlainText("insert into again values (1);\nselect * from generate_series(1, 20000)")
    cursor = panel.editor.textCursor()
    cursor.setPosition(panel.editor.toPlainText().index("select"))
    cursor.movePosition(cursor.MoveOperation.End, cursor.MoveMode.KeepAnchor)
    panel.editor.setTextCursor(cursor)
    connected.click("query.run")
    connected.until(lambda: not panel.is_running)
    [button] = [each for text, each in buttons(panel.message).items() if text.startswith("Run it again")]
    panel.editor.setPlainText("drop table again")  # what is typed meanwhile is not what is run again
    button.click()
    connected.until(lambda: not panel.is_running)
    assert connected.find("query.grid").model().rowCount() == 20_000
    assert panel.message.text() == ""
    connected.query("select count(*) from again")
    assert connected.texts(connected.find("query.grid").model()) == [["0"]]
    connected.query("insert into again select generate_series(1, 10500) returning a")
    assert [text for text in buttons(panel.message) if "again" in text] == []
    connected.query("drop table again")


def test_that_connect_goes_by_what_is_typed_though_the_demo_was_chosen_before(driver, profile):
    connect = driver.window.connect_panel
    connect.profiles.setCurrentIndex(connect.entries.index(0))
    assert "Start the demo" in buttons(connect.message)
    driver.find("connect.port").setText(profile.port)
    connect.form.host.setText(profile.host)
    connect.form.dbname.setText(profile.dbname)
    connect.form.user.setText(profile.user)
    connect.form.password.setText(profile.password)
    driver.click("connect.open")
    driver.until(lambda: driver.server.is_open)
    assert driver.server.in_use.profile.port == profile.port
    assert not connect.profiles.currentIndex().isValid()


def test_that_a_url_typed_letter_by_letter_fills_the_form_when_it_is_left_and_keeps_its_password(driver):
    form = driver.window.connect_panel.form
    driver.window.show_connect()
    QTest.keyClicks(form.url, "postgresql://me:s3cret@db.example:5433/mydb")
    assert form.password.text() == ""
    QTest.keyClick(form.url, Qt.Key.Key_Return)
    taken = form.profile()
    assert (taken.host, taken.port, taken.dbname, taken.user, taken.password) == (
        "db.example",
        "5433",
        "mydb",
        "me",
        "s3cret",
    )
    QTest.keyClicks(form.url, "x")
    QTest.keyClick(form.url, Qt.Key.Key_Return)
    assert form.password.text() == "s3cret"


@pytest.mark.parametrize(
    "url", ["postgresql://postgres:postgres@db.example/x", "postgresql://me:sec/ret@db.example/x?gssencmode=disable"]
)
def test_that_no_password_of_a_url_stays_readable(driver, url):
    form = driver.window.connect_panel.form
    form.paste_url(url)
    shown = form.url.text() + " ".join(label.text() for label in form.findChildren(QLabel))
    assert ":postgres@" not in shown
    assert "sec/ret" not in shown


def test_that_table_tabs_do_not_survive_a_change_of_database(connected, profile):
    connected.window.deck.open_table(connected.window.schema.relation("public", "person"))
    query = connected.query("select 1")
    connected.settle()
    assert connected.window.deck.tabs.count() == 2
    connected.open(replace(profile, dbname="postgres"))
    assert [connected.window.deck.tabs.widget(n) for n in range(connected.window.deck.tabs.count())] == [query]


def test_that_profiles_of_one_title_do_not_replace_each_other(driver):
    connect = driver.window.connect_panel
    for user in ("ann", "bob"):
        connect.new()
        connect.show_profile(Profile(host="h1", dbname="a", user=user))
        connect.save()
    assert [(each.title, each.user) for each in driver.app.settings.profiles] == [
        ("a on h1", "ann"),
        ("a on h1 (2)", "bob"),
    ]
    connect._ask = lambda *_: True
    connect.profiles.setCurrentIndex(connect.entries.index(1))
    connect.forget()
    assert [each.user for each in driver.app.settings.profiles] == ["bob"]
    assert not connect.action("connect.delete").isEnabled()


def test_that_a_tour_step_asks_before_it_ends_somebody_elses_work(connected):
    window = connected.window
    connected.hand("pool.check_out")
    window.show_tour()
    connected.click("tour.next")
    assert "by hand for" in window.tour.message.text()
    assert len(connected.server.in_use.hand.held()) == 1
    done = []
    window.tour.step_done.connect(done.append)
    buttons(window.tour.message)["Go on"].click()
    connected.until(lambda: done == [0])
    assert connected.server.in_use.pool.kind == "SimpleConnectionPool"


def test_that_an_action_by_hand_never_falls_on_a_connection_that_was_not_chosen(connected):
    connected.hand("pool.check_out")
    panel = connected.window.deck.new_query()
    panel.editor.setPlainText("select pg_sleep(60)")
    panel.run()
    pool = connected.window.pool
    connected.until(lambda: any(row.holder == panel.name for row in pool.slots.rows()))
    pool.slots.select(next(row.key for row in pool.slots.rows() if row.holder == panel.name))
    for name in ("check_in", "leak", "return_twice", "run"):
        assert not connected.find(f"pool.{name}").isEnabled(), name
    panel.cancel()
    connected.until(lambda: not panel.is_running)


def test_that_a_table_tab_closed_while_it_reads_is_no_bug(connected):
    for _ in range(5):
        connected.window.deck.open_table(connected.window.schema.relation("pg_catalog", "pg_attribute"))
        connected.window.deck.close_tab(connected.window.deck.tabs.currentIndex())
    connected.settle()
    assert connected.window.message.text() == ""


def test_that_terminating_a_backend_of_a_server_that_is_gone_is_said_in_place(connected, monkeypatch):
    def gone():
        raise psycopg2.OperationalError("connection refused")

    monkeypatch.setattr(connected.server, "side", lambda: gone)
    key = connected.find("pool.slots").rows()[0].key
    connected.window.pool._slot_action(key, "terminate")
    connected.settle()
    assert connected.message("pool.message").startswith("connection refused")
    assert connected.window.message.text() == ""


def test_that_cancel_frees_a_tab_that_still_waits_for_its_connection(driver, profile):
    driver.open(replace(profile, pool_class="PgPool", minconn=1, maxconn=1, timeout_s=30))
    driver.hand("pool.check_out")
    panel = driver.window.deck.new_query()
    panel.editor.setPlainText("create table never_made (a int)")
    panel.run()
    driver.until(lambda: driver.server.in_use.pool.stats().waiting == 1)
    driver.click("query.cancel")
    assert not panel.is_running
    assert "Cancelled" in panel.message.text()
    driver.hand("pool.return_all")
    driver.settle()
    until(lambda: driver.server.in_use.pool.stats().used == 0)
    driver.query("select to_regclass('never_made')")
    assert driver.texts(driver.find("query.grid").model()) == [["NULL"]]


def test_that_no_two_actions_in_sight_share_a_key(connected):
    window = connected.window
    window.deck.new_query()
    window.show_tour()
    for page in (window.show_connect, window.show_explore):
        page()
        taken: dict[str, str] = {}
        for action in window.findChildren(type(window._actions["window.quit"])):
            owner = action.parent()
            if not action.shortcuts() or not owner.isVisible():
                continue
            for keys in action.shortcuts():
                assert keys.toString() not in taken, (keys.toString(), action.text(), taken.get(keys.toString()))
                taken[keys.toString()] = action.text()


def test_that_the_pool_is_worked_by_keys_while_the_editor_has_the_focus(connected, qtbot):
    panel = connected.window.deck.new_query()
    connected.frame.activateWindow()
    connected.until(connected.frame.isActiveWindow)
    panel.editor.setFocus()
    QTest.keyClick(panel.editor, Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    connected.until(lambda: len(connected.server.in_use.hand.held()) == 1)
    panel.editor.setPlainText("select 5")
    QTest.keyClick(panel.editor, Qt.Key.Key_Enter, Qt.KeyboardModifier.ControlModifier)
    connected.until(lambda: connected.window.deck.tabs.count() and panel.current_model() is not None)


def test_that_names_with_an_ampersand_are_shown_whole(driver, profile):
    driver.open(replace(profile, name="R&D prod"))
    assert driver.find("window.address").text() == "R&&D prod"


def test_that_a_click_on_a_slot_chooses_it(connected):
    connected.hand("pool.exhaust")
    board = connected.find("pool.slots")
    corner = board.card_area(board.rows()[0].key).topLeft()
    QTest.mouseClick(board.viewport(), Qt.MouseButton.LeftButton, pos=corner + QPoint(10, 10))
    assert board.selected_key() == board.rows()[0].key
    connected.hand("pool.check_in")
    assert board.rows()[0].state == "idle"
