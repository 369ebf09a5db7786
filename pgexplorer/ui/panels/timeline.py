"""The timeline: what happened on every connection of the pool, live and for hours back, to look at and to save."""

import os
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt, QTimer
from PySide6.QtGui import QHideEvent, QImage, QImageWriter, QShowEvent
from PySide6.QtWidgets import QFileDialog, QStackedLayout, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.jobs import Job, Jobs
from pgexplorer.pool.timeline import Timeline
from pgexplorer.pool.timeline_reader import Batch, Reader, take
from pgexplorer.server import Server
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.figure_label import SteadyLabel
from pgexplorer.ui.widgets.flow_layout import FlowLayout
from pgexplorer.ui.widgets.timeline_legend import TimelineLegend
from pgexplorer.ui.widgets.timeline_view import TimelineView

_QUICKEST, _STILL, _SLOWEST = 33, 200, 500  # milliseconds between two looks: live, paused, at most
_HIDDEN = 1000  # milliseconds between two looks while nobody sees it
_UNSEEN = 150  # and at least, however busy the pool is
_PAINTING, _READING = 0.03, 0.02  # of this thread's time, in the long run: the pool's users need the interpreter
_BURST = 0.002  # seconds that one look may take when the looks before took little
_LEAST = 200  # events that are read at a look in any case
_SLICE = 150  # events folded in one turn of the event loop: about half a millisecond
_BETWEEN = 2  # milliseconds between two such turns
_FEW = 1000  # events that are read on this thread in any case


