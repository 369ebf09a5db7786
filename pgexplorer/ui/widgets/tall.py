"""A widget that is never lower than what is in it needs at its width: rows that break need more where it is narrow."""

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QWidget
from typing_extensions import override


class Tall(QWidget):
    """Claims the least height of its layout, which a splitter would not ask for by width."""

    @override
    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() in {QEvent.Type.Resize, QEvent.Type.LayoutRequest} and (layout := self.layout()) is not None:
            least = max(0, layout.totalMinimumHeightForWidth(self.width()))
            if least != self.minimumHeight():
                self.setMinimumHeight(least)
        return done
