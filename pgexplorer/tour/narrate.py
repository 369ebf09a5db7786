"""How a step tells what it does: actions timed and put into news, the pool brought into the step's starting state."""

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterable

import psycopg2

from pgexplorer.pool.by_hand import ByHand, Held, Outcome
from pgexplorer.pool.errors import explain
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.stats import PoolStats
from pgexplorer.tour.bench import Bench
from pgexplorer.tour.news import News, Ran, Refused, Rows, Said

MINCONN, MAXCONN = 2, 3
PERSON = "SELECT first_name, last_name, sex FROM person ORDER BY id"
_NO_SUCH_TABLE = "42P01"
_WITHOUT_PERSON = "SELECT current_user, current_database()"
_GONE_WITHIN = 1.0  # seconds that a backend is given to leave pg_stat_activity after its connection was closed

# SQL of the tour's own: the pool as the server sees it.
_BACKENDS = """
SELECT pid::text, application_name, state, to_char(backend_start, 'HH24:MI:SS')
  FROM pg_stat_activity WHERE pid = ANY (%s) ORDER BY backend_start, pid
"""


def do(hand: ByHand, act: Callable[[], Outcome], *, meant: bool = False) -> Generator[News, None, Outcome]:
    """Do one action, tell what came of it and return that. With *meant* an exception is what the step is about.

    The time told is what psycopg2's own calls took, by the pool's events; around them the pool's insides are read.
    """
    last, thread = hand.pool.events.last, threading.current_thread().name
    began = time.perf_counter()
    outcome = act()
    took = time.perf_counter() - began
    events, _ = hand.pool.events.since(last)
    took = sum(event.took for event in events if event.thread == thread) or took
    if outcome.explanation is not None:
        yield Refused(outcome.explanation, outcome, meant, took)
        return outcome
    yield Ran(outcome, took)
    if outcome.columns:
        yield Rows(outcome.columns, tuple(tuple(map(_text, row)) for row in outcome.rows))
    return outcome


def refused(error: psycopg2.Error, stats: PoolStats | None = None) -> Refused:
    """Put an exception that no action by hand raised into news."""
    return Refused(explain(error, stats or PoolStats(MINCONN, MAXCONN, idle=0, used=0)))


def opened(bench: Bench, kind: str) -> Generator[News, None, ByHand | None]:
    """Open a pool of class *kind* and tell what that did; None where it failed, which is told."""
    began = time.perf_counter()
    try:
        bench.open(kind, MINCONN, MAXCONN)
    except psycopg2.Error as error:
        yield refused(error)
        yield Said("No pool was opened: the step ends here. Run it again when the server answers.")
        return None
    took = time.perf_counter() - began
    hand = bench.hand
    if hand is None:
        yield Said("There is no pool: the step ends here.")
        return None
    count = len(hand.pool.slots())
    yield Said(f"{kind}({MINCONN}, {MAXCONN}) opened {count} connections, one after the other.", took)
    return hand


def ready(bench: Bench, kind: str, *, out: int = 0) -> Generator[News, None, ByHand | None]:
    """Bring the bench into a step's starting state: a sound pool of class *kind* with *out* of its connections out.

    Says what it does for that, and does nothing where the state is there already. Returns None where it cannot be
    reached, for example because the server is gone; the reason is told.
    """
    hand = bench.hand
    unfit = "There is no pool yet" if hand is None else _unfit(hand.pool, kind)
    if unfit:
        yield Said(f"{unfit}: opening {kind}({MINCONN}, {MAXCONN}) for this step.")
        hand = yield from opened(bench, kind)
    if hand is None:
        return None
    if (many := len(hand.held())) > out:
        begins = f"with {out} out" if out else "with nothing checked out"
        yield Said(f"This step begins {begins}: returning {many - out} first.")
        if not (yield from _given_back(hand, out)):
            yield Said("That is not possible any more: opening a new pool.")
            hand = yield from opened(bench, kind)
            if hand is None:
                return None
    if (missing := out - len(hand.held())) > 0:
        yield Said(f"This step begins with {out} out: checking {missing} out first.")
        for _ in range(missing):
            if not (yield from do(hand, hand.check_out)).worked:
                yield Said("The step ends here. Run it again when its connections are free.")
                return None
    return hand


def taken(hand: ByHand, *, meant: bool = False) -> Generator[News, None, Held | None]:
    """Check one connection out and return it; None where that raised, which is told."""
    before = {held.pid for held in hand.held()}
    yield from do(hand, hand.check_out, meant=meant)
    return next((held for held in reversed(hand.held()) if held.pid not in before), None)


def people(hand: ByHand, held: Held) -> Generator[News, None, bool]:
    """Query the person table on *held*; on a server without one, something that every server knows."""
    outcome = yield from do(hand, lambda: hand.run(held.pid, PERSON))
    if outcome.explanation is None or outcome.explanation.sqlstate != _NO_SUCH_TABLE:
        return outcome.worked
    yield Said("This database has no table person: asking for something else instead.")
    if not (yield from do(hand, lambda: hand.run(held.pid, "ROLLBACK"))).worked:
        return False
    return (yield from do(hand, lambda: hand.run(held.pid, _WITHOUT_PERSON))).worked


def backends(bench: Bench, pids: Iterable[int], gone: Iterable[int] = ()) -> Generator[News]:
    """Show *pids* as the server sees them, through a connection beside the pool; wait for *gone* to leave first."""
    asked, leaving = sorted({*pids, *gone}), {str(pid) for pid in gone}
    began = time.perf_counter()
    try:
        with contextlib.closing(bench.connect()) as conn, conn.cursor() as cursor:
            conn.autocommit = True  # one look at pg_stat_activity lasts as long as its transaction
            while True:
                cursor.execute(_BACKENDS, (asked,))
                rows = [tuple(map(_text, row)) for row in cursor.fetchall()]
                if not any(row[0] in leaving for row in rows) or time.perf_counter() - began > _GONE_WITHIN:
                    break
                time.sleep(0.01)
    except psycopg2.Error as error:
        yield Said(f"The server's side cannot be shown now: {str(error).strip().partition(chr(10))[0]}")
        return
    took = time.perf_counter() - began
    yield Rows(("pid", "application_name", "state", "since"), tuple(rows), "The server's side: pg_stat_activity", took)


def _unfit(pool: Pool, kind: str) -> str:
    """Say why *pool* does not serve a step that needs *kind*; "" where it does."""
    stats = pool.stats()
    if stats.is_closed:
        return "The pool is closed"
    if (pool.kind, pool.minconn, pool.maxconn) != (kind, MINCONN, MAXCONN):
        return f"This step is about another pool than {pool.kind}({pool.minconn}, {pool.maxconn})"
    if any(slot.leaked for slot in pool.slots()):
        return "A connection of this pool was leaked and its slot never comes back"
    return ""


def _given_back(hand: ByHand, keep: int) -> Generator[News, None, bool]:
    """Return what is out by hand until *keep* are left, the last check-outs first."""
    for held in reversed(hand.held()[keep:]):
        for _ in range(2):  # psycopg2 keeps the slot of a connection that died in a transaction until a second return
            if (yield from do(hand, lambda pid=held.pid: hand.check_in(pid))).worked:
                break
        else:
            return False
    return True


def _text(value: object) -> str | None:
    return None if value is None else str(value)
