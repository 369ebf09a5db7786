"""How the cells in view are painted: in one pass, from whole rows, letters of one width counted and not measured."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from PySide6.QtCore import (
    QAbstractItemModel,
    QItemSelectionRange,
    QLine,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QFontMetrics, QFontMetricsF, QPainter, QPen
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QTableView
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.grid_head import GridHeader, padding
from pgexplorer.ui.widgets.grid_marks import SIGN_ROLES, Marks, links_of, marks_of

NullRole: Final = Qt.ItemDataRole.UserRole + 1
CopyRole: Final = Qt.ItemDataRole.UserRole + 2
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextSingleLine
_LEAST = 4  # letters of a value that are worth a cell, beside how large it is
_MOST_LETTERS = 400  # of a cell that are painted
_BEYOND = "".join(chr(code) for code in (*range(0xA1, 0xAD), *range(0xAE, 0x180), *range(0x400, 0x460)))
_PLAIN = re.compile(f"[ -~{re.escape(_BEYOND)}]*").fullmatch
_PLAIN_HAND, _BLANK_HAND, _NULL_HAND = range(3)  # how a text is written; no Enum, which takes long to hash
_AWAY = "…"  # of a row that is not here yet
_Index = QModelIndex | QPersistentModelIndex
_NEVER = re.compile("(?!)").match
Line = Sequence[str | None]  # a row's texts; None for NULL


@dataclass(frozen=True, slots=True)
class Across:
    """A column in view."""

    column: int  # in the model
    left: int
    width: int
    is_right: bool  # whether its values line up at the right


def has_lines(model: QAbstractItemModel) -> bool:
    """Say whether *model* answers with whole rows."""
    return hasattr(model, "lines")


def lines_of(model: QAbstractItemModel, first: int, count: int, columns: Sequence[int]) -> Sequence[Line | None]:
    """Return the texts of *count* rows from *first* on; None for a row that is not here.

    A model may answer with all of them at once by a method `lines(first, count)`; else it is asked cell by cell.
    """
    if has_lines(model):
        return cast("Callable[[int, int], Sequence[Line | None]]", getattr(model, "lines"))(first, count)  # noqa: B009
    width = model.columnCount()
    found: list[Line] = []
    for row in range(first, first + count):
        line: list[str | None] = [""] * width
        for column in columns:
            index = model.index(row, column)
            null = model.data(index, NullRole) is True
            value: Any = None if null else model.data(index, Qt.ItemDataRole.DisplayRole)
            line[column] = None if null else "" if value is None else str(value)
        found.append(line)
    return found


def columns_in(head: GridHeader, left: int, right: int) -> list[Across]:
    """Return the columns between two pixels of the viewport of *head*."""
    found: list[Across] = []
    for visual in range(max(0, head.visualIndexAt(left)), head.count()):
        column = head.logicalIndex(visual)
        x = head.sectionViewportPosition(column)
        if x > right:
            break
        if not head.isSectionHidden(column):
            found.append(Across(column, x, head.sectionSize(column), head.is_right(column)))
    return found


class CellPainter:
    """Paints cells of *view*, whose rows are of one height."""

    def __init__(self, view: QTableView) -> None:
        self._view = view
        self._look: Look | None = None

    def paint(self, painter: QPainter, rect: QRect, columns: Sequence[Across]) -> None:
        """Paint what *rect* shows of *columns*, and the empty room around them."""
        view, look = self._view, self.look()
        painter.fillRect(rect, look.surface)
        model = cast("QAbstractItemModel | None", view.model())
        if model is None or not columns:
            return
        height = view.verticalHeader().defaultSectionSize()
        offset = view.verticalHeader().offset()
        first = max(0, (offset + rect.top()) // height)
        count = min(model.rowCount(), (offset + rect.bottom()) // height + 1) - first
        if count <= 0:
            return
        top = first * height - offset
        marks = marks_of(model, first, count)
        self._paint_grounds(painter, marks, columns, top, height)
        chosen = self._paint_selection(painter, columns, first, count, top, height)
        self._paint_lines(painter, columns, count, top, height)
        lines = lines_of(model, first, count, [each.column for each in columns])
        self._paint_texts(painter, lines, marks, columns, first, top, height, chosen)
        self._paint_marks(painter, marks, columns, top, height)
        if links := [each for each in columns if each.column in links_of(model)]:
            self._paint_links(painter, lines, links, top, height)
        self._paint_current(painter, columns, first, count, top, height)

    def _paint_current(
        self, painter: QPainter, columns: Sequence[Across], first: int, count: int, top: int, height: int
    ) -> None:
        """Frame the current cell, where the keys are the view's."""
        view, current = self._view, self._view.currentIndex()
        if view.hasFocus() and current.isValid() and first <= current.row() < first + count:
            for each in columns:
                if each.column == current.column():
                    painter.setPen(self.look().focus)
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawRect(each.left, (current.row() - first) * height + top, each.width - 2, height - 2)

    def look(self) -> "Look":
        """Return what is the same for every cell until the theme changes."""
        key = (theme.current().name, theme.scaled(1000))
        if self._look is None or self._look.key != key:
            self._look = Look(key)
        return self._look

    def _paint_selection(
        self, painter: QPainter, columns: Sequence[Across], first: int, count: int, top: int, height: int
    ) -> dict[int, list[tuple[int, int]]]:
        """Paint the ground of what is selected; return for each column from which row to which that is."""
        chosen: dict[int, list[tuple[int, int]]] = {}
        look, last = self.look(), first + count - 1
        # The stubs do not know that a selection is a list of ranges.
        for part in cast("list[QItemSelectionRange]", self._view.selectionModel().selection()):  # pyright: ignore
            begin, end = max(first, part.top()), min(last, part.bottom())
            if begin > end:
                continue
            left, right = part.left(), part.right()
            y, tall = (begin - first) * height + top, (end - begin + 1) * height
            for each in columns:
                if left <= each.column <= right:
                    painter.fillRect(each.left, y, each.width, tall, look.selection)
                    chosen.setdefault(each.column, []).append((begin, end))
        return chosen

    def _paint_grounds(self, painter: QPainter, marks: Marks, columns: Sequence[Across], top: int, height: int) -> None:
        """Colour rows that come and go, and cells that are changed."""
        look = self.look()
        for row, mark in enumerate(marks):
            if mark is None:
                continue
            ground, y = look.grounds[mark.sign], top + row * height
            is_whole = mark.sign in {"inserted", "deleted"}
            for each in columns:
                if is_whole or each.column in mark.columns:
                    painter.fillRect(each.left, y, each.width, height, ground)

    def _paint_marks(self, painter: QPainter, marks: Marks, columns: Sequence[Across], top: int, height: int) -> None:
        """Tell by shapes what the colours tell: a corner for what is changed, a line through what goes."""
        look = self.look()
        corner = theme.scaled(6)
        for row, mark in enumerate(marks):
            if mark is None:
                continue
            y = top + row * height
            ink = look.inks[mark.sign]
            for each in columns:
                if each.column in mark.columns and mark.sign != "deleted":
                    tips = [QPoint(each.left, y), QPoint(each.left + corner, y), QPoint(each.left, y + corner)]
                    painter.setPen(Qt.PenStyle.NoPen)
                    painter.setBrush(ink)
                    painter.drawPolygon(tips)
                if each.column in mark.bad:
                    painter.setPen(QPen(look.inks["deleted"], 2))
                    painter.setBrush(Qt.BrushStyle.NoBrush)
                    painter.drawRect(each.left + 1, y + 1, each.width - 3, height - 3)
            if mark.sign == "deleted":
                painter.setPen(QPen(ink, 1))
                middle = y + height // 2
                painter.drawLine(columns[0].left, middle, columns[-1].left + columns[-1].width - 2, middle)

    def _paint_links(
        self, painter: QPainter, lines: Sequence[Line | None], columns: Sequence[Across], top: int, height: int
    ) -> None:
        """Mark the values that lead somewhere by a small arrow, in the room that is left at their right."""
        look = self.look()
        side = max(4, look.padding - 3)
        painter.setPen(look.link)
        arrows: list[QLine] = []
        for row, line in enumerate(lines):
            y = top + row * height + (height - side) // 2
            for each in columns:
                if line is not None and line[each.column] is not None:
                    x = each.left + each.width - 2 - side
                    arrows += [
                        QLine(x, y + side, x + side, y),
                        QLine(x + 1, y, x + side, y),
                        QLine(x + side, y, x + side, y + side - 1),
                    ]
        painter.drawLines(arrows)

    def _paint_lines(self, painter: QPainter, columns: Sequence[Across], count: int, top: int, height: int) -> None:
        left, right = columns[0].left, columns[-1].left + columns[-1].width - 1
        bottom = top + count * height - 1
        lines = [QLine(left, y, right, y) for y in range(top + height - 1, bottom + 1, height)]
        lines += [QLine(x, top, x, bottom) for x in (each.left + each.width - 1 for each in columns)]
        painter.setPen(self.look().line)
        painter.drawLines(lines)

    def _paint_texts(
        self,
        painter: QPainter,
        lines: Sequence[Line | None],
        marks: Marks,
        columns: Sequence[Across],
        first: int,
        top: int,
        height: int,
        chosen: dict[int, list[tuple[int, int]]],
    ) -> None:
        """Paint the ordinary texts at once, and what wants another pen or font after them."""
        look = self.look()
        letter, around, is_plain = look.letter, look.padding, look.is_plain
        up = (height - 1 - look.height) // 2 + look.ascent
        later: dict[tuple[int, bool], list[tuple[int, int, str]]] = {}
        strange: list[tuple[QRect, bool, bool, str]] = []
        painter.setFont(look.unshaped)
        painter.setPen(look.text)
        draw = painter.drawText
        for each in columns:
            column, is_right = each.column, each.is_right
            left, room = each.left + around, each.width - 1 - 2 * around
            right = left + room
            most = min(_MOST_LETTERS, int(room / letter + 0.001))
            if most < 1:
                continue
            parts = chosen.get(column)
            y = top + up - height
            for row, line in enumerate(lines, first):
                y += height
                text = _AWAY if line is None else line[column]
                hand = _PLAIN_HAND
                if text is None:
                    shown, hand = "NULL", _NULL_HAND
                else:
                    shown = text[: most + 1]
                    if line is None:
                        hand = _BLANK_HAND
                    elif not shown or (shown.isspace() and text.isspace()):
                        # What has nothing to see is told by marks: '' and white space are not NULL, nor the same.
                        shown, hand = plain.visible_space(plain.one_line(text)), _BLANK_HAND
                    elif marks and (mark := marks[row - first]) is not None and column in mark.quiet:
                        hand = _NULL_HAND
                    elif not (shown.isascii() and shown.isprintable()) and not is_plain(shown):
                        is_chosen = parts is not None and any(begin <= row <= end for begin, end in parts)
                        strange.append((QRect(left, y - up, room, height - 1), is_right, is_chosen, text))
                        continue
                size = len(shown)
                if size > most:
                    shown, size = _cut(shown, text, most), most
                x = right - round(size * letter) if is_right else left
                is_chosen = parts is not None and any(begin <= row <= end for begin, end in parts)
                if is_chosen or hand:
                    later.setdefault((hand, is_chosen), []).append((x, y, shown))
                else:
                    draw(x, y, shown)
        for (hand, is_chosen), texts in later.items():
            painter.setFont(look.null_font if hand == _NULL_HAND else look.unshaped)
            painter.setPen(look.selection_text if is_chosen else look.text if hand == _PLAIN_HAND else look.muted)
            for x, y, shown in texts:
                draw(x, y, shown)
        painter.setFont(look.font)
        for where, is_right, is_chosen, text in strange:
            painter.setPen(look.selection_text if is_chosen else look.text)
            mark = _mark(text)
            room = where.width() - look.metrics.horizontalAdvance(mark) if mark else where.width()
            shown = look.metrics.elidedText(plain.one_line(text), Qt.TextElideMode.ElideRight, room)
            painter.drawText(where, _RIGHT if is_right else _LEFT, shown + mark)


