"""One value in a window of its own."""

import binascii
import json

import pytest
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QPushButton

from pgexplorer.ui import theme
from pgexplorer.ui.widgets.cell_viewer import CellViewer, Rest

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture
def view(qapp, qtbot):
    theme.apply(qapp, theme.Scheme.LIGHT)

    def show(kind, text, rest=None):
        viewer = CellViewer(None, "column", kind, text, rest)
        viewer.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
        qtbot.addWidget(viewer)
        viewer.show()
        return viewer

    return show


def save(qtbot, viewer, path):
    """Save the value, which takes more than one turn where it takes long."""
    with qtbot.waitSignal(viewer.saved, timeout=30_000):
        viewer.save(path)


def titles(viewer):
    return [viewer.views.tabText(at) for at in range(viewer.views.count())]


def said(viewer):
    return viewer.findChild(QLabel, "cell.said").text()


def rows(item):
    return [(item.child(at).text(0), item.child(at).text(1)) for at in range(item.childCount())]


def png(width=3, height=2):
    data = QByteArray()
    device = QBuffer(data)
    device.open(QIODevice.OpenModeFlag.WriteOnly)
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    image.save(device, "PNG")
    return bytes(data.data())


def test_that_null_nothing_and_text_are_told_apart(view):
    assert (titles(view("text", None)), said(view("text", None))) == (["Value"], "NULL")
    assert (titles(view("text", "")), said(view("text", ""))) == (["Empty"], "0 characters")
    assert (titles(view("text", " ")), said(view("text", " "))) == (["Text"], "1 character")
    assert said(view("text", "a\nb")) == "3 characters, 2 lines"


def test_that_the_exact_text_is_copied_and_saved(view, qtbot, tmp_path):
    text = "tab\t quote ' é 🦆\r\n" * 3
    viewer = view("text", text)
    viewer.copy()
    assert QGuiApplication.clipboard().text() == text
    save(qtbot, viewer, tmp_path / "value.txt")
    assert (tmp_path / "value.txt").read_bytes() == text.encode()
    save(qtbot, viewer, tmp_path / "nowhere" / "value.txt")
    assert said(viewer).startswith("Not saved: ")


def test_that_json_is_a_tree_with_every_digit_and_every_key(view):
    viewer = view("json", '{"a": 123456789012345678901234567890, "a": [1.10, null, "x"], "b": {}}')
    assert titles(viewer) == ["Tree", "Text"]
    [root] = [viewer.views.widget(0).topLevelItem(0)]
    assert root.text(1) == "{3}"
    assert rows(root) == [("a", "123456789012345678901234567890"), ("a", "[3]"), ("b", "{0}")]
    assert rows(root.child(1)) == [("0", "1.10"), ("1", "null"), ("2", '"x"')]


def test_that_deep_and_wide_json_end_well(view):
    deep = view("json", "[" * 20_000 + "]" * 20_000)
    assert titles(deep) == ["Text"]
    wide = view("jsonb", json.dumps(list(range(6_000))))
    root = wide.views.widget(0).topLevelItem(0)
    assert root.childCount() == 5_001
    assert rows(root)[-1] == ("…", '"1,000 more"')


def test_that_bytes_are_hex_with_their_size_and_saved_as_bytes(view, qtbot, tmp_path):
    data = bytes(range(40))
    viewer = view("bytea", "\\x" + data.hex())
    assert (titles(viewer), said(viewer)) == (["Hex"], "40 bytes")
    lines = viewer.findChild(QPlainTextEdit, "cell.hex").toPlainText().split("\n")
    assert lines[0] == "00000000  00 01 02 03 04 05 06 07  08 09 0a 0b 0c 0d 0e 0f  ················"
    assert lines[2].endswith(" !\"#$%&'")
    save(qtbot, viewer, tmp_path / "value.bin")
    assert (tmp_path / "value.bin").read_bytes() == data


