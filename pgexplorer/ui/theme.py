"""How the program looks: colours and fonts, light, dark and high contrast; the palette first, then one style sheet."""

import contextlib
import enum
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, fields

from PySide6.QtCore import QDir, QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QFontMetricsF, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

from pgexplorer import assets

SANS = "Inter"
MONO = "JetBrains Mono"
_FONT_FILES = (
    "Inter-Regular.otf",
    "Inter-SemiBold.otf",
    "Inter-Bold.otf",
    "JetBrainsMono-Regular.ttf",
    "JetBrainsMono-Bold.ttf",
)
_FALL_BACK_SANS = ("Noto Sans", "Segoe UI", "Helvetica Neue", "Sans Serif")
_FALL_BACK_MONO = ("DejaVu Sans Mono", "Menlo", "Consolas", "monospace")
# Pixels of body text at scale 1; in points that is 9.75 where an inch has 96 dots, and 13 on macOS, where it has 72.
_BODY_PIXELS = 13.0
_BODY_LINE = 15.73  # the height of a line of body text at scale 1, on which every other measure rests


class Scheme(enum.StrEnum):
    """Which colours the user asked for."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"
    CONTRAST = "contrast"


@dataclass(frozen=True, slots=True)
class Colours:
    """One scheme's colours as "#rrggbb".

    State colours (good, warn, bad, info, purple) are legible as text on every background, `*_soft` are backgrounds for
    that text, `*_mark` are shapes without text, and `*_fill` are areas that carry `fill_text`.
    """

    name: str
    window: str
    surface: str
    raised: str
    line: str
    border: str
    hover: str
    pressed: str
    text: str
    muted: str
    disabled: str
    accent: str
    accent_hover: str
    accent_pressed: str
    accent_text: str
    focus: str
    good: str
    warn: str
    bad: str
    info: str
    purple: str
    good_soft: str
    warn_soft: str
    bad_soft: str
    info_soft: str
    purple_soft: str
    good_mark: str
    warn_mark: str
    bad_mark: str
    info_mark: str
    purple_mark: str
    idle_mark: str
    good_fill: str
    warn_fill: str
    bad_fill: str
    info_fill: str
    purple_fill: str
    idle_fill: str
    fill_text: str
    code: str
    current_line: str
    selection: str
    selection_text: str
    keyword: str
    string: str
    number: str
    comment: str
    function: str
    type: str
    operator: str
    parameter: str

    def values(self) -> Iterator[tuple[str, str]]:
        """Yield (role, colour) for every colour."""
        for field in fields(self):
            if field.name != "name":
                yield field.name, getattr(self, field.name)


LIGHT = Colours(
    name="light",
    window="#f5f6f8",
    surface="#ffffff",
    raised="#ffffff",
    line="#e3e6ea",
    border="#cfd5dc",
    hover="#eef1f4",
    pressed="#e2e6eb",
    text="#1b2129",
    muted="#59636f",
    disabled="#98a1ac",
    accent="#1765dc",
    accent_hover="#1158c6",
    accent_pressed="#0d4aa8",
    accent_text="#ffffff",
    focus="#1765dc",
    good="#19723a",
    warn="#855900",
    bad="#bf2530",
    info="#1761cf",
    purple="#7440c4",
    good_soft="#e7f5ec",
    warn_soft="#fdf3dc",
    bad_soft="#fdecec",
    info_soft="#e9f1fd",
    purple_soft="#f2ecfc",
    good_mark="#279a4c",
    warn_mark="#bd7d08",
    bad_mark="#d63b45",
    info_mark="#3a80ee",
    purple_mark="#8a5bd6",
    idle_mark="#848e9a",
    good_fill="#8ed4a5",
    warn_fill="#f1c76d",
    bad_fill="#f3a19c",
    info_fill="#9cc4f8",
    purple_fill="#cbb4f4",
    idle_fill="#d9dee4",
    fill_text="#1b2129",
    code="#f3f5f7",
    current_line="#edf1f6",
    selection="#d5e5fc",
    selection_text="#1b2129",
    keyword="#7b2fb0",
    string="#1a6b3c",
    number="#0a58b0",
    comment="#5c6773",
    function="#8a4b00",
    type="#0b6a73",
    operator="#3c4652",
    parameter="#a3320b",
)
DARK = Colours(
    name="dark",
    window="#14181d",
    surface="#1a1f26",
    raised="#222932",
    line="#2b323c",
    border="#3b4451",
    hover="#272f39",
    pressed="#313a46",
    text="#e4e8ee",
    muted="#98a3b2",
    disabled="#626d7b",
    accent="#5b9dff",
    accent_hover="#76aeff",
    accent_pressed="#4a8cf0",
    accent_text="#071425",
    focus="#5b9dff",
    good="#56c979",
    warn="#e0ab43",
    bad="#ff8078",
    info="#74b0ff",
    purple="#bd9bf5",
    good_soft="#16291e",
    warn_soft="#2d2413",
    bad_soft="#341c1e",
    info_soft="#172537",
    purple_soft="#271f38",
    good_mark="#4cc272",
    warn_mark="#dda53a",
    bad_mark="#f8746c",
    info_mark="#63a4ff",
    purple_mark="#b38ef2",
    idle_mark="#8390a0",
    good_fill="#256e3e",
    warn_fill="#7d5a12",
    bad_fill="#9b3535",
    info_fill="#25589b",
    purple_fill="#5f45a0",
    idle_fill="#3a4350",
    fill_text="#ffffff",
    code="#12161b",
    current_line="#202731",
    selection="#234576",
    selection_text="#ffffff",
    keyword="#c99cf2",
    string="#8ccf9c",
    number="#7fb8ff",
    comment="#8792a1",
    function="#e8b878",
    type="#6fcbd4",
    operator="#b7c0cc",
    parameter="#ff9d85",
)
CONTRAST = Colours(
    name="contrast",
    window="#000000",
    surface="#000000",
    raised="#101010",
    line="#8a8a8a",
    border="#ffffff",
    hover="#2b2b2b",
    pressed="#454545",
    text="#ffffff",
    muted="#d6d6d6",
    disabled="#a3a3a3",
    accent="#ffd83d",
    accent_hover="#ffe680",
    accent_pressed="#e6bd00",
    accent_text="#000000",
    focus="#ffd83d",
    good="#6dff9a",
    warn="#ffc247",
    bad="#ffaaa3",
    info="#9ccfff",
    purple="#dcc2ff",
    good_soft="#00210c",
    warn_soft="#241900",
    bad_soft="#2b0605",
    info_soft="#001b33",
    purple_soft="#1b0b30",
    good_mark="#6dff9a",
    warn_mark="#ffc247",
    bad_mark="#ffaaa3",
    info_mark="#9ccfff",
    purple_mark="#dcc2ff",
    idle_mark="#d6d6d6",
    good_fill="#6dff9a",
    warn_fill="#ffc247",
    bad_fill="#ffaaa3",
    info_fill="#9ccfff",
    purple_fill="#dcc2ff",
    idle_fill="#d6d6d6",
    fill_text="#000000",
    code="#000000",
    current_line="#1f1f1f",
    selection="#ffd83d",
    selection_text="#000000",
    keyword="#e3b8ff",
    string="#8dff9f",
    number="#9ccfff",
    comment="#d0d0d0",
    function="#ffd083",
    type="#7ff0ff",
    operator="#ffffff",
    parameter="#ffb3a0",
)

_current: Colours = LIGHT
_scale = 1.0


def current() -> Colours:
    """Return the colours in use; the light ones before a theme is applied."""
    return _current


def scaled(pixels: float) -> int:
    """Return *pixels*, meant for body text of 13 px, at the size of the text in use."""
    return max(1, round(pixels * _scale))


def colour(role: str) -> QColor:
    """Return the colour of the given role of Colours."""
    return QColor(str(getattr(_current, role)))


def sans(points: float | None = None, *, semibold: bool = False) -> QFont:
    """Return the font of the interface, with figures of one width so that numbers stand still and align."""
    font = QFont()
    font.setFamilies([SANS, *_FALL_BACK_SANS])
    font.setPointSizeF(points if points is not None else QApplication.font().pointSizeF())
    if semibold:
        font.setWeight(QFont.Weight.DemiBold)
    _same_width_figures(font)
    return font


def mono(points: float | None = None, *, bold: bool = False) -> QFont:
    """Return the font of code and values; a little smaller than text because its letters are larger."""
    font = QFont()
    font.setFamilies([MONO, *_FALL_BACK_MONO])
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setFixedPitch(True)
    font.setPointSizeF(points if points is not None else QApplication.font().pointSizeF() * 0.94)
    font.setBold(bold)
    return font


def apply(app: QApplication, scheme: Scheme = Scheme.SYSTEM, *, text_scale: float = 1.0) -> "Theme":
    """Dress *app* in *scheme* and return its Theme, made at the first call; the system's scheme is followed live."""
    theme = instance(app) or Theme(app)
    theme.set_scheme(scheme, text_scale=text_scale)
    return theme


