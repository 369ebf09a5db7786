"""What the schema tree shows, read beside the work: at once when a person asks, modestly when it only follows."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from PySide6.QtCore import QObject, QTimer, Signal

from pgexplorer.db.client import Client
from pgexplorer.db.plans.effects import may_define
from pgexplorer.db.probe import Connection
from pgexplorer.db.schema import Relation
from pgexplorer.db.tree import Names, Parts, Sizes, read_first, read_parts, read_rest
from pgexplorer.history import Entry
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.schema_nodes import Measured, Tree, build, measured
from pgexplorer.server import Server
from pgexplorer.ui.schema.search import SearchIndex

_log = logging.getLogger(__name__)
_SOON = 150  # milliseconds after DDL: a script of it is one reason to read again, not hundreds
_RETRY = (1_000, 3_000, 10_000, 30_000)  # milliseconds after there was no free connection; then it waits to be asked
_SPARED = 2  # failures up to which the last free connection is left to somebody else
_QUICK = 0.3  # seconds that measuring may take to be done again each time that something was defined
_MEASURES = ("VACUUM", "ANALYZE", "REINDEX", "REFRESH", "TRUNCATE")  # which change what stands behind the names


@dataclass(frozen=True, slots=True)
class Whole:
    """The tree with all names."""

    tree: Tree
    names: Names
    parts: dict[int, Parts]


@dataclass(frozen=True, slots=True)
class Sized:
    """What is on the disk, and what that changes behind the names."""

    sizes: dict[int, int]
    found: Measured
    took_s: float


@dataclass(slots=True)
class _Known:
    """What was read last, so that nothing moves where nothing has changed."""

    names: Names | None = None
    parts: dict[int, Parts] = field(default_factory=dict[int, Parts])
    sizes: dict[int, int] = field(default_factory=dict[int, int])
    measuring_s: float = 0.0


_News = Tree | Whole | SearchIndex | Sized


class SchemaReader(QObject):
    """Reads the catalog in jobs. Reading again by itself takes no connection that somebody else may want."""

    first_read = Signal(object)  # Tree: the relations, as soon as they are known, where nothing was shown before
    tree_read = Signal(object)  # Tree with all names, where something has changed
    index_made = Signal(object)  # SearchIndex
    measured = Signal(object)  # Measured
    parts_read = Signal(object, object)  # Relation, Parts
    parts_failed = Signal(object, object)  # Relation, the exception
    failed = Signal(object)  # the exception, where a person asked
    read = Signal()  # all of it, changed or not

    def __init__(self, server: Server, jobs: Jobs, filled: Callable[[], list[Relation]]) -> None:
        """Read nothing yet. *filled* says which relations show their parts: those are read again with the names."""
        super().__init__()
        self._server = server
        self._jobs = jobs
        self._filled = filled
        self._job: Job | None = None
        self._known = _Known()
        self._is_stale = False  # something was defined since the reading under way began
        self._has_first = False  # whether the reading under way, or the last, has shown the relations
        self._has_failed = False
        self._failures = 0
        self._soon = QTimer(self, interval=_SOON, singleShot=True)
        self._soon.timeout.connect(self._follow)

    @property
    def is_following(self) -> bool:
        """Whether it will read again by itself, or does so now."""
        return self._soon.isActive() or self._job is not None

    def hear(self, entry: Entry) -> None:
        """Hear of a statement that ended: after DDL everything is read again, soon and once."""
        if not entry.is_bad and (may_define(entry.status, entry.sql) or entry.status.startswith(_MEASURES)):
            self._is_stale = True
            self._failures = 0
            self._soon.start(_SOON)

    def refresh(self) -> None:
        """Read everything now: a person asks. `failed` or `read` follows."""
        self._failures = 0
        self._read(modest=False)

    def forget(self) -> None:
        """Drop what is under way and what is known: the server is left."""
        if self._job is not None:
            self._job.ignore()
            self._job = None
        self._soon.stop()
        self._known, self._failures, self._is_stale = _Known(), 0, False

    def read_parts(self, relation: Relation) -> None:
        """Read what belongs to *relation*. `parts_read` or `parts_failed` follows."""
        if (in_use := self._server.in_use) is None:
            return
        client = in_use.client

        def work() -> Parts:
            with client.lend("schema") as conn:
                return read_parts(conn, [relation]).get(relation.oid, Parts())

        def done(parts: Parts) -> None:
            self._known.parts[relation.oid] = parts
            self.parts_read.emit(relation, parts)

        self._jobs.call(
            work, name="read columns", done=done, failed=lambda error: self.parts_failed.emit(relation, error)
        )

    def _follow(self) -> None:
        if self._job is None:  # otherwise it follows when that has ended
            self._read(modest=True)

    def _read(self, *, modest: bool) -> None:
        if (in_use := self._server.in_use) is None:
            return
        if self._job is not None:
            self._job.ignore()
        self._soon.stop()
        self._is_stale = False
        client, side, spares = in_use.client, self._server.side(), self._failures < _SPARED
        known = replace(self._known, parts=dict(self._known.parts))
        filled = {each.oid for each in self._filled()}

        self._has_first = self._has_failed = False

        def work() -> Iterator[_News]:
            return _news(client, side, known, filled, modest=modest, spares=spares)

        def failed(error: Exception) -> None:
            self._has_failed = True
            self._failures += 1
            if (modest or self._has_first) and self._failures <= len(_RETRY):
                _log.info("the schema was not read: %s", type(error).__name__)
                self._soon.start(_RETRY[self._failures - 1])
            elif not modest or self._known.names is None:
                self.failed.emit(error)

        job = self._jobs.start(work, name="read the schema", yielded=self._hear_news, failed=failed)
        job.ended.connect(lambda: self._ended(job))
        self._job = job

    def _hear_news(self, news: _News) -> None:
        match news:
            case Tree():
                self._has_first = True
                self.first_read.emit(news)
            case Whole():
                self._known.names, self._known.parts = news.names, news.parts
                self.tree_read.emit(news.tree)
            case SearchIndex():
                self.index_made.emit(news)
            case Sized():
                self._known.sizes, self._known.measuring_s = news.sizes, news.took_s
                self.measured.emit(news.found)

    def _ended(self, job: Job) -> None:
        if job is not self._job:
            return
        self._job = None
        if not self._has_failed:
            self._failures = 0
        self.read.emit()
        if self._is_stale and not self._soon.isActive():
            self._soon.start(_SOON)


def _news(
    client: Client,
    side: Callable[[], Connection],
    known: _Known,
    filled: set[int],
    *,
    modest: bool,
    spares: bool,
) -> Iterator[_News]:
    """Read everything, and yield what has changed. Blocks."""
    is_new = known.names is None
    lent = client.lend_spare("schema", side, spares=spares) if modest else client.lend("schema")
    with lent as conn:
        first = read_first(conn)
        if is_new:
            yield build(first)
        if client.pool.maxconn > 1 or modest or not is_new:
            yield from _rest(conn, first, known, filled, measures=not modest or known.measuring_s < _QUICK)
            return
    # The only connection of the pool is wanted by the first table that is opened.
    with client.lend_spare("schema", side, spares=spares) as conn:
        yield from _rest(conn, first, known, filled, measures=True)


def _rest(conn: Connection, first: Names, known: _Known, filled: set[int], *, measures: bool) -> Iterator[_News]:
    shown = [each for schema in first.schemas for each in schema.relations if each.oid in filled]
    parts = read_parts(conn, shown) if shown else {}
    names = first
    began = 0.0
    for news in read_rest(conn, first):
        match news:
            case Names():
                names = news
                if names != known.names or parts != known.parts:
                    yield Whole(build(names, parts, known.sizes), names, parts)
                    yield SearchIndex(names)
                if not measures:
                    return
                began = time.perf_counter()
            case Sizes():
                took = time.perf_counter() - began
                if news.by_oid and news.by_oid != known.sizes:
                    yield Sized(news.by_oid, measured(names, news.by_oid), took)
