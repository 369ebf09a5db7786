"""The tutorial on psycopg2's pools, a step after the other: what each says, and what it does."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import psycopg2

from pgexplorer.pool.by_hand import ByHand
from pgexplorer.tour.bench import Bench
from pgexplorer.tour.measure import PROGRAM, Spread, measure
from pgexplorer.tour.narrate import MAXCONN, PERSON, backends, do, opened, people, ready, refused, taken
from pgexplorer.tour.news import Bars, News, Rows, Said
from pgexplorer.units import duration

SIMPLE, THREADED, WAITING = "SimpleConnectionPool", "ThreadedConnectionPool", "PgPool"
_COMES_BACK = 0.25  # seconds until the connection comes back for which the waiting step waits


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the tour.

    `act` blocks and belongs on a worker thread. It brings the bench into its own starting state first and says so:
    steps may be skipped, repeated and taken in any order. What psycopg2 raises is news; what it does not stop at is a
    refusal by a server that is gone or a pool that others use.
    """

    id: str
    title: str
    text: str
    kind: str  # the pool class that it works on: another takes the place of the present pool
    act: Callable[[Bench], Iterator[News]]


def _create(bench: Bench) -> Generator[News]:
    hand = yield from opened(bench, SIMPLE)
    if hand is not None:
        yield from backends(bench, _pids(hand))


def _check_out(bench: Bench) -> Generator[News]:
    hand = yield from ready(bench, SIMPLE)
    if hand is None:
        return
    held = yield from taken(hand)
    if held is not None and (yield from people(hand, held)):
        yield Said(f"{held.name} now stands idle in the transaction that psycopg2 opened for the query.")


def _two_more(bench: Bench) -> Generator[News]:
    hand = yield from ready(bench, SIMPLE, out=1)
    if hand is None:
        return
    for _ in range(2):
        known = _pids(hand)
        held = yield from taken(hand)
        if held is None:
            yield Said("Somebody else uses this pool just now. Run the step again when all are free.")
            return
        how = "was open already" if held.pid in known else "is new: psycopg2 opened it now"
        yield Said(f"Backend {held.pid} {how}.")
        yield from people(hand, held)
    yield from backends(bench, _pids(hand))


def _release(bench: Bench) -> Generator[News]:
    hand = yield from ready(bench, SIMPLE, out=MAXCONN)
    if hand is None:
        return
    before = _pids(hand)
    for held in hand.held():
        yield from do(hand, lambda pid=held.pid: hand.check_in(pid))
    after = _pids(hand)
    yield from backends(bench, after, gone=before - after)


def _exhaust(bench: Bench) -> Generator[News]:
    hand = yield from ready(bench, SIMPLE)
    if hand is None:
        return
    # Other panels may hold some of the pool's connections: the refusal comes when all are out, whoever has them.
    for _ in range(MAXCONN + 1):
        full = hand.pool.stats().used >= MAXCONN
        if (yield from taken(hand, meant=full)) is None:
            break
    yield from do(hand, hand.return_all)


def _threads(bench: Bench) -> Generator[News]:
    hand = yield from ready(bench, THREADED)
    if hand is None:
        return
    yield from do(hand, lambda: hand.check_out_by_threads(MAXCONN))
    out = [slot for slot in hand.pool.slots() if slot.is_out]
    rows = tuple((str(slot.number), str(slot.pid), slot.thread, slot.holder) for slot in out)
    yield Rows(("slot", "backend", "thread", "holder"), rows, "Who has a connection")
    if len(out) >= MAXCONN:
        yield from taken(hand, meant=True)
    yield from do(hand, hand.return_all)


def _wait(bench: Bench) -> Generator[News]:
    hand = yield from ready(bench, WAITING, out=MAXCONN)
    if hand is None:
        return
    first = hand.held()[0]
    yield Said(f"All {MAXCONN} are out. A timer gives {first.name} back in {duration(_COMES_BACK)}; meanwhile:")
    yield from do(hand, lambda: hand.wait_for(first.pid, _COMES_BACK))
    yield from do(hand, hand.return_all)


