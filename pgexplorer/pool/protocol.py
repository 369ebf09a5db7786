"""What every pool of the program offers, whichever class runs underneath."""

from collections.abc import Hashable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from psycopg2.extensions import connection

from pgexplorer.pool.events import EventRing
from pgexplorer.pool.slot import Slot, Waiter
from pgexplorer.pool.stats import Histograms, PoolStats


@dataclass(frozen=True, slots=True)
class Insides:
    """psycopg2's own view of a pool, each connection named by its backend pid (or "closed")."""

    pool: tuple[str, ...]  # _pool: the idle ones, the last is handed out next
    used: tuple[tuple[str, str], ...]  # _used: key, connection
    rused: tuple[tuple[str, str], ...]  # _rused: connection (for its id), key
    closed: bool

    def lines(self) -> tuple[str, str, str]:
        """Return the three attributes as Python would print them."""
        used = ", ".join(f"{key}: {conn}" for key, conn in self.used)
        rused = ", ".join(f"id({conn}): {key}" for conn, key in self.rused)
        return f"_pool  = [{', '.join(self.pool)}]", f"_used  = {{{used}}}", f"_rused = {{{rused}}}"


class Pool(Protocol):
    """A pool that hands out psycopg2 connections and can be seen.

    getconn, putconn and closeall may block on the network and raise psycopg2's own errors.
    slots, waiters, stats, histograms and events never wait for the network and hold no connection: any thread may read
    them. Who is not *patient*, as a screen, gets what the last look found where a busy thread has the pool's own lock.
    """

    minconn: int
    maxconn: int
    timeout: float  # seconds that getconn waits when all are out
    events: EventRing

    @property
    def kind(self) -> str:
        """The name of the class that runs, as psycopg2 spells it."""
        ...

    def getconn(self, key: Hashable | None = None, *, holder: str = "") -> connection:
        """Check a connection out for *holder*."""
        ...

    def putconn(self, conn: connection, key: Hashable | None = None, close: bool = False) -> None:
        """Check *conn* in."""
        ...

    def closeall(self) -> None:
        """Close every connection, in use or not."""
        ...

    def cut_all(self) -> None:
        """Cut the link of every connection that is out, so that nothing waits for the server any more."""
        ...

    def running(self, conn: connection, sql: str) -> AbstractContextManager[None]:
        """Say that *conn* runs *sql* while the context lasts, and what state it is in after."""
        ...

    def leaked(self, conn: connection) -> None:
        """Say that the holder of *conn* is about to drop it without returning it."""
        ...

    def slots(self, *, patient: bool = True) -> tuple[Slot, ...]:
        """Return a snapshot of every connection, by number."""
        ...

    def waiters(self, *, patient: bool = True) -> tuple[Waiter, ...]:
        """Return who waits, in the order in which they are served."""
        ...

    def stats(self, *, patient: bool = True) -> PoolStats:
        """Return the counts of this moment."""
        ...

    def histograms(self, *, patient: bool = True) -> Histograms:
        """Return copies of how the times are spread. With psycopg2's pools a connect is a getconn() that connected."""
        ...

    def links(self) -> dict[int, str]:
        """Return by backend pid what the socket says now: "open", "readable" or "closed". Asks nobody."""
        ...

    def insides(self) -> Insides:
        """Return psycopg2's own bookkeeping. Reads connections: not for the GUI thread."""
        ...