def instance(app: QObject | None = None) -> "Theme | None":
    """Return the application's Theme, or None before the first apply()."""
    owner = app or QApplication.instance()
    return owner.findChild(Theme, "theme", Qt.FindChildOption.FindDirectChildrenOnly) if owner else None


class Theme(QObject):
    """Keeps an application dressed: fonts, palette and style sheet, changed together."""

    changed = Signal()

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self.setObjectName("theme")
        self._app = app
        self._scheme = Scheme.SYSTEM
        self._text_scale = 1.0
        self._base_points = _base_points(app.font())
        self._worn = ""  # the style sheet in use
        load_fonts()
        app.setStyle(QStyleFactory.create("Fusion"))
        app.styleHints().colorSchemeChanged.connect(self._follow_system)

    def scheme(self) -> Scheme:
        """Return what the user asked for, which may be the system's."""
        return self._scheme

    def text_scale(self) -> float:
        """Return how much larger than usual text is."""
        return self._text_scale

    def set_scheme(self, scheme: Scheme, *, text_scale: float | None = None) -> None:
        """Dress the application in *scheme*, with text *text_scale* times as large as usual."""
        self._scheme = scheme
        if text_scale is not None:
            self._text_scale = text_scale
        self._dress()

    @contextlib.contextmanager
    def undressed(self) -> Generator[None]:
        """Take the style sheet off while much is built and nothing is painted, and put it on afterwards.

        Qt styles a widget, and all within it, at each step from the innermost layout to the window; without a sheet
        that is nearly free, and at the end everything is styled once.
        """
        self._app.setStyleSheet("")
        try:
            yield
        finally:
            self._app.setStyleSheet(self._worn)

    def _follow_system(self) -> None:
        if self._scheme is Scheme.SYSTEM:
            self._dress()

    def _tell_the_system(self) -> None:
        # Title bars and the system's own dialogs should match; SYSTEM hands the choice back.
        asked = {Scheme.LIGHT: Qt.ColorScheme.Light, Scheme.DARK: Qt.ColorScheme.Dark}
        asked[Scheme.CONTRAST] = Qt.ColorScheme.Dark
        self._app.styleHints().setColorScheme(asked.get(self._scheme, Qt.ColorScheme.Unknown))

    def _dress(self) -> None:
        global _current, _scale  # noqa: PLW0603  (painters ask for the colours far more often than they change)
        self._tell_the_system()
        _current = _colours_of(self._app, self._scheme)
        font = sans(self._base_points * self._text_scale)
        _scale = max(0.5, QFontMetricsF(font).height() / _BODY_LINE)
        sheet = style_sheet(_current, _scale, font.pointSizeF())
        if sheet == self._worn:  # every colour and every length is in it
            return
        self._worn = sheet
        QDir.setSearchPaths("control", [str(assets.resources() / "icons" / "control")])
        windows = [window for window in self._app.topLevelWidgets() if window.updatesEnabled()]
        for window in windows:
            window.setUpdatesEnabled(False)
        # A sheet that replaces another is polished into every widget once for each of its ancestors; a sheet that
        # is put on afresh, only once.
        self._app.setStyleSheet("")
        self._app.setFont(font)
        self._app.setPalette(palette(_current))
        self._app.setStyleSheet(sheet)
        self.changed.emit()
        for window in windows:
            window.setUpdatesEnabled(True)


