"""The pool at a glance: a small square a slot, and how many are in use in words."""

from collections import Counter
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen, QPixmap
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.states import KINDS, StateKind, mark_colour, paint_glyph

_MOST_SQUARES = 24
_SIDE, _GAP = 13, 4  # pixels of a square and between two, at the usual text size
_MOST_DRAWN = 500  # marks kept as they were drawn
_CALM = 2000  # milliseconds after which it gives room back that its words do not need any more


class SlotBar(QAbstractButton):
    """Squares in state colours, each with the state's shape; above 24 slots a strip shared out by states."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kinds: tuple[StateKind, ...] = ()
        self._drawn: dict[tuple[StateKind, int], QPixmap] = {}  # marks by kind and width
        self._drawn_in = theme.current()
        self._widest = 0.0  # of the words since it was fitted to them: what lies beside it is laid out seldom
        self._fit_later = QTimer(self, singleShot=True, interval=_CALM)
        self._fit_later.timeout.connect(self._fit)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_slots(self, kinds: Sequence[StateKind], text: str, tool_tip: str = "") -> None:
        """Show a square for each of *kinds* and *text* beside them; does nothing when nothing changed."""
        wanted = tuple(kinds)
        if tool_tip != self.accessibleDescription():
            self.setToolTip(plain.tool_tip(tool_tip))
            self.setAccessibleDescription(tool_tip)
        if wanted == self._kinds and text == self.text():
            return
        are_as_many = len(wanted) == len(self._kinds)
        self._kinds = wanted
        if text != self.text():
            self.setText(text)
            self.setAccessibleName(f"Pool: {text}")
        width = QFontMetricsF(self.font()).horizontalAdvance(text)
        if width > self._widest or not are_as_many:
            self._widest = max(width, self._widest)
            self.updateGeometry()
        if width < self._widest:
            self._fit_later.start()
        self.update()

    def _fit(self) -> None:
        """Be as wide as the words are now."""
        self._widest = QFontMetricsF(self.font()).horizontalAdvance(self.text())
        self.updateGeometry()

    @override
    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self.font())
        words = max(self._widest, metrics.horizontalAdvance(self.text()))
        width = self._marks_width() + words + theme.scaled(24)
        return QSize(round(width), max(theme.scaled(30), round(metrics.height()) + theme.scaled(8)))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def changeEvent(self, e: QEvent) -> None:
        super().changeEvent(e)
        if e.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._drawn.clear()
            self._fit()
            self.update()

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        if self._drawn_in is not theme.current():
            self._drawn_in = theme.current()
            self._drawn.clear()
        painter = QPainter(self)
        try:
            if self.hasFocus() or self.isDown() or self.underMouse():
                self._paint_back(painter)
            x, height = theme.scaled(8), self.height()
            if len(self._kinds) <= _MOST_SQUARES:
                self._paint_squares(painter, x)
            else:
                self._paint_strip(painter, x)
            x += round(self._marks_width()) + theme.scaled(8)
            painter.setPen(theme.colour("text" if self.isEnabled() else "disabled"))
            painter.drawText(x, 0, self.width() - x, height, Qt.AlignmentFlag.AlignVCenter, self.text())
        finally:
            painter.end()

    def _paint_back(self, painter: QPainter) -> None:
        area = QRectF(self.rect()).adjusted(1, 1, -1, -1)
        radius = theme.scaled(6)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour("focus"), 2) if self.hasFocus() else Qt.PenStyle.NoPen)
        if self.isDown():
            painter.setBrush(theme.colour("pressed"))
        elif self.underMouse():
            painter.setBrush(theme.colour("hover"))
        else:
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(area, radius, radius)

    def _paint_squares(self, painter: QPainter, x: int) -> None:
        side, gap = theme.scaled(_SIDE), theme.scaled(_GAP)
        y = (self.height() - side) // 2
        for kind in self._kinds:
            painter.drawPixmap(x, y, self._drawn.get((kind, side)) or self._mark(kind, side))
            x += side + gap

    def _paint_strip(self, painter: QPainter, x: int) -> None:
        counts = Counter(self._kinds)
        side, gap = theme.scaled(_SIDE), theme.scaled(2)
        room = self._marks_width() - gap * (len(counts) - 1)
        y, left = (self.height() - side) // 2, float(x)
        for kind in KINDS:
            if counts[kind]:
                width = max(1, round(room * counts[kind] / len(self._kinds)))
                painter.drawPixmap(round(left), y, self._drawn.get((kind, width)) or self._mark(kind, width))
                left += room * counts[kind] / len(self._kinds) + gap

    def _mark(self, kind: StateKind, width: int) -> QPixmap:
        """Return a mark of *kind*, *width* pixels wide, with its shape where there is room: drawn once for a theme."""
        if len(self._drawn) > _MOST_DRAWN:
            self._drawn.clear()
        side, ratio = theme.scaled(_SIDE), self.devicePixelRatioF()
        drawn = self._drawn[kind, width] = QPixmap(round(width * ratio), round(side * ratio))
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area, radius = QRectF(0, 0, width, side), min(side, width) * 0.28
        if kind == "idle":
            painter.setPen(QPen(mark_colour(kind), 1.5))
            painter.drawRoundedRect(area.adjusted(0.75, 0.75, -0.75, -0.75), radius, radius)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(mark_colour(kind))
            painter.drawRoundedRect(area, radius, radius)
            if width >= side:
                inset = side * 0.27
                middle = QRectF(area.center().x() - side / 2, 0, side, side).adjusted(inset, inset, -inset, -inset)
                paint_glyph(painter, middle, kind, theme.colour("surface"))
        painter.end()
        return drawn

    def _marks_width(self) -> float:
        count = len(self._kinds)
        if count > _MOST_SQUARES:
            return float(theme.scaled(160))
        return float(count * theme.scaled(_SIDE) + max(0, count - 1) * theme.scaled(_GAP))
