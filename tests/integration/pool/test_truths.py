"""Thirty-one truths about psycopg2's pools, by number: of the class itself, and of the same class observed.

Observing changes nothing: both ways stand the same tests. Written down from psycopg2 2.9.13 and PostgreSQL 18.
"""

import contextlib
import gc
import inspect
import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import extensions as ext
from psycopg2 import sql
from psycopg2.pool import AbstractConnectionPool, PoolError, SimpleConnectionPool, ThreadedConnectionPool

from fix_facts import in_threads, until
from pgexplorer.pool.stock import StockPool

EXHAUSTED = "connection pool exhausted"
UNKEYED = "trying to put unkeyed connection"
CLOSED = "connection pool is closed"
LOST = "server closed the connection unexpectedly"
IDLE, ACTIVE = ext.TRANSACTION_STATUS_IDLE, ext.TRANSACTION_STATUS_ACTIVE
IN_TRANSACTION, IN_ERROR = ext.TRANSACTION_STATUS_INTRANS, ext.TRANSACTION_STATUS_INERROR
UNKNOWN = ext.TRANSACTION_STATUS_UNKNOWN
BLOCKED = 0.3  # seconds for which a call is watched that something certainly holds up
PATIENCE = 20.0

_numbers = itertools.count(1)
simple = pytest.mark.parametrize("kind", [SimpleConnectionPool], ids=["simple"])
threaded = pytest.mark.parametrize("kind", [ThreadedConnectionPool], ids=["threaded"])


@pytest.fixture(params=["direct", "observed"])
def way(request):
    """psycopg2's class itself, or the same through StockPool."""
    return request.param


@pytest.fixture(params=[SimpleConnectionPool, ThreadedConnectionPool], ids=["simple", "threaded"])
def kind(request):
    """Which of psycopg2's classes."""
    return request.param


@pytest.fixture
def opened(way, kind, profile, admin):
    """Open pools of this kind in this way; at the end no backend of theirs is left, leaked or not."""
    opener = Opener(way, kind, profile, admin)
    yield opener
    if left := opener.backends():
        admin.terminate(*left)


@pytest.fixture
def aside():
    """Begin calls in threads of their own; each is answered by a future."""
    threads = ThreadPoolExecutor(8)
    yield threads.submit
    threads.shutdown(wait=False)


class Opener:
    """Opens pools whose backends are known by their application_name, and keeps none of them alive."""

    def __init__(self, way, kind, profile, admin):
        self.way, self.kind, self.admin = way, kind, admin
        self.parameters = profile.parameters() | {"application_name": f"truth {os.getpid()}/{next(_numbers)}"}

    def __call__(self, minconn, maxconn, **changed):
        return make(self.way, self.kind, minconn, maxconn, **(self.parameters | changed))

    def backends(self):
        """Return the process ids of what the server has of these pools."""
        named = self.parameters["application_name"]
        return {pid for (pid,) in self.admin.ask("SELECT pid FROM pg_stat_activity WHERE application_name = %s", named)}

    def settles_at(self, *pids):
        """Wait until the server has these backends and no other: a closed connection's takes a moment to end."""
        return until(lambda: self.backends() == set(pids))


class Gate:
    """A connection_factory that lets connects pass until it is shut, and then holds them up."""

    def __init__(self):
        self.shut, self.reached, self.open = False, threading.Event(), threading.Event()

    def __call__(self, dsn):
        if self.shut:
            self.reached.set()
            assert self.open.wait(PATIENCE)
        return ext.connection(dsn)


def make(way, kind, minconn, maxconn, **parameters):
    if way == "direct":
        return kind(minconn, maxconn, **parameters)
    return StockPool(kind, minconn, maxconn, **parameters)


def inner(pool):
    """Return psycopg2's pool of either way."""
    found = pool if isinstance(pool, AbstractConnectionPool) else pool.raw
    assert type(found) in {SimpleConnectionPool, ThreadedConnectionPool}
    return found


def counts(pool):
    """Return how many psycopg2 believes idle and in use."""
    own = inner(pool)
    assert len(own._used) == len(own._rused)
    return len(own._pool), len(own._used)


def pid_of(conn):
    return conn.info.backend_pid


def status(conn):
    return conn.info.transaction_status


