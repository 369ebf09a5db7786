"""What is typed over the schema tree: every name of the database, found between two frames, in a list."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, Qt, QTimer, Signal
from typing_extensions import override

from pgexplorer.db import tree
from pgexplorer.db.encoding import shown
from pgexplorer.db.objects import DbObject
from pgexplorer.db.schema import Relation
from pgexplorer.db.tree import PartNames
from pgexplorer.models.schema_model import ICON_ROLE, KEY_ROLE, MUTED_ROLE, OBJECT_ROLE, RELATION_ROLE
from pgexplorer.models.schema_nodes import column_of, icon_of, is_system, key_of, object_of
from pgexplorer.ui.widgets import fuzzy
from pgexplorer.ui.widgets.search_list import SearchList, taken

_Index = QModelIndex | QPersistentModelIndex
_NUL = "\0"
_SLICE = 0.003  # seconds of searching between two turns of the event loop
_MOST = 200  # things listed
_OF_A_KIND = 60  # in a tier: no kind hides the others
_LOOKED_AT = 3_000  # names that fit, of which the shortest are listed


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was found."""

    found: DbObject
    relation: Relation | None  # that it is, or is a part of

    @property
    def place(self) -> str:
        """Where it is, muted: its schema, and its table before it."""
        found = self.found
        parts = [found.schema, found.table] if found.table else [found.schema]
        return shown(".".join(part for part in parts if part)) or found.kind.word


class Names(Protocol):
    """Names of one kind."""

    index: fuzzy.Index

    def hit(self, number: int) -> Hit:
        """Return what the name with this number in the index means."""
        ...


class _Relations:
    """Tables, views and their like."""

    def __init__(self, found: list[Relation]) -> None:
        self._found = found
        self.index = fuzzy.Index([each.name for each in found], [f"{each.schema} {each.kind.word}" for each in found])

    def hit(self, number: int) -> Hit:
        return Hit(object_of(self._found[number]), self._found[number])


class _Whole:
    """Other objects that are found by themselves."""

    def __init__(self, found: list[DbObject]) -> None:
        self._found = found
        self.index = fuzzy.Index([each.name for each in found], [f"{each.schema} {each.kind.word}" for each in found])

    def hit(self, number: int) -> Hit:
        return Hit(self._found[number], None)


class _Columns:
    """The columns of relations; an object is made of one when it is listed."""

    def __init__(self, relations: list[Relation], columns: list[str], parts: PartNames) -> None:
        self._relations = relations
        self._numbers = parts.numbers
        names: list[str] = []
        contexts: list[str] = []
        self._starts = [0]
        for relation, joined in zip(relations, columns, strict=True):
            own = joined.split(_NUL)
            names += own
            contexts += [f"{relation.name} {relation.schema}"] * len(own)
            self._starts.append(len(names))
        self.index = fuzzy.Index(names, contexts)

    def hit(self, number: int) -> Hit:
        at = bisect_right(self._starts, number) - 1
        relation, place = self._relations[at], number - self._starts[at]
        numbers = self._numbers.get(relation.oid)
        name = self.index.names[number]
        return Hit(column_of(relation, name, numbers[place] if numbers else place + 1), relation)


class _Parts:
    """Indexes, constraints, triggers, rules and policies of relations, by their places in the names."""

    def __init__(self, places: list[int], parts: PartNames, relations: dict[int, Relation]) -> None:
        self._places, self._parts, self._relations = places, parts, relations
        owners = [relations[parts.owners[at]] for at in places]
        contexts = [f"{owner.name} {owner.schema} {parts.kinds[at].word}"
                    for owner, at in zip(owners, places, strict=True)]  # fmt: skip
        self.index = fuzzy.Index([parts.names[at] for at in places], contexts)

    def hit(self, number: int) -> Hit:
        at, parts = self._places[number], self._parts
        relation = self._relations[parts.owners[at]]
        found = DbObject(parts.kinds[at], parts.oids[at], relation.schema, parts.names[at], table=relation.name)
        return Hit(found, relation)


