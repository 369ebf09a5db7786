"""A line for a password, with an eye that shows it for as long as it is open."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QHideEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit, QToolButton, QWidget
from typing_extensions import override

from pgexplorer.ui import icons


class PasswordEdit(QLineEdit):
    """Hides what is typed until the eye (Alt+F8) is opened; closes the eye when it leaves the screen."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setEchoMode(QLineEdit.EchoMode.Password)
        # No word list, no prediction: an input method must not learn a password.
        self.setInputMethodHints(
            Qt.InputMethodHint.ImhHiddenText
            | Qt.InputMethodHint.ImhSensitiveData
            | Qt.InputMethodHint.ImhNoPredictiveText
            | Qt.InputMethodHint.ImhNoAutoUppercase
        )
        self._eye = QAction(self)
        self._eye.setCheckable(True)
        self._eye.setShortcut(QKeySequence("Alt+F8"))
        self._eye.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self._eye.toggled.connect(self._look)
        self.addAction(self._eye, QLineEdit.ActionPosition.TrailingPosition)
        self._look(revealed=False)

    def revealed(self) -> bool:
        """Return whether the password can be read on screen."""
        return self._eye.isChecked()

    def set_revealed(self, revealed: bool) -> None:
        """Open or close the eye."""
        self._eye.setChecked(revealed)

    @override
    def hideEvent(self, arg__1: QHideEvent, /) -> None:
        self._eye.setChecked(False)
        super().hideEvent(arg__1)

    def _look(self, revealed: bool) -> None:
        self.setEchoMode(QLineEdit.EchoMode.Normal if revealed else QLineEdit.EchoMode.Password)
        words = "Hide the password" if revealed else "Show the password"
        self._eye.setText(words)
        self._eye.setToolTip(f"{words} ({self._eye.shortcut().toString(QKeySequence.SequenceFormat.NativeText)})")
        icons.wear(self._eye, "eye-off" if revealed else "eye", "muted")
        for button in self.findChildren(QToolButton):
            if button.defaultAction() is self._eye:
                button.setAccessibleName(words)
