"""A real PostgreSQL server for the tests of this worker, and what lies in it.

Each worker of a parallel run has a demo server of its own; $PGEXPLORER_TEST_DSN, a superuser's, names another one.
"""

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from fix_facts import until
from pgexplorer.db.client import Client
from pgexplorer.db.probe import connect_side
from pgexplorer.db.profile import Profile, paste
from pgexplorer.db.query import Query
from pgexplorer.pool.stock import open_stock

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Postgres:
    """The server of this worker."""

    profile: Profile
    admin_parameters: dict
    psql: str | None
    log: Path | None = None  # what the server writes


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """The server: PostgreSQL 18 with 16 connections unless $PGEXPLORER_TEST_DSN names another."""
    if dsn := os.environ.get("PGEXPLORER_TEST_DSN"):
        pasted = paste(dsn, Profile())
        assert not pasted.refused, pasted.refused
        profile = replace(pasted.profile, weak_passwords=True)
        yield Postgres(profile, profile.parameters("side"), shutil.which("psql"))
        return
    from pgexplorer.demo import binaries, place
    from pgexplorer.demo.errors import DemoUnavailable
    from pgexplorer.demo.server import start

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGEXPLORER_HOME", str(tmp_path_factory.mktemp("postgres")))
        try:
            lease = start()
        except DemoUnavailable as missing:
            pytest.skip(str(missing))
        server = lease.server
        profile = replace(server.profile(), name="tests")
        admin = profile.parameters("side") | {"user": server.superuser, "password": server.superuser_password}
        psql = binaries.find().root / "bin" / "psql"
        try:
            yield Postgres(profile, admin, str(psql) if psql.exists() else shutil.which("psql"), place.find().log)
        finally:
            found = place.find()
            lease.release()
            shutil.rmtree(found.base, ignore_errors=True)
            shutil.rmtree(found.sockets, ignore_errors=True)


@pytest.fixture
def profile(postgres):
    """Where the server is, with a pool of 2 to 3."""
    return postgres.profile


@pytest.fixture
def admin(postgres):
    """A superuser's connection, to look at the server and to end what is there."""
    conn = psycopg2.connect(**postgres.admin_parameters)
    conn.autocommit = True
    yield Admin(conn)
    conn.close()


class Admin:
    """Somebody else at the server, with every right."""

    def __init__(self, conn):
        self.conn = conn

    def ask(self, text, *values):
        """Return the rows that the server answers."""
        with self.conn.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, text, *values):
        """Return the only value that the server answers."""
        [[value]] = self.ask(text, *values)
        return value

    def terminate(self, *pids):
        """End the backends *pids*, and come back when they are gone."""
        self.ask("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", list(pids))
        until(lambda: not self.alive(*pids))
        # A backend leaves pg_stat_activity before it closes its socket: here, where it can be seen, wait for its end.
        deadline = time.monotonic() + 2
        while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
            time.sleep(0.002)

    def end_open(self):
        """End the backends of the application that are idle in a transaction."""
        found = self.ask("SELECT pid FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
        self.terminate(*(pid for (pid,) in found))

    def alive(self, *pids):
        """Return those of *pids* that the server still has."""
        return {pid for (pid,) in self.ask("SELECT pid FROM pg_stat_activity WHERE pid = ANY (%s)", list(pids))}

    def state(self, pid):
        """Return the state of the backend *pid* in pg_stat_activity's words."""
        rows = self.ask("SELECT state FROM pg_stat_activity WHERE pid = %s", pid)
        return rows[0][0] if rows else None


@pytest.fixture
def open_pool(profile):
    """Open pools by psycopg2's class name and limits; each is closed at the end of the test."""
    pools = []

    def open_one(minconn=2, maxconn=3, kind="ThreadedConnectionPool", **changed):
        pool = open_stock(kind, minconn, maxconn, **(profile.parameters() | changed))
        pools.append(pool)
        return pool

    yield open_one
    for pool in pools:
        pool.cut_all()
        with contextlib.suppress(psycopg2.Error):
            pool.closeall()


@pytest.fixture
def client(open_pool):
    """A careful client on a pool of one to two."""
    return Client(open_pool(1, 2))


@pytest.fixture
def side(profile):
    """What opens a short-lived connection beside the pool."""
    return lambda: connect_side(profile)


@pytest.fixture
def query(client, side):
    """Make a query on the client, not yet run."""

    def make(text, **options):
        return Query(client, text, "SQL 1", side=side, **options)

    return make


@pytest.fixture
def own_schema(profile, admin):
    """The name of a fresh schema of this test, first in nobody's search_path."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with contextlib.closing(psycopg2.connect(**profile.parameters("side"))) as conn, conn, conn.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    yield name
    drop = sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(name))
    admin.ask("SET lock_timeout = '3s'")
    try:
        admin.ask(drop)
    except psycopg2.errors.LockNotAvailable:  # a test that failed within a transaction: let its failure be told
        admin.end_open()
        admin.ask(drop)


@pytest.fixture
def do(profile):
    """Run SQL as the application's role, beside every pool."""

    def run(text, *values):
        with contextlib.closing(connect_side(profile)) as conn:
            conn.autocommit = True
            with conn.cursor() as cursor:
                cursor.execute(text, values or None)
                return cursor.fetchall() if cursor.description else []

    return run


@pytest.fixture
def server_log(postgres, admin):
    """The statements that the application's role sends, as the server's log has them."""
    if postgres.log is None:
        pytest.skip("the server's log cannot be read here")
    role = sql.Identifier(postgres.profile.user)
    admin.ask(sql.SQL("ALTER ROLE {} SET log_statement = 'all'").format(role))
    yield ServerLog(postgres.log)
    admin.ask(sql.SQL("ALTER ROLE {} RESET log_statement").format(role))


class ServerLog:
    """What a server was asked from now on, by connections that begin after now."""

    def __init__(self, path):
        self._path = path
        self._begin = path.stat().st_size

    def statements(self):
        """Return the statements so far, each as it came, line breaks and all."""
        with self._path.open("rb") as file:
            file.seek(self._begin)
            text = file.read().decode()
        entries = re.split(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC \[\d+\])", text, flags=re.MULTILINE)
        found = (re.match(r"[^\[]*\[\d+\] LOG:  statement: (.*)\n\Z", each, re.DOTALL) for each in entries)
        return [each[1].replace("\n\t", "\n") for each in found if each]  # the log sets a tab before each further line


@pytest.fixture
def psql(postgres):
    """Answer a statement as `psql -XAt` prints it: NULL as ␀, one value a statement."""
    if postgres.psql is None:
        pytest.skip("there is no psql here")
    given = postgres.profile.parameters("side")
    environment = {name: value for name, value in os.environ.items() if not re.match("PG(?!EXPLORER)", name)}
    environment |= {"PGPASSWORD": given["password"], "PGHOST": given["host"], "PGPORT": given["port"]}
    environment |= {"PGUSER": given["user"], "PGDATABASE": given["dbname"], "PGCLIENTENCODING": "UTF8"}

    def ask(text):
        done = subprocess.run(
            [postgres.psql, "-XAtq", "-P", "null=␀", "-v", "ON_ERROR_STOP=1", "-R", "\x1e", "-F", "\x1f"],
            input=text.encode(),
            env=environment,
            capture_output=True,  # as bytes: text mode would turn a carriage return into a line feed
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return ask
