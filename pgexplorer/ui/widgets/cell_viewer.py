"""One value in a window of its own: its exact text, JSON as a tree, bytes as hex and as a picture."""

import binascii
import codecs
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSaveFile, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication, QImage, QImageReader, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QTabWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)
from typing_extensions import override

from pgexplorer.ui import theme

_SHOWN = 500_000  # characters of a text that are laid out; all of it is copied and saved
_LINE = 5_000  # characters of a line that is laid out as one
_HEX_SHOWN = 64 * 1024  # bytes
_TREE_LIMIT = 4_000_000  # characters of JSON that are made a tree
_MOST_CHILDREN = 5_000  # of one node of the tree
_MOST_PIXELS = 64_000_000  # of a picture that is decoded: a small file may unfold to gigabytes
_PREVIEW = 1_200  # pixels: larger pictures are made smaller
_SAFE_PICTURES = {b"png", b"jpeg", b"jpg", b"gif", b"bmp", b"webp", b"ico"}  # what is plain pixels: no SVG, no PDF


MOST_WHOLE = 4_000_000  # characters of a value that is given to a viewer whole
MOST_COPIED = 64 << 20  # bytes of a value that are put on the clipboard
_SLICE = 0.006  # seconds of work between two turns of the event loop


@dataclass(frozen=True, slots=True)
class Rest:
    """What a value has beyond the beginning that is shown."""

    size: int  # bytes that the whole text takes, about
    pieces: Callable[[], Iterator[bytes]]  # the whole text, a piece at a time


