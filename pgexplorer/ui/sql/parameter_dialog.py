"""Asks for the values of a text's parameters."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from pgexplorer.db.parameters import Wanted
from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain


class ParameterDialog(QDialog):
    """A line for each value: its name, its type, what is put there, and whether it is NULL."""

    def __init__(self, parent: QWidget, wanted: Sequence[Wanted], before: Mapping[str, str | None]) -> None:
        super().__init__(parent)
        self.setObjectName("parameters")
        self.setWindowTitle("Values of the parameters")
        self._fields: dict[str, tuple[QLineEdit, QCheckBox]] = {}
        rows = QWidget()
        grid = QGridLayout(rows)
        grid.setColumnStretch(2, 1)
        for number, each in enumerate(wanted):
            name = QLabel(plain.one_line(each.name, 40), textFormat=Qt.TextFormat.PlainText)
            name.setProperty("mono", True)
            kind = QLabel("name" if each.is_name else each.type_name, textFormat=Qt.TextFormat.PlainText)
            kind.setProperty("muted", True)
            value, null = QLineEdit(), QCheckBox("NULL")
            value.setObjectName(f"parameters.{each.name}")
            value.setAccessibleName(f"Value of {each.name}")
            value.setProperty("mono", True)
            value.setMinimumWidth(theme.scaled(220))
            null.setObjectName(f"parameters.{each.name}.null")
            null.setAccessibleName(f"{each.name} is NULL")
            null.setVisible(not each.is_name)
            null.toggled.connect(value.setDisabled)
            name.setBuddy(value)
            known = before.get(each.name, "")
            value.setText(known or "")
            null.setChecked(known is None)
            for column, widget in enumerate((name, kind, value, null)):
                grid.addWidget(widget, number, column)
            self._fields[each.name] = value, null
        area = QScrollArea(widgetResizable=True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setWidget(rows)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setMinimumSize(rows.minimumSizeHint().width() + theme.scaled(24), min(rows.sizeHint().height() + 2, 420))
        told = QLabel("Each is sent as a value and never taken as SQL.", textFormat=Qt.TextFormat.PlainText)
        told.setProperty("muted", True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        run = buttons.button(QDialogButtonBox.StandardButton.Ok)
        run.setText("Run")
        run.setObjectName("parameters.run")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column_ = QVBoxLayout(self)
        column_.addWidget(area)
        column_.addWidget(told)
        column_.addWidget(buttons)
        first = next(iter(self._fields.values()))[0]
        first.setFocus()
        first.selectAll()

    def values(self) -> dict[str, str | None]:
        """Return what was put there, None for NULL."""
        return {name: None if null.isChecked() else value.text() for name, (value, null) in self._fields.items()}
