"""How long it takes to cut a script of 20,000 statements, beside sqlparse and PostgreSQL's own parser."""

import os
import statistics
import sys
import time

from pgexplorer.db.statements import split
from pgexplorer.db.tokens import lex

COUNT, REPEATS = 20_000, 5
KINDS = [
    "insert into shop.orders (id, name, note) values ({n}, 'it''s {n}; so', $$x;$$);\n",
    "update shop.orders set note = E'a\\';' where id = {n}; -- one; by one\n",
    "select a, b /* ; */ from t where (a = {n} or b->>'k' @> '{{}}') and c::int4 > 5;\n",
    "delete from shop.orders where id in (select id from gone where n = {n});\n",
]


def script(count: int = COUNT) -> str:
    return "".join(KINDS[n % len(KINDS)].format(n=n) for n in range(count))


def times(call, text: str, repeats: int) -> tuple[list[float], int]:
    found, count = [], 0
    for _ in range(repeats):
        began = time.perf_counter()
        count = len(call(text))
        found.append(time.perf_counter() - began)
    return found, count


def show(name: str, found: list[float], count: int) -> None:
    print(f"{name:26} median {statistics.median(found):8.3f} s, {min(found):.3f} to {max(found):.3f}; {count:,} pieces")


def main() -> None:
    text = script()
    print(f"{COUNT:,} statements, {len(text):,} characters; load {os.getloadavg()[0]:.2f}")
    show("db.statements.split", *times(split, text, REPEATS))
    show("db.tokens.lex", *times(lambda all_: lex(all_)[0], text, REPEATS))
    copies = "copy t from stdin;\n" * COUNT
    show("split, COPY without data", *times(split, copies, 3))
    show("split, psql's commands", *times(split, "\\d t\n" * COUNT, 3))
    import postgast

    show("postgast.parse", *times(lambda all_: postgast.parse(all_).stmts, text, REPEATS))
    import sqlparse

    if "--all" in sys.argv:
        show("sqlparse.split", *times(sqlparse.split, text, 1))
    else:
        show("sqlparse.split of a tenth", *times(sqlparse.split, script(COUNT // 10), 3))


if __name__ == "__main__":
    main()
