"""The demo server by itself: it starts, lets the right people in, keeps what was written, and ends."""

import contextlib
import os
import stat
from pathlib import Path

import psycopg2
import pytest
from fix_demo import ask, connect, gone, until
from psycopg2 import errorcodes

from pgexplorer.demo import binaries, place
from pgexplorer.demo.server import start

PEOPLE = [("Pankaj", "Chowdhury", "M"), ("Rachna", "Agarwal", "F"), ("Raj", "Shamanic", "M")]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as somebody else")
EVERYONE = "select first_name, last_name, sex from person order by id"


def test_that_the_server_starts_has_three_people_and_ends_with_its_lease(demo_home):
    said = []
    lease = start(said.append)
    server = lease.server
    assert ask(server, EVERYONE) == PEOPLE
    assert ask(server, EVERYONE, host=server.socket_dir) == PEOPLE
    assert ask(server, "show server_version")[0][0].startswith(server.version)
    backends = [pid for (pid,) in ask(server, "select pid from pg_stat_activity")]
    assert said[-1] == f"The demo server is ready on port {server.port}."
    lease.release()
    assert gone(server.pid)
    until(lambda: all(gone(pid) for pid in backends))
    with pytest.raises(psycopg2.OperationalError):
        connect(server)


def test_that_a_lease_is_a_context_manager_and_may_be_released_twice(demo_home):
    with start() as lease:
        assert not gone(lease.server.pid)
    lease.release()
    assert gone(lease.server.pid)


def test_that_the_application_role_is_no_superuser_and_may_create_databases(demo_home):
    with start() as lease:
        rights = ask(
            lease.server, "select rolsuper, rolcreatedb, rolcanlogin from pg_roles where rolname = current_user"
        )
        assert rights == [(False, True, True)]
        owner = ask(lease.server, "select datdba::regrole::text from pg_database where datname = 'test'")
        assert owner == [("pgexplorer",)]
        ask(lease.server, "create database another")
        assert ask(lease.server, "select current_database()", dbname="another") == [("another",)]


def test_that_the_superuser_is_one(demo_home):
    with start() as lease:
        server = lease.server
        alive = ask(server, "show is_superuser", user=server.superuser, password=server.superuser_password)
        assert alive == [("on",)]


@pytest.mark.parametrize("by_socket", [False, True])
@pytest.mark.parametrize("user", ["pgexplorer", "postgres"])
def test_that_a_wrong_password_is_refused(demo_home, user, by_socket):
    with start() as lease:
        host = lease.server.socket_dir if by_socket else None
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            connect(lease.server, host=host, user=user, password="guessed")


def test_that_a_full_server_says_both_of_its_refusals(demo_home):
    with start() as lease, contextlib.ExitStack() as open_ones:
        server = lease.server
        highest = {"user": server.superuser, "password": server.superuser_password}
        for _ in range(13):
            open_ones.enter_context(contextlib.closing(connect(server)))
        with pytest.raises(psycopg2.OperationalError, match="remaining connection slots are reserved"):
            connect(server)
        for _ in range(3):
            open_ones.enter_context(contextlib.closing(connect(server, **highest)))
        for who in ({}, highest):
            with pytest.raises(psycopg2.OperationalError, match="sorry, too many clients already"):
                connect(server, **who)
        with start() as second:  # a full server is in use, not dead
            assert second.server == server
    assert errorcodes.TOO_MANY_CONNECTIONS == "53300"


def test_that_the_server_is_small_local_and_has_a_name(demo_home):
    with start() as lease:
        wanted = {
            "cluster_name": "pgexplorer demo",
            "listen_addresses": "127.0.0.1",
            "max_connections": "16",
            "superuser_reserved_connections": "3",
            "password_encryption": "scram-sha-256",
            "client_connection_check_interval": "1s",
            "fsync": "off",
            "autovacuum": "on",
            "server_encoding": "UTF8",
        }
        rows = ask(
            lease.server, "select name, current_setting(name) from pg_settings where name = any(%s)", list(wanted)
        )
        assert dict(rows) == wanted


