"""The statistics: a pool's figures under their common names, how its times are spread, its rates, its long holders."""

import time
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

from PySide6.QtCore import QDateTime, QEvent, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QSplitter,
    QStackedLayout,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.jobs import Jobs
from pgexplorer.pool.figures import RATES, Figure, Series, Spread, as_json, as_text, long_held, read
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.slot import Slot
from pgexplorer.pool.stock import StockPool
from pgexplorer.server import Server
from pgexplorer.ui import theme
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.figure_label import FigureLabel
from pgexplorer.ui.widgets.flow_layout import FlowLayout
from pgexplorer.ui.widgets.histogram_chart import HistogramChart, human_seconds
from pgexplorer.ui.widgets.rate_chart import RateChart, RateLine
from pgexplorer.ui.widgets.spin_box import DoubleSpinBox

_PULSE = 125  # milliseconds between two parts of a look; the whole takes a second
_LEAK = 10.0  # seconds that a connection may be held before it is listed
_SPANS = (60, 120, 300, 600)  # seconds that the chart of rates may show
_TITLES = {"wait": "Wait for a connection", "hold": "Hold", "connect": "Connect"}
_STACK = Qt.ItemDataRole.UserRole
_Key = tuple[int, float]  # pid, held since


class _Shape(Enum):
    """How the parts lie, by the width there is."""

    COLUMN = 0  # one below the other
    BLOCKS = 1
    ROW = 2  # all beside each other


