"""Queue, truth and statistics: the panels on a real pool and a real server."""

import contextlib
import json
import os
import signal
import threading
from dataclasses import replace

import psycopg2
import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from pgexplorer.db.truth import Trouble
from pgexplorer.demo.server import start as start_demo
from pgexplorer.ui import theme
from pgexplorer.ui.panels.queue import QueuePanel
from pgexplorer.ui.panels.statistics import StatisticsPanel
from pgexplorer.ui.panels.truth import TruthPanel

SIDES = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgexplorer/side' AND pid <> pg_backend_pid()"


@pytest.fixture
def shown(driver):
    """Build a panel on the program's server, in a window of its own."""
    panels = []

    def show(kind, width=900, height=320):
        panel = kind(driver.app.server, driver.app.jobs)
        panels.append(panel)
        panel.resize(width, height)
        panel.show()
        return panel

    yield show
    for panel in panels:
        panel.leave()
        panel.close()
        panel.deleteLater()


@pytest.fixture
def threads():
    """Start threads that end when the test does: they wait for `over`, or for a pool that is closed."""
    started = []
    over = threading.Event()

    def start(work, name):
        def run():
            with contextlib.suppress(psycopg2.Error):
                work()

        thread = threading.Thread(target=run, name=name, daemon=True)
        started.append(thread)
        thread.start()
        return thread

    start.over = over
    yield start
    over.set()
    for thread in started:
        thread.join(20)
        assert not thread.is_alive(), f"{thread.name} is stuck"


@pytest.fixture
def waiting(driver, profile):
    """Connect through a PgPool whose callers wait for half a minute."""

    def connect(minconn=1, maxconn=2, timeout_s=30.0):
        driver.open(replace(profile, pool_class="PgPool", minconn=minconn, maxconn=maxconn, timeout_s=timeout_s))
        return driver.server.in_use.pool

    return connect


def rows(model, columns=None):
    count = model.columnCount() if columns is None else columns
    return [[model.index(row, column).data() for column in range(count)] for row in range(model.rowCount())]


def said(panel):
    """Return every word of the panel's page that stands in a label."""
    return " ".join(label.text() for label in panel.findChildren(QLabel) if label.isVisibleTo(panel))


# -- queue -----------------------------------------------------------------------------------------------------------


def test_that_the_queue_has_who_waits_in_order_with_age_deadline_and_for_whom(driver, shown, waiting, threads):
    pool = waiting(2, 2)
    first, second = pool.getconn(holder="report"), pool.getconn(holder="export")

    def ask(number):
        conn = pool.getconn(holder=f"request {number}")
        pool.putconn(conn)

    for number in range(3):
        threads(lambda number=number: ask(number), f"worker-{number}")
        driver.until(lambda number=number: pool.stats().waiting == number + 1)
    panel = shown(QueuePanel)
    driver.until(lambda: panel.table.model().rowCount() == 3)
    found = rows(panel.table.model())
    report, export = (
        next(f"#{slot.number} {holder}" for slot in pool.slots() if slot.holder == holder)
        for holder in ("report", "export")
    )
    assert [row[:2] for row in found] == [["1", "request 0"], ["2", "request 1"], ["3", "request 2"]]
    assert [row[5] for row in found] == ["worker-0", "worker-1", "worker-2"]
    assert [row[4] for row in found] == [report, export, report]
    assert all(row[2].endswith(" s") and 0 < float(row[3].removesuffix(" s")) <= 30 for row in found)
    assert "3 wait" in said(panel)
    assert "2 of 2 are out" in said(panel)
    age = float(found[0][2].removesuffix(" s"))
    driver.until(lambda: float(panel.table.model().index(0, 2).data().removesuffix(" s")) > age)  # it is live
    shares = [panel.table.left(row) for row in range(3)]
    assert all(0.5 < share <= 1 for share in shares)
    assert shares == sorted(shares)
    bars = [panel.table.items.item(row, 3).background().texture().toImage() for row in range(3)]
    assert all(bar.pixelColor(bar.width() - 8, bar.height() - 4) == theme.colour("info_mark") for bar in bars)
    panel.table.selectRow(1)
    driver.until(lambda: "ask" in panel.stack.toPlainText())
    assert "test_queue_truth_statistics.py" in panel.stack.toPlainText()
    assert not panel.held_stack.isVisible()
    pool.putconn(first)
    driver.until(lambda: pool.stats().waiting == 0)
    driver.until(lambda: "Nobody waits. 1 of 2 are out." in said(panel))
    driver.until(lambda: "3 callers had to wait so far" in said(panel))  # the table stays a while: callers come and go
    pool.putconn(second)


