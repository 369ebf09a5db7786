"""How long a key takes in the palette over 10,000 tables of 10 columns, and how long until nothing more is found.

The time of a key goes from the press to the painted list. What is not found by then is searched in slices between two
turns of the event loop; the longest of those turns is said too.
"""

import gc
import os
import sys
import threading
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from bench import Spread, note, percentile, table, title
from PySide6.QtCore import QCoreApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.fuzzy import Index
from pgexplorer.ui.widgets.palette import Group, Item, Palette

TABLES, COLUMNS, ROUNDS = 10_000, 10, 5
_WORDS = [
    "customer",
    "order",
    "item",
    "product",
    "price",
    "stock",
    "audit",
    "event",
    "session",
    "account",
    "invoice",
    "line",
    "payment",
    "batch",
    "user",
]
_COLUMNS = [
    "id",
    "name",
    "created_at",
    "updated_at",
    "customer_id",
    "price_cents",
    "status",
    "note",
    "is_active",
    "external_ref",
]
TYPED = (
    "customer",  # the beginning of thousands
    "id",  # a column of every table
    "e",  # in nearly every name
    "order_item_77",
    "77 order",  # words in another order
    "crtat",  # letters of created_at
    "xqzv",  # nowhere
    "#name order_line_9",
    "@inv",
)


def names() -> list[str]:
    return [f"{_WORDS[n % 15]}_{_WORDS[(n * 7) % 13]}_{n}" for n in range(TABLES)]


def groups() -> tuple[list[Group], float]:
    """Return what is searched, and the seconds that its index took."""
    tables = names()
    columns = [(column, each) for each in tables for column in _COLUMNS[:COLUMNS]]
    began = time.perf_counter()
    of_tables = Index(tables, ["public table"] * TABLES)
    of_columns = Index([name for name, _ in columns], [f"{each} public" for _, each in columns])
    took = time.perf_counter() - began
    actions = [f"Action {number} of the window" for number in range(120)]
    statements = [f"select * from {tables[n * 7 % TABLES]} where id = {n}" for n in range(1_000)]

    def nothing() -> None:
        pass

    return [
        Group(">", Index(actions), lambda n: Item(actions[n], nothing, "play", "Window", "Ctrl+X")),
        Group("@", of_tables, lambda n: Item(tables[n], nothing, "table", "public")),
        Group("#", of_columns, lambda n: Item(columns[n][0], nothing, "column", f"public.{columns[n][1]}")),
        Group("!", Index(statements), lambda n: Item(statements[n], nothing, "history", "yesterday")),
    ], took


def typed(palette: Palette, text: str) -> tuple[list[float], list[float], float]:
    """Type *text*; return the seconds of each key, those until each search was over, and the longest turn between."""
    keys, wholes, longest = [], [], 0.0
    palette.field.clear()
    QApplication.processEvents()
    for letter in text:
        began = time.perf_counter()
        QTest.keyClicks(palette.field, letter)
        QCoreApplication.sendPostedEvents()  # what it made dirty is painted
        keys.append(time.perf_counter() - began)
        while palette.is_searching:
            turn = time.perf_counter()
            QApplication.processEvents()
            longest = max(longest, time.perf_counter() - turn)
        wholes.append(time.perf_counter() - began)
    return keys, wholes, longest


def made_beside(rounds: int) -> list[float]:
    """Return the longest turns of the event loop while a worker makes the indexes, one a round."""
    longest = []
    for _ in range(rounds):
        worker = threading.Thread(target=groups)
        worker.start()
        last, most = time.perf_counter(), 0.0
        while worker.is_alive():
            QApplication.processEvents()
            worker.join(0.001)
            now = time.perf_counter()
            most, last = max(most, now - last), now
        longest.append(most)
    return longest


def main() -> None:
    sys.setswitchinterval(0.001)  # as the program does
    gc.disable()
    app = QApplication.instance() or QApplication([])
    theme.apply(app, theme.Scheme.LIGHT)
    title(f"The palette over {TABLES:,} tables and {TABLES * COLUMNS:,} columns")
    window = QWidget()
    window.resize(1400, 900)
    window.show()
    palette = Palette(window)
    made = [groups() for _ in range(ROUNDS)]
    palette.open(made[-1][0])
    rows, every, longest = [], [], 0.0
    for text in TYPED:
        found = [typed(palette, text) for _ in range(ROUNDS)]
        keys = [each for run in found for each in run[0]]
        wholes = [each for run in found for each in run[1]]
        every += keys
        longest = max(longest, *(run[2] for run in found))
        key = Spread.of(keys)
        rows.append([text, *key.text(1000), f"{max(keys) * 1000:.2f}", f"{max(wholes) * 1000:.1f}",
                     len(palette.items)])  # fmt: skip
    table(["typed", "key, median ms", "p10 to p90", "slowest", "search over, slowest ms", "listed"], rows)
    beside = Spread.of(made_beside(ROUNDS))
    index = Spread.of([took for _, took in made])
    note(
        f"{len(every)} keys: median {percentile(every, 50) * 1000:.2f} ms, p95 {percentile(every, 95) * 1000:.2f}, "
        f"slowest {max(every) * 1000:.2f}; over 16 ms: {sum(each > 0.016 for each in every)}. "
        f"Longest turn between two keys {longest * 1000:.2f} ms. "
        f"The indexes take {index.text(1000, 0)[0]} ms ({index.text(1000, 0)[1]}), on a worker; the window's longest "
        f"turn meanwhile {beside.text(1000, 0)[0]} ms ({beside.text(1000, 0)[1]}). "
        f"Load {os.getloadavg()[0]:.1f} at the end."
    )


if __name__ == "__main__":
    main()
