"""Scenarios that teach: each contrasts two pools for some seconds and ends in one sentence made of what was measured.

They use no table: only pg_sleep, settings, advisory locks and temporary objects, on pools of their own.
"""

import contextlib
import statistics
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.lab.askers import Tally, ask_once, give_back, run_on
from pgexplorer.lab.bench import Bench, put_in_place, wait_until_gone
from pgexplorer.lab.faults import terminate
from pgexplorer.lab.guard import bounded, permit
from pgexplorer.lab.link import Link
from pgexplorer.lab.news import Bars, Concluded, News, Said
from pgexplorer.lab.stage import AGAIN, Crowd, Stage, Stopped, contrast, counted, sleeping
from pgexplorer.pool.events import EventKind
from pgexplorer.pool.pg_pool import PgPool
from pgexplorer.pool.protocol import Pool
from pgexplorer.units import duration


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario: what it is called, what it is about, and what does it."""

    id: str
    title: str
    line: str  # for a list
    text: str  # what happens, and which pools it contrasts
    act: Callable[[Stage], Iterator[News]]


def run(
    scenario: Scenario,
    bench: Bench,
    *,
    kinds: tuple[str, str] | None = None,
    scale: float = 1.0,
    stop: threading.Event | None = None,
    restart: Callable[[], object] | None = None,
) -> Iterator[News]:
    """Run *scenario* on pools of its own in place of the pool in use, which comes back at the end, whatever happens.

    *kinds* are the pool classes, by default the one in use (or psycopg2's threaded one) and PgPool. Set *stop* to end
    it. *restart* restarts the server: without it a scenario that is about that ends the pool's backends instead.
    Raises OnProduction, NoRoom, psycopg2.Error, and ConnectionAbortedError when the server was left.
    """
    before, detour = bench.profile, bench.detour
    permit(before)
    bounded("scale", scale, 1.0, 0.01)
    halt = stop or threading.Event()
    stage = Stage(bench, kinds or contrast(before.pool_class), scale=scale, stop=halt, restart=restart)
    try:
        yield from scenario.act(stage)
    except Stopped:
        yield Said("Stopped.")
    finally:
        bench.detour = detour
        put_in_place(bench, before.pool_class, before.minconn, before.maxconn)


# -- more callers than connections ----------------------------------------------------------------------------------


def _exhaustion(stage: Stage) -> Generator[News]:
    callers, hold = 50, stage.seconds(0.2)
    size = yield from stage.fit(4, 1)
    found: list[tuple[str, Crowd]] = []
    for kind in stage.kinds:
        pool = stage.open(kind, size, size)
        yield Said(f"{callers} threads ask {kind}({size}, {size}) at the same moment, each for {duration(hold)}.")
        crowd = yield from stage.once(pool, callers, sleeping(hold), hold * callers / size)
        found.append((kind, crowd))
    yield Bars(f"Served of {callers}", tuple((kind, crowd.total.served, counted(crowd.total)) for kind, crowd in found))
    yield Concluded("; ".join(_fate(kind, crowd) for kind, crowd in found) + ".")


def _spike(stage: Stage) -> Generator[News]:
    spikes, apart, hold = 8, stage.seconds(0.5), 0.002
    size = yield from stage.fit(12, 3)
    found: list[tuple[str, int, float, str]] = []
    for kind in stage.kinds:
        pool = stage.open(kind, 2, size)
        yield Said(f"{kind}(2, {size}): {spikes} spikes of {size} callers, each of whom holds for {duration(hold)}.")
        opened, took, whole = pool.stats().opened, list[float](), Tally()
        for number in range(1, spikes + 1):
            crowd = yield from stage.once(pool, size, sleeping(hold), hold, ((number - 1) / spikes, number / spikes))
            took.append(crowd.took)
            whole = Crowd([whole, crowd.total]).total
            yield stage.progressed(number / spikes, f"{number} of {spikes} spikes: {counted(whole)}")
            stage.pause(apart)
        lost = size * spikes - whole.served
        found.append(
            (
                kind,
                pool.stats().opened - opened,
                statistics.median(took),
                f" ({lost} of {size * spikes} not served)" if lost else "",
            )
        )
    yield Bars(
        "Time until all callers of a spike were served (median)",
        tuple((kind, took, duration(took)) for kind, _, took, _ in found),
    )
    yield Concluded(
        f"For {spikes} spikes of {size} callers "
        + ", and ".join(
            f"{kind} connected {_many(connects, 'time')} and took {duration(took)} a spike{lost}"
            for kind, connects, took, lost in found
        )
        + "."
    )


def _starvation(stage: Stage) -> Generator[News]:
    # Another thread comes in between only while psycopg2 rolls back on a return: the longer a hold, the fewer returns.
    callers, hold, seconds = 16, max(0.005, stage.seconds(0.05)), stage.seconds(3)
    size = yield from stage.fit(4, 1)
    found: list[tuple[str, list[int]]] = []
    for kind in stage.kinds:
        pool = stage.open(kind, size, size)
        yield Said(
            f"{callers} threads ask {kind}({size}, {size}) without a pause, each for {duration(hold)}; who is refused "
            f"asks again {duration(AGAIN)} later."
        )
        crowd = yield from stage.loop(pool, callers, sleeping(hold), seconds)
        found.append((kind, sorted(tally.served for tally in crowd.tallies)))
    bars: list[tuple[str, float, str]] = []
    for kind, served in found:
        bars += [(f"{kind}, the luckiest thread", served[-1], f"{served[-1]:,}")]
        bars += [(f"{kind}, the unluckiest", served[0], f"{served[0]:,}")]
    yield Bars(f"Times served in {duration(seconds)}", tuple(bars))
    yield Concluded(
        f"In {duration(seconds)} {callers} threads on {size} connections were served {_spread(found[0][1])} by "
        f"{found[0][0]}, and {_spread(found[1][1])} by {found[1][0]}."
    )


# -- what is done under a lock, and too often -----------------------------------------------------------------------


def _rollback(stage: Stage) -> Generator[News]:
    each_way, seconds = 0.005, stage.seconds(3)
    size = yield from stage.fit(8, 2)
    found: list[tuple[str, float]] = []
    link = Link(stage.bench.connect)
    try:
        stage.bench.detour = link.parameters
        for kind in stage.kinds:
            link.proxy.heal()
            pool = stage.open(kind, size, size)
            link.proxy.delay = each_way
            yield Said(
                f"{size} threads on {kind}({size}, {size}) through a proxy: each round trip takes "
                f"{duration(2 * each_way)} longer."
            )
            crowd = yield from stage.loop(pool, size, lambda pool, conn: run_on(pool, conn, "SELECT 1"), seconds)
            found.append((kind, crowd.total.served / crowd.took))
    finally:
        link.close()
    (stock, slow), (ours, quick) = found
    yield Bars("Transactions a second", tuple((kind, rate, f"{rate:,.0f}/s") for kind, rate in found))
    yield Concluded(
        f"With {duration(2 * each_way)} more for a round trip, {size} threads on {size} connections did {slow:,.0f} "
        f"transactions a second with {stock}, which rolls back under its lock, and {quick:,.0f} with {ours}, which "
        f"does so outside: {_ratio(quick, slow)}."
    )


def _churn(stage: Stage) -> Generator[News]:
    work, pause, seconds = 0.005, 0.005, stage.seconds(3)
    size = yield from stage.fit(5, 2)
    found: list[tuple[str, int, int, float]] = []
    for kind in stage.kinds:
        pool = stage.open(kind, 1, size)
        yield Said(f"{size} threads work on {kind}(1, {size}): {duration(work)} of work, {duration(pause)} of pause.")
        opened = pool.stats().opened
        crowd = yield from stage.loop(pool, size, sleeping(work), seconds, pause=pause)
        connect = pool.histograms().connect.percentile(50)
        found.append((kind, crowd.total.served, pool.stats().opened - opened, connect))
    yield Bars("Connections opened", tuple((kind, opened, f"{opened:,}") for kind, _, opened, _ in found))
    yield Concluded(
        f"In {duration(seconds)} {size} threads on a pool of 1 to {size} were served "
        + ", and ".join(
            f"{served:,} times by {kind}, which connected {_many(opened, 'time')}"
            + (f" ({duration(connect)} each)" if opened else "")
            for kind, served, opened, connect in found
        )
        + "."
    )


# -- what the pool does not know ------------------------------------------------------------------------------------


def _stale(stage: Stage) -> Generator[News]:
    asks, apart = 12, stage.seconds(0.1)
    size = yield from stage.fit(6, 1)
    verb = "restarted" if stage.restart is not None else "told to end them"
    found: list[tuple[str, Tally, float]] = []
    for kind in stage.kinds:
        pool = stage.open(kind, size, size)
        yield Said(f"{kind}({size}, {size}) has {_many(size, 'idle connection')}. Now the server is {verb}.")
        if stage.restart is not None:
            stage.restart()
        else:
            wait_until_gone(stage.bench.connect, terminate(stage.bench, "all", size))
        tally, began, first = Tally(), time.monotonic(), 0.0
        for number in range(1, asks + 1):
            ask_once(pool, f"caller {number}", lambda pool, conn: run_on(pool, conn, "SELECT 1"), tally)
            if tally.served == 1 and not first:
                first = time.monotonic() - began - apart * (number - 1)
            yield stage.progressed(number / asks, counted(tally))
            stage.pause(apart)
        found.append((kind, tally, first))
    yield Bars(
        "Requests that failed", tuple((kind, asks - t.served, f"{asks - t.served} of {asks}") for kind, t, _ in found)
    )
    yield Concluded(
        f"With {_many(size, 'connection')} idle, the server was {verb}: afterwards "
        + ", and ".join(
            f"{_share(asks - tally.served, asks)} failed with {kind}"
            + (f", whose first answer came after {duration(first)}" if tally.served == asks else "")
            for kind, tally, first in found
        )
        + "."
    )


_LEFT: tuple[tuple[str, str, str], ...] = (
    # what is left, how, and what finds it
    ("a setting", "SET search_path = pg_temp", "SELECT current_setting('search_path') = 'pg_temp'"),
    (
        "a temporary table",
        "CREATE TEMPORARY TABLE pgexplorer_left (n int)",
        "SELECT to_regclass('pg_temp.pgexplorer_left') IS NOT NULL",
    ),
    (
        "an advisory lock",
        "SELECT pg_try_advisory_lock(1885827192, pg_backend_pid())",
        "SELECT count(*) > 0 FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'",
    ),
    (
        "a prepared statement",
        "PREPARE pgexplorer_left AS SELECT 1",
        "SELECT count(*) > 0 FROM pg_prepared_statements WHERE name = 'pgexplorer_left'",
    ),
    ("a LISTEN", "LISTEN pgexplorer_left", "SELECT count(*) > 0 FROM pg_listening_channels()"),
)
_AUTOCOMMIT = "the autocommit flag"


def _state(stage: Stage) -> Generator[News]:
    yield from stage.fit(1, 1)
    contenders = [(kind, kind, "") for kind in stage.kinds]
    contenders += [(kind, f'{kind} with reset="discard"', "discard") for kind in stage.kinds if kind == PgPool.__name__]
    stage.parts = len(contenders)
    found: list[tuple[str, list[str]]] = []
    left: list[str] = []
    for kind, name, reset in contenders:
        pool = stage.open(kind, 1, 1)
        if reset and isinstance(pool, PgPool):
            pool.reset = reset
        left = yield from _leave(stage, pool)
        stage.pause(stage.seconds(1))
        met = yield from _meet(stage, pool)
        found.append((name, met))
    yield Bars(
        "Left behind by one holder and met by the next",
        tuple((name, len(met), f"{len(met)} of {len(left)}") for name, met in found),
    )
    yield Concluded(
        f"Of {len(left)} things that one holder left ({', '.join(left)}), the next one met "
        + ", ".join(f"{len(met) or 'none'} in {name}" for name, met in found)
        + "."
    )


def _leave(stage: Stage, pool: Pool) -> Generator[News, None, list[str]]:
    """Leave on the pool's one connection whatever the server lets one leave; return what."""
    left = [_AUTOCOMMIT]
    conn = pool.getconn(holder="the untidy one")
    try:
        conn.autocommit = True
        for number, (what, sql, _) in enumerate(_LEFT):
            yield stage.progressed(number / len(_LEFT) / 2, f"The untidy holder leaves {what}: {sql}")
            with contextlib.suppress(psycopg2.errors.ReadOnlySqlTransaction, psycopg2.errors.InsufficientPrivilege):
                run_on(pool, conn, sql)
                left.append(what)
            stage.pause(stage.seconds(0.2))
    finally:
        give_back(pool, conn)
    return left


def _meet(stage: Stage, pool: Pool) -> Generator[News, None, list[str]]:
    """Return what the next holder of the pool's one connection meets."""
    conn = pool.getconn(holder="the next one")
    met: list[str] = []
    try:
        if conn.autocommit:
            met.append(_AUTOCOMMIT)
        for what, _, sql in _LEFT:
            with pool.running(conn, sql), conn.cursor() as cursor:
                cursor.execute(sql)
                [(is_there,)] = cursor.fetchall()
            if is_there:
                met.append(what)
    finally:
        give_back(pool, conn)
    yield stage.progressed(1, f"The next holder meets {', '.join(met) or 'nothing'}.")
    return met


def _leak(stage: Stage) -> Generator[News]:
    asks, every, apart = 40, 8, stage.seconds(0.05)
    size = yield from stage.fit(4, 1)
    found: list[_Leaks] = []
    for kind in stage.kinds:
        pool = stage.open(kind, size, size)
        pool.timeout = min(pool.timeout, 2.0)  # a slot that is lost never comes: the rest is a busy machine
        yield Said(f"{asks} requests to {kind}({size}, {size}); one in {every} never gives its connection back.")
        last, tally, dropped = pool.events.last, Tally(), 0
        for number in range(1, asks + 1):
            if number % every:
                ask_once(pool, f"request {number}", lambda pool, conn: run_on(pool, conn, "SELECT 1"), tally)
            else:
                dropped += _forget(pool, tally)
            yield stage.progressed(number / asks, f"{counted(tally)}, {dropped} not given back")
            stage.pause(apart)
        works = _capacity(pool, size)
        events, _ = pool.events.since(last)
        culprits = [event.detail.partition("\n")[0] for event in events if event.kind is EventKind.DROPPED]
        found.append(_Leaks(kind, tally, dropped, works, size, culprits))
    yield Bars("Slots that still work at the end", tuple((f.kind, f.works, f"{f.works} of {f.size}") for f in found))
    yield Concluded(f"Of {asks} requests " + ", and ".join(each.said() for each in found) + ".")


@dataclass(frozen=True, slots=True)
class _Leaks:
    """What came of a leak in one pool."""

    kind: str
    tally: Tally
    dropped: int
    works: int
    size: int
    culprits: list[str]  # "file:line in function" of each that the pool noticed by itself

    def said(self) -> str:
        lost = self.size - self.works
        words = f"{self.dropped} dropped their connection in {self.kind}, which "
        words += f"lost {lost} of its {_many(self.size, 'slot')} for good" if lost else "lost no slot"
        words += f" and refused {self.tally.refused + self.tally.timed_out or 'nobody'}"
        if self.culprits:
            where = self.culprits[0].replace("\\", "/").rpartition("/")[2]
            words += f"; its events name the line, {where}"
        return words


def _forget(pool: Pool, tally: Tally) -> bool:
    """Take a connection and drop it. Return whether there was one to drop."""
    try:
        conn = pool.getconn(holder="the forgetful one")
    except psycopg2.Error as error:
        tally.count(error)
        return False
    run_on(pool, conn, "SELECT 1")
    tally.served += 1
    pool.leaked(conn)
    return True  # and the last reference goes


def _capacity(pool: Pool, size: int) -> int:
    """Return how many connections can be out of *pool* at once."""
    taken: list[connection] = []
    with contextlib.suppress(psycopg2.Error):
        while len(taken) < size:
            taken.append(pool.getconn(holder="count the slots"))
    for conn in taken:
        give_back(pool, conn)
    return len(taken)


# -- words ----------------------------------------------------------------------------------------------------------


def _fate(kind: str, crowd: Crowd) -> str:
    whole, asked = crowd.total, len(crowd.tallies)
    if whole.served == asked:
        waited = duration(statistics.median(whole.waits))
        return f"{kind} served all {asked} in {duration(crowd.took)}, waiting {waited} at the median"
    lost = [f"refused {whole.refused}"] if whole.refused else []
    lost += [f"let {whole.timed_out} wait in vain"] if whole.timed_out else []
    lost += [f"failed {whole.failed}"] if whole.failed else []
    return f"{kind} {' and '.join(lost)} of {asked}"


def _spread(served: list[int]) -> str:
    """Say how evenly *served*, in rising order, is spread, with Jain's index: 1 for all alike, 1/n for one alone."""
    squares = sum(count * count for count in served)
    index = sum(served) ** 2 / (len(served) * squares) if squares else 0.0
    never = served.count(0)
    some = f", {never} of them never" if never else ""
    return f"{served[0]:,} to {served[-1]:,} times each{some} (fairness {index:.2f})"


def _ratio(more: float, less: float) -> str:
    if not less:
        return "the first did nothing"
    return f"{more / less:.1f} times as many" if more > less * 1.05 else f"{more / less:.2f} of that"


def _share(count: int, of: int) -> str:
    return f"none of {of} requests" if not count else f"{count} of {of} requests"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        "exhaustion",
        "Exhaustion",
        "more callers than connections",
        "Fifty threads ask a pool of four at the same moment. psycopg2's pools refuse whoever finds all connections "
        "out; PgPool lets them wait in line.",
        _exhaustion,
    ),
    Scenario(
        "spike",
        "Spike",
        "callers come in waves",
        "Every half second as many callers come as the pool may grow to, each for two milliseconds. psycopg2's pools "
        "connect for each, one after the other under their lock, and close what exceeds the minimum; PgPool hands "
        "returned connections on and keeps what it opened.",
        _spike,
    ),
    Scenario(
        "starvation",
        "Starvation",
        "who asks most gets most",
        "Sixteen threads ask a pool of four without a pause. With psycopg2's pools whoever returns a connection asks "
        "again before anybody else can, and the refused come in vain; PgPool serves in the order of asking.",
        _starvation,
    ),
    Scenario(
        "rollback",
        "Rollback under the lock",
        "threads go one by one",
        "Eight threads on eight connections over a link with ten milliseconds more for each round trip. psycopg2's "
        "pools roll back under their only lock, so that returns go one by one; PgPool does so outside.",
        _rollback,
    ),
    Scenario(
        "churn",
        "Churn above minconn",
        "connect, close, connect",
        "Five threads work on a pool of one to five. psycopg2's pools close every returned connection above the "
        "minimum, and connect again for the next; PgPool keeps it for ten minutes.",
        _churn,
    ),
    Scenario(
        "stale",
        "Stale after a restart",
        "idle, but dead",
        "Six connections lie idle when the demo server is restarted; on another server their backends are ended "
        "instead. Then twelve requests come. psycopg2's pools hand the dead ones out; PgPool looks first.",
        _stale,
    ),
    Scenario(
        "state",
        "State that leaks",
        "one holder's mess",
        "One holder changes a setting, makes a temporary table, takes an advisory lock, prepares, listens, and returns "
        'the connection. Contrasts psycopg2, PgPool as it comes, and PgPool with reset="discard".',
        _state,
    ),
    Scenario(
        "leak",
        "Leak hunt",
        "never given back",
        "One request in eight forgets to return its connection. psycopg2's pools never learn of it; PgPool notices the "
        "dropped connection, frees the slot, and its event names the line.",
        _leak,
    ),
)
BY_ID = {scenario.id: scenario for scenario in SCENARIOS}
