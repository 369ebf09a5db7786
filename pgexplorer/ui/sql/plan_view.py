"""A plan to read: its tree or its table, what stands out, all that is known of a node, and the server's own words."""

import heapq
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QTabBar,
    QTableView,
    QTreeView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer import sql_file
from pgexplorer.db.plans.findings import Finding, Weight, percent
from pgexplorer.db.plans.plan import Node, Plan
from pgexplorer.db.values import human_bytes
from pgexplorer.jobs import Jobs
from pgexplorer.models import plan_model
from pgexplorer.models.plan_model import PlanModel, PlanTableModel, rows_said
from pgexplorer.sql_file import Style
from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.name_delegate import NameDelegate
from pgexplorer.ui.widgets.share_delegate import ShareDelegate
from pgexplorer.units import duration

_TREE, _TABLE, _ASIDE, _TEXT, _JSON = range(5)
_PAGES = ("Tree", "Table", "Findings", "Text", "JSON")  # the findings stand beside the others where there is room
_FITTED = 40  # rows to which the columns are fitted
_NARROW = 640  # pixels, at the usual text size, below which there is none
_KINDS = "JSON (*.json);;Text (*.txt)"
_ICONS = {Weight.COSTLY: "hourglass", Weight.WARNING: "warning", Weight.HINT: "info"}
_DETAIL_ROLE, _ICON_ROLE = Qt.ItemDataRole.UserRole + 1, Qt.ItemDataRole.UserRole + 2
_NODE, _NODE_NARROW = 320, 240  # pixels of the node column at first, at most
_CALM = {"Parallel Aware": "no", "Async Capable": "no", "Disabled": "no"}  # said only where they are not so


