"""What a user can meet: the server's words, where in the text they point, and what to do next."""

from dataclasses import dataclass, replace

import psycopg2
from psycopg2.pool import PoolError

_HINTS = {
    "57014": "The statement was cancelled; everything it had done was undone.",
    "40P01": "Two transactions waited for each other and the server ended this one. Run it again.",
    "55P03": "Another session holds the lock. See who under Activity, or wait and run it again.",
    "25006": "This connection is read-only by its profile.",
    "42501": "The role that you are connected as lacks this right. A superuser or the owner can GRANT it.",
    "3D000": "Create the database, or choose one that exists.",
    "53300": "The server has no connection left for this role. Close some, or lower the pool's maximum.",
}

# Errors while connecting carry no SQLSTATE and come in the server's language: a match gives a hint, nothing more.
_CONNECT_HINTS: tuple[tuple[str, str], ...] = (
    ("password authentication failed", "Check the user and the password; both are told wrong by the same words."),
    ("no password supplied", "The server asks for a password: fill it in."),
    ("remaining connection slots are reserved", "The server is full for ordinary roles. Close connections elsewhere."),
    ("too many clients", "The server is full. Close connections elsewhere, or wait."),
    ("too many connections for", "This role or database has a connection limit of its own, and it is reached."),
    ("could not translate host name", "The host name is not known here: check its spelling and your network."),
    ("Connection refused", "Nothing listens there: check host and port, and whether the server runs."),
    ("No such file or directory", "There is no server behind that socket folder: check the host and the port."),
    ("timeout expired", "Nobody answered in time: check host, port and firewalls."),
    ("starting up", "The server is starting. Try again in a moment."),
    ("shutting down", "The server is shutting down. Try again when it is back."),
    ("does not support SSL", "The server has no TLS. Choose the TLS mode prefer or disable, or have TLS switched on."),
    ("certificate verify failed", "The server's certificate is not signed by an authority you trust: name its file."),
    ("root certificate file", "verify-ca and verify-full need the authority's certificate: name its file."),
    ("does not match host name", "The certificate is for another host name: connect by that name."),
    (
        'authentication method requirement "',
        "The server asks for the password in clear text or as md5. Allow it for this server if you trust the link.",
    ),
    ("no pg_hba.conf entry", "The server's pg_hba.conf does not let this user in from here with this TLS mode."),
)


@dataclass(frozen=True, slots=True)
class ServerError:
    """An error in words: plain text, no exception, no connection."""

    title: str  # what happened, one line
    detail: str = ""  # the server's DETAIL, CONTEXT and so on
    hint: str = ""  # what to do next
    sqlstate: str | None = None
    position: int | None = None  # 0-based offset in the text that the user wrote
    lost: bool = False  # the connection is gone

    @property
    def heading(self) -> str:
        """The title with its SQLSTATE, where there is one."""
        return f"{self.title}  ({self.sqlstate})" if self.sqlstate else self.title

    def moved(self, by: int) -> "ServerError":
        """Return the same error with its position moved."""
        return self if self.position is None else replace(self, position=max(0, self.position + by))


class RefusedSql(Exception):
    """SQL that is not sent, with the reason in words, and where in the text that the user wrote it lies."""

    def __init__(self, words: str, position: int | None = None) -> None:
        super().__init__(words)
        self.position = position  # 0-based, in characters


def describe(error: BaseException, *, lost: bool = False, sent_before: int = 0) -> ServerError:
    """Put *error* into words.

    *lost* says that the connection is closed now: no SQLSTATE and no text tells that reliably. *sent_before* is the
    number of characters that were sent before the user's own.
    """
    if isinstance(error, PoolError):
        return ServerError(f"{type(error).__name__}: {error}")
    if not isinstance(error, psycopg2.Error):
        return ServerError(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    diag = error.diag
    words = (diag.message_primary or str(error)).strip()
    title, _, rest = words.partition("\n")
    position = int(diag.statement_position) - 1 - sent_before if diag.statement_position else None
    rest = rest.strip().replace("\n\t", " ")  # libpq goes on like that
    parts = [rest, diag.message_detail or "", f"Context: {diag.context}" if diag.context else ""]
    hint = diag.message_hint or _HINTS.get(error.pgcode or "", "")
    if lost:
        parts.append("The connection to the server is gone.")
        hint = "The text is kept. The next run takes a fresh connection from the pool."
    elif error.pgcode is None:
        hint = hint or next((hint for pattern, hint in _CONNECT_HINTS if pattern in words), "")
        if "can't execute COPY" in words:
            title, hint = (
                "COPY from or to the program's own side needs a file.",
                "COPY … TO '/path' runs at the server.",
            )
    place = position if position is not None and position >= 0 else None
    return ServerError(title, "\n".join(part for part in parts if part), hint, error.pgcode, place, lost)


def missing_database(error: BaseException) -> bool:
    """Whether connecting failed because the database does not exist. A guess by the server's words: it says no code."""
    words = str(error)
    return isinstance(error, psycopg2.OperationalError) and 'database "' in words and "does not exist" in words
