"""A table as Qt sees it: every row has its place, a stretch of them is here, and numbers are put right on the way."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

from PySide6.QtCore import QModelIndex, QObject, Qt, Signal
from typing_extensions import override

from pgexplorer.db.rows import Clipped
from pgexplorer.db.table.changes import DEFAULT, Default, Slot
from pgexplorer.db.table.pages import Page, Place, Read
from pgexplorer.db.table.stretch import Missing, Shift, Stretch
from pgexplorer.db.values import Row
from pgexplorer.models.marks import RowMark, Troubles
from pgexplorer.models.pending import Added, Edited, Pending, State
from pgexplorer.models.result_model import COPY_ROLE, NULL_ROLE, Index, Pieces, ResultModel
from pgexplorer.models.seats import Seats

_ROOT = QModelIndex()
_DISPLAY, _EDIT = Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole
_MANY = 100  # rows from which on all of the view is told to be others, which costs less than to find each
_SIGNS = {"inserted": "+ ", "deleted": "× ", "changed": "• ", "sent": "✓ "}


@dataclass(frozen=True, slots=True)
class _Whereabouts:
    """The rows that are here, by what tells one from the others."""

    bases: dict[Row, int]  # rows of the table
    sent: dict[Row, int]  # the numbers of new rows that are in the table now


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of the view that lie side by side."""

    rows: Sequence[Any]  # of the table as they were read; or one new row: its number, or as it is in the table
    places: Sequence[Place] | None = None


@dataclass(frozen=True, slots=True)
class Targets:
    """Rows that are to be changed, taken out of the view: who reads them is on whatever thread."""

    parts: Sequence[_Part]
    states: Mapping[Slot, State]  # what is pending
    identity: Callable[[Place], Row]

    def __iter__(self) -> Iterator[tuple[Slot, State]]:
        """Yield what each row is kept under, and what is pending of it, or the row as it was read."""
        for part in self.parts:
            if part.places is not None:
                for row, place in zip(part.rows, part.places, strict=True):
                    yield self._of_table(row, place)
            elif isinstance(number := part.rows[0], int):
                yield number, self.states[number]
            else:
                yield self._of_table(*number)

    def _of_table(self, row: Row, place: Place) -> tuple[Slot, State]:
        slot = self.identity(place)
        return slot, self.states.get(slot) or Edited(place, row)


