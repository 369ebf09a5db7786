"""What stands out in a plan, in words: each finding with its node and the figures that it was drawn from.

No finding says more than the plan shows. Why an estimate is wrong, or whether an index would help, no plan tells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from pgexplorer.db.plans.plan import Node, Plan
from pgexplorer.db.values import human_bytes, human_count
from pgexplorer.units import duration

_COSTLY, _MOST_COSTLY = 0.10, 3  # share from which a node is named, and how many are
_WRONG, _ENOUGH, _MOST_WRONG = 10.0, 100.0, 5  # times, rows, findings
_MANY_REMOVED = 1_000.0
_MANY_LOOPS, _LOOPS_SHARE = 1_000, 0.10
_MANY_FETCHES = 1_000
_ASIDE = 0.10  # of the execution's time, from which triggers and JIT are named


class Weight(Enum):
    """How a finding is marked: as a shape and a word, too."""

    COSTLY = "costliest"
    WARNING = "warning"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that stands out."""

    weight: Weight
    title: str
    detail: str
    node: int = -1  # its place in the plan; -1 for the whole


def findings(plan: Plan) -> list[Finding]:
    """Return what stands out in *plan*, the costliest first."""
    found = [*_costliest(plan), *_misestimates(plan)]
    for node in plan.nodes:
        found += [*_spills(plan, node), *_filters(plan, node), *_others(plan, node)]
    found += _whole(plan)
    return found


def _costliest(plan: Plan) -> Iterator[Finding]:
    ranked = sorted(plan.nodes, key=lambda node: node.share, reverse=True)
    for place, node in enumerate(ranked[:_MOST_COSTLY]):
        if place and node.share < _COSTLY:
            return
        share = percent(node.share)
        title = f"{'Costliest' if not place else 'Costly'}, {share}: {node.name}"
        if plan.is_timed and node.actual is not None:
            own, loops = duration((node.actual.self_ms or 0.0) / 1000), node.actual.loops
            detail = f"{own} of {duration((plan.total_ms or 0.0) / 1000)} are its own, without what lies below it"
            detail += f", in {loops:,} loops" if loops > 1 else ""
            if node.actual.processes > 1:
                detail += f" shared by {node.actual.processes} processes"
            yield Finding(Weight.COSTLY, title, f"{detail}.", node.index)
        else:
            words = "by the planner's cost, which is an estimate: the statement was not timed."
            yield Finding(Weight.COSTLY, title, f"{node.self_cost:,.0f} of the cost, {words}", node.index)


def _misestimates(plan: Plan) -> Iterator[Finding]:
    found: list[tuple[float, Node]] = []
    for node in plan.nodes:
        times = wrong_by(node)
        if times is not None and not _is_carried(plan, node, times):
            found.append((times, node))
    found.sort(key=lambda each: each[0], reverse=True)
    for place, (times, node) in enumerate(found[:_MOST_WRONG]):
        assert node.actual is not None
        more = node.actual.rows > node.rows
        word = "Worst misestimate" if not place else "Misestimate"
        title = f"{word}, {'×' if more else '÷'}{times:,.0f}: {node.name}"
        detail = f"{rows_in_words(node.rows)} expected, {rows_in_words(node.actual.rows)} came"
        detail += f", {times:,.0f} times {'more' if more else 'fewer'}"
        detail += f" on average of {node.actual.loops:,} loops." if node.actual.loops > 1 else "."
        if node.relation:
            detail += (
                f" The estimate rests on the statistics of {node.relation}; how old they are the plan does not show."
                " ANALYZE renews them."
            )
        yield Finding(Weight.WARNING, title, detail, node.index)
    if len(found) > _MOST_WRONG:
        rest = len(found) - _MOST_WRONG
        yield Finding(Weight.HINT, f"{rest} more misestimates of {_WRONG:.0f} times or more", "The table has all.")


