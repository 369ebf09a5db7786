"""Results of any size: first rows, all rows, memory, jumps, and how evenly the window's event loop turns meanwhile.

`bench_results.py` reads 10,000 and 1 million rows; `bench_results.py 10` reads 10 million as well, which takes 4 GB;
`bench_results.py loop` measures the event loop alone.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bench
import psycopg2
from beating import LONGEST, P99, TICK, Beating

from pgexplorer.db.client import Client
from pgexplorer.db.query import Done, Failed, Query, Result
from pgexplorer.db.rows import Rows
from pgexplorer.demo import binaries
from pgexplorer.demo.lease import DemoServer
from pgexplorer.demo.server import start
from pgexplorer.pool.stock import open_stock

ROUNDS = 7
GUI_RUNS = 5
MILLION = 1_000_000
FILL = """\
CREATE UNLOGGED TABLE {name} AS
SELECT n AS id, 'first ' || n % 5000 AS first_name, 'last name ' || n % 70000 AS last_name,
       CASE WHEN n % 2 = 0 THEN 'M' ELSE 'F' END::char(1) AS sex, date '1950-01-01' + n % 20000 AS born,
       (n * 0.37)::numeric(14, 2) AS balance, timestamptz '2020-01-01 00:00+00' + n * interval '1 minute' AS created,
       CASE WHEN n % 20 > 0 THEN 'a note about this person that is about forty' END AS note,
       CASE WHEN n % 10 > 0 THEN jsonb_build_object('k', n, 'tags', jsonb_build_array('a', n % 7)) END AS data
  FROM generate_series(1, {rows}) AS n"""


class Contenders:
    """The ways to read a table of the demo server."""

    def __init__(self, server: DemoServer) -> None:
        self.given = server.profile().parameters("side")
        self.client = Client(open_stock("ThreadedConnectionPool", 1, 2, **server.profile().parameters()))
        self.plain = psycopg2.connect(**self.given)
        self.psql = str(binaries.find().root / "bin" / "psql")
        names = {"PGPASSWORD": "password", "PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname"}
        self.environment = os.environ | {name: str(self.given[key]) for name, key in names.items()}

    def side(self) -> psycopg2.extensions.connection:
        """Connect beside the pool."""
        return psycopg2.connect(**self.given)

    def query(self, sql: str) -> Query:
        """Return a query of the program's own."""
        return Query(self.client, sql, "bench", side=self.side)

    def close(self) -> None:
        """Close all."""
        self.plain.close()
        self.client.pool.closeall()

    def first_of_ours(self, sql: str) -> float:
        """Return the seconds until 200 rows are text, from Run on."""
        began = time.perf_counter()
        news = self.query(sql).run()
        for each in news:
            if isinstance(each, Result) and len(each.rows.window(0, 200)) == 200:
                took = time.perf_counter() - began
                each.rows.close()  # the rest is not read
                for _ in news:
                    pass
                return took
        raise RuntimeError("no rows")

    def first_of_cursor(self, sql: str) -> float:
        """Return the same of psycopg2's named cursor."""
        began = time.perf_counter()
        with self.plain.cursor("rows") as cursor:
            cursor.itersize = 200
            cursor.execute(sql)
            if len(cursor.fetchmany(200)) != 200:
                raise RuntimeError("no rows")
            took = time.perf_counter() - began
        self.plain.rollback()
        return took

    def first_of_psql(self, sql: str) -> float:
        """Return the same of psql, which is started for it, with a cursor of 200 rows."""
        began = time.perf_counter()
        arguments = [self.psql, "-XAtq", "-v", "FETCH_COUNT=200", "-c", sql]
        with subprocess.Popen(arguments, env=self.environment, stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            for _ in range(200):
                running.stdout.readline()
            took = time.perf_counter() - began
            running.kill()
        return took

    def all_of_ours(self, sql: str) -> float:
        """Return the seconds until all rows are in the file and indexed, and the connection is back."""
        began = time.perf_counter()
        rows = self.read(sql)
        took = time.perf_counter() - began
        rows.close()
        return took

    def read(self, sql: str) -> Rows:
        """Read a result to its end."""
        rows: Rows | None = None
        for each in self.query(sql).run():
            if isinstance(each, Result):
                rows = each.rows
            if isinstance(each, Failed) or (isinstance(each, Done) and not each.complete):
                raise RuntimeError(f"not all rows: {each}")
        if rows is None:
            raise RuntimeError("no rows")
        return rows

    def all_of_psql(self, sql: str) -> float:
        """Return the seconds that psql takes to send them to nowhere."""
        arguments = [self.psql, "-Xq", "-c", f"COPY ({sql}) TO STDOUT"]
        return bench.timed(
            lambda: subprocess.run(arguments, env=self.environment, stdout=subprocess.DEVNULL, check=True)
        )


class Streaming(Beating):
    """A million rows into the real window."""

    def prepare(self, sql: str) -> None:
        """Open an SQL tab."""
        panel = self.window.deck.new_query()
        panel.editor.setPlainText(sql)
        self.rest(0.3)

    def idle(self) -> None:
        """Do nothing for as long as a run takes."""
        self.rest(3.0)

    def stream(self, *, scrolling: bool) -> None:
        """Run the tab's statement to its end; with *scrolling* somewhere else 30 times a second."""
        panel = self.window.deck.query_panels()[0]
        dice = random.Random(5)
        panel.run()

        def finished() -> bool:
            if scrolling and panel.current_model() is not None:
                bar = panel.results.currentWidget().verticalScrollBar()  # type: ignore[union-attr]
                bar.setValue(dice.randrange(bar.maximum() + 1))
            return not panel.is_running

        self.until(finished)
        model = panel.current_model()
        if model is None or model.rowCount() != MILLION:
            raise RuntimeError(f"the query failed: {panel.message.text()}")
        self.settle()


def resident() -> int:
    """Return the bytes of memory that this process has in use."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory(sql: str, server: dict[str, object]) -> None:
    """In a process of its own: read, go through all rows, jump; print the bytes and seconds as JSON."""
    bare = open_stock("ThreadedConnectionPool", 1, 1, **server)  # type: ignore[arg-type]
    client = Client(bare)
    list(Query(client, "SELECT 1", "warm", side=lambda: psycopg2.connect(**server)).run())  # type: ignore[call-overload]
    before = resident()
    rows: Rows | None = None
    for each in Query(client, sql, "bench", side=lambda: psycopg2.connect(**server)).run():  # type: ignore[call-overload]
        if isinstance(each, Result):
            rows = each.rows
    assert rows is not None
    after = resident()
    for first in range(0, rows.known, max(50, rows.known // 20_000)):
        rows.window(first, 50)
    scrolled = resident()
    dice = random.Random(7)
    jumps = []
    for _ in range(2_000):
        first = dice.randrange(rows.known - 50)
        began = time.perf_counter()
        page = rows.window(first, 50)
        jumps.append(time.perf_counter() - began)
        # A scan of a large table may begin in its middle, where another one is.
        assert (int(page[1][0] or 0) - int(page[0][0] or 0)) % rows.known == 1
    print(json.dumps({"before": before, "after": after, "scrolled": scrolled, "jumps": jumps, "size": rows.size}))
    rows.close()
    client.pool.closeall()


def in_its_own_process(sql: str, server: dict[str, object]) -> dict[str, object]:
    """Run `memory` in a fresh interpreter."""
    environment = os.environ | {"BENCH_MEMORY": json.dumps([sql, server])}
    done = subprocess.run(
        [sys.executable, __file__], env=environment, stdout=subprocess.PIPE, cwd=Path(__file__).parent, check=True
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


def sizes() -> Iterator[tuple[str, int]]:
    """Yield the tables and their rows."""
    yield "rows_10k", 10_000
    yield "rows_1m", MILLION
    if "10" in sys.argv[1:]:
        yield "rows_10m", 10 * MILLION


def fill(server: DemoServer) -> None:
    """Make the tables."""
    conn = psycopg2.connect(**server.profile().parameters("side"))
    conn.autocommit = True
    with conn.cursor() as cursor:
        for name, rows in sizes():
            cursor.execute(FILL.format(name=name, rows=rows))
            cursor.execute(f"VACUUM ANALYZE {name}")
    conn.close()


def first_rows(ways: Contenders) -> None:
    """Print how soon the first 200 rows are there."""
    lines: list[list[object]] = []
    ours: dict[str, list[float]] = {}
    for name, _ in sizes():
        sql = f"SELECT * FROM {name}"
        contenders: dict[str, Callable[[], float]] = {
            "pgexplorer": lambda sql=sql: ways.first_of_ours(sql),
            "named cursor": lambda sql=sql: ways.first_of_cursor(sql),
            "psql, FETCH_COUNT 200": lambda sql=sql: ways.first_of_psql(sql),
        }
        for each in contenders.values():
            each()
        found = bench.in_turns(contenders, ROUNDS * 3)
        ours[name] = found["pgexplorer"]
        for way, values in found.items():
            ratio = bench.ratios(values, found["named cursor"]).text()
            lines.append([f"{name}, {way}", *bench.Spread.of(values).text(1000), *ratio])
    bench.table(["first 200 rows", "ms", "p10 to p90", "× named cursor", "p10 to p90"], lines)
    large = list(ours)[-1]
    bench.note(f"{large} ÷ rows_10k: {bench.ratios(ours[large], ours['rows_10k']).text()[0]}")


def all_rows(ways: Contenders) -> None:
    """Print how long all rows take."""
    lines: list[list[object]] = []
    for name, rows in sizes():
        sql = f"SELECT * FROM {name}"
        contenders: dict[str, Callable[[], float]] = {
            "pgexplorer, spooled and indexed": lambda sql=sql: ways.all_of_ours(sql),
            "psql COPY > /dev/null": lambda sql=sql: ways.all_of_psql(sql),
        }
        for each in contenders.values():
            each()
        found = bench.in_turns(contenders, ROUNDS if rows <= MILLION else 3)
        for way, values in found.items():
            ratio = bench.ratios(values, found["psql COPY > /dev/null"]).text()
            lines.append([f"{name}, {way}", *bench.Spread.of(values).text(), *ratio])
    bench.table(["all rows", "s", "p10 to p90", "× psql COPY", "p10 to p90"], lines)


def memory_and_jumps(server: dict[str, object]) -> None:
    """Print what a result takes, and how long any page of it."""
    lines: list[list[object]] = []
    for name, rows in sizes():
        found: dict[str, object] = in_its_own_process(f"SELECT * FROM {name}", server)
        jumps = [float(each) for each in found["jumps"]]  # type: ignore[attr-defined]
        megabytes = [int(found[key]) / 2**20 for key in ("before", "after", "scrolled", "size")]  # type: ignore[call-overload]
        before, after, scrolled, size = megabytes
        p50, p95 = (bench.percentile(jumps, percent) * 1000 for percent in (50, 95))
        figures = [f"{before:.0f}", f"+ {after - before:.1f}", f"+ {scrolled - before:.1f}", f"{size:,.0f}"]
        lines.append([f"{rows:,}", *figures, f"{p50:.2f}", f"{p95:.2f}", f"{max(jumps) * 1000:.2f}"])
    head = ["rows", "RSS before, MB", "read", "and gone through", "on disk, MB"]
    bench.table([*head, "jump p50, ms", "p95", "longest"], lines)


def heartbeat(server: DemoServer) -> None:
    """Print the gaps of the window's event loop."""
    heart = Streaming(server)
    found: dict[str, list[list[float]]] = {}
    try:
        heart.prepare("SELECT * FROM rows_1m")
        works: dict[str, Callable[[], None]] = {
            "idle, connected": heart.idle,
            "1,000,000 rows stream in": lambda: heart.stream(scrolling=False),
            "1,000,000 rows stream in, jumping about": lambda: heart.stream(scrolling=True),
        }
        for work in works.values():
            heart.measured(work)
        for _ in range(GUI_RUNS):
            for name, work in works.items():
                found.setdefault(name, []).append(heart.measured(work))
    finally:
        heart.application.close()
    lines: list[list[object]] = []
    for name, runs in found.items():
        gaps = [gap for run in runs for gap in run]
        p99s = [bench.percentile(run, 99) * 1000 for run in runs]
        longest = [max(run) * 1000 for run in runs]
        p99 = bench.percentile(gaps, 99) * 1000
        spread = f"{p99:.1f} ({min(p99s):.1f} to {max(p99s):.1f})"
        most = f"{max(longest):.1f} ({min(longest):.1f} to {max(longest):.1f})"
        met = "yes" if p99 < P99 and max(longest) < LONGEST else "no"
        lines.append([name, len(gaps), f"{bench.percentile(gaps, 50) * 1000:.1f}", spread, most, met])
    bench.table(["while", "gaps", "p50, ms", "p99, ms (runs)", "longest, ms (runs)", "target met"], lines)
    bench.note(f"Gaps of a {TICK} ms timer. The targets: p99 under {P99} ms, the longest under {LONGEST} ms.")


def main() -> None:
    """Print the tables."""
    bench.title("Results of any size")
    with bench.own_home(), start() as lease:
        fill(lease.server)
        if "loop" in sys.argv[1:]:
            heartbeat(lease.server)
            return
        ways = Contenders(lease.server)
        first_rows(ways)
        all_rows(ways)
        memory_and_jumps(lease.server.profile().parameters())  # type: ignore[arg-type]
        ways.close()
        heartbeat(lease.server)


if __name__ == "__main__":
    if given := os.environ.get("BENCH_MEMORY"):
        memory(*json.loads(given))
    else:
        main()
