"""The pool in a person's hands: each action of psycopg2's interface, what came of it, and its code.

Nothing here is careful: what psycopg2 does is what the person sees.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.pool.errors import Explanation, explain
from pgexplorer.pool.protocol import Insides, Pool
from pgexplorer.pool.script import Script
from pgexplorer.pool.stock import StockPool

HOLDER = "by hand"
_MOST_SHOWN = 10  # rows of a statement run by hand


@dataclass(frozen=True, slots=True)
class Held:
    """A connection that is out by hand."""

    name: str  # its variable in the script
    pid: int
    conn: connection = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one action."""

    action: str  # as psycopg2 code: "pool.getconn()"
    said: str  # one sentence
    before: Insides
    after: Insides
    explanation: Explanation | None = None  # when it raised
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()

    @property
    def worked(self) -> bool:
        """Whether nothing was raised."""
        return self.explanation is None


class ByHand:
    """What a person does with a pool, action by action.

    Every action blocks as psycopg2 does and belongs on a worker thread. None raises what psycopg2 raises: it is
    in the outcome, explained.
    """

    def __init__(
        self,
        pool: Pool,
        parameters: Mapping[str, object],
        *,
        reopen: Callable[[], Pool],
        connect: Callable[[], connection],
    ) -> None:
        self.pool = pool
        self._reopen = reopen
        self._connect = connect
        self._held: list[Held] = []
        self._lock = threading.Lock()
        self.script = Script(pool.kind, pool.minconn, pool.maxconn, parameters, timeout=pool.timeout)

    def held(self) -> tuple[Held, ...]:
        """Return what is out by hand, in the order of the check-outs."""
        with self._lock:
            return tuple(self._held)

    def check_out(self) -> Outcome:
        """Call getconn() once."""
        before = self.pool.insides()
        try:
            conn = self.pool.getconn(holder=HOLDER)
        except psycopg2.Error as error:
            self.script.check_out_refused(error)
            return self._raised("pool.getconn()", error, before)
        pid = conn.info.backend_pid
        name = self._keep(conn, pid)
        return self._worked(f"{name} = pool.getconn()", f"{name} is backend {pid}.", before)

    def check_out_by_threads(self, count: int) -> Outcome:
        """Call getconn() once in each of *count* threads, all at the same moment."""
        before = self.pool.insides()
        taken: list[connection] = []
        refused: list[psycopg2.Error] = []
        together = threading.Barrier(count)

        def take() -> None:
            together.wait()
            try:
                taken.append(self.pool.getconn(holder=HOLDER))
            except psycopg2.Error as error:
                refused.append(error)

        threads = [threading.Thread(target=take, name=f"thread {number}") for number in range(1, count + 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with self._lock:
            fresh = [Held(self.script.next_name(), conn.info.backend_pid, conn) for conn in taken]
            if fresh:
                self.script.check_out_by_threads([held.name for held in fresh], [held.pid for held in fresh])
            self._held += fresh
        if refused:
            self.script.check_out_refused(refused[0])
            return self._raised("pool.getconn()", refused[0], before)
        said = f"{count} threads have one each: {', '.join(f'{held.name} is backend {held.pid}' for held in fresh)}."
        return self._worked("pool.getconn() in each thread", said, before)

    def wait_for(self, pid: int, after_s: float) -> Outcome:
        """Call getconn() on a full pool that waits, while a timer returns the connection *pid* after *after_s*."""
        before = self.pool.insides()
        held = self._find(pid)
        if held is None:
            return self._worked("", f"Backend {pid} is not out by hand.", before)
        began = time.monotonic()
        timer = threading.Timer(after_s, self.pool.putconn, (held.conn,))
        timer.name = "the one who returns"
        self._drop(held)
        timer.start()
        self.script.return_later(held.name, after_s)
        try:
            conn = self.pool.getconn(holder=HOLDER)
        except psycopg2.Error as error:
            timer.join()
            self.script.check_out_refused(error)
            return self._raised("pool.getconn()", error, before)
        waited = time.monotonic() - began
        timer.join()
        pid = conn.info.backend_pid
        name = self._keep(conn, pid)
        said = (
            f"getconn() waited {waited * 1000:.0f} ms, until {held.name} came back: {name} is the same backend {pid}."
        )
        return self._worked(f"{name} = pool.getconn()", said, before)

    def exhaust(self) -> Outcome:
        """Call getconn() until it raises, which takes at most maxconn + 1 calls where the limit holds."""
        before, taken = self.pool.insides(), 0
        outcome = self.check_out()
        while outcome.worked and taken < self.pool.maxconn:
            taken += 1
            outcome = self.check_out()
        if outcome.explanation is None:
            return Outcome(
                outcome.action,
                f"{len(outcome.after.used)} are out and the pool still gives: it has no limit.",
                before,
                outcome.after,
            )
        said = f"{taken} more checked out, then it raised." if taken else "It raised at the first call."
        return Outcome("pool.getconn()", said, before, outcome.after, outcome.explanation)

    def check_in(self, pid: int) -> Outcome:
        """Call putconn() for the connection with backend *pid*."""
        before = self.pool.insides()
        held = self._find(pid)
        if held is None:
            return self._worked("", f"Backend {pid} is not out by hand.", before)
        action = f"pool.putconn({held.name})"
        try:
            self.pool.putconn(held.conn)
        except psycopg2.Error as error:
            self.script.check_in(held.name, error)
            return self._raised(action, error, before)
        self._drop(held)
        self.script.check_in(held.name)
        kept = not held.conn.closed
        fate = (
            "It is idle in the pool and will be handed out next."
            if kept
            else f"psycopg2 closed it: {self.pool.minconn} are idle already, and it keeps no more than minconn."
            if len(before.pool) >= self.pool.minconn and isinstance(self.pool, StockPool)
            else "The pool threw it away: it was closed."
        )
        return self._worked(action, f"{held.name} came back. {fate}", before)

    def return_all(self) -> Outcome:
        """Call putconn() for everything that is out by hand. Stops at the first that raises."""
        before = self.pool.insides()
        count = 0
        for held in self.held():
            outcome = self.check_in(held.pid)
            if outcome.explanation is not None:
                return Outcome(outcome.action, outcome.said, before, outcome.after, outcome.explanation)
            count += 1
        said = f"{count} returned." if count else "Nothing is out by hand."
        return self._worked("pool.putconn(…)" if count else "", said, before)

    def run(self, pid: int, sql: str) -> Outcome:
        """Run *sql* on the connection with backend *pid*, in psycopg2's own default mode: a transaction opens."""
        before = self.pool.insides()
        held = self._find(pid)
        if held is None:
            return self._worked("", f"Backend {pid} is not out by hand.", before)
        if "\0" in sql:
            said = "The statement holds a NUL character, at which psycopg2 would cut it: it was not sent."
            return self._worked("", said, before)
        action = f"{held.name}.cursor().execute(…)"
        columns: tuple[str, ...] = ()
        rows: list[tuple[object, ...]] = []
        try:
            with self.pool.running(held.conn, sql), held.conn.cursor() as cursor:
                cursor.execute(sql)
                if cursor.description is not None:
                    columns = tuple(column.name for column in cursor.description)
                    rows = cursor.fetchmany(_MOST_SHOWN)
                count, status = cursor.rowcount, cursor.statusmessage
        except (psycopg2.Error, ValueError, OverflowError) as error:  # psycopg2 cannot read a date BC, say
            self.script.run(held.name, sql, returns_rows=isinstance(error, ValueError | OverflowError), error=error)
            return self._raised(action, error, before)
        self.script.run(held.name, sql, returns_rows=bool(columns))
        said = f"{held.name}: {_rows(count)}." if columns else f"{held.name}: {status}."
        return Outcome(action, said, before, self.pool.insides(), None, columns, tuple(rows))

    def leak(self, pid: int) -> Outcome:
        """Drop the connection with backend *pid* without returning it."""
        before = self.pool.insides()
        held = self._find(pid)
        if held is None:
            return self._worked("", f"Backend {pid} is not out by hand.", before)
        self.pool.leaked(held.conn)
        self._drop(held)
        self.script.leak(held.name)
        said = (
            f"{held.name} is gone from here, but psycopg2's _used keeps it: its slot never comes back by itself."
            if isinstance(self.pool, StockPool)
            else f"{held.name} is gone from here. PgPool refers weakly to what is out: the connection closes, its slot "
            "comes back, and the event says who dropped it."
        )
        return self._worked(f"del {held.name}", said, before)

    def return_twice(self, pid: int) -> Outcome:
        """Call putconn() twice for the connection with backend *pid*."""
        held = self._find(pid)
        first = self.check_in(pid)
        if held is None or not first.worked:
            return first
        try:
            self.pool.putconn(held.conn)
        except psycopg2.Error as error:
            self.script.check_in(held.name, error)
            return self._raised(f"pool.putconn({held.name})", error, first.before)
        return self._worked(f"pool.putconn({held.name})", "The second return was taken.", first.before)

    def return_stranger(self) -> Outcome:
        """Connect outside the pool, and return that connection to it."""
        before = self.pool.insides()
        try:
            stranger = self._connect()
        except psycopg2.Error as error:
            return self._raised("psycopg2.connect(…)", error, before)
        try:
            self.pool.putconn(stranger)
        except psycopg2.Error as error:
            self.script.stranger(error)
            return self._raised("pool.putconn(stranger)", error, before)
        finally:
            stranger.close()
        self.script.stranger(None)
        return self._worked("pool.putconn(stranger)", "The pool took it.", before)

    def close_all(self) -> Outcome:
        """Call closeall(). Waits for statements that still run."""
        before = self.pool.insides()
        out = len(before.used)
        try:
            self.pool.closeall()
        except psycopg2.Error as error:
            self.script.close_all(error)
            return self._raised("pool.closeall()", error, before)
        self.script.close_all()
        said = (
            f"Closed {len(before.pool)} idle and {out} in use. psycopg2 leaves its _pool and _used as they were."
            if isinstance(self.pool, StockPool)
            else f"Closed {len(before.pool)} idle; {out} in use are closed as they come home."
        )
        return self._worked("pool.closeall()", said, before)

    def reopen(self) -> Outcome:
        """Make a new pool with the same limits in place of a closed one."""
        before = self.pool.insides()
        if not before.closed:
            return self._worked("", "The pool is open.", before)
        try:
            self.pool = self._reopen()
        except psycopg2.Error as error:
            return self._raised(f"{self.pool.kind}(…)", error, before)
        with self._lock:
            self._held.clear()
        self.script.reopen()
        said = f"A new pool: {self.pool.minconn} connections opened."
        return self._worked(f"pool = {self.pool.kind}(…)", said, before)

    def _keep(self, conn: connection, pid: int) -> str:
        with self._lock:
            name = self.script.next_name()
            self.script.check_out(name, pid)
            self._held.append(Held(name, pid, conn))
        return name

    def _find(self, pid: int) -> Held | None:
        return next((held for held in self.held() if held.pid == pid), None)

    def _drop(self, held: Held) -> None:
        with self._lock:
            self._held = [other for other in self._held if other is not held]

    def _worked(self, action: str, said: str, before: Insides) -> Outcome:
        return Outcome(action, said, before, self.pool.insides())

    def _raised(self, action: str, error: BaseException, before: Insides) -> Outcome:
        explanation = explain(error, self.pool.stats(), self.pool.slots())
        return Outcome(action, f"{action} raised {explanation.title}", before, self.pool.insides(), explanation)


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
