"""A file that appears under its name only when it is whole: written beside it, then put in its place."""

import atexit
import contextlib
import os
import stat
import tempfile
from pathlib import Path

_left: set[Path] = set()  # of this process: removed at its end, whatever still writes
os.umask(_umask := os.umask(0o077))  # there is no way to read it but to set it: once, while the program loads


class PartFile:
    """A temporary file in the folder of *path*. `keep` puts it in its place, `drop` removes it; one of them ends it.

    Raises FileExistsError where there is such a file and *overwrite* is not said, OSError where it cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = Path(os.path.realpath(path))  # a link stays one, what it leads to is replaced
        self._overwrite = overwrite
        self._mode: int | None = None
        with contextlib.suppress(FileNotFoundError):
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise OSError(f"{self.path} is no ordinary file")
            if not overwrite:
                raise FileExistsError(f"{self.path} exists already")
            if not os.access(self.path, os.W_OK):
                raise PermissionError(f"{self.path} is read-only")
            self._mode = stat.S_IMODE(found.st_mode)
        descriptor, name = tempfile.mkstemp(prefix=f".{self.path.name[:80]}.", suffix=".part", dir=self.path.parent)
        os.close(descriptor)
        self.part = Path(name)
        _left.add(self.part)

    def keep(self) -> None:
        """Write the file through to the disk and give it its name. Raises OSError; the part is still there then."""
        descriptor = os.open(self.part, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.chmod(self.part, self._mode if self._mode is not None else 0o666 & ~_umask)
        if self._overwrite or not _linked(self.part, self.path):
            if not self._overwrite and self.path.exists():  # where there are no hard links: not watertight
                raise FileExistsError(f"{self.path} exists already")
            os.replace(self.part, self.path)
        with contextlib.suppress(OSError):  # not every system opens a folder
            folder = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        self.drop()

    def drop(self) -> None:
        """Remove what is left of the part."""
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)
        _left.discard(self.part)


def _linked(part: Path, path: Path) -> bool:
    """Give the part its name unless somebody has made such a file meanwhile: link() refuses that, rename() does not."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise FileExistsError(f"{path} exists already") from None
    except OSError:
        return False
    return True


@atexit.register
def _sweep() -> None:
    for part in list(_left):
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
