"""Every name of a database is found by a few letters of it."""

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtTest import QAbstractItemModelTester

import hostile
from pgexplorer.db.objects import DbObject, ObjectKind
from pgexplorer.db.schema import Kind, Relation
from pgexplorer.db.tree import Leaf, Names, PartNames, Schema
from pgexplorer.models.schema_model import MUTED_ROLE, OBJECT_ROLE, RELATION_ROLE
from pgexplorer.ui.schema.search import FoundModel, Hit, SchemaSearch, SearchIndex

K = ObjectKind


def table(oid, name, schema="shop"):
    return Relation(oid, schema, name, Kind.TABLE, 1, 0)


def names():
    orders, items = table(1, "orders"), table(2, "order_items")
    shop = Schema(DbObject(K.SCHEMA, 10, "", "shop"), "", (orders, items), (
        Leaf(DbObject(K.FUNCTION, 20, "shop", "total", arguments="integer")),
        Leaf(DbObject(K.SEQUENCE, 21, "shop", "orders_id_seq")),
        Leaf(DbObject(K.TYPE, 22, "shop", "mood"))))  # fmt: skip
    system = Schema(DbObject(K.SCHEMA, 11, "", "pg_catalog"), "", (table(3, "order_of_things", "pg_catalog"),))
    return Names(
        "test", (shop, system),
        (Leaf(DbObject(K.DATABASE, 30, "", "other")),), (Leaf(DbObject(K.ROLE, 31, "", "alice")),),
        (Leaf(DbObject(K.EXTENSION, 32, "", "hstore")),),
        PartNames((1, 2, 3), ("id\0total\0placed_at", "order_id\0amount", "oid\0total"), {1: (1, 2, 4)},
                  (K.INDEX, K.TRIGGER, K.CONSTRAINT), (40, 41, 42), ("orders_at", "stamp", "positive"), (1, 1, 1)),
        True,
    )  # fmt: skip


def found(typed, index=None):
    return [hit.found for hit in (index or SearchIndex(names())).find(typed) if hit is not None]


@pytest.mark.parametrize(
    ("typed", "kind", "path"),
    [
        ("orders", K.TABLE, "shop.orders"),
        ("placed", K.COLUMN, "shop.orders.placed_at"),
        ("total", K.FUNCTION, "shop.total(integer)"),
        ("id seq", K.SEQUENCE, "shop.orders_id_seq"),
        ("mood", K.TYPE, "shop.mood"),
        ("stamp", K.TRIGGER, "shop.orders.stamp"),
        ("POSITIVE", K.CONSTRAINT, "shop.orders.positive"),
        ("orders_at", K.INDEX, "shop.orders.orders_at"),
        ("alice", K.ROLE, "alice"),
        ("hst", K.EXTENSION, "hstore"),
        ("othe", K.DATABASE, "other"),
        ("shop", K.SCHEMA, "shop"),
        ("orders total", K.COLUMN, "shop.orders.total"),
    ],
)
def test_that_an_object_of_every_kind_comes_first_by_its_name(typed, kind, path):
    first = found(typed)[0]
    assert (first.kind, first.path) == (kind, path)


def test_that_what_is_ones_own_comes_before_the_systems():
    paths = [each.path for each in found("order")]
    assert paths.index("shop.order_items") < paths.index("pg_catalog.order_of_things")
    assert [each.path for each in found("total")][:2] == ["shop.total(integer)", "shop.orders.total"]


def test_that_a_column_knows_its_number_though_others_were_dropped():
    assert [each.part for each in found("placed_at")] == [4]
    assert [each.part for each in found("amount")] == [2]
    assert found("nosuchthing") == found("") == found("   ") == []


def test_that_the_shortest_of_many_that_begin_alike_come_first():
    many = [table(n, f"customer_account_{n}") for n in range(1, 900)] + [table(900, "customers")]
    index = SearchIndex(Names("test", (Schema(DbObject(K.SCHEMA, 10, "", "shop"), "", tuple(many)),), is_whole=True))
    assert found("cust", index)[0].name == "customers"
    assert len(found("cust", index)) == len({each.oid for each in found("cust", index)})


def test_that_hostile_names_are_found_by_themselves():
    tables = tuple(table(n, name) for n, name in enumerate(hostile.names(), 1))
    index = SearchIndex(Names("test", (Schema(DbObject(K.SCHEMA, 999, "", "s"), "", tables),), is_whole=True))
    for each in tables:
        hits = found(each.name, index)
        if hits:  # what is nothing but marks and spaces is typed for nothing
            assert each.name in [hit.name for hit in hits]
        else:
            assert not each.name.strip(" _.-/:,;()\"'`\t\r\n\u00b7\u2003\u00a0\u2028")


@pytest.fixture
def search(qapp):
    searching = SchemaSearch()
    tester = QAbstractItemModelTester(searching.model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    yield searching
    tester.deleteLater()


def test_that_a_line_says_what_was_found_and_where_it_is(search):
    search.set_index(SearchIndex(names()))
    search.find("placed")
    line = search.model.index(0)
    assert (line.data(), line.data(MUTED_ROLE)) == ("placed_at", "shop.orders")
    assert line.data(OBJECT_ROLE).kind is K.COLUMN
    assert line.data(RELATION_ROLE) is None
    assert line.data(Qt.ItemDataRole.AccessibleTextRole) == "column shop.orders.placed_at"
    search.find("orders")
    assert search.model.index(0).data(RELATION_ROLE).name == "orders"
    search.find("alice")
    assert search.model.index(0).data(MUTED_ROLE) == "role"
    assert search.model.data(QModelIndex()) is None


def test_that_names_which_come_later_are_found_by_what_was_typed_before(search, qtbot):
    search.find("orders")
    assert not search.is_ready
    assert search.model.rowCount() == 0
    with qtbot.waitSignal(search.searched):
        search.set_index(SearchIndex(names()))
    assert search.model.rowCount() > 0
    search.set_index(None)
    assert search.model.rowCount() == 0


def test_that_a_search_of_very_many_names_goes_on_between_turns_and_lists_at_most_two_hundred(search, qtbot):
    columns = "\0".join(f"c{n}_of" for n in range(2_000))
    tables = tuple(table(n, f"t{n}") for n in range(1, 101))
    parts = PartNames(tuple(each.oid for each in tables), (columns,) * 100)
    space = Schema(DbObject(K.SCHEMA, 999, "", "s"), "", tables)
    search.set_index(SearchIndex(Names("test", (space,), parts=parts, is_whole=True)))
    with qtbot.waitSignal(search.searched):
        search.find("99 of t57")
    assert {hit.found.table for hit in search.model.hits} == {"t57"}
    with qtbot.waitSignal(search.searched, raising=False, timeout=100):
        search.find("c")
    qtbot.waitUntil(lambda: not search.is_searching)
    assert 0 < search.model.rowCount() <= 200


def test_that_lines_are_added_behind_those_that_are_there(qapp, qtbot):
    model = FoundModel()
    hit = Hit(DbObject(K.ROLE, 1, "", "alice"), None)
    model.show([hit])
    with qtbot.waitSignal(model.rowsInserted) as inserted:
        model.add([hit, hit])
    assert inserted.args[1:] == [1, 2]
    model.add([])
    assert model.rowCount() == 3
