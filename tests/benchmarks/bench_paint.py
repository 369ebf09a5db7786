"""What a frame of the grid costs: a page, a jump, a wheel step, against the same texts painted bare.

A window of 1920 × 1080 in which 44 rows of 10 columns are in view. In each step the same rows are shown by the grid, by
a plain QTableView over the same model, and their texts are replayed: by Qt alone (a QPicture) and by a hand loop.
"""

import os
import random
import sys
import time
from collections.abc import Callable

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import bench
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPicture
from PySide6.QtWidgets import QAbstractItemView, QApplication, QHeaderView, QTableView, QWidget

from pgexplorer.db.spool import Spool
from pgexplorer.db.values import Column
from pgexplorer.models.result_model import ResultModel
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.grid import Grid

STEPS = 150
COLUMNS, SHOWN = 10, 44
WIDTH = 182
BLOCK = 100_000  # rows that are written at once
WHEEL = 3  # rows of a step of the wheel


def filled(rows: int) -> Spool:
    """Return a result of so many rows of ten columns."""
    columns = [Column(f"column_{n}", "bigint" if not n % 4 else "text") for n in range(COLUMNS)]
    spool = Spool(columns)
    dice = random.Random(1)
    lines: list[str] = []
    for n in range(min(rows, BLOCK)):
        cells = [str(n * 7 + at) if not at % 4 else f"value {dice.randrange(10**6)} of {at}" for at in range(COLUMNS)]
        cells[3] = "\\N" if not n % 10 else cells[3]
        cells[5] += " and so much more that it is cut"
        lines.append("\t".join(cells) + "\n")
    data = "".join(lines).encode()
    for _ in range(max(1, rows // BLOCK)):
        spool.file.write(data)
    spool.end()
    assert spool.known == rows, spool.why
    return spool


class Bare(QWidget):
    """Paints texts at their places and nothing else."""

    def __init__(self, size: QSize, texts: Callable[[], list[tuple[int, int, str]]]) -> None:
        super().__init__()
        self.resize(size)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._texts = texts
        self._font = theme.mono()
        self.picture: QPicture | None = None

    def record(self) -> None:
        """Keep the texts as Qt's own list of commands."""
        self.picture = QPicture()
        self._paint(QPainter(self.picture))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), theme.colour("surface"))
        if self.picture is None:
            self._paint(painter)
        else:
            self.picture.play(painter)
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setFont(self._font)
        painter.setPen(theme.colour("text"))
        for x, y, text in self._texts():
            painter.drawText(x, y, text)
        painter.end()


def shown(view: QTableView, size: QSize) -> QTableView:
    """Give *view* its columns and show it."""
    view.resize(size)
    view.show()
    QApplication.processEvents()
    for column in range(COLUMNS):
        view.setColumnWidth(column, WIDTH)
    QApplication.processEvents()
    return view


def plain_view(model: ResultModel, height: int) -> QTableView:
    """Return Qt's own table over a model that answers what it must."""
    view = QTableView()
    view.setFont(theme.mono())
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setWordWrap(False)
    rows = view.verticalHeader()
    rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    rows.setMinimumSectionSize(height)
    rows.setDefaultSectionSize(height)
    view.setModel(model)
    return view