def wrong_by(node: Node) -> float | None:
    """Return how many times more or fewer rows came than expected, where that is a misestimate; else None.

    Fewer rows from a node that was stopped before its end say nothing.
    """
    factor = node.factor
    if factor is None or node.actual is None or node.kind == "Bitmap Index Scan":
        return None
    if factor < 1 and node.ends_early:
        return None
    times = max(factor, 1 / factor)
    rows = max(node.rows, node.actual.rows) * node.actual.loops
    return times if times >= _WRONG and rows >= _ENOUGH else None


def _is_carried(plan: Plan, node: Node, times: float) -> bool:
    """Whether the same misestimate comes from below, where it is told."""
    for index in node.children:
        below = plan.nodes[index]
        under = wrong_by(below)
        same_way = (below.factor or 1.0) > 1 if (node.factor or 1.0) > 1 else (below.factor or 1.0) < 1
        if under is not None and under >= times / 2 and same_way and below.role not in {"InitPlan", "SubPlan"}:
            return True
    return False


def _spills(plan: Plan, node: Node) -> Iterator[Finding]:
    raw = node.raw
    if raw.get("Sort Space Type") == "Disk":
        size = human_bytes(int(raw.get("Sort Space Used", 0)) * 1024)
        title = f"Sort on disk: {node.name}, {size}"
        yield Finding(
            Weight.WARNING, title, f"Method {raw.get('Sort Method', '')}: work_mem did not hold it.", node.index
        )
    batches = int(raw.get("Hash Batches", 0))
    if batches > 1:
        planned = int(raw.get("Original Hash Batches", batches))
        detail = f"{batches} batches instead of 1" + (f", {planned} were planned" if planned != batches else "")
        yield Finding(Weight.WARNING, f"Hash on disk: {node.name}", f"{detail}: the table did not fit.", node.index)
    used = int(raw.get("Disk Usage", 0))
    if used:
        title = f"Aggregate on disk: {node.name}, {human_bytes(used * 1024)}"
        yield Finding(Weight.WARNING, title, f"{raw.get('HashAgg Batches', '?')} batches instead of 1.", node.index)
    told = raw.get("Sort Space Type") == "Disk" or batches > 1 or used
    if node.own_buffers.temp_written and not told and node.kind not in {"Hash Join"}:
        size = human_bytes(node.own_buffers.temp_written * plan.block_size)
        yield Finding(Weight.WARNING, f"Temporary file: {node.name}, {size} written", "", node.index)
    lossy = int(raw.get("Lossy Heap Blocks", 0))
    if lossy:
        exact = int(raw.get("Exact Heap Blocks", 0))
        detail = (
            f"{lossy:,} of {lossy + exact:,} blocks are known as a whole only, and their rows were checked again"
            f" ({removed(node, 'Index Recheck'):,.0f} in vain): work_mem did not hold an exact one."
        )
        yield Finding(Weight.WARNING, f"Lossy bitmap: {node.name}", detail, node.index)


def removed(node: Node, by: str) -> float:
    """Return how many rows were read in vain over all loops, by "Filter", "Join Filter" or "Index Recheck"."""
    loops = node.actual.loops if node.actual is not None else 0
    return float(node.raw.get(f"Rows Removed by {by}", 0)) * loops


def _filters(plan: Plan, node: Node) -> Iterator[Finding]:
    if node.actual is None:
        return
    for by in ("Filter", "Join Filter"):
        gone, kept = removed(node, by), node.actual.all_rows
        if gone < _MANY_REMOVED or gone < 10 * kept or (plan.is_timed and node.share < 0.02):
            continue
        condition = dict(node.conditions).get(by, "")
        title = f"Read in vain: {node.name}, {human_count(gone)} of {human_count(gone + kept)} rows"
        detail = f"{by} {condition} removed them."
        if node.kind == "Seq Scan":
            detail += " The whole table was read. Whether an index would save that, the plan does not show."
        yield Finding(Weight.WARNING, title, detail, node.index)


