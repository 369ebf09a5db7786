"""A short soak: each fault once."""

import os
import sys

import pytest

if sys.platform == "win32":
    pytest.skip("the demo server runs on Linux and macOS", allow_module_level=True)

from soak import Soak, soak

from pgexplorer.demo.errors import DemoUnavailable


def test_that_every_fault_is_survived_and_nothing_is_leaked_lost_stuck_or_unhandled():
    if os.environ.get("PGEXPLORER_TEST_DSN"):
        pytest.skip("the soak restarts its server: it takes none but its own")
    try:
        report = soak(checkouts=1500, faults=len(Soak.KINDS), seed=7)
    except DemoUnavailable as missing:
        pytest.skip(str(missing))
    line = report.line()
    assert report.faults.total() == len(report.faults) == len(Soak.KINDS), line
    assert report.checkouts >= 1500, line
    assert report.leaked_backends == report.lost_slots == report.stuck_threads == report.timeouts == 0, line
    assert report.unhandled == [], line
    assert report.failed_after_idle == 0, line
    assert max(report.recoveries) < 5, line  # the goal is 2 s on a quiet machine
