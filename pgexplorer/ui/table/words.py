"""What is said of where one is in a table, and of how it is read."""

from pgexplorer.db.schema import Kind
from pgexplorer.db.values import human_count
from pgexplorer.ui.table.reader import TableReader


def where_words(reader: TableReader, first: int, last: int) -> str:
    """Say which rows are in sight, the view's *first* to *last*, of how many, and how long the first took."""
    count = reader.model.rowCount()
    times = f"first rows {reader.first_ms:.0f} ms"
    if reader.is_pass:
        rows = reader.whole.rows()
        more = {"more": " so far", "cut": " (not all)"}.get(rows.state.value, "")
        return f"{rows.known:,} row{'' if rows.known == 1 else 's'}{more} · {times}"
    stretch = reader.pages.stretch
    total = f"{stretch.estimate:,}" if stretch.is_counted else f"≈ {human_count(stretch.estimate)}"
    first, last = reader.pages.base(first), reader.pages.base(last)
    if stretch.is_counted and count <= last - first + 1:
        return f"{count:,} row{'' if count == 1 else 's'} · {times}"
    about = "" if stretch.is_exact else "≈ "
    here = f"{about}{stretch.number(first) + 1:,}–{stretch.number(last) + 1:,}"
    return f"rows {here} of {total} · {times}"


def why_pass(kind: Kind, *, is_sorted: bool) -> str:
    """Say why a relation is read from its beginning."""
    if kind in {Kind.VIEW, Kind.FOREIGN}:
        return f"A {kind.word} has no key by which its rows could be found again: it is read from its beginning."
    if is_sorted:
        return "No index has this order: it is read from its beginning."
    return "There is no key by which its rows could be found again: it is read from its beginning."
