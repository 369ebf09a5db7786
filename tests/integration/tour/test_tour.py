"""The tour against a real server: what each step tells is held against the server and psycopg2's own bookkeeping."""

import contextlib
import io
import os
import shutil
import socket
import subprocess
import sys

import psycopg2
import pytest

from pgexplorer.db.profile import Profile
from pgexplorer.demo import place, watchdog
from pgexplorer.demo.server import start
from pgexplorer.pool.stock import STOCK_CLASSES
from pgexplorer.tour.bench import OwnBench
from pgexplorer.tour.listing import Listing
from pgexplorer.tour.news import Bars, Ran, Refused, Rows, Said
from pgexplorer.tour.steps import STEPS
from pgexplorer.tour.terminal import run
from pgexplorer.units import duration

BY_ID = {step.id: step for step in STEPS}
EXHAUSTED = "PoolError: connection pool exhausted"
PEOPLE = (("Pankaj", "Chowdhury", "M"), ("Rachna", "Agarwal", "F"), ("Raj", "Shamanic", "M"))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The state folder of these tests."""
    folder = tmp_path_factory.mktemp("tour") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGEXPLORER_HOME", str(folder))
        yield folder
        found = place.find()
        watchdog.stop(found.data)
        for left in (found.base, found.sockets):
            shutil.rmtree(left, ignore_errors=True)


@pytest.fixture(scope="module")
def server(home):
    """A demo server of their own."""
    with start() as lease:
        yield lease.server


@pytest.fixture
def profile(server):
    return Profile(
        host=server.host,
        port=str(server.port),
        dbname=server.dbname,
        user=server.user,
        password=server.password,
    )


@pytest.fixture
def bench(profile):
    with OwnBench(profile) as made:
        yield made


@pytest.fixture
def ask(server):
    """Ask the server as its superuser, who no bench is."""
    conn = psycopg2.connect(
        host=server.host,
        port=server.port,
        dbname=server.dbname,
        user=server.superuser,
        password=server.superuser_password,
        application_name="test",
    )
    conn.autocommit = True

    def rows(sql, *values):
        with conn.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall()

    yield rows
    conn.close()


@pytest.fixture
def backends(ask):
    """The pool's backends as the server sees them: pid -> state."""
    return lambda: dict(ask("SELECT pid::text, state FROM pg_stat_activity WHERE application_name = 'pgexplorer/pool'"))


def play(bench, *ids):
    """Take the steps *ids* and return the news of the last."""
    told = []
    for each in ids:
        told = list(BY_ID[each].act(bench))
    return told


def only(told, kind):
    return [news for news in told if isinstance(news, kind)]


def in_the_way(told):
    return [news for news in only(told, Refused) if not news.meant]


def insides(bench):
    return bench.hand.pool.insides()


def test_that_creating_the_pool_opens_two_backends_at_once(bench, backends):
    told = play(bench, "create")
    [shown] = only(told, Rows)
    assert {row[0] for row in shown.rows} == set(backends()) == set(insides(bench).pool)
    assert len(shown.rows) == 2
    assert (bench.hand.pool.kind, bench.hand.pool.minconn, bench.hand.pool.maxconn) == ("SimpleConnectionPool", 2, 3)


def test_that_a_connection_is_checked_out_and_reads_the_people(bench, backends):
    told = play(bench, "create", "check-out")
    assert [news.outcome.worked for news in only(told, Ran)] == [True, True]
    assert [rows.rows for rows in only(told, Rows)] == [PEOPLE]
    [held] = bench.hand.held()
    assert [pid for _, pid in insides(bench).used] == [str(held.pid)]
    assert backends()[str(held.pid)] == "idle in transaction"


def test_that_the_third_connection_is_opened_when_it_is_asked_for(bench, backends):
    play(bench, "create", "check-out")
    before = set(backends())
    told = play(bench, "two-more")
    assert len(before) == 2
    [fresh] = set(backends()) - before
    said = [news.text for news in only(told, Said)]
    assert said[-1] == f"Backend {fresh} is new: psycopg2 opened it now."
    assert "was open already" in said[0]
    assert [rows.rows for rows in only(told, Rows)][:2] == [PEOPLE, PEOPLE]
    assert len(insides(bench).used) == 3
    assert insides(bench).pool == ()


