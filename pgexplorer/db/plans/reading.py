"""The JSON of EXPLAIN read into a plan: what of the times, buffers and costs is a node's own.

The server's figures include what lies below a node, are averages of a loop, and count processes side by side.
"""

import json
import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

from pgexplorer.db.plans.plan import (
    Actual,
    Buffers,
    Node,
    Plan,
    Trigger,
    buffers_of,
    in_words,
    is_array,
    is_object,
)

_CTE = re.compile(r"CTE (.*)", re.DOTALL)
_INIT = re.compile(r"InitPlan (\d+)(?: \(returns ([$\d, ]+)\))?")
_CONDITIONS = (
    "Filter",
    "Index Cond",
    "Recheck Cond",
    "Order By",
    "TID Cond",
    "Hash Cond",
    "Merge Cond",
    "Join Filter",
    "One-Time Filter",
    "Conflict Filter",
    "Run Condition",
    "Function Call",
    "Cache Key",
    "Sort Key",
    "Presorted Key",
    "Group Key",
    "Grouping Sets",
)


class UnreadablePlan(Exception):
    """EXPLAIN answered something that is no plan."""


class _Draft:
    """A node while its figures are reckoned."""

    def __init__(self, raw: dict[str, Any], index: int, depth: int, parent: "_Draft | None") -> None:
        self.raw, self.index, self.depth, self.parent = raw, index, depth, parent
        self.children: list[_Draft] = []
        self.role = str(raw.get("Parent Relationship", ""))
        self.loops = int(raw.get("Actual Loops", 0))
        self.processes = 1
        self.ms = self.self_ms = 0.0
        self.buffers = buffers_of(raw)
        self.own = self.buffers
        self.cost = self.self_cost = float(raw.get("Total Cost", 0.0))
        self.ends_early = False

    @property
    def kind(self) -> str:
        return str(self.raw.get("Node Type", "?"))


def parse(source: str, sql: str = "", **facts: Any) -> Plan:
    """Read *source*, the JSON of EXPLAIN. *facts* are fields of Plan that it does not hold. Raises UnreadablePlan."""
    try:
        answer: Any = json.loads(source)
    except RecursionError:
        raise UnreadablePlan("The plan is nested too deep to be read here.") from None
    except ValueError as error:
        raise UnreadablePlan(f"EXPLAIN answered no JSON: {error}") from None
    queries = [each for each in answer if is_object(each) and "Plan" in each] if is_array(answer) else []
    drafts: list[_Draft] = []
    roots = [_drafted(query["Plan"], drafts) for query in queries]
    is_analyzed = any("Actual Loops" in each.raw for each in drafts)
    is_timed = any("Actual Total Time" in each.raw for each in drafts)
    for root in roots:
        _reckon(root)
    execution = _sum(queries, "Execution Time")
    ran = sum(root.ms for root in roots)
    total = max(execution or 0.0, ran) if is_timed else None
    cost = sum(root.cost for root in roots)
    nodes = tuple(_node(each, is_analyzed, is_timed, total or 0.0, cost) for each in drafts)
    return Plan(
        sql=sql,
        nodes=nodes,
        roots=tuple(root.index for root in roots),
        json=source,
        is_analyzed=is_analyzed,
        planning_ms=_sum(queries, "Planning Time"),
        execution_ms=execution,
        total_ms=total,
        triggers=tuple(
            Trigger(
                str(each.get("Trigger Name") or each.get("Constraint Name", "")),
                str(each.get("Relation", "")),
                int(each.get("Calls", 0)),
                each.get("Time"),
            )
            for query in queries
            for each in query.get("Triggers", ())
        ),
        jit_ms=_jit(queries),
        planning_buffers=_together(buffers_of(query.get("Planning", {})) for query in queries),
        settings=tuple((str(k), str(v)) for query in queries[:1] for k, v in query.get("Settings", {}).items()),
        summary=tuple(
            (key, in_words(value))
            for query in queries
            for key, value in query.items()
            if key != "Plan" and value not in ([], {})
        ),
        **facts,
    )


# -- inside


