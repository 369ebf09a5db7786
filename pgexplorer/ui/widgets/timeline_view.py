"""Lanes on a time axis: who held what, what was done in it, who waited, and what went wrong.

Spans that are wide enough are painted one by one; where they are narrower than a pixel the share of the time is, so
that a hundred thousand are painted as quickly as a hundred.
"""
# ruff: noqa: D102  (the members of the protocols are what their names say)

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Protocol

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QBrush,
    QColor,
    QFont,
    QFontMetricsF,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QSizePolicy, QToolTip, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.states import StateKind, mark_colour, paint_glyph, state_colour

SHORTEST, LONGEST = 10e-6, 40 * 86_400.0  # seconds in sight
USUAL = 60.0
_STEP = 1.25  # of the zoom
_MOST_ITEMS = 900  # spans painted one by one, in all lanes together
_MOST_WAITS = 200
_ARROW_ROOM = 25  # pixels of width for each arrow: more arrows would hide the bars
_MOST_SHAPES = 60
_MOST_AT_ONCE = 0.003  # seconds for new columns in one paint
_MOST_MARKS = 24  # on the screen, before they are drawn together
_LEVELS = 6  # heights of a column
_DESCRIBE = 1.0  # seconds between two descriptions in words

HELD, RUNNING, OPENING = "checked out", "running", "opening"
IN_TRANSACTION, FAILED, BROKEN = "idle in transaction", "idle in failed transaction", "broken"
_FILLS = {
    HELD: "idle_fill",
    RUNNING: "good_fill",
    IN_TRANSACTION: "warn_fill",
    FAILED: "bad_fill",
    BROKEN: "bad_fill",
    OPENING: "purple_fill",
}
_EDGES = {
    HELD: "idle_mark",
    RUNNING: "good_mark",
    IN_TRANSACTION: "warn_mark",
    FAILED: "bad_mark",
    BROKEN: "bad_mark",
    OPENING: "purple_mark",
}
_PATTERNS = {
    IN_TRANSACTION: Qt.BrushStyle.BDiagPattern,
    FAILED: Qt.BrushStyle.DiagCrossPattern,
    BROKEN: Qt.BrushStyle.DiagCrossPattern,
}
_TONES: dict[str, StateKind] = {
    "exhausted": "bad",
    "refused": "bad",
    "connect failed": "bad",
    "return failed": "bad",
    "connection lost": "bad",
    "dropped": "warn",
    "leaked": "warn",
    "held long": "warn",
    "came back": "info",
    "reconnected": "good",
}
_SHORT = {"connection lost": "lost", "leaked": "leak"}  # words for marks where their own are long


class LaneLike(Protocol):
    """A lane as it is now."""

    @property
    def number(self) -> int: ...
    @property
    def pid(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def holder(self) -> str: ...


class SpanLike(Protocol):
    """A stretch of a lane."""

    @property
    def lane(self) -> int: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def state(self) -> str: ...
    @property
    def holder(self) -> str: ...
    @property
    def thread(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def detail(self) -> str: ...
    @property
    def is_open(self) -> bool: ...


class WaitLike(Protocol):
    """Somebody who waits or waited."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def holder(self) -> str: ...
    @property
    def thread(self) -> str: ...
    @property
    def ending(self) -> str: ...  # "" while it goes on
    @property
    def lane(self) -> int: ...  # that served it, 0: none
    @property
    def served_at(self) -> float: ...
    @property
    def row(self) -> int: ...


class MarkLike(Protocol):
    """Something that happened at one moment, or several times from *at* until *until*."""

    @property
    def at(self) -> float: ...
    @property
    def until(self) -> float: ...
    @property
    def kind(self) -> str: ...
    @property
    def lane(self) -> int: ...  # 0: none
    @property
    def pid(self) -> int: ...
    @property
    def holder(self) -> str: ...
    @property
    def thread(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def took(self) -> float: ...
    @property
    def times(self) -> int: ...


class SharesLike(Protocol):
    """Seconds of a lane by columns."""

    @property
    def held(self) -> list[float]: ...
    @property
    def running(self) -> list[float]: ...
    @property
    def in_transaction(self) -> list[float]: ...
    @property
    def failed(self) -> list[float]: ...


class TimelineSource(Protocol):
    """What is painted. Times are seconds on the view's clock; *now* is where what goes on ends."""

    @property
    def begin(self) -> float:
        """The moment of the first thing known; 0: nothing is."""
        ...

    @property
    def missed(self) -> int:
        """How many events are missing."""
        ...

    @property
    def waiting(self) -> int:
        """How many wait now."""
        ...

    @property
    def has_waits(self) -> bool:
        """Whether anybody ever waited."""
        ...

    def lanes(self) -> Sequence[LaneLike]:
        """Return every lane, in order."""
        ...

    def spans(self, lane: int, start: float, end: float, now: float) -> Sequence[SpanLike]:
        """Return the spans that reach into this time, each hold before what was done in it."""
        ...

    def count(self, lane: int, start: float, end: float) -> int:
        """Return how many spans there are."""
        ...

    def kept_since(self, lane: int) -> float:
        """Return the moment after which spans are known one by one."""
        ...

    def settled(self, lane: int) -> float:
        """Return the moment before which nothing changes any more."""
        ...

    def shares(self, lane: int, start: float, width: float, count: int, now: float) -> SharesLike:
        """Return the seconds in each of *count* columns of *width* seconds."""
        ...

    def missing(self, start: float, width: float, count: int) -> list[float]:
        """Return the seconds in each column of which nothing is known."""
        ...

    def gaps(self, start: float, end: float) -> Sequence[tuple[float, float, int]]:
        """Return (start, end, how many events) of what is missing."""
        ...

    def marks(self, start: float, end: float) -> Sequence[MarkLike]:
        """Return the marks, in order."""
        ...

    def waits(self, start: float, end: float, now: float) -> Sequence[WaitLike]:
        """Return who waited."""
        ...

    def wait_count(self, start: float, end: float) -> int:
        """Return a bound of how many waits() returns."""
        ...

    def waited(self, start: float, width: float, count: int, now: float) -> list[float]:
        """Return the seconds waited in each column, by all together."""
        ...

    def wall(self, at: float) -> float:
        """Return the time of day, in seconds since 1970."""
        ...


# -- time in words ----------------------------------------------------------------------------------------------

_UNITS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))
_LONG_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)


def tick_step(least: float) -> float:
    """Return the shortest sensible step between two ticks that is no shorter than *least* seconds."""
    if least > _LONG_STEPS[-1]:
        return _LONG_STEPS[-1] * math.ceil(least / _LONG_STEPS[-1])
    if least > 0.5:
        return float(next(step for step in _LONG_STEPS if step >= least))
    decade = 10.0 ** math.floor(math.log10(least))
    return next(decade * factor for factor in (1, 2, 5, 10) if decade * factor >= least * 0.999_999)


def ago(seconds: float, step: float) -> str:
    """Return how long ago *seconds* are, to the unit of *step*: "-15s", "-2m30s", "-250ms"."""
    if seconds < step / 2:
        return "now"
    if step < 1:
        size, unit = next((size, unit) for size, unit in _UNITS if step >= size * 0.999)
        while seconds / size >= 10_000:
            size, unit = next((s, u) for s, u in reversed(_UNITS) if s > size)
        return f"-{seconds / size:.10g}{unit}" if size >= 1 else f"-{round(seconds / size)}{unit}"
    text, rest = "", round(seconds)
    for size, unit in _UNITS[:4]:
        count, rest = divmod(rest, int(size))
        if count:
            text += f"{count}{unit}"
    return f"-{text}"


