"""The unit of work: takes objects in, hears of their changes, and tells what a flush must write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any, TypeAlias

from cormorant.errors import FlushError, ForeignInstanceError
from cormorant.hooks.dispatcher import hook_around
from cormorant.models.collections import Collection, is_collection
from cormorant.models.inside import doubtful_of, find_changes_inside, readers
from cormorant.models.links import RelationInfo
from cormorant.models.model import Model
from cormorant.models.sides import hide, inverses_of, show_new
from cormorant.models.state import (
    DETACHED,
    Origin,
    Owner,
    is_ghost,
    is_persistent,
    row_key_of,
    set_attribute,
)
from cormorant.persistence.changes import is_changed
from cormorant.persistence.history import History
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.marks import Decoder, Mark, remember
from cormorant.persistence.orphans import is_orphan, keep_owner, orphans_of, owned_by
from cormorant.persistence.parting import part
from cormorant.persistence.pending import Pending
from cormorant.sql.raw_source import ANY_TABLE

# read by C, once for each object
_related_of: Callable[[Model], dict[str, Any] | None] = attrgetter("__orm_related__")


Undo: TypeAlias = "list[Callable[[], object] | Model]"
"""What takes objects back that were taken in; of those that changed nothing else, the object."""


class UnitOfWork(Pending):
    """Collects changes between two flushes, and remembers what to go back to.

    Args:
        owner: The session state, for the instances to know.
        identity: Its instances.
        decoder: Makes Python values of the driver's, to find changes inside documents.
        numbers: Counts the session's statements.
        eager: Every statement is to find everything written.
    """

    __slots__ = (
        "__weakref__",
        "_decoder",
        "_eager",
        "_owner",
        "accepted",
        "history",
        "identity",
        "numbers",
        "origin_of_new",
    )

    def __init__(
        self, owner: Owner, identity: IdentityMap, decoder: Decoder, numbers: Iterator[int], *, eager: bool
    ) -> None:
        # what is pending, written out: every session that writes makes one
        self.new: dict[int, Model] = {}
        self.dirty: dict[int, Model] = {}
        self.deleted: dict[int, Model] = {}
        self.collections: dict[int, Collection[Any]] = {}
        self.forgotten: dict[int, Model] = {}
        self.spared: dict[int, tuple[Model, Callable[[], bool]]] = {}
        self.identity: IdentityMap = identity
        self.history: History = History(self, identity, decoder)
        self._owner = owner
        self._decoder = decoder
        self._eager = eager
        self.accepted: int = 0
        self.numbers: Iterator[int] = numbers
        self.origin_of_new: Origin = Origin(owner, 0, pending=True)

    def origin(self) -> Origin:
        """Gives what objects come from that are written or put back now: it is newer than every statement before."""
        return Origin(self._owner, next(self.numbers))

    # ---- what users do

    def add(self, instance: Model, *others: Model) -> None:
        """Takes new objects in, and every new object they are related to; all of them or none.

        Raises:
            ForeignInstanceError: One belongs to another session.
        """
        undo: Undo = []
        orphans: list[Model] = []
        try:
            new, forgotten = self.origin_of_new, self.forgotten
            for named in (instance, *others):
                origin = getattr(named, "__orm_origin__", None)
                known = origin is not None or id(named) in forgotten
                # another one may have brought it in
                if forgotten or (origin is not new and not _add_alone(self, named, undo)):
                    _add(self, named, undo)
                if known and owned_by(type(named).__info__) and is_orphan(self, named):
                    self.spared[id(named)] = (named, partial(_is_open, self.history, self.history.marks[-1]))
                    undo.append(partial(self.spared.pop, id(named), None))
                    orphans.append(named)
        except BaseException:
            for step in reversed(undo):
                _untake(self, step, ()) if isinstance(step, Model) else step()
            raise
        for orphan in orphans:
            self.history.keep(orphan)
            # what a hook keeps was taken out all the same: nobody shows it any more
            keep_owner(orphan, shown=hook_around(self._owner) is None)

    def admit(self, instance: Model) -> None:
        """Takes a new object in without those it is related to, for a write of its own."""
        self.take(instance, [])
        related = instance.__orm_related__
        if not related:
            return
        relations = type(instance).__info__.relations
        for name, held in related.items():
            if isinstance(held, Model) and relations[name].kind == "to_one":
                related[name] = known = self.known(held)
                self.take(known, [])

    def take(self, instance: object, undo: Undo) -> bool:
        """Takes one object in; tells whether it is new and its relations are still to be followed.

        Args:
            instance: The object.
            undo: Gets what takes it back, of one that is not new.
        """
        if not isinstance(instance, Model):
            raise FlushError(f"{instance!r} is no model instance", hint="add objects of Model classes")
        origin = instance.__orm_origin__
        if origin is self.origin_of_new:
            return False
        if origin is None:
            key, mark = id(instance), self.history.marks[-1]
            if key not in mark.known:
                mark.added[key] = instance
            set_attribute(instance, "__orm_origin__", self.origin_of_new)
            self.new[key] = instance
            return True
        if origin is DETACHED:
            self._adopt(instance)
            undo.append(partial(_disown, self, instance))
        elif origin.owner is not self._owner:
            raise _foreign(instance, origin)
        elif id(instance) in self.deleted:
            self.history.keep(instance)
            del self.deleted[id(instance)]
            undo.append(partial(self.deleted.__setitem__, id(instance), instance))
        else:
            self.identity.take_back(instance)
        return False

    def _adopt(self, instance: Model) -> None:
        """Makes a reference from outside one of this session's."""
        if not is_ghost(instance):
            raise ForeignInstanceError(
                f"{instance!r} is a copy of a row and belongs to no session",
                hint="use what `await session.merge(...)` gives for it; for a new row, make a new object",
            )
        if self.known(instance) is not instance:
            raise ForeignInstanceError(
                f"this session has an object for {instance!r} already", hint="use that one: await session.get(...)"
            )
        set_attribute(instance, "__orm_origin__", Origin(self._owner, 0))
        self.identity.put(type(instance).__info__, row_key_of(instance), instance)
        if instance.__orm_changes__:
            self.touched(instance)

    def reachable(self, instance: Model, undo: Undo) -> list[Model]:
        """Gives the objects that are saved with this one."""
        found: list[Model] = []
        related = instance.__orm_related__ or {}
        for name, value in related.items():
            if is_collection(value):
                found += self._members(value, undo)
            elif value is not None:
                related[name] = value = _own(self, value, undo)
                found.append(value)
        return found

    def _members(self, collection: Collection[Any], undo: Undo) -> list[Model]:
        """Gives the new members of a collection; those of a new object may have set their own side only."""
        for key, item in list(collection.added.items()):
            known = _own(self, item, undo)
            if known is not item:
                del collection.added[key]
                collection.exclude(item)
                collection.show(known)
                collection.added[id(known)] = known
        if collection.added and collection.owner.__orm_origin__ is not None:
            self.collections.setdefault(id(collection), collection)
        fresh = () if is_persistent(collection.owner) or not collection.is_loaded else collection
        return [*collection.added.values(), *fresh]

    def known(self, instance: Model) -> Model:
        """Gives the session's own instance for a reference that came from outside."""
        if instance.__orm_origin__ is not DETACHED or not is_ghost(instance):
            return instance
        found: Model | None = self.identity.get(type(instance).__info__, row_key_of(instance))
        return instance if found is None else found

    def delete(self, instance: object) -> None:
        """Marks an object's row for deletion; one that was only added is forgotten."""
        if not isinstance(instance, Model):
            raise FlushError(f"{instance!r} is no model instance", hint="delete objects of Model classes")
        instance = self.known(instance)
        if instance.__orm_origin__ is None:
            # a collection may be about to bring it in
            self.cascade()
        if id(instance) in self.new:
            self.history.keep(instance)
            self.spared.pop(id(instance), None)
            self._take_back(instance)
            self.forgotten[id(instance)] = instance
            return
        origin = instance.__orm_origin__
        if origin is DETACHED:
            self._adopt(instance)
        elif origin is None:
            raise ForeignInstanceError(
                f"{instance!r} has no row: it was never saved, or is deleted already",
                hint="delete what the session has loaded; a row by its key: session.delete(ref(Model, key))",
            )
        elif origin.owner is not self._owner:
            raise _foreign(instance, origin)
        self.identity.take_back(instance)
        self.history.keep(instance)
        self.spared.pop(id(instance), None)
        self.deleted[id(instance)] = instance

    def _take_back(self, instance: Model) -> None:
        """Forgets a new object, and its place in collections that would bring it in again."""
        del self.new[id(instance)]
        relations = type(instance).__info__.relations
        for name, held in (instance.__orm_related__ or {}).items():
            if is_collection(held):
                _unlink(self, instance, held)
            elif held is not None and relations[name].kind == "to_one" and relations[name].inverse is not None:
                hide(held, relations[name], instance)
        set_attribute(instance, "__orm_origin__", None)
        for collection in self.collections.values():
            if collection.added.pop(id(instance), None) is not None:
                collection.exclude(instance)

    # ---- what instances tell

    def touched(self, instance: Model) -> None:
        """Notes an object with changed columns, before the first one changes."""
        key, mark = id(instance), self.history.marks[-1]
        # as `history.keep` does it, by a call less
        if key not in mark.known and key not in mark.added:
            mark.known[key] = remember(instance, deleted=key in self.deleted)
        self.dirty[key] = instance

    def collection_touched(self, collection: Collection[Any]) -> None:
        """Notes a collection with pending members, before the first one comes or goes."""
        self.history.keep_collection(collection)
        self.collections[id(collection)] = collection

    # ---- for the flush

    def cascade(self) -> bool:
        """Takes in what has become reachable since it was added: members of collections, new ends of relations.

        Returns:
            Whether anything pending leads to other objects.
        """
        reached: list[Model] = []
        # what was taken in stays so, whatever is refused afterwards
        undo: Undo = []
        if self.collections:
            reached = [item for held in list(self.collections.values()) for item in self._members(held, undo)]
        pending = [*self.new.values(), *self.dirty.values()]
        related = list(filter(None, map(_related_of, pending)))
        leads = bool(related)
        if leads and (self.forgotten or not _holds(self._owner, related)):
            for instance in filter(_related_of, pending):
                found = self.reachable(instance, undo)
                # a row that goes leads to nothing that would be missing
                goes = id(instance) in self.deleted
                reached += [one for one in found if id(one) not in self.forgotten] if goes else found
        for instance in reached:
            origin = instance.__orm_origin__
            if id(instance) in self.forgotten:
                raise FlushError(
                    f"{instance!r} was new and is deleted, and others still lead to it",
                    hint="delete them too, or give them another; session.add(...) takes the deletion back",
                )
            if origin is None or origin.owner is not self._owner:
                self.add(instance)
        return leads

    def find_changes_inside(self, tables: frozenset[str] | None = None) -> None:
        """Finds changes inside JSON documents and arrays, which no assignment tells of; in some tables or in all."""
        for info, instances in list(self.identity.documents.items()):
            if tables is None or info.table in tables:
                columns = readers(info, self._decoder)
                for instance in doubtful_of(info)(instances.values()):
                    find_changes_inside(instance, columns)

    def changed(self) -> tuple[Model, ...]:
        """Gives the objects that the next flush updates: some that were touched have their first values again."""
        self.find_changes_inside()
        gone = {*self.deleted, *orphans_of(self)}
        return tuple([one for key, one in self.dirty.items() if key not in gone and is_changed(one)])

    def look_inside(self, instances: Iterable[Model]) -> None:
        """Finds changes inside the JSON documents and arrays of some objects."""
        for instance in instances:
            info = type(instance).__info__
            if info.mutable_columns:
                find_changes_inside(instance, readers(info, self._decoder))

    def concerns(self, tables: frozenset[str]) -> bool:
        """Whether what is pending must be written before a statement over these tables."""
        everything = self._eager or ANY_TABLE in tables
        if self.identity.documents:
            self.find_changes_inside(None if everything else tables)
        if not (self.new or self.dirty or self.deleted or self.collections):
            return False
        # what a delete takes along by on_delete can be in any table
        if everything or self.deleted or orphans_of(self):
            return True
        self.cascade()
        return not tables.isdisjoint(self.tables())

    # ---- leaving the session

    def forget(self, instance: object) -> None:
        """Takes an object out of the session for good; what was pending for it is forgotten.

        Raises:
            FlushError: It is no model instance.
            ForeignInstanceError: It belongs to another session, which would not notice its changes any more.
        """
        if not isinstance(instance, Model):
            raise FlushError(f"{instance!r} is no model instance", hint="expunge objects of Model classes")
        origin = instance.__orm_origin__
        if origin is None:
            # a collection may be about to bring it in
            self.cascade()
        elif origin is not DETACHED and origin.owner is not self._owner:
            raise _foreign(instance, origin)
        if id(instance) in self.new:
            self._take_back(instance)
        elif origin is not None and origin.owner is self._owner:
            part(instance, self.collections, self.history)
        self.spared.pop(id(instance), None)
        self.history.drop(instance)
        for held in (instance.__orm_related__ or {}).values():
            self.collections.pop(id(held), None)
        if is_persistent(instance):
            set_attribute(instance, "__orm_origin__", DETACHED)

    def clear(self) -> None:
        """Takes every object out of the session."""
        for instance in [*self.new.values(), *self.deleted.values(), *self.identity]:
            set_attribute(instance, "__orm_origin__", DETACHED if is_persistent(instance) else None)
        super().clear()
        self.identity.clear()
        self.history.clear()

    def end(self) -> None:
        """Lets go of every object; they keep what they hold."""
        if not self.is_empty or self.forgotten:
            super().clear()
        self.identity.clear()
        self.history.marks.clear()
        # each knows the other, and neither is to wait for the garbage collector
        self.identity.remember = None
        del self.history.pending


