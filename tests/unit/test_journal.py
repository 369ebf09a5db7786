"""What was typed is on disk whenever the program ends, and windows do not mix."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fix_facts import until
from pgexplorer import journal as room
from pgexplorer.journal import Journal, Tab


@pytest.fixture
def open_journal(tmp_path):
    made = []

    def make():
        journal = Journal(tmp_path / "tabs")
        made.append(journal)
        return journal

    yield make
    for journal in made:
        journal.close()


TEXT = "select '😀', \u2028, \ud800, é;\r\n\t-- end "


def test_that_what_was_put_is_restored_whole_and_in_order(open_journal):
    first = open_journal()
    tabs = [
        Tab("b", "SQL 2", TEXT, order=1, is_current=True, caret=5, anchor=2, scroll=7),
        Tab("a", "orders.sql", "x", path="/tmp/orders.sql", encoding="utf-8", order=0, is_modified=True),
    ]
    for tab in tabs:
        first.put(tab)
    first.close()
    found = open_journal().take_over()
    assert found.trouble == ""
    assert list(found.tabs) == [tabs[1], tabs[0]]


def test_that_of_several_states_the_last_is_kept_and_a_closed_tab_is_forgotten(open_journal):
    first = open_journal()
    for number in range(200):
        first.put(Tab("a", text=str(number)))
    first.put(Tab("b", text="gone"))
    first.flush()
    first.forget("b")
    first.close()
    assert [tab.text for tab in open_journal().take_over().tabs] == ["199"]


def test_that_a_window_that_runs_keeps_its_tabs_to_itself(open_journal):
    first, second = open_journal(), open_journal()
    first.put(Tab("a", text="of the first"))
    second.put(Tab("b", text="of the second"))
    assert first.flush()
    assert second.flush()
    assert second.take_over().tabs == ()
    first.close()
    assert [tab.text for tab in second.take_over().tabs] == ["of the first"]
    second.close()
    assert {tab.text for tab in open_journal().take_over().tabs} == {"of the first", "of the second"}


def test_that_what_was_taken_over_is_not_lost_before_it_is_written_anew(open_journal):
    first = open_journal()
    first.put(Tab("a", text="kept"))
    first.close()
    open_journal().take_over()
    # That window ends at once, without a word.
    third = open_journal()
    assert third.take_over().tabs == ()  # the second still runs here
    assert len(list(third._root.glob("*/a.json"))) == 1


def test_that_damaged_files_are_set_aside_and_said_once(open_journal, tmp_path):
    first = open_journal()
    first.put(Tab("good", text="fine"))
    first.close()
    [folder] = [each for each in (tmp_path / "tabs").iterdir() if each.is_dir()]
    (folder / "torn.json").write_text('{"key": "torn", "te')
    (folder / "odd.json").write_text('{"key": "odd", "text": 7}')
    (folder / "list.json").write_text("[]")
    (folder / "other.json").write_text(json.dumps({"key": "good", "text": "twice"}))
    second = open_journal()
    found = second.take_over()
    assert [tab.text for tab in found.tabs] == ["fine"]
    for name in ("torn.json", "odd.json", "list.json", "other.json"):
        assert name in found.trouble
    assert len(list((tmp_path / "tabs" / "damaged").iterdir())) == 4
    second.close()
    assert open_journal().take_over().trouble == ""


def test_that_only_the_owner_can_read_it(open_journal, tmp_path):
    journal = open_journal()
    journal.put(Tab("a", text="secret"))
    journal.flush()
    for path in (tmp_path / "tabs").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_that_a_disk_that_refuses_is_said_and_the_program_goes_on(open_journal, tmp_path):
    journal = open_journal()
    (journal._own / "a.new").mkdir()  # nothing can be written there
    journal.put(Tab("a", text="x"))
    assert journal.flush()
    assert "could not be written" in journal.trouble
    (journal._own / "a.new").rmdir()
    journal.put(Tab("a", text="y"))
    journal.flush()
    assert journal.trouble == ""


def test_that_lines_are_written_added_and_removed_in_order_and_taken_over(open_journal, tmp_path):
    first = open_journal()
    first.write_lines("a", ["old"])
    first.write_lines("a", ["one", "two"])
    first.add_lines("a", ["three"])
    first.write_lines("b", ["gone"])
    first.remove_lines("b")
    first.write_lines("c", ["of c"])
    first.put(Tab("a", text="a tab of that name"))
    first.close()
    second = open_journal()
    found = second.take_over()
    assert [tab.text for tab in found.tabs] == ["a tab of that name"]
    assert [(path.stem, path.read_text()) for path in found.files] == [("a", "one\ntwo\nthree\n"), ("c", "of c\n")]
    assert {path.parent for path in found.files} == {second._own}
    second.remove_lines("a")
    second.remove_lines("c")
    second.forget("a")
    second.close()
    assert list((tmp_path / "tabs").iterdir()) == []


def test_that_lines_that_could_not_be_written_are_known_to_be_torn(open_journal):
    journal = open_journal()

    def broken():
        yield "one"
        raise OSError("no space left")

    journal.add_lines("a", broken())
    assert journal.flush()
    assert "no space left" in journal.trouble
    assert journal.is_torn("a")
    journal.write_lines("a", ["whole"])
    assert journal.flush()
    assert (journal.trouble, journal.is_torn("a")) == ("", False)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit of a file's size on Windows")
def test_that_lines_are_written_wholly_or_not_at_all(open_journal):
    import resource

    journal = open_journal()
    journal.write_lines("a", ["head", "one"])
    assert journal.flush()
    path = journal._own / "a.lines"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 5, limits[1]))
    try:
        journal.add_lines("a", ["two two two"])
        assert journal.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert journal.is_torn("a")
    journal.add_lines("a", ["three"])
    assert journal.flush()
    assert path.read_text() == "head\none\nthree\n"


def test_that_what_cannot_be_moved_stays_for_the_next_window(open_journal, monkeypatch):
    first = open_journal()
    first.put(Tab("a", text="typed"))
    first.write_lines("b", ["one"])
    first.close()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _refuse)
        second = open_journal()
        assert second.take_over().files == ()
    second.close()
    found = open_journal().take_over()
    assert [tab.text for tab in found.tabs] == ["typed"]
    assert [path.read_text() for path in found.files] == ["one\n"]


def _refuse(_path, _target):
    raise OSError("no space left")


def test_that_windows_that_begin_at_once_leave_each_other_their_folders(open_journal, monkeypatch, tmp_path):
    other, locked = open_journal(), room._locked

    def late(folder):
        """Lock a folder after the other window has taken over what it takes for left."""
        monkeypatch.setattr(room, "_locked", locked)
        other.take_over()
        return locked(folder)

    monkeypatch.setattr(room, "_locked", late)
    journal = open_journal()
    journal.put(Tab("a", text="typed"))
    assert journal.flush()
    assert journal.trouble == ""
    (tmp_path / "tabs" / "20200101-000000-left").mkdir()
    monkeypatch.setattr(room, "_locked", late)
    assert journal.take_over().tabs == ()
    journal.close()
    assert [tab.text for tab in open_journal().take_over().tabs] == ["typed"]


WRITER = """
import sys, pathlib
from pgexplorer.journal import Journal, Tab
journal = Journal(pathlib.Path(sys.argv[1]))
number = 0
while True:
    number += 1
    text = f"{number} " * 200
    for key in "abc":
        journal.put(Tab(key, text=text))
    if journal.flush():
        print(number, flush=True)
"""


@pytest.mark.parametrize("round_", range(20))
def test_that_a_kill_at_any_time_loses_nothing_that_was_written(tmp_path, round_):
    folder = tmp_path / "tabs"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True) as writer:
        said = ""
        until(writer.stdout.readline)
        deadline = time.monotonic() + 0.003 * round_
        while time.monotonic() < deadline:
            said = writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split("\n")
        last = int(next((line for line in reversed(rest) if line), said or "1"))
    journal = Journal(folder)
    found = journal.take_over()
    journal.close()
    assert found.trouble == ""
    assert len(found.tabs) == 3
    for tab in found.tabs:
        number, _, _ = tab.text.partition(" ")
        assert tab.text == f"{number} " * 200
        assert int(number) >= last
