"""The schema tree as plain nodes, made of what the catalog says on any thread."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pgexplorer.db.catalog import SYSTEM
from pgexplorer.db.encoding import shown
from pgexplorer.db.objects import FUNCTIONS, DbObject, ObjectKind
from pgexplorer.db.schema import Kind, Relation, TableColumn
from pgexplorer.db.tree import KIND_OF, Leaf, Names, Parts, Schema
from pgexplorer.db.values import human_bytes, human_count

_K = ObjectKind
Key = tuple[object, ...]
HERE: Key = ("here",)  # the key of the database in use
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
    """A line of the tree with what lies below it."""

    __slots__ = ("children", "found", "icon", "is_filled", "key", "muted", "name", "parent", "relation", "row", "tip")

    def __init__(self, key: Key, name: str, icon: str, muted: str = "", tip: str = "") -> None:
        self.key = key
        self.name = name
        self.icon = icon
        self.muted = muted
        self.tip = tip  # "" where the object has nothing more to say than its line
        self.parent: Node | None = None
        self.row = 0
        self.children: list[Node] = []
        self.found: DbObject | None = None  # None of a group
        self.relation: Relation | None = None
        self.is_filled = True  # False: its parts were not asked for yet

    def add(self, nodes: Iterable["Node"], at: int | None = None) -> None:
        """Put *nodes* below it, at its end or before the one with the number *at*."""
        place = len(self.children) if at is None else at
        self.children[place:place] = nodes
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


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree of nodes, and how each but the parts of relations is found by its key, in the order shown."""

    root: Node
    by_key: dict[Key, Node]
    filled: Mapping[int, Node] = field(default_factory=dict[int, Node])  # relations whose parts are there, by oid


@dataclass(frozen=True, slots=True)
class Measured:
    """What stands behind a name once the sizes are known."""

    key: Key
    muted: str
    relation: Relation | None


def measured(names: Names, sizes: dict[int, int]) -> list[Measured]:
    """Return what *sizes* changes in the tree of *names*. Safe on any thread."""
    before = {each.oid: each for schema in names.schemas for each in schema.relations}
    found = [
        Measured(key_of(object_of(each)), "", each)
        for each in _measured(names, sizes).values()
        if each.size != before[each.oid].size
    ]
    here = _here(names, sizes)
    others = (leaf_node(each, sizes.get(each.found.oid)) for each in names.databases)
    return [*found, *(Measured(node.key, node.muted, None) for node in (here, *others) if node.muted)]


def build(names: Names, parts: dict[int, Parts] | None = None, sizes: dict[int, int] | None = None) -> Tree:
    """Return the tree of *names*. The relations in *parts* have theirs filled in. Safe on any thread."""
    root = Node(("root",), "", "")
    sizes = sizes or {}
    relations = _measured(names, sizes)
    here = _here(names, sizes)
    partitions: dict[int, list[Relation]] = defaultdict(list)
    for relation in relations.values():
        if relation.parent in relations:
            partitions[relation.parent].append(relation)
    spaces = [_schema(schema, relations, partitions, parts or {}) for schema in names.schemas]
    here.add(spaces)
    if names.extensions:
        here.add([_group(here, "Extensions", "plug", map(leaf_node, names.extensions))])
    root.add([here])
    others = [
        leaf_node(each, sizes.get(each.found.oid)) for each in names.databases if each.found.name != names.database
    ]
    if others:
        root.add([_group(root, "Other databases", "database", others)])
    if names.roles:
        root.add([_group(root, "Roles", "user", map(leaf_node, names.roles))])
    by_key = {node.key: node for node in above_parts(root)}
    filled = {oid: by_key[key_of(object_of(relations[oid]))] for oid in parts or () if oid in relations}
    return Tree(root, by_key, filled)


def above_parts(root: Node) -> Iterator[Node]:
    """Yield every node but the parts of relations, in the order shown."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        below = node.children
        if node.relation is not None:
            below = [each for each in below if is_partitions(each)]
        waiting.extend(reversed(below))


def below(node: Node) -> Iterator[Node]:
    """Yield the parts of a relation, with the groups that hold them."""
    for part in node.children:
        if not is_partitions(part):
            yield part
            yield from part.children


def is_partitions(node: Node) -> bool:
    """Whether it is the group of a relation's partitions, which are known before its parts are."""
    return node.key[:2] == ("group", "Partitions")


def has_parts(node: Node) -> bool:
    """Whether the parts of a relation are filled in."""
    return bool(node.children) and not is_partitions(node.children[0])


def leaf_node(leaf: Leaf, size: int | None = None) -> Node:
    """Return the node of what has nothing in it."""
    found = leaf.found
    muted = leaf.detail
    if found.kind in FUNCTIONS:
        result = f" → {leaf.detail}" if leaf.detail else ""
        muted = f"({found.arguments}){result}"
    elif size is not None:
        muted = " · ".join(part for part in (human_bytes(size), leaf.detail) if part)
    icon = _ICONS[found.kind]
    if found.kind is _K.CONSTRAINT:
        icon = _KEYS.get(leaf.detail.partition(" ")[0], icon)
    node = Node(key_of(found), shown(found.name), icon, shown(muted), tip_of(found, leaf.comment, leaf.more))
    node.found = found
    return node


