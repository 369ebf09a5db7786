"""What a person does from the first click to the last, with the real window and a real server."""

import os
import socket
import subprocess
import sys
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QPushButton

PERSON = [["1", "Pankaj", "Chowdhury", "M"], ["2", "Rachna", "Agarwal", "F"], ["3", "Raj", "Shamanic", "M"]]


def test_that_the_form_opens_a_pool_and_a_query_fills_the_grid(connected, backends):
    assert backends() == 2
    panel = connected.query("select * from person order by id")
    grid = connected.find("query.grid")
    assert connected.texts(grid.model()) == PERSON
    assert "3 rows" in panel.status
    connected.until_out(0)


def test_that_three_check_outs_exhaust_the_pool_and_a_return_makes_it_work_again(connected):
    for _ in range(3):
        connected.hand("pool.check_out")
    assert connected.window.slot_bar.text() == "3 of 3 in use"
    assert len(connected.find("pool.slots").rows()) == 3
    connected.hand("pool.check_out")
    said = connected.message("pool.message")
    assert said.startswith("PoolError: connection pool exhausted")
    for fact in (
        "All 3 connections are checked out",
        "by hand for",
        "psycopg2.pool.PoolError",
        "SQLSTATE",
        "Return one",
    ):
        assert fact in said
    connected.hand("pool.check_in")
    assert connected.message("pool.message") == ""
    connected.hand("pool.check_out")
    assert connected.message("pool.message") == ""
    connected.hand("pool.return_all")
    connected.until(lambda: connected.window.slot_bar.text() == "0 of 3 in use")
    assert connected.server.in_use.pool.stats().exhausted == 1


def test_that_what_a_full_pool_says_is_seen_below_many_slots(driver, profile):
    driver.frame.resize(1024, 700)
    driver.open(replace(profile, maxconn=10))
    driver.hand("pool.exhaust")
    message, view = driver.find("pool.message"), driver.window.pool._whole.viewport()
    driver.until(lambda: view.rect().contains(message.mapTo(view, QPoint(2, 20))))
    assert message.text().startswith("PoolError: connection pool exhausted")


def test_that_the_private_view_shows_psycopg2_before_and_after(connected):
    connected.hand("pool.check_out")
    pid = connected.server.in_use.hand.held()[0].pid
    text = connected.find("pool.private").toPlainText()
    before, after = text.split("# after")
    assert "_used  = {}" in before
    assert str(pid) in before.split("_used")[0]
    assert f": {pid}}}" in after


def test_that_a_full_pool_is_said_in_the_query_panel_which_keeps_its_text_and_tries_again_when_asked(connected):
    connected.hand("pool.exhaust")
    panel = connected.query("select 42 as answer")
    said = panel.message.text()
    assert said.startswith("PoolError: connection pool exhausted")
    assert "by hand for" in said
    assert panel.editor.toPlainText() == "select 42 as answer"
    connected.hand("pool.return_all")
    again = next(each for each in panel.message.findChildren(QPushButton) if each.text() == "Try again")
    again.click()
    connected.until(lambda: not panel.is_running)
    assert connected.texts(connected.find("query.grid").model()) == [["42"]]


def test_that_a_full_pool_is_said_in_the_table_and_schema_panels(connected):
    relation = connected.window.schema.relation("public", "person")
    connected.hand("pool.exhaust")
    connected.window.deck.open_table(relation)
    connected.settle()
    table = connected.window.deck.tabs.currentWidget()
    assert table.message.text().startswith("PoolError: connection pool exhausted")
    connected.window.schema.refresh()
    connected.settle()
    assert connected.window.schema.message.text().startswith("PoolError: connection pool exhausted")
    connected.hand("pool.return_all")
    table.refresh()
    connected.settle()
    assert connected.texts(table.model) == PERSON


