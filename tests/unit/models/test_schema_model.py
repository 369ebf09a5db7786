"""The schema tree: what is shown of names that were read, and what a refresh leaves as it was."""

import gc
import weakref

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

import hostile
from pgexplorer.db.objects import DbObject, ObjectKind
from pgexplorer.db.schema import Kind, Relation, TableColumn
from pgexplorer.db.tree import Leaf, Names, Parts, Schema
from pgexplorer.models.schema_model import ICON_ROLE, KEY_ROLE, MUTED_ROLE, OBJECT_ROLE, RELATION_ROLE, SchemaModel
from pgexplorer.models.schema_nodes import HERE, build, key_of, measured, object_of

Role = Qt.ItemDataRole
K = ObjectKind


@pytest.fixture
def schema(qapp):
    model = SchemaModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield model
    tester.deleteLater()


def relation(oid, name, kind=Kind.TABLE, schema="public", **more):
    return Relation(oid, schema, name, kind, more.pop("rows", 3), more.pop("size", 8192), **more)


def leaf(kind, oid, name, detail="", schema="public", comment="", **more):
    return Leaf(DbObject(kind, oid, schema, name, **more), detail, comment)


PERSON, VIEW = relation(1, "person", comment="People <b>"), relation(2, "v", Kind.VIEW, size=0)
PUBLIC = Schema(
    DbObject(K.SCHEMA, 10, "", "public"),
    "the usual one",
    (PERSON, VIEW),
    (
        leaf(K.SEQUENCE, 20, "s"),
        leaf(K.FUNCTION, 21, "f", "text", arguments="integer"),
        leaf(K.PROCEDURE, 22, "p"),
        leaf(K.DOMAIN, 23, "d", "integer"),
    ),
)
EMPTY = Schema(DbObject(K.SCHEMA, 11, "", "empty one"))
WHOLE = Names(
    "test",
    (PUBLIC, EMPTY),
    (leaf(K.DATABASE, 30, "other", schema=""), leaf(K.DATABASE, 31, "test", schema="", comment="ours")),
    (leaf(K.ROLE, 40, "alice", "superuser", schema=""),),
    (leaf(K.EXTENSION, 50, "plpgsql", "1.0", schema=""),),
    is_whole=True,
)
PEOPLE = (
    TableColumn("id", "bigint", 1, True, "the key", 1),
    TableColumn("name", "text", 0, True, "", 2, "'x'::text"),
    TableColumn("born", "timestamp with time zone", 0, False, "", 3),
    TableColumn("doc", "jsonb", 0, False, "", 5),
    TableColumn("ok", "boolean", 0, False, "", 6, "(id > 1)", "", "s"),
    TableColumn("money", "numeric(5,2)", 0, True, "", 7, "", "a"),
    TableColumn("where", "point", 0, False, "", 8),
)
PARTS = Parts(
    PEOPLE,
    (leaf(K.CONSTRAINT, 60, "person_pkey", "PRIMARY KEY (id)", table="person"),
     leaf(K.CONSTRAINT, 61, "of", "FOREIGN KEY (id) REFERENCES other(id)", table="person")),
    (leaf(K.INDEX, 62, "person_pkey", "btree (id) · primary key", table="person"),),
)  # fmt: skip


def names_of(relations, schema="public"):
    return Names("test", (Schema(DbObject(K.SCHEMA, 10, "", schema), "", tuple(relations)),))


def below(model, index):
    return [model.index(row, 0, index) for row in range(model.rowCount(index))]


def texts(model, index):
    return [each.data() for each in below(model, index)]


def space(model, name="public"):
    return next(each for each in below(model, model.index_of(HERE)) if each.data() == name)


def test_that_the_tree_shows_the_database_in_use_first_then_others_then_roles(schema):
    schema.set_tree(build(WHOLE))
    assert texts(schema, QModelIndex()) == ["test", "Other databases", "Roles"]
    here, others, roles = below(schema, QModelIndex())
    assert here.data(Role.ToolTipRole) == "database test\nours"
    assert texts(schema, here) == ["public", "empty one", "Extensions"]
    assert texts(schema, others) == ["other"]
    assert [each.data(MUTED_ROLE) for each in below(schema, roles)] == ["superuser"]
    assert texts(schema, space(schema)) == ["person", "v", "Sequences", "Functions", "Types"]
    assert space(schema).data(Role.ToolTipRole) == "schema public\nthe usual one"
    functions = below(schema, space(schema))[3]
    assert [(each.data(), each.data(MUTED_ROLE)) for each in below(schema, functions)] == [
        ("f", "(integer) → text"), ("p", "()")]  # fmt: skip
    assert space(schema, "empty one").data(MUTED_ROLE) == "empty"
    assert not schema.hasChildren(space(schema, "empty one"))


