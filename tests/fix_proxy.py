"""The lab's fault proxy before the server of this worker, under the names that the tests use."""

import pytest

from pgexplorer.lab import proxy as lab


class Proxy(lab.Proxy):
    """Forwards to *host* and *port* until it is told otherwise. See pgexplorer/lab/proxy.py."""

    def __init__(self, host, port):
        super().__init__((host, port))

    def reset_all(self):
        """End every connection by RST, as a firewall does. Return how many there were."""
        return self.cut("reset")

    def close_all(self):
        """End every connection by FIN. Return how many there were."""
        return self.cut("close")


@pytest.fixture
def proxy(profile):
    """A proxy before the server of this worker."""
    with Proxy(profile.host, int(profile.port)) as between:
        yield between
