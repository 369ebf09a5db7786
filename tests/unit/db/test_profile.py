"""Where the server is: a form or a URL in, connection parameters out."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgexplorer.db.profile import Environment, Profile, paste, split_options

CANARY = "pw-CANARY-7f3a"
BASE = Profile(name="kept", minconn=1, maxconn=5, environment=Environment.PRODUCTION, read_only=True)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


# -- a pasted URL


def test_that_a_url_fills_the_form_and_keeps_the_pool():
    pasted = paste("postgresql://me:secret@db.example:5433/shop?sslmode=require", BASE)
    assert not pasted.refused
    assert not pasted.ignored
    profile = pasted.profile
    assert (profile.host, profile.port, profile.dbname, profile.user) == ("db.example", "5433", "shop", "me")
    assert (profile.password, profile.sslmode) == ("secret", "require")
    assert (profile.name, profile.minconn, profile.maxconn) == ("kept", 1, 5)
    assert (profile.environment, profile.read_only) == (Environment.PRODUCTION, True)


def test_that_what_a_url_leaves_out_does_not_stay_from_the_form_before():
    before = replace(BASE, password=CANARY, user="root", sslcert="c", sslkey="k", service="s", options="keepalives=0")
    profile = paste("postgresql://db.example", before).profile
    assert (profile.user, profile.password, profile.dbname, profile.port) == ("", "", "", "5432")
    assert (profile.sslcert, profile.sslkey, profile.service, profile.options) == ("", "", "", "")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg2://me:secret@h/db",
        "postgresql+asyncpg://me:secret@h/db",
        "postgres+psycopg://me:secret@h/db",
        "  postgres://me:secret@h/db \n",
        "host=h dbname=db user=me password=secret",
        "host=h dbname='db' user = me password='secret'",
    ],
)
def test_that_urls_of_other_programs_and_key_values_are_read(url):
    profile = paste(url, BASE).profile
    assert (profile.host, profile.dbname, profile.user, profile.password) == ("h", "db", "me", "secret")


def test_that_a_password_with_special_characters_arrives_whole():
    profile = paste("postgresql://me:p%40ss%2Fw%3Ard%25%20%C3%A9%F0%9F%98%80@h/db", BASE).profile
    assert profile.password == "p@ss/w:rd% é😀"
    assert paste(r"host=h password='it\'s a \\ p w'", BASE).profile.password == r"it's a \ p w"


def test_that_several_hosts_and_sockets_are_taken():
    profile = paste("postgresql://a:1,b:2/db?target_session_attrs=read-write", BASE).profile
    assert (profile.host, profile.port) == ("a,b", "1,2")
    assert split_options(profile.options) == {"target_session_attrs": "read-write"}
    assert paste("postgresql:///db?host=/var/run/postgresql", BASE).profile.host == "/var/run/postgresql"
    assert paste("postgresql://[::1]:5433/db", BASE).profile.host == "::1"


@pytest.mark.parametrize(
    "name", ["service", "passfile", "options", "sslkey", "sslcert", "replication", "hostaddr", "keepalives"]
)
def test_that_a_url_may_not_set_this_and_it_is_named(name):
    value = "database" if name == "replication" else "1"
    pasted = paste(f"postgresql://h/db?{name}={value}", BASE)
    assert not pasted.refused
    assert pasted.ignored == (name,)
    assert pasted.profile.host == "h"
    assert pasted.profile.parameters() == paste("postgresql://h/db", BASE).profile.parameters()
    assert pasted.profile.options == ""


@pytest.mark.parametrize(
    "name",
    [
        "gssencmode",
        "sslnegotiation",
        "sslcrl",
        "ssl_min_protocol_version",
        "sslcompression",
        "krbsrvname",
        "requirepeer",
        "sslcertmode",
    ],
)
def test_that_an_unknown_security_parameter_refuses_the_url(name):
    pasted = paste(f"postgresql://me:{CANARY}@h/db?{name}=disable", BASE)
    assert name in pasted.refused
    assert pasted.profile is BASE
    assert CANARY not in pasted.refused


@pytest.mark.parametrize("method", ["password", "md5", "none", "scram-sha-256,password", "!gss", "!password"])
def test_that_a_url_may_not_let_the_server_have_a_password_in_clear_text_or_as_md5(method):
    pasted = paste(f"postgresql://me:{CANARY}@h/db?require_auth={method}", BASE)
    assert "clear text" in pasted.refused
    assert pasted.profile is BASE


@pytest.mark.parametrize("method", ["scram-sha-256", "scram-sha-256,gss", "!password,!md5,!none"])
def test_that_a_url_may_ask_for_stronger_authentication(method):
    pasted = paste(f"postgresql://h/db?require_auth={method}", BASE)
    assert pasted.profile.parameters()["require_auth"] == method


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{CANARY}@h/db?nosuch=1",
        f"postgresql://me:{CANARY}%zz@h/db",
        f"postgresql://me:{CANARY}@h/db?x",
        f"postgresql://me:{CANARY}@[h/db",
        f"postgresql://me:{CANARY}/x@h/db",
        f"postgresql://me:{CANARY}:y@h:port/db",
        f"postgresql://me:x@{CANARY}@h/db",
        f"postgresql://h/db?password={CANARY}&nosuch=1",
        f"postgresql://h/db?password={CANARY}%zz",
        f"host=h password={CANARY} nosuch=1",
        f"host=h password=half {CANARY} user=me",
        f"host=h password='{CANARY}",
        f"host=h password='half {CANARY}' user",
        f"me {CANARY}",
        CANARY,
        f"postgresql://me:{CANARY}@h/db?sslmode=maybe",
        f"postgresql://me:{CANARY}@h/db?gssencmode=prefer",
        f"mysql://me:{CANARY}@h/db",
    ],
)
def test_that_a_refused_url_says_why_without_the_password_and_fills_nothing_in(url):
    pasted = paste(url, BASE)
    assert pasted.refused
    assert CANARY not in pasted.refused
    assert pasted.profile is BASE
    assert CANARY not in repr(pasted)


def test_that_the_name_of_an_unknown_parameter_is_said():
    assert '"nosuch"' in paste("postgresql://h/db?nosuch=1", BASE).refused
    assert '"nosuch"' in paste("host=h nosuch=1", BASE).refused


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:p@h/db?nosuch=1",
        "postgresql://me:in@h/db?nosuch=1",
        "host=h password=p nosuch=1",
        "host=h password='' nosuch=1",
        "postgresql://me@h/db?password=e&nosuch=1",
    ],
)
def test_that_a_short_password_leaves_no_holes_in_what_libpq_says(url):
    refused = paste(url, BASE).refused
    assert "…" not in refused
    assert '"nosuch"' in refused


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:p%zz@h/db",
        "postgresql://h/db?password=%zz",
        "host=h password=p q",
        f'host=h password=half o"{CANARY}',
        f'postgresql://me:"{CANARY}%zz"@h/db',
    ],
)
def test_that_a_short_password_or_one_with_marks_in_it_is_not_said(url):
    refused = paste(url, BASE).refused
    assert CANARY not in refused
    assert "%zz" not in refused
    assert '"q"' not in refused
    assert "…" in refused


@given(st.text())
def test_that_any_text_is_taken_or_refused_and_never_raises(text):
    pasted = paste(text, BASE)
    assert pasted.refused or pasted.profile.name == "kept"


# -- what is wrong with it


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"minconn": 0, "maxconn": 0}, "maxconn"),
        ({"minconn": 3, "maxconn": 2}, "minconn"),
        ({"minconn": -1}, "minconn"),
        ({"maxconn": -1}, "maxconn"),
        ({"maxconn": 501}, "maxconn"),
        ({"port": "0"}, "port"),
        ({"port": "65536"}, "port"),
        ({"port": "abc"}, "port"),
        ({"port": "5432,"}, "port"),
        ({"port": "²"}, "port"),
        ({"port": "٤"}, "port"),
        ({"port": "9" * 5000}, "port"),
        ({"port": "1,2"}, "port"),
        ({"port": "-1"}, "port"),
        ({"host": "a,b,c", "port": "1,2"}, "port"),
        ({"pool_class": "PersistentConnectionPool"}, "pool_class"),
        ({"dbname": "a\0b"}, "dbname"),
        ({"password": "a\0b"}, "password"),
        ({"options": "nosuch=1"}, "options"),
        ({"options": "keepalives"}, "options"),
        ({"options": f"password={CANARY}"}, "options"),
    ],
)
def test_that_this_is_wrong_and_marked_at_its_field(changed, field):
    problems = replace(Profile(), **changed).problems()
    assert list(problems) == [field]
    assert problems[field].endswith((".", "\n")) or field == "options"
    assert CANARY not in problems[field]


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"minconn": 0, "maxconn": 1},
        {"minconn": 500, "maxconn": 500},
        {"port": ""},
        {"port": "1"},
        {"port": "65535"},
        {"host": "a,b", "port": "1,2"},
        {"host": "a,b", "port": "5432"},
        {"host": ""},
        {"options": "keepalives=0 target_session_attrs='read-write'"},
    ],
)
def test_that_nothing_is_wrong_with_this(changed):
    assert replace(Profile(), **changed).problems() == {}


@given(st.text(), st.text(), st.text(), st.integers(), st.integers())
def test_that_any_form_can_be_judged(host, port, options, minconn, maxconn):
    profile = Profile(host=host, port=port, options=options, minconn=minconn, maxconn=maxconn)
    problems = profile.problems()
    assert (not 1 <= maxconn <= 500) <= ("maxconn" in problems)
    assert (minconn < 0) <= ("minconn" in problems)


def test_that_three_of_two_is_explained_as_no_limit():
    assert "no limit" in Profile(minconn=3, maxconn=2).problems()["minconn"]


def test_that_the_plan_says_what_opening_does():
    assert Profile().plan() == "Opens 2 connections now and at most 3."
    assert Profile(minconn=1).plan() == "Opens 1 connection now and at most 3."
    assert "closes each one" in Profile(minconn=0).plan()


# -- what psycopg2 is given


def test_that_every_connection_gives_up_in_time_and_says_who_it_is():
    given = Profile(user="me", password="x").parameters()
    assert given["connect_timeout"] == 10
    assert given["keepalives"] == 1
    assert given["tcp_user_timeout"] == 10_000
    assert given["application_name"] == "pgexplorer/pool"
    assert Profile().parameters("side")["application_name"] == "pgexplorer/side"
    assert Profile(options="application_name=other").parameters()["application_name"] == "pgexplorer/pool"


def test_that_a_password_goes_in_clear_text_only_where_that_is_allowed():
    assert Profile().parameters()["require_auth"] == "!password,!md5"
    assert "require_auth" not in Profile(sslmode="verify-full").parameters()
    assert "require_auth" not in Profile(weak_passwords=True).parameters()
    assert Profile(options="require_auth=scram-sha-256").parameters()["require_auth"] == "scram-sha-256"


def test_that_empty_fields_are_left_to_libpq():
    given = Profile(host="", port="").parameters()
    assert not {"host", "port", "user", "password", "dbname", "service", "sslmode"} & set(given)


def test_that_settings_of_the_profile_come_behind_options_of_the_user():
    given = Profile(read_only=True, statement_timeout_s=1.5, options="options='-c work_mem=1MB'").parameters()
    assert given["options"] == "-c work_mem=1MB -c default_transaction_read_only=on -c statement_timeout=1500"


def test_that_neither_title_nor_address_nor_repr_shows_the_password():
    profile = Profile(user="me", password=CANARY, dbname="db")
    assert profile.address == "me@localhost:5432/db"
    assert profile.title == "db on localhost"
    assert Profile(service="s").title == "service=s"
    assert CANARY not in repr(profile) + profile.title + profile.address + str(profile.script_parameters())


# -- what is kept


profiles = st.builds(
    Profile,
    name=st.text(),
    host=st.text(),
    port=st.text(),
    dbname=st.text(),
    user=st.text(),
    password=st.text(),
    service=st.text(),
    minconn=st.integers(-1000, 1000),
    maxconn=st.integers(-1000, 1000),
    environment=st.sampled_from(Environment),
    read_only=st.booleans(),
    statement_timeout_s=st.floats(0, 1e6),
    weak_passwords=st.booleans(),
    keep_password=st.booleans(),
)


@given(profiles)
def test_that_what_is_stored_comes_back_but_for_the_password(profile):
    stored = json.loads(json.dumps(profile.stored()))
    assert "password" not in stored
    back = Profile.restored(stored)
    assert back == replace(profile, password="")
    assert back.password == ""


@given(st.dictionaries(st.sampled_from([each.name for each in fields(Profile)]) | st.text(), anything))
def test_that_any_json_makes_a_profile_without_a_password(stored):
    profile = Profile.restored(json.loads(json.dumps(stored)))
    assert profile.password == ""
    profile.problems()
    assert type(profile.minconn) is int
    assert type(profile.statement_timeout_s) is float
    assert isinstance(profile.environment, Environment)
    assert all(isinstance(getattr(profile, name), str) for name in ("name", "host", "port", "sslmode", "options"))
    assert all(isinstance(getattr(profile, name), bool) for name in ("read_only", "weak_passwords", "keep_password"))
    assert Profile.restored(profile.stored()) == profile


@pytest.mark.parametrize(
    "options",
    [
        f"password={CANARY}",
        f"sslpassword='{CANARY}' keepalives=1",
        f"password='{CANARY}",
        f"oauth_client_secret={CANARY}",
    ],
)
def test_that_a_secret_among_the_options_is_not_stored(options):
    stored = Profile(options=options).stored()
    assert CANARY not in str(stored)
    assert Profile(options="keepalives=1").stored()["options"] == "keepalives=1"


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("", {}),
        ("  ", {}),
        ("a", None),
        ("keepalives=1 sslcrl='a b'", {"keepalives": "1", "sslcrl": "a b"}),
        ("nosuch=1", None),
    ],
)
def test_that_options_are_read_by_libpqs_own_rules(text, read):
    if read is None:
        with pytest.raises(ValueError, match="libpq does not take this"):
            split_options(text)
    else:
        assert split_options(text) == read
