"""Actions declared as rows of data: menus, buttons, shortcuts and the keyboard sheet are made from the same rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QPushButton, QWidget

from pgexplorer.ui import icons


@dataclass(frozen=True, slots=True)
class Action:
    """One thing the user can do: what it is called, how it is reached, what it calls."""

    name: str  # "query.run": its object name; also the key for tests and docs
    text: str
    call: Callable[[], object]
    keys: str = ""  # "Ctrl+Return; Ctrl+Enter": any of them
    icon: str = ""
    tip: str = ""

    def build(self, owner: QWidget) -> QAction:
        """Return it as a QAction of *owner*, whose shortcuts work in the whole window while *owner* is in sight."""
        action = QAction(self.text, owner)
        action.setObjectName(f"action.{self.name}")
        if self.icon:
            icons.wear(action, self.icon)
            action.setProperty("icon_name", self.icon)
        if self.keys:
            action.setShortcuts([QKeySequence(keys) for keys in self.keys.split("; ")])
        tip = self.tip or self.text.replace("&", "").rstrip("…")
        keys = QKeySequence(self.keys.split("; ")[0]).toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)
        action.triggered.connect(lambda: self.call())  # noqa: PLW0108  (Qt may pass `checked`: keep it out)
        return action


@dataclass(frozen=True, slots=True)
class Reachable:
    """An action, and what it belongs to."""

    action: QAction
    where: str  # the title of its panel
    reveal: Callable[[], object] | None = None  # brings what it belongs to into sight

    @property
    def text(self) -> str:
        """What it is called, without the marks of a menu."""
        return self.action.text().replace("&", "")


@dataclass(frozen=True, slots=True)
class Listed:
    """An action in words, which outlive it."""

    text: str
    keys: str  # "Ctrl+Return or Ctrl+Enter"
    where: str


def listed(found: Iterable[Reachable]) -> list[Listed]:
    """Return *found* in words, each once."""
    native = QKeySequence.SequenceFormat.NativeText
    rows = (
        Listed(
            each.text.rstrip("…"), " or ".join(keys.toString(native) for keys in each.action.shortcuts()), each.where
        )
        for each in found
    )
    return list(dict.fromkeys(rows))


def button(
    action: QAction, name: str, *, style: str = "", text: str | None = None, has_icon: bool = True
) -> QPushButton:
    """Return a push button for *action*, named *name*; *style* is "primary", "danger", "quiet", "small" or two of them.

    It follows the action's state and shortcut hint.
    """
    result = QPushButton(action.text() if text is None else text)
    result.setObjectName(name)
    for word in style.split():
        result.setProperty(word, True)
    is_primary = "primary" in style.split()
    name_of_icon = str(action.property("icon_name") or "")
    if is_primary and name_of_icon:
        icons.wear(result, name_of_icon, "accent_text")
    elif has_icon:
        result.setIcon(action.icon())
    plain = action.text().replace("&", "").rstrip("…")
    result.setAccessibleName(plain)
    result.setToolTip(action.toolTip())
    result.setEnabled(action.isEnabled())
    result.clicked.connect(lambda: action.trigger())  # noqa: PLW0108

    def follow() -> None:
        result.setEnabled(action.isEnabled())
        if has_icon and not is_primary:
            result.setIcon(action.icon())

    action.changed.connect(follow)
    return result
