"""A large block pasted: the window answers meanwhile, it is one step, and stopped half-way nothing of it stays."""

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from fix_cells import Key, answer, at, cell, write
from pgexplorer.ui.table import paster as room

ROWS = 6_000


@pytest.fixture
def numbers(open_table):
    return open_table("""
        CREATE TABLE t (id int PRIMARY KEY, a text, b text);
        INSERT INTO t SELECT n, 'a ' || n, 'b ' || n FROM generate_series(1, 2000) n; ANALYZE t
    """)


def said(panel):
    return panel.pending_bar.text()


def copy(rows, quote="", first=1):
    """Put a block of so many rows on the clipboard, each with a key, and two values in quotation marks or not."""
    lines = (f"{n}\t{quote}x {n}{quote}\t{quote}y {n}{quote}" for n in range(first, first + rows))
    QGuiApplication.clipboard().setText("\n".join(lines) + "\n")


def paste(panel, row=0, column=0):
    at(panel, row, column)
    panel.action("table.paste").trigger()
    assert panel.editing.is_pasting


def pasted(driver, panel):
    driver.until(lambda: not panel.editing.is_pasting)


@pytest.fixture
def halfway(numbers, monkeypatch):
    """Do something when a part of a block was written."""
    monkeypatch.setattr(room, "_TURN_SECONDS", 0)
    done = []
    look = QTimer(numbers, interval=0)

    def when(do):
        def once(*_news):
            if not done and numbers.editing.paster._written >= room._TURN:
                done.append(numbers.editing.counts.total)
                QTimer.singleShot(0, numbers, do)

        look.timeout.connect(once)
        look.start()
        return done

    return when


@pytest.mark.parametrize("quote", ["", '"'])
def test_that_a_large_block_is_one_step_and_the_window_answers_while_it_comes(connected, numbers, quote, monkeypatch):
    monkeypatch.setattr(room, "_TURN_SECONDS", 0)
    answered = []
    beat = QTimer(interval=0)
    beat.timeout.connect(lambda: answered.append(numbers.editing.counts.total))
    beat.start()
    copy(ROWS, quote)
    paste(numbers)
    pasted(connected, numbers)
    beat.stop()
    assert len({count for count in answered if 0 < count < ROWS}) > 10
    assert said(numbers) == "2,000 changed, 4,000 inserted · not sent yet"
    assert "4,000 rows ran past the end and would be new" in numbers.message.text()
    assert [cell(numbers, 1999, at) for at in range(3)] == ["2000", "x 2000", "y 2000"]
    assert [cell(numbers, ROWS - 1, at) for at in range(3)] == [str(ROWS), f"x {ROWS}", f"y {ROWS}"]
    numbers.action("table.undo").trigger()
    assert (said(numbers), numbers.model.rowCount()) == ("", 2000)
    assert numbers.grid.currentIndex().row() == 0
    assert [cell(numbers, 1999, at) for at in range(3)] == ["2000", "a 2000", "b 2000"]
    assert not numbers.action("table.undo").isEnabled()
    numbers.action("table.redo").trigger()
    assert said(numbers) == "2,000 changed, 4,000 inserted · not sent yet"
    assert cell(numbers, ROWS - 1, 1) == f"x {ROWS}"


def test_that_rows_that_are_not_here_yet_are_read_first(connected, numbers, do, own_schema):
    assert numbers.reader.pages.stretch.end < 2000
    copy(2000)
    paste(numbers)
    pasted(connected, numbers)
    assert said(numbers) == "2,000 changed · not sent yet"
    numbers.action("table.send").trigger()
    connected.settle()
    assert do(f"SELECT count(*) FROM {own_schema}.t WHERE a = 'x ' || id AND b = 'y ' || id") == [(2000,)]


