"""The form for connecting: where the server is, how large the pool may grow, and in words what opening will do."""

import re
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QStringListModel, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from pgexplorer.db.probe import Facts
from pgexplorer.db.profile import POOL_CLASSES, TLS_MODES, Environment, Profile, paste
from pgexplorer.ui.widgets.password_edit import PasswordEdit
from pgexplorer.ui.widgets.spin_box import DoubleSpinBox, SpinBox

_POOL_NAMES = {"PgPool": "PgPool, which waits in line"}


class ConnectForm(QWidget):
    """A profile as fields, checked while it is typed. It knows no server."""

    changed = Signal(bool)  # whether what is typed can be tried
    edited = Signal()  # by the person, not by show_profile

    def __init__(self) -> None:
        super().__init__()
        self._notes: dict[str, QLabel] = {}
        self._labels: dict[str, QLabel] = {}
        self._fields: dict[str, QWidget] = {}
        self._filling = False
        self._key = ""  # of the remembered profile that is shown
        self._typed_url = ""
        self._refused = ""  # why the URL that stands in its field was not taken
        self._facts: tuple[str, Facts] | None = None  # what a server said of itself, and at which address
        self._make_fields()
        self._lay_out()
        self.databases = QStringListModel(self)
        completer = QCompleter(self.databases, self)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.dbname.setCompleter(completer)

    def _make_fields(self) -> None:
        def line(name: str, words: str, placeholder: str = "") -> QLineEdit:
            edit = PasswordEdit() if name == "password" else QLineEdit()
            edit.setPlaceholderText(placeholder)
            edit.textChanged.connect(self._changed)
            return self._field(name, words, edit)

        self.url = line("url", "Paste a URL, or fill the form", "postgresql://user@host:5432/database")
        self.url.textChanged.disconnect(self._changed)
        self.url.textEdited.connect(self._pasted)
        self.url.editingFinished.connect(self._paste_now)
        self.name = line("name", "Name", "as it stands in the list")
        self.host = line("host", "Host", "localhost, several with commas, or a socket folder")
        self.port = line("port", "Port", "5432")
        self.dbname = line("dbname", "Database")
        self.user = line("user", "User", "empty: PGUSER, or your name on this machine")
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
        self.pool_class = self._combo(
            "pool_class", "Pool class", [(_POOL_NAMES.get(name, f"psycopg2 {name}"), name) for name in POOL_CLASSES]
        )
        self.minconn = self._spin("minconn", "Minimum")
        self.maxconn = self._spin("maxconn", "Maximum")
        self.timeout = self._field("timeout", "Wait", DoubleSpinBox(decimals=1, maximum=3600, suffix=" s"))
        self.timeout.valueChanged.connect(self._changed)
        self.statement_timeout = self._timeout("statement_timeout", "Statement timeout")
        self.lock_timeout = self._timeout("lock_timeout", "Lock timeout")
        self.idle_timeout = self._timeout("idle_timeout", "Idle transaction timeout")
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

    def _timeout(self, name: str, words: str) -> DoubleSpinBox:
        spin: DoubleSpinBox = self._field(
            name, words, DoubleSpinBox(decimals=1, maximum=86400, suffix=" s", specialValueText="none")
        )
        spin.valueChanged.connect(self._changed)
        return spin

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
        # Its words have room in half of the width; the hint would make the right half the wider one.
        self.keep_password.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.title = QLabel(textFormat=Qt.TextFormat.PlainText)
        self.title.setProperty("heading", 1)
        form = _halves()
        form.addLayout(self._cell("url"), 0, 0, 1, 2)
        for row, (left, *right) in enumerate(
            (("host", "port", "sslmode"), ("dbname", "name"), ("user", "password")), start=1
        ):
            form.addLayout(self._cell(left), row, 0)
            form.addLayout(self._cells(*right), row, 1)
        form.addWidget(self.more, 4, 0)
        form.addWidget(self.keep_password, 4, 1)
        self._more_box = QWidget()
        more = _halves(self._more_box)
        more.setContentsMargins(0, 0, 0, 0)
        rare = ("service", "options", "sslrootcert", "sslcert", "sslkey")
        for index, name in enumerate((*rare, "statement_timeout", "lock_timeout", "idle_timeout")):
            more.addLayout(self._cell(name), index // 2, index % 2)
        more.addWidget(self.read_only, 4, 0, 1, 2)
        more.addWidget(self.weak_passwords, 5, 0, 1, 2)  # its words are wider than a half of a narrow window
        pool = _halves()
        pool.addLayout(self._cell("pool_class"), 0, 0)
        pool.addLayout(self._cells("minconn", "maxconn"), 0, 1)
        pool.addLayout(self._cells("timeout", "environment"), 1, 1)
        policy = self.timeout.sizePolicy()
        policy.setRetainSizeWhenHidden(True)  # what stands beside it stays where it is
        self.timeout.setSizePolicy(policy)
        when = QLabel("When all are in use")
        when.setProperty("muted", True)
        self.when_all_out = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.when_all_out.setObjectName("connect.when_all_out")
        said = QVBoxLayout()
        said.setSpacing(4)
        said.addWidget(when)
        said.addWidget(self.when_all_out)
        said.addStretch(1)
        pool.addLayout(said, 1, 0)
        pool_title = QLabel("Pool")
        pool_title.setProperty("heading", 1)
        self.summary = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.summary.setObjectName("connect.summary")
        self.summary.setAccessibleName("What connecting will do")
        self.summary.setProperty("muted", True)
        column = QVBoxLayout(self)
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
        self._show_more(self.more.isChecked())

    def _cell(self, name: str) -> QVBoxLayout:
        cell = QVBoxLayout()
        cell.setSpacing(4)
        cell.addWidget(self._labels[name])
        cell.addWidget(self._fields[name])
        cell.addWidget(self._notes[name])
        cell.addStretch(1)
        return cell

    def _cells(self, *names: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(12)
        for name in names:
            row.addLayout(self._cell(name), 1)
        return row

    def _show_more(self, shown: bool) -> None:
        self._more_box.setVisible(shown)

    def profile(self) -> Profile:
        """Return the form as a profile."""
        return Profile(
            key=self._key,
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
            timeout_s=self.timeout.value(),
            environment=Environment(self.environment.currentData()),
            read_only=self.read_only.isChecked(),
            statement_timeout_s=self.statement_timeout.value(),
            lock_timeout_s=self.lock_timeout.value(),
            idle_timeout_s=self.idle_timeout.value(),
            weak_passwords=self.weak_passwords.isChecked(),
            keep_password=self.keep_password.isChecked(),
        )

    def show_profile(self, profile: Profile) -> None:
        """Fill the form."""
        self._filling = True
        if self._refused:
            self.url.clear()
            self._accept_url()
        self._key = profile.key
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
        self.timeout.setValue(profile.timeout_s)
        timeouts = (profile.statement_timeout_s, profile.lock_timeout_s, profile.idle_timeout_s)
        for spin, seconds in zip((self.statement_timeout, self.lock_timeout, self.idle_timeout), timeouts, strict=True):
            spin.setValue(seconds)
        for check, value in (
            (self.read_only, profile.read_only),
            (self.weak_passwords, profile.weak_passwords),
            (self.keep_password, profile.keep_password),
        ):
            check.setChecked(value)
        rare = (profile.service, profile.options, profile.sslrootcert, profile.sslcert, profile.sslkey)
        more = any(rare) or any(timeouts) or profile.weak_passwords or profile.read_only
        self.more.setChecked(more)
        self._filling = False
        self._show()

    def paste_url(self, url: str) -> None:
        """Fill the form from *url*, as pasting it does."""
        self.url.setText(url)
        self._paste_now()

    def _pasted(self, text: str) -> None:
        # Pasted, it is whole at once; typed letter by letter it is read when the field is left.
        before, self._typed_url = self._typed_url, text
        self._accept_url()
        if "://" in text and len(text) - len(before) > 1:
            self._paste_now()

    def _paste_now(self) -> None:
        text = self.url.text().strip()
        if not text or "://…" in text or ":…@" in text:
            return
        pasted = paste(text, self.profile())
        if pasted.refused:
            # Its password must not stay readable, and the rest is still to be looked at.
            self.url.setText(re.sub(r"//([^:/@]*):.*@", r"//\1:…@", text))
            self._note_url(pasted.refused, "bad")
            self._refused = pasted.refused
            self.check()
            return
        self.show_profile(replace(pasted.profile, key=""))
        self.url.clear()
        self._typed_url = ""
        left = f" Not taken: {', '.join(pasted.ignored)}; fill it in by hand if you want it." if pasted.ignored else ""
        self._note_url(f"Filled in from the URL.{left}", "warn" if left else "good")
        self.edited.emit()

    def _accept_url(self) -> None:
        """Forget what was wrong with the URL: another one is typed, or none."""
        if self._refused:
            self._refused = ""
            self._note_url("", "good")
            self.check()

    def _note_url(self, words: str, state: str) -> None:
        note = self._notes["url"]
        note.setText(words)
        note.setProperty("state", state)
        note.style().unpolish(note)
        note.style().polish(note)
        note.setVisible(bool(words))

    def _changed(self) -> None:
        if self._filling:
            return
        self._show()
        self.edited.emit()

    def _show(self) -> None:
        """Show what follows from the fields: what is wrong in its place, the title, what opening does."""
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
        self.when_all_out.setText(profile.when_all_out())
        waits = profile.pool_class == "PgPool"
        self._labels["timeout"].setVisible(waits)
        self.timeout.setVisible(waits)
        self.check(problems)

    def check(self, problems: dict[str, str] | None = None) -> None:
        """Say below the form what opening will do, and tell whether it can be tried."""
        profile = self.profile()
        problems = profile.problems() if problems is None else problems
        if self._refused:  # the fields are of another server than the one that is meant
            problems = {**problems, "url": self._refused}
        plan = (
            "Correct what is marked first." if problems else f"{profile.plan()} {self.what_is_known(profile)}".strip()
        )
        if profile.environment is Environment.PRODUCTION:
            plan += " This is production."
        self.summary.setText(plan)
        self.changed.emit(not problems)

    def what_is_known(self, profile: Profile) -> str:
        """Return what a server has said of itself that bears on *profile*, if it is that server."""
        if self._facts is None or self._facts[0] != profile.address:
            return ""
        return self._facts[1].plan(profile)

    def learn(self, address: str, facts: Facts) -> None:
        """Take what the server at *address* says of itself: its limits, its databases."""
        self._facts = (address, facts)
        self.databases.setStringList(list(facts.databases))
        self.check()

    def forbid_keyring(self, why: str) -> None:
        """Say that passwords cannot be kept in a keyring here."""
        self.keep_password.setEnabled(False)
        self.keep_password.setChecked(False)
        self.keep_password.setText("The password is kept for this run only")
        self.keep_password.setToolTip(why)

    def allow_weak_passwords(self) -> None:
        """Tick what lets this server ask for the password in clear text or as md5, and show it."""
        self.more.setChecked(True)
        self.weak_passwords.setChecked(True)
        self.weak_passwords.setFocus()


def _halves(parent: QWidget | None = None) -> QGridLayout:
    """Return a grid of two columns of the same width, wherever it stands in the form."""
    grid = QGridLayout(parent) if parent is not None else QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(10)
    for column in (0, 1):
        grid.setColumnStretch(column, 1)
    return grid
