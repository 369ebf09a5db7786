"""What a program gets from the demo: where the server is, and a share in it."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pgexplorer.db.profile import Profile


@dataclass(frozen=True)
class DemoServer:
    """Where the demo server is and how to get in. `user` owns `dbname` and is no superuser."""

    host: str
    port: int
    socket_dir: str
    dbname: str
    user: str
    password: str
    version: str
    data_dir: str
    pid: int
    superuser: str
    superuser_password: str

    def __repr__(self) -> str:
        """Say where it is, never a password."""
        return f"DemoServer({self.user}@{self.host}:{self.port}/{self.dbname}, {self.version}, pid {self.pid})"

    def profile(self) -> Profile:
        """Return what opens a pool on it as the application's role."""
        return Profile(
            name="Demo database",
            host=self.host,
            port=str(self.port),
            dbname=self.dbname,
            user=self.user,
            password=self.password,
        )


class DemoLease:
    """A share in the running demo server; the last one given back ends it."""

    def __init__(self, server: DemoServer, let_go: Callable[[], None]) -> None:
        self.server = server
        self._let_go = let_go

    def release(self) -> None:
        """Give the share back; as the last one, wait until the server has ended: 0.1 s as a rule, 5 s at most.

        Safe to call again, and from any thread.
        """
        self._let_go()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
