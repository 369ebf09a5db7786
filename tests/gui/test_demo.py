"""The demo server in the window: its larger sample, and two windows on one server."""

import functools

import pytest

from pgexplorer.demo import sample


@pytest.fixture
def small_sample(monkeypatch):
    """The sample's own SQL on fewer rows."""
    monkeypatch.setattr(sample, "load", functools.partial(sample.load, customers=400, products=40, orders=60_000))


def demo(start):
    driver = start("--demo", "--no-tour")
    driver.until(lambda: driver.server.is_open)
    driver.settle()
    return driver


def test_that_the_sample_is_loaded_on_request_with_progress(start, small_sample):
    driver = demo(start)
    seen = []
    driver.window._demo.sample_progressed.connect(lambda done, total, text: seen.append((done, total)))
    driver.window._actions["window.sample"].trigger()
    assert driver.find("window.sample_bar").isVisible()
    driver.settle()
    assert "The sample is loaded" in driver.message("window.message")
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    driver.query("select count(*) from shop.orders")
    assert driver.texts(driver.find("query.grid").model()) == [["60000"]]
    assert driver.window.schema.relation("shop", "orders").rows > 0


def test_that_loading_the_sample_can_be_stopped_and_begun_again(start, small_sample):
    driver = demo(start)
    driver.window._demo.sample_progressed.connect(lambda *_: driver.window._demo.stop_sample())
    driver.window._actions["window.sample"].trigger()
    driver.settle()
    assert "stopped" in driver.message("window.message")
    driver.window._demo.sample_progressed.disconnect()
    driver.window._actions["window.sample"].trigger()
    driver.settle()
    driver.query("select count(*) from shop.customers")
    assert driver.texts(driver.find("query.grid").model()) == [["400"]]


def test_that_a_table_is_read_page_by_page_as_it_is_scrolled(start, small_sample):
    driver = demo(start)
    driver.window._actions["window.sample"].trigger()
    driver.settle()
    driver.window.deck.open_table(driver.window.schema.relation("shop", "orders"))
    driver.settle()
    grid = driver.find("table.grid")
    model = grid.model()
    total = model.rowCount()
    seen = set()
    while len(seen) < 2000:
        first, last = grid.rows_in_sight()
        driver.until(lambda first=first, last=last: model.is_whole(first, 0) and model.is_whole(last, 0))
        seen |= {int(model.value(row, 0)) for row in range(model.stretch.begin, model.stretch.end)}
        bar = grid.verticalScrollBar()
        bar.setValue(bar.value() + grid.viewport().height() * 8)
    assert seen == set(range(1, len(seen) + 1))
    assert total >= 2000
    driver.until_out(0)
