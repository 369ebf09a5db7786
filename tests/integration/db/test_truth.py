"""Belief, socket and server side by side, on a real server; and the reasons where they differ."""

import contextlib
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import psycopg2
import pytest

from fix_facts import until
from pgexplorer.db.probe import connect_side
from pgexplorer.db.truth import POOL_NAME, SETTLED, TRUTHS, Activity, Backend, Trouble, compare, look, trouble_of
from pgexplorer.pool.events import Event, EventKind
from pgexplorer.pool.slot import Slot, SlotState

SIDES = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgexplorer/side' AND pid <> pg_backend_pid()"
STOCK, WAITING = "ThreadedConnectionPool", "PgPool"


def pid(conn):
    return conn.info.backend_pid


def run(conn, text):
    with conn.cursor() as cursor:
        cursor.execute(text)


def row_of(pool, side, number):
    return next(row for row in look(pool, side).rows if row.pid == number)


def settled(pool, side, number):
    """Look until the backend *number* has a reason; return its row."""
    return until(lambda: next((row for row in look(pool, side).rows if row.pid == number and row.reason), None))


# -- psycopg2's pools, on the server ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ThreadedConnectionPool", "SimpleConnectionPool"])
def test_that_a_pool_at_rest_and_in_use_agrees_with_its_server(open_pool, side, kind):
    pool = open_pool(2, 3, kind)
    conn = pool.getconn(holder="SQL 1")
    with pool.running(conn, "select 1"):
        run(conn, "select 1")
    until(lambda: min(slot.state_since for slot in pool.slots()) < time.monotonic() - 2 * SETTLED)
    found = look(pool, side)
    assert [row.reason for row in found.rows] == [None, None]
    assert found.disagreements == 0
    rows = {row.pid: row for row in found.rows}
    mine = rows[pid(conn)]
    assert (mine.belief, mine.holder, mine.socket, mine.server) == (
        "idle in transaction",
        "SQL 1",
        "open, quiet",
        "idle in transaction",
    )
    assert mine.backend.query == "select 1"
    assert mine.backend.transaction_s > 0
    assert mine.backend.application_name == POOL_NAME
    assert {row.server for row in found.rows} == {"idle", "idle in transaction"}


def test_that_a_backend_killed_while_idle_is_told_and_is_handed_out_all_the_same(open_pool, side, admin):
    pool = open_pool(1, 2)
    [slot] = pool.slots()
    admin.terminate(slot.pid)
    row = settled(pool, side, slot.pid)
    assert (row.belief, row.socket, row.server) == ("idle", "something to read", "no such backend")
    assert row.reason.truth == 12
    assert row.reason.rule == f"psycopg2, truth 12: {TRUTHS[12]}"
    conn = pool.getconn()
    assert pid(conn) == slot.pid
    with pytest.raises(psycopg2.OperationalError):
        run(conn, "select 1")


def test_that_a_leak_is_told(open_pool, side):
    pool = open_pool(1, 2)
    conn = pool.getconn(holder="export")
    with pool.running(conn, "select 1"):
        run(conn, "select 1")
    number = pid(conn)
    pool.leaked(conn)
    del conn
    row = row_of(pool, side, number)
    assert row.belief == "leaked, nobody has it"
    assert row.reason.truth == 19
    assert "transaction stays open" in row.reason.text


def test_that_a_transaction_left_open_in_autocommit_mode_is_told(open_pool, side):
    pool = open_pool(1, 2)
    conn = pool.getconn()
    conn.autocommit = True
    run(conn, "BEGIN")
    pool.putconn(conn)
    row = settled(pool, side, pid(conn))
    assert (row.belief, row.server) == ("idle", "idle in transaction")
    assert row.reason.truth == 16
    assert "BEGIN typed by hand" in row.reason.text


def test_that_a_former_holder_who_goes_on_is_told(open_pool, side):
    pool = open_pool(1, 2)
    conn = pool.getconn()
    pool.putconn(conn)
    until(lambda: pool.slots()[0].state_since < time.monotonic() - 0.1)
    run(conn, "select 1")
    row = settled(pool, side, pid(conn))
    assert (row.belief, row.server) == ("idle", "idle in transaction")
    assert row.reason.truth == 15


def test_that_what_a_holder_set_is_told_where_the_server_shows_it(open_pool, side):
    pool = open_pool(1, 2)
    conn = pool.getconn()
    run(conn, "SET application_name = 'report'")
    conn.commit()
    pool.putconn(conn)
    row = settled(pool, side, pid(conn))
    assert row.reason.truth == 16
    assert '"report"' in row.reason.text


