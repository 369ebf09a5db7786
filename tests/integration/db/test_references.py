"""Foreign keys both ways, as the catalog has them: composite, to itself, across schemas, partitioned, by any name."""

import pytest
from psycopg2 import sql

from fix_tables import relation
from hostile import cut_to_fit, names
from pgexplorer.db.table.browse import Table
from pgexplorer.db.table.ordering import Condition, Operator


@pytest.fixture
def keys(client, own_schema, do):
    """Make relations of this test's schema, and return the foreign keys of one of them."""

    def find(name, text="", schema=None):
        if text:
            do(f"SET search_path = {own_schema}; {text}")
        return Table(client, relation(client, schema or own_schema, name)).references()

    return find


def equal(**given):
    return tuple(Condition(name, Operator.EQUAL, value) for name, value in given.items())


SHOP = """
    CREATE TABLE customers (id int PRIMARY KEY, name text);
    CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers, parent int REFERENCES orders);
    CREATE TABLE lines (order_id int REFERENCES orders, line int, PRIMARY KEY (order_id, line));
    CREATE TABLE parts (id int, o int, l int, FOREIGN KEY (o, l) REFERENCES lines, FOREIGN KEY (o) REFERENCES orders);
"""


def test_that_keys_are_found_both_ways_and_one_to_itself_is_both(keys, own_schema):
    found = keys("orders", SHOP)
    assert [(each.columns, each.to.name) for each in found.out] == [
        (("customer_id",), "customers"),
        (("parent",), "orders"),
    ]
    assert [each.words for each in found.back] == [
        f"{own_schema}.lines.order_id",
        f"{own_schema}.orders.parent",
        f"{own_schema}.parts.o",
    ]
    names = ["id", "customer_id", "parent"]
    [customer, parent] = found.out
    assert customer.forwards(names, ("7", "3", None)) == equal(id="3")
    assert parent.forwards(names, ("7", "3", None)) is None
    assert found.back[0].backwards(names, ("7", "3", None)) == equal(order_id="7")


def test_that_a_composite_key_leads_only_where_all_of_it_is_there(keys, own_schema):
    found = keys("parts", SHOP)
    assert [len(each.columns) for each in found.of_column("o")] == [1, 2]
    [both] = found.of_column("l")
    assert both.forwards(["id", "o", "l"], ("1", "2", "3")) == equal(order_id="2", line="3")
    assert both.forwards(["id", "o", "l"], ("1", "2", None)) is None
    assert found.of_column("id") == []
    [back] = keys("lines").back
    assert back.words == f"{own_schema}.parts (o, l)"
    assert back.backwards(["order_id", "line"], ("2", "3")) == equal(o="2", l="3")


def test_that_a_key_of_partitions_is_found_once_and_from_a_partition_too(keys, own_schema):
    text = """
        CREATE TABLE a (id int PRIMARY KEY) PARTITION BY RANGE (id);
        CREATE TABLE a1 PARTITION OF a FOR VALUES FROM (0) TO (10);
        CREATE TABLE a2 PARTITION OF a FOR VALUES FROM (10) TO (20);
        CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a) PARTITION BY RANGE (id);
        CREATE TABLE b1 PARTITION OF b FOR VALUES FROM (0) TO (10);
        CREATE TABLE b2 PARTITION OF b FOR VALUES FROM (10) TO (20);
    """
    found = keys("b", text)
    assert [(each.table.name, each.to.name) for each in found.out] == [("b", "a")]
    assert found.back == ()
    assert [(each.table.name, each.to.name) for each in keys("a").back] == [("b", "a")]
    assert keys("a").out == ()


def test_that_200_hostile_names_lead_to_their_rows(client, own_schema, do):
    for name in names():
        schema, key, column = cut_to_fit(f"s{name}", own_schema[-8:]), cut_to_fit(name, "1"), cut_to_fit(name, "2")
        other = cut_to_fit(name, "t")
        given = dict(zip("stokc", map(sql.Identifier, (schema, name, other, key, column)), strict=True))
        do(
            sql.SQL(
                "CREATE SCHEMA {s}; CREATE TABLE {s}.{t} ({k} text PRIMARY KEY);"
                "CREATE TABLE {s}.{o} ({c} text REFERENCES {s}.{t});"
                "INSERT INTO {s}.{t} VALUES ('x'), ('y'); INSERT INTO {s}.{o} VALUES ('y'), ('y'), ('x'), (NULL)"
            ).format(**given)
        )
        try:
            [back] = Table(client, relation(client, schema, name)).references().back
            conditions = back.backwards([key], ("y",))
            assert Table(client, back.table, conditions=conditions).count() == 2, name
            [out] = Table(client, back.table).references().out
            assert Table(client, out.to, conditions=out.forwards([column], ("x",))).count() == 1, name
        finally:
            do(sql.SQL("DROP SCHEMA {} CASCADE").format(given["s"]))
