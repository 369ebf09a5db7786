"""Rows of a real server changed as one transaction: by whatever type, beside others, in every kind of table."""

import random
import threading

import psycopg2
import pytest
from fix_edits import Editor
from fix_values import OWN_TYPES, expressions
from psycopg2 import sql

from fix_facts import in_threads, until
from fix_tables import relation
from hostile import cut_to_fit, names
from pgexplorer.db.client import Client
from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.table import sending as room
from pgexplorer.db.table import writing
from pgexplorer.db.table.browse import Read, Table, To
from pgexplorer.db.table.changes import DEFAULT
from pgexplorer.db.table.ordering import Sort
from pgexplorer.db.table.sending import Conflicts, Done, Refused, Why, ask_outcome

TABLE = """CREATE TABLE t (id int PRIMARY KEY, name varchar(5), age int CHECK (age > 0));
           INSERT INTO t SELECT n, 'n' || n, n FROM generate_series(1, 9) n"""


@pytest.fixture(autouse=True, params=["as they are", "prepared"])
def _how_statements_are_sent(request, monkeypatch):
    """Every test holds for one change of a shape, which is sent as it is, and for many, which are prepared."""
    if request.param == "prepared":
        monkeypatch.setattr(writing, "MANY", 1)


@pytest.fixture
def made(client, own_schema, do, side):
    """Make the relation t of this test's schema, and let it be edited."""

    def make(text, **given):
        do(f"SET search_path = {own_schema}; {text}")
        return Editor(client, own_schema, side=side, **given)

    return make


@pytest.fixture
def rows(do, own_schema):
    """Return what is in t now."""
    return lambda what="*", order="1": do(f"SELECT {what} FROM {own_schema}.t ORDER BY {order}")


def kept(news):
    assert isinstance(news, Done), news
    return [each.row for each in news.kept]


def conflicts(news):
    assert isinstance(news, Conflicts), news
    return [(each.change.slot, each.why, each.theirs) for each in news.found]


def refused(news):
    assert isinstance(news, Refused), news
    return news


def test_that_rows_are_changed_deleted_and_inserted_and_come_back_as_the_server_keeps_them(made, rows):
    editor = made(TABLE)
    done = editor.send(
        editor.update(0, name="x", age="070"), editor.delete(1), editor.insert(1, id=" 10 ", name=None, age=DEFAULT)
    )
    assert sorted(kept(done), key=str) == sorted([("1", "x", "70"), None, ("10", None, None)], key=str)
    assert [row[0] for row in rows()] == [1, 3, 4, 5, 6, 7, 8, 9, 10]
    assert rows()[0] == (1, "x", 70)


def test_that_what_came_back_can_be_changed_again(made, rows):
    editor = made(TABLE)
    for value in ("a", "b", "c"):
        done = editor.send(editor.update(0, name=value, id=str(int(editor.page.rows[0][0]) + 100)))
        [change] = done.kept
        editor.page.rows[0], editor.page.places[0] = change.row, change.place
    assert (301, "c", 1) in rows()


def test_that_values_of_every_type_are_set_as_they_are_shown(made, own_schema, psql, admin, do):
    do(OWN_TYPES.format(own_schema))
    has_xml = bool(admin.ask("SELECT 1 FROM pg_config() WHERE name = 'CONFIGURE' AND setting LIKE '%libxml%'"))
    found = expressions(own_schema, rounds=2, has_xml=has_xml)
    types = do(f"SELECT {', '.join(f'pg_typeof({text})' for text in found)}")[0]
    found = [text for text, kind in zip(found, types, strict=True) if not kind.startswith(("record", "void"))]
    for begin in range(0, len(found), 100):
        part = found[begin : begin + 100]
        columns = ", ".join(f"({text}) AS c{n}" for n, text in enumerate(part))
        editor = made(f"""
            DROP TABLE IF EXISTS t; CREATE TABLE t AS SELECT 1 AS id, {columns};
            ALTER TABLE t ADD PRIMARY KEY (id); INSERT INTO t (id) VALUES (2)
        """)
        place = editor.page.places[0]
        whole = {name: editor.table.again().value(place, name)[1] for name in editor.names if name.startswith("c")}
        kept(editor.send(editor.update(1, **whole)))
        kept(editor.send(editor.insert(1, id="3", **whole)))
        one, two, three = (psql(f"SELECT * FROM {own_schema}.t WHERE id = {n}").split("\x1f") for n in (1, 2, 3))
        assert len(one) == len(part) + 1
        for name, expected, updated, inserted in zip(part, one[1:], two[1:], three[1:], strict=True):
            assert (updated, inserted) == (expected, expected), name