def test_that_a_connection_closed_by_a_former_holder_is_told(open_pool, side):
    pool = open_pool(1, 2)
    conn = pool.getconn()
    pool.putconn(conn)
    number = pid(conn)
    conn.close()
    row = until(lambda: next((row for row in look(pool, side).rows if row.reason), None))
    assert (row.belief, row.reason.truth) == ("idle", 14)
    assert row.number == 1
    assert number not in {other.pid for other in look(pool, side).rows if other.backend}


def test_that_a_backend_killed_in_a_transaction_is_told_and_putconn_keeps_the_slot(open_pool, side, admin):
    pool = open_pool(1, 2)
    conn = pool.getconn(holder="SQL 1")
    with pool.running(conn, "select 1"):
        run(conn, "select 1")
    admin.terminate(pid(conn))
    row = settled(pool, side, pid(conn))
    assert (row.belief, row.server, row.reason.truth) == ("idle in transaction", "no such backend", 9)
    with pytest.raises(psycopg2.OperationalError):
        pool.putconn(conn)
    assert pool.stats().used == 1


def test_that_a_statement_that_nobody_told_the_pool_of_is_told(open_pool, side, admin):
    pool = open_pool(1, 2)
    conn = pool.getconn()
    asker = threading.Thread(target=lambda: run(conn, "select pg_sleep(60)"), daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)  # it is cancelled
        asker.start()
        row = settled(pool, side, pid(conn))
        assert (row.belief, row.server, row.reason.truth) == ("checked out", "active", 8)
        admin.ask("SELECT pg_cancel_backend(%s)", pid(conn))
        asker.join(10)


def test_that_a_long_statement_that_the_pool_knows_of_is_no_disagreement(open_pool, side, admin):
    pool = open_pool(1, 2)
    conn = pool.getconn()

    def ask():
        with pool.running(conn, "select pg_sleep(60)"), contextlib.suppress(psycopg2.Error):
            run(conn, "select pg_sleep(60)")

    asker = threading.Thread(target=ask, daemon=True)
    asker.start()
    row = until(lambda: (found := row_of(pool, side, pid(conn))).believed_s > 2 * SETTLED and found)
    assert (row.belief, row.server, row.reason) == ("running", "active", None)
    admin.ask("SELECT pg_cancel_backend(%s)", pid(conn))
    asker.join(10)


def test_that_a_wait_for_a_lock_is_named(open_pool, side, admin):
    pool = open_pool(1, 2)
    conn = pool.getconn()
    admin.ask("SELECT pg_advisory_lock(77)")
    asker = threading.Thread(target=lambda: run(conn, "select pg_advisory_lock(77)"), daemon=True)
    asker.start()
    until(lambda: row_of(pool, side, pid(conn)).wait == "Lock: advisory")
    admin.ask("SELECT pg_advisory_unlock(77)")
    asker.join(10)


@pytest.mark.parametrize("kind", [STOCK, WAITING])
def test_that_a_hammered_pool_is_never_said_to_disagree(open_pool, pg_pool, side, kind):
    pool = open_pool(3, 3) if kind == STOCK else pg_pool(3, 3, timeout=10)
    stop = threading.Event()

    def work():
        while not stop.is_set():
            try:
                conn = pool.getconn(holder="worker")
            except psycopg2.Error:
                continue
            with pool.running(conn, "select 1"):
                run(conn, "select 1")
            pool.putconn(conn)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        before, reasons = None, []
        for _ in range(40):
            before = look(pool, side, before)
            assert before.trouble is None
            reasons += [(row, row.reason.text) for row in before.rows if row.reason]
        assert reasons == []
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)


def test_that_a_backend_of_the_same_name_is_told_when_it_was_there_in_two_looks(open_pool, side, profile):
    pool = open_pool(1, 2)
    with contextlib.closing(psycopg2.connect(**profile.parameters())) as other:
        until(lambda: pid(other) in look(pool, side).seen)
        first = look(pool, side)
        assert pid(other) not in {row.pid for row in first.rows}
        row = until(lambda: next((row for row in look(pool, side, first).rows if row.pid == pid(other)), None))
        assert (row.number, row.belief, row.server) == (0, "nothing: not one of its connections", "idle")
        assert row.reason.truth == 18


def test_that_a_look_leaves_no_connection_and_tells_of_its_own_none(open_pool, side, admin):
    pool = open_pool(1, 2)
    rows = look(pool, side).rows
    assert len(rows) == 1
    until(lambda: not admin.value(SIDES))


# -- when the server cannot be asked ---------------------------------------------------------------------------------


