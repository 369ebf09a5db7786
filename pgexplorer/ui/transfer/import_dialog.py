"""The window that loads a file into a table. Panels open it through the function here."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.schema import Relation, TableColumn, read_columns
from pgexplorer.db.transfer.export import (
    Finished,
)
from pgexplorer.db.transfer.formats import Format, Options
from pgexplorer.db.transfer.layout import READABLE, Layout, Preview, guess, match, preview
from pgexplorer.db.transfer.load import Import
from pgexplorer.jobs import Jobs
from pgexplorer.server import Server
from pgexplorer.ui import icons, theme
from pgexplorer.ui.panel import show_failure
from pgexplorer.ui.transfer.dialog import DELIMITERS, TransferDialog, repolish
from pgexplorer.ui.widgets import plain
from pgexplorer.units import duration

_SETTLE = 250  # milliseconds after the last change until the preview is read again


def import_table(
    parent: QWidget, server: Server, jobs: Jobs, relation: Relation, loaded: Callable[[], object] | None = None
) -> "ImportDialog":
    """Open the import of a CSV or TSV file into *relation*; *loaded* is called when rows have come in."""
    return _shown(ImportDialog(parent, server, jobs, relation, loaded))


def _shown(dialog: "ImportDialog") -> "ImportDialog":
    dialog.show()
    return dialog


class ImportDialog(TransferDialog):
    """A file, how it is read, which column takes which value; then progress, and how many rows came in."""

    def __init__(
        self,
        parent: QWidget,
        server: Server,
        jobs: Jobs,
        relation: Relation,
        loaded: Callable[[], object] | None,
    ) -> None:
        super().__init__(parent, server, jobs, "import")
        self.setWindowTitle(f"Import into {relation.name}")
        self._relation = relation
        self._loaded = loaded
        self._columns: list[TableColumn] = []
        self._filling = False
        self._asked = 0  # which preview is the newest
        self._takers: list[QComboBox] = []
        path_row = self._path_row()
        self.path.setPlaceholderText("a CSV or TSV file")
        self.kind = self._combo(
            "format", "Format", [("CSV", Format.CSV.value), ("TSV (COPY's text)", Format.TSV.value)]
        )
        self.encoding = self._combo("encoding", "Encoding", [(words, name) for name, words in READABLE.items()])
        self.delimiter = self._combo("delimiter", "Delimiter", [(words, value) for value, words in DELIMITERS.items()])
        self._can_be_typed(self.delimiter)
        self.quote: QLineEdit = self._named(QLineEdit('"', maxLength=1), "quote", "Quote")
        self.null: QLineEdit = self._named(QLineEdit(), "null", "How NULL is written")
        self.null.setPlaceholderText("nothing")
        for edit in (self.quote, self.null):
            edit.setProperty("mono", True)
        self.header: QCheckBox = self._named(QCheckBox("The first record names the columns"), "header", "Header")
        self.rows = QTableWidget()
        self._named(self.rows, "preview", "The first rows of the file, and the columns that take them")
        self.rows.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.rows.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.rows.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.rows.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.rows.setMinimumHeight(theme.scaled(160))
        self.note = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.note.setObjectName("import.note")
        self.note.setProperty("muted", True)
        self._lay_out(path_row)
        self.go.setText("Import")
        self.go.setAccessibleName("Import")
        icons.wear(self.go, "upload", "accent_text")
        self._later = QTimer(self, interval=_SETTLE, singleShot=True)
        self._later.timeout.connect(self._look)
        self.path.textChanged.connect(self._path_changed)
        for combo in (self.kind, self.encoding):
            combo.currentIndexChanged.connect(self._changed)
        self.delimiter.currentTextChanged.connect(self._changed)
        for edit in (self.quote, self.null):
            edit.textChanged.connect(self._changed)
        self.header.toggled.connect(self._changed)
        self._guess_next = True
        self._show_preview(Preview(None, []), [])
        self._read_columns()
        self.resize(theme.scaled(760), theme.scaled(560))

    def _lay_out(self, path_row: QHBoxLayout) -> None:
        self.form = QWidget()
        whole = QVBoxLayout(self.form)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(theme.scaled(12))
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.scaled(12))
        grid.setVerticalSpacing(theme.scaled(12))
        for column, stretch in enumerate((3, 3, 2, 1, 2)):
            grid.setColumnStretch(column, stretch)
        self._under(grid, "File", path_row, 0, 0, 5)
        self._under(grid, "Format", self.kind, 1, 0)
        self._under(grid, "Encoding", self.encoding, 1, 1)
        self._separated = [
            self._under(grid, "Delimiter", self.delimiter, 1, 2),
            self._under(grid, "Quote", self.quote, 1, 3),
        ]
        self._under(grid, "NULL is", self.null, 1, 4)
        grid.addWidget(self.header, 2, 0, 1, 5)
        whole.addLayout(grid)
        whole.addWidget(self.rows, 1)
        whole.addWidget(self.note)
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.scaled(18)] * 4)
        column.setSpacing(theme.scaled(12))
        column.addWidget(self.form, 1)
        column.addWidget(self.message)
        column.addWidget(self.bar)
        column.addLayout(self._foot())

    def layout_(self) -> Layout:
        """Return how the file is read, as it stands in the form."""
        delimiter = next((value for value, words in DELIMITERS.items() if words == self.delimiter.currentText()), None)
        return Layout(
            Format(self.kind.currentData()),
            self.encoding.currentData(),
            self.delimiter.currentText() if delimiter is None else delimiter,
            self.quote.text(),
            self.header.isChecked(),
            self.null.text(),
        )

    def chosen(self) -> list[str | None]:
        """Return for each value of a record the column that takes it, None where none does."""
        return [taker.currentData() for taker in self._takers]

    @override
    def start(self) -> None:
        in_use = self._server.in_use
        if in_use is None:
            self.message.show_message("info", "Not connected", "", "Connect first; what is chosen here is kept.")
            return
        self._run(
            Import(
                in_use.client,
                self._relation,
                Path(self.path.text()).expanduser(),
                self.layout_(),
                self.chosen(),
                side=self._server.side(),
                holder=f"import {self._relation.name}",
            )
        )

    @override
    def _left_as_it_was(self) -> str:
        return "What was loaded is undone: the table stays as it was."

    @override
    def _show_finished(self, news: Finished) -> None:
        title = f"{news.proof} loaded · {duration(news.seconds)}"
        self.message.show_message(
            "warning" if news.notes else "success", title, "\n".join(news.notes), "In one transaction, committed."
        )
        self.go.setEnabled(False)  # a second click would load it twice
        if self._loaded is not None:
            self._loaded()

    def _read_columns(self) -> None:
        in_use = self._server.in_use
        if in_use is None:
            return

        def read() -> list[TableColumn]:
            with in_use.client.lend("import") as conn:
                return read_columns(conn, self._relation.oid)

        def done(columns: list[TableColumn]) -> None:
            self._columns = columns
            self._look()

        def failed(error: Exception) -> None:
            show_failure(self.message, error, self._server, self._read_columns)

        self._jobs.call(read, name="columns", done=done, failed=failed)

    @override
    def _choose(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(
            self, "Import", self.path.text(), "Tables (*.csv *.tsv *.txt *.tab);;All files (*)"
        )
        if chosen:
            self.path.setText(chosen)

    def _path_changed(self) -> None:
        self._guess_next = True
        self._later.start()

    def _changed(self) -> None:
        if not self._filling:
            self._later.start()

    def _look(self) -> None:
        """Read the file's beginning on a worker, under the layout of the form or a guessed one."""
        text = self.path.text().strip()
        self._asked += 1
        asked, guessing = self._asked, self._guess_next
        names = [column.name for column in self._columns]
        if not text:
            self._show_preview(Preview(None, []), [])
            return
        path, layout = Path(text).expanduser(), self.layout_()
        if not guessing and (problem := _layout_problem(layout)):
            self._say(problem, bad=True)
            self.go.setEnabled(False)
            return

        def read() -> tuple[Layout, Preview]:
            found = guess(path, names) if guessing else layout
            return found, preview(path, found)

        def done(found: tuple[Layout, Preview]) -> None:
            if asked == self._asked:
                self._guess_next = False
                if guessing:
                    self._fill(found[0])
                self._show_preview(found[1], names)

        def failed(error: Exception) -> None:
            if asked == self._asked:
                words = error.strerror if isinstance(error, OSError) else str(error)
                self._show_preview(Preview(None, [], f"{words}: {path}"), names)

        self._jobs.call(read, name="preview", done=done, failed=failed)

    def _fill(self, layout: Layout) -> None:
        self._filling = True
        self.kind.setCurrentIndex(self.kind.findData(layout.kind.value))
        self.encoding.setCurrentIndex(max(0, self.encoding.findData(layout.encoding)))
        place = self.delimiter.findData(layout.delimiter)
        if place >= 0:
            self.delimiter.setCurrentIndex(place)
        else:
            self.delimiter.setCurrentText(layout.delimiter)
        self.quote.setText(layout.quote)
        self.null.setText(layout.null)
        self.header.setChecked(layout.header)
        self._filling = False

    def _show_preview(self, found: Preview, names: list[str]) -> None:
        for cell in self._separated:
            cell.setVisible(self.kind.currentData() == Format.CSV.value)
        before = self.chosen()
        self.rows.clear()
        self._takers = []
        width = found.width
        self.rows.setColumnCount(width)
        self.rows.setRowCount(len(found.rows) + 1 if width else 0)
        titles = found.header if found.header is not None else []
        self.rows.setHorizontalHeaderLabels(
            [
                plain.one_line(titles[place], 40) if place < len(titles) else f"value {place + 1}"
                for place in range(width)
            ]
        )
        self.rows.setVerticalHeaderLabels(["into", *(str(number) for number in range(1, len(found.rows) + 1))])
        chosen = match(found, names)
        if len(before) == width and any(before) and before != chosen and set(filter(None, before)) <= set(names):
            chosen = before  # what a person has chosen outlives another delimiter that makes as many values
        for place in range(width):
            self.rows.setCellWidget(0, place, self._taker(place, names, chosen[place]))
            for number, row in enumerate(found.rows, 1):
                self.rows.setItem(number, place, _cell(row[place] if place < len(row) else ""))
        if width:
            self.rows.resizeColumnsToContents()
            for place in range(width):
                taker = self._takers[place]
                name = taker.fontMetrics().horizontalAdvance(taker.currentText()) + theme.scaled(84)
                wide = max(self.rows.columnWidth(place), name, theme.scaled(130))
                self.rows.setColumnWidth(place, min(wide, theme.scaled(260)))
            self.rows.setRowHeight(0, self._takers[0].sizeHint().height() + theme.scaled(6))
        self._wrong = found.wrong
        self._has_rows = bool(found.rows)
        self._judge()

    def _taker(self, place: int, names: list[str], chosen: str | None) -> QComboBox:
        choices: list[tuple[str, str | None]] = [("(left out)", None), *((name, name) for name in names)]
        taker = self._combo(f"column.{place}", f"The column that takes value {place + 1}", choices)
        taker.setCurrentIndex(max(0, taker.findData(chosen)) if chosen is not None else 0)
        taker.currentIndexChanged.connect(self._judge)
        self._takers.append(taker)
        return taker

    def _judge(self) -> None:
        """Say what stands in the way, or what will happen."""
        taken = [name for name in self.chosen() if name is not None]
        twice = next((name for name in taken if taken.count(name) > 1), None)
        missing = [each.name for each in self._columns if each.not_null and each.name not in taken]
        ready = False
        if self._wrong and not self._has_rows:
            self._say(self._wrong, bad=True)
        elif not self.path.text().strip():
            self._say("Choose a file: its beginning is shown here, and you say which column takes which value.")
        elif not self._takers:
            self._say("The file is empty.")
        elif twice is not None:
            self._say(f"The column {twice} is chosen twice.", bad=True)
        elif not taken:
            self._say("No column is chosen: give one value a column at least.", bad=True)
        else:
            ready = True
            left = sum(name is None for name in self.chosen())
            parts = [f"All of the file goes into {self._relation.schema}.{self._relation.name} in one transaction."]
            if left:
                parts.append(f"{left} of {len(self._takers)} values are left out.")
            if missing:
                parts.append(
                    f"Not filled, and not allowed to be NULL unless they have a default: {', '.join(missing)}."
                )
            if self._wrong:
                parts.append(self._wrong)
            self._say(" ".join(parts), bad=bool(self._wrong))
        self.go.setEnabled(ready)

    def _say(self, words: str, *, bad: bool = False) -> None:
        self.note.setText(words)
        self.note.setProperty("state", "bad" if bad else None)
        repolish(self.note)


def _layout_problem(layout: Layout) -> str:
    options = Options(delimiter=layout.delimiter, quote=layout.quote, null=layout.null)
    return next(iter(options.problems(layout.kind).values()), "")


def _cell(value: str | None) -> QTableWidgetItem:
    item = QTableWidgetItem("NULL" if value is None else plain.one_line(value, 80))
    if value is None:
        font = item.font()
        font.setItalic(True)
        item.setFont(font)
        item.setForeground(theme.colour("muted"))
    elif len(value) > 20:
        item.setToolTip(plain.tool_tip(value[:1000]))
    return item
