"""A message in its place: what happened, the words of who said it, and what to do next."""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Literal

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QAccessibleEvent,
    QColor,
    QGuiApplication,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.flow_layout import FlowLayout

MessageKind = Literal["error", "warning", "info", "success"]
_ROLES: dict[MessageKind, str] = {"error": "bad", "warning": "warn", "info": "info", "success": "good"}
_WORDS: dict[MessageKind, str] = {"error": "Error", "warning": "Warning", "info": "Note", "success": "Done"}
_MOST_LINES = 9  # after which the detail scrolls


class MessageBar(QFrame):
    """Shows one message at a time, or nothing at all, in which case it takes no room."""

    shown = Signal(str)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind: MessageKind = "info"
        self._said: tuple[str, ...] = ()
        self.setAccessibleName("Message")
        self._icon = QLabel(self)
        self._title = _label(self)
        self._title.setProperty("heading", 2)
        self._detail = _Detail(self)
        self._preformatted = _Detail(self)
        self._preformatted.setProperty("mono", True)
        self._preformatted.setAccessibleName("Details of the message, line by line")
        self._hint = _label(self)
        self._close = QPushButton(self)
        self._close.setProperty("quiet", True)
        self._close.setProperty("icon_only", True)
        self._close.setAccessibleName("Close the message")
        self._close.setToolTip("Close the message")
        self._close.clicked.connect(self._close_by_user)
        icons.wear(self._close, "close", "muted")
        self._buttons = QWidget(self)
        self._button_row = FlowLayout(self._buttons)
        self._set_up()
        self.hide()

    def show_message(
        self,
        kind: MessageKind,
        title: str,
        detail: str = "",
        hint: str = "",
        actions: Sequence[tuple[str, Callable[[], object]]] = (),
        preformatted: str = "",
    ) -> None:
        """Show a message in place of the one before, and tell it to screen readers.

        Each of *actions* is a button's text and what it calls. *preformatted* is shown below the detail in letters of
        one width.
        """
        self._kind = kind
        self._said = (title, detail, preformatted, hint)
        self._title.setText(plain.breakable(title))
        self._title.setVisible(bool(title))
        self._detail.setPlainText(detail)
        self._detail.setVisible(bool(detail))
        self._preformatted.setPlainText(preformatted)
        self._preformatted.setVisible(bool(preformatted))
        self._hint.setText(plain.breakable(hint))
        self._hint.setVisible(bool(hint))
        self._set_buttons(actions)
        self._colour()
        self.setAccessibleName(f"{_WORDS[kind]}: {title}")
        self.setAccessibleDescription("\n".join(part for part in (detail, preformatted, hint) if part))
        self.show()
        self.updateGeometry()
        self.update()
        self._announce()
        self.shown.emit(self.text())

    def clear(self) -> None:
        """Show nothing."""
        self._said = ()
        self._detail.clear()
        self._preformatted.clear()
        self._set_buttons(())
        self.hide()

    def text(self) -> str:
        """Return all that is shown: title, detail, lines and hint, each on its own line; "" when nothing is."""
        return "\n".join(part for part in self._said if part)

    def kind(self) -> MessageKind:
        """Return the kind of the last message."""
        return self._kind

    @override
    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.StyleChange:
            self._colour()

    @override
    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        role = _ROLES[self._kind]
        area = QRectF(self.rect())
        shape = QPainterPath()
        shape.addRoundedRect(area, theme.scaled(6), theme.scaled(6))
        painter.setClipPath(shape)
        painter.fillRect(area, theme.colour(f"{role}_soft"))
        painter.fillRect(QRectF(0, 0, theme.scaled(4), area.height()), theme.colour(f"{role}_mark"))
        if theme.current().name == "contrast":
            painter.setPen(theme.colour(role))
            painter.drawRoundedRect(area.adjusted(0.5, 0.5, -0.5, -0.5), theme.scaled(6), theme.scaled(6))

    def _set_up(self) -> None:
        words = QVBoxLayout()
        words.setSpacing(theme.scaled(4))
        words.addWidget(self._title)
        words.addWidget(self._detail)
        words.addWidget(self._preformatted)
        words.addWidget(self._hint)
        words.addWidget(self._buttons)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.scaled(14), theme.scaled(8), theme.scaled(6), theme.scaled(9))
        row.setSpacing(theme.scaled(9))
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        row.addWidget(self._close, 0, Qt.AlignmentFlag.AlignTop)

    def _set_buttons(self, actions: Sequence[tuple[str, Callable[[], object]]]) -> None:
        while (item := self._button_row.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                # Not at once: the click that led here may still be on its way out of this very button.
                widget.hide()
                widget.deleteLater()
        for label, call in actions:
            button = self._add_button(label)
            button.clicked.connect(partial(_call, call))
        if self._kind == "error" and self.text():
            copy = self._add_button("Copy")
            copy.setAccessibleName("Copy the message")
            copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text()))
        self._buttons.setVisible(self._button_row.count() > 0)

    def _add_button(self, label: str) -> QPushButton:
        button = QPushButton(label.replace("&", "&&"), self._buttons)
        button.setProperty("small", True)
        self._button_row.addWidget(button)
        button.show()
        return button

    def _announce(self) -> None:
        if not QAccessible.isActive():
            return
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))
        news = QAccessibleAnnouncementEvent(self, f"{_WORDS[self._kind]}: {self.text()}")
        if self._kind == "error":
            news.setPoliteness(QAccessible.AnnouncementPoliteness.Assertive)
        QAccessible.updateAccessibility(news)

    def _colour(self) -> None:
        role = _ROLES[self._kind]
        self._icon.setPixmap(icons.pixmap(self._kind, theme.scaled(18), role, self.devicePixelRatioF()))
        if self._title.property("state") != role:
            self._title.setProperty("state", role)
            self._title.style().unpolish(self._title)
            self._title.style().polish(self._title)
        for detail in (self._detail, self._preformatted):
            detail.colour(theme.colour(f"{role}_soft"))

    def _close_by_user(self) -> None:
        self.clear()
        self.closed.emit()


