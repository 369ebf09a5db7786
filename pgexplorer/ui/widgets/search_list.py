"""Lists of what a search finds: lines that come in slices, and the slices, short enough to come between two frames."""

import time
from collections.abc import Iterator
from typing import Generic, TypeVar

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex
from typing_extensions import override

_Place = QModelIndex | QPersistentModelIndex
_NONE = QModelIndex()
T = TypeVar("T")


class SearchList(QAbstractListModel, Generic[T]):
    """Lines of a list, which comes anew or grows at its end. What a line says is up to who inherits."""

    items: list[T]

    def show(self, items: list[T]) -> None:
        """List *items* in place of what is listed."""
        self.beginResetModel()
        self.items = items
        self.endResetModel()

    def add(self, items: list[T]) -> None:
        """List *items* behind what is listed."""
        if items:
            self.beginInsertRows(QModelIndex(), len(self.items), len(self.items) + len(items) - 1)
            self.items += items
            self.endInsertRows()

    @override
    def rowCount(self, parent: _Place = _NONE) -> int:
        return 0 if parent.isValid() else len(self.items)


def taken(search: Iterator[T | None], room: int, seconds: float) -> tuple[list[T], bool]:
    """Return what *search* yields within *seconds*, *room* things at most, and whether it is over; None is a breath."""
    found: list[T] = []
    until = time.perf_counter() + seconds
    for item in search:
        if item is not None:
            found.append(item)
        if len(found) >= room:
            break
        if time.perf_counter() > until:
            return found, False
    return found, True
