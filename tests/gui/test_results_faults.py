"""Results over a bad link, in the real window: slow, delayed, cut. What came stays, and is told as incomplete."""

from dataclasses import replace

import pytest

from pgexplorer.ui.transfer.export_dialog import ExportDialog


@pytest.fixture
def over(driver, profile, proxy):
    """The program, connected through the proxy."""
    driver.open(replace(profile, host="127.0.0.1", port=str(proxy.port)))
    return driver


def begin(driver, sql):
    """Run *sql* and come back when rows of it are in the grid."""
    panel = driver.window.deck.new_query()
    panel.editor.setPlainText(sql)
    panel.run()
    driver.until(lambda: panel.current_model() is not None and panel.current_model().rowCount() > 100)
    return panel


WIDE = "select n, repeat('x', 200) from generate_series(1, 10000000) as n"


@pytest.mark.parametrize("how", ["reset", "close"])
def test_that_a_link_cut_in_mid_result_keeps_the_rows_and_marks_them(over, proxy, how):
    panel = begin(over, WIDE)
    proxy.cut(how)
    over.until(lambda: not panel.is_running)
    rows = panel.current_model().rowCount()
    assert 100 < rows < 10_000_000
    assert panel.results.tabText(0) == "Result 1 (incomplete)"
    assert panel.status == f"failed after {rows:,} rows: the result is incomplete"
    assert "connection" in panel.message.text().lower()
    assert panel.current_model().value(rows - 1, 0) == str(rows)
    panel.editor.setPlainText("select 'again' as a")  # on a connection of its own
    panel.run()
    over.until(lambda: not panel.is_running)
    assert panel.current_model().value(0, 0) == "again"


def test_that_a_slow_link_shows_its_progress_and_can_be_cancelled(over, proxy):
    proxy.throttle = 100_000
    panel = begin(over, WIDE)
    before = panel.current_model().rowCount()
    over.until(lambda: panel.current_model().rowCount() > before + 100)
    over.until(lambda: "rows so far" in panel.status)
    panel.cancel()
    over.until(lambda: not panel.is_running)
    rows = panel.current_model().rowCount()
    assert panel.status == f"stopped after {rows:,} rows: the result is incomplete"
    assert panel.current_model().value(rows - 1, 0) == str(rows)


def test_that_a_delayed_link_brings_every_row(over, proxy):
    proxy.delay = 0.3
    panel = begin(over, "select n from generate_series(1, 50000) as n")
    over.until(lambda: not panel.is_running)
    assert panel.current_model().rowCount() == 50_000
    assert panel.results.tabText(0) == "Result 1"


def test_that_an_export_over_a_link_that_is_cut_leaves_the_old_file(over, proxy, tmp_path):
    panel = begin(over, "select n from generate_series(1, 200) as n")
    over.until(lambda: not panel.is_running)
    panel.results._shown[0].sql = WIDE
    panel.export()
    [window] = [each for each in over.frame.findChildren(ExportDialog) if each.isVisible()]
    window.source.setCurrentIndex(window.source.count() - 1)
    target = tmp_path / "out.csv"
    target.write_text("before")
    window.path.setText(str(target))
    window._overwrite = True
    window.start()
    over.until(lambda: "rows" in window.said.text())
    proxy.cut("reset")
    over.until(lambda: not window.is_running)
    assert "connection" in window.message.text().lower()
    assert target.read_text() == "before"
    assert list(tmp_path.glob(".*")) == []


def test_that_twenty_thousand_notices_are_shown_in_part_and_counted(over):
    panel = over.query("do $$ begin for n in 1..20000 loop raise notice 'said %', n; end loop; end $$")
    said = panel.message.text()
    assert "said 20000" in said
    assert "19,8" in said  # … earlier notices are not shown
    assert len(said) < 20_000
