"""The truth: what the pool believes of each connection, what its socket and the server say, and why they differ."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QBrush,
    QFontMetrics,
    QGuiApplication,
    QHideEvent,
    QIcon,
    QPainter,
    QPixmap,
    QResizeEvent,
    QShowEvent,
    QStandardItem,
    QStandardItemModel,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.db.truth import Looked, Row, Trouble, look
from pgexplorer.jobs import Jobs
from pgexplorer.pool.slot import SlotState
from pgexplorer.server import InUse, Server
from pgexplorer.ui import theme
from pgexplorer.ui.actions import Action, button
from pgexplorer.ui.looker import Looker
from pgexplorer.ui.panel import Panel
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.elided_label import ElidedLabel
from pgexplorer.ui.widgets.empty_state import EmptyState
from pgexplorer.ui.widgets.histogram_chart import human_seconds
from pgexplorer.ui.widgets.message_bar import MessageKind
from pgexplorer.ui.widgets.states import StateKind, paint_glyph

_PAUSE = 1_000  # milliseconds between the end of a look and the next one
_MOST = 200  # connections in the table; the others are counted, and those that disagree come first
_COLUMNS = ("slot", "pid", "pool believes", "socket says", "server says", "statement")
_SLOT, _PID, _BELIEF, _SOCKET, _SERVER, _STATEMENT = range(len(_COLUMNS))
_SHARES = {_BELIEF: 0.30, _SOCKET: 0.17, _SERVER: 0.29, _STATEMENT: 0.24}  # of the width beside slot and pid
_HINTS = {
    Trouble.FULL: "The rows have the pool's belief and its sockets.",
    Trouble.GONE: "The pool does not know. The rows have its belief and its sockets.",
    Trouble.INDIRECT: "Connect past the pooler to compare.",
}


class _Part(Enum):
    """What a line of the table has: a connection, or below it why its three views differ, and psycopg2's rule."""

    CONNECTION = 0
    REASON = 1
    RULE = 2


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the table."""

    row: Row
    part: _Part

    @property
    def key(self) -> tuple[object, ...]:
        return self.row.number, self.row.pid, self.part, self.row.reason


class TruthPanel(Panel):
    """Looks once a second while it is in sight, over a side connection that is closed after each look."""

    TITLE = "Truth"
    ICON = "eye"

    def __init__(self, server: Server, jobs: Jobs) -> None:
        super().__init__("truth")
        self._server = server
        self._last: Looked | None = None
        self.add_actions(
            [Action("truth.look", "Look again", self.look_again, icon="refresh", tip="Ask pool, sockets and server")]
        )
        self._said = ElidedLabel()
        self._said.setObjectName("truth.said")
        self._said.setAccessibleName("What the last look found")
        self.table = _Table()
        self._more = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._more.setProperty("muted", True)
        self._more.hide()
        self._lay_out()
        self.looker = Looker(self, server, jobs, self._make, lambda: _PAUSE)
        self.looker.found.connect(self._show)
        for signal in (server.opened, server.swapped, server.closed):
            signal.connect(self._changed)
        self._changed()

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self._said, 1)
        head.addWidget(button(self.action("truth.look"), "truth.look", style="small"))
        whole = QWidget()
        column = QVBoxLayout(whole)
        column.setContentsMargins(10, 6, 10, 8)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self.message)
        column.addWidget(self.table, 1)
        column.addWidget(self._more)
        self._nothing = EmptyState("eye", "No pool yet")
        self._pages = QStackedLayout(self)
        self._pages.addWidget(self._nothing)
        self._pages.addWidget(whole)
        self.setProperty("surface", True)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)

    # -- looking ------------------------------------------------------------------------------------------------

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way, or will be without being asked for."""
        return self.looker.is_looking

    @property
    def is_paused(self) -> bool:
        """Whether it waits for a person to have it look again."""
        return self.looker.is_paused

    @override
    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.looker.look_soon()

    @override
    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.leave()

    @override
    def leave(self) -> None:
        self.looker.leave()

    def look_again(self) -> None:
        """Look now, and go on looking."""
        self.message.clear()
        self.looker.look_again()

    def _make(self, in_use: InUse) -> Callable[[], Looked]:
        pool, side, before = in_use.pool, self._server.side(), self._last
        return lambda: look(pool, side, before)

    def _changed(self) -> None:
        """Begin anew: another pool, or none."""
        self._last = None
        self.looker.begin_anew()
        self.message.clear()
        self.table.set_rows(())
        is_open = self._server.is_open
        self.action("truth.look").setEnabled(is_open)
        self._pages.setCurrentIndex(1 if is_open else 0)
        if is_open:
            self._said.setText("Looking…")
            self.looker.look_soon()
        else:
            self._nothing.say(
                "eye",
                "No pool yet",
                "Connect to a server: the pool's belief, the sockets and the server's word stand here side by side.",
            )

    # -- showing ------------------------------------------------------------------------------------------------

    def _show(self, found: Looked) -> None:
        self._last = found
        self.table.set_rows(found.rows[:_MOST])
        more = len(found.rows) - _MOST
        self._more.setText(f"and {more:,} more that agree, or are like those above" if more > 0 else "")
        self._more.setVisible(more > 0)
        self._said.setText(_summary(found))
        trouble = found.trouble
        if trouble is None:
            self.message.clear()
        elif trouble is not Trouble.BUSY:  # who holds the side connection gives it back in a moment
            self.looker.pause()
            kind: MessageKind = "warning" if trouble in {Trouble.FULL, Trouble.INDIRECT} else "error"
            hint = _HINTS.get(trouble) or found.hint
            self.message.show_message(kind, trouble, found.words, f"{hint} Paused until you look again.".strip())


