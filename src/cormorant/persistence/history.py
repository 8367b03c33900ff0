"""The way back: what the session's objects were at the last commit, and when each open block began."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cormorant.models.collections import Collection, is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.model import Model
from cormorant.models.sides import held_by, hide
from cormorant.models.state import Origin, bare_key, is_persistent, is_reference, set_attribute, value_or_missing
from cormorant.persistence.changes import row_key
from cormorant.persistence.ends import Ends, joined
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.marks import (
    Decoder,
    Mark,
    is_loaded_since,
    make_transient,
    remember,
    remember_saved,
    unload,
    values_of,
)
from cormorant.persistence.pending import Pending


class History:
    """Marks that objects can be put back to.

    Args:
        pending: What was not written yet; a rollback changes it.
        identity: The session's instances; a rollback changes them.
        decoder: Makes Python values of the driver's, for documents that were changed in place.
    """

    __slots__ = ("_decoder", "commits", "identity", "marks", "pending", "undone")

    def __init__(self, pending: Pending, identity: IdentityMap, decoder: Decoder) -> None:
        self.pending: Pending = pending
        self.identity: IdentityMap = identity
        # the first mark is the last commit; each block adds one
        self.marks: list[Mark] = [Mark()]
        # how often objects were put back: what was read off them before is no more
        self.undone: int = 0
        self.commits: int = 0
        self._decoder = decoder

    def keep(self, instance: Model) -> None:
        """Remembers an object before it changes."""
        mark, key = self.marks[-1], id(instance)
        if key not in mark.known and key not in mark.added:
            mark.known[key] = remember(instance, deleted=key in self.pending.deleted)

    def forget_unchanged(self, instance: Model) -> None:
        """Forgets how an object was that is so again: what is read of its row from now on is not to be taken back."""
        mark, key = self.marks[-1], id(instance)
        known = mark.known.get(key)
        if known is not None and known == remember(instance, deleted=key in self.pending.deleted):
            del mark.known[key]

    def keep_read(self, instance: Model) -> None:
        """Remembers an object before a row goes over it that may show what is undone later; not what it never held."""
        # the blocks inside of the innermost one that has written would take nothing back that can be read
        mark = next((mark for mark in reversed(self.marks) if mark.first_write is not None), None)
        if mark is None or is_loaded_since(instance, mark.first_write) or is_reference(instance):
            return
        key = id(instance)
        if key not in mark.known and key not in mark.added:
            mark.known[key] = remember(instance, deleted=key in self.pending.deleted)

    def keep_collection(self, collection: Collection[Any]) -> None:
        """Remembers what a collection holds before that changes."""
        self.marks[-1].keep_collection(collection)

    def keep_side(self, instance: Model, name: str) -> None:
        """Remembers what the other side of a relation shows."""
        held = (instance.__orm_related__ or {}).get(name)
        self.keep_collection(held) if is_collection(held) else self.keep(instance)

    @property
    def may_take_back(self) -> bool:
        """Whether a rollback would undo writes, so that what shows rows that are read now has to be remembered."""
        return any(mark.first_write is not None for mark in self.marks)

    def note_write(self, number: int) -> None:
        """Remembers the first statement that wrote, for every mark."""
        for mark in self.marks:
            if mark.first_write is None:
                mark.first_write = number
                self.identity.remember = self.keep_read

    def forget_writes(self) -> None:
        """Forgets what was written since the marks: the transaction was undone as a whole."""
        self.identity.remember = None
        for mark in self.marks:
            mark.first_write = None

    def set_mark(self) -> Mark:
        """Gives a mark for what is now."""
        self.marks.append(mark := Mark())
        for instance in (*self.pending.new.values(), *self.pending.dirty.values(), *self.pending.deleted.values()):
            self.keep(instance)
            for held in (instance.__orm_related__ or {}).values():
                if is_collection(held):
                    mark.keep_collection(held)
        for collection in self.pending.collections.values():
            mark.keep_collection(collection)
        return mark

    def release_mark(self, mark: Mark) -> None:
        """Forgets a mark, and those after it: what has happened since belongs to the one before."""
        while mark in self.marks:
            inner = self.marks.pop()
            self.marks[-1].take_over(inner)

    def begin_look(self) -> Mark:
        """Gives a mark for a look at what a flush would do, which changes what relations show."""
        self.marks.append(mark := Mark())
        return mark

    def end_look(self, mark: Mark) -> None:
        """Puts back what relations showed before the look; what was found out of objects' own changes stays known."""
        self.marks.remove(mark)
        for collection, contents in mark.collections.values():
            collection.restore(contents)
        for memento in mark.known.values():
            memento.restore_related()
        mark.added.clear()
        mark.collections.clear()
        self.marks[-1].take_over(mark)

    def committed(self) -> Ends | None:
        """Forgets every mark: there is no way back any more, but for what came up while the commit was on its way.

        Returns:
            What was waiting for it.
        """
        pending = self.pending
        self.commits += 1
        mark = self.marks[0]
        ends = mark.ends
        if len(self.marks) > 1:
            ends = joined(mark.ends for mark in self.marks)
            self.marks = [mark]
        mark.first_write = mark.ends = self.identity.remember = None
        for known in (mark.added, mark.known, mark.collections, mark.made, mark.unloaded):
            if known:
                known.clear()
        if not (pending.new or pending.dirty or pending.deleted or pending.collections):
            return ends
        mark.added.update(pending.new)
        for instance in (*pending.dirty.values(), *pending.deleted.values()):
            mark.known[id(instance)] = remember_saved(instance)
        for collection in pending.collections.values():
            mark.collections[id(collection)] = (collection, collection.saved_contents)
        for instance in (*pending.new.values(), *pending.dirty.values()):
            for target, name, shown in self._sides_to_turn(instance):
                mark.keep_turned(target, name, instance, shown=shown)
        return ends

    def _sides_to_turn(self, instance: Model) -> Iterable[tuple[Model, str, bool]]:
        """Gives the objects whose side of a relation is another one in the database, and whether it shows this one."""
        changes, info = instance.__orm_changes__ or {}, type(instance).__info__
        for relation in info.relations.values() if changes or instance.__orm_related__ else ():
            if relation.kind != "to_one" or relation.inverse is None:
                continue
            before = [changes.get(name, value_or_missing(instance, name)) for name in relation.local]
            saved = self.identity.get(relation.target, bare_key(tuple(before))) if is_persistent(instance) else None
            now = held_by(instance, relation)
            if saved is not now:
                yield from ((t, relation.inverse, t is saved) for t in (saved, now) if t is not None)

    def undo(self, mark: Mark, accepted: Origin) -> None:
        """Puts every object back to what it was at a mark, and ends it.

        Args:
            mark: The mark; those set after it end with it.
            accepted: What the objects come from now: rows read before this are older than what they show.
        """
        self.undone += 1
        while self.marks[-1] is not mark:
            inner = self.marks.pop()
            self.marks[-1].take_over(inner)
        self.marks.pop()
        self.pending.forgotten.clear()
        led = _shown_by_new_ones(mark)
        for instance in mark.instances:
            self.leave(instance)
        for instance in mark.added.values():
            make_transient(instance, mark.made.get(id(instance)), mark.unloaded.get(id(instance), ()))
        for memento in mark.known.values():
            memento.restore(self._decoder)
            self._return(memento.instance, deleted=memento.deleted)
        for collection, contents in mark.collections.values():
            collection.restore(contents)
            _return_collection(self.pending, collection)
        for instance, relation, held in led:
            if held.__orm_origin__ is None and held_by(instance, relation) is not held:
                hide(held, relation, instance)
        self._unload_since(mark, Origin(accepted.owner, 0))
        renewed: dict[Origin, Origin] = {}
        for memento in mark.known.values():
            instance, origin = memento.instance, memento.origin
            if origin is not None and is_persistent(instance) and not is_reference(instance):
                if self.marks and not is_loaded_since(instance, self.marks[-1].first_write):
                    # its new number says nothing of the block around, which may be rolled back too
                    self.keep(instance)
                # those that came together stay together
                if origin not in renewed:
                    renewed[origin] = origin.renewed(accepted.number)
                set_attribute(instance, "__orm_origin__", renewed[origin])
        if not self.marks:
            self.marks.append(Mark())
            self.identity.remember = None

    def leave(self, instance: Model) -> None:
        """Takes an object out of everything."""
        self.pending.drop(instance)
        key = row_key(instance)
        if key is not None:
            self.identity.discard(type(instance).__info__, key, instance)

    def _return(self, instance: Model, *, deleted: bool) -> None:
        """Gives an object its place back."""
        origin = instance.__orm_origin__
        if origin is None:
            return
        if origin.pending:
            self.pending.new[id(instance)] = instance
            return
        key = row_key(instance)
        if key is not None:
            self.identity.put(type(instance).__info__, key, instance)
        if instance.__orm_changes__:
            self.pending.dirty[id(instance)] = instance
        if deleted:
            self.pending.deleted[id(instance)] = instance

    def _unload_since(self, mark: Mark, unloaded: Origin) -> None:
        """Makes references of what was read after the first write: it may show rows that are gone."""
        if mark.first_write is None:
            return
        for instance in list(self.identity):
            if is_loaded_since(instance, mark.first_write):
                for outer in self.marks:
                    if id(instance) in outer.added:
                        # nobody could read them again, if that is rolled back too
                        outer.unloaded[id(instance)] = values_of(instance)
                unload(instance, unloaded)

    def drop(self, instance: Model) -> None:
        """Forgets an object that has left the session."""
        self.leave(instance)
        for mark in self.marks:
            mark.drop(instance)

    def clear(self) -> None:
        """Forgets every object. The marks stay, which blocks hold: what comes from now on is undone with them."""
        for mark in self.marks:
            mark.forget()


def _return_collection(pending: Pending, collection: Collection[Any]) -> None:
    """Gives a collection that was put back its place among what is pending, or none."""
    if (collection.added or collection.removed) and collection.owner.__orm_origin__ is not None:
        pending.collections[id(collection)] = collection
    else:
        pending.collections.pop(id(collection), None)


def _shown_by_new_ones(mark: Mark) -> list[tuple[Model, RelationInfo, Model]]:
    """Gives the objects that are put back and lead to objects which have no row then, each with where it leads."""
    return [
        (instance, relation, held)
        for instance in [memento.instance for memento in mark.known.values()]
        for relation in type(instance).__info__.relations.values()
        if relation.kind == "to_one"
        and relation.inverse is not None
        and (held := held_by(instance, relation)) is not None
        and (held.__orm_origin__ is None or id(held) in mark.added)
    ]