class StatisticsPanel(Panel):
    """Counts, times, rates and long holders. It looks all the time while it is in sight, and asks no connection."""

    TITLE = "Statistics"
    ICON = "chart"

    def __init__(self, server: Server, jobs: Jobs) -> None:
        super().__init__("statistics")
        self._server = server
        self._jobs = jobs  # all panels are built alike; nothing here is slow
        self._pool: Pool | None = None
        self._shape: _Shape | None = None
        self.series = Series()
        self.figures: tuple[Figure, ...] = ()
        self._tiles: dict[str, FigureLabel] = {}
        self.charts = {label: HistogramChart() for label in _TITLES}
        for label, chart in self.charts.items():
            chart.setObjectName(f"statistics.{label}")
        self.rates = RateChart()
        self.rates.setObjectName("statistics.rates")
        copy = "for a file, a report or a comparison"
        self.add_actions(
            [
                Action("statistics.copy", "Copy as JSON", self.copy_json, icon="copy", tip=f"Copy as JSON, {copy}"),
                Action("statistics.copy_text", "Copy as text", self.copy_text, tip=f"Copy as text, {copy}"),
            ]
        )
        self._class = ElidedLabel()
        self._class.setProperty("muted", True)
        self.seconds = DoubleSpinBox(minimum=0.0, maximum=86_400.0, decimals=1, singleStep=1.0, suffix=" s")
        self.seconds.setValue(_LEAK)
        self.seconds.setObjectName("statistics.leak_seconds")
        self.seconds.setAccessibleName("List connections held longer than, in seconds")
        self.seconds.valueChanged.connect(self._list_holders)
        self.leaks = _leaks()
        self._items: dict[_Key, QTreeWidgetItem] = {}
        self.leaks.currentItemChanged.connect(self._tell)
        self.stack = QPlainTextEdit(readOnly=True)
        self.stack.setObjectName("statistics.stack")
        self.stack.setAccessibleName("Where the chosen connection was taken, innermost first")
        self.stack.setProperty("code", True)
        self.stack.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.stack.setTabChangesFocus(True)
        self._held = ElidedLabel()
        self._held.setObjectName("statistics.held")
        self._held.setProperty("muted", True)
        self._lay_out()
        wait, hold, connect = (partial(self._draw_times, label) for label in _TITLES)
        self._steps: tuple[Callable[[], None], ...] = (
            self._count, wait, self._list_holders, hold, self._count, connect, self._list_holders, self._draw_rates,
        )  # fmt: skip
        self._turn = 0
        self._pulse = QTimer(self, interval=_PULSE)
        self._pulse.timeout.connect(self._beat)
        for signal in (server.opened, server.swapped, server.closed):
            signal.connect(self._changed)
        self.look()

    # -- layout -------------------------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._numbers = self._number_part()
        self._times = QWidget()
        row = QHBoxLayout(self._times)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.scaled(14))
        for chart in self.charts.values():
            row.addWidget(chart, 1)
        self._leak_part = self._leaks_part()
        self._inside = QWidget()
        self._grid = QGridLayout(self._inside)
        self._grid.setContentsMargins(12, 8, 12, 10)
        self._grid.setHorizontalSpacing(theme.scaled(18))
        self._grid.setVerticalSpacing(theme.scaled(12))
        self._scroll = QScrollArea(widgetResizable=True)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what it holds has the focus
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(self._inside)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.message)
        column.addWidget(self._scroll, 1)
        self._nothing = EmptyState("chart", "No pool yet", "Connect to a server, and its pool is counted here.")
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(whole)
        self._arrange(_Shape.COLUMN)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    def _number_part(self) -> QWidget:
        part = QWidget()
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.scaled(8))
        self._flow = FlowLayout(spacing=16, row_spacing=8)
        head = FlowLayout(spacing=8, row_spacing=4)
        head.addWidget(self._class)
        for name in ("statistics.copy", "statistics.copy_text"):
            head.addWidget(button(self.action(name), name, style="small", has_icon=False))
        column.addLayout(head)
        column.addLayout(self._flow)
        column.addStretch(1)
        return part

    def _leaks_part(self) -> QWidget:
        label = QLabel("Held longer than")
        label.setProperty("heading", 2)
        label.setBuddy(self.seconds)
        head = QHBoxLayout()
        head.setSpacing(8)
        head.addWidget(label)
        head.addWidget(self.seconds)
        head.addWidget(self._held, 1)
        self._split = QSplitter(Qt.Orientation.Horizontal)
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self.leaks)
        self._split.addWidget(self.stack)
        part = QWidget()
        column = QVBoxLayout(part)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self._split, 1)
        return part

    def _arrange(self, shape: _Shape) -> None:
        """Lay the parts out as *shape* has them."""
        if shape is self._shape:
            return
        self._shape = shape
        parts = (self._numbers, self._times, self.rates, self._leak_part)
        for part in parts[1:]:  # they have a least height, and otherwise what is left over
            part.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)
        for part in parts:
            self._grid.removeWidget(part)
        places = {
            _Shape.COLUMN: ((0, 0, 1, 1), (1, 0, 1, 1), (2, 0, 1, 1), (3, 0, 1, 1)),
            _Shape.BLOCKS: ((0, 0, 1, 2), (1, 0, 1, 2), (2, 0, 1, 1), (2, 1, 1, 1)),
            _Shape.ROW: ((0, 0, 1, 1), (0, 1, 1, 1), (0, 2, 1, 1), (0, 3, 1, 1)),
        }[shape]
        for part, place in zip(parts, places, strict=True):
            self._grid.addWidget(part, *place)
        shares = {_Shape.COLUMN: (1, 0, 0, 0), _Shape.BLOCKS: (1, 1, 0, 0), _Shape.ROW: (3, 9, 4, 4)}[shape]
        for column, share in enumerate(shares):
            self._grid.setColumnStretch(column, share)
        growing = {_Shape.COLUMN: (1, 2, 3), _Shape.BLOCKS: (1, 2), _Shape.ROW: (0,)}[shape]
        for row in range(4):
            self._grid.setRowStretch(row, int(row in growing))
        is_narrow = shape is _Shape.ROW or shape is _Shape.BLOCKS
        self._split.setOrientation(Qt.Orientation.Vertical if is_narrow else Qt.Orientation.Horizontal)
        self._size_parts()

    def _size_parts(self) -> None:
        # In a row there is the height of the dock; elsewhere the parts have theirs, and the whole scrolls.
        least = theme.scaled(130 if self._shape is _Shape.ROW else 170)
        for chart in (*self.charts.values(), self.rates):
            chart.setMinimumHeight(least)
        self._times.setMinimumHeight(least)
        self.seconds.setMaximumWidth(theme.scaled(110))
        self._leak_part.setMinimumHeight(theme.scaled(170 if self._shape is _Shape.ROW else 200))

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            self._fit()
            self._size_parts()

    def _fit(self) -> None:
        width = self.width() / max(1, theme.scaled(100)) * 100
        self._arrange(_Shape.ROW if width >= 1400 else _Shape.BLOCKS if width >= 940 else _Shape.COLUMN)

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

    def leave(self) -> None:
        """Stop looking."""
        self._pulse.stop()

    @property
    def is_looking(self) -> bool:
        """Whether it looks again by itself."""
        return self._pulse.isActive()

    def look(self) -> None:
        """Show all of the pool's records of this moment."""
        for step in self._steps:
            step()

    def _beat(self) -> None:
        """Show a part of it. Busy threads take the interpreter away every millisecond: each part is a short one."""
        self._steps[self._turn]()
        self._turn = (self._turn + 1) % len(self._steps)

    def _find(self) -> Pool | None:
        """Return the pool in use, having begun anew where it is another one."""
        in_use = self._server.in_use
        pool = in_use.pool if in_use is not None else None
        if pool is not self._pool:
            self._pool = pool
            self.figures = ()
            self.series.clear()
            self._items.clear()
            self.leaks.clear()
            self._clear_tiles()
            self._pages.setCurrentIndex(1 if pool is not None else 0)
            for name in ("statistics.copy", "statistics.copy_text"):
                self.action(name).setEnabled(pool is not None)
            if pool is not None:
                self._class.setText(f"{pool.kind} · min {pool.minconn} · max {pool.maxconn}")
        return pool

    def _count(self) -> None:
        """Show the numbers."""
        pool = self._find()
        if pool is None:
            return
        stats = pool.stats(patient=False)
        self.series.add(stats, time.monotonic())
        most_idle, least_open = _limits(pool)
        figures = read(stats, pool.histograms(patient=False), most_idle=most_idle, least_open=least_open)
        # psycopg2 does not count what it loses: a 0 would be a lie.
        self.figures = tuple(each for each in figures if each.label != "lost" or not isinstance(pool, StockPool))
        for figure in self.figures:
            if not isinstance(figure.value, Spread):
                self._show_number(figure, f"{figure.value:,}")

    def _draw_times(self, label: str) -> None:
        """Draw the times named *label* as they were when the numbers were counted."""
        figure = next((each for each in self.figures if each.label == label), None)
        if figure is None or not isinstance(figure.value, Spread):
            return
        value, chart = figure.value, self.charts[label]
        marks = (("p50", value.p50), ("p90", value.p90), ("p99", value.p99), ("max", value.longest))
        chart.set_times(_TITLES[label], value.buckets, marks)
        if not chart.whatsThis():
            chart.setWhatsThis(plain.tool_tip(_spoken(figure)))

    def _draw_rates(self) -> None:
        if self._find() is not None:
            self._show_rates(time.monotonic())

    def _list_holders(self) -> None:
        if (pool := self._find()) is not None:
            self._show_leaks(pool.slots(patient=False), time.monotonic())

    def _changed(self) -> None:
        if self.isVisible():
            self.look()

    def _show_number(self, figure: Figure, text: str) -> None:
        tile = self._tiles.get(figure.label)
        if tile is None:
            tile = self._tiles[figure.label] = self._tile(figure)
        tile.show_text(text)

    def _clear_tiles(self) -> None:
        """Take the numbers of another pool away: psycopg2's has fewer."""
        self._tiles.clear()
        while (item := self._flow.takeAt(0)) is not None:
            if (tile := item.widget()) is not None:
                tile.hide()
                tile.setParent(None)  # at once: the new one has its name
                tile.deleteLater()

    def _tile(self, figure: Figure) -> FigureLabel:
        number = FigureLabel()
        number.setObjectName(f"statistics.{figure.label.replace(' ', '_')}")
        number.setAccessibleName(figure.label)
        number.setAccessibleDescription(_spoken(figure))
        caption = QLabel(figure.label, textFormat=Qt.TextFormat.PlainText)
        caption.setProperty("muted", True)
        whole = QWidget()
        whole.setToolTip(plain.tool_tip(_spoken(figure)))
        column = QVBoxLayout(whole)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(number)
        column.addWidget(caption)
        self._flow.addWidget(whole)
        return number

    def _show_rates(self, now: float) -> None:
        lines: list[RateLine] = []
        begun = now
        for name in RATES:
            rates = self.series.rates(name)
            begun = min(begun, rates[0].begin if rates else now)
            lines.append(RateLine(name, tuple((rate.begin, rate.end, rate.per_second) for rate in rates)))
        span = next((span for span in _SPANS if now - begun <= span), _SPANS[-1])
        last = lines[0].rates[-1][1] if lines[0].rates else now
        self.rates.set_lines("Per second", lines, now=last, span=span)

    # -- who holds for long -------------------------------------------------------------------------------------

    def _show_leaks(self, slots: Sequence[Slot], now: float) -> None:
        held = long_held(slots, self.seconds.value(), now)
        out = sum(slot.is_out for slot in slots)
        self._held.setText(f"{len(held)} of {out} that are out" if out else "none is out")
        rows: dict[_Key, Slot] = {(slot.pid, slot.held_since): slot for slot in held}
        for key in [key for key in self._items if key not in rows]:
            self.leaks.takeTopLevelItem(self.leaks.indexOfTopLevelItem(self._items.pop(key)))
        for place, (key, slot) in enumerate(rows.items()):  # who holds longer stays in front of who holds shorter
            item = self._items.get(key)
            if item is None:
                item = self._items[key] = QTreeWidgetItem()
                self.leaks.insertTopLevelItem(place, item)
            _fill(item, slot, now)
        if self.leaks.currentItem() is None and rows:  # pyright: ignore[reportUnnecessaryComparison]
            self.leaks.setCurrentItem(self._items[next(iter(rows))])
        self._tell(self.leaks.currentItem(), None)

    def _tell(self, item: QTreeWidgetItem | None, _before: object) -> None:
        if item is None:
            text = "Nobody holds a connection for so long."
        else:
            text = "\n".join(map(_frame, item.data(0, _STACK) or ())) or "No stack was kept."
        if self.stack.toPlainText() != text:
            self.stack.setPlainText(text)

    # -- copying ------------------------------------------------------------------------------------------------

    def copy_json(self) -> None:
        """Put the figures on the clipboard as JSON."""
        self.look()
        in_use = self._server.in_use
        if in_use is None:
            return
        taken = QDateTime.currentDateTimeUtc().toString(Qt.DateFormat.ISODateWithMs)
        text = as_json(self.figures, pool=in_use.profile.title, kind=in_use.pool.kind, taken_at=taken)
        QGuiApplication.clipboard().setText(text)

    def copy_text(self) -> None:
        """Put the figures on the clipboard as lines of text."""
        self.look()
        if self.figures:
            QGuiApplication.clipboard().setText(as_text(self.figures))


