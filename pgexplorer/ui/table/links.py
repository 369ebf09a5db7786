"""Following the foreign keys of a table from its grid: to the row that a value names, to the rows that name a row."""

from collections.abc import Iterator, Sequence
from functools import partial

from PySide6.QtCore import QObject, QPoint, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget
from shiboken6 import isValid

from pgexplorer.db.errors import describe
from pgexplorer.db.schema import Relation
from pgexplorer.db.table.browse import Table
from pgexplorer.db.table.ordering import Condition
from pgexplorer.db.table.references import Reference, References
from pgexplorer.db.values import Row
from pgexplorer.jobs import Job, Jobs
from pgexplorer.server import Server
from pgexplorer.ui.table.grid import TableGrid
from pgexplorer.ui.table.reader import TableReader
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.message_bar import MessageBar

_LETTERS = 60  # of what stands in a menu


class TableLinks(QObject):
    """What the rows in *grid* refer to. Where to go is wished for by `go_wanted`: the panel goes."""

    go_wanted = Signal(object, object)  # Relation, and the conditions that find the rows there

    def __init__(
        self, parent: QWidget, server: Server, jobs: Jobs, grid: TableGrid, reader: TableReader, message: MessageBar
    ) -> None:
        super().__init__(parent)
        self._server = server
        self._jobs = jobs
        self._grid = grid
        self._reader = reader
        self._message = message
        self._references = References()
        self._counting: tuple[Table, Job] | None = None
        grid.menus.fillers.append(self._fill_menu)
        grid.link_wanted.connect(self.go)

    def know(self, references: References) -> None:
        """Take the foreign keys of the table on screen."""
        self._references = references
        names = {name for each in references.out for name in each.columns}
        columns = [column.name for column in self._reader.model.columns()]
        links = frozenset(at for at, name in enumerate(columns) if name in names)
        for model in (self._reader.pages, self._reader.whole):
            model.links = links
        self._grid.viewport().update()

    def go(self) -> None:
        """Go to the row that the current cell refers to; ask which where its column is part of several keys."""
        found = self._forwards()
        if not found:
            self._message.show_message("info", self._why_not())
        elif len(found) == 1:
            self.go_wanted.emit(found[0][0].to, found[0][1])
        else:
            menu = self._menu()
            for key, conditions in found:
                self._add(menu, key.to, conditions, f"{key.to.schema}.{key.to.name}  ({key.name})")
            menu.popup(self._below_current())

    def show_back(self) -> None:
        """Offer the rows that refer to the current one."""
        if not self._references.back:
            self._message.show_message("info", "No foreign key refers to this table.")
            return
        menu = self._menu()
        self._fill_back(menu)
        menu.popup(self._below_current())

    def leave(self) -> None:
        """Count no more."""
        if self._counting is not None:
            (table, job), self._counting = self._counting, None
            job.ignore()
            self._jobs.start(table.stop, name="stop a count", failed=lambda _error: None)

    # -- inside

    def _forwards(self) -> list[tuple[Reference, tuple[Condition, ...]]]:
        index, row = self._grid.currentIndex(), self._row()
        if not index.isValid() or row is None:
            return []
        names = self._names()
        found = ((key, key.forwards(names, row)) for key in self._references.of_column(names[index.column()]))
        return [(key, conditions) for key, conditions in found if conditions is not None]

    def _why_not(self) -> str:
        index = self._grid.currentIndex()
        if not index.isValid():
            return "Choose a cell first."
        name = self._names()[index.column()]
        if not self._references.of_column(name):
            return f"{name} is no part of a foreign key."
        return "The row is not here yet." if self._row() is None else "The value is NULL: it refers to no row."

    def _row(self) -> Row | None:
        """Return the current row as the table has it, without what is pending."""
        index, reader = self._grid.currentIndex(), self._reader
        if not index.isValid():
            return None
        return reader.whole.lines(index.row(), 1)[0] if reader.is_pass else reader.pages.row_as_read(index.row())

    def _names(self) -> list[str]:
        return [column.name for column in self._reader.model.columns()]

    def _fill_menu(self, menu: QMenu) -> None:
        for key, conditions in self._forwards():
            where = " and ".join(each.words for each in conditions)
            self._add(menu, key.to, conditions, f"Go to {key.to.name}: {where}", "F4")
        if self._references.back and self._row() is not None:
            inner = menu.addMenu("Rows that point here")
            inner.setObjectName("table.back_menu")
            self._fill_back(inner)

    def _fill_back(self, menu: QMenu) -> None:
        """Offer each key that refers to the row; how many rows that are is counted when the menu is looked at."""
        row = self._row()
        if row is None:
            menu.addAction("The row is not here yet").setEnabled(False)
            return
        wanted: list[tuple[QAction, Reference, tuple[Condition, ...]]] = []
        for key in self._references.back:
            conditions = key.backwards(self._names(), row)
            if conditions is not None:
                wanted.append((self._add(menu, key.table, conditions, key.words), key, conditions))
        if not wanted:
            menu.addAction("None can: the value is NULL, or too long").setEnabled(False)
        menu.aboutToShow.connect(partial(self._count, wanted))
        menu.aboutToHide.connect(self.leave)

    def _count(self, wanted: Sequence[tuple[QAction, Reference, tuple[Condition, ...]]]) -> None:
        """Count the rows of one key after the other, for as long as the menu is open."""
        self.leave()
        in_use = self._server.in_use
        if in_use is None or not wanted:
            return
        action, key, conditions = wanted[0]
        table = Table(in_use.client, key.table, conditions=conditions, side=in_use.side)

        def work() -> Iterator[int]:
            yield table.count()

        def done(count: int) -> None:
            tell(f"{count:,}")

        def failed(error: Exception) -> None:
            tell(plain.one_line(describe(error).title, _LETTERS))

        def tell(words: str) -> None:
            self._counting = None
            if isValid(action):
                action.setText(f"{_shown(key.words)}  ({words})")
                self._count(wanted[1:])

        action.setText(f"{_shown(key.words)}  (counting…)")
        job = self._jobs.start(work, name="count rows that point here", yielded=done, failed=failed)
        self._counting = table, job

    def _add(self, menu: QMenu, to: Relation, conditions: Sequence[Condition], words: str, keys: str = "") -> QAction:
        text = _shown(words)
        return menu.addAction(f"{text}\t{keys}" if keys else text, partial(self.go_wanted.emit, to, tuple(conditions)))

    def _menu(self) -> QMenu:
        menu = QMenu(self._grid)
        menu.setObjectName("table.links")
        menu.aboutToHide.connect(menu.deleteLater)
        return menu

    def _below_current(self) -> QPoint:
        rect = self._grid.visualRect(self._grid.currentIndex())
        return self._grid.viewport().mapToGlobal(rect.bottomLeft())


def _shown(words: str) -> str:
    """Return *words* so that a menu shows them letter by letter."""
    return plain.one_line(words, _LETTERS).replace("&", "&&").replace("\t", "⇥")
