"""A text editor for SQL: line numbers, colours, the current statement, brackets, find and replace, completion."""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QEvent, QMargins, QMimeData, QPoint, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QWheelEvent,
)
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import sql_lines
from pgexplorer.ui.widgets.sql_completion import Completion, CompletionList
from pgexplorer.ui.widgets.sql_find import FindReplace
from pgexplorer.ui.widgets.sql_gutter import Gutter
from pgexplorer.ui.widgets.sql_highlighter import Highlighter
from pgexplorer.ui.widgets.sql_language import QUOTES, Language
from pgexplorer.ui.widgets.sql_statement_marks import StatementMarks
from pgexplorer.ui.widgets.text_places import code_points, units

_SMALLEST, _LARGEST, _ZOOM_STEP = 0.5, 4.0, 1.1
_REST = 150  # milliseconds without a change before statements are looked for
_SOON = 30  # milliseconds before brackets are matched and completions asked for
_LEAST_LINES = 4  # that stay in sight
_MOST_LINES = 2000  # that are looked through for a bracket
_PAIRS = {"(": ")", "[": "]"}
_CLOSERS = {closer: opener for opener, closer in _PAIRS.items()}
_ENTER = {Qt.Key.Key_Return, Qt.Key.Key_Enter}
_STEPS = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
_KEEP = QTextCursor.MoveMode.KeepAnchor
_NUL = "\0"


