"""The schema is read while somebody else changes a table."""

import psycopg2

from pgexplorer.db.schema import read_columns, read_relations


def test_that_the_schema_is_listed_while_a_table_is_locked_exclusively(profile):
    ours = psycopg2.connect(**profile.parameters("side"))
    theirs = psycopg2.connect(**profile.parameters("side"))
    try:
        with theirs.cursor() as cursor:
            cursor.execute("CREATE TABLE being_changed (id int)")
            theirs.commit()
            cursor.execute("LOCK TABLE being_changed IN ACCESS EXCLUSIVE MODE")
        ours.autocommit = True
        relations = dict(read_relations(ours))["public"]
        assert {"person", "being_changed"} <= {relation.name for relation in relations}
        assert next(relation.size for relation in relations if relation.name == "person") > 0
        assert ours.info.transaction_status == 0
    finally:
        theirs.rollback()
        with theirs.cursor() as cursor:
            cursor.execute("DROP TABLE being_changed")
        theirs.commit()
        theirs.close()
        ours.close()


def test_that_a_key_is_known_in_its_own_order(profile):
    ours = psycopg2.connect(**profile.parameters("side"))
    try:
        with ours.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE t (a int, b text, c int, PRIMARY KEY (c, a))")
            cursor.execute("SELECT 't'::regclass::oid")
            [oid] = cursor.fetchone()
        columns = read_columns(ours, oid)
        assert [(column.name, column.key_place) for column in columns] == [("a", 2), ("b", 0), ("c", 1)]
    finally:
        ours.close()
