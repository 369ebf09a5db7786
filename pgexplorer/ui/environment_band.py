"""The environment's word and colour across the window: nobody should have to look for them."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from pgexplorer.db.profile import Environment, Profile
from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain

# The word stands in the status bar too: the colour is never alone.
ROLES = {Environment.DEVELOPMENT: "accent", Environment.STAGING: "warn", Environment.PRODUCTION: "bad"}


class EnvironmentBand(QLabel):
    """In sight for staging and production."""

    def __init__(self) -> None:
        super().__init__(textFormat=Qt.TextFormat.PlainText)
        self.setObjectName("window.band")
        self.setMargin(theme.scaled(5))
        self.setIndent(theme.scaled(8))
        self.hide()

    def show_profile(self, profile: Profile | None) -> None:
        """Say of *profile*, the one in use, what it is; nothing without one."""
        role = ROLES[profile.environment] if profile is not None else "accent"
        self.setVisible(role != "accent")
        if profile is None or role == "accent":
            return
        reads = "read-only" if profile.read_only else "read-write"
        self.setText(plain.one_line(f"{str(profile.environment).upper()} · {profile.title} · {reads}", 160))
        if self.property("band") != role:
            self.setProperty("band", role)
            self.style().polish(self)
