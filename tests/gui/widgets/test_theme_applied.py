"""The theme on a screen."""

import pytest
from PySide6.QtCore import QEvent
from PySide6.QtGui import QColor, QFontInfo, QPalette
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from pgexplorer.ui import icons, theme
from pgexplorer.ui.widgets.password_edit import PasswordEdit
from pgexplorer.ui.widgets.spin_box import DoubleSpinBox, SpinBox

pytestmark = pytest.mark.qt_log_ignore("propagateSizeHints", extend=True)


@pytest.fixture
def dressed(qapp):
    yield theme.apply(qapp, theme.Scheme.LIGHT, text_scale=1.0)
    theme.apply(qapp, theme.Scheme.LIGHT, text_scale=1.0)


def test_that_the_palette_and_the_colours_change_together(qapp, dressed, qtbot):
    for scheme, colours in [(theme.Scheme.DARK, theme.DARK), (theme.Scheme.CONTRAST, theme.CONTRAST)]:
        with qtbot.waitSignal(dressed.changed):
            dressed.set_scheme(scheme)
        assert theme.current() is colours
        assert qapp.palette().color(QPalette.ColorRole.Window) == QColor(colours.window)
        disabled = qapp.palette().color(QPalette.ColorGroup.Disabled, QPalette.ColorRole.WindowText)
        assert disabled == QColor(colours.disabled)


def test_that_the_system_without_an_opinion_means_light(dressed):
    dressed.set_scheme(theme.Scheme.SYSTEM)
    assert theme.current() is theme.LIGHT


def test_that_there_is_one_theme_however_often_it_is_applied(qapp, dressed):
    assert theme.apply(qapp, theme.Scheme.DARK) is dressed
    assert theme.instance() is dressed


def test_that_the_fonts_come_with_the_program(dressed):
    assert QFontInfo(theme.sans()).family() == "Inter"
    assert QFontInfo(theme.mono()).family() == "JetBrains Mono"


def test_that_figures_are_of_one_width(dressed, qtbot):
    label = QLabel()
    qtbot.addWidget(label)
    label.ensurePolished()
    metrics = label.fontMetrics()
    assert len({metrics.horizontalAdvance(digit * 10) for digit in "0123456789"}) == 1


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 2.0])
def test_that_all_fields_and_buttons_are_of_one_height(dressed, qtbot, scale):
    dressed.set_scheme(theme.Scheme.LIGHT, text_scale=scale)
    panel = QWidget()
    qtbot.addWidget(panel)
    column = QVBoxLayout(panel)
    editable = QComboBox()
    editable.setEditable(True)
    for field in (QLineEdit(), PasswordEdit(), QComboBox(), editable, SpinBox(), DoubleSpinBox(), QPushButton("Run")):
        column.addWidget(field)
    panel.show()
    heights = {type(item).__name__: item.height() for item in panel.children() if isinstance(item, QWidget)}
    assert len(set(heights.values())) == 1, heights
    assert min(heights.values()) >= panel.fontMetrics().height() + 8
    if scale == 1.0:
        assert set(heights.values()) == {30}


def test_that_an_icon_that_is_worn_takes_the_colour_of_a_new_theme(dressed, qtbot):
    button = QPushButton()
    qtbot.addWidget(button)
    icons.wear(button, "play")
    before = button.icon().pixmap(24).toImage()
    dressed.set_scheme(theme.Scheme.DARK)
    assert button.icon().pixmap(24).toImage() != before


def test_that_putting_on_what_is_worn_changes_nothing(dressed, qtbot):
    with qtbot.assertNotEmitted(dressed.changed):
        dressed.set_scheme(theme.Scheme.LIGHT)


def test_that_a_change_of_the_theme_reaches_each_widget_a_fixed_number_of_times_however_deep(dressed, qtbot):
    class Counter(QWidget):
        changes = 0

        def changeEvent(self, event):
            self.changes += event.type() is QEvent.Type.StyleChange
            super().changeEvent(event)

    top = QWidget()
    qtbot.addWidget(top)
    inner = top
    for _ in range(20):
        inner = Counter(inner)
    top.show()
    inner.changes = 0
    dressed.set_scheme(theme.Scheme.DARK)
    assert inner.changes <= 2
    assert top.updatesEnabled()
