"""What a SQL tab keeps in a backend between two runs: watched, said, and given back when the person agrees."""

import time

from PySide6.QtCore import QObject, QTimer, Signal

from pgexplorer.db.session import Look, Notification, Pin, Session
from pgexplorer.jobs import Job, Jobs
from pgexplorer.server import Server
from pgexplorer.ui.ask import ask
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.sql.session_bar import SessionBar
from pgexplorer.units import age

AUTOCOMMIT = "autocommit"  # each statement is a transaction of its own
_LOOK, _LISTEN = 3_000, 400  # milliseconds between two looks at a kept connection, and at one that listens


class KeptSession(QObject):
    """The part of a SQL panel that knows its session, with the bar that shows it. It runs nothing by itself."""

    told = Signal(str, str, str, str)  # kind, title, detail, hint
    failed = Signal(Exception)
    changed = Signal()  # what is kept, or whether something runs on it
    heard = Signal(list, int)  # notifications, and how many were dropped: list[Notification]

    def __init__(self, panel: Panel, server: Server, jobs: Jobs, name: str) -> None:
        super().__init__(panel)
        self._panel = panel
        self._server = server
        self._jobs = jobs
        self._name = name
        self._session: Session | None = None
        self._looking: Job | None = None
        self._is_running = False
        self.bar = SessionBar("query")
        self.bar.unpin_wanted.connect(self.unpin)
        self.watch = QTimer(self, interval=_LOOK)
        self.watch.timeout.connect(self._look)
        server.closed.connect(self._forget)
        server.opened.connect(self._show)
        self._show()

    @property
    def pin(self) -> Pin | None:
        """What the tab keeps in its backend between two runs."""
        return self._session.pin if self._session is not None else None

    @property
    def mode(self) -> str:
        """Whether what runs next commits by itself, in the words of the status line."""
        if self.pin is None or not self.pin.is_open:
            return AUTOCOMMIT
        return "in a failed transaction" if self.pin.is_failed else "in a transaction"

    def session(self) -> Session | None:
        """Return the tab's session on the pool in use; another one when that pool is another. None without a server.

        What the tab keeps outlives a pool that was reopened, or is said to be gone: nothing runs beside it unasked.
        """
        in_use = self._server.in_use
        if in_use is None:
            return None
        if self._session is None or (self._session.pin is None and self._session.client is not in_use.client):
            self._session = Session(in_use.client)
        return self._session

    def set_running(self, running: bool) -> None:
        """Take notice that something runs on it, or no longer."""
        self._is_running = running
        self._show()

    def unpin(self) -> None:
        """Give the kept connection back, when the person agrees to what is lost."""
        session, pin = self._session, self.pin
        if session is None or pin is None or self._is_running:
            return
        if ask(self._panel, f"Give backend {pin.pid} back to the pool?", "\n".join(pin.losses)):
            self._jobs.call(session.release, name=f"give back {self._name}", failed=self.failed.emit, ended=self._show)

    def may_leave(self) -> bool:
        """Ask before an open transaction is rolled back by closing the tab; True where it may be closed."""
        pin = self.pin
        if pin is None or not pin.is_open:
            return True
        since = age(time.monotonic() - (pin.transaction_since or 0))
        words = "\n".join([f"Open for {since}.", *pin.losses])
        return ask(self._panel, f"{self._name}: roll the open transaction back?", words)

    def leave(self) -> None:
        """Give back what is kept: the tab is closed."""
        self.watch.stop()
        session, self._session = self._session, None
        if session is not None:
            self._jobs.call(session.close, name=f"give back {self._name}")

    def tell_lost(self, pin: Pin) -> None:
        """Say that the kept connection is gone, and what with it."""
        self.told.emit(
            "warning",
            f"Backend {pin.pid}, which this tab kept, is gone.",
            "\n".join(["The server has ended it, or the link.", *pin.losses]),
            "The text is kept. The next run takes a fresh connection from the pool.",
        )

    def _forget(self) -> None:
        """Say what went with the server that was left."""
        pin, self._session = self.pin, None
        if pin is not None and pin.is_open:
            self.told.emit("warning", "The open transaction was rolled back with the connection.", pin.words, "")
        self._show()

    def _show(self) -> None:
        pin = self.pin
        self.bar.show_pin(pin, running=self._is_running, connected=self._server.in_use is not None)
        if pin is None or self._is_running:
            self.watch.stop()
        else:
            self.watch.setInterval(_LISTEN if pin.is_listening else _LOOK)
            self.watch.start()
        self.changed.emit()

    def _look(self) -> None:
        """See in a job whether the kept connection lives, and what was notified."""
        session = self._session
        if session is None or self._is_running or (self._looking is not None and self._looking.is_running):
            return

        def done(found: Look) -> None:
            notifications: list[Notification] = list(found.notifications)
            if notifications or found.dropped:
                self.heard.emit(notifications, found.dropped)
            if found.lost is not None:
                self.tell_lost(found.lost)
                self._show()

        self._looking = self._jobs.call(session.look, name=f"look at {self._name}", done=done)