def test_that_what_is_too_long_is_refused_and_never_cut(made, rows):
    editor = made("""
        CREATE DOMAIN d AS varchar(2);
        CREATE TABLE t (id int PRIMARY KEY, v varchar(3), c char(3), b bit(3), n numeric(4, 1), d d);
        INSERT INTO t VALUES (1)
    """)
    for column, value in (("v", "four"), ("c", "four"), ("b", "1111"), ("n", "12345"), ("d", "abc")):
        found = refused(editor.send(editor.update(0, **{column: value})))
        assert found.error.sqlstate in {"22001", "22003", "22026"}, column
        assert [editor.names[at] for at in found.columns] == [column]
    assert rows() == [(1, None, None, None, None, None)]


# -- others at the same time


@pytest.mark.parametrize(
    ("theirs", "why"),
    [
        ("UPDATE {0}.t SET age = 99 WHERE id = 1", Why.CHANGED),  # another column
        ("UPDATE {0}.t SET name = 'them' WHERE id = 1", Why.CHANGED),
        ("UPDATE {0}.t SET name = name WHERE id = 1", Why.CHANGED),  # to what it was
        ("DELETE FROM {0}.t WHERE id = 1", Why.GONE),
        ("UPDATE {0}.t SET id = 77 WHERE id = 1", Why.GONE),
        ("DELETE FROM {0}.t WHERE id = 1; INSERT INTO {0}.t VALUES (1, 'n1', 1)", Why.CHANGED),
        ("TRUNCATE {0}.t", Why.GONE),
    ],
)
@pytest.mark.parametrize("mine", ["update", "delete"])
def test_that_a_row_that_others_changed_is_told_and_nothing_is_overwritten(
    made, rows, do, own_schema, theirs, why, mine
):
    editor = made(TABLE)
    do(theirs.format(own_schema))
    before = rows(order="id")
    change = editor.update(0, name="mine") if mine == "update" else editor.delete(0)
    news = editor.send(editor.update(1, name="also"), change, editor.insert(1, id="50"))
    found = {slot: (each_why, row) for slot, each_why, row in conflicts(news)}
    assert found[("1",)][0] is why
    assert rows(order="id") == before
    if why is Why.CHANGED:
        [now] = [row for row in before if row[0] == 1]
        assert found[("1",)][1] == tuple(str(cell) for cell in now)


def test_that_all_rows_that_changed_are_told_at_once(made, do, own_schema):
    editor = made(TABLE)
    do(f"UPDATE {own_schema}.t SET age = age + 1 WHERE id IN (2, 5); DELETE FROM {own_schema}.t WHERE id = 7")
    news = editor.send(*(editor.update(row, name="m") for row in range(9)))
    assert [(slot[0], why) for slot, why, _ in conflicts(news)] == [
        ("2", Why.CHANGED),
        ("5", Why.CHANGED),
        ("7", Why.GONE),
    ]


