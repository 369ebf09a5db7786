"""The legend of a timeline: a sample of each kind of bar beside its word."""

import math

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.timeline_inks import Inks, fill_rounded
from pgexplorer.ui.widgets.timeline_source import FAILED, HELD, IN_TRANSACTION, OPENING, RUNNING


class TimelineLegend(QWidget):
    """What the bars mean: a sample of each beside its word."""

    _ROWS = (
        (RUNNING, "running"),
        (IN_TRANSACTION, "in transaction"),
        (FAILED, "failed"),
        (HELD, "held"),
        (OPENING, "opening"),
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Legend")
        self.setAccessibleDescription(
            "Running: with a base line. Idle in transaction: hatched. Failed transaction: cross-hatched. "
            "Held: plain. Opening: half as high."
        )
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setToolTip(self.accessibleDescription())

    @override
    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self._font())
        width = sum(self._sample() + metrics.horizontalAdvance(words) for _, words in self._ROWS)
        width += len(self._ROWS) * theme.scaled(11)
        return QSize(math.ceil(width), math.ceil(metrics.height()) + theme.scaled(4))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(self._font())
            metrics = QFontMetricsF(painter.font())
            inks, x, high = Inks(), 0.0, float(theme.scaled(11))
            for state, words in self._ROWS:
                area = QRectF(x, (self.height() - high) / 2, self._sample(), high)
                painter.setPen(Qt.PenStyle.NoPen)
                if state == OPENING:
                    area = area.adjusted(0, high * 0.3, 0, -high * 0.3)
                fill_rounded(painter, area, 2.5, inks.fills[state], left=True, right=True)
                if state == RUNNING:
                    raised = -high * 0.12 if inks.has_bright_fills else 0.0
                    painter.fillRect(area.adjusted(2, high * 0.75, -2, raised), inks.foot)
                elif (pattern := inks.patterns.get(state)) is not None:
                    painter.setBrushOrigin(area.topLeft())
                    painter.fillRect(area, pattern)
                x = area.right() + theme.scaled(4)
                painter.setPen(inks.muted)
                wide = metrics.horizontalAdvance(words) + 2
                painter.drawText(QRectF(x, 0, wide, self.height()), Qt.AlignmentFlag.AlignVCenter, words)
                x += wide + theme.scaled(5)
        finally:
            painter.end()

    def _font(self) -> QFont:
        return theme.sans(self.font().pointSizeF() * 0.92)

    def _sample(self) -> float:
        return float(theme.scaled(15))
