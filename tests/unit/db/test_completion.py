"""What is offered at a place in SQL: a table of texts with | at the caret, over a catalog made by hand."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fix_catalog import catalog
from pgexplorer.db.completion.items import Offering, Stock
from pgexplorer.db.completion.offers import MOST, Item, Kind, Offer, complete
from pgexplorer.db.tokens import COMMENT, NUMBER, STRING, lex

CATALOG = catalog()
ORDERS = ["id", "customer_id", "status", "placed_at"]
CUSTOMERS = ["id", "name", "email", "mood"]
LABELS = ["new", "paid", "shipped", "it's back"]


def offer(text, uses=None) -> Offer:
    position = text.index("|")
    return complete(CATALOG, text.replace("|", "", 1), position, uses)


def texts(text, uses=None):
    return [item.text for item in offer(text, uses).items]


def inserts(text):
    return [item.insert or item.text for item in offer(text).items]


FIRST = {
    # columns, by alias and by what is in scope
    "select o.| from orders o": ORDERS,
    "select o.cu| from orders as o": ["customer_id"],
    "select orders.| from orders": ORDERS,
    "select ORDERS.| from Orders": ORDERS,
    'select "o".| from orders "o"': ORDERS,
    'select * from "Order Items" i where i.|': ["Id", "a.b", "😀", "select"],
    "select * from public.orders where public.orders.|": ORDERS,
    "select | from orders": [*ORDERS, "* (id, customer_id, status, placed_at)"],
    "select id, | from orders": ORDERS,
    "select * from orders where |": ORDERS,
    "select * from orders where id = 1 and |": ORDERS,
    "select * from orders o where (o.status = 'new' and |": ORDERS,
    "select * from orders group by |": ORDERS,
    "select * from orders order by |": ORDERS,
    "select count(*) from orders having |": ORDERS,
    "select count(|) from orders": ORDERS,
    "select count(|": ["best_customers"],
    "select case when | from orders": ORDERS,
    "select id from orders union select | from customers": CUSTOMERS,
    "select id from orders where |\nunion all select id from customers": ORDERS,
    "explain analyze select | from orders": ORDERS,
    "create view v as select | from orders": ORDERS,
    "create table t as select | from orders": ORDERS,
    "insert into customers select | from orders": ORDERS,
    "select * from orders; select | from customers": CUSTOMERS,
    "select * from orders\n\nselect | from customers": CUSTOMERS,
    "select | from customers\n\nselect * from orders": CUSTOMERS,
    "select b. from orders o, customers b where o.|": ORDERS,
    "select n|ame from customers": ["name"],
    # qualified where two relations have the name
    "select | from orders o join customers c on true": ["o.id", "customer_id", "status", "placed_at", "c.id", "name"],
    # queries in WITH, in FROM, and further out
    "with r as (select id, placed_at as moment from orders) select | from r": ["id", "moment"],
    "with r(a, b) as (select id, placed_at from orders) select x.| from r x": ["a", "b"],
    "with r as (select 1 as one), s as (select | from r) select * from s": ["one"],
    "with r as (select | from orders) select * from r": ORDERS,
    "with recursive t(n) as (select 1 union all select t.| from t) select * from t": ["n"],
    "with r as (select * from orders) select r.| from r": ORDERS,
    "with r as (insert into orders values (1) returning id, status) select r.| from r": ["id", "status"],
    "select x.| from (select id as number, name nick, email, count(*) from customers) x": [
        "number",
        "nick",
        "email",
        "count",
    ],
    "select x.| from (select o.*, c.name from orders o, customers c) x": [*ORDERS, "name"],
    "select x.| from (values (1, 2)) x": ["column1", "column2"],
    "select x.| from (values (1, 2)) x(a, b)": ["a", "b"],
    "select x.| from (table customers) x": CUSTOMERS,
    "select id from (select * from orders) q where q.st|": ["status"],
    "select (select max(o.|) from orders o where o.customer_id = c.id) from customers c": ORDERS,
    "select (select 1 from orders o where o.customer_id = c.|) from customers c": CUSTOMERS,
    "select * from customers c, lateral (select * from orders o where o.id = c.|) x": CUSTOMERS,
    "select * from customers c left join lateral (select * from orders o where c.|) x on true": CUSTOMERS,
    "select * from customers c where exists (select 1 from orders where c.|)": CUSTOMERS,
    "select * from (orders o join customers c on o.|)": ORDERS,
    # functions that return rows
    "select j.| from json_each('{}') j": ["key", "value"],
    "select b.| from best_customers(3) b": CUSTOMERS,
    "select g.| from generate_series(1, 2) as g(n)": ["n"],
    "select r.| from json_to_recordset('[]') as r(a int, b text)": ["a", "b"],
    # relations
    "select * from cus|": ["customers"],
    "select * from ord|": ["Order Items", "order_lines", "orders", "shop.orders"],
    "select * from shop.|": ["invoices", "orders"],
    "select * from orders, cus|": ["customers"],
    "with recent as (select 1) select * from |": ["recent", "customers"],
    "update |": ["customers"],
    "delete from |": ["customers"],
    "insert into |": ["customers"],
    "truncate |": ["customers"],
    "table |": ["customers"],
    "copy |": ["customers"],
    "analyze |": ["customers"],
    "drop table |": ["customers"],
    "drop table if exists |": ["customers"],
    "drop view |": ["top_customers"],
    "drop sequence |": ["orders_id_seq"],
    "alter table |": ["customers"],
    "grant select on |": ["customers"],
    "create index on |": ["customers"],
    "create table t (id int references |": ["customers"],
    "select * from orders for update of |": ["orders"],
    # joins
    "select * from orders o join |": [
        "customers ON customers.id = o.customer_id",
        "order_lines ON order_lines.order_id = o.id",
        "shop.invoices ON invoices.order_id = o.id",
        "customers",
    ],
    "select * from orders o left join cu|": ["customers ON customers.id = o.customer_id", "customers"],
    "select * from orders o join customers c on |": ["c.id = o.customer_id"],
    "select * from customers c join orders o on |": ["o.customer_id = c.id"],
    "select * from (orders o join customers c on |)": ["c.id = o.customer_id"],
    "select * from line_notes n join order_lines l on |": ["l.order_id = n.order_id AND l.line = n.line"],
    "select * from products join |": [
        "order_lines ON order_lines.product_id = products.id",
        "products products_2 ON products_2.id = products.parent_id",
        "products products_2 ON products_2.parent_id = products.id",
    ],
    "merge into orders o using customers c on |": ["c.id = o.customer_id"],
    "select * from orders o cross join |": ["customers"],
    "select * from orders join order_lines using (|)": [],
    "select * from line_notes join order_lines using (|)": ["order_id", "line"],
    "select * from orders o, customers c where o.customer_id = |": ["c.id"],
    "select * from orders o join customers c on c.id = |": ["o.customer_id"],
    # enums
    "select * from orders where status is distinct from |": LABELS,
    "select * from orders where status is not distinct from |": LABELS,
    "select * from orders where status = |": LABELS,
    "select * from orders o where o.status <> |": LABELS,
    "select * from orders where status in (|": LABELS,
    "select * from orders where status not in ('paid', |": LABELS,
    "select * from orders where status = pa|": ["paid"],
    "update orders set status = |": LABELS,
    "insert into orders (id, status) values (1, |": LABELS,
    "insert into orders values (1, 2, |": LABELS,
    "select * from customers where mood = |": LABELS,  # a domain over the enum
    "select case when status = | from orders": LABELS,
    # writing
    "insert into customers (|": CUSTOMERS,
    "insert into customers (name, |) values": ["id", "email", "mood"],
    "insert into customers |": ["values"],
    "insert into orders (id) values (1) on conflict (|": ORDERS,
    "insert into orders (id) values (1) on conflict (id) do update set |": ORDERS,
    "insert into orders (id) values (1) on conflict (id) do update set status = excluded.|": ORDERS,
    "insert into orders (id) values (1) returning |": ORDERS,
    "update orders set |": ORDERS,
    "update orders set id = 1, |": ORDERS,
    "update orders o set status = 'new' from customers c where c.|": CUSTOMERS,
    "update orders set id = 1 where |": ORDERS,
    "delete from orders o where o.|": ORDERS,
    "delete from orders using customers c where c.|": CUSTOMERS,
    "delete from orders returning old.|": ORDERS,
    "merge into orders o using customers c on true when matched then update set |": ORDERS,
    "merge into orders o using customers c on true when not matched then insert (|": ORDERS,
    # types
    "select id::|": ["mood", "order_status", "shop.Grade"],
    "select id::timestampt|": ["timestamptz"],
    "select cast(id as |": ["mood"],
    "create table t (id |": ["mood"],
    "alter table orders add column x |": ["mood"],
    "alter table orders alter column id type |": ["mood"],
    "create function f() returns |": ["mood"],
    # definitions
    "alter table orders drop column |": ORDERS,
    "create index on orders (|": ORDERS,
    "copy orders (|": ORDERS,
    "create table t (id int references orders (|": ORDERS,
    "create trigger t before insert on orders execute function |": ["stamp"],
    "create table t (a int, b int, primary key (|": ["a", "b"],
    "alter table orders add foreign key (|) references customers": ORDERS,
    "comment on column orders.|": ORDERS,
    "drop function |": ["best_customers", "customer_name", "Odd Function"],
    "select extract(|": ["year", "month"],
    "select * from orders tablesample |": ["bernoulli", "system"],
    "call |": ["settle"],
    "grant select on orders to |": ["alice", "Bob"],
    "set role |": ["alice", "Bob"],
    "alter table orders owner to |": ["alice"],
    "set search_path to |": ["public"],
    "drop database |": ["postgres", "shop_db"],
    # keywords
    "|": ["SELECT", "INSERT INTO", "UPDATE", "DELETE FROM", "WITH"],
    "SEL|": ["SELECT"],
    "sel|": ["select"],
    "SELECT id |": ["FROM"],
    "select id fr|": ["from"],
    "SELECT * FROM orders |": ["JOIN", "LEFT JOIN"],
    "SELECT * FROM orders JOIN customers |": ["ON", "USING"],
    "SELECT * FROM orders WHERE id = 1 |": ["AND", "OR", "IS NULL"],
    "SELECT * FROM orders WHERE id = 1 gr|": ["GROUP BY"],
    "SELECT * FROM orders ORDER |": ["BY"],
    "SELECT * FROM orders ORDER BY id |": ["ASC", "DESC"],
    "SELECT * FROM orders WHERE id IS |": ["NULL", "NOT NULL"],
    "SELECT * FROM orders LEFT |": ["JOIN"],
    "SELECT * FROM orders WHERE EXISTS (|": ["SELECT"],
    "SELECT sum(id) OVER (|": ["PARTITION BY", "ORDER BY"],
    "WITH r AS (SELECT 1) |": ["SELECT", "INSERT INTO"],
    "EXPLAIN |": ["ANALYZE", "SELECT"],
    "ALTER TABLE orders |": ["ADD COLUMN", "DROP COLUMN"],
    "CREATE TABLE t (id int |": ["NOT NULL", "DEFAULT"],
    # bodies of functions
    "create function f() returns int language plpgsql as $$ begin select o.| from orders o; end $$": ORDERS,
    "create function f() returns int language sql as $b$ select | from orders $b$": ORDERS,
    "do $$ begin if x then update orders set |; end if; end $$": ORDERS,
    "do $$ begin perform customer_n|; end $$": ["customer_name"],
}


@pytest.mark.parametrize(("text", "expected"), FIRST.items())
def test_that_what_fits_comes_first(text, expected):
    assert texts(text)[: len(expected)] == expected


NOTHING = [
    "select 'it|",
    "select * from orders where status = 'ne|",
    "select e'a\\'|",
    "select 'a'|",
    "select 1|",
    "select 1.|",
    "select 0x|",
    "select $1|",
    "select :na|",
    "select * from orders -- and|",
    "select /* or|",
    "select /* or| */ 1",
    "select $$ order|",
    "select $x$ order| $x$",
    'select U&"ord|',
    "select 'a' -- b\n 'c|",
    "\\d ord|",
    "copy orders from stdin;\n1\tne|\n\\.\n",
    "select id as |",
    "select id as na|",
    "select * from orders as |",
    "with |ab",
    "select (row(1)).|",
    "select zz.|",
    "select * from orders o, (select o.| from customers) x",  # not LATERAL
]


@pytest.mark.parametrize("text", NOTHING)
def test_that_nothing_is_offered_where_nothing_can_be_known(text):
    assert texts(text) in ([], ["recursive"], ["RECURSIVE"]) or text == "with |ab"


NEVER = {
    "select | from orders": ["FROM", "email", "customers", "stamp", "settle"],
    "select * from |": ["id", "count", "WHERE", "now"],
    "select * from orders |": ["id", "customers"],
    "select * from orders where id |": ["id", "count", "customers"],
    "update orders set |": ["count", "WHERE"],
    "select * from orders o join customers c on o.|": ["name", "c.id = o.customer_id"],
    "insert into customers (name, |": ["name"],
    "select * from orders o join customers | on": ["customers"],
    "with a as (select | from b), b as (select 1 as late) select 1": ["late"],
    "select x.| from (select 1) x": ["?column?"],
    'select "|': ["SELECT", "NULL"],
    "delete from orders where | returning id": ["FROM"],
    "select * from orders limit |": ["id", "count"],
    "drop function |": ["count", "now"],
    "create policy p on |": ["best_customers"],
}


@pytest.mark.parametrize(("text", "unwanted"), NEVER.items())
def test_that_what_does_not_fit_is_not_offered(text, unwanted):
    assert not set(unwanted) & set(texts(text))


ALSO = {
    "select | from orders": ["orders", "count", "customer_name", "case", "distinct"],
    "select * from orders where status = |": [*ORDERS, "null", "customer_name"],
    "select * from |": [
        "shop.orders",
        "top_customers",
        "generate_series",
        "shop",
        "pg_class",
        "information_schema.tables",
    ],
    "select id from orders order by |": ["count", "orders"],
    "select id::int as x, count(*) from orders group by |": ["x"],
    "select shop.|": ["total_of"],
    "select pg_catalog.|": ["now", "count"],
    "select * from orders where id in (|": ["select"],
    "select orders.|": ORDERS,  # before there is a FROM
    "select * from orders where id = 1 |": ["order by", "limit", "union all", "for update"],
    "insert into orders values (|": ["default"],
    "select count(*) |": ["over", "filter (where"],
    "select case when true |": ["then", "end"],
}


@pytest.mark.parametrize(("text", "wanted"), ALSO.items())
def test_that_what_else_fits_is_offered_too(text, wanted):
    assert set(wanted) <= set(texts(text))


INSERTS = {
    'select * from "Ord|': '"Order Items"',
    'select * from "Ord|"': '"Order Items',  # whose last quote is there already
    "select * from ord|": '"Order Items"',
    "select odd|": '"Odd Function"()',
    "select no|": "now()",
    "select cou|": "count(",
    "select cou|(*)": "count",
    "select lef|": "left(",
    "select * from orders where status = it|": "'it''s back'",
    "select id::shop.|": '"Grade"',
    "select id::gra|": 'shop."Grade"',
    'select * from "Order Items" i where i.sel|': '"select"',
    "grant select on orders to bo|": '"Bob"',
    "select * from orders where id in|": "in (",
    "select o.| from customers o": "id",
    "select * from shop.ord|": "orders",
}


@pytest.mark.parametrize(("text", "insert"), INSERTS.items())
def test_that_names_are_put_in_as_the_server_reads_them(text, insert):
    assert inserts(text)[0] == insert


def test_that_an_asterisk_can_be_spelled_out():
    found = {item.text: item for item in offer("select | from orders o join customers c on true").items}
    [every] = [item for item in found.values() if item.kind is Kind.ALL]
    assert every.insert == "o.id, o.customer_id, o.status, o.placed_at, c.id, c.name, c.email, c.mood"
    [after_dot] = [item for item in offer("select c.| from orders o, customers c").items if item.kind is Kind.ALL]
    assert after_dot.insert == "id, c.name, c.email, c.mood"


def test_that_details_tell_types_and_arguments():
    details = {item.text: item.detail for item in offer("select | from orders").items}
    assert details["placed_at"] == "timestamp with time zone"
    assert details["customer_name"] == "(customer integer DEFAULT 1) → text"
    assert details["count"] == '("any") → bigint · 1 more'


def test_that_what_is_used_comes_first_among_what_fits_alike():
    assert texts("select | from orders", {"column:status": 3})[0] == "status"
    assert texts("select * from |", {"table:shop.orders": 1})[0] == "shop.orders"
    assert texts("select o| from orders", {"function:count": 9})[0] == "orders"  # how it fits counts more
    assert texts("select co| from orders", {"function:count": 9})[0] == "count"


def test_that_an_exact_beginning_is_before_a_word_and_before_loose_letters():
    assert texts("select * from li|")[0] == "line_notes"
    found = texts("select * from orders where id = 1 and id|")
    assert found.index("id") < found.index("customer_id")
    assert texts("select * from prdcts|") == ["products"]


def test_that_keywords_follow_the_case_of_those_before_them():
    assert texts("SELECT id FROM orders w|")[0] == "WHERE"
    assert texts("select id from orders W|")[0] == "where"
    assert texts("w|")[0] == "with"


def test_that_there_are_200_items_at_most_and_the_rest_is_told_of():
    from dataclasses import replace

    many = replace(
        CATALOG,
        tables=tuple(replace(CATALOG.tables[0], oid=1000 + n, name=f"t{n:04}") for n in range(1000)),
        kept={},
    )
    found = complete(many, "select * from t", 15)
    assert len(found.items) == MOST
    assert not found.is_whole
    assert found.items[0].text == "t0000"
    used = complete(many, "select * from t", 15, {"table:public.t0999": 1})
    assert used.items[0].text == "t0999"
    assert complete(many, "select * from t099", 18).is_whole


@given(st.lists(st.text("ab_7.0", min_size=1, max_size=6), min_size=1, max_size=8), st.text("ab_7.0", max_size=3))
def test_that_many_names_are_searched_as_one_is(names, typed):
    offering = Offering(typed, {})
    stock = Stock((name, Item(f"{name} {n}", Kind.TABLE), 0) for n, name in enumerate(names))
    found = sorted((fit, stock[number][1].text) for fit, number in stock.fitting(typed))
    assert found == sorted(
        (offering.fit(name), f"{name} {n}") for n, name in enumerate(names) if offering.fit(name) >= 0
    )


# -- on any text

PIECES = st.sampled_from(
    [
        *(text.replace("|", "") for text in [*FIRST, *NOTHING, *NEVER, *ALSO]),
        "(((((",
        ")))",
        "[",
        "$$",
        "'",
        '"',
        "/*",
        "--",
        ";",
        ".",
        "::",
        "with a as (",
        "with recursive a as (select * from a) select a. from a",
        "from from join join on on",
        "😀",
        "\n\n",
        "select",
        "insert into",
    ]
)
SQL = st.lists(PIECES | st.text(max_size=6), max_size=5).map(" ".join)


@given(SQL, st.integers(0, 200))
def test_that_any_text_is_answered(text, position):
    position = min(position, len(text))
    found = complete(CATALOG, text, position)
    assert 0 <= found.from_position <= position
    typed = text[found.from_position : position]
    if found.items:
        assert typed == "" or typed[0] == '"' or all(letter.isalnum() or letter in "_$" for letter in typed)
        assert len(found.items) <= MOST
        assert len({(item.text, item.insert) for item in found.items if item.kind is Kind.KEYWORD}) == sum(
            item.kind is Kind.KEYWORD for item in found.items
        )


@given(st.sampled_from([text.replace("|", "") for text in FIRST]), st.data())
def test_that_any_cut_of_good_sql_is_answered(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    position = data.draw(st.integers(start, end))
    found = complete(CATALOG, text[start:end], position - start)
    typed = text[start:end][found.from_position : position - start]
    assert not typed or typed[0] == '"' or set(typed) <= set(string.ascii_letters + string.digits + "_$")


@given(SQL, st.integers(0, 200))
def test_that_nothing_is_offered_inside_strings_comments_and_numbers(text, position):
    position = min(position, len(text))
    tokens, _ = lex(text)
    inside = [kind for kind, start, end in tokens if start < position < end]
    is_body = any(text[start] == "$" for kind, start, end in tokens if start < position < end)
    if inside and inside[0] in {STRING, COMMENT, NUMBER} and not is_body:
        assert not complete(CATALOG, text, position).items
