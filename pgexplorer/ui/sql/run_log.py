"""What the server said beside the results: each statement with its time, notices, and notifications; bounded."""

import time
from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPlainTextEdit, QTabWidget

from pgexplorer.db.session import Notification
from pgexplorer.ui.widgets import plain

_MOST_LINES = 5_000
_LONGEST = 2_000  # characters of a line


class RunLog(QTabWidget):
    """Two pages of lines, the newest last; the oldest go where there are too many."""

    changed = Signal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(f"{name}.log")
        self.setDocumentMode(True)
        self.setAccessibleName("Messages and notifications")
        self.messages = self._page(f"{name}.messages", "Messages of the server")
        self.notifications = self._page(f"{name}.notifications", "Notifications")
        self.addTab(self.messages, "Messages")
        self.addTab(self.notifications, "Notifications")
        self.notices = 0  # since the last run began
        self.heard = 0  # notifications

    def begin(self) -> None:
        """Begin a run."""
        self.notices = 0
        self.changed.emit()

    def say(self, words: str) -> None:
        """Write a line of what came of a statement."""
        self._write(self.messages, [f"{time.strftime('%H:%M:%S')}  {words}"])

    def notice(self, lines: Sequence[str], dropped: int) -> None:
        """Write what the server raised."""
        earlier = [f"          … {dropped:,} earlier notices were not kept"] if dropped else []
        self._write(self.messages, [*earlier, *(f"          {line}" for each in lines for line in each.splitlines())])
        self.notices += len(lines) + dropped
        self.changed.emit()

    def notify(self, found: Sequence[Notification], dropped: int) -> None:
        """Write what others sent by NOTIFY."""
        lines = [f"… {dropped:,} earlier notifications were not kept"] if dropped else []
        for each in found:
            at = time.strftime("%H:%M:%S", time.localtime(each.at))
            payload = f": {each.payload}" if each.payload else ""
            lines.append(f"{at}  {each.channel} (pid {each.pid}){payload}")
        self._write(self.notifications, lines)
        self.heard += len(found) + dropped
        self.setTabText(1, f"Notifications ({self.heard:,})")
        self.changed.emit()

    @staticmethod
    def _write(page: QPlainTextEdit, lines: Sequence[str]) -> None:
        text = "\n".join(plain.one_line(line, _LONGEST) if line.strip() else line for line in lines[-_MOST_LINES:])
        if text:
            page.appendPlainText(text)

    @staticmethod
    def _page(name: str, words: str) -> QPlainTextEdit:
        page = QPlainTextEdit(readOnly=True)
        page.setObjectName(name)
        page.setAccessibleName(words)
        page.setProperty("mono", True)
        page.setProperty("flat", True)
        page.setUndoRedoEnabled(False)
        page.setMaximumBlockCount(_MOST_LINES)
        page.setPlaceholderText("Nothing was said yet.")
        return page
