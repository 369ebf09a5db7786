"""The fixtures of the demo server's tests."""

from fix_demo import demo_home, other_home, program

__all__ = ["demo_home", "other_home", "program"]
