"""A text of the clipboard as a block of cells: values between tabs, quoted where they hold tabs or lines."""

import re

Block = list[list[str]]
# A cell that begins with a quotation mark is quoted only where it ends with one too: else the mark is its own.
_CELL = re.compile(r'(?:"((?:[^"]|"")*)"(?=\t|\r?\n|\r|\Z)|([^\t\r\n]*))(\t|\r?\n|\r|\Z)')


def block_of(text: str) -> Block:
    """Return the rows of *text*, each as long as it is; [] for nothing. A line end at the very end begins no row."""
    if not text:
        return []
    if '"' not in text:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
        return [line.split("\t") for line in lines]
    rows: Block = [[]]
    at = 0
    while at <= len(text):
        found = _CELL.match(text, at)
        assert found is not None  # it takes the empty text too
        quoted, plain, end = found.groups()
        rows[-1].append(plain if quoted is None else quoted.replace('""', '"'))
        at = found.end()
        if not end:
            break
        if end != "\t":
            if at == len(text):
                break
            rows.append([])
    return rows
