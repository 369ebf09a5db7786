"""Columns that stand still while the others scroll sideways: the first ones on the screen, heads and cells."""

from PySide6.QtCore import QObject, QRect, Qt
from PySide6.QtWidgets import QTableView
from shiboken6 import isValid

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.grid_head import GridHeader
from pgexplorer.ui.widgets.grid_paint import Across

_LEFT_OVER = 120  # pixels that the columns that scroll keep; where there are fewer, nothing stands still


class Frozen(QObject):
    """The frozen columns of *view*: where they are, and a second head over the first that shows theirs.

    The cells are the view's own, painted and hit where this says, so that selection, keys and screen readers go on.
    """

    def __init__(self, view: QTableView, head: GridHeader) -> None:
        super().__init__(view)
        self._view = view
        self._head = head
        self._count = 0
        self.head = GridHeader(view)
        self.head.setObjectName("grid.frozen_heads")
        self.head.setAccessibleName("Heads of the frozen columns")
        self.head.setSectionsMovable(False)
        self.head.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.head.hide()
        self.head.sectionResized.connect(self._resized_here)
        head.sectionResized.connect(self._resized)
        head.sectionMoved.connect(self.place)
        head.sectionCountChanged.connect(self.place)
        head.geometriesChanged.connect(self.place)

    @property
    def count(self) -> int:
        """How many columns, from the first on the screen on, are meant to stand still."""
        return self._count

    def set_count(self, count: int) -> None:
        """Let the first *count* columns on the screen stand still; 0 for none."""
        self._count = count
        self.place()
        self._view.viewport().update()

    @property
    def width(self) -> int:
        """How many pixels they take; 0 where none stand still, or where there is no room for that."""
        if not self._count or not isValid(self._view):  # the head has something to say even when it all ends
            return 0
        head = self._head
        wide = sum(head.sectionSize(head.logicalIndex(at)) for at in range(min(self._count, head.count())))
        return wide if wide + theme.scaled(_LEFT_OVER) <= self._view.viewport().width() else 0

    def columns(self) -> list[Across]:
        """Return where they stand."""
        found: list[Across] = []
        if not self.width:
            return found
        head, left = self._head, 0
        for visual in range(min(self._count, head.count())):
            column = head.logicalIndex(visual)
            if not head.isSectionHidden(column):
                found.append(Across(column, left, head.sectionSize(column), head.is_right(column)))
                left += head.sectionSize(column)
        return found

    def holds(self, column: int) -> bool:
        """Say whether *column* stands still."""
        return bool(self.width) and 0 <= self._head.visualIndex(column) < self._count

    def at(self, x: int) -> int:
        """Return the column that stands at the pixel *x* of the viewport; -1 where one that scrolls is."""
        return next((each.column for each in self.columns() if each.left <= x < each.left + each.width), -1)

    def left_of(self, column: int) -> int:
        """Return the pixel at which *column*, which stands still, begins."""
        return next((each.left for each in self.columns() if each.column == column), 0)

    def place(self, *_: object) -> None:
        """Put the second head over the first, as it is now."""
        wide = self.width
        self.head.setVisible(bool(wide))
        if not wide:
            return
        main, here = self._head, self.head
        if here.model() is not self._view.model():
            here.setModel(self._view.model())
        for visual in range(min(self._count, main.count())):
            column = main.logicalIndex(visual)
            if here.visualIndex(column) != visual:
                here.moveSection(here.visualIndex(column), visual)
            if here.isSectionHidden(column) != main.isSectionHidden(column):
                here.setSectionHidden(column, main.isSectionHidden(column))
            if here.sectionSize(column) != main.sectionSize(column):
                here.resizeSection(column, main.sectionSize(column))
        where = main.geometry()
        here.setGeometry(QRect(where.left(), where.top(), wide, where.height()))
        here.raise_()

    def _resized(self, column: int, _before: int, _now: int) -> None:
        if self.holds(column) or (self._count and self.head.isVisible()):
            self.place()
            self._view.viewport().update()

    def _resized_here(self, column: int, _before: int, now: int) -> None:
        if self.head.isVisible() and now and self._head.sectionSize(column) != now and self.holds(column):
            self._head.resizeSection(column, now)
