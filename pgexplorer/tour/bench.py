"""What the steps of the tour work on: a pool in a person's hands, and a way to open another."""

from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from psycopg2.extensions import connection

from pgexplorer.db.cancel import end_all
from pgexplorer.db.probe import connect_side
from pgexplorer.db.profile import Profile
from pgexplorer.pool.by_hand import ByHand
from pgexplorer.pool.choice import open_pool
from pgexplorer.pool.protocol import Pool


class Bench(Protocol):
    """Where a step works. Every call may block on the network and belongs on a worker thread."""

    @property
    def hand(self) -> ByHand | None:
        """The present pool as a person drives it, closed or not; None before the first was opened."""
        ...

    def open(self, kind: str, minconn: int, maxconn: int) -> None:
        """Close the present pool and open psycopg2's class *kind* in its place: `hand` is the new one's.

        Raises psycopg2.Error when connecting fails; the pool before is closed all the same.
        """
        ...

    def connect(self) -> connection:
        """Connect beside the pool, named pgexplorer/side. The caller closes. Raises psycopg2.Error."""
        ...


class OwnBench:
    """A bench of its own on the server of *profile*, for the command line. Leaving it closes everything."""

    def __init__(self, profile: Profile) -> None:
        self.hand: ByHand | None = None
        self._profile = profile

    def open(self, kind: str, minconn: int, maxconn: int) -> None:
        """See Bench."""
        profile = replace(self._profile, pool_class=kind, minconn=minconn, maxconn=maxconn)

        def make() -> Pool:
            return open_pool(kind, minconn, maxconn, timeout=profile.wait_s, **profile.parameters())

        if self.hand is not None and not self.hand.pool.stats().is_closed:
            self.hand.close_all()
        self.hand = ByHand(make(), profile.script_parameters(), reopen=make, connect=self.connect)

    def connect(self) -> connection:
        """See Bench."""
        return connect_side(self._profile)

    def close(self) -> None:
        """Close the pool without waiting for what still runs on it."""
        if self.hand is not None:
            end_all(self.hand.pool, lambda: connect_side(self._profile, 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
