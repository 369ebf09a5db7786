"""Faults by hand as a form: what can be broken, what just happened, and what the askers met."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import cast

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pgexplorer.lab.askers import LONGEST_WORK, Askers, Asking, Tally, Way, total
from pgexplorer.lab.faults import BY_ID, LONGEST_DELAY
from pgexplorer.lab.guard import LONGEST, MOST_THREADS
from pgexplorer.lab.news import Effect
from pgexplorer.lab.outage import How
from pgexplorer.lab.proxy import Cut
from pgexplorer.ui import theme
from pgexplorer.ui.actions import button
from pgexplorer.ui.faults.part_fields import choice, heading, named, pair, scrolled, words
from pgexplorer.ui.widgets.bar_chart import BarChart
from pgexplorer.ui.widgets.flow_layout import FlowLayout
from pgexplorer.ui.widgets.spin_box import DoubleSpinBox, SpinBox

_MOST_BARS = 16  # threads with a bar of their own; of more, those served least and most
_RESTARTS: tuple[tuple[str, How], ...] = (("fast", "fast"), ("immediate", "immediate"))
_CUTS: tuple[tuple[str, str], ...] = (("reset", "reset"), ("end", "close"), ("mid-answer", "middle"))
_WAYS: tuple[tuple[str, Way], ...] = (("query", "query"), ("hold", "hold"))
_NOT_HERE = "The demo server alone can be stopped and started from here."


class FaultsForm(QWidget):
    """A row of buttons and fields for each kind of fault; *actions* are the panel's, by name."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._buttons: dict[str, QPushButton] = {}
        self._shown_askers: Askers | None = None
        self._served: deque[tuple[float, int]] = deque()  # when, how many, in the last second
        self._make_fields()
        self._lay_out(actions)

    def _make_fields(self) -> None:
        self.link = QCheckBox("Through a proxy")
        named(self.link, "faults.link", "The pool's link goes through a proxy", BY_ID["link"].does)
        self._restart_how = choice("faults.restart_how", "How the server is stopped", _RESTARTS)
        self._restart_how.setToolTip("fast: in order, with a message to everybody; immediate: as in a crash")
        self._delay_ms = SpinBox(minimum=1, maximum=round(LONGEST_DELAY * 1000), value=50, suffix=" ms")
        named(self._delay_ms, "faults.delay_ms", "Delay each way, in milliseconds")
        self._rate = SpinBox(minimum=1, maximum=100_000, value=20, suffix=" kB/s")
        named(self._rate, "faults.throttle_rate", "Kilobytes a second on each connection, each way")
        self._cut_how = choice("faults.cut_how", "How connections are cut", _CUTS)
        self._cut_how.setToolTip(
            "reset: RST, as a firewall; end: FIN, as a closing server; or in the midst of an answer"
        )
        self._hold_seconds = DoubleSpinBox(minimum=0.1, maximum=LONGEST, value=10.0, decimals=1, suffix=" s")
        named(self._hold_seconds, "faults.hold_seconds", "Seconds to hold a connection")
        self._hold_open = QCheckBox("in a transaction")
        named(self._hold_open, "faults.hold_transaction", "Hold it with a transaction open")
        self._threads = SpinBox(minimum=1, maximum=MOST_THREADS, value=8, suffix=" threads")
        named(self._threads, "faults.threads", "Threads that ask")
        self._way = choice("faults.ask_way", "What each asker does with its connection", _WAYS)
        self._way.setToolTip("query: run select pg_sleep; hold: do nothing with it")
        self._work = DoubleSpinBox(
            minimum=0.0, maximum=LONGEST_WORK, value=0.05, decimals=2, singleStep=0.05, suffix=" s"
        )
        named(self._work, "faults.ask_work", "Seconds that each asker works")
        self._pause = DoubleSpinBox(
            minimum=0.0, maximum=LONGEST, value=0.05, decimals=2, singleStep=0.05, prefix="pause ", suffix=" s"
        )
        named(self._pause, "faults.ask_pause", "Seconds that each asker pauses")
        self._widths: list[tuple[QWidget, int]] = [
            (self._restart_how, 134), (self._delay_ms, 92), (self._rate, 112), (self._cut_how, 138),
            (self._hold_seconds, 88), (self._threads, 102), (self._way, 106), (self._work, 82), (self._pause, 118),
        ]  # fmt: skip

    def _lay_out(self, actions: Mapping[str, QAction]) -> None:
        self._heading = heading("Break it")
        self._said = words("faults.said", "What just happened")
        self._look_at = words("faults.look", "What to look at", muted=True)
        self._counts = words("faults.counts", "What the askers met so far")
        self._by_thread = BarChart()
        self._by_thread.setObjectName("faults.by_thread")
        for widget in (self._counts, self._by_thread):
            widget.hide()

        styles = {"faults.stop_server": "danger", "faults.askers_start": "primary"}

        def buttons(*names: str) -> list[QWidget]:
            made = {name: button(actions[name], name, style=styles.get(name, ""), has_icon=False) for name in names}
            self._buttons |= made
            return list(made.values())

        rows: list[tuple[str, list[QWidget]]] = [
            (
                "End a backend",
                buttons("faults.terminate_idle", "faults.terminate_active", "faults.terminate_transaction"),
            ),
            (
                "Demo server",
                [self._restart_how, *buttons("faults.restart", "faults.stop_server", "faults.start_server")],
            ),
            (
                "Its link",
                [
                    self.link,
                    pair(*buttons("faults.delay"), self._delay_ms),
                    pair(*buttons("faults.throttle"), self._rate),
                    pair(*buttons("faults.cut"), self._cut_how),
                    *buttons("faults.hole", "faults.heal"),
                ],
            ),
            (
                "Hold",
                [
                    pair(*buttons("faults.hold"), self._hold_seconds),
                    self._hold_open,
                    *buttons("faults.let_go"),
                ],
            ),
            (
                "Askers",
                [
                    self._threads,
                    pair(self._way, self._work),
                    self._pause,
                    *buttons("faults.askers_start", "faults.askers_stop"),
                ],
            ),
        ]
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(5)
        captions: list[QLabel] = []
        for caption, widgets in rows:
            label = QLabel(caption)
            label.setProperty("muted", True)
            captions.append(label)
            flow = FlowLayout(spacing=6, row_spacing=4)
            for widget in widgets:
                flow.addWidget(widget)
            row = QHBoxLayout()
            row.setSpacing(8)
            row.addWidget(label, 0, Qt.AlignmentFlag.AlignTop)
            row.addLayout(flow, 1)
            column.addLayout(row)
        self._captions = captions
        column.addWidget(self._by_thread)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(4)
        whole.addWidget(self._heading)
        whole.addWidget(self._said)
        whole.addWidget(self._look_at)
        whole.addSpacing(4)
        whole.addWidget(scrolled(inside), 1)
        whole.addWidget(self._counts)

    # -- what was entered --------------------------------------------------------------------------------------

    def how(self) -> How:
        """Return how the server is stopped."""
        return cast("How", self._restart_how.currentData())

    def cut(self) -> Cut:
        """Return how connections are cut."""
        return cast("Cut", self._cut_how.currentData())

    def delay(self) -> float:
        """Return the delay each way, in seconds."""
        return self._delay_ms.value() / 1000

    def rate(self) -> int:
        """Return how many bytes a second a throttled connection lets through."""
        return self._rate.value() * 1000

    def hold(self) -> tuple[float, bool]:
        """Return for how many seconds a connection is held, and whether with a transaction open."""
        return self._hold_seconds.value(), self._hold_open.isChecked()

    def asking(self) -> Asking:
        """Return what each asker does."""
        way = cast("Way", self._way.currentData())
        return Asking(self._threads.value(), way, self._work.value(), self._pause.value())

    # -- what it shows -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Say that nothing happened yet."""
        self._said.setText("Nothing broken yet.")
        self._look_at.hide()

    def show_effect(self, effect: Effect) -> None:
        """Say what just happened, and what to look at."""
        self._said.setText(effect.said)
        self._look_at.setText(effect.look)
        self._look_at.setVisible(bool(effect.look))

    def enable(self, *, ready: bool, linked: bool, is_demo: bool) -> None:
        """Let fields be changed where they mean something: *linked*, the proxy is there; *is_demo*, the demo server."""
        for name in ("restart", "stop_server", "start_server"):
            self._buttons[f"faults.{name}"].setToolTip(BY_ID[name].does if is_demo else _NOT_HERE)
        self.link.setEnabled(ready)
        self._restart_how.setEnabled(ready and is_demo)
        for field in (self._delay_ms, self._rate, self._cut_how):
            field.setEnabled(linked)

    def show_askers(self, askers: Askers | None) -> None:
        """Draw the counts of *askers* of the moment. Reads numbers; asks nobody."""
        self._counts.setVisible(askers is not None)
        self._by_thread.setVisible(askers is not None)
        if askers is not self._shown_askers:
            self._shown_askers = askers
            self._served.clear()
        if askers is None:
            return
        counts, now = askers.counts(), time.monotonic()
        whole = total(counts)
        self._served.append((now, whole.served))
        while now - self._served[0][0] > 1.0:
            self._served.popleft()
        self._counts.setText(_counted(whole, _rate(self._served), askers))
        title, bars = _bars(counts)
        self._by_thread.set_bars(title, bars)

    def arrange(self, *, has_heading: bool) -> None:
        """Give fields and captions their widths, at the text size in use."""
        self._heading.setVisible(has_heading)
        width = max(label.fontMetrics().horizontalAdvance(label.text()) for label in self._captions) + 2
        for field, pixels in self._widths:
            field.setFixedWidth(theme.scaled(pixels))
        height = self._delay_ms.sizeHint().height()
        for label in self._captions:
            label.setFixedWidth(width)
            label.setMinimumHeight(height)


