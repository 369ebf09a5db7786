"""A Parquet file of a million rows beside what else makes one: ADBC, psycopg2 with pyarrow, psql with DuckDB.

python tests/benchmarks/bench_parquet.py [--rows 1000000] [--rounds 5]

It needs pyarrow, and measures those of the others (adbc-driver-postgresql, duckdb) that are installed. Each runs in a
fresh process, in turns, and says how long it took from the connection on, and how much its memory grew.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench
import psycopg2
from bench_export import TABLE, memory, one

from pgexplorer.demo import binaries
from pgexplorer.demo.server import start

BATCH = 50_000


def by_adbc(order: dict[str, Any]) -> None:
    """ADBC's record batches into a file."""
    import pyarrow.parquet as parquet
    from adbc_driver_postgresql import dbapi

    given = order["parameters"]
    uri = "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**given)
    with dbapi.connect(uri) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT * FROM people")
        reader = cursor.fetch_record_batch()
        with parquet.ParquetWriter(order["path"], reader.schema) as writer:
            for batch in reader:
                writer.write_batch(batch)


def by_psycopg2(order: dict[str, Any]) -> None:
    """A named cursor's Python values, made into Arrow arrays by pyarrow."""
    import pyarrow
    import pyarrow.parquet as parquet

    conn = psycopg2.connect(**order["parameters"])
    with conn, conn.cursor("rows") as cursor:
        cursor.itersize = BATCH
        cursor.execute("SELECT id, first_name, last_name, sex, born, balance, created_at, note, data::text FROM people")
        writer: Any = None
        schema = None
        while rows := cursor.fetchmany(BATCH):
            names = [column.name for column in cursor.description]
            columns = [pyarrow.array(values) for values in zip(*rows, strict=True)]
            if schema is None:
                table = pyarrow.table(columns, names=names)
                schema = table.schema.set(5, pyarrow.field("balance", pyarrow.decimal128(12, 2)))
                writer = parquet.ParquetWriter(order["path"], schema)
            writer.write_table(pyarrow.table(columns, names=names).cast(schema))
        writer.close()
    conn.close()


def by_duckdb(order: dict[str, Any]) -> None:
    """Write CSV by psql's own copy and have DuckDB turn it into Parquet; its PostgreSQL extension is a download."""
    import duckdb

    given = order["parameters"]
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGDATABASE": "dbname", "PGPASSWORD": "password"}
    environment = os.environ | {name: str(given[key]) for name, key in names.items()}
    text = f"{order['path']}.csv"
    psql = str(binaries.find().root / "bin" / "psql")
    command = [psql, "-Xq", "-c", f"\\copy people to '{text}' with (format csv, header)"]
    subprocess.run(command, env=environment, check=True)
    duckdb.sql(f"COPY (FROM read_csv('{text}')) TO '{order['path']}' (FORMAT parquet)")
    Path(text).unlink()


WAYS: dict[str, tuple[str, Callable[[dict[str, Any]], None] | None]] = {
    "pgexplorer": ("pyarrow", None),
    "ADBC, pyarrow": ("adbc_driver_postgresql", by_adbc),
    "psycopg2, pyarrow": ("pyarrow", by_psycopg2),
    "psql, DuckDB": ("duckdb", by_duckdb),
}


def run_one() -> None:
    """Be one contender, as standard input says."""
    order = json.loads(sys.stdin.read())
    way = WAYS[order["way"]][1]
    if way is None:
        one({"kind": "parquet", "path": order["path"], "parameters": json.dumps(order["parameters"])})
        return
    before = memory("VmRSS")
    seconds = bench.timed(lambda: way(order))
    print(json.dumps({"seconds": seconds, "grown": memory("VmHWM") - before}))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        run_one()
        return 0
    there = [name for name, (package, _) in WAYS.items() if importlib.util.find_spec(package) is not None]
    bench.title("Parquet")
    with bench.own_home(), tempfile.TemporaryDirectory() as folder:
        lease = start()
        try:
            parameters = lease.server.profile().parameters("side")
            conn = psycopg2.connect(**parameters)
            conn.autocommit = True
            with conn.cursor() as cursor:
                cursor.execute(TABLE.replace("{rows}", str(chosen.rows)))
                cursor.execute("VACUUM ANALYZE people")
                cursor.execute("SELECT count(*) FROM people")
            conn.close()
            told: dict[str, list[dict[str, float]]] = {name: [] for name in there}

            def contender(name: str) -> Callable[[], float]:
                def work() -> float:
                    order = {"way": name, "path": f"{folder}/{there.index(name)}.parquet", "parameters": parameters}
                    done = subprocess.run(
                        [sys.executable, __file__, "--one"],
                        input=json.dumps(order),
                        capture_output=True,
                        text=True,
                        check=True,
                    )
                    told[name].append(json.loads(done.stdout.splitlines()[-1]))
                    return told[name][-1]["seconds"]

                return work

            found = bench.in_turns({name: contender(name) for name in there}, chosen.rounds)
            rows: list[list[object]] = []
            for name in there:
                median, spread = bench.Spread.of(found[name]).text()
                ratio, between = bench.ratios(found["pgexplorer"], found[name]).text()
                grown = bench.Spread.of([each["grown"] for each in told[name]]).median / (1 << 20)
                size = Path(f"{folder}/{there.index(name)}.parquet").stat().st_size / (1 << 20)
                rows.append([name, median, spread, f"{ratio} ({between})", f"{grown:,.0f}", f"{size:,.0f}"])
            bench.table(["way", "s", "p10 to p90", "pgexplorer takes … times as long", "+ MB", "file, MB"], rows)
        finally:
            lease.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
