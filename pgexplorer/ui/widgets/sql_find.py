"""Find and replace in the editor: plain text or a regular expression, by whole words, with the matches counted."""

import time
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from PySide6.QtCore import QRegularExpression, QRegularExpressionMatch, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets.flow_layout import FlowLayout

_SLICE = 0.006  # seconds of work between two turns of the event loop
_REST = 120  # milliseconds without a change before the matches are counted again
_MOST = 100_000  # matches that are counted
_MOST_SHOWN = 500  # highlighted at once
_MARGINS = (8, 6, 6, 6)
_KEEP = QTextCursor.MoveMode.KeepAnchor
_Option = QRegularExpression.PatternOption


class FindReplace(QFrame):
    """A bar over the text of *editor*, which makes room for it. The next match is selected.

    *text* answers the editor's text, and *show_marks* shows the matches in sight.

    The pattern is PCRE2's, which gives up on a match that takes too long. In a replacement a backslash and a digit are
    what that group holds, 0 the whole match.
    """

    resized = Signal()  # it was shown or hidden: the editor should make room

    def __init__(self, editor: QPlainTextEdit, text: Callable[[], str], show_marks: Callable[[], None]) -> None:
        super().__init__(editor)
        self._editor = editor
        self._text_of_editor = text
        self._show_marks = show_marks
        self._matches: list[tuple[int, int]] = []  # start and length in Qt's units, as far as they are counted
        self._all = False  # whether they are all
        self._text: str | None = None  # of the editor, as long as it is current
        self._from = 0
        self.setObjectName("query.find")
        self.setAccessibleName("Find and replace")
        self.setProperty("bar", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.text = self._field("Find", "query.find.text")
        self.replacement = self._field("Replace with", "query.find.replacement")
        self.case = self._switch("Aa", "Match case", "query.find.case")
        self.words = self._switch("W", "Whole words", "query.find.words")
        self.regex = self._switch(".*", "Regular expression", "query.find.regex")
        self.said = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.said.setObjectName("query.find.said")
        self.said.setProperty("muted", True)
        self.said.setMinimumWidth(self.said.fontMetrics().horizontalAdvance("12,345 of 100,000+ ") + theme.scaled(4))
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._count_on)
        self._rest = QTimer(self, interval=_REST, singleShot=True)
        self._rest.timeout.connect(self._count)
        self._lay_out()
        self.text.textChanged.connect(self._pattern_changed)
        for switch in (self.case, self.words, self.regex):
            switch.toggled.connect(self._pattern_changed)
        editor.document().contentsChanged.connect(self._text_changed)
        editor.cursorPositionChanged.connect(self._say)
        self.hide()

    def _lay_out(self) -> None:
        self._second = _group(
            self.replacement,
            self._button("Replace", "query.find.replace", self.replace),
            self._button("Replace all", "query.find.replace_all", self.replace_all),
        )
        ways = _group(
            self._button("Previous match (Shift+F3)", "query.find.previous", self.previous, "arrow-up"),
            self._button("Next match (F3)", "query.find.next", self.next, "arrow-down"),
            self.said,
        )
        flow = FlowLayout(spacing=6, row_spacing=4)
        for group in (_group(self.text, self.case, self.words, self.regex), ways, self._second):
            flow.addWidget(group)
        self._flow = flow
        close = self._button("Close (Esc)", "query.find.close", self.close_bar, "close")
        row = QHBoxLayout(self)
        row.setContentsMargins(*_MARGINS)
        row.addLayout(flow, 1)
        row.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._close_width = close.sizeHint().width() + row.spacing()
        for one, other in pairwise([self.text, self.replacement, self.case, self.words, self.regex]):
            QWidget.setTabOrder(one, other)

    def height_for(self, width: int) -> int:
        """Return how high the bar is at *width*."""
        left, top, right, bottom = _MARGINS
        return self._flow.heightForWidth(width - left - right - self._close_width) + top + bottom

    def _field(self, words: str, name: str) -> QLineEdit:
        field = QLineEdit(placeholderText=words)
        field.setObjectName(name)
        field.setAccessibleName(words)
        field.setProperty("mono", True)
        field.setFixedWidth(theme.scaled(190))
        return field

    def _switch(self, text: str, words: str, name: str) -> QPushButton:
        switch = QPushButton(text)
        switch.setCheckable(True)
        switch.setObjectName(name)
        switch.setAccessibleName(words)
        switch.setToolTip(words)
        switch.setProperty("toggle", True)
        return switch

    def _button(self, words: str, name: str, call: Callable[[], object], icon: str = "") -> QPushButton:
        button = QPushButton("" if icon else words)
        button.setObjectName(name)
        button.setAccessibleName(words.partition(" (")[0])
        button.setToolTip(words)
        if icon:
            button.setProperty("icon_only", True)
            icons.wear(button, icon)
        else:
            button.setProperty("small", True)
        button.clicked.connect(partial(_call, call))
        return button

    # -- opening and closing

    def open_bar(self, *, replacing: bool = False) -> None:
        """Show the bar; what is selected in one line is looked for."""
        self._second.setVisible(replacing)
        selected = self._editor.textCursor().selectedText()
        if selected and "\u2029" not in selected and len(selected) < 200:
            self.text.setText(QRegularExpression.escape(selected) if self.regex.isChecked() else selected)
        self.show()
        self.resized.emit()
        self.text.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.text.selectAll()
        self._count()

    def close_bar(self) -> None:
        """Hide the bar and its highlights, and go back to the text."""
        self.hide()
        self.resized.emit()
        self._timer.stop()
        self._rest.stop()
        self._matches, self._all = [], False
        self._text = None
        self._show_marks()
        self._editor.setFocus(Qt.FocusReason.OtherFocusReason)

    @property
    def is_counting(self) -> bool:
        """Whether the matches are not all known yet."""
        return self._timer.isActive() or self._rest.isActive()

    # -- what it does

    def next(self) -> None:
        """Select the next match, around the end of the text."""
        self._go(1)

    def previous(self) -> None:
        """Select the match before the selection, around the start of the text."""
        self._go(-1)

    def replace(self) -> None:
        """Replace the match that is selected, and select the next one."""
        pattern = self._pattern()
        cursor = self._editor.textCursor()
        if pattern is None:
            return
        found = pattern.match(self._current_text(), cursor.selectionStart())
        same = found.hasMatch() and found.capturedStart() == cursor.selectionStart()
        if same and found.capturedEnd() == cursor.selectionEnd() and cursor.hasSelection():
            cursor.insertText(self._filled(found))
            self._editor.setTextCursor(cursor)
            self._text = None
        self.next()

    def replace_all(self) -> None:
        """Replace every match, as one step to undo, and say how many."""
        pattern = self._pattern()
        if pattern is None:
            return
        text = self._current_text()
        raw = text.encode("utf-16-le", "surrogatepass")  # a place of Qt's is two bytes
        pieces: list[bytes] = []
        start = first = last = -1
        count = 0
        matches = pattern.globalMatch(text)
        while matches.hasNext():
            found = matches.next()
            if first < 0:
                first = start = found.capturedStart()
            pieces += [raw[2 * start : 2 * found.capturedStart()], self._filled(found).encode("utf-16-le")]
            start = last = found.capturedEnd()
            count += 1
        if count:
            cursor = QTextCursor(self._editor.document())
            cursor.setPosition(first)
            cursor.setPosition(last, _KEEP)
            cursor.insertText(b"".join(pieces).decode("utf-16-le", "surrogatepass"))
        self._text_changed()
        self._count()
        self.said.setText(f"{count:,} replaced" if count else "No match")

    def in_sight(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the matches between two places of Qt's, start and length; 500 at most."""
        if not self.isVisible():
            return []
        at = bisect_left(self._matches, (first, 0))
        found: list[tuple[int, int]] = []
        while at < len(self._matches) and self._matches[at][0] <= last and len(found) < _MOST_SHOWN:
            found.append(self._matches[at])
            at += 1
        return found

    @override
    def keyPressEvent(self, arg__1: QKeyEvent) -> None:
        shift = bool(arg__1.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        match arg__1.key():
            case Qt.Key.Key_Escape:
                self.close_bar()
            case Qt.Key.Key_Return | Qt.Key.Key_Enter:
                if self.replacement.hasFocus():
                    self.replace()
                else:
                    self._go(-1 if shift else 1)
            case Qt.Key.Key_F3:
                self._go(-1 if shift else 1)
            case Qt.Key.Key_Down | Qt.Key.Key_Up:
                self._go(1 if arg__1.key() == Qt.Key.Key_Down else -1)
            case _:
                super().keyPressEvent(arg__1)

    # -- how

    def _pattern(self) -> QRegularExpression | None:
        """Return what is looked for, or None and say why not."""
        wanted = self.text.text()
        if not wanted:
            self.said.setText("")
            return None
        if not self.regex.isChecked():
            wanted = QRegularExpression.escape(wanted)
        if self.words.isChecked():
            wanted = rf"(?<!\w)(?:{wanted})(?!\w)"
        options = _Option.MultilineOption | _Option.UseUnicodePropertiesOption
        if not self.case.isChecked():
            options |= _Option.CaseInsensitiveOption
        pattern = QRegularExpression(wanted, options)
        self.text.setProperty("invalid", not pattern.isValid())
        self.text.style().polish(self.text)
        if not pattern.isValid():
            self.said.setText("not a pattern")
            self.said.setToolTip(pattern.errorString())
            return None
        self.said.setToolTip("")
        return pattern

    def _filled(self, found: QRegularExpressionMatch) -> str:
        wanted = self.replacement.text()
        if not self.regex.isChecked() or "\\" not in wanted:
            return wanted
        result, place = "", 0
        named = {"n": "\n", "t": "\t", "\\": "\\"}
        while place < len(wanted):
            letter, behind = wanted[place], wanted[place + 1 : place + 2]
            if letter == "\\" and behind:
                result += found.captured(int(behind)) if behind in "0123456789" else named.get(behind, letter + behind)
                place += 2
            else:
                result += letter
                place += 1
        return result

    def _current_text(self) -> str:
        if self._text is None:
            self._text = self._text_of_editor()
        return self._text

    def _go(self, step: int) -> None:
        if not self.isVisible() and not self.text.text():
            self.open_bar()
            return
        pattern = self._pattern()
        if pattern is None:
            return
        cursor = self._editor.textCursor()
        text = self._current_text()
        if step > 0:
            # An empty match where the caret stands would be found for ever.
            start = cursor.selectionEnd()
            found = pattern.match(text, start)
            if found.hasMatch() and not found.capturedLength() and found.capturedStart() == start:
                found = pattern.match(text, start + 1)
            if not found.hasMatch():
                found = pattern.match(text)
            place = (found.capturedStart(), found.capturedLength()) if found.hasMatch() else None
        else:
            place = self._before(pattern, text, cursor.selectionStart())
        if place is None:
            self.said.setText("No match")
            return
        cursor.setPosition(place[0])
        cursor.setPosition(place[0] + place[1], _KEEP)
        self._editor.setTextCursor(cursor)
        self._editor.ensureCursorVisible()
        if not self._matches and self.isVisible():
            self._count()

    def _before(self, pattern: QRegularExpression, text: str, place: int) -> tuple[int, int] | None:
        """Return the last match that starts before *place*, else the last of all."""
        while not self._all and self._timer.isActive() and len(self._matches) < _MOST:
            if self._matches and self._matches[-1][0] >= place:
                break
            self._count_on()
        matches = self._matches
        if not self.isVisible():
            matches = list[tuple[int, int]]()
            found = pattern.globalMatch(text)
            while found.hasNext() and len(matches) < _MOST:
                each = found.next()
                matches.append((each.capturedStart(), each.capturedLength()))
        if not matches:
            return None
        return matches[bisect_left(matches, (place, 0)) - 1]

    def _pattern_changed(self) -> None:
        if self.isVisible():
            self._count()

    def _text_changed(self) -> None:
        self._text = None
        if self.isVisible():
            self._timer.stop()
            self._matches, self._all = [], False
            self._rest.start()

    def _count(self) -> None:
        """Count the matches from the start of the text, in slices."""
        self._timer.stop()
        self._rest.stop()
        self._matches, self._all = [], False
        self._from = 0
        if (pattern := self._pattern()) is not None:
            self._iterator = pattern.globalMatch(self._current_text())
            self._timer.start()
        self._show_marks()

    def _count_on(self) -> None:
        deadline = time.perf_counter() + _SLICE
        matches = self._matches
        while self._iterator.hasNext():
            found = self._iterator.next()
            matches.append((found.capturedStart(), found.capturedLength()))
            if len(matches) >= _MOST:
                break
            if not len(matches) % 100 and time.perf_counter() > deadline:
                self._say()
                return
        self._timer.stop()
        self._all = True
        self._say()
        self._show_marks()

    def _say(self) -> None:
        """Say how many there are, and which of them is selected."""
        if not self.isVisible() or not self.text.text() or self.text.property("invalid"):
            return
        if self._rest.isActive():
            return
        count = len(self._matches)
        more = "+" if count >= _MOST else "" if self._all else "…"
        cursor = self._editor.textCursor()
        here = (cursor.selectionStart(), cursor.selectionEnd() - cursor.selectionStart())
        at = bisect_left(self._matches, here)
        which = f"{at + 1:,} of " if at < count and self._matches[at] == here and here[1] else ""
        self.said.setText(f"{which}{count:,}{more}" if count or not self._all else "No match")


def _group(*widgets: QWidget) -> QWidget:
    group = QWidget()
    row = QHBoxLayout(group)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget)
    return group


def _call(wanted: Callable[[], object], _checked: bool = False) -> None:
    wanted()
