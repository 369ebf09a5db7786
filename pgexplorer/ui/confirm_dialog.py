"""Asks before something is done to a production server: what it is, and its database's name, typed."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from pgexplorer.db.profile import Environment
from pgexplorer.server import Server
from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain

_MOST_LINES = 200


class ConfirmDialog(QDialog):
    """Can be accepted only when *wanted* stands in its field."""

    def __init__(self, parent: QWidget, where: str, lines: Sequence[str], wanted: str) -> None:
        super().__init__(parent)
        self.setObjectName("confirm")
        self.setWindowTitle("This is production")
        title = _label(f"This changes production: {plain.one_line(where, 80)}")
        title.setProperty("heading", 1)
        what = QPlainTextEdit(readOnly=True)
        what.setObjectName("confirm.what")
        what.setAccessibleName("What would be done")
        what.setProperty("mono", True)
        what.setPlainText("\n".join([*lines[:_MOST_LINES], *(["…"] if len(lines) > _MOST_LINES else [])]))
        what.setMinimumWidth(theme.scaled(480))
        what.setFixedHeight((min(8, len(lines)) + 1) * what.fontMetrics().lineSpacing() + theme.scaled(14))
        self.field = QLineEdit()
        self.field.setObjectName("confirm.name")
        self.field.setAccessibleName("Name of the database")
        self.field.setProperty("mono", True)
        ask = _label(f"Type the name of the database to go on:  {wanted}")
        told = _label("This protects from slips, not from malice: a function that a SELECT calls is not seen.")
        told.setProperty("muted", True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.go = buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.go.setObjectName("confirm.go")
        self.go.setText("Do it")
        self.go.setProperty("danger", True)
        self.go.setEnabled(False)

        def typed(text: str) -> None:
            self.go.setEnabled(text.strip() == wanted)

        self.field.textChanged.connect(typed)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        for widget in (title, what, ask, self.field, told, buttons):
            column.addWidget(widget)
        self.field.setFocus()


def confirm_on_production(parent: QWidget, server: Server, lines: Sequence[str], then: Callable[[], object]) -> None:
    """Call *then* at once, or on production when the person has typed the database's name. Returns at once."""
    in_use = server.in_use
    if in_use is None or in_use.profile.environment is not Environment.PRODUCTION or not lines:
        then()
        return
    profile = in_use.profile
    dialog = ConfirmDialog(parent, profile.title, lines, profile.dbname or profile.user or profile.title)

    def done(code: int) -> None:
        dialog.deleteLater()
        if code == QDialog.DialogCode.Accepted and server.in_use is in_use:
            then()

    dialog.finished.connect(done)
    dialog.open()


def _label(text: str) -> QLabel:
    return QLabel(text, textFormat=Qt.TextFormat.PlainText, wordWrap=True)
