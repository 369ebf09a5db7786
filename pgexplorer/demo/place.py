"""Where the demo server's files lie and who owns them; it alone knows what root must do differently.

PostgreSQL refuses to run as root. Root's demo server therefore runs as a user that exists already and owns nothing of
ours, in a folder under /var/tmp that root owns: that user owns only the data and the socket inside it.
"""

import hashlib
import os
import pwd
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.home import home

LONGEST_SOCKET = 103  # bytes: Linux takes 107, macOS 103
_PLAIN = re.compile(r"[A-Za-z0-9/._+-]+")  # no comma, which libpq and the server both read as "and also"


@dataclass(frozen=True)
class Account:
    """The user that runs PostgreSQL for root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """The folders of one demo server: *desk* holds locks and passwords, *base* what PostgreSQL reads and writes."""

    desk: Path
    base: Path
    sockets: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder."""
        return self.base / "data"

    @property
    def log(self) -> Path:
        """What the server said since it was last started."""
        return self.base / "server.log"

    @property
    def gate(self) -> Path:
        """The lock held while the server is being started or ended."""
        return self.desk / "gate.lock"

    @property
    def shares(self) -> Path:
        """The lock whose shared holders are the programs that use the server."""
        return self.desk / "shares.lock"


def find() -> Place:
    """Return this user's place below `home()`, with its folders made.

    Two homes have two places. Raises DemoUnavailable when a folder belongs to someone else or root finds no user to run
    PostgreSQL as, OSError when the disk refuses.
    """
    state = home().resolve()
    desk = own_folder(state / "demo", 0o700)
    mark = hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
    if os.geteuid() != 0:
        return Place(desk, desk, _sockets(desk, mark), None)
    account = _account()
    base = own_folder(_open_parent(account) / f"pgexplorer-demo-{mark}", 0o711)
    return Place(desk, base, own_folder(base / "socket", 0o700, account), account)


def own_folder(path: Path, mode: int, account: Account | None = None) -> Path:
    """Return *path*, made with *mode* for *account* (else for us) if it is missing.

    A folder that was there before is taken only if it is no link, its owner is the right one and others cannot write to
    it; its mode is left alone. Raises DemoUnavailable otherwise, OSError when it cannot be made.
    """
    owner = account.uid if account else os.geteuid()
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid not in {owner, os.geteuid()}:
            raise DemoUnavailable(f"{path} is in the way: it is not a folder of ours. Please move it.") from None
        if status.st_mode & 0o022:
            raise DemoUnavailable(f"{path} can be changed by other users, so it is not used.") from None
        if status.st_uid == owner:
            return path
    if account:
        os.chown(path, account.uid, account.gid)
    path.chmod(mode)
    return path


def keep(file: Path, text: str) -> None:
    """Replace *file* by one that holds *text*, whole or not at all, for its owner's eyes. Raises OSError."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}-")  # mkstemp makes it 0600
    with os.fdopen(handle, "w", encoding="utf-8") as new:
        new.write(text)
    os.replace(name, file)


def allows(path: Path, account: Account, bit: int) -> bool:
    """Tell whether the mode of *path* grants *account* the *bit*: 4 read, 1 run or pass through. Raises OSError."""
    status = path.stat()
    shift = 6 if status.st_uid == account.uid else 3 if status.st_gid == account.gid else 0
    return bool(status.st_mode >> shift & bit)


def _account() -> Account:
    for name in ("postgres", "_postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise DemoUnavailable("PostgreSQL does not run as root, and here is no user postgres or nobody to run it as.")


def _open_parent(account: Account) -> Path:
    for parent in dict.fromkeys((Path("/var/tmp"), Path(tempfile.gettempdir()).resolve(), Path("/tmp"))):
        if not parent.is_dir() or not os.access(parent, os.W_OK):
            continue
        mode = parent.stat().st_mode
        others_may_rename = mode & 0o022 and not mode & stat.S_ISVTX
        if not others_may_rename and all(allows(each, account, 1) for each in (parent, *parent.parents)):
            return parent
    raise DemoUnavailable(f"There is no temporary folder that the user {account.name} can reach (/var/tmp, /tmp).")


def _sockets(base: Path, mark: str) -> Path:
    name = f"pgexplorer-{os.geteuid()}-{mark}"
    parents = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]
    for folder in (base / "socket", *(Path(each) / name for each in parents if os.path.isabs(each))):
        path = str(folder / ".s.PGSQL.65535.lock")
        if len(os.fsencode(path)) <= LONGEST_SOCKET and _PLAIN.fullmatch(path) and folder.parent.is_dir():
            return own_folder(folder, 0o700)
    raise DemoUnavailable("There is no folder with a path short enough for PostgreSQL's socket; set TMPDIR=/tmp.")
