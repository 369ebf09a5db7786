"""The program in a Linux desktop's menu."""

import configparser
import shutil
import subprocess
import sys

import pytest

from pgexplorer import cli, desktop

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="desktop entries are for Linux")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    folder = tmp_path / "my data"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    return folder


def entry(path):
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str
    parser.read(path, encoding="utf-8")
    return parser


def test_that_entry_and_icon_are_written_where_the_desktop_looks_and_removed_again(data, capsys):
    assert cli.main(["desktop"]) == 0
    written = data / "applications" / "pgexplorer.desktop"
    icon = data / "icons" / "hicolor" / "scalable" / "apps" / "pgexplorer.svg"
    assert icon.read_text(encoding="utf-8").startswith("<svg")
    assert entry(written)["Desktop Entry"]["Name"] == "pgexplorer"
    assert str(written) in capsys.readouterr().out
    assert cli.main(["desktop", "--remove"]) == 0
    assert not written.exists()
    assert not icon.exists()
    assert str(icon) in capsys.readouterr().out
    assert cli.main(["desktop", "--remove"]) == 0
    assert "no entry" in capsys.readouterr().out


def test_that_what_starts_the_program_is_named_by_its_path_in_the_entry_and_its_action():
    where = desktop.install(["/opt/a b/bin/pgexplorer"])
    read = entry(where.entry)
    assert read["Desktop Entry"]["Exec"] == '"/opt/a b/bin/pgexplorer"'
    assert read["Desktop Action demo"]["Exec"] == '"/opt/a b/bin/pgexplorer" demo'


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("/usr/bin/pgexplorer", "/usr/bin/pgexplorer"),
        ("/home/ü/bin", "/home/ü/bin"),
        ("/a b", '"/a b"'),
        ("/100%/x", "/100%%/x"),
        ("/$HOME", r'"/\\$HOME"'),
        ('/say "x"', r'"/say \\"x\\""'),
        ("/back\\slash", r'"/back\\\\slash"'),
        ("/`id`", r'"/\\`id\\`"'),
    ],
)
def test_that_paths_are_quoted_as_the_specification_says(word, written):
    assert desktop.quoted(word) == written


def test_that_a_folder_that_cannot_be_written_is_said_in_one_line(data, capsys):
    data.write_text("in the way", encoding="utf-8")
    assert cli.main(["desktop"]) == 2
    assert capsys.readouterr().err.startswith("That cannot be written: ")


@pytest.mark.skipif(not shutil.which("desktop-file-validate"), reason="needs desktop-file-validate")
@pytest.mark.parametrize("command", ["/usr/bin/pgexplorer", "/opt/a b/$x/50%/pgexplorer"])
def test_that_the_entry_is_valid(command):
    where = desktop.install([command])
    ended = subprocess.run(
        ["desktop-file-validate", str(where.entry)], capture_output=True, text=True, timeout=20, check=False
    )
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")
