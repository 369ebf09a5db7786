"""Writing a long value, or one of several lines, in a window of its own; what is not touched stays as it was."""

import json
import re
from collections.abc import Callable
from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.ui import theme

MOST_EDITED: Final = 2_000_000  # characters: more would take long to lay out
LONGEST_LINE: Final = 200_000
_INDENT = "  "
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def too_large(text: str) -> bool:
    """Say whether *text* is more than can be written in such a window."""
    return len(text) > MOST_EDITED or any(len(line) > LONGEST_LINE for line in text.split("\n"))


class _Text(QPlainTextEdit):
    """Text as it was typed: Qt's own answer has a space for each no-break space."""

    @override
    def toPlainText(self) -> str:
        return self.document().toRawText().replace("\u2029", "\n")


class CellEditor(QDialog):
    """Asks for the value of a cell of type *kind*; `given` tells it, None for NULL."""

    given = Signal(object)
    default_wanted = Signal()

    def __init__(
        self,
        parent: QWidget,
        name: str,
        kind: str,
        text: str | None,
        *,
        may_be_null: bool = True,
        has_default: bool = False,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("cell_editor")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"{name} · {kind}" if kind else name)
        self._kind = kind
        self._was = text
        self._ends = "\r\n" if text and "\r\n" in text and "\n" not in text.replace("\r\n", "") else "\n"
        self.text = _Text()
        self.text.setObjectName("cell_editor.text")
        self.text.setAccessibleName(f"Value of {name}")
        self.text.setFont(theme.mono())
        self.text.setTabChangesFocus(True)
        self.text.setPlaceholderText("NULL" if text is None else "'' (an empty text)")
        self.text.setPlainText(text or "")
        self.text.document().setModified(False)
        self._said = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._said.setObjectName("cell_editor.said")
        self._said.setProperty("muted", True)
        self.text.textChanged.connect(self._say)
        row = QHBoxLayout()
        if kind in {"json", "jsonb"}:
            row.addWidget(self._button("Lay out", "cell_editor.lay_out", self.lay_out))
        if may_be_null:
            row.addWidget(self._button("Set NULL", "cell_editor.null", lambda: self._give(None)))
        if has_default:
            row.addWidget(self._button("Set DEFAULT", "cell_editor.default", self._give_default))
        row.addStretch(1)
        row.addWidget(self._button("Cancel", "cell_editor.cancel", self.reject))
        self.ok = self._button("OK", "cell_editor.ok", self._accept)
        self.ok.setProperty("primary", True)
        self.ok.setToolTip("Ctrl+Enter")
        self.ok.setShortcut("Ctrl+Return")
        row.addWidget(self.ok)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.addWidget(self.text, 1)
        column.addWidget(self._said)
        column.addLayout(row)
        self.resize(theme.scaled(640), theme.scaled(400))
        self._say()

    def value(self) -> str:
        """Return the text as it would be sent, with the line ends that it had."""
        text = self.text.toPlainText()
        return text.replace("\n", "\r\n") if self._ends == "\r\n" else text

    def lay_out(self) -> None:
        """Lay JSON out in lines; numbers and keys stay letter by letter, or nothing is done."""
        laid = _laid_out(self.text.toPlainText())
        if laid is not None:
            cursor = self.text.textCursor()
            cursor.select(cursor.SelectionType.Document)
            cursor.insertText(laid)  # which can be undone

    def _say(self) -> None:
        text = self.text.toPlainText()
        count = f"{len(text):,} character{'' if len(text) == 1 else 's'}"
        words = [count, *(["line ends CR LF"] if self._ends == "\r\n" else [])]
        if not self.text.document().isModified():
            if self._was is not None and self.value() != self._was:
                words.append("its carriage returns become line feeds if you change it")
        elif self._kind in {"json", "jsonb"}:
            words.append(_fault(text) or "reads as JSON")
        self._said.setText(" · ".join(words))

    def _accept(self) -> None:
        if self.text.document().isModified():
            self.given.emit(self.value())
        self.accept()

    def _give(self, value: str | None) -> None:
        self.given.emit(value)
        self.accept()

    def _give_default(self) -> None:
        self.default_wanted.emit()
        self.accept()

    @staticmethod
    def _button(words: str, name: str, call: Callable[[], object]) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(name)
        button.setAutoDefault(False)
        button.clicked.connect(lambda: call())  # noqa: PLW0108  (Qt passes `checked`)
        return button


def _fault(text: str) -> str:
    """Say where *text* is no JSON; "" where it is. The server has the last word."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return f"no JSON: {error.msg}, line {error.lineno}, column {error.colno}"
    except (ValueError, RecursionError):
        return ""
    return ""


def _laid_out(text: str) -> str | None:
    """Return JSON in lines, of the same letters but for spaces; None where it is none."""
    if _fault(text):
        return None
    pieces: list[str] = []
    depth = 0
    for token in _TOKENS.findall(text):
        if token in "{[":
            depth += 1
            pieces.append(f"{token}\n{_INDENT * depth}")
        elif token in "}]":
            depth -= 1
            is_empty = bool(pieces) and pieces[-1] == f"{'{' if token == '}' else '['}\n{_INDENT * (depth + 1)}"
            if is_empty:
                pieces[-1] = pieces[-1][0] + token
            else:
                pieces.append(f"\n{_INDENT * depth}{token}")
        elif token == ",":
            pieces.append(f",\n{_INDENT * depth}")
        else:
            pieces.append(": " if token == ":" else token)
    return "".join(pieces)
