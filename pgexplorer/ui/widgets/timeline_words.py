"""What lies under the pointer of a timeline, in words: what, since when, how long, the statement."""

from collections.abc import Sequence

from pgexplorer.ui.widgets.timeline_sight import Sight
from pgexplorer.ui.widgets.timeline_source import HELD, LaneLike, MarkLike, SpanLike, TimelineSource, WaitLike
from pgexplorer.ui.widgets.timeline_time import clock, duration


class Words:
    """Speaks of what is in one sight; times as exact as that needs."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def of_spans(self, spans: Sequence[SpanLike]) -> list[str]:
        """Return who held it, and what was done."""
        said: list[str] = []
        hold = next((span for span in reversed(spans) if span.state == HELD), None)
        if hold is not None:
            who = hold.holder or "nobody named"
            end = "" if hold.is_open or not hold.detail else f" · {hold.detail}"
            leaked = " · leaked" if hold.is_open and hold.detail else ""
            said.append(
                f"#{hold.lane} · pid {hold.pid} · held by {who}\nthread {hold.thread}\n"
                f"{self.when(hold.start, hold.end, is_open=hold.is_open)}{end}{leaked}"
            )
        for span in spans:
            if span.state != HELD:
                when = self.when(span.start, span.end, is_open=span.is_open)
                sql = f"\n{span.detail}" if span.detail else ""
                said.append(f"{span.state}\n{when}{sql}")
        return said

    def of_shares(self, source: TimelineSource, lane: int, first: float, last: float) -> str:
        """Return what share of the time *lane* was in which state."""
        shares = source.shares(lane, first, last - first, 1, self._sight.now)
        parts = [
            f"{words} {min(1.0, seconds[0] / (last - first)):.0%}"
            for words, seconds in (
                ("held", shares.held),
                ("running", shares.running),
                ("idle in transaction", shares.in_transaction),
                ("failed", shares.failed),
            )
            if seconds[0] > 0
        ]
        if not parts:
            return ""
        count = source.count(lane, first, last)
        many = f" · {count:,} spans" if count > 1 else ""
        return f"#{lane} · in {duration(last - first)}: {', '.join(parts)}{many}\n{self.when(first, last)}"

    def of_wait(self, wait: WaitLike) -> str:
        """Return who waited, for how long and how it ended."""
        lines = [f"{wait.holder or 'nobody named'} waited" if wait.ending else f"{wait.holder or 'nobody named'} waits"]
        lines.append(f"thread {wait.thread}")
        lines.append(self.when(wait.start, wait.end, is_open=not wait.ending))
        if wait.lane:
            lines.append(f"served by slot #{wait.lane}, whose connection came at {self._time(wait.served_at)}")
        elif wait.ending:
            lines.append(wait.ending)
        return "\n".join(lines)

    def of_mark(self, mark: MarkLike) -> str:
        """Return what happened, when, to whom."""
        times = f" ×{mark.times:,}" if mark.times > 1 else ""
        lane = f" · #{mark.lane}" if mark.lane else ""
        pid = f" · pid {mark.pid}" if mark.pid else ""
        lines = [f"{mark.kind}{times}{lane}{pid}"]
        until = f" – {self._time(mark.until)}" if mark.times > 1 else ""
        took = f" · {duration(mark.took)}" if mark.took else ""
        lines.append(f"{self._time(mark.at)}{until}{took}")
        who = " · ".join(part for part in (mark.holder, f"thread {mark.thread}" if mark.thread else "") if part)
        lines += [text for text in (who, "\n".join(mark.detail.splitlines()[:8])) if text]
        return "\n".join(lines)

    def when(self, start: float, end: float, *, is_open: bool = False) -> str:
        """Return from when to when, and how long that is."""
        if is_open:
            return f"since {self._time(start)} · {duration(end - start)} so far"
        return f"{self._time(start)} – {self._time(end)} · {duration(end - start)}"

    def _time(self, at: float) -> str:
        of_day = self._sight.source.wall(at) if self._sight.source is not None else at
        return clock(of_day, "%H:%M:%S.%f")[: -3 if self._sight.span > 0.05 else None]


def of_lane(lane: LaneLike) -> str:
    """Return what *lane* is now."""
    pid = f" · pid {lane.pid}" if lane.pid else " · no connection"
    holder = f" · held by {lane.holder}" if lane.holder else ""
    return f"Slot #{lane.number}{pid}\n{lane.state}{holder}"