def run(conn, text, *values):
    with conn.cursor() as cursor:
        cursor.execute(text, values or None)
        return cursor.fetchall() if cursor.description else []


def one(conn, text, *values):
    [[value]] = run(conn, text, *values)
    return value


def raised(error_class, call, *args, **kwargs):
    """Return the error of exactly *error_class* that the call raises."""
    with pytest.raises(error_class) as caught:
        call(*args, **kwargs)
    assert type(caught.value) is error_class
    return caught.value


def refused(call, *args, **kwargs):
    """Return the text of the PoolError that the call raises."""
    return str(raised(PoolError, call, *args, **kwargs))


def lost(conn, call, *args):
    """Assert that the call shows *conn* to be lost, in the way that psycopg2 tells it."""
    error = raised(psycopg2.OperationalError, call, *args)
    assert str(error).startswith(LOST)
    assert (error.pgcode, error.diag.sqlstate) == (None, None)
    assert (conn.closed, status(conn)) == (2, UNKNOWN)


# -- the limits and the order ------------------------------------------------------------------------------------------


def test_truth_01_a_pool_opens_its_minimum_one_after_the_other_and_the_rest_when_asked(opened):
    seen = []

    def factory(dsn):
        seen.append("begin")
        conn = ext.connection(dsn)
        seen.append(threading.current_thread().name)
        return conn

    pool = opened(2, 3, connection_factory=factory)
    assert seen == ["begin", "MainThread"] * 2
    assert opened.backends() == {pid_of(conn) for conn in inner(pool)._pool}
    assert counts(pool) == (2, 0)
    pool.getconn()
    pool.getconn()
    assert (len(seen), counts(pool)) == (4, (0, 2))
    third = pool.getconn()
    assert (len(seen), counts(pool)) == (6, (0, 3))
    assert len(opened.backends()) == 3
    assert pid_of(third) in opened.backends()


def test_truth_02_one_more_than_the_maximum_is_refused_at_once_with_an_error_that_is_no_database_error(opened):
    pool = opened(2, 3)
    for _ in range(3):
        pool.getconn()
    error = raised(PoolError, pool.getconn)
    assert str(error) == EXHAUSTED
    assert PoolError.__mro__ == (PoolError, psycopg2.Error, Exception, BaseException, object)
    assert not isinstance(error, psycopg2.DatabaseError | psycopg2.InterfaceError)
    assert (error.pgcode, error.pgerror, error.__cause__) == (None, None, None)
    assert counts(pool) == (0, 3)
    took = []
    for _ in range(20):
        began = time.perf_counter()
        refused(pool.getconn)
        took.append(time.perf_counter() - began)
    assert min(took) < 0.01  # some µs: there is no waiting in it
    assert len(opened.backends()) == 3


def test_truth_03_what_comes_home_is_kept_up_to_the_minimum_of_idle_ones_and_closed_above_it(opened):
    pool = opened(2, 3)
    first, second, third = (pool.getconn() for _ in range(3))
    kept = pid_of(first), pid_of(second)
    pool.putconn(first)
    assert counts(pool) == (1, 2)
    pool.putconn(second)
    assert counts(pool) == (2, 1)
    pool.putconn(third)
    assert counts(pool) == (2, 0)
    assert [conn.closed for conn in (first, second, third)] == [0, 0, 1]
    opened.settles_at(*kept)
    # Only idle ones count: of three that exist the first to come home is kept, the second is one too many.
    small = opened(1, 3)
    taken = [small.getconn() for _ in range(3)]
    small.putconn(taken[0])
    small.putconn(taken[1])
    assert [conn.closed for conn in taken] == [0, 1, 0]
    assert counts(small) == (1, 1)


def test_truth_04_the_last_one_returned_is_handed_out_first(opened):
    pool = opened(3, 3)
    taken = [pool.getconn() for _ in range(3)]
    for number in (1, 0, 2):
        pool.putconn(taken[number])
    assert [taken.index(pool.getconn()) for _ in range(3)] == [2, 0, 1]


# -- what is returned --------------------------------------------------------------------------------------------------


