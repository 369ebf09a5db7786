"""What is asked before an object is named, commented on or dropped."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from pgexplorer.db.dependents import Dependents
from pgexplorer.db.encoding import shown
from pgexplorer.db.object_actions import problem
from pgexplorer.db.objects import DbObject
from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain

_MOST_LINES = 1_000
_EASY = 40  # characters of a name that are typed to confirm; for others a word is
_WORD = "drop"


class _Dialog(QDialog):
    """A heading, what is asked, a muted line, and two buttons; it goes when it is closed."""

    def __init__(self, parent: QWidget, name: str, title: str, go: str, heading: str = "") -> None:
        super().__init__(parent.window())
        self.setObjectName(name)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._name = name
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(*[theme.scaled(18)] * 4)
        self._column.setSpacing(theme.scaled(10))
        head = _label(heading or title)
        head.setProperty("heading", 1)
        self._column.addWidget(head)
        self.note = _label("")
        self.note.setObjectName(f"{name}.note")
        self.note.setProperty("muted", True)
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.go = self._buttons.button(QDialogButtonBox.StandardButton.Ok)
        self.go.setObjectName(f"{name}.go")
        self.go.setText(go)
        cancel = self._buttons.button(QDialogButtonBox.StandardButton.Cancel)
        cancel.setObjectName(f"{name}.cancel")
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)

    def _lay_out(self, *widgets: QWidget) -> None:
        for widget in (*widgets, self.note, self._buttons):
            self._column.addWidget(widget)

    def _field(self, text: str, words: str) -> QLineEdit:
        field = QLineEdit(text)
        field.setObjectName(f"{self._name}.name")
        field.setAccessibleName(words)
        field.setProperty("mono", True)
        field.setMinimumWidth(theme.scaled(380))
        return field


class NameDialog(_Dialog):
    """Asks for a name that the server can keep whole, and may offer something to begin from."""

    def __init__(
        self,
        parent: QWidget,
        name: str,
        title: str,
        go: str,
        *,
        before: str = "",
        note: str = "",
        choices: Sequence[str] = (),
    ) -> None:
        """*before* is the name to change, *choices* are databases to copy, of which the first is the usual one."""
        super().__init__(parent, name, title, go)
        self._before = before
        self._note = note
        self.field = self._field(before, "Name")
        self.template = QComboBox()
        self.template.setObjectName(f"{name}.template")
        self.template.setAccessibleName("Copy of")
        self.template.addItems([plain.one_line(each, 80) for each in choices])
        asked = _label("It begins as a copy of")
        for widget in (asked, self.template):
            widget.setVisible(bool(choices))
        self._lay_out(self.field, asked, self.template)
        self.field.textChanged.connect(self._typed)
        self._typed(before)
        self.field.setFocus()
        self.field.selectAll()

    def _typed(self, text: str) -> None:
        words = problem(text)
        self.go.setEnabled(not words and text != self._before)
        self.note.setText(words if words and text else self._note)


class CommentDialog(_Dialog):
    """Asks for a comment of any length; an empty one takes it away."""

    def __init__(self, parent: QWidget, found: DbObject, before: str) -> None:
        title = f"Comment on {found.kind.word} {plain.one_line(shown(found.name), 60)}"
        super().__init__(parent, "schema.comment_dialog", title, "Set the comment")
        self._before = before
        self.text = QPlainTextEdit(before)
        self.text.setObjectName("schema.comment_dialog.text")
        self.text.setAccessibleName("Comment")
        self.text.setTabChangesFocus(True)
        self.text.setMinimumSize(theme.scaled(420), theme.scaled(120))
        self.text.textChanged.connect(self._typed)
        self._lay_out(self.text)
        self.note.setText("An empty comment takes it away.")
        self._typed()
        self.text.setFocus()

    def _typed(self) -> None:
        self.go.setEnabled(self.text.toPlainText() != self._before)


class DropDialog(_Dialog):
    """Shows what goes with an object, and takes its name, typed, for a yes."""

    def __init__(self, parent: QWidget, found: DbObject, dependents: Dependents, statement: str) -> None:
        name = plain.one_line(shown(found.name), 80)
        super().__init__(parent, "schema.drop_dialog", f"Drop {found.kind.word} {name}", "Drop it")
        self.wanted = found.name if _is_easy(found.name) else _WORD
        cascaded, parts = dependents.cascaded, dependents.parts
        widgets: list[QWidget] = []
        if dependents.blocking:
            widgets.append(_label("The server will refuse while this stands in the way:"))
            widgets.append(self._list(dependents.blocking, "What stands in the way"))
        elif cascaded:
            count = "one other object goes" if len(cascaded) == 1 else f"{len(cascaded):,} other objects go"
            told = _label(f"CASCADE: {count} with it, because they depend on it")
            told.setProperty("heading", 2)
            widgets += [told, self._list([each.words for each in cascaded], "What goes with it")]
        else:
            widgets.append(_label("Nothing else depends on it."))
        if parts and not dependents.blocking:
            told = _label(_parts_words([each.words for each in parts]))
            told.setProperty("muted", True)
            widgets.append(told)
        sql = QLineEdit(plain.one_line(statement), readOnly=True)
        sql.setObjectName("schema.drop_dialog.statement")
        sql.setAccessibleName("The statement")
        sql.setProperty("mono", True)
        sql.setCursorPosition(0)
        self.field = self._field("", "What is typed for a yes")
        what = "its name" if self.wanted == found.name else "the word"
        self._lay_out(*widgets, sql, _label(f"Type {what} to go on:  {self.wanted}"), self.field)
        self.note.setText("This cannot be undone.")
        self.go.setProperty("danger", True)
        self.go.setEnabled(False)
        self.field.textChanged.connect(self._typed)
        self.field.setFocus()

    def _typed(self, text: str) -> None:
        self.go.setEnabled(text.strip() == self.wanted)

    def _list(self, lines: Sequence[str], words: str) -> QPlainTextEdit:
        shown_lines = [plain.one_line(line) for line in lines[:_MOST_LINES]]
        more = [f"… and {len(lines) - _MOST_LINES:,} more"] if len(lines) > _MOST_LINES else []
        field = QPlainTextEdit("\n".join([*shown_lines, *more]), readOnly=True)
        field.setObjectName("schema.drop_dialog.dependents")
        field.setAccessibleName(words)
        field.setProperty("mono", True)
        field.setMinimumWidth(theme.scaled(480))
        field.setFixedHeight((min(8, len(lines)) + 1) * field.fontMetrics().lineSpacing() + theme.scaled(14))
        return field


def ask_then(dialog: QDialog, then: Callable[[], object]) -> None:
    """Open *dialog*, and call *then* when it is accepted. Returns at once."""
    dialog.accepted.connect(then)
    dialog.open()


def _parts_words(parts: Sequence[str]) -> str:
    """Say what belongs to an object: by name where that is short, else how many of each kind."""
    kinds: dict[str, int] = {}
    for words in parts:
        kind = next((each for each in _PARTS if words.startswith(f"{each} ")), "")
        if kind and _OF_A_KEY not in words:
            kinds[kind] = kinds.get(kind, 0) + 1
    if not kinds:
        return "What belongs to it goes too."
    told = [f"{count:,} {kind if count == 1 else _PARTS[kind]}" for kind, count in kinds.items()]
    return f"What belongs to it goes too: {', '.join(told)}."


_OF_A_KEY = '"RI_ConstraintTrigger_'  # with which the server keeps a foreign key
_PARTS = {  # in the server's words, where they are English; others are not counted
    "table": "tables",
    "index": "indexes",
    "constraint": "constraints",
    "trigger": "triggers",
    "policy": "policies",
    "rule": "rules",
    "sequence": "sequences",
    "function": "functions",
}


def _is_easy(name: str) -> bool:
    """Whether anybody can type it, and see that it is the same."""
    return len(name) <= _EASY and name.isascii() and name.isprintable() and name == name.strip()


def _label(text: str) -> QLabel:
    return QLabel(text, textFormat=Qt.TextFormat.PlainText, wordWrap=True)
