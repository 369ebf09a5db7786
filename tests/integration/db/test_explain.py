"""EXPLAIN through the careful client and in a tab's session: what it says, and that nothing stays of what it ran."""

import re
import threading

import pytest

from fix_facts import until
from pgexplorer.db.errors import RefusedSql
from pgexplorer.db.plans.explain import Explain, Explained, Options, WouldWrite
from pgexplorer.db.plans.findings import Weight, findings, wrong_by
from pgexplorer.db.plans.text import text_of
from pgexplorer.db.query import Failed, Kept, Notices, Query, Result, Started

STATEMENTS = [
    "SELECT * FROM {s}.orders WHERE amount > 100",
    "SELECT c.name, sum(amount) FROM {s}.orders o JOIN {s}.customers c ON c.id = o.customer"
    " GROUP BY 1 ORDER BY 2 LIMIT 5",
    "WITH big AS MATERIALIZED (SELECT * FROM {s}.orders WHERE amount > 100)"
    " SELECT (SELECT max(amount) FROM {s}.orders), count(*) FROM big WHERE amount > (SELECT avg(amount) FROM big)",
    "SELECT id, (SELECT count(*) FROM {s}.orders o WHERE o.customer = c.id) FROM {s}.customers c",
    "SELECT * FROM {s}.customers c WHERE EXISTS (SELECT FROM {s}.orders o WHERE o.customer = c.id AND amount > 9990)",
    "SELECT state FROM {s}.orders UNION SELECT name FROM {s}.customers",
    "SELECT state, sum(amount) OVER (PARTITION BY state ORDER BY id) FROM {s}.orders",
    "SELECT * FROM {s}.orders WHERE customer = 3 OR customer = 7",
    "SELECT max(id) FROM {s}.orders",
    "SELECT * FROM {s}.orders o, LATERAL (SELECT * FROM {s}.customers c WHERE c.id = o.customer OFFSET 0) x LIMIT 50",
    "SELECT * FROM generate_series(1, 100) AS n WHERE n % 2 = 0",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT 1 WHERE false",
]


@pytest.mark.parametrize("verbose", [False, True])
def test_that_each_nodes_own_time_adds_up_to_the_whole(plan, tables, verbose):
    for text in STATEMENTS:
        found = plan(text.format(s=tables), analyze=True, verbose=verbose)
        root = found.nodes[found.roots[0]]
        own = sum(node.actual.self_ms for node in found.nodes)
        loops = sum(node.actual.loops for node in found.nodes)
        # Times are said to a thousandth of a millisecond, and those of a loop are multiplied.
        assert own == pytest.approx(root.actual.total_ms, rel=0.02, abs=0.02 + loops * 0.0005), text
        assert sum(node.share for node in found.nodes) <= 1.05
        blocks = sum(node.own_buffers.hit + node.own_buffers.read for node in found.nodes)
        assert blocks == root.buffers.hit + root.buffers.read, text


def test_that_the_shares_of_a_plan_that_did_not_run_are_of_its_cost_and_add_up(plan, tables):
    for text in STATEMENTS:
        found = plan(text.format(s=tables))
        assert not found.is_timed
        assert all(node.actual is None for node in found.nodes)
        assert sum(node.share for node in found.nodes) == pytest.approx(1)
        assert findings(found)[0].weight is Weight.COSTLY


@pytest.mark.parametrize("verbose", [False, True])
def test_that_text_made_here_reads_as_the_servers(plan, tables, verbose):
    for text in STATEMENTS:
        found = plan(text.format(s=tables), verbose=verbose)
        assert not found.is_text_ours
        theirs, ours = (re.sub(r"(?s)\nPlanning.*", "", each) for each in (found.text, text_of(found)))
        assert ours == theirs
    assert plan("SELECT 1", analyze=True).is_text_ours


