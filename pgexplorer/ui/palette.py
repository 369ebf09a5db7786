"""What Ctrl+K finds: open tabs, actions, whatever has a name in the schema, statements that were run, connections."""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QWidget

from pgexplorer.db.catalog import SYSTEM as _SYSTEM
from pgexplorer.db.catalog import Catalog
from pgexplorer.db.encoding import shown
from pgexplorer.db.schema import Kind, Relation
from pgexplorer.history import Entry, History
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.history_model import when
from pgexplorer.models.schema_model import SchemaModel
from pgexplorer.models.schema_nodes import icon_of
from pgexplorer.settings import Settings
from pgexplorer.ui.actions import Reachable
from pgexplorer.ui.schema.search import Names, SearchIndex
from pgexplorer.ui.widgets.fuzzy import Index
from pgexplorer.ui.widgets.palette import Group, Item, Palette

WORDS = "Find anything    > actions   @ tables   # columns   ! history"
_USED = "palette.used"  # the preference with the keys of what was used, the latest first
_MOST_USED = 40
_STATEMENTS = 1_000  # of the history; its own view finds the others
_LONGEST = 400  # characters of a statement that are searched
_SOON = 150  # milliseconds after a change of the schema
_ICONS = {Kind.VIEW: "view", Kind.MATERIALIZED_VIEW: "view", Kind.FOREIGN: "link"}


@dataclass(frozen=True, slots=True)
class OpenTab:
    """A tab that can be switched to."""

    title: str
    icon: str
    show: Callable[[], object]


class ColumnPlace(NamedTuple):
    """A column, and where it is."""

    schema: str
    table: str
    name: str
    type_name: str


@dataclass(frozen=True, slots=True)
class _Tables:
    """Relations with their index, made on a worker."""

    relations: Sequence[Relation]
    index: Index
    by_key: dict[str, int]


