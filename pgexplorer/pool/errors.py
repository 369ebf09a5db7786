"""What a pool's exception means: what psycopg2 did, why, and what to do about it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2.pool import PoolError

from pgexplorer.pool.slot import Slot
from pgexplorer.pool.stats import PoolStats


class PoolExhausted(PoolError):
    """All connections are out, and the caller does not wait."""


class PoolTimeout(PoolError):
    """No connection came back in time."""


class TooManyWaiting(PoolError):
    """As many wait already as may."""


class PoolClosed(PoolError):
    """The pool is closed."""


class NotFromThisPool(PoolError):
    """The connection is not out of this pool: a stranger, returned before, or returned with another's key."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """An exception in words. Nothing in it holds the exception, a connection or a traceback."""

    title: str  # "PoolError: connection pool exhausted", as Python prints it
    why: str
    do: str
    message: str
    bases: tuple[str, ...]  # the MRO, the class itself first
    sqlstate: str | None

    @property
    def facts(self) -> str:
        """The exception's class, message, bases and SQLSTATE, a line each."""
        from_pool = self.bases[0].endswith("PoolError")
        none = "none (the server was not asked)" if from_pool else "none"
        bases = " › ".join(base.rpartition(".")[2] for base in self.bases)
        return (
            f"class     {self.bases[0]}\nmessage   {self.message}\nMRO       {bases}\nSQLSTATE  {self.sqlstate or none}"
        )


def explain(error: BaseException, stats: PoolStats, slots: Sequence[Slot] = ()) -> Explanation:
    """Put *error*, raised by a call into a pool whose counts are *stats*, into words."""
    message = str(error).strip()
    why, do = _reason(error, message, stats, slots)
    names = tuple(_qualified(base) for base in type(error).__mro__)
    sqlstate = error.pgcode if isinstance(error, psycopg2.Error) else None
    first = message.partition("\n")[0]
    return Explanation(f"{type(error).__name__}: {first}", why, do, message, names, sqlstate)


def holders(slots: Sequence[Slot], now: float | None = None) -> str:
    """Say who holds what, the longest first: "SQL 1 for 12.3 s, by hand for 4 s"."""
    now = time.monotonic() if now is None else now
    out = sorted((slot for slot in slots if slot.is_out), key=lambda slot: slot.held_since)
    return ", ".join(
        f"{'nobody (leaked)' if slot.leaked else slot.holder or slot.thread or '?'} for {slot.held_for(now):.1f} s"
        for slot in out
    )


def _reason(error: BaseException, message: str, stats: PoolStats, slots: Sequence[Slot]) -> tuple[str, str]:
    if isinstance(error, PoolTimeout):
        return (
            f"All {stats.maxconn} connections stayed out for as long as the caller was willing to wait."
            + (f" Out: {holders(slots)}." if holders(slots) else ""),
            "Return one, raise the maximum, or wait longer. The event of each long hold names its holder.",
        )
    if isinstance(error, TooManyWaiting):
        return ("As many callers wait already as max_waiting allows.", "Slow the callers down, or raise the maximum.")
    if isinstance(error, NotFromThisPool):
        return (
            "PgPool knows what it has lent: this connection was returned before, came from somewhere else, or is out "
            "under another key. The connection itself stays as it is.",
            "Call putconn() once for each getconn(), on the pool that the connection came from.",
        )
    if isinstance(error, PoolExhausted):
        return (
            f"All {stats.maxconn} connections are out, and this pool's timeout is 0: like psycopg2's it does not wait."
            + (f" Out: {holders(slots)}." if holders(slots) else ""),
            "Return one, give the pool a timeout, or raise the maximum.",
        )
    if isinstance(error, PoolError):
        if "exhausted" in message:
            who = holders(slots)
            held = f" Out: {who}." if who else ""
            count = "The one connection is" if stats.maxconn == 1 else f"All {stats.maxconn} connections are"
            return (
                f"{count} checked out.{held} psycopg2 does not wait: when as many are out as maxconn allows, "
                f"getconn() raises at once.",
                "Return one, or raise the maximum. In a program: return connections in a finally block and hold "
                "them for one piece of work only.",
            )
        if "unkeyed" in message:
            return (
                "The pool looks a returned connection up by its id in _rused, and found none: it was returned "
                "before, or never came from this pool. The connection itself stays as it is.",
                "Call putconn() once for each getconn(), on the pool that the connection came from.",
            )
        if "closed" in message:
            return (
                "closeall() was called: it closed every connection, those in use too. From then on getconn(), "
                "putconn() and closeall() all raise.",
                "Reopen: psycopg2 makes a new pool for that, a closed one stays closed.",
            )
        return "The pool refused the call.", "Look at _pool, _used and _rused below."
    if isinstance(error, psycopg2.InterfaceError):
        return (
            "The connection object is closed on this side: no server can be asked through it.",
            "Return it: the pool throws a closed connection away and frees its slot.",
        )
    if isinstance(error, psycopg2.OperationalError) and error.pgcode is None:
        return (
            "The link to the server broke, or could not be made. psycopg2 learns of a dead connection only when "
            "it uses it, and gives no SQLSTATE for that.",
            "Return the connection: once psycopg2 has seen it closed, the pool discards it. If returning raised "
            "this, return it a second time: the first left the slot in _used.",
        )
    if not isinstance(error, psycopg2.Error):
        return (
            "The server ran the statement, but psycopg2 cannot turn a value of it into one of Python's: a date BC, "
            "say, has none.",
            "Ask for text: cast the column with ::text. The panels of this program show the server's text anyway.",
        )
    return (
        "The server refused the statement.",
        "The words above are the server's. Correct the statement and run it again.",
    )


def _qualified(base: type) -> str:
    return base.__name__ if base.__module__ == "builtins" else f"{base.__module__}.{base.__name__}"