def test_that_a_thread_that_waits_for_itself_is_pointed_out_with_both_stacks(driver, shown, waiting, threads):
    pool = waiting(1, 1)
    panel = shown(QueuePanel)
    assert "Nobody had to wait so far" in said(panel)

    def first_part():
        conn = pool.getconn(holder="nested")
        second_part()
        pool.putconn(conn)

    def second_part():
        with contextlib.suppress(psycopg2.Error):
            pool.getconn(holder="nested again", timeout=60)

    threads(first_part, "deadlocked")
    driver.until(panel.message.text)
    assert "Thread deadlocked holds slot 1 and waits: it may be waiting for itself." in panel.message.text()
    assert panel.message.kind() == "warning"
    driver.until(panel.held_stack.isVisible)
    assert "second_part" in panel.stack.toPlainText().splitlines()[0]
    assert "first_part" in panel.held_stack.toPlainText().splitlines()[0]
    assert panel.table.model().index(0, 1).data() == "▲ holds #1 · nested again"
    shown_before = panel.message.isVisible()
    panel.message.findChild(QPushButton).click()  # closed by the person, it stays closed
    panel.look()
    assert shown_before
    assert not panel.message.isVisible()
    pool.closeall()
    driver.until(lambda: panel.table.model().rowCount() == 0)
    assert panel.message.text() == ""
    assert "Nobody waits" in said(panel)


def test_that_psycopg2s_pools_are_said_never_to_wait(connected, shown):
    panel = shown(QueuePanel)
    assert "psycopg2's pools never wait" in said(panel)
    assert "So far it did 0 times." in said(panel)
    connected.hand("pool.exhaust")
    connected.until(lambda: "So far it did 1 time." in said(panel))


def test_that_a_long_queue_is_counted_and_not_painted(driver, shown, waiting, threads):
    pool = waiting(1, 1)
    conn = pool.getconn()

    def ask():
        pool.putconn(pool.getconn(timeout=60))

    for number in range(210):
        threads(ask, f"worker-{number}")
    driver.until(lambda: pool.stats().waiting == 210)
    panel = shown(QueuePanel)
    driver.until(lambda: panel.table.model().rowCount() == 200)
    assert "210 wait" in said(panel)
    assert "and 10 more behind them" in said(panel)
    pool.putconn(conn)
    driver.until(lambda: pool.stats().waiting == 0)


def test_that_a_hidden_queue_does_not_look(driver, shown, waiting):
    waiting()
    panel = shown(QueuePanel)
    assert panel.is_looking
    panel.hide()
    assert not panel.is_looking
    panel.show()
    assert panel.is_looking


# -- truth -----------------------------------------------------------------------------------------------------------


def reasons(panel):
    """Return the truth behind each disagreement, by pid."""
    return {line.row.pid: line.row.reason.truth for line in panel.table.lines if line.row.reason}


