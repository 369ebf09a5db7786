"""Browsing a table: its first page, pages by key and by blocks, jumps, and what OFFSET and a held cursor take for them.

`bench_browse.py` browses 10,000 and 1 million rows; `bench_browse.py 10` browses 10 million as well.
"""

import random
import sys
import time
from collections.abc import Callable

import bench
import psycopg2

from pgexplorer.db.client import Client
from pgexplorer.db.schema import Relation, read_relations
from pgexplorer.db.table.browse import Page, Read, Table, To
from pgexplorer.db.table.ordering import Sort
from pgexplorer.demo.server import start
from pgexplorer.pool.stock import open_stock

ROUNDS = 40
FILL = """\
CREATE TABLE {name} AS
SELECT n AS id, 'first ' || n % 5000 AS first_name, 'last name ' || n % 70000 AS last_name,
       CASE WHEN n % 2 = 0 THEN 'M' ELSE 'F' END::char(1) AS sex, date '1950-01-01' + n % 20000 AS born,
       (random() * 1e6)::numeric(14, 2) AS balance,
       timestamptz '2020-01-01 00:00+00' + n * interval '1 minute' AS created,
       CASE WHEN n % 20 > 0 THEN 'a note about this person that is about forty' END AS note,
       CASE WHEN n % 10 > 0 THEN jsonb_build_object('k', n, 'tags', jsonb_build_array('a', n % 7)) END AS data
  FROM generate_series(1, {rows}) AS n"""


class Contenders:
    """Ways to see a page of a table."""

    def __init__(self, client: Client, plain: psycopg2.extensions.connection, relation: Relation, rows: int) -> None:
        self.client = client
        self.plain = plain
        self.relation = relation
        self.rows = rows
        self.dice = random.Random(1)

    def page(self, table: Table, wanted: Read) -> Page:
        """Read a page and return it."""
        *_, page = table.read(wanted)
        if not isinstance(page, Page) or not page.rows:
            raise RuntimeError("no rows")
        return page

    def first(self) -> float:
        """Return the seconds from a click on the table to its first page as text."""
        return bench.timed(lambda: self.page(Table(self.client, self.relation), Read(To.FIRST)))

    def first_of_cursor(self) -> float:
        """Return the seconds until a named cursor has brought as many rows."""

        def work() -> None:
            with self.plain.cursor("rows") as cursor:
                cursor.execute(f"SELECT * FROM {self.relation.name}")
                if len(cursor.fetchmany(500)) != 500:
                    raise RuntimeError("no rows")
            self.plain.rollback()

        return bench.timed(work)

    def walk(self, sorts: list[Sort], to: To) -> Callable[[], float]:
        """Return what reads the next page from a place in the middle, forwards or backwards."""
        table = Table(self.client, self.relation, sorts=sorts)
        here = self.page(table, Read(To.NEAR, row=self.rows // 2, of=self.rows))

        def work() -> float:
            nonlocal here
            began = time.perf_counter()
            here = self.page(table, Read(to, here.places[-1 if to is To.AFTER else 0]))
            took = time.perf_counter() - began
            if here.at_end or here.at_start:
                here = self.page(table, Read(To.NEAR, row=self.rows // 2, of=self.rows))
            return took

        return work

    def jump(self, sorts: list[Sort]) -> Callable[[], float]:
        """Return what reads the page at about a random row."""
        table = Table(self.client, self.relation, sorts=sorts)
        self.page(table, Read(To.FIRST))

        def work() -> float:
            wanted = Read(To.NEAR, row=self.dice.randrange(self.rows), of=self.rows)
            return bench.timed(lambda: self.page(table, wanted))

        return work

    def offset(self, order: str) -> Callable[[], float]:
        """Return what reads the page at a random row by OFFSET, as other tools do."""

        def work() -> float:
            row = self.dice.randrange(max(1, self.rows - 500))
            began = time.perf_counter()
            with self.plain.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {self.relation.name} {order} LIMIT 500 OFFSET {row}")
                cursor.fetchall()
            self.plain.rollback()
            return time.perf_counter() - began

        return work


def main() -> None:
    """Print the table."""
    sizes = [10_000, 1_000_000, *([10_000_000] if "10" in sys.argv[1:] else [])]
    bench.title("Browsing")
    with bench.own_home():
        lease = start()
        try:
            given = lease.server.profile().parameters("side")
            plain = psycopg2.connect(**given)
            client = Client(open_stock("ThreadedConnectionPool", 1, 2, **lease.server.profile().parameters()))
            rows: list[list[object]] = []
            for size in sizes:
                rows += measured(client, plain, size)
            bench.table(["what", "rows", "ms", "p10 to p90", "p95"], rows)
            client.pool.closeall()
            plain.close()
        finally:
            lease.release()


def measured(client: Client, plain: psycopg2.extensions.connection, size: int) -> list[list[object]]:
    """Fill a table and measure."""
    name, bare = f"of_{size}", f"bare_{size}"
    with plain.cursor() as cursor:
        cursor.execute(FILL.format(name=name, rows=size))
        cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (id); CREATE INDEX ON {name} (balance)")
        cursor.execute(f"CREATE TABLE {bare} AS SELECT * FROM {name}")
    plain.commit()
    plain.autocommit = True
    with plain.cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {name}")
        cursor.execute(f"VACUUM ANALYZE {bare}")
    plain.autocommit = False
    with client.lend("bench") as conn:
        relations = {each.name: each for each in dict(read_relations(conn))["public"]}
    keyed = Contenders(client, plain, relations[name], size)
    keyless = Contenders(client, plain, relations[bare], size)
    by_balance = [Sort("balance", descending=True)]
    contenders: dict[str, Callable[[], float]] = {
        "first page, from the click": keyed.first,
        "first page, without a key": keyless.first,
        "500 rows of a named cursor": keyed.first_of_cursor,
        "next page by key": keyed.walk([], To.AFTER),
        "page before by key": keyed.walk([], To.BEFORE),
        "next page, sorted by an index": keyed.walk(by_balance, To.AFTER),
        "next page by blocks": keyless.walk([], To.AFTER),
        "jump by key": keyed.jump([]),
        "jump, sorted by an index": keyed.jump(by_balance),
        "jump by blocks": keyless.jump([]),
    }
    found = bench.in_turns(contenders, ROUNDS)
    found |= bench.in_turns({"jump by OFFSET, by key": keyed.offset("ORDER BY id")}, 8)
    result: list[list[object]] = []
    for what, values in found.items():
        median, spread = bench.Spread.of(values).text(1000)
        result.append([what, f"{size:,}", median, spread, f"{bench.percentile(values, 95) * 1000:,.2f}"])
    return result


if __name__ == "__main__":
    main()
