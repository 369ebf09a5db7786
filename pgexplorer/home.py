"""Where the program keeps its state between runs: one folder, readable by its owner alone. No Qt."""

import os
import sys
from pathlib import Path


def home() -> Path:
    """Return the state folder, made with mode 0700: $PGEXPLORER_HOME, else the platform's place for state.

    Raises OSError when the folder cannot be made.
    """
    folder = Path(os.environ.get("PGEXPLORER_HOME") or _default())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def spool_folder() -> Path:
    """Return the folder of result files under the state folder, made with mode 0700.

    Raises OSError when the folder cannot be made.
    """
    folder = home() / "results"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _default() -> Path:
    user = Path.home()
    if sys.platform == "darwin":
        return user / "Library" / "Application Support" / "pgexplorer"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or user / "AppData" / "Local") / "pgexplorer"
    return Path(os.environ.get("XDG_STATE_HOME") or user / ".local" / "state") / "pgexplorer"
