"""What a place says while it has nothing to show: why, and how to begin."""

from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QPushButton, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme


class EmptyState(QWidget):
    """A calm centre column: an icon, a title, a sentence and perhaps one button.

    Where there is too little height it leaves out the icon first, then the sentence.
    """

    action_wanted = Signal()

    def __init__(
        self, icon: str, title: str, text: str = "", action: QAction | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._icon_name = icon
        self._icon = QLabel(self)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = self._label()
        self._title.setProperty("heading", 1)
        self._text = self._label()
        self._text.setProperty("muted", True)
        self._button = QPushButton(self)
        self._button.setProperty("primary", True)
        self._button.clicked.connect(self._act)
        self._action: QAction | None = None
        self._known: dict[int, list[tuple[QWidget, int, int]]] = {}  # parts by width: a layout asks for them often
        self.say(icon, title, text, action)

    def say(self, icon: str, title: str, text: str = "", action: QAction | None = None) -> None:
        """Say something else; *action* becomes the button, None hides it."""
        self._icon_name = icon
        self._title.setText(title)
        self._text.setText(text)
        self._action = action
        self._button.setVisible(action is not None)
        if action is not None:
            self._button.setText(action.text())
            self._button.setAccessibleName(action.iconText())
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self._known.clear()
        self._draw()
        self.updateGeometry()
        self._arrange()

    def button(self) -> QPushButton:
        """Return the button, to be named."""
        return self._button

    @override
    def sizeHint(self) -> QSize:
        width = theme.scaled(320)
        parts = self._parts(width)
        return QSize(width, _height(parts) + 2 * theme.scaled(24))

    @override
    def minimumSizeHint(self) -> QSize:
        width = theme.scaled(140)
        button = self._button.sizeHint() if self._action is not None else QSize()
        height = self._title.fontMetrics().height() + (button.height() + theme.scaled(8) if self._action else 0)
        return QSize(max(width, button.width()), height + 2 * theme.scaled(4))

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._arrange()

    @override
    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.LayoutRequest:
            self._arrange()
        return super().event(event)

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in {QEvent.Type.StyleChange, QEvent.Type.FontChange}:
            self._known.clear()
            self._draw()
            self.updateGeometry()
            self._arrange()

    def _draw(self) -> None:
        self._icon.setPixmap(icons.pixmap(self._icon_name, theme.scaled(40), "muted", self.devicePixelRatioF()))

    def _parts(self, width: int) -> list[tuple[QWidget, int, int]]:
        """Return what there is to show, from top to bottom: each with its height and the gap above it."""
        if (known := self._known.get(width)) is not None:
            return known
        inner = max(1, width - 2 * _side(width))
        parts: list[tuple[QWidget, int, int]] = [(self._icon, theme.scaled(40), 0)]
        parts.append((self._title, self._title.heightForWidth(inner), theme.scaled(12)))
        if self._text.text():
            parts.append((self._text, self._text.heightForWidth(inner), theme.scaled(8)))
        if self._action is not None:
            parts.append((self._button, self._button.sizeHint().height(), theme.scaled(16)))
        self._known[width] = parts
        return parts

    def _arrange(self) -> None:
        width = self.width()
        parts = self._parts(width)
        for given_up in (self._icon, self._text):
            if _height(parts) + 2 * theme.scaled(4) > self.height():
                parts = [part for part in parts if part[0] is not given_up]
        shown = {part[0] for part in parts}
        for widget in (self._icon, self._text):
            widget.setVisible(widget in shown)
        side = _side(width)
        y = max(0, self.height() - _height(parts)) * 2 // 5
        for at, (widget, height, gap) in enumerate(parts):
            y += gap if at else 0
            if widget is self._button:
                wide = min(self._button.sizeHint().width(), width)
                widget.setGeometry(QRect((width - wide) // 2, y, wide, height))
            else:
                widget.setGeometry(QRect(side, y, width - 2 * side, height))
            y += height

    def _act(self) -> None:
        self.action_wanted.emit()
        if self._action is not None:
            self._action.trigger()

    def _label(self) -> QLabel:
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setWordWrap(True)
        return label


def _height(parts: list[tuple[QWidget, int, int]]) -> int:
    return sum(height for _, height, _ in parts) + sum(gap for _, _, gap in parts[1:])


def _side(width: int) -> int:
    return min(theme.scaled(24), max(0, width // 12))
