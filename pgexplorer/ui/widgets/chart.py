"""A live chart: lines over the last minutes, drawn by pyqtgraph in the theme's colours. Loaded when first wanted.

Each line is told by its dashes as well as by its colour, and its newest value stands in the legend, in words.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from PySide6.QtCore import QEvent, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.flow_layout import FlowLayout

_pg: Any = import_module("pyqtgraph")  # it brings numpy, and no types
_PATTERNS = (Qt.PenStyle.SolidLine, Qt.PenStyle.DashLine, Qt.PenStyle.DotLine, Qt.PenStyle.DashDotLine)
_COLOURS = ("info", "warn", "purple", "good", "bad")


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, and (at, value) oldest first; a point without news is left out."""

    label: str
    points: tuple[tuple[float, float], ...]

    @property
    def latest(self) -> float | None:
        """The newest value."""
        return self.points[-1][1] if self.points else None


class LiveChart(QWidget):
    """Lines over time under a title, with a legend that has the newest values. Nothing in it can be dragged."""

    def __init__(self, title: str, words: Callable[[float], str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = words
        self._lines: tuple[Line, ...] = ()
        self._limit: float | None = None
        self._now, self._span, self._top = 0.0, 60.0, 0.0
        self.setAccessibleName(title)
        self._heading = QLabel(title, textFormat=Qt.TextFormat.PlainText)
        self._heading.setProperty("heading", 2)
        self._legend = QWidget()
        self._flow = FlowLayout(self._legend, spacing=12, row_spacing=2)
        self._keys: list[_Key] = []
        self.plot: Any = _pg.PlotWidget(axisItems={"bottom": _Ago("bottom"), "left": _Values("left", words)})
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.hideButtons()
        self.plot.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Ignored)  # not as large as its scene
        self.plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.plot.setAccessibleName(title)
        self.plot.getPlotItem().setContentsMargins(0, 2, theme.scaled(14), 0)
        self.plot.viewport().setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._curves: list[Any] = []
        self._bound: Any = _pg.InfiniteLine(angle=0)
        self._bound.hide()
        self.plot.addItem(self._bound)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._heading)
        column.addWidget(self._legend)
        column.addWidget(self.plot, 1)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._dress()

    def set_lines(
        self, lines: Sequence[Line], *, now: float, span: float, top: float | None = None, limit: float | None = None
    ) -> None:
        """Show the last *span* seconds before *now*, up to *top* or as far as it takes; *limit* is a line across."""
        self._lines, self._now, self._span, self._limit = tuple(lines), now, span, limit
        while len(self._curves) < len(lines):
            self._curves.append(self.plot.plot([], []))
            key = _Key(len(self._curves) - 1)
            self._keys.append(key)
            self._flow.addWidget(key)
            self._dress()
        since = now - span
        most = 0.0
        for place, curve in enumerate(self._curves):
            points = lines[place].points if place < len(lines) else ()
            shown = [(at - now, value) for at, value in points if at >= since]
            most = max([most, *(value for _, value in shown)])
            curve.setData([at for at, _ in shown], [value for _, value in shown])
            self._keys[place].setVisible(place < len(lines))
            if place < len(lines):
                latest = lines[place].latest
                self._keys[place].say(lines[place].label, "–" if latest is None else self._words(latest))
        self._top = top if top is not None else _round_up(max(most, limit or 0.0))
        self.plot.setXRange(-span, 0, padding=0)
        self.plot.setYRange(0, self._top * 1.04, padding=0)
        self._bound.setVisible(limit is not None)
        if limit is not None:
            self._bound.setValue(limit)
        self.setAccessibleDescription(self.words())

    def set_title(self, title: str) -> None:
        """Say something else above it."""
        self._heading.setText(title)
        self.setAccessibleName(title)

    def words(self) -> str:
        """Return the newest values: "commits 12 /s; rollbacks 0 /s"."""
        values = ((line.label, line.latest) for line in self._lines)
        return "; ".join(f"{label} {'–' if value is None else self._words(value)}" for label, value in values)

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(220), theme.scaled(130))

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange) and hasattr(self, "_curves"):
            self._dress()

    def _dress(self) -> None:
        """Put the theme's colours on."""
        self.plot.setBackground(theme.colour("surface"))
        small = theme.sans(self.font().pointSizeF() * 0.88)
        for name in ("left", "bottom"):
            axis = self.plot.getAxis(name)
            axis.setPen(theme.colour("border"))
            axis.setTextPen(theme.colour("muted"))
            axis.setTickFont(small)
            axis.setStyle(tickLength=-theme.scaled(3), tickTextOffset=theme.scaled(4), hideOverlappingLabels=False)
        self.plot.showGrid(x=False, y=True, alpha=0.25)
        for place, curve in enumerate(self._curves):
            curve.setPen(pen(place))
        self._bound.setPen(QPen(theme.colour("bad_mark"), 0, Qt.PenStyle.DashLine))


