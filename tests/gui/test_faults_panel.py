"""The faults panel as a person uses it: what is broken, what is seen, and that all of it ends with the server."""

import threading
from dataclasses import replace
from functools import partial

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QToolButton, QWidget

from pgexplorer.db.profile import Environment
from pgexplorer.lab.scenarios import SCENARIOS, run
from pgexplorer.server import PoolBench
from pgexplorer.ui.faults.scenario_part import ICON
from pgexplorer.ui.panels import faults as module
from pgexplorer.ui.panels.faults import FaultsPanel

WAIT = 20_000  # milliseconds: a bound for a slow machine


class Person:
    """Somebody before the panel, which is a window of its own on the program's server."""

    def __init__(self, driver, qtbot):
        self.driver, self.server, self.qtbot = driver, driver.server, qtbot
        self.panel = FaultsPanel(driver.server, driver.app.jobs, driver.app.demo)
        self.swaps = []
        driver.server.swapped.connect(self._swapped)
        self.panel.resize(700, 260)
        self.panel.show()

    def _swapped(self):
        self.swaps.append(self.server.in_use.pool.kind)

    @property
    def pool(self):
        return self.server.in_use.pool

    def find(self, name):
        [found] = self.panel.findChildren(QWidget, name)
        return found

    def until(self, fact):
        self.qtbot.waitUntil(lambda: bool(fact()), timeout=WAIT)

    def click(self, name):
        """Click *name* and wait until what it began is done, except what lasts."""
        self.until(self.find(name).isEnabled)
        self.find(name).click()
        self.until(lambda: not self.panel._busy)

    def said(self, name="faults.said"):
        return self.find(name).text()

    def play(self, name):
        """Choose the scenario *name* and click Run."""
        self.panel._tabs.setCurrentIndex(1)
        row = next(row for row, scenario in enumerate(SCENARIOS) if scenario.id == name)
        self.find("scenario.list").setCurrentRow(row)
        self.click("scenario.run")


@pytest.fixture
def sit(driver, qtbot):
    """Put a person before a panel; it is left and destroyed at the end."""
    seated = []

    def down(at=driver):
        seated.append(Person(at, qtbot))
        return seated[-1]

    yield down
    for person in seated:
        person.panel.leave()
        person.until(lambda: not person.driver.app.jobs.running)  # noqa: B023
        person.server.swapped.disconnect(person._swapped)
        person.panel.close()
        person.panel.deleteLater()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest.fixture
def person(connected, sit):
    """Somebody before the panel, connected through a ThreadedConnectionPool of 2 to 3."""
    return sit(connected)


@pytest.fixture
def shortened(monkeypatch):
    """Scenarios that take a twentieth of their time."""
    monkeypatch.setattr(module, "run", partial(run, scale=0.05))


def lab_threads():
    names = ("asker", "fault proxy", "caller", "hold a connection")
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(names)]


def is_direct(person):
    with person.pool.running(conn := person.pool.getconn(holder="test"), "test"):
        port = conn.info.port
    person.pool.putconn(conn)
    return str(port) == person.server.in_use.profile.port


# -- what is offered ------------------------------------------------------------------------------------------------


def test_that_nothing_is_offered_without_a_server_and_all_of_it_with_one(driver, sit, profile):
    person = sit()
    assert person.panel._nothing.isVisible()
    assert not person.find("faults.terminate_idle").isEnabled()
    driver.open(profile)
    assert not person.panel._nothing.isVisible()
    person.until(person.find("faults.terminate_idle").isEnabled)
    driver.server.close()
    assert person.panel._nothing.isVisible()
    assert not person.find("scenario.run").isEnabled()


