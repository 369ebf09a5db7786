"""The charts of times and of rates."""

import pytest
from PySide6.QtCore import QPoint, QPointF, QRect
from PySide6.QtGui import QColor, QHelpEvent
from PySide6.QtWidgets import QApplication, QToolTip

from pgexplorer.pool.stats import Histogram
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.histogram_chart import HistogramChart, human_seconds
from pgexplorer.ui.widgets.rate_chart import RateChart, RateLine, human_rate

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture
def chart(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    made = HistogramChart()
    qtbot.addWidget(made)
    made.resize(400, 200)
    made.show()
    return made


@pytest.fixture
def rates(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)
    made = RateChart()
    qtbot.addWidget(made)
    made.resize(400, 200)
    made.show()
    return made


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0"), (1.1e-7, "0.1 µs"), (3.4e-6, "3.4 µs"), (3.42e-4, "342 µs"), (9.996e-4, "1.0 ms"),
        (0.0123, "12.3 ms"),
        (0.1234, "123 ms"), (0.9999, "1.0 s"), (4.0, "4.0 s"), (59.0, "59.0 s"), (125, "2 min 05 s"),
        (3720, "1 h 02 min"), (360_000, "100 h 00 min"),
    ],
)  # fmt: skip
def test_that_a_time_is_said_in_the_unit_that_suits_it(seconds, words):
    assert human_seconds(seconds) == words


@pytest.mark.parametrize(
    ("rate", "words"), [(0, "0 /s"), (0.01, "< 0.1 /s"), (0.25, "0.2 /s"), (3, "3 /s"), (1240.4, "1,240 /s")]
)
def test_that_a_rate_is_said_shortly(rate, words):
    assert human_rate(rate) == words


def pixels(widget, colour, area=None):
    """Count the pixels of *colour* in *area*."""
    image = widget.grab().toImage()
    area = area or QRect(0, 0, image.width(), image.height())
    wanted = QColor(colour).rgb()
    return sum(
        image.pixel(x, y) == wanted
        for x in range(area.left(), area.right())
        for y in range(area.top(), area.bottom())
    )  # fmt: skip


def test_that_the_axis_goes_over_whole_powers_of_ten(chart):
    assert chart.span() == pytest.approx((1e-6, 1.0))
    chart.set_times("Wait", [(0.0021, 3), (0.0023, 0), (0.0025, 9)], [])
    low, high = chart.span()
    assert low <= 0.0019
    assert high >= 0.0025
    assert high / low == pytest.approx(1000)
    chart.set_times("Wait", [(1.1e-7, 3), (200.0, 9)], [])
    assert chart.span() == pytest.approx((1e-8, 1000.0))


def test_that_a_bucket_under_the_pointer_is_said_with_its_share(chart):
    histogram = Histogram()
    for _ in range(99):
        histogram.record(0.001)
    histogram.record(2.0)
    chart.set_times("Wait", histogram.buckets(), [("p50", 0.001)])
    plot = chart._plot()
    said = {chart.bucket_at(x / 4) for x in range(int(plot.left()) * 4, int(plot.right()) * 4)}
    assert any(words.endswith("99 times, 99.0 %") for words in said)
    assert any(words.endswith("once, 1.0 %") for words in said)
    assert chart.bucket_at(plot.right() + 50) == ""


@pytest.mark.qt_log_ignore("raise", extend=True)
def test_that_the_pointer_gets_its_words_as_a_tool_tip(chart):
    chart.set_times("Wait", [(0.001, 5)], [])
    plot = chart._plot()
    low, high = chart.span()
    x = next(x for x in range(int(plot.left()), int(plot.right())) if chart.bucket_at(x))
    assert low < 0.001 < high
    place = QPoint(x, int(plot.center().y()))
    QApplication.sendEvent(chart, QHelpEvent(QHelpEvent.Type.ToolTip, place, chart.mapToGlobal(place)))
    assert QToolTip.text() == chart.bucket_at(x)
    QToolTip.hideText()


def test_that_one_time_among_a_million_is_seen(chart):
    chart.set_times("Wait", [(0.001, 1_000_000)], [])
    alone = pixels(chart, theme.current().accent)
    chart.set_times("Wait", [(0.001, 1_000_000), *[(0.001 * 1.09**n, 0) for n in range(1, 80)], (1.1, 1)], [])
    plot = chart._plot()
    right = QRect(int(plot.center().x()), int(plot.top()), int(plot.width() / 2), int(plot.height()))
    assert alone > 0
    assert pixels(chart, theme.current().accent, right) >= 5


def test_that_percentiles_are_said_in_words(chart):
    chart.set_times("Hold", [(0.01, 4)], [("p50", 0.0095), ("max", 0.0099)])
    assert chart.words() == "4 times; p50 9.5 ms; max 9.9 ms"
    assert chart.accessibleDescription() == chart.words()
    assert chart.accessibleName() == "Hold"
    chart.set_times("Hold", [], [("p50", 0.0)])
    assert chart.words() == "nothing yet"


@pytest.mark.parametrize("scheme", [theme.Scheme.LIGHT, theme.Scheme.DARK, theme.Scheme.CONTRAST])
@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("size", [(120, 60), (220, 130), (900, 300)])
def test_that_both_charts_paint_in_every_dress_and_size(chart, rates, qapp, scheme, scale, size):
    theme.apply(qapp, scheme, text_scale=scale)
    chart.setMinimumSize(1, 1)
    chart.resize(*size)
    chart.set_times("Wait", [(1e-7, 900), (0.02, 40), (0.03, 1)], [("p50", 1e-7), ("p99", 0.02), ("max", 0.029)])
    rates.resize(*size)
    rates.set_lines("Per second", [RateLine("check-outs", ((0, 1, 5_000), (1, 2, 0)))], now=2, span=60)
    back = theme.current().window
    for each in (chart, rates):
        image = each.grab().toImage()
        assert pixels(each, back) < image.width() * image.height()
    theme.apply(qapp, theme.Scheme.LIGHT)


def test_that_the_scale_of_rates_reaches_the_highest_in_sight(rates):
    rates.set_lines("r", [], now=0, span=60)
    assert rates.top() == 10
    line = RateLine("a", ((0.0, 1.0, 4_000.0), (99.0, 100.0, 120.0)))
    rates.set_lines("r", [line], now=100, span=60)
    assert rates.top() == 1000  # the 4,000 are out of sight
    rates.set_lines("r", [line], now=100, span=120)
    assert rates.top() == 10_000
    assert rates.words() == "a 120 /s"


def test_that_lines_are_told_apart_by_dashes_too(rates):
    lines = [RateLine(name, ((0.0, 60.0, 1.0),)) for name in "abcd"]
    rates.set_lines("r", lines, now=60, span=60)
    pens = [rates._pen(place) for place in range(4)]
    assert len({pen.style() for pen in pens}) == 4
    assert len({pen.color().name() for pen in pens}) == 4


def test_that_zero_lies_on_the_ground_and_the_top_at_the_top(rates):
    rates.set_lines("r", [RateLine("a", ((0.0, 1.0, 70.0),))], now=1, span=60)
    plot = rates._plot()
    assert rates._y(0, plot) == plot.bottom()
    assert rates._y(rates.top(), plot) == pytest.approx(plot.top())
    heights = [rates._y(value, plot) for value in (0, 0.5, 1, 3, 10, 50, 100)]
    assert heights == sorted(heights, reverse=True)
    assert QPointF(rates._x(1, plot), 0).x() == plot.right()
