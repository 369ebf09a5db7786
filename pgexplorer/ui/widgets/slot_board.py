"""The slots of a pool as cards: which connection, in what state, held by whom, for how long."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.states import StateKind, mark_colour, paint_glyph, state_role

_MOST_BUTTONS = 2
_SLICE = 0.004  # seconds of changing cards between two turns of the event loop
DOUBLE_CLICK = "details"  # the action that a double click means


@dataclass(frozen=True, slots=True)
class SlotRow:
    """What a card shows; *actions* (buttons, and in the menu) and *menu* (there alone) are (id, label)."""

    key: str
    number: int
    pid: str
    state: str
    state_kind: StateKind
    holder: str = ""
    sql: str = ""
    held: str = ""
    actions: tuple[tuple[str, str], ...] = ()
    menu: tuple[tuple[str, str], ...] = ()
    age: str = ""  # of the state; not spoken

    def spoken(self) -> str:
        """Return the row as a screen reader says it."""
        parts = [f"Slot {self.number}"]
        if self.pid:
            parts.append(f"pid {self.pid}")
        parts.append(self.state)
        held = f" for {self.held}" if self.held else ""
        if self.holder:
            parts.append(f"held by {self.holder}{held}")
        elif held:
            parts.append(held.strip())
        return ", ".join(parts)


class SlotBoard(QWidget):
    """A column of cards, one of which is current; arrow keys move between them, Tab goes on to a card's buttons."""

    action_wanted = Signal(str, str)
    current_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[SlotRow, ...] = ()
        self._cards: dict[str, _Card] = {}
        self._current = ""
        self._to_show: list[SlotRow] = []
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._show_some)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(theme.scaled(8))
        self.setAccessibleName("Slots of the pool")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)

    def set_rows(self, rows: Sequence[SlotRow]) -> None:
        """Show *rows*, changing in place what differs; cheap when nothing does."""
        wanted = tuple(rows)
        if wanted == self._rows:
            return
        same_cards = [row.key for row in wanted] == [row.key for row in self._rows]
        self._rows = wanted
        if not same_cards:
            self._set_cards()
        self._to_show = list(wanted)
        self._show_some()

    def _show_some(self) -> None:
        """Change the next cards, and leave the rest for when the window has answered: busy threads make it slow."""
        end = time.perf_counter() + _SLICE
        while self._to_show:
            row = self._to_show.pop(0)
            if (card := self._cards.get(row.key)) is not None:
                card.set_row(row)
            if self._to_show and time.perf_counter() > end:
                self._later.start()
                return

    def rows(self) -> tuple[SlotRow, ...]:
        """Return the rows shown."""
        return self._rows

    def selected_key(self) -> str:
        """Return the key of the current card, or "" when there is none."""
        return self._current

    def select(self, key: str) -> None:
        """Make the card of *key* current."""
        if key == self._current or key not in self._cards:
            return
        before = self._cards.get(self._current)
        self._current = key
        if before is not None:
            before.set_current(False)
        self._cards[key].set_current(True)
        self.current_changed.emit(key)

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            self._column.setSpacing(theme.scaled(8))

    def _set_cards(self) -> None:
        keys = [row.key for row in self._rows]
        for key in [key for key in self._cards if key not in keys]:
            card = self._cards.pop(key)
            self._column.removeWidget(card)
            card.hide()
            # Not at once: the wish that removed the slot may have come from this very card.
            card.deleteLater()
        for place, key in enumerate(keys):
            card = self._cards.get(key)
            if card is None:
                card = self._cards[key] = self._make_card(key)
                self._column.insertWidget(place, card)
            elif self._column.indexOf(card) != place:
                self._column.removeWidget(card)
                self._column.insertWidget(place, card)
        if self._current not in self._cards:
            self._current = ""
            if keys:
                self.select(keys[0])
            else:
                self.current_changed.emit("")

    def _make_card(self, key: str) -> "_Card":
        card = _Card(self)
        card.action_wanted.connect(partial(self.action_wanted.emit, key))
        card.chosen.connect(partial(self.select, key))
        card.step_wanted.connect(partial(self._step, key))
        return card

    def _step(self, key: str, step: int) -> None:
        keys = [row.key for row in self._rows]
        place = min(max(keys.index(key) + step, 0), len(keys) - 1)
        card = self._cards[keys[place]]
        self.select(keys[place])
        card.setFocus(Qt.FocusReason.OtherFocusReason)
        _scroll_to(card)


