"""What happened, line by line: sentences wrap, tables do not."""

from PySide6.QtCore import QMargins, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent, QTextCursor, QTextOption
from PySide6.QtWidgets import QTextEdit, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.code_view import copy_button, place_button


class StoryView(QTextEdit):
    """Read-only plain text that is told piece by piece; it follows its end until the reader scrolls."""

    copied = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._follows = True
        self._last = 0  # where the last piece begins
        self.setReadOnly(True)
        self.setAcceptRichText(False)
        self.setProperty("code", True)
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.document().setDocumentMargin(theme.scaled(8))
        self._copy = copy_button(self, "Copy the text")
        self._copy.clicked.connect(self._copy_all)
        self.textChanged.connect(self._place)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._range_changed)
        bar.actionTriggered.connect(self._scrolled)

    def tell(self, text: str, *, table: bool = False) -> None:
        """Add *text* as lines of its own; the lines of a *table* are never broken."""
        document = self.document()
        cursor = QTextCursor(document)
        cursor.movePosition(QTextCursor.MoveOperation.End)
        self._follows = True
        for at, line in enumerate(text.split("\n")):
            if not (at == 0 and document.isEmpty()):
                cursor.insertBlock()
            look = cursor.blockFormat()
            look.setNonBreakableLines(table)
            cursor.setBlockFormat(look)
            if at == 0:
                self._last = cursor.position()
            cursor.insertText(line)
        self._follow()

    def text(self) -> str:
        """Return all that was told."""
        return self.toPlainText()

    @override
    def resizeEvent(self, e: QResizeEvent) -> None:
        super().resizeEvent(e)
        self._place()
        self._follow()

    def _follow(self) -> None:
        """Show the end; of a last piece that is higher than the view, the beginning."""
        if not self._follows:
            return
        bar = self.verticalScrollBar()
        cursor = QTextCursor(self.document())
        cursor.setPosition(min(self._last, max(0, self.document().characterCount() - 1)))
        top = self.cursorRect(cursor).top() + bar.value() - theme.scaled(4)
        bar.setValue(min(bar.maximum(), max(0, top)))
        self.horizontalScrollBar().setValue(0)

    def _range_changed(self) -> None:
        self._place()
        self._follow()

    def _scrolled(self) -> None:
        bar = self.verticalScrollBar()
        self._follows = bar.sliderPosition() >= bar.maximum()

    def _place(self) -> None:
        margins = QMargins(0, 0, place_button(self._copy, self.viewport(), self.document()), 0)
        if margins != self.viewportMargins():
            self.setViewportMargins(margins)

    def _copy_all(self) -> None:
        QGuiApplication.clipboard().setText(self.toPlainText())
        self.copied.emit()
