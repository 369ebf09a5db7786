"""What the backends of long-running statements wait for, by the server's own word."""

import contextlib
from collections.abc import Callable, Sequence

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.db.truth import read_activity


def waits(side: Callable[[], connection], pids: Sequence[int]) -> dict[int, str]:
    """Return "Lock: transactionid" and the like by backend, of those *pids* that wait for anything but their client.

    Blocks for a connect and a round trip over the side connection. {} where the server cannot be asked.
    """
    try:
        with contextlib.closing(side()) as conn:
            activity = read_activity(conn, pids)
    except psycopg2.Error:
        return {}
    return {
        each.pid: f"{each.wait_type}: {each.wait}"
        for each in activity.backends
        if each.pid in pids and each.is_active and each.wait and each.wait_type != "Client"
    }