def _drafted(raw: dict[str, Any], drafts: list[_Draft]) -> _Draft:
    """Append a draft for each node of the tree, from the top down, and return the topmost."""
    top: _Draft | None = None
    waiting: list[tuple[dict[str, Any], _Draft | None]] = [(raw, None)]
    while waiting:
        each, parent = waiting.pop()
        draft = _Draft(each, len(drafts), parent.depth + 1 if parent else 0, parent)
        drafts.append(draft)
        if parent is not None:
            parent.children.append(draft)
        top = top or draft
        waiting.extend((child, draft) for child in reversed(each.get("Plans", [])))
    assert top is not None
    return top


def _all(root: _Draft) -> Iterator[_Draft]:
    waiting = [root]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(reversed(each.children))


def _reckon(root: _Draft) -> None:
    """Give each node below *root* its own time, buffers and cost."""
    nodes = list(_all(root))
    for each in nodes:
        parent = each.parent
        if parent is not None:
            each.processes = _processes(each, parent)
            each.ends_early = _may_end_early(each, parent)
        # The server tells the average of a loop; processes that shared the loops ran them side by side.
        each.ms = float(each.raw.get("Actual Total Time", 0.0)) * each.loops / each.processes
        each.self_ms = each.ms
    for each in nodes:
        parent = each.parent
        if parent is not None and each.role != "InitPlan":
            parent.self_ms -= each.ms
            parent.own = parent.own.less(each.buffers)
    charged = [(each, _readers(each, nodes)) for each in nodes if each.role == "InitPlan"]
    for each, readers in sorted(charged, key=lambda one: len(one[1])):  # those whose reader is certain come first
        _charge(each, readers)
    for each in nodes:
        each.self_ms = max(0.0, each.self_ms)
        _share_cost(each)


def _processes(each: _Draft, parent: _Draft) -> int:
    """Return how many processes share the node's loops: below a Gather its workers, and mostly the leader too."""
    if each.role == "InitPlan":
        return 1
    if parent.kind in {"Gather", "Gather Merge"} and each.role == "Outer":
        if parent.raw.get("Single Copy") or not parent.loops:
            return 1
        return max(1, round(each.loops / parent.loops))
    return parent.processes


def _readers(plan: _Draft, nodes: list[_Draft]) -> list[_Draft]:
    """Return the nodes in whose time an InitPlan or CTE ran: it ran when the first of them asked for a row.

    A CTE that nobody reads ran after the plan's own end, and is in nobody's time.
    """
    inside = {id(each) for each in _all(plan)}
    outside = [each for each in nodes if id(each) not in inside]
    name = str(plan.raw.get("Subplan Name", ""))
    if cte := _CTE.fullmatch(name):
        return [each for each in outside if each.raw.get("CTE Name") == cte[1]]
    wanted = _mention(name)
    using = [each for each in outside if wanted.search(_own_words(each))] if wanted else []
    early = [each for each in using if wanted and wanted.search(str(each.raw.get("Params Evaluated", "")))]
    return early or using or ([plan.parent] if plan.parent is not None else [])


def _charge(plan: _Draft, readers: list[_Draft]) -> None:
    """Take the time of an InitPlan or CTE from those that read it.

    Which of several it was is not told: they are charged with what they have, the largest first.
    """
    left, blocks = plan.ms, plan.buffers
    for reader in sorted(readers, key=lambda each: each.self_ms, reverse=True):
        taken = min(left, max(0.0, reader.self_ms))
        reader.self_ms -= taken
        left -= taken
        before = reader.own
        reader.own = before.less(blocks)
        blocks = blocks.less(before)


def _mention(name: str) -> re.Pattern[str] | None:
    """Return what mentions the InitPlan *name* in an expression: "(InitPlan 1)", or "$0" before PostgreSQL 17."""
    found = _INIT.fullmatch(name)
    if found is None:
        return None
    if found[2]:
        return re.compile("|".join(rf"\{each.strip()}(?!\d)" for each in found[2].split(",")))
    return re.compile(rf"InitPlan {found[1]}\)")


def _own_words(each: _Draft) -> str:
    return "\n".join(in_words(value) for key, value in each.raw.items() if key not in {"Plans", "Subplan Name"})


