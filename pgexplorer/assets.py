"""The only file that knows where resources/ lies: inside the wheel, or beside the package in a checkout. No Qt."""

from functools import cache
from pathlib import Path


@cache
def resources() -> Path:
    """Return the folder of resources.

    Raises FileNotFoundError when neither the wheel's nor the checkout's folder exists.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "resources", package.parent / "resources"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"resources/ is missing from this installation of pgexplorer ({package})")


def text(name: str) -> str:
    """Return the text of the resource *name*, for example "sql/person.sql"."""
    return (resources() / name).read_text(encoding="utf-8")
