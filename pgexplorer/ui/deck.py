"""What is open: tables, SQL and the server's activity in tabs; opening and closing them, and what is asked before."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QStackedWidget, QWidget

from pgexplorer.db.schema import Relation
from pgexplorer.jobs import Jobs
from pgexplorer.journal import Journal
from pgexplorer.models.schema_model import SchemaModel
from pgexplorer.server import Server
from pgexplorer.sql_file import SqlFile
from pgexplorer.ui import theme
from pgexplorer.ui.change_keeper import ChangeKeeper, Where
from pgexplorer.ui.palette import OpenTab
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.panels.query import QueryPanel
from pgexplorer.ui.panels.table import TablePanel
from pgexplorer.ui.sql.completer import Completer
from pgexplorer.ui.sql.kept_session import AUTOCOMMIT
from pgexplorer.ui.tab_keeper import TabKeeper
from pgexplorer.ui.tab_strip import TabStrip
from pgexplorer.ui.widgets.empty_state import EmptyState

_NOTHING = "Nothing open", "Choose a table on the left, or write SQL."


class Deck(QStackedWidget):
    """The tabs, or a word where nothing is open. What is typed in them is kept on the disk."""

    sight_wanted = Signal()  # a tab is to be seen, wherever the window is
    added = Signal(object)  # Panel: it has become a tab
    status_changed = Signal(str)  # of the tab in front, or its mode
    statement_ended = Signal(object)  # history.Entry

    def __init__(
        self,
        server: Server,
        jobs: Jobs,
        look: theme.Theme,
        journal: Journal,
        completer: Completer,
        where: Callable[[], Where | None],
    ) -> None:
        """*where* returns which database is in use."""
        super().__init__()
        self._server = server
        self._jobs = jobs
        self._completer = completer
        self._queries = 0
        self._tables_of = ""  # the address of the server whose tables are open
        self.tabs = TabStrip(look)
        self.tabs.tabCloseRequested.connect(self.close_tab)
        self.tabs.currentChanged.connect(self._say)
        self._empty = EmptyState("table", *_NOTHING)
        self.addWidget(self._empty)
        self.addWidget(self.tabs)
        self.keeper = TabKeeper(journal, self.tabs, self._query_tab)
        self.changes = ChangeKeeper(journal, jobs, where, self)

    def offer(self, new_sql: QAction) -> None:
        """Offer *new_sql* where nothing is open."""
        self._empty.say("table", *_NOTHING, new_sql)

    @property
    def status(self) -> str:
        """What the tab in front says of itself."""
        panel = self.tabs.currentWidget()
        return panel.status if isinstance(panel, TablePanel | QueryPanel) else ""

    @property
    def mode(self) -> str:
        """Whether what the tab in front runs next commits by itself."""
        panel = self.tabs.currentWidget()
        return panel.kept.mode if isinstance(panel, QueryPanel) else AUTOCOMMIT

    def query_panels(self) -> list[QueryPanel]:
        """Return the SQL tabs."""
        return [panel for panel in self.tabs.panels() if isinstance(panel, QueryPanel)]

    def table_panels(self) -> list[TablePanel]:
        """Return the tabs of tables."""
        return [panel for panel in self.tabs.panels() if isinstance(panel, TablePanel)]

    # -- opening ------------------------------------------------------------------------------------------------

    def open_table(self, relation: Relation) -> None:
        """Open *relation* in a tab, or show the tab where it is open already."""
        self.sight_wanted.emit()
        wanted = relation.schema, relation.name
        for panel in self.table_panels():
            if (panel.relation.schema, panel.relation.name) == wanted:
                self.tabs.setCurrentWidget(panel)
                if not panel.has_pending:
                    panel.refresh()
                return
        panel = TablePanel(self._server, self._jobs, relation, self.tabs.home)
        panel.status_changed.connect(self._say)
        panel.relation_changed.connect(lambda: self.tabs.retitle(panel, panel.relation.name))
        self.changes.follow(panel)
        self._add(panel, relation.name, "table")
        panel.refresh()

    def open_at_column(self, relation: Relation, name: str) -> None:
        """Open *relation* with the column *name* in sight."""
        self.open_table(relation)
        panel = self.tabs.currentWidget()
        if isinstance(panel, TablePanel):
            panel.show_column(name)

    def show_activity(self) -> Panel:
        """Show what the server's sessions do in a tab, the only one of its kind, and return it."""
        from pgexplorer.ui.panels.activity import ActivityPanel

        self.sight_wanted.emit()
        panel = next((tab for tab in self.tabs.panels() if isinstance(tab, ActivityPanel)), None)
        if panel is None:
            panel = ActivityPanel(self._server, self._jobs, self.tabs.home)
            self._add(panel, panel.TITLE, panel.ICON)
        self.tabs.setCurrentWidget(panel)
        panel.grid.setFocus()
        return panel

    def new_query(self) -> QueryPanel:
        """Open an empty SQL tab."""
        self._queries += 1
        panel = self._query_tab(f"SQL {self._queries}")
        self.keeper.follow(panel)
        self.sight_wanted.emit()
        panel.editor.setFocus()
        return panel

    def open_sql(self, text: str) -> QueryPanel:
        """Open *text* in an SQL tab of its own."""
        panel = self.new_query()
        panel.editor.replace_text(text)
        return panel

    def insert_sql(self, text: str) -> None:
        """Put *text* at the caret of the SQL tab in use, in place of what is selected; in a new one without any."""
        panel = self.tabs.currentWidget()
        if not isinstance(panel, QueryPanel):
            self.open_sql(text)
            return
        self.sight_wanted.emit()
        panel.editor.insertPlainText(text)
        panel.editor.setFocus()

    def run_sql(self, text: str) -> None:
        """Run *text* in the SQL tab that has just this text, or in a new one."""
        same = [each for each in self.query_panels() if each.editor.toPlainText().strip() == text.strip()]
        panel = next((each for each in same if not each.is_running), None) or self.open_sql(text)
        self._show(panel)
        panel.run_all()

    def reopen(self) -> None:
        """Open the SQL tab again that was closed last."""
        self.keeper.reopen()
        self.sight_wanted.emit()

    def open_tabs(self) -> list[OpenTab]:
        """Return the tabs, by their names, and what shows each."""

        def show(panel: Panel) -> None:
            self._show(panel)
            panel.setFocus()

        return [
            OpenTab(
                panel.relation.name if isinstance(panel, TablePanel) else self.tabs.title(panel),
                str(panel.property("icon_name")),
                partial(show, panel),
            )
            for panel in self.tabs.panels()
        ]

    # -- closing ------------------------------------------------------------------------------------------------

    def close_tab(self, index: int) -> None:
        """Close a tab, once what would be lost with it has been asked about."""
        panel = self.tabs.widget(index)
        if panel is None:
            return
        if isinstance(panel, TablePanel) and panel.has_pending:
            self.tabs.setCurrentWidget(panel)
            panel.settle(partial(self._close, panel), "The tab is to be closed")
            return
        if isinstance(panel, Panel):
            if not panel.may_leave():
                return
            if isinstance(panel, QueryPanel):
                self.keeper.forget(panel)
            if isinstance(panel, TablePanel):
                self.changes.forget(panel)
            panel.leave()
        self.tabs.removeTab(index)
        panel.deleteLater()
        if not self.tabs.count():
            self.setCurrentWidget(self._empty)

    def settled(self, then: Callable[[], object], what: str) -> bool:
        """Say whether no table has changes that were not sent; else ask about the first, and call *then* after that."""
        for panel in self.table_panels():
            if panel.has_pending:
                self._show(panel)
                panel.settle(then, what)
                return False
        return True

    def may_leave(self) -> bool:
        """Ask about every tab whose transaction would be rolled back; return whether all may end."""
        for panel in self.query_panels():
            if panel.pin is not None and panel.pin.is_open:
                self._show(panel)
            if not panel.may_leave():
                return False
        return True

    # -- what it hears ------------------------------------------------------------------------------------------

    def follow_server(self) -> None:
        """Read the tables again of a server that was opened again, and close those of another."""
        in_use = self._server.in_use
        address = in_use.profile.address if in_use is not None else ""
        same, self._tables_of = address == self._tables_of, address
        for panel in self.table_panels():
            if panel.has_pending:
                continue  # what was typed stays
            if same:
                panel.refresh()
            else:
                self._close(panel)  # a table of another database; what was typed as SQL stays
        if in_use is not None and in_use.facts.is_console:
            self.show_activity()

    def follow_names(self, model: SchemaModel) -> None:
        """Let the tab of a table that was renamed, or moved to another schema, go on under its new name."""
        for panel in self.table_panels():
            now, before = model.relation(panel.relation.oid), panel.relation
            if now is not None and (now.schema, now.name) != (before.schema, before.name):
                panel.relation = now
                self.tabs.retitle(panel, now.name)
                if not panel.has_pending:
                    panel.refresh()

    # -- inside -------------------------------------------------------------------------------------------------

    def _query_tab(self, name: str) -> QueryPanel:
        panel = QueryPanel(self._server, self._jobs, name, self.tabs.home)
        number = name.removeprefix("SQL ")
        self._queries = max(self._queries, int(number) if number.isdecimal() else 0)
        panel.status_changed.connect(self._say)
        panel.kept.changed.connect(self._say)
        panel.statement_ended.connect(self.statement_ended)
        self._completer.attach(panel.editor)
        panel.document.title_changed.connect(partial(self.tabs.retitle, panel))
        panel.document.read_for_another.connect(self._show_file)
        self._add(panel, panel.name, "terminal")
        return panel

    def _show_file(self, file: SqlFile) -> None:
        """Show a file that was opened while the text of the tab is in use: in a tab of its own."""
        self.new_query().document.show(file)

    def _add(self, panel: Panel, title: str, icon: str) -> None:
        self.tabs.add(panel, title, icon)
        self.added.emit(panel)
        self.setCurrentWidget(self.tabs)

    def _show(self, panel: QWidget) -> None:
        self.sight_wanted.emit()
        self.tabs.setCurrentWidget(panel)

    def _close(self, panel: Panel) -> None:
        if (index := self.tabs.indexOf(panel)) >= 0:
            self.close_tab(index)

    def _say(self, _news: object = None) -> None:
        self.status_changed.emit(self.status)