def test_truth_05_a_stranger_and_a_second_return_are_refused_and_the_connection_stays_open(opened):
    pool, other = opened(1, 2), opened(1, 1)
    stranger = psycopg2.connect(**opened.parameters)
    of_another_pool = other.getconn()
    returned = pool.getconn()
    pool.putconn(returned)
    for conn in (stranger, of_another_pool, returned):
        assert refused(pool.putconn, conn) == UNKEYED
        assert conn.closed == 0
        assert one(conn, "SELECT 1") == 1
    assert counts(pool) == (1, 0)
    assert counts(other) == (0, 1)


def test_truth_06_returning_nothing_is_unkeyed_to_the_threaded_and_a_type_error_to_the_simple_pool(opened):
    """The two signatures differ: conn=None in one, no default in the other."""
    pool = opened(1, 2)
    assert refused(pool.putconn, None) == UNKEYED
    if opened.kind is ThreadedConnectionPool:
        assert refused(pool.putconn) == UNKEYED
    else:
        assert "missing 1 required positional argument: 'conn'" in str(raised(TypeError, pool.putconn))
    assert counts(pool) == (1, 0)


def test_truth_07_returning_an_open_or_failed_transaction_rolls_it_back_without_a_word(opened, own_schema, do):
    do(f"CREATE TABLE {own_schema}.work (a int)")
    insert = f"INSERT INTO {own_schema}.work VALUES (1)"
    pool = opened(2, 3)
    first, second, above = (pool.getconn() for _ in range(3))
    for conn in (first, second, above):
        run(conn, insert)
    raised(psycopg2.errors.DivisionByZero, run, second, "SELECT 1 / 0")
    assert [status(conn) for conn in (first, second, above)] == [IN_TRANSACTION, IN_ERROR, IN_TRANSACTION]
    home = {pid_of(first), pid_of(second)}
    for conn in (first, second, above):
        pool.putconn(conn)
    assert [status(conn) for conn in (first, second)] == [IDLE, IDLE]
    assert above.closed == 1  # it had no rollback of psycopg2's: the server undoes what a lost client began
    opened.settles_at(*home)
    assert do(f"SELECT count(*) FROM {own_schema}.work") == [(0,)]


@threaded
@pytest.mark.parametrize("minconn", [3, 0], ids=["rolled-back", "closed"])
def test_truth_08_returning_a_connection_that_runs_a_query_waits_for_it_and_holds_up_every_other_call(
    opened, admin, aside, minconn
):
    """Above the minimum the connection is closed instead of rolled back, and closing waits in the same way."""
    pool = opened(minconn, 3)
    busy, other = pool.getconn(), pool.getconn()
    pid, number = pid_of(busy), os.getpid()
    admin.ask("SELECT pg_advisory_lock(%s)", number)
    query = aside(run, busy, "SELECT pg_advisory_xact_lock(%s)", number)
    until(lambda: admin.value("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", pid) == "Lock")
    until(lambda: status(busy) == ACTIVE)  # the server can have the statement before libpq says that it was sent
    began = time.monotonic()
    home = aside(pool.putconn, busy)
    until(inner(pool)._lock.locked)
    held_up = [home, aside(pool.getconn), aside(pool.putconn, other)]
    assert wait_for(held_up, BLOCKED).done == set()
    assert not query.done()
    admin.ask("SELECT pg_advisory_unlock(%s)", number)
    assert [future.result(PATIENCE) for future in held_up].count(None) == 2
    assert time.monotonic() - began > BLOCKED
    unread = query.exception(PATIENCE)  # closing may come before the rows are fetched
    assert unread is None or (not minconn and type(unread) is psycopg2.InterfaceError)
    assert status(busy) == (IDLE if minconn else UNKNOWN)
    assert busy.closed == (0 if minconn else 1)
    assert counts(pool) == ((2, 1) if minconn else (0, 1))


def test_truth_09_a_connection_killed_in_a_transaction_makes_putconn_raise_and_keeps_the_slot(opened, admin):
    pool = opened(1, 1)
    conn = pool.getconn()
    run(conn, "SELECT 1")
    admin.terminate(pid_of(conn))
    assert (conn.closed, status(conn)) == (0, IN_TRANSACTION)
    lost(conn, pool.putconn, conn)
    assert counts(pool) == (0, 1)
    assert refused(pool.getconn) == EXHAUSTED
    pool.putconn(conn)  # a second return frees it
    assert counts(pool) == (0, 0)
    assert one(pool.getconn(), "SELECT 1") == 1


