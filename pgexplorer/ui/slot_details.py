"""One slot in a window of its own: where its holder stands in the code, and what ran on it."""

import time
from collections.abc import Callable

from PySide6.QtCore import QDateTime, Qt, QTimer
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QLabel,
    QPlainTextEdit,
    QSplitter,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.pool.history import Ran, ran_on
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.slot import Slot
from pgexplorer.ui import theme
from pgexplorer.ui.widgets.plain import tool_tip
from pgexplorer.units import duration

_PULSE = 500  # milliseconds
_MOST = 500  # statements shown


class SlotDetails(QDialog):
    """Follows the backend *pid* in the pool that *find* returns, as long as it is in sight."""

    def __init__(self, parent: QWidget, find: Callable[[], Pool | None], pid: int) -> None:
        super().__init__(parent)
        self.setObjectName("slot")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"Backend {pid}")
        self._find = find
        self._pid = pid
        self._seen = 0  # the sequence number of the last event that was looked at
        self._ran: list[Ran] = []
        self._what = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._what.setObjectName("slot.what")
        self._what.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.stack = QPlainTextEdit(readOnly=True)
        self.stack.setObjectName("slot.stack")
        self.stack.setAccessibleName("The stack of who checked it out, innermost first")
        self.stack.setProperty("code", True)
        self.stack.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.stack.setTabChangesFocus(True)
        self.ran = QTreeWidget()
        self.ran.setRootIsDecorated(False)
        self.ran.setUniformRowHeights(True)
        self.ran.setObjectName("slot.history")
        self.ran.setAccessibleName("What ran on it, the newest first")
        self.ran.setHeaderLabels(["at", "took", "left", "holder", "statement"])
        self.ran.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.ran.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setStretchLastSection(True)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(_under("Stack of the check-out", self.stack))
        split.addWidget(_under("What ran on it", self.ran))
        split.setStretchFactor(1, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 14, 16, 16)
        column.setSpacing(10)
        column.addWidget(self._what)
        column.addWidget(split, 1)
        self.resize(theme.scaled(720), theme.scaled(460))
        self._pulse = QTimer(self, interval=_PULSE)
        self._pulse.timeout.connect(self.look)
        self.look()

    @override
    def showEvent(self, arg__1: QShowEvent) -> None:
        super().showEvent(arg__1)
        self._pulse.start()

    @override
    def hideEvent(self, arg__1: QHideEvent) -> None:
        super().hideEvent(arg__1)
        self._pulse.stop()

    def look(self) -> None:
        """Show the records of the moment."""
        pool = self._find()
        slots = () if pool is None else pool.slots(patient=False)
        slot = next((slot for slot in slots if slot.pid == self._pid), None)
        if pool is None or slot is None:
            self._what.setText(f"Backend {self._pid} is not in the pool any more.")
        else:
            self._what.setText(_said(slot, time.monotonic()))
            stack = "\n".join(slot.stack) or ("Nobody has it." if not slot.is_out else "No stack was kept.")
            if stack != self.stack.toPlainText():
                self.stack.setPlainText(stack)
        if pool is not None:
            self._append(pool)

    def _append(self, pool: Pool) -> None:
        if pool.events.last == self._seen:
            return
        events, _ = pool.events.since(self._seen)
        if not events:
            return
        self._seen = events[-1].sequence
        now, wall = time.monotonic(), QDateTime.currentDateTime()
        for ran in ran_on(events, self._pid)[-_MOST:]:
            at = wall.addMSecs(round((ran.began - now) * 1000)).toString("HH:mm:ss.zzz")
            item = QTreeWidgetItem([at, duration(ran.took), ran.left, ran.holder, " ".join(ran.sql.split())])
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setToolTip(4, tool_tip(ran.sql))
            for column in (0, 1, 4):
                item.setFont(column, theme.mono())
            self.ran.insertTopLevelItem(0, item)
        while self.ran.topLevelItemCount() > _MOST:
            self.ran.takeTopLevelItem(self.ran.topLevelItemCount() - 1)


def _said(slot: Slot, now: float) -> str:
    words = [f"Slot {slot.number}, backend {slot.pid}: {slot.state}"]
    if slot.is_out and slot.holder:
        words.append(f"held by {slot.holder} (thread {slot.thread}) for {duration(slot.held_for(now))}")
    words.append(f"checked out {slot.uses} times")
    if slot.opened_at:
        words.append(f"opened {duration(now - slot.opened_at)} ago")
    return ", ".join(words) + "."


def _under(title: str, view: QWidget) -> QWidget:
    label = QLabel(title)
    label.setProperty("heading", 2)
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    column.addWidget(label)
    column.addWidget(view, 1)
    return whole
