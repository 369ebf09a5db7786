"""What goes when an object is dropped with CASCADE: found in pg_depend as the server finds it, and looked at again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg2.extensions import connection, cursor
from typing_extensions import override

from pgexplorer.db.client import Client
from pgexplorer.db.command import Command
from pgexplorer.db.encoding import every_byte, has_none, recoded
from pgexplorer.db.object_actions import drop
from pgexplorer.db.objects import DbObject, ObjectKind, catalog_of

_K = ObjectKind


@dataclass(frozen=True, slots=True)
class Dependent:
    """An object that would be dropped too."""

    words: str  # as pg_describe_object says it: "view sold"
    is_part: bool  # it belongs to what is dropped, and goes without CASCADE: an index, a partition
    address: tuple[int, int, int] = (0, 0, 0)  # pg_depend's classid, objid, objsubid


@dataclass(frozen=True, slots=True)
class Dependents:
    """All of them, and what stands in the way."""

    found: tuple[Dependent, ...] = ()
    blocking: tuple[str, ...] = ()  # why the server would refuse: a role that owns something

    @property
    def cascaded(self) -> list[Dependent]:
        """Those that make the server ask for CASCADE, by their words."""
        return [each for each in self.found if not each.is_part]

    @property
    def parts(self) -> list[Dependent]:
        """Those that go with it anyway, by their words."""
        return [each for each in self.found if each.is_part]


class ChangedMeanwhile(Exception):
    """Something else would be dropped than what was shown; nothing was dropped."""


# As findDependentObjects does it in the server: down to whatever refers to what goes, and from a piece of something
# (a view's rule) up to that thing, which goes whole. Whatever is reached as a part of what goes, or automatically,
# goes without CASCADE, however else it is reached. Of a table a column is a part already. A column takes along those
# that inherit it and have no other reason to be.
_FOUND = """
WITH RECURSIVE inherited (oid, attnum) AS (
    SELECT %(oid)s::oid, %(part)s::smallint
    UNION
    SELECT own.attrelid, own.attnum
      FROM inherited i
      JOIN pg_catalog.pg_inherits h ON h.inhparent = i.oid
      JOIN pg_catalog.pg_attribute theirs ON theirs.attrelid = i.oid AND theirs.attnum = i.attnum AND i.attnum > 0
      JOIN pg_catalog.pg_attribute own ON own.attrelid = h.inhrelid AND own.attname = theirs.attname
                                      AND own.attinhcount = 1 AND NOT own.attislocal
),
gone AS (
    SELECT %(catalog)s::regclass::oid AS classid, oid AS objid, attnum::int AS objsubid, true AS is_part FROM inherited
    UNION
    SELECT next.classid, next.objid, next.objsubid, next.is_part
      FROM gone
     CROSS JOIN LATERAL (
        SELECT d.classid, d.objid, d.objsubid, d.deptype <> 'n' AS is_part
          FROM pg_catalog.pg_depend d
         WHERE d.refclassid = gone.classid AND d.refobjid = gone.objid
           AND (gone.objsubid = 0 OR d.refobjsubid = gone.objsubid)
        UNION ALL
        SELECT d.refclassid, d.refobjid, d.refobjsubid, false
          FROM pg_catalog.pg_depend d
         WHERE d.classid = gone.classid AND d.objid = gone.objid AND d.objsubid = gone.objsubid
           AND d.deptype IN ('i', 'e')
     ) AS next
)
SELECT classid, objid, objsubid, bool_or(is_part), pg_describe_object(classid, objid, objsubid)
  FROM gone g
 WHERE NOT (classid = %(catalog)s::regclass AND objid = %(oid)s AND objsubid = %(part)s)
   AND NOT (objsubid <> 0 AND EXISTS (SELECT FROM gone whole WHERE whole.classid = g.classid AND whole.objid = g.objid
                                                               AND whole.objsubid = 0))
 GROUP BY classid, objid, objsubid
 ORDER BY 4, 5
"""

# What a role owns or has rights to, here by its name and elsewhere by the number of things.
_SHARED = """
SELECT coalesce(pg_describe_object(s.classid, s.objid, s.objsubid), 'something that is gone')
  FROM pg_catalog.pg_shdepend s
 WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = %(oid)s AND s.deptype <> 'i'
   AND s.dbid IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
UNION
SELECT count(*) || ' in database ' || d.datname
  FROM pg_catalog.pg_shdepend s
  JOIN pg_catalog.pg_database d ON d.oid = s.dbid AND d.datname <> current_database()
 WHERE s.refclassid = 'pg_catalog.pg_authid'::regclass AND s.refobjid = %(oid)s AND s.deptype <> 'i'
 GROUP BY d.datname
 ORDER BY 1
"""

_SESSIONS = """
SELECT coalesce(nullif(application_name, ''), 'a session') || ' of ' || coalesce(usename, 'somebody')
  FROM pg_catalog.pg_stat_activity WHERE datid = %(oid)s ORDER BY 1
"""


def read_dependents(conn: connection, found: DbObject) -> Dependents:
    """Return what DROP … CASCADE of *found* would take along, or what would make it fail. Blocks for a round trip.

    *conn* is in autocommit mode, or in a transaction. Raises psycopg2.Error.
    """
    with every_byte(conn):
        return _read(conn, found)


class Drop(Command):
    """Drops an object if nothing else goes with it than what was shown: with CASCADE only where something asks for it.

    `run` raises ChangedMeanwhile too; whatever it raises, nothing is dropped.
    """

    def __init__(
        self, client: Client, found: DbObject, shown: Dependents, holder: str, *, side: Callable[[], connection]
    ) -> None:
        super().__init__(client, drop(found, cascade=bool(shown.cascaded)), holder, side=side)
        self._found = found
        self._shown = {each.address for each in shown.cascaded}

    @override
    def _send(self, conn: connection, send: Callable[[str], cursor], text: str) -> cursor:
        if self._found.kind is _K.DATABASE:  # it refuses a transaction, and nothing of it can be seen from here
            return send(text)
        send("BEGIN")  # whatever raises from now on, giving the connection back rolls it back
        if {each.address for each in _read(conn, self._found).cascaded} - self._shown:
            raise ChangedMeanwhile
        sent = send(text)
        send("COMMIT").close()
        return sent


def _read(conn: connection, found: DbObject) -> Dependents:
    values = {"catalog": f"pg_catalog.{catalog_of(found.kind)}", "oid": found.oid, "part": found.part}
    with conn.cursor() as cursor:
        if found.kind in {_K.ROLE, _K.DATABASE}:
            cursor.execute(_SHARED if found.kind is _K.ROLE else _SESSIONS, values)
            return Dependents(blocking=tuple(dict.fromkeys(_words(conn, row[0]) for row in cursor.fetchall())))
        cursor.execute(_FOUND, values)
        return Dependents(
            tuple(
                Dependent(_words(conn, words), is_part, (classid, objid, part))
                for classid, objid, part, is_part, words in cursor.fetchall()
                if words is not None
            )
        )


def _words(conn: connection, text: str) -> str:
    return recoded(text) if has_none(conn) else text


__all__: Sequence[str] = ["ChangedMeanwhile", "Dependent", "Dependents", "Drop", "read_dependents"]