def test_that_a_full_server_is_said_and_the_pools_belief_stays(open_pool, side, profile):
    pool = open_pool(2, 3)
    taken = []
    try:
        with contextlib.suppress(psycopg2.OperationalError):
            while len(taken) < 200:
                taken.append(psycopg2.connect(**profile.parameters("filler")))
        assert 0 < len(taken) < 200
        found = look(pool, side)
        assert found.trouble is Trouble.FULL
        assert "connection slots" in found.words or "too many" in found.words
        assert [row.server for row in found.rows] == ["not asked", "not asked"]
        assert [row.socket for row in found.rows] == ["open, quiet", "open, quiet"]
        assert found.disagreements == 0
    finally:
        for conn in taken:
            conn.close()
    until(lambda: look(pool, side).trouble is None)


def test_that_a_server_that_is_gone_is_said(open_pool, profile, admin):
    pool = open_pool(1, 2)
    nowhere = replace(profile, port="1")
    admin.terminate(pool.slots()[0].pid)
    until(lambda: pool.slots()[0].state_since < time.monotonic() - SETTLED)
    found = look(pool, lambda: connect_side(nowhere))
    assert found.trouble is Trouble.GONE
    assert "refused" in found.words
    [row] = found.rows
    assert (row.socket, row.server, row.reason.truth) == ("something to read", "not asked", 13)


def test_that_a_pooler_in_between_is_said_and_nothing_is_compared(open_pool, side):
    pool = open_pool(1, 2)

    class Pooled:
        """A connection whose process number is the pooler's."""

        def __init__(self):
            self.conn = side()
            self.info = SimpleNamespace(backend_pid=pid(self.conn) + 1)
            self.cursor, self.close = self.conn.cursor, self.conn.close

    found = look(pool, Pooled)
    assert found.trouble is Trouble.INDIRECT
    assert [row.reason for row in found.rows] == [None]


def test_that_troubles_are_told_apart():
    assert trouble_of(psycopg2.OperationalError("the one side connection is in use")) is Trouble.BUSY
    assert trouble_of(psycopg2.OperationalError("FATAL:  sorry, too many clients already")) is Trouble.FULL
    assert trouble_of(psycopg2.OperationalError("server closed the connection unexpectedly")) is Trouble.GONE
    assert trouble_of(psycopg2.OperationalError("password authentication failed")) is Trouble.OTHER


# -- PgPool ----------------------------------------------------------------------------------------------------------


def test_that_pg_pool_replaces_what_psycopg2_would_hand_out(pg_pool, side, admin):
    pool = pg_pool(1, 2)
    pool._keeper.stop()  # which would close the dead one within a second
    [slot] = pool.slots()
    admin.terminate(slot.pid)
    row = settled(pool, side, slot.pid)
    assert (row.belief, row.server, row.reason.truth) == ("idle", "no such backend", 0)
    assert "replaces it at the next check-out" in row.reason.text
    conn = pool.getconn()
    assert pid(conn) != slot.pid
    run(conn, "select 1")
    pool.putconn(conn)


def test_that_pg_pool_leaves_no_transaction_open_where_psycopg2_does(pg_pool, side):
    pool = pg_pool(1, 2)
    conn = pool.getconn()
    conn.autocommit = True
    run(conn, "BEGIN")
    pool.putconn(conn)
    row = until(lambda: (found := row_of(pool, side, pid(conn))).believed_s > 2 * SETTLED and found)
    assert (row.server, row.reason) == ("idle", None)
    lax = pg_pool(1, 2, reset=None)
    conn = lax.getconn()
    run(conn, "select 1")
    lax.putconn(conn)
    row = settled(lax, side, pid(conn))
    assert "reset=None" in row.reason.text


# -- what cannot be had on demand ------------------------------------------------------------------------------------

NOW = 1000.0
IDLE = Slot(1, SlotState.IDLE, 71, state_since=900.0, opened_at=800.0)
OUT = Slot(2, SlotState.CHECKED_OUT, 72, "SQL 1", "worker", 900.0, 900.0, opened_at=800.0)
ALIVE = Backend(71, True, "idle", 100.0, None, "Client", "ClientRead", 200.0, POOL_NAME, "select 1")


def compared(slot, backend, kind=STOCK, link="open", **more):
    backends = () if backend is None else (replace(backend, pid=slot.pid),)
    [row] = compare([slot], {slot.pid: link}, Activity(backends, up_s=more.pop("up_s", 1e6)), kind, now=NOW, **more)
    return row


def test_that_a_restart_is_told_from_a_kill():
    assert compared(IDLE, None, link="readable", up_s=50.0).reason.truth == 13
    assert compared(IDLE, None, link="readable", up_s=500.0).reason.truth == 12


