"""The colours, without a screen."""

import re
from itertools import product

import pytest

from pgexplorer import assets
from pgexplorer.ui import theme

SCHEMES = [theme.LIGHT, theme.DARK, theme.CONTRAST]
BACKGROUNDS = ["window", "surface", "raised", "code", "hover", "current_line"]
TEXTS = ["text", "muted", "accent", "good", "warn", "bad", "info", "purple"]
SYNTAX = ["keyword", "string", "number", "comment", "function", "type", "operator", "parameter"]
STATES = ["good", "warn", "bad", "info", "purple"]


def luminance(colour):
    def linear(channel):
        return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def least(colours):
    return 7.0 if colours.name == "contrast" else 4.5


def pairs(colours):
    yield from product(TEXTS, ["window", "surface", "raised", "code"])
    yield from product(["text", "muted"], BACKGROUNDS)
    yield from product(SYNTAX, ["surface", "code", "current_line"])
    yield from ((state, f"{state}_soft") for state in STATES)
    yield from (("text", f"{state}_soft") for state in STATES)
    yield from (("fill_text", f"{state}_fill") for state in [*STATES, "idle"])
    yield from [("accent_text", "accent"), ("accent_text", "accent_hover"), ("selection_text", "selection")]
    yield from [("text", "pressed"), ("bad", "bad_soft")]


def test_that_black_on_white_has_the_contrast_that_the_definition_gives():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colours", SCHEMES, ids=lambda colours: colours.name)
def test_that_every_text_can_be_read_on_every_background_it_may_lie_on(colours):
    too_weak = {
        (front, back): round(contrast(getattr(colours, front), getattr(colours, back)), 2)
        for front, back in pairs(colours)
        if contrast(getattr(colours, front), getattr(colours, back)) < least(colours)
    }
    assert too_weak == {}


@pytest.mark.parametrize("colours", SCHEMES, ids=lambda colours: colours.name)
def test_that_shapes_of_states_and_the_focus_stand_out_from_what_they_lie_on(colours):
    marks = [f"{state}_mark" for state in [*STATES, "idle"]] + ["focus"]
    too_weak = {
        (mark, back): round(contrast(getattr(colours, mark), getattr(colours, back)), 2)
        for mark, back in product(marks, ["surface", "window"])
        if contrast(getattr(colours, mark), getattr(colours, back)) < 3.0
    }
    assert too_weak == {}


@pytest.mark.parametrize("colours", SCHEMES, ids=lambda colours: colours.name)
def test_that_every_colour_is_written_in_full(colours):
    assert [role for role, value in colours.values() if not re.fullmatch(r"#[0-9a-f]{6}", value)] == []


@pytest.mark.parametrize("colours", SCHEMES, ids=lambda colours: colours.name)
@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_that_every_image_the_style_sheet_asks_for_exists(colours, scale):
    wanted = set(re.findall(r"url\(control:([^)]+)\)", theme.style_sheet(colours, scale, 9.75)))
    assert wanted
    there = {path.name for path in (assets.resources() / "icons" / "control").iterdir()}
    assert wanted <= there
    assert {name for name in there if f"-{colours.name}" in name} <= wanted, "an image that nobody asks for"


@pytest.mark.parametrize("colours", SCHEMES, ids=lambda colours: colours.name)
def test_that_the_images_of_controls_have_the_colours_of_their_scheme(colours):
    allowed = {colours.muted, colours.disabled, colours.accent, colours.accent_text, colours.selection_text}
    for path in (assets.resources() / "icons" / "control").glob(f"*-{colours.name}*.svg"):
        assert set(re.findall(r"#[0-9a-f]{6}", path.read_text())) <= allowed, path.name


def test_that_the_style_sheet_grows_with_the_text():
    heights = [
        int(re.search(r"QPushButton \{[^}]*min-height: (\d+)px", theme.style_sheet(theme.LIGHT, scale, 10))[1])
        for scale in (1, 2)
    ]
    assert heights[1] == 2 * heights[0]


def test_that_each_font_comes_with_its_licence():
    fonts = assets.resources() / "fonts"
    files = [path.name for path in fonts.iterdir() if path.suffix in {".ttf", ".otf"}]
    assert files
    for name in files:
        licence = fonts / f"{name.split('-')[0]}-OFL.txt"
        assert "SIL OPEN FONT LICENSE Version 1.1" in licence.read_text()
    assert sum((fonts / name).stat().st_size for name in files) <= 900_000
