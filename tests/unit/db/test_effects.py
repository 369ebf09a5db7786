"""What a statement's text tells of what it does, and what an EXPLAIN explains."""

import pytest

from pgexplorer.db.plans.effects import Effect, inner_statement, writes


@pytest.mark.parametrize(
    ("text", "effect", "words"),
    [
        ("SELECT 1", Effect.READS, ""),
        ("VALUES (1)", Effect.READS, ""),
        ("TABLE t", Effect.READS, ""),
        ("SELECT f(a) FROM t", Effect.READS, ""),
        ("DECLARE c CURSOR FOR SELECT 1", Effect.READS, ""),
        ("INSERT INTO t VALUES (1)", Effect.WRITES, "INSERT"),
        ("UPDATE t SET a = 1", Effect.WRITES, "UPDATE"),
        ("DELETE FROM t", Effect.WRITES, "DELETE"),
        ("MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE", Effect.WRITES, "MERGE"),
        ("WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", Effect.WRITES, "DELETE in the WITH query “x”"),
        ("SELECT 1 INTO t", Effect.WRITES, "creates a table"),
        ("SELECT 1 UNION SELECT 2 FROM u FOR UPDATE", Effect.WRITES, "locks the rows"),
        ("SELECT * FROM (SELECT * FROM t FOR SHARE) AS x", Effect.WRITES, "locks the rows"),
        ("CREATE TABLE t AS SELECT 1", Effect.WRITES, "creates a table"),
        ("CREATE MATERIALIZED VIEW t AS SELECT 1", Effect.WRITES, "creates a table"),
        ("EXECUTE mine", Effect.UNKNOWN, "“mine”"),
        ("SELEC 1", Effect.UNKNOWN, "does not take it"),
        ("SELECT " + " || ".join("a" * 300), Effect.UNKNOWN, ""),
        ("CALL f()", Effect.NO_PLAN, "has no plan"),
        ("EXPLAIN DELETE FROM t", Effect.WRITES, "DELETE"),
        ("SELECT 1; DELETE FROM t", Effect.NO_PLAN, "one statement"),
    ],
)
def test_that_a_text_tells_what_it_does(text, effect, words):
    found = writes(text)
    assert found.effect is effect
    assert words in found.words
    assert found.asks == (effect is Effect.WRITES)


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("SELECT 1", "SELECT 1"),
        ("explain SELECT 1", "SELECT 1"),
        ("EXPLAIN ANALYZE VERBOSE UPDATE t SET a = 1", "UPDATE t SET a = 1"),
        ("EXPLAIN (ANALYZE, FORMAT JSON) -- why (\n SELECT (1)", "SELECT (1)"),
        ("EXPLAIN (buffers (on)) SELECT 1", "SELECT 1"),
        ("EXPLAIN (SELECT 1) UNION SELECT 2", "(SELECT 1) UNION SELECT 2"),
        ("EXPLAIN ((SELECT 1))", "((SELECT 1))"),
        ("EXPLAIN /* ( */ ANALYSE\nTABLE analyze", "TABLE analyze"),
        ("EXPLAIN", ""),
        ("EXPLAIN ANALYZE", ""),
        ("EXPLAIN (", "("),
        ("explained", "explained"),
    ],
)
def test_that_an_explain_is_known_by_what_it_explains(text, inner):
    assert text[inner_statement(text) :] == inner
