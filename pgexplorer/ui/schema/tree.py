"""The tree of a schema that keeps its place: what is open, what is chosen and what is at its top, whatever comes."""

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QAbstractItemView, QStyleOptionViewItem, QToolTip, QTreeView, QWidget
from typing_extensions import override

from pgexplorer.models.schema_model import ICON_ROLE, KEY_ROLE, MUTED_ROLE, SchemaModel
from pgexplorer.models.schema_nodes import Key
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.name_delegate import NameDelegate

_Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody is in a tree, by the keys of its lines."""

    opened: frozenset[Key]
    current: tuple[Key, ...]  # what is chosen, then what could take its place: those behind, before and above it
    in_sight: tuple[Key, ...]  # from the top
    sideways: int


class SchemaDelegate(NameDelegate):
    """Paints the lines of the schema, and shows their tool tips letter by letter."""

    def __init__(self, view: QAbstractItemView) -> None:
        super().__init__(view, ICON_ROLE, MUTED_ROLE)

    @override
    def initStyleOption(self, option: QStyleOptionViewItem, index: _Index) -> None:
        """Take the state of the line as the view has set it: its fonts and colours are not the model's to say.

        Qt would ask the model for seven of them, for each line that is painted.
        """
        option.index = index  # type: ignore[attr-defined]

    @override
    def helpEvent(
        self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: _Index
    ) -> bool:
        words = self.tip(index)
        rect: QRect = option.rect  # type: ignore[attr-defined]
        QToolTip.showText(event.globalPos(), words, view.viewport(), rect)
        return bool(words)

    def tip(self, index: _Index) -> str:
        """Return what the tool tip of a line shows, so that nothing in it is taken for a mark of rich text."""
        return plain.tool_tip(str(index.data(Qt.ItemDataRole.ToolTipRole) or ""))


class SchemaTree(QTreeView):
    """Shows a SchemaModel; `show_tree` changes what it shows and nothing else."""

    def __init__(self, model: SchemaModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shown = model
        self._opened: set[Key] = set()
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setModel(model)
        self.setItemDelegate(SchemaDelegate(self))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setExpandsOnDoubleClick(False)
        self.setAnimated(False)
        self.setProperty("narrow", True)  # it is deep, and lies beside what one works with
        self.expanded.connect(self._was_expanded)
        self.collapsed.connect(self._was_collapsed)

    def place(self) -> Place:
        """Return where one is."""
        in_sight: list[Key] = []
        index = self.indexAt(self.viewport().rect().topLeft())
        height = max(1, self.sizeHintForRow(0))
        for _ in range(self.viewport().height() // height + 1):
            if not index.isValid():
                break
            in_sight.append(index.data(KEY_ROLE))
            index = self.indexBelow(index)
        return Place(
            frozenset(self._opened),
            self._instead(self.currentIndex()),
            tuple(in_sight),
            self.horizontalScrollBar().value(),
        )

    def restore(self, place: Place) -> None:
        """Go back to *place* as far as it is still there."""
        self._opened &= place.opened
        for key in place.opened:
            index = self._shown.index_of(key)
            if index.isValid():
                self.expand(index)
        chosen = next((index for index in map(self._shown.index_of, place.current) if index.isValid()), None)
        if chosen is not None:
            self.setCurrentIndex(chosen)
        for row, key in enumerate(place.in_sight):
            index = self._shown.index_of(key)
            if index.isValid():
                # Lines above it that are gone leave it where it was on the screen.
                self.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtTop)
                bar = self.verticalScrollBar()
                bar.setValue(bar.value() - row * self._step())
                break
        self.horizontalScrollBar().setValue(place.sideways)

    def open_to(self, index: QModelIndex) -> None:
        """Choose *index*, open everything above it, and bring it into sight."""
        above = index.parent()
        while above.isValid():
            self.expand(above)
            above = above.parent()
        self.setCurrentIndex(index)
        self.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def has_place(self) -> bool:
        """Whether anything was opened or chosen yet."""
        return bool(self._opened) or self.currentIndex().isValid()

    def forget_place(self) -> None:
        """Begin anew: another database is shown."""
        self._opened.clear()

    def _step(self) -> int:
        per_item = self.verticalScrollMode() is QAbstractItemView.ScrollMode.ScrollPerItem
        return 1 if per_item else self.sizeHintForRow(0)

    def _instead(self, index: QModelIndex) -> tuple[Key, ...]:
        if not index.isValid():
            return ()
        keys = [index.data(KEY_ROLE)]
        for row in (index.row() + 1, index.row() - 1):
            beside = index.siblingAtRow(row)
            if beside.isValid():
                keys.append(beside.data(KEY_ROLE))
        above = index.parent()
        while above.isValid():
            keys.append(above.data(KEY_ROLE))
            above = above.parent()
        return tuple(keys)

    def _was_expanded(self, index: _Index) -> None:
        self._opened.add(index.data(KEY_ROLE))

    def _was_collapsed(self, index: _Index) -> None:
        self._opened.discard(index.data(KEY_ROLE))
