"""Labels whose numbers change often: they grow with their text, and for less never have the rest laid out anew."""

import re

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QLabel, QWidget
from typing_extensions import override

_DIGIT = re.compile(r"\d")


class SteadyLabel(QLabel):
    """One line of plain text as wide as the widest that it had: a label of fixed size is quiet in its layout."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._widest = ""  # the text, its figures all of one width
        self._shown = ""
        self.show_text(text)

    def show_text(self, text: str) -> None:
        """Show *text*; does nothing where that is shown."""
        if text == self._shown:
            return
        self._shown = text
        masked = _DIGIT.sub("8", text)
        wide = self.fontMetrics().horizontalAdvance
        if wide(masked) > wide(self._widest):  # "16 ms" is as long as "16 µs", and wider
            self._widest = masked
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
        self.setFixedSize(metrics.horizontalAdvance(self._widest) + 2, metrics.height())


class FigureLabel(SteadyLabel):
    """A number in large letters."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setProperty("figure", True)
        self.show_text(text)
