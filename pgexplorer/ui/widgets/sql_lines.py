"""What the editor does with whole lines: indent, comment, move, duplicate, delete. Each is one step to undo."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QPlainTextEdit

from pgexplorer.ui.widgets.text_places import code_points

INDENT = 4
_KEEP = QTextCursor.MoveMode.KeepAnchor


def indent(editor: QPlainTextEdit) -> None:
    """Indent the lines of the selection; without one, go on to the next stop."""
    cursor = editor.textCursor()
    if not _is_of_lines(cursor):
        line = text_before(cursor) if not cursor.hasSelection() else ""
        with _one_step(cursor):
            cursor.insertText(" " * (INDENT - len(line.expandtabs(INDENT)) % INDENT))
        editor.setTextCursor(cursor)
        return
    _each_line(editor, lambda text: " " * INDENT + text if text.strip() else text)


def dedent(editor: QPlainTextEdit) -> None:
    """Take one stop of white space from the start of each line of the selection, or of the caret's."""

    def taken(text: str) -> str:
        if text.startswith("\t"):
            return text[1:]
        return text[min(INDENT, len(text) - len(text.lstrip(" "))) :]

    _each_line(editor, taken)


def toggle_comment(editor: QPlainTextEdit, mark: str) -> None:
    """Make the lines of the selection comments by *mark* at their common indent, or code again when all are."""
    lines = [text for text in _texts(editor) if text.strip()]
    if lines and all(text.lstrip().startswith(mark) for text in lines):

        def changed(text: str) -> str:
            at = text.find(mark)
            if at < 0:
                return text
            rest = text[at + len(mark) :]
            return text[:at] + rest.removeprefix(" ")
    else:
        column = min((len(text) - len(text.lstrip()) for text in lines), default=0)

        def changed(text: str) -> str:
            return f"{text[:column]}{mark} {text[column:]}" if text.strip() or not lines else text

    _each_line(editor, changed)


def move(editor: QPlainTextEdit, step: int) -> None:
    """Move the lines of the selection up (-1) or down (1), over the line there."""
    first, last = _range(editor.textCursor())
    document = editor.document()
    other = document.findBlockByNumber(first - 1 if step < 0 else last + 1)
    if not other.isValid():
        return
    cursor = editor.textCursor()
    anchor, position = cursor.anchor(), cursor.position()
    lines = _texts(editor)
    by = step * (other.length())
    pieces = [*lines, other.text()] if step < 0 else [other.text(), *lines]
    _replace(editor, min(first, other.blockNumber()), max(last, other.blockNumber()), pieces)
    _select(editor, anchor + by, position + by)


def duplicate(editor: QPlainTextEdit, step: int) -> None:
    """Repeat the lines of the selection; the caret stays in the upper ones (-1) or goes to the lower ones (1)."""
    cursor = editor.textCursor()
    anchor, position = cursor.anchor(), cursor.position()
    first, last = _range(cursor)
    document = editor.document()
    end = document.findBlockByNumber(last)
    size = end.position() + end.length() - document.findBlockByNumber(first).position()
    writer = QTextCursor(document)
    writer.setPosition(end.position() + end.length() - 1)
    with _one_step(writer):
        writer.insertText("\n" + "\n".join(_texts(editor)))
    by = size if step > 0 else 0
    _select(editor, anchor + by, position + by)


def delete(editor: QPlainTextEdit) -> None:
    """Take the lines of the selection out."""
    document = editor.document()
    first, last = _range(editor.textCursor())
    start, end = document.findBlockByNumber(first), document.findBlockByNumber(last)
    cursor = QTextCursor(document)
    if end.next().isValid():
        cursor.setPosition(start.position())
        cursor.setPosition(end.next().position(), _KEEP)
    else:
        cursor.setPosition(max(0, start.position() - 1))
        cursor.setPosition(end.position() + end.length() - 1, _KEEP)
    with _one_step(cursor):
        cursor.removeSelectedText()
    editor.setTextCursor(cursor)


def break_line(editor: QPlainTextEdit, *, keeps_indent: bool) -> None:
    """Begin a new line, indented as the one before it, or one stop more behind an opening bracket."""
    cursor = editor.textCursor()
    text = cursor.block().text()
    before = text_before(cursor) if not cursor.hasSelection() else ""
    lead = before[: len(before) - len(before.lstrip(" \t"))] if keeps_indent else ""
    opened = keeps_indent and before.rstrip().endswith("(")
    closes = opened and text[len(before) :].lstrip().startswith(")")
    with _one_step(cursor):
        cursor.insertText("\n" + lead + (" " * INDENT if opened else ""))
        if closes:
            place = cursor.position()
            cursor.insertText("\n" + lead)
            cursor.setPosition(place)
    editor.setTextCursor(cursor)
    editor.ensureCursorVisible()


def text_before(cursor: QTextCursor) -> str:
    """Return what stands before the caret in its line."""
    text = cursor.block().text()
    return text[: code_points(text, cursor.positionInBlock())]


def _is_of_lines(cursor: QTextCursor) -> bool:
    first, last = _range(cursor)
    return cursor.hasSelection() and first != last


def _range(cursor: QTextCursor) -> tuple[int, int]:
    """Return the first and the last line of the selection; not the line at whose start it ends."""
    document = cursor.document()
    first = document.findBlock(cursor.selectionStart()).blockNumber()
    end = document.findBlock(cursor.selectionEnd())
    last = end.blockNumber()
    if last > first and cursor.selectionEnd() == end.position():
        last -= 1
    return first, last


def _texts(editor: QPlainTextEdit) -> list[str]:
    first, last = _range(editor.textCursor())
    block = editor.document().findBlockByNumber(first)
    texts: list[str] = []
    for _ in range(first, last + 1):
        texts.append(block.text())
        block = block.next()
    return texts


def _each_line(editor: QPlainTextEdit, change: Callable[[str], str]) -> None:
    """Change each line of the selection, which then spans the same lines; a caret alone stays beside its character."""
    cursor = editor.textCursor()
    first, last = _range(cursor)
    before = _texts(editor)
    after = [change(text) for text in before]
    if after == before:
        return
    block = editor.document().findBlockByNumber(first)
    from_end = block.length() - 1 - cursor.positionInBlock()
    alone = not cursor.hasSelection()
    _replace(editor, first, last, after)
    document = editor.document()
    start, end = document.findBlockByNumber(first), document.findBlockByNumber(last)
    if alone:
        place = start.position() + max(0, start.length() - 1 - from_end)
        _select(editor, place, place)
    else:
        _select(editor, start.position(), end.position() + end.length() - 1)


def _replace(editor: QPlainTextEdit, first: int, last: int, texts: list[str]) -> None:
    document = editor.document()
    start, end = document.findBlockByNumber(first), document.findBlockByNumber(last)
    cursor = QTextCursor(document)
    cursor.setPosition(start.position())
    cursor.setPosition(end.position() + end.length() - 1, _KEEP)
    with _one_step(cursor):
        cursor.insertText("\n".join(texts))


def _select(editor: QPlainTextEdit, anchor: int, position: int) -> None:
    cursor = editor.textCursor()
    end = editor.document().characterCount() - 1
    cursor.setPosition(max(0, min(anchor, end)))
    cursor.setPosition(max(0, min(position, end)), _KEEP)
    editor.setTextCursor(cursor)


@contextmanager
def _one_step(cursor: QTextCursor) -> Generator[None]:
    cursor.beginEditBlock()
    try:
        yield
    finally:
        cursor.endEditBlock()
