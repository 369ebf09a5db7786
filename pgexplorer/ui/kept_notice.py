"""Says in the window which tables have changes that were kept when the program ended, and leads to them."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject

from pgexplorer.db.schema import Relation
from pgexplorer.models.kept import Head
from pgexplorer.ui.change_keeper import ChangeKeeper, Where, names_of
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.message_bar import MessageBar

_OFFERED = 3  # tables that have a button


class KeptNotice(QObject):
    """Offers to open the tables, in which the changes themselves are offered."""

    def __init__(
        self,
        changes: ChangeKeeper,
        message: MessageBar,
        where: Callable[[], Where | None],
        find: Callable[[str, str], Relation | None],
        open_table: Callable[[Relation], object],
    ) -> None:
        """*where* returns which database is in use, *find* the table of a schema and a name in it."""
        super().__init__(message)
        self._changes = changes
        self._message = message
        self._where = where
        self._find = find
        self._open_table = open_table
        self._said = ""  # what the message bar says
        changes.waiting.connect(self._tell)
        changes.offered.connect(self._take_back)
        changes.troubled.connect(self._tell_damaged)
        changes.unwritten.connect(self._tell_unwritten)

    def tell(self) -> None:
        """Say it, where there is something to say."""
        if found := self._changes.found:
            self._tell([each.kept.head for each in found])

    def _tell(self, heads: list[Head]) -> None:
        where = self._where()
        here = [head for head in heads if where == (head.server, head.database)]
        if where is not None and not here:
            return
        tables = names_of(here or heads)
        hint = "Open the table: they are offered there."
        if not here:
            there = ", ".join(dict.fromkeys("the demo" if each.server == "demo" else each.server for each in heads))
            hint = f"Connect to {plain.one_line(there, 120)}, then open the table: they are offered there."
        actions = [
            (f"Open {plain.one_line(head.table, 40)}", partial(self._open, head))
            for head in {(head.schema, head.table): head for head in here}.values()
        ][:_OFFERED]
        title = f"Changes of {tables} were not sent when the program ended."
        self._message.show_message("warning", title, "", hint, actions)
        self._said = self._message.text()

    def _take_back(self) -> None:
        if self._said and self._message.text() == self._said:
            self._message.clear()

    def _tell_damaged(self, which: str) -> None:
        words = f"{which}: set aside, in the folder damaged beside the tabs."
        self._message.show_message("warning", "Not all changes of rows could be restored", words)

    def _tell_unwritten(self, why: str) -> None:
        hint = "Send what is pending: it would be lost with the program."
        self._message.show_message("warning", "What you change is not on the disk", why, hint)

    def _open(self, head: Head) -> None:
        self._message.clear()
        if (relation := self._find(head.schema, head.table)) is not None:
            self._open_table(relation)
        else:
            words = f"{head.schema}.{head.table} is not there, or the schema is still being read"
            self._message.show_message("info", words, "", "Refresh the schema to see what is. The changes are kept.")
