"""Reads the pages of a table that its grid looks at: one at a time, when in sight, and never by itself again."""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from pgexplorer.db.client import Client
from pgexplorer.db.query import Done, Failed, News, Query, Result
from pgexplorer.db.rows import Rows
from pgexplorer.db.table.browse import Counting, NoPages, Opened, Page, Read, Table, To
from pgexplorer.db.table.editable import Editable
from pgexplorer.db.table.references import References
from pgexplorer.db.table.stretch import Stretch
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.result_model import ResultModel
from pgexplorer.models.table_model import TableModel

_log = logging.getLogger(__name__)
_LOOK = 15  # milliseconds in which the scroll bar is let go on before a page is asked for
_LONG = 800  # milliseconds after which a read is said to take long


@dataclass(frozen=True, slots=True)
class _Pass:
    """The table can be read in one pass only, by this query."""

    sql: str


@dataclass(frozen=True, slots=True)
class _Facts:
    """What can be changed in the table and what it refers to, as far as the server tells."""

    editable: Editable | None
    references: References


def _facts(table: Table) -> _Facts:
    """Ask for the facts of *table*. It is read all the same where a server does not tell. Blocks."""
    try:
        return _Facts(table.facts(), table.references())
    except Exception:
        _log.warning("what can be changed in a table is not known", exc_info=True)
        return _Facts(None, References())


@dataclass(frozen=True, slots=True)
class _Wish:
    """Rows of the table that are needed, and who needs them."""

    first: int
    end: int
    then: Callable[[], object]
    instead: Callable[[], object]  # where they are not read after all