def relation_node(relation: Relation, partitions: dict[int, list[Relation]], parts: dict[int, Parts]) -> Node:
    """Return the node of a relation with its partitions below it, and its parts where they are in *parts*."""
    found = object_of(relation)
    node = Node(key_of(found), shown(relation.name), _ICONS[found.kind])
    node.relation, node.found, node.is_filled = relation, found, False
    node.tip = tip_of(found, relation.comment, relation.kind.word)
    if own := partitions.get(relation.oid):
        node.add([_group(node, "Partitions", "table", [relation_node(each, partitions, parts) for each in own])])
    if (known := parts.get(relation.oid)) is not None:
        fill(node, part_nodes(node, known))
    return node


def part_nodes(node: Node, parts: Parts) -> list[Node]:
    """Return what lies below a relation's *node* beside its partitions: columns, and groups of what there is."""
    relation = node.relation
    assert relation is not None
    nodes = [_column(relation, column) for column in parts.columns]
    for title, icon, leaves in (
        ("Keys and checks", "key", parts.constraints),
        ("Indexes", "index", parts.indexes),
        ("Triggers", "bolt", parts.triggers),
        ("Rules", "list", parts.rules),
        ("Policies", "shield-lock", parts.policies),
    ):
        if leaves:
            nodes.append(_group(node, title, icon, map(leaf_node, leaves)))
    return nodes


def fill(node: Node, nodes: Sequence[Node]) -> None:
    """Put the parts of a relation where they belong: before its partitions."""
    node.is_filled = True
    node.add(nodes, 0)


def tip_of(found: DbObject, comment: str = "", more: str = "") -> str:
    """Return what a tool tip says of an object: its kind and its whole name, its definition, its comment."""
    kind = more if found.kind in KIND_OF.values() and more else found.kind.word
    words = [f"{kind} {found.path}"]
    if more and more is not kind:
        words.append(more)
    if comment:
        words.append(comment)
    return shown("\n".join(words))[:_MOST_TIP]


def is_system(schema: str) -> bool:
    """Whether it is one of the schemas that every database has."""
    return schema in SYSTEM


def _here(names: Names, sizes: dict[int, int]) -> Node:
    leaf = next((each for each in names.databases if each.found.name == names.database), None)
    here = Node(HERE, shown(names.database), "database")
    if leaf is not None:
        here.found = leaf.found
        here.tip = tip_of(leaf.found, leaf.comment)
        size = sizes.get(leaf.found.oid)
        here.muted = human_bytes(size) if size is not None else ""
    return here


def _schema(
    schema: Schema,
    relations: dict[int, Relation],
    partitions: dict[int, list[Relation]],
    parts: dict[int, Parts],
) -> Node:
    node = Node(key_of(schema.found), shown(schema.found.name), "schema")
    node.found = schema.found
    node.tip = tip_of(schema.found, schema.comment)
    own = (relations[each.oid] for each in schema.relations if each.parent not in relations)
    node.add([relation_node(each, partitions, parts) for each in own])
    node.muted = human_count(len(node.children)) if node.children else "" if schema.leaves else "empty"
    for title, icon, kinds in (
        ("Sequences", "sequence", {_K.SEQUENCE}),
        ("Functions", "function", FUNCTIONS),
        ("Types", "code", {_K.TYPE, _K.DOMAIN}),
    ):
        leaves = [each for each in schema.leaves if each.found.kind in kinds]
        if leaves:
            node.add([_group(node, title, icon, map(leaf_node, leaves))])
    return node


def _group(parent: Node, title: str, icon: str, nodes: Iterable[Node]) -> Node:
    group = Node(("group", title, *parent.key), title, icon)
    group.add(nodes)
    group.muted = human_count(len(group.children))
    return group


def _column(relation: Relation, column: TableColumn) -> Node:
    found = column_of(relation, column.name, column.number)
    more: list[str] = []
    if column.identity:
        more.append("identity")
    elif column.generated:
        more.append("generated")
    elif column.not_null and not column.is_key:
        more.append("not null")
    node = Node(key_of(found), shown(column.name), _icon(column), shown(" · ".join([column.type_name, *more])))
    node.found = found
    words = [column.type_name]
    words += ["not null"] if column.not_null else []
    words += [f"number {column.key_place} in the primary key"] if column.is_key else []
    if column.identity:
        words.append(f"identity, {'always' if column.identity == 'a' else 'by default'}")
    if column.generated:
        words.append(f"generated{'' if column.generated == 's' else ', virtual'}: {column.default}")
    elif column.default:
        words.append(f"default {column.default}")
    node.tip = shown("\n".join([f"column {found.path}", " · ".join(words), column.comment]).strip())[:_MOST_TIP]
    return node


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
