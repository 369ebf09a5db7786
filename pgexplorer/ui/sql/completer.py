"""Completion for every SQL editor: the catalog of the server in use, read beside the work and asked beside it too."""

import json
import logging
import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QObject, QTimer, Signal

from pgexplorer.db.catalog import Catalog, read_catalog
from pgexplorer.db.client import Client
from pgexplorer.db.completion.offers import Item, Kind, Offer, complete, warm
from pgexplorer.db.plans.effects import may_define
from pgexplorer.db.probe import Connection
from pgexplorer.history import Entry
from pgexplorer.jobs import Job, Jobs
from pgexplorer.server import Server
from pgexplorer.settings import Settings
from pgexplorer.ui.widgets.sql_editor import Completion, SqlEditor

_log = logging.getLogger(__name__)
_SOON = 150  # milliseconds after DDL before the catalog is read again: a script of DDL is one reason, not hundreds
_SPARED = 3  # failures, up to which the last free connection is left to somebody else
_RETRY = (1_000, 3_000, 10_000, 30_000, 60_000)  # milliseconds after a failure, such as a pool without a free slot
_OLD = 300.0  # seconds, after which others may well have changed something
_MOST_USES = 500  # things whose uses are remembered
_USES = "completion.uses"
_ICONS = {
    Kind.LABEL: "list",
    Kind.JOIN: "link",
    Kind.ALL: "list",
    Kind.COLUMN: "column",
    Kind.CTE: "table",
    Kind.TABLE: "table",
    Kind.VIEW: "view",
    Kind.SEQUENCE: "sequence",
    Kind.ALIAS: "table",
    Kind.FUNCTION: "function",
    Kind.TYPE: "code",
    Kind.SCHEMA: "schema",
    Kind.ROLE: "user",
    Kind.DATABASE: "database",
    Kind.KEYWORD: "text",
}


