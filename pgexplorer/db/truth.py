"""Three views of each connection, the pool's belief, the socket and the server's word, and why they disagree."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.db.errors import describe
from pgexplorer.pool.events import Event, EventKind
from pgexplorer.pool.protocol import Pool
from pgexplorer.pool.slot import Slot, SlotState

POOL_NAME = "pgexplorer/pool"  # application_name of every connection of a pool
SETTLED = 0.5  # seconds for which both sides must have said the same before they are held to disagree
_PATIENT_WITH_CLOCKS = 2.0  # seconds by which two ages of one thing may differ
_WAITING = "PgPool"

# What psycopg2 does, by the numbers of docs/guide/pools.md.
TRUTHS: dict[int, str] = {
    3: "one that comes home is kept if fewer than minconn are idle, else closed",
    7: "one that comes home in a transaction is rolled back without a word",
    8: "one that comes home while it runs a statement makes every other caller wait for that statement",
    9: "one killed in a transaction makes putconn() raise and keep the slot; a second putconn() frees it",
    11: "one that comes home closed is thrown away",
    12: "one killed while idle is handed out as if it lived; the first statement fails",
    13: "after a restart k idle ones cost k failed statements",
    14: "one closed by a former holder while idle is handed out closed",
    15: "a former holder can go on using it, inside the next holder's transaction",
    16: "what a holder sets in the session, the next one has",
    17: "closeall() closes those in use too, and every later call raises",
    18: "when a pool is dropped, what is in use lives on",
    19: "a connection that is dropped, not returned, keeps its slot for ever",
    26: "a Simple pool that threads share loses its limit and its slots",
    31: "a killed backend is an OperationalError without SQLSTATE at the next use",
}


@dataclass(frozen=True, slots=True)
class Backend:
    """A server process as pg_stat_activity has it. Ages in seconds by the server's clock."""

    pid: int
    is_ours: bool  # of the same role and database; False: the number belongs to somebody else by now
    state: str  # "" where the server does not tell
    state_s: float  # how long it has been in that state
    transaction_s: float | None  # how long its transaction has been open, None without one
    wait_type: str
    wait: str
    age_s: float  # since backend_start
    application_name: str
    query: str  # the running or the last one, its beginning

    @property
    def is_in_transaction(self) -> bool:
        """Whether it sits idle in a transaction, failed or not."""
        return self.state.startswith("idle in transaction")

    @property
    def is_active(self) -> bool:
        """Whether it runs a statement."""
        return self.state in {"active", "fastpath function call"}


@dataclass(frozen=True, slots=True)
class Activity:
    """What the server said in one look."""

    backends: tuple[Backend, ...]
    is_direct: bool = True  # False: a pooler stands between, whose process numbers are not the server's
    up_s: float = float("inf")  # how long the server has been up


# One row at least, so that the first three columns always arrive. Of other roles pg_stat_activity tells no state.
_ACTIVITY = """
SELECT pg_backend_pid(),
       extract(epoch FROM clock_timestamp() - pg_postmaster_start_time())::float8,
       a.pid,
       coalesce(a.usename = session_user AND a.datname = current_database(), false),
       coalesce(a.state, ''),
       coalesce(extract(epoch FROM clock_timestamp() - a.state_change), 0)::float8,
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       coalesce(a.wait_event_type, ''), coalesce(a.wait_event, ''),
       coalesce(extract(epoch FROM clock_timestamp() - a.backend_start), 0)::float8,
       coalesce(a.application_name, ''), coalesce(left(a.query, 300), '')
  FROM (SELECT 1) AS one
  LEFT JOIN pg_stat_activity a
    ON a.pid = ANY (%s) OR (a.application_name = %s AND a.usename = session_user)
 ORDER BY a.pid
"""