class Frames:
    """The views of one result, and what each of them takes for a frame."""

    def __init__(self, rows: int) -> None:
        self.spool = filled(rows)
        self.model = ResultModel()
        self.model.show(self.spool)
        self.grid = Grid()
        self.grid.setModel(self.model)
        self.row = self.grid.verticalHeader().defaultSectionSize()
        self.size = QSize(1920, SHOWN * self.row + 60)
        shown(self.grid, self.size)
        self.lean = ResultModel()
        self.lean.show(self.spool)
        self.plain = shown(plain_view(self.lean, self.row), self.size)
        self.bare = Bare(self.size, self._texts)
        self.bare.show()
        QApplication.processEvents()

    def close(self) -> None:
        """Close all."""
        for each in (self.grid, self.plain, self.bare):
            each.close()
            each.deleteLater()
        QApplication.processEvents()
        self.spool.close()

    def _texts(self) -> list[tuple[int, int, str]]:
        """Return what stands in view in the grid, cut as it is cut there."""
        first = self.grid.rowAt(0)
        letters = WIDTH // 8
        return [
            (column * WIDTH + 7, number * self.row + 17, "NULL" if cell is None else cell[:letters])
            for number, line in enumerate(self.spool.window(first, SHOWN))
            for column, cell in enumerate(line)
        ]

    def go(self, view: QTableView, where: int) -> float:
        """Return the seconds until *view* shows the pixel *where* and all is painted."""
        began = time.perf_counter()
        view.verticalScrollBar().setValue(where)
        QApplication.processEvents()
        return time.perf_counter() - began

    def replay(self, *, by_qt: bool) -> float:
        """Return the seconds that the bare texts of the page in view take."""
        self.bare.picture = None
        if by_qt:
            self.bare.record()
        texts = self._texts()
        self.bare._texts = lambda: texts
        began = time.perf_counter()
        self.bare.repaint()
        took = time.perf_counter() - began
        self.bare._texts = self._texts
        return took

    def places(self, kind: str) -> list[int]:
        """Return the pixels to which a step of *kind* goes, one after the other."""
        top = self.grid.verticalScrollBar().maximum()
        dice = random.Random(3)
        if kind == "jump":
            return [dice.randrange(top) for _ in range(STEPS)]
        step = self.row * (SHOWN if kind == "page" else WHEEL)
        begin = dice.randrange(max(1, top - step * STEPS))
        return [begin + step * at for at in range(STEPS)]

    def begin(self, kind: str) -> list[int]:
        """Stand one row before the first place of *kind*, and return the places."""
        places = self.places(kind)
        for view in (self.grid, self.plain):
            view.verticalScrollBar().setValue(places[0] - self.row)
        QApplication.processEvents()
        return places


def measure(both: dict[int, Frames], kind: str) -> dict[tuple[int, str], list[float]]:
    """Return for each size and way the seconds of each step; the ways and the sizes take turns."""
    found: dict[tuple[int, str], list[float]] = {}
    places = {rows: frames.begin(kind) for rows, frames in both.items()}
    for step in range(STEPS):
        for rows, frames in both.items():
            where = places[rows][step]
            found.setdefault((rows, "grid"), []).append(frames.go(frames.grid, where))
            found.setdefault((rows, "plain QTableView"), []).append(frames.go(frames.plain, where))
            found.setdefault((rows, "replay by QPicture"), []).append(frames.replay(by_qt=True))
            found.setdefault((rows, "replay by hand"), []).append(frames.replay(by_qt=False))
    return {way: values[5:] for way, values in found.items()}


def main() -> None:
    """Print the tables."""
    bench.title("Painting")
    application = QApplication([])
    theme.apply(application, theme.Scheme.LIGHT)
    sizes = [10_000, 10_000_000] if "small" not in sys.argv else [10_000, 100_000]
    lines: list[list[object]] = []
    notes: list[str] = []
    both = {rows: Frames(rows) for rows in sizes}
    for kind in ("page", "jump", "wheel"):
        found = measure(both, kind)
        for (rows, way), values in sorted(found.items()):
            p95 = f"{bench.percentile(values, 95) * 1000:.1f}"
            ratio = bench.ratios(values, found[rows, "replay by QPicture"]).text()
            lines.append([f"{kind}, {way}, {rows:,} rows", *bench.Spread.of(values).text(1000), p95, *ratio])
        ratio = bench.ratios(found[sizes[1], "grid"], found[sizes[0], "grid"]).text()
        notes.append(f"{kind}: {sizes[1]:,} ÷ {sizes[0]:,} rows = {ratio[0]} ({ratio[1]})")
    for frames in both.values():
        frames.close()
    bench.table(["a frame of 44 × 10 cells", "ms", "p10 to p90", "p95", "× replay by QPicture", "p10 to p90"], lines)
    bench.note("\n".join(notes))


if __name__ == "__main__":
    with bench.own_home():
        main()