class Finder(QObject):
    """Keeps what can be found ready, opens the palette, and says what was wished for. Needs no connection.

    Indexes of tables and columns are made on worker threads whenever the schema has changed.
    """

    table_wanted = Signal(object)  # Relation
    column_wanted = Signal(object)  # ColumnPlace
    object_wanted = Signal(object, object)  # DbObject, the Relation that it is a part of or None
    sql_wanted = Signal(str)  # to be inserted
    profile_wanted = Signal(object)  # Profile; None is the demo server
    opened = Signal()

    def __init__(
        self,
        window: QWidget,
        jobs: Jobs,
        settings: Settings,
        history: History,
        model: SchemaModel,
        actions: Callable[[], Iterable[Reachable]],
        tabs: Callable[[], Iterable[OpenTab]],
    ) -> None:
        super().__init__(window)
        self._jobs = jobs
        self._settings = settings
        self._history = history
        self._model = model
        self._actions = actions
        self._tabs = tabs
        self._making: dict[str, Job] = {}
        self._user, self._system = _tables(()), _tables(())
        self._columns: tuple[Sequence[ColumnPlace], Index] = ((), Index(()))
        self._objects: Sequence[Names] = ()
        self._statements: tuple[Sequence[Entry], Index] = ((), Index(()))
        self._catalog: Catalog | None = None
        self._is_indexed = False  # whether the columns are those of the catalog
        self.palette = Palette(window, words=WORDS)
        self.palette.taken.connect(self._remember)
        self._soon = QTimer(self, interval=_SOON, singleShot=True)
        self._soon.timeout.connect(self._make)
        model.modelReset.connect(self._soon.start)
        model.rowsInserted.connect(self._soon.start)

    def open(self, typed: str = "") -> None:
        """Open the palette; close it where it is open."""
        if self.palette.is_open:
            self.palette.close_and_return()
            return
        self._read_history()
        self.palette.open(self._groups(), self._used(), typed)
        self.opened.emit()

    def know_columns(self, catalog: Catalog | None) -> None:
        """Offer the columns of *catalog*; with None those that the schema tree has loaded."""
        self._catalog = catalog
        self._is_indexed = False
        self._soon.start()

    def know_objects(self, found: SearchIndex | None) -> None:
        """Offer what else has a name in the schema: functions, sequences, types, indexes, roles and their like."""
        self._objects = found.others if found is not None else ()
        self._offer()

    # -- what there is ------------------------------------------------------------------------------------------

    def _groups(self) -> list[Group]:
        tabs, reachable, profiles = list(self._tabs()), list(self._actions()), [None, *self._settings.profiles]
        places, columns = self._columns
        entries, statements = self._statements
        actions = [_action_item(each) for each in reachable]
        relations = len(self._user.relations) + len(self._system.relations)
        no_table = "No table is known: connect first."
        no_column = "No column is known: connect first." if not relations else "The columns are being read."
        tables = [
            Group("@", each.index, partial(self._table_item, each.relations), no_table, each.by_key)
            for each in (self._user, self._system)
        ]
        return [
            Group("", Index([tab.title for tab in tabs]), lambda n: _tab_item(tabs[n])),
            Group(
                ">",
                Index([item.text for item in actions], [item.detail for item in actions]),
                actions.__getitem__,
                by_key={item.key: number for number, item in enumerate(actions)},
            ),
            *tables[:1],
            Group(
                "",
                Index([profile.title if profile is not None else "Demo database" for profile in profiles]),
                lambda n: self._profile_item(profiles[n]),
            ),
            Group("#", columns, lambda n: self._column_item(places[n]), no_column),
            *(Group("", each.index, partial(self._object_item, each)) for each in self._objects),
            *tables[1:],
            Group("!", statements, lambda n: self._statement_item(entries[n]), "Nothing was run yet."),
        ]

    def _table_item(self, relations: Sequence[Relation], number: int) -> Item:
        relation = relations[number]
        return Item(
            relation.name,
            lambda: self.table_wanted.emit(relation),
            _ICONS.get(relation.kind, "table"),
            f"{relation.schema} · {relation.summary}",
            key=_key(relation),
        )

    def _column_item(self, place: ColumnPlace) -> Item:
        return Item(
            place.name,
            lambda: self.column_wanted.emit(place),
            "column",
            f"{place.schema}.{place.table} · {place.type_name}",
        )

    def _object_item(self, names: Names, number: int) -> Item:
        hit = names.hit(number)
        found = hit.found
        return Item(
            shown(found.name),
            lambda: self.object_wanted.emit(found, hit.relation),
            icon_of(found),
            f"{hit.place} · {found.kind.word}" if found.schema else found.kind.word,
        )

    def _profile_item(self, profile: object) -> Item:
        title = str(getattr(profile, "title", "Demo database"))
        detail = f"Connect · {getattr(profile, 'address', 'a PostgreSQL server of your own')}"
        return Item(title, lambda: self.profile_wanted.emit(profile), "plug" if profile else "rocket", detail)

    def _statement_item(self, entry: Entry) -> Item:
        came = "failed" if entry.is_bad else entry.status
        detail = " · ".join(part for part in (when(entry.at), came, entry.server) if part)
        return Item(" ".join(entry.sql[:_LONGEST].split()), lambda: self.sql_wanted.emit(entry.sql), "history", detail)

    # -- keeping it ready ---------------------------------------------------------------------------------------

    def _make(self) -> None:
        """Make the indexes of tables and columns anew."""
        relations, loaded, catalog = self._model.relations(), self._model.columns(), self._catalog

        def tables() -> tuple[_Tables, _Tables]:
            return (
                _tables([each for each in relations if each.schema not in _SYSTEM]),
                _tables([each for each in relations if each.schema in _SYSTEM]),
            )

        def columns() -> tuple[Sequence[ColumnPlace], Index]:
            found = _columns(catalog) if catalog is not None else (ColumnPlace(*each) for each in loaded)
            places = [place for place in found if place.schema not in _SYSTEM]
            return places, Index([place.name for place in places], [f"{each[1]} {each[0]}" for each in places])

        self._start("tables", tables, self._take_tables)
        if not self._is_indexed:  # the tree's own news changes nothing in a catalog
            self._is_indexed = catalog is not None
            self._start("columns", columns, self._take_columns)

    def _read_history(self) -> None:
        history = self._history

        def work() -> tuple[Sequence[Entry], Index]:
            history.flush()
            entries: dict[str, Entry] = {}
            for entry in history.search(limit=_STATEMENTS):
                entries.setdefault(entry.sql, entry)  # run twice, found once
            found = list(entries.values())
            texts = [" ".join(each.sql[:_LONGEST].split()) for each in found]
            return found, Index(texts, [each.server for each in found])

        self._start("history", work, self._take_history)

    def _start(self, name: str, work: Callable[[], object], done: Callable[..., object]) -> None:
        if (before := self._making.get(name)) is not None:
            before.ignore()
        self._making[name] = self._jobs.call(work, name=f"index of {name}", done=done, failed=_nothing)

    def _take_tables(self, found: tuple[_Tables, _Tables]) -> None:
        self._user, self._system = found
        self._offer()

    def _take_columns(self, found: tuple[Sequence[ColumnPlace], Index]) -> None:
        self._columns = found
        self._offer()

    def _take_history(self, found: tuple[Sequence[Entry], Index]) -> None:
        before, self._statements = self._statements, found
        if [each.key for each in before[0]] != [each.key for each in found[0]]:
            self._offer()

    def _offer(self) -> None:
        if self.palette.is_open:
            self.palette.set_groups(self._groups())

    # -- what was used ------------------------------------------------------------------------------------------

    def _used(self) -> list[str]:
        with contextlib.suppress(ValueError):
            stored = json.loads(self._settings.preference(_USED, "[]"))
            if isinstance(stored, list):
                return [each for each in cast("list[object]", stored) if isinstance(each, str)][:_MOST_USED]
        return []

    def _remember(self, item: Item) -> None:
        if item.key:
            used = [item.key, *(key for key in self._used() if key != item.key)]
            self._settings.prefer(_USED, json.dumps(used[:_MOST_USED]))


def _key(relation: Relation) -> str:
    return f"table:{relation.schema}.{relation.name}"


def _tables(relations: Sequence[Relation]) -> _Tables:
    index = Index([each.name for each in relations], [f"{each.schema} {each.kind.word}" for each in relations])
    return _Tables(relations, index, {_key(each): number for number, each in enumerate(relations)})


def _columns(catalog: Catalog) -> Iterator[ColumnPlace]:
    for table in catalog.tables:
        if table.kind in set(Kind):  # a sequence has none
            for name, type_name in table.columns:
                yield ColumnPlace(table.schema, table.name, name, type_name)


def _action_item(reachable: Reachable) -> Item:
    action = reachable.action
    keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)

    def run() -> None:
        if reachable.reveal is not None:
            reachable.reveal()
        action.trigger()

    return Item(
        reachable.text,
        run,
        str(action.property("icon_name") or ("check" if action.isChecked() else "chevron-right")),
        reachable.where,
        keys,
        action.isEnabled(),
        action.objectName(),
    )


def _tab_item(tab: OpenTab) -> Item:
    return Item(tab.title, tab.show, tab.icon, "Open tab")


def _nothing(_error: Exception) -> None:
    """Offer nothing of what could not be read; the panels that show it say why."""
