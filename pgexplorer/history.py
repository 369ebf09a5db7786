"""Every statement that was run, with what came of it: in a file of SQLite, never with a password. No Qt."""

import contextlib
import logging
import os
import queue
import re
import sqlite3
import threading
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from pgexplorer.home import home

_VERSION = 1
_MOST = 50_000  # statements
_LONGEST = 100_000  # characters of one
_TRIM_EVERY = 500  # statements
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """A statement that was run."""

    sql: str
    at: float  # time.time()
    server: str  # its address without a password
    seconds: float = 0.0
    rows: int = -1  # shown or changed; -1 where there are none
    status: str = ""  # the server's command tag, or "failed", "cancelled"
    error: str = ""  # the server's words
    key: int = 0  # in the file

    @property
    def is_bad(self) -> bool:
        """Whether it did not end well."""
        return bool(self.error)


class History:
    """The statements of all windows and all runs of the program.

    Writing is done by a thread; `add` returns at once. `search` reads, and belongs on a worker thread. Raises nothing
    after its construction but sqlite3.Error from `search`.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Open the file in the state folder, or *path*. One that is damaged is set aside, and said in `trouble`."""
        self._path = path or home() / "history.sqlite3"
        self.trouble = ""
        self._make()
        self._waiting: queue.Queue[Entry | None] = queue.Queue()
        self._writer = threading.Thread(target=self._write_on, name="history", daemon=True)
        self._writer.start()

    def add(self, entry: Entry) -> None:
        """Have *entry* kept, without the passwords in it."""
        self._waiting.put(entry)

    def flush(self) -> None:
        """Wait until what was added so far is in the file."""
        self._waiting.join()

    def search(self, words: str = "", *, limit: int = 200, before: int | None = None) -> list[Entry]:
        """Return the newest entries in which every one of *words* stands, upper and lower case alike.

        *before* is the key of the last one that was returned, for the next page. Blocks for a read of a file.
        """
        conditions, values = ["1"], list[object]()
        for word in words.split():
            conditions.append("(sql LIKE ? ESCAPE '\\' OR server LIKE ? ESCAPE '\\' OR error LIKE ? ESCAPE '\\')")
            pattern = "%" + re.sub(r"([\\%_])", r"\\\1", word) + "%"
            values += [pattern] * 3
        if before is not None:
            conditions.append("id < ?")
            values.append(before)
        text = (
            "SELECT sql, at, server, seconds, rows, status, error, id FROM statement"
            f" WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"
        )
        with self._opened() as db:
            return [Entry(*row) for row in db.execute(text, (*values, limit))]

    def forget(self, key: int | None = None) -> None:
        """Forget one entry, or all. Blocks for a write of a file."""
        with self._opened() as db:
            db.execute("DELETE FROM statement WHERE id = ? OR ? IS NULL", (key, key))

    def close(self) -> None:
        """Write what is left, for two seconds at most."""
        self._waiting.put(None)
        self._writer.join(2.0)

    # -- inside

    @contextlib.contextmanager
    def _opened(self) -> Generator[sqlite3.Connection]:
        db = sqlite3.connect(self._path, timeout=5.0)
        try:
            with db:
                yield db
        finally:
            db.close()

    def _make(self) -> None:
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            aside = self._path.with_name(f"history.damaged-{time.strftime('%Y%m%d-%H%M%S')}.sqlite3")
            self.trouble = f"The history could not be read ({error}). It was set aside as {aside.name}."
            _log.warning("history set aside: %s", error)
            with contextlib.suppress(OSError):
                self._path.replace(aside)
            with contextlib.suppress(sqlite3.DatabaseError, OSError):
                self._prepare()
        except OSError as error:
            self.trouble = f"The history cannot be kept ({error})."
            _log.warning("no history: %s", error)

    def _prepare(self) -> None:
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
        with self._opened() as db:
            db.execute("PRAGMA journal_mode = WAL")
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise sqlite3.DatabaseError(f"version {version} is newer than this program")
            db.execute(
                "CREATE TABLE IF NOT EXISTS statement (id INTEGER PRIMARY KEY, sql TEXT NOT NULL, at REAL NOT NULL,"
                " server TEXT NOT NULL, seconds REAL NOT NULL, rows INTEGER NOT NULL, status TEXT NOT NULL,"
                " error TEXT NOT NULL)"
            )
            db.execute(f"PRAGMA user_version = {_VERSION}")

    def _write_on(self) -> None:
        count = 0
        while (entry := self._waiting.get()) is not None:
            try:
                with self._opened() as db:
                    db.execute(
                        "INSERT INTO statement (sql, at, server, seconds, rows, status, error)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (
                            _storable(without_secrets(entry.sql)),
                            entry.at,
                            _storable(entry.server),
                            entry.seconds,
                            entry.rows,
                            entry.status,
                            _storable(scrubbed(entry.error)),
                        ),
                    )
                    count += 1
                    if count % _TRIM_EVERY == 1:
                        db.execute("DELETE FROM statement WHERE id <= (SELECT max(id) FROM statement) - ?", (_MOST,))
            except sqlite3.Error as error:
                self.trouble = f"The history could not be written: {error}."
                _log.warning("a statement was not kept: %s", error)
            finally:
                self._waiting.task_done()
        self._waiting.task_done()


