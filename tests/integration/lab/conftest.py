"""Benches on the real server, and a demo server of this module's own that may be stopped and started."""

import shutil

import pytest

from pgexplorer.demo import place
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.server import start
from pgexplorer.lab.bench import OwnBench
from pgexplorer.lab.faults import Faults


@pytest.fixture
def open_bench(profile):
    """Open benches on the server; each is closed at the end of the test."""
    opened = []

    def open_one(kind="ThreadedConnectionPool", minconn=2, maxconn=3, where=profile):
        bench = OwnBench(where)
        opened.append(bench)
        bench.open(kind, minconn, maxconn)
        return bench

    yield open_one
    for bench in opened:
        bench.close()


@pytest.fixture
def open_faults():
    """Make faults for a bench; what they left is ended at the end of the test."""
    made = []

    def make(bench):
        made.append(Faults(bench))
        return made[-1]

    yield make
    for faults in made:
        faults.close()


@pytest.fixture(scope="module")
def _demo(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGEXPLORER_HOME", str(home))
        try:
            lease = start()
        except DemoUnavailable as missing:
            pytest.skip(str(missing))
        found = place.find()
    yield home, lease
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGEXPLORER_HOME", str(home))
        lease.release()
    shutil.rmtree(found.base, ignore_errors=True)
    shutil.rmtree(found.sockets, ignore_errors=True)


@pytest.fixture
def demo(_demo, monkeypatch):
    """The profile of a demo server that may be stopped: the one of this test's home."""
    home, lease = _demo
    monkeypatch.setenv("PGEXPLORER_HOME", str(home))
    return lease.server.profile()