def test_that_two_go_back_and_the_third_is_closed(bench, backends):
    play(bench, "create", "check-out", "two-more")
    three = [str(held.pid) for held in bench.hand.held()]
    told = play(bench, "release")
    assert ["psycopg2 closed it" in news.outcome.said for news in only(told, Ran)] == [False, False, True]
    [shown] = only(told, Rows)
    assert {row[0] for row in shown.rows} == set(three[:2]) == set(backends()) == set(insides(bench).pool)
    assert insides(bench).used == ()


def test_that_the_fourth_is_refused_at_once_and_explained(bench):
    told = play(bench, "exhaust")
    [refusal] = only(told, Refused)
    assert refusal.meant
    assert refusal.explanation.title == EXHAUSTED
    assert refusal.explanation.why
    assert refusal.explanation.do
    assert refusal.took < 0.05
    assert len(refusal.outcome.after.used) == 3
    assert insides(bench).used == ()
    assert bench.hand.held() == ()


def test_that_three_threads_take_one_each_and_a_fourth_is_refused(bench):
    told = play(bench, "threads")
    assert bench.hand.pool.kind == "ThreadedConnectionPool"
    [who] = only(told, Rows)
    assert len({row[who.columns.index("thread")] for row in who.rows}) == 3
    assert len({row[who.columns.index("backend")] for row in who.rows}) == 3
    assert [news.explanation.title for news in only(told, Refused)] == [EXHAUSTED]
    assert insides(bench).used == ()


def test_that_the_gain_is_measured_within_three_seconds_and_one_connection_beside_the_pool(bench):
    opened = []

    class Counting:
        """The bench with an eye on what is open beside the pool."""

        hand = property(lambda _self: bench.hand)
        open = staticmethod(bench.open)

        @staticmethod
        def connect():
            assert all(conn.closed for conn in opened)
            opened.append(bench.connect())
            return opened[-1]

    told = play(Counting(), "gain")
    [bars] = only(told, Bars)
    (_, connecting, _), (_, pooled, _) = bars.bars
    assert connecting > pooled > 0
    assert bars.took < 3
    assert len(opened) >= 5
    assert all(conn.closed for conn in opened)
    assert insides(bench).used == ()


@pytest.mark.parametrize("step", [step.id for step in STEPS])
@pytest.mark.parametrize("before", ["nothing", "closed", "leaked", "all out", "other limits"])
def test_that_a_step_brings_the_bench_into_its_own_starting_state(bench, step, before):
    if before != "nothing":
        bench.open("ThreadedConnectionPool", 1 if before == "other limits" else 2, 3)
        for _ in range(3):
            assert bench.hand.check_out().worked
    if before == "closed":
        assert bench.hand.close_all().worked
    if before == "leaked":
        assert bench.hand.leak(bench.hand.held()[0].pid).worked
    told = play(bench, step)
    assert in_the_way(told) == []
    assert only(told, (Ran, Bars, Rows))


@pytest.mark.parametrize("step", [step.id for step in STEPS])
def test_that_a_step_gets_along_with_another_user_of_the_pool(bench, step):
    for kind in STOCK_CLASSES:
        bench.open(kind, 2, 3)
        other = bench.hand.pool.getconn(holder="another panel")
        told = play(bench, step)
        assert all(news.explanation.title == EXHAUSTED for news in only(told, Refused))
        with contextlib.suppress(psycopg2.pool.PoolError):  # a step that needed another pool has closed this one
            bench.hand.pool.putconn(other)


@pytest.mark.parametrize("step", [step.id for step in STEPS])
def test_that_without_a_server_a_step_tells_the_error_and_ends(step):
    with socket.create_server(("127.0.0.1", 0)) as closing:
        port = closing.getsockname()[1]
    with OwnBench(Profile(host="127.0.0.1", port=str(port), dbname="none", user="nobody")) as bench:
        told = play(bench, step)
    [refusal] = in_the_way(told)
    assert refusal.explanation.title.startswith("OperationalError: ")
    assert isinstance(told[-1], Said)


@pytest.mark.parametrize("step", [step.id for step in STEPS])
def test_that_connections_killed_meanwhile_are_news_and_the_next_try_works(bench, ask, backends, step):
    play(bench, "create", "check-out")
    ask("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'pgexplorer/pool'")
    assert backends() == {}
    # psycopg2 hands a dead connection out once, learns of it by the query, and throws it away on its return: each
    # try can meet one of the two, and the one that died in a transaction.
    tries = [play(bench, step) for _ in range(4)]
    assert in_the_way(tries[-1]) == []