def read_activity(conn: connection, pids: Sequence[int]) -> Activity:
    """Ask the server for the backends *pids* and for every other one named pgexplorer/pool. One round trip."""
    conn.autocommit = True
    with conn.cursor() as cursor:
        cursor.execute(_ACTIVITY, (list(pids), POOL_NAME))
        rows = cursor.fetchall()
    mine, up_s = rows[0][:2]
    return Activity(tuple(Backend(*row[2:]) for row in rows if row[2]), mine == conn.info.backend_pid, up_s)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the pool's belief is not the truth, and psycopg2's rule behind it."""

    text: str
    truth: int = 0  # its number in TRUTHS, 0 where there is none

    @property
    def rule(self) -> str:
        """The truth in a line; "" where there is none."""
        return f"psycopg2, truth {self.truth}: {TRUTHS[self.truth]}" if self.truth else ""


@dataclass(frozen=True, slots=True)
class Row:
    """A connection as the pool, the socket and the server see it."""

    number: int  # the slot's; 0: the pool does not know the backend
    pid: int
    state: SlotState | None  # None: the pool does not know it
    holder: str = ""
    thread: str = ""
    leaked: bool = False
    believed_s: float = 0.0  # for how long the pool has believed so
    link: str = ""  # "open", "readable", "closed"; "" where the pool has no connection object to look at
    backend: Backend | None = None
    is_told: bool = True  # whether the server was asked and answered
    reason: Reason | None = None  # None: they agree, or nothing can be said yet

    @property
    def belief(self) -> str:
        """What the pool believes, in words."""
        if self.state is None:
            return "nothing: not one of its connections"
        if self.leaked:
            return "leaked, nobody has it"
        return str(self.state)

    @property
    def socket(self) -> str:
        """What the socket says, in words."""
        return {"open": "open, quiet", "readable": "something to read", "closed": "closed"}.get(self.link, "no socket")

    @property
    def server(self) -> str:
        """What the server says, in words; without times."""
        if not self.is_told:
            return "not asked" if self.pid else ""
        if self.backend is None:
            return "no such backend" if self.pid else ""
        if self.state is not None and not self.backend.is_ours:
            return "another's backend has this number"
        return self.backend.state or "not told"

    @property
    def wait(self) -> str:
        """What the backend waits for: "Lock: relation"; "" while it waits for its client, as idle ones do."""
        if self.backend is None or not self.backend.wait or self.backend.wait_type == "Client":
            return ""
        return f"{self.backend.wait_type}: {self.backend.wait}"


class Trouble(StrEnum):
    """Why the server could not be asked."""

    FULL = "The server has no connection left for a look"
    GONE = "The server is gone"
    BUSY = "The one side connection is in use"
    INDIRECT = "A pooler stands between"
    OTHER = "The server could not be asked"


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look found."""

    rows: tuple[Row, ...]
    at: float  # seconds on time.monotonic's clock
    took_s: float = 0.0
    trouble: Trouble | None = None
    words: str = ""  # the server's, when there is trouble
    hint: str = ""
    seen: frozenset[int] = field(default_factory=frozenset[int])  # backends that the pool does not know, to be kept

    @property
    def disagreements(self) -> int:
        """How many rows have a reason."""
        return sum(row.reason is not None for row in self.rows)


def look(pool: Pool, side: Callable[[], connection], before: Looked | None = None) -> Looked:
    """Ask the pool, its sockets and, over the side connection, the server; close that connection again.

    Blocks for a connect and a round trip: for a worker thread. What goes wrong at the server is in the answer. A
    backend that the pool does not know is told when the look *before* saw it too: it may be closing.
    """
    asked = time.monotonic()
    trouble, words, hint = None, "", ""
    activity: Activity | None = None
    try:
        conn = side()
        try:
            pids = [slot.pid for slot in pool.slots() if slot.pid]
            asked = time.monotonic()  # what the pool has believed since before this moment can be held against it
            activity = read_activity(conn, pids)
        finally:
            conn.close()
    except psycopg2.Error as error:
        described = describe(error)
        trouble = trouble_of(error)
        # Where the server itself refused, libpq's own words before the server's say nothing new.
        said = described.title.rpartition("FATAL:")[2].strip() or described.title
        words, hint = "\n".join(part for part in (said, described.detail) if part), described.hint
    now = time.monotonic()
    if activity is not None and not activity.is_direct:
        trouble, activity = Trouble.INDIRECT, None
        words = "The process numbers that this program is told are not the server's: nothing can be compared."
    links = pool.links()  # before the slots: what was closed then is not closed by what happened since
    slots = pool.slots()
    strangers = _strangers(slots, activity)
    rows = compare(
        slots,
        links,
        activity,
        pool.kind,
        now=asked,
        is_closed=pool.stats().is_closed,
        past=_past(pool, strangers) if strangers else {},
    )
    known = before.seen if before is not None else frozenset[int]()
    rows = [row for row in rows if row.number or row.pid in known]
    return Looked(tuple(rows), now, now - asked, trouble, words, hint, frozenset(strangers))


