"""Writes what a flush did into the objects, and logs how to undo it; the only place where a flush touches objects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from cormorant.models.inside import remember_raw
from cormorant.models.model import Model
from cormorant.models.state import (
    MISSING,
    Origin,
    bare_key,
    is_ghost,
    is_set,
    key_of,
    set_attribute,
    set_class,
    unset_silently,
    value_or_missing,
)
from cormorant.persistence.changes import ChangeSet, DeleteChange, InsertChange, PendingKey, UpdateChange, key_tuple
from cormorant.persistence.flush_plan import FlushResult
from cormorant.persistence.identity_map import IdentityMap
from cormorant.persistence.restore import restore
from cormorant.persistence.unit_of_work import UnitOfWork

Log = Callable[[Callable[[], None]], None]


class Acceptance:
    """One flush's results on their way into the objects.

    Args:
        origin: What the written objects come from now.
        log: Takes the functions that undo each step.
    """

    def __init__(self, unit: UnitOfWork, identity: IdentityMap, origin: Origin, log: Log) -> None:
        self.unit = unit
        self.identity = identity
        self.origin = origin
        self.log = log

    def accept(self, changes: ChangeSet, result: FlushResult) -> None:
        """Takes the whole flush over."""
        for insert in changes.inserts:
            self._inserted(insert, result.made.get(id(insert.instance), {}))
        for update in changes.updates:
            self._updated(update, result.made.get(id(update.instance), {}))
        for delete in changes.deletes:
            self._deleted(delete)
        copy_keys_of_new_parents(changes)
        for insert in changes.inserts:
            settle(insert.instance)
        for collection in changes.collections:
            added, removed = dict(collection.added), dict(collection.removed)
            collection.flushed()
            self.unit.collections.pop(id(collection), None)
            if added or removed:
                self.log(partial(collection.pending_again, added, removed))

    def _inserted(self, change: InsertChange, made: Mapping[str, Any]) -> None:
        instance = change.instance
        before = instance.__orm_origin__
        for name, value in made.items():
            set_attribute(instance, name, value)
        remember_raw(instance, change.info, change.values, made)
        set_attribute(instance, "__orm_changes__", None)
        set_attribute(instance, "__orm_origin__", self.origin)
        self.unit.new.pop(id(instance), None)
        key = key_of(instance) if all(is_set(instance, n) for n in change.info.key_attributes) else MISSING
        if key is not MISSING:
            self.identity.put(change.info, key, instance)
        self.log(lambda: self._undo_insert(change, tuple(made), before))

    def _undo_insert(self, change: InsertChange, made: tuple[str, ...], before: Any) -> None:
        """Makes an object new again: without its row it has no key, and nothing the database made."""
        instance = change.instance
        self.identity.discard(change.info, key_of(instance), instance)
        self.unit.forget(instance)
        for name in made:
            unset_silently(instance, name)
        for name, value in change.values.items():
            if isinstance(value, PendingKey):
                unset_silently(instance, name)
        set_attribute(instance, "__orm_changes__", None)
        set_attribute(instance, "__orm_origin__", None)
        if made:
            set_class(instance, change.info.ghost)

    def _updated(self, change: UpdateChange, made: Mapping[str, Any]) -> None:
        instance = change.instance
        before, raw = instance.__orm_origin__, value_or_missing(instance, "__orm_raw__")
        kept = {**change.originals, **{name: value_or_missing(instance, name) for name in made}}
        for name, value in made.items():
            set_attribute(instance, name, value)
        remember_raw(instance, change.info, change.values, made)
        still_changed = self._changed_meanwhile(change)
        set_attribute(instance, "__orm_changes__", still_changed or None)
        set_attribute(instance, "__orm_origin__", self.origin)
        if not still_changed:
            self.unit.dirty.pop(id(instance), None)
        self._rename(change)
        self.log(lambda: self._undo_update(change, kept, before, raw))

    def _changed_meanwhile(self, change: UpdateChange) -> dict[str, Any]:
        """Gives the columns written again while the flush ran: they stay dirty, against what was just saved."""
        found: dict[str, Any] = {}
        for name, saved in change.values.items():
            current = value_or_missing(change.instance, name)
            mutable = change.info.by_attribute[name].type.mutable
            if not isinstance(saved, PendingKey) and current is not saved and not mutable and current != saved:
                found[name] = saved
        return found

    def _rename(self, change: UpdateChange) -> None:
        new = key_tuple(change.instance)
        if new != change.key:
            self.identity.discard(change.info, bare_key(change.key), change.instance)
            self.identity.put(change.info, key_of(change.instance), change.instance)

    def _undo_update(self, change: UpdateChange, values: Mapping[str, Any], before: Any, raw: Any) -> None:
        restore(change.instance, values)
        set_attribute(change.instance, "__orm_origin__", before)
        if raw is not MISSING:
            set_attribute(change.instance, "__orm_raw__", raw)
        self._rename_back(change)

    def _rename_back(self, change: UpdateChange) -> None:
        known = self.identity.of(change.info)
        for key in [key for key, held in known.items() if held is change.instance]:
            del known[key]
        self.identity.put(change.info, key_of(change.instance), change.instance)

    def _deleted(self, change: DeleteChange) -> None:
        instance = change.instance
        self.unit.deleted.pop(id(instance), None)
        self.unit.dirty.pop(id(instance), None)
        key = bare_key(change.key)
        self.identity.discard(change.info, key, instance)
        before = instance.__orm_origin__
        set_attribute(instance, "__orm_origin__", None)
        set_attribute(instance, "__orm_changes__", None)

        def undo() -> None:
            set_attribute(instance, "__orm_origin__", before)
            self.identity.put(change.info, key, instance)

        self.log(undo)


def copy_keys_of_new_parents(changes: ChangeSet) -> None:
    """Writes the keys that the flush made into the columns that point to them."""
    written: list[InsertChange | UpdateChange] = [*changes.inserts, *changes.updates]
    for change in written:
        for name, value in change.values.items():
            if isinstance(value, PendingKey):
                set_attribute(change.instance, name, getattr(value.instance, value.attribute))


def settle(instance: Model) -> None:
    """Makes a ghost a plain instance once every column has a value."""
    info = type(instance).__info__
    if is_ghost(instance) and all(is_set(instance, name) for name in info.fields):
        set_class(instance, info.cls)
