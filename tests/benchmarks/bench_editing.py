"""Changing rows: 1,000 sent, beside psycopg2 in a loop and its execute_values, and a block pasted in the grid."""

import time
from collections.abc import Callable

import bench
import psycopg2
from beating import LONGEST, P99, Beating
from psycopg2.extras import execute_values
from PySide6.QtGui import QGuiApplication

from pgexplorer.db.client import Client
from pgexplorer.db.schema import Relation, read_relations
from pgexplorer.db.table.browse import Page, Read, Table, To
from pgexplorer.db.table.changes import Change, Insert, Update
from pgexplorer.db.table.sending import Done, Sending
from pgexplorer.demo.server import start
from pgexplorer.pool.stock import open_stock

ROWS, COLUMNS, ROUNDS, PASTES = 1_000, 10, 15, 5
PASTED = 1_000, 10_000  # rows of a block
NAMES = [f"c{n}" for n in range(1, COLUMNS)]


def made(rows: int) -> str:
    """Return what makes the table anew with so many rows."""
    columns = ", ".join(f"{name} text" for name in NAMES)
    values = ", ".join(f"'{name} of ' || n" for name in NAMES)
    return f"""
    DROP TABLE IF EXISTS edited; CREATE TABLE edited (id int PRIMARY KEY, {columns});
    INSERT INTO edited SELECT n, {values} FROM generate_series(1, {rows}) n;
    ANALYZE edited
    """


class Contenders:
    """Ways to change all rows of a table, each row with nine values of its own, in one transaction."""

    def __init__(self, client: Client, plain: psycopg2.extensions.connection, relation: Relation) -> None:
        self.client = client
        self.plain = plain
        self.relation = relation
        self.round = 0

    def _fresh(self) -> list[list[str]]:
        self.round += 1
        with self.plain, self.plain.cursor() as cursor:
            cursor.execute(made(ROWS))
        return [[f"value {self.round} of {name} in {row}" for name in NAMES] for row in range(1, ROWS + 1)]

    def _check(self, rows: int) -> None:
        with self.plain, self.plain.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM edited WHERE c1 LIKE %s", (f"value {self.round} of%",))
            if cursor.fetchall() != [(rows,)]:
                raise RuntimeError("not all was changed")

    def sent(self, make: Callable[[Page, list[list[str]]], list[Change]]) -> Callable[[], float]:
        """Return what sends the changes that *make* makes of the page on screen, as the panel does."""

        def work() -> float:
            fresh = self._fresh()
            table = Table(self.client, self.relation)
            first, second = (self._page(table, Read(To.FIRST)), self._page(table, Read(To.LAST)))
            page = Page([*first.rows, *second.rows], [*first.places, *second.places], True, True)
            sending = Sending(table.again(), table.facts(), make(page, fresh))
            began = time.perf_counter()
            *_, news = sending.run()
            took = time.perf_counter() - began
            if not isinstance(news, Done):
                raise TypeError(news)
            self._check(ROWS)
            return took

        return work

    @staticmethod
    def _page(table: Table, wanted: Read) -> Page:
        *_, page = table.read(wanted)
        assert isinstance(page, Page)
        assert len(page.rows) == ROWS // 2
        return page

    @staticmethod
    def updates(page: Page, fresh: list[list[str]]) -> list[Change]:
        """Return a change of each row."""
        return [
            Update(tuple(place), place, row, tuple(enumerate(values, 1)))
            for row, place, values in zip(page.rows, page.places, fresh, strict=True)
        ]

    @staticmethod
    def inserts(_page: Page, fresh: list[list[str]]) -> list[Change]:
        """Return as many new rows."""
        return [Insert(n, ((0, str(ROWS + 1 + n)), *enumerate(values, 1))) for n, values in enumerate(fresh)]

    def by_psycopg2(self, change: Callable[[psycopg2.extensions.cursor, list[list[str]]], None]) -> Callable[[], float]:
        """Return what has *change* do the same on a connection of its own."""

        def work() -> float:
            fresh = self._fresh()
            began = time.perf_counter()
            with self.plain, self.plain.cursor() as cursor:
                change(cursor, fresh)
            took = time.perf_counter() - began
            self._check(ROWS)
            return took

        return work


def update_in_a_loop(cursor: psycopg2.extensions.cursor, fresh: list[list[str]]) -> None:
    """Update row by row."""
    text = f"UPDATE edited SET {', '.join(f'{name} = %s' for name in NAMES)} WHERE id = %s"
    for row, values in enumerate(fresh, 1):
        cursor.execute(text, [*values, row])
        if cursor.rowcount != 1:
            raise RuntimeError("no row")


def update_by_values(cursor: psycopg2.extensions.cursor, fresh: list[list[str]]) -> None:
    """Update all rows by one statement."""
    text = (
        f"UPDATE edited SET {', '.join(f'{name} = v.{name}' for name in NAMES)}"
        f" FROM (VALUES %s) AS v (id, {', '.join(NAMES)}) WHERE edited.id = v.id"
    )
    execute_values(cursor, text, [(row, *values) for row, values in enumerate(fresh, 1)], page_size=ROWS)


