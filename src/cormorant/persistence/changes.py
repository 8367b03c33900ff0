"""Pending changes as frozen values: what a flush is going to write, read off the objects once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cormorant.errors import FlushError, ValidationError
from cormorant.models.collections import Collection
from cormorant.models.links import LinkTable, RelationInfo
from cormorant.models.metadata import ColumnInfo, ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, is_set, key_of, value_or_missing
from cormorant.models.validation import Problem, problems_of


@dataclass(frozen=True, slots=True)
class PendingKey:
    """A value that an earlier step of the same flush makes."""

    instance: Model
    attribute: str


@dataclass(frozen=True, slots=True)
class InsertChange:
    """A new row: the values by attribute, PendingKey where a parent's key is not made yet."""

    instance: Model
    info: ModelInfo
    values: Mapping[str, Any]
    key_given: bool


@dataclass(frozen=True, slots=True)
class UpdateChange:
    """Changed columns of a row.

    Args:
        key: The key the row has in the database.
        version: The version it had when it was loaded; None where the model has none.
        originals: The values before the change, as far as they were known.
    """

    instance: Model
    info: ModelInfo
    values: Mapping[str, Any]
    originals: Mapping[str, Any]
    key: tuple[Any, ...]
    version: int | None


@dataclass(frozen=True, slots=True)
class DeleteChange:
    """A row to delete."""

    instance: Model
    info: ModelInfo
    key: tuple[Any, ...]
    version: int | None


@dataclass(frozen=True, slots=True)
class LinkChange:
    """A link of a many-to-many relation to make or to drop."""

    link: LinkTable
    relation: RelationInfo
    near: Model
    far: Model
    added: bool


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All that one flush writes."""

    inserts: tuple[InsertChange, ...] = ()
    updates: tuple[UpdateChange, ...] = ()
    deletes: tuple[DeleteChange, ...] = ()
    links: tuple[LinkChange, ...] = ()
    collections: tuple[Collection[Any], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.inserts or self.updates or self.deletes or self.links)


def collect(
    new: Iterable[Model],
    dirty: Iterable[Model],
    deleted: Iterable[Model],
    collections: Iterable[Collection[Any]],
) -> ChangeSet:
    """Reads pending changes off the objects.

    Raises:
        ValidationError: Listing every value that cannot be saved.
    """
    problems: list[Problem] = []
    inserts = tuple(_insert(instance, problems) for instance in new)
    gone = set(map(id, deleted))
    updates = (_update(instance, problems) for instance in dirty if id(instance) not in gone)
    changed = tuple(change for change in updates if change is not None)
    kept = tuple(collections)
    if problems:
        raise ValidationError(problems)
    return ChangeSet(inserts, changed, tuple(map(_delete, deleted)), tuple(_unique_links(kept)), kept)


def _insert(instance: Model, problems: list[Problem]) -> InsertChange:
    info = type(instance).__info__
    waiting = pending_keys(instance, info)
    values: dict[str, Any] = {}
    for column in info.columns:
        name = column.attribute
        if name in waiting:
            values[name] = waiting[name]
            continue
        value = value_or_missing(instance, name)
        if value is not MISSING and column.spec.computed is None:
            values[name] = copy.deepcopy(value) if column.type.mutable else value
        elif not column.server_made:
            problems.append((f"{info.name}.{name}", _no_value(column)))
    problems += problems_of(info, {k: v for k, v in values.items() if k not in waiting} if waiting else values)
    key_given = all(name in values for name in info.key_attributes)
    return InsertChange(instance, info, values, key_given)


def _no_value(column: ColumnInfo) -> str:
    if column.spec.relation is not None:
        return f"has no value: set {column.spec.relation}"
    return "has no value"


def pending_keys(instance: Model, info: ModelInfo) -> dict[str, PendingKey]:
    """Gives the key columns whose value a new related object will bring."""
    found: dict[str, PendingKey] = {}
    related = instance.__orm_related__
    if not related:
        return found
    for name, value in related.items():
        if value is None or isinstance(value, Collection):
            continue
        relation = info.relations[name]
        if relation.kind != "to_one":
            continue
        for local, remote in zip(relation.local, relation.remote, strict=True):
            if not is_set(instance, local):
                found[local] = PendingKey(value, remote)
    return found


def _update(instance: Model, problems: list[Problem]) -> UpdateChange | None:
    info = type(instance).__info__
    originals = instance.__orm_changes__ or {}
    waiting = pending_keys(instance, info)
    values: dict[str, Any] = dict(waiting)
    for name, original in originals.items():
        value = value_or_missing(instance, name)
        if value is MISSING or name in waiting or (original is not MISSING and _equal(original, value)):
            continue
        column = info.by_attribute[name]
        values[name] = copy.deepcopy(value) if column.type.mutable else value
    if not values:
        return None
    problems += problems_of(info, {k: v for k, v in values.items() if k not in waiting})
    _refuse_generated(instance, info, values)
    return UpdateChange(instance, info, values, dict(originals), _row_key(instance, info), _version(instance, info))


def _equal(original: Any, value: Any) -> bool:
    # 1 == True and 1 == 1.0 to Python, yet the column's value changed
    return original is value or (type(original) is type(value) and bool(original == value))


def _refuse_generated(instance: Model, info: ModelInfo, values: Mapping[str, Any]) -> None:
    for name in values:
        spec = info.fields[name]
        if spec.computed is not None or spec.version:
            what = "the database computes it" if spec.computed is not None else "it counts the row's changes"
            raise FlushError(f"{info.name}.{name} of {instance!r} was set, and {what}", hint="leave it alone")


def _row_key(instance: Model, info: ModelInfo) -> tuple[Any, ...]:
    """Gives the key the row has: where it was changed, the one before."""
    originals = instance.__orm_changes__ or {}
    return tuple(originals.get(name, value_or_missing(instance, name)) for name in info.key_attributes)


def _version(instance: Model, info: ModelInfo) -> int | None:
    column = info.version_column
    if column is None:
        return None
    value = value_or_missing(instance, column.attribute)
    # a reference that was never loaded has no version to compare
    return None if value is MISSING else value


def _delete(instance: Model) -> DeleteChange:
    info = type(instance).__info__
    return DeleteChange(instance, info, _row_key(instance, info), _version(instance, info))


def _unique_links(collections: Iterable[Collection[Any]]) -> Iterable[LinkChange]:
    """Gives each link once: it may have been made from both ends."""
    seen: set[tuple[str, int, int, bool]] = set()
    for collection in collections:
        link = collection.relation.link
        if link is None:
            continue
        for added, members in ((True, collection.added), (False, collection.removed)):
            for member in members.values():
                ends = (collection.owner, member)
                columns = (link.near, link.far)
                first = 0 if link.near <= link.far else 1
                mark = (f"{link.table}{columns[first]}", id(ends[first]), id(ends[1 - first]), added)
                if mark not in seen:
                    seen.add(mark)
                    yield LinkChange(link, collection.relation, collection.owner, member, added)


def key_tuple(instance: Model) -> tuple[Any, ...]:
    """Gives an instance's key as a tuple, also where it is one value."""
    key = key_of(instance)
    return key if len(type(instance).__info__.key_attributes) > 1 else (key,)