def test_that_nothing_is_offered_in_production_and_why(driver, sit, profile):
    person = sit()
    driver.open(replace(profile, environment=Environment.PRODUCTION, name="the shop"))
    assert person.panel._nothing.isVisible()
    assert "production" in person.panel._nothing.accessibleName()
    assert "the shop is marked production" in person.panel._nothing.accessibleDescription()
    assert person.panel._faults is None
    assert [name for name, action in person.panel.actions_by_name.items() if action.isEnabled()] == []
    for name in person.panel.actions_by_name:
        person.panel.action(name).trigger()
    person.panel.run_scenario()
    person.panel._switch_link(True)
    driver.settle()
    assert (person.pool.stats().used, person.swaps) == (0, [])
    assert not lab_threads()


def test_that_a_panel_made_while_connected_is_ready(person):
    assert person.panel._whole.isVisible()
    assert person.find("faults.terminate_idle").isEnabled()


def test_that_only_the_demo_server_is_stopped_and_started(person):
    for name in ("faults.restart", "faults.stop_server", "faults.start_server"):
        assert not person.find(name).isEnabled()
        assert "demo server alone" in person.find(name).toolTip()


def test_that_everything_that_can_be_used_has_a_name(person):
    kinds = (QAbstractButton, QAbstractSpinBox, QComboBox)
    found = [widget for kind in kinds for widget in person.panel.findChildren(kind)]
    others = person.find("faults.message"), person.panel._nothing  # they name what they show
    ours = [
        widget
        for widget in found
        if not isinstance(widget, QToolButton) and not any(other.isAncestorOf(widget) for other in others)
    ]
    assert len(ours) > 25
    assert [widget for widget in ours if not widget.accessibleName()] == []
    assert {widget.objectName().partition(".")[0] for widget in ours} == {"faults", "scenario"}
    assert len({widget.objectName() for widget in ours}) == len(ours)


def test_that_both_parts_are_in_sight_where_there_is_room(person):
    breaks, teaches = person.find("faults.terminate_idle"), person.find("scenario.run")
    assert breaks.isVisible()
    assert not teaches.isVisible()
    person.panel._tabs.setCurrentIndex(1)
    assert not breaks.isVisible()
    assert teaches.isVisible()
    person.panel.resize(1400, 320)
    assert breaks.isVisible()
    assert teaches.isVisible()
    assert not person.panel._tabs.isVisible()


# -- breaking it ----------------------------------------------------------------------------------------------------


def test_that_an_idle_backend_is_ended_and_the_panel_says_what_to_look_at(person, admin):
    pids = {slot.pid for slot in person.pool.slots()}
    person.click("faults.terminate_idle")
    assert "Ended backend" in person.said()
    assert "first query fails" in person.said("faults.look")
    person.until(lambda: len(admin.alive(*pids)) == 1)
    person.click("faults.terminate_transaction")
    assert "No connection of the pool is idle in a transaction" in person.said()


def test_that_the_pool_goes_through_the_proxy_and_back_and_the_window_works_all_along(person, backends):
    before = person.server.in_use.profile
    assert not person.find("faults.cut").isEnabled()
    person.click("faults.link")
    person.until(person.find("faults.cut").isEnabled)
    assert person.find("faults.link").isChecked()
    assert person.swaps == ["ThreadedConnectionPool"]
    assert person.server.in_use.profile == before
    assert not is_direct(person)
    person.find("faults.delay_ms").setValue(1)
    person.click("faults.delay")
    assert "2.0 ms longer" in person.said()
    person.driver.query("select 42 as answer")
    assert person.driver.texts(person.driver.find("query.grid").model()) == [["42"]]
    person.click("faults.cut")
    assert "2 connections were reset" in person.said()
    person.driver.query("select 43 as answer")
    assert person.driver.texts(person.driver.find("query.grid").model()) == [["43"]]
    person.click("faults.hole")
    assert "black hole" in person.said()
    person.click("faults.heal")
    person.click("faults.link")
    person.until(lambda: not person.find("faults.cut").isEnabled())
    assert not person.find("faults.link").isChecked()
    assert is_direct(person)
    assert len(person.swaps) == 2
    assert not lab_threads()
    person.until(lambda: backends() == person.pool.stats().size)


