"""A kill in the middle of typing loses a second of it at most: a short form of kills.py."""

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("there is no SIGKILL on Windows", allow_module_level=True)

from kills import LOST, one_round


@pytest.mark.parametrize("seconds", [1.3, 1.9])
def test_that_a_kill_loses_a_second_of_typing_at_most(seconds):
    lost, tabs = one_round(seconds)
    assert tabs == 3
    assert lost <= LOST
