"""How wide values are: letters of one width are counted, not shaped, and no more is looked at than is needed."""

from collections.abc import Iterator
from math import ceil

from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtGui import QFontMetrics

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.grid_head import padding
from pgexplorer.ui.widgets.grid_paint import Line, has_lines, lines_of

_MEASURED_LETTERS = 80


class Measure:
    """Measures the values of *model*."""

    def __init__(self, model: QAbstractItemModel) -> None:
        self._model = model
        self._metrics = QFontMetrics(theme.mono())
        self._letter = self._metrics.horizontalAdvance("M" * 100) / 100
        self._around = 2 * padding() + 2
        self._lines: dict[tuple[int, int], list[Line]] = {}

    def width(self, column: int, rows: range, enough: int) -> int:
        """Return the width that *rows* of *column* want; *enough* or more ends the search."""
        widest = 0
        for text in self._texts(column, rows):
            if text.isascii():
                wide = ceil(min(len(text), _MEASURED_LETTERS + 1) * self._letter)
            else:
                wide = self._metrics.horizontalAdvance(plain.one_line(text, _MEASURED_LETTERS))
            widest = max(widest, wide + self._around)
            if widest >= enough:
                break
        return widest

    def _texts(self, column: int, rows: range) -> Iterator[str]:
        model = self._model
        if not has_lines(model):
            for row in rows:
                value = model.data(model.index(row, column), Qt.ItemDataRole.DisplayRole)
                yield "NULL" if value is None else str(value)
            return
        key = (rows.start, len(rows))
        if key not in self._lines:
            self._lines[key] = [line for line in lines_of(model, *key, ()) if line is not None]
        for line in self._lines[key]:
            yield line[column] or "NULL"  # '' is shown by two letters
