"""How soon a long script is on the screen, and what a key costs in it.

Compared with a plain QPlainTextEdit, and with pygments' PostgresLexer over the same text where pygments is installed.
"""

import os
import statistics
import time

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from pgexplorer.db import statements, tokens
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.sql_editor import Language, SqlEditor

LINES, KEYS, REPEATS = 10_000, 300, 5
SQL = Language(
    tokens.styled,
    tokens.next_state,
    lambda text, start: ((each.start, each.stop) for each in statements.statements(text, start)),
)
_BLOCK = """-- What customer {n} bought, /* not nested here */
with bought as (
    select c.id, c.name, sum(o.total)::numeric(12,2) as total, count(*) as "Number of orders"
      from shop.customers c join shop.orders o on o.customer_id = c.id
     where o.at between '2026-01-{d:02d}' and now() and o.state <> all (array['lost', E'it\\'s {n}'])
     group by c.id /* a comment */
)
select * from bought where total > {n}.50 and data->>'x' @> '{{}}' order by total desc limit 10;
insert into shop.notes (id, note) values ({n}, $$a note; with 'quotes'$$), ({n}, 'it''s');

"""


def script() -> str:
    text = "".join(_BLOCK.format(n=n, d=n % 28 + 1) for n in range(LINES // 10))
    assert text.count("\n") == LINES
    return text


def opened(make, text: str) -> tuple[float, float]:
    """Return the seconds until the text is painted for the first time, and until nothing is left to do."""
    editor = make()
    editor.resize(1000, 700)
    editor.show()
    editor.setFocus()
    QApplication.processEvents()
    began = time.perf_counter()
    editor.setPlainText(text)
    editor.repaint()
    editor.viewport().repaint()
    painted = time.perf_counter() - began
    longest = 0.0
    deadline = time.perf_counter() + 60
    while isinstance(editor, SqlEditor) and time.perf_counter() < deadline:
        turn = time.perf_counter()
        QApplication.processEvents()
        longest = max(longest, time.perf_counter() - turn)
        if not (editor.highlighter.is_busy or editor.statements.is_busy or editor._read_timer.isActive()):
            break
    close(editor)
    return painted, longest


def close(editor) -> None:
    editor.hide()
    editor.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def keys(make, text: str, line: int, before: str = "") -> tuple[list[float], list[float], float]:
    """Return the seconds of each of many keys, painting included, and the longest turn of the event loop between.

    First by the clock, then of the processor, which a busy machine changes less.
    """
    editor = make()
    editor.resize(1000, 700)
    editor.show()
    editor.setFocus()
    editor.setPlainText(text)
    cursor = editor.textCursor()
    cursor.setPosition(editor.document().findBlockByNumber(line).position())
    editor.setTextCursor(cursor)
    editor.ensureCursorVisible()
    if before:
        cursor.insertText(before)
    until = time.perf_counter() + 1.5
    while time.perf_counter() < until:
        QApplication.processEvents()
    times, busy, longest = [], [], 0.0
    typed = [*"select a /* b */ from t where 'x' = ", Qt.Key.Key_Backspace, "'", Qt.Key.Key_Return]
    for number in range(KEYS):
        key = typed[number % len(typed)]
        began, began_busy = time.perf_counter(), time.process_time()
        if isinstance(key, str):
            QTest.keyClicks(editor, key)
        else:
            QTest.keyClick(editor, key)
        QCoreApplication.sendPostedEvents()  # what it made dirty is painted
        times.append(time.perf_counter() - began)
        busy.append(time.process_time() - began_busy)
        until = time.perf_counter() + 0.012  # the pace of somebody who types fast enough to interrupt every slice
        while time.perf_counter() < until:
            turn = time.perf_counter()
            QApplication.processEvents()
            longest = max(longest, time.perf_counter() - turn)
    assert editor.document().lineCount() >= LINES
    close(editor)
    return sorted(times), sorted(busy), longest


def ms(seconds: float) -> str:
    return f"{seconds * 1000:7.2f} ms"


def main() -> None:
    app = QApplication.instance() or QApplication([])
    theme.apply(app, theme.Scheme.LIGHT)
    text = script()
    print(f"{LINES:,} lines, {len(text):,} characters; load {os.getloadavg()[0]:.2f}")
    kinds = {"SqlEditor": lambda: SqlEditor(SQL), "QPlainTextEdit": QPlainTextEdit}
    for name, make in kinds.items():
        runs = [opened(make, text) for _ in range(REPEATS)]
        first, longest = [one for one, _ in runs], max(one for _, one in runs)
        print(
            f"open  {name:15} median {ms(statistics.median(first))}, {ms(min(first))} to {ms(max(first))}; "
            f"longest turn after it {ms(longest)}"
        )
    places = [("first line", 0, ""), ("middle", LINES // 2, ""), ("last line", LINES - 1, "")]
    places += [("in an open comment at the top", 0, "/* "), ("in an open quote in the middle", LINES // 2, "'")]
    for name, make in kinds.items():
        for place, line, before in places:
            times, busy, longest = keys(make, text, line, before)
            print(
                f"key   {name:15} {place:31} p50 {ms(times[KEYS // 2])}, p95 {ms(times[KEYS * 95 // 100])}, "
                f"max {ms(times[-1])}; processor p95 {ms(busy[KEYS * 95 // 100])}; "
                f"longest turn between {ms(longest)}"
            )
    began = time.perf_counter()
    tokens.lex(text)
    print(f"lex   tokens.lex      the whole text {ms(time.perf_counter() - began)}")
    state = ""
    began = time.perf_counter()
    for line in text.split("\n"):
        state = tokens.next_state(line, state)
    print(f"lex   next_state      line by line   {ms(time.perf_counter() - began)}")
    try:
        from pygments.lexers import PostgresLexer
    except ImportError:
        print("pygments is not installed")
        return
    began = time.perf_counter()
    for _ in PostgresLexer().get_tokens(text):
        pass
    print(f"lex   PostgresLexer   the whole text {ms(time.perf_counter() - began)}")


if __name__ == "__main__":
    main()
