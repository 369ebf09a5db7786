"""A soak: 16 threads on a PgPool of 8 connections, on a server and a network that keep failing.

    python tests/faults/soak.py --checkouts 50000 --faults 200 --seed 1

It starts a demo server of its own behind a fault proxy of its own, and prints one line at the end. Exit code 1 where
anything was leaked, lost, stuck or unhandled.
"""

import argparse
import collections
import contextlib
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import psycopg2
from psycopg2.pool import PoolError

from fix_proxy import Proxy
from pgexplorer.demo.server import start
from pgexplorer.pool.errors import PoolTimeout
from pgexplorer.pool.pg_pool import PgPool

THREADS, SIZE = 16, 8
NAME = "soak"
PATIENCE = 20.0  # seconds a check-out may wait
TRUST = 0.001  # seconds for which PgPool does not look again at a connection that it has seen alive


@dataclass
class Report:
    """What came of it."""

    checkouts: int = 0
    faults: collections.Counter = field(default_factory=collections.Counter)
    broken: int = 0  # statements and returns that failed, as they must when their link is cut under them
    dropped: int = 0  # connections that a worker dropped without returning them, on purpose
    timeouts: int = 0  # check-outs that waited in vain
    failed_after_idle: int = 0  # statements that failed although the fault met idle connections only
    recoveries: list = field(default_factory=list)
    leaked_backends: int = 0
    lost_slots: int = 0
    stuck_threads: int = 0
    unhandled: list = field(default_factory=list)
    seconds: float = 0.0

    @property
    def is_good(self):
        return not (self.leaked_backends or self.lost_slots or self.stuck_threads or self.unhandled or self.timeouts)

    def line(self):
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        median = statistics.median(self.recoveries) if self.recoveries else 0.0
        return (
            f"{self.checkouts:,} check-outs in {self.seconds:.0f} s by {THREADS} threads on {SIZE} connections, "
            f"{self.faults.total()} faults ({kinds}): all served again after {median:.2f} s (median), "
            f"{max(self.recoveries, default=0.0):.2f} s (worst); {self.timeouts} timeouts, "
            f"{self.failed_after_idle} statements failed after faults that met idle connections, "
            f"{self.leaked_backends} leaked backends, {self.lost_slots} lost slots, "
            f"{self.stuck_threads} stuck threads, {len(self.unhandled)} unhandled exceptions"
        )