def insert_in_a_loop(cursor: psycopg2.extensions.cursor, fresh: list[list[str]]) -> None:
    """Insert row by row."""
    text = f"INSERT INTO edited VALUES ({', '.join(['%s'] * COLUMNS)})"
    for row, values in enumerate(fresh, ROWS + 1):
        cursor.execute(text, [row, *values])


def insert_by_values(cursor: psycopg2.extensions.cursor, fresh: list[list[str]]) -> None:
    """Insert all rows by one statement."""
    rows = [(row, *values) for row, values in enumerate(fresh, ROWS + 1)]
    execute_values(cursor, "INSERT INTO edited VALUES %s", rows, page_size=ROWS)


def main() -> None:
    """Print the tables."""
    bench.title("Changing rows")
    with bench.own_home():
        lease = start()
        try:
            plain = psycopg2.connect(**lease.server.profile().parameters("side"))
            with plain, plain.cursor() as cursor:
                cursor.execute(made(ROWS))
            sending(plain, Client(open_stock("ThreadedConnectionPool", 1, 2, **lease.server.profile().parameters())))
            pasting(Beating(lease.server), plain)
            plain.close()
        finally:
            lease.release()


def sending(plain: psycopg2.extensions.connection, client: Client) -> None:
    """Measure what is sent, without a window."""
    with client.lend("bench") as conn:
        [relation] = [each for each in dict(read_relations(conn))["public"] if each.name == "edited"]
    ways = Contenders(client, plain, relation)
    rows: list[list[object]] = []
    for what, make, loop, values in (
        ("update", ways.updates, update_in_a_loop, update_by_values),
        ("insert", ways.inserts, insert_in_a_loop, insert_by_values),
    ):
        found = bench.in_turns(
            {
                f"{what} {ROWS:,} rows": ways.sent(make),
                f"{what}: psycopg2, a statement a row": ways.by_psycopg2(loop),
                f"{what}: psycopg2's execute_values": ways.by_psycopg2(values),
            },
            ROUNDS,
        )
        ours = next(iter(found.values()))
        for name, taken in found.items():
            median, spread = bench.Spread.of(taken).text(1000, 1)
            ratio, _ = bench.ratios(taken, ours).text(1, 2)
            rows.append([name, median, spread, ratio])
    client.pool.closeall()
    bench.table(["what", "ms", "p10 to p90", "of ours"], rows)
    bench.note("Ours returns each row as the server keeps it, and each must meet one row as it was read.")


def pasting(stage: Beating, plain: psycopg2.extensions.connection) -> None:
    """Measure blocks pasted into the grid, undone, pasted again and sent, and how the event loop turns meanwhile."""
    rows = [row for count in PASTED for row in pasted(stage, plain, count)]
    bench.table(["what", "ms", "p10 to p90", "gap p99, ms", "longest gap, ms"], rows)
    bench.note(f"Wanted: gaps of {P99} ms at p99 and {LONGEST} ms at most. A fact is looked at every 20 ms.")
    stage.application.close()


def pasted(stage: Beating, plain: psycopg2.extensions.connection, count: int) -> list[list[object]]:
    """Return the lines for blocks of *count* rows."""
    with plain, plain.cursor() as cursor:
        cursor.execute(made(count))
    stage.window.schema.refresh()
    stage.settle()
    relation = stage.window.schema.relation("public", "edited")
    assert relation is not None
    stage.window.deck.open_table(relation)
    stage.settle()
    panel = stage.window.deck.tabs.currentWidget()
    taken: dict[str, list[float]] = {"paste": [], "undo": [], "redo": [], "send": []}
    gaps: dict[str, list[float]] = {name: [] for name in taken}
    text = "\n".join(
        "\t".join([str(row), *(f"pasted {row} {n}" for n in range(1, COLUMNS))]) for row in range(1, count + 1)
    )

    def step(name: str, work: Callable[[], object], fact: Callable[[], bool]) -> None:
        def whole() -> None:
            began = time.perf_counter()
            work()
            stage.until(fact)
            taken[name].append(time.perf_counter() - began)
            stage.rest(0.2)

        gaps[name] += stage.beats(whole)

    def is_there() -> bool:
        return panel.editing.counts.changed == count and not panel.editing.is_pasting

    for number in range(PASTES):
        QGuiApplication.clipboard().setText(text.replace("pasted", f"pasted in {number}"))
        panel.grid.setCurrentIndex(panel.model.index(0, 0))
        if not number:  # the rows are read once
            panel.editing.paste()
            stage.until(is_there)
            panel.editing.undo()
            stage.settle()
        step("paste", panel.editing.paste, is_there)
        step("undo", panel.editing.undo, lambda: not panel.has_pending)
        step("redo", panel.editing.redo, is_there)
        step("send", panel.sending.send, lambda: not panel.has_pending and not panel.sending.is_running)
        stage.settle()
    rows: list[list[object]] = []
    for name, times in taken.items():
        median, spread = bench.Spread.of(times).text(1000, 0)
        p99, longest = bench.percentile(gaps[name], 99) * 1000, max(gaps[name]) * 1000
        rows.append([f"{name} {count * COLUMNS:,} cells", median, spread, f"{p99:.1f}", f"{longest:.1f}"])
    return rows


if __name__ == "__main__":
    main()
