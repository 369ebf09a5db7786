"""The windows that write rows to a file. Panels open them through the functions here."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QStandardPaths, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.rows import Picked, Rows, State
from pgexplorer.db.schema import Relation
from pgexplorer.db.table.ordering import Filter
from pgexplorer.db.transfer.export import (
    Export,
    Finished,
    QuerySource,
    RowsSource,
    Source,
    TableSource,
    TargetExists,
)
from pgexplorer.db.transfer.formats import ENCODINGS, Format, Options
from pgexplorer.db.values import Column, Row, human_bytes
from pgexplorer.jobs import Jobs
from pgexplorer.server import Server
from pgexplorer.ui import icons, theme
from pgexplorer.ui.transfer.dialog import DELIMITERS, TransferDialog, cell_of, repolish
from pgexplorer.ui.widgets import plain
from pgexplorer.units import duration

_CSV_NOTE = "A spreadsheet runs text that begins with =, +, - or @ as a formula. The guard puts ' before it."
_NOTES = {
    Format.CSV: _CSV_NOTE,
    Format.TSV: "As COPY writes it: tabs between the values, \\N for NULL, backslashes before tabs and line breaks.",
    Format.JSON_LINES: "One object a line. Numbers keep every digit; what is neither number, boolean nor JSON is text.",
    Format.INSERT: "Generated columns are left out; identity columns are written as they are.",
    Format.EXCEL: "What Excel does not hold exactly is written as text, of NULL an empty cell. 1,048,576 rows a sheet.",
    Format.PARQUET: "Numbers, dates and time stamps with their types; what Parquet has no exact type for is text.",
}


def export_table(
    parent: QWidget, server: Server, jobs: Jobs, relation: Relation, shown: Filter | None = None
) -> "ExportDialog":
    """Open the export of *relation*: all its rows, or those that the filter *shown* shows, in its order."""
    sources = _table_sources(relation, shown or Filter())
    return _shown(ExportDialog(parent, server, jobs, relation.name, sources, relation))


def export_query(
    parent: QWidget,
    server: Server,
    jobs: Jobs,
    sql: str,
    shown: Rows | None = None,
    selected: Picked | None = None,
) -> "ExportDialog":
    """Open the export of what the query *sql* returns: run again, or the rows *shown*, or those *selected* of them.

    A query that is run again can only read. Rows that are shown are read where they lie, and nothing is sent.
    """
    sources: list[tuple[str, Source]] = []
    if sql.strip():
        sources.append(("All rows of the query, which is run again and can only read", QuerySource(sql)))
    if shown is not None:
        picked = Picked(shown, [(0, shown.known)])
        more = "" if shown.state is State.COMPLETE else ", of a result that is incomplete"
        sources.insert(0 if not more else 1, (f"The {_rows(len(picked))} shown{more}", _source(picked)))
    if selected is not None:
        columns = len(selected.columns)
        words = f"The {_rows(len(selected))} selected, {columns} column{'' if columns == 1 else 's'}"
        sources.insert(0, (words, _source(selected)))  # somebody who selects means it
    return _shown(ExportDialog(parent, server, jobs, "query", sources))


def _source(picked: Picked) -> RowsSource:
    return RowsSource(picked.columns, picked, len(picked))


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def export_rows(
    parent: QWidget,
    server: Server,
    jobs: Jobs,
    columns: Sequence[Column],
    rows: Iterable[Row],
    count: int | None = None,
    name: str = "rows",
) -> "ExportDialog":
    """Open the export of rows that are here, for example what is selected. *rows* is read once, on a worker thread."""
    words = f"{_rows(count)} selected" if count is not None else "The selected rows"
    return _shown(ExportDialog(parent, server, jobs, name, [(words, RowsSource(columns, rows, count))]))


def _table_sources(relation: Relation, shown: Filter) -> list[tuple[str, Source]]:
    whole: tuple[str, Source] = (f"The whole {relation.kind.word}", TableSource(relation))
    if shown:
        words = f"What the filter shows:  {plain.one_line(shown.words, 60)}"
    elif shown.sorts:
        words = f"The whole {relation.kind.word}, in the order shown"
    else:
        return [whole]
    return [(words, TableSource(relation, shown)), whole]


def _shown(dialog: "ExportDialog") -> "ExportDialog":
    dialog.show()
    return dialog


class ExportDialog(TransferDialog):
    """Format, options and path; then progress, and a line that says how many of how many rows are in the file."""

    def __init__(
        self,
        parent: QWidget,
        server: Server,
        jobs: Jobs,
        name: str,
        sources: list[tuple[str, Source]],
        relation: Relation | None = None,
    ) -> None:
        super().__init__(parent, server, jobs, "export")
        self.setWindowTitle(f"Export {name}")
        self._relation = relation
        self._target: Path | None = None
        self._overwrite = False
        self.source = self._combo("source", "What is exported", [(words, each) for words, each in sources])
        self.format = self._combo("format", "Format", [(kind.words, kind.value) for kind in Format])
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        stem = "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in name).strip(". ") or "rows"
        self._folder = Path(folder) if folder and Path(folder).is_dir() else Path.home()
        path_row = self._path_row()
        self.path.setText(str(self._folder / f"{stem}.csv"))
        self._make_options()
        self.note = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self.note.setObjectName("export.note")
        self.note.setProperty("muted", True)
        self.form = QWidget()
        grid = QGridLayout(self.form)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.scaled(12))
        grid.setVerticalSpacing(theme.scaled(12))
        for column in range(4):
            grid.setColumnStretch(column, 1)
        self._under(grid, "What", self.source, 0, 0, 4)
        self._under(grid, "Format", self.format, 1, 0, 2)
        self._cells = {"encoding": self._under(grid, "Encoding", self.encoding, 1, 2, 2)}
        row = QWidget()
        self._text_row = row
        of_text = QHBoxLayout(row)  # in which what is hidden leaves no gap
        of_text.setContentsMargins(0, 0, 0, 0)
        of_text.setSpacing(theme.scaled(12))
        for field, words, widget in (
            ("delimiter", "Delimiter", self.delimiter),
            ("quote", "Quote", self.quote),
            ("null", "NULL is written as", self.null),
            ("table", "Table in the script", self.table),
        ):
            self._cells[field] = cell_of(words, widget)
            of_text.addWidget(self._cells[field], 1)
        grid.addWidget(row, 2, 0, 1, 4)
        grid.addWidget(self._checks, 3, 0, 1, 4)
        grid.addWidget(self.note, 4, 0, 1, 4)
        self._under(grid, "File", path_row, 5, 0, 4)
        self.show_folder = self._button("show_folder", "Show in folder", "")
        self.show_folder.hide()
        self.show_folder.clicked.connect(self._show_in_folder)
        icons.wear(self.show_folder, "folder-open")
        column = QVBoxLayout(self)
        column.setContentsMargins(*[theme.scaled(18)] * 4)
        column.setSpacing(theme.scaled(12))
        column.addWidget(self.form)
        column.addWidget(self.message)
        column.addStretch(1)
        column.addWidget(self.bar)
        foot = self._foot()
        foot.insertWidget(1, self.show_folder)
        column.addLayout(foot)
        self.go.setText("Export")
        self.go.setAccessibleName("Export")
        icons.wear(self.go, "download", "accent_text")
        self.format.currentIndexChanged.connect(self._format_chosen)
        self.delimiter.currentTextChanged.connect(self._check)
        for edit in (self.path, self.quote, self.null, self.table):
            edit.textChanged.connect(self._check)
        self._format_chosen()
        self.resize(theme.scaled(640), self.sizeHint().height())

    def _make_options(self) -> None:
        self.encoding = self._combo("encoding", "Encoding", [(words, name) for name, words in ENCODINGS.items()])
        self.delimiter = self._combo("delimiter", "Delimiter", [(words, value) for value, words in DELIMITERS.items()])
        self._can_be_typed(self.delimiter)
        self.quote: QLineEdit = self._named(QLineEdit('"', maxLength=1), "quote", "Quote")
        self.null: QLineEdit = self._named(QLineEdit(), "null", "How NULL is written")
        for edit in (self.quote, self.null):
            edit.setProperty("mono", True)
        name = self._relation.name if self._relation is not None else "exported"
        self.table: QLineEdit = self._named(QLineEdit(name), "table", "The table's name in the script")
        self.header: QCheckBox = self._named(QCheckBox("Names of the columns first"), "header", "Header")
        self.quote_all: QCheckBox = self._named(QCheckBox("Quote every value"), "quote_all", "Quote every value")
        self.guard: QCheckBox = self._named(QCheckBox("Guard against formulas"), "guard", "Guard against formulas")
        self.guard.setToolTip(_CSV_NOTE)
        self.header.setChecked(True)
        self._checks = QWidget()
        row = QHBoxLayout(self._checks)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.scaled(18))
        for box in (self.header, self.quote_all, self.guard):
            row.addWidget(box)
        row.addStretch(1)

    @property
    def kind(self) -> Format:
        """The format chosen."""
        return Format(self.format.currentData())

    def options(self) -> Options:
        """Return the options as they stand in the form."""
        delimiter = next((value for value, words in DELIMITERS.items() if words == self.delimiter.currentText()), None)
        table = (self.table.text(),)
        if self._relation is not None and self.table.text() == self._relation.name:
            table = (self._relation.schema, self._relation.name)
        return Options(
            header=self.header.isChecked(),
            delimiter=self.delimiter.currentText() if delimiter is None else delimiter,
            quote=self.quote.text(),
            quote_all=self.quote_all.isChecked(),
            null=self.null.text(),
            encoding=self.encoding.currentData(),
            guard=self.guard.isChecked(),
            table=table,
        )

    @override
    def start(self) -> None:
        in_use = self._server.in_use
        if in_use is None:
            self.message.show_message("info", "Not connected", "", "Connect first; what is chosen here is kept.")
            return
        self.show_folder.hide()
        self._target = Path(self.path.text()).expanduser()
        source: Source = self.source.currentData()
        holder = f"export {self.windowTitle().removeprefix('Export ')}"
        overwrite, self._overwrite = self._overwrite, False
        self._run(
            Export(
                in_use.client,
                source,
                self.kind,
                self._target,
                self.options(),
                side=self._server.side(),
                holder=holder,
                overwrite=overwrite,
            )
        )

    @override
    def _left_as_it_was(self) -> str:
        return "Nothing is written; a file of this name stays as it was."

    @override
    def _show_finished(self, news: Finished) -> None:
        title = f"{news.proof} · {human_bytes(news.bytes)} · {duration(news.seconds)}"
        notes = "\n".join(news.notes)
        self.message.show_message("warning" if news.notes else "success", title, notes, str(news.path))
        self.show_folder.show()

    @override
    def _failed(self, error: Exception) -> None:
        if not isinstance(error, TargetExists):
            super()._failed(error)
            return
        self.said.setText("")
        words = error.error
        # When the job has ended: only then can the next one begin.
        self.message.show_message("warning", words.title, words.detail, words.hint, [("Replace it", self._replace)])

    def _replace(self) -> None:
        self._overwrite = True
        self.start()

    @override
    def _choose(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(
            self,
            "Export to",
            self.path.text(),
            f"{self.kind.words} (*{self.kind.suffix});;All files (*)",
            options=QFileDialog.Option.DontConfirmOverwrite,  # the export asks
        )
        if chosen:
            self.path.setText(chosen)

    def _show_in_folder(self) -> None:
        if self._target is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._target.parent)))

    def _format_chosen(self) -> None:
        kind = self.kind
        is_csv, is_text = kind is Format.CSV, kind not in {Format.EXCEL, Format.PARQUET}
        for name in ("delimiter", "quote"):
            self._cells[name].setVisible(is_csv)
        self._cells["null"].setVisible(kind in {Format.CSV, Format.TSV})
        self._cells["table"].setVisible(kind is Format.INSERT)
        self._cells["encoding"].setVisible(is_text)
        self._text_row.setVisible(kind in {Format.CSV, Format.TSV, Format.INSERT})
        self.header.setVisible(kind in {Format.CSV, Format.TSV, Format.EXCEL})
        self.quote_all.setVisible(is_csv)
        self.guard.setVisible(kind in {Format.CSV, Format.EXCEL})
        self._checks.setVisible(kind in {Format.CSV, Format.TSV, Format.EXCEL})
        self.null.setText("\\N" if kind is Format.TSV else "")
        self.null.setPlaceholderText("nothing" if is_csv else "")
        path = Path(self.path.text())
        if path.suffix in {each.suffix for each in Format}:
            self.path.setText(str(path.with_suffix(kind.suffix)))
        self._check()

    def _check(self) -> None:
        kind = self.kind
        problems = self.options().problems(kind)
        if kind is Format.INSERT and not self.table.text():
            problems["table"] = "The script needs the name of a table."
        if not self.path.text().strip():
            problems["path"] = "Say which file."
        note = _NOTES[kind]
        if kind is Format.TSV and self.null.text() != "\\N":
            note = "This format cannot quote: a value that reads like the text for NULL comes back as NULL."
        self.note.setText(next(iter(problems.values()), note))
        self.note.setProperty("state", "bad" if problems else None)
        repolish(self.note)
        fields = {"delimiter": self.delimiter, "quote": self.quote, "null": self.null, "table": self.table}
        for name, widget in (fields | {"path": self.path}).items():
            if bool(widget.property("invalid")) != (name in problems):
                widget.setProperty("invalid", name in problems)
                repolish(widget)
        self.go.setEnabled(not problems)
