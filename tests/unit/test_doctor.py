"""What the doctor and the preflight say of a machine."""

import contextlib
import io
import os
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

from pgexplorer import doctor

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="displays and libraries are looked for on Linux"
)


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """A machine without a display, with a state folder of its own."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "XDG_RUNTIME_DIR", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGEXPLORER_HOME", str(tmp_path / "home"))


def lacking(monkeypatch, *names):
    monkeypatch.setattr(doctor, "_loads", lambda name: name not in names)


def test_that_without_a_display_the_preflight_says_so_in_one_line():
    assert doctor.preflight() == "There is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set."


@pytest.mark.parametrize("platform", ["offscreen", "minimal", "offscreen:size=800x600", "minimal;xcb"])
def test_that_a_platform_without_a_display_is_honoured(monkeypatch, platform):
    monkeypatch.setenv("QT_QPA_PLATFORM", platform)
    assert doctor.preflight() is None


@pytest.mark.parametrize("display", [":59321", "127.0.0.1:59321", "unix:59321", "nonsense", ":99999999999"])
def test_that_a_display_variable_is_not_believed_when_nothing_answers(monkeypatch, display):
    monkeypatch.setenv("DISPLAY", display)
    assert doctor.preflight() == f"There is no display here: nothing answers at DISPLAY={display}."


def test_that_a_stale_wayland_variable_is_not_believed_either(monkeypatch, tmp_path):
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert doctor.preflight() == "There is no display here: nothing answers at WAYLAND_DISPLAY=wayland-7."


def test_that_a_wayland_display_that_answers_needs_its_own_libraries_alone(monkeypatch):
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as compositor:
        compositor.bind(os.path.join(folder, "wayland-7"))
        compositor.listen()
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-7")
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        lacking(monkeypatch, "libxcb-cursor.so.0")
        assert doctor.preflight() is None
        lacking(monkeypatch, "libwayland-cursor.so.0")
        assert "libwayland-cursor.so.0" in doctor.preflight()


@pytest.fixture
def deaf_display(monkeypatch):
    """A display that takes every connection and shuts it at once."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def refuse():
            with contextlib.suppress(OSError):
                while True:
                    listening.accept()[0].close()

        refusing = threading.Thread(target=refuse)
        refusing.start()
        monkeypatch.setenv("DISPLAY", f"127.0.0.1:{listening.getsockname()[1] - 6000}")
        yield
        listening.shutdown(socket.SHUT_RDWR)
        refusing.join()


def test_that_a_display_that_lets_nobody_in_is_told_before_qt_aborts(monkeypatch, deaf_display):
    lacking(monkeypatch)
    assert "does not let this user in" in doctor.preflight()
    assert doctor.obstacle().is_display


@pytest.mark.parametrize(
    ("family", "line"),
    [
        ({"debian"}, "apt-get install -y libgl1 libxcb-icccm4"),
        ({"linuxmint", "ubuntu"}, "apt-get install -y libgl1 libxcb-icccm4"),
        ({"fedora"}, "dnf install -y libglvnd-glx xcb-util-wm"),
        ({"rocky", "rhel"}, "dnf install -y libglvnd-glx xcb-util-wm"),
        ({"arch"}, "Install the packages that hold libGL.so.1, libxcb-icccm.so.4"),
    ],
)
def test_that_one_line_installs_everything_that_is_missing(monkeypatch, deaf_display, family, line):
    monkeypatch.setattr(doctor, "_family", lambda: family)
    lacking(monkeypatch, "libGL.so.1", "libxcb-icccm.so.4")
    told = doctor.preflight()
    assert told.startswith("Qt lacks libGL.so.1, libxcb-icccm.so.4 here. ")
    assert told.endswith(line)
    assert "\n" not in told


def test_that_off_screen_the_libraries_of_x_are_not_asked_for(monkeypatch):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    lacking(monkeypatch, "libxcb-icccm.so.4")
    assert doctor.preflight() is None
    by_name = {check.name: check for check in doctor.checks()}
    assert by_name["Qt's libraries"].state is doctor.State.GOOD
    assert by_name["X libraries"].state is doctor.State.WARNING
    assert "libxcb-icccm4" in by_name["X libraries"].fix or "xcb" in by_name["X libraries"].fix


def test_that_the_pyside6_that_aborts_is_refused_below_python_3_12_only(monkeypatch):
    monkeypatch.setattr(doctor, "_pyside_version", lambda: "6.12.0")
    assert "6.12.0 aborts" in doctor._pyside_trouble((3, 11))
    assert doctor._pyside_trouble((3, 12)) == ""
    monkeypatch.setattr(doctor, "_pyside_version", lambda: None)
    assert "not installed" in doctor._pyside_trouble((3, 12))


def test_that_the_version_of_pyside6_is_read_without_loading_it():
    import PySide6

    assert doctor._pyside_version() == PySide6.__version__


@pytest.mark.parametrize(("platform", "code"), [("offscreen", 0), ("xcb", 2)])
def test_that_the_report_ends_with_2_when_no_window_can_open(monkeypatch, platform, code):
    monkeypatch.setenv("QT_QPA_PLATFORM", platform)
    out = io.StringIO()
    assert doctor.report(out) == code
    assert ("can open its window" in out.getvalue()) == (code == 0)
    for name in (
        "Python",
        "PySide6",
        "Qt's libraries",
        "Display",
        "Keyring",
        "psycopg2",
        "Demo server",
        "State folder",
    ):
        assert name in out.getvalue()


def test_that_an_old_libpq_is_a_warning(monkeypatch):
    monkeypatch.setattr("psycopg2.extensions.libpq_version", lambda: 160004)
    check = doctor.libpq()
    assert check.state is doctor.State.WARNING
    assert "libpq 16.4" in check.said


def test_that_a_state_folder_that_cannot_be_made_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("PGEXPLORER_HOME", str(tmp_path / "file" / "home"))
    check = doctor._state_folder()
    assert check.state is doctor.State.BAD
    assert "PGEXPLORER_HOME" in check.fix


def test_that_the_doctor_loads_no_qt():
    source = "import sys, io; from pgexplorer import doctor; doctor.preflight(); doctor.report(io.StringIO())"
    source += "; sys.exit(any(name.startswith('PySide6') for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", source], timeout=60, check=False).returncode == 0
