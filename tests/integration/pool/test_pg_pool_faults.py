"""PgPool behind a network that fails: holes, resets, refusals, delays, answers cut in the middle."""

import threading
import time

import psycopg2
import pytest

from fix_facts import in_threads, until
from fix_fake_server import Caller, past
from fix_pg_pool import one
from pgexplorer.pool import pg_pool as module
from pgexplorer.pool.errors import PoolTimeout
from pgexplorer.pool.events import EventKind


@pytest.fixture
def pool_behind(proxy, pg_pool):
    """Open a PgPool through the proxy."""

    def open_one(*args, **options):
        return pg_pool(*args, host="127.0.0.1", port=proxy.port, **options)

    return open_one


def fill(pool, count):
    conns = [pool.getconn() for _ in range(count)]
    for conn in conns:
        pool.putconn(conn)


def test_that_a_black_hole_is_noticed_in_time_and_the_caller_gets_a_good_connection(pool_behind, proxy):
    pool = pool_behind(4, 4, ping_after=-1, ping_timeout=0.3)
    proxy.hole(new=False)
    began = time.monotonic()
    conn = pool.getconn()
    took = time.monotonic() - began
    assert one(conn, "SELECT 1") == 1
    assert took < 1.3
    assert pool.stats().lost == 1


def test_that_one_who_waits_keeps_the_deadline_while_everything_is_in_the_hole(pool_behind, proxy):
    pool = pool_behind(2, 2, ping_after=-1, ping_timeout=0.2)
    proxy.hole()
    began = time.monotonic()
    with pytest.raises(PoolTimeout):
        pool.getconn(timeout=0.5)
    assert time.monotonic() - began < 2
    caller = Caller(pool, timeout=20)
    until(lambda: pool.stats().waiting == 1)
    proxy.heal()
    assert one(caller.got(), "SELECT 1") == 1


def test_that_a_return_into_the_hole_holds_up_nobody_else_and_ends(pool_behind, proxy, monkeypatch):
    monkeypatch.setattr(module, "_RESET_TIMEOUT", 0.3)
    pool = pool_behind(1, 2)
    conn = pool.getconn()
    one(conn, "SELECT 1")
    proxy.hole(new=False)
    thread = threading.Thread(target=pool.putconn, args=(conn,), daemon=True)
    thread.start()
    until(lambda: pool.stats().returning == 1)
    other = pool.getconn()
    assert one(other, "SELECT 1") == 1
    pool.putconn(other)
    thread.join(10)
    assert not thread.is_alive()
    assert (pool.stats().returning, pool.stats().size) == (0, 1)


@pytest.mark.parametrize("fault", ["reset_all", "close_all"])
def test_that_connections_ended_while_idle_cost_no_failed_query(pool_behind, proxy, fault):
    pool = pool_behind(6, 6)
    assert getattr(proxy, fault)() == 6
    past(pool)
    for _ in range(6):
        with pool.connection() as conn:
            assert one(conn, "SELECT 1") == 1
    assert pool.stats().lost == 6
    assert pool.stats().opened == 7


def test_that_an_answer_cut_in_the_middle_frees_the_slot(pool_behind, proxy):
    pool = pool_behind(1, 1)
    conn = pool.getconn()
    proxy.cut_in_mid_message()
    with pytest.raises(psycopg2.OperationalError):
        one(conn, "SELECT repeat('x', 10000)")
    pool.putconn(conn)
    assert pool.stats().size == 0
    assert one(pool.getconn(), "SELECT 1") == 1


def test_that_everybody_is_served_soon_after_a_refusal_ends(pool_behind, proxy):
    pool = pool_behind(2, 4)
    fill(pool, 2)
    proxy.refuse()
    proxy.reset_all()
    past(pool)
    callers = [Caller(pool, timeout=30) for _ in range(6)]
    until(lambda: pool.stats().waiting == 6)
    until(lambda: pool.stats().failed >= 2)
    healed = time.monotonic()
    proxy.heal()
    for caller in callers:
        pool.putconn(until(lambda: caller.conn))  # noqa: B023
    assert time.monotonic() - healed < 4
    assert (pool.stats().waiting, pool.stats().used) == (0, 0)
    assert EventKind.CONNECT_FAILED in {event.kind for event in pool.events.since(0)[0]}


def test_that_a_slow_line_is_used_by_all_connections_at_once(pool_behind, proxy):
    """Eight threads, eight connections, a round trip of 40 ms: returns with their rollbacks do not queue up."""
    pool = pool_behind(8, 8)
    proxy.delay = 0.02
    began = time.monotonic()

    def work(_):
        for _ in range(3):
            conn = pool.getconn()
            one(conn, "SELECT 1")
            pool.putconn(conn)

    in_threads(8, work)
    took = time.monotonic() - began  # BEGIN, SELECT and ROLLBACK: 0.36 s at best, 2.9 s one after the other
    assert took < 1.5, took
    assert pool.stats().idle == 8
