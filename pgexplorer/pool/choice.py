"""The pools that the program offers, and how each is opened."""

from typing import Any

from pgexplorer.pool.pg_pool import PgPool
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.stock import STOCK_CLASSES, open_stock

PG_POOL = PgPool.__name__


def open_pool(kind: str, minconn: int, maxconn: int, *, timeout: float = 0.0, **parameters: Any) -> Pool:
    """Open the pool class named *kind*: one of psycopg2's, which never wait, or PgPool, which waits up to *timeout* s.

    Raises KeyError for another name, ValueError for sizes that PgPool refuses, and what connecting raises.
    """
    if kind in STOCK_CLASSES:
        return open_stock(kind, minconn, maxconn, **parameters)
    if kind != PG_POOL:
        raise KeyError(kind)
    return PgPool(minconn, maxconn, timeout=timeout, name="pgexplorer", **parameters)
