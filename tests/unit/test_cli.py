"""The command line: exit codes, and what it never prints."""

import os
import shutil
import subprocess
import sys

import pytest

from pgexplorer import cli
from pgexplorer.demo.errors import DemoUnavailable

SECRET = "geheim"
URL = f"postgresql://me:{SECRET}@127.0.0.1:1/db"
HIDDEN = ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "XDG_RUNTIME_DIR", "QT_QPA_PLATFORM")


@pytest.fixture
def pgexplorer(tmp_path):
    """Run the program without a display and return what came of it."""

    def run(*words, **environment):
        bare = {name: value for name, value in os.environ.items() if name not in HIDDEN}
        return subprocess.run(
            [sys.executable, "-m", "pgexplorer", *words],
            env=bare | {"PGEXPLORER_HOME": str(tmp_path / "home")} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def no_display(monkeypatch, tmp_path):
    for name in HIDDEN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PGEXPLORER_HOME", str(tmp_path / "home"))


def test_that_importing_the_command_line_loads_neither_qt_nor_psycopg2():
    source = "import sys, pgexplorer.cli; sys.exit(' '.join({'PySide6', 'psycopg2'} & set(sys.modules)) or 0)"
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_that_no_window_without_a_display_is_one_line_and_2(pgexplorer):
    ended = pgexplorer()
    assert ended.returncode == 2
    assert ended.stderr == "There is no display here: neither DISPLAY nor WAYLAND_DISPLAY is set.\n"
    assert ended.stdout == ""


@pytest.mark.skipif(not shutil.which("Xvfb"), reason="needs Xvfb")
def test_that_a_display_of_somebody_else_ends_in_2_and_not_in_qts_abort(pgexplorer, tmp_path):
    cookies, nobody = tmp_path / "cookies", tmp_path / "nobody"
    # One record of X's format: family 256 (this machine, any name), no address, no number, the cookie.
    name, cookie = b"MIT-MAGIC-COOKIE-1", bytes(range(16))
    cookies.write_bytes(
        b"\xff\xff\0\0\0\0" + len(name).to_bytes(2, "big") + name + len(cookie).to_bytes(2, "big") + cookie
    )
    nobody.touch()
    reading, writing = os.pipe()
    with subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-auth", str(cookies), "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    ) as server:
        os.close(writing)
        try:
            with os.fdopen(reading) as told:
                display = f":{told.readline().strip()}"
            refused = pgexplorer(DISPLAY=display, XAUTHORITY=str(nobody))
            assert refused.returncode == 2
            assert f"The display {display} does not let this user in" in refused.stderr
            let_in = pgexplorer("doctor", DISPLAY=display, XAUTHORITY=str(cookies))
            assert f"X {display} answers" in let_in.stdout
        finally:
            server.terminate()


@pytest.mark.parametrize("words", [("dmeo",), ("--colour",), ("demo", "--noise"), ("tour", "--pictures")])
def test_that_wrong_usage_is_2(pgexplorer, words):
    ended = pgexplorer(*words)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_that_the_version_is_told(pgexplorer):
    ended = pgexplorer("--version")
    assert ended.returncode == 0
    assert ended.stdout.startswith("pgexplorer ")


def test_that_the_help_names_every_command_and_exit_code(pgexplorer):
    ended = pgexplorer("--help")
    assert ended.returncode == 0
    for word in ("demo", "tour", "doctor", "exit codes", "70"):
        assert word in ended.stdout


@pytest.mark.parametrize(("platform", "code"), [("offscreen", 0), ("xcb", 2)])
def test_that_the_doctor_tells_by_its_exit_code_whether_a_window_can_open(pgexplorer, platform, code):
    assert pgexplorer("doctor", QT_QPA_PLATFORM=platform).returncode == code


@pytest.mark.parametrize(
    "words",
    [
        (URL,),
        (f"host=127.0.0.1 port=1 password={SECRET}",),
        (f"host=127.0.0.1 password = '{SECRET} {SECRET}'",),
        (f"postgresql://127.0.0.1/db?password={SECRET}",),
        (f"postgresql://me:{SECRET}@127.0.0.1/db?unheard=of",),
        ("demo", URL),
        ("doctor", f"password={SECRET}"),
    ],
)
def test_that_a_password_on_the_command_line_is_never_printed(pgexplorer, words):
    ended = pgexplorer(*words)
    assert ended.returncode == 2
    assert SECRET not in ended.stdout + ended.stderr


def test_that_a_password_in_a_url_is_warned_of_in_one_line(pgexplorer):
    first, *rest = pgexplorer(URL).stderr.splitlines()
    assert "can be read by other users" in first
    assert len(rest) == 1


def test_that_a_bug_is_70_with_its_traceback_and_without_the_password(monkeypatch, capsys):
    monkeypatch.setattr(cli, "_run", lambda _words: {}[URL])
    assert cli.main([]) == 70
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "KeyError" in told
    assert SECRET not in told


def test_that_an_interruption_is_130(monkeypatch):
    def interrupted(_words):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", interrupted)
    assert cli.main([]) == 130


@pytest.mark.parametrize("command", ["tour", "demo"])
def test_that_a_demo_server_that_cannot_run_says_why_in_plain_words(monkeypatch, capsys, no_display, command):
    def start(_tell):
        raise DemoUnavailable("Here is no PostgreSQL.")

    monkeypatch.setattr("pgexplorer.demo.server.start", start)
    assert cli.main([command]) == 2
    told = capsys.readouterr()
    assert told.err.endswith("Here is no PostgreSQL.\n")
    assert told.out == ""
