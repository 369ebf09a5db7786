"""What is installed from a wheel is whole: built from the checkout and from the sdist, and run outside both."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
OPEN = """
import sys, pgexplorer
from pgexplorer import app, assets
assert "site-packages" in pgexplorer.__file__, pgexplorer.__file__
assert "create table person" in assets.text("sql/person.sql")
application = app.start([])
assert application.window.isVisible()
application.close()
"""


def run(*words, cwd, **environment):
    ended = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def build(kind, source, target):
    run(sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", target, cwd=source)
    [built] = target.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def names(path):
    with zipfile.ZipFile(path) as archive:
        return sorted(archive.namelist())


def test_that_the_sdist_builds_the_same_wheel(wheel, tmp_path):
    sdist = build("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    folder = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert (folder / "tests" / "integration" / "test_wheel.py").is_file()
    assert (folder / "SECURITY.md").is_file()
    again = build("wheel", folder, tmp_path / "again")
    assert names(again) == names(wheel)


def test_that_the_wheel_holds_every_file_of_the_package_and_its_resources(wheel):
    held = set(names(wheel))
    files = subprocess.run(
        ["git", "ls-files", "pgexplorer", "resources"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    if files.returncode:
        pytest.skip("not a checkout")
    wanted = {
        name if name.startswith("pgexplorer/") else f"pgexplorer/{name}" for name in files.stdout.split("\n") if name
    }
    assert wanted <= held


def test_that_what_the_wheel_installs_opens_its_window_and_takes_its_place_in_the_menu(wheel, tmp_path):
    place = tmp_path / "an environment"
    venv.create(place, with_pip=False)
    python = place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)
    [site] = place.glob("**/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    own = {"PGEXPLORER_HOME": str(tmp_path / "home"), "QT_QPA_PLATFORM": "offscreen"}
    script = python.with_name("pgexplorer")
    assert run(script, "--version", cwd=tmp_path, **own).startswith("pgexplorer 0.")
    run(python, "-c", OPEN, cwd=tmp_path, **own)
    if sys.platform.startswith("linux"):
        assert (place / "share" / "applications" / "pgexplorer.desktop").is_file()
        run(script, "desktop", cwd=tmp_path, XDG_DATA_HOME=str(tmp_path / "data"), **own)
        written = (tmp_path / "data" / "applications" / "pgexplorer.desktop").read_text(encoding="utf-8")
        assert f'Exec="{script}"\n' in written