def load_fonts() -> None:
    """Load the fonts that come with the program; other scripts and emoji come from the system."""
    if SANS in QFontDatabase.families() and MONO in QFontDatabase.families():
        return
    for name in _FONT_FILES:
        QFontDatabase.addApplicationFont(str(assets.resources() / "fonts" / name))


def palette(colours: Colours) -> QPalette:
    """Return a palette with every role set, for what the style sheet does not reach."""
    result = QPalette()
    roles = QPalette.ColorRole
    table = {
        roles.Window: colours.window,
        roles.WindowText: colours.text,
        roles.Base: colours.surface,
        roles.AlternateBase: colours.window,
        roles.Text: colours.text,
        roles.PlaceholderText: colours.muted,
        roles.Button: colours.raised,
        roles.ButtonText: colours.text,
        roles.BrightText: colours.bad,
        roles.ToolTipBase: colours.raised,
        roles.ToolTipText: colours.text,
        roles.Highlight: colours.selection,
        roles.HighlightedText: colours.selection_text,
        roles.Accent: colours.accent,
        roles.Link: colours.accent,
        roles.LinkVisited: colours.purple,
        roles.Light: colours.raised,
        roles.Midlight: colours.hover,
        roles.Mid: colours.line,
        roles.Dark: colours.border,
        roles.Shadow: colours.pressed,
    }
    for role, value in table.items():
        result.setColor(QPalette.ColorGroup.All, role, QColor(value))
    for role in (roles.WindowText, roles.Text, roles.ButtonText, roles.ToolTipText, roles.HighlightedText):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.disabled))
    for role in (roles.PlaceholderText, roles.BrightText, roles.Link, roles.LinkVisited, roles.Accent):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.disabled))
    result.setColor(QPalette.ColorGroup.Disabled, roles.Highlight, QColor(colours.pressed))
    for role in (roles.Base, roles.Button):
        result.setColor(QPalette.ColorGroup.Disabled, role, QColor(colours.window))
    return result


