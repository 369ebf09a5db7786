"""Values of every built-in type as SQL, extreme and generated, and the session settings that change their text."""

import itertools
import json
import math
import random
import struct

EXTREMES = r"""
NULL
''
' '
'NULL'
true
NULL::boolean
(-32768)::int2
9223372036854775807
(-9223372036854775808)
1.10::numeric(10,5)
'NaN'::numeric
'Infinity'::numeric
'-Infinity'::numeric
1e400::numeric
1e-400::numeric
10::numeric ^ 5000
'-0'::float8
'-0'::float4
'NaN'::float8
'-Infinity'::float4
1.7976931348623157e308::float8
5e-324::float8
1e-45::float4
0.1::float8 + 0.2
123456789::float4
'-92233720368547758.08'::money
92233720368547758.07::money
'infinity'::date
'-infinity'::date
'4714-11-24 BC'::date
'0044-03-15 BC'::date
'0001-01-01'::date
'5874897-12-31'::date
'infinity'::timestamp
'-infinity'::timestamptz
'4714-11-24 00:00:00 BC'::timestamp
'294276-12-31 23:59:59.999999'::timestamp
'294276-12-31 23:59:59.999999+00'::timestamptz
'4714-11-24 00:00:00+00 BC'::timestamptz
'1883-11-18 12:03:58-04:56:02'::timestamptz
'2024-03-31 02:30:00+01'::timestamptz
'2024-12-31 23:59:60'::timestamp
'24:00'::time
'23:59:60'::time
'24:00:00-15:59'::timetz
'00:00:00+15:59:59'::timetz
'0'::interval
'178000000 years'::interval
'-178000000 years'::interval
'1 mon -1 day 00:00:00.000001'::interval
'-1 mon 1 day -00:00:00.000001'::interval
'1000000000 days'::interval
'2562047788:00:54'::interval
'infinity'::interval
'{"a": 1, "a": 2,   "b": 123456789012345678901234567890.1230}'::json
'{"a": "\u0000"}'::json
'null'::json
'null'::jsonb
'{"b": 1, "a": 2, "a": 1e400, "c": 1.10}'::jsonb
'  [1 ,2]'::json
'"\u00e9\ud83d\ude00"'::jsonb
'{1,NULL,3}'::int[]
'[-1:1]={1,2,3}'::int[]
'[0:1][2:3]={{1,2},{3,NULL}}'::int[]
'{}'::text[]
ARRAY['a,b', 'c"d', 'e\f', '', 'NULL', NULL, '{}', ' ']
ARRAY['infinity'::date, '0044-03-15 BC', NULL]
ARRAY['\xff'::bytea, NULL]
ARRAY['1 mon -1 day'::interval]
ARRAY[ROW(1, 'a b')]
ROW(1, NULL, 'a b', '', ROW(2, 'x"y', '\'))
ROW()
'\x'::bytea
'\x00ff5c27'::bytea
''::"char"
'\377'::"char"
repeat('n', 63)::name
'x'::char(7)
''::char(3)
'x  '::varchar
B''
B'10101'
B'101'::varbit
'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid
'::ffff:1.2.3.4/128'::inet
'0.0.0.0/0'::cidr
'08:00:2b:01:02:03:04:05'::macaddr8
'(1e300,-0)'::point
'{1,-1,0}'::line
'[(0,0),(1,1)]'::lseg
'((0,0),(1,1),(2,0))'::path
'<(0,0),1e-10>'::circle
'empty'::int4range
'(,)'::tstzrange
'{[1,3),[5,8),(10,)}'::int8multirange
'{}'::nummultirange
'pg_class'::regclass
to_regtype('nosuch')
'integer'::regtype
'sum(integer)'::regprocedure
'+(integer,integer)'::regoperator
'english'::regconfig
'pg_catalog'::regnamespace
4294967295::oid
'(4294967295,65535)'::tid
'16/B374D848'::pg_lsn
'10:20:10,14,15'::txid_snapshot
'10:20:10,14,15'::pg_snapshot
'3'::xid
'18446744073709551615'::xid8
'a fat ''cat'':1A,2B sat:7'::tsvector
'''a b'' <2> !(cat:ab | dog:*)'::tsquery
'$.a[*] ? (@ > 1.10)'::jsonpath
'cursor "1"'::refcursor
pg_sleep(0)
E'two\nlines\r\n\ttab\b\f\v'
E'\u2028\u00a0\u200b\u202e'
'\N'
'\.'
""".strip().splitlines()