class PlanView(QWidget):
    """Shows one plan, and what was found in it. What is selected is the same node in the tree and in the table."""

    told = Signal(str, str, str)  # kind, title, detail

    def __init__(self, plan: Plan, jobs: Jobs, found: Sequence[Finding]) -> None:
        super().__init__()
        self.plan = plan
        self._jobs = jobs
        self._node = -1
        self._node_width = 0  # pixels that the node column would take
        self.findings_found = tuple(found)
        self.setObjectName("plan")
        self.setAccessibleName("Plan")
        self.tree = self._made_tree()
        self._table: QTableView | None = None
        self._table_model: PlanTableModel | None = None
        self.findings = self._made_findings()
        self.detail = _reading("plan.detail", "All that is known of the node")
        self.text = _reading("plan.text", "The plan as text")
        self.json = _reading("plan.json", "The plan as JSON")
        self._lay_out()
        self.tree.selectionModel().currentChanged.connect(self._follow)
        self.findings.currentItemChanged.connect(self._show_finding)
        self.findings.itemClicked.connect(self._show_finding)
        self.pages.currentChanged.connect(self._show_page)
        if plan.nodes:
            first = next((each.node for each in self.findings_found if each.node >= 0), 0)
            self.select(first)
        else:
            self.detail.setPlainText("The statement has no plan: a rule makes nothing of it.")

    def select(self, node: int) -> None:
        """Select a node, and show it wherever the views are scrolled."""
        if not 0 <= node < len(self.plan.nodes):
            return
        self._node = node
        for view, model in ((self.tree, self._tree_model), (self._table, self._table_model)):
            if view is None or model is None:
                continue
            index = model.index_of(node)
            if view.currentIndex().siblingAtColumn(0) != index:
                how = QItemSelectionModel.SelectionFlag
                view.selectionModel().setCurrentIndex(index, how.ClearAndSelect | how.Rows)
            view.scrollTo(index)
        self.detail.setPlainText(self._known(self.plan.nodes[node]))

    @property
    def selected(self) -> int:
        """The place of the selected node in the plan; -1 where there is none."""
        return self._node

    def save(self) -> None:
        """Ask for a file and write the plan to it: its JSON, or its text where the name ends in .txt."""
        chosen, kind = QFileDialog.getSaveFileName(self, "Save the plan", "plan.json", _KINDS)
        if not chosen:
            return
        path = Path(chosen)
        if not path.suffix:
            path = path.with_suffix(".txt" if kind.startswith("Text") else ".json")
        as_text = path.suffix.lower() == ".txt"
        text = f"{self.plan.sql}\n\n{self.plan.text}\n" if as_text else f"{self.plan.json}\n"

        def done(_: object) -> None:
            self.told.emit("success", f"The plan is in {path.name}.", "")

        def failed(error: Exception) -> None:
            self.told.emit("error", f"{path.name} was not saved", str(error))

        work = partial(sql_file.write, path, text, Style(), None)
        self._jobs.call(work, name=f"save {path.name}", done=done, failed=failed)

    def copy(self) -> None:
        """Copy the plan: its JSON where that is in sight, else its text."""
        is_json = self.pages.currentIndex() == _JSON
        QGuiApplication.clipboard().setText(self.plan.json if is_json else self.plan.text)
        self.told.emit("info", "The plan is copied.", "As JSON." if is_json else "As text.")

    # -- what it is made of

    def _made_tree(self) -> QTreeView:
        tree = QTreeView()
        tree.setObjectName("plan.tree")
        tree.setAccessibleName("The plan as a tree")
        tree.setUniformRowHeights(True)
        tree.setAllColumnsShowFocus(True)
        self._tree_model = PlanModel(self.plan, tree)
        tree.setModel(self._tree_model)
        tree.setItemDelegateForColumn(plan_model.NODE, NameDelegate(tree, plan_model.ICON_ROLE, plan_model.MUTED_ROLE))
        tree.setItemDelegateForColumn(plan_model.SHARE, ShareDelegate(tree, plan_model.SHARE_ROLE))
        tree.expandAll()
        tree.header().setStretchLastSection(False)
        tree.header().setSectionsMovable(False)
        for column in self._tree_model.columns_without_figures():
            tree.setColumnHidden(column, True)
        self._fit(tree, tree.header())
        return tree

    @property
    def table(self) -> QTableView:
        """The nodes in a row; made when it is first wanted."""
        if self._table is None:
            self._table = self._made_table()
            self._table.selectionModel().currentChanged.connect(self._follow)
            self._views.addWidget(self._table)
            self._narrow_the_nodes()
            self.select(self._node)
        return self._table

    def _made_table(self) -> QTableView:
        table = QTableView()
        table.setObjectName("plan.table")
        table.setAccessibleName("The plan as a table")
        model = self._table_model = PlanTableModel(self.plan, table)
        table.setModel(model)
        table.setItemDelegateForColumn(
            plan_model.NODE, NameDelegate(table, plan_model.ICON_ROLE, plan_model.MUTED_ROLE)
        )
        table.setItemDelegateForColumn(plan_model.SHARE, ShareDelegate(table, plan_model.SHARE_ROLE))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(theme.scaled(24))
        table.horizontalHeader().setHighlightSections(False)
        for column in self._tree_model.columns_without_figures():
            table.setColumnHidden(column, True)
        self._fit(table, table.horizontalHeader())
        table.setSortingEnabled(True)
        table.sortByColumn(plan_model.SHARE, Qt.SortOrder.DescendingOrder)
        return table

    def _fit(self, view: QTreeView | QTableView, header: QHeaderView) -> None:
        """Make the columns as wide as what is in sight of them; the node's no wider than half a window."""
        metrics, is_tree = view.fontMetrics(), isinstance(view, QTreeView)
        header.setMinimumSectionSize(theme.scaled(40))
        indent = view.indentation() if isinstance(view, QTreeView) else 0
        nodes = self.plan.nodes
        costly = heapq.nlargest(_FITTED, nodes, key=lambda node: node.share)  # they stand first in the table
        shown = nodes[:_FITTED] if is_tree else costly
        for column in range(self._tree_model.columnCount()):
            width = header.sectionSizeHint(column)
            if column == plan_model.SHARE:
                width = max(width, view.sizeHintForIndex(view.model().index(0, column)).width())
            for node in shown:
                words = self._tree_model.words(node, column)
                room = metrics.horizontalAdvance(words) + theme.scaled(44 if column == plan_model.NODE else 24)
                width = max(width, room + (indent * (node.depth + 1) if column == plan_model.NODE else 0))
            header.resizeSection(column, width)
            if column == plan_model.NODE and is_tree:
                self._node_width = width + theme.scaled(8)
        header.resizeSection(plan_model.NODE, min(self._node_width, theme.scaled(_NODE)))

    def _made_findings(self) -> QListWidget:
        found = QListWidget()
        found.setObjectName("plan.findings")
        found.setAccessibleName("What stands out; each selects its node")
        found.setItemDelegate(NameDelegate(found, _ICON_ROLE, _DETAIL_ROLE, two_lines=True))
        found.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for each in self.findings_found:
            item = QListWidgetItem(each.title)
            item.setData(_DETAIL_ROLE, each.detail)
            item.setData(_ICON_ROLE, _ICONS[each.weight])
            item.setToolTip(plain.tool_tip(plain.breakable(f"{each.title}\n{each.detail}")))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, f"{each.weight.value}: {each.title}. {each.detail}")
            found.addItem(item)
        return found

    def _lay_out(self) -> None:
        self.pages = QTabBar()
        self.pages.setObjectName("plan.pages")
        self.pages.setAccessibleName("How the plan is shown")
        self.pages.setDrawBase(False)
        for word in _PAGES:
            self.pages.addTab(word)
        self._summary = ElidedLabel(_summary(self.plan))
        self._summary.setObjectName("plan.summary")
        self._summary.setProperty("muted", True)
        self._copy = copy = _button(
            "plan.copy", "copy", "Copy the plan", "Copy the plan as text, or as JSON where that is in sight"
        )
        copy.clicked.connect(self.copy)
        self._save = save = _button("plan.save", "save", "Save the plan…", "Write the plan to a file, as JSON or text")
        save.clicked.connect(self.save)
        self._top = top = QHBoxLayout()
        top.setContentsMargins(theme.scaled(6), 0, theme.scaled(8), 0)
        top.setSpacing(theme.scaled(8))
        top.addWidget(self.pages)
        top.addWidget(self._summary, 1)
        top.addWidget(copy)
        top.addWidget(save)
        self._views = QStackedWidget()
        self._views.addWidget(self.tree)
        self._side = side = QSplitter(Qt.Orientation.Vertical)
        side.setChildrenCollapsible(False)
        side.addWidget(self.findings)
        side.addWidget(self.detail)
        side.setSizes([100, 100])
        self._aside = QSplitter()  # where the side is in a narrow window
        self._both = QSplitter(Qt.Orientation.Horizontal)
        self._both.setChildrenCollapsible(False)
        self._both.addWidget(self._views)
        self._both.addWidget(side)
        self._both.setStretchFactor(0, 1)
        self._both.setSizes([theme.scaled(640), theme.scaled(280)])
        self._stack = QStackedWidget()
        for page in (self._both, self._aside, self.text, self.json):
            self._stack.addWidget(page)
        self._below = QHBoxLayout()  # where the summary is in a narrow window
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addLayout(self._below)
        column.addWidget(self._stack, 1)
        self.pages.setTabVisible(_ASIDE, False)
        self._is_narrow = False

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_narrow = self.width() < theme.scaled(_NARROW)
        if is_narrow == self._is_narrow:
            return
        self._is_narrow = is_narrow
        if not is_narrow and self.pages.currentIndex() == _ASIDE:
            self.pages.setCurrentIndex(_TREE)
        self.pages.setTabVisible(_ASIDE, is_narrow)
        row = self._below if is_narrow else self._top
        for widget, stretch in ((self._summary, 1), (self._copy, 0), (self._save, 0)):
            row.addWidget(widget, stretch)
        if is_narrow:
            self._aside.addWidget(self._side)
        else:
            self._both.addWidget(self._side)
            self._both.setSizes([self.width() * 2 // 3, self.width() // 3])
        edge = theme.scaled(10) if is_narrow else 0
        self._below.setContentsMargins(edge, 0, edge, theme.scaled(4) if is_narrow else 0)
        self._narrow_the_nodes()

    def _narrow_the_nodes(self) -> None:
        widest = min(self._node_width, theme.scaled(_NODE_NARROW if self._is_narrow else _NODE))
        self.tree.header().resizeSection(plan_model.NODE, widest)
        if self._table is not None:
            self._table.horizontalHeader().resizeSection(plan_model.NODE, widest)

    # -- what is chosen

    def _show_page(self, page: int) -> None:
        if page <= _TABLE:
            self._views.setCurrentWidget(self.table if page == _TABLE else self.tree)
            self.select(self._node)
        # A large text takes a moment to lay out: when it is first wanted.
        if page == _TEXT and not self.text.toPlainText():
            self.text.setPlainText(self.plan.text)
        if page == _JSON and not self.json.toPlainText():
            self.json.setPlainText(self.plan.json)
        self._stack.setCurrentIndex(max(0, page - _TABLE))

    def _follow(self, index: QModelIndex, _: QModelIndex) -> None:
        model = index.model()
        node = model.node_at(index) if isinstance(model, PlanModel | PlanTableModel) else None
        if node is not None and node.index != self._node:
            self.select(node.index)

    def _show_finding(self, item: QListWidgetItem | None, _: object = None) -> None:
        if item is None:
            return
        found = self.findings_found[self.findings.row(item)]
        if found.node >= 0:
            self.select(found.node)
        else:
            self.detail.setPlainText(f"{found.title}\n\n{found.detail}")

    def _known(self, node: Node) -> str:
        """Return all that is known of *node*: the figures, what stands out, then the server's properties."""
        plan, actual = self.plan, node.actual
        lines = [f"{node.subplan}: {node.name}" if node.subplan else node.name, ""]
        what = "time" if plan.is_timed else "cost"
        lines.append(f"Share of the {what}: {percent(node.share)}")
        if actual is not None and actual.total_ms is not None and not node.is_never:
            own, whole = duration((actual.self_ms or 0.0) / 1000), duration(actual.total_ms / 1000)
            lines.append(f"Own time: {own} of {whole} with what lies below it")
            if actual.processes > 1:
                lines.append(f"Shared by {actual.processes} processes side by side")
            if plan.total_ms and actual.unsure_ms > 0.02 * plan.total_ms:
                rounded = duration(actual.unsure_ms / 1000)
                lines.append(f"The server rounds the time of each loop: give or take {rounded}")
        lines.append(f"Rows: {rows_said(node)}")
        if node.own_buffers:
            lines.append(f"Its own buffers: {_buffers(plan, node)}")
        if stands_out := [each for each in self.findings_found if each.node == node.index]:
            lines += ["", *(f"• {each.title}. {each.detail}".rstrip() for each in stands_out)]
        if node.conditions:
            lines += ["", *(f"{key}: {value}" for key, value in node.conditions)]
        said = {key for key, _ in node.conditions}
        rest = [(key, value) for key, value in node.properties if key not in said and _CALM.get(key) != value]
        lines += ["", *(f"{key}: {value}" for key, value in rest if value != "0")]
        return "\n".join(lines)


def _summary(plan: Plan) -> str:
    """Say in one line what was done: how long it took, and what became of it."""
    parts: list[str] = []
    if plan.execution_ms is not None:
        parts.append(f"ran in {duration(plan.execution_ms / 1000)}, rolled back")
    else:
        parts.append("not run: estimates alone")
    if plan.planning_ms is not None:
        parts.append(f"planned in {duration(plan.planning_ms / 1000)}")
    if len(plan.roots) != 1:
        parts.append(f"{len(plan.roots)} plans, made by rules")
    parts.append(f"{len(plan.nodes):,} node{'' if len(plan.nodes) == 1 else 's'}")
    if plan.is_text_ours:
        parts.append("the text is made here of the JSON")
    if plan.settings:
        parts.append("settings " + ", ".join(f"{name} = {value}" for name, value in plan.settings))
    return plain.one_line(" · ".join(parts))


def _buffers(plan: Plan, node: Node) -> str:
    own = node.own_buffers
    named = (
        ("found", own.hit),
        ("read", own.read),
        ("dirtied", own.dirtied),
        ("written", own.written),
        ("temporary read", own.temp_read),
        ("temporary written", own.temp_written),
    )
    words = [f"{human_bytes(blocks * plan.block_size)} {name}" for name, blocks in named if blocks]
    if own.io_ms:
        words.append(f"{duration(own.io_ms / 1000)} waited for them")
    return ", ".join(words)


def _reading(name: str, words: str) -> QPlainTextEdit:
    view = QPlainTextEdit(readOnly=True)
    view.setObjectName(name)
    view.setAccessibleName(words)
    view.setProperty("code", True)
    view.setTabChangesFocus(True)
    if name != "plan.detail":
        view.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
    return view


def _button(name: str, icon: str, words: str, tip: str) -> QPushButton:
    button = QPushButton()
    button.setObjectName(name)
    button.setProperty("icon_only", True)
    button.setProperty("small", True)
    button.setAccessibleName(words.rstrip("…"))
    button.setToolTip(tip)
    icons.wear(button, icon)
    return button
