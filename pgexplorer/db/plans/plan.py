"""What EXPLAIN says, as a tree: each node with its own share of the time, and what was expected beside what came."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

# Said by a field of its own, or by the tree.
_SAID = {"Plans", "Node Type", "Parent Relationship", "Subplan Name", "Relation Name", "Schema", "Alias", "Index Name"}
_TARGETS = ("CTE Name", "Function Name", "Table Function Name")
_BITMAPS = {"BitmapAnd", "BitmapOr"}  # the server says no rows for them


@dataclass(frozen=True, slots=True)
class Buffers:
    """Blocks, of the server's block size."""

    hit: int = 0  # shared and local, found in the server's memory
    read: int = 0  # shared and local, asked from the system
    dirtied: int = 0
    written: int = 0
    temp_read: int = 0
    temp_written: int = 0
    io_ms: float = 0.0  # where track_io_timing is on

    def less(self, other: "Buffers") -> "Buffers":
        """Return it without *other*; nothing goes below zero."""
        return Buffers(*(max(type(a)(0), a - b) for a, b in zip(self.figures(), other.figures(), strict=True)))

    def plus(self, other: "Buffers") -> "Buffers":
        """Return both together."""
        return Buffers(*(a + b for a, b in zip(self.figures(), other.figures(), strict=True)))

    def figures(self) -> tuple[Any, ...]:
        """Return the figures in order."""
        return (self.hit, self.read, self.dirtied, self.written, self.temp_read, self.temp_written, self.io_ms)

    def __bool__(self) -> bool:
        return any(self.figures())


@dataclass(frozen=True, slots=True)
class Actual:
    """What a node did when the statement ran."""

    loops: int  # how often it ran, over all processes; 0: never
    rows: float  # on average of a loop, as the estimate is
    total_ms: float | None  # with all that lies below it, on the clock; None where it was not timed
    self_ms: float | None  # without what lies below it
    processes: int = 1  # that shared the loops

    @property
    def unsure_ms(self) -> float:
        """How far the time may be off: the server rounds that of a loop to a thousandth of a millisecond."""
        return 0.0005 * self.loops / self.processes

    @property
    def all_rows(self) -> float:
        """The rows of all loops."""
        return self.rows * self.loops


@dataclass(frozen=True, slots=True)
class Node:
    """A step of a plan."""

    index: int  # its place in the plan, from the top down
    depth: int
    parent: int  # the place of the node above; -1 at the top
    children: tuple[int, ...]
    kind: str  # "Seq Scan"
    relation: str  # "orders"
    schema: str  # "" where it was not said
    alias: str  # "" where it is the relation's own name
    index_name: str
    role: str  # "Outer", "Inner", "InitPlan", "SubPlan", "Member" …
    subplan: str  # "CTE recent", "InitPlan 1"
    conditions: tuple[tuple[str, str], ...]
    startup_cost: float
    total_cost: float
    self_cost: float  # what of the whole plan's cost falls to it, an estimate of an estimate
    rows: float  # estimated, of a loop
    width: int  # bytes, estimated
    actual: Actual | None
    buffers: Buffers
    own_buffers: Buffers
    share: float  # of the whole: of the time where it was measured, else of the cost; 0 to 1
    ends_early: bool  # whether what lies above may have stopped it before its last row
    raw: Mapping[str, Any] = field(repr=False, hash=False, compare=False)  # everything, in the server's words

    @property
    def name(self) -> str:
        """What it does and on what: "Index Scan using orders_pkey on orders o"."""
        return self.named(str)

    def named(self, quote: Callable[[str], str]) -> str:
        """Return the name with each of the database's own names as *quote* writes it."""
        words = _kind_in_words(self.raw)
        if self.index_name:
            words += f" {'on' if self.kind == 'Bitmap Index Scan' else 'using'} {quote(self.index_name)}"
        target = self.relation or next((str(self.raw[key]) for key in _TARGETS if key in self.raw), "")
        if target and self.schema:
            words += f" on {quote(self.schema)}.{quote(target)}"
        elif target or self.alias:
            words += f" on {quote(target or self.alias)}"
        if target and self.alias and self.alias != target:
            words += f" {quote(self.alias)}"
        return words

    @property
    def is_never(self) -> bool:
        """Whether the statement ran and this did not."""
        return self.actual is not None and self.actual.loops == 0

    @property
    def factor(self) -> float | None:
        """How many times more rows came than were expected (below 1: fewer); None where that says nothing."""
        if self.actual is None or self.is_never or self.kind in _BITMAPS or self.kind == "ModifyTable":
            return None
        return max(self.actual.rows, 1.0) / max(self.rows, 1.0)

    @property
    def properties(self) -> list[tuple[str, str]]:
        """Everything else that the server said of it, as text."""
        return [(key, in_words(value)) for key, value in self.raw.items() if key not in _SAID]


