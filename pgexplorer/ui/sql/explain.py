"""What the SQL panel does to explain a statement: asks before something is run that writes, and shows the plan."""

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QPushButton

from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.plans.effects import writes
from pgexplorer.db.plans.explain import STAYS, Explain, Explained, Options, WouldWrite, only_statement
from pgexplorer.db.session import Session
from pgexplorer.jobs import Jobs
from pgexplorer.server import Server
from pgexplorer.ui import icons
from pgexplorer.ui.ask import ask
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.sql.plan_view import PlanView
from pgexplorer.ui.widgets import plain


class Explainer(QObject):
    """The part of a SQL panel that knows plans. *again* runs the same text anew, by options."""

    told = Signal(str, str, str)  # kind, title, detail

    def __init__(self, panel: Panel, server: Server, jobs: Jobs, again: Callable[[Options], None]) -> None:
        super().__init__(panel)
        self._panel = panel
        self._server = server
        self._jobs = jobs
        self._again = again
        self._refused: tuple[str, Options] | None = None  # what the server said to a function that would have written
        self._verbose = self._switch("query.explain_verbose", "With what each node puts out (VERBOSE)")
        self._untimed = self._switch("query.explain_untimed", "Analyze without timing each node")

    def options(self, *, analyze: bool) -> Options:
        """Return how the next plan is wanted."""
        return Options(analyze=analyze, verbose=self._verbose.isChecked(), timing=not self._untimed.isChecked())

    def button(self) -> QPushButton:
        """Return the button whose menu has the panel's actions that explain, and how they do it."""
        menu = QMenu(self._panel)
        menu.addActions([self._panel.action("query.explain"), self._panel.action("query.explain_analyze")])
        menu.addSeparator()
        menu.addActions([self._verbose, self._untimed])
        result = QPushButton()
        result.setObjectName("query.explain_button")
        result.setAccessibleName("Explain")
        result.setToolTip("The plan of the statement: estimated (F7), or measured (Shift+F7)")
        result.setProperty("icon_only", True)
        icons.wear(result, "explain")
        result.setMenu(menu)
        return result

    def explain(self, session: Session, text: str, offset: int, holder: str, options: Options) -> Explain | None:
        """Return what explains *text*, not yet run; None where the person does not agree to what it writes."""
        self._refused = None
        if options.analyze and not options.may_write and (words := _writes(text)):
            is_open = session.pin is not None and session.pin.is_open
            undone = "It is undone up to here; the open transaction goes on." if is_open else ""
            question = f"This statement writes: {words}.\n\nIt is run to be measured. {STAYS} {undone}".rstrip()
            if not ask(self._panel, "Run the statement, and roll it back?", question):
                return None
            options = agreed(options)
        return Explain(session, text, holder, options, side=self._server.side(), offset=offset)

    def shown(self, news: Explained) -> PlanView:
        """Return the view of a plan."""
        view = PlanView(news.plan, self._jobs, news.findings)
        view.told.connect(self.told)
        return view

    def refused(self, news: WouldWrite, options: Options) -> None:
        """Take notice that a function would have written, which is asked about when the run has ended."""
        self._refused = news.words, options

    def ended(self) -> None:
        """Take notice that a run has ended, and its connection is back."""
        if self._refused is not None:
            QTimer.singleShot(0, self, self._ask_again)

    def _ask_again(self) -> None:
        refused, self._refused = self._refused, None
        if refused is None:
            return
        words, options = refused
        question = (
            f"A function of the statement writes: the server refused it in the read-only transaction in which it was "
            f"analyzed (“{plain.one_line(words)}”). Nothing was changed.\n\n{STAYS}"
        )
        if ask(self._panel, "Run the statement all the same, and roll it back?", question):
            self._again(agreed(options))

    def _switch(self, name: str, words: str) -> QAction:
        action = QAction(words, self._panel, checkable=True)
        action.setObjectName(f"action.{name}")
        self._panel.actions_by_name[name] = action
        return action


def agreed(options: Options) -> Options:
    """Return *options* for a statement of which somebody has agreed that it writes."""
    return replace(options, may_write=True)


def _writes(text: str) -> str:
    """Return what *text* would write, in words; "" where it reads, or cannot be explained, which the run says."""
    try:
        effects = writes(only_statement(text).text)
    except RefusedSql:
        return ""
    return effects.words if effects.asks else ""
