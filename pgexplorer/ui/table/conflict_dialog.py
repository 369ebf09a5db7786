"""Rows that others changed meanwhile, both versions of each, and what becomes of one's change: chosen row by row."""

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QRadioButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.models.conflict_model import Choice, ConflictModel, ToldRow, VersionsModel
from pgexplorer.ui import theme
from pgexplorer.ui.widgets import plain

_KEYS = {"t": Choice.THEIRS, "k": Choice.MINE, "m": Choice.MINE}


class ConflictDialog(QDialog):
    """Says `chosen` with a choice for each row, which may be left open."""

    chosen = Signal(object)  # Sequence[Choice]

    def __init__(self, parent: QWidget, rows: Sequence[ToldRow]) -> None:
        super().__init__(parent)
        self.setObjectName("conflicts")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Rows changed by others")
        self.model = ConflictModel(rows, self)
        self._versions = VersionsModel(self)
        head = _label(f"{len(rows):,} rows were changed by others since they were read")
        head.setProperty("heading", 2)
        told = _label(
            "Choose for the selected rows: T takes theirs, K keeps yours. Rows without a choice stay pending, and are "
            "told again when you send."
        )
        told.setProperty("muted", True)
        self.rows = _Rows()
        self.rows.setObjectName("conflicts.rows")
        self.rows.setAccessibleName("Rows that were changed by others")
        _dress(self.rows, self.model)
        self.rows.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.rows.choice_typed.connect(self._typed)
        self.versions = QTableView()
        self.versions.setObjectName("conflicts.versions")
        self.versions.setAccessibleName("Versions of the current row")
        _dress(self.versions, self._versions)
        self.versions.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self._theirs = QRadioButton("Take &theirs")
        self._mine = QRadioButton("&Keep mine")
        self._why = _label("")
        self._why.setProperty("muted", True)
        self._why.setObjectName("conflicts.why")
        self._group = QButtonGroup(self)
        choices = QHBoxLayout()
        for name, each, choice, tip in (
            ("theirs", self._theirs, Choice.THEIRS, "Your change of the selected rows is dropped"),
            ("mine", self._mine, Choice.MINE, "Your change is put on the rows as they are now"),
        ):
            each.setObjectName(f"conflicts.{name}")
            each.setToolTip(tip)
            each.clicked.connect(lambda _checked=False, choice=choice: self._choose(choice))
            self._group.addButton(each)
            choices.addWidget(each)
        choices.addWidget(self._why, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 12, 14, 12)
        column.setSpacing(8)
        column.addWidget(head)
        column.addWidget(told)
        column.addWidget(self.rows, 3)
        column.addWidget(self.versions, 2)
        column.addLayout(choices)
        column.addLayout(self._make_buttons())
        self.rows.selectionModel().currentRowChanged.connect(self._show_row)
        self.rows.setCurrentIndex(self.model.index(0, 0))
        self.rows.setFocus()
        self._show_chosen()
        self.setMinimumSize(theme.scaled(440), theme.scaled(380))
        self.resize(theme.scaled(720), theme.scaled(500))

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for name, words, choice in (
            ("all_theirs", "Theirs for all", Choice.THEIRS),
            ("all_mine", "Mine for all", Choice.MINE),
        ):
            each = QPushButton(words)
            each.setObjectName(f"conflicts.{name}")
            each.setAutoDefault(False)
            each.clicked.connect(lambda _checked=False, choice=choice: self._choose_all(choice))
            row.addWidget(each)
        row.addStretch(1)
        cancel = QPushButton("Cancel")
        cancel.setObjectName("conflicts.cancel")
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        self.apply = QPushButton("Apply")
        self.apply.setObjectName("conflicts.apply")
        self.apply.setProperty("primary", True)
        self.apply.setDefault(True)
        self.apply.clicked.connect(self._apply)
        row.addWidget(cancel)
        row.addWidget(self.apply)
        return row

    def _selected(self) -> list[int]:
        return sorted(index.row() for index in self.rows.selectionModel().selectedRows())

    def _choose(self, choice: Choice) -> None:
        self.model.choose(self._selected(), choice)
        self._show_chosen()

    def _typed(self, choice: Choice) -> None:
        """Choose by a key, and go on to the next row that has no choice yet."""
        selected = self._selected()
        self._choose(choice)
        following = self.model.next_open(selected[-1]) if len(selected) == 1 else None
        if following is not None and self.model.choices[selected[0]] is choice:
            self.rows.selectRow(following)

    def _choose_all(self, choice: Choice) -> None:
        self.model.choose(range(self.model.rowCount()), choice)
        self._show_chosen()

    def _show_row(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid():
            self._versions.show(self.model.told(current.row()).versions)
            self.versions.resizeColumnToContents(0)
            self._show_chosen()

    def _show_chosen(self) -> None:
        """Show the choice of the current row, and for how many there is one."""
        current = self.rows.currentIndex().row()
        choice, why = self.model.choices[current], self.model.told(current).why_no_mine
        self._group.setExclusive(False)
        self._theirs.setChecked(choice is Choice.THEIRS)
        self._mine.setChecked(choice is Choice.MINE)
        self._group.setExclusive(True)
        self._mine.setEnabled(not why)
        self._why.setText(plain.breakable(why))
        chosen, count = self.model.chosen, self.model.rowCount()
        self.apply.setText("Apply" if chosen in {0, count} else f"Apply to {chosen:,} of {count:,}")
        self.apply.setEnabled(chosen > 0)

    def _apply(self) -> None:
        self.accept()
        self.chosen.emit(tuple(self.model.choices))


class _Rows(QTableView):
    """A list in which a letter chooses."""

    choice_typed = Signal(object)  # Choice

    @override
    def keyboardSearch(self, search: str) -> None:
        if (choice := _KEYS.get(search.lower())) is not None:
            self.choice_typed.emit(choice)


def _dress(view: QTableView, model: ConflictModel | VersionsModel) -> None:
    view.setModel(model)
    view.setProperty("card", True)
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setTabKeyNavigation(False)
    view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.verticalHeader().hide()
    view.verticalHeader().setDefaultSectionSize(view.fontMetrics().height() + theme.scaled(8))
    head = view.horizontalHeader()
    head.setHighlightSections(False)
    head.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    head.setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
    head.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
    head.resizeSection(0, theme.scaled(150))
    if isinstance(model, ConflictModel):
        head.setSectionResizeMode(2, QHeaderView.ResizeMode.Fixed)
        head.resizeSection(2, theme.scaled(120))


def _label(text: str) -> QLabel:
    return QLabel(text, textFormat=Qt.TextFormat.PlainText, wordWrap=True)
