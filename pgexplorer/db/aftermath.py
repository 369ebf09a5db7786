"""What became of a statement whose link broke before its answer came: undone, unknown, or nothing to ask about."""

from dataclasses import replace

from psycopg2 import extensions as ext

from pgexplorer.db.errors import ServerError
from pgexplorer.db.risk import risks

_UNDONE = "The open transaction was rolled back with the connection."
_COMMITTED = "It may have been committed before the link broke, or not."
_CARRIED_OUT = "It may have been carried out before the link broke, or not."
_LOOK = "Look at the data before you run it again. The text is kept."
_ENDS = {"TRANS_STMT_COMMIT", "TRANS_STMT_PREPARE", "TRANS_STMT_COMMIT_PREPARED", "TRANS_STMT_ROLLBACK_PREPARED"}


def after_loss(error: ServerError, sql: str, status: int) -> ServerError:
    """Return *error*, of the statement *sql* whose link broke, with what became of the statement.

    *status* is psycopg2's transaction status before it was sent. Takes as long as parsing *sql*.
    """
    in_transaction = status in {ext.TRANSACTION_STATUS_INTRANS, ext.TRANSACTION_STATUS_INERROR}
    if _ends_a_transaction(sql):
        if status == ext.TRANSACTION_STATUS_INERROR:
            return _with(error, _UNDONE)  # a COMMIT of what has failed rolls it back
        return _unknown(error, _COMMITTED)
    if in_transaction:
        return _with(error, _UNDONE)
    return _unknown(error, _CARRIED_OUT) if risks(sql) else error


def _ends_a_transaction(sql: str) -> bool:
    import postgast
    from google.protobuf.message import DecodeError

    try:
        [raw] = postgast.parse(sql).stmts
    except (postgast.PgQueryError, UnicodeError, DecodeError, ValueError):
        return False
    if raw.stmt.WhichOneof("node") != "transaction_stmt":
        return False
    return postgast.pg_query_pb2.TransactionStmtKind.Name(raw.stmt.transaction_stmt.kind) in _ENDS


def _with(error: ServerError, words: str) -> ServerError:
    return replace(error, detail="\n".join(part for part in (error.detail, words) if part))


def _unknown(error: ServerError, words: str) -> ServerError:
    return replace(_with(error, words), title=f"Outcome unknown: {error.title}", hint=_LOOK)
