"""Exports of a million rows beside psql's own \\copy: time, rows a second, and memory.

python tests/benchmarks/bench_export.py [--rows 1000000] [--rounds 5] [--formats csv,tsv,jsonl,sql,parquet]

The contenders take turns on a demo server of their own; each export runs in a fresh process, which says how long it
took and how much its memory grew at most, the converter's own memory left out. What psql takes to start, connect and
answer SELECT 1 is measured in each round and taken off its time. Linux alone says how much memory there was.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import bench
import psycopg2

from pgexplorer.demo import binaries
from pgexplorer.demo.server import DemoServer, start

TABLE = """
CREATE TABLE people AS SELECT g::bigint AS id, 'First' || g % 1000 AS first_name, 'Last' || g % 5000 AS last_name,
       (CASE WHEN g % 2 = 0 THEN 'F' ELSE 'M' END)::char(1) AS sex, DATE '1950-01-01' + g % 20000 AS born,
       (g % 1000000 / 100.0)::numeric(12,2) AS balance, TIMESTAMPTZ '2020-01-01' + g * INTERVAL '1 s' AS created_at,
       CASE WHEN g % 20 > 0 THEN repeat('a note of this person ', 2) || g END AS note,
       CASE WHEN g % 10 > 0 THEN jsonb_build_object('n', g, 'tag', 't' || g % 7) END AS data
  FROM generate_series(1, {rows}) AS g
"""


def one(order: dict[str, str]) -> None:
    """Export once, in this process, and print what it took."""
    from pgexplorer.db.client import Client
    from pgexplorer.db.schema import read_relations
    from pgexplorer.db.transfer.export import Export, Finished, TableSource
    from pgexplorer.db.transfer.formats import Format
    from pgexplorer.pool.stock import open_stock

    pool = open_stock("ThreadedConnectionPool", 1, 1, **json.loads(order["parameters"]))
    client = Client(pool)
    with client.lend("bench") as conn:
        relation = next(each for _, found in read_relations(conn) for each in found if each.name == "people")
    path = Path(order["path"])
    export = Export(client, TableSource(relation), Format(order["kind"]), path, side=lambda: conn, overwrite=True)
    before = memory("VmRSS")
    news: list[object] = []
    seconds = bench.timed(lambda: news.extend(export.run()))
    last = news[-1]
    assert isinstance(last, Finished)
    pool.closeall()
    grown = memory("VmHWM") - before
    print(json.dumps({"seconds": seconds, "grown": grown, "rows": last.rows, "sent": last.sent, "bytes": last.bytes}))


def memory(what: str) -> int:
    """Return what Linux says of this process's memory, in bytes: VmRSS now, VmHWM the most until now.

    Not getrusage's maximum, which a process inherits from the one that started it.
    """
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{what}:"))


class Contest:
    """The server, and what each contender has said."""

    def __init__(self, server: DemoServer, folder: str, rows: int) -> None:
        self.parameters = server.profile().parameters("side")
        self.folder = folder
        self.rows = rows
        self.told: dict[str, list[dict[str, float]]] = {}
        conn = psycopg2.connect(**self.parameters)
        conn.autocommit = True
        with conn.cursor() as cursor:
            cursor.execute(TABLE.replace("{rows}", str(rows)))
            cursor.execute("VACUUM ANALYZE people")
            cursor.execute("SELECT count(*) FROM people")  # all of it in memory
        conn.close()

    def psql(self) -> float:
        """Copy with psql; return the seconds."""
        given = self.parameters
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname", "PGPASSWORD": "password"}
        environment |= {name: str(given[key]) for name, key in names.items()}
        path = f"{self.folder}/psql.csv"
        command = [str(binaries.find().root / "bin" / "psql"), "-Xq", "-c"]
        command.append(f"\\copy people to '{path}' with (format csv, header)")
        seconds = bench.timed(lambda: subprocess.run(command, env=environment, check=True))
        nothing = [*command[:-1], "SELECT 1"]
        started = bench.timed(lambda: subprocess.run(nothing, env=environment, check=True, stdout=subprocess.DEVNULL))
        self.told.setdefault("psql", []).append({"start": started, "bytes": Path(path).stat().st_size})
        return seconds - started

    def export(self, kind: str) -> float:
        """Export in a process of its own; return the seconds that the export itself took."""
        order = {"kind": kind, "path": f"{self.folder}/ours.{kind}", "parameters": json.dumps(self.parameters)}
        done = subprocess.run(
            [sys.executable, __file__, "--one"], input=json.dumps(order), capture_output=True, text=True, check=True
        )
        told = json.loads(done.stdout)
        assert told["rows"] == told["sent"] == self.rows, told
        self.told.setdefault(kind, []).append(told)
        return told["seconds"]

    def same(self) -> bool:
        """Whether psql's file and ours are the same, byte for byte."""
        ours, theirs = Path(self.folder) / "ours.csv", Path(self.folder) / "psql.csv"
        return ours.read_bytes() == theirs.read_bytes()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--formats", default="csv,tsv,jsonl,sql,parquet")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(json.loads(sys.stdin.readline()))
        return 0
    kinds = given.formats.split(",")
    bench.title(f"Export of {given.rows:,} rows of 9 columns")
    with bench.own_home(), tempfile.TemporaryDirectory() as folder:
        lease = start()
        try:
            contest = Contest(lease.server, folder, given.rows)
            contest.psql()  # once to warm up; not counted
            contest.told.clear()
            contenders = {"psql": contest.psql}
            contenders |= {kind: lambda kind=kind: contest.export(kind) for kind in kinds}
            found = bench.in_turns(contenders, given.rounds)
            same = contest.same() if "csv" in kinds else None
        finally:
            lease.release()
    rows: list[tuple[str, ...]] = []
    for name, seconds in found.items():
        spread = bench.Spread.of(seconds)
        ratio = bench.ratios(seconds, found["psql"])
        told = contest.told[name]
        grown = max((each["grown"] for each in told if "grown" in each), default=None)
        rows.append(
            (
                "psql \\copy, CSV" if name == "psql" else name,
                f"{spread.median:.2f}",
                f"{spread.low:.2f} to {spread.high:.2f}",
                f"{given.rows / spread.median:,.0f}",
                "1" if name == "psql" else f"{ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
                "—" if grown is None else f"{grown / 2**20:.0f}",
                f"{told[0]['bytes'] / 2**20:.0f}",
            )
        )
    head = ("way", "s", "p10 to p90", "rows/s", "× psql, within each round", "most memory more, MB", "file, MB")
    bench.table(head, rows)
    starts = bench.Spread.of([each["start"] for each in contest.told["psql"]])
    bench.note(f"Taken off psql's time for its start: {starts.median * 1000:.0f} ms.")
    if same is not None:
        bench.note(f"The CSV file is {'the same as' if same else 'NOT the same as'} psql's, byte for byte.")
    return 0 if same in {None, True} else 1


if __name__ == "__main__":
    sys.exit(main())
