"""What links show in many-to-many collections: objects of a table of links, and objects that are deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeAlias

from cormorant.models.collections import Collection, is_collection
from cormorant.models.links import RelationInfo
from cormorant.models.metadata import ModelInfo
from cormorant.models.model import Model
from cormorant.models.state import MISSING, bare_key, is_ghost, value_or_missing
from cormorant.persistence.unit_of_work import UnitOfWork


@lru_cache(maxsize=1000)
def mirrored(info: ModelInfo) -> tuple[RelationInfo, ...]:
    """Gives the relations held by a model's own columns whose other side is declared."""
    return tuple(r for r in info.relations.values() if r.kind == "to_one" and r.inverse is not None)


@lru_cache(maxsize=1000)
def linked(info: ModelInfo) -> tuple[tuple[RelationInfo, tuple[str, ...], tuple[str, ...]], ...]:
    """Gives the relations that go through a model, each with the attributes that hold the keys of both ends."""
    names = {column.name: column.attribute for column in info.columns}
    ends = dict.fromkeys([relation.target for relation in info.relations.values() if relation.kind == "to_one"])
    return tuple(
        [
            (relation, tuple([names[n] for n in relation.link.near]), tuple([names[n] for n in relation.link.far]))
            for end in ends
            for relation in end.relations.values()
            if relation.link is not None and relation.link.through is info
        ]
    )


Watching: TypeAlias = "tuple[tuple[Callable[[Model], Any], RelationInfo], ...]"
"""The relations by which an object may have to be shown elsewhere, each with what reads the object's key of it."""


@lru_cache(maxsize=1000)
def watching_of(info: ModelInfo) -> Watching | None:
    """Gives where objects of a model may have to be shown; None: nowhere.

    A model that links others is shown in other places; what cannot be told quickly is empty.
    """
    if linked(info):
        return ()
    return tuple([(attrgetter(*r.local), r) for r in mirrored(info)]) or None


def shower(
    watching: Watching, info: ModelInfo, known: Mapping[ModelInfo, Mapping[Any, Model]]
) -> Callable[[Model], bool]:
    """Gives what tells whether all loaded objects that a new one points to show it already.

    Args:
        watching: Where it may have to be shown.
        info: Its model.
        known: The session's objects.
    """
    cls = info.cls
    if len(watching) != 1:
        return lambda instance: bool(watching) and instance.__class__ is cls and _is_shown(instance, watching, known)
    ((read, relation),) = watching
    targets, inverse = known[relation.target], relation.inverse or ""
    at: Any = MISSING
    collection: Any = None

    def shows(instance: Model) -> bool:
        nonlocal at, collection
        if instance.__class__ is not cls:
            return False
        key = read(instance)
        if key is None:
            return True
        if key != at:
            # of those that come together, many point to one
            target = targets.get(key)
            held: Any = None if target is None else (target.__orm_related__ or {}).get(inverse)
            if not is_collection(held):
                return _is_shown(instance, watching, known)
            at, collection = key, held
        return collection.shows(instance)  # type: ignore[no-any-return]

    return shows


def _is_shown(instance: Model, watching: Watching, known: Mapping[ModelInfo, Mapping[Any, Model]]) -> bool:
    for read, relation in watching:
        target = known[relation.target].get(read(instance))
        related = target.__orm_related__ if target is not None else None
        if related and relation.inverse in related:
            held: Any = related[relation.inverse]
            if not (held.shows(instance) if is_collection(held) else held is instance):
                return False
    return True


def is_shown_nowhere(instance: Model, watching: Watching, known: Mapping[ModelInfo, Mapping[Any, Model]]) -> bool:
    """Whether no loaded object that one points to has the side of the relation that would show it.

    Args:
        instance: The object.
        watching: Where it may be shown.
        known: The session's objects.
    """
    if not watching or instance.__orm_changes__ or is_ghost(instance):
        return False
    for read, relation in watching:
        target = known[relation.target].get(read(instance))
        if target is not None and relation.inverse in (target.__orm_related__ or ()):
            return False
    return True


def show_links(unit: UnitOfWork, instance: Model, before: Mapping[str, Any], written: Iterable[str]) -> None:
    """Shows in loaded collections what an object of a table of links has linked, and what it links no more.

    Args:
        unit: Where the objects are known.
        instance: The object.
        before: Values that its row had.
        written: The attributes that its row has been given.
    """
    written = frozenset(written)
    for relation, near, far in linked(type(instance).__info__):
        names = (*near, *far)
        if not before.keys().isdisjoint(names):
            old = [before.get(name, value_or_missing(instance, name)) for name in names]
            if MISSING not in old and not _is_linked_by_another(unit, instance, names, old):
                _show(unit, relation, old, shown=False)
        if not written.isdisjoint(names):
            _show(unit, relation, [value_or_missing(instance, name) for name in names], shown=True)


def _is_linked_by_another(unit: UnitOfWork, instance: Model, names: Sequence[str], ends: list[Any]) -> bool:
    """Whether a further row is known that links the same two, where the key allows that."""
    info = type(instance).__info__
    if info.key_set <= set(names):
        return False
    others = [other for other in unit.identity.of(info).values() if other is not instance]
    return any([value_or_missing(other, name) for name in names] == ends for other in others)


def _show(unit: UnitOfWork, relation: RelationInfo, ends: Sequence[Any], *, shown: bool) -> None:
    width = len(relation.owner.key_attributes)
    owner: Model | None = unit.identity.get(relation.owner, bare_key(tuple(ends[:width])))
    item: Model | None = unit.identity.get(relation.target, bare_key(tuple(ends[width:])))
    held: Any = None if owner is None else (owner.__orm_related__ or {}).get(relation.name)
    if item is not None and is_collection(held) and held.shows(item) is not shown:
        unit.history.keep_collection(held)
        held.include(item) if shown else held.exclude(item)


# ------------------------------------------------------------------ links of what is deleted


@lru_cache(maxsize=1000)
def many_to_many(info: ModelInfo) -> tuple[RelationInfo, ...]:
    """Gives a model's many-to-many relations."""
    return tuple(relation for relation in info.relations.values() if relation.kind == "many_to_many")


def show_gone(unit: UnitOfWork, gone: Mapping[int, Model]) -> None:
    """Takes deleted objects out of the collections that were linked to them: the database has dropped the links."""
    models: set[ModelInfo] = set()
    for info, known in unit.identity.by_model.items():
        if not many_to_many(info):
            continue
        models = models or {type(instance).__info__ for instance in gone.values()}
        names = [relation.name for relation in many_to_many(info) if relation.target in models]
        # all that are loaded are looked at, so that most are passed over quickly
        for instance in [one for one in known.values() if one.__orm_related__] if names else ():
            related: dict[str, Any] = instance.__orm_related__ or {}
            _exclude(unit, [related[name] for name in names if name in related], gone)
    for pending in unit.collections.values():
        for key in gone.keys() & (pending.added.keys() | pending.removed.keys()):
            pending.added.pop(key, None)
            pending.removed.pop(key, None)


def _exclude(unit: UnitOfWork, collections: Iterable[Collection[Any]], gone: Mapping[int, Model]) -> None:
    for collection in collections:
        members = collection.known_among(gone)
        if members:
            unit.history.keep_collection(collection)
        for member in members:
            collection.exclude(member)