XML = [
    "'<a b=\"1\">é &amp; <![CDATA[x]]></a>'::xml",
    '\'<?xml version="1.0" encoding="latin1"?><a/>\'::xml',
    r"xmlelement(name x, '\x00ff'::bytea)",
    "xmlelement(name d, '2020-12-31'::date, 'infinity'::float8)",
]

OWN_TYPES = """
CREATE TYPE {0}.mood AS ENUM ('sad', 'it''s, "ok"', '', 'très gai');
CREATE TYPE {0}.inner_one AS (a int, "b c" text);
CREATE TYPE {0}.outer_one AS (x {0}.inner_one, y {0}.inner_one[], d date);
CREATE DOMAIN {0}.few AS numeric(6,2) CHECK (value < 1000);
CREATE DOMAIN {0}.moods AS {0}.mood[];
CREATE TYPE {0}.span AS RANGE (subtype = date);
"""

OF_OWN_TYPES = r"""
'it''s, "ok"'::{0}.mood
''::{0}.mood
'très gai'::{0}.mood
1.5::{0}.few
'{{sad,NULL,"it''s, \"ok\""}}'::{0}.moods
ROW(ROW(1, NULL), ARRAY[ROW(2, 'x"y'), NULL]::{0}.inner_one[], 'infinity')::{0}.outer_one
ROW(NULL, '{{}}', '0044-03-15 BC')::{0}.outer_one
ARRAY[ROW(ROW(1, ''), NULL, '2020-12-31')]::{0}.outer_one[]
'[2020-12-31,infinity]'::{0}.span
'empty'::{0}.span
ARRAY['[0044-03-15 BC,)'::{0}.span]
""".strip().splitlines()


def quoted(text):
    r"""Return *text* as a literal that means the same to every server and client."""
    if "\\" in text or any(ord(letter) < 32 for letter in text):
        escaped = "".join(f"\\u{ord(each):04x}" if ord(each) < 32 else each for each in text.replace("\\", "\\\\"))
        return "E'" + escaped.replace("'", "''") + "'"
    return "'" + text.replace("'", "''") + "'"


_LETTERS = "abcXYZ 019'\"\\,{}()[]<>&%:;|\t\n\r\b\f\v\x01\x7féßжλ日本😀\u0301\u200d\u2028"


