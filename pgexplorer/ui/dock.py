"""The dock under the tables: the pool's views and the history, one at a time, folded away until one is wanted."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QStackedWidget, QTabBar, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.panel import Panel

Maker = Callable[[], Panel]
_LEAST = 150  # pixels of an unfolded view, at the usual text size


class Dock(QWidget):
    """A row of tabs with the view of the current one below. A view is made when it is first shown.

    *makers* gives the title of each view and what makes it.
    """

    folded = Signal(bool)

    def __init__(self, makers: Sequence[tuple[str, Maker]]) -> None:
        super().__init__()
        self.setObjectName("dock")
        self._makers = list(makers)
        self._panels: dict[int, Panel] = {}
        self._tabs = QTabBar()
        self._tabs.setObjectName("dock.tabs")
        self._tabs.setAccessibleName("Views of the pool, and the history")
        self._tabs.setDocumentMode(True)
        self._tabs.setDrawBase(False)
        self._tabs.setExpanding(False)
        for title, _ in self._makers:
            self._tabs.addTab(title)
        self._fold = QPushButton()
        self._fold.setObjectName("dock.fold")
        self._fold.setProperty("quiet", True)
        self._fold.setProperty("icon_only", True)
        self._fold.clicked.connect(self.toggle)
        self._views = QStackedWidget()
        self._views.setMinimumHeight(theme.scaled(_LEAST))
        self._views.hide()
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 6, 0)
        row.addWidget(self._tabs)
        row.addStretch(1)
        row.addWidget(self._fold)
        self._bar = QWidget()
        self._bar.setProperty("bar", True)
        self._bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._bar.setLayout(row)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar)
        column.addWidget(self._views, 1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        # A click on a tab always shows its view; on the tab of the view in sight it folds the dock away.
        self._tabs.tabBarClicked.connect(self._clicked)
        self._tabs.currentChanged.connect(self._changed)
        self._settle()

    @property
    def is_folded(self) -> bool:
        """Whether the tabs alone are in sight."""
        return self._views.isHidden()

    @property
    def titles(self) -> list[str]:
        """The titles of the views."""
        return [title for title, _ in self._makers]

    @property
    def current(self) -> str:
        """The title of the view that is in sight, or would be."""
        return self._makers[self._tabs.currentIndex()][0]

    @property
    def stop(self) -> QWidget:
        """Where the keyboard enters."""
        return self._tabs

    def panels(self) -> list[Panel]:
        """Return the views made so far."""
        return [self._panels[place] for place in sorted(self._panels)]

    def panel(self, title: str) -> Panel:
        """Return the view named *title*, made where it was not yet. Raises ValueError where there is none."""
        return self._panel(self.titles.index(title))

    def show_view(self, title: str) -> Panel:
        """Unfold the dock on the view named *title*, and return it. Raises ValueError where there is none."""
        place = self.titles.index(title)
        self._tabs.setCurrentIndex(place)
        self._unfold()
        return self._panels[place]

    def toggle(self) -> None:
        """Fold the dock away, or unfold it."""
        if self.is_folded:
            self._unfold()
        else:
            self.fold()

    def fold(self) -> None:
        """Leave the tabs alone in sight: a view that is hidden costs nothing."""
        self._views.hide()
        self._settle()
        self.folded.emit(True)

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._settle()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            self._views.setMinimumHeight(theme.scaled(_LEAST))
            self._settle()

    def _clicked(self, place: int) -> None:
        if place == self._tabs.currentIndex():  # not changed by this click
            self.toggle()

    def _changed(self, _place: int) -> None:
        if self.isVisible():
            self._unfold()

    def _unfold(self) -> None:
        place = self._tabs.currentIndex()
        self._views.setCurrentWidget(self._panel(place))
        was_folded = self.is_folded
        self._views.show()
        self._settle()
        if was_folded:
            self.folded.emit(False)

    def _panel(self, place: int) -> Panel:
        panel = self._panels.get(place)
        if panel is None:
            panel = self._panels[place] = self._makers[place][1]()
            self._views.addWidget(panel)
        return panel

    def _settle(self) -> None:
        """Take as much height as there is to show."""
        folded = self.is_folded
        self.setMaximumHeight(self._bar.sizeHint().height() if folded else 16_777_215)
        words = "Show the view" if folded else "Fold the view away"
        self._fold.setAccessibleName(words)
        self._fold.setToolTip(words)
        icons.wear(self._fold, "chevron-up" if folded else "chevron-down")
