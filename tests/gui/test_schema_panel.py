"""Stories of the schema panel: everything is found, opened, named, counted and dropped where it stands."""

from dataclasses import replace

import psycopg2
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QPushButton

from pgexplorer.db.objects import ObjectKind
from pgexplorer.db.profile import Environment
from pgexplorer.models.schema_model import KEY_ROLE, MUTED_ROLE, OBJECT_ROLE
from pgexplorer.models.schema_nodes import HERE

K = ObjectKind


@pytest.fixture
def shop(do, own_schema):
    """A schema with two tables, a view over one of them, a function and a partitioned table."""
    do(f"CREATE TABLE {own_schema}.customers (id int PRIMARY KEY, nickname text NOT NULL)")
    do(f"CREATE TABLE {own_schema}.purchases (id serial PRIMARY KEY, buyer int REFERENCES {own_schema}.customers)")
    do(f"INSERT INTO {own_schema}.customers SELECT n, 'c' || n FROM generate_series(1, 321) n")
    do(f"CREATE VIEW {own_schema}.seen AS SELECT nickname FROM {own_schema}.customers")
    do(f"CREATE FUNCTION {own_schema}.greet(text) RETURNS text LANGUAGE sql AS 'SELECT $1'")
    do(f"CREATE TABLE {own_schema}.events (n int) PARTITION BY LIST (n)")
    do(f"CREATE TABLE {own_schema}.events_1 PARTITION OF {own_schema}.events FOR VALUES IN (1)")
    return own_schema


class Tree:
    """The panel as a person uses it."""

    def __init__(self, driver, space):
        self.driver = driver
        self.space = space
        self.panel = driver.window.schema
        self.model, self.view = self.panel.model, self.panel.tree
        self.refresh()

    def refresh(self):
        self.panel.refresh()
        self.settle()

    def settle(self):
        self.driver.settle()
        self.driver.until(lambda: not self.panel.reader.is_following)

    def index(self, name):
        return self.model.find(self.space, name)

    def choose(self, name):
        index = self.index(name)
        assert index.isValid(), name
        self.view.open_to(index)
        return index

    def open(self, name):
        index = self.choose(name)
        self.view.expand(index)
        self.settle()
        return self.index(name)

    def below(self, index):
        return [self.model.index(row, 0, index).data() for row in range(self.model.rowCount(index))]

    def do(self, name):
        """Do an action of the panel."""
        action = self.panel.action(name)
        assert action.isEnabled(), name
        action.trigger()

    def dialog(self, name):
        """Wait for a dialog, and return it."""
        self.driver.until(lambda: any(each.isVisible() for each in self.driver.frame.findChildren(QDialog, name)))
        return next(each for each in self.driver.frame.findChildren(QDialog, name) if each.isVisible())

    def said(self, *words):
        self.driver.until(lambda: all(each in self.panel.message.text() for each in words))

    def current(self):
        return self.view.currentIndex().data()

    def top(self):
        return self.view.indexAt(QPoint(2, 2)).data(KEY_ROLE)

    def type(self, text):
        self.panel.filter.setFocus()
        self.panel.filter.clear()
        QTest.keyClicks(self.panel.filter, text)
        self.driver.until(lambda: not self.panel.search.is_searching)

    def found(self):
        return [(hit.found.kind, hit.found.path) for hit in self.panel.search.model.hits]


@pytest.fixture
def tree(connected, shop):
    connected.settle()
    return Tree(connected, shop)


# -- looking


def test_that_the_database_in_use_is_open_with_tables_first_and_groups_of_what_there_is(tree, profile):
    here = tree.model.index_of(HERE)
    assert here.data() == profile.dbname
    assert tree.view.isExpanded(here)
    assert {"Extensions", "public", tree.space} <= set(tree.below(here))
    space = tree.index("customers").parent()
    assert tree.below(space) == ["customers", "events", "purchases", "seen", "Sequences", "Functions"]
    assert tree.below(tree.open("customers")) == ["id", "nickname", "Keys and checks", "Indexes"]
    assert tree.below(tree.open("events")) == ["n", "Partitions"]
    top = [tree.model.index(row, 0).data() for row in range(tree.model.rowCount())]
    assert top == [profile.dbname, "Other databases", "Roles"]


