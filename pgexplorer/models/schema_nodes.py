"""The schema tree as plain nodes, made of what the catalog says on any thread."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pgexplorer.db.catalog import SYSTEM
from pgexplorer.db.encoding import shown
from pgexplorer.db.objects import FUNCTIONS, DbObject, ObjectKind
from pgexplorer.db.schema import Kind, Relation, TableColumn
from pgexplorer.db.tree import KIND_OF, Leaf, Names, Parts, Schema
from pgexplorer.db.values import human_bytes, human_count

_K = ObjectKind
Key = tuple[object, ...]
_HERE = "here"
HERE: Key = (_HERE,)  # the key of the database in use
_RELATIONS = frozenset(KIND_OF.values())
_MOST_TIP = 2_000  # characters
_ICONS = {
    _K.DATABASE: "database",
    _K.SCHEMA: "schema",
    _K.TABLE: "table",
    _K.FOREIGN_TABLE: "link",
    _K.VIEW: "view",
    _K.MATERIALIZED_VIEW: "view",
    _K.SEQUENCE: "sequence",
    _K.COLUMN: "column",
    _K.INDEX: "index",
    _K.CONSTRAINT: "check",
    _K.TRIGGER: "bolt",
    _K.RULE: "list",
    _K.POLICY: "shield-lock",
    _K.FUNCTION: "function",
    _K.PROCEDURE: "function",
    _K.AGGREGATE: "function",
    _K.TYPE: "code",
    _K.DOMAIN: "code",
    _K.EXTENSION: "plug",
    _K.ROLE: "user",
}
_TYPE_ICONS = (
    (("smallint", "integer", "bigint", "numeric", "real", "double", "money", "oid"), "number"),
    (("date", "time", "timestamp", "interval"), "date"),
    (("boolean",), "bool"),
    (("json",), "json"),
    (("text", "char", "name", "uuid", "citext"), "text"),
)
_KEYS = {"PRIMARY": "key", "UNIQUE": "key", "FOREIGN": "link"}


class Node:
    """A line of the tree with what lies below it.

    There are as many as there are names, and the collector of garbage looks at each: what can be made when it is asked
    for is not kept.
    """

    __slots__ = ("children", "group", "icon", "is_filled", "leaf", "muted", "name", "parent", "relation", "row")

    def __init__(
        self,
        name: str,
        icon: str,
        muted: str = "",
        *,
        group: str = "",
        leaf: Leaf | None = None,
        relation: Relation | None = None,
    ) -> None:
        self.name = name
        self.icon = icon
        self.muted = muted
        self.group = group  # of what is no object: its title
        self.leaf = leaf  # the object, unless it is a relation
        self.relation = relation
        self.is_filled = relation is None  # False: its parts were not asked for yet
        self.parent: Node | None = None
        self.row = 0
        self.children: Sequence[Node] = ()

    @property
    def found(self) -> DbObject | None:
        """The object; None of a group."""
        if self.relation is not None:
            return object_of(self.relation)
        return self.leaf.found if self.leaf is not None else None

    @property
    def key(self) -> Key:
        """What finds it again in another tree."""
        if self.group == _HERE:
            return HERE
        if self.group:
            return ("group", self.group, *(self.parent.key if self.parent is not None else ()))
        found = self.found
        return key_of(found) if found is not None else ()

    @property
    def tip(self) -> str:
        """What a tool tip says: its kind and its whole name, its definition, its comment; "" of a group."""
        if (relation := self.relation) is not None:
            return _tip(f"{relation.kind.word} {object_of(relation).path}", relation.comment)
        if (leaf := self.leaf) is None:
            return ""
        return _tip(f"{leaf.found.kind.word} {leaf.found.path}", leaf.more, leaf.comment)

    def add(self, nodes: Iterable["Node"], at: int | None = None) -> None:
        """Put *nodes* below it, at its end or before the one with the number *at*."""
        place = len(self.children) if at is None else at
        self.children = [*self.children[:place], *nodes, *self.children[place:]]
        for row in range(place, len(self.children)):
            self.children[row].parent = self
            self.children[row].row = row


def icon_of(found: DbObject) -> str:
    """Return the icon of an object's kind."""
    return _ICONS[found.kind]


def key_of(found: DbObject) -> Key:
    """Return the key of the node of an object."""
    return (found.kind, found.oid, found.part)


def object_of(relation: Relation) -> DbObject:
    """Return a relation as an object."""
    return DbObject(KIND_OF[relation.kind], relation.oid, relation.schema, relation.name)


def column_of(relation: Relation, name: str, number: int) -> DbObject:
    """Return a column of a relation as an object."""
    return DbObject(_K.COLUMN, relation.oid, relation.schema, name, number, relation.name)