class CellViewer(QDialog):
    """Shows the value of a cell of type *kind*; *text* is the server's own, None for NULL.

    With a *rest*, *text* is the beginning of a huge value: that is shown, and the whole is saved or copied in slices,
    while the window answers.
    """

    saved = Signal(bool)  # whether the file is there

    def __init__(
        self, parent: QWidget | None, name: str, kind: str, text: str | None, rest: Rest | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("cell")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(f"{name} · {kind}" if kind else name)
        self._text = text
        self._rest = rest
        self._is_hex = kind == "bytea" and text is not None and text.startswith("\\x")
        self._bytes = _bytes_of(text[: len(text) // 2 * 2] if rest else text) if self._is_hex and text else None
        self._work: Iterator[None] = iter(())
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._go_on)
        self._said = QLabel(textFormat=Qt.TextFormat.PlainText)
        self._said.setObjectName("cell.said")
        self._said.setProperty("muted", True)
        self._said.setText(self._size())
        self.views = QTabWidget(documentMode=True)
        self.views.setObjectName("cell.views")
        self.views.setAccessibleName("Ways to see the value")
        wrap = QCheckBox("Wrap lines")
        wrap.setChecked(True)
        wrap.setObjectName("cell.wrap")
        self._editors: list[QPlainTextEdit] = []
        self._add_views(kind)
        wrap.toggled.connect(self._wrap)
        copy = _button("Copy", "cell.copy", self.copy)
        copy.setEnabled(text is not None and (rest is None or rest.size <= MOST_COPIED))
        if rest is not None and rest.size > MOST_COPIED:
            copy.setToolTip("Too large for the clipboard: save it to a file.")
        save = _button("Save as…", "cell.save", self._save)
        save.setEnabled(text is not None)
        close = _button("Close", "cell.close", self.accept)
        row = QHBoxLayout()
        row.addWidget(self._said, 1)
        row.addWidget(wrap)
        for each in (copy, save, close):
            row.addWidget(each)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 12)
        column.addWidget(self.views, 1)
        column.addLayout(row)
        self.resize(theme.scaled(720), theme.scaled(460))

    @property
    def is_busy(self) -> bool:
        """Whether a huge value is still being saved or copied."""
        return self._timer.isActive()

    def copy(self) -> None:
        """Copy the exact text; a huge one a little later."""
        if self._rest is not None:
            self._begin(self._copied(self._rest))
        elif self._text is not None:
            QGuiApplication.clipboard().setText(self._text)

    def save(self, path: Path) -> None:
        """Write the exact text, or the bytes of a bytea, to *path*, whole or not at all; `saved` tells."""
        self._begin(self._written(path))
        if self._rest is None:
            self._go_on()

    @override
    def done(self, arg__1: int) -> None:
        self._timer.stop()
        self._work = iter(())  # a file that is half written goes with it
        super().done(arg__1)

    def _begin(self, work: Iterator[None]) -> None:
        self._work = work
        self._timer.start()

    def _go_on(self) -> None:
        end = time.perf_counter() + _SLICE
        for _ in self._work:
            if time.perf_counter() > end:
                return
        self._timer.stop()

    def _pieces(self) -> Iterator[bytes]:
        """Yield what is saved: the text, or the bytes that a bytea's text means."""
        if self._rest is None:
            yield self._bytes if self._bytes is not None else (self._text or "").encode("utf-8", "surrogatepass")
            return
        if not self._is_hex:
            yield from self._rest.pieces()
            return
        left, begun = b"", False
        for piece in self._rest.pieces():
            digits = left + (piece if begun else piece.removeprefix(b"\\x"))
            begun = True
            whole = len(digits) // 2 * 2
            left = digits[whole:]
            yield binascii.unhexlify(digits[:whole])

    def _written(self, path: Path) -> Iterator[None]:
        file = QSaveFile(str(path))
        done, size = file.open(QIODevice.OpenModeFlag.WriteOnly), 0
        words = ""
        try:
            if done:
                for piece in self._pieces():
                    if file.write(piece) != len(piece):
                        done = False
                        break
                    size += len(piece)
                    if self._rest is not None:
                        self._said.setText(f"Saving… {size / 2**20:,.0f} MB")
                    yield
        except (OSError, binascii.Error) as error:
            done, words = False, str(error)
        done = done and file.commit()
        self._said.setText(f"Saved {size:,} bytes to {path}" if done else f"Not saved: {words or file.errorString()}")
        self.saved.emit(done)

    def _copied(self, rest: Rest) -> Iterator[None]:
        found = io.StringIO()
        decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        try:
            for piece in rest.pieces():
                found.write(decoder.decode(piece))
                self._said.setText(f"Copying… {found.tell() / 2**20:,.0f} MB")
                yield
        except OSError as error:
            self._said.setText(f"Not copied: {error}")
            return
        QGuiApplication.clipboard().setText(found.getvalue() + decoder.decode(b"", final=True))
        self._said.setText(self._size())

    # -- views --------------------------------------------------------------------------------------------------

    def _add_views(self, kind: str) -> None:
        text = self._text
        if text is None:
            self._add_text("Value", "NULL: there is no value.", muted=True)
            return
        if self._bytes is not None:
            picture = _picture(self._bytes) if self._rest is None else None
            if picture is not None:
                self._add_picture(picture)
            self._add_text("Hex", _hex_dump(self._bytes))
            return
        if kind in {"json", "jsonb"} and self._rest is None and len(text) <= _TREE_LIMIT:
            tree = _json_tree(text)
            if tree is not None:
                self.views.addTab(tree, "Tree")
        self._add_text(
            "Text" if text else "Empty", _laid_out(text) or "The value is the empty text ''.", muted=not text
        )

    def _add_text(self, title: str, text: str, *, muted: bool = False) -> None:
        editor = QPlainTextEdit()
        editor.setObjectName(f"cell.{title.lower()}")
        editor.setAccessibleName(title)
        editor.setReadOnly(True)
        editor.setFont(theme.mono())
        editor.setTabChangesFocus(True)
        editor.setProperty("muted", muted)
        editor.setPlainText(text)
        if title == "Hex":
            editor.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        else:
            self._editors.append(editor)
        self.views.addTab(editor, title)

    def _add_picture(self, picture: QImage) -> None:
        label = QLabel()
        label.setObjectName("cell.picture")
        label.setAccessibleName(f"Picture, {picture.width()} by {picture.height()} pixels")
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        label.setPixmap(QPixmap.fromImage(picture))
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(label)
        self.views.addTab(scroll, "Picture")

    def _wrap(self, wrapped: bool) -> None:
        mode = QPlainTextEdit.LineWrapMode.WidgetWidth if wrapped else QPlainTextEdit.LineWrapMode.NoWrap
        for editor in self._editors:
            editor.setLineWrapMode(mode)

    def _size(self) -> str:
        if self._text is None:
            return "NULL"
        if self._rest is not None:
            size = self._rest.size // 2 if self._is_hex else self._rest.size
            shown = (
                f"the first {_HEX_SHOWN // 1024} kB" if self._is_hex else f"the first {len(self._text):,} characters"
            )
            return f"≈ {size / 2**20:,.0f} MB · {shown} are shown; Save as… writes all"
        if self._bytes is not None:
            return f"{len(self._bytes):,} bytes"
        lines = self._text.count("\n") + 1
        count = f"{len(self._text):,} character{'' if len(self._text) == 1 else 's'}"
        return f"{count}, {lines:,} lines" if lines > 1 else count

    def _save(self) -> None:
        suggestion = "value.bin" if self._bytes is not None else "value.txt"
        path, _ = QFileDialog.getSaveFileName(self, "Save the value", suggestion)
        if path:
            self.save(Path(path))


def _laid_out(text: str) -> str:
    """Return what is shown of *text*: laying out a line of megabytes takes minutes."""
    shown = text[:_SHOWN]
    if any(len(line) > _LINE for line in shown.split("\n")):
        shown = "\n".join(
            line[at : at + _LINE] for line in shown.split("\n") for at in range(0, max(1, len(line)), _LINE)
        )
    return shown if len(text) <= _SHOWN else f"{shown}\n… {len(text) - _SHOWN:,} characters more"


def _bytes_of(text: str) -> bytes | None:
    """Return the bytes of PostgreSQL's hex format; None where it is another one."""
    if not text.startswith("\\x"):
        return None
    try:
        return binascii.unhexlify(text[2:])
    except (binascii.Error, ValueError):
        return None


def _picture(data: bytes) -> QImage | None:
    """Decode a picture of a plain format, made smaller where it is large; None for anything else."""
    held = QByteArray(data)
    device = QBuffer(held)
    device.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(device)
    reader.setDecideFormatFromContent(True)
    size = reader.size()
    if bytes(reader.format().data()).lower() not in _SAFE_PICTURES or not size.isValid():
        return None
    if size.width() * size.height() > _MOST_PIXELS:
        return None
    if max(size.width(), size.height()) > _PREVIEW:
        reader.setScaledSize(size.scaled(QSize(_PREVIEW, _PREVIEW), Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    return None if image.isNull() else image


def _hex_dump(data: bytes) -> str:
    lines = [
        f"{at:08x}  {chunk[:8].hex(' '):<23}  {chunk[8:].hex(' '):<23}  {_printable(chunk)}"
        for at, chunk in ((at, data[at : at + 16]) for at in range(0, min(len(data), _HEX_SHOWN), 16))
    ]
    if len(data) > _HEX_SHOWN:
        lines.append(f"… {len(data) - _HEX_SHOWN:,} bytes more")
    return "\n".join(lines) or "No bytes."


def _printable(chunk: bytes) -> str:
    return "".join(chr(each) if 32 <= each < 127 else "·" for each in chunk)


class _Number(str):
    """A number of JSON as it was written: 30 digits stay 30 digits."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """The members of an object in their order, keys that come twice included."""


def _json_tree(text: str) -> QTreeWidget | None:
    """Return *text* as a tree, its numbers to the last digit and its keys as often as they stand there."""
    try:
        value = json.loads(
            text, object_pairs_hook=_Object, parse_float=_Number, parse_int=_Number, parse_constant=_Number
        )
    except (ValueError, RecursionError):
        return None
    tree = QTreeWidget()
    tree.setObjectName("cell.tree")
    tree.setAccessibleName("JSON as a tree")
    tree.setHeaderLabels(["key", "value"])
    tree.setFont(theme.mono())
    tree.setUniformRowHeights(True)
    _grow(tree.invisibleRootItem(), "", value)
    tree.expandToDepth(1)
    tree.resizeColumnToContents(0)
    tree.setColumnWidth(0, min(tree.columnWidth(0) + theme.scaled(24), theme.scaled(320)))
    return tree


def _grow(root: QTreeWidgetItem, key: str, value: Any) -> None:
    """Add *value* below *root*; without recursion, for JSON may be deep."""
    waiting: list[tuple[QTreeWidgetItem, str, Any]] = [(root, key, value)]
    while waiting:
        parent, name, each = waiting.pop()
        item = QTreeWidgetItem(parent, [name, _leaf(each)])
        members: list[tuple[str, Any]] = []
        if isinstance(each, _Object):
            members = list(each)
        elif isinstance(each, list):
            members = [(str(at), one) for at, one in enumerate(cast("list[Any]", each))]
        for member, inner in reversed(members[:_MOST_CHILDREN]):
            waiting.append((item, member, inner))
        if len(members) > _MOST_CHILDREN:
            waiting.insert(0, (item, "…", f"{len(members) - _MOST_CHILDREN:,} more"))


def _leaf(value: Any) -> str:
    if isinstance(value, _Object):
        return f"{{{len(value)}}}"
    if isinstance(value, list):
        return f"[{len(cast('list[Any]', value))}]"
    if isinstance(value, _Number):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def _button(words: str, name: str, call: Callable[[], object]) -> QPushButton:
    button = QPushButton(words)
    button.setObjectName(name)
    button.setAutoDefault(False)
    button.clicked.connect(lambda: call())  # noqa: PLW0108  (Qt passes `checked`)
    return button