def test_that_text_made_of_a_run_reads_as_the_servers_of_another_run(plan, tables, do):
    def figures(text):  # what differs between two runs
        text = re.sub(
            r"(?m)^ *(Planning|Execution|Memory|Buffers|Settings|Serialization|Storage).*\n?", "", text + "\n"
        )
        return re.sub(r"time=[\d.]+ ?|[\d.]+kB|actual time=[\d.]+", "", text)

    for text in STATEMENTS:
        ours = plan(text.format(s=tables), analyze=True).text
        theirs = "\n".join(line for (line,) in do(f"EXPLAIN (ANALYZE, BUFFERS) {text.format(s=tables)}"))
        assert figures(re.sub(r"actual time=[\d.]+\.\.[\d.]+", "actual ", ours)) == figures(
            re.sub(r"actual time=[\d.]+\.\.[\d.]+", "actual ", theirs)
        )


# -- what stays


WRITING = [
    "UPDATE {s}.orders SET amount = 0",
    "DELETE FROM {s}.orders",
    "INSERT INTO {s}.customers SELECT n, 'x' FROM generate_series(1000, 1010) AS n",
    "WITH gone AS (DELETE FROM {s}.orders RETURNING *) SELECT count(*) FROM gone",
    "WITH gone AS (DELETE FROM {s}.orders) SELECT 1",
    "MERGE INTO {s}.customers c USING (VALUES (1)) v (id) ON v.id = c.id WHEN MATCHED THEN UPDATE SET name = ''",
    "CREATE TABLE {s}.copied AS SELECT * FROM {s}.orders",
    "SELECT * INTO {s}.copied FROM {s}.orders",
]


def state(do, schema):
    [[rows]] = do(
        f"SELECT ROW((SELECT count(*) FROM {schema}.orders), (SELECT sum(amount) FROM {schema}.orders),"
        f" (SELECT string_agg(name, ',' ORDER BY id) FROM {schema}.customers), to_regclass('{schema}.copied'))::text"
    )
    return rows


@pytest.mark.parametrize("text", WRITING)
def test_that_nothing_stays_of_a_statement_that_was_analyzed(plan, tables, do, client, text):
    before = state(do, tables)
    found = plan(text.format(s=tables), analyze=True, may_write=True)
    assert found.is_analyzed
    assert state(do, tables) == before
    assert client.pool.stats().used == 0


@pytest.mark.parametrize("text", WRITING)
def test_that_the_server_refuses_to_write_where_nobody_agreed(explain, tables, do, text):
    before = state(do, tables)
    news = explain(text.format(s=tables), analyze=True)
    if "copied" not in text:  # the server makes that table even in a read-only transaction, and undoes it
        assert isinstance(news[-1], WouldWrite), news
        assert "read-only transaction" in news[-1].words
    assert state(do, tables) == before


def test_that_explain_alone_runs_nothing(plan, tables, do):
    before = state(do, tables)
    for text in WRITING:
        assert not plan(text.format(s=tables)).is_analyzed
        assert not plan("EXPLAIN (ANALYZE) " + text.format(s=tables)).is_analyzed
    assert state(do, tables) == before


def test_that_a_function_that_writes_unseen_is_refused_until_somebody_agrees(explain, plan, tables, do):
    do(
        f"CREATE FUNCTION {tables}.sly() RETURNS int LANGUAGE sql AS"
        f" 'UPDATE {tables}.orders SET amount = 0 RETURNING 1'"
    )
    before = state(do, tables)
    news = explain(f"SELECT {tables}.sly()", analyze=True)
    assert isinstance(news[-1], WouldWrite)
    assert plan(f"SELECT {tables}.sly()", analyze=True, may_write=True).is_analyzed
    assert state(do, tables) == before


