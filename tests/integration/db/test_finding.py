"""Text found in a whole table at the server, from any cell on, in the order in which the table is read."""

import random
import threading
from itertools import pairwise

import psycopg2
import psycopg2.errors
import pytest

from fix_facts import until
from fix_tables import forwards, relation
from pgexplorer.db.client import Client
from pgexplorer.db.table.browse import NoPages, Table
from pgexplorer.db.table.finding import Looked, Match, Wanted
from pgexplorer.db.table.ordering import Condition, Operator, Sort


class Whole:
    """A table with all its rows, of which a test knows what should be found."""

    def __init__(self, table):
        self.table = table
        pages = forwards(table)
        self.rows = [row for page in pages for row in page.rows]
        self.places = [place for page in pages for place in page.places]
        self.columns = tuple(column.name for column in table.access.shown())

    def find(self, text, row=None, column=0, *, backwards=False):
        """Return the row and the column that the server finds after a cell, and whether around the end."""
        start = None if row is None else self.places[row]
        begun = 0 if row is None else len(self.columns) - column if backwards else column + 1
        news = list(self.table.again().find(Wanted(text, self.columns, start, begun, backwards)))
        assert all(a.rows <= b.rows for a, b in pairwise(each for each in news if isinstance(each, Looked)))
        if not news or not isinstance(news[-1], Match):
            assert not news or news[-1].rows == len(self.rows)
            return None
        match = news[-1]
        found = self.places.index(match.place)
        first = (len(self.rows) - 1 if backwards else 0) if match.is_around or row is None else row
        assert abs(found - first) == match.steps
        return found, self.columns.index(match.column), match.is_around

    def expected(self, text, row=None, column=0, *, backwards=False):
        """Return the same by looking at every cell."""
        width, count = len(self.columns), len(self.rows)
        cells = [(r, c) for r in range(count) for c in range(width)]
        at = -1 if row is None else row * width + column
        behind = cells[at + 1 :], cells[: at + 1]
        if backwards:
            behind = (cells[::-1], []) if row is None else (cells[:at][::-1], cells[at:][::-1])
        for is_around, part in enumerate(behind):
            for r, c in part:
                value = self.rows[r][c]
                if text.casefold() in ("NULL" if value is None else str(value)).casefold():
                    # The rest of the current row belongs to it on both sides of the end.
                    return r, c, bool(is_around)
        return None


SORTS = [
    (),
    (Sort("name"),),
    (Sort("name", descending=True),),
    (Sort("few"), Sort("name", descending=True)),
    (Sort("few", descending=True),),
]


@pytest.fixture
def table(client, own_schema, do):
    """A table with a key, or without one."""

    def make(key="PRIMARY KEY", rows=2_500):
        do(f"""
            CREATE TABLE {own_schema}.t (id int {key}, name text, few int, mark char(3), day date);
            INSERT INTO {own_schema}.t
            SELECT n, 'Name ' || n * 7919 % 1000, nullif(n % 5, 3),
                   CASE n % 4 WHEN 0 THEN NULL ELSE chr(65 + n % 26) END, date '2020-01-01' + n
              FROM generate_series(1, {rows}) n ORDER BY md5(n::text);
            ANALYZE {own_schema}.t
        """)

        def opened(*sorts, conditions=()):
            return Whole(Table(client, relation(client, own_schema, "t"), sorts=sorts, conditions=conditions))

        return opened

    return make


@pytest.mark.parametrize("sorts", SORTS)
def test_that_the_next_match_is_found_from_any_cell_in_the_order_shown(table, sorts):
    whole = table()(*sorts)
    dice = random.Random(len(sorts))
    for text in ("name 99", "NAME 5", "2021-03", "null", "z", "17", "no such text"):
        for backwards in (False, True):
            assert whole.find(text, backwards=backwards) == whole.expected(text, backwards=backwards)
            for row in (0, len(whole.rows) - 1, dice.randrange(len(whole.rows)), dice.randrange(len(whole.rows))):
                at = row, dice.randrange(len(whole.columns))
                assert whole.find(text, *at, backwards=backwards) == whole.expected(text, *at, backwards=backwards)


def test_that_all_matches_follow_one_another_and_begin_again(table):
    whole = table()(Sort("few"))
    wanted = [
        (r, c) for r, row in enumerate(whole.rows) for c, cell in enumerate(row) if "name 12" in str(cell).lower()
    ]
    assert len(wanted) > 20
    found, at = [], (0, 0)
    for _ in wanted:
        *at, is_around = whole.find("name 12", *at)
        assert not is_around
        found.append(tuple(at))
    assert found == wanted
    assert whole.find("name 12", *at) == (*wanted[0], True)


def test_that_a_table_without_a_key_is_looked_through_by_its_blocks(table, do, own_schema):
    opened = table("", rows=30_000)
    do(f"DELETE FROM {own_schema}.t WHERE id BETWEEN 9000 AND 12000 OR id % 17 = 0")
    do(f"VACUUM {own_schema}.t")
    whole = opened()
    dice = random.Random(2)
    for text in ("name 987", "2031-11", "no such text", "12345", "zz"):
        for backwards in (False, True):
            assert whole.find(text, backwards=backwards) == whole.expected(text, backwards=backwards)
            for row in (0, len(whole.rows) - 1, *(dice.randrange(len(whole.rows)) for _ in range(4))):
                at = row, dice.randrange(5)
                assert whole.find(text, *at, backwards=backwards) == whole.expected(text, *at, backwards=backwards)


