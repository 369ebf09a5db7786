"""The tabs of the window: panels side by side, each with its icon and a title that any name may be."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedWidget, QTabWidget, QWidget

from pgexplorer.ui import icons, theme
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets import plain

_LONGEST = 30  # characters of a title


class TabStrip(QTabWidget):
    """Panels in tabs. What is in them, and whether they may be closed, is not its business."""

    def __init__(self, look: theme.Theme) -> None:
        super().__init__(documentMode=True, tabsClosable=True, movable=True)
        self.setObjectName("tabs")
        self.setAccessibleName("Tables and SQL")
        self.tabBar().setAccessibleName("Tables and SQL")
        look.changed.connect(self._recolour)

    @property
    def home(self) -> QWidget:
        """The widget in which panels stand: one that is made in it is not styled anew when it becomes a tab."""
        found = self.findChild(QStackedWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return self if found is None else found

    def panels(self) -> list[Panel]:
        """Return the panels, from left to right."""
        found = (self.widget(index) for index in range(self.count()))
        return [panel for panel in found if isinstance(panel, Panel)]

    def add(self, panel: Panel, title: str, icon: str) -> None:
        """Add *panel* as the last tab, and show it."""
        panel.setProperty("icon_name", icon)
        self.setCurrentIndex(self.addTab(panel, icons.icon(icon, "muted"), _shown(title)))

    def retitle(self, panel: Panel, title: str) -> None:
        """Give the tab of *panel* another title."""
        index = self.indexOf(panel)
        self.setTabText(index, _shown(title))
        self.setTabToolTip(index, plain.tool_tip(title) if len(title) > _LONGEST else "")

    def title(self, panel: Panel) -> str:
        """Return the title of the tab of *panel* as it is shown."""
        return self.tabText(self.indexOf(panel)).replace("&&", "&")

    def _recolour(self) -> None:
        for panel in self.panels():
            self.setTabIcon(self.indexOf(panel), icons.icon(str(panel.property("icon_name")), "muted"))


def _shown(title: str) -> str:
    # & would become a mnemonic, and a name may hold line breaks.
    shown = title.replace("&", "&&").replace("\n", "↵")
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
