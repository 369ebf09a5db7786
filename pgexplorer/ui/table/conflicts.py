"""Rows that were changed by others since they were read: told with both versions, and settled, all or row by row."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from pgexplorer.db.rows import Clipped
from pgexplorer.db.table.changes import Delete, Insert, Slot
from pgexplorer.db.table.sending import Conflict, Why
from pgexplorer.db.values import Row
from pgexplorer.models.conflict_model import Choice, ToldRow, Versions
from pgexplorer.models.pending import Added, Edited, State, changes_of
from pgexplorer.ui.table.change_words import new_of, row_words, short
from pgexplorer.ui.table.conflict_dialog import ConflictDialog
from pgexplorer.ui.table.editing import TableEditing
from pgexplorer.ui.widgets.message_bar import MessageBar

_MOST_TOLD = 20  # rows that are written out
_NOTHING = "Nothing was changed; everything is still pending."
_CUT = "Not all of the row was read, so that it cannot be put in anew."


class TableConflicts(QObject):
    """What the server told of one table's rows when changes of them were sent."""

    def __init__(self, parent: QWidget, editing: TableEditing, bar: MessageBar) -> None:
        super().__init__(parent)
        self._parent = parent
        self._editing = editing
        self._message = bar

    def tell(self, found: Sequence[Conflict]) -> None:
        """Point out the rows that are others than the person saw, with both versions, and offer what can be done."""
        model = self._editing.model
        for each in found:
            columns = _differing(each) & {column for column, _ in new_of(each.change)}
            model.point_out(each.change.slot, columns, f"The row {each.why.value}.")
        if rows := model.rows_of([found[0].change.slot]):
            self._editing.show(rows[0], next((at for at, _ in new_of(found[0].change)), 0))
        count = len(found)
        if all(each.why in {Why.KEPT, Why.SEVERAL} for each in found):
            self._message.show_message(
                "warning",
                f"{row_words(found[0].change)} {found[0].why.value}.",
                f"A row security policy, a rule or a trigger may do that. {_NOTHING}",
            )
            return
        title = "A row was changed by others since it was read." if count == 1 else ""
        if count == 1 and found[0].why is Why.GONE:
            title = "A row is gone since it was read."
        lines = [line for each in found[:_MOST_TOLD] for line in self._both(each)]
        if count > _MOST_TOLD:
            lines.append(f"… and {count - _MOST_TOLD:,} rows more")
        actions = [("Take theirs", lambda: self._all(found, Choice.THEIRS))]
        actions.append(("Keep mine", lambda: self._all(found, Choice.MINE)))
        if count > 1:
            actions.append(("Choose row by row…", lambda: self.choose(found)))
        self._message.show_message(
            "warning",
            title or f"{count:,} rows were changed by others since they were read.",
            "",
            "Nothing was sent. Keep mine puts your changes on the rows as they are now; what is gone comes in anew.",
            actions,
            "\n".join(lines),
        )

    def choose(self, found: Sequence[Conflict]) -> None:
        """Let the person choose for each row by itself; those without a choice stay as they are, and are told again."""
        found = [each for each in map(self._now, found) if each is not None]
        if not found:
            self._settle([])
            return
        dialog = ConflictDialog(self._parent, [self._told(each) for each in found])

        def chosen(choices: Sequence[Choice]) -> None:
            self._settle(list(zip(found, choices, strict=True)))
            if left := [each for each, choice in zip(found, choices, strict=True) if choice is Choice.OPEN]:
                self.tell(left)

        dialog.chosen.connect(chosen)
        dialog.open()

    # -- in words

    @property
    def _names(self) -> list[str]:
        return [column.name for column in self._editing.model.columns()]

    def _both(self, conflict: Conflict) -> list[str]:
        """Return the lines that tell both versions of a row."""
        change, mine = conflict.change, dict(new_of(conflict.change))
        head = f"{row_words(change)} {conflict.why.value}"
        if isinstance(change, Delete):
            head += "; you delete it"
        if conflict.theirs is None:
            given = [f"    {self._names[at]}: yours {short(value)}" for at, value in mine.items()]
            return [head, *given]
        lines = [head]
        for at in sorted(_differing(conflict) | mine.keys()):
            parts = [f"read {short(change.old[at])}", f"theirs now {short(conflict.theirs[at])}"]
            if at in mine:
                parts.append(f"yours {short(mine[at])}")
            lines.append(f"    {self._names[at]}: {' · '.join(parts)}")
        return lines

    def _told(self, conflict: Conflict) -> ToldRow:
        """Return the same for the window in which it is chosen."""
        change, names = conflict.change, self._names
        mine, others = dict(new_of(change)), _differing(conflict)
        is_deleted = isinstance(change, Delete)
        shown = sorted(others | mine.keys()) or range(len(names))
        versions = [
            Versions(
                names[at],
                short(change.old[at]),
                "" if conflict.theirs is None else short(conflict.theirs[at]),
                short(mine[at]) if at in mine else "",
                at in others,
                at in others and at in mine,
            )
            for at in shown
        ]
        what = ", ".join(names[at] for at in sorted(others))
        happened = f"{conflict.why.value}{': ' + what if what else ''}"
        if is_deleted:
            happened += "; you delete it"
        why = ""
        if conflict.why in {Why.KEPT, Why.SEVERAL}:
            why = "The server does not let it be changed."
        elif conflict.theirs is None and not is_deleted and isinstance(_rebased(conflict, self._given), Edited):
            why = _CUT
        return ToldRow(row_words(change), happened, versions, why)

    # -- what was chosen

    @property
    def _given(self) -> set[int]:
        """The columns whose values the server gives."""
        fields = self._editing.editable.fields if self._editing.editable is not None else ()
        return {at for at, field in enumerate(fields) if field.is_given}

    def _now(self, conflict: Conflict) -> Conflict | None:
        """Return it with one's own change as it is now, which may be another than was sent; None where none is left."""
        slot = conflict.change.slot
        if (state := self._editing.model.pending.get(slot)) is None:
            return None
        [change] = changes_of({slot: state})
        return None if isinstance(change, Insert) else replace(conflict, change=change)

    def _all(self, found: Sequence[Conflict], choice: Choice) -> None:
        self._settle([(each, choice) for each in found])

    def _settle(self, chosen: Sequence[tuple[Conflict, Choice]]) -> None:
        """Put the changes that are kept on the rows as they are now, and drop those that are not."""
        if why := self._editing.why_busy():
            self._editing.refuse(why)
            return
        model, given = self._editing.model, self._given
        states: list[tuple[Slot, State | None]] = []
        for told, choice in chosen:
            if choice is Choice.OPEN or (each := self._now(told)) is None:
                continue
            state = _rebased(each, given) if choice is Choice.MINE else None
            if each.why is Why.CHANGED and each.theirs is not None and each.place is not None:
                model.refresh_row(each.change.slot, each.theirs, each.place)
                states.append((each.change.slot, state))
            elif each.why is Why.GONE:
                if isinstance(state, Edited):
                    continue  # it cannot be put in anew: not all of it was read
                rows = model.rows_of([each.change.slot])
                model.put([(each.change.slot, None)])
                if isinstance(state, Added):
                    model.put([(model.pending.new_number(), state)], rows[0] if rows else 0)
                model.forget_row(each.change.slot)
        model.put(states)
        model.forget_troubles()
        self._message.clear()
        self._editing.changed.emit()


def _differing(conflict: Conflict) -> set[int]:
    """Return the columns that others have changed."""
    theirs: Row = conflict.theirs or ()
    return {at for at, (old, now) in enumerate(zip(conflict.change.old, theirs, strict=False)) if old != now}


def _rebased(conflict: Conflict, given: Collection[int]) -> State | None:
    """Return a change on top of the row as it is now; of a row that is gone, as a new one.

    The server gives the values of the columns *given*.
    """
    change = conflict.change
    is_deleted = isinstance(change, Delete)
    new = dict(new_of(change))
    if conflict.theirs is not None and conflict.place is not None:
        return Edited(conflict.place, conflict.theirs, {}, is_deleted).with_values(new)
    if is_deleted:
        return None
    old = {at: cell for at, cell in enumerate(change.old) if at not in new and at not in given}
    if any(isinstance(cell, Clipped) for cell in old.values()):
        return Edited(change.place, change.old, new)
    return Added({**old, **new})
