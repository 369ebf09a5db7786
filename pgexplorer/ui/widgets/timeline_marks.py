"""Marks of a timeline: those that are near to each other on the screen are one, and as many are named as fit."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter, QPen

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.states import mark_colour, paint_glyph, state_colour
from pgexplorer.ui.widgets.timeline_inks import TONES, Inks
from pgexplorer.ui.widgets.timeline_sight import Sight
from pgexplorer.ui.widgets.timeline_source import MarkLike
from pgexplorer.ui.widgets.timeline_time import duration

_MOST_MARKS = 24  # on the screen, before they are drawn together
_SHORT = {"connection lost": "lost", "leaked": "leak"}  # words for marks where their own are long


@dataclass(slots=True)
class Cluster:
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
        """Return what stands beside it."""
        text = _SHORT.get(self.kind, self.kind)
        if self.kind == "held long" and self.times == 1:
            text = f"held {duration(self.took)}"
        if self.lane:
            text += f" #{self.lane}"
        return f"{text} ×{self.times:,}" if self.times > 1 else text


def clusters_of(marks: Sequence[MarkLike], sight: Sight, near: float) -> list[Cluster]:
    """Return *marks* with those of one kind that begin less than *near* pixels apart made one."""
    plot = sight.places.plot
    left, per_second, x0, edge = sight.left, plot.width() / sight.span, plot.left(), plot.right()
    last: dict[str, Cluster] = {}
    found: list[Cluster] = []
    for mark in marks:
        x = x0 + (mark.at - left) * per_second
        kind = mark.kind
        cluster = last.get(kind)
        if cluster is not None and x - cluster.left < near:
            cluster.take(min(edge, x0 + (mark.until - left) * per_second), mark.times, mark.lane)
        else:
            until = min(edge, x0 + (mark.until - left) * per_second)
            cluster = last[kind] = Cluster(kind, x, until, mark.times, mark.lane, mark.took)
            found.append(cluster)
    return found


def wider(clusters: Sequence[Cluster], near: float) -> list[Cluster]:
    """Return *clusters* with those of one kind that begin less than *near* pixels apart made one."""
    last: dict[str, Cluster] = {}
    found: list[Cluster] = []
    for cluster in clusters:
        before = last.get(cluster.kind)
        if before is not None and cluster.left - before.left < near:
            before.take(cluster.right, cluster.times, cluster.lane)
        else:
            last[cluster.kind] = cluster
            found.append(cluster)
    return found


def paint_marks(painter: QPainter, inks: Inks, sight: Sight, marks: Sequence[MarkLike]) -> None:
    """Paint each mark's line and shape, and its words where they neither meet others nor are cut."""
    places, clusters = sight.places, clusters_of(marks, sight, theme.scaled(10))
    has_lines = len(clusters) <= _MOST_MARKS
    if not has_lines:
        clusters = wider(clusters, theme.scaled(110))
    lanes = {lane.number: place for place, lane in enumerate(sight.lanes)}
    top = places.lanes.top() - sight.scrolled
    side = float(theme.scaled(8))
    middle, after = places.strip.center().y(), 0.0
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for cluster in clusters:
        tone = TONES.get(cluster.kind, "idle")
        colour = mark_colour(tone)
        x = cluster.left
        if has_lines:
            bottom = places.lanes.bottom()
            if cluster.lane in lanes:
                bottom = min(bottom, top + (lanes[cluster.lane] + 1) * places.row)
            style = Qt.PenStyle.DotLine if cluster.lane else Qt.PenStyle.DashLine
            if bottom > places.lanes.top():
                _paint_line(painter, inks, x, places.strip.bottom() - 1, bottom, QPen(colour, 1.3, style))
            if cluster.lane in lanes and (y := bottom - places.row / 2) > places.lanes.top():
                _paint_line(painter, inks, x, y - places.bar / 2 - 1, y + places.bar / 2 + 1, QPen(colour, 2.5))
        if cluster.right - x > 2:  # from the first to the last of many
            painter.fillRect(QRectF(x, places.strip.bottom() - 2, cluster.right - x, 2), colour)
        begin = x - side / 2
        if 0 < after - begin < side + 1:  # two at one place: the shapes stand side by side
            begin = after
        after = begin + side + 1
        paint_glyph(painter, QRectF(begin, middle - side / 2, side, side), tone)
        cluster.room = (begin, begin + side)
    paint_words(painter, inks, sight, clusters)


def paint_words(painter: QPainter, inks: Inks, sight: Sight, clusters: list[Cluster]) -> None:
    """Name as many marks as there is room for, the bad ones and the newest first, right of them if possible."""
    places, metrics = sight.places, QFontMetricsF(painter.font())
    taken = [cluster.room for cluster in clusters]
    gap = float(theme.scaled(4))
    unnamed = sorted(clusters, key=lambda each: (TONES.get(each.kind, "idle") != "bad", -each.left))
    for is_right in (True, False):
        for cluster in list(unnamed):
            words = cluster.words()
            wide = metrics.horizontalAdvance(words) + 1
            first = cluster.room[1] + gap if is_right else cluster.room[0] - gap - wide
            last = first + wide
            if first < places.strip.left() or last > sight.width - 2:
                continue
            if any(first < b + gap and a - gap < last for a, b in taken if (a, b) != cluster.room):
                continue
            taken.append((first, last))
            unnamed.remove(cluster)
            painter.setPen(state_colour(TONES.get(cluster.kind, "idle")))
            area = QRectF(first, places.strip.top(), wide, places.strip.height() - 2)
            painter.fillRect(area, inks.surface)  # no line goes through the words
            painter.drawText(area, Qt.AlignmentFlag.AlignVCenter, words)


def _paint_line(painter: QPainter, inks: Inks, x: float, top: float, bottom: float, pen: QPen) -> None:
    if inks.has_bright_fills:
        painter.setPen(QPen(inks.surface, pen.widthF() + 3))
        painter.drawLine(QPointF(x, top), QPointF(x, bottom))
    painter.setPen(pen)
    painter.drawLine(QPointF(x, top), QPointF(x, bottom))
