"""The SQL panel: what is run, files, formatting, and what is refused."""

import pytest
from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QPushButton

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def panel(connected):
    made = connected.window.deck.new_query()
    connected.frame.activateWindow()
    connected.until(connected.frame.isActiveWindow)
    made.editor.setFocus()
    connected.until(made.editor.hasFocus)
    return made


def run(connected, panel, text, key=Qt.Key.Key_Return, modifiers=CTRL):
    """Set the text with | where the caret is, press the key, and return each result's first value."""
    place = text.index("|") if "|" in text else 0
    panel.editor.setPlainText(text.replace("|", "", 1))
    panel.editor.set_caret(place)
    QTest.keyClick(panel.editor, key, modifiers)
    connected.until(lambda: not panel.is_running)
    return [panel.results.widget(at).model().index(0, 0).data() for at in range(panel.results.count())]


def test_that_ctrl_enter_runs_the_statement_at_the_caret_and_f5_all(connected, panel):
    text = "select 1;\n-- two\nselect '😀', 2|;\nselect 3"
    assert run(connected, panel, text) == ["😀"]
    assert run(connected, panel, "|" + text.replace("|", "")) == ["1"]
    assert run(connected, panel, text.replace("|", "").replace("-- t", "-- |t")) == ["😀"]
    assert run(connected, panel, text, Qt.Key.Key_F5, Qt.KeyboardModifier.NoModifier) == ["1", "😀", "3"]
    assert run(connected, panel, text, Qt.Key.Key_Return, CTRL | SHIFT) == ["1", "😀", "3"]


def test_that_a_selection_is_run_as_it_is_and_its_error_is_marked_in_the_whole_text(connected, panel):
    text = "select '😀';\nselect 1 + frm;"
    panel.editor.setPlainText(text)
    cursor = panel.editor.textCursor()
    cursor.setPosition(text.index("select 1") + 1)
    cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
    panel.editor.setTextCursor(cursor)
    connected.click("query.run")
    connected.until(lambda: not panel.is_running)
    assert panel.editor.extraSelections()[0].cursor.selectedText() == "frm"
    assert panel.editor.error_line() == 1


def test_that_copy_loads_the_lines_below_it_from_the_editor(connected, panel):
    run(
        connected,
        panel,
        "create table if not exists loaded (a int, b text); truncate loaded",
        Qt.Key.Key_F5,
        SHIFT & CTRL,
    )
    run(connected, panel, "select 0;\ncopy loaded from |stdin;\n1\tone\n2\ttwo\n\\.\nselect 9")
    assert "COPY 2" in panel.status
    assert run(connected, panel, "select count(*) from loaded") == ["2"]
    run(connected, panel, "drop table loaded")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("select 1;\n\\d person\n", 2, "command of psql's"),
        ("select 1;\n\ncopy person to stdout", 3, "a window has none"),
        ("copy person from stdin;", 1, "there is none"),
    ],
)
def test_that_what_cannot_be_sent_is_said_with_its_line_and_marked(connected, panel, text, line, words):
    served = connected.server.in_use.pool.stats().served
    assert run(connected, panel, text, Qt.Key.Key_F5, Qt.KeyboardModifier.NoModifier) == []
    assert panel.message.text().startswith(f"Line {line} cannot be sent")
    assert words in panel.message.text()
    assert panel.editor.error_line() == line - 1
    assert connected.server.in_use.pool.stats().served == served


def test_that_a_pasted_nul_is_refused_in_the_panel(panel):
    data = QMimeData()
    data.setText("select 1\0")
    panel.editor.insertFromMimeData(data)
    assert "NUL" in panel.message.text()
    assert panel.editor.toPlainText() == ""


def test_that_keys_of_the_editor_work_in_it_alone(connected, panel, qtbot):
    panel.editor.setPlainText("one\ntwo")
    QTest.keyClick(panel.editor, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert panel.editor.toPlainText() == "two\none"
    QTest.keyClick(panel.editor, Qt.Key.Key_Slash, CTRL | SHIFT)
    assert panel.editor.toPlainText() == "two\n-- one"
    QTest.keyClick(panel.editor, Qt.Key.Key_F, CTRL)
    assert connected.find("query.find").isVisible()
    QTest.keyClicks(panel.editor.find_bar.text, "two")
    QTest.keyClick(panel.editor.find_bar.text, Qt.Key.Key_F3)
    assert panel.editor.textCursor().selectedText() == "two"
    QTest.keyClick(panel.editor.find_bar.text, Qt.Key.Key_Escape)
    QTest.keyClick(panel.editor, Qt.Key.Key_Plus, CTRL)
    assert panel.editor.zoom() > 1
    QTest.keyClick(panel.editor, Qt.Key.Key_0, CTRL)
    assert panel.editor.zoom() == 1
    run(connected, panel, "select 'two' as b")
    grid = panel.results.currentWidget()
    grid.setFocus()
    QTest.keyClick(grid, Qt.Key.Key_F, CTRL)
    assert not panel.editor.find_bar.isVisible()


def test_that_the_text_is_laid_out_as_one_step_and_what_stays_is_said(connected, panel):
    text = "select a,b from t; -- why\nselect 'x'\n'y'"
    panel.editor.setPlainText(text)
    panel.action("query.format").trigger()
    connected.settle()
    assert panel.editor.toPlainText() == "select a,\n       b\n  from t; -- why\nselect 'x'\n'y'"
    assert "1 of the statements stay as they are" in panel.message.text()
    panel.editor.undo()
    assert panel.editor.toPlainText() == text


# -- files


@pytest.fixture
def choose(monkeypatch):
    """Answer the next dialogs with a path."""

    def answer(path):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))

    return answer


