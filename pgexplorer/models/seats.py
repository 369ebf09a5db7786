"""Where new rows sit among those of a table, and so which row of a view is which."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator


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

    def add(self, number: int, before: int) -> int:
        """Seat a new row before the table's row *before*, behind those that sit there; return the view's row of it."""
        self._turns += 1
        seat = before, self._turns, number
        insort(self._seats, seat)
        self._by_number[number] = seat
        return self.row_of(number)

    def remove(self, number: int) -> None:
        """Let a new row go."""
        seat = self._by_number.pop(number)
        del self._seats[bisect_left(self._seats, seat)]

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

    def before(self, number: int) -> int:
        """Return the table's row before which a new row sits."""
        return self._by_number[number][0]

    def view(self, row: int) -> int:
        """Return the view's row of the table's *row*."""
        return row + bisect_right(self._seats, row, key=lambda seat: seat[0])

    def at(self, view: int) -> tuple[int, int | None]:
        """Return which row of the table the view's is, or stands before, and the number of the new row that it is."""
        if not self._seats:
            return view, None
        low, high = 0, len(self._seats)
        while low < high:  # how many new rows come before it
            middle = (low + high) // 2
            if self._seats[middle][0] + middle < view:
                low = middle + 1
            else:
                high = middle
        if low < len(self._seats) and self._seats[low][0] + low == view:
            return self._seats[low][0], self._seats[low][2]
        return view - low, None

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
