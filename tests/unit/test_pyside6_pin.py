"""Guards against the PySide6 that loses references to True on every emit, and aborts the interpreter in the end."""

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal


class Bell(QObject):
    rung = Signal(bool)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="True is immortal there")
def test_that_emitting_a_signal_loses_no_reference_to_true():
    bell, before = Bell(), sys.getrefcount(True)
    for _ in range(1000):
        bell.rung.emit(True)
    assert sys.getrefcount(True) > before - 100


def test_that_the_pin_keeps_6_12_away_from_python_below_3_12():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert "\"PySide6-Essentials>=6.8,<6.12; python_version < '3.12'\"" in text
