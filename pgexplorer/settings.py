"""What is remembered between runs: profiles and preferences, in one JSON file. Never a password."""

import json
import logging
import os
import time
from pathlib import Path
from typing import Any, cast

from pgexplorer.db.profile import Profile
from pgexplorer.home import home

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
        stored = self._read()
        self.profiles: list[Profile] = [
            Profile.restored(cast("dict[str, object]", each))
            for each in _list(stored.get("profiles"))
            if isinstance(each, dict)
        ]
        self._preferences: dict[str, str] = {
            str(name): value for name, value in _dict(stored.get("preferences")).items() if isinstance(value, str)
        }

    def preference(self, name: str, default: str = "") -> str:
        """Return a remembered choice: "theme", "geometry", "layout", "last_profile"."""
        return self._preferences.get(name, default)

    def prefer(self, name: str, value: str) -> None:
        """Remember a choice."""
        if self._preferences.get(name) != value:
            self._preferences[name] = value
            self._write()

    def keep(self, profile: Profile, *, instead_of: str = "") -> None:
        """Add *profile*, or put it in the place of the one with its title, or of the one titled *instead_of*."""
        titles = [each.title for each in self.profiles]
        for title in (instead_of, profile.title):
            if title in titles:
                self.profiles[titles.index(title)] = profile
                break
        else:
            self.profiles.append(profile)
        self._write()

    def remove(self, profile: Profile) -> None:
        """Forget a profile."""
        self.profiles = [each for each in self.profiles if each.title != profile.title]
        self._write()

    def _read(self) -> dict[str, object]:
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
            return {}

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