@pytest.mark.parametrize("ends", ["commit", "rollback"])
def test_that_who_comes_while_another_has_the_row_waits_and_sees_how_it_ended(
    made, profile, admin, own_schema, rows, ends
):
    editor = made(TABLE)
    other = psycopg2.connect(**profile.parameters("side"))
    with other.cursor() as cursor:
        cursor.execute(f"UPDATE {own_schema}.t SET age = 99 WHERE id = 1")
    came = []
    thread = threading.Thread(target=lambda: came.append(editor.send(editor.update(0, name="mine"))))
    thread.start()
    until(lambda: admin.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 1)
    getattr(other, ends)()
    thread.join(10)
    other.close()
    if ends == "commit":
        assert conflicts(came[0]) == [(("1",), Why.CHANGED, ("1", "n1", "99"))]
        assert rows()[0] == (1, "n1", 99)
    else:
        assert kept(came[0]) == [("1", "mine", "1")]


def test_that_a_change_put_on_the_row_as_it_is_now_passes(made, rows, do, own_schema):
    editor = made(TABLE)
    do(f"UPDATE {own_schema}.t SET age = 99 WHERE id = 1")
    [conflict] = editor.send(editor.update(0, name="mine")).found
    editor.page.rows[0], editor.page.places[0] = conflict.theirs, conflict.place
    kept(editor.send(editor.update(0, name="mine")))
    assert rows()[0] == (1, "mine", 99)


def test_that_two_who_send_at_once_never_both_win(made, rows, own_schema, open_pool):
    made(TABLE)

    for _ in range(10):
        editors = [Editor(Client(open_pool(1, 1)), own_schema) for _ in range(2)]

        def send(number, editors=editors):
            return editors[number].send(*(editors[number].update(n, name=f"w{number}") for n in range(9)))

        news = in_threads(2, send)
        assert sorted(type(each).__name__ for each in news) == ["Conflicts", "Done"]
        [winner] = [number for number, each in enumerate(news) if isinstance(each, Done)]
        assert {row[1] for row in rows()} == {f"w{winner}"}
        for editor in editors:
            editor.table.client.pool.closeall()


# -- kinds of tables


def test_that_a_table_without_a_key_changes_one_of_two_equal_rows(made, rows):
    editor = made("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, 'y')")
    assert not editor.table.has_key
    kept(editor.send(editor.update(1, b="mine"), editor.delete(2)))
    assert sorted(rows()) == [(1, "mine"), (1, "x")]


def test_that_a_row_without_a_key_that_others_changed_is_gone(made, rows, do, own_schema):
    editor = made("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (1, 'x')")
    do(f"UPDATE {own_schema}.t SET b = 'them' WHERE ctid = '(0,1)'")
    do(f"VACUUM {own_schema}.t")
    do(f"INSERT INTO {own_schema}.t VALUES (7, 'lies there now'), (8, 'too')")
    assert {why for _, why, _ in conflicts(editor.send(editor.update(0, b="mine"), editor.delete(1)))} == {Why.GONE}
    assert "mine" not in {row[1] for row in rows()}


PARTITIONED = """
    CREATE TABLE t (id int, v text, CONSTRAINT k PRIMARY KEY (id)) PARTITION BY RANGE (id);
    CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (10);
    CREATE TABLE high (v text, gone int, id int NOT NULL); ALTER TABLE high DROP COLUMN gone;
    ALTER TABLE t ATTACH PARTITION high FOR VALUES FROM (10) TO (20);
    INSERT INTO t VALUES (1, 'a'), (2, 'b'), (12, 'c')
"""


def test_that_rows_of_a_partitioned_table_are_changed_and_move_between_partitions(made, rows, do, own_schema):
    editor = made(PARTITIONED)
    done = editor.send(editor.update(0, id="15", v="moved"), editor.delete(2), editor.insert(1, id="16", v="new"))
    [moved] = [each for each in done.kept if each.row and each.row[0] == "15"]
    assert rows() == [(2, "b"), (15, "moved"), (16, "new")]
    editor.page.rows[0], editor.page.places[0] = moved.row, moved.place
    kept(editor.send(editor.update(0, v="again")))
    assert rows()[1] == (15, "again")
    do(f"UPDATE {own_schema}.t SET id = 3 WHERE id = 2")
    assert [why for _, why, _ in conflicts(editor.send(editor.update(1, v="mine")))] == [Why.GONE]


