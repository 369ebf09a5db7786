"""A plan as Qt sees it: as the tree that it is, and as a flat table that can be sorted by any of its figures."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from typing_extensions import override

from pgexplorer.db.plans.findings import percent, rows_in_words, wrong_by
from pgexplorer.db.plans.plan import Node, Plan
from pgexplorer.db.values import human_bytes, human_count
from pgexplorer.units import duration

Index = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()

SHARE_ROLE = Qt.ItemDataRole.UserRole + 1  # a float from 0 to 1
ICON_ROLE = Qt.ItemDataRole.UserRole + 2  # the name of the icon of what stands out; None
MUTED_ROLE = Qt.ItemDataRole.UserRole + 3
NODE, SHARE, ROWS, SELF, TOTAL, LOOPS, BUFFERS, COST = range(8)
_NAMES = ("node", "share", "rows", "own time", "total time", "loops", "buffers", "cost")
_TIPS = (
    "What the node does, and on what",
    "Its own part of the whole, without what lies below it",
    "Rows expected → rows that came, on average of a loop; × more, ÷ fewer",
    "Without what lies below it, on the clock; workers side by side count once",
    "With all that lies below it",
    "How often it ran, over all processes",
    "Found in the server's memory + asked from the system, with all that lies below it",
    "The planner's estimate: for the first row .. for all rows",
)
_ICONS = (  # by what the node's kind has in it
    ("Index", "index"),
    ("Scan", "table"),
    ("Sort", "sort-down"),
    ("Aggregate", "function"),
    ("Join", "link"),
    ("Loop", "link"),
    ("ModifyTable", "edit"),
)
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class _Cells:
    """What a node shows in each column."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        costly = max(plan.nodes, key=lambda node: node.share, default=None)
        self._costly = costly.index if costly is not None else -1

    def data(self, node: Node, column: int, role: int) -> Any:
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return _TEXTS[column](self.plan, node)
            case Qt.ItemDataRole.TextAlignmentRole:
                return _LEFT if column in {NODE, SHARE} else _RIGHT
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleTextRole:
                return self._said(node, column, role)
            case _ if role == SHARE_ROLE:
                return node.share
            case _ if role == MUTED_ROLE and column == NODE:
                return node.subplan or ("never executed" if node.is_never else "")
            case _ if role == ICON_ROLE and column == NODE:
                return self._icon(node)
            case _:
                return None

    def header(self, column: int, role: int) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            of_cost = column == SHARE and not self.plan.is_timed
            return "cost share" if of_cost else _NAMES[column]
        if role == Qt.ItemDataRole.ToolTipRole:
            return _TIPS[column]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if column in {NODE, SHARE} else _RIGHT
        return None

    def columns_without_figures(self) -> set[int]:
        """Return the columns that have nothing to say of this plan."""
        empty: set[int] = set()
        if not self.plan.is_timed:
            empty |= {SELF, TOTAL}
        if not self.plan.is_analyzed:
            empty |= {LOOPS}
        if not any(node.buffers for node in self.plan.nodes):
            empty |= {BUFFERS}
        return empty

    def _icon(self, node: Node) -> str:
        if node.index == self._costly:
            return "hourglass"
        if wrong_by(node) is not None:
            return "warning"
        if node.is_never:
            return "minus"
        return next((icon for part, icon in _ICONS if part in node.kind), "explain")

    def _said(self, node: Node, column: int, role: int) -> str | None:
        if column == NODE:
            words = [node.name, node.subplan]
            words += ["the costliest node"] if node.index == self._costly else []
            words += ["a misestimate"] if wrong_by(node) is not None else []
            return ", ".join(word for word in words if word)
        if column == ROWS:
            return rows_said(node)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{self.header(column, Qt.ItemDataRole.DisplayRole)} {_TEXTS[column](self.plan, node)}"
        return None


