"""What filters and orders a table, as it is typed, chosen and shown: the field, the chips, the dialog."""

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QDialog, QLineEdit, QWidget

from pgexplorer.db.table.ordering import Condition, Filter, Sort
from pgexplorer.ui.table.condition_dialog import ConditionDialog
from pgexplorer.ui.widgets.chips import Chip, Chips

Shown = tuple[str, list[Condition], list[Sort]]  # what rows on screen are under


class TableFilter(QObject):
    """Which rows of a table are wished for, in which order. `changed` says that it is to be read again."""

    changed = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._parent = parent
        self.conditions: list[Condition] = []
        self.sorts: list[Sort] = []
        self.names: list[str] = []  # of the columns
        self.where = QLineEdit(placeholderText="WHERE …   e.g. last_name ilike 'a%'", clearButtonEnabled=True)
        self.where.setObjectName("table.where")
        self.where.setAccessibleName("Filter: a condition as it stands behind WHERE")
        self.where.setProperty("mono", True)
        self.where.returnPressed.connect(self.changed)
        self.chips = Chips("table.chips")
        self.chips.setAccessibleName("Conditions and order")
        self.chips.chosen.connect(self._edit_chip)
        self.chips.removed.connect(self._remove_chip)

    def now(self) -> Shown:
        """Return what is wished for."""
        return self.where.text().strip(), list(self.conditions), list(self.sorts)

    def restore(self, shown: Shown) -> None:
        """Wish for *shown*, without a word."""
        where, self.conditions, self.sorts = shown[0], list(shown[1]), list(shown[2])
        if self.where.text().strip() != where:
            self.where.setText(where)
        self.show_chips()

    @property
    def is_filtered(self) -> bool:
        """Whether not all rows are wished for."""
        return bool(self.where.text().strip() or self.conditions)

    def as_filter(self) -> Filter:
        """Return it as the database room takes it."""
        return Filter(self.where.text().strip(), tuple(self.conditions), tuple(self.sorts))

    def sort(self, name: str, order: Qt.SortOrder | None, *, beside: bool) -> None:
        """Order by the column *name*, *beside* those that order already; None for not at all."""
        kept = [sort for sort in self.sorts if beside and sort.column != name]
        if order is not None:
            kept.append(Sort(name, order is Qt.SortOrder.DescendingOrder))
        self.sorts = kept
        self.changed.emit()

    def marks(self) -> list[tuple[int, Qt.SortOrder]]:
        """Return the columns that order the rows, as a head shows them."""
        places = {name: at for at, name in enumerate(self.names)}
        return [
            (places[sort.column], Qt.SortOrder.DescendingOrder if sort.descending else Qt.SortOrder.AscendingOrder)
            for sort in self.sorts
            if sort.column in places
        ]

    def add(self, condition: Condition, at: int | None = None) -> None:
        """Filter by *condition* too, in place of the one *at*."""
        if at is None or at >= len(self.conditions):
            if condition not in self.conditions:
                self.conditions.append(condition)
        else:
            self.conditions[at] = condition
        self.changed.emit()

    def clear(self) -> None:
        """Wish for all rows, in no order."""
        self.where.clear()
        self.conditions, self.sorts = [], []
        self.changed.emit()

    def ask(self, start: Condition, at: int | None = None) -> None:
        """Ask for a condition, beginning with *start*, to be put in place of the one *at*."""
        dialog = ConditionDialog(self._parent, self.names, start)

        def done(code: int) -> None:
            if code == QDialog.DialogCode.Accepted:
                self.add(dialog.condition(), at)
            dialog.deleteLater()

        dialog.finished.connect(done)
        dialog.open()

    def show_chips(self) -> None:
        """Show the conditions and the order."""
        self.chips.show_chips(
            [
                *(Chip(each.words, "filter", f"{each.words}: change it") for each in self.conditions),
                *(
                    Chip(
                        each.column,
                        "arrow-down" if each.descending else "arrow-up",
                        f"Sorted by {each.column}, {'descending' if each.descending else 'ascending'}: turn it round",
                    )
                    for each in self.sorts
                ),
            ]
        )

    def _edit_chip(self, number: int) -> None:
        if number < len(self.conditions):
            self.ask(self.conditions[number], number)
        else:
            at = number - len(self.conditions)
            sort = self.sorts[at]
            self.sorts[at] = Sort(sort.column, not sort.descending)
            self.changed.emit()

    def _remove_chip(self, number: int) -> None:
        if number < len(self.conditions):
            del self.conditions[number]
        else:
            del self.sorts[number - len(self.conditions)]
        self.changed.emit()