def _gain(bench: Bench) -> Generator[News]:
    hand = yield from ready(bench, THREADED)
    if hand is None:
        return
    began = time.perf_counter()
    try:
        gain = measure(hand.pool, bench.connect, PERSON)
    except psycopg2.Error as error:
        yield refused(error, hand.pool.stats())
        yield Said("The measurement was given up.")
        return
    hand.script.add(*PROGRAM.format(query=gain.query, rounds=gain.rounds).splitlines())
    yield Bars(
        "Time for one query, from asking for a connection to giving it back (shorter is better)",
        (
            ("Connect each time", gain.connecting.median, _spread(gain.connecting)),
            ("From the pool", gain.pooled.median, _spread(gain.pooled)),
        ),
        time.perf_counter() - began,
    )
    ratio = gain.ratio
    yield Said(
        f"Connecting for every query takes {_times(ratio.median)} times as long here "
        f"({_times(ratio.low)} to {_times(ratio.high)}). Medians of {gain.rounds} rounds, taken in turns; in brackets "
        "where nine rounds in ten lie. Over a network, and with TLS, connecting costs more still."
    )


def _pids(hand: ByHand) -> set[int]:
    return {slot.pid for slot in hand.pool.slots()}


def _times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 9.5 else f"{ratio:.1f}"


def _spread(spread: Spread) -> str:
    return f"{duration(spread.median)} ({duration(spread.low)} to {duration(spread.high)})"


STEPS: tuple[Step, ...] = (
    Step(
        "create",
        "Create a pool",
        "A pool keeps connections open, so that a program need not connect for every query. "
        "SimpleConnectionPool(2, 3) opens two connections at once and allows three at most. Each is a process of "
        "its own at the server, a backend: pg_stat_activity shows them.",
        SIMPLE,
        _create,
    ),
    Step(
        "check-out",
        "Check a connection out",
        "getconn() hands out a connection that is open already, so it takes microseconds. The query runs on it as "
        "on any other connection. While it is out nobody else gets it.",
        SIMPLE,
        _check_out,
    ),
    Step(
        "two-more",
        "Check two more out",
        "The second connection was open too. The third did not exist yet: the pool opens it when it is asked for, "
        "because the maximum is three. Compare how long the two take.",
        SIMPLE,
        _two_more,
    ),
    Step(
        "release",
        "Give all of them back",
        "putconn() rolls back what is open and gives a connection back. Two go back into the pool. The third is "
        "closed: psycopg2 keeps no more idle connections than the minimum, which is two here.",
        SIMPLE,
        _release,
    ),
    Step(
        "exhaust",
        "Ask for one too many",
        "Three are the maximum. Who asks for a fourth while three are out gets an exception at once: psycopg2's "
        "pools do not wait until one comes back. A program catches PoolError, or makes sure that it returns what "
        "it takes.",
        SIMPLE,
        _exhaust,
    ),
    Step(
        "threads",
        "The same with threads",
        "ThreadedConnectionPool is the same pool with a lock around each call, so that threads can share it. Three"
        " threads take one connection each at the same moment, and a fourth caller is refused. "
        "SimpleConnectionPool has no lock: with threads it loses count.",
        THREADED,
        _threads,
    ),
    Step(
        "wait",
        "The same with a pool that waits",
        "PgPool is a drop-in for ThreadedConnectionPool that comes with this program. With a timeout, who asks while "
        "all are out waits in line and gets the next connection that comes back, in the order of asking. Only when "
        "none comes back in time does it raise: PoolTimeout, which is a PoolError too.",
        WAITING,
        _wait,
    ),
    Step(
        "gain",
        "What pooling gains",
        "The same query both ways, measured here and now: connect, ask and close, against take a connection from "
        "the pool, ask and give it back. The two take turns, so that a busy machine slows both.",
        THREADED,
        _gain,
    ),
)
