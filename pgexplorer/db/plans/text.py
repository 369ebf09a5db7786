"""A plan in the manner of the server's text form, made of its JSON: one run of EXPLAIN ANALYZE tells one form only."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pgexplorer.db.keywords import KEYWORDS, UNRESERVED
from pgexplorer.db.plans.plan import Node, Plan, is_array, is_object

# In the line of the node itself.
_IN_LINE = {
    "Node Type",
    "Parent Relationship",
    "Parallel Aware",
    "Async Capable",
    "Join Type",
    "Strategy",
    "Partial Mode",
    "Operation",
    "Command",
    "Scan Direction",
    "Index Name",
    "Relation Name",
    "Schema",
    "Alias",
    "CTE Name",
    "Function Name",
    "Table Function Name",
    "Subplan Name",
    "Startup Cost",
    "Total Cost",
    "Plan Rows",
    "Plan Width",
    "Actual Startup Time",
    "Actual Total Time",
    "Actual Rows",
    "Actual Loops",
    "Custom Plan Provider",
}
_VERBOSE_ONLY = {"Inner Unique", "Original Hash Buckets", "Original Hash Batches"}
# What the text form says in one line: by its first key the line's beginning, and each key with how it is said.
_LINES: dict[str, tuple[str, dict[str, str]]] = {
    "Sort Method": ("", {"Sort Method": "Sort Method: {}", "Sort Space Type": "  {}", "Sort Space Used": ": {}kB"}),
    "Hash Buckets": (
        "",
        {"Hash Buckets": "Buckets: {}", "Hash Batches": "  Batches: {}", "Peak Memory Usage": "  Memory Usage: {}kB"},
    ),
    "Planned Partitions": (
        "",
        {
            "Planned Partitions": "Planned Partitions: {}",
            "HashAgg Batches": "  Batches: {}",
            "Peak Memory Usage": "  Memory Usage: {}kB",
            "Disk Usage": "  Disk Usage: {}kB",
        },
    ),
    "Cache Hits": (
        "",
        {
            "Cache Hits": "Hits: {}",
            "Cache Misses": "  Misses: {}",
            "Cache Evictions": "  Evictions: {}",
            "Cache Overflows": "  Overflows: {}",
            "Peak Memory Usage": "  Memory Usage: {}kB",
        },
    ),
    "Storage": ("", {"Storage": "Storage: {}", "Maximum Storage": "  Maximum Storage: {}kB"}),
    "WAL Records": (
        "WAL:",
        {
            "WAL Records": " records={}",
            "WAL FPI": " fpi={}",
            "WAL Bytes": " bytes={}",
            "WAL Buffers Full": " buffers full={}",
        },
    ),
    "Exact Heap Blocks": ("Heap Blocks:", {"Exact Heap Blocks": " exact={}", "Lossy Heap Blocks": " lossy={}"}),
    "Memory Used": ("Memory: ", {"Memory Used": "used={}kB", "Memory Allocated": "  allocated={}kB"}),
}
_FOLLOWS = {key for first, (_, parts) in _LINES.items() for key in parts if key != first}
_PLAIN = re.compile("[a-z_][a-z0-9_]*")
_KINDS = ("Shared", "Local", "Temp")
_BLOCKS = ("Hit", "Read", "Dirtied", "Written")


def text_of(plan: Plan) -> str:
    """Return *plan* as text: a line a node with its estimates and what came, its properties below it."""
    queries = [each for each in json.loads(plan.json) if "Plan" in each]
    lines: list[str] = []
    for root, query in zip(plan.roots, queries, strict=True):
        if lines:
            lines.append("")
        lines += _node_lines(plan, plan.nodes[root], 0)
        for key, value in query.items():
            if key != "Plan" and value not in ([], {}):
                lines += _property(key, value, 0)
    return "\n".join(lines)


def _node_lines(plan: Plan, top: Node, indent: int) -> Iterator[str]:
    waiting = [(top, indent)]
    while waiting:
        node, indent = waiting.pop()
        if node.subplan:
            yield " " * indent + node.subplan
            indent += 2
        arrow = "->  " if node.parent >= 0 else ""
        yield " " * indent + arrow + node.named(_quoted) + _figures(node)
        inner = indent + (6 if arrow else 2)
        yield from _details(node.raw, inner)
        waiting += [(plan.nodes[child], inner) for child in reversed(node.children)]


def _quoted(name: str) -> str:
    """Return *name* as the server writes it: quoted where it must be."""
    needs_none = _PLAIN.fullmatch(name) is not None and name not in KEYWORDS - UNRESERVED
    return name if needs_none else '"' + name.replace('"', '""') + '"'


def _figures(node: Node) -> str:
    raw, words = node.raw, ""
    if "Total Cost" in raw:
        words += (
            f"  (cost={raw['Startup Cost']:.2f}..{raw['Total Cost']:.2f} rows={raw['Plan Rows']:.0f}"
            f" width={raw['Plan Width']})"
        )
    if node.actual is None:
        return words
    if node.is_never:
        return f"{words} (never executed)"
    rows = raw.get("Actual Rows", 0)
    count = f"{rows:.2f}" if isinstance(rows, float) else f"{rows}"
    time = ""
    if "Actual Total Time" in raw:
        time = f"time={raw['Actual Startup Time']:.3f}..{raw['Actual Total Time']:.3f} "
    return f"{words} (actual {time}rows={count} loops={raw.get('Actual Loops', 0)})"


def _details(raw: Any, indent: int) -> Iterator[str]:
    """Yield the properties of a node, its buffers as one line where its first figure stands."""
    before = " " * indent
    has_buffers = False
    for key, value in raw.items():
        if key in _IN_LINE or key in _FOLLOWS or (key in _VERBOSE_ONLY and "Output" not in raw):
            continue
        if key in {"Single Copy", "Disabled", "Inner Unique"} and not value:
            continue
        if _is_block(key):
            if not has_buffers and (words := _buffers(raw)):
                yield f"{before}Buffers: {words}"
            has_buffers = True
        elif line := _LINES.get(key):
            begin, parts = line
            known = [(words, raw[each]) for each, words in parts.items() if each in raw]
            if said := "".join(words.format(each) for words, each in known if each or key == "Cache Hits"):
                yield before + begin + (said if begin else said.lstrip())
        elif not (isinstance(value, int | float) and not value and _is_said_when_more(key)):
            yield from _property(key, value, indent)


def _is_block(key: str) -> bool:
    return key.endswith(" Blocks") and key.split(" ", 1)[0] in _KINDS


def _is_said_when_more(key: str) -> bool:
    return key.startswith(("Rows Removed", "Subplans Removed")) or "I/O" in key


def _buffers(raw: Any) -> str:
    parts: list[str] = []
    for kind in _KINDS:
        found = [f"{what.lower()}={raw[key]}" for what in _BLOCKS if raw.get(key := f"{kind} {what} Blocks")]
        if found:
            parts.append(f"{kind.lower()} {' '.join(found)}")
    return ", ".join(parts)


def _property(key: str, value: Any, indent: int) -> Iterator[str]:
    before = " " * indent
    if key == "Settings" and is_object(value):
        said = ", ".join(f"{name} = '{each}'" for name, each in value.items())
        yield f"{before}Settings: {said}"
    elif key == "Serialization" and is_object(value):
        time = f"time={value['Time']:.3f} ms  " if "Time" in value else ""
        yield f"{before}Serialization: {time}output={value.get('Output Volume')}kB  format={value.get('Format')}"
        if words := _buffers(value):
            yield f"{before}  Buffers: {words}"
    elif key == "Triggers" and is_array(value):
        for each in value:
            name = each.get("Trigger Name") or f"for constraint {each.get('Constraint Name', '')}"
            time = f"time={each['Time']:.3f} " if "Time" in each else ""
            yield f"{before}Trigger {name}: {time}calls={each.get('Calls', 0)}"
    elif is_object(value):
        if inner := list(_details(value, indent + 2)):
            yield f"{before}{key}:"
            yield from inner
    elif is_array(value) and any(is_object(each) for each in value):
        for each in value:
            yield f"{before}{key.removesuffix('s')}:"
            yield from _details(each, indent + 2)
    elif is_array(value):
        yield f"{before}{key}: {', '.join(str(each) for each in value)}"
    elif key in {"Planning Time", "Execution Time"}:
        yield f"{before}{key}: {value:.3f} ms"
    else:
        yield f"{before}{key}: {str(value).lower() if isinstance(value, bool) else value}"