def test_that_a_composite_key_under_another_order_finds_its_row(made, rows):
    editor = made(
        """CREATE TABLE t (a text, b date, c int, PRIMARY KEY (a, b));
           INSERT INTO t VALUES ('x', '2024-01-01', 3), ('x', '2024-01-02', 2), ('y', '2024-01-01', 1)""",
        sorts=[Sort("c", True)],
    )
    assert [row[2] for row in editor.page.rows] == ["3", "2", "1"]
    assert editor.table.identity(editor.page.places[1]) == ("x", "2024-01-02")
    kept(editor.send(editor.update(1, c="20"), editor.update(2, b="2025-05-05")))
    assert [str(row[1]) for row in rows("*", "c")] == ["2025-05-05", "2024-01-01", "2024-01-02"]


def test_that_dates_are_read_as_the_session_writes_them(made, rows, admin, profile, open_pool, own_schema):
    made("CREATE TABLE t (d date PRIMARY KEY, i interval); INSERT INTO t VALUES ('2024-02-03', '1 day')")
    role = sql.Identifier(profile.user)
    admin.ask(
        sql.SQL("ALTER ROLE {} SET DateStyle = 'SQL, DMY'; ALTER ROLE {} SET IntervalStyle = 'sql_standard'").format(
            role, role
        )
    )
    try:
        editor = Editor(Client(open_pool(1, 1)), own_schema)
        assert editor.page.rows == [("03/02/2024", "1 0:00:00")]
        done = editor.send(editor.update(0, d="04/05/2024"))
        assert kept(done) == [("04/05/2024", "1 0:00:00")]
        assert not done.is_lossless
    finally:
        admin.ask(sql.SQL("ALTER ROLE {} RESET DateStyle; ALTER ROLE {} RESET IntervalStyle").format(role, role))
    assert [str(row[0]) for row in rows()] == ["2024-05-04"]


# -- the order of what is done


def test_that_values_are_shifted_and_rows_that_refer_to_each_other_are_made_moved_and_dropped(made, rows):
    editor = made("""
        CREATE TABLE t (id int PRIMARY KEY, place int UNIQUE NOT NULL, parent int REFERENCES t);
        INSERT INTO t VALUES (1, 1, NULL), (2, 2, 1), (3, 3, 1)
    """)
    kept(editor.send(*(editor.update(n, place=str(n + 2)) for n in range(3))))
    assert rows("place") == [(2,), (3,), (4,)]
    editor = Editor(editor.table.client, editor.table.relation.schema)
    kept(
        editor.send(
            editor.delete(0),
            editor.update(1, parent="9"),
            editor.insert(1, id="9", place="1", parent="8"),
            editor.insert(2, id="8", place="20"),
            editor.update(2, parent=None),
        )
    )
    assert rows("id, place, parent") == [(2, 3, 9), (3, 4, None), (8, 20, None), (9, 1, 8)]


@pytest.mark.parametrize("how", ["", "DEFERRABLE"])
def test_that_two_rows_swap_a_value_where_the_constraint_waits(made, rows, how):
    editor = made(f"CREATE TABLE t (id int PRIMARY KEY, p int UNIQUE {how}); INSERT INTO t VALUES (1, 1), (2, 2)")
    news = editor.send(editor.update(0, p="2"), editor.update(1, p="1"))
    if how:
        kept(news)
        assert rows() == [(1, 2), (2, 1)]
    else:
        assert refused(news).error.sqlstate == "23505"
        assert rows() == [(1, 1), (2, 2)]


def test_that_a_constraint_checked_at_the_end_points_to_the_rows_that_it_can_mean(made, rows):
    editor = made("""
        CREATE TABLE t (id int PRIMARY KEY, p int REFERENCES t DEFERRABLE, q int);
        INSERT INTO t VALUES (1, NULL, 1), (2, 1, 1), (3, 1, 1)
    """)
    found = refused(editor.send(editor.update(0, q="5"), editor.update(1, p="77")))
    assert found.error.sqlstate == "23503"
    assert [change.slot for change in found.changes] == [("2",)]
    assert [editor.names[at] for at in found.columns] == ["p"]
    assert rows("q") == [(1,), (1,), (1,)]


