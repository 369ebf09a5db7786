"""Keeps what is pending in the tables in the journal, and offers it again when a program that ended had not sent it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from pgexplorer.db.table.browse import Table
from pgexplorer.db.table.changes import Slot
from pgexplorer.db.table.sending import ask_outcome
from pgexplorer.jobs import Jobs
from pgexplorer.journal import Journal
from pgexplorer.models.kept import (
    Brought,
    Head,
    Kept,
    brought,
    head_line,
    read_lines,
    rows_words,
    sending_line,
    state_lines,
)
from pgexplorer.models.pending import Added, Edited, State
from pgexplorer.ui.panel import show_failure
from pgexplorer.ui.panels.table import TablePanel
from pgexplorer.ui.widgets import plain

_SOON = 400  # milliseconds after a change at which it is handed to the writer, as with what is typed as SQL
_LOOK = 500  # milliseconds after which the writer has written
_SPARE = 1_000  # lines that a file may have more than it needs before it is written anew
_NAMES = 3  # tables that are named in one line

Where = tuple[str, str]  # a server's address and a database


@dataclass(slots=True)
class _File:
    """What a panel's file holds."""

    key: str
    where: Where | None = None  # of the rows in the panel
    table: Table | None = None
    head: Head | None = None  # None while there is no file
    lines: int = 0
    transaction: str = ""  # in which what it holds was being committed, "" for none
    since: set[Slot] = field(default_factory=set[Slot])  # the rows that were changed after that


@dataclass(frozen=True, slots=True)
class Found:
    """Changes that a program has left that ended without sending them."""

    key: str
    kept: Kept
    written: datetime


@dataclass(frozen=True, slots=True)
class _Came:
    """What can be made of them now."""

    outcome: str  # of the transaction in which they were being committed, "" where there was none, or nobody knows
    brought: Brought


@dataclass(slots=True)
class _Read:
    """What was found on the disk."""

    found: list[Found] = field(default_factory=list[Found])
    damaged: list[str] = field(default_factory=list[str])