def test_that_an_open_transaction_goes_on_with_what_it_had_changed(plan, explain, tables, do, tab_session, side):
    before = state(do, tables)

    def run(text):
        return list(Query(tab_session, text, "SQL 1", side=side).run())

    def amount():
        news = run(f"SELECT sum(amount) FROM {tables}.orders")
        return next(each for each in news if isinstance(each, Result)).rows.window(0, 1)[0][0]

    run(f"BEGIN; UPDATE {tables}.orders SET amount = 1")
    pid = tab_session.pin.pid
    assert amount() == "20000"
    for text in WRITING:
        assert plan(text.format(s=tables), tab_session, analyze=True, may_write=True).pid == pid
        news = explain(text.format(s=tables), tab_session, analyze=True)
        assert "copied" in text or any(isinstance(each, WouldWrite) for each in news)
        assert isinstance(news[-1], Kept)
    failed = explain("SELECT nothing", tab_session, analyze=True)
    assert any(isinstance(each, Failed) for each in failed)
    assert tab_session.pin.is_open
    assert not tab_session.pin.is_failed
    assert amount() == "20000"
    assert not any(isinstance(each, Failed) for each in run(f"UPDATE {tables}.orders SET amount = 2"))  # not read-only
    run("ROLLBACK")
    assert state(do, tables) == before
    assert tab_session.pin is None


def test_that_a_session_that_keeps_a_temporary_table_explains_it(plan, tab_session, side):
    list(Query(tab_session, "CREATE TEMP TABLE mine AS SELECT 1 AS a", "SQL 1", side=side).run())
    pin = tab_session.pin
    found = plan("SELECT * FROM mine", tab_session, analyze=True)
    assert found.pid == pin.pid
    assert plan("DELETE FROM mine", tab_session, analyze=True, may_write=True).nodes[0].name == "Delete on mine"
    assert plan("SELECT * FROM mine", tab_session, analyze=True).nodes[0].actual.rows == 1


def test_that_a_prepared_statement_that_writes_is_refused_until_somebody_agrees(
    plan, explain, tables, do, tab_session, side
):
    text = f"PREPARE mine AS DELETE FROM {tables}.orders; PREPARE yours AS SELECT * FROM {tables}.orders"
    list(Query(tab_session, text, "SQL 1", side=side).run())
    before = state(do, tables)
    assert plan("EXECUTE yours", tab_session, analyze=True).nodes[0].actual.rows == 20000
    assert any(isinstance(each, WouldWrite) for each in explain("EXECUTE mine", tab_session, analyze=True))
    assert plan("EXECUTE mine", tab_session, analyze=True, may_write=True).is_analyzed
    assert state(do, tables) == before


def test_that_a_failed_transaction_stays_as_it_is_and_the_server_says_so(explain, tab_session, side):
    list(Query(tab_session, "BEGIN; SELECT nothing", "SQL 1", side=side).run())
    [failed] = [each for each in explain("SELECT 1", tab_session) if isinstance(each, Failed)]
    assert failed.error.sqlstate == "25P02"
    assert failed.error.position is None
    assert tab_session.pin.is_failed


# -- what is refused, and what fails


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing to explain"),
        ("-- only a comment", "nothing to explain"),
        ("EXPLAIN", "stands alone"),
        ("SELECT 1; SELECT 2", "takes one statement"),
        ("SELECT 1\0", "NUL"),
        ("CALL f()", "has no plan"),
        ("VACUUM", "has no plan"),
        ("CREATE INDEX ON t (a)", "has no plan"),
        ("\\d orders", "psql"),
        ("COPY t TO STDOUT", "has no plan"),
        ("BEGIN", "has no plan"),
        ("DO $$ BEGIN END $$", "has no plan"),
    ],
)
def test_that_what_has_no_plan_is_refused_before_anything_is_sent(explain, client, text, words):
    served = client.pool.stats().served
    with pytest.raises(RefusedSql, match=re.escape(words)):
        explain(text)
    assert client.pool.stats().served == served


@pytest.mark.parametrize("analyze", [False, True])
@pytest.mark.parametrize("before", ["", "  -- 😀 why\n ", "EXPLAIN ", "/* a */ explain (analyze, costs off)\n  "])
def test_that_an_error_is_told_at_its_place_in_the_text(explain, analyze, before):
    text = f"{before}SELECT '😀', nowhere + 1"
    [failed] = [each for each in explain(text, analyze=analyze) if isinstance(each, Failed)]
    assert failed.error.position == text.index("nowhere")


