"""A plan's two models: Qt's own tester finds nothing wrong, and both tell the same of a node."""

import json

import pytest
from PySide6.QtCore import QAbstractItemModel, QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from pgexplorer.db.plans.reading import parse
from pgexplorer.models import plan_model
from pgexplorer.models.plan_model import PlanModel, PlanTableModel


def raw(kind, rows, came, loops, *children, **more):
    return {
        "Node Type": kind,
        "Startup Cost": 0.0,
        "Total Cost": 10.0,
        "Plan Rows": rows,
        "Plan Width": 4,
        "Actual Total Time": 1.0 if loops else 0.0,
        "Actual Rows": came,
        "Actual Loops": loops,
        "Plans": [each | {"Parent Relationship": "Outer"} for each in children],
    } | more


@pytest.fixture
def plan():
    scan = raw("Seq Scan", 10, 5000, 1, **{"Relation Name": "a\nb", "Shared Hit Blocks": 3})
    never = raw("Index Scan", 1000, 0, 0, **{"Relation Name": "t", "Index Name": "i"})
    top = raw("Append", 100, 12.5, 4, scan, never)
    return parse(json.dumps([{"Plan": top, "Execution Time": 8.0}, {"Plan": raw("Result", 1, 1, 1)}]))


@pytest.mark.parametrize("kind", [PlanModel, PlanTableModel])
def test_that_qt_finds_nothing_wrong_with_a_plans_model(plan, kind):
    model = kind(plan)
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    for column in range(model.columnCount()):
        model.sort(column, Qt.SortOrder.DescendingOrder)
    for node in plan.nodes:
        assert model.node_at(model.index_of(node.index)) is node
    del tester


def test_that_the_tree_has_every_node_below_its_own(plan):
    model = PlanModel(plan)

    def walk(parent: QModelIndex):
        for row in range(model.rowCount(parent)):
            index = model.index(row, 0, parent)
            assert model.parent(index) == parent
            yield model.node_at(index).index
            yield from walk(index)

    assert list(walk(QModelIndex())) == [node.index for node in plan.nodes]
    assert model.rowCount() == 2  # a rule made a second plan


def cells(model: QAbstractItemModel, node: int, role=Qt.ItemDataRole.DisplayRole):
    index = model.index_of(node)
    return [index.siblingAtColumn(column).data(role) for column in range(model.columnCount())]


def test_that_both_tell_rows_expected_and_come_with_how_far_that_is_apart(plan):
    for model in (PlanModel(plan), PlanTableModel(plan)):
        assert [cells(model, node)[plan_model.ROWS] for node in range(4)] == [
            "100 → 12  ÷8",
            "10 → 5,000  ×500",
            "1,000 → never",
            "1 → 1",
        ]
        said = cells(model, 1, Qt.ItemDataRole.AccessibleTextRole)
        assert said[plan_model.ROWS] == "10 rows expected, 5,000 rows came, 500 times more"
        assert "a misestimate" in said[plan_model.NODE]
        assert cells(model, 0)[plan_model.LOOPS] == "4"


def test_that_rows_are_sorted_by_how_wrong_they_were_and_what_says_nothing_goes_last(plan):
    model = PlanTableModel(plan)
    for order, nodes in ((Qt.SortOrder.DescendingOrder, [1, 0, 3, 2]), (Qt.SortOrder.AscendingOrder, [3, 0, 1, 2])):
        model.sort(plan_model.ROWS, order)
        assert [model.node_at(model.index(row, 0)).index for row in range(4)] == nodes