class ChangeKeeper(QObject):
    """Follows the tables of a window. Nothing is on the disk while nothing is pending.

    Writing is the journal's own thread's, reading a job's; here states are only handed over.
    """

    waiting = Signal(object)  # list[Head]: what was found and can be brought back in the tables that it is of
    offered = Signal()  # a table says what was kept of it
    troubled = Signal(str)  # what could not be read, said once
    unwritten = Signal(str)  # why what is pending is not on the disk, said once

    def __init__(self, journal: Journal, jobs: Jobs, where: Callable[[], Where | None], parent: QObject) -> None:
        """*where* returns which database is in use."""
        super().__init__(parent)
        self._journal = journal
        self._jobs = jobs
        self._where = where
        self._files: dict[TablePanel, _File] = {}
        self._changed: set[TablePanel] = set()
        self._found: list[Found] = []
        self._trouble = ""  # of the journal's, said last
        self._later = QTimer(self, singleShot=True, interval=_SOON)
        self._later.timeout.connect(self.write)
        self._looks = QTimer(self, singleShot=True, interval=_LOOK)
        self._looks.timeout.connect(self._look)

    @property
    def found(self) -> Sequence[Found]:
        """What was left by programs that have ended, and neither brought back nor dropped yet."""
        return self._found

    # -- keeping

    def follow(self, panel: TablePanel) -> None:
        """Keep what is pending in *panel* from now on, and offer there what was kept of its table."""
        file = self._files[panel] = _File(Journal.new_key())

        def opened() -> None:
            file.where, file.table = self._where(), panel.reader.table
            self._change(panel)

        panel.reader.opened.connect(opened)
        panel.reader.known.connect(lambda: self._offer(panel))
        panel.editing.changed.connect(lambda: self._change(panel))
        panel.sending.note = partial(self._note, file)

    def forget(self, panel: TablePanel) -> None:
        """Take notice that *panel* is closed: what was pending in it was sent or dropped."""
        self._changed.discard(panel)
        if (file := self._files.pop(panel, None)) is not None:
            self._remove(file)

    def write(self) -> None:
        """Hand what has changed to the journal's writer."""
        self._later.stop()
        changed, self._changed = self._changed, set()
        for panel in changed:
            if panel.editing.is_partly_pasted:
                self._changed.add(panel)  # whole, when it is there
                self._later.start()
            elif (file := self._files.get(panel)) is not None:
                self._write(panel, file)
        if changed:
            self._looks.start()

    def close(self) -> None:
        """Write what is left: the program ends without having been asked, or what was found waits on."""
        for panel in self._files:
            panel.editing.leave()  # half a block is not kept
        self._changed |= set(self._files)
        self.write()
        self._later.stop()
        self._looks.stop()

    def _look(self) -> None:
        """Say it where the writer could not write."""
        before, self._trouble = self._trouble, self._journal.trouble
        if self._trouble and self._trouble != before:
            self.unwritten.emit(self._trouble)

    def _change(self, panel: TablePanel) -> None:
        file = self._files.get(panel)
        if file is None:
            return
        if not panel.editing.has_pending:
            self._changed.discard(panel)
            self._remove(file)  # at once: what was sent must not be offered again
            return
        self._changed.add(panel)
        if panel.editing.is_locked or panel.editing.is_pasting:
            self.write()  # what is sent is on the disk before it is committed, what was there before it is pasted upon
        elif not self._later.isActive():
            self._later.start()

    def _write(self, panel: TablePanel, file: _File) -> None:
        pending = panel.editing.model.pending
        if not pending or file.table is None or file.where is None:
            return
        relation = panel.relation
        columns = tuple(column.name for column in panel.editing.model.columns())
        head = Head(*file.where, relation.schema, relation.name, columns, file.table.key_names)
        touched = pending.take_touched()
        file.since |= touched
        is_long = file.lines + len(touched) > 2 * len(pending) + _SPARE
        if file.head != head or is_long or self._journal.is_torn(file.key):
            file.head, file.lines = head, len(pending)
            self._journal.write_lines(file.key, _whole(head, pending.states(), file.transaction, set(file.since)))
        elif touched:
            file.lines += len(touched)
            self._journal.add_lines(file.key, state_lines([(slot, pending.get(slot)) for slot in touched]))

    def _remove(self, file: _File) -> None:
        if file.head is not None:
            file.head, file.lines, file.transaction = None, 0, ""
            self._journal.remove_lines(file.key)

    def _note(self, file: _File, transaction: str) -> None:
        """Have it on the disk that all is about to be committed, before it is. Blocks, on a worker."""
        if file.head is not None:
            file.transaction, file.since = transaction, set()
            self._journal.add_lines(file.key, [sending_line(transaction)])
            self._journal.flush()

    # -- what was found

    def begin(self, files: Sequence[Path]) -> None:
        """Read what programs have left that ended, on a worker; then offer it in the tables that it is of."""
        if files:
            self._jobs.call(partial(self._read, files), name="read kept changes", done=self._take)

    def _read(self, files: Sequence[Path]) -> _Read:
        read = _Read()
        for path in files:
            try:
                with path.open(encoding="utf-8") as lines:
                    kept = read_lines(lines)
                written = datetime.fromtimestamp(path.stat().st_mtime).astimezone()
            except (OSError, ValueError, RecursionError) as error:
                read.damaged.append(f"{path.name} ({error})")
                self._journal.set_aside(path)
                continue
            if kept.states:
                read.found.append(Found(path.stem, kept, written))
            else:
                self._journal.remove_lines(path.stem)
        return read

    def _take(self, read: _Read) -> None:
        self._found += read.found
        if read.damaged:
            self.troubled.emit(", ".join(read.damaged))
        if self._found:
            self.waiting.emit([each.kept.head for each in self._found])
        for panel in list(self._files):
            if panel.editing.editable is not None:
                self._offer(panel)

    def _offer(self, panel: TablePanel) -> None:
        """Offer what was kept of the table that *panel* shows."""
        file, editing = self._files.get(panel), panel.editing
        if file is None or file.where is None or editing.editable is None:
            return
        relation = panel.relation
        here = Head(*file.where, relation.schema, relation.name, (), ())
        found = next((each for each in self._found if each.kept.head.is_of(here)), None)
        if found is None:
            return
        count = found.kept.counts
        is_one = count.total == 1
        title = f"{count.total:,} change{'' if is_one else 's'} of {plain.one_line(relation.name, 60)}"
        title += f" {'was' if is_one else 'were'} not sent when the program ended."
        detail = f"{count.words}, until {found.written:%d %B %Y, %H:%M}."
        if found.kept.transaction:
            detail += " They were just being committed: the server is asked whether they were."
        bring = "Bring it back" if is_one else "Bring them back"
        actions = [(bring, partial(self._bring, panel, found)), ("Drop", partial(self._drop, panel, found))]
        hint = "What is brought back is pending: nothing is sent before you send it."
        if why := editing.why_not():
            actions, hint = actions[1:], f"They cannot be brought back now: {why}"
        panel.message.show_message("warning", title, detail, hint, actions)
        self.offered.emit()

    def _drop(self, panel: TablePanel, found: Found) -> None:
        self._done_with(found)
        panel.message.clear()
        self._offer(panel)

    def _done_with(self, found: Found) -> None:
        with contextlib.suppress(ValueError):
            self._found.remove(found)
        self._journal.remove_lines(found.key)

    def _bring(self, panel: TablePanel, found: Found) -> None:
        """Make pending again what was kept, as far as it can be."""
        table, server = panel.reader.table, panel.server
        if table is None or found not in self._found:
            panel.message.show_message("info", "Not connected", "", "Connect first; the changes are kept.")
            return
        again, relation = table.again(), panel.relation
        columns = [column.name for column in panel.editing.model.columns()]
        panel.message.clear()

        def done(came: _Came) -> None:
            now = panel.reader.table
            if panel not in self._files or panel.relation is not relation or now is None or found not in self._found:
                return
            if why := panel.editing.why_busy():
                panel.editing.refuse(why)  # they are offered again when its rows are here
            elif now.names_places_as(again):
                self._came(panel, found, came)
            else:  # another order has been chosen, under which places are others
                self._bring(panel, found)

        def failed(error: Exception) -> None:
            show_failure(panel.message, error, server, partial(self._bring, panel, found))

        self._jobs.call(partial(_came, again, found.kept, columns), name="bring changes back", done=done, failed=failed)

    def _came(self, panel: TablePanel, found: Found, came: _Came) -> None:
        states, editing = came.brought.states, panel.editing
        if came.outcome == "committed" and not states:
            self._done_with(found)
            panel.message.show_message(
                "success", "The changes were committed just before the program ended.", "", "Nothing is left to send."
            )
            return
        wanted = list(self._under_slots(panel, states))
        lost = list(came.brought.lost)
        if beside := len(states) - len(wanted):
            lost.append(f"changes of {rows_words(beside)}, which you have changed since")

        def brought_back() -> None:
            self._changed.add(panel)
            self.write()  # before what it is made of is removed: the writer keeps the order
            self._done_with(found)
            self._say_brought(panel, found, came, len(wanted), lost)
            rows = editing.model.rows_of([slot for slot, _ in wanted[:_SPARE]])
            if rows:
                editing.show(rows[0], 0)
            if not lost:
                self._offer(panel)  # of a program that ended before that one

        editing.bring(wanted, brought_back)

    def _under_slots(self, panel: TablePanel, states: Sequence[State]) -> Iterator[tuple[Slot, State]]:
        """Yield the states under what their rows are kept under here, but for those that were changed here."""
        table, pending = panel.reader.table, panel.editing.model.pending
        assert table is not None
        numbers = iter(pending.new_numbers(sum(isinstance(each, Added) for each in states)))
        for state in states:
            slot = next(numbers) if isinstance(state, Added) else table.identity(state.place)
            if pending.get(slot) is None:
                yield slot, state

    def _say_brought(self, panel: TablePanel, found: Found, came: _Came, count: int, lost: Sequence[str]) -> None:
        words = "1 change is pending again." if count == 1 else f"{count:,} changes are pending again."
        detail = f"Left out: {'; '.join(lost)}." if lost else ""
        hint = "A row that was changed by others meanwhile is told when you send them."
        is_doubtful = bool(found.kept.transaction) and came.outcome != "aborted"
        if is_doubtful and came.outcome == "committed":
            words += " Those before were committed just before the program ended."
        elif is_doubtful:
            hint = "Nobody knows whether they were committed: look at the rows before you send new ones again."
        panel.message.show_message("warning" if lost or is_doubtful else "info", words, detail, hint)


