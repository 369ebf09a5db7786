"""The list of what could come next, under the caret. The editor keeps the focus and hands on some keys."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QFrame, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme

_LINES = 10  # in sight at once
_MEASURED = 8  # of the items with the most letters, for the width of the list
_ITEM = Qt.ItemDataRole.UserRole


@dataclass(frozen=True, slots=True)
class Completion:
    """One thing that could come next."""

    text: str  # what is shown, and matched with what is typed
    icon: str = ""  # a name of resources/icons
    detail: str = ""  # a type, a table, a signature
    insert: str = ""  # what is put in instead of the text, quoted perhaps


def narrowed(items: Sequence[Completion], typed: str) -> list[Completion]:
    """Return what fits *typed*: what begins with it, then words in it, then its letters in order; each as it came."""
    wanted = typed.casefold()
    if not wanted:
        return list(items)
    groups: tuple[list[Completion], ...] = ([], [], [])
    for item in items:
        text = item.text.casefold()
        if text.startswith(wanted):
            groups[0].append(item)
        elif f"_{wanted}" in text or f" {wanted}" in text or f".{wanted}" in text:
            groups[1].append(item)
        elif _in_order(wanted, text):
            groups[2].append(item)
    return [*groups[0], *groups[1], *groups[2]]


def _in_order(wanted: str, text: str) -> bool:
    if len(wanted) < 2 or wanted[0] != text[:1]:
        return wanted in text
    place = 0
    for letter in wanted:
        place = text.find(letter, place) + 1
        if not place:
            return False
    return True


def _matched(text: str, typed: str) -> set[int]:
    """Return which characters of *text* the letters of *typed* stand for."""
    folded, wanted = text.casefold(), typed.casefold()
    if len(folded) != len(text) or not wanted:
        return set()
    for mark in (folded.find(wanted) if not folded.startswith(wanted) else 0,):
        if mark >= 0:
            return set(range(mark, mark + len(wanted)))
    places: set[int] = set()
    place = -1
    for letter in wanted:
        place = folded.find(letter, place + 1)
        if place < 0:
            return set()
        places.add(place)
    return places


class _Model(QAbstractListModel):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.items: list[Completion] = []

    def show(self, items: list[Completion]) -> None:
        self.beginResetModel()
        self.items = items
        self.endResetModel()

    @override
    def rowCount(self, parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.items)

    @override
    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not 0 <= index.row() < len(self.items):
            return None
        item = self.items[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return item.text
        if role == Qt.ItemDataRole.AccessibleDescriptionRole:
            return item.detail
        return item if role == _ITEM else None


class _Painter(QStyledItemDelegate):
    """An icon, the text with what was typed in bold, the detail at the right."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.typed = ""

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        return QSize(100, theme.scaled(24))

    @override
    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        item: Completion = index.data(_ITEM)
        area: QRect = option.rect  # type: ignore[attr-defined]
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)  # type: ignore[attr-defined]
        painter.save()
        if chosen:
            painter.fillRect(area, theme.colour("selection"))
        ink = theme.colour("selection_text" if chosen else "text")
        faint = ink if chosen else theme.colour("muted")
        gap, size = theme.scaled(8), theme.scaled(16)
        if item.icon:
            drawn = icons.pixmap(item.icon, size, faint.name(), painter.device().devicePixelRatioF())
            painter.drawPixmap(QPoint(area.x() + gap, area.y() + (area.height() - size) // 2), drawn)
        left = area.x() + 2 * gap + size
        right = area.right() - gap
        small = theme.sans(theme.mono().pointSizeF() * 0.95)
        metrics = QFontMetrics(small)
        text_width = self._write(painter, QRect(left, area.y(), right - left, area.height()), item.text, ink)
        room = right - left - text_width - 2 * gap
        if item.detail and room > theme.scaled(30):
            painter.setFont(small)
            painter.setPen(faint)
            words = metrics.elidedText(item.detail.replace("\n", " "), Qt.TextElideMode.ElideRight, room)
            box = QRect(right - room, area.y(), room, area.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, words)
        painter.restore()

    def _write(self, painter: QPainter, area: QRect, text: str, ink: QColor) -> int:
        """Write *text* with what was typed in bold; return its width."""
        plain, bold = theme.mono(), theme.mono(bold=True)
        advance = QFontMetrics(plain)
        whole = advance.elidedText(text.replace("\n", " "), Qt.TextElideMode.ElideMiddle, area.width())
        places = _matched(whole, self.typed)
        painter.setPen(ink)
        x, start = area.x(), 0
        while start < len(whole):
            end = start + 1
            while end < len(whole) and (end in places) == (start in places):
                end += 1
            painter.setFont(bold if start in places else plain)
            width = painter.fontMetrics().horizontalAdvance(whole[start:end])
            box = QRect(x, area.y(), width + 1, area.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, whole[start:end])
            x, start = x + width, end
        return x - area.x()


class CompletionList(QFrame):
    """The list itself, a child of the editor's window so that it may reach over other panels."""

    accepted = Signal(object)  # the Completion

    def __init__(self, editor: QWidget) -> None:
        super().__init__(editor)
        self._editor = editor
        self._items: Sequence[Completion] = ()
        self.setObjectName("query.completion")
        self.setProperty("popup", True)
        self.setAutoFillBackground(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._model = _Model(self)
        self.view = QListView()
        self.view.setObjectName("query.completion.list")
        self.view.setAccessibleName("What could come next")
        self.view.setModel(self._model)
        self.view.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.view.setUniformItemSizes(True)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._painter = _Painter(self)
        self.view.setItemDelegate(self._painter)
        self.view.clicked.connect(self._clicked)
        inner = QVBoxLayout(self)
        inner.setContentsMargins(1, 1, 1, 1)
        inner.addWidget(self.view)
        self.hide()

    @property
    def texts(self) -> list[str]:
        """The texts that are listed."""
        return [item.text for item in self._model.items]

    def current(self) -> Completion | None:
        """Return what is chosen."""
        index = self.view.currentIndex()
        return self._model.items[index.row()] if index.isValid() else None

    def set_items(self, items: Sequence[Completion]) -> None:
        """Take what could come next; `narrow` shows it."""
        self._items = tuple(items)

    def narrow(self, typed: str, caret: QRect) -> bool:
        """Show what fits *typed* at *caret*, a place of the editor's viewport in global coordinates.

        Hidden, and False, where nothing fits, or only what is typed already.
        """
        found = narrowed(self._items, typed)
        if not found or (len(found) == 1 and (found[0].insert or found[0].text) == typed):
            self.hide()
            return False
        before = self.current() if self.isVisible() else None
        self._painter.typed = typed
        self._model.show(found)
        row = found.index(before) if before in found and self._moved else 0
        self.view.setCurrentIndex(self._model.index(row))
        self._place(found, caret)
        self.show()
        self.raise_()
        return True

    _moved = False  # whether the person chose a line, which then stays chosen

    def step(self, lines: int, *, around: bool = False) -> None:
        """Choose the line so many further down."""
        count = self._model.rowCount()
        row = self.view.currentIndex().row() + lines
        row = row % count if around else max(0, min(count - 1, row))
        self._moved = True
        self.view.setCurrentIndex(self._model.index(row))

    def is_typed(self) -> bool:
        """Whether what is chosen is what is typed already, and nobody chose it."""
        item = self.current()
        return item is not None and not self._moved and (item.insert or item.text) == self._painter.typed

    def page(self) -> int:
        """Return how many lines Page Up and Page Down go."""
        return _LINES - 1

    def accept(self) -> None:
        """Take the line that is chosen."""
        item = self.current()
        self.hide()
        if item is not None:
            self.accepted.emit(item)

    @override
    def setVisible(self, visible: bool) -> None:
        if not visible:
            self._moved = False
        super().setVisible(visible)

    def _clicked(self, _index: QModelIndex) -> None:
        self.accept()

    def _place(self, found: Sequence[Completion], caret: QRect) -> None:
        window = self._editor.window()
        if self.parentWidget() is not window:
            self.setParent(window)
        metrics = QFontMetrics(theme.mono())
        small = QFontMetrics(theme.sans())
        # Measuring a text takes longer than laying the list out: only those of the most letters can be the widest.
        likely = heapq.nlargest(_MEASURED, found, key=lambda each: len(each.text[:80]) + len(each.detail[:60]))
        widest = max(
            metrics.horizontalAdvance(each.text[:80]) + small.horizontalAdvance(each.detail[:60]) for each in likely
        )
        width = max(theme.scaled(240), min(theme.scaled(560), widest + theme.scaled(80)))
        width = min(width, window.width() - 2 * theme.scaled(4))
        height = min(len(found), _LINES) * theme.scaled(24) + 4
        corner = window.mapFromGlobal(caret.topLeft())
        x = max(theme.scaled(4), min(corner.x() - theme.scaled(32), window.width() - width - theme.scaled(4)))
        y = corner.y() + caret.height() + theme.scaled(2)
        if y + height > window.height():
            y = max(0, corner.y() - height - theme.scaled(2))
        self.setGeometry(x, y, width, height)