class TimelinePanel(Panel):
    """Follows the pool in use, also across Reopen. Reads its events; no connection is asked.

    Out of sight it goes on reading about once a second, so that the history is there when it is wanted.
    """

    TITLE = "Timeline"
    ICON = "timeline"

    def __init__(self, server: Server, jobs: Jobs) -> None:
        super().__init__("timeline")
        self._server = server
        self._jobs = jobs
        self.timeline = Timeline()
        self._reader: Reader | None = None
        self._catching: Job | None = None  # reads what was there before
        self._slices: deque[Batch] = deque()  # of that, still to be folded
        self._looked_at, self._elapsed = time.monotonic(), 1.0  # the last look; seconds between it and the one before
        self._allowed = _BURST  # seconds for reading
        self._per_event = 3e-6  # seconds of this thread's time to read and fold one
        self._read, self._cost = 0, 0.0  # events of the last look, and this thread's seconds for them
        self._missed = 0  # as the note says
        self.view = TimelineView()
        self.view.setObjectName("timeline.view")
        self.view.following_changed.connect(self._following)
        self.note = SteadyLabel()
        self.note.setObjectName("timeline.missed")
        self.note.setProperty("muted", True)
        self.note.setToolTip(
            "The pool keeps its last 10,000 events. Where more happened between two looks, or reading all would slow "
            "the pool down, the picture has a dotted gap: nothing is claimed there but what the slots still told."
        )
        self.note.hide()
        self.add_actions(
            [
                Action("timeline.pause", "Pause", self._pause, tip="Stand still, or follow again (Space)"),
                Action("timeline.zoom_in", "Zoom in", self.view.zoom_in, icon="plus", tip="Zoom in (+)"),
                Action("timeline.zoom_out", "Zoom out", self.view.zoom_out, icon="minus", tip="Zoom out (-)"),
                Action("timeline.whole", "Whole", self.view.show_whole, tip="Show everything since the beginning"),
                Action("timeline.save_png", "Save as PNG…", self.save_png, icon="download", tip="Save what is seen"),
                Action("timeline.save_csv", "Save as CSV…", self.save_csv, icon="download",
                       tip="Save the spans, waits and marks of the time in sight"),
            ]
        )  # fmt: skip
        self._lay_out()
        self._pulse = QTimer(self, interval=_HIDDEN)
        self._pulse.timeout.connect(self.look)
        self._digest = QTimer(self, interval=_BETWEEN)
        self._digest.timeout.connect(self._fold_slice)
        server.opened.connect(self._opened)
        server.swapped.connect(self.look)
        server.closed.connect(self._closed)
        if server.is_open:
            self._opened()
        else:
            self._closed()

    def _lay_out(self) -> None:
        self._pause_button = button(self.action("timeline.pause"), "timeline.pause", style="small")
        tools = FlowLayout(spacing=6)
        tools.addWidget(self._pause_button)
        for name in ("timeline.zoom_in", "timeline.zoom_out"):
            tool = button(self.action(name), name, style="quiet small", text="")
            tool.setProperty("icon_only", True)
            tools.addWidget(tool)
        tools.addWidget(button(self.action("timeline.whole"), "timeline.whole", style="small"))
        for name, text in (("timeline.save_png", "PNG…"), ("timeline.save_csv", "CSV…")):
            tools.addWidget(button(self.action(name), name, style="small", text=text, has_icon=False))
        legend = TimelineLegend()
        legend.setObjectName("timeline.legend")
        tools.addWidget(legend)
        tools.addWidget(self.note)
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(8, 5, 0, 0)
        column.setSpacing(4)
        column.addLayout(tools)
        column.addWidget(self.message)
        column.addWidget(self.view, 1)
        self._nothing = EmptyState(
            "timeline", "No pool yet", "Connect to a server, and what happens in its pool is drawn here."
        )
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(whole)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    # -- reading -----------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read what is new in the pool and show it. About a millisecond at a usual load, and bounded at any."""
        if self._catching is not None or self._slices:
            return
        began = time.thread_time()
        self._follow_pool()
        if self._reader is None:
            return
        batch = self._reader.read(self._most())
        self._read, self._cost = len(batch.events), time.thread_time() - began
        self._pace((len(batch.events) + batch.missed) / max(1e-3, self._elapsed))
        self._slices.extend(batch.slices(_SLICE))
        if len(self._slices) == 1:
            self._fold_slice()
        else:
            self._digest.start()

    def _most(self) -> int:
        """Return how many events may be read now: what was not used before is allowed, up to a burst."""
        now = time.monotonic()
        self._elapsed, self._looked_at = now - self._looked_at, now
        self._allowed = min(_BURST, self._allowed + self._elapsed * _READING)
        return max(_LEAST, int(self._allowed / self._per_event))

    def _show(self) -> None:
        if self.timeline.missed != self._missed:
            self._missed = self.timeline.missed
            self.note.show_text(f"{self._missed:,} event{'' if self._missed == 1 else 's'} missed")
            if self.note.isHidden() == bool(self._missed):
                self.note.setVisible(bool(self._missed))
        if self.isVisible():
            self.view.advance()

    def _pace(self, per_second: float) -> None:
        """Look again soon, but never take more than a small share of the time from those who use the pool."""
        if not self.isVisible():
            # A busy pool is read more often, so that its ring is not full before.
            interval = max(_UNSEEN, _HIDDEN * min(1.0, _FEW / max(1.0, per_second)))
        else:
            left, right = self.view.range
            a_pixel = (right - left) / max(1, self.view.width()) * 1000
            wanted = min(250.0, max(_QUICKEST, a_pixel)) if self.view.is_following else _STILL
            interval = min(_SLOWEST, max(wanted, self.view.paint_seconds / _PAINTING * 1000))
        if abs(interval - self._pulse.interval()) > 5:
            self._pulse.setInterval(round(interval))

    def _follow_pool(self) -> None:
        """Read another pool from now on, if another one is in use; what was read so far stays in the picture."""
        pool = self._server.in_use.pool if self._server.in_use is not None else None
        if pool is None or (self._reader is not None and self._reader.pool is pool):
            return
        if self._reader is not None:
            take(self.timeline, self._reader.read(self._most()))
            self.timeline.another_pool(time.monotonic(), pool.kind)
        self._reader = Reader(pool)
        self._catch_up()

    def _catch_up(self) -> None:
        """Read what the ring has. When that is much it is read on a worker, and folded in slices between frames."""
        reader = self._reader
        if reader is None or self._catching is not None or self._slices or reader.behind <= _FEW:
            return

        def read(batch: Batch) -> None:
            if reader is self._reader:
                self._slices.extend(batch.slices(_SLICE))
                self._digest.start()

        def ended() -> None:
            self._catching = None

        self._catching = self._jobs.call(reader.read, name="read the pool's events", done=read, ended=ended)

    def _fold_slice(self) -> None:
        began = time.thread_time()
        if self._slices:
            take(self.timeline, self._slices.popleft())
        self._cost += time.thread_time() - began
        if self._slices:
            return
        self._digest.stop()
        self._allowed = max(0.0, self._allowed - self._cost)
        if self._read >= 50:
            self._per_event += (self._cost / self._read - self._per_event) * 0.2
        self._read, self._cost = 0, 0.0
        self._show()

    def _opened(self) -> None:
        self._forget()
        self.view.set_source(self.timeline)
        self._pages.setCurrentIndex(1)
        self._follow_pool()
        self._pulse.start()
        self.look()

    def _closed(self) -> None:
        self._pulse.stop()
        self._forget()
        self.view.set_source(None)
        self._pages.setCurrentIndex(0)

    def _forget(self) -> None:
        if self._catching is not None:
            self._catching.ignore()
            self._catching = None
        self._slices.clear()
        self._digest.stop()
        self._reader = None
        self.timeline = Timeline()
        self._missed = 0
        self.note.hide()
        self.message.clear()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._reader is not None:
            self._catch_up()
            self.look()
            self.view.refresh()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._pulse.setInterval(_HIDDEN)

    @override
    def leave(self) -> None:
        self._pulse.stop()
        self._digest.stop()
        if self._catching is not None:
            self._catching.ignore()

    @property
    def is_reading(self) -> bool:
        """Whether it reads again by itself."""
        return self._pulse.isActive()

    # -- pausing and saving ------------------------------------------------------------------------------------

    def _pause(self) -> None:
        self.view.toggle_following()

    def _following(self, following: bool) -> None:
        words = "Pause" if following else "Follow"
        self.action("timeline.pause").setText(words)
        self._pause_button.setText(words)
        self._pause_button.setAccessibleName(words)
        if not following:
            return
        self._pulse.setInterval(_QUICKEST if self.isVisible() else _HIDDEN)

    def save_png(self) -> None:
        """Ask for a file and save what is seen, with the time of day on its axis."""
        path = self._chosen("Save the picture as", "timeline.png", "Pictures (*.png)")
        if path is None:
            return
        image = self.view.picture().toImage()

        def write() -> int:
            data = _png(image)
            _put(path, data)
            return len(data)

        def done(size: int) -> None:
            self._saved(path, f"{image.width():,} × {image.height():,} pixels, {size:,} bytes")

        self._jobs.call(write, name="save the picture", done=done, failed=lambda error: self._not_saved(path, error))

    def save_csv(self) -> None:
        """Ask for a file and save the spans, waits and marks of the time in sight."""
        path = self._chosen("Save the spans as", "timeline.csv", "Comma-separated values (*.csv)")
        if path is None:
            return
        start, end = self.view.range
        frozen, now = self.timeline.clone(), time.monotonic()

        def write() -> int:
            part = _part(path)
            try:
                with part.open("w", encoding="utf-8", newline="") as file:
                    count = frozen.csv(file, start, end, now)
                part.replace(path)
            except OSError:
                with suppress(OSError):
                    part.unlink(missing_ok=True)
                raise
            return count

        def done(count: int) -> None:
            self._saved(path, f"{count:,} row{'' if count == 1 else 's'}")

        self._jobs.call(write, name="save the spans", done=done, failed=lambda error: self._not_saved(path, error))

    def _chosen(self, title: str, name: str, kinds: str) -> Path | None:
        chosen, _ = QFileDialog.getSaveFileName(self, title, name, kinds)
        if not chosen:
            return None
        path = Path(chosen)
        return path if path.suffix else path.with_suffix(Path(name).suffix)

    def _saved(self, path: Path, what: str) -> None:
        self.message.show_message("success", f"Saved to {path}", f"{what}.")

    def _not_saved(self, path: Path, error: Exception) -> None:
        words = (error.strerror if isinstance(error, OSError) else None) or str(error)
        self.message.show_message("error", f"{path} could not be written", words, "Choose another place, or make room.")


def _png(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(b"png"))
    if not writer.write(image):
        raise OSError(writer.errorString())
    return bytes(buffer.data().data())


def _part(path: Path) -> Path:
    """Return where a file is written before it takes the place of an older one, which a failure leaves alone."""
    return path.with_name(f"{path.name}.{os.getpid()}.part")


def _put(path: Path, data: bytes) -> None:
    part = _part(path)
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
