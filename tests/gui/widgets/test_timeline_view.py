"""The timeline: painted in every scheme, found under the pointer, moved by wheel, mouse and keyboard; and its panel."""

import csv
import io
import itertools
import random
import time

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QHelpEvent, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QToolTip

from pgexplorer.pool.events import Event, EventKind
from pgexplorer.pool.lane import Shares
from pgexplorer.pool.timeline import Timeline
from pgexplorer.ui import theme
from pgexplorer.ui.widgets import timeline_painter
from pgexplorer.ui.widgets.timeline_columns import HEIGHTS, Columns, column_codes
from pgexplorer.ui.widgets.timeline_legend import TimelineLegend
from pgexplorer.ui.widgets.timeline_marks import clusters_of, paint_words
from pgexplorer.ui.widgets.timeline_painter import TimelinePainter
from pgexplorer.ui.widgets.timeline_time import ago, duration, tick_names, tick_step
from pgexplorer.ui.widgets.timeline_view import LONGEST, SHORTEST, TimelineView

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", "does not support raise", extend=True)

NOW = 100_000.0


def told(*rows, timeline=None):
    """Return a timeline of *rows*: seconds before NOW, what, slot and more."""
    timeline = timeline or Timeline()
    timeline.set_clock(NOW, 1_790_000_000.0)
    events = []
    for number, (before, kind, slot, more) in enumerate(sorted(rows, key=lambda row: -row[0]), 1):
        values = {"pid": 4710 + slot if slot else 0, "thread": "T"} | more
        events.append(Event(number, NOW - before, EventKind(kind), slot, **values))
    timeline.fold(events, until=NOW)
    return timeline


def story():
    """Return a timeline with one of everything."""
    return told(
        (57, "checked out", 1, {"holder": "browse person"}),
        (50, "done, transaction open", 1, {"took": 6.0, "detail": "select * from person"}),
        (46, "done, transaction failed", 1, {"took": 1.0, "detail": "select 1/0"}),
        (44, "checked in", 1, {"holder": "browse person"}),
        (40, "connection opened", 2, {"took": 1.5}),
        (40, "checked out", 2, {"holder": "export", "took": 1.5}),
        (30, "connection lost", 2, {"took": 9.0, "detail": "copy person to stdout"}),
        (28, "checked in", 2, {"holder": "export"}),
        (27.9, "connection closed", 2, {}),
        (25, "exhausted", 0, {"holder": "SQL 1"}),
        (24, "waiting", 0, {"holder": "late", "thread": "W"}),
        (22, "checked out", 1, {"holder": "by hand"}),
        (20, "leaked", 1, {}),
        (20, "waiting", 0, {"holder": "later", "thread": "V"}),
        (15, "timed out", 0, {"holder": "late", "thread": "W", "took": 9.0}),
        (14, "connection opened", 2, {"pid": 99, "took": 1.0}),
        (14, "checked out", 2, {"holder": "later", "thread": "V", "pid": 99, "took": 6.0}),
        (5, "held long", 1, {"took": 17.0, "detail": "a.py:3 in f"}),
    )