def test_truth_10_a_connection_whose_loss_is_known_already_is_thrown_away_quietly(opened, admin):
    pool = opened(1, 1)
    conn = pool.getconn()
    run(conn, "SELECT 1")
    admin.terminate(pid_of(conn))
    lost(conn, run, conn, "SELECT 1")
    assert pool.putconn(conn) is None
    assert counts(pool) == (0, 0)
    assert one(pool.getconn(), "SELECT 1") == 1


@pytest.mark.parametrize("by", ["its holder", "putconn"])
def test_truth_11_a_connection_returned_closed_or_to_be_closed_leaves_fewer_than_the_minimum(opened, by):
    pool = opened(2, 2)
    conn = pool.getconn()
    if by == "its holder":
        conn.close()
        pool.putconn(conn)
    else:
        pool.putconn(conn, close=True)
    assert conn.closed == 1
    assert counts(pool) == (1, 0)
    until(lambda: len(opened.backends()) == 1)
    pool.getconn()
    assert len(opened.backends()) == 1
    pool.getconn()  # only somebody who asks has the pool filled up again
    assert len(opened.backends()) == 2
    assert counts(pool) == (0, 2)


# -- connections that died ---------------------------------------------------------------------------------------------


def test_truth_12_a_connection_killed_while_idle_is_handed_out_as_if_it_lived(opened, admin):
    pool = opened(1, 1)
    admin.terminate(*opened.backends())
    conn = pool.getconn()
    assert (conn.closed, status(conn)) == (0, IDLE)
    lost(conn, run, conn, "SELECT 1")


@pytest.fixture(scope="module")
def own_server(tmp_path_factory):
    """A demo server that can be stopped and started, for no other test."""
    pytest.importorskip("fcntl")
    from pgexplorer.demo import place
    from pgexplorer.demo.errors import DemoUnavailable

    home = str(tmp_path_factory.mktemp("restarted"))
    server = OwnServer(home)
    try:
        server.start()
    except DemoUnavailable as missing:
        pytest.skip(str(missing))
    yield server
    server.stop()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGEXPLORER_HOME", home)
        found = place.find()
    shutil.rmtree(found.base, ignore_errors=True)
    shutil.rmtree(found.sockets, ignore_errors=True)


class OwnServer:
    """A demo server by its lease."""

    def __init__(self, home):
        self.home, self.lease = home, None

    def start(self):
        from pgexplorer.demo.server import start

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PGEXPLORER_HOME", self.home)
            self.lease = start()
        return self.lease.server

    def stop(self):
        self.lease.release()


def test_truth_13_after_a_restart_every_idle_connection_costs_a_failed_query(way, kind, own_server):
    server = own_server.lease.server
    pool = make(way, kind, 2, 3, **server.profile().parameters())
    try:
        own_server.stop()
        try:
            taken = [pool.getconn(), pool.getconn()]  # it hands out what is not there
            assert [(conn.closed, status(conn)) for conn in taken] == [(0, IDLE)] * 2
            error = raised(psycopg2.OperationalError, pool.getconn)
            assert "Connection refused" in str(error)
            assert not isinstance(error, PoolError)
            assert counts(pool) == (0, 2)
            for conn in taken:
                pool.putconn(conn)
            assert counts(pool) == (2, 0)
        finally:
            port = own_server.start().port
        if port != server.port:
            pytest.skip("somebody else took the port meanwhile")
        for left in (1, 0):
            conn = pool.getconn()
            lost(conn, run, conn, "SELECT 1")
            pool.putconn(conn)
            assert counts(pool) == (left, 0)
        conn = pool.getconn()
        assert one(conn, "SELECT 1") == 1
        pool.putconn(conn)
    finally:
        pool.closeall()


def test_truth_14_a_connection_closed_by_a_former_holder_is_handed_out_closed(opened):
    pool = opened(1, 1)
    conn = pool.getconn()
    pool.putconn(conn)
    conn.close()
    assert counts(pool) == (1, 0)
    again = pool.getconn()
    assert again is conn
    assert again.closed == 1
    assert str(raised(psycopg2.InterfaceError, again.cursor)) == "connection already closed"
    pool.putconn(again)
    assert counts(pool) == (0, 0)


