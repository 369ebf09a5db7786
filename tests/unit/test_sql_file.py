"""SQL files on disk."""

import codecs
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgexplorer import sql_file
from pgexplorer.sql_file import ChangedOnDisk, RefusedFile, Style, is_changed, read, write


@pytest.fixture
def put(tmp_path):
    def put_bytes(data, name="a.sql"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return put_bytes


@pytest.mark.parametrize(
    ("data", "text", "style"),
    [
        (b"", "", Style()),
        ("select 'é😀'\n".encode(), "select 'é😀'\n", Style()),
        (codecs.BOM_UTF8 + "é\n".encode(), "é\n", Style("utf-8-sig")),
        (codecs.BOM_UTF16_LE + "é\r\n".encode("utf-16-le"), "é\n", Style("utf-16-le", "\r\n", True)),
        (codecs.BOM_UTF16_BE + "é\n".encode("utf-16-be"), "é\n", Style("utf-16-be", "\n", True)),
        ("select 1\n".encode("utf-16-le"), "select 1\n", Style("utf-16-le")),
        ("select 1\n".encode("utf-16-be"), "select 1\n", Style("utf-16-be")),
        (b"\xe9\n", "é\n", Style("latin-1")),
        (b"a\r\nb\r\n", "a\nb\n", Style("utf-8", "\r\n")),
        (b"a\rb\r", "a\nb\n", Style("utf-8", "\r")),
    ],
)
def test_that_a_file_that_is_read_and_written_is_the_same_bytes(put, data, text, style):
    path = put(data)
    found = read(path)
    assert (found.text, found.style) == (text, style)
    assert not is_changed(path, found.stamp)
    write(path, found.text, found.style, found.stamp)
    assert path.read_bytes() == data


def test_that_what_is_no_utf8_and_what_ends_its_lines_in_two_ways_is_said(put):
    found = read(put(b"\xe9\r\nb\nc\n"))
    assert "LATIN1" in found.said
    assert "LF" in found.said
    assert read(put(b"a\nb")).said == ""


def test_that_a_nul_and_a_file_without_end_are_refused(put, monkeypatch):
    with pytest.raises(RefusedFile, match="NUL character in its line 2"):
        read(put(b"a\nb\0c"))
    monkeypatch.setattr(sql_file, "LARGEST", 10)
    with pytest.raises(RefusedFile, match="11 bytes"):
        read(put(b"x" * 11))


def test_that_a_file_that_somebody_else_changed_is_not_overwritten(put):
    path = put(b"mine\n")
    found = read(path)
    path.write_bytes(b"theirs\n")
    assert is_changed(path, found.stamp)
    with pytest.raises(ChangedOnDisk):
        write(path, "more", found.style, found.stamp)
    assert path.read_bytes() == b"theirs\n"
    stamp = write(path, "more", found.style, None)
    assert path.read_bytes() == b"more"
    assert not is_changed(path, stamp)
    path.unlink()
    with pytest.raises(ChangedOnDisk):
        write(path, "again", found.style, stamp)


def test_that_a_file_that_was_only_touched_is_not_changed(put):
    path = put(b"mine\n")
    found = read(path)
    os.utime(path, ns=(1, 1))
    assert not is_changed(path, found.stamp)


def test_that_a_character_that_the_encoding_lacks_leaves_the_file_whole(put):
    path = put(b"\xe9")
    found = read(path)
    with pytest.raises(RefusedFile, match="LATIN1, which has no '😀'"):
        write(path, "😀", found.style, found.stamp)
    assert path.read_bytes() == b"\xe9"
    assert list(path.parent.iterdir()) == [path]


def test_that_mode_and_link_are_kept_and_nothing_is_left_of_a_write_that_fails(put, tmp_path, monkeypatch):
    path = put(b"a", "real.sql")
    path.chmod(0o640)
    link = tmp_path / "link.sql"
    link.symlink_to(path)
    found = read(link)
    write(link, "b", found.style, found.stamp)
    assert link.is_symlink()
    assert path.read_bytes() == b"b"
    assert path.stat().st_mode & 0o777 == 0o640

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write(link, "c", found.style, None)
    assert path.read_bytes() == b"b"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.sql", "real.sql"]


@given(
    st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"])),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_that_any_text_comes_back_from_its_file(tmp_path_factory, text, encoding, newline):
    path = tmp_path_factory.getbasetemp() / "any.sql"
    write(path, text, Style(encoding, newline), None)
    found = read(path)
    assert found.text == text.removeprefix("\ufeff" if encoding == "utf-8" else "")
    assert found.style.encoding == encoding or text.startswith("\ufeff") or not text
