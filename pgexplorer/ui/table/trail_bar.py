"""Going from table to table in one tab, and back: the trail, its breadcrumbs and its two buttons."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction

from pgexplorer.db.schema import Relation
from pgexplorer.db.table.ordering import Condition
from pgexplorer.ui.actions import button
from pgexplorer.ui.table.trail import Trail, Visit
from pgexplorer.ui.widgets.breadcrumbs import Breadcrumbs

_WHAT = "Another table is to be shown"


class TableTrail(QObject):
    """Where a tab has been. `shown` says what is to be shown now, once nothing is pending any more."""

    shown = Signal(object)  # Visit

    def __init__(
        self, parent: QObject, here: Callable[[], Visit], settle: Callable[[Callable[[], object], str], object]
    ) -> None:
        """Begin a trail; *here* returns where one is, *settle* calls what it is given when nothing would be lost."""
        super().__init__(parent)
        self._here = here
        self._settle = settle
        self._trail = Trail()
        self._ways: tuple[QAction, QAction] | None = None
        self.crumbs: Breadcrumbs | None = None

    def make_crumbs(self, back: QAction, forth: QAction) -> Breadcrumbs:
        """Return the breadcrumbs, with buttons for *back* and *forth* before them."""
        made = [
            button(action, f"table.{name}", style="icon_only quiet", text="")
            for name, action in (("back", back), ("forth", forth))
        ]
        self._ways = back, forth
        self.crumbs = Breadcrumbs("table.crumbs", made)
        self.crumbs.chosen.connect(self.back)
        return self.crumbs

    def visit(self, relation: Relation, conditions: Sequence[Condition]) -> None:
        """Go on to the rows of *relation* under *conditions*."""

        def go() -> None:
            self._trail.leave(self._here())
            self.shown.emit(Visit(relation, ("", list(conditions), [])))

        self._settle(go, _WHAT)

    def back(self, steps: int = 1) -> None:
        """Go back, so many steps."""
        self._go(lambda here: self._trail.back(here, steps))

    def forth(self) -> None:
        """Go forward again."""
        self._go(self._trail.forth)

    def show(self, now: Visit) -> None:
        """Show the trail, which ends in *now*."""
        if self.crumbs is None or self._ways is None:
            return
        steps = [each.words for each in [*self._trail.before, now]]
        self.crumbs.show_steps(steps, more=bool(self._trail.after))
        back, forth = self._ways
        back.setEnabled(bool(self._trail.before))
        forth.setEnabled(bool(self._trail.after))

    def _go(self, step: Callable[[Visit], Visit | None]) -> None:
        def go() -> None:
            if (to := step(self._here())) is not None:
                self.shown.emit(to)

        self._settle(go, _WHAT)
