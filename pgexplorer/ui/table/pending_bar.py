"""The bar of what is pending in a table: how much, and what can be done with it; or why nothing can be changed."""

from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget
from typing_extensions import override

from pgexplorer.models.pending import Counts
from pgexplorer.ui import icons, theme
from pgexplorer.ui.actions import button
from pgexplorer.ui.table.head import wordless
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel


class PendingBar(QWidget):
    """Takes no room while there is nothing to say."""

    def __init__(self, undo: QAction, redo: QAction, review: QAction, drop: QAction, send: QAction) -> None:
        super().__init__()
        self.setObjectName("table.pending")
        self._mark = QLabel()
        self._said = ElidedLabel()
        self._said.setObjectName("table.pending.said")
        made = (
            ("undo", undo, "icon_only quiet", ""),
            ("redo", redo, "icon_only quiet", ""),
            ("review", review, "small", "Review SQL…"),
            ("drop", drop, "small", "Drop changes"),
            ("send", send, "small primary", "Send"),
        )
        self._whole = self._short = ""  # what is said, and how where there is little room
        self._words: dict[QPushButton, str] = {}
        for name, action, style, words in made:
            each = button(action, f"table.{name}", style=style, text=words)
            each.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            self._words[each] = words
        self._stop = QPushButton("Stop")
        self._stop.setObjectName("table.send_stop")
        self._stop.setProperty("small", True)
        self._stop.setToolTip("Stop it: nothing is changed")
        self.stop_wanted = self._stop.clicked
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(self._mark)
        row.addWidget(self._said, 1)
        for each in (*self._words, self._stop):
            row.addWidget(each)
        self.hide()

    def show_counts(self, counts: Counts) -> None:
        """Say how much is pending, and offer what can be done with it."""
        self._say(f"{counts.words} · not sent yet", "edit", "warn", short=counts.short, offers=True)

    def show_sending(self, done: int, of: int) -> None:
        """Say how far the sending is, and offer to stop it."""
        self._say(f"Sending {done:,} of {of:,}…", "upload", "info", stops=True)

    def show_pasting(self, done: int, of: int) -> None:
        """Say how far a block has come, and offer to take it back."""
        self._say(f"Pasting {done:,} of {of:,} rows…" if of else "Pasting…", "check-in", "info", stops=True)

    def show_reason(self, why: str) -> None:
        """Say why nothing can be changed; "" takes the bar away."""
        if why:
            self._say(f"Read-only · {why}", "lock", "muted")
        else:
            self.hide()

    def text(self) -> str:
        """Return what is said, "" where nothing is."""
        return self._whole if not self.isHidden() else ""

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_buttons()

    def _fit_buttons(self) -> None:
        """Leave the buttons that have one their icons alone where with words they would leave the counts no room."""
        metrics = self.fontMetrics()
        words = sum(metrics.horizontalAdvance(text) + theme.scaled(44) for text in self._words.values())
        is_narrow = self.width() < words + metrics.horizontalAdvance(self._whole) + theme.scaled(24)
        for each, text in self._words.items():
            if text and each.property("primary") is not True:
                wordless(each, text, is_narrow=is_narrow)
        left = self.width() - sum(each.sizeHint().width() + theme.scaled(6) for each in self._words if each.text())
        is_cut = is_narrow and metrics.horizontalAdvance(self._whole) + theme.scaled(150) > left
        self._said.setText(plain.one_line(self._short if self._short and is_cut else self._whole, 300))

    def _say(
        self, words: str, icon: str, role: str, *, short: str = "", offers: bool = False, stops: bool = False
    ) -> None:
        self._whole, self._short = words, short
        self._said.set_ink("muted" if role == "muted" else "")
        self._said.setText(plain.one_line(words, 300))
        self._said.setAccessibleName(words)
        self._mark.setToolTip(plain.tool_tip(words))
        self._mark.setPixmap(icons.pixmap(icon, theme.scaled(15), role, self.devicePixelRatioF()))
        for each in self._words:
            each.setVisible(offers)
        self._fit_buttons()
        self._stop.setVisible(stops)
        self.setVisible(True)
