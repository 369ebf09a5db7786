"""Text from outside, made safe for the places where Qt guesses rich text."""

import html
import re

from PySide6.QtGui import Qt

_LONG_WORD = re.compile(r"\S{24}(?=\S)")


def tool_tip(text: str) -> str:
    """Return *text* so that a tool tip shows it letter by letter, whatever it looks like."""
    if not Qt.mightBeRichText(text):
        return text
    return f'<div style="white-space: pre-wrap">{html.escape(text)}</div>'


def breakable(text: str) -> str:
    """Return *text* with places to break in its very long words, for labels that wrap between words only."""
    return _LONG_WORD.sub(lambda match: match.group() + "\u200b", text)


def one_line(text: str, limit: int = 400) -> str:
    """Return the beginning of *text* as one line, its line breaks shown as ↵."""
    cut = text[:limit] + ("…" if len(text) > limit else "")
    return cut.replace("\r\n", "↵").replace("\n", "↵").replace("\r", "↵").replace("\t", "⇥")


def visible_space(text: str) -> str:
    """Return *text*, which has nothing to see, so that it can be seen: '' or a mark for each space."""
    return "".join("␣" if mark == " " else "⍽" if mark.isspace() else mark for mark in text) or "''"
