"""What objects were when a block began: kept at their first change inside of it, put back if it is rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

from cormorant._internal.copies import own_copy
from cormorant._internal.tuples import maker
from cormorant.models.collections import Collection, Contents, is_collection
from cormorant.models.inside import Decode, readers, saved_value_of
from cormorant.models.late import is_unread, unread_of
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.reading import columns_but, columns_of
from cormorant.models.state import (
    MISSING,
    UNREAD,
    Origin,
    is_ghost,
    is_persistent,
    set_attribute,
    set_class,
    unset_silently,
    value_or_missing,
)
from cormorant.persistence.ends import Ends
from cormorant.sql.types import SqlType

Decoder: TypeAlias = Callable[[SqlType], Decode | None]


class Memento(NamedTuple):
    """One object as it was.

    Args:
        values: The columns in the model's order.
        raw: What the driver gave for JSON and lists, whose values may be changed in place later.
        changes: Its unsaved changes, with their originals.
        related: The objects of its to-one relations; for a new object its collections too.
        deleted: Its row was to be deleted.
    """

    instance: Model
    origin: Origin | None
    values: tuple[Any, ...]
    raw: Any
    changes: Mapping[str, Any]
    related: Mapping[str, Any]
    deleted: bool

    def restore(self, decoder: Decoder) -> None:
        """Puts everything back but the object's place in the session."""
        instance, info = self.instance, type(self.instance).__info__
        complete = True
        for column, value in zip(info.columns, self.values, strict=True):
            if value is MISSING:
                complete = False
                unset_silently(instance, column.attribute)
            elif value is UNREAD:
                unset_silently(instance, column.attribute)
            else:
                set_attribute(instance, column.attribute, value)
        if self.raw is not MISSING:
            self._restore_mutable(info, decoder)
        set_attribute(instance, "__orm_changes__", dict(self.changes) or None)
        set_attribute(instance, "__orm_origin__", self.origin)
        self.restore_related()
        set_class(instance, info.cls if complete else info.ghost)

    def restore_related(self) -> None:
        """Puts back what the object's relations showed."""
        instance = self.instance
        # the collections of a new object show what points to it, without anybody having touched them
        pending = self.origin is not None and self.origin.pending
        kept = {} if pending else {name: held for name, held in _related(instance) if is_collection(held)}
        set_attribute(instance, "__orm_related__", {**self.related, **kept} or None)

    def _restore_mutable(self, info: ModelInfo, decoder: Decoder) -> None:
        set_attribute(self.instance, "__orm_raw__", self.raw)
        for saved, (name, decode) in zip(self.raw, readers(info, decoder), strict=True):
            known = saved is not None and not is_unread(saved) and name not in self.changes
            if known and value_or_missing(self.instance, name) is not MISSING:
                set_attribute(self.instance, name, saved_value_of(saved, decode))


def remember(instance: Model, *, deleted: bool) -> Memento:
    """Gives an object as it is now, with copies of what may change in place."""
    info = type(instance).__info__
    changes = instance.__orm_changes__ or _NOTHING
    if type(instance) is info.cls and not (changes or instance.__orm_related__ or info.mutable_columns):
        # by far the most: loaded, and changed for the first time
        values = columns_of(info)(instance)
        return _memento((instance, instance.__orm_origin__, values, MISSING, _NOTHING, _NOTHING, deleted))
    raw = value_or_missing(instance, "__orm_raw__") if info.mutable_columns else MISSING
    if raw is not MISSING and any(map(is_unread, raw)):
        values = _values_but_unread(instance, raw)
    else:
        values = values_of(instance)
    if info.mutable_columns and (changes or raw is MISSING):
        values = tuple(
            own_copy(value) if column.type.mutable and value is not UNREAD else value
            for column, value in zip(info.columns, values, strict=True)
        )
    origin = instance.__orm_origin__
    related: dict[str, Any] = instance.__orm_related__ or {}
    if related:
        whole = origin is not None and origin.pending
        related = {name: held for name, held in related.items() if whole or not is_collection(held)}
    return Memento(instance, origin, values, raw, dict(changes), related, deleted)


_memento = maker(Memento)
_NOTHING: Mapping[str, Any] = {}


def values_of(instance: Model) -> tuple[Any, ...]:
    """Gives an object's columns in the model's order, MISSING where there is no value."""
    info = type(instance).__info__
    if not is_ghost(instance):
        return columns_of(info)(instance)
    return tuple([value_or_missing(instance, name) for name in info.fields])


def _values_but_unread(instance: Model, raw: tuple[Any, ...]) -> tuple[Any, ...]:
    """Gives an object's columns, UNREAD for documents that nobody has looked at: they stay as they are."""
    info = type(instance).__info__
    unread = unread_of(info, raw)
    if not is_ghost(instance):
        return columns_but(info, unread)(instance)
    return tuple([UNREAD if name in unread else value_or_missing(instance, name) for name in info.fields])


def remember_saved(instance: Model) -> Memento:
    """Gives a changed object as its row is."""
    now = remember(instance, deleted=False)
    names = type(instance).__info__.fields
    values = tuple(now.changes.get(name, value) for name, value in zip(names, now.values, strict=True))
    return now._replace(values=values, changes={}, related={})


