"""The composition root: builds every long-lived object once, in the order in which it reads, and hands it on."""

import argparse
import contextlib
import faulthandler
import gc
import logging
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from PySide6.QtCore import QMessageLogContext, QObject, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication

from pgexplorer.home import home
from pgexplorer.settings import Settings
from pgexplorer.ui import theme
from pgexplorer.ui.main_window import MainWindow

if TYPE_CHECKING:  # loaded when the window is on the screen
    from pgexplorer.demo_host import DemoHost
    from pgexplorer.history import History
    from pgexplorer.jobs import Jobs
    from pgexplorer.server import Server
    from pgexplorer.ui.workbench import Workbench

_log = logging.getLogger("pgexplorer")
_QUIT = 2.0  # seconds given to jobs and the pool at the end; the demo server has its own bound
_FRAME = 0.1  # seconds that the screen is given to show the frame
_COLLECT = 2_000  # milliseconds between two garbage collections


@dataclass
class Application:
    """The running program: what was built, and how it ends."""

    qt: QApplication
    window: MainWindow
    workbench: "Workbench"  # what the window holds
    server: "Server"
    jobs: "Jobs"
    settings: Settings
    demo: "DemoHost"
    history: "History"
    is_closed: bool = False

    def close(self) -> None:
        """End queries, jobs, the pool and the demo server; once. Takes three seconds at most."""
        if self.is_closed:
            return
        self.is_closed = True
        self.window.hide()
        self.workbench.deck.changes.close()
        self.workbench.deck.keeper.close()
        self.workbench.leave_views()
        # The pool is cut on a thread: whatever hangs there, the program ends.
        ending = threading.Thread(target=self.server.shut, name="close the pool", daemon=True)
        ending.start()
        ending.join(_QUIT)
        self.jobs.drain(0.5)
        self.history.close()
        self.demo.release()


def start(argv: Sequence[str] = ()) -> Application:
    """Build and show everything without entering the event loop.

    *argv*: --demo starts the demo server and connects, --no-tour leaves the tour closed, --url fills the form.
    """
    options = _options(argv)
    _write_log()
    sys.setswitchinterval(0.001)  # with busy workers the window's heartbeat is 6 ms instead of 17
    qt = _application()
    settings = Settings()
    look = theme.apply(qt, _scheme(settings))
    window = MainWindow(settings)
    window.show()
    deadline = time.monotonic() + _FRAME
    while not window.is_painted and time.monotonic() < deadline:
        qt.processEvents()  # the frame is on the screen before the rest is loaded and built into it
    application = _furnish(qt, window, settings, look)
    if trouble := " ".join(filter(None, (settings.trouble, application.history.trouble))):
        application.workbench.message.show_message("warning", trouble)
    if options.url:
        application.workbench.connect_panel.form.paste_url(options.url)
    if options.demo:
        application.workbench.start_demo(tour=not options.no_tour)
    return application


def _furnish(qt: QApplication, window: MainWindow, settings: Settings, look: theme.Theme) -> Application:
    """Build what the window holds, in the order of dependence."""
    from pgexplorer.demo_host import DemoHost
    from pgexplorer.history import History
    from pgexplorer.jobs import Jobs
    from pgexplorer.journal import Journal
    from pgexplorer.secrets import Secrets
    from pgexplorer.server import Server
    from pgexplorer.ui.panels.connect import ConnectPanel
    from pgexplorer.ui.panels.tour import TourPanel
    from pgexplorer.ui.workbench import Workbench

    with look.undressed():
        jobs = Jobs()
        secrets = Secrets()
        server = Server(jobs)
        connect = ConnectPanel(server, jobs, settings, secrets)
        tour = TourPanel(server, jobs)
        demo = DemoHost(jobs)
        history = History()
        workbench = Workbench(window, server, jobs, settings, demo, connect, tour, look, Journal(), history)
        application = Application(qt, window, workbench, server, jobs, settings, demo, history)
        window.closing.connect(workbench.keep_layout)
        window.closing.connect(application.close)
        _collect_on_this_thread(window)
        _catch_bugs(window, jobs)
        workbench.restore_layout()
        window.setCentralWidget(workbench)
        window.may_close = workbench.may_close
        workbench.restore_tabs()
    return application


