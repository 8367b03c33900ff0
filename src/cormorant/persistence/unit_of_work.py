"""What is pending: objects to insert, update and delete, and links to make and to drop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cormorant.errors import FlushError, ForeignInstanceError
from cormorant.models.collections import Collection, is_collection
from cormorant.models.inside import Decode, find_changes_inside, readers
from cormorant.models.model import Model
from cormorant.models.state import DETACHED, Origin, Owner, is_ghost, is_persistent, key_is_set, key_of, set_attribute
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.restore import restore
from cormorant.sql.types import SqlType

Decoder: TypeAlias = Callable[[SqlType], Decode | None]


class UnitOfWork:
    """Collects changes between two flushes.

    Args:
        owner: The session state, for the instances to know.
        identity: Its instances.
        decoder: Makes Python values of the driver's, to find changes inside documents.
        eager: Every statement is to find everything written.
    """

    def __init__(self, owner: Owner, identity: IdentityMap, decoder: Decoder, *, eager: bool) -> None:
        self.identity = identity
        self._eager = eager
        self._decoder = decoder
        self.new: dict[int, Model] = {}
        self.dirty: dict[int, Model] = {}
        self.deleted: dict[int, Model] = {}
        self.collections: dict[int, Collection[Any]] = {}
        self._owner = owner
        self._pending = Origin(owner, 0, pending=True)
        self.adopted = Origin(owner, 0)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is pending, as far as was noted: changes inside JSON and arrays are found at the flush."""
        return not (self.new or self.dirty or self.deleted or self.collections)

    # ---- what users do

    def add(self, instance: Model) -> None:
        """Takes a new object in, and every new object it is related to.

        Raises:
            ForeignInstanceError: It belongs to another session.
        """
        waiting = [instance]
        while waiting:
            current = waiting.pop()
            if self._take(current) and current.__orm_related__:
                waiting += self._reachable(current)

    def _take(self, instance: object) -> bool:
        """Takes one object in; tells whether its relations are still to be followed."""
        if not isinstance(instance, Model):
            raise FlushError(f"{instance!r} is no model instance", hint="add objects of Model classes")
        origin = instance.__orm_origin__
        if origin is None:
            set_attribute(instance, "__orm_origin__", self._pending)
            self.new[id(instance)] = instance
            return True
        if origin is DETACHED:
            return self._adopt(instance)
        if origin.owner is not self._owner:
            raise ForeignInstanceError(
                f"{instance!r} belongs to another session",
                hint="use `await session.merge(obj)`, or ref(Model, key) to point to it",
            )
        self.deleted.pop(id(instance), None)
        return False

    def _adopt(self, instance: Model) -> bool:
        """Makes a reference from outside one of this session's."""
        if not is_ghost(instance):
            raise ForeignInstanceError(
                f"{instance!r} is a copy of a row and belongs to no session",
                hint="use `await session.merge(obj)`; for a new row, make a new object",
            )
        set_attribute(instance, "__orm_origin__", self.adopted)
        self.identity.of(type(instance).__info__).setdefault(key_of(instance), instance)
        return False

    def _reachable(self, instance: Model) -> list[Model]:
        """Gives the objects that are saved with this one."""
        found: list[Model] = []
        for value in (instance.__orm_related__ or {}).values():
            if is_collection(value):
                if value.added:
                    found += value.added.values()
                    if value.relation.link is not None:
                        self.collections[id(value)] = value
            elif value is not None:
                found.append(value)
        return found

    def delete(self, instance: Model) -> None:
        """Marks an object's row for deletion; one that was only added is forgotten."""
        if self.new.pop(id(instance), None) is not None:
            set_attribute(instance, "__orm_origin__", None)
            return
        origin = instance.__orm_origin__
        if origin is DETACHED:
            self._adopt(instance)
        elif origin is None or origin.owner is not self._owner:
            state = "is new and was never saved" if origin is None else "belongs to another session"
            raise ForeignInstanceError(f"{instance!r} {state}, so it cannot be deleted here")
        self.deleted[id(instance)] = instance

    def touched(self, instance: Model) -> None:
        """Notes an object with changed columns."""
        self.dirty[id(instance)] = instance

    def collection_touched(self, collection: Collection[Any]) -> None:
        """Notes a collection with pending members."""
        self.collections[id(collection)] = collection

    def cascade(self) -> None:
        """Takes in what has become reachable since it was added: members of collections, new ends of relations."""
        for collection in list(self.collections.values()):
            for item in collection.added.values():
                self.add(item)
        for instance in [*self.new.values(), *self.dirty.values()]:
            for other in self._reachable(instance) if instance.__orm_related__ else ():
                if other.__orm_origin__ is None or other.__orm_origin__ is DETACHED:
                    self.add(other)

    def find_changes_inside(self) -> None:
        """Finds changes inside JSON documents and arrays, which no assignment tells of."""
        for info, known in self.identity.by_model.items():
            if info.mutable_columns and known:
                columns = readers(info, self._decoder)
                for instance in known.values():
                    find_changes_inside(instance, columns)

    def settle_unchanged(self) -> None:
        """Forgets objects whose columns were written and ended as they were."""
        for instance in list(self.dirty.values()):
            changes = instance.__orm_changes__
            if changes and all(getattr(instance, name, None) is value for name, value in changes.items()):
                restore(instance, {})
                self.dirty.pop(id(instance), None)

    def concerns(self, tables: frozenset[str]) -> bool:
        """Whether what is pending must be written before a statement over these tables."""
        if self.is_empty:
            return False
        # what a delete takes along by on_delete can be in any table
        return self._eager or bool(self.deleted) or not tables.isdisjoint(self.tables())

    def tables(self) -> set[str]:
        """Gives the tables that a flush would write."""
        pending = (*self.new.values(), *self.dirty.values(), *self.deleted.values())
        found = {type(instance).__info__.table for instance in pending}
        for collection in self.collections.values():
            link = collection.relation.link
            found.add(collection.relation.target.table if link is None else link.table)
        return found

    def forget(self, instance: Model) -> None:
        """Takes an object out of everything."""
        for pending in (self.new, self.dirty, self.deleted):
            pending.pop(id(instance), None)
        if is_persistent(instance) and key_is_set(instance):
            self.identity.discard(type(instance).__info__, key_of(instance), instance)

    def undo(self, log: Sequence[Callable[[], None]]) -> None:
        """Puts objects back as they were when a block began.

        Args:
            log: Undoes what the block wrote, in the order in which it was written.
        """
        self.find_changes_inside()
        for instance in list(self.dirty.values()):
            restore(instance, instance.__orm_changes__ or {})
            self.dirty.pop(id(instance), None)
        # entering an inner block writes what is pending, so what is pending now came up inside of it
        self.forget_pending()
        for undo in reversed(log):
            undo()

    def forget_pending(self) -> None:
        """Takes back what was not written: new objects belong to nobody again, collections are as they were."""
        for collection in self.collections.values():
            if is_persistent(collection.owner):
                collection.forget_pending()
        for instance in self.new.values():
            set_attribute(instance, "__orm_origin__", None)
        self.clear()

    def clear(self) -> None:
        """Forgets everything that is pending."""
        for pending in (self.new, self.dirty, self.deleted, self.collections):
            pending.clear()
