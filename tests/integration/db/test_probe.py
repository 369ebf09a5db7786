"""What a server answers before a pool is opened."""

import socket
import threading
from dataclasses import replace

import psycopg2
import pytest
from psycopg2 import sql

from fix_facts import until
from pgexplorer.db import probe
from pgexplorer.db.errors import describe, missing_database
from pgexplorer.db.probe import Facts, Stage, connect_in_stages, connect_side, create_database, facts


def tell(profile):
    """Return what a person is told of a connection that cannot be made."""
    with pytest.raises(psycopg2.OperationalError) as caught:
        list(connect_in_stages(profile))
    assert profile.password not in repr(describe(caught.value))
    return describe(caught.value)


@pytest.fixture
def peer():
    """Something that listens on loopback and answers each connection with what it is given."""
    listening = socket.create_server(("127.0.0.1", 0))
    lines, heard = [], []

    def begin(*answers):
        def serve():
            while True:
                try:
                    line, _ = listening.accept()
                except OSError:
                    return
                lines.append(line)
                line.settimeout(20)
                for answer in answers:
                    try:
                        heard.append(line.recv(4096))
                        line.sendall(answer)
                    except OSError:
                        break

        thread = threading.Thread(target=serve)
        thread.start()
        threads.append(thread)
        return str(listening.getsockname()[1]), heard

    threads = []
    yield begin
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for line in lines:
        line.close()
    for thread in threads:
        thread.join(25)


def test_that_connecting_is_told_in_stages_with_their_times_and_the_facts_last(profile, admin):
    news = list(connect_in_stages(profile))
    stages, found = news[:-1], news[-1]
    assert all(isinstance(stage, Stage) and stage.took_s >= 0 for stage in stages)
    names = [stage.name for stage in stages]
    assert names[0] == "Name look-up"
    assert names[-1] in {"Start of the session", "Authentication"}
    assert len(set(names)) == len(names)
    assert isinstance(found, Facts)
    assert found.version == admin.value("SHOW server_version").split()[0]
    assert found.max_connections == int(admin.value("SHOW max_connections"))
    assert profile.dbname in found.databases
    assert not found.is_superuser
    assert found.role_limit == -1
    assert found.total_s >= sum(stage.took_s for stage in stages) * 0.9


def test_that_the_connections_of_other_roles_are_counted(profile, admin):
    everybody = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    until(lambda: list(connect_in_stages(profile))[-1].used == admin.value(everybody) >= 1)


def test_that_the_probe_leaves_no_connection_behind(profile, admin):
    mine = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgexplorer/side' AND usename = %s"
    stages = connect_in_stages(profile)
    next(stages)
    stages.close()
    list(connect_in_stages(profile))
    until(lambda: admin.value(mine, profile.user) == 0)


def test_that_facts_are_the_same_on_a_connection_of_the_pool(profile, client):
    with client.lend("connect") as conn:
        assert facts(conn).databases == list(connect_in_stages(profile))[-1].databases


def test_that_a_superuser_is_known(profile, postgres):
    given = postgres.admin_parameters
    root = replace(profile, user=given["user"], password=given["password"])
    found = list(connect_in_stages(root))[-1]
    assert found.is_superuser
    assert found.free == found.max_connections - found.used


def test_that_a_wrong_password_is_said_with_what_to_check(profile):
    described = tell(replace(profile, password="pw-CANARY-7f3a"))
    assert "password authentication failed" in described.title
    assert "Check the user and the password" in described.hint


def test_that_a_missing_password_is_asked_for(profile):
    with pytest.raises(psycopg2.OperationalError) as caught:
        list(connect_in_stages(replace(profile, password="")))
    assert "fill it in" in describe(caught.value).hint


def test_that_an_unknown_user_is_told_like_a_wrong_password(profile):
    assert "both are told wrong" in tell(replace(profile, user="nobody of this name")).hint


def test_that_a_missing_database_is_said_and_recognised(profile):
    with pytest.raises(psycopg2.OperationalError) as caught:
        list(connect_in_stages(replace(profile, dbname="no such database")))
    assert 'database "no such database" does not exist' in describe(caught.value).title
    assert missing_database(caught.value)


def test_that_a_port_where_nothing_listens_is_refused(profile):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
    described = tell(replace(profile, port=port))
    assert "refused" in described.title.lower()
    assert "Nothing listens there" in described.hint


def test_that_an_unknown_host_is_said(profile):
    described = tell(replace(profile, host="nosuchhost.invalid"))
    assert "nosuchhost.invalid" in described.title
    assert "check its spelling" in described.hint


