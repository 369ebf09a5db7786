"""A message in its place: what happened, the words of who said it, and what to do next."""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Literal

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
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
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QWidget,
)
from typing_extensions import override

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets import plain
from pgexplorer.ui.widgets.flow_layout import FlowLayout

MessageKind = Literal["error", "warning", "info", "success"]
_ROLES: dict[MessageKind, str] = {"error": "bad", "warning": "warn", "info": "info", "success": "good"}
_WORDS: dict[MessageKind, str] = {"error": "Error", "warning": "Warning", "info": "Note", "success": "Done"}
_MOST_LINES = 9  # after which the detail scrolls
_MOST_LAID_OUT = 4_000  # characters of a line looked at to know how high the detail is
_LEAST_LINES = 2  # that stay of it where there is little room


class MessageBar(QFrame):
    """Shows one message at a time, or nothing at all, in which case it takes no room.

    Its least height follows its width, so that title, hint and buttons are whole; where there is little room it is the
    detail that shrinks, and scrolls.
    """

    shown = Signal(str)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._kind: MessageKind = "info"
        self._said: tuple[str, ...] = ()
        self._least = 0
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
        self._claim()
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
    def minimumSizeHint(self) -> QSize:
        # What is laid out by a splitter is not asked how high it wants to be at its width.
        return super().minimumSizeHint().expandedTo(QSize(0, self._least))

    @override
    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._claim()

    @override
    def event(self, e: QEvent) -> bool:
        done = super().event(e)
        if e.type() is QEvent.Type.LayoutRequest:
            self._claim()
        return done

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
        words = _Column()
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

    def _claim(self) -> None:
        """Ask for the least height that this width needs."""
        layout = self.layout()
        least = layout.totalMinimumHeightForWidth(self.width()) if self._said and layout is not None else 0
        if least != self._least:
            self._least = least
            self.updateGeometry()

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
        self._heights: dict[tuple[int, int], int] = {}  # by width and lines: Qt asks dozens of times for one layout
        self.setReadOnly(True)
        self.setProperty("flat", True)
        self.setProperty("detail", True)
        self.setTabChangesFocus(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.document().setDocumentMargin(0)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("Detail of the message")
        self.textChanged.connect(self._measure_anew)

    @override
    def sizeHint(self) -> QSize:
        return QSize(theme.scaled(200), self.heightForWidth(theme.scaled(200)))

    @override
    def minimumSizeHint(self) -> QSize:
        return QSize(theme.scaled(60), self.fontMetrics().lineSpacing())

    @override
    def hasHeightForWidth(self) -> bool:
        return True

    @override
    def heightForWidth(self, arg__1: int, /) -> int:
        return self._height(arg__1, _MOST_LINES)

    def least_height(self, width: int) -> int:
        """Return the height below which it must not shrink."""
        return self._height(width, _LEAST_LINES)

    @override
    def resizeEvent(self, e: QResizeEvent) -> None:
        super().resizeEvent(e)
        # A bar that comes only because the other takes room would never leave again.
        fits = self.height() >= self._height(self.width(), _MOST_LINES + 1)
        wanted = Qt.ScrollBarPolicy.ScrollBarAlwaysOff if fits else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        if self.verticalScrollBarPolicy() is not wanted:
            self.setVerticalScrollBarPolicy(wanted)

    @override
    def changeEvent(self, e: QEvent) -> None:
        super().changeEvent(e)
        if e.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._measure_anew()

    def _measure_anew(self) -> None:
        self._heights.clear()
        self.updateGeometry()

    def colour(self, background: QColor) -> None:
        """Lie on *background*."""
        palette = self.palette()
        palette.setColor(self.viewport().backgroundRole(), background)
        self.viewport().setAutoFillBackground(False)
        self.setPalette(palette)

    def _height(self, width: int, lines: int) -> int:
        """Return how high the first *lines* lines are at *width*."""
        height = self._heights.get((width, lines))
        if height is None:
            height = self._heights[width, lines] = self._measure(width, lines)
        return height

    def _measure(self, width: int, lines: int) -> int:
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        option.setTabStopDistance(self.tabStopDistance())
        height = 0.0
        block = self.document().begin()
        while block.isValid() and lines > 0:
            layout = QTextLayout(block.text()[:_MOST_LAID_OUT], self.font())
            layout.setTextOption(option)
            layout.beginLayout()
            line = layout.createLine()
            while line.isValid() and lines > 0:
                line.setLineWidth(width)
                height += line.height()
                lines -= 1
                line = layout.createLine()
            layout.endLayout()
            block = block.next()
        return ceil(height) + 2


class _Column(QLayout):
    """One below the other, each as high as it needs to be; details alone give way where there is too little room."""

    def __init__(self) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []

    @override
    def addItem(self, arg__1: QLayoutItem, /) -> None:
        self._items.append(arg__1)

    @override
    def count(self) -> int:
        return len(self._items)

    @override
    def itemAt(self, index: int, /) -> QLayoutItem | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._items[index] if 0 <= index < len(self._items) else None

    @override
    def takeAt(self, index: int, /) -> QLayoutItem | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    @override
    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation.Horizontal

    @override
    def hasHeightForWidth(self) -> bool:
        return True

    @override
    def heightForWidth(self, arg__1: int, /) -> int:
        return self._sum([_height_of(item, arg__1) for item in self._shown()])

    @override
    def minimumHeightForWidth(self, arg__1: int, /) -> int:
        return self._sum([_least_of(item, arg__1) for item in self._shown()])

    @override
    def sizeHint(self) -> QSize:
        width = max((item.sizeHint().width() for item in self._shown()), default=0)
        return QSize(width, self.heightForWidth(width))

    @override
    def minimumSize(self) -> QSize:
        items = self._shown()
        heights = [item.minimumSize().height() for item in items]
        return QSize(max((item.minimumSize().width() for item in items), default=0), self._sum(heights))

    @override
    def setGeometry(self, arg__1: QRect, /) -> None:
        super().setGeometry(arg__1)
        items = self._shown()
        heights = [_height_of(item, arg__1.width()) for item in items]
        missing = self._sum(heights) - arg__1.height()
        # Details shrink to a few lines; with less room than is the least they go, and then the words above the buttons.
        details = [at for at, item in enumerate(items) if isinstance(item.widget(), _Detail)]
        words = [at for at, item in enumerate(items) if at and isinstance(item.widget(), QLabel)]
        leasts = [(at, _least_of(items[at], arg__1.width())) for at in details]
        for at, least in [*reversed(leasts), *((at, 0) for at in reversed(details + words))]:
            given = min(max(0, missing), heights[at] - least)
            heights[at] -= given
            missing -= given
        y = arg__1.y()
        for item, height in zip(items, heights, strict=True):
            item.setGeometry(QRect(arg__1.x(), y, arg__1.width(), height))
            y += height + (self.spacing() if height else 0)

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _sum(self, heights: Sequence[int]) -> int:
        return sum(heights) + self.spacing() * max(0, len(heights) - 1)


def _height_of(item: QLayoutItem, width: int) -> int:
    return item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height()


def _least_of(item: QLayoutItem, width: int) -> int:
    widget = item.widget()
    return widget.least_height(width) if isinstance(widget, _Detail) else _height_of(item, width)


def _call(action: Callable[[], object], _checked: bool = False) -> None:
    action()


def _label(parent: QWidget) -> QLabel:
    label = QLabel(parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
    label.setMinimumWidth(1)
    return label
