"""How long completion takes on 10,000 tables: the catalog read, an answer, the window meanwhile; beside pgcli's.

    bench_completion.py [--pgcli PYTHON]   PYTHON is one that has pgcli; without it, pgcli is left out

pgcli's completer is given the same names, and asked for the same places, in a process of its own.
"""

import argparse
import contextlib
import gc
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

from bench import Spread, note, own_home, percentile, table, timed, title

TABLES, READS, ANSWERS = 10_000, 9, 50
PLACES = {
    "a table, nothing typed": "SELECT * FROM |",
    "a table, one name of 111": "SELECT * FROM table_12|",
    "a table in its schema": "SELECT * FROM big.table_77|",
    "loose letters": "SELECT * FROM tb77|",
    "nothing that fits": "SELECT * FROM zzqq|",
    "columns of an alias": "SELECT t.| FROM big.table_99 t",
    "columns of two tables": "SELECT | FROM big.table_5 t JOIN big.table_7 u ON true",
    "a join's condition": "SELECT * FROM big.table_1 t JOIN big.table_0 u ON |",
    "a function": "SELECT json_ag| FROM big.table_5",
    "behind 1,000 lines": "SELECT a, 'b' FROM t WHERE c = 1;\n" * 1000 + "SELECT * FROM big.table_12|",
}
MAKE = """
DO $$ BEGIN FOR n IN {first}..{last} LOOP
EXECUTE format('CREATE UNLOGGED TABLE big.table_%s (id int PRIMARY KEY, parent_%s int{link}, name varchar(20),
  created timestamptz, amount numeric(10,2), note text, ok bool, day date, more jsonb, list int[])', n, n, n - 1);
END LOOP; END $$
"""


def fill(conn) -> None:
    """Make the tables, 500 in each transaction: one alone would run out of locks."""
    with conn.cursor() as cursor:
        cursor.execute("CREATE SCHEMA big")
        for first in range(0, TABLES, 500):
            cursor.execute(MAKE.format(first=first, last=first + 499, link=""))
        cursor.execute("ALTER TABLE big.table_1 ADD FOREIGN KEY (parent_1) REFERENCES big.table_0")


def reading(conn) -> "object":
    from pgexplorer.db.catalog import read_catalog
    from pgexplorer.db.completion.offers import warm

    reads, warms = [], []
    catalog = None
    for _ in range(READS):
        began = time.perf_counter()
        catalog = read_catalog(conn)
        reads.append(time.perf_counter() - began)
        warms.append(timed(lambda catalog=catalog: warm(catalog)))
    rows = [("read, three queries", *Spread.of(reads).text(1000, 0)), ("sorted", *Spread.of(warms).text(1000, 0))]
    table(["the catalog", "ms", "p10 to p90"], rows)
    note(f"{len(catalog.tables):,} relations, {len(catalog.functions):,} functions.")
    return catalog


def gaps(conn) -> None:
    """Measure how long this thread is kept from running while another one reads and answers, as in the program."""
    from pgexplorer.db.catalog import read_catalog
    from pgexplorer.db.completion.offers import complete, warm

    sys.setswitchinterval(0.001)  # as the program does

    def beaten(work) -> list[float]:
        thread = threading.Thread(target=work)
        thread.start()
        found, before = [], time.perf_counter()
        while thread.is_alive():
            time.sleep(0.002)
            now = time.perf_counter()
            found.append(now - before - 0.002)
            before = now
        return found

    kept = []

    def read() -> None:
        kept.append(read_catalog(conn))
        warm(kept[-1])

    def answer() -> None:
        for text in list(PLACES.values()) * 10:
            complete(kept[0], text.replace("|", ""), text.index("|"))

    rows = []
    for name, work in (("the catalog is read", read), ("answers are found", answer)):
        late = [each for _ in range(5) for each in beaten(work)]
        p99 = percentile(late, 99) * 1000
        rows.append((name, f"{p99:.1f}", f"{max(late) * 1000:.1f}", f"{len(late):,}"))
    sys.setswitchinterval(0.005)
    table(["another thread is late while", "p99, ms", "longest, ms", "looks"], rows)


def ours(catalog) -> dict[str, list[float]]:
    from pgexplorer.db.completion.offers import complete

    found = {}
    for name, text in PLACES.items():
        plain, position = text.replace("|", ""), text.index("|")
        complete(catalog, plain, position)
        found[name] = [timed(lambda p=plain, at=position: complete(catalog, p, at)) for _ in range(ANSWERS)]
    return found


PEER = """
import json, sys, time
from prompt_toolkit.document import Document
from pgcli.pgcompleter import PGCompleter
from pgcli.packages.parseutils.meta import ForeignKey
given = json.load(sys.stdin)
completer = PGCompleter(smart_completion=True)
completer.extend_schemata(given["schemas"])
completer.extend_relations(given["tables"], kind="tables")
completer.extend_columns(given["columns"], kind="tables")
completer.extend_foreignkeys([ForeignKey(*key) for key in given["keys"]])
completer.set_search_path(given["path"])
answers = {}
for name, text in given["places"].items():
    document = Document(text.replace("|", ""), text.index("|"))
    times = []
    for _ in range(given["count"] + 1):
        began = time.perf_counter()
        found = list(completer.get_completions(document, None))
        times.append(time.perf_counter() - began)
    answers[name] = times[1:], len(found)
print(json.dumps(answers))
"""


def peers(python: str, catalog) -> dict[str, list[float]]:
    """Return how long pgcli's completer takes in *python*, in seconds."""
    given = {
        "schemas": list(catalog.schemas),
        "tables": [[each.schema, each.name] for each in catalog.tables],
        "columns": [
            [each.schema, each.name, name, kind, False, None] for each in catalog.tables for name, kind in each.columns
        ],
        "keys": [["big", "table_0", "id", "big", "table_1", "parent_1"]],
        "path": list(catalog.path),
        "places": PLACES,
        "count": 5,
    }
    done = subprocess.run(
        [python, "-c", PEER], input=json.dumps(given), capture_output=True, text=True, check=False, timeout=900
    )
    if done.returncode:
        note(f"pgcli did not answer: {done.stderr.strip().splitlines()[-1]}")
        return {}
    return {name: times for name, (times, _) in json.loads(done.stdout.splitlines()[-1]).items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pgcli", default="", help="a Python that has pgcli")
    python = parser.parse_args().pgcli
    import psycopg2

    gc.disable()  # as in the program, which collects on its GUI thread
    title(f"Completion on {TABLES:,} tables of 10 columns")
    with own_home():
        from pgexplorer.demo.server import start

        lease = start()
        with contextlib.closing(psycopg2.connect(**lease.server.profile().parameters("side"))) as conn:
            conn.autocommit = True
            fill(conn)
            catalog = reading(conn)
            gaps(conn)
        lease.release()
    found = ours(catalog)
    beside = peers(python, catalog) if python and Path(python).exists() else {}
    rows = []
    for name, times in found.items():
        peer = Spread.of(beside[name]).text(1000, 0) if name in beside else ("—", "—")
        longest = f"{max(times) * 1000:.1f}"
        rows.append((name, *Spread.of(times).text(1000, 2), longest, *peer))
    table(["an answer, ms", "here", "p10 to p90", "longest", "pgcli", "p10 to p90"], rows)


if __name__ == "__main__":
    main()
