"""Export and import as a person does them: from the table panel, in the real window."""

import pytest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QPushButton

from pgexplorer.db.rows import Picked
from pgexplorer.db.values import Column
from pgexplorer.ui.transfer import dialog as transfer_dialog
from pgexplorer.ui.transfer.export_dialog import ExportDialog, export_query, export_rows
from pgexplorer.ui.transfer.import_dialog import ImportDialog


@pytest.fixture
def people(connected, do, own_schema):
    """A table of this test, open in a tab."""
    do(f"CREATE TABLE {own_schema}.people (id int NOT NULL, name text, born date)")
    do(f"INSERT INTO {own_schema}.people VALUES (1, 'Ada', '1815-12-10'), (2, NULL, NULL), (3, '=1+1', NULL)")
    connected.window.schema.refresh()
    connected.settle()
    with connected.server.in_use.client.lend("test") as conn:
        from pgexplorer.db.schema import read_relations

        relation = next(each for _, all_ in read_relations(conn) for each in all_ if each.schema == own_schema)
    connected.window.deck.open_table(relation)
    connected.settle()
    return connected


def dialog(driver, kind):
    found = [each for each in driver.frame.findChildren(kind) if each.isVisible()]
    assert len(found) == 1
    return found[0]


def choose(combo: QComboBox, value):
    combo.setCurrentIndex(combo.findData(value))


def run(driver, window):
    window.go.click()
    driver.until(lambda: not window.is_running)
    return window.message.text()


def test_that_a_table_is_exported_with_its_proof(people, tmp_path):
    people.click("table.export")
    window = dialog(people, ExportDialog)
    path = tmp_path / "people.csv"
    window.path.setText(str(path))
    said = run(people, window)
    assert said.startswith("3 of 3 rows · ")
    assert str(path) in said
    assert sorted(path.read_text().splitlines()) == ["1,Ada,1815-12-10", "2,,", "3,=1+1,", "id,name,born"]
    assert window.show_folder.isVisible()
    assert window.message.kind() == "success"


