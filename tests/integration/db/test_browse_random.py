"""Random tables browsed forwards, backwards and by jumps, under random orders and filters, agree with psql."""

import random

import pytest

from fix_tables import page, relation, rows
from pgexplorer.db.table.access import Way
from pgexplorer.db.table.browse import Counting, Page, Read, Table, To
from pgexplorer.db.table.ordering import Condition, Operator, Sort

ROWS = 1_700
SETTINGS = {
    "DateStyle": ["ISO, MDY", "SQL, DMY", "Postgres, MDY", "German"],
    "IntervalStyle": ["postgres", "sql_standard", "postgres_verbose", "iso_8601"],
    "extra_float_digits": ["1", "0", "-5", "3"],
    "TimeZone": ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns"],
    "bytea_output": ["hex", "escape"],
}
# A column's type, and what its values are made of: n is the row's number, r a random number from 0 to 1 of the row.
KINDS = [
    ("integer", "(r * 50)::int - 25"),
    ("bigint", "(r * 1e15)::bigint"),
    ("numeric", "CASE WHEN n % 97 = 0 THEN 'NaN' ELSE round((r * 1000)::numeric, 2) END"),
    ("double precision", "CASE WHEN n % 89 = 0 THEN '-Infinity' ELSE sqrt(n) * r END"),
    ("real", "r::real"),
    (
        "text",
        "(ARRAY['', 'a', 'A', 'é', '%s', '\\', '''', ' ', '😀', 'zz'])[1 + n % 10]"
        " || CASE WHEN r < .5 THEN '' ELSE n::text END",
    ),
    ("character(4)", "left(md5(r::text), 1 + n % 4)"),
    ("date", "CASE WHEN n % 83 = 0 THEN 'infinity' ELSE date '2001-02-03' + (r * 2000)::int - n * 300 END"),
    ("timestamp with time zone", "'2020-10-25 00:00:00.123456+00'::timestamptz + r * 1e5 * interval '1 s'"),
    ("timestamp(0) without time zone", "'0044-03-15 BC'::timestamp + n * interval '1 year 1 hour'"),
    ("interval", "(n % 5 - 2) * interval '1 mon -1 day 00:00:00.5' + r * interval '1 min'"),
    ("time with time zone", "CASE WHEN n % 79 = 0 THEN '24:00+02' ELSE '10:00-03:30'::timetz + r * interval '1 h' END"),
    ("boolean", "r < .5"),
    ("uuid", "md5(r::text)::uuid"),
    ("bytea", "decode(md5(r::text), 'hex')"),
    ("inet", "'10.0.0.0'::inet + (r * 100)::int"),
    ("integer[]", "ARRAY[(r * 3)::int, NULL, n]"),
    ("jsonb", "jsonb_build_object('a', (r * 3)::int, 'b', n)"),
    ("money", "(r * 100)::numeric::money"),
]


def make(do, schema, dice, *, key):
    """Make a table of three to six columns with NULLs, gaps and dead rows; return its columns."""
    chosen = dice.sample(KINDS, dice.randint(2, 4))
    names = [f"c{at} %s" for at in range(len(chosen))]
    columns = ", ".join(f'"{name}" {kind}' for name, (kind, _) in zip(names, chosen, strict=True))
    nulls = [dice.choice([0, 0.1, 0.7]) for _ in chosen]
    values = ", ".join(
        f"CASE WHEN random() < {share} THEN NULL ELSE ({value})::{kind} END"
        for (kind, value), share in zip(chosen, nulls, strict=True)
    )
    keys = {"none": "", "one": ", PRIMARY KEY (id)", "two": ", PRIMARY KEY (part, id)", "unique": ", UNIQUE (id, part)"}
    do(f"""
        CREATE TABLE {schema}.t ({columns}, part text NOT NULL, id int NOT NULL{keys[key]});
        SELECT setseed({dice.random()});
        INSERT INTO {schema}.t SELECT {values}, chr(97 + n % 5), n FROM
            (SELECT n, random() AS r FROM generate_series(1, {ROWS}) AS n ORDER BY random()) AS s;
        DELETE FROM {schema}.t WHERE id % 13 = 0; UPDATE {schema}.t SET part = part WHERE id % 17 = 0
    """)
    if dice.random() < 0.5:
        do(f'CREATE INDEX ON {schema}.t ("{names[0]}"{dice.choice(["", " DESC"])})')
    if dice.random() < 0.7:
        do(f"ANALYZE {schema}.t")
    return [*names, "part", "id"]


def expected(psql, schema, columns, settings, where, order):
    """Return the rows as psql prints them; NULL is None."""
    begin = "".join(f"SET {name} = '{value}';" for name, value in settings.items())
    names = ", ".join(f'"{name}"' for name in columns)
    text = psql(f"{begin} SELECT {names} FROM {schema}.t{where} ORDER BY {order};")
    lines = [line.split("\x1f") for line in text.removesuffix("\n").split("\x1e") if line]
    return [tuple(None if cell == "␀" else cell for cell in line) for line in lines]