def _holds(owner: Owner, related: Iterable[dict[str, Any]]) -> bool:
    """Whether objects lead to nothing but what is the session's already."""
    # many lead to the same ones
    distinct: dict[int, Any] = {id(one): one for one in chain.from_iterable(map(dict[str, Any].values, related))}
    for held in distinct.values():
        members: Iterable[Model] = () if held is None else (held,)
        if is_collection(held):
            if held.added:
                return False
            # what has a row leads to nothing by what was loaded
            members = () if is_persistent(held.owner) else held.known
        for member in members:
            origin = member.__orm_origin__
            if origin is None or origin.owner is not owner:
                return False
    return True


def _add_alone(unit: UnitOfWork, instance: object, undo: Undo) -> bool:
    """Takes in a new object that leads to nothing but new ones that were taken in before, and show it already.

    Returns:
        Whether it is such a one; if not, nothing was done.
    """
    if not isinstance(instance, Model) or instance.__orm_origin__ is not None:
        return False
    key, new, related = id(instance), unit.origin_of_new, instance.__orm_related__
    if related:
        inverses = inverses_of(type(instance).__info__)
        for name, held in related.items():
            if held is None:
                continue
            if is_collection(held) or held.__orm_origin__ is not new:
                return False
            if name in inverses:
                theirs: dict[str, Any] = held.__orm_related__ or {}
                shown: Any = theirs.get(inverses[name])
                if not (shown.shows(instance) if is_collection(shown) else shown is instance):
                    return False
    mark = unit.history.marks[-1]
    if key not in mark.known:
        mark.added[key] = instance
    set_attribute(instance, "__orm_origin__", new)
    unit.new[key] = instance
    undo.append(instance)
    return True


