"""A share drawn as a bar with its figure behind it."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget
from typing_extensions import override

from pgexplorer.ui import theme

_Index = QModelIndex | QPersistentModelIndex
_WIDEST = "< 0.1 %"


class ShareDelegate(QStyledItemDelegate):
    """Paints what *share_role* has, a float from 0 to 1, as a bar, and the item's text at its right."""

    def __init__(self, parent: QWidget, share_role: int) -> None:
        super().__init__(parent)
        self._share_role = share_role

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        metrics = QFontMetrics(option.font)  # type: ignore[attr-defined]
        return QSize(metrics.horizontalAdvance(_WIDEST) + theme.scaled(76), metrics.height() + theme.scaled(8))

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        styled = QStyleOptionViewItem(option)
        self.initStyleOption(styled, index)
        text, styled.text = styled.text, ""  # type: ignore[attr-defined]
        widget: QWidget = option.widget  # type: ignore[attr-defined]
        widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, styled, painter, widget)
        rect: QRect = option.rect  # type: ignore[attr-defined]
        metrics = QFontMetrics(option.font)  # type: ignore[attr-defined]
        selected = bool(option.state & QStyle.StateFlag.State_Selected)  # type: ignore[attr-defined]
        share = min(1.0, max(0.0, float(index.data(self._share_role) or 0.0)))
        gap, high = theme.scaled(6), theme.scaled(8)
        words = metrics.horizontalAdvance(_WIDEST)
        track = QRectF(rect.left() + gap, rect.center().y() - high / 2 + 1, rect.width() - words - 3 * gap, high)
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        ink = option.palette.color(role)  # type: ignore[attr-defined]
        painter.save()
        painter.setClipRect(rect)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if track.width() > 4:
            radius = high / 3
            painter.setPen(ink if selected else theme.colour("border"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(track.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
            if share > 0:
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(ink if selected else theme.colour("info_mark"))
                bar = QRectF(track.left(), track.top(), max(2.0, track.width() * share), high)
                painter.drawRoundedRect(bar, radius, radius)
        painter.setFont(option.font)  # type: ignore[attr-defined]
        painter.setPen(ink)
        place = QRectF(rect.right() - words - gap, rect.top(), words, rect.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()
