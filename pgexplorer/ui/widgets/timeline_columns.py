"""Columns of a lane: where spans are narrower than a pixel, the share of the time is a byte and the bytes an image."""

from collections.abc import Sequence
from functools import cache

from pgexplorer.ui.widgets.timeline_source import SharesLike, TimelineSource

LEVELS = 6  # heights of a column


def _codes() -> tuple[dict[tuple[int, int, int, int], int], list[tuple[int, int, int, int]]]:
    found: list[tuple[int, int, int, int]] = [
        (running, waiting, failed, rest)
        for running in range(LEVELS + 1)
        for waiting in range(LEVELS + 1 - running)
        for failed in range(LEVELS + 1 - running - waiting)
        for rest in range(LEVELS + 1 - running - waiting - failed)
    ]
    return {levels: code for code, levels in enumerate(found)}, found


_CODE, HEIGHTS = _codes()  # 210: each fits into a byte


@cache
def _code(held: int, running: int, waiting: int, failed: int) -> int:
    """Return the code of a column in which each was seen for so many sixths."""
    parts = [running, waiting, failed]
    while sum(parts) > LEVELS:
        parts[parts.index(max(parts))] -= 1
    rest = max(0, min(LEVELS, held) - sum(parts))
    return _CODE[parts[0], parts[1], parts[2], rest]


def column_codes(shares: SharesLike, missing: Sequence[float] | None, width: float) -> bytes:
    """Return a byte for each column of *width* seconds: how high its states stand, by what was seen of it.

    What happened at all is seen: it stands a sixth high at least.
    """
    codes = bytearray(len(shares.held))
    for place, held in enumerate(shares.held):
        if held <= 0:
            continue
        running, waiting, failed = shares.running[place], shares.in_transaction[place], shares.failed[place]
        seen = width
        if missing is not None and missing[place] > 0:
            seen = max(width - missing[place], width * 0.02, held)
        scale = LEVELS / seen
        codes[place] = _code(
            int(held * scale + 0.5) or 1,
            (int(running * scale + 0.5) or 1) if running > 0 else 0,
            (int(waiting * scale + 0.5) or 1) if waiting > 0 else 0,
            (int(failed * scale + 0.5) or 1) if failed > 0 else 0,
        )
    return bytes(codes)


class Columns:
    """A lane's columns on one scale: those of the settled past are kept from paint to paint."""

    __slots__ = ("codes", "final", "first", "width")

    def __init__(self, width: float) -> None:
        self.width = width
        self.first = self.final = 0  # the number of the first one, and of the first that may change
        self.codes: bytes = b""

    def unknown(self, first: int, after: int) -> int:
        """Return how many of the columns from *first* to *after* would have to be counted."""
        return after - first - max(0, min(after, self.final) - max(first, self.first))

    def between(self, source: TimelineSource, lane: int, first: int, after: int, now: float) -> bytes:
        """Return the columns numbered from *first* to *after*, which begin at their number times the width."""
        width = self.width

        def fresh(begin: int, end: int) -> bytes:
            if end <= begin:
                return b""
            missing = source.missing(begin * width, width, end - begin) if source.missed else None
            return column_codes(source.shares(lane, begin * width, width, end - begin, now), missing, width)

        if first > self.final or after < self.first or self.final <= self.first:
            codes = fresh(first, after)
        else:
            old = self.codes[max(0, first - self.first) : max(0, min(after, self.final) - self.first)]
            begin = max(first, self.first)
            codes = fresh(first, begin) + old
            codes += fresh(first + len(codes), after)
        settled = min(
            int(source.settled(lane) // width) - 1, int(now // width)
        )  # told of later than *now* is not counted
        self.first, self.final, self.codes = first, max(first, min(after, settled)), codes
        return codes


def row_tables(height: int) -> list[bytes]:
    """Return for each row of pixels, the top one first, which colour each code has there.

    1 running, 2 in transaction, 3 failed, 4 held, each from below; 5 and 6 are stripes that tell two of them apart
    without colours.
    """
    tables: list[bytes] = []
    for row in range(height):
        up = height - 1 - row
        level = up * LEVELS // height
        table = bytearray(256)
        for code, heights in enumerate(HEIGHTS):
            below = 0
            for ink, high in enumerate(heights, 1):
                if below <= level < below + high:
                    table[code] = 5 if ink == 2 and up % 4 == 1 else 6 if ink == 3 and up % 2 else ink
                    break
                below += high
        tables.append(bytes(table))
    return tables


@cache
def graph_tables(height: int) -> list[bytes]:
    """Return for each row of pixels, the top one first, which colour a value has there: 1 below it, 2 at its top."""
    tables: list[bytes] = []
    for row in range(height):
        up = height - row
        tables.append(bytes(2 if value == up else 1 if value > up else 0 for value in range(256)))
    return tables
