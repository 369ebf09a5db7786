"""The larger sample: whole or not at all, the same on every machine, and its progress never runs backwards."""

import pytest
from fix_demo import ask

from pgexplorer.demo import sample
from pgexplorer.demo.server import start

SMALL = {"customers": 2_000, "products": 100, "orders": 60_000}
SUM = "select md5(string_agg(t::text, '|' order by id)) from shop.{} as t"


def sums(server):
    return [ask(server, SUM.format(table))[0][0] for table in ("customers", "products", "orders")]


@pytest.fixture
def server(demo_home):
    with start() as lease:
        yield lease.server


def test_that_the_sample_is_loaded_with_progress_that_only_grows(server):
    assert not sample.is_loaded(server)
    news = list(sample.load(server, **SMALL))
    assert sample.is_loaded(server)
    done = [each.done for each in news]
    assert done == sorted(done)
    assert {each.total for each in news} == {news[-1].done}
    assert all(each.text for each in news)
    for table, count in SMALL.items():
        assert ask(server, f"select count(*) from shop.{table}") == [(count,)]
    assert ask(server, "select sum(orders) from shop.sales_by_month")[0][0] > 50_000
    assert ask(server, "select count(*) from shop.open_orders")[0][0] > 0
    assert ask(server, "select sum(shop.spent_by(id)) > 0 from shop.customers") == [(True,)]
    nulls = ask(server, "select count(*) - count(shipped_on), count(*) - count(note), count(details) from shop.orders")[
        0
    ]
    assert all(0 < number < 60_000 for number in nulls)
    keys = ask(
        server, "select contype, count(*) from pg_constraint where connamespace = 'shop'::regnamespace group by 1"
    )
    assert dict(keys)["f"] == 2
    uncommented = ask(
        server,
        "select relname from pg_class where relnamespace = 'shop'::regnamespace and relkind in ('r', 'v', 'm')"
        " and obj_description(oid, 'pg_class') is null",
    )
    assert uncommented == []


def test_that_a_loaded_sample_is_left_alone(server):
    list(sample.load(server, **SMALL))
    ask(server, "delete from shop.orders where id = 1")
    news = list(sample.load(server, **SMALL))
    assert [(each.done, each.text) for each in news] == [(news[0].total, "The sample is loaded.")]
    assert ask(server, "select count(*) from shop.orders") == [(59_999,)]


def test_that_a_loading_that_was_broken_off_leaves_no_half_sample_and_can_be_done_again(server):
    begun = sample.load(server, **SMALL)
    for each in begun:
        if "orders: 25,000" in each.text:
            break
    begun.close()
    assert not sample.is_loaded(server)
    list(sample.load(server, **SMALL))
    assert ask(server, "select count(*) from shop.orders") == [(60_000,)]
    assert ask(server, "select to_regnamespace('shop_unfinished')") == [(None,)]


def test_that_the_sample_is_the_same_every_time(server):
    list(sample.load(server, **SMALL))
    first = sums(server)
    ask(server, "drop schema shop cascade")
    list(sample.load(server, **SMALL))
    assert sums(server) == first


def test_that_a_second_loader_waits_for_the_first(server):
    first, second = sample.load(server, **SMALL), sample.load(server, **SMALL)
    next(first)
    assert next(second).text == "Another window is loading the sample."
    list(first)
    assert [each.text for each in second] == ["The sample is loaded."]
    assert ask(server, "select count(*) from shop.orders") == [(60_000,)]
