"""The keyboard sheet: every action of the program with its keys, made from the action rows, searched as one types."""

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt
from PySide6.QtGui import QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.actions import Listed

_HEADS = ("Action", "Keys", "Where")


class KeysSheet(QDialog):
    """A field over a table; those with keys first."""

    def __init__(self, parent: QWidget, rows: Sequence[Listed]) -> None:
        super().__init__(parent)
        self.setObjectName("window.keys_sheet")
        self.setWindowTitle("Keyboard shortcuts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        items = QStandardItemModel(0, len(_HEADS), self)
        items.setHorizontalHeaderLabels(list(_HEADS))
        for row in sorted(rows, key=lambda row: not row.keys):  # stable: the panels stay in their order
            items.appendRow([QStandardItem(text) for text in (row.text, row.keys, row.where)])
            items.item(items.rowCount() - 1, 1).setFont(theme.mono())
        self._found = _Found(self)
        self._found.setSourceModel(items)
        self.search = QLineEdit(placeholderText="Search actions and keys…", clearButtonEnabled=True)
        self.search.setObjectName("keys.search")
        self.search.setAccessibleName("Search actions and keys")
        glass = self.search.addAction(icons.icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        icons.wear(glass, "search", "muted")
        self.list = QTableView()
        self.list.setObjectName("keys.list")
        self.list.setAccessibleName("Actions and their keys")
        self.list.setProperty("card", True)
        self.list.setModel(self._found)
        self.list.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.list.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.list.setShowGrid(False)
        self.list.setTabKeyNavigation(False)
        self.list.verticalHeader().hide()
        self.list.verticalHeader().setDefaultSectionSize(theme.scaled(25))
        header = self.list.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.ResizeToContents)
        self._said = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._said.setObjectName("keys.said")
        self._said.setProperty("muted", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 14, 14, 12)
        column.setSpacing(8)
        column.addWidget(self.search)
        column.addWidget(self.list, 1)
        column.addWidget(self._said)
        self.search.textChanged.connect(self._narrow)
        self._narrow("")
        window = parent.window()
        self.resize(
            min(theme.scaled(720), window.width() - theme.scaled(60)),
            min(theme.scaled(640), window.height() - theme.scaled(60)),
        )

    def rows(self) -> list[tuple[str, str, str]]:
        """Return what is listed: actions, their keys, what they belong to."""
        model = self._found
        return [
            (str(model.index(row, 0).data()), str(model.index(row, 1).data()), str(model.index(row, 2).data()))
            for row in range(model.rowCount())
        ]

    def _narrow(self, text: str) -> None:
        self._found.look_for(text)
        count = self._found.rowCount()
        words = f"{count:,} action{'' if count == 1 else 's'}; Ctrl+K runs each of them by its name."
        self._said.setText(words if count else "No action is called like that, and none has these keys.")


def keys_page(rows: Sequence[Listed]) -> str:
    """Return *rows* as a page of Markdown: what has keys, a table for each place, in their order."""
    lines = ["# The keys", "", "Made from the rows that define them, as Ctrl+/ shows them in the window."]
    for where in dict.fromkeys(row.where for row in rows if row.keys):
        lines += ["", f"## {where}", "", "| keys | what they do |", "|---|---|"]
        lines += [
            f"| {row.keys.replace('|', chr(92) + '|')} | {row.text} |"
            for row in rows
            if row.keys and row.where == where
        ]
    return "\n".join(lines) + "\n"


class _Found(QSortFilterProxyModel):
    """The rows in which every word stands."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._words: list[str] = []

    def look_for(self, text: str) -> None:
        self._words = text.casefold().split()
        self.invalidate()

    @override
    def filterAcceptsRow(self, source_row: int, source_parent: QModelIndex | QPersistentModelIndex) -> bool:
        model = self.sourceModel()
        whole = " ".join(str(model.index(source_row, column).data()) for column in range(len(_HEADS))).casefold()
        return all(word in whole for word in self._words)