class SearchIndex:
    """Every name of a database, to be searched: a person's own before the system's. Made on any thread."""

    def __init__(self, names: tree.Names) -> None:
        self.groups: list[Names] = []
        parts = names.parts
        relations = {each.oid: each for schema in names.schemas for each in schema.relations}
        for system in (False, True):
            schemas = [each for each in names.schemas if is_system(each.found.name) is system]
            others = [schema.found for schema in schemas]
            others += [leaf.found for schema in schemas for leaf in schema.leaves]
            if not system:
                others += [leaf.found for leaf in (*names.extensions, *names.databases, *names.roles)]
            mine = {each.oid for schema in schemas for each in schema.relations}
            tables = [at for at, oid in enumerate(parts.tables) if oid in mine]
            self.groups += [
                _Relations([each for schema in schemas for each in schema.relations]),
                _Whole(others),
                _Columns([relations[parts.tables[at]] for at in tables], [parts.columns[at] for at in tables], parts),
                _Parts([at for at, oid in enumerate(parts.owners) if oid in mine], parts, relations),
            ]

    @property
    def others(self) -> list[Names]:
        """A person's own names that are those of no relation and no column."""
        return [self.groups[1], self.groups[3]]

    def __len__(self) -> int:
        return sum(len(group.index) for group in self.groups)

    def find(self, typed: str) -> Iterator[Hit | None]:
        """Yield what *typed* finds, the best first; None to take a breath."""
        wanted = fuzzy.folded(typed).strip()
        if not wanted:
            return
        indexes = [group.index for group in self.groups]
        for hit in fuzzy.ranked(indexes, wanted, _OF_A_KIND, looked_at=_LOOKED_AT):
            yield self.groups[hit[0]].hit(hit[1]) if hit is not None else None


class FoundModel(SearchList[Hit]):
    """What was found, line by line, with the roles of the tree."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.items = []

    @property
    def hits(self) -> list[Hit]:
        """What is listed."""
        return self.items

    @override
    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not 0 <= index.row() < len(self.hits):
            return None
        hit = self.hits[index.row()]
        found = hit.found
        if role == Qt.ItemDataRole.DisplayRole:
            return shown(found.name)
        if role == MUTED_ROLE:
            return hit.place
        if role == ICON_ROLE:
            return icon_of(found)
        if role == OBJECT_ROLE:
            return found
        if role == RELATION_ROLE:
            return hit.relation if hit.relation is not None and found == object_of(hit.relation) else None
        if role == KEY_ROLE:
            return key_of(found)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return shown(f"{found.kind.word} {found.path}")
        return None


class SchemaSearch(QObject):
    """Searches as one types, a slice of time at once. Better ones come first, so that nothing moves that is listed."""

    searched = Signal()  # nothing more will be found

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.model = FoundModel(self)
        self._index: SearchIndex | None = None
        self._typed = ""
        self._search: Iterator[Hit | None] = iter(())
        self._fresh = True
        self._turn = QTimer(self, interval=0)
        self._turn.timeout.connect(self._go_on)

    @property
    def is_searching(self) -> bool:
        """Whether more may still be found."""
        return self._turn.isActive()

    @property
    def is_ready(self) -> bool:
        """Whether the names are known."""
        return self._index is not None

    def set_index(self, index: SearchIndex | None) -> None:
        """Search in *index* from now on; what is listed is found anew."""
        self._index = index
        self.find(self._typed)

    def find(self, typed: str) -> None:
        """List what *typed* finds: what takes longer than a slice comes between the next turns of the event loop."""
        self._typed = typed
        self._search = self._index.find(typed) if self._index is not None else iter(())
        self._fresh = True
        self._go_on()

    def _go_on(self) -> None:
        room = _MOST - (0 if self._fresh else len(self.model.hits))
        found, is_over = taken(self._search, room, _SLICE)
        self._turn.stop() if is_over else self._turn.start()
        if found or is_over:  # until then what was found before stays
            if self._fresh:
                self._fresh = False
                self.model.show(found)
            else:
                self.model.add(found)
        if is_over:
            self.searched.emit()