# -- what the server refuses, keeps back or does besides


def test_that_a_refusal_points_to_the_row_and_the_column(made, rows):
    editor = made("""
        CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, u int UNIQUE, p int REFERENCES t, c int CHECK (c > 0),
                        d date, v varchar(3), w varchar(4));
        INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)
    """)
    for column, value, code in (
        ("n", None, "23502"),
        ("u", "1", "23505"),
        ("p", "9", "23503"),
        ("c", "-1", "23514"),
        ("d", "x", "22007"),
        ("v", "four", "22001"),
    ):
        both = {"id": "5", "n": "1", "w": "four"} | {column: value}
        for change in (editor.update(1, **{column: value, "w": "four"}), editor.insert(1, **both)):
            found = refused(editor.send(editor.update(0, w="abc"), change))
            assert (found.error.sqlstate, found.changes) == (code, (change,))
            assert [editor.names[at] for at in found.columns] == [column], code
            assert found.error.position is None
    assert rows("w") == [(None,), (None,)]


def test_that_a_policy_or_trigger_that_keeps_a_row_is_no_change_by_others(made, rows, do, own_schema):
    editor = made(f"""{TABLE};
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER k BEFORE UPDATE ON t FOR EACH ROW WHEN (old.id = 2) EXECUTE FUNCTION keep()""")
    assert conflicts(editor.send(editor.update(0, name="x"), editor.update(1, name="y"))) == [(("2",), Why.KEPT, None)]
    assert rows()[0] == (1, "n1", 1)


def test_that_a_trigger_that_keeps_a_new_row_out_is_said(made, rows):
    editor = made(f"""{TABLE};
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER k BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION keep()""")
    with pytest.raises(RefusedSql, match="inserted no row"):
        editor.send(editor.update(0, name="x"), editor.insert(1, id="50"))
    assert rows()[0] == (1, "n1", 1)


def test_that_what_triggers_make_of_a_row_comes_back(made, rows):
    editor = made(f"""{TABLE};
        CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.age = new.age + 1000; RETURN new; END';
        CREATE TRIGGER k BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION more()""")
    assert kept(editor.send(editor.update(0, name="x"))) == [("1", "x", "1001")]


def test_that_rights_and_policies_are_known_beforehand(made, admin, profile, own_schema, client):
    editor = made("CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 1, 1)")
    assert editor.editable.why_not == ""
    if admin.value("SELECT rolsuper FROM pg_roles WHERE rolname = %s", profile.user):
        pytest.skip("no right is withheld from a superuser")
    role = sql.Identifier(profile.user)

    def facts(text):
        admin.ask(sql.SQL("SET search_path = {}; " + text).format(sql.Identifier(own_schema), role=role))
        return editor.table.again().facts()

    found = facts("ALTER TABLE t OWNER TO CURRENT_USER; GRANT SELECT ON t TO {role}")
    assert "may only read it" in found.why_not
    found = facts("GRANT UPDATE (a), INSERT (id, a) ON t TO {role}")
    assert (found.why_not, found.why_no_update, found.why_no_insert) == ("", "", "")
    assert "DELETE" in found.why_no_delete
    assert [bool(each.why_not(inserting=False)) for each in found.fields] == [True, False, True]
    assert [bool(each.why_not(inserting=True)) for each in found.fields] == [False, False, True]
    assert "privilege UPDATE on the column b" in found.fields[2].why_not(inserting=False)
    found = facts("GRANT ALL ON t TO {role}; ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    assert "Row security lets" in found.why_not
    found = facts("CREATE POLICY p ON t FOR SELECT USING (true); CREATE POLICY q ON t FOR UPDATE USING (id > 1)")
    assert (found.why_not, found.why_no_update) == ("", "")
    assert "no policy that lets" in found.why_no_insert
    assert "no policy that lets" in found.why_no_delete
    assert conflicts(editor.send(editor.update(0, a="5"))) == [(("1",), Why.KEPT, None)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("CREATE VIEW t AS SELECT 1 AS id", "A view"),
        ("CREATE MATERIALIZED VIEW t AS SELECT 1 AS id", "A materialized view"),
    ],
)
def test_that_what_has_no_rows_of_its_own_says_so(client, own_schema, do, text, why):

    do(f"SET search_path = {own_schema}; {text}")
    assert Table(client, relation(client, own_schema, "t")).facts().why_not.startswith(why)