def _share_cost(each: _Draft) -> None:
    """Share a node's cost with those below it.

    A cost is one loop's: the inner side of a nested loop counts as often as the outer side is expected to have rows.
    Where that comes to more than the node's own (LIMIT stops what lies below it), all are made smaller alike.
    """
    raw = [max(0.0, float(child.raw.get("Total Cost", 0.0))) * _expected_loops(child, each) for child in each.children]
    scale = min(1.0, each.cost / sum(raw)) if sum(raw) else 0.0
    for child, cost in zip(each.children, raw, strict=True):
        child.cost = cost * scale
    each.self_cost = max(0.0, each.cost - sum(raw) * scale)


def _expected_loops(child: _Draft, parent: _Draft) -> float:
    if parent.kind == "Nested Loop" and child.role == "Inner" and child.kind not in {"Materialize", "Memoize"}:
        outer = next((each for each in parent.children if each.role == "Outer"), None)
        return max(1.0, float(outer.raw.get("Plan Rows", 1))) if outer is not None else 1.0
    return 1.0


_READ_WHOLE = {"Hash", "Aggregate", "WindowAgg", "Sort", "BitmapAnd", "BitmapOr", "Bitmap Heap Scan", "ModifyTable"}


def _may_end_early(each: _Draft, parent: _Draft) -> bool:
    """Whether what lies above *each* may have wanted no further rows."""
    if each.role in {"InitPlan", "SubPlan"}:
        return not str(each.raw.get("Subplan Name", "")).startswith("hashed")
    if parent.kind in {"Limit", "Merge Join"}:
        return True
    if parent.kind == "Nested Loop" and each.role == "Inner":
        return bool(parent.raw.get("Inner Unique")) or parent.raw.get("Join Type") in {"Semi", "Anti"}
    if parent.kind in _READ_WHOLE and parent.raw.get("Strategy") != "Sorted":
        return False
    return parent.ends_early


def _node(each: _Draft, is_analyzed: bool, is_timed: bool, total: float, cost: float) -> Node:
    raw = each.raw
    relation, schema, alias = (str(raw.get(key, "")) for key in ("Relation Name", "Schema", "Alias"))
    actual = None
    if is_analyzed:
        times = (each.ms, each.self_ms) if is_timed else (None, None)
        actual = Actual(each.loops, float(raw.get("Actual Rows", 0)), *times, each.processes)
    own, whole = (each.self_ms, total) if is_timed else (each.self_cost, cost)
    share = own / whole if whole else 0.0
    return Node(
        index=each.index,
        depth=each.depth,
        parent=each.parent.index if each.parent is not None else -1,
        children=tuple(child.index for child in each.children),
        kind=each.kind,
        relation=relation,
        schema=schema,
        alias=alias if alias != relation else "",
        index_name=str(raw.get("Index Name", "")),
        role=each.role,
        subplan=str(raw.get("Subplan Name", "")),
        conditions=tuple((key, in_words(raw[key])) for key in _CONDITIONS if key in raw),
        startup_cost=float(raw.get("Startup Cost", 0.0)),
        total_cost=float(raw.get("Total Cost", 0.0)),
        self_cost=each.self_cost,
        rows=float(raw.get("Plan Rows", 0)),
        width=int(raw.get("Plan Width", 0)),
        actual=actual,
        buffers=each.buffers,
        own_buffers=each.own,
        share=min(1.0, share),
        ends_early=each.ends_early,
        raw=MappingProxyType({key: value for key, value in raw.items() if key != "Plans"}),
    )


def _sum(queries: list[dict[str, Any]], key: str) -> float | None:
    found = [float(query[key]) for query in queries if key in query]
    return sum(found) if found else None


def _jit(queries: list[dict[str, Any]]) -> float | None:
    found: list[Any] = [query.get("JIT", {}).get("Timing", {}).get("Total") for query in queries]
    known = [float(each) for each in found if each is not None]
    return sum(known) if known else None


def _together(every: Iterator[Buffers]) -> Buffers:
    total = Buffers()
    for each in every:
        total = total.plus(each)
    return total