def test_that_killed_leaked_and_left_open_connections_are_told_first_with_their_reasons(driver, shown, profile, admin):
    driver.open(replace(profile, minconn=4, maxconn=5))
    pool = driver.server.in_use.pool
    killed, leaked, left, fine = (pool.getconn(holder=f"job {number}") for number in range(4))
    left.autocommit = True
    with left.cursor() as cursor:
        cursor.execute("BEGIN")
    pids = [conn.info.backend_pid for conn in (killed, leaked, left, fine)]
    pool.leaked(leaked)
    for conn in (killed, left, fine):
        pool.putconn(conn)
    admin.terminate(pids[0])
    panel = shown(TruthPanel)
    driver.until(lambda: reasons(panel) == {pids[0]: 12, pids[1]: 19, pids[2]: 16})
    lines = panel.table.lines
    assert [line.part.name for line in lines] == ["CONNECTION", "REASON", "RULE"] * 3 + ["CONNECTION"]
    assert lines[-1].row.pid == pids[3]
    found = rows(panel.table.model())
    words = {row[1]: row[2:5] for row in found}
    assert words[str(pids[0])][0].startswith("idle · ")
    assert words[str(pids[0])][1:] == ["something to read", "no such backend"]
    assert words[str(pids[1])][0].startswith("leaked, nobody has it · ")
    assert words[str(pids[2])][2].startswith("idle in transaction · ")
    told = {line.row.pid: found[place + 1][1] for place, line in enumerate(lines) if line.part.name == "REASON"}
    why = {line.row.pid: found[place][1] for place, line in enumerate(lines) if line.part.name == "REASON"}
    assert "hands this one out as if it lived" in why[pids[0]]
    assert told[pids[0]].startswith("psycopg2, truth 12: ")
    assert "4 connections, 3 of which are not as the pool believes" in said(panel)
    heights = [panel.table.rowHeight(place) for place in range(len(lines))]
    spans = [panel.table.columnSpan(place, 1) for place in range(len(lines))]
    assert spans == [1, 5, 5] * 3 + [1]
    panel.resize(420, 320)  # the reasons wrap
    narrow = [panel.table.rowHeight(place) for place in range(len(lines))]
    assert sum(narrow) > sum(heights)


def test_that_truth_looks_again_by_itself_and_one_look_at_a_time(connected, shown, admin):
    panel = shown(TruthPanel)
    looked = []
    panel.looker.found.connect(lambda found: looked.append(found.at))
    most = 0
    for _ in range(20):
        panel.look_again()
        first = panel.looker.job
        panel.look_again()
        assert panel.looker.job is first
        most = max(most, admin.value(SIDES))
    connected.until(lambda: len(looked) >= 3)
    assert most <= 1
    assert looked == sorted(looked)
    assert "agree" in said(panel)


def test_that_a_hidden_truth_has_no_timer_and_no_connection(connected, shown, admin):
    panel = shown(TruthPanel)
    connected.until(lambda: panel.table.model().rowCount() == 2)
    panel.hide()
    connected.until(lambda: not panel.is_looking)
    connected.settle()
    connected.until(lambda: admin.value(SIDES) == 0)
    assert not connected.server.in_use.side.is_open
    panel.show()
    assert panel.is_looking


def test_that_a_cancel_is_not_kept_waiting_by_the_truth(connected, shown):
    shown(TruthPanel)
    panel = connected.window.deck.new_query()
    panel.editor.setPlainText("select pg_sleep(60)")
    connected.click("query.run")
    pool = connected.server.in_use.pool
    connected.until(lambda: any(slot.sql.startswith("select pg_sleep") for slot in pool.slots()))
    connected.click("query.cancel")
    connected.until(lambda: not panel.is_running)
    assert panel.message.text().lower().startswith("cancelled")


def test_that_a_full_server_pauses_the_truth_until_a_person_looks_again(connected, shown, profile):
    panel = shown(TruthPanel)
    connected.until(lambda: panel.table.model().rowCount() == 2)
    panel.hide()
    connected.settle()
    taken = []
    try:
        with contextlib.suppress(psycopg2.OperationalError):
            while len(taken) < 200:
                taken.append(psycopg2.connect(**profile.parameters("filler")))
        panel.show()
        connected.until(lambda: panel.is_paused)
        connected.settle()
        assert not panel.is_looking
        assert panel.message.text().startswith(Trouble.FULL)
        assert "Paused" in panel.message.text()
        assert panel.table.model().rowCount() == 2
        assert {row[4] for row in rows(panel.table.model())} == {"not asked"}
    finally:
        for conn in taken:
            conn.close()
    panel.findChild(QPushButton, "truth.look").click()
    connected.until(lambda: "agree" in said(panel))
    assert panel.message.text() == ""
    assert panel.is_looking


