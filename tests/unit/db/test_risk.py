"""What a statement would change, told by its words."""

import pytest

from pgexplorer.db.risk import Danger, risks


@pytest.mark.parametrize(
    "text",
    [
        "select 1",
        "with a as (select 1) select * from a union select 2",
        "table person",
        "values (1)",
        "explain update t set a = 1",
        "explain (analyze, buffers) select 1",
        "show work_mem",
        "begin; select 1; commit; rollback",
        "set work_mem = '1GB'",
        "set search_path = x",
        "copy t to stdout",
        "declare c cursor for select 1; fetch c",
        "listen a; unlisten a",
        "prepare p as select 1",
        "select 'delete from t'",
        "",
        "-- delete from t",
    ],
)
def test_that_what_only_reads_is_no_risk(text):
    assert risks(text) == []


@pytest.mark.parametrize(
    ("text", "danger"),
    [
        ("insert into t values (1)", Danger.WRITE),
        ("update t set a = 1 where id = 2", Danger.WRITE),
        ("delete from t where id = 2", Danger.WRITE),
        ("merge into t using s on true when matched then delete", Danger.WRITE),
        ("with gone as (delete from t where a = 1 returning *) select * from gone", Danger.WRITE),
        ("with gone as (delete from t returning *) select * from gone", Danger.EVERY_ROW),
        ("update t set a = 1", Danger.EVERY_ROW),
        ("delete from t", Danger.EVERY_ROW),
        ("delete from t -- where a = 1", Danger.EVERY_ROW),
        ("truncate t", Danger.EVERY_ROW),
        ("explain analyze delete from t", Danger.EVERY_ROW),
        ("prepare p as delete from t", Danger.EVERY_ROW),
        ("copy t from stdin", Danger.WRITE),
        ("copy t from '/tmp/x'", Danger.WRITE),
        ("copy t to '/tmp/x'", Danger.DEFINITION),
        ("copy t to program 'x'", Danger.DEFINITION),
        ("select * into x from t", Danger.DEFINITION),
        ("create table x as select 1", Danger.DEFINITION),
        ("drop table t", Danger.DEFINITION),
        ("alter role me password 'x'", Danger.DEFINITION),
        ("do $$ begin end $$", Danger.DEFINITION),
        ("call p()", Danger.DEFINITION),
        ("vacuum", Danger.DEFINITION),
        ("execute p", Danger.DEFINITION),
        ("this is no SQL", Danger.DEFINITION),
        ("set default_transaction_read_only = off", Danger.SAFETY),
        ("set transaction_read_only to off", Danger.SAFETY),
        ("set statement_timeout = 0", Danger.SAFETY),
        ("set role admin", Danger.SAFETY),
        ("select set_config('transaction_read_only', 'off', false)", Danger.SAFETY),
    ],
)
def test_that_what_changes_something_is_told_with_how(text, danger):
    [found] = risks(text)
    assert found.danger is danger
    assert found.words == f"{danger.value}: {text.strip()}"


def test_that_each_statement_of_a_text_is_judged():
    found = risks("select 1; delete from t; commit; insert into t\n  values (1)")
    assert [each.danger for each in found] == [Danger.EVERY_ROW, Danger.WRITE]
    assert found[1].statement == "insert into t values (1)"
