"""The small pieces that forms of the lab are made of: named fields, pairs that never break, words, scroll areas."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QScrollArea, QSizePolicy, QWidget

from pgexplorer.ui import theme


def choice(name: str, words: str, options: Sequence[tuple[str, str]]) -> QComboBox:
    """Return a combo box of *options*, (text, data), named *name*; *words* say what is chosen."""
    result = QComboBox()
    for text, data in options:
        result.addItem(text, data)
    named(result, name, words)
    return result


def named(widget: QWidget, name: str, words: str, tip: str = "") -> None:
    """Give *widget* its object name, what a screen reader says, and a tool tip."""
    widget.setObjectName(name)
    widget.setAccessibleName(words)
    widget.setToolTip(tip or words)


def pair(*widgets: QWidget) -> QWidget:
    """Return *widgets* side by side as one, so that a row never breaks between them."""
    pair = QWidget()
    row = QHBoxLayout(pair)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(4)
    for widget in widgets:
        row.addWidget(widget)
    pair.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return pair


def heading(text: str) -> QLabel:
    """Return a heading of a part."""
    result = QLabel(text)
    result.setProperty("heading", 2)
    return result


def words(name: str, meaning: str, *, muted: bool = False) -> QLabel:
    """Return a wrapping label of plain text; *meaning* says what its words are."""
    result = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
    result.setObjectName(name)
    result.setAccessibleName(meaning)
    result.setProperty("muted", muted)
    return result


def scrolled(inside: QWidget) -> QScrollArea:
    """Return *inside* in a scroll area that is never narrower than it."""
    scroll = QScrollArea(widgetResizable=True)
    scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what it holds has the focus
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(inside)
    scroll.setMinimumHeight(theme.scaled(40))  # a row at least
    return scroll
