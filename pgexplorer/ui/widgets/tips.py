"""Tool tips of what is painted: the text of the place that is pointed at, shown letter by letter."""

from PySide6.QtCore import QEvent, QPoint, QRect
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QToolTip, QWidget

from pgexplorer.ui.widgets import plain


def asked_at(event: QEvent) -> QPoint | None:
    """Return the place of which *event* wants a tool tip; None where it wants something else."""
    return event.pos() if isinstance(event, QHelpEvent) and event.type() is QEvent.Type.ToolTip else None


def show_tip(event: QEvent, words: str, widget: QWidget, area: QRect | None = None) -> bool:
    """Show *words* where *event* wants a tool tip, until the pointer leaves *area* of *widget*; "" hides what is shown.

    Return True: the event is dealt with.
    """
    assert isinstance(event, QHelpEvent)
    QToolTip.showText(event.globalPos(), plain.tool_tip(words), widget, area or QRect())
    return True
