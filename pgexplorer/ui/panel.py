"""What a panel is: a title, an icon, its actions and a message bar."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from pgexplorer.db.errors import RefusedSql, describe
from pgexplorer.pool.errors import holders
from pgexplorer.server import Server
from pgexplorer.ui.actions import Action, Reachable
from pgexplorer.ui.widgets.message_bar import MessageBar

_FULL = ("PoolError: connection pool exhausted", "PoolExhausted:", "PoolTimeout:")


class Panel(QWidget):
    """A part of the window with one subject. It is told everything by its constructor and by signals."""

    TITLE = ""
    ICON = ""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(self.TITLE)
        self.message = MessageBar(self)
        self.message.setObjectName(f"{name}.message")
        self.actions_by_name: dict[str, QAction] = {}

    def add_actions(self, rows: Sequence[Action]) -> None:
        """Make the panel's actions of *rows*; menus show them in this order."""
        for row in rows:
            action = row.build(self)
            self.actions_by_name[row.name] = action
            self.addAction(action)

    def leave(self) -> None:
        """Stop hearing what is still under way: the panel is about to go."""

    def may_leave(self) -> bool:
        """Return whether the panel may go; asks the person where something would be lost."""
        return True

    def reachable(self, reveal: Callable[[], object] | None = None) -> list[Reachable]:
        """Return the panel's actions; *reveal* brings the panel into sight."""
        return [Reachable(action, self.TITLE, reveal) for action in self.actions_by_name.values()]

    def action(self, name: str) -> QAction:
        """Return the action *name*."""
        return self.actions_by_name[name]


def show_failure(bar: MessageBar, error: Any, server: Server, again: Any = None) -> None:
    """Show what a job failed with: a full pool says who holds what, everything else its own words.

    *again* is what a "Try again" button calls; nothing is ever tried again by itself.
    """
    retry = [("Try again", again)] if again is not None else []
    words = describe(error)
    if isinstance(error, RefusedSql):
        bar.show_message("warning", str(error))
        return
    if words.title.startswith(_FULL) and server.in_use is not None:
        pool = server.in_use.pool
        who = holders(pool.slots(patient=False))
        count = "The one connection is" if pool.maxconn == 1 else f"All {pool.maxconn} connections are"
        bar.show_message(
            "warning",
            words.title,
            f"{count} out: {who}." if who else "",
            "Return one in the pool panel, then try again. The text is kept.",
            retry,
        )
        return
    if words.title.endswith(": connection pool is closed"):
        bar.show_message("warning", words.title, "", "Reopen the pool in the pool panel, then try again.", retry)
        return
    bar.show_message("error", words.heading, words.detail, words.hint, retry)
