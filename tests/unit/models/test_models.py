"""The item models, watched by Qt's own tester through every change."""

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from pgexplorer.db.values import Column
from pgexplorer.models.result_model import COPY_ROLE, NULL_ROLE, ResultModel
from pgexplorer.models.schema_model import SchemaModel

Role = Qt.ItemDataRole
COLUMNS = (Column("n", "integer"), Column("x", "text"))


@pytest.fixture
def result(qapp):
    model = ResultModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield model
    tester.deleteLater()


@pytest.fixture
def schema(qapp):
    model = SchemaModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield model
    tester.deleteLater()


def cell(model, row, column, role=Role.DisplayRole):
    return model.data(model.index(row, column), role)


# -- a result


def test_that_a_result_grows_page_by_page(result, qtbot):
    result.append(COLUMNS, [])
    assert (result.rowCount(), result.columnCount()) == (0, 2)
    with qtbot.waitSignal(result.rowsInserted) as inserted:
        result.append(COLUMNS, [("1", "a"), ("2", "b")])
    assert inserted.args[1:] == [0, 1]
    with qtbot.waitSignal(result.rowsInserted) as inserted:
        result.append(COLUMNS, [("3", None)])
    assert inserted.args[1:] == [2, 2]
    assert (result.rowCount(), result.columnCount()) == (3, 2)
    assert [result.value(row, 1) for row in range(3)] == ["a", "b", None]
    assert result.columns() == COLUMNS
    assert result.rowCount(result.index(0, 0)) == result.columnCount(result.index(0, 0)) == 0


def test_that_a_model_keeps_its_rows_when_the_page_changes(result):
    page = [("1", "a")]
    result.append(COLUMNS, page)
    page.append(("2", "b"))
    assert result.rowCount() == 1


def test_that_null_is_told_apart_from_the_empty_text_and_from_the_word(result):
    result.append(COLUMNS, [(None, ""), ("NULL", "x")])
    assert [cell(result, 0, 0), cell(result, 0, 1), cell(result, 1, 0)] == ["NULL", "", "NULL"]
    assert [cell(result, 0, 0, NULL_ROLE), cell(result, 0, 1, NULL_ROLE), cell(result, 1, 0, NULL_ROLE)] == [
        True,
        False,
        False,
    ]
    assert cell(result, 0, 0, COPY_ROLE) is None
    assert cell(result, 0, 1, COPY_ROLE) == ""


def test_that_a_long_cell_is_shown_cut_with_its_size_and_copied_whole(result):
    whole = "é" * 5000
    result.append(COLUMNS, [(whole, "x" * 1000)])
    assert cell(result, 0, 0) == "é" * 1000 + "… (9.77 kB)"
    assert cell(result, 0, 0, COPY_ROLE) == result.value(0, 0) == whole
    assert cell(result, 0, 1) == "x" * 1000


def test_that_numbers_stand_at_the_right_and_heads_above_them(result):
    result.append(COLUMNS, [("1", "a")])
    right, left = (
        int(side | Qt.AlignmentFlag.AlignVCenter) for side in (Qt.AlignmentFlag.AlignRight, Qt.AlignmentFlag.AlignLeft)
    )
    assert [cell(result, 0, column, Role.TextAlignmentRole) for column in (0, 1)] == [right, left]
    heads = [result.headerData(column, Qt.Orientation.Horizontal, Role.TextAlignmentRole) for column in (0, 1)]
    assert heads == [right, left]
    assert result.headerData(0, Qt.Orientation.Horizontal) == "n\ninteger"
    assert result.headerData(41, Qt.Orientation.Vertical) == "42"
    assert result.headerData(2, Qt.Orientation.Horizontal) is None
    assert result.headerData(0, Qt.Orientation.Horizontal, Role.DecorationRole) is None


def test_that_names_and_values_are_handed_on_as_plain_text(result):
    evil = "<img src='/x.png'>\u202e&amp;"
    result.append((Column(evil, "text"),), [(evil,)])
    assert cell(result, 0, 0) == evil
    assert result.headerData(0, Qt.Orientation.Horizontal) == f"{evil}\ntext"
    assert cell(result, 0, 0, Role.ToolTipRole) is None


def test_that_more_is_asked_for_once_and_only_where_there_is_more(result, qtbot):
    asked = []
    result.more_wanted.connect(lambda: asked.append(1))
    result.append(COLUMNS, [("1", "a")])
    assert not result.canFetchMore(QModelIndex())
    result.fetchMore(QModelIndex())
    assert asked == []
    result.has_more = True
    assert result.canFetchMore(QModelIndex())
    assert not result.canFetchMore(result.index(0, 0))
    result.fetchMore(QModelIndex())
    result.fetchMore(QModelIndex())
    assert asked == [1]


def test_that_clearing_forgets_everything_and_another_result_may_follow(result):
    result.append(COLUMNS, [("1", "a")])
    result.has_more = True
    result.clear()
    assert (result.rowCount(), result.columnCount(), result.has_more) == (0, 0, False)
    result.append((Column("only", "text"),), [("x",)])
    assert (result.rowCount(), result.columnCount()) == (1, 1)


def test_that_rows_without_columns_are_counted(result):
    result.append((), [(), (), ()])
    assert (result.rowCount(), result.columnCount()) == (3, 0)


def test_that_an_invalid_index_answers_nothing(result, schema):
    assert result.data(QModelIndex()) is None
    assert schema.data(QModelIndex()) is None
    assert not schema.parent(QModelIndex()).isValid()
