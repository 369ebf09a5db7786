"""Pictures of the real window on the demo server, for the README and the guide: nothing in them is drawn by hand."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QPushButton

from pgexplorer import app
from pgexplorer.db.profile import Environment, Profile
from pgexplorer.demo import place
from pgexplorer.tour.steps import STEPS
from pgexplorer.ui import theme
from pgexplorer.ui.keys_sheet import keys_page
from pgexplorer.ui.panels.activity import ActivityPanel
from pgexplorer.ui.panels.table import TablePanel

_WAIT = 30.0  # seconds for any one thing to happen
_PROFILES = (
    Profile(name="staging", service="staging", environment=Environment.STAGING),
    Profile(
        name="shop, read-only", host="db1,db2", dbname="shop", user="app_ro", sslmode="verify-full",
        environment=Environment.PRODUCTION, read_only=True,
    ),
    Profile(name="test on localhost", dbname="test", user="postgres", pool_class="SimpleConnectionPool"),
)  # fmt: skip


class _Session:
    """A window that is driven by its own buttons."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.application = app.start(["--demo", "--no-tour"])
        self.window = self.application.workbench
        self.server = self.application.server

    def until(self, fact: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _WAIT
        while not fact():
            if time.monotonic() > deadline:
                raise TimeoutError("the window did not come to rest")
            self.application.qt.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)

    def settle(self, busy: int = 0) -> None:
        """Wait until no more than *busy* jobs run, and the panels have looked."""
        self.until(lambda: self.application.jobs.running <= busy)
        rest = time.monotonic() + 0.3  # three looks of the pool panel
        self.until(lambda: time.monotonic() > rest)

    def click(self, name: str) -> None:
        button = self.window.findChild(QPushButton, name)
        if button is None:
            raise LookupError(name)
        self.until(button.isEnabled)
        button.click()
        self.settle()

    def take(self, name: str, scheme: theme.Scheme, width: int = 1400, height: int = 860, busy: int = 0) -> None:
        self.application.window.resize(width, height)
        self.window.wear(scheme)
        self.settle(busy)
        self.application.window.grab().save(str(self.folder / f"{name}.png"))


def take_pictures(folder: Path) -> int:
    """Save the pictures of docs/ and the page of keys into *folder*, made where it is missing; return the exit code.

    Starts the demo server. Raises TimeoutError when the window does not come to rest, DemoUnavailable without a server.
    """
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:  # nobody's own profiles are in the pictures, nor anything of them left
        before = os.environ.get("PGEXPLORER_HOME")
        os.environ["PGEXPLORER_HOME"] = home
        try:
            _take_all(folder)
            demo = place.find()
            for left in (demo.base, demo.sockets):
                shutil.rmtree(left, ignore_errors=True)
        finally:
            if before is None:
                del os.environ["PGEXPLORER_HOME"]
            else:
                os.environ["PGEXPLORER_HOME"] = before
    for name in sorted(path.name for path in folder.iterdir()):
        print(folder / name)
    return 0


def _take_all(folder: Path) -> None:
    light, dark = theme.Scheme.LIGHT, theme.Scheme.DARK
    session = _Session(folder)
    try:
        session.until(lambda: session.server.is_open)
        session.settle()
        (folder / "keys.md").write_text(keys_page(session.window.all_actions()), encoding="utf-8")
        query = session.window.deck.new_query()
        query.editor.setPlainText(
            "select p.first_name, p.last_name, n as visit, now() + n * interval '1 day' as due, null as note\n"
            "  from person p, generate_series(1, 40) n\n order by p.id, n;"
        )
        session.click("query.run")
        session.click("pool.check_out")
        session.click("pool.run")
        for name, scheme in (("explorer-light", light), ("explorer-dark", dark)):
            session.take(name, scheme)
        session.click("pool.exhaust")
        session.window.deck.tabs.setCurrentIndex(0)
        session.take("exhausted", light)
        session.take("exhausted-contrast", theme.Scheme.CONTRAST)
        session.click("pool.return_all")
        _take_sql(session)
        _take_table(session)
        _take_activity(session)
        session.window.show_tour()
        for _ in STEPS:
            session.click("tour.next")
        session.take("tour", light)
        session.window.tour.hide()
        connect = session.window.connect_panel
        for profile in _PROFILES:
            connect.new()
            connect.show_profile(profile)
            connect.save()
        connect.message.clear()
        session.window.show_connect()
        session.take("connect", light, 1180, 820)
    finally:
        session.application.close()


