"""A timeline of lanes: who held what, what was done in it, who waited, and what went wrong; live, or standing still."""

import math
import time
from collections.abc import Callable, Iterator, Sequence

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFont,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import tips
from pgexplorer.ui.widgets.timeline_painter import MOST_WAITS, Step, TimelinePainter, take_step
from pgexplorer.ui.widgets.timeline_sight import Places, Sight
from pgexplorer.ui.widgets.timeline_source import LaneLike, SpanLike, TimelineSource, WaitLike
from pgexplorer.ui.widgets.timeline_time import duration
from pgexplorer.ui.widgets.timeline_words import Words, of_lane

SHORTEST, LONGEST = 10e-6, 40 * 86_400.0  # seconds in sight
USUAL = 60.0
_STEP = 1.25  # of the zoom
_DESCRIBE = 1.0  # seconds between two descriptions in words
_STINT = 0.0006  # seconds of painting in one turn of the event loop: busy threads take the interpreter after 1 ms
_PAUSE = 4  # milliseconds between two stints


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
        self._drawer = TimelinePainter()
        self._frame: QPixmap | None = None  # what is seen, as it was painted last
        self._next: QPixmap | None = None  # what will be seen, while it is painted piece by piece
        self._next_sight: Sight | None = None
        self._steps: Iterator[Step] = iter(())
        self._spent = 0.0  # seconds of this thread's time on the next one
        self._stint = QTimer(self, interval=_PAUSE)
        self._stint.timeout.connect(self._paint_on)
        self._is_picture = False
        self._drag: QPoint | None = None
        self._is_syncing = False
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
        self._drawer.forget()
        self._described_at = float("-inf")
        self._set_following(True)
        self.refresh()

    def refresh(self) -> None:
        """Look at the clock and at the source again, and paint that at once."""
        self._drop_frame()
        self._look()
        self.viewport().update()

    def advance(self) -> None:
        """Look again and paint that piece by piece, in many turns of the event loop; then it is seen.

        Does nothing while the one before is being painted.
        """
        if self._next is not None:
            return
        self._look()
        self._begin_frame()

    def _begin_frame(self) -> None:
        sight = self._next_sight = self._sight()
        self._next = QPixmap(round(sight.width * sight.ratio), round(sight.height * sight.ratio))
        self._next.setDevicePixelRatio(sight.ratio)
        self._steps, self._spent = self._drawer.steps(sight), 0.0
        self._stint.start()

    def _look(self) -> None:
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
        self._drop_frame()
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
        self._drop_frame()
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

    def _sight(self) -> Sight:
        """Return what is to be seen at this moment."""
        port = self.viewport()
        return Sight(
            source=self._source,
            lanes=self._lanes,
            now=self._now,
            left=self._right - self._span,
            right=self._right,
            following=self._following,
            width=port.width(),
            height=port.height(),
            ratio=self.devicePixelRatioF(),
            font=self._small(),
            scrolled=self.verticalScrollBar().value(),
            has_marks=self._drawer.has_marks,
            wait_rows=self._drawer.wait_rows,
        )

    def _small(self) -> QFont:
        return theme.sans(self.font().pointSizeF() * 0.92)

    def _places(self) -> Places:
        return self._sight().places

    def x_of(self, at: float) -> float:
        """Return the pixel of the viewport at which the moment *at* is."""
        return self._sight().x_of(at)

    def time_at(self, x: float) -> float:
        """Return the moment at the pixel *x* of the viewport."""
        return self._sight().time_at(x)

    # -- painting ----------------------------------------------------------------------------------------------

    @override
    def paintEvent(self, arg__1: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        is_unfinished = False
        try:
            if self._frame is not None:
                painter.drawPixmap(0, 0, self._frame)
            else:
                began = time.thread_time()
                self._drawer.paint(painter, self._sight(), in_haste=not self._is_picture)
                self.paint_seconds = time.thread_time() - began
                is_unfinished = self._drawer.is_unfinished
            if self.hasFocus():
                self._paint_focus(painter)
        finally:
            painter.end()
        if is_unfinished and self._next is None:
            self._begin_frame()

    def _paint_focus(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.colour("focus"), 2))
        painter.drawRoundedRect(QRectF(self.viewport().rect()).adjusted(1, 1, -1, -1), 3, 3)

    def _paint_on(self) -> None:
        """Paint the next pieces of what will be seen, and show it when it is done."""
        picture, sight = self._next, self._next_sight
        if picture is None or sight is None:
            self._stint.stop()
            return
        began = time.thread_time()
        spent, is_done = 0.0, False
        painter = QPainter(picture)
        try:
            while spent < _STINT and not is_done:
                step = next(self._steps, None)
                if step is None:
                    is_done = True
                else:
                    take_step(painter, sight, step)
                spent = time.thread_time() - began
        finally:
            painter.end()
        self._spent += spent
        if is_done:
            self._drop_frame()
            self._frame, self.paint_seconds = picture, self._spent
            self.viewport().update()

    def _drop_frame(self) -> None:
        """Forget what was painted, and what is being painted: it is not what is to be seen any more."""
        self._stint.stop()
        self._steps = iter(())
        self._frame = self._next = self._next_sight = None

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
        if self._source.wait_count(left, right) > MOST_WAITS:
            return None
        rows = max((wait.row for wait in self._source.waits(left, right, self._now)), default=0) + 1
        row = int((point.y() - inner.top()) // self._sight().wait_height(inner, rows))
        waits = self._source.waits(*self._around(point.x()), self._now)
        return next((wait for wait in waits if wait.row == row), None)

    def words_at(self, point: QPointF) -> str:
        """Return what is under *point* in words: what, since when, how long, the statement."""
        source, sight = self._source, self._sight()
        places, words = sight.places, Words(sight)
        if source is None or point.x() < places.plot.left():
            lane = self.lane_at(point.y())
            return of_lane(lane) if lane is not None else ""
        if point.y() < places.lanes.top():
            near = source.marks(self.time_at(point.x() - 6), self.time_at(point.x() + 6))
            return "\n\n".join(words.of_mark(mark) for mark in near[-4:])
        if (wait := self.wait_at(point)) is not None:
            return words.of_wait(wait)
        said: list[str] = []
        lane = self.lane_at(point.y())
        if lane is not None:
            near_marks = source.marks(*self._around(point.x()))
            said += [words.of_mark(mark) for mark in near_marks if mark.lane in {0, lane.number}][-3:]
            first, last = self._around(point.x())
            if source.count(lane.number, first, last) > 12 or self.time_at(point.x()) < source.kept_since(lane.number):
                said.append(words.of_shares(source, lane.number, first, last))
            elif spans := self.spans_at(point):
                said += words.of_spans(spans)
        for first, last, count in source.gaps(*self._around(point.x()))[:1]:
            said.append(f"{count:,} events missed\n{words.when(first, last)}")
        return "\n\n".join(part for part in said if part)

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
        self._drop_frame()
        self._sync_bars()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._drop_frame()

    @override
    def changeEvent(self, arg__1: QEvent) -> None:
        super().changeEvent(arg__1)
        if arg__1.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._drop_frame()
            self.updateGeometry()
            self.viewport().update()

    @override
    def viewportEvent(self, event: QEvent) -> bool:
        if (at := tips.asked_at(event)) is not None:
            return tips.show_tip(
                event, self.words_at(QPointF(at)), self.viewport(), QRect(at - QPoint(2, 2), QSize(5, 5))
            )
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