def _related(instance: Model) -> Iterable[tuple[str, Any]]:
    return (instance.__orm_related__ or {}).items()


class Mark:
    """A point that objects can go back to.

    Attributes:
        added: Objects that belonged to no session, by id.
        known: Objects of the session, by id.
        collections: What collections held.
        made: For objects that were inserted since, the columns that the flush gave a value.
        unloaded: For objects that were added since and are references now, what they held.
        first_write: The number of the first statement that wrote since.
        ends: What is told of the end of the block.
    """

    __slots__ = ("added", "collections", "ends", "first_write", "known", "made", "unloaded")

    def __init__(self) -> None:
        self.added: dict[int, Model] = {}
        self.known: dict[int, Memento] = {}
        self.collections: dict[int, tuple[Collection[Any], Contents]] = {}
        self.made: dict[int, tuple[str, ...]] = {}
        self.unloaded: dict[int, tuple[Any, ...]] = {}
        self.first_write: int | None = None
        self.ends: Ends | None = None

    @property
    def is_blank(self) -> bool:
        """Whether nothing has happened since that a rollback would take back."""
        kept = self.added or self.known or self.collections or self.made or self.unloaded or self.ends
        return not kept and self.first_write is None

    def keep_collection(self, collection: Collection[Any]) -> None:
        """Remembers a collection before its first change."""
        if id(collection) not in self.collections:
            self.collections[id(collection)] = (collection, collection.contents)

    def keep_turned(self, instance: Model, name: str, member: Model, *, shown: bool) -> None:
        """Remembers what the other side of a relation shows, but with a member, or without it."""
        related: dict[str, Any] = instance.__orm_related__ or {}
        held = related.get(name)
        if not is_collection(held):
            if held is not None and is_persistent(instance):
                self.known.setdefault(id(instance), remember_saved(instance))
            return
        _, contents = self.collections.get(id(held), (held, held.contents))
        if contents.items is not None:
            items = {key: item for key, item in contents.items.items() if item is not member}
            items |= {id(member): member} if shown and not contents.partial else {}
            self.collections[id(held)] = (held, replace(contents, items=items))

    def take_over(self, inner: Mark) -> None:
        """Makes what happened since an inner mark part of what happened since this one; the older memory counts."""
        for key, instance in inner.added.items():
            if key not in self.known:
                self.added.setdefault(key, instance)
        for key, memento in inner.known.items():
            if key not in self.added:
                self.known.setdefault(key, memento)
        # what this one remembers is not copied: it grows with each of many blocks
        for key, held in inner.collections.items():
            self.collections.setdefault(key, held)
        self.made.update(inner.made)
        for key, values in inner.unloaded.items():
            self.unloaded.setdefault(key, values)
        if self.ends is None:
            self.ends = inner.ends
        elif inner.ends is not None:
            self.ends.take_over(inner.ends)

    def drop(self, instance: Model) -> None:
        """Forgets an object that has left the session."""
        self.known.pop(id(instance), None)
        self.added.pop(id(instance), None)

    def forget(self) -> None:
        """Forgets every object and collection; what was written, and who waits for the end, stays known."""
        for known in (self.added, self.known, self.collections, self.made, self.unloaded):
            if known:
                known.clear()

    @property
    def instances(self) -> list[Model]:
        """Every object it remembers."""
        return [*self.added.values(), *(memento.instance for memento in self.known.values())]


def make_transient(instance: Model, made: tuple[str, ...] | None, held: tuple[Any, ...] = ()) -> None:
    """Makes an object new again, as before `add`: without its row it has no key, and nothing the database made.

    Args:
        instance: The object.
        made: The columns that an insert gave a value; None if there was none.
        held: Its columns in the model's order, where it has become a reference since it was new.
    """
    set_attribute(instance, "__orm_changes__", None)
    set_attribute(instance, "__orm_origin__", None)
    if made is None:
        return
    for column, value in zip(type(instance).__info__.columns, held, strict=False):
        if value is not MISSING and value_or_missing(instance, column.attribute) is MISSING:
            set_attribute(instance, column.attribute, value)
    for name in (*made, "__orm_raw__"):
        unset_silently(instance, name)
    info = type(instance).__info__
    if info.version_column is not None:
        set_attribute(instance, info.version_column.attribute, info.version_column.spec.default)
    if made:
        set_class(instance, info.ghost)


def unload(instance: Model, origin: Origin) -> None:
    """Makes an object a reference: nothing but its key, and collections that are not loaded."""
    info = type(instance).__info__
    set_class(instance, info.ghost)
    for name in (*info.fields, "__orm_raw__"):
        if name not in info.key_attributes:
            unset_silently(instance, name)
    set_attribute(instance, "__orm_changes__", None)
    set_attribute(instance, "__orm_origin__", origin)
    collections = {name: held for name, held in _related(instance) if is_collection(held)}
    for collection in collections.values():
        collection.unload()
    set_attribute(instance, "__orm_related__", collections or None)


def is_loaded_since(instance: Model, number: int | None) -> bool:
    """Whether an object was loaded, or read again, after a statement."""
    origin = instance.__orm_origin__
    # a reference was not read by a statement of its own, and has no number
    return number is not None and origin is not None and origin.number > number
