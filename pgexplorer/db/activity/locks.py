"""The locks that one session holds and waits for."""

from dataclasses import dataclass

from psycopg2.extensions import connection


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock of a session."""

    kind: str  # pg_locks.locktype: "relation", "transactionid", "tuple", …
    target: str  # what is locked, in words: "public.person"
    mode: str  # "AccessShareLock"
    is_granted: bool
    waited_s: float | None  # since when it is waited for, from PostgreSQL 14 on
    is_fast: bool  # taken without the lock manager


# A relation's number means something in its own database alone.
_LOCKS = """
SELECT l.locktype,
       CASE WHEN l.relation IS NOT NULL AND d.datname = current_database()
            THEN l.relation::regclass::text
                 || CASE WHEN l.locktype = 'tuple' THEN format(' (%%s,%%s)', l.page, l.tuple)
                         WHEN l.locktype = 'page' THEN format(' page %%s', l.page) ELSE '' END
            WHEN l.relation IS NOT NULL
            THEN format('relation %%s of %%s', l.relation, coalesce(d.datname, 'all databases'))
            WHEN l.locktype = 'virtualxid' THEN 'virtual transaction ' || l.virtualxid
            WHEN l.locktype = 'transactionid' THEN 'transaction ' || l.transactionid
            WHEN l.locktype = 'advisory' THEN format('advisory %%s', CASE WHEN l.objsubid = 1
                 THEN (l.classid::bigint << 32 | l.objid::bigint)::text ELSE format('%%s, %%s', l.classid, l.objid) END)
            WHEN l.classid IS NOT NULL THEN format('%%s %%s', l.classid::regclass, l.objid)
            ELSE l.locktype END,
       l.mode, l.granted, {waited}, l.fastpath
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_database d ON d.oid = l.database
 WHERE l.pid = %s
 ORDER BY l.granted, l.locktype <> 'relation', 2, l.mode
"""


def read_locks(conn: connection, pid: int) -> tuple[Lock, ...]:
    """Return the locks of the process *pid*, those it waits for first. One round trip."""
    since = "extract(epoch FROM clock_timestamp() - l.waitstart)::float8"
    with conn.cursor() as cursor:
        cursor.execute(_LOCKS.format(waited=since if conn.server_version >= 140_000 else "NULL::float8"), (pid,))
        return tuple(Lock(*row) for row in cursor.fetchall())
