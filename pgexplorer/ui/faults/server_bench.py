"""The server in use as the lab's bench: faults and scenarios put another pool in its place, past or through a proxy."""

import dataclasses
from typing import Any

from pgexplorer.db.cancel import end_all
from pgexplorer.db.client import Client
from pgexplorer.db.probe import Connection
from pgexplorer.db.profile import Profile
from pgexplorer.pool.by_hand import ByHand
from pgexplorer.pool.choice import open_pool
from pgexplorer.pool.protocol import Pool
from pgexplorer.server import InUse, Server


class ServerBench:
    """The pool in use as the lab's bench: another pool takes its place, past or through a proxy. For worker threads.

    Who called emits Server.swapped on the GUI thread.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.detour: dict[str, Any] = {}

    @property
    def profile(self) -> Profile:
        """See Bench."""
        return self._in_use().profile

    @property
    def pool(self) -> Pool:
        """See Bench."""
        return self._in_use().pool

    def open(self, kind: str, minconn: int, maxconn: int) -> None:
        """See Bench."""
        before = self._in_use()
        end_all(before.pool, lambda: before.side(1))
        profile = dataclasses.replace(before.profile, pool_class=kind, minconn=minconn, maxconn=maxconn)

        def make() -> Pool:
            parameters = profile.parameters() | self.detour
            return open_pool(kind, minconn, maxconn, timeout=profile.wait_s, **parameters)

        def reopen() -> Pool:
            fresh = make()
            in_use.client = Client(fresh)
            return fresh

        pool = make()
        hand = ByHand(pool, profile.script_parameters(), reopen=reopen, connect=before.side)
        in_use = dataclasses.replace(before, profile=profile, hand=hand, client=Client(pool))
        if self._server.in_use is not before:
            end_all(pool, lambda: before.side(1))
            raise ConnectionAbortedError("The server was left.")
        self._server.in_use = in_use

    def connect(self) -> Connection:
        """See Bench."""
        return self._in_use().side()

    def _in_use(self) -> InUse:
        if self._server.in_use is None:
            raise ConnectionAbortedError("The server was left.")
        return self._server.in_use