def tab(connected):
    return connected.window.deck.tabs.tabText(connected.window.deck.tabs.currentIndex())


def do(connected, panel, name):
    panel.action(name).trigger()
    connected.settle()


def press(panel, words):
    [button] = [each for each in panel.message.findChildren(QPushButton) if each.text() == words]
    button.click()


def test_that_a_file_is_opened_changed_and_saved_with_its_line_ends(connected, panel, tmp_path, choose):
    path = tmp_path / "R&D.sql"
    path.write_bytes("select 'é';\r\n".encode())
    choose(path)
    do(connected, panel, "query.open")
    assert panel.editor.toPlainText() == "select 'é';\n"
    assert tab(connected) == "R&&D.sql"
    QTest.keyClicks(panel.editor, "-- ")
    assert tab(connected) == "R&&D.sql •"
    do(connected, panel, "query.save")
    assert tab(connected) == "R&&D.sql"
    assert path.read_bytes() == "-- select 'é';\r\n".encode()


def test_that_a_file_that_is_opened_over_a_text_gets_a_tab_of_its_own(connected, panel, tmp_path, choose):
    path = tmp_path / "a.sql"
    path.write_text("select 2")
    panel.editor.setPlainText("")
    QTest.keyClicks(panel.editor, "mine")
    choose(path)
    do(connected, panel, "query.open")
    assert panel.editor.toPlainText() == "mine"
    assert [each.editor.toPlainText() for each in connected.window.deck.query_panels()] == ["mine", "select 2"]


def test_that_a_text_without_a_file_is_saved_to_the_one_that_is_chosen(connected, panel, tmp_path, choose):
    panel.editor.setPlainText("select 1")
    choose(tmp_path / "new.sql")
    do(connected, panel, "query.save")
    assert (tmp_path / "new.sql").read_text() == "select 1"
    assert tab(connected) == "new.sql"


def test_that_a_file_that_changed_on_disk_is_noticed_and_never_overwritten_unasked(connected, panel, tmp_path, choose):
    path = tmp_path / "a.sql"
    path.write_text("select 1")
    choose(path)
    do(connected, panel, "query.open")
    QTest.keyClicks(panel.editor, "-- ")
    path.write_text("theirs")
    do(connected, panel, "query.save")
    assert path.read_text() == "theirs"
    assert "another program changed it" in panel.message.text()
    press(panel, "Overwrite it")
    connected.settle()
    assert path.read_text() == "-- select 1"
    path.write_text("theirs again")
    panel.document.look()
    connected.settle()
    assert "was changed by another program" in panel.message.text()
    press(panel, "Read it again")
    connected.settle()
    assert panel.editor.toPlainText() == "theirs again"
    assert tab(connected) == "a.sql"
    panel.editor.undo()
    assert panel.editor.toPlainText() == "-- select 1"


def test_that_latin1_is_said_and_what_it_lacks_is_offered_as_utf8(connected, panel, tmp_path, choose):
    path = tmp_path / "old.sql"
    path.write_bytes(b"select '\xe9'")
    choose(path)
    do(connected, panel, "query.open")
    assert "LATIN1" in panel.message.text()
    panel.editor.moveCursor(QTextCursor.MoveOperation.End)
    panel.editor.insertPlainText("😀")
    do(connected, panel, "query.save")
    assert path.read_bytes() == b"select '\xe9'"
    press(panel, "Save it as UTF-8")
    connected.settle()
    assert path.read_text("utf-8") == "select 'é'😀"


def test_that_a_file_that_cannot_be_read_or_written_is_said_with_its_cause(connected, panel, tmp_path, choose):
    choose(tmp_path / "none.sql")
    do(connected, panel, "query.open")
    assert "No such file" in panel.message.text()
    (tmp_path / "nul.sql").write_bytes(b"a\0b")
    choose(tmp_path / "nul.sql")
    do(connected, panel, "query.open")
    assert "NUL" in panel.message.text()
    panel.editor.setPlainText("x")
    choose(tmp_path / "missing" / "a.sql")
    do(connected, panel, "query.save")
    assert "No such file" in panel.message.text()
    assert panel.editor.toPlainText() == "x"