class _Table(QTableView):
    """The lines; reasons and rules go over the whole width and are as high as their words.

    Texts lie in Qt's own items and Qt paints them: a model or a delegate in Python would have to get the interpreter
    back for each cell, and busy threads let go of it slowly.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lines: tuple[_Line, ...] = ()
        self._glyphs: dict[StateKind, QIcon] = {}
        self.items = QStandardItemModel(0, len(_COLUMNS), self)
        self.items.setHorizontalHeaderLabels(list(_COLUMNS))
        self.setModel(self.items)
        self.setObjectName("truth.table")
        self.setAccessibleName("Belief, socket and server, those that disagree first")
        self.setProperty("card", True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setShowGrid(False)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(1)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setMinimumSectionSize(theme.scaled(40))
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Show *rows*, each followed by its reason; what stays is changed in place."""
        lines: list[_Line] = []
        for row in rows:
            lines.append(_Line(row, _Part.CONNECTION))
            if row.reason is not None:
                lines.append(_Line(row, _Part.REASON))
                if row.reason.rule:
                    lines.append(_Line(row, _Part.RULE))
        is_same = [line.key for line in lines] == [line.key for line in self.lines]
        self.lines = tuple(lines)
        if not is_same:
            self._build()
        for place, line in enumerate(lines):
            if line.part is _Part.CONNECTION:
                self._fill(place, line.row)

    def _build(self) -> None:
        """Make the items anew, in the colours of the theme."""
        chosen = self.currentIndex().row()
        self.clearSpans()
        self.items.setRowCount(0)
        self._glyphs = {kind: _glyph(kind) for kind in _STATE_WORDS}
        amber, muted = QBrush(theme.colour("warn_soft")), QBrush(theme.colour("muted"))
        for place, line in enumerate(self.lines):
            items = [QStandardItem() for _ in _COLUMNS]
            reason = line.row.reason
            for item in items if reason is not None else ():
                item.setBackground(amber)
            if line.part is _Part.CONNECTION:
                for column in (_PID, _STATEMENT):
                    items[column].setFont(theme.mono())
            elif reason is not None:
                items[_PID].setText(reason.text if line.part is _Part.REASON else reason.rule)
                items[_PID].setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
                if line.part is _Part.RULE:
                    items[_PID].setForeground(muted)
            self.items.appendRow(items)
            if line.part is not _Part.CONNECTION:
                self.setSpan(place, _PID, 1, len(_COLUMNS) - _PID)
        self._fit()
        if 0 <= chosen < len(self.lines):
            self.selectRow(chosen)

    def _fill(self, place: int, row: Row) -> None:
        for column in range(len(_COLUMNS)):
            item, text = self.items.item(place, column), plain.one_line(_text(row, column))
            if item.text() != text:
                item.setText(text)
            if column in {_BELIEF, _SERVER, _STATEMENT}:
                tip = plain.tool_tip(_tip(row, column))
                if item.toolTip() != tip:
                    item.setToolTip(tip)
        kind, first = _kind(row), self.items.item(place, _SLOT)
        words = f"{_text(row, _SLOT)}, {_STATE_WORDS[kind]}"
        if first.accessibleText() != words:
            first.setIcon(self._glyphs[kind])
            first.setAccessibleText(words)

    def _fit(self) -> None:
        """Give every column its width and every line its height."""
        first = theme.scaled(64), theme.scaled(72)
        self.setColumnWidth(_SLOT, first[0])
        self.setColumnWidth(_PID, first[1])
        room = self.viewport().width() - sum(first)
        for column, share in _SHARES.items():
            self.setColumnWidth(column, max(theme.scaled(60), round(room * share)))
        self.setIconSize(QSize(theme.scaled(9), theme.scaled(9)))
        metrics = QFontMetrics(self.font())
        for place, line in enumerate(self.lines):
            height = theme.scaled(26)
            if line.part is not _Part.CONNECTION:
                text = self.items.item(place, _PID).text()
                box = QRect(0, 0, max(theme.scaled(80), room + first[1] - theme.scaled(22)), 10_000)
                is_last = line.part is _Part.RULE or not (line.row.reason and line.row.reason.rule)
                height = metrics.boundingRect(box, _WRAPPED, text).height() + theme.scaled(7 if is_last else 1)
            self.setRowHeight(place, height)

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange):
            rows = [line.row for line in self.lines if line.part is _Part.CONNECTION]
            self.lines = ()
            self.set_rows(rows)


