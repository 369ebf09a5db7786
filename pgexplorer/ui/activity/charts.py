"""The page of charts: connections, transactions, cache, rows and sizes of the server over the last minutes."""

from collections.abc import Callable

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QScrollArea, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.db.activity.figures import Figures, Sample, Samples
from pgexplorer.db.activity.sessions import STATES, Seen
from pgexplorer.db.values import human_bytes, human_count
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.bar_chart import BarChart
from pgexplorer.ui.widgets.chart import Line, LiveChart

_SPANS = (60.0, 120.0, 300.0, 600.0)  # seconds that the charts may show
_MOST_SIZES = 6  # databases with a bar of their own
_Points = list[tuple[float, float]]
_RATES: dict[str, tuple[tuple[str, Callable[[Figures], int]], ...]] = {
    "transactions": (
        ("committed", lambda each: each.commits),
        ("rolled back", lambda each: each.rollbacks),
    ),
    "rows_in": (
        ("inserted", lambda each: each.rows_inserted),
        ("updated", lambda each: each.rows_updated),
        ("deleted", lambda each: each.rows_deleted),
    ),
    "rows_out": (
        ("returned by scans", lambda each: each.rows_returned),
        ("fetched by index", lambda each: each.rows_fetched),
    ),
}


class ChartsPage(QWidget):
    """Draws what looks have found; asks nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.samples = Samples()
        self.charts = {
            "connections": LiveChart("Connections", _whole),
            "transactions": LiveChart("Transactions a second", _rate),
            "cache": LiveChart("Cache hits", _percent),
            "rows_in": LiveChart("Rows changed a second", _rate),
            "rows_out": LiveChart("Rows read a second", _rate),
        }
        for name, chart in self.charts.items():
            chart.setObjectName(f"activity.chart.{name}")
        self.sizes = BarChart()
        self.sizes.setObjectName("activity.sizes")
        sizes = QWidget()
        column = QVBoxLayout(sizes)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.sizes)
        column.addStretch(1)
        self._parts: list[QWidget] = [*self.charts.values(), sizes]
        inside = QWidget()
        self._grid = QGridLayout(inside)
        self._grid.setContentsMargins(2, 8, 8, 8)
        self._grid.setHorizontalSpacing(theme.scaled(24))
        self._grid.setVerticalSpacing(theme.scaled(16))
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(inside)
        scroll.setObjectName("activity.charts")
        scroll.setAccessibleName("Charts of the server")
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)
        self._columns = 0
        self._arrange(2)
        self.sizes.set_bars("Sizes of the databases", [("", 0.0, "not asked yet")])

    def show_seen(self, seen: Seen) -> None:
        """Take what a look found, and draw."""
        if seen.figures is None:
            return
        self.samples.add(Sample(seen.figures, seen.counts(), seen.max_connections))
        if seen.sizes is not None:
            self._show_sizes(seen.sizes)
        self._draw()

    def clear(self) -> None:
        """Forget all: another server."""
        self.samples.clear()
        for chart in self.charts.values():
            chart.set_lines((), now=0.0, span=_SPANS[0])
        self.sizes.set_bars("Sizes of the databases", [("", 0.0, "not asked yet")])

    def _draw(self) -> None:
        latest = self.samples.latest
        if latest is None:
            return
        now = latest.figures.at
        states = [(state, self.samples.connections(state)) for state in STATES]
        begun = states[0][1][0][0]
        span = next((each for each in _SPANS if now - begun <= each), _SPANS[-1])
        # The least used last: what is never there has no line.
        shown = [(state, points) for state, points in states if state != "other" or any(value for _, value in points)]
        most = latest.max_connections
        used = max(sum(each) for each in zip(*([value for _, value in points] for _, points in states), strict=True))
        limit = float(most) if used >= most / 4 else None  # far below, it would press the lines flat
        self.charts["connections"].set_lines(_lines(shown), now=now, span=span, limit=limit)
        self.charts["connections"].set_title(f"Connections: {_total(latest)} of {most}")
        for name, rates in _RATES.items():
            lines = [(label, self.samples.rate(count)) for label, count in rates]
            self.charts[name].set_lines(_lines(lines), now=now, span=span)
        hits = [("found in the cache", self.samples.hit_ratio())]
        self.charts["cache"].set_lines(_lines(hits), now=now, span=span, top=100.0)

    def _show_sizes(self, sizes: tuple[tuple[str, int], ...]) -> None:
        bars = [(name, float(size), human_bytes(size)) for name, size in sizes[:_MOST_SIZES]]
        if rest := sizes[_MOST_SIZES:]:
            total = sum(size for _, size in rest)
            bars.append((f"{len(rest)} others", float(total), human_bytes(total)))
        self.sizes.set_bars(f"Sizes of the databases: {human_bytes(sum(size for _, size in sizes))}", bars)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        wide = self.width()
        self._arrange(3 if wide >= theme.scaled(1080) else 2 if wide >= theme.scaled(520) else 1)

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        for part in self._parts:
            self._grid.removeWidget(part)
        for place, part in enumerate(self._parts):
            self._grid.addWidget(part, place // columns, place % columns)
            part.setMinimumHeight(theme.scaled(168))
        for column in range(3):
            self._grid.setColumnStretch(column, int(column < columns))


def _lines(named: list[tuple[str, _Points]]) -> list[Line]:
    return [Line(label, tuple(points)) for label, points in named]


def _total(sample: Sample) -> int:
    return sum(sample.connections.values())


def _whole(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else ""


def _rate(value: float) -> str:
    if value >= 100_000:
        return human_count(value)
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.2g}"


def _percent(value: float) -> str:
    return f"{value:.0f} %" if value == round(value) or value < 99 else f"{value:.1f} %"
