"""Plans that no server has to make: what is read of them, and what is refused."""

import json
import time

import pytest

from pgexplorer.db.plans.findings import findings, percent, rows_in_words
from pgexplorer.db.plans.reading import UnreadablePlan, parse
from pgexplorer.db.plans.text import text_of


def node(kind, ms=1.0, loops=1, *children, role="Outer", **more):
    return {
        "Node Type": kind,
        "Parent Relationship": role,
        "Startup Cost": 0.0,
        "Total Cost": 10.0,
        "Plan Rows": 1,
        "Plan Width": 4,
        "Actual Startup Time": 0.0,
        "Actual Total Time": ms,
        "Actual Rows": 1,
        "Actual Loops": loops,
        "Plans": list(children),
    } | {key.replace("_", " "): value for key, value in more.items()}


def read(top, **whole):
    return parse(json.dumps([{"Plan": top, "Execution Time": top["Actual Total Time"]} | whole]))


def own(plan):
    return [node.actual.self_ms for node in plan.nodes]


def test_that_an_init_plan_is_taken_from_the_node_that_asked_for_it():
    init = node("Result", 4.0, 1, role="InitPlan", Subplan_Name="InitPlan 1 (returns $0)")
    scan = node("Seq Scan", 6.0, 1, Filter="(a > $0)")
    assert own(read(node("Aggregate", 7.0, 1, init, scan))) == [1.0, 4.0, 2.0]
    init["Subplan Name"] = "InitPlan 1"
    scan["Filter"] = "(a > (InitPlan 1).col1)"
    assert own(read(node("Aggregate", 7.0, 1, init, scan))) == [1.0, 4.0, 2.0]
    scan["Filter"] = "(a > (InitPlan 11).col1)"  # another one: then the node that it hangs on
    assert own(read(node("Aggregate", 12.0, 1, init, scan))) == [2.0, 4.0, 6.0]


def test_that_a_cte_is_taken_from_its_readers_and_one_without_any_from_nobody():
    cte = node("Seq Scan", 5.0, 1, role="InitPlan", Subplan_Name="CTE x")
    readers = [node("CTE Scan", 6.0, 1, CTE_Name="x"), node("CTE Scan", 2.0, 1, role="Inner", CTE_Name="x")]
    assert own(read(node("Nested Loop", 9.0, 1, cte, *readers))) == [1.0, 5.0, 1.0, 2.0]
    assert own(read(node("Result", 3.0, 1, cte))) == [
        3.0,
        5.0,
    ]


def test_that_workers_share_the_loops_of_what_lies_below_a_gather():
    scan = node("Seq Scan", 9.0, 3, Parallel_Aware=True)
    plan = read(node("Nested Loop", 12.0, 1, node("Gather", 10.0, 1, scan, Workers_Launched=2)))
    assert own(plan) == [2.0, 1.0, 9.0]
    assert [each.actual.processes for each in plan.nodes] == [1, 1, 3]
    inner = node("Index Scan", 0.01, 900, role="Inner")
    below = node("Nested Loop", 8.0, 3, node("Seq Scan", 2.0, 3), inner)
    assert own(read(node("Gather", 10.0, 1, below))) == pytest.approx([2.0, 3.0, 2.0, 3.0])
    single = node("Aggregate", 9.0, 1)
    assert own(read(node("Gather", 10.0, 1, single, Single_Copy=True))) == [1.0, 9.0]


def test_that_a_time_never_falls_below_zero():
    assert own(read(node("Limit", 1.0, 1, node("Seq Scan", 1.5)))) == [0.0, 1.5]


def test_that_rules_make_several_plans_and_none():
    each = {"Plan": node("Result"), "Planning Time": 1.0, "Execution Time": 2.0}
    plan = parse(json.dumps([each, "Utility Statement", each]))
    assert plan.roots == (0, 1)
    assert (plan.planning_ms, plan.execution_ms) == (2.0, 4.0)
    assert text_of(plan).count("Result") == 2
    assert parse("[]").nodes == ()
    assert findings(parse("[]")) == []
    assert text_of(parse("[]")) == ""


@pytest.mark.parametrize("text", ["", "nothing", "{", '[{"Plan": ' * 5000])
def test_that_what_is_no_plan_is_refused_in_words(text):
    with pytest.raises(UnreadablePlan):
        parse(text)


def test_that_a_plan_of_many_nodes_is_read_in_a_moment():
    parts = [node("Append", 1.0, 1, *(node("Seq Scan", 0.001, role="Member") for _ in range(50))) for _ in range(100)]
    source = json.dumps([{"Plan": node("Append", 200.0, 1, *parts)}])
    began = time.perf_counter()
    plan = parse(source)
    findings(plan)
    assert len(plan.nodes) == 5101
    assert len(text_of(plan).splitlines()) >= 5101
    assert time.perf_counter() - began < 5


def test_that_shares_and_rows_are_said_as_a_person_reads_them():
    assert [percent(each) for each in (1, 0.4321, 0.0043, 0.0001, 0)] == ["100 %", "43 %", "0.4 %", "< 0.1 %", "0 %"]
    assert [rows_in_words(each) for each in (0, 0.25, 1, 12400)] == ["0 rows", "0.25 rows", "1 row", "12,400 rows"]
