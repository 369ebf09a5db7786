"""From the start of the process to something to see, and to use: pgexplorer beside pgcli, harlequin and DB Browser.

    python tests/benchmarks/bench_startup_peers.py --peers DIR     where pgcli and harlequin are; else on the PATH

The clients of PostgreSQL connect to the same demo server, on loopback; DB Browser for SQLite opens a small file. It and
pgexplorer run under Xvfb, and xdotool says when their window is there. What is missing here is left out, and said.
"""

import argparse
import contextlib
import os
import pty
import re
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import bench
from bench_startup import display_of_its_own

ROUNDS = 10
_ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b[=>78cM]")
PATIENCE = 60.0


# The person's way: the form, Connect, the table; done when its rows are painted.
CONNECTED = """
import sys, time
from PySide6.QtCore import QTimer
from pgexplorer import app
from pgexplorer.db.profile import Profile, paste
from pgexplorer.db.schema import Relation
application = app.start([])
workbench = application.workbench
workbench.schema.open_first("person")
workbench.connect_panel.show_profile(paste(sys.argv[1], Profile()).profile)
QTimer.singleShot(0, lambda: workbench.connect_panel.action("connect.open").trigger())
def look():
    panel = workbench.deck.tabs.currentWidget()
    model = getattr(panel, "model", None)
    if model is not None and model.rowCount() and model.index(0, 1).data() == "Pankaj":
        print("here", flush=True)
        import os
        os._exit(0)
timer = QTimer()
timer.timeout.connect(look)
timer.start(5)
application.qt.exec()
"""


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description="Start-up against peers.")
    parser.add_argument("--peers", default="", help="the folder of pgcli and harlequin")
    given = parser.parse_args()
    path = os.pathsep.join(filter(None, [given.peers, os.environ["PATH"]]))
    from pgexplorer.demo.server import start

    bench.title("Start-up beside peers")
    with bench.own_home() as home, display_of_its_own() as display, start() as lease:
        server = lease.server
        url = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}/{server.dbname}"
        place = Place(Path(home), display, url, server.dbname, path)
        ways = {
            "pgexplorer: its window": place.our_window,
            "pgexplorer: connected, the table person on screen": place.our_table,
            "pgcli: its prompt, connected": place.pgcli,
            "harlequin: its first screen": place.harlequin,
            "harlequin: connected, the database in its catalog": place.harlequin_catalog,
            "DB Browser for SQLite: its window": place.sqlitebrowser,
        }
        needs = {"pgcli": "pgcli", "harlequin": "harlequin", "DB Browser for SQLite": "sqlitebrowser"}
        there = {
            name: way
            for name, way in ways.items()
            if (needed := needs.get(name.partition(":")[0])) is None or shutil.which(needed, path=path)
        }
        for way in there.values():  # fills the caches
            way()
        found = bench.in_turns(there, ROUNDS)
    ours = next(iter(found))
    rows = []
    for name, times in found.items():
        ratio = "—" if name == ours else "{} ({})".format(*bench.ratios(times, found[ours]).text(digits=1))
        rows.append([name, *bench.Spread.of(times).text(1000, 0), len(times), ratio])
    bench.table(["what starts", "ms", "p10 to p90", "runs", "times our window"], rows)
    missing = sorted({name.partition(":")[0] for name in ways} - {name.partition(":")[0] for name in there})
    bench.note(
        "Runs take turns, files are in the cache of the system. "
        + (f"Not here: {', '.join(missing)}." if missing else "")
    )


class Place:
    """What they start on."""

    def __init__(self, home: Path, display: str, url: str, dbname: str, path: str) -> None:
        self._home, self._url, self._dbname, self._path = home, url, dbname, path
        keep = {name: value for name, value in os.environ.items() if not name.startswith("QT_")}
        self._bare = keep | {
            "PATH": path,
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "PGEXPLORER_HOME": str(home / "state"),
            "PYTHONPYCACHEPREFIX": str(home / "pycache"),
            "TERM": "xterm-256color",
        }
        self._bare.pop("PYTHONDONTWRITEBYTECODE", None)
        self._screen = self._bare | {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        self._file = home / "peer.sqlite3"
        with contextlib.closing(sqlite3.connect(self._file)) as made:
            made.execute("CREATE TABLE person (id integer PRIMARY KEY, first_name text)")

    def our_window(self) -> float:
        return self._until_window([sys.executable, "-m", "pgexplorer"], "pgexplorer")

    def our_table(self) -> float:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", CONNECTED, self._url],
            env=self._screen, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        if done.stdout != "here\n":
            raise RuntimeError(f"pgexplorer did not come: {done.stderr}")
        return time.monotonic() - began

    def pgcli(self) -> float:
        return self._until_text(["pgcli", self._url], f"{self._dbname}>")

    def harlequin(self) -> float:
        return self._until_text(["harlequin", "-a", "postgres", self._url], "Query Editor")

    def harlequin_catalog(self) -> float:
        return self._until_text(["harlequin", "-a", "postgres", self._url], f"{self._dbname} db")

    def sqlitebrowser(self) -> float:
        return self._until_window(["sqlitebrowser", str(self._file)], "DB Browser")

    def _until_window(self, command: list[str], title: str) -> float:
        began = time.monotonic()
        program = subprocess.Popen(
            command, env=self._screen, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            look = ["xdotool", "search", "--onlyvisible", "--name", title]  # its --sync looks twice a second
            while not subprocess.run(look, env=self._screen, capture_output=True, check=False).stdout:
                if time.monotonic() - began > PATIENCE:
                    raise TimeoutError(f"{command[0]} did not come")
            return time.monotonic() - began
        finally:
            _end(program.pid)
            program.wait()

    def _until_text(self, command: list[str], wanted: str) -> float:
        """Run *command* on a terminal of its own until it has written *wanted*, its colours left out."""
        began = time.monotonic()
        pid, terminal = pty.fork()
        if not pid:
            os.execvpe(command[0], command, self._bare)
        try:
            ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 140, 0, 0))
            text = ""
            while wanted not in _ESCAPES.sub("", text):
                if time.monotonic() - began > PATIENCE or not select.select([terminal], [], [], PATIENCE)[0]:
                    raise TimeoutError(f"{command[0]} did not come; it wrote {text[-500:]!r}")
                try:
                    text += os.read(terminal, 65536).decode(errors="replace")
                except OSError:
                    raise RuntimeError(f"{command[0]} ended; it wrote {text[-800:]!r}") from None
            return time.monotonic() - began
        finally:
            _end(pid)
            os.close(terminal)
            os.waitpid(pid, 0)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