def duration(seconds: float) -> str:
    """Return a duration in words of three figures: "2.28 s", "14 min 5 s", "31 µs"."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _clock(of_day: float, form: str) -> str:
    return datetime.fromtimestamp(of_day, UTC).astimezone().strftime(form)


# -- columns ----------------------------------------------------------------------------------------------------


def _codes() -> tuple[dict[tuple[int, int, int, int], int], list[tuple[int, int, int, int]]]:
    found: list[tuple[int, int, int, int]] = [
        (running, waiting, failed, rest)
        for running in range(_LEVELS + 1)
        for waiting in range(_LEVELS + 1 - running)
        for failed in range(_LEVELS + 1 - running - waiting)
        for rest in range(_LEVELS + 1 - running - waiting - failed)
    ]
    return {levels: code for code, levels in enumerate(found)}, found


_CODE, _HEIGHTS = _codes()  # 210: each fits into a byte


@cache
def _code(held: int, running: int, waiting: int, failed: int) -> int:
    """Return the code of a column in which each was seen for so many sixths."""
    parts = [running, waiting, failed]
    while sum(parts) > _LEVELS:
        parts[parts.index(max(parts))] -= 1
    rest = max(0, min(_LEVELS, held) - sum(parts))
    return _CODE[parts[0], parts[1], parts[2], rest]


def column_codes(shares: SharesLike, missing: Sequence[float] | None, width: float) -> bytes:
    """Return a byte for each column of *width* seconds: how high its states stand, by what was seen of it.

    What happened at all is seen: it stands a sixth high at least.
    """
    codes = bytearray(len(shares.held))
    for place, held in enumerate(shares.held):
        if held <= 0:
            continue
        running, waiting, failed = shares.running[place], shares.in_transaction[place], shares.failed[place]
        seen = width
        if missing is not None and missing[place] > 0:
            seen = max(width - missing[place], width * 0.02, held)
        scale = _LEVELS / seen
        codes[place] = _code(
            int(held * scale + 0.5) or 1,
            (int(running * scale + 0.5) or 1) if running > 0 else 0,
            (int(waiting * scale + 0.5) or 1) if waiting > 0 else 0,
            (int(failed * scale + 0.5) or 1) if failed > 0 else 0,
        )
    return bytes(codes)


class _Columns:
    """A lane's columns on one scale: those of the settled past are kept from paint to paint."""

    __slots__ = ("codes", "final", "first", "width")

    def __init__(self, width: float) -> None:
        self.width = width
        self.first = self.final = 0  # the number of the first one, and of the first that may change
        self.codes: bytes = b""

    def unknown(self, first: int, after: int) -> int:
        """Return how many of the columns from *first* to *after* would have to be counted."""
        return after - first - max(0, min(after, self.final) - max(first, self.first))

    def between(self, source: TimelineSource, lane: int, first: int, after: int, now: float) -> bytes:
        """Return the columns numbered from *first* to *after*, which begin at their number times the width."""
        width = self.width

        def fresh(begin: int, end: int) -> bytes:
            if end <= begin:
                return b""
            missing = source.missing(begin * width, width, end - begin) if source.missed else None
            return column_codes(source.shares(lane, begin * width, width, end - begin, now), missing, width)

        if first > self.final or after < self.first or self.final <= self.first:
            codes = fresh(first, after)
        else:
            old = self.codes[max(0, first - self.first) : max(0, min(after, self.final) - self.first)]
            begin = max(first, self.first)
            codes = fresh(first, begin) + old
            codes += fresh(first + len(codes), after)
        settled = int(source.settled(lane) // width) - 1
        self.first, self.final, self.codes = first, max(first, min(after, settled)), codes
        return codes


def _row_tables(height: int) -> list[bytes]:
    """Return for each row of pixels, the top one first, which colour each code has there.

    1 running, 2 in transaction, 3 failed, 4 held, each from below; 5 and 6 are stripes that tell two of them apart
    without colours.
    """
    tables: list[bytes] = []
    for row in range(height):
        up = height - 1 - row
        level = up * _LEVELS // height
        table = bytearray(256)
        for code, heights in enumerate(_HEIGHTS):
            below = 0
            for ink, high in enumerate(heights, 1):
                if below <= level < below + high:
                    table[code] = 5 if ink == 2 and up % 4 == 1 else 6 if ink == 3 and up % 2 else ink
                    break
                below += high
        tables.append(bytes(table))
    return tables


# -- painting ---------------------------------------------------------------------------------------------------


@cache
def _graph_tables(height: int) -> list[bytes]:
    """Return for each row of pixels, the top one first, which colour a value has there: 1 below it, 2 at its top."""
    tables: list[bytes] = []
    for row in range(height):
        up = height - row
        tables.append(bytes(2 if value == up else 1 if value > up else 0 for value in range(256)))
    return tables


class _Inks:
    """The colours of the theme in use, looked up once."""

    def __init__(self) -> None:
        self.colours = theme.current()
        self.has_bright_fills = self.colours.name == "contrast"  # marks in their own colours would not be seen on them
        self.fills = {state: theme.colour(role) for state, role in _FILLS.items()}
        self.edges = {state: theme.colour(role) for state, role in _EDGES.items()}
        self.text, self.muted = theme.colour("text"), theme.colour("muted")
        self.on_fill, self.line = theme.colour("fill_text"), theme.colour("line")
        self.patterns = {state: QBrush(self._line(state), style) for state, style in _PATTERNS.items()}
        self.surface, self.border = theme.colour("surface"), theme.colour("border")
        self.foot = self.on_fill if self.has_bright_fills else self.edges[RUNNING]
        self.wait_fill, self.wait = theme.colour("purple_fill"), theme.colour("purple_mark")
        veil = QColor(self.muted)
        veil.setAlpha(90)
        self.gap = QBrush(veil, Qt.BrushStyle.Dense6Pattern)
        column = [QColor(0, 0, 0, 0), *(self.fills[state] for state in (RUNNING, IN_TRANSACTION, FAILED, HELD))]
        column += [self.edges[IN_TRANSACTION], self.edges[FAILED]]
        self.column = [colour.rgba() for colour in column]

    def _line(self, state: str) -> QColor:
        """Return the colour of the lines on a state's bars."""
        colour = QColor(self.on_fill if self.has_bright_fills else self.edges[state])
        colour.setAlpha(120)
        return colour


@dataclass(slots=True)
class _Cluster:
    """Marks of one kind so near to each other that they are one on the screen."""

    kind: str
    left: float
    right: float
    times: int
    lane: int
    took: float
    room: tuple[float, float] = (0.0, 0.0)

    def take(self, right: float, times: int, lane: int) -> None:
        """Add what ends at the pixel *right*, happened so often, and in that lane."""
        self.right = max(self.right, right)
        self.times += times
        if lane != self.lane:
            self.lane = 0

    def words(self) -> str:
        text = _SHORT.get(self.kind, self.kind)
        if self.kind == "held long" and self.times == 1:
            text = f"held {duration(self.took)}"
        if self.lane:
            text += f" #{self.lane}"
        return f"{text} ×{self.times:,}" if self.times > 1 else text


def _wider(clusters: Sequence[_Cluster], near: float) -> list[_Cluster]:
    """Return *clusters* with those of one kind that begin less than *near* pixels apart made one."""
    last: dict[str, _Cluster] = {}
    found: list[_Cluster] = []
    for cluster in clusters:
        before = last.get(cluster.kind)
        if before is not None and cluster.left - before.left < near:
            before.take(cluster.right, cluster.times, cluster.lane)
        else:
            last[cluster.kind] = cluster
            found.append(cluster)
    return found


@dataclass(frozen=True, slots=True)
class _Places:
    """Where everything is, in pixels of the viewport."""

    plot: QRectF  # right of the labels: time
    axis: QRectF
    strip: QRectF  # of the marks' labels
    lanes: QRectF
    waits: QRectF
    row: float  # height of a lane
    bar: float  # of its bars


class TimelineView(QAbstractScrollArea):
    """Shows a source's lanes and follows its clock until somebody pans.

    The wheel zooms around the pointer, Shift and the wheel pan, dragging pans, a double click zooms onto a span;
    arrows, +, -, Home, End and Space do the same by keyboard.
    """

    following_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(parent)
        self._clock = clock
        self._source: TimelineSource | None = None
        self._lanes: Sequence[LaneLike] = ()  # as they were at the last refresh
        self._now = clock()
        self._right = self._now
        self._span = USUAL
        self._following = True
        self._inks = _Inks()
        self._columns: dict[int, _Columns] = {}
        self._tables: tuple[int, list[bytes]] = (0, [])
        self._deadline, self._is_unfinished = 0.0, False  # of this paint; lanes wait for the next one
        self._is_picture = False
        self._drag: QPoint | None = None
        self._is_syncing = False
        self._has_marks = False
        self._wait_rows = 0
        self._described_at = float("-inf")
        self.paint_seconds = 0.0  # of this thread's time: the last paint
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Timeline of the pool")
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.horizontalScrollBar().setAccessibleName("Time")
        self.verticalScrollBar().setAccessibleName("Lanes")
        self.horizontalScrollBar().valueChanged.connect(self._scrolled)
        self.verticalScrollBar().valueChanged.connect(self._lanes_scrolled)
        self.viewport().setAutoFillBackground(False)
        self.viewport().setMouseTracking(True)

    # -- what is shown -----------------------------------------------------------------------------------------

    def set_source(self, source: TimelineSource | None) -> None:
        """Show *source* from now on, from its end."""
        self._source = source
        self._columns.clear()
        self._has_marks = False
        self._wait_rows = 0
        self._described_at = float("-inf")
        self._set_following(True)
        self.refresh()

    def refresh(self) -> None:
        """Look at the clock and at the source again."""
        self._now = self._clock()
        self._lanes = self._source.lanes() if self._source is not None else ()
        if self._following:
            self._right = self._now
        self._sync_bars()
        if self._now - self._described_at >= _DESCRIBE:
            self._described_at = self._now
            words = self.description()
            if words != self.accessibleDescription():
                self.setAccessibleDescription(words)
        self.viewport().update()

    @property
    def is_following(self) -> bool:
        """Whether the right edge is now."""
        return self._following

    @property
    def range(self) -> tuple[float, float]:
        """From when until when is in sight."""
        return self._right - self._span, self._right

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return self._source is None or not self._source.begin

    def description(self) -> str:
        """Return in words what is seen."""
        source = self._source
        if source is None or self.is_empty:
            return "Nothing happened yet."
        left, right = self.range
        when = f"The last {duration(self._span)}" if self._following else f"Paused, {duration(self._span)} in sight"
        said = [f"{when}."]
        for lane in self._lanes[:20]:
            pid = f", pid {lane.pid}" if lane.pid else ""
            holder = f", held by {lane.holder}" if lane.holder else ""
            said.append(f"Slot {lane.number}{pid}: {lane.state}{holder}.")
        if source.waiting:
            said.append(f"{source.waiting} wait.")
        counts: dict[str, int] = {}
        for mark in source.marks(left, right):
            counts[mark.kind] = counts.get(mark.kind, 0) + mark.times
        said += [f"{kind.capitalize()}: {count:,}." for kind, count in counts.items()]
        if missed := sum(gap[2] for gap in source.gaps(left, right)):
            said.append(f"{missed:,} events missed.")
        return " ".join(said)

    def picture(self) -> QPixmap:
        """Return what is seen, with the time of day on the axis and nothing left for a later paint."""
        following, self._following, self._is_picture = self._following, False, True
        try:
            self.grab()  # what is found in painting may move the rest
            self._sync_bars()
            return self.grab()
        finally:
            self._following, self._is_picture = following, False

    # -- moving ------------------------------------------------------------------------------------------------

    def set_following(self, following: bool) -> None:
        """Follow the clock, or stand still."""
        self._set_following(following)
        self.refresh()

    def toggle_following(self) -> None:
        """Pause, or go on."""
        self.set_following(not self._following)

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Show *factor* times as long a time; the moment *around* keeps its place.

        By default that is the right edge while following, else the middle.
        """
        left, right = self.range
        if around is None:
            around = right if self._following else (left + right) / 2
        span = min(LONGEST, max(SHORTEST, self._span * factor))
        wanted = around + (right - around) * span / self._span
        self._span = span
        self._move_to(wanted, follow=self._following and wanted >= right - span * 1e-6)

    def zoom_in(self) -> None:
        """Show half as long a time."""
        self.zoom(0.5)

    def zoom_out(self) -> None:
        """Show twice as long a time."""
        self.zoom(2.0)

    def show_whole(self) -> None:
        """Show everything there is, and follow."""
        self._now = self._clock()
        begin = self._source.begin if self._source is not None and self._source.begin else self._now - USUAL
        self._span = min(LONGEST, max(SHORTEST, (self._now - begin) * 1.02))
        self.set_following(True)

    def show_range(self, start: float, end: float) -> None:
        """Show the time from *start* to *end* and stand still."""
        self._span = min(LONGEST, max(SHORTEST, end - start))
        self._set_following(False)
        self._right = (start + end + self._span) / 2
        self.refresh()

    def pan(self, seconds: float) -> None:
        """Go *seconds* towards the future; at now it follows."""
        right = self._right + seconds
        self._move_to(right, follow=right >= self._clock())

    def _move_to(self, right: float, *, follow: bool) -> None:
        """Bring *right* to the right edge, no further than now, or *follow* from now on."""
        self._now = self._clock()
        self._set_following(follow)
        earliest = self._source.begin if self._source is not None and self._source.begin else self._now
        self._right = min(self._now, max(right, min(self._now, earliest + self._span * 0.1)))
        self.refresh()

    def _set_following(self, following: bool) -> None:
        if following != self._following:
            self._following = following
            self.following_changed.emit(following)

    def _scrolled(self, value: int) -> None:
        bar = self.horizontalScrollBar()
        if self._is_syncing or not bar.maximum() or self._source is None:
            return
        whole = self._now - self._source.begin
        if value >= bar.maximum():
            self.set_following(True)
        else:
            right = self._source.begin + self._span + (whole - self._span) * value / bar.maximum()
            self._move_to(right, follow=False)

    def _lanes_scrolled(self, _value: int) -> None:
        self.viewport().update()

    def _sync_bars(self) -> None:
        self._is_syncing = True
        try:
            source, places = self._source, self._places()
            bar = self.horizontalScrollBar()
            whole = self._now - source.begin if source is not None and source.begin else 0.0
            beyond = whole - self._span
            if source is None or beyond <= whole * 1e-3:
                bar.setRange(0, 0)
            else:
                steps = min(1_000_000, max(10, int(beyond / self._span * 100)))
                bar.setRange(0, steps)
                bar.setPageStep(max(1, int(steps * self._span / beyond)))
                bar.setSingleStep(max(1, bar.pageStep() // 10))
                bar.setValue(
                    steps
                    if self._following
                    else min(steps, max(0, int((self.range[0] - source.begin) / beyond * steps)))
                )
            lanes = len(self._lanes)
            down = self.verticalScrollBar()
            down.setRange(0, max(0, math.ceil(lanes * places.row - places.lanes.height())))
            down.setPageStep(max(1, round(places.lanes.height())))
            down.setSingleStep(max(1, round(places.row)))
        finally:
            self._is_syncing = False

    # -- places ------------------------------------------------------------------------------------------------

    def _small(self) -> QFont:
        return theme.sans(self.font().pointSizeF() * 0.92)

    def _places(self) -> _Places:
        area = QRectF(self.viewport().rect())
        metrics = QFontMetricsF(self._small())
        line = metrics.height()
        gutter = self._gutter(metrics)
        right = area.width() - theme.scaled(10)
        axis = line + theme.scaled(6)
        strip = line + theme.scaled(3) if self._has_marks else 0.0
        row = max(float(theme.scaled(22)), line + theme.scaled(6))
        source = self._source
        room = area.height() - axis - strip - theme.scaled(4)
        has_waits = source is not None and source.has_waits
        least = max(row, min(room * 0.3, self._wait_rows * theme.scaled(7) + theme.scaled(10))) if has_waits else 0.0
        # Whole lanes, and those who wait right below the last.
        count = max(1, len(self._lanes))
        lanes = max(1, min(count, int((room - least) // row))) * row
        wanted = self._wait_rows * theme.scaled(17) + theme.scaled(10)
        waits = max(least, min(wanted, room - lanes)) if has_waits else 0.0
        plot = QRectF(gutter, 0.0, max(20.0, right - gutter), area.height())
        return _Places(
            plot,
            QRectF(gutter, 0.0, plot.width(), axis),
            QRectF(gutter, axis, plot.width(), strip),
            QRectF(gutter, axis + strip, plot.width(), lanes),
            QRectF(gutter, axis + strip + lanes, plot.width(), waits),
            row,
            row - theme.scaled(5),
        )

    def _gutter(self, metrics: QFontMetricsF) -> float:
        """Return the width of what stands left of the lanes."""
        widest = max((len(f"#{lane.number} {lane.pid}") for lane in self._lanes), default=0)
        labels = metrics.horizontalAdvance("0" * widest)
        return max(labels, metrics.horizontalAdvance("00:00:00.000")) + theme.scaled(18)

    def x_of(self, at: float) -> float:
        """Return the pixel of the viewport at which the moment *at* is."""
        plot = self._places().plot
        return plot.left() + (at - self.range[0]) / self._span * plot.width()

    def time_at(self, x: float) -> float:
        """Return the moment at the pixel *x* of the viewport."""
        plot = self._places().plot
        return self.range[0] + (x - plot.left()) / plot.width() * self._span

    # -- painting ----------------------------------------------------------------------------------------------

    @override
    def paintEvent(self, arg__1: QPaintEvent) -> None:
        began = time.thread_time()
        painter = QPainter(self.viewport())
        try:
            self._paint(painter)
        finally:
            painter.end()
            self.paint_seconds = time.thread_time() - began
        if self._is_unfinished:
            self.viewport().update()

    def _paint(self, painter: QPainter) -> None:
        if self._inks.colours is not theme.current():
            self._inks = _Inks()
        inks = self._inks
        self._deadline, self._is_unfinished = time.perf_counter() + _MOST_AT_ONCE, False
        painter.fillRect(self.viewport().rect(), inks.surface)
        painter.setFont(self._small())
        source = self._source
        if source is None or self.is_empty:
            self._paint_nothing(painter)
            self._paint_focus(painter)
            return
        left, right = self.range
        marks = source.marks(left, right)
        if marks and not self._has_marks:
            self._has_marks = True
        places = self._places()
        self._paint_axis(painter, source, places)
        painter.save()
        painter.setClipRect(QRectF(0, places.lanes.top(), self.viewport().width(), places.lanes.height()))
        self._paint_labels(painter, source, places)
        painter.setClipRect(places.lanes)
        self._paint_lanes(painter, source, places)
        painter.restore()
        if places.waits.height() > 0:
            self._paint_waits(painter, source, places)
        self._paint_gaps(painter, source, places)
        if marks:
            self._paint_marks(painter, marks, places)
        self._paint_focus(painter)

    def _paint_nothing(self, painter: QPainter) -> None:
        area = QRectF(self.viewport().rect()).adjusted(theme.scaled(16), 0, -theme.scaled(16), 0)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.setPen(self._inks.muted)
        painter.setFont(self.font())
        painter.drawText(area, flags, "Nothing happened yet. Every connection that is checked out gets a bar here.")

    def _paint_focus(self, painter: QPainter) -> None:
        if self.hasFocus():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("focus"), 2))
            painter.drawRoundedRect(QRectF(self.viewport().rect()).adjusted(1, 1, -1, -1), 3, 3)

    def _paint_axis(self, painter: QPainter, source: TimelineSource, places: _Places) -> None:
        metrics = QFontMetricsF(painter.font())
        least = metrics.horizontalAdvance("00:00:00" if not self._following else "-00m00s") + theme.scaled(16)
        plot, per_second = places.plot, places.plot.width() / self._span
        step = tick_step(least / per_second)
        left = self.range[0]
        ticks: list[tuple[float, str]] = []
        corner = ""
        if self._following:
            numbers = range(int(self._span / step) + 1)
            ticks = [(plot.right() - number * step * per_second, ago(number * step, step)) for number in numbers]
        else:
            base, corner, name = _tick_names(source.wall(left), step)
            shift = base - source.wall(left)  # both are large: their difference is small and exact
            first = math.ceil((-shift) / step)
            for number in range(first, first + int(self._span / step) + 2):
                x = plot.left() + (shift + number * step) * per_second
                if x <= plot.right() + 0.5:
                    ticks.append((x, name(number * step)))
        painter.setPen(self._inks.line)
        bottom = max(places.lanes.bottom(), places.waits.bottom())
        for x, _ in ticks:
            painter.drawLine(QPointF(round(x) + 0.5, places.axis.bottom()), QPointF(round(x) + 0.5, bottom))
        painter.setPen(self._inks.muted)
        centred = Qt.AlignmentFlag.AlignCenter
        taken = self.viewport().width() + 1.0
        for x, name in sorted(ticks, reverse=True):
            width = metrics.horizontalAdvance(name) + 2
            begin = min(max(x - width / 2, plot.left() - theme.scaled(4)), self.viewport().width() - width - 2)
            if begin + width > taken:
                continue
            taken = begin - theme.scaled(6)
            painter.drawText(QRectF(begin, 0, width, places.axis.height()), centred, name)
        if corner:
            painter.setPen(self._inks.text)
            area = QRectF(theme.scaled(10), 0, plot.left() - theme.scaled(14), places.axis.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, corner)

    # -- lanes -------------------------------------------------------------------------------------------------

    def _in_sight(self, source: TimelineSource, places: _Places) -> list[tuple[LaneLike, float]]:
        """Return the lanes in sight, each with the pixel at which it begins."""
        scrolled = self.verticalScrollBar().value()
        first = max(0, int(scrolled // places.row))
        lanes = self._lanes[first : first + int(places.lanes.height() // places.row) + 2]
        top = places.lanes.top() - scrolled
        return [(lane, top + (first + place) * places.row) for place, lane in enumerate(lanes)]

    def _paint_labels(self, painter: QPainter, source: TimelineSource, places: _Places) -> None:
        area = QRectF(theme.scaled(10), 0, places.plot.left() - theme.scaled(14), places.row)
        for lane, y in self._in_sight(source, places):
            painter.setPen(self._inks.text if lane.pid else self._inks.muted)
            label = f"#{lane.number} {lane.pid}" if lane.pid else f"#{lane.number} –"
            painter.drawText(area.translated(0, y), Qt.AlignmentFlag.AlignVCenter, label)

    def _paint_lanes(self, painter: QPainter, source: TimelineSource, places: _Places) -> None:
        lanes = self._in_sight(source, places)
        left, right = self.range
        counts = [source.count(lane.number, left, right) for lane, _ in lanes]
        budget = max(12, _MOST_ITEMS // max(1, len(lanes)))
        dense = sum(count > budget for count in counts)
        for (lane, y), count in zip(lanes, counts, strict=True):
            bar = QRectF(places.plot.left(), y + (places.row - places.bar) / 2, places.plot.width(), places.bar)
            self._paint_lane(painter, source, lane.number, bar, is_dense=count > budget, dense=dense)
        for gone in set(self._columns).difference(lane.number for lane, _ in lanes):
            del self._columns[gone]

    def _paint_lane(
        self, painter: QPainter, source: TimelineSource, lane: int, bar: QRectF, *, is_dense: bool, dense: int
    ) -> None:
        left, right = self.range
        known = right if is_dense else min(right, max(left, source.kept_since(lane)))
        if known > left and known > source.begin:
            self._paint_columns(painter, source, lane, bar, known, dense)
        if known < right:
            painter.save()
            if known > left:
                painter.setClipRect(
                    bar.adjusted((known - left) / self._span * bar.width(), 0, 0, 0),
                    Qt.ClipOperation.IntersectClip,
                )
            self._paint_spans(painter, source.spans(lane, known, right, self._now), bar)
            painter.restore()

    def _paint_columns(
        self, painter: QPainter, source: TimelineSource, lane: int, bar: QRectF, until: float, dense: int
    ) -> None:
        """Paint the shares of the time, a column a pixel or two, up to the moment *until*."""
        left = self.range[0]
        width = 2.0 ** math.floor(math.log2(self._span / bar.width() * (3 if dense > 6 else 1.5)))
        columns = self._columns.get(lane)
        first, after = int(left // width), int(until // width) + 1
        if columns is None or columns.width != width:
            fresh = _Columns(width)
        else:
            fresh = columns if columns.unknown(first, after) * 4 < after - first else _Columns(width)
        if fresh is not columns and not self._is_picture and time.perf_counter() > self._deadline:
            # Not all lanes at once: until the next paint this one is shown on the scale that it had.
            self._is_unfinished = True
            if columns is None:
                return
            width, first, codes = columns.width, columns.first, columns.codes
        else:
            codes = fresh.between(source, lane, first, after, self._now)
            self._columns[lane] = fresh
        if not any(codes):
            return
        height = max(1, round(bar.height() * self.devicePixelRatioF()))
        if self._tables[0] != height:
            self._tables = (height, _row_tables(height))
        pixels = b"".join([codes.translate(table) for table in self._tables[1]])
        image = QImage(pixels, len(codes), height, len(codes), QImage.Format.Format_Indexed8)
        image.setColorTable(self._inks.column)
        per_second = bar.width() / self._span
        begin = bar.left() + (first * width - left) * per_second
        painter.save()
        end = bar.left() + (until - left) * per_second
        painter.setClipRect(QRectF(bar.left(), bar.top(), end - bar.left(), bar.height()), _CUT)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(begin, bar.top(), len(codes) * width * per_second, bar.height()), image)
        painter.restore()

    def _paint_spans(self, painter: QPainter, spans: Sequence[SpanLike], bar: QRectF) -> None:
        """Paint *spans* one by one; who holds what stands where it fits."""
        inks = self._inks
        left, per_second, x0 = self.range[0], bar.width() / self._span, bar.left()
        edge, top, height = bar.right(), bar.top(), bar.height()
        ratio = self.devicePixelRatioF()
        thin, radius, foot = 1 / ratio, min(3.0, height / 4), max(2.0, height * 0.18)
        held_left, held_right = 0.0, -1.0
        labels: list[tuple[float, float, SpanLike]] = []
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for span in spans:
            begin = x0 + (span.start - left) * per_second
            end = x0 + (span.end - left) * per_second
            is_cut = begin < x0 - 4
            begin = round(max(begin, x0 - 4) * ratio) / ratio
            end = round(min(end, edge + 4) * ratio) / ratio
            state = span.state
            if state == HELD:
                if not span.is_open and end - begin >= 4:
                    end -= thin  # so that the next one does not seem to be the same
                held_left, held_right = begin, max(end, begin + thin)
            elif state != OPENING:
                end = min(end, held_right)
            width = max(end - begin, thin)
            if state == HELD and width >= 24:
                labels.append((begin, width, span))
            fill = inks.fills.get(state, inks.fills[HELD])
            if state == OPENING:
                painter.fillRect(QRectF(begin, top + height * 0.3, width, height * 0.4), fill)
                if width >= 3:
                    painter.fillRect(QRectF(begin, top + height * 0.3, min(width, 1.5), height * 0.4), inks.wait)
                continue
            area = QRectF(begin, top, width, height)
            if width < 6:
                painter.fillRect(area, fill)
            else:
                is_first = not is_cut and begin <= held_left
                is_last = not span.is_open and end >= held_right
                _fill_rounded(painter, area, radius, fill, left=is_first, right=is_last)
            if state == RUNNING:
                inset = radius if width >= 6 else 0.0
                line = foot * 0.4 if inks.has_bright_fills else foot  # dark, and so within the bar
                painter.fillRect(QRectF(begin + inset, top + height - foot, width - 2 * inset, line), inks.foot)
            elif width >= 3 and (pattern := inks.patterns.get(state)) is not None:
                painter.setBrushOrigin(QPointF(begin, top))
                painter.fillRect(area, pattern)
            if state == HELD and span.detail == "leaked" and width >= 3:
                painter.setPen(QPen(inks.edges[FAILED], 1.5, Qt.PenStyle.DashLine))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRect(area.adjusted(0.75, 0.75, -0.75, -0.75))
                painter.setPen(Qt.PenStyle.NoPen)
        if labels:
            self._label_spans(painter, labels, bar)

    def _label_spans(self, painter: QPainter, labels: list[tuple[float, float, SpanLike]], bar: QRectF) -> None:
        metrics = QFontMetricsF(painter.font())
        inset = float(theme.scaled(5))
        painter.setPen(self._inks.on_fill)
        for begin, width, span in labels:
            first = max(begin, bar.left()) + inset
            room = min(begin + width, bar.right()) - first - inset / 2
            text = plain.one_line(span.holder or span.thread, 80)
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
            if len(shown) > 2 or shown == text:
                area = QRectF(first, bar.top(), room, bar.height())
                painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, shown)

    # -- waiting -----------------------------------------------------------------------------------------------

    def _paint_waits(self, painter: QPainter, source: TimelineSource, places: _Places) -> None:
        area = places.waits
        painter.setPen(self._inks.line)
        painter.drawLine(area.topLeft() + QPointF(-area.left(), 0.5), area.topRight() + QPointF(0, 0.5))
        words = f"{source.waiting:,} waiting" if source.waiting else "waiting"
        painter.setPen(self._inks.text if source.waiting else self._inks.muted)
        gutter = QRectF(theme.scaled(10), area.top(), area.left() - theme.scaled(14), places.row)
        painter.drawText(gutter, Qt.AlignmentFlag.AlignVCenter, words)
        inner = area.adjusted(0, theme.scaled(5), 0, -theme.scaled(5))
        left, right = self.range
        waits = source.waits(left, right, self._now) if source.wait_count(left, right) <= _MOST_WAITS else None
        rows = max((wait.row for wait in waits), default=0) + 1 if waits is not None else 0
        if waits is None or rows * 3 > inner.height():
            self._paint_wait_columns(painter, source, inner)
            self._wait_rows = max(self._wait_rows, 4)
            return
        self._wait_rows = max(self._wait_rows, min(rows, 6))
        painter.save()
        painter.setClipRect(QRectF(area.left(), places.lanes.top(), area.width(), area.bottom() - places.lanes.top()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        per_second = area.width() / self._span
        high = self._wait_height(inner, rows)
        thick = max(2.0, high - theme.scaled(3))
        metrics = QFontMetricsF(painter.font())
        bad = mark_colour("bad")
        has_shapes = len(waits) <= _MOST_SHAPES
        has_arrows = sum(bool(wait.lane) for wait in waits) * theme.scaled(_ARROW_ROOM) <= area.width()
        for wait in waits:
            begin = area.left() + max(-4.0, (wait.start - left) * per_second)
            end = area.left() + min(area.width() + 4.0, (wait.end - left) * per_second)
            y = inner.top() + wait.row * high
            bar = QRectF(begin, y, max(end - begin, 1.5), thick)
            painter.fillRect(bar, self._inks.wait_fill)
            painter.fillRect(QRectF(bar.left(), bar.top(), min(1.5, bar.width()), thick), self._inks.wait)
            if thick >= metrics.ascent() and bar.width() > 24:
                room = QRectF(bar.intersected(area)).adjusted(theme.scaled(5), -2, -2, 2)
                text = plain.one_line(wait.holder or wait.thread, 80)
                painter.setPen(self._inks.on_fill)
                shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room.width())
                painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, shown)
            if not has_shapes:
                if wait.ending and not wait.lane:
                    painter.fillRect(QRectF(end - 1.5, y, 1.5, thick), bad)
            elif wait.ending and not wait.lane:
                side = min(thick + 2, float(theme.scaled(8)))
                glyph = QRectF(end + 2, y + thick / 2 - side / 2, side, side)
                paint_glyph(painter, glyph, "bad" if wait.ending == "timed out" else "idle")
            elif wait.lane and has_arrows and end <= area.right() + 1:
                self._paint_arrow(painter, source, places, wait, QPointF(end, y + thick / 2))
        painter.restore()

    def _wait_height(self, area: QRectF, rows: int) -> float:
        return min(float(theme.scaled(17)), area.height() / rows)

    def _paint_arrow(
        self, painter: QPainter, source: TimelineSource, places: _Places, wait: WaitLike, start: QPointF
    ) -> None:
        """Lead from the end of a wait up to the moment at which its connection came home."""
        place = next((place for place, lane in enumerate(self._lanes) if lane.number == wait.lane), None)
        if place is None:
            return
        y = places.lanes.top() - self.verticalScrollBar().value() + (place + 1) * places.row
        y -= (places.row - places.bar) / 2
        if not places.lanes.top() < y <= places.lanes.bottom() + 1:
            return
        x = places.plot.left() + (wait.served_at - self.range[0]) / self._span * places.plot.width()
        tip = QPointF(x, y)
        length = math.hypot(start.x() - tip.x(), start.y() - tip.y())
        if length < 3:
            return
        side = float(theme.scaled(5))
        along = (start - tip) / length
        across = QPointF(-along.y(), along.x())
        painter.setPen(QPen(self._inks.wait, 1.2))
        painter.drawLine(start, tip + along * side)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._inks.wait)
        painter.drawPolygon(
            QPolygonF([tip, tip + along * side + across * side / 2, tip + along * side - across * side / 2])
        )

    def _paint_wait_columns(self, painter: QPainter, source: TimelineSource, area: QRectF) -> None:
        """Paint how many waited, on average, in each pixel or two."""
        count = max(1, int(area.width() / 2))
        width = self._span / count
        waited = source.waited(self.range[0], width, count, self._now)
        most = max(1.0, max(waited) / width)
        height = min(250, max(4, round(area.height() * self.devicePixelRatioF())))
        scale = (height - 1) / width / most
        codes = bytes([min(height - 1, math.ceil(seconds * scale)) for seconds in waited])
        pixels = b"".join([codes.translate(table) for table in _graph_tables(height)])
        image = QImage(pixels, count, height, count, QImage.Format.Format_Indexed8)
        image.setColorTable([0, self._inks.wait_fill.rgba(), self._inks.wait.rgba()])
        painter.drawImage(area, image)
        painter.setPen(self._inks.muted)
        words = f"at most {most:,.0f} at a time" if most >= 1.5 else ""
        flags = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft
        if words and QFontMetricsF(painter.font()).height() < area.height():
            painter.drawText(area.adjusted(theme.scaled(4), 0, 0, 0), flags, words)

    # -- gaps and marks ----------------------------------------------------------------------------------------

    def _paint_gaps(self, painter: QPainter, source: TimelineSource, places: _Places) -> None:
        if not source.missed:
            return
        left = self.range[0]
        count = max(1, int(places.plot.width()))
        width = self._span / count
        missing = source.missing(left, width, count)
        begin: int | None = None
        step = places.plot.width() / count
        runs: list[tuple[float, float]] = []
        for place in range(count + 1):
            is_missing = place < count and missing[place] > width * 0.02
            if is_missing and begin is None:
                begin = place
            elif not is_missing and begin is not None:
                runs.append((places.plot.left() + begin * step, places.plot.left() + place * step))
                begin = None
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, on=False)
        for first, last in runs:
            painter.fillRect(QRectF(first, places.lanes.top(), last - first, places.lanes.height()), self._inks.gap)
        metrics = QFontMetricsF(painter.font())
        painter.setPen(self._inks.muted)
        for first, last in runs:
            # One figure for each run: gaps that touch on the screen are told together.
            if last - first < theme.scaled(60):
                continue
            among = source.gaps(self._moment(places, first), self._moment(places, last))
            if not (missed := sum(gap[2] for gap in among)):
                continue
            words = metrics.elidedText(f"{missed:,} events missed", Qt.TextElideMode.ElideRight, last - first - 8)
            wide = metrics.horizontalAdvance(words) + 8
            area = QRectF(
                (first + last - wide) / 2, places.lanes.bottom() - metrics.height() - 3, wide, metrics.height()
            )
            painter.fillRect(area, self._inks.surface)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, words)

    def _moment(self, places: _Places, x: float) -> float:
        return self.range[0] + (x - places.plot.left()) / places.plot.width() * self._span

    def _clusters(self, marks: Sequence[MarkLike], places: _Places, near: float) -> list[_Cluster]:
        """Return *marks* with those of one kind that begin less than *near* pixels apart made one."""
        left, per_second, x0 = self.range[0], places.plot.width() / self._span, places.plot.left()
        edge = places.plot.right()
        last: dict[str, _Cluster] = {}
        found: list[_Cluster] = []
        for mark in marks:
            x = x0 + (mark.at - left) * per_second
            kind = mark.kind
            cluster = last.get(kind)
            if cluster is not None and x - cluster.left < near:
                cluster.take(min(edge, x0 + (mark.until - left) * per_second), mark.times, mark.lane)
            else:
                until = min(edge, x0 + (mark.until - left) * per_second)
                cluster = last[kind] = _Cluster(kind, x, until, mark.times, mark.lane, mark.took)
                found.append(cluster)
        return found

    def _paint_marks(self, painter: QPainter, marks: Sequence[MarkLike], places: _Places) -> None:
        """Paint each mark's line and shape, and its words where they neither meet others nor are cut."""
        clusters = self._clusters(marks, places, theme.scaled(10))
        has_lines = len(clusters) <= _MOST_MARKS
        if not has_lines:
            clusters = _wider(clusters, theme.scaled(110))
        lanes = {lane.number: place for place, lane in enumerate(self._lanes)}
        top = places.lanes.top() - self.verticalScrollBar().value()
        side = float(theme.scaled(8))
        middle, after = places.strip.center().y(), 0.0
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for cluster in clusters:
            tone = _TONES.get(cluster.kind, "idle")
            colour = mark_colour(tone)
            x = cluster.left
            if has_lines:
                bottom = places.lanes.bottom()
                if cluster.lane in lanes:
                    bottom = min(bottom, top + (lanes[cluster.lane] + 1) * places.row)
                style = Qt.PenStyle.DotLine if cluster.lane else Qt.PenStyle.DashLine
                if bottom > places.lanes.top():
                    self._paint_line(painter, x, places.strip.bottom() - 1, bottom, QPen(colour, 1.3, style))
                if cluster.lane in lanes and (y := bottom - places.row / 2) > places.lanes.top():
                    self._paint_line(painter, x, y - places.bar / 2 - 1, y + places.bar / 2 + 1, QPen(colour, 2.5))
            if cluster.right - x > 2:  # from the first to the last of many
                painter.fillRect(QRectF(x, places.strip.bottom() - 2, cluster.right - x, 2), colour)
            begin = x - side / 2
            if 0 < after - begin < side + 1:  # two at one place: the shapes stand side by side
                begin = after
            after = begin + side + 1
            paint_glyph(painter, QRectF(begin, middle - side / 2, side, side), tone)
            cluster.room = (begin, begin + side)
        self._paint_words(painter, clusters, places)

    def _paint_words(self, painter: QPainter, clusters: list[_Cluster], places: _Places) -> None:
        """Name as many marks as there is room for, the bad ones and the newest first, right of them if possible."""
        metrics = QFontMetricsF(painter.font())
        taken = [cluster.room for cluster in clusters]
        gap = float(theme.scaled(4))
        unnamed = sorted(clusters, key=lambda each: (_TONES.get(each.kind, "idle") != "bad", -each.left))
        for is_right in (True, False):
            for cluster in list(unnamed):
                words = cluster.words()
                wide = metrics.horizontalAdvance(words) + 1
                first = cluster.room[1] + gap if is_right else cluster.room[0] - gap - wide
                last = first + wide
                if first < places.strip.left() or last > self.viewport().width() - 2:
                    continue
                if any(first < b + gap and a - gap < last for a, b in taken if (a, b) != cluster.room):
                    continue
                taken.append((first, last))
                unnamed.remove(cluster)
                painter.setPen(state_colour(_TONES.get(cluster.kind, "idle")))
                area = QRectF(first, places.strip.top(), wide, places.strip.height() - 2)
                painter.fillRect(area, self._inks.surface)  # no line goes through the words
                painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, words)

    def _paint_line(self, painter: QPainter, x: float, top: float, bottom: float, pen: QPen) -> None:
        if self._inks.has_bright_fills:
            painter.setPen(QPen(self._inks.surface, pen.widthF() + 3))
            painter.drawLine(QPointF(x, top), QPointF(x, bottom))
        painter.setPen(pen)
        painter.drawLine(QPointF(x, top), QPointF(x, bottom))

    # -- what is where -----------------------------------------------------------------------------------------

    def lane_at(self, y: float) -> LaneLike | None:
        """Return the lane at the pixel *y* of the viewport."""
        places = self._places()
        if self._source is None or not places.lanes.top() <= y < places.lanes.bottom():
            return None
        lanes = self._lanes
        place = int((y - places.lanes.top() + self.verticalScrollBar().value()) // places.row)
        return lanes[place] if place < len(lanes) else None

    def spans_at(self, point: QPointF) -> list[SpanLike]:
        """Return the spans under *point*, give or take two pixels: a hold, and what was done in it."""
        lane = self.lane_at(point.y())
        if lane is None or self._source is None or point.x() < self._places().plot.left():
            return []
        exact = self.time_at(point.x())
        near = list(self._source.spans(lane.number, exact, exact, self._now))
        if not near:
            near = list(self._source.spans(lane.number, *self._around(point.x()), self._now))
        return near

    def _around(self, x: float) -> tuple[float, float]:
        return self.time_at(x - 2), self.time_at(x + 2)

    def wait_at(self, point: QPointF) -> WaitLike | None:
        """Return the wait under *point*."""
        places = self._places()
        if self._source is None or not places.waits.contains(point):
            return None
        inner = places.waits.adjusted(0, theme.scaled(5), 0, -theme.scaled(5))
        left, right = self.range
        if self._source.wait_count(left, right) > _MOST_WAITS:
            return None
        rows = max((wait.row for wait in self._source.waits(left, right, self._now)), default=0) + 1
        row = int((point.y() - inner.top()) // self._wait_height(inner, rows))
        waits = self._source.waits(*self._around(point.x()), self._now)
        return next((wait for wait in waits if wait.row == row), None)

    def words_at(self, point: QPointF) -> str:
        """Return what is under *point* in words: what, since when, how long, the statement."""
        source, places = self._source, self._places()
        if source is None or point.x() < places.plot.left():
            lane = self.lane_at(point.y())
            return _lane_words(lane) if lane is not None else ""
        if point.y() < places.lanes.top():
            near = source.marks(self.time_at(point.x() - 6), self.time_at(point.x() + 6))
            return "\n\n".join(self._mark_words(mark) for mark in near[-4:])
        if (wait := self.wait_at(point)) is not None:
            return self._wait_words(wait)
        said: list[str] = []
        lane = self.lane_at(point.y())
        if lane is not None:
            near_marks = source.marks(*self._around(point.x()))
            said += [self._mark_words(mark) for mark in near_marks if mark.lane in {0, lane.number}][-3:]
            first, last = self._around(point.x())
            if source.count(lane.number, first, last) > 12 or self.time_at(point.x()) < source.kept_since(lane.number):
                said.append(self._share_words(source, lane.number, first, last))
            elif spans := self.spans_at(point):
                said += self._span_words(spans)
        for first, last, count in source.gaps(*self._around(point.x()))[:1]:
            said.append(f"{count:,} events missed\n{self._when(first, last)}")
        return "\n\n".join(words for words in said if words)

    def _span_words(self, spans: Sequence[SpanLike]) -> list[str]:
        said: list[str] = []
        hold = next((span for span in reversed(spans) if span.state == HELD), None)
        if hold is not None:
            who = hold.holder or "nobody named"
            end = "" if hold.is_open or not hold.detail else f" · {hold.detail}"
            leaked = " · leaked" if hold.is_open and hold.detail else ""
            said.append(
                f"#{hold.lane} · pid {hold.pid} · held by {who}\nthread {hold.thread}\n"
                f"{self._when(hold.start, hold.end, is_open=hold.is_open)}{end}{leaked}"
            )
        for span in spans:
            if span.state != HELD:
                when = self._when(span.start, span.end, is_open=span.is_open)
                sql = f"\n{span.detail}" if span.detail else ""
                said.append(f"{span.state}\n{when}{sql}")
        return said

    def _share_words(self, source: TimelineSource, lane: int, first: float, last: float) -> str:
        shares = source.shares(lane, first, last - first, 1, self._now)
        parts = [
            f"{words} {min(1.0, seconds[0] / (last - first)):.0%}"
            for words, seconds in (
                ("held", shares.held),
                ("running", shares.running),
                ("idle in transaction", shares.in_transaction),
                ("failed", shares.failed),
            )
            if seconds[0] > 0
        ]
        if not parts:
            return ""
        count = source.count(lane, first, last)
        many = f" · {count:,} spans" if count > 1 else ""
        return f"#{lane} · in {duration(last - first)}: {', '.join(parts)}{many}\n{self._when(first, last)}"

    def _wait_words(self, wait: WaitLike) -> str:
        lines = [f"{wait.holder or 'nobody named'} waited" if wait.ending else f"{wait.holder or 'nobody named'} waits"]
        lines.append(f"thread {wait.thread}")
        lines.append(self._when(wait.start, wait.end, is_open=not wait.ending))
        if wait.lane:
            lines.append(f"served by slot #{wait.lane}, whose connection came at {self._time(wait.served_at)}")
        elif wait.ending:
            lines.append(wait.ending)
        return "\n".join(lines)

    def _mark_words(self, mark: MarkLike) -> str:
        times = f" ×{mark.times:,}" if mark.times > 1 else ""
        lane = f" · #{mark.lane}" if mark.lane else ""
        pid = f" · pid {mark.pid}" if mark.pid else ""
        lines = [f"{mark.kind}{times}{lane}{pid}"]
        until = f" – {self._time(mark.until)}" if mark.times > 1 else ""
        took = f" · {duration(mark.took)}" if mark.took else ""
        lines.append(f"{self._time(mark.at)}{until}{took}")
        who = " · ".join(part for part in (mark.holder, f"thread {mark.thread}" if mark.thread else "") if part)
        lines += [text for text in (who, "\n".join(mark.detail.splitlines()[:8])) if text]
        return "\n".join(lines)

    def _when(self, start: float, end: float, *, is_open: bool = False) -> str:
        if is_open:
            return f"since {self._time(start)} · {duration(end - start)} so far"
        return f"{self._time(start)} – {self._time(end)} · {duration(end - start)}"

    def _time(self, at: float) -> str:
        of_day = self._source.wall(at) if self._source is not None else at
        return _clock(of_day, "%H:%M:%S.%f")[: -3 if self._span > 0.05 else None]

    # -- events ------------------------------------------------------------------------------------------------

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(700), theme.scaled(200))

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(260), theme.scaled(80))

    @override
    def resizeEvent(self, arg__1: QResizeEvent) -> None:
        super().resizeEvent(arg__1)
        self._sync_bars()

    @override
    def changeEvent(self, arg__1: QEvent) -> None:
        super().changeEvent(arg__1)
        if arg__1.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.viewport().update()

    @override
    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip:
            words = self.words_at(QPointF(event.pos()))
            spot = QRect(event.pos() - QPoint(2, 2), QSize(5, 5))
            QToolTip.showText(event.globalPos(), plain.tool_tip(words), self.viewport(), spot)
            return True
        return super().viewportEvent(event)

    @override
    def wheelEvent(self, arg__1: QWheelEvent) -> None:
        turned = arg__1.angleDelta()
        is_sideways = bool(arg__1.modifiers() & Qt.KeyboardModifier.ShiftModifier) or abs(turned.x()) > abs(turned.y())
        notches = (turned.x() if abs(turned.x()) > abs(turned.y()) else turned.y()) / 120
        if is_sideways:
            self.pan(-notches * self._span * 0.1)
        elif arg__1.position().x() < self._places().plot.left():
            bar = self.verticalScrollBar()
            bar.setValue(round(bar.value() - notches * 3 * bar.singleStep()))
        elif notches:
            self.zoom(_STEP**-notches, self.time_at(arg__1.position().x()))
        arg__1.accept()

    @override
    def mousePressEvent(self, arg__1: QMouseEvent) -> None:
        if arg__1.button() is Qt.MouseButton.LeftButton:
            self._drag = arg__1.position().toPoint()
            arg__1.accept()
        else:
            super().mousePressEvent(arg__1)

    @override
    def mouseMoveEvent(self, arg__1: QMouseEvent) -> None:
        if self._drag is None:
            super().mouseMoveEvent(arg__1)
            return
        here = arg__1.position().toPoint()
        moved = here - self._drag
        if moved.isNull():
            return
        self._drag = here
        self.viewport().setCursor(Qt.CursorShape.ClosedHandCursor)
        if moved.x():
            self.pan(-moved.x() / self._places().plot.width() * self._span)
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() - moved.y())

    @override
    def mouseReleaseEvent(self, arg__1: QMouseEvent) -> None:
        self._drag = None
        self.viewport().unsetCursor()
        arg__1.accept()

    @override
    def mouseDoubleClickEvent(self, arg__1: QMouseEvent) -> None:
        self._drag = None
        wait = self.wait_at(arg__1.position())
        spans = self.spans_at(arg__1.position())
        found = wait or min(spans, key=lambda span: span.end - span.start, default=None)
        if found is not None:
            margin = max((found.end - found.start) * 0.1, SHORTEST / 3)
            self.show_range(found.start - margin, min(self._now, found.end + margin))

    @override
    def keyPressEvent(self, arg__1: QKeyEvent) -> None:
        key = Qt.Key(arg__1.key())
        down = self.verticalScrollBar()
        far = 0.5 if arg__1.modifiers() & Qt.KeyboardModifier.ShiftModifier else 0.1
        does: dict[Qt.Key, Callable[[], object]] = {
            Qt.Key.Key_Left: lambda: self.pan(-self._span * far),
            Qt.Key.Key_Right: lambda: self.pan(self._span * far),
            Qt.Key.Key_PageUp: lambda: self.pan(-self._span),
            Qt.Key.Key_PageDown: lambda: self.pan(self._span),
            Qt.Key.Key_Up: lambda: down.setValue(down.value() - down.singleStep()),
            Qt.Key.Key_Down: lambda: down.setValue(down.value() + down.singleStep()),
            Qt.Key.Key_Plus: self.zoom_in,
            Qt.Key.Key_Equal: self.zoom_in,
            Qt.Key.Key_Minus: self.zoom_out,
            Qt.Key.Key_Home: self._show_begin,
            Qt.Key.Key_End: lambda: self.set_following(True),
            Qt.Key.Key_Space: self.toggle_following,
        }
        if key in does and not arg__1.modifiers() & Qt.KeyboardModifier.ControlModifier:
            does[key]()
            arg__1.accept()
        else:
            super().keyPressEvent(arg__1)

    def _show_begin(self) -> None:
        if self._source is not None and self._source.begin:
            self._move_to(min(self._clock(), self._source.begin + self._span), follow=False)


