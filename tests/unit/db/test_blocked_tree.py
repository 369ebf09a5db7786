"""Activity without a server: who lies under whom, what stands out, and what counters make over time."""

import random
from dataclasses import replace

import pytest

from fix_sessions import session
from pgexplorer.db.activity.figures import Figures, Sample, Samples
from pgexplorer.db.activity.sessions import PREPARED, Level, blocked_tree


def shape(nodes):
    return [(node.session.pid, shape(node.waiting)) if node.waiting else node.session.pid for node in nodes]


def test_that_a_blocked_session_lies_under_the_one_that_blocks_it():
    found = [session(1), session(2, 1), session(3, 2, 1), session(4), session(5, 1)]
    assert shape(blocked_tree(found)) == [(1, [(2, [3]), 5]), 4]


def test_that_a_blocker_that_is_not_there_or_is_a_prepared_transaction_makes_a_root():
    assert shape(blocked_tree([session(1, 99), session(2, PREPARED), session(3, PREPARED, 2)])) == [1, (2, [3])]


@pytest.mark.parametrize("circle", [[(1, 2), (2, 1)], [(1, 2), (2, 3), (3, 1), (4, 3)], [(1, 1)]])
def test_that_a_circle_has_a_root_and_loses_nobody(circle):
    nodes = blocked_tree([session(pid, blocker) for pid, blocker in circle])
    assert nodes
    assert sorted(node.session.pid for root in nodes for node in root.all()) == sorted(pid for pid, _ in circle)


def test_that_any_blockers_leave_every_session_there_once():
    dice = random.Random(7)
    for _ in range(300):
        count = dice.randint(1, 12)
        found = [session(pid, *dice.sample(range(count + 2), dice.randint(0, 2))) for pid in range(1, count + 1)]
        pids = [node.session.pid for root in blocked_tree(found) for node in root.all()]
        assert sorted(pids) == list(range(1, count + 1))


@pytest.mark.parametrize(
    ("changed", "level", "words"),
    [
        ({}, Level.NONE, []),
        ({"state": "idle in transaction", "state_s": 5.0, "transaction_s": 6.0}, Level.NONE, []),
        (
            {"state": "idle in transaction", "state_s": 12.0, "transaction_s": 13.0},
            Level.WARN,
            ["idle in transaction for 12.0 s"],
        ),
        (
            {"state": "idle in transaction (aborted)", "state_s": 61.0, "transaction_s": 90.0},
            Level.BAD,
            ["idle in transaction for 61.0 s", "transaction of 90.0 s"],
        ),
        ({"state": "active", "transaction_s": 601.0, "statement_s": 1.0}, Level.BAD, ["transaction of 10 min 01 s"]),
        (
            {"state": "active", "statement_s": 2.0, "blockers": (7, 0)},
            Level.WARN,
            ["blocked by 7, a prepared transaction"],
        ),
        ({"state": "active", "statement_s": 31.0, "blockers": (7,)}, Level.BAD, ["blocked by 7"]),
        ({"state": "", "state_s": None, "blockers": (7,)}, Level.WARN, ["blocked by 7"]),
        ({"kind": "autovacuum worker", "state": "active", "transaction_s": 9000.0}, Level.NONE, []),
    ],
)
def test_that_what_stands_out_is_told_in_words(changed, level, words):
    found = replace(session(1), **changed)
    assert found.level is level
    assert [text for _, text in found.findings] == words


def figures(at, **counted):
    names = Figures.__dataclass_fields__.keys() - {"at"}
    return Figures(at, **{name: counted.get(name, 0) for name in names})


def test_that_rates_and_hits_are_what_lies_between_two_samples():
    samples = Samples()
    assert samples.rate(lambda each: each.commits) == []
    samples.add(Sample(figures(10.0, commits=100, blocks_hit=900, blocks_read=100), {"active": 2}, 100))
    samples.add(Sample(figures(12.0, commits=150, blocks_hit=990, blocks_read=110), {"active": 3}, 100))
    samples.add(Sample(figures(13.0, commits=150, blocks_hit=990, blocks_read=110), {}, 100))
    assert samples.rate(lambda each: each.commits) == [(12.0, 25.0), (13.0, 0.0)]
    assert samples.hit_ratio() == [(12.0, 90.0)]  # nothing was asked for in the last second
    assert samples.connections("active") == [(10.0, 2.0), (12.0, 3.0), (13.0, 0.0)]
    samples.add(Sample(figures(14.0, commits=3), {}, 100))  # the server's statistics were reset
    assert len(samples) == 1
    assert samples.rate(lambda each: each.commits) == []