class TableModel(ResultModel):
    """A browsed table. Rows that were not read yet show as missing; who scrolls asks `stretch.wanted`.

    What is pending lies over the rows: other values, new rows between them, rows that go. Rows of the view are those
    of the table and the new ones; `base` tells which is which. Editing is the view's wish, told by `edit_wanted`.
    """

    moved = Signal(int)  # the rows in sight have got numbers that are so much higher
    edit_wanted = Signal(int, int, object)  # a row and a column of the view, and its value: a text, None for NULL

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.stretch = Stretch()
        self.pending = Pending()
        self.troubles = Troubles()
        self.may_edit: Callable[[int, int], bool] = lambda _row, _column: False  # a row and a column of the view
        self.has_default: Collection[int] = ()  # the columns that get a value where none is given
        self._seats = Seats()
        self._places: dict[int, int] = {}  # of new rows: before which row they sat when they went
        self._sent: dict[int, tuple[Row, Place]] = {}  # new rows that are in the table now
        self._fresh: set[Slot] = set()  # rows that were sent as they are now
        self._identity: Callable[[Place], Row] = tuple
        self._index: _Whereabouts | None = None  # made when it is asked for, until rows come or go

    def begin(self, stretch: Stretch, identity: Callable[[Place], Row] = tuple) -> None:
        """Show *stretch* in place of what is there. *identity* returns what tells the row at a place from others."""
        self.pending.clear()
        self.troubles.clear()
        self._seats.clear()
        self._sent.clear()
        self._fresh.clear()
        self._identity = identity
        self._index = None
        self.stretch = stretch
        self.show(stretch)

    def take(self, read: Read, page: Page) -> None:
        """Take a page that was read."""
        self._follow(self.stretch.take(read, page))
        if self._sent:  # a new row that was sent is found where it belongs
            here = {self._identity(place) for place in page.places}
            gone = [number for number, (_, place) in self._sent.items() if self._identity(place) in here]
            self._unseat(gone)
            for number in gone:
                del self._sent[number]
            self._index = None

    def count(self, rows: int) -> None:
        """Take the counted number of rows."""
        self._follow(self.stretch.count(rows))

    # -- which row is which

    def base(self, row: int) -> int:
        """Return which row of the table the view's *row* is; of a new one, before which it stands."""
        return self._seats.at(row)[0]

    def view(self, base: int) -> int:
        """Return which row of the view the table's row *base* is."""
        return self._seats.view(base)

    def place(self, row: int) -> Place | None:
        """Return where the view's *row* is in the table; None where it is not here, or new."""
        base, number = self._seats.at(row)
        if number is not None:
            return self._sent[number][1] if number in self._sent else None
        return self.stretch.place(base)

    def slot(self, row: int) -> Slot | None:
        """Return what is pending of the view's *row* is kept under; None where the row is not here."""
        _, number = self._seats.at(row)
        if number is not None and number not in self._sent:
            return number
        place = self.place(row)
        return None if place is None else self._identity(place)

    def rows_of(self, slots: Iterable[Slot]) -> list[int]:
        """Return the rows of the view that are kept under *slots*, as far as they are here."""
        return sorted(row for slot in slots if (row := self._row_of(slot)) is not None)

    def _row_of(self, slot: Slot) -> int | None:
        if isinstance(slot, int):
            return self._seats.row_of(slot) if self._seats.has(slot) else None
        where = self._whereabouts
        if (number := where.sent.get(slot)) is not None:
            return self._seats.row_of(number)
        return self._seats.view(base) if (base := where.bases.get(slot)) is not None else None

    @property
    def _whereabouts(self) -> "_Whereabouts":
        """Where the rows are that are here."""
        if self._index is None:
            bases = {self._identity(place): base for base, place in self.stretch.here()}
            sent = {self._identity(place): number for number, (_, place) in self._sent.items()}
            self._index = _Whereabouts(bases, sent)
        return self._index

    def row_as_read(self, row: int) -> Row | None:
        """Return the row as the table has it; None for a new one, and where it is not here."""
        base, number = self._seats.at(row)
        if number is not None:
            return self._sent[number][0] if number in self._sent else None
        if not self.stretch.begin <= base < self.stretch.end:
            return None
        return self.stretch.window(base, 1)[0]

    # -- what is pending

    @property
    def is_touched(self) -> bool:
        """Whether the view shows other rows or values than the table has, in this order."""
        return bool(self.pending) or bool(self._seats)

    def state(self, row: int) -> State | None:
        """Return what is pending of the view's *row*."""
        slot = self.slot(row)
        return None if slot is None else self.pending.get(slot)

    def state_to_edit(self, row: int) -> State | None:
        """Return the same, or the row as it was read where nothing is; None where it is not here."""
        if (state := self.state(row)) is not None:
            return state
        place, old = self.place(row), self.row_as_read(row)
        return Edited(place, old) if place is not None and old is not None else None

    def targets(self, first: int, end: int) -> "Targets | None":
        """Return the rows of the view from *first* to the one before *end* as they can be changed on another thread.

        None where not all of them are here.
        """
        parts: list[_Part] = []
        low, stretch = first, self.stretch
        while low < end:
            base, number = self._seats.at(low)
            if number is not None:
                parts.append(_Part([self._sent.get(number, number)]))
                low += 1
                continue
            high = min(end, low + self._seats.next_before(base) - base)
            if not stretch.begin <= base <= base + high - low <= stretch.end:
                return None
            parts.append(_Part(stretch.window(base, high - low), stretch.places(base, high - low)))
            low = high
        return Targets(parts, self.pending.states(), self._identity)

    def put(self, states: Sequence[tuple[Slot, State | None]], before: int = 0, *, joins: bool = False) -> bool:
        """Take the new states of rows as one step, with *joins* as a part of the last; return whether any is another.

        New rows come before the view's row *before*. Rows of a part are told to be others by `tell`, when it is done:
        a view that paints a frame for each part would be busy with that.
        """
        base = self.base(before)
        for slot, _ in states:
            if isinstance(slot, int):
                self._places.setdefault(slot, base)
        changed = self.pending.put(states, joins=joins)
        self._show_changed(changed, tells=not joins)
        return bool(changed)

    def tell(self) -> None:
        """Tell views to look at all rows anew."""
        self._tell_all()

    def undo(self) -> int | None:
        """Take the last step back, and return the row of the view that it began with; None where that is not here."""
        return self._stepped(self.pending.undo()[::-1])

    def redo(self) -> int | None:
        """Do the step again that was taken back last, and return the same."""
        return self._stepped(self.pending.redo())

    def take_back(self) -> None:
        """Take the last step back for good: it was not wholly done."""
        self._show_changed(self.pending.undo())
        self.pending.forget_undone()

    def _stepped(self, slots: Sequence[Slot]) -> int | None:
        self._show_changed(slots)
        rows = (self._row_of(slot) for slot in slots)
        return next((row for row in rows if row is not None), None)

    def drop_pending(self) -> None:
        """Forget what is pending: the rows are as they were read."""
        self.troubles.clear()
        self._show_changed(self.pending.clear())

    def settle(self, kept: Sequence[tuple[Slot, Row | None, Place | None]]) -> None:
        """Take what the server has made of what was pending: rows as they are now, None for those that are gone."""
        self.troubles.clear()
        self.pending.clear()
        where, self._index = self._whereabouts, None
        self._forget_blocks()
        unseated: list[int] = []
        gone: list[int] = []
        for slot, row, place in kept:
            number = slot if isinstance(slot, int) else where.sent.get(slot)
            if number is not None and (row is None or place is None):
                unseated.append(number)
            elif number is not None and row is not None and place is not None:
                self._sent[number] = row, place
                self._fresh.add(self._identity(place))
            elif (base := where.bases.get(cast("Row", slot))) is not None and (row is None or place is None):
                gone.append(base)
            elif base is not None and row is not None and place is not None:
                self.stretch.replace(base, row, place)
                self._fresh.add(self._identity(place))
        self._unseat(unseated)
        for number in unseated:
            self._sent.pop(number, None)
        for base in sorted(gone, reverse=True):
            self._change(base, -1, lambda base=base: self.stretch.remove(base))
        self._index = None
        self._forget_blocks()
        self._tell_all()

    def refresh_row(self, slot: Slot, row: Row, place: Place) -> None:
        """Take a row as it is now, whatever is pending of it."""
        if not isinstance(slot, int) and (base := self._whereabouts.bases.get(slot)) is not None:
            self.stretch.replace(base, row, place)
            self._index = None
        self._forget_blocks()
        self._tell_all()

    def forget_row(self, slot: Slot) -> None:
        """Let a row go that is not in the table any more."""
        if not isinstance(slot, int) and (base := self._whereabouts.bases.get(slot)) is not None:
            self._change(base, -1, lambda: self.stretch.remove(base))
            self._index = None
        self._forget_blocks()
        self._tell_all()

    def point_out(self, slot: Slot, columns: Collection[int], words: str) -> None:
        """Mark a row, and the cells of *columns*, as what the server would not take."""
        self.troubles.add(slot, columns, words)
        self._tell([slot])

    def forget_troubles(self) -> None:
        """Mark no more what the server would not take."""
        if self.troubles:
            self.troubles.clear()
            self._tell_all()

    def marks(self, first: int, count: int) -> Sequence[RowMark | None]:
        """Return what is told of *count* rows of the view beside their values; () where nothing is."""
        if not self.pending and not self._seats and not self._fresh:
            return ()
        return [self._mark(row) for row in range(first, first + count)]

    def _mark(self, row: int) -> RowMark | None:
        slot = self.slot(row)
        if slot is None:
            return None
        state = self.pending.get(slot)
        bad, words = self.troubles.get(slot)
        match state:
            case Added():
                quiet = frozenset(at for at in range(len(self._sides)) if at not in state.new)
                return RowMark("inserted", frozenset(state.new), quiet | _defaults(state.new), bad, words)
            case Edited():
                sign = "deleted" if state.is_deleted else "changed"
                return RowMark(sign, frozenset(state.new), _defaults(state.new), bad, words)
            case None:
                return RowMark("sent", frozenset(), frozenset(), bad, words) if slot in self._fresh else None

    # -- what Qt asks

    def is_whole(self, row: int, column: int) -> bool:
        """Whether the value is here as it is in the table, or as it is pending."""
        return not isinstance(self._shown(row, column), Missing | Clipped)

    @override
    def lines(self, first: int, count: int) -> list[Row | None]:
        end = min(first + count, self.rowCount())
        low = self.base(first)
        bases = self._lines_read(low, max(0, self._base_end(end) - low))
        if not self._seats and not self.pending:
            return bases
        return [self._line(row, bases, low) for row in range(first, end)]

    def _line(self, row: int, bases: Sequence[Row | None], low: int) -> Row | None:
        base, number = self._seats.at(row)
        line = None
        if number is None:
            line = bases[base - low] if base - low < len(bases) else None
        elif number in self._sent:
            line = self._sent[number][0]
        state = self.state(row)
        if isinstance(state, Added):
            return tuple(self._of_new(state, column) for column in range(len(self._sides)))
        if line is None or state is None:
            return line
        shown = list(line)
        for column, value in state.new.items():
            shown[column] = value
        return tuple(shown)

    def _base_end(self, end: int) -> int:
        base, _ = self._seats.at(end)
        return min(base, self._known)

    def _lines_read(self, first: int, count: int) -> list[Row | None]:
        lines = super().lines(first, count)
        return [None if line and isinstance(line[0], Missing) else line for line in lines]

    def _of_new(self, state: Added, column: int) -> str | None:
        if column in state.new:
            return state.new[column]
        return DEFAULT if column in self.has_default else None

    def _shown(self, row: int, column: int) -> str | None:
        """Return a cell as it is shown."""
        base, number = self._seats.at(row)
        if number is not None or self.pending:
            state = self.state(row)
            if isinstance(state, Added):
                return self._of_new(state, column)
            if state is not None and column in state.new:
                return state.new[column]
            if number is not None:
                return self._sent[number][0][column]
        return self._cell(base, column)

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else self._known + len(self._seats)

    @override
    def data(self, index: Index, role: int = _DISPLAY) -> Any:
        if not index.isValid():
            return None
        if role == _EDIT:
            cell = self._shown(index.row(), index.column())
            return None if cell is None or isinstance(cell, Default) else str(cell)
        if role == Qt.ItemDataRole.ToolTipRole:
            slot = self.slot(index.row()) if self.troubles else None
            return None if slot is None else self.troubles.get(slot)[1] or None
        if not self._seats and not self.pending:
            return super().data(index, role)
        if role not in (_DISPLAY, NULL_ROLE, COPY_ROLE):
            return super().data(index, role)
        cell = self._shown(index.row(), index.column())
        if isinstance(cell, Clipped):
            return super().data(self.createIndex(self.base(index.row()), index.column()), role)
        if role == NULL_ROLE:
            return cell is None
        if role == COPY_ROLE:
            return cell
        return "NULL" if cell is None else str(cell)

    @override
    def value(self, row: int, column: int) -> str | None:
        cell = self._shown(row, column)
        return super().value(self.base(row), column) if isinstance(cell, Clipped) else cell

    @override
    def beginning(self, row: int, column: int, most: int) -> tuple[str | None, int, Pieces]:
        if not self._seats and not self.pending:
            return super().beginning(row, column, most)
        cell = self._shown(row, column)
        return cell, 0, lambda: iter([(cell or "").encode("utf-8", "surrogatepass")])

    @override
    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        if index.isValid() and self.may_edit(index.row(), index.column()):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    @override
    def setData(self, index: Index, value: Any, role: int = _EDIT) -> bool:
        if role != _EDIT or not index.isValid():
            return False
        self.edit_wanted.emit(index.row(), index.column(), value)
        return True

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Vertical and role == Qt.ItemDataRole.DisplayRole:
            mark = self._mark(section) if self.pending or self._seats or self._fresh else None
            sign = "" if mark is None else "! " if mark.words else _SIGNS[mark.sign]
            base, number = self._seats.at(section)
            if number is not None:
                return sign.strip()
            number = self.stretch.number(base) + 1
            return f"{sign}{number:,}" if self.stretch.is_exact else f"{sign}≈ {number:,}"
        return super().headerData(section, orientation, role)

    # -- what changes the rows

    def _follow(self, shift: Shift) -> None:
        """Insert and remove what the numbers of the rows have changed by, and show what has come."""
        self._index = None
        self._forget_blocks()
        self._change(0, shift.top)
        self._change(self._known + min(0, shift.end), shift.end)
        self._known = self.stretch.known
        self._forget_blocks()
        self._tell_all()
        if shift.top:
            self.moved.emit(shift.top)

    def _change(self, at: int, count: int, between: Callable[[], object] = lambda: None) -> None:
        """Insert or remove so many rows of the table at *at*; *between* takes notice of it elsewhere."""
        if count > 0:
            begin = self._seats.view(at) if at else 0
            self.beginInsertRows(_ROOT, begin, begin + count - 1)
            self._known += count
            self._seats.shift(at, count)
            between()
            self.endInsertRows()
        while count < 0:
            # New rows that sit among those that go stay: rows go in runs, from below.
            last = at - count - 1
            end = self._seats.view(last)
            begin = end
            while begin > 0 and begin - end > count + 1 and self._seats.at(begin - 1)[1] is None:
                begin -= 1
            run = end - begin + 1
            self.beginRemoveRows(_ROOT, begin, end)
            self._known -= run
            self._seats.shift(last - run + 1, -run)
            count += run
            between()
            self.endRemoveRows()

    def _show_changed(self, slots: Sequence[Slot], *, tells: bool = True) -> None:
        """Seat new rows and let those go that are none any more; tell what is shown otherwise."""
        come: list[int] = []
        gone: list[int] = []
        for slot in slots:
            if isinstance(slot, int):
                is_there = isinstance(self.pending.get(slot), Added)
                if is_there and not self._seats.has(slot):
                    come.append(slot)
                elif not is_there and self._seats.has(slot) and slot not in self._sent:
                    gone.append(slot)
        self._seat(come)
        self._unseat(gone)
        if self.troubles:
            for slot in slots:
                self.troubles.forget(slot)
        if tells:
            self._tell(slots)

    def _seat(self, numbers: Sequence[int]) -> None:
        for before, run in groupby(numbers, lambda number: min(self._places.get(number, 0), self._known)):
            together = list(run)
            row = self._seats.place(before)
            self.beginInsertRows(_ROOT, row, row + len(together) - 1)
            self._seats.add(together, before)
            self.endInsertRows()

    def _unseat(self, numbers: Sequence[int]) -> None:
        here = [number for number in numbers if self._seats.has(number)]
        for row, length in reversed(self._seats.runs(here)):
            self.beginRemoveRows(_ROOT, row, row + length - 1)
            self._places.update(self._seats.remove_run(row, length))
            self.endRemoveRows()

    def _tell(self, slots: Sequence[Slot]) -> None:
        if len(slots) > _MANY:
            self._tell_all()
        elif (rows := self.rows_of(slots)) and self._sides:
            self.dataChanged.emit(self.index(rows[0], 0), self.index(rows[-1], len(self._sides) - 1))
            self.headerDataChanged.emit(Qt.Orientation.Vertical, rows[0], rows[-1])

    def _tell_all(self) -> None:
        if (count := self.rowCount()) and self._sides:
            self.dataChanged.emit(self.index(0, 0), self.index(count - 1, len(self._sides) - 1))
            self.headerDataChanged.emit(Qt.Orientation.Vertical, 0, count - 1)


def _defaults(new: Any) -> frozenset[int]:
    return frozenset(column for column, value in new.items() if isinstance(value, Default))