class Soak:
    """One run."""

    def __init__(self, checkouts, faults, seed, tell=lambda _: None):
        self.wanted, self.count, self.tell = checkouts, faults, tell
        self.random = random.Random(seed)
        self.seed = seed
        self.report = Report()
        self.lease = start()
        self.server = self.lease.server
        self.proxy = Proxy(self.server.host, self.server.port)
        self.admin = None
        self.over = threading.Event()  # the work; what keeps the pace of the rest is never set
        self.pace = threading.Event()
        self.go = threading.Event()
        self.go.set()
        self.parked = [False] * THREADS
        self.is_idle_fault = False
        self.lock = threading.Lock()
        self.last = [0.0] * THREADS  # when each was served last
        self.pool = PgPool(
            2,
            SIZE,
            timeout=PATIENCE,
            ping_timeout=0.5,
            name=NAME,
            host="127.0.0.1",
            port=self.proxy.port,
            user=self.server.user,
            password=self.server.password,
            dbname=self.server.dbname,
            application_name=NAME,
            connect_timeout=3,
        )

    # -- the server, from beside ------------------------------------------------------------------------------------

    def ask(self, text, *values):
        if self.admin is None:
            server = self.server
            self.admin = psycopg2.connect(
                host=server.host,
                port=server.port,
                user=server.superuser,
                password=server.superuser_password,
                dbname=server.dbname,
                application_name="soak admin",
            )
            self.admin.autocommit = True
        with self.admin.cursor() as cursor:
            cursor.execute(text, values or None)
            return cursor.fetchall()

    def terminate(self, state):
        pids = self.wait(lambda: self.pids(state), 5)
        if not pids:
            return
        self.ask("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", pids)
        self.wait(lambda: not self.ask("SELECT 1 FROM pg_stat_activity WHERE pid = ANY (%s)", pids), 5)
        self.wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 2)
        self.wait(
            lambda: self.proxy.open <= self.backends() + self.pool.stats().opening, 2
        )  # it has passed the ends on

    def pids(self, state):
        found = "SELECT pid FROM pg_stat_activity WHERE application_name = %s AND state LIKE %s"
        return [pid for (pid,) in self.ask(found, NAME, state)]

    def backends(self):
        [[count]] = self.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", NAME)
        return count

    def restart(self, how):
        if self.admin is not None:
            self.admin.close()
            self.admin = None
        pid = self.server.pid
        os.kill(pid, how)
        self.wait(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), 20)
        self.lease.release()
        self.lease = start()
        self.server = self.lease.server
        self.proxy.target = self.server.host, self.server.port

    # -- faults -----------------------------------------------------------------------------------------------------

    def hold(self, longest=0.3):
        self.pace.wait(self.random.uniform(0.05, longest))

    def while_idle(self, fault):
        """Do *fault* while every connection is at home: it must cost nobody a statement.

        Who asks within the millisecond in which PgPool trusts what it has seen alive may meet it (decision 011):
        nobody asks then.
        """
        self.go.clear()
        if self.wait(lambda: all(self.parked) and self.pool.stats().size == self.pool.stats().idle, 10):
            fault()
            self.pace.wait(5 * TRUST)
            self.is_idle_fault = True
        self.go.set()

    def do(self, kind):
        proxy = self.proxy
        if kind == "terminate idle":
            self.while_idle(lambda: self.terminate("idle"))
        elif kind == "reset idle":
            self.while_idle(proxy.reset_all)
        elif kind == "terminate active":
            self.terminate("active")
        elif kind == "terminate in transaction":
            self.terminate("idle in transaction%")
        elif kind == "terminate all":
            self.terminate("%")
        elif kind == "reset":
            proxy.reset_all()
        elif kind == "close":
            proxy.close_all()
        elif kind == "cut in mid-message":
            proxy.cut_in_mid_message(self.random.randrange(1, 400))
            self.hold()
            proxy.reset_all()  # those that had nothing to say
        elif kind == "black hole":
            proxy.hole()
            self.hold(1.0)
        elif kind == "black hole for old links":
            proxy.hole(new=False)
            self.hold(1.0)
        elif kind == "refuse":
            proxy.refuse()
            proxy.reset_all()
            self.hold(0.6)
        elif kind == "delay":
            proxy.delay = self.random.uniform(0.005, 0.05)
            self.hold()
        elif kind == "restart fast":
            self.restart(signal.SIGINT)
        elif kind == "restart immediate":
            self.restart(signal.SIGQUIT)
        proxy.heal()

    KINDS = (
        "terminate idle",
        "reset idle",
        "terminate active",
        "terminate in transaction",
        "terminate all",
        "reset",
        "close",
        "cut in mid-message",
        "black hole",
        "black hole for old links",
        "refuse",
        "delay",
        "restart fast",
        "restart immediate",
    )

    # -- work -------------------------------------------------------------------------------------------------------

    def work(self, number):
        chance = random.Random(f"{self.seed} {number}")
        while not self.over.is_set():
            if not self.go.is_set():
                self.parked[number] = True
                self.go.wait(20)
                self.parked[number] = False
            try:
                self.one(number, chance)
            except PoolTimeout:
                with self.lock:
                    self.report.timeouts += 1
            except BaseException as error:
                self.report.unhandled.append(error)

    def one(self, number, chance):
        conn = self.pool.getconn(holder=f"worker {number}")
        with self.lock:
            self.report.checkouts += 1
        try:
            try:
                self.use(conn, chance)
                self.last[number] = time.monotonic()
            except PoolError:
                raise
            except psycopg2.Error:
                if not conn.closed:
                    raise  # only a broken link is an excuse
                with self.lock:
                    self.report.broken += 1
                    self.report.failed_after_idle += self.is_idle_fault
        finally:
            if chance.random() < 0.002:
                self.report.dropped += 1
            else:
                self.pool.putconn(conn, close=chance.random() < 0.002)
            del conn

    def use(self, conn, chance):
        what = chance.random()
        with conn.cursor() as cursor:
            if what < 0.5:
                cursor.execute("SELECT 1")
            elif what < 0.6:
                cursor.execute("SELECT repeat('x', 30000) FROM generate_series(1, 3)")
                assert sum(len(text) for (text,) in cursor.fetchall()) == 90000
            elif what < 0.7:
                cursor.execute("SELECT pg_sleep(0.005)")
            elif what < 0.8:
                conn.autocommit = True
                cursor.execute("BEGIN")
                cursor.execute("SELECT 1")
            else:
                cursor.execute("SELECT 1")
                self.pace.wait(0.002)  # idle in transaction
                cursor.execute("SELECT 2")
        if what > 0.9:
            conn.commit()
        if conn.autocommit and chance.random() < 0.5:
            with conn.cursor() as cursor:
                cursor.execute("ROLLBACK")
            conn.autocommit = False

    # -- the run ----------------------------------------------------------------------------------------------------

    def wait(self, fact, seconds):
        deadline = time.monotonic() + seconds
        while not (found := fact()):
            if time.monotonic() > deadline:
                break
            self.pace.wait(0.002)
        return found

    def recovered(self, since):
        return min(self.last) > since

    def run(self):
        report, began = self.report, time.monotonic()
        sys.unraisablehook = lambda unraisable: report.unhandled.append(unraisable.exc_value)
        threading.excepthook = lambda args: report.unhandled.append(args.exc_value)
        threads = [
            threading.Thread(target=self.work, args=(n,), name=f"worker {n}", daemon=True) for n in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        self.wait(lambda: self.recovered(0.0), 10)
        for turn in range(self.count):
            kind = self.KINDS[turn % len(self.KINDS)] if turn < len(self.KINDS) else self.random.choice(self.KINDS)
            self.do(kind)
            report.faults[kind] += 1
            ended = time.monotonic()
            self.wait(lambda: self.recovered(ended), PATIENCE)  # noqa: B023
            report.recoveries.append(time.monotonic() - ended)
            self.tell(f"{turn + 1} {kind}: {report.recoveries[-1]:.3f} s, {report.checkouts} check-outs")
            self.wait(lambda: report.checkouts >= self.wanted * (turn + 1) / self.count, 60)  # noqa: B023
            self.is_idle_fault = False
        self.over.set()
        deadline = time.monotonic() + PATIENCE + 10
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        report.stuck_threads = sum(thread.is_alive() for thread in threads)
        self.settle()
        report.seconds = time.monotonic() - began
        return report

    def settle(self):
        """Count what is left when everything is at rest."""
        pool, report = self.pool, self.report
        self.wait(lambda: (stats := pool.stats()).size == stats.idle and not stats.waiting, 10)
        held = []
        with contextlib.suppress(psycopg2.Error):
            while len(held) < SIZE:
                held += [pool.getconn(timeout=5)]
        report.lost_slots = SIZE - len(held)
        for conn in held:
            pool.putconn(conn)
        self.wait(lambda: self.backends() == pool.stats().size, 10)
        report.leaked_backends = self.backends() - pool.stats().size
        del conn, held
        pool.closeall()
        self.wait(lambda: not self.backends(), 10)
        report.leaked_backends += self.backends()

    def close(self):
        with contextlib.suppress(psycopg2.Error):
            if self.admin is not None:
                self.admin.close()
        self.pool.closeall()
        self.proxy.close()
        self.lease.release()


def _is_zombie(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def soak(checkouts, faults, seed, tell=lambda _: None):
    """Run it in a state folder of its own; return the report."""
    home = tempfile.mkdtemp(prefix="soak-")
    before = os.environ.get("PGEXPLORER_HOME")
    hooks = sys.unraisablehook, threading.excepthook
    os.environ["PGEXPLORER_HOME"] = home
    from pgexplorer.demo import place

    try:
        run = Soak(checkouts, faults, seed, tell)
        try:
            return run.run()
        finally:
            where = place.find()
            run.close()
            shutil.rmtree(where.base, ignore_errors=True)
            shutil.rmtree(where.sockets, ignore_errors=True)
    finally:
        sys.unraisablehook, threading.excepthook = hooks
        if before is None:
            del os.environ["PGEXPLORER_HOME"]
        else:
            os.environ["PGEXPLORER_HOME"] = before
        shutil.rmtree(home, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="A soak of PgPool.")
    parser.add_argument("--checkouts", type=int, default=5000)
    parser.add_argument("--faults", type=int, default=28)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    report = soak(given.checkouts, given.faults, given.seed, print if given.verbose else lambda _: None)
    print(report.line())
    for error in report.unhandled[:5]:
        print(f"unhandled: {error!r}", file=sys.stderr)
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
