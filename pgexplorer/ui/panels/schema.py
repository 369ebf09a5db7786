"""The schema panel: everything that a server holds as a tree, every name found at once, and what can be done to it."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QLineEdit,
    QListView,
    QMenu,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db import object_actions as sql
from pgexplorer.db.objects import RELATIONS, DbObject, ObjectKind
from pgexplorer.db.schema import Relation
from pgexplorer.db.tree import Parts
from pgexplorer.history import Entry
from pgexplorer.jobs import Jobs
from pgexplorer.models.schema_model import KEY_ROLE, OBJECT_ROLE, RELATION_ROLE, SchemaModel
from pgexplorer.models.schema_nodes import HERE, Key, Measured, Tree, is_system, key_of, object_of
from pgexplorer.server import Server
from pgexplorer.ui import icons
from pgexplorer.ui.actions import Action
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.schema.actions import SchemaActions
from pgexplorer.ui.schema.reader import SchemaReader
from pgexplorer.ui.schema.search import SchemaSearch, SearchIndex
from pgexplorer.ui.schema.tree import SchemaDelegate, SchemaTree
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.empty_state import EmptyState

_UNKNOWN = "Connect to a server to see what it holds."
_OPENED_FIRST = 3  # schemas that are open when a database is shown
_MANY = 1_000  # lines in a schema that is opened only when somebody wishes
_K = ObjectKind
_OWN_KEYS = ("schema.copy", "schema.rename", "schema.drop")
_MENU = (  # what belongs together; what does not fit an object is left out
    ("schema.open", "schema.switch", "schema.reveal", "schema.ddl"),
    ("schema.copy", "schema.copy_whole"),
    ("schema.count",),
    ("schema.vacuum", "schema.analyze", "schema.vacuum_analyze", "schema.reindex", "schema.refresh_view"),
    ("schema.rename", "schema.comment"),
    ("schema.drop",),
    ("schema.new_schema", "schema.new_database", "schema.refresh"),
)


class SchemaPanel(Panel):
    """What the server holds; a table is opened by a double click, Enter or its menu."""

    TITLE = "Schema"
    ICON = "schema"
    table_chosen = Signal(object)  # Relation
    column_chosen = Signal(object, str)  # Relation, the name of a column of it
    ddl_wanted = Signal(object)  # DbObject
    switch_wanted = Signal(str)  # the name of a database
    statement_ended = Signal(object)  # history.Entry
    names_known = Signal(object)  # SearchIndex; None when the server was left

    def __init__(self, server: Server, jobs: Jobs) -> None:
        super().__init__("schema")
        self._server = server
        self._jobs = jobs
        self._wanted_first = ""
        self._wanted: Key = ()  # what is chosen as soon as the parts that it is one of are there
        self._address = ""  # of the database that is shown
        self.model = SchemaModel(self)
        self.reader = SchemaReader(server, jobs, self.model.filled)
        self.deeds = SchemaActions(self, server, jobs, self.message)
        self.search = SchemaSearch(self)
        self.filter = QLineEdit(placeholderText="Find tables, columns, functions…", clearButtonEnabled=True)
        self.filter.setObjectName("schema.filter")
        self.filter.setAccessibleName("Find tables, columns, functions and whatever else has a name")
        self.filter.installEventFilter(self)
        self.tree = SchemaTree(self.model)
        self.tree.setObjectName("schema.tree")
        self.tree.setAccessibleName("Databases, schemas and tables")
        self.found = QListView()
        self.found.setObjectName("schema.found")
        self.found.setAccessibleName("What was found")
        self.found.setModel(self.search.model)
        self.found.setUniformItemSizes(True)
        self.found.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.found.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._empty = EmptyState("schema", "No tables yet", _UNKNOWN)
        self._stack = QStackedLayout()
        self.found.setItemDelegate(SchemaDelegate(self.found))
        for view in (self.tree, self.found):
            view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
            self._stack.addWidget(view)
        self._stack.addWidget(self._empty)
        self._stack.setCurrentWidget(self._empty)
        self._add_rows()
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
        self._wire()
        self._show_possible()

    def _add_rows(self) -> None:
        do = self._do
        self.add_actions(
            [
                Action("schema.open", "Open", self._open_current, icon="table"),
                Action("schema.reveal", "Show in the tree", self._reveal_current, icon="schema"),
                Action("schema.ddl", "Show its DDL", do(self.ddl_wanted.emit), icon="code"),
                Action("schema.copy", "Copy name", self._copy, "Ctrl+C", "copy"),
                Action("schema.copy_whole", "Copy name with its schema", partial(self._copy, whole=True)),
                Action("schema.count", "Count the rows", do(self.deeds.count), icon="number"),
                Action("schema.vacuum", "Vacuum", do(self.deeds.vacuum)),
                Action("schema.analyze", "Analyze", do(self.deeds.analyze)),
                Action("schema.vacuum_analyze", "Vacuum and analyze", do(partial(self.deeds.vacuum, analyze=True))),
                Action("schema.reindex", "Reindex", do(self.deeds.reindex)),
                Action("schema.refresh_view", "Refresh the materialized view", do(self.deeds.refresh)),
                Action("schema.rename", "Rename…", do(self.deeds.rename), "F2", "edit"),
                Action("schema.comment", "Comment…", do(self.deeds.comment), icon="text"),
                Action("schema.drop", "Drop…", do(self.deeds.drop), "Del", "trash"),
                Action("schema.switch", "Switch to this database…", self._switch, icon="database"),
                Action("schema.new_schema", "New schema…", self.deeds.create_schema, icon="plus"),
                Action("schema.new_database", "New database…", self._new_database, icon="plus"),
                Action("schema.refresh", "Refresh the schema", self.refresh, "Shift+F5", "refresh"),
                Action("schema.filter", "Find in the schema", self.filter.setFocus, "Ctrl+L", "search"),
            ]
        )
        for name in _OWN_KEYS:  # they mean something elsewhere too
            self.action(name).setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    def _wire(self) -> None:
        self.model.parts_wanted.connect(self.reader.read_parts)
        self.reader.first_read.connect(self._show)
        self.reader.tree_read.connect(self._show)
        self.reader.index_made.connect(self._take_index)
        self.reader.measured.connect(self._measured)
        self.reader.parts_read.connect(self._take_parts)
        self.reader.parts_failed.connect(self._parts_failed)
        self.reader.failed.connect(self._failed)
        self.deeds.counted.connect(self._counted)
        self.deeds.ended.connect(self._ended)
        self.deeds.created.connect(self._offer_switch)
        self.search.searched.connect(self._show_found)
        self.filter.textChanged.connect(self._typed)
        for view in (self.tree, self.found):
            view.activated.connect(self._activated)
            view.customContextMenuRequested.connect(partial(self._show_menu, view))
            view.selectionModel().currentChanged.connect(self._show_possible)
            view.installEventFilter(self)
        self._server.opened.connect(self._opened)
        self._server.closed.connect(self._forget)

    # -- what is shown ------------------------------------------------------------------------------------------

    def open_first(self, name: str) -> None:
        """Open the table *name* as soon as the schema is known: the demo begins with its person table."""
        self._wanted_first = name

    def refresh(self) -> None:
        """Read the catalog again. What was open stays open."""
        if self._server.in_use is None or self._server.in_use.facts.is_console:
            return
        self.message.clear()
        self.model.forget_counts()
        self.tree.viewport().update()
        self.reader.refresh()

    def hear(self, entry: Entry) -> None:
        """Hear of a statement that ended elsewhere: the tree follows DDL."""
        self.reader.hear(entry)

    def relation(self, schema: str, name: str) -> Relation | None:
        """Return the relation *schema*.*name* as last read."""
        return self.model.find(schema, name).data(RELATION_ROLE)

    def reveal(self, found: DbObject, relation: Relation | None = None) -> None:
        """Show *found*, which may be a part of *relation*, in the tree."""
        self.filter.clear()
        self._wanted = key_of(found)
        if not self._choose_wanted() and relation is not None:
            self.tree.open_to(index := self.model.index_of(key_of(object_of(relation))))
            self.tree.expand(index)  # its parts are asked for, and then it is chosen
        self.tree.setFocus()

    def _opened(self) -> None:
        address = self._server.in_use.profile.address if self._server.in_use is not None else ""
        if address != self._address:
            self._address = address
            self.tree.forget_place()
        self.message.clear()
        if self._server.in_use is not None and self._server.in_use.facts.is_console:
            self._empty.say("schema", "PgBouncer's console", "It has no tables. The activity shows its pools.")
            return
        self.reader.refresh()

    def _show(self, tree: Tree) -> None:
        place = self.tree.place() if self.tree.has_place() else None
        self._jobs.call(self.model.set_tree(tree).let_go, name="let a tree go")
        if place is not None:
            self.tree.restore(place)
        else:
            self._open_usual()
        self._empty.say("schema", "No tables", "The role may use no schema here.")
        self._show_right_view()
        self._show_possible()
        if self._wanted_first:
            name, self._wanted_first = self._wanted_first, ""
            if relation := self.relation("public", name):
                index = self.model.find("public", name)
                self.tree.setCurrentIndex(index)
                self.tree.expand(index)
                self.table_chosen.emit(relation)

    def _open_usual(self) -> None:
        """Open the database, and the first schemas of it that are somebody's own and hold something."""
        here = self.model.index_of(HERE)
        self.tree.expand(here)
        rows = (self.model.index(row, 0, here) for row in range(self.model.rowCount(here)))
        spaces = [each for each in rows if (found := each.data(OBJECT_ROLE)) is not None and not is_system(found.name)]
        filled = [each for each in spaces if self.model.hasChildren(each)]
        for index in filled[:_OPENED_FIRST]:
            if self.model.rowCount(index) <= _MANY:
                self.tree.expand(index)

    def _show_right_view(self) -> None:
        if self.filter.text().strip() and self.model.rowCount():
            wanted: QWidget = self.found if self.search.model.hits else self._empty
        else:
            wanted = self.tree if self.model.rowCount() else self._empty
        if wanted is not self._stack.currentWidget():
            self._stack.setCurrentWidget(wanted)
            self._show_possible()

    def _take_index(self, index: SearchIndex) -> None:
        self.search.set_index(index)
        self.names_known.emit(index)

    def _measured(self, found: Measured) -> None:
        self.model.set_sizes(found)
        self.tree.viewport().update()

    def _take_parts(self, relation: Relation, parts: Parts) -> None:
        self.model.set_parts(relation.oid, parts)
        self._choose_wanted()

    def _parts_failed(self, relation: Relation, error: Exception) -> None:
        self.model.ask_again(relation.oid)
        self.tree.collapse(self.model.index_of(key_of(object_of(relation))))
        self._failed(error)

    def _choose_wanted(self) -> bool:
        index = self.model.index_of(self._wanted) if self._wanted else QModelIndex()
        if index.isValid():
            self._wanted = ()
            self.tree.open_to(index)
        return index.isValid()

    def _failed(self, error: Exception) -> None:
        show_failure(self.message, error, self._server, self.refresh)

    def _forget(self) -> None:
        self.reader.forget()
        self.search.set_index(None)
        self.names_known.emit(None)
        self._jobs.call(self.model.set_tree(None).let_go, name="let a tree go")
        self.model.forget_counts()
        self._empty.say("schema", "No tables yet", _UNKNOWN)
        self._show_right_view()
        self.message.clear()
        self._show_possible()

    # -- finding ------------------------------------------------------------------------------------------------

    def _typed(self, text: str) -> None:
        self.search.find(text)
        if self.search.model.hits:
            self.found.setCurrentIndex(self.search.model.index(0))
            self.found.scrollToTop()
        if self.search.model.hits or not self.search.is_searching:
            self._show_found()

    def _show_found(self) -> None:
        typed = self.filter.text().strip()
        if typed and self.search.is_ready and not self.search.model.hits:
            self._empty.say("search", "Nothing found", f"Nothing is called “{plain.one_line(typed, 40)}”.")
        elif typed and not self.search.is_ready and self.model.rowCount():
            self._empty.say("search", "Reading the names", "They can be searched in a moment.")
        if typed and not self.found.currentIndex().isValid():
            self.found.setCurrentIndex(self.search.model.index(0))
        self._show_right_view()

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the keys of a list work while one types, and Escape end the search; let the lists have their own keys."""
        if watched in (self.tree, self.found) and isinstance(event, QKeyEvent):
            wanted = QKeySequence(event.keyCombination())
            action = next((each for each in map(self.action, _OWN_KEYS) if wanted in each.shortcuts()), None)
            if action is not None and event.type() is QEvent.Type.ShortcutOverride:
                event.accept()  # it is taken here, and by nobody else
                return True
            if action is not None and event.type() is QEvent.Type.KeyPress:
                action.trigger()
                return True
        if watched is self.filter and event.type() is QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            view = self.tree if self._stack.currentWidget() is self.tree else self.found
            key = event.key()
            if key == Qt.Key.Key_Escape and self.filter.text():
                self.filter.clear()
                return True
            if key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and view is self.found:
                self._activated(self.found.currentIndex())
                return True
            if key in (Qt.Key.Key_Down, Qt.Key.Key_Up) and view is self.found:
                row = self.found.currentIndex().row() + (1 if key == Qt.Key.Key_Down else -1)
                if 0 <= row < self.search.model.rowCount():
                    self.found.setCurrentIndex(self.search.model.index(row))
                return True
            if key == Qt.Key.Key_Down:
                self.tree.setFocus(Qt.FocusReason.TabFocusReason)
                return True
        return super().eventFilter(watched, event)

    # -- the object in hand -------------------------------------------------------------------------------------

    def current(self) -> DbObject | None:
        """Return the object that is chosen in what is in sight."""
        return self._index().data(OBJECT_ROLE)

    def _index(self) -> QModelIndex:
        shown = self._stack.currentWidget()
        return shown.currentIndex() if isinstance(shown, QAbstractItemView) else QModelIndex()

    def _relation_of(self, index: QModelIndex) -> Relation | None:
        """Return the relation that a line is, or is a part of."""
        if self._stack.currentWidget() is self.found:
            return self.search.model.hits[index.row()].relation if index.isValid() else None
        while index.isValid():
            if relation := index.data(RELATION_ROLE):
                return relation
            index = index.parent()
        return None

    def _activated(self, index: QModelIndex) -> None:
        found: DbObject | None = index.data(OBJECT_ROLE)
        if relation := index.data(RELATION_ROLE):
            self.table_chosen.emit(relation)
        elif found is not None and found.kind is _K.COLUMN and (relation := self._relation_of(index)):
            self.column_chosen.emit(relation, found.name)
        elif found is not None and index.model() is self.search.model:
            self.reveal(found, self.search.model.hits[index.row()].relation)
        elif found is not None and self._is_other_database(found):
            self.switch_wanted.emit(found.name)
        elif self.model.hasChildren(index):
            self.tree.setExpanded(index, not self.tree.isExpanded(index))

    def _open_current(self) -> None:
        self._activated(self._index())

    def _reveal_current(self) -> None:
        index = self._index()
        if (found := self.current()) is not None:
            self.reveal(found, self._relation_of(index))

    def _copy(self, *, whole: bool = False) -> None:
        if (found := self.current()) is not None:
            QGuiApplication.clipboard().setText(sql.spelled(found, whole=whole))

    def _switch(self) -> None:
        if (found := self.current()) is not None and self._is_other_database(found):
            self.switch_wanted.emit(found.name)

    def _offer_switch(self, name: str) -> None:
        actions = [("Switch to it", partial(self.switch_wanted.emit, name))]
        words = f"Database {plain.one_line(name, 60)} is created"
        self.message.show_message("success", words, "", "", actions)

    def _new_database(self) -> None:
        groups = (self.model.index(row, 0) for row in range(self.model.rowCount()))
        found = [each.data(OBJECT_ROLE) for group in groups for each in (group, *self._below(group))]
        self.deeds.create_database([each.name for each in found if each is not None and each.kind is _K.DATABASE])

    def _below(self, index: QModelIndex) -> list[QModelIndex]:
        if index.data(KEY_ROLE) == HERE:
            return []
        return [self.model.index(row, 0, index) for row in range(self.model.rowCount(index))]

    def _is_other_database(self, found: DbObject) -> bool:
        return found.kind is _K.DATABASE and found != self.model.index_of(HERE).data(OBJECT_ROLE)

    def _do(self, deed: Callable[[DbObject], object]) -> Callable[[], None]:
        def call() -> None:
            if (found := self.current()) is not None:
                deed(found)

        return call

    def _counted(self, found: DbObject, words: str) -> None:
        self.model.set_count(found.oid, words)
        self.found.viewport().update()

    def _ended(self, entry: Entry) -> None:
        self.reader.hear(entry)
        self.statement_ended.emit(entry)

    # -- what can be done ---------------------------------------------------------------------------------------

    def _show_possible(self, *_news: object) -> None:
        found = self.current()
        for name, action in self.actions_by_name.items():
            action.setEnabled(self._is_possible(name, found))

    def _is_possible(self, name: str, found: DbObject | None) -> bool:
        """Whether an action has something that it can be done to; what the role may do only the server knows."""
        in_use = self._server.in_use
        if name == "schema.filter":
            return True
        if in_use is None:
            return False
        may_change = not in_use.profile.read_only
        match name:
            case "schema.refresh":
                return True
            case "schema.new_schema" | "schema.new_database":
                return may_change
            case _ if found is None:
                return False
            case "schema.open":
                return found.kind in RELATIONS - {_K.SEQUENCE} or found.kind is _K.COLUMN
            case "schema.reveal":
                return self._stack.currentWidget() is self.found
            case "schema.switch":
                return self._is_other_database(found)
            case "schema.copy_whole":
                return bool(found.schema) and sql.spelled(found) != sql.spelled(found, whole=False)
            case "schema.copy" | "schema.ddl":
                return True
            case "schema.count":
                return sql.COUNT.fits(found)
            case _:
                own = not is_system(found.schema) and not (found.kind is _K.SCHEMA and is_system(found.name))
                return may_change and own and _VERBS[name].fits(found) and self._is_there_to_change(name, found)

    def _is_there_to_change(self, name: str, found: DbObject) -> bool:
        """Whether the server could do it at all: never to the database that is in use."""
        here = found.kind is _K.DATABASE and not self._is_other_database(found)
        return not (here and name in {"schema.rename", "schema.drop"})

    def _show_menu(self, view: QAbstractItemView, at: QPoint) -> None:
        if not view.indexAt(at).isValid():
            view.setCurrentIndex(QModelIndex())
        menu = self.menu(view)
        menu.popup(view.viewport().mapToGlobal(at))

    def menu(self, parent: QWidget) -> QMenu:
        """Return a menu of what can be done to what is chosen. It goes when it is closed."""
        menu = QMenu(parent)
        menu.setObjectName("schema.menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for names in _MENU:
            fitting = [self.action(name) for name in names if self.action(name).isEnabled()]
            if fitting:
                menu.addSeparator()
                menu.addActions(fitting)
        return menu


_VERBS = {
    "schema.vacuum": sql.VACUUM,
    "schema.vacuum_analyze": sql.VACUUM_ANALYZE,
    "schema.analyze": sql.ANALYZE,
    "schema.reindex": sql.REINDEX,
    "schema.refresh_view": sql.REFRESH,
    "schema.rename": sql.RENAME,
    "schema.comment": sql.COMMENT,
    "schema.drop": sql.DROP,
}