def test_that_every_name_is_told_as_it_is(plan, own_schema, do):
    names = ['a "quoted" <b>name</b>', "two\nlines", "ö😀", "%s %(x)s", "semi;colon", "back\\slash", "$1"]
    for name in names:
        quoted = '"' + name.replace('"', '""') + '"'
        do(f"CREATE TABLE {own_schema}.{quoted.replace('%', '%')} (a int)")
        for analyze in (False, True):
            found = plan(f"SELECT * FROM {own_schema}.{quoted}", analyze=analyze)
            assert found.nodes[0].relation == name
            assert found.nodes[0].name == f"Seq Scan on {name}"


@pytest.mark.parametrize("text", ["SELECT pg_sleep(60)", "WITH x AS (SELECT pg_sleep(60)) SELECT * FROM x"])
def test_that_a_run_is_cancelled_by_the_ladder_and_the_connection_goes_back(client, side, admin, text):
    one = Explain(client, text, "SQL 1", Options(analyze=True), side=side)
    news = []
    worker = threading.Thread(target=lambda: news.extend(one.run()))
    worker.start()
    slow = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ 'EXPLAIN.*pg_sleep.60'"
    until(lambda: admin.value(slow + " AND pid <> pg_backend_pid()"))
    list(one.stop())
    worker.join(10)
    assert not worker.is_alive()
    [failed] = [each for each in news if isinstance(each, Failed)]
    assert failed.cancelled
    assert client.pool.stats().used == 0
    with client.lend("after") as conn, conn.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_that_a_cancel_before_anything_was_sent_sends_nothing(client, side):
    one = Explain(client, "SELECT pg_sleep(60)", "SQL 1", Options(analyze=True), side=side)
    assert list(one.stop()) == []
    [failed] = list(one.run())
    assert failed.cancelled


def test_that_notices_of_functions_are_told(explain, own_schema, do):
    do(
        f"CREATE FUNCTION {own_schema}.loud() RETURNS int LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE NOTICE 'hello'; RETURN 1; END $$"
    )
    news = explain(f"SELECT {own_schema}.loud()", analyze=True)
    assert [type(each) for each in news] == [Started, Explained, Notices]
    assert news[-1].lines == ("NOTICE:  hello",)


def test_that_a_statement_with_parameters_has_a_generic_plan_where_the_server_makes_one(explain, tables, client):
    with client.lend("version") as conn:
        version = conn.info.server_version
    news = explain(f"SELECT * FROM {tables}.orders WHERE id = $1")[-1]
    if version < 160000:
        assert news.error.title == "there is no parameter $1"
    else:
        assert ("Index Cond", "(id = $1)") in news.plan.nodes[0].conditions


# -- what the figures mean


def test_that_processes_that_work_side_by_side_are_not_counted_twice(plan, tables, do, tab_session, side):
    settings = (
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;"
        "SET max_parallel_workers_per_gather = 2"
    )
    list(Query(tab_session, settings, "SQL 1", side=side).run())
    found = plan(f"SELECT state, sum(amount) FROM {tables}.orders GROUP BY 1", tab_session, analyze=True)
    gather = next(node for node in found.nodes if node.kind.startswith("Gather"))
    scan = next(node for node in found.below(gather) if node.kind == "Seq Scan")
    assert scan.name.startswith("Parallel Seq Scan on orders")
    assert scan.actual.processes == scan.actual.loops == 1 + gather.raw["Workers Launched"]
    assert scan.actual.all_rows == pytest.approx(20000, abs=3)
    assert scan.actual.total_ms <= gather.actual.total_ms * 1.2
    assert sum(node.actual.self_ms for node in found.nodes) <= found.execution_ms * 1.2


def test_that_without_timing_the_shares_are_of_cost_and_the_rows_are_measured(plan, tables):
    found = plan(f"SELECT * FROM {tables}.orders ORDER BY amount", analyze=True, timing=False)
    assert found.is_analyzed
    assert not found.is_timed
    assert [node.actual.rows for node in found.nodes] == [20000, 20000]
    assert all(node.actual.self_ms is None for node in found.nodes)
    assert "estimate" in findings(found)[0].detail


