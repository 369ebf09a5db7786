"""The queue: who waits for a connection, in order, until when, for whom, and where in the code."""

import time
from collections.abc import Sequence
from functools import lru_cache

from PySide6.QtCore import QEvent, QModelIndex, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QBrush,
    QHideEvent,
    QPainter,
    QPixmap,
    QResizeEvent,
    QShowEvent,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QSplitter,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.jobs import Jobs
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.slot import Slot, Waiter
from pgexplorer.pool.stats import PoolStats
from pgexplorer.pool.stock import StockPool
from pgexplorer.server import Server
from pgexplorer.ui import theme
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.histogram_chart import human_seconds

_PULSE = 100  # milliseconds between two looks
_SHARE = 40  # showing it may take one part of so many
_SAY = 0.5  # seconds between two changes of the words above the table
_LINGER = 2.0  # seconds that an empty table stays: callers come and go
_SLOWEST = 2_000  # milliseconds: between looks that take long themselves
_MOST = 200  # waiters in the table; the others are counted
_SOON = 0.25  # the share of its time that is left to who gives up soon
_AT_ONCE = 1.2e-7  # seconds: the upper edge of the bucket that counts who was served at once
_COLUMNS = ("", "who", "waits", "gives up in", "waits for", "thread")
_PLACE, _WHO, _WAITS, _DEADLINE, _FOR, _THREAD = range(len(_COLUMNS))
_TIPPED = {_WHO, _FOR, _THREAD}
_Key = tuple[str, float]  # thread, since


