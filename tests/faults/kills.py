"""Kill the program while it types into three tabs, and see what the next brings back: `python kills.py [ROUNDS]`."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pgexplorer.journal import Journal

LOST = 1.0  # seconds of typing that may be lost at most
_TYPIST = Path(__file__).parents[1] / "fix_typist.py"


def one_round(seconds: float) -> tuple[float, int]:
    """Kill a typist after so many seconds of typing; return how many seconds of it were lost, and the tabs found.

    Raises AssertionError when a tab is not what was typed up to some moment.
    """
    home = Path(tempfile.mkdtemp(prefix="pgexplorer-kills-"))
    try:
        with subprocess.Popen(
            [sys.executable, str(_TYPIST), str(home)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
        ) as typist:
            assert typist.stdout is not None
            lines = [typist.stdout.readline()]
            assert lines[0], "the typist did not begin"
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                lines.append(typist.stdout.readline())
            killed = time.time()
            os.kill(typist.pid, signal.SIGKILL)
            lines += typist.stdout.read().split("\n")
        typed: dict[str, list[tuple[float, int]]] = {}
        for line in filter(None, lines):
            at, _, rest = line.strip().partition(" ")
            name, _, length = rest.rpartition(" ")
            typed.setdefault(name, []).append((float(at), int(length)))
        journal = Journal(home / "tabs")
        restored = journal.take_over()
        journal.close()
        assert not restored.trouble, restored.trouble
        lost = 0.0
        for name, moments in typed.items():
            [text] = [tab.text for tab in restored.tabs if tab.title == name] or [""]
            missed = [at for at, length in moments if length > len(text)]
            if missed:
                lost = max(lost, killed - missed[0])
        for tab in restored.tabs:
            assert tab.caret == len(tab.text.encode("utf-16-le")) // 2, "the caret is where it was"
        return lost, len(restored.tabs)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Print what was lost in each round."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    dice = random.Random(1)
    losses: list[float] = []
    for _ in range(rounds):
        lost, tabs = one_round(dice.uniform(1.2, 3.0))
        assert tabs == 3
        losses.append(lost)
    print(
        f"{rounds} kills: lost at most {max(losses):.2f} s of typing, {sorted(losses)[rounds // 2]:.2f} s in the middle"
    )


if __name__ == "__main__":
    main()
