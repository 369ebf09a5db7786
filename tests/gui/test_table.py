"""A table of any size in the window: any row a scroll away, sorted and filtered at the server, values whole."""

from dataclasses import replace

import psycopg2
import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLineEdit, QPushButton

from pgexplorer.db.table.ordering import Condition, Operator
from pgexplorer.ui.widgets.cell_viewer import CellViewer

COUNT = 30_000
DOWN, UP = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder


@pytest.fixture
def large(open_table):
    return open_table(f"""
        CREATE TABLE t (id int PRIMARY KEY, name text, few int, doc json);
        INSERT INTO t SELECT n, 'name ' || n, nullif(n % 7, 3), '{{}}' FROM generate_series(1, {COUNT}) n; ANALYZE t
    """)


def in_sight(panel):
    """Return the rows in sight, as the grid shows them."""
    first, last = panel.grid.rows_in_sight()
    model = panel.model
    return [
        [model.index(row, column).data() for column in range(model.columnCount())] for row in range(first, last + 1)
    ]


def scroll(connected, panel, share):
    bar = panel.grid.verticalScrollBar()
    bar.setValue(round(bar.maximum() * share))
    connected.until(lambda: not panel.reader.is_reading and not panel.reader._later.isActive())
    connected.settle()


def ids(panel):
    return [int(row[0]) for row in in_sight(panel) if row[0].isdigit()]


def press(panel, words):
    """Click the button *words* of the panel's message."""
    next(each for each in panel.message.findChildren(QPushButton) if each.text() == words).click()


def test_that_a_table_has_all_its_rows_in_the_scroll_bar_and_any_of_them_is_read_when_it_is_in_sight(connected, large):
    assert abs(large.model.rowCount() - COUNT) < COUNT // 10
    for share in (0.5, 1, 0.3, 0):
        scroll(connected, large, share)
        seen = ids(large)
        assert seen == list(range(seen[0], seen[0] + len(seen)))
        assert abs(seen[0] - COUNT * share) < COUNT * 0.05
    assert ids(large)[0] == 1
    connected.until_out(0)


def test_that_scrolling_on_and_back_reads_on_and_back(connected, large):
    scroll(connected, large, 0.5)
    bar = large.grid.verticalScrollBar()
    for step in (900, 900, 900, -900, -900, -900, -900, -900):
        bar.setValue(bar.value() + step * 20)
        connected.until(lambda: "…" not in [row[0] for row in in_sight(large)])
        seen = ids(large)
        assert seen == list(range(seen[0], seen[0] + len(seen)))


def test_that_the_status_says_about_where_one_is_and_a_count_says_how_many_there_are(connected, large):
    assert large.status.startswith("rows 1–")
    assert "of ≈ 30,000" in large.status
    large.grid.setFocus()
    connected.click("table.count")
    connected.settle()
    assert "of 30,000 ·" in large.status
    assert large.model.rowCount() == COUNT
    assert connected.message("table.message") == ""


def test_that_a_row_is_reached_exactly_and_one_beyond_the_end_is_said(connected, large):
    large.go_to(23_456)
    connected.settle()
    index = large.grid.currentIndex()
    assert index.siblingAtColumn(0).data() == "23457"
    assert large.model.headerData(index.row(), Qt.Orientation.Vertical) == "23,457"
    large.go_to(99_999)
    connected.settle()
    assert connected.message("table.message") == "There is no row 100,000: the last is row 30,000."
    connected.until(lambda: ids(large)[-1] == COUNT)


def test_that_a_click_on_a_head_sorts_at_the_server_whichever_the_type(connected, large):
    large.grid.sort_wanted.emit(0, DOWN, False)
    connected.settle()
    assert ids(large)[:3] == [30_000, 29_999, 29_998]
    assert list(large.grid.sorting()) == [(0, DOWN)]
    large.grid.sort_wanted.emit(2, UP, False)
    large.grid.sort_wanted.emit(1, DOWN, True)
    connected.settle()
    assert [row[2] for row in in_sight(large)[:2]] == ["0", "0"]
    assert in_sight(large)[0][1] == "name 9996"
    assert [chip.text for chip in large.chips.chips()] == ["few", "name"]
    scroll(connected, large, 1)
    assert in_sight(large)[-1][2] == "NULL"
    connected.click("table.chips.0.remove")
    connected.settle()
    assert in_sight(large)[0][1] == "name 9999"


def test_that_a_type_without_an_order_is_said_and_the_rows_stay_as_they_were(connected, large):
    large.grid.sort_wanted.emit(0, DOWN, False)
    connected.settle()
    large.grid.sort_wanted.emit(3, UP, False)
    connected.until(lambda: "could not identify an ordering operator" in connected.message("table.message"))
    connected.settle()
    assert ids(large)[:2] == [30_000, 29_999]
    assert list(large.grid.sorting()) == [(0, DOWN)]


