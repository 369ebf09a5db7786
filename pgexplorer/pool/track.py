"""Spans of time in constant memory: the newest one by one, the older ones as sums over ever longer stretches."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from copy import copy
from itertools import repeat

_FINEST = 1 / 32  # seconds: the first stretch that old spans are summed up by
_WIDER = 4  # each next stretch is as many times as long
_MOST_STRETCHES = 512  # of one length, before the older half is summed up by the next
_MOST_AT_ONCE = 8  # stretches among which one span is shared out
_MOST_LENGTHS = 9  # the last is 34 minutes; should even these become too many, it doubles

Note = tuple[str, str, int, str]  # a hold's holder, thread, pid and ending; of what was done in it the statement alone


class _Stretches:
    """The stretches of one length: their numbers, in order, and the seconds in each."""

    __slots__ = ("at", "begin", "length", "seconds")

    def __init__(self, length: float) -> None:
        self.length = length  # seconds
        self.begin = float("-inf")  # what is older lies in longer ones
        self.at = array("q")
        self.seconds = array("d")

    def add(self, at: int, seconds: float) -> None:
        numbers = self.at
        if not numbers or at > numbers[-1]:
            numbers.append(at)
            self.seconds.append(seconds)
            return
        place = bisect_left(numbers, at)
        if numbers[place] == at:
            self.seconds[place] += seconds
        else:
            numbers.insert(place, at)
            self.seconds.insert(place, seconds)

    def clone(self) -> "_Stretches":
        other = copy(self)
        other.at, other.seconds = self.at[:], self.seconds[:]
        return other

    def halve(self) -> None:
        """Make each twice as long."""
        double = _Stretches(self.length * 2)
        for at, seconds in zip(self.at, self.seconds, strict=True):
            double.add(at // 2, seconds)
        self.length, self.at, self.seconds = double.length, double.at, double.seconds


class Sums:
    """Seconds by stretches of time that widen with age: some thousand numbers, whatever is added."""

    __slots__ = ("_lengths",)

    def __init__(self) -> None:
        self._lengths = [_Stretches(_FINEST)]

    def add(self, start: float, end: float) -> None:
        """Count the time from *start* to *end*: what is long, or old, by longer stretches."""
        for place in range(_MOST_LENGTHS):
            stretches = self._of_length(place)
            is_last = place + 1 == _MOST_LENGTHS
            if end - start > _MOST_AT_ONCE * stretches.length and not is_last:
                continue
            begin = stretches.begin
            if start >= begin or is_last:
                self._put(place, start, end)
                return
            if end > begin:
                self._put(place, begin, end)
                end = begin

    def _of_length(self, place: int) -> _Stretches:
        if place == len(self._lengths):
            self._lengths.append(_Stretches(_FINEST * _WIDER**place))
        return self._lengths[place]

    def clone(self) -> "Sums":
        """Return a copy."""
        other = Sums()
        other._lengths = [stretches.clone() for stretches in self._lengths]
        return other

    def add_all(self, starts: Sequence[float], ends: Sequence[float]) -> None:
        """Count many, in order: neighbours in one stretch are added up first."""
        newest = self._lengths[0]
        scale = 1 / newest.length  # a power of two: exact
        at, seconds = 0, 0.0
        for start, end in zip(starts, ends, strict=True):
            first = int(start * scale)
            if first == at and end < (at + 1) * newest.length:
                seconds += end - start
                continue
            if seconds:
                self.add(at * newest.length, at * newest.length + seconds)
            at, seconds = first, 0.0
            if start >= newest.begin and end < (first + 1) * newest.length:
                seconds = end - start
            else:
                at = -1
                self.add(start, end)
        if seconds:
            self.add(at * newest.length, at * newest.length + seconds)

    def _put(self, place: int, start: float, end: float) -> None:
        stretches = self._lengths[place]
        length = stretches.length
        first, last = int(start // length), int(end // length)
        if first == last:
            stretches.add(first, end - start)
        else:
            stretches.add(first, (first + 1) * length - start)
            if stretches.at[-1] == first:  # nothing is newer, as nearly always
                stretches.at.extend(range(first + 1, last))
                stretches.seconds.extend(repeat(length, last - first - 1))
            else:
                for at in range(first + 1, last):
                    stretches.add(at, length)
            if (rest := end - last * length) > 0:
                stretches.add(last, rest)
        if len(stretches.at) > _MOST_STRETCHES:
            self._hand_on(place)

    def _hand_on(self, place: int) -> None:
        """Sum the older half of one length up by the next."""
        stretches = self._lengths[place]
        if place + 1 == _MOST_LENGTHS:
            while len(stretches.at) > _MOST_STRETCHES:
                stretches.halve()
            return
        longer = self._of_length(place + 1)
        ratio = round(longer.length / stretches.length)
        cut = stretches.at[len(stretches.at) // 2] // ratio
        kept = bisect_left(stretches.at, cut * ratio)
        current, amount = stretches.at[0] // ratio, 0.0
        for at, seconds in zip(stretches.at[:kept], stretches.seconds[:kept], strict=True):
            if at // ratio != current:
                longer.add(current, amount)
                current, amount = at // ratio, 0.0
            amount += seconds
        longer.add(current, amount)
        del stretches.at[:kept], stretches.seconds[:kept]
        stretches.begin = cut * longer.length
        if len(longer.at) > _MOST_STRETCHES:
            self._hand_on(place + 1)

    def between(self, start: float, end: float) -> Iterator[tuple[float, float, float]]:
        """Yield (from, to, seconds) of each stretch that reaches into the time from *start* to *end*, oldest first."""
        for stretches in reversed(self._lengths):
            length = stretches.length
            first = bisect_left(stretches.at, int(start // length))
            after = bisect_right(stretches.at, int(end // length))
            for place in range(first, after):
                begin = stretches.at[place] * length
                yield begin, begin + length, stretches.seconds[place]

    def spread(self, columns: list[float], start: float, width: float) -> None:
        """Add to each of *columns*, *width* seconds each from *start* on, the seconds that lie in it."""
        count, scale = len(columns), 1 / width
        end = start + count * width
        for stretches in self._lengths:
            length = stretches.length
            first = bisect_left(stretches.at, int(start // length))
            after = bisect_right(stretches.at, int(end // length))
            numbers, seconds = stretches.at[first:after], stretches.seconds[first:after]
            if length <= width:
                shift, step = (length / 2 - start) * scale, length * scale
                for at, amount in zip(numbers, seconds, strict=True):
                    column = at * step + shift
                    if 0.0 <= column < count:
                        columns[int(column)] += amount
            else:
                for at, amount in zip(numbers, seconds, strict=True):
                    pour(columns, start, width, at * length, (at + 1) * length, amount / length)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was added."""
        return not any(stretches.at for stretches in self._lengths)

    @property
    def total(self) -> float:
        """All seconds."""
        return sum(sum(stretches.seconds) for stretches in self._lengths)


