"""Orphans: objects that have lost their owner by a relation that deletes what it lets go."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any

from cormorant.models.collections import is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.sides import held_by, lost_owner, own_again, turn_back
from cormorant.models.state import is_persistent
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
    found |= {id(item): item for item in _new_ones_without_owner(pending)}
    spared = {key for key, (_, holds) in pending.spared.items() if holds()} if pending.spared else ()
    for key in spared:
        found.pop(key, None)
    waiting: list[Model] = [*pending.deleted.values(), *found.values()]
    for owner in waiting:
        for item in _owned(owner) if owner.__orm_related__ else ():
            if id(item) not in found and id(item) not in pending.deleted and id(item) not in spared:
                found[id(item)] = item
                waiting.append(item)
    for key in found.keys() & pending.deleted.keys():
        del found[key]
    return found


def _new_ones_without_owner(pending: Pending) -> Iterable[Model]:
    """Gives new objects that were taken out: they have no row, and so no change that tells."""
    for collection in pending.collections.values():
        relation = collection.relation
        if relation.orphan_removal:
            for item in collection.removed.values():
                if id(item) in pending.new and held_by(item, _forward(relation)) is None:
                    yield item


def is_orphan(pending: Pending, instance: Model) -> bool:
    """Whether an object has lost its owner, or is going to lose it, so that a flush deletes or forgets it."""
    if any(lost_owner(instance, relation) for relation in owned_by(type(instance).__info__)):
        return True
    if id(instance) in pending.new and any(item is instance for item in _new_ones_without_owner(pending)):
        return True
    # who owns it may go itself, and so may that one's owner
    waiting, seen = [instance], {id(instance)}
    for owned in waiting:
        for relation in owned_by(type(owned).__info__):
            owner = held_by(owned, relation)
            if owner is None or id(owner) in seen or id(owner) in pending.spared:
                continue
            seen.add(id(owner))
            if id(owner) in pending.deleted or any(map(partial(lost_owner, owner), owned_by(type(owner).__info__))):
                return True
            waiting.append(owner)
    return False


def keep_owner(instance: Model, *, shown: bool) -> None:
    """Gives an object its owner back that it cannot be without; where it can, it stays without one.

    Args:
        instance: The object, which was let go.
        shown: The owner shows it again.
    """
    for relation in owned_by(type(instance).__info__):
        if not relation.nullable and is_persistent(instance) and lost_owner(instance, relation):
            own_again(instance, relation, shown=shown)


def show_again(instance: Model) -> None:
    """Has the owner show an object again that it was let go of, and that stays as it was."""
    for relation in owned_by(type(instance).__info__):
        if not relation.nullable:
            turn_back(instance, relation, None)


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
