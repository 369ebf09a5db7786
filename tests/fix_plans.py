"""Plans for tests, from the test's own server."""

import pytest

from pgexplorer.db.plans.explain import Explain, Explained, Options
from pgexplorer.db.session import Session


@pytest.fixture
def tables(own_schema, do):
    """A schema with orders (20,000) of customers (200), analyzed; its name."""
    do(f"""
        CREATE TABLE {own_schema}.customers (id int PRIMARY KEY, name text NOT NULL);
        CREATE TABLE {own_schema}.orders (id int PRIMARY KEY, customer int REFERENCES {own_schema}.customers,
                                          at date, amount numeric, state text);
        INSERT INTO {own_schema}.customers SELECT n, 'customer ' || n FROM generate_series(1, 200) AS n;
        INSERT INTO {own_schema}.orders
        SELECT n, 1 + n % 200, date '2020-01-01' + n % 1000, n, (ARRAY['new', 'paid', 'sent'])[1 + n % 3]
          FROM generate_series(1, 20000) AS n;
        CREATE INDEX ON {own_schema}.orders (customer);
        ANALYZE {own_schema}.customers, {own_schema}.orders;
    """)
    return own_schema


@pytest.fixture
def tab_session(own_schema, client):
    """A tab's session, released before its schema goes."""
    made = Session(client)
    yield made
    made.release()


@pytest.fixture
def explain(client, side):
    """Explain a statement; the news."""

    def run(text, of=None, **options):
        return list(Explain(of or client, text, "SQL 1", Options(**options), side=side).run())

    return run


@pytest.fixture
def plan(explain):
    """Explain a statement that can be explained; its plan."""

    def run(text, of=None, **options):
        news = explain(text, of, **options)
        [explained] = [each for each in news if isinstance(each, Explained)] or [news]
        assert isinstance(explained, Explained), news
        return explained.plan

    return run
