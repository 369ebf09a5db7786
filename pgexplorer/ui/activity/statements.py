"""The page of counted statements: what pg_stat_statements has, or how a server comes to count."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from pgexplorer.db.activity.statements import Counted, Order, Statements
from pgexplorer.models.activity_model import Head, RowsModel
from pgexplorer.ui.activity.view import RowsView
from pgexplorer.ui.sql.commands import POSTGRESQL
from pgexplorer.ui.widgets.code_view import CodeView
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.units import duration

_HEADS = (
    Head("share", is_number=True),
    Head("total", is_number=True),
    Head("calls", is_number=True),
    Head("mean", is_number=True),
    Head("rows", is_number=True),
    Head("cache", is_number=True),
    Head("role"),
    Head("database"),
    Head("statement"),
)


class StatementsPage(QWidget):
    """Shows what was read; asks nobody."""

    order_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._found: tuple[Counted, ...] = ()
        self.model = RowsModel(self)
        self.order = QComboBox()
        self.order.setObjectName("activity.order")
        self.order.setAccessibleName("What the statements are sorted by")
        for each in Order:
            self.order.addItem(f"Most {each}", each)
        self.order.currentIndexChanged.connect(self.order_changed)
        self.list = RowsView(self.model, "activity.statements", "Statements by what they took", mono={8})
        self.text = CodeView(language=POSTGRESQL)
        self.text.setObjectName("activity.statement")
        self.text.setAccessibleName("The whole statement")
        self.text.setLineWrapMode(CodeView.LineWrapMode.WidgetWidth)
        self._said = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._said.setProperty("muted", True)
        self.head = QHBoxLayout()
        self.head.setSpacing(6)
        self.head.addWidget(self.order)
        self.head.addWidget(self._said, 1)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(self.list)
        split.addWidget(self.text)
        split.setSizes([400, 130])
        full = QWidget()
        column = QVBoxLayout(full)
        column.setContentsMargins(0, 6, 0, 0)
        column.setSpacing(6)
        column.addLayout(self.head)
        column.addWidget(split, 1)
        self._nothing = EmptyState("chart", "Not read yet")
        self._how = CodeView(language=POSTGRESQL)
        self._how.setObjectName("activity.how")
        self._how.setAccessibleName("How to install it")
        missing = QWidget()
        column = QVBoxLayout(missing)
        column.setContentsMargins(0, 6, 0, 0)
        column.addWidget(self._nothing, 1)
        column.addWidget(self._how)
        self._pages = QStackedWidget()
        self._pages.addWidget(full)
        self._pages.addWidget(missing)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._pages)
        self.list.selectionModel().currentRowChanged.connect(self._choose)
        self._is_fresh = True  # whether nothing was shown yet
        self._pages.setCurrentIndex(1)
        self._how.hide()

    def wanted_order(self) -> Order:
        """Return what the statements are to be sorted by."""
        return Order(self.order.currentData())

    def show_found(self, found: Statements) -> None:
        """Show what was read, or why there is nothing and how to change that."""
        self._pages.setCurrentIndex(1 if found.missing else 0)
        if found.missing:
            said = "It counts calls, times and rows of every statement, at a cost of some percent."
            self._nothing.say("chart", found.missing, said)
            self._how.set_code(found.how)
            self._how.show()
            lines = found.how.count("\n") + 3
            self._how.setFixedHeight(lines * self._how.fontMetrics().lineSpacing())
            return
        chosen = self.list.currentIndex().row()
        self._found = found.rows
        self.model.show(_HEADS, [_cells(each) for each in found.rows])
        self.list.fit(anew=self._is_fresh)
        self._is_fresh = False
        if found.rows:
            self.list.setCurrentIndex(self.model.index(min(max(0, chosen), len(found.rows) - 1), 0))
        self._said.setText(f"{len(found.rows)} statements" if found.rows else "Nothing was counted yet.")

    def _choose(self) -> None:
        row = self.list.currentIndex().row()
        self.text.set_code(self._found[row].statement if 0 <= row < len(self._found) else "")


def _cells(each: Counted) -> tuple[str, ...]:
    hit = each.hit_percent
    return (
        f"{100 * each.share:.1f} %",
        duration(each.total_s),
        f"{each.calls:,}",
        duration(each.mean_s),
        f"{each.rows:,}",
        "" if hit is None else f"{hit:.1f} %",
        each.role,
        each.database,
        each.statement,
    )