def test_that_a_folder_without_a_socket_is_said(profile, tmp_path):
    assert "no server behind that socket folder" in tell(replace(profile, host=str(tmp_path))).hint


def test_that_tls_is_asked_for_where_there_is_none(profile, admin):
    if admin.value("SHOW ssl") == "on":
        pytest.skip("this server has TLS")
    described = tell(replace(profile, sslmode="require"))
    assert "does not support SSL" in described.title
    assert "no TLS" in described.hint


def test_that_a_missing_certificate_of_the_authority_is_said(profile, admin):
    if admin.value("SHOW ssl") == "on":
        pytest.skip("this server has TLS")
    described = tell(replace(profile, sslmode="verify-full", sslrootcert="/nonexistent/root.crt"))
    assert "name its file" in described.hint or "no TLS" in described.hint


def test_that_a_server_that_never_answers_ends_by_the_time_limit(profile, peer, monkeypatch):
    monkeypatch.setattr(probe, "_patience", lambda parameters: 0.1)
    port, _ = peer()
    described = tell(replace(profile, host="127.0.0.1", port=port))
    assert "timeout expired" in described.title
    assert "Nobody answered in time" in described.hint


@pytest.mark.parametrize(("given", "seconds"), [(3, 3), ("3", 3), ("0", 10), ("-1", 10), ("abc", 10)])
def test_that_no_time_limit_of_a_url_makes_a_stage_last_for_ever_or_not_at_all(given, seconds):
    assert probe._patience({"connect_timeout": given}) == seconds


def test_that_a_time_limit_of_zero_still_connects(profile):
    assert isinstance(list(connect_in_stages(replace(profile, options="connect_timeout=0")))[-1], Facts)


def test_that_something_that_is_no_postgresql_is_said(profile, peer):
    port, _ = peer(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert tell(replace(profile, host="127.0.0.1", port=port)).title


@pytest.mark.parametrize(("code", "extra"), [(3, b""), (5, b"salt")])
def test_that_a_server_that_asks_for_clear_text_or_md5_gets_no_password(profile, peer, code, extra):
    asks = b"R" + (8 + len(extra)).to_bytes(4, "big") + code.to_bytes(4, "big") + extra
    port, heard = peer(b"N", asks, b"")
    given = replace(profile, host="127.0.0.1", port=port, password="pw-CANARY-7f3a", weak_passwords=False)
    described = tell(given)
    assert "authentication method requirement" in described.title
    assert "clear text or as md5" in described.hint
    assert not any(b"pw-CANARY-7f3a" in words or words.startswith(b"p") for words in heard)


def test_that_settings_of_the_profile_are_in_force_at_the_server(profile):
    given = replace(profile, read_only=True, statement_timeout_s=2.5)
    conn = psycopg2.connect(**given.parameters())
    try:
        with conn.cursor() as cursor:
            for name, value in {
                "default_transaction_read_only": "on",
                "statement_timeout": "2500ms",
                "application_name": "pgexplorer/pool",
            }.items():
                cursor.execute(f"SHOW {name}")
                assert cursor.fetchone() == (value,)
        shown = conn.info.dsn_parameters
        assert shown["require_auth"] == "!password,!md5"
        assert (shown["connect_timeout"], shown["keepalives_idle"], shown["tcp_user_timeout"]) == ("10", "5", "10000")
    finally:
        conn.close()


def test_that_the_side_connection_says_what_it_is_and_gives_up_sooner(profile):
    conn = connect_side(profile, 2)
    try:
        assert conn.info.dsn_parameters["application_name"] == "pgexplorer/side"
        assert conn.info.dsn_parameters["connect_timeout"] == "2"
    finally:
        conn.close()


@pytest.mark.parametrize(
    "name", ['odd"; DROP TABLE person; --', "ünï 😀.<b>x</b>", "%s %(a)s", "é" * 31, "SELECT", " a\nb"]
)
def test_that_a_database_with_a_hostile_name_is_made_and_opened(profile, admin, name):
    wanted = replace(profile, dbname=name, read_only=True)
    try:
        create_database(wanted)
        found = list(connect_in_stages(wanted))[-1]
        assert name in found.databases
        with pytest.raises(psycopg2.errors.DuplicateDatabase):
            create_database(wanted)
    finally:
        admin.ask(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


def test_that_a_database_that_cannot_be_made_raises_the_servers_error(profile):
    with pytest.raises(psycopg2.OperationalError):
        create_database(replace(profile, dbname="x", password="wrong"))