def test_that_fields_say_what_can_be_given(made):
    editor = made("""
        CREATE TYPE mood AS ENUM ('calm', 'cross'); CREATE DOMAIN dm AS mood;
        CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, g int GENERATED ALWAYS AS (b + 1) STORED,
                        b int DEFAULT 5, m mood, d dm NOT NULL DEFAULT 'calm', y boolean)
    """)
    fields = {field.name: field for field in editor.editable.fields}
    assert [fields[name].is_given for name in ("id", "g", "b")] == [True, True, False]
    assert fields["m"].choices == fields["d"].choices == ("calm", "cross")
    assert fields["y"].choices == ("true", "false")
    assert (fields["b"].default, fields["g"].default) == ("5", "")
    done = editor.send(editor.insert(1))
    assert kept(done) == [("1", "6", "5", None, "calm", None)]
    assert "generated column" in refused(editor.send(editor.insert(1, g="1"))).error.detail


def test_that_a_link_that_breaks_before_the_commit_has_changed_nothing(made, rows, admin):
    editor = made(TABLE)
    sending = editor.sending(*(editor.update(n, name="x") for n in range(9)))
    ask = room.Session.ask
    killed = []

    def kill(on, text):
        if "n5" not in str(text) and "'5'" in str(text) and not killed:
            killed.append(on.conn.info.backend_pid)
            admin.terminate(*killed)
        return ask(on, text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room.Session, "ask", kill)
        with pytest.raises(psycopg2.Error):
            list(sending.run())
    assert killed
    assert rows()[0] == (1, "n1", 1)
    assert editor.table.client.pool.stats().used == 0


def test_that_many_changes_of_a_shape_are_prepared_and_leave_nothing_in_the_session(made, rows, monkeypatch):
    monkeypatch.setattr(writing, "MANY", 5)
    editor = made(TABLE)
    changes = [*(editor.update(n, name=f"x{n}", age=DEFAULT) for n in range(4)), editor.update(4, name="x4", age="7")]
    changes += [editor.update(n, name=f"x{n}") for n in range(5, 9)]
    changes += [editor.insert(n, id=str(20 + n), name="new") for n in range(5)]
    script = editor.sending(*changes).script()
    assert script.count("PREPARE pgexplorer_change_1 AS INSERT INTO") == 1
    assert script.count("EXECUTE pgexplorer_change_1(") == 5
    assert script.count("UPDATE ") == 9
    assert len(kept(editor.send(*changes))) == 14
    assert rows("count(*)") == [(14,)]
    assert rows("name", "id")[-1] == ("new",)
    with editor.table.again().lent() as on:
        assert on.ask("SELECT name FROM pg_prepared_statements") == []


@pytest.mark.parametrize("how", ["refused", "refused at once", "conflict", "stopped"])
def test_that_prepared_statements_are_gone_however_it_ends(made, do, own_schema, how, monkeypatch, rows):
    editor = made(TABLE)
    changes = [editor.update(n, name=f"x{n}") for n in range(9)]
    if how == "refused":
        changes[5] = editor.update(5, name="too long")
    elif how == "refused at once":
        changes = [editor.update(n, name="x", age=f"{n}x") for n in range(9)]
    elif how == "conflict":
        do(f"UPDATE {own_schema}.t SET age = 50 WHERE id = 5")
    sending = editor.sending(*changes)
    if how == "stopped":
        monkeypatch.setattr(room, "_TELL", -1)  # news of each row
        for _news in sending.run():
            break  # nobody hears it to its end
    else:
        assert isinstance(list(sending.run())[-1], Conflicts if how == "conflict" else Refused)
    with editor.table.again().lent() as on:
        assert on.ask("SELECT name FROM pg_prepared_statements") == []
    assert [name for (name,) in rows("name", "id")] == [f"n{n}" for n in range(1, 10)]


