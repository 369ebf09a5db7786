"""Horizontal bars that compare a few numbers."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import theme

Bar = tuple[str, float, str]


class BarChart(QWidget):
    """A title and a bar for each (label, value, text); the longest bar is the largest value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = ""
        self._bars: tuple[Bar, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)

    def set_bars(self, title: str, bars: Sequence[Bar]) -> None:
        """Show *bars*, each a label, a value and the value in words."""
        wanted = tuple(bars)
        if (title, wanted) == (self._title, self._bars):
            return
        self._title = title
        self._bars = wanted
        self.setAccessibleName(title)
        self.setAccessibleDescription("; ".join(f"{label}: {text}" for label, _, text in wanted))
        self.updateGeometry()
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(320), self._height())

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(200), self._height())

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        y = 0.0
        if self._title:
            painter.setFont(theme.sans(self.font().pointSizeF(), semibold=True))
            painter.setPen(theme.colour("text"))
            title = painter.fontMetrics().elidedText(self._title, Qt.TextElideMode.ElideRight, self.width())
            painter.drawText(QRectF(0, 0, self.width(), self._row()), Qt.AlignmentFlag.AlignVCenter, title)
            y = self._row()
        painter.setFont(self.font())
        self._paint_bars(painter, y)

    def _paint_bars(self, painter: QPainter, y: float) -> None:
        if not self._bars:
            return
        metrics = QFontMetricsF(self.font())
        gap = theme.scaled(10)
        label_width = min(max(metrics.horizontalAdvance(bar[0]) for bar in self._bars), self.width() * 0.38)
        text_width = max(metrics.horizontalAdvance(bar[2]) for bar in self._bars) + 2
        room = max(8.0, self.width() - label_width - text_width - 2 * gap)
        largest = max((bar[1] for bar in self._bars), default=0.0)
        row = self._row()
        thick = row * 0.5
        for label, value, text in self._bars:
            painter.setPen(theme.colour("muted"))
            shown = metrics.elidedText(label, Qt.TextElideMode.ElideRight, label_width)
            painter.drawText(QRectF(0, y, label_width, row), Qt.AlignmentFlag.AlignVCenter, shown)
            length = max(2.0, room * value / largest) if largest > 0 and value > 0 else 2.0
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent"))
            radius = min(theme.scaled(3), length / 2)
            x = label_width + gap
            painter.drawRoundedRect(QRectF(x, y + (row - thick) / 2, length, thick), radius, radius)
            painter.setPen(theme.colour("text"))
            painter.drawText(QRectF(x + length + gap * 0.8, y, text_width, row), Qt.AlignmentFlag.AlignVCenter, text)
            y += row

    def _row(self) -> float:
        return QFontMetricsF(self.font()).height() * 1.6

    def _height(self) -> int:
        return round(self._row() * (len(self._bars) + bool(self._title))) + theme.scaled(2)
