"""PgPool on a real server: what comes home in which state, what dies, what is refused, what survives."""

import gc
import os
import subprocess
import sys
import threading
import time

import psycopg2
import pytest
from psycopg2 import extensions as ext
from psycopg2 import sql

from fix_facts import in_threads, until
from fix_pg_pool import one
from pgexplorer.pool.errors import NotFromThisPool, PoolTimeout
from pgexplorer.pool.events import EventKind
from pgexplorer.pool.link import cut


def pid_of(conn):
    return conn.info.backend_pid


def kinds(pool):
    return [event.kind for event in pool.events.since(0)[0]]


# -- coming home ------------------------------------------------------------------------------------------------


def test_that_an_open_transaction_is_rolled_back(pg_pool, own_schema):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    with conn.cursor() as cursor:
        cursor.execute(f'CREATE TABLE "{own_schema}".t ()')
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_INTRANS
    pool.putconn(conn)
    assert pool.getconn() is conn
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_IDLE
    assert one(conn, "SELECT to_regclass(%s)::text", f'"{own_schema}".t') is None


def test_that_a_failed_transaction_is_rolled_back(pg_pool):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    with pytest.raises(psycopg2.errors.DivisionByZero):
        one(conn, "SELECT 1 / 0")
    pool.putconn(conn)
    assert one(pool.getconn(), "SELECT 1") == 1
    assert pool.stats().opened == 1


@pytest.mark.parametrize("reset", ["rollback", "discard"])
def test_that_a_begin_typed_in_autocommit_mode_is_rolled_back(pg_pool, own_schema, reset):
    pool = pg_pool(1, 1, reset=reset)
    conn = pool.getconn()
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f'CREATE TABLE "{own_schema}".t ()')
    pool.putconn(conn)
    assert pool.getconn() is conn
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_IDLE
    assert one(conn, "SELECT to_regclass(%s)::text", f'"{own_schema}".t') is None


def test_that_discard_clears_the_session_and_configure_sets_it_up_again(pg_pool):
    def configure(conn):
        with conn.cursor() as cursor:
            cursor.execute("SET statement_timeout = '77s'")

    pool = pg_pool(1, 1, reset="discard", configure=configure)
    conn = pool.getconn()
    assert one(conn, "SHOW statement_timeout") == "77s"
    with conn.cursor() as cursor:
        cursor.execute("SET lock_timeout = '5s'; CREATE TEMP TABLE t ()")
    conn.commit()
    pool.putconn(conn)
    assert pool.getconn() is conn
    assert one(conn, "SHOW lock_timeout") == "0"
    assert one(conn, "SELECT to_regclass('pg_temp.t')::text") is None
    assert one(conn, "SHOW statement_timeout") == "77s"


def test_that_what_configure_sets_outlives_the_first_rollback(pg_pool):
    def configure(conn):
        with conn.cursor() as cursor:
            cursor.execute("SET statement_timeout = '77s'")

    pool = pg_pool(1, 1, configure=configure)
    conn = pool.getconn()
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_IDLE
    pool.putconn(conn)
    assert one(pool.getconn(), "SHOW statement_timeout") == "77s"


def test_that_reset_none_leaves_the_transaction_as_it_is(pg_pool):
    pool = pg_pool(1, 1, reset=None)
    conn = pool.getconn()
    before = one(conn, "SELECT pg_current_xact_id()::text")
    pool.putconn(conn)
    assert pool.getconn() is conn
    assert one(conn, "SELECT pg_current_xact_id()::text") == before


def test_that_a_running_connection_is_cut_at_once_and_its_backend_ends(pg_pool, admin):
    pool = pg_pool(1, 2)
    conn = pool.getconn()
    pid = pid_of(conn)
    failed = []

    def run():
        try:
            one(conn, "SELECT pg_sleep(600)")
        except psycopg2.Error as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: admin.state(pid) == "active")
    until(lambda: conn.get_transaction_status() == ext.TRANSACTION_STATUS_ACTIVE)
    assert str(pool.slots()[0].state) == "running"
    began = time.monotonic()
    pool.putconn(conn)
    assert time.monotonic() - began < 2
    thread.join(10)
    assert len(failed) == 1
    assert pool.stats().size == 0
    until(lambda: not admin.alive(pid))


