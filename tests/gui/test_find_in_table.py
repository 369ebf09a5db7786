"""Text found in a table of which a part is on screen: the server looks through the rest."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from pgexplorer.ui.widgets.find_bar import FindBar

ROWS = 30_000
NEEDLES = (7, 12_345, 12_400, 29_950)


@pytest.fixture(params=["PRIMARY KEY", ""], ids=["by its key", "by its blocks"])
def large(open_table, request):
    """A table with and without a key, in which four rows hold "needle"."""
    marked = ", ".join(map(str, NEEDLES))
    return open_table(f"""
        CREATE TABLE t (id int {request.param}, name text, few int);
        INSERT INTO t SELECT n, CASE WHEN n IN ({marked}) THEN 'Needle ' ELSE 'name ' END || n, n % 7
          FROM generate_series(1, {ROWS}) n; ANALYZE t
    """)


def bar_of(panel) -> FindBar:
    return panel.grid.find_bar


def press(connected, panel, key):
    """Press a key in the find bar and wait until nothing is looked for; return the row chosen and what is said."""
    bar = bar_of(panel)
    QTest.keyClick(bar.text, key)
    connected.until(lambda: not bar.is_looking)
    connected.settle()
    index = panel.grid.currentIndex()
    return panel.model.index(index.row(), 0).data() if index.isValid() else "", bar.said.text()


def look_for(connected, panel, text):
    panel.grid.setFocus()
    QTest.keyClick(panel.grid, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    bar = bar_of(panel)
    assert bar.isVisible()
    bar.text.clear()
    QTest.keyClicks(bar.text, text)
    return press(connected, panel, Qt.Key.Key_Return)


def test_that_text_is_found_in_rows_that_were_never_on_screen_and_around_the_end(connected, large):
    assert look_for(connected, large, "NEEDLE") == ("7", "row 7")
    down = [press(connected, large, Qt.Key.Key_Return) for _ in range(4)]
    assert down == [
        ("12345", "row 12,345"),
        ("12400", "row 12,400"),
        ("29950", "row 29,950"),
        ("7", "row 7, from the top"),
    ]
    assert large.grid.currentIndex().data() == "Needle 7"
    assert press(connected, large, Qt.Key.Key_Up)[0] == "29950"
    assert press(connected, large, Qt.Key.Key_Up)[0] == "12400"
    assert press(connected, large, Qt.Key.Key_Up)[0] == "12345"
    first, last = large.grid.rows_in_sight()
    assert first <= large.grid.currentIndex().row() <= last
    connected.until(lambda: large.model.index(first, 0).data() not in {None, "…"})
    connected.until_out(0)
    assert large.message.text() == ""


def test_that_what_is_nowhere_is_looked_for_in_every_row(connected, large):
    row, said = look_for(connected, large, "haystack")
    assert (row, said) == ("", f"in none of {ROWS:,} rows")


def test_that_a_filter_and_an_order_are_kept(connected, large):
    large.where.setText("id > 10000")
    large.refresh()
    connected.settle()
    assert look_for(connected, large, "needle 29") == ("29950", "row 19,950")
    assert press(connected, large, Qt.Key.Key_Return) == ("29950", "row 19,950, from the top")


def test_that_escape_ends_the_search_at_the_server_and_then_closes_the_bar(connected, large, admin):
    large.where.setText("pg_sleep(0.0005) IS NOT NULL OR id > 600")
    large.refresh()
    connected.settle()
    bar = bar_of(large)
    large.grid.setFocus()
    QTest.keyClick(large.grid, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(bar.text, "haystack")
    QTest.keyClick(bar.text, Qt.Key.Key_Return)
    runs = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name = 'pgexplorer/pool'"
        " AND (query LIKE '%%finding%%' OR query LIKE '%%FILTER%%')"
    )
    connected.until(lambda: admin.value(runs))
    assert bar.said.text().startswith("scan")
    QTest.keyClick(bar.text, Qt.Key.Key_Escape)
    assert not bar.is_looking
    assert bar.said.text() == "stopped"
    connected.until(lambda: not admin.value(runs))
    connected.settle()
    connected.until_out(0)
    assert large.message.text() == ""
    QTest.keyClick(bar.text, Qt.Key.Key_Escape)
    assert not bar.isVisible()
    assert large.window().focusWidget() is large.grid


def test_that_a_search_goes_on_from_the_match_though_one_has_scrolled_away(connected, large):
    assert look_for(connected, large, "needle 124")[0] == "12400"
    bar_of(large).text.setText("needle")
    scroll = large.grid.verticalScrollBar()
    scroll.setValue(scroll.maximum())
    connected.until(lambda: large.model.index(large.model.rowCount() - 1, 0).data() == str(ROWS))
    connected.settle()
    assert press(connected, large, Qt.Key.Key_Up)[0] == "12345"


def test_that_a_long_value_is_looked_through_whole(connected, open_table):
    panel = open_table("""
        CREATE TABLE t (id int PRIMARY KEY, name text);
        INSERT INTO t SELECT n, CASE n WHEN 3 THEN repeat('x', 5000) || 'needle' WHEN 5 THEN 'Needle' ELSE '' END
          FROM generate_series(1, 10) n
    """)
    assert look_for(connected, panel, "needle") == ("3", "row 3")
    assert press(connected, panel, Qt.Key.Key_Return) == ("5", "row 5")
    assert press(connected, panel, Qt.Key.Key_Return) == ("3", "row 3, from the top")


def test_that_a_view_is_looked_through_as_far_as_it_was_read(connected, open_table):
    panel = open_table("""
        CREATE TABLE base (id int PRIMARY KEY, name text);
        INSERT INTO base SELECT n, 'name ' || n FROM generate_series(1, 3000) n;
        CREATE VIEW t AS SELECT * FROM base
    """)
    assert look_for(connected, panel, "name 2999") == ("2999", "row 2,999")
    assert look_for(connected, panel, "haystack")[1] == "not found"


def test_that_a_search_without_a_connection_says_so(connected, large):
    assert look_for(connected, large, "needle")[0] == "7"
    connected.server.close()
    connected.until(lambda: not connected.server.is_open)
    connected.settle()
    assert press(connected, large, Qt.Key.Key_Return) == ("7", "not in the rows that are here; not connected")


def test_that_a_search_in_a_full_pool_says_who_holds_it_and_is_tried_again(connected, large):
    connected.settle()
    connected.hand("pool.exhaust")
    assert look_for(connected, large, "needle 12") == ("", "stopped")
    assert large.message.text().startswith("PoolError: connection pool exhausted")
    connected.hand("pool.return_all")
    again = next(each for each in large.message.findChildren(QPushButton) if each.text() == "Try again")
    again.click()
    connected.until(lambda: not bar_of(large).is_looking)
    connected.settle()
    assert bar_of(large).said.text() == "row 12,345"


def test_that_rows_that_were_changed_here_are_searched_as_they_are_shown(connected, large):
    if large.editing.why_not():
        pytest.skip(large.editing.why_not())
    large.model.setData(large.model.index(20, 1), "a haystack")
    assert look_for(connected, large, "HAYSTACK") == ("21", "row 21")
    large.editing.insert_row()
    large.model.setData(large.model.index(21, 1), "another haystack")
    assert press(connected, large, Qt.Key.Key_Return)[1] == "row that is not sent yet"
    large.editing.drop()
    assert press(connected, large, Qt.Key.Key_Return)[1] == f"in none of {ROWS:,} rows"


_SCANS = (
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND application_name = 'pgexplorer/pool'"
    " AND (query LIKE '%%finding%%' OR query LIKE '%%FILTER%%')"
)


@pytest.fixture(params=["ThreadedConnectionPool", "PgPool"])
def over_one(driver, profile, own_schema, do, request):
    """A large table that is searched slowly, through a pool of one connection."""
    do(f"""
        CREATE TABLE {own_schema}.t (id int PRIMARY KEY, name text);
        INSERT INTO {own_schema}.t SELECT n, 'name ' || n FROM generate_series(1, 30000) n; ANALYZE {own_schema}.t
    """)
    driver.open(replace(profile, pool_class=request.param, minconn=1, maxconn=1))
    driver.window.deck.open_table(driver.window.schema.relation(own_schema, "t"))
    driver.settle()
    panel = driver.window.deck.tabs.currentWidget()
    panel.where.setText("pg_sleep(0.0005) IS NOT NULL")
    panel.refresh()
    driver.settle()
    return panel


def begin_to_look(panel, text):
    panel.grid.setFocus()
    QTest.keyClick(panel.grid, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(bar_of(panel).text, text)
    QTest.keyClick(bar_of(panel).text, Qt.Key.Key_Return)


def go_down(panel):
    bar = panel.grid.verticalScrollBar()
    bar.setValue(bar.maximum())


def last_id(panel):
    return panel.model.index(panel.grid.rows_in_sight()[1], 0).data()


def test_that_over_one_connection_rows_are_read_first_and_the_search_then_goes_on(driver, over_one, admin):
    begin_to_look(over_one, "haystack")
    driver.until(lambda: admin.value(_SCANS))
    go_down(over_one)
    driver.until(lambda: last_id(over_one) == "30000")
    assert over_one.message.text() == ""
    bar = bar_of(over_one)
    assert bar.is_looking
    driver.until(lambda: admin.value(_SCANS))
    assert bar.said.text().startswith("scan")
    QTest.keyClick(bar.text, Qt.Key.Key_Escape)
    assert not bar.is_looking
    driver.until(lambda: not admin.value(_SCANS))
    driver.settle()
    driver.until_out(0)
    assert over_one.message.text() == ""


def test_that_over_one_connection_a_search_waits_for_the_rows_that_are_being_read(driver, over_one, own_schema, admin):
    admin.ask(f"BEGIN; LOCK TABLE {own_schema}.t")
    go_down(over_one)
    driver.until(lambda: over_one.reader.is_reading)
    begin_to_look(over_one, "name 1234")
    bar = bar_of(over_one)
    driver.until(lambda: bar.said.text().startswith("waiting"))
    admin.ask("ROLLBACK")
    driver.until(lambda: not bar.is_looking)
    driver.settle()
    assert bar.said.text().startswith("row 1,234")
    assert over_one.grid.currentIndex().data() == "name 1234"
    assert over_one.message.text() == ""


def test_that_a_search_that_waits_is_ended_by_escape(driver, over_one, admin):
    begin_to_look(over_one, "haystack")
    driver.until(lambda: admin.value(_SCANS))
    go_down(over_one)
    bar = bar_of(over_one)
    driver.until(lambda: bar.said.text().startswith("waiting"))
    QTest.keyClick(bar.text, Qt.Key.Key_Escape)
    assert bar.said.text() == "stopped"
    driver.until(lambda: last_id(over_one) == "30000")
    driver.settle()
    assert not bar.is_looking
    assert admin.value(_SCANS) == 0
    assert over_one.message.text() == ""
