"""Stopping and starting the demo server under its pool. Of no other server."""

import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Literal

from pgexplorer.db.profile import Profile
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.lease import DemoLease
from pgexplorer.lab.guard import NotTheDemo, permit

if TYPE_CHECKING:  # it needs fcntl and pwd, which Windows lacks
    from pgexplorer.demo.place import Place

How = Literal["fast", "immediate"]
_STOP_SECONDS = 10.0


class Outage:
    """The demo server's switch. What is started here has a share of its own in the server until close()."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lease: DemoLease | None = None

    def stop(self, profile: Profile, how: How) -> float:
        """Stop the server and return the seconds that it took; 0 where it did not run.

        "fast" ends every session with a message and shuts down in order, "immediate" ends everything at once: the next
        start recovers from the log. Raises NotTheDemo, OnProduction, TimeoutError.
        """
        from pgexplorer.demo import watchdog

        where = _place(profile)
        pid = watchdog.server_pid(where.data)
        if pid is None:
            return 0.0
        began = time.monotonic()
        os.kill(pid, signal.SIGINT if how == "fast" else signal.SIGQUIT)
        while watchdog.server_pid(where.data) == pid:
            if time.monotonic() - began > _STOP_SECONDS:
                raise TimeoutError(f"The server (process {pid}) has not stopped within {_STOP_SECONDS:.0f} s.")
            time.sleep(0.005)
        return time.monotonic() - began

    def start(self, profile: Profile) -> float:
        """Start the server, unless it runs, and return the seconds until it was ready.

        Raises NotTheDemo, OnProduction, DemoUnavailable.
        """
        from pgexplorer.demo.server import start

        _place(profile)
        began = time.monotonic()
        fresh = start()
        with self._lock:
            before, self._lease = self._lease, fresh
        if before is not None:
            before.release()
        if str(fresh.server.port) != profile.port:
            raise DemoUnavailable(
                f"The server is back on port {fresh.server.port}, for another program has taken {profile.port}. "
                "Connect to it again."
            )
        return time.monotonic() - began

    def close(self) -> None:
        """Give the share back. The server ends with the last share, as ever."""
        with self._lock:
            lease, self._lease = self._lease, None
        if lease is not None:
            lease.release()


def _place(profile: Profile) -> "Place":
    """Return where the demo server of *profile* keeps its files. Raises NotTheDemo where it is another server."""
    permit(profile)
    if sys.platform != "win32" and profile.host == "127.0.0.1" and profile.password:
        from pgexplorer.demo import cluster, place, watchdog

        where = place.find()
        known = cluster.keys(where)
        lines = watchdog.pid_file(where.data)
        port = lines[3] if len(lines) > 3 else profile.port  # unknown while it is stopped
        if known is not None and (profile.user, profile.password, profile.port) == (cluster.ROLE, known.password, port):
            return where
    raise NotTheDemo(f"{profile.title} is not the demo server of this program: only that one is stopped and started.")
