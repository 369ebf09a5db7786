"""What a row of the server's text becomes in each format."""

import io
import json
import os
from datetime import datetime
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgexplorer.db.transfer import formats
from pgexplorer.db.transfer.convert import main, specification
from pgexplorer.db.transfer.formats import Field, Format, Options
from pgexplorer.db.transfer.typed_files import exact_moment, exact_number

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
ROWS = st.lists(st.tuples(st.one_of(st.none(), TEXT), st.one_of(st.none(), TEXT)), max_size=8)


def fields(*kinds):
    return [Field(f"c{number}", kind) for number, kind in enumerate(kinds, 1)]


def child(given_to_it, answers):
    """Run the converter as if this process were its own child."""
    with mock.patch("os.getppid", os.getpid):
        return main(io.BytesIO(given_to_it), answers.append)


def convert(tmp_path, kind, columns, rows, options=None, **more):
    """Run the converter in this process; return its answer and the file."""
    path, answers = tmp_path / "out", []
    order = specification(kind, options or Options(table=("t",)), columns, path, folder=str(tmp_path), **more)
    lines = b"".join(formats.copy_line(row).encode() + b"\n" for row in rows)
    code = child(order + lines, answers)
    assert code == (0 if "rows" in answers[0] else 1)
    return answers[0], path


@given(st.lists(st.one_of(st.none(), TEXT), min_size=1, max_size=5))
def test_that_copys_text_format_comes_back_as_it_was(values):
    line = formats.copy_line(values)
    assert "\n" not in line
    assert formats.parse(line) == values


@given(st.one_of(st.none(), TEXT))
def test_that_a_literal_is_one_string_whatever_it_holds(value):
    written = formats.literal(value)
    if value is None:
        assert written == "NULL"
        return
    body = written[written.index("'") + 1 : -1]
    assert body.replace("''", "").count("'") == 0
    back = body.replace("''", "'")
    assert (back.replace("\\\\", "\\") if written.startswith("E") else back) == value


@given(ROWS)
def test_that_json_lines_say_the_same_text_and_null_is_no_string(rows):
    writer = formats.JsonWriter(fields("text", "text"))
    for row in rows:
        line = writer.row(row)
        assert line.count("\n") == 1
        assert tuple(json.loads(line).values()) == row


def test_that_json_keeps_every_digit_and_json_as_it_is():
    digits = "123456789012345678901234567890.123456789012345678901234567890"
    writer = formats.JsonWriter([Field("n", "number"), Field("b", "bool"), Field("j", "json"), Field("t", "text")])
    line = writer.row([digits, "t", '{"a":\n1, "a": 2.50}', "12"])
    assert line == f'{{"n": {digits}, "b": true, "j": {{"a": 1, "a": 2.50}}, "t": "12"}}\n'
    assert writer.row(["NaN", "f", "null", None]) == '{"n": "NaN", "b": false, "j": null, "t": null}\n'
    assert formats.JsonWriter(fields("float")).row(["-Infinity"]) == '{"c1": "-Infinity"}\n'


def test_that_a_name_that_comes_twice_gets_a_number():
    assert formats.distinct(["a", "b", "a", "a_2", "a"]) == ["a", "b", "a_2", "a_2_2", "a_3"]


def test_that_inserts_come_in_batches_with_everything_quoted():
    columns = [Field('a"b', "integer"), Field("select", "text"), Field("ok", "bool")]
    writer = formats.InsertWriter(columns, Options(table=('s"x', "T"), batch=2))
    rows = [("1", "it's", "t"), ("-2", "back\\slash", "f"), (None, "", None)]
    head = 'INSERT INTO "s""x"."T" ("a""b", "select", "ok") VALUES\n'
    assert "".join([*map(writer.row, rows), writer.end()]) == (
        f"{head}(1, 'it''s', true),\n(-2, E'back\\\\slash', false);\n{head}(NULL, '', NULL);\n"
    )


def test_that_nan_and_infinity_are_strings_in_an_insert():
    assert formats.literal("NaN", "number") == "'NaN'"
    assert formats.literal("-Infinity", "float") == "'-Infinity'"
    assert formats.literal("1e+20", "float") == "1e+20"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_that_the_guard_disarms_text_and_leaves_numbers_alone(text):
    writer = formats.CsvWriter(fields("text", "number"), Options(guard=True, header=False))
    written = writer.row([text, "-1"])
    assert written.startswith(("'", "\"'"))
    assert written.endswith(",-1\n")
    assert not formats.CsvWriter(fields("text"), Options()).row([text]).strip('"').startswith("'")


def test_that_csv_options_are_checked():
    problems = Options(delimiter=";;", quote="'").problems(Format.CSV)
    assert list(problems) == ["delimiter"]
    assert list(Options(delimiter='"').problems(Format.CSV)) == ["delimiter"]
    assert list(Options(null="a,b").problems(Format.CSV)) == ["null"]
    assert list(Options(null="a\tb").problems(Format.TSV)) == ["null"]
    assert not Options().problems(Format.CSV)


@pytest.mark.parametrize(
    ("encoding", "beginning"), [("utf-8-sig", b"\xef\xbb\xbfc1\n"), ("utf-16", b"\xff\xfec\x001\x00\n\x00")]
)
def test_that_a_byte_order_mark_stands_once_at_the_beginning(tmp_path, encoding, beginning):
    answer, path = convert(tmp_path, Format.CSV, fields("text"), [("ä",), ("b",)], Options(encoding=encoding))
    assert answer == {"rows": 2, "notes": []}
    assert path.read_bytes().startswith(beginning)
    assert path.read_bytes().decode(encoding) == "c1\nä\nb\n"