def test_that_a_double_click_opens_a_table_and_a_column_at_its_place(tree):
    index = tree.open("customers")
    tree.view.activated.emit(tree.model.index(1, 0, index))
    tree.settle()
    panel = tree.driver.window.deck.tabs.currentWidget()
    assert panel.relation.name == "customers"
    tree.driver.until(lambda: panel.model.columns()[panel.grid.currentIndex().column()].name == "nickname")


def test_that_every_name_is_found_at_once_and_opened_by_enter(tree):
    tree.type("nickn")
    assert tree.found()[0] == (K.COLUMN, f"{tree.space}.customers.nickname")
    assert tree.panel.found.isVisible()
    assert not tree.view.isVisible()
    tree.type("greet")
    assert tree.found()[0] == (K.FUNCTION, f"{tree.space}.greet(text)")
    tree.type("events_1")
    assert tree.found()[0] == (K.TABLE, f"{tree.space}.events_1")
    tree.type(f"customers {tree.space}")
    QTest.keyClick(tree.panel.filter, Qt.Key.Key_Return)
    tree.settle()
    assert tree.driver.window.deck.tabs.currentWidget().relation.name == "customers"


def test_that_what_was_found_is_shown_in_the_tree_and_escape_brings_back_the_place(tree):
    tree.choose("seen")
    place = tree.view.place()
    tree.type("customers_pkey")
    QTest.keyClick(tree.panel.filter, Qt.Key.Key_Escape)
    assert tree.view.isVisible()
    assert tree.view.place() == place
    tree.type("customers_pkey")
    QTest.keyClick(tree.panel.filter, Qt.Key.Key_Return)
    tree.settle()
    assert tree.current() == "customers_pkey"
    assert tree.view.isVisible()
    assert tree.panel.filter.text() == ""
    tree.type("nickn")
    tree.do("schema.reveal")
    assert tree.current() == "nickname"


def test_that_nothing_found_is_said(tree):
    tree.type("no such thing")
    empty = tree.panel._empty
    assert empty.isVisible()
    assert "Nothing is called “no such thing”." in empty.accessibleDescription()
    tree.panel.filter.clear()
    assert tree.view.isVisible()


def test_that_the_arrows_move_in_what_was_found_while_one_types(tree):
    tree.type("e")
    first = tree.panel.found.currentIndex().row()
    QTest.keyClick(tree.panel.filter, Qt.Key.Key_Down)
    assert tree.panel.found.currentIndex().row() == first + 1
    QTest.keyClick(tree.panel.filter, Qt.Key.Key_Up)
    assert tree.panel.found.currentIndex().row() == first


def test_that_a_refresh_keeps_what_is_open_chosen_and_in_sight_though_others_come_and_go(tree, do):
    for number in range(40):
        do(f"CREATE TABLE {tree.space}.t{number:02} (n int)")
    tree.refresh()
    tree.open("customers")
    tree.open("t20")
    tree.view.scrollTo(tree.index("t15"), tree.view.ScrollHint.PositionAtTop)
    top = tree.top()
    assert tree.view.indexAt(QPoint(2, 2)).data() == "t15"
    do(f"DROP TABLE {tree.space}.t03")
    do(f"ALTER TABLE {tree.space}.t10 RENAME TO zz")
    do(f"CREATE TABLE {tree.space}.a_new_one (n int)")
    tree.refresh()
    assert tree.top() == top
    assert tree.current() == "t20"
    assert tree.view.isExpanded(tree.index("customers"))
    assert tree.view.isExpanded(tree.index("t20"))
    assert tree.below(tree.index("t20")) == ["n"]
    assert tree.index("zz").isValid()
    do(f"DROP TABLE {tree.space}.t20")
    tree.refresh()
    assert tree.current() == "t21"
    assert tree.top() == top


def test_that_nothing_moves_where_nothing_has_changed(tree, qtbot):
    tree.open("customers")
    with qtbot.assertNotEmitted(tree.model.modelReset, wait=0):
        tree.refresh()


def test_that_a_table_whose_parts_cannot_be_read_closes_again_and_says_why(tree):
    tree.driver.hand("pool.exhaust")
    tree.view.expand(tree.choose("customers"))
    tree.said("PoolError: connection pool exhausted")
    tree.settle()
    assert not tree.view.isExpanded(tree.index("customers"))
    tree.driver.hand("pool.return_all")
    assert tree.below(tree.open("customers"))[0] == "id"


