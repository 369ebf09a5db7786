"""Code to read and copy: monospace, lightly coloured, never edited here. Python, unless another language is given."""

import re
from itertools import pairwise

from PySide6.QtCore import QEvent, QMargins, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent, QSyntaxHighlighter, QTextCharFormat, QTextCursor, QTextDocument
from PySide6.QtWidgets import QPlainTextEdit, QPushButton, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets.sql_highlighter import ROLES
from pgexplorer.ui.widgets.sql_language import Language
from pgexplorer.ui.widgets.text_places import units

_KEYWORDS = (
    "False None True and as assert async await break class continue def del elif else except finally for from global "
    "if import in is lambda match nonlocal not or pass raise return try while with yield"
)
_TOKEN = re.compile(
    r"(?P<comment>\#.*$)"
    r"|(?P<string>[rbfuRBFU]{0,2}(?:\"\"\".*?(?:\"\"\"|$)|'''.*?(?:'''|$)|\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?))"
    rf"|(?P<keyword>\b(?:{'|'.join(_KEYWORDS.split())})\b)"
    r"|(?P<number>\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?\b)"
    r"|(?P<function>\b[A-Za-z_]\w*(?=\())"
    r"|(?P<type>\b[A-Z]\w*[a-z]\w*\b)"
)


class CodeView(QPlainTextEdit):
    """Read-only code with a Copy button beside it, at its upper right."""

    copied = Signal()

    def __init__(self, parent: QWidget | None = None, *, language: Language | None = None) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setProperty("code", True)
        self.setTabChangesFocus(True)
        self.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.document().setDocumentMargin(theme.scaled(8))
        document = self.document()
        self._painter = PythonHighlighter(document) if language is None else _Highlighter(document, language)
        self._copy = copy_button(self, "Copy the code")
        self._copy.clicked.connect(self._copy_all)
        self.textChanged.connect(self._place)
        self.verticalScrollBar().rangeChanged.connect(self._place)

    def set_code(self, text: str) -> None:
        """Show *text*; stay where the reader was, or at the end when the reader was there."""
        before = self.toPlainText()
        if text == before:
            return
        bar = self.verticalScrollBar()
        place, at_end = bar.value(), bar.value() >= bar.maximum()
        sideways = self.horizontalScrollBar().value()
        if before and text.startswith(before):  # code that grows is not coloured again from its beginning
            end = QTextCursor(self.document())
            end.movePosition(QTextCursor.MoveOperation.End)
            end.insertText(text[len(before) :])
        else:
            self.setPlainText(text)
        bar.setValue(bar.maximum() if at_end and before else place)
        self.horizontalScrollBar().setValue(sideways)

    def show_end(self) -> None:
        """Scroll to the last line, and to its beginning."""
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self.horizontalScrollBar().setValue(0)

    def code(self) -> str:
        """Return the code shown."""
        return self.toPlainText()

    @override
    def resizeEvent(self, e: QResizeEvent) -> None:
        super().resizeEvent(e)
        self._place()

    @override
    def changeEvent(self, e: QEvent) -> None:
        super().changeEvent(e)
        if e.type() is QEvent.Type.StyleChange:
            self._painter.rehighlight()

    def _place(self) -> None:
        margins = QMargins(0, 0, place_button(self._copy, self.viewport(), self.document()), 0)
        if margins != self.viewportMargins():
            self.setViewportMargins(margins)

    def _copy_all(self) -> None:
        QGuiApplication.clipboard().setText(self.toPlainText())
        self.copied.emit()


def copy_button(view: QWidget, words: str) -> QPushButton:
    """Return the Copy button of *view*, hidden as long as there is nothing to copy."""
    button = QPushButton(view)
    for look in ("icon_only", "small", "floating"):
        button.setProperty(look, True)
    button.setAccessibleName(words)
    button.setToolTip(words)
    icons.wear(button, "copy", "muted")
    button.hide()
    return button


def place_button(button: QPushButton, viewport: QWidget, document: QTextDocument) -> int:
    """Put *button* at the right of *viewport*; return the margin that keeps the text of *document* clear of it."""
    button.setVisible(not document.isEmpty())
    if document.isEmpty():
        return 0
    size, gap = button.sizeHint(), theme.scaled(4)
    area = viewport.geometry()
    button.setGeometry(area.right() + 1 + gap, area.top() + gap, size.width(), size.height())
    return size.width() + 2 * gap


class PythonHighlighter(QSyntaxHighlighter):
    """Colours Python well enough to read; it does not parse."""

    def __init__(self, document: QTextDocument) -> None:
        super().__init__(document)

    @override
    def highlightBlock(self, text: str) -> None:
        for match in _TOKEN.finditer(text):
            role = match.lastgroup or ""
            style = QTextCharFormat()
            style.setForeground(theme.colour(role))
            style.setFontItalic(role == "comment")
            for start, end in pairwise(match.span()):
                self.setFormat(start, end - start, style)


class _Highlighter(QSyntaxHighlighter):
    """Colours a short text of any language as the editor would; what is open at a line's end is its block's state."""

    def __init__(self, document: QTextDocument, language: Language) -> None:
        super().__init__(document)
        self._language = language
        self._states: list[str] = [""]

    @override
    def highlightBlock(self, text: str) -> None:
        before = self._states[max(0, self.previousBlockState())]
        parts, after = self._language.styled(text, before)
        for role, start, end in parts:
            style = QTextCharFormat()
            style.setForeground(theme.colour(ROLES.get(role, "text")))
            style.setFontItalic(role == "comment")
            first = units(text, start)
            self.setFormat(first, units(text, end) - first, style)
        if after not in self._states:
            self._states.append(after)
        self.setCurrentBlockState(self._states.index(after))