def style_sheet(colours: Colours, scale: float, points: float) -> str:
    """Return the style sheet for *colours*, its lengths multiplied by *scale*, for text of *points*.

    Dynamic properties say what a widget is:

    - QLabel: heading 1 or 2, muted, mono, figure, state (good, warn, bad, info, busy), band (warn, bad)
    - QPushButton: primary (one a panel), danger, quiet, small, icon_only, field (looks like one),
      floating (over other content)
    - QFrame: card, floating (over other content), separator (True or "vertical")
    - QWidget: surface, bar (both with WA_StyledBackground)
    - fields: invalid, cell (it lies in a grid); QLineEdit and QPlainTextEdit: mono; text edits: code, flat;
      QPlainTextEdit: detail
    - item views: card; QProgressBar: thin
    """
    c = colours

    def px(pixels: float) -> str:
        return f"{max(1, round(pixels * scale))}px"

    def pt(factor: float) -> str:
        return f"{points * factor:.2f}pt"

    # A focused control swaps one pixel of padding for a second pixel of border, so that nothing moves.
    thick = "2px"
    monospace = f'"{MONO}", "DejaVu Sans Mono", monospace'
    fields_ = "QLineEdit, QComboBox, QAbstractSpinBox"
    arrow = c.name
    return f"""
* {{ outline: none; }}
QMainWindow, QDialog {{ background: {c.window}; }}
QWidget:disabled {{ color: {c.disabled}; }}

QLabel {{ background: transparent; }}
QLabel[heading="1"] {{ font-size: {pt(1.25)}; font-weight: 600; }}
QLabel[heading="2"] {{ font-size: {pt(1)}; font-weight: 600; }}
QLabel[muted="true"] {{ color: {c.muted}; font-size: {pt(0.94)}; }}
QLabel[mono="true"], QPlainTextEdit[mono="true"], QLineEdit[mono="true"] {{
    font-family: {monospace}; font-size: {pt(0.94)}; }}
QLabel[figure="true"] {{ font-size: {pt(1.3)}; font-weight: 600; }}
QLabel[state="good"] {{ color: {c.good}; }}
QLabel[state="warn"] {{ color: {c.warn}; }}
QLabel[state="bad"] {{ color: {c.bad}; }}
QLabel[state="info"] {{ color: {c.info}; }}
QLabel[state="busy"] {{ color: {c.purple}; }}

QLabel[band="bad"] {{ background: {c.bad_soft}; color: {c.bad}; border-bottom: {px(3)} solid {c.bad_mark};
    font-weight: 600; }}
QLabel[band="warn"] {{ background: {c.warn_soft}; color: {c.warn}; border-bottom: {px(3)} solid {c.warn_mark};
    font-weight: 600; }}

QFrame[floating="true"] {{ background: {c.raised}; border: 1px solid {c.border}; border-radius: {px(8)}; }}
QFrame[card="true"] {{ background: {c.surface}; border: 1px solid {c.line}; border-radius: {px(8)}; }}
QWidget[surface="true"] {{ background: {c.surface}; }}
QWidget[bar="true"] {{ background: {c.surface}; border-bottom: 1px solid {c.line}; }}
QFrame[popup="true"] {{ background: {c.raised}; border: 1px solid {c.border}; border-radius: {px(4)}; }}
QFrame[popup="true"] QListView, QFrame[popup="true"] QListView:focus {{ background: {c.raised}; border: none; }}
QFrame[separator="true"] {{ background: {c.line}; border: none; min-height: 1px; max-height: 1px; }}
QFrame[separator="vertical"] {{ background: {c.line}; border: none; min-width: 1px; max-width: 1px; }}

QPushButton {{
    background: {c.raised}; color: {c.text}; border: 1px solid {c.border}; border-radius: {px(6)};
    padding: {px(5)} {px(12)}; min-height: {px(18)}; }}
QPushButton:hover {{ background: {c.hover}; }}
QPushButton:pressed, QPushButton:checked {{ background: {c.pressed}; }}
QPushButton:focus {{
    border: {thick} solid {c.focus}; padding: {px(4)} {px(11)}; }}
QPushButton:disabled {{ background: transparent; color: {c.disabled}; border-color: {c.line}; }}
QPushButton[primary="true"] {{
    background: {c.accent}; color: {c.accent_text}; border-color: {c.accent}; font-weight: 600; }}
QPushButton[primary="true"]:hover {{ background: {c.accent_hover}; border-color: {c.accent_hover}; }}
QPushButton[primary="true"]:pressed {{ background: {c.accent_pressed}; border-color: {c.accent_pressed}; }}
QPushButton[primary="true"]:focus {{ border: {thick} solid {c.text}; }}
QPushButton[primary="true"]:disabled {{
    background: {c.pressed}; color: {c.disabled}; border-color: {c.pressed}; }}
QPushButton[danger="true"] {{ color: {c.bad}; }}
QPushButton[danger="true"]:hover {{ background: {c.bad_soft}; border-color: {c.bad}; }}
QPushButton[danger="true"]:focus {{ border: {thick} solid {c.bad}; }}
QPushButton[danger="true"]:disabled {{ color: {c.disabled}; border-color: {c.line}; }}
QPushButton[quiet="true"] {{ background: transparent; border-color: transparent; padding: {px(5)} {px(8)}; }}
QPushButton[quiet="true"]:hover {{ background: {c.hover}; border-color: {c.hover}; }}
QPushButton[quiet="true"]:pressed, QPushButton[quiet="true"]:checked {{
    background: {c.pressed}; border-color: {c.pressed}; }}
QPushButton[quiet="true"]:focus {{ border: {thick} solid {c.focus}; padding: {px(4)} {px(7)}; }}
QPushButton[small="true"] {{ padding: {px(2)} {px(9)}; min-height: {px(16)}; }}
QPushButton[small="true"]:focus {{ padding: {px(1)} {px(8)}; }}
QPushButton[icon_only="true"] {{ background: transparent; border: 1px solid transparent; padding: {px(3)};
    min-height: {px(16)}; min-width: {px(16)}; }}
QPushButton[icon_only="true"]:hover {{ background: {c.hover}; }}
QPushButton[icon_only="true"]:pressed {{ background: {c.pressed}; }}
QPushButton[icon_only="true"]:focus {{ border: {thick} solid {c.focus}; padding: {px(2)}; }}
QPushButton[icon_only="true"][small="true"] {{ padding: {px(2)}; }}
QPushButton[icon_only="true"][small="true"]:focus {{ padding: {px(1)}; }}
QPushButton[toggle="true"] {{ background: transparent; border: 1px solid transparent; color: {c.muted};
    font-family: {monospace}; padding: {px(2)} {px(4)}; min-height: {px(16)}; min-width: {px(18)}; }}
QPushButton[toggle="true"]:hover {{ background: {c.hover}; }}
QPushButton[toggle="true"]:checked {{ background: {c.info_soft}; color: {c.info}; border-color: {c.info}; }}
QPushButton[toggle="true"]:focus {{ border: {thick} solid {c.focus}; padding: {px(1)} {px(3)}; }}
QPushButton[field="true"] {{ background: {c.surface}; }}
QPushButton[field="true"]:hover {{ background: {c.surface}; border-color: {c.muted}; }}
QPushButton[floating="true"] {{ background: {c.raised}; border-color: {c.line}; }}
QPushButton::menu-indicator {{
    image: url(control:chevron-down-{arrow}.svg); width: {px(12)}; height: {px(12)};
    subcontrol-origin: padding; subcontrol-position: center right; right: {px(4)}; }}

QToolBar {{ background: {c.surface}; border: none; border-bottom: 1px solid {c.line};
    spacing: {px(4)}; padding: {px(5)} {px(8)}; }}
QToolBar::separator {{ background: {c.line}; width: 1px; margin: {px(4)} {px(4)}; }}
QToolButton {{ background: transparent; color: {c.text}; border: 1px solid transparent; border-radius: {px(6)};
    padding: {px(4)} {px(7)}; min-height: {px(18)}; }}
QToolButton:hover {{ background: {c.hover}; }}
QToolButton:pressed, QToolButton:checked, QToolButton:open {{ background: {c.pressed}; }}
QToolButton:focus {{ border: {thick} solid {c.focus}; padding: {px(3)} {px(6)}; }}
QToolButton:disabled {{ color: {c.disabled}; }}
QToolButton::menu-indicator {{ image: none; }}
QToolButton[popupMode="1"] {{ padding-right: {px(20)}; }}
QToolButton::menu-button {{ border: none; width: {px(16)}; }}
QToolButton::menu-arrow {{ image: url(control:chevron-down-{arrow}.svg); width: {px(12)}; height: {px(12)}; }}

{fields_} {{
    background: {c.surface}; color: {c.text}; border: 1px solid {c.border}; border-radius: {px(6)};
    padding: {px(5)} {px(9)}; min-height: {px(18)};
    selection-background-color: {c.selection}; selection-color: {c.selection_text};
    placeholder-text-color: {c.muted}; }}
QLineEdit:hover, QComboBox:hover, QAbstractSpinBox:hover {{ border-color: {c.muted}; }}
QLineEdit:focus, QComboBox:focus, QComboBox:on, QAbstractSpinBox:focus {{
    border: {thick} solid {c.focus}; padding: {px(4)} {px(8)}; }}
QLineEdit:disabled, QComboBox:disabled, QAbstractSpinBox:disabled {{
    background: {c.window}; color: {c.disabled}; border-color: {c.line}; }}
QLineEdit:read-only {{ background: {c.window}; }}
QLineEdit[invalid="true"], QComboBox[invalid="true"], QAbstractSpinBox[invalid="true"] {{ border-color: {c.bad}; }}
QComboBox {{ padding-right: {px(26)}; }}
QComboBox:focus, QComboBox:on {{ padding-right: {px(25)}; }}
QComboBox:!editable {{ padding-left: {px(11)}; }}
QComboBox:!editable:focus, QComboBox:!editable:on {{ padding-left: {px(10)}; }}
QLineEdit QToolButton {{ min-height: 0; padding: 0; border: none; background: transparent; }}
QComboBox::drop-down {{ subcontrol-origin: border; subcontrol-position: center right;
    width: {px(26)}; border: none; background: transparent; }}
QComboBox::down-arrow {{ image: url(control:chevron-down-{arrow}.svg); width: {px(14)}; height: {px(14)}; }}
QComboBox::down-arrow:disabled {{ image: url(control:chevron-down-{arrow}-off.svg); }}
QComboBox QLineEdit, QComboBox QLineEdit:focus, QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus {{
    background: transparent; border: none; padding: 0; min-height: 0; }}
QLineEdit[cell="true"], QLineEdit[cell="true"]:focus, QComboBox[cell="true"], QComboBox[cell="true"]:focus,
QComboBox[cell="true"]:on {{ border: {thick} solid {c.focus}; border-radius: 0; padding: 0 {px(4)}; min-height: 0; }}
QComboBox QAbstractItemView, QComboBox QAbstractItemView:focus {{ background: {c.raised}; border: none;
    padding: {px(3)}; }}
QComboBox QAbstractItemView::item {{ min-height: {px(24)}; padding: 0 {px(6)}; border-radius: {px(4)}; }}
QAbstractSpinBox {{ padding: {px(5)} {px(24)} {px(5)} 0; max-height: {px(18)}; }}
QAbstractSpinBox:focus {{ padding: {px(4)} {px(23)} {px(4)} 0; }}
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ subcontrol-origin: border; width: {px(22)};
    border: none; background: transparent; border-radius: {px(3)}; }}
QAbstractSpinBox::up-button {{ subcontrol-position: top right; margin: {px(3)} {px(3)} 0 0; }}
QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; margin: 0 {px(3)} {px(3)} 0; }}
QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover {{ background: {c.hover}; }}
QAbstractSpinBox::up-button:pressed, QAbstractSpinBox::down-button:pressed {{ background: {c.pressed}; }}
QAbstractSpinBox::up-arrow {{ image: url(control:chevron-up-{arrow}.svg); width: {px(10)}; height: {px(10)}; }}
QAbstractSpinBox::down-arrow {{ image: url(control:chevron-down-{arrow}.svg); width: {px(10)}; height: {px(10)}; }}
QAbstractSpinBox::up-arrow:disabled, QAbstractSpinBox::up-arrow:off {{
    image: url(control:chevron-up-{arrow}-off.svg); }}
QAbstractSpinBox::down-arrow:disabled, QAbstractSpinBox::down-arrow:off {{
    image: url(control:chevron-down-{arrow}-off.svg); }}

QPlainTextEdit, QTextEdit {{
    background: {c.surface}; color: {c.text}; border: 1px solid {c.border}; border-radius: {px(6)};
    padding: {px(3)}; selection-background-color: {c.selection}; selection-color: {c.selection_text};
    placeholder-text-color: {c.muted}; }}
QPlainTextEdit:focus, QTextEdit:focus {{ border: {thick} solid {c.focus}; padding: {px(2)}; }}
QPlainTextEdit[code="true"], QTextEdit[code="true"] {{ background: {c.code}; border: 1px solid {c.line};
    border-radius: {px(8)}; font-family: {monospace}; font-size: {pt(0.94)}; }}
QPlainTextEdit[code="true"]:focus, QTextEdit[code="true"]:focus {{ border: {thick} solid {c.focus}; }}
QPlainTextEdit[flat="true"], QTextEdit[flat="true"] {{ border: none; border-radius: 0; padding: 0; }}
QPlainTextEdit[detail="true"] {{ background: transparent; }}

QCheckBox, QRadioButton {{ background: transparent; spacing: {px(8)}; padding: {px(3)} {px(2)};
    border: {thick} solid transparent; border-radius: {px(4)}; }}
QCheckBox:focus, QRadioButton:focus {{ border-color: {c.focus}; }}
QCheckBox::indicator, QGroupBox::indicator, QAbstractItemView::indicator {{ width: {px(15)}; height: {px(15)};
    border: 1px solid {c.muted}; border-radius: {px(4)}; background: {c.surface}; }}
QCheckBox::indicator:hover, QRadioButton::indicator:hover {{ border-color: {c.accent}; }}
QCheckBox::indicator:checked, QGroupBox::indicator:checked, QAbstractItemView::indicator:checked {{
    background: {c.accent}; border-color: {c.accent}; image: url(control:check-{arrow}.svg); }}
QCheckBox::indicator:indeterminate {{ background: {c.accent}; border-color: {c.accent};
    image: url(control:dash-{arrow}.svg); }}
QCheckBox::indicator:disabled, QRadioButton::indicator:disabled {{ border-color: {c.line};
    background: {c.window}; }}
QCheckBox::indicator:checked:disabled {{ background: {c.disabled}; border-color: {c.disabled}; }}
QRadioButton::indicator {{ width: {px(15)}; height: {px(15)}; border: 1px solid {c.muted};
    border-radius: {px(8)}; background: {c.surface}; }}
QRadioButton::indicator:checked {{ background: {c.accent}; border-color: {c.accent};
    image: url(control:dot-{arrow}.svg); }}

QTabWidget::pane {{ border: none; border-top: 1px solid {c.line}; }}
QTabWidget::tab-bar {{ left: 0; }}
QTabBar {{ background: transparent; qproperty-drawBase: 0; }}
QTabBar::tab {{ background: transparent; color: {c.muted}; border: none; border-bottom: 2px solid transparent;
    padding: {px(7)} {px(12)} {px(6)} {px(12)}; min-height: {px(18)}; }}
QTabBar::tab:hover {{ color: {c.text}; background: {c.hover}; }}
QTabBar::tab:selected {{ color: {c.text}; border-bottom: 2px solid {c.accent}; }}
QTabBar::tab:selected:focus {{ background: {c.hover}; border: {thick} solid {c.focus}; border-radius: {px(4)};
    padding: {round(7 * scale) - 2}px {round(12 * scale) - 2}px {px(6)} {round(12 * scale) - 2}px; }}
QTabBar::tab:disabled {{ color: {c.disabled}; }}
QTabBar::close-button {{ image: url(control:close-{arrow}.svg); subcontrol-position: right;
    border-radius: {px(3)}; padding: 2px; }}
QTabBar::close-button:hover {{ background: {c.pressed}; }}
QTabBar QToolButton {{ background: {c.surface}; border: 1px solid {c.line}; padding: 0; }}

QTreeView, QTableView, QListView {{
    background: {c.surface}; color: {c.text}; border: none; gridline-color: {c.line};
    selection-background-color: {c.selection}; selection-color: {c.selection_text};
    alternate-background-color: {c.window}; show-decoration-selected: 1; }}
QTreeView, QListView {{ icon-size: {px(16)}; }}
QTreeView {{ qproperty-indentation: {round(18 * scale)}; }}
QTreeView[narrow="true"] {{ qproperty-indentation: {round(13 * scale)}; }}
QPushButton, QTabBar {{ icon-size: {px(16)}; }}
QToolBar, QToolButton {{ icon-size: {px(17)}; }}
QTreeView::item {{ height: {px(24)}; padding: 0 {px(4)}; }}
QListView::item {{ height: {px(26)}; padding: 0 {px(6)}; }}
QTableView::item {{ padding: 0 {px(6)}; }}
QTreeView::item:hover, QListView::item:hover {{ background: {c.hover}; color: {c.text}; }}
QTreeView::item:selected, QListView::item:selected, QTableView::item:selected {{
    background: {c.selection}; color: {c.selection_text}; }}
QTreeView::branch {{ background: {c.surface}; }}
QTreeView::branch:hover {{ background: {c.hover}; }}
QTreeView::branch:selected {{ background: {c.selection}; }}
QTreeView::branch:has-children:closed {{ image: url(control:chevron-right-{arrow}.svg); }}
QTreeView::branch:has-children:open {{ image: url(control:chevron-down-{arrow}.svg); }}
QTreeView::branch:has-children:closed:selected {{ image: url(control:chevron-right-{arrow}-selected.svg); }}
QTreeView::branch:has-children:open:selected {{ image: url(control:chevron-down-{arrow}-selected.svg); }}
QTreeView:focus, QListView:focus, QTableView:focus {{ border: 1px solid {c.focus}; }}
QTreeView, QListView, QTableView {{ border: 1px solid transparent; }}
QTreeView[card="true"], QListView[card="true"], QTableView[card="true"] {{
    border: 1px solid {c.line}; border-radius: {px(8)}; }}
QTreeView[card="true"]:focus, QListView[card="true"]:focus, QTableView[card="true"]:focus {{
    border: 1px solid {c.focus}; }}
QHeaderView {{ background: {c.window}; border: none; }}
QHeaderView::section {{ background: {c.window}; color: {c.muted}; border: none;
    border-right: 1px solid {c.line}; border-bottom: 1px solid {c.line}; padding: {px(4)} {px(6)};
    font-weight: 600; }}
QHeaderView::section:vertical {{ font-weight: 400; }}
QTableView QHeaderView::section:horizontal {{ padding: {px(4)} {round(6 * scale) + 3}px; }}
QHeaderView::section:hover {{ background: {c.hover}; }}
QTableCornerButton::section {{ background: {c.window}; border: none; border-right: 1px solid {c.line};
    border-bottom: 1px solid {c.line}; }}

QAbstractScrollArea {{ background: {c.surface}; border: none; }}
QScrollArea {{ background: transparent; border: none; }}
QScrollArea > QWidget > QWidget {{ background: transparent; }}
QAbstractScrollArea::corner {{ background: transparent; border: none; }}
QScrollBar {{ background: transparent; border: none; margin: 0; }}
QScrollBar:vertical {{ width: {px(11)}; }}
QScrollBar:horizontal {{ height: {px(11)}; }}
QScrollBar::handle {{ background: {c.border}; border-radius: {px(3)}; margin: {px(2)}; }}
QScrollBar::handle:vertical {{ min-height: {px(28)}; }}
QScrollBar::handle:horizontal {{ min-width: {px(28)}; }}
QScrollBar::handle:hover, QScrollBar::handle:pressed {{ background: {c.muted}; }}
QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; border: none; background: none; }}
QScrollBar::add-page, QScrollBar::sub-page {{ background: none; }}

QSplitter::handle {{ background: {c.line}; }}
QSplitter::handle:horizontal {{ width: 1px; margin: 0; }}
QSplitter::handle:vertical {{ height: 1px; margin: 0; }}
QSplitter::handle:hover, QSplitter::handle:pressed {{ background: {c.accent}; }}
QMainWindow::separator {{ background: {c.line}; width: 1px; height: 1px; }}
QMainWindow::separator:hover {{ background: {c.accent}; }}
QDockWidget {{ border: none; titlebar-close-icon: none; titlebar-normal-icon: none; }}
QDockWidget::title {{ background: {c.window}; padding: {px(6)} {px(10)}; border-bottom: 1px solid {c.line}; }}

QMenuBar {{ background: {c.surface}; color: {c.text}; border: none; border-bottom: 1px solid {c.line};
    padding: {px(2)} {px(6)}; }}
QMenuBar::item {{ background: transparent; padding: {px(4)} {px(9)}; border-radius: {px(5)}; }}
QMenuBar::item:selected {{ background: {c.hover}; }}
QMenuBar::item:pressed {{ background: {c.pressed}; }}
QMenu {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.border}; padding: {px(5)}; }}
QMenu::item {{ padding: {px(5)} {px(24)} {px(5)} {px(10)}; border-radius: {px(5)}; background: transparent; }}
QMenu::icon {{ padding-left: {px(8)}; }}
QMenu::item:selected {{ background: {c.selection}; color: {c.selection_text}; }}
QMenu::item:disabled {{ color: {c.disabled}; background: transparent; }}
QMenu::separator {{ height: 1px; background: {c.line}; margin: {px(5)} {px(6)}; }}
QMenu::indicator {{ width: {px(14)}; height: {px(14)}; margin-left: {px(6)}; }}
QMenu::indicator:checked {{ image: url(control:tick-{arrow}.svg); }}
QMenu::right-arrow {{ image: url(control:chevron-right-{arrow}.svg); width: {px(14)}; height: {px(14)}; }}

QToolTip {{ background: {c.raised}; color: {c.text}; border: 1px solid {c.border}; padding: {px(4)} {px(6)}; }}
QStatusBar {{ background: {c.surface}; color: {c.muted}; border-top: 1px solid {c.line}; }}
QStatusBar::item {{ border: none; }}
QSizeGrip {{ image: none; }}
QStatusBar QLabel {{ padding: {px(2)} {px(6)}; }}
QProgressBar {{ background: {c.pressed}; border: none; border-radius: {px(3)}; text-align: center;
    min-height: {px(18)}; color: {c.text}; }}
QProgressBar::chunk {{ background: {c.accent}; border-radius: {px(3)}; }}
QProgressBar[thin="true"] {{ max-height: {px(4)}; min-height: {px(4)}; border-radius: {px(2)}; }}
QSlider::groove:horizontal {{ background: {c.border}; height: {px(4)}; border-radius: {px(2)}; }}
QSlider::sub-page:horizontal {{ background: {c.accent}; border-radius: {px(2)}; }}
QSlider::handle:horizontal {{ background: {c.raised}; border: {thick} solid {c.accent}; width: {px(12)};
    height: {px(12)}; margin: -{px(6)} 0; border-radius: {px(8)}; }}
QSlider::handle:horizontal:focus {{ background: {c.accent}; }}
QGroupBox {{ border: none; margin-top: {px(22)}; padding: 0; font-weight: 600; }}
QGroupBox::title {{ subcontrol-origin: margin; subcontrol-position: top left; padding: 0; }}
"""


