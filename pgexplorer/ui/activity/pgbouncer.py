"""The page of a PgBouncer's console: its pools, clients, servers, databases and counters."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QTabBar, QVBoxLayout, QWidget

from pgexplorer.db.activity.pgbouncer import Show, Shown
from pgexplorer.models.activity_model import Head, RowsModel
from pgexplorer.ui.activity.view import RowsView

_MEANS = {
    Show.POOLS: "One row for each pair of database and role: clients that have a server or wait for one (cl_), and "
    "connections to the server (sv_). maxwait is how long the oldest client has waited, in seconds.",
    Show.CLIENTS: "Who is connected to PgBouncer.",
    Show.SERVERS: "PgBouncer's own connections to PostgreSQL, and the client that each is linked to.",
    Show.DATABASES: "Where each database lies, and how many connections it may have.",
    Show.STATS: "Counters since PgBouncer was started, and their means a second; times in microseconds.",
}


class PgBouncerPage(QWidget):
    """Shows what the console answered; asks nobody."""

    view_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.views = QTabBar()
        self.views.setObjectName("activity.pgbouncer.views")
        self.views.setAccessibleName("What the console shows")
        self.views.setDrawBase(False)
        self.views.setExpanding(False)
        self.views.setUsesScrollButtons(False)
        for each in Show:
            self.views.addTab(each.capitalize())
        self.model = RowsModel(self)
        self.list = RowsView(self.model, "activity.pgbouncer", "What PgBouncer shows", mono=set())
        self._means = QLabel(wordWrap=True)
        self._means.setProperty("muted", True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.views)
        column.addWidget(self._means)
        column.addWidget(self.list, 1)
        self._shown: Show | None = None
        self._means.setText(_MEANS[Show.POOLS])
        self.views.currentChanged.connect(self._turn)

    def wanted(self) -> Show:
        """Return what is to be shown."""
        return list(Show)[self.views.currentIndex()]

    def show_shown(self, shown: Shown) -> None:
        """Show an answer, unless something else was asked for meanwhile."""
        if shown.what is not self.wanted():
            return
        numbers = [
            all(row[place] is None or _is_number(row[place] or "") for row in shown.rows) and bool(shown.rows)
            for place in range(len(shown.columns))
        ]
        heads = [Head(name, number) for name, number in zip(shown.columns, numbers, strict=True)]
        rows = [tuple("" if value is None else value for value in row) for row in shown.rows]
        self.model.show(heads, rows)
        if self._shown is not shown.what:
            self._shown = shown.what
            self.list.fit(anew=True)

    def clear(self) -> None:
        """Show nothing: another server."""
        self._shown = None
        self.model.show((), ())

    def _turn(self) -> None:
        self._means.setText(_MEANS[self.wanted()])
        self.model.show((), ())
        self._shown = None
        self.view_changed.emit()


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).removeprefix("-").isdecimal()