class QueuePanel(Panel):
    """Who waits. It looks ten times a second while it is in sight, and never asks a connection."""

    TITLE = "Queue"
    ICON = "hourglass"

    def __init__(self, server: Server, jobs: Jobs) -> None:
        super().__init__("queue")
        self._server = server
        self._jobs = jobs  # all panels are built alike; nothing here is slow
        self._chosen: _Key | None = None
        self._pointed_out: tuple[str, ...] = ()  # threads that hold and wait, as the message has them
        self._pool: Pool | None = None
        self._said = ElidedLabel()
        self._said.setObjectName("queue.said")
        self._said.setAccessibleName("The queue in words")
        self._said_at = self._waited_at = 0.0
        self.table = _Table()
        self.table.selectionModel().currentRowChanged.connect(self._choose)
        self._more = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._more.setObjectName("queue.more")
        self._more.setProperty("muted", True)
        self._more.hide()
        self.stack = _code("queue.stack", "Where the chosen one waits, innermost first")
        self.held_stack = _code("queue.held_stack", "Where it took the connection that it holds, innermost first")
        self._stack_title = ElidedLabel("Where it waits")
        self._held_title = ElidedLabel("Where it took what it holds")
        self._lay_out()
        self._pulse = QTimer(self, interval=_PULSE)
        self._pulse.timeout.connect(self.look)
        for signal in (server.opened, server.swapped, server.closed):
            signal.connect(self._changed)
        self.look()

    def _lay_out(self) -> None:
        self._beside = _under(self._stack_title, self.stack)
        self._held_beside = _under(self._held_title, self.held_stack)
        self._held_beside.hide()
        rows = QWidget()
        column = QVBoxLayout(rows)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.table, 1)
        column.addWidget(self._more)
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.setChildrenCollapsible(False)
        for part, stretch in ((rows, 2), (self._beside, 1), (self._held_beside, 1)):
            self._split.addWidget(part)
            self._split.setStretchFactor(self._split.count() - 1, stretch)
        whole = QWidget()
        inside = QVBoxLayout(whole)
        inside.setContentsMargins(10, 6, 10, 8)
        inside.setSpacing(6)
        inside.addWidget(self._said)
        inside.addWidget(self.message)
        inside.addWidget(self._split, 1)
        self._nothing = EmptyState("hourglass", "No pool yet")
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(whole)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    # -- looking ------------------------------------------------------------------------------------------------

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()
        self._pulse.start()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._pulse.stop()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            self.table.verticalHeader().setDefaultSectionSize(theme.scaled(26))

    def leave(self) -> None:
        """Stop looking."""
        self._pulse.stop()

    @property
    def is_looking(self) -> bool:
        """Whether it looks again by itself."""
        return self._pulse.isActive()

    def look(self) -> None:
        """Show who waits at this moment."""
        pool = self._server.in_use.pool if self._server.in_use is not None else None
        if pool is not self._pool:
            self._pool = pool
            self._waited_at = 0.0
            self._forget()
        if pool is None:
            self._empty("No pool yet", "Connect to a server, and who waits for its pool stands here.")
            return
        began = time.monotonic()
        waiters = pool.waiters(patient=False)
        stats = pool.stats(patient=False)
        copied = time.monotonic()
        if waiters:
            self._waited_at = began
        if waiters or began - self._waited_at < _LINGER:
            self._show(pool, waiters, stats)
            # The pool's lock is held while the queue is copied: a very long one is looked at less often. So is one that
            # takes long to show, because busy threads have the interpreter: the window must answer first.
            took = max((copied - began) * 20, (time.monotonic() - copied) * _SHARE) * 1000
            interval = min(_SLOWEST, max(_PULSE, round(took)))
            if abs(interval - self._pulse.interval()) > _PULSE // 2:
                self._pulse.setInterval(interval)
            return
        self._forget()
        if isinstance(pool, StockPool):
            self._empty(
                "psycopg2's pools never wait",
                f"{pool.kind} raises PoolError at once when all {pool.maxconn} are out. "
                f"So far it did {_count(stats.exhausted, 'time')}. Choose PgPool to have callers wait in line.",
            )
        else:
            self._empty("Nobody waits", _so_far(pool, stats))

    def _changed(self) -> None:
        if self.isVisible():
            self.look()

    def _forget(self) -> None:
        self.table.set_waiters((), 0.0)
        self._chosen = None
        self._point_out((), ())

    def _empty(self, title: str, text: str) -> None:
        now = time.monotonic()
        is_new = self._nothing.accessibleName() != title or self._pages.currentIndex()
        if is_new or (self._nothing.accessibleDescription() != text and now - self._said_at >= _SAY):
            self._said_at = now
            self._nothing.say("hourglass", title, text)
        self._pages.setCurrentIndex(0)

    def _show(self, pool: Pool, waiters: Sequence[Waiter], stats: PoolStats) -> None:
        now = time.monotonic()
        slots = pool.slots(patient=False)
        is_new = self._pages.currentIndex() == 0 or bool(waiters) != bool(self.table.items.rowCount())
        self._pages.setCurrentIndex(1)
        if is_new or now - self._said_at >= _SAY:  # words whose length changes have everything laid out anew
            self._said_at = now
            longest = f", the longest for {_age(max(now - waiter.since for waiter in waiters))}" if waiters else ""
            waiting = _wait(len(waiters)) if waiters else "Nobody waits"
            self._said.setText(f"{waiting}{longest}. {stats.used} of {stats.maxconn} are out.")
        self.table.set_waiters(waiters[:_MOST], now)
        more = len(waiters) - _MOST
        self._more.setText(f"and {more:,} more behind them" if more > 0 else "")
        self._more.setVisible(more > 0)
        both = [waiter for waiter in waiters if waiter.holds]
        self._point_out(both, slots)
        if self._chosen is None and both:
            self._chosen = _key(both[0])
        self._follow(waiters[:_MOST], slots)

    # -- the chosen one -----------------------------------------------------------------------------------------

    def _choose(self, current: QModelIndex, _before: QModelIndex) -> None:
        waiter = self.table.waiter(current.row()) if current.isValid() else None
        if waiter is None or _key(waiter) == self._chosen:
            return
        self._chosen = _key(waiter)
        if self._pool is not None:
            self._tell(waiter, self._pool.slots())

    def _follow(self, waiters: Sequence[Waiter], slots: Sequence[Slot]) -> None:
        """Keep the chosen waiter chosen though it moves up, until it waits no more."""
        place = next((at for at, waiter in enumerate(waiters) if _key(waiter) == self._chosen), None)
        selection = self.table.selectionModel()
        if place is None:
            if selection.currentIndex().isValid():
                selection.clear()
            self._chosen = None
            self._stack_title.setText("Where it waits")
            _put(self.stack, "Choose a row to see where its caller stands.")
            self._held_beside.hide()
            return
        if selection.currentIndex().row() != place:
            self.table.selectRow(place)
        self._tell(waiters[place], slots)

    def _tell(self, waiter: Waiter, slots: Sequence[Slot]) -> None:
        self._stack_title.setText(f"Where {waiter.thread} waits")
        _put(self.stack, "\n".join(map(frame, waiter.stack)) or "No stack was kept.")
        held = [slot for slot in slots if slot.number in waiter.holds]
        self._held_beside.setVisible(bool(held))
        if not held:
            return
        named = ", ".join(f"slot {slot.number}" for slot in held)
        self._held_title.setText(f"Where {waiter.thread} took {named}")
        blocks = ["\n".join(map(frame, slot.stack)) or "No stack was kept." for slot in held]
        if len(held) > 1:
            blocks = [f"slot {slot.number}\n{block}" for slot, block in zip(held, blocks, strict=True)]
        _put(self.held_stack, "\n\n".join(blocks))

    def _point_out(self, both: Sequence[Waiter], slots: Sequence[Slot]) -> None:
        """Say loudly which threads hold and wait; once, until that changes."""
        threads = tuple(f"{waiter.thread}\0{waiter.holds}" for waiter in both)
        if threads == self._pointed_out:
            return
        self._pointed_out = threads
        if not both:
            self.message.clear()
            return
        first = both[0]
        held = ", ".join(f"slot {number}" for number in first.holds)
        others = f" {_count(len(both) - 1, 'other thread')} too." if len(both) > 1 else ""
        self.message.show_message(
            "warning",
            f"Thread {first.thread} holds {held} and waits: it may be waiting for itself.{others}",
            hint="Return the first connection before asking for a second one.",
        )