def _add(unit: UnitOfWork, instance: Model, undo: Undo) -> None:
    if id(instance) in unit.forgotten:
        undo.append(partial(unit.forgotten.__setitem__, id(instance), unit.forgotten.pop(id(instance))))
    found, new = [instance], unit.origin_of_new
    # in the order in which they are met, which the database's keys will show; the list grows meanwhile
    for current in found:
        # what was taken in before is passed over, and only who is added by name is no longer to be deleted
        if current is not instance:
            origin = current.__orm_origin__
            if origin is new or (origin is None and _add_alone(unit, current, undo)) or id(current) in unit.deleted:
                continue
        if unit.take(current, undo):
            shown: list[tuple[Model, RelationInfo]] = []
            undo.append(partial(_untake, unit, current, shown))
            related = current.__orm_related__
            if related:
                if not _leads_to_new(unit, related):
                    found += unit.reachable(current, undo)
                show_new(current, shown)


def _is_open(history: History, mark: Mark) -> bool:
    """Whether what was done since a mark was not rolled back: a block that ends well leaves nothing pending."""
    return mark in history.marks


def _own(unit: UnitOfWork, instance: Model, undo: Undo) -> Model:
    """Gives the session's own instance for a reference from outside: the first of several to one row becomes that."""
    known = unit.known(instance)
    if known is instance and instance.__orm_origin__ is DETACHED and is_ghost(instance):
        unit.take(instance, undo)
    return known


