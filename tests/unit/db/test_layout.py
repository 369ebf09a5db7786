"""How a file's layout is guessed and its records are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgexplorer.db.transfer import formats
from pgexplorer.db.transfer.formats import Field, Format, Options
from pgexplorer.db.transfer.layout import Layout, Records, guess, match, preview, texts_of

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ROWS = st.lists(st.tuples(*[st.one_of(st.none(), TEXT)] * 2), min_size=1, max_size=6)


def write(tmp_path, data, name="in.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@given(ROWS, st.sampled_from([Format.CSV, Format.TSV]), st.integers(1, 30))
def test_that_what_the_writers_write_is_read_again_however_it_is_cut(rows, kind, step):
    fields = [Field("a"), Field("b")]
    options = Options(header=False, null="\\N")
    writer = formats.CsvWriter(fields, options) if kind is Format.CSV else formats.TsvWriter(fields, options)
    data = "".join(map(writer.row, rows)).encode()
    layout = Layout(kind, null="\\N")
    records = Records(layout)
    found = []
    for start in range(0, len(data) + step, step):
        block = data[start : start + step]
        found += [tuple(texts_of(record, layout)) for record in records.cut(block, last=not block)]
    found += [tuple(texts_of(record, layout)) for record in records.cut(b"", last=True)]
    # A carriage return at a record's very end cannot be told from a line end where it is not quoted; COPY quotes it.
    assert found == rows


@pytest.mark.parametrize(
    ("data", "name", "wanted"),
    [
        ("id,name\n1,a\n2,b\n", "x.csv", Layout(header=True)),
        ("1;a\n2;b\n", "x.csv", Layout(delimiter=";", header=False)),
        ("id\tname\n1\ta\n", "x.tsv", Layout(Format.TSV, delimiter="\t", null="\\N")),
        ('id\tname\n1\t"a"\n', "x.tsv", Layout(delimiter="\t")),
        ("1\t\\N\n2\tx\n", "x.txt", Layout(Format.TSV, delimiter="\t", null="\\N", header=False)),
        ("id|name\n1|\\N\n", "x.csv", Layout(delimiter="|", null="\\N")),
        (b"\xef\xbb\xbfid,name\n1,a\n", "x.csv", Layout()),
        ("id,name\n1,ä\n".encode("utf-16"), "x.csv", Layout(encoding="utf-16-le")),
        ("id,name\n1,ä\n".encode("utf-16-be"), "x.csv", Layout(encoding="utf-16-be")),
        ("id,name\n1,ä€\n".encode("cp1252"), "x.csv", Layout(encoding="cp1252")),
        (b"id,name\n1,\x81\xe9\n", "x.csv", Layout(encoding="latin-1")),
        ('id,note\n1,"a;b;c"\n2,"d;e;f"\n', "x.csv", Layout()),
        ("", "x.csv", Layout(header=False)),
    ],
)
def test_what_is_guessed(tmp_path, data, name, wanted):
    assert guess(write(tmp_path, data, name), ["id", "name"]) == wanted


def test_that_a_preview_tells_null_from_nothing_and_what_does_not_fit(tmp_path):
    path = write(tmp_path, 'a,b\n1,\n2,""\n"3\n4","x ""y"""\n')
    found = preview(path, Layout())
    assert found.header == ["a", "b"]
    assert found.rows == [["1", None], ["2", ""], ["3\n4", 'x "y"']]
    assert found.wrong == ""
    assert "different numbers of values: 1 and 2" in preview(write(tmp_path, "a,b\n1\n"), Layout()).wrong
    assert "Line 2: the bytes 81" in preview(write(tmp_path, b"a\n\x81"), Layout(encoding="cp1252")).wrong


def test_that_old_macs_line_ends_are_read(tmp_path):
    assert preview(write(tmp_path, "a,b\r1,2\r"), Layout()).rows == [["1", "2"]]


@pytest.mark.parametrize("step", [1, 2, 3, 100])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_that_a_line_end_between_quotes_does_not_say_what_ends_a_line(step, end):
    data = f'"\r",a{end}"\n",b{end}'.encode()
    records = Records(Layout())
    blocks = [data[start : start + step] for start in range(0, len(data), step)]
    found = [record for block in blocks for record in records.cut(block)]
    found += records.cut(b"", last=True)
    assert [texts_of(record, Layout()) for record in found] == [["\r", "a"], ["\n", "b"]]


def test_that_columns_are_matched_by_name_then_in_order(tmp_path):
    names = ["id", "first_name", "note"]
    with_header = preview(write(tmp_path, "First Name,other,ID\nx,y,1\n"), Layout())
    assert match(with_header, names) == ["first_name", None, "id"]
    assert match(preview(write(tmp_path, "1,x,y,z\n"), Layout(header=False)), names) == [*names, None]
    assert match(preview(write(tmp_path, "p,q\n1,x\n"), Layout()), names) == ["id", "first_name"]