class _Detail(QPlainTextEdit):
    """Words of the server: selectable, wrapped anywhere, as tall as they are up to a limit."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setReadOnly(True)
        self.setProperty("flat", True)
        self.setProperty("detail", True)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(0)
        self.setAccessibleName("Detail of the message")
        self.textChanged.connect(self._fit)

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(200), self.height())

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(60), self.fontMetrics().height())

    @override
    def resizeEvent(self, e: QResizeEvent) -> None:
        super().resizeEvent(e)
        self._fit()

    @override
    def changeEvent(self, e: QEvent) -> None:
        super().changeEvent(e)
        if e.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit()

    def colour(self, background: QColor) -> None:
        """Lie on *background*."""
        palette = self.palette()
        palette.setColor(self.viewport().backgroundRole(), background)
        self.viewport().setAutoFillBackground(False)
        self.setPalette(palette)

    def _fit(self) -> None:
        most = _MOST_LINES * self.fontMetrics().lineSpacing()
        height = 0.0
        block = self.document().begin()
        while block.isValid() and height <= most:
            height += self.blockBoundingRect(block).height()
            block = block.next()
        scrolls = Qt.ScrollBarPolicy.ScrollBarAsNeeded if height > most else Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        if self.verticalScrollBarPolicy() is not scrolls:
            self.setVerticalScrollBarPolicy(scrolls)
        wanted = max(self.fontMetrics().lineSpacing(), min(most, ceil(height))) + 2
        if wanted != self.minimumHeight():
            self.setFixedHeight(wanted)


def _call(action: Callable[[], object], _checked: bool = False) -> None:
    action()


def _label(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setMinimumWidth(1)
    return label
