"""200 names that PostgreSQL takes for anything, and that whatever is careless with a name trips over.

`names()` are the same 200 in every run: distinct, not empty, without NUL, 63 bytes of UTF-8 at most, so that the server
keeps each of them whole.
"""

import random
import unicodedata

LONGEST = 63  # bytes: NAMEDATALEN less one
COUNT = 200

_BY_HAND = (
    # quotes, and what ends or begins something
    '"',
    '""',
    "'",
    "''",
    "`",
    'a"b',
    "a'b",
    'it\'s "both"',
    '"quoted"',
    "'; DROP TABLE person; --",
    '"; DROP TABLE person; --',
    "$$",
    "$1",
    "$tag$",
    "E'\\''",
    "\\",
    "a\\b",
    "\\.",
    "\\n",
    "\\x41",
    'U&"d\\0061t"',
    "--",
    "a--b",
    "/*",
    "*/",
    "/* */",
    ";",
    "a;b",
    # the marks of drivers, templates and shells
    "%",
    "%s",
    "%%",
    "%(name)s",
    "{}",
    "{0}",
    "{{}}",
    "{name!r}",
    ":name",
    ":'name'",
    "?",
    "@var",
    "&",
    "&&mnemonic",
    "&amp;",
    "<b>bold</b>",
    "<img src=x onerror=alert(1)>",
    "</p>",
    "$(rm -rf /)",
    "`id`",
    "~",
    "../../etc/passwd",
    "C:\\temp",
    "*",
    "a.b",
    ".",
    "..",
    "a.b.c",
    "a,b",
    "(a)",
    "a(integer)",
    "[1]",
    "a=b",
    "a::int",
    "->>",
    # spaces, and what looks like nothing
    " ",
    "  ",
    " a",
    "a ",
    "a b",
    "\t",
    "a\tb",
    "\n",
    "a\nb",
    "a\r\nb",
    "\r",
    "\x01",
    "\x1b[31mred",
    "\x7f",
    "\u00a0",
    "\u2003",
    "\u200b",
    "a\u200bb",
    "\ufeff",
    "\u2028",
    # letters of every width and way
    "é",
    "e\u0301",
    "Straße",
    "İstanbul",
    "ǅ",
    "ﬁ",
    "Ω",
    "你好世界",
    "日本語の表",
    "한국어",
    "עברית",
    "العربية",
    "\u202eevil",
    "a\u202eb\u202c",
    "हिन्दी",
    "😀",
    "👩‍👩‍👧‍👦",
    "🇩🇪",
    "a😀b",
    "\U0010ffff",
    "\ue000",
    # words of SQL and of others
    "select",
    "SELECT",
    "Select",
    "table",
    "user",
    "order",
    "group",
    "null",
    "NULL",
    "default",
    "true",
    "current_user",
    "all",
    "public",
    "pg_catalog",
    "ctid",
    "none",
    "None",
    "oid",
    "constraint",
    "primary",
    "1",
    "1a",
    "0x10",
    "-1",
    "1e5",
    "NaN",
    "Infinity",
    # upper and lower case
    "A",
    "AbC",
    "mixedCase",
    "ÄÖÜ",
    # as long as can be
    "x" * LONGEST,
    "X" * LONGEST,
    '"' * LONGEST,
    "'" * LONGEST,
    " " * (LONGEST - 1),
    "é" * (LONGEST // 2),
    "你" * (LONGEST // 3),
    "😀" * (LONGEST // 4),
)
_LETTERS = "aAzZ09_ .,;:'\"\\/%{}()[]<>&$#@!?*+-=|~^`\n\r\t\x01\u00a0\u200b\u202eé你😀"


def names(count: int = COUNT) -> list[str]:
    """Return *count* names: those thought of by hand, then others thrown together of the same letters."""
    dice = random.Random(20)
    found = dict.fromkeys(_BY_HAND)
    while len(found) < count:
        name = _cut("".join(dice.choice(_LETTERS) for _ in range(dice.randint(1, 40))))
        if name and not name.startswith("pg_"):  # reserved for roles and schemas
            found[name] = None
    return list(found)[:count]


def cut_to_fit(name: str, more: str) -> str:
    """Return *name* with *more* behind it, shortened to what the server keeps: for a second name made of a first."""
    return _cut(name, LONGEST - len(more.encode())) + more


def _cut(name: str, most: int = LONGEST) -> str:
    while len(name.encode()) > most:
        name = name[:-1]
    return name


def described(name: str) -> str:
    """Return *name* so that a test can be called by it: every character that cannot be seen by its number."""
    return "".join(mark if unicodedata.category(mark)[0] in "LNPS" else f"<{ord(mark):x}>" for mark in name)
