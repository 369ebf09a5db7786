"""The SQL editor as a widget: colours, lines, brackets, find and replace, completion."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QTextCursor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pgexplorer.db import statements, tokens
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.sql_completion import narrowed
from pgexplorer.ui.widgets.sql_editor import Completion, Language, SqlEditor

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)
CTRL, SHIFT, ALT = (
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
SQL = Language(
    tokens.styled,
    tokens.next_state,
    lambda text, start: ((each.start, each.stop) for each in statements.statements(text, start)),
)


@pytest.fixture
def editor(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    widget = SqlEditor(SQL)
    qtbot.addWidget(widget)
    widget.resize(700, 400)
    widget.show()
    widget.activateWindow()
    widget.setFocus()
    qtbot.waitUntil(widget.hasFocus)
    return widget


def put(editor, text):
    """Set the text, with | where the caret is, or || around what is selected."""
    places = [text.index("|")]
    text = text.replace("|", "", 1)
    if "|" in text:
        places.append(text.index("|"))
        text = text.replace("|", "", 1)
    editor.setPlainText(text)
    cursor = editor.textCursor()
    cursor.setPosition(places[0])
    cursor.setPosition(places[-1], QTextCursor.MoveMode.KeepAnchor)
    editor.setTextCursor(cursor)


def got(editor):
    text, (start, end) = editor.toPlainText(), editor.selection()
    return f"{text[:start]}|{text[start:]}" if start == end else f"{text[:start]}|{text[start:end]}|{text[end:]}"


def colours(editor, line):
    block = editor.document().findBlockByNumber(line)
    text = block.text().encode("utf-16-le")
    return [
        (text[2 * each.start : 2 * (each.start + each.length)].decode("utf-16-le"), each.format.foreground().color())
        for each in block.layout().formats()
    ]


def roles(editor, line):
    names = {theme.colour(role).name(): role for role in ("keyword", "string", "comment", "number", "type", "function")}
    return {text: names.get(colour.name(), "") for text, colour in colours(editor, line)}


# -- colours


def test_that_a_line_wears_the_colours_of_its_tokens_also_behind_an_emoji(editor):
    editor.setPlainText("select '😀', count(*) -- 😀 end\nfrom t")
    found = roles(editor, 0)
    assert found["select"] == "keyword"
    assert found["'😀'"] == "string"
    assert found["count"] == "function"
    assert found["-- 😀 end"] == "comment"
    assert roles(editor, 1)["from"] == "keyword"


def test_that_a_comment_that_is_opened_far_above_colours_what_is_in_sight_and_then_the_rest(editor, qtbot):
    editor.setPlainText("\n".join(f"select {n} as a;" for n in range(5000)))
    qtbot.waitUntil(lambda: not editor.highlighter.is_busy)
    QTest.keyClicks(editor, "/*")
    assert roles(editor, 3) == {"select 3 as a;": "comment"}
    qtbot.waitUntil(lambda: not editor.highlighter.is_busy)
    assert editor.highlighter.state_before(4999) == "/1"
    editor.undo()
    assert roles(editor, 3)["select"] == "keyword"
    qtbot.waitUntil(lambda: not editor.highlighter.is_busy)
    assert editor.highlighter.state_before(4999) == ""


def test_that_the_end_is_coloured_right_when_it_is_looked_at_before_the_rest_was_read(editor):
    editor.setPlainText("select $x$\n" + "a\n" * 3000 + "$x$, 1\n")
    editor.moveCursor(QTextCursor.MoveOperation.End)
    assert roles(editor, 3001)["$x$"] == "string"


PIECES = ["'", "/*", "*/", "$$", "--", "\n", "a", " ", '"', "E'", "\\", "\n\n", "select"]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.3), st.lists(st.sampled_from(PIECES), max_size=4)), max_size=12)
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_after_any_edits_every_line_has_the_state_of_a_text_read_from_its_start(editor, edits):
    editor.setPlainText("select 'a'\nfrom t /* b */\n$$ c $$\n" * 5)
    for at, size, pieces in edits:
        end = editor.document().characterCount() - 1
        cursor = editor.textCursor()
        cursor.setPosition(int(at * end))
        cursor.setPosition(min(end, int((at + size) * end)), QTextCursor.MoveMode.KeepAnchor)
        cursor.insertText("".join(pieces))
        if len(pieces) == 3:
            editor.undo()
    state = ""
    for line, text in enumerate(editor.toPlainText().split("\n")):
        assert editor.highlighter.state_before(line) == state, line
        state = tokens.next_state(text, state)


def test_that_another_theme_brings_its_colours(editor, qapp):
    editor.setPlainText("select 1")
    theme.apply(qapp, theme.Scheme.DARK)
    assert dict(colours(editor, 0))["select"] == theme.colour("keyword")
    assert theme.colour("keyword").name() == theme.DARK.keyword


# -- lines


@pytest.mark.parametrize(
    ("before", "keys", "after"),
    [
        ("sel|ect", [(Qt.Key.Key_Tab, None)], "sel |ect"),
        ("|a", [(Qt.Key.Key_Tab, None)], "    |a"),
        ("|a\nb\n\nc|", [(Qt.Key.Key_Tab, None)], "|    a\n    b\n\n    c|"),
        ("|    a\n  b\n\tc|", [(Qt.Key.Key_Backtab, SHIFT)], "|a\nb\nc|"),
        ("    a|b", [(Qt.Key.Key_Backtab, SHIFT)], "a|b"),
        ("    |a", [(Qt.Key.Key_Backspace, None)], "|a"),
        ("  a|", [(Qt.Key.Key_Return, None)], "  a\n  |"),
        ("f(|)", [(Qt.Key.Key_Return, None)], "f(\n    |\n)"),
        ("  f(|", [(Qt.Key.Key_Enter, None)], "  f(\n      |"),
        ("  select 'a|b'", [(Qt.Key.Key_Return, None)], "  select 'a\n|b'"),
        ("  do $$ a|b $$", [(Qt.Key.Key_Return, None)], "  do $$ a\n  |b $$"),
        ("  a|", [(Qt.Key.Key_Return, SHIFT)], "  a\n  |"),
    ],
)
def test_that_indenting_goes_by_four(editor, before, keys, after):
    put(editor, before)
    for key, modifier in keys:
        QTest.keyClick(editor, key, modifier or Qt.KeyboardModifier.NoModifier)
    assert got(editor) == after
    editor.undo()
    assert editor.toPlainText() == before.replace("|", "")


@pytest.mark.parametrize(
    ("before", "command", "after"),
    [
        ("a|b", "toggle_comment", "-- a|b"),
        ("-- a|b", "toggle_comment", "a|b"),
        ("|  a\n\n    b|\nc", "toggle_comment", "|  -- a\n\n  --   b|\nc"),
        ("|  -- a\n\n  --   b|\nc", "toggle_comment", "|  a\n\n    b|\nc"),
        ("|--a\nb|", "toggle_comment", "|-- --a\n-- b|"),
        ("|-- a\n-- b\n|c", "toggle_comment", "|a\nb|\nc"),
        ("a\nb|b\nc", ("move_lines", -1), "b|b\na\nc"),
        ("a\nb|b\nc", ("move_lines", 1), "a\nc\nb|b"),
        ("a\n|b\nc|\nd", ("move_lines", 1), "a\nd\n|b\nc|"),
        ("|a\nb", ("move_lines", -1), "|a\nb"),
        ("a\nb|", ("move_lines", 1), "a\nb|"),
        ("a\nb|b\nc", ("duplicate_lines", 1), "a\nbb\nb|b\nc"),
        ("a\nb|b", ("duplicate_lines", -1), "a\nb|b\nbb"),
        ("|a\nb|\nc", ("duplicate_lines", 1), "a\nb\n|a\nb|\nc"),
        ("a\nb|\nc", "delete_lines", "a\n|c"),
        ("a\nb|", "delete_lines", "a|"),
    ],
)
def test_that_a_command_on_lines_is_one_step(editor, before, command, after):
    put(editor, before)
    name, *given_ = (command,) if isinstance(command, str) else command
    getattr(editor, name)(*given_)
    assert got(editor) == after
    if before != after:
        editor.undo()
        assert editor.toPlainText() == before.replace("|", "")
        editor.redo()
        assert editor.toPlainText() == after.replace("|", "")


# -- the text


def test_that_the_text_is_kept_code_point_for_code_point(editor):
    text = "select 'a\u00a0b', '\u2028', '😀e\u0301', '\t'"
    editor.setPlainText(text)
    assert editor.toPlainText() == text
    editor.selectAll()
    editor.copy()
    assert QGuiApplication.clipboard().text() == text


def test_that_a_text_with_a_nul_is_refused_and_said(editor, qtbot):
    editor.setPlainText("before")
    data = QMimeData()
    data.setText("delete from t\n\0 where a")
    with qtbot.waitSignal(editor.refused) as said:
        editor.insertFromMimeData(data)
    assert "NUL character in its line 2" in said.args[0]
    with qtbot.waitSignal(editor.refused):
        editor.replace_text("\0")
    assert editor.toPlainText() == "before"


def test_that_only_plain_text_is_pasted(editor):
    data = QMimeData()
    data.setHtml("<b>bold</b>")
    data.setText("<b>")
    editor.insertFromMimeData(data)
    assert editor.toPlainText() == "<b>"
    assert QApplication.clipboard() is not None


def test_that_an_error_is_marked_at_pythons_position_and_goes_with_the_next_key(editor):
    text = "select '😀😀';\nselect frm"
    editor.setPlainText(text)
    editor.mark_error(text.index("frm"))
    assert [each.cursor.selectedText() for each in editor.extraSelections()] == ["frm"]
    assert editor.error_line() == 1
    assert editor.caret() == text.index("frm")
    QTest.keyClick(editor, Qt.Key.Key_X)
    assert editor.error_line() == -1


def test_that_an_error_at_the_end_is_marked_too(editor):
    editor.setPlainText("select (")
    editor.mark_error(8)
    assert editor.extraSelections()[0].cursor.hasSelection()
    editor.mark_error(99)


# -- what is around the caret


def pair(editor, qtbot):
    qtbot.waitUntil(lambda: not editor._look_timer.isActive())
    return sorted(each.cursor.selectionStart() for each in editor.extraSelections())


def test_that_brackets_are_matched_but_not_in_strings_and_comments(editor, qtbot):
    put(editor, "select f|(a[1], ')', /* ) */ (b)\n) + 1")
    assert pair(editor, qtbot) == [8, 32]
    editor.set_caret(33)
    assert pair(editor, qtbot) == [8, 32]
    editor.set_caret(17)
    assert pair(editor, qtbot) == []
    put(editor, "select (|]")
    assert pair(editor, qtbot) == []


def marked(editor, qtbot):
    qtbot.waitUntil(
        lambda: not (editor._look_timer.isActive() or editor._read_timer.isActive() or editor.statements.is_busy)
    )
    return editor.statement_lines()


def test_that_the_statement_at_the_caret_is_marked(editor, qtbot):
    put(editor, "select 1;\n\n-- two\nselect\n  2|;\n\nselect 3")
    assert marked(editor, qtbot) == (3, 4)
    editor.set_caret(0)
    assert marked(editor, qtbot) == (0, 0)
    editor.set_caret(10)
    assert marked(editor, qtbot) == (0, -1)
    editor.moveCursor(QTextCursor.MoveOperation.End)
    QTest.keyClicks(editor, ", '")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.keyClicks(editor, "x")
    assert marked(editor, qtbot) == (6, 7)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2), st.sampled_from(["", ";", "'", "x", "\n", "$$", "(", "/*"])))
)
@settings(max_examples=60, deadline=None)
def test_that_statements_found_anew_after_a_change_are_those_of_the_whole_text(qapp, edits):
    from pgexplorer.ui.widgets.sql_statement_marks import StatementMarks

    marks = StatementMarks(SQL, qapp)
    text = "select 1; select (2);\nselect ';'; update t set a = $$;$$;\n" * 4
    for at, size, piece in [(0.0, 0.0, ""), *edits]:
        start = int(at * len(text))
        text = text[:start] + piece + text[start + int(size * len(text)) :]
        marks.read(text)
        while marks.is_busy:
            marks._go_on()
        assert list(zip(marks._starts, marks._stops, strict=True)) == list(SQL.statements(text, 0))
    marks.deleteLater()


# -- find and replace


def find(editor, qtbot, text, **switches):
    bar = editor.find_bar
    bar.open_bar(replacing=True)
    for name, on in switches.items():
        getattr(bar, name).setChecked(on)
    bar.text.setText(text)
    qtbot.waitUntil(lambda: not bar.is_counting)
    return bar


@pytest.mark.parametrize(
    ("text", "switches", "count"),
    [
        ("a", {}, "5"),
        ("a", {"case": True}, "4"),
        ("a", {"words": True}, "1"),
        ("a.", {}, "1"),
        ("a.", {"regex": True}, "4"),
        ("^.", {"regex": True}, "3"),
        ("é😀", {}, "1"),
        ("zz", {}, "No match"),
        ("(", {"regex": True}, "not a pattern"),
    ],
)
def test_that_matches_are_counted(editor, qtbot, text, switches, count):
    editor.setPlainText("a b Abc\nxa.\né😀 aa (")
    assert find(editor, qtbot, text, **switches).said.text() == count


def test_that_search_goes_around_both_ends_by_keys(editor, qtbot):
    put(editor, "one |two one\n😀 one")
    bar = find(editor, qtbot, "one")
    places = []
    for key in (Qt.Key.Key_Return, Qt.Key.Key_F3, Qt.Key.Key_F3):
        QTest.keyClick(bar.text, key)
        places.append(editor.selection())
    assert places == [(8, 11), (14, 17), (0, 3)]
    QTest.keyClick(bar.text, Qt.Key.Key_F3, SHIFT)
    assert editor.selection() == (14, 17)
    assert bar.said.text() == "3 of 3"
    QTest.keyClick(bar.text, Qt.Key.Key_Escape)
    assert not bar.isVisible()
    assert editor.hasFocus()
    editor.find_previous()
    assert editor.selection() == (8, 11)


def test_that_matches_in_sight_are_highlighted_and_no_more_than_so_many(editor, qtbot):
    editor.setPlainText("a " * 3000 + "\n" + "a\n" * 3000)
    find(editor, qtbot, "a")
    assert len(editor.extraSelections()) == 500
    editor.find_bar.close_bar()
    assert editor.extraSelections() == []


def test_that_another_text_takes_the_matches_of_the_one_before_away(editor, qtbot):
    editor.setPlainText("a\n" * 5000)
    editor.moveCursor(QTextCursor.MoveOperation.End)
    bar = find(editor, qtbot, "a")
    editor.setPlainText("b a")
    qtbot.waitUntil(lambda: not bar.is_counting)
    assert [each.cursor.selectionStart() for each in editor.extraSelections()] == [2]


def test_that_replace_all_is_one_step_with_groups(editor, qtbot):
    text = "f(1, 2); f(3, 4); '😀' f(5,6)"
    editor.setPlainText(text)
    bar = find(editor, qtbot, r"f\((\d+), ?(\d+)\)", regex=True)
    bar.replacement.setText(r"g(\2, \1)")
    bar.replace_all()
    assert editor.toPlainText() == "g(2, 1); g(4, 3); '😀' g(6, 5)"
    assert bar.said.text() == "3 replaced"
    editor.undo()
    assert editor.toPlainText() == text


def test_that_a_replacement_that_holds_the_pattern_ends(editor, qtbot):
    editor.setPlainText("a a")
    bar = find(editor, qtbot, "a")
    bar.replacement.setText("aa")
    bar.replacement.setFocus()
    for _ in range(3):
        QTest.keyClick(bar.replacement, Qt.Key.Key_Return)
    assert editor.toPlainText() == "aa aa"
    bar.replacement.setText("\\1")
    bar.replace_all()
    assert editor.toPlainText() == "\\1\\1 \\1\\1"


# -- zoom


def test_that_ctrl_and_the_wheel_zoom_and_the_theme_keeps_it(editor, qapp):
    before = editor.fontMetrics().height()
    at = QPointF(100, 100)
    wheel = QWheelEvent(
        at, at, QPoint(), QPoint(0, 480), Qt.MouseButton.NoButton, CTRL, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(editor.viewport(), wheel)
    assert editor.zoom() == pytest.approx(1.1**4)
    larger = editor.fontMetrics().height()
    assert larger > before * 1.2
    theme.apply(qapp, theme.Scheme.DARK)
    assert editor.fontMetrics().height() == larger
    editor.set_zoom(1)
    assert editor.fontMetrics().height() == before
    editor.set_zoom(1000)
    assert editor.zoom() == 4


# -- completion

OFFER = [
    Completion("customers", "table", "shop"), Completion("custom_note", "column", "text"),
    Completion("account", "table"), Completion("Order", "table", "", '"Order"'), Completion("select", "code"),
]  # fmt: skip


def listed(editor):
    return editor.popup.texts if editor.popup.isVisible() else None


def test_that_two_letters_or_a_dot_ask_what_could_come_next(editor, qtbot):
    asked = []
    editor.completion_wanted.connect(lambda text, caret: asked.append((text, caret)))
    QTest.keyClicks(editor, "s")
    QTest.keyClicks(editor, "e")
    qtbot.waitUntil(lambda: asked == [("se", 2)])
    editor.insertPlainText("lect 😀")
    QTest.keyClicks(editor, "t.")
    qtbot.waitUntil(lambda: asked[-1] == ("select 😀t.", 10))
    QTest.keyClicks(editor, " '")
    asked.clear()
    QTest.keyClicks(editor, "abc")
    QTest.keyClick(editor, Qt.Key.Key_Space, CTRL)
    qtbot.waitUntil(lambda: not editor._ask_timer.isActive())
    assert asked == []
    QTest.keyClicks(editor, "' ")
    QTest.keyClick(editor, Qt.Key.Key_Space, CTRL)
    assert len(asked) == 1


@pytest.mark.parametrize("text", ["-- co", "/* co", "'co", "E'co", "x /*\nco"])
def test_that_nothing_is_offered_in_strings_and_comments(editor, text):
    put(editor, text + "|")
    editor.offer(OFFER, len(text) - 2)
    assert listed(editor) is None


@pytest.mark.parametrize("text", ["'a' co", "/* a */ co", '"co', "$$ co"])
def test_that_behind_them_and_in_names_and_bodies_it_is(editor, text):
    put(editor, text + "|")
    editor.offer(OFFER, len(text) - 2)
    assert listed(editor) is not None


def test_that_the_list_narrows_while_typing_and_a_key_takes_a_line(editor, qtbot):
    put(editor, "select * from cu|")
    editor.offer(OFFER, 14)
    assert listed(editor) == ["customers", "custom_note"]
    QTest.keyClick(editor, Qt.Key.Key_Down)
    QTest.keyClick(editor, Qt.Key.Key_S)
    assert editor.popup.current().text == "custom_note"
    QTest.keyClick(editor, Qt.Key.Key_Up)
    with qtbot.waitSignal(editor.completed) as taken:
        QTest.keyClick(editor, Qt.Key.Key_Tab)
    assert taken.args[0].text == "customers"
    assert got(editor) == "select * from customers|"
    assert listed(editor) is None
    editor.undo()
    assert editor.toPlainText() == "select * from cus"


def test_that_enter_breaks_the_line_when_no_list_is_shown_or_all_is_typed(editor):
    put(editor, "customers|")
    editor.offer(OFFER[:1], 0)
    assert listed(editor) is None
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert editor.toPlainText() == "customers\n"
    put(editor, "cu|")
    editor.offer(OFFER, 0)
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert listed(editor) is None
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert editor.toPlainText() == "cu\n"


def test_that_a_name_in_need_of_quotes_is_put_in_with_them(editor):
    put(editor, "or|")
    editor.offer(OFFER, 0)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert editor.toPlainText() == '"Order"'


@pytest.mark.parametrize("key", [Qt.Key.Key_Space, Qt.Key.Key_Left, Qt.Key.Key_Home, Qt.Key.Key_Semicolon])
def test_that_leaving_the_word_hides_the_list(editor, key):
    put(editor, "select c|")
    editor.offer(OFFER, 7)
    assert listed(editor)
    for _ in range(2):
        QTest.keyClick(editor, key)
    assert listed(editor) is None


def test_that_an_offer_that_comes_late_is_dropped(editor):
    put(editor, "select co x|")
    editor.offer(OFFER, 7)
    assert listed(editor) is None
    editor.offer([], 11)
    assert listed(editor) is None


def test_that_the_list_stays_inside_the_window(editor):
    put(editor, "x\n" * 60 + " " * 90 + "c|")
    editor.ensureCursorVisible()
    editor.offer(OFFER * 5, len(editor.toPlainText()) - 1)
    assert editor.rect().contains(editor.popup.geometry())


def test_that_what_begins_so_comes_first_then_words_then_letters_in_order():
    items = [Completion(text) for text in ("order_customer", "c_u_s", "customer", "x", "curious")]
    assert [each.text for each in narrowed(items, "CUS")] == ["customer", "order_customer", "c_u_s", "curious"]
    assert narrowed(items, "") == items


# -- the margin


def test_that_a_click_in_the_margin_chooses_lines(editor, qtbot):
    editor.setPlainText("one\ntwo\nthree\nfour")
    tops = {line: top + height // 2 for line, top, height in editor.lines_in_sight()}
    QTest.mouseClick(editor._gutter, Qt.MouseButton.LeftButton, pos=QPoint(5, tops[1]))
    assert editor.textCursor().selectedText() == "two\u2029"
    QTest.mousePress(editor._gutter, Qt.MouseButton.LeftButton, pos=QPoint(5, tops[2]))
    QTest.mouseMove(editor._gutter, QPoint(5, tops[0]))
    QTest.mouseRelease(editor._gutter, Qt.MouseButton.LeftButton, pos=QPoint(5, tops[0]))
    assert editor.textCursor().selectionStart() == 0


def test_that_the_margin_grows_with_the_numbers(editor):
    before = editor.viewportMargins().left()
    editor.setPlainText("\n" * 10_000)
    assert editor.viewportMargins().left() > before
    assert editor._gutter.width() == editor.viewportMargins().left()