def test_that_intervals_are_read_by_the_fields_of_their_column_however_many(made, rows):
    editor = made("""
        CREATE TABLE t (id int PRIMARY KEY, i interval minute, d interval);
        INSERT INTO t SELECT n FROM generate_series(1, 9) n
    """)
    kept(editor.send(*(editor.update(n, i="90", d="1 day") for n in range(9))))
    assert rows("DISTINCT i::text, d::text") == [("01:30:00", "1 day")]


def test_that_the_server_tells_what_became_of_a_transaction(made):
    editor = made(TABLE)
    with editor.table.again().lent() as on:
        on.ask("BEGIN")
        [[rolled_back]] = on.ask("SELECT txid_current()")
        on.ask("ROLLBACK")
        [[committed]] = on.ask("SELECT txid_current()")
        on.ask("BEGIN")
        [[open_one]] = on.ask("SELECT txid_current()")
        assert ask_outcome(editor.table.again(), open_one) == "in progress"
    assert ask_outcome(editor.table.again(), rolled_back) == "aborted"
    assert ask_outcome(editor.table.again(), committed) == "committed"


def test_that_a_server_that_never_had_a_transaction_says_so(made, admin):
    editor = made(TABLE)
    to_come = admin.value("SELECT txid_current()") + 100_000
    assert ask_outcome(editor.table.again(), str(to_come)) == ""


def test_that_a_stop_is_heard_that_comes_while_the_transaction_is_noted(made, rows):
    editor = made(TABLE)
    stops = []

    def note(_transaction):
        stop = threading.Thread(target=lambda: list(sending.stop()))
        stop.start()
        stops.append(stop)
        until(lambda: table._running.wanted)

    table = editor.table.again()
    sending = room.Sending(table, editor.editable, [editor.update(0, name="x")], note)
    with pytest.raises(RefusedSql, match="Stopped"):
        list(sending.run())
    stops[0].join()
    assert rows("name", "id")[0] == ("n1",)


def test_that_a_character_that_the_encoding_has_not_is_told_with_its_row_and_column(
    made, rows, open_pool, profile, own_schema
):
    made(TABLE)
    editor = Editor(Client(open_pool(1, 1, **profile.parameters(), client_encoding="LATIN1")), own_schema)
    change = editor.update(3, age="7", name="5 €")
    news = refused(editor.send(editor.update(0, name="é", age="3"), change))
    assert news.error.title == "'€' cannot be sent: LATIN1 has no such character"
    assert (news.changes, [editor.names[at] for at in news.columns]) == ((change,), ["name"])
    assert rows("name", "id")[0] == ("n1",)


# -- names and chance


