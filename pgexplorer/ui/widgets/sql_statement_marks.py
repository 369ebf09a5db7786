"""Which statement the caret is in: found in slices after the typing, and after a change only as far as it reaches."""

import time
from bisect import bisect_right
from collections.abc import Iterator

from PySide6.QtCore import QObject, QTimer, Signal

from pgexplorer.ui.widgets.sql_language import Language

_SLICE = 0.004  # seconds of work between two turns of the event loop
_REST = 150  # milliseconds without a change before the text is read
_LONGEST = 5_000_000  # characters of a text whose statements are looked for


class StatementMarks(QObject):
    """The statements of a text as ranges of code points, in order."""

    changed = Signal()

    def __init__(self, language: Language, parent: QObject) -> None:
        super().__init__(parent)
        self._language = language
        self._text = ""
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._found: Iterator[tuple[int, int]] = iter(())
        self._old: tuple[list[int], list[int]] = [], []  # of the text before, moved by what the change added
        self._same_from = 0  # from where the text is what it was
        self._clock = QTimer(self, interval=0)
        self._clock.timeout.connect(self._go_on)

    @property
    def is_busy(self) -> bool:
        """Whether the text is still being read."""
        return self._clock.isActive()

    def read(self, text: str) -> None:
        """Find the statements of *text* from now on."""
        if len(text) > _LONGEST:
            text = ""
        before, self._text = self._text, text
        if text == before and not self._clock.isActive():
            return
        same = _common(before, text)
        behind = _common(before[same:][::-1], text[same:][::-1])
        by = len(text) - len(before)
        # A statement that ended before the change is what it was; the one next to it may have grown.
        keep = max(0, bisect_right(self._stops, same) - 1) if not self._clock.isActive() else 0
        self._same_from = len(text) - behind if not self._clock.isActive() else len(text) + 1
        first = bisect_right(self._starts, len(before) - behind - 1)
        self._old = [start + by for start in self._starts[first:]], [stop + by for stop in self._stops[first:]]
        del self._starts[keep:], self._stops[keep:]
        self._found = self._language.statements(text, self._stops[-1] if keep else 0)
        self._clock.start()

    def at(self, position: int) -> tuple[int, int] | None:
        """Return the statement at *position*, or the one that ends just before it: its start and the offset behind."""
        index = bisect_right(self._starts, position) - 1
        if index >= 0 and position <= self._stops[index]:
            return self._starts[index], self._stops[index]
        return None

    def _go_on(self) -> None:
        deadline = time.perf_counter() + _SLICE
        old_starts, old_stops = self._old
        for start, stop in self._found:
            if start >= self._same_from:
                index = bisect_right(old_starts, start) - 1
                if index >= 0 and old_starts[index] == start and old_stops[index] == stop:
                    self._starts += old_starts[index:]
                    self._stops += old_stops[index:]
                    break
            self._starts.append(start)
            self._stops.append(stop)
            if time.perf_counter() > deadline:
                return
        self._clock.stop()
        self._found, self._old = iter(()), ([], [])
        self.changed.emit()


def _common(one: str, other: str) -> int:
    """Return how many characters the two begin with alike, by halves: comparing slices is far sooner than loops."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