# -- what a holder leaves behind ---------------------------------------------------------------------------------------


def test_truth_15_a_returned_connection_still_works_and_reaches_into_the_next_holders_transaction(opened):
    pool = opened(1, 1)
    former = pool.getconn()
    cursor = former.cursor()
    pool.putconn(former)
    latter = pool.getconn()
    assert latter is former
    assert status(latter) == IDLE
    cursor.execute("SELECT pg_current_xact_id()")
    [[transaction]] = cursor.fetchall()
    assert status(latter) == IN_TRANSACTION
    assert one(latter, "SELECT pg_current_xact_id()") == transaction
    pool.putconn(latter)
    cursor.execute("SELECT 1")  # and when nobody holds it, the next one begins inside a transaction
    assert status(pool.getconn()) == IN_TRANSACTION


LEFT = {
    "search_path": "SHOW search_path",
    "encoding": "SHOW client_encoding",
    "temporary tables": "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()",
    "advisory locks": "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    "channels": "SELECT count(*) FROM pg_listening_channels()",
    "prepared statements": "SELECT count(*) FROM pg_prepared_statements",
}


def left(conn):
    return {what: one(conn, text) for what, text in LEFT.items()}


def test_truth_16_what_a_holder_sets_the_next_one_gets_until_a_reset(opened):
    pool = opened(1, 1)
    conn = pool.getconn()
    clean = left(conn)
    assert list(clean.values())[2:] == [0, 0, 0, 0]
    conn.rollback()
    conn.autocommit = True
    conn.set_client_encoding("LATIN1")
    run(conn, "SET search_path TO pg_catalog")
    run(conn, "CREATE TEMPORARY TABLE left_behind ()")
    run(conn, "SELECT pg_advisory_lock(%s)", os.getpid())
    run(conn, "LISTEN left_behind")
    run(conn, "PREPARE left_behind AS SELECT 1")
    pool.putconn(conn)
    assert pool.getconn() is conn
    assert conn.autocommit
    assert conn.encoding == "LATIN1"
    assert left(conn) == dict(zip(LEFT, ["pg_catalog", "LATIN1", 1, 1, 1, 1], strict=True))
    conn.reset()
    assert (conn.autocommit, conn.encoding, status(conn)) == (False, "UTF8", IDLE)
    assert left(conn) == clean


# -- the end of a pool, and of a reference -----------------------------------------------------------------------------


def test_truth_17_closing_a_pool_closes_what_is_in_use_and_every_later_call_is_refused(opened):
    pool = opened(2, 3)
    used = pool.getconn()
    run(used, "SELECT 1")
    [idle] = inner(pool)._pool
    pool.closeall()
    assert (used.closed, idle.closed) == (1, 1)
    opened.settles_at()
    for call in (pool.getconn, lambda: pool.putconn(used), pool.closeall):
        assert refused(call) == CLOSED
    assert inner(pool).closed
    assert inner(pool)._pool == [idle]
    assert list(inner(pool)._used.values()) == [used]


def test_truth_18_a_dropped_pool_takes_its_idle_connections_along_and_leaves_the_one_in_use(opened):
    pool = opened(2, 3)
    used = pool.getconn()
    pid = pid_of(used)
    assert len(opened.backends()) == 2
    del pool
    gc.collect()
    opened.settles_at(pid)
    assert one(used, "SELECT 1") == 1
    del used
    gc.collect()
    opened.settles_at()


def test_truth_19_a_connection_dropped_without_a_return_is_never_reclaimed(opened, admin):
    pool = opened(1, 1)
    conn = pool.getconn()
    run(conn, "SELECT 1")
    pid = pid_of(conn)
    del conn
    gc.collect()
    assert admin.state(pid) == "idle in transaction"
    assert counts(pool) == (0, 1)
    assert refused(pool.getconn) == EXHAUSTED


# -- sizes and keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("minconn", "maxconn", "opens"), [(3, 2, 3), (2, 0, 2), (0, -1, 0)])
def test_truth_20_a_maximum_below_the_minimum_or_zero_is_no_limit_at_all(opened, minconn, maxconn, opens):
    pool = opened(minconn, maxconn)
    assert len(opened.backends()) == opens
    taken = [pool.getconn() for _ in range(8)]
    assert {pid_of(conn) for conn in taken} == opened.backends()
    assert counts(pool) == (0, 8)


