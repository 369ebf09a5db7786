"""What a pool's exceptions are said to mean."""

import psycopg2
import pytest
from psycopg2.pool import PoolError

from pgexplorer.pool.errors import explain, holders
from pgexplorer.pool.protocol import Insides
from pgexplorer.pool.slot import Slot, SlotState
from pgexplorer.pool.stats import PoolStats

FULL = PoolStats(2, 3, idle=0, used=3)


def out(number, holder, since, **more):
    return Slot(number, SlotState.CHECKED_OUT, 100 + number, holder, "worker", since, since, **more)


def test_that_exhaustion_names_the_limit_and_who_holds_what():
    explanation = explain(PoolError("connection pool exhausted"), FULL, [out(1, "SQL 1", 1.0), out(2, "by hand", 2.0)])
    assert explanation.title == "PoolError: connection pool exhausted"
    assert "All 3 connections are checked out" in explanation.why
    assert explanation.why.index("SQL 1") < explanation.why.index("by hand")
    assert "does not wait" in explanation.why
    assert "Return one" in explanation.do


def test_that_exhaustion_of_a_pool_of_one_is_said_in_the_singular():
    explanation = explain(PoolError("connection pool exhausted"), PoolStats(1, 1, idle=0, used=1))
    assert explanation.why.startswith("The one connection is checked out.")


def test_that_the_bases_of_a_pool_error_show_that_it_is_no_operational_error():
    explanation = explain(PoolError("connection pool exhausted"), FULL)
    assert explanation.bases == (
        "psycopg2.pool.PoolError",
        "psycopg2.Error",
        "Exception",
        "BaseException",
        "object",
    )
    assert explanation.sqlstate is None
    assert "SQLSTATE  none" in explanation.facts
    assert "OperationalError" not in explanation.facts


@pytest.mark.parametrize(
    ("error", "why", "do"),
    [
        (PoolError("trying to put unkeyed connection"), "_rused", "once for each getconn()"),
        (PoolError("connection pool is closed"), "closeall() was called", "Reopen"),
        (PoolError("something new"), "refused the call", "_used"),
        (psycopg2.InterfaceError("connection already closed"), "closed on this side", "throws a closed connection"),
        (psycopg2.OperationalError("server closed the connection"), "link to the server broke", "a second time"),
        (psycopg2.ProgrammingError("syntax error"), "The server refused the statement", "Correct the statement"),
        (ValueError("year -44 is out of range"), "cannot turn a value", "::text"),
    ],
)
def test_that_each_kind_of_error_has_its_own_reason_and_way_out(error, why, do):
    explanation = explain(error, FULL)
    assert why in explanation.why
    assert do in explanation.do
    assert explanation.message == str(error)
    assert explanation.title == f"{type(error).__name__}: {error}"


def test_that_holders_are_said_longest_first_and_a_leak_has_nobody():
    slots = [
        Slot(1, SlotState.IDLE, 7),
        out(2, "SQL 2", 90.0),
        out(3, "by hand", 50.0, leaked=True),
        out(4, "", 95.0),
    ]
    assert holders(slots, now=100.0) == "nobody (leaked) for 50.0 s, SQL 2 for 10.0 s, worker for 5.0 s"


def test_that_an_idle_slot_is_held_by_nobody_for_no_time():
    assert Slot(1, SlotState.IDLE, 7).held_for() == 0.0
    assert not Slot(1, SlotState.IDLE, 7).is_out
    held = ["CHECKED_OUT", "RUNNING", "IN_TRANSACTION", "FAILED_TRANSACTION", "RETURNING", "BROKEN"]
    assert all(Slot(1, SlotState[name], 7).is_out for name in held)


def test_that_insides_read_as_python_prints_them():
    insides = Insides(("11", "12"), (("1", "13"), ("'a'", "closed")), (("13", "1"), ("gone", "'a'")), False)
    assert insides.lines() == (
        "_pool  = [11, 12]",
        "_used  = {1: 13, 'a': closed}",
        "_rused = {id(13): 1, id(gone): 'a'}",
    )