def test_that_person_has_comments_and_refuses_a_third_sex_letter(demo_home):
    with start() as lease:
        assert ask(lease.server, "select obj_description('person'::regclass)")[0][0]
        with pytest.raises(psycopg2.errors.CheckViolation):
            ask(lease.server, "insert into person (first_name, last_name, sex) values ('A', 'B', 'X')")
        new = ask(lease.server, "insert into person (first_name, last_name) values ('Ada', 'Byron') returning id")
        assert new[0][0] > 3


def test_that_what_was_written_is_kept_for_the_next_start_and_the_port_too(demo_home):
    with start() as lease:
        ask(lease.server, "delete from person where first_name = 'Raj'")
        before = lease.server
    with start() as lease:
        assert ask(lease.server, EVERYONE) == PEOPLE[:2]
        assert (lease.server.port, lease.server.password) == (before.port, before.password)


def test_that_a_dropped_database_and_a_spoilt_role_are_there_again_after_a_restart(demo_home):
    with start() as lease:
        ask(lease.server, "drop database test", dbname="postgres")
        ask(lease.server, "alter role current_user password 'forgotten'", dbname="postgres")
    with start() as lease:
        assert ask(lease.server, EVERYONE) == PEOPLE


def test_that_two_homes_have_two_servers_and_a_home_may_have_any_name(demo_home, other_home, monkeypatch):
    with start() as one:
        monkeypatch.setenv("PGEXPLORER_HOME", str(other_home))
        with start() as other:
            assert one.server.data_dir != other.server.data_dir
            assert one.server.port != other.server.port
            ask(other.server, "delete from person")
            for host in (None, other.server.socket_dir):
                assert ask(other.server, EVERYONE, host=host) == []
            assert ask(one.server, EVERYONE) == PEOPLE
        assert gone(other.server.pid)
        assert not gone(one.server.pid)


def test_that_the_socket_path_is_short_enough_and_its_folder_closed_to_others(demo_home):
    with start() as lease:
        folder = Path(lease.server.socket_dir)
        assert len(os.fsencode(folder / f".s.PGSQL.{lease.server.port}")) <= 107
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_that_the_passwords_are_nowhere_but_in_one_file_of_the_owner(demo_home):
    with start() as lease:
        server = lease.server
        secret = [server.password.encode(), server.superuser_password.encode()]
        with contextlib.suppress(psycopg2.Error):
            ask(server, "alter role nobody_here password %s", server.password)
        found = place.find()
        files = [each for top in {found.desk, found.base} for each in top.rglob("*") if each.is_file()]
        holders = [file for file in files if any(word in file.read_bytes() for word in secret)]
        assert holders == [found.desk / "keys.json"]
        assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                with contextlib.suppress(OSError):
                    assert not any(word in (process / name).read_bytes() for word in secret)
        assert server.password not in repr(server)
        assert server.superuser_password not in repr(server)


@AS_ROOT
def test_that_roots_server_and_its_data_belong_to_an_ordinary_user(demo_home):
    with start() as lease:
        data = Path(lease.server.data_dir)
        owner = data.stat().st_uid
        assert owner != 0
        assert Path(f"/proc/{lease.server.pid}").stat().st_uid == owner
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        groups = Path(f"/proc/{lease.server.pid}/status").read_text().split("Groups:")[1].splitlines()[0].split()
        assert "0" not in groups


@AS_ROOT
def test_that_root_copies_programs_which_that_user_cannot_reach(demo_home, monkeypatch):
    monkeypatch.setattr(binaries, "reachable", lambda *_: False)
    with start() as lease:
        program = Path(f"/proc/{lease.server.pid}/exe").resolve()
        assert place.find().base in program.parents
        assert program.stat().st_uid == 0
        assert ask(lease.server, EVERYONE) == PEOPLE
    with start() as lease:
        assert ask(lease.server, EVERYONE) == PEOPLE