class PlanModel(QAbstractItemModel):
    """The tree."""

    def __init__(self, plan: Plan, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.plan = plan
        self._cells = _Cells(plan)
        self._row = {index: row for row, index in enumerate(plan.roots)}
        for node in plan.nodes:
            self._row |= {index: row for row, index in enumerate(node.children)}

    def columns_without_figures(self) -> set[int]:
        """Return the columns that have nothing to say of this plan."""
        return self._cells.columns_without_figures()

    def words(self, node: Node, column: int) -> str:
        """Return what stands in *column* of *node*, the muted words too."""
        text = str(self._cells.data(node, column, Qt.ItemDataRole.DisplayRole))
        return text + str(self._cells.data(node, column, MUTED_ROLE) or "")

    def index_of(self, node: int) -> QModelIndex:
        """Return where the node is shown."""
        return self.createIndex(self._row[node], 0, node)

    def node_at(self, index: Index) -> Node | None:
        """Return the node that is shown at *index*."""
        return self.plan.nodes[index.internalId()] if index.isValid() else None

    @override
    def index(self, row: int, column: int, parent: Index = _ROOT) -> QModelIndex:
        below = self._below(parent)
        if not (0 <= row < len(below) and 0 <= column < len(_NAMES)):
            return QModelIndex()
        return self.createIndex(row, column, below[row])

    @override
    def parent(self, child: Index) -> QModelIndex:  # type: ignore[override]
        node = self.node_at(child)
        return self.index_of(node.parent) if node is not None and node.parent >= 0 else QModelIndex()

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return len(self._below(parent)) if parent.column() <= 0 else 0

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return len(_NAMES)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node = self.node_at(index)
        return self._cells.data(node, index.column(), role) if node is not None else None

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self._cells.header(section, role) if orientation == Qt.Orientation.Horizontal else None

    def _below(self, parent: Index) -> tuple[int, ...]:
        node = self.node_at(parent)
        return node.children if node is not None else self.plan.roots


class PlanTableModel(QAbstractTableModel):
    """The nodes in a row, the costliest first until somebody sorts otherwise."""

    def __init__(self, plan: Plan, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.plan = plan
        self._cells = _Cells(plan)
        self._order = [node.index for node in plan.nodes]

    def index_of(self, node: int) -> QModelIndex:
        """Return where the node is shown."""
        return self.index(self._order.index(node), 0)

    def node_at(self, index: Index) -> Node | None:
        """Return the node that is shown at *index*."""
        return self.plan.nodes[self._order[index.row()]] if index.isValid() else None

    @override
    def rowCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._order)

    @override
    def columnCount(self, parent: Index = _ROOT) -> int:
        return 0 if parent.isValid() else len(_NAMES)

    @override
    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        node = self.node_at(index)
        return self._cells.data(node, index.column(), role) if node is not None else None

    @override
    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        return self._cells.header(section, role) if orientation == Qt.Orientation.Horizontal else None

    @override
    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by what the figures are, not by how they are written; what has none goes last, equals stay in order."""
        if not 0 <= column < len(_KEYS):
            return
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        nodes = [self._order[index.row()] for index in before]
        known = [(key, node.index) for node in self.plan.nodes if (key := _KEYS[column](node)) is not None]
        unknown = [node.index for node in self.plan.nodes if _KEYS[column](node) is None]
        known.sort(key=lambda each: each[0], reverse=order == Qt.SortOrder.DescendingOrder)
        self._order = [index for _, index in known] + unknown
        place = {node: row for row, node in enumerate(self._order)}
        after = [self.index(place[node], index.column()) for node, index in zip(nodes, before, strict=True)]
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


def rows_said(node: Node) -> str:
    """Say the rows of *node* in a sentence: expected, come, and how far apart that is."""
    expected = f"{rows_in_words(node.rows)} expected"
    if node.actual is None:
        return expected
    if node.is_never:
        return f"{expected}, never executed"
    words = f"{expected}, {rows_in_words(node.actual.rows)} came"
    words += f" on average of {node.actual.loops:,} loops" if node.actual.loops > 1 else ""
    factor = node.factor
    if factor is None or 0.5 < factor < 2:
        return words
    words += f", {factor:,.0f} times more" if factor > 1 else f", {1 / factor:,.0f} times fewer"
    if node.ends_early and factor < 1:
        words += " (what lies above may have stopped it)"
    return words


def _rows(_: Plan, node: Node) -> str:
    expected = human_count(node.rows)
    if node.actual is None:
        return expected
    if node.is_never:
        return f"{expected} → never"
    came = node.actual.rows
    came_words = f"{came:.2f}" if came < 10 and came != int(came) else human_count(came)
    factor = node.factor
    times = ""
    if factor is not None and not 0.5 < factor < 2:
        times = f"  ×{factor:,.0f}" if factor > 1 else f"  ÷{1 / factor:,.0f}"
    return f"{expected} → {came_words}{times}"


def _buffers(plan: Plan, node: Node) -> str:
    buffers = node.buffers
    parts = [human_bytes(buffers.hit * plan.block_size)]
    if buffers.read:
        parts.append(f"{human_bytes(buffers.read * plan.block_size)} read")
    if temp := buffers.temp_read + buffers.temp_written:
        parts.append(f"{human_bytes(temp * plan.block_size)} temp")
    return " + ".join(parts) if buffers else ""


def _ms(value: float | None) -> str:
    return duration(value / 1000) if value is not None else ""


_TEXTS: tuple[Callable[[Plan, Node], str], ...] = (
    lambda _, node: node.name,
    lambda _, node: percent(node.share),
    _rows,
    lambda _, node: _ms(node.actual.self_ms) if node.actual is not None else "",
    lambda _, node: _ms(node.actual.total_ms) if node.actual is not None else "",
    lambda _, node: f"{node.actual.loops:,}" if node.actual is not None else "",
    _buffers,
    lambda _, node: f"{node.startup_cost:,.0f} .. {node.total_cost:,.0f}",
)
_KEYS: tuple[Callable[[Node], Any], ...] = (
    lambda node: node.name.casefold(),
    lambda node: node.share,
    lambda node: max(node.factor, 1 / node.factor) if node.factor is not None else (None if node.actual else node.rows),
    lambda node: node.actual.self_ms if node.actual is not None else None,
    lambda node: node.actual.total_ms if node.actual is not None else None,
    lambda node: node.actual.loops if node.actual is not None else None,
    lambda node: node.buffers.hit + node.buffers.read + node.buffers.temp_read + node.buffers.temp_written,
    lambda node: node.total_cost,
)
