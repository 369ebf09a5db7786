"""The file that an editor's text belongs to: opened, saved, and looked at again when the window is."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from pgexplorer import sql_file
from pgexplorer.jobs import Jobs
from pgexplorer.sql_file import ChangedOnDisk, RefusedFile, SqlFile, Stamp, Style
from pgexplorer.ui.widgets.sql_editor import SqlEditor

_FILES = "SQL files (*.sql *.psql *.ddl *.txt);;All files (*)"


class SqlDocument(QObject):
    """Ties *editor* to a file. What it has to say it tells; nothing of a file is overwritten unasked."""

    title_changed = Signal(str)
    told = Signal(str, str, str, object)  # kind, title, detail, buttons as (words, callable)
    read_for_another = Signal(object)  # a SqlFile that was opened while this text is in use

    def __init__(self, editor: SqlEditor, jobs: Jobs, name: str) -> None:
        super().__init__(editor)
        self._editor = editor
        self._jobs = jobs
        self._name = name
        self.path: Path | None = None
        self.style = Style()
        self._stamp: Stamp | None = None
        self._is_looking = self._has_said = False
        self.is_saving = False
        editor.document().modificationChanged.connect(self._retitle)

    @property
    def title(self) -> str:
        """The file's name, with a dot when the text is not saved; the tab's own name without a file."""
        if self.path is None:
            return self._name
        return f"{self.path.name} •" if self._editor.document().isModified() else self.path.name

    def open(self) -> None:
        """Ask for a file and read it."""
        chosen, _ = QFileDialog.getOpenFileName(self._editor, "Open a file", self._folder(), _FILES)
        if chosen:
            self.load(Path(chosen))

    def load(self, path: Path) -> None:
        """Read *path*: into this editor when it is empty or unchanged, else for another."""
        self._jobs.call(
            partial(sql_file.read, path), name=f"open {path.name}", done=self._read, failed=self._unread(path)
        )

    def show(self, file: SqlFile) -> None:
        """Show what was read."""
        self._editor.setPlainText(file.text)
        self.path, self.style, self._stamp, self._has_said = file.path, file.style, file.stamp, False
        self._editor.document().setModified(False)
        self._retitle()
        if file.said:
            utf8 = [("Save as UTF-8 from now on", self._take_utf8)] if file.style.encoding == "latin-1" else []
            self.told.emit("info", f"{file.path.name}: {file.style}", file.said, utf8)

    def adopt(self, path: Path, *, is_modified: bool) -> None:
        """Take *path* as the file of the text that is here, from an earlier run; one that has changed since is said."""
        self.path = path
        self._retitle()

        def done(file: SqlFile) -> None:
            self.style, self._stamp = file.style, file.stamp
            if file.text == self._editor.toPlainText():
                self._editor.document().setModified(False)
            elif not is_modified:
                self._say_changed("was changed since it was last read here")
            self._retitle()

        def failed(error: Exception) -> None:
            self._editor.document().setModified(True)
            words = str(error) if isinstance(error, RefusedFile) else _cause(error)
            self.told.emit("warning", f"{path.name} cannot be read any more", f"{words} The text is still here.", ())

        self._jobs.call(partial(sql_file.read, path), name=f"open {path.name}", done=done, failed=failed)

    def save(self) -> None:
        """Write the text to its file, or ask for one."""
        if self.path is None:
            self.save_as()
        else:
            self._write(self.path, self._stamp)

    def save_as(self) -> None:
        """Ask for a file and write the text to it."""
        proposed = str(self.path or Path(self._folder()) / f"{self._name}.sql")
        chosen, _ = QFileDialog.getSaveFileName(self._editor, "Save the text", proposed, _FILES)  # it asks to overwrite
        if chosen:
            self._write(Path(chosen), None)

    def look(self) -> None:
        """Ask whether the file was changed by another program since, and say so once."""
        if self.path is None or self._stamp is None or self._is_looking or self._has_said or self.is_saving:
            return
        self._is_looking = True
        asked = self.path, self._stamp

        def done(changed: bool) -> None:
            if changed and asked == (self.path, self._stamp):
                self._say_changed("was changed by another program")

        def ended() -> None:
            self._is_looking = False

        self._jobs.call(
            partial(sql_file.is_changed, *asked), name="look at a file", done=done, failed=_unsaid, ended=ended
        )

    def _say_changed(self, words: str) -> None:
        path = self.path
        if path is None:
            return
        self._has_said = True
        buttons: list[tuple[str, Callable[[], object]]] = [("Read it again", partial(self._reload, path))]
        if self._editor.document().isModified():
            detail = "What you changed here is not in it. Reading it again drops that; it can be undone."
        else:
            detail = "Nothing was changed here since it was read."
        buttons.append(("Overwrite it", partial(self._write, path, None)))
        self.told.emit("warning", f"{path.name} {words}", detail, buttons)

    def _reload(self, path: Path) -> None:
        def done(file: SqlFile) -> None:
            self._editor.replace_text(file.text)  # one step to undo
            self.path, self.style, self._stamp, self._has_said = file.path, file.style, file.stamp, False
            self._editor.document().setModified(False)
            self._retitle()
            self.told.emit("", "", "", ())

        self._jobs.call(partial(sql_file.read, path), name=f"open {path.name}", done=done, failed=self._unread(path))

    def _read(self, file: SqlFile) -> None:
        document = self._editor.document()
        if document.isEmpty() or (self.path is not None and not document.isModified()):
            self.show(file)
        else:
            self.read_for_another.emit(file)

    def _unread(self, path: Path) -> Callable[[Exception], None]:
        def failed(error: Exception) -> None:
            words = str(error) if isinstance(error, RefusedFile) else _cause(error)
            self.told.emit("error", f"{path.name} was not opened", words, ())

        return failed

    def _write(self, path: Path, expected: Stamp | None) -> None:
        if self.is_saving:
            return
        self.is_saving = True
        text, style, revision = self._editor.toPlainText(), self.style, self._editor.document().revision()

        def done(stamp: Stamp) -> None:
            self.path, self._stamp, self._has_said = path, stamp, False
            if self._editor.document().revision() == revision:
                self._editor.document().setModified(False)
            self._retitle()
            self.told.emit("", "", "", ())

        def failed(error: Exception) -> None:
            if isinstance(error, ChangedOnDisk) and path == self.path:
                self._say_changed("was not saved: another program changed it")
            elif isinstance(error, RefusedFile):
                utf8 = [("Save it as UTF-8", partial(self._write_utf8, path, expected))]
                self.told.emit(
                    "error", f"{path.name} was not saved", str(error), () if isinstance(error, ChangedOnDisk) else utf8
                )
            else:
                detail = f"{_cause(error)} The file is what it was, and the text is still here."
                self.told.emit("error", f"{path.name} was not saved", detail, [("Try again", self.save)])

        def ended() -> None:
            self.is_saving = False

        work = partial(sql_file.write, path, text, style, expected)
        self._jobs.call(work, name=f"save {path.name}", done=done, failed=failed, ended=ended)

    def _write_utf8(self, path: Path, expected: Stamp | None) -> None:
        self._take_utf8()
        self._write(path, expected)

    def _take_utf8(self) -> None:
        self.style = Style("utf-8", self.style.newline)
        self.told.emit("", "", "", ())

    def _folder(self) -> str:
        return str(self.path.parent if self.path is not None else Path.home())

    def _retitle(self) -> None:
        self.title_changed.emit(self.title)


def _unsaid(_error: Exception) -> None:
    """Say nothing: a file that cannot be looked at now is looked at when it is saved."""


def _cause(error: Exception) -> str:
    cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"{cause}."
