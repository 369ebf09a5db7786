"""The dock under the tables: one view of the pool at a time, made when it is wanted, folded away otherwise."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

VIEWS = ["Timeline", "Queue", "Truth", "Statistics", "Faults", "History"]


def test_that_the_dock_begins_folded_and_makes_nothing(connected):
    dock = connected.window.dock
    assert dock.is_folded
    assert dock.panels() == []
    assert dock.titles == VIEWS
    assert dock.height() < 60


@pytest.mark.parametrize("title", VIEWS)
def test_that_each_view_opens_by_its_action_and_folds_away(connected, title):
    window, dock = connected.window, connected.window.dock
    window._actions[f"window.{title.lower()}"].trigger()
    [panel] = dock.panels()
    assert (dock.current, panel.TITLE, panel.isVisible()) == (title, title, True)
    connected.until(lambda: panel.height() >= 150)
    assert window.deck.tabs.isVisible() or window.deck._empty.isVisible()
    window._actions["window.dock"].trigger()
    assert not panel.isVisible()
    assert dock.is_folded
    connected.until(lambda: dock.height() < 60)
    window._actions["window.dock"].trigger()
    assert panel.isVisible()


def test_that_a_click_on_a_tab_shows_its_view_and_another_folds_it(connected):
    dock = connected.window.dock
    bar = dock.stop

    def click(place):
        QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=bar.tabRect(place).center())

    click(1)
    assert (dock.current, dock.is_folded) == ("Queue", False)
    click(0)
    assert (dock.current, dock.is_folded) == ("Timeline", False)
    click(0)
    assert dock.is_folded
    click(0)
    assert not dock.is_folded


def test_that_the_tour_takes_the_place_of_the_views(connected):
    connected.window.show_view("Timeline")
    connected.window.show_tour()
    assert connected.window.dock.is_folded
    assert connected.window.tour.isVisible()
    assert connected.window.tour.height() > 150


def test_that_every_view_survives_disconnecting_and_connecting_again(connected, profile):
    for title in VIEWS:
        connected.window.show_view(title)
    connected.server.close()
    connected.until(lambda: not connected.server.is_open)
    connected.settle()
    connected.open(profile)
    for title in VIEWS:
        assert connected.window.show_view(title).isVisible()
    connected.settle()
