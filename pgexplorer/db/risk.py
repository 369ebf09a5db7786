"""What a text would change at the server, as far as its words tell: a guard against slips, not against malice."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pgexplorer.db.statements import Statement, split

_SHOWN = 120  # characters of a statement


class Danger(Enum):
    """What a statement may do, the worst last; the value is how it is said."""

    WRITE = "changes rows"
    DEFINITION = "changes or runs more than rows"
    SAFETY = "switches a safeguard off"
    EVERY_ROW = "changes every row: it has no WHERE"


@dataclass(frozen=True, slots=True)
class Risk:
    """A statement that does not only read."""

    danger: Danger
    statement: str  # its beginning

    @property
    def words(self) -> str:
        """It in one line."""
        return f"{self.danger.value}: {self.statement}"


_HARMLESS = {
    "transaction_stmt",
    "variable_show_stmt",
    "listen_stmt",
    "unlisten_stmt",
    "fetch_stmt",
    "close_portal_stmt",
    "deallocate_stmt",
    "discard_stmt",
    "declare_cursor_stmt",
    "constraints_set_stmt",
}
_SAFEGUARD = re.compile(r"read_only|statement_timeout|lock_timeout|idle_in_transaction|session_replication_role|^role$")
_SET_CONFIG = re.compile(r"set_config\s*\(\s*'[^']*(?:read_only|timeout)", re.IGNORECASE)


def risks(text: str) -> list[Risk]:
    """Return the statements of *text* that do not only read, in their order.

    What PostgreSQL's parser does not take counts as one. A function that a SELECT calls may change anything: that
    cannot be told here. Takes as long as parsing.
    """
    found: list[Risk] = []
    for statement in split(text):
        danger = _danger(statement)
        if danger is not None:
            words = " ".join(statement.text.split())
            found.append(Risk(danger, words[:_SHOWN] + ("…" if len(words) > _SHOWN else "")))
    return found


def _danger(statement: Statement) -> Danger | None:
    import postgast
    from google.protobuf.message import DecodeError

    try:
        parsed = postgast.parse(statement.text)
    except (postgast.PgQueryError, UnicodeEncodeError, DecodeError):
        return Danger.DEFINITION
    worst: Danger | None = None
    for raw in parsed.stmts:
        danger = _of_node(raw.stmt)
        if danger is None and _SET_CONFIG.search(statement.text):
            danger = Danger.SAFETY
        if danger is not None and (worst is None or _rank(danger) > _rank(worst)):
            worst = danger
    return worst


def _rank(danger: Danger) -> int:
    return list(Danger).index(danger)


def _of_node(node: Any) -> Danger | None:
    kind = str(node.WhichOneof("node") or "")
    inner: Any = getattr(node, kind) if kind else None
    match kind:
        case _ if kind in _HARMLESS:
            return None
        case "select_stmt":
            return _of_select(inner)
        case "insert_stmt" | "merge_stmt":
            return Danger.WRITE
        case "update_stmt" | "delete_stmt":
            return Danger.WRITE if inner.HasField("where_clause") else Danger.EVERY_ROW
        case "truncate_stmt":
            return Danger.EVERY_ROW
        case "copy_stmt":
            return Danger.WRITE if inner.is_from else Danger.DEFINITION if inner.is_program or inner.filename else None
        case "explain_stmt":
            analyze = any(option.def_elem.defname.lower() == "analyze" for option in inner.options)
            return _of_node(inner.query) if analyze else None
        case "prepare_stmt":
            return _of_node(inner.query)
        case "variable_set_stmt":
            return Danger.SAFETY if _SAFEGUARD.search(inner.name.lower()) else None
        case _:
            return Danger.DEFINITION


def _of_select(select: Any) -> Danger | None:
    """Return what a SELECT does beside reading: into a table, or in a CTE that writes."""
    if select.HasField("into_clause"):
        return Danger.DEFINITION
    for cte in select.with_clause.ctes:
        danger = _of_node(cte.common_table_expr.ctequery)
        if danger is not None:
            return danger
    for side in ("larg", "rarg"):
        if select.HasField(side) and (danger := _of_select(getattr(select, side))) is not None:
            return danger
    return None
