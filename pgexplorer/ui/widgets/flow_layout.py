"""A layout that sets its items in rows and begins a new row where one is full, as words in a paragraph."""

from PySide6.QtCore import QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget
from typing_extensions import override


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
        row: list[tuple[QLayoutItem, QSize]] = []
        x = 0
        y = inner.y()
        for item in self._items:
            if item.isEmpty():
                continue
            wanted = item.sizeHint()
            size = QSize(min(wanted.width(), max(inner.width(), item.minimumSize().width())), wanted.height())
            if row and x + size.width() > inner.width():
                y += self._set_row(row, inner, y, move=move) + self._row_spacing
                row = []
                x = 0
            row.append((item, size))
            x += size.width() + self.spacing()
        y += self._set_row(row, inner, y, move=move)
        return y - area.y() + margins.bottom()

    def _set_row(self, row: list[tuple[QLayoutItem, QSize]], inner: QRect, y: int, *, move: bool) -> int:
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
