"""Changes that were not sent when the program ended: offered again, brought back pending, or dropped for good."""

import dataclasses
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPushButton

from fix_cells import answer, at, cell, write
from pgexplorer.jobs import Jobs
from pgexplorer.models.kept import read_lines
from pgexplorer.ui import change_keeper
from pgexplorer.ui.change_keeper import ChangeKeeper

ID, NAME, AGE = range(3)
MADE = """CREATE TABLE t (id int PRIMARY KEY, name text, age int DEFAULT 18);
          INSERT INTO t SELECT n, 'name ' || n, n FROM generate_series(1, 100) n; ANALYZE t"""


def files(home):
    return [path for path in (home / "tabs").glob("*/*.lines") if path.parent.name != "damaged"]


def said(panel):
    return panel.pending_bar.text()


def press(bar, words):
    found = [each for each in bar.findChildren(QPushButton) if each.text() == words]
    assert found, bar.text()
    found[0].click()


def kept(driver):
    """Wait until what is pending is on the disk."""
    driver.until(lambda: not driver.window.deck.changes._changed)
    assert driver.window.deck.keeper._journal.flush()


def kill(driver):
    """Let the program be gone, as far as the next one sees it: what is on the disk stays, and nothing is said."""
    journal = driver.window.deck.keeper._journal
    journal.flush()
    journal._lock.release()
    journal._lock = None


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def open_again(start, profile, own_schema):
    """Start the program anew, connect and open the table t."""

    def begin(to=profile):
        driver = start()
        driver.settle()
        driver.open(to)
        driver.until(lambda: driver.window.schema.relation(own_schema, "t") is not None)
        driver.window.deck.open_table(driver.window.schema.relation(own_schema, "t"))
        panel = driver.window.deck.tabs.currentWidget()
        driver.until(lambda: panel.status.endswith(" ms"))
        driver.settle()
        return driver, panel

    return begin


@pytest.fixture
def edited(connected, open_table):
    """A table with a changed row, a new one and one that is to go, all on the disk."""
    panel = open_table(MADE)
    write(connected, panel, 1, NAME, "typed")
    at(panel, 3, AGE)
    panel.action("table.null").trigger()
    at(panel, 4, NAME)
    panel.action("table.delete").trigger()
    at(panel, 5, NAME)
    panel.action("table.insert").trigger()
    write(connected, panel, 6, ID, "500")
    at(panel, 6, AGE)
    panel.action("table.default").trigger()
    assert said(panel) == "2 changed, 1 inserted, 1 deleted · not sent yet"
    kept(connected)
    return panel


def rows(do, own_schema, where):
    return do(f"SELECT id, name, age FROM {own_schema}.t WHERE {where} ORDER BY id")


def test_that_changes_are_offered_after_a_kill_and_come_back_pending(connected, edited, open_again, do, own_schema):
    kill(connected)
    driver, panel = open_again()
    assert panel.message.text().startswith(
        "4 changes of t were not sent when the program ended.\n2 changed, 1 inserted"
    )
    assert said(panel) == ""
    press(panel.message, "Bring them back")
    driver.settle()
    assert said(panel) == "2 changed, 1 inserted, 1 deleted · not sent yet"
    assert panel.message.text().startswith("4 changes are pending again.")
    assert [cell(panel, 0, at) for at in range(3)] == ["500", "NULL", "DEFAULT"]
    assert cell(panel, 2, NAME) == "typed"
    assert (cell(panel, 4, NAME), cell(panel, 4, AGE)) == ("name 4", "NULL")
    panel.action("table.send").trigger()
    driver.settle()
    assert said(panel) == ""
    assert rows(do, own_schema, "id IN (2, 4, 5, 500)") == [(2, "typed", 2), (4, "name 4", None), (500, None, 18)]
    assert driver.window.deck.changes.found == []