def test_that_a_connection_killed_in_a_transaction_frees_its_slot(pg_pool, admin):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    one(conn, "SELECT 1")
    admin.terminate(pid_of(conn))
    pool.putconn(conn)
    assert pool.stats().size == 0
    assert EventKind.RETURN_FAILED in kinds(pool)
    assert one(pool.getconn(), "SELECT 1") == 1


def test_that_a_connection_that_broke_in_use_frees_its_slot(pg_pool, admin):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    admin.terminate(pid_of(conn))
    with pytest.raises(psycopg2.OperationalError):
        one(conn, "SELECT 1")
    assert str(pool.slots()[0].state) == "broken"
    pool.putconn(conn)
    assert pool.stats().size == 0


# -- liveness ---------------------------------------------------------------------------------------------------


def test_that_six_connections_killed_while_idle_cost_no_failed_query(pg_pool, admin):
    pool = pg_pool(6, 6)
    admin.terminate(*[slot.pid for slot in pool.slots()])
    conns = []
    for _ in range(6):
        conns.append(pool.getconn())
        assert one(conns[-1], "SELECT 1") == 1
    stats = pool.stats()
    assert (stats.lost, stats.used, stats.opened) == (6, 6, 12)


def test_that_one_killed_among_many_costs_no_failed_query_and_no_second_connection(pg_pool, admin):
    pool = pg_pool(4, 4)
    admin.terminate(pool._idle[-1].pid)
    for _ in range(8):
        conn = pool.getconn()
        assert one(conn, "SELECT 1") == 1
        pool.putconn(conn)
    assert (pool.stats().lost, pool.stats().size, pool.stats().opened) == (1, 3, 4)


def test_that_a_notification_does_not_make_a_connection_look_dead(pg_pool, do):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    with conn.cursor() as cursor:
        cursor.execute("LISTEN news")
    conn.commit()
    pool.putconn(conn)
    do("NOTIFY news, 'hello'")
    until(pool._idle[0].poller)
    assert pool.getconn() is conn
    assert [notify.payload for notify in conn.notifies] == ["hello"]
    assert pool.stats().lost == 0


def test_that_a_question_after_long_idling_leaves_the_connection_as_it_was(pg_pool):
    pool = pg_pool(1, 1, ping_after=-1)
    conn = pool.getconn()
    conn.set_session(isolation_level="SERIALIZABLE", readonly=True)
    pool.putconn(conn)
    assert pool.getconn() is conn
    assert conn.autocommit is False
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_IDLE
    assert one(conn, "SHOW transaction_isolation") == "serializable"
    assert pool.slots()[0].sql == "SHOW transaction_isolation"


def test_that_at_rest_the_server_counts_the_same(pg_pool, admin):
    name = f"count_{os.getpid()}"
    pool = pg_pool(0, 6, application_name=name, timeout=30)

    def work(number):
        for turn in range(15):
            conn = pool.getconn()
            one(conn, "SELECT 1")
            if turn % 5 == number % 5:
                cut(conn)
            pool.putconn(conn, close=turn % 7 == number % 7)

    in_threads(8, work)
    stats = pool.stats()
    assert (stats.used, stats.waiting, stats.returning) == (0, 0, 0)
    until(lambda: pool.stats().opening == 0)

    def counted():
        return admin.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", name)

    until(lambda: counted() == pool.stats().size)
    assert pool.stats().opened - pool.stats().closed == pool.stats().size


def test_that_a_server_without_room_is_waited_for_and_the_timeout_says_why(pg_pool, do, profile):
    """connect_timeout and the like are the user's; a role of its own limit is the server's."""
    pool = pg_pool(0, 4, dbname="no_such_database")
    with pytest.raises(psycopg2.OperationalError, match="no_such_database"):
        pool.getconn()
    with pytest.raises(PoolTimeout, match="no_such_database"):
        pool.getconn(timeout=0.3)
    until(lambda: pool.stats().size == 0)  # an attempt that is under way ends by itself


