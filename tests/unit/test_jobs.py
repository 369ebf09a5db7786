"""The one crossing between threads."""

import gc
import threading
import weakref

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtCore import QThread as Thread

from pgexplorer.jobs import Jobs


@pytest.fixture
def jobs(qapp):
    made = Jobs()
    yield made
    assert made.drain(5)
    QCoreApplication.processEvents()


class Listener:
    """Writes down what it hears, and on which thread."""

    def __init__(self):
        self.heard = []
        self.threads = set()

    def told(self, kind):
        def hear(*news):
            self.heard.append((kind, *news))
            self.threads.add(threading.current_thread())

        return hear

    @property
    def all(self):
        return {kind: self.told(kind) for kind in ("yielded", "failed", "ended")}


@pytest.fixture
def listener():
    return Listener()


def test_that_news_is_heard_in_order_on_this_thread_and_the_end_comes_last(jobs, listener, qtbot):
    worked_on = []

    def work():
        worked_on.append(threading.current_thread())
        yield from range(1000)

    job = jobs.start(work, name="count", **listener.all)
    assert job.is_running
    qtbot.waitUntil(lambda: not job.is_running)
    assert listener.heard == [*(("yielded", n) for n in range(1000)), ("ended",)]
    assert listener.threads == {threading.main_thread()}
    assert worked_on[0] is not threading.main_thread()
    assert worked_on[0].name == "count"
    assert jobs.running == 0


def test_that_a_call_hears_what_the_function_returned(jobs, listener, qtbot):
    for value in (None, True, 0, "", [], {"a": 1}):
        job = jobs.call(lambda value=value: value, done=listener.told("done"))
        qtbot.waitUntil(lambda job=job: not job.is_running)
        assert listener.heard[-1] == ("done", value)


def test_that_a_failure_is_told_once_after_the_news_before_it(jobs, listener, qtbot):
    def work():
        yield 1
        raise LookupError("gone")

    job = jobs.start(work, **listener.all)
    qtbot.waitUntil(lambda: not job.is_running)
    assert [kind for kind, *_ in listener.heard] == ["yielded", "failed", "ended"]
    error = listener.heard[1][1]
    assert type(error) is LookupError
    assert str(error) == "gone"
    assert "in work" in job.traceback
    assert "LookupError: gone" in job.traceback


def test_that_work_that_cannot_even_begin_is_told_as_failed(jobs, listener, qtbot):
    def work():
        raise OSError("no")

    job = jobs.start(work, **listener.all)
    qtbot.waitUntil(lambda: not job.is_running)
    assert [kind for kind, *_ in listener.heard] == ["failed", "ended"]


class Precious:
    """A connection, say."""


def test_that_a_failure_keeps_nothing_of_its_frames_alive(jobs, listener, qtbot):
    seen = []

    def work():
        precious = Precious()
        seen.append(weakref.ref(precious))
        try:
            yield from ()
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner

    job = jobs.start(work, **listener.all)
    qtbot.waitUntil(lambda: not job.is_running)
    error = listener.heard[0][1]
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)
    assert "inner" in job.traceback
    job.thread_.join(5)
    gc.collect()
    assert seen[0]() is None


def test_that_a_failure_nobody_asked_for_is_heard_by_all(jobs, qtbot):
    def work():
        yield from ()
        raise ZeroDivisionError("a bug")

    with qtbot.waitSignal(jobs.unheard) as heard:
        jobs.start(work)
    error, trace = heard.args
    assert type(error) is ZeroDivisionError
    assert "a bug" in trace


def test_that_an_ignored_job_is_heard_no_more_not_even_what_is_queued(jobs, listener, qtbot):
    written = threading.Event()
    let_go = threading.Event()

    def work():
        yield 1
        yield 2
        written.set()
        assert let_go.wait(10)
        yield 3
        raise LookupError("late")

    job = jobs.start(work, **listener.all)
    assert written.wait(10)  # 1 and 2 lie in this thread's event queue
    job.ignore()
    assert not job.is_heard
    let_go.set()
    qtbot.waitUntil(lambda: not job.is_running)
    assert listener.heard == [("ended",)]


def test_that_a_job_can_be_ignored_by_what_hears_it(jobs, qtbot):
    heard = []

    def work():
        yield from range(100)

    def hear(item):
        heard.append(item)
        if item == 10:
            job.ignore()

    job = jobs.start(work, yielded=hear)
    qtbot.waitUntil(lambda: not job.is_running)
    assert heard == list(range(11))


def test_that_an_ignored_failure_is_not_unheard(jobs, qtbot):
    told = []
    jobs.unheard.connect(lambda *news: told.append(news))

    def work():
        yield 1
        raise LookupError("late")

    job = jobs.start(work)
    job.ignore()
    qtbot.waitUntil(lambda: not job.is_running)
    assert told == []


def test_that_what_is_connected_after_the_start_hears_too(jobs, qtbot):
    go = threading.Event()

    def work():
        assert go.wait(10)
        yield 7

    job = jobs.start(work)
    heard = []
    job.yielded.connect(heard.append)
    go.set()
    qtbot.waitUntil(lambda: not job.is_running)
    assert heard == [7]


def test_that_five_hundred_jobs_all_end(jobs, qtbot):
    ended, values = [], []

    def work(number):
        yield number
        if number % 5 == 0:
            raise LookupError(number)

    failed = []
    for number in range(500):
        jobs.start(
            lambda number=number: work(number),
            yielded=values.append,
            failed=failed.append,
            ended=lambda number=number: ended.append(number),
        )
    qtbot.waitUntil(lambda: len(ended) == 500, timeout=30_000)
    assert sorted(ended) == sorted(values) == list(range(500))
    assert len(failed) == 100
    assert jobs.running == 0


def test_that_ended_jobs_are_let_go_on_this_thread(jobs, qtbot):
    gone_on = []
    ended = []
    weakref.finalize(jobs.call(lambda: 1, ended=lambda: ended.append(1)), lambda: gone_on.append(Thread.isMainThread()))

    def is_gone():
        gc.collect()
        return bool(ended and gone_on)

    qtbot.waitUntil(is_gone)
    assert gone_on == [True]


def test_that_draining_waits_for_what_ends_and_ignores_it(jobs, listener):
    def work():
        yield 1
        yield 2

    jobs.start(work, **listener.all)
    assert jobs.drain(5)
    QCoreApplication.processEvents()
    assert listener.heard == [("ended",)]
    assert jobs.running == 0


def test_that_draining_gives_a_stuck_thread_up_in_time_and_names_it(jobs, caplog):
    let_go = threading.Event()

    def stuck():
        assert let_go.wait(30)
        yield 1

    job = jobs.start(stuck, name="in a dead link")
    assert not jobs.drain(0.05)
    assert "in a dead link" in caplog.text
    assert job.thread_.daemon
    let_go.set()
    assert jobs.drain(10)