def _others(plan: Plan, node: Node) -> Iterator[Finding]:
    raw, actual = node.raw, node.actual
    if actual is None:
        return
    above = plan.nodes[node.parent] if node.parent >= 0 else None
    repeated = (above is not None and above.kind == "Nested Loop" and node.role == "Inner") or node.role == "SubPlan"
    if repeated and actual.loops >= _MANY_LOOPS:
        share = (actual.total_ms or 0.0) / plan.total_ms if plan.total_ms else 0.0
        unsure = actual.unsure_ms / plan.total_ms if plan.total_ms else 0.0
        if not plan.is_timed or share + unsure >= _LOOPS_SHARE:
            what = "Nested loop" if node.role == "Inner" else "Subquery"
            title = f"{what}: {node.name} ran {actual.loops:,} times"
            expected = f" {rows_in_words(_outer(plan, node))} were expected above it." if node.role == "Inner" else ""
            words = f"With what lies below it that is {percent(share)} of the time." if plan.is_timed else ""
            if unsure >= 0.05:
                words += f" (The server rounds the time of a loop: give or take {percent(unsure)}.)"
            yield Finding(Weight.WARNING, title, f"{words}{expected}".strip(), node.index)
    fetches = int(raw.get("Heap Fetches", 0))
    if fetches >= _MANY_FETCHES and fetches >= 0.1 * actual.all_rows:
        title = f"Index only in name: {node.name}, {fetches:,} rows looked up in the table"
        yield Finding(
            Weight.WARNING, title, "Their pages are not marked as visible to all; VACUUM marks them.", node.index
        )
    planned, launched = int(raw.get("Workers Planned", 0)), int(raw.get("Workers Launched", 0))
    if launched < planned and actual.loops:
        title = f"Fewer workers: {node.name}, {launched} of {planned} launched"
        yield Finding(Weight.WARNING, title, "The others were not free, or not wanted any more.", node.index)


def _outer(plan: Plan, node: Node) -> float:
    siblings = (plan.nodes[index] for index in plan.nodes[node.parent].children)
    return next((each.rows for each in siblings if each.role == "Outer"), 0.0)


def _whole(plan: Plan) -> Iterator[Finding]:
    ran = plan.execution_ms or 0.0
    for trigger in plan.triggers:
        if trigger.ms and ran and trigger.ms >= _ASIDE * ran:
            title = f"Trigger {trigger.name} on {trigger.relation}: {percent(trigger.ms / ran)}"
            yield Finding(
                Weight.WARNING, title, f"{duration(trigger.ms / 1000)} in {trigger.calls:,} calls, in no node's time."
            )
    if plan.jit_ms and ran and plan.jit_ms >= _ASIDE * ran:
        title = f"Compiling (JIT): {percent(plan.jit_ms / ran)}"
        yield Finding(Weight.WARNING, title, f"{duration(plan.jit_ms / 1000)} of {duration(ran / 1000)}.")
    if plan.planning_ms and plan.is_analyzed and plan.planning_ms > max(ran, 20.0):
        title = f"Planning took longer than running: {duration(plan.planning_ms / 1000)}"
        yield Finding(Weight.HINT, title, f"{duration(ran / 1000)} for running it.")
    never = [node for node in plan.nodes if node.is_never and not _is_never(plan, node.parent)]
    if never:
        title = f"{len(never)} {'node was' if len(never) == 1 else 'nodes were'} never executed"
        yield Finding(Weight.HINT, title, ", ".join(node.name for node in never[:5]) + ".", never[0].index)


def _is_never(plan: Plan, index: int) -> bool:
    return index >= 0 and plan.nodes[index].is_never


def percent(share: float) -> str:
    """Say a share: "43 %", "0.4 %", "< 0.1 %"."""
    if share >= 0.0995:
        return f"{share * 100:.0f} %"
    if share >= 0.0005:
        return f"{share * 100:.1f} %"
    return "< 0.1 %" if share > 0 else "0 %"


def rows_in_words(rows: float) -> str:
    """Say a number of rows, which may be an average below one: "12,400 rows", "0.25 rows"."""
    if rows == 1:
        return "1 row"
    return f"{rows:.2f} rows" if rows < 10 and rows != int(rows) else f"{human_count(rows)} rows"
