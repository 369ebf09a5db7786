"""How the activity panel paints rows: icons and colours of the theme, whole texts as plain tips."""

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QHelpEvent, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
)
from typing_extensions import override

from pgexplorer.models.activity_model import ICON_ROLE, INK_ROLE, TIP_ROLE
from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import tips

_Index = QModelIndex | QPersistentModelIndex


class CellPainter(QStyledItemDelegate):
    """Paints a cell with its icon and in its colour; statements in mono."""

    def __init__(self, parent: QAbstractItemView, mono: set[int]) -> None:
        super().__init__(parent)
        self._mono = mono

    @override
    def initStyleOption(self, option: QStyleOptionViewItem, index: _Index) -> None:
        super().initStyleOption(option, index)
        ink = index.data(INK_ROLE)
        if name := index.data(ICON_ROLE):
            option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration  # type: ignore[attr-defined]
            option.icon = icons.icon(str(name), str(ink))  # type: ignore[attr-defined]
        if ink:
            option.palette.setColor(QPalette.ColorRole.Text, theme.colour(str(ink)))  # type: ignore[attr-defined]
        if index.column() in self._mono:
            option.font = theme.mono()  # type: ignore[attr-defined]

    @override
    def helpEvent(
        self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: _Index
    ) -> bool:
        return tips.show_tip(event, str(index.data(TIP_ROLE) or "")[:2_000], view)


class RowsView(QTreeView):
    """Rows under heads that can be moved and sized; as calm as the other tables."""

    def __init__(
        self, model: QAbstractItemModel, name: str, words: str, *, mono: set[int], is_tree: bool = False
    ) -> None:
        super().__init__()
        self.setModel(model)
        self.setObjectName(name)
        self.setAccessibleName(words)
        self.setProperty("card", True)
        self.setItemDelegate(CellPainter(self, mono))
        self.setRootIsDecorated(is_tree)
        self.setUniformRowHeights(True)
        self.setAllColumnsShowFocus(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setTabKeyNavigation(False)
        self.setIndentation(theme.scaled(16))
        header = self.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.setMinimumSectionSize(theme.scaled(36))

    def set_widths(self, widths: dict[int, int]) -> None:
        """Give columns their first widths, in pixels at scale 1; none is narrower than its head."""
        for column, width in widths.items():
            self.setColumnWidth(column, max(theme.scaled(width), self.header().sectionSizeHint(column)))