def test_that_a_picture_is_shown_and_what_only_looks_like_one_is_not(view):
    viewer = view("bytea", "\\x" + png().hex())
    assert titles(viewer) == ["Picture", "Hex"]
    assert viewer.findChild(QLabel, "cell.picture").pixmap().width() == 3
    for data in (png()[:40], b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", b""):
        assert titles(view("bytea", "\\x" + data.hex())) == ["Hex"]


def test_that_a_picture_that_would_unfold_to_gigabytes_is_not_decoded(view):
    data = bytearray(png())
    data[16:24] = (50_000).to_bytes(4, "big") * 2
    data[29:33] = binascii.crc32(data[12:29]).to_bytes(4, "big")
    assert titles(view("bytea", "\\x" + data.hex())) == ["Hex"]


def test_that_bytea_in_the_escape_format_is_text(view):
    assert titles(view("bytea", "abc\\000")) == ["Text"]


def test_that_a_huge_text_is_laid_out_in_part_and_copied_whole(view):
    text = "x" * 3_000_000
    viewer = view("text", text)
    shown = viewer.findChild(QPlainTextEdit, "cell.text").toPlainText()
    assert shown.endswith("… 2,500,000 characters more")
    assert max(map(len, shown.split("\n"))) == 5_000
    viewer.copy()
    assert QGuiApplication.clipboard().text() == text


# -- huge values, of which the beginning is here


def huge(text, size=1 << 16):
    data = text.encode()
    return Rest(len(data), lambda: (data[at : at + size] for at in range(0, len(data), size)))


def test_that_a_huge_text_is_saved_and_copied_in_slices(view, qtbot, tmp_path):
    text = "é😀 and more\n" * 400_000
    viewer = view("text", text[:500_000], huge(text, 65_537))
    assert said(viewer) == "≈ 6 MB · the first 500,000 characters are shown; Save as… writes all"
    assert titles(viewer) == ["Text"]
    with qtbot.waitSignal(viewer.saved, timeout=30_000) as done:
        viewer.save(tmp_path / "value.txt")
        assert viewer.is_busy
    assert done.args == [True]
    assert (tmp_path / "value.txt").read_text() == text
    assert said(viewer) == f"Saved {len(text.encode()):,} bytes to {tmp_path / 'value.txt'}"
    viewer.copy()
    qtbot.waitUntil(lambda: not viewer.is_busy, timeout=30_000)
    assert QGuiApplication.clipboard().text() == text


def test_that_huge_bytes_are_saved_as_bytes(view, qtbot, tmp_path):
    data = bytes(range(256)) * 20_000
    text = "\\x" + data.hex()
    viewer = view("bytea", text[:500_001], huge(text, 99_999))
    assert said(viewer).startswith("≈ 5 MB · the first 64 kB are shown")
    assert titles(viewer) == ["Hex"]
    save(qtbot, viewer, tmp_path / "value.bin")
    assert (tmp_path / "value.bin").read_bytes() == data


def test_that_closing_the_window_leaves_no_half_file(view, tmp_path):
    target = tmp_path / "value.txt"
    target.write_text("before")
    text = "x" * 20_000_000
    viewer = view("text", text[:500_000], huge(text))
    viewer.save(target)
    assert viewer.is_busy
    viewer.close()
    assert not viewer.is_busy
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_that_a_result_closed_meanwhile_is_told_and_leaves_no_half_file(view, qtbot, tmp_path):
    def pieces():
        yield b"x" * 1000
        raise OSError(9, "the result was closed")

    viewer = view("text", "x", Rest(10_000_000, pieces))
    with qtbot.waitSignal(viewer.saved) as done:
        save(qtbot, viewer, tmp_path / "value.txt")
    assert done.args == [False]
    assert "the result was closed" in said(viewer)
    assert list(tmp_path.iterdir()) == []


def test_that_what_is_too_large_for_the_clipboard_is_not_copied(view):
    viewer = view("text", "x", Rest(256 << 20, lambda: iter(())))
    copy = viewer.findChild(QPushButton, "cell.copy")
    assert not copy.isEnabled()
    assert "save it" in copy.toolTip()
