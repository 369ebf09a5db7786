"""The views in the dock: what makes each of them, and loads its code, when it is first wanted."""

from collections.abc import Callable

from pgexplorer.demo_host import DemoHost
from pgexplorer.history import History
from pgexplorer.jobs import Jobs
from pgexplorer.server import Server
from pgexplorer.ui.dock import Maker
from pgexplorer.ui.panel import Panel


def pool_views(server: Server, jobs: Jobs, demo: DemoHost) -> list[tuple[str, Maker]]:
    """Return the title of each view of the pool and what makes it."""

    def timeline() -> Panel:
        from pgexplorer.ui.panels.timeline import TimelinePanel

        return TimelinePanel(server, jobs)

    def queue() -> Panel:
        from pgexplorer.ui.panels.queue import QueuePanel

        return QueuePanel(server, jobs)

    def truth() -> Panel:
        from pgexplorer.ui.panels.truth import TruthPanel

        return TruthPanel(server, jobs)

    def statistics() -> Panel:
        from pgexplorer.ui.panels.statistics import StatisticsPanel

        return StatisticsPanel(server, jobs)

    def faults() -> Panel:
        from pgexplorer.ui.panels.faults import FaultsPanel

        return FaultsPanel(server, jobs, demo)

    return [
        ("Timeline", timeline),
        ("Queue", queue),
        ("Truth", truth),
        ("Statistics", statistics),
        ("Faults", faults),
    ]


def history_view(history: History, jobs: Jobs, made: Callable[[Panel], object]) -> tuple[str, Maker]:
    """Return the title of the history and what makes it; *made* is told when that has happened."""

    def make() -> Panel:
        from pgexplorer.ui.panels.history import HistoryPanel

        panel = HistoryPanel(history, jobs)
        made(panel)
        return panel

    return "History", make
