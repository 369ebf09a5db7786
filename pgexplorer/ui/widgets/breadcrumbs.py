"""Where one has come from, step by step, each a click away."""

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel

_LETTERS = 32
_MOST = 3  # steps before the present one that are shown


class Breadcrumbs(QWidget):
    """A row of steps that takes no room where there are none; buttons of the caller stand before them."""

    chosen = Signal(int)  # so many steps back

    def __init__(self, name: str, buttons: Sequence[QPushButton], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._name = name
        self._steps: list[str] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)
        for each in buttons:
            self._row.addWidget(each)
        self._made: list[QWidget] = []
        self.hide()

    def steps(self) -> list[str]:
        """Return what is shown, the present one last."""
        return list(self._steps)

    def show_steps(self, steps: Sequence[str], *, more: bool) -> None:
        """Show *steps*, the present one last; with *more*, also where there is one alone, for one can go forward."""
        self._steps = list(steps)
        for each in self._made:
            self._row.removeWidget(each)
            each.hide()
            each.deleteLater()
        self._made = []
        first = max(0, len(steps) - 1 - _MOST)
        if first:
            self._add(QLabel("…"))
        for at, words in enumerate(steps[first:-1], first):
            back = len(steps) - 1 - at
            self._add(self._button(words, back, partial(self.chosen.emit, back)))
            mark = QLabel()
            mark.setFixedWidth(theme.scaled(14))
            mark.setPixmap(icons.pixmap("chevron-right", theme.scaled(12), "muted", self.devicePixelRatioF()))
            self._add(mark)
        if steps:
            here = ElidedLabel(plain.one_line(steps[-1], 200))
            here.setObjectName(f"{self._name}.here")
            self._row.addWidget(here, 1)
            self._made.append(here)
        self.setVisible(len(steps) > 1 or more)

    def _add(self, widget: QWidget) -> None:
        self._row.addWidget(widget)
        self._made.append(widget)

    def _button(self, words: str, back: int, call: Callable[[], object]) -> QPushButton:
        shown = plain.one_line(words, _LETTERS)
        button = QPushButton(shown.replace("&", "&&"))
        button.setObjectName(f"{self._name}.{back}")
        button.setAccessibleName(f"Back to {shown}")
        button.setToolTip(plain.tool_tip(f"Back to {plain.one_line(words, 200)}"))
        for word in ("small", "quiet"):
            button.setProperty(word, True)
        button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        button.clicked.connect(lambda: call())  # noqa: PLW0108  (Qt passes `checked`)
        return button