# -- use while it is not yours ----------------------------------------------------------------------------------


def test_that_an_idle_connection_refuses_use(pg_pool):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    cursor = conn.cursor()
    pool.putconn(conn)
    for use in (
        conn.cursor,
        conn.commit,
        conn.rollback,
        conn.reset,
        conn.set_session,
        lambda: conn.set_isolation_level(1),
        lambda: conn.set_client_encoding("UTF8"),
        lambda: conn.tpc_begin("x"),
        conn.lobject,
        lambda: cursor.execute("SELECT 1"),
        lambda: cursor.executemany("SELECT %s", [(1,)]),
        lambda: cursor.callproc("now"),
        lambda: cursor.copy_expert("COPY (SELECT 1) TO STDOUT", sys.stdout),
        lambda: cursor.copy_from(sys.stdin, "t"),
        lambda: cursor.copy_to(sys.stdout, "t"),
    ):
        with pytest.raises(psycopg2.InterfaceError, match="idle in its pool"):
            use()
    with pytest.raises(psycopg2.InterfaceError, match="idle in its pool"), conn:
        pass


def test_that_an_old_cursor_does_not_run_inside_a_later_lease(pg_pool):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    one(conn, "SELECT 1")
    old, named = conn.cursor(), conn.cursor("named")
    named.execute("SELECT generate_series(1, 10)")
    named.fetchmany(2)
    pool.putconn(conn)
    assert pool.getconn() is conn
    one(conn, "SELECT 1")
    for use in (
        lambda: old.execute("COMMIT"),
        named.fetchone,
        lambda: named.fetchmany(2),
        named.fetchall,
        lambda: next(named),
        lambda: named.scroll(1),
        lambda: named.execute("SELECT 2"),
    ):
        with pytest.raises(psycopg2.InterfaceError, match="earlier lease"):
            use()
    named.close()
    assert conn.get_transaction_status() == ext.TRANSACTION_STATUS_INTRANS
    assert one(conn, "SELECT 1") == 1


def test_that_what_was_fetched_may_be_read_after_the_return(pg_pool):
    """A plain cursor has its rows on this side: reading them asks nobody."""
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    cursor = conn.cursor()
    cursor.execute("SELECT generate_series(1, 3)")
    pool.putconn(conn)
    assert cursor.fetchall() == [(1,), (2,), (3,)]


def test_that_an_old_connection_cannot_be_told_apart_once_it_is_lent_again_and_a_lease_can(pg_pool):
    pool = pg_pool(1, 1)
    old = pool.getconn()
    pool.putconn(old)
    new = pool.getconn()
    assert old is new
    assert one(old, "SELECT 1") == 1
    pool.putconn(old)
    with pytest.raises(NotFromThisPool):
        pool.putconn(new)
    with pool.connection() as lease:
        assert one(lease, "SELECT 1") == 1
    with pool.connection():
        for use in (lambda: lease.cursor, lambda: lease.closed, lambda: lease.connection, lease.__enter__):
            with pytest.raises(psycopg2.InterfaceError, match="lease has ended"):
                use()
        with pytest.raises(psycopg2.InterfaceError, match="lease has ended"):
            lease.autocommit = True


def test_that_the_with_block_commits_rolls_back_and_always_gives_back(pg_pool, own_schema, admin):
    pool = pg_pool(1, 1)
    table = f'"{own_schema}".t'

    def count():
        return admin.value(f"SELECT count(*) FROM {table}")

    with pool.connection(holder="maker") as conn, conn.cursor() as cursor:
        assert pool.slots()[0].holder == "maker"
        cursor.execute(f"CREATE TABLE {table} (n int)")
    with pytest.raises(ZeroDivisionError), pool.connection() as conn, conn.cursor() as cursor:  # noqa: PT012
        cursor.execute(f"INSERT INTO {table} VALUES (1)")
        raise ZeroDivisionError
    assert count() == 0
    with pool.connection() as conn, conn.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} VALUES (2)")
    assert count() == 1
    with pool.connection() as conn, conn, conn.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} VALUES (3)")
    assert count() == 2
    with pool.connection() as conn:
        conn.close()
    assert (pool.stats().used, pool.stats().waiting) == (0, 0)


