"""What is remembered between runs."""

import json
import os
import stat
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pgexplorer.db.profile import Environment, Profile
from pgexplorer.home import home
from pgexplorer.settings import Settings

CANARY = "pw-CANARY-7f3a"
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def file():
    return home() / "settings.json"


def aside(file):
    return [each.name for each in file.parent.glob("settings.damaged-*.json")]


def test_that_a_first_start_remembers_nothing_and_writes_nothing(file):
    settings = Settings()
    assert (settings.profiles, settings.trouble, settings.preference("theme", "light")) == ([], "", "light")
    assert not file.exists()


def test_that_profiles_and_preferences_come_back_without_the_password(file):
    settings = Settings()
    profile = Profile(name="é 😀", host="h", maxconn=9, environment=Environment.PRODUCTION, password=CANARY)
    settings.keep(profile)
    settings.prefer("theme", "dark")
    again = Settings()
    assert again.profiles == [profile]
    assert again.profiles[0].password == ""
    assert again.preference("theme") == "dark"
    assert CANARY not in file.read_text()


def test_that_state_is_for_its_owner_alone(file):
    before = os.umask(0)
    try:
        file.parent.rmdir()
        Settings().prefer("theme", "dark")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_that_a_file_that_others_may_read_is_replaced_by_one_that_they_may_not(file):
    file.write_text("{}")
    file.chmod(0o644)
    Settings().prefer("theme", "dark")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_that_nothing_but_the_settings_is_left_after_writing(file):
    settings = Settings()
    for number in range(5):
        settings.prefer("last_profile", str(number))
    assert {each.name for each in file.parent.iterdir()} == {"settings.json", "settings.lock"}


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_that_a_write_that_fails_leaves_the_old_file_whole_and_is_said(file, monkeypatch, moment):
    settings = Settings()
    settings.prefer("theme", "dark")
    before = file.read_bytes()

    def full(*args, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*(("os.fsync", full) if moment == "fsync" else ("pathlib.Path.replace", full)))
    settings.prefer("theme", "light")
    assert file.read_bytes() == before
    assert "No space left on device" in settings.trouble


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\0" * 100,
        b" " * (4 * 1024 * 1024 + 1),
    ],
)
def test_that_a_damaged_file_is_set_aside_said_and_survived(file, content):
    file.write_bytes(content)
    settings = Settings()
    assert (settings.profiles, settings.preference("theme")) == ([], "")
    [name] = aside(file)
    assert name in settings.trouble
    assert (file.parent / name).read_bytes() == content
    assert not file.exists()
    settings.keep(Profile(name="new"))
    again = Settings()
    assert again.trouble == ""
    assert [profile.name for profile in again.profiles] == ["new"]
    assert aside(file) == [name]


def test_that_a_folder_in_the_place_of_the_file_is_set_aside(file):
    file.mkdir()
    settings = Settings()
    assert settings.trouble
    settings.prefer("theme", "dark")
    assert Settings().preference("theme") == "dark"


def test_that_unknown_keys_and_wrong_types_are_passed_over(file):
    stored = {
        "version": 99,
        "colour": "blue",
        "profiles": [
            7,
            None,
            {"name": "kept", "maxconn": "many", "minconn": 1.9, "unknown": 1, "password": CANARY, "read_only": 1},
        ],
        "preferences": {"theme": "dark", "geometry": 7, "layout": None},
    }
    file.write_text(json.dumps(stored))
    settings = Settings()
    assert settings.trouble == ""
    [profile] = settings.profiles
    assert (profile.name, profile.maxconn, profile.minconn, profile.read_only) == ("kept", 3, 1, False)
    assert profile.password == ""
    assert settings.preference("theme") == "dark"
    assert settings.preference("geometry", "none") == "none"
    settings.prefer("theme", "light")
    assert CANARY not in file.read_text()


@given(stored=st.dictionaries(st.sampled_from(["profiles", "preferences", "version"]), anything))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
def test_that_any_json_is_survived_and_can_be_written_again(stored):
    file = home() / "settings.json"
    file.write_text(json.dumps(stored))
    settings = Settings()
    settings.keep(Profile(name="new \ud800"))
    assert settings.trouble == ""
    assert Settings().profiles == settings.profiles


def test_that_a_profile_takes_the_place_of_its_own_key_whatever_it_is_called():
    settings = Settings()
    first = settings.keep(Profile(name="a", host="1"))
    second = settings.keep(Profile(name="a", host="2"))
    assert [each.host for each in settings.profiles] == ["1", "2"]
    settings.keep(replace(first, name="c", host="3"))
    assert [(each.name, each.host) for each in Settings().profiles] == [("c", "3"), ("a", "2")]
    settings.remove(second)
    assert [each.name for each in Settings().profiles] == ["c"]


def test_that_two_windows_do_not_undo_each_other():
    ours, theirs = Settings(), Settings()
    ours.keep(Profile(name="mine"))
    theirs.prefer("theme", "dark")
    theirs.keep(Profile(name="theirs"))
    ours.prefer("geometry", "x")
    after = Settings()
    assert [each.name for each in after.profiles] == ["mine", "theirs"]
    assert (after.preference("theme"), after.preference("geometry")) == ("dark", "x")


def test_that_a_choice_made_again_is_not_written_again(file):
    settings = Settings()
    settings.prefer("theme", "dark")
    file.unlink()
    settings.prefer("theme", "dark")
    assert not file.exists()


def test_that_another_folder_holds_other_settings(tmp_path):
    Settings(tmp_path).prefer("theme", "dark")
    assert Settings().preference("theme") == ""
    assert Settings(tmp_path).preference("theme") == "dark"


def test_that_home_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("PGEXPLORER_HOME", str(tmp_path / "a" / "b"))
    assert home() == tmp_path / "a" / "b"
    assert home().is_dir()
    monkeypatch.delenv("PGEXPLORER_HOME")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.platform", "linux")
    assert home() == tmp_path / "xdg" / "pgexplorer"
    monkeypatch.setattr("sys.platform", "darwin")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert home() == tmp_path / "Library" / "Application Support" / "pgexplorer"
