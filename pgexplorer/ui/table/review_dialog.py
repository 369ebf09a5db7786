"""The SQL of what is pending, to be read before it is sent, and copied."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from pgexplorer.ui import theme
from pgexplorer.ui.sql.commands import POSTGRESQL
from pgexplorer.ui.widgets.code_view import CodeView


class ReviewDialog(QDialog):
    """Shows *script*, just as it is sent; `send_wanted` says that it may be."""

    send_wanted = Signal()

    def __init__(self, parent: QWidget, title: str, script: str) -> None:
        super().__init__(parent)
        self.setObjectName("review")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Review SQL")
        head = QLabel(title, textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        head.setProperty("heading", 2)
        told = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        told.setText(
            "One transaction. Each UPDATE and DELETE names the version of the row that was read (xmin): where it does "
            "not meet just one row, all of it is rolled back."
        )
        told.setProperty("muted", True)
        self.code = CodeView(language=POSTGRESQL)
        self.code.setObjectName("review.sql")
        self.code.setAccessibleName("SQL of the changes")
        self.code.set_code(script)
        send = QPushButton("Send")
        send.setObjectName("review.send")
        send.setProperty("primary", True)
        send.setAutoDefault(False)
        send.clicked.connect(self._send)
        close = QPushButton("Close")
        close.setObjectName("review.close")
        close.clicked.connect(self.reject)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(close)
        row.addWidget(send)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        for widget in (head, told):
            column.addWidget(widget)
        column.addWidget(self.code, 1)
        column.addLayout(row)
        self.resize(theme.scaled(760), theme.scaled(460))

    def _send(self) -> None:
        self.accept()
        self.send_wanted.emit()