def test_that_all_of_it_is_one_step_that_can_be_undone(connected, edited, open_again, home):
    kill(connected)
    driver, panel = open_again()
    press(panel.message, "Bring them back")
    driver.settle()
    kept(driver)
    assert len(files(home)) == 1
    panel.action("table.undo").trigger()
    assert said(panel) == ""
    assert cell(panel, 1, NAME) == "name 2"
    kept(driver)
    assert files(home) == []


def test_that_what_is_dropped_leaves_nothing(connected, edited, open_again, home):
    assert len(files(home)) == 1
    kill(connected)
    driver, panel = open_again()
    press(panel.message, "Drop")
    assert (panel.message.text(), said(panel)) == ("", "")
    kept(driver)
    assert files(home) == []
    kill(driver)
    assert open_again()[1].message.text() == ""


def test_that_nothing_is_written_while_nothing_is_pending_and_nothing_stays_when_all_is_sent(
    connected, open_table, home
):
    panel = open_table(MADE)
    kept(connected)
    assert files(home) == []
    write(connected, panel, 1, NAME, "typed")
    kept(connected)
    [file] = files(home)
    assert "typed" in file.read_text()
    panel.action("table.send").trigger()
    connected.settle()
    kept(connected)
    assert files(home) == []


def test_that_only_the_owner_can_read_them(edited, home):
    [file] = files(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_that_a_close_that_was_told_to_drop_leaves_nothing_and_one_that_was_not_asked_keeps_all(
    connected, edited, open_again, home
):
    connected.window.deck.keeper.write()
    connected.app.close()  # as by SIGTERM: nobody is there to be asked
    assert len(files(home)) == 1
    driver, panel = open_again()
    press(panel.message, "Bring them back")
    driver.settle()
    assert driver.frame.close() is False
    answer(driver, "drop")
    driver.until(lambda: driver.app.is_closed)
    assert files(home) == []


def test_that_a_row_that_others_changed_meanwhile_is_told_when_it_is_sent(
    connected, edited, open_again, do, own_schema
):
    kill(connected)
    do(f"UPDATE {own_schema}.t SET age = 99 WHERE id = 2")
    driver, panel = open_again()
    press(panel.message, "Bring them back")
    driver.settle()
    panel.action("table.send").trigger()
    driver.settle()
    assert "A row was changed by others since it was read." in panel.message.text()
    assert "age: read 2 · theirs now 99" in panel.message.text()
    assert rows(do, own_schema, "id = 2") == [(2, "name 2", 99)]
    assert rows(do, own_schema, "id = 500") == []


def test_that_a_window_that_runs_keeps_its_changes_to_itself(connected, edited, open_again):
    _, panel = open_again()
    assert panel.message.text() == ""
    assert said(edited) == "2 changed, 1 inserted, 1 deleted · not sent yet"


def test_that_changes_wait_until_they_are_chosen_and_are_offered_of_their_own_table_alone(
    connected, edited, open_again, own_schema, do
):
    do(f"CREATE TABLE {own_schema}.other (id int PRIMARY KEY)")
    kill(connected)
    driver, panel = open_again()
    assert driver.window.message.text() == ""  # it is said where it can be brought back
    panel.message.clear()
    driver.window.deck.open_table(driver.window.schema.relation(own_schema, "other"))
    driver.settle()
    other = driver.window.deck.tabs.currentWidget()
    assert other is not panel
    assert other.message.text() == ""
    write(driver, panel, 1, NAME, "mine")
    write(driver, panel, 2, NAME, "more")
    driver.window.deck.tabs.setCurrentWidget(panel)
    panel.action("table.send").trigger()
    driver.settle()
    panel.refresh()
    driver.settle()
    assert panel.message.text().startswith("4 changes of t were not sent")
    kill(driver)
    assert open_again()[1].message.text().startswith("4 changes of t were not sent")


def test_that_what_two_programs_left_is_offered_one_after_the_other(connected, edited, open_again, home):
    kill(connected)
    driver, panel = open_again()
    panel.message.clear()
    write(driver, panel, 7, NAME, "second")
    write(driver, panel, 1, NAME, "newer")
    kept(driver)
    assert len(files(home)) == 2
    kill(driver)
    driver, panel = open_again()
    press(panel.message, "Bring them back")
    driver.settle()
    assert "were not sent when the program ended" in panel.message.text()
    press(panel.message, "Bring them back")
    driver.settle()
    assert "changes of 1 row, which you have changed since" in panel.message.text()
    assert said(panel) == "3 changed, 1 inserted, 1 deleted · not sent yet"
    kept(driver)
    assert len(files(home)) == 1


def test_that_a_disk_that_refuses_is_said_and_written_to_again_when_it_can_be(connected, open_table, home):
    panel = open_table(MADE)
    keeper, journal = connected.window.deck.changes, connected.window.deck.keeper._journal
    blocked = journal._own / f"{keeper._files[panel].key}.new"
    blocked.mkdir()
    write(connected, panel, 1, NAME, "first")
    connected.until(lambda: "What you change is not on the disk" in connected.window.message.text())
    write(connected, panel, 2, NAME, "next")
    kept(connected)
    assert files(home) == []
    blocked.rmdir()
    write(connected, panel, 3, NAME, "last")
    kept(connected)
    [file] = files(home)
    assert all(word in file.read_text() for word in ("first", "next", "last"))


def test_that_the_window_says_where_changes_wait_and_opens_the_table(connected, edited, start, profile, own_schema):
    kill(connected)
    driver = start()
    driver.until(lambda: driver.window.message.text().startswith("Changes of t were not sent"))
    assert f"Connect to {profile.address}" in driver.window.message.text()
    driver.open(profile)
    driver.until(lambda: driver.window.schema.relation(own_schema, "t") is not None)
    press(driver.window.message, "Open t")
    driver.settle()
    panel = driver.window.deck.tabs.currentWidget()
    assert panel.message.text().startswith("4 changes of t were not sent")
    assert driver.window.message.text() == ""


def test_that_what_was_changed_since_is_not_changed_back(connected, edited, open_again):
    kill(connected)
    driver, panel = open_again()
    write(driver, panel, 1, NAME, "newer")
    press(panel.message, "Bring them back")
    driver.settle()
    assert "changes of 1 row, which you have changed since" in panel.message.text()
    assert said(panel) == "2 changed, 1 inserted, 1 deleted · not sent yet"
    assert cell(panel, 2, NAME) == "newer"


def test_that_a_damaged_file_is_set_aside_and_said_once(connected, edited, start, home):
    [file] = files(home)
    kill(connected)
    file.write_text(file.read_text().replace('"slot"', '"sloth"'))
    driver = start()
    driver.until(lambda: "Not all changes of rows could be restored" in driver.window.message.text())
    assert file.name in driver.window.message.text()
    assert (home / "tabs" / "damaged").is_dir()
    assert files(home) == []
    driver.app.close()
    again = start()
    again.settle()
    assert again.window.message.text() == ""


def test_that_what_was_committed_just_before_the_kill_is_not_offered_to_be_sent_again(
    connected, edited, open_again, do, own_schema, home, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(ChangeKeeper, "_remove", lambda _keeper, _file: None)  # the kill came first
        edited.action("table.send").trigger()
        connected.settle()
    assert rows(do, own_schema, "id = 500") == [(500, None, 18)]
    assert '"sending"' in files(home)[0].read_text()
    kill(connected)
    driver, panel = open_again()
    assert "They were just being committed" in panel.message.text()
    press(panel.message, "Bring them back")
    driver.settle()
    assert "The changes were committed just before the program ended." in panel.message.text()
    assert said(panel) == ""
    kept(driver)
    assert files(home) == []


def test_that_what_is_sent_is_on_the_disk_before_a_worker_begins_however_quick_it_is(
    connected, open_table, home, monkeypatch
):
    panel = open_table(MADE)
    start = Jobs.start

    def quick(jobs, *work, **given):
        job = start(jobs, *work, **given)
        if given.get("name") == "send changes":
            job.thread_.join()  # all is committed before this thread goes on
        return job

    monkeypatch.setattr(Jobs, "start", quick)
    monkeypatch.setattr(ChangeKeeper, "_remove", lambda _keeper, _file: None)  # the kill came first
    write(connected, panel, 1, NAME, "typed")
    panel.action("table.send").trigger()
    connected.settle()
    kept(connected)
    lines = files(home)[0].read_text().splitlines()
    assert ["typed" in line for line in lines] == [False, True, False]
    assert '"sending"' in lines[-1]


def test_that_what_the_server_refused_at_the_end_comes_back(connected, open_table, open_again, home):
    panel = open_table("""
        CREATE TABLE t (id int PRIMARY KEY, name text UNIQUE DEFERRABLE INITIALLY DEFERRED, age int);
        INSERT INTO t SELECT n, 'name ' || n, n FROM generate_series(1, 9) n; ANALYZE t
    """)
    write(connected, panel, 0, NAME, "name 2")
    panel.action("table.send").trigger()
    connected.settle()
    assert "t_name_key" in panel.message.text()
    write(connected, panel, 3, NAME, "more")
    kept(connected)
    assert '"sending"' in files(home)[0].read_text()
    kill(connected)
    driver, panel = open_again()
    press(panel.message, "Bring them back")
    driver.settle()
    assert panel.message.text().startswith("2 changes are pending again.")
    assert said(panel) == "2 changed · not sent yet"


def test_that_a_row_without_a_key_is_brought_back_only_where_it_still_lies(
    connected, open_table, open_again, do, own_schema
):
    panel = open_table(MADE.replace("PRIMARY KEY", ""))
    write(connected, panel, 1, NAME, "typed")
    write(connected, panel, 2, NAME, "too")
    kept(connected)
    kill(connected)
    do(f"DELETE FROM {own_schema}.t WHERE id = 1")
    do(f"VACUUM FULL {own_schema}.t")  # each lies where the one before did, written by the same transaction
    driver, panel = open_again()
    press(panel.message, "Bring them back")
    driver.settle()
    assert "changes of 2 rows, which are not where they were" in panel.message.text()
    assert said(panel) == ""


def test_that_a_large_block_is_kept_whole_and_comes_back_whole(connected, open_table, open_again, do, own_schema):
    panel = open_table(MADE)
    at(panel, 0, ID)
    QGuiApplication.clipboard().setText("\n".join(f"{n}\tx {n}\t{n}" for n in range(1, 5001)))
    panel.action("table.paste").trigger()
    connected.until(lambda: not panel.editing.is_pasting)
    kept(connected)
    kill(connected)
    driver, panel = open_again()
    press(panel.message, "Bring them back")
    driver.settle()
    driver.until(lambda: not panel.editing.is_pasting)
    assert said(panel) == "100 changed, 4,900 inserted · not sent yet"
    panel.action("table.send").trigger()
    driver.until(lambda: not panel.has_pending)
    assert do(f"SELECT count(*) FROM {own_schema}.t WHERE name = 'x ' || id") == [(5000,)]


def test_that_what_was_typed_before_a_block_is_kept_while_the_block_waits_for_its_rows(
    connected, open_table, home, admin, own_schema
):
    panel = open_table(MADE.replace("100)", "5000)"))
    write(connected, panel, 1, NAME, "typed")
    admin.ask(f"BEGIN; LOCK TABLE {own_schema}.t")
    at(panel, 0, ID)
    QGuiApplication.clipboard().setText("\n".join(f"{n}\tx {n}\t{n}" for n in range(1, 2001)))
    panel.action("table.paste").trigger()
    connected.until(lambda: admin.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1)
    assert panel.editing.is_pasting
    kept(connected)
    assert ["typed" in file.read_text() for file in files(home)] == [True]
    connected.app.close()  # as by SIGTERM
    assert ["typed" in file.read_text() for file in files(home)] == [True]
    admin.ask("ROLLBACK")


def test_that_half_a_block_is_not_kept(connected, open_table, home):
    panel = open_table(MADE)
    write(connected, panel, 1, NAME, "typed")
    at(panel, 0, ID)
    QGuiApplication.clipboard().setText("\n".join(f"{n}\tx {n}\t{n}" for n in range(1, 9001)))
    panel.action("table.paste").trigger()
    connected.until(lambda: panel.editing.is_partly_pasted)
    connected.window.deck.changes.write()
    connected.app.close()
    [file] = files(home)
    with file.open() as lines:
        assert read_lines(lines).counts.words == "1 changed"


def test_that_changes_are_not_put_on_other_rows_where_another_order_is_chosen_while_they_are_fetched(
    connected, open_table, open_again, do, own_schema, monkeypatch
):
    panel = open_table(MADE.replace("n FROM", "101 - n FROM"))
    write(connected, panel, 1, NAME, "typed")  # the row 2, of the age 99
    kept(connected)
    kill(connected)
    driver, panel = open_again()
    panel.filter.sort("age", Qt.SortOrder.AscendingOrder, beside=False)
    driver.settle()
    go, came = threading.Event(), change_keeper._came

    def slow(*given):
        found = came(*given)
        go.wait()
        return found

    monkeypatch.setattr(change_keeper, "_came", slow)
    press(panel.message, "Bring it back")
    panel.filter.clear()
    driver.until(lambda: not panel.reader.is_reading)
    go.set()
    driver.settle()
    assert said(panel) == "1 changed · not sent yet"
    assert cell(panel, 1, NAME) == "typed"
    panel.action("table.send").trigger()
    driver.settle()
    assert rows(do, own_schema, "name = 'typed'") == [(2, "typed", 99)]


def test_that_another_role_or_database_is_another_table(connected, edited, open_again, profile):
    kill(connected)
    driver, panel = open_again(dataclasses.replace(profile, host="localhost", port=profile.port))
    assert panel.message.text() == ""
    assert [each.kept.head.table for each in driver.window.deck.changes.found] == ["t"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("seconds", [0.7, 1.6])
def test_that_a_kill_of_the_real_program_loses_a_second_at_most(
    open_again, profile, own_schema, do, home, seconds, tmp_path
):
    do(f"SET search_path = {own_schema}; {MADE}")
    typist = Path(__file__).parents[1] / "fix_row_typist.py"
    given = {each: getattr(profile, each) for each in ("host", "port", "dbname", "user", "password")}
    with subprocess.Popen(
        [sys.executable, str(typist), str(home), own_schema],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    ) as program:
        program.stdin.write(json.dumps(given) + "\n")
        program.stdin.flush()
        lines = [program.stdout.readline()]
        assert lines[0], "it did not begin to write"
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lines.append(program.stdout.readline())
        killed = time.time()
        os.kill(program.pid, signal.SIGKILL)
        lines += program.stdout.read().split("\n")
    typed = [(float(when), int(number), int(count)) for when, number, count in map(str.split, filter(None, lines))]
    driver, panel = open_again()
    press(panel.message, "Bring them back")
    driver.settle()
    count = panel.editing.counts.total
    missed = [when for when, _, total in typed if total > count]
    assert not missed or killed - missed[0] < 1.0
    values = {panel.model.value(row, NAME) for row in range(panel.model.rowCount())}
    numbers = {int(value.split()[1]) for value in values if value and value.startswith("typed")}
    lost = [when for when, number, _ in typed if number > max(numbers)]
    assert not lost or killed - lost[0] < 1.0
    driver.until(lambda: not panel.editing.is_pasting)
