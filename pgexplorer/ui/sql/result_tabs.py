"""The results of a tab's statements, a grid or a plan each: the last ones, and those that a person has pinned."""

from dataclasses import dataclass

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QMenu, QTabWidget, QWidget

from pgexplorer.db.query import Done, Result
from pgexplorer.db.rows import Picked, Rows, State
from pgexplorer.jobs import Jobs
from pgexplorer.models.result_model import ResultModel
from pgexplorer.ui import icons
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.grid import Grid

_MOST = 50  # results shown of one run


@dataclass(slots=True, kw_only=True)
class _Tab:
    """What has a tab."""

    view: QWidget
    sql: str
    name: str  # of its kind
    icon: str
    is_pinned: bool = False
    is_incomplete: bool = False


@dataclass(slots=True, kw_only=True)
class _Shown(_Tab):
    """A result in its tab."""

    grid: Grid
    model: ResultModel
    rows: Rows
    index: int  # of the statement in its run


class ResultTabs(QTabWidget):
    """A tab a result. It owns the rows that it is given, and closes them in jobs."""

    export_wanted = Signal()
    copied = Signal(int)
    copy_refused = Signal(int)

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self._jobs = jobs
        self._shown: list[_Shown] = []
        self._plans: list[_Tab] = []
        self._spare: Grid | None = None  # made while the server works
        self.setDocumentMode(True)
        self.setMovable(True)
        self.setObjectName("query.results")
        self.setAccessibleName("Results")
        self.tabBar().setAccessibleName("Results")
        self.tabBar().setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.tabBar().customContextMenuRequested.connect(self._menu_at)
        self.currentChanged.connect(self._name_current)

    # -- a run

    def begin(self) -> None:
        """Let the results of the run before go, but for the pinned ones."""
        for each in [each for each in self._tabs if not each.is_pinned]:
            self._remove(each)

    def show_plan(self, view: QWidget, sql: str) -> None:
        """Show the plan of *sql* in place of the last one that is not pinned; results stay."""
        for each in [each for each in self._plans if not each.is_pinned]:
            self._remove(each)
        tab = _Tab(view=view, sql=sql, name="Plan", icon="explain")
        self._plans.append(tab)
        at = self.addTab(view, icons.icon(tab.icon, "muted"), tab.name)
        self.setTabToolTip(at, plain.tool_tip(plain.breakable(plain.one_line(sql, 300))))
        self.setCurrentWidget(view)

    def make_grid(self) -> None:
        """Make the next result's grid before its rows come: making and dressing one takes some milliseconds."""
        if self._spare is None:
            self._spare = Grid(self)
            self._spare.hide()
            for each in (self._spare, *self._spare.findChildren(QWidget)):
                each.ensurePolished()

    def show_result(self, news: Result, sql: str) -> bool:
        """Show a result, or that it has grown; return False where there are too many, and it is let go."""
        shown = self._of(news.index)
        if shown is not None:
            shown.model.grow()
            return True
        if len(self._shown) >= _MOST:
            self.close_later(news.rows)
            return False
        grid, self._spare = self._spare or Grid(), None
        number = 1 + sum(not each.is_pinned for each in self._shown)
        grid.setAccessibleName(f"Result {number}")
        grid.offer_export(True)
        grid.export_wanted.connect(self.export_wanted)
        grid.copied.connect(self.copied)
        grid.copy_refused.connect(self.copy_refused)
        model = ResultModel(grid)
        model.show(news.rows)
        grid.setModel(model)
        self._shown.append(
            _Shown(
                view=grid,
                sql=sql,
                name="Result",
                icon="table",
                grid=grid,
                model=model,
                rows=news.rows,
                index=news.index,
            )
        )
        at = self.addTab(grid, f"Result {number}")
        self.setTabToolTip(at, plain.breakable(plain.one_line(sql, 300)))
        self.setCurrentWidget(grid)
        grid.fit_columns()
        return True

    def end(self, done: Done, words: str) -> None:
        """Say on a result's tab what came of its statement."""
        shown = self._of(done.index)
        if shown is None:
            return
        at = self.indexOf(shown.grid)
        self.setTabToolTip(at, plain.breakable(f"{plain.one_line(shown.sql, 300)}\n{words}"))

    def mark_incomplete(self, index: int) -> None:
        """Say on the tab that a result is not whole."""
        shown = self._of(index)
        if shown is not None and not shown.is_incomplete:
            shown.is_incomplete = True
            at = self.indexOf(shown.grid)
            self.setTabText(at, f"{self.tabText(at)} (incomplete)")

    # -- what is shown

    @property
    def has_new(self) -> bool:
        """Whether the last run has brought a result."""
        return any(not each.is_pinned for each in self._shown)

    @property
    def coming(self) -> int:
        """How many rows are here of results that still grow."""
        return sum(each.rows.known for each in self._shown if each.rows.state is State.MORE)

    def current_model(self) -> ResultModel | None:
        """Return the rows of the result in sight."""
        shown = self._current()
        return shown.model if shown is not None else None

    def current_sql(self) -> str:
        """Return the statement of the result in sight."""
        shown = self._current()
        return shown.sql if shown is not None else ""

    def model_of(self, index: int) -> ResultModel | None:
        """Return the rows of the last run's statement *index*."""
        shown = self._of(index)
        return shown.model if shown is not None else None

    def rows(self) -> list[Rows]:
        """Return the rows of all results that are shown."""
        return [each.rows for each in self._shown]

    def picked(self) -> Picked | None:
        """Return the selected cells of the result in sight; None where one or none is selected."""
        shown = self._current()
        if shown is None:
            return None
        ranges, columns = shown.grid.selected()
        several = len(columns) * sum(end - begin for begin, end in ranges) > 1
        return Picked(shown.model.rows(), ranges, columns) if several else None

    def leave(self) -> None:
        """Close all rows."""
        for shown in self._shown:
            self.close_later(shown.rows)
        self._shown.clear()

    def close_later(self, rows: Rows) -> None:
        """Close the file of a result, which may take the system a moment."""
        self._jobs.call(rows.close, name="close a result")

    def pin_current(self) -> None:
        """Keep the result in sight through further runs, or no longer."""
        tab = self._tab(self.currentWidget())
        if tab is not None:
            self._pin(tab, pinned=not tab.is_pinned)

    # -- inside

    def _of(self, index: int) -> _Shown | None:
        return next((each for each in self._shown if each.index == index and not each.is_pinned), None)

    def _current(self) -> _Shown | None:
        grid = self.currentWidget()
        return next((each for each in self._shown if each.grid is grid), None)

    @property
    def _tabs(self) -> list[_Tab]:
        return [*self._shown, *self._plans]

    def _tab(self, view: QWidget | None) -> _Tab | None:
        return next((each for each in self._tabs if each.view is view), None)

    def _pin(self, tab: _Tab, *, pinned: bool) -> None:
        tab.is_pinned = pinned
        at = self.indexOf(tab.view)
        words = plain.one_line(tab.sql, 24).replace("&", "&&")
        kept = " (incomplete)" if tab.is_incomplete else ""
        self.setTabText(at, (words if pinned else tab.name) + kept)
        self.setTabIcon(at, icons.icon("pin", "accent") if pinned else icons.icon(tab.icon, "muted"))

    def _remove(self, tab: _Tab) -> None:
        at = self.indexOf(tab.view)
        if isinstance(tab, _Shown):
            self._shown.remove(tab)
            self.close_later(tab.rows)
        else:
            self._plans.remove(tab)
        if at >= 0:
            self.removeTab(at)
        tab.view.deleteLater()

    def _menu_at(self, where: QPoint) -> None:
        tab = self._tab(self.widget(self.tabBar().tabAt(where)))
        if tab is None:
            return
        menu = QMenu(self)
        menu.setObjectName("query.result_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(
            "Let it go with the next run" if tab.is_pinned else "Pin: keep it through the next runs",
            lambda: self._pin(tab, pinned=not tab.is_pinned),
        )
        menu.addAction("Close", lambda: self._remove(tab) if tab in self._tabs else None)
        menu.popup(self.tabBar().mapToGlobal(where))

    def _name_current(self) -> None:
        """Keep the name query.grid with the result that is shown."""
        for index in range(self.count()):
            here = index == self.currentIndex()
            if isinstance(grid := self.widget(index), Grid):
                grid.setObjectName("query.grid" if here else f"query.grid.{index + 1}")