class Track:
    """Spans in order that do not overlap: the newest one by one, the older ones as sums.

    Each span is a place in four lists. Plain values alone: Python's garbage collector need not look into them.
    """

    __slots__ = ("ends", "notes", "old", "starts", "sums", "total")

    def __init__(self) -> None:
        self.starts: list[float] = []
        self.ends: list[float] = []
        self.sums: list[float] = []  # of the lengths of all spans before
        self.notes: list[Note] = []
        self.total = 0.0  # seconds ever added
        self.old = Sums()

    def add(self, start: float, end: float, note: Note) -> None:
        """Append a span that begins no earlier than the last one ended."""
        self.starts.append(start)
        self.ends.append(end)
        self.sums.append(self.total)
        self.notes.append(note)
        self.total += end - start

    def clone(self) -> "Track":
        """Return a copy."""
        other = copy(self)
        other.starts, other.ends = self.starts[:], self.ends[:]
        other.sums, other.notes = self.sums[:], self.notes[:]
        other.old = self.old.clone()
        return other

    def cut(self, at: float) -> None:
        """Let the last span end at the moment *at*, if it ends later."""
        if self.ends and self.ends[-1] > at:
            end = max(at, self.starts[-1])
            self.total -= self.ends[-1] - end
            self.ends[-1] = end

    def forget(self, count: int) -> None:
        """Keep the oldest *count* spans as sums alone."""
        self.old.add_all(self.starts[:count], self.ends[:count])
        del self.starts[:count], self.ends[:count], self.sums[:count], self.notes[:count]

    def places(self, start: float, end: float) -> range:
        """Return the places of the spans that reach into the time from *start* to *end*."""
        return range(bisect_left(self.ends, start), bisect_right(self.starts, end))

    def spread(self, columns: list[float], start: float, width: float) -> None:
        """Add to each of *columns*, *width* seconds each from *start* on, the seconds that lie in it."""
        count = len(columns)
        end = start + count * width
        if not self.old.is_empty:
            self.old.spread(columns, start, width)
        places = self.places(start, end)
        if len(places) <= count:
            starts, ends = self.starts, self.ends
            for place in places:
                pour(columns, start, width, starts[place], ends[place], 1.0)
            return
        # More spans than columns: look up how much lies before each edge, which takes the same time for any number.
        low, high = places.start, places.stop
        starts, ends, sums = self.starts, self.ends, self.sums
        edges = [start + place * width for place in range(count + 1)]
        after = map(bisect_right, repeat(starts), edges, repeat(low), repeat(high))
        before = [
            sums[last] + ((edge if edge < ends[last] else ends[last]) - starts[last])
            if (last := place - 1) >= low
            else sums[low]
            for place, edge in zip(after, edges, strict=True)
        ]
        columns[:] = [column + until - begin for column, begin, until in zip(columns, before, before[1:], strict=False)]


def pour(columns: list[float], start: float, width: float, begin: float, until: float, density: float) -> None:
    """Add the time from *begin* to *until*, *density* seconds a second, to the columns in which it lies."""
    count = len(columns)
    left, right = (begin - start) / width, (until - start) / width
    left, right = max(left, 0.0), min(right, float(count))
    if right <= left:
        return
    first, last = int(left), int(right)
    if first == last:
        columns[first] += (right - left) * width * density
        return
    columns[first] += (first + 1 - left) * width * density
    whole = width * density
    for column in range(first + 1, last):
        columns[column] += whole
    if last < count:
        columns[last] += (right - last) * width * density