HIDDEN = "'***'"
_IN_TEXT = re.compile(r"(password\s*=\s*)(?:''(?:[^'\\]|\\.)*''|'(?:[^'\\]|\\.)*'|[^\s'\"]+)", re.IGNORECASE)
_IN_URL = re.compile(r"([a-z][a-z0-9+.-]*://[^\s:/@']*:)[^\s@']+@", re.IGNORECASE)
_CONSTANT = re.compile(
    r"(password(?:\s|=|--[^\n]*\n|/\*.*?\*/)+(?:to\s+)?)(?:[eu]&?)?('(?:[^']|'')*'?|\$(\w*)\$.*?(?:\$\3\$|\Z))",
    re.IGNORECASE | re.DOTALL,
)
_COMMENTS = {275, 276}  # SQL_COMMENT, C_COMMENT in libpg_query's scanner


def without_secrets(sql: str) -> str:
    """Return SQL with every password in it replaced by '***': of roles, of user mappings, of connections in text."""
    if not re.search(r"password|://", sql, re.IGNORECASE):
        return sql
    tokens = _tokens(sql)
    if tokens is None:  # the scanner gave up: whatever looks like one goes
        return scrubbed(_CONSTANT.sub(rf"\1{HIDDEN}", sql))
    pieces: list[str] = []
    done = 0
    is_next = False
    for start, end, word in tokens:
        is_constant = word[:1] in {"'", "$"} or word[:2].lower() in {"e'", "u&"}
        if is_constant:
            pieces += [sql[done:start], HIDDEN if is_next and not word[1:2].isdigit() else scrubbed(word)]
            done = end
            is_next = False
        elif word.lower().strip('"').endswith("password"):
            is_next = True
        else:
            is_next = is_next and word.lower() in {"=", "to"}
    return "".join([*pieces, sql[done:]])


def scrubbed(text: str) -> str:
    """Return a text of any kind without the passwords of connections in it."""
    return _IN_TEXT.sub(r"\1***", _IN_URL.sub(r"\1***@", text))


def _tokens(text: str) -> list[tuple[int, int, str]] | None:
    """Return where each token begins and ends, comments left out; None where PostgreSQL's scanner cannot read it."""
    import postgast

    try:
        data = text.encode()
        tokens = [token for token in postgast.scan(text).tokens if token.token not in _COMMENTS]
    except (postgast.PgQueryError, UnicodeEncodeError):
        return None
    if text.isascii():
        return [(token.start, token.end, text[token.start : token.end]) for token in tokens]
    found: list[tuple[int, int, str]] = []
    at = bytes_done = 0
    for token in tokens:
        at += len(data[bytes_done : token.start].decode())
        word = data[token.start : token.end].decode()
        found.append((at, at + len(word), word))
        at, bytes_done = at + len(word), token.end
    return found


def _storable(text: str) -> str:
    return text[:_LONGEST].encode("utf-8", "replace").decode()
