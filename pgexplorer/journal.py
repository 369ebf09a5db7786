"""What was typed, on disk within a second: a folder for each running window, in it a file for each tab. No Qt.

Beside the tabs lie files of lines, which are somebody else's: here they are only written, taken over and removed.
"""

import contextlib
import json
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, cast

from pgexplorer.home import home

_VERSION = 1
LINES = ".lines"  # how the name of a file of lines ends
_LARGEST = 256 << 20  # bytes; a larger file was not written here
_PATIENCE = 2.0  # seconds that the end of the program waits for the last writes
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab as it is remembered. Positions are those of the editor, in UTF-16 units; -1 where there is none."""

    key: str  # its own for ever
    title: str = ""
    text: str = ""
    path: str = ""  # of the file that it shows, "" for none
    encoding: str = ""
    order: int = 0  # among the tabs of its window
    is_current: bool = False
    caret: int = 0
    anchor: int = 0
    scroll: int = 0
    is_modified: bool = False  # beside the file


@dataclass(frozen=True, slots=True)
class Restored:
    """What windows that have ended left."""

    tabs: tuple[Tab, ...] = ()
    trouble: str = ""  # what could not be read, in words, said once
    files: tuple[Path, ...] = ()  # of lines, which were not looked at


@dataclass(slots=True)
class _Waiting:
    """What is still to be written: the last state of each tab alone, and all of the lines."""

    tabs: dict[str, Tab | None] = field(default_factory=dict[str, Tab | None])  # None: to be forgotten
    work: list[tuple[str, Callable[[], None]]] = field(default_factory=list[tuple[str, Callable[[], None]]])
    is_ending: bool = False

    def __bool__(self) -> bool:
        return bool(self.tabs or self.work)


class Journal:
    """The tabs of one window, written by a thread of its own.

    The folder of a window is locked while it runs, so that two windows never mix; what windows have left that run no
    more is taken over by the next. Files are replaced whole: whenever the program ends, the old state or the new one
    is there. Raises nothing after its construction: what cannot be written is said through `trouble`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Begin a folder. Raises OSError when none can be made."""
        self._root = folder or home() / "tabs"
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._own, self._lock = self._begin()
        self._waiting = _Waiting()
        self._changed = threading.Condition()
        self._written = 0
        self._asked = 0
        self.trouble = ""  # why the last write failed
        self._torn: set[str] = set()  # files of lines of which a write failed: they lack some
        self._writer = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._writer.start()

    @staticmethod
    def new_key() -> str:
        """Return a key that no tab has."""
        return secrets.token_hex(8)

    def _begin(self) -> tuple[Path, "_Lock"]:
        """Make a folder and lock it: again, where another window came between and took it for one that was left."""
        while True:
            folder = self._root / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}"
            folder.mkdir(mode=0o700)
            if (lock := _locked(folder)) is not None:
                return folder, lock

    def take_over(self) -> Restored:
        """Return the tabs of windows that run no more, in their order, and make them this window's. Reads files."""
        tabs: list[Tab] = []
        files: list[Path] = []
        damaged: list[str] = []
        for folder in sorted(each for each in self._root.iterdir() if each.is_dir()):
            if folder == self._own or folder.name == "damaged":
                continue
            lock = _locked(folder)
            if lock is None:
                continue  # a window that runs
            found: list[Tab] = []
            for path in sorted(folder.glob("*.json")):
                try:
                    found.append(_read(path))
                except (OSError, ValueError, TypeError, RecursionError) as error:
                    damaged.append(f"{path.name} ({error})")
                    self.set_aside(path)
            for path in sorted(folder.glob(f"*{LINES}")):
                with contextlib.suppress(OSError):
                    files.append(path.replace(self._own / path.name))
            found.sort(key=lambda tab: tab.order)
            tabs += found
            for tab in found:
                with contextlib.suppress(OSError):
                    (folder / f"{tab.key}.json").replace(self._own / f"{tab.key}.json")
            _remove_folder(folder)  # unless something could not be moved: the next window may
            lock.release()
            _remove_folder(folder)  # where what is locked cannot be removed
        trouble = ""
        if damaged:
            trouble = (
                f"Not all tabs could be restored: {', '.join(damaged)}. The files are in {self._root / 'damaged'}."
            )
            _log.warning("tabs set aside: %d", len(damaged))
        return Restored(tuple(tabs), trouble, tuple(files))

    def put(self, tab: Tab) -> None:
        """Have *tab* written soon. Returns at once; of several states the last is written."""
        with self._changed:
            self._waiting.tabs[tab.key] = tab
            self._asked += 1
            self._changed.notify()

    def forget(self, key: str) -> None:
        """Have the tab forgotten, because the person closed it. Returns at once."""
        with self._changed:
            self._waiting.tabs[key] = None
            self._asked += 1
            self._changed.notify()

    def write_lines(self, key: str, lines: Iterable[str]) -> None:
        """Have the file of lines *key* begun anew with *lines* soon, in place of what it held. Returns at once.

        They are asked for on the writer's thread.
        """

        def work() -> None:
            path = self._own / f"{key}{LINES}"
            fresh = path.with_suffix(".new")
            _append(fresh, lines, os.O_TRUNC)
            fresh.replace(path)
            self._torn.discard(key)

        self._do(key, work)

    def add_lines(self, key: str, lines: Iterable[str]) -> None:
        """Have *lines* written behind those that the file holds. Returns at once."""
        self._do(key, lambda: _append(self._own / f"{key}{LINES}", lines, os.O_APPEND))

    def remove_lines(self, key: str) -> None:
        """Have the file of lines removed. Returns at once."""

        def work() -> None:
            (self._own / f"{key}{LINES}").unlink(missing_ok=True)
            self._torn.discard(key)

        self._do(key, work)

    def is_torn(self, key: str) -> bool:
        """Whether the file of lines lacks some that could not be written: it wants to be written anew."""
        return key in self._torn

    def _do(self, key: str, work: Callable[[], None]) -> None:
        with self._changed:
            self._waiting.work.append((key, work))
            self._asked += 1
            self._changed.notify()

    def flush(self, seconds: float = _PATIENCE) -> bool:
        """Wait until what was put so far is on disk, *seconds* at most; return whether it is."""
        with self._changed:
            wanted = self._asked
            return self._changed.wait_for(lambda: self._written >= wanted, seconds)

    def close(self) -> None:
        """Write what is left and let go of the folder, which the next window takes over."""
        self.flush()
        with self._changed:
            self._waiting.is_ending = True
            self._changed.notify()
        self._writer.join(_PATIENCE)
        lock, self._lock = self._lock, None
        if lock is None:
            return  # closed before
        lock.release()
        _remove_folder(self._own)

    # -- the writer's thread

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._waiting.is_ending)
                tabs, self._waiting.tabs = self._waiting.tabs, {}
                work, self._waiting.work = self._waiting.work, []
                upto = self._asked
                if not tabs and not work:
                    return
            for key, tab in tabs.items():
                try:
                    if tab is None:
                        (self._own / f"{key}.json").unlink(missing_ok=True)
                    else:
                        _write(self._own / f"{key}.json", tab)
                    self.trouble = ""
                except OSError as error:
                    self._fail(error)
            for key, each in work:
                try:
                    each()
                    self.trouble = ""
                except OSError as error:
                    self._torn.add(key)
                    self._fail(error)
            with self._changed:
                self._written = upto
                self._changed.notify_all()

    def _fail(self, error: OSError) -> None:
        self.trouble = f"What was typed could not be written to {self._own}: {error}."
        _log.warning("what was typed was not written: %s", error)

    def set_aside(self, path: Path) -> None:
        """Move a file that cannot be read out of the way, where a person can look at it."""
        aside = self._root / "damaged"
        with contextlib.suppress(OSError):
            aside.mkdir(mode=0o700, exist_ok=True)
            path.replace(aside / f"{time.strftime('%Y%m%d-%H%M%S')}-{path.name}")


