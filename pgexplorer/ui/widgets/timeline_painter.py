"""How a timeline is painted: its axis, lanes, waits, gaps and marks, piece by piece.

Spans that are wide enough are painted one by one; where they are narrower than a pixel the share of the time is, so
that a hundred thousand are painted as quickly as a hundred.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter, QPen, QPolygonF

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.states import mark_colour, paint_glyph
from pgexplorer.ui.widgets.timeline_columns import Columns, graph_tables, row_tables
from pgexplorer.ui.widgets.timeline_inks import Inks, fill_rounded
from pgexplorer.ui.widgets.timeline_marks import paint_marks
from pgexplorer.ui.widgets.timeline_sight import Sight
from pgexplorer.ui.widgets.timeline_source import FAILED, HELD, OPENING, RUNNING, SpanLike, TimelineSource, WaitLike
from pgexplorer.ui.widgets.timeline_time import ago, tick_names, tick_step

MOST_WAITS = 200  # painted one by one
_MOST_ITEMS = 900  # spans painted one by one, in all lanes together
_ARROW_ROOM = 25  # pixels of width for each arrow: more arrows would hide the bars
_MOST_SHAPES = 60
_MOST_AT_ONCE = 0.003  # seconds for new columns in one paint

Step = Callable[[QPainter], None]


class TimelinePainter:
    """Paints sights of one source after another, and keeps what the next one can use again."""

    def __init__(self) -> None:
        self.inks = Inks()
        self.columns: dict[int, Columns] = {}
        self.is_unfinished = False  # the last paint: lanes wait for the next one
        self.has_marks = False  # there were some, and there is room for them
        self.wait_rows = 0
        self._tables: tuple[int, list[bytes]] = (0, [])
        self._deadline = math.inf

    def forget(self) -> None:
        """Begin anew: another source is shown."""
        self.columns.clear()
        self.has_marks = False
        self.wait_rows = 0

    def paint(self, painter: QPainter, sight: Sight, *, in_haste: bool = False) -> None:
        """Paint *sight*; *in_haste*, not all lanes are counted anew at once, and `is_unfinished` tells."""
        for step in self.steps(sight, in_haste=in_haste):
            take_step(painter, sight, step)

    def steps(self, sight: Sight, *, in_haste: bool = False) -> Iterator[Step]:
        """Yield what paints *sight* piece by piece, to be called in order, with any painter on the same picture."""
        if self.inks.colours is not theme.current():
            self.inks = Inks()
        self.is_unfinished = False
        self._deadline = time.perf_counter() + _MOST_AT_ONCE if in_haste else math.inf
        yield partial(self._paint_ground, sight=sight)
        source = sight.source
        if source is None or not source.begin:
            yield partial(self._paint_nothing, sight=sight)
            return
        marks = source.marks(sight.left, sight.right)
        if marks and not self.has_marks:
            self.has_marks = True
            sight = replace(sight, has_marks=True)
        yield partial(self._paint_axis, sight=sight, source=source)
        yield partial(self._paint_labels, sight=sight)
        yield from self._lane_steps(sight, source)
        if sight.places.waits.height() > 0:
            yield partial(self._paint_waits, sight=sight, source=source)
        if source.missed:
            yield partial(self._paint_gaps, sight=sight, source=source)
        if marks:
            yield partial(paint_marks, inks=self.inks, sight=sight, marks=marks)

    def _paint_ground(self, painter: QPainter, sight: Sight) -> None:
        painter.fillRect(QRectF(0, 0, sight.width, sight.height), self.inks.surface)

    def _paint_nothing(self, painter: QPainter, sight: Sight) -> None:
        area = QRectF(0, 0, sight.width, sight.height).adjusted(theme.scaled(16), 0, -theme.scaled(16), 0)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.setPen(self.inks.muted)
        painter.setFont(theme.sans())
        painter.drawText(area, flags, "Nothing happened yet. Every connection that is checked out gets a bar here.")

    def _paint_axis(self, painter: QPainter, sight: Sight, source: TimelineSource) -> None:
        places, metrics = sight.places, QFontMetricsF(painter.font())
        least = metrics.horizontalAdvance("00:00:00" if not sight.following else "-00m00s") + theme.scaled(16)
        plot, per_second = places.plot, places.plot.width() / sight.span
        step = tick_step(least / per_second)
        left = sight.left
        ticks: list[tuple[float, str]] = []
        corner = ""
        if sight.following:
            numbers = range(int(sight.span / step) + 1)
            ticks = [(plot.right() - number * step * per_second, ago(number * step, step)) for number in numbers]
        else:
            base, corner, name = tick_names(source.wall(left), step)
            shift = base - source.wall(left)  # both are large: their difference is small and exact
            first = math.ceil((-shift) / step)
            for number in range(first, first + int(sight.span / step) + 2):
                x = plot.left() + (shift + number * step) * per_second
                if x <= plot.right() + 0.5:
                    ticks.append((x, name(number * step)))
        painter.setPen(self.inks.line)
        bottom = max(places.lanes.bottom(), places.waits.bottom())
        for x, _ in ticks:
            painter.drawLine(QPointF(round(x) + 0.5, places.axis.bottom()), QPointF(round(x) + 0.5, bottom))
        painter.setPen(self.inks.muted)
        centred = Qt.AlignmentFlag.AlignCenter
        taken = sight.width + 1.0
        for x, name in sorted(ticks, reverse=True):
            width = metrics.horizontalAdvance(name) + 2
            begin = min(max(x - width / 2, plot.left() - theme.scaled(4)), sight.width - width - 2)
            if begin + width > taken:
                continue
            taken = begin - theme.scaled(6)
            painter.drawText(QRectF(begin, 0, width, places.axis.height()), centred, name)
        if corner:
            painter.setPen(self.inks.text)
            area = QRectF(theme.scaled(10), 0, plot.left() - theme.scaled(14), places.axis.height())
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, corner)

    # -- lanes -------------------------------------------------------------------------------------------------

    def _paint_labels(self, painter: QPainter, sight: Sight) -> None:
        places = sight.places
        painter.setClipRect(QRectF(0, places.lanes.top(), sight.width, places.lanes.height()))
        area = QRectF(theme.scaled(10), 0, places.plot.left() - theme.scaled(14), places.row)
        for lane, y in sight.lanes_in_sight():
            painter.setPen(self.inks.text if lane.pid else self.inks.muted)
            label = f"#{lane.number} {lane.pid}" if lane.pid else f"#{lane.number} –"
            painter.drawText(area.translated(0, y), Qt.AlignmentFlag.AlignVCenter, label)

    def _lane_steps(self, sight: Sight, source: TimelineSource) -> Iterator[Step]:
        lanes = sight.lanes_in_sight()
        counts = [source.count(lane.number, sight.left, sight.right) for lane, _ in lanes]
        budget = max(12, _MOST_ITEMS // max(1, len(lanes)))
        dense = sum(count > budget for count in counts)
        for (lane, y), count in zip(lanes, counts, strict=True):
            of_lane = {"lane": lane.number, "y": y, "is_dense": count > budget, "dense": dense}
            yield partial(self._paint_lane, sight=sight, source=source, **of_lane)
        for gone in set(self.columns).difference(lane.number for lane, _ in lanes):
            del self.columns[gone]

    def _paint_lane(
        self,
        painter: QPainter,
        sight: Sight,
        source: TimelineSource,
        lane: int,
        y: float,
        *,
        is_dense: bool,
        dense: int,
    ) -> None:
        left, right, places = sight.left, sight.right, sight.places
        painter.setClipRect(places.lanes)
        bar = QRectF(places.plot.left(), y + (places.row - places.bar) / 2, places.plot.width(), places.bar)
        known = right if is_dense else min(right, max(left, source.kept_since(lane)))
        if known > left and known > source.begin:
            self._paint_columns(painter, sight, source, lane, bar, known, dense)
        if known < right:
            painter.save()
            if known > left:
                painter.setClipRect(
                    bar.adjusted((known - left) / sight.span * bar.width(), 0, 0, 0),
                    Qt.ClipOperation.IntersectClip,
                )
            self._paint_spans(painter, sight, source.spans(lane, known, right, sight.now), bar)
            painter.restore()

    def _paint_columns(
        self, painter: QPainter, sight: Sight, source: TimelineSource, lane: int, bar: QRectF, until: float, dense: int
    ) -> None:
        """Paint the shares of the time, a column a pixel or two, up to the moment *until*."""
        left = sight.left
        width = 2.0 ** math.floor(math.log2(sight.span / bar.width() * (3 if dense > 6 else 1.5)))
        columns = self.columns.get(lane)
        first, after = int(left // width), int(until // width) + 1
        if columns is None or columns.width != width:
            fresh = Columns(width)
        else:
            fresh = columns if columns.unknown(first, after) * 4 < after - first else Columns(width)
        if fresh is not columns and time.perf_counter() > self._deadline:
            # Not all lanes at once: until the next paint this one is shown on the scale that it had.
            self.is_unfinished = True
            if columns is None:
                return
            width, first, codes = columns.width, columns.first, columns.codes
        else:
            codes = fresh.between(source, lane, first, after, sight.now)
            self.columns[lane] = fresh
        if not any(codes):
            return
        height = max(1, round(bar.height() * sight.ratio))
        if self._tables[0] != height:
            self._tables = (height, row_tables(height))
        pixels = b"".join([codes.translate(table) for table in self._tables[1]])
        image = QImage(pixels, len(codes), height, len(codes), QImage.Format.Format_Indexed8)
        image.setColorTable(self.inks.column)
        per_second = bar.width() / sight.span
        begin = bar.left() + (first * width - left) * per_second
        painter.save()
        end = bar.left() + (until - left) * per_second
        painter.setClipRect(
            QRectF(bar.left(), bar.top(), end - bar.left(), bar.height()), Qt.ClipOperation.IntersectClip
        )
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(begin, bar.top(), len(codes) * width * per_second, bar.height()), image)
        painter.restore()

    def _paint_spans(self, painter: QPainter, sight: Sight, spans: Sequence[SpanLike], bar: QRectF) -> None:
        """Paint *spans* one by one; who holds what stands where it fits."""
        inks = self.inks
        left, per_second, x0 = sight.left, bar.width() / sight.span, bar.left()
        edge, top, height = bar.right(), bar.top(), bar.height()
        ratio = sight.ratio
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
                fill_rounded(painter, area, radius, fill, left=is_first, right=is_last)
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
        painter.setPen(self.inks.on_fill)
        for begin, width, span in labels:
            first = max(begin, bar.left()) + inset
            room = min(begin + width, bar.right()) - first - inset / 2
            text = plain.one_line(span.holder or span.thread, 80)
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, room)
            if len(shown) > 2 or shown == text:
                area = QRectF(first, bar.top(), room, bar.height())
                painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine, shown)

    # -- waiting -----------------------------------------------------------------------------------------------

    def _paint_waits(self, painter: QPainter, sight: Sight, source: TimelineSource) -> None:
        places = sight.places
        area = places.waits
        painter.setPen(self.inks.line)
        painter.drawLine(area.topLeft() + QPointF(-area.left(), 0.5), area.topRight() + QPointF(0, 0.5))
        words = f"{source.waiting:,} waiting" if source.waiting else "waiting"
        painter.setPen(self.inks.text if source.waiting else self.inks.muted)
        gutter = QRectF(theme.scaled(10), area.top(), area.left() - theme.scaled(14), places.row)
        painter.drawText(gutter, Qt.AlignmentFlag.AlignVCenter, words)
        inner = area.adjusted(0, theme.scaled(5), 0, -theme.scaled(5))
        left, right = sight.left, sight.right
        waits = source.waits(left, right, sight.now) if source.wait_count(left, right) <= MOST_WAITS else None
        rows = max((wait.row for wait in waits), default=0) + 1 if waits is not None else 0
        if waits is None or rows * 3 > inner.height():
            self._paint_wait_columns(painter, sight, source, inner)
            self.wait_rows = max(self.wait_rows, 4)
            return
        self.wait_rows = max(self.wait_rows, min(rows, 6))
        painter.save()
        painter.setClipRect(QRectF(area.left(), places.lanes.top(), area.width(), area.bottom() - places.lanes.top()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        per_second = area.width() / sight.span
        high = sight.wait_height(inner, rows)
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
            painter.fillRect(bar, self.inks.wait_fill)
            painter.fillRect(QRectF(bar.left(), bar.top(), min(1.5, bar.width()), thick), self.inks.wait)
            if thick >= metrics.ascent() and bar.width() > 24:
                room = QRectF(bar.intersected(area)).adjusted(theme.scaled(5), -2, -2, 2)
                text = plain.one_line(wait.holder or wait.thread, 80)
                painter.setPen(self.inks.on_fill)
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
                self._paint_arrow(painter, sight, source, wait, QPointF(end, y + thick / 2))
        painter.restore()

    def _paint_arrow(
        self, painter: QPainter, sight: Sight, source: TimelineSource, wait: WaitLike, start: QPointF
    ) -> None:
        """Lead from the end of a wait up to the moment at which its connection came home."""
        places = sight.places
        place = next((place for place, lane in enumerate(sight.lanes) if lane.number == wait.lane), None)
        if place is None:
            return
        y = places.lanes.top() - sight.scrolled + (place + 1) * places.row
        y -= (places.row - places.bar) / 2
        if not places.lanes.top() < y <= places.lanes.bottom() + 1:
            return
        x = places.plot.left() + (wait.served_at - sight.left) / sight.span * places.plot.width()
        tip = QPointF(x, y)
        length = math.hypot(start.x() - tip.x(), start.y() - tip.y())
        if length < 3:
            return
        side = float(theme.scaled(5))
        along = (start - tip) / length
        across = QPointF(-along.y(), along.x())
        painter.setPen(QPen(self.inks.wait, 1.2))
        painter.drawLine(start, tip + along * side)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.inks.wait)
        painter.drawPolygon(
            QPolygonF([tip, tip + along * side + across * side / 2, tip + along * side - across * side / 2])
        )

    def _paint_wait_columns(self, painter: QPainter, sight: Sight, source: TimelineSource, area: QRectF) -> None:
        """Paint how many waited, on average, in each pixel or two."""
        count = max(1, int(area.width() / 2))
        width = sight.span / count
        waited = source.waited(sight.left, width, count, sight.now)
        most = max(1.0, max(waited) / width)
        height = min(250, max(4, round(area.height() * sight.ratio)))
        scale = (height - 1) / width / most
        codes = bytes([min(height - 1, math.ceil(seconds * scale)) for seconds in waited])
        pixels = b"".join([codes.translate(table) for table in graph_tables(height)])
        image = QImage(pixels, count, height, count, QImage.Format.Format_Indexed8)
        image.setColorTable([0, self.inks.wait_fill.rgba(), self.inks.wait.rgba()])
        painter.drawImage(area, image)
        painter.setPen(self.inks.muted)
        words = f"at most {most:,.0f} at a time" if most >= 1.5 else ""
        flags = Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft
        if words and QFontMetricsF(painter.font()).height() < area.height():
            painter.drawText(area.adjusted(theme.scaled(4), 0, 0, 0), flags, words)

    # -- gaps --------------------------------------------------------------------------------------------------

    def _paint_gaps(self, painter: QPainter, sight: Sight, source: TimelineSource) -> None:
        places = sight.places
        left = sight.left
        count = max(1, int(places.plot.width()))
        width = sight.span / count
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
            painter.fillRect(QRectF(first, places.lanes.top(), last - first, places.lanes.height()), self.inks.gap)
        metrics = QFontMetricsF(painter.font())
        painter.setPen(self.inks.muted)
        for first, last in runs:
            # One figure for each run: gaps that touch on the screen are told together.
            if last - first < theme.scaled(60):
                continue
            among = source.gaps(sight.time_at(first), sight.time_at(last))
            if not (missed := sum(gap[2] for gap in among)):
                continue
            words = metrics.elidedText(f"{missed:,} events missed", Qt.TextElideMode.ElideRight, last - first - 8)
            wide = metrics.horizontalAdvance(words) + 8
            area = QRectF(
                (first + last - wide) / 2, places.lanes.bottom() - metrics.height() - 3, wide, metrics.height()
            )
            painter.fillRect(area, self.inks.surface)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, words)


def take_step(painter: QPainter, sight: Sight, step: Step) -> None:
    """Paint one piece, and leave *painter* as it was."""
    painter.save()
    painter.setFont(sight.font)
    step(painter)
    painter.restore()