def test_that_nothing_is_said_of_what_changed_just_now():
    fresh = replace(IDLE, state_since=NOW - SETTLED / 2)
    assert compared(fresh, None).reason is None
    assert compared(replace(IDLE, state_since=NOW + 1), None).reason is None  # it changed while the server was asked
    busy = replace(ALIVE, state="idle in transaction", state_s=SETTLED / 2, transaction_s=1.0)
    assert compared(IDLE, busy).reason is None
    assert compared(IDLE, replace(busy, state_s=SETTLED * 2)).reason.truth == 15


def test_that_a_number_given_to_another_process_is_no_backend_of_the_pool():
    assert compared(IDLE, replace(ALIVE, age_s=20.0)).reason.truth == 12
    row = compared(IDLE, replace(ALIVE, is_ours=False))
    assert (row.server, row.reason.truth) == ("another's backend has this number", 12)


def test_that_what_the_server_does_not_tell_is_no_disagreement():
    for state in ("", "disabled"):
        row = compared(OUT, replace(ALIVE, state=state))
        assert row.reason is None
    assert compared(OUT, replace(ALIVE, state="")).server == "not told"


@pytest.mark.parametrize(
    ("state", "backend", "link", "truth"),
    [
        (SlotState.RUNNING, None, "readable", 31),
        (SlotState.CHECKED_OUT, None, "readable", 31),
        (SlotState.FAILED_TRANSACTION, None, "readable", 9),
        (SlotState.CHECKED_OUT, ALIVE, "closed", 11),
        (SlotState.CHECKED_OUT, replace(ALIVE, state="idle in transaction"), "open", 7),
        (SlotState.CHECKED_OUT, replace(ALIVE, state="active"), "open", 8),
        (SlotState.RETURNING, replace(ALIVE, state="active"), "open", 8),
        (SlotState.RETURNING, replace(ALIVE, state="idle in transaction"), "open", 8),
        (SlotState.IN_TRANSACTION, ALIVE, "open", 0),
        (SlotState.RUNNING, ALIVE, "readable", 0),
        (SlotState.RUNNING, ALIVE, "open", 0),
        (SlotState.BROKEN, ALIVE, "open", 0),
    ],
)
def test_that_what_is_in_use_has_its_reason_too(state, backend, link, truth):
    slot = replace(OUT, state=state)
    assert compared(slot, backend, link=link).reason.truth == truth
    waiting = compared(slot, backend, WAITING, link)
    assert waiting.reason is None or waiting.reason.truth == 0  # psycopg2's truths are none of PgPool's


def test_that_what_all_three_know_is_no_disagreement():
    broken = replace(OUT, state=SlotState.BROKEN)
    for link in ("closed", "open"):
        assert compared(broken, None, link=link).reason is None
    assert compared(replace(OUT, state=SlotState.OPENING, pid=0), None).reason is None


def test_that_a_silent_end_is_told_of_pg_pool():
    assert "network lost it" in compared(IDLE, None, WAITING, "open").reason.text
    assert "SELECT 1" in compared(IDLE, None, WAITING, "open").reason.text


def test_that_disagreements_come_first_and_strangers_after_the_slots():
    fine, dead = IDLE, replace(IDLE, number=5, pid=75)
    stranger = replace(ALIVE, pid=99)
    rows = compare([fine, dead], {71: "open", 75: "open"}, Activity((ALIVE, stranger)), STOCK, now=NOW)
    assert [row.pid for row in rows] == [75, 99, 71]


@pytest.mark.parametrize(
    ("kind", "event", "closed", "truth", "words"),
    [
        (STOCK, None, False, 18, "did not open it"),
        (STOCK, EventKind.CLOSED, False, 3, "The pool closed it"),
        (STOCK, EventKind.CHECKED_IN, True, 17, "The pool is closed"),
        (STOCK, EventKind.CHECKED_OUT, False, 26, "lost sight"),
        (WAITING, EventKind.DROPPED, False, 0, "dropped it"),
        (WAITING, None, False, 0, "did not open it"),
    ],
)
def test_that_a_backend_that_the_pool_does_not_know_has_a_history(kind, event, closed, truth, words):
    past = {71: Event(1, 990.0, event, pid=71, holder="export")} if event else {}
    [row] = compare([], {}, Activity((ALIVE,)), kind, now=NOW, is_closed=closed, past=past)
    assert (row.number, row.reason.truth) == (0, truth)
    assert words in row.reason.text
    young = replace(ALIVE, age_s=SETTLED / 2)  # being opened: the pool knows it in a moment
    assert compare([], {}, Activity((young,)), kind, now=NOW, is_closed=closed, past=past) == []
