"""A tree's or list's item drawn as an icon, a name and something muted behind it."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPalette
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import plain

_Index = QModelIndex | QPersistentModelIndex


class NameDelegate(QStyledItemDelegate):
    """Paints the name, then the text of *muted_role* in the muted colour, on one line or with *two_lines* below it."""

    def __init__(self, parent: QWidget, icon_role: int, muted_role: int, *, two_lines: bool = False) -> None:
        super().__init__(parent)
        self._icon_role = icon_role
        self._muted_role = muted_role
        self._two_lines = two_lines

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        metrics = QFontMetrics(option.font)  # type: ignore[attr-defined]
        height = metrics.height() * 2 + theme.scaled(18) if self._two_lines else metrics.height() + theme.scaled(8)
        name, muted = self._texts(index)
        width = metrics.horizontalAdvance(name) + theme.scaled(44)
        if not self._two_lines:
            width += metrics.horizontalAdvance(muted)
        return QSize(width, height)

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
        styled = QStyleOptionViewItem(option)
        self.initStyleOption(styled, index)
        styled.text = ""  # type: ignore[attr-defined]
        widget: QWidget = option.widget  # type: ignore[attr-defined]
        style = widget.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, styled, painter, widget)
        rect: QRect = option.rect  # type: ignore[attr-defined]
        metrics = QFontMetrics(option.font)  # type: ignore[attr-defined]
        name, muted = self._texts(index)
        size = theme.scaled(16)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)  # type: ignore[attr-defined]
        painter.save()
        painter.setClipRect(rect)
        left = rect.left() + theme.scaled(10 if self._two_lines else 4)
        if icon := index.data(self._icon_role):
            middle = rect.top() + (rect.height() - size) // 2
            shade = "selection_text" if selected else "accent" if self._two_lines else "muted"
            painter.drawPixmap(left, middle, icons.pixmap(str(icon), size, shade, widget.devicePixelRatioF()))
        left += size + theme.scaled(10 if self._two_lines else 7)
        room = rect.right() - left - theme.scaled(4)
        role = QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text
        ink = option.palette.color(role)  # type: ignore[attr-defined]
        painter.setFont(option.font)  # type: ignore[attr-defined]
        painter.setPen(ink)
        elide = Qt.TextElideMode.ElideRight
        if self._two_lines:
            top = rect.top() + (rect.height() - 2 * metrics.height()) // 2 + metrics.ascent()
            painter.drawText(left, top, metrics.elidedText(name, elide, room))
            painter.setPen(ink if selected else theme.colour("muted"))
            painter.drawText(left, top + metrics.height(), metrics.elidedText(muted, elide, room))
        else:
            base = rect.top() + (rect.height() - metrics.height()) // 2 + metrics.ascent()
            painter.drawText(left, base, metrics.elidedText(name, elide, room))
            left += metrics.horizontalAdvance(name) + theme.scaled(8)
            painter.setPen(ink if selected else theme.colour("muted"))
            painter.drawText(left, base, metrics.elidedText(muted, elide, max(0, rect.right() - left)))
        painter.restore()

    def _texts(self, index: _Index) -> tuple[str, str]:
        name = plain.one_line(str(index.data(Qt.ItemDataRole.DisplayRole) or ""))
        return name, plain.one_line(str(index.data(self._muted_role) or ""))
