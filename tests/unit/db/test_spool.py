"""A result in a file: what goes in comes out at its place, whatever was written, however much and in what pieces."""

import errno
import gc
import itertools
import os
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgexplorer.db import spool as module
from pgexplorer.db.rows import Clipped, ListRows, State
from pgexplorer.db.spool import Spool, Stopped
from pgexplorer.db.values import Column

CELL = st.one_of(st.none(), st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("\\\t\n\rNé😀x"))))


def columns(count):
    return [Column(f"c{n}", "text") for n in range(count)]


def write(rows, lines):
    for line in lines:
        rows.file.write(line)


@pytest.fixture
def spool(tmp_path):
    made = []

    def make(width=1, **options):
        made.append(Spool(columns(width), folder=tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.end()
        each.close()


@given(
    st.integers(0, 5).flatmap(lambda width: st.lists(st.tuples(*[CELL] * width), max_size=60).map(lambda r: (width, r)))
)
@settings(max_examples=150, deadline=None)
def test_that_any_rows_come_back_as_they_were(tmp_path_factory, given_rows):
    width, rows = given_rows
    spool = Spool(columns(width), folder=tmp_path_factory.getbasetemp())
    spool.append(rows)
    spool.end()
    assert (spool.known, spool.state) == (len(rows), State.COMPLETE)
    assert spool.window(0, len(rows) + 5) == rows
    for first in range(0, len(rows), 7):
        assert spool.window(first, 3) == rows[first : first + 3]
    spool.close()


@given(st.binary(max_size=400), st.lists(st.integers(1, 50), min_size=1), st.integers(3, 40))
@settings(max_examples=150, deadline=None)
def test_that_the_index_holds_whatever_the_pieces_and_the_blocks(tmp_path_factory, data, pieces, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", block)
        spool = Spool(columns(1), folder=tmp_path_factory.getbasetemp())
        at = turn = 0
        while at < len(data):
            step = pieces[turn % len(pieces)]
            spool.file.write(data[at : at + step])
            spool.flush()
            at, turn = at + step, turn + 1
        lines = data.split(b"\n")[:-1]
        assert spool.known == len(lines)
        for row in range(len(lines)):
            assert spool._store.read(spool._store.offset(row), len(lines[row])) == lines[row]
        spool.end()
        spool.close()


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (b"\\N", (None,)),
        (b"\\\\N", ("\\N",)),
        (b"", ("",)),
        (b"\\\\x00ff", ("\\x00ff",)),
        (b"a\\tb\\nc\\rd\\be\\ff\\vg", ("a\tb\nc\rd\be\ff\vg",)),
        (b"\\\\n\\\\\\n", ("\\n\\\n",)),
        (b"\\\\.", ("\\.",)),
        (b"\xc3\xa9\xff\xfe", ("é\\xff\\xfe",)),
        (b"\xe9\\\\", ("\\xe9\\",)),
        (b"\x01\x7f", ("\x01\x7f",)),
    ],
)
def test_that_copys_escapes_are_read(spool, line, row):
    rows = spool()
    rows.file.write(line + b"\n")
    rows.flush()
    assert rows.window(0, 1) == [row]
    assert rows.window(0, 1, 1000) == [row]


def test_that_rows_without_columns_are_counted(spool):
    rows = spool(0)
    rows.file.write(b"\n\n\n")
    rows.flush()
    assert rows.window(0, 9) == [(), (), ()]


def test_that_a_row_that_is_half_here_is_not_shown(spool):
    rows = spool(2)
    rows.file.write(b"1\ta\n2\tb")
    rows.flush()
    assert (rows.known, rows.window(0, 9), rows.state) == (1, [("1", "a")], State.MORE)
    rows.file.write(b"\n")
    rows.flush()
    assert rows.window(1, 9) == [("2", "b")]


@pytest.mark.parametrize(("first", "count"), [(-1, 5), (0, 0), (0, -3), (3, 1), (99, 5)])
def test_that_a_window_outside_is_empty(spool, first, count):
    rows = spool()
    rows.append([("a",), ("b",), ("c",)])
    rows.end()
    assert rows.window(first, count) == []


def test_that_the_row_limit_is_exact_and_says_so(spool):
    rows = spool(row_limit=1000)
    with pytest.raises(Stopped, match="limit of 1,000 rows"):
        write(rows, (b"%d\n" % number for number in range(100_000)))
    rows.end()
    assert (rows.known, rows.state) == (1000, State.CUT)
    assert rows.why == "The limit of 1,000 rows was reached."
    assert rows.window(998, 9) == [("998",), ("999",)]


def test_that_exactly_as_many_rows_as_the_limit_are_complete(spool):
    rows = spool(row_limit=3)
    rows.append([("a",)] * 3)
    rows.end()
    assert (rows.known, rows.state, rows.why) == (3, State.COMPLETE, "")
    rows = spool(row_limit=3)
    rows.append([("a",)] * 4)
    rows.end()  # it is the end that notices
    assert (rows.known, rows.state) == (3, State.CUT)


def test_that_the_limit_of_bytes_ends_the_writing(spool):
    rows = spool(byte_limit=1 << 20)
    with pytest.raises(Stopped, match="limit of 1 MB"):
        write(rows, itertools.repeat(b"x" * 999 + b"\n"))
    rows.end()
    assert rows.state is State.CUT
    assert 1 << 20 < rows.size < 1 << 21
    assert rows.window(rows.known - 1, 1) == [("x" * 999,)]


def test_that_a_full_disk_keeps_the_rows_so_far(spool, monkeypatch):
    rows = spool()
    put, room = module._put, [300_000]

    def small(fd, data, offset, position):
        count = put(fd, data[: room[0]], offset, position) if room[0] else 0
        room[0] -= count
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return count

    monkeypatch.setattr(module, "_put", small)
    with pytest.raises(Stopped, match="No space left on device"):
        write(rows, itertools.repeat(b"y" * 99 + b"\n"))
    rows.end()
    assert (rows.known, rows.state) == (3000, State.CUT)
    assert "No space left" in rows.why
    assert rows.window(2999, 5) == [("y" * 99,)]


def test_that_a_disk_is_never_filled_to_the_last_byte(spool):
    rows = spool(reserve=1 << 60)
    with pytest.raises(Stopped, match="nearly full"):
        write(rows, itertools.repeat(b"z" * 999 + b"\n"))
    rows.end()
    assert rows.state is State.CUT
    assert rows.known > 16_000


def test_that_the_file_has_no_name_and_no_reader_but_its_owner(spool, tmp_path):
    rows = spool()
    rows.append([("secret",)])
    rows.flush()
    assert list(tmp_path.iterdir()) == []
    if os.name == "posix":
        assert os.fstat(rows._store._fd).st_mode & 0o777 == 0o600


def test_that_the_state_folder_holds_it_for_its_owner_alone():
    rows = Spool(columns(1))
    folder = os.path.join(os.environ["PGEXPLORER_HOME"], "results")
    assert os.path.isdir(folder)
    if os.name == "posix":
        assert os.stat(folder).st_mode & 0o777 == 0o700
    rows.end()
    rows.close()


def test_that_after_close_there_are_no_rows_and_a_writer_is_told(spool):
    rows = spool()
    rows.append([("a",)])
    rows.flush()
    rows.close()
    rows.close()
    assert rows.window(0, 1) == []
    with pytest.raises(Stopped, match="closed"):
        write(rows, [b"b" * 1000 + b"\n"] * 1000)


def test_that_a_result_nobody_holds_gives_its_file_back(tmp_path):
    rows = Spool(columns(1), folder=tmp_path)
    rows.file.write(b"left in the buffer\n")
    store = rows._store
    del rows
    gc.collect()
    assert store.is_closed


def test_that_a_window_reads_while_another_thread_writes(spool):
    rows, wrong, total = spool(2), [], 200_000

    def write():
        for number in range(total):
            rows.file.write(b"%d\t%s\n" % (number, b"x" * (number % 50)))
        rows.end()

    thread = threading.Thread(target=write)
    thread.start()
    looked = 0
    while rows.state is State.MORE or looked < 50:
        rows.flush()
        known = rows.known
        for first in {0, known // 3, max(0, known - 5)}:
            got = rows.window(first, 5)
            wrong += [row for at, row in enumerate(got) if row != (str(first + at), "x" * ((first + at) % 50))]
            assert len(got) == min(5, rows.known - first) or len(got) == min(5, known - first)
        looked += 1
    thread.join(60)
    assert not wrong
    assert rows.known == total


# -- cells that are cut


@pytest.mark.parametrize("cell", ["x" * 5000, "é" * 5000, "😀" * 5000, "\\" * 5000, "\n\\" * 2500, "a\té😀\\" * 1000])
def test_that_a_long_cell_comes_cut_with_its_size_and_whole_when_asked(spool, cell):
    rows = spool(3)
    rows.append([("1", cell, None), ("2", "short", "")])
    rows.end()
    assert rows.window(0, 2) == [("1", cell, None), ("2", "short", "")]
    [(_, cut, null), (_, short, empty)] = rows.window(0, 2, 1000)
    assert isinstance(cut, Clipped)
    assert str(cut) == cell[:1000]
    assert (cut.size, cut.is_exact) == (len(cell.encode()), True)
    assert (null, short, empty) == (None, "short", "")
    assert not isinstance(short, Clipped)


@pytest.mark.parametrize("cell", ["x" * 3_000_000, "é" * 1_500_001, "\\" * 2_000_000])
def test_that_a_huge_cell_is_cut_without_being_copied(spool, cell):
    rows = spool(3)
    rows.append([("1", "é", "a"), ("2", cell, None), ("3", "x" * 999, "\\")])
    rows.end()
    [first, (_, cut, null), last] = rows.window(0, 3, 1000)
    assert (first, null, last) == (("1", "é", "a"), None, ("3", "x" * 999, "\\"))
    assert str(cut) == cell[:1000]
    assert not cut.is_exact
    assert cut.size == pytest.approx(len(cell.encode()), rel=1.01)
    assert rows.window(1, 1) == [("2", cell, None)]


@pytest.mark.parametrize("places", [(0,), (2,), (1,), (0, 2), (1, 2), (0, 1, 2)])
def test_that_huge_cells_are_found_wherever_they_stand(spool, places):
    rows = spool(3)
    given = [tuple("\t\\é" * 200_000 if at in places else "a\tb" for at in range(3))] * 2
    rows.append([("x", None, ""), *given, ("y", "", None)])
    rows.end()
    shown = rows.window(0, 4, 1000)
    assert (shown[0], shown[3]) == (("x", None, ""), ("y", "", None))
    for row, cells in enumerate(given, 1):
        assert [str(cell) for cell in shown[row]] == [cell[:1000] for cell in cells]
        assert [isinstance(cell, Clipped) for cell in shown[row]] == [at in places for at in range(3)]
        for column, cell in enumerate(cells):
            pieces = list(rows.pieces(row, column))
            assert b"".join(pieces).decode() == cell
            assert max(map(len, pieces)) <= 1 << 20


def test_that_the_pieces_of_null_and_nothing_are_none_and_of_a_backslash_n_are_its_letters(spool):
    rows = spool(4)
    rows.append([(None, "", "\\N", "N")])
    rows.end()
    assert [b"".join(rows.pieces(0, column)) for column in range(4)] == [b"", b"", b"\\N", b"N"]
    half = rows.pieces(0, 2)
    rows.close()
    with pytest.raises(OSError, match="the result was closed"):
        list(half)


def test_that_a_cell_of_undecodable_bytes_is_cut_too(spool):
    rows = spool()
    rows.file.write(b"\xff" * 5000 + b"\n")
    rows.end()
    [(cut,)] = rows.window(0, 1, 1000)
    assert str(cut) == ("\\xff" * 250)
    assert cut.size == 5000


def test_that_cells_of_many_columns_are_not_taken_for_long_ones(spool):
    rows = spool(1600)
    row = tuple(str(n) for n in range(1600))
    rows.append([row] * 3)
    rows.end()
    assert rows.window(0, 3, 1000) == [row] * 3


# -- rows in memory


def test_that_rows_in_memory_answer_alike():
    rows = ListRows(columns(2))
    rows.append([("1", "a" * 2000), ("2", None)])
    rows.append([("3", "c")])
    assert (rows.known, rows.state) == (3, State.MORE)
    assert rows.window(1, 9) == [("2", None), ("3", "c")]
    assert rows.window(-1, 2) == rows.window(3, 2) == rows.window(0, 0) == []
    [(_, cut), *_] = rows.window(0, 9, 1000)
    assert (str(cut), cut.size) == ("a" * 1000, 2000)
    rows.close()
    assert rows.known == 0
