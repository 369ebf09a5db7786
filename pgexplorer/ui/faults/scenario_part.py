"""Scenarios to choose from, how far the one is that runs, and what was measured."""

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QProgressBar, QVBoxLayout, QWidget

from pgexplorer.lab.news import Bars, Concluded, News, Progressed, Said
from pgexplorer.lab.scenarios import SCENARIOS, Scenario
from pgexplorer.ui.actions import button
from pgexplorer.ui.faults.part_fields import heading, named, scrolled, words
from pgexplorer.ui.widgets.bar_chart import BarChart
from pgexplorer.ui.widgets.name_delegate import NameDelegate

ICON = Qt.ItemDataRole.UserRole + 1  # of a scenario in the list: a check mark once it was run
_MUTED = Qt.ItemDataRole.UserRole + 2
_STEPS = 1000  # of the progress bar


class ScenarioPart(QWidget):
    """A list beside the chosen scenario: its text, or the run's news. *actions* are the panel's, by name."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self._is_running = False
        self._row = 0  # of the one that runs
        self._lay_out(actions)

    def _lay_out(self, actions: Mapping[str, QAction]) -> None:
        self._list = QListWidget()
        named(self._list, "scenario.list", "Scenarios")
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.setItemDelegate(NameDelegate(self._list, ICON, _MUTED))
        self._list.setProperty("card", True)
        for scenario in SCENARIOS:
            item = QListWidgetItem(scenario.title)
            item.setData(ICON, "play")
            item.setData(_MUTED, scenario.line)
            item.setToolTip(scenario.text)
            self._list.addItem(item)
        self._list.currentRowChanged.connect(self._choose)
        self._list.itemActivated.connect(actions["scenario.run"].trigger)
        self._title = heading("")
        self._text = words("scenario.text", "What the scenario does", muted=True)
        self._conclusion = words("scenario.conclusion", "What was measured")
        self._conclusion.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._now = words("scenario.said", "What the scenario does now", muted=True)
        self._progress = QProgressBar(maximum=_STEPS, textVisible=False)
        named(self._progress, "scenario.progress", "How far the scenario is")
        self._progress.setProperty("thin", True)
        policy = self._progress.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # else the buttons would take its room
        self._progress.setSizePolicy(policy)
        self._chart = BarChart()
        self._chart.setObjectName("scenario.chart")
        feet = QHBoxLayout()
        feet.setSpacing(6)
        feet.addWidget(button(actions["scenario.run"], "scenario.run", style="primary"))
        feet.addWidget(button(actions["scenario.stop"], "scenario.stop", has_icon=False))
        feet.addWidget(self._progress, 1)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 6, 0)
        column.setSpacing(6)
        for widget in (self._conclusion, self._chart, self._text, self._now):
            column.addWidget(widget)
        column.addStretch(1)
        right = QVBoxLayout()
        right.setSpacing(6)
        right.addWidget(self._title)
        right.addLayout(feet)
        right.addWidget(scrolled(inside), 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(12)
        whole.addWidget(self._list, 1)
        whole.addLayout(right, 1)
        for widget in (self._conclusion, self._chart, self._now, self._progress):
            widget.hide()
        self._list.setCurrentRow(0)

    @property
    def scenario(self) -> Scenario:
        """The chosen scenario."""
        return SCENARIOS[max(0, self._list.currentRow())]

    def begin(self) -> None:
        """Show that the chosen scenario runs."""
        self._is_running, self._row = True, self._list.currentRow()
        self._show_text(running=True)

    def end(self) -> None:
        """Show that it has ended, with its conclusion or without."""
        self._progress.hide()
        self._list.setCurrentRow(self._row)  # what is shown is of the one that ran
        self._is_running = False
        if self._conclusion.isHidden():
            self._show_text(running=False)

    def hear(self, news: News) -> None:
        """Show what the scenario that runs has to say."""
        row = self._row
        match news:
            case Said(text):
                self._now.setText(text)
                self._now.show()
            case Progressed(done, text):
                self._progress.setValue(round(done * _STEPS))
                self._text.setText(text)
            case Bars(title, bars):
                self._chart.set_bars(title, list(bars))
                self._chart.show()
            case Concluded(sentence):
                self._conclusion.setText(sentence)
                self._conclusion.show()
                self._now.hide()
                self._text.setText(SCENARIOS[row].text)
                self._list.item(row).setData(ICON, "check")

    def _choose(self, _row: int) -> None:
        if not self._is_running:
            self._show_text(running=False)

    def _show_text(self, *, running: bool) -> None:
        """Show what the chosen scenario is about, and nothing of a run before."""
        self._title.setText(self.scenario.title)
        self._text.setText("" if running else self.scenario.text)
        for widget in (self._conclusion, self._chart, self._now):
            widget.hide()
        self._now.setText("")
        self._progress.setValue(0)
        self._progress.setVisible(running)