_CUT = Qt.ClipOperation.IntersectClip


def _tick_names(left: float, step: float) -> tuple[float, str, Callable[[float], str]]:
    """Return for ticks of *step* seconds the time of day from which they count, that in words, and how to name them."""
    if step >= 1:
        midnight = datetime.fromtimestamp(left, UTC).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        base = midnight.timestamp()
        form = "%H:%M:%S" if step < 60 else "%H:%M" if step < 86_400 else "%d %b"
        return base, _clock(left, "%d %b"), lambda seconds: _clock(base + seconds + 1e-6, form)
    if step >= 1e-3:
        base = math.floor(left)
        return base, _clock(base, "%H:%M:%S"), lambda seconds: f"+{round(seconds * 1e3):,} ms"
    base = math.floor(left * 1e3) / 1e3
    name = _clock(base + 1e-5, "%H:%M:%S.%f")[:-3]
    return base, name, lambda seconds: f"+{round(seconds * 1e6):,} µs"


def _lane_words(lane: LaneLike) -> str:
    pid = f" · pid {lane.pid}" if lane.pid else " · no connection"
    holder = f" · held by {lane.holder}" if lane.holder else ""
    return f"Slot #{lane.number}{pid}\n{lane.state}{holder}"


def _fill_rounded(painter: QPainter, area: QRectF, radius: float, fill: QColor, *, left: bool, right: bool) -> None:
    """Fill *area* with round corners on the sides named."""
    if not (left or right):
        painter.fillRect(area, fill)
        return
    painter.setBrush(fill)
    painter.drawRoundedRect(area, radius, radius)
    if not left:
        painter.fillRect(area.adjusted(0, 0, -area.width() + radius, 0), fill)
    if not right:
        painter.fillRect(area.adjusted(area.width() - radius, 0, 0, 0), fill)


