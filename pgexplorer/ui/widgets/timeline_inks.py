"""The colours of a timeline: how each state is filled, edged and patterned, and how urgent each mark is."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.states import StateKind
from pgexplorer.ui.widgets.timeline_source import BROKEN, FAILED, HELD, IN_TRANSACTION, OPENING, RUNNING

_FILLS = {
    HELD: "idle_fill",
    RUNNING: "good_fill",
    IN_TRANSACTION: "warn_fill",
    FAILED: "bad_fill",
    BROKEN: "bad_fill",
    OPENING: "purple_fill",
}
_EDGES = {
    HELD: "idle_mark",
    RUNNING: "good_mark",
    IN_TRANSACTION: "warn_mark",
    FAILED: "bad_mark",
    BROKEN: "bad_mark",
    OPENING: "purple_mark",
}
_PATTERNS = {
    IN_TRANSACTION: Qt.BrushStyle.BDiagPattern,
    FAILED: Qt.BrushStyle.DiagCrossPattern,
    BROKEN: Qt.BrushStyle.DiagCrossPattern,
}
TONES: dict[str, StateKind] = {
    "exhausted": "bad",
    "refused": "bad",
    "connect failed": "bad",
    "return failed": "bad",
    "connection lost": "bad",
    "dropped": "warn",
    "leaked": "warn",
    "held long": "warn",
    "came back": "info",
    "reconnected": "good",
}


class Inks:
    """The colours of the theme in use, looked up once."""

    def __init__(self) -> None:
        self.colours = theme.current()
        self.has_bright_fills = self.colours.name == "contrast"  # marks in their own colours would not be seen on them
        self.fills = {state: theme.colour(role) for state, role in _FILLS.items()}
        self.edges = {state: theme.colour(role) for state, role in _EDGES.items()}
        self.text, self.muted = theme.colour("text"), theme.colour("muted")
        self.on_fill, self.line = theme.colour("fill_text"), theme.colour("line")
        self.patterns = {state: QBrush(self._line(state), style) for state, style in _PATTERNS.items()}
        self.surface, self.border = theme.colour("surface"), theme.colour("border")
        self.foot = self.on_fill if self.has_bright_fills else self.edges[RUNNING]
        self.wait_fill, self.wait = theme.colour("purple_fill"), theme.colour("purple_mark")
        veil = QColor(self.muted)
        veil.setAlpha(90)
        self.gap = QBrush(veil, Qt.BrushStyle.Dense6Pattern)
        column = [QColor(0, 0, 0, 0), *(self.fills[state] for state in (RUNNING, IN_TRANSACTION, FAILED, HELD))]
        column += [self.edges[IN_TRANSACTION], self.edges[FAILED]]
        self.column = [colour.rgba() for colour in column]

    def _line(self, state: str) -> QColor:
        """Return the colour of the lines on a state's bars."""
        colour = QColor(self.on_fill if self.has_bright_fills else self.edges[state])
        colour.setAlpha(120)
        return colour


def fill_rounded(painter: QPainter, area: QRectF, radius: float, fill: QColor, *, left: bool, right: bool) -> None:
    """Fill *area* with round corners on the sides named."""
    if not (left or right):
        painter.fillRect(area, fill)
        return
    painter.setBrush(fill)
    painter.drawRoundedRect(area, radius, radius)
    if not left:
        painter.fillRect(area.adjusted(0, 0, -area.width() + radius, 0), fill)
    if not right:
        painter.fillRect(area.adjusted(area.width() - radius, 0, 0, 0), fill)
