"""What a statement would do to the data, as far as its text tells: whether EXPLAIN ANALYZE asks first."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pgexplorer.db.tokens import COMMENT, KEYWORD, PUNCTUATION, lex

_WRITES = {
    "insert_stmt": "INSERT",
    "update_stmt": "UPDATE",
    "delete_stmt": "DELETE",
    "merge_stmt": "MERGE",
}
_TAKEN = "SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, EXECUTE, DECLARE and CREATE TABLE … AS"

_DDL = (
    "CREATE",
    "ALTER",
    "DROP",
    "COMMENT",
    "GRANT",
    "REVOKE",
    "IMPORT FOREIGN SCHEMA",
    "REASSIGN",
    "DO",
    "CALL",
)
_ENDS = ("COMMIT", "ROLLBACK", "DISCARD")
_MAKES = re.compile(r"\b(?:create|into)\b", re.IGNORECASE)


def may_define(status: str, statement: str = "") -> bool:
    """Whether a statement that ended well with the command tag *status* may have changed what the database holds.

    CREATE TABLE AS and SELECT INTO have the tag of a SELECT: their text tells. A transaction's end counts too, as what
    was defined in it is seen by others only then.
    """
    return status.startswith((*_DDL, *_ENDS)) or (status.startswith("SELECT") and _MAKES.search(statement) is not None)


class Effect(Enum):
    """What running a statement means."""

    READS = "reads"  # by its text; a function of it may write, which a read-only transaction refuses
    WRITES = "writes"
    UNKNOWN = "unknown"  # it cannot be told from the text
    NO_PLAN = "has no plan"


@dataclass(frozen=True, slots=True)
class Effects:
    """What the text of a statement tells of what it does."""

    effect: Effect
    words: str = ""  # why, for a person: "UPDATE in a WITH query"

    @property
    def asks(self) -> bool:
        """Whether a person is asked before it is run. What is unknown runs read-only, and is asked for if it writes."""
        return self.effect is Effect.WRITES


def writes(statement: str) -> Effects:
    """Say whether running *statement* changes anything, by PostgreSQL's parser. Never blocks; some milliseconds."""
    import postgast  # 15 MB of protobuf: loaded when the first plan is asked for
    from google.protobuf.message import DecodeError  # a tree that is too deep

    try:
        parsed = postgast.parse(statement)
    except (postgast.PgQueryError, UnicodeError, DecodeError):
        return Effects(Effect.UNKNOWN, "this program's parser does not take it, so what it does cannot be told")
    if len(parsed.stmts) != 1:
        return Effects(Effect.NO_PLAN, "EXPLAIN takes one statement.")
    return _of(parsed.stmts[0].stmt)


def inner_statement(text: str) -> int:
    """Return where the statement begins that an EXPLAIN explains; 0 where *text* is none."""
    tokens = [each for each in lex(text)[0] if each[0] != COMMENT]
    words = [text[start:end].lower() for _, start, end in tokens]
    if not words or words[0] != "explain":
        return 0
    at, depth = 1, 0
    if words[1:2] == ["("] and words[2:3] and words[2] not in {"select", "with", "values", "table", "("}:
        while at < len(words):
            if tokens[at][0] == PUNCTUATION:
                depth += {"(": 1, ")": -1}.get(words[at], 0)
            at += 1
            if not depth:
                break
    else:
        while at < len(words) and tokens[at][0] == KEYWORD and words[at] in {"analyze", "analyse", "verbose"}:
            at += 1
    return tokens[at][1] if at < len(tokens) else len(text)


def _of(node: Any) -> Effects:
    kind = node.WhichOneof("node")
    if kind in _WRITES:
        return Effects(Effect.WRITES, _WRITES[kind])
    match kind:
        case "select_stmt":
            return _of_select(node.select_stmt)
        case "create_table_as_stmt":
            return Effects(Effect.WRITES, "it creates a table")
        case "declare_cursor_stmt":
            return _of(node.declare_cursor_stmt.query)
        case "execute_stmt":
            return Effects(Effect.UNKNOWN, f"what “{node.execute_stmt.name}” was prepared for, its text does not tell")
        case "explain_stmt":
            return _of(node.explain_stmt.query)
        case _:
            return Effects(Effect.NO_PLAN, f"The statement has no plan. EXPLAIN takes {_TAKEN}.")


def _of_select(select: Any) -> Effects:
    """Look at a SELECT and at everything below it: WITH queries, the branches of a UNION, queries in expressions."""
    waiting = [select]
    while waiting:
        each = waiting.pop()
        match each.DESCRIPTOR.name:
            case "SelectStmt":
                if each.HasField("into_clause"):
                    return Effects(Effect.WRITES, "SELECT INTO creates a table")
                if each.locking_clause:
                    return Effects(Effect.WRITES, "it locks the rows that it reads")
            case "CommonTableExpr":
                if (kind := each.ctequery.WhichOneof("node")) in _WRITES:
                    return Effects(Effect.WRITES, f"{_WRITES[kind]} in the WITH query “{each.ctename}”")
            case _:
                pass
        for field, value in each.ListFields():
            if field.message_type is not None:
                waiting.extend([value] if hasattr(value, "DESCRIPTOR") else value)
    return Effects(Effect.READS)
