"""How a slot's card is painted, and where its buttons are.

Busy threads take the interpreter away after a millisecond. So frames, shapes and buttons are drawn once for a theme
and a width, every text is cut to its room and set once, and a card is a dozen calls of the painter: 60 µs.
"""

from dataclasses import dataclass

from PySide6.QtCore import QPoint, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QPen, QPixmap, QStaticText, QTransform

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.slot_rows import SlotRow
from pgexplorer.ui.widgets.states import KINDS, StateKind, mark_colour, paint_glyph, state_colour

MORE = "more"  # the button that opens the menu
_WIDE = 330  # pixels at scale 1 from which on a card has room for more than figures
_MOST_BUTTONS = 2
_MOST_CUT = 4000  # texts kept as they were cut and set


@dataclass(frozen=True, slots=True)
class Button:
    """A button of a card, where it is painted."""

    name: str  # of its action, or MORE
    label: str
    area: QRect  # within the card


@dataclass(frozen=True, slots=True)
class Marked:
    """What of a card is told apart: whether it is the current one, and buttons by name ("" is the card itself)."""

    current: bool = False
    focus: str | None = None
    hover: str | None = None
    pressed: str | None = None


@dataclass(frozen=True, slots=True)
class _Cut:
    """A text as it fits into its room."""

    text: str
    width: int
    whole: bool
    static: QStaticText


PLAIN = Marked()


