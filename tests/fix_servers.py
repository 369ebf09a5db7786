"""Other servers for the activity: one that counts its statements, and a PgBouncer before the worker's own."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from fix_facts import until
from pgexplorer.db.profile import Profile


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _other_user():
    """Return how a program that refuses root is started: as nobody, where the tests are root."""
    return {} if os.geteuid() else {"user": pwd.getpwnam("nobody").pw_uid, "group": pwd.getpwnam("nobody").pw_gid}


@contextlib.contextmanager
def _folder():
    """Make a folder that the other user can write into."""
    folder = Path(tempfile.mkdtemp(prefix="pgexplorer-test-"))
    given = _other_user()
    if given:
        os.chown(folder, given["user"], given["group"])
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(*command, cwd, said):
    """Run *command* until the end of the block."""
    with said.open("wb") as log:
        process = subprocess.Popen(
            [*map(str, command)], cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_other_user()
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)


def _answers(process, said, **parameters):
    def connect():
        assert process.poll() is None, said.read_text()
        try:
            psycopg2.connect(connect_timeout=2, **parameters).close()
        except psycopg2.OperationalError:
            return False
        return True

    until(connect, 30)


@pytest.fixture(scope="session")
def counting_server():
    """The profile of a server of its own that loads pg_stat_statements, not yet installed; a superuser's."""
    from pgexplorer.demo import binaries
    from pgexplorer.demo.errors import DemoUnavailable

    try:
        found = binaries.find()
    except DemoUnavailable as missing:
        pytest.skip(str(missing))
    if not list(found.root.glob("**/extension/pg_stat_statements.control")):
        pytest.skip("this PostgreSQL has no pg_stat_statements")
    with _folder() as folder:
        data, said, port = folder / "data", folder / "said", _free_port()
        command = [found.initdb, "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False, **_other_user())
        assert done.returncode == 0, done.stderr
        options = ["-D", data, "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
        options += ["-c", "shared_preload_libraries=pg_stat_statements", "-c", "fsync=off"]
        with _running(found.postgres, *options, cwd=folder, said=said) as process:
            _answers(process, said, host="127.0.0.1", port=port, user="postgres", dbname="postgres")
            yield Profile(name="counting", host="127.0.0.1", port=str(port), dbname="postgres", user="postgres")


@pytest.fixture
def pgbouncer(profile):
    """A PgBouncer before the worker's server: the profile of its console, and that of the database behind it."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/sbin")
    if program is None:
        pytest.skip("there is no pgbouncer here; Debian's package of that name has one")
    given = profile.parameters("side")
    with _folder() as folder:
        users, settings, said, port = folder / "users.txt", folder / "pgbouncer.ini", folder / "said", _free_port()
        users.write_text(f'"{given["user"]}" "{given["password"]}"\n', encoding="utf-8")
        behind = f"host={given['host']} port={given['port']} dbname={given['dbname']} user={given['user']}"
        settings.write_text(
            f"[databases]\n{given['dbname']} = {behind}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n"
            f"unix_socket_dir =\nauth_type = trust\nauth_file = {users}\nadmin_users = {given['user']}\n"
            "pool_mode = transaction\nmax_client_conn = 50\nignore_startup_parameters = options,extra_float_digits\n",
            encoding="utf-8",
        )
        if (owner := _other_user()) and owner:
            for file in (users, settings):
                os.chown(file, owner["user"], owner["group"])
        with _running(program, settings, cwd=folder, said=said) as process:
            console = Profile(name="console", host="127.0.0.1", port=str(port), dbname="pgbouncer", user=given["user"])
            _answers(process, said, host="127.0.0.1", port=port, user=given["user"], dbname="pgbouncer")
            yield console, replace(console, name="behind", dbname=given["dbname"])
