"""A label of one line that ends in … where it would be cut, and shows all of itself in its tool tip."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain


class ElidedLabel(QLabel):
    """One line of plain text, elided at its end (or where *mode* says)."""

    def __init__(
        self,
        text: str = "",
        parent: QWidget | None = None,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    ) -> None:
        super().__init__(parent)
        self._mode = mode
        self._ink = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def set_ink(self, role: str) -> None:
        """Draw in the colour *role* of the theme, whatever theme that is; "" for the palette's."""
        self._ink = role
        self.update()

    @override
    def minimumSizeHint(self) -> QSize:
        least = min(self.fontMetrics().horizontalAdvance("mmm…"), self.sizeHint().width())
        return QSize(least, super().minimumSizeHint().height())

    @override
    def sizeHint(self) -> QSize:
        margins = self.contentsMargins()
        width = self.fontMetrics().horizontalAdvance(self._line()) + margins.left() + margins.right() + 2
        return QSize(width, super().sizeHint().height())

    @override
    def setText(self, text: str, /) -> None:
        if text != self.text():
            super().setText(text)
        self._explain()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._explain()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(theme.colour(self._ink) if self._ink else self.palette().color(self.foregroundRole()))
        area = self.contentsRect()
        painter.drawText(area, self.alignment() | Qt.TextFlag.TextSingleLine, self._elided(area.width()))

    def _line(self) -> str:
        return plain.one_line(self.text())

    def _elided(self, width: int) -> str:
        return self.fontMetrics().elidedText(self._line(), self._mode, width)

    def _explain(self) -> None:
        cut = self._elided(self.contentsRect().width()) != self.text()
        self.setToolTip(plain.tool_tip(self.text()) if cut else "")
