"""Layouts that set their items in rows: a new one where one is full, as words in a paragraph, or rows of a length."""

from PySide6.QtCore import QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget
from typing_extensions import override

_Sized = list[tuple[QLayoutItem, QSize]]


class FlowLayout(QLayout):
    """Rows of items, left to right (right to left where the language is), each as wide as it wants to be."""

    def __init__(self, parent: QWidget | None = None, *, spacing: int = 8, row_spacing: int | None = None) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._heights: dict[int, int] = {}  # by width; Qt asks dozens of times before anything changes
        self._least: QSize | None = None
        self._row_spacing = spacing if row_spacing is None else row_spacing
        self.setSpacing(spacing)
        self.setContentsMargins(QMargins(0, 0, 0, 0))
        if parent is not None:
            parent.setLayout(self)

    @override
    def addItem(self, arg__1: QLayoutItem, /) -> None:
        self._items.append(arg__1)

    @override
    def count(self) -> int:
        return len(self._items)

    @override
    def itemAt(self, index: int, /) -> QLayoutItem | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._items[index] if 0 <= index < len(self._items) else None

    @override
    def takeAt(self, index: int, /) -> QLayoutItem | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    @override
    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    @override
    def hasHeightForWidth(self) -> bool:
        return True

    @override
    def invalidate(self) -> None:
        self._heights.clear()
        self._least = None
        super().invalidate()

    @override
    def heightForWidth(self, arg__1: int, /) -> int:
        height = self._heights.get(arg__1)
        if height is None:
            height = self._heights[arg__1] = self._arrange(QRect(0, 0, arg__1, 0), move=False)
        return height

    @override
    def setGeometry(self, arg__1: QRect, /) -> None:
        super().setGeometry(arg__1)
        self._arrange(arg__1, move=True)

    @override
    def sizeHint(self) -> QSize:
        return self.minimumSize()

    @override
    def minimumSize(self) -> QSize:
        if self._least is not None:
            return self._least
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        self._least = size + QSize(margins.left() + margins.right(), margins.top() + margins.bottom())
        return self._least

    def _arrange(self, area: QRect, *, move: bool) -> int:
        margins = self.contentsMargins()
        inner = area.marginsRemoved(margins)
        items: _Sized = []
        for item in self._items:
            if not item.isEmpty():
                wanted = item.sizeHint()
                width = min(wanted.width(), max(inner.width(), item.minimumSize().width()))
                items.append((item, QSize(width, wanted.height())))
        y = inner.y()
        for number, row in enumerate(self._cut(items, inner.width())):
            y += self._row_spacing if number else 0
            y += self._set_row(row, inner, y, move=move)
        return y - area.y() + margins.bottom()

    def _cut(self, items: _Sized, width: int) -> list[_Sized]:
        """Return *items* as rows, none wider than *width* that has more than one of them."""
        rows: list[_Sized] = []
        x = 0
        for item, size in items:
            if not rows or x + size.width() > width:
                rows.append([])
                x = 0
            rows[-1].append((item, size))
            x += size.width() + self.spacing()
        return rows

    def _set_row(self, row: _Sized, inner: QRect, y: int, *, move: bool) -> int:
        height = max((size.height() for _, size in row), default=0)
        if move:
            parent = self.parentWidget()
            rightwards = parent is None or parent.layoutDirection() is Qt.LayoutDirection.LeftToRight
            x = 0
            for item, size in row:
                left = inner.left() + x if rightwards else inner.right() + 1 - x - size.width()
                item.setGeometry(QRect(QPoint(left, y + (height - size.height()) // 2), size))
                x += size.width() + self.spacing()
        return height


class BalancedLayout(FlowLayout):
    """One row where there is room; else as few rows as there can be of equal counts, their items below each other."""

    @override
    def _cut(self, items: _Sized, width: int) -> list[_Sized]:
        for count in range(1, len(items)):
            each = -(-len(items) // count)
            rows = [items[at : at + each] for at in range(0, len(items), each)]
            wide = [max(row[at][1].width() for row in rows if at < len(row)) for at in range(each)]
            if sum(wide) + self.spacing() * (each - 1) <= width:
                return [[(item, QSize(wide[at], size.height())) for at, (item, size) in enumerate(row)] for row in rows]
        return [[each] for each in items]