def test_that_a_line_says_what_it_is(schema):
    schema.set_tree(build(WHOLE))
    person, view = below(schema, space(schema))[:2]
    assert person.data(RELATION_ROLE) == PERSON
    assert person.data(OBJECT_ROLE) == DbObject(K.TABLE, 1, "public", "person")
    assert person.data(Role.ToolTipRole) == "table public.person\nPeople <b>"
    assert person.data(ICON_ROLE) == "table"
    assert view.data(ICON_ROLE) == "view"
    assert view.data(OBJECT_ROLE).kind is K.VIEW
    assert schema.parent(person) == space(schema)
    assert person.data(Role.AccessibleTextRole) == "person, ≈ 3 rows · 8 kB · People <b>"
    assert below(schema, space(schema))[2].data(OBJECT_ROLE) is None  # a group


def test_that_the_relations_alone_are_shown_while_the_rest_is_not_known(schema):
    schema.set_tree(build(Names("test", (PUBLIC, EMPTY))))
    assert texts(schema, QModelIndex()) == ["test"]
    assert texts(schema, space(schema))[:2] == ["person", "v"]


def test_that_parts_are_asked_for_once(qapp):
    schema = SchemaModel()  # without the tester, which asks for everything itself
    schema.set_tree(build(WHOLE))
    person = schema.find("public", "person")
    asked = []
    schema.parts_wanted.connect(asked.append)
    assert schema.hasChildren(person)
    assert schema.canFetchMore(person)
    schema.fetchMore(person)
    schema.fetchMore(person)
    assert asked == [PERSON]
    schema.ask_again(1)
    schema.fetchMore(person)
    assert asked == [PERSON, PERSON]


def test_that_parts_are_filled_in(schema):
    schema.set_tree(build(WHOLE))
    person = schema.find("public", "person")
    schema.set_parts(1, PARTS)
    assert texts(schema, person) == [*(column.name for column in PEOPLE), "Keys and checks", "Indexes"]
    columns = below(schema, person)[:7]
    assert [each.data(MUTED_ROLE) for each in columns] == [
        "bigint · the key", "text · not null", "timestamp with time zone", "jsonb", "boolean · generated",
        "numeric(5,2) · identity", "point"]  # fmt: skip
    assert [each.data(ICON_ROLE) for each in columns] == ["key", "text", "date", "json", "bool", "number", "column"]
    assert [each.data(OBJECT_ROLE).part for each in columns] == [1, 2, 3, 5, 6, 7, 8]
    assert columns[0].data(Role.ToolTipRole) == (
        "column public.person.id\nbigint · not null · number 1 in the primary key\nthe key"
    )
    assert "default 'x'::text" in columns[1].data(Role.ToolTipRole)
    assert "generated: (id > 1)" in columns[4].data(Role.ToolTipRole)
    assert "identity, always" in columns[5].data(Role.ToolTipRole)
    keys = below(schema, below(schema, person)[7])
    assert [each.data(ICON_ROLE) for each in keys] == ["key", "link"]
    assert not schema.hasChildren(columns[0])
    schema.set_parts(1, PARTS)
    assert schema.rowCount(person) == 9
    assert schema.filled() == [PERSON]
    assert schema.columns()[0] == ("public", "person", "id", "bigint")


def test_that_parts_that_come_late_or_never_change_nothing_else(schema):
    schema.set_tree(build(WHOLE))
    schema.set_parts(99, PARTS)
    schema.set_parts(2, Parts())
    assert schema.rowCount(schema.find("public", "person")) == 0
    assert not schema.hasChildren(schema.find("public", "v"))
    assert not schema.find("public", "gone").isValid()
    assert not schema.find("nosuch", "person").isValid()
    schema.set_tree(None)
    schema.set_parts(1, PARTS)
    assert schema.rowCount() == 0
    assert not schema.index_of(HERE).isValid()


def test_that_everything_is_found_again_by_its_key_after_it_was_read_again(schema):
    schema.set_tree(build(WHOLE))
    schema.set_parts(1, PARTS)

    def keys(index):
        found = [index.data(KEY_ROLE)] if index.isValid() else []
        return found + [key for each in below(schema, index) for key in keys(each)]

    before = keys(QModelIndex())
    assert len(set(before)) == len(before)
    schema.set_tree(build(WHOLE, {1: PARTS}))
    assert keys(QModelIndex()) == before
    for key in before:
        assert schema.index_of(key).data(KEY_ROLE) == key


