"""Where one has been in a tab: tables with their filter, order and place, and the way back and forth between them."""

from dataclasses import dataclass, field

from pgexplorer.db.schema import Relation
from pgexplorer.db.table.browse import Read, Table
from pgexplorer.ui.table.filter import Shown


@dataclass(frozen=True, slots=True)
class Visit:
    """A table as it was looked at."""

    relation: Relation
    shown: Shown  # filter and order
    table: Table | None = None  # by which its places are named
    start: Read | None = None  # what reads the rows again that were in sight; None at the beginning
    row: int = 0  # the current one, counted from the first in sight
    column: int = 0
    sideways: int = 0  # how far it was scrolled

    @property
    def words(self) -> str:
        """It in one line: "orders", "customers id = 5"."""
        conditions = " and ".join([*filter(None, [self.shown[0]]), *(each.words for each in self.shown[1])])
        return f"{self.relation.name} {conditions}".strip()


@dataclass(slots=True)
class Trail:
    """The visits before the present one, and those that one came back from."""

    before: list[Visit] = field(default_factory=list[Visit])
    after: list[Visit] = field(default_factory=list[Visit])  # the next one last

    def leave(self, visit: Visit) -> None:
        """Go on from *visit* to somewhere new."""
        self.before.append(visit)
        self.after.clear()

    def back(self, visit: Visit, steps: int = 1) -> Visit | None:
        """Go back from *visit*, so many steps; return where to, None where there is nothing."""
        if not 0 < steps <= len(self.before):
            return None
        self.after.append(visit)
        for _ in range(steps - 1):
            self.after.append(self.before.pop())
        return self.before.pop()

    def forth(self, visit: Visit) -> Visit | None:
        """Go forward again from *visit*; return where to, None where there is nothing."""
        if not self.after:
            return None
        self.before.append(visit)
        return self.after.pop()
