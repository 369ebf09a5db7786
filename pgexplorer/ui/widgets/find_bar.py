"""Finding text in a table of any size: in slices, from the current cell onwards, stopped by Escape.

Where the rows are not all here, who has them looks through the others.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast, runtime_checkable

from PySide6.QtCore import QAbstractItemModel, QEvent, QItemSelectionModel, QModelIndex, QObject, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QPushButton, QTableView, QVBoxLayout
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.grid_paint import CopyRole, Line, lines_of

_SLICE = 0.006  # seconds of work between two turns of the event loop
_ROWS = 128  # that are taken at once
_MOST_OF_A_CELL = 1 << 20  # bytes: of a larger one the beginning alone is looked through
_ELSEWHERE = -1  # in place of a column: whether the row holds the text is not known here
_WHOLE = {str, type(None)}  # a cell of another type is the beginning of a long one


@dataclass(frozen=True, slots=True)
class Sought:
    """What is to be looked for where the rows are not here."""

    text: str
    columns: tuple[int, ...]  # those in sight, as they stand on the screen
    row: int  # from which on
    begun: int  # how many columns of that row, in the order of looking, come last
    step: int  # 1 onwards, -1 backwards
    is_around: bool  # whether it has begun again at the other end

    def words(self, is_around: bool) -> str:
        """Say where a search has begun again, if it has."""
        return around_words(self.step) if is_around or self.is_around else ""


def around_words(step: int) -> str:
    """Say where a search began again that went by *step* rows."""
    return ", from the top" if step > 0 else ", from the end"


class Beyond(Protocol):
    """Who has the rows that are not here. It tells the bar by `say`, and by `end` once it has looked."""

    def begin(self, sought: Sought) -> str:
        """Begin to look; return why not in a few words, "" where it does."""
        ...

    def stop(self) -> None:
        """Stop looking."""
        ...


@runtime_checkable
class Open(Protocol):
    """A model that may not have all the rows."""

    def rest(self) -> str:
        """Say in words why there may be more, "" where there are none."""
        ...


class FindBar(QFrame):
    """A bar over the upper right corner of *view*; what is found becomes the view's current cell.

    Upper and lower case are the same. A search goes on from the current cell, around the end, and stops where it began.
    """

    def __init__(self, view: QTableView) -> None:
        super().__init__(view)
        self._view = view
        self.beyond: Beyond | None = None
        self._is_beyond = False  # whether it is looking now
        self.number: Callable[[int], str] = lambda row: f"{row + 1:,}"  # of a row of the view
        self._cells: Iterator[tuple[int, int] | Sought | None] = iter(())
        self._looked = self._partly = self._away = 0
        self._step, self._is_around = 1, False  # which way, and whether it has begun again at the other end
        self._model: QAbstractItemModel | None = None  # that is looked through
        self._first = 0
        self._shown: tuple[int, ...] = ()  # the columns that are looked at
        self._lines: Sequence[Line | None] = []  # the rows that are at hand, from the first on
        self.setObjectName("find")
        self.setProperty("floating", True)
        self.text = QLineEdit(clearButtonEnabled=True)
        self.text.setObjectName("find.text")
        self.call_it("the result")
        self.text.setMinimumWidth(theme.scaled(60))
        self.text.returnPressed.connect(self.next)
        self.text.textEdited.connect(self._edited)
        self.said = ElidedLabel()  # below the field, which so stays where one types
        self.said.setObjectName("find.said")
        self.said.setAccessibleName("What the search has found")
        self.said.setProperty("muted", True)
        self.said.hide()
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.text, 1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(8, 6, 6, 6)
        whole.setSpacing(4)
        whole.addLayout(row)
        whole.addWidget(self.said)
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

    def call_it(self, what: str) -> None:
        """Say what is looked through: "the table"."""
        self.text.setPlaceholderText(f"Find in {what}")
        self.text.setAccessibleName(f"Find in {what}")

    @property
    def is_looking(self) -> bool:
        """Whether a search is under way."""
        return self._timer.isActive() or self._is_beyond

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

    def escape(self) -> None:
        """Stop looking; where nothing is looked for, go back to the cells."""
        if self.is_looking:
            self.stop()
        else:
            self.close_bar()

    def stop(self) -> None:
        """Stop looking."""
        if self.is_looking:
            self._halt()
            self.say("stopped")

    def end(self, words: str) -> None:
        """Take that the rows that are not here were looked through, and say what came of it."""
        self._is_beyond = False
        self.say(words)

    def _halt(self) -> None:
        self._timer.stop()
        if self._is_beyond and self.beyond is not None:
            self._is_beyond = False
            self.beyond.stop()

    @override
    def keyPressEvent(self, arg__1: QKeyEvent) -> None:
        if arg__1.key() == Qt.Key.Key_Escape:
            self.escape()
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
        self.say("")

    def _look(self, step: int) -> None:
        model = cast("QAbstractItemModel | None", self._view.model())
        wanted = self.text.text().casefold()
        self._halt()
        if model is None or not wanted or not model.rowCount() or not model.columnCount():
            self.say("" if not wanted else "nothing to look through")
            return
        self._looked = self._partly = self._away = 0
        self._model, self._step = model, step
        self._cells = self._hits(model, wanted, step)
        self.say("looking…")
        self._timer.start()

    def _hits(self, model: QAbstractItemModel, wanted: str, step: int) -> Iterator[tuple[int, int] | Sought | None]:
        """Yield a cell that holds *wanted*, None after each row that holds none, and from where on they are not here.

        By the columns in sight, as on the screen: the rest of the current row, all others, and then its beginning.
        """
        head = self._view.horizontalHeader()
        columns = [head.logicalIndex(at) for at in range(head.count())]
        columns = [column for column in columns if not head.isSectionHidden(column)]
        if not columns:
            return
        shown = self._shown = tuple(columns)
        if step < 0:
            columns.reverse()
        row, begun, count = 0, 0 if step > 0 else len(columns), model.rowCount()
        current = self._view.currentIndex()
        if current.isValid() and current.column() in columns:
            row, begun = current.row(), columns.index(current.column()) + 1
        for number in range(count + 1):
            each = (row + step * number) % count
            self._is_around = number == count or not 0 <= row + step * number < count
            part = columns[begun:] if not number else columns[:begun] if number == count else columns
            found = self._in_row(model, each, part, wanted, step)
            if found is _ELSEWHERE:
                yield Sought(self.text.text(), shown, each, 0 if number else begun, step, self._is_around)
                return
            yield None if found is None else (each, found)

    def _in_row(
        self, model: QAbstractItemModel, row: int, columns: Sequence[int], wanted: str, step: int
    ) -> int | None:
        """Return the first of *columns* whose cell in *row* holds *wanted*; _ELSEWHERE where that is not known here."""
        self._looked += len(columns)
        if not columns or row >= model.rowCount():  # the result may have changed meanwhile
            return None
        if not 0 <= row - self._first < len(self._lines):
            self._first = row if step > 0 else max(0, row - _ROWS + 1)
            count = min(_ROWS if step > 0 else row + 1 - self._first, model.rowCount() - self._first)
            self._lines = lines_of(model, self._first, count, self._shown)  # of the first row only a part is looked at
        line = self._lines[row - self._first]
        if line is None:
            self._away += 1
            return None if self.beyond is None else _ELSEWHERE
        if len(line) <= max(columns):
            return None
        texts = ["NULL" if line[column] is None else str(line[column]) for column in columns]
        is_in = wanted in "\0".join(texts).casefold()
        if not is_in and all(type(line[column]) in _WHOLE for column in columns):
            return None
        for column, text in zip(columns, texts, strict=True):
            if wanted in text.casefold():
                return column
            if type(line[column]) not in _WHOLE and getattr(line[column], "size", None) is not None:
                if self.beyond is not None:
                    return _ELSEWHERE
                if self._in_rest(model, row, column, wanted):
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
            if isinstance(found, Sought):
                self._go_beyond(found)
                return
            if found is not None:
                self._found(model.index(*found))
                return
            if time.perf_counter() > end:
                self.say(f"{self._looked:,} cells…")
                return
        self._timer.stop()
        said = ["not found"]
        if self._partly:
            said.append(f"{self._partly:,} long cell{' was' if self._partly == 1 else 's were'} looked through in part")
        if self._away:
            said.append(f"{self._away:,} row{' is' if self._away == 1 else 's are'} not here")
        if isinstance(model, Open) and (rest := model.rest()):
            said.append(rest)
        self.say("; ".join(said))

    def _go_beyond(self, sought: Sought) -> None:
        self._timer.stop()
        assert self.beyond is not None
        self._is_beyond = True
        if why := self.beyond.begin(sought):
            self.end(f"not in the rows that are here; {why}")

    def _found(self, index: QModelIndex) -> None:
        self._timer.stop()
        self.go_to(index)
        self.say(f"row {self.number(index.row())}{around_words(self._step) if self._is_around else ''}")

    def go_to(self, index: QModelIndex) -> None:
        """Make *index* the current cell, and bring it into sight where this bar does not hide it."""
        view = self._view
        # The only one selected, whatever keys are held: Shift+F3 goes back.
        view.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        view.scrollTo(index)
        seat = self.geometry().translated(-view.viewport().pos())
        if seat.intersects(view.visualRect(index)):
            view.scrollTo(index, QTableView.ScrollHint.PositionAtCenter)

    def say(self, words: str) -> None:
        """Say how far it is, or what came of it."""
        if words != self.said.text():
            self.said.setText(words)
            self.said.setVisible(bool(words))
            self._place()

    def _place(self) -> None:
        """Sit in the upper right corner of the rows, no wider than they are."""
        rows, edge = self._view.viewport().geometry(), theme.scaled(8)
        wide = min(theme.scaled(330), self._view.width() - 2 * edge)
        self.setGeometry(
            max(edge, rows.right() - wide - edge), rows.top() + theme.scaled(6), wide, self.sizeHint().height()
        )


def _call(wanted: Callable[[], None], _checked: bool = False) -> None:
    wanted()
