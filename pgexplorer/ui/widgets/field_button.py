"""A button that looks like a field: words and a shortcut, and as little of them as there is room for."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme

_WIDTH = 230  # pixels at the usual text size


class FieldButton(QPushButton):
    """Shrinks to its icon where the row is full: first the shortcut goes, then the words."""

    def __init__(self, words: str, keys: str, icon: str = "search", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words, self._keys, self._icon_name = words, keys, icon
        self.setProperty("field", True)
        self.setAccessibleName(words)
        self.setToolTip(f"{words} ({keys})")
        self.setCursor(Qt.CursorShape.IBeamCursor)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)

    def shown(self) -> tuple[str, str]:
        """Return the words and the shortcut as far as there is room for them."""
        metrics = self.fontMetrics()
        room = self.width() - theme.scaled(16 + 2 * 9 + 8)
        words = self._words if metrics.horizontalAdvance(self._words) <= room else ""
        both = metrics.horizontalAdvance(self._words) + theme.scaled(16) + metrics.horizontalAdvance(self._keys)
        return words, self._keys if both <= room else ""

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(_WIDTH), super().sizeHint().height())

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(16 + 2 * 9), super().sizeHint().height())

    @override
    def paintEvent(self, arg__1: QPaintEvent, /) -> None:
        super().paintEvent(arg__1)
        words, keys = self.shown()
        painter = QPainter(self)
        painter.setFont(self.font())
        painter.setPen(theme.colour("muted"))
        size, side = theme.scaled(16), theme.scaled(9)
        left = side if words else (self.width() - size) // 2
        glass = icons.pixmap(self._icon_name, size, "muted", self.devicePixelRatioF())
        painter.drawPixmap(left, (self.height() - size) // 2, glass)
        inner = self.rect().adjusted(side + size + theme.scaled(8), 0, -side, 0)
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)
        painter.drawText(inner, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, keys)