def test_that_a_with_block_that_lost_its_connection_does_not_pretend_to_commit(pg_pool, admin):
    pool = pg_pool(1, 1)
    with pytest.raises(psycopg2.InterfaceError, match="closed"), pool.connection() as conn:  # noqa: PT012
        one(conn, "SELECT 1")
        admin.terminate(conn.info.backend_pid)
        with pytest.raises(psycopg2.OperationalError):
            one(conn, "SELECT 1")
    assert pool.stats().size == 0
    assert EventKind.LOST in kinds(pool)
    assert pool.stats().lost == 1


def test_that_a_dropped_connection_closes_at_the_server_and_its_slot_is_back(pg_pool, admin):
    pool = pg_pool(0, 1)
    pid = one(pool.getconn(), "SELECT pg_backend_pid()")
    until(lambda: not admin.alive(pid))
    assert pool.getconn(timeout=10)
    assert EventKind.DROPPED in kinds(pool)


def test_that_a_forgotten_pool_closes_its_connections_without_the_collector(pg_pool, profile, admin):
    from pgexplorer.pool.pg_pool import PgPool

    gc.collect()
    gc.disable()
    try:
        pool = PgPool(2, 3, **profile.parameters())
        pids = {slot.pid for slot in pool.slots()}
        conn = pool.getconn()
        one(conn, "SELECT 1")
        pool.putconn(conn)
        del conn, pool
        until(lambda: not admin.alive(*pids))
    finally:
        gc.enable()


# -- processes --------------------------------------------------------------------------------------------------

PREPARE = """
import os, signal, sys, threading, time
from pgexplorer.pool.pg_pool import PgPool
def one(conn, text):
    with conn.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchone()[0]
pool = PgPool({minconn}, {maxconn}, os.environ["DSN"], timeout={timeout})
"""