def test_truth_20_zero_to_zero_is_always_exhausted(opened):
    pool = opened(0, 0)
    assert refused(pool.getconn) == EXHAUSTED
    assert opened.backends() == set()


def test_truth_20_a_negative_minimum_keeps_nothing(opened):
    pool = opened(-1, 2)
    assert opened.backends() == set()
    taken = [pool.getconn(), pool.getconn()]
    assert refused(pool.getconn) == EXHAUSTED
    for conn in taken:
        pool.putconn(conn)
    assert [conn.closed for conn in taken] == [1, 1]
    assert counts(pool) == (0, 0)


@pytest.mark.parametrize("sizes", [("2", "3"), (2.9, 3.9)])
def test_truth_20_sizes_are_whatever_int_makes_of_them(opened, sizes):
    pool = opened(*sizes)
    assert (pool.minconn, pool.maxconn) == (2, 3)
    assert counts(pool) == (2, 0)


def test_truth_21_a_minimum_of_zero_limits_and_keeps_nothing(opened):
    pool = opened(0, 1)
    assert opened.backends() == set()
    pids = []
    for _ in range(2):
        conn = pool.getconn()
        pids.append(pid_of(conn))
        assert refused(pool.getconn) == EXHAUSTED
        pool.putconn(conn)
        assert conn.closed == 1
        assert counts(pool) == (0, 0)
    assert pids[0] != pids[1]
    opened.settles_at()


def test_truth_22_a_key_asked_for_twice_is_one_connection_that_one_return_takes_away_from_both(opened):
    pool = opened(1, 2)
    one_holder, other_holder = pool.getconn("key"), pool.getconn("key")
    assert one_holder is other_holder
    assert counts(pool) == (0, 1)
    pool.putconn(one_holder, "key")
    assert counts(pool) == (1, 0)
    assert pool.getconn("another key") is other_holder  # a third one has it now
    assert str(raised(KeyError, pool.putconn, other_holder, "key")) == "'key'"


def test_truth_23_a_key_that_is_a_number_meets_the_pools_own_keys(opened):
    pool = opened(2, 3)
    conn = pool.getconn()
    assert list(inner(pool)._used) == [1]
    assert pool.getconn(1) is conn
    assert counts(pool) == (1, 1)
    mine = pool.getconn(2)
    assert pool.getconn() is mine  # and the other way round: the pool's second key was taken by hand
    assert counts(pool) == (0, 2)


def test_truth_24_a_wrong_key_raises_after_the_connection_went_home_and_two_have_it(opened):
    pool = opened(2, 2)
    conn = pool.getconn("right")
    assert str(raised(KeyError, pool.putconn, conn, "wrong")) == "'wrong'"
    assert inner(pool)._pool[-1] is conn
    assert inner(pool)._used == {"right": conn}
    assert pool.getconn("other") is conn
    assert pool.getconn("right") is conn


def test_truth_25_a_full_pool_still_gives_a_known_key_its_connection(opened):
    pool = opened(1, 2)
    first, second = pool.getconn("a"), pool.getconn("b")
    assert refused(pool.getconn, "c") == EXHAUSTED
    assert refused(pool.getconn) == EXHAUSTED
    assert pool.getconn("a") is first
    assert pool.getconn("b") is second
    assert counts(pool) == (0, 2)


# -- threads -----------------------------------------------------------------------------------------------------------


def taken_by_all(pool, count):
    """Return how many of *count* threads got a connection at once, and the texts that refused the others."""

    def take(_):
        try:
            return pool.getconn()
        except PoolError as error:
            return str(error)

    answers = in_threads(count, take)
    texts = [answer for answer in answers if isinstance(answer, str)]
    return count - len(texts), texts