class _Card(QWidget):
    """One slot."""

    action_wanted = Signal(str)
    chosen = Signal()
    step_wanted = Signal(int)

    def __init__(self, parent: SlotBoard) -> None:
        super().__init__(parent)
        self._row: SlotRow | None = None
        self._current = False
        self._number = _label(self, heading=2)
        self._pid = _label(self, mono=True)
        self._glyph = _Glyph(self)
        self._state = ElidedLabel(parent=self)
        self._held = _label(self, mono=True)
        self._holder = ElidedLabel(parent=self)
        self._sql = ElidedLabel(parent=self)
        self._sql.setProperty("mono", True)
        self._buttons = QHBoxLayout()
        self._made: dict[tuple[str, str], QPushButton] = {}
        self._more: QPushButton | None = None
        self._set_up()
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)

    def set_row(self, row: SlotRow) -> None:
        before = self._row
        if row == before:
            return
        self._row = row
        self._number.setText(f"#{row.number}")
        self._pid.setText(f"pid {row.pid}" if row.pid else "")
        self._pid.setVisible(bool(row.pid))
        self._state.setText(f"{row.state} {row.age}".rstrip())
        self._held.setText(row.held)
        self._holder.setText(row.holder)
        self._sql.setText(row.sql)
        # A free slot has one line, in the middle of a card as tall as the others.
        below = bool(row.holder or row.sql or row.actions)
        self._holder.setVisible(below)
        self._sql.setVisible(below)
        if before is None or before.state_kind != row.state_kind:
            self._glyph.set_kind(row.state_kind)
            self._colour()
            self.update()
        if before is None or before.actions != row.actions:
            self._set_buttons(row.actions)
        self._speak(before)

    def set_current(self, current: bool) -> None:
        self._current = current
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if current else Qt.FocusPolicy.ClickFocus)
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return super().sizeHint().expandedTo(QSize(theme.scaled(240), theme.scaled(58)))

    @override
    def keyPressEvent(self, event: QKeyEvent) -> None:
        steps = {
            Qt.Key.Key_Down: 1,
            Qt.Key.Key_Up: -1,
            Qt.Key.Key_Home: -100_000,
            Qt.Key.Key_End: 100_000,
            Qt.Key.Key_PageDown: 5,
            Qt.Key.Key_PageUp: -5,
        }
        step = steps.get(Qt.Key(event.key()))
        if step is not None:
            self.step_wanted.emit(step)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._row and self._row.actions:
            self.action_wanted.emit(self._row.actions[0][0])
        else:
            super().keyPressEvent(event)

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        self.chosen.emit()
        super().mousePressEvent(event)

    @override
    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.action_wanted.emit(DOUBLE_CLICK)

    @override
    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.chosen.emit()
        self.update()

    @override
    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    @override
    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if self._row and (self._row.actions or self._row.menu):
            self.chosen.emit()
            menu = self._menu()
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(event.globalPos())

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange and self._row is not None:
            self._colour()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = theme.scaled(8)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        shape = QPainterPath()
        shape.addRoundedRect(area, radius, radius)
        painter.fillPath(shape, theme.colour("surface"))
        if self._row is not None:
            painter.save()
            painter.setClipPath(shape)
            painter.fillRect(QRectF(0, 0, theme.scaled(4), self.height()), mark_colour(self._row.state_kind))
            painter.restore()
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.hasFocus():
            painter.setPen(QPen(theme.colour("focus"), 2))
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        else:
            painter.setPen(QPen(theme.colour("border" if self._current else "line"), 1))
            painter.drawRoundedRect(area, radius, radius)

    def _set_up(self) -> None:
        first = QHBoxLayout()
        first.setSpacing(theme.scaled(7))
        first.addWidget(self._number)
        first.addWidget(self._pid)
        first.addSpacing(theme.scaled(2))
        first.addWidget(self._glyph)
        first.addWidget(self._state, 1)
        first.addWidget(self._held)
        second = QHBoxLayout()
        second.setSpacing(theme.scaled(7))
        second.addWidget(self._holder)
        second.addWidget(self._sql, 1)
        self._buttons.setSpacing(theme.scaled(5))
        second.addLayout(self._buttons)
        both = QVBoxLayout(self)
        both.setContentsMargins(theme.scaled(15), theme.scaled(8), theme.scaled(10), theme.scaled(8))
        both.setSpacing(theme.scaled(3))
        both.addLayout(first)
        both.addLayout(second)
        self._pid.setProperty("muted", True)
        self._holder.setProperty("muted", True)

    def _set_buttons(self, actions: tuple[tuple[str, str], ...]) -> None:
        """Show a button for each of *actions*: those made before are shown again, for making one takes milliseconds."""
        wanted = [self._made.get(action) or self._make_button(*action) for action in actions[:_MOST_BUTTONS]]
        if len(actions) > _MOST_BUTTONS:
            wanted.append(self._more or self._make_more())
        while (item := self._buttons.takeAt(0)) is not None:
            if (widget := item.widget()) is not None and widget not in wanted:
                widget.hide()
        for button in wanted:
            self._buttons.addWidget(button)
            # Now, not with the next round of the event loop: a card must not flicker when its actions change.
            if self.isVisible():
                button.show()

    def _make_more(self) -> QPushButton:
        more = self._more = QPushButton(self)
        more.setProperty("small", True)
        more.setProperty("icon_only", True)
        more.setAccessibleName("More actions")
        more.setToolTip("More actions")
        icons.wear(more, "more")
        more.clicked.connect(lambda: self._menu().popup(more.mapToGlobal(more.rect().bottomLeft())))
        return more

    def _make_button(self, name: str, label: str) -> QPushButton:
        button = self._made[name, label] = self._button(name, label)
        return button

    def _button(self, name: str, label: str) -> QPushButton:
        button = QPushButton(label.replace("&", "&&"), self)
        button.setProperty("small", True)
        number = self._row.number if self._row else 0
        button.setAccessibleName(f"{label}, slot {number}")
        board = self.parent()
        if board is not None and board.objectName() and self._row is not None:
            button.setObjectName(f"{board.objectName()}.{self._row.key}.{name}")
        button.clicked.connect(lambda: self.action_wanted.emit(name))
        return button

    def _menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for name, label in (*self._row.actions, *self._row.menu) if self._row else ():
            menu.addAction(label.replace("&", "&&")).triggered.connect(partial(self._wish, name))
        return menu

    def _wish(self, name: str, _checked: bool = False) -> None:
        self.action_wanted.emit(name)

    def _colour(self) -> None:
        if self._row is None:
            return
        self._state.set_ink(state_role(self._row.state_kind))
        font = theme.sans(semibold=True)
        if font != self._state.font():
            self._state.setFont(font)

    def _speak(self, before: SlotRow | None) -> None:
        row = self._row
        if row is None:
            return
        calm = before is not None and (before.pid, before.state, before.holder) == (row.pid, row.state, row.holder)
        # A screen reader says every new name of the focused widget: seconds passing are no news there.
        if not (calm and self.hasFocus()):
            self.setAccessibleName(row.spoken())
        self.setAccessibleDescription(row.sql)
        self.setToolTip(plain.tool_tip(row.sql) if "\n" in row.sql else "")


class _Glyph(QWidget):
    """The shape of a state."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._kind: StateKind = "idle"
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def set_kind(self, kind: StateKind) -> None:
        self._kind = kind
        self.update()

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(9), theme.scaled(9))

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        paint_glyph(QPainter(self), QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), self._kind)


def _label(parent: QWidget, **properties: object) -> QLabel:
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    for name, value in properties.items():
        label.setProperty(name, value)
    return label


def _scroll_to(widget: QWidget) -> None:
    above = widget.parentWidget()
    while above is not None:
        if isinstance(above, QScrollArea):
            above.ensureWidgetVisible(widget, 0, theme.scaled(8))
            return
        above = above.parentWidget()
