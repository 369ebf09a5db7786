"""The margin of the editor: line numbers, the lines of the current statement, the line of an error."""

from collections.abc import Callable, Iterator

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QFont, QMouseEvent, QPainter, QPaintEvent, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget
from typing_extensions import override

from pgexplorer.ui import theme


class Gutter(QWidget):
    """Lies in the left margin of *editor*. A click chooses a line, a drag several.

    *lines* yields each line in sight from a height on: its number from 0, its top and its height; *statement* answers
    the first and the last line of the current statement, and *error* the line of an error, -1 without one.
    """

    def __init__(
        self,
        editor: QPlainTextEdit,
        lines: Callable[[int], Iterator[tuple[int, int, int]]],
        statement: Callable[[], tuple[int, int]],
        error: Callable[[], int],
    ) -> None:
        super().__init__(editor)
        self._lines, self._statement, self._error = lines, statement, error
        self.setObjectName("query.gutter")
        self._editor = editor
        self._anchor = 0
        self.setCursor(Qt.CursorShape.ArrowCursor)

    def wanted_width(self) -> int:
        """Return the width that the numbers and the bar take."""
        digits = max(3, len(str(self._editor.blockCount())))
        return self._editor.fontMetrics().horizontalAdvance("9") * digits + theme.scaled(20)

    @override
    def sizeHint(self) -> QSize:
        return QSize(self.wanted_width(), 0)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        editor, area = self._editor, event.rect()
        painter = QPainter(self)
        painter.fillRect(area, theme.colour("surface"))
        current = editor.textCursor().blockNumber()
        first, last = self._statement()
        error = self._error()
        right = self.width() - theme.scaled(10)
        bar = QRect(self.width() - theme.scaled(5), 0, theme.scaled(3), 0)
        font, bold = QFont(editor.font()), QFont(editor.font())
        bold.setBold(True)
        for line, top, height in self._lines(area.top()):
            if top > area.bottom():
                break
            if line == current:
                painter.fillRect(QRect(0, top, self.width(), height), theme.colour("current_line"))
            if first <= line <= last:
                painter.fillRect(QRect(bar.x(), top, bar.width(), height), theme.colour("info_mark"))
            role = "bad" if line == error else "text" if line == current else "muted"
            painter.setPen(theme.colour(role))
            painter.setFont(bold if line in {current, error} else font)
            box = QRect(0, top, right, height)
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, str(line + 1))
            if line == error:  # a shape beside the colour
                size = theme.scaled(6)
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(theme.colour("bad_mark"))
                painter.drawEllipse(QRect(theme.scaled(3), top + (height - size) // 2, size, size))
        painter.end()

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._anchor = self._line_at(event.position().toPoint())
            self._choose(self._anchor)
            self._editor.setFocus(Qt.FocusReason.MouseFocusReason)

    @override
    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._choose(self._line_at(event.position().toPoint()))

    @override
    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        QApplication.sendEvent(self._editor.viewport(), event)

    def _line_at(self, point: QPoint) -> int:
        return self._editor.cursorForPosition(QPoint(0, point.y())).blockNumber()

    def _choose(self, line: int) -> None:
        """Choose the lines from where the mouse was pressed to *line*."""
        document = self._editor.document()
        cursor = self._editor.textCursor()
        down = line >= self._anchor
        first, last = (document.findBlockByNumber(each) for each in (self._anchor, line))
        cursor.setPosition(first.position() if down else first.position() + first.length() - 1)
        keep = QTextCursor.MoveMode.KeepAnchor
        cursor.setPosition(last.position() + (last.length() - 1 if down else 0), keep)
        if down and last.next().isValid():
            cursor.setPosition(last.next().position(), keep)
        self._editor.setTextCursor(cursor)
