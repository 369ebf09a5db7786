"""PgPool in the place of psycopg2's ThreadedConnectionPool: the same calls on a real server."""

import contextlib
import os
import subprocess
import sys
import threading
from functools import partial

import psycopg2
import pytest
from psycopg2 import extensions as ext
from psycopg2 import extras, sql
from psycopg2.pool import AbstractConnectionPool, PoolError, ThreadedConnectionPool

from fix_facts import in_threads
from fix_fake_server import Caller
from fix_pg_pool import one
from pgexplorer.pool.errors import NotFromThisPool, PoolClosed, PoolExhausted, PoolTimeout, TooManyWaiting
from pgexplorer.pool.pg_pool import PgPool


def test_that_it_is_a_threaded_connection_pool_and_its_errors_are_pool_errors(pg_pool):
    pool = pg_pool()
    assert isinstance(pool, ThreadedConnectionPool)
    assert isinstance(pool, AbstractConnectionPool)
    for error in (PoolExhausted, PoolTimeout, TooManyWaiting, PoolClosed, NotFromThisPool):
        assert issubclass(error, PoolError)


def test_that_positions_and_keywords_are_psycopg2s(profile):
    dsn = ext.make_dsn(**profile.parameters())
    for pool in (
        PgPool(1, 2, dsn),
        PgPool(1, 2, dsn, extras.DictConnection),
        PgPool("1", "2", dsn=dsn),
        PgPool(minconn=1, maxconn=2, **profile.parameters()),
    ):
        with contextlib.closing(pool.getconn()) as conn:
            assert one(conn, "SELECT 1") == 1
            assert isinstance(conn, ext.connection)
            pool.putconn(conn)
        assert (pool.minconn, pool.maxconn, pool.closed) == (1, 2, False)
        pool.closeall()
        assert pool.closed


@pytest.mark.parametrize("sizes", [(2, 1), (-1, 1), (0, 0), (1, -1)])
def test_that_impossible_sizes_are_refused_before_anything_is_opened(sizes):
    def never(**_):
        raise AssertionError

    with pytest.raises(ValueError, match="0 <= minconn <= maxconn"):
        PgPool(*sizes, connect=never)


def test_that_an_unknown_reset_is_refused():
    with pytest.raises(ValueError, match="'polish'"):
        PgPool(0, 1, reset="polish")


def test_that_minconn_are_opened_at_once_and_the_last_returned_is_lent_next(pg_pool, admin):
    pool = pg_pool(2, 3)
    assert (pool.stats().idle, pool.stats().opened) == (2, 2)
    first, second = pool.getconn(), pool.getconn()
    pids = {conn.info.backend_pid for conn in (first, second)}
    assert admin.alive(*pids) == pids
    pool.putconn(first)
    pool.putconn(second)
    assert pool.getconn() is second


def test_that_a_constructor_that_cannot_connect_raises_what_connecting_raises_and_leaves_nothing(pg_pool, admin):
    name = f"half_open_{os.getpid()}"
    left = [2]

    def connect(**kwargs):
        left[0] -= 1
        if left[0] < 0:
            raise psycopg2.OperationalError("no more")
        return psycopg2.connect(**(kwargs | {"application_name": name}))

    with pytest.raises(psycopg2.OperationalError, match="no more"):
        pg_pool(3, 3, connect=connect)
    assert admin.ask("SELECT 1 FROM pg_stat_activity WHERE application_name = %s AND state = 'active'", name) == []


def test_that_a_key_names_one_connection_which_is_not_counted_twice(pg_pool):
    pool = pg_pool(0, 2)
    mine = pool.getconn("mine")
    assert pool.getconn("mine") is mine
    assert pool.getconn(key="mine") is mine
    other = pool.getconn(0)
    assert other is not mine
    assert pool.getconn(0) is other
    assert (pool.stats().used, pool.stats().served) == (2, 2)
    with pytest.raises(NotFromThisPool, match="key 'yours' that is out with 'mine'"):
        pool.putconn(mine, "yours")
    pool.putconn(key=0)
    pool.putconn(mine, key="mine")
    assert (pool.stats().used, pool.stats().idle) == (0, 2)
    assert pool.getconn("mine") in {mine, other}