class Completer(QObject):
    """Answers what the editors attached to it ask, from one catalog for the server in use.

    The catalog is read in a job as soon as an editor is there, again after DDL, and now and then. Where that fails the
    old one stays, and it is tried again: nobody is told of it.
    """

    catalog_changed = Signal()

    def __init__(self, server: Server, jobs: Jobs, settings: Settings) -> None:
        super().__init__()
        self._is_needed = False  # by somebody else than an editor
        self._server = server
        self._jobs = jobs
        self._settings = settings
        self._catalog: Catalog | None = None
        self._read_at = 0.0  # time.monotonic(), of what the catalog holds
        self._reading: Job | None = None
        self._is_stale = False  # something changed since the reading under way began
        self._failures = 0
        self._editors: weakref.WeakSet[SqlEditor] = weakref.WeakSet()
        self._asked: weakref.WeakKeyDictionary[SqlEditor, Job] = weakref.WeakKeyDictionary()
        self._cut: weakref.WeakSet[SqlEditor] = weakref.WeakSet()  # those that were offered a part of what fits
        self._offered: dict[Completion, str] = {}  # the keys of what was offered last
        self._uses = _restored(settings.preference(_USES))
        self._timer = QTimer(self, interval=_SOON, singleShot=True)
        self._timer.timeout.connect(self.refresh)
        server.opened.connect(self._opened)
        server.closed.connect(self._forget)
        server.swapped.connect(self._opened)

    @property
    def catalog(self) -> Catalog | None:
        """What is known of the server in use."""
        return self._catalog

    @property
    def uses(self) -> dict[str, int]:
        """How often what was taken, by Item.key."""
        return self._uses

    def hear(self, entry: Entry) -> None:
        """Hear of a statement that ended."""
        if not entry.is_bad:
            self.ran(entry.status, entry.sql)

    def attach(self, editor: SqlEditor) -> None:
        """Answer *editor* as long as it lives."""
        self._editors.add(editor)
        editor.completion_wanted.connect(partial(self._wanted, weakref.ref(editor)))
        editor.completed.connect(self._taken)
        editor.textChanged.connect(partial(self._typed_on, weakref.ref(editor)))
        if self._catalog is None:
            self.refresh()

    def ran(self, status: str, sql: str = "") -> None:
        """Hear the command tag of a statement that ended well: after DDL the catalog is read again."""
        if may_define(status, sql):
            self._is_stale = True
            self._timer.start(_SOON)

    def keep_uses(self) -> None:
        """Remember what was taken how often."""
        if self._uses:
            most = sorted(self._uses.items(), key=lambda each: -each[1])[:_MOST_USES]
            self._settings.prefer(_USES, json.dumps(dict(most)))

    # -- the catalog

    def need(self) -> None:
        """Have the catalog read from now on, though no editor is there."""
        self._is_needed = True
        if self._catalog is None:
            self.refresh()

    def refresh(self) -> None:
        """Read the catalog, unless that is under way or nobody would ask it."""
        in_use = self._server.in_use
        is_asked = self._is_needed or bool(self._editors)
        if in_use is None or in_use.facts.is_console or not is_asked:
            return
        if self._reading is not None and self._reading.is_running:
            return
        self._is_stale = False
        client, began = in_use.client, time.monotonic()
        side, spares = self._server.side(), self._failures < _SPARED

        def done(catalog: Catalog) -> None:
            if self._server.in_use is in_use:
                self._catalog, self._read_at, self._failures = catalog, began, 0
                self.catalog_changed.emit()

        def failed(error: Exception) -> None:
            _log.info("the catalog was not read: %s", type(error).__name__)
            self._failures += 1

        self._reading = self._jobs.call(
            lambda: _read(client, side, spares), name="read the catalog", done=done, failed=failed, ended=self._ended
        )

    def _ended(self) -> None:
        self._reading = None
        if self._failures:
            self._timer.start(_RETRY[min(self._failures, len(_RETRY)) - 1])
        elif self._is_stale or (self._catalog is None and self._server.is_open):
            self._timer.start(_SOON)

    def _opened(self) -> None:
        self._failures = 0
        self.refresh()

    def _forget(self) -> None:
        if self._reading is not None:
            self._reading.ignore()
            self._reading = None
        self._timer.stop()
        self._catalog = None
        self.catalog_changed.emit()

    # -- an editor

    def _wanted(self, asking: "weakref.ref[SqlEditor]", text: str, position: int) -> None:
        editor = asking()
        if editor is None:
            return
        if time.monotonic() - self._read_at > _OLD:
            self.refresh()
        if (before := self._asked.get(editor)) is not None:
            before.ignore()
        catalog, uses = self._catalog or Catalog(), dict(self._uses)
        self._asked[editor] = self._jobs.call(
            lambda: complete(catalog, text, position, uses),
            name="complete",
            done=partial(self._show, asking, text),
        )

    def _show(self, asking: "weakref.ref[SqlEditor]", text: str, offer: Offer) -> None:
        editor = asking()
        if editor is None:
            return
        start = offer.from_position
        if editor.caret() < start or editor.toPlainText()[:start] != text[:start]:
            return  # typed on elsewhere meanwhile
        found = [(_completion(item), item.key) for item in offer.items]
        self._offered = dict(found)
        (self._cut.discard if offer.is_whole else self._cut.add)(editor)
        editor.offer([each for each, _ in found], start)

    def _typed_on(self, asking: "weakref.ref[SqlEditor]") -> None:
        """Ask again where what is listed is only a part of what fits: more letters may fit others better."""
        editor = asking()
        if editor is not None and editor in self._cut and editor.popup.isVisible():
            self._wanted(asking, editor.toPlainText(), editor.caret())

    def _taken(self, item: Completion) -> None:
        if key := self._offered.get(item, ""):
            self._uses[key] = self._uses.get(key, 0) + 1


def _read(client: Client, side: Callable[[], Connection], spares: bool) -> Catalog:
    """Return the catalog, over a connection that nobody wants. Raises NoneFreeError where there is no such."""
    with client.lend_spare("completion", side, spares=spares) as conn:
        catalog = read_catalog(conn)
    warm(catalog)
    return catalog


def _completion(item: Item) -> Completion:
    return Completion(item.text, _ICONS[item.kind], item.detail, item.insert)


def _restored(text: str) -> dict[str, int]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {str(key): value for key, value in found.items() if type(value) is int}  # type: ignore[misc]


__all__: Sequence[str] = ["Completer"]
