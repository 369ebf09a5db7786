"""A condition on one column, chosen and typed."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from pgexplorer.db.table.ordering import Condition, Operator
from pgexplorer.ui import theme

_TOLD = {
    Operator.CONTAINS: "Anywhere in the text, upper and lower case alike.",
    Operator.BEGINS: "At the beginning of the text, upper and lower case alike.",
    Operator.MATCHES: "A regular expression of PostgreSQL, upper and lower case alike.",
}


class ConditionDialog(QDialog):
    """Asks for a column, how it is compared, and with what. The value is never taken as SQL."""

    def __init__(self, parent: QWidget, columns: Sequence[str], condition: Condition) -> None:
        super().__init__(parent)
        self.setObjectName("condition")
        self.setWindowTitle("Filter by a column")
        self.column = QComboBox()
        self.column.setObjectName("condition.column")
        self.column.setAccessibleName("Column")
        self.column.addItems(list(columns))
        self.column.setCurrentIndex(max(0, self.column.findText(condition.column)))
        self.operator = QComboBox()
        self.operator.setObjectName("condition.operator")
        self.operator.setAccessibleName("How it is compared")
        for each in Operator:
            self.operator.addItem(each.value, each)
        self.operator.setCurrentIndex(list(Operator).index(condition.operator))
        self.value = QLineEdit(condition.value)
        self.value.setObjectName("condition.value")
        self.value.setAccessibleName("Value")
        self.value.setProperty("mono", True)
        self.value.setMinimumWidth(theme.scaled(260))
        self._told = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._told.setProperty("muted", True)
        form = QFormLayout()
        form.addRow("Column", self.column)
        form.addRow("", self.operator)
        form.addRow("Value", self.value)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.StandardButton.Ok).setObjectName("condition.ok")
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self._told)
        column.addWidget(buttons)
        self.operator.currentIndexChanged.connect(self._follow)
        self._follow()
        self.value.setFocus()
        self.value.selectAll()

    def condition(self) -> Condition:
        """Return what was chosen."""
        operator = self._operator()
        return Condition(self.column.currentText(), operator, self.value.text() if operator.takes_value else "")

    def _operator(self) -> Operator:
        return Operator(self.operator.currentText())

    def _follow(self) -> None:
        operator = self._operator()
        self.value.setEnabled(operator.takes_value)
        told = _TOLD.get(operator, "The value is read as one of the column's type." if operator.takes_value else "")
        self._told.setText(told or "No value is needed.")
