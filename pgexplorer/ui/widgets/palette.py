"""A field over a list, in front of the window: a few letters find one of very many things, Enter takes it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import shiboken6
from PySide6.QtCore import (
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QFont, QFontMetrics, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import fuzzy, plain
from pgexplorer.ui.widgets.search_list import SearchList, taken

_Place = QModelIndex | QPersistentModelIndex
_ITEM = Qt.ItemDataRole.UserRole
_LINES = 12  # in sight at once
_MOST = 100  # things listed
_SLICE = 0.006  # seconds of searching between two turns of the event loop
_WIDTH = 640  # pixels at the usual text size


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be found."""

    text: str
    run: Callable[[], object]
    icon: str = ""  # a name of resources/icons
    detail: str = ""  # what it belongs to, muted
    keys: str = ""  # its shortcut, as it is shown
    enabled: bool = True
    key: str = ""  # by which it is remembered once it was used; "" where it is not


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind."""

    mark: str  # what is typed first to find these alone, "" for none
    index: fuzzy.Index
    item: Callable[[int], Item]  # of a number of the index
    nothing: str = ""  # why there may be none
    by_key: Mapping[str, int] = field(default_factory=dict[str, int])  # those that are remembered


class Palette(QFrame):
    """Knows nothing of what it finds. `taken` fires once it is closed, before the thing runs."""

    taken = Signal(object)  # the Item
    closed = Signal()

    def __init__(self, window: QWidget, name: str = "palette", words: str = "Find anything") -> None:
        super().__init__(window)
        self._window = window
        self._groups: Sequence[Group] = ()
        self._recent: Sequence[str] = ()
        self._search: Iterator[Item | None] = iter(())
        self._fresh = True  # what is found now takes the place of what is listed
        self._before: QWidget | None = None  # what had the focus
        self._behind = _Behind(window, self.close_and_return)
        self.setObjectName(name)
        self.setAccessibleName(words)
        self.setProperty("popup", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.field = QLineEdit(placeholderText=words)
        self.field.setObjectName(f"{name}.search")
        self.field.setAccessibleName(words)
        glass = self.field.addAction(icons.icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        icons.wear(glass, "search", "muted")
        self.model = _Model(self)
        self.list = QListView()
        self.list.setObjectName(f"{name}.list")
        self.list.setAccessibleName("What was found")
        self.list.setModel(self.model)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setUniformItemSizes(True)
        self.list.setMouseTracking(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._painter = _Painter(self)
        self.list.setItemDelegate(self._painter)
        self.list.clicked.connect(self._take)
        self._said = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._said.setObjectName(f"{name}.said")
        self._said.setProperty("muted", True)
        self._said.setContentsMargins(10, 6, 10, 6)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.setSpacing(6)
        column.addWidget(self.field)
        column.addWidget(self.list, 1)
        column.addWidget(self._said)
        self._turn = QTimer(self, interval=0)
        self._turn.timeout.connect(self._go_on)
        self.field.textChanged.connect(self._typed)
        self.field.installEventFilter(self)
        window.installEventFilter(self)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._focus_moved)
        self.hide()

    @property
    def is_open(self) -> bool:
        """Whether it is in sight."""
        return not self.isHidden()

    @property
    def is_searching(self) -> bool:
        """Whether more may still be found."""
        return self._turn.isActive()

    @property
    def items(self) -> list[Item]:
        """What is listed."""
        return self.model.items

    def current(self) -> Item | None:
        """Return what is chosen."""
        index = self.list.currentIndex()
        return self.model.items[index.row()] if index.isValid() else None

    def said(self) -> str:
        """Return the words under the list, "" while there are none."""
        return self._said.text() if not self._said.isHidden() else ""

    def open(self, groups: Sequence[Group], recent: Sequence[str] = (), typed: str = "") -> None:
        """Come in front of the window with *typed* in the field. *recent*: keys of what was used, the latest first."""
        if not self.is_open:
            self._before = QApplication.focusWidget()
        self._groups, self._recent = groups, recent
        self._behind.setGeometry(self._window.rect())
        self._behind.show()
        self._behind.raise_()
        self.field.setText(typed)
        self._typed()
        self._place()
        self.show()
        self.raise_()
        self.field.setFocus(Qt.FocusReason.PopupFocusReason)

    def set_groups(self, groups: Sequence[Group]) -> None:
        """Search in *groups* from now on: some have changed."""
        self._groups = groups
        if self.is_open:
            self._typed()

    def close_and_return(self) -> None:
        """Go, and give the focus back to what had it."""
        if not self.is_open:
            return
        self._turn.stop()
        before, self._before = self._before, None
        had_focus = self.isAncestorOf(QApplication.focusWidget() or self._window)
        self.hide()
        self._behind.hide()
        if had_focus and before is not None and shiboken6.isValid(before) and before.isVisible():
            before.setFocus(Qt.FocusReason.PopupFocusReason)
        self._groups = ()
        self.model.show([])
        self.closed.emit()

    # -- searching ----------------------------------------------------------------------------------------------

    def _typed(self) -> None:
        self._search = _found(self._groups, self._recent, self.field.text())
        self._fresh = True
        self._go_on()

    def _go_on(self) -> None:
        """Search for a slice of time, and show what it has found. Better ones come first, so nothing moves."""
        room = _MOST - (0 if self._fresh else len(self.model.items))
        found, is_over = taken(self._search, room, _SLICE)
        self._turn.stop() if is_over else self._turn.start()
        if not found and not is_over:
            return  # what was found before stays until there is something to show
        if self._fresh:
            self._fresh = False
            self._painter.typed = fuzzy.folded(_parted(self._groups, self.field.text())[1])
            self.model.show(found)
            self.list.setCurrentIndex(self.model.index(0))
            self.list.scrollToTop()
        else:
            self.model.add(found)
        self._say("" if self.model.items or not is_over else self._why_nothing())
        self._place()

    def _why_nothing(self) -> str:
        groups, typed = _parted(self._groups, self.field.text())
        if (
            groups
            and groups[0].mark
            and len(groups) < len(self._groups)
            and not any(len(each.index) for each in groups)
        ):
            return groups[0].nothing or "There is nothing yet."
        return f"Nothing is called “{plain.one_line(typed.strip(), 60)}”." if typed.strip() else "There is nothing yet."

    def _say(self, words: str) -> None:
        self._said.setText(words)
        self._said.setVisible(bool(words))
        self.list.setVisible(bool(self.model.items))

    # -- taking -------------------------------------------------------------------------------------------------

    def _take(self, _index: object = None) -> None:
        item = self.current()
        if item is None:
            return
        if not item.enabled:
            self._say(f"{item.text}: not possible now")
            self._place()
            return
        self.close_and_return()
        self.taken.emit(item)
        item.run()

    def _step(self, lines: int) -> None:
        count = self.model.rowCount()
        if count:
            row = self.list.currentIndex().row() + lines
            row = row % count if abs(lines) == 1 else max(0, min(count - 1, row))
            self.list.setCurrentIndex(self.model.index(row))

    # -- events -------------------------------------------------------------------------------------------------

    @override
    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if watched is self.field:
            if kind is QEvent.Type.ShortcutOverride:
                event.accept()  # no shortcut of the window works while this is in front of it
                return True
            if kind is QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
                return self._pressed(event)
        elif kind is QEvent.Type.Resize and watched is self._window and self.is_open:
            self._behind.setGeometry(self._window.rect())
            self._place()
        return False

    def _focus_moved(self, _before: QWidget | None, now: QWidget | None) -> None:
        if not self.is_open or now is None or now is self or self.isAncestorOf(now):
            return
        if now.window() is self._window.window():  # not a menu, nor another window
            self.close_and_return()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange) and self.is_open:
            self._place()

    def _pressed(self, event: QKeyEvent) -> bool:
        key, control = event.key(), event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if key == Qt.Key.Key_Escape or (key == Qt.Key.Key_K and control):
            self.close_and_return()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._take()
        elif key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self._step(1 if key == Qt.Key.Key_Down else -1)
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self._step((_LINES - 1) * (1 if key == Qt.Key.Key_PageDown else -1))
        else:
            return key in (Qt.Key.Key_Tab, Qt.Key.Key_Backtab)
        return True

    def _place(self) -> None:
        """Lie at the top of the window, as high as what is listed."""
        room = self._window.rect()
        width = min(theme.scaled(_WIDTH), room.width() - 2 * theme.scaled(12))
        margins = self.contentsMargins()
        lines = min(_LINES, len(self.model.items))
        height = self.field.sizeHint().height() + 16 + margins.top() + margins.bottom()
        if lines:
            height += lines * self._painter.height() + 8
        if not self._said.isHidden():
            height += self._said.heightForWidth(width - 16) + 6
        top = theme.scaled(30)
        self.setGeometry(
            (room.width() - width) // 2, top, width, min(height, max(theme.scaled(80), room.height() - top - 12))
        )


def _parted(groups: Sequence[Group], typed: str) -> tuple[Sequence[Group], str]:
    """Return the groups that are searched, and for what: a mark at the start names one."""
    text = typed.lstrip()
    if text and (marked := [group for group in groups if group.mark == text[0]]):
        return marked, text[1:]
    return groups, text


def _found(groups: Sequence[Group], recent: Sequence[str], typed: str) -> Iterator[Item | None]:
    """Yield what *typed* finds, the best first: used lately, then by tier; None to take a breath."""
    groups, text = _parted(groups, typed)
    wanted = fuzzy.folded(text).strip()
    used: set[tuple[int, int]] = set()
    lately = [(at, group.by_key[key]) for key in recent for at, group in enumerate(groups) if key in group.by_key]
    ranked = [(fuzzy.tier_of(groups[at].index.names[number], wanted) if wanted else 0, at, number)
              for at, number in lately]  # fmt: skip
    for tier, at, number in sorted(ranked, key=lambda each: each[0]):
        if tier < fuzzy.TIERS - 1:  # letters here and there are no reason to come first
            used.add((at, number))
            yield groups[at].item(number)
    if not wanted:
        for at, group in enumerate(groups):
            for number in range(min(_MOST, len(group.index))):
                if (at, number) not in used:
                    yield group.item(number)
        return
    most = _MOST if len(groups) == 1 else _MOST // 4  # of a kind in a tier: no kind hides the others
    for hit in fuzzy.ranked([group.index for group in groups], wanted, most, used):
        yield groups[hit[0]].item(hit[1]) if hit is not None else None


class _Behind(QWidget):
    """Covers the window: a click beside the palette closes it, and does nothing else."""

    def __init__(self, window: QWidget, clicked: Callable[[], object]) -> None:
        super().__init__(window)
        self._clicked = clicked
        self.hide()

    @override
    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._clicked()


class _Model(SearchList[Item]):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.items = []

    @override
    def data(self, index: _Place, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not 0 <= index.row() < len(self.items):
            return None
        item = self.items[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return plain.one_line(item.text)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            words = [item.text, item.detail, item.keys, "" if item.enabled else "not possible now"]
            return ", ".join(plain.one_line(word) for word in words if word)
        return item if role == _ITEM else None


class _Painter(QStyledItemDelegate):
    """An icon, the text with what was typed in bold, what it belongs to, and its shortcut at the right."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.typed = ""  # folded

    def height(self) -> int:
        return theme.scaled(30)

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: _Place) -> QSize:
        return QSize(100, self.height())

    @override
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Place) -> None:
        item = index.data(_ITEM)
        if not isinstance(item, Item):
            return
        area: QRect = option.rect  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setBrush(theme.colour("selection" if chosen else "hover"))
            painter.drawRoundedRect(area, theme.scaled(5), theme.scaled(5))
        ink = theme.colour("selection_text" if chosen else "text")
        faint = ink if chosen else theme.colour("muted")
        if not item.enabled:
            ink = faint = theme.colour("muted" if chosen else "disabled")
        gap, size = theme.scaled(8), theme.scaled(16)
        if item.icon:
            drawn = icons.pixmap(item.icon, size, faint.name(), painter.device().devicePixelRatioF())
            painter.drawPixmap(area.x() + gap, area.y() + (area.height() - size) // 2, drawn)
        left, right = area.x() + 2 * gap + size, area.right() - gap
        base = option.font  # type: ignore[attr-defined]
        small = QFont(base)
        small.setPointSizeF(base.pointSizeF() * 0.94)
        metrics = QFontMetrics(small)
        middle = Qt.AlignmentFlag.AlignVCenter
        if item.keys:
            wide = metrics.horizontalAdvance(item.keys)
            painter.setFont(small)
            painter.setPen(faint)
            painter.drawText(QRect(right - wide, area.y(), wide + 1, area.height()), middle, item.keys)
            right -= wide + 2 * gap
        painter.setPen(ink)
        left += self._write(painter, QRect(left, area.y(), max(0, right - left), area.height()), item.text, base) + gap
        if item.detail and right - left > theme.scaled(30):
            painter.setFont(small)
            painter.setPen(faint)
            words = metrics.elidedText(plain.one_line(item.detail), Qt.TextElideMode.ElideRight, right - left)
            painter.drawText(QRect(left, area.y(), right - left, area.height()), middle, words)
        painter.restore()

    def _write(self, painter: QPainter, area: QRect, text: str, font: QFont) -> int:
        """Write *text* with what was typed in bold; return its width."""
        bold = QFont(font)
        bold.setWeight(QFont.Weight.Bold)
        narrow = max(0, area.width() - theme.scaled(12))  # bold letters are a little wider
        shown = QFontMetrics(font).elidedText(plain.one_line(text), Qt.TextElideMode.ElideRight, narrow)
        marked = fuzzy.places(shown, self.typed) if self.typed else set[int]()
        x, start = area.x(), 0
        while start < len(shown):
            end = start + 1
            while end < len(shown) and (end in marked) == (start in marked):
                end += 1
            painter.setFont(bold if start in marked else font)
            width = painter.fontMetrics().horizontalAdvance(shown[start:end])
            painter.drawText(
                QRect(x, area.y(), width + 1, area.height()), Qt.AlignmentFlag.AlignVCenter, shown[start:end]
            )
            x, start = x + width, end
        return x - area.x()