def test_that_the_python_of_everything_done_runs_when_it_is_copied_out(connected, profile, tmp_path):
    for name in ("check_out", "exhaust", "run", "return_twice", "return_stranger", "leak", "return_all"):
        connected.hand(f"pool.{name}")
    for name in ("close_all", "check_out", "reopen", "check_out", "return_all", "close_all"):
        connected.hand(f"pool.{name}")
    code = connected.find("pool.code").toPlainText()
    assert profile.password not in code
    path = tmp_path / "copied.py"
    path.write_text(code, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, "PGPASSWORD": profile.password},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "PoolError: connection pool exhausted" in ran.stdout
    assert ran.stdout.count("trying to put unkeyed connection") == 2
    assert "'Pankaj'" in ran.stdout


def test_that_close_all_closes_the_pool_and_reopen_makes_it_work_again(connected, backends):
    connected.hand("pool.check_out")
    connected.hand("pool.close_all")
    connected.until(lambda: connected.window.slot_bar.text() == "Pool closed")
    assert backends() == 0
    panel = connected.query("select 1")
    assert panel.message.text().startswith("PoolError: connection pool is closed")
    connected.hand("pool.reopen")
    panel = connected.query("select 1")
    assert connected.texts(connected.find("query.grid").model()) == [["1"]]
    assert backends() == 2


def test_that_a_statement_by_hand_shows_its_rows_and_leaves_the_slot_idle_in_transaction(connected):
    connected.hand("pool.check_out")
    connected.find("pool.sql").setText("select first_name from person order by id")
    connected.hand("pool.run")
    assert "Pankaj\nRachna\nRaj" in connected.message("pool.message")
    connected.until(lambda: connected.find("pool.slots").rows()[-1].state == "idle in transaction")


def test_that_the_tour_goes_to_its_end_on_the_pool_in_use(connected):
    window = connected.window
    window.show_tour()
    finished = []
    window.tour.step_done.connect(finished.append)
    stories = []
    for number in range(8):
        connected.click("tour.next")
        connected.until(lambda number=number: number in finished)
        stories.append(window.tour.story.toPlainText())
    assert finished == list(range(8))
    assert "PoolError: connection pool exhausted" in stories[4]
    assert "ThreadedConnectionPool" in window.pool.code.toPlainText()
    assert window.tour.chart.isVisible()
    assert window.tour.message.text() == ""
    connected.until_out(0)
    assert connected.find("tour.next").text() == "Start again"


def test_that_the_demo_opens_on_the_person_table_in_a_pool_of_two_to_three(start):
    driver = start("--demo")
    driver.until(lambda: driver.server.is_open and driver.window.deck.tabs.count() == 1)
    driver.settle()
    assert driver.texts(driver.find("table.grid").model()) == PERSON
    pool = driver.server.in_use.pool
    assert (pool.kind, pool.minconn, pool.maxconn) == ("ThreadedConnectionPool", 2, 3)
    assert driver.window.tour.isVisible()
    profile = driver.server.in_use.profile
    driver.app.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((profile.host, int(profile.port)), timeout=5)


def test_that_the_program_works_with_a_pool_of_one(driver, profile, backends):
    driver.open(replace(profile, minconn=1, maxconn=1))
    assert driver.server.in_use.pool.stats().size == 1
    driver.window.deck.open_table(driver.window.schema.relation("public", "person"))
    driver.settle()
    assert driver.texts(driver.find("table.grid").model()) == PERSON
    driver.query("select 1; select 2")
    assert driver.find("query.results").count() == 2
    assert backends() == 1


def test_that_the_simple_pool_serves_the_whole_program(driver, profile):
    driver.open(replace(profile, pool_class="SimpleConnectionPool"))
    assert driver.server.in_use.pool.kind == "SimpleConnectionPool"
    driver.window.deck.open_table(driver.window.schema.relation("public", "person"))
    driver.query("select 1")
    driver.hand("pool.exhaust")
    assert "PoolError: connection pool exhausted" in driver.message("pool.message")