def pen(place: int) -> QPen:
    """Return the pen of the line *place*: a colour and a pattern each."""
    drawn = QPen(theme.colour(f"{_COLOURS[place % len(_COLOURS)]}_mark"), theme.scaled(16) / 8)
    drawn.setStyle(_PATTERNS[place % len(_PATTERNS)])
    drawn.setCosmetic(True)
    return drawn


class _Key(QWidget):
    """A line of the legend: a sample of the pen, the name, the newest value."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self._sample = _Sample(place)
        self._text = QLabel(textFormat=Qt.TextFormat.PlainText)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        row.addWidget(self._sample)
        row.addWidget(self._text)

    def say(self, label: str, value: str) -> None:
        text = f"{label} {value}"
        if text != self._text.text():
            self._text.setText(text)
            # The words stand still while the number changes: room once taken is kept.
            self._text.setMinimumWidth(max(self._text.minimumWidth(), self._text.sizeHint().width()))


class _Sample(QWidget):
    def __init__(self, place: int) -> None:
        super().__init__()
        self._place = place
        self.setFixedSize(theme.scaled(22), theme.scaled(10))

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setPen(pen(self._place))
        painter.drawLine(0, self.height() // 2, self.width(), self.height() // 2)
        painter.end()


class _Ago(_pg.AxisItem):
    """Seconds before now: "−30 s", "−5 min"."""

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [_ago(value) for value in values]

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        wide = theme.scaled(64)
        steps = (5, 10, 15, 30, 60, 120, 300, 600)
        span = max(1.0, maxVal - minVal)
        step = next((each for each in steps if size * each / span >= wide), steps[-1])
        return [(float(step), 0.0)]


class _Values(_pg.AxisItem):
    """Values in the chart's own words, as few as fit."""

    def __init__(self, orientation: str, words: Callable[[float], str]) -> None:
        super().__init__(orientation)  # pyright: ignore[reportUnknownMemberType]
        self._words = words

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        return [self._words(value) for value in values]

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        room = max(1, int(size // theme.scaled(30)))
        return [(_round_up((maxVal - minVal) / 1.04 / min(4, room), steps=(1, 2, 2.5, 5, 10)), 0.0)]


def _round_up(value: float, steps: Sequence[float] = (1, 2, 3, 4, 5, 6, 8, 10)) -> float:
    """Return a round number that is not below *value*, 1 at least where a step of 1 is the least."""
    if value <= 0:
        return 1.0
    power = 10.0 ** _floor_log(value)
    return next(step * power for step in steps if step * power >= value * (1 - 1e-9))


def _floor_log(value: float) -> int:
    return math.floor(math.log10(value))


def _ago(seconds: float) -> str:
    ago = round(-seconds)
    if ago <= 0:
        return "now"
    return f"−{ago} s" if ago % 60 else f"−{ago // 60} min"
