"""A person explains statements: the plan, what stands out, and that nothing stays of what was run for it."""

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QLineEdit,
    QListWidget,
    QMessageBox,
    QPushButton,
    QTableView,
    QTreeView,
)

from pgexplorer.models import plan_model
from pgexplorer.ui.sql.plan_view import PlanView

CTRL, SHIFT, PLAIN = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.NoModifier,
)


@pytest.fixture
def panel(connected, tables):
    made = connected.window.deck.new_query()
    connected.frame.activateWindow()
    connected.until(connected.frame.isActiveWindow)
    made.editor.setFocus()
    connected.until(made.editor.hasFocus)
    yield made
    made.leave()
    connected.settle()


@pytest.fixture
def asked(monkeypatch):
    """What was asked; the answers are taken from `asked.answers`, No when there is none."""

    class Asked(list):
        def __init__(self):
            super().__init__()
            self.answers = []

    questions = Asked()

    def answer(box):
        questions.append(box.text())
        yes = questions.answers and questions.answers.pop(0)
        return QMessageBox.StandardButton.Yes if yes else QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "exec", answer)
    return questions


def explain(connected, panel, text, modifiers=PLAIN):
    """Set the text with | where the caret is, press F7, and return the plan's view."""
    place = text.index("|") if "|" in text else 0
    panel.editor.setPlainText(text.replace("|", "", 1))
    panel.editor.set_caret(place)
    QTest.keyClick(panel.editor, Qt.Key.Key_F7, modifiers)
    connected.settle()
    connected.until(lambda: not panel.is_running)
    view = panel.results.currentWidget()
    return view if isinstance(view, PlanView) else None


def test_that_f7_shows_the_plan_of_the_statement_at_the_caret_and_runs_nothing(connected, panel, tables, do, asked):
    text = f"SELECT 1;\nDELETE FROM {tables}.orders WHERE id > |5;\nSELECT 2"
    view = explain(connected, panel, text)
    assert asked == []
    assert view.plan.nodes[0].name == "Delete on orders"
    assert "not run" in connected.find("plan.summary").text()
    assert do(f"SELECT count(*) FROM {tables}.orders") == [(20000,)]
    assert view.tree.isColumnHidden(plan_model.SELF)
    assert panel.status.startswith("plan · ")


def test_that_analyzing_an_update_asks_and_leaves_all_as_it_was_either_way(connected, panel, tables, do, asked):
    text = f"UPDATE {tables}.orders SET amount = 0 WHERE id <= 100"
    before = do(f"SELECT sum(amount) FROM {tables}.orders")
    served = connected.server.in_use.pool.stats().served
    assert explain(connected, panel, text, SHIFT) is None
    [question] = asked
    assert "This statement writes: UPDATE." in question
    assert "sequences" in question
    assert connected.server.in_use.pool.stats().served == served  # nothing was sent
    asked.answers = [True]
    view = explain(connected, panel, text, SHIFT)
    assert view.plan.nodes[0].name == "Update on orders"
    assert view.plan.nodes[1].actual.rows == 100
    assert "rolled back" in connected.find("plan.summary").text()
    assert do(f"SELECT sum(amount) FROM {tables}.orders") == before
    assert panel.pin is None


def test_that_a_function_that_writes_unseen_is_asked_about_and_never_written_by(connected, panel, tables, do, asked):
    do(
        f"CREATE FUNCTION {tables}.sly() RETURNS int LANGUAGE sql AS"
        f" 'UPDATE {tables}.orders SET amount = 0 RETURNING 1'"
    )
    before = do(f"SELECT sum(amount) FROM {tables}.orders")
    assert explain(connected, panel, f"SELECT {tables}.sly()", SHIFT) is None
    connected.until(lambda: asked)
    [question] = asked
    assert "A function of the statement writes" in question
    assert "read-only transaction" in question
    asked.answers = [True]
    explain(connected, panel, f"SELECT {tables}.sly()", SHIFT)
    connected.until(lambda: isinstance(panel.results.currentWidget(), PlanView))
    view = panel.results.currentWidget()
    assert view.plan.is_analyzed
    assert do(f"SELECT sum(amount) FROM {tables}.orders") == before


def test_that_an_open_transaction_goes_on_after_a_plan(connected, panel, tables, do, asked):
    panel.editor.setPlainText(f"BEGIN; UPDATE {tables}.orders SET amount = 1 WHERE id = 1")
    panel.run_all()
    connected.until(lambda: not panel.is_running)
    pid = panel.pin.pid
    asked.answers = [True]
    view = explain(connected, panel, f"DELETE FROM {tables}.orders", SHIFT)
    assert "the open transaction goes on" in asked[0]
    assert view.plan.pid == pid
    assert panel.pin.is_open
    panel.editor.setPlainText("COMMIT")
    panel.run_all()
    connected.until(lambda: not panel.is_running)
    assert do(f"SELECT count(*), min(amount) FROM {tables}.orders") == [(20000, 1)]