def test_that_another_pool_in_its_place_takes_the_link_off(person):
    person.click("faults.link")
    person.until(person.find("faults.cut").isEnabled)
    person.driver.app.jobs.call(lambda: PoolBench(person.server).open("PgPool", 1, 2))
    person.driver.settle()
    person.server.swapped.emit()
    person.until(lambda: not lab_threads())
    person.driver.settle()
    assert not person.find("faults.link").isChecked()
    assert "Another pool took the place" in person.said()
    assert is_direct(person)


def test_that_what_is_out_by_hand_is_not_ended_without_a_word(person):
    person.driver.hand("pool.check_out")
    person.find("faults.link").click()
    message = person.find("faults.message")
    assert "by hand" in message.text()
    assert not person.find("faults.link").isChecked()
    assert person.swaps == []
    next(each for each in message.findChildren(QAbstractButton) if each.text() == "Go on").click()
    person.until(lambda: person.find("faults.link").isChecked())
    assert person.pool.stats().used == 0


def test_that_a_hold_is_named_and_given_back_at_a_click(person):
    person.find("faults.hold_seconds").setValue(600)
    person.find("faults.hold_transaction").setChecked(True)
    person.click("faults.hold")
    person.until(lambda: "is held in a transaction" in person.said())
    [slot] = [slot for slot in person.pool.slots() if slot.is_out]
    assert slot.holder == "hold 600 s"
    person.click("faults.let_go")
    person.until(lambda: "came back" in person.said())
    assert person.pool.stats().used == 0
    person.until(lambda: not person.find("faults.let_go").isEnabled())


def test_that_a_full_pool_is_said_when_one_more_is_to_be_held(person):
    person.driver.hand("pool.exhaust")
    person.click("faults.hold")
    person.until(lambda: "connection pool exhausted" in person.find("faults.message").text())


def test_that_askers_are_counted_live_by_thread_and_stop_at_once(person):
    person.find("faults.threads").setValue(6)
    person.find("faults.ask_work").setValue(0.02)
    person.find("faults.ask_pause").setValue(0)
    person.click("faults.askers_start")
    counts, chart = person.find("faults.counts"), person.find("faults.by_thread")
    person.until(lambda: "0 refused" not in counts.text() and " served a second" in counts.text())
    person.until(lambda: chart.accessibleDescription().count("asker") == 6)
    assert person.panel._pulse.isActive()
    person.panel.hide()
    assert not person.panel._pulse.isActive()
    person.panel.show()
    person.click("faults.askers_stop")
    assert not person.find("faults.askers_stop").isEnabled()
    assert not lab_threads()
    assert not counts.isVisible()
    assert not person.panel._pulse.isActive()
    assert person.pool.stats().used == 0


def test_that_of_many_askers_those_served_least_and_most_are_shown(person):
    person.find("faults.threads").setValue(40)
    person.find("faults.ask_way").setCurrentIndex(1)
    person.click("faults.askers_start")
    chart = person.find("faults.by_thread")
    person.until(lambda: "of 40" in chart.accessibleName())
    assert chart.accessibleDescription().count("asker") == 16


# -- scenarios ------------------------------------------------------------------------------------------------------


def test_that_a_scenario_ends_in_its_sentence_and_the_pool_comes_back(person, shortened):
    person.play("exhaustion")
    person.until(person.find("scenario.conclusion").isVisible)
    person.driver.settle()
    sentence = person.said("scenario.conclusion")
    assert "refused" in sentence
    assert "PgPool served all 50" in sentence
    assert person.find("scenario.chart").isVisible()
    assert "PgPool: 50 served" in person.find("scenario.chart").accessibleDescription()
    assert person.swaps == ["ThreadedConnectionPool", "PgPool", "ThreadedConnectionPool"]
    assert (person.pool.minconn, person.pool.maxconn, person.pool.stats().is_closed) == (2, 3, False)
    assert person.server.in_use.profile.pool_class == "ThreadedConnectionPool"
    person.until(person.find("scenario.run").isEnabled)
    assert person.find("scenario.list").item(0).data(ICON) == "check"
    person.driver.query("select 42 as answer")
    assert person.driver.texts(person.driver.find("query.grid").model()) == [["42"]]


