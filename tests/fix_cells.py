"""Cells of the table panel as a person uses them: gone to, read, written in."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QMessageBox, QPushButton

from pgexplorer.ui.widgets.grid_editor import CELL

Key = Qt.Key


def at(panel, row, column):
    """Make a cell the current one."""
    panel.grid.setFocus()
    panel.grid.setCurrentIndex(panel.model.index(row, column))


def cell(panel, row, column):
    """Return what a cell shows."""
    return panel.model.index(row, column).data()


def line(panel, row):
    """Return what the cells of a row show."""
    return [cell(panel, row, column) for column in range(panel.model.columnCount())]


def cell_editor(driver, panel, kind=QLineEdit):
    """Return what a cell is written in, when it is there."""
    driver.until(lambda: panel.grid.viewport().findChildren(kind, CELL))
    return panel.grid.viewport().findChildren(kind, CELL)[-1]


def write(driver, panel, row, column, text):
    """Type *text* into a cell, and wait until it is closed."""
    at(panel, row, column)
    QTest.keyClick(panel.grid, Key.Key_F2)
    editor = cell_editor(driver, panel)
    editor.selectAll()
    QTest.keyClicks(editor, text)
    QTest.keyClick(editor, Key.Key_Return)
    driver.until(lambda: not panel.grid.viewport().findChildren(QLineEdit, CELL))


def answer(driver, button):
    """Answer what is asked before pending changes are lost: "send", "drop" or "cancel"."""
    driver.until(lambda: any(each.isVisible() for each in driver.frame.findChildren(QMessageBox, "settle")))
    [box] = [each for each in driver.frame.findChildren(QMessageBox, "settle") if each.isVisible()]
    box.findChild(QPushButton, f"settle.{button}").click()