def test_that_conditions_on_columns_go_with_the_filter_and_can_be_changed_and_removed(connected, large):
    large.where.setText("id > 100")
    large.grid.filter_wanted.emit(2, "5", "=")
    connected.settle()
    assert ids(large)[:3] == [103, 110, 117]
    large.filter.add(Condition("name", Operator.CONTAINS, "99%"))
    connected.settle()
    assert connected.find("table.grid").isVisible() is False
    large.filter.conditions.pop()
    large.filter.add(Condition("name", Operator.BEGINS, "NAME 299"))
    connected.settle()
    large._count()
    connected.settle()
    assert ids(large)[0] == 299
    assert "16 rows" in large.status
    connected.click("table.chips.1.remove")
    large.grid.filter_wanted.emit(2, None, "is null")
    connected.settle()
    assert [chip.text for chip in large.chips.chips()] == ["few = 5", "few is NULL"]
    connected.until(lambda: not large.grid.isVisible())
    large.action("table.clear").trigger()
    connected.settle()
    assert ids(large)[:2] == [1, 2]
    assert large.where.text() == ""


def test_that_the_dialog_makes_a_condition(connected, large):
    large.grid.setCurrentIndex(large.model.index(4, 1))
    large.action("table.condition").trigger()
    dialog = connected.find("condition")
    assert dialog.column.currentText() == "name"
    dialog.operator.setCurrentText("matches")
    connected.find("condition.value", QLineEdit).setText("^name 1..5$")
    dialog.accept()
    connected.settle()
    assert ids(large) == list(range(1005, 2000, 10))[: len(ids(large))]


def test_that_refreshing_keeps_the_place(connected, large, do, own_schema):
    scroll(connected, large, 0.6)
    before = ids(large)
    do(f"UPDATE {own_schema}.t SET name = 'fresh'")
    connected.click("table.refresh")
    connected.settle()
    assert ids(large) == before
    assert {row[1] for row in in_sight(large)} == {"fresh"}


def test_that_a_cut_value_is_fetched_whole_for_who_looks_at_it_or_copies_it(connected, open_table, do, own_schema):
    panel = open_table("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, repeat('é', 5000))")
    assert panel.model.index(0, 1).data() == "é" * 1000 + "… (9.77 kB)"
    panel.grid.setCurrentIndex(panel.model.index(0, 1))
    panel.grid.view_current()
    connected.until(lambda: panel.grid.findChildren(CellViewer))
    [viewer] = panel.grid.findChildren(CellViewer)
    assert viewer.windowTitle()
    viewer.close()
    panel.grid.selectAll()
    with connected.qtbot.waitSignal(panel.grid.copied, timeout=15_000):
        panel.grid.copy_selection()
    assert QGuiApplication.clipboard().text() == "1\t" + "é" * 5000
    do(f"DELETE FROM {own_schema}.t")
    panel.grid.view_current()
    connected.until(lambda: "The row is gone." in connected.message("table.message"))


def test_that_rows_that_were_never_in_sight_are_copied(connected, large):
    large.grid.selectColumn(0)
    with connected.qtbot.waitSignal(large.grid.copied, timeout=15_000) as copied:
        large.grid.copy_selection("CSV")
    assert copied.args == [COUNT]
    assert QGuiApplication.clipboard().text() == "id\n" + "".join(f"{n}\n" for n in range(1, COUNT + 1))
    scroll(connected, large, 0.5)
    first, _ = large.grid.rows_in_sight()
    model, selection = large.model, large.grid.selectionModel()
    selection.select(model.index(first, 0), QItemSelectionModel.SelectionFlag.ClearAndSelect)
    begin = int(model.index(first, 0).data())
    selection.select(model.index(first + 9_000, 0), QItemSelectionModel.SelectionFlag.Select)
    with connected.qtbot.waitSignal(large.grid.copied, timeout=15_000):
        large.grid.copy_selection()
    assert QGuiApplication.clipboard().text().split() == [str(begin), str(begin + 9_000)]


def test_that_a_view_is_read_in_one_pass_and_sorted(connected, open_table):
    panel = open_table("CREATE VIEW t AS SELECT n, n % 3 AS m FROM generate_series(1, 5000) n")
    assert panel.status.startswith("view · 5,000 rows · first rows ")
    assert ids(panel)[:2] == [1, 2]
    panel.grid.sort_wanted.emit(0, DOWN, False)
    connected.settle()
    assert ids(panel)[:2] == [5000, 4999]
    panel.where.setText("n < 0")
    panel.refresh()
    connected.settle()
    assert not panel.grid.isVisible()