def test_that_a_running_scenario_is_stopped_by_a_click(person):
    person.play("exhaustion")
    person.until(lambda: person.find("scenario.progress").value() > 0)
    assert not person.find("faults.terminate_idle").isEnabled()
    person.click("scenario.stop")
    person.until(lambda: person.panel._stop is None)
    person.driver.settle()
    assert not person.find("scenario.conclusion").isVisible()
    assert (person.pool.kind, person.pool.minconn, person.pool.maxconn) == ("ThreadedConnectionPool", 2, 3)
    assert not lab_threads()
    person.until(person.find("scenario.run").isEnabled)


def test_that_a_scenario_through_the_link_comes_back_to_the_link(person, shortened):
    person.click("faults.link")
    person.until(person.find("faults.cut").isEnabled)
    person.play("rollback")
    person.until(person.find("scenario.conclusion").isVisible)
    person.driver.settle()
    assert person.find("faults.link").isChecked()
    assert not is_direct(person)


# -- the demo server ------------------------------------------------------------------------------------------------


def test_that_the_demo_server_is_restarted_under_its_pool_and_stopped_and_started(start, sit, shortened):
    driver = start("--demo", "--no-tour")
    driver.until(lambda: driver.server.is_open)
    driver.settle()
    person = sit(driver)
    in_use, pids = driver.server.in_use, {slot.pid for slot in person.pool.slots()}
    person.click("faults.restart")
    assert "was restarted (fast)" in person.said()
    assert driver.server.in_use is in_use  # the same pool, and it does not know
    assert {slot.pid for slot in person.pool.slots()} == pids
    driver.query("select 42 as answer")  # the careful client does
    assert driver.texts(driver.find("query.grid").model()) == [["42"]]
    person.click("faults.stop_server")
    assert "stopped (fast)" in person.said()
    panel = driver.query("select 1")
    assert "refused" in panel.message.text()
    person.click("faults.start_server")
    assert "ready" in person.said()
    driver.query("select 43 as answer")
    assert driver.texts(driver.find("query.grid").model()) == [["43"]]
    person.play("stale")
    person.until(person.find("scenario.conclusion").isVisible)
    driver.settle()
    assert "the server was restarted" in person.said("scenario.conclusion")
    assert "none of 12 requests failed with PgPool" in person.said("scenario.conclusion")


# -- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["disconnect", "leave", "close the window"])
def test_that_everything_ends_with_the_server_in_use_or_the_panel(person, how):
    person.click("faults.link")
    person.until(person.find("faults.cut").isEnabled)
    person.find("faults.hold_seconds").setValue(600)
    person.click("faults.hold")
    person.find("faults.ask_work").setValue(30)
    person.click("faults.askers_start")
    person.until(lambda: person.pool.stats().used == 3)
    person.click("faults.hole")
    if how == "disconnect":
        person.server.close()
    elif how == "leave":
        person.panel.leave()
    else:
        person.driver.frame.closing.connect(person.panel.leave)
        person.driver.frame.close()
    person.until(lambda: not lab_threads())
    person.driver.settle()


def test_that_leaving_the_server_in_the_midst_of_a_scenario_is_no_error(person):
    person.play("exhaustion")
    person.until(lambda: person.find("scenario.progress").value() > 0)
    person.server.close()
    person.driver.settle()
    person.until(lambda: not lab_threads())
    assert person.find("faults.message").text() == ""
    assert person.panel._nothing.isVisible()
    person.driver.open(person.driver.window.connect_panel.form.profile())
    person.until(person.find("scenario.run").isEnabled)


def test_that_another_server_has_nothing_of_the_faults_of_the_one_before(person, profile):
    person.click("faults.link")
    person.until(person.find("faults.cut").isEnabled)
    person.driver.open(replace(profile, maxconn=4))
    person.until(lambda: not lab_threads())
    person.driver.settle()
    assert not person.find("faults.link").isChecked()
    assert person.said() == "Nothing broken yet."
    assert is_direct(person)
