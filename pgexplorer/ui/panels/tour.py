"""The tour panel: the tutorial step by step on the pool in use, each step done by a click and explained."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QScrollArea, QVBoxLayout, QWidget

from pgexplorer.jobs import Job, Jobs
from pgexplorer.pool.errors import holders
from pgexplorer.server import PoolBench, Server
from pgexplorer.tour.narrate import MAXCONN, MINCONN
from pgexplorer.tour.news import Bars, News, Ran, Refused, Rows, Said
from pgexplorer.tour.steps import STEPS, Step
from pgexplorer.ui import theme
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.panel import Panel, show_failure
from pgexplorer.ui.widgets.bar_chart import BarChart
from pgexplorer.ui.widgets.story_view import StoryView
from pgexplorer.units import duration


class TourPanel(Panel):
    """One step at a time: what it teaches, and after the click what happened. The pool panel shows its effect."""

    TITLE = "Tour"
    ICON = "book"
    outcome_arrived = Signal(object)  # Outcome, for the pool panel
    closed = Signal()
    step_done = Signal(int)  # 0-based

    def __init__(self, server: Server, jobs: Jobs) -> None:
        super().__init__("tour")
        self._server = server
        self._jobs = jobs
        self._job: Job | None = None
        self._step = 0  # the step that the next click does
        self._may_end = False  # the person has seen what the step ends
        self.add_actions(
            [
                Action("tour.next", "Begin", self.next, "Ctrl+Shift+N", "play", "Do the step"),
                Action("tour.back", "Back", self.back, "", "arrow-left", "Go back one step"),
                Action("tour.again", "Start again", self.restart, "", "reopen", "Go back to the first step"),
                Action("tour.close", "Close the tour", self.closed.emit, "", "close"),
            ]
        )
        self._number = QLabel()
        self._number.setProperty("muted", True)
        self._title = QLabel(wordWrap=True)
        self._title.setProperty("heading", 1)
        self._title.setObjectName("tour.title")
        self._text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._text.setObjectName("tour.text")
        self._text.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._progress = QProgressBar(maximum=len(STEPS), textVisible=False)
        self._progress.setProperty("thin", True)
        self._progress.setAccessibleName("Steps done")
        self.story = StoryView()
        self.story.setObjectName("tour.story")
        self.story.setAccessibleName("What the step did")
        self.chart = BarChart()
        self.chart.setObjectName("tour.chart")
        self.chart.hide()
        self._lay_out()
        server.closed.connect(self._stopped)
        self._describe()
        self.hide()

    def _lay_out(self) -> None:
        words = QWidget()
        column = QVBoxLayout(words)
        column.setContentsMargins(0, 0, 8, 0)
        column.setSpacing(6)
        column.addWidget(self._title)
        column.addWidget(self._text)
        column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(words)
        scroll.setMinimumWidth(theme.scaled(190))  # its longest words, a scroll bar beside them
        scroll.setObjectName("tour.words")
        scroll.setAccessibleName("What the step teaches")
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self._number)
        head.addWidget(self._progress, 1)
        head.addWidget(button(self.action("tour.close"), "tour.close", style="icon_only quiet small", text=""))
        feet = QHBoxLayout()
        feet.setSpacing(6)
        self.next_button = button(self.action("tour.next"), "tour.next", style="primary")
        feet.addWidget(self.next_button)
        feet.addWidget(button(self.action("tour.back"), "tour.back", style="quiet"))
        self._again = button(self.action("tour.again"), "tour.again", style="quiet")
        feet.addWidget(self._again)
        feet.addStretch(1)
        # What happened is what the step is for: it has the larger share, and the buttons take no width from it.
        self._happened = QWidget()
        right = QVBoxLayout(self._happened)
        right.setContentsMargins(0, 0, 0, 0)
        right.setSpacing(8)
        right.addWidget(self.story, 1)
        right.addWidget(self.chart)
        middle = QHBoxLayout()
        middle.setSpacing(12)
        middle.addWidget(scroll, 2)
        middle.addWidget(self._happened, 5)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(14, 8, 14, 10)
        whole.setSpacing(8)
        whole.addLayout(head)
        whole.addWidget(self.message)
        whole.addLayout(middle, 1)
        whole.addLayout(feet)
        self.story.setMinimumHeight(theme.scaled(48))
        self.story.textChanged.connect(self._show_story)
        self._show_story()
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setMinimumHeight(theme.scaled(200))

    def _show_story(self) -> None:
        """Leave all of the width to what a step teaches as long as nothing has happened."""
        self._happened.setVisible(bool(self.story.text()))

    def begin(self) -> None:
        """Offer the tour; where it was begun before, it goes on."""
        self._describe()
        self.next_button.setFocus()

    def next(self) -> None:
        """Do the step that is due."""
        if self._job is not None:
            return
        if self._step >= len(STEPS):
            self.restart()
            return
        if self._server.in_use is None:
            self.message.show_message("info", "Not connected", "", "Connect first; the tour goes on where it is.")
            return
        step, number = STEPS[self._step], self._step
        if (ends := self._would_end(step)) and not self._may_end:
            self.message.show_message(
                "warning",
                "This step opens another pool",
                f"What is out of the present one ends: {ends}.",
                actions=[("Go on", self._go_on)],
            )
            return
        self._may_end = False
        bench = PoolBench(self._server)
        seen = self._server.in_use
        self.message.clear()
        self.chart.hide()
        self.story.clear()
        self._show_step(number)
        self._set_busy(True)

        def heard(news: News) -> None:
            see()
            self._hear(news)

        def see() -> None:
            nonlocal seen
            if self._server.in_use is not seen and self._server.in_use is not None:
                seen = self._server.in_use
                self._server.swapped.emit()

        def ended() -> None:
            see()
            self._job = None
            self._set_busy(False)
            self._describe(done=number)
            self.step_done.emit(number)

        def failed(error: Exception) -> None:
            show_failure(self.message, error, self._server)

        self._step += 1
        self._job = self._jobs.start(
            lambda: step.act(bench), name=f"tour: {step.title}", yielded=heard, failed=failed, ended=ended
        )

    def _would_end(self, step: Step) -> str:
        """Say what a step would end because it opens another pool; "" where it ends nothing."""
        if self._server.in_use is None:
            return ""
        pool = self._server.in_use.pool
        fits = (pool.kind, pool.minconn, pool.maxconn) == (step.kind, MINCONN, MAXCONN) and not pool.stats(
            patient=False
        ).is_closed
        return "" if fits and step is not STEPS[0] else holders(pool.slots(patient=False))

    def _go_on(self) -> None:
        self._may_end = True
        self.next()

    def back(self) -> None:
        """Make the step before the one last done the next."""
        if self._job is None:
            self._step = max(0, self._step - 1)
            self._describe()

    def restart(self) -> None:
        """Begin again."""
        if self._job is None:
            self._step = 0
            self.story.clear()
            self.chart.hide()
            self.message.clear()
            self._describe()

    def _show_step(self, number: int) -> None:
        self._number.setText(f"Step {number + 1} of {len(STEPS)}")
        self._title.setText(STEPS[number].title)
        self._text.setText(STEPS[number].text)

    def _describe(self, done: int | None = None) -> None:
        """Describe the step just done, or the one that is due, and name the button after what it does."""
        due = self._step
        self._progress.setValue(due)
        self._show_step(done if done is not None else min(due, len(STEPS) - 1))
        text = f"{'Next: ' if done is not None else ''}{STEPS[due].title}" if due < len(STEPS) else "Start again"
        self.action("tour.next").setText(text)
        self.next_button.setText(text)
        self.next_button.setAccessibleName(text)
        self.action("tour.back").setEnabled(due > 0)
        self.action("tour.again").setEnabled(0 < due < len(STEPS))
        self._again.setVisible(due < len(STEPS))  # at the end the large button does it

    def _set_busy(self, busy: bool) -> None:
        for name in ("tour.next", "tour.back", "tour.again"):
            self.action(name).setEnabled(not busy)
        if busy:
            self.next_button.setText("Working…")

    def _stopped(self) -> None:
        self.message.clear()

    def _hear(self, news: News) -> None:
        match news:
            case Said():
                self._tell(news.text)
            case Ran():
                took = f"   # {duration(news.took)}" if news.took else ""
                if news.outcome.action:
                    self._tell(f">>> {news.outcome.action}{took}")
                self._tell(news.outcome.said)
                self.outcome_arrived.emit(news.outcome)
            case Rows():
                self.story.tell(_table(news), table=True)
            case Refused():
                if news.outcome is not None:
                    self._tell(f">>> {news.outcome.action}   # {duration(news.took)}")
                    self.outcome_arrived.emit(news.outcome)
                self._tell(f"{news.explanation.title}\n{news.explanation.why}")
                if not news.meant:
                    self.message.show_message(
                        "warning", news.explanation.title, news.explanation.why, news.explanation.do
                    )
            case Bars():
                self._tell("\n".join(f"{label}: {text}" for label, _, text in news.bars))
                self.chart.set_bars(news.title, list(news.bars))
                self.chart.show()

    def _tell(self, text: str) -> None:
        self.story.tell(text)


def _table(rows: Rows) -> str:
    cells = [rows.columns, *(tuple("NULL" if cell is None else cell for cell in row) for row in rows.rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(rows.columns))]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return "\n".join([rows.title, *lines] if rows.title else lines)