@pytest.mark.parametrize("timeout", [0, 20])
def test_that_threads_that_ask_for_one_key_at_once_share_one_connection(pg_pool, timeout):
    pool = pg_pool(0, 4, timeout=timeout)
    conns = in_threads(4, lambda _: pool.getconn("mine"))
    assert len({id(conn) for conn in conns}) == 1
    assert (pool.stats().used, pool.stats().size) == (1, 1)
    pool.putconn(conns[0], "mine")
    assert pool.stats().idle == 1


def test_that_who_asks_for_a_key_that_is_being_opened_waits_no_longer_than_told(pg_pool):
    begun, go_on = threading.Event(), threading.Event()

    def connect(*args, **kwargs):
        begun.set()
        assert go_on.wait(20)
        return psycopg2.connect(*args, **kwargs)

    pool = pg_pool(0, 2, connect=connect)
    first = Caller(pool, key="mine")
    assert begun.wait(10)
    with pytest.raises(PoolTimeout, match=r"no connection within 0\.01 s"):
        pool.getconn("mine", timeout=0.01)
    assert pool.stats().timed_out == 1
    go_on.set()
    assert pool.getconn("mine", timeout=20) is first.got()


def test_that_a_key_whose_connect_failed_can_be_asked_for_again(pg_pool):
    failures = iter([psycopg2.OperationalError("connection refused")])

    def connect(*args, **kwargs):
        for error in failures:
            raise error
        return psycopg2.connect(*args, **kwargs)

    pool = pg_pool(0, 1, connect=connect)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        pool.getconn("mine")
    assert pool.getconn("mine") is pool.getconn("mine")


def test_that_a_users_key_cannot_meet_one_of_the_pools_own(pg_pool):
    pool = pg_pool(0, 4)
    out = [pool.getconn(), pool.getconn(), pool.getconn("#1"), pool.getconn(1)]
    assert len(set(map(id, out))) == 4
    assert list(map(id, pool._used.values())) == list(map(id, out))
    assert {pool._rused[id(conn)] for conn in out} == set(pool._used)


def test_that_without_a_timeout_a_full_pool_refuses_at_once_with_psycopg2s_words(pg_pool):
    pool = pg_pool(0, 2)
    held = [pool.getconn(), pool.getconn()]
    with pytest.raises(PoolError, match=r"^connection pool exhausted") as refused:
        pool.getconn()
    assert refused.value.pgcode is None
    assert not isinstance(refused.value, psycopg2.DatabaseError)
    assert pool.stats().exhausted == 1
    for conn in held:
        pool.putconn(conn)


def test_that_without_a_timeout_each_caller_opens_its_own_while_there_is_room(pg_pool):
    pool = pg_pool(0, 4)
    conns = in_threads(4, lambda _: pool.getconn())
    assert len(set(map(id, conns))) == 4
    stats = pool.stats()
    assert (stats.used, stats.opened, stats.waiting, stats.exhausted) == (4, 4, 0, 0)


def test_that_a_second_closeall_and_a_late_return_are_quiet(pg_pool):
    pool = pg_pool(1, 2)
    held = pool.getconn()
    pool.closeall()
    pool.closeall()
    assert not held.closed
    assert one(held, "SELECT 1") == 1
    pool.putconn(held)
    assert held.closed
    assert pool.stats().size == 0
    with pytest.raises(PoolClosed, match=r"^connection pool is closed$"):
        pool.getconn()
    with pytest.raises(NotFromThisPool):
        pool.putconn(held)


@pytest.mark.parametrize("made", [extras.DictCursor, extras.RealDictCursor, extras.NamedTupleCursor])
def test_that_a_users_cursor_class_works_however_it_is_named(pg_pool, made):
    def look(cursor):
        cursor.execute("SELECT 7 AS seven, %s AS text", ("x",))
        row = cursor.fetchone()
        assert isinstance(cursor, made)
        assert (row.seven if made is extras.NamedTupleCursor else row["seven"]) == 7
        cursor.executemany("SELECT %s", [(1,), (2,)])

    for pool, options in ((pg_pool(), {"cursor_factory": made}), (pg_pool(cursor_factory=made), {})):
        with pool.connection() as conn:
            with conn.cursor(**options) as cursor:
                look(cursor)
            with conn.cursor("on_the_server", **options) as cursor:
                cursor.execute("SELECT number AS seven FROM generate_series(1, 5) AS number")
                assert len(list(cursor)) == 5


