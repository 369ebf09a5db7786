"""A database of 10,000 tables in the schema tree: until it is usable, its queries, and a key in the search.

The peers ask the same server in turns with us: psql's \\dt and \\d over everything, and where $PGCLI_PYTHON names a
Python that has it, the queries with which pgcli prepares its completion.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import bench
import psycopg2
from beating import LONGEST, P99, Beating
from PySide6.QtCore import QCoreApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from pgexplorer.db.tree import Names, read_first, read_rest
from pgexplorer.demo import binaries, place
from pgexplorer.demo.lease import DemoServer
from pgexplorer.demo.server import start

TABLES, COLUMNS, ROUNDS, SLOW_ROUNDS = 10_000, 10, 7, 2
SPACE = "big"
_WORDS = ["customer", "order", "item", "product", "price", "stock", "audit", "event", "session", "account", "invoice",
          "line", "payment", "batch", "user"]  # fmt: skip
_NAMES = ["name", "created_at", "updated_at", "customer_id", "price_cents", "status", "note", "is_active", "ref"]
TYPED = ("customer", "id", "e", "order_item_77", "77 order", "crtat", "xqzv", "price_cents line_9", "pg_get")
_PGCLI = """
import sys, time
from pgcli.pgexecute import PGExecute
from pgspecial.main import PGSpecial
from pgcli.completion_refresher import CompletionRefresher
from pgcli.pgcompleter import PGCompleter
import pgcli.completion_refresher as refreshing
host, port, user, password, dbname = sys.argv[1:]
executor = PGExecute(dbname, user, password, host, port, None)
completer = PGCompleter(smart_completion=True, pgspecial=PGSpecial(), settings={})
began = time.perf_counter()
for refresh in CompletionRefresher.refreshers.values():
    refresh(completer, executor)
print(time.perf_counter() - began)
"""


def table_name(number: int) -> str:
    """Return the name of a table."""
    return f"{_WORDS[number % 15]}_{_WORDS[number * 7 % 13]}_{number}"


def fill(server: DemoServer) -> None:
    """Make the tables, and let everything of them be analysed once."""
    with contextlib.closing(psycopg2.connect(**server.profile().parameters("side"))) as conn:
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {SPACE}")
            columns = ", ".join(f"{name} text" for name in _NAMES[: COLUMNS - 1])
            for first in range(0, TABLES, 200):
                cursor.execute(
                    ";".join(
                        f"CREATE TABLE {SPACE}.{table_name(n)} (id int PRIMARY KEY, {columns})"
                        for n in range(first, first + 200)
                    )
                )


def ours(server: DemoServer) -> tuple[float, float, float]:
    """Return the seconds until the relations, all names, and the sizes are known: the queries alone."""
    with contextlib.closing(psycopg2.connect(**server.profile().parameters("side"))) as conn:
        conn.autocommit = True
        began = time.perf_counter()
        first = read_first(conn)
        times = [time.perf_counter() - began]
        for news in read_rest(conn, first):
            if isinstance(news, Names):
                assert sum(each.count("\0") + 1 for each in news.parts.columns) > TABLES * COLUMNS
            times.append(time.perf_counter() - began)
        return times[0], times[1], times[2]


def psql(server: DemoServer, *commands: str) -> Callable[[], float]:
    """Return what runs psql with *commands* and says how long it took."""
    given = server.profile().parameters("side")
    found = binaries.find().root / "bin" / "psql"
    program = str(found) if found.exists() else shutil.which("psql")
    assert program, "there is no psql here"
    arguments = [program, "-XAtq", *(part for command in commands for part in ("-c", command))]
    environment = {f"PG{name.upper()}": str(given[name]) for name in ("host", "port", "user", "password")}
    environment |= {"PGDATABASE": given["dbname"], "PATH": os.environ["PATH"]}

    def run() -> float:
        began = time.perf_counter()
        subprocess.run(arguments, env=environment, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - began

    return run


def pgcli(server: DemoServer) -> Callable[[], float] | None:
    """Return what runs pgcli's own queries, without the start of its program; None where it is not there."""
    python = os.environ.get("PGCLI_PYTHON", "")
    if not python:
        return None
    given = server.profile().parameters("side")
    arguments = [given[name] for name in ("host", "port", "user", "password", "dbname")]

    def run() -> float:
        done = subprocess.run([python, "-c", _PGCLI, *map(str, arguments)], capture_output=True, text=True, check=True)
        return float(done.stdout.strip().splitlines()[-1])

    return run


