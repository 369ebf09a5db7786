"""The only place that names an icon: an SVG of resources/icons drawn in a colour of the theme.

A QIcon keeps the colour it was drawn in. `wear(target, name)` gives an action, button or label-like target its icon and
gives it again whenever the theme changes; who calls `icon()` alone asks again on `Theme.changed`.
"""

import weakref
from functools import cache, lru_cache

import shiboken6
from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from pgexplorer import assets
from pgexplorer.ui import theme

_worn: "weakref.WeakKeyDictionary[QObject, tuple[str, str | None]]" = weakref.WeakKeyDictionary()
_followed: "weakref.WeakSet[QObject]" = weakref.WeakSet()


def icon(name: str, colour: str | None = None) -> QIcon:
    """Return the icon *name* in *colour* ("#rrggbb" or a role of theme.Colours), by default that of text.

    Raises FileNotFoundError when there is no such icon.
    """
    colours = theme.current()
    drawn = str(getattr(colours, colour, colour)) if colour else colours.text
    # Only in high contrast is a selected line so bright that the icon must turn dark with the text.
    selected = colours.selection_text if colours.name == "contrast" else drawn
    return _icon(name, drawn, colours.disabled, selected)


def pixmap(name: str, size: int, colour: str | None = None, ratio: float = 1.0) -> QPixmap:
    """Return the icon *name* at *size* logical pixels, for widgets that paint themselves."""
    colours = theme.current()
    drawn = str(getattr(colours, colour, colour)) if colour else colours.text
    return _pixmap(name, drawn, size, ratio)


def wear(target: QObject, name: str, colour: str | None = None) -> None:
    """Give *target*, which has setIcon, the icon *name*, now and after every change of the theme."""
    _worn[target] = (name, colour)
    _put_on(target, name, colour)
    current = theme.instance()
    if current is not None and current not in _followed:
        _followed.add(current)
        current.changed.connect(forget)
        if isinstance(app := QGuiApplication.instance(), QGuiApplication):
            app.screenAdded.connect(forget)  # it may be denser than the others


def forget() -> None:
    """Drop the drawn pixmaps and give every target of wear() its icon in the theme's new colours."""
    _icon.cache_clear()
    _pixmap.cache_clear()
    _pixmaps.cache_clear()
    for target, (name, colour) in list(_worn.items()):
        if shiboken6.isValid(target):
            _put_on(target, name, colour)


def app_icon() -> QIcon:
    """Return the program's own icon, in every size that a window manager asks for."""
    result = QIcon()
    svg = _reader("pgexplorer", "")
    for size in (16, 24, 32, 48, 64, 128, 256):
        result.addPixmap(_render(svg, size, 1))
    return result


@lru_cache(maxsize=512)
def _icon(name: str, colour: str, disabled: str, selected: str) -> QIcon:
    result = QIcon()
    modes = [(QIcon.Mode.Normal, colour), (QIcon.Mode.Disabled, disabled)]
    if selected != colour:  # otherwise Qt takes the normal one
        modes.append((QIcon.Mode.Selected, selected))
    ratios = _ratios()
    for mode, drawn in modes:
        for pixmap in _pixmaps(name, drawn, ratios):
            result.addPixmap(pixmap, mode)
    return result


@lru_cache(maxsize=1024)
def _pixmaps(name: str, colour: str, ratios: tuple[float, ...]) -> tuple[QPixmap, ...]:
    svg = _reader(name, colour)
    return tuple(_render(svg, size, ratio) for size in _sizes() for ratio in ratios)


def _sizes() -> list[int]:
    # What the style sheet asks for, menus, and one for whoever asks for more.
    return sorted({16, theme.scaled(16), theme.scaled(17), theme.scaled(24)})


def _ratios() -> tuple[float, ...]:
    # Drawn for the screens that are there: every further picture makes a change of the theme slower.
    return tuple(sorted({screen.devicePixelRatio() for screen in QGuiApplication.screens()} or {1.0}))


@lru_cache(maxsize=1024)
def _pixmap(name: str, colour: str, size: int, ratio: float) -> QPixmap:
    return _render(_reader(name, colour), size, ratio)


@cache
def _svg(name: str) -> str:
    return assets.text(f"icons/{name}.svg")


def _reader(name: str, colour: str) -> QSvgRenderer:
    return QSvgRenderer(QByteArray(_svg(name).replace("currentColor", colour).encode()))


def _render(svg: QSvgRenderer, size: int, ratio: float) -> QPixmap:
    result = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    result.setDevicePixelRatio(ratio)
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    svg.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return result


def _put_on(target: QObject, name: str, colour: str | None) -> None:
    set_icon = getattr(target, "setIcon", None)
    if set_icon is None:
        raise TypeError(f"{type(target).__name__} wears no icon")
    set_icon(icon(name, colour))