class _Table(QTableView):
    """The waiters of one moment; rows keep their places in the queue.

    Texts and bars lie in Qt's own items and Qt paints them: a model, a delegate or a paintEvent in Python would have to
    get the interpreter back for each cell or frame, and busy threads let go of it slowly.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiters: tuple[Waiter, ...] = ()
        self._texts: dict[int, tuple[str, ...]] = {}  # what each row says
        self._left: list[float] = []  # the share of each waiter's time that is left, 0 to 1
        self._bars: list[tuple[object, ...]] = []  # what was drawn for each
        self.items = QStandardItemModel(0, len(_COLUMNS), self)
        self.items.setHorizontalHeaderLabels(list(_COLUMNS))
        self.setModel(self.items)
        self.setObjectName("queue.table")
        self.setAccessibleName("Who waits, the next one first")
        self.setProperty("card", True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.setMinimumSectionSize(theme.scaled(30))
        self.verticalHeader().setDefaultSectionSize(theme.scaled(26))
        for column, width in ((_PLACE, 34), (_WHO, 120), (_WAITS, 56), (_DEADLINE, 82), (_FOR, 140)):
            self.setColumnWidth(column, theme.scaled(width))

    def set_waiters(self, waiters: Sequence[Waiter], now: float) -> None:
        """Show *waiters* as they are at *now*."""
        self._waiters = tuple(waiters)
        if self.items.rowCount() > len(waiters):
            self.items.setRowCount(len(waiters))
            self._texts = {row: texts for row, texts in self._texts.items() if row < len(waiters)}
            del self._bars[len(waiters) :]
        self._left = [_left(waiter, now) for waiter in waiters]
        while self.items.rowCount() < len(waiters):
            self.items.appendRow([_item(column) for column in range(len(_COLUMNS))])
            self._bars.append(())
        self.items.blockSignals(True)
        changed = [
            row
            for row, waiter in enumerate(waiters)
            if self._draw(row, self._left[row]) | self._fill(row, _texts(waiter, now))
        ]
        self.items.blockSignals(False)
        if changed:  # told once, and not cell by cell
            self.items.dataChanged.emit(
                self.items.index(changed[0], 0), self.items.index(changed[-1], len(_COLUMNS) - 1)
            )

    def _fill(self, row: int, texts: Sequence[str]) -> bool:
        """Put *texts* into *row*, and return whether any of them is new."""
        if self._texts.get(row) == texts:
            return False
        before, self._texts[row] = self._texts.get(row, ()), tuple(texts)
        for column, text in enumerate(texts):
            if column >= len(before) or before[column] != text:
                item = self.items.item(row, column)
                item.setText(text)
                if column in _TIPPED:
                    item.setToolTip(plain.tool_tip(text))
        return True

    def _draw(self, row: int, share: float) -> bool:
        """Show the *share* of its time that is left to who stands in *row*; return whether that looks new."""
        role = "warn_mark" if share < _SOON else "info_mark"
        cell = self.columnWidth(_DEADLINE), self.rowHeight(row)
        bar = round(share * 100), role, theme.current().name, *cell, self.devicePixelRatioF()
        if self._bars[row] == bar:
            return False
        self._bars[row] = bar
        self.items.item(row, _DEADLINE).setBackground(_bar(*bar))
        return True

    def waiter(self, row: int) -> Waiter | None:
        """Return who stands in *row*."""
        return self._waiters[row] if 0 <= row < len(self._waiters) else None

    def left(self, row: int) -> float:
        """Return the share of the time of who stands in *row* that is left."""
        return self._left[row]

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.setColumnWidth(_WHO, max(theme.scaled(120), self.viewport().width() // 4))


@lru_cache(maxsize=512)
def _bar(hundredths: int, role: str, look: str, width: int, height: int, ratio: float) -> QBrush:
    """Return what draws a bar along the foot of a cell *width* by *height* pixels, filled so far from its right end.

    *look* is the theme's name. A gradient would do, but a style sheet's cells do not stretch one.
    """
    thick, side = theme.scaled(3), theme.scaled(6)
    picture = QPixmap(round(width * ratio), round(height * ratio))
    picture.setDevicePixelRatio(ratio)
    picture.fill(Qt.GlobalColor.transparent)
    track = QRectF(side, height - thick - 2, width - 2 * side, thick)
    painter = QPainter(picture)
    painter.fillRect(track, theme.colour("pressed"))
    track.setLeft(track.right() - track.width() * hundredths / 100)
    painter.fillRect(track, theme.colour(role))
    painter.end()
    return QBrush(picture)


def _item(column: int) -> QStandardItem:
    item = QStandardItem()
    if column in {_PLACE, _WAITS, _DEADLINE}:
        item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item


def _texts(waiter: Waiter, now: float) -> tuple[str, ...]:
    """Return the words of a row, by column."""
    holds = ", ".join(f"#{number}" for number in waiter.holds)
    who = f"{f'▲ holds {holds} · ' if holds else ''}{waiter.holder or 'no name'}"
    left = _age(waiter.deadline - now)
    return (
        str(waiter.place),
        plain.one_line(who),
        _age(now - waiter.since),
        left,
        plain.one_line(waiter.waits_for),
        plain.one_line(waiter.thread),
    )


def _left(waiter: Waiter, now: float) -> float:
    whole = waiter.deadline - waiter.since
    return min(1.0, max(0.0, (waiter.deadline - now) / whole)) if whole > 0 else 0.0


def frame(text: str) -> str:
    """Return a frame of a stack with the function first, for that is what is looked for."""
    where, _, name = text.rpartition(" in ")
    return f"{name}  {where}" if where else text


def _code(name: str, words: str) -> QPlainTextEdit:
    view = QPlainTextEdit(readOnly=True)
    view.setObjectName(name)
    view.setAccessibleName(words)
    view.setProperty("code", True)
    view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    view.setTabChangesFocus(True)
    return view


def _put(view: QPlainTextEdit, text: str) -> None:
    if view.toPlainText() != text:
        view.setPlainText(text)


def _under(title: QLabel, view: QWidget) -> QWidget:
    title.setProperty("heading", 2)
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(theme.scaled(8), 0, 0, 0)
    column.setSpacing(4)
    column.addWidget(title)
    column.addWidget(view, 1)
    return whole


def _key(waiter: Waiter) -> _Key:
    return waiter.thread, waiter.since


def _so_far(pool: Pool, stats: PoolStats) -> str:
    waited = pool.histograms(patient=False).wait
    at_once = sum(count for edge, count in waited.buckets() if edge < _AT_ONCE)
    count = waited.count - at_once + stats.timed_out
    patience = f"A caller waits {pool.timeout:g} s at most" if pool.timeout else "Its timeout is 0: callers do not wait"
    if not count:
        return f"Nobody had to wait so far. {patience}."
    gave_up = f" {_count(stats.timed_out, 'caller')} gave up." if stats.timed_out else ""
    longest = f", {human_seconds(waited.longest)} at most" if waited.longest else ""
    waited_for = "for a return or for a connection to be opened"
    return f"{_count(count, 'caller')} had to wait so far, {waited_for}{longest}.{gave_up} {patience}."


def _wait(count: int) -> str:
    return "1 waits" if count == 1 else f"{count:,} wait"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _age(seconds: float) -> str:
    """Return a time that runs: one decimal, so that it is not restless."""
    return f"{max(0.0, seconds):.1f} s" if seconds < 99.95 else human_seconds(seconds)