def test_that_a_role_that_owns_something_is_told_to_be_in_the_way(tree, profile):
    roles = next(tree.model.index(row, 0) for row in range(3) if tree.model.index(row, 0).data() == "Roles")
    tree.view.expand(roles)
    own = next(tree.model.index(row, 0, roles) for row in range(tree.model.rowCount(roles))
               if tree.model.index(row, 0, roles).data() == profile.user)  # fmt: skip
    tree.view.setCurrentIndex(own)
    tree.do("schema.drop")
    dialog = tree.dialog("schema.drop_dialog")
    listed = dialog.findChild(object, "schema.drop_dialog.dependents").toPlainText()
    assert f"table {tree.space}.customers" in listed
    dialog.field.setText(dialog.wanted)
    dialog.go.click()
    tree.driver.until(lambda: tree.panel.message.kind() == "error")
    assert not tree.panel.deeds.is_running


# -- following


def test_that_the_tree_follows_ddl_of_an_sql_tab_and_takes_neither_focus_nor_place(tree):
    tree.open("customers")
    window = tree.driver.window
    panel = window.deck.new_query()
    panel.editor.setFocus()
    tree.driver.query(f"CREATE TABLE {tree.space}.followed (n int); CREATE TABLE {tree.space}.followed_too (n int)")
    tree.driver.until(lambda: tree.index("followed_too").isValid())
    assert tree.current() == "customers"
    assert tree.view.isExpanded(tree.index("customers"))
    focus = QGuiApplication.focusObject()
    assert focus is None or not tree.panel.isAncestorOf(focus)
    tree.driver.query(f"ALTER TABLE {tree.space}.customers ADD COLUMN born date")
    tree.driver.until(lambda: "born" in tree.below(tree.index("customers")))
    tree.driver.query(f"BEGIN; DROP TABLE {tree.space}.followed")
    tree.settle()
    assert tree.index("followed").isValid()  # nobody else sees it yet
    tree.driver.query("COMMIT")
    tree.driver.until(lambda: not tree.index("followed").isValid())


def test_that_the_tree_leaves_the_last_connection_to_others_and_follows_later(tree):
    tree.driver.query(f"CREATE TABLE {tree.space}.early (n int)")
    tree.driver.until(lambda: tree.index("early").isValid())
    tree.settle()
    tree.driver.hand("pool.exhaust")
    tree.panel.reader.hear(_entry("CREATE TABLE"))
    tree.driver.until(lambda: tree.panel.reader._failures > 0)
    assert tree.panel.message.text() == ""
    tree.driver.hand("pool.return_all")
    tree.driver.until(lambda: not tree.panel.reader.is_following)
    assert tree.panel.reader._failures == 0


def _entry(status):
    from pgexplorer.history import Entry

    return Entry("", 0.0, "", status=status)


# -- doing


def test_that_rows_are_counted_where_the_table_stands(tree):
    index = tree.choose("customers")
    tree.do("schema.count")
    tree.driver.until(lambda: tree.index("customers").data(MUTED_ROLE).startswith("321 rows"))
    assert index.data(OBJECT_ROLE).name == "customers"
    assert tree.panel.message.text() == ""


def test_that_a_count_that_waits_is_stopped_and_says_so(tree, profile):
    before = tree.choose("customers").data(MUTED_ROLE)
    theirs = psycopg2.connect(**profile.parameters("side"))
    with theirs.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {tree.space}.customers IN ACCESS EXCLUSIVE MODE")
    tree.do("schema.count")
    assert tree.index("customers").data(MUTED_ROLE).startswith("counting…")
    tree.said("Counting the rows of", "customers…")
    stop = next(each for each in tree.panel.message.findChildren(QPushButton) if each.text() == "Stop")
    stop.click()
    tree.said("stopped")
    assert tree.index("customers").data(MUTED_ROLE) == before
    theirs.close()
    assert not tree.panel.deeds.is_running


@pytest.mark.parametrize(
    ("action", "done"),
    [("schema.vacuum", "is vacuumed"), ("schema.analyze", "is analyzed"),
     ("schema.vacuum_analyze", "is vacuumed and analyzed"),
     ("schema.reindex", "is reindexed")],
)  # fmt: skip
def test_that_maintenance_runs_and_is_told(tree, action, done, do):
    tree.choose("customers")
    tree.do(action)
    tree.said(f"{tree.space}.customers {done}")
    tree.settle()
    if "analyze" in action:
        [[rows]] = do(f"SELECT reltuples FROM pg_class WHERE oid = '{tree.space}.customers'::regclass")
        assert rows == 321
        assert "≈ 321 rows" in tree.index("customers").data(MUTED_ROLE)


