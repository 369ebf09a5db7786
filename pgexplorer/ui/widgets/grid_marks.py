"""What a model tells of its rows beside their texts: what is changed, comes, goes, or went wrong."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, cast

from PySide6.QtCore import QAbstractItemModel


class RowMark(Protocol):
    """What is told of a row beside its texts."""

    @property
    def sign(self) -> str:
        """Return "changed", "inserted", "deleted" or "sent"."""
        ...

    @property
    def columns(self) -> frozenset[int]:
        """Return the columns whose texts are not those of the table."""
        ...

    @property
    def quiet(self) -> frozenset[int]:
        """Return the columns whose texts are no values."""
        ...

    @property
    def bad(self) -> frozenset[int]:
        """Return the columns that something is wrong with."""
        ...

    @property
    def words(self) -> str:
        """Return what is wrong with the row, "" where nothing is."""
        ...


Marks = Sequence[RowMark | None]
SIGN_ROLES = {"changed": "warn", "inserted": "good", "deleted": "bad", "sent": "info"}  # roles of colours


def links_of(model: QAbstractItemModel) -> Collection[int]:
    """Return the columns whose values lead somewhere, which a model tells by an attribute `links`; () for none."""
    return cast("Collection[int]", getattr(model, "links", ()))


def can_mark(model: QAbstractItemModel) -> bool:
    """Say whether *model* tells anything of its rows beside their texts."""
    return hasattr(model, "marks")


def marks_of(model: QAbstractItemModel, first: int, count: int) -> Marks:
    """Return what a model tells of *count* rows from *first* on by a method `marks(first, count)`; () for nothing."""
    if not can_mark(model):
        return ()
    return cast("Callable[[int, int], Marks]", getattr(model, "marks"))(first, count)  # noqa: B009