def trouble_of(error: BaseException) -> Trouble:
    """Say what kept the server from being asked. By its words: an error of connecting carries no SQLSTATE."""
    words = str(error)
    if "side connection is in use" in words:
        return Trouble.BUSY
    code = error.pgcode if isinstance(error, psycopg2.Error) else None
    if code == "53300" or "too many" in words or "slots are reserved" in words:
        return Trouble.FULL
    if code == "57P01" or any(part in words for part in _GONE):
        return Trouble.GONE
    return Trouble.OTHER


_GONE = (
    "refused",
    "No such file or directory",
    "closed the connection",
    "shutting down",
    "terminating connection",
    "timeout expired",
    "could not translate",
    "reset by peer",
    "unreachable",
)


def compare(
    slots: Iterable[Slot],
    links: Mapping[int, str],
    activity: Activity | None,
    kind: str,
    *,
    now: float | None = None,
    is_closed: bool = False,
    past: Mapping[int, Event] | None = None,
) -> list[Row]:
    """Return a row for each connection, those that disagree first, then the backends that the pool does not know.

    *activity* is None where the server was not asked. *now* is the moment at which it was asked, on time.monotonic's
    clock: what either side has said for less than SETTLED seconds by then is not held against the other. *past* has
    the pool's last event of backends that it does not know any more. A slot without a link is closed. Asks nobody.
    """
    now = time.monotonic() if now is None else now
    backends = {backend.pid: backend for backend in activity.backends} if activity is not None else {}
    up_s = activity.up_s if activity is not None else float("inf")
    rows: list[Row] = []
    known: set[int] = set()
    for slot in slots:
        known.add(slot.pid)
        backend = backends.get(slot.pid)
        age = now - slot.state_since if slot.state_since else 0.0
        # What was closed here has no socket to look at any more; what was opened since was not looked at yet.
        link = links.get(slot.pid, "closed" if slot.pid and age >= 0 else "")
        row = Row(
            slot.number, slot.pid, slot.state, slot.holder, slot.thread, slot.leaked, max(0.0, age), link, backend,
            activity is not None,
        )  # fmt: skip
        reason = _Judge(row, slot, kind, now, up_s).reason()
        rows.append(row if reason is None else replace(row, reason=reason))
    rows += [
        Row(0, backend.pid, None, backend=backend, reason=_stranger(backend, kind, past or {}, is_closed=is_closed))
        for backend in backends.values()
        if backend.pid not in known and backend.is_ours and backend.age_s >= SETTLED
    ]
    rows.sort(key=lambda row: (row.reason is None, not row.number, row.number or row.pid))
    return rows


