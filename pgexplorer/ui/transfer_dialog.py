"""The windows that write rows to a file and load a file into a table. Panels open them through the functions here."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QStandardPaths, Qt, QTimer, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLayout,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.errors import ServerError
from pgexplorer.db.formats import ENCODINGS, Format, Options
from pgexplorer.db.layout import READABLE, Layout, Preview, guess, match, preview
from pgexplorer.db.load import Import
from pgexplorer.db.schema import Relation, TableColumn, read_columns
from pgexplorer.db.transfer import (
    Export,
    Finished,
    News,
    Progress,
    QuerySource,
    RowsSource,
    Source,
    Stopped,
    TableSource,
    TargetExists,
    TransferFailed,
)
from pgexplorer.db.values import Column, Row, human_bytes
from pgexplorer.jobs import Job, Jobs
from pgexplorer.server import Server
from pgexplorer.ui import icons, theme
from pgexplorer.ui.ask import ask
from pgexplorer.ui.panel import show_failure
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.message_bar import MessageBar
from pgexplorer.units import duration

_STEPS = 1000
_SETTLE = 250  # milliseconds after the last change until the preview is read again
_DELIMITERS = {",": "comma  ,", ";": "semicolon  ;", "\t": "tab", "|": "bar  |"}
_CSV_NOTE = "A spreadsheet runs text that begins with =, +, - or @ as a formula. The guard puts ' before it."
_NOTES = {
    Format.CSV: _CSV_NOTE,
    Format.TSV: "As COPY writes it: tabs between the values, \\N for NULL, backslashes before tabs and line breaks.",
    Format.JSON_LINES: "One object a line. Numbers keep every digit; what is neither number, boolean nor JSON is text.",
    Format.INSERT: "Generated columns are left out; identity columns are written as they are.",
    Format.EXCEL: "What Excel does not hold exactly is written as text, of NULL an empty cell. 1,048,576 rows a sheet.",
    Format.PARQUET: "Numbers, dates and time stamps with their types; what Parquet has no exact type for is text.",
}


def export_table(parent: QWidget, server: Server, jobs: Jobs, relation: Relation, where: str = "") -> "ExportDialog":
    """Open the export of *relation*: all its rows, or those that the filter *where* shows."""
    name = relation.name
    return _opened(ExportDialog(parent, server, jobs, name, [*_table_sources(relation, where)], relation))


def export_query(parent: QWidget, server: Server, jobs: Jobs, sql: str) -> "ExportDialog":
    """Open the export of what the query *sql* returns. The query is run again, and can only read."""
    words = "All rows of the query, which is run again and can only read"
    return _opened(ExportDialog(parent, server, jobs, "query", [(words, QuerySource(sql))]))


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
    words = f"{count:,} selected row{'' if count == 1 else 's'}" if count is not None else "The selected rows"
    return _opened(ExportDialog(parent, server, jobs, name, [(words, RowsSource(columns, rows, count))]))


def import_table(
    parent: QWidget, server: Server, jobs: Jobs, relation: Relation, loaded: Callable[[], object] | None = None
) -> "ImportDialog":
    """Open the import of a CSV or TSV file into *relation*; *loaded* is called when rows have come in."""
    return _opened(ImportDialog(parent, server, jobs, relation, loaded))


def _opened(dialog: Any) -> Any:
    dialog.show()
    return dialog


def _table_sources(relation: Relation, where: str) -> list[tuple[str, Source]]:
    whole: tuple[str, Source] = (f"The whole {relation.kind.word}", TableSource(relation))
    if not where.strip():
        return [whole]
    return [(f"What the filter shows:  {plain.one_line(where.strip(), 60)}", TableSource(relation, where)), whole]


class _Transfer(QDialog):
    """What both windows share: a job with its progress, a way to stop it, and a line that tells the result."""

    def __init__(self, parent: QWidget, server: Server, jobs: Jobs, name: str) -> None:
        super().__init__(parent.window())  # it outlives the tab that it was opened from
        self.setObjectName(name)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._server = server
        self._jobs = jobs
        self._name = name
        self._work: Any = None
        self._job: Job | None = None
        self._closing = False
        self.message = MessageBar(self)
        self.message.setObjectName(f"{name}.message")
        self.bar = QProgressBar(textVisible=False, maximum=_STEPS)
        self.bar.setObjectName(f"{name}.progress")
        self.bar.setProperty("thin", True)
        self.bar.setAccessibleName("Progress")
        self.said = ElidedLabel()
        self.said.setObjectName(f"{name}.said")
        self.said.setProperty("muted", True)
        self.go = self._button("go", "", "primary")
        self.halt = self._button("stop", "Stop", "")
        icons.wear(self.halt, "stop")
        self.away = self._button("close", "Close", "")
        self.go.clicked.connect(self.start)
        self.halt.clicked.connect(self.stop)
        self.away.clicked.connect(self.reject)
        self.go.setDefault(True)
        self.halt.hide()
        self.bar.hide()

    @property
    def is_running(self) -> bool:
        """Whether the work is under way."""
        return self._job is not None

    def start(self) -> None:
        """Begin the work."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the work; what was there before stays."""
        if self._work is None:
            return
        self.halt.setEnabled(False)
        self._jobs.start(self._work.stop, name=f"stop the {self._name}", yielded=self.said.setText)

    @override
    def reject(self) -> None:
        # Escape, the button and the window's own way to close all come here, the last through closeEvent.
        if not self.is_running:
            super().reject()
        elif not self._closing and ask(self, f"Stop the {self._name}?", self._left_as_it_was()):
            if not self.is_running:  # it ended while the question stood there
                super().reject()
                return
            self._closing = True
            self.stop()

    @override
    def closeEvent(self, arg__1: QCloseEvent) -> None:
        if self.is_running:
            arg__1.ignore()
            self.reject()
        else:
            super().closeEvent(arg__1)

    def _left_as_it_was(self) -> str:
        raise NotImplementedError

    def _run(self, work: Any) -> None:
        self._work = work
        self.message.clear()
        self.said.setText("Starting…")
        self.bar.setRange(0, 0)
        self._show_running(True)
        self._job = self._jobs.start(
            work.run, name=self._name, yielded=self._hear, failed=self._failed, ended=self._ended
        )

    def _hear(self, news: News) -> None:
        if isinstance(news, Progress):
            self._show_progress(news)
        elif isinstance(news, Stopped):
            self.said.setText("")
            self.message.show_message("info", f"Stopped after {news.rows:,} rows.", "", self._left_as_it_was())
        else:
            self.said.setText("")
            self._show_finished(news)

    def _show_progress(self, news: Progress) -> None:
        parts = [f"{news.rows:,} rows", human_bytes(news.bytes), f"{news.rate:,.0f} rows/s"]
        if news.finishing:
            parts.append("writing the file…")
        elif news.left is not None and news.seconds > 1:
            parts.append(f"about {duration(news.left)} left")
        self.bar.setRange(0, _STEPS if news.share is not None and not news.finishing else 0)
        if news.share is not None:
            self.bar.setValue(int(news.share * _STEPS))
        if self.halt.isEnabled():
            self.said.setText(" · ".join(parts))

    def _show_finished(self, news: Finished) -> None:
        raise NotImplementedError

    def _failed(self, error: Exception) -> None:
        self.said.setText("")
        if isinstance(error, TransferFailed):
            words: ServerError = error.error
            self.message.show_message("error", words.heading, words.detail, words.hint)
        else:
            show_failure(self.message, error, self._server, self.start)

    def _ended(self) -> None:
        self._job = None
        self._work = None
        self._show_running(False)
        if self._closing:
            self.reject()

    def _show_running(self, running: bool) -> None:
        self.bar.setVisible(running)
        self.go.setVisible(not running)
        self.halt.setVisible(running)
        self.halt.setEnabled(running)
        self.form.setEnabled(not running)
        (self.halt if running else self.away).setFocus()

    form: QWidget

    def _button(self, name: str, text: str, style: str) -> QPushButton:
        made = QPushButton(text)
        made.setObjectName(f"{self._name}.{name}")
        made.setAccessibleName(text)
        made.setAutoDefault(False)
        if style:
            made.setProperty(style, True)
        return made

    def _named(self, widget: Any, name: str, words: str) -> Any:
        widget.setObjectName(f"{self._name}.{name}")
        widget.setAccessibleName(words)
        return widget

    def _combo(self, name: str, words: str, choices: Iterable[tuple[str, Any]]) -> QComboBox:
        combo: QComboBox = self._named(QComboBox(), name, words)
        for text, value in choices:
            combo.addItem(text, value)
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(6)
        return combo

    @staticmethod
    def _can_be_typed(combo: QComboBox) -> None:
        combo.setEditable(True)
        combo.setMinimumContentsLength(11)
        # A text that is set would be shown by its end.
        edit = combo.lineEdit()
        if edit is not None:
            combo.currentIndexChanged.connect(lambda: QTimer.singleShot(0, edit, lambda: edit.setCursorPosition(0)))

    def _under(
        self, grid: QGridLayout, words: str, widget: QWidget | QLayout, row: int, column: int, span: int = 1
    ) -> QWidget:
        cell = _cell_of(words, widget)
        grid.addWidget(cell, row, column, 1, span)
        return cell

    def _foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.scaled(8))
        row.addWidget(self.said, 1)
        for each in (self.halt, self.go, self.away):
            row.addWidget(each)
        return row


