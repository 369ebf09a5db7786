"""The rows of the activity: who lies under whom, what is asked for, in which order, and which stays chosen."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

from fix_sessions import session
from pgexplorer.models.activity_model import (
    FINDINGS,
    ICON_ROLE,
    PID,
    SLOT,
    STATE,
    STATEMENT,
    TIP_ROLE,
    TRANSACTION_FOR,
    ActivityModel,
    Head,
    RowsModel,
    Which,
    arranged,
)

SESSIONS = [
    session(1),
    session(2, state="active", statement_s=3.0, transaction_s=3.0, statement="select 'Two'\nfrom t"),
    session(3, 4, state="active", statement_s=40.0, wait_type="Lock", wait="tuple"),
    session(4, state="idle in transaction", state_s=20.0, transaction_s=30.0),
    session(5, kind="checkpointer", role="", database="", state="", client=""),
]


def pids(entries):
    return [(entry.session.pid, pids(entry.below)) if entry.below else entry.session.pid for entry in entries]


@pytest.fixture
def model(qapp):
    return ActivityModel()


def test_that_who_blocks_stands_on_top_and_the_servers_own_at_the_end():
    assert pids(arranged(SESSIONS, {}, Which.ALL, "")) == [(4, [3]), 2, 1, 5]


@pytest.mark.parametrize(
    ("which", "words", "found"),
    [
        (Which.ACTIVE, "", [(4, [3]), 2]),
        (Which.BLOCKED, "", [(4, [3])]),
        (Which.MINE, "", [1]),
        (Which.ALL, "two SELECT", [2]),
        (Which.ALL, "lock: tuple", [(4, [3])]),  # who blocks stays where one that waits is asked for
        (Which.ALL, "slot-holder", [1]),
        (Which.ALL, "nothing of it", []),
    ],
)
def test_that_only_what_is_asked_for_is_left_with_who_blocks_it(which, words, found):
    assert pids(arranged(SESSIONS, {1: "#1 slot-holder"}, which, words)) == found


def test_that_qts_own_tester_finds_no_fault_while_sessions_come_and_go(model):
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    model.show(arranged(SESSIONS, {}, Which.ALL, ""))
    model.show(arranged(SESSIONS[1:], {}, Which.ALL, ""))
    model.show(arranged([session(9), *SESSIONS], {}, Which.ALL, ""))
    model.sort(PID, Qt.SortOrder.DescendingOrder)
    assert [entry.session.pid for entry in model.entries()] == [9, 5, 4, 3, 2, 1]
    model.sort(-1)
    assert model.entries()[0].session.pid == 4
    model.show(())
    assert model.rowCount() == 0


def test_that_cells_have_words_icons_and_whole_tips(model):
    model.show(arranged(SESSIONS, {2: "#7 report"}, Which.ALL, ""))
    two = model.find(SESSIONS[1].key)
    assert two.siblingAtColumn(SLOT).data() == "#7 report"
    assert two.siblingAtColumn(STATEMENT).data() == "select 'Two' from t"
    assert two.siblingAtColumn(STATEMENT).data(TIP_ROLE) == "select 'Two'\nfrom t"
    assert two.siblingAtColumn(TRANSACTION_FOR).data() == "3.0 s"
    three = model.find(SESSIONS[2].key)
    assert three.parent().data() == "4"
    assert three.siblingAtColumn(FINDINGS).data() == "blocked by 4"
    assert three.siblingAtColumn(FINDINGS).data(ICON_ROLE) == "error"
    assert model.find(SESSIONS[4].key).siblingAtColumn(STATE).data() == "checkpointer"
    spoken = model.find(SESSIONS[3].key).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "session 4, of app, idle in transaction, idle in transaction for 20.0 s, blocks 1"


def test_that_rows_stay_where_they_are_while_only_their_texts_change(model):
    model.show(arranged(SESSIONS, {}, Which.ALL, ""))
    kept = QPersistentModelIndex(model.find(SESSIONS[1].key))
    changed = [replace(each, age_s=61.0, transaction_s=(each.transaction_s or 0) + 1) for each in SESSIONS]
    assert not model.show(arranged(changed, {}, Which.ALL, ""))
    assert kept.isValid()
    assert QModelIndex(kept).siblingAtColumn(TRANSACTION_FOR).data() == "4.0 s"


def test_that_a_session_that_was_seen_while_it_was_starting_is_found_again(model):
    model.show(arranged(SESSIONS, {}, Which.ALL, ""))
    assert model.find((2, 0.0)).data() == "2"  # its start was not told then
    assert not model.find((2, 1.0)).isValid()  # an earlier session with its number


def test_that_plain_rows_are_kept_apart_by_their_heads(qapp):
    model = RowsModel()
    QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal, model)
    model.show([Head("name"), Head("count", is_number=True)], [("a\nb", "1"), ("c", "2")])
    assert model.index(0, 0).data() == "a b"
    assert model.index(0, 0).data(TIP_ROLE) == "a\nb"
    assert model.headerData(1, Qt.Orientation.Horizontal) == "count"
    model.show([Head("name")], [("x",)])
    assert (model.rowCount(), model.columnCount()) == (1, 1)
