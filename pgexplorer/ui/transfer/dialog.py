"""What the windows for export and import share: work under way, its progress, an end, and what came of it."""

from collections.abc import Iterable
from typing import Any

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.errors import ServerError
from pgexplorer.db.transfer.export import (
    Finished,
    News,
    Progress,
    Stopped,
    TransferFailed,
)
from pgexplorer.db.values import human_bytes
from pgexplorer.jobs import Job, Jobs
from pgexplorer.server import Server
from pgexplorer.ui import icons, theme
from pgexplorer.ui.ask import ask
from pgexplorer.ui.panel import show_failure
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.message_bar import MessageBar
from pgexplorer.units import duration

_STEPS = 1000
DELIMITERS = {",": "comma  ,", ";": "semicolon  ;", "\t": "tab", "|": "bar  |"}


class TransferDialog(QDialog):
    """What both windows share: a job with its progress, a way to stop it, and a line that tells the result."""

    def __init__(self, parent: QWidget, server: Server, jobs: Jobs, name: str) -> None:
        super().__init__(parent.window())  # it outlives the tab that it was opened from
        self.setObjectName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._server = server
        self._jobs = jobs
        self._name = name
        self._work: Any = None
        self._job: Job | None = None
        self._closing = False
        self.message = MessageBar(self)
        self.message.setObjectName(f"{name}.message")
        self.bar = QProgressBar(textVisible=False, maximum=_STEPS)
        self.bar.setObjectName(f"{name}.progress")
        self.bar.setProperty("thin", True)
        self.bar.setAccessibleName("Progress")
        self.said = ElidedLabel()
        self.said.setObjectName(f"{name}.said")
        self.said.setProperty("muted", True)
        self.path: QLineEdit = self._named(QLineEdit(), "path", "File")
        self.go = self._button("go", "", "primary")
        self.halt = self._button("stop", "Stop", "")
        icons.wear(self.halt, "stop")
        self.away = self._button("close", "Close", "")
        self.go.clicked.connect(self.start)
        self.halt.clicked.connect(self.stop)
        self.away.clicked.connect(self.reject)
        self.go.setDefault(True)
        self.halt.hide()
        self.bar.hide()

    def _path_row(self) -> QHBoxLayout:
        """Return the row of the file: its path, to be typed or chosen."""
        browse = self._button("browse", "Choose…", "")
        browse.clicked.connect(self._choose)
        icons.wear(browse, "folder-open")
        row = QHBoxLayout()
        row.setSpacing(theme.scaled(8))
        row.addWidget(self.path, 1)
        row.addWidget(browse)
        return row

    def _choose(self) -> None:
        """Have a file chosen."""
        raise NotImplementedError

    @property
    def is_running(self) -> bool:
        """Whether the work is under way."""
        return self._job is not None

    def start(self) -> None:
        """Begin the work."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the work; what was there before stays."""
        if self._work is None:
            return
        self.halt.setEnabled(False)
        self._jobs.start(self._work.stop, name=f"stop the {self._name}", yielded=self.said.setText)

    @override
    def reject(self) -> None:
        # Escape, the button and the window's own way to close all come here, the last through closeEvent.
        if not self.is_running:
            super().reject()
        elif not self._closing and ask(self, f"Stop the {self._name}?", self._left_as_it_was()):
            if not self.is_running:  # it ended while the question stood there
                super().reject()
                return
            self._closing = True
            self.stop()

    @override
    def closeEvent(self, arg__1: QCloseEvent) -> None:
        if self.is_running:
            arg__1.ignore()
            self.reject()
        else:
            super().closeEvent(arg__1)

    def _left_as_it_was(self) -> str:
        raise NotImplementedError

    def _run(self, work: Any) -> None:
        self._work = work
        self.message.clear()
        self.said.setText("Starting…")
        self.bar.setRange(0, 0)
        self._show_running(True)
        self._job = self._jobs.start(
            work.run, name=self._name, yielded=self._hear, failed=self._failed, ended=self._ended
        )

    def _hear(self, news: News) -> None:
        if isinstance(news, Progress):
            self._show_progress(news)
        elif isinstance(news, Stopped):
            self.said.setText("")
            self.message.show_message("info", f"Stopped after {news.rows:,} rows.", "", self._left_as_it_was())
        else:
            self.said.setText("")
            self._show_finished(news)

    def _show_progress(self, news: Progress) -> None:
        parts = [f"{news.rows:,} rows", human_bytes(news.bytes), f"{news.rate:,.0f} rows/s"]
        if news.finishing:
            parts.append("writing the file…")
        elif news.left is not None and news.seconds > 1:
            parts.append(f"about {duration(news.left)} left")
        self.bar.setRange(0, _STEPS if news.share is not None and not news.finishing else 0)
        if news.share is not None:
            self.bar.setValue(int(news.share * _STEPS))
        if self.halt.isEnabled():
            self.said.setText(" · ".join(parts))

    def _show_finished(self, news: Finished) -> None:
        raise NotImplementedError

    def _failed(self, error: Exception) -> None:
        self.said.setText("")
        if isinstance(error, TransferFailed):
            words: ServerError = error.error
            self.message.show_message("error", words.heading, words.detail, words.hint)
        else:
            show_failure(self.message, error, self._server, self.start)

    def _ended(self) -> None:
        self._job = None
        self._work = None
        self._show_running(False)
        if self._closing:
            self.reject()

    def _show_running(self, running: bool) -> None:
        self.bar.setVisible(running)
        self.go.setVisible(not running)
        self.halt.setVisible(running)
        self.halt.setEnabled(running)
        self.form.setEnabled(not running)
        (self.halt if running else self.away).setFocus()

    form: QWidget

    def _button(self, name: str, text: str, style: str) -> QPushButton:
        made = QPushButton(text)
        made.setObjectName(f"{self._name}.{name}")
        made.setAccessibleName(text)
        made.setAutoDefault(False)
        if style:
            made.setProperty(style, True)
        return made

    def _named(self, widget: Any, name: str, words: str) -> Any:
        widget.setObjectName(f"{self._name}.{name}")
        widget.setAccessibleName(words)
        return widget

    def _combo(self, name: str, words: str, choices: Iterable[tuple[str, Any]]) -> QComboBox:
        combo: QComboBox = self._named(QComboBox(), name, words)
        for text, value in choices:
            combo.addItem(text, value)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(6)
        return combo

    @staticmethod
    def _can_be_typed(combo: QComboBox) -> None:
        combo.setEditable(True)
        combo.setMinimumContentsLength(11)
        # A text that is set would be shown by its end.
        edit = combo.lineEdit()
        if edit is not None:
            combo.currentIndexChanged.connect(lambda: QTimer.singleShot(0, edit, lambda: edit.setCursorPosition(0)))

    def _under(
        self, grid: QGridLayout, words: str, widget: QWidget | QLayout, row: int, column: int, span: int = 1
    ) -> QWidget:
        cell = cell_of(words, widget)
        grid.addWidget(cell, row, column, 1, span)
        return cell

    def _foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.scaled(8))
        row.addWidget(self.said, 1)
        for each in (self.halt, self.go, self.away):
            row.addWidget(each)
        return row


def cell_of(words: str, widget: QWidget | QLayout) -> QWidget:
    """Return a field with its words above it."""
    cell = QWidget()
    box = QVBoxLayout(cell)
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(theme.scaled(4))
    label = QLabel(words)
    label.setProperty("muted", True)
    box.addWidget(label)
    if isinstance(widget, QWidget):
        label.setBuddy(widget)
        box.addWidget(widget)
    else:
        box.addLayout(widget)
    return cell


def repolish(widget: QWidget) -> None:
    """Let the style sheet look again at the properties of *widget*."""
    widget.style().unpolish(widget)
    widget.style().polish(widget)
