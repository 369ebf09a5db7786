"""Statements that were run are found again, and no password among them."""

import stat
import threading

import pytest

from pgexplorer.history import Entry, History, without_secrets


@pytest.fixture
def history(tmp_path):
    made = History(tmp_path / "history.sqlite3")
    yield made
    made.close()


def entry(sql, at=1.0, **more):
    return Entry(sql, at, "me@here:5432/db", **more)


def test_that_what_was_added_is_found_newest_first_with_all_that_is_known_of_it(history):
    history.add(entry("select 1", 1.0, seconds=0.5, rows=1, status="SELECT 1"))
    history.add(entry("select 1/0", 2.0, status="failed", error="division by zero"))
    history.flush()
    found = history.search()
    assert [(each.sql, each.rows, each.status, each.is_bad) for each in found] == [
        ("select 1/0", -1, "failed", True),
        ("select 1", 1, "SELECT 1", False),
    ]
    assert found[1].seconds == 0.5
    assert found[0].server == "me@here:5432/db"


@pytest.mark.parametrize(
    ("words", "count"),
    [("", 4), ("PERSON", 2), ("person where", 1), ("100%", 1), ("a_b", 1), ("'", 1), ("zero", 1), ("nothing", 0)],
)
def test_that_every_word_narrows_the_search(history, words, count):
    for sql in ("select * from person", "select * from Person where x = '100%'", "select a_b", "select axb"):
        history.add(entry(sql, error="division by zero" if "axb" in sql else ""))
    history.flush()
    assert len(history.search(words)) == count


def test_that_pages_follow_one_another(history):
    for number in range(25):
        history.add(entry(f"select {number}"))
    history.flush()
    first = history.search(limit=10)
    second = history.search(limit=10, before=first[-1].key)
    assert [each.sql for each in first + second] == [f"select {number}" for number in range(24, 4, -1)]


def test_that_one_or_all_are_forgotten(history):
    for sql in ("select 1", "select 2", "select 3"):
        history.add(entry(sql))
    history.flush()
    history.forget(next(each.key for each in history.search() if each.sql == "select 2"))
    assert [each.sql for each in history.search()] == ["select 3", "select 1"]
    history.forget()
    assert history.search() == []


def test_that_two_windows_write_into_one_history(history, tmp_path):
    other = History(tmp_path / "history.sqlite3")
    threads = [
        threading.Thread(target=lambda each=each: [each.add(entry(f"select {n}")) for n in range(50)])
        for each in (history, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    history.flush()
    other.flush()
    assert len(history.search(limit=1000)) == 100
    assert history.trouble == other.trouble == ""
    other.close()


def test_that_a_damaged_file_is_set_aside(tmp_path):
    path = tmp_path / "history.sqlite3"
    path.write_bytes(b"no database at all" * 100)
    history = History(path)
    assert "set aside" in history.trouble
    history.add(entry("select 1"))
    history.flush()
    assert [each.sql for each in history.search()] == ["select 1"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    history.close()


CANARY = "pw-CANARY-7f3a"


@pytest.mark.parametrize(
    "sql",
    [
        f"ALTER ROLE me PASSWORD '{CANARY}'",
        f"alter user me with encrypted password   '{CANARY}' valid until 'infinity'",
        f"CREATE ROLE me LOGIN PASSWORD /* here */ '{CANARY}'",
        f"CREATE ROLE me PASSWORD E'{CANARY}\\n'",
        f"CREATE ROLE me PASSWORD $${CANARY}$$",
        f"CREATE ROLE me PASSWORD $a${CANARY}$a$",
        f"CREATE ROLE me PASSWORD U&'{CANARY}'",
        f"CREATE USER MAPPING FOR me SERVER s OPTIONS (user 'me', password '{CANARY}')",
        f"CREATE USER MAPPING FOR me SERVER s OPTIONS (user 'me', \"password\" '{CANARY}')",
        f"SELECT dblink_connect('host=h user=me password={CANARY} dbname=d')",
        f"SELECT dblink_connect('password=''{CANARY}''')",
        f"SELECT dblink_connect('postgresql://me:{CANARY}@host/db')",
        f"CREATE SUBSCRIPTION s CONNECTION 'host=h password={CANARY}' PUBLICATION p",
        f"SET my.password = '{CANARY}'",
        f"ALTER ROLE me PASSWORD '{CANARY}",
        f"select 1; ALTER ROLE me PASSWORD '{CANARY}'; select 'é😀'; ALTER ROLE b PASSWORD '{CANARY}'",
    ],
)
def test_that_no_password_is_kept(sql, history, tmp_path):
    assert CANARY not in without_secrets(sql)
    history.add(entry(sql, error=f"could not connect: password={CANARY}"))
    history.flush()
    history.close()
    for path in tmp_path.iterdir():
        assert CANARY.encode() not in path.read_bytes()


@pytest.mark.parametrize("sql", ["select 1", "select password from users where password = $1", "select 'a://b'"])
def test_that_what_is_no_password_stays(sql):
    assert without_secrets(sql) == sql


def test_that_a_place_where_nothing_can_be_written_is_said_and_stops_nothing(tmp_path):
    path = tmp_path / "history.sqlite3"
    path.mkdir()
    history = History(path)
    assert "cannot be kept" in history.trouble
    history.add(entry("select 1"))
    history.close()
