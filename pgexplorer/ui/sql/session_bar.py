"""Which backend a tab keeps and why, how long its transaction has been open, and what ends it."""

import time

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QWidget

from pgexplorer.db.session import Pin
from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.units import age

LONG, TOO_LONG = 30.0, 300.0  # seconds of an idle open transaction after which it is amber, and red
_TICK = 1_000  # milliseconds


class SessionBar(QWidget):
    """Takes no room while the tab keeps nothing. What is clicked is wished for: the panel does it."""

    begin_wanted = Signal()
    commit_wanted = Signal()
    rollback_wanted = Signal()
    unpin_wanted = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(f"{name}.session")
        self._pin: Pin | None = None
        self._running = False
        self._mark = QLabel()
        self._badge = ElidedLabel()
        self._badge.setObjectName(f"{name}.pin")
        self._state = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._state.setObjectName(f"{name}.transaction")
        self._begin = self._button(f"{name}.begin", "Begin", "Open a transaction: nothing is kept before Commit")
        self._commit = self._button(f"{name}.commit", "Commit", "Keep what the open transaction has changed")
        self._rollback = self._button(f"{name}.rollback", "Roll back", "Undo what the open transaction has changed")
        self._unpin = self._button(f"{name}.unpin", "Unpin…", "Give the backend back to the pool; says what is lost")
        self._unpin.setText("")
        self._unpin.setProperty("icon_only", True)
        icons.wear(self._unpin, "unplug")
        self._begin.clicked.connect(self.begin_wanted)
        self._commit.clicked.connect(self.commit_wanted)
        self._rollback.clicked.connect(self.rollback_wanted)
        self._unpin.clicked.connect(self.unpin_wanted)
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 0, 10, 6)
        row.setSpacing(6)
        row.addWidget(self._mark)
        row.addWidget(self._badge, 1)
        for each in (self._state, self._commit, self._rollback, self._unpin):
            each.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)  # where it is narrow the reasons go
            row.addWidget(each)
        self._timer = QTimer(self, interval=_TICK)
        self._timer.timeout.connect(self._tick)
        self.hide()

    @property
    def begin_button(self) -> QPushButton:
        """The button that opens a transaction: it stands among the panel's own, for it is there without a pin."""
        return self._begin

    def show_pin(self, pin: Pin | None, *, running: bool, connected: bool) -> None:
        """Show what is kept, whether something runs on it, and whether there is a server to begin with."""
        self._pin, self._running = pin, running
        is_open = pin is not None and pin.is_open
        self._begin.setEnabled(connected and not running and not is_open)
        self.setVisible(pin is not None)
        if pin is None:
            self._timer.stop()
            return
        words = f"pid {pin.pid}: kept for {pin.words}"
        self._badge.setText(plain.one_line(words, 200))
        self._badge.setToolTip(plain.breakable("\n".join([words, *pin.losses])))
        self._badge.setAccessibleName(words)
        for each in (self._commit, self._rollback):
            each.setVisible(is_open)
            each.setEnabled(not running)
        self._commit.setEnabled(not running and not pin.is_failed)
        self._unpin.setEnabled(not running)
        self._tick()
        self._timer.start()

    def _tick(self) -> None:
        """Say how long the transaction has been open; colour and word change together."""
        pin = self._pin
        if pin is None or pin.transaction_since is None:
            self._draw("muted")
            self._state.setVisible(False)
            return
        seconds = time.monotonic() - pin.transaction_since
        state, word = "info", "open"
        if pin.is_failed:
            state, word = "bad", "failed"
        elif seconds >= TOO_LONG:
            state, word = "bad", "open too long"
        elif seconds >= LONG:
            state, word = "warn", "still open"
        text = f"{word} · {age(seconds)}"
        if self._state.text() != text:
            self._state.setText(text)
            self._state.setAccessibleName(f"Transaction {text}")
        if self._state.property("state") != state:
            self._state.setProperty("state", state)
            self._state.style().polish(self._state)
        self._state.setVisible(True)
        self._draw(state)

    def _draw(self, role: str) -> None:
        self._mark.setPixmap(icons.pixmap("pin", theme.scaled(16), role, self.devicePixelRatioF()))

    @staticmethod
    def _button(name: str, words: str, tip: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(name)
        button.setProperty("small", True)
        button.setAccessibleName(words.rstrip("…"))
        button.setToolTip(tip)
        return button