def busy(count, lanes=1, seconds=60.0, most=10**9):
    """Return a timeline of *count* short holds in the last *seconds*."""
    chance = random.Random(7)
    timeline = Timeline(most)
    step = seconds / count * lanes
    events = []
    for number in range(count):
        at = NOW - seconds + (number // lanes) * step
        lane, length = number % lanes + 1, step * chance.uniform(0.3, 0.9)
        who = {"holder": f"holder {lane}", "thread": f"T{lane}", "pid": 4000 + lane}
        events += [
            (at, EventKind.CHECKED_OUT, lane, who, 0.0),
            (at + length * 0.5, EventKind.DONE_IN_TRANSACTION, lane, who, length * 0.5),
            (at + length, EventKind.CHECKED_IN, lane, who, 0.0),
        ]
    events.sort(key=lambda event: event[0])
    timeline.fold([Event(n, at, kind, lane, took=t, **who) for n, (at, kind, lane, who, t) in enumerate(events, 1)])
    timeline.fold([], until=NOW)
    return timeline


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def show(qapp, qtbot):
    """Show a timeline in a view of its own."""
    theme.apply(qapp, theme.Scheme.LIGHT)

    def begin(source, width=1000, height=300):
        clock = Clock()
        view = TimelineView(clock=clock)
        view.setObjectName("timeline.view")
        qtbot.addWidget(view)
        view.resize(width, height)
        view.set_source(source)
        view.show()
        qtbot.waitExposed(view)
        view.refresh()
        view.clock = clock
        return view

    yield begin
    theme.apply(qapp, theme.Scheme.LIGHT, text_scale=1.0)


def is_framed(view):
    """Return whether a frame is there; begin again one that a late event of the window has dropped."""
    if view._frame is None and view._next is None:
        view.advance()
    return view._frame is not None


def spot(view, before, lane=1):
    """Return the pixel at *before* seconds before NOW, in the middle of *lane*."""
    places = view._places()
    return QPointF(view.x_of(NOW - before), places.lanes.top() + (lane - 0.5) * places.row)


def turn_wheel(view, point, notches, modifiers=Qt.KeyboardModifier.NoModifier):
    event = QWheelEvent(
        point,
        view.viewport().mapToGlobal(point.toPoint()).toPointF(),
        QPoint(),
        QPoint(0, notches * 120),
        Qt.MouseButton.NoButton,
        modifiers,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view.viewport(), event)


def colours_of(image: QImage):
    return {image.pixelColor(x, y).name() for x in range(0, image.width(), 2) for y in range(0, image.height(), 2)}


# -- painting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", [theme.Scheme.LIGHT, theme.Scheme.DARK, theme.Scheme.CONTRAST])
@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("size", [(1100, 300), (700, 110), (270, 90)])
def test_that_it_paints_in_every_scheme_and_size(show, qapp, scheme, scale, size):
    view = show(story(), *size)
    theme.apply(qapp, scheme, text_scale=scale)
    view.refresh()
    for width in (60.0, 2.0, 1e-4, 86_400.0):
        view.show_range(NOW - 20 - width / 2, NOW - 20 + width / 2)
        assert not view.picture().isNull()
    view._span = 60.0
    view.set_following(True)
    colours = colours_of(view.grab().toImage())
    assert theme.colour("surface").name() in colours
    assert theme.colour("idle_fill").name() in colours
    assert view.paint_seconds > 0


@pytest.mark.parametrize("scheme", [theme.Scheme.LIGHT, theme.Scheme.DARK, theme.Scheme.CONTRAST])
def test_that_states_differ_by_more_than_their_colour(qapp, qtbot, scheme):
    theme.apply(qapp, scheme)
    legend = TimelineLegend()
    qtbot.addWidget(legend)
    legend.resize(legend.sizeHint())
    image = legend.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    across = [[image.pixelColor(x, y).value() for y in range(image.height())] for x in range(image.width())]
    step = theme.scaled(15)
    first = across[2:step]
    assert len({tuple(column) for column in first}) >= 1
    # A running bar has a line along its foot: its columns are not of one grey from top to bottom.
    inside = [value for value in across[step // 2] if value != across[-1][0]]
    assert len(set(inside)) >= 2
    theme.apply(qapp, theme.Scheme.LIGHT)


def test_that_an_empty_timeline_says_so(show):
    view = show(Timeline())
    assert view.is_empty
    assert view.description() == "Nothing happened yet."
    assert view.accessibleDescription() == "Nothing happened yet."
    assert len(colours_of(view.grab().toImage())) > 1  # the sentence
    assert show(None).is_empty


def test_that_it_says_in_words_what_is_seen(show):
    view = show(story())
    assert view.accessibleName() == "Timeline of the pool"
    words = view.accessibleDescription()
    assert words.startswith("The last 1 min 0 s.")
    assert "Slot 1, pid 4711: checked out, held by by hand." in words
    assert "Slot 2, pid 99: checked out, held by later." in words
    assert "Exhausted: 1." in words
    view.show_range(NOW - 24, NOW - 23)
    assert view.description().startswith("Paused, 1 s in sight.")
    assert "Exhausted" not in view.description()


def test_that_many_spans_are_painted_as_shares_and_few_one_by_one(show, monkeypatch):
    one_by_one = []
    plain = TimelinePainter._paint_spans
    monkeypatch.setattr(
        TimelinePainter, "_paint_spans", lambda *args: (one_by_one.append(len(args[3])), plain(*args))[1]
    )
    view = show(busy(20_000))
    view.picture()
    assert sum(one_by_one) < 1_000
    assert view._drawer.columns
    colours = colours_of(view.picture().toImage())
    assert theme.colour("good_fill").name() in colours
    assert theme.colour("warn_fill").name() in colours
    one_by_one.clear()
    view.show_range(NOW - 30, NOW - 29.9)
    view.picture()
    assert sum(one_by_one) > 50


def test_that_lanes_not_counted_in_time_are_painted_soon_after(show, qtbot, monkeypatch):
    monkeypatch.setattr(timeline_painter, "_MOST_AT_ONCE", -1.0)
    view = show(busy(20_000, lanes=3))
    view._drop_frame()
    view._drawer.forget()
    view.grab()
    assert view._drawer.is_unfinished
    # By its next frame, or by a paint that came in between and found the rest counted.
    qtbot.waitUntil(lambda: not view._drawer.is_unfinished and set(view._drawer.columns) == {1, 2, 3})


@pytest.mark.parametrize("make", [story, lambda: busy(20_000, lanes=3), lambda: busy(20_000, most=500)])
def test_that_what_is_painted_piece_by_piece_is_what_is_painted_at_once(show, qtbot, make):
    view = show(make())
    view.picture()  # what is found in painting may move the rest
    view.advance()
    turns = []
    view._stint.timeout.connect(lambda: turns.append(view._next is None))
    qtbot.waitUntil(lambda: is_framed(view))
    assert len(turns) > 1  # no turn of the event loop had to paint it all
    by_pieces = view.viewport().grab().toImage()
    view._drop_frame()
    view._is_picture = True  # nothing is left for a later paint
    assert view.viewport().grab().toImage() == by_pieces


def test_that_a_person_does_not_wait_for_what_is_painted_piece_by_piece(show, qtbot):
    view = show(busy(20_000, lanes=3))
    view.advance()
    assert view._next is not None
    view.zoom_in()
    assert view._next is None
    assert not view._stint.isActive()
    assert view._frame is None  # painted at once
    view.advance()
    view.hide()
    assert not view._stint.isActive()


def test_that_a_frame_is_not_kept_when_the_theme_or_the_size_changes(show, qapp, qtbot):
    view = show(story())
    for change in (
        lambda: theme.apply(qapp, theme.Scheme.DARK),
        lambda: view.resize(800, 240),
        lambda: view.verticalScrollBar().valueChanged.emit(0),
        lambda: view.pan(-5.0),
    ):
        view.advance()
        qtbot.waitUntil(lambda: is_framed(view))
        change()
        qtbot.waitUntil(lambda: view._frame is None)


def test_that_columns_are_not_settled_beyond_the_moment_that_was_painted():
    timeline, width = busy(2_000), 0.25
    columns, early = Columns(width), NOW - 30.0  # the source knows more already
    first, after = int((early - 5) // width), int(early // width) + 1
    columns.between(timeline, 1, first, after, early)
    fresh = column_codes(timeline.shares(1, first * width, width, after - first + 4, NOW), None, width)
    assert columns.between(timeline, 1, first, after + 4, NOW) == fresh


def test_that_old_spans_are_still_seen_when_they_are_sums(show):
    view = show(busy(20_000, most=500))
    assert view._source.kept_since(1) > NOW - 5
    image = view.picture().toImage()
    ratio = image.devicePixelRatio()
    column = {
        image.pixelColor(int(view.x_of(NOW - 40) * ratio), y).name()
        for y in range(int(spot(view, 40).y() * ratio) + 12)
    }
    assert theme.colour("good_fill").name() in column
    assert "held" in view.words_at(spot(view, 40))


def test_that_columns_kept_from_paint_to_paint_are_those_counted_anew():
    timeline, width = busy(2_000, most=600), 0.25
    kept = Columns(width)
    chance = random.Random(3)
    for _ in range(60):
        first = int((NOW - chance.uniform(0, 70)) / width)
        after = first + chance.randint(1, 300)
        fresh = column_codes(timeline.shares(1, first * width, width, after - first, NOW), None, width)
        assert kept.between(timeline, 1, first, after, NOW) == fresh


def test_that_a_column_stands_as_high_as_its_share():
    shares = Shares([0.0, 1.0, 0.5, 0.001, 1.0], [0.0, 1.0, 0.0, 0.001, 0.5], [0.0] * 5, [0.0, 0.0, 0.5, 0.0, 0.25])
    heights = [HEIGHTS[code] for code in column_codes(shares, None, 1.0)]
    # running, in transaction, failed, held otherwise; in sixths
    assert heights == [(0, 0, 0, 0), (6, 0, 0, 0), (0, 0, 3, 0), (1, 0, 0, 0), (3, 0, 2, 1)]
    half_seen = column_codes(Shares([0.5], [0.5], [0.0], [0.0]), [0.5], 1.0)
    assert HEIGHTS[half_seen[0]] == (6, 0, 0, 0)


def test_that_a_gap_is_painted_and_counted(show):
    timeline = Timeline()
    timeline.fold([Event(1, NOW - 50, EventKind.CHECKED_OUT, 1)])
    timeline.fold([Event(999, NOW - 10, EventKind.EXHAUSTED)], 12_345, until=NOW)
    view = show(timeline)
    assert "12,345 events missed" in view.words_at(spot(view, 30))
    assert "12,345 events missed" in view.description()
    before = view.picture().toImage()
    timeline.missed = 0  # as if nothing were missing: the dots go
    assert view.picture().toImage() != before


class Recorder:
    """Stands in for a painter and keeps what is written."""

    def __init__(self, font):
        self._font = font
        self.texts = []

    def font(self):
        return self._font

    def setPen(self, _pen):
        pass

    def fillRect(self, *_area):
        pass

    def drawText(self, area, _flags, text):
        self.texts.append((area, text))


@pytest.mark.parametrize("seed", range(5))
def test_that_words_of_marks_neither_meet_nor_are_cut(show, seed):
    chance = random.Random(seed)
    kinds = ["exhausted", "refused", "connection lost", "held long", "came back"]
    rows = [
        (chance.uniform(0, 60), chance.choice(kinds), chance.randint(0, 3), {"took": 3.0, "pid": 100 + number})
        for number in range(12)
    ]
    view = show(told(*rows), 900, 220)
    view.picture()
    places = view._places()
    clusters = clusters_of(view._source.marks(*view.range), view._sight(), 10)
    for cluster in clusters:
        cluster.room = (cluster.left - 4, cluster.left + 4)
    painter = Recorder(view._small())
    paint_words(painter, view._drawer.inks, view._sight(), clusters)
    assert len(painter.texts) >= 2
    areas = sorted((area.left(), area.right()) for area, _ in painter.texts)
    assert areas[0][0] >= places.plot.left() - 0.5
    assert areas[-1][1] <= view.viewport().width()
    assert all(first[1] < second[0] for first, second in itertools.pairwise(areas))
    assert sum(cluster.times for cluster in clusters) == 12


# -- time in words ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("least", "step"),
    [(1e-6, 1e-6), (3e-6, 5e-6), (0.011, 0.02), (0.4, 0.5), (0.7, 1), (4, 5), (16, 30), (61, 120), (5_000, 7_200),
     (90_000, 172_800)],
)  # fmt: skip
def test_that_ticks_have_sensible_steps(least, step):
    assert tick_step(least) == pytest.approx(step)


@pytest.mark.parametrize(
    ("seconds", "step", "words"),
    [(0, 5, "now"), (15, 5, "-15s"), (60, 5, "-1m"), (65, 5, "-1m5s"), (7_200, 600, "-2h"), (0.25, 0.05, "-250ms"),
     (20e-6, 10e-6, "-20µs"), (2.5, 0.5, "-2500ms"), (90_000, 3_600, "-1d1h")],
)  # fmt: skip
def test_that_ticks_say_how_long_ago(seconds, step, words):
    assert ago(seconds, step) == words


def test_that_durations_are_read_at_a_glance():
    assert [duration(s) for s in (3.1e-5, 0.0123, 2.2777, 65, 7_260)] == [
        "31 µs",
        "12.3 ms",
        "2.28 s",
        "1 min 5 s",
        "2 h 1 min",
    ]


@pytest.mark.parametrize("span", [1e-5, 1e-3, 0.3, 5.0, 400.0, 20_000.0, 500_000.0])
def test_that_paused_ticks_lie_at_round_times_of_day(show, span):
    view = show(story())
    view.show_range(NOW - span, NOW)
    left = view._source.wall(view.range[0])
    step = tick_step(span / 10)
    base, corner, name = tick_names(left, step)
    assert base <= left + 1e-6
    assert corner
    assert name(step) != name(2 * step)


# -- what is where ----------------------------------------------------------------------------------------------


def test_that_the_span_under_the_pointer_is_found(show):
    view = show(story())
    found = view.spans_at(spot(view, 52))
    assert [(str(span.state), span.start) for span in found] == [
        ("checked out", NOW - 57),
        ("running", NOW - 56),
    ]
    assert view.spans_at(spot(view, 35, lane=1)) == []
    assert view.lane_at(spot(view, 35, lane=2).y()).number == 2
    words = view.words_at(spot(view, 52))
    assert "#1 · pid 4711 · held by browse person" in words
    assert "6 s" in words
    assert "select * from person" in words
    assert "returned" in words


def test_that_what_goes_on_says_since_when(show):
    view = show(story())
    words = view.words_at(spot(view, 10))
    assert "held by by hand" in words
    assert "22 s so far" in words
    assert "leaked" in words


def test_that_a_span_narrower_than_a_pixel_is_found_near_it(show):
    view = show(told((30, "checked out", 1, {"holder": "brief"}), (29.9999, "checked in", 1, {})))
    assert "held by brief" in view.words_at(spot(view, 30) + QPointF(1, 0))


def test_that_many_under_one_pixel_are_told_together(show):
    view = show(busy(60_000))
    words = view.words_at(spot(view, 30))
    assert "spans" in words
    assert "running" in words


def test_that_waits_and_marks_tell_what_they_are(show):
    view = show(story())
    places = view._places()
    rows = places.waits.top() + theme.scaled(5) + 2
    words = view.words_at(QPointF(view.x_of(NOW - 22), rows))
    assert "late waited" in words
    assert "timed out" in words
    served = [wait for wait in view._source.waits(*view.range, NOW) if wait.lane]
    high = view._sight().wait_height(places.waits.adjusted(0, 5, 0, -5), 2)
    words = view.words_at(QPointF(view.x_of(NOW - 17), rows + served[0].row * high))
    assert "later waited" in words
    assert "served by slot #2" in words
    words = view.words_at(QPointF(view.x_of(NOW - 25), places.strip.center().y()))
    assert "exhausted" in words
    assert "SQL 1" in words
    assert "a.py:3 in f" in view.words_at(spot(view, 5))


def test_that_a_label_tells_its_slot(show):
    view = show(story())
    assert view.words_at(QPointF(5, spot(view, 1, lane=2).y())) == "Slot #2 · pid 99\nchecked out · held by later"


def test_that_hovering_gives_a_tool_tip(show, qtbot):
    view = show(story())
    point = spot(view, 52).toPoint()
    event = QHelpEvent(QEvent.Type.ToolTip, point, view.viewport().mapToGlobal(point))
    QApplication.sendEvent(view.viewport(), event)
    qtbot.waitUntil(lambda: "browse person" in QToolTip.text())


def test_that_a_tool_tip_shows_markup_as_it_is(show, qtbot):
    view = show(told((30, "checked out", 1, {"holder": "<b>x</b>"})))
    point = spot(view, 20).toPoint()
    QApplication.sendEvent(view.viewport(), QHelpEvent(QEvent.Type.ToolTip, point, view.viewport().mapToGlobal(point)))
    qtbot.waitUntil(lambda: "&lt;b&gt;x&lt;/b&gt;" in QToolTip.text())


# -- moving -----------------------------------------------------------------------------------------------------


def test_that_it_follows_the_clock(show):
    view = show(story())
    assert view.is_following
    assert view.range == (NOW - 60, NOW)
    view.clock.now += 7
    view.refresh()
    assert view.range == (NOW - 53, NOW + 7)


@pytest.mark.parametrize("notches", [1, 3, -1, -2])
def test_that_the_wheel_keeps_the_time_under_the_pointer(show, notches):
    view = show(told((5_000, "checked out", 1, {})))
    view.show_range(NOW - 500, NOW - 400)
    point = spot(view, 470)
    before = view.time_at(point.x())
    turn_wheel(view, point, notches)
    assert view.time_at(point.x()) == pytest.approx(before, abs=1e-6)
    span = view.range[1] - view.range[0]
    assert (span < 100) == (notches > 0)
    assert not view.is_following


def test_that_zooming_in_on_the_past_pauses_and_zooming_at_now_does_not(show, qtbot):
    view = show(story())
    view.clock.now += 0.05  # time goes on between two frames
    turn_wheel(view, QPointF(view._places().plot.right(), 60), 2)
    assert view.is_following
    view.zoom_in()
    assert view.is_following
    with qtbot.waitSignal(view.following_changed) as change:
        turn_wheel(view, QPointF(view._places().plot.center().x(), 60), 1)
    assert change.args == [False]


def test_that_zoom_has_limits(show):
    view = show(story())
    for _ in range(80):
        view.zoom_in()
    assert view.range[1] - view.range[0] == pytest.approx(SHORTEST, rel=1e-3)
    for _ in range(120):
        view.zoom_out()
    assert view.range[1] - view.range[0] == pytest.approx(LONGEST)
    assert view.is_following


def test_that_shift_and_the_wheel_pan_and_come_back_to_now(show):
    view = show(told((5_000, "checked out", 1, {})))
    turn_wheel(view, QPointF(500, 60), 2, Qt.KeyboardModifier.ShiftModifier)
    assert not view.is_following
    assert view.range[1] == pytest.approx(NOW - 12)
    turn_wheel(view, QPointF(500, 60), -5, Qt.KeyboardModifier.ShiftModifier)
    assert view.is_following
    assert view.range[1] == NOW


def test_that_dragging_pans(show, qtbot):
    view = show(told((5_000, "checked out", 1, {})))
    port = view.viewport()
    taken = view.time_at(400)
    qtbot.mousePress(port, Qt.MouseButton.LeftButton, pos=QPoint(400, 60))
    qtbot.mouseMove(port, QPoint(450, 60))
    qtbot.mouseMove(port, QPoint(600, 60))
    qtbot.mouseRelease(port, Qt.MouseButton.LeftButton, pos=QPoint(600, 60))
    assert view.time_at(600) == pytest.approx(taken, abs=0.2)
    assert not view.is_following


def test_that_a_double_click_zooms_onto_the_span(show, qtbot):
    view = show(story())
    qtbot.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=spot(view, 52).toPoint())
    left, right = view.range
    assert (left, right) == (pytest.approx(NOW - 56.6), pytest.approx(NOW - 49.4))
    assert not view.is_following


def test_that_the_keyboard_does_it_all(show, qtbot):
    view = show(told((5_000, "checked out", 1, {})))
    press = lambda key, modifier=Qt.KeyboardModifier.NoModifier: qtbot.keyClick(view, key, modifier)  # noqa: E731
    press(Qt.Key.Key_Left)
    assert view.range[1] == pytest.approx(NOW - 6)
    press(Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert view.range[1] == pytest.approx(NOW - 36)
    press(Qt.Key.Key_Right)
    assert view.range[1] == pytest.approx(NOW - 30)
    press(Qt.Key.Key_PageUp)
    assert view.range[1] == pytest.approx(NOW - 90)
    press(Qt.Key.Key_PageDown)
    press(Qt.Key.Key_Plus)
    assert view.range[1] - view.range[0] == pytest.approx(30)
    press(Qt.Key.Key_Minus)
    assert view.range[1] - view.range[0] == pytest.approx(60)
    press(Qt.Key.Key_Home)
    assert view.range[0] == pytest.approx(NOW - 5_000)
    press(Qt.Key.Key_End)
    assert view.is_following
    press(Qt.Key.Key_Space)
    assert not view.is_following
    view.clock.now += 10
    view.refresh()
    assert view.range[1] == NOW
    press(Qt.Key.Key_Space)
    assert view.range[1] == NOW + 10


def test_that_many_lanes_scroll(show, qtbot):
    view = show(told(*[(50, "checked out", number, {}) for number in range(1, 51)]))
    bar = view.verticalScrollBar()
    assert bar.maximum() > 0
    first = view.lane_at(spot(view, 10).y()).number
    qtbot.keyClick(view, Qt.Key.Key_Down)
    assert view.lane_at(spot(view, 10).y()).number == first + 1
    turn_wheel(view, QPointF(10, 60), -100)
    assert bar.value() == bar.maximum()
    assert view.lane_at(view._places().lanes.bottom() - 5).number == 50
    assert view.is_following


def test_that_the_scroll_bar_goes_through_time(show):
    view = show(told((5_000, "checked out", 1, {})))
    bar = view.horizontalScrollBar()
    assert bar.value() == bar.maximum() > 0
    bar.setValue(0)
    assert view.range[0] == pytest.approx(NOW - 5_000, abs=1)
    assert not view.is_following
    bar.setValue(bar.maximum())
    assert view.is_following


def test_that_the_whole_is_everything_since_the_beginning(show):
    view = show(told((5_000, "checked out", 1, {})))
    view.show_whole()
    assert view.range[0] <= NOW - 5_000
    assert view.is_following
    assert view.horizontalScrollBar().maximum() == 0


def test_that_it_never_goes_beyond_what_there_is(show):
    view = show(story())
    view.pan(-1e6)
    assert view.range[1] > NOW - 57
    view.pan(1e6)
    assert view.range[1] == NOW


# -- the panel, in the real window on a real server ---------------------------------------------------------------


@pytest.fixture
def panel(connected):
    """The panel of the running program."""
    return connected.window.show_view("Timeline")


def test_that_the_panel_s_spans_equal_the_ring_s_arithmetic(connected, panel):
    for name in ("pool.check_out", "pool.run", "pool.check_out", "pool.check_in", "pool.check_in"):
        connected.hand(name)
    events, missed = connected.server.in_use.pool.events.since(0)
    assert not missed
    connected.until(lambda: panel.timeline.folded >= len(events))
    held, out, running = 0.0, {}, 0.0
    for event in events:
        if event.kind is EventKind.CHECKED_OUT:
            out[event.slot] = event.at
        elif event.kind is EventKind.CHECKED_IN:
            held += event.at - out.pop(event.slot)
        elif event.kind in {EventKind.DONE, EventKind.DONE_IN_TRANSACTION}:
            running += event.took
    assert not out
    spans = [s for lane in panel.timeline.lanes() for s in panel.timeline.spans(lane.number, 0, float("inf"))]
    assert sum(s.end - s.start for s in spans if s.state == "checked out") == pytest.approx(held, abs=1e-9)
    assert sum(s.end - s.start for s in spans if s.state == "running") == pytest.approx(running, abs=1e-9)
    assert any("select * from person" in s.detail for s in spans)


def test_that_exhaustion_is_marked_and_reopen_goes_on_in_the_same_picture(connected, panel):
    connected.hand("pool.exhaust")
    connected.hand("pool.return_all")
    connected.hand("pool.close_all")
    first = connected.server.in_use.pool
    connected.hand("pool.reopen")
    assert connected.server.in_use.pool is not first
    connected.hand("pool.check_out")
    connected.until(lambda: panel._reader.pool is connected.server.in_use.pool)
    connected.until(lambda: any(lane.holder == "by hand" for lane in panel.timeline.lanes()))
    kinds = [mark.kind for mark in panel.timeline.marks(0, float("inf"))]
    assert "exhausted" in kinds
    assert "pool closed" in kinds
    assert "pool replaced" in kinds
    connected.hand("pool.check_in")


def test_that_it_reads_on_while_it_is_hidden_and_knows_all_when_it_is_shown(connected, panel):
    connected.window.dock.fold()
    assert not panel.isVisible()
    painted = panel.view._now
    connected.hand("pool.check_out")
    connected.hand("pool.check_in")
    last = connected.server.in_use.pool.events.last
    connected.until(lambda: panel.timeline.folded >= last)
    assert panel.view._now == painted  # nothing was drawn meanwhile
    assert panel.is_reading
    connected.window.show_view("Timeline")
    assert panel.view._now > painted


def test_that_a_ring_full_of_history_is_read_when_the_panel_is_made(connected):
    ring = connected.server.in_use.pool.events
    for _ in range(6_000):
        ring.append(EventKind.EXHAUSTED)
    panel = connected.window.show_view("Timeline")
    connected.until(lambda: panel.timeline.folded >= 6_000)
    assert panel.timeline.missed == 0
    assert panel.note.isHidden()


def test_that_missed_events_are_counted_in_sight(connected, panel):
    ring = connected.server.in_use.pool.events
    connected.until(lambda: panel._catching is None and not panel._slices)
    read = panel.timeline.folded
    for _ in range(30_000):
        ring.append(EventKind.EXHAUSTED)
    panel.look()
    connected.until(lambda: panel.timeline.missed + panel.timeline.folded >= read + 30_000)
    connected.until(lambda: not panel._slices)
    assert panel.timeline.missed > 15_000
    assert panel.note.text() == f"{panel.timeline.missed:,} events missed"
    assert panel.note.isVisible()


def test_that_pause_and_follow_change_places(connected, panel):
    button = connected.find("timeline.pause")
    assert button.text() == "Pause"
    button.click()
    assert not panel.view.is_following
    assert (button.text(), button.accessibleName()) == ("Follow", "Follow")
    button.click()
    assert panel.view.is_following
    connected.find("timeline.zoom_in").click()
    assert panel.view.range[1] - panel.view.range[0] == pytest.approx(30)
    connected.find("timeline.zoom_out").click()
    connected.find("timeline.whole").click()
    assert panel.view.range[0] <= panel.timeline.begin


def test_that_it_is_saved_as_csv_and_png(connected, panel, tmp_path, monkeypatch):
    connected.hand("pool.check_out")
    connected.hand("pool.check_in")
    last = connected.server.in_use.pool.events.last
    connected.until(lambda: panel.timeline.folded >= last)
    for name, wanted in (("timeline.save_csv", "spans"), ("timeline.save_png", "picture.png")):
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args, path=wanted: (str(tmp_path / path), ""))
        connected.click(name)
        connected.settle()
        connected.until(panel.message.isVisible)
        assert panel.message.text().startswith("Saved to")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "spans.csv").read_text(encoding="utf-8"))))
    assert "by hand" in [row["holder"] for row in rows if row["what"] == "hold"]
    image = QImage(str(tmp_path / "picture.png"))
    assert image.width() >= panel.view.width()
    assert len(list(tmp_path.iterdir())) >= 2
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("name", ["timeline.save_csv", "timeline.save_png"])
def test_that_a_file_that_cannot_be_written_is_said(connected, panel, tmp_path, monkeypatch, name):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "no" / "such.folder"), ""))
    connected.click(name)
    connected.settle()
    connected.until(panel.message.isVisible)
    assert "could not be written" in panel.message.text()
    assert "No such file or directory" in panel.message.text()


def test_that_leaving_the_server_empties_it_and_another_fills_it(connected, panel, profile):
    connected.hand("pool.check_out")
    connected.server.close()
    connected.settle()
    assert panel.view.is_empty
    assert not panel.is_reading
    connected.open(profile)
    connected.window.show_view("Timeline")
    connected.until(panel.timeline.lanes)
    assert panel.is_reading


def test_that_looks_are_rare_when_they_cost_much(connected, panel):
    panel.view.paint_seconds = 0.0
    panel._pace(10)
    quick = panel._pulse.interval()
    panel.view.paint_seconds = 0.01
    panel._pace(10)
    assert panel._pulse.interval() > 2 * quick
    panel._allowed, panel._per_event = 0.002, 2e-6
    assert 900 < panel._most() <= 1_000
    panel._allowed = 0.0
    assert panel._most() < 300
    connected.window.dock.fold()
    panel._pace(10)
    assert panel._pulse.interval() == 1000
    panel._pace(50_000)  # events a second: the ring would overflow before
    assert panel._pulse.interval() < 200


def test_that_the_clock_of_the_view_is_the_events_own(panel):
    assert panel.view.range[1] == pytest.approx(time.monotonic(), abs=5)
