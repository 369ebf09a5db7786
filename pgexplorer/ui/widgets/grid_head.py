"""The heads of a table's columns: the name, below it the type, and by which of them the rows are sorted."""

from collections.abc import Sequence
from math import ceil

from PySide6.QtCore import QEvent, QLine, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHeaderView, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.grid_marks import SIGN_ROLES, can_mark, marks_of

LEAST_WIDTH = 60


Sorting = Sequence[tuple[int, Qt.SortOrder]]


class _Hovered(QHeaderView):
    """A header that marks the section under the mouse, and is measured anew when fonts and colours change."""

    def __init__(self, orientation: Qt.Orientation, parent: QWidget | None = None) -> None:
        super().__init__(orientation, parent)
        self._hovered = -1
        self.setMouseTracking(True)

    @override
    def mouseMoveEvent(self, e: QMouseEvent) -> None:
        super().mouseMoveEvent(e)
        self._hover(self.logicalIndexAt(e.position().toPoint()))

    @override
    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover(-1)

    @override
    def changeEvent(self, arg__1: QEvent, /) -> None:
        super().changeEvent(arg__1)
        if arg__1.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.viewport().update()

    def _hover(self, section: int) -> None:
        if section != self._hovered:
            self._hovered = section
            self.viewport().update()


class GridHeader(_Hovered):
    """Column heads of two lines: the name, and below it the type, muted.

    Where sorting is offered, a click on a head asks for it and Ctrl+click selects the column; else a click selects it.
    """

    sort_wanted = Signal(int, object, bool)  # as the grid's
    column_chosen = Signal(int)  # to be selected, by Ctrl+click

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSectionsClickable(True)
        self.setSectionsMovable(True)
        self.setHighlightSections(False)
        self.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        self.setStretchLastSection(False)
        self._look: _HeadLook | None = None
        self._held = Qt.KeyboardModifier.NoModifier  # while the mouse was pressed last
        self._sorting: list[tuple[int, Qt.SortOrder]] = []
        self.offers_sorting = False
        self.setSortIndicatorClearable(True)
        self.sectionClicked.connect(self._clicked)

    def sorting(self) -> Sorting:
        """Return the columns by which the rows are said to be sorted, the weightiest first."""
        return tuple(self._sorting)

    def show_sorting(self, by: Sorting) -> None:
        """Say by which columns the rows are sorted, the weightiest first."""
        self._sorting = list(by)
        column, order = self._sorting[0] if self._sorting else (-1, Qt.SortOrder.AscendingOrder)
        self.setSortIndicator(column, order)
        self.viewport().update()

    def sorted_by(self, column: int) -> Qt.SortOrder | None:
        """Return the order in which *column* sorts the rows; None where it does not."""
        return next((order for each, order in self._sorting if each == column), None)

    def wanted_width(self, column: int) -> int:
        """Return the width that the head of *column* wants."""
        name, kind = self._words(column)
        look = self._current_look()
        wide = max(look.names.horizontalAdvance(name), look.kind_width(kind))
        mark = theme.scaled(16) if self.isSortIndicatorShown() else 0
        return wide + 2 * look.padding + mark + 2

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(LEAST_WIDTH), self._current_look().height)  # the view gives it its own width

    @override
    def sectionSizeFromContents(self, logicalIndex: int) -> QSize:
        return QSize(self.wanted_width(logicalIndex), self._current_look().height)

    @override
    def paintSection(self, painter: QPainter, rect: QRect, logicalIndex: int) -> None:
        if not rect.isValid():
            return
        painter.save()
        painter.fillRect(rect, theme.colour("hover" if logicalIndex == self._hovered else "window"))
        painter.setPen(QPen(theme.colour("line"), 1))
        painter.drawLine(rect.topRight(), rect.bottomRight())
        painter.drawLine(rect.bottomLeft(), rect.bottomRight())
        inner = rect.adjusted(padding(), theme.scaled(4), -padding(), -theme.scaled(4))
        if (order := self.sorted_by(logicalIndex)) is not None:
            inner.setRight(inner.right() - self._paint_sort_mark(painter, inner, logicalIndex, order))
        self._paint_words(painter, inner, logicalIndex)
        painter.restore()

    def is_right(self, column: int) -> bool:
        """Say whether the values of *column* line up at the right."""
        model = self.model()
        value = model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole)
        return value is not None and bool(int(value) & 0x2)

    @override
    def mousePressEvent(self, e: QMouseEvent) -> None:
        self._held = e.modifiers()
        super().mousePressEvent(e)

    def _paint_words(self, painter: QPainter, inner: QRect, column: int) -> None:
        name, kind = self._words(column)
        side = Qt.AlignmentFlag.AlignRight if self.is_right(column) else Qt.AlignmentFlag.AlignLeft
        elide = Qt.TextElideMode.ElideRight
        look = self._current_look()
        painter.setFont(look.name_font)
        painter.setPen(theme.colour("text"))
        metrics = painter.fontMetrics()
        if not kind:
            painter.drawText(
                inner, side | Qt.AlignmentFlag.AlignVCenter, metrics.elidedText(name, elide, inner.width())
            )
            return
        upper = QRect(inner.topLeft(), QSize(inner.width(), metrics.height()))
        painter.drawText(upper, side | Qt.AlignmentFlag.AlignVCenter, metrics.elidedText(name, elide, inner.width()))
        painter.setFont(look.type_font)
        painter.setPen(theme.colour("muted"))
        metrics = painter.fontMetrics()
        lower = QRect(QPoint(inner.left(), upper.bottom() + 1), QSize(inner.width(), metrics.height()))
        painter.drawText(lower, side | Qt.AlignmentFlag.AlignVCenter, metrics.elidedText(kind, elide, inner.width()))

    def _paint_sort_mark(self, painter: QPainter, inner: QRect, column: int, order: Qt.SortOrder) -> int:
        """Paint the mark, with its rank where there are several; return how wide it is."""
        up = order is Qt.SortOrder.AscendingOrder
        side = theme.scaled(8)
        y = inner.center().y() + (side // 4 if up else -side // 4)
        tip = -side // 2 if up else side // 2
        painter.save()
        taken = theme.scaled(14)
        if len(self._sorting) > 1:
            rank = str([each for each, _ in self._sorting].index(column) + 1)
            painter.setFont(self._current_look().type_font)
            painter.setPen(theme.colour("accent"))
            painter.drawText(inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, rank)
            taken += self._current_look().kinds.horizontalAdvance(rank) + 2
        x = inner.right() - taken + theme.scaled(14) - side
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour("accent"), 1.75, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPolyline([QPoint(x, y), QPoint(x + side // 2, y + tip), QPoint(x + side, y)])
        painter.restore()
        return taken

    def _clicked(self, column: int) -> None:
        if not self.offers_sorting:
            return
        self.show_sorting(self._sorting)  # Qt has turned its mark already, but nothing is sorted yet
        if self._held & Qt.KeyboardModifier.ControlModifier:
            self.column_chosen.emit(column)
            return
        # Upwards, downwards, not at all.
        beside = bool(self._held & Qt.KeyboardModifier.ShiftModifier)
        up, down = Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder
        before = self.sorted_by(column)
        self.sort_wanted.emit(column, up if before is None else down if before is up else None, beside)

    def _words(self, column: int) -> tuple[str, str]:
        model = self.model()
        value = model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole) if model else None
        name, _, kind = ("" if value is None else str(value)).partition("\n")
        return name, plain.one_line(kind, 80)

    def _current_look(self) -> "_HeadLook":
        key = (theme.current().name, theme.scaled(1000))
        if self._look is None or self._look.key != key:
            self._look = _HeadLook(key)
        return self._look


class RowHeader(_Hovered):
    """The numbers of the rows, which the model says; all rows are of one height."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self._look: _NumberLook | None = None
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    @override
    def sizeHint(self) -> QSize:
        # Qt would measure a hundred numbers each time that rows come.
        look = self._current_look()
        last = self._words(self.count() - 1) if self.count() else ""
        letters = max(len(last), 2) + (2 if can_mark(self.model()) else 0)  # with the sign of a change before it
        wide = letters * look.digit + 2 * theme.scaled(8) + 2
        return QSize(ceil(wide), self.defaultSectionSize())

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        look, height, offset = self._current_look(), self.defaultSectionSize(), self.offset()
        rect = e.rect()
        first = max(0, (offset + rect.top()) // height)
        last = min(self.count() - 1, (offset + rect.bottom()) // height)
        painter = QPainter(self.viewport())
        try:
            painter.fillRect(rect, look.window)
            wide = self.viewport().width()
            right = wide - 1 - theme.scaled(6)
            top = first * height - offset
            if first <= self._hovered <= last:
                painter.fillRect(0, (self._hovered - first) * height + top, wide, height, look.hover)
            bottom = top + (last - first + 1) * height - 1
            painter.setPen(look.line)
            painter.drawLine(wide - 1, top, wide - 1, bottom)
            painter.drawLines([QLine(0, y, wide, y) for y in range(top + height - 1, bottom + 1, height)])
            painter.setFont(look.font)
            painter.setPen(look.muted)
            y = top + (height - 1 - look.height) // 2 + look.ascent
            marks = marks_of(self.model(), first, last + 1 - first)
            for row in range(first, last + 1):
                words = self._words(row)
                mark = marks[row - first] if marks else None
                painter.setPen(look.muted if mark is None else look.inks[mark.sign])
                painter.drawText(right - ceil(look.width(words)), y, words)
                if mark is not None:
                    strip = theme.scaled(3)
                    painter.fillRect(0, (row - first) * height + top, strip, height - 1, look.strips[mark.sign])
                y += height
        finally:
            painter.end()

    def _words(self, row: int) -> str:
        value = self.model().headerData(row, Qt.Orientation.Vertical, Qt.ItemDataRole.DisplayRole)
        return str(row + 1) if value is None else str(value)

    def _current_look(self) -> "_NumberLook":
        key = (theme.current().name, theme.scaled(1000))
        if self._look is None or self._look.key != key:
            self._look = _NumberLook(key)
        return self._look

    @override
    def _hover(self, section: int) -> None:
        if section != self._hovered:
            for each in (self._hovered, section):
                if each >= 0:
                    self.viewport().update(
                        0, self.sectionViewportPosition(each), self.width(), self.defaultSectionSize()
                    )
            self._hovered = section


class _NumberLook:
    """What is the same for the number of every row until the theme changes."""

    def __init__(self, key: tuple[str, int]) -> None:
        self.key = key
        self.font = theme.sans()
        self.metrics = QFontMetricsF(self.font)
        self.digit = self.metrics.horizontalAdvance("0" * 10) / 10
        self.height, self.ascent = round(self.metrics.height()), round(self.metrics.ascent())
        self.window, self.hover = theme.colour("window"), theme.colour("hover")
        self.line, self.muted = theme.colour("line"), theme.colour("muted")
        self.inks = {sign: theme.colour(role) for sign, role in SIGN_ROLES.items()}
        self.strips = {sign: theme.colour(f"{role}_mark") for sign, role in SIGN_ROLES.items()}

    def width(self, words: str) -> float:
        """Return how wide *words* are; figures are of one width."""
        return len(words) * self.digit if words.isdecimal() else self.metrics.horizontalAdvance(words)


class _HeadLook:
    """What is the same for every column's head until the theme changes."""

    def __init__(self, key: tuple[str, int]) -> None:
        self.key = key
        self.name_font = theme.sans(semibold=True)
        self.type_font = theme.sans()
        self.type_font.setPointSizeF(self.type_font.pointSizeF() * 0.9)
        self.names = QFontMetrics(self.name_font)
        self.kinds = QFontMetrics(self.type_font)
        self.padding = padding()
        self.height = self.names.height() + self.kinds.height() + theme.scaled(9)
        self._kind_widths: dict[str, int] = {}

    def kind_width(self, kind: str) -> int:
        """Return how wide the name of a type is; there are few of them."""
        if (width := self._kind_widths.get(kind)) is None:
            width = self._kind_widths[kind] = self.kinds.horizontalAdvance(kind)
        return width


def padding() -> int:
    """Return the room at both sides of a text, in pixels."""
    return theme.scaled(7)
