"""The only place that names an icon: an SVG of resources/icons drawn in a colour of the theme.

A QIcon keeps the colour it was drawn in. `wear(target, name)` gives an action, button or label-like target its icon and
gives it again whenever the theme changes; who calls `icon()` alone asks again on `Theme.changed`.
"""

import weakref
from functools import cache, lru_cache

import shiboken6
from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap

from pgexplorer import assets
from pgexplorer.ui import theme

_SIZES = (16, 20, 24, 48)
_RATIOS = (1, 2)


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


def forget() -> None:
    """Drop the drawn pixmaps and give every target of wear() its icon in the theme's new colours."""
    _icon.cache_clear()
    _pixmap.cache_clear()
    for target, (name, colour) in list(_worn.items()):
        if shiboken6.isValid(target):
            _put_on(target, name, colour)


def app_icon() -> QIcon:
    """Return the program's own icon, in every size that a window manager asks for."""
    result = QIcon()
    for size in (16, 24, 32, 48, 64, 128, 256):
        result.addPixmap(_render(_svg("pgexplorer"), size, 1))
    return result


@lru_cache(maxsize=512)
def _icon(name: str, colour: str, disabled: str, selected: str) -> QIcon:
    result = QIcon()
    for size in _SIZES:
        for ratio in _RATIOS:
            result.addPixmap(_pixmap(name, colour, size, ratio), QIcon.Mode.Normal)
            result.addPixmap(_pixmap(name, selected, size, ratio), QIcon.Mode.Selected)
            result.addPixmap(_pixmap(name, disabled, size, ratio), QIcon.Mode.Disabled)
    return result


@lru_cache(maxsize=1024)
def _pixmap(name: str, colour: str, size: int, ratio: float) -> QPixmap:
    return _render(_svg(name).replace("currentColor", colour), size, ratio)


@cache
def _svg(name: str) -> str:
    return assets.text(f"icons/{name}.svg")


def _render(svg: str, size: int, ratio: float) -> QPixmap:
    # Imported at the first icon, not with the program: --help and the offscreen tour need no SVG.
    from PySide6.QtSvg import QSvgRenderer

    result = QPixmap(QSize(round(size * ratio), round(size * ratio)))
    result.setDevicePixelRatio(ratio)
    result.fill(Qt.GlobalColor.transparent)
    painter = QPainter(result)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, size, size))
    painter.end()
    return result


def _put_on(target: QObject, name: str, colour: str | None) -> None:
    set_icon = getattr(target, "setIcon", None)
    if set_icon is None:
        raise TypeError(f"{type(target).__name__} wears no icon")
    set_icon(icon(name, colour))