class _Judge:
    """Finds the reason for which a row's three views differ."""

    def __init__(self, row: Row, slot: Slot, kind: str, now: float, up_s: float) -> None:
        self.row = row
        self.slot = slot
        self.waits = kind == _WAITING  # PgPool looks, resets and frees where psycopg2 does not
        self.age = now - slot.opened_at if slot.opened_at else 0.0
        self.is_settled = now - slot.state_since >= SETTLED
        self.was_restarted = up_s < now - slot.state_since
        backend = row.backend
        if backend is not None and (not backend.is_ours or backend.age_s + _PATIENT_WITH_CLOCKS < self.age):
            backend = None  # the server has given the number to another process
        self.backend = backend

    def reason(self) -> Reason | None:
        """Return why they differ; None where they agree or where it is too early to tell."""
        row = self.row
        if row.leaked:
            kept = " and its transaction stays open" if self.backend and self.backend.is_in_transaction else ""
            return Reason(
                f"Its holder dropped it without returning it. psycopg2's _used keeps it: it is in use for ever{kept}.",
                19,
            )
        if not row.pid or not self.is_settled or row.state is SlotState.OPENING:
            return None
        if row.link == "closed":
            return self._closed_here()
        if not row.is_told:
            return self._heard_an_end()
        if self.backend is None:
            return self._no_idle_backend() if row.state is SlotState.IDLE else self._no_backend_in_use()
        if row.state is SlotState.BROKEN:
            return Reason("The link broke at this end. The server ends the backend when it next reads or writes there.")
        if self.backend.state_s < SETTLED or self.backend.state in {"", "disabled"}:
            return None
        return self._idle() if row.state is SlotState.IDLE else self._in_use()

    def _closed_here(self) -> Reason | None:
        if self.row.state is SlotState.IDLE:
            if self.waits:
                return Reason("It is closed at this end. PgPool looks before it hands out, and replaces it.")
            return Reason(
                "It is closed at this end: a former holder closed it, or found it dead. psycopg2 hands it out all the "
                "same, and its next holder cannot even make a cursor.",
                14,
            )
        if self.row.state is SlotState.BROKEN and self.backend is None:
            return None  # all three know
        freed = "PgPool throws it away and frees the slot" if self.waits else "psycopg2 throws it away"
        text = f"It is closed at this end, and counts as in use until it comes home. Then {freed}."
        return Reason(text, 0 if self.waits else 11)

    def _heard_an_end(self) -> Reason | None:
        """Judge without the server's word: what is to be read on an idle connection is most likely its end."""
        if self.row.state is not SlotState.IDLE or self.row.link != "readable":
            return None
        if self.waits:
            return Reason("The server sent something unasked, most likely its end. PgPool reads that before it lends.")
        return Reason(
            "The server sent something unasked, most likely its end. psycopg2 does not look before it hands out.", 13
        )

    def _no_idle_backend(self) -> Reason:
        if self.waits:
            if self.row.link == "open":
                return Reason(
                    "The backend has ended, and its goodbye never came: the network lost it. PgPool asks SELECT 1 of a "
                    "connection that was idle for long, and replaces it then."
                )
            return Reason(
                "The backend has ended. PgPool looks at idle sockets: it closes this one within a second, or replaces "
                "it at the next check-out. No statement fails."
            )
        if self.was_restarted:
            return Reason(
                "The server was restarted since. psycopg2 does not look before it hands out: every idle connection of "
                "before costs its next holder a failed statement.",
                13,
            )
        return Reason(
            "The backend has ended and psycopg2 has not looked: it hands this one out as if it lived, and the first "
            "statement fails.",
            12,
        )

    def _no_backend_in_use(self) -> Reason | None:
        state = self.row.state
        if state is SlotState.BROKEN:
            return None  # the pool knows
        home = " PgPool frees the slot when it comes home." if self.waits else ""
        if state is SlotState.RUNNING:
            text = "The backend has ended under a running statement. Its holder is told, or waits on a silent link."
            return Reason(text + home, 0 if self.waits else 31)
        if state in {SlotState.IN_TRANSACTION, SlotState.FAILED_TRANSACTION, SlotState.RETURNING}:
            text = "The backend has ended in a transaction, and its holder does not know: what it did is undone."
            if self.waits:
                return Reason(text + home)
            return Reason(f"{text} Returned as it is, putconn() raises and keeps the slot.", 9)
        text = "The backend has ended, and its holder does not know: the next statement raises OperationalError."
        return Reason(text + home, 0 if self.waits else 31)

    def _idle(self) -> Reason | None:
        backend = self.backend
        assert backend is not None
        if backend.is_in_transaction:
            # A transaction older than the return was left open by it; a younger one was begun by somebody after it.
            was_left = backend.transaction_s is not None and backend.transaction_s > self.row.believed_s
            if was_left and self.waits:
                return Reason("It came home with its transaction open and was not cleaned: this PgPool has reset=None.")
            if was_left:
                return Reason(
                    "It came home with a transaction open. In autocommit mode psycopg2's rollback() sends nothing, so "
                    "a BEGIN typed by hand stays open: the next holder has it, and its locks.",
                    16,
                )
        if backend.is_in_transaction or backend.is_active:
            if self.waits:
                return Reason("Something uses it past PgPool's own cursors, which refuse an idle connection.")
            return Reason(
                "A former holder goes on using it. What it does lands in the transaction of whoever gets it next.", 15
            )
        if backend.application_name != POOL_NAME:
            name = f'A holder set application_name to "{backend.application_name}"'
            if self.waits:
                return Reason(f'{name}, which a rollback does not undo; PgPool\'s reset="discard" would.')
            return Reason(f"{name}. psycopg2 resets nothing: whatever a holder sets, the next one has.", 16)
        return None

    def _in_use(self) -> Reason | None:
        backend, state = self.backend, self.row.state
        assert backend is not None
        if state is SlotState.RETURNING:
            return self._returning(backend)
        if state is SlotState.RUNNING:
            if backend.is_active:
                return None
            there = "Its answer lies in the socket, unread" if self.row.link == "readable" else "Nothing arrived here"
            return Reason(f"The server has finished. {there}: the link is slow or silent, or the holder is busy.")
        if backend.is_active:
            if self.waits:
                return Reason("The server runs a statement that went past PgPool's own cursors.")
            return Reason(
                "It runs a statement that nobody told the pool of: psycopg2 knows who has a connection, not what is "
                "done with it. Returned now, putconn() would wait for the statement.",
                8,
            )
        in_transaction = state in {SlotState.IN_TRANSACTION, SlotState.FAILED_TRANSACTION}
        if backend.is_in_transaction and not in_transaction:
            if self.waits:
                return Reason("A transaction was opened past PgPool's own cursors. PgPool rolls it back on return.")
            return Reason(
                "Its holder opened a transaction that nobody told the pool of. Returned now, it is rolled back.", 7
            )
        if in_transaction and not backend.is_in_transaction:
            past = "past PgPool's own connection" if self.waits else "and nobody told the pool"
            return Reason(f"The transaction has ended, {past}.")
        return None

    def _returning(self, backend: Backend) -> Reason | None:
        if self.waits or not (backend.is_active or backend.is_in_transaction):
            return None
        if backend.is_active:
            return Reason("It comes home while it runs a statement: putconn() waits, and every other caller too.", 8)
        return Reason("Its rollback is under way on a slow link, and psycopg2 holds the pool's only lock meanwhile.", 8)