def test_that_a_limit_on_what_is_read_in_one_pass_is_said_and_can_be_raised(connected, open_table, monkeypatch):
    monkeypatch.setattr("pgexplorer.ui.panels.table.PASS_LIMIT", 1_000)
    panel = open_table("CREATE VIEW t AS SELECT n FROM generate_series(1, 5000) n")
    connected.until(lambda: "The first 1,000 rows are shown; there are more." in connected.message("table.message"))
    assert "(not all)" in panel.status
    panel._read_more()
    connected.settle()
    assert panel.status.startswith("view · 5,000 rows ·")
    assert connected.message("table.message") == ""


def test_that_a_table_without_a_key_is_read_by_its_blocks(connected, open_table):
    panel = open_table("CREATE TABLE t AS SELECT n, repeat('x', 50) AS v FROM generate_series(1, 30000) n; ANALYZE t")
    scroll(connected, panel, 0.5)
    seen = ids(panel)
    assert seen == list(range(seen[0], seen[0] + len(seen)))
    assert abs(seen[0] - 15_000) < 1_000
    panel.go_to(20_000)
    connected.settle()
    assert panel.grid.currentIndex().siblingAtColumn(0).data() == "20001"


def test_that_a_table_that_was_altered_meanwhile_says_so_and_is_read_anew(connected, large, do, own_schema):
    do(f"ALTER TABLE {own_schema}.t DROP COLUMN few")
    large.grid.verticalScrollBar().setValue(large.grid.verticalScrollBar().maximum() // 2)
    connected.until(lambda: "column t.few does not exist" in connected.message("table.message"))
    reads = connected.server.in_use.pool.stats().served
    connected.settle()
    assert connected.server.in_use.pool.stats().served == reads  # nothing is tried again by itself
    connected.click("table.refresh")
    connected.settle()
    assert large.model.columnCount() == 3
    assert connected.message("table.message") == ""


def test_that_a_filter_that_takes_long_is_stopped_and_frees_its_connection(connected, large):
    large.where.setText("pg_sleep(0.01) IS NULL")
    large.refresh()
    connected.until(lambda: "The server is still looking for rows…" in connected.message("table.message"))
    large._stop_reading()
    connected.until(lambda: connected.server.in_use.pool.stats().used == 0)
    connected.settle()
    assert connected.message("table.message").startswith("Stopped.")


def test_that_a_count_is_stopped(connected, large):
    large.where.setText("id < 2000 OR pg_sleep(0.01) IS NULL")
    large.refresh()
    connected.settle()
    large._count()
    connected.until(lambda: connected.message("table.message").startswith("Counting the rows…"))
    large.counting.stop()
    connected.until(lambda: connected.server.in_use.pool.stats().used == 0)
    assert connected.message("table.message") == ""


def test_that_a_table_of_1600_columns_is_browsed(connected, open_table):
    columns = ", ".join(f"c{n} int DEFAULT {n}" for n in range(1599))
    panel = open_table(
        f"CREATE TABLE t (id int PRIMARY KEY, {columns}); INSERT INTO t (id) SELECT generate_series(1, 200)"
    )
    assert panel.model.columnCount() == 1600
    scroll(connected, panel, 1)
    assert ids(panel)[-1] == 200


def test_that_the_pool_of_one_serves_browsing(driver, profile, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t AS SELECT n FROM generate_series(1, 3000) n")
    driver.open(replace(profile, minconn=1, maxconn=1))
    driver.window.deck.open_table(driver.window.schema.relation(own_schema, "t"))
    driver.settle()
    panel = driver.window.deck.tabs.currentWidget()
    scroll(driver, panel, 1)
    assert ids(panel)[-1] == 3000


_SLOW = "(SELECT count(*) FROM pg_sleep(CASE id WHEN 9 THEN 20 ELSE 0 END)) >= 0"


def reads(admin):
    """How many of the program's backends are at work for a table."""
    return admin.value(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE application_name = 'pgexplorer/pool' AND state = 'active' AND query LIKE '%pg_sleep(CASE%'"
    )


def test_that_a_read_nobody_waits_for_any_more_is_ended_at_the_server(connected, large, admin):
    for number in range(3):
        large.where.setText(f"id > {number} AND {_SLOW}")
        large.refresh()
        connected.until(lambda: reads(admin) == 1)
    connected.until(lambda: connected.server.in_use.pool.stats().used == 1)
    connected.window.deck.close_tab(connected.window.deck.tabs.indexOf(large))
    connected.settle()
    assert reads(admin) == 0
    connected.until_out(0)


def test_that_a_tab_closed_while_its_rows_are_fetched_is_no_fault(connected, large):
    errors = []
    connected.app.jobs.unheard.connect(lambda error, _trace: errors.append(error))
    scroll(connected, large, 0.5)
    large.grid.selectAll()
    large.grid.copy_selection()
    connected.window.deck.close_tab(connected.window.deck.tabs.indexOf(large))
    connected.settle()
    assert errors == []
    connected.until_out(0)


def test_that_what_a_failed_read_said_goes_when_a_read_succeeds(connected, large):
    connected.hand("pool.exhaust")
    scroll(connected, large, 0.5)
    assert "exhausted" in large.message.text()
    connected.hand("pool.return_all")
    press(large, "Try again")
    connected.settle()
    assert large.message.text() == ""
    assert ids(large)


def test_that_after_a_reopened_pool_one_goes_on_with_what_was_stopped(connected, large, admin, own_schema):
    admin.ask(f"BEGIN; LOCK TABLE {own_schema}.t")
    large.filter.sort("id", Qt.SortOrder.DescendingOrder, beside=False)
    connected.until(lambda: admin.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1)
    large._stop_reading()
    admin.ask("ROLLBACK")
    connected.settle()
    first = large.model.index(0, 0).data()
    connected.hand("pool.close_all")
    connected.hand("pool.reopen")
    press(large, "Go on")
    connected.settle()
    assert large.message.text() == ""
    assert int(large.model.index(0, 0).data()) > int(first)


def test_that_after_a_reopened_pool_one_scrolls_on(connected, large):
    connected.hand("pool.close_all")
    connected.hand("pool.reopen")
    scroll(connected, large, 0.5)
    assert large.message.text() == ""
    assert int(ids(large)[0]) > 1_000
    large._count()
    connected.settle()
    assert large.reader.pages.stretch.is_counted


def test_that_a_table_whose_server_was_left_says_so_and_is_read_again_by_refreshing(connected, large, profile):
    connected.server.close()
    connected.settle()
    assert "The connection has ended." in large.message.text()
    for wish in (large._count, lambda: large.go_to(100), lambda: scroll(connected, large, 0.5)):
        wish()
        connected.settle()
        assert "The connection has ended." in large.message.text()
    large._sort(1, Qt.SortOrder.AscendingOrder, False)
    assert "Not connected" in large.message.text()
    connected.open(profile)
    connected.window.show_explore()
    large.refresh()
    connected.settle()
    assert large.message.text() == ""
    assert large._shown == large.filter.now()


@pytest.mark.parametrize("width", [1024, 1280, 1600])
def test_that_at_any_width_no_button_is_cut_and_the_filter_has_room(connected, large, width):
    connected.frame.resize(width, 700)
    made = [connected.find(f"table.{name}") for name in ("condition", "refresh", "count", "export", "import")]
    connected.until(
        lambda: connected.frame.width() == width and all(each.width() >= each.sizeHint().width() for each in made)
    )
    assert all(each.accessibleName() and each.toolTip() for each in made)
    assert any(each.text() for each in made) is (width >= 1600)
    assert large.where.width() >= 120


def test_that_a_filter_that_cannot_be_leaves_no_blank(connected, large):
    large.where.setText("id = 'x'")
    large.refresh()
    connected.settle()
    assert "invalid input syntax" in large.message.text()
    assert large._empty.isVisible()
    large.filter.clear()
    connected.settle()
    assert large.grid.isVisible()


@pytest.mark.parametrize(
    "altered",
    [
        "ALTER TABLE t DROP CONSTRAINT t_pkey",
        "ALTER TABLE t ALTER id TYPE text",
        "ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (name)",
        "ALTER TABLE t RENAME id TO number",
    ],
)
def test_that_a_table_whose_key_has_changed_is_refreshed(connected, large, do, own_schema, altered):
    scroll(connected, large, 0.5)
    do(f"SET search_path = {own_schema}; {altered}")
    large.refresh()
    connected.settle()
    assert large.message.text() == ""
    scroll(connected, large, 0.6)
    assert large.message.text() == ""
    assert all(isinstance(each, int) for each in ids(large))


def test_that_a_read_that_was_stopped_goes_on_and_says_so_no_more(connected, large, own_schema):
    table = f"{own_schema}.t"
    with psycopg2.connect(**connected.server.in_use.profile.parameters("test")) as other:
        other.cursor().execute(f"LOCK {table} IN ACCESS EXCLUSIVE MODE")
        bar = large.grid.verticalScrollBar()
        bar.setValue(bar.maximum() // 2)
        connected.until(lambda: "still looking" in large.message.text())
        press(large, "Stop")
        assert large.message.text().startswith("Stopped.")
        connected.settle()
    other.close()
    press(large, "Go on")
    connected.until(lambda: min(ids(large), default=0) > 1_000)
    assert large.message.text() == ""
