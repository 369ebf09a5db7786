"""Finding text in a table of any size: in slices, from the current cell onwards, stopped by Escape."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import cast

from PySide6.QtCore import QAbstractItemModel, QEvent, QModelIndex, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QTableView
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets.grid_paint import CopyRole, Line, lines_of

_SLICE = 0.006  # seconds of work between two turns of the event loop
_ROWS = 128  # that are taken at once
_MOST_OF_A_CELL = 1 << 20  # bytes: of a larger one the beginning alone is looked through
_WHOLE = {str, type(None)}  # a cell of another type is the beginning of a long one


class FindBar(QFrame):
    """A bar over the upper right corner of *view*; what is found becomes the view's current cell.

    Upper and lower case are the same. A search goes on from the current cell, around the end, and stops where it began.
    """

    def __init__(self, view: QTableView) -> None:
        super().__init__(view)
        self._view = view
        self._cells: Iterator[tuple[int, int] | None] = iter(())
        self._looked = self._partly = self._away = 0
        self._model: QAbstractItemModel | None = None  # that is looked through
        self._first = 0
        self._lines: Sequence[Line | None] = []  # the rows that are at hand, from the first on
        self.setObjectName("find")
        self.setProperty("surface", True)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.text = QLineEdit(placeholderText="Find in the result", clearButtonEnabled=True)
        self.text.setObjectName("find.text")
        self.text.setAccessibleName("Find in the result")
        self.text.setMinimumWidth(theme.scaled(190))
        self.text.returnPressed.connect(self.next)
        self.text.textEdited.connect(self._edited)
        self.said = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.said.setObjectName("find.said")
        self.said.setProperty("muted", True)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 6, 6, 6)
        row.setSpacing(4)
        row.addWidget(self.text)
        row.addWidget(self.said)
        buttons: list[tuple[str, str, Callable[[], None]]] = [
            ("arrow-up", "Previous", self.previous),
            ("arrow-down", "Next", self.next),
            ("close", "Close", self.close_bar),
        ]
        for icon, words, call in buttons:
            button = QPushButton()
            button.setObjectName(f"find.{words.lower()}")
            button.setAccessibleName(words)
            button.setToolTip(words)
            button.setProperty("quiet", True)
            button.setProperty("icon_only", True)
            icons.wear(button, icon)
            button.clicked.connect(partial(_call, call))
            row.addWidget(button)
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._go_on)
        view.installEventFilter(self)
        self.hide()

    @property
    def is_looking(self) -> bool:
        """Whether a search is under way."""
        return self._timer.isActive()

    def open_bar(self) -> None:
        """Show the bar and have the person type."""
        self.show()
        self._place()
        self.raise_()
        self.text.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.text.selectAll()

    def close_bar(self) -> None:
        """Stop looking and go back to the cells."""
        self.stop()
        self.hide()
        self._view.setFocus(Qt.FocusReason.OtherFocusReason)

    def next(self) -> None:
        """Look onwards from the current cell."""
        self._look(1)

    def previous(self) -> None:
        """Look backwards from the current cell."""
        self._look(-1)

    def stop(self) -> None:
        """Stop looking."""
        if self.is_looking:
            self._timer.stop()
            self._say("stopped")

    @override
    def keyPressEvent(self, arg__1: QKeyEvent) -> None:
        if arg__1.key() == Qt.Key.Key_Escape:
            if self.is_looking:
                self.stop()
            else:
                self.close_bar()
        elif arg__1.key() in (Qt.Key.Key_Down, Qt.Key.Key_Up):
            self._look(1 if arg__1.key() == Qt.Key.Key_Down else -1)
        else:
            super().keyPressEvent(arg__1)

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Resize and self.isVisible():
            self._place()
        return False

    def _edited(self) -> None:
        self.stop()
        self._say("")

    def _look(self, step: int) -> None:
        model = cast("QAbstractItemModel | None", self._view.model())
        wanted = self.text.text().casefold()
        if model is None or not wanted or not model.rowCount() or not model.columnCount():
            self._timer.stop()
            self._say("" if not wanted else "nothing to look through")
            return
        self._looked = self._partly = self._away = 0
        self._model = model
        self._cells = self._hits(model, wanted, step)
        self._say("looking…")
        self._timer.start()

    def _hits(self, model: QAbstractItemModel, wanted: str, step: int) -> Iterator[tuple[int, int] | None]:
        """Yield a cell that holds *wanted*, and None after each row that holds none.

        By the columns in sight, as on the screen: the rest of the current row, all others, and then its beginning.
        """
        head = self._view.horizontalHeader()
        columns = [head.logicalIndex(at) for at in range(head.count())]
        columns = [column for column in columns if not head.isSectionHidden(column)]
        if not columns:
            return
        row, at, count = 0, -1 if step > 0 else 0, model.rowCount()
        current = self._view.currentIndex()
        if current.isValid() and current.column() in columns:
            row, at = current.row(), columns.index(current.column())
        ahead, behind = (columns[at + 1 :], columns[: at + 1]) if step > 0 else (columns[:at], columns[at:])
        if step < 0:
            ahead, behind, columns = ahead[::-1], behind[::-1], columns[::-1]
        for number in range(count + 1):
            each = (row + step * number) % count
            part = ahead if not number else behind if number == count else columns
            column = self._in_row(model, each, part, wanted, step)
            yield None if column is None else (each, column)

    def _in_row(
        self, model: QAbstractItemModel, row: int, columns: Sequence[int], wanted: str, step: int
    ) -> int | None:
        """Return the first of *columns* whose cell in *row* holds *wanted*."""
        self._looked += len(columns)
        if not columns or row >= model.rowCount():  # the result may have changed meanwhile
            return None
        if not 0 <= row - self._first < len(self._lines):
            self._first = row if step > 0 else max(0, row - _ROWS + 1)
            count = min(_ROWS if step > 0 else row + 1 - self._first, model.rowCount() - self._first)
            self._lines = lines_of(model, self._first, count, columns)
        line = self._lines[row - self._first]
        if line is None:
            self._away += 1
            return None
        if len(line) <= max(columns):
            return None
        texts = ["NULL" if line[column] is None else str(line[column]) for column in columns]
        if wanted in "\0".join(texts).casefold():
            return next(
                (column for column, text in zip(columns, texts, strict=True) if wanted in text.casefold()), None
            )
        for column in columns:
            if type(line[column]) not in _WHOLE and self._in_rest(model, row, column, wanted):
                return column
        return None

    def _in_rest(self, model: QAbstractItemModel, row: int, column: int, wanted: str) -> bool:
        """Look through all of a long cell, of which the line has the beginning."""
        line = self._lines[row - self._first]
        cell = None if line is None else line[column]
        if cell is None or int(getattr(cell, "size", 0)) > _MOST_OF_A_CELL:
            self._partly += 1
            return False
        whole = str(model.data(model.index(row, column), CopyRole))
        self._partly += len(whole) <= len(cell)  # the rest is not to be had
        return wanted in whole.casefold()

    def _go_on(self) -> None:
        model = cast("QAbstractItemModel | None", self._view.model())
        if model is None or model is not self._model:
            self.stop()
            return
        self._lines = []  # they may be others by now
        end = time.perf_counter() + _SLICE
        for found in self._cells:
            if found is not None:
                self._found(model.index(*found))
                return
            if time.perf_counter() > end:
                self._say(f"{self._looked:,} cells…")
                return
        self._timer.stop()
        said = ["not found"]
        if self._partly:
            said.append(f"{self._partly:,} long cell{' was' if self._partly == 1 else 's were'} looked through in part")
        if self._away:
            said.append(f"{self._away:,} row{' is' if self._away == 1 else 's are'} not here")
        self._say("; ".join(said))

    def _found(self, index: QModelIndex) -> None:
        self._timer.stop()
        self._view.setCurrentIndex(index)
        self._view.scrollTo(index)
        self._say(f"row {index.row() + 1:,}")

    def _say(self, words: str) -> None:
        if words != self.said.text():
            self.said.setText(words)
            self.adjustSize()
            self._place()

    def _place(self) -> None:
        view = self._view
        self.adjustSize()
        right = view.viewport().geometry().right()
        self.move(max(0, right - self.width() - theme.scaled(8)), view.horizontalHeader().height() + theme.scaled(6))


def _call(wanted: Callable[[], None], _checked: bool = False) -> None:
    wanted()
