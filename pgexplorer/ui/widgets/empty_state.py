"""What a place says while it has nothing to show: why, and how to begin."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme


class EmptyState(QWidget):
    """A calm centre column: an icon, a title, a sentence and perhaps one button."""

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
        self._button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self._button.clicked.connect(self._act)
        self._action: QAction | None = None
        column = QVBoxLayout(self)
        margin = theme.scaled(24)
        column.setContentsMargins(margin, margin, margin, margin)
        column.setSpacing(theme.scaled(8))
        column.addStretch(2)
        column.addWidget(self._icon)
        column.addSpacing(theme.scaled(4))
        column.addWidget(self._title)
        column.addWidget(self._text)
        column.addSpacing(theme.scaled(8))
        column.addWidget(self._button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)
        self.say(icon, title, text, action)

    def say(self, icon: str, title: str, text: str = "", action: QAction | None = None) -> None:
        """Say something else; *action* becomes the button, None hides it."""
        self._icon_name = icon
        self._title.setText(title)
        self._text.setText(text)
        self._text.setVisible(bool(text))
        self._action = action
        self._button.setVisible(action is not None)
        if action is not None:
            self._button.setText(action.text())
            self._button.setAccessibleName(action.iconText())
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        self._draw()

    def button(self) -> QPushButton:
        """Return the button, to be named."""
        return self._button

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            self._draw()

    def _draw(self) -> None:
        self._icon.setPixmap(icons.pixmap(self._icon_name, theme.scaled(40), "muted", self.devicePixelRatioF()))

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
