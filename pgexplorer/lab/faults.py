"""The faults that a person can ask for: what each does, what to look at, and doing it. Never in production."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.lab.askers import Askers, Asking, give_back, run_on
from pgexplorer.lab.bench import Bench, put_in_place
from pgexplorer.lab.guard import LONGEST, MOST_THREADS, Refused, bounded, permit
from pgexplorer.lab.link import Link
from pgexplorer.lab.news import Effect
from pgexplorer.lab.outage import How, Outage
from pgexplorer.lab.proxy import Cut, Proxy
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.slot import SlotState
from pgexplorer.units import duration

Which = Literal["idle", "active", "transaction"]
Needs = Literal["pool", "link", "demo"]
LONGEST_DELAY = 5.0  # seconds, each way
_ALL = "%"
_STATES: dict[Which, str] = {"idle": "idle", "active": "active", "transaction": "idle in transaction%"}
_WORDS: dict[Which, str] = {
    "idle": "is idle in the pool",
    "active": "runs a statement",
    "transaction": "is idle in a transaction",
}
_HOW_TO: dict[Which, str] = {
    "idle": "Give one back first: a fault for idle connections needs one that nobody has.",
    "active": "Start askers that run queries, or run select pg_sleep(60), then ask again.",
    "transaction": "Hold one in a transaction, or check one out by hand and run a query, then ask again.",
}

# One of the pool's backends, chosen and ended in one statement: its state cannot change in between.
_TERMINATE = """
SELECT pid, pg_terminate_backend(pid)
  FROM (SELECT pid FROM pg_stat_activity
         WHERE pid = ANY (%s) AND state LIKE %s ORDER BY state_change LIMIT %s) AS chosen
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault that a person can ask for."""

    id: str
    title: str
    does: str  # one sentence
    look: str  # at what, afterwards
    needs: Needs = "pool"


FAULTS: tuple[Fault, ...] = (
    Fault(
        "terminate_idle",
        "Idle",
        "Ends the backend of a connection that lies idle in the pool.",
        "The pool does not know yet. psycopg2 hands it out as if it lived, and the first query fails; PgPool sees the "
        "closed socket and replaces it.",
    ),
    Fault(
        "terminate_active",
        "Active",
        "Ends the backend of a connection that runs a statement.",
        "The statement raises OperationalError. When the connection is returned the pool throws it away.",
    ),
    Fault(
        "terminate_transaction",
        "In transaction",
        "Ends the backend of a connection that is idle in a transaction.",
        "Nobody knows until it is used or returned. psycopg2's putconn() then raises and keeps the slot; PgPool frees "
        "it.",
    ),
    Fault(
        "restart",
        "Restart",
        "Stops the demo server and starts it again: every connection of the pool is dead, and the pool does not know.",
        "Each idle connection costs psycopg2 one failed query. PgPool replaces them before anybody has them.",
        "demo",
    ),
    Fault(
        "stop_server",
        "Stop",
        "Stops the demo server.",
        "Whatever needs a new connection is refused by the system now; idle connections are dead.",
        "demo",
    ),
    Fault(
        "start_server",
        "Start",
        "Starts the demo server again.",
        "See how many requests fail until the pool works again.",
        "demo",
    ),
    Fault(
        "link",
        "Through a proxy",
        "Opens the pool again through a proxy on this machine, which can then delay, throttle, cut or swallow.",
        "The pool is another one with the same limits. Switch it off, and the pool is opened directly again.",
    ),
    Fault(
        "delay",
        "Delay",
        "Makes everything late, each way: a far network.",
        "psycopg2's pools roll back and connect under their lock: with threads they get as slow as one. Waiting times "
        "in PgPool follow its own work alone.",
        "link",
    ),
    Fault(
        "throttle",
        "Throttle",
        "Lets so many bytes a second through on each connection, each way.",
        "Results take longer the larger they are; small statements hardly notice.",
        "link",
    ),
    Fault(
        "cut",
        "Cut",
        "Ends every connection at once, as a firewall (reset), a closing server (end) or a failing line (in the middle "
        "of an answer) does.",
        "The pool's connections are dead. See what the next check-outs get.",
        "link",
    ),
    Fault(
        "hole",
        "Black hole",
        "Takes everything and lets nothing arrive: no error, no answer, no end.",
        "What runs now waits until TCP gives up, ten seconds or so. Heal, and it goes on where it was.",
        "link",
    ),
    Fault(
        "heal",
        "Heal",
        "Ends delay, throttle and black hole.",
        "What was on its way arrives.",
        "link",
    ),
    Fault(
        "hold",
        "Hold one",
        "Takes a connection and does nothing with it for some seconds, under a name of its own.",
        "The slot board names the holder and how long. With fewer left, others are refused or wait.",
    ),
    Fault(
        "ask",
        "Start",
        "Starts threads that check out, work, give back and pause, again and again.",
        "psycopg2 refuses at once when all are out; PgPool lets them wait in line and serves each in turn.",
    ),
)
BY_ID = {fault.id: fault for fault in FAULTS}


class Faults:
    """Does the faults to the pool and the server of *bench*, and takes all of it back with close().

    Every method but `counts`, `is_linked` and the like blocks on the network and belongs on a worker thread. All of
    them raise OnProduction for a server in production, psycopg2.Error and OSError where the network refuses.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._outage = Outage()
        self._link: Link | None = None
        self._askers: Askers | None = None
        self._over = threading.Event()  # close() was called
        self._let_go = threading.Event()  # of what is held
        self._lock = threading.Lock()
        self._holding = 0
        self._one_at_a_time = threading.Lock()  # what opens another pool

    # -- backends -----------------------------------------------------------------------------------------------

    def terminate(self, which: Which) -> Effect:
        """End one backend of the pool's that is in this state by the server's own word."""
        bench = self._allowed()
        slots = {slot.pid: slot for slot in bench.pool.slots()}  # as they are before: the one ended is soon gone
        ended = terminate(bench, which)
        if not ended:
            return Effect(f"No connection of the pool {_WORDS[which]} just now.", _HOW_TO[which], worked=False)
        slot = slots.get(ended[0])
        where = f", slot {slot.number}" if slot is not None else ""
        holder = f", held by {slot.holder}" if slot is not None and slot.holder else ""
        return Effect(f"Ended backend {ended[0]}{where}{holder}.", BY_ID[f"terminate_{which}"].look)

    # -- the demo server ----------------------------------------------------------------------------------------

    def stop_server(self, how: How = "fast") -> Effect:
        """Stop the demo server. Raises NotTheDemo for any other, TimeoutError."""
        took = self._outage.stop(self._allowed().profile, how)
        if not took:
            return Effect("The server does not run.", "Start it.", worked=False)
        return Effect(f"The server stopped ({how}) in {duration(took)}.", BY_ID["stop_server"].look)

    def start_server(self) -> Effect:
        """Start the demo server. Raises NotTheDemo for any other, DemoUnavailable."""
        took = self._outage.start(self._allowed().profile)
        return Effect(f"The server is ready after {duration(took)}.", BY_ID["start_server"].look)

    def restart_server(self, how: How = "fast") -> Effect:
        """Stop and start the demo server. Raises what both raise."""
        profile = self._allowed().profile
        down = self._outage.stop(profile, how)
        up = self._outage.start(profile)
        return Effect(
            f"The server was restarted ({how}): {duration(down)} to stop, {duration(up)} to start.",
            BY_ID["restart"].look,
        )

    # -- the link -----------------------------------------------------------------------------------------------

    @property
    def is_linked(self) -> bool:
        """Whether the pool goes through the proxy."""
        return self._link is not None

    def link(self, on: bool) -> Effect:
        """Open the pool again through the proxy, or directly. Raises psycopg2.Error and OSError, directly then."""
        bench = self._allowed()
        with self._one_at_a_time:
            if on == self.is_linked:
                return Effect("The link is so already.", worked=False)
            if not on:
                self._unlink(reopen=True)
                return Effect("The pool was opened again, directly.", "Nothing of the faults of its link is left.")
            link = Link(bench.connect)
            bench.detour = link.parameters
            try:
                self._reopen(bench)
            except BaseException:
                bench.detour = {}
                link.close()
                with contextlib.suppress(psycopg2.Error):
                    self._reopen(bench)
                raise
            if self._over.is_set():  # the server was left meanwhile
                link.close()
                raise ConnectionAbortedError("The server was left.")
            self._link = link
        return Effect(f"The pool was opened again, through port {link.proxy.port} of this machine.", BY_ID["link"].look)

    def unlinked(self) -> None:
        """Take note that another pool took the place of the one through the proxy: end the proxy."""
        with self._one_at_a_time:
            self._unlink(reopen=False)

    def delay(self, seconds: float) -> Effect:
        """Make everything late by *seconds*, each way. 0 ends that."""
        self._proxy().delay = bounded("seconds of delay", seconds, LONGEST_DELAY)
        if not seconds:
            return Effect("The link is as quick as ever.")
        return Effect(f"Every round trip takes {duration(2 * seconds)} longer.", BY_ID["delay"].look)

    def throttle(self, bytes_a_second: float) -> Effect:
        """Let so many bytes a second through on each connection, each way. 0 ends that."""
        self._proxy().throttle = bounded("bytes a second", bytes_a_second, 1e9)
        if not bytes_a_second:
            return Effect("The link carries all it can.")
        return Effect(f"Each connection carries {bytes_a_second:,.0f} bytes a second.", BY_ID["throttle"].look)

    def cut(self, how: Cut | Literal["middle"]) -> Effect:
        """End every connection through the proxy: "reset", "close", or in the "middle" of each next answer."""
        proxy = self._proxy()
        if how == "middle":
            count = proxy.cut_in_mid_message()
            said = f"The next answer on each of {count} connections breaks off after three bytes."
            return Effect(said, "Run something: the answer never comes whole.", worked=count > 0)
        count = proxy.cut(how)
        word = "reset" if how == "reset" else "closed"
        return Effect(f"{count} connections were {word}.", BY_ID["cut"].look, worked=count > 0)

    def hole(self) -> Effect:
        """Let nothing arrive any more, on connections old and new."""
        proxy = self._proxy()
        proxy.hole()
        return Effect(f"{proxy.open} connections lead into a black hole, and so do new ones.", BY_ID["hole"].look)

    def heal(self) -> Effect:
        """End delay, throttle and hole."""
        self._proxy().heal()
        return Effect("The link is sound.", BY_ID["heal"].look)

    # -- load ---------------------------------------------------------------------------------------------------

    def hold(self, seconds: float, holder: str = "", *, in_transaction: bool = False) -> Iterator[Effect]:
        """Hold a connection for *seconds*: tell when it is had, and when it is given back.

        Raises what getconn() raises.
        """
        pool = self._allowed().pool
        bounded("seconds to hold", seconds, LONGEST)
        with self._lock:
            if self._holding >= MOST_THREADS:
                raise Refused(f"{MOST_THREADS} connections are held already.")
            self._holding += 1
        try:
            yield from self._held(pool, seconds, holder or f"hold {seconds:g} s", in_transaction)
        finally:
            with self._lock:
                self._holding -= 1
                if not self._holding and not self._over.is_set():
                    self._let_go.clear()

    def let_go(self) -> None:
        """Give back at once what is held. Does not block."""
        with self._lock:
            if self._holding:
                self._let_go.set()

    @property
    def holding(self) -> int:
        """How many connections are held, or asked for to be held."""
        return self._holding

    def ask(self, plan: Asking) -> Effect:
        """Start the threads of *plan* in place of those before."""
        self._allowed()
        self.stop_asking()
        with self._lock:
            if self._over.is_set():
                raise ConnectionAbortedError("The server was left.")
            self._askers = Askers(lambda: self._bench.pool, plan)
        work = f"run select pg_sleep({plan.work:g})" if plan.way == "query" else f"hold for {plan.work:g} s"
        return Effect(
            f"{plan.threads} threads check out, {work}, give back, pause {plan.pause:g} s.", BY_ID["ask"].look
        )

    def stop_asking(self) -> Effect:
        """Stop the askers at once: their statements are cancelled."""
        with self._lock:
            askers, self._askers = self._askers, None
        if askers is None:
            return Effect("Nobody asks.", worked=False)
        if askers.stop(self._bench.connect):
            return Effect("The askers have stopped; their connections are back.")
        return Effect(
            f"The askers have stopped, but {askers.active} still wait in line.",
            "Somebody else keeps the pool full. They go when their wait is over.",
        )

    @property
    def askers(self) -> Askers | None:
        """The askers that run, or ran last; None when they were stopped."""
        return self._askers

    # -- the end ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End all of it: askers, what is held, the proxy, the share in the demo server. The pool is left as it is.

        Blocks for seconds at most; may be called again.
        """
        self._over.set()
        self._let_go.set()
        with self._lock:
            askers, self._askers = self._askers, None
        if askers is not None:
            askers.tell()
        link = self._link
        if link is not None:
            link.close()  # first: whatever waits in a black hole ends with it
        if askers is not None:
            with contextlib.suppress(psycopg2.Error, OSError):
                askers.stop(self._bench.connect)
        self._link = None
        self._outage.close()

    # -- within -------------------------------------------------------------------------------------------------

    def _allowed(self) -> Bench:
        permit(self._bench.profile)
        if self._over.is_set():
            raise ConnectionAbortedError("The server was left.")
        return self._bench

    def _proxy(self) -> Proxy:
        self._allowed()
        if self._link is None:
            raise Refused("The pool does not go through the proxy: switch the link on first.")
        return self._link.proxy

    def _unlink(self, *, reopen: bool) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        self._bench.detour = {}
        try:
            if reopen:
                with contextlib.suppress(OSError):
                    link.proxy.cut()  # nothing of the pool before waits in a hole
                self._reopen(self._bench)
        finally:
            link.close()

    @staticmethod
    def _reopen(bench: Bench) -> None:
        profile = bench.profile
        put_in_place(bench, profile.pool_class, profile.minconn, profile.maxconn)

    def _held(self, pool: Pool, seconds: float, holder: str, in_transaction: bool) -> Iterator[Effect]:
        conn = pool.getconn(holder=holder)
        began, raised = time.monotonic(), ""
        pid = conn.info.backend_pid
        try:
            if in_transaction:
                run_on(pool, conn, "SELECT 1")
            what = "in a transaction, " if in_transaction else ""
            yield Effect(f"Backend {pid} is held {what}for {seconds:g} s.", BY_ID["hold"].look)
            self._let_go.wait(seconds)
        finally:
            raised = give_back(pool, conn)
        held = duration(time.monotonic() - began)
        if raised:
            yield Effect(
                f"Backend {pid} was held for {held}; giving it back raised {raised}.",
                "psycopg2 kept its slot until it was returned a second time, which was done here.",
            )
        else:
            yield Effect(f"Backend {pid} came back after {held}.")


def terminate(bench: Bench, which: Which | Literal["all"], count: int = 1) -> list[int]:
    """End up to *count* backends of the pool in use that are in this state, and return their pids.

    "idle" are those that nobody has. Asks through a connection beside the pool. Raises psycopg2.Error, OnProduction.
    """
    permit(bench.profile)
    slots = bench.pool.slots()
    pids = [slot.pid for slot in slots if which != "idle" or slot.state is SlotState.IDLE]
    state = _ALL if which == "all" else _STATES[which]
    with contextlib.closing(bench.connect()) as conn:
        return _terminate(conn, pids, state, count)


def _terminate(conn: connection, pids: list[int], state: str, count: int) -> list[int]:
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(_TERMINATE, (pids, state, count))
        return [pid for pid, _ in cursor.fetchall()]