_WRAPPED = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap


def _glyph(kind: StateKind) -> QIcon:
    """Return the shape of *kind*: a triangle where views differ, a disc where they agree."""
    icon = QIcon()
    size = theme.scaled(9)
    selected = theme.colour("selection_text") if theme.current().name == "contrast" else None
    ratio = QGuiApplication.primaryScreen().devicePixelRatio()
    for mode, colour in ((QIcon.Mode.Normal, None), (QIcon.Mode.Selected, selected)):
        drawn = QPixmap(round(size * ratio), round(size * ratio))
        drawn.setDevicePixelRatio(ratio)
        drawn.fill(Qt.GlobalColor.transparent)
        painter = QPainter(drawn)
        paint_glyph(painter, QRectF(0.5, 0.5, size - 1, size - 1), kind, colour)
        painter.end()
        icon.addPixmap(drawn, mode)
    return icon


def _kind(row: Row) -> StateKind:
    if row.reason is not None:
        return "warn"
    return "idle" if row.state is SlotState.OPENING or not row.is_told else "good"


_STATE_WORDS: dict[StateKind, str] = {"warn": "they disagree", "good": "they agree", "idle": "not compared"}


def _text(row: Row, column: int) -> str:
    if column == _SLOT:
        return f"#{row.number}" if row.number else "none"
    if column == _PID:
        return str(row.pid or "")
    if column == _BELIEF:
        if row.state is None:
            return row.belief
        by = f", {row.holder}" if row.holder and not row.leaked else ""
        return f"{row.belief}{by} · {_age(row.believed_s)}"
    if column == _SOCKET:
        return row.socket
    if column == _SERVER:
        backend = row.backend
        if backend is None or not backend.is_ours or not backend.state:
            return row.server
        wait = f" · {row.wait}" if row.wait else ""
        return f"{row.server} · {_age(backend.state_s)}{wait}"
    return row.backend.query if row.backend is not None else ""


def _tip(row: Row, column: int) -> str:
    backend = row.backend
    if column == _SERVER and backend is not None:
        lines = [_text(row, column), f"application_name  {backend.application_name}"]
        lines.append(f"backend started   {_age(backend.age_s)} ago")
        if backend.transaction_s is not None:
            lines.append(f"transaction open  {_age(backend.transaction_s)}")
        if backend.wait:
            lines.append(f"waits for         {backend.wait_type}: {backend.wait}")
        return "\n".join(lines)
    if column == _BELIEF and row.thread:
        return f"{_text(row, column)}\nthread {row.thread}"
    return _text(row, column)


def _summary(found: Looked) -> str:
    count, wrong = len(found.rows), found.disagreements
    connections = "1 connection" if count == 1 else f"{count:,} connections"
    if found.trouble is Trouble.BUSY:
        return f"{connections}. The side connection is in use: the server is asked in a moment."
    if found.trouble is not None:
        return f"{connections}, by the pool and its sockets alone."
    took = human_seconds(found.took_s)
    if not count:
        return f"The pool has no connection, and the server none of its name (asked in {took})."
    if not wrong:
        return f"{connections}: pool, socket and server agree (asked in {took})."
    told = "1 of which is not as the pool believes" if wrong == 1 else f"{wrong} of which are not as the pool believes"
    return f"{connections}, {told} (asked in {took})."


def _age(seconds: float) -> str:
    return f"{max(0.0, seconds):.0f} s" if seconds < 99.5 else human_seconds(seconds)