@pytest.mark.parametrize("made", [extras.DictConnection, extras.RealDictConnection, extras.NamedTupleConnection])
def test_that_a_users_connection_class_works_and_keeps_its_own_cursor(pg_pool, made):
    pool = pg_pool(connection_factory=made)
    with pool.connection() as lease:
        assert isinstance(lease.connection, made)
        with lease.cursor() as cursor:
            cursor.execute("SELECT 7 AS seven")
            row = cursor.fetchone()
            assert (row.seven if made is extras.NamedTupleConnection else row["seven"]) == 7
    with pytest.raises(psycopg2.InterfaceError, match="idle in its pool"):
        pool._pool[0].cursor()


def test_that_a_users_own_methods_run_and_reach_psycopg2(pg_pool):
    class Loud(ext.connection):
        said = ()

        def commit(self):
            self.said = (*self.said, "commit")
            super().commit()

    class Twice(ext.cursor):
        def execute(self, query, vars=None, twice=False):  # noqa: A002
            for _ in range(2 if twice else 1):
                super().execute(query, vars)

    pool = pg_pool(connection_factory=Loud, cursor_factory=Twice)
    with pool.connection() as lease:
        conn = lease.connection
        with lease.cursor() as cursor:
            cursor.execute("SELECT 1", twice=True)
    assert conn.said == ("commit",)


def test_that_a_cursor_factory_may_be_any_callable(pg_pool):
    conn = pg_pool().getconn()
    with conn.cursor(cursor_factory=partial(extras.DictCursor)) as cursor:
        cursor.execute("SELECT 1 AS one")
        assert cursor.fetchone()["one"] == 1


def test_that_what_insists_on_psycopg2s_own_connection_takes_it(pg_pool):
    pool = pg_pool()
    with pool.connection() as lease:
        conn = lease.connection
        assert ext.quote_ident('a"b', conn) == '"a""b"'
        assert sql.SQL("SELECT {}").format(sql.Literal("x'y")).as_string(conn) == "SELECT 'x''y'"
        ext.register_type(ext.UNICODE, conn)
        extras.register_uuid(conn_or_curs=conn)
        extras.register_default_json(conn)
        with conn.cursor() as cursor:
            ext.register_type(ext.UNICODE, cursor)
            extras.execute_values(cursor, "SELECT * FROM (VALUES %s) AS v(a, b)", [(1, 2), (3, 4)])
            assert cursor.fetchall() == [(1, 2), (3, 4)]


def test_that_psycopg2s_with_block_and_copy_and_callproc_work_and_tell_the_state(pg_pool, tmp_path):
    pool = pg_pool(1, 1)
    conn = pool.getconn()

    def state():
        return str(pool.slots()[0].state)

    with conn, conn.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE t (a int, b text)")
        assert state() == "idle in transaction"
        file = tmp_path / "rows"
        file.write_text("1\tx\n2\ty\n")
        with file.open() as lines:
            cursor.copy_from(lines, "t")
        with file.open("w") as lines:
            cursor.copy_to(lines, "t")
            cursor.copy_expert("COPY t TO STDOUT", lines)
        cursor.callproc("abs", [-3])
        assert cursor.fetchone() == (3,)
        assert state() == "idle in transaction"
        assert pool.slots()[0].sql == "abs"
    assert state() == "checked out"
    with pytest.raises(psycopg2.errors.DivisionByZero), conn.cursor() as cursor:
        cursor.execute("SELECT 1 / 0")
    assert state() == "idle in failed transaction"
    assert pool.slots()[0].sql == "SELECT 1 / 0"


def test_that_importing_it_needs_psycopg2_and_the_standard_library_alone():
    text = """
import sys
before = set(sys.modules)
import pgexplorer.pool.pg_pool
allowed = sys.stdlib_module_names | {"psycopg2", "pgexplorer"}
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
ours = {name for name in sys.modules if name.startswith("pgexplorer.") and not name.startswith("pgexplorer.pool")}
print(sorted(loaded - allowed), sorted(ours))
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, encoding="utf-8", timeout=60, check=True)
    assert done.stdout.split() == ["[]", "[]"]