def _leads_to_new(unit: UnitOfWork, related: Mapping[str, Any]) -> bool:
    """Whether an object leads to nothing but new ones that were taken in before."""
    new = unit.origin_of_new
    for held in related.values():
        if is_collection(held):
            if held.added or [item for item in held.known if item.__orm_origin__ is not new]:
                return False
        elif held is not None and held.__orm_origin__ is not new:
            return False
    return True


def _untake(unit: UnitOfWork, instance: Model, shown: Iterable[tuple[Model, RelationInfo]]) -> None:
    """Makes a new object nobody's again; what led to it before still does.

    Args:
        unit: What has taken it in.
        instance: The object.
        shown: The objects that show it because it was taken in, and by which relation.
    """
    for target, relation in shown:
        hide(target, relation, instance)
    del unit.new[id(instance)]
    unit.history.marks[-1].added.pop(id(instance), None)
    for held in (instance.__orm_related__ or {}).values():
        unit.collections.pop(id(held), None)
    set_attribute(instance, "__orm_origin__", None)


def _unlink(unit: UnitOfWork, instance: Model, collection: Collection[Any]) -> None:
    """Takes a new object out of the collections on the other side of its links, which wait with it."""
    unit.collections.pop(id(collection), None)
    inverse = collection.relation.inverse or ""
    for member in collection.known if collection.relation.link is not None else ():
        theirs: dict[str, Any] = member.__orm_related__ or {}
        other = theirs.get(inverse)
        if is_collection(other):
            unit.history.keep_collection(other)
            other.added.pop(id(instance), None)
            other.exclude(instance)


def _disown(unit: UnitOfWork, instance: Model) -> None:
    """Lets a reference from outside go again, with the changes that wait in it."""
    unit.dirty.pop(id(instance), None)
    unit.history.marks[-1].drop(instance)
    unit.identity.discard(type(instance).__info__, row_key_of(instance), instance)
    set_attribute(instance, "__orm_origin__", DETACHED)


def _foreign(instance: Model, origin: Origin) -> ForeignInstanceError:
    closed = ", which is closed" if origin.owner.closed else ""
    return ForeignInstanceError(
        f"{instance!r} belongs to another session{closed}",
        hint="load it here with session.get(), or point to it with ref(Model, key)",
    )
