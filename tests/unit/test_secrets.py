"""Passwords: in the keyring or for this run only."""

import keyring
import keyring.backend
import keyring.errors
import pytest

from pgexplorer.home import home
from pgexplorer.secrets import Secrets

CANARY = "pw-CANARY-7f3a"


class Ring(keyring.backend.KeyringBackend):
    """A keyring as a desktop has it, in memory."""

    priority = 5

    def __init__(self, refuses=False):
        super().__init__()
        self.kept = {}
        self.refuses = refuses

    def get_password(self, service, username):
        if self.refuses:
            raise keyring.errors.KeyringLocked(CANARY)
        return self.kept.get((service, username))

    def set_password(self, service, username, password):
        if self.refuses:
            raise keyring.errors.KeyringLocked(CANARY)
        self.kept[service, username] = password

    def delete_password(self, service, username):
        if self.refuses or (service, username) not in self.kept:
            raise keyring.errors.PasswordDeleteError(CANARY)
        del self.kept[service, username]


class PlaintextKeyring(Ring):
    """One that keeps them readable."""


@pytest.fixture
def ring():
    """Put a keyring in the place of none for this test."""
    before = keyring.get_keyring()

    def put(made):
        keyring.set_keyring(made)
        return made

    yield put
    keyring.set_keyring(before)


def test_that_without_a_keyring_a_password_lasts_for_this_run_and_that_is_said():
    secrets = Secrets()
    warning = secrets.remember("me@h:5432/db", CANARY, keep=True)
    assert "this run only" in warning
    assert CANARY not in warning
    assert secrets.recall("me@h:5432/db", kept=True) == CANARY
    assert Secrets().recall("me@h:5432/db", kept=True) == ""
    assert list(home().iterdir()) == []


def test_that_a_password_not_to_be_kept_never_reaches_the_keyring(ring):
    made = ring(Ring())
    secrets = Secrets()
    assert secrets.remember("a", CANARY, keep=False) == ""
    assert made.kept == {}
    assert secrets.recall("a", kept=False) == CANARY


def test_that_a_kept_password_is_there_in_the_next_run_and_can_be_forgotten(ring):
    made = ring(Ring())
    assert Secrets().trouble() == ""
    assert Secrets().remember("a", CANARY, keep=True) == ""
    assert made.kept == {("pgexplorer", "a"): CANARY}
    later = Secrets()
    assert later.recall("a", kept=True) == CANARY
    assert later.recall("b", kept=True) == ""
    assert later.recall("a", kept=False) == ""
    later.forget("a")
    assert made.kept == {}
    assert later.recall("a", kept=True) == ""
    later.forget("a")


def test_that_forgetting_forgets_this_run_too():
    secrets = Secrets()
    secrets.remember("a", CANARY, keep=False)
    secrets.forget("a")
    assert secrets.recall("a", kept=True) == ""


@pytest.mark.parametrize("keep", [True, False])
def test_that_a_keyring_that_refuses_stops_nothing_and_its_words_are_not_repeated(ring, caplog, keep):
    ring(Ring(refuses=True))
    secrets = Secrets()
    warning = secrets.remember("a", CANARY, keep=keep)
    assert ("KeyringLocked" in warning) is keep
    assert secrets.recall("a", kept=True) == CANARY
    assert Secrets().recall("a", kept=True) == ""
    secrets.forget("a")
    assert CANARY not in warning + caplog.text


def test_that_a_keyring_in_clear_text_is_not_used(ring):
    made = ring(PlaintextKeyring())
    assert "clear text" in Secrets().remember("a", CANARY, keep=True)
    assert made.kept == {}


def test_that_a_keyring_that_cannot_be_loaded_is_said_in_words(monkeypatch):
    def broken():
        raise RuntimeError("no D-Bus")

    monkeypatch.setattr(keyring, "get_keyring", broken)
    assert Secrets().trouble() == "The system keyring cannot be used: no D-Bus"
    assert Secrets().recall("a", kept=True) == ""
