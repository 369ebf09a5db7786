"""A table as it is browsed, under one filter and in one order; each page is one short check-out."""

import contextlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg2 import sql
from psycopg2.extensions import connection

from pgexplorer.db.cancel import Running
from pgexplorer.db.client import Client
from pgexplorer.db.encoding import every_byte, has_none, recoded
from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.schema import Relation, table_name
from pgexplorer.db.spool import Spool
from pgexplorer.db.table.access import Access, Way, read_access
from pgexplorer.db.table.editable import Editable, read_editable
from pgexplorer.db.table.finding import Looked, Match, Wanted, find
from pgexplorer.db.table.ordering import Condition, Filter, Sort, quoted, raw
from pgexplorer.db.table.pages import (
    LONGEST,
    PAGE,
    ByBlocks,
    ByKey,
    Counting,
    OneRow,
    Page,
    Place,
    Read,
    Reader,
    Scope,
    Session,
    To,
)
from pgexplorer.db.table.references import References, read_references
from pgexplorer.db.values import Column, Row, raw_cursor

__all__ = ["LONGEST", "PAGE", "Counting", "NoPages", "Opened", "Page", "Read", "Table", "To"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What is known before the first page."""

    columns: tuple[Column, ...]
    rows: int  # about how many rows there are under the filter, by the planner


News = Opened | Counting | Page


class NoPages(RefusedSql):
    """A relation that can only be read in one pass, which is another query."""


class Table:
    """A relation as it is browsed, under one filter and in one order.

    Every call but `stop` blocks and belongs on a worker thread, one at a time. What is read is read as one snapshot a
    page: rows that others change meanwhile are seen as they are when their page is read.
    """

    def __init__(
        self,
        client: Client,
        relation: Relation,
        where: str = "",
        *,
        conditions: Sequence[Condition] = (),
        sorts: Sequence[Sort] = (),
        side: Callable[[], connection] | None = None,
    ) -> None:
        self._client = client
        self._side = side
        self.relation = relation
        self.filter = Filter(where.strip(), tuple(conditions), tuple(sorts))
        self._access: Access | None = None
        self._opened = False
        self._statistics: dict[str, list[Row]] = {}
        self._key_at: tuple[int, ...] | None = None  # which parts of a place are the key
        self._running: Running | None = None
        self._stopped = False

    # -- what is known

    @property
    def access(self) -> Access:
        """How it can be read. Raises RuntimeError before the first page."""
        if self._access is None:
            raise RuntimeError("nothing was read yet")
        return self._access

    @property
    def is_known(self) -> bool:
        """Whether it was looked at, so that `access` tells."""
        return self._access is not None

    def find_way(self) -> Way:
        """Look at the relation, and return how its pages are found. Blocks.

        Raises what `read` raises.
        """
        self.filter.check()
        with self._client.lend(self._holder) as conn:
            self._access = read_access(conn, self.relation)
        return self._access.way(self.filter.sorts)

    def knows_places(self, before: "Table") -> bool:
        """Look at the relation, and return whether *before*, the same one earlier, named places as this does. Blocks.

        A key may have come, gone or changed meanwhile. Raises what `read` raises.
        """
        self.find_way()
        return self.names_places_as(before)

    def names_places_as(self, other: "Table") -> bool:
        """Whether *other*, the same relation, names places as this does; False where one of them was not read yet."""
        if not (self.is_known and other.is_known):
            return False
        way = self.access.way(self.filter.sorts)
        if other.access.way(other.filter.sorts) is not way:
            return False
        if way is not Way.KEY:
            return True
        return self.access.order(self.filter.sorts).terms == other.access.order(other.filter.sorts).terms

    def pass_query(self) -> str:
        """Return the SELECT that reads all of it in one pass: for a view, or for an order that no index serves."""
        names = [sql.Identifier("t", column.name) for column in self.access.columns]
        query = raw("SELECT ") + sql.SQL(", ").join(names) + raw(" FROM ") + table_name(self.relation) + raw(" AS t")
        query += self.filter.tail()
        with self._client.lend(self._holder) as conn:
            return query.as_string(conn)

    @property
    def scope(self) -> Scope:
        """Which of its rows are read, and in which order. Raises RuntimeError before the first page."""
        parts = self.filter.parts()
        return Scope(self.relation, self.access, self.filter.sorts, parts, statistics=self._statistics)

    # -- reading

    def read(self, wanted: Read) -> Iterator[News]:
        """Yield what is known before the first page, how far a count is, and the page.

        Raises psycopg2.Error, RefusedSql for a filter that cannot be sent or a relation without a way to pages,
        PoolError when no connection is free.
        """
        self.filter.check()
        with self.lent() as on:
            if self.access.way(self.filter.sorts) is Way.PASS:
                raise NoPages("It has no key by which pages could be found.")
            self._begin(on)
            if not self._opened:
                estimate = self._estimate(on)
                self._opened = True
                yield Opened(self.access.shown(), estimate)
            yield from self._reader(on, self.scope).read(wanted)

    def span(self, start: Read, count: int, into: Spool) -> Iterator[Counting]:
        """Read *count* rows whole from a place on into *into*, which the caller ends; yield how far it is.

        Raises what `read` raises, and Stopped when *into* takes no more.
        """
        self.filter.check()
        with self.lent() as on:
            if self.access.way(self.filter.sorts) is Way.PASS:
                raise NoPages("It has no key by which pages could be found.")
            self._begin(on)
            reader = self._reader(on, replace(self.scope, is_whole=True))
            wanted, done = start, 0
            while done < count:
                page: Page | None = None
                for news in reader.read(wanted):
                    if isinstance(news, Counting):
                        yield Counting(done, 0.0)
                    else:
                        page = news
                if page is None or not page.rows:
                    return
                into.append(page.rows[: count - done])
                done += min(len(page.rows), count - done)
                yield Counting(done, done / count)
                if page.at_end:
                    return
                wanted = Read(To.AFTER, page.places[-1])

    def count(self) -> int:
        """Count the rows under the filter. Blocks for as long as the server takes; `stop` ends it."""
        self.filter.check()
        with self.lent() as on:
            self._begin(on)
            [[count]] = on.ask(self.scope.rows([raw("count(*)")]))
            return int(count or 0)

    def find(self, wanted: Wanted) -> Iterator[Looked | Match]:
        """Look for a text in its rows; yield how far that is and, where it is found, the cell.

        Reads as many rows as lie before the text, all of them where it is nowhere. Raises what `read` raises.
        """
        self.filter.check()
        if "\0" in wanted.text:
            return
        with self.lent(f"find in {self.relation.schema}.{self.relation.name}") as on:
            if self.access.way(self.filter.sorts) is Way.PASS:
                raise NoPages("It has no key by which its rows could be found.")
            self._begin(on)
            yield from find(self.scope, on, wanted)

    def value(self, place: Row, column: str) -> tuple[bool, str | None]:
        """Return whether the row at *place* is still there, and its whole value in *column*."""
        with self.lent() as on:
            self._begin(on)
            query = sql.SQL("SELECT {} FROM {} AS t WHERE ").format(
                sql.Identifier("t", column), table_name(self.relation)
            )
            found = on.ask(query + self.same_row(place))
            if len(found) != 1:
                return False, None
            cell = found[0][0]
            return True, recoded(cell) if cell is not None and on.is_ascii else cell

    @property
    def has_key(self) -> bool:
        """Whether its rows are found by a key."""
        return self.access.way(self.filter.sorts) is Way.KEY

    def facts(self) -> Editable:
        """Return what can be changed in it. Blocks; raises what `read` raises."""
        with self._client.lend(self._holder) as conn:
            access = self._access = self._access or read_access(conn, self.relation)
            return read_editable(conn, self.relation, access.oid, has_versions=access.has_versions)

    def references(self) -> References:
        """Return its foreign keys, both ways. Blocks; raises what `read` raises."""
        with self._client.lend(self._holder) as conn:
            access = self._access = self._access or read_access(conn, self.relation)
            return read_references(conn, access.oid)

    def identity(self, place: Row) -> Row:
        """Return what tells the row at *place* from all others, under any order: its key, or its place on the disk."""
        if self._key_at is None:
            terms = self.access.order(self.filter.sorts).terms if self.has_key else ()
            keys = set(self.access.key)
            self._key_at = tuple(at for at, term in enumerate(terms) if term.column in keys)
        return tuple(place[at] for at in self._key_at) if self._key_at else tuple(place)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The columns of `identity`, in its order; () where rows are told by their place on the disk."""
        if not self.has_key:
            return ()
        keys = set(self.access.key)
        return tuple(term.column for term in self.access.order(self.filter.sorts).terms if term.column in keys)

    def place_of(self, values: Mapping[str, str | None], marks: Row) -> Place:
        """Return the place of a row by its *values*, and the version of it that was read; without a key by "ctid"."""
        if not self.has_key:
            return Place((values["ctid"],), marks)
        terms = self.access.order(self.filter.sorts).terms
        return Place(tuple(values.get(term.column) for term in terms), marks)

    def rows_at(self, places: Sequence[Row]) -> list[Row | None]:
        """Return the rows at *places* as a page has them; None for those that are gone. Blocks: a round trip each."""
        found: list[Row | None] = []
        with self.lent() as on:
            self._begin(on)
            one = OneRow(self.scope)
            query = sql.SQL("SELECT {} FROM {} AS t WHERE ").format(one.shown, table_name(self.relation))
            for place in places:
                rows = on.ask(query + self.same_row(place))
                found.append(one.take(rows[0], on)[0] if len(rows) == 1 else None)
        return found

    def key_of_place(self) -> Sequence[tuple[int, sql.Composable, str]]:
        """Return what finds a row again: which parts of its place, the columns that they are of, and their types."""
        if not self.has_key:
            return ((0, raw("t.ctid"), "tid"),)
        terms, keys = self.access.order(self.filter.sorts).terms, set(self.access.key)
        return [(at, term.name, term.type_name) for at, term in enumerate(terms) if term.column in keys]

    def same_row(self, place: Row) -> sql.Composable:
        """Return the condition that finds the row at *place* again."""
        if self.access.way(self.filter.sorts) is Way.KEY:
            terms = self.access.order(self.filter.sorts).terms
            keys = set(self.access.key)
            pairs = zip(terms, place, strict=True)
            return sql.SQL(" AND ").join([term.same(text) for term, text in pairs if term.column in keys])
        return raw("t.ctid = ") + quoted(place[0] or "") + raw("::tid")

    @property
    def client(self) -> Client:
        """Whom it borrows through."""
        return self._client

    def again(self, client: Client | None = None, side: Callable[[], connection] | None = None) -> "Table":
        """Return the same, through *client* if given, for another piece of work that may be stopped by itself.

        *side* is what opens a connection beside another pool.
        """
        same = Table(
            client or self._client,
            self.relation,
            self.filter.where,
            conditions=self.filter.conditions,
            sorts=self.filter.sorts,
            side=side or self._side,
        )
        same._access, same._opened = self._access, self._opened
        return same

    def stop(self) -> Iterator[str]:
        """End what is being read. Yields each rung of the ladder in words; blocks for seconds."""
        self._stopped = True
        if self._running is not None and self._side is not None:
            yield from self._running.stop(self._side)

    # -- inside

    @property
    def _holder(self) -> str:
        return f"table {self.relation.name}"

    @contextlib.contextmanager
    def lent(self, label: str = "") -> Generator[Session]:
        """Lend a connection for some work on it, which `stop` ends; what is still open then is rolled back.

        *label* says in the pool's view what runs. Raises RefusedSql once it was stopped, and what `read` raises.
        """
        if self._stopped:
            raise RefusedSql("Stopped.")
        with self._client.lend(self._holder, discard=bool(self.filter.where)) as conn:
            running = self._running = Running(conn)
            try:
                if self._access is None:  # which may wait behind somebody's lock
                    self._access = read_access(conn, self.relation)
                if self._stopped:  # while a connection was waited for
                    raise RefusedSql("Stopped.")
                with every_byte(conn), raw_cursor(conn) as rows:
                    reads = f"SELECT … FROM {self.relation.schema}.{self.relation.name}"
                    with self._client.pool.running(conn, label or reads):
                        yield Session(conn, rows, running, has_none(conn))
            finally:
                running.finish()
                self._running = None

    def _reader(self, on: Session, scope: Scope) -> Reader:
        return (ByKey if self.access.way(self.filter.sorts) is Way.KEY else ByBlocks)(scope, on)

    @staticmethod
    def _begin(on: Session) -> None:
        """Open a read-only transaction: a filter is an expression that a person typed, and only reads."""
        with on.conn.cursor() as cursor:
            cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    def _estimate(self, on: Session) -> int:
        """Ask the planner how many rows it expects: at once, on a table of any size."""
        [[plan]] = on.ask(raw("EXPLAIN (FORMAT JSON) ") + self.scope.rows([]))
        return max(0, int(json.loads(plan or "")[0]["Plan"]["Plan Rows"]))
