"""The schema tree: schemas, what is in them, and columns filled in when a table is opened."""

from dataclasses import dataclass, field
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from typing_extensions import override

from pgexplorer.db.schema import Kind, Relation, TableColumn
from pgexplorer.db.values import human_count

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
ICON_ROLE = Qt.ItemDataRole.UserRole + 3  # the icon's name
MUTED_ROLE = Qt.ItemDataRole.UserRole + 4  # what stands behind the name, muted
RELATION_ROLE = Qt.ItemDataRole.UserRole + 5  # the Relation of a table's node

_ICONS = {Kind.VIEW: "view", Kind.MATERIALIZED_VIEW: "view", Kind.FOREIGN: "link"}
_TYPE_ICONS = (
    (("smallint", "integer", "bigint", "numeric", "real", "double", "money", "oid"), "number"),
    (("date", "time", "timestamp", "interval"), "date"),
    (("boolean",), "bool"),
    (("json",), "json"),
    (("text", "char", "name", "uuid", "citext"), "text"),
)


@dataclass(slots=True, eq=False)
class _Node:
    name: str
    muted: str
    icon: str
    parent: "_Node | None" = None
    children: list["_Node"] = field(default_factory=list["_Node"])
    relation: Relation | None = None
    is_filled: bool = True  # False: its columns were not asked for yet
    tip: str = ""

    def add(self, node: "_Node") -> None:
        node.parent = self
        self.children.append(node)

    @property
    def row(self) -> int:
        return self.parent.children.index(self) if self.parent else 0


class SchemaModel(QAbstractItemModel):
    """Schemas › relations › columns over plain data; it asks for columns by a signal and is given them."""

    columns_wanted = Signal(object)  # Relation

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._root = _Node("", "", "")

    def set_relations(self, schemas: list[tuple[str, list[Relation]]]) -> None:
        """Show *schemas* in the order given, in place of what was shown."""
        self.beginResetModel()
        self._root = _Node("", "", "")
        for name, relations in schemas:
            schema = _Node(name, human_count(len(relations)) if relations else "empty", "schema")
            for relation in relations:
                icon = _ICONS.get(relation.kind, "table")
                tip = f"{relation.kind.word} {relation.schema}.{relation.name}"
                tip = f"{tip}\n{relation.comment}" if relation.comment else tip
                schema.add(_Node(relation.name, relation.summary, icon, relation=relation, is_filled=False, tip=tip))
            self._root.add(schema)
        self.endResetModel()

    def set_columns(self, oid: int, columns: list[TableColumn]) -> None:
        """Fill in the columns of the relation *oid*; it may have gone meanwhile."""
        for node in (relation for schema in self._root.children for relation in schema.children):
            if node.relation is not None and node.relation.oid == oid and not node.children and columns:
                self.beginInsertRows(self._index(node), 0, len(columns) - 1)
                for column in columns:
                    node.add(_Node(column.name, column.type_name, _icon(column), tip=column.comment))
                self.endInsertRows()
                return

    def ask_again(self, oid: int) -> None:
        """Take the columns of the relation *oid* as not yet asked for: reading them failed."""
        for node in (relation for schema in self._root.children for relation in schema.children):
            if node.relation is not None and node.relation.oid == oid and not node.children:
                node.is_filled = False

    def relations(self) -> list[Relation]:
        """Return every relation, in the order shown."""
        nodes = (node for schema in self._root.children for node in schema.children)
        return [node.relation for node in nodes if node.relation is not None]

    def columns(self) -> list[tuple[str, str, str, str]]:
        """Return the columns filled in so far: each its schema, its relation, its name and its type."""
        return [
            (schema.name, relation.name, column.name, column.muted)
            for schema in self._root.children
            for relation in schema.children
            for column in relation.children
        ]

    def find(self, schema: str, name: str) -> QModelIndex:
        """Return the index of the relation *schema*.*name*; an invalid one when there is none."""
        for parent in self._root.children:
            for node in parent.children:
                if parent.name == schema and node.name == name:
                    return self._index(node)
        return QModelIndex()

    @override
    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        return self.createIndex(row, column, self._node(parent).children[row])

    @override
    def parent(self, child: Index) -> QModelIndex:  # type: ignore[override]
        above = self._node(child).parent if child.isValid() else None
        return QModelIndex() if above is None or above is self._root else self._index(above)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return len(self._node(parent).children)

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 1

    @override
    def hasChildren(self, parent: Index = _ROOT) -> bool:
        node = self._node(parent)
        return bool(node.children) or not node.is_filled

    @override
    def canFetchMore(self, parent: Index) -> bool:
        return not self._node(parent).is_filled

    @override
    def fetchMore(self, parent: Index) -> None:
        node = self._node(parent)
        if not node.is_filled:
            node.is_filled = True
            self.columns_wanted.emit(node.relation)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        node = self._node(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return node.name
        if role == MUTED_ROLE:
            return node.muted
        if role == ICON_ROLE:
            return node.icon
        if role == RELATION_ROLE:
            return node.relation
        if role == Qt.ItemDataRole.ToolTipRole:
            return node.tip or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{node.name}, {node.muted}" if node.muted else node.name
        return None

    def _node(self, index: Index) -> _Node:
        return index.internalPointer() if index.isValid() else self._root

    def _index(self, node: _Node) -> QModelIndex:
        return self.createIndex(node.row, 0, node)


def _icon(column: TableColumn) -> str:
    if column.is_key:
        return "key"
    for starts, icon in _TYPE_ICONS:
        if column.type_name.startswith(starts):
            return icon
    return "column"