class ExportDialog(_Transfer):
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
        self.path: QLineEdit = self._named(QLineEdit(), "path", "File")
        folder = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        stem = "".join(letter if letter.isalnum() or letter in "-_. " else "_" for letter in name).strip(". ") or "rows"
        self._folder = Path(folder) if folder and Path(folder).is_dir() else Path.home()
        self.path.setText(str(self._folder / f"{stem}.csv"))
        browse = self._button("browse", "Choose…", "")
        browse.clicked.connect(self._choose)
        icons.wear(browse, "folder-open")
        path_row = QHBoxLayout()
        path_row.setSpacing(theme.scaled(8))
        path_row.addWidget(self.path, 1)
        path_row.addWidget(browse)
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
            self._cells[field] = _cell_of(words, widget)
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
        self.delimiter = self._combo("delimiter", "Delimiter", [(words, value) for value, words in _DELIMITERS.items()])
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
        delimiter = next((value for value, words in _DELIMITERS.items() if words == self.delimiter.currentText()), None)
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
        _repolish(self.note)
        fields = {"delimiter": self.delimiter, "quote": self.quote, "null": self.null, "table": self.table}
        for name, widget in (fields | {"path": self.path}).items():
            if bool(widget.property("invalid")) != (name in problems):
                widget.setProperty("invalid", name in problems)
                _repolish(widget)
        self.go.setEnabled(not problems)