def _stranger(backend: Backend, kind: str, past: Mapping[int, Event], *, is_closed: bool) -> Reason:
    """Say where a backend comes from that bears the pool's name and is none of its connections."""
    last = past.get(backend.pid)
    waits = kind == _WAITING
    if last is None:
        return Reason(
            "This pool did not open it: another window of the program, or a pool that was left while it was out.",
            0 if waits else 18,
        )
    if last.kind is EventKind.DROPPED:
        who = f", {last.holder}," if last.holder else ""
        return Reason(f"Its holder{who} dropped it. PgPool has freed the slot; the server has not noticed yet.")
    if last.kind is EventKind.CLOSED:
        why = f" ({last.detail})" if last.detail else ""
        return Reason(f"The pool closed it{why}; the server has not noticed yet.", 0 if waits else 3)
    if is_closed:
        return Reason("The pool is closed, and the server still has it: it notices when it next reads or writes.", 17)
    return Reason("The pool opened it and has lost sight of it.", 0 if waits else 26)


def _strangers(slots: Iterable[Slot], activity: Activity | None) -> set[int]:
    known = {slot.pid for slot in slots}
    return {each.pid for each in activity.backends if each.pid not in known} if activity is not None else set()


def _past(pool: Pool, pids: set[int]) -> dict[int, Event]:
    """Return the last event of each of *pids* that the ring still has."""
    events, _ = pool.events.since(0)
    return {event.pid: event for event in events if event.pid in pids}
