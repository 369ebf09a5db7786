"""How a state is told: a colour, a shape and a word each, so that the colour is never alone."""

from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from pgexplorer.ui import theme

StateKind = Literal["good", "warn", "bad", "idle", "busy", "info"]
KINDS: tuple[StateKind, ...] = ("good", "warn", "bad", "idle", "busy", "info")
_ROLES: dict[StateKind, str] = {
    "good": "good",
    "warn": "warn",
    "bad": "bad",
    "idle": "muted",
    "busy": "purple",
    "info": "info",
}


def state_colour(kind: StateKind) -> QColor:
    """Return the colour of the state's words, legible on every background."""
    return theme.colour(_ROLES[kind])


def mark_colour(kind: StateKind) -> QColor:
    """Return the colour of the state's shapes, which are larger than letters and may be livelier."""
    return theme.colour("idle_mark" if kind == "idle" else f"{_ROLES[kind]}_mark")


def state_role(kind: StateKind) -> str:
    """Return the role of theme.Colours that the state wears."""
    return _ROLES[kind]


def paint_glyph(painter: QPainter, area: QRectF, kind: StateKind, colour: QColor | None = None) -> None:
    """Paint the state's shape into *area*: disc, triangle, cross, ring, hour-glass or diamond."""
    drawn = colour or mark_colour(kind)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(drawn)
    left, top, right, bottom = area.left(), area.top(), area.right(), area.bottom()
    middle = area.center()
    if kind == "good":
        painter.drawEllipse(area)
    elif kind == "warn":
        painter.drawPolygon(QPolygonF([QPointF(middle.x(), top), QPointF(right, bottom), QPointF(left, bottom)]))
    elif kind == "busy":
        upper = [area.topLeft(), area.topRight(), middle]
        lower = [area.bottomLeft(), area.bottomRight(), middle]
        painter.drawPolygon(QPolygonF(upper))
        painter.drawPolygon(QPolygonF(lower))
    elif kind == "info":
        corners = [QPointF(middle.x(), top), QPointF(right, middle.y())]
        corners += [QPointF(middle.x(), bottom), QPointF(left, middle.y())]
        painter.drawPolygon(QPolygonF(corners))
    else:
        width = max(1.5, area.width() / 5)
        inner = area.adjusted(width / 2, width / 2, -width / 2, -width / 2)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(drawn, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        if kind == "bad":
            painter.drawLine(inner.topLeft(), inner.bottomRight())
            painter.drawLine(inner.topRight(), inner.bottomLeft())
        else:
            painter.drawEllipse(inner)
    painter.restore()
