"""How times are spread: a histogram whose both axes are logarithmic, with its percentiles as lines."""

import math
from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import tips

_PATTERNS = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
_LEAST_DECADES = 3
_UNITS = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"))


def human_seconds(seconds: float) -> str:
    """Return a time in the unit that suits it: "340 µs", "1.2 ms", "4.0 s", "2 min 05 s", "1 h 02 min"."""
    if seconds <= 0:
        return "0"
    if seconds < 60:
        size, unit = next(((size, unit) for size, unit in _UNITS if seconds < size * 999.5), _UNITS[-1])
        number = seconds / size
        is_whole = number >= 99.5 or (unit == "µs" and number >= 9.95)
        return f"{number:.0f} {unit}" if is_whole else f"{number:.1f} {unit}"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


class HistogramChart(QWidget):
    """A title, the percentiles in words and as lines, and bars for the buckets.

    Counts are drawn on a logarithmic scale too: one long wait among a million short ones must be seen.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = ""
        self._buckets: tuple[tuple[float, int], ...] = ()
        self._marks: tuple[tuple[str, float], ...] = ()
        self._total = self._most = 0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_times(self, title: str, buckets: Sequence[tuple[float, int]], marks: Sequence[tuple[str, float]]) -> None:
        """Show *buckets*, each its upper edge in seconds and its count, and *marks*, each a name and its seconds."""
        wanted = tuple(buckets), tuple(marks)
        if (title, *wanted) == (self._title, self._buckets, self._marks):
            return
        self._title = title
        self._buckets, self._marks = wanted
        self._total = sum(count for _, count in wanted[0])
        self._most = max((count for _, count in wanted[0]), default=0)
        self.setAccessibleName(title)
        self.setAccessibleDescription(self.words())
        self.update()

    def words(self) -> str:
        """Return what it shows: "120 times; p50 1.2 ms; max 4.0 s"."""
        if not self._total:
            return "nothing yet"
        return "; ".join([_times(self._total), *(f"{name} {human_seconds(seconds)}" for name, seconds in self._marks)])

    def span(self) -> tuple[float, float]:
        """Return the ends of the axis in seconds, whole powers of ten."""
        if not self._buckets:
            return 1e-6, 1.0
        low = math.floor(math.log10(self._lower(0)) + 0.001)
        high = max(math.ceil(math.log10(self._buckets[-1][0]) - 0.001), low + 1)
        missing = max(0, _LEAST_DECADES - (high - low))
        return 10.0 ** (low - missing // 2), 10.0 ** (high + missing - missing // 2)

    def top(self) -> int:
        """Return the count at the upper end of the scale, a power of ten."""
        return 10 ** max(1, math.ceil(math.log10(self._most) - 1e-9)) if self._most else 10

    def bucket_at(self, x: float) -> str:
        """Return in words what lies at *x* pixels from the left; "" where there is nothing."""
        plot = self._plot()
        if not self._buckets or plot.width() <= 0:
            return ""
        low, high = self.span()
        seconds = low * (high / low) ** ((x - plot.left()) / plot.width())
        for place, (upper, count) in enumerate(self._buckets):
            lower = self._lower(place)
            if lower <= seconds < upper:
                share = 100 * count / self._total
                return f"{human_seconds(lower)} to {human_seconds(upper)}: {_times(count)}, {share:.1f} %"
        return ""

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(280), theme.scaled(170))

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(200), theme.scaled(130))

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self.updateGeometry()
            self.update()

    @override
    def event(self, event: QEvent) -> bool:
        if (at := tips.asked_at(event)) is not None:
            return tips.show_tip(event, self.bucket_at(at.x()) if self._plot().contains(QPointF(at)) else "", self)
        return super().event(event)

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        try:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._paint_head(painter)
            plot = self._plot()
            if plot.height() > 8:
                self._paint_axis(painter, plot)
                self._paint_bars(painter, plot)
                self._paint_marks(painter, plot)
        finally:
            painter.end()

    # -- parts --------------------------------------------------------------------------------------------------

    def _paint_head(self, painter: QPainter) -> None:
        line = self._line()
        painter.setFont(self._title_font())
        painter.setPen(theme.colour("text"))
        title = QFontMetricsF(self._title_font()).elidedText(self._title, Qt.TextElideMode.ElideRight, self.width())
        painter.drawText(QRectF(0, 0, self.width(), line), Qt.AlignmentFlag.AlignVCenter, title)
        painter.setFont(self.font())
        painter.setPen(theme.colour("muted"))
        used = QFontMetricsF(self._title_font()).horizontalAdvance(title) + theme.scaled(8)
        said = _times(self._total) if self._total else "nothing yet"
        room = QRectF(used, 0, max(0.0, self.width() - used), line)
        if QFontMetricsF(self.font()).horizontalAdvance(said) <= room.width():
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, said)
        for place, (x, y) in enumerate(self._legend()):
            name, seconds = self._marks[place]
            middle = y + line / 2
            sample = theme.scaled(15)
            painter.setPen(self._pen(place))
            painter.drawLine(QPointF(x, middle), QPointF(x + sample, middle))
            painter.setPen(theme.colour("text"))
            text = QRectF(x + sample + theme.scaled(5), y, self.width(), line)
            painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, f"{name} {human_seconds(seconds)}")

    def _paint_axis(self, painter: QPainter, plot: QRectF) -> None:
        low, high = self.span()
        metrics = QFontMetricsF(self._small_font())
        painter.setFont(self._small_font())
        grid, words = QPen(theme.colour("line"), 1), QPen(theme.colour("muted"))
        decades = round(math.log10(high / low))
        labels = [_decade(low * 10.0**step) for step in range(decades + 1)]
        widest = max(metrics.horizontalAdvance(label) for label in labels) + theme.scaled(8)
        stride = max(1, math.ceil(widest / (plot.width() / decades)))
        for step, label in enumerate(labels):
            x = plot.left() + plot.width() * step / decades
            painter.setPen(grid)
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))
            if step % stride == 0:
                painter.setPen(words)
                under = QRectF(x - widest / 2, plot.bottom() + theme.scaled(2), widest, metrics.height())
                painter.drawText(under, Qt.AlignmentFlag.AlignCenter, label)
        powers = round(math.log10(self.top()))
        stride = max(1, math.ceil(metrics.height() * (powers + 1) / plot.height()))
        for power in range(powers, -1, -stride):
            y = plot.bottom() - self._height(10**power, plot)
            painter.setPen(grid)
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            painter.setPen(words)
            beside = QRectF(0, y - metrics.height() / 2, plot.left() - theme.scaled(5), metrics.height())
            painter.drawText(beside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, _short(10**power))
        painter.setPen(QPen(theme.colour("border"), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())

    def _paint_bars(self, painter: QPainter, plot: QRectF) -> None:
        low, high = self.span()
        scale = plot.width() / math.log(high / low)
        step = plot.height() / (1 + math.log10(self.top()))
        begin, ground = plot.left(), plot.bottom()
        bars: list[QRectF] = []
        left = begin + scale * math.log(self._lower(0) / low) if self._buckets else 0.0
        for upper, count in self._buckets:
            right = begin + scale * math.log(upper / low)
            if count:
                height = step * (1 + math.log10(count))
                bars.append(QRectF(left, ground - height, max(1.0, right - left - 0.5), height))
            left = right
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("accent"))
        painter.drawRects(bars)

    def _paint_marks(self, painter: QPainter, plot: QRectF) -> None:
        if not self._total:
            return
        low, high = self.span()
        for place, (_, seconds) in enumerate(self._marks):
            if seconds <= 0:
                continue
            share = math.log(min(max(seconds, low), high) / low) / math.log(high / low)
            x = plot.left() + plot.width() * share
            painter.setPen(self._pen(place))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def _pen(self, place: int) -> QPen:
        pen = QPen(theme.colour("text"), 1.5, _PATTERNS[place % len(_PATTERNS)])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        return pen

    def _legend(self) -> list[tuple[float, float]]:
        """Return where each mark's sample and words begin, in rows below the title."""
        metrics = QFontMetricsF(self.font())
        x, y = 0.0, self._line()
        places: list[tuple[float, float]] = []
        for name, seconds in self._marks if self._total else ():
            width = theme.scaled(20) + metrics.horizontalAdvance(f"{name} {human_seconds(seconds)}")
            if places and x + width > self.width():
                x, y = 0.0, y + self._line()
            places.append((x, y))
            x += width + theme.scaled(8)
        return places

    def _plot(self) -> QRectF:
        places = self._legend()
        small = QFontMetricsF(self._small_font())
        top = (places[-1][1] if places else 0.0) + self._line() + small.height() / 2
        below = small.height() + theme.scaled(3)
        left = small.horizontalAdvance("100k") + theme.scaled(5)
        right = small.horizontalAdvance("100 ms") / 2 + 1
        return QRectF(left, top, max(1.0, self.width() - left - right), max(0.0, self.height() - top - below))

    def _height(self, count: int, plot: QRectF) -> float:
        """Return how high *count* is: 1 is a step above the ground, and so is each tenfold."""
        return plot.height() * (1 + math.log10(count)) / (1 + math.log10(self.top()))

    def _lower(self, place: int) -> float:
        if place:
            return self._buckets[place - 1][0]
        first = self._buckets[0][0]
        ratio = self._buckets[1][0] / first if len(self._buckets) > 1 else 1.1
        return first / min(ratio, 2.0)  # as wide as its neighbour

    def _line(self) -> float:
        return QFontMetricsF(self.font()).height() * 1.25

    def _title_font(self) -> QFont:
        return theme.sans(self.font().pointSizeF(), semibold=True)

    def _small_font(self) -> QFont:
        return theme.sans(self.font().pointSizeF() * 0.88)


def _decade(seconds: float) -> str:
    """Return a power of ten as an axis names it."""
    for size, unit in _UNITS:
        if seconds < size * 999:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:,.0f} s"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _short(count: int) -> str:
    return f"{count // 1_000_000}M" if count >= 1_000_000 else f"{count // 1_000}k" if count >= 1_000 else f"{count}"
