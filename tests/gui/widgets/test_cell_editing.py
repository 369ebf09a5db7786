"""What is written in cells: blocks of a clipboard, long texts in a window, rows marked in the grid."""

import csv
import io
import random

import pytest
from PySide6.QtWidgets import QWidget

from pgexplorer.ui.widgets.breadcrumbs import Breadcrumbs
from pgexplorer.ui.widgets.cell_editor import CellEditor, too_large
from pgexplorer.ui.widgets.grid_editor import fits_in_line
from pgexplorer.ui.widgets.grid_paste import block_of


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("", []),
        ("a", [["a"]]),
        ("a\n", [["a"]]),
        ("a\tb\r\nc\td\r\n", [["a", "b"], ["c", "d"]]),
        ("a\rb", [["a"], ["b"]]),
        ("\n", [[""]]),
        ("\t", [["", ""]]),
        ("a\n\nb", [["a"], [""], ["b"]]),
        ('"a\tb"\t"c\nd"', [["a\tb", "c\nd"]]),
        ('"it""s"\tx\n', [['it"s', "x"]]),
        ('""\tx', [["", "x"]]),
        ('"hello" world\tx', [['"hello" world', "x"]]),
        ('5" pipe\tx', [['5" pipe', "x"]]),
        ('"open\tx', [['"open', "x"]]),
    ],
)
def test_that_a_clipboard_is_a_block_of_cells(text, block):
    assert block_of(text) == block


def test_that_what_spreadsheets_write_is_read_back():
    chance = random.Random(3)
    for _ in range(300):
        width = chance.randrange(1, 5)
        rows = [
            ["".join(chance.choice('ab"\t\n ') for _ in range(chance.randrange(1, 6))) for _ in range(width)]
            for _ in range(chance.randrange(1, 5))
        ]
        file = io.StringIO(newline="")
        csv.writer(file, delimiter="\t", quoting=csv.QUOTE_MINIMAL).writerows(rows)
        assert block_of(file.getvalue()) == rows


@pytest.fixture
def editor(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)

    def make(text, kind="text", **given):
        made = CellEditor(parent, "c", kind, text, **given)
        made.heard = []
        made.given.connect(made.heard.append)
        return made

    return make


@pytest.mark.parametrize("text", ["", "a\nb", "a\r\nb\r\n", "a\rb\n", "no\u00a0break", "\u2028", None, "tab\t"])
def test_that_a_text_that_is_not_touched_is_not_given(editor, text):
    made = editor(text)
    made.ok.click()
    assert made.heard == []


@pytest.mark.parametrize(
    ("text", "after"), [("a\nb", "a\nbx"), ("a\r\nb", "a\r\nbx"), ("no\u00a0break", "no\u00a0breakx")]
)
def test_that_a_changed_text_keeps_its_line_ends_and_its_spaces(editor, text, after):
    made = editor(text)
    cursor = made.text.textCursor()
    cursor.movePosition(cursor.MoveOperation.End)
    cursor.insertText("x")
    made.ok.click()
    assert made.heard == [after]


def test_that_line_ends_that_cannot_be_kept_are_said_before_anything_is_changed(editor):
    assert "become line feeds" in editor("a\rb\nc")._said.text()
    assert "become line feeds" not in editor("a\r\nb")._said.text()


def test_that_json_is_laid_out_letter_by_letter_or_left_alone(editor):
    made = editor('{"b":10.00,"a":[1,{}],"a":"x, {y"}', "jsonb")
    made.lay_out()
    laid = made.text.toPlainText()
    assert laid == '{\n  "b": 10.00,\n  "a": [\n    1,\n    {}\n  ],\n  "a": "x, {y"\n}'
    assert "reads as JSON" in made._said.text()
    made.text.setPlainText("{,}")
    made.lay_out()
    assert made.text.toPlainText() == "{,}"
    assert "no JSON" in made._said.text()


def test_that_null_and_default_are_given_by_their_buttons(editor, qtbot):
    made = editor("x", has_default=True)
    with qtbot.waitSignal(made.default_wanted):
        made.findChild(QWidget, "cell_editor.default").click()
    made = editor("x")
    made.findChild(QWidget, "cell_editor.null").click()
    assert made.heard == [None]
    assert made.findChild(QWidget, "cell_editor.default") is None
    assert editor("x", may_be_null=False).findChild(QWidget, "cell_editor.null") is None


def test_what_fits_in_a_line():
    assert all(fits_in_line(each) for each in (None, "", "a b", "é😀", "  "))
    assert not any(fits_in_line(each) for each in ("a\nb", "a\tb", "x" * 301, "\u00a0", "a\x07"))
    assert too_large("x" * 300_000)
    assert not too_large("x\n" * 300_000)


def test_that_breadcrumbs_show_the_last_steps_and_say_which_was_chosen(qtbot):
    crumbs = Breadcrumbs("crumbs", [])
    qtbot.addWidget(crumbs)
    crumbs.show_steps(["a"], more=False)
    assert crumbs.isHidden()
    crumbs.show_steps(["a", "b", "c <b>", "d", "e"], more=False)
    assert not crumbs.isHidden()
    assert crumbs.findChild(QWidget, "crumbs.4") is None  # more than three steps back are "…"
    with qtbot.waitSignal(crumbs.chosen) as chosen:
        crumbs.findChild(QWidget, "crumbs.3").click()
    assert chosen.args == [3]
    assert crumbs.findChild(QWidget, "crumbs.2").text() == "c <b>"