def _counted(whole: Tally, rate: float, askers: Askers) -> str:
    words = f"{whole.served:,} served · {whole.refused:,} refused · {whole.timed_out:,} timed out"
    words += f" · {whole.failed:,} failed" if whole.failed else ""
    return f"{words} · {rate:,.0f} served a second" if askers.active else f"{words} · ended"


def _rate(served: Sequence[tuple[float, int]]) -> float:
    (began, first), (now, last) = served[0], served[-1]
    return (last - first) / (now - began) if now > began else 0.0


def _bars(counts: Sequence[Tally]) -> tuple[str, list[tuple[str, float, str]]]:
    """Return a title and a bar for each thread, or for those that were served least and most."""
    title, shown = "Served, by thread", list(counts)
    if len(shown) > _MOST_BARS:
        half = _MOST_BARS // 2
        shown = sorted(counts, key=lambda tally: -tally.served)
        shown = [*shown[:half], *shown[-half:]]
        title = f"Served, by thread: the {half} of {len(counts)} served most, and the {half} served least"
    return title, [(tally.name, tally.served, _words_of(tally)) for tally in shown]


def _words_of(tally: Tally) -> str:
    lost = tally.refused + tally.timed_out + tally.failed
    return f"{tally.served:,} ({lost:,} not)" if lost else f"{tally.served:,}"
