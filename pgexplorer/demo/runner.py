"""How the demo server comes to run: reused, or started on its data, or made. Linux and macOS only."""

import contextlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psycopg2

from pgexplorer.demo import binaries, cluster, place, watchdog
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.guard import Guard
from pgexplorer.demo.lease import DemoLease, DemoServer

START_SECONDS = 30.0  # a server that recovers after a crash says "starting" meanwhile
ANSWER_SECONDS = 3.0  # a server that runs and does not answer within this is half dead

Tell = Callable[[str], None]


def lease(tell: Tell) -> DemoLease:
    """Return a share in the demo server; see `server.start`."""
    where = place.find()
    guard: Guard | None = None
    try:
        with watchdog.gate(where.gate):
            guard = Guard(where)
            return DemoLease(_serve(where, guard, tell), guard.let_go)
    except BaseException as error:
        if guard is not None:
            guard.let_go()
        elif isinstance(error, TimeoutError):
            raise DemoUnavailable("Another pgexplorer has been starting the demo server for a minute.") from error
        raise


def _serve(where: place.Place, guard: Guard, tell: Tell) -> DemoServer:
    known = cluster.keys(where)
    pid = watchdog.server_pid(where.data)
    if pid is not None:
        if known is not None and (port := _answering(where, pid)):
            tell(f"Using the demo server that runs on port {port}.")
            return _described(where, known, port, pid, _kept(where).get("version", ""))
        tell("The demo server does not answer: ending it.")
        if not watchdog.stop(where.data):
            raise DemoUnavailable(f"The demo server (process {pid}) does not answer and cannot be ended.")
    found = binaries.find()
    if where.account and not binaries.reachable(found, where.account):
        found = binaries.copied(found, where.base)
    if known is not None and cluster.major(where) == str(found.major):
        try:
            return _run(where, guard, found, known, tell, fresh=False)
        except _DataUnusable as error:
            why = str(error)
    else:
        why = f"made by version {cluster.major(where)}" if known else "incomplete"
    watchdog.stop(where.data)
    aside = cluster.set_aside(where)
    if aside is not None:
        tell(f"The demo data cannot be used ({why}); it was set aside as {aside}.")
    tell(f"Making a PostgreSQL {found.version} database (only this once).")
    try:
        fresh = cluster.make(where, found)
        server = _run(where, guard, found, fresh, tell, fresh=True)
    except BaseException as error:
        watchdog.stop(where.data)
        cluster.put_back(where, aside)
        if isinstance(error, _DataUnusable):
            raise DemoUnavailable(f"PostgreSQL {found.version} did not start: {error}") from error
        raise
    cluster.finish(where, fresh)
    return server


def _run(
    where: place.Place, guard: Guard, found: binaries.Binaries, known: cluster.Keys, tell: Tell, *, fresh: bool
) -> DemoServer:
    tell(f"Starting PostgreSQL {found.version}.")
    port, pid = _launched(where, guard, found)
    place.keep(where.desk / "running.json", json.dumps({"port": str(port), "version": found.version}))
    if fresh:
        tell("Adding the table person.")
    try:
        cluster.furnish(where, port, known, fresh=fresh)
    except psycopg2.Error as error:
        raise _DataUnusable(str(error).strip()) from error
    tell(f"The demo server is ready on port {port}.")
    return _described(where, known, port, pid, found.version)


def _launched(where: place.Place, guard: Guard, found: binaries.Binaries) -> tuple[int, int]:
    """Start the server and wait until it is ready; return its port and process id."""
    deadline = time.monotonic() + START_SECONDS
    wanted = _kept(where).get("port", "")
    port = _free_port(int(wanted) if wanted.isdigit() else 0)
    while True:
        pid = guard.launch(where, cluster.options(where, found, port))
        while time.monotonic() < deadline:
            lines = watchdog.pid_file(where.data)
            if len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready":
                return port, pid
            if guard.server_ended():
                break
            time.sleep(0.005)
        else:
            watchdog.stop(where.data)
            raise DemoUnavailable(f"PostgreSQL did not become ready in {START_SECONDS:.0f} s. Its log: {where.log}")
        said = _last_words(where)
        if "Address already in use" in said:
            port = _free_port(0)
        elif "shared memory block" in said and "still in use" in said:
            watchdog.end_orphans(where.data)
            time.sleep(0.05)
        else:
            raise _DataUnusable(said.strip()[-400:] or "it ended without a word")


def _described(where: place.Place, known: cluster.Keys, port: int, pid: int, version: str) -> DemoServer:
    return DemoServer(
        host="127.0.0.1",
        port=port,
        socket_dir=str(where.sockets),
        dbname=cluster.DATABASE,
        user=cluster.ROLE,
        password=known.password,
        version=version or cluster.major(where),
        data_dir=str(where.data),
        pid=pid,
        superuser=cluster.SUPERUSER,
        superuser_password=known.superuser_password,
    )


def _answering(where: place.Place, pid: int) -> int:
    """Return the port of the running server *pid* once it is ready and answers, 0 when it does not."""
    answer_by = time.monotonic() + ANSWER_SECONDS
    ready_by = time.monotonic() + START_SECONDS
    while time.monotonic() < ready_by and watchdog.server_pid(where.data) == pid:
        lines = watchdog.pid_file(where.data)
        if len(lines) > 7 and lines[3].isdigit():
            starting = lines[7].strip() == "starting"
            # SSLRequest is answered by every PostgreSQL that lives, full or not, and leaves nothing in its log.
            if not starting and lines[4] == str(where.sockets) and _answers(where.sockets, int(lines[3])):
                return int(lines[3])
            if not starting and time.monotonic() > answer_by:
                return 0
        elif time.monotonic() > answer_by:
            return 0
        time.sleep(0.05)
    return 0


def _answers(sockets: Path, port: int) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(1.0)
        line.connect(str(sockets / f".s.PGSQL.{port}"))
        line.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")
        return line.recv(1) in {b"N", b"S", b"E"}
    return False


def _kept(where: place.Place) -> dict[str, str]:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = json.loads((where.desk / "running.json").read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in found.items()}
    return {}


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with contextlib.suppress(OSError, OverflowError), socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            line.bind(("127.0.0.1", port))
            return int(line.getsockname()[1])
    raise DemoUnavailable("There is no free port on 127.0.0.1.")


def _last_words(where: place.Place) -> str:
    try:
        lines = where.log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if any(word in line for word in ("FATAL", "PANIC", "ERROR", "could not")))


class _DataUnusable(Exception):
    """The server does not run on the data it has."""