def main(argv: Sequence[str] = ()) -> int:
    """Run the window until it is closed; return the exit code."""
    application = start(argv)
    with _signals_heard(application):
        code = application.qt.exec()
    application.close()
    return code


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="pgexplorer")
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--no-tour", action="store_true")
    parser.add_argument("--url", default="")
    return parser.parse_args(list(argv))


def _application() -> QApplication:
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    qt = QApplication(["pgexplorer"])
    qt.setApplicationName("pgexplorer")
    qt.setApplicationDisplayName("pgexplorer")
    qt.setDesktopFileName("pgexplorer")
    return qt


def _scheme(settings: Settings) -> theme.Scheme:
    wanted = os.environ.get("PGEXPLORER_THEME") or settings.preference("theme", theme.Scheme.SYSTEM)
    return theme.Scheme(wanted) if wanted in set(theme.Scheme) else theme.Scheme.SYSTEM


def _write_log() -> None:
    """Write the log as JSON lines in the state folder: no SQL, no values, no passwords."""
    import json
    from logging.handlers import RotatingFileHandler

    class Lines(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            line = {
                "at": time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(record.created)),
                "level": record.levelname,
                "from": record.name,
                "thread": record.threadName,
                "said": record.getMessage(),
            }
            if record.exc_info:
                line["trace"] = self.formatException(record.exc_info)
            return json.dumps(line, ensure_ascii=False)

    root = logging.getLogger("pgexplorer")
    if any(isinstance(handler, RotatingFileHandler) for handler in root.handlers):
        return
    path = home() / "pgexplorer.log"
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    handler = RotatingFileHandler(path, maxBytes=1_000_000, backupCount=2, encoding="utf-8", delay=True)
    handler.setFormatter(Lines())
    root.addHandler(handler)
    root.setLevel(logging.INFO)


def _collect_on_this_thread(owner: QObject) -> None:
    """Collect garbage on the GUI thread alone: on a worker the collector could destroy widgets there."""
    gc.disable()
    timer = QTimer(owner, interval=_COLLECT)
    timer.timeout.connect(lambda: gc.collect(1))
    timer.start()


def _catch_bugs(window: MainWindow, jobs: "Jobs") -> None:
    """Send what nobody caught, on any thread and in Qt, to the log and to the window."""

    def told(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            window.close()
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        _log.error("%s", text)
        sys.stderr.write(text)
        shown = error if isinstance(error, Exception) else RuntimeError(kind.__name__)
        jobs.unheard.emit(shown, text)

    def qt_told(kind: QtMsgType, _where: QMessageLogContext, words: str | None) -> None:
        if kind in {QtMsgType.QtWarningMsg, QtMsgType.QtCriticalMsg, QtMsgType.QtFatalMsg}:
            _log.warning("Qt: %s", words)

    if "pytest" in sys.modules:
        return  # the tests listen there themselves and fail on whatever is said
    faulthandler.enable()
    sys.excepthook = told
    threading.excepthook = lambda args: told(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _log.error("unraisable: %r in %r", args.exc_value, args.object)
    qInstallMessageHandler(qt_told)


@contextlib.contextmanager
def _signals_heard(application: Application) -> Generator[None]:
    """Let SIGINT and SIGTERM close the window: Python hears a signal only when its own code runs."""

    def close(_number: int, _frame: FrameType | None) -> None:
        application.window.may_close = lambda: True  # who sends a signal is not there to be asked
        application.window.close()

    before = {number: signal.signal(number, close) for number in (signal.SIGINT, signal.SIGTERM)}
    beat = QTimer(interval=200)
    beat.timeout.connect(lambda: None)
    beat.start()
    try:
        yield
    finally:
        beat.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
