"""Finding text in a table of any size: in slices, from the current cell onwards, stopped by Escape."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import cast

from PySide6.QtCore import QAbstractItemModel, QEvent, QModelIndex, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QTableView
from typing_extensions import override

from pgexplorer.ui import icons, theme

_SLICE = 0.006  # seconds of work between two turns of the event loop
_BETWEEN_LOOKS = 200  # cells


class FindBar(QFrame):
    """A bar over the upper right corner of *view*; what is found becomes the view's current cell.

    Upper and lower case are the same. A search goes on from the current cell, around the end, and stops where it began.
    """

    def __init__(self, view: QTableView) -> None:
        super().__init__(view)
        self._view = view
        self._cells: Iterator[tuple[int, int]] = iter(())
        self._wanted = ""
        self._looked = 0
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
        self._wanted, self._looked = wanted, 0
        self._cells = self._order(model, step)
        self._say("looking…")
        self._timer.start()

    def _order(self, model: QAbstractItemModel, step: int) -> Iterator[tuple[int, int]]:
        """Return the cells in the order in which they are looked at: by the columns in sight, as on the screen."""
        head = self._view.horizontalHeader()
        columns = [head.logicalIndex(at) for at in range(head.count())]
        columns = [column for column in columns if not head.isSectionHidden(column)]
        across, rows = len(columns), model.rowCount()
        current = self._view.currentIndex()
        place = -1 if step > 0 else 0
        if current.isValid() and current.column() in columns:
            place = current.row() * across + columns.index(current.column())
        total = across * rows
        for ahead in range(1, total + 1):
            row, at = divmod((place + step * ahead) % total, across)
            yield row, columns[at]

    def _go_on(self) -> None:
        model = cast("QAbstractItemModel | None", self._view.model())
        if model is None:
            self.stop()
            return
        rows, columns = model.rowCount(), model.columnCount()
        end = time.perf_counter() + _SLICE
        for row, column in self._cells:
            self._looked += 1
            if row < rows and column < columns:  # the result may have changed meanwhile
                value = model.data(model.index(row, column), Qt.ItemDataRole.DisplayRole)
                if value is not None and self._wanted in str(value).casefold():
                    self._found(model.index(row, column))
                    return
            if not self._looked % _BETWEEN_LOOKS and time.perf_counter() > end:
                self._say(f"{self._looked:,} cells…")
                return
        self._timer.stop()
        self._say("not found")

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