def test_that_a_materialized_view_is_refreshed(tree, do):
    do(f"CREATE MATERIALIZED VIEW {tree.space}.kept AS SELECT count(*) AS n FROM {tree.space}.customers")
    do(f"DELETE FROM {tree.space}.customers WHERE id > 10")
    tree.refresh()
    tree.choose("kept")
    tree.do("schema.refresh_view")
    tree.said("kept is refreshed")
    assert do(f"SELECT n FROM {tree.space}.kept") == [(10,)]


def test_that_a_table_is_renamed_by_its_key_and_stays_chosen_and_open(tree):
    tree.open("customers")
    tree.view.setFocus()
    QTest.keyClick(tree.view, Qt.Key.Key_F2)
    dialog = tree.dialog("schema.rename_dialog")
    assert dialog.field.text() == "customers"
    assert not dialog.go.isEnabled()
    dialog.field.setText("x" * 64)
    assert not dialog.go.isEnabled()
    assert "63 bytes" in dialog.note.text()
    dialog.field.setText('people "of" ours')
    dialog.go.click()
    tree.said("customers is renamed")
    tree.driver.until(lambda: tree.index('people "of" ours').isValid())
    tree.settle()
    assert tree.current() == 'people "of" ours'
    assert tree.view.isExpanded(tree.index('people "of" ours'))


def test_that_the_tab_of_a_table_goes_on_under_its_new_name(tree):
    window = tree.driver.window
    window.deck.open_table(tree.panel.relation(tree.space, "customers"))
    tree.settle()
    table = window.deck.tabs.currentWidget()
    tree.driver.query(f"ALTER TABLE {tree.space}.customers RENAME TO people")
    tree.driver.until(lambda: tree.index("people").isValid())
    tree.settle()
    assert window.deck.tabs.tabText(window.deck.tabs.indexOf(table)) == "people"
    assert table.relation.name == "people"
    assert table.message.text() == ""
    window.deck.open_table(tree.panel.relation(tree.space, "people"))
    tree.settle()
    assert window.deck.tabs.currentWidget() is table
    assert tree.driver.texts(table.model)[0][:2] == ["1", "c1"]


def test_that_a_column_is_renamed_and_commented_on(tree, do):
    index = tree.open("customers")
    tree.view.setCurrentIndex(tree.model.index(1, 0, index))
    tree.do("schema.comment")
    dialog = tree.dialog("schema.comment_dialog")
    dialog.text.setPlainText("what they're called\nby friends")
    dialog.go.click()
    tree.said("has its comment")
    assert do(f"SELECT col_description('{tree.space}.customers'::regclass, 2)") == [
        ("what they're called\nby friends",)
    ]
    tree.settle()
    tree.do("schema.comment")
    assert tree.dialog("schema.comment_dialog").text.toPlainText() == "what they're called\nby friends"
    tree.dialog("schema.comment_dialog").reject()
    tree.do("schema.rename")
    dialog = tree.dialog("schema.rename_dialog")
    dialog.field.setText("alias")
    dialog.go.click()
    tree.driver.until(lambda: "alias" in tree.below(tree.index("customers")))
    assert tree.current() == "alias"


def test_that_a_drop_shows_what_goes_with_it_and_wants_the_name_typed(tree, do):
    tree.choose("customers")
    tree.view.setFocus()
    QTest.keyClick(tree.view, Qt.Key.Key_Delete)
    dialog = tree.dialog("schema.drop_dialog")
    listed = dialog.findChild(object, "schema.drop_dialog.dependents").toPlainText().splitlines()
    assert listed == [
        f"constraint purchases_buyer_fkey on table {tree.space}.purchases", f"view {tree.space}.seen"]  # fmt: skip
    assert dialog.findChild(object, "schema.drop_dialog.statement").text().endswith('"customers" CASCADE')
    assert not dialog.go.isEnabled()
    QTest.keyClicks(dialog.field, "customer")
    assert not dialog.go.isEnabled()
    QTest.keyClicks(dialog.field, "s")
    assert dialog.go.isEnabled()
    dialog.go.click()
    tree.said("customers is dropped")
    tree.driver.until(lambda: not tree.index("customers").isValid() and not tree.index("seen").isValid())
    assert do("SELECT count(*) FROM pg_class WHERE relname = 'seen'") == [(0,)]
    assert tree.index("purchases").isValid()


