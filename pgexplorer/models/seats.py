"""Where new rows sit among those of a table, and so which row of a view is which."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator

_BEYOND = 1 << 62
_FEW = 50  # new rows that are looked for one by one; more are found on one way through all of them


class Seats:
    """New rows by their numbers, each before a row of the table. Views count both, the table its own alone."""

    def __init__(self) -> None:
        self._seats: list[tuple[int, int, int]] = []  # the row before which it sits, its turn there, its number
        self._by_number: dict[int, tuple[int, int, int]] = {}
        self._turns = 0

    def __len__(self) -> int:
        return len(self._seats)

    def numbers(self) -> Iterator[int]:
        """Yield the numbers of the new rows, from above."""
        return (number for _, _, number in self._seats)

    def place(self, before: int) -> int:
        """Return which row of the view a new row is that comes to sit before the table's row *before*."""
        return before + bisect_right(self._seats, before, key=lambda seat: seat[0])

    def add(self, numbers: Iterable[int], before: int) -> None:
        """Seat new rows before the table's row *before*, in this order, behind those that sit there."""
        seats = [(before, turn, number) for turn, number in enumerate(numbers, self._turns + 1)]
        self._turns += len(seats)
        at = bisect_right(self._seats, before, key=lambda seat: seat[0])
        self._seats[at:at] = seats
        self._by_number.update((seat[2], seat) for seat in seats)

    def runs(self, numbers: Collection[int]) -> list[tuple[int, int]]:
        """Return where new rows are that lie side by side in the view: of each run its first row and its length."""
        found: list[tuple[int, int]] = []
        row, length = -1, 0
        for at in self._indexes(numbers):
            here = self._seats[at][0] + at
            if here != row + length or not length:
                if length:
                    found.append((row, length))
                row, length = here, 0
            length += 1
        return [*found, (row, length)] if length else found

    def remove_run(self, row: int, length: int) -> list[tuple[int, int]]:
        """Let *length* new rows go from the view's *row* on; return before which row of the table each one sat."""
        low = self._index(row)
        gone = self._seats[low : low + length]
        del self._seats[low : low + length]
        for _, _, number in gone:
            del self._by_number[number]
        return [(number, before) for before, _, number in gone]

    def _indexes(self, numbers: Collection[int]) -> list[int]:
        if len(numbers) < _FEW:
            return sorted(bisect_left(self._seats, self._by_number[number]) for number in numbers)
        wanted = set(numbers)
        return [at for at, seat in enumerate(self._seats) if seat[2] in wanted]

    def clear(self) -> None:
        """Let all go."""
        self._seats.clear()
        self._by_number.clear()

    def has(self, number: int) -> bool:
        """Whether the new row *number* sits here."""
        return number in self._by_number

    def row_of(self, number: int) -> int:
        """Return the view's row of the new row *number*."""
        seat = self._by_number[number]
        return seat[0] + bisect_left(self._seats, seat)

    def view(self, row: int) -> int:
        """Return the view's row of the table's *row*."""
        return row + bisect_right(self._seats, row, key=lambda seat: seat[0])

    def next_before(self, row: int) -> int:
        """Return the table's first row behind *row* that has a new row before it; one beyond all rows for none."""
        at = bisect_right(self._seats, row, key=lambda seat: seat[0])
        return self._seats[at][0] if at < len(self._seats) else _BEYOND

    def at(self, view: int) -> tuple[int, int | None]:
        """Return which row of the table the view's is, or stands before, and the number of the new row that it is."""
        if not self._seats:
            return view, None
        low = self._index(view)
        if low < len(self._seats) and self._seats[low][0] + low == view:
            return self._seats[low][0], self._seats[low][2]
        return view - low, None

    def _index(self, view: int) -> int:
        """Return how many new rows come before the view's row *view*."""
        low, high = 0, len(self._seats)
        while low < high:
            middle = (low + high) // 2
            if self._seats[middle][0] + middle < view:
                low = middle + 1
            else:
                high = middle
        return low

    def shift(self, row: int, count: int) -> None:
        """Move those that sit behind *row* by *count* rows of the table, which came or went there.

        Where rows come before the first one, all move; where they go, who sat among them sits where they were.
        """
        moved: list[tuple[int, int, int]] = []
        self._turns = 0
        for before, _, number in self._seats:  # in their order, which stays where two come to sit in one place
            self._turns += 1
            to = before
            if count > 0 and (before > row or not row):
                to = before + count
            elif count < 0 and before > row:
                to = max(row, before + count)
            moved.append((to, self._turns, number))
        self._seats = moved
        self._by_number = {seat[2]: seat for seat in moved}