class Tree:
    """A tree of nodes, in which each is found by its key. Made on any thread, shown on one."""

    def __init__(self) -> None:
        self.root = Node("", "", group="root")
        self.relations: dict[int, Node] = {}  # by oid, in the order shown: partitions behind their table
        self.filled: dict[int, Node] = {}  # of them those whose parts are there
        self._others: dict[ObjectKind, dict[int, Node]] = defaultdict(dict)
        self._groups: dict[Key, Node] = {}

    def node(self, key: Key) -> Node | None:
        """Return the node with *key*; None where there is none, or it is a part that is not filled in."""
        if not key:
            return None
        if key[0] in _RELATIONS:
            return self.relations.get(int(str(key[1])))
        if (found := self._groups.get(key)) is not None:
            return found
        if isinstance(key[0], ObjectKind) and (found := self._others[key[0]].get(int(str(key[1])))) is not None:
            return found
        parts = (part for filled in self.filled.values() for part in below(filled))
        return next((part for part in parts if part.key == key), None)

    def keep(self, node: Node) -> Node:
        """Have *node*, which stands where it belongs or will, found by its key; of a group that is its place."""
        if node.relation is not None:
            self.relations[node.relation.oid] = node
        elif node.group:
            self._groups[node.key] = node
        elif node.leaf is not None:
            self._others[node.leaf.found.kind][node.leaf.found.oid] = node
        return node

    def fill(self, node: Node, nodes: Sequence[Node]) -> None:
        """Put the parts of a relation where they belong: before its partitions."""
        assert node.relation is not None
        node.is_filled = True
        if nodes:
            node.add(nodes, 0)
            self.filled[node.relation.oid] = node

    def let_go(self) -> None:
        """Take it apart: nodes know what is above and what is below them, and would wait for the collector."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            waiting += node.children
            node.parent, node.children = None, ()


@dataclass(frozen=True, slots=True)
class Measured:
    """What stands behind the names once the sizes are known."""

    relations: Mapping[int, Relation]  # by oid, those that have changed
    databases: Mapping[int, str]


def measured(names: Names, sizes: dict[int, int]) -> Measured:
    """Return what *sizes* changes in the tree of *names*. Safe on any thread."""
    before = {each.oid: each for schema in names.schemas for each in schema.relations}
    return Measured(
        {oid: each for oid, each in _measured(names, sizes).items() if each.size != before[oid].size},
        {each.found.oid: _database_words(each, sizes) for each in names.databases},
    )


def build(names: Names, parts: dict[int, Parts] | None = None, sizes: dict[int, int] | None = None) -> Tree:
    """Return the tree of *names*. The relations in *parts* have theirs filled in. Safe on any thread."""
    sizes, parts = sizes or {}, parts or {}
    tree = Tree()
    relations = _measured(names, sizes)
    partitions: dict[int, list[Relation]] = defaultdict(list)
    for relation in relations.values():
        if relation.parent in relations:
            partitions[relation.parent].append(relation)
    leaf = next((each for each in names.databases if each.found.name == names.database), None)
    here = Node(shown(names.database), "database", _database_words(leaf, sizes), group=_HERE, leaf=leaf)
    tree.root.add([tree.keep(here)])
    here.add([_schema(tree, schema, relations, partitions, parts) for schema in names.schemas])
    _add_group(tree, here, "Extensions", "plug", [leaf_node(each) for each in names.extensions])
    others = [leaf_node(each) for each in names.databases if each is not leaf]
    for node in others:
        node.muted = _database_words(node.leaf, sizes)
    _add_group(tree, tree.root, "Other databases", "database", others)
    _add_group(tree, tree.root, "Roles", "user", [leaf_node(each) for each in names.roles])
    return tree


def below(node: Node) -> Iterator[Node]:
    """Yield the parts of a relation, with the groups that hold them."""
    for part in node.children:
        if not is_partitions(part):
            yield part
            yield from part.children


def is_partitions(node: Node) -> bool:
    """Whether it is the group of a relation's partitions, which are known before its parts are."""
    return node.group == "Partitions"


def with_comment(words: str, comment: str) -> str:
    """Return *words* with the first line of a comment behind them."""
    first = comment.strip().partition("\n")[0].strip()
    return " · ".join(part for part in (words, first) if part)


def leaf_node(leaf: Leaf) -> Node:
    """Return the node of what has nothing in it."""
    found, muted = leaf.found, leaf.detail
    if found.kind in FUNCTIONS:
        muted = f"({found.arguments}){f' → {leaf.detail}' if leaf.detail else ''}"
    icon = _ICONS[found.kind]
    if found.kind is _K.CONSTRAINT:
        icon = _KEYS.get(leaf.detail.partition(" ")[0], icon)
    return Node(shown(found.name), icon, shown(with_comment(muted, leaf.comment)), leaf=leaf)


def part_nodes(relation: Relation, parts: Parts) -> list[Node]:
    """Return what lies below a relation's node beside its partitions: columns, and groups of what there is."""
    nodes = [_column(relation, column) for column in parts.columns]
    for title, icon, leaves in (
        ("Keys and checks", "key", parts.constraints),
        ("Indexes", "index", parts.indexes),
        ("Triggers", "bolt", parts.triggers),
        ("Rules", "list", parts.rules),
        ("Policies", "shield-lock", parts.policies),
    ):
        if leaves:
            nodes.append(_group(title, icon, [leaf_node(each) for each in leaves]))
    return nodes


