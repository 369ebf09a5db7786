"""Number fields whose text begins where that of a line edit does, and which the mouse wheel leaves alone in passing."""

from collections.abc import Mapping

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QAbstractSpinBox, QDoubleSpinBox, QSpinBox, QWidget
from typing_extensions import override

from pgexplorer.ui import theme


class SpinBox(QSpinBox):
    """A whole number; *properties* are Qt's, for example maximum=9999."""

    def __init__(self, parent: QWidget | None = None, **properties: object) -> None:
        super().__init__(parent)
        _set_up(self, properties)

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            _indent(self)


class DoubleSpinBox(QDoubleSpinBox):
    """A number with decimals; *properties* are Qt's, for example suffix=" s"."""

    def __init__(self, parent: QWidget | None = None, **properties: object) -> None:
        super().__init__(parent)
        _set_up(self, properties)

    @override
    def wheelEvent(self, event: QWheelEvent) -> None:
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            _indent(self)


def _set_up(box: QAbstractSpinBox, properties: Mapping[str, object]) -> None:
    for name, value in properties.items():
        if not box.setProperty(name, value):
            raise TypeError(f"{type(box).__name__} has no property {name}")
    # Not by the wheel: a form scrolled under the pointer must not change its numbers.
    box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    _indent(box)


def _indent(box: QAbstractSpinBox) -> None:
    # Qt gives the text of a styled spin box no room at its left, whatever padding the style sheet asks for.
    box.lineEdit().setTextMargins(theme.scaled(9), 0, 0, 0)
