"""The larger sample: a shop of customers, products and a million orders, loaded step by step and whole or not at all.

The steps and their SQL are in resources/sql/sample.sql.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg2.extensions import connection

from pgexplorer import assets
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.lease import DemoServer

CHUNK = 25_000  # rows a transaction: about a tenth of a second
STEP_WEIGHT = 25_000  # a step without rows counts as this many
LOCK = 5_433_018  # the advisory lock of whoever is loading
WAIT_SECONDS = 600.0
_MIX = (73_244_475, 668_265_263, 374_761_393, 1_274_126_177)  # odd and below 2**31: products stay within bigint


@dataclass(frozen=True)
class Progress:
    """How far the loading is: *done* of *total* rows or the like, and what is being done now."""

    done: int
    total: int
    text: str


def is_loaded(server: DemoServer) -> bool:
    """Tell whether the sample is at the server, whole. Blocks for one connection; raises psycopg2's errors."""
    ours = _connect(server)
    try:
        return _there(ours)
    finally:
        ours.close()


def load(
    server: DemoServer, *, customers: int = 50_000, products: int = 1_000, orders: int = 1_000_000
) -> Iterator[Progress]:
    """Load the sample as the schema shop, yielding after every transaction; nothing is done if it is there.

    Blocks between two yields for about 0.2 s, at the indexes for some seconds. Closing the iterator stops it: what was
    begun is dropped by the next `load`. A second loader waits for the first. Raises psycopg2's errors, and
    DemoUnavailable when another loader does not come to an end.
    """
    counts = {"customers": customers, "products": products, "orders": orders}
    steps = _steps(counts)
    total = sum(step.weight for step in steps)
    ours = _connect(server)
    try:
        yield from _wait_for_others(ours, total)
        if not _there(ours):
            with ours.cursor() as cursor:
                cursor.execute("drop schema if exists shop_unfinished cascade")
                done = 0
                for step in steps:
                    yield Progress(done, total, step.text)
                    cursor.execute("set search_path = shop_unfinished")
                    cursor.execute(step.sql)
                    done += step.weight
        yield Progress(total, total, "The sample is loaded.")
    finally:
        ours.close()


@dataclass(frozen=True)
class _Step:
    text: str
    weight: int
    sql: str


def _steps(counts: dict[str, int]) -> list[_Step]:
    steps: list[_Step] = []
    _, *parts = re.split(r"^-- (step|rows): (.+)$", assets.text("sql/sample.sql"), flags=re.MULTILINE)
    for kind, title, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        body = re.sub(r"\{(customers|products|orders)\}", lambda name: str(counts[name[1]]), text)
        body = re.sub(r"\{die:(\d+):(\d+)\}", lambda die: _die(int(die[1]), int(die[2])), body)
        if kind == "step":
            steps.append(_Step(title, STEP_WEIGHT, body))
            continue
        name = title.split()[0]
        count = counts[name]
        for first in range(1, count + 1, CHUNK):
            last = min(first + CHUNK - 1, count)
            piece = body.replace("{first}", str(first)).replace("{last}", str(last))
            steps.append(_Step(f"Adding {name}: {first - 1:,} of {count:,}", last - first + 1, piece))
    return steps


def _die(salt: int, sides: int) -> str:
    """Return SQL for a number below *sides*, made from i: two rounds of multiply and shift, no two salts alike."""
    start = f"((i * {_MIX[salt % 4]} + {salt * 7_919_977}) & 4294967295)"
    mixed = f"((({start} # ({start} >> 15)) * {_MIX[(salt + 1) % 4]}) & 4294967295)"
    return f"((({mixed} >> 11) % {sides})::int)"


def _connect(server: DemoServer) -> connection:
    from pgexplorer.demo.cluster import connect  # it needs fcntl and pwd, which Windows lacks

    return connect(server.host, server.port, server.dbname, server.user, server.password)


def _there(ours: connection) -> bool:
    with ours.cursor() as cursor:
        cursor.execute("select to_regnamespace('shop') is not null")
        row = cursor.fetchone()
    return bool(row and row[0])


def _wait_for_others(ours: connection, total: int) -> Iterator[Progress]:
    deadline = time.monotonic() + WAIT_SECONDS
    with ours.cursor() as cursor:
        while True:
            cursor.execute("select pg_try_advisory_lock(%s)", (LOCK,))
            row = cursor.fetchone()
            if row and row[0]:
                return
            if time.monotonic() > deadline:
                raise DemoUnavailable("Another window has been loading the sample for ten minutes.")
            yield Progress(0, total, "Another window is loading the sample.")
            time.sleep(0.2)
