"""What is remembered between runs: profiles and preferences, in one JSON file. Never a password."""

import contextlib
import json
import logging
import os
import secrets
import time
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pgexplorer.home import home

if TYPE_CHECKING:  # it loads the driver, which the frame of the window does not wait for
    from pgexplorer.db.profile import Profile

_VERSION = 1
_LARGEST = 4 * 1024 * 1024  # bytes; a larger file was not written here
_log = logging.getLogger(__name__)


class Settings:
    """The remembered state, read once and written whole whenever it changes.

    A damaged file is set aside and said once through `trouble`; the program starts all the same.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._path = (folder or home()) / "settings.json"
        self.trouble = ""
        self._stored: list[dict[str, object]] = []  # profiles as they are on disk
        self._profiles: list[Profile] | None = None  # made of them when they are asked for
        self._preferences: dict[str, str] = {}
        self._take(self._read() or {})

    def _take(self, stored: dict[str, object]) -> None:
        self._stored = [
            cast("dict[str, object]", each) for each in _list(stored.get("profiles")) if isinstance(each, dict)
        ]
        self._profiles = None
        self._preferences = {
            str(name): value for name, value in _dict(stored.get("preferences")).items() if isinstance(value, str)
        }

    @property
    def profiles(self) -> "list[Profile]":
        """The remembered profiles, in the order in which they were first kept."""
        if self._profiles is None:
            from pgexplorer.db.profile import Profile

            self._profiles = [Profile.restored(each) for each in self._stored]
        return self._profiles

    def preference(self, name: str, default: str = "") -> str:
        """Return a remembered choice: "theme", "geometry", "layout", "last_profile"."""
        return self._preferences.get(name, default)

    def prefer(self, name: str, value: str) -> None:
        """Remember a choice."""
        if self._preferences.get(name) != value:
            with self._changing():
                self._preferences[name] = value

    def keep(self, profile: "Profile") -> "Profile":
        """Remember *profile* in the place of the one with its key, or as a new one; return it with its key."""
        with self._changing():
            keys = [each.key for each in self.profiles]
            if profile.key and profile.key in keys:
                self.profiles[keys.index(profile.key)] = profile
            else:
                profile = replace(profile, key=secrets.token_hex(8))
                self.profiles.append(profile)
        return profile

    def remove(self, profile: "Profile") -> None:
        """Forget a profile."""
        with self._changing():
            self._profiles = [each for each in self.profiles if each.key != profile.key]

    @contextlib.contextmanager
    def _changing(self) -> Generator[None]:
        """Change the state as it is on disk now: another window may have written since it was read."""
        with self._locked():
            if self._path.exists() and (stored := self._read()) is not None:
                self._take(stored)
            yield
            self._write()

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        try:
            import fcntl
        except ImportError:  # Windows: the last of two windows wins
            yield
            return
        try:
            lock = os.open(self._path.with_name("settings.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            yield  # where no lock can be made nothing can be written either, which is said then
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _read(self) -> dict[str, object] | None:
        """Return what is on disk; None where it cannot be read, in which case it is set aside."""
        try:
            if self._path.stat().st_size > _LARGEST:
                raise ValueError("the file is far too large")
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            if not isinstance(stored, dict):
                raise TypeError("the file holds no object")
            return cast("dict[str, object]", stored)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, RecursionError) as error:
            aside = self._path.with_name(f"settings.damaged-{time.strftime('%Y%m%d-%H%M%S')}.json")
            self.trouble = f"The settings could not be read ({error}). They were set aside as {aside.name}."
            _log.warning("settings set aside: %s", error)
            try:
                self._path.replace(aside)
            except OSError as refused:
                self.trouble = f"The settings could not be read ({error}), nor set aside ({refused})."
            return None

    def _write(self) -> None:
        whole: dict[str, Any] = {
            "version": _VERSION,
            "profiles": [profile.stored() for profile in self.profiles],
            "preferences": self._preferences,
        }
        fresh = self._path.with_name(f"settings.{os.getpid()}.new")
        try:
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(whole, file, indent=2)  # ASCII: a lone surrogate in a name cannot be encoded
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            self.trouble = f"The settings could not be written: {error}."
            _log.warning("settings not written: %s", error)


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _dict(value: object) -> dict[object, object]:
    return cast("dict[object, object]", value) if isinstance(value, dict) else {}
