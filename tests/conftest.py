"""What every test stands on: no screen, no keyring, a state folder of its own, no server but the test's."""

import itertools
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
for name in [name for name in os.environ if name.startswith("PG") and not name.startswith("PGEXPLORER_")]:
    del os.environ[name]
os.environ["PGPASSFILE"] = os.devnull  # a developer's own ~/.pgpass answers no question of a test

# A busy machine is no fault of what is tested: times are measured in tests/benchmarks, and asserted nowhere.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

pytest_plugins = sorted(file.stem for file in Path(__file__).parent.glob("fix_*.py"))
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _home_of_its_own(tmp_path_factory, monkeypatch):
    """Keep every test out of the real state folder; the folder is made by whoever asks for it."""
    monkeypatch.setenv("PGEXPLORER_HOME", str(tmp_path_factory.getbasetemp() / f"state-{next(_numbers)}"))
