"""The code of the tour: what each step added to the script of its pool, and all of it as one program that runs."""

from pgexplorer.pool.script import Script
from pgexplorer.tour.bench import Bench

_CLOSE = "pool.closeall()"


class Listing:
    """Reads a bench's script as it grows.

    Call `added` before a step, which passes over what the person did meanwhile, and after it (or after each news) for
    the step's own code. What was passed over is part of the program all the same: later lines use its names.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._script: Script | None = None
        self._read = 0  # lines of that script
        self._program: list[str] = []

    def added(self) -> str:
        """Return the code that was added since the last call, "" where there is none."""
        hand = self._bench.hand
        if hand is None:
            return ""
        before, script = self._script, hand.script
        if before is script:
            fresh = list(script.lines[self._read :])
        elif before is None or script.parameters != before.parameters:
            fresh = script.text().splitlines()
        else:
            lines = before.lines
            fresh = [*lines[self._read :], *_replacing(lines), *script.imports()]
            fresh += script.lines
        self._script, self._read = script, len(script.lines)
        self._program += fresh
        return "\n".join(fresh)

    def program(self) -> str:
        """Return all that `added` has returned as one program. It takes PGPASSWORD or asks for the password."""
        return "\n".join(self._program) + "\n"


def _replacing(lines: tuple[str, ...]) -> list[str]:
    """Return what must be written before another pool takes the place of the one that *lines* left."""
    for line in reversed(lines):
        if line == _CLOSE:
            return []
        if line.startswith("pool = "):
            break
    return [_CLOSE]