def test_that_partitions_stand_below_the_table_that_they_are_of_and_add_up(schema):
    table = relation(1, "p", Kind.PARTITIONED, rows=-1, size=0)
    names = names_of([
        table, relation(2, "p1", Kind.PARTITIONED, rows=-1, size=0, parent=1), relation(3, "p11", parent=2, rows=5),
        relation(4, "p2", parent=1, rows=7), relation(5, "stray", parent=77),
    ])  # fmt: skip
    schema.set_tree(build(names))
    assert texts(schema, space(schema)) == ["p", "stray"]
    p = schema.find("public", "p")
    assert p.data(MUTED_ROLE) == "≈ 12 rows · 16 kB"
    assert texts(schema, p) == ["Partitions"]
    assert texts(schema, below(schema, p)[0]) == ["p1", "p2"]
    assert schema.find("public", "p11").data(MUTED_ROLE) == "≈ 5 rows · 8 kB"
    schema.set_parts(1, PARTS)
    assert texts(schema, p)[0] == "id"
    assert texts(schema, p)[-1] == "Partitions"
    assert [each.name for each in schema.relations()] == ["p", "p1", "p11", "p2", "stray"]


def test_that_sizes_come_later_and_a_count_stands_in_place_of_the_estimate(schema, qtbot):
    names = names_of([relation(1, "person", size=0), relation(2, "p", Kind.PARTITIONED, size=0),
                      relation(3, "p1", size=0, parent=2)])  # fmt: skip
    schema.set_tree(build(names))
    person, p = schema.find("public", "person"), schema.find("public", "p")
    assert person.data(MUTED_ROLE) == "≈ 3 rows"
    schema.set_sizes(measured(names, {1: 16384, 3: 8192}))
    assert person.data(MUTED_ROLE) == "≈ 3 rows · 16 kB"
    assert p.data(MUTED_ROLE) == "≈ 3 rows · 8 kB"
    with qtbot.waitSignal(schema.dataChanged):
        schema.set_count(1, "4 rows")
    assert person.data(MUTED_ROLE) == "4 rows · 16 kB"
    schema.set_count(1, "")
    assert person.data(MUTED_ROLE) == "≈ 3 rows · 16 kB"
    schema.set_count(99, "5 rows")


def test_that_the_sizes_of_databases_stand_behind_their_names(schema):
    schema.set_tree(build(WHOLE))
    schema.set_sizes(measured(WHOLE, {30: 2048, 31: 4096}))
    assert schema.index_of(HERE).data(MUTED_ROLE) == "4 kB"
    assert below(schema, below(schema, QModelIndex())[1])[0].data(MUTED_ROLE) == "2 kB"
    schema.set_tree(build(WHOLE, sizes={31: 4096}))
    assert schema.index_of(HERE).data(MUTED_ROLE) == "4 kB"


def test_that_a_tree_that_was_exchanged_can_be_let_go_without_the_collector(qapp):
    schema = SchemaModel()
    schema.set_tree(build(WHOLE, {1: PARTS}))
    gc.disable()
    try:
        before = schema.set_tree(build(WHOLE))
        known = weakref.ref(before)
        before.let_go()
        assert before.root.children == ()
        del before
        assert known() is None
    finally:
        gc.enable()


def test_that_any_name_is_shown_and_none_breaks_a_line_key_or_tip(schema):
    names = [*hostile.names(), "raw \udcff bytes"]
    relations = [relation(1 + n, name) for n, name in enumerate(names)]
    schema.set_tree(build(names_of(relations)))
    found = below(schema, space(schema))
    assert [each.data(RELATION_ROLE).name for each in found] == names
    assert found[-1].data() == "raw \\xff bytes"
    assert all(each.data(Role.ToolTipRole).encode() for each in found)
    columns = tuple(TableColumn(name, "text", 0, False, "", 1 + n) for n, name in enumerate(names))
    schema.set_parts(1, Parts(columns))
    assert schema.rowCount(found[0]) == len(names)


def test_that_ten_thousand_columns_are_shown(schema):
    schema.set_tree(build(names_of([relation(1, "wide")])))
    schema.set_parts(1, Parts(tuple(TableColumn(f"c{n}", "text", 0, False, "", n) for n in range(1, 10_001))))
    wide = schema.find("public", "wide")
    assert schema.rowCount(wide) == 10_000
    last = schema.index_of((K.COLUMN, 1, 10_000))
    assert last.data() == "c10000"
    assert schema.parent(last) == wide


def test_that_the_key_of_an_object_is_that_of_its_line(schema):
    schema.set_tree(build(WHOLE, {1: PARTS}))
    assert schema.index_of(key_of(object_of(PERSON))).data() == "person"
    assert schema.index_of(key_of(PARTS.indexes[0].found)).data() == "person_pkey"


def test_that_the_tree_may_be_read_again_at_any_time(schema):
    for _ in range(3):
        schema.set_tree(build(WHOLE))
        schema.fetchMore(schema.find("public", "person"))
        schema.set_parts(1, PARTS)
    schema.set_tree(build(names_of([relation(n, f"t{n}", schema="a") for n in range(1, 2000)], "a")))
    last = schema.find("a", "t1999")
    assert last.row() == 1998
    assert schema.data(schema.parent(last)) == "a"
    assert space(schema, "a").data(MUTED_ROLE) == "1,999"
