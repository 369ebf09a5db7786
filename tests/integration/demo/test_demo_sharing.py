"""Several windows, one server: the last to end, however it ends, ends the server."""

import os
import signal

from fix_demo import ask, connect, end_hard, gone, until

from pgexplorer.demo.server import start

WITH_CHILDREN = """
import os, subprocess, sys, time
from pgexplorer.demo.server import start
lease = start()
child = subprocess.Popen(["sleep", "60"], close_fds=False)
fork = os.fork()
if fork == 0:
    time.sleep(60)
    os._exit(0)
print(lease.server.pid, lease.server.port, child.pid, fork, flush=True)
sys.stdin.readline()
"""


def test_that_two_leases_of_one_program_share_a_server(demo_home):
    first = start()
    second = start()
    assert first.server == second.server
    first.release()
    assert ask(second.server, "select 1") == [(1,)]
    second.release()
    assert gone(second.server.pid)


def test_that_two_programs_share_a_server_and_the_last_one_ends_it(program):
    first, second = program(), program()  # at the same moment, on no data yet
    pid, port = first.server()
    assert second.server() == (pid, port)
    assert first.end() == 0
    with start() as lease:
        assert lease.server.pid == pid
    assert not gone(pid)
    assert second.end() == 0
    assert gone(pid)


def test_that_a_killed_program_takes_its_server_along(program):
    it = program()
    pid, _ = it.server()
    watching = it.watchdog()
    it.kill()
    until(lambda: gone(pid) and gone(watching), 5)


def test_that_a_killed_program_takes_its_server_along_while_its_children_live_on(program):
    it = program(WITH_CHILDREN)
    pid, _, child, fork = it.server()
    try:
        it.process.kill()
        until(lambda: gone(pid), 5)
        assert not gone(child)
        assert not gone(fork)
    finally:
        for each in (child, fork):
            os.kill(each, signal.SIGKILL)


def test_that_a_killed_program_leaves_the_server_to_another(program):
    first, second = program(), program()
    pid, _ = first.server()
    second.server()
    watching = first.watchdog()
    first.kill()
    until(lambda: gone(watching))
    assert not gone(pid)
    second.end()
    assert gone(pid)


def test_that_a_program_whose_watchdog_was_killed_ends_the_server_itself(program):
    it = program()
    pid, _ = it.server()
    watching = it.watchdog()
    os.kill(watching, signal.SIGKILL)
    until(lambda: gone(watching))
    assert not gone(pid)
    it.end()
    assert gone(pid)


def test_that_a_watchdog_told_to_terminate_ends_the_server(program):
    it = program()
    pid, _ = it.server()
    os.kill(it.watchdog(), signal.SIGTERM)
    until(lambda: gone(pid))
    it.end()


def test_that_a_server_which_nobody_watches_is_used_again_and_ended(program):
    it = program()
    pid, port = it.server()
    end_hard(it.watchdog(), it.process.pid)
    said = []
    with start(said.append) as lease:
        assert (lease.server.pid, lease.server.port) == (pid, port)
        assert said == [f"Using the demo server that runs on port {port}."]
        assert ask(lease.server, "select count(*) from person") == [(3,)]
    assert gone(pid)


def test_that_open_connections_and_running_queries_do_not_hold_up_the_end(demo_home):
    lease = start()
    ours = connect(lease.server)
    with ours.cursor() as cursor:
        cursor.execute("begin; lock table person")
    lease.release()
    assert gone(lease.server.pid)
    ours.close()
