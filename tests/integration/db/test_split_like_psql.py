"""Statements are cut where psql cuts them: psql itself is asked, by a server that only writes down what it is sent."""

import contextlib
import re
import shutil
import socket
import struct
import subprocess
import threading
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pgexplorer.db.statements import split
from pgexplorer.demo import binaries
from pgexplorer.demo.errors import DemoUnavailable


def _message(kind, body):
    return kind + struct.pack("!i", len(body) + 4) + body


class Scribe:
    """Speaks enough of the protocol to have psql send its statements, and answers each with an empty success."""

    def __init__(self, conforming="on"):
        self.conforming = conforming
        self.sent = []  # (statement, data of COPY or None)
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait(self):
        self._thread.join(20)
        self._door.close()
        assert not self._thread.is_alive()

    def _serve(self):
        conn, _ = self._door.accept()
        with conn, conn.makefile("rb") as stream:
            (size,) = struct.unpack("!i", stream.read(4))
            stream.read(size - 4)
            conn.sendall(_message(b"R", struct.pack("!i", 0)))
            for name, value in {
                "standard_conforming_strings": self.conforming,
                "client_encoding": "UTF8",
                "server_version": "18.0",
            }.items():
                conn.sendall(_message(b"S", f"{name}\0{value}\0".encode()))
            conn.sendall(_message(b"Z", b"I"))
            while kind := stream.read(1):
                (size,) = struct.unpack("!i", stream.read(4))
                body = stream.read(size - 4)
                if kind == b"Q":
                    text = body[:-1].decode()
                    if text.lower().startswith("copy") and "stdin" in text.lower():
                        self.sent.append([text, ""])
                        conn.sendall(_message(b"G", struct.pack("!bh", 0, 0)))
                        continue
                    self.sent.append([text, None])
                elif kind == b"d":
                    self.sent[-1][1] += body.decode()
                    continue
                elif kind not in {b"c", b"f"}:
                    break
                conn.sendall(_message(b"C", b"OK\0") + _message(b"Z", b"I"))


@cache
def _psql():
    with contextlib.suppress(DemoUnavailable):
        if (own := binaries.find().root / "bin" / "psql").exists():
            return str(own)
    return shutil.which("psql")


def psql_sends(script, conforming="on"):
    program = _psql()
    if program is None:
        pytest.skip("there is no psql here")
    scribe = Scribe(conforming)
    done = subprocess.run(
        [program, "-XqAt", "-h", "127.0.0.1", "-p", str(scribe.port), "-U", "x", "-d", "sslmode=disable dbname=x"],
        input=script.encode(),
        capture_output=True,
        timeout=30,
        check=False,
    )
    scribe.wait()
    assert done.returncode == 0, done.stderr.decode()
    # Psql before 18 sends the line that ends the data too, and none sends an empty line outside of quotes.
    return [(_dense(text), data and data.removesuffix("\\.\n")) for text, data in scribe.sent]


def _dense(text):
    return re.sub(r"\n+", "\n", text)


def compare(script, conforming="on"):
    found = split(script, conforming=conforming == "on")
    assert not any(each.refusal for each in found)
    theirs = []
    for text, data in psql_sends(script, conforming):
        # What stands before the first word, comments and white space, is sent or not by psql's version.
        own = split(text, conforming=conforming == "on")[:1]
        theirs += [(text[each.start :].rstrip("; \t\n"), data or "") for each in own]
    assert [(_dense(each.text).rstrip("; \t\n"), each.copy_data or "") for each in found] == theirs, script


PIECES = [
    "select 1", "select ';'", 'select ";"', "select $$;$$", "select $q$ $$ ; $q$", "select 'it''s; 😀'",
    "select E'\\';'", "select e'a\\\\'", "select U&'\\0061;'", "select /* ; */ 1", "select 1 -- ;\n + 2",
    "select /* a /* ; */ ' */ 1", "select (1; 2)", "select f(a; (b; c); d)", "select a[1:2], b[:n], x::int",
    "do $$begin perform 1; end$$", "do $body$\nbegin\n  perform ';';\nend\n$body$",
    "create rule r as on insert to t do also (delete from a; delete from b)",
    "create function f() returns int begin atomic select 1; select 2; end",
    "create or replace function f(a int) returns int language sql begin atomic select case when a = 1 then 2 end; end",
    "CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); BEGIN SELECT 1; END; END",
    "create function f() returns int as 'select 1; select 2' language sql",
    "create function f() returns int language plpgsql as $f$ begin return 1; end; $f$",
    "create table begin (a int)", "create view v as select case when true then 1 end",
    "with é as (select 1) select * from é", "begin", "commit", "update t set a = case when b then 1 end",
    "select :a, :'b', :\"c\"", "select 'a\nb;\nc'", "select \"a\n;b\"", "select a$b$c, d$1;$1", "select $1, $2",
    "select ) 1", "selct 1", "select 1 as \"select;\"", "select 1e5, 1.5, .5, 0x1F", "select b'01;', x'1;F', n';'",
    "select 1 <@ 2, a->>'b;', c #> '{;}'", "create", "create or", "create or replace", "end", "case", "(select 1)",
]  # fmt: skip
GAPS = ["", " ", "\n", "/* ; */", "-- ; 😀\n", "\t", "\n\n", "/* a /* ; */ b */ ", "--\n"]
COPIES = [
    "copy t from stdin;\n1\t;\n2\t'\n\\.\n",
    'COPY t (a) FROM STDIN WITH (FORMAT csv); -- now\n1,";\n\\.\n',
    "copy t from stdin;\n\\.\n",
]


@given(
    st.lists(
        st.tuples(st.sampled_from(GAPS), st.sampled_from(PIECES), st.sampled_from([";", " ;", "\n;", ";;", "; "])),
        max_size=10,
    ),
    st.lists(st.sampled_from(COPIES), max_size=3),
)
@example([("", "select 1", "")], [])
@settings(max_examples=250, deadline=None)
def test_that_generated_scripts_are_cut_where_psql_cuts_them(parts, copies):
    # The copies come last: psql 18 loses whole lines behind a COPY and a statement in parentheses.
    compare("\n".join(["".join(gap + piece + tail for gap, piece, tail in parts), *copies]))


@given(st.lists(st.sampled_from(
    ["select", " ", "\n", "'", '"', "$$", "$a$", ";", "(", ")", "--", "/*", "*/", "E'", "1", ":b",
    "create function", "begin", "end"]
), max_size=18))  # fmt: skip
@settings(max_examples=250, deadline=None)
def test_that_whatever_stands_in_a_script_is_cut_where_psql_cuts_it(parts):
    script = "".join(parts)
    if any(part == "E'" and after == "\n" for part, after in pairwise(parts)):
        return
    compare(script)


@pytest.mark.parametrize(
    "script",
    [
        "select '\\'; select 1'; select 2;",
        "select 'a\\\\'; select 2;",
        "select E'\\''; select U&'x';",
        "select '\\''';'; x;",
    ],
)
def test_that_standard_conforming_strings_off_is_minded_as_psql_minds_it(script):
    compare(script, "off")


def test_that_statements_go_on_behind_the_data_of_a_copy():
    compare(f"select 0;\n{COPIES[0]}select 1;\n{COPIES[1]}{COPIES[2]}select 2; select 3;\n")


def test_that_the_last_statement_needs_no_semicolon():
    compare("select 1; select 2")
    compare("select 1; select 'open ; select 2")
