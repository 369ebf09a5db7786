"""Text from outside, made safe for the places where Qt guesses rich text."""

import html
import re

from PySide6.QtGui import Qt

_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_SEEN = str.maketrans({"\n": "↵", "\r": "↵", "\t": "⇥", **dict.fromkeys(_TURNING, "⇄")})
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
    """Return the beginning of *text* as one line, its line breaks shown as ↵.

    What would turn the letters behind it around is shown as ⇄: a name must not look like another one.
    """
    cut = text[:limit] + ("…" if len(text) > limit else "")
    return cut.replace("\r\n", "↵").translate(_SEEN)


def visible_space(text: str) -> str:
    """Return *text*, which has nothing to see, so that it can be seen: '' or a mark for each space."""
    return "".join("␣" if mark == " " else "⍽" if mark.isspace() else mark for mark in text) or "''"
