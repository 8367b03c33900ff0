"""Pending changes as frozen values: what a flush is going to write, and where its values come from.

They are named tuples, which are made four times as fast as frozen dataclasses: there is one for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from cormorant._internal.tuples import maker
from cormorant.models.collections import Collection, is_collection
from cormorant.models.inside import same
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, bare_key, is_set, value_or_missing
from cormorant.models.through import default_values, filled_columns
from cormorant.sql.statements import TypedColumn


@dataclass(frozen=True, slots=True)
class PendingKey:
    """A value that an earlier step of the same flush makes."""

    instance: Model
    attribute: str


class InsertChange(NamedTuple):
    """A new row: the values by attribute, PendingKey where a parent's key is not made yet.

    Args:
        waiting: The attributes that have a PendingKey.
        names: The attributes of `values`, one and the same tuple for many rows; empty where nobody has said.
    """

    instance: Model
    info: ModelInfo
    values: Mapping[str, Any]
    key_given: bool
    waiting: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


insert_change: Callable[[tuple[Any, ...]], InsertChange] = maker(InsertChange)


class UpdateChange(NamedTuple):
    """Changed columns of a row.

    Args:
        key: The key the row has in the database.
        version: The version it had when it was loaded; None where the model has none, or it was never loaded.
        originals: The values before the change, as far as they were known.
        part: Another change of the same flush writes the row too, and minds its version.
        stamped: The columns that got their values because others have changed.
    """

    instance: Model
    info: ModelInfo
    values: Mapping[str, Any]
    originals: Mapping[str, Any]
    key: tuple[Any, ...]
    version: int | None
    part: bool = False
    stamped: tuple[str, ...] = ()


update_change: Callable[[tuple[Any, ...]], UpdateChange] = maker(UpdateChange)


class DeleteChange(NamedTuple):
    """A row to delete."""

    instance: Model
    info: ModelInfo
    key: tuple[Any, ...]
    version: int | None


class LinkChange(NamedTuple):
    """A link of a many-to-many relation to make or to drop.

    Args:
        columns: The columns of the table of links, one end's key after the other's; the same for both sides.
        ends: The objects whose keys they hold.
        extra: Columns that a new link has beside them, with their values.
    """

    table: str
    columns: tuple[TypedColumn, ...]
    ends: tuple[Model, Model]
    added: bool
    extra: tuple[TypedColumn, ...] = ()
    values: tuple[Any, ...] = ()


class CollectionChange(NamedTuple):
    """What came and went in a collection."""

    collection: Collection[Any]
    added: tuple[Model, ...]
    removed: tuple[Model, ...]


class ChangeSet(NamedTuple):
    """All that one flush writes.

    Args:
        collections: What is no longer pending once the flush has run.
        unchanged: Objects that were written to and have their first values again.
        keeps_keys: No update gives a row another key, or another value that is unique.
    """

    inserts: tuple[InsertChange, ...] = ()
    updates: tuple[UpdateChange, ...] = ()
    deletes: tuple[DeleteChange, ...] = ()
    links: tuple[LinkChange, ...] = ()
    collections: tuple[CollectionChange, ...] = ()
    unchanged: tuple[Model, ...] = ()
    keeps_keys: bool = False

    @property
    def rows(self) -> int:
        """How many rows are written."""
        return len(self.inserts) + len(self.updates) + len(self.deletes) + len(self.links)


class FlushResult(dict[int, dict[str, Any]]):
    """What the database made: for each object, by its id, the values by attribute.

    Attributes:
        resolved: For a PendingKey of an insert, by its id, the key that came; the changes hold them all the while.
    """

    # replaced, never changed: most flushes have none
    resolved: Mapping[int, Any] = MappingProxyType({})

    def value(self, pending: PendingKey) -> Any:
        """Gives a key made by an earlier step, or the one the object had all along."""
        made = self.get(id(pending.instance))
        if made is not None and pending.attribute in made:
            return made[pending.attribute]
        return value_or_missing(pending.instance, pending.attribute)

    def known(self, value: Any) -> Any:
        """Gives a value that may have been waited for."""
        return self.value(value) if isinstance(value, PendingKey) else value


def pending_keys(instance: Model, info: ModelInfo) -> dict[str, Any]:
    """Gives the key columns whose value a related object will bring, or has brought since by another key of its own."""
    found: dict[str, Any] = {}
    for name, value in (instance.__orm_related__ or {}).items():
        if value is None or is_collection(value):
            continue
        relation = info.relations[name]
        if relation.kind != "to_one":
            continue
        for local, remote in zip(relation.local, relation.remote, strict=True):
            own = value_or_missing(instance, local)
            if own is MISSING:
                found[local] = source_of(value, remote)
                continue
            # who writes a key column drops the object it does not fit: if they differ, the object's key has changed
            theirs = value_or_missing(value, remote)
            if theirs is not own and theirs is not MISSING and theirs != own:
                found[local] = theirs
    return found


def source_of(instance: Model, attribute: str) -> PendingKey:
    """Gives whose value a column gets: a key may hold the key of another object, and that one of a third."""
    if attribute not in type(instance).__info__.holders:
        # by far the most: a key of its own
        return PendingKey(instance, attribute)
    seen: set[int] = set()
    while not is_set(instance, attribute) and id(instance) not in seen:
        seen.add(id(instance))
        instance, attribute = _held(instance, attribute)
    return PendingKey(instance, attribute)


def _held(instance: Model, attribute: str) -> tuple[Model, str]:
    """Gives the object whose key a column holds, and which part of it; itself if there is none."""
    related = instance.__orm_related__ or {}
    for name, position in type(instance).__info__.holders.get(attribute, ()):
        held = related.get(name)
        if isinstance(held, Model):
            return held, type(held).__info__.key_attributes[position]
    return instance, attribute


def is_changed(instance: Model) -> bool:
    """Whether an object's row is to be written: it may have its first values again."""
    changes = instance.__orm_changes__ or {}
    if any(not same(before, value_or_missing(instance, name)) for name, before in changes.items()):
        return True
    return bool(pending_keys(instance, type(instance).__info__))