def is_system(schema: str) -> bool:
    """Whether it is one of the schemas that every database has."""
    return schema in SYSTEM


def _tip(*words: str) -> str:
    return shown("\n".join(part for part in words if part))[:_MOST_TIP]


def _database_words(leaf: Leaf | None, sizes: Mapping[int, int]) -> str:
    if leaf is None:
        return ""
    size = sizes.get(leaf.found.oid)
    return " · ".join(part for part in (human_bytes(size) if size is not None else "", leaf.detail) if part)


def _schema(
    tree: Tree,
    schema: Schema,
    relations: dict[int, Relation],
    partitions: dict[int, list[Relation]],
    parts: dict[int, Parts],
) -> Node:
    node = Node(shown(schema.found.name), "schema", leaf=Leaf(schema.found, "", schema.comment))
    tree.keep(node)
    own = (relations[each.oid] for each in schema.relations if each.parent not in relations)
    node.add([_relation(tree, each, partitions, parts) for each in own])
    node.muted = human_count(len(node.children)) if node.children else "" if schema.leaves else "empty"
    for title, icon, kinds in (
        ("Sequences", "sequence", {_K.SEQUENCE}),
        ("Functions", "function", FUNCTIONS),
        ("Types", "code", {_K.TYPE, _K.DOMAIN}),
    ):
        leaves = [leaf_node(each) for each in schema.leaves if each.found.kind in kinds]
        _add_group(tree, node, title, icon, leaves)
    return node


def _relation(tree: Tree, relation: Relation, partitions: dict[int, list[Relation]], parts: dict[int, Parts]) -> Node:
    """Return the node of a relation with its partitions below it, and its parts where they are in *parts*."""
    node = Node(shown(relation.name), _ICONS[KIND_OF[relation.kind]], relation=relation)
    tree.keep(node)
    if own := partitions.get(relation.oid):
        _add_group(tree, node, "Partitions", "table", [_relation(tree, each, partitions, parts) for each in own])
    if (known := parts.get(relation.oid)) is not None:
        tree.fill(node, part_nodes(relation, known))
    return node


def _add_group(tree: Tree, parent: Node, title: str, icon: str, nodes: list[Node]) -> None:
    """Put a group at the end of *parent*, where there is something in it."""
    if nodes:
        parent.add([_group(title, icon, nodes)])
        for node in (parent.children[-1], *nodes):
            tree.keep(node)


def _group(title: str, icon: str, nodes: list[Node]) -> Node:
    group = Node(title, icon, human_count(len(nodes)), group=title)
    group.add(nodes)
    return group


def _column(relation: Relation, column: TableColumn) -> Node:
    more: list[str] = []
    if column.identity:
        more.append("identity")
    elif column.generated:
        more.append("generated")
    elif column.not_null and not column.is_key:
        more.append("not null")
    words = [column.type_name]
    words += ["not null"] if column.not_null else []
    words += [f"number {column.key_place} in the primary key"] if column.is_key else []
    if column.identity:
        words.append(f"identity, {'always' if column.identity == 'a' else 'by default'}")
    if column.generated:
        words.append(f"generated{'' if column.generated == 's' else ', virtual'}: {column.default}")
    elif column.default:
        words.append(f"default {column.default}")
    found = column_of(relation, column.name, column.number)
    leaf = Leaf(found, column.type_name, column.comment, " · ".join(words))
    muted = with_comment(" · ".join([column.type_name, *more]), column.comment)
    return Node(shown(column.name), _icon(column), shown(muted), leaf=leaf)


def _measured(names: Names, sizes: dict[int, int]) -> dict[int, Relation]:
    """Return the relations by oid with their sizes on the disk; a partitioned table has those of its partitions."""
    found: dict[int, Relation] = {}
    partitioned: list[Relation] = []
    inside: dict[int, list[int]] = defaultdict(list)
    for schema in names.schemas:
        for relation in schema.relations:
            size = sizes.get(relation.oid, relation.size)
            found[relation.oid] = replace(relation, size=size) if size != relation.size else relation
            if relation.kind is Kind.PARTITIONED:
                partitioned.append(relation)
            if relation.parent:
                inside[relation.parent].append(relation.oid)
    for relation in partitioned:
        size, rows, waiting = 0, 0.0, list(inside[relation.oid])
        while waiting:
            one = found.get(waiting.pop())
            if one is not None and one.kind is not Kind.PARTITIONED:
                size, rows = size + one.size, rows + max(0.0, one.rows)
            waiting += inside[one.oid] if one is not None else []
        found[relation.oid] = replace(relation, size=size, rows=rows if relation.rows < 0 else relation.rows)
    return found


def _icon(column: TableColumn) -> str:
    if column.is_key:
        return "key"
    for starts, icon in _TYPE_ICONS:
        if column.type_name.startswith(starts):
            return icon
    return "column"
