"""The schema panel: every schema, table and column, searchable at once, opened by a double click."""

from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QStackedLayout, QTreeView, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.db.schema import Relation, TableColumn, read_columns, read_relations
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.schema_model import ICON_ROLE, MUTED_ROLE, RELATION_ROLE, SchemaModel
from pgexplorer.server import Server
from pgexplorer.ui import icons
from pgexplorer.ui.actions import Action
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.name_delegate import NameDelegate

_UNKNOWN = "Connect to a server to see what it holds."


class SchemaPanel(Panel):
    """Schemas and what is in them; a table is opened by a double click, Enter or its menu."""

    TITLE = "Schema"
    ICON = "schema"
    table_chosen = Signal(object)  # Relation

    def __init__(self, server: Server, jobs: Jobs) -> None:
        super().__init__("schema")
        self._server = server
        self._jobs = jobs
        self._job: Job | None = None
        self._wanted_first = ""
        self.model = SchemaModel(self)
        self.model.columns_wanted.connect(self._read_columns)
        self._found = _Found(self)
        self._found.setSourceModel(self.model)
        self.filter = QLineEdit(placeholderText="Filter tables and views…", clearButtonEnabled=True)
        self.filter.setObjectName("schema.filter")
        self.filter.setAccessibleName("Filter tables and views")
        self.filter.textChanged.connect(self._filter)
        self.tree = QTreeView(headerHidden=True, uniformRowHeights=True)
        self.tree.setObjectName("schema.tree")
        self.tree.setAccessibleName("Schemas and tables")
        self.tree.setModel(self._found)
        self.tree.setItemDelegate(NameDelegate(self.tree, ICON_ROLE, MUTED_ROLE))
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.tree.setExpandsOnDoubleClick(False)
        self.tree.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.tree.activated.connect(self._activated)
        self._empty = EmptyState("schema", "No tables yet", _UNKNOWN)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.tree)
        self._stack.addWidget(self._empty)
        self._stack.setCurrentWidget(self._empty)
        self.add_actions(
            [
                Action("schema.open", "Open table", self._open_current, icon="table"),
                Action("schema.refresh", "Refresh the schema", self.refresh, "Shift+F5", "refresh"),
                Action("schema.filter", "Filter tables", self.filter.setFocus, "Ctrl+L", "search"),
            ]
        )
        self.tree.addActions([self.action("schema.open"), self.action("schema.refresh")])
        search = self.filter.addAction(icons.icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        icons.wear(search, "search", "muted")
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 4, 4)
        column.setSpacing(8)
        column.addWidget(self.filter)
        column.addWidget(self.message)
        column.addLayout(self._stack, 1)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        server.opened.connect(self.refresh)
        server.closed.connect(self._forget)

    def open_first(self, name: str) -> None:
        """Open the table *name* as soon as the schema is known: the demo begins with its person table."""
        self._wanted_first = name

    def refresh(self) -> None:
        """Read the catalog again. What was open stays open."""
        if self._server.in_use is None:
            return
        if self._job is not None:
            self._job.ignore()
        client = self._server.in_use.client

        def work() -> Iterator[list[tuple[str, list[Relation]]]]:
            with client.lend("schema") as conn:
                yield read_relations(conn)

        self.message.clear()
        self._job = self._jobs.start(work, name="read the schema", yielded=self._show, failed=self._failed)

    def relation(self, schema: str, name: str) -> Relation | None:
        """Return the relation *schema*.*name* as last read."""
        return self.model.find(schema, name).data(RELATION_ROLE)

    def _show(self, schemas: list[tuple[str, list[Relation]]]) -> None:
        opened = self._opened()
        self.model.set_relations(schemas)
        user = [name for name, relations in schemas if name not in {"pg_catalog", "information_schema"} and relations]
        for row in range(self._found.rowCount()):
            index = self._found.index(row, 0)
            if index.data() in opened or (not opened and index.data() in user[:3]):
                self.tree.expand(index)
        self._empty.say("schema", "No tables", "The role may use no schema here.")
        self._stack.setCurrentIndex(0 if schemas else 1)
        if self._wanted_first:
            name, self._wanted_first = self._wanted_first, ""
            if relation := self.relation("public", name):
                index = self._found.mapFromSource(self.model.find("public", name))
                self.tree.setCurrentIndex(index)
                self.tree.expand(index)
                self.table_chosen.emit(relation)

    def _opened(self) -> set[str]:
        rows = (self._found.index(row, 0) for row in range(self._found.rowCount()))
        return {str(index.data()) for index in rows if self.tree.isExpanded(index)}

    def _failed(self, error: Exception) -> None:
        show_failure(self.message, error, self._server, self.refresh)

    def _forget(self) -> None:
        if self._job is not None:
            self._job.ignore()
        self.model.set_relations([])
        self._empty.say("schema", "No tables yet", _UNKNOWN)
        self._stack.setCurrentWidget(self._empty)
        self.message.clear()

    def _read_columns(self, relation: Relation) -> None:
        if self._server.in_use is None:
            return
        client = self._server.in_use.client

        def work() -> Iterator[list[TableColumn]]:
            with client.lend("schema") as conn:
                yield read_columns(conn, relation.oid)

        def show(columns: list[TableColumn]) -> None:
            self.model.set_columns(relation.oid, columns)

        def failed(error: Exception) -> None:
            self.model.ask_again(relation.oid)
            self._failed(error)

        self._jobs.start(work, name="read columns", yielded=show, failed=failed)

    def _filter(self, text: str) -> None:
        self._found.setFilterFixedString(text)
        if text:
            self.tree.expandToDepth(0)

    def _activated(self, index: QModelIndex) -> None:
        if relation := index.data(RELATION_ROLE):
            self.table_chosen.emit(relation)
        else:
            self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def _open_current(self) -> None:
        if relation := self.tree.currentIndex().data(RELATION_ROLE):
            self.table_chosen.emit(relation)


class _Found(QSortFilterProxyModel):
    """What the filter finds: a table by its name with all its columns, a schema with what was found in it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setRecursiveFilteringEnabled(True)
        self.setAutoAcceptChildRows(True)

    @override
    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        value = super().data(index, role)
        if role == Qt.ItemDataRole.ToolTipRole and value:
            return plain.tool_tip(str(value))
        return value
