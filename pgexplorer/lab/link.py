"""A detour for a pool's connections: through a fault proxy on this machine instead of straight to the server."""

import contextlib
from collections.abc import Callable
from typing import Any

from psycopg2.extensions import connection

from pgexplorer.lab.proxy import Address, Proxy


class Link:
    """A proxy before the server that *connect* reaches, and the connection parameters that lead through it.

    Blocks for a connect. Raises psycopg2.Error when that fails, OSError when there is no port or no such name.
    """

    def __init__(self, connect: Callable[[], connection]) -> None:
        with contextlib.closing(connect()) as conn:
            # Asked of a connection, because a profile may name a service, several hosts, or nothing at all.
            host, port = conn.info.host, conn.info.port
        where = address(host, port)
        self.proxy = Proxy(where)
        self.parameters: dict[str, Any] = {"hostaddr": "127.0.0.1", "port": self.proxy.port}
        if isinstance(where, str):  # there is no TLS on a Unix socket, whatever the profile asks for elsewhere
            self.parameters |= {"host": "127.0.0.1", "sslmode": "disable", "gssencmode": "disable"}
        else:
            self.parameters["host"] = host  # the certificate is checked against this name

    def close(self) -> None:
        """End the proxy and every connection through it."""
        self.proxy.close()


def address(host: str, port: int) -> Address:
    """Return the address of a server at *host* and *port* as libpq reports them: a host, or the folder of a socket."""
    if host.startswith("/"):
        return f"{host}/.s.PGSQL.{port}"
    if host.startswith("@"):  # Linux' abstract sockets
        return f"\0{host[1:]}/.s.PGSQL.{port}"
    return host, port