class ImportDialog(_Transfer):
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
        self.path: QLineEdit = self._named(QLineEdit(), "path", "File")
        self.path.setPlaceholderText("a CSV or TSV file")
        browse = self._button("browse", "Choose…", "")
        browse.clicked.connect(self._choose)
        icons.wear(browse, "folder-open")
        path_row = QHBoxLayout()
        path_row.setSpacing(theme.scaled(8))
        path_row.addWidget(self.path, 1)
        path_row.addWidget(browse)
        self.kind = self._combo(
            "format", "Format", [("CSV", Format.CSV.value), ("TSV (COPY's text)", Format.TSV.value)]
        )
        self.encoding = self._combo("encoding", "Encoding", [(words, name) for name, words in READABLE.items()])
        self.delimiter = self._combo("delimiter", "Delimiter", [(words, value) for value, words in _DELIMITERS.items()])
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
        delimiter = next((value for value, words in _DELIMITERS.items() if words == self.delimiter.currentText()), None)
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
        _repolish(self.note)


def _cell_of(words: str, widget: QWidget | QLayout) -> QWidget:
    """Return a field with its words above it."""
    cell = QWidget()
    box = QVBoxLayout(cell)
    box.setContentsMargins(0, 0, 0, 0)
    box.setSpacing(theme.scaled(4))
    label = QLabel(words)
    label.setProperty("muted", True)
    box.addWidget(label)
    if isinstance(widget, QWidget):
        label.setBuddy(widget)
        box.addWidget(widget)
    else:
        box.addLayout(widget)
    return cell


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


def _repolish(widget: QWidget) -> None:
    widget.style().unpolish(widget)
    widget.style().polish(widget)