def test_that_a_server_that_is_gone_is_said_by_the_truth(start, tmp_path):
    driver = start()
    lease = start_demo()
    driver.open(lease.server.profile())
    panel = TruthPanel(driver.app.server, driver.app.jobs)
    panel.resize(900, 300)
    panel.show()
    driver.until(lambda: panel.table.model().rowCount() == 2)
    os.kill(lease.server.pid, signal.SIGINT)  # fast shutdown
    driver.until(lambda: panel.is_paused)
    while panel.message.text() and not panel.message.text().startswith(Trouble.GONE):  # it was shutting down
        driver.settle()
        panel.look_again()
        driver.until(lambda: panel.is_paused)
    assert panel.message.kind() == "error"
    driver.until(lambda: set(reasons(panel).values()) == {13})  # the sockets heard it, the pool has not looked
    panel.leave()
    panel.close()
    panel.deleteLater()
    driver.frame.close()
    lease.release()


def test_that_truth_follows_the_server_that_is_in_use(connected, shown, profile):
    panel = shown(TruthPanel)
    connected.until(lambda: panel.table.model().rowCount() == 2)
    connected.server.close()
    connected.settle()
    assert "No pool yet" in said(panel)
    assert not panel.is_looking
    assert not panel.action("truth.look").isEnabled()
    connected.open(replace(profile, minconn=1, maxconn=2))
    connected.until(lambda: panel.table.model().rowCount() == 1)


# -- statistics ------------------------------------------------------------------------------------------------------


def tile(panel, name):
    return int(panel.findChild(QLabel, f"statistics.{name}").text().replace(",", ""))


def test_that_the_statistics_are_the_pools_counts(driver, shown, waiting, threads):
    pool = waiting(1, 2, 0.05)
    panel = shown(StatisticsPanel)
    kept = [pool.getconn(), pool.getconn()]
    for _ in range(3):
        with pytest.raises(psycopg2.Error):
            pool.getconn()
    pool.putconn(kept.pop())
    for _ in range(20):
        pool.putconn(pool.getconn())
    panel.look()
    stats, spread = pool.stats(), pool.histograms()
    assert {name: tile(panel, name) for name in ("idle", "in_use", "waiting", "maximum", "served", "timed_out")} == {
        "idle": stats.idle, "in_use": stats.used, "waiting": 0, "maximum": 2, "served": stats.served, "timed_out": 3,
    }  # fmt: skip
    assert (tile(panel, "opened"), tile(panel, "most_idle"), tile(panel, "least_idle")) == (stats.opened, 2, 1)
    assert tile(panel, "served") == panel.charts["wait"]._total == spread.wait.count
    assert panel.charts["hold"]._total == spread.hold.count
    assert panel.charts["connect"]._total == spread.connect.count == stats.opened
    number = panel.findChild(QLabel, "statistics.timed_out")
    assert "db.client.connection.timeouts" in number.accessibleDescription()
    assert "db.client.connection.timeouts" in number.parentWidget().toolTip()
    pool.putconn(kept.pop())


def test_that_psycopg2s_limits_are_its_own_and_what_it_does_not_count_is_not_shown(connected, shown):
    panel = shown(StatisticsPanel)
    assert (tile(panel, "most_idle"), tile(panel, "least_idle")) == (2, 0)
    assert panel.findChild(QLabel, "statistics.lost") is None
    connected.hand("pool.exhaust")
    panel.look()
    assert (tile(panel, "in_use"), tile(panel, "refused")) == (3, 1)


def test_that_rates_add_up_to_what_happened(driver, shown, waiting):
    pool = waiting()
    panel = shown(StatisticsPanel)
    before = pool.stats().served
    for _ in range(50):
        pool.putconn(pool.getconn())
    driver.until(lambda: len(panel.series) >= 3)
    happened = sum(rate.per_second * (rate.end - rate.begin) for rate in panel.series.rates("check-outs"))
    assert round(happened) == pool.stats().served - before == 50
    assert "check-outs" in panel.rates.accessibleDescription()