def test_that_a_trigger_that_costs_is_told(plan, tables, do):
    do(f"""
        CREATE FUNCTION {tables}.slow() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM count(*) FROM {tables}.customers; RETURN NULL; END $$;
        CREATE TRIGGER slow AFTER UPDATE ON {tables}.orders FOR EACH ROW EXECUTE FUNCTION {tables}.slow();
    """)
    text = f"UPDATE {tables}.orders SET amount = 0 WHERE id <= 500"
    found = plan(text, analyze=True, may_write=True)
    [trigger] = found.triggers
    assert (trigger.name, trigger.calls) == ("slow", 500)
    assert any(each.title.startswith("Trigger slow on orders: ") for each in findings(found))
    assert sum(node.share for node in found.nodes) < 1  # the trigger is in no node's time


def test_that_a_node_that_was_never_executed_takes_no_time(plan, tables):
    found = plan(
        f"SELECT * FROM {tables}.customers c JOIN {tables}.orders o ON o.id = c.id WHERE c.id = -1", analyze=True
    )
    never = [node for node in found.nodes if node.is_never]
    assert never
    assert all(node.actual.self_ms == 0 and node.factor is None for node in never)
    assert any("never executed" in each.title for each in findings(found))


def test_that_a_misestimate_is_told_where_it_begins_with_its_figures(plan, tables):
    found = plan(
        f"SELECT c.name, count(*) FROM {tables}.orders o JOIN {tables}.customers c ON c.id = o.customer"
        " WHERE o.state || '' = 'paid' GROUP BY 1",
        analyze=True,
    )
    worst = [each for each in findings(found) if "misestimate" in each.title.lower()]
    assert worst[0].title == "Worst misestimate, ×67: Seq Scan on orders o"
    assert "100 rows expected, 6,667 rows came, 67 times more." in worst[0].detail
    assert found.nodes[worst[0].node].kind == "Seq Scan"
    assert len(worst) == 1


def test_that_a_limit_that_stops_a_scan_is_no_misestimate(plan, tables):
    found = plan(f"SELECT * FROM {tables}.orders LIMIT 5", analyze=True)
    scan = found.nodes[1]
    assert scan.rows == 20000
    assert scan.actual.rows == 5
    assert wrong_by(scan) is None
    assert not any("misestimate" in each.title.lower() for each in findings(found))


def test_that_what_spills_to_the_disk_is_told(plan, tables, tab_session, side):
    list(Query(tab_session, "SET work_mem = '64kB'; SET hash_mem_multiplier = 1", "SQL 1", side=side).run())
    found = plan(f"SELECT * FROM {tables}.orders ORDER BY amount", tab_session, analyze=True)
    [sort] = [each for each in findings(found) if each.title.startswith("Sort on disk")]
    assert found.nodes[sort.node].kind == "Sort"
    found = plan(f"SELECT * FROM {tables}.orders a JOIN {tables}.orders b USING (amount)", tab_session, analyze=True)
    assert any(each.title.startswith(("Hash on disk", "Sort on disk")) for each in findings(found))
    found = plan(f"SELECT amount, count(*) FROM {tables}.orders GROUP BY 1", tab_session, analyze=True)
    assert any("on disk" in each.title for each in findings(found))


def test_that_rows_read_in_vain_and_many_loops_are_told(plan, tables, tab_session, side):
    found = plan(f"SELECT * FROM {tables}.orders WHERE amount = 77", analyze=True)
    [vain] = [each for each in findings(found) if each.title.startswith("Read in vain")]
    assert "20,000 rows" in vain.title
    assert "(amount = '77'::numeric)" in vain.detail
    list(Query(tab_session, "SET enable_hashjoin = off; SET enable_mergejoin = off", "SQL 1", side=side).run())
    text = f"SELECT count(*) FROM {tables}.orders o JOIN {tables}.customers c ON c.id = o.customer + 0"
    list(Query(tab_session, "SET enable_memoize = off; SET enable_material = off", "SQL 1", side=side).run())
    found = plan(text, tab_session, analyze=True)
    assert any(each.title.startswith("Nested loop") and "ran " in each.title for each in findings(found)), found.text
