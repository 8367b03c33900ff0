"""What stays in a session when an object leaves it: nothing of what was pending for that, nor the object itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cormorant.models.collections import Collection, Contents, is_collection
from cormorant.models.model import Model
from cormorant.models.sides import inverses_of, owner_in_row, turn_back
from cormorant.models.state import MISSING
from cormorant.persistence.history import History
from cormorant.persistence.marks import Mark


def part(instance: Model, pending: dict[int, Collection[Any]], history: History) -> None:
    """Has the ends of an object's relations show what the rows say; what shows the object is to be loaded again.

    Args:
        instance: The object, which has a row and is still the session's.
        pending: The collections with pending members.
        history: Remembers what collections held.
    """
    info = type(instance).__info__
    related: dict[str, Any] = instance.__orm_related__ or {}
    for name, inverse in inverses_of(info).items():
        relation = info.relation(name)
        if (held := related.get(name, MISSING)) is not MISSING:
            turn_back(instance, relation, held)
        target = owner_in_row(instance, relation)
        if target is not None:
            # the row is the target's still, and another object may stand for it from now on
            _load_again(target, inverse, instance, history)
    for held in related.values():
        if is_collection(held) and held.relation.link is not None:
            _turn_links(instance, held, history)
    for key, collection in list(pending.items()):
        _withdraw(instance, collection, history)
        if not (collection.added or collection.removed):
            del pending[key]
    for mark in history.marks:
        _forget(instance, mark)


def _load_again(target: Model, name: str, instance: Model, history: History) -> None:
    related: dict[str, Any] = target.__orm_related__ or {}
    held = related.get(name)
    if is_collection(held):
        if held.shows(instance):
            history.keep_collection(held)
            held.fill(held.known, partial=True)
    elif held is instance:
        history.keep(target)
        del related[name]
    for mark in history.marks:
        memento = mark.known.get(id(target))
        if memento is not None and memento.related.get(name) is instance:
            kept = {key: value for key, value in memento.related.items() if key != name}
            mark.known[id(target)] = memento._replace(related=kept)


def _turn_links(instance: Model, collection: Collection[Any], history: History) -> None:
    """Has the other ends of links show what they would if the object had made and dropped none."""
    for members, shown in ((collection.removed, True), (collection.added, False)):
        for member in members.values():
            theirs: dict[str, Any] = member.__orm_related__ or {}
            other = theirs.get(collection.relation.inverse or "")
            if is_collection(other):
                history.keep_collection(other)
                other.include(instance) if shown else other.exclude(instance)


def _withdraw(instance: Model, collection: Collection[Any], history: History) -> None:
    """Takes an object out of what is pending in a collection."""
    key = id(instance)
    if key not in collection.added and key not in collection.removed:
        return
    history.keep_collection(collection)
    if collection.added.pop(key, None) is not None:
        collection.exclude(instance)
    if collection.removed.pop(key, None) is not None and collection.relation.link is not None:
        collection.include(instance)


def _forget(instance: Model, mark: Mark) -> None:
    """Has a rollback bring back nothing that takes an object for a member that can be written."""
    for key, (collection, contents) in list(mark.collections.items()):
        items = contents.items
        shown = items is not None and id(instance) in items and collection.relation.link is None
        if shown or id(instance) in contents.added or id(instance) in contents.removed:
            added, removed = _others(instance, contents.added), _others(instance, contents.removed)
            if shown and not collection.shows(instance):
                items = _others(instance, items or {})
            made = Contents(items, added, removed, contents.partial or shown)
            mark.collections[key] = (collection, made)


def _others(instance: Model, held: Mapping[int, Any]) -> dict[int, Any]:
    return {key: item for key, item in held.items() if item is not instance}
