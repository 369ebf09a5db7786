"""How often things happen, over the last minutes: a line for each, told by its dashes as well as by its colour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.ui import theme

_PATTERNS = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
_COLOURS = ("info", "warn", "bad", "purple")
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600)  # seconds between two ticks


@dataclass(frozen=True, slots=True)
class RateLine:
    """One kind of happening: its name, and (begin, end, times a second) for each stretch of time, oldest first."""

    label: str
    rates: tuple[tuple[float, float, float], ...]

    @property
    def latest(self) -> float:
        """The newest rate, 0 before the first."""
        return self.rates[-1][2] if self.rates else 0.0


class RateChart(QWidget):
    """Lines over time with a legend that has the newest values; upwards the scale is logarithmic above 1."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = ""
        self._lines: tuple[RateLine, ...] = ()
        self._now = 0.0
        self._span = 60.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_lines(self, title: str, lines: Sequence[RateLine], *, now: float, span: float) -> None:
        """Show the last *span* seconds before *now* of four lines at most."""
        wanted = tuple(lines)
        if (title, wanted, span) == (self._title, self._lines, self._span):
            return
        self._title, self._lines, self._now, self._span = title, wanted, now, span
        self.setAccessibleName(title)
        self.setAccessibleDescription(self.words())
        self.update()

    def words(self) -> str:
        """Return the newest values: "check-outs 120 /s; refusals 0 /s"."""
        return "; ".join(f"{line.label} {human_rate(line.latest)}" for line in self._lines)

    def top(self) -> float:
        """Return the rate at the upper end of the scale, a power of ten."""
        since = self._now - self._span
        most = max((rate for line in self._lines for _, end, rate in line.rates if end >= since), default=0.0)
        return 10.0 ** max(1, math.ceil(math.log10(most) - 1e-9)) if most > 0 else 10.0

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(300), theme.scaled(170))

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(220), theme.scaled(130))

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
            self._paint_head(painter)
            plot = self._plot()
            if plot.height() > 8 and plot.width() > 8:
                self._paint_scale(painter, plot)
                self._paint_lines(painter, plot)
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
        sample = theme.scaled(22)
        for place, (x, y) in enumerate(self._legend()):
            painter.setPen(self._pen(place))
            painter.drawLine(QPointF(x, y + line / 2), QPointF(x + sample, y + line / 2))
            painter.setPen(theme.colour("text"))
            text = QRectF(x + sample + theme.scaled(5), y, self.width(), line)
            painter.drawText(text, Qt.AlignmentFlag.AlignVCenter, self._words_of(place))

    def _paint_scale(self, painter: QPainter, plot: QRectF) -> None:
        metrics = QFontMetricsF(self._small_font())
        painter.setFont(self._small_font())
        grid, words = QPen(theme.colour("line"), 1), QPen(theme.colour("muted"))
        ticks = [0.0, *(10.0**power for power in range(round(math.log10(self.top())) + 1))]
        room = plot.height() / max(1, len(ticks) - 1)
        stride = max(1, math.ceil(metrics.height() / room))
        for place, value in enumerate(ticks):
            y = self._y(value, plot)
            painter.setPen(grid)
            painter.drawLine(QPointF(plot.left(), y), QPointF(plot.right(), y))
            # From the top, so that the end of the scale always has its number; 0 always has one too.
            if not place or ((len(ticks) - 1 - place) % stride == 0 and place >= stride / 2):
                painter.setPen(words)
                label = QRectF(0, y - metrics.height() / 2, plot.left() - theme.scaled(5), metrics.height())
                painter.drawText(label, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, _short(value))
        wanted = metrics.horizontalAdvance("−10 min") + theme.scaled(16)
        step = next((each for each in _STEPS if plot.width() * each / self._span >= wanted), _STEPS[-1])
        ago = 0.0
        while ago <= self._span + 1e-6:
            x = plot.right() - plot.width() * ago / self._span
            text = _ago(ago)
            width = metrics.horizontalAdvance(text) + 2
            left = min(max(plot.left(), x - width / 2), self.width() - width)
            painter.setPen(words)
            below = QRectF(left, plot.bottom() + theme.scaled(2), width, metrics.height())
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, text)
            ago += step
        painter.setPen(QPen(theme.colour("border"), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())

    def _paint_lines(self, painter: QPainter, plot: QRectF) -> None:
        painter.setClipRect(plot.adjusted(0, -2, 0, 2))
        since = self._now - self._span
        for place in reversed(range(len(self._lines))):  # the first line lies above the others
            points: list[QPointF] = []
            for begin, end, rate in self._lines[place].rates:
                if end < since:
                    continue
                y = self._y(rate, plot)
                points += [QPointF(self._x(begin, plot), y), QPointF(self._x(end, plot), y)]
            painter.setPen(self._pen(place))
            painter.drawPolyline(QPolygonF(points))
        painter.setClipping(False)

    def _x(self, at: float, plot: QRectF) -> float:
        return plot.right() - plot.width() * (self._now - at) / self._span

    def _y(self, rate: float, plot: QRectF) -> float:
        """Return the height of *rate*: even up to 1, one step for each tenfold above."""
        top = 1 + math.log10(self.top())
        height = rate if rate <= 1 else 1 + math.log10(rate)
        return plot.bottom() - plot.height() * height / top

    def _pen(self, place: int) -> QPen:
        colour = theme.colour(f"{_COLOURS[place % len(_COLOURS)]}_mark")
        pen = QPen(colour, theme.scaled(16) / 8, _PATTERNS[place % len(_PATTERNS)])
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        pen.setJoinStyle(Qt.PenJoinStyle.MiterJoin)
        return pen

    def _words_of(self, place: int) -> str:
        return f"{self._lines[place].label} {human_rate(self._lines[place].latest)}"

    def _legend(self) -> list[tuple[float, float]]:
        metrics = QFontMetricsF(self.font())
        x, y = 0.0, self._line()
        places: list[tuple[float, float]] = []
        for place, line in enumerate(self._lines):
            # As wide as its widest number will be, so that the words stand still.
            widest = max(metrics.horizontalAdvance(text) for text in (f"{line.label} 9,999 /s", self._words_of(place)))
            width = theme.scaled(27) + widest
            if places and x + width > self.width():
                x, y = 0.0, y + self._line()
            places.append((x, y))
            x += width + theme.scaled(10)
        return places

    def _plot(self) -> QRectF:
        places = self._legend()
        small = QFontMetricsF(self._small_font())
        top = (places[-1][1] if places else 0.0) + self._line() + small.height() / 2
        left = max(small.horizontalAdvance(text) for text in ("100", _short(self.top()))) + theme.scaled(6)
        below = small.height() + theme.scaled(3)
        return QRectF(left, top, max(0.0, self.width() - left - 1), max(0.0, self.height() - top - below))

    def _line(self) -> float:
        return QFontMetricsF(self.font()).height() * 1.25

    def _title_font(self) -> QFont:
        return theme.sans(self.font().pointSizeF(), semibold=True)

    def _small_font(self) -> QFont:
        return theme.sans(self.font().pointSizeF() * 0.88)


def human_rate(per_second: float) -> str:
    """Return how often in words: "0 /s", "0.2 /s", "1,240 /s"."""
    if per_second >= 10 or per_second == round(per_second):
        return f"{per_second:,.0f} /s"
    return f"{per_second:.1f} /s" if per_second >= 0.05 else "< 0.1 /s"


def _short(value: float) -> str:
    return f"{value / 1e6:g}M" if value >= 1e6 else f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def _ago(seconds: float) -> str:
    if not seconds:
        return "now"
    return f"−{seconds:g} s" if seconds % 60 else f"−{seconds / 60:g} min"
