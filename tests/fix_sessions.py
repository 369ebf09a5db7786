"""Sessions of a server as a look would have seen them, for tests without a server."""

from dataclasses import replace

from pgexplorer.db.activity.sessions import Session

PLAIN = Session(
    pid=1,
    started=0.0,
    kind="client backend",
    database="shop",
    role="app",
    application="",
    client="local",
    state="idle",
    state_s=5.0,
    wait_type="Client",
    wait="ClientRead",
    transaction_s=None,
    statement_s=None,
    age_s=60.0,
    statement="select 1",
)


def session(pid, *blockers, **changed):
    """Return an idle client's session, waiting for *blockers*; each pid began at a time of its own."""
    return replace(PLAIN, pid=pid, started=float(pid), blockers=blockers, **changed)
