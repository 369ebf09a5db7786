"""A home of its own for every test, programs that use the demo server, and facts to wait for."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from pgexplorer.demo import place, watchdog

PROGRAM = """
import sys
from pgexplorer.demo.server import start
lease = start()
print(lease.server.pid, lease.server.port, flush=True)
sys.stdin.readline()
lease.release()
"""


@pytest.fixture
def demo_home(tmp_path, monkeypatch):
    """The state folder of this test; what its server left behind is ended and removed afterwards."""
    home = tmp_path / "home"
    monkeypatch.setenv("PGEXPLORER_HOME", str(home))
    yield home
    clear(home, monkeypatch)


@pytest.fixture
def other_home(tmp_path, monkeypatch):
    """A second state folder, not yet the one in use."""
    home = tmp_path / "the other – ein Zuhause mit Öfen"
    yield home
    clear(home, monkeypatch)


@pytest.fixture
def program(demo_home):
    """Start programs that hold the demo server until they are told to end."""
    running = []

    def begin(source=PROGRAM):
        running.append(Program(source))
        return running[-1]

    yield begin
    for each in running:
        each.kill()


class Program:
    """Another pgexplorer, as far as the demo server can tell."""

    def __init__(self, source):
        self.process = subprocess.Popen(
            [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def server(self):
        """Return the process id of the server and its port, once it is there."""
        return tuple(int(word) for word in self.process.stdout.readline().split())

    def watchdog(self):
        """Return the process id of its watchdog."""
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_text().split("\0")
                if watchdog.__file__ in words and str(self.process.pid) in words:
                    return int(folder.name)
        raise AssertionError("it has no watchdog")

    def end(self):
        self.process.communicate("\n", timeout=20)
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=20)


def clear(home, monkeypatch):
    if home.exists():
        monkeypatch.setenv("PGEXPLORER_HOME", str(home))
        found = place.find()
        assert watchdog.stop(found.data)
        shutil.rmtree(found.base)
        shutil.rmtree(found.sockets, ignore_errors=True)


def until(fact, seconds=5.0):
    """Wait until *fact* holds and return it; fail after *seconds*."""
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, f"{fact} did not come true within {seconds} s"
        time.sleep(0.01)
    return found


def gone(pid):
    """Tell whether the process *pid* has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def connect(server, *, host=None, **changed):
    """Return a connection as the application role, in autocommit."""
    how = {"user": server.user, "password": server.password, "dbname": server.dbname, "port": server.port} | changed
    made = psycopg2.connect(host=host or server.host, connect_timeout=10, application_name="pgexplorer/side", **how)
    made.autocommit = True
    return made


def ask(server, text, *values, **changed):
    """Return the rows that the server answers to *text*."""
    with contextlib.closing(connect(server, **changed)) as made, made.cursor() as cursor:
        cursor.execute(text, values or None)
        return cursor.fetchall() if cursor.description else []


def end_hard(*pids):
    """Kill the processes *pids* at the same moment."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
