"""Results of any size in the real window: they grow, are cut in the open, are copied and gone through."""

import resource
import signal

import pytest
from PySide6.QtCore import QItemSelection, QItemSelectionModel, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton

from fix_facts import until
from pgexplorer.db import query as engine
from pgexplorer.db.rows import State
from pgexplorer.models.result_model import COPY_ROLE, ResultModel
from pgexplorer.ui.widgets import grid_copy
from pgexplorer.ui.widgets.cell_viewer import CellViewer


def text(model, row, column):
    return model.index(row, column).data()


def buttons(panel):
    return {each.text(): each for each in panel.message.findChildren(QPushButton) if each.isVisible()}


@pytest.fixture
def limited(connected):
    """Run a statement with a row limit."""

    def run(sql, limit):
        panel = connected.window.deck.new_query()
        panel.limit.setValue(limit)
        panel.editor.setPlainText(sql)
        panel.run()
        connected.until(lambda: not panel.is_running)
        return panel

    return run


@pytest.fixture
def small_disk():
    """Let no file of this process grow beyond 2 MB, as a disk that is full would; None undoes it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, before if size is None else (size, before[1]))

    limit(2 << 20)
    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handled)


def test_that_a_million_rows_are_all_in_the_grid_and_the_slot_is_free(connected):
    panel = connected.query("select n, 'row ' || n as words from generate_series(1, 1000000) as n")
    model = panel.current_model()
    assert model.rowCount() == 1_000_000
    assert panel.status.startswith("1,000,000 rows · first rows ")
    assert " · all " in panel.status
    assert panel.message.text() == ""
    connected.until_out(0)
    grid = connected.find("query.grid")
    grid.scrollToBottom()
    connected.until(lambda: grid.indexAt(grid.viewport().rect().bottomLeft()).row() in {-1, 999_999, 999_998})
    for row in (0, 500_000, 999_999):
        assert (text(model, row, 0), text(model, row, 1)) == (str(row + 1), f"row {row + 1}")


def test_that_rows_are_shown_while_the_statement_still_runs(connected):
    panel = connected.window.deck.new_query()
    slow = "case when n = 2000 then pg_sleep(60) end"
    panel.editor.setPlainText(f"select n, repeat('x', 50), {slow} from generate_series(1, 2001) as n")
    panel.run()
    connected.until(lambda: panel.current_model() is not None and panel.current_model().rowCount() >= 200)
    assert panel.is_running
    connected.until(lambda: "rows so far" in panel.status)
    panel.cancel()
    connected.until(lambda: not panel.is_running)
    model = panel.current_model()
    assert panel.status == f"stopped after {model.rowCount():,} rows: the result is incomplete"
    assert panel.results.tabText(0) == "Result 1 (incomplete)"
    assert 200 <= model.rowCount() < 2001
    assert text(model, 199, 0) == "200"
    assert panel.message.text().lower().startswith("cancelled")


def test_that_an_error_in_mid_result_keeps_the_rows_and_marks_them(connected):
    panel = connected.query("select 1000 / (500 - n) as q from generate_series(1, 1000) as n")
    assert panel.current_model().rowCount() == 499
    assert panel.status == "failed after 499 rows: the result is incomplete"
    assert panel.results.tabText(0) == "Result 1 (incomplete)"
    assert "division by zero" in panel.message.text()


def test_that_a_limit_is_said_and_more_is_one_click_away(connected, limited):
    panel = limited("select generate_series(1, 15000) as n", 1_000)
    assert panel.status.startswith("first 1,000 rows (limit) · ")
    assert panel.results.tabText(0) == "Result 1 (incomplete)"
    assert "The limit of 1,000 rows was reached." in panel.message.text()
    buttons(panel)["Run it again for 10,000 rows"].click()
    connected.until(lambda: not panel.is_running)
    assert panel.current_model().rowCount() == 10_000
    buttons(panel)["Run it again for 100,000 rows"].click()
    connected.until(lambda: not panel.is_running)
    assert panel.current_model().rowCount() == 15_000
    assert panel.results.tabText(0) == "Result 1"
    assert panel.message.text() == ""


def test_that_a_byte_limit_is_said_with_what_can_be_done(connected, limited, monkeypatch):
    monkeypatch.setattr(
        engine.Query.__init__, "__kwdefaults__", engine.Query.__init__.__kwdefaults__ | {"byte_limit": 1 << 20}
    )
    panel = limited("select repeat('x', 1000) from generate_series(1, 9000)", engine.ROW_LIMIT)
    assert "limit of 1 MB" in panel.message.text()
    assert "Ask for less" in panel.message.text()
    assert 1000 < panel.current_model().rowCount() < 3000


def test_that_the_files_of_a_run_are_closed_by_the_next_one_and_by_the_tabs_end(connected):
    panel = connected.query("select 1; select 2")
    rows = list(panel.results.rows())
    assert len(rows) == 2
    connected.query("select 3")
    until(lambda: all(each._store.is_closed for each in rows))
    [last] = panel.results.rows()
    connected.window.deck.close_tab(connected.window.deck.tabs.indexOf(panel))
    connected.until(lambda: last._store.is_closed)


def test_that_cells_are_copied_whole_from_anywhere(connected):
    panel = connected.query("select n, case when n % 2 = 0 then repeat('é', 1500) end from generate_series(1, 3000) n")
    grid, model = connected.find("query.grid"), panel.current_model()
    where = QItemSelection(model.index(2_998, 0), model.index(2_999, 1))
    grid.selectionModel().select(where, QItemSelectionModel.SelectionFlag.ClearAndSelect)
    assert grid.copy_selection()
    assert panel.status == "copied 4 cells"
    assert QGuiApplication.clipboard().text() == "2999\t\n3000\t" + "é" * 1500
    assert text(model, 2_999, 1) == "é" * 1000 + "… (2.93 kB)"


def test_that_what_is_found_is_what_is_shown(connected):
    panel = connected.query("select 'word ' || n as w from generate_series(1, 5000) n")
    model = panel.current_model()
    found = model.match(model.index(0, 0), Qt.ItemDataRole.DisplayRole, "word 4321", 1, Qt.MatchFlag.MatchExactly)
    assert [index.row() for index in found] == [4320]


def test_that_a_model_reads_blocks_and_not_the_result(qapp, connected):
    panel = connected.query("select n, repeat('x', 100) from generate_series(1, 200000) n")
    rows = panel.current_model().rows()
    asked = []

    class Watched:
        columns, known, size, state, why = rows.columns, rows.known, rows.size, State.COMPLETE, ""

        def window(self, first, count, longest=None):
            asked.append((first, count))
            return rows.window(first, count, longest)

    model = ResultModel()
    model.show(Watched())
    for row in range(150_000, 150_050):
        assert text(model, row, 0) == str(row + 1)
    assert 1 <= len(asked) <= 2
    assert all(count <= 128 for _, count in asked)
    assert model.index(150_000, 1).data(COPY_ROLE) == "x" * 100


def test_that_rows_that_are_closed_leave_cells_empty_and_raise_nothing(connected):
    panel = connected.query("select n from generate_series(1, 1000) n")
    model = panel.current_model()
    model.rows().close()
    assert text(model, 900, 0) == "NULL"
    assert model.value(900, 0) is None


def test_that_a_huge_cell_is_shown_in_part_saved_whole_and_not_copied(connected, tmp_path, monkeypatch):
    repeated = "0123456789abcde\\"
    panel = connected.query(f"select 'before' as a, repeat('{repeated}', 1500000) as huge, null as z")
    grid, model = connected.find("query.grid"), panel.current_model()
    assert text(model, 0, 1).endswith("… (≈ 24.3 MB)")
    assert (text(model, 0, 0), text(model, 0, 2)) == ("before", "NULL")
    grid.setCurrentIndex(model.index(0, 1))
    grid.view_current()
    [viewer] = grid.findChildren(CellViewer)
    shown = viewer.findChild(QPlainTextEdit, "cell.text").toPlainText()
    assert len(shown) < 600_000
    assert shown.startswith(repeated * 100)
    assert "≈ 24 MB" in viewer.findChild(QLabel, "cell.said").text()
    viewer.save(tmp_path / "huge.txt")
    connected.until(lambda: not viewer.is_busy)
    assert (tmp_path / "huge.txt").read_text() == repeated * 1_500_000
    monkeypatch.setattr(grid_copy, "MOST_OF_A_CELL", 10_000_000)
    with connected.qtbot.waitSignal(grid.copy_refused):
        grid.copy_selection()
    assert "Not copied" in panel.message.text()
    assert "Export…" in buttons(panel)
    viewer.save(tmp_path / "again.txt")
    panel.current_model().rows().close()
    connected.until(lambda: not viewer.is_busy)
    assert "Not saved: " in viewer.findChild(QLabel, "cell.said").text()
    assert not (tmp_path / "again.txt").exists()


def test_that_text_is_found_in_all_of_a_long_cell_and_a_huge_one_is_told(connected):
    huge = "repeat('x', 1500000) || 'needle'"
    connected.query(f"select n, case n when 700 then repeat('y', 5000) || 'Needle' when 3 then {huge} end "
                    "from generate_series(1, 1000) as n")  # fmt: skip
    grid = connected.find("query.grid")
    grid.open_find()
    bar = grid.find_bar
    bar.text.setText("needle")
    around = ((bar.next, "row 700, from the top"), (bar.previous, "row 700, from the end"))
    for step, said in ((bar.next, "row 700"), *around):
        step()
        connected.until(lambda: not bar.is_looking)
        assert bar.said.text() == said
    bar.text.setText("no such")
    bar.next()
    connected.until(lambda: not bar.is_looking)
    assert bar.said.text() == "not found; 1 long cell was looked through in part"


def test_that_a_disk_that_fills_up_cuts_the_result_in_the_open(connected, small_disk):
    panel = connected.query("select n, repeat('x', 1000) from generate_series(1, 100000) as n")
    model = panel.current_model()
    assert panel.results.tabText(0) == "Result 1 (incomplete)"
    assert "could not be written" in panel.message.text() or "nearly full" in panel.message.text()
    assert 0 < model.rowCount() < 100_000
    assert text(model, model.rowCount() - 1, 1) == "x" * 1000
    connected.until_out(0)
    small_disk(None)
    connected.query("select 1 as one")
    assert text(panel.current_model(), 0, 0) == "1"
