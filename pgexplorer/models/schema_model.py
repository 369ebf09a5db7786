"""The schema tree for Qt: nodes made elsewhere, shown in one go, and the parts of a relation when it is opened."""

from typing import Any

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from typing_extensions import override

from pgexplorer.db.encoding import shown
from pgexplorer.db.objects import ObjectKind
from pgexplorer.db.schema import Relation
from pgexplorer.db.tree import Parts
from pgexplorer.db.values import human_bytes
from pgexplorer.models.schema_nodes import HERE, Key, Measured, Node, Tree, part_nodes, with_comment

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
ICON_ROLE = Qt.ItemDataRole.UserRole + 3  # the icon's name
MUTED_ROLE = Qt.ItemDataRole.UserRole + 4  # what stands behind the name, muted
RELATION_ROLE = Qt.ItemDataRole.UserRole + 5  # the Relation of a table's node
OBJECT_ROLE = Qt.ItemDataRole.UserRole + 6  # the DbObject; None of a group
KEY_ROLE = Qt.ItemDataRole.UserRole + 7  # what finds the node again after a refresh


class SchemaModel(QAbstractItemModel):
    """Databases › schemas › relations › parts over plain nodes; it asks for parts by a signal and is given them."""

    parts_wanted = Signal(object)  # Relation

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tree = Tree()
        self._root = self._tree.root
        self._counted: dict[int, str] = {}  # by oid, what stands in place of the estimate

    # -- what is shown

    def set_tree(self, tree: Tree | None) -> Tree:
        """Show *tree* in place of what was shown, nothing with None; return that, which is to be let go."""
        before, tree = self._tree, tree or Tree()
        self.beginResetModel()
        self._tree, self._root = tree, tree.root
        self.endResetModel()
        return before

    def set_parts(self, oid: int, parts: Parts) -> None:
        """Fill in what belongs to the relation *oid*; it may have gone meanwhile, or been filled."""
        node = self._tree.relations.get(oid)
        if node is None or node.relation is None or oid in self._tree.filled:
            return
        if nodes := part_nodes(node.relation, parts):
            self.beginInsertRows(self._index(node), 0, len(nodes) - 1)
            self._tree.fill(node, nodes)
            self.endInsertRows()
        node.is_filled = True

    def ask_again(self, oid: int) -> None:
        """Take the parts of the relation *oid* as not yet asked for: reading them failed."""
        node = self._tree.relations.get(oid)
        if node is not None and oid not in self._tree.filled:
            node.is_filled = False

    def set_sizes(self, found: Measured) -> None:
        """Take what stands behind the names, now that the sizes are known. What shows them paints itself anew.

        No dataChanged is said: QTreeView would ask for the place of every line.
        """
        for oid, relation in found.relations.items():
            if (node := self._tree.relations.get(oid)) is not None:
                node.relation = relation
        for oid, words in found.databases.items():
            for key in ((ObjectKind.DATABASE, oid, 0), HERE):
                node = self._tree.node(key)
                if node is not None and node.leaf is not None and node.leaf.found.oid == oid:
                    node.muted = words

    def set_count(self, oid: int, words: str) -> None:
        """Show *words* in place of the estimate of the relation *oid*; with "" the estimate again."""
        self._counted[oid] = words
        if (node := self._tree.relations.get(oid)) is not None:
            self.dataChanged.emit(self._index(node), self._index(node), [MUTED_ROLE])

    def forget_counts(self) -> None:
        """Show the estimates again."""
        self._counted.clear()

    # -- what is asked

    def relations(self) -> list[Relation]:
        """Return every relation, in the order shown; partitions behind the table that they are of."""
        return [node.relation for node in self._tree.relations.values() if node.relation is not None]

    def relation(self, oid: int) -> Relation | None:
        """Return the relation with this oid, whatever it is called now; None when it is gone."""
        node = self._tree.relations.get(oid)
        return node.relation if node is not None else None

    def columns(self) -> list[tuple[str, str, str, str]]:
        """Return the columns filled in so far: each its schema, its relation, its name and its type."""
        leaves = (part.leaf for node in self._tree.filled.values() for part in node.children)
        return [
            (leaf.found.schema, leaf.found.table, leaf.found.name, leaf.detail)
            for leaf in leaves
            if leaf is not None and leaf.found.kind is ObjectKind.COLUMN
        ]

    def filled(self) -> list[Relation]:
        """Return the relations whose parts are filled in."""
        return [node.relation for node in self._tree.filled.values() if node.relation is not None]

    def find(self, schema: str, name: str) -> QModelIndex:
        """Return the index of the relation *schema*.*name*; an invalid one when there is none."""
        for node in self._tree.relations.values():
            relation = node.relation
            if relation is not None and relation.name == name and relation.schema == schema:
                return self._index(node)
        return QModelIndex()

    def index_of(self, key: Key) -> QModelIndex:
        """Return the index of the node with *key*; an invalid one when there is none, or it is not filled in."""
        node = self._tree.node(key)
        return self._index(node) if node is not None else QModelIndex()

    # -- Qt's questions

    @override
    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        # Asked for every line when a schema of 10,000 tables is opened: nothing is checked twice.
        children = (parent.internalPointer() or self._root).children  # that of an invalid index is None
        if column or not 0 <= row < len(children):
            return QModelIndex()
        return self.createIndex(row, 0, children[row])

    @override
    def parent(self, child: Index) -> QModelIndex:  # type: ignore[override]
        above = child.internalPointer().parent if child.isValid() else None
        return QModelIndex() if above is None or above is self._root else self.createIndex(above.row, 0, above)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.column() > 0 else len(self._node(parent).children)

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 1

    @override
    def hasChildren(self, parent: Index = _ROOT) -> bool:
        node = parent.internalPointer() or self._root
        return not node.is_filled or bool(node.children)

    @override
    def canFetchMore(self, parent: Index) -> bool:
        return not self._node(parent).is_filled

    @override
    def fetchMore(self, parent: Index) -> None:
        node = self._node(parent)
        if not node.is_filled:
            node.is_filled = True
            self.parts_wanted.emit(node.relation)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        node: Node = index.internalPointer()
        if role == Qt.ItemDataRole.DisplayRole:
            return node.name
        if role == MUTED_ROLE:
            return self._muted(node)
        if role == ICON_ROLE:
            return node.icon
        if role == RELATION_ROLE:
            return node.relation
        if role == OBJECT_ROLE:
            return node.found
        if role == KEY_ROLE:
            return node.key
        if role == Qt.ItemDataRole.ToolTipRole:
            return node.tip or None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(part for part in (node.name, self._muted(node)) if part)
        return None

    # -- inside

    def _muted(self, node: Node) -> str:
        relation = node.relation
        if relation is None:
            return node.muted
        words = relation.summary
        if counted := self._counted.get(relation.oid):
            words = f"{counted} · {human_bytes(relation.size)}" if relation.size else counted
        return shown(with_comment(words, relation.comment))

    def _node(self, index: Index) -> Node:
        return index.internalPointer() if index.isValid() else self._root

    def _index(self, node: Node) -> QModelIndex:
        return self.createIndex(node.row, 0, node)
