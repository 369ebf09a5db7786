"""The slots of a pool as cards: which connection, in what state, held by whom, for how long.

One list painted by hand: a widget for each card, each text and each button costs busy threads' time at every change.
"""

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QEvent, QModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFrame,
    QListView,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain, tips
from pgexplorer.ui.widgets.slot_card import MORE, PLAIN, CardLook, Marked
from pgexplorer.ui.widgets.slot_rows import Index, SlotRow, SlotRows

__all__ = ["DOUBLE_CLICK", "SlotBoard", "SlotRow"]

DOUBLE_CLICK = "details"  # the action that a double click means
_MOST_CARDS = 8  # in sight at once; of more, that many and a half, which says that there are others
_AT_ONCE = 4  # cards painted in one turn of the event loop: half a millisecond
_MOMENT = 15  # milliseconds until the next ones
_FAR = 5  # cards that Page Up and Page Down go


class SlotBoard(QListView):
    """A column of cards, one of which is current; arrow keys move between them, Tab goes on to a card's buttons.

    To a screen reader it is a list whose items say slot, pid, state, holder and time.
    """

    action_wanted = Signal(str, str)
    current_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = SlotRows(self)
        self._rows: tuple[SlotRow, ...] = ()
        self._current = ""
        self._is_setting = False  # the rows: what Qt makes current meanwhile is nobody's choice
        self._most = 0  # rows since there were none: where they get fewer, nothing below moves
        self._button = ""  # of the current card, that has the focus
        self._hover: tuple[str, str] | None = None  # key and button under the pointer
        self._pressed: tuple[str, str] | None = None
        self._made: CardLook | None = None
        self._dirty: set[str] = set()  # cards that changed and are not painted yet
        self._later = QTimer(self, singleShot=True, interval=_MOMENT)
        self._later.timeout.connect(self._paint_some)
        self.setAccessibleName("Slots of the pool")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setUniformItemSizes(True)
        self.setItemDelegate(_Height(self))
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAutoScroll(False)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.viewport().setMouseTracking(True)
        self.viewport().setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setModel(self._model)

    # -- rows --------------------------------------------------------------------------------------------------

    def set_rows(self, rows: Sequence[SlotRow]) -> None:
        """Show *rows*, painting anew what differs; cheap when nothing does."""
        wanted, before = tuple(rows), self._rows
        if wanted == before:
            return
        self._is_setting = True
        self._rows = wanted
        try:
            moved = self._model.set_rows(wanted)
            if moved:
                self._settle()
        finally:
            self._is_setting = False
        if moved:
            self._say_current()
        if moved or self._look().set_columns(wanted):
            self._dirty.clear()
            self.viewport().update()
            return
        self._dirty.update(row.key for row, old in zip(wanted, before, strict=True) if row != old)
        self._paint_some()

    def _paint_some(self) -> None:
        """Have the next cards painted that changed, and the others a moment later: each time a short one."""
        pitch, top, port = self._look().pitch, -self.verticalScrollBar().value(), self.viewport()
        width, painted = port.width(), 0
        for place, row in enumerate(self._rows):
            if row.key in self._dirty and painted < _AT_ONCE:
                self._dirty.discard(row.key)
                painted += 1
                port.update(0, top + place * pitch, width, pitch)
        if painted and self._dirty:
            self._later.start()

    def rows(self) -> tuple[SlotRow, ...]:
        """Return the rows shown."""
        return self._rows

    def selected_key(self) -> str:
        """Return the key of the current card, or "" when there is none."""
        return self._current

    def select(self, key: str) -> None:
        """Make the card of *key* current."""
        if key != self._current and (place := self._model.place(key)) >= 0:
            self.setCurrentIndex(self._model.index(place, 0))

    def card_area(self, key: str) -> QRect:
        """Return where the card of *key* is in the viewport; an empty area where there is none."""
        place, look = self._model.place(key), self._look()
        return QRect(0, self._top(place), look.width, look.height) if place >= 0 else QRect()

    def button_area(self, key: str, name: str) -> QRect:
        """Return where the button *name* of the card of *key* is in the viewport; an empty area where there is none."""
        place = self._model.place(key)
        buttons = self._look().buttons(self._rows[place]) if place >= 0 else ()
        return next((each.area.translated(0, self._top(place)) for each in buttons if each.name == name), QRect())

    def button_names(self, key: str) -> list[str]:
        """Return the names of the buttons of the card of *key*, from left to right."""
        place = self._model.place(key)
        return [each.name for each in self._look().buttons(self._rows[place])] if place >= 0 else []

    def _settle(self) -> None:
        """Give the board the height of its rows, and keep the current one, or take the first."""
        most = self._most
        self._most = max(most, len(self._rows)) if self._rows else 0
        if min(most, _MOST_CARDS + 1) != min(self._most, _MOST_CARDS + 1):
            self.updateGeometry()
        place = self._model.place(self._current)
        self.setCurrentIndex(self._model.index(place if place >= 0 else 0, 0))

    def _say_current(self) -> None:
        place = self.currentIndex().row()
        key = self._rows[place].key if 0 <= place < len(self._rows) else ""
        if key != self._current:
            self._current, self._button = key, ""
            self.current_changed.emit(key)

    @override
    def currentChanged(self, current: QModelIndex, previous: QModelIndex) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().currentChanged(current, previous)
        if not self._is_setting:
            self._say_current()
            self.viewport().update()

    # -- places ------------------------------------------------------------------------------------------------

    def _look(self) -> CardLook:
        width = self.viewport().width()
        made = self._made
        if made is None or made.width != width or made.colours is not theme.current():
            made = self._made = CardLook(width, self.devicePixelRatioF())
            made.set_columns(self._rows)
        return made

    @property
    def pitch(self) -> int:
        """How many pixels lie between the beginnings of two cards."""
        return self._look().pitch

    def _top(self, place: int) -> int:
        """Return the pixel of the viewport at which the card at *place* begins: there is half a gap above each."""
        look = self._look()
        return place * look.pitch - self.verticalScrollBar().value() + (look.pitch - look.height) // 2

    def _at(self, point: QPoint) -> tuple[int, str]:
        """Return which card is under *point*, -1 for none, and which of its buttons, "" for none."""
        look = self._look()
        place = (point.y() + self.verticalScrollBar().value()) // look.pitch
        if not 0 <= place < len(self._rows):
            return -1, ""
        return place, look.button_at(self._rows[place], point - QPoint(0, self._top(place)))

    @override
    def sizeHint(self) -> QSize:
        cards = _MOST_CARDS + 0.5 if self._most > _MOST_CARDS else self._most
        return QSize(theme.scaled(240), round(self._look().pitch * cards))

    @override
    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._made = None
            self.scheduleDelayedItemsLayout()
            self.updateGeometry()

    # -- painting ----------------------------------------------------------------------------------------------

    @override
    def paintEvent(self, e: QPaintEvent) -> None:
        dirty, look = e.rect(), self._look()
        top, bottom = dirty.top(), dirty.bottom()
        painter = QPainter(self.viewport())
        try:
            painter.fillRect(dirty, look.background())
            scrolled, pitch = self.verticalScrollBar().value(), look.pitch
            first = max(0, (top + scrolled) // pitch)
            last = min(max(self._most, len(self._rows)), (bottom + scrolled) // pitch + 1)
            painter.translate(0, self._top(first))
            has_focus = self.hasFocus()
            for place in range(first, last):
                if place < len(self._rows):
                    row = self._rows[place]
                    look.paint(painter, row, self._marked(row.key, has_focus=has_focus))
                else:
                    look.paint_empty(painter)
                painter.translate(0, pitch)
        finally:
            painter.end()

    def _marked(self, key: str, *, has_focus: bool) -> Marked:
        is_current = key == self._current
        hover = self._hover[1] if self._hover is not None and self._hover[0] == key else None
        if not is_current and hover is None:
            return PLAIN
        pressed = self._pressed[1] if self._pressed is not None and self._pressed[0] == key else None
        return Marked(is_current, self._focused_button() if is_current and has_focus else None, hover, pressed)

    def _focused_button(self) -> str:
        """Return the button that has the focus, "" where the card itself has it: buttons come and go."""
        return self._button if self._button in self.button_names(self._current) else ""

    def _update_card(self, key: str) -> None:
        if (place := self._model.place(key)) >= 0:
            pitch = self._look().pitch
            self.viewport().update(0, place * pitch - self.verticalScrollBar().value(), self.viewport().width(), pitch)

    # -- pointer -----------------------------------------------------------------------------------------------

    @override
    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._hover_over(None)

    def words_at(self, point: QPoint) -> str:
        """Return what a tool tip says at *point* of the viewport: the whole of what is cut there; "" for nothing."""
        place, button = self._at(point)
        if place < 0 or button:
            return "More actions" if button == MORE else ""
        row = self._rows[place]
        words = self._look().cut_at(row, point - QPoint(0, self._top(place)))
        if "\n" in row.sql and words in ("", plain.one_line(row.sql)):
            return row.sql
        return words

    def _hover_over(self, wanted: tuple[str, str] | None) -> None:
        if wanted != self._hover:
            before, self._hover = self._hover, wanted
            for each in {one[0] for one in (before, wanted) if one is not None}:
                self._update_card(each)

    @override
    def mouseMoveEvent(self, e: QMouseEvent) -> None:
        place, button = self._at(e.position().toPoint())
        self._hover_over((self._rows[place].key, button) if place >= 0 and button else None)

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        place, button = self._at(event.position().toPoint())
        if place < 0:
            return
        key = self._rows[place].key
        self.select(key)
        self._button = button
        if button and event.button() is Qt.MouseButton.LeftButton:
            self._pressed = self._hover = (key, button)
        self._update_card(key)

    @override
    def mouseReleaseEvent(self, e: QMouseEvent) -> None:
        pressed, self._pressed = self._pressed, None
        if pressed is None or e.button() is not Qt.MouseButton.LeftButton:
            return
        self._update_card(pressed[0])
        place, button = self._at(e.position().toPoint())
        if place >= 0 and (self._rows[place].key, button) == pressed:
            self._do(pressed[0], button)

    @override
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        place, button = self._at(event.position().toPoint())
        if button:
            self.mousePressEvent(event)
        elif place >= 0:
            self.action_wanted.emit(self._rows[place].key, DOUBLE_CLICK)

    @override
    def contextMenuEvent(self, arg__1: QContextMenuEvent) -> None:
        if arg__1.reason() is QContextMenuEvent.Reason.Keyboard:
            place = self._model.place(self._current)
            where = self.viewport().mapToGlobal(self.card_area(self._current).center())
        else:
            place, where = self._at(self.viewport().mapFromGlobal(arg__1.globalPos()))[0], arg__1.globalPos()
        if place >= 0:
            self.select(self._rows[place].key)
            self._show_menu(self._rows[place], where)

    # -- keyboard ----------------------------------------------------------------------------------------------

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        count = len(self._rows)
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Home: -count,
            Qt.Key.Key_End: count,
            Qt.Key.Key_PageDown: _FAR,
            Qt.Key.Key_PageUp: -_FAR,
        }
        key = Qt.Key(event.key())
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier or not count:
            event.ignore()
        elif (step := steps.get(key)) is not None:
            place = min(max(self._model.place(self._current) + step, 0), count - 1)
            self.select(self._rows[place].key)
            self._bring_into_sight()
        elif key in (Qt.Key.Key_Right, Qt.Key.Key_Left):
            self._step_button(1 if key is Qt.Key.Key_Right else -1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            names = self.button_names(self._current)
            if names:
                self._do(self._current, self._focused_button() or names[0])
            else:
                event.ignore()
        else:
            event.ignore()

    def _step_button(self, step: int) -> bool:
        """Give the focus to the next button of the current card, or to the one before; False where there is none."""
        stops = ["", *self.button_names(self._current)]
        place = stops.index(self._focused_button()) + step
        if not 0 <= place < len(stops):
            return False
        self._button = stops[place]
        self._update_card(self._current)
        return True

    @override
    def focusNextPrevChild(self, next: bool, /) -> bool:
        return self._step_button(1 if next else -1) or super().focusNextPrevChild(next)

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        reason = event.reason()
        if reason is Qt.FocusReason.BacktabFocusReason:
            self._button = (self.button_names(self._current) or [""])[-1]
        elif reason is Qt.FocusReason.TabFocusReason:
            self._button = ""
        self.viewport().update()

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    def _bring_into_sight(self) -> None:
        """Scroll to the current card, here and in what the board lies in."""
        place, look, bar = self._model.place(self._current), self._look(), self.verticalScrollBar()
        top = place * look.pitch
        bar.setValue(min(top, max(bar.value(), top + look.pitch - self.viewport().height())))
        above = self.parentWidget()
        while above is not None and not isinstance(above, QScrollArea):
            above = above.parentWidget()
        inside = above.widget() if above is not None else None
        if above is not None and inside is not None:
            area = self.card_area(self._current)
            for point in (area.bottomLeft(), area.topLeft()):
                spot = self.viewport().mapTo(inside, point)
                above.ensureVisible(spot.x(), spot.y(), 0, theme.scaled(8))

    # -- doing -------------------------------------------------------------------------------------------------

    def _do(self, key: str, button: str) -> None:
        if button != MORE:
            self.action_wanted.emit(key, button)
        elif (place := self._model.place(key)) >= 0:
            self._show_menu(self._rows[place], self.viewport().mapToGlobal(self.button_area(key, MORE).bottomLeft()))

    def _show_menu(self, row: SlotRow, where: QPoint) -> None:
        if not row.actions and not row.menu:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, label in (*row.actions, *row.menu):
            menu.addAction(label.replace("&", "&&")).triggered.connect(partial(self._wish, row.key, name))
        menu.popup(where)

    def _wish(self, key: str, name: str, _checked: bool = False) -> None:
        self.action_wanted.emit(key, name)


class _Height(QStyledItemDelegate):
    """Tells Qt's list how high a card is, and its tool tips; the board paints all cards at once."""

    def __init__(self, board: SlotBoard) -> None:
        super().__init__(board)
        self._board = board

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(theme.scaled(100), self._board.pitch)

    @override
    def helpEvent(self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index) -> bool:
        return tips.show_tip(event, self._board.words_at(event.pos()), self._board.viewport())
