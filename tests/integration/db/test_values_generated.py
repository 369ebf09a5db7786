"""Generated values of every type under many session settings: byte for byte what psql prints."""

import contextlib

import psycopg2
import pytest
from fix_values import OWN_TYPES, expressions, settings

from pgexplorer.db.client import Client
from pgexplorer.db.query import Query, Result

ROUNDS = 8


@pytest.fixture
def monetary(admin):
    """The locales for money that this machine has."""
    found = []
    for name in ("C", "de_DE.UTF-8", "en_US.UTF-8", "C.UTF-8", "POSIX"):
        with contextlib.suppress(psycopg2.Error):
            admin.ask("SELECT set_config('lc_monetary', %s, false)", name)
            found.append(name)
    return found


@pytest.fixture
def values(own_schema, do, admin):
    """The expressions, over types of a schema of this test."""
    do(OWN_TYPES.format(own_schema))
    has_xml = bool(admin.ask("SELECT 1 FROM pg_config() WHERE name = 'CONFIGURE' AND setting LIKE '%libxml%'"))
    return expressions(own_schema, rounds=ROUNDS, has_xml=has_xml)


def setting(given):
    return "".join(f"SET {name} = '{value}';\n" for name, value in given.items())


def printed(psql, sessions, values):
    """Return what psql prints for each session."""
    select = f"SELECT {', '.join(values)};\n\\echo \x1d\n"
    parts = psql("".join(f"{given}{select}" for given in sessions)).split("\n\x1d\n")[:-1]
    return [part.removesuffix("\x1e").split("\x1f") for part in parts]


def shown(query):
    """Return the cells of the last result, as psql prints them."""
    rows = [each for each in query.run() if isinstance(each, Result)][-1].rows
    [line] = rows.window(0, 2)
    rows.close()
    assert all(cell is None or type(cell) is str for cell in line)
    return ["␀" if cell is None else cell for cell in line]


def differences(values, expected, found):
    assert len(values) == len(expected) == len(found)
    return {text: (one, other) for text, one, other in zip(values, expected, found, strict=True) if one != other}


def test_that_every_value_is_what_psql_prints_under_every_setting(psql, query, values, monetary):
    sessions = settings(monetary)
    assert 2 * len(sessions) * len(values) >= 5_000
    expected = printed(psql, [setting(each) for each in sessions], values)
    assert len({tuple(each) for each in expected}) == len(sessions)  # the settings do change something
    select = f"SELECT {', '.join(values)}"
    for given, cells in zip(sessions, expected, strict=True):
        copied = shown(query(setting(given) + select))
        assert differences(values, cells, copied) == {}, given
        plain = shown(query(f"{setting(given)}PREPARE p AS {select}; EXECUTE p"))
        assert differences(values, cells, plain) == {}, given


def test_that_the_settings_of_the_role_hold_from_the_first_statement_on(
    psql, profile, admin, open_pool, side, values, monetary
):
    role = f'"{profile.user}"'
    for given in settings(monetary)[3::4]:
        for name, value in given.items():
            admin.ask(f"ALTER ROLE {role} SET {name} = '{value}'")
        try:
            [expected] = printed(psql, [""], values)
            client = Client(open_pool(1, 1))
            for _ in range(2):  # a connection that is new, and one that was used
                found = shown(Query(client, f"SELECT {', '.join(values)}", "SQL 1", side=side))
                assert differences(values, expected, found) == {}, given
        finally:
            for name in given:
                admin.ask(f"ALTER ROLE {role} RESET {name}")
