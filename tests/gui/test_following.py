"""Foreign keys followed from the grid, both ways, and the way back to where one was."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu

from fix_cells import answer, at, line, write


@pytest.fixture
def orders(open_table):
    return open_table(
        """
        CREATE TABLE customers (id int PRIMARY KEY, name text, boss int REFERENCES customers);
        INSERT INTO customers SELECT n, 'customer ' || n, nullif(n / 2, 0) FROM generate_series(1, 300) n;
        CREATE TABLE t (id int PRIMARY KEY, customer_id int REFERENCES customers, note text);
        INSERT INTO t SELECT n, CASE WHEN n % 7 <> 0 THEN n % 300 + 1 END, 'note ' || n FROM generate_series(1, 9000) n;
        ANALYZE t, customers
    """
    )


def follow(driver, panel, action):
    relation = panel.relation
    panel.action(action).trigger()
    driver.until(lambda: panel.relation is not relation)
    driver.settle()


def menu_of(driver, panel):
    """Return the menu of rows that point here, when all are counted."""
    driver.until(lambda: [each for each in panel.grid.findChildren(QMenu, "table.links") if each.isVisible()])
    [menu] = [each for each in panel.grid.findChildren(QMenu, "table.links") if each.isVisible()]
    driver.until(lambda: all(each.text().endswith(")") and "counting" not in each.text() for each in menu.actions()))
    return menu


def is_here(panel, row):
    return panel.reader.pages.stretch.place(row) is not None


def test_that_one_comes_back_to_the_cell_though_the_rows_above_it_were_still_on_the_way(connected, orders, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(orders.reader, "look", lambda: None)
        patch.setattr(orders.reader, "_go_on", lambda: None)
        orders.go_to(5_000)
        connected.settle()
        connected.until(lambda: any(is_here(orders, row) for row in range(*orders.grid.rows_in_sight())))
        row = next(row for row in range(*orders.grid.rows_in_sight()) if is_here(orders, row))
        bar = orders.grid.verticalScrollBar()
        bar.setValue(bar.value() - 100)
        assert not is_here(orders, orders.grid.rows_in_sight()[0])
        at(orders, row + 1, 1)
        here = line(orders, row + 1)
        follow(connected, orders, "table.follow")
    follow(connected, orders, "table.back")
    connected.until(lambda: line(orders, orders.grid.currentIndex().row()) == here)


def test_that_a_value_leads_to_its_row_and_back_to_the_cell_that_one_came_from(connected, orders):
    title = connected.window.deck.tabs.tabText(connected.window.deck.tabs.indexOf(orders))
    orders.grid.sort_wanted.emit(0, Qt.SortOrder.DescendingOrder, False)
    connected.settle()
    orders.go_to(5_000)
    connected.settle()
    row = orders.grid.currentIndex().row()
    connected.until(lambda: is_here(orders, orders.grid.rows_in_sight()[0]))
    at(orders, row + 2, 1)
    here = line(orders, row + 2)
    top = line(orders, orders.grid.rows_in_sight()[0])
    assert 1 in orders.model.links
    follow(connected, orders, "table.follow")
    assert orders.relation.name == "customers"
    assert orders.model.rowCount() == 1
    assert line(orders, 0)[:2] == [here[1], f"customer {here[1]}"]
    assert [chip.text for chip in orders.chips.chips()] == [f"id = {here[1]}"]
    assert orders.crumbs.steps() == ["t", f"customers id = {here[1]}"]
    tabs = connected.window.deck.tabs
    assert tabs.tabText(tabs.indexOf(orders)) == "customers"
    follow(connected, orders, "table.back")
    connected.settle()
    connected.until(lambda: line(orders, orders.grid.currentIndex().row()) == here)
    assert orders.grid.currentIndex().column() == 1
    assert line(orders, orders.grid.rows_in_sight()[0]) == top
    assert [chip.text for chip in orders.chips.chips()] == ["id"]
    assert tabs.tabText(tabs.indexOf(orders)) == title
    follow(connected, orders, "table.forth")
    assert line(orders, 0)[0] == here[1]
    assert not orders.action("table.forth").isEnabled()


def test_that_ctrl_click_follows_and_null_leads_nowhere(connected, orders):
    at(orders, 6, 1)
    assert line(orders, 6)[1] == "NULL"
    orders.action("table.follow").trigger()
    assert "NULL: it refers to no row" in orders.message.text()
    at(orders, 0, 2)
    orders.action("table.follow").trigger()
    assert "note is no part of a foreign key" in orders.message.text()
    rect = orders.grid.visualRect(orders.model.index(2, 1))
    where, ctrl = rect.center(), Qt.KeyboardModifier.ControlModifier
    QTest.mouseClick(orders.grid.viewport(), Qt.MouseButton.LeftButton, ctrl, where)
    connected.until(lambda: orders.relation.name == "customers")
    connected.settle()
    assert line(orders, 0)[0] == "4"


def test_that_from_a_row_one_goes_to_those_that_point_to_it_which_are_counted(connected, orders, own_schema):
    at(orders, 0, 1)
    follow(connected, orders, "table.follow")
    at(orders, 0, 0)
    assert line(orders, 0)[0] == "2"
    orders.action("table.referring").trigger()
    menu = menu_of(connected, orders)
    assert [each.text() for each in menu.actions()] == [
        f"{own_schema}.customers.boss  (2)",
        f"{own_schema}.t.customer_id  (25)",
    ]
    menu.actions()[1].trigger()
    menu.close()
    connected.until(lambda: orders.relation.name == "t")
    connected.settle()
    assert orders.model.rowCount() == 25
    assert {line(orders, row)[1] for row in range(25)} == {"2"}
    assert orders.crumbs.steps() == ["t", "customers id = 2", "t customer_id = 2"]
    connected.click("table.crumbs.2")
    connected.until(lambda: orders.crumbs.steps() == ["t"])
    connected.settle()
    assert orders.chips.chips() == []


def test_that_a_menu_that_is_closed_counts_no_more(connected, orders, admin):
    at(orders, 0, 1)
    follow(connected, orders, "table.follow")
    admin.ask(f"BEGIN; LOCK TABLE {orders.relation.schema}.t")
    at(orders, 0, 0)
    orders.action("table.referring").trigger()
    connected.until(lambda: admin.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1)
    [menu] = [each for each in orders.grid.findChildren(QMenu, "table.links") if each.isVisible()]
    menu.close()
    connected.until(lambda: connected.server.in_use.pool.stats().used == 0)
    admin.ask("ROLLBACK")


def test_that_pending_changes_are_asked_about_before_one_leaves_the_table(connected, orders, do, own_schema):
    write(connected, orders, 0, 2, "mine")
    at(orders, 0, 1)
    orders.action("table.follow").trigger()
    answer(connected, "send")
    connected.until(lambda: orders.relation.name == "customers")
    connected.settle()
    assert do(f"SELECT note FROM {own_schema}.t WHERE id = 1") == [("mine",)]
    assert orders.pending_bar.text() == ""


def test_that_a_table_that_is_gone_is_said_and_one_can_go_back(connected, orders, do, own_schema):
    at(orders, 0, 1)
    do(f"DROP TABLE {own_schema}.customers CASCADE")
    orders.action("table.follow").trigger()
    connected.until(lambda: "does not exist" in orders.message.text())
    connected.settle()
    follow(connected, orders, "table.back")
    connected.until(lambda: orders.model.rowCount() > 100)
    assert orders.message.text() == ""