class _Lock:
    """A lock on a folder that the system releases with the process."""

    def __init__(self, release: Callable[[], None]) -> None:
        self.release = release


def _locked(folder: Path) -> _Lock | None:
    """Lock *folder*; None where another process has it, or had it and has removed it."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    try:
        _lock_file(descriptor)
        is_there = os.path.samestat(os.fstat(descriptor), (folder / "lock").stat())
    except OSError:
        is_there = False
    if not is_there:
        os.close(descriptor)
        return None
    return _Lock(lambda: os.close(descriptor))


def _remove_folder(folder: Path) -> None:
    """Remove the folder of a window, where nothing that was typed is in it."""
    with contextlib.suppress(OSError):
        if not any(each.suffix in {".json", LINES} for each in folder.iterdir()):
            shutil.rmtree(folder)


def _lock_file(descriptor: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]  # Windows alone has it
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write(path: Path, tab: Tab) -> None:
    """Replace the file of a tab. A kill leaves the old or the new one: no fsync is needed for that."""
    fresh = path.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"version": _VERSION, **asdict(tab)}, file)  # ASCII: a lone surrogate cannot be encoded
    fresh.replace(path)


def _append(path: Path, lines: Iterable[str], how: int) -> None:
    """Write *lines*, all of them or none: half a line that others follow would spoil the file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    size = os.fstat(descriptor).st_size
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            for line in lines:
                file.write(f"{line}\n")
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(path, size)
        raise


def _read(path: Path) -> Tab:
    if path.stat().st_size > _LARGEST:
        raise ValueError("far too large")
    stored: Any = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(stored, dict):
        raise TypeError("no object")
    given = cast("dict[str, object]", stored)
    values: dict[str, Any] = {}
    for each in fields(Tab):
        if each.name not in given:
            continue
        value = given[each.name]
        kind = {"str": str, "int": int, "bool": bool}[
            str(each.type) if isinstance(each.type, str) else each.type.__name__
        ]
        if type(value) is not kind:
            raise TypeError(f"{each.name} is no {kind.__name__}")
        values[each.name] = value
    if values.get("key") != path.stem:
        raise ValueError("it is another tab's")
    return Tab(**values)