class TimelineLegend(QWidget):
    """What the bars mean: a sample of each beside its word."""

    _ROWS = (
        (RUNNING, "running"),
        (IN_TRANSACTION, "in transaction"),
        (FAILED, "failed"),
        (HELD, "held"),
        (OPENING, "opening"),
    )

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Legend")
        self.setAccessibleDescription(
            "Running: with a base line. Idle in transaction: hatched. Failed transaction: cross-hatched. "
            "Held: plain. Opening: half as high."
        )
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setToolTip(self.accessibleDescription())

    @override
    def sizeHint(self) -> QSize:
        metrics = QFontMetricsF(self._font())
        width = sum(self._sample() + metrics.horizontalAdvance(words) for _, words in self._ROWS)
        width += len(self._ROWS) * theme.scaled(11)
        return QSize(math.ceil(width), math.ceil(metrics.height()) + theme.scaled(4))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.update()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(self._font())
            metrics = QFontMetricsF(painter.font())
            inks, x, high = _Inks(), 0.0, float(theme.scaled(11))
            for state, words in self._ROWS:
                area = QRectF(x, (self.height() - high) / 2, self._sample(), high)
                painter.setPen(Qt.PenStyle.NoPen)
                if state == OPENING:
                    area = area.adjusted(0, high * 0.3, 0, -high * 0.3)
                _fill_rounded(painter, area, 2.5, inks.fills[state], left=True, right=True)
                if state == RUNNING:
                    raised = -high * 0.12 if inks.has_bright_fills else 0.0
                    painter.fillRect(area.adjusted(2, high * 0.75, -2, raised), inks.foot)
                elif (pattern := inks.patterns.get(state)) is not None:
                    painter.setBrushOrigin(area.topLeft())
                    painter.fillRect(area, pattern)
                x = area.right() + theme.scaled(4)
                painter.setPen(inks.muted)
                wide = metrics.horizontalAdvance(words) + 2
                painter.drawText(QRectF(x, 0, wide, self.height()), Qt.AlignmentFlag.AlignVCenter, words)
                x += wide + theme.scaled(5)
        finally:
            painter.end()

    def _font(self) -> QFont:
        return theme.sans(self.font().pointSizeF() * 0.92)

    def _sample(self) -> float:
        return float(theme.scaled(15))
