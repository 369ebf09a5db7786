"""What the lab refuses, counts and says, without a server."""

from dataclasses import replace

import psycopg2
import pytest
from psycopg2.pool import PoolError

from pgexplorer.db.profile import Environment, Profile
from pgexplorer.lab.askers import Tally, ask_once, give_back, is_closed, total
from pgexplorer.lab.guard import OnProduction, Refused, bounded, permit
from pgexplorer.lab.link import address
from pgexplorer.lab.scenarios import _fate, _Leaks, _many, _ratio, _share, _spread
from pgexplorer.lab.stage import Crowd, contrast, counted
from pgexplorer.pool.errors import PoolClosed, PoolExhausted, PoolTimeout, TooManyWaiting


@pytest.mark.parametrize("environment", Environment)
def test_that_production_alone_is_refused(environment):
    profile = replace(Profile(), name="the shop", environment=environment)
    if environment is not Environment.PRODUCTION:
        permit(profile)
        return
    with pytest.raises(OnProduction, match="the shop is marked production") as raised:
        permit(profile)
    assert isinstance(raised.value, Refused)


def test_that_numbers_are_bounded_in_plain_words():
    assert bounded("seconds", 3, 10) == 3
    for wrong in (-0.1, 10.1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="seconds: from 0 to 10, not"):
            bounded("seconds", wrong, 10)


@pytest.mark.parametrize(
    ("host", "port", "found"),
    [
        ("db.example", 5432, ("db.example", 5432)),
        ("/run/postgresql", 5433, "/run/postgresql/.s.PGSQL.5433"),
        ("@pg", 5432, "\0pg/.s.PGSQL.5432"),
    ],
)
def test_that_an_address_is_a_host_or_a_socket(host, port, found):
    assert address(host, port) == found


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (PoolTimeout("no connection within 5 s"), "timed_out"),
        (PoolError("connection pool exhausted"), "refused"),
        (PoolExhausted("connection pool exhausted"), "refused"),
        (TooManyWaiting("7 wait already"), "refused"),
        (PoolClosed("connection pool is closed"), "failed"),
        (PoolError("connection pool is closed"), "failed"),
        (psycopg2.OperationalError("connection refused"), "failed"),
    ],
)
def test_that_each_way_to_get_none_is_counted_apart(error, field):
    tally = Tally("asker 1")
    tally.count(error)
    counts = {name: getattr(tally, name) for name in ("served", "refused", "timed_out", "failed")}
    assert counts == dict.fromkeys(counts, 0) | {field: 1}
    assert is_closed(error) == ("closed" in str(error))


class Pool:
    """Gives one connection, and raises as often as told when it comes back."""

    def __init__(self, raises=0):
        self.raises, self.home = raises, 0

    def getconn(self, holder):
        return holder

    def putconn(self, conn):
        if self.raises:
            self.raises -= 1
            raise psycopg2.OperationalError("server closed the connection\nunexpectedly")
        self.home += 1


def test_that_a_return_that_raises_is_told_and_done_again():
    pool = Pool(raises=1)
    assert give_back(pool, "conn") == "OperationalError: server closed the connection"
    assert pool.home == 1
    assert give_back(pool, "conn") == ""
    assert give_back(Pool(raises=2), "conn").startswith("OperationalError")


def test_that_a_request_that_fails_gives_its_connection_back():
    pool, tally = Pool(), Tally()

    def fail(*_):
        raise psycopg2.OperationalError("lost")

    assert ask_once(pool, "me", fail, tally)
    with pytest.raises(KeyError):
        ask_once(pool, "me", lambda *_: {}["bug"], tally)
    assert ask_once(pool, "me", lambda *_: None, tally)
    assert (pool.home, tally.failed, tally.served) == (3, 1, 1)


def test_that_sums_are_sums():
    whole = total([Tally("a", 1, 2, 3, 4, [0.1]), Tally("b", 10, 20, 30, 40, [0.2])])
    assert (whole.served, whole.refused, whole.timed_out, whole.failed, whole.waits) == (11, 22, 33, 44, [0.1, 0.2])
    assert Tally("a", 1, 2, 3, 4, [0.1]).copy() == Tally("a", 1, 2, 3, 4)


@pytest.mark.parametrize(
    ("kind", "pair"),
    [
        ("ThreadedConnectionPool", ("ThreadedConnectionPool", "PgPool")),
        ("SimpleConnectionPool", ("SimpleConnectionPool", "PgPool")),
        ("PgPool", ("ThreadedConnectionPool", "PgPool")),
    ],
)
def test_that_the_pool_in_use_is_one_of_two(kind, pair):
    assert contrast(kind) == pair


def crowd(*tallies, took=0.5):
    return Crowd(list(tallies), took)


def test_that_the_sentence_follows_what_was_measured():
    served = Tally(served=1, waits=[0.12])
    assert _fate("A", crowd(served, served)) == "A served all 2 in 500 ms, waiting 120 ms at the median"
    refused, late, failed = Tally(refused=1), Tally(timed_out=1), Tally(failed=1)
    assert _fate("A", crowd(served, refused, refused)) == "A refused 2 of 3"
    assert _fate("A", crowd(refused, late, failed)) == "A refused 1 and let 1 wait in vain and failed 1 of 3"


def test_that_fairness_is_jains():
    assert _spread([5, 5, 5]) == "5 to 5 times each (fairness 1.00)"
    assert _spread([0, 0, 0, 8]) == "0 to 8 times each, 3 of them never (fairness 0.25)"
    assert _spread([0, 0]) == "0 to 0 times each, 2 of them never (fairness 0.00)"


def test_that_ratios_and_counts_are_said_as_they_are():
    assert _ratio(260, 100) == "2.6 times as many"
    assert _ratio(80, 100) == "0.80 of that"
    assert _ratio(5, 0) == "the first did nothing"
    assert _share(0, 12) == "none of 12 requests"
    assert _share(6, 12) == "6 of 12 requests"
    assert (_many(1, "slot"), _many(1200, "slot")) == ("1 slot", "1,200 slots")
    assert counted(Tally(served=3)) == "3 served"
    assert counted(Tally(served=1, refused=2, timed_out=3, failed=4)) == "1 served, 2 refused, 3 timed out, 4 failed"


def test_that_a_leak_is_said_with_its_line_where_the_pool_knows_it():
    lost = _Leaks("A", Tally(refused=8), 4, 0, 4, [])
    assert lost.said() == "4 dropped their connection in A, which lost 4 of its 4 slots for good and refused 8"
    found = _Leaks("B", Tally(), 5, 4, 4, ["/x/y/app.py:12 in job", "/x/z.py:1 in f"])
    assert found.said().endswith("lost no slot and refused nobody; its events name the line, app.py:12 in job")
