"""Every value is the server's own text: what psql prints, and NULL told apart from the empty text."""

import pytest

from pgexplorer.db.query import Result
from pgexplorer.db.values import raw_cursor

EXPRESSIONS = """
NULL
''
' '
'NULL'
true
false
NULL::boolean
0
-1
9223372036854775807
(-9223372036854775808)
1.10
1.10::numeric(10,5)
'NaN'::numeric
'Infinity'::numeric
'-Infinity'::numeric
1e400::numeric
(10::numeric ^ 1000)
123456789012345678901234567890.123456789
'-0'::float8
'NaN'::float8
'-Infinity'::float8
1e308::float8
5e-324::float8
0.1::float4
0.1::float8 + 0.2
'12.34'::money
'infinity'::date
'-infinity'::date
'infinity'::timestamp
'-infinity'::timestamptz
'0044-03-15 BC'::date
'4713-01-01 BC'::timestamp
'5874897-12-31'::date
'10000-01-01'::date
'294276-12-31 23:59:59.999999'::timestamp
'294276-12-31 23:59:59.999999+00'::timestamptz
'0001-01-01 00:00:00+00'::timestamptz
'1883-11-18 12:03:58-04:56:02'::timestamptz
'2024-02-29 23:59:59.5-11:30'::timestamptz
'24:00'::time
'23:59:59.999999'::time
'24:00:00-15:59'::timetz
'1 mon -1 day'::interval
'1 mon -1 day 00:00:00.000001'::interval
'178000000 years'::interval
'1000000000 days'::interval
'-1 year +2 mons -3 days +04:05:06.789'::interval
'{1,NULL,3}'::int[]
'[-1:1]={1,2,3}'::int[]
'{{1,2},{3,4}}'::int[]
'{}'::text[]
ARRAY['a,b', 'c"d', 'e\\f', '', 'NULL', NULL]
ARRAY['infinity'::date, '0044-03-15 BC']
ARRAY[true, NULL]
ARRAY['1 mon -1 day'::interval]
ARRAY['\\xff'::bytea]
ARRAY[1.10, 'NaN'::numeric]
'{"a": 1, "a": 2,   "b": 123456789012345678901234567890}'::json
'{"a": 1, "a": 2,   "b": 1.10}'::jsonb
'null'::json
'null'::jsonb
'"\\u00e9\\ud83d\\ude00"'::json
'[1, "x", null]'::jsonb
'\\x'::bytea
'\\x00ff5c27'::bytea
decode(repeat('00ff', 100), 'hex')
'a\tb' || E'\\t\\r' || 'c'
E'two\\nlines'
E'\\u2028\\u00a0\\u200b'
'😀 é ẞ 👩‍🔬'
'x'::char(5)
'x'::"char"
''::"char"
'name'::name
'abc'::varchar(2)
B'10101'
B'101'::varbit
'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid
'10.0.0.1/8'::inet
'10.0.0.0/8'::cidr
'::1'::inet
'08:00:2b:01:02:03'::macaddr
'08:00:2b:01:02:03:04:05'::macaddr8
'(1,2)'::point
'((0,0),(1,1))'::box
'<(0,0),1.5>'::circle
'((0,0),(1,1),(2,0))'::polygon
'{1,-1,0}'::line
'[1,10)'::int4range
'empty'::int4range
'(,)'::tsrange
'{[1,3),[5,8)}'::int4multirange
ROW(1, NULL, 'a b', '')
ROW(1, ROW(2, 'x"y'))
'pg_class'::regclass
'integer'::regtype
'a fat cat'::tsvector
'fat & (cat | dog)'::tsquery
'16/B374D848'::pg_lsn
'$.a[*] ? (@ > 1)'::jsonpath
42::oid
'(0,1)'::tid
txid_current() > 0
pg_sleep(0)
""".strip().splitlines()


def only(query):
    """Run a query and return the rows of its last result."""
    last = [each for each in query.run() if isinstance(each, Result)][-1].rows
    return last.window(0, last.known)


def test_that_every_value_is_what_psql_prints(psql, query):
    expected = psql("".join(f"SELECT {text};\n\\echo \x1d\n" for text in EXPRESSIONS)).split("\n\x1d\n")[:-1]
    expected = [text.removesuffix("\x1e") for text in expected]
    assert len(expected) == len(EXPRESSIONS) >= 60
    for kind in ("", "CREATE TEMP TABLE IF NOT EXISTS pg_temp.t (a int); "):
        cells = [only(query(f"{kind}SELECT {text}"))[0][0] for text in EXPRESSIONS]
        assert all(cell is None or type(cell) is str for cell in cells)
        shown = ["␀" if cell is None else cell for cell in cells]
        assert dict(zip(EXPRESSIONS, shown, strict=True)) == dict(zip(EXPRESSIONS, expected, strict=True))


def test_that_values_of_a_plain_statement_are_the_same_text(query, own_schema):
    values = ["'infinity'::date", "'1 mon -1 day'::interval", "'{1,NULL}'::int[]", "'\\xff'::bytea", "NULL", "''"]
    text = f"EXPLAIN SELECT 1; CREATE TABLE {own_schema}.t (a int); INSERT INTO {own_schema}.t VALUES (1) "
    text += f"RETURNING {', '.join(values)}"
    assert only(query(text)) == [("infinity", "1 mon -1 days", "{1,NULL}", "\\xff", None, "")]


@pytest.mark.parametrize("style", ["SQL, DMY", "German", "Postgres, MDY", "ISO, YMD"])
def test_that_dates_are_shown_in_the_sessions_own_style(query, style):
    text = f"SET datestyle = '{style}'; SELECT date '2020-12-31', '-infinity'::timestamptz"
    [(date, end)] = only(query(text))
    assert "2020" in date
    assert end == "-infinity"


def test_that_reading_text_leaves_the_connections_own_values_alone(client):
    with client.lend("SQL 1") as conn:
        with raw_cursor(conn) as raw:
            raw.execute("SELECT 1, true, NULL, '{1}'::int[]")
            assert raw.fetchall() == [("1", "t", None, "{1}")]
        with conn.cursor() as plain:
            plain.execute("SELECT 1, true, NULL, '{1}'::int[]")
            assert plain.fetchall() == [(1, True, None, [1])]
