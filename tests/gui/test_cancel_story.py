"""The ladder that ends a statement, over a link that fails: the window lives, others work, the slot comes back."""

import time
from dataclasses import replace

import pytest


@pytest.fixture
def through(driver, profile, proxy):
    """The program, connected through the proxy."""
    driver.open(replace(profile, port=str(proxy.port), maxconn=4))
    return driver


def begin(driver, text):
    """Begin a statement in a tab of its own, and wait until it runs."""
    panel = driver.window.deck.new_query()
    panel.editor.setPlainText(text)
    panel.run_all()
    driver.until(lambda: panel.report.started is not None)
    driver.until(lambda: driver.app.jobs.running == 1)  # the catalog of names was read: nothing else is on the link
    return panel


def longest_turn(driver, fact):
    """Wait for *fact* and return the longest time that the event loop took for a turn meanwhile."""
    longest, last = 0.0, time.perf_counter()

    def beat():
        nonlocal longest, last
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        return fact()

    driver.until(beat)
    return longest


def test_that_a_cancel_over_a_slow_link_ends_the_statement(through, proxy):
    panel = begin(through, "select pg_sleep(60)")
    proxy.delay = 0.3
    panel.cancel()
    assert longest_turn(through, lambda: not panel.is_running) < 1
    assert "ancelled" in panel.message.text()
    through.until(lambda: through.server.in_use.pool.stats().used == 0)


def test_that_a_statement_in_a_black_hole_is_abandoned_and_the_window_lives(through, proxy, monkeypatch):
    from pgexplorer.db import cancel

    monkeypatch.setattr(cancel, "_RUNG", 0.3)
    panel = begin(through, "select pg_sleep(60)")
    text = panel.editor.toPlainText()
    proxy.hole()
    panel.cancel()
    assert panel.action("query.cancel").isEnabled()
    assert longest_turn(through, lambda: not panel.is_running) < 1
    assert panel.editor.toPlainText() == text
    through.until(lambda: through.server.in_use.pool.stats().used == 0)
    proxy.heal()
    panel.editor.setPlainText("select 42")
    panel.run_all()
    through.until(lambda: not panel.is_running)
    assert through.texts(panel.current_model()) == [["42"]]


def test_that_a_reset_link_is_an_error_at_once_and_other_tabs_go_on(through, proxy):
    panel = begin(through, "select pg_sleep(60)")
    began = time.monotonic()
    proxy.cut()
    through.until(lambda: not panel.is_running)
    assert time.monotonic() - began < 5
    assert "gone" in panel.message.text() or "lost" in panel.message.text()
    proxy.heal()
    other = through.window.deck.new_query()
    other.editor.setPlainText("select 1")
    other.run_all()
    through.until(lambda: not other.is_running)
    assert through.texts(other.current_model()) == [["1"]]