_VISITS = """
create type mood as enum ('calm', 'cross');
create table visit (
    id int generated by default as identity primary key, person_id bigint not null references person,
    due date not null, mood mood, note text default 'none', total numeric(10,2) check (total >= 0));
insert into visit (person_id, due, mood, note, total)
  select 1 + n % 3, date '2026-01-01' + n, case when n % 4 > 0 then 'calm'::mood end,
         case when n % 5 = 0 then 'brings the papers' end, 12.5 * n from generate_series(1, 60) n;
create view coming as select p.first_name, v.due from visit v join person p on p.id = v.person_id;
analyze visit;
"""


def _take_table(session: _Session) -> None:
    """Take what a table shows: the tree, changes that are not sent yet, and a row that was followed."""
    window = session.window
    panel = window.deck.new_query()
    panel.editor.setPlainText(_VISITS)
    panel.run_all()
    session.settle()
    window.deck.tabs.tabCloseRequested.emit(window.deck.tabs.indexOf(panel))
    window.schema.refresh()
    session.settle()
    relation = window.schema.relation("public", "visit")
    if relation is None:
        raise LookupError("visit")
    window.deck.open_table(relation)
    session.settle()
    table = window.deck.tabs.currentWidget()
    assert isinstance(table, TablePanel)
    for row, column, value in ((2, 3, "cross"), (4, 4, "comes late"), (4, 5, "70.00")):
        table.model.setData(table.model.index(row, column), value)
    table.grid.setCurrentIndex(table.model.index(6, 0))
    table.action("table.delete").trigger()
    table.action("table.insert").trigger()
    session.settle()
    session.take("editing-light", theme.Scheme.LIGHT)
    session.take("editing-dark", theme.Scheme.DARK)
    table.action("table.drop").trigger()
    session.settle()
    table.grid.setCurrentIndex(table.model.index(1, 1))
    table.action("table.follow").trigger()
    session.settle()
    session.take("following", theme.Scheme.LIGHT)
    window.deck.tabs.tabCloseRequested.emit(window.deck.tabs.indexOf(table))
    session.settle()


def _take_activity(session: _Session) -> None:
    """Take the sessions of the server, one of which waits for another, and the charts."""
    window = session.window
    change = "update person set last_name = upper(last_name) where id = 1"
    holds, waits = window.deck.new_query(), window.deck.new_query()
    holds.editor.setPlainText(f"begin; {change}")
    waits.editor.setPlainText(change)
    holds.run_all()
    session.settle()
    waits.run_all()
    panel = window.deck.show_activity()
    assert isinstance(panel, ActivityPanel)
    pid = holds.pin.pid if holds.pin is not None else 0
    model = panel.sessions.model

    def is_pointed_out() -> bool:
        below = model.index(0, 1, panel.grid.currentIndex()) if panel.sessions.choose(pid) else None
        return below is not None and bool(below.data())

    session.until(is_pointed_out)
    for name, scheme in (("activity-light", theme.Scheme.LIGHT), ("activity-dark", theme.Scheme.DARK)):
        session.take(name, scheme, busy=1)
    waits.cancel()
    session.settle()
    holds.session_bar.rollback_wanted.emit()
    session.settle()
    for each in (holds, waits, panel):
        window.deck.tabs.tabCloseRequested.emit(window.deck.tabs.indexOf(each))
    session.settle()


def _take_sql(session: _Session) -> None:
    """Take what an SQL tab shows: a kept backend with its log, and a plan."""
    window = session.window
    panel = window.deck.new_query()
    panel.editor.setPlainText(
        "begin;\ncreate temp table visits as\n  select p.id, n as visit from person p, generate_series(1, 400) n;\n"
        "select first_name, count(*) from person join visits using (id) group by 1;"
    )
    panel.run_all()
    session.settle()
    panel.action("query.log").trigger()
    session.take("session-light", theme.Scheme.LIGHT)
    session.take("session-dark", theme.Scheme.DARK)
    panel.action("query.log").trigger()
    panel.editor.setPlainText(
        "select p.first_name, count(*)\n  from person p join visits v on v.id = p.id\n group by 1"
    )
    panel.explain_analyze()
    session.settle()
    session.take("plan-light", theme.Scheme.LIGHT)
    session.take("plan-dark", theme.Scheme.DARK)
    panel.session_bar.rollback_wanted.emit()
    session.settle()
    window.deck.tabs.tabCloseRequested.emit(window.deck.tabs.indexOf(panel))
    session.settle()
