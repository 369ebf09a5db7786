"""From the start of the process to the first painted window: pgexplorer against a bare PySide6 window."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import bench

ROUNDS = 20
TARGET = 1.5
WATCHED = ("numpy", "pandas", "pyarrow", "pyqtgraph", "keyring", "postgast", "ssl")
BARE, NOTHING = "bare PySide6 window", "python -c pass"
OURS, FRAME = "pgexplorer, the form ready", "pgexplorer, its frame"

# The filter hears the window's first paint event; the timer fires once that has been handled, the children painted.
_PAINTED = """
import json, os, sys, time
from PySide6.QtCore import QEvent, QObject, QTimer
class Painted(QObject):
    seen = False
    def eventFilter(self, watched, event):
        if event.type() is QEvent.Type.Paint and not Painted.seen:
            Painted.seen = True
            QTimer.singleShot(0, done)
        return False
def done():
    at = time.monotonic()
    print(json.dumps({"at": at, "loaded": sorted(sys.modules)}), flush=True)
    os._exit(0)
painted = Painted()
"""
_BARE = (
    _PAINTED
    + """
from PySide6.QtWidgets import QApplication, QLabel, QMainWindow
qt = QApplication(["bare"])
qt.setStyle("Fusion")
window = QMainWindow()
window.setCentralWidget(QLabel("Hello"))
window.resize(1280, 800)
window.installEventFilter(painted)
window.show()
qt.exec()
"""
)
# The way of `pgexplorer` without a word: cli, the look for what is missing, the imports, the window.
_OURS = """
from pgexplorer import cli
def window(arguments):
    trouble = cli._preflight()
    assert trouble is None, trouble
    exec(painted, globals())
    from pgexplorer import app
    from pgexplorer.ui.main_window import MainWindow
    show = MainWindow.show
    def watched_show(self):
        self.installEventFilter(globals()["painted"])
        show(self)
    MainWindow.show = watched_show
    furnish = app._furnish
    def furnished(*arguments):
        if arguments[1].is_painted:
            print(json.dumps({"frame": time.monotonic()}), flush=True)
        return furnish(*arguments)
    app._furnish = furnished
    return app.main(arguments)
cli._window = window
cli.main([])
"""
SCRIPTS = {NOTHING: "pass", BARE: _BARE, OURS: f"painted = {_PAINTED!r}{_OURS}"}


def main() -> None:
    """Print a table for each platform that there is here."""
    bench.title("Start-up: to the first painted window, without a server")
    rows: list[list[object]] = []
    loaded: set[str] = set()
    with bench.own_home() as home:
        for name, platform in _platforms():
            found = _measure(platform | {"PYTHONPYCACHEPREFIX": f"{home}/pycache"}, loaded)
            for way, times in found.items():
                ratio = "—"
                if way in {OURS, FRAME}:
                    median, between = bench.ratios(times, found[BARE]).text(digits=2)
                    ratio = f"{median} ({between})"
                rows.append([name, way, *bench.Spread.of(times).text(1000, 0), len(times), ratio])
    bench.table(["platform", "what starts", "ms", "p10 to p90", "runs", "times the bare window"], rows)
    there = [name for name in WATCHED if name in loaded]
    bench.note(
        f"Runs take turns; the ratio is taken within each round: median (p10 to p90). The target is {TARGET} times at "
        f"most. The frame is the themed window that is on the screen before the driver, the panels and their icons are "
        f"loaded; the form is what can be typed into. A window counts as painted when its first paint event, its "
        f"children's among them, has been handled; "
        f"`python -c pass` is measured to its end. Files are in the cache of the system: a first start after booting "
        f"takes longer.\n\nLoaded at the first paint, of {', '.join(WATCHED)}: {', '.join(there) or 'none'}. "
        f"Modules in all: {len(loaded)}."
    )


def _measure(platform: dict[str, str], loaded: set[str]) -> dict[str, list[float]]:
    left_out = ("QT_", "PGEXPLORER_THEME", "PYTHONDONTWRITEBYTECODE")  # an installed program has its bytecode
    environment = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment |= platform

    frames: list[float] = []

    def start(way: str) -> float:
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", SCRIPTS[way]],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if way == NOTHING:
            return time.monotonic() - began
        if done.returncode or not done.stdout:
            raise RuntimeError(f"{way} did not paint: {done.stderr}")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        told = lines[-1]
        frames.extend(line["frame"] - began for line in lines if "frame" in line and way == OURS)
        if way == OURS:
            loaded.update(told["loaded"])
        return told["at"] - began

    for way in (BARE, OURS):  # fills the caches: compiled modules, fonts
        start(way)
        start(way)
    frames.clear()
    found = bench.in_turns({way: lambda way=way: start(way) for way in SCRIPTS}, ROUNDS)
    return found | ({FRAME: frames} if len(frames) == ROUNDS else {})


def _platforms() -> Iterator[tuple[str, dict[str, str]]]:
    yield "offscreen", {"QT_QPA_PLATFORM": "offscreen"}
    if shutil.which("Xvfb"):
        with display_of_its_own() as display:
            yield "xcb (Xvfb)", {"QT_QPA_PLATFORM": "xcb", "DISPLAY": display}


@contextlib.contextmanager
def display_of_its_own() -> Iterator[str]:
    """Run a display of its own, and yield its name."""
    reads, writes = os.pipe()
    command = ["Xvfb", "-displayfd", str(writes), "-screen", "0", "1600x1000x24", "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(command, pass_fds=[writes], stderr=subprocess.DEVNULL)
    os.close(writes)
    try:
        with os.fdopen(reads) as told:
            yield f":{told.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
