"""The table panel: one relation in a grid, filtered and sorted at the server, any row of it a scroll away."""

from collections.abc import Callable
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QInputDialog,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.query import Done, Failed, Query
from pgexplorer.db.schema import Kind, Relation
from pgexplorer.db.table.browse import Counting, Page, Read, Table, To
from pgexplorer.db.table.ordering import Condition, Operator
from pgexplorer.db.table.references import References
from pgexplorer.db.values import human_count
from pgexplorer.jobs import Jobs
from pgexplorer.models.pending import Counts
from pgexplorer.models.result_model import ResultModel
from pgexplorer.server import Server
from pgexplorer.ui.actions import Action
from pgexplorer.ui.confirm_dialog import confirm_on_production
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.table.actions import IN_MENU, ON_BAR, editing_actions, enable
from pgexplorer.ui.table.count import TableCount
from pgexplorer.ui.table.editing import TableEditing
from pgexplorer.ui.table.filter import Shown, TableFilter
from pgexplorer.ui.table.find import TableFind
from pgexplorer.ui.table.grid import TableGrid
from pgexplorer.ui.table.head import TableHead
from pgexplorer.ui.table.links import TableLinks
from pgexplorer.ui.table.pending_bar import PendingBar
from pgexplorer.ui.table.reader import TableReader
from pgexplorer.ui.table.sending import TableSending
from pgexplorer.ui.table.trail import Visit
from pgexplorer.ui.table.trail_bar import TableTrail
from pgexplorer.ui.table.words import where_words, why_pass
from pgexplorer.ui.transfer.export_dialog import export_table
from pgexplorer.ui.transfer.import_dialog import import_table
from pgexplorer.ui.widgets.empty_state import EmptyState

PASS_LIMIT = 1_000_000  # rows of what can only be read from its beginning, unless more are asked for
_MOST_ROW = 2**31 - 1
_LARGE = 1_000_000  # rows from which on sorting without an index is said beforehand
_HOWS = {
    "=": Operator.EQUAL,
    "<>": Operator.UNEQUAL,
    "is null": Operator.IS_NULL,
    "is not null": Operator.IS_NOT_NULL,
}