def test_that_a_server_without_the_person_table_is_asked_for_something_else(profile):
    from dataclasses import replace

    with OwnBench(replace(profile, dbname="postgres")) as bench:
        told = play(bench, "check-out")
        assert [news.explanation.sqlstate for news in only(told, Refused)] == ["42P01"]
        assert only(told, Rows)[-1].rows == ((profile.user, "postgres"),)
        assert only(play(bench, "gain"), Bars)


def test_that_the_script_of_the_whole_tour_runs_as_a_program(bench, profile, tmp_path):
    listing = Listing(bench)
    codes = {}
    for step in STEPS:
        listing.added()
        list(step.act(bench))
        codes[step.id] = listing.added()
    assert all(codes.values())
    program = tmp_path / "tour.py"
    program.write_text(listing.program(), encoding="utf-8")
    assert profile.password not in listing.program()
    ended = subprocess.run(
        [sys.executable, "-W", "error", program],
        env={**os.environ, "PGPASSWORD": profile.password},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count(EXHAUSTED) == 2
    assert ended.stdout.count("('Pankaj', 'Chowdhury', 'M')") == 3
    assert "from the pool: " in ended.stdout


def test_that_what_a_person_did_between_two_steps_stays_in_the_program(bench):
    listing = Listing(bench)
    play(bench, "create")
    listing.added()
    bench.hand.check_out()
    assert "connection1 = pool.getconn()" in listing.added()
    play(bench, "exhaust")
    step = listing.added()
    assert "pool.putconn(connection1)" in step
    assert "connection1 = " not in step
    compile(listing.program(), "tour", "exec")


def test_that_a_pool_closed_elsewhere_is_closed_once_in_the_program(bench):
    listing = Listing(bench)
    play(bench, "create")
    listing.added()
    bench.hand.pool.closeall()  # as a window closes it, without a word in the script
    play(bench, "threads")
    assert listing.added().startswith("pool.closeall()\nfrom psycopg2.pool import PoolError, ThreadedConnectionPool\n")
    bench.hand.close_all()
    play(bench, "create")
    assert listing.added().count("pool.closeall()") == 1


def test_that_the_terminal_tour_shows_the_exhaustion_and_ends_well(bench):
    out = io.StringIO()
    assert run(out, colour=False, bench=bench) == 0
    text = out.getvalue()
    assert text.count(EXHAUSTED) == 4  # twice as it came, twice in the code
    assert "\x1b" not in text
    for number, step in enumerate(STEPS, 1):
        assert f"{number}/{len(STEPS)}  {step.title}" in text
    assert f"{len(STEPS)} steps in " in text.splitlines()[-1]
    prose = [line for line in text.splitlines() if "│" not in line]
    assert max(map(len, prose)) <= 80


def test_that_a_terminal_with_few_characters_gets_plain_ones(bench):
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    assert run(out, colour=True, bench=bench) == 0
    out.flush()
    text = raw.getvalue().decode("ascii")
    assert "x PoolError: connection pool exhausted" in text
    assert "\x1b[33m" in text


def test_that_the_terminal_tour_says_by_its_result_that_a_server_is_gone():
    out = io.StringIO()
    with OwnBench(Profile(host="127.0.0.1", port="1", dbname="none", user="nobody")) as bench:
        assert run(out, colour=False, bench=bench) == 1
    assert f"{len(STEPS)} calls failed that should have worked" in out.getvalue().splitlines()[-1]


@pytest.mark.parametrize("words", [["tour"], ["demo"], ["demo", "--no-tour"]])
def test_that_without_a_display_the_command_line_takes_the_tour_and_ends_with_0(server, home, words):
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "QT_QPA_PLATFORM"}
    ended = subprocess.run(
        [sys.executable, "-m", "pgexplorer", *words],
        env={name: value for name, value in os.environ.items() if name not in hidden},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert EXHAUSTED in ended.stdout
    assert ended.stderr.count("There is no display here") == (words[0] == "demo")
    assert server.password not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.000012, "12 µs"), (0.0034, "3.4 ms"), (0.042, "42 ms"), (0.96, "1.0 s"), (2.25, "2.2 s")],
)
def test_that_a_duration_reads_in_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text