class Dice:
    """Values that differ from run to run only when the seed does."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self, most=24):
        return "".join(self.random.choices(_LETTERS, k=self.random.randrange(most)))

    def date(self):
        year = self.random.choice([self.random.randint(1, 9999), self.random.randint(1, 5_874_896)])
        era = " BC" if self.random.random() < 0.2 and year < 4713 else ""
        return f"{year:04}-{self.random.randint(1, 12):02}-{self.random.randint(1, 28):02}{era}"

    def clock(self):
        digits = self.random.choice(["", f".{self.random.randrange(1, 10**6):06}", ".5"])
        return f"{self.random.randrange(24):02}:{self.random.randrange(60):02}:{self.random.randrange(60):02}{digits}"

    def moment(self):
        year = self.random.choice([self.random.randint(1, 9999), self.random.randint(1, 294_275)])
        era = " BC" if self.random.random() < 0.2 and year < 4713 else ""
        day = f"{year:04}-{self.random.randint(1, 12):02}-{self.random.randint(1, 28):02}"
        return f"{day} {self.clock()}", era

    def number(self):
        digits = str(self.random.randrange(10 ** self.random.randint(1, 50)))
        point = self.random.randrange(len(digits) + 1)
        number = f"{self.random.choice(['', '-'])}{digits[:point] or '0'}.{digits[point:] or '0'}"
        return number + self.random.choice(["", "", f"e{self.random.randint(-60, 60)}"])

    def double(self):
        while True:
            [value] = struct.unpack("<d", self.random.randbytes(8))
            if math.isfinite(value):
                return repr(value)

    def single(self):
        while True:
            [value] = struct.unpack("<f", self.random.randbytes(4))
            if math.isfinite(value) and value:
                return repr(value)

    def interval(self):
        units = ("years", "mons", "days", "hours", "mins", "secs", "microseconds")
        chosen = self.random.sample(units, self.random.randint(1, 5))
        limits = {"years": 100_000, "microseconds": 999_999}
        return " ".join(
            f"{self.random.choice(['', '-'])}{self.random.randrange(limits.get(unit, 400))} {unit}"
            for unit in sorted(chosen, key=units.index)
        )

    def tree(self, depth=0):
        kinds = ["number", "text", "null", "true"] + (["object", "array"] if depth < 3 else [])
        match self.random.choice(kinds):
            case "number":
                return f"{self.random.randrange(10**12)}.{self.random.randrange(100)}0"
            case "text":
                return json.dumps(self.text(8))
            case "object":
                members = (f'"k{self.random.randrange(3)}": {self.tree(depth + 1)}' for _ in range(3))
                return "{" + ", ".join(members) + "}"
            case "array":
                return "[" + ",  ".join(self.tree(depth + 1) for _ in range(self.random.randrange(4))) + "]"
            case word:
                return word

    def array(self, kind, make):
        return f"ARRAY[{', '.join(self.random.choice(['NULL', quoted(make())]) for _ in range(3))}]::{kind}[]"

    def expressions(self):
        """Return one value of each kind."""
        dice, zone = self.random, self.random.choice(["+00", "-03:30", "+05:45", "-15:59", "+12:15:30"])
        moment, era = self.moment()
        octets = ".".join(str(dice.randrange(256)) for _ in range(4))
        groups = ":".join(f"{dice.randrange(1 << 16):x}" for _ in range(8))
        pair = sorted(dice.sample(range(-1000, 1000), 2))
        days = sorted(f"{dice.randrange(1000, 3000)}-01-{dice.randrange(1, 28):02}" for _ in range(2))
        given = [
            (self.text(), "text"), (self.text(8), "varchar(5)"), (self.text(8), "char(9)"),
            (str(dice.randint(-(2**31), 2**31 - 1)), "int4"), (str(dice.randint(-(2**63), 2**63 - 1)), "int8"),
            (self.number(), "numeric"), (self.double(), "float8"), (self.single(), "float4"),
            (f"{dice.randint(-10**12, 10**12)}.{dice.randrange(100):02}", "numeric::money"),
            (self.date(), "date"), (moment + era, "timestamp"), (moment + zone + era, "timestamptz"),
            (self.clock(), "time"), (self.clock() + zone, "timetz"), (self.interval(), "interval"),
            ("\\x" + dice.randbytes(dice.randrange(20)).hex(), "bytea"),
            ("".join(dice.choices("01", k=dice.randint(1, 70))), "varbit"),
            (f"{octets}/{dice.randint(0, 32)}", "inet"), (groups, "inet"), (f"{octets}/32", "cidr"),
            (dice.randbytes(6).hex(":"), "macaddr"), (dice.randbytes(16).hex(), "uuid"),
            (self.tree(), "json"), (self.tree().replace("\\u0000", ""), "jsonb"),
            (f"[{pair[0]},{pair[1]}]", "int4range"), (f"({self.number()[:9].rstrip('e-')},)", "numrange"),
            (f"[{days[0]},{days[1]})", "daterange"), (f"{{[{days[0]},{days[1]}]}}", "datemultirange"),
            (f"[{days[0]} {self.clock()}{zone},)", "tstzrange"),
            (f"({self.double()},{self.single()})", "point"), (f"<({self.single()},1),{dice.random()}>", "circle"),
        ]  # fmt: skip
        found = [f"{quoted(text)}::{kind}" for text, kind in given]
        found += [
            self.array("text", self.text), self.array("date", self.date), self.array("float8", self.double),
            self.array("interval", self.interval), self.array("jsonb", lambda: json.dumps(self.text(6))),
            f"ROW({quoted(self.text())}, {quoted(self.date())}::date, NULL, {quoted(self.double())}::float8)",
        ]  # fmt: skip
        return found


def expressions(schema, *, rounds, has_xml):
    """Return SQL expressions, each a value of its own."""
    fixed = EXTREMES + (XML if has_xml else []) + [each.format(schema) for each in OF_OWN_TYPES]
    generated = itertools.chain.from_iterable(Dice(seed).expressions() for seed in range(rounds))
    return [*fixed, *generated]


def settings(monetary):
    """Return sessions: each a name and value for everything that changes how a value is written."""
    dates = [f"{style}, {order}" for style in ("ISO", "SQL", "Postgres", "German") for order in ("MDY", "DMY", "YMD")]
    cycles = {
        "DateStyle": dates,
        "IntervalStyle": ["postgres", "sql_standard", "iso_8601", "postgres_verbose"],
        "TimeZone": ["UTC", "America/St_Johns", "Asia/Kathmandu", "<X>-24:15", "Europe/Berlin", "Pacific/Apia", "-3"],
        "extra_float_digits": ["1", "-15", "0", "3", "-5"],
        "bytea_output": ["hex", "escape"],
        "xmlbinary": ["base64", "base64", "hex"],
        "lc_monetary": monetary,
    }
    return [{name: values[at % len(values)] for name, values in cycles.items()} for at in range(len(dates))]