class SqlEditor(QPlainTextEdit):
    """An editor of plain text in a *language*. Positions in its signals and calls are Python's, in code points."""

    refused = Signal(str)  # why a text was not taken, in words
    completion_wanted = Signal(str, int)  # the text and the caret: what could come next?
    completed = Signal(object)  # the Completion that was taken
    zoomed = Signal(float)  # how much larger than usual the text is now

    def __init__(self, language: Language | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._language = language or Language()
        self._zoom = 1.0
        self._errors: list[QTextEdit.ExtraSelection] = []
        self._brackets: list[QTextEdit.ExtraSelection] = []
        self._statement: tuple[int, int] | None = None  # in code points
        self._statement_lines = (0, -1)
        self._caret_line = 0
        self._read_revision = -1  # of the document, at which statements were looked for
        self._popup_from = -1  # where the word begins that is being completed, in Qt's units
        self._exact = ("", -1)  # the text, and the revision at which it was that
        self.setTabChangesFocus(False)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.document().setDocumentMargin(theme.scaled(8))
        self.document().setUndoRedoEnabled(True)
        self._gutter = Gutter(self, self.lines_in_sight, self.statement_lines, self.error_line)
        self.highlighter = Highlighter(self.document(), self._language, self._lines_in_sight)
        self.highlighter.coloured.connect(self._paint_lines)
        self.statements = StatementMarks(self._language, self)
        self.statements.changed.connect(self._show_statement)
        self.popup = CompletionList(self)
        self.popup.accepted.connect(self._complete)
        self.find_bar = FindReplace(self, self.toPlainText, self.show_marks)
        self.find_bar.resized.connect(self._make_room)
        self._look_timer = QTimer(self, interval=_SOON, singleShot=True)
        self._look_timer.timeout.connect(self._look_around)
        self._read_timer = QTimer(self, interval=_REST, singleShot=True)
        self._read_timer.timeout.connect(self._read_statements)
        self._ask_timer = QTimer(self, interval=_SOON, singleShot=True)
        self._ask_timer.timeout.connect(self._ask)
        self.blockCountChanged.connect(self._make_room)
        self.updateRequest.connect(self._follow)
        self.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.cursorPositionChanged.connect(self._caret_moved)
        self.document().contentsChange.connect(self._changed)
        if (look := theme.instance()) is not None:
            look.changed.connect(self._dress)
        self._dress()

    # -- the text

    @override
    def toPlainText(self) -> str:
        """Return the text as it was typed: Qt's own answer has a space for each no-break space."""
        text, revision = self._exact
        if revision != self.document().revision():
            text = self.document().toRawText().replace("\u2029", "\n")
            self._exact = text, self.document().revision()
        return text

    def caret(self) -> int:
        """Return the place of the caret, in code points."""
        return self._to_code_points(self.textCursor().position())

    def set_caret(self, position: int) -> None:
        """Put the caret to *position*, in code points, and into sight."""
        cursor = self.textCursor()
        cursor.setPosition(min(self._to_units(position), self.document().characterCount() - 1))
        self.setTextCursor(cursor)
        self.ensureCursorVisible()

    def selection(self) -> tuple[int, int]:
        """Return where the selection starts and ends, in code points; the same place twice where nothing is."""
        cursor = self.textCursor()
        return self._to_code_points(cursor.selectionStart()), self._to_code_points(cursor.selectionEnd())

    def replace_text(self, text: str) -> None:
        """Put *text* in place of everything, as one step to undo; the caret stays at its line and column."""
        if self._refuses(text):
            return
        before = self.textCursor()
        line, column = before.blockNumber(), before.positionInBlock()
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        block = self.document().findBlockByNumber(min(line, self.blockCount() - 1))
        before.setPosition(block.position() + min(column, block.length() - 1))
        self.setTextCursor(before)

    def _refuses(self, text: str) -> bool:
        if _NUL not in text:
            return False
        line = text.count("\n", 0, text.index(_NUL)) + 1
        self.refused.emit(
            f"The text holds a NUL character in its line {line}, at which the server would cut a statement. "
            "It was not taken."
        )
        return True

    def _to_units(self, position: int) -> int:
        text = self.toPlainText()
        return position if self._is_plain(text) else units(text, position)

    def _to_code_points(self, place: int) -> int:
        text = self.toPlainText()
        return place if self._is_plain(text) else code_points(text, place)

    def _is_plain(self, text: str) -> bool:
        """Whether Python and Qt count the same."""
        return len(text) == self.document().characterCount() - 1

    @override
    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return source.hasText()

    @override
    def createMimeDataFromSelection(self) -> QMimeData:
        start, end = self.selection()
        data = QMimeData()
        data.setText(self.toPlainText()[start:end])
        return data

    @override
    def insertFromMimeData(self, source: QMimeData) -> None:
        """Take the plain text alone, whatever else there is."""
        text = source.text()
        if text and not self._refuses(text):
            self.textCursor().insertText(text)
            self.ensureCursorVisible()

    # -- marks

    def mark_error(self, position: int) -> None:
        """Underline the word at *position*, mark its line in the margin, and put the caret there."""
        self.set_caret(position)
        cursor = self.textCursor()
        cursor.select(QTextCursor.SelectionType.WordUnderCursor)
        if not cursor.hasSelection():
            cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, _KEEP)
        if not cursor.hasSelection():  # at the very end
            cursor.movePosition(QTextCursor.MoveOperation.PreviousCharacter, _KEEP)
        self._errors = [_selection(cursor, _error_look())]
        self.show_marks()
        self._gutter.update()

    def clear_error(self) -> None:
        """Take the mark of an error away."""
        if self._errors:
            self._errors = []
            self.show_marks()
            self._gutter.update()

    def error_line(self) -> int:
        """Return the line of the error that is marked, 0-based; -1 without one."""
        return self._errors[0].cursor.blockNumber() if self._errors else -1  # type: ignore[attr-defined]

    def statement_lines(self) -> tuple[int, int]:
        """Return the first and the last line of the statement at the caret; the last before the first without one."""
        return self._statement_lines

    def statement(self) -> tuple[int, int] | None:
        """Return the range of the statement at the caret, in code points, as far as it is known already."""
        return self._statement

    def show_marks(self) -> None:
        """Show the error, the brackets and those matches that are in sight."""
        found: list[QTextEdit.ExtraSelection] = []
        if self.find_bar.isVisible():
            first, last = self._lines_in_sight()
            document = self.document()
            end = document.findBlockByNumber(last)
            reach = end.position() + end.length() if end.isValid() else document.characterCount()
            look = QTextCharFormat()
            look.setBackground(theme.colour("warn_fill"))
            look.setForeground(theme.colour("fill_text"))
            for start, length in self.find_bar.in_sight(document.findBlockByNumber(first).position(), reach):
                if start + length >= document.characterCount():
                    break  # Qt scrolls while it takes a text away, before anybody hears that it is gone
                cursor = QTextCursor(document)
                cursor.setPosition(start)
                cursor.setPosition(start + length, _KEEP)
                found.append(_selection(cursor, look))
        self.setExtraSelections([*self._errors, *self._brackets, *found])

    def _changed(self, _place: int, removed: int, added: int) -> None:
        if removed or added:
            self._errors = []
            self._read_timer.start()
            self._look_timer.start()

    def _caret_moved(self) -> None:
        line = self.textCursor().blockNumber()
        if line != self._caret_line:
            self._caret_line = line
            self.viewport().update()
            self._gutter.update()
        self._look_timer.start()
        if self.popup.isVisible():
            self._narrow()

    def _look_around(self) -> None:
        """Match brackets and find the statement at the caret: after the typing, not in it."""
        before = self._brackets
        look = QTextCharFormat()
        look.setBackground(theme.colour("info_fill"))
        look.setForeground(theme.colour("fill_text"))
        self._brackets = [_selection(cursor, look) for cursor in self._pair()]
        if before or self._brackets or self._errors or self.extraSelections():
            self.show_marks()
        if self.statements.is_busy or self._read_timer.isActive():
            return
        if self._read_revision != self.document().revision():
            self._read_statements()
        else:
            self._show_statement()

    def _read_statements(self) -> None:
        self._read_revision = self.document().revision()
        self.statements.read(self.toPlainText())

    def _show_statement(self) -> None:
        if self._read_revision != self.document().revision():
            return  # typed meanwhile: what was found is of another text
        self._statement = found = self.statements.at(self.caret())
        lines = (0, -1)
        if found is not None:
            document = self.document()
            text = self.toPlainText()
            stop = found[0] + len(text[found[0] : found[1]].rstrip())
            lines = tuple(document.findBlock(self._to_units(each)).blockNumber() for each in (found[0], stop))
        if lines != self._statement_lines:
            self._statement_lines = lines[0], lines[1]
            self._gutter.update()

    # -- brackets

    def _pair(self) -> list[QTextCursor]:
        """Return the bracket beside the caret and its other half, or nothing; the half alone where none is found."""
        cursor = self.textCursor()
        if cursor.hasSelection():
            return []
        block, place = cursor.block(), cursor.positionInBlock()
        text = block.text()
        here = code_points(text, place)
        beside = [at for at in (here, here - 1) if 0 <= at < len(text) and text[at] in "()[]"]
        if not beside:
            return []
        brackets = self._brackets_of(block)
        at = next((at for at in beside if at in brackets), None)
        if at is None:
            return []
        other = self._other_half(block, at, text[at])
        first = self._cursor_on(block, at)
        return [first, self._cursor_on(*other)] if other is not None else []

    def _brackets_of(self, block: QTextBlock) -> list[int]:
        return [start for role, start, _ in self.highlighter.parts(block) if role == "bracket"]

    def _other_half(self, block: QTextBlock, at: int, bracket: str) -> tuple[QTextBlock, int] | None:
        onwards = bracket in _PAIRS
        wanted: list[str] = []
        for _ in range(_MOST_LINES):
            text = block.text()
            places = self._brackets_of(block) if any(each in text for each in "()[]") else []
            places = [each for each in places if at < 0 or (each >= at if onwards else each <= at)]
            for place in places if onwards else reversed(places):
                letter = text[place]
                if letter in (_PAIRS if onwards else _CLOSERS):
                    wanted.append((_PAIRS if onwards else _CLOSERS)[letter])
                elif not wanted or wanted.pop() != letter:
                    return None
                if not wanted:
                    return block, place
            at = -1
            block = block.next() if onwards else block.previous()
            if not block.isValid():
                return None
        return None

    def _cursor_on(self, block: QTextBlock, at: int) -> QTextCursor:
        cursor = QTextCursor(block)
        start = block.position() + units(block.text(), at)
        cursor.setPosition(start)
        cursor.setPosition(start + 1, _KEEP)
        return cursor

    # -- what is in sight

    def _lines_in_sight(self) -> tuple[int, int]:
        first = max(0, self.firstVisibleBlock().blockNumber())
        height = max(1, self.fontMetrics().lineSpacing())
        last = first + self.viewport().height() // height + 1
        return first, min(last, self.document().blockCount() - 1)

    def lines_in_sight(self, below: int = 0) -> Iterator[tuple[int, int, int]]:
        """Yield each line in sight from the height *below* on: its number from 0, its top and its height."""
        block = self.firstVisibleBlock() if below <= 0 else self.cursorForPosition(QPoint(0, below)).block()
        area = self.blockBoundingGeometry(block).translated(self.contentOffset())
        top, bottom = area.top(), self.viewport().height()
        while block.isValid() and top <= bottom:
            height = self.blockBoundingRect(block).height()
            inside = block.layout().boundingRect().height() or height  # the last block has the margin below it too
            yield block.blockNumber(), round(top), round(top + inside) - round(top)
            top += height
            block = block.next()

    def _paint_lines(self, first: int, last: int) -> None:
        document = self.document()
        top, bottom = (
            self.blockBoundingGeometry(document.findBlockByNumber(line)).translated(self.contentOffset())
            for line in (first, last)
        )
        self.viewport().update(0, int(top.top()), self.viewport().width(), int(bottom.bottom() - top.top()) + 2)

    def _make_room(self) -> None:
        """Make room for the margin at the left, and for the bar that finds."""
        width, inside, bar = self._gutter.wanted_width(), self.contentsRect(), 0
        if not self.find_bar.isHidden():
            bar = self.find_bar.height_for(inside.width())
            self.find_bar.setGeometry(inside.left(), inside.top(), inside.width(), bar)
        self.setMinimumHeight(bar + _LEAST_LINES * self.fontMetrics().lineSpacing())
        if self.viewportMargins() != QMargins(width, bar, 0, 0):
            self.setViewportMargins(width, bar, 0, 0)
        self._gutter.setGeometry(inside.left(), inside.top() + bar, width, self.viewport().height())

    def _follow(self, area: QRect, dy: int) -> None:
        if dy:
            self._gutter.scroll(0, dy)
        else:
            self._gutter.update(0, area.y(), self._gutter.width(), area.height())

    def _scrolled(self) -> None:
        self.highlighter.colour_in_sight()
        self.popup.hide()
        if self.find_bar.isVisible():
            self.show_marks()

    @override
    def resizeEvent(self, e: QResizeEvent) -> None:
        super().resizeEvent(e)
        self._make_room()
        self.popup.hide()

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        self.highlighter.colour_in_sight()
        if self.isEnabled() and not self.document().isEmpty():
            area = self.blockBoundingGeometry(self.textCursor().block()).translated(self.contentOffset())
            painter = QPainter(self.viewport())
            band = QRect(0, round(area.top()), self.viewport().width(), round(area.bottom()) - round(area.top()))
            painter.fillRect(band, theme.colour("current_line"))
            painter.end()
        super().paintEvent(e)

    @override
    def changeEvent(self, e: QEvent) -> None:
        super().changeEvent(e)
        if e.type() in {QEvent.Type.FontChange, QEvent.Type.StyleChange} and hasattr(self, "find_bar"):
            self._make_room()

    def _dress(self) -> None:
        font = theme.mono()
        font.setPointSizeF(font.pointSizeF() * self._zoom)
        self.setFont(font)
        self.setTabStopDistance(self.fontMetrics().horizontalAdvance(" ") * sql_lines.INDENT)
        self.highlighter.dress()
        self._make_room()
        self._errors = [_selection(each.cursor, _error_look()) for each in self._errors]  # type: ignore[attr-defined]
        self.show_marks()

    # -- zoom

    def zoom(self) -> float:
        """Return how much larger than usual the text is."""
        return self._zoom

    def set_zoom(self, factor: float) -> None:
        """Show the text *factor* times as large as usual, between a half and four times."""
        factor = max(_SMALLEST, min(_LARGEST, factor))
        if abs(factor - self._zoom) > 0.001:
            self._zoom = factor
            self._dress()
            self.zoomed.emit(factor)

    def zoom_by(self, steps: float) -> None:
        """Make the text larger, or with fewer than 0 steps smaller."""
        self.set_zoom(self._zoom * _ZOOM_STEP**steps)

    @override
    def wheelEvent(self, e: QWheelEvent) -> None:
        if e.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_by(e.angleDelta().y() / 120)
            e.accept()
        else:
            super().wheelEvent(e)

    # -- commands

    def toggle_comment(self) -> None:
        """Make the lines of the selection comments, or code again."""
        sql_lines.toggle_comment(self, self._language.comment)

    def move_lines(self, step: int) -> None:
        """Move the lines of the selection up (-1) or down (1)."""
        sql_lines.move(self, step)

    def duplicate_lines(self, step: int = 1) -> None:
        """Repeat the lines of the selection below (1) or above (-1)."""
        sql_lines.duplicate(self, step)

    def delete_lines(self) -> None:
        """Take the lines of the selection out."""
        sql_lines.delete(self)

    def find(self) -> None:  # type: ignore[override]  # Qt's own find() is replaced, as it can neither wrap nor count
        """Open the bar that finds."""
        self.find_bar.open_bar()

    def replace(self) -> None:
        """Open the bar that finds and replaces."""
        self.find_bar.open_bar(replacing=True)

    def find_next(self) -> None:
        """Select the next match of what was looked for last."""
        self.find_bar.next()

    def find_previous(self) -> None:
        """Select the match before."""
        self.find_bar.previous()

    # -- keys

    @override
    def keyPressEvent(self, e: QKeyEvent) -> None:
        key, modifiers = e.key(), e.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        shift = modifiers == Qt.KeyboardModifier.ShiftModifier
        if self.popup.isVisible() and not modifiers and self._goes_to_popup(key):
            return
        if key == Qt.Key.Key_Space and modifiers == Qt.KeyboardModifier.ControlModifier:
            self._ask()
        elif key in _ENTER and (not modifiers or shift):
            self.popup.hide()
            role = self._role_at_caret()
            sql_lines.break_line(self, keeps_indent=not (role == "string" and not self._in_body()))
        elif key == Qt.Key.Key_Tab and not modifiers:
            sql_lines.indent(self)
        elif key == Qt.Key.Key_Backtab or (key == Qt.Key.Key_Backspace and not modifiers and self._unindents()):
            sql_lines.dedent(self)
        elif key == Qt.Key.Key_Escape and self.find_bar.isVisible():
            self.find_bar.close_bar()
        elif _NUL in e.text() and e.text() != _NUL:
            self._refuses(e.text())
        else:
            super().keyPressEvent(e)
            self._typed(e)

    def _goes_to_popup(self, key: int) -> bool:
        popup = self.popup
        match key:
            case Qt.Key.Key_Up | Qt.Key.Key_Down:
                popup.step(_STEPS[Qt.Key(key)], around=True)
            case Qt.Key.Key_PageUp | Qt.Key.Key_PageDown:
                popup.step(popup.page() * (-1 if key == Qt.Key.Key_PageUp else 1))
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if popup.is_typed():
                popup.hide()
                return False  # nothing is left to complete: the line ends
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Tab:
                popup.accept()
            case Qt.Key.Key_Escape:
                popup.hide()
            case _:
                return False
        return True

    def _typed(self, event: QKeyEvent) -> None:
        """Ask what could come next behind two letters of a word, or a dot."""
        text = event.text()
        if self.popup.isVisible() or not text or event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return
        if text == "." or (_is_word(text) and len(self._word_before()) >= 2):
            self._ask_timer.start()
        else:
            self._ask_timer.stop()

    def _unindents(self) -> bool:
        """Whether Backspace takes a whole stop: in a line's indent, at a stop."""
        cursor = self.textCursor()
        before = cursor.block().text()[: cursor.positionInBlock()]
        return (
            not cursor.hasSelection() and bool(before) and not before.strip(" ") and not len(before) % sql_lines.INDENT
        )

    @override
    def focusOutEvent(self, e: QFocusEvent) -> None:
        super().focusOutEvent(e)
        self.popup.hide()

    # -- completion

    def offer(self, items: Sequence[Completion], from_position: int) -> None:
        """Show what could come next in place of what stands between *from_position*, in code points, and the caret.

        Nothing is shown when the caret has left that word meanwhile, or stands in a string or a comment.
        """
        start = self._to_units(from_position)
        self._popup_from = start
        self.popup.hide()
        self.popup.set_items(items)
        if items and self.hasFocus() and not self._is_quoted():
            self._narrow()

    def _ask(self) -> None:
        if not self._is_quoted():
            self.completion_wanted.emit(self.toPlainText(), self.caret())

    def _narrow(self) -> None:
        cursor = self.textCursor()
        place = cursor.position()
        typed = ""
        if cursor.hasSelection() or place < self._popup_from:
            self.popup.hide()
            return
        cursor.setPosition(self._popup_from)
        cursor.setPosition(place, _KEEP)
        typed = cursor.selectedText()
        if typed and not _is_word(typed.lstrip('"')):
            self.popup.hide()
            return
        cursor.setPosition(self._popup_from)
        area = self.cursorRect(cursor)
        corner = self.viewport().mapToGlobal(area.topLeft())
        self.popup.narrow(typed.lstrip('"'), QRect(corner, area.size()))

    def _complete(self, item: Completion) -> None:
        cursor = self.textCursor()
        place = cursor.position()
        cursor.setPosition(self._popup_from)
        cursor.setPosition(place, _KEEP)
        cursor.insertText(item.insert or item.text)
        self.setTextCursor(cursor)
        self.popup.hide()
        self.completed.emit(item)

    def _word_before(self) -> str:
        cursor = self.textCursor()
        text = sql_lines.text_before(cursor)
        at = len(text)
        while at and _is_word(text[at - 1]):
            at -= 1
        return text[at:]

    def _role_at_caret(self) -> str:
        """Return the role of what the caret is inside of, "" where that is nothing quoted."""
        cursor = self.textCursor()
        block = cursor.block()
        text = block.text()
        at = code_points(text, cursor.positionInBlock())
        end = ""
        for role, start, stop in self.highlighter.parts(block):
            if role in QUOTES and start < at:
                if at < stop:
                    return role
                if at == stop:
                    end = role
        if at == len(text) and (end or not text):  # at the end of a line, inside of what is open there
            state = self._language.next_state(text, self.highlighter.state_before(block.blockNumber()))
            open_ = bool(state) and not state.endswith("~")
            if open_ or (end == "comment" and text[:at].rstrip()[-2:] != "*/"):
                return end or "string"
        return ""

    def _is_quoted(self) -> bool:
        role = self._role_at_caret()
        return role in {"string", "comment"} and not self._in_body()

    def _in_body(self) -> bool:
        """Whether the caret is in a dollar quote, which holds code more often than words."""
        cursor = self.textCursor()
        before = sql_lines.text_before(cursor)
        state = self._language.next_state(before, self.highlighter.state_before(cursor.blockNumber()))
        return state.startswith("$")


def _is_word(text: str) -> bool:
    return all(letter.isalnum() or letter in "_$" for letter in text)


def _error_look() -> QTextCharFormat:
    look = QTextCharFormat()
    look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
    look.setUnderlineColor(theme.colour("bad"))
    look.setBackground(theme.colour("bad_soft"))
    return look


def _selection(cursor: QTextCursor, look: QTextCharFormat) -> QTextEdit.ExtraSelection:
    result = QTextEdit.ExtraSelection()
    result.cursor, result.format = cursor, look  # type: ignore[attr-defined]
    return result


__all__ = ["Completion", "Language", "SqlEditor"]