def _cut(shown: str, text: str | None, most: int) -> str:
    """Return the beginning of a text in *most* letters; behind that of a large value stands how large it is."""
    mark = _mark(text)
    if len(mark) + _LEAST > most:
        mark = ""
    return f"{shown[: most - 1 - len(mark)]}…{mark}"


def _mark(text: object) -> str:
    return f" {mark}" if type(text) is not str and (mark := getattr(text, "mark", "")) else ""


class CellDelegate(QStyledItemDelegate):
    """Says how wide a cell wants to be; the painting is CellPainter's."""

    def __init__(self, parent: QTableView, look: Callable[[], "Look"]) -> None:
        super().__init__(parent)
        self._look = look

    @override
    def displayText(self, value: object, locale: object) -> str:
        return "" if value is None else plain.one_line(str(value))

    @override
    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        look = self._look()
        text = self.displayText(index.data(Qt.ItemDataRole.DisplayRole), None)
        return QSize(look.metrics.horizontalAdvance(text) + 2 * look.padding, look.metrics.height() + theme.scaled(8))


class Look:
    """What is the same for every cell until the theme changes."""

    def __init__(self, key: tuple[str, int]) -> None:
        self.key = key
        self.font = theme.mono()
        # Values are shown letter by letter: != is no ligature. It also paints sooner.
        self.unshaped = theme.mono()
        self.unshaped.setStyleStrategy(QFont.StyleStrategy.PreferNoShaping)
        self.unshaped.setKerning(False)
        self.null_font = QFont(self.unshaped)
        self.null_font.setItalic(True)
        self.metrics = QFontMetrics(self.font)
        exact = QFontMetricsF(self.unshaped)
        self.letter = exact.horizontalAdvance("M" * 100) / 100
        self.height, self.ascent = self.metrics.height(), self.metrics.ascent()
        # Letters beyond ASCII are as wide, unless a font had to stand in for another.
        is_one_wide = abs(exact.horizontalAdvance(_BEYOND) - len(_BEYOND) * self.letter) < 1
        self.is_plain: Callable[[str], object] = _PLAIN if is_one_wide else _NEVER
        self.padding = padding()
        self.text = theme.colour("text")
        self.muted = theme.colour("muted")
        self.focus = theme.colour("focus")
        self.surface = theme.colour("surface")
        self.line = theme.colour("line")
        self.selection = theme.colour("selection")
        self.selection_text = theme.colour("selection_text")
        self.link = theme.colour("accent")
        self.grounds = {sign: theme.colour(f"{role}_soft") for sign, role in SIGN_ROLES.items()}
        self.inks = {sign: theme.colour(f"{role}_mark") for sign, role in SIGN_ROLES.items()}
