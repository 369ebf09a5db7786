"""Colours a document of any length: what is open at each line is kept, and only lines in sight are coloured.

Qt's own highlighter colours a whole text when it is set, and every line below a quote that is opened, before it
returns. Here a change is followed down to the last line in sight at once, and the rest of the way in slices while
nothing else happens.
"""

import time
from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtGui import QTextBlock, QTextCharFormat, QTextDocument, QTextLayout

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.sql_language import Language, Part
from pgexplorer.ui.widgets.text_places import units

_SLICE = 0.004  # seconds of work between two turns of the event loop
_LOOKS = 64  # lines between two looks at the clock
_LONGEST = 20_000  # characters of a line that is coloured
_STATES = 4096  # that are told apart at a time
ROLES = {
    "keyword": "keyword",
    "type": "type",
    "function": "function",
    "string": "string",
    "quoted": "text",
    "number": "number",
    "comment": "comment",
    "operator": "operator",
    "bracket": "operator",
    "parameter": "parameter",
}


class Highlighter(QObject):
    """Keeps *document* coloured where *in_sight* says that it is seen: the numbers of the first and the last line."""

    coloured = Signal(int, int)  # the first and the last line that are to be painted anew

    def __init__(self, document: QTextDocument, language: Language, in_sight: Callable[[], tuple[int, int]]) -> None:
        super().__init__(document)
        self._document = document
        self._language = language
        self._in_sight = in_sight
        self._starts: list[str] = [""]  # the state at the start of each line
        # Of the line `_from` the start is right, and what follows it is not, at least up to the line `_to`.
        self._from, self._to = 0, -1
        self._done = (0, -1)  # the lines in sight when all of them were coloured, as long as that is so
        self._generation = 0
        self._numbers: dict[str, int] = {}  # of the states
        self._formats: dict[str, QTextCharFormat] = {}
        self._idle = QTimer(self, interval=0)
        self._idle.timeout.connect(self._go_on)
        self._dress()
        document.contentsChange.connect(self._changed)
        document.contentsChanged.connect(self.colour_in_sight)  # once Qt has laid the change out
        self._changed(0, 0, document.characterCount() - 1)

    @property
    def is_busy(self) -> bool:
        """Whether lines out of sight are still to be read."""
        return self._to >= 0

    def state_before(self, line: int) -> str:
        """Return the state at the start of *line*, 0-based; reads up to there where that is still to be done."""
        self._read_to(line)
        return self._starts[line] if line < len(self._starts) else ""

    def parts(self, block: QTextBlock) -> list[Part]:
        """Return the coloured parts of one line, in code points."""
        text = block.text()
        if len(text) > _LONGEST:
            return []
        return list(self._language.styled(text, self.state_before(block.blockNumber()))[0])

    def dress(self) -> None:
        """Colour anew, in the theme's colours."""
        self._dress()
        self._forget()
        self.colour_in_sight()

    def colour_in_sight(self) -> None:
        """Colour the lines in sight that are not yet, and say which those were."""
        first, last = self._in_sight()
        if (first, last) == self._done:
            return
        self._read_to(last)
        self._done = first, last
        block = self._document.findBlockByNumber(first)
        lines: list[int] = []
        layout = self._document.documentLayout()
        blocked = layout.blockSignals(True)
        for line in range(first, last + 1):
            if not block.isValid():
                break
            number = self._number(self._starts[line])
            if block.userState() != number:
                self._colour(block, self._starts[line])
                block.setUserState(number)
                lines.append(line)
            block = block.next()
        if lines:
            # Qt would have the whole view painted for a line: a change is counted twice, as removed and as added, and
            # more than one line counts as all. No line becomes higher by its colours, so its signals are not needed.
            self._document.markContentsDirty(self._document.findBlockByNumber(lines[0]).position(), 1)
        layout.blockSignals(blocked)
        if lines:
            self.coloured.emit(lines[0], lines[-1])

    def _dress(self) -> None:
        self._formats = {}
        for role, colour in ROLES.items():
            style = QTextCharFormat()
            style.setForeground(theme.colour(colour))
            style.setFontItalic(role == "comment")
            self._formats[role] = style

    def _forget(self) -> None:
        self._done = (0, -1)
        self._generation += 1
        self._numbers.clear()

    def _number(self, state: str) -> int:
        """Return the number that says of a block that it was coloured from *state* on."""
        found = self._numbers.get(state)
        if found is None:
            if len(self._numbers) >= _STATES:
                self._forget()
            found = self._numbers[state] = len(self._numbers)
        return self._generation % 100_000 * _STATES + found

    def _changed(self, position: int, _removed: int, added: int) -> None:
        document = self._document
        self._done = (0, -1)
        first = max(0, document.findBlock(position).blockNumber())
        last_block = document.findBlock(position + added)
        last = last_block.blockNumber() if last_block.isValid() else document.blockCount() - 1
        grown = document.blockCount() - len(self._starts)
        if grown > 0:
            self._starts[first + 1 : first + 1] = [""] * grown
        elif grown < 0:
            del self._starts[first + 1 : first + 1 - grown]
        if self._to >= 0:
            self._to = max(last, self._to + grown if self._to > first else self._to)
            self._from = min(first, self._from)
        else:
            self._from, self._to = first, last
        if last - first > 1000:
            self._forget()  # sooner than one by one
        else:
            block = document.findBlockByNumber(first)
            for _ in range(first, last + 1):
                block.setUserState(-1)
                block = block.next()
        if self._to >= 0:
            self._idle.start()

    def _read_to(self, line: int) -> None:
        if self._to >= 0 and self._from < line:
            self._read(line, None)

    def _go_on(self) -> None:
        self._read(len(self._starts), time.perf_counter() + _SLICE)
        if self._to < 0:
            self._idle.stop()

    def _read(self, until: int, deadline: float | None) -> None:
        """Find the states of the lines up to *until*, which may stop short where nothing changes any more."""
        starts, line, to = self._starts, self._from, self._to
        next_state = self._language.next_state
        block = self._document.findBlockByNumber(line)
        last = len(starts) - 1
        while line < until:
            if line >= last:
                to = -1
                break
            state = next_state(block.text(), starts[line])
            line += 1
            if starts[line] == state and line > to:
                to = -1
                break
            starts[line] = state
            block = block.next()
            if deadline is not None and not line % _LOOKS and time.perf_counter() > deadline:
                break
        self._from, self._to = line, to

    def _colour(self, block: QTextBlock, state: str) -> None:
        text = block.text()
        ranges: list[QTextLayout.FormatRange] = []
        if len(text) <= _LONGEST:
            plain = len(text) == block.length() - 1
            for role, start, end in self._language.styled(text, state)[0]:
                style = self._formats.get(role)
                if style is not None:
                    piece = QTextLayout.FormatRange()
                    piece.start = start if plain else units(text, start)  # type: ignore[attr-defined]
                    piece.length = (end if plain else units(text, end)) - piece.start  # type: ignore[attr-defined]
                    piece.format = style  # type: ignore[attr-defined]
                    ranges.append(piece)
        layout = block.layout()
        composed = len(layout.preeditAreaText())
        if composed:  # what is being composed shifts what stands behind it
            at = layout.preeditAreaPosition()
            for piece in ranges:
                if piece.start >= at:  # type: ignore[attr-defined]
                    piece.start += composed  # type: ignore[attr-defined]
                elif piece.start + piece.length > at:  # type: ignore[attr-defined]
                    piece.length += composed  # type: ignore[attr-defined]
        layout.setFormats(ranges)
