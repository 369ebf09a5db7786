"""Every icon can be drawn, and every name that the program says is an icon."""

import re

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QPushButton

from pgexplorer import assets
from pgexplorer.ui import icons, theme

NAMES = sorted(path.stem for path in (assets.resources() / "icons").glob("*.svg"))
SAID = re.compile(
    r'\bicon(?:s\.icon)?(?:\(|=|: str = )\s*"([^"]+)"'
    r'|\bpixmap\(\s*"([^"]+)"'
    r'|\bwear\([^,()"]+,\s*"([^"]+)"(?: if [^",]+ else "([^"]+)")?'
)


def opaque(pixmap):
    image = pixmap.toImage()
    return sum(image.pixelColor(x, y).alpha() > 0 for x in range(image.width()) for y in range(image.height()))


@pytest.mark.parametrize("name", NAMES)
def test_that_the_icon_shows_something_within_its_square(qapp, name):
    pixmap = icons.pixmap(name, 24)
    assert opaque(pixmap) >= 8, "empty"
    if name != "pgexplorer":
        image = icons.pixmap(name, 48).toImage()
        edge = [image.pixelColor(at, side).alpha() for at in range(48) for side in (0, 47)]
        edge += [image.pixelColor(side, at).alpha() for at in range(48) for side in (0, 47)]
        assert max(edge) == 0, "cut off at the edge"


def test_that_icons_are_drawn_alike():
    for name in NAMES:
        text = assets.text(f"icons/{name}.svg")
        if name != "pgexplorer":
            assert 'viewBox="0 0 24 24"' in text
            assert 'stroke="currentColor" stroke-width="1.75" stroke-linecap="round"' in text
            assert not re.search(r"#[0-9a-fA-F]{3,6}", text), name


def test_that_every_icon_named_in_the_program_exists():
    package = assets.resources().parent / "pgexplorer"
    said = {
        (path.name, name)
        for path in package.rglob("*.py")
        for groups in SAID.findall(path.read_text(encoding="utf-8"))
        for name in groups
        if name
    }
    assert said
    assert sorted((where, name) for where, name in said if name not in NAMES) == []


def test_that_an_unknown_icon_is_refused(qapp):
    with pytest.raises(FileNotFoundError):
        icons.icon("no-such-icon")


def test_that_a_disabled_icon_is_paler(qapp):
    icon = icons.icon("trash")
    enabled = icon.pixmap(24, QIcon.Mode.Normal).toImage()
    assert icon.pixmap(24, QIcon.Mode.Disabled).toImage() != enabled


def test_that_an_icon_is_sharp_on_a_dense_screen(qapp, monkeypatch):
    monkeypatch.setattr(icons, "_ratios", lambda: (1.0, 2.0))
    icons.forget()
    pixmap = icons.icon("trash").pixmap(QSize(24, 24), 2.0)
    assert pixmap.width() == 48
    assert pixmap.devicePixelRatio() == 2.0
    icons.forget()


def test_that_a_role_of_the_theme_is_a_colour(qapp):
    theme.apply(qapp, theme.Scheme.LIGHT)
    assert icons.icon("trash", "bad").cacheKey() == icons.icon("trash", theme.LIGHT.bad).cacheKey()


def test_that_a_target_that_is_gone_does_no_harm(qapp):
    button = QPushButton()
    icons.wear(button, "trash")
    button.deleteLater()
    del button
    icons.forget()


def test_that_the_program_has_an_icon_in_all_sizes(qapp):
    sizes = {size.width() for size in icons.app_icon().availableSizes()}
    assert {16, 32, 48, 256} <= sizes