def asked(server: DemoServer, work: Callable[[], object]) -> int:
    """Return how many queries *work* sends, by the server's own log."""
    superuser = server.profile().parameters("side") | {"user": server.superuser, "password": server.superuser_password}
    log: Path = place.find().log
    with contextlib.closing(psycopg2.connect(**superuser)) as conn, conn.cursor() as cursor:
        conn.autocommit = True
        cursor.execute(f"ALTER ROLE {server.profile().user} SET log_statement = 'all'")
        begin = log.stat().st_size
        work()
        cursor.execute(f"ALTER ROLE {server.profile().user} RESET log_statement")
    with log.open("rb") as file:
        file.seek(begin)
        text = file.read().decode()
    statements = re.findall(r"LOG:  (?:statement|execute [^:]*): (.*(?:\n\t.*)*)", text)
    return sum(bool(re.search(r"\b(?:SELECT|TABLE|VALUES)\b", each, re.IGNORECASE)) for each in statements
               if "set_config" not in each)  # fmt: skip


class Window(Beating):
    """The window, opened on the server anew; it knows what its own thread has worked beside what has passed."""

    def __init__(self, server: DemoServer) -> None:
        self.worked: list[float] = []  # seconds of the thread's own work between two ticks
        self._worked = 0.0
        super().__init__(server)

    def _beat(self) -> None:
        now = time.thread_time()
        if self._last:
            self.worked.append(now - self._worked)
        self._worked = now
        super()._beat()

    def beats(self, work: Callable[[], None]) -> list[float]:
        """Return the gaps while *work* is done; what the thread worked in them is in `worked`."""
        self.worked = []
        return super().beats(work)

    def opened(self) -> tuple[list[tuple[float, float]], dict[str, float]]:
        """Return the gaps while the server is opened, each with what was worked, and when the tree showed what."""
        reader = self.window.schema.reader
        times: dict[str, float] = {}
        began = time.perf_counter()
        marks = {
            "relations": reader.first_read, "all names": reader.tree_read, "search": reader.index_made,
            "sizes": reader.measured, "over": reader.read,
        }  # fmt: skip

        def mark(name: str) -> Callable[..., None]:
            return lambda *_: times.setdefault(name, time.perf_counter() - began) and None

        heard = [(signal, mark(name)) for name, signal in marks.items()]
        for signal, slot in heard:
            signal.connect(slot)

        def work() -> None:
            nonlocal began
            began = time.perf_counter()
            self.application.server.open(self._profile)
            self.until(lambda: "over" in times)
            self.settle()

        gaps = self.beats(work)
        for signal, slot in heard:
            signal.disconnect(slot)
        return list(zip(gaps, self.worked, strict=True)), times

    def expanded(self) -> list[tuple[float, float]]:
        """Return the gaps while the schema of 10,000 tables is closed, opened, and scrolled through to its end."""
        tree = self.window.schema.tree
        model = self.window.schema.model
        space = model.find(SPACE, table_name(0)).parent()

        def work() -> None:
            tree.collapse(space)
            self.rest(0.1)
            tree.expand(space)
            self.rest(0.1)
            bar = tree.verticalScrollBar()
            for part in range(1, 21):
                bar.setValue(bar.maximum() * part // 20)
                self.rest(0.03)

        return list(zip(self.beats(work), self.worked, strict=True))

    def typed(self, text: str) -> tuple[list[tuple[float, float]], float]:
        """Type *text*; return the seconds of each key to the painted list, passed and worked, and the longest turn."""
        panel = self.window.schema
        keys: list[tuple[float, float]] = []
        longest = 0.0
        panel.filter.setFocus()
        for letter in (*text, ""):
            began, worked = time.perf_counter(), time.thread_time()
            if letter:
                QTest.keyClicks(panel.filter, letter)
            else:
                panel.filter.clear()  # the tree comes back
            QCoreApplication.sendPostedEvents()
            keys.append((time.perf_counter() - began, time.thread_time() - worked))
            while panel.search.is_searching:
                turn = time.perf_counter()
                QApplication.processEvents()
                longest = max(longest, time.perf_counter() - turn)
            QApplication.processEvents()
        return keys, longest


def main() -> None:
    """Print the tables."""
    bench.title(f"The schema tree over {TABLES:,} tables of {COLUMNS} columns")
    with bench.own_home(), start() as lease:
        server = lease.server
        fill(server)
        _queries(server)
        window = Window(server)
        try:
            _window(window)
        finally:
            window.application.close()


def _queries(server: DemoServer) -> None:
    both = psql(server, r"\dt *.*", r"\df *.*", r"\ds *.*", r"\dv *.*", r"\dT *.*", r"\du", r"\l")
    whole = psql(server, rf"\d {SPACE}.*")
    peer = pgcli(server)
    contenders: dict[str, Callable[[], float]] = {
        "pgexplorer, relations": lambda: ours(server)[0],
        "pgexplorer, all names": lambda: ours(server)[1],
        "pgexplorer, all names and sizes": lambda: ours(server)[2],
        r"psql \dt \df \ds \dv \dT \du \l": both,
    }
    if peer is not None:
        contenders["pgcli, its completion's queries"] = peer
    for work in contenders.values():
        work()  # the server's caches
    found = bench.in_turns(contenders, ROUNDS)
    slow = [whole() for _ in range(SLOW_ROUNDS)]
    counts = {
        "pgexplorer, relations": 1,
        "pgexplorer, all names": asked(server, lambda: ours(server)) - 1,
        "pgexplorer, all names and sizes": asked(server, lambda: ours(server)),
        r"psql \dt \df \ds \dv \dT \du \l": asked(server, both),
        **({"pgcli, its completion's queries": asked(server, peer)} if peer is not None else {}),
    }
    base = found["pgexplorer, all names"]
    rows = [
        [name, counts[name], *bench.Spread.of(times).text(), bench.ratios(times, base).text()[0]]
        for name, times in found.items()
    ]
    described = bench.Spread.of(slow)
    rows.append([rf"psql \d {SPACE}.*", asked(server, whole), *described.text(),
                 f"{described.median / bench.Spread.of(base).median:.1f}"])  # fmt: skip
    bench.table(["", "queries", "s, median", "p10 to p90", "to all our names"], rows)
    bench.note(rf"{ROUNDS} rounds in turns, psql \d {SLOW_ROUNDS} times. pgcli: {'there' if peer else 'not there'}.")


def _window(window: Window) -> None:
    window.opened()
    runs = [window.opened() for _ in range(ROUNDS)]
    rows: list[list[object]] = [
        [name, *bench.Spread.of([times[name] for _, times in runs]).text()]
        for name in ("relations", "all names", "search", "sizes")
    ]
    bench.table(["after Connect, until the tree shows", "s, median", "p10 to p90"], rows)
    opening = [gap for gaps, _ in runs for gap in gaps]
    unfolding = [gap for _ in range(ROUNDS) for gap in window.expanded()]
    bench.table(
        ["gaps of the event loop", "p99, ms", "longest, ms", "longest of own work, ms", "ticks"],
        [
            [
                name,
                f"{bench.percentile([gap for gap, _ in gaps], 99) * 1000:.1f}",
                f"{max(gap for gap, _ in gaps) * 1000:.1f}",
                f"{max(worked for _, worked in gaps) * 1000:.1f}",
                len(gaps),
            ]
            for name, gaps in (
                ("while the server is opened and read", opening),
                ("closing, opening and scrolling the schema", unfolding),
            )
        ],
    )
    rows, longest = [], 0.0
    every: list[tuple[float, float]] = []
    for text in TYPED:
        found = [window.typed(text) for _ in range(ROUNDS)]
        keys = [key for run, _ in found for key in run]
        every += keys
        longest = max(longest, *(turn for _, turn in found))
        passed, worked = ([key[which] for key in keys] for which in (0, 1))
        rows.append([text, *bench.Spread.of(passed).text(1000), f"{max(passed) * 1000:.2f}",
                     f"{bench.percentile(worked, 95) * 1000:.2f}"])  # fmt: skip
    bench.table(["typed", "key, median ms", "p10 to p90", "slowest", "own work, p95"], rows)
    passed, worked = ([key[which] for key in every] for which in (0, 1))
    bench.note(
        f"{len(every)} keys, clearing among them: median {bench.percentile(passed, 50) * 1000:.2f} ms, "
        f"p95 {bench.percentile(passed, 95) * 1000:.2f}, slowest {max(passed) * 1000:.2f}; over 16 ms: "
        f"{sum(key > 0.016 for key in passed)}. Of that the thread's own work: median "
        f"{bench.percentile(worked, 50) * 1000:.2f}, p95 {bench.percentile(worked, 95) * 1000:.2f}, most "
        f"{max(worked) * 1000:.2f}. Longest turn between two keys {longest * 1000:.2f} ms. "
        f"Targets: 16 ms a key, gaps p99 {P99} ms and {LONGEST} ms at most. Load {os.getloadavg()[0]:.1f} at the end."
    )


if __name__ == "__main__":
    main()
