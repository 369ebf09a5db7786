"""What a timeline shows at one moment, and where on the screen: the arithmetic of its layout."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFont, QFontMetricsF

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.timeline_source import LaneLike, TimelineSource


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything is, in pixels of the viewport."""

    plot: QRectF  # right of the labels: time
    axis: QRectF
    strip: QRectF  # of the marks' labels
    lanes: QRectF
    waits: QRectF
    row: float  # height of a lane
    bar: float  # of its bars


@dataclass(frozen=True)
class Sight:
    """A source from one moment to another, on so many pixels. It stays as it is while it is painted."""

    source: TimelineSource | None
    lanes: Sequence[LaneLike]
    now: float
    left: float  # the moments at both edges
    right: float
    following: bool  # whether the right edge is now, and the axis tells how long ago
    width: int
    height: int
    ratio: float  # pixels of the screen in one of these
    font: QFont
    scrolled: int  # pixels of lanes above those in sight
    has_marks: bool
    wait_rows: int  # rows for which there is room below the lanes

    @property
    def span(self) -> float:
        """How many seconds are in sight."""
        return self.right - self.left

    @cached_property
    def places(self) -> Places:
        """Where everything is."""
        area = QRectF(0, 0, self.width, self.height)
        metrics = QFontMetricsF(self.font)
        line = metrics.height()
        gutter = self._gutter(metrics)
        right = area.width() - theme.scaled(10)
        axis = line + theme.scaled(6)
        strip = line + theme.scaled(3) if self.has_marks else 0.0
        row = max(float(theme.scaled(22)), line + theme.scaled(6))
        source = self.source
        room = area.height() - axis - strip - theme.scaled(4)
        has_waits = source is not None and source.has_waits
        least = max(row, min(room * 0.3, self.wait_rows * theme.scaled(7) + theme.scaled(10))) if has_waits else 0.0
        # Whole lanes, and those who wait right below the last.
        count = max(1, len(self.lanes))
        lanes = max(1, min(count, int((room - least) // row))) * row
        wanted = self.wait_rows * theme.scaled(17) + theme.scaled(10)
        waits = max(least, min(wanted, room - lanes)) if has_waits else 0.0
        plot = QRectF(gutter, 0.0, max(20.0, right - gutter), area.height())
        return Places(
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
        widest = max((len(f"#{lane.number} {lane.pid}") for lane in self.lanes), default=0)
        labels = metrics.horizontalAdvance("0" * widest)
        return max(labels, metrics.horizontalAdvance("00:00:00.000")) + theme.scaled(18)

    def lanes_in_sight(self) -> list[tuple[LaneLike, float]]:
        """Return the lanes in sight, each with the pixel at which it begins."""
        places, scrolled = self.places, self.scrolled
        first = max(0, int(scrolled // places.row))
        lanes = self.lanes[first : first + int(places.lanes.height() // places.row) + 2]
        top = places.lanes.top() - scrolled
        return [(lane, top + (first + place) * places.row) for place, lane in enumerate(lanes)]

    def x_of(self, at: float) -> float:
        """Return the pixel at which the moment *at* is."""
        plot = self.places.plot
        return plot.left() + (at - self.left) / self.span * plot.width()

    def time_at(self, x: float) -> float:
        """Return the moment at the pixel *x*."""
        plot = self.places.plot
        return self.left + (x - plot.left()) / plot.width() * self.span

    def wait_height(self, area: QRectF, rows: int) -> float:
        """Return how high each of *rows* waits is in *area*."""
        return min(float(theme.scaled(17)), area.height() / rows)
