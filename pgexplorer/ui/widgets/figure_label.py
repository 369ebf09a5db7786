"""A number that changes often: a label which grows with its text and never has the rest laid out anew for less."""

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QLabel, QWidget
from typing_extensions import override


class FigureLabel(QLabel):
    """A number in large letters. It keeps the width of the longest text that it had: a label of fixed size is quiet."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("figure", True)
        self._longest = 0  # characters
        self._shown = ""
        self.show_text(text)

    def show_text(self, text: str) -> None:
        """Show *text*; does nothing where that is shown."""
        if text == self._shown:
            return
        self._shown = text
        if len(text) > self._longest:
            self._longest = len(text)
            self._widen()
        self.setText(text)

    @override
    def changeEvent(self, event: QEvent) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            self._widen()

    def _widen(self) -> None:
        self.ensurePolished()
        metrics = self.fontMetrics()
        self.setFixedSize(metrics.horizontalAdvance("8" * self._longest) + 2, metrics.height())
