"""A table read page by page, each page one short check-out: by its primary key where it has one, else by offset."""

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import connection

from pgexplorer.db.client import Client
from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.schema import Relation, TableColumn, read_columns, result_columns, table_name
from pgexplorer.db.statements import split
from pgexplorer.db.values import Column, Row, raw_cursor

PAGE = 500
_LONGEST = 1_000  # characters of a cell in the grid; a longer one is cut and marked with its size


@dataclass(frozen=True, slots=True)
class TablePage:
    """Some rows of a table; the first page brings the columns."""

    columns: tuple[Column, ...]
    rows: list[Row]
    more: bool
    key: Row | None  # the last row's primary key, where the next page begins


class Table:
    """A relation as it is browsed under one filter. Every call blocks and belongs on a worker thread."""

    def __init__(self, client: Client, relation: Relation, where: str = "") -> None:
        self._client = client
        self.relation = relation
        self.where = where.strip()
        self._columns: list[TableColumn] | None = None

    def page(self, after: Row | None = None, offset: int = 0) -> Iterator[TablePage]:
        """Yield the page after the key *after*, or after *offset* rows where there is no key.

        Raises psycopg2.Error, RefusedSql for a filter that cannot be sent, PoolError when no connection is free.
        """
        self._check_filter()
        with self._client.lend(f"table {self.relation.name}", discard=bool(self.where)) as conn:
            if self._columns is None:
                self._columns = read_columns(conn, self.relation.oid)
            columns = result_columns(self._columns)
            keys = [
                column.name for column in sorted(self._columns, key=lambda each: each.key_place) if column.key_place
            ]
            query = self._query(keys, after, offset)
            with conn.cursor() as plain:
                text = query.as_string(plain)
            with self._client.pool.running(conn, text), raw_cursor(conn) as rows:
                self._guarded(conn)
                rows.execute(query)
                page = rows.fetchall()
        more, width = len(page) > PAGE, len(columns)
        page = page[:PAGE]
        last = page[-1][width:] if page and keys else None
        yield TablePage(columns, [_cut(row[:width]) for row in page], more, last)

    def _check_filter(self) -> None:
        if "\0" in self.where:
            raise RefusedSql("The filter holds a NUL character.")
        if self.where and len(split(f"SELECT 1 WHERE ({self.where}\n)")) != 1:
            raise RefusedSql("The filter is one condition, as it stands behind WHERE.")

    @staticmethod
    def _guarded(conn: connection) -> None:
        """Open a read-only transaction: a filter is an expression that a person typed, and only reads."""
        with conn.cursor() as cursor:
            cursor.execute("BEGIN READ ONLY")

    def _query(self, keys: list[str], after: Row | None, offset: int) -> sql.Composed:
        # The columns by name, for t.* would change with the table between two pages. The key comes once more as text
        # behind them: what the grid shows may be cut.
        named = [sql.Identifier("t", name) for name in keys]
        shown = [sql.Identifier("t", column.name) for column in self._columns or ()]
        selected = sql.SQL(", ").join([*shown, *(sql.SQL("{}::text").format(name) for name in named)])
        query = sql.SQL("SELECT {} FROM {} AS t").format(selected, table_name(self.relation))
        conditions: list[sql.Composable] = []
        if self.where:
            # A line comment at the filter's end must not swallow the bracket.
            conditions.append(sql.SQL("({}\n)").format(_sql(self.where)))
        if keys and after is not None:
            # Literals, for with placeholders psycopg2 would read every % as one, those in names too.
            types = {column.name: column.type_name for column in self._columns or ()}
            last = [sql.Literal(value) + _sql(f"::{types[name]}") for name, value in zip(keys, after, strict=True)]
            conditions.append(sql.SQL("({}) > ({})").format(sql.SQL(", ").join(named), sql.SQL(", ").join(last)))
        if conditions:
            query += sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions)
        if keys:
            query += sql.SQL(" ORDER BY ") + sql.SQL(", ").join(named)
        query += _sql(f" LIMIT {PAGE + 1}")
        if not keys and offset:
            query += _sql(f" OFFSET {offset}")
        return query


def _sql(text: str) -> sql.SQL:
    """Take text as SQL: a person's own condition, a type name as the server wrote it, a number of ours."""
    return sql.SQL(text)  # type: ignore[arg-type]  # the stubs ask for a literal


def _cut(row: Row) -> Row:
    return tuple(
        f"{cell[:_LONGEST]}… ({len(cell):,} characters)" if cell is not None and len(cell) > _LONGEST else cell
        for cell in row
    )
