"""The program in the menu of a Linux desktop: its desktop entry and icon, put in place and taken away. No Qt."""

import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pgexplorer import assets

_ENTRY = "desktop/pgexplorer.desktop"
_ICON = "icons/pgexplorer.svg"
# What an argument of Exec= must not hold outside quotes, and what a backslash guards inside them.
_RESERVED = frozenset(" \t\n\"'\\><~|&;$*?#()`")
_GUARDED = str.maketrans({letter: f"\\{letter}" for letter in '"`$\\'})


@dataclass(frozen=True, slots=True)
class Places:
    """Where this user's desktop looks."""

    entry: Path
    icon: Path


def places() -> Places:
    """Return where the entry and the icon belong, by the XDG base directories."""
    given = os.environ.get("XDG_DATA_HOME", "")
    base = Path(given) if os.path.isabs(given) else Path.home() / ".local" / "share"
    return Places(
        base / "applications" / "pgexplorer.desktop",
        base / "icons" / "hicolor" / "scalable" / "apps" / "pgexplorer.svg",
    )


def install(command: list[str]) -> Places:
    """Put the program into this user's menu, to be started by *command*; return where. Raises OSError."""
    where = places()
    started = " ".join(quoted(word) for word in command)
    lines = assets.text(_ENTRY).splitlines()
    lines = [f"Exec={started}{line.removeprefix('Exec=pgexplorer')}" if _starts(line) else line for line in lines]
    for path in (where.entry, where.icon):
        path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(assets.resources() / _ICON, where.icon)
    where.entry.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _tell(where)
    return where


def remove() -> list[Path]:
    """Take the program out of this user's menu; return what was there. Raises OSError."""
    where = places()
    gone: list[Path] = []
    for path in (where.entry, where.icon):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
            gone.append(path)
    _tell(where)
    return gone


def own_command() -> list[str]:
    """Return the words that start this installation again, whatever the PATH of the desktop may be."""
    script = Path(sys.argv[0])
    if script.name.startswith("pgexplorer") and script.is_file() and os.access(script, os.X_OK):
        return [str(script.absolute())]
    return [sys.executable, "-m", "pgexplorer"]


def quoted(word: str) -> str:
    """Return *word* as an argument of Exec=, by the Desktop Entry Specification: quoted, and escaped once more."""
    word = word.replace("%", "%%")
    if _RESERVED.isdisjoint(word):
        return word
    return f'"{word.translate(_GUARDED)}"'.replace("\\", "\\\\")


def _starts(line: str) -> bool:
    return line == "Exec=pgexplorer" or line.startswith("Exec=pgexplorer ")


def _tell(where: Places) -> None:
    """Let the desktop read its caches anew, where it has any; most watch the folders themselves."""
    if tool := shutil.which("update-desktop-database"):
        subprocess.run([tool, "-q", str(where.entry.parent)], check=False, timeout=10)