def test_that_a_filter_leaves_out_what_it_does(table):
    whole = table()(conditions=[Condition("few", Operator.EQUAL, "2")])
    assert {row[2] for row in whole.rows} == {"2"}
    for backwards in (False, True):
        assert whole.find("name 1", 10, 1, backwards=backwards) == whole.expected("name 1", 10, 1, backwards=backwards)
        assert whole.find("name 1", 10, 1, backwards=backwards) is not None


def test_that_nothing_in_the_text_is_special_and_case_is_not_told_apart(client, own_schema, do):
    do(f"""
        CREATE TABLE {own_schema}.t (id int PRIMARY KEY, v text, b bytea, j jsonb, a text[], o oid, f bool);
        INSERT INTO {own_schema}.t VALUES (1, '100 x', '\\xbeef', '{{"A": 1}}', '{{x,NULL}}', 7, true),
            (2, '100%', NULL, NULL, NULL, NULL, false), (3, 'a_b', NULL, NULL, NULL, NULL, NULL),
            (4, 'c:\\temp', NULL, NULL, NULL, NULL, NULL), (5, 'O''Neill', NULL, NULL, NULL, NULL, NULL),
            (6, 'ÉCOLE 😀', NULL, NULL, NULL, NULL, NULL), (7, '', NULL, NULL, NULL, NULL, NULL)
    """)
    whole = Whole(Table(client, relation(client, own_schema, "t")))
    told = {
        "0%": 1, "A_b": 2, "C:\\T": 3, "o'n": 4, "école": 5, "😀": 5, "BEEF": 0, '{"a"': 0, "{x,null": 0, "%%": None,
        "_": 2, "\\": 0, "'": 4, "\x00": None, "e'": None,
    }  # fmt: skip
    for text, row in told.items():
        found = whole.find(text)
        assert (None if found is None else found[0]) == row, text
    assert whole.find("f") == (0, 2, False)  # of \xbeef
    assert whole.find("f", 0, 2) == (1, 6, False)  # what the grid shows for false
    assert whole.find("école", 5, 1) == (5, 1, True)


def test_that_a_collation_that_cannot_be_searched_by_case_is_no_hindrance(client, own_schema, do, admin):
    if not admin.ask("SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu'"):
        pytest.skip("the server is built without ICU")
    do(f"""
        CREATE COLLATION {own_schema}.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE {own_schema}.t (id int PRIMARY KEY, v text COLLATE {own_schema}.loose);
        INSERT INTO {own_schema}.t VALUES (1, 'a'), (2, 'Needle')
    """)
    shown = relation(client, own_schema, "t")
    whole = Whole(Table(client, shown))
    assert whole.find("NEED") == (1, 1, False)
    filtered = Table(client, shown, conditions=[Condition("v", Operator.CONTAINS, "NEED")])
    assert [row for page in forwards(filtered) for row in page.rows] == [("2", "Needle")]


def test_that_the_rest_of_a_long_value_is_looked_through(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (id int PRIMARY KEY, v text)")
    do(f"INSERT INTO {own_schema}.t VALUES (1, 'x'), (2, repeat('x', 100000) || 'needle'), (3, 'needle')")
    whole = Whole(Table(client, relation(client, own_schema, "t")))
    assert whole.find("needle", 0, 1) == (1, 1, False)
    assert whole.find("needle", 1, 1) == (2, 1, False)


def test_that_keys_are_found_again_whatever_the_settings_write(open_pool, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (d date PRIMARY KEY, v text)")
    do(f"INSERT INTO {own_schema}.t SELECT date '2020-01-01' + n, 'v' || n FROM generate_series(1, 900) n")
    client = Client(open_pool(options="-c DateStyle=German"))
    whole = Whole(Table(client, relation(client, own_schema, "t")))
    assert whole.find(".02.2020") == (31 - 1, 0, False)
    assert whole.find("V777", 3, 0) == (776, 1, False)


def test_that_a_search_tells_how_far_it_is(client, own_schema, do):
    do(f"CREATE TABLE {own_schema}.t (id int PRIMARY KEY, v text)")
    do(f"INSERT INTO {own_schema}.t SELECT n, 'v' FROM generate_series(1, 50000) n; ANALYZE {own_schema}.t")
    table = Table(client, relation(client, own_schema, "t"))
    news = list(table.find(Wanted("needle", ("v",))))
    assert [each.rows for each in news] == [20_000, 40_000, 50_000]


def test_that_a_search_is_ended_at_the_server(client, own_schema, do, admin, side):
    do(f"CREATE TABLE {own_schema}.t (id int PRIMARY KEY, v text)")
    do(f"INSERT INTO {own_schema}.t SELECT n, 'v' FROM generate_series(1, 50000) n; ANALYZE {own_schema}.t")
    table = Table(client, relation(client, own_schema, "t"), "pg_sleep(0.01) IS NOT NULL", side=side)
    ended = []

    def work():
        try:
            list(table.find(Wanted("needle", ("v",))))
        except psycopg2.Error as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    sleeps = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE '%%FETCH 1%%'"
    until(lambda: admin.value(sleeps))
    assert [words.split()[0] for words in table.stop()] == ["Cancelling"]
    thread.join(10)
    assert [type(error) for error in ended] == [psycopg2.errors.QueryCanceled]
    assert admin.value(sleeps) == 0
    assert client.pool.stats().used == 0


def test_that_what_is_read_in_one_pass_is_not_looked_through_at_the_server(client, own_schema, do):
    do(f"CREATE VIEW {own_schema}.v AS SELECT 1 AS a")
    with pytest.raises(NoPages):
        list(Table(client, relation(client, own_schema, "v")).find(Wanted("1", ("a",))))