def test_that_a_finding_selects_its_node_by_mouse_and_by_key(connected, panel, tables):
    view = explain(
        connected,
        panel,
        f"SELECT c.name, count(*) FROM {tables}.orders o JOIN {tables}.customers c ON c.id = o.customer"
        " WHERE lower(o.state) = 'paid' GROUP BY 1",
        SHIFT,
    )
    found = connected.find("plan.findings", QListWidget)
    titles = [found.item(row).text() for row in range(found.count())]
    row = next(
        row for row, title in enumerate(titles) if title.startswith("Worst misestimate, ×67: Seq Scan on orders o")
    )
    QTest.mouseClick(found.viewport(), Qt.MouseButton.LeftButton, pos=found.visualItemRect(found.item(row)).center())
    assert view.plan.nodes[view.selected].name == "Seq Scan on orders o"
    tree = connected.find("plan.tree", QTreeView)
    assert tree.currentIndex().siblingAtColumn(0).data() == "Seq Scan on orders o"
    detail = connected.find("plan.detail").toPlainText()
    assert "100 rows expected, 6,667 rows came" in detail
    assert "Filter: (lower(state) = 'paid'::text)" in detail
    found.setFocus()
    QTest.keyClick(found, Qt.Key.Key_Home)
    assert view.plan.nodes[view.selected] == max(view.plan.nodes, key=lambda node: node.share)
    tree.setFocus()
    QTest.keyClick(tree, Qt.Key.Key_Home)
    assert view.selected == 0
    assert detail != connected.find("plan.detail").toPlainText()


def test_that_the_table_is_sorted_by_what_the_figures_are(connected, panel, tables):
    view = explain(
        connected,
        panel,
        f"SELECT * FROM {tables}.orders o JOIN {tables}.customers c ON c.id = o.customer ORDER BY amount",
        SHIFT,
    )
    view.pages.setCurrentIndex(1)
    table = connected.find("plan.table", QTableView)
    assert table.isVisible()
    model = table.model()
    shares = [model.index(row, 0).data(plan_model.SHARE_ROLE) for row in range(model.rowCount())]
    assert shares == sorted(shares, reverse=True)
    table.sortByColumn(plan_model.COST, Qt.SortOrder.AscendingOrder)
    costs = [model.node_at(model.index(row, 0)).total_cost for row in range(model.rowCount())]
    assert costs == sorted(costs)
    view.select(0)
    for column in range(model.columnCount()):
        for order in (Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder):
            table.sortByColumn(column, order)
            assert model.node_at(table.currentIndex()).index == 0  # the selection stays with its node


def test_that_a_plan_is_saved_as_json_and_as_text_and_copied(connected, panel, tables, tmp_path, monkeypatch):
    view = explain(connected, panel, f"SELECT count(*) FROM {tables}.orders", SHIFT)
    for name, kind in (("plan.json", "JSON (*.json)"), ("other.txt", "Text (*.txt)"), ("bare", "Text (*.txt)")):
        monkeypatch.setattr(
            QFileDialog, "getSaveFileName", lambda *_, path=tmp_path / name, kind=kind: (str(path), kind)
        )
        connected.click("plan.save")
        connected.settle()
    assert json.loads((tmp_path / "plan.json").read_text())[0]["Plan"]["Node Type"] == "Aggregate"
    assert "Seq Scan on orders" in (tmp_path / "other.txt").read_text()
    assert (tmp_path / "bare.txt").exists()
    assert "bare.txt" in panel.message.text()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "plan.json"), ""))
    connected.click("plan.save")
    connected.settle()
    assert "was not saved" in panel.message.text()
    connected.click("plan.copy")
    assert QGuiApplication.clipboard().text() == view.plan.text
    view.pages.setCurrentIndex(4)
    assert connected.find("plan.json").toPlainText() == view.plan.json
    connected.click("plan.copy")
    assert QGuiApplication.clipboard().text() == view.plan.json