@pytest.mark.parametrize("seed", range(10))
def test_that_a_random_table_with_a_key_agrees_with_psql(client, own_schema, do, psql, admin, seed):
    dice = random.Random(seed)
    key = dice.choice(["one", "two", "unique"])
    columns = make(do, own_schema, dice, key=key)
    settings = {name: dice.choice(values) for name, values in SETTINGS.items()} if seed % 2 else {}
    [(role,)] = do("SELECT current_user")
    for name, value in settings.items():
        admin.ask(f"ALTER ROLE \"{role}\" SET {name} = '{value}'")
    try:
        refreshed(client)
        for _ in range(3):
            sorts = [Sort(name, dice.random() < 0.5) for name in dice.sample(columns[:-2], dice.randint(0, 2))]
            filtered = dice.random() < 0.4
            conditions = [Condition("part", Operator.UNEQUAL, "c")] if filtered else []
            where = "id % 3 > 0" if filtered else ""
            table = Table(client, relation(client, own_schema, "t"), where, conditions=conditions, sorts=sorts)
            down = " DESC" if sorts and sorts[-1].descending else ""
            keys = {"one": ["id"], "two": ["part", "id"], "unique": ["id", "part"]}[key]
            order = ", ".join(
                [f'"{sort.column}"{" DESC" if sort.descending else ""}' for sort in sorts]
                + [name + down for name in keys]
            )
            truth = expected(
                psql, own_schema, columns, settings, " WHERE id % 3 > 0 AND part <> 'c'" if filtered else "", order
            )
            assert table.find_way() is Way.KEY
            assert rows(table) == truth
            jump(table, truth, dice)
    finally:
        if settings:
            admin.ask(f'ALTER ROLE "{role}" RESET ALL')


@pytest.mark.parametrize("seed", range(10, 15))
def test_that_a_random_table_without_a_key_agrees_with_psql(client, own_schema, do, psql, seed):
    dice = random.Random(seed)
    columns = make(do, own_schema, dice, key="none")
    for where in ("", "id % 3 > 0", "id = 700", "false"):
        table = Table(client, relation(client, own_schema, "t"), where)
        truth = expected(psql, own_schema, columns, {}, f" WHERE {where}" if where else "", "ctid")
        assert table.find_way() is Way.BLOCKS
        assert rows(table) == truth
        jump(table, truth, dice)
    sorts = [Sort(columns[0], descending=True), Sort("id")]
    table = Table(client, relation(client, own_schema, "t"), "part > 'a'", sorts=sorts)
    assert table.find_way() is Way.PASS
    assert rows(table) == expected(psql, own_schema, columns, {}, " WHERE part > 'a'", f'"{columns[0]}" DESC, id')


def refreshed(client):
    """Have every connection begin anew: a role's settings hold from then on."""
    pool = client.pool
    held = [pool.getconn() for _ in range(pool.maxconn)]
    for conn in held:
        pool.putconn(conn, close=True)


def jump(table, truth, dice):
    """Jump about: a counted place is exact, another is where its rows really are, and goes on both ways from there."""
    for row in [0, len(truth) - 1, *(dice.randrange(max(1, len(truth))) for _ in range(3))]:
        if not 0 <= row < len(truth):
            continue
        *counts, found = table.read(Read(To.AT, row=row))
        assert all(isinstance(each, Counting) for each in counts)
        assert (found.row, found.rows) == (row, truth[row : row + table.scope.page_size])
        near = page(table, To.NEAR, row=row, of=len(truth))
        assert isinstance(near, Page)
        at = truth.index(near.rows[0])
        assert near.rows == truth[at : at + len(near.rows)]
        if not near.at_start:
            before = page(table, To.BEFORE, near.places[0])
            assert before.rows == truth[max(0, at - table.scope.page_size) : at]
            assert before.at_start == (at <= table.scope.page_size)
        if not near.at_end:
            after = page(table, To.AFTER, near.places[-1])
            begin = at + len(near.rows)
            assert after.rows == truth[begin : begin + table.scope.page_size]


@pytest.mark.parametrize(
    ("columns", "key", "sorts"),
    [
        ("n AS id", "id", []),
        ("n AS id", "id", [Sort("id", descending=True)]),
        ("sqrt(n) AS f, n AS id", "id", [Sort("f")]),
        ("date '2000-01-01' + n / 300 AS d, n AS id", "d, id", []),
        ("n % 3 AS few, n AS id", "few, id", []),
        ("nullif(n % 7, 3) AS few, n AS id", "id", [Sort("few")]),
        ("nullif(n % 7, 3) AS few, n AS id", "id", [Sort("few", descending=True)]),
        ("md5(n::text) AS t, n AS id", "t", []),
    ],
)
def test_that_a_jump_in_a_large_table_lands_near(client, own_schema, do, columns, key, sorts):
    count = 400_000
    do(f"CREATE TABLE {own_schema}.t AS SELECT {columns} FROM generate_series(1, {count}) n")
    do(f"ALTER TABLE {own_schema}.t ADD PRIMARY KEY ({key})")
    if sorts and sorts[0].column not in key:
        do(f"CREATE INDEX ON {own_schema}.t ({sorts[0].column})")
    do(f"ANALYZE {own_schema}.t")
    table = Table(client, relation(client, own_schema, "t"), sorts=sorts)
    assert table.find_way() is Way.KEY
    down = " DESC" if sorts and sorts[-1].descending else ""
    names = [f"{sort.column}{down}" for sort in sorts]
    order = ", ".join([*names, *(f"{each}{down}" for each in key.split(", ") if each not in {s.column for s in sorts})])
    ids = [id_ for (id_,) in do(f"SELECT id FROM {own_schema}.t ORDER BY {order}")]
    places = {id_: at for at, id_ in enumerate(ids)}
    for wanted in (120_000, 250_000, 399_000):
        news = list(table.read(Read(To.NEAR, row=wanted, of=count)))
        assert not any(isinstance(each, Counting) for each in news)  # nothing was counted
        found = news[-1]
        got = [int(row[-1]) for row in found.rows]
        at = places[got[0]]
        assert got == ids[at : at + len(got)]
        assert abs(at - wanted) < count * 0.05