def saved_value(instance: Model, name: str) -> Any:
    """Gives a column's value as its row has it, or MISSING."""
    changes = instance.__orm_changes__
    return changes[name] if changes and name in changes else value_or_missing(instance, name)


def saved_key(instance: Model) -> tuple[Any, ...]:
    """Gives the key columns as the row has them."""
    info, changes = type(instance).__info__, instance.__orm_changes__
    names = info.key_attributes
    if len(names) == 1 and not (changes and names[0] in changes):
        # only ghosts may lack values
        name = names[0]
        return (getattr(instance, name) if type(instance) is info.cls else value_or_missing(instance, name),)
    return tuple([saved_value(instance, name) for name in names])


def row_key(instance: Model) -> Any:
    """Gives the key an object's row has, as identity maps hold it; None where it has none yet."""
    key = saved_key(instance)
    return None if MISSING in key else bare_key(key)


def link_changes(
    relation: RelationInfo, owner: Model, members: Iterable[Model], *, added: bool
) -> Iterable[LinkChange]:
    """Gives the links between an object and others; where friends are friends both ways, there are two for each."""
    link = relation.link
    assert link is not None
    near, far = end_columns(link.near, relation.owner), end_columns(link.far, relation.target)
    turned = link.near > link.far
    columns = (*far, *near) if turned else (*near, *far)
    filled = filled_columns(link) if added else ()
    extra = tuple(column.typed for column in filled)
    for member in members:
        ends = (member, owner) if turned else (owner, member)
        yield LinkChange(link.table, columns, ends, added, extra, default_values(filled))
        if relation.is_symmetrical and member is not owner:
            yield LinkChange(link.table, columns, (ends[1], ends[0]), added, extra, default_values(filled))


def end_columns(names: tuple[str, ...], info: ModelInfo) -> tuple[TypedColumn, ...]:
    """Gives the columns of a table of links that hold the keys of one end."""
    return tuple(TypedColumn(name, column.type) for name, column in zip(names, info.key_columns, strict=True))
