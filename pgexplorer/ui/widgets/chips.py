"""Small things that hold, side by side: each can be looked at again, and each can be taken away."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from pgexplorer.ui import icons
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.flow_layout import FlowLayout

_LETTERS = 40


@dataclass(frozen=True, slots=True)
class Chip:
    """One of them."""

    text: str
    icon: str
    tip: str = ""


class Chips(QWidget):
    """A row of chips that takes no room where there are none."""

    chosen = Signal(int)
    removed = Signal(int)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._name = name
        self._chips: list[Chip] = []
        self._layout = FlowLayout(self, spacing=6)
        self.hide()

    def show_chips(self, chips: Sequence[Chip]) -> None:
        """Show *chips* in place of what is there."""
        if list(chips) == self._chips:
            return
        self._chips = list(chips)
        while (item := self._layout.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for number, chip in enumerate(self._chips):
            self._layout.addWidget(self._made(number, chip))
        self.setVisible(bool(self._chips))
        self.updateGeometry()

    def chips(self) -> list[Chip]:
        """Return what is shown."""
        return list(self._chips)

    def _made(self, number: int, chip: Chip) -> QWidget:
        whole = QWidget()
        row = QHBoxLayout(whole)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        words = plain.one_line(chip.text, _LETTERS)
        text = self._button(f"{self._name}.{number}", words, chip.tip or chip.text, partial(self.chosen.emit, number))
        icons.wear(text, chip.icon, "muted")
        text.setText(words.replace("&", "&&"))
        away = self._button(
            f"{self._name}.{number}.remove", f"Remove {words}", f"Remove {words}", partial(self.removed.emit, number)
        )
        away.setProperty("icon_only", True)
        icons.wear(away, "close", "muted")
        row.addWidget(text)
        row.addWidget(away)
        return whole

    @staticmethod
    def _button(name: str, words: str, tip: str, call: Callable[[], object]) -> QPushButton:
        button = QPushButton()
        button.setObjectName(name)
        button.setProperty("small", True)
        button.setAccessibleName(words)
        button.setToolTip(plain.breakable(plain.one_line(tip, 200)))
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.clicked.connect(lambda: call())  # noqa: PLW0108  (Qt passes `checked`)
        return button
