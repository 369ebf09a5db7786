"""What a key does in the SQL editor, as rows; and PostgreSQL as the language that it is told."""

from collections.abc import Iterator
from functools import partial

from PySide6.QtCore import Qt

from pgexplorer.db import statements, tokens
from pgexplorer.ui.actions import Action
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets.sql_editor import Language, SqlEditor


def _ranges(text: str, start: int) -> Iterator[tuple[int, int]]:
    return ((each.start, each.stop) for each in statements.statements(text, start))


POSTGRESQL = Language(tokens.styled, tokens.next_state, _ranges)


def add_commands(panel: Panel, editor: SqlEditor) -> list[str]:
    """Make the actions of *editor* and return their names. Their keys work in it alone, its find bar included."""
    lines = [
        Action(
            "query.comment", "Comment", editor.toggle_comment, "Ctrl+Shift+/; Ctrl+?", tip="Comment the lines, or not"
        ),
        Action("query.line_up", "Move lines up", partial(editor.move_lines, -1), "Alt+Up"),
        Action("query.line_down", "Move lines down", partial(editor.move_lines, 1), "Alt+Down"),
        Action("query.duplicate", "Duplicate lines", editor.duplicate_lines, "Alt+Shift+Down"),
        Action("query.duplicate_up", "Duplicate lines above", partial(editor.duplicate_lines, -1), "Alt+Shift+Up"),
        Action("query.delete_lines", "Delete lines", editor.delete_lines, "Ctrl+Shift+K"),
    ]
    whole = [
        Action("query.find", "Find…", editor.find, "Ctrl+F", "search"),
        Action("query.replace", "Replace…", editor.replace, "Ctrl+H"),
        Action("query.find_next", "Find next", editor.find_next, "F3"),
        Action("query.find_previous", "Find previous", editor.find_previous, "Shift+F3"),
        Action("query.zoom_in", "Larger text", partial(editor.zoom_by, 1), "Ctrl++; Ctrl+="),
        Action("query.zoom_out", "Smaller text", partial(editor.zoom_by, -1), "Ctrl+-"),
        Action("query.zoom_reset", "Usual text size", partial(editor.set_zoom, 1), "Ctrl+0"),
    ]
    for rows, context in (
        (lines, Qt.ShortcutContext.WidgetShortcut),
        (whole, Qt.ShortcutContext.WidgetWithChildrenShortcut),
    ):
        panel.add_actions(rows)
        for row in rows:
            action = panel.action(row.name)
            panel.removeAction(action)
            action.setShortcutContext(context)
            editor.addAction(action)
    return [row.name for row in (*whole[:2], *lines, *whole[2:])]
