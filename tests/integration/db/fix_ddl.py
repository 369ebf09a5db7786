"""Two databases for DDL: objects are made in one, their DDL is run in the other; and what pg_dump says of both."""

import contextlib
import itertools
import os
import re
import subprocess
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from pgexplorer.db.ddl.text import read_ddl
from pgexplorer.db.objects import DbObject, ObjectKind

OBJECTS = Path(__file__).with_name("ddl_objects.sql")
_numbers = itertools.count(1)
# regtype refuses a type that is only a shell.
_TYPE = """SELECT t.oid FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
            WHERE quote_ident(n.nspname) || '.' || quote_ident(t.typname) = %s"""
# How an object is found by its name as a statement has it.
_FINDERS = {
    ObjectKind.DATABASE: "SELECT oid FROM pg_database WHERE quote_ident(datname) = %s",
    ObjectKind.SCHEMA: "SELECT %s::regnamespace::oid",
    ObjectKind.FUNCTION: "SELECT %s::regprocedure::oid",
    ObjectKind.PROCEDURE: "SELECT %s::regprocedure::oid",
    ObjectKind.AGGREGATE: "SELECT %s::regprocedure::oid",
    ObjectKind.TYPE: _TYPE,
    ObjectKind.DOMAIN: _TYPE,
    ObjectKind.EXTENSION: "SELECT oid FROM pg_extension WHERE quote_ident(extname) = %s",
    ObjectKind.ROLE: "SELECT %s::regrole::oid",
    ObjectKind.TRIGGER: "SELECT oid FROM pg_trigger WHERE quote_ident(tgname) || ' ' || tgrelid::regclass = %s",
    ObjectKind.CONSTRAINT: """SELECT oid FROM pg_constraint WHERE quote_ident(conname) || ' ' ||
        CASE WHEN conrelid <> 0 THEN conrelid::regclass::text ELSE contypid::regtype::text END = %s""",
}


def cases(version, **names):
    """Return (kind, name, text) of every object in ddl_objects.sql that a server of *version* knows, in their order.

    The kind is None of what is no object for DDL, and stands on its text alone.
    """
    found, text = [], OBJECTS.read_text(encoding="utf-8")
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    for part in re.split(r"^--@ ", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        kind, since, name = head.split(" ", 2)
        if int(since) <= version:
            found.append((None if kind == "SQL" else ObjectKind(kind.replace("_", " ")), name, body.strip()))
    return found


class Database:
    """A database of a test's own, seen by a superuser unless parameters are *given*."""

    def __init__(self, postgres, name, given=None):
        self.name = name
        self.given = (given or postgres.admin_parameters) | {"dbname": name}
        self.psql_path = postgres.psql
        self.conn = psycopg2.connect(**self.given)
        self.conn.autocommit = True

    def ask(self, text, *values):
        """Return the rows that the server answers."""
        with self.conn.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def value(self, text, *values):
        """Return the only value that the server answers."""
        [[value]] = self.ask(text, *values)
        return value

    def find(self, kind, name, part=0):
        """Return the object that a statement calls *name*."""
        oid = self.value(_FINDERS.get(kind, "SELECT %s::regclass::oid"), name)
        return DbObject(kind, oid, "", name, part)

    def ddl(self, kind, name, part=0, **options):
        """Return the DDL of the object that a statement calls *name*."""
        return read_ddl(self.conn, self.find(kind, name, part), **options)

    def texts(self, found):
        """Return the DDL of every one of the `cases` *found*."""
        return [text if kind is None else self.ddl(kind, name) for kind, name, text in found]

    def psql(self, text):
        """Run *text* through the real psql, which ends at the first error."""
        return self._run(self.psql_path, "-XqAt", "-v", "ON_ERROR_STOP=1", text=text)

    def dump(self):
        """Return the lines of `pg_dump --schema-only`, without what is new in every run."""
        path = Path(self.psql_path).with_name("pg_dump")
        if not path.exists():
            pytest.skip("there is no pg_dump here")
        lines = self._run(str(path), "--schema-only").splitlines()
        return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))]

    def _run(self, program, *arguments, text=""):
        given = self.given
        environment = {name: value for name, value in os.environ.items() if not re.match("PG(?!EXPLORER)", name)}
        environment |= {"PGHOST": given["host"], "PGPORT": str(given["port"]), "PGUSER": given["user"]}
        environment |= {"PGDATABASE": self.name, "PGPASSWORD": given.get("password") or "", "PGCLIENTENCODING": "UTF8"}
        done = subprocess.run(
            [program, *arguments], input=text.encode(), env=environment, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{done.stderr.decode()}\n{text}"
        return done.stdout.decode()


@pytest.fixture
def roles(admin):
    """Two roles, the second's name wants quotes; as a statement has them."""
    number = f"{os.getpid()}_{next(_numbers)}"
    names = [f"ddl_{number}", f'DDL "role"; {number}']
    for name in names:
        admin.ask(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    yield [admin.value("SELECT quote_ident(%s)", name) for name in names]
    for name in names:
        admin.ask(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))


@pytest.fixture
def two_databases(postgres, admin, roles):
    """The database in which objects are made, and an empty one. They go before the roles do."""
    if postgres.psql is None:
        pytest.skip("there is no psql here")
    names = [f"ddl_{os.getpid()}_{next(_numbers)}_{what}" for what in ("from", "to")]
    with contextlib.ExitStack() as stack:
        made = []
        for name in names:
            admin.ask(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            stack.callback(admin.ask, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            made.append(Database(postgres, name))
            stack.callback(made[-1].conn.close)
        yield made
