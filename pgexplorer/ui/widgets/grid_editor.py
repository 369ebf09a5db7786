"""Writing in a cell: a line for text, a list for the few values that a type has."""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QComboBox, QLineEdit, QStyleOptionViewItem, QTableView, QWidget
from typing_extensions import override

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.grid_paint import CellDelegate, Look

CELL: Final = "grid.cell"  # the object name of what a cell is written in
_EDIT = Qt.ItemDataRole.EditRole
_MOST_IN_LINE = 300  # characters that are written in a line of the grid
_Index = QModelIndex | QPersistentModelIndex
Choices = Callable[[_Index], Sequence[str | None]]


def fits_in_line(text: str | None) -> bool:
    """Say whether *text* can be written in one line of a cell, without becoming another text."""
    return text is None or (len(text) <= _MOST_IN_LINE and (text.isprintable() or not text.strip(" ")))


class EditDelegate(CellDelegate):
    """Makes what a cell is written in. *choices* are all the values that a cell can have, or none where it has many."""

    def __init__(self, parent: QTableView, look: Callable[[], Look], choices: Choices) -> None:
        super().__init__(parent, look)
        self._choices = choices

    @override
    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: _Index) -> QWidget:
        head = index.model().headerData(index.column(), Qt.Orientation.Horizontal)
        name = str(head or "").partition("\n")[0]
        choices = self._choices(index)
        editor: QWidget
        if choices:
            editor = self._list(parent, choices)
        else:
            editor = QLineEdit(parent)
            editor.setFrame(False)
        editor.setObjectName(CELL)
        editor.setAccessibleName(f"Value of {name}")
        editor.setProperty("cell", True)
        editor.setFont(theme.mono())
        return editor

    def _list(self, parent: QWidget, choices: Sequence[str | None]) -> QComboBox:
        box = QComboBox(parent)
        for choice in choices:
            box.addItem("NULL" if choice is None else choice or "''", choice)

        def chosen() -> None:
            self.commitData.emit(box)
            self.closeEditor.emit(box, self.EndEditHint.NoHint)

        box.activated.connect(chosen)
        return box

    @override
    def setEditorData(self, editor: QWidget, index: _Index) -> None:
        text = index.data(_EDIT)
        if isinstance(editor, QComboBox):
            for at in range(editor.count()):
                value = editor.itemData(at)
                if value == text or (value in {"true", "false"} and text == value[0]):
                    editor.setCurrentIndex(at)
        elif isinstance(editor, QLineEdit) and not editor.isModified():
            editor.setText("" if text is None else str(text))
            if text is None:
                editor.setPlaceholderText(str(index.data(Qt.ItemDataRole.DisplayRole) or "NULL"))
            editor.selectAll()

    @override
    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: _Index) -> None:
        if isinstance(editor, QComboBox):
            model.setData(index, editor.currentData(), _EDIT)
        elif isinstance(editor, QLineEdit) and editor.isModified():
            model.setData(index, editor.text(), _EDIT)

    @override
    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: _Index) -> None:
        rect = option.rect.adjusted(0, 0, -1, -1)  # pyright: ignore
        wanted = editor.sizeHint().width() if isinstance(editor, QComboBox) else theme.scaled(120)
        rect.setWidth(max(rect.width(), wanted))
        editor.setGeometry(rect)
