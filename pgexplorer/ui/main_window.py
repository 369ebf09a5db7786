"""The frame: a themed window that is on the screen before the rest of the program is loaded, and is then filled."""

import base64
from collections.abc import Callable

from PySide6.QtCore import QByteArray, Signal
from PySide6.QtGui import QCloseEvent, QPaintEvent
from PySide6.QtWidgets import QApplication, QMainWindow
from typing_extensions import override

from pgexplorer.settings import Settings


class MainWindow(QMainWindow):
    """The program's window. It knows nothing of what it holds, so that it can be shown at once."""

    closing = Signal()

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self.is_painted = False
        self.may_close: Callable[[], bool] = lambda: True  # asks where something would be lost
        self.setObjectName("window")
        self.setWindowTitle("pgexplorer")
        self.setMinimumSize(760, 520)
        if geometry := settings.preference("geometry"):
            self.restoreGeometry(QByteArray(base64.b64decode(geometry, validate=False)))
        else:
            screen = QApplication.primaryScreen().availableGeometry()
            self.resize(min(1400, screen.width() - 40), min(880, screen.height() - 60))

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        self.is_painted = True

    @override
    def closeEvent(self, event: QCloseEvent) -> None:
        if self.isVisible() and not self.may_close():
            event.ignore()
            return
        self._settings.prefer("geometry", base64.b64encode(self.saveGeometry().data()).decode())
        event.accept()
        self.hide()
        self.closing.emit()
