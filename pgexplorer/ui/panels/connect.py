"""The connect panel: profiles left, the form right, and in words what opening will do."""

import itertools
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QListView,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from pgexplorer.db.errors import describe, missing_database
from pgexplorer.db.probe import Facts, Stage, connect_in_stages, create_database
from pgexplorer.db.profile import Environment, Profile
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.profile_model import ICON_ROLE, MUTED_ROLE, Entry, ProfileModel
from pgexplorer.secrets import Secrets
from pgexplorer.server import Server
from pgexplorer.settings import Settings
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.ask import ask
from pgexplorer.ui.connect_form import ConnectForm
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets.message_bar import MessageKind
from pgexplorer.ui.widgets.name_delegate import NameDelegate


class ConnectPanel(Panel):
    """Where the server is and how large the pool may grow; opens it, tests it, remembers it."""

    TITLE = "Connect"
    ICON = "plug"
    demo_wanted = Signal()

    def __init__(
        self,
        server: Server,
        jobs: Jobs,
        settings: Settings,
        secrets: Secrets,
        *,
        ask: Callable[[QWidget, str, str], bool] = ask,
    ) -> None:
        super().__init__("connect")
        self._server = server
        self._jobs = jobs
        self._settings = settings
        self._secrets = secrets
        self._ask = ask
        self._testing: Job | None = None
        self._demo: Profile | None = None
        self.form = ConnectForm()
        self.form.changed.connect(self._checked)
        self.form.edited.connect(self._edited)
        self.entries = ProfileModel(self)
        self.profiles = QListView()
        self.profiles.setObjectName("connect.profiles")
        self.profiles.setAccessibleName("Connections")
        self.profiles.setModel(self.entries)
        self.profiles.setSpacing(2)
        self.profiles.setItemDelegate(NameDelegate(self.profiles, ICON_ROLE, MUTED_ROLE, two_lines=True))
        self.profiles.selectionModel().currentChanged.connect(self._choose)
        self.profiles.doubleClicked.connect(self._open_entry)
        self.add_actions(
            [
                Action("connect.open", "Connect", self.open, "Ctrl+Return", "plug", "Open the pool"),
                Action("connect.test", "Test connection", self.test, "Ctrl+T", "heart-pulse", "Connect once and close"),
                Action("connect.save", "Save", self.save, "Ctrl+S", "save", "Remember it, without its password"),
                Action("connect.delete", "Forget", self.forget, "", "trash", "Remove this connection from the list"),
                Action("connect.new", "New", self.new, "", "plus", "An empty form"),
            ]
        )  # fmt: skip
        for action in self.actions_by_name.values():
            # A menu that is always there has its actions' keys work everywhere, and Ctrl+Return runs a query too.
            action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._lay_out()
        server.opening.connect(self._opening)
        server.opened.connect(self._opened)
        server.failed.connect(self._failed)
        self._list()
        self.show_profile(next(iter(settings.profiles), Profile(dbname="test")))
        # Asking loads the keyring, which would compete with the rest of the start.
        QTimer.singleShot(1000, self, self._ask_keyring)

    def _lay_out(self) -> None:
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what it holds has the focus
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.form)
        feet = QHBoxLayout()
        feet.setContentsMargins(18, 4, 18, 14)
        feet.setSpacing(8)
        self.test_button = button(self.action("connect.test"), "connect.test")
        feet.addWidget(self.test_button)
        feet.addStretch(1)
        feet.addWidget(button(self.action("connect.save"), "connect.save"))
        self.connect_button = button(self.action("connect.open"), "connect.open", style="primary")
        feet.addWidget(self.connect_button)
        messages = QVBoxLayout()
        messages.setContentsMargins(18, 0, 18, 0)
        messages.addWidget(self.message)
        right = _card()
        outer = QVBoxLayout(right)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(6)
        outer.addWidget(scroll, 1)
        outer.addLayout(messages)
        outer.addLayout(feet)
        left = _card()
        left.setMaximumWidth(380)
        left.setMinimumWidth(240)
        side = QVBoxLayout(left)
        side.setContentsMargins(14, 14, 14, 14)
        side.setSpacing(8)
        heading = QLabel("Connections")
        heading.setProperty("heading", 1)
        side.addWidget(heading)
        side.addWidget(self.profiles, 1)
        row = QHBoxLayout()
        row.addWidget(button(self.action("connect.new"), "connect.new", style="quiet"))
        row.addStretch(1)
        row.addWidget(button(self.action("connect.delete"), "connect.delete", style="quiet"))
        side.addLayout(row)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(20, 20, 20, 20)
        whole.setSpacing(16)
        whole.addWidget(left, 1)
        whole.addWidget(right, 3)

    def _checked(self, usable: bool) -> None:
        opening = self._server.is_opening
        self.action("connect.open").setEnabled(usable or opening)
        self.action("connect.test").setEnabled(usable)
        self.action("connect.save").setEnabled(usable and not self._is_demo(self.form.profile()))

    # -- profile and form ---------------------------------------------------------------------------------------

    def show_profile(self, profile: Profile) -> None:
        """Fill the form, with the password where it is known."""
        self.form.show_profile(profile)
        if not profile.password and (profile.keep_password or profile.name):
            self._recall(profile)

    def show_demo(self, profile: Profile) -> None:
        """Keep the demo server's profile for its entry, and show it."""
        self._demo = profile
        self._list()
        self.show_profile(profile)
        self.profiles.setCurrentIndex(self.entries.index(0))

    def _list(self) -> None:
        demo = "a real PostgreSQL, nothing to install" if self._demo is None else f"running on port {self._demo.port}"
        entries = [Entry("Demo database", demo, "rocket", None)]
        for profile in self._settings.profiles:
            icon = (
                "shield-lock"
                if profile.environment is Environment.PRODUCTION
                else "file-gear"
                if profile.service
                else "database"
            )
            detail = profile.address + (" · read-only" if profile.read_only else "")
            entries.append(Entry(profile.title, detail, icon, profile))
        self.entries.set_entries(entries)

    def _choose(self, index: QModelIndex, _before: object = None) -> None:
        entry = self.entries.entry(index.row())
        self.action("connect.delete").setEnabled(entry is not None and entry.profile is not None)
        if entry is None:
            return
        self.message.clear()
        if entry.profile is not None:
            self.show_profile(entry.profile)
        elif self._demo is not None:
            self.show_profile(self._demo)
        else:
            self.message.show_message(
                "info",
                "The demo database",
                "",
                "A PostgreSQL server of your own starts here, with the person table in it, and ends with the program.",
                [("Start the demo", self.demo_wanted.emit)],
            )

    # -- what it does -------------------------------------------------------------------------------------------

    def open(self, _index: object = None) -> None:
        """Open the pool as the form says; while that is under way, stop it."""
        if self._server.is_opening:
            self._server.give_up_opening()
            return
        profile = self.form.profile()
        if profile.problems():
            return
        self.message.clear()
        self._remember(profile)
        self._server.open(profile)

    def connect_to(self, profile: Profile) -> None:
        """Show *profile* and open its pool, with its password where that is known."""
        if self._server.is_opening:
            return
        row = self.entries.row_of(profile.key)
        if row >= 0:
            self.profiles.setCurrentIndex(self.entries.index(row))
        self.form.show_profile(profile)
        self.message.clear()

        def done(password: str) -> None:
            if self.form.profile().address != profile.address or self._server.is_opening:
                return  # another one was chosen meanwhile
            if password and not self.form.password.text():
                self.form.password.setText(password)
            self.open()

        kept = profile.keep_password
        self._jobs.call(lambda: self._secrets.recall(profile.address, kept=kept), name="recall a password", done=done)

    def _open_entry(self, index: QModelIndex) -> None:
        entry = self.entries.entry(index.row())
        if entry is not None and entry.profile is None and self._demo is None:
            self.demo_wanted.emit()
        else:
            self.open()

    def _edited(self) -> None:
        """Leave the demo's entry when another server is typed: the form is what Connect goes by."""
        entry = self.entries.entry(self.profiles.currentIndex().row())
        if entry is not None and entry.profile is None:
            self.profiles.setCurrentIndex(QModelIndex())
            self.message.clear()

    def test(self) -> None:
        """Connect once, report libpq's stages with their times, and close again; a second call stops that."""
        if self._testing is not None:
            self._testing.ignore()
            self._tested()
            self.message.show_message("info", "The test was stopped.")
            return
        profile = self.form.profile()
        stages: list[Stage] = []
        self.action("connect.test").setText("Stop the test")
        self.test_button.setText("Stop the test")
        self.message.show_message("info", "Connecting…")

        def heard(news: Stage | Facts) -> None:
            if isinstance(news, Stage):
                stages.append(news)
                self.message.show_message("info", "Connecting…", _stages(stages))
            else:
                self.form.learn(profile.address, news)
                tls = f"with {news.tls}" if news.tls else "without TLS"
                title = f"{news.product} answers {tls}, ready after {news.total_s * 1000:.1f} ms"
                kind: MessageKind = "success" if news.has_room(profile) else "warning"
                self.message.show_message(kind, title, _stages(stages), news.plan(profile))

        def failed(error: Exception) -> None:
            self._show_error(error, profile, _stages(stages))

        def ended() -> None:
            if self._testing is job:
                self._tested()

        job = self._testing = self._jobs.start(
            lambda: connect_in_stages(profile), name="test connection", yielded=heard, failed=failed, ended=ended
        )

    def _tested(self) -> None:
        self._testing = None
        self.action("connect.test").setText("Test connection")
        self.test_button.setText("Test connection")

    def save(self) -> None:
        """Remember the profile; the password goes to the keyring when that is ticked, else it lasts for this run."""
        typed = self.form.profile()
        profile = self._settings.keep(replace(typed, name=typed.name or self._free_name(typed.title)))
        self._remember(profile)
        self._list()
        self.show_profile(profile)
        self.profiles.setCurrentIndex(self.entries.index(self.entries.row_of(profile.key)))
        if self._settings.trouble:
            self.message.show_message("warning", self._settings.trouble)
        else:
            self.message.show_message("success", f"{profile.title} is remembered, without its password.")

    def forget(self) -> None:
        """Remove the chosen profile, and its password from the keyring."""
        entry = self.entries.entry(self.profiles.currentIndex().row())
        if entry is None or entry.profile is None:
            return
        if self._ask(self, "Forget this connection?", f"{entry.title} leaves the list."):
            profile = entry.profile
            self._settings.remove(profile)
            self._jobs.call(lambda: self._secrets.forget(profile.address), name="forget a password")
            self._list()
            self.new()

    def _free_name(self, title: str) -> str:
        taken = {profile.title for profile in self._settings.profiles}
        numbered = (f"{title} ({number})" for number in itertools.count(2))
        return title if title not in taken else next(name for name in numbered if name not in taken)

    def _is_demo(self, profile: Profile) -> bool:
        demo = self._demo
        return demo is not None and (demo.host, demo.port) == (profile.host, profile.port)

    def new(self) -> None:
        """Empty the form."""
        self.profiles.clearSelection()
        self.profiles.setCurrentIndex(QModelIndex())
        self.action("connect.delete").setEnabled(False)
        self.message.clear()
        self.form.url.clear()
        self.show_profile(Profile())
        self.form.host.setFocus()
        self.form.host.selectAll()

    def _remember(self, profile: Profile) -> None:
        def remember() -> None:
            if not profile.keep_password:
                self._secrets.forget(profile.address)  # one that was kept before
            if profile.password:
                self._secrets.remember(profile.address, profile.password, keep=profile.keep_password)

        self._jobs.call(remember, name="remember a password")

    def _recall(self, profile: Profile) -> None:
        def show(password: str) -> None:
            if password and not self.form.password.text() and self.form.profile().address == profile.address:
                self.form.password.setText(password)

        kept = profile.keep_password
        self._jobs.call(lambda: self._secrets.recall(profile.address, kept=kept), name="recall a password", done=show)

    def _ask_keyring(self) -> None:
        def show(trouble: str) -> None:
            if trouble:
                self.form.forbid_keyring(trouble)

        self._jobs.call(self._secrets.trouble, name="look for a keyring", done=show)

    def _opening(self, profile: Profile) -> None:
        self.connect_button.setText("Stop")
        self.message.show_message("info", f"Opening {profile.minconn} connections to {profile.address}…")
        self.form.check()

    def _opened(self) -> None:
        self.connect_button.setText("Connect")
        self.message.clear()
        if self._server.in_use is not None:
            self.form.learn(self._server.in_use.profile.address, self._server.in_use.facts)
        QTimer.singleShot(0, self.form.check)

    def _failed(self, error: Exception) -> None:
        self.connect_button.setText("Connect")
        QTimer.singleShot(0, self.form.check)
        self._show_error(error, self.form.profile())

    def _show_error(self, error: Exception, profile: Profile, stages: str = "") -> None:
        if isinstance(error, ConnectionAbortedError):
            self.message.show_message("info", "Connecting was stopped.")
            return
        words = describe(error)
        actions: list[tuple[str, Callable[[], object]]] = []
        if missing_database(error) and profile.dbname:
            actions.append((f"Create {profile.dbname}", lambda: self._create(profile)))
        if self._is_demo(profile):
            actions.append(("Start the demo again", self.demo_wanted.emit))
        if "authentication method requirement" in str(error):
            actions.append(("Allow it for this server", self._allow_weak))
        self.message.show_message(
            "error", words.heading, "\n".join(filter(None, (words.detail, stages))), words.hint, actions
        )

    def _allow_weak(self) -> None:
        self.message.clear()
        self.form.allow_weak_passwords()

    def _create(self, profile: Profile) -> None:
        def done(_nothing: object) -> None:
            title = f"The database {profile.dbname} was created."
            self.message.show_message("success", title, actions=[("Connect", self.open)])

        def failed(error: Exception) -> None:
            words = describe(error)
            self.message.show_message("error", words.heading, words.detail, words.hint)

        self.message.show_message("info", f"Creating {profile.dbname}…")
        self._jobs.call(lambda: create_database(profile), name="create a database", done=done, failed=failed)


def _card() -> QFrame:
    frame = QFrame()
    frame.setProperty("card", True)
    return frame


def _stages(stages: list[Stage]) -> str:
    return " · ".join(f"{stage.name} {stage.took_s * 1000:.1f} ms" for stage in stages)