def _colours_of(app: QApplication, scheme: Scheme) -> Colours:
    if scheme is Scheme.SYSTEM:
        if _system_wants_contrast(app):
            return CONTRAST
        # Unknown, which bare systems answer, means light: it is what most screens show.
        dark = app.styleHints().colorScheme() == Qt.ColorScheme.Dark
        return DARK if dark else LIGHT
    return {Scheme.LIGHT: LIGHT, Scheme.DARK: DARK, Scheme.CONTRAST: CONTRAST}[scheme]


def _system_wants_contrast(app: QApplication) -> bool:
    # Qt tells this since 6.10.
    accessibility = getattr(app.styleHints(), "accessibility", None)
    hints = accessibility() if accessibility is not None else None
    return hints is not None and hints.contrastPreference() == Qt.ContrastPreference.HighContrast


def _base_points(system: QFont) -> float:
    usual = _BODY_PIXELS if sys.platform == "darwin" else _BODY_PIXELS * 72 / 96
    # Someone who set larger text for the whole system wants it here too.
    return max(usual, system.pointSizeF())


def _same_width_figures(font: QFont) -> None:
    # Qt before 6.7 has no font features: figures then are as wide as the font likes.
    if hasattr(font, "setFeature"):
        font.setFeature(QFont.Tag("tnum"), 1)