@dataclass(frozen=True, slots=True)
class Trigger:
    """What a trigger cost."""

    name: str
    relation: str
    calls: int
    ms: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A statement's plan. A rule can make several of one statement: then *roots* has as many."""

    sql: str
    nodes: tuple[Node, ...]  # from the top down
    roots: tuple[int, ...]
    json: str  # as the server sent it
    text: str = ""  # in the server's text form
    is_text_ours: bool = False  # whether that was made here, of the JSON
    is_analyzed: bool = False
    planning_ms: float | None = None
    execution_ms: float | None = None
    total_ms: float | None = None  # what the shares are of
    triggers: tuple[Trigger, ...] = ()
    jit_ms: float | None = None
    planning_buffers: Buffers = Buffers()
    settings: tuple[tuple[str, str], ...] = ()
    summary: tuple[tuple[str, str], ...] = ()  # everything said of the whole
    block_size: int = 8192
    pid: int = 0

    @property
    def is_timed(self) -> bool:
        """Whether the shares are of time, and not of cost."""
        return self.total_ms is not None

    def below(self, node: Node) -> Iterator[Node]:
        """Yield all nodes below *node*."""
        waiting = list(node.children)
        while waiting:
            each = self.nodes[waiting.pop()]
            yield each
            waiting.extend(each.children)


def buffers_of(raw: Mapping[str, Any]) -> Buffers:
    """Return the buffers that *raw* names."""

    def blocks(what: str, *kinds: str) -> int:
        return sum(int(raw.get(f"{kind} {what} Blocks", 0)) for kind in kinds)

    io = sum(float(value) for key, value in raw.items() if "I/O" in key and key.endswith("Time"))
    both = ("Shared", "Local")
    return Buffers(
        blocks("Hit", *both),
        blocks("Read", *both),
        blocks("Dirtied", *both),
        blocks("Written", *both),
        blocks("Read", "Temp"),
        blocks("Written", "Temp"),
        io,
    )


def in_words(value: Any) -> str:
    """Return a value of the JSON as a person reads it."""
    if is_object(value):
        return ", ".join(f"{key}: {in_words(each)}" for key, each in value.items())
    if is_array(value):
        split = "; " if any(is_object(each) or is_array(each) for each in value) else ", "
        return split.join(in_words(each) for each in value)
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".")
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether *value* is an object of JSON."""
    return isinstance(value, dict)


def is_array(value: Any) -> TypeGuard[list[Any]]:
    """Whether *value* is an array of JSON."""
    return isinstance(value, list)


def _kind_in_words(raw: Mapping[str, Any]) -> str:
    """Return what a node does, as the server's text form says it."""
    kind = str(raw.get("Node Type", "?"))
    strategy = str(raw.get("Strategy", ""))
    match kind:
        case "Aggregate":
            kind = {"Sorted": "GroupAggregate", "Hashed": "HashAggregate", "Mixed": "MixedAggregate"}.get(
                strategy, kind
            )
            if (partial := str(raw.get("Partial Mode", "Simple"))) != "Simple":
                kind = f"{partial} {kind}"
        case "SetOp":
            kind = ("HashSetOp" if strategy == "Hashed" else "SetOp") + f" {raw.get('Command', '')}".rstrip()
        case "ModifyTable":
            kind = str(raw.get("Operation", kind))
        case "Foreign Scan" | "Custom Scan" if raw.get("Operation", "Select") != "Select":
            kind = f"Foreign {raw['Operation']}"
        case "Nested Loop" | "Hash Join" | "Merge Join":
            join = str(raw.get("Join Type", "Inner"))
            if join != "Inner":
                kind = f"{kind} {join} Join" if kind == "Nested Loop" else kind.replace("Join", f"{join} Join")
        case _:
            pass
    if kind == "Custom Scan" and (provider := raw.get("Custom Plan Provider")):
        kind = f"Custom Scan ({provider})"
    if raw.get("Scan Direction") == "Backward":
        kind += " Backward"
    return f"{'Parallel ' if raw.get('Parallel Aware') else ''}{'Async ' if raw.get('Async Capable') else ''}{kind}"
