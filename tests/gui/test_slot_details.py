"""What can be known of one slot: its stack, its history, how long its transaction has been idle."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from pgexplorer.ui.slot_details import SlotDetails


def shown(driver):
    [dialog] = [each for each in driver.window.findChildren(SlotDetails) if each.isVisible()]
    return dialog


def history(dialog):
    items = [dialog.ran.topLevelItem(place) for place in range(dialog.ran.topLevelItemCount())]
    return [[item.text(column) for column in range(5)] for item in items]


@pytest.mark.parametrize("kind", ["ThreadedConnectionPool", "PgPool"])
def test_that_a_slot_shows_its_stack_and_what_ran_on_it(driver, profile, kind):
    driver.open(replace(profile, pool_class=kind, timeout_s=1))
    driver.hand("pool.check_out")
    driver.find("pool.sql").setText("select 41 + 1")
    driver.hand("pool.run")
    driver.until(lambda: "idle in transaction" in driver.find("pool.slots").rows()[-1].state)
    board = driver.find("pool.slots")
    board.select(board.rows()[-1].key)
    driver.window.pool.action("pool.details").trigger()
    dialog = shown(driver)
    assert "by_hand.py" in dialog.stack.toPlainText()
    assert "held by by hand" in dialog.findChild(object, "slot.what").text()
    driver.until(lambda: history(dialog))
    at, took, left, holder, statement = history(dialog)[0]  # the newest first
    assert (left, holder, statement) == ("transaction open", "by hand", "select 41 + 1")
    assert at.count(":") == 2
    assert took.split()[1] in {"µs", "ms"}
    driver.hand("pool.return_all")
    driver.until(lambda: "Nobody has it." in dialog.stack.toPlainText())
    driver.hand("pool.close_all")
    driver.until(lambda: "not in the pool any more" in dialog.findChild(object, "slot.what").text())
    dialog.close()


def test_that_an_idle_transaction_tells_its_age_and_a_double_click_its_details(connected):
    connected.hand("pool.check_out")
    connected.hand("pool.run")
    connected.until(lambda: connected.find("pool.slots").rows()[-1].age in {"1 s", "2 s"})
    board = connected.find("pool.slots")
    row = board.rows()[-1]
    assert board._look()._state_room(row)[0].startswith("idle in transaction ")
    assert "1 s" not in row.spoken().replace("0", "")
    corner = board.card_area(row.key).topLeft()
    QTest.mouseDClick(board.viewport(), Qt.MouseButton.LeftButton, pos=corner + QPoint(10, 10))
    shown(connected).close()


def test_that_a_statement_that_waits_for_a_lock_says_so(connected, admin, own_schema):
    admin.ask(f'CREATE TABLE "{own_schema}".t (n int)')
    admin.ask(f'GRANT ALL ON "{own_schema}".t TO PUBLIC')
    admin.ask("BEGIN")
    admin.ask(f'LOCK TABLE "{own_schema}".t')
    connected.hand("pool.check_out")
    connected.find("pool.sql").setText(f'select * from "{own_schema}".t')
    connected.window.pool.action("pool.run").trigger()
    connected.until(lambda: connected.find("pool.slots").rows()[-1].age == "· waits for Lock: relation")
    admin.ask("ROLLBACK")
    connected.until(lambda: connected.find("pool.slots").rows()[-1].state == "idle in transaction")
    assert "Lock" not in connected.find("pool.slots").rows()[-1].age
    connected.hand("pool.return_all")  # its transaction holds the table, which is dropped next