def test_that_a_drop_is_refused_when_something_else_depends_on_it_by_now(tree, do):
    tree.choose("seen")
    tree.do("schema.drop")
    dialog = tree.dialog("schema.drop_dialog")
    do(f"CREATE VIEW {tree.space}.over_it AS SELECT * FROM {tree.space}.seen")
    dialog.field.setText("seen")
    dialog.go.click()
    tree.said("Nothing was dropped", "Drop it again to see what.")
    assert do("SELECT count(*) FROM pg_class WHERE relname IN ('seen', 'over_it')") == [(2,)]


def test_that_a_name_which_nobody_can_type_is_dropped_by_a_word(tree, do):
    do(f'CREATE TABLE {tree.space}."a\u202eb\n" (n int)')
    tree.refresh()
    tree.choose("a\u202eb\n")
    tree.do("schema.drop")
    dialog = tree.dialog("schema.drop_dialog")
    assert dialog.wanted == "drop"
    dialog.field.setText("drop")
    dialog.go.click()
    tree.said("is dropped")
    tree.driver.until(lambda: not tree.index("a\u202eb\n").isValid())


def test_that_what_the_server_refuses_is_told_in_its_words(tree):
    tree.choose("customers")
    tree.do("schema.rename")
    dialog = tree.dialog("schema.rename_dialog")
    dialog.field.setText("purchases")
    dialog.go.click()
    tree.said('relation "purchases" already exists', "42P07")