class TableReader(QObject):
    """What stands between a grid and a table: which page is wanted, the job that reads it, and what came of it."""

    opened = Signal()  # the first page, or the first rows of a pass, are in the model
    read = Signal(object)  # Page: it is in the model
    grew = Signal()  # there are more rows of a pass
    counted = Signal(object)  # Counting
    passed = Signal(object)  # Done: the pass has ended
    known = Signal(object)  # Editable: what can be changed; None where that cannot be known
    linked = Signal(object)  # References: its foreign keys, both ways
    failed = Signal(object, object)  # the exception or Failed, and what tries again
    slow = Signal()  # what is read takes long
    idle = Signal()  # nothing is read any more

    def __init__(self, jobs: Jobs, look: Callable[[], tuple[int, int]], parent: QObject) -> None:
        """*look* returns the first and the last row in sight."""
        super().__init__(parent)
        self._jobs = jobs
        self._look = look
        self._job: Job | None = None
        self._table: Table | None = None
        self._wanted: Table | None = None  # what was opened last
        self._rows_of: Table | None = None  # what the pages that are here were read from
        self._reopen: Callable[[], object] | None = None  # what opens again what was not opened to its end
        self._query: Query | None = None
        self._rows: Rows | None = None  # of a pass: to be closed
        self._halted = False  # until a person asks again
        self._wish: _Wish | None = None  # rows that are needed
        self.began = 0.0
        self.first_ms = 0.0  # until the first rows were here
        self.is_slow = False
        self.is_opening = False  # whether other rows are about to take the place of those that are here
        # Asked before each read: returns what waits until there is a connection for it, which blocks; None if there is.
        self.make_way: Callable[[], Callable[[], object] | None] = lambda: None
        self.pages = TableModel(self)
        self.whole = ResultModel(self)
        self._later = QTimer(self, singleShot=True, interval=_LOOK)
        self._later.timeout.connect(self._go_on)
        self._patience = QTimer(self, singleShot=True, interval=_LONG)
        self._patience.timeout.connect(self._is_slow)

    @property
    def table(self) -> Table | None:
        """What is read; while others are about to take the place of the rows that are here, what these are of."""
        is_of_rows = self.is_opening and self._table is not None and self._rows_of is not None
        return self._rows_of if is_of_rows else self._table

    @property
    def is_pass(self) -> bool:
        """Whether the rows come in one pass."""
        return self._query is not None or self._rows is not None

    @property
    def model(self) -> ResultModel:
        """What the grid shows."""
        return self.whole if self.is_pass else self.pages

    @property
    def is_reading(self) -> bool:
        """Whether something is being read."""
        return self._job is not None

    def open(
        self, table: Table, query: Callable[[str], Query], start: Read | None = None, before: Table | None = None
    ) -> None:
        """Read *table* from its beginning, or from *start*; *query* makes a query of what has no pages.

        A *start* is of the table as it was read *before*, which is the one in use; where its rows have another key
        now it is no place in it.
        """
        self.leave()
        before = before or self._rows_of or self._table
        self._table = self._wanted = table
        self.is_opening = True
        wanted = start or Read(To.FIRST)
        self.began = time.perf_counter()
        again = table

        def work() -> Iterator[Any]:
            first = wanted
            try:
                if start is not None and before is not None and not again.knows_places(before):
                    yield (first := Read(To.FIRST))
                yield from again.read(first)
                yield _facts(again)
            except NoPages:
                yield _facts(again)
                yield _Pass(again.pass_query())

        stretch = Stretch()

        def heard(news: Any) -> None:
            nonlocal stretch, wanted
            match news:
                case Read():
                    wanted = news
                case Opened():
                    stretch = Stretch(news.columns, news.rows, again.scope.page_size)
                case Page():
                    self.is_opening, self._reopen = False, None
                    self.first_ms = (time.perf_counter() - self.began) * 1000
                    stretch.take(wanted, news)
                    self._rows_of = again
                    self.pages.begin(stretch, table.identity)  # with its rows, by which columns are fitted
                    self.opened.emit()
                case _Facts():
                    self.known.emit(news.editable)
                    self.linked.emit(news.references)
                case _Pass():
                    self._read_all(query(news.sql))
                case _:
                    pass

        def reopen() -> None:
            self.open(table.again(self._table.client if self._table is not None else None), query, start, before)

        self._reopen = reopen
        self._start(work, heard, reopen)

    def need(self, first: int, end: int, then: Callable[[], object], instead: Callable[[], object]) -> None:
        """Read on until the view's rows from *first* to the one before *end* are here, then call *then*.

        Where that is given up, *instead* is called.
        """
        self._drop_wish()
        if self.is_pass:
            instead()
            return
        wish = _Wish(self.pages.base(first), self.pages.base(end), then, instead)
        stretch = self.pages.stretch
        if stretch.begin <= wish.first <= wish.end <= stretch.end:
            then()
        elif self._table is None:
            instead()
        else:
            self._wish, self._halted = wish, False
            self._go_on()

    def forgo(self) -> None:
        """Read no more for who needs rows, who knows."""
        self._wish = None

    def _drop_wish(self) -> None:
        wish, self._wish = self._wish, None
        if wish is not None:
            wish.instead()

    def _needed(self) -> Read | None:
        """Return the page that brings what is needed nearer; when all is here, say so to who needs it."""
        if self._wish is None:
            return None
        wish, stretch = self._wish, self.pages.stretch
        if stretch.begin <= wish.first and wish.end > stretch.end and (wanted := stretch.following()) is not None:
            return wanted
        self._wish = None
        wish.then()
        return None

    def look(self) -> None:
        """Take notice of what is in sight now."""
        if not self._later.isActive():
            self._later.start()

    def go_to(self, row: int) -> None:
        """Count to the row, from 0, and show it. `counted` tells how far it is, `read` that it is there."""
        self.show(Read(To.AT, row=row))

    def show(self, wanted: Read, then: Callable[[], object] | None = None) -> None:
        """Read a page in place of the rows that are here, and call *then* once it is in the model."""
        if self._table is not None and not self.is_pass and not self.is_opening:
            self._halted = False
            self._give_up()
            self._ask(wanted, then)

    def stop(self) -> None:
        """End what is being read; the rows that are here stay."""
        self._drop_wish()
        if self._query is not None:
            self._jobs.start(self._query.stop, name="stop a pass")
        elif self._job is not None:
            self._halted = True
            was_opening = self.is_opening
            self._give_up()
            self.is_opening = was_opening
            self._turn_back()
            self.idle.emit()

    def resume(self) -> None:
        """Read on what is in sight, after a stop, or open what was being opened."""
        self._halted = False
        if self._reopen is not None and self._table is not None:
            self._reopen()
        else:
            self._go_on()

    def relent(self) -> None:
        """Read again what is looked at from now on, after a failure."""
        self._halted = False

    def renew(self, client: Client) -> None:
        """Read through *client* from now on: the pool was reopened."""
        if self._table is not None and self._table.client is not client:
            self._table = self._table.again(client)

    def forget(self) -> None:
        """Read nothing more before `open`: the server was left. The rows that are here stay."""
        self._later.stop()
        self._give_up()
        self._table = self._query = None
        self._drop_wish()

    def clear(self) -> None:
        """Show no rows: those that were to come did not, and the others would mislead."""
        self._rows_of = None
        if self._table is not None and self._wanted is not None:
            self._table = self._wanted.again()
        self.pages.begin(Stretch())

    def leave(self) -> None:
        """End what is read, here and at the server, and give back what it takes."""
        self._drop_wish()
        self._later.stop()
        self._give_up()
        self._query = None
        if self._rows is not None:
            rows, self._rows = self._rows, None
            self.whole.clear()
            self._jobs.call(rows.close, name="close a table")
        self._halted = False

    def _give_up(self) -> None:
        """Hear no more of what is being read, and end it: a read that nobody waits for holds a connection."""
        if self._job is None:
            return
        self._job.ignore()
        self._end()
        if self._query is not None:
            self._jobs.start(self._query.stop, name="stop a pass")
        elif self._table is not None:
            self._jobs.start(self._table.stop, name="stop a table")
            self._table = self._table.again()

    def _turn_back(self) -> None:
        """Go on with what the rows are of that stay, where others were to come and did not: places are another's."""
        if self.is_opening:
            self.is_opening = False
            if self._rows_of is not None:
                self._table = self._rows_of.again()

    def _go_on(self) -> None:
        if self._job is not None or self._table is None or self._halted or self.is_pass:
            return
        wanted = self._needed()
        if wanted is None:
            first, last = self._look()
            wanted = self.pages.stretch.wanted(
                self.pages.base(max(0, first)), self.pages.base(last) if last >= 0 else last
            )
        if wanted is not None:
            self._ask(wanted)

    def _ask(self, wanted: Read, then: Callable[[], object] | None = None) -> None:
        table = self._table
        assert table is not None

        def heard(news: Any) -> None:
            if isinstance(news, Page):
                self.pages.take(wanted, news)
                self.read.emit(news)
                if then is not None:
                    then()
            elif isinstance(news, Counting):
                self.counted.emit(news)

        def again() -> None:
            self._halted = False
            self._ask(wanted, then)

        self._start(lambda: table.read(wanted), heard, again)

    def _read_all(self, query: Query) -> None:
        """Read a relation without pages from its beginning to its end, or to a limit."""
        if self._job is not None:
            self._job.ignore()
            self._end()
        self._query = query

        def heard(news: News) -> None:
            match news:
                case Result() if self._rows is None:
                    self.is_opening, self._reopen = False, None
                    self._rows, self._rows_of = news.rows, None
                    self.first_ms = (time.perf_counter() - self.began) * 1000
                    self.whole.show(news.rows)
                    self.opened.emit()
                case Result():
                    self.whole.grow()
                    self.grew.emit()
                case Done():
                    self._query = None
                    self.passed.emit(news)
                case Failed():
                    self._query = None
                    self._turn_back()
                    self.failed.emit(news, None)
                case _:
                    pass

        self._start(query.run, heard, None)

    def _start(
        self, work: Callable[[], Iterator[Any]], heard: Callable[[Any], object], again: Callable[[], object] | None
    ) -> None:
        assert self._table is not None

        def failed(error: Exception) -> None:
            self._halted = True
            self._query = None
            self._turn_back()
            self.failed.emit(error, again)

        def ended() -> None:
            if self._job is job:
                self._end()
                self.idle.emit()
                self._go_on()

        way = self.make_way()

        def whole() -> Iterator[Any]:
            if way is not None:
                way()
            yield from work()

        name = f"table {self._table.relation.name}"
        job = self._job = self._jobs.start(whole, name=name, yielded=heard, failed=failed, ended=ended)
        self._patience.start()

    def _end(self) -> None:
        self._job = None
        self.is_slow = self.is_opening = False
        self._patience.stop()

    def _is_slow(self) -> None:
        self.is_slow = True
        self.slow.emit()