@pytest.mark.parametrize("how", ["escape", "undo", "stop", "drop"])
def test_that_a_paste_that_is_stopped_halfway_leaves_nothing(connected, numbers, halfway, how):
    write(connected, numbers, 5, 1, "before")
    stop = {
        "escape": lambda: QTest.keyClick(numbers.grid, Key.Key_Escape),
        "undo": numbers.action("table.undo").trigger,
        "stop": numbers.pending_bar.stop_wanted.emit,
        "drop": numbers.editing.drop,
    }[how]
    done = halfway(stop)
    copy(ROWS)
    paste(numbers)
    pasted(connected, numbers)
    assert 0 < done[0] < ROWS
    assert "The paste was stopped" in numbers.message.text()
    assert said(numbers) == ("" if how == "drop" else "1 changed · not sent yet")
    assert numbers.model.rowCount() == 2000
    assert cell(numbers, 0, 1) == "a 1"
    assert cell(numbers, 5, 1) == ("a 6" if how == "drop" else "before")
    assert not numbers.action("table.redo").isEnabled()
    connected.settle()


def test_that_a_paste_that_is_stopped_before_anything_was_written_leaves_nothing(connected, numbers):
    copy(ROWS)
    paste(numbers)
    QTest.keyClick(numbers.grid, Key.Key_Escape)
    assert not numbers.editing.is_pasting
    connected.settle()
    assert (said(numbers), numbers.model.rowCount()) == ("", 2000)
    copy(3)
    at(numbers, 0, 0)
    numbers.action("table.paste").trigger()
    assert said(numbers) == "3 changed · not sent yet"


def test_that_nothing_else_is_changed_while_a_block_comes(connected, numbers, halfway):
    halfway(lambda: numbers.editing.write(3, 1, "typed"))
    copy(ROWS)
    paste(numbers)
    numbers.editing.write(3, 1, "typed")
    assert "A block is being pasted" in numbers.message.text()
    for name in ("send", "review", "drop", "insert", "delete", "redo", "paste"):
        assert not numbers.action(f"table.{name}").isEnabled(), name
    pasted(connected, numbers)
    assert cell(numbers, 3, 1) == "x 4"


def test_that_closing_the_tab_waits_for_the_block_and_asks_then(connected, numbers, halfway):
    window = connected.window
    halfway(lambda: window.deck.close_tab(window.deck.tabs.indexOf(numbers)))
    copy(ROWS)
    paste(numbers)
    assert connected.frame.close() is False  # the window waits too
    answer(connected, "cancel")
    assert said(numbers) == "2,000 changed, 4,000 inserted · not sent yet"
    window.deck.close_tab(window.deck.tabs.indexOf(numbers))
    answer(connected, "drop")
    connected.until(lambda: window.deck.tabs.indexOf(numbers) < 0)
    connected.settle()


def test_that_what_is_sent_while_a_block_comes_is_the_whole_block(connected, numbers, halfway, do, own_schema):
    halfway(numbers.sending.send)
    copy(ROWS)
    paste(numbers)
    pasted(connected, numbers)
    connected.until(lambda: not numbers.has_pending)
    connected.settle()
    assert do(f"SELECT count(*) FROM {own_schema}.t WHERE a = 'x ' || id") == [(ROWS,)]


def test_that_a_server_that_is_lost_before_the_rows_are_read_ends_the_paste(connected, numbers):
    copy(2000)
    paste(numbers)
    connected.until(lambda: numbers.reader._wish is not None or not numbers.editing.is_pasting)
    assert numbers.editing.is_pasting
    numbers.reader.forget()
    assert not numbers.editing.is_pasting
    assert "its rows were not read" in numbers.message.text()
    connected.settle()
    assert said(numbers) == ""


def test_that_one_large_value_goes_into_all_selected_cells(connected, numbers):
    QGuiApplication.clipboard().setText("long " * 5_000)
    at(numbers, 0, 1)
    selection = numbers.grid.selectionModel()
    selection.select(numbers.model.index(2, 1), selection.SelectionFlag.Select)
    numbers.action("table.paste").trigger()
    connected.until(lambda: said(numbers) == "2 changed · not sent yet")
    connected.until(lambda: not numbers.editing.is_pasting)
    assert numbers.model.value(2, 1) == "long " * 5_000


def test_that_too_many_cells_and_what_cannot_be_sent_are_refused_before_anything_is_written(connected, numbers):
    copy(40_000)
    paste(numbers)
    pasted(connected, numbers)
    assert "More than 100,000 cells are not pasted" in numbers.message.text()
    QGuiApplication.clipboard().setText("a" * 20_000 + "\0")
    paste(numbers)
    pasted(connected, numbers)
    assert "NUL character" in numbers.message.text()
    assert said(numbers) == ""
