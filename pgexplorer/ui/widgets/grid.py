"""A calm table for values: two-line heads, rows of one height, NULL told apart, nothing measured that is not seen."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol, cast, runtime_checkable

from PySide6.QtCore import (
    QAbstractItemModel,
    QEvent,
    QItemSelection,
    QItemSelectionRange,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTableView,
    QWidget,
)
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.cell_viewer import MOST_WHOLE, CellViewer, Rest
from pgexplorer.ui.widgets.find_bar import FindBar
from pgexplorer.ui.widgets.grid_copy import FORMATS, Area, Copying, insert
from pgexplorer.ui.widgets.grid_fit import Measure
from pgexplorer.ui.widgets.grid_frozen import Frozen
from pgexplorer.ui.widgets.grid_head import LEAST_WIDTH, GridHeader, RowHeader, Sorting
from pgexplorer.ui.widgets.grid_menu import GridMenu, Offers, ask_row
from pgexplorer.ui.widgets.grid_paint import (
    CellDelegate,
    CellPainter,
    CopyRole,
    Look,
    NullRole,
    columns_in,
    has_lines,
    lines_of,
)

_MOST_WIDTH = 320
_MEASURED_ROWS = 100
_MEASURED_COLUMNS = 16  # that are measured by all these rows: those in view, or nearly
_FITTED_AT_ONCE = 300  # columns; the others follow while the window answers
_MEASURED_CELLS = 3_000  # in all, whatever the number of columns
_COPIED_AT_ONCE = 20_000  # cells
_AT_ONCE = 0.03  # seconds
_SHOWN_OF_HUGE = 500_000  # characters


@runtime_checkable
class HugeCells(Protocol):
    """A model whose cells may be too large to be taken whole."""

    def beginning(self, row: int, column: int, most: int) -> tuple[str | None, int, Callable[[], Iterator[bytes]]]:
        """Return the first *most* characters, about how many bytes more there are, and what yields all the bytes."""
        ...


class Grid(QTableView):
    r"""A table view of plain text in which a cell is one line, elided at its end.

    The model answers DisplayRole with the text on screen, NullRole with True for NULL, and may answer CopyRole with
    the whole value where DisplayRole shortens it. Its column heads are "name" or "name\ntype".
    """

    copied = Signal(int)
    copy_refused = Signal(int)
    # A column, Qt.SortOrder or None for not at all, and whether beside the columns that sort already. The grid sorts
    # nothing: who hears it does, and says so by show_sorting().
    sort_wanted = Signal(int, object, bool)
    # A column, its value (None for NULL), and how: "=", "<>", "is null" or "is not null".
    filter_wanted = Signal(int, object, str)
    export_wanted = Signal()  # of what is selected: see `selected`

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.copied_table = "table_name"  # what INSERT statements name, quoted as it must be
        self._copying: Copying | None = None
        self._fitted = False
        self._fit: tuple[object, ...] = ()  # what the last fit was made of, and the widths it led to
        self._made_of: tuple[int, ...] = ()
        self._to_fit: list[tuple[int, int]] = []  # columns and how many rows measure them, the next at the end
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._go_on)
        self._head = GridHeader(self)
        self.setHorizontalHeader(self._head)
        self._frozen = Frozen(self, self._head)
        for head in (self._head, self._frozen.head):
            head.sort_wanted.connect(self.sort_wanted)
            head.column_chosen.connect(self.selectColumn)
        self._frozen.head.sectionPressed.connect(self._frozen_pressed)
        self._painter = CellPainter(self)
        self.setItemDelegate(CellDelegate(self, self._painter.look))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectItems)
        self.setAlternatingRowColors(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setCornerButtonEnabled(False)
        self.setTabKeyNavigation(False)
        rows = RowHeader(self)
        self.setVerticalHeader(rows)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        rows.setDefaultAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        rows.setHighlightSections(False)
        rows.setSectionsClickable(True)
        self._measure()
        self.find_bar = FindBar(self)
        self.menus = GridMenu(
            self,
            Offers(
                self.view_current,
                self.copy_selection,
                self.open_find,
                self.fit_columns,
                self.fit_column,
                self.sort_wanted.emit,
                self.filter_wanted.emit,
                self.freeze,
                self.unfreeze,
                lambda: self.frozen,
                self.export_wanted.emit,
            ),
            (NullRole, CopyRole),
            self._frozen.head,
        )

    def look(self) -> Look:
        """Return what is the same for every cell until the theme changes."""
        return self._painter.look()

    def offer_sorting(self, offered: bool) -> None:
        """Let a click on a head, and its menu, ask for sorting: see `sort_wanted`."""
        self._head.offers_sorting = self._frozen.head.offers_sorting = self.menus.offers_sorting = offered
        self.setSortingEnabled(offered)  # which also ends that a click selects the column
        self.show_sorting(self._head.sorting() if offered else ())

    def offer_filtering(self, offered: bool) -> None:
        """Let the menu of the cells ask for filters: see `filter_wanted`."""
        self.menus.offers_filtering = offered

    def offer_export(self, offered: bool) -> None:
        """Let the menu of the cells ask for an export: see `export_wanted`."""
        self.menus.offers_export = offered

    def selected(self) -> tuple[list[tuple[int, int]], list[int]]:
        """Return the rows in which a cell is selected, and the columns.

        The rows as ranges of a first and the one behind the last; the columns, without those that are hidden, in the
        order of the screen.
        """
        area = self.area()
        return area.row_ranges(), area.columns

    def sorting(self) -> Sorting:
        """Return the columns by which the rows are said to be sorted, the weightiest first."""
        return self._head.sorting()

    def show_sorting(self, by: Sorting) -> None:
        """Mark the heads of the columns by which the rows are sorted, the weightiest first; () for none."""
        self._head.show_sorting(by)
        self._frozen.head.show_sorting(by)

    @property
    def frozen(self) -> int:
        """How many columns, from the first on the screen on, stay while the others scroll sideways."""
        return self._frozen.count

    def freeze(self, column: int) -> None:
        """Let *column*, and those that stand before it on the screen, stay while the others scroll sideways.

        Where they leave no room for others, they scroll like these until the window is wider.
        """
        self._frozen.set_count(self._head.visualIndex(column) + 1)

    def unfreeze(self) -> None:
        """Let all columns scroll."""
        self._frozen.set_count(0)

    @override
    def setModel(self, model: QAbstractItemModel | None) -> None:
        before = _model_of(self)
        if before is not None:
            before.modelReset.disconnect(self._reset)
            before.rowsInserted.disconnect(self._rows_came)
            before.columnsInserted.disconnect(self._reset)
        super().setModel(model)
        self._later.stop()
        if model is not None:
            model.modelReset.connect(self._reset)
            model.rowsInserted.connect(self._rows_came)
            model.columnsInserted.connect(self._reset)
        self._reset()

    def fit_columns(self) -> None:
        """Make every column as wide as its head and its first values want, within limits.

        The columns in view are measured by a hundred values, the others by as many as a fixed number of cells allows.
        Doing it twice costs nothing.
        """
        self._later.stop()
        model = _model_of(self)
        if model is None:
            return
        columns = model.columnCount()
        rows = min(model.rowCount(), _MEASURED_ROWS)
        left = max(0, self._head.visualIndexAt(0))
        made_of = (columns, rows, left, theme.scaled(1000), self._head.isSortIndicatorShown())
        if self._to_fit and self._made_of == made_of:
            self._later.start()  # under way
            return
        if self._fit == (*made_of, self._widths(columns)):
            return
        near = [self._head.logicalIndex(at) for at in range(left, min(columns, left + _MEASURED_COLUMNS))]
        others = set(range(columns)).difference(near)
        few = min(rows, max(1, (_MEASURED_CELLS - len(near) * rows) // len(others))) if others else 0
        self._made_of = made_of
        self._to_fit = [*((column, few) for column in sorted(others, reverse=True)), *((at, rows) for at in near)]
        self._fitted = rows > 0
        self._fit_some()

    def _fit_some(self) -> None:
        """Fit the next columns, and leave the rest for when the window has answered."""
        model = _model_of(self)
        if model is None or self._made_of[0] != model.columnCount():
            return
        measure = Measure(model)
        least, most = theme.scaled(LEAST_WIDTH), theme.scaled(_MOST_WIDTH)
        for _ in range(min(_FITTED_AT_ONCE, len(self._to_fit))):
            column, rows = self._to_fit.pop()
            width = max(least, self._head.wanted_width(column))
            if width < most:
                width = max(width, measure.width(column, range(rows), most))
            self.setColumnWidth(column, min(width, most))
        if self._to_fit:
            self._later.start()
        else:
            self._fit = (*self._made_of, self._widths(model.columnCount()))

    def copy_selection(self, form: str = "Tabs") -> bool:
        """Copy the selected cells in the format named *form*, of FORMATS; say whether there were any.

        A few are on the clipboard at once, many a little later: `copied` tells. What was being copied is given up.
        """
        model = _model_of(self)
        area = self.area()
        if model is None or not area.count:
            return False
        if self._copying is not None:
            self._copying.stop()
            self._copying.deleteLater()
        make = partial(insert, table=self.copied_table) if form == "INSERT" else FORMATS[form]
        self._copying = copying = Copying(self, model, area, make, (NullRole, CopyRole))
        copying.finished.connect(self.copied)
        copying.refused.connect(self.copy_refused)
        if area.count > _COPIED_AT_ONCE or not copying.go_on(_AT_ONCE):
            copying.start()
        return True

    def fit_column(self, column: int) -> None:
        """Make *column* as wide as its head and the values around those in view want."""
        model = _model_of(self)
        if model is None:
            return
        first = max(0, self.rowAt(0))
        rows = range(first, min(model.rowCount(), first + _MEASURED_ROWS))
        most = max(theme.scaled(_MOST_WIDTH), self.viewport().width() * 3 // 4)
        width = max(self._head.wanted_width(column), Measure(model).width(column, rows, most))
        self.setColumnWidth(column, min(width, most))

    def write_current(self) -> bool:
        """Have the current cell written in; return False where it cannot be, so that it is shown instead."""
        return False

    def view_current(self) -> None:
        """Show the current cell's value in a window of its own."""
        index = self.currentIndex()
        if not index.isValid():
            return
        model = self.model()
        row, column = index.row(), index.column()
        words = model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole)
        name, _, kind = str(words or "").partition("\n")
        text, rest = None, None
        if has_lines(model) and lines_of(model, row, 1, ())[0] is None:
            return  # it is not here
        if isinstance(model, HugeCells):
            text, more, pieces = model.beginning(row, column, MOST_WHOLE)
            if text is not None and more:
                rest = Rest(more + len(text), pieces)
                text = text[:_SHOWN_OF_HUGE]
        elif model.data(index, NullRole) is not True:
            value = model.data(index, CopyRole)
            text = str(model.data(index, Qt.ItemDataRole.DisplayRole) if value is None else value)
        CellViewer(self, name, kind, text, rest).show()

    def open_find(self) -> None:
        """Open the bar that finds text in the cells."""
        self.find_bar.open_bar()

    def ask_row(self) -> None:
        """Ask for a row and go there."""
        ask_row(self)

    @property
    def is_copying(self) -> bool:
        """Whether cells are still being copied."""
        return self._copying is not None and self._copying.is_under_way

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        # Qt asks a model eleven times about each cell, and a delegate paints one at a time; here a frame is one pass.
        painter = QPainter(self.viewport())
        try:
            frozen, edge = self._frozen.columns(), self._frozen.width
            for rect in cast("Iterable[QRect]", e.region()):
                painter.setClipRect(rect)  # a text that two of them share would be written over itself
                if rect.right() >= edge:
                    left = max(edge, rect.left())
                    columns = columns_in(self._head, left, rect.right())
                    self._painter.paint(painter, rect.adjusted(left - rect.left(), 0, 0, 0), columns)
                if rect.left() < edge:
                    self._painter.paint(painter, rect.intersected(QRect(0, rect.top(), edge, rect.height())), frozen)
                    painter.setPen(theme.colour("accent"))
                    painter.drawLine(edge - 1, rect.top(), edge - 1, rect.bottom())
        finally:
            painter.end()

    @override
    def indexAt(self, p: QPoint, /) -> QModelIndex:
        column = self._frozen.at(p.x())
        return super().indexAt(p) if column < 0 else self.model().index(self.rowAt(p.y()), column)

    @override
    def visualRect(self, index: QModelIndex | QPersistentModelIndex) -> QRect:
        rect = super().visualRect(index)
        if not rect.isNull() and self._frozen.holds(index.column()):
            rect.moveLeft(self._frozen.left_of(index.column()))
        return rect

    @override
    def scrollTo(
        self,
        index: QModelIndex | QPersistentModelIndex,
        hint: QAbstractItemView.ScrollHint = QAbstractItemView.ScrollHint.EnsureVisible,
    ) -> None:
        bar = self.horizontalScrollBar()
        before = bar.value()
        super().scrollTo(index, hint)
        if not self._frozen.width:
            return
        if self._frozen.holds(index.column()):
            bar.setValue(before)  # it is in sight already
        elif (hidden := self._frozen.width - self.visualRect(index).left()) > 0:
            bar.setValue(bar.value() - hidden)

    @override
    def scrollContentsBy(self, dx: int, dy: int) -> None:
        super().scrollContentsBy(dx, dy)
        if dx and self._frozen.width:
            self.viewport().update()  # what was moved is not all that is seen

    @override
    def selectionChanged(self, selected: QItemSelection, deselected: QItemSelection) -> None:
        super().selectionChanged(selected, deselected)
        self._update_frozen()

    @override
    def dataChanged(
        self,
        topLeft: QModelIndex | QPersistentModelIndex,
        bottomRight: QModelIndex | QPersistentModelIndex,
        roles: Sequence[int] = (),
    ) -> None:
        super().dataChanged(topLeft, bottomRight, roles)
        self._update_frozen()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._frozen.place()

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selection()
            event.accept()
        elif event.key() == Qt.Key.Key_G and event.modifiers() == Qt.KeyboardModifier.ControlModifier:
            self.ask_row()  # before FindNext, which is Ctrl+G too on some systems
        elif event.key() == Qt.Key.Key_Escape and self.find_bar.isVisible():
            self.find_bar.escape()
        elif event.matches(QKeySequence.StandardKey.Find):
            self.open_find()
        elif event.matches(QKeySequence.StandardKey.FindNext):
            self.find_bar.next()
        elif event.matches(QKeySequence.StandardKey.FindPrevious):
            self.find_bar.previous()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not (
            event.modifiers() & ~(Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier)
        ):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or not self.write_current():
                self.view_current()
        else:
            super().keyPressEvent(event)

    @override
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        super().mouseDoubleClickEvent(event)
        is_on_cell = self.indexAt(event.position().toPoint()).isValid()
        if is_on_cell and event.button() == Qt.MouseButton.LeftButton and not self.write_current():
            self.view_current()

    @override
    def changeEvent(self, arg__1: QEvent, /) -> None:
        super().changeEvent(arg__1)
        if arg__1.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._measure()

    def _measure(self) -> None:
        height = QFontMetrics(theme.mono()).height() + theme.scaled(8)
        rows = self.verticalHeader()
        if rows.defaultSectionSize() != height:
            rows.setMinimumSectionSize(height)
            rows.setDefaultSectionSize(height)

    def _reset(self) -> None:
        self._fitted = False
        self._fit = ()
        self._to_fit.clear()
        model = _model_of(self)
        if model is not None and model.rowCount():
            self.fit_columns()
        elif model is not None:
            self._later.start()  # by their heads alone, unless rows come first

    def _frozen_pressed(self, column: int) -> None:
        if not self._head.offers_sorting:
            self.selectColumn(column)

    def _update_frozen(self) -> None:
        """Paint the frozen columns again: Qt looks for them where they would be if they scrolled."""
        if wide := self._frozen.width:
            self.viewport().update(0, 0, wide, self.viewport().height())

    def _rows_came(self) -> None:
        if not self._fitted:
            self.fit_columns()

    def _go_on(self) -> None:
        if self._to_fit:
            self._fit_some()
        else:
            self.fit_columns()

    def _widths(self, columns: int) -> list[int]:
        return [self.columnWidth(column) for column in range(columns)]

    def area(self) -> Area:
        """Return the selected cells."""
        model = _model_of(self)
        if model is None:
            return Area((), [])
        head = self._head
        columns = [column for column in range(model.columnCount()) if not self.isColumnHidden(column)]
        # The stubs do not know that a selection is a list of ranges.
        ranges = cast("list[QItemSelectionRange]", list(self.selectionModel().selection()))  # pyright: ignore
        return Area(ranges, sorted(columns, key=head.visualIndex))


def _model_of(view: QAbstractItemView) -> QAbstractItemModel | None:
    # A view without a model answers None, which the stubs do not say.
    return cast("QAbstractItemModel | None", view.model())
