"""The actions by which the rows of a table are changed, and which of them can be done now."""

from PySide6.QtGui import QAction

from pgexplorer.db.table.changes import DEFAULT
from pgexplorer.ui.actions import Action
from pgexplorer.ui.table.editing import TableEditing
from pgexplorer.ui.table.grid import TableGrid
from pgexplorer.ui.table.sending import TableSending

ON_BAR = ("undo", "redo", "review", "drop", "send")
IN_MENU = ("edit", "null", "default", "paste", "insert", "duplicate", "delete")


def editing_actions(grid: TableGrid, editing: TableEditing, sending: TableSending) -> list[Action]:
    """Return the actions, in the order in which menus show them."""
    return [
        Action("table.edit", "Edit in a window…", grid.write_in_window, "Shift+F2", "edit"),
        Action("table.null", "Set NULL", lambda: editing.give(None), "Ctrl+0"),
        Action("table.default", "Set DEFAULT", lambda: editing.give(DEFAULT), "Ctrl+Alt+0"),
        Action("table.insert", "Insert a row", editing.insert_row, "Ctrl+Alt+I", "plus"),
        Action("table.duplicate", "Duplicate rows", editing.duplicate_rows, "Ctrl+Alt+D", "copy"),
        Action("table.delete", "Delete rows", editing.delete_rows, "Ctrl+Alt+Backspace", "trash"),
        Action("table.paste", "Paste cells", editing.paste, icon="check-in"),
        Action("table.undo", "Undo a change", editing.undo, "Ctrl+Z", "undo"),
        Action("table.redo", "Redo a change", editing.redo, "Ctrl+Shift+Z; Ctrl+Y", "redo"),
        Action("table.review", "Review SQL…", sending.review, "Ctrl+Shift+S", "code"),
        Action("table.drop", "Drop changes", editing.drop, "", "close"),
        Action("table.send", "Send changes", sending.send, "Ctrl+S", "upload", "Send all in one transaction"),
    ]


def enable(actions: dict[str, QAction], editing: TableEditing, sending: TableSending) -> None:
    """Offer what can be done now."""
    pending, idle = editing.model.pending, not sending.is_running
    idle = idle and not editing.is_pasting
    writable = idle and not editing.why_not()
    for name in IN_MENU:
        actions[f"table.{name}"].setEnabled(writable)
    actions["table.drop"].setEnabled(idle and bool(pending))
    for name in ("review", "send"):  # also with nothing pending: what is being typed is taken with them
        actions[f"table.{name}"].setEnabled(idle and (bool(pending) or writable))
    actions["table.undo"].setEnabled((idle and pending.can_undo) or editing.is_pasting)
    actions["table.redo"].setEnabled(idle and pending.can_redo)
