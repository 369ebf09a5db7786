"""The tour on a terminal: each step's words, the code that it runs, and what came of it."""

import re
import shutil
import textwrap
import time
from collections.abc import Sequence
from typing import TextIO

from pgexplorer.tour.bench import Bench
from pgexplorer.tour.listing import Listing
from pgexplorer.tour.news import Bars, News, Ran, Refused, Rows, Said
from pgexplorer.tour.steps import STEPS
from pgexplorer.units import duration

_INDENT = 5
_NARROWEST, _WIDEST, _WITHOUT_TERMINAL = 40, 100, 80
_BAR = 40  # cells of the longest bar
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a server's text must not drive the terminal
_STYLES = {"title": "1", "code": "36", "good": "32", "meant": "33", "bad": "31", "quiet": "2"}
_MARKS = {"code": "│", "good": "✓", "bad": "✗", "bar": "█"}
_ASCII_MARKS = {"code": "|", "good": "+", "bad": "x", "bar": "#"}


def run(out: TextIO, colour: bool, bench: Bench) -> int:
    """Take the whole tour on *bench* and print it to *out*.

    Blocks for its length, some seconds. Returns 0, or 1 where a call failed that the tour did not mean to fail: its
    steps go on all the same. Raises what writing to *out* raises.
    """
    paper = _Paper(out, colour)
    listing = Listing(bench)
    began = time.perf_counter()
    meant = failed = 0
    for number, step in enumerate(STEPS, 1):
        listing.added()
        paper.heading(f"{number}/{len(STEPS)}", step.title, step.text)
        started = time.perf_counter()
        for news in step.act(bench):
            if isinstance(news, Refused):
                meant += news.meant
                failed += not news.meant
            paper.code(listing.added())
            paper.news(news)
        paper.code(listing.added())
        paper.say(f"Step {number} took {duration(time.perf_counter() - started)}.", style="quiet")
        paper.line()
    refused = f"{meant} refusal{'' if meant == 1 else 's'}, as meant"
    summary = f"{len(STEPS)} steps in {duration(time.perf_counter() - began)}: {refused}"
    if failed:
        summary += f"; {failed} call{'' if failed == 1 else 's'} failed that should have worked, see above"
    paper.line(f"{summary}.", "bad" if failed else "good")
    return 1 if failed else 0


class _Paper:
    """Lines of the right width, in colour or without, in whatever characters *out* can take."""

    def __init__(self, out: TextIO, colour: bool) -> None:
        self._out = out
        self._colour = colour
        width = shutil.get_terminal_size((_WITHOUT_TERMINAL, 24)).columns if out.isatty() else _WITHOUT_TERMINAL
        self._width = min(_WIDEST, max(_NARROWEST, width))
        self._encoding = out.encoding or "utf-8"  # a StringIO has none and takes everything
        self._marks = _MARKS if self._can_write("".join(_MARKS.values())) else _ASCII_MARKS

    def heading(self, number: str, title: str, text: str) -> None:
        self.line(f"{number:<{_INDENT}}{title}", "title")
        self.say(text)
        self.line()

    def code(self, code: str) -> None:
        # Never wrapped: what is copied out must run.
        for line in code.splitlines():
            self.line(f"{' ' * _INDENT}{self._marks['code']} {line}".rstrip(), "code")

    def news(self, news: News) -> None:
        match news:
            case Said(text, took):
                self.say(f"{text}{_in_brackets(took)}")
            case Ran(outcome, took):
                self.say(f"{self._marks['good']} {outcome.said}{_in_brackets(took)}", style="good", hang=2)
            case Refused(explanation, _, meant, took):
                style = "meant" if meant else "bad"
                self.say(f"{self._marks['bad']} {explanation.title}{_in_brackets(took)}", style=style, hang=2)
                self.say(explanation.why, indent=_INDENT + 2)
                self.say(explanation.do, indent=_INDENT + 2)
            case Rows(columns, rows, title):
                self._table(title, columns, rows)
            case Bars(title, bars):
                self._bars(title, bars)

    def say(self, text: str, *, indent: int = _INDENT, hang: int = 0, style: str = "") -> None:
        for paragraph in text.splitlines():
            first, later = " " * indent, " " * (indent + hang)
            for line in textwrap.wrap(
                paragraph, self._width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
            ):
                self.line(line, style)

    def line(self, text: str = "", style: str = "") -> None:
        text = _CONTROLS.sub("�", text)
        if not self._can_write(text):
            text = text.encode(self._encoding, "replace").decode(self._encoding)
        if self._colour and style and text:
            text = f"\x1b[{_STYLES[style]}m{text}\x1b[0m"
        print(text, file=self._out, flush=True)

    def _table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
        indent = _INDENT
        if title:
            self.say(f"{title}:")
            indent += 2
        cells = [list(columns), *(["NULL" if cell is None else cell for cell in row] for row in rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(columns))]
        for number, row in enumerate(cells):
            text = "  ".join(cell.replace("\n", " ").ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line(self._cut(" " * indent + text.rstrip()), "" if number else "quiet")

    def _bars(self, title: str, bars: Sequence[tuple[str, float, str]]) -> None:
        self.say(f"{title}:")
        longest = max((value for _, value, _ in bars), default=0) or 1
        label_width = max((len(label) for label, _, _ in bars), default=0)
        text_width = max((len(text) for _, _, text in bars), default=0)
        room = max(5, min(_BAR, self._width - _INDENT - label_width - text_width - 6))
        for label, value, text in bars:
            bar = self._marks["bar"] * max(1, round(room * value / longest))
            self.line(self._cut(f"{' ' * _INDENT}  {label:<{label_width}}  {bar} {text}"))

    def _cut(self, text: str) -> str:
        return text if len(text) <= self._width else text[: self._width - 3] + "..."

    def _can_write(self, text: str) -> bool:
        try:
            text.encode(self._encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True


def _in_brackets(took: float) -> str:
    return f" ({duration(took)})" if took else ""
