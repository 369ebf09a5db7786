"""Horizontal bars that compare a few numbers."""

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain

Bar = tuple[str, float, str]
_WRAPPED = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap


class BarChart(QWidget):
    """A title and a bar for each (label, value, text); the longest bar is the largest value."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = ""
        self._bars: tuple[Bar, ...] = ()
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def set_bars(self, title: str, bars: Sequence[Bar]) -> None:
        """Show *bars*, each a label, a value and the value in words."""
        wanted = tuple(bars)
        if (title, wanted) == (self._title, self._bars):
            return
        self._title = title
        self._bars = wanted
        self.setAccessibleName(title)
        self.setToolTip(plain.tool_tip(title))
        self.setAccessibleDescription("; ".join(f"{label}: {text}" for label, _, text in wanted))
        self.updateGeometry()
        self.update()

    @override
    def sizeHint(self) -> QSize:
        width = theme.scaled(320)
        return QSize(width, self.heightForWidth(width))

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(200), self.heightForWidth(max(self.width(), theme.scaled(200))))

    @override
    def hasHeightForWidth(self) -> bool:
        return True

    @override
    def heightForWidth(self, arg__1: int, /) -> int:
        bars = len(self._bars) * self._row() * (1.35 if self._is_stacked(arg__1) else 1.0)
        return round(self._title_height(arg__1) + bars) + theme.scaled(2)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self.updateGeometry()

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
        y = self._title_height(self.width())
        missing = self.heightForWidth(self.width()) - self.height()
        title = self._title
        if missing > 0:  # the bars say more than their title
            line = QFontMetricsF(self._title_font())
            title = line.elidedText(title, Qt.TextElideMode.ElideRight, self.width())
            one = line.height() * 1.4
            y, title = (one, title) if y - missing >= one else (0.0, "")
        if title:
            painter.setFont(self._title_font())
            painter.setPen(theme.colour("text"))
            painter.drawText(QRectF(0, 0, self.width(), y), _WRAPPED, title)
        painter.setFont(self.font())
        self._paint_bars(painter, y)

    def _paint_bars(self, painter: QPainter, y: float) -> None:
        if not self._bars:
            return
        label_width, text_width, gap = self._widths()
        metrics = QFontMetricsF(self.font())
        stacked = self._is_stacked(self.width())
        largest = max((bar[1] for bar in self._bars), default=0.0)
        row = self._row()
        thick = row * (0.3 if stacked else 0.5)
        middle = Qt.AlignmentFlag.AlignVCenter
        x = 0.0 if stacked else label_width + gap
        room = max(8.0, self.width() - x - (0 if stacked else text_width + gap))
        for label, value, text in self._bars:
            length = max(2.0, room * value / largest) if largest > 0 and value > 0 else 2.0
            line = row * 0.9 if stacked else row
            free = max(8.0, self.width() - text_width - gap) if stacked else label_width
            shown = metrics.elidedText(label, Qt.TextElideMode.ElideRight, free + 1)
            painter.setPen(theme.colour("muted"))
            painter.drawText(QRectF(0, y, free + 1, line), middle, shown)
            painter.setPen(theme.colour("text"))
            left = self.width() - text_width if stacked else x + length + gap * 0.8
            painter.drawText(QRectF(left, y, text_width, line), middle, text)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent"))
            radius = min(theme.scaled(3), length / 2)
            top = y + line if stacked else y + (row - thick) / 2
            painter.drawRoundedRect(QRectF(x, top, length, thick), radius, radius)
            y += row * 1.35 if stacked else row

    def _widths(self) -> tuple[float, float, float]:
        """Return the widths of the labels and of the values in words, and the gap between."""
        metrics = QFontMetricsF(self.font())
        labels = max((metrics.horizontalAdvance(bar[0]) for bar in self._bars), default=0.0)
        texts = max((metrics.horizontalAdvance(bar[2]) for bar in self._bars), default=0.0)
        return labels, texts + 2, theme.scaled(10)

    def _is_stacked(self, width: int) -> bool:
        """Whether the words stand above the bars, because beside them no bar would be left to compare."""
        labels, texts, gap = self._widths()
        return width - labels - texts - 2 * gap < theme.scaled(60)

    def _title_height(self, width: int) -> float:
        if not self._title:
            return 0.0
        metrics = QFontMetricsF(self._title_font())
        wrapped = metrics.boundingRect(QRectF(0, 0, width, 10_000), _WRAPPED, self._title)
        return wrapped.height() + metrics.height() * 0.4

    def _title_font(self) -> QFont:
        return theme.sans(self.font().pointSizeF(), semibold=True)

    def _row(self) -> float:
        return QFontMetricsF(self.font()).height() * 1.6
