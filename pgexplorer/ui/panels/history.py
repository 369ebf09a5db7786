"""The history: what was run, when, and what came of it; searched, read, and run once more. It needs no connection."""

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QSplitter,
    QStackedLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.history import HIDDEN, Entry, History
from pgexplorer.jobs import Job, Jobs
from pgexplorer.models.history_model import (
    ICON_ROLE,
    INK_ROLE,
    RESULT,
    ROWS,
    SERVER,
    STATEMENT,
    TOOK,
    WHEN,
    HistoryModel,
    is_cancelled,
    when,
)
from pgexplorer.ui import icons, theme
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.ask import ask
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.sql.commands import POSTGRESQL
from pgexplorer.ui.widgets import plain, tips
from pgexplorer.ui.widgets.code_view import CodeView
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.units import duration

_PAGE = 200  # statements read at a time
_PAUSE = 150  # milliseconds after the last key before it is searched
_PREVIEW = 20_000  # characters that are shown
_WIDTHS = {WHEN: 84, TOOK: 86, ROWS: 64, RESULT: 136, SERVER: 150}  # pixels at the usual text size
_WIDE, _NARROW, _TINY = 700, 460, 340  # pixels of the list below which server, rows and time are said beside it alone


class HistoryPanel(Panel):
    """The statements of all windows and all runs of the program, the newest first."""

    TITLE = "History"
    ICON = "history"
    insert_wanted = Signal(str)  # into the SQL tab in use
    open_wanted = Signal(str)  # in a new one
    run_wanted = Signal(str)

    def __init__(self, history: History, jobs: Jobs) -> None:
        super().__init__("history")
        self._history = history
        self._jobs = jobs
        self._job: Job | None = None
        self._is_stale = True  # there may be more than is shown
        self._told = ""  # the trouble that was said last
        self._words = ""  # what the list was searched for
        self.model = HistoryModel(self)
        self.model.more_wanted.connect(self._read_older)
        self.search = QLineEdit(placeholderText="Search statements, servers and errors…", clearButtonEnabled=True)
        self.search.setObjectName("history.search")
        self.search.setAccessibleName("Search the history")
        glass = self.search.addAction(icons.icon("search", "muted"), QLineEdit.ActionPosition.LeadingPosition)
        icons.wear(glass, "search", "muted")
        self.list = _List(self.model)
        self.add_actions(
            [
                Action("history.open", "Open in a new tab", self._open, icon="terminal"),
                Action(
                    "history.insert", "Insert", self._insert, icon="arrow-up", tip="Insert into the current SQL tab"
                ),
                Action("history.run", "Run again", self._run, icon="play", tip="Run it once more, in an SQL tab"),
                Action("history.copy", "Copy the statement", self._copy, "Ctrl+C", "copy"),
                Action("history.forget", "Forget this statement", self._forget, "Del", "trash"),
                Action("history.forget_all", "Forget all…", self._forget_all, icon="trash"),
                Action("history.find", "Search the history", self.search.setFocus, "Ctrl+F", "search"),
            ]
        )
        for name in ("history.copy", "history.forget"):  # these keys mean something else in a field
            self.removeAction(self.action(name))
            self.action(name).setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.action("history.find").setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self.list.addActions(
            [self.action(f"history.{name}") for name in ("open", "insert", "run", "copy", "forget", "forget_all")]
        )
        self._later = QTimer(self, interval=_PAUSE, singleShot=True)
        self._later.timeout.connect(self._read)
        self._lay_out()
        self.search.textChanged.connect(self._later.start)
        self.search.returnPressed.connect(self._read)
        self.list.activated.connect(self._open)
        self.list.selectionModel().currentRowChanged.connect(self._show_current)
        self.model.modelReset.connect(self._show_current)
        self.model.rowsRemoved.connect(self._show_current)
        self._show_current()

    def _lay_out(self) -> None:
        more_menu = QMenu(self)
        more_menu.addActions([self.action(f"history.{name}") for name in ("copy", "forget", "forget_all")])
        more = QPushButton()
        more.setObjectName("history.more")
        more.setAccessibleName("Copy or forget")
        more.setToolTip("Copy or forget")
        more.setProperty("icon_only", True)
        icons.wear(more, "more")
        more.setMenu(more_menu)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(self.search, 1)
        for name in ("open", "insert", "run"):
            short = "Open" if name == "open" else None
            head.addWidget(button(self.action(f"history.{name}"), f"history.{name}", style="small", text=short))
        head.addWidget(more)
        self.text = CodeView(language=POSTGRESQL)
        self.text.setObjectName("history.text")
        self.text.setAccessibleName("The whole statement")
        self.text.setLineWrapMode(CodeView.LineWrapMode.WidgetWidth)
        self._facts = ElidedLabel()
        self._facts.setObjectName("history.facts")
        self._facts.setAccessibleName("When, how long, how many rows, on which server")
        self._facts.setProperty("muted", True)
        self._error = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._error.setObjectName("history.error")
        self._error.setProperty("state", "bad")
        self._error.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        beside = QWidget()
        column = QVBoxLayout(beside)
        column.setContentsMargins(8, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._facts)
        column.addWidget(self._error)
        column.addWidget(self.text, 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.addWidget(self.list)
        split.addWidget(beside)
        split.setChildrenCollapsible(False)
        split.setStretchFactor(0, 2)
        split.setStretchFactor(1, 1)
        split.setSizes([640, 320])
        self.list.setMinimumWidth(theme.scaled(240))
        beside.setMinimumWidth(theme.scaled(160))
        self._empty = EmptyState("history", "Nothing was run yet")
        pages = QWidget()
        self._pages = QStackedLayout(pages)
        self._pages.addWidget(split)
        self._pages.addWidget(self._empty)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(10, 8, 10, 8)
        whole.setSpacing(6)
        whole.addLayout(head)
        whole.addWidget(self.message)
        whole.addWidget(pages, 1)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    # -- reading ------------------------------------------------------------------------------------------------

    def refresh_soon(self) -> None:
        """Show what was run meanwhile: soon, or when the panel is next in sight."""
        self._is_stale = True
        if self.isVisible():
            self._later.start()

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self._read()

    @override
    def leave(self) -> None:
        self._later.stop()
        if self._job is not None:
            self._job.ignore()

    def _read(self) -> None:
        """Read the newest page of what is searched for."""
        self._later.stop()
        if self._job is not None:
            self._job.ignore()
        words, history = self.search.text(), self._history
        self._is_stale = False

        def work() -> list[Entry]:
            history.flush()
            return history.search(words, limit=_PAGE)

        def done(found: list[Entry]) -> None:
            if words != self._words or not self.model.add_newer(found):
                self._words = words
                self.model.show(found, has_more=len(found) == _PAGE)
                if found:
                    self.list.selectRow(0)
            self._say_whether_empty()
            self._tell_trouble()

        self._job = self._jobs.call(work, name="read the history", done=done, failed=self._failed)

    def _read_older(self) -> None:
        words, before, history = self._words, self.model.last_key, self._history

        def done(found: list[Entry]) -> None:
            if words == self._words and before == self.model.last_key:
                self.model.add_older(found, has_more=len(found) == _PAGE)

        self._jobs.call(
            lambda: history.search(words, limit=_PAGE, before=before),
            name="read more of the history",
            done=done,
            failed=self._failed,
        )

    def _failed(self, error: Exception) -> None:
        self.message.show_message("warning", "The history could not be read", str(error))
        self._say_whether_empty()

    def _tell_trouble(self) -> None:
        """Say once what keeps statements from being written."""
        trouble = self._history.trouble
        if trouble and trouble != self._told:
            self._told = trouble
            self.message.show_message("warning", trouble)

    def _say_whether_empty(self) -> None:
        empty = not self.model.rowCount()
        if empty and self._words.strip():
            self._empty.say("search", "Nothing was found", "Every word has to stand in the statement, server or error.")
        elif empty:
            self._empty.say(
                "history", "Nothing was run yet", "Every statement that you run stands here, without its passwords."
            )
        self._pages.setCurrentIndex(1 if empty else 0)
        self._show_current()

    # -- the statement that is chosen ---------------------------------------------------------------------------

    def current(self) -> Entry | None:
        """Return the statement that is chosen."""
        return self.model.entry(self.list.currentIndex().row())

    def _show_current(self) -> None:
        entry = self.current()
        for name in ("open", "insert", "run", "copy", "forget"):
            self.action(f"history.{name}").setEnabled(entry is not None)
        self.action("history.forget_all").setEnabled(self.model.rowCount() > 0 or bool(self._words.strip()))
        if entry is None:
            self.text.set_code("")
            self._facts.setText("")
            self._error.hide()
            return
        left = len(entry.sql) - _PREVIEW
        self.text.set_code(entry.sql[:_PREVIEW] + (f"\n… and {left:,} more characters" if left > 0 else ""))
        self.text.verticalScrollBar().setValue(0)
        rows = [f"{entry.rows:,} row{'' if entry.rows == 1 else 's'}"] if entry.rows >= 0 else []
        parts = [when(entry.at), duration(max(0.0, entry.seconds)), *rows, entry.server]
        self._facts.setText(" · ".join(part for part in parts if part))
        self._error.setText(plain.breakable(entry.error[:600]))
        self._error.setVisible(entry.is_bad and not is_cancelled(entry))

    def _open(self, _index: object = None) -> None:
        if entry := self.current():
            self.open_wanted.emit(entry.sql)

    def _insert(self) -> None:
        if entry := self.current():
            self.insert_wanted.emit(entry.sql)

    def _run(self) -> None:
        entry = self.current()
        if entry is None:
            return
        if HIDDEN in entry.sql:
            self.message.show_message(
                "warning",
                "It had a password, which was not kept.",
                f"{HIDDEN} stands in its place: run as it is, that would become the password.",
                "Open it in a tab, and write the password in.",
                [("Open in a new tab", self._open)],
            )
            return
        self.run_wanted.emit(entry.sql)

    def _copy(self) -> None:
        if entry := self.current():
            QGuiApplication.clipboard().setText(entry.sql)

    def _forget(self) -> None:
        entry, history = self.current(), self._history
        if entry is not None:
            key = entry.key
            row = self.list.currentIndex().row()

            def done(_nothing: None) -> None:
                self.model.remove(key)
                if self.model.rowCount():
                    self.list.selectRow(min(row, self.model.rowCount() - 1))
                self._say_whether_empty()

            self._jobs.call(lambda: history.forget(key), name="forget a statement", done=done, failed=self._failed)

    def _forget_all(self) -> None:
        history = self._history
        text = "All statements of all servers are forgotten, those too that are not listed now. There is no way back."
        if ask(self, "Forget the whole history?", text):

            def work() -> None:
                history.flush()
                history.forget()

            self._jobs.call(work, name="forget the history", done=self._forgotten, failed=self._failed)

    def _forgotten(self, _nothing: None) -> None:
        self.model.show((), has_more=False)
        self._say_whether_empty()


class _List(QTableView):
    """The statements, one a line."""

    def __init__(self, model: HistoryModel) -> None:
        super().__init__()
        self._entries = model
        self.setModel(model)
        self.setObjectName("history.list")
        self.setAccessibleName("Statements that were run, the newest first")
        self.setProperty("card", True)
        self.setItemDelegate(_Painter(self))
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalHeader().hide()
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self._fit()

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    @override
    def viewportEvent(self, event: QEvent) -> bool:
        if (at := tips.asked_at(event)) is not None:
            return tips.show_tip(event, self._entries.tip(self.indexAt(at)), self)
        return super().viewportEvent(event)

    def _fit(self) -> None:
        """Give the columns their widths; where there is little room, leave some to the text beside the list."""
        width = self.viewport().width()
        self.setColumnHidden(SERVER, width < theme.scaled(_WIDE))
        self.setColumnHidden(ROWS, width < theme.scaled(_NARROW))
        self.setColumnHidden(TOOK, width < theme.scaled(_TINY))
        for column, wide in _WIDTHS.items():
            is_tight = column == RESULT and width < theme.scaled(_NARROW)
            self.setColumnWidth(column, theme.scaled(wide * 0.85 if is_tight else wide))
        self.verticalHeader().setDefaultSectionSize(theme.scaled(25))


class _Painter(QStyledItemDelegate):
    """Marks what came of a statement by an icon and its colour, beside the word; sets the statement in mono."""

    @override
    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        if name := index.data(ICON_ROLE):
            option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration  # type: ignore[attr-defined]
            option.icon = icons.icon(str(name), str(index.data(INK_ROLE)))  # type: ignore[attr-defined]
        if index.column() == STATEMENT:
            option.font = theme.mono()  # type: ignore[attr-defined]