def test_that_a_character_that_the_encoding_lacks_is_told_with_row_and_column(tmp_path):
    rows = [("a", "é"), ("b", "€")]
    answer, _ = convert(tmp_path, Format.CSV, fields("text", "text"), rows, Options(encoding="latin-1"))
    assert answer["wrong"].startswith("row 2, column c2: the character '€' (U+20AC) does not exist in ISO 8859-1")


def test_that_bytes_that_are_no_text_are_told_with_row_and_column(tmp_path):
    answers = []
    order = specification(Format.JSON_LINES, Options(), fields("text", "text"), tmp_path / "out")
    assert main(io.BytesIO(order + b"a\tb\nc\t\xff\xfe\n"), answers.append) == 1
    assert answers == [{"wrong": "row 2, column c2: the bytes ff are not UTF-8."}]


def test_that_bytes_stay_as_they_are_where_nothing_is_converted(tmp_path):
    answers = []
    order = specification(Format.CSV, Options(encoding="", header=False), fields("text"), tmp_path / "out")
    assert child(order + b"a\xff\n", answers) == 0
    assert (tmp_path / "out").read_bytes() == b"a\xff\n"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        ("-0.5", -0.5),
        ("1.10", 1.1),
        ("123456789012345", 123456789012345.0),
        ("1000000000000000000", 1e18),
        ("0", 0.0),
        ("1e+20", 1e20),
        ("1234567890123456", None),
        ("0.1234567890123456", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e-320", None),
    ],
)
def test_which_numbers_excel_holds_exactly(text, number):
    assert exact_number(text) == number


def test_which_moments_excel_holds_exactly():
    assert exact_moment("2024-02-29") == (datetime(2024, 2, 29), -1)
    assert exact_moment("2024-02-29 23:59:59.5") == (datetime(2024, 2, 29, 23, 59, 59, 500_000), 1)
    texts = ["infinity", "0044-03-15 BC", "10000-01-01", "1900-02-28", "2024-01-01 00:00:00.123456"]
    assert [exact_moment(text) for text in texts] == [None] * 5


def sheets(path):
    """Read what an Excel file holds: of each sheet the cells by their place."""
    import re
    import zipfile
    from xml.etree import ElementTree

    main_ = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    found = []
    with zipfile.ZipFile(path) as book:
        for name in sorted(each for each in book.namelist() if re.match(r"xl/worksheets/sheet\d+\.xml", each)):
            cells = {}
            for cell in ElementTree.fromstring(book.read(name)).iter(f"{main_}c"):
                value = "".join(cell.itertext())
                cells[cell.get("r")] = (cell.get("t", "n"), value)
            found.append(cells)
    return found


def test_that_excel_gets_numbers_where_exact_and_text_else(tmp_path):
    columns = [Field("n", "number"), Field("d", "date"), Field("b", "bool"), Field("t", "text")]
    rows = [("1.5", "2024-01-02", "t", "=1+1"), ("1234567890123456", "infinity", None, "")]
    answer, path = convert(tmp_path, Format.EXCEL, columns, rows, Options(guard=True))
    assert answer == {"rows": 2, "notes": []}
    [cells] = sheets(path)
    assert cells["A2"] == ("n", "1.5")
    assert cells["B2"] == ("n", "45293")
    assert cells["C2"] == ("b", "1")
    assert cells["D2"] == ("inlineStr", "'=1+1")
    assert cells["A3"] == ("inlineStr", "1234567890123456")
    assert cells["B3"] == ("inlineStr", "infinity")
    assert "C3" not in cells


def test_that_a_full_sheet_is_followed_by_another_and_that_is_told(tmp_path):
    rows = [(str(number),) for number in range(7)]
    answer, path = convert(tmp_path, Format.EXCEL, fields("integer"), rows, sheet_rows=4)
    assert answer["rows"] == 7
    assert answer["notes"][0].startswith("3 sheets")
    found = sheets(path)
    numbers = [value for cells in found for place, (_, value) in cells.items() if place != "A1"]
    assert numbers == [str(number) for number in range(7)]


def test_that_a_cell_too_long_for_excel_is_cut_and_told(tmp_path):
    answer, path = convert(tmp_path, Format.EXCEL, fields("text"), [("a" * 32_767,), ("b" * 32_768,)])
    assert answer["rows"] == 2
    assert answer["notes"] == [
        "1 value is longer than the 32,767 characters of an Excel cell and cut there, the first in row 2, column c1."
    ]
    assert len(sheets(path)[0]["A3"][1]) == 32_767


def test_that_more_columns_than_excel_has_are_refused(tmp_path):
    answer, _ = convert(tmp_path, Format.EXCEL, fields(*["text"] * 16_385), [])
    assert "16,384 columns" in answer["wrong"]


def test_that_a_full_disk_is_told_by_its_number(tmp_path):
    answers = []
    order = specification(Format.JSON_LINES, Options(), fields("text"), "/dev/full")
    assert main(io.BytesIO(order + b"x\n"), answers.append) == 1
    assert answers[0]["errno"] == 28


def test_that_a_converter_without_its_parent_leaves_no_file(tmp_path):
    order = specification(Format.JSON_LINES, Options(), fields("text"), tmp_path / "out")
    other = json.loads(order) | {"parent": 1}
    assert main(io.BytesIO(json.dumps(other).encode() + b"\nx\n"), lambda answer: None) == 1
    assert not (tmp_path / "out").exists()