def test_that_names_are_copied_quoted_where_they_have_to_be(tree, do):
    do(f'CREATE TABLE {tree.space}."Odd ""one""" (n int)')
    tree.refresh()
    tree.choose('Odd "one"')
    tree.view.setFocus()
    QTest.keyClick(tree.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == '"Odd ""one"""'
    tree.do("schema.copy_whole")
    assert QGuiApplication.clipboard().text() == f'{tree.space}."Odd ""one"""'


def test_that_the_ddl_of_an_object_opens_in_an_sql_tab(tree):
    tree.choose("customers")
    tree.do("schema.ddl")
    tree.settle()
    panel = tree.driver.window.deck.tabs.currentWidget()
    assert panel in tree.driver.window.deck.query_panels()
    assert f"CREATE TABLE {tree.space}.customers" in panel.editor.toPlainText()


def test_that_a_schema_is_made_and_shown(tree, do):
    tree.do("schema.new_schema")
    dialog = tree.dialog("schema.new_schema_dialog")
    assert not dialog.go.isEnabled()
    dialog.field.setText("brand new")
    dialog.go.click()
    try:
        tree.said("brand new is created")
        here = tree.model.index_of(HERE)
        tree.driver.until(lambda: "brand new" in tree.below(tree.model.index_of(HERE)))
        assert here is not None
    finally:
        do('DROP SCHEMA "brand new"')


def test_that_a_database_is_made_and_switched_to_and_the_old_pool_is_closed(tree, admin, backends, monkeypatch):
    asked = []
    monkeypatch.setattr("pgexplorer.ui.workbench.ask", lambda _parent, *words: asked.append(words) or True)
    tree.driver.window.deck.open_table(tree.panel.relation(tree.space, "customers"))
    tree.settle()
    tree.do("schema.new_database")
    dialog = tree.dialog("schema.new_database_dialog")
    dialog.field.setText("made here")
    dialog.go.click()
    try:
        tree.said("made here is created")
        tree.settle()
        switch = next(each for each in tree.panel.message.findChildren(QPushButton) if each.text() == "Switch to it")
        switch.click()
        tree.driver.until(lambda: tree.model.index_of(HERE).data() == "made here")
        tree.settle()
        [[title, words]] = asked
        assert title == "Switch to made here?"
        assert "2 to 3 connections" in words
        assert "1 table tab" in words
        assert tree.driver.window.deck.tabs.count() == 0
        assert tree.driver.server.in_use.profile.dbname == "made here"
        assert not tree.index("customers").isValid()
        used = (
            "SELECT string_agg(DISTINCT datname, ',') FROM pg_stat_activity WHERE application_name = 'pgexplorer/pool'"
        )
        tree.driver.until(lambda: admin.value(used) == "made here")
    finally:
        tree.driver.server.close()
        tree.driver.settle()
        admin.ask('DROP DATABASE "made here" WITH (FORCE)')


def test_that_a_database_that_lets_nobody_in_is_told_and_nothing_is_closed(tree, admin, monkeypatch):
    monkeypatch.setattr("pgexplorer.ui.workbench.ask", lambda *_: True)
    admin.ask("CREATE DATABASE closed_one")
    admin.ask("REVOKE CONNECT ON DATABASE closed_one FROM public")
    try:
        before = tree.driver.server.in_use
        tree.panel.switch_wanted.emit("closed_one")
        tree.said("permission denied for database")
        assert tree.driver.server.in_use is before
        assert tree.index("customers").isValid()
    finally:
        admin.ask("DROP DATABASE closed_one")


def test_that_a_no_leaves_the_database_that_is_in_use(tree, monkeypatch):
    monkeypatch.setattr("pgexplorer.ui.workbench.ask", lambda *_: False)
    before = tree.driver.server.in_use
    tree.panel.switch_wanted.emit("postgres")
    tree.settle()
    assert tree.driver.server.in_use is before


# -- what may be done


def test_that_a_menu_offers_what_fits_and_nothing_else(tree):
    tree.choose("seen")
    names = [action.objectName() for action in tree.panel.menu(tree.view).actions() if not action.isSeparator()]
    assert "action.schema.vacuum" not in names
    assert {"action.schema.open", "action.schema.count", "action.schema.drop", "action.schema.ddl"} <= set(names)
    here = tree.model.index_of(HERE)
    tree.view.setCurrentIndex(here)
    assert not tree.panel.action("schema.drop").isEnabled()
    assert tree.panel.action("schema.comment").isEnabled()
    tree.view.setCurrentIndex(tree.model.find("pg_catalog", "pg_class"))
    assert not tree.panel.action("schema.drop").isEnabled()
    assert tree.panel.action("schema.count").isEnabled()


def test_that_a_read_only_profile_offers_no_change(driver, profile, shop):
    driver.open(replace(profile, read_only=True))
    tree = Tree(driver, shop)
    tree.choose("customers")
    for name in ("schema.rename", "schema.drop", "schema.vacuum", "schema.comment", "schema.new_schema"):
        assert not tree.panel.action(name).isEnabled(), name
    tree.do("schema.count")
    driver.until(lambda: tree.index("customers").data(MUTED_ROLE).startswith("321 rows"))


def test_that_production_asks_once_more_and_a_no_changes_nothing(driver, profile, shop, do):
    driver.open(replace(profile, environment=Environment.PRODUCTION))
    tree = Tree(driver, shop)
    tree.choose("seen")
    tree.do("schema.drop")
    dialog = tree.dialog("schema.drop_dialog")
    dialog.field.setText("seen")
    dialog.go.click()
    confirm = tree.dialog("confirm")
    assert f'DROP VIEW "{shop}"."seen"' in confirm.findChild(object, "confirm.what").toPlainText()
    confirm.reject()
    tree.settle()
    assert do("SELECT count(*) FROM pg_class WHERE relname = 'seen'") == [(1,)]
    tree.choose("customers")
    tree.do("schema.analyze")
    confirm = tree.dialog("confirm")
    confirm.field.setText(profile.dbname)
    confirm.go.click()
    tree.said("is analyzed")


def test_that_without_a_server_nothing_is_offered_and_that_is_said(driver):
    panel = driver.window.schema
    assert [name for name, action in panel.actions_by_name.items() if action.isEnabled()] == ["schema.filter"]
    assert "Connect to a server" in panel._empty.accessibleDescription()


def test_that_a_pool_of_one_is_enough(driver, profile, shop):
    driver.open(replace(profile, minconn=1, maxconn=1))
    tree = Tree(driver, shop)
    assert tree.below(tree.open("customers")) == ["id", "nickname", "Keys and checks", "Indexes"]
    tree.type("greet")
    assert tree.found()[0][0] is K.FUNCTION
    tree.panel.filter.clear()
    tree.choose("customers")
    tree.do("schema.count")
    driver.until(lambda: tree.index("customers").data(MUTED_ROLE).startswith("321 rows"))
