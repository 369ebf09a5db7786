"""What stands above a table's rows: the way back, the filter and its buttons, what is pending, what is said."""

from collections.abc import Callable, Sequence

from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.actions import button

_ROOM = 260  # pixels that the filter and what is about it are left


class TableHead(QWidget):
    """A column of bars, most of which take no room while they have nothing to say."""

    def __init__(
        self, where: QWidget, action: Callable[[str], QAction], above: Sequence[QWidget], below: Sequence[QWidget]
    ) -> None:
        """Make it of *action*, which returns the action of a name, and the bars *above* and *below* the filter."""
        super().__init__()
        self._words: dict[QPushButton, str] = {}  # of the buttons that lose them where it is narrow
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(where, 1)
        for name, style in (("condition", "icon_only"), ("refresh", ""), ("count", ""), ("export", ""), ("import", "")):
            made = button(action(f"table.{name}"), f"table.{name}", style=style)
            if style:
                made.setText("")
            else:
                if name == "count":
                    made.setText("Count")
                self._words[made] = made.text()
            row.addWidget(made)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 8)
        for each in above:
            column.addWidget(each)
        column.addLayout(row)
        for each in below:
            column.addWidget(each)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_buttons()

    def _fit_buttons(self) -> None:
        """Leave the buttons their icons alone where with words they would leave the filter no room."""
        words = sum(each.fontMetrics().horizontalAdvance(text) + theme.scaled(58) for each, text in self._words.items())
        is_narrow = self.width() < words + theme.scaled(_ROOM)
        for each, text in self._words.items():
            wordless(each, text, is_narrow=is_narrow)


def wordless(made: QPushButton, words: str, *, is_narrow: bool) -> None:
    """Take the words of a button away where it is narrow, and give them back where it is not."""
    if bool(made.text()) is is_narrow:
        made.setText("" if is_narrow else words)
        made.setProperty("icon_only", is_narrow)
        made.style().unpolish(made)
        made.style().polish(made)
