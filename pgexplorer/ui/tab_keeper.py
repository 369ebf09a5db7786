"""Keeps what is typed in the SQL tabs in the journal, and brings it back: after a kill, a close, in the next run."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QTabWidget

from pgexplorer.journal import Journal, Restored, Tab
from pgexplorer.ui.panels.query import QueryPanel

_SOON = 400  # milliseconds after a change at which it is handed to the writer: with the write well within a second
_MOST_CLOSED = 20  # tabs that can be opened again


class TabKeeper(QObject):
    """Follows the SQL tabs of a window. Writing is the journal's own thread's; here only texts are taken."""

    closed_changed = Signal(bool)  # whether there is a tab that can be opened again

    def __init__(self, journal: Journal, tabs: QTabWidget, make: Callable[[str], QueryPanel]) -> None:
        """*make* opens an SQL tab of that name."""
        super().__init__(tabs)
        self._journal = journal
        self._tabs = tabs
        self._make = make
        self._keys: dict[QueryPanel, str] = {}
        self._changed: set[QueryPanel] = set()
        self._closed: list[Tab] = []
        self._is_restoring = False
        self.trouble = ""  # what was said last of the journal's
        self._later = QTimer(self, singleShot=True, interval=_SOON)
        self._later.timeout.connect(self.write)
        tabs.currentChanged.connect(self._all_changed)
        tabs.tabBar().tabMoved.connect(self._all_changed)

    def follow(self, panel: QueryPanel, key: str = "") -> None:
        """Keep what is typed in *panel* from now on."""
        self._keys[panel] = key or Journal.new_key()

        def changed() -> None:
            self._change(panel)

        editor = panel.editor
        editor.textChanged.connect(changed)
        editor.cursorPositionChanged.connect(changed)
        editor.verticalScrollBar().valueChanged.connect(changed)
        panel.document.title_changed.connect(changed)

    def forget(self, panel: QueryPanel) -> None:
        """Take notice that the person closes *panel*: it can be opened again in this run."""
        key = self._keys.pop(panel, None)
        if key is None:
            return
        self._changed.discard(panel)
        if panel.editor.toPlainText().strip():
            self._closed = [*self._closed, self._state(panel, key)][-_MOST_CLOSED:]
            self.closed_changed.emit(True)
        self._journal.forget(key)

    def reopen(self) -> None:
        """Open the tab that was closed last again, with its text."""
        if self._closed:
            self._show(self._closed.pop())
        self.closed_changed.emit(bool(self._closed))

    def restore(self) -> Restored:
        """Open the tabs that earlier windows have left; return what they were. Reads files: for the start alone."""
        restored = self._journal.take_over()
        self._is_restoring = True
        current: QueryPanel | None = None
        for tab in restored.tabs:
            panel = self._show(tab)
            current = panel if tab.is_current or current is None else current
        self._is_restoring = False
        if current is not None:
            self._tabs.setCurrentWidget(current)
        return restored

    def write(self) -> None:
        """Hand what has changed to the journal's writer."""
        self._later.stop()
        changed, self._changed = self._changed, set()
        for panel in changed:
            if (key := self._keys.get(panel)) is None:
                continue
            state = self._state(panel, key)
            if state.text or state.path:
                self._journal.put(state)
            else:
                self._journal.forget(key)
        self.trouble = self._journal.trouble

    def close(self) -> None:
        """Write what is left: the next run begins with it."""
        self._changed |= set(self._keys)
        self.write()
        self._journal.close()

    # -- inside

    def _change(self, panel: QueryPanel) -> None:
        if not self._is_restoring:
            self._changed.add(panel)
            if not self._later.isActive():
                self._later.start()

    def _all_changed(self) -> None:
        for panel in self._keys:
            self._change(panel)

    def _state(self, panel: QueryPanel, key: str) -> Tab:
        editor, document = panel.editor, panel.document
        cursor = editor.textCursor()
        return Tab(
            key,
            panel.name,
            editor.toPlainText(),
            str(document.path or ""),
            document.style.encoding,
            self._tabs.indexOf(panel),
            self._tabs.currentWidget() is panel,
            cursor.position(),
            cursor.anchor(),
            editor.verticalScrollBar().value(),
            editor.document().isModified(),
        )

    def _show(self, tab: Tab) -> QueryPanel:
        panel = self._make(tab.title)
        self.follow(panel, tab.key)
        editor = panel.editor
        editor.setPlainText(tab.text)
        cursor = editor.textCursor()
        most = editor.document().characterCount() - 1
        cursor.setPosition(min(max(0, tab.anchor), most))
        cursor.setPosition(min(max(0, tab.caret), most), cursor.MoveMode.KeepAnchor)
        editor.setTextCursor(cursor)
        editor.document().setModified(tab.is_modified)
        if tab.path:
            panel.document.adopt(Path(tab.path), is_modified=tab.is_modified)

        def scroll() -> None:
            editor.verticalScrollBar().setValue(tab.scroll)

        QTimer.singleShot(0, editor, scroll)  # when it has its height
        self._changed.add(panel)
        self._later.start()
        return panel
