"""The pool in a person's hands, and the script of what was done."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from fix_facts import until
from pgexplorer.db.probe import connect_side
from pgexplorer.pool.by_hand import HOLDER, ByHand
from pgexplorer.pool.script import Script
from pgexplorer.pool.slot import SlotState

ODD = "it's \"odd\"\\ \n\r\t {x} %s %% 😀 '''"


@pytest.fixture
def by_hand(open_pool, profile):
    def make(minconn=2, maxconn=3, kind="ThreadedConnectionPool", **parameters):
        def reopen():
            return open_pool(minconn, maxconn, kind)

        return ByHand(
            reopen(),
            profile.script_parameters() | {"sslmode": "disable"} | parameters,
            reopen=reopen,
            connect=lambda: connect_side(profile),
        )

    return make


@pytest.fixture
def run_script(profile):
    def run(text):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.run(
            [sys.executable, "-X", "utf8", "-c", text],
            env=environment | {"PGPASSWORD": profile.password},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    return run


def states(hand):
    return [slot.state for slot in hand.pool.slots()]


def test_that_a_check_out_by_hand_is_named_and_seen_before_and_after(by_hand):
    hand = by_hand()
    outcome = hand.check_out()
    [held] = hand.held()
    assert outcome.worked
    assert outcome.action == "connection1 = pool.getconn()"
    assert str(held.pid) in outcome.said
    assert (len(outcome.before.pool), len(outcome.before.used)) == (2, 0)
    assert (len(outcome.after.pool), len(outcome.after.used)) == (1, 1)
    assert [slot.holder for slot in hand.pool.slots() if slot.is_out] == [HOLDER]


def test_that_exhausting_takes_all_and_explains_the_refusal(by_hand):
    hand = by_hand(2, 3)
    outcome = hand.exhaust()
    assert not outcome.worked
    assert outcome.said == "3 more checked out, then it raised."
    assert outcome.explanation.title == "PoolError: connection pool exhausted"
    assert "All 3 connections are checked out" in outcome.explanation.why
    assert HOLDER in outcome.explanation.why
    assert (len(outcome.before.used), len(outcome.after.used)) == (0, 3)
    assert hand.exhaust().said == "It raised at the first call."


def test_that_limits_the_wrong_way_round_are_said_to_be_no_limit(by_hand):
    hand = by_hand(3, 2)
    assert "no limit" in hand.exhaust().said
    again = hand.exhaust()
    assert again.worked
    assert again.said.startswith(f"{len(hand.held())} are out")


def test_that_threads_check_out_together_and_the_rest_is_refused(by_hand):
    hand = by_hand(1, 3)
    outcome = hand.check_out_by_threads(5)
    assert not outcome.worked
    assert outcome.explanation.message == "connection pool exhausted"
    assert [held.name for held in hand.held()] == ["connection1", "connection2", "connection3"]
    assert len({held.pid for held in hand.held()}) == 3
    assert hand.return_all().said == "3 returned."
    outcome = hand.check_out_by_threads(2)
    assert outcome.worked
    assert outcome.said.startswith("2 threads have one each: connection4 is backend")


def test_that_a_return_says_whether_it_was_kept(by_hand, admin):
    hand = by_hand(1, 3)
    hand.exhaust()
    first, second, third = hand.held()
    assert "idle in the pool" in hand.check_in(first.pid).said
    assert "1 are idle already" in hand.check_in(second.pid).said
    assert second.conn.closed
    third.conn.close()
    assert "closed it" in hand.check_in(third.pid).said
    assert hand.held() == ()
    assert hand.return_all().said == "Nothing is out by hand."
    assert "not out by hand" in hand.check_in(first.pid).said
    assert "not out by hand" in hand.run(first.pid, "SELECT 1").said
    assert "not out by hand" in hand.leak(first.pid).said


def test_that_a_statement_opens_a_transaction_and_shows_its_rows(by_hand):
    hand = by_hand(1, 1)
    hand.check_out()
    [held] = hand.held()
    outcome = hand.run(held.pid, "SELECT n, 'x' AS text FROM generate_series(1, 50) AS n")
    assert outcome.worked
    assert outcome.columns == ("n", "text")
    assert outcome.rows == tuple((n, "x") for n in range(1, 11))
    assert "50 rows" in outcome.said
    assert states(hand) == [SlotState.IN_TRANSACTION]
    outcome = hand.run(held.pid, "SELECT 1/0")
    assert outcome.explanation.sqlstate == "22012"
    assert states(hand) == [SlotState.FAILED_TRANSACTION]
    assert hand.check_in(held.pid).worked
    assert states(hand) == [SlotState.IDLE]


@pytest.mark.parametrize("sql", ["SELECT '0044-03-15 BC'::date", "SELECT '10000-01-01'::date"])
def test_that_a_value_python_has_no_object_for_is_explained(by_hand, sql):
    hand = by_hand(1, 1)
    hand.check_out()
    [held] = hand.held()
    outcome = hand.run(held.pid, sql)
    assert not outcome.worked
    assert "cannot turn a value" in outcome.explanation.why
    assert hand.return_all().worked


def test_that_a_statement_with_a_nul_is_not_sent_cut(by_hand):
    hand = by_hand(1, 1)
    hand.check_out()
    outcome = hand.run(hand.held()[0].pid, "SELECT 1\0 WHERE false")
    assert "NUL" in outcome.said
    assert outcome.rows == ()
    assert states(hand) == [SlotState.CHECKED_OUT]
    assert "WHERE" not in hand.script.text()


def test_that_a_connection_killed_in_a_transaction_is_freed_by_the_second_return(by_hand, admin):
    hand = by_hand(1, 1)
    hand.check_out()
    [held] = hand.held()
    hand.run(held.pid, "SELECT 1")
    admin.terminate(held.pid)
    outcome = hand.check_in(held.pid)
    assert not outcome.worked
    assert "return it a second time" in outcome.explanation.do
    assert len(outcome.after.used) == 1
    assert hand.held() == (held,)
    outcome = hand.check_in(held.pid)
    assert outcome.worked
    assert outcome.after.used == ()
    assert hand.held() == ()


def test_that_returning_all_stops_at_the_first_that_raises(by_hand, admin):
    hand = by_hand(2, 2)
    hand.exhaust()
    first, second = hand.held()
    hand.run(first.pid, "SELECT 1")
    admin.terminate(first.pid)
    assert not hand.return_all().worked
    assert hand.held() == (first, second)
    assert hand.return_all().said == "2 returned."


def test_that_a_leak_keeps_its_slot_and_is_nobodys(by_hand):
    hand = by_hand(1, 1)
    hand.check_out()
    outcome = hand.leak(hand.held()[0].pid)
    assert outcome.action == "del connection1"
    assert hand.held() == ()
    assert "nobody (leaked)" in hand.check_out().explanation.why


def test_that_returning_twice_raises_unkeyed(by_hand):
    hand = by_hand(2, 2)
    hand.check_out()
    outcome = hand.return_twice(hand.held()[0].pid)
    assert outcome.explanation.message == "trying to put unkeyed connection"
    assert len(outcome.before.used) == 1
    assert outcome.after.used == ()
    assert not hand.return_twice(1).explanation


def test_that_a_stranger_is_refused_and_closed_again(by_hand, admin, profile):
    hand = by_hand(1, 1)
    outcome = hand.return_stranger()
    assert outcome.explanation.message == "trying to put unkeyed connection"
    assert outcome.before == outcome.after
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgexplorer/side' AND usename = %s"
    until(lambda: admin.value(mine, profile.user) == 0)


def test_that_a_closed_pool_refuses_all_and_another_takes_its_place(by_hand):
    hand = by_hand(2, 3)
    hand.check_out()
    [held] = hand.held()
    assert hand.reopen().said == "The pool is open."
    outcome = hand.close_all()
    assert outcome.said.startswith("Closed 1 idle and 1 in use.")
    assert held.conn.closed
    for outcome in (hand.check_out(), hand.check_in(held.pid), hand.close_all()):
        assert outcome.explanation.message == "connection pool is closed"
        assert "Reopen" in outcome.explanation.do
    outcome = hand.reopen()
    assert outcome.before.closed
    assert not outcome.after.closed
    assert hand.held() == ()
    assert hand.check_out().worked


def test_that_a_pool_that_cannot_be_reopened_stays_and_says_why(by_hand, open_pool, profile):
    hand = by_hand()
    hand.close_all()
    hand._reopen = lambda: open_pool(1, 1, password="wrong")
    outcome = hand.reopen()
    assert not outcome.worked
    assert outcome.explanation.bases[0] == "psycopg2.OperationalError"
    assert hand.pool.stats().is_closed


def test_that_a_refused_connect_is_explained(by_hand, profile):
    hand = by_hand()
    hand._connect = lambda: connect_side(replace(profile, password="wrong"))
    outcome = hand.return_stranger()
    assert outcome.action == "psycopg2.connect(…)"
    assert outcome.explanation.bases[0] == "psycopg2.OperationalError"


@pytest.mark.parametrize("kind", ["SimpleConnectionPool", "ThreadedConnectionPool"])
def test_that_the_script_of_everything_runs_and_holds_no_password(by_hand, run_script, profile, kind):
    hand = by_hand(1, 3, kind)
    hand.check_out_by_threads(2)
    hand.return_all()
    hand.exhaust()
    first, second, third = hand.held()
    hand.run(first.pid, f"SELECT 1 AS one, $${ODD}$$ AS odd -- {ODD.splitlines()[0]}")
    hand.run(first.pid, "SELECT 1/0")
    hand.run(second.pid, "SELECT 'broken")
    hand.run(third.pid, "SELECT '0044-03-15 BC'::date")
    hand.check_out_by_threads(2)
    hand.return_twice(third.pid)
    hand.return_stranger()
    hand.check_in(second.pid)
    hand.check_out()
    hand.leak(first.pid)
    hand.close_all()
    hand.check_out()
    hand.return_all()
    hand.close_all()
    hand.reopen()
    hand.check_out()
    text = hand.script.text()
    assert profile.password not in text
    done = run_script(text)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = done.stdout.splitlines()
    for words in (
        "PoolError: connection pool exhausted",
        "DivisionByZero: division by zero",
        "PoolError: trying to put unkeyed connection",
        "PoolError: connection pool is closed",
        "ValueError: year -44 is out of range",
    ):
        assert words in said, done.stdout
    assert repr((1, ODD)) in said


def test_that_a_pool_is_opened_again_by_the_script_with_odd_parameters(run_script, profile, postgres):
    made = Script(
        "ThreadedConnectionPool",
        1,
        2,
        profile.script_parameters() | {"password": profile.password, "options": '-c search_path="it\'s\\ 😀"'},
    )
    made.check_out("connection1", 1)
    made.run("connection1", "SHOW search_path", returns_rows=True)
    made.check_in("connection1")
    assert profile.password not in made.text()
    done = run_script(made.text())
    assert done.returncode == 0, done.stderr
    assert done.stdout == repr(('"it\'s 😀"',)) + "\n"


def test_that_a_password_in_other_options_never_reaches_the_script(profile):
    canary = "pw-CANARY-7f3a"
    shown = replace(profile, options=f"sslpassword={canary} password={canary} keepalives=1").script_parameters()
    assert canary not in Script("ThreadedConnectionPool", 1, 2, shown).text()
    assert shown["keepalives"] == "1"
