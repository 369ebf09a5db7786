"""The running program for tests: the real window, offscreen, on a real server."""

import gc
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from pgexplorer import app
from pgexplorer.db.profile import Profile
from pgexplorer.demo import place

WAIT = 15_000  # milliseconds: a bound for a slow machine, not a wish


class PatientBot(QtBot):
    """pytest-qt's, which waits for as long as a slow machine needs."""

    def waitUntil(self, callback, *, timeout=WAIT):
        super().waitUntil(callback, timeout=timeout)


@pytest.fixture
def qtbot(qapp, request) -> QtBot:
    return PatientBot(request)


class Driver:
    """Uses the program as a person does: finds things by their names, clicks, types, and waits for facts."""

    def __init__(self, application, qtbot) -> None:
        self.app = application
        self.frame = application.window
        self.window = application.workbench
        self.server = application.server
        self.qtbot = qtbot

    def find(self, name: str, kind: type = QWidget):
        """Return the visible widget named *name*, else any of that name."""
        found = self.frame.findChildren(kind, name)
        assert found, f"nothing is named {name}"
        return next((each for each in found if each.isVisible()), found[0])

    def until(self, fact: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(fact()), timeout=WAIT)

    def click(self, name: str) -> None:
        """Click the button *name* as soon as it can be clicked."""
        widget = self.find(name)
        self.until(widget.isEnabled)
        widget.click()

    def hand(self, name: str) -> None:
        """Do an action of the pool panel, and wait until it has been done."""
        panel = self.window.pool
        self.until(lambda: not panel._busy)
        self.click(name)
        self.until(lambda: not panel._busy and not panel._running)

    def message(self, name: str) -> str:
        return self.find(name).text()

    def open(self, profile: Profile) -> None:
        """Fill the form with *profile* and click Connect."""
        self.window.connect_panel.show_profile(profile)
        self.click("connect.open")
        self.until(lambda: self.server.is_open)
        self.settle()

    def settle(self) -> None:
        """Wait until no job runs."""
        self.until(lambda: self.app.jobs.running == 0)

    def until_out(self, count: int) -> None:
        """Wait until *count* connections are out: completion and the tree borrow one now and then, for a moment."""
        self.until(lambda: self.server.in_use.pool.stats().used == count)

    def query(self, sql: str) -> QWidget:
        """Run all of *sql* in the current SQL tab, or in a new one, and wait for its end."""
        panels = self.window.deck.query_panels()
        panel = panels[-1] if panels else self.window.deck.new_query()
        self.window.deck.tabs.setCurrentWidget(panel)
        panel.editor.setPlainText(sql)
        self.click("query.run_all")
        self.until(lambda: not panel.is_running)
        return panel

    def texts(self, model) -> list[list[str]]:
        rows, columns = model.rowCount(), model.columnCount()
        return [[model.index(row, column).data() for column in range(columns)] for row in range(rows)]


@pytest.fixture
def start(qtbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Driver]]:
    """Start the program; it is closed at the test's end, which takes three seconds at most."""
    monkeypatch.setenv("PGEXPLORER_HOME", str(tmp_path / "home"))
    started = []

    def begin(*argv: str) -> Driver:
        application = app.start(argv)
        started.append(application)
        application.window.resize(1280, 800)
        return Driver(application, qtbot)

    yield begin
    for application in started:
        application.close()
        application.window.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()
    gc.freeze()  # what is left of a window is never looked at again: later collections stay short
    gc.enable()
    found = place.find()
    for folder in (found.base, found.sockets):  # a demo server's files may lie outside the home
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def driver(start) -> Driver:
    """The program, just started."""
    return start()


@pytest.fixture
def connected(driver: Driver, profile: Profile) -> Driver:
    """The program, connected to the test server through a ThreadedConnectionPool of 2 to 3."""
    driver.open(profile)
    return driver


@pytest.fixture
def backends(admin) -> Callable[[], int]:
    """How many connections of the program's pool the server counts."""
    counted = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgexplorer/pool'"
    return lambda: admin.value(counted)


@pytest.fixture
def open_table(connected, own_schema, do):
    """Make a table of this test's schema by the SQL given, open it and wait until it is read."""

    def make(text, name="t"):
        do(f"SET search_path = {own_schema}; {text}")
        connected.window.schema.refresh()
        connected.until(lambda: connected.window.schema.relation(own_schema, name) is not None)
        connected.window.deck.open_table(connected.window.schema.relation(own_schema, name))
        panel = connected.window.deck.tabs.currentWidget()
        connected.until(lambda: panel.status.endswith(" ms"))
        connected.settle()
        return panel

    return make
