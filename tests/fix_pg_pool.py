"""PgPools on the real server of this worker."""

import contextlib

import psycopg2
import pytest

from pgexplorer.pool.pg_pool import PgPool


@pytest.fixture
def pg_pool(profile):
    """Open PgPools by their limits; each is closed at the end of the test."""
    pools = []

    def open_one(minconn=1, maxconn=3, *args, **options):
        pool = PgPool(minconn, maxconn, *args, **(profile.parameters() | options))
        pools.append(pool)
        return pool

    yield open_one
    for pool in pools:
        pool.cut_all()
        with contextlib.suppress(psycopg2.Error):
            pool.closeall()


def one(conn, text, *values):
    """Return the only value that the server answers."""
    with conn.cursor() as cursor:
        cursor.execute(text, values or None)
        [[value]] = cursor.fetchall()
        return value