@pytest.fixture
def run(profile):
    def run(text, minconn=1, maxconn=2, timeout=10):
        return subprocess.run(
            [sys.executable, "-X", "dev", "-c", PREPARE.format(**locals()) + text],
            env=os.environ | {"DSN": ext.make_dsn(**profile.parameters())},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_that_a_child_forgets_and_starts_anew_and_the_parents_connections_live(run):
    done = run(
        """
held = pool.getconn()
pids = {slot.pid for slot in pool.slots()}
stop = threading.Event()
def churn():  # somebody else holds the locks at the moment of the fork
    while not stop.is_set():
        conn = pool.getconn()
        pool.putconn(conn)
churners = [threading.Thread(target=churn) for _ in range(2)]
for thread in churners: thread.start()
for _ in range(10):
    child = os.fork()
    if not child:
        try:
            assert pool.stats().size == 0 and not pool.closed
            with pool.connection() as conn:
                assert one(conn, "SELECT 1") == 1
            try:
                pool.putconn(held)
            except Exception as error:
                assert type(error).__name__ == "NotFromThisPool", error
            pool.closeall()
            del held, conn
            os._exit(0)
        except BaseException as error:
            print("child", repr(error), flush=True)
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
stop.set()
for thread in churners: thread.join()
assert one(held, "SELECT 1") == 1
pool.putconn(held)
with pool.connection() as conn:
    assert one(conn, "SELECT 1") == 1
print("good", pool.stats().lost, {slot.pid for slot in pool.slots()} >= pids)
pool.closeall()
""",
        minconn=2,
        maxconn=4,
    )
    assert (done.returncode, done.stdout.split()) == (0, ["good", "0", "True"]), done.stdout + done.stderr


@pytest.mark.parametrize("closes", [True, False])
def test_that_the_interpreter_ends_promptly_with_connections_out_and_threads_waiting(run, closes):
    began = time.monotonic()
    done = run(
        f"""
held = [pool.getconn(), pool.getconn()]
def wait():
    try:
        pool.getconn(timeout=600)
    except Exception as error:
        os.write(1, type(error).__name__.encode() + b"\\n")
threads = [threading.Thread(target=wait, daemon={not closes}) for _ in range(3)]
for thread in threads: thread.start()
while pool.stats().waiting < 3: time.sleep(0.01)
if {closes}: pool.closeall()
os.write(1, b"end\\n")
"""
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(["end"] + ["PoolClosed"] * 3 * closes)
    assert done.stderr == ""
    assert time.monotonic() - began < 20


def test_that_a_program_that_ends_in_mid_statement_ends(run):
    done = run(
        """
def sleep():
    one(pool.getconn(), "SELECT pg_sleep(5)")
threading.Thread(target=sleep, daemon=True).start()
while not any(str(slot.state) == "running" for slot in pool.slots()): time.sleep(0.01)
"""
    )
    assert (done.returncode, done.stderr) == (0, "")


# -- what can be seen -------------------------------------------------------------------------------------------


def test_that_each_statement_and_each_end_of_a_transaction_is_an_event(pg_pool):
    pool = pg_pool(1, 1)
    last = pool.events.last
    conn = pool.getconn(holder="report")
    one(conn, "SELECT 1")
    with pytest.raises(psycopg2.errors.DivisionByZero):
        one(conn, "SELECT 1 / 0")
    conn.rollback()
    conn.rollback()  # there is nothing to end any more
    conn.autocommit = True
    one(conn, "SELECT pg_sleep(0.02) /* " + "x" * 500 + " */")
    pool.putconn(conn)
    events = pool.events.since(last)[0]
    assert [str(event.kind) for event in events] == [
        "checked out",
        "done, transaction open",
        "done, transaction failed",
        "transaction ended",
        "done",
        "checked in",
    ]
    assert {(event.slot, event.holder) for event in events} == {(1, "report")}
    slow = events[4]
    assert slow.took >= 0.02
    assert events[3].at <= slow.at - slow.took <= slow.at <= events[5].at
    assert slow.detail.startswith("SELECT pg_sleep")
    assert len(slow.detail) == 200


def test_that_a_statement_in_parts_is_kept_as_text(pg_pool):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    with conn.cursor() as cursor:
        with pytest.raises(psycopg2.errors.CharacterNotInRepertoire):
            cursor.execute(b"SELECT 1 -- \xff")
        conn.rollback()
        cursor.execute(sql.SQL("SELECT {}").format(sql.Literal(2)))
    details = [event.detail for event in pool.events.since(0)[0] if event.took and "done" in event.kind]
    assert details[0].startswith("SELECT 1 -- ")
    assert "SELECT" in details[1]


def test_that_a_transaction_that_waits_tells_since_when(pg_pool):
    pool = pg_pool(1, 1)
    conn = pool.getconn()
    began = time.monotonic()
    one(conn, "SELECT pg_sleep(0.02)")
    ended = time.monotonic()
    [slot] = pool.slots()
    assert slot.held_since < began + 0.02 < slot.state_since <= ended


def test_that_links_tell_an_end_that_nobody_has_read(pg_pool, admin):
    pool = pg_pool(2, 2)
    held = pool.getconn()
    dead, alive = pid_of(held), next(slot.pid for slot in pool.slots() if slot.pid != pid_of(held))
    assert pool.links() == {dead: "open", alive: "open"}
    admin.terminate(dead)
    until(lambda: pool.links() == {dead: "readable", alive: "open"})
    with pytest.raises(psycopg2.OperationalError):
        one(held, "SELECT 1")
    assert pool.links() == {dead: "closed", alive: "open"}


def test_that_the_histograms_count_what_the_pool_counts(pg_pool):
    pool = pg_pool(1, 2, timeout=20)
    for _ in range(3):
        pool.putconn(pool.getconn())
    spread, stats = pool.histograms(), pool.stats()
    assert (spread.wait.count, spread.hold.count, spread.connect.count) == (stats.served, 3, stats.opened)
    assert sum(count for _, count in spread.hold.buckets()) == 3
    edges = [edge for edge, _ in spread.connect.buckets()]
    assert edges[-1] >= spread.connect.longest >= stats.connect_median / 1.1
    before = spread.hold.count
    pool.putconn(pool.getconn())
    assert spread.hold.count == before  # a copy stands still