def test_that_a_plan_stands_beside_results_and_is_pinned_like_one(connected, panel, tables):
    def plans():
        views = [panel.results.widget(at) for at in range(panel.results.count())]
        return [view.plan.nodes[0].name for view in views if isinstance(view, PlanView)]

    panel.editor.setPlainText("SELECT 42")
    panel.run_all()
    connected.until(lambda: not panel.is_running)
    explain(connected, panel, f"SELECT * FROM {tables}.orders")
    assert panel.results.count() == 2
    explain(connected, panel, f"SELECT * FROM {tables}.customers")
    assert plans() == ["Seq Scan on customers"]
    panel.action("query.pin").trigger()
    explain(connected, panel, "SELECT 1")
    assert plans() == ["Seq Scan on customers", "Result"]
    panel.editor.setPlainText("SELECT 43")
    panel.run_all()
    connected.until(lambda: not panel.is_running)
    assert plans() == ["Seq Scan on customers"]
    assert panel.current_model().index(0, 0).data() == "43"


def test_that_what_fails_is_marked_and_trying_again_never_runs_the_statement(connected, panel, tables, do):
    text = f"SELECT 1;\nDELETE FROM {tables}.orders WHERE nowhere|"
    assert explain(connected, panel, text) is None
    assert panel.editor.error_line() == 1
    assert "nowhere" in panel.message.text()
    panel._run_again()
    connected.until(lambda: not panel.is_running)
    panel.editor.setPlainText(f"DELETE FROM {tables}.orders")
    panel.explain()
    connected.until(lambda: not panel.is_running)
    panel._run_again()
    connected.until(lambda: not panel.is_running)
    assert do(f"SELECT count(*) FROM {tables}.orders") == [(20000,)]
    explain(connected, panel, "VACUUM")
    assert "has no plan" in panel.message.text()


def test_that_a_long_analyze_is_cancelled(connected, panel, admin):
    panel.editor.setPlainText("SELECT pg_sleep(60)")
    panel.explain_analyze()
    slow = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ 'EXPLAIN.*pg_sleep.60'"
    connected.until(lambda: admin.value(f"{slow} AND pid <> pg_backend_pid()"))
    assert not panel.action("query.explain").isEnabled()
    panel.cancel()
    connected.until(lambda: not panel.is_running)
    assert "ancelled" in panel.message.text()
    connected.settle()
    connected.until_out(0)


def test_that_a_narrow_window_has_the_findings_on_a_page_of_their_own(connected, panel, tables):
    connected.frame.resize(1024, 700)
    view = explain(connected, panel, f"SELECT * FROM {tables}.orders ORDER BY amount", SHIFT)
    connected.until(lambda: view.width() < 640)
    assert view.pages.isTabVisible(2)
    found = connected.find("plan.findings", QListWidget)
    assert not found.isVisible()
    view.pages.setCurrentIndex(2)
    assert found.isVisible()
    assert connected.find("plan.detail").isVisible()
    connected.frame.resize(1600, 1000)
    connected.until(lambda: not view.pages.isTabVisible(2))
    assert found.isVisible()
    assert connected.find("plan.tree").isVisible()


def test_that_the_switches_of_the_menu_say_how_a_plan_is_made(connected, panel, tables):
    menu = connected.find("query.explain_button").menu()
    words = [action.text() for action in menu.actions() if action.text()]
    assert words[:2] == ["Explain", "Explain analyze"]
    panel.action("query.explain_verbose").trigger()
    panel.action("query.explain_untimed").trigger()
    view = explain(connected, panel, f"SELECT * FROM {tables}.orders", SHIFT)
    assert view.plan.nodes[0].name == f"Seq Scan on {tables}.orders"
    assert "Output" in view.plan.nodes[0].raw
    assert view.plan.is_analyzed
    assert not view.plan.is_timed
    assert view.tree.model().headerData(plan_model.SHARE, Qt.Orientation.Horizontal) == "cost share"


def test_that_parameters_are_asked_for_and_explained_with_their_values(connected, panel, tables):
    panel.editor.setPlainText(f"SELECT * FROM {tables}.orders WHERE id = :at")
    panel.explain_analyze()
    connected.until(lambda: connected.frame.findChildren(QDialog, "parameters"))
    dialog = connected.find("parameters")
    dialog.findChild(QLineEdit, "parameters.:at").setText("17")
    dialog.findChild(QPushButton, "parameters.run").click()
    connected.until(lambda: isinstance(panel.results.currentWidget(), PlanView))
    plan = panel.results.currentWidget().plan
    assert plan.is_analyzed
    assert plan.nodes[0].actual.rows == 1
    assert "17" in plan.nodes[0].conditions[0][1]


def test_that_hostile_names_are_shown_letter_by_letter(connected, panel, tables, do):
    do(f'CREATE TABLE {tables}."<b>x</b>\n&amp;" (a int)')
    view = explain(connected, panel, f'SELECT * FROM {tables}."<b>x</b>\n&amp;"', SHIFT)
    assert view.plan.nodes[0].name == "Seq Scan on <b>x</b>\n&amp;"
    assert "<b>x</b>\n&amp;" in connected.find("plan.detail").toPlainText()
