"""The process beside a program that ends the demo server when the program ends, however it ends.

It runs as a file of its own on the standard library alone. Its standard input is the life line: the program holds the
other end, and the kernel closes that when the program dies, even by SIGKILL. A share in the server is a shared flock on
one file, held by the program and its watchdog together; whoever can turn it into an exclusive one was the last.
"""

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

GATE_SECONDS = 60.0  # another program may be making its data folder
FAST_SECONDS = 2.5  # then PostgreSQL's immediate shutdown, then SIGKILL
IMMEDIATE_SECONDS = 1.0
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def server_pid(data: Path) -> int | None:
    """Return the process id of the server that runs on the folder *data*, or None. Milliseconds; on macOS runs ps."""
    lines = pid_file(data)
    pid = int(lines[0]) if lines and lines[0].isdigit() else 0
    arguments = _arguments(pid) if pid > 1 else []  # the number may have gone to another process since
    return pid if arguments and arguments[0].endswith("postgres") and str(data) in arguments else None


def pid_file(data: Path) -> list[str]:
    """Return the lines of postmaster.pid in *data*: id, folder, start, port, socket folder, address, memory, state."""
    try:
        handle = os.open(data / "postmaster.pid", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        return os.read(handle, 4096).decode(errors="replace").splitlines()
    except OSError:
        return []
    finally:
        os.close(handle)


def stop(data: Path) -> bool:
    """End the server on *data*: fast, then immediate, then killed. Blocks 4.5 seconds at most; True when it is gone."""
    ladder = ((signal.SIGINT, FAST_SECONDS), (signal.SIGQUIT, IMMEDIATE_SECONDS), (signal.SIGKILL, 1.0))
    for number, seconds in ladder:
        pid = server_pid(data)
        if pid is None:
            return True
        family = _children(pid) if number is signal.SIGKILL else []
        for each in (pid, *family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, number)
                if number is signal.SIGQUIT:
                    os.kill(each, signal.SIGCONT)  # a process that was halted hears nothing else
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if server_pid(data) is None:
                return True
            time.sleep(0.01)
    return server_pid(data) is None


def end_orphans(data: Path) -> None:
    """Kill what a killed server on *data* left behind and that holds its memory. Needs /proc."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(folder / "cwd") == str(data) and os.path.basename(os.readlink(folder / "exe")) == "postgres":
                os.kill(int(folder.name), signal.SIGKILL)


@contextlib.contextmanager
def gate(path: Path, seconds: float = GATE_SECONDS) -> Generator[None]:
    """Hold the lock file *path* alone. Blocks; raises TimeoutError when it is not free within *seconds*."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not _lock(handle, fcntl.LOCK_EX):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{path} stayed locked for {seconds:.0f} s")
            time.sleep(0.02)
        yield
    finally:
        os.close(handle)


def take_share(path: Path) -> int:
    """Return a file handle that holds one share in the server. Call it inside the gate only, so it never waits."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_SH)
    return handle


def give_back(share: int, gate_path: Path, data: Path) -> None:
    """Give back the *share* and end the server if it was the last one. Blocks while another program is at the gate."""
    try:
        with gate(gate_path):
            # Unlocking counts for every copy of this handle, so a copy that leaked into a fork keeps nothing alive.
            fcntl.flock(share, fcntl.LOCK_UN)
            if _lock(share, fcntl.LOCK_EX):
                stop(data)
                fcntl.flock(share, fcntl.LOCK_UN)
    except TimeoutError:  # whoever stands at the gate that long has a share of its own
        fcntl.flock(share, fcntl.LOCK_UN)


def main() -> int:
    """Watch standard input until it ends, start servers as told there, then give back the share."""
    share, parent, gate_path, data = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4])
    os.umask(0o077)
    asleep, awake = os.pipe()
    os.set_blocking(awake, False)
    signal.set_wakeup_fd(awake, warn_on_full_buffer=False)
    ended: list[int] = []
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    signal.signal(signal.SIGCHLD, lambda _, __: None)
    server: subprocess.Popen[bytes] | None = None
    orders = b""
    # A forked copy of the program may hold the life line open: its parent is then no longer ours.
    while not ended and os.getppid() == parent:
        ready, _, _ = select.select([0, asleep], [], [], 1.0)
        if asleep in ready:
            os.read(asleep, 4096)
        if server is not None and server.poll() is not None:
            _say(f"ended {server.returncode}")
            server = None
        if 0 in ready:
            piece = os.read(0, 65536)
            if not piece:
                break
            *lines, orders = (orders + piece).split(b"\n")
            for line in lines:
                server = _launch(json.loads(line))
    give_back(share, gate_path, data)
    if server is not None:
        server.poll()
    return 0


def _launch(order: dict[str, Any]) -> subprocess.Popen[bytes] | None:
    try:
        log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        try:
            server = subprocess.Popen(
                order["arguments"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=order["folder"],
                env=ENVIRONMENT,
                user=order["uid"],
                group=order["gid"],
                extra_groups=None if order["uid"] is None else [],
                start_new_session=True,
                umask=0o077,
            )
        finally:
            os.close(log)
    except (OSError, subprocess.SubprocessError) as error:
        _say(f"failed {error}")
        return None
    _say(f"started {server.pid}")
    return server


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, line.replace("\n", " ").encode() + b"\n")


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _arguments(pid: int) -> list[str]:
    """Return the command line of the process *pid*; empty when it is gone or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return os.fsdecode(Path(f"/proc/{pid}/cmdline").read_bytes()).split("\0")
        except OSError:
            return []
    answer = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    line = os.fsdecode(answer.stdout)
    start, _, rest = line.partition(" -D ")
    return [start, rest.partition(" -c ")[0].strip()]


def _children(pid: int) -> list[int]:
    answer = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    pairs = [line.split() for line in answer.splitlines()]
    return [int(pair[0]) for pair in pairs if pair[1:] == [str(pid)]]


if __name__ == "__main__":
    sys.exit(main())