def _whole(head: Head, states: Mapping[Slot, State], transaction: str, since: Set[Slot]) -> Iterator[str]:
    """Yield all lines of a file. For the writer's thread."""
    yield head_line(head)
    if transaction:
        yield from state_lines((slot, state) for slot, state in states.items() if slot not in since)
        yield sending_line(transaction)
        yield from state_lines((slot, state) for slot, state in states.items() if slot in since)
    else:
        yield from state_lines(states.items())


def _came(table: Table, kept: Kept, columns: Sequence[str]) -> _Came:
    """Find out what can be made of what was kept. Blocks; raises what reading a table raises."""
    outcome = ask_outcome(table, kept.transaction) if kept.transaction else ""
    if outcome == "committed":
        states = {slot: state for slot, state in kept.states.items() if slot in kept.since}
        kept = Kept(kept.head, states, kept.transaction, kept.since)
    found = brought(kept, columns, table.key_names, table.place_of)
    if not table.has_key:
        _leave_out_others(table, found)
    return _Came(outcome, found)


def _leave_out_others(table: Table, found: Brought) -> None:
    """Leave out rows without a key that are not what was read: what lies there now may be another row."""
    places = [state.place for state in found.states if isinstance(state, Edited)]
    rows = iter(table.rows_at(places))
    same = [state for state in found.states if isinstance(state, Added) or next(rows) == state.old]
    if others := len(found.states) - len(same):
        found.lost.append(f"changes of {rows_words(others)}, which are not where they were")
    found.states[:] = same


def names_of(heads: Sequence[Head]) -> str:
    """Return the tables in one line."""
    names = list(dict.fromkeys(head.table for head in heads))
    more = f" and {len(names) - _NAMES:,} more" if len(names) > _NAMES else ""
    return ", ".join(plain.one_line(name, 40) for name in names[:_NAMES]) + more
