"""The connect panel: profiles left, the form right, and in words what opening will do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QStringListModel, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QMessageBox,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.errors import describe, missing_database
from pgexplorer.db.probe import Facts, Stage, connect_in_stages, create_database
from pgexplorer.db.profile import POOL_CLASSES, TLS_MODES, Environment, Profile, paste
from pgexplorer.jobs import Job, Jobs
from pgexplorer.secrets import Secrets
from pgexplorer.server import Server
from pgexplorer.settings import Settings
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets.name_delegate import NameDelegate
from pgexplorer.ui.widgets.password_edit import PasswordEdit
from pgexplorer.ui.widgets.spin_box import DoubleSpinBox, SpinBox

_ICON_ROLE = Qt.ItemDataRole.UserRole + 3
_MUTED_ROLE = Qt.ItemDataRole.UserRole + 4
_WHEN_ALL_OUT = "Raises PoolError at once: psycopg2 does not wait"
_Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


@dataclass(frozen=True, slots=True)
class _Entry:
    title: str
    detail: str
    icon: str
    profile: Profile | None  # None: the demo server


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
        ask: Callable[..., QMessageBox.StandardButton] = QMessageBox.question,
    ) -> None:
        super().__init__("connect")
        self._server = server
        self._jobs = jobs
        self._settings = settings
        self._secrets = secrets
        self._ask = ask
        self._testing: Job | None = None
        self._facts: tuple[str, Facts] | None = None  # what a server said, and at which address
        self._notes: dict[str, QLabel] = {}
        self._labels: dict[str, QLabel] = {}
        self._fields: dict[str, QWidget] = {}
        self._demo: Profile | None = None
        self._filling = False
        self.entries = _Entries(self)
        self.profiles = QListView()
        self.profiles.setObjectName("connect.profiles")
        self.profiles.setAccessibleName("Connections")
        self.profiles.setModel(self.entries)
        self.profiles.setSpacing(2)
        self.profiles.setItemDelegate(NameDelegate(self.profiles, _ICON_ROLE, _MUTED_ROLE, two_lines=True))
        self.profiles.selectionModel().currentChanged.connect(self._choose)
        self.profiles.doubleClicked.connect(self.open)
        self.add_actions(
            [
                Action("connect.open", "Connect", self.open, "Ctrl+Return", "plug", "Open the pool"),
                Action("connect.test", "Test connection", self.test, "Ctrl+T", "heart-pulse", "Connect once and close"),
                Action("connect.save", "Save", self.save, "Ctrl+S", "save", "Remember it, without its password"),
                Action("connect.delete", "Forget", self.forget, "", "trash", "Remove this connection from the list"),
                Action("connect.new", "New", self.new, "Ctrl+N", "plus", "An empty form"),
            ]
        )  # fmt: skip
        self._make_fields()
        self._lay_out()
        self._databases = QStringListModel(self)
        completer = QCompleter(self._databases, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.dbname.setCompleter(completer)
        server.opening.connect(self._opening)
        server.opened.connect(self._opened)
        server.failed.connect(self._failed)
        self._list()
        self.show_profile(next(iter(settings.profiles), Profile(dbname="test")))
        self._ask_keyring()

    # -- the form -----------------------------------------------------------------------------------------------

    def _make_fields(self) -> None:
        def line(name: str, words: str, placeholder: str = "") -> QLineEdit:
            edit = PasswordEdit() if name == "password" else QLineEdit()
            edit.setPlaceholderText(placeholder)
            edit.textChanged.connect(self._changed)
            return self._field(name, words, edit)

        self.url = line("url", "Paste a URL, or fill the form", "postgresql://user@host:5432/database")
        self.url.textChanged.disconnect(self._changed)
        self.url.textEdited.connect(self._pasted)
        self.url.returnPressed.connect(self._paste_now)
        self.name = line("name", "Name", "as it stands in the list")
        self.host = line("host", "Host", "localhost, several with commas, or a socket folder")
        self.port = line("port", "Port", "5432")
        self.dbname = line("dbname", "Database")
        self.user = line("user", "User")
        self.password = line("password", "Password", "empty: ~/.pgpass, PGPASSWORD or none")
        self.service = line("service", "Service", "from pg_service.conf")
        self.options = line("options", "Other libpq options", "target_session_attrs=read-write")
        self.sslrootcert = line("sslrootcert", "Authority's certificate", "path of a .crt file, or system")
        self.sslcert = line("sslcert", "Client certificate", "path of a .crt file")
        self.sslkey = line("sslkey", "Client key", "path of a .key file")
        self.sslmode = self._combo("sslmode", "TLS", [(mode, mode) for mode in TLS_MODES])
        self.environment = self._combo(
            "environment", "Environment", [(str(each).capitalize(), each) for each in Environment]
        )
        self.pool_class = self._combo("pool_class", "Pool class", [(f"psycopg2 {name}", name) for name in POOL_CLASSES])
        self.minconn = self._spin("minconn", "Minimum")
        self.maxconn = self._spin("maxconn", "Maximum")
        self.statement_timeout = self._field(
            "statement_timeout",
            "Statement timeout",
            DoubleSpinBox(decimals=1, maximum=86400, suffix=" s", specialValueText="none"),
        )
        self.statement_timeout.valueChanged.connect(self._changed)
        self.keep_password = self._check("keep_password", "Keep the password in the system keyring")
        self.read_only = self._check("read_only", "Read-only")
        self.weak_passwords = self._check("weak_passwords", "Allow md5 and clear-text passwords for this server")
        self.more = self._check("more", "More options")
        self.more.toggled.connect(self._show_more)

    def _field(self, name: str, words: str, widget: Any) -> Any:
        widget.setObjectName(f"connect.{name}")
        widget.setAccessibleName(words)
        label = QLabel(words)
        label.setProperty("muted", True)
        label.setBuddy(widget)
        note = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        note.hide()
        note.setProperty("state", "bad")
        note.setObjectName(f"connect.{name}.note")
        self._labels[name], self._notes[name], self._fields[name] = label, note, widget
        return widget

    def _combo(self, name: str, words: str, choices: list[tuple[str, Any]]) -> QComboBox:
        combo: QComboBox = self._field(name, words, QComboBox())
        for text, value in choices:
            combo.addItem(text, str(value))
        combo.currentIndexChanged.connect(self._changed)
        return combo

    def _spin(self, name: str, words: str) -> SpinBox:
        spin: SpinBox = self._field(name, words, SpinBox(maximum=9999))
        spin.valueChanged.connect(self._changed)
        return spin

    def _check(self, name: str, words: str) -> QCheckBox:
        check = QCheckBox(words)
        check.setObjectName(f"connect.{name}")
        check.toggled.connect(self._changed)
        return check

    def _lay_out(self) -> None:
        self.title = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.title.setProperty("heading", 1)
        form = QGridLayout()
        form.setHorizontalSpacing(12)
        form.setVerticalSpacing(10)
        for column in range(4):
            form.setColumnStretch(column, 1)
        places: list[tuple[str, int, int, int]] = [
            ("url", 0, 0, 4),
            ("host", 1, 0, 2), ("port", 1, 2, 1), ("sslmode", 1, 3, 1),
            ("dbname", 2, 0, 2), ("name", 2, 2, 2),
            ("user", 3, 0, 2), ("password", 3, 2, 2),
        ]  # fmt: skip
        for name, row, column, span in places:
            form.addLayout(self._cell(name), row, column, 1, span)
        form.addWidget(self.more, 4, 0, 1, 2)
        form.addWidget(self.keep_password, 4, 2, 1, 2)
        self._more_box = QWidget()
        more = QGridLayout(self._more_box)
        more.setContentsMargins(0, 0, 0, 0)
        more.setHorizontalSpacing(12)
        more.setVerticalSpacing(10)
        for index, name in enumerate(("service", "options", "sslrootcert", "sslcert", "sslkey", "statement_timeout")):
            more.addLayout(self._cell(name), index // 2, index % 2)
            more.setColumnStretch(index % 2, 1)
        more.addWidget(self.weak_passwords, 3, 0)
        more.addWidget(self.read_only, 3, 1)
        pool = QGridLayout()
        pool.setHorizontalSpacing(12)
        pool.setVerticalSpacing(10)
        for name, column, span in (("pool_class", 0, 2), ("minconn", 2, 1), ("maxconn", 3, 1)):
            pool.addLayout(self._cell(name), 0, column, 1, span)
        for column in range(4):
            pool.setColumnStretch(column, 1)
        pool.addLayout(self._cell("environment"), 1, 2, 1, 2)
        when = QLabel("When all are in use")
        when.setProperty("muted", True)
        what = QLabel(_WHEN_ALL_OUT, wordWrap=True)
        what.setObjectName("connect.when_all_out")
        said = QVBoxLayout()
        said.setSpacing(4)
        said.addWidget(when)
        said.addWidget(what)
        said.addStretch(1)
        pool.addLayout(said, 1, 0, 1, 2)
        pool_title = QLabel("Pool")
        pool_title.setProperty("heading", 1)
        self.summary = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.summary.setObjectName("connect.summary")
        self.summary.setAccessibleName("What connecting will do")
        self.summary.setProperty("muted", True)
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(18, 14, 18, 8)
        column.setSpacing(10)
        column.addWidget(self.title)
        column.addLayout(form)
        column.addWidget(self._more_box)
        column.addSpacing(6)
        column.addWidget(pool_title)
        column.addLayout(pool)
        column.addWidget(self.summary)
        column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        feet = QHBoxLayout()
        feet.setContentsMargins(18, 4, 18, 14)
        feet.setSpacing(8)
        feet.addWidget(button(self.action("connect.test"), "connect.test"))
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
        self._show_more(self.more.isChecked())

    def _cell(self, name: str) -> QVBoxLayout:
        cell = QVBoxLayout()
        cell.setSpacing(4)
        cell.addWidget(self._labels[name])
        cell.addWidget(self._fields[name])
        cell.addWidget(self._notes[name])
        cell.addStretch(1)
        return cell

    def _show_more(self, shown: bool) -> None:
        self._more_box.setVisible(shown)

    # -- profile and form ---------------------------------------------------------------------------------------

    def profile(self) -> Profile:
        """Return the form as a profile."""
        return Profile(
            name=self.name.text().strip(),
            host=self.host.text().strip(),
            port=self.port.text().strip(),
            dbname=self.dbname.text(),
            user=self.user.text(),
            password=self.password.text(),
            sslmode=self.sslmode.currentData(),
            sslrootcert=self.sslrootcert.text().strip(),
            sslcert=self.sslcert.text().strip(),
            sslkey=self.sslkey.text().strip(),
            service=self.service.text().strip(),
            options=self.options.text(),
            pool_class=self.pool_class.currentData(),
            minconn=self.minconn.value(),
            maxconn=self.maxconn.value(),
            environment=Environment(self.environment.currentData()),
            read_only=self.read_only.isChecked(),
            statement_timeout_s=self.statement_timeout.value(),
            weak_passwords=self.weak_passwords.isChecked(),
            keep_password=self.keep_password.isChecked(),
        )

    def show_profile(self, profile: Profile) -> None:
        """Fill the form."""
        self._filling = True
        for name in (
            "name",
            "host",
            "port",
            "dbname",
            "user",
            "password",
            "service",
            "options",
            "sslrootcert",
            "sslcert",
            "sslkey",
        ):
            self._fields[name].setText(getattr(profile, name))  # type: ignore[attr-defined]
        for combo, value in (
            (self.sslmode, profile.sslmode),
            (self.pool_class, profile.pool_class),
            (self.environment, str(profile.environment)),
        ):
            combo.setCurrentIndex(max(0, combo.findData(value)))
        self.minconn.setValue(profile.minconn)
        self.maxconn.setValue(profile.maxconn)
        self.statement_timeout.setValue(profile.statement_timeout_s)
        for check, value in (
            (self.read_only, profile.read_only),
            (self.weak_passwords, profile.weak_passwords),
            (self.keep_password, profile.keep_password),
        ):
            check.setChecked(value)
        rare = (profile.service, profile.options, profile.sslrootcert, profile.sslcert, profile.sslkey)
        if any(rare) or profile.statement_timeout_s or profile.weak_passwords or profile.read_only:
            self.more.setChecked(True)
        self._filling = False
        self._changed()
        if not profile.password and (profile.keep_password or profile.name):
            self._recall(profile)

    def show_demo(self, profile: Profile) -> None:
        """Keep the demo server's profile for its entry, and show it."""
        self._demo = profile
        self._list()
        self.show_profile(profile)
        self.profiles.setCurrentIndex(self.entries.index(0))

    def paste_url(self, url: str) -> None:
        """Fill the form from *url*, as pasting it does."""
        self.url.setText(url)
        self._paste_now()

    def _pasted(self, text: str) -> None:
        # Typed letter by letter it is nothing yet; pasted it is whole at once.
        if "://" in text and len(text) > len("postgresql://"):
            self._paste_now()

    def _paste_now(self) -> None:
        text = self.url.text().strip()
        if not text:
            return
        pasted = paste(text, self.profile())
        note = self._notes["url"]
        if pasted.refused:
            note.setText(pasted.refused)
            note.setVisible(True)
            return
        self.show_profile(pasted.profile)
        # A password must not stay readable in the field that it was pasted into.
        if pasted.profile.password:
            self.url.setText(text.replace(pasted.profile.password, "…", 1) if pasted.profile.password in text else "")
        ignored = (
            f"Not taken from a URL: {', '.join(pasted.ignored)}. Fill it in by hand if you want it."
            if pasted.ignored
            else ""
        )
        note.setText(ignored)
        note.setVisible(bool(ignored))

    def _changed(self) -> None:
        if self._filling:
            return
        profile = self.profile()
        problems = profile.problems()
        for name, note in self._notes.items():
            if name == "url":
                continue
            words = problems.get(name, "")
            if note.text() != words:
                note.setText(words)
            note.setVisible(bool(words))
            field = self._fields[name]
            if bool(field.property("invalid")) != bool(words):
                field.setProperty("invalid", bool(words))
                field.style().unpolish(field)
                field.style().polish(field)
        self.title.setText(profile.title)
        plan = profile.plan() if not problems else "Correct what is marked first."
        if not problems and self._facts is not None and self._facts[0] == profile.address:
            plan = f"{plan} {self._facts[1].plan(profile)}"
        if profile.environment is Environment.PRODUCTION:
            plan += " This is production."
        self.summary.setText(plan)
        ready = not problems and not self._server.is_opening
        self.action("connect.open").setEnabled(ready or self._server.is_opening)
        self.action("connect.test").setEnabled(not problems)
        self.action("connect.save").setEnabled(not problems)

    def _list(self) -> None:
        demo = "a real PostgreSQL, nothing to install" if self._demo is None else f"running on port {self._demo.port}"
        entries = [_Entry("Demo database", demo, "rocket", None)]
        for profile in self._settings.profiles:
            icon = (
                "shield-lock"
                if profile.environment is Environment.PRODUCTION
                else "file-gear"
                if profile.service
                else "database"
            )
            detail = profile.address + (" · read-only" if profile.read_only else "")
            entries.append(_Entry(profile.title, detail, icon, profile))
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
        entry = self.entries.entry(self.profiles.currentIndex().row())
        if entry is not None and entry.profile is None and self._demo is None and self.message.isVisible():
            self.demo_wanted.emit()
            return
        profile = self.profile()
        if profile.problems():
            return
        self.message.clear()
        self._remember(profile)
        self._server.open(profile)

    def test(self) -> None:
        """Connect once, report libpq's stages with their times, and close again."""
        if self._testing is not None:
            return
        profile = self.profile()
        stages: list[Stage] = []
        self.action("connect.test").setEnabled(False)
        self.message.show_message("info", "Connecting…")

        def heard(news: Stage | Facts) -> None:
            if isinstance(news, Stage):
                stages.append(news)
                self.message.show_message("info", "Connecting…", _stages(stages))
            else:
                self._facts = (profile.address, news)
                self._databases.setStringList(list(news.databases))
                tls = f"with {news.tls}" if news.tls else "without TLS"
                title = f"PostgreSQL {news.version} answers {tls}, ready after {news.total_s * 1000:.1f} ms"
                self.message.show_message("success", title, _stages(stages), news.plan(profile))
                self._changed()

        def failed(error: Exception) -> None:
            self._show_error(error, profile, _stages(stages))

        def ended() -> None:
            self._testing = None
            self._changed()

        self._testing = self._jobs.start(
            lambda: connect_in_stages(profile), name="test connection", yielded=heard, failed=failed, ended=ended
        )

    def save(self) -> None:
        """Remember the profile; the password goes to the keyring when that is ticked, else it lasts for this run."""
        profile = self.profile()
        entry = self.entries.entry(self.profiles.currentIndex().row())
        before = entry.profile.title if entry is not None and entry.profile is not None else ""
        self._settings.keep(replace(profile, name=profile.name or profile.title), instead_of=before)
        self._remember(profile)
        self._list()
        titles = [each.title for each in self.entries.entries()]
        self.profiles.setCurrentIndex(self.entries.index(titles.index(profile.name or profile.title)))
        if self._settings.trouble:
            self.message.show_message("warning", self._settings.trouble)
        else:
            self.message.show_message(
                "success", f"{profile.name or profile.title} is remembered, without its password."
            )

    def forget(self) -> None:
        """Remove the chosen profile, and its password from the keyring."""
        entry = self.entries.entry(self.profiles.currentIndex().row())
        if entry is None or entry.profile is None:
            return
        answer = self._ask(self, "Forget this connection?", f"{entry.title} leaves the list.")
        if answer == QMessageBox.StandardButton.Yes:
            self._settings.remove(entry.profile)
            address = entry.profile.address
            self._jobs.call(lambda: self._secrets.forget(address), name="forget a password")
            self._list()

    def new(self) -> None:
        """Empty the form."""
        self.profiles.clearSelection()
        self.profiles.setCurrentIndex(QModelIndex())
        self.message.clear()
        self.url.clear()
        self.more.setChecked(False)
        self.show_profile(Profile())
        self.host.setFocus()
        self.host.selectAll()

    def _remember(self, profile: Profile) -> None:
        if profile.password:
            self._jobs.call(
                lambda: self._secrets.remember(profile.address, profile.password, keep=profile.keep_password),
                name="remember a password",
            )

    def _recall(self, profile: Profile) -> None:
        def show(password: str) -> None:
            if password and not self.password.text() and self.profile().address == profile.address:
                self.password.setText(password)

        kept = profile.keep_password
        self._jobs.call(lambda: self._secrets.recall(profile.address, kept=kept), name="recall a password", done=show)

    def _ask_keyring(self) -> None:
        def show(trouble: str) -> None:
            if trouble:
                self.keep_password.setEnabled(False)
                self.keep_password.setChecked(False)
                self.keep_password.setText("The password is kept for this run only")
                self.keep_password.setToolTip(trouble)

        self._jobs.call(self._secrets.trouble, name="look for a keyring", done=show)

    def _opening(self, profile: Profile) -> None:
        self.connect_button.setText("Stop")
        self.message.show_message("info", f"Opening {profile.minconn} connections to {profile.address}…")
        self._changed()

    def _opened(self) -> None:
        self.connect_button.setText("Connect")
        self.message.clear()
        if self._server.in_use is not None:
            self._facts = (self._server.in_use.profile.address, self._server.in_use.facts)
            self._databases.setStringList(list(self._server.in_use.facts.databases))
        QTimer.singleShot(0, self._changed)

    def _failed(self, error: Exception) -> None:
        self.connect_button.setText("Connect")
        QTimer.singleShot(0, self._changed)
        self._show_error(error, self.profile())

    def _show_error(self, error: Exception, profile: Profile, stages: str = "") -> None:
        if isinstance(error, ConnectionAbortedError):
            self.message.show_message("info", "Connecting was stopped.")
            return
        words = describe(error)
        actions: list[tuple[str, Callable[[], object]]] = []
        if missing_database(error) and profile.dbname:
            actions.append((f"Create {profile.dbname}", lambda: self._create(profile)))
        if "authentication method requirement" in str(error):
            actions.append(("Allow it for this server", self._allow_weak))
        self.message.show_message(
            "error", words.heading, "\n".join(filter(None, (words.detail, stages))), words.hint, actions
        )

    def _allow_weak(self) -> None:
        self.more.setChecked(True)
        self.weak_passwords.setChecked(True)
        self.message.clear()
        self.weak_passwords.setFocus()

    def _create(self, profile: Profile) -> None:
        def done(_nothing: object) -> None:
            title = f"The database {profile.dbname} was created."
            self.message.show_message("success", title, actions=[("Connect", self.open)])

        def failed(error: Exception) -> None:
            words = describe(error)
            self.message.show_message("error", words.heading, words.detail, words.hint)

        self.message.show_message("info", f"Creating {profile.dbname}…")
        self._jobs.call(lambda: create_database(profile), name="create a database", done=done, failed=failed)


class _Entries(QAbstractListModel):
    """The demo server and the remembered profiles."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._entries: list[_Entry] = []

    def set_entries(self, entries: list[_Entry]) -> None:
        self.beginResetModel()
        self._entries = entries
        self.endResetModel()

    def entries(self) -> Iterator[_Entry]:
        return iter(self._entries)

    def entry(self, row: int) -> _Entry | None:
        return self._entries[row] if 0 <= row < len(self._entries) else None

    @override
    def rowCount(self, parent: _Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._entries)

    @override
    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self.entry(index.row())
        if entry is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return entry.title
        if role == _MUTED_ROLE:
            return entry.detail
        if role == _ICON_ROLE:
            return entry.icon
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{entry.title}, {entry.detail}"
        return None


def _card() -> QFrame:
    frame = QFrame()
    frame.setProperty("card", True)
    return frame


def _stages(stages: list[Stage]) -> str:
    return " · ".join(f"{stage.name} {stage.took_s * 1000:.1f} ms" for stage in stages)