def test_that_the_file_chosen_asks_before_it_is_replaced(people, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("old")
    people.click("table.export")
    window = dialog(people, ExportDialog)
    window.path.setText(str(path))
    assert "exists already" in run(people, window)
    assert path.read_text() == "old"
    [replace] = [each for each in window.message.findChildren(QPushButton) if each.text() == "Replace it"]
    replace.click()
    people.until(lambda: not window.is_running)
    assert window.message.text().startswith("3 of 3 rows")
    assert path.read_text() != "old"


def test_that_only_what_the_filter_shows_is_exported_unless_all_is_chosen(people, tmp_path):
    panel = people.window.deck.tabs.currentWidget()
    panel.where.setText("id > 1")
    panel.refresh()
    people.settle()
    people.click("table.export")
    window = dialog(people, ExportDialog)
    window.path.setText(str(tmp_path / "some.csv"))
    assert run(people, window).startswith("2 of 2 rows")
    window.source.setCurrentIndex(1)
    window.path.setText(str(tmp_path / "all.csv"))
    assert run(people, window).startswith("3 of 3 rows")


def test_that_the_format_decides_what_can_be_chosen_and_the_files_ending(people, tmp_path):
    people.click("table.export")
    window = dialog(people, ExportDialog)
    window.path.setText(str(tmp_path / "people.csv"))
    for kind, shown in (
        ("csv", {"encoding", "delimiter", "quote", "null"}),
        ("tsv", {"encoding", "null"}),
        ("jsonl", {"encoding"}),
        ("sql", {"encoding", "table"}),
        ("xlsx", set()),
    ):
        choose(window.format, kind)
        names = ("encoding", "delimiter", "quote", "null", "table")
        assert {name for name in names if getattr(window, name).isVisible()} == shown
        assert window.guard.isVisible() == (kind in {"csv", "xlsx"})
        assert window.path.text().endswith(f"people.{kind}")
        if kind != "csv":
            assert run(people, window).startswith("3 of 3 rows")
            assert (tmp_path / f"people.{kind}").exists()
    choose(window.format, "csv")
    assert not window.guard.isChecked()
    window.quote.setText(",")
    assert not window.go.isEnabled()
    assert "differ" in people.find("export.note", QLabel).text()


def test_that_a_running_export_can_be_stopped_and_leaves_nothing(people, tmp_path):
    query = "SELECT generate_series(1, 1000000000), md5(random()::text)"
    window = export_query(people.frame, people.server, people.app.jobs, query)
    window.path.setText(str(tmp_path / "endless.csv"))
    window.go.click()
    people.until(lambda: "rows/s" in window.said.text())
    assert not window.form.isEnabled()
    window.halt.click()
    people.until(lambda: not window.is_running)
    assert window.message.text().startswith("Stopped after")
    assert list(tmp_path.glob("*.csv")) == []
    people.until(lambda: not any(slot.is_out for slot in people.server.in_use.pool.slots()))


def test_that_closing_asks_and_stops_what_runs(people, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(transfer_dialog, "ask", lambda *words: asked.append(words) or len(asked) > 1)
    query = "SELECT generate_series(1, 1000000000)"
    window = export_query(people.frame, people.server, people.app.jobs, query)
    window.path.setText(str(tmp_path / "endless.csv"))
    window.go.click()
    people.until(lambda: "rows/s" in window.said.text())
    window.close()
    assert window.is_running
    assert window.isVisible()
    window.close()
    people.until(lambda: not any(each.isVisible() for each in people.frame.findChildren(ExportDialog)))
    assert len(asked) == 2
    people.settle()
    assert list(tmp_path.glob("*.csv")) == []


def test_that_each_way_to_close_closes(people):
    for way in (lambda window: window.away.click(), lambda window: window.close(), lambda window: window.reject()):
        people.click("table.export")
        window = dialog(people, ExportDialog)
        way(window)
        assert not window.isVisible()


def test_that_an_error_of_the_server_is_shown_in_its_words(people, tmp_path):
    window = export_query(people.frame, people.server, people.app.jobs, "SELECT nonsense")
    window.path.setText(str(tmp_path / "x.csv"))
    said = run(people, window)
    assert 'column "nonsense" does not exist' in said
    assert "42703" in said
    assert window.message.kind() == "error"


def test_that_a_selection_is_exported_as_it_is(people, tmp_path):
    columns = [Column("n", "integer", 23), Column("t", "text", 25)]
    rows = iter([("1", None), ("2", "x")])
    window = export_rows(people.frame, people.server, people.app.jobs, columns, rows, 2)
    assert window.source.currentText() == "2 rows selected"
    choose(window.format, "jsonl")
    window.path.setText(str(tmp_path / "rows.jsonl"))
    assert run(people, window).startswith("2 of 2 rows")
    assert (tmp_path / "rows.jsonl").read_text() == '{"n": 1, "t": null}\n{"n": 2, "t": "x"}\n'


def load(driver, path):
    driver.click("table.import")
    window = dialog(driver, ImportDialog)
    window.path.setText(str(path))
    driver.until(lambda: window._takers and not window._later.isActive())
    driver.settle()
    return window


def test_that_a_file_is_guessed_shown_and_loaded_and_the_table_read_again(people, tmp_path, do, own_schema):
    path = tmp_path / "more.csv"
    path.write_bytes("Name;extra;ID\nJosé;x;4\n;y;5\n".encode("cp1252"))
    window = load(people, path)
    assert window.layout_().delimiter == ";"
    assert window.encoding.currentData() == "cp1252"
    assert window.chosen() == ["name", None, "id"]
    assert window.rows.item(1, 0).text() == "José"
    assert window.rows.item(2, 0).text() == "NULL"
    assert "1 of 3 values are left out" in people.find("import.note", QLabel).text()
    assert run(people, window).startswith("2 of 2 rows loaded")
    assert not window.go.isEnabled()
    people.settle()
    assert people.find("table.grid").model().rowCount() == 5
    assert do(f"SELECT name FROM {own_schema}.people WHERE id > 3 ORDER BY id") == [("José",), (None,)]


def test_that_the_bad_row_is_told_by_its_line(people, tmp_path, do, own_schema):
    path = tmp_path / "bad.csv"
    path.write_text("id,name\n7,x\nseven,y\n")
    window = load(people, path)
    said = run(people, window)
    assert said.startswith('Line 3: invalid input syntax for type integer: "seven"')
    assert do(f"SELECT count(*) FROM {own_schema}.people") == [(3,)]
    assert window.go.isEnabled()


def test_that_what_is_chosen_by_hand_stays_and_nonsense_is_not_begun(people, tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("1,x\n2,y\n")
    window = load(people, path)
    assert not people.find("import.header", QCheckBox).isChecked()
    assert window.chosen() == ["id", "name"]
    choose(window._takers[1], "id")
    assert not window.go.isEnabled()
    assert "chosen twice" in people.find("import.note", QLabel).text()
    choose(window._takers[1], None)
    assert window.go.isEnabled()
    window.null.setText("x")
    people.until(lambda: window.rows.item(1, 1).text() == "NULL")
    assert window.chosen() == ["id", None]
    choose(window._takers[0], None)
    assert not window.go.isEnabled()
    assert "is not filled" in people.find("import.note", QLabel).text() or "No column" in window.note.text()


def test_that_a_file_that_is_not_there_is_told(people, tmp_path):
    people.click("table.import")
    window = dialog(people, ImportDialog)
    window.path.setText(str(tmp_path / "none.csv"))
    people.until(lambda: "No such file" in window.note.text())
    assert not window.go.isEnabled()


def test_that_everything_has_a_name_for_the_screen_reader(people):
    people.click("table.export")
    people.click("table.import")
    for kind in (ExportDialog, ImportDialog):
        window = dialog(people, kind)
        for child in window.findChildren(QComboBox) + window.findChildren(QPushButton) + window.findChildren(QCheckBox):
            if child.isVisibleTo(window) and child.objectName().startswith(window.objectName()):
                assert child.accessibleName(), child.objectName()


def test_that_what_a_query_shows_and_what_is_selected_are_exported_without_running_it_again(people, tmp_path):
    panel = people.query("select n, 'x' || n as t, null as z from generate_series(1, 2000) as n")
    rows = panel.current_model().rows()
    picked = Picked(rows, [(0, 2), (1_200, 1_900)], [2, 0])
    window = export_query(people.frame, people.server, people.app.jobs, "select 1", rows, picked)
    assert [window.source.itemText(at) for at in range(window.source.count())] == [
        "The 702 rows selected, 2 columns",
        "The 2,000 rows shown",
        "All rows of the query, which is run again and can only read",
    ]
    window.path.setText(str(tmp_path / "selected.csv"))
    assert run(people, window).startswith("702 of 702 rows")
    lines = (tmp_path / "selected.csv").read_text().splitlines()
    assert lines[:4] == ["z,n", ",1", ",2", ",1201"]
    assert lines[-1] == ",1900"
    window.source.setCurrentIndex(1)
    window.path.setText(str(tmp_path / "shown.csv"))
    assert run(people, window).startswith("2,000 of 2,000 rows")
    window.path.setText(str(tmp_path / "again.csv"))
    assert run(people, window).startswith("2,000 of 2,000 rows")  # they can be read as often as one likes
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "shown.csv").read_bytes()


def test_that_rows_that_were_closed_are_not_exported_in_part(people, tmp_path):
    panel = people.query("select generate_series(1, 5000) as n")
    rows = panel.current_model().rows()
    window = export_query(people.frame, people.server, people.app.jobs, "", rows)
    target = tmp_path / "gone.csv"
    target.write_text("before")
    window.path.setText(str(target))
    rows.close()
    window._overwrite = True
    said = run(people, window)
    assert "is not here any more" in said
    assert target.read_text() == "before"


def test_that_an_incomplete_result_says_so_where_it_is_exported(people):
    panel = people.query("select 10 / (n - 900) from generate_series(1, 1000) as n")
    window = export_query(people.frame, people.server, people.app.jobs, "select 1", panel.current_model().rows())
    assert window.source.itemText(0).startswith("All rows of the query")
    assert window.source.itemText(1) == "The 899 rows shown, of a result that is incomplete"


def test_that_ctrl_e_in_a_query_offers_its_rows_its_selection_and_its_query(people, tmp_path):
    panel = people.query("select 1 as a; select n, n * 2 as m from generate_series(1, 50) as n")
    people.click("query.export")
    window = dialog(people, ExportDialog)
    assert window.source.itemText(0) == "The 50 rows shown"
    window.source.setCurrentIndex(1)
    window.path.setText(str(tmp_path / "again.csv"))
    assert run(people, window).startswith("50 of 50 rows")
    assert (tmp_path / "again.csv").read_text().splitlines()[-1] == "50,100"
    window.close()
    people.settle()
    grid = panel.results.currentWidget()
    grid.selectColumn(1)
    entries = {action.text(): action for action in grid.menus.of_cells().actions()}
    entries["Export…"].trigger()
    window = dialog(people, ExportDialog)
    assert window.source.currentText() == "The 50 rows selected, 1 column"
    window.path.setText(str(tmp_path / "column.csv"))
    assert run(people, window).startswith("50 of 50 rows")
    assert (tmp_path / "column.csv").read_text().splitlines()[:2] == ["m", "2"]


def test_that_a_query_that_was_not_run_is_exported_from_its_text(people, tmp_path):
    panel = people.window.deck.new_query()
    panel.editor.setPlainText("select 'é' as a")
    people.click("query.export")
    window = dialog(people, ExportDialog)
    assert window.source.count() == 1
    window.path.setText(str(tmp_path / "unrun.csv"))
    assert run(people, window).startswith("1 of 1 row")
    assert (tmp_path / "unrun.csv").read_text() == "a\né\n"
    window.close()
    panel.editor.setPlainText(" ")
    people.click("query.export")
    assert "query" in panel.message.text().lower() or "nothing" in panel.message.text().lower()
