"""Finding a text in the rows of a table that are not here: the server looks, and the grid goes where it is."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, QPersistentModelIndex, QTimer, Signal
from shiboken6 import isValid

from pgexplorer.db.table.browse import Table
from pgexplorer.db.table.finding import Looked, Match, Wanted
from pgexplorer.db.table.pages import Place, Read, To
from pgexplorer.db.values import human_count
from pgexplorer.jobs import Job, Jobs
from pgexplorer.ui.table.grid import TableGrid
from pgexplorer.ui.table.reader import TableReader
from pgexplorer.ui.widgets.find_bar import Sought

_WORTH_TELLING = 1_000  # rows
_LONGEST = 10.0  # seconds that a read waits for a connection of a search; ending one takes less, whatever the link does


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for, and where the grid was then."""

    sought: Sought
    wanted: Wanted
    first: int  # the number of the row to begin with; -1 for an end of the table
    is_exact: bool


class _Work:
    """One run of a search: the table it reads through, and whether its connection has been given back."""

    def __init__(self, table: Table, search: _Search) -> None:
        self.table = table
        self.search = search
        self.is_over = threading.Event()

    def run(self) -> Iterator[Looked | Match]:
        try:
            yield from self.table.find(self.search.wanted)
        finally:
            self.is_over.set()


