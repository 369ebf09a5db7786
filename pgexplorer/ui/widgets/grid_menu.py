"""What a right click on a table offers: on its cells, and on the heads of its columns."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHeaderView, QInputDialog, QMenu, QTableView

from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.grid_copy import FORMATS


@dataclass(frozen=True, slots=True)
class Offers:
    """What a table can do, beside what every table view can."""

    view: Callable[[], object]
    copy: Callable[[str], object]  # in a format of FORMATS
    find: Callable[[], object]
    fit_all: Callable[[], object]
    fit_one: Callable[[int], object]
    sort: Callable[[int, Qt.SortOrder | None, bool], object]
    filter: Callable[[int, str | None, str], object]
    freeze: Callable[[int], object]
    unfreeze: Callable[[], object]
    frozen: Callable[[], int]  # how many columns stand still
    export: Callable[[], object]


_MOST_FILTERED = 1_000  # letters of a value that is taken into a filter
_SHOWN_VALUE = 32
_SORTS = (
    ("Sort ascending", Qt.SortOrder.AscendingOrder),
    ("Sort descending", Qt.SortOrder.DescendingOrder),
    ("No sort", None),
)


class GridMenu:
    """The menus of *grid*."""

    def __init__(self, grid: QTableView, offers: Offers, roles: tuple[int, int], frozen: QHeaderView) -> None:
        """*roles* are those of NULL and of the whole value; *frozen* is the head of the columns that stand still."""
        self.offers_sorting = self.offers_filtering = self.offers_export = False
        self.view_keys = "Return"  # that show the value
        self.fillers: list[Callable[[QMenu], object]] = []  # which add to the menu of the cells what they offer
        self._null, self._whole = roles
        self._grid = grid
        self._offers = offers
        grid.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        grid.customContextMenuRequested.connect(self._at_cell)
        for head in (grid.horizontalHeader(), frozen):
            head.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            head.customContextMenuRequested.connect(partial(self._at_head, head))

    def of_cells(self) -> QMenu:
        """Return the menu of the selected cells."""
        grid, offers = self._grid, self._offers
        menu = _menu(grid, "grid.menu")
        has_cell = grid.currentIndex().isValid()
        view = menu.addAction(f"View the value\t{self.view_keys}", offers.view)
        copy = menu.addAction("Copy\tCtrl+C", lambda: offers.copy(next(iter(FORMATS))))
        for action in (view, copy):
            action.setEnabled(has_cell)
        formats = menu.addMenu("Copy as")
        formats.setEnabled(has_cell)
        for form in FORMATS:
            formats.addAction(form, partial(offers.copy, form))
        if self.offers_export:
            menu.addAction("Export…", offers.export).setEnabled(has_cell)
        for fill in self.fillers:
            fill(menu)
        if self.offers_filtering and has_cell:
            self._add_filters(menu, grid.currentIndex())
        if has_cell:
            column = menu.addMenu("Column")
            self._fill_column(column, grid.currentIndex().column())
        menu.addSeparator()
        menu.addAction("Find…\tCtrl+F", offers.find)
        menu.addAction("Go to row…\tCtrl+G", partial(ask_row, grid))
        menu.addAction("Select all\tCtrl+A", grid.selectAll)
        return menu

    def of_column(self, column: int) -> QMenu:
        """Return the menu of a column's head."""
        menu = _menu(self._grid, "grid.column_menu")
        self._fill_column(menu, column)
        return menu

    def _fill_column(self, menu: QMenu, column: int) -> None:
        grid = self._grid
        model, head = grid.model(), grid.horizontalHeader()
        words = str(model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole) or "")
        name = words.partition("\n")[0]
        shown = head.count() - head.hiddenSectionCount()
        if self.offers_sorting:
            for text, order in _SORTS:
                menu.addAction(text, partial(self._offers.sort, column, order, False))
            menu.addSeparator()
        menu.addAction("Copy the name", lambda: QGuiApplication.clipboard().setText(name))
        menu.addAction("Select the column", lambda: grid.selectColumn(column))
        menu.addSeparator()
        menu.addAction("Fit to its values", partial(self._offers.fit_one, column))
        menu.addAction("Fit all columns", self._offers.fit_all)
        hide = menu.addAction("Hide", lambda: grid.setColumnHidden(column, True))
        hide.setEnabled(shown > 1)
        if head.hiddenSectionCount():
            hidden = menu.addMenu("Show")
            for each in range(head.count()):
                if head.isSectionHidden(each):
                    words = str(model.headerData(each, Qt.Orientation.Horizontal) or "").partition("\n")[0]
                    hidden.addAction(_literally(words), partial(self._show, each))
            menu.addAction("Show all", self._show_all)
        menu.addSeparator()
        visual, last = head.visualIndex(column), head.count() - 1
        for text, to in (("Move left", visual - 1), ("Move right", visual + 1), ("Move to the front", 0)):
            move = menu.addAction(text, partial(head.moveSection, visual, to))
            move.setEnabled(0 <= to <= last and to != visual)
        menu.addAction("Columns in their first order", self._in_order)
        menu.addSeparator()
        menu.addAction("Freeze up to here", partial(self._offers.freeze, column))
        menu.addAction("Unfreeze", self._offers.unfreeze).setEnabled(self._offers.frozen() > 0)

    def _add_filters(self, menu: QMenu, index: QModelIndex) -> None:
        """Offer the filters that the value of the cell at *index* suggests."""
        model, column = self._grid.model(), index.column()
        words = str(model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.DisplayRole) or "")
        name = plain.one_line(words.partition("\n")[0], _SHOWN_VALUE)
        ask = partial(self._offers.filter, column)
        menu.addSeparator()
        if model.data(index, self._null) is not True:
            shown = str(model.data(index, Qt.ItemDataRole.DisplayRole))
            value = plain.one_line(shown, _SHOWN_VALUE) or "''"
            for sign, how in (("=", "="), ("≠", "<>")):
                action = menu.addAction(_literally(f"Filter: {name} {sign} {value}"))
                action.triggered.connect(partial(self._ask_value, QPersistentModelIndex(index), how))
                action.setEnabled(len(shown) <= _MOST_FILTERED)
        menu.addAction(_literally(f"Filter: {name} is NULL"), partial(ask, None, "is null"))
        menu.addAction(_literally(f"Filter: {name} is not NULL"), partial(ask, None, "is not null"))

    def _ask_value(self, index: QPersistentModelIndex, how: str, _checked: bool = False) -> None:
        if not index.isValid():
            return
        model = self._grid.model()
        whole = model.data(index, self._whole)
        self._offers.filter(
            index.column(), str(model.data(index, Qt.ItemDataRole.DisplayRole) if whole is None else whole), how
        )

    def _show(self, column: int) -> None:
        self._grid.setColumnHidden(column, False)

    def _show_all(self) -> None:
        for column in range(self._grid.horizontalHeader().count()):
            self._show(column)

    def _in_order(self) -> None:
        head = self._grid.horizontalHeader()
        for column in range(head.count()):
            head.moveSection(head.visualIndex(column), column)

    def _at_cell(self, where: QPoint) -> None:
        self.of_cells().popup(self._grid.viewport().mapToGlobal(where))

    def _at_head(self, head: QHeaderView, where: QPoint) -> None:
        column = head.logicalIndexAt(where)
        if column >= 0:
            self.of_column(column).popup(head.viewport().mapToGlobal(where))


def ask_row(grid: QTableView) -> None:
    """Ask for a row by its number, and make its cell in the current column current."""
    model = grid.model()
    count = model.rowCount()
    if not count:
        return
    current = grid.currentIndex()
    row, wanted = QInputDialog.getInt(
        grid, "Go to row", f"Row, 1 to {count:,}:", current.row() + 1 if current.isValid() else 1, 1, count
    )
    if wanted:
        index = model.index(row - 1, max(0, current.column()))
        grid.setCurrentIndex(index)
        grid.scrollTo(index, QTableView.ScrollHint.PositionAtCenter)


def _literally(text: str) -> str:
    """Return *text* so that a menu shows it letter by letter: no key of an &, no shortcut of a tab."""
    return text.replace("&", "&&").replace("\t", "⇥")


def _menu(grid: QTableView, name: str) -> QMenu:
    menu = QMenu(grid)
    menu.setObjectName(name)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return menu