class CardLook:
    """Paints cards of one width in the theme in use; made anew when either changes."""

    def __init__(self, width: int, ratio: float) -> None:
        self.colours = theme.current()
        self.width = width
        self._ratio = ratio
        self._strong, self._body = theme.sans(semibold=True), theme.sans()
        self._small = theme.sans(self._body.pointSizeF() * 0.94)
        self._mono = theme.mono()
        self._metrics = {id(font): QFontMetrics(font) for font in self._fonts()}
        self._cut_texts: dict[tuple[int, int, str], _Cut] = {}
        self._drawn: dict[tuple[object, ...], QPixmap] = {}
        self._button_rows: dict[tuple[tuple[str, str], ...], tuple[Button, ...]] = {}
        self._columns = (0, 0)  # digits of the numbers and of the pids
        self._measure()
        self._choose_inks()

    def _fonts(self) -> tuple[QFont, ...]:
        return self._strong, self._body, self._small, self._mono

    def _measure(self) -> None:
        gap = theme.scaled(8)
        line = max(metrics.height() for metrics in self._metrics.values())
        self._pid_word = "pid " if self.width >= theme.scaled(_WIDE) else ""  # the state's words come first
        self._gap, self._space = theme.scaled(7), theme.scaled(5)
        self._left, self._right = theme.scaled(15), self.width - theme.scaled(10)
        self._button_height = max(theme.scaled(16), self._metrics[id(self._body)].height()) + 2 * theme.scaled(2) + 2
        margin, between = theme.scaled(8), theme.scaled(3)
        self.height = max(theme.scaled(58), 2 * margin + line + between + self._button_height)
        self.pitch = self.height + gap
        spare = self.height - line - between - self._button_height
        self._first = spare // 2 + line // 2  # the middles of the first and the second line, and of an only one
        self._second = spare // 2 + line + between + self._button_height // 2
        self._only = self.height // 2
        self._glyph_side = theme.scaled(9)
        # Half the height of a line of text in each font.
        self._halves = {key: (metrics.ascent() + metrics.descent()) // 2 for key, metrics in self._metrics.items()}
        mono = self._metrics[id(self._mono)]
        self._digit, self._clock_base = mono.horizontalAdvance("0"), mono.ascent() - self._halves[id(self._mono)]

    def _choose_inks(self) -> None:
        self._surface, self._text, self._muted = (theme.colour(name) for name in ("surface", "text", "muted"))
        self._words: dict[StateKind, QColor] = {kind: state_colour(kind) for kind in KINDS}

    # -- what is where -----------------------------------------------------------------------------------------

    def set_columns(self, rows: tuple[SlotRow, ...]) -> bool:
        """Align the numbers and the pids of *rows*; return whether that moved anything."""
        columns = (
            max((len(str(row.number)) for row in rows), default=1),
            max((len(row.pid) for row in rows), default=0),
        )
        if columns == self._columns:
            return False
        self._columns = columns
        numbers, pids = columns
        self._pid_x = self._left + self._cut(self._strong, "#" + "0" * numbers).width + self._gap
        pid_width = self._cut(self._mono, self._pid_word + "0" * pids).width + self._gap if pids else 0
        self._glyph_x = self._pid_x + pid_width + theme.scaled(2)
        return True

    def buttons(self, row: SlotRow) -> tuple[Button, ...]:
        """Return the buttons of *row*'s card, from left to right."""
        found = self._button_rows.get(row.actions)
        if found is None:
            found = self._button_rows[row.actions] = tuple(self._place_buttons(row.actions))
        return found

    def button_at(self, row: SlotRow, point: QPoint) -> str:
        """Return the name of *row*'s button under *point* of its card, "" where there is none."""
        return next((each.name for each in self.buttons(row) if each.area.contains(point)), "")

    def cut_at(self, row: SlotRow, point: QPoint) -> str:
        """Return the whole of the text under *point* of *row*'s card that is cut there, "" where none is."""
        if not _has_second(row) or point.y() < (self._first + self._second) // 2:
            words, x, room = self._state_room(row)
            return words if point.x() >= x and not self._cut(self._strong, words, room).whole else ""
        for font, text, x, room in self._second_line(row):
            if x <= point.x() <= x + room and not self._cut(font, text, room).whole:
                return text
        return ""

    def _place_buttons(self, actions: tuple[tuple[str, str], ...]) -> list[Button]:
        shown = list(actions[:_MOST_BUTTONS])
        widths = [self._cut(self._body, label).width + 2 * theme.scaled(9) + 2 for _, label in shown]
        if len(actions) > _MOST_BUTTONS:
            shown.append((MORE, ""))
            widths.append(self._button_height)
        x = self._right - sum(widths) - self._space * (len(widths) - 1)
        top = self._second - self._button_height // 2
        found: list[Button] = []
        for (name, label), width in zip(shown, widths, strict=True):
            found.append(Button(name, label, QRect(x, top, width, self._button_height)))
            x += width + self._space
        return found

    def _state_room(self, row: SlotRow) -> tuple[str, int, int]:
        words = f"{row.state} {row.age}".rstrip()
        x = self._glyph_x + self._glyph_side + self._gap
        held = len(row.held) * self._digit + self._gap if row.held else 0
        return plain.one_line(words), x, self._right - held - x

    def _second_line(self, row: SlotRow) -> list[tuple[QFont, str, int, int]]:
        """Return font, text, place and room of the holder and of the SQL."""
        buttons = self.buttons(row)
        end = buttons[0].area.x() - self._gap if buttons else self._right
        room = end - self._left
        holder, sql = plain.one_line(row.holder), plain.one_line(row.sql)
        wanted = self._cut(self._small, holder).width + 2 if holder else 0  # widths are no whole pixels
        # Who holds it may take half of the line, or all where there is no SQL.
        first = min(wanted, room // 2 if sql else room)
        if sql and wanted > first:
            first = min(wanted, max(first, room - self._gap - self._cut(self._mono, sql).width))
        found = [(self._small, holder, self._left, first)] if holder else []
        x = self._left + first + (self._gap if holder else 0)
        return [*found, (self._mono, sql, x, end - x)] if sql else found

    def _cut(self, font: QFont, text: str, room: int = 1 << 20) -> _Cut:
        """Return *text* as it fits into *room* pixels."""
        key = (id(font), room, text)
        found = self._cut_texts.get(key)
        if found is None:
            if len(self._cut_texts) >= _MOST_CUT:
                self._cut_texts.clear()
            metrics = self._metrics[id(font)]
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, max(0, room)) if text else ""
            static = QStaticText(shown)
            static.setTextFormat(Qt.TextFormat.PlainText)
            static.setPerformanceHint(QStaticText.PerformanceHint.AggressiveCaching)
            static.prepare(QTransform(), font)
            found = self._cut_texts[key] = _Cut(shown, metrics.horizontalAdvance(shown), shown == text, static)
        return found

    # -- painting ----------------------------------------------------------------------------------------------

    def background(self) -> QColor:
        """Return what lies behind the cards."""
        return self._surface

    def paint(self, painter: QPainter, row: SlotRow, marked: Marked = PLAIN) -> None:
        """Paint *row*'s card with its upper left corner at the painter's origin."""
        edge = "focus" if marked.focus == "" else "border" if marked.current else "line"
        painter.drawPixmap(0, 0, self._drawn.get((row.state_kind, edge)) or self._frame(row.state_kind, edge))
        if _has_second(row):
            self._paint_first(painter, row, self._first)
            self._paint_second(painter, row, marked)
        else:
            self._paint_first(painter, row, self._only)

    def paint_empty(self, painter: QPainter) -> None:
        """Paint the place of a card where there was one and none is now."""
        painter.drawPixmap(0, 0, self._drawn.get((None, "line")) or self._frame(None, "line"))
        self._write(painter, self._small, self._muted, self._left, self._only, self._cut(self._small, "no connection"))

    def _paint_first(self, painter: QPainter, row: SlotRow, middle: int) -> None:
        strong, mono, text = self._strong, self._mono, self._text
        self._write(painter, strong, text, self._left, middle, self._cut(strong, f"#{row.number}"))
        if row.pid:
            self._write(painter, mono, text, self._pid_x, middle, self._cut(mono, f"{self._pid_word}{row.pid}"))
        kind = row.state_kind
        glyph = self._drawn.get((kind,)) or self._glyph(kind)
        painter.drawPixmap(self._glyph_x, middle - self._glyph_side // 2, glyph)
        words, x, room = self._state_room(row)
        self._write(painter, strong, self._words[kind], x, middle, self._cut(strong, words, room))
        if row.held:
            # Another text at every look: not worth keeping. All its letters are of one width.
            painter.setFont(mono)
            painter.setPen(text)
            painter.drawText(self._right - len(row.held) * self._digit, middle + self._clock_base, row.held)

    def _paint_second(self, painter: QPainter, row: SlotRow, marked: Marked) -> None:
        for font, text, x, room in self._second_line(row):
            ink = self._muted if font is self._small else self._text
            self._write(painter, font, ink, x, self._second, self._cut(font, text, room))
        for button in self.buttons(row):
            name = button.name
            is_hovered = marked.hover == name
            fill = "pressed" if is_hovered and marked.pressed == name else "hover" if is_hovered else "raised"
            key = (name, button.label, fill, marked.focus == name)
            drawn = self._drawn.get(key) or self._draw_button(button, fill, is_focused=marked.focus == name)
            painter.drawPixmap(button.area.x(), button.area.y(), drawn)

    def _write(self, painter: QPainter, font: QFont, ink: QColor, x: int, middle: int, cut: _Cut) -> None:
        painter.setFont(font)
        painter.setPen(ink)
        painter.drawStaticText(x, middle - self._halves[id(font)], cut.static)

    # -- what is drawn once ------------------------------------------------------------------------------------

    def _frame(self, kind: StateKind | None, edge: str) -> QPixmap:
        """Return an empty card: the stripe of *kind*, an edge in the colour *edge*, dashed where *kind* is None."""
        drawn = self._drawn[kind, edge] = self._blank(self.width, self.height)
        is_thick = edge == "focus"
        radius = theme.scaled(8)
        area = QRectF(0.5, 0.5, self.width - 1, self.height - 1)
        shape = QPainterPath()
        shape.addRoundedRect(area, radius, radius)
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if kind is not None:
            painter.setClipPath(shape)
            painter.fillRect(QRectF(0, 0, theme.scaled(4), self.height), mark_colour(kind))
            painter.setClipping(False)
        style = Qt.PenStyle.SolidLine if kind is not None else Qt.PenStyle.DashLine
        painter.setPen(QPen(theme.colour(edge), 2 if is_thick else 1, style))
        painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5) if is_thick else area, radius, radius)
        painter.end()
        return drawn

    def _glyph(self, kind: StateKind) -> QPixmap:
        side = self._glyph_side
        drawn = self._drawn[kind,] = self._blank(side, side)
        painter = QPainter(drawn)
        paint_glyph(painter, QRectF(0.5, 0.5, side - 1, side - 1), kind)
        painter.end()
        return drawn

    def _draw_button(self, button: Button, fill: str, *, is_focused: bool) -> QPixmap:
        width, height = button.area.width(), button.area.height()
        drawn = self._drawn[button.name, button.label, fill, is_focused] = self._blank(width, height)
        is_quiet = button.name == MORE
        area, radius = QRectF(0.5, 0.5, width - 1, height - 1), theme.scaled(6)
        painter = QPainter(drawn)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(theme.colour("surface" if is_quiet and fill == "raised" else fill))
        if is_focused:
            painter.setPen(QPen(theme.colour("focus"), 2))
            area.adjust(0.5, 0.5, -0.5, -0.5)
        else:
            painter.setPen(Qt.PenStyle.NoPen if is_quiet else QPen(theme.colour("border"), 1))
        painter.drawRoundedRect(area, radius, radius)
        if is_quiet:
            size = theme.scaled(16)
            painter.drawPixmap((width - size) // 2, (height - size) // 2, icons.pixmap("more", size, None, self._ratio))
        else:
            painter.setFont(self._body)
            painter.setPen(self._text)
            painter.drawText(QRect(0, 0, width, height), Qt.AlignmentFlag.AlignCenter, button.label)
        painter.end()
        return drawn

    def _blank(self, width: int, height: int) -> QPixmap:
        """Return a picture of the background, of so many logical pixels."""
        drawn = QPixmap(round(width * self._ratio), round(height * self._ratio))
        drawn.setDevicePixelRatio(self._ratio)
        drawn.fill(self._surface)
        return drawn


def _has_second(row: SlotRow) -> bool:
    return bool(row.holder or row.sql or row.actions)
