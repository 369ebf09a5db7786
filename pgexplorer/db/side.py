"""The one short-lived connection that the program may have beside its pool, counted while it is open."""

import threading
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from pgexplorer.db.probe import connect_side
from pgexplorer.db.profile import Profile

_PATIENCE = 3.0  # seconds to wait for the side connection that another has open


class SideDoor:
    """Opens side connections to a profile's server, one at a time; safe from any thread.

    The caller closes what it is given. `is_open` says whether one is open now: the window's badge shows it.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._only = threading.Semaphore(1)
        self.is_open = False

    def __call__(self, timeout_s: int = 3) -> connection:
        """Connect, named pgexplorer/side. Blocks for *timeout_s* at each host, and as long for another to end.

        Raises OperationalError when connecting fails, or when the one before is not closed in time.
        """
        if not self._only.acquire(timeout=_PATIENCE):
            raise psycopg2.OperationalError("the one side connection is in use")
        try:
            conn = connect_side(self._profile, timeout_s, connection_factory=self._counted())
        except BaseException:
            self._only.release()
            raise
        self.is_open = True
        return conn

    def _counted(self) -> Any:
        door = self

        class Side(connection):
            """A connection that gives its place back when it is closed."""

            _has_place = True

            def close(self) -> None:
                super().close()
                if self._has_place:
                    self._has_place = False
                    door._leave()

        return Side

    def _leave(self) -> None:
        self.is_open = False
        self._only.release()
