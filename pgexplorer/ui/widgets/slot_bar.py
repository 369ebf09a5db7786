"""The pool at a glance: a small square a slot, and how many are in use in words."""

from collections import Counter
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.states import KINDS, StateKind, mark_colour, paint_glyph

_MOST_SQUARES = 24


class SlotBar(QAbstractButton):
    """Squares in state colours, each with the state's shape; above 24 slots a strip shared out by states."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kinds: tuple[StateKind, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_slots(self, kinds: Sequence[StateKind], text: str, tool_tip: str = "") -> None:
        """Show a square for each of *kinds* and *text* beside them; does nothing when nothing changed."""
        wanted = tuple(kinds)
        if wanted == self._kinds and text == self.text() and plain.tool_tip(tool_tip) == self.toolTip():
            return
        self._kinds = wanted
        self.setText(text)
        self.setToolTip(plain.tool_tip(tool_tip))
        self.setAccessibleName(f"Pool: {text}")
        self.setAccessibleDescription(tool_tip)
        self.updateGeometry()
        self.update()

    @override
    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self.font())
        width = self._marks_width() + metrics.horizontalAdvance(self.text()) + theme.scaled(24)
        return QSize(round(width), max(theme.scaled(30), round(metrics.height()) + theme.scaled(8)))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def changeEvent(self, e: QEvent) -> None:
        super().changeEvent(e)
        if e.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.update()

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_back(painter)
        x = float(theme.scaled(8))
        if len(self._kinds) <= _MOST_SQUARES:
            self._paint_squares(painter, x)
        else:
            self._paint_strip(painter, x)
        x += self._marks_width() + theme.scaled(8)
        painter.setPen(theme.colour("text" if self.isEnabled() else "disabled"))
        painter.drawText(QRectF(x, 0, self.width() - x, self.height()), Qt.AlignmentFlag.AlignVCenter, self.text())

    def _paint_back(self, painter: QPainter) -> None:
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        radius = theme.scaled(6)
        painter.setPen(QPen(theme.colour("focus"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
        if self.isDown():
            painter.setBrush(theme.colour("pressed"))
        elif self.underMouse():
            painter.setBrush(theme.colour("hover"))
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(area, radius, radius)

    def _paint_squares(self, painter: QPainter, x: float) -> None:
        side = self._side()
        for kind in self._kinds:
            area = QRectF(x, (self.height() - side) / 2, side, side)
            radius = side * 0.28
            if kind == "idle":
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.setPen(QPen(mark_colour(kind), 1.5))
                painter.drawRoundedRect(area.adjusted(0.75, 0.75, -0.75, -0.75), radius, radius)
            else:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(mark_colour(kind))
                painter.drawRoundedRect(area, radius, radius)
                inset = side * 0.27
                glyph = area.adjusted(inset, inset, -inset, -inset)
                paint_glyph(painter, glyph, kind, theme.colour("surface"))
            x += side + self._gap()

    def _paint_strip(self, painter: QPainter, x: float) -> None:
        counts = Counter(self._kinds)
        side = self._side()
        room = self._marks_width() - theme.scaled(2) * (len(counts) - 1)
        for kind in KINDS:
            if not counts[kind]:
                continue
            width = room * counts[kind] / len(self._kinds)
            area = QRectF(x, (self.height() - side) / 2, width, side)
            idle = kind == "idle"
            painter.setPen(QPen(mark_colour(kind), 1.5) if idle else Qt.PenStyle.NoPen)
            painter.setBrush(Qt.BrushStyle.NoBrush if idle else mark_colour(kind))
            radius = min(side, width) * 0.28
            painter.drawRoundedRect(area.adjusted(0.75, 0.75, -0.75, -0.75) if idle else area, radius, radius)
            if width >= side and not idle:
                inset = side * 0.27
                middle = QRectF(area.center().x() - side / 2, area.y(), side, side)
                glyph = middle.adjusted(inset, inset, -inset, -inset)
                paint_glyph(painter, glyph, kind, theme.colour("surface"))
            x += width + theme.scaled(2)

    def _side(self) -> float:
        return float(theme.scaled(13))

    def _gap(self) -> float:
        return float(theme.scaled(4))

    def _marks_width(self) -> float:
        count = len(self._kinds)
        if count > _MOST_SQUARES:
            return float(theme.scaled(160))
        return count * self._side() + max(0, count - 1) * self._gap()
