"""Finds names among hundreds of thousands by a few letters, in steps short enough to be taken between two frames."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

_STEP = 4_096  # names between two breaths
_PIECE = 2_000  # names folded in one go
_HITS = 512  # hits between two breaths
_MARKS = "_.-/:,;()\"'`\t\r\x00\u00b7"
_SPACES = str.maketrans(dict.fromkeys((*_MARKS, "\n"), " "))
_SPACES_IN_LINES = str.maketrans(dict.fromkeys(_MARKS, " "))
TIERS = 6  # exact · begins with it · a word begins with it · it is in it · all words are in it · its letters in order


def folded(text: str) -> str:
    """Return *text* as it is compared: lower case, and whatever separates words a space."""
    return text.lower().translate(_SPACES)


class Index:
    """Names with what surrounds them (a table of a column), in the order given. Made once, on any thread."""

    def __init__(self, names: Sequence[str], contexts: Sequence[str] | None = None) -> None:
        self.names = names
        self._names = _Lines(names)
        self._contexts = _Lines(contexts) if contexts is not None else None

    def __len__(self) -> int:
        return len(self.names)

    def find(self, typed: str, tier: int) -> Iterator[int | None]:
        """Yield the numbers of the names that *typed*, which is folded, finds in *tier*; None to take a breath.

        Names that a better tier has found come again.
        """
        words = typed.split()
        if not words:
            return iter(())
        phrase = " ".join(words)
        if tier == 0:
            return self._names.holding(f"\n{phrase}\n")
        if tier == 1:
            return self._names.holding(f"\n{phrase}")
        if tier == 2:
            return self._names.holding(f" {phrase}")
        if tier == 3:
            return self._names.holding(phrase)
        if tier == 4:
            return self._with_all(words) if len(words) > 1 else iter(())
        return self._names.spelling(phrase.replace(" ", ""))

    def _with_all(self, words: list[str]) -> Iterator[int | None]:
        anchor = max(words, key=len)
        others = [word for word in words if word is not anchor]
        for lines in (self._names, self._contexts):
            if lines is None:
                continue
            for count, number in enumerate(lines.holding(anchor)):
                if number is None or count % _HITS == _HITS - 1:
                    yield None
                if number is not None:
                    whole = self._names.line(number)
                    if self._contexts is not None:
                        whole = f"{whole} {self._contexts.line(number)}"
                    if all(word in whole for word in others):
                        yield number


class _Lines:
    """Texts as the lines of one: what scans them is C."""

    def __init__(self, texts: Sequence[str]) -> None:
        # In pieces: a worker that makes it lets go of the interpreter between them, and the window goes on.
        pieces: list[str] = []
        lengths: list[int] = []
        for first in range(0, len(texts), _PIECE):
            some = texts[first : first + _PIECE]
            piece = "\n".join(some)
            if piece.count("\n") >= len(some):  # a name may hold a line break
                piece = "\n".join(text.replace("\n", " ") for text in some)
            piece = piece.lower().translate(_SPACES_IN_LINES)  # as folded() does, in one go
            pieces.append(piece)
            lengths += [len(line) + 1 for line in piece.split("\n")]
        self._text = "\n" + "\n".join(pieces) + "\n"
        self._starts = [0, *accumulate(lengths)]  # of the line break before each

    def line(self, number: int) -> str:
        return self._text[self._starts[number] + 1 : self._starts[number + 1]]

    def holding(self, needle: str) -> Iterator[int | None]:
        """Yield the number of each line in which *needle* stands; its line breaks are those around the line."""
        find, starts = self._text.find, self._starts
        last = len(starts) - 1
        for first in range(0, last, _STEP):
            end = starts[min(last, first + _STEP)] + 1
            place = find(needle, starts[first], end)
            while place >= 0:
                number = bisect_right(starts, place) - 1
                yield number
                place = find(needle, starts[number + 1], end)
            yield None

    def spelling(self, letters: str) -> Iterator[int | None]:
        """Yield the number of each line that has *letters* in their order, from the start of a word on."""
        if len(letters) < 2:
            return
        rest = "".join(f"[^\n{re.escape(letter)}]*+{re.escape(letter)}" for letter in letters[1:])
        search, starts = re.compile(f"[\n ]{re.escape(letters[0])}{rest}").search, self._starts
        last = len(starts) - 1
        for first in range(0, last, _STEP // 4):
            end = starts[min(last, first + _STEP // 4)] + 1
            match = search(self._text, starts[first], end)
            while match is not None:
                number = bisect_right(starts, match.start()) - 1
                yield number
                match = search(self._text, starts[number + 1], end)
            yield None


def ranked(
    indexes: Sequence[Index], typed: str, most: int, used: set[tuple[int, int]] | None = None, *, looked_at: int = 0
) -> Iterator[tuple[int, int] | None]:
    """Yield what *typed*, which is folded and not empty, finds in *indexes*, the best first; None to take a breath.

    Each is the number of an index and a number in it. Tiers come one after the other, in each the indexes in their
    order with *most* at most, the short names first: the shortest of the first *most*, or of *looked_at* that fit. What
    is in *used* is left out, and what is yielded is put there.
    """
    looked_at = max(most, looked_at)
    known = set[tuple[int, int]]() if used is None else used
    for tier in range(TIERS):
        for at, index in enumerate(indexes):
            fresh: list[int] = []
            for number in index.find(typed, tier):
                if number is None:
                    yield None
                elif (at, number) not in known:
                    fresh.append(number)
                    if len(fresh) >= looked_at:
                        break
            names = index.names
            for number in sorted(dict.fromkeys(fresh), key=lambda number: len(names[number]))[:most]:
                known.add((at, number))
                yield at, number


def tier_of(name: str, typed: str) -> int:
    """Return the best tier in which *typed*, which is folded, finds *name* alone; TIERS where none does."""
    index = Index([name])
    return next((tier for tier in range(TIERS) if any(hit == 0 for hit in index.find(typed, tier))), TIERS)


def places(text: str, typed: str) -> set[int]:
    """Return which characters of *text* the folded *typed* stands for, to be shown; those of the best tier."""
    line = folded(text)
    if len(line) != len(text):  # a letter whose lower case is longer
        return set()
    words = typed.split()
    phrase = " ".join(words)
    at = 0 if line.startswith(phrase) else line.find(f" {phrase}") + 1 or line.find(phrase)
    if at >= 0 and phrase:
        return set(range(at, at + len(phrase)))
    found: set[int] = set()
    if len(words) > 1:
        for word in words:
            if (at := line.find(word)) >= 0:
                found |= set(range(at, at + len(word)))
        return found
    for start in (place for place in range(len(line)) if line[place] == phrase[:1]):
        if start and line[start - 1] != " ":
            continue
        found, at = {start}, start
        for letter in phrase[1:]:
            at = line.find(letter, at + 1)
            if at < 0:
                break
            found.add(at)
        else:
            return found
    return set()