def test_that_long_holders_are_listed_with_thread_pid_age_and_stack(driver, shown, waiting, threads):
    pool = waiting(1, 3)
    panel = shown(StatisticsPanel)
    assert panel.leaks.topLevelItemCount() == 0

    def keep_it():
        conn = pool.getconn(holder="nightly export")
        threads.over.wait(60)
        pool.putconn(conn)

    threads(keep_it, "exporter")
    driver.until(lambda: pool.stats().used == 1)
    panel.findChild(type(panel.seconds), "statistics.leak_seconds").setValue(0.0)
    driver.until(lambda: panel.leaks.topLevelItemCount() == 1)
    item = panel.leaks.topLevelItem(0)
    [slot] = [slot for slot in pool.slots() if slot.is_out]
    assert [item.text(column) for column in range(1, 5)] == ["#1", str(slot.pid), "nightly export", "exporter"]
    driver.until(lambda: "keep_it" in panel.stack.toPlainText().splitlines()[0])
    age = item.text(0)
    driver.until(lambda: item.text(0) != age)
    panel.seconds.setValue(3600.0)
    assert panel.leaks.topLevelItemCount() == 0
    assert "0 of 1 that are out" in said(panel)
    assert "Nobody holds a connection for so long." in panel.stack.toPlainText()


def test_that_a_leaked_connection_is_listed_as_nobodys(connected, shown):
    connected.hand("pool.check_out")
    connected.hand("pool.leak")
    panel = shown(StatisticsPanel)
    panel.seconds.setValue(0.0)
    connected.until(lambda: panel.leaks.topLevelItemCount() == 1)
    assert panel.leaks.topLevelItem(0).text(3) == "nobody: leaked"


def test_that_copy_puts_the_figures_on_the_clipboard_as_json(connected, shown):
    connected.hand("pool.check_out")
    panel = shown(StatisticsPanel)
    panel.findChild(QPushButton, "statistics.copy").click()
    whole = json.loads(QGuiApplication.clipboard().text())
    metrics = {metric["name"]: metric["points"] for metric in whole["metrics"]}
    stats = connected.server.in_use.pool.stats()
    states = {
        point["attributes"]["db.client.connection.state"]: point["value"]
        for point in metrics["db.client.connection.count"]
    }
    assert states == {"idle": stats.idle, "used": stats.used} == {"idle": 1, "used": 1}
    assert metrics["db.client.connection.wait_time"][0]["count"] == stats.served
    assert whole["attributes"]["pgexplorer.pool.class"] == "ThreadedConnectionPool"
    panel.findChild(QPushButton, "statistics.copy_text").click()
    assert "db.client.connection.count{state=used}" in QGuiApplication.clipboard().text()


@pytest.mark.parametrize(("width", "height"), [(700, 220), (1100, 300), (1600, 320)])
def test_that_the_statistics_fit_their_dock_and_scroll_where_they_do_not(connected, shown, width, height):
    panel = shown(StatisticsPanel, width, height)
    panel.look()
    connected.until(lambda: panel._scroll.viewport().width() > 100)
    assert panel.size().width() == width
    assert panel.size().height() == height
    assert panel._inside.width() <= panel._scroll.viewport().width()
    charts = [*panel.charts.values(), panel.rates, panel.leaks]
    assert all(chart.width() > 100 and chart.height() >= 50 for chart in charts)
    if width == 1600:
        assert panel._inside.height() <= panel._scroll.viewport().height()
    else:
        assert panel._scroll.verticalScrollBar().maximum() > 0


def test_that_another_pool_begins_its_own_series(connected, shown):
    panel = shown(StatisticsPanel)
    connected.until(lambda: len(panel.series) >= 2)
    connected.hand("pool.close_all")
    connected.hand("pool.reopen")
    panel.look()
    assert len(panel.series) == 1
    assert tile(panel, "served") == connected.server.in_use.pool.stats().served


def test_that_hidden_statistics_do_not_look(connected, shown):
    panel = shown(StatisticsPanel)
    assert panel.is_looking
    panel.hide()
    assert not panel.is_looking


NAMES = {
    QueuePanel: ("table", "stack", "held_stack"),
    TruthPanel: ("table", "look"),
    StatisticsPanel: ("leaks", "stack", "leak_seconds", "copy", "copy_text", "wait", "hold", "connect", "rates"),
}


@pytest.mark.parametrize("kind", NAMES)
def test_that_every_widget_to_use_has_a_name(connected, shown, kind):
    panel = shown(kind)
    panel.look_again() if kind is TruthPanel else panel.look()
    for name in NAMES[kind]:
        [found] = panel.findChildren(QWidget, f"{panel.objectName()}.{name}")
        assert found.accessibleName()
