"""The demo server: started once, shared by every window, ended with the last of them.

    with start(print) as lease:
        connect(lease.server.host, lease.server.port, ...)

`start` looks for a running server below `pgexplorer.home.home()`, else starts one on the data kept there, else makes
the data. Each lease has a watchdog (watchdog.py), a process that ends the server if the program dies without a word.
"""

import sys
from collections.abc import Callable

from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.lease import DemoLease, DemoServer

__all__ = ["DemoLease", "DemoServer", "DemoUnavailable", "start"]


def start(tell: Callable[[str], None] = lambda _: None) -> DemoLease:
    """Return a share in the demo server, starting it first if need be; *tell* hears short sentences on the way.

    Blocks: 0.1 s as a rule, a second or two the first time, bounded in every stage. Raises DemoUnavailable with words
    for the user, OSError when the disk refuses.
    """
    if sys.platform == "win32":
        raise DemoUnavailable("The demo server runs on Linux and macOS. Here, connect to a PostgreSQL server of yours.")
    from pgexplorer.demo import runner  # it needs fcntl and pwd, which Windows lacks

    return runner.lease(tell)
