"""What waits for the next flush: objects to insert, update and delete, and links to make and to drop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cormorant.models.collections import Collection
from cormorant.models.model import Model


class Pending:
    """The objects and collections that a flush would write, by their id.

    New objects that were deleted before they were written are forgotten; what points to them must not bring them back.
    What has lost its owner and was added again is spared: it is no orphan, as long as what is told with it is so.
    """

    __slots__ = ("collections", "deleted", "dirty", "forgotten", "new", "spared")

    def __init__(self) -> None:
        self.new: dict[int, Model] = {}
        self.dirty: dict[int, Model] = {}
        self.deleted: dict[int, Model] = {}
        self.collections: dict[int, Collection[Any]] = {}
        self.forgotten: dict[int, Model] = {}
        self.spared: dict[int, tuple[Model, Callable[[], bool]]] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing is pending, as far as was noted: changes inside JSON and arrays are found at the flush."""
        return not (self.new or self.dirty or self.deleted or self.collections)

    def tables(self) -> set[str]:
        """Gives the tables that a flush would write."""
        pending = (*self.new.values(), *self.dirty.values(), *self.deleted.values())
        found = {type(instance).__info__.table for instance in pending}
        for collection in self.collections.values():
            link = collection.relation.link
            found.add(collection.relation.target.table if link is None else link.table)
        return found

    def drop(self, instance: Model) -> None:
        """Takes an object out."""
        for pending in (self.new, self.dirty, self.deleted):
            pending.pop(id(instance), None)

    def keep_spared(self) -> None:
        """Forgets who was spared by what is written now; what came up meanwhile still counts."""
        self.spared = {key: held for key, held in self.spared.items() if key in self.dirty or key in self.new}

    def clear(self) -> None:
        """Takes everything out."""
        for pending in (self.new, self.dirty, self.deleted, self.collections, self.forgotten, self.spared):
            pending.clear()
