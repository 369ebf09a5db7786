"""Numbers, values and errors in words."""

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg2.pool import PoolError

from pgexplorer.db.errors import ServerError, describe, missing_database
from pgexplorer.db.probe import Facts
from pgexplorer.db.profile import Profile
from pgexplorer.db.schema import Kind, Relation
from pgexplorer.db.values import Column, byte_size, human_bytes, human_count


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 kB"),
        (1536, "1.5 kB"),
        (1024 * 999, "999 kB"),
        (1024 * 1000, "1000 kB"),
        (1023_700, "1000 kB"),
        (1024**2, "1 MB"),
        (1024**3, "1 GB"),
        (int(1.21 * 1024**3), "1.21 GB"),
        (1024**4, "1 TB"),
        (1024**5, "1024 TB"),
    ],
)
def test_that_a_number_of_bytes_is_said_with_three_digits(size, words):
    assert human_bytes(size) == words


@given(st.integers(0, 1024**5))
def test_that_no_number_of_bytes_is_said_with_an_exponent(size):
    assert "e" not in human_bytes(size).removesuffix("bytes")


def test_that_the_size_of_a_text_is_its_size_in_utf8():
    assert byte_size("abc") == "3 bytes"
    assert byte_size("é😀") == "6 bytes"
    assert byte_size("\ud800") == "3 bytes"


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0"), (3, "3"), (12_400, "12,400"), (150_000, "150 k"), (1e6, "1.0 M"), (2.5e9, "2.5 G")],
)
def test_that_a_number_of_rows_is_said_in_short(count, words):
    assert human_count(count) == words


def test_that_numbers_line_up_at_the_right_and_nothing_else():
    right = ["smallint", "integer", "bigint", "numeric(10,2)", "double precision", "real", "oid", "money"]
    assert all(Column("a", name).is_number for name in right)
    assert not any(
        Column("a", name).is_number for name in ["text", "integer[]", "character(1)", "interval", "int4range"]
    )


def test_that_a_relation_is_summed_up_by_what_is_known_of_it():
    assert Relation(1, "s", "t", Kind.TABLE, -1, 0).summary == "table"
    assert Relation(1, "s", "t", Kind.TABLE, 1, 8192).summary == "≈ 1 row · 8 kB"
    assert Relation(1, "s", "t", Kind.VIEW, 0, 0).summary == "view"
    assert Relation(1, "s", "t", Kind.PARTITIONED, 1_000_000, 0).summary == "≈ 1.0 M rows"
    assert {kind.word for kind in Kind} >= {"materialized view", "foreign table"}


# -- errors without a server


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ('FATAL:  password authentication failed for user "me"', "Check the user and the password"),
        ("fe_sendauth: no password supplied", "fill it in"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute", "full for ordinary"),
        ("FATAL:  sorry, too many clients already", "The server is full"),
        ('FATAL:  too many connections for role "me"', "limit of its own"),
        ('could not translate host name "nosuch" to address', "not known here"),
        ("connection to server failed: Connection refused", "Nothing listens"),
        ('connection to server on socket "/x" failed: No such file or directory', "no server behind that socket"),
        ("timeout expired", "Nobody answered"),
        ("FATAL:  the database system is starting up", "starting"),
        ("FATAL:  the database system is shutting down", "shutting down"),
        ("server does not support SSL, but SSL was required", "no TLS"),
        ("SSL error: certificate verify failed", "not signed by an authority"),
        ('root certificate file "/x" does not exist', "name its file"),
        ('server certificate for "a" does not match host name "b"', "another host name"),
        ('authentication method requirement "!password" failed', "clear text or as md5"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4"', "pg_hba.conf"),
    ],
)
def test_that_each_way_of_not_connecting_has_its_own_hint(words, hint):
    described = describe(psycopg2.OperationalError(words))
    assert described.title == words.strip()
    assert hint in described.hint
    assert described.sqlstate is None
    assert not described.lost


def test_that_a_pool_error_is_no_servers_error():
    described = describe(PoolError("connection pool exhausted"))
    assert described == ServerError("PoolError: connection pool exhausted")


def test_that_other_exceptions_are_named():
    assert describe(ValueError("no")).title == "ValueError: no"
    assert describe(KeyError()).title == "KeyError"


def test_that_a_lost_connection_is_said_with_what_happens_to_the_text():
    words = "server closed the connection unexpectedly\n\tmore\n\tand on"
    described = describe(psycopg2.OperationalError(words), lost=True)
    assert described.lost
    assert described.title == "server closed the connection unexpectedly"
    assert described.detail == "more and on\nThe connection to the server is gone."
    assert "text is kept" in described.hint


def test_that_an_error_moves_with_its_text():
    assert ServerError("x", position=3).moved(10).position == 13
    assert ServerError("x").moved(10).position is None
    assert ServerError("x", sqlstate="42601").heading == "x  (42601)"
    assert ServerError("x").heading == "x"


def test_that_a_missing_database_is_guessed_from_the_servers_words():
    assert missing_database(psycopg2.OperationalError('FATAL:  database "shop" does not exist'))
    assert not missing_database(psycopg2.OperationalError('FATAL:  role "shop" does not exist'))
    assert not missing_database(ValueError('database "shop" does not exist'))


# -- what a server allows


def facts(**changed):
    given = {
        "version": "18.6",
        "max_connections": 20,
        "reserved": 3,
        "used": 7,
        "role_limit": -1,
        "databases": ("a",),
        "tls": "",
        "is_superuser": False,
    }
    return Facts(**(given | changed))


def test_that_reserved_connections_are_free_for_superusers_alone():
    assert facts().free == 10
    assert facts(is_superuser=True).free == 13
    assert facts(used=30).free == 0


def test_that_limits_that_do_not_fit_are_warned_of():
    assert facts().plan(Profile(maxconn=10)) == "The server allows 20; 10 are free."
    assert "A maximum of 11 does not fit" in facts().plan(Profile(maxconn=11))
    assert facts(used=16).plan(Profile(maxconn=1)) == "The server allows 20; 1 is free."
    assert "The role may open 2." in facts(role_limit=2).plan(Profile(maxconn=3))
    assert "does not fit" in facts(role_limit=2).plan(Profile(maxconn=3))