@simple
def test_truth_26_a_simple_pool_shared_by_threads_loses_its_limit_for_good(opened):
    """Eight threads instead of sixteen, which would be more than the server has room for."""
    crowd = threading.Barrier(8)

    def factory(dsn):
        if crowd is not None:
            crowd.wait(PATIENCE)  # all are past the question whether there is room
        return ext.connection(dsn)

    pool = opened(0, 4, connection_factory=factory)
    assert taken_by_all(pool, 8) == (8, [])
    assert len(opened.backends()) == 8
    crowd = None
    pool.getconn()  # psycopg2 asks whether the number is the maximum, and it never will be again
    pool.getconn()
    assert len(opened.backends()) == 10


@threaded
def test_truth_26_a_threaded_pool_shared_by_threads_keeps_its_limit(opened):
    pool = opened(0, 4)
    assert taken_by_all(pool, 8) == (4, [EXHAUSTED] * 4)
    assert counts(pool) == (0, 4)
    assert len(opened.backends()) == 4


def stopping(function, text, stop):
    """Call *stop* whenever this thread comes to the line of *function* that holds *text*; until sys.settrace(None)."""
    lines, first = inspect.getsourcelines(function)
    [number] = [number for number, line in enumerate(lines, first) if text in line]

    def trace(frame, event, _):
        if event == "line" and (frame.f_code, frame.f_lineno) == (function.__code__, number):
            stop()
        return trace

    sys.settrace(trace)


@simple
def test_truth_26_two_threads_in_a_simple_pool_can_get_one_connection_and_one_cannot_return_it(opened):
    """Both stand between the lines of psycopg2's _getkey, and so have one key; the second asks when the first has."""
    pool = opened(2, 2)
    both, first_has_it = threading.Barrier(2), threading.Event()

    def take(number):
        def stop():
            both.wait(PATIENCE)
            assert number == 0 or first_has_it.wait(PATIENCE)

        stopping(AbstractConnectionPool._getkey, "return self._keys", stop)
        try:
            return pool.getconn()
        finally:
            sys.settrace(None)
            first_has_it.set()

    conn, same = in_threads(2, take)
    assert same is conn
    assert counts(pool) == (1, 1)
    pool.putconn(conn)
    assert refused(pool.putconn, same) == UNKEYED


@simple
def test_truth_26_two_threads_in_a_simple_pool_can_get_one_key_and_lose_a_slot(opened):
    """As before, but both ask before either has: here the two have their key already, where they could get it."""
    pool = opened(2, 2)
    own, both = inner(pool), threading.Barrier(2)

    def take(_):
        stopping(AbstractConnectionPool._getconn, "if self._pool:", lambda: both.wait(PATIENCE))
        try:
            return pool.getconn("key")
        finally:
            sys.settrace(None)

    first, second = in_threads(2, take)
    assert first is not second
    assert (len(own._pool), len(own._used), len(own._rused)) == (0, 1, 2)
    pool.putconn(first)
    assert str(raised(KeyError, pool.putconn, second)) == "'key'"
    assert (len(own._pool), len(own._used), len(own._rused)) == (2, 0, 1)


@threaded
def test_truth_27_a_slow_connect_holds_up_everybody_elses_return(opened, aside):
    gate = Gate()
    pool = opened(1, 3, connection_factory=gate)
    conn = pool.getconn()
    gate.shut = True
    growth = aside(pool.getconn)
    assert gate.reached.wait(PATIENCE)
    assert inner(pool)._lock.locked()
    began = time.monotonic()
    held_up = [aside(pool.putconn, conn), aside(pool.getconn)]
    assert wait_for(held_up, BLOCKED).done == set()
    assert counts(pool) == (0, 1)
    gate.open.set()
    assert held_up[0].result(PATIENCE) is None
    assert time.monotonic() - began > BLOCKED
    assert growth.result(PATIENCE) is not held_up[1].result(PATIENCE)
    assert sum(counts(pool)) in {2, 3}  # the second taker has the one returned, or, where it came first, its own