def _leaks() -> QTreeWidget:
    leaks = QTreeWidget()
    leaks.setRootIsDecorated(False)
    leaks.setUniformRowHeights(True)
    leaks.setObjectName("statistics.leaks")
    leaks.setAccessibleName("Connections held for long, the longest first")
    leaks.setProperty("card", True)
    leaks.setHeaderLabels(["for", "slot", "pid", "holder", "thread"])
    leaks.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    header = leaks.header()
    header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    header.setStretchLastSection(True)
    return leaks


def _fill(item: QTreeWidgetItem, slot: Slot, now: float) -> None:
    holder = "nobody: leaked" if slot.leaked else slot.holder or "no name"
    held = human_seconds(round(slot.held_for(now), 1))
    texts = (held, f"#{slot.number}", str(slot.pid), holder, slot.thread)
    for column, text in enumerate(texts):
        if item.text(column) != text:
            item.setText(column, plain.one_line(text))
            item.setToolTip(column, plain.tool_tip(text) if column in {3, 4} else "")
    item.setData(0, _STACK, slot.stack)


def _limits(pool: Pool) -> tuple[int, int]:
    """Return how many may stay open idle, and down to how many they are closed when they are idle for long."""
    if isinstance(pool, StockPool):
        return pool.minconn, 0  # psycopg2 keeps minconn idle at most, and never refills
    most: int | None = getattr(pool, "max_idle", None)
    return pool.maxconn if most is None else max(most, pool.minconn), pool.minconn


def _spoken(figure: Figure) -> str:
    return f"{figure.means}\n{figure.full_name}, {figure.instrument}, {figure.unit}"


def _frame(text: str) -> str:
    """Return a frame of a stack with the function first, for that is what is looked for."""
    where, _, name = text.rpartition(" in ")
    return f"{name}  {where}" if where else text