def test_that_200_hostile_names_arrive_as_they_are_in_every_statement(made, do, own_schema, server_log, open_pool):
    """Each name is a schema's, a table's and a column's at once; what was asked is read from the server's own log."""
    client = Client(open_pool(1, 1))
    found = names()
    assert len(found) == 200
    for name in found:
        schema, key, column = cut_to_fit(f"s{name}", own_schema[-8:]), cut_to_fit(name, "1"), cut_to_fit(name, "2")
        given = dict(zip("stkc", map(sql.Identifier, (schema, name, key, column)), strict=True))
        text = sql.SQL(
            "CREATE SCHEMA {s}; CREATE TABLE {s}.{t} ({k} text PRIMARY KEY, {c} text);"
            "INSERT INTO {s}.{t} VALUES ('1', 'one'), ('2', 'two')"
        ).format(**given)
        do(text)
        try:
            editor = Editor(client, schema, name)
            assert editor.names == [key, column]
            done = editor.send(
                editor.update(0, **{column: name, key: column}),
                editor.delete(1),
                editor.insert(1, **{key: name, column: column}),
            )
            kept(done)
            wanted = {(column, name), (name, column)}
            assert set(do(sql.SQL("SELECT * FROM {s}.{t}").format(**given))) == wanted, name
            refused(editor.send(editor.insert(1, **{key: name})))
            do(sql.SQL("UPDATE {s}.{t} SET {c} = 'theirs'").format(**given))
            assert editor.table.again().facts().fields[1].name == column
        finally:
            do(sql.SQL("DROP SCHEMA {} CASCADE").format(given["s"]))
    statements = server_log.statements()
    assert len([each for each in statements if "UPDATE" in each]) >= 200
    begun = {each.split("*/ ", 1)[-1].lstrip().split(" ")[0].rstrip(";") for each in statements}
    assert begun <= {
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SELECT",
        "UPDATE",
        "DELETE",
        "INSERT",
        "SAVEPOINT",
        "SHOW",
        "SET",
        "CREATE",
        "DROP",
        "RELEASE",
        "RESET",
        "DISCARD",
        "EXPLAIN",
        "PREPARE",
        "EXECUTE",
        "DEALLOCATE",
    }, begun


@pytest.mark.parametrize("seed", range(12))
def test_that_random_changes_equal_the_same_made_by_psql(made, rows, psql, do, own_schema, seed):
    chance = random.Random(seed)
    editor = made("""
        CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, s text, p int REFERENCES t);
        INSERT INTO t SELECT n, n * 10, 'text ' || n, nullif(n / 3, 0) FROM generate_series(1, 40) n;
        CREATE TABLE twin (LIKE t INCLUDING ALL); INSERT INTO twin SELECT * FROM t
    """)
    changes, plain = [], []
    texts = ["", "it's", "a\\b", "%s", "line\nline", "😀", "NULL", None]

    def literal(value):
        return "NULL" if value is None else "'" + value.replace("'", "''") + "'"

    for row in chance.sample(range(40), 25):
        key = editor.page.rows[row][0]
        if chance.random() < 0.25:
            changes.append(editor.delete(row))
            plain.append((0, f"DELETE FROM {own_schema}.twin WHERE id = {key};"))
        else:
            new = {"s": chance.choice(texts), "u": str(1000 + row)}
            changes.append(editor.update(row, **new))
            plain.append((1, f"UPDATE {own_schema}.twin SET s = {literal(new['s'])}, u = {new['u']} WHERE id = {key};"))
    for number in range(10):
        value = chance.choice(texts)
        changes.append(editor.insert(number, id=str(100 + number), s=value))
        plain.append((2, f"INSERT INTO {own_schema}.twin (id, s) VALUES ({100 + number}, {literal(value)});"))
    chance.shuffle(changes)
    news = editor.send(*changes)
    if isinstance(news, Refused):  # a row is deleted that others refer to: psql would be refused too
        assert news.error.sqlstate == "23503"
        assert do(f"SELECT * FROM {own_schema}.t ORDER BY id") == do(f"SELECT * FROM {own_schema}.twin ORDER BY id")
        return
    psql("BEGIN;" + "".join(text for _, text in sorted(plain)) + "COMMIT;")
    assert rows() == do(f"SELECT * FROM {own_schema}.twin ORDER BY id")


def test_that_the_page_is_read_with_the_versions_of_its_rows_and_they_change_with_a_change(made, do, own_schema):
    editor = made(TABLE)
    seen = [place.version for place in editor.page.places]
    assert len({version.ctid for version in seen}) == 9
    do(f"UPDATE {own_schema}.t SET age = 5 WHERE id = 3")
    [*_, now] = editor.table.again().read(Read(To.FIRST))
    changed = [n for n, place in enumerate(now.places) if place.version.xmin != seen[n].xmin]
    assert changed == [2]