class TableFind(QObject):
    """What the grid's find bar asks beyond the rows that are here. One search at a time.

    Where the pool has no other connection, rows are read first: the search gives its own up, and begins again when they
    are here.
    """

    began = Signal()
    failed = Signal(object, object)  # the exception, and what looks again

    def __init__(self, jobs: Jobs, grid: TableGrid, reader: TableReader, is_readable: Callable[[], bool]) -> None:
        """*is_readable* says whether the table can be read now, through the pool as it is."""
        super().__init__(grid)
        self._jobs = jobs
        self._grid = grid
        self._bar = grid.find_bar
        self._reader = reader
        self._is_readable = is_readable
        self._running: tuple[_Work, Job] | None = None
        self._holding: _Work | None = None  # the last run, which may hold a connection though nobody hears it any more
        self._waiting: _Search | None = None  # until rows have been read
        self._last: tuple[QPersistentModelIndex, Place] | None = None  # where it was found, which may be far by now
        self._looked = 0  # rows
        self._is_going = False  # whether the row that was found is being read
        self._bar.call_it("the table")
        self._bar.number = self._number
        reader.opened.connect(self._opened)
        reader.failed.connect(self._read_failed)
        reader.idle.connect(self._not_read)
        reader.idle.connect(partial(QTimer.singleShot, 0, self, self._look_again))  # the reader may have more to read
        reader.make_way = self._make_way

    def begin(self, sought: Sought) -> str:
        """Have the server look; return why not, "" where it does."""
        if not self._is_readable() or self._reader.table is None:
            return "not connected"
        if self._reader.is_opening:
            return "the table is being read again"
        self.stop()
        model = self._reader.pages
        names = [column.name for column in model.columns()]
        row, begun = self._start(sought)
        start = model.place(row) if row >= 0 else None
        if start is None and self._last is not None and row == self._last[0].row():
            start = self._last[1]
        first = model.stretch.number(model.base(row)) if start is not None else -1
        is_exact = model.stretch.is_exact
        columns = tuple(names[column] for column in sought.columns if column < len(names))
        wanted = Wanted(sought.text, columns, start, begun if start is not None else 0, sought.step < 0)
        self.began.emit()
        self._start_or_wait(_Search(sought, wanted, first, is_exact))
        return ""

    def stop(self) -> None:
        """End the search, here and at the server."""
        self._is_going = False
        self._waiting = None
        if self._running is not None:
            (work, job), self._running = self._running, None
            job.ignore()
            self._jobs.start(work.table.stop, name="stop a search")

    # -- whose turn it is

    def _start_or_wait(self, search: _Search) -> None:
        table = self._reader.table
        assert table is not None
        if self._reader.is_reading and _is_tight(table):
            self._wait(search)
        else:
            self._run(search, table.again())

    def _wait(self, search: _Search) -> None:
        self._waiting = search
        self._bar.say("waiting: rows are read over the connection that it needs")

    def _look_again(self) -> None:
        """Go on with a search that waits, once nothing is read."""
        if self._waiting is None or self._reader.is_reading:
            return
        search, self._waiting = self._waiting, None
        if self._is_readable():
            self._start_or_wait(search)
        else:
            self._bar.end("stopped: not connected")

    def _make_way(self) -> Callable[[], object] | None:
        """Give up the connection that a search holds, if rows could not be read beside it.

        Return what waits until it has been given back, which belongs on a worker; None where nothing is in the way.
        """
        work, table = self._holding, self._reader.table
        if work is None or work.is_over.is_set() or table is None or table.client is not work.table.client:
            return None
        if not _is_tight(table):
            return None
        is_running = self._running is not None
        if self._running is not None:
            self._running[1].ignore()
            self._running = None
            self._wait(work.search)

        def wait() -> None:
            if is_running:
                for _ in work.table.stop():
                    pass
            work.is_over.wait(_LONGEST)

        return wait

    # -- inside

    def _run(self, search: _Search, table: Table) -> None:
        sought = search.sought

        def heard(news: Looked | Match) -> None:
            if isinstance(news, Looked):
                self._looked = news.rows
                if news.rows >= _WORTH_TELLING:
                    self._bar.say(f"scanned {news.rows:,} of {self._all()} rows…")
            else:
                self._running = None
                self._go(news, search.first, sought, is_exact=search.is_exact)

        def failed(error: Exception) -> None:
            self._running = None
            self._bar.end("stopped")
            self.failed.emit(error, partial(self._again, sought))

        def ended() -> None:
            if self._running is not None and self._running[1] is job:
                self._running = None
                self._bar.end(f"in none of {self._looked:,} rows")

        self._looked = 0
        self._bar.say("scanning the whole table…")
        work = self._holding = _Work(table, search)
        job = self._jobs.start(
            work.run, name=f"find in {table.relation.name}", yielded=heard, failed=failed, ended=ended
        )
        self._running = work, job

    def _opened(self) -> None:
        self._last = None
        # What is read in one pass is all here, or will be.
        self._bar.beyond = None if self._reader.is_pass else self

    def _again(self, sought: Sought) -> None:
        if isValid(self._bar) and self._bar.isVisible():
            (self._bar.next if sought.step > 0 else self._bar.previous)()

    def _start(self, sought: Sought) -> tuple[int, int]:
        """Return the row to begin with, and how many columns of it were looked at; -1 for the end of the table."""
        model, count = self._reader.pages, self._reader.pages.rowCount()
        row = sought.row
        if model.place(row) is not None or (self._last is not None and self._last[0].row() == row):
            return row, sought.begun
        if not sought.begun:  # the row before it, which was looked at last; new rows have no place
            row = (row - sought.step) % count
            while model.place(row) is None and model.slot(row) is not None and row != sought.row:
                row = (row - sought.step) % count
            if model.place(row) is not None:
                return row, len(sought.columns)
        # The current cell is far from the rows that are here: what is in sight is meant.
        first, last = self._grid.rows_in_sight()
        here = [row for row in range(first, last + 1) if model.place(row) is not None]
        return (here[0] if sought.step > 0 else here[-1], 0) if here else (-1, 0)

    def _number(self, row: int) -> str:
        pages = self._reader.pages
        if self._reader.is_pass:
            return f"{row + 1:,}"
        if isinstance(pages.slot(row), int):
            return "that is not sent yet"
        return f"{'' if pages.stretch.is_exact else '≈ '}{pages.stretch.number(pages.base(row)) + 1:,}"

    def _all(self) -> str:
        stretch = self._reader.pages.stretch
        return f"{stretch.estimate:,}" if stretch.is_counted else f"≈ {human_count(stretch.estimate)}"

    def _go(self, match: Match, first: int, sought: Sought, *, is_exact: bool) -> None:
        """Go to the cell that was found: the row may be here; else the page that begins with it is read."""
        model = self._reader.pages
        column = [column.name for column in model.columns()].index(match.column)
        around = sought.words(match.is_around)
        if self._show_place(match.place, column, around):
            return
        number = first + match.steps
        if match.is_around or first < 0:
            number, is_exact = match.steps, True
        if sought.step < 0:
            number = first - match.steps
            if match.is_around or first < 0:
                number, is_exact = model.stretch.estimate - 1 - match.steps, model.stretch.is_counted
        if is_exact and number <= 0:
            wanted = Read(To.FIRST)
        else:
            wanted = Read(To.FROM, match.place, max(1, number), is_counted=is_exact)
        self._bar.say("reading the row…")
        self._is_going = True

        def read() -> None:
            if self._is_going:
                self._is_going = False
                if not self._show_place(match.place, column, around):
                    self._bar.end("the row is gone")

        self._reader.show(wanted, read)

    def _not_read(self) -> None:
        if self._is_going:
            self._is_going = False
            self._bar.end("stopped")

    def _read_failed(self) -> None:
        self._not_read()
        if self._waiting is not None:
            self._waiting = None
            self._bar.end("stopped: the rows that it waited for could not be read")

    def _show_place(self, place: Place, column: int, around: str) -> bool:
        """Go to the row at *place*; return whether it is here."""
        model = self._reader.pages
        base = next((base for base, there in model.stretch.here() if there == place), None)
        if base is not None:
            self._show(model.view(base), column, place, around)
        return base is not None

    def _show(self, row: int, column: int, place: Place, around: str) -> None:
        index = self._reader.pages.index(row, column)
        self._last = QPersistentModelIndex(index), place
        self._grid.updateGeometries()  # the rows may have just come
        self._bar.go_to(index)
        self._bar.end(f"row {self._number(row)}{around}")


def _is_tight(table: Table) -> bool:
    """Whether the pool of *table* may have no connection for one more piece of work. Does not block."""
    pool = table.client.pool
    return pool.maxconn == 1 or sum(slot.is_out for slot in pool.slots(patient=False)) >= pool.maxconn
