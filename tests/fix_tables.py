"""Tables read as the panel reads them: forwards, backwards, or in one pass."""

from pgexplorer.db.query import Done, Failed, Query, Result
from pgexplorer.db.schema import read_relations
from pgexplorer.db.table.access import Way
from pgexplorer.db.table.browse import Opened, Page, Read, To


def relations(client):
    """Return every schema's relations."""
    with client.lend("schema") as conn:
        return dict(read_relations(conn))


def relation(client, schema, name):
    """Return one relation."""
    [found] = [one for one in relations(client)[schema] if one.name == name]
    return found


def page(table, to, place=(), row=0, of=0):
    """Read one page."""
    news = list(table.read(Read(to, place, row, of)))
    assert table._client.pool.stats().used == 0
    assert isinstance(news[-1], Page)
    assert not any(isinstance(each, Opened) for each in news[1:])
    return news[-1]


def forwards(table):
    """Read the table to its end, page by page; every page comes from a check-out of its own."""
    found = [page(table, To.FIRST)]
    assert found[0].at_start
    while not found[-1].at_end:
        assert len(found[-1].rows) == table.scope.page_size
        found.append(page(table, To.AFTER, found[-1].places[-1]))
    return found


def backwards(table):
    """Read the table from its end to its beginning; the pages come as they lie."""
    found = [page(table, To.LAST)]
    assert found[0].at_end
    while not found[0].at_start:
        assert len(found[0].rows) == table.scope.page_size
        found.insert(0, page(table, To.BEFORE, found[0].places[0]))
    return found


def rows(table):
    """Return all rows, which are the same forwards and backwards."""
    if table.find_way() is Way.PASS:
        return passed(table)
    there = [row for each in forwards(table) for row in each.rows]
    assert [row for each in backwards(table) for row in each.rows] == there
    return there


def passed(table):
    """Return all rows, read in one pass."""
    query = Query(table._client, table.pass_query(), "table", side=table._side, read_only=True)
    news = list(query.run())
    assert not any(isinstance(each, Failed) for each in news), news
    assert any(isinstance(each, Done) and each.complete for each in news)
    spool = next(each.rows for each in news if isinstance(each, Result))
    try:
        return spool.window(0, spool.known)
    finally:
        spool.close()
