"""Orphans: objects that have lost their owner by a relation that deletes what it lets go."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from cormorant.models.collections import is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.sides import held_by, lost_owner
from cormorant.persistence.pending import Pending


def orphans_of(pending: Pending) -> dict[int, Model]:
    """Gives the objects that a flush deletes, or forgets, because they have no owner any more, by id."""
    found: dict[int, Model] = {}
    changed = [*pending.dirty.values(), *pending.new.values()]
    classes: set[type[Model]] = set(map(type, changed))
    # most models have no owners, which is asked once for all objects of a model
    if any(owned_by(cls.__info__) for cls in classes):
        for instance in changed:
            if any(lost_owner(instance, relation) for relation in owned_by(type(instance).__info__)):
                found[id(instance)] = instance
    for collection in pending.collections.values():
        relation = collection.relation
        if relation.orphan_removal:
            # new objects have no row, and so no change that tells
            gone = (item for item in collection.removed.values() if id(item) in pending.new)
            found |= {id(item): item for item in gone if held_by(item, _forward(relation)) is None}
    waiting: list[Model] = [*pending.deleted.values(), *found.values()]
    for owner in waiting:
        for item in _owned(owner) if owner.__orm_related__ else ():
            if id(item) not in found and id(item) not in pending.deleted:
                found[id(item)] = item
                waiting.append(item)
    for key in found.keys() & pending.deleted.keys():
        del found[key]
    return found


def leaving(pending: Pending) -> tuple[Model, ...]:
    """Gives the objects whose rows a flush deletes."""
    orphans = orphans_of(pending)
    return (*pending.deleted.values(), *[item for key, item in orphans.items() if key not in pending.new])


def _owned(owner: Model) -> Iterable[Model]:
    """Gives the loaded objects that are orphans when their owner is deleted."""
    related: dict[str, Any] = owner.__orm_related__ or {}
    for relation in owning(type(owner).__info__) if related else ():
        held = related.get(relation.name)
        items = held.known if is_collection(held) else [] if held is None else [held]
        yield from (item for item in items if held_by(item, _forward(relation)) is owner)


def _forward(relation: RelationInfo) -> RelationInfo:
    return relation.target.relation(relation.inverse or "")


@lru_cache(maxsize=1000)
def owning(info: ModelInfo) -> tuple[RelationInfo, ...]:
    """Gives a model's relations that delete what they let go."""
    return tuple(relation for relation in info.relations.values() if relation.orphan_removal)


@lru_cache(maxsize=1000)
def owned_by(info: ModelInfo) -> tuple[RelationInfo, ...]:
    """Gives a model's relations to owners that delete what they let go."""
    forward = [relation for relation in info.relations.values() if relation.kind == "to_one" and relation.inverse]
    return tuple(r for r in forward if r.target.relation(r.inverse or "").orphan_removal)
