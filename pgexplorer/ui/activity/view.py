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

_MOST_WIDTH = 280  # pixels at scale 1 that a column takes by itself
_AIR = 10  # the same, beside a text
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
        self._sized: set[int] = set()  # columns, by a person
        self._is_fitting = False
        header = self.header()
        header.setResizeContentsPrecision(0)  # rows in sight tell how wide a column is
        header.sectionResized.connect(self._resized)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        header.setMinimumSectionSize(theme.scaled(36))

    def fit(self, *, anew: bool = False) -> None:
        """Give every column the width that its head and its texts want, within limits, except those a person has sized.

        Columns grow only, unless they are fitted *anew*: rows that change every second would have them dance.
        """
        header = self.header()
        if anew:
            self._sized.clear()
        self._is_fitting = True
        for column in set(range(header.count())) - self._sized:
            wanted = max(self.sizeHintForColumn(column) + theme.scaled(_AIR), header.sectionSizeHint(column))
            wanted = min(wanted, theme.scaled(_MOST_WIDTH))
            if anew or wanted > self.columnWidth(column):
                self.setColumnWidth(column, wanted)
        self._is_fitting = False

    def _resized(self, column: int, before: int, now: int) -> None:
        is_last = column == self.header().count() - 1  # it is sized by the room there is
        if before and now and not self._is_fitting and not is_last:
            self._sized.add(column)