class TablePanel(Panel):
    """A table as it is now. Every page is one short check-out: no connection is held while a person looks."""

    TITLE = "Table"
    ICON = "table"
    status_changed = Signal(str)
    relation_changed = Signal()  # another table is shown

    def __init__(self, server: Server, jobs: Jobs, relation: Relation, parent: QWidget | None = None) -> None:
        super().__init__("table", parent)
        self.relation = relation
        self.status = ""
        self.server = self._server = server
        self._jobs = jobs
        self._shown: Shown | None = None  # what the rows on screen are under
        self._limit = PASS_LIMIT
        self._address = ""  # of the server that is read from
        self.counting = TableCount(jobs, self)
        self._going = -1  # the row that is counted to
        self._wanted_column = ""  # to be shown once the columns are known
        self._is_refused = False  # the order that was wished for, which the message bar says
        self._trouble = ""  # what the message bar says of a read that failed, until one succeeds
        self._told = ""  # what the message bar says of a read, to be taken back after it
        self.reader = TableReader(jobs, self._in_sight, self)
        self.filter = TableFilter(self)
        self.filter.changed.connect(self.refresh)
        self.where, self.chips = self.filter.where, self.filter.chips
        self.grid = TableGrid(self.reader, jobs, self.message)
        self.grid.setObjectName("table.grid")
        self.grid.setModel(self.reader.model)
        self.grid.offer_sorting(True)
        self.grid.offer_filtering(True)
        self.grid.sort_wanted.connect(self._sort)
        self.grid.filter_wanted.connect(self._filter_by_cell)
        self.grid.copied.connect(self._say_copied)
        self.grid.copy_refused.connect(self._say_not_copied)
        self.editing = TableEditing(self.grid, self.reader, jobs, self.message)
        self.sending = TableSending(self, server, jobs, self.reader, self.editing, self.message)
        self.links = TableLinks(self, server, jobs, self.grid, self.reader, self.message)
        self.finding = TableFind(jobs, self.grid, self.reader, self._is_readable)
        self.trail = TableTrail(self, self._visit, self.settle)
        self._restoring: Visit | None = None  # whose place is to be shown when its rows are here
        self._empty = EmptyState("table", "", "")
        self._stack = QStackedLayout()
        self._stack.addWidget(self.grid)
        self._stack.addWidget(self._empty)
        self.add_actions(
            [
                Action("table.refresh", "Refresh", self.refresh, "F5", "refresh", "Read the table again"),
                Action("table.find", "Find in the table…", self.grid.open_find, "Ctrl+F", "search"),
                Action("table.where", "Filter rows", self.where.setFocus, "Ctrl+Shift+F", "filter"),
                Action("table.condition", "Filter by a column…", self._add_condition, "Ctrl+Alt+F", "filter"),
                Action("table.clear", "Clear filter and order", self.filter.clear, "", "close"),
                Action("table.count", "Count rows", self._count, "Ctrl+Alt+C", "number", "Count the rows exactly"),
                Action("table.go_to", "Go to exact row…", self._ask_row, "Ctrl+Alt+G", "arrow-down"),
                Action("table.export", "Export…", self._export, "Ctrl+E", "download", "Write the rows to a file"),
                Action("table.import", "Import…", self._import, icon="upload", tip="Load a CSV or TSV file into it"),
                Action("table.copy", "Copy cells", self.grid.copy_selection, icon="copy"),
                Action("table.fit", "Fit columns", self.grid.fit_columns, icon="column"),
                *editing_actions(self.grid, self.editing, self.sending),
                Action("table.follow", "Go to the row it refers to", self.links.go, "F4", "link"),
                Action("table.referring", "Rows that point here…", self.links.show_back, "Shift+F4", "link"),
                Action("table.back", "Back to the table before", self.trail.back, "Alt+Left", "arrow-left"),
                Action("table.forth", "Forward to the next table", self.trail.forth, "Alt+Right", "arrow-right"),
            ]
        )
        self.action("table.find").setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.crumbs = self.trail.make_crumbs(self.action("table.back"), self.action("table.forth"))
        self.pending_bar = PendingBar(*(self.action(f"table.{name}") for name in ON_BAR))
        self.editing.offered = lambda: [self.action(f"table.{name}") for name in IN_MENU]
        self._adopt()
        self._lay_out()
        self._wire()
        self.trail.show(Visit(self.relation, self.filter.now()))
        self._show_pending()
        self._say("")

    @property
    def has_pending(self) -> bool:
        """Whether there are changes that were not sent, what is typed now included, and what is being pasted."""
        self.editing.take_writing()
        return self.editing.has_pending

    @property
    def model(self) -> ResultModel:
        """The rows in the grid."""
        return self.reader.model

    def _lay_out(self) -> None:
        below = [self.chips, self.pending_bar, self.message]
        head = TableHead(self.where, self.action, [self.crumbs], below)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(head)
        whole.addLayout(self._stack, 1)

    def _wire(self) -> None:
        reader = self.reader
        reader.opened.connect(self._opened)
        reader.read.connect(self._read)
        reader.grew.connect(self._say_where)
        reader.counted.connect(self._say_counting)
        reader.passed.connect(self._passed)
        reader.failed.connect(self._failed)
        reader.slow.connect(self._say_slow)
        reader.idle.connect(self._idle)
        reader.pages.moved.connect(self.grid.keep_in_sight)
        self.message.closed.connect(reader.relent)
        self.counting.counted.connect(self._counted)
        self.counting.failed.connect(self._not_counted)
        self.counting.stopped.connect(self._take_back)
        self._server.closed.connect(self._disconnected)
        reader.known.connect(self.editing.know)
        reader.linked.connect(self.links.know)
        self.links.go_wanted.connect(self.trail.visit)
        self.finding.began.connect(self._take_back)
        self.finding.failed.connect(self._search_failed)
        self.trail.shown.connect(self._show_relation)
        reader.pages.rowsInserted.connect(self._show_whether_empty)
        reader.pages.rowsRemoved.connect(self._show_whether_empty)
        self.editing.changed.connect(self._show_pending)
        self.sending.progressed.connect(self.pending_bar.show_sending)
        self.sending.sent.connect(self._say_sent)
        self.sending.stale.connect(self.refresh)
        self.pending_bar.stop_wanted.connect(self._stop_changing)
        self.editing.paster.progressed.connect(self._show_pasting)
        bar = self.grid.verticalScrollBar()
        bar.valueChanged.connect(self._scrolled)
        bar.rangeChanged.connect(self._scrolled)

    # -- reading

    def refresh(self) -> None:
        """Read again, under the filter as typed; the same rows stay in sight where filter and order are the same."""
        if self._server.in_use is None:
            self.message.show_message("info", "Not connected", "", "Connect first; filter and order are kept.")
            return
        if self.has_pending:
            self._refresh_later()
        else:
            self._refresh()

    def _refresh_later(self) -> None:
        """Read again as it is wished for now, once what is pending is sent or dropped."""
        wished = self.filter.now()
        if self._shown is not None:
            self.filter.restore((wished[0], *self._shown[1:]))
            self.grid.show_sorting(self.filter.marks())

        def go() -> None:
            self.filter.restore(wished)
            self._refresh()

        self.sending.settle(go, "The table is to be read again")

    def _refresh(self) -> None:
        self.counting.stop()
        wanted = self.filter.now()
        start = self._same_place() if wanted == self._shown and self.reader.table is not None else None
        if wanted != self._shown:
            self._limit = PASS_LIMIT
        self._open(start)

    def _open(self, start: Read | None = None, before: Table | None = None) -> None:
        in_use = self._server.in_use
        assert in_use is not None
        table = Table(
            in_use.client,
            self.relation,
            self.where.text(),
            conditions=self.filter.conditions,
            sorts=self.filter.sorts,
            side=in_use.side,
        )
        self.filter.show_chips()
        self.trail.show(Visit(self.relation, self.filter.now()))
        self._say("reading…")
        self.grid.find_bar.stop()
        self._address = in_use.profile.address
        self.reader.open(table, self._query, start, before)

    def _query(self, text: str) -> Query:
        if self.filter.sorts and self.relation.rows >= _LARGE:
            self._tell(
                "Sorting at the server without an index",
                f"All ≈ {human_count(self.relation.rows)} rows are read once, in this order.",
                [("Stop", self.reader.stop)],
            )
        return self._server.query(text, f"table {self.relation.name}", row_limit=self._limit, read_only=True)

    def _disconnected(self) -> None:
        """Keep what is shown, and say that it is of a connection that has ended: the next may be to another server."""
        if self.reader.table is None:
            return
        self.counting.stop()
        self.grid.find_bar.stop()
        self._going = -1
        self.reader.forget()
        self._say_disconnected()

    def _say_disconnected(self) -> None:
        self.message.show_message(
            "info",
            "The connection has ended.",
            "",
            "What was read is shown. Connect, then refresh.",
            [("Refresh", self.refresh)],
        )

    def _say_opening(self) -> None:
        self.message.show_message("info", "The table is being read again: wait until its rows are here.")

    def _is_readable(self) -> bool:
        """Whether the table can be read on, through the pool as it is now; says so where it cannot."""
        in_use = self._server.in_use
        if in_use is None or self.reader.table is None:
            self._say_disconnected()
            return False
        self.reader.renew(in_use.client)
        return True

    def _first_here(self) -> int:
        """Return the first row in sight that has been read: after a jump those at the top may still be on the way."""
        top, last = self._in_sight()
        pages = self.reader.pages
        if self.reader.is_pass:
            return top
        return next((row for row in range(top, last + 1) if pages.stretch.place(pages.base(row)) is not None), top)

    def _same_place(self) -> Read | None:
        """Return what reads the rows again that are in sight; None at the beginning."""
        row = self.reader.pages.base(self._first_here())
        place = self.reader.pages.stretch.place(row) if not self.reader.is_pass and row > 0 else None
        return Read(To.FROM, place, row) if place is not None else None

    def _opened(self) -> None:
        self.sending.read_from(self._address)
        model = self.reader.model
        bar = self.grid.verticalScrollBar()
        before = bar.value() if self._shown == self.filter.now() else 0
        fresh = self.grid.model() is not model
        if fresh:
            self.grid.setModel(model)
        self.filter.names = [column.name for column in model.columns()]
        self.grid.fit_columns()
        bar.setValue(before)
        self._shown = self.filter.now()
        self._show_pending()  # how it is read is known now
        if self._restoring is not None:
            visit, self._restoring = self._restoring, None
            QTimer.singleShot(0, self, partial(self._show_place, visit))
        self._take_back()
        if not self._is_refused:
            self.message.clear()
        self._is_refused = False
        self.grid.show_sorting(self.filter.marks())
        self._show_whether_empty()
        self._say_where()
        self.reader.look()
        QTimer.singleShot(0, self, self._go_to_column)

    def _read(self, page: Page) -> None:
        self._take_back()
        if self._trouble and self.message.text() == self._trouble:
            self.message.clear()
        self._trouble = ""
        if self._going >= 0:
            begin = self.reader.pages.view(self.reader.pages.stretch.begin)
            row = begin if page.row is not None else self.model.rowCount() - 1
            index = self.model.index(row, max(0, self.grid.currentIndex().column()))
            self.grid.setCurrentIndex(index)
            if page.row is None:
                last = self.reader.pages.stretch.number(self.reader.pages.base(row)) + 1
                self.message.show_message("info", f"There is no row {self._going + 1:,}: the last is row {last:,}.")
            QTimer.singleShot(0, self, self._scroll_to_current)  # when the message has taken its room
            self._going = -1
        self._show_whether_empty()
        self._say_where()
        self._go_to_column()

    def _scroll_to_current(self) -> None:
        self.grid.updateGeometries()  # the rows may have just come
        self.grid.scrollTo(self.grid.currentIndex(), TableGrid.ScrollHint.PositionAtTop)

    def _passed(self, done: Done) -> None:
        self._take_back()
        self.reader.whole.grow()
        self._show_whether_empty()
        self._say_where()
        if not done.complete:
            more = [("Read ten times as many", self._read_more)] if self._limit < _MOST_ROW // 10 else []
            self.message.show_message(
                "info",
                f"The first {done.rows:,} rows are shown; there are more.",
                f"{done.why} {why_pass(self.relation.kind, is_sorted=bool(self.filter.sorts))}",
                "" if more else "Ask for less with a filter.",
                more,
            )

    def _read_more(self) -> None:
        self._limit *= 10
        self._open()

    def _failed(self, error: Exception | Failed, again: Any) -> None:
        self._take_back()
        self._going = -1
        self._say("")
        if isinstance(error, Failed):
            word = "Stopped" if error.cancelled else error.error.heading
            kept = f"The {error.kept:,} rows that came before are shown; they are not all." if error.kept else ""
            detail = error.error.detail if not error.cancelled else ""
            text = "\n".join(each for each in (kept, detail) if each)
            self.message.show_message("warning" if error.cancelled else "error", word, text, error.error.hint)
            self._say_where()
            return
        is_order = (
            self._shown is not None and self.filter.now() != self._shown and self.filter.now()[:2] == self._shown[:2]
        )
        if is_order and self._shown is not None and self._server.is_open:
            # The order alone was wished for, and cannot be: a type without one. What is shown is still right.
            self.filter.sorts = list(self._shown[2])
            self.filter.show_chips()
            self.grid.show_sorting(self.filter.marks())
            show_failure(self.message, error, self._server)
            self._is_refused = True
            self._open(self._same_place())
            return
        show_failure(self.message, error, self._server, again)
        self._trouble = self.message.text()
        if self.filter.now() != self._shown:  # rows of another moment would mislead
            self.reader.leave()
            self.reader.clear()
            self.grid.setModel(self.reader.pages)
            self._shown = None
            self._empty.say("error", "Nothing is shown", "The message above says why.")
            self._stack.setCurrentWidget(self._empty)
        self._say("")

    def _idle(self) -> None:
        self._take_back()
        self._going = -1
        self._say_where()

    def _scrolled(self) -> None:
        if self._server.in_use is not None:
            self.reader.renew(self._server.in_use.client)
        self.reader.look()
        if self._shown is not None:
            self._say_where()

    def _in_sight(self) -> tuple[int, int]:
        return self.grid.rows_in_sight()

    @override
    def leave(self) -> None:
        self.counting.stop()
        self.grid.find_bar.stop()
        self.editing.leave()
        self.grid.leave()
        self.links.leave()
        self.sending.leave()
        self.reader.leave()
        self.reader.forget()  # a scroll bar that moves on the way out asks for nothing

    # -- order and conditions

    def _sort(self, column: int, order: Qt.SortOrder | None, beside: bool) -> None:
        self.filter.sort(self.model.columns()[column].name, order, beside=beside)

    def _filter_by_cell(self, column: int, value: str | None, how: str) -> None:
        index = self.grid.currentIndex()
        if value is not None and index.isValid() and not self.grid.has_whole(index):
            self.message.show_message(
                "info", "The value is longer than what is shown.", "", "Filter by a part of it: contains, begins with."
            )
            return
        self.filter.add(Condition(self.model.columns()[column].name, _HOWS[how], value or ""))

    def _add_condition(self) -> None:
        columns = self.filter.names
        if not columns:
            return
        index = self.grid.currentIndex()
        column = columns[index.column()] if index.isValid() else columns[0]
        value = index.data(Qt.ItemDataRole.DisplayRole) if index.isValid() and self.grid.has_whole(index) else ""
        start = Condition(column, Operator.CONTAINS if not value else Operator.EQUAL, str(value or ""))
        self.filter.ask(start)

    # -- counting

    def _count(self) -> None:
        if self.counting.is_running or not self._is_readable() or (table := self.reader.table) is None:
            return
        if self.reader.is_opening:  # what is counted must be what is then shown
            self._say_opening()
            return
        if self.reader.is_pass and self.reader.whole.rows().state.value == "complete":
            self._say_where()
            return
        self.counting.start(table.again())
        self._tell("Counting the rows…", "", [("Stop", self.counting.stop)])

    def _counted(self, rows: int) -> None:
        self._take_back()
        if self.reader.is_pass:
            self.message.show_message("info", f"{rows:,} row{'' if rows == 1 else 's'}, counted.")
        else:
            self.reader.pages.count(rows)
        self._say_where()

    def _not_counted(self, error: Exception) -> None:
        self._take_back()
        show_failure(self.message, error, self._server, self._count)

    def _search_failed(self, error: Exception, again: Callable[[], object]) -> None:
        show_failure(self.message, error, self._server, again)
        self._told = self.message.text()

    def _ask_row(self) -> None:
        if self.reader.is_pass:
            self.grid.ask_row()
            return
        pages = self.reader.pages
        current = pages.stretch.number(pages.base(max(0, self.grid.currentIndex().row()))) + 1
        row, wanted = QInputDialog.getInt(
            self, "Go to exact row", "Row, counted from the first:", current, 1, _MOST_ROW
        )
        if wanted:
            self.go_to(row - 1)

    def go_to(self, row: int) -> None:
        """Count to *row*, from 0, and show it."""
        if not self._is_readable():
            return
        if self.reader.is_opening:
            self._say_opening()
            return
        if not self.counting.is_running:
            self.message.clear()
        self._going = row
        self.reader.go_to(row)

    def show_column(self, name: str) -> None:
        """Choose the column *name* and bring it into sight, as soon as the rows are here."""
        self._wanted_column = name
        self._go_to_column()

    def _go_to_column(self) -> None:
        names = [column.name for column in self.model.columns()]
        if not self._wanted_column or self._wanted_column not in names or not self.model.rowCount():
            return
        first = max(0, self._in_sight()[0])
        index = self.model.index(first, names.index(self._wanted_column))
        self._wanted_column = ""
        self.grid.setCurrentIndex(index)
        self.grid.scrollTo(index)

    # -- to other tables and back

    def _visit(self) -> Visit:
        """Return where one is."""
        top = self._first_here()
        current = self.grid.currentIndex()
        shown = self._shown if self._shown is not None else self.filter.now()
        return Visit(
            self.relation,
            shown,
            self.reader.table,
            self._same_place(),
            max(0, current.row() - top),
            max(0, current.column()),
            self.grid.horizontalScrollBar().value(),
        )

    def _show_relation(self, visit: Visit) -> None:
        """Show a table in place of the one that is here."""
        if self._server.in_use is None:
            self._say_disconnected()
            return
        self.counting.stop()
        self.grid.leave()
        self.links.leave()
        self.message.clear()
        self.relation = visit.relation
        self._adopt()
        self.filter.restore(visit.shown)
        self._shown = None
        self._limit = PASS_LIMIT
        self.editing.know(None)
        self.links.know(References())
        self._restoring = visit
        self.trail.show(Visit(self.relation, self.filter.now()))
        self.relation_changed.emit()
        self._open(visit.start, visit.table)

    def _adopt(self) -> None:
        """Take the name and the kind of the relation that is shown."""
        relation = self.relation
        self.grid.setAccessibleName(f"Rows of {relation.name}")
        self.grid.copied_table = _quoted_name(relation)
        self.action("table.import").setEnabled(relation.kind not in {Kind.VIEW, Kind.MATERIALIZED_VIEW})

    def _show_place(self, visit: Visit) -> None:
        """Bring the cell into sight on which one was, unless one has gone on meanwhile."""
        if self._restoring is not None or visit.relation is not self.relation or not self.model.rowCount():
            return
        pages = self.reader.pages
        top = 0
        if not self.reader.is_pass and visit.start is not None:
            top = pages.view(pages.stretch.begin)
        self.grid.updateGeometries()
        self.grid.verticalScrollBar().setValue(top * self.grid.verticalHeader().defaultSectionSize())
        self.grid.horizontalScrollBar().setValue(visit.sideways)
        row, column = min(top + visit.row, self.model.rowCount() - 1), min(visit.column, self.model.columnCount() - 1)
        self.grid.setCurrentIndex(self.model.index(row, column))

    # -- what is pending

    def _show_pending(self) -> None:
        """Say what is pending, or why nothing can be; what cannot be done now is not offered."""
        counts, editing = self.editing.counts, self.editing
        if not self.sending.is_running and not editing.is_pasting:
            if counts.total:
                self.pending_bar.show_counts(counts)
            else:
                self.pending_bar.show_reason(editing.why_not() if editing.editable is not None else "")
        enable(self.actions_by_name, editing, self.sending)
        if self._shown is not None and not self.model.rowCount():
            self._show_whether_empty()

    def _show_pasting(self, done: int, of: int) -> None:
        self.pending_bar.show_pasting(done, of)
        enable(self.actions_by_name, self.editing, self.sending)

    def _stop_changing(self) -> None:
        if not self.editing.stop_pasting():
            self.sending.stop()

    def settle(self, then: Callable[[], object], what: str) -> None:
        """Call *then* when nothing is pending: at once, or when the person has sent or dropped what is."""
        self.sending.settle(then, what)

    def _say_sent(self, counts: Counts) -> None:
        self._say(f"sent: {counts.words}")
        self._show_whether_empty()

    # -- saying

    def _say_counting(self, news: Counting) -> None:
        share = f" of {self._going + 1:,}" if self._going >= 0 else ""
        self._say(f"counted {news.rows:,}{share} rows…")
        if not self._told:
            self._tell("Counting to the row…", "", [("Stop", self._stop_reading)])

    def _say_slow(self) -> None:
        if not self._told and not self.message.isVisible():
            self._tell("The server is still looking for rows…", "", [("Stop", self._stop_reading)])

    def _stop_reading(self) -> None:
        self._going = -1
        self.reader.stop()
        self.message.show_message("info", "Stopped.", "", "What was read is shown.", [("Go on", self._resume)])
        self._told = ""

    def _resume(self) -> None:
        self.message.clear()
        if self._is_readable():
            self.reader.resume()

    def _tell(self, title: str, detail: str, actions: list[tuple[str, Any]]) -> None:
        self.message.show_message("info", title, detail, "", actions)
        self._told = self.message.text()

    def _take_back(self) -> None:
        """Take back what was said of a read or a count that has ended, and nothing else."""
        if self._told and self.message.text() == self._told and not self.counting.is_running:
            self.message.clear()
            self._told = ""

    def _show_whether_empty(self) -> None:
        empty = self.model.rowCount() == 0
        if empty:
            filtered = self.filter.is_filtered
            insert = self.action("table.insert")
            self._empty.say(
                "filter" if filtered else "table",
                "No rows match" if filtered else f"The {self.relation.kind.word} is empty",
                "The filter runs at the server; clear it to see all rows."
                if filtered
                else f"It has {'columns, but no' if self.model.columns() else 'no columns and no'} rows.",
                self.action("table.clear") if filtered else insert if insert.isEnabled() else None,
            )
        self._stack.setCurrentIndex(1 if empty else 0)

    def _say_where(self) -> None:
        if self._shown is not None:
            self._say(where_words(self.reader, *self._in_sight()))

    def _say_copied(self, cells: int) -> None:
        self._say(f"copied {cells:,} cell{'' if cells == 1 else 's'}")

    def _say_not_copied(self, cells: int) -> None:
        self.message.show_message(
            "warning",
            f"Not copied ({cells:,} cells): this is too large for a clipboard, or not here any more.",
            "",
            "Export it: that has no limit.",
            [("Export…", self._export)],
        )

    def _say(self, text: str) -> None:
        kind = "" if self.relation.kind is Kind.TABLE else f"{self.relation.kind.word} · "
        status = f"{kind}{text}" if text else ""
        if status != self.status:
            self.status = status
            self.status_changed.emit(status)

    # -- in and out

    def _export(self) -> None:
        export_table(self, self._server, self._jobs, self.relation, self.filter.as_filter())

    def _import(self) -> None:
        words = [f"Loads rows of a file into {self.relation.schema}.{self.relation.name}"]
        confirm_on_production(self, self._server, words, self._open_import)

    def _open_import(self) -> None:
        import_table(self, self._server, self._jobs, self.relation, self.refresh)


def _quoted_name(relation: Relation) -> str:
    return ".".join('"' + name.replace('"', '""') + '"' for name in (relation.schema, relation.name))