@pytest.fixture
def narrow_role(admin):
    """The parameters of a role that may connect twice at a time."""
    name = f"truth_{os.getpid()}_{next(_numbers)}"
    role = sql.Identifier(name)
    admin.ask(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'narrow' CONNECTION LIMIT 2").format(role))
    yield {"user": name, "password": "narrow"}
    admin.ask(sql.SQL("DROP ROLE {}").format(role))


def test_truth_28_a_pool_that_cannot_open_all_of_its_minimum_opens_none(opened, narrow_role):
    """The first ones live as long as the error does: its traceback knows the unfinished pool."""
    error = raised(psycopg2.OperationalError, opened, 3, 4, **narrow_role)
    assert "too many connections for role" in str(error)
    assert not isinstance(error, PoolError)
    assert len(opened.backends()) == 2
    del error
    gc.collect()
    opened.settles_at()


def test_truth_28_a_growth_that_fails_leaves_the_counts_right(opened, narrow_role):
    pool = opened(1, 3, **narrow_role)
    conn = pool.getconn()
    pool.getconn()
    for _ in range(2):
        assert "too many connections for role" in str(raised(psycopg2.OperationalError, pool.getconn))
        assert counts(pool) == (0, 2)
    pool.putconn(conn)
    assert pool.getconn() is conn
    assert counts(pool) == (0, 2)


# -- contexts, processes, and what a loss looks like -------------------------------------------------------------------


def test_truth_29_a_pool_is_no_context_and_a_connections_context_returns_nothing(opened, own_schema, do):
    do(f"CREATE TABLE {own_schema}.work (a int)")
    pool = opened(1, 1)
    assert not hasattr(pool, "__enter__")
    assert not hasattr(inner(pool), "__enter__")
    with pool.getconn() as conn:
        run(conn, f"INSERT INTO {own_schema}.work VALUES (1)")
    with contextlib.suppress(ZeroDivisionError), conn:
        run(conn, f"INSERT INTO {own_schema}.work VALUES (2)")
        1 / 0  # noqa: B018
    assert do(f"SELECT a FROM {own_schema}.work") == [(1,)]
    assert (conn.closed, status(conn)) == (0, IDLE)
    assert counts(pool) == (0, 1)
    assert refused(pool.getconn) == EXHAUSTED


FORKING = """
import json, os, sys
import psycopg2
from psycopg2 import pool as stock
from pgexplorer.pool.stock import StockPool

way, kind, parameters = json.load(sys.stdin)
kind = getattr(stock, kind)
pool = kind(1, 2, **parameters) if way == "direct" else StockPool(kind, 1, 2, **parameters)
conn = pool.getconn()
pool.putconn(conn)
answers, said = os.pipe()
child = os.fork()
if child == 0:
    ours = pool.getconn()
    os.write(said, str(ours.info.backend_pid).encode())
    pool.closeall()
    os._exit(0)
found = {"parent": conn.info.backend_pid, "left": os.waitpid(child, 0)[1], "child": int(os.read(answers, 99))}
conn = pool.getconn()
found["before"] = conn.closed
try:
    conn.cursor().execute("SELECT 1")
except psycopg2.Error as error:
    found |= {"error": type(error).__name__, "text": str(error), "pgcode": error.pgcode}
found["after"] = conn.closed
print(json.dumps(found))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_truth_30_a_forked_child_has_the_same_backend_and_closing_its_pool_ends_the_parents(opened):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKING],
        input=json.dumps([opened.way, opened.kind.__name__, opened.parameters]),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["left"] == 0
    assert found["child"] == found["parent"]
    assert (found["before"], found["after"]) == (0, 2)
    assert (found["error"], found["pgcode"]) == ("OperationalError", None)
    assert found["text"].startswith(LOST)


@pytest.mark.parametrize("doing", ["idle", "running"])
@pytest.mark.parametrize("by", ["tcp", "unix"])
def test_truth_31_a_kill_is_told_without_a_code_and_known_by_the_connection_alone(opened, admin, aside, by, doing):
    how = {}
    if by == "unix":
        folder = admin.value("SHOW unix_socket_directories").partition(",")[0]
        if not Path(folder).is_dir():
            pytest.skip("the server's socket is not here")
        how = {"host": folder}
    pool = opened(1, 1, **how)
    conn = pool.getconn()
    assert conn.info.host == how.get("host", opened.parameters["host"])
    pid = pid_of(conn)
    if doing == "running":
        query = aside(run, conn, "SELECT pg_sleep(60)")
        until(lambda: admin.state(pid) == "active")
        admin.terminate(pid)
        lost(conn, query.result, PATIENCE)
    else:
        admin.terminate(pid)
        lost(conn, run, conn, "SELECT 1")
    pool.putconn(conn)
    assert counts(pool) == (0, 0)
