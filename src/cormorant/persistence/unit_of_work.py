"""What is pending: objects to insert, update and delete, and links to make and to drop."""

from __future__ import annotations

from typing import Any

from cormorant.errors import FlushError, ForeignInstanceError
from cormorant.models.collections import Collection, is_collection
from cormorant.models.model import Model
from cormorant.models.state import DETACHED, Origin, Owner, is_ghost, is_persistent, key_is_set, key_of, set_attribute
from cormorant.persistence.identity_map import IdentityMap


class UnitOfWork:
    """Collects changes between two flushes.

    Args:
        owner: The session state, for the instances to know.
        identity: Its instances.
    """

    def __init__(self, owner: Owner, identity: IdentityMap) -> None:
        self.identity = identity
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
            if self._take(current):
                waiting += self._reachable(current)

    def _take(self, instance: Model) -> bool:
        """Takes one object in; tells whether its relations are still to be followed."""
        if not isinstance(instance, Model):  # pyright: ignore[reportUnnecessaryIsInstance]
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
            for other in self._reachable(instance):
                if other.__orm_origin__ is None or other.__orm_origin__ is DETACHED:
                    self.add(other)

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
