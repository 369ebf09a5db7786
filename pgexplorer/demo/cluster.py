"""The demo server's data: made once, furnished with a role, a database and the table person, kept between runs."""

import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, encrypt_password

from pgexplorer import assets
from pgexplorer.demo import watchdog
from pgexplorer.demo.binaries import Binaries
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.place import Place, keep, own_folder

DATABASE = "test"
ROLE = "pgexplorer"
SUPERUSER = "postgres"
CONNECTIONS = 16
_KEYS_FILE_LIMIT = 4096


@dataclass(frozen=True)
class Keys:
    """The passwords of the two roles, made at random together with the data."""

    password: str
    superuser_password: str


def keys(place: Place) -> Keys | None:
    """Return the passwords of finished data in *place*; None when data or passwords are missing or damaged."""
    try:
        with (place.desk / "keys.json").open(encoding="utf-8") as file:
            found = json.loads(file.read(_KEYS_FILE_LIMIT))
        if (place.data / "PG_VERSION").is_file() and not _unfinished(place).exists():
            return Keys(str(found["password"]), str(found["superuser_password"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def major(place: Place) -> str:
    """Return the major version that made the data, "" when it cannot be told."""
    try:
        return (place.data / "PG_VERSION").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def make(place: Place, binaries: Binaries) -> Keys:
    """Make an empty data folder (about a second) and return its passwords; `finish` ends what this begins.

    Raises DemoUnavailable with initdb's words when it fails.
    """
    made = Keys(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    _unfinished(place).touch(mode=0o600)
    own_folder(place.data, 0o700, place.account)
    uid, gid = (place.account.uid, place.account.gid) if place.account else (None, None)
    handle, password_file = tempfile.mkstemp(dir=place.base, prefix="password-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(made.superuser_password)
            if uid is not None and gid is not None:
                os.fchown(file.fileno(), uid, gid)
        done = subprocess.run(
            [binaries.initdb, "-D", place.data, f"--pwfile={password_file}", *_initdb_options(binaries)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            cwd=place.base,
            env=watchdog.ENVIRONMENT,
            user=uid,
            group=gid,
            extra_groups=None if uid is None else [],
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise DemoUnavailable(f"PostgreSQL's initdb could not be run: {error}") from error
    finally:
        os.unlink(password_file)
    if done.returncode:
        raise DemoUnavailable(f"PostgreSQL could not make its data folder: {done.stderr.strip()[-500:]}")
    return made


def finish(place: Place, made: Keys) -> None:
    """Keep the passwords: from now on the data counts as whole."""
    both = {"password": made.password, "superuser_password": made.superuser_password}
    keep(_keys_file(place), json.dumps(both))
    _unfinished(place).unlink(missing_ok=True)


def set_aside(place: Place) -> Path | None:
    """Move the data out of the way and return where it lies now; None when it was empty or never finished."""
    if not place.data.exists():
        return None
    if _unfinished(place).exists() or not any(place.data.iterdir()):
        shutil.rmtree(place.data)
        return None
    aside = place.base / f"data-set-aside-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    place.data.rename(aside)
    return aside


def put_back(place: Place, aside: Path | None) -> None:
    """Undo `set_aside` and an unfinished `make`: new data came to nothing, so the old may as well stay."""
    if aside is not None:
        shutil.rmtree(place.data, ignore_errors=True)
        aside.rename(place.data)
        _unfinished(place).unlink(missing_ok=True)


def options(place: Place, binaries: Binaries, port: int) -> list[str]:
    """Return the server's command line: small, on loopback alone; its data outlive SIGKILL but no power cut."""
    settings = {
        "cluster_name": "pgexplorer demo",
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(place.sockets),
        "password_encryption": "scram-sha-256",
        "max_connections": str(CONNECTIONS),
        "shared_buffers": "32MB",
        "max_wal_size": "512MB",
        "fsync": "off",
        "full_page_writes": "off",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_logical_replication_workers": "0",
        "huge_pages": "off",
        "jit": "off",
        "autovacuum": "on",
        "client_connection_check_interval": "1s",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_min_error_statement": "panic",  # statements can hold what is nobody's business
    }
    if binaries.major >= 18:
        settings["io_method"] = "sync"
    pairs = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(binaries.postgres), "-D", str(place.data), *pairs]


def connect(host: str, port: int, dbname: str, user: str, password: str) -> connection:
    """Return a connection of the demo's own, in autocommit. Blocks 10 seconds at most; raises psycopg2's errors."""
    made = psycopg2.connect(
        host=host,
        port=port,
        dbname=dbname,
        user=user,
        password=password,
        connect_timeout=10,
        application_name="pgexplorer/side",
        sslmode="disable",  # the wheel's server is built without TLS, and this never leaves the machine
        gssencmode="disable",
        options="",
    )
    made.autocommit = True
    return made


def furnish(place: Place, port: int, known: Keys, *, fresh: bool) -> None:
    """See to it that the role and the database exist, and on *fresh* data that person does. Blocks about 0.1 s.

    Raises psycopg2's errors.
    """
    host = str(place.sockets)
    server = connect(host, port, "postgres", SUPERUSER, known.superuser_password)
    try:
        with server.cursor() as cursor:
            cursor.execute(
                "select (select count(*) from pg_roles where rolname = %s),"
                " (select count(*) from pg_database where datname = %s)",
                (ROLE, DATABASE),
            )
            roles, databases = cursor.fetchone() or (0, 0)
            # The server is told the verifier, not the password, so no log of it can hold the password.
            verifier = encrypt_password(known.password, ROLE, server, "scram-sha-256")
            word = sql.SQL("alter" if roles else "create")  # altered too: edits of the role never lock the user out
            cursor.execute(
                sql.SQL("{} role {} login nosuperuser createdb password %s").format(word, sql.Identifier(ROLE)),
                (verifier,),
            )
            if not databases:
                cursor.execute(
                    sql.SQL("create database {} owner {}").format(sql.Identifier(DATABASE), sql.Identifier(ROLE))
                )
    finally:
        server.close()
    if fresh or not databases:
        ours = connect(host, port, DATABASE, ROLE, known.password)
        try:
            with ours.cursor() as cursor:  # one simple query is one transaction: person is there whole or not at all
                cursor.execute(assets.text("sql/person.sql"))
                cursor.execute("analyze person")
        finally:
            ours.close()


def _initdb_options(binaries: Binaries) -> list[str]:
    common = [f"--username={SUPERUSER}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--no-instructions"]
    if binaries.major >= 18:
        common.append("--no-data-checksums")
    if binaries.major >= 17:
        return [*common, "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [*common, "--locale=C"]


def _keys_file(place: Place) -> Path:
    return place.desk / "keys.json"


def _unfinished(place: Place) -> Path:
    return place.desk / "unfinished"
